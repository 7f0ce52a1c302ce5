"""Checks of numbers, arrays and names, of the memory that is needed, and text for people."""
