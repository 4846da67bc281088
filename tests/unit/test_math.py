"""Functions for equations on floats, arrays and dispatching objects."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carsim.errors import ModelError
from carsim.math import abs_, exp, hill, log, maximum, minimum, pow_, power, sqrt, tanh, where

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
POSITIVE = st.floats(1e-6, 1e6)
# The literal 1 has a form of its own.
EXPONENTS = st.floats(0.5, 6.0).filter(lambda n: n != 1.0)


class Recorder:
    """Answers every function with its name and arguments."""

    def __carsim_function__(self, name: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        return name, args


@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_object_that_dispatches_answers_from_any_position(position: int) -> None:
    recorder = Recorder()
    arguments: list[Any] = [1.0, 2.0, 3.0]
    arguments[position] = recorder
    assert hill(*arguments) == ("hill", tuple(arguments))


def test_names_of_the_primitives() -> None:
    x = Recorder()
    assert where(x, 1.0, 2.0)[0] == "where"
    two = (minimum, maximum, power, pow_)
    assert [f(x, 1.0)[0] for f in two] == ["minimum", "maximum", "power", "pow"]
    assert [f(x)[0] for f in (exp, log, sqrt, tanh, abs_)] == ["exp", "log", "sqrt", "tanh", "abs"]
    assert hill(x, 1.0) == ("hill", (x, 1.0, 1.0))


def test_floats_stay_floats() -> None:
    for value in (exp(1.0), log(2.0), sqrt(2.0), tanh(1.0), power(2.0, 0.5), hill(1.0, 2.0, 3.0)):
        assert type(value) is float


def test_floats_follow_ieee_arithmetic() -> None:
    assert exp(1e4) == math.inf
    assert log(0.0) == -math.inf
    assert math.isnan(log(-1.0))
    assert math.isnan(sqrt(-1.0))
    assert power(0.0, -1.0) == math.inf
    assert power(1e300, 2.0) == math.inf
    assert math.isnan(hill(0.0, 0.0))
    assert hill(-1.0, 1.0) == -math.inf
    assert exp(np.array([1e4])).tolist() == [math.inf]
    assert log(np.array([0.0])).tolist() == [-math.inf]


@given(NUMBERS, NUMBERS)
def test_minimum_and_maximum(a: float, b: float) -> None:
    assert minimum(a, b) == min(a, b)
    assert maximum(a, b) == max(a, b)


def test_minimum_and_maximum_pass_nan_on() -> None:
    for f in (minimum, maximum):
        assert math.isnan(f(math.nan, 1.0))
        assert math.isnan(f(1.0, math.nan))


@given(NUMBERS, POSITIVE, EXPONENTS)
def test_arrays_give_what_floats_give(x: float, k: float, n: float) -> None:
    pairs = [
        (hill(np.array([x]), k, n), hill(x, k, n)),
        (hill(np.float64(x), np.float64(k), np.float64(n)), hill(x, k, n)),
        (hill(np.array([x + k]), 2.0 * k), hill(x + k, 2.0 * k)),
        (power(np.array([x]), n), power(x, n)),
        (minimum(np.array([x]), k), minimum(x, k)),
        (maximum(np.array([x]), k), maximum(x, k)),
        (tanh(np.array([x])), tanh(x)),
        (abs_(np.array([x])), abs_(x)),
        (where(np.array([x]) > k, x, k), where(x > k, x, k)),
    ]
    for array, scalar in pairs:
        np.testing.assert_allclose(array, scalar, rtol=1e-12)
    for function in (exp, log, sqrt):
        np.testing.assert_allclose(function(np.array([k])), function(k), rtol=1e-12)


@given(NUMBERS, POSITIVE, EXPONENTS)
def test_hill_lies_between_zero_and_one(x: float, k: float, n: float) -> None:
    value = hill(x, k, n)
    assert 0.0 <= value <= 1.0
    assert value == 0.0 if x <= 0.0 else True


@given(st.floats(1e-2, 1e2), st.floats(1e-2, 1e2), st.floats(0.5, 4.0))
def test_hill_is_the_formula(x: float, k: float, n: float) -> None:
    assert hill(x, k, n) == pytest.approx(x**n / (k**n + x**n), rel=1e-12)


@pytest.mark.parametrize("convert", [float, np.float64, lambda x: np.array([x])])
def test_hill_at_the_edges(convert: Any) -> None:
    assert hill(convert(0.0), 1e-300, 2.0) == 0.0
    assert hill(convert(-5.0), 1.0, 2.5) == 0.0
    assert hill(convert(1e300), 1.0, 4.0) == 1.0
    assert hill(convert(1e-300), 1e300, 4.0) == 0.0
    assert hill(convert(3.0), 3.0, 50.0) == 0.5
    assert hill(convert(0.0), 0.0, 2.0) == 0.0
    assert hill(convert(1e-300), 0.0, 2.0) == 1.0
    assert hill(convert(0.0), 1.0, -2.0) == 1.0
    # (1e600)^0.01 is a float although 1e600 is none.
    assert hill(convert(1e-300), 1e300, 0.01) == pytest.approx(1.0 / (1.0 + 1e6), rel=1e-12)
    assert np.isnan(hill(convert(math.nan), 1.0, 2.0))


def test_hill_with_exponent_one_is_smooth_through_zero() -> None:
    assert hill(-0.1, 1.0) == pytest.approx(-0.1 / 0.9)
    assert hill(-0.1, 1.0, 1) == hill(np.float64(-0.1), 1.0, 1)
    # A parameter that is 1 today may be 1.1 tomorrow: it keeps the clamp.
    assert hill(np.float64(-0.1), 1.0, np.float64(1.0)) == 0.0


def test_power_sees_no_negative_base() -> None:
    assert power(-1e-9, 0.5) == 0.0
    assert power(np.array([-1.0, 4.0]), 0.5).tolist() == [0.0, 2.0]
    assert math.isnan(power(math.nan, 2.0))


@pytest.mark.parametrize("convert", [float, np.float64, lambda x: np.array([x])])
def test_a_true_power_keeps_the_sign(convert: Any) -> None:
    assert pow_(convert(-2.0), 3.0) == -8.0
    assert pow_(convert(-2.0), 2) == 4.0
    assert pow_(convert(-2.0), -1.0) == -0.5
    assert pow_(convert(2.0), 0.5) == math.sqrt(2.0)
    assert pow_(convert(0.0), 0.0) == 1.0
    assert pow_(convert(0.0), -1.0) == math.inf
    assert np.isnan(pow_(convert(-2.0), 0.5))


def test_where_chooses_by_element() -> None:
    x = np.array([1.0, 3.0])
    assert where(x > 2.0, x, 0.0).tolist() == [0.0, 3.0]
    assert where(True, x, 0.0).tolist() == [1.0, 3.0]
    assert where(np.bool_(False), 1.0, 2.0) == 2.0


@pytest.mark.parametrize("condition", [1.0, -2, "x", np.array([1.0, 0.0])])
def test_where_needs_a_comparison(condition: Any) -> None:
    with pytest.raises(ModelError, match="the first argument is not a comparison"):
        where(condition, 1.0, 2.0)


def test_a_python_bool_negated_is_refused_in_words() -> None:
    with pytest.raises(ModelError, match="`~` of a Python bool is a number"):
        where(-2, 1.0, 2.0)
