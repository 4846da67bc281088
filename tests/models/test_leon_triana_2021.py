"""Claims of Leon-Triana et al. 2021 and of the file that BioModels curates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.metrics import Maximum, TimeOfMaximum, ValueAt
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.leon_triana_2021 import MODEL

FINE = Solver(rtol=1e-9)


def test_first_peak_and_remission() -> None:
    result = simulate(
        MODEL,
        stop=60.0,
        save_at=[],
        metrics={
            "peak": Maximum("C"),
            "day": TimeOfMaximum("C"),
            "L_28": ValueAt("L", 28.0),
            "L_60": ValueAt("L", 60.0),
        },
        solver=FINE,
    )
    assert float(result["peak"]) == pytest.approx(1.640e10, rel=5e-3)
    assert float(result["day"]) == pytest.approx(12.19, abs=0.05)
    assert float(result["L_28"]) == pytest.approx(4.013e6, rel=5e-3)
    assert float(result["L_60"]) == pytest.approx(4.147e5, rel=5e-3)


def test_the_dose_hardly_changes_the_peak() -> None:
    dose = np.array([5e5, 1.5e6, 4.5e6, 1e7, 1e8])
    result = simulate(
        MODEL,
        initial={"C": dose},
        stop=60.0,
        save_at=[],
        metrics={"peak": Maximum("C", 0.0, 30.0), "day": TimeOfMaximum("C", 0.0, 30.0)},
        solver=FINE,
    )
    np.testing.assert_allclose(
        result["peak"], [1.789e10, 1.733e10, 1.678e10, 1.640e10, 1.541e10], rtol=1e-3
    )
    np.testing.assert_allclose(result["day"], [15.21, 14.13, 13.02, 12.19, 9.66], atol=0.02)


def test_leukemia_returns_and_is_met_again() -> None:
    result = simulate(
        MODEL,
        initial={"C": np.array([1e6, 1e7, 1e8])},
        stop=600.0,
        save_at=[],
        metrics={"day": TimeOfMaximum("C", 100.0, 600.0), "peak": Maximum("C", 100.0, 600.0)},
        solver=FINE,
    )
    np.testing.assert_allclose(result["day"], [467.9, 443.5, 421.9], atol=0.5)
    np.testing.assert_allclose(result["peak"], [1.787e10, 1.678e10, 1.583e10], rtol=2e-3)


def test_coexistence_and_threshold() -> None:
    """Growth of the leukemia balances at C* = rho_L/alpha, of CAR-T cells at 1/(rho_C tau_C)."""
    p = MODEL.parameter_values()[0]
    values = dict(zip(MODEL.parameter_names, p, strict=True))
    c_star = values["rho_L"] / values["alpha"]
    threshold = 1.0 / (values["rho_C"] * values["tau_C"])
    assert c_star == pytest.approx(7.4074e8, rel=1e-5)
    assert threshold == pytest.approx(6.3492e9, rel=1e-5)
    assert (values["rho_L"] + 1 / values["tau_B"]) * threshold == pytest.approx(3.1746e8, rel=1e-5)
    change = MODEL.derivatives(0.0, [c_star, threshold, 0.0], p)
    np.testing.assert_allclose(change, 0.0, atol=1e-5)


def test_against_two_independent_engines(suites: Path) -> None:
    folder = suites / "biomodels" / "trajectories"
    (file,) = folder.glob("leon-triana*BIOMD0000001011.csv")
    reference = np.genfromtxt(file, delimiter=",", names=True)
    result = simulate(
        MODEL, stop=100.0, save_at=reference["time"], outputs=["C", "L", "B"], solver=FINE
    )
    for name, column in (
        ("C", "CAR_T_cells"),
        ("L", "Leukaemic_B_cells"),
        ("B", "B_cells_healthy"),
    ):
        expected = reference[column]
        # The two engines agree to 1e-6 of the maximum of a column.
        np.testing.assert_allclose(result[name], expected, rtol=1e-6, atol=1e-6 * expected.max())
