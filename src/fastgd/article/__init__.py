"""The article retold: its experiments, its published numbers, its page."""
