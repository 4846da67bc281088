"""Chaudhury et al. 2020, Eqs S1-S3, and the file that BioModels keeps of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from carsim.metrics import Minimum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.chaudhury_2020b import MODEL

FINE = Solver(rtol=1e-9)


def test_against_the_solution_for_the_logarithm_of_the_tumor() -> None:
    """With u = ln U nothing vanishes: the tumor is followed below 1e-100 without any guard."""

    def log_tumor(t: float, u: Any) -> list[float]:
        car_t = 10.0 * np.exp(t) if t <= 9.3 else 10.0 * np.exp(9.3 - 0.1612 * (t - 9.3))
        cure = 1.0 / (1.0 + 1e-3 * np.exp(min(-3.0 * u[0], 700.0)))
        return [cure * 0.3 * (1.0 - u[0] / np.log(100.0)) - 0.0007 * car_t]

    times = np.linspace(0.0, 12.0, 121)
    solution = solve_ivp(
        log_tumor, (0.0, 12.0), [np.log(900.0)], "LSODA", times, rtol=1e-10, atol=1e-10
    )
    assert solution.y[0, -1] < np.log(1e-80)
    result = simulate(MODEL, stop=12.0, save_at=times, outputs=["U", "C_E"], solver=FINE)
    np.testing.assert_allclose(result["U"], np.exp(solution.y[0]), rtol=1e-5, atol=1e-9)


def test_the_eradicated_tumor_stays_eradicated() -> None:
    result = simulate(
        MODEL,
        stop=2000.0,
        save_at=[2000.0],
        outputs=["U", "C_P"],
        metrics={"least": Minimum("U")},
        on_failure="raise",
    )
    assert 0.0 <= float(result["U"][0]) < 1e-9
    assert float(result["least"]) >= -1e-9


def test_values_are_those_of_the_file(suites: Path) -> None:
    (file,) = (suites / "biomodels" / "sbml").glob("chaudhury2020*MODEL2109110005.xml")
    root = ET.parse(file).getroot()
    found = {
        element.get("name") or element.get("id"): float(element.get("value", "nan"))
        for element in root.iter()
        if element.tag.endswith("}parameter")
    }
    ours = dict(zip(MODEL.parameter_names, MODEL.parameter_values()[0], strict=True))
    for name in ("rho", "k_E", "g", "d", "k_EP", "beta", "U_crit", "U_max", "h", "T_max"):
        assert ours[name] == found[name], name
