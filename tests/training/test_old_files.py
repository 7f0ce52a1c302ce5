"""Files that were saved before points were whole networks, and before runs could stall."""

from pathlib import Path

import numpy as np
import pytest

import fastgd
from fastgd.optimizers import Adam, Momentum

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
DATA = Path(__file__).parent / "data"


def test_a_run_of_before():
    run = fastgd.load(DATA / "run.npz")
    assert run.final_error == float.fromhex("0x1.e0908d1c4da0bp-3")
    outputs = [0.7915236606099099, 0.954189142527866, 0.9527330348705414, 0.24284120710997198]
    assert run.predict(X).ravel().tolist() == outputs
    assert np.isnan([*run.losses, run.final_loss]).all()
    assert run.losses.shape == run.errors.shape
    assert run.options["optimizer"] == Adam(beta1=0.8)
    assert [layer.shape for layer in run.recorded_weights] == [(3, 3, 3), (3, 3, 2), (3, 2, 1)]
    assert (run.recorded_biases, run.recorded_normalization) == ((), ())
    with pytest.raises(ValueError, match="got a run from a file that has none"):
        run.at(0)


def test_a_sweep_of_before(tmp_path):
    sweep = fastgd.load(DATA / "sweep.npz")
    assert sweep.axes["optimizer"] == [Momentum(0.5), Adam()]
    assert set(sweep.status.ravel()) == {"converged", "finished"}  # the first were out of patience
    run = sweep[0, 1, 1, 1]
    assert run.final_error == float.fromhex("0x1.00026ed683ccfp-1")
    assert run.predict(X)[0, 0] == 0.5025712427582297
    start = sweep.axes["weights"][1]
    assert [layer.shape for layer in start.weights] == [(3, 2), (2, 1)]
    assert np.unique(start.weights[0]).tolist() == [0.2]
    assert np.isnan(sweep.losses).all()
    assert np.isnan(run.final_loss)
    sweep.save(tmp_path / "again.npz")
    again = fastgd.load(tmp_path / "again.npz")
    assert again.final_error.tobytes() == sweep.final_error.tobytes()
    assert again.status.tolist() == sweep.status.tolist()
