"""Five balls roll, each into another of the five minima."""

from fastgd import bucket, plots

curve = "x**4/300 + sin(2.5*x) + cos(x/2)"
rolled = bucket.roll(
    curve=curve, start=[-4.6, -2, 0.5, 3, 5.8], alpha=0.02, record_path=True
)
plots.film(rolled, "bucket_balls.gif")
