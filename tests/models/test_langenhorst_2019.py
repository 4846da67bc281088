"""Claims of Langenhorst et al. 2019, and the linear system in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose
from carsim_models.langenhorst_2019 import MODEL

FINE = Solver(rtol=1e-10)


def test_bolus_follows_the_matrix_exponential_of_the_published_equations() -> None:
    """A child of 20 kg with an eGFR of 90 mL/min: all scaled by hand."""
    power, size = (20.0 / 70.0) ** 0.75, 20.0 / 70.0
    CL = (3.24 + 0.782 * 90.0 * 60.0 / 1000.0) * power
    Q2, Q3 = 8.6 * power, 3.8 * power
    V1, V2, V3 = 39.0 * size, 20.0 * size, 50.0 * size
    matrix = np.array(
        [
            [-(CL + Q2 + Q3) / V1, Q2 / V2, Q3 / V3],
            [Q2 / V1, -Q2 / V2, 0.0],
            [Q3 / V1, 0.0, -Q3 / V3],
        ]
    )
    hours = np.array([0.5, 2.0, 6.0, 12.0, 24.0, 48.0])
    expected = np.array([expm(matrix * t) @ [30.0, 0.0, 0.0] for t in hours])
    result = simulate(
        MODEL,
        parameters={"BW": 20.0, "eGFR": 90.0},
        therapy={"flu": Dose("fludarabine", 30.0, 0.0)},
        stop=48.0,
        save_at=hours,
        outputs=["central", "peripheral", "deep", "concentration"],
        solver=FINE,
    )
    for k, name in enumerate(("central", "peripheral", "deep")):
        # 1e-6 mg is what the states need not resolve.
        np.testing.assert_allclose(result[name], expected[:, k], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(result["concentration"], expected[:, 0] / V1, rtol=1e-5)


def test_size_and_renal_function_set_the_clearance() -> None:
    weight = np.array([70.0, 70.0, 70.0, 35.0])
    egfr = np.array([0.0, 60.0, 120.0, 120.0])
    result = simulate(
        MODEL,
        parameters={"BW": weight, "eGFR": egfr},
        stop=1.0,
        save_at=[0.0],
        outputs=["clearance", "renal_share"],
    )
    at_70 = 3.24 + 0.782 * np.array([0.0, 3.6, 7.2, 7.2])
    expected = at_70 * np.array([1.0, 1.0, 1.0, 0.5**0.75])
    np.testing.assert_allclose(result["clearance"][:, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(result["renal_share"][:, 0], 1.0 - 3.24 / at_70, rtol=1e-12)


def test_exposure_by_body_surface_varies_with_weight_and_kidneys() -> None:
    """Dosing by body surface leads to highly variable exposures (key points)."""
    weight = np.array([10.0, 30.0, 70.0, 70.0])
    surface = np.array([0.5, 1.1, 1.85, 1.85])
    egfr = np.array([140.0, 140.0, 110.0, 40.0])
    clearance = (3.24 + 0.782 * 0.06 * egfr) * (weight / 70.0) ** 0.75
    result = simulate(
        MODEL,
        parameters={"BW": weight, "eGFR": egfr},
        therapy={"flu": Dose("fludarabine", 40.0 * surface, 0.0, every=24.0, count=4)},
        stop=1000.0,
        save_at=np.linspace(0.0, 1000.0, 20001),
        outputs=["concentration"],
        solver=Solver(rtol=1e-8),
    )
    area = np.trapezoid(result["concentration"], result["time"], axis=1)
    np.testing.assert_allclose(area, 160.0 * surface / clearance, rtol=1e-2)
    assert area.max() > 1.5 * area.min()


def test_one_factor_moves_all_clearances_and_one_all_volumes() -> None:
    """A factor on all clearances is a change of the clock, on all volumes also one of height."""
    hours = np.array([0.5, 2.0, 8.0, 24.0])
    dose = {"flu": Dose("fludarabine", 50.0, 0.0)}

    def run(times: np.ndarray, **parameters: float) -> np.ndarray:
        result = simulate(
            MODEL,
            parameters=parameters,
            therapy=dose,
            stop=float(times[-1]),
            save_at=times,
            outputs=["concentration"],
            solver=FINE,
        )
        return np.asarray(result["concentration"])

    typical = run(hours)
    np.testing.assert_allclose(run(hours / 1.3, f_CL=1.3), typical, rtol=1e-6)
    np.testing.assert_allclose(run(hours * 1.5, f_V=1.5), typical / 1.5, rtol=1e-6)
    assert typical[0] == pytest.approx(50.0 / 39.0, rel=0.3)
