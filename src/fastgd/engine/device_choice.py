"""The device "auto": the faster of this machine's processors and its GPUs, by timing both.

Their speeds are measured once for a recipe, a network, and numbers of runs and iterations (rounded
down to powers of 2), and kept with the compiled code. That costs a few iterations on either, whose
results are dropped. Bits don't depend on it.
"""

import json
from collections.abc import Callable

from fastgd.checks.messages import warn
from fastgd.engine.code_cache import kept
from fastgd.engine.devices import CPU, CUDA, devices_of
from fastgd.engine.plan import Plan
from fastgd.kernel.cuda import DeviceError
from fastgd.kernel.language.numba_internals import processor

LEAST_SECONDS = 1.0
"""Work that a processor does in less is left to it: a GPU's code alone takes longer to make."""

_said: set[str] = set()


class DeviceWarning(UserWarning):
    """Which device ``"auto"`` has chosen."""


def chosen(plan: Plan, speed: Callable[[Plan], float]) -> Plan:
    """Return the plan on the device where it is sooner done.

    ``speed`` measures the updates in a second of a plan. A warning says what was chosen, once in a
    process for each choice and reason: other networks have other ratios, but are not said again.
    """
    here = plan.on(CPU)
    try:
        gpus = devices_of(CUDA)
    except DeviceError as error:
        return _took(here, f"the CPU: {error}")
    if _estimate(here) < LEAST_SECONDS:
        return _took(here, f"the CPU, where the work takes less than {LEAST_SECONDS:g} s")
    there, layout = plan.on(CUDA), here.layout
    names = ", ".join(str(gpu) for gpu in gpus)
    facts = repr(
        (processor(), here.threads, [(gpu.name, gpu.multiprocessors) for gpu in gpus],
         layout.recipe, layout.network.sizes, layout.samples, layout.batch,
         here.runs.bit_length(), _iterations(here).bit_length())
    )  # fmt: skip
    try:
        there.check_room()
        found = kept("devices", facts, lambda: json.dumps([speed(here), speed(there)]).encode())
    except DeviceError as error:
        return _took(here, f"the CPU: {error}")
    on_cpu, on_gpu = json.loads(found)
    if on_gpu > on_cpu:
        return _took(there, names, f": {_times(on_gpu / on_cpu)} as fast as the CPU")
    return _took(here, "the CPU", f": {_times(on_cpu / on_gpu)} as fast as {names}")


def _took(plan: Plan, what: str, why: str = "") -> Plan:
    say_chosen(what, why)
    return plan


def say_chosen(what: str, why: str = "") -> None:
    """Warn of what "auto" has chosen, once in a process, whatever ``why`` is."""
    if what not in _said:
        warn(f'device="auto" took {what}{why}', DeviceWarning)
        _said.add(what)


def _estimate(plan: Plan) -> float:
    """Seconds that the processors need, about."""
    blocks = -(-plan.runs // plan.layout.runs)
    of_block = max(session.seconds() for _, session in plan.batches)
    return of_block * blocks * _iterations(plan) / plan.threads


def _iterations(plan: Plan) -> int:
    return plan.task.iterations - plan.task.done


def _times(ratio: float) -> str:
    """Two digits of a ratio: 1.4 times, 120 times."""
    return f"{float(f'{ratio:.2g}'):.12g} times"
