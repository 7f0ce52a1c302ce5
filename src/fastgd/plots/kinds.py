"""What a picture can be drawn of."""

from fastgd.training.results import Run, Sweep


def check_kind(name: str, value: object, *kinds: type[Run] | type[Sweep]) -> None:
    """Refuse anything but results of these kinds.

    Raises
    ------
    TypeError
        If the value is of another kind.
    """
    if not isinstance(value, kinds):
        rule = " or ".join(f"a {kind.__name__}" for kind in kinds)
        came = type(value).__name__
        raise TypeError(f"{name} takes {rule}, got a value of type {came}")
