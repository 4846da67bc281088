"""What items read has the value at their record, and changes that nothing reads are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carsim import ScenarioError, Solver, load_model, replay, simulate
from carsim.model import Model
from carsim.scenario import Scenario
from carsim.therapy import (
    Covariate,
    Dose,
    Hazard,
    Infusion,
    Item,
    Reset,
    Rule,
    SetParameter,
    Window,
    read_events,
)

MODEL: Model = load_model(str(Path(__file__).with_name("settings.py")))
CLOSED: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))
K = 1e-3
STOP = 40.0
TIGHT = Solver(rtol=1e-10)

ADVANCE = {
    "locf": Covariate("F", at=(0.0, 10.0), value=(1.0, 0.25), interpolation="locf"),
    "nocb": Covariate("F", at=(0.0, 20.0), value=(1.0, 0.25)),
    "linear": Covariate("F", at=(0.0, 20.0), value=(1.0, 0.25), interpolation="linear"),
    "value": Window("F", start=10.0, value=0.25),
    "scale": Window("F", start=20.0, scale=0.25),
    "repeated": Window("F", start=5.0, duration=1.0, every=3.0, value=0.25),
}
RULES = {
    "set": Rule(at=(10.0,), do=SetParameter("F", 0.25)),
    "window": Rule(at=(10.0,), do=Window("F", scale=0.25)),
    "delayed": Rule(at=(5.0,), delay=10.0, do=Window("F", value=0.25)),
    "hazard": Hazard(1e9, do=Window("F", start=1.0, scale=0.25)),
}


def central(
    therapy: dict[str, Item], at: float = 20.0, model: Model = MODEL, **fields: Any
) -> float:
    """Drug in plasma at a time, just after what is given then."""
    result = simulate(
        model, therapy=therapy, stop=STOP, save_at=[at], outputs=["central"], solver=TIGHT, **fields
    )
    assert int(result.status) == 0
    return float(result.central[0])


def bolus(amount: float, age: float) -> float:
    return float(amount * np.exp(-K * age))


def infused(rate: float, start: float, stop: float, at: float) -> float:
    return float(rate / K * (np.exp(-K * (at - stop)) - np.exp(-K * (at - start))))


@pytest.mark.parametrize("name", [*ADVANCE, *RULES])
def test_bioavailability_counts_at_the_record(name: str) -> None:
    changed = {**ADVANCE, **RULES}[name]
    dose = Dose("iv", 100.0, at=(0.0, 20.0), bioavailability="F")
    expected = bolus(100.0, 20.0) + 25.0
    assert expected == pytest.approx(123.02, abs=5e-3)
    assert central({"F": changed, "dose": dose}) == pytest.approx(expected, rel=1e-9)
    assert central({"dose": dose, "F": changed}) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", [*ADVANCE, *RULES])
def test_repeats_keep_the_value_of_their_record(name: str) -> None:
    changed = {**ADVANCE, **RULES}[name]
    dose = Dose("iv", 100.0, at=0.0, every=20.0, count=2, bioavailability="F")
    expected = bolus(100.0, 20.0) + 100.0
    assert central({"F": changed, "dose": dose}) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ADVANCE)
def test_doses_that_rules_give_read_when_they_are_given(name: str) -> None:
    rule = Rule(at=(0.0, 21.0), limit=None, do=Dose("iv", 100.0, bioavailability="F"))
    share = {"linear": 0.25, "repeated": 1.0}.get(name, 0.25)
    if name == "repeated":
        rule = Rule(at=(0.0, 20.5), limit=None, do=Dose("iv", 100.0, bioavailability="F"))
        share = 0.25
    age = 25.0 - (20.5 if name == "repeated" else 21.0)
    found = central({"F": ADVANCE[name], "rule": rule}, 25.0)
    first = 1.0
    if name == "nocb":
        # The rule comes after what is scheduled, also at the start.
        first = 0.25
    assert found == pytest.approx(bolus(100.0 * first, 25.0) + bolus(100.0 * share, age), rel=1e-9)


def test_what_a_rule_gives_counts_from_its_own_record() -> None:
    changes = {"F": Window("F", start=12.0, scale=0.25)}
    gives = Dose("iv", 100.0, at=(1.0, 1.5, 3.0), bioavailability="F")
    found = central({**changes, "rule": Rule(at=(10.0,), delay=0.5, do=gives)})
    expected = bolus(100.0, 8.5) + bolus(25.0, 8.0) + bolus(25.0, 6.5)
    assert found == pytest.approx(expected, rel=1e-9)
    repeats = Dose("iv", 100.0, every=3.0, count=3, lag=0.5, bioavailability="F")
    found = central({**changes, "rule": Rule(at=(11.0,), do=repeats)})
    assert found == pytest.approx(sum(bolus(100.0, age) for age in (8.5, 5.5, 2.5)), rel=1e-9)


@pytest.mark.parametrize("by_rule", [False, True])
def test_a_lagging_dose_reads_at_its_record(by_rule: bool) -> None:
    change: Item = Window("F", start=10.0, scale=0.25)
    if by_rule:
        change = Rule(at=(10.0,), do=Window("F", scale=0.25))
    dose = Dose("iv", 100.0, at=(8.0, 12.0), lag=5.0, bioavailability="F")
    found = central({"F": change, "dose": dose})
    assert found == pytest.approx(bolus(100.0, 7.0) + bolus(25.0, 3.0), rel=1e-9)


def test_lag_and_duration_count_at_the_record() -> None:
    for change in (
        Window("lag", start=10.0, value=2.0),
        Covariate("lag", (0.0, 10.0), (0.0, 2.0), "locf"),
    ):
        dose = Dose("iv", 100.0, at=(0.0, 19.0), lag="lag")
        assert central({"a": change, "b": dose}, 20.0) == pytest.approx(bolus(100.0, 20.0))
        expected = bolus(100.0, 22.0) + bolus(100.0, 1.0)
        assert central({"a": change, "b": dose}, 22.0) == pytest.approx(expected, rel=1e-9)
    change = Window("long", start=10.0, scale=2.0)
    infusion = Infusion("iv", start=(0.0, 11.0), amount=100.0, duration="long")
    expected = infused(50.0, 0.0, 2.0, 13.0) + infused(25.0, 11.0, 13.0, 13.0)
    assert central({"a": change, "b": infusion}, 13.0) == pytest.approx(expected, rel=1e-9)
    shortened = Infusion("iv", (0.0, 11.0), rate=10.0, duration=2.0, bioavailability="F")
    expected = infused(10.0, 0.0, 2.0, 20.0) + infused(10.0, 11.0, 11.5, 20.0)
    found = central({"a": Window("F", start=10.0, value=0.25), "b": shortened})
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("by_rule", [False, True])
def test_rates_count_at_the_record(by_rule: bool) -> None:
    change: Item = Window("rate", start=10.0, scale=0.25)
    if by_rule:
        change = Rule(at=(10.0,), do=Window("rate", scale=0.25))
    infusion = Infusion("iv", (0.0, 9.0, 11.0), rate="rate", duration=4.0)
    expected = (
        infused(10.0, 0.0, 4.0, 20.0)
        + infused(10.0, 9.0, 13.0, 20.0)
        + infused(2.5, 11.0, 15.0, 20.0)
    )
    assert central({"a": change, "b": infusion}) == pytest.approx(expected, rel=1e-9)


def test_nothing_runs_behind_infusions_that_were_read() -> None:
    # 0.1 + 0.3 - 0.1 - 0.3 is not zero.
    change = Window("rate", start=1.5, value=0.3)
    gives = Infusion("iv", rate="rate", duration=3.0)
    rule = Rule(at=(1.0, 2.0), limit=None, do=gives)
    therapy = {"rate": change, "rule": rule, "out": Reset(at=20.0)}
    found = central(therapy, 30.0, parameters={"rate": 0.1})
    assert found == 0.0


@pytest.mark.parametrize("by_rule", [False, True])
def test_fractions_of_routes_count_at_the_record(by_rule: bool) -> None:
    change: Item = Window("G", start=10.0, scale=0.5)
    if by_rule:
        change = Rule(at=(10.0,), do=Window("G", scale=0.5))
    therapy = {"a": change, "b": Dose("oral", 100.0, at=(0.0, 12.0), bioavailability="F")}
    found = central(therapy)
    assert found == pytest.approx(bolus(25.0, 20.0) + bolus(12.5, 8.0), rel=1e-9)


def test_event_table_follows_its_covariates() -> None:
    frame = pd.DataFrame(
        {
            "ID": [1, 1],
            "TIME": [0.0, 10.0],
            "AMT": [100.0, 100.0],
            "CMT": ["iv", "iv"],
            "FF": [1.0, 0.25],
        }
    )
    table = read_events(frame, MODEL, bioavailability={"iv": "F"}, covariates={"FF": "F"})
    found = simulate(
        MODEL,
        therapy=table.therapy,
        parameters={**table.parameters, "k": 0.0},
        stop=20.0,
        save_at=[10.0],
        outputs=["central"],
    )
    assert found.central.values.ravel() == pytest.approx([125.0], rel=1e-12)


@pytest.mark.parametrize("inside", [False, True])
def test_a_steady_state_reads_at_its_record(inside: bool) -> None:
    window = Window("F", start=10.0 if inside else 10.5, stop=12.0, scale=0.25)
    dose = Dose(
        "iv", 100.0, at=10.0, every=5.0, count=2, lag=7.0, steady_state=1, bioavailability="F"
    )
    share, k = 0.25 if inside else 1.0, 0.3
    found = central({"F": window, "dose": dose}, 18.0, parameters={"k": k})
    # Doses of before enter at 12 and 17, that of the record too.
    expected = 100.0 * share * np.exp(-k * 1.0) / -np.expm1(-k * 5.0)
    assert found == pytest.approx(expected, rel=1e-6)


shares = st.sampled_from([0.0, 0.125, 0.5, 0.8, 1.0, 2.0])
moments = st.integers(0, 14).map(float)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(moments, shares), min_size=1, max_size=4, unique_by=lambda pair: pair[0]),
    st.sampled_from(["locf", "nocb", "linear"]),
    st.tuples(moments, st.integers(1, 5), st.sampled_from([0.5, 2.0])),
    st.lists(moments, min_size=1, max_size=3, unique=True),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.75]),
)
def test_random_regimens_follow_the_closed_form(
    records: list[tuple[float, float]],
    interpolation: str,
    window: tuple[float, int, float],
    at: list[float],
    count: int,
    lag: float,
) -> None:
    times, values = (list(column) for column in zip(*sorted(records), strict=True))
    begin, length, scale = window

    def share(time: float) -> float:
        if interpolation == "linear":
            value = float(np.interp(time, times, values))
        elif interpolation == "locf":
            value = values[max(int(np.searchsorted(times, time, side="right")) - 1, 0)]
        else:
            value = values[min(int(np.searchsorted(times, time)), len(times) - 1)]
        inside = begin <= time < begin + length and interpolation != "linear"
        return value * scale if inside else value

    therapy: dict[str, Item] = {
        "dose": Dose(
            "iv", 10.0, at=sorted(at), every=1.5, count=count, lag=lag, bioavailability="F"
        ),
        "F": Covariate("F", tuple(times), tuple(values), interpolation),
    }
    if interpolation != "linear":
        therapy["window"] = Window("F", start=begin, duration=float(length), scale=scale)
    expected = sum(
        bolus(10.0 * share(time), 30.0 - time - lag - 1.5 * n) for time in at for n in range(count)
    )
    assert central(therapy, 30.0) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    # The same, given by rules: a covariate that goes on at that instant has gone on.
    del therapy["dose"]
    gives = Dose("iv", 10.0, every=1.5, count=count, lag=lag, bioavailability="F")
    therapy["rule"] = Rule(at=[time + 0.25 for time in sorted(at)], limit=None, do=gives)
    expected = sum(
        bolus(10.0 * share(time + 0.25), 29.75 - time - lag - 1.5 * n)
        for time in at
        for n in range(count)
    )
    assert central(therapy, 30.0) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def mixed(n: int) -> dict[str, Any]:
    """Patients whose rules change what doses read, and give doses that read it."""
    generator = np.random.default_rng(3)
    return {
        "parameters": {"F": generator.uniform(0.2, 1.0, n), "k": generator.uniform(0.05, 0.3, n)},
        "therapy": {
            "doses": Dose("oral", 100.0, at=(0.0, 7.0, 14.0), every=1.0, count=4, lag=0.5,
                          bioavailability="F"),
            "drip": Infusion("iv", start=(1.0, 12.0), amount=20.0, duration=3.0,
                             bioavailability="F"),
            "less": Rule("central", above=60.0, every=1.0, limit=3,
                         do=Window("F", duration=4.0, scale=0.5)),
            "share": Window("G", start=5.0, stop=15.0, scale=2.0),
            "more": Rule("central", below=30.0, every=1.0, limit=5, delay=0.25, do=(
                Dose("oral", 50.0, at=(0.0, 2.0), bioavailability="F"),
                Infusion("iv", amount=10.0, duration=2.5, bioavailability="F"),
            )),
        },
        "stop": 30.0,
        "save_at": np.linspace(0.0, 30.0, 61),
        "outputs": ["central", "depot"],
    }  # fmt: skip


def test_bits_depend_on_neither_threads_nor_blocks() -> None:
    results = [
        simulate(MODEL, solver=Solver(threads=threads, block_size=size), **mixed(21))
        for threads, size in ((1, 21), (2, 4), (2, 21))
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(other.central.values, results[0].central.values)
    assert (results[0].status.values == 0).all()


def test_what_rules_read_is_replayed() -> None:
    result = simulate(MODEL, **mixed(9))
    assert "more" in result.event_name.values
    assert "less" in result.event_name.values
    again = simulate(replay(result))
    for name in ("central", "depot"):
        np.testing.assert_allclose(again[name].values, result[name].values, rtol=1e-12, atol=0.0)


REFUSED: dict[str, tuple[dict[str, Item], str]] = {
    "lag": (
        {"s": Rule(at=(5.0,), do=SetParameter("lag", 2.0)), "d": Dose("iv", 1.0, 0.0, lag="lag")},
        r"therapy.d: lag = 'lag' counts at the record, and therapy.s changes it",
    ),
    "duration": (
        {
            "w": Window("long", start=1.0, scale=2.0),
            "r": Rule(at=(5.0,), do=Infusion("iv", amount=2.0, duration="long")),
        },
        r"therapy.r.do\[0\]: duration = 'long' .* Schedule it",
    ),
    "shortening": (
        {
            "s": Rule(at=(5.0,), do=SetParameter("F", 0.5)),
            "d": Infusion("iv", 0.0, rate=1.0, duration=2.0, bioavailability="F"),
        },
        r"bioavailability_scales = 'rate'",
    ),
    "steady state": (
        {
            "s": Rule(at=(5.0,), do=Window("G", scale=0.5)),
            "d": Dose("oral", 1.0, 0.0, every=2.0, steady_state=1),
        },
        r"therapy.d: it is at steady state and reads 'G', which therapy.s changes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_have_to_be_known_before_is_refused(name: str) -> None:
    therapy, words = REFUSED[name]
    with pytest.raises(ScenarioError, match=words):
        Scenario(MODEL, therapy=therapy, stop=10.0)


CHANGES: dict[str, Callable[[str], Item]] = {
    "window": lambda name: Window(name, start=2.0, scale=0.5),
    "covariate": lambda name: Covariate(name, (0.0, 5.0), (1.0, 2.0)),
    "set": lambda name: Rule(at=(1.0,), do=SetParameter(name, 0.5)),
    "rule": lambda name: Rule(at=(1.0,), do=Window(name, scale=0.5)),
    "hazard": lambda name: Hazard(0.1, do=SetParameter(name, 0.5)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_changes_of_what_only_the_start_reads_are_refused(kind: str) -> None:
    change = CHANGES[kind]
    with pytest.raises(
        ScenarioError, match=r"therapy.w.*CL is read only when a patient starts.*follows: k"
    ):
        Scenario(CLOSED, therapy={"w": change("CL")}, stop=10.0)
    with pytest.raises(ScenarioError, match=r"From first follows: the start of central"):
        Scenario(MODEL, therapy={"w": change("first")}, stop=10.0)
    with pytest.raises(ScenarioError, match=r"nothing in model 'settings' reads unread"):
        Scenario(MODEL, therapy={"w": change("unread")}, stop=10.0)
    with pytest.raises(ScenarioError, match=r"G is read only by doses into oral"):
        Scenario(MODEL, therapy={"w": change("G"), "d": Dose("iv", 1.0, at=0.0)}, stop=10.0)
    oral = Dose("oral", 1.0, at=0.0)
    Scenario(MODEL, therapy={"w": change("G"), "d": oral}, stop=10.0)


def test_what_follows_is_found_where_the_start_computes() -> None:
    flagship = load_model("cart_hbv")
    for parameter, words in (
        ("hbv.dna_0", r"hbv.s_E \(source of effectors\)"),
        ("leukemia.extramedullary_cells", r"the start of leukemia.positive_extramedullary"),
    ):
        with pytest.raises(ScenarioError, match=words):
            Scenario(flagship, therapy={"w": Window(parameter, start=5.0, scale=2.0)}, stop=10.0)


def test_a_window_on_engraftment_acts_on_the_cells_given_in_it() -> None:
    def cells(scale: float | None) -> float:
        therapy: dict[str, Item] = {
            "first": Dose("car_t", 1e6, at=0.0),
            "second": Dose("car_t", 1e8, at=10.0),
        }
        if scale is not None:
            therapy["weak"] = Window("cart.engraftment", start=7.0, scale=scale)
        prepared = simulate("cart_hbv", therapy=therapy, stop=11.0, save_at=[9.999999, 10.0],
                            outputs=[STATE])  # fmt: skip
        before, after = prepared[STATE].values
        return float(after - before)

    assert cells(0.1) == pytest.approx(0.1 * cells(None), rel=1e-3)


STATE = "cart.effector_blood"
