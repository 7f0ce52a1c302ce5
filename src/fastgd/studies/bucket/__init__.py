"""The ball in the bucket; :mod:`fastgd.bucket` is its public interface."""
