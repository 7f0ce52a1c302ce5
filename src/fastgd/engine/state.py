"""All of a training that its future depends on, as arrays with names: what a resume goes on from."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class State(NamedTuple):
    """n runs of one network with P parameters, in the order of :meth:`Network.row`.

    As they were after their last update and before their final error was looked at: had they been
    trained on, nobody would have looked there. All else (the order of an epoch, the masks, the
    draws) follows from seeds and the number of the iteration.
    """

    parameters: NDArray[np.float64]  # (n, P)
    steps: NDArray[np.float64]  # (n, S, P): what the optimizer keeps for each parameter
    corrections: NDArray[np.float64]  # (n, C): and for each run, optimizer.kept in its order
    signs: NDArray[np.uint8]  # (n, P): 1 if the last update was positive
    changes: NDArray[np.int64]  # (n, P): direction changes
    watch: NDArray[np.float64]  # (n, 4 + window): smallest, first, sums, ring; or (n, 0)
    watch_counts: NDArray[np.int64]  # (n, 2): iteration of the smallest error, errors seen
    tau: NDArray[np.float64]  # (n, samples): of adaptive sampling, or (n, 0)
    best: NDArray[np.float64]  # (n, P): parameters of the smallest watched error, or (n, 0)
    best_error: NDArray[np.float64]  # (n,): and their error on the training samples
    ended: NDArray[np.int64]  # (n,): the updates after which a run was over, or -1
    outcome: NDArray[np.int64]  # (n,): how it was over: see fastgd.kernel.block
    final: NDArray[np.float64]  # (n,): and its last errors: on the training samples
    validation_final: NDArray[np.float64]  # (n,): and on the held-out ones; NaN without
