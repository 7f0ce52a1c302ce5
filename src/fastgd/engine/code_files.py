"""Compiled code as files, which can go to processes that lack it."""

from fastgd.kernel.language.cache import CodeLackingError, add_file, asking, place, read_file

__all__ = ["CodeLackingError", "add_file", "asking", "place", "read_file"]
