"""Claims of Frey et al. 2010, and limits in which the solution is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose, Infusion
from carsim_models.frey_2010 import MODEL, population

FINE = Solver(rtol=1e-9)


def test_against_an_independent_solution() -> None:
    """560 mg in an hour, twice: SciPy on the equations as the paper's table states them."""
    CL, V1, Q, V2, VM, KM = 0.3, 3.5, 0.2, 2.9, 7.5, 2.7
    hour = 1.0 / 24.0

    def slope(t: float, y: np.ndarray, rate: float) -> list[float]:
        c = y[0] / V1
        lost = CL / V1 * y[0] + VM * c / (KM + c)
        return [
            rate - lost - Q / V1 * y[0] + Q / V2 * y[1],
            Q / V1 * y[0] - Q / V2 * y[1],
        ]

    points = [hour, 14.0, 28.0, 28.0 + hour, 42.0, 56.0]
    y, expected = np.zeros(2), []
    for begin, end in zip([0.0, *points[:-1]], points, strict=True):
        rate = 560.0 / hour if begin in (0.0, 28.0) else 0.0
        solution = solve_ivp(slope, (begin, end), y, "LSODA", args=(rate,), rtol=1e-11, atol=1e-11)
        y = solution.y[:, -1]
        expected.append(y)
    result = simulate(
        MODEL,
        therapy={"toci": Infusion("tocilizumab", 0.0, amount=560.0, duration=hour, every=28.0)},
        stop=56.0,
        save_at=points,
        outputs=["central", "peripheral"],
        solver=FINE,
    )
    found = np.stack([result["central"], result["peripheral"]], axis=1)
    # 1e-4 mg is what the states need not resolve.
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-6, atol=1e-4)


def test_saturable_clearance_matters_at_low_concentrations_only() -> None:
    """Twice the dose: more than twice the exposure, far more than twice the trough."""
    result = simulate(
        MODEL,
        therapy={"toci": Dose("tocilizumab", np.array([280.0, 560.0]), 0.0, every=28.0)},
        stop=336.0,
        save_at=[1e-6, 335.999],
        outputs=["concentration", "clearance"],
    )
    trough = result["concentration"].to_numpy()[:, 1]
    assert trough[1] > 5.0 * trough[0]
    at_peak, at_trough = result["clearance"].to_numpy()[1]
    # 7.5 mg/day over the concentration is what saturation leaves, 0.3 L/day the linear part.
    assert at_peak == pytest.approx(0.3 + 7.5 / (2.7 + 160.0), rel=1e-3)
    assert at_trough > 2.0 * at_peak


def test_linear_limit_has_its_area_from_dose_over_clearance() -> None:
    result = simulate(
        MODEL,
        parameters={"VM": 0.0},
        therapy={"toci": Dose("tocilizumab", 560.0, 0.0)},
        stop=1000.0,
        save_at=np.linspace(0.0, 1000.0, 20001),
        outputs=["concentration"],
        solver=FINE,
    )
    area = np.trapezoid(result["concentration"], result["time"])
    assert area == pytest.approx(560.0 / 0.3, rel=1e-4)


def test_the_population_varies_as_published() -> None:
    drawn = population(20000, seed=2).sample(MODEL)
    logs = {name: np.log(values) for name, values in drawn.parameters.items()}
    women = drawn.labels["sex"] == "female"
    assert women.mean() == pytest.approx(0.82, abs=0.01)
    assert np.exp(np.median(logs["CL"][women])) == pytest.approx(0.84 * 0.3, rel=0.01)
    assert np.exp(np.median(logs["CL"][~women])) == pytest.approx(0.3, rel=0.02)
    for name, cv in {"V1": 0.37, "V2": 0.66, "VM": 0.54}.items():
        values = drawn.parameters[name]
        assert values.std() / values.mean() == pytest.approx(cv, rel=0.05), name
    pairs = {("CL", "V1"): 0.6, ("CL", "V2"): -0.1, ("CL", "VM"): -0.5, ("V1", "V2"): 0.5}
    for (first, second), r in pairs.items():
        found = np.corrcoef(logs[first][women], logs[second][women])[0, 1]
        assert found == pytest.approx(r, abs=0.02), (first, second)
