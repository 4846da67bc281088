# No `from __future__ import annotations`: the records of the model read real annotations.
"""Results: one clock, windows that patients live through, one list of names, labels, one road."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state
from carsim.dataset import validate
from carsim.design import Axis, Grid, List, Single
from carsim.endpoints import (
    BCellAplasia,
    CellularKinetics,
    CRSGrade,
    Endpoint,
    HBVReactivation,
    HepatitisFlare,
    PeakHBVDNA,
    PeakIL6,
    Remission,
    competing_incidence,
    cumulative_incidence,
    draw_deaths,
    first_event,
)
from carsim.errors import CarsimError, ModelError, ScenarioError
from carsim.math import exp, where
from carsim.metrics import (
    AreaUnder,
    FirstAbove,
    FirstBelow,
    Last,
    Maximum,
    Metric,
    Minimum,
    TimeAbove,
    TimeOfMaximum,
    TimeOfMinimum,
    ValueAt,
)
from carsim.names import RESULT_NAMES, free_name
from carsim.population import Component, Mixture, Population
from carsim.scenario import Scenario, keep_of, result_names
from carsim.simulation import simulate
from carsim.sweep import Sweep, digest, rebuild_sweep, rerun, run, run_to_store
from carsim.therapy import Dose

TOY = Assumed("a test")
DECAY = 0.1


class Amounts(State):
    clock: float = state(0.0, "1", "time since the start", TOY)
    drug: float = state(0.0, "1", "what is given", TOY)


class Rates(Parameters):
    k: float = parameter(DECAY, "1/day", "elimination", TOY)
    speed: float = parameter(1.0, "1/day", "speed of the clock", TOY)
    cells: float = parameter(1e11, "cell", "leukemia that comes back", TOY)


def rhs(t: float, y: Amounts, p: Rates) -> Amounts:
    return Amounts(clock=p.speed, drug=-p.k * y.drug)


def course(unit: str, name: str, value: Any) -> Any:
    def of(t: float, y: Amounts, p: Rates) -> Any:
        return value(t, y, p)

    of.__name__ = name
    return observable(unit, name)(of)


OUTPUTS = [
    course("cell/uL", "car_t", lambda t, y, p: y.drug),
    course("pg/mL", "il6", lambda t, y, p: y.drug),
    course("1", "il6_signal", lambda t, y, p: 0.004 * y.drug),
    course("IU/mL", "hbv_dna", lambda t, y, p: 1.0 + 20.0 * y.drug),
    course("IU/mL", "hbsag", lambda t, y, p: 0.0 * y.drug),
    course("U/L", "alt", lambda t, y, p: 20.0 + 4.0 * y.drug),
    course("cell/uL", "b_cells", lambda t, y, p: 100.0 - y.drug),
    course("cell", "leukemia_cd19_positive", lambda t, y, p: p.cells * exp(-1.0 * y.drug)),
    course("cell", "leukemia_cd19_negative", lambda t, y, p: 0.0 * y.drug),
    # Of the sample of two clocks: relapse on day 250, B cells on day 256.
    course("cell/uL", "b_late", lambda t, y, p: where(y.clock < 256.0, 1.0, 100.0)),
    course("cell", "back_late", lambda t, y, p: where(y.clock < 249.0, 1.0, 1e11)),
]
MODEL = Model(
    "toy_results",
    rhs,
    Amounts,
    Rates,
    observables=OUTPUTS,
    routes=[route("iv", "1", "infusion", {"drug": 1.0})],
)
ALL: dict[str, Endpoint] = {
    "kinetics": CellularKinetics(),
    "b_cells": BCellAplasia(),
    "il6": PeakIL6(),
    "crs": CRSGrade(),
    "virus": PeakHBVDNA(),
    "reactivation": HBVReactivation(every=2.0),
    "flare": HepatitisFlare(every=2.0),
    "remission": Remission(every=2.0, relapse=1e10),
}
Array = NDArray[np.float64]


def infused_at(day: float, **changes: Any) -> Scenario:
    fields: dict[str, Any] = {
        "therapy": {"cells": Dose("iv", 100.0, day)},
        "start": day - 5.0,
        "stop": day + 60.0,
        "infusion": day,
        "endpoints": ALL,
        "save_at": [day + 1.5],
        "outputs": ["car_t"],
    }
    return Scenario(MODEL, **(fields | changes))


# ------------------------------------------------------------------ one clock (N9)


def test_times_of_all_endpoints_are_on_the_clock_of_the_simulation() -> None:
    result = simulate(infused_at(30.0))
    # B cells are 100 - drug, below 10 as long as the drug is above 90.
    aplasia = math.log(100.0 / 90.0) / DECAY
    assert float(result.b_cell_aplasia_duration) == pytest.approx(aplasia, rel=1e-4)
    expected = {
        "car_t_tmax": 30.0,
        "il6_peak_time": 30.0,
        "hbv_dna_peak_time": 30.0,
        "b_cell_recovery_time": 30.0 + aplasia,
        "hbv_reactivation_time": 30.0,  # the visit of the infusion itself
        "hepatitis_flare_time": 30.0,
        "remission_time": 32.0,
        # 1e11 exp(-drug) is above 1e10 once the drug is below 2.3, 37.7 days later
        "relapse_time": 68.0,
    }
    for name, day in expected.items():
        assert float(result[name]) == pytest.approx(day, rel=1e-4), name
    clocks = {str(name) for name, each in result.variables.items() if "clock" in each.attrs}
    assert clocks == {*expected, "time", "final_time", "event_time"}
    assert {result[name].attrs["clock"] for name in clocks} == {"simulation"}
    assert result.attrs["infusion"] == 30.0
    assert result.sizes["time"] == 1  # visits are saved, and not shown
    validate(result)


@settings(max_examples=8, deadline=None)
@given(st.floats(-40.0, 400.0))
def test_a_later_infusion_moves_times_and_nothing_else(day: float) -> None:
    result, reference = simulate(infused_at(day)), simulate(infused_at(0.0))
    for name, values in reference.data_vars.items():
        if values.dims == () and values.dtype.kind == "f":
            shift = day if values.attrs.get("clock") else 0.0
            moved = float(result[name]) - shift
            assert moved == pytest.approx(float(values), rel=2e-4, abs=2e-4, nan_ok=True), name


def test_what_comes_first_is_judged_on_one_clock() -> None:
    """Relapse on day 250, B cells on day 256, the infusion on day 30."""
    endpoints: dict[str, Endpoint] = {
        "remission": Remission(cd19_positive="back_late", every=110.0, response_day=110.0),
        "b_cells": BCellAplasia(b_cells="b_late"),
    }
    scenario = Scenario(
        MODEL, population=Population(3), stop=400.0, infusion=30.0, endpoints=endpoints
    )
    result = simulate(scenario)
    assert result.relapse_time.values.tolist() == [250.0] * 3
    np.testing.assert_allclose(result.b_cell_recovery_time, 256.0, atol=1e-3)
    np.testing.assert_allclose(result.b_cell_aplasia_duration, 226.0, atol=1e-3)
    first = first_event(result, ["relapse", "b_cell_recovery"])
    assert [first.events[int(which) - 1] for which in first.which] == ["relapse"] * 3
    assert first.time.tolist() == [250.0] * 3
    curves = competing_incidence(first, 400.0, origin=30.0)
    assert curves.at(255.0, "relapse") == 1.0


def test_times_on_different_clocks_are_not_compared() -> None:
    result = simulate(infused_at(30.0, population=Population(2)))
    names = ["relapse", "b_cell_recovery"]
    assert first_event(result, names).clock == "simulation"
    other = result.assign(relapse_time=result.relapse_time.assign_attrs(clock="infusion"))
    with pytest.raises(ScenarioError, match=r"'relapse_time' is on the clock 'infusion', but"):
        first_event(other, names)
    silent = result.assign(relapse_time=result.relapse_time.drop_attrs())
    with pytest.raises(ScenarioError, match=r"'relapse_time' does not say on which clock"):
        first_event(silent, names)
    with pytest.raises(ScenarioError, match=r"'relapse_time' does not say on which clock"):
        draw_deaths(silent, "CIBMTR", follow_up=90.0)
    with pytest.raises(ScenarioError, match=r"'time' is on the clock 'infusion'"):
        cumulative_incidence(other.relapse, other.relapse_time, result.final_time)
    with pytest.raises(ScenarioError, match=r"'follow_up' is on 'infusion'"):
        competing_incidence(first_event(result, names), other.relapse_time)


def test_deaths_begin_at_the_infusion() -> None:
    result = simulate(infused_at(30.0, population=Population(500)))
    deaths = draw_deaths(result, "CIBMTR", follow_up=1e5)
    assert float(deaths.death_time.min()) >= 30.0
    assert deaths.death_time.attrs["clock"] == "simulation"
    early = draw_deaths(result, "CIBMTR", follow_up=1e5, origin=-1000.0)
    assert float(early.death_time.min()) < 30.0


def test_the_infusion_must_be_inside_the_simulation_if_endpoints_count_from_it() -> None:
    assert Scenario(MODEL, start=10.0, stop=20.0).infusion == 0.0
    with pytest.raises(ScenarioError, match=r"endpoints.virus.*Give the scenario an `infusion`"):
        Scenario(MODEL, start=10.0, stop=20.0, endpoints={"virus": PeakHBVDNA()})
    with pytest.raises(ScenarioError, match=r"infusion = 'day 0' is not a time"):
        Scenario(MODEL, stop=20.0, infusion="day 0")  # type: ignore[arg-type]


def test_the_infusion_can_be_an_axis() -> None:
    scenario = infused_at(30.0, population=Population(2), stop=100.0)
    result = run(Sweep(scenario, Grid([Axis("infusion", [30.0, 35.0])])))
    assert "infusion" not in result.attrs
    assert result.infusion.attrs["carsim_units"] == "day"
    # Five days later 40 % of the drug are gone.
    peaks = result.car_t_cmax.values[:, 0]
    np.testing.assert_allclose(peaks, [100.0, 100.0 * math.exp(-0.5)], rtol=1e-4)
    with pytest.raises(ScenarioError, match=r"Choose one value first: dataset.isel\(infusion=0\)"):
        first_event(result, ["relapse", "b_cell_recovery"])


# ------------------------------------------------- windows that patients live through (N8)

STOPS = np.array([2.0, 7.0, 10.0])
nan = float("nan")
#: The clock is t, so that all is known: metric, and what it is for each of the three patients.
WINDOWS: list[tuple[Metric, list[float]]] = [
    (AreaUnder("clock", 6.0, 8.0), [nan, nan, 14.0]),
    (AreaUnder("clock", 6.0), [nan, 6.5, 32.0]),
    (AreaUnder("clock"), [2.0, 24.5, 50.0]),
    (AreaUnder("clock", 1.0, 2.0), [1.5, 1.5, 1.5]),
    (AreaUnder("clock", 2.0, 7.0), [nan, 22.5, 22.5]),
    (TimeAbove("clock", 6.5, 6.0, 8.0), [nan, nan, 1.5]),
    (TimeAbove("clock", 6.5, 6.0), [nan, 0.5, 3.5]),
    (Minimum("clock", 6.0, 8.0), [nan, nan, 6.0]),
    (Maximum("clock", 6.0, 8.0), [nan, nan, 8.0]),
    (Maximum("clock", 6.0), [nan, 7.0, 10.0]),
    (TimeOfMaximum("clock", 6.0, 8.0), [nan, nan, 8.0]),
    (TimeOfMinimum("clock", 6.0, 8.0), [nan, nan, 6.0]),
    (FirstAbove("clock", 6.5, 6.0, 8.0), [nan, 6.5, 6.5]),
    (FirstAbove("clock", 7.5, 6.0, 8.0), [nan, nan, 7.5]),
    (FirstBelow("clock", 9.0, 6.0, 8.0), [nan, 6.0, 6.0]),
    (ValueAt("clock", 7.0), [nan, 7.0, 7.0]),
    (Last("clock"), [2.0, 7.0, 10.0]),
]


def test_a_window_that_a_patient_did_not_live_through_is_nan() -> None:
    metrics = {f"m{number}": metric for number, (metric, _) in enumerate(WINDOWS)}
    scenario = Scenario(MODEL, stop=STOPS, metrics=metrics, save_at=[])
    single = simulate(scenario)
    for number, (metric, right) in enumerate(WINDOWS):
        found = single[f"m{number}"].values
        np.testing.assert_allclose(found, right, rtol=1e-6, err_msg=str(metric))
    for size in (None, 1, 2):
        swept = run(Sweep(scenario, Single()), block_size=size)
        for name in metrics:
            np.testing.assert_array_equal(swept[name], single[name], err_msg=name)
        assert swept.simulation_stop.values.tolist() == STOPS.tolist()


@settings(max_examples=5, deadline=None)
@given(st.lists(st.floats(1.0, 40.0), min_size=2, max_size=4))
def test_patients_with_stops_of_their_own_are_as_if_alone(stops: list[float]) -> None:
    """An endpoint of a patient depends neither on the others, nor on blocks."""
    endpoints = {name: each for name, each in ALL.items() if name not in ("kinetics", "remission")}
    plain = infused_at(0.0, start=-5.0, endpoints=endpoints, save_at=[])
    together = dataclasses.replace(plain, stop=np.array(stops))
    result = simulate(together)
    swept = run(Sweep(together, Single()), block_size=1)
    for number, stop in enumerate(stops):
        alone = simulate(dataclasses.replace(plain, stop=stop))
        for name in swept.data_vars:
            mine = result[name].values[number]
            np.testing.assert_array_equal(mine, alone[name].values, err_msg=str(name))
            np.testing.assert_array_equal(swept[name].values[number], mine, err_msg=str(name))


def test_early_response_and_area_need_their_whole_window() -> None:
    scenario = infused_at(0.0, start=-5.0, stop=np.array([-2.0, 1.0, 20.0, 40.0]), save_at=[])
    found = simulate(scenario)
    drug = 1000.0 * (1.0 - math.exp(-2.8))
    np.testing.assert_allclose(found.car_t_auc, [nan, nan, nan, drug], rtol=1e-4)
    np.testing.assert_allclose(found.car_t_cmax, [nan, 100.0, 100.0, 100.0], rtol=1e-4)
    # Remission was seen on day 2, before the third patient left; the second had no visit.
    np.testing.assert_array_equal(found.remission_early, [nan, nan, 1.0, 1.0])


# ------------------------------------------------------------------ names (N10)

TAKEN = [name for name in RESULT_NAMES if name.isidentifier()]


@pytest.mark.parametrize("name", TAKEN)
def test_a_metric_cannot_take_a_name_of_the_result(name: str) -> None:
    with pytest.raises(ScenarioError, match=rf"metrics.{name}: the result already.*'{name}_2'"):
        Scenario(MODEL, stop=10.0, metrics={name: Maximum("drug")})


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("kind", ["state", "observable"])
def test_a_model_cannot_take_a_name_of_the_result(name: str, kind: str) -> None:
    annotations: dict[str, Any] = {"x" if kind == "observable" else name: float}
    fields = {next(iter(annotations)): state(1.0, "1", "a number", TOY)}
    States: Any = type("States", (State,), {"__annotations__": annotations, **fields})

    def still(t: float, y: Any, p: Any) -> Any:
        return States(**dict.fromkeys(annotations, 0.0))

    seen = [course("1", name, lambda t, y, p: y.x)] if kind == "observable" else []
    with pytest.raises(ModelError, match=rf"{kind} '{name}': the result uses this name.*_2'"):
        Model("taken", still, States, Rates, observables=seen)


def test_other_names_that_would_come_twice() -> None:
    mixture = Mixture("peak", (Component("a"), Component("b")))
    with pytest.raises(ScenarioError, match=r"metrics.peak: .*the mixture.*'peak_2'"):
        Scenario(
            MODEL,
            stop=10.0,
            population=Population(2, mixture=mixture),
            metrics={"peak": Maximum("drug")},
        )
    with pytest.raises(ScenarioError, match=r"endpoints.virus: .*'hbv_dna_peak' already"):
        Scenario(
            MODEL,
            stop=10.0,
            metrics={"hbv_dna_peak": Maximum("drug")},
            endpoints={"virus": PeakHBVDNA()},
        )
    with pytest.raises(ScenarioError, match=r"metrics.drug: .*the state 'drug'"):
        Scenario(MODEL, stop=10.0, metrics={"drug": Maximum("drug")})
    with pytest.raises(ScenarioError, match=r"population mixture 'item': the name is taken"):
        Scenario(
            MODEL, stop=10.0, population=Population(2, mixture=Mixture("item", (Component("a"),)))
        )
    with pytest.raises(ScenarioError, match=r"endpoints.a.b|endpoints: 'a.b' is not a usable name"):
        Scenario(MODEL, stop=10.0, endpoints={"a.b": PeakHBVDNA()})
    with pytest.raises(ScenarioError, match=r"endpoints.virus is .*Give for example"):
        Scenario(MODEL, stop=10.0, endpoints={"virus": PeakHBVDNA})  # type: ignore[dict-item]


@pytest.mark.parametrize("name", ["final_time", "id", "hbv_dna_peak", "top"])
def test_an_axis_cannot_take_a_name_of_the_result(name: str) -> None:
    scenario = Scenario(
        MODEL,
        population=Population(2),
        stop=10.0,
        metrics={"top": Maximum("drug")},
        endpoints={"virus": PeakHBVDNA()},
    )
    with pytest.raises(ScenarioError, match=rf"'{name}'.*'{name}_2'"):
        Sweep(scenario, Grid([Axis("parameters.k", [0.1, 0.2], name=name)]))


def test_the_names_are_those_of_the_result() -> None:
    scenario = infused_at(
        0.0,
        start=-5.0,
        population=Population(3, mixture=Mixture("kind", (Component("a"), Component("b")))),
        stop=np.array([30.0, 31.0, 32.0]),
        initial={"clock": np.arange(3.0)},
        metrics={"top": Maximum("drug")},
        ids=["x", "y", "z"],
    )
    result = simulate(scenario)
    names = set(map(str, (*result.variables, *result.dims)))
    assert names <= set(result_names(scenario, scenario.keep))
    swept = run(Sweep(scenario, Grid([Axis("parameters.k", [0.1, 0.2])])))
    known = set(result_names(scenario, keep_of(scenario, courses=False), courses=False)) | {"k"}
    assert set(map(str, (*swept.variables, *swept.dims))) <= known


def test_a_free_name_is_free() -> None:
    assert free_name("a", {"a", "a_2"}) == "a_3"


# ------------------------------------------------------------------ labels, one builder, one road


def test_labels_of_patients_go_into_the_result() -> None:
    scenario = infused_at(0.0, start=-5.0, ids=["17", "4", "17b"])
    assert scenario.is_ensemble
    assert scenario.n_patients == 3
    result = simulate(scenario)
    assert result.id.dims == ("patient",)
    assert result.id.values.tolist() == ["17", "4", "17b"]
    assert Scenario.from_dict(scenario.to_dict(), MODEL) == scenario
    swept = run(Sweep(scenario, Grid([Axis("parameters.k", [0.1, 0.2])])), block_size=1)
    assert swept.id.values.tolist() == ["17", "4", "17b"]
    blown = dataclasses.replace(
        scenario,
        parameters={"cells": np.array([1.0, 1.0, 1e11])},
        solver=dataclasses.replace(scenario.solver, max_steps=1),
    )
    assert "patient 0 (17) stopped at" in simulate(blown).attrs["failures"]
    swept = run(Sweep(blown, Single()), block_size=1)
    assert "patient 0 (17) stopped at" in swept.attrs["failures"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b"], r"ids has 2 values, but population.size makes 3 patients"),
        ("abc", r"ids = 'abc': give a list of texts"),
        (["a", "b", 3], r"ids\[2\] = 3 is not a text. Write '3'"),
        ([], r"ids is empty"),
    ],
)
def test_labels_that_do_not_fit_are_refused(ids: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        Scenario(MODEL, stop=1.0, population=Population(3), ids=ids)


def test_simulations_and_sweeps_describe_their_numbers_alike() -> None:
    scenario = infused_at(
        30.0, population=Population(4), metrics={"top": Maximum("drug")}, solver=quick()
    )
    alone, swept = simulate(scenario), run(Sweep(scenario, Single()))
    validate(alone)
    validate(swept)
    for name, values in swept.variables.items():
        xr.testing.assert_identical(alone.variables[name], values)
        assert alone[name].dtype == values.dtype, name
    shared = ("infusion", "model_hash", "solver", "rtol", "seed", "scenario", "versions")
    assert {key: alone.attrs[key] for key in shared} == {key: swept.attrs[key] for key in shared}
    failed = dataclasses.replace(scenario, solver=quick(max_steps=2))
    alone, swept = simulate(failed), run(Sweep(failed, Single()))
    validate(alone)
    validate(swept)
    sentence = alone.attrs["failures"]
    assert sentence.startswith("4 of 4 patients failed")
    assert swept.attrs["failures"] == sentence.replace("patients", "trajectories", 1)
    broken = swept.assign(top=swept.top.fillna(1.0))
    with pytest.raises(CarsimError, match=r"'top' has values of failed patients"):
        validate(broken)
    with pytest.raises(CarsimError, match=r"attribute 'design' is missing"):
        validate(swept.assign_attrs(design=None).drop_attrs(deep=False).assign_attrs(sweep="{}"))
    points = run(Sweep(scenario, List([Axis("parameters.k", [0.1, 0.2])])))
    validate(points)


def quick(**changes: Any) -> Any:
    from carsim.scenario import Solver

    return Solver(threads=1, **changes)


def test_endpoints_of_a_sweep_are_those_of_its_scenario() -> None:
    scenario = infused_at(30.0, population=Population(2))
    sweep = Sweep(scenario, Grid([Axis("parameters.k", [0.1, 0.2])]))
    assert "endpoints" not in json.loads(sweep.to_json())
    result = run(sweep)
    again = rebuild_sweep(result.attrs, MODEL)
    assert again == sweep
    assert again.scenario.endpoints == ALL
    cell = simulate(scenario.replace("parameters.k", 0.2))
    for name in result.data_vars:
        np.testing.assert_array_equal(result[name].sel(k=0.2), cell[name], err_msg=str(name))


def test_a_store_holds_what_is_given_one_a_patient(tmp_path: Path) -> None:
    stops, start = np.array([30.0, 31.0, 35.0]), {"clock": np.arange(3.0)}
    scenario = infused_at(0.0, start=-5.0, stop=stops, ids=["17", "4", "17b"], initial=start)
    sweep = Sweep(scenario, Grid([Axis("parameters.k", [0.1, 0.2])]))
    stored, whole = run_to_store(sweep, tmp_path / "store", block_size=2), run(sweep)
    validate(stored)
    assert stored.id.values.tolist() == ["17", "4", "17b"]
    for name in ("simulation_stop", "initial.clock"):
        np.testing.assert_array_equal(stored[name], whole[name])
    assert digest(stored) == digest(whole)
    assert rerun(tmp_path / "store", model=MODEL).same


def test_endpoints_given_to_a_sweep_are_sent_to_the_scenario() -> None:
    with pytest.raises(ScenarioError, match=r"title is a dict.*Endpoints belong to the scenario"):
        Sweep(infused_at(0.0), Single(), {"virus": PeakHBVDNA()})  # type: ignore[arg-type]


def test_options_of_endpoints_can_be_axes_but_not_their_names() -> None:
    scenario = infused_at(0.0, start=-5.0, population=Population(2))
    axis = Axis("endpoints.b_cells.threshold", [10.0, 20.0], name="limit")
    found = run(Sweep(scenario, Grid([axis]))).b_cell_aplasia_duration.values[:, 0]
    expected = [math.log(100.0 / level) / DECAY for level in (90.0, 80.0)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    axis = Axis("endpoints.reactivation.name", ["a", "b"], name="which")
    with pytest.raises(ScenarioError, match=r"the result would hold other variables"):
        Sweep(scenario, Grid([axis]))


def test_visits_are_found_beside_any_grid_of_the_user() -> None:
    """Times of the user that differ from visits in the last bits, or by little, are no visits."""
    plain = simulate(infused_at(0.0, start=-5.0))
    for grid in (
        np.cumsum(np.full(599, 0.1)),
        np.arange(0.0, 60.0, 2.0) + 1e-9,
        np.nextafter(np.arange(2.0, 60.0, 2.0), np.inf),
    ):
        found = simulate(infused_at(0.0, start=-5.0, save_at=grid))
        assert found.time.values.tolist() == grid.tolist()
        for name, values in plain.data_vars.items():
            if values.dims == () and values.dtype.kind == "f":
                np.testing.assert_array_equal(found[name], values, err_msg=str(name))


def test_carsim_run_integrates_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from carsim.cli import main
    from carsim.engine.integrate import integrate

    calls: list[int] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(len(arguments[1]))
        return integrate(*arguments, **options)

    monkeypatch.setattr("carsim.simulation.integrate", counted)
    clinic = Path(__file__).parents[1] / "fuzz" / "clinic.py"
    (tmp_path / "clinic.py").write_text(clinic.read_text())
    config = tmp_path / "run.toml"
    config.write_text(
        'model = "./clinic.py"\n[time]\nstart = -7.0\nstop = 60.0\ninfusion = 10.0\n'
        "save_every = 30.0\n[population]\nsize = 3\n[endpoints.hbv_reactivation]\nevery = 7.0\n"
        "[endpoints.cellular_kinetics]\n[endpoints.peak_hbv_dna]\n"
    )
    out = tmp_path / "out.nc"
    done = CliRunner().invoke(main, ["run", str(config), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert calls == [3]
    with xr.open_dataset(out) as result:
        assert result.time.values.tolist() == [-7.0, 23.0, 53.0, 60.0]
        assert result.attrs["infusion"] == 10.0
        # The virus grows up to the end, day 60 of the simulation, 50 days after the infusion.
        assert result.hbv_dna_peak_time.values.tolist() == [60.0] * 3
    line = next(each for each in done.output.splitlines() if "hbv_dna_peak_time" in each)
    assert "50" in line
    assert "day since infusion" in line


def test_an_infusion_below_an_endpoint_is_refused_by_the_config(tmp_path: Path) -> None:
    from carsim.config import read_text

    text = 'model = "cart_hbv"\n[time]\nstop = 60.0\n[endpoints.peak_il6]\ninfusion = 3.0\n'
    with pytest.raises(CarsimError, match=r"endpoints.peak_il6: .*infusion = 3.0 under \[time\]"):
        read_text(text)


def test_the_ids_of_an_event_table_are_the_labels(tmp_path: Path) -> None:
    from carsim.config import read_text

    (tmp_path / "doses.csv").write_text("ID,TIME,AMT,CMT\n17,0,100,E\n4,0,50,E\n4,7,.,.\n")
    text = 'model = "stein_2019"\n[time]\nstop = 7.0\n[events]\nfile = "doses.csv"\n'
    scenario = read_text(text, folder=tmp_path).scenario
    assert scenario.ids == ("17", "4")


def test_figures_count_from_the_infusion() -> None:
    from matplotlib.figure import Figure

    from carsim import plots

    result = simulate(infused_at(30.0, population=Population(4), save_at=None))
    figure = Figure()
    left, middle, right = figure.subplots(1, 3)
    plots.trajectories(result, "car_t", ax=left)
    plots.spaghetti(result, "car_t", ax=middle)
    plots.swimmer(result, marks={"relapse": "relapse_time"}, ax=right)
    figure.draw_without_rendering()
    for axes in (left, middle, right):
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        words = [axes.xaxis.get_major_formatter()(tick) for tick in ticks]
        # What is drawn stays where it is: day 30 of the simulation is marked 0.
        assert [float(word) for word in words] == [tick - 30.0 for tick in ticks]
        assert "0" in words
        assert axes.get_xlabel() == "Time since infusion (days)"
    axes = plots.incidence(result, by=None, event="relapse", ax=Figure().subplots())
    step = axes.lines[0].get_xdata()
    assert 38.0 in np.asarray(step)  # relapse on day 68
    assert axes.get_xlim() == (0.0, 60.0)
    plain = simulate(infused_at(0.0, save_at=None))
    axes = plots.trajectories(plain, "car_t", ax=Figure().subplots())
    assert axes.get_xlabel() == "Time (days)"
