"""exp and log of floats and of packs: within two units in the last place, and right at the ends."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from carsim.engine.elementary import exp, log
from carsim.engine.jit import OPTIONS
from carsim.engine.pack import WIDTH, load, store

Array = NDArray[np.float64]

FORMS = ("float", "pack")


@pytest.fixture(scope="module")
def compiled() -> dict[tuple[str, str], Any]:
    """Loops over arrays, one for each function and type."""

    @numba.njit(**OPTIONS)
    def exp_of_floats(x: Array, out: Array) -> None:
        for i in range(len(x)):
            out[i] = exp(x[i])

    @numba.njit(**OPTIONS)
    def log_of_floats(x: Array, out: Array) -> None:
        for i in range(len(x)):
            out[i] = log(x[i])

    @numba.njit(**OPTIONS)
    def exp_of_packs(x: Array, out: Array) -> None:
        for i in range(0, len(x), WIDTH):
            store(out, i, exp(load(x, i)))

    @numba.njit(**OPTIONS)
    def log_of_packs(x: Array, out: Array) -> None:
        for i in range(0, len(x), WIDTH):
            store(out, i, log(load(x, i)))

    return {
        ("exp", "float"): exp_of_floats,
        ("log", "float"): log_of_floats,
        ("exp", "pack"): exp_of_packs,
        ("log", "pack"): log_of_packs,
    }


def apply(function: Any, x: Array) -> Array:
    """The values, on a whole number of packs."""
    padded = np.ones(-(-len(x) // WIDTH) * WIDTH)
    padded[: len(x)] = x
    out = np.empty_like(padded)
    function(padded, out)
    return out[: len(x)]


def units_in_the_last_place(found: Array, name: str, x: Array) -> Array:
    """Errors against 30 digits."""
    with mpmath.workdps(30):
        exact = [getattr(mpmath, name)(mpmath.mpf(v)) for v in x.tolist()]
        return np.array(
            [
                float(abs(mpmath.mpf(f) - e)) / np.spacing(abs(float(e)))
                for f, e in zip(found.tolist(), exact, strict=True)
            ]
        )


@pytest.mark.parametrize("form", FORMS)
def test_exp_is_exact_to_two_units(compiled: dict[tuple[str, str], Any], form: str) -> None:
    generator = np.random.default_rng(11)
    x = np.concatenate(
        [
            generator.uniform(-700.0, 700.0, 1500),
            generator.uniform(-2.0, 2.0, 1500),
            generator.normal(0.0, 1e-6, 500),
            np.log(2.0) * (np.arange(-20, 20) + 0.5),
        ]
    )
    errors = units_in_the_last_place(apply(compiled["exp", form], x), "exp", x)
    assert errors.max() < 2.0
    assert errors.mean() < 0.5


@pytest.mark.parametrize("form", FORMS)
def test_log_is_exact_to_two_units(compiled: dict[tuple[str, str], Any], form: str) -> None:
    generator = np.random.default_rng(12)
    x = np.concatenate(
        [
            np.exp(generator.uniform(-690.0, 700.0, 1500)),
            generator.uniform(0.5, 2.0, 1500),
            1.0 + generator.normal(0.0, 1e-6, 500),
            2.0 ** np.arange(-20.0, 20.0) * np.sqrt(2.0),
        ]
    )
    x = x[x != 1.0]
    errors = units_in_the_last_place(apply(compiled["log", form], x), "log", x)
    assert errors.max() < 2.0
    assert errors.mean() < 0.5


@pytest.mark.parametrize("form", FORMS)
def test_ends_of_exp(compiled: dict[tuple[str, str], Any], form: str) -> None:
    """Zero and infinity where the value is no float, and subnormal numbers before zero."""
    x = np.array(
        [-math.inf, -1e300, -745.2, -745.1, -720.0, -708.0, 0.0, -0.0]
        + [709.0, 709.78, 709.79, 1e300, math.inf, math.nan]
    )
    with np.errstate(all="ignore"):
        expected = np.exp(x)
    found = apply(compiled["exp", form], x)
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=5e-324)


@pytest.mark.parametrize("form", FORMS)
def test_exp_is_exact_up_to_both_ends(compiled: dict[tuple[str, str], Any], form: str) -> None:
    generator = np.random.default_rng(14)
    x = np.concatenate(
        [generator.uniform(-745.0, -700.0, 500), generator.uniform(700, 709.78, 500)]
    )
    assert units_in_the_last_place(apply(compiled["exp", form], x), "exp", x).max() < 2.0


@pytest.mark.parametrize("form", FORMS)
def test_log_of_subnormal_numbers(compiled: dict[tuple[str, str], Any], form: str) -> None:
    x = np.concatenate(
        [[5e-324, 1e-310], 10.0 ** np.random.default_rng(15).uniform(-323, -307, 99)]
    )
    assert units_in_the_last_place(apply(compiled["log", form], x), "log", x).max() < 2.0


@pytest.mark.parametrize("form", FORMS)
def test_ends_of_log(compiled: dict[tuple[str, str], Any], form: str) -> None:
    x = np.array([0.0, -0.0, -1.0, -math.inf, 1.0, math.inf, math.nan, 1e-300, 1e308])
    found = apply(compiled["log", form], x)
    expected = [
        *(-math.inf, -math.inf, math.nan, math.nan, 0.0, math.inf, math.nan),
        *(math.log(1e-300), math.log(1e308)),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_floats_and_packs_have_the_same_bits(compiled: dict[tuple[str, str], Any]) -> None:
    x = np.exp(np.random.default_rng(13).uniform(-5.0, 5.0, 4000))
    for name in ("exp", "log"):
        np.testing.assert_array_equal(
            apply(compiled[name, "float"], x), apply(compiled[name, "pack"], x)
        )
