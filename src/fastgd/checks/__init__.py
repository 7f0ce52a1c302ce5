"""Single values: what they may be, how much memory they take, and how messages show them."""
