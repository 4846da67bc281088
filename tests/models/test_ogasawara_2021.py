"""Ogasawara et al. 2021: the equations against their closed form."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.engine.tableaus import METHODS
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Window
from carsim_models.ogasawara_2021 import MODEL

TIMES = np.linspace(0.0, 365.0, 731)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_switches_are_found_by_step_size_control(method: str) -> None:
    # Error control holds the local error; the explicit method steps over the end of the lag, where
    # nothing changes before it, with 570 times the tolerance at 1e-7 and 970 times at 1e-8.
    result = simulate(MODEL, stop=365.0, save_at=TIMES, solver=Solver(method=method, rtol=1e-8))
    np.testing.assert_allclose(result["transgene"], result["transgene_closed_form"], rtol=2e-5)


def test_stops_at_the_switches_are_exact() -> None:
    nothing = Window("F_B", value=0.0079, start=[3.27, 9.29], stop=[4.0, 10.0])
    result = simulate(
        MODEL, stop=365.0, save_at=TIMES, therapy={"stop": nothing}, solver=Solver(rtol=1e-9)
    )
    np.testing.assert_allclose(result["transgene"], result["transgene_closed_form"], rtol=1e-6)


def test_level_at_the_start_follows_the_times() -> None:
    given = {"t_lag": np.array([3.27, 2.0]), "T_max": np.array([9.29, 10.0])}
    result = simulate(
        MODEL,
        parameters=given,
        stop=5.0,
        save_at=[0.0, 1.0],
        outputs=["transgene"],
        solver=Solver(rtol=1e-9),
    )
    expected = 2.0 ** (-np.array([9.29 - 3.27, 8.0]) / 0.755)
    np.testing.assert_allclose(result["transgene"], np.stack([expected, expected], 1), rtol=1e-6)
