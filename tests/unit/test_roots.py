"""Infinite slopes: every input gives the value, with all three methods."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq

from carsim import Dose, Infusion, Solver, simulate
from carsim.engine.tableaus import METHODS
from carsim.kernels.compile import compile_model
from tests.unit.steep import STEEP

each_method = pytest.mark.parametrize("method", METHODS)


def time_of(x: float, c: float, n: float) -> float:
    """Time at which a pool that began empty holds x: the integral of dx / (1 - c x^n)."""
    return float(quad(lambda z: 1.0 / (1.0 - c * z**n), 0.0, x, epsabs=1e-13, limit=200)[0])


def filled(t: float, c: float, n: float) -> float:
    """What a pool that began empty, fed at 1 and drained by c x^n, holds at t."""
    full = c ** (-1.0 / n)
    return float(brentq(lambda x: time_of(x, c, n) - t, 0.0, min(t, full * (1 - 1e-9)), xtol=1e-13))


@each_method
@pytest.mark.parametrize("start", [0.0, 1e-300, 1e-30, 1e-12])
def test_a_root_of_an_empty_pool_does_not_freeze_it(method: str, start: float) -> None:
    result = simulate(
        STEEP, stop=10.0, save_at=[1.0, 10.0], outputs=["fed", "raised"],
        initial={"fed": start, "raised": start}, solver=Solver(method=method),
    )  # fmt: skip
    right = [filled(1.0, 0.001, 0.5), filled(10.0, 0.001, 0.5)]
    assert right == pytest.approx([0.999334, 9.978935], abs=1e-6)
    np.testing.assert_allclose(result.fed, right, rtol=2e-6)
    np.testing.assert_allclose(result.raised, right, rtol=2e-6)


@each_method
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_at_every_tolerance(method: str, scale: float) -> None:
    for rtol in (1e-3, 1e-8):
        result = simulate(
            STEEP, stop=10.0, save_at=[10.0], outputs=["fed"],
            solver=Solver(method=method, rtol=rtol, atol_scale=scale),
        )  # fmt: skip
        assert float(result.fed[0]) == pytest.approx(9.978935, rel=max(10 * rtol, 1e-3 * scale))


@each_method
def test_a_pool_that_its_root_empties_can_be_filled_again(method: str) -> None:
    result = simulate(
        STEEP, stop=10.0, save_at=[1.0, 2.0, 5.0, 10.0], outputs=["emptied"],
        therapy={"feeding": Infusion("emptied", start=5.0, rate=1.0)}, solver=Solver(method=method),
    )  # fmt: skip
    right = [0.25, 0.0, 0.0, filled(5.0, 1.0, 0.5)]
    assert right[-1] == pytest.approx(0.938665, abs=1e-6)
    # At the very time at which it is empty the curve has a kink, inside a step.
    error = np.abs(result.emptied.values - right)
    assert (error <= [2e-6, 2e-5, 1e-6, 1e-5]).all(), error


@each_method
def test_roots_of_nothing_of_the_time_and_of_what_is_left(method: str) -> None:
    result = simulate(
        STEEP, stop=10.0, save_at=[2.0, 4.0, 10.0], outputs=["effect", "timed", "grown"],
        therapy={"dose": Dose("depot", 4.0, at=3.0)}, solver=Solver(method=method),
    )  # fmt: skip
    # After the dose: effect' = 2 exp(-t/4) - effect.
    since = np.array([1.0, 7.0])
    effect = 8.0 / 3.0 * (np.exp(-since / 4.0) - np.exp(-since))
    np.testing.assert_allclose(result.effect, [0.0, *effect], rtol=2e-5)
    timed = 2.0 / 3.0 * np.array([2.0, 4.0, 10.0]) ** 1.5
    np.testing.assert_allclose(result.timed, timed, rtol=1e-5, atol=1e-4)
    assert result.grown[-1] == pytest.approx(10.0, rel=1e-6)
    full = simulate(
        STEEP, stop=10.0, save_at=[10.0], outputs=["grown"], initial={"grown": 10.0},
        solver=Solver(method=method),
    )  # fmt: skip
    assert full.grown[0] == pytest.approx(10.0, rel=1e-7)


@settings(max_examples=15, deadline=None)
@given(
    st.floats(0.05, 0.95), st.floats(-3.0, 0.0), st.sampled_from([0.0, 1e-200, 1e-9]),
    st.sampled_from(["rodas5p", "rodas4"]),
)  # fmt: skip
def test_any_power_below_one(n: float, log_c: float, start: float, method: str) -> None:
    c = 10.0**log_c
    right = solve_ivp(
        lambda t, x: 1.0 - c * np.maximum(x, 0.0) ** n, (0.0, 5.0), [start],
        method="Radau", rtol=1e-9, atol=1e-13,
    ).y[0, -1]  # fmt: skip
    result = simulate(
        STEEP, stop=5.0, save_at=[5.0], outputs=["raised"], initial={"raised": start},
        parameters={"c": c, "n": n}, solver=Solver(method=method),
    )  # fmt: skip
    assert int(result.status) == 0
    assert float(result.raised[0]) == pytest.approx(float(right), rel=2e-5, abs=1e-6)


def test_the_jacobian_of_an_empty_pool_is_finite() -> None:
    program = compile_model(STEEP)
    p = STEEP.parameter_values()
    jacobian = program.evaluate_jacobian(np.zeros(1), np.zeros((1, 7)), p)
    assert np.isfinite(jacobian).all()
    fed = STEEP.state_index["fed"]
    assert jacobian[0, fed, fed] == pytest.approx(-0.0005 / np.sqrt(0.25e-6))
    # Exact from a quarter of the tolerance of 1e-6 on, and nowhere steeper.
    y = np.zeros((200, 7))
    y[:, fed] = np.geomspace(1e-30, 1.0, 200)
    slope = program.evaluate_jacobian(np.zeros(200), y, np.repeat(p, 200, axis=0))[:, fed, fed]
    exact = -0.0005 / np.sqrt(y[:, fed])
    away = y[:, fed] > 0.25e-6
    np.testing.assert_allclose(slope[away], exact[away], rtol=1e-12)
    assert (slope >= -0.0005 / np.sqrt(0.25e-6)).all()


def test_a_root_of_a_negative_number_has_no_value() -> None:
    program = compile_model(STEEP)
    y = np.zeros((2, 7))
    y[:, STEEP.state_index["emptied"]] = [-1e-7, -1e-3]
    slopes = program.evaluate_rhs(np.zeros(2), y, np.repeat(STEEP.parameter_values(), 2, axis=0))
    emptied = slopes[:, STEEP.state_index["emptied"]]
    assert emptied[0] == 0.0
    assert np.isnan(emptied[1])
