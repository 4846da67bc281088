"""Chen et al. 2019: what the equations of the release say exactly, and what priming does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from carsim.metrics import Maximum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose, Window
from carsim_models.chen_2019 import MODEL

FINE = Solver(rtol=1e-9)
SECOND = Window("n", value=2.0, start=168.0)


def test_release_at_constant_drug_has_a_first_integral() -> None:
    """Without degradation Cyt^2 / 2 = R IC ln(1 + AUC / IC), R the uninhibited release."""
    for n in (1.0, 2.0, 3.0):
        result = simulate(
            MODEL,
            parameters={"CL": 0.0, "k_deg": 0.0, "n": n},
            initial={"C_pla": 0.1},
            stop=300.0,
            save_at=np.linspace(1.0, 300.0, 100),
            outputs=["Cyt", "AUC"],
            solver=FINE,
        )
        release, half = 3590.0 * 1.0 / (10.0 + 1.0), 182.0 / 2.83 ** (n - 1.0)
        exposure = result["AUC"].to_numpy()
        np.testing.assert_allclose(
            result["Cyt"].to_numpy() ** 2 / 2.0,
            release * half * np.log1p(exposure / half),
            rtol=1e-6,
        )


def second_peak(first: float, **parameters: Any) -> float:
    result = simulate(
        MODEL,
        parameters=parameters,
        therapy={"n": SECOND, "drug": Dose("drug", (first, 300.0), at=(0.0, 168.0))},
        stop=336.0,
        save_at=[],
        metrics={"peak": Maximum("Cyt", 169.0, 336.0)},
        solver=FINE,
    )
    return float(result["peak"])


def test_a_priming_dose_lowers_the_release_after_the_next_one() -> None:
    without = second_peak(0.0, K=1.0)
    # Without a first dose and without priming the second one is like the first.
    assert without == pytest.approx(332.9593, rel=1e-4)
    assert second_peak(60.0) < 0.1 * without
    assert second_peak(60.0) < second_peak(20.0) < second_peak(5.0) < without


def test_priming_acts_beyond_the_exposure_itself() -> None:
    assert second_peak(60.0, K=2.83) < second_peak(60.0, K=1.0)


def test_the_drug_leaves_by_its_clearance() -> None:
    result = simulate(
        MODEL,
        therapy={"drug": Dose("drug", 310.0, at=0.0)},
        stop=248.0,
        save_at=[0.0, 248.0],
        outputs=["C_pla"],
        solver=FINE,
    )
    np.testing.assert_allclose(result["C_pla"], [0.1, 0.1 * np.exp(-1.0)], rtol=1e-7)
