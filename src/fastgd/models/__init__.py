"""Networks with the preparation of their tables: one for all rows, or one for each group."""
