"""Checks of single values, of the memory that is needed, and how messages show values."""
