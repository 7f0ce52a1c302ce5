"""Activations over tiles, and their derivatives.

If a derivative can be computed from the activation's value, the backward pass does so. Otherwise
the forward pass stores it in the place of the delta.
"""

from fastgd.kernel.iteration.activations import body_of
from fastgd.kernel.language.memory import load, store
from fastgd.kernel.language.specialization import INLINED, dispatch

VALUE, DERIVATIVE, BOTH = "value", "derivative of value", "value and derivative"
"""Formulas of an activation: its value from input a; its derivative from value v; both from a."""

TWICE = "value and two derivatives"
"""A formula of its own, only in the choices that are made for it: all three from input a."""

_OF_INPUT = ("choice", "shape", "numbers", "layer", "a")


def activate(choice, shape, numbers, layer, a):
    """The value of units with input a."""


def derivative(choice, shape, numbers, layer, v):
    """The derivative of units with value v."""


def activate_fully(choice, shape, numbers, layer, a):
    """Value and derivative of units with input a."""


def activate_twice(choice, shape, numbers, layer, a):
    """Value, derivative and second derivative of units with input a."""


def _made(purpose, variable):
    arguments = (*_OF_INPUT[:-1], variable)

    def pick(choice, *_others):
        return body_of(choice.formulas[purpose], arguments, {"a": "a", "v": "v"})

    return pick


dispatch(activate, _made(VALUE, "a"), INLINED)
dispatch(derivative, _made(DERIVATIVE, "v"), INLINED)
dispatch(activate_fully, _made(BOTH, "a"), INLINED)
dispatch(activate_twice, _made(TWICE, "a"), INLINED)


def put_activation(choice, shape, numbers, layer, at, stride, a):
    """Store the values of hidden units, and derivatives that can't be computed from the values."""


def _pick_put(choice, *_others):
    if BOTH in choice.formulas:

        def put_both(choice, shape, numbers, layer, at, stride, a):
            v, s = activate_fully(choice, shape, numbers, layer, a)
            store(shape, numbers, at, stride, v)
            store(shape, numbers, at + layer.deltas, stride, s)

        return put_both

    def put(choice, shape, numbers, layer, at, stride, a):
        store(shape, numbers, at, stride, activate(choice, shape, numbers, layer, a))

    return put


dispatch(put_activation, _pick_put, INLINED)


def kept_derivative(choice, shape, numbers, layer, at, stride):
    """The derivative of hidden units whose values are stored at this address."""


def _pick_derivative(choice, *_others):
    if BOTH in choice.formulas:
        return lambda choice, shape, numbers, layer, at, stride: load(
            shape, numbers, at + layer.deltas, stride
        )
    return lambda choice, shape, numbers, layer, at, stride: derivative(
        choice, shape, numbers, layer, load(shape, numbers, at, stride)
    )


dispatch(kept_derivative, _pick_derivative, INLINED)
