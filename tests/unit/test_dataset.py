"""Results: names, units, provenance and words about failures, from hand-made arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from carsim.dataset import assemble, describe_failure, rebuild_scenario, validate
from carsim.engine.plan import Trajectories
from carsim.engine.status import Status
from carsim.errors import CarsimError, ScenarioError
from carsim.metrics import AreaUnder, FirstAbove, Maximum
from carsim.model import Model
from carsim.population import Component, LogNormal, Mixture, Population
from carsim.registry import load_model
from carsim.scenario import Prepared, Scenario, Solver, prepare
from carsim.therapy import (
    Discontinue,
    Dose,
    Hazard,
    Infusion,
    Item,
    Regimen,
    Reset,
    Rule,
    SetParameter,
    SetState,
    Window,
)
from carsim.therapy.rules import Action

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))
PILL = Dose("oral", 1.0, at=0)


def made_up(prepared: Prepared, **changes: Any) -> Trajectories:
    """Trajectories as the engine would return them, filled with plain numbers."""
    n, times = prepared.n_patients, prepared.save.times
    outputs, metrics = len(prepared.outputs), len(prepared.metrics)
    values: dict[str, Any] = {
        "saved": np.arange(float(outputs * n * times.size)).reshape(outputs, n, times.size),
        "metrics": np.arange(float(metrics * n)).reshape(metrics, n),
        "status": np.zeros(n, dtype=np.int64),
        "n_steps": np.full(n, 20),
        "n_rejected": np.full(n, 3),
        "final_time": np.full(n, prepared.scenario.last_stop),
        "final_state": np.ones((n, len(MODEL.states))),
        "doses": np.zeros((n, len(prepared.items) + len(prepared.rules)), dtype=np.int64),
        "log_count": np.zeros(n, dtype=np.int64),
        "log_time": np.full((n, 2), np.nan),
        "log_event": np.zeros((n, 2), dtype=np.int64),
        "log_value": np.full((n, 2), np.nan),
        "lane_steps": 0,
    }
    return Trajectories(**{**values, **changes})


def one_patient(**fields: Any) -> Prepared:
    return prepare(
        Scenario(
            MODEL,
            **{
                "stop": 4.0,
                "save_at": [0.0, 2.0, 4.0],
                "outputs": ["concentration", "central"],
                "metrics": {"peak": Maximum("concentration"), "area": AreaUnder("concentration")},
                **fields,
            },
        )
    )


def three_patients(**fields: Any) -> Prepared:
    population = Population(
        3,
        seed=0,
        parameters={"CL": LogNormal(1.0, cv=0.3, upper=30.0)},
        mixture=Mixture("kind", (Component("a"), Component("b", 2.0, ("large",))), stratified=True),
    )
    return one_patient(population=population, **fields)


def test_one_patient_has_no_patient_dimension() -> None:
    result = assemble(prepared := one_patient(), made_up(prepared))
    assert result["concentration"].dims == ("time",)
    assert result["peak"].dims == result["status"].dims == ()
    assert result["time"].values.tolist() == [0.0, 2.0, 4.0]
    assert result["central"].values.tolist() == [3.0, 4.0, 5.0]
    assert float(result["area"]) == 1.0
    validate(result)


def test_ensemble_has_patients_with_their_parameters_and_labels() -> None:
    result = assemble(prepared := three_patients(), made_up(prepared))
    assert result["concentration"].dims == ("patient", "time")
    assert result["peak"].dims == result["n_steps"].dims == ("patient",)
    assert result["patient"].values.tolist() == [0, 1, 2]
    assert result["CL"].dims == ("patient",)
    assert set(result["kind"].values) == {"a", "b"}
    assert result["CL"].attrs["carsim_units"] == "L/day"
    assert result["concentration"].sel(patient=2, time=4.0) == 8.0
    validate(result)


def test_variables_have_units_and_words() -> None:
    result = assemble(prepared := one_patient(), made_up(prepared))
    assert result["concentration"].attrs == {
        "units": "mg L-1",
        "carsim_units": "mg/L",
        "long_name": "plasma concentration",
    }
    assert result["time"].attrs["units"] == "d"
    assert result["time"].attrs["carsim_units"] == "day"
    assert result["area"].attrs["carsim_units"] == "day*mg/L"
    meanings = result["status"].attrs["flag_meanings"].split()
    flags = dict(zip(result["status"].attrs["flag_values"].tolist(), meanings, strict=True))
    assert flags[Status.SUCCESS] == "success"
    assert flags[Status.NON_FINITE] == "non_finite"


def test_values_that_differ_between_patients_are_coordinates() -> None:
    therapy = {"drip": Infusion("iv", 0.0, stop=np.array([1.0, 2.0, 3.0]), rate=1.0)}
    prepared = three_patients(
        therapy=therapy,
        metrics={"CL": Maximum("concentration")},
        initial={"central": np.array([1.0, 2.0, 3.0])},
        stop=np.array([4.0, 4.0, 5.0]),
    )
    result = assemble(prepared, made_up(prepared))
    assert result["initial.central"].values.tolist() == [1.0, 2.0, 3.0]
    assert result["simulation_stop"].values.tolist() == [4.0, 4.0, 5.0]
    assert result["therapy.drip.stop"].values.tolist() == [1.0, 2.0, 3.0]
    assert "parameter:CL" in result.coords  # a metric took the name
    assert "CL" in result.data_vars


def test_failed_patient_is_nan_everywhere_and_never_zero() -> None:
    prepared = three_patients()
    status = np.array([0, Status.NON_FINITE, 0])
    result = assemble(prepared, made_up(prepared, status=status))
    for name in ("concentration", "central", "peak", "area"):
        assert np.isnan(result[name].sel(patient=1)).all()
        assert np.isfinite(result[name].sel(patient=[0, 2])).all()
    assert result["status"].values.tolist() == [0, 3, 0]
    assert result.attrs["failures"].startswith(
        "1 of 3 patients failed (1 non_finite). The first: one_compartment: patient 1 stopped at"
    )
    validate(result)


def test_event_log_is_tidy() -> None:
    therapy = {"dose": Dose("iv", 1.0, at=0), "alarm": Rule("central", above=1.0)}
    prepared = three_patients(therapy=therapy)
    result = assemble(
        prepared,
        made_up(
            prepared,
            log_count=np.array([1, 0, 5]),
            log_time=np.array([[1.0, np.nan], [np.nan, np.nan], [2.0, 3.0]]),
            log_event=np.array([[0, 0], [0, 0], [-1, -3]]),
            log_value=np.array([[0.5, np.nan], [np.nan, np.nan], [0.1, 0.2]]),
        ),
    )
    assert result["event_patient"].values.tolist() == [0, 2, 2]
    assert result["event_time"].values.tolist() == [1.0, 2.0, 3.0]
    assert result["event_name"].values.tolist() == ["alarm", "extinct:depot", "extinct:clock"]
    assert result["event_action"].values.tolist() == ["note", "", ""]
    assert result["event_value"].values.tolist() == [0.5, 0.1, 0.2]
    assert "3 further firings" in result["event_name"].attrs["note"]


def test_event_log_says_what_was_done() -> None:
    both = Regimen({"stop": Rule("central", above=2.0, do=Discontinue("pill")), "pill": PILL})
    rules: dict[str, tuple[tuple[Action, ...], str]] = {
        "dose": ((Dose("oral", 3.0, every=2.0),), "give 3 mg oral every 2 days"),
        "drip": ((Infusion("iv", rate=3.0),), "infuse 3 mg/day iv"),
        "bag": ((Infusion("iv", amount=3.0, duration=1.0),), "infuse 3 mg iv"),
        "named": ((Infusion("iv", rate="ka"),), "infuse ka mg/day iv"),
        "factor": ((Window("one", scale=0.5),), "multiply one by 0.5"),
        "value": ((Window("one", value=np.array([1.0, 2.0, 4.0])),), "hold one at 1 to 4"),
        "several": ((Dose("iv", [1.0, 2.0], at=[0, 1]),), "give 1 to 2 mg iv"),
        "end": ((Discontinue("dose"),), "discontinue dose"),
        "set": ((SetParameter("one", 2.0), SetState("clock", 0.0)), "set one to 2; set clock to 0"),
        "wash": ((Reset(states=("central",)), Reset()), "reset central; reset all states"),
        "nothing": ((), "note"),
    }
    therapy: dict[str, Item] = {
        name: Rule("central", above=1.0, do=actions) for name, (actions, _) in rules.items()
    }
    therapy |= {"chance": Hazard(0.1, do=Dose("iv", 1.0)), "both": both}
    prepared = three_patients(therapy=therapy)
    events = np.arange(len(prepared.rules))
    logged = np.tile(events, (3, 1))
    count, numbers = np.array([events.size, 0, 0]), np.ones(logged.shape)
    result = assemble(
        prepared,
        made_up(prepared, log_count=count, log_time=numbers, log_event=logged, log_value=numbers),
    )
    assert result["event_name"].values.tolist() == [*rules, "chance", "both.stop"]
    assert result["event_action"].values.tolist() == [
        *(words for _, words in rules.values()),
        "give 1 mg iv",
        "discontinue both.pill",
    ]
    validate(result)


def test_doses_are_counted_by_the_items_that_give_any() -> None:
    therapy = {
        "alarm": Rule("central", above=1.0),
        "pill": PILL,
        "block": Window("one", scale=0.5, start=1.0),
        "rescue": Rule("central", above=2.0, do=[SetState("clock", 0.0), Dose("iv", 1.0)]),
        "drip": Infusion("iv", 0.0, stop=1.0, rate=1.0),
    }
    prepared = three_patients(therapy=therapy)
    assert (*prepared.items, *prepared.rules) == ("pill", "block", "drip", "alarm", "rescue")
    given = np.arange(15).reshape(3, 5)
    result = assemble(prepared, made_up(prepared, doses=given))
    assert result["doses_given"].dims == ("patient", "item")
    assert result["item"].values.tolist() == ["pill", "drip", "rescue"]
    assert result["doses_given"].values.tolist() == given[:, [0, 2, 4]].tolist()
    assert int(result["doses_given"].sel(patient=1, item="drip")) == 7
    validate(result)
    alone = assemble(one := one_patient(therapy=therapy), made_up(one, doses=given[:1]))
    assert alone["doses_given"].dims == ("item",)
    validate(alone)
    none = assemble(nobody := one_patient(), made_up(nobody))
    assert "doses_given" not in none
    assert "item" not in none.coords


def test_attributes_say_how_the_result_was_made() -> None:
    prepared = one_patient(solver=Solver(rtol=1e-7))
    attrs = assemble(prepared, made_up(prepared)).attrs
    assert attrs["model"] == "one_compartment"
    assert attrs["model_hash"] == MODEL.hash
    assert (attrs["solver"], attrs["rtol"]) == ("rodas5p", 1e-7)
    assert set(json.loads(attrs["versions"])) == {"numpy", "numba", "xarray"}
    assert attrs["created_at"].endswith("+00:00")
    assert "failures" not in attrs
    cited = prepare(Scenario(load_model("stein_2019"), stop=1.0))
    stein = assemble(cited, _plain(cited))
    assert "doi:10." in stein.attrs["references"]


def _plain(prepared: Prepared) -> Trajectories:
    states = len(prepared.model.states)
    return made_up(prepared, final_state=np.ones((prepared.n_patients, states)))


def test_scenario_is_rebuilt_from_the_attributes() -> None:
    prepared = three_patients()
    attrs = assemble(prepared, made_up(prepared)).attrs
    assert rebuild_scenario(attrs) == prepared.scenario
    assert rebuild_scenario(attrs, MODEL).model is MODEL
    with pytest.raises(CarsimError, match=r"no attribute 'scenario'. Give the attrs of a result"):
        rebuild_scenario({})
    changed = json.loads(attrs["scenario"])
    changed["model"]["hash"] = ""
    with pytest.raises(ScenarioError, match="has changed since"):
        rebuild_scenario({"scenario": json.dumps(changed)})


def test_result_survives_a_file(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(1, 2, 20_000)
    prepared = prepare(Scenario(MODEL, parameters={"V": values}, stop=4.0))
    result = assemble(prepared, made_up(prepared))
    assert len(result.attrs["scenario"]) > 70_000  # longer than the old limit of HDF5 attributes
    result.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as again:
        again.load()
    validate(again)
    assert again["maximum_concentration"].dtype == np.float64
    again_scenario = rebuild_scenario(again.attrs)
    assert again_scenario == prepared.scenario
    assert again.attrs["note"] == prepared.keep.note


def test_time_stays_a_float_in_a_file(tmp_path: Path) -> None:
    result = assemble(prepared := one_patient(), made_up(prepared))
    result.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as again:
        assert again["time"].dtype == np.float64
        assert again["area"].dtype == np.float64


def test_first_above_that_never_happens_is_nan_without_failure() -> None:
    prepared = one_patient(metrics={"first": FirstAbove("central", 9.0)})
    result = assemble(prepared, made_up(prepared, metrics=np.array([[np.nan]])))
    assert np.isnan(float(result["first"]))
    assert "failures" not in result.attrs


def test_tolerance_check_reports_the_largest_difference() -> None:
    prepared = one_patient()
    coarse = made_up(prepared)
    saved = coarse.saved.copy()
    saved[1, 0, 2] *= 1.001
    result = assemble(prepared, coarse, made_up(prepared, saved=saved))
    assert result.attrs["tolerance_check"] == (
        "against stricter tolerances: largest difference 0.001 of the largest central"
    )


def test_validate_lists_everything_that_is_wrong() -> None:
    prepared = three_patients()
    result = assemble(prepared, made_up(prepared))
    del result.attrs["scenario"]
    broken = result.drop_vars("n_steps").assign(extra=("cell", [1.0]))
    with pytest.raises(CarsimError, match="attribute 'scenario' is missing") as error:
        validate(broken)
    assert "variable 'n_steps' is missing" in str(error.value)
    assert "variable 'extra' has dimensions ('cell',)" in str(error.value)
    assert "variable 'extra' has no attribute 'units'" in str(error.value)
    failed = assemble(prepared, made_up(prepared))
    failed["status"][1] = 3
    with pytest.raises(CarsimError, match="variable 'peak' has values of failed patients"):
        validate(failed)


# Failures


def test_failure_is_told_with_time_state_solver_and_what_to_try() -> None:
    prepared = three_patients()
    text = describe_failure(
        prepared,
        made_up(
            prepared,
            status=np.array([0, 0, Status.MAX_STEPS]),
            final_time=np.array([4.0, 4.0, 1.25]),
            final_state=np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, np.nan, np.inf]]),
        ),
        2,
    )
    for words in (
        "one_compartment: patient 2 stopped at t = 1.25 day of 4: used up its steps; raise max_st",
        "depot = 1 mg, central = nan mg (first not finite), clock = inf day",
        "Solver rodas5p, rtol 1e-05, 20 steps, 3 rejected.",
        "The equations in plain Python give there d(central)/dt = nan.",
    ):
        assert words in text


def test_failure_points_to_implausible_parameters_and_the_fastest_state() -> None:
    prepared = one_patient(parameters={"CL": 80.0})
    text = describe_failure(prepared, made_up(prepared, status=np.array([2])), 0)
    assert text.startswith("one_compartment: stopped at t = 4 day of 4: needed a step below")
    assert "Check CL = 80 L/day (plausible 0.1 to 10)." in text
    assert "finite there; fastest is central, d/dt = -2.5 mg/day." in text


def test_patient_that_could_not_begin_is_described_by_its_initial_state() -> None:
    prepared = one_patient()
    nothing = np.full((1, 3), np.nan)
    trajectories = made_up(
        prepared, status=np.array([3]), final_state=nothing, final_time=np.array([np.nan])
    )
    assert "stopped at t = 0 day of 4" in describe_failure(prepared, trajectories, 0)


def test_error_inside_the_equations_is_part_of_the_diagnosis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = one_patient()

    def broken(*_: object) -> list[float]:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(MODEL, "derivatives", broken)
    text = describe_failure(prepared, made_up(prepared, status=np.array([3])), 0)
    assert text.endswith("fail there: ZeroDivisionError: division by zero.")
