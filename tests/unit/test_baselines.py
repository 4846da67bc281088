"""Rules that compare with the patient's own baseline, and strategies that act on an event."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim import (
    Assay,
    Baseline,
    Covariate,
    Dose,
    Infusion,
    Rule,
    Scenario,
    SetState,
    Solver,
    Window,
    load_model,
    simulate,
)
from carsim.config import read_text
from carsim.endpoints import (
    DEFINITIONS,
    FLARE_CRITERIA,
    Criterion,
    Definition,
    Endpoint,
    HBVReactivation,
    HepatitisFlare,
    Remission,
)
from carsim.errors import ConfigError, ScenarioError
from carsim.model import Model
from carsim.sweep.axes import takes_arrays
from carsim.therapy import Item
from carsim.therapy.strategies import OnDemand, Preemptive, SalvageTherapy

HERE = Path(__file__).parent
TOY: Model = load_model(str(HERE / "toy_hbv.py"))
LAB: Model = load_model(str(HERE / "lab_values.py"))
FINE = Solver(rtol=1e-9)
Array = NDArray[np.float64]


def grow(rule: Rule, start: float = -14.0, **options: Any) -> list[list[float]]:
    """Days on which a rule fires, patient by patient, while the virus grows exponentially."""
    options = {"therapy": {"rise": rule}, "solver": FINE, **options}
    result = simulate(TOY, start=start, stop=400.0, outputs=["hbv_dna"], **options)
    return fired(result, ("rise",))


def fired(result: xr.Dataset, names: tuple[str, ...]) -> list[list[float]]:
    """Times at which any of some rules fired, patient by patient."""
    mine = np.isin(result["event_name"].values, names)
    patients, times = result["event_patient"].values[mine], result["event_time"].values[mine]
    return [sorted(times[patients == number].tolist()) for number in result["patient"].values]


# Thresholds that follow from the baseline, in closed form


@settings(max_examples=4, deadline=None)
@given(
    start=st.sampled_from([-14.0, -3.5, 0.0]),
    fold=st.floats(1.5, 100.0),
    rates=st.lists(st.floats(0.012, 0.05), min_size=2, max_size=2),
    baselines=st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=2),
)
def test_a_rise_is_seen_when_exponential_growth_has_made_it(
    start: float, fold: float, rates: list[float], baselines: list[float]
) -> None:
    """ln(fold) / growth after the start, whatever the baseline was."""
    options: dict[str, Any] = {
        "start": start,
        "parameters": {"growth": np.array(rates)},
        "initial": {"virus": np.array(baselines)},
    }
    crossing = start + math.log(fold) / np.array(rates)
    watched = grow(Rule("hbv_dna", above=0.0, fold_of_baseline=fold), **options)
    assert np.concatenate(watched) == pytest.approx(crossing, abs=1e-4)
    visited = grow(
        Rule("hbv_dna", above=0.0, fold_of_baseline=fold, every=7.0, start=0.0), **options
    )
    # At the start itself nobody looks: that visit gives the baseline.
    first = np.maximum(np.ceil(crossing / 7.0) * 7.0, 0.0)
    assert np.concatenate(visited).tolist() == first.tolist()


def test_the_larger_of_level_and_fold_counts_and_each_may_differ_between_patients() -> None:
    virus = np.array([1.0, 1.0, 20.0])
    options: dict[str, Any] = {"initial": {"virus": virus}, "parameters": {"growth": 0.02}}
    level, fold = np.array([50.0, 5.0, 50.0]), np.array([10.0, 10.0, 10.0])
    rule = Rule("hbv_dna", above=level, fold_of_baseline=fold)
    crossing = -14.0 + np.log(np.array([50.0, 10.0, 200.0]) / virus) / 0.02
    assert np.concatenate(grow(rule, **options)) == pytest.approx(crossing, abs=1e-4)


def test_a_fall_below_a_share_of_the_baseline() -> None:
    """Of a level and a share of the baseline the smaller counts."""
    virus = np.array([1.0, 1000.0])
    options: dict[str, Any] = {"initial": {"virus": virus}, "parameters": {"growth": -0.02}}
    rule = Rule("hbv_dna", below=100.0, fold_of_baseline=0.5)
    crossing = -14.0 + np.log(virus / np.array([0.5, 100.0])) / 0.02
    assert np.concatenate(grow(rule, **options)) == pytest.approx(crossing, abs=1e-4)


def test_an_undetected_baseline_leaves_the_level_alone() -> None:
    """9.9 IU/mL are not detected, so that 10 are enough; of 10 the hundredfold is asked for."""
    virus = np.array([9.9, 10.0])
    options: dict[str, Any] = {"initial": {"virus": virus}, "parameters": {"growth": 0.02}}
    rule = Rule(
        "hbv_dna", above=10.0, fold_of_baseline=100.0, every=1.0, assay=Assay(detection_limit=10.0)
    )
    crossing = -14.0 + np.log(np.array([10.0, 1000.0]) / virus) / 0.02
    # A value that lies on its threshold may be rounded to either side.
    assert np.concatenate(grow(rule, **options)) == pytest.approx(np.ceil(crossing), abs=1.0)


def test_a_rule_is_about_some_patients_only() -> None:
    options: dict[str, Any] = {
        "initial": {"virus": np.array([1.0, 10.0, 100.0])},
        "parameters": {"growth": 0.02, "surface": np.array([0.0, 1.0, 1.0])},
    }
    carrier = Baseline("hbsag", at_least=0.05)
    low = Baseline("hbv_dna", less_than=100.0)
    days = grow(Rule("hbv_dna", above=200.0, every=28.0, for_whom=carrier), **options)
    assert [len(each) for each in days] == [0, 1, 1]
    days = grow(Rule("hbv_dna", above=200.0, every=28.0, for_whom=(carrier, low)), **options)
    assert [len(each) for each in days] == [0, 1, 0]
    between = Baseline("hbv_dna", at_least=np.array([1.0, 11.0, 1.0]), less_than=100.0)
    days = grow(Rule("hbv_dna", above=200.0, for_whom=between), **options)
    assert [len(each) for each in days] == [1, 0, 0]


@pytest.mark.parametrize(("strict", "expected"), [(False, [0.0]), (True, [])])
def test_more_than_is_not_at_least(strict: bool, expected: list[float]) -> None:
    for side in ("above", "below"):
        rule = Rule("hbv_dna", every=28.0, start=0.0, strict=strict, **{side: 100.0})  # type: ignore[arg-type]
        given: dict[str, Any] = {"parameters": {"dna": 100.0}, "therapy": {"seen": rule}}
        result = simulate(LAB, start=-14.0, stop=100.0, outputs=["hbv_dna"], **given)
        assert fired(result.expand_dims("patient"), ("seen",)) == [expected]


def test_the_baseline_comes_after_what_is_scheduled_for_the_start() -> None:
    """As the value that is saved there: doses, windows and covariates of the start are in it."""
    at_once: dict[str, Item] = {
        "dose": Dose("drug", np.array([3.0, 5.0]), at=-14.0),
        "window": Window("dna", start=-14.0, stop=10.0, scale=4.0),
        "known": Covariate("dna", at=(-20.0, 100.0), value=(30.0, 30.0), interpolation="locf"),
        "rise": Covariate("antigen", at=(-24.0, 76.0), value=(0.0, 100.0), interpolation="linear"),
    }
    looks: dict[str, Item] = {
        "early": Rule(at=(-14.0,), do=SetState("drug", 100.0)),
        "drug": Rule("drug", above=0.0, fold_of_baseline=20.0, every=7.0),
        "dna": Rule("hbv_dna", below=1e9, fold_of_baseline=0.25, every=7.0),
        # 10 at the start, and one more a day.
        "antigen": Rule("hbsag", above=0.0, fold_of_baseline=4.95, at=(25.0, 25.25, 25.75)),
    }
    result = simulate(LAB, therapy={**at_once, **looks}, start=-14.0, stop=100.0, outputs=["drug"])
    # 20 times 5 are 100; what a rule does at the start comes behind the baseline.
    assert fired(result, ("drug",)) == [[-7.0], [-7.0]]
    assert fired(result, ("dna",)) == [[14.0], [14.0]]
    assert fired(result, ("antigen",)) == [[25.75], [25.75]]


def test_a_dose_beyond_the_start_is_not_in_the_baseline() -> None:
    therapy = {
        "dose": Dose("drug", 8.0, at=(-14.0, 0.0)),
        "twice": Rule("drug", above=0.0, fold_of_baseline=2.0, every=1.0),
    }
    result = simulate(LAB, therapy=therapy, start=-14.0, stop=10.0, outputs=["drug"])
    # A visit comes before what is scheduled for its time.
    assert fired(result.expand_dims("patient"), ("twice",)) == [[1.0]]


# What is refused, stored and read from files


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Rule("a", above=1.0, fold_of_baseline=-1.0), "fold_of_baseline = -1 is negative"),
        (lambda: Rule("a", fold_of_baseline=2.0), "neither above nor below"),
        (lambda: Rule(every=1.0, fold_of_baseline=2.0), "fold_of_baseline belongs to a condition"),
        (lambda: Rule(every=1.0, strict=True), "strict belongs to a condition"),
        (lambda: Rule("a", above=1.0, strict=1), "strict = 1. Give true or false"),  # type: ignore[arg-type]
        (lambda: Rule("a", above=1.0, for_whom="b"), "for_whom = 'b'. Give Baseline"),  # type: ignore[arg-type]
        (lambda: Rule("a", above=1.0, for_whom=[1.0]), "for_whom = .*Give Baseline"),  # type: ignore[list-item]
        (lambda: Rule("a", above=1.0, every=1.0, unless=()), r"unless = \(\). Give a rule"),
        (lambda: Baseline("a"), "it says nothing. Give at_least, less_than, or both"),
        (lambda: Baseline("a", at_least=math.nan), "at_least = nan. It must be finite"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(make: Any, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        make()


def test_unknown_outputs_of_a_baseline_are_refused() -> None:
    rule = Rule("hbv_dna", above=1.0, for_whom=[Baseline("hbsg", at_least=1.0)])
    with pytest.raises(ScenarioError, match=r"therapy\.e\.for_whom\[0\]: of = 'hbsg'.*'hbsag'"):
        Scenario(TOY, therapy={"e": rule}, stop=10.0)


def test_several_rules_may_keep_one_still() -> None:
    give = Infusion("drug", rate=1.0, duration=10.0)
    rules = {
        "one": Rule(at=(0.0,), do=give),
        "two": Rule(at=(20.0,), do=give),
        "three": Rule(every=4.0, unless=["one", "two"], limit=None),
    }
    result = simulate(LAB, therapy=rules, stop=40.0, outputs=["drug"])
    days = fired(result.expand_dims("patient"), ("three",))
    assert days == [[12.0, 16.0, 32.0, 36.0]]
    with pytest.raises(ScenarioError, match=r"therapy.three: unless: .*Did you mean 'two'"):
        Scenario(LAB, therapy={**rules, "three": Rule(every=4.0, unless=("one", "tow"))}, stop=40.0)


CONFIG = """
model = "cart_hbv"

