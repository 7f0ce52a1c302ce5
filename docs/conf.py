"""Sphinx: the pages of this folder and the reference from the docstrings, built offline."""

import fastgd

project = "fastgd"
author = "The fastgd maintainers"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx's name
version = release = fastgd.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["build"]
html_theme = "furo"
html_title = f"fastgd {release}"
html_show_sourcelink = False

# Headings down to the third level can be linked to, by the names that code hosts give them.
myst_heading_anchors = 3

# Docstrings say what arguments are; the annotations would say it again, at length.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
nitpicky = True
nitpick_ignore = [("py:mod", "scipy.optimize")]  # no inventory of another project offline
