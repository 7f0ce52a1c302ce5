"""What all runs of a call share: samples and counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.arguments.partition import Partition
from fastgd.arguments.targets import check_samples, outputs_of
from fastgd.arguments.validation import Validation, check_validation
from fastgd.checks.values import check_count
from fastgd.engine.network import Network, layer_sizes


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What all runs share: checked samples and counts."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    iterations: int
    record_every: int
    validation: Validation | None = None
    partition: Partition | None = None
    done: int = 0
    """Iterations that were already done before a resumed training."""

    @classmethod
    def check(
        cls,
        X: object,
        y: object,
        iterations: object,
        record_every: object,
        given: Mapping[str, Any] = MappingProxyType({}),
        validation: object = None,
        done: int = 0,
    ) -> "TrainingData":
        """Check the arguments that all runs share; ``given`` are the options.

        ``iterations`` are in addition to those already ``done``.
        """
        inputs, outputs = check_samples(X, y, given)
        more = check_count("iterations", iterations)
        every = check_count("record_every", record_every)
        held = check_validation(validation, inputs.shape[1], outputs.shape[1], given)
        return cls(inputs, outputs, done + more, every, held, None, done)

    @property
    def inputs(self) -> int:
        """Columns of X."""
        return int(self.X.shape[1])

    @property
    def outputs(self) -> int:
        """Columns of y."""
        return int(self.y.shape[1])

    @property
    def holds_out(self) -> bool:
        """Whether there are validation samples."""
        return self.validation is not None or (
            self.partition is not None and self.partition.held is not None
        )

    @property
    def records(self) -> int:
        """Number of recorded errors, not counting the final one."""
        return -(-self.iterations // self.record_every)

    @property
    def recorded(self) -> NDArray[np.int64]:
        """The iterations whose errors are recorded."""
        return np.arange(self.records) * self.record_every


def network_of(task: TrainingData, hidden: tuple[int, ...], method: Method) -> Network:
    """The network of a method between the inputs and outputs of a task."""
    sizes = layer_sizes(task.inputs, hidden, outputs_of(method.loss, task.y))
    return Network(sizes, method.bias, method.batch_norm)
