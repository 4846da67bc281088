"""Chaudhury et al. 2020, Eqs 7-9: what the pieces of the equations are for."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from carsim.metrics import Maximum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Window
from carsim_models.chaudhury_2020 import MODEL

FINE = Solver(rtol=1e-9)
# Changes nothing; makes a step end at T_max.
STOP = Window("rho", value=8.8, start=9.3, stop=10.0)


def growth_per_cell(tumor: float) -> float:
    change = MODEL.derivatives(0.0, [0.0, 0.0, tumor], MODEL.parameter_values()[0])
    return float(change[2]) / tumor


def test_growth_stops_at_the_capacity_and_below_u_crit() -> None:
    assert abs(growth_per_cell(1000.0)) < 1e-12
    np.testing.assert_allclose(growth_per_cell(1.0), 0.2 / 1.001, rtol=1e-12)
    # A tenth of U_crit: 1001 times slower than without F_cure.
    np.testing.assert_allclose(growth_per_cell(0.01), 0.2 * (5.0 / 3.0) / 1001.0, rtol=1e-12)


def test_a_vanished_tumor_does_not_break_the_logarithm() -> None:
    p = MODEL.parameter_values()[0]
    for tumor in (0.0, 1e-300, 1e-13, 1e-12):
        change = MODEL.derivatives(20.0, [100.0, 1.0, tumor], p)
        assert np.isfinite(change).all()
        assert -np.float64(change[2]) <= 0.35 * tumor


def test_expansion_follows_the_antigen_and_not_the_dose() -> None:
    """Ten thousand times the dose raises the peak by 7 %; ten times the tumor by a factor 8."""
    result = simulate(
        MODEL,
        initial={"C_E": np.array([0.1, 1000.0, 10.0, 10.0]), "U": np.array([900, 900, 90, 900.0])},
        stop=30.0,
        save_at=[],
        metrics={"peak": Maximum("C_E")},
        solver=FINE,
    )
    np.testing.assert_allclose(result["peak"], [22505.68, 24050.93, 2845.559, 22818.28], rtol=1e-4)


def test_decline_after_the_peak_is_biexponential() -> None:
    times = np.array([9.3, 20.0, 60.0, 200.0, 360.0])
    result = simulate(
        MODEL,
        stop=360.0,
        save_at=times,
        outputs=["C_E", "C_P", "car_t"],
        therapy={"stop": STOP},
        solver=FINE,
    )
    peak = float(result["C_E"][0])
    after = times - 9.3
    fast, slow = np.exp(-0.1612 * after), np.exp(-0.0032 * after)
    persistent = 0.0012 / (0.1612 - 0.0032) * peak * (slow - fast)
    np.testing.assert_allclose(result["C_P"], persistent, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(result["car_t"], peak * fast + persistent, rtol=1e-6)


def test_against_scipy_with_a_stop_at_the_peak() -> None:
    def right_hand_side(t: float, y: Any) -> list[float]:
        c, _, u = y
        cure = 1.0 / (1.0 + (0.1 / u) ** 3)
        growth = cure * 0.2 * u * (3.0 - np.log10(u)) / 3.0
        killing = 0.35 * c * u / (10.0 + c + u)
        if t <= 9.3:
            return [8.8 * c * u / (1.0 + c + u), 0.0, growth - killing]
        return [-0.1612 * c, 0.0012 * c - 0.0032 * y[1], growth - killing]

    first, second = np.linspace(0.0, 9.3, 20), np.linspace(9.31, 100.0, 60)
    settings: dict[str, Any] = {"method": "LSODA", "rtol": 1e-11, "atol": 1e-12}
    one = solve_ivp(right_hand_side, (0.0, 9.3), [10.0, 0.0, 900.0], t_eval=first, **settings)
    start = one.y[:, -1]
    two = solve_ivp(right_hand_side, (9.3 + 1e-12, 100.0), start, t_eval=second, **settings)
    expected = np.hstack([one.y, two.y])
    result = simulate(
        MODEL,
        stop=100.0,
        save_at=[*first, *second],
        outputs=["C_E", "C_P", "U"],
        therapy={"stop": STOP},
        solver=FINE,
    )
    for name, values in zip(("C_E", "C_P", "U"), expected, strict=True):
        np.testing.assert_allclose(result[name], values, rtol=1e-6, atol=1e-9)
