"""Formulas as data: expressions, functions of the user and named ones, and their derivatives."""
