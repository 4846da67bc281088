"""The checks that every model must pass find what they look for."""

import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carsim.errors import ModelError, ScenarioError
from carsim.math import hill, maximum, power, sqrt
from carsim.model import Assumed, Model, Observable, Parameters, State, parameter, state
from carsim.testing import check_model, compare_kernels

SOURCE = Assumed("test")
Array = NDArray[np.float64]


class Y(State):
    prey: float = state(10.0, "cell", "prey")
    hunter: float = state(0.0, "cell", "hunters", atol=1e-3)


class P(Parameters):
    a: float = parameter(1.0, "1/day", "growth", SOURCE, upper=1.05)
    k: float = parameter(5.0, "cell", "half saturation", SOURCE)
    n: float = parameter(2.5, "1", "steepness", SOURCE)


def rhs(t: float, y: Y, p: P) -> Y:
    eaten = p.a * y.hunter * hill(y.prey, p.k, p.n)
    return Y(prey=p.a * y.prey - eaten, hunter=eaten - p.a * power(y.hunter / p.k, 1.5) * p.k)


def build(equations: Any = rhs, **arguments: Any) -> Model:
    return Model(
        "m",
        equations,
        Y,
        P,
        observables=[Observable("total", "cell", "all", lambda t, y, p: y.prey + y.hunter)],
        **arguments,
    )


@dataclass
class Program:
    """Stands for compiled kernels: plain Python, with one error at will."""

    model: Model
    rhs_error: float = 0.0
    jacobian_error: float = 0.0
    observable_error: float = 0.0

    def evaluate_rhs(self, t: Array, y: Array, p: Array) -> Array:
        result = np.stack(self.model.derivatives(t, list(y.T), list(p.T)), 1)
        result[:, 1] *= 1.0 + self.rhs_error
        return result

    def evaluate_jacobian(self, t: Array, y: Array, p: Array) -> Array:
        columns = []
        for j in range(y.shape[1]):
            h = 3e-6 * np.maximum(y[:, j], 1e-12)
            above, below = y.copy(), y.copy()
            above[:, j] += h
            below[:, j] -= h
            columns.append(
                (self.evaluate_rhs(t, above, p) - self.evaluate_rhs(t, below, p)) / (2 * h)[:, None]
            )
        result = np.stack(columns, 2)
        result[:, 0, 1] *= 1.0 + self.jacobian_error
        return result

    def evaluate_observables(self, t: Array, y: Array, p: Array) -> Array:
        values = self.model.observe(t, list(y.T), list(p.T))
        return np.stack(list(values.values()), 1) + self.observable_error


def test_equal_kernels_have_no_problems() -> None:
    assert compare_kernels(build(), Program(build())) == []


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({"rhs_error": 1e-6}, r"d(hunter)/dt compiled is "),
        ({"jacobian_error": 1e-2}, "the derivative of d(prey)/dt with respect to hunter compiled"),
        ({"observable_error": 1e-3}, "observable 'total' compiled is "),
        ({"rhs_error": float("nan")}, r"d(hunter)/dt compiled is nan"),
        ({"jacobian_error": float("nan")}, "with respect to hunter compiled is nan"),
    ],
)
def test_each_difference_is_named(errors: dict[str, Any], message: str) -> None:
    problems = compare_kernels(build(), Program(build(), **errors))
    assert any(message in problem for problem in problems)


def test_derivatives_that_are_not_finite_nearby() -> None:
    model = build(
        lambda t, y, p: Y(prey=p.a * sqrt(10.5 * p.k - y.prey * p.k), hunter=0.0 * y.prey)
    )
    problems = compare_kernels(model, Program(model))
    assert any("d(prey)/dt is nan near the initial state, at prey = " in text for text in problems)


def test_arrays_of_wrong_shape() -> None:
    problems = compare_kernels(build(), Broken())
    assert problems[0] == "compiled derivatives have shape (1, 1), expected (24, 2)."


class Broken:
    """Returns arrays of wrong shapes."""

    def evaluate_rhs(self, t: Array, y: Array, p: Array) -> Array:
        return np.zeros((1, 1))

    def evaluate_jacobian(self, t: Array, y: Array, p: Array) -> Array:
        return np.zeros((len(t), 2, 2))

    def evaluate_observables(self, t: Array, y: Array, p: Array) -> Array:
        return np.zeros((len(t), 1))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace compiler and simulator; the returned values steer what the simulation gives."""
    steer = SimpleNamespace(result={"prey": [1.0, 2.0], "hunter": [0.0, 1.0]}, calls=[])

    def simulate(model: Model, **arguments: Any) -> Any:
        steer.calls.append(arguments)
        if isinstance(steer.result, Exception):
            raise steer.result
        return {**steer.result, "time": [0.0, arguments["stop"]]}

    kernels = SimpleNamespace(compile_model=Program)
    monkeypatch.setitem(sys.modules, "carsim.kernels", kernels)
    monkeypatch.setitem(sys.modules, "carsim.simulation", SimpleNamespace(simulate=simulate))
    return steer


def test_a_good_model_passes(stand_in: Any) -> None:
    check_model(build(), span=30.0)
    assert stand_in.calls[0]["stop"] == 30.0
    assert tuple(stand_in.calls[0]["outputs"]) == ("prey", "hunter")


def test_a_negative_pool_is_found(stand_in: Any) -> None:
    stand_in.result = {"prey": [1.0, -0.5], "hunter": [0.0, -0.005]}
    with pytest.raises(ModelError, match=r"prey falls to -0\.5 \[cell\] at t = 100 day") as caught:
        check_model(build())
    assert "hunter" not in str(caught.value)


def test_a_value_that_is_not_finite_is_found(stand_in: Any) -> None:
    stand_in.result = {"prey": [1.0, float("nan")], "hunter": [0.0, 0.0]}
    with pytest.raises(ModelError, match="prey is not finite at t = 100 day"):
        check_model(build())


def test_a_failed_simulation_is_told(stand_in: Any) -> None:
    stand_in.result = ScenarioError("m: stopped at t = 3 day")
    with pytest.raises(ModelError, match="fails 1 check:\n  m: stopped at t = 3 day"):
        check_model(build())


def test_all_problems_are_listed(stand_in: Any) -> None:
    stand_in.result = {"prey": [-1.0, -1.0], "hunter": [0.0, 0.0]}
    wrong = build(lambda t, y, p: Y(prey=y.prey, hunter=maximum(y.hunter, 0.0)))
    with pytest.raises(ModelError, match="model 'm' fails 3 checks:") as caught:
        check_model(wrong)
    assert "d(prey)/dt has unit [cell], expected [cell/day]" in str(caught.value)
    assert "prey falls to -1 [cell]" in str(caught.value)
