"""Claims of Dahari et al. 2009."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.dahari_2009 import MODEL

DAYS = [0.0, 2.0, 7.0, 14.0, 28.0, 56.0, 84.0, 168.0, 365.0]
FINE = Solver(rtol=1e-9)


def test_untreated_steady_state() -> None:
    y, p = MODEL.initial_state(MODEL.parameter_values({"eps": 0.0, "eta": 0.0}))
    np.testing.assert_allclose(y[0], [3.29e5, 8.53e6, 2.25e8], rtol=2e-3)
    change = np.array(MODEL.derivatives(0.0, y[0], p[0]))
    np.testing.assert_allclose(change / y[0], 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "total", "expected"),
    [
        # Rows of Figure 2A, recomputed from the caption's parameters, and B and C below them.
        ({}, 0.88, [8.35, 7.70, 7.69, 7.69, 7.69, 7.69, 7.69, 7.69, 7.69]),
        ({}, 0.92, [8.35, 7.52, 7.40, 7.28, 7.16, 7.06, 7.02, 7.00, 7.00]),
        ({}, 0.94, [8.35, 7.40, 7.20, 6.98, 6.64, 6.13, 5.68, 4.41, 1.48]),
        ({"r_ratio": 2.0}, 0.97, [8.62, 7.41, 7.40, 7.40, 7.39, 6.30, 4.63, -0.37]),
        (
            {"r_ratio": 1.25, "rho": 0.01},
            0.94,
            [8.65, 7.73, 7.69, 7.62, 7.38, 6.84, 6.32, 4.81, 1.29],
        ),
    ],
    ids=["flat", "intermediate", "biphasic", "shoulder", "with cure"],
)
def test_patterns_of_decline(
    parameters: dict[str, float], total: float, expected: list[float]
) -> None:
    values = {**parameters, "eta": 0.5, "eps": 1.0 - (1.0 - total) / 0.5}
    days = DAYS[: len(expected)]
    result = simulate(
        MODEL, parameters=values, stop=days[-1], save_at=days, outputs=["log10_virus"], solver=FINE
    )
    # Expected values are rounded to 0.01; the parameters of the caption to two digits or three.
    np.testing.assert_allclose(result["log10_virus"], expected, atol=0.02)


def test_critical_effectiveness() -> None:
    """Published 0.934; 0.930 with b as rounded in the caption."""
    result = simulate(MODEL, stop=1.0, save_at=[0.0], outputs=["critical_effectiveness"])
    assert float(result["critical_effectiveness"][0]) == pytest.approx(0.930, abs=1e-3)
    assert float(result["critical_effectiveness"][0]) == pytest.approx(0.934, abs=5e-3)


def test_biphasic_decline_without_new_infection() -> None:
    """Closed form of Nowak 1996: no infection, no proliferation, production blocked by eps."""
    eps, delta, c = 0.99, 0.06, 0.67
    times = np.linspace(0.0, 60.0, 61)
    result = simulate(
        MODEL,
        parameters={"eta": 1.0, "eps": eps, "delta": delta, "c": c, "r_T": 1e-30, "r_ratio": 1.0},
        initial={"T": 1e6, "I": 1e6, "V": 92.3 * 1e6 / c},
        stop=60.0,
        save_at=times,
        outputs=["V"],
        solver=Solver(rtol=1e-10),
    )
    first = (c * eps - delta) / (c - delta)
    expected = first * np.exp(-c * times) + (1.0 - first) * np.exp(-delta * times)
    np.testing.assert_allclose(result["V"] / result["V"][0], expected, rtol=1e-6)
