"""Claims of Barros et al. 2021 (CARTmath), and the file that BioModels curates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.metrics import Maximum, ValueAt
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose
from carsim_models.barros_2021 import MODEL

FINE = Solver(rtol=1e-9)


def test_against_two_independent_engines(suites: Path) -> None:
    """The curated file doses on day 45."""
    folder = suites / "biomodels" / "trajectories"
    (file,) = folder.glob("barros2021*BIOMD0000001019.csv")
    reference = np.genfromtxt(file, delimiter=",", names=True)
    result = simulate(
        MODEL,
        therapy={"car_t": Dose("car_t", 2e6, at=45.0)},
        stop=100.0,
        save_at=reference["time"],
        outputs=["C_T", "C_M", "T"],
        solver=FINE,
    )
    for name, column in (("C_T", "Ct"), ("C_M", "Cm"), ("T", "T")):
        expected = reference[column]
        # The two engines agree to 1e-6 of the maximum of a column.
        np.testing.assert_allclose(result[name], expected, rtol=1e-6, atol=1e-6 * expected.max())


@pytest.mark.parametrize(
    ("effectors", "memory", "tumor"),
    [(15205.202579, 263.365926, 1442519.91365), (15205.233352, 197518.706364, 1091.197465757)],
)
def test_two_equilibria_of_coexistence(effectors: float, memory: float, tumor: float) -> None:
    """Section 2.3 gives (1.5205e4, 263, 1.442522e6) and (1.5205e4, 1.97519e5, 1.089e3)."""
    p = MODEL.parameter_values()[0]
    change = MODEL.derivatives(0.0, [effectors, memory, tumor], p)
    scale = np.array([0.35 * effectors, 0.15 * effectors, 0.0565 * tumor])
    np.testing.assert_allclose(np.array(change) / scale, 0.0, atol=1e-7)


def test_dose_of_a_tenth_lets_the_tumor_escape() -> None:
    """Fig 4a-c: 1.5e6 eliminate, 0.5e6 leave residual disease, 0.2e6 fail without memory."""
    result = simulate(
        MODEL,
        therapy={"car_t": Dose("car_t", np.array([1.5e6, 5e5, 2e5]), at=42.0)},
        stop=500.0,
        save_at=[150.0, 300.0, 500.0],
        outputs=["T", "C_M", "C_T"],
        solver=FINE,
    )
    tumor, memory = result["T"].to_numpy(), result["C_M"].to_numpy()
    assert not tumor[0].any()
    assert np.all((tumor[1] > 1.0) & (tumor[1] < 8e5))
    assert tumor[1, 2] > tumor[1, 0]
    assert tumor[2, 1] > 1e10
    assert memory[2, 2] == result["C_T"][2, 2] == 0.0
    assert np.all(memory[0] > memory[1])


def test_memory_rejects_a_second_tumor_within_days() -> None:
    therapy = {"car_t": Dose("car_t", 2e6, at=42.0), "tumor": Dose("tumor", 1e6, at=250.0)}
    naive = {"tumor": therapy["tumor"]}
    with_memory, without = (
        simulate(
            MODEL,
            therapy=chosen,
            initial={"C_M": 0.0},
            stop=300.0,
            save_at=[262.0],
            outputs=["T"],
            metrics={"effectors": Maximum("C_T", 250.5, 300.0)},
            solver=FINE,
        )
        for chosen in (therapy, naive)
    )
    assert float(with_memory["T"][0]) == 0.0
    assert float(with_memory["effectors"]) > 1e6
    assert float(without["T"][0]) > 1e11


def test_inhibitor_of_ido_restores_the_response() -> None:
    """Fig 3c-d: with 1-MT effectors expand more and the tumor is smaller, close to the control."""
    tumor, effectors = {}, {}
    for name in ("raji", "raji_ido", "raji_ido_1mt"):
        result = simulate(
            MODEL,
            variants=[name],
            therapy={"car_t": Dose("car_t", 1e7, at=7.0)},
            stop=20.0,
            save_at=[],
            metrics={"tumor": ValueAt("T", 14.0), "effectors": Maximum("C_T")},
            solver=FINE,
        )
        tumor[name], effectors[name] = float(result["tumor"]), float(result["effectors"])
    assert tumor["raji"] < tumor["raji_ido_1mt"] < tumor["raji_ido"]
    assert effectors["raji"] > effectors["raji_ido_1mt"] > effectors["raji_ido"]


def test_stiff_raji_set_agrees_between_methods() -> None:
    """theta T is above 2e4 a day: an explicit method needs steps of its inverse."""
    courses, steps = {}, {}
    for method, rtol in (("rodas5p", 1e-8), ("rodas4", 1e-8), ("dormand_prince", 1e-6)):
        result = simulate(
            MODEL,
            variants=["raji"],
            therapy={"car_t": Dose("car_t", 1e7, at=7.0)},
            stop=9.0,
            save_at=[7.0, 7.5, 8.0, 9.0],
            outputs=["C_T", "C_M", "T"],
            solver=Solver(method=method, rtol=rtol),
            on_failure="raise",
        )
        courses[method] = np.stack([result[name].to_numpy() for name in ("C_T", "C_M", "T")])
        steps[method] = int(result["n_steps"])
    np.testing.assert_allclose(courses["rodas4"], courses["rodas5p"], rtol=1e-6)
    np.testing.assert_allclose(courses["dormand_prince"], courses["rodas5p"], rtol=1e-4)
    assert steps["dormand_prince"] > 50 * steps["rodas5p"]
