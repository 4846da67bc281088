"""Claims of Kimmel et al. 2021 and of the file that BioModels curates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.metrics import Maximum, TimeOfMaximum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.kimmel_2021 import MODEL

FINE = Solver(rtol=1e-9)


def test_counts_after_infusion() -> None:
    result = simulate(
        MODEL,
        stop=100.0,
        save_at=[7.0, 14.0, 28.0, 90.0],
        outputs=["C", "N"],
        metrics={"peak": Maximum("C"), "day": TimeOfMaximum("C")},
        solver=FINE,
    )
    assert float(result["peak"]) == pytest.approx(30.11, rel=5e-3)
    assert float(result["day"]) == pytest.approx(7.01, abs=0.05)
    np.testing.assert_allclose(result["C"][1:], [8.975, 2.487, 0.338], rtol=5e-3)
    np.testing.assert_allclose(result["N"], [108.6, 295.2, 472.9, 499.6], rtol=5e-3)


def test_counts_lie_within_the_quartiles_of_the_patients() -> None:
    """Axi-cel patients, quartiles on days 7, 14, 28 and 90; the model fits their medians."""
    result = simulate(MODEL, stop=90.0, save_at=[7.0, 14.0, 28.0, 90.0], outputs=["C"])
    counts = result["C"].to_numpy()
    assert np.all(counts >= [16.5, 3.8, 0.6, 0.01])
    assert np.all(counts <= [57.5, 31.1, 6.1, 0.4])


def test_tumor_falls_below_one_cell() -> None:
    result = simulate(MODEL, stop=30.0, save_at=[30.0], outputs=["B"], solver=FINE)
    assert float(result["B"][0]) == pytest.approx(1.634e-7, rel=5e-3)


def test_against_two_independent_engines(suites: Path) -> None:
    folder = suites / "biomodels" / "trajectories"
    (file,) = folder.glob("kimmel2021*BIOMD0000001041.csv")
    reference = np.genfromtxt(file, delimiter=",", names=True)
    result = simulate(
        MODEL, stop=100.0, save_at=reference["time"], outputs=["N", "C", "B"], solver=FINE
    )
    for name, column in (
        ("N", "Normal_T_cells"),
        ("C", "CAR_T_cells"),
        ("B", "Antigen_presenting_tumour_cells"),
    ):
        expected = reference[column]
        # The two engines agree to 1e-6 of the maximum of a column.
        np.testing.assert_allclose(result[name], expected, rtol=1e-6, atol=1e-6 * expected.max())
