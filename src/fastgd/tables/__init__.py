"""Tables of mixed columns: read from files, and encoded as the inputs of a network."""
