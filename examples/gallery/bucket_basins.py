"""Where 100 balls end, and which stretch of the line belongs to which minimum."""

from fastgd import bucket, plots

found = bucket.basins()
plots.write(plots.basins(found).figure, "bucket_basins.png")
