"""Check of dimensions: the equations run on quantities, at the initial values.

`where`, `minimum` and `maximum` evaluate all of their arguments, so one run sees every branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from carsim.errors import ModelError
from carsim.model.blame import blame, explain
from carsim.model.recording import RecordedFraction
from carsim.units import DIMENSIONLESS, Quantity, Unit, parse_unit

if TYPE_CHECKING:
    from carsim.model.model import Model

__all__ = ["check_units"]


def check_units(model: Model) -> list[str]:
    """List problems of dimension in a model; see `Model.check_units`."""
    start, filled = model.initial_state(model.parameter_values())
    t = Quantity(0.0, model.time_unit)
    y = model.state_record(
        Quantity(value, field.unit) for value, field in zip(start[0], model.states, strict=True)
    )
    p = model.parameter_record(
        Quantity(value, field.unit)
        for value, field in zip(filled[0], model.parameters, strict=True)
    )
    return [
        *_derivatives(model, t, y, p),
        *_initial(model, p),
        *_observables(model, t, y, p),
        *_routes(model, p),
    ]


def _derivatives(model: Model, t: Quantity, y: Any, p: Any) -> Iterable[str]:
    problem, record = _run("rhs", model.rhs, t, y, p)
    if problem:
        yield problem
        return
    for field, value in zip(model.states, model.flatten(record), strict=True):
        what = f"d({field.name})/dt"
        yield from _compare(what, value, f"{field.unit}/{model.time_unit}")


def _initial(model: Model, p: Any) -> Iterable[str]:
    if model.initial is None:
        return
    problem, record = _run("initial", model.initial, p)
    if problem:
        yield problem
        return
    for field, value in zip(model.states, model.flatten(record), strict=True):
        yield from _compare(f"initial value of {field.name}", value, field.unit)


def _observables(model: Model, t: Quantity, y: Any, p: Any) -> Iterable[str]:
    for item in model.observables:
        problem, value = _run(f"observable {item.name!r}", item.function, t, y, p)
        if problem:
            yield problem
        else:
            yield from _compare(f"observable {item.name!r}", value, item.unit)


def _routes(model: Model, p: Any) -> Iterable[str]:
    for way in model.routes.values():
        for name, fraction in way.fractions.items():
            state = model.unit_of(name)
            what = f"route {way.name!r}"
            if not callable(fraction):
                if parse_unit(way.unit) != parse_unit(state):
                    yield (
                        f"{what} adds a dose in [{way.unit}] to {name!r} in [{state}] with the "
                        f"plain factor {fraction:g}. Write a function of the parameters whose "
                        f"result is in [{parse_unit(state) / parse_unit(way.unit)}]."
                    )
                continue
            declared = fraction.function if isinstance(fraction, RecordedFraction) else fraction
            problem, value = _run(f"{what}, fraction for {name!r}", declared, p)
            if problem:
                yield problem
            else:
                dose = Quantity(1.0, way.unit)
                yield from _compare(
                    f"{what}: dose times fraction for {name!r}", value * dose, state
                )


def _run(label: str, function: Callable[..., Any], *args: Any) -> tuple[str, Any]:
    """Call a function of the model; give the sentence that says why it failed, or its result."""
    try:
        return "", function(*args)
    except (ModelError, ArithmeticError, AttributeError, TypeError, ValueError) as error:
        return f"{blame(error) or label}: {explain(error)}", None


def _compare(what: str, value: Any, expected: str) -> Iterable[str]:
    if not isinstance(value, Quantity) and value == 0:
        return
    given: Unit = value.unit if isinstance(value, Quantity) else DIMENSIONLESS
    wanted = parse_unit(expected)
    if given == wanted:
        return
    factor = f", which differs by a factor of {given.scale / wanted.scale:g}"
    yield (
        f"{what} has unit [{given}], expected [{expected}]"
        f"{factor if given.compatible(wanted) else ''}"
    )
