"""Tables as they come: read from files, and turned into the numbers that a network learns from."""
