"""Serrano et al. 2024: the influx of B cells decides, and the equilibria that follow from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.metrics import Maximum, Minimum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.serrano_2024 import MODEL

FINE = Solver(rtol=1e-9)
THRESHOLD = 1.0 / (1.125e-11 * 14.0)
LOSS = 0.03333333333 + 1.0 / 60.0
CRITICAL = LOSS * THRESHOLD


def parameters(influx: float) -> list[float]:
    return list(MODEL.parameter_values({"I_0": influx})[0])


def jacobian(state: list[float], influx: float) -> np.ndarray:
    """Central differences, exact up to rounding for a right-hand side of second degree."""
    columns = []
    p = parameters(influx)
    for j in range(3):
        step = np.zeros(3)
        step[j] = max(1e-3 * abs(state[j]), 1e3)
        above = np.array(MODEL.derivatives(0.0, list(state + step), p))
        below = np.array(MODEL.derivatives(0.0, list(state - step), p))
        columns.append((above - below) / (2.0 * step[j]))
    return np.array(columns).T


@pytest.mark.parametrize("ratio", [0.9, 0.999, 1.001, 1.1])
def test_equilibrium_without_leukemia_is_stable_above_the_critical_influx(ratio: float) -> None:
    influx = ratio * CRITICAL
    state = [(influx / THRESHOLD - 1.0 / 60.0) / 4.5e-11, 0.0, THRESHOLD]
    change = np.array(MODEL.derivatives(0.0, state, parameters(influx)))
    np.testing.assert_allclose(change, 0.0, atol=1e-6 * influx)
    largest = np.linalg.eigvals(jacobian(state, influx)).real.max()
    assert (largest < 0.0) == (ratio > 1.0)


@pytest.mark.parametrize("ratio", [0.2, 0.9, 1.1])
def test_coexistence_needs_an_influx_below_the_critical_one(ratio: float) -> None:
    """Transcritical: the equilibrium with leukemia passes through L = 0 at the same influx."""
    influx = ratio * CRITICAL
    b = influx / LOSS
    state = [0.03333333333 / 4.5e-11, THRESHOLD - b, b]
    change = np.array(MODEL.derivatives(0.0, state, parameters(influx)))
    np.testing.assert_allclose(change, 0.0, atol=1e-6 * influx)
    assert (state[1] > 0.0) == (ratio < 1.0)


def test_leukemia_dies_out_above_and_returns_below() -> None:
    result = simulate(
        MODEL,
        parameters={"I_0": np.array([0.1, 1.3]) * CRITICAL},
        stop=3000.0,
        save_at=[3000.0],
        outputs=["L", "B"],
        metrics={"remission": Minimum("L", 0.0, 100.0), "relapse": Maximum("L", 100.0, 3000.0)},
        solver=FINE,
    )
    assert result["remission"][0] < 1e7
    assert result["relapse"][0] > 1e9
    assert result["L"][1, 0] < 1.0
    np.testing.assert_allclose(result["B"][1, 0], THRESHOLD, rtol=1e-2)


def test_without_influx_it_is_the_reduced_model_of_leon_triana(suites: Path) -> None:
    folder = suites / "biomodels" / "trajectories"
    (file,) = folder.glob("leon-triana*BIOMD0000001011.csv")
    reference = np.genfromtxt(file, delimiter=",", names=True)
    result = simulate(
        MODEL,
        parameters={"I_0": 0.0},
        stop=100.0,
        save_at=reference["time"],
        outputs=["C", "L", "B"],
        solver=FINE,
    )
    for name, column in (
        ("C", "CAR_T_cells"),
        ("L", "Leukaemic_B_cells"),
        ("B", "B_cells_healthy"),
    ):
        expected = reference[column]
        np.testing.assert_allclose(result[name], expected, rtol=1e-6, atol=1e-6 * expected.max())
