"""A local minimum: the ball misses the lowest place."""

from fastgd import bucket, plots

example = bucket.EXAMPLES["local-minimum"]
rolled = example.roll(record_path=True)
plots.write(
    plots.roll(rolled, window=example.window).figure, "bucket_local_minimum.png"
)
