"""The parts of one iteration, written over tiles."""
