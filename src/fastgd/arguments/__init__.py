"""The arguments of calls: checks and conversions, with nothing computed yet."""
