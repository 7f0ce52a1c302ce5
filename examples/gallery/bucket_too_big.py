"""Slopes too big: the ball overshoots and diverges."""

from fastgd import bucket, plots

example = bucket.EXAMPLES["too-big"]
rolled = example.roll(record_path=True)
plots.write(plots.roll(rolled, window=example.window).figure, "bucket_too_big.png")
