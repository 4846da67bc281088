"""Claims of Stein et al. 2019."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.engine.tableaus import METHODS
from carsim.metrics import AreaUnder
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Window
from carsim_models.stein_2019 import MODEL

FINE = Solver(rtol=1e-8)


def test_exposure_of_the_typical_subject() -> None:
    """172 000 copies/ug*day in 28 days: the check published with the parameter table."""
    result = simulate(
        MODEL, stop=28.0, save_at=[], metrics={"auc": AreaUnder("transgene")}, solver=FINE
    )
    assert float(result["auc"]) == pytest.approx(172_000.0, rel=5e-3)


def test_course_of_the_typical_subject() -> None:
    """Values of the published closed form."""
    result = simulate(MODEL, stop=365.0, save_at=[28.0, 90.0, 365.0], solver=FINE)
    np.testing.assert_allclose(result["transgene"], [1373.6, 146.51, 60.745], rtol=1e-3)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_switch_at_the_peak_is_found_by_step_size_control(method: str) -> None:
    times = np.linspace(0.0, 100.0, 401)
    solver = Solver(method=method, rtol=1e-7)
    result = simulate(MODEL, stop=100.0, save_at=times, solver=solver)
    # Error control holds the local error; the growth before the peak multiplies what it leaves.
    np.testing.assert_allclose(result["transgene"], result["transgene_closed_form"], rtol=2e-5)


def test_stop_at_the_peak_is_exact() -> None:
    times = np.linspace(0.0, 100.0, 401)
    nothing = Window("F_toci", value=1.2, start=9.3, stop=10.0)
    result = simulate(MODEL, stop=100.0, save_at=times, therapy={"stop": nothing}, solver=FINE)
    np.testing.assert_allclose(result["transgene"], result["transgene_closed_form"], rtol=1e-6)


def test_tocilizumab_speeds_growth_until_the_peak() -> None:
    given = {"T_toci": 5.0, "F_toci": 1.2}
    result = simulate(MODEL, parameters=given, stop=30.0, save_at=[5.0, 9.3, 30.0], solver=FINE)
    rho = np.log(3900.0) / 9.3
    peak = 24000.0 * np.exp(0.2 * rho * 4.3)
    after = 20.7
    expected = [
        24000.0 / 3900.0 * np.exp(5.0 * rho),
        peak,
        peak * (0.9921 * np.exp(-0.16 * after) + 0.0079 * np.exp(-0.0032 * after)),
    ]
    np.testing.assert_allclose(result["transgene"], expected, rtol=1e-4)


def test_two_drugs_multiply() -> None:
    given = {"T_toci": 3.0, "F_toci": 1.2, "T_ster": 6.0, "F_ster": 0.8}
    result = simulate(MODEL, parameters=given, stop=10.0, save_at=[9.2], solver=FINE)
    rho = np.log(3900.0) / 9.3
    growth = rho * (3.0 + 1.2 * 3.0 + 1.2 * 0.8 * 3.2)
    assert float(result["transgene"][0]) == pytest.approx(24000.0 / 3900.0 * np.exp(growth), 1e-5)