[time]
start = -14.0
stop = 100.0

[therapy.rise]
kind = "rule"
when = "hbv_dna"
above = 10.0
fold_of_baseline = 50.0
strict = true
every = 28.0
for_whom = [{ of = "hbsag", at_least = 0.05 }, { of = "hbv_dna", at_least = 10.0 }]
unless = ["antiviral.flare"]
assay = { detection_limit = 10.0 }

[therapy.limitless]
kind = "rule"
when = "hbv_dna"
above = 10.0
for_whom = { of = "hbsag", less_than = 0.05 }
limit = "unlimited"

[therapy.antiviral]
kind = "on_demand"
definition = "KASL 2019"
flare = "Chang 2014"
"""


def test_config_files_have_all_of_it() -> None:
    scenario = read_text(CONFIG).scenario
    rise = scenario.therapy["rise"]
    assert rise == Rule(
        "hbv_dna",
        above=10.0,
        fold_of_baseline=50.0,
        strict=True,
        every=28.0,
        for_whom=(Baseline("hbsag", at_least=0.05), Baseline("hbv_dna", at_least=10.0)),
        unless="antiviral.flare",
        assay=Assay(10.0),
    )
    assert scenario.therapy["limitless"] == Rule(
        "hbv_dna", above=10.0, for_whom=Baseline("hbsag", less_than=0.05), limit=None
    )
    assert scenario.therapy["antiviral"] == OnDemand(definition="KASL 2019", flare="Chang 2014")
    assert Scenario.from_dict(scenario.to_dict()) == scenario
    again = read_text(CONFIG, ("therapy.rise.fold_of_baseline=5.0",)).scenario.therapy["rise"]
    assert isinstance(rise, Rule)
    assert again == dataclasses.replace(rise, fold_of_baseline=5.0)
    for path in ("rise.fold_of_baseline", "rise.for_whom.0.at_least", "antiviral.delay"):
        assert takes_arrays(scenario, path)
    other = scenario.replace("therapy.antiviral.definition", "AGA 2015")
    assert other.therapy["antiviral"] == OnDemand(definition="AGA 2015", flare="Chang 2014")
    changed = scenario.replace("therapy.rise.for_whom.0.at_least", 0.1).therapy["rise"]
    assert isinstance(changed, Rule)
    assert changed.eligibility[0] == Baseline("hbsag", at_least=0.1)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("fold_of_baseline", "fold_of_base", r"fold_of_base: unknown key.*'fold_of_baseline'"),
        ('[{ of = "hbsag", at_', '[{ of = "hbsag", at_most', r"for_whom\[0\]\.at_mostleast: unk"),
        ('{ of = "hbsag", less_than = 0.05 }', "3.0", r"for_whom\[0\]: .*Give a table"),
        ("KASL 2019", "KASL 2018", r"therapy\.antiviral: .*Did you mean 'KASL 2019'"),
        ('"Chang 2014"', "3.0", r"therapy\.antiviral\.flare: .*Give a text"),
    ],
)
def test_config_says_what_is_wrong(old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_text(CONFIG.replace(old, new))


def test_a_definition_of_ones_own_is_stored_with_the_strategy() -> None:
    line = Criterion("twofold", "any", "detectable", "hbv_dna", fold=2.0, strict=True)
    own = OnDemand(definition=Definition("own", "nowhere", (line,)))
    built = Scenario(load_model("cart_hbv"), therapy={"it": own}, stop=100.0)
    assert Scenario.from_dict(built.to_dict()).therapy["it"] == own


# A strategy acts on the event that the endpoint reports

DAYS = np.arange(-14.0, 200.0, 28.0)  # values change between visits, and hold at them
OWN = Definition(
    "own",
    "nowhere",
    (
        Criterion("found", "any", "any", "hbv_dna"),
        Criterion("both", "HBsAg-positive", "any", "hbv_dna", fold=2.0, level=50.0, visits=2),
        Criterion("less", "any", "known", "hbsag", fold=0.5, level=1.0, strict=True),
    ),
)


def course(rng: np.random.Generator, limit: float, n: int) -> Array:
    """Values that like to lie on thresholds: of the assay, of levels, of folds of the first."""
    first = rng.choice([0.0, 0.9 * limit, limit, 3.0 * limit, 300.0 * limit], n)[:, None]
    size = (n, len(DAYS))
    levels = rng.choice([0.0, 10.0, 100.0, 1e3, 2e3, 1e4, 2e4, 1e5], size)
    folds = first * rng.choice([0.5, 1.0, 3.0, 10.0, 100.0], size)
    values = np.where(rng.random(size) < 0.5, levels, folds)
    values = np.where(rng.random(size) < 0.3, np.nextafter(values, np.inf), values)
    values[rng.random(size) < 0.5] = 0.0
    values[:, :1] = first
    return values


def follow(
    endpoint: Endpoint, strategy: Item, start: float, **values: Array
) -> tuple[xr.Dataset, dict[str, Array]]:
    """Simulate given values under a strategy, and let the endpoint judge them."""
    therapy: dict[str, Item] = {"it": strategy}
    for name, table in values.items():
        therapy[name] = Covariate(name, at=tuple(DAYS), value=table, interpolation="locf")
    result = simulate(
        LAB, therapy=therapy, start=start, stop=195.0, save_at=[], endpoints={"judged": endpoint}
    )
    return result, {str(name): each.values for name, each in result.data_vars.items()}


def firsts(days: list[list[float]]) -> Array:
    return np.array([each[0] if each else np.nan for each in days])


@pytest.mark.parametrize("definition", [*DEFINITIONS, OWN])
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), start=st.sampled_from([-14.0, 0.0]))
def test_on_demand_sees_what_the_endpoint_reports(
    definition: str | Definition, seed: int, start: float
) -> None:
    """Treatment begins at the visit that detects reactivation, in everybody and nobody else."""
    rng = np.random.default_rng(seed)
    n = 120
    dna, antigen = course(rng, 10.0, n), course(rng, 0.05, n)
    on_demand = OnDemand(definition=definition, drug="drug")
    endpoint = HBVReactivation(definition)
    result, judged = follow(endpoint, on_demand, start, dna=dna, antigen=antigen)
    rules = tuple(f"it.{name}" for name in on_demand.parts())
    begun = firsts(fired(result, rules))
    assert np.array_equal(begun, judged["hbv_reactivation_time"], equal_nan=True)
    # One treatment, however many signs there are.
    assert result["doses_given"].sum("item").values.tolist() == np.isfinite(begun).tolist()


@pytest.mark.parametrize("criterion", FLARE_CRITERIA)
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), start=st.sampled_from([-14.0, 0.0]))
def test_on_demand_sees_the_flare_that_the_endpoint_reports(
    criterion: str, seed: int, start: float
) -> None:
    rng = np.random.default_rng(seed)
    enzyme = rng.choice([0.0, 20.0, 33.4, 60.0, 99.9, 100.0, 100.1, 180.0, 201.0, 300.0], (60, 8))
    result, judged = follow(
        HepatitisFlare(criterion), OnDemand(flare=criterion, drug="drug"), start, enzyme=enzyme
    )
    begun = firsts(fired(result, ("it.flare",)))
    assert np.array_equal(begun, judged["hepatitis_flare_time"], equal_nan=True)


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_of_flare_and_reactivation_the_first_begins_the_only_treatment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {"dna": course(rng, 10.0, 60), "antigen": course(rng, 0.05, 60)}
    values["enzyme"] = rng.choice([20.0, 60.0, 101.0, 300.0], (60, 8))
    on_demand = OnDemand(drug="drug")
    judged_all: dict[str, Array] = {}
    for endpoint in (HBVReactivation(), HepatitisFlare()):
        result, judged = follow(endpoint, on_demand, -14.0, **values)
        judged_all |= judged
    both = np.fmin(judged_all["hbv_reactivation_time"], judged_all["hepatitis_flare_time"])
    begun = firsts(fired(result, tuple(f"it.{name}" for name in on_demand.parts())))
    assert np.array_equal(begun, both, equal_nan=True)
    assert result["doses_given"].sum("item").values.tolist() == np.isfinite(both).tolist()


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), start=st.sampled_from([-14.0, 0.0]))
def test_salvage_follows_the_relapse_that_the_endpoint_reports(seed: int, start: float) -> None:
    rng = np.random.default_rng(seed)
    salvage = SalvageTherapy(
        leukemia="leukemia_cd19_positive",
        refractory=False,
        route="drug",
        steroid_route="drug",
        delay=0.0,
    )
    cells = rng.choice([1e7, np.nextafter(1e8, 0.0), 1e8, 1e10, 5e10, 1e12], (60, 8))
    result, judged = follow(Remission(), salvage, start, cells=cells)
    for name, event in (("remission", "remission_time"), ("relapse", "relapse_time")):
        days = firsts(fired(result, (f"it.{name}",)))
        assert np.array_equal(days, judged[event], equal_nan=True)


def test_preemptive_treatment_of_a_carrier_waits_for_a_rise_over_his_own_baseline() -> None:
    dna = np.tile(300.0, (2, len(DAYS)))
    dna[1, 3:] = 3000.0
    days = []
    for fold in (None, 10.0):
        strategy = Preemptive(fold_of_baseline=fold, drug="drug")
        result, _ = follow(HBVReactivation(), strategy, -14.0, dna=dna)
        days.append(fired(result, ("it.detection",)))
    assert days == [[[0.0], [0.0]], [[], [84.0]]]
