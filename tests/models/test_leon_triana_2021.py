"""Claims of Leon-Triana et al. 2021 and of the file that BioModels curates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.metrics import Maximum, TimeOfMaximum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.leon_triana_2021 import MODEL

FINE = Solver(rtol=1e-9)


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
