"""Expressions evaluated on numbers equal the equations that they were traced from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import carsim
from carsim import Assumed, Derived, Model, Parameters, State, computed, parameter, state
from carsim.math import exp, hill, maximum, power, where
from carsim.symbolic.evaluate import evaluate
from carsim.symbolic.expression import Graph
from carsim.symbolic.sensitivity import start_derivatives, switches, trace_sensitivities
from carsim.symbolic.trace import trace

WHY = Assumed("test")


def test_every_model_like_its_plain_python(model_name: str) -> None:
    model = carsim.load_model(model_name)
    traced = trace(model)
    y0, p = model.initial_state(model.parameter_values())
    generator = np.random.default_rng(5)
    y = np.where(y0[0] > 0.0, y0[0], 1.0) * np.exp(generator.normal(size=(9, y0.shape[1])))
    numbers = dict(
        zip([s.index for s in (*traced.states, *traced.parameters)], [*y.T, *p[0]], strict=True)
    )
    numbers[traced.time.index] = 3.0
    found = evaluate([*traced.derivatives, *traced.observables], numbers)
    expected = model.derivatives(3.0, list(y.T), list(p[0]))
    expected += list(model.observe(3.0, list(y.T), list(p[0])).values())
    for got, wanted in zip(found, expected, strict=True):
        size = np.abs(wanted).max() + 1e-300
        np.testing.assert_allclose(got / size, wanted / size, rtol=1e-9, atol=1e-12)


def test_a_condition_can_be_forced() -> None:
    graph = Graph()
    x = graph.symbol("x")
    node = graph.where(x < 1.0, graph.constant(10.0), 2.0 * x)
    condition = node.arguments[0]
    assert evaluate([node], {x.index: 3.0}) == [6.0]
    assert evaluate([node], {x.index: 3.0, condition.index: np.bool_(True)}) == [10.0]
    assert evaluate([], {}) == []


class One(State):
    x: float = state(1.0, "1", "something")
    z: float = state(1.0, "1", "something else")


class Two(Parameters):
    a: float = parameter(0.7, "1/day", "growth", WHY)
    n: float = parameter(1.7, "1", "steepness", WHY)
    q: float = computed("1/day", "computed", Derived("a n"))


def rhs(t: float, y: One, p: Two) -> One:
    return One(
        x=where(y.x > 2.0, p.a, p.q) * hill(y.z, y.x, p.n) - p.a * maximum(y.x, y.z),
        z=p.q * power(y.x, p.n) - p.a * y.z,
    )


def initialise(p: Two) -> tuple[One, Two]:
    return One(x=exp(p.n) * 1.0, z=p.a / p.n), p._replace(q=p.a * p.n)


MODEL = Model("two", rhs, One, Two, initialise=initialise)


def test_start_derivatives_are_exact_where_functions_can_be_traced() -> None:
    _, p = MODEL.initial_state(MODEL.parameter_values())
    found = start_derivatives(MODEL, p[0])
    assert found is not None
    by_state = np.array([[0.0, 1.0 / 1.7], [np.exp(1.7), -0.7 / 1.7**2], [0.0, 0.0]])
    np.testing.assert_allclose(found.states, by_state)
    by_computed = np.array([[0.0, 0.0, 1.7], [0.0, 0.0, 0.7], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(found.computed, by_computed)


def test_a_function_that_needs_numbers_gives_none() -> None:
    def iterate(p: Two) -> tuple[One, Two]:
        x: Any = np.zeros_like(p.a)
        for _ in range(3):
            x = np.cos(x + p.a)
        return One(x=x, z=p.a), p._replace(q=p.a)

    model = Model("iterates", rhs, One, Two, initialise=iterate)
    _, p = model.initial_state(model.parameter_values())
    assert start_derivatives(model, p[0]) is None


def test_only_where_switches() -> None:
    assert [node.operation for node in switches(trace(MODEL))] == ["less"]


@pytest.mark.parametrize("moving", [("a",), ("n", "q")])
def test_second_derivatives_are_finite_at_empty_pools(moving: tuple[str, ...]) -> None:
    """The Jacobian of the augmented equations at zero, where logarithms and powers end."""
    traced = trace_sensitivities(MODEL, moving, ("x",))
    symbols = (*traced.states, *traced.parameters)
    values = [0.0, 0.0, 1.0, 1.0, 0.7, 1.7, 1.2, *(1.0 for _ in moving)]
    numbers = dict(zip([s.index for s in symbols], values, strict=True))
    numbers[traced.time.index] = 0.0
    numbers[traced.tolerance.index] = 1.0
    # x is the half-saturation of a Hill term, which is 0/0 with both pools empty.
    numbers[traced.states[0].index] = 1e-3
    assert np.isfinite(np.array(evaluate(list(traced.jacobian.values()), numbers))).all()
    assert np.isfinite(np.array(evaluate(traced.derivatives, numbers))).all()
