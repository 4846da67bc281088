"""Claims of Lewin et al. 2001, and of the two-phase closed form."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Window
from carsim_models.lewin_2001 import MODEL

FINE = Solver(rtol=1e-9)
LANDS_ON_THE_DELAY = {"begin": Window("V_unit", start=1.6, scale=1.0)}


def test_untreated_steady_state_holds_until_therapy_acts() -> None:
    """On initiation of therapy, there was a mean delay of 1.6 days."""
    result = simulate(
        MODEL,
        therapy=LANDS_ON_THE_DELAY,
        stop=3.0,
        save_at=[0.0, 1.6, 2.6],
        outputs=["T", "I", "V"],
        solver=FINE,
    )
    for name in ("T", "I", "V"):
        first, delay, _ = result[name].to_numpy()
        # The last stage of the step that ends at the delay sees therapy already.
        assert delay == pytest.approx(first, rel=1e-8)
    assert float(result["V"][2]) < 0.6 * float(result["V"][1])


def test_the_observable_is_the_closed_form() -> None:
    eps = np.array([0.9, 0.988, 0.999])
    c = np.array([0.3, 0.7, 16.6])
    result = simulate(
        MODEL,
        parameters={"eps": eps, "c": c},
        therapy=LANDS_ON_THE_DELAY,
        stop=84.0,
        save_at=np.linspace(0.0, 84.0, 43),
        outputs=["V", "virus_closed_form"],
        solver=Solver(rtol=1e-10),
    )
    np.testing.assert_allclose(result["V"], result["virus_closed_form"], rtol=1e-6)


def test_first_phase_spans_the_effectiveness() -> None:
    """log10(1/(1 - eps)) decades, up to c/(c - delta): drawn back from the second phase."""
    eps = np.array([0.9, 0.94, 0.988, 0.999])
    result = simulate(
        MODEL,
        parameters={"eps": eps},
        stop=85.0,
        save_at=[0.0, 43.6, 83.6],
        outputs=["log10_virus"],
        solver=FINE,
    )
    v = result["log10_virus"].to_numpy()
    slope = (v[:, 1] - v[:, 2]) / 40.0
    np.testing.assert_allclose(slope, 0.09627 / np.log(10.0), rtol=1e-4)
    fall = v[:, 0] - (v[:, 1] + 42.0 * slope)
    expected = -np.log10((1.0 - eps) * 0.6931 / (0.6931 - 0.09627))
    np.testing.assert_allclose(fall, expected, atol=1e-3)


def test_new_infection_under_therapy_slows_the_second_phase() -> None:
    """Existing drug treatments do not completely block de novo infection."""
    result = simulate(
        MODEL,
        parameters={"eps": 0.94, "eta": np.array([1.0, 0.5, 0.0])},
        stop=60.0,
        save_at=[30.0, 60.0],
        outputs=["log10_virus"],
        solver=FINE,
    )
    fall = -np.diff(result["log10_virus"].to_numpy(), axis=1)[:, 0]
    assert fall[0] > 1.05 * fall[1] > 1.05 * 1.05 * fall[2]
