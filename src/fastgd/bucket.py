"""The ball in the bucket: the public path of ``fastgd.studies.bucket``."""

from fastgd.studies.bucket import *  # noqa: F403 - its __all__
from fastgd.studies.bucket import __all__ as __all__
