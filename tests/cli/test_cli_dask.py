import json
import sys
import threading

import pytest

from clusters import dask_client
from fastgd.cli import dask_workers


@pytest.fixture
def sweep(run, tmp_path):
    """Call ``fastgd sweep`` with an address for ``--dask``, or none; gives back what it said."""
    path = tmp_path / "xor.csv"
    path.write_text("a,b,c,y\n0,0,1,0\n0,1,1,1\n1,0,1,1\n1,1,1,0\n")
    training = ("--raw", "--target", "y", "--seeds", "20", "--iterations", "1000")

    def call(*arguments):
        return run("sweep", path, *training, "--no-progress", *arguments)

    return call


def errors_of(said):
    code, out, err = said
    assert (code, err) == (0, "")
    return json.loads(out)["final_error"]


@pytest.mark.slow
def test_a_sweep_on_a_scheduler_and_on_processes_of_its_own(sweep):
    here = errors_of(sweep("--json"))
    with dask_client() as client:
        assert errors_of(sweep("--json", "--dask", client.scheduler.address)) == here
        assert client.submit(abs, -1).result() == 1
    assert errors_of(sweep("--json", "--dask", "local:1")) == here


@pytest.mark.slow
def test_a_scheduler_without_workers_is_waited_for(sweep):
    with dask_client(workers=0) as client:
        address = client.scheduler.address
        timer = threading.Timer(0.5, client.cluster.scale, (1,))
        timer.start()
        code, out, err = sweep("--json", "--dask", address)
        timer.join()
    assert (code, err) == (0, f"fastgd: {address} has no workers yet: waiting for some\n")
    assert len(json.loads(out)["final_error"][0][0]) == 20


@pytest.mark.parametrize(
    "where",
    ["", "localhost", "local:0", "local:two", "local:2.0", "tcp://", "tcp://host", "http://host:1"],
)
def test_what_is_no_place_of_workers_is_refused(where, sweep):
    rule = "tcp://HOST:PORT, the address of a scheduler, or local:N, processes on this machine"
    said = f"fastgd: error: --dask must be {rule}, got {where!r}\n"
    assert sweep("--dask", where) == (2, "", said)


def test_threads_are_not_for_workers(sweep):
    said = "--threads must be left out with --dask, got 2: a worker trains on one thread"
    assert sweep("--dask", "local:2", "--threads", "2") == (2, "", f"fastgd: error: {said}\n")


def test_a_scheduler_that_does_not_answer_is_said(sweep, monkeypatch):
    monkeypatch.setattr(dask_workers, "SECONDS", 0.5)
    said = "fastgd: error: --dask: no scheduler answers at tcp://127.0.0.1:1\n"
    assert sweep("--dask", "tcp://127.0.0.1:1") == (2, "", said)


def test_the_extra_is_named(sweep, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = 'fastgd: error: --dask needs distributed: pip install "fastgd[dask]"\n'
    assert sweep("--dask", "local:2") == (2, "", said)


@pytest.mark.slow
def test_workers_that_are_lost_are_said_in_a_line(sweep, monkeypatch):
    def lost(_client):
        raise RuntimeError("they are gone")

    with dask_client() as client:
        address = client.scheduler.address
        monkeypatch.setattr(type(client), "get_executor", lost)
        said = f"fastgd: error: --dask {address}: they are gone\n"
        assert sweep("--dask", address) == (2, "", said)
