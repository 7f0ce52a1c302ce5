"""The ball in the bucket; :mod:`fastgd.bucket` is its face."""
