"""An image is trained where it was made for, or moved to, and nowhere else."""

import re

import numpy as np
import pytest
import wasmtime
from wasm_machine import BASE, Machine

from fastgd.engine.execution import loaded
from fastgd.kernel import launch
from fastgd.kernel.call_image import Image, arrays_of, module, stamp_of
from golden import SEEDS, plan

CASE = "deep and odd"


def call_of(case=CASE, **counts):
    """The kernel call of a golden case: 20 blocks of one run."""
    work, first = plan(case, 1, **counts)
    return loaded(work, first, np.array(SEEDS)).call(0, work.task.iterations + 1)


def results(call):
    """The bits of all arrays."""
    return [(name, array.tobytes()) for name, array in arrays_of(call)]


@pytest.fixture
def machine(wasm):
    """A module for images of the call, with room for several."""
    call = call_of()
    code = module(call.shapes, call.recipe, wasm)
    return Machine(code, BASE + (1 << 22))


def test_all_arrays_are_as_after_a_call_here(machine):
    image, call = Image.of(call_of(), BASE), call_of()
    before = results(image.call)
    launch.train_blocks(call, 1)
    machine.train(image)
    assert results(image.call) == results(call) != before
    other = call_of()
    image.copy_to(other)
    assert results(other) == results(call)


def test_a_field_is_where_an_array_lies(machine):
    image = Image.of(call_of(), BASE)
    machine.train(image)
    for name, array in arrays_of(image.call):
        if not array.size:
            assert image.address_of(array) == 0
            continue
        field = image.field(array)
        assert (BASE + field.offset) % 64 == 0
        found = machine.read(BASE + field.offset, array.nbytes).view(field.dtype)
        strided = np.lib.stride_tricks.as_strided(found, field.shape, field.strides)
        assert strided.tobytes() == array.tobytes(), name


def test_an_image_that_is_moved(machine):
    image = Image.of(call_of(), BASE)
    there = Image.of(call_of(), BASE + image.memory.size + 64)
    moved = image.memory.copy()
    for pointer in image.pointers:
        moved[pointer : pointer + 8].view(np.int64)[0] += there.base - image.base
    assert moved.tobytes() == there.memory.tobytes()
    machine.train(image)
    machine.train(there)
    assert results(there.call) == results(image.call)


def test_a_training_in_several_calls(machine):
    """The words of the span are all that changes between them."""
    whole, image = Image.of(call_of(), BASE), Image.of(call_of(), BASE)
    machine.train(whole)
    span = {name: field.offset for name, field in image.numbers()}
    machine.write(image.memory, BASE)
    for first, last in ((0, 3), (3, 90), (90, 201)):
        machine.write(np.array(first), BASE + span["span.first"])
        machine.write(np.array(last), BASE + span["span.last"])
        machine.call("train", BASE)
    image.memory[:] = machine.read(BASE, image.memory.size)
    assert results(image.call)[:-1] == results(whole.call)[:-1]


def zeros(image):
    return np.zeros_like(image.memory)


def of_another_recipe(_image):
    return Image.of(call_of("adam"), BASE).memory


def for_another_address(_image):
    return Image.of(call_of(), BASE + 64).memory


def with_another_stamp(image):
    memory = image.memory.copy()
    memory[0] ^= 1
    return memory


@pytest.mark.parametrize(
    "other", [zeros, of_another_recipe, for_another_address, with_another_stamp]
)
def test_other_memory_is_a_trap(machine, other):
    memory = other(Image.of(call_of(), BASE))
    machine.write(memory, BASE)
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        machine.call("train", BASE)
    assert machine.read(BASE, memory.size).tobytes() == memory.tobytes()


def test_memory_that_is_too_small_is_a_trap(wasm):
    call = call_of()
    machine = Machine(module(call.shapes, call.recipe, wasm), BASE)
    with pytest.raises(wasmtime.Trap, match="out of bounds"):
        machine.call("train", BASE)


def test_an_address_within_an_image_is_a_trap(machine):
    image = Image.of(call_of(), BASE)
    machine.write(image.memory, BASE)
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        machine.call("train", BASE + 64)


def test_each_code_has_its_stamp():
    every = [call_of(case) for case in (CASE, "adam", "dropout")]
    assert len({stamp_of(call.shapes, call.recipe) for call in every}) == 3
    assert stamp_of(every[0].shapes, every[0].recipe) == stamp_of(
        call_of().shapes, call_of().recipe
    )


@pytest.mark.parametrize("base", [0, -64, 64, 131_080])
def test_where_an_image_cannot_lie(base):
    rule = f"base must be a multiple of 64, from 65,536 on, got {base:,}"
    with pytest.raises(ValueError, match=f"^{re.escape(rule)}$"):
        Image.of(call_of(), base)
