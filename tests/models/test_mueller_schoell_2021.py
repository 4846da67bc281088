"""Claims of Mueller-Schoell et al. 2021, and an independent solution of its equations."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from carsim.metrics import Maximum, Minimum, TimeOfMaximum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.mueller_schoell_2021 import MODEL

FINE = Solver(rtol=1e-9)


def independent(expansion: float, tumor: float, days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equations 5-9 with the numbers of Table 1, one row a state."""
    death = np.array([0.0104, 0.0104, 0.0104, 0.518])
    growth = np.array([0.0005, 0.007, 0.007, 0.0])
    onward = np.array([0.140, 0.191, 0.355, 0.0])
    killing = np.array([2.57, 4.04, 3.78, 4.24])
    expands = np.array([1.0, 1.0, 1.0, 0.0])

    def change(t: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        cells, volume = y[:4], y[4]
        d_cells = (growth - death - onward) * cells
        d_cells += expands * expansion * volume * cells / (1.13 + cells)
        d_cells[1:] += onward[:3] * cells[:3]
        d_volume = 0.0023 * (1.0 - volume / 5000.0) * volume
        d_volume -= killing @ cells * volume / (276.0 + volume)
        return np.append(d_cells, d_volume)

    solution = solve_ivp(
        change,
        (0.0, days[-1]),
        [0.1, 0.1, 0.1, 0.1, tumor],
        method="LSODA",
        t_eval=days,
        rtol=1e-10,
        atol=1e-13,
    )
    return np.asarray(solution.y)


@pytest.mark.parametrize(
    ("variants", "ratio", "tumor", "expansion"),
    [
        (["reference"], 1.0, 85.7, 0.00846),
        (["reference", "prior_asct"], 2.0, 500.0, 0.00846 * 3.53 * 2.0**-0.385),
        (["low_expander"], 2.0, 3555.0, 0.000700),
        (["low_expander", "prior_asct"], 1.0, 2.54, 0.000700 * 3.53),
    ],
)
def test_against_an_independent_solution(
    variants: list[str], ratio: float, tumor: float, expansion: float
) -> None:
    days = np.linspace(0.0, 200.0, 101)
    result = simulate(
        MODEL,
        variants=variants,
        parameters={"CD4_CD8": ratio, "Tum_initial": tumor},
        stop=200.0,
        save_at=days,
        outputs=MODEL.state_names,
        solver=FINE,
    )
    expected = independent(expansion, tumor, days)
    for name, values in zip(("TN", "TCM", "TEM", "TEff", "Tum"), expected, strict=True):
        np.testing.assert_allclose(result[name], values, rtol=1e-6, atol=1e-8)


def test_the_imputed_start_moves_the_time_of_the_peak_more_than_the_peak() -> None:
    """Fig S5: ten times fewer or more cells at the start matter for Tmax only."""
    result = simulate(
        MODEL,
        parameters={"T_initial": np.array([0.01, 0.1, 1.0])},
        stop=60.0,
        save_at=[],
        metrics={"peak": Maximum("car_t"), "day": TimeOfMaximum("car_t")},
    )
    peak, day = result["peak"].to_numpy(), result["day"].to_numpy()
    assert np.ptp(peak) < 0.11 * peak[1]
    assert np.all(np.diff(day) < -4.0)


def test_expansion_drives_the_response() -> None:
    """A class or a covariate that raises expansion lowers the smallest tumor."""
    best = []
    for variants in (["low_expander"], ["low_expander", "prior_asct"], ["reference"]):
        result = simulate(
            MODEL,
            variants=variants,
            stop=365.0,
            save_at=[],
            metrics={"best": Minimum("Tum"), "peak": Maximum("car_t")},
        )
        best.append(float(result["best"]))
    ratios = simulate(
        MODEL,
        parameters={"CD4_CD8": np.array([8.94, 1.0, 0.0512])},
        stop=365.0,
        save_at=[],
        metrics={"best": Minimum("Tum")},
    )
    assert np.all(np.diff(best) < 0.0)
    assert np.all(np.diff(ratios["best"]) < 0.0)


def test_a_low_expander_without_transplant_progresses() -> None:
    result = simulate(
        MODEL,
        variants=["low_expander"],
        stop=365.0,
        save_at=[0.0, 90.0, 365.0],
        outputs=["car_t", "Tum"],
    )
    assert float(result["car_t"].max()) == pytest.approx(0.4)
    assert np.all(np.diff(result["Tum"]) > 0.0)
