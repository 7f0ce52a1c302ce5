"""For type checkers: what ``sweep[0]`` is, a run if the sweep has one axis, and else a sweep."""

from typing import Any

from fastgd.training.run import Run
from fastgd.training.sweep_result import Sweep

class RunOrSweep(Run, Sweep):
    """Either one: what only one of them has may be used, and what differs is not checked."""

    best_iteration: Any
    effective_parameters: Any
    error_factor: Any
    final_error: Any
    final_loss: Any
    final_validation_error: Any
    iterations: Any
    status: Any
    summary: Any
    weight_penalty: Any
    def predict(self, X: Any, **options: Any) -> Any: ...
    def to_dataframe(self, **options: Any) -> Any: ...
