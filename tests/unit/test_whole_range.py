"""Kernels, their readable twin and the derivatives over the whole range of doubles."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim import Assumed, Model, Parameters, State, parameter, state
from carsim.engine.program import Program
from carsim.kernels import compile_model
from carsim.math import exp, hill, log, maximum, minimum, pow_, power, sqrt, where
from carsim.symbolic.evaluate import evaluate
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
        x=0.0 * y.x,
        z=0.0 * y.x,
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
    st.tuples(ARGUMENT, POSITIVE, EXPONENT, st.sampled_from([0.0, 2.0])), min_size=64, max_size=64
)


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_model(MODEL)


def table(points: list[tuple[float, float, float, float]]) -> tuple[Array, Array, Array]:
    x, k, n, t = np.array(points).T
    y = np.ones((len(x), len(MODEL.states)))
    y[:, 0], y[:, 1] = x, 0.5
    return t, y, np.column_stack([k, n])


@settings(max_examples=25, deadline=None)
@given(POINTS)
def test_kernels_equal_the_twin(
    program: Program, points: list[tuple[float, float, float, float]]
) -> None:
    t, y, p = table(points)
    with np.errstate(all="ignore"):
        found = program.evaluate_rhs(t, y, p)
    for i in range(len(t)):
        twin = MODEL.derivatives(float(t[i]), y[i].tolist(), p[i].tolist())
        for name, row in ROW.items():
            # Powers are exp(n log x), right to a unit in the last place of n log x, at most 745.
            np.testing.assert_allclose(
                found[i, row], twin[row], rtol=2e-12, atol=1e-323, err_msg=f"{name} {points[i]}"
            )
