"""Kernels, their readable twin and the derivatives over the whole range of doubles."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim import Assumed, Model, Parameters, State, parameter, state
from carsim.engine.program import Program
from carsim.kernels.compile import _compiled
from carsim.math import exp, hill, log, maximum, minimum, pow_, power, sqrt, where
from carsim.symbolic.derivative import derivative
from carsim.symbolic.evaluate import evaluate
from carsim.symbolic.expression import TINY, Graph
from carsim.symbolic.trace import trace

Array = NDArray[np.float64]
WHY = Assumed("test")


class Values(State):
    x: float = state(1.0, "1", "argument", signed=True)
    z: float = state(1.0, "1", "another", signed=True)
    by_number: float = state(1.0, "1", "Hill term, exponent 2", signed=True)
    steep: float = state(1.0, "1", "Hill term, exponent 16", signed=True)
    by_parameter: float = state(1.0, "1", "Hill term, exponent a parameter", signed=True)
    powered: float = state(1.0, "1", "power", signed=True)
    truly: float = state(1.0, "1", "true power", signed=True)
    elementary: float = state(1.0, "1", "exp", signed=True)
    logarithm: float = state(1.0, "1", "log", signed=True)
    chosen: float = state(1.0, "1", "minimum and maximum", signed=True)
    one: float = state(1.0, "1", "a quotient of equals", signed=True)
    negated: float = state(1.0, "1", "by a negated condition", signed=True)


class Constants(Parameters):
    k: float = parameter(1.0, "1", "half-saturation", WHY)
    n: float = parameter(2.0, "1", "exponent", WHY, lower=-math.inf)


def functions(t: float, y: Values, p: Constants) -> Values:
    return Values(
        x=p.k,
        z=p.k,
        by_number=hill(y.x, p.k, 2),
        steep=hill(y.x, p.k, 16),
        by_parameter=hill(y.x, p.k, p.n),
        powered=power(y.x, p.n),
        truly=pow_(y.x, p.n),
        elementary=exp(y.x),
        logarithm=log(y.x),
        chosen=minimum(p.k, y.x) + maximum(y.z, y.x),
        one=y.x / y.x,
        negated=where(~((y.x < p.k) & ~(t > 1.0)) | (y.x == y.z), y.x, y.z),
    )


MODEL = Model("whole_range", functions, Values, Constants)
ROW = {name: i for i, name in enumerate(MODEL.state_names)}

POSITIVE = st.one_of(
    st.floats(-320.0, 308.0).map(lambda e: 10.0**e), st.floats(-2.0, 2.0).map(lambda e: 10.0**e)
)
ARGUMENT = st.one_of(
    POSITIVE,
    POSITIVE.map(lambda x: -x),
    st.floats(-800.0, 800.0),
    st.sampled_from([0.0, -1.0, math.inf, -math.inf, math.nan, 5e-324, 1.7e308]),
)
EXPONENT = st.one_of(
    st.sampled_from([1.0, 2.0, 3.0, 4.0, 17.0, 0.5]), st.floats(0.01, 20.0), st.floats(-3.0, -0.1)
)
POINTS = st.lists(
    st.tuples(ARGUMENT, POSITIVE, EXPONENT, st.sampled_from([0.0, 2.0])), min_size=40, max_size=40
)


@pytest.fixture(scope="module")
def program() -> Program:
    # Exact slopes, not those that steer steps: without tolerances.
    return _compiled("whole_range", dataclasses.replace(trace(MODEL), tolerances={}), 16)


def table(points: list[tuple[float, float, float, float]]) -> tuple[Array, Array, Array]:
    x, k, n, t = np.array(points).T
    y = np.ones((len(x), len(MODEL.states)))
    y[:, 0], y[:, 1] = x, 0.5
    return t, y, np.column_stack([k, n])


# Without shrinking: a list of points says by itself which one fails.
DRAWN = settings(max_examples=8, deadline=None, phases=[Phase.generate])


@DRAWN
@given(POINTS)
def test_kernels_equal_the_twin(
    program: Program, points: list[tuple[float, float, float, float]]
) -> None:
    t, y, p = table(points)
    with np.errstate(all="ignore"):
        found = program.evaluate_rhs(t, y, p)
    twin = MODEL.derivatives(t, list(y.T), list(p.T))
    alone = MODEL.derivatives(float(t[0]), y[0].tolist(), p[0].tolist())
    x = y[:, 0]
    for name, row in ROW.items():
        # The exceptions are in the words of `Graph` and of `pow_`.
        left_out = {"one": np.abs(x) < 1e-307, "negated": np.isnan(x), "truly": np.isneginf(x)}
        kept = ~left_out.get(name, np.zeros(len(x), dtype=bool))
        # Powers are exp(n log x), right to a unit in the last place of n log x, at most 745.
        np.testing.assert_allclose(
            found[kept, row], twin[row][kept], rtol=2e-12, atol=1e-307, err_msg=name
        )
        np.testing.assert_allclose(alone[row], twin[row][0], rtol=1e-14, err_msg=name)


def exact_slopes(x: float, k: float, n: float) -> dict[str, float]:
    """Derivatives by x at a positive x, in 40 digits."""
    with mpmath.workdps(40):
        a, b, m = mpmath.mpf(x), mpmath.mpf(k), mpmath.mpf(n)

        def slope(exponent: Any) -> Any:
            r = (a / b) ** exponent
            return exponent * r / (1 + r) ** 2 / a

        found = {
            "by_number": slope(2),
            "steep": slope(16),
            "by_parameter": slope(m),
            "powered": m * a ** (m - 1),
            "truly": m * a ** (m - 1),
            "logarithm": 1 / a,
        }
        return {name: float(value) for name, value in found.items()}


@DRAWN
@given(POINTS)
def test_slopes_are_exact_for_every_positive_argument(
    program: Program, points: list[tuple[float, float, float, float]]
) -> None:
    t, y, p = table(points)
    # Below 1e-300 the slope of a power is the one at 1e-300.
    y[:, 0] = [max(abs(x), 1e-299) if math.isfinite(x) else 2.0 for x in y[:, 0]]
    with np.errstate(all="ignore"):
        jacobian = program.evaluate_jacobian(t, y, p)[:, :, 0]
    for i in range(len(t)):
        x = y[i, 0]
        for name, expected in exact_slopes(x, *p[i]).items():
            # Where a Hill term is 1 to all digits its slope is 0.
            np.testing.assert_allclose(
                jacobian[i, ROW[name]],
                expected,
                rtol=1e-11,
                atol=1e-305 + (0.0 if name in ("powered", "truly", "logarithm") else 1e-75 / x),
                err_msg=f"{name} {points[i]}",
            )


@pytest.mark.parametrize("k", [5e-324, 1e-310, 1e-22, 1.0, 1e155, 1e300])
def test_slopes_at_an_empty_pool(program: Program, k: float) -> None:
    n = np.array([0.0, 1.0, 2.0, 3.0, 17.0, 1.5])
    t, y, p = np.zeros(len(n)), np.ones((len(n), len(MODEL.states))), np.full((len(n), 2), k)
    y[:, 0], p[:, 1] = 0.0, n
    with np.errstate(all="ignore"):
        jacobian = program.evaluate_jacobian(t, y, p)[:, :, 0]
    assert np.all(jacobian[:, ROW["by_number"]] == 0.0)
    assert np.all(jacobian[:, ROW["steep"]] == 0.0)
    with np.errstate(over="ignore"):
        by_parameter = np.where(n == 1.0, 1.0 / np.float64(k), 0.0)
    if k > 1e-299:
        np.testing.assert_allclose(
            jacobian[:, ROW["by_parameter"]] * k, by_parameter * k, rtol=1e-12, atol=1e-100
        )
    linear = np.where(n == 1.0, 1.0, 0.0)
    for name in ("powered", "truly"):
        np.testing.assert_allclose(jacobian[:, ROW[name]], linear, rtol=1e-12, atol=1e-100)


@pytest.mark.parametrize("n", [2.0, 3.0, 2.5, 0.7, -1.0])
def test_hill_terms_at_their_ends(program: Program, n: float) -> None:
    """Half of the maximum at x = k whatever their size; an empty pool gives none, also at k = 0."""
    x = np.array([1e-22, 1e-310, 1e155, 1e300, 0.0, 1e300, 1e-300, -1.0])
    k = np.array([1e-22, 1e-310, 1e155, 1e300, 0.0, 0.0, 0.0, 1.0])
    t, y, p = np.zeros(len(x)), np.ones((len(x), len(MODEL.states))), np.full((len(x), 2), n)
    y[:, 0], p[:, 0] = x, k
    found = program.evaluate_rhs(t, y, p)
    expected = np.array([0.5, 0.5, 0.5, 0.5, 0.0, 1.0, 1.0, 0.0])
    for name in ("by_number", "steep"):
        np.testing.assert_allclose(found[:, ROW[name]], expected, rtol=1e-13)
    turned = expected if n > 0.0 else 1.0 - expected
    np.testing.assert_allclose(found[:, ROW["by_parameter"]], turned, rtol=1e-12)
    np.testing.assert_allclose(hill(x, k, np.float64(n)), turned, rtol=1e-15)


def slope_at(build: Any, x: float, c: float, tiny: float = TINY) -> float:
    """Derivative by x of an expression of x and a constant c."""
    graph = Graph(tiny)
    a, b = graph.symbol("x"), graph.symbol("c")
    with np.errstate(all="ignore"):
        return float(evaluate([derivative(build(a, b), a)], {a.index: x, b.index: c})[0])


@pytest.mark.parametrize(
    ("build", "x", "c", "slope"),
    [
        (lambda x, c: sqrt(maximum(x, 0.0)), -1e-20, 0.0, 0.0),
        (lambda x, c: sqrt(maximum(x, 0.0)), 0.0, 0.0, math.inf),
        (lambda x, c: power(x, 0.5), -1e-20, 0.0, 0.0),
        (lambda x, c: c * sqrt(x), 0.0, 0.0, 0.0),
        (lambda x, c: c * sqrt(x), 0.0, -2.0, -math.inf),
        (lambda x, c: sqrt(c * x), 0.0, 0.0, 0.0),
        (lambda x, c: sqrt(c - x), 1.0, 1.0, -math.inf),
        (lambda x, c: where(x > 0.0, sqrt(x), 0.0), 0.0, 0.0, 0.0),
        (lambda x, c: c * where(x > 0.0, sqrt(x), x), 0.0, 3.0, 3.0),
        (lambda x, c: x * sqrt(x), 0.0, 0.0, 0.0),
        (lambda x, c: exp(-sqrt(x)) * c, 0.0, 0.0, 0.0),
        (lambda x, c: pow_(x, c), 0.0, 0.0, 0.0),
        (lambda x, c: pow_(x, c), -3.0, 3.0, 27.0),
        (lambda x, c: pow_(x, c), 0.0, 0.5, math.inf),
    ],
)
def test_slopes_beside_an_infinite_one(build: Any, x: float, c: float, slope: float) -> None:
    """Zero times an infinite slope is zero: the branch is chosen, not multiplied."""
    assert slope_at(build, x, c) == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize(
    ("build", "n", "slope"),
    [
        (lambda x, n: power(x, n), 0.5, math.inf),
        (lambda x, n: power(x, n), 1.0, 1.0),
        (lambda x, n: power(x, n), 0.0, 0.0),
        (lambda x, n: hill(x, 1e25, n), 0.5, math.inf),
        (lambda x, n: hill(x, 1e25, n), 1.0, 1e-25),
        (lambda x, n: hill(x, 1e25, n), 0.0, 0.0),
        (lambda x, n: hill(x, 1e25, n), 1.01, 0.0),
    ],
)
def test_slopes_where_nothing_stands_in_for_zero(build: Any, n: float, slope: float) -> None:
    assert slope_at(build, 0.0, n, tiny=0.0) == pytest.approx(slope, rel=1e-12)
