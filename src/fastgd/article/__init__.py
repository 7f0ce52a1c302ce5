"""Reproduction of the article: its experiments, its published numbers, and a page of results."""
