"""The check of dimensions, equation by equation."""

from typing import Any

import pytest

from carsim.math import exp, hill, log, maximum, minimum, pow_, power, sqrt, where
from carsim.model import Assumed, Model, Observable, Parameters, State, parameter, route, state
from carsim.units import convert

SOURCE = Assumed("test")


class Y(State):
    cells: float = state(1e3, "cell/mL", "cells")
    virus: float = state(1e2, "virion/mL", "free virus")


class P(Parameters):
    beta: float = parameter(5e-8, "mL/virion/day", "infection", SOURCE)
    p: float = parameter(100.0, "virion/cell/day", "production", SOURCE)
    c: float = parameter(0.67, "1/day", "clearance", SOURCE)
    k: float = parameter(10.0, "virion/mL", "half saturation", SOURCE)
    n: float = parameter(2.0, "1", "steepness", SOURCE)
    delay: float = parameter(5.0, "day", "delay", SOURCE)
    volume: float = parameter(3.0, "mL", "volume", SOURCE)


def right(t: Any, y: Any, p: Any) -> Any:
    late = where(~(t <= p.delay) & ~(y.virus == 0.0), exp(-p.c * t), 1.0)
    effect = 1.0 - hill(y.virus, p.k, p.n) + power(y.virus / p.k, p.n) + log(p.n)
    return Y(
        cells=-p.beta * y.cells * y.virus * late * pow_(y.virus / p.k, p.n),
        virus=p.p * y.cells * effect - p.c * sqrt(y.virus**2) + minimum(0.0, p.c * y.virus),
    )


def check(equations: Any = right, **arguments: Any) -> list[str]:
    return Model("m", equations, Y, P, **arguments).check_units()


def test_a_model_with_correct_units() -> None:
    fractions: Any = {"virus": lambda p: 1.0 / p.volume}
    assert (
        check(
            observables=[
                Observable("load", "virion/mL", "w", lambda t, y, p: y.virus),
                Observable("ratio", "1", "w", lambda t, y, p: 0.0),
                Observable("per_uL", "virion/uL", "w", in_microliters),
            ],
            routes=[
                route("dose", "virion", "w", fractions),
                route("direct", "virion/mL", "w", {"virus": 0.5}),
            ],
            initial=lambda p: Y(cells=0.0, virus=2.0 * p.k),
        )
        == []
    )


def in_microliters(t: Any, y: Any, p: Any) -> Any:
    return convert(y.virus, "virion/mL", "virion/uL")


@pytest.mark.parametrize(
    ("virus", "message"),
    [
        (
            lambda y, p: p.p * y.virus,
            "d(virus)/dt has unit [virion^2/cell/day/mL], expected [virion/mL/day]",
        ),
        (lambda y, p: 3.0, "d(virus)/dt has unit [1], expected [virion/mL/day]"),
        (
            lambda y, p: 1e-3 * convert(p.c * y.virus, "virion/mL/day", "virion/uL/day"),
            "expected [virion/mL/day], which differs by a factor of 1000",
        ),
        (
            lambda y, p: p.p * y.cells - p.c * y.cells,
            ": p.p * y.cells - p.c * y.cells: "
            "[virion/day/mL] - [cell/day/mL]: the two sides measure different things",
        ),
        (
            lambda y, p: p.c * exp(y.virus),
            "exp(y.virus): exp of [virion/mL]: the argument must be a plain number (unit 1)",
        ),
        (
            lambda y, p: p.c * y.virus * hill(y.virus, y.cells, p.n),
            "hill([virion/mL], [cell/mL]): the two sides measure different things",
        ),
        (lambda y, p: p.c * power(y.virus, p.n), "the unit of the result would depend on"),
        (lambda y, p: where(y.virus > 5.0, 1.0, 2.0), "y.virus > 5.0: [virion/mL] > 5: "),
        (
            lambda y, p: where(y.virus > p.k, p.c * y.virus, p.c * y.cells),
            "where(condition, [virion/day/mL], [cell/day/mL])",
        ),
        (lambda y, p: maximum(y.virus, 1.0) * p.c, "maximum([virion/mL], 1)"),
    ],
)
def test_wrong_units_are_named(virus: Any, message: str) -> None:
    problems = check(lambda t, y, p: Y(cells=0.0, virus=virus(y, p)))
    assert len(problems) == 1
    assert message in problems[0]


def test_every_equation_is_reported() -> None:
    problems = check(lambda t, y, p: Y(cells=y.cells, virus=y.virus))
    assert [problem.partition(" ")[0] for problem in problems] == ["d(cells)/dt", "d(virus)/dt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"observables": [Observable("o", "cell/mL", "w", lambda t, y, p: y.virus)]},
            "observable 'o' has unit [virion/mL], expected [cell/mL]",
        ),
        (
            {"observables": [Observable("o", "1", "w", lambda t, y, p: log(y.virus))]},
            "log(y.virus): log of [virion/mL]",
        ),
        (
            {"observables": [Observable("o", "virion/uL", "w", lambda t, y, p: y.virus)]},
            "which differs by a factor of 0.001",
        ),
        (
            {"routes": [route("r", "virion", "w", {"virus": 1.0})]},
            "route 'r' adds a dose in [virion] to 'virus' in [virion/mL] with the plain factor 1. "
            "Write a function of the parameters whose result is in [1/mL].",
        ),
        (
            {"routes": [route("r", "virion", "w", {"virus": lambda p: p.volume})]},
            "route 'r': dose times fraction for 'virus' has unit [mL*virion], expected [virion/mL]",
        ),
        (
            {"routes": [route("r", "virion", "w", {"virus": lambda p: 1.0 + p.volume})]},
            "1.0 + p.volume: 1 + [mL]: the two sides measure different things",
        ),
        (
            {"initial": lambda p: Y(cells=p.k, virus=p.k)},
            "initial value of cells has unit [virion/mL], expected [cell/mL]",
        ),
        (
            {"initial": lambda p: Y(cells=p.k + p.n, virus=p.k)},
            "p.k + p.n: [virion/mL] + [1]",
        ),
    ],
)
def test_wrong_units_outside_of_the_equations(arguments: dict[str, Any], message: str) -> None:
    problems = check(**arguments)
    assert len(problems) == 1
    assert message in problems[0]


def test_other_time_units() -> None:
    assert check(lambda t, y, p: Y(cells=0.0, virus=-p.c * y.virus), time_unit="hour") == [
        "d(virus)/dt has unit [virion/day/mL], expected [virion/mL/hour], which differs by a "
        "factor of 0.0416667"
    ]


def test_a_branch_that_is_not_taken_is_checked() -> None:
    problems = check(lambda t, y, p: Y(cells=0.0, virus=where(t > p.delay, y.cells, p.c * y.virus)))
    assert "where(condition, [cell/mL], [virion/day/mL])" in problems[0]
