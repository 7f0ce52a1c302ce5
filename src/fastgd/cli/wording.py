"""Words that commands share; those of settings are :mod:`fastgd.wording`'s."""

from fastgd.wording import OPTIMIZERS as OPTIMIZERS
from fastgd.wording import error_text as error_text
from fastgd.wording import joined as joined
from fastgd.wording import many as many
from fastgd.wording import optimizer_name as optimizer_name
from fastgd.wording import seconds_text as seconds_text
from fastgd.wording import value_text as value_text
