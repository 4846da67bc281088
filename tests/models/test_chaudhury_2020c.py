"""Chaudhury et al. 2020, Eqs 4-5: what is known of the Lotka-Volterra equations."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.metrics import FirstBelow, Maximum, TimeOfMaximum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.chaudhury_2020c import MODEL

FINE = Solver(rtol=1e-10)


def test_the_orbit_keeps_its_first_integral() -> None:
    result = simulate(
        MODEL, stop=400.0, save_at=np.linspace(0.0, 400.0, 801), outputs=["C", "U"], solver=FINE
    )
    c, u = result["C"].to_numpy(), result["U"].to_numpy()
    integral = 0.0018 * u - 0.16 * np.log(u) + 1.5e-4 * c - 0.15 * np.log(c)
    np.testing.assert_allclose(integral, integral[0], atol=1e-6)


def test_coexistence_does_not_move() -> None:
    p = MODEL.parameter_values()[0]
    np.testing.assert_allclose(
        MODEL.derivatives(0.0, [0.15 / 1.5e-4, 0.16 / 0.0018], p), 0.0, atol=1e-10
    )


def test_every_cycle_is_like_the_first() -> None:
    """Peaks of CAR-T cells follow one another at one distance and height: no cure, no damping."""
    windows = [(0.0, 100.0), (100.0, 200.0), (200.0, 300.0)]
    metrics = {f"peak_{k}": Maximum("C", *window) for k, window in enumerate(windows)}
    days = {f"day_{k}": TimeOfMaximum("C", *window) for k, window in enumerate(windows)}
    result = simulate(
        MODEL,
        stop=400.0,
        save_at=[],
        metrics={**metrics, **days, "gone": FirstBelow("U", 0.002)},
        solver=FINE,
    )
    peak = float(result["peak_0"])
    assert float(result["peak_1"]) == pytest.approx(peak, rel=1e-4)
    assert float(result["peak_2"]) == pytest.approx(peak, rel=1e-4)
    period = float(result["day_1"] - result["day_0"])
    assert float(result["day_2"] - result["day_1"]) == pytest.approx(period, rel=1e-5)
    assert float(result["gone"]) < 30.0
