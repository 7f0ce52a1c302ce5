"""A rut: the ball is stuck where the curve is flat."""

from fastgd import bucket, plots

example = bucket.EXAMPLES["rut"]
rolled = example.roll(record_path=True)
plots.write(plots.roll(rolled, window=example.window).figure, "bucket_rut.png")
