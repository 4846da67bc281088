"""A model's equations as expressions: names, Jacobian, sparsity, what is refused."""

from __future__ import annotations

import pytest

from carsim import Assumed, Model, Parameters, State, observable, parameter, state
from carsim.errors import ModelError
from carsim.symbolic.trace import trace

SOURCE = Assumed("test")


class Virus(State):
    free: float = state(1.0, "virion", "free virus")


class Cells(State):
    target: float = state(2.0, "cell", "target cells")
    infected: float = state(0.0, "cell", "infected cells")


class Body(State):
    cells: Cells
    virus: Virus


class Rates(Parameters):
    beta: float = parameter(0.1, "1/virion/day", "infection", SOURCE)
    delta: float = parameter(0.5, "1/day", "death", SOURCE)
    p: float = parameter(3.0, "virion/cell/day", "production", SOURCE)
    c: float = parameter(2.0, "1/day", "clearance", SOURCE)
    fading: float = parameter(0.1, "1/day", "fading of production", SOURCE)


@observable("cell", "all cells")
def cells_total(t: float, y: Body, p: Rates) -> float:
    return y.cells.target + y.cells.infected


def infect(t: float, y: Body, p: Rates) -> Body:
    infection = p.beta * y.cells.target * y.virus.free
    return Body(
        cells=Cells(target=-infection, infected=infection - p.delta * y.cells.infected),
        virus=Virus(free=p.p * y.cells.infected - p.c * y.virus.free),
    )


def forced(t: float, y: Body, p: Rates) -> Body:
    same = infect(t, y, p)
    return same._replace(virus=Virus(free=same.virus.free * (1 - p.fading * t)))


MODEL = Model("infection", infect, Body, Rates, observables=(cells_total,))


def test_symbols_have_the_names_of_the_model() -> None:
    traced = trace(MODEL)
    assert [s.payload for s in traced.states] == [
        "y.cells.target",
        "y.cells.infected",
        "y.virus.free",
    ]
    assert [s.payload for s in traced.parameters][:2] == ["p.beta", "p.delta"]
    assert traced.time.payload == "t"


def test_equations_share_what_they_have_in_common() -> None:
    traced = trace(MODEL)
    infection = traced.derivatives[0].arguments[0]
    assert traced.derivatives[1].arguments[0] is infection


def test_the_jacobian_has_the_entries_that_can_differ_from_zero() -> None:
    traced = trace(MODEL)
    target, infected, free = traced.states
    beta, delta, p, c, _ = traced.parameters
    assert set(traced.jacobian) == {(0, 0), (0, 2), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2)}
    assert traced.jacobian[1, 1] is -delta
    assert traced.jacobian[2, 1] is p
    assert traced.jacobian[2, 2] is -c
    assert traced.graph.depends_on(traced.jacobian[1, 0]) == {beta.index, free.index}
    assert traced.graph.depends_on(traced.jacobian[0, 2]) == {beta.index, target.index}
    assert infected.index not in traced.graph.depends_on(traced.jacobian[0, 0])


def test_an_entry_that_cancels_is_left_out() -> None:
    def cancel(t: float, y: Body, p: Rates) -> Body:
        nothing = (y.cells.target - y.cells.target) * p.delta
        return infect(t, y, p)._replace(virus=Virus(free=nothing * p.p - p.c * y.virus.free))

    traced = trace(Model("cancel", cancel, Body, Rates))
    assert [j for i, j in traced.jacobian if i == 2] == [2]


def test_time_is_noticed() -> None:
    still, moving = trace(MODEL), trace(Model("forced", forced, Body, Rates))
    assert still.autonomous
    assert still.time_derivatives == {}
    assert not moving.autonomous
    assert list(moving.time_derivatives) == [2]


def test_observables_are_traced() -> None:
    traced = trace(MODEL)
    assert traced.observables[0] is traced.states[0] + traced.states[1]


def test_a_derivative_that_is_a_number_is_lifted() -> None:
    def constant(t: float, y: Body, p: Rates) -> Body:
        return Body(cells=Cells(target=0.0, infected=-y.cells.infected), virus=Virus(free=1.0))

    traced = trace(Model("constant", constant, Body, Rates))
    assert traced.derivatives[0].constant == 0.0
    assert traced.derivatives[2].constant == 1.0
    assert list(traced.jacobian) == [(1, 1)]


@pytest.mark.parametrize("joined", [False, True])
def test_a_condition_is_no_derivative(joined: bool) -> None:
    def confused(t: float, y: Body, p: Rates) -> Body:
        small: bool = y.cells.infected < 1.0
        if joined:
            small = small & (y.virus.free < 1.0)
        return Body(cells=Cells(target=0.0, infected=small), virus=Virus(free=0.0))

    model = Model("confused", confused, Body, Rates)
    with pytest.raises(ModelError, match=r"confused: d\(cells\.infected\)/dt is a condition"):
        trace(model)
