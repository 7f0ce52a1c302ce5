"""Formulas as expression trees: custom and named activations and losses, with derivatives."""
