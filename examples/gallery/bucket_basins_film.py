"""100 balls roll into five minima."""

from fastgd import bucket, plots

found = bucket.basins(alpha=0.02, record_path=True)
plots.film(found, "bucket_basins.gif")
