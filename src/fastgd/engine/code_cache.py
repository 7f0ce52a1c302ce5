"""Compiled code as files, which can be sent to processes that don't have it."""

from fastgd.kernel.language.cache import CodeLackingError, asking, kept, place
from fastgd.kernel.language.code_directory import add_file, read_file

__all__ = ["CodeLackingError", "add_file", "asking", "kept", "place", "read_file"]
