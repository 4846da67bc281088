"""Courses of a cell: the same patients, the same bits as in the sweep that kept endpoints only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carsim.design import Axis, Design, Grid, List, Single, Sobol
from carsim.metrics import Last, Maximum
from carsim.model import Model
from carsim.population import Component, LogNormal, Mixture, Population
from carsim.registry import load_model
from carsim.scenario import Scenario
from carsim.sweep import Sweep, courses, run
from carsim.therapy import Hazard, Rule, SetParameter, Window

TOY = str(Path(__file__).parent / "toy_hbv.py")

KINDS = Mixture("kind", [Component("slow", 1.0, ["slow"]), Component("fast", 3.0, ["fast"])])
PATIENTS = Population(30, seed=7, parameters={"growth": LogNormal(cv=0.4)}, mixture=KINDS)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(TOY)


def scenario(model: Model, **changes: Any) -> Scenario:
    settings: dict[str, Any] = {
        "therapy": {
            "drug": Window("kill", start=50.0, stop=80.0, scale=1.0),
            "rescue": Rule("hbv_dna", above=5.0, every=7.0, do=SetParameter("kill", 0.03)),
            "cure": Hazard(0.004, do=SetParameter("growth", -0.05)),
            "idle": Rule("hbv_dna", above=1e9, every=28.0),
        },
        "population": PATIENTS,
        "stop": 200.0,
        "save_at": np.linspace(0.0, 200.0, 41),
        "outputs": ["hbv_dna"],
        "metrics": {"peak": Maximum("hbv_dna"), "last": Last("hbv_dna")},
    }
    return Scenario(model, **(settings | changes))


@pytest.mark.parametrize(
    "design",
    [
        Single(),
        Grid([Axis("parameters.kill", [0.0, 0.004]), Axis("therapy.drug.stop", [60.0, 90.0])]),
        Grid([Axis("population.kind", ["fast", "slow"]), Axis("population.seed", [7.0, 8.0])]),
        Grid([Axis("solver.rtol", [1e-4, 1e-7]), Axis("population.parameters.growth.cv", [0.1])]),
        List([Axis("therapy.rescue.above", [4.0, 6.0]), Axis("stop", [200.0, 250.0])]),
        Sobol([Axis("parameters.kill", low=0.0, high=0.01)], points=2, seed=1),
    ],
    ids=["single", "vectors", "kinds and seeds", "structural", "list", "sobol"],
)
def test_the_first_patients_of_each_cell_have_the_bits_of_the_sweep(
    model: Model, design: Design
) -> None:
    sweep = Sweep(scenario(model), design)
    whole = run(sweep)
    for cell in range(sweep.n_cells):
        at = np.unravel_index(cell, design.shape) if design.shape else ()
        found = courses(sweep, cell, 11)
        assert found.sizes["patient"] == 11
        for name in ("peak", "last"):
            expected = whole[name].values[at][:11]
            assert np.array_equal(found[name].values, expected), (cell, name)
        assert np.array_equal(found["n_steps"].values, whole["n_steps"].values[at][:11])
        # The last saved value is the metric of the last value, found on another way.
        if float(found["final_time"][0]) == 200.0:
            end = found["hbv_dna"].values[:, -1]
            assert end == pytest.approx(found["last"].values, rel=1e-12)


def test_the_event_log_holds_what_the_rules_did(model: Model) -> None:
    found = courses(Sweep(scenario(model), Single()), 0)
    names = found["event_name"].values
    assert set(names) == {"rescue", "cure"}
    rescued = np.unique(found["event_patient"].values[names == "rescue"])
    # Without the rule the same patients are at 5 IU/mL or above at some weekly visit.
    free = {"cure": Hazard(0.004, do=SetParameter("growth", -0.05))}
    weekly = scenario(model, therapy=free, save_at=np.arange(0.0, 200.0, 7.0))
    seen = courses(Sweep(weekly, Single()), 0)["hbv_dna"].values
    assert np.array_equal(rescued, np.flatnonzero((seen >= 5.0).any(axis=1)))


def test_one_patient_without_a_population_has_a_patient_dimension(model: Model) -> None:
    found = courses(Sweep(scenario(model, population=None), Single()), 0)
    assert found["hbv_dna"].dims == ("patient", "time")
    assert found.sizes["patient"] == 1


def test_more_patients_than_there_are_is_all_of_them(model: Model) -> None:
    assert courses(Sweep(scenario(model), Single()), 0, 1000).sizes["patient"] == 30


def test_what_does_not_exist_is_refused(model: Model) -> None:
    sweep = Sweep(scenario(model), Single())
    with pytest.raises(IndexError, match="cells 0 to 0"):
        courses(sweep, 1)
    with pytest.raises(ValueError, match="at least one"):
        courses(sweep, 0, 0)
