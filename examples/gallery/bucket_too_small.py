"""Slopes too small: the ball is stuck, or very slow."""

from fastgd import bucket, plots

example = bucket.EXAMPLES["too-small"]
rolled = example.roll(record_path=True)
plots.write(plots.roll(rolled, window=example.window).figure, "bucket_too_small.png")
