"""Rules, hazards, regimens: what they refuse, and the arrays that they become."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carsim.engine.plan import Action, CourseKind, Rules, Stops
from carsim.errors import ScenarioError
from carsim.model import Model
from carsim.registry import load_model
from carsim.streams import uniforms
from carsim.therapy import (
    Assay,
    Bundle,
    Compiled,
    Covariate,
    Discontinue,
    Dose,
    Hazard,
    Infusion,
    Item,
    People,
    Regimen,
    Reset,
    Rule,
    SetParameter,
    SetState,
    Sources,
    Window,
    check_lengths,
    check_therapy,
    compile_therapy,
    flatten,
    item_names,
)
from carsim.therapy.steady import Period, SteadyStates

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))
DEPOT, CENTRAL, CLOCK = (MODEL.state_index[name] for name in ("depot", "central", "clock"))
CL = MODEL.parameter_index["CL"]

Row = tuple[float, Action, int, float]


def unsteady(period: Period) -> SteadyStates:
    raise AssertionError("no item asks for a steady state")


def compiled(therapy: dict[str, Item], n: int = 1, **parameters: list[float]) -> Compiled:
    items = flatten(therapy)
    check_therapy(MODEL, items, 0.0, 10.0)
    check_lengths(items, n)
    p = MODEL.parameter_values(parameters, n=n)
    initial, p = MODEL.initial_state(p)
    people, sources = People.alone(p, initial), Sources.of(MODEL, items)
    return compile_therapy(MODEL, items, people, 0.0, 10.0, sources, unsteady)


def rules_of(therapy: dict[str, Item], n: int = 1, **parameters: list[float]) -> Rules:
    return compiled(therapy, n, **parameters).rules


def rows(stops: Stops, owner: int = 0) -> list[Row]:
    part = slice(int(stops.offsets[owner]), int(stops.offsets[owner + 1]))
    return [
        (float(t), Action(int(k)), int(i), float(v))
        for t, k, i, v in zip(
            stops.time[part], stops.kind[part], stops.index[part], stops.value[part], strict=True
        )
    ]


def done(*actions: Item, **fields: Any) -> Compiled:
    """A therapy of one rule, which fires when the amount is high."""
    return compiled({"e": Rule("central", above=1.0, do=actions, **fields)})  # type: ignore[arg-type]


# Conditions


def test_rules_become_columns_in_the_order_of_the_therapy() -> None:
    therapy: dict[str, Item] = {
        "high": Rule(
            "concentration",
            above=np.array([1.0, 2.0]),
            do=[SetParameter("CL", 5.0), Dose("split", 4.0), SetState("clock", 0.0)],
            limit=3,
        ),
        "low": Rule("central", below=0.5),
    }
    rules = rules_of(therapy, n=2)
    n_states = len(MODEL.states)
    assert rules.source.tolist() == [n_states, CENTRAL]
    assert rules.threshold.tolist() == [[1.0, 0.5], [2.0, 0.5]]
    assert rules.direction.tolist() == [1, -1]
    assert rules.watched.tolist() == [1, 1]
    assert rules.limit.tolist() == [3, 1]
    assert rules.actions.offsets.tolist() == [0, 4, 4]
    # What is done at an instant has the order of scheduled actions: the dose comes last.
    assert rows(rules.actions) == [
        (0.0, Action.SET_PARAMETER, CL, 5.0),
        (0.0, Action.SET_STATE, CLOCK, 0.0),
        (0.0, Action.ADD_STATE, DEPOT, 1.0),
        (0.0, Action.ADD_STATE, CENTRAL, 3.0),
    ]
    assert rules.actions.item.tolist() == [0, 0, 0, 0]
    assert rules.actions.counted.tolist() == [0, 0, 1, 0]


def test_no_rule_makes_empty_arrays() -> None:
    rules = rules_of({}, n=3)
    assert len(rules) == 0
    assert rules.threshold.shape == (3, 0)
    assert rules.visits.tolist() == rules.actions.offsets.tolist() == [0]


def test_visits_and_their_conditions_become_columns() -> None:
    therapy: dict[str, Item] = {
        "pill": Dose("oral", 1.0, at=0),
        "watched": Rule("central", above=1.0),
        "visited": Rule(
            "concentration",
            below=2.0,
            every=2.0,
            start=1.0,
            until=7.0,
            limit=None,
            consecutive=2,
            spacing=3.0,
            after="watched",
            wait=0.5,
            unless_running=True,
            assay=Assay(detection_limit=0.1, cv=0.3, sd=0.2),
        ),
        "always": Rule(at=[0.5, 4.0, 9.0], limit=2),
    }
    plan = compiled(therapy)
    rules = plan.rules
    assert item_names(therapy) == (("pill",), ("watched", "visited", "always"))
    assert plan.n_items == 1
    assert rules.watched.tolist() == [1, 0, 0]
    assert rules.source.tolist() == [CENTRAL, len(MODEL.states), -1]
    assert rules.direction.tolist()[:2] == [1, -1]
    assert rules.visits.tolist() == [0, 0, 3, 6]
    assert rules.visit_time.tolist() == [1.0, 3.0, 5.0, 0.5, 4.0, 9.0]
    assert rules.limit.tolist() == [1, 3, 2]
    assert rules.consecutive.tolist() == [1, 2, 1]
    assert rules.spacing.tolist() == [0.0, 3.0, 0.0]
    assert rules.after.tolist() == [-1, 0, -1]
    assert rules.wait.tolist() == [0.0, 0.5, 0.0]
    assert rules.idle.tolist() == [0, 1, 0]
    assert rules.detection.tolist() == [0.0, 0.1, 0.0]
    assert rules.log_sd.tolist() == [0.0, pytest.approx(np.sqrt(np.log(1.09)), rel=1e-14), 0.0]
    assert rules.sd.tolist() == [0.0, 0.2, 0.0]
    assert len(set(rules.stream.tolist())) == 3


@pytest.mark.parametrize(
    ("rule", "times"),
    [
        (Rule(every=4.0), [0.0, 4.0, 8.0]),
        (Rule(every=5.0), [0.0, 5.0]),  # not at the stop
        (Rule(every=4.0, start=-6.0), [2.0, 6.0]),
        (Rule(every=0.1, until=0.7), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        (Rule(every=3.0, start=2.0, until=99.0), [2.0, 5.0, 8.0]),
        (Rule(at=[-1.0, 0.0, 2.0, 10.0]), [0.0, 2.0]),
        (Rule(at=3.0), [3.0]),
    ],
)
def test_visits_lie_inside_the_simulation(rule: Rule, times: list[float]) -> None:
    assert rules_of({"e": rule}).visit_time.tolist() == times


# Actions


def test_dose_of_a_rule_counts_from_the_firing_and_repeats() -> None:
    plan = done(Dose("iv", 2.0, at=1.0, every=3.0, count=2), Dose("oral", 10.0))
    assert rows(plan.rules.actions) == [
        (0.0, Action.ADD_STATE, DEPOT, 8.0),
        (1.0, Action.ADD_STATE, CENTRAL, 2.0),
        (4.0, Action.ADD_STATE, CENTRAL, 2.0),
    ]
    assert plan.rules.actions.counted.tolist() == [1, 1, 1]
    assert rows(plan.stops) == []


def test_delay_moves_everything_that_a_rule_does() -> None:
    plan = done(SetParameter("CL", 5.0), Dose("iv", 2.0, at=1.0), delay=0.5)
    assert [row[0] for row in rows(plan.rules.actions)] == [0.5, 1.5]


def test_infusion_of_a_rule_adds_itself_to_what_runs() -> None:
    plan = done(Infusion("split", duration=2.0, rate=4.0), limit=2)
    assert plan.courses.kind.tolist() == [CourseKind.INPUT] * 2
    assert plan.courses.target.tolist() == [DEPOT, CENTRAL]
    assert plan.courses.level.tolist() == [[1.0, 3.0]]
    assert plan.courses.item.tolist() == [0, 0]
    assert sorted(rows(plan.rules.actions)) == [
        (0.0, Action.ADD_RUNNING, 0, 1.0),
        (0.0, Action.ADD_RUNNING, 1, 1.0),
        (2.0, Action.ADD_RUNNING, 0, -1.0),
        (2.0, Action.ADD_RUNNING, 1, -1.0),
    ]
    assert plan.rules.actions.counted.sum() == 1
    endless = done(Infusion("iv", rate=4.0))
    assert rows(endless.rules.actions) == [(0.0, Action.ADD_RUNNING, 0, 1.0)]


def test_window_of_a_rule_is_a_course() -> None:
    plan = done(Window("CL", scale=0.5, start=1.0, duration=2.0))
    assert plan.courses.kind.tolist() == [CourseKind.FACTOR]
    assert (plan.courses.target.tolist(), plan.courses.level.tolist()) == ([CL], [[0.5]])
    assert rows(plan.rules.actions) == [
        (1.0, Action.ADD_RUNNING, 0, 1.0),
        (3.0, Action.ADD_RUNNING, 0, -1.0),
    ]


def test_discontinue_and_reset_name_the_items() -> None:
    therapy: dict[str, Item] = {
        "stop": Rule("central", above=1.0, do=Discontinue("again")),
        "pill": Dose("oral", 1.0, at=0),
        "again": Rule("central", below=0.1, do=Dose("iv", 1.0)),
        "wash": Rule("clock", above=5.0, do=Reset(states=("central",))),
    }
    actions = rules_of(therapy).actions
    # Rules come behind the other items; the reset ends what gives into its states.
    assert item_names(therapy)[0] == ("pill",)
    assert rows(actions, 0) == [(0.0, Action.DISCONTINUE, 2, 0.0)]
    assert rows(actions, 2) == [
        (0.0, Action.RESET_STATE, CENTRAL, 0.0),
        (0.0, Action.DISCONTINUE, 2, 0.0),
    ]


def test_actions_may_differ_between_patients() -> None:
    """One owner a rule while all agree; one a patient and rule as soon as one of them does not."""
    therapy: dict[str, Item] = {
        "e": Rule("central", above=1.0, do=Dose("oral", 10.0)),
        "f": Rule("central", above=2.0, do=SetState("clock", 0.0)),
    }
    alike = rules_of(therapy, n=2, F=[0.5, 0.5]).actions
    assert alike.value.tolist() == [5.0, 0.0]
    assert alike.n_owners == 2
    actions = rules_of(therapy, n=2, F=[0.5, 0.6]).actions
    assert actions.n_owners == 4
    assert [rows(actions, owner)[0][3] for owner in range(4)] == [5.0, 0.0, 6.0, 0.0]
    own = rules_of({"e": Rule("central", above=1.0, do=SetState("clock", np.array([1.0, 2.0])))}, 2)
    assert [rows(own.actions, patient)[0][3] for patient in (0, 1)] == [1.0, 2.0]


def test_single_action_needs_no_list() -> None:
    action = Dose("depot", 1.0)
    assert Rule("central", above=1.0, do=action) == Rule("central", above=1.0, do=[action])
    assert Hazard(1.0, do=action) == Hazard(1.0, do=[action])
    assert Rule("central", above=1.0, do=action) != Rule("central", above=1.0)


def test_hazard_is_a_rule_on_its_integral() -> None:
    therapy: dict[str, Item] = {
        "relapse": Hazard(0.25, do=SetState("clock", 0.0)),
        "never": Hazard(np.array([1.0, 0.0, 2.0]), scale=0.5),
    }
    rules = rules_of(therapy, n=3)
    assert rules.source.tolist() == [len(MODEL.states)] * 2
    assert (rules.watched.tolist(), rules.direction.tolist()) == ([1, 1], [1, 1])
    assert rules.limit.tolist() == [1, 1]
    drawn = -np.log(uniforms(0, "relapse:hazard", np.arange(3)))
    assert rules.threshold[:, 0] == pytest.approx(drawn / 0.25, rel=1e-14)
    drawn = -np.log(uniforms(0, "never:hazard", np.arange(3)))
    expected = [drawn[0] / 0.5, np.inf, drawn[2]]
    assert rules.threshold[:, 1] == pytest.approx(expected, rel=1e-14)


# Regimens


def test_parts_of_a_regimen_are_shifted_scaled_and_named_in_full() -> None:
    regimen = Regimen(
        {
            "pill": Dose("oral", [1.0, 2.0], at=[0, 1], every=2.0, until=5.0),
            "drip": Infusion("iv", 1.0, stop=3.0, rate=0.5),
            "block": Window("CL", scale=0.5, start=0.0, stop=4.0),
            "first": Rule("central", above=1.0, do=[Dose("iv", 1.0, at=1.0), Discontinue("drip")]),
            "second": Rule(every=2.0, start=1.0, after="first", wait=1.0, do=Discontinue("other")),
        },
        at=2.0,
        scale=3.0,
    )
    flat = flatten({"cure": regimen, "other": Dose("iv", 1.0, at=0)})
    assert list(flat) == [
        *(f"cure.{name}" for name in ("pill", "drip", "block", "first", "second")),
        "other",
    ]
    assert flat["cure.pill"] == Dose("oral", [3.0, 6.0], at=[2.0, 3.0], every=2.0, until=7.0)
    assert flat["cure.drip"] == Infusion("iv", 3.0, stop=5.0, rate=1.5)
    assert flat["cure.block"] == Window("CL", scale=0.5, start=2.0, stop=6.0)
    assert flat["cure.first"] == Rule(
        "central", above=1.0, do=[Dose("iv", 3.0, at=1.0), Discontinue("cure.drip")]
    )
    assert flat["cure.second"] == Rule(
        every=2.0, start=3.0, after="cure.first", wait=1.0, do=Discontinue("other")
    )
    twice = Regimen({"pill": Dose("oral", 2.0, at=0)}, scale=np.array([1.0, 2.0]))
    assert flatten({"a": twice})["a.pill"] == Dose("oral", np.array([2.0, 4.0]), at=0.0)
    plain = Regimen({"pill": Dose("oral", 2.0, at=0)})
    assert flatten({"a": dataclasses.replace(plain, at=1.0)})["a.pill"] == Dose("oral", 2.0, at=1.0)


def test_patients_of_nested_arrays_are_counted_and_selected() -> None:
    rule = Rule("central", above=np.arange(3.0), do=Dose("iv", np.array([1.0, 2.0, 3.0])))
    regimen = Regimen({"e": rule})
    assert rule.patients() == {"above": 3, "do.0.amount": 3}
    assert regimen.patients() == {"items.e.above": 3, "items.e.do.0.amount": 3}
    part = regimen.select(slice(1, 3)).items["e"]
    assert part == Rule("central", above=np.array([1.0, 2.0]), do=Dose("iv", np.array([2.0, 3.0])))
    with pytest.raises(ScenarioError, match=r"therapy.e: do.0.amount is an array of 3, but"):
        check_lengths({"e": Rule("central", above=1.0, do=Dose("iv", np.arange(3.0)))}, 2)


def test_bundle_says_what_its_parts_are() -> None:
    with pytest.raises(NotImplementedError):
        Bundle().parts()


# Refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rule("central"), r"Rule when 'central': neither above nor below"),
        (lambda: Rule("central", above=1.0, below=2.0), r"both above and below. Give one"),
        (lambda: Rule("central", above=float("nan")), r"above = nan. It must be finite"),
        (lambda: Rule("central", below=[1.0]), r"below = \[1.0\] is a list"),  # type: ignore[arg-type]
        (lambda: Rule("", above=1.0), r"when = '' is not a name"),
        (lambda: Rule(above=1.0, every=1.0), r"Rule: above is a threshold of nothing. Give when"),
        (lambda: Rule(below=1.0, every=1.0), r"Rule: below is a threshold of nothing. Give when"),
        (lambda: Rule(), r"neither a condition nor visits, so it would never act. Give when"),
        (lambda: Rule("central", above=1.0, limit=0), r"limit = 0. Give a whole number from 1"),
        (lambda: Rule("central", above=1.0, limit=1.5), r"limit = 1.5. Give a whole"),  # type: ignore[arg-type]
        (lambda: Rule("central", above=1.0, limit=True), r"limit = True. Give a whole"),
        (lambda: Rule("central", above=1.0, limit=10_001), r"limit = 10001. .* 1 to 10000"),
        (lambda: Rule(every=1.0, consecutive=0), r"consecutive = 0. .* from 1 to 100000"),
        (lambda: Rule("central", above=1.0, do=["dose"]), r"do\[0\] is 'dose'. Give one of Dose"),  # type: ignore[list-item]
        (lambda: Rule("central", above=1.0, do="dose"), r"do = 'dose'. Give an action, or a list"),  # type: ignore[arg-type]
        (lambda: Rule("central", above=1.0, do=3), r"do = 3. Give an action, or a list"),  # type: ignore[arg-type]
        (
            lambda: Rule("central", above=1.0, do=Rule("central", above=2.0)),  # type: ignore[arg-type]
            r"do = Rule\(.* Give an action",
        ),
        (lambda: Rule("central", above=1.0, delay=-1.0), r"delay = -1 is negative"),
        (lambda: Rule(every=0.0), r"every = 0. The interval between visits must be above 0"),
        (lambda: Rule(every=np.ones(2)), r"every is an array. Give one number for all"),  # type: ignore[arg-type]
        (lambda: Rule(every="day"), r"every = 'day' is not a number"),  # type: ignore[arg-type]
        (lambda: Rule(every=1.0, start=np.zeros(2)), r"start is an array. Give one number"),  # type: ignore[arg-type]
        (lambda: Rule(every=1.0, until=np.inf), r"until = inf. It must be finite"),
        (lambda: Rule(at=np.zeros(2)), r"at is an array; the visits are the same for all"),  # type: ignore[arg-type]
        (lambda: Rule(at=[]), r"at is empty"),
        (lambda: Rule(at=[1.0, 3.0, 2.0]), r"at: the visits must ascend, each once"),
        (lambda: Rule(at=[1.0, 1.0]), r"at: the visits must ascend, each once"),
        (lambda: Rule(at=[1.0], every=2.0), r"at lists all visits, so every, start and until"),
        (lambda: Rule(at=[1.0], start=0.0), r"at lists all visits"),
        (lambda: Rule(at=[1.0], until=0.0), r"at lists all visits"),
        (lambda: Rule(every=1.0, spacing=-1.0), r"spacing = -1 is negative"),
        (lambda: Rule(every=1.0, spacing=np.ones(2)), r"spacing is an array. Give one"),  # type: ignore[arg-type]
        (lambda: Rule(every=1.0, after=""), r"after = '' is not a name"),
        (lambda: Rule(every=1.0, wait=2.0), r"wait = 2 needs the rule: give after"),
        (lambda: Rule(every=1.0, after="a", wait=-2.0), r"wait = -2 is negative"),
        (lambda: Rule(every=1.0, unless_running=1), r"unless_running = 1. Give true or false"),  # type: ignore[arg-type]
        (lambda: Rule("central", 1.0, every=1.0, assay=0.3), r"assay = 0.3. Give Assay"),  # type: ignore[arg-type]
        (lambda: Rule(every=1.0, assay=Assay()), r"an assay but nothing to measure: give when"),
        (lambda: Hazard(""), r"Hazard: rate = '' is not a name"),
        (lambda: Hazard(-1.0), r"Hazard: rate = -1 is negative"),
        (lambda: Hazard(1.0, scale=-2.0), r"scale = -2 is negative"),
        (lambda: Hazard("k", scale=-2.0), r"Hazard 'k': scale = -2 is negative"),
        (lambda: Hazard(1.0, delay=-2.0), r"delay = -2 is negative"),
        (lambda: Hazard(1.0, do="x"), r"do = 'x'. Give an action"),  # type: ignore[arg-type]
        (lambda: Assay(cv=-0.1), r"Assay: cv = -0.1 is negative"),
        (lambda: Assay(sd=np.zeros(2)), r"Assay: sd is an array. Give one number"),  # type: ignore[arg-type]
        (lambda: Assay(detection_limit=np.nan), r"detection_limit = nan. It must be finite"),
        (lambda: Discontinue(""), r"Discontinue: item = '' is not a name"),
        (lambda: SetState("", 1.0), r"SetState: state = '' is not a name"),
        (lambda: SetState("depot", np.nan), r"SetState 'depot': value = nan"),
        (lambda: SetParameter("", 1.0), r"SetParameter: parameter = '' is not a name"),
        (lambda: SetParameter("CL", np.inf), r"SetParameter 'CL': value = inf"),
        (lambda: Regimen({}), r"Regimen: items = \{\}. Give a mapping of names to items"),
        (lambda: Regimen([Dose("iv", 1.0)]), r"Regimen: items = \[Dose.*Give a mapping"),  # type: ignore[arg-type]
        (lambda: Regimen({"a": 3}), r"Regimen: items.a is 3. Give one of Dose"),  # type: ignore[dict-item]
        (
            lambda: Regimen({"a": Regimen({"b": Dose("iv", 1.0, at=0)})}),
            r"items.a is Regimen\(.* Give one of Dose",
        ),
        (lambda: Regimen({"a.b": Dose("iv", 1.0, at=0)}), r"'a.b' is not a usable name"),
        (lambda: Regimen({"": Dose("iv", 1.0, at=0)}), r"'' is not a usable name"),
        (lambda: Regimen({" a": Dose("iv", 1.0, at=0)}), r"' a' is not a usable name"),
        (
            lambda: Regimen({"a": Dose("iv", 1.0, at=0)}, at=np.zeros(2)),  # type: ignore[arg-type]
            r"Regimen: at is an array. Give one number for all",
        ),
        (lambda: Regimen({"a": Dose("iv", 1.0, at=0)}, scale=-1.0), r"scale = -1 is negative"),
        (
            lambda: Regimen({"a": Infusion("iv", 0.0, rate="ka", stop=1.0)}, scale=2.0).parts(),
            r"scale cannot multiply the rate of Infusion.*parameter 'ka'. Scale the parameter",
        ),
    ],
)
def test_rules_refuse_what_makes_no_sense(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ScenarioError, match=message):
        make()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("consecutive", 2),
        ("spacing", 1.0),
        ("after", "other"),
        ("unless_running", True),
        ("assay", Assay(cv=0.3)),
        ("start", 1.0),
        ("until", 1.0),
    ],
)
def test_what_needs_visits_is_refused_for_a_rule_that_is_watched(field: str, value: Any) -> None:
    with pytest.raises(
        ScenarioError, match=rf"{field} is for rules that look at visits, .* Give the .*: every"
    ):
        Rule("central", above=1.0, **{field: value})
    Rule("central", above=1.0, every=1.0, **{field: value})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule("centrl", above=1.0), r"therapy.e: when = 'centrl': .* Did you mean 'central'\?"),
        (Rule("ka", above=1.0), r"when = 'ka': model .* no state or observable 'ka'"),
        (Rule("central", above=1.0, do=Dose("deepot", 1.0)), r"e.do\[0\]: into = 'deepot'"),
        (Rule("central", above=1.0, do=SetState("oral", 1.0)), r"state = 'oral': .* no state"),
        (Rule("central", above=1.0, do=[SetParameter("k", 1.0)]), r"parameter = 'k' is computed"),
        (Rule("central", above=1.0, do=[SetParameter("F", 2.0)]), r"F = 2 1 lies outside"),
        (Rule("central", above=1.0, do=SetParameter("Cl", 2.0)), r"'Cl': .* Did you mean 'CL'\?"),
        (
            Rule("central", above=1.0, do=[Dose("iv", 1.0), Window("CL", value=-1.0)]),
            r"therapy.e.do\[1\]: CL = -1 L/day lies outside",
        ),
        (Rule("central", above=1.0, do=Window("k", value=1.0)), r"do\[0\]: parameter = 'k' is com"),
        (Rule("central", above=1.0, do=Reset(states=("oral",))), r"do\[0\]: state = 'oral'"),
        (
            Rule("central", above=1.0, do=Dose("iv", 1.0, at=-1.0)),
            r"do\[0\]: at = -1 lies before the firing, from which times in a rule count",
        ),
        (
            Rule("central", above=1.0, do=Infusion("iv", start=-1.0, rate=1.0)),
            r"do\[0\]: start = -1 lies before the firing",
        ),
        (
            Rule("central", above=1.0, do=Window("CL", start=-1.0, value=1.0)),
            r"do\[0\]: start = -1 lies before the firing",
        ),
        (
            Rule("central", above=1.0, do=Reset(at=[-2.0, 1.0])),
            r"do\[0\]: at = -2 lies before the firing",
        ),
        (
            Rule("central", above=1.0, do=Dose("iv", 1.0, every=1.0, steady_state=1)),
            r"do\[0\]: a rule cannot give a dose at steady state",
        ),
        (
            Rule("central", above=1.0, do=Dose("iv", 1.0, every=1e-5)),
            r"therapy.e.do\[0\]: every = 1e-05 makes 1e\+06 repeats",
        ),
        (
            Rule("central", above=1.0, do=Dose("iv", 1.0, lag="tlag")),
            r"do\[0\]: lag = 'tlag': .* no parameter 'tlag'",
        ),
        (
            Rule("central", above=1.0, do=Discontinue("pil")),
            r"do\[0\]: item: the therapy has no item 'pil'. Did you mean 'pill'\?",
        ),
        (
            Rule("central", above=1.0, do=Discontinue("weight")),
            r"do\[0\]: item = 'weight' is a Covariate, which cannot be discontinued. Name a dose",
        ),
        (
            Rule("central", above=1.0, do=Discontinue("wash")),
            r"item = 'wash' is a Reset, which cannot be discontinued",
        ),
        (
            Rule("central", above=1.0, do=SetParameter("V", 3.0)),
            r"therapy.e sets V, which follows therapy.weight: its next record would undo it",
        ),
        (
            Rule(every=1.0, after="othr"),
            r"therapy.e: after: the therapy has no rule 'othr'. Did you mean 'other'\?",
        ),
        (Rule(every=1.0, after="pill"), r"after: the therapy has no rule 'pill'"),
        (
            Rule(every=5.0, consecutive=3),
            r"it can never fire: it needs 3 visits, and has 2 between 0 and 10. Look earlier",
        ),
        (Rule(at=10.0), r"it can never fire: it needs 1 visit, and has 0 between 0 and 10"),
        (Rule(every=1.0, start=20.0), r"it can never fire"),
        (
            Rule(every=1e-5),
            r"every = 1e-05 makes 1e\+06 visits, more than 100000. Is the interval in",
        ),
        (Rule(every=1.0, after="e"), r"therapy.e: it can never fire: e after e. Let one"),
        (Rule(every=1.0, after="later"), r"it can never fire: e after later after e"),
        (Hazard("centrl"), r"therapy.e: rate = 'centrl': .* Did you mean 'central'\?"),
        (
            Hazard("central"),
            r"rate = 'central' is in \[mg\]. A hazard is per time: give an output in \[1/day\]",
        ),
        (Hazard(1.0, do=Discontinue("pil")), r"therapy.e.do\[0\]: item: the therapy has no"),
    ],
)
def test_rules_are_checked_against_model_and_therapy(rule: Item, message: str) -> None:
    therapy: dict[str, Item] = {
        "e": rule,
        "pill": Dose("oral", 1.0, at=0),
        "weight": Covariate("V", at=[0.0, 2.0], value=[20.0, 30.0]),
        "wash": Reset(at=2.0),
        "other": Rule("central", above=1.0),
        "later": Rule(every=1.0, after="e"),
    }
    with pytest.raises(ScenarioError, match=message):
        check_therapy(MODEL, therapy, 0.0, 10.0)


def test_rule_and_window_of_one_parameter_both_act() -> None:
    """The window is a factor on what the rule has set."""
    therapy: dict[str, Item] = {
        "rescue": Rule("central", above=1.0, do=SetParameter("CL", 5.0)),
        "block": Window("CL", scale=0.5, start=1.0, stop=2.0),
    }
    plan = compiled(therapy)
    assert plan.courses.kind.tolist() == [CourseKind.FACTOR]
    assert rows(plan.stops) == [
        (1.0, Action.SET_RUNNING, 0, 1.0),
        (2.0, Action.SET_RUNNING, 0, 0.0),
    ]
    assert rows(plan.rules.actions) == [(0.0, Action.SET_PARAMETER, CL, 5.0)]
