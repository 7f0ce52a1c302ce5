"""Save the states of runs as arrays of a file; restore and check them, so that runs can resume."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.engine.state import State
from fastgd.engine.summaries import STATUS
from fastgd.store.npz import Arrays, Found
from fastgd.training.serialization import need


def put_state(arrays: Arrays, number: int, state: State) -> None:
    """Add the states of the runs of one network."""
    arrays |= {f"state_{name}_{number}": array for name, array in state._asdict().items()}


def take_state(
    arrays: Found,
    number: int,
    runs: int,
    network: Network,
    method: Method,
    values: Mapping[str, Sequence[Any]],
) -> State | None:
    """Restore and check the states of ``runs`` runs of one network; None if there are none.

    ``values`` are the values of options that are axes, which ``method`` doesn't have.
    """
    if f"state_{State._fields[0]}_{number}" not in arrays:
        return None

    def array(name: str, kind: Any, *shape: int) -> NDArray[Any]:
        found = arrays[f"state_{name}_{number}"]
        need(found.dtype == kind and found.shape == (runs, *shape))
        return np.asarray(found)

    optimizer, parameters = method.optimizer, network.parameters
    watch, best = State.widths(method, values)
    tau = arrays[f"state_tau_{number}"].shape[-1]  # results don't know the number of samples
    need((tau > 0) == (method.sampling == "adaptive"))
    state = State(
        parameters=array("parameters", np.float64, parameters),
        steps=array("steps", np.float64, optimizer.states, parameters),
        corrections=array("corrections", np.float64, len(optimizer.kept)),
        signs=array("signs", np.uint8, parameters),
        changes=array("changes", np.int64, parameters),
        watch=array("watch", np.float64, watch),
        watch_counts=array("watch_counts", np.int64, 2),
        tau=array("tau", np.float64, tau),
        best=array("best", np.float64, best * parameters),
        best_error=array("best_error", np.float64),
        ended=array("ended", np.int64),
        outcome=array("outcome", np.int64),
        final=array("final", np.float64),
        validation_final=array("validation_final", np.float64),
        seeds=array("seeds", np.int64),
        planned=array("planned", np.int64),
        record_every=array("record_every", np.int64),
    )
    need(bool((state.planned >= 1).all()) and bool((state.record_every >= 1).all()))
    need(bool((state.signs <= 1).all()) and bool((state.ended >= -1).all()))
    need(bool(((state.outcome >= 0) & (state.outcome < len(STATUS))).all()))
    return state
