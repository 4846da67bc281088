"""Scenarios: what they refuse, how they change, how they are stored, the arrays they become."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carsim.design import Axis, Grid
from carsim.errors import ScenarioError
from carsim.metrics import Maximum, TimeAbove, ValueAt
from carsim.model import Model
from carsim.population import Component, LogNormal, Mixture, Population
from carsim.registry import load_model
from carsim.scenario import Scenario, Solver, prepare, regular_times
from carsim.scenario.encoding import decode, encode
from carsim.sweep import Sweep
from carsim.therapy import Dose, Infusion, Rule, SetParameter, Window

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))


def full() -> Scenario:
    return Scenario(
        MODEL,
        parameters={"F": 0.7},
        variants=("slow",),
        therapy={
            "pill": Dose("oral", [1.0, 2.0], at=[0, 1], every=7.0, until=np.inf),
            "drip": Infusion("iv", 1.0, stop=3.0, rate=0.1),
            "block": Window("ka", scale=0.3, start=2.0),
            "rescue": Rule("concentration", above=2.0, do=[Dose("iv", 1.0)], limit=2),
        },
        population=Population(
            4,
            seed=0,
            parameters={"CL": LogNormal(1.0, cv=0.3, upper=30.0), "ka": LogNormal(cv=0.2)},
            correlations={("CL", "ka"): 0.5},
            mixture=Mixture("kind", (Component("a"), Component("b", 2.0, ("large",)))),
        ),
        start=-1.0,
        stop=28.0,
        save_at=[0.0, 0.1, 28.0],
        outputs=["concentration", "central"],
        metrics={"peak": Maximum("concentration", start=0.0), "high": TimeAbove("central", 1.0)},
        initial={"clock": 1.0},
        solver=Solver(rtol=1e-7),
    )


# Refusals


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parameters": {"Cl": 1.0}}, r"has no parameter 'Cl'. Did you mean 'CL'\?"),
        ({"parameters": {"k": 1.0}}, r"'k' is computed by the model"),
        ({"parameters": {"F": 1.5}}, r"'F' is 1.5 .* upper bound 1"),
        ({"parameters": {"V": np.array([1.0, -1.0, 2.0])}}, r"'V' is -1 for patient 1"),
        ({"parameters": {"V": np.array([1.0, np.nan])}}, r"'V' is nan for patient 1"),
        ({"parameters": {"V": "ten"}}, r"parameters.V = 'ten' is not a number"),
        ({"parameters": {"V": [1.0, [2.0]]}}, r"parameters.V = .* is neither a number"),
        ({"parameters": {"V": np.zeros((2, 2))}}, r"neither a number nor one number a patient"),
        ({"parameters": [1.0]}, r"parameters = \[1.0\]: give a mapping"),
        ({"initial": {"centrl": 1.0}}, r"initial: .* no state 'centrl'. Did you mean 'central'"),
        ({"initial": {"central": np.inf}}, r"initial.central is not finite"),
        ({"variants": ["slwo"]}, r"no variant 'slwo'. Did you mean 'slow'\?"),
        ({"variants": ["slow", "fast"]}, r"both of the group 'absorption'"),
        ({"variants": "slow"}, r"variants is the text 'slow'; give a list"),
        ({"therapy": {"a.b": Dose("iv", 1.0, at=0)}}, r"therapy: 'a.b' is not a usable name"),
        ({"therapy": {"a": Dose("vi", 1.0, at=0)}}, r"therapy.a: into = 'vi'"),
        ({"therapy": [Dose("iv", 1.0, at=0)]}, r"therapy is a list; give a mapping"),
        ({"population": 100}, r"population is a int; give Population\(size=...\)"),
        ({"population": Population(3, parameters={"v": LogNormal(1.0, cv=1.0)})}, r"'V'\?"),
        ({"start": "0"}, r"start = '0' is not a time"),
        ({"start": np.nan}, r"start = nan is not a time"),
        ({"start": 10.0}, r"stop = 10 is not after start = 10"),
        ({"stop": np.inf}, r"stop = inf"),
        ({"stop": None}, r"stop = None is not a time"),
        ({"stop": float("nan")}, r"stop is missing. .* in days"),
        ({"stop": np.array([5.0, -1.0])}, r"stop = -1 is not after start"),
        ({"save_at": [0.0, 2.0, 1.0]}, r"save_at: 1 follows 2. The times must ascend"),
        ({"save_at": [0.0, 1.0, 1.0]}, r"save_at: 1 follows 1"),
        ({"save_at": [0.0, 11.0]}, r"save_at: 11 lies outside the simulation"),
        ({"save_at": [-1.0, 1.0]}, r"save_at: -1 lies outside"),
        ({"save_at": [0.0, np.nan]}, r"plain list of finite times"),
        ({"save_at": "daily"}, r"save_at = 'daily': give a list"),
        (
            {"outputs": ["concentratoin"]},
            r"outputs: .* 'concentratoin'. Did you mean 'concentration'\?",
        ),
        ({"outputs": "central"}, r"outputs is the text 'central'; give a list"),
        ({"outputs": ["central", "central"]}, r"'central' is listed twice"),
        ({"metrics": {"central": Maximum("central")}}, r"metrics.central: the result already has"),
        ({"metrics": {"status": Maximum("central")}}, r"metrics.status: the result already has"),
        ({"metrics": {"peak": Maximum}}, r"metrics.peak is .* Give for example Maximum"),
        ({"metrics": {"peak": Maximum("cntral")}}, r"metrics.peak: of = 'cntral'"),
        ({"metrics": {"at": ValueAt("central", 30.0)}}, r"metrics.at: it looks from 30"),
        ({"solver": "rodas"}, r"solver is a str; give a solver"),
        ({"check_tolerance": 1}, r"check_tolerance is a int"),
    ],
)
def test_scenario_refuses_what_makes_no_sense(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        Scenario(MODEL, **{"stop": 10.0, **fields})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Solver(method="rodas"), r"method = 'rodas' is none of .* Did you mean 'rodas"),
        (lambda: Solver(rtol=1e-16), r"rtol = 1e-16. Give a number from 1e-13"),
        (lambda: Solver(rtol=1.0), r"rtol = 1.0"),
        (lambda: Solver(rtol="small"), r"rtol = 'small'"),  # type: ignore[arg-type]
        (lambda: Solver(max_steps=0), r"max_steps = 0. Give a whole number of 1 or more"),
        (lambda: Solver(threads=0), r"threads = 0. .* or leave it out"),
        (lambda: Solver(block_size=2.5), r"block_size = 2.5"),  # type: ignore[arg-type]
        (lambda: Scenario("one_compartmnt", stop=1.0), r"no model 'one_compartmnt'"),  # type: ignore[arg-type]
        (lambda: Scenario(3, stop=1.0), r"model is a int; give a model"),  # type: ignore[arg-type]
    ],
)
def test_solver_and_model_are_checked(make: Callable[[], object], message: str) -> None:
    with pytest.raises(Exception, match=message):
        make()


def test_all_arrays_agree_on_the_number_of_patients() -> None:
    scenario = Scenario(MODEL, parameters={"V": np.array([1.0, 2.0])}, stop=1.0)
    assert (scenario.is_ensemble, scenario.n_patients) == (True, 2)
    assert (Scenario(MODEL, stop=1.0).is_ensemble, Scenario(MODEL, stop=1.0).n_patients) == (
        False,
        1,
    )
    with pytest.raises(ScenarioError, match=r"therapy.a.stop has 3 values, but parameters.V makes"):
        scenario.replace("therapy", {"a": Infusion("iv", 0.0, stop=np.ones(3), rate=1.0)})
    with pytest.raises(ScenarioError, match=r"parameters.V has 2 values, but population.size mak"):
        scenario.replace("population", Population(3))
    with pytest.raises(ScenarioError, match=r"therapy.a.at has 3 .* give a list instead"):
        scenario.replace("therapy", {"a": Dose("iv", 1.0, at=np.arange(3.0))})


def test_one_array_of_one_value_makes_an_ensemble() -> None:
    scenario = Scenario(MODEL, parameters={"V": np.array([1.0])}, stop=1.0)
    assert (scenario.is_ensemble, scenario.n_patients) == (True, 1)


def test_scenario_keeps_copies_of_what_it_was_given() -> None:
    parameters, therapy = {"V": np.array([1.0, 2.0])}, {"a": Dose("iv", 1.0, at=0)}
    scenario = Scenario(MODEL, parameters=parameters, therapy=therapy, stop=1.0)
    parameters["V"][0] = 7.0
    parameters["CL"] = np.ones(2)
    therapy.clear()
    assert scenario.parameters["V"].tolist() == [1.0, 2.0]  # type: ignore[union-attr]
    assert list(scenario.parameters) == ["V"]
    assert list(scenario.therapy) == ["a"]


# Replacing


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("start", -2.0, lambda s: s.start),
        ("stop", 30.0, lambda s: s.stop),
        ("parameters.one", 2.0, lambda s: s.parameters["one"]),
        ("parameters.F", 0.5, lambda s: s.parameters["F"]),
        ("initial.central", 0.5, lambda s: s.initial["central"]),
        ("therapy.drip.stop", 5.0, lambda s: s.therapy["drip"].stop),
        ("therapy.pill.every", 2.0, lambda s: s.therapy["pill"].every),
        ("therapy.new", Dose("iv", 1.0, at=0), lambda s: s.therapy["new"]),
        ("metrics.peak.start", 3.0, lambda s: s.metrics["peak"].start),
        ("population.size", 7, lambda s: s.population.size),
        ("population.parameters.CL.cv", 0.1, lambda s: s.population.parameters["CL"].cv),
        ("population.kind", "b", lambda s: s.population.component),
        ("solver.rtol", 1e-8, lambda s: s.solver.rtol),
        ("outputs", ("depot",), lambda s: s.outputs),
    ],
)
def test_replace_changes_one_value_of_a_copy(
    path: str, value: Any, read: Callable[[Scenario], Any]
) -> None:
    scenario = full()
    before = scenario.to_json()
    assert read(scenario.replace(path, value)) == value
    assert scenario.to_json() == before


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("strat", 0.0, r"scenario has no field 'strat'. Did you mean 'start'\?"),
        ("parameters.bata", 1.0, r"no parameter 'bata'"),
        ("therapy.dripp.stop", 1.0, r"therapy has no item 'dripp'. Did you mean 'drip'\?"),
        ("therapy.drip.stp", 1.0, r"therapy.drip has no field 'stp'. Did you mean 'stop'\?"),
        ("therapy.drip.rate", -1.0, r"therapy.drip.rate: .* rate = -1 is negative"),
        ("therapy.drip.duration", 1.0, r"therapy.drip.duration: .* stop and duration contradict"),
        ("therapy.drip.stop.hour", 1.0, r"therapy.drip.stop is float and has no part 'hour'"),
        ("therapy.drip.amount.x", 1.0, r"therapy.drip.amount is not given"),
        ("metrics.pek.start", 1.0, r"metrics has no item 'pek'. Did you mean 'peak'\?"),
        ("population.sise", 5, r"population has no entry 'sise'. Did you mean 'size'\?"),
        ("solver.rtoll", 1e-3, r"solver has no field 'rtoll'. Did you mean 'rtol'\?"),
        ("start.x", 0.0, r"start is float and has no part 'x'"),
        ("", 0.0, r"the path is empty"),
        ("stop", -5.0, r"stop = -5 is not after start = -1"),
    ],
)
def test_replace_names_what_is_wrong_with_the_path(path: str, value: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        full().replace(path, value)


# Storing


def test_scenario_survives_json() -> None:
    scenario = full()
    again = Scenario.from_dict(json.loads(scenario.to_json()))
    assert again == scenario
    assert again != scenario.replace("stop", 29.0)
    assert again != "scenario"
    assert again.solver == scenario.solver
    assert isinstance(hash(again), int)


def test_arrays_survive_json_with_all_their_bits() -> None:
    rng = np.random.default_rng(0)
    long, short = rng.normal(size=1000), rng.normal(size=3)
    short_again = decode(json.loads(json.dumps(encode(short))), {})
    long_again = decode(json.loads(json.dumps(encode(long))), {})
    assert np.array_equal(short, short_again)
    assert np.array_equal(long, long_again)
    table = np.array([[1.0, np.inf], [np.nan, 0.1]])
    assert np.array_equal(decode(encode(table), {}), table, equal_nan=True)


def test_json_has_no_infinities_and_no_unknown_classes() -> None:
    assert decode(encode(np.inf), {}) == np.inf
    assert encode(np.int64(3)) == 3
    with pytest.raises(ScenarioError, match=r"a stored scenario has no class 'Doze'"):
        decode({"class": "Doze"}, {"Dose": Dose})
    with pytest.raises(ScenarioError, match=r"carsim did not write"):
        decode({"foo": 1}, {})
    with pytest.raises(ScenarioError, match=r"cannot be written as JSON: it is a set"):
        encode({1, 2})


def test_changed_model_is_noticed_unless_it_is_given() -> None:
    data = full().to_dict()
    data["model"] = {**data["model"], "hash": "0" * 64}
    with pytest.raises(ScenarioError, match=r"has changed since .* pass model=load_model"):
        Scenario.from_dict(data)
    assert Scenario.from_dict(data, MODEL) == full()


def test_stored_installed_model_carries_no_path() -> None:
    stored = Scenario("stein_2019", stop=1.0).to_dict()  # type: ignore[arg-type]
    assert sorted(stored["model"]) == ["hash", "name", "parts"]


def test_description_says_what_is_simulated() -> None:
    text = full().describe()
    for words in (
        "4 patients, -1 to 28 day",
        "slow",
        "F = 0.7 1",
        "drip",
        "seed 0",
        "peak",
        "rtol",
    ):
        assert words in text
    many = Scenario(MODEL, parameters={"V": np.array([1.0, 2.0])}, stop=np.array([1.0, 2.0]))
    assert "V = 1 to 2 (2 values) L" in many.describe()
    assert "each patient's own stop" in many.describe()


def test_scenario_can_be_sent_to_a_worker() -> None:
    scenario = full()
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    sweep = Sweep(scenario, Grid([Axis("parameters.F", [0.5, 0.7])]))
    assert sweep.keep.parts  # worked out, and stays here
    assert sweep.dims == ("F", "patient")
    assert pickle.loads(pickle.dumps(sweep)) == sweep


# Preparing


def test_prepared_arrays_follow_the_scenario() -> None:
    scenario = full()
    prepared = prepare(scenario)
    assert prepared.y0.shape == (4, 3)
    assert prepared.y0[:, MODEL.state_index["clock"]].tolist() == [1.0] * 4
    F, V, CL, k = (prepared.p[:, MODEL.parameter_index[name]] for name in ("F", "V", "CL", "k"))
    assert F.tolist() == [0.7] * 4
    assert np.array_equal(V, np.where(prepared.labels["kind"] == "a", 20.0, 40.0))
    assert np.array_equal(k, CL / V)
    assert len(set(CL)) == 4
    assert prepared.outputs == ("concentration", "central")
    assert prepared.save.sources.tolist() == [3, 1]
    assert prepared.items == ("pill", "drip", "block")
    assert prepared.rules == ("rescue",)
    assert sorted(prepared.sampled) == ["CL", "V", "ka"]
    assert prepared.labels["kind"].shape == (4,)
    assert prepared.floors.tolist() == [0.0, 0.0, 0.0]
    assert prepared.atol.tolist() == [1e-9] * 3


def test_block_is_a_range_of_the_whole() -> None:
    prepared = prepare(full().replace("stop", np.array([20.0, 21.0, 22.0, 28.0])))
    whole, part = prepared.block(), prepared.block(1, 3)
    assert np.array_equal(part.p, whole.p[1:3])
    assert np.array_equal(part.stop, [21.0, 22.0])
    assert part.serial.tolist() == [1, 2]
    for name in ("time", "kind", "index", "value", "item", "counted"):
        for patient in (0, 1):
            mine = part.therapy.stops.take(patient, patient + 1)
            its = whole.therapy.stops.take(patient + 1, patient + 2)
            assert np.array_equal(getattr(mine, name), getattr(its, name)), name
    for name in ("kind", "target", "item", "level"):
        one, all_ = getattr(part.therapy.courses, name), getattr(whole.therapy.courses, name)
        assert np.array_equal(one, all_), name
    assert part.therapy.rules.threshold.shape == (2, 1)


def test_cohort_drawn_before_takes_the_place_of_the_population() -> None:
    scenario = full()
    assert scenario.population is not None
    cohort = scenario.population.sample(MODEL, scenario.parameters, scenario.variants)
    assert np.array_equal(prepare(scenario, cohort).p, prepare(scenario).p)
    with pytest.raises(ScenarioError, match=r"the cohort has 4 patients, but the scenario has 9"):
        prepare(scenario.replace("population.size", 9), cohort)


def test_what_is_kept_by_default() -> None:
    one = prepare(Scenario(MODEL, stop=28.0))
    assert one.outputs == ("concentration",)
    assert len(one.save.times) == 281
    many = Scenario(MODEL, population=Population(1001), stop=28.0)
    prepared = prepare(many)
    assert prepared.save.times.size == 0
    assert list(prepared.metrics) == [
        "maximum_concentration",
        "time_of_maximum_concentration",
        "last_concentration",
    ]
    assert "Name outputs to save them" in prepared.keep.note
    asked = prepare(many.replace("metrics", {"peak": Maximum("central")}))
    assert list(asked.metrics) == ["peak"]
    named = prepare(many.replace("outputs", ["central"]))
    assert (named.outputs, named.keep.note) == (("central",), "")
    timed = prepare(many.replace("save_at", [1.0]))
    assert (timed.outputs, len(timed.save.times)) == (("concentration",), 1)
    nothing = prepare(Scenario(MODEL, stop=28.0, save_at=[]))
    assert nothing.outputs == ()


def test_scaled_window_is_checked_for_every_drawn_patient() -> None:
    scenario = Scenario(
        MODEL,
        parameters={"one": np.array([0.1, 3.0])},
        therapy={"a": Window("one", scale=50.0, start=1.0)},
        stop=10.0,
    )
    with pytest.raises(ScenarioError, match=r"therapy.a: one = 150"):
        prepare(scenario)


def test_infeasible_patient_does_not_stop_the_others() -> None:
    therapy = {
        "a": Dose("oral", 1.0, at=0),
        "b": Rule("central", above=1.0, do=SetParameter("ka", 1.0)),
    }
    prepared = prepare(Scenario(MODEL, initial={"central": 1.0}, therapy=therapy, stop=1.0))
    assert np.isfinite(prepared.y0).all()


@pytest.mark.parametrize(
    ("start", "stop", "step", "count"),
    [
        (0.0, 365.0, 1.0, 366),
        (-14.0, 545.0, 2.0, 281),
        (0.0, 28.0, 0.1, 281),
        (0.0, 1.0, 0.0025, 401),
        (0.0, 4000.0, 10.0, 401),
        (0.0, 3e-4, 1e-6, 301),
    ],
)
def test_regular_times_are_round_and_span_the_simulation(
    start: float, stop: float, step: float, count: int
) -> None:
    times = regular_times(start, stop)
    assert (times[0], times[-1], len(times)) == (start, stop, count)
    assert np.allclose(np.diff(times)[:-1], step, rtol=1e-6)
    assert (np.diff(times) > 0).all()


def test_regular_times_are_the_literals_that_a_user_writes() -> None:
    times = regular_times(0.0, 28.0)
    assert np.array_equal(times, [float(f"{k / 10:.1f}") for k in range(281)])
    assert regular_times(0.0, 28.05)[-2:].tolist() == [28.0, 28.05]
