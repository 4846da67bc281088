"""Config files: what they may say, and what is said about everything else."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carsim.config import json_schema, read, read_config, read_text
from carsim.design import Sobol
from carsim.errors import ConfigError
from carsim.metrics import Maximum
from carsim.population import LogNormal, Population, Uniform
from carsim.scenario import Scenario
from carsim.sweep import Sweep
from carsim.therapy import (
    Assay,
    Covariate,
    Discontinue,
    Dose,
    Hazard,
    Infusion,
    Regimen,
    Reset,
    Rule,
    SetParameter,
    SetState,
    Window,
)

MODEL = '''
"""A drug that comes and goes (for tests)."""
from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state, variant

TOY = Assumed("a test")


class Amounts(State):
    drug: float = state(1.0, "mg", "drug in the body")


class Rates(Parameters):
    k: float = parameter(0.5, "1/day", "elimination", TOY)
    source: float = parameter(2.0, "mg/day", "endogenous source", TOY)
    bound: float = parameter(0.25, "1", "bound fraction", TOY, upper=1.0)


def rhs(t, y, p):
    return Amounts(drug=p.source - p.k * (1 - p.bound) * y.drug)


@observable("mg", "half of the drug")
def half(t, y, p):
    return 0.5 * y.drug


MODEL = Model(
    "toy_config",
    rhs,
    Amounts,
    Rates,
    observables=[half],
    routes=[route("oral", "mg", "oral dose", {"drug": 1.0})],
    variants=[
        variant("slow", "slow elimination", {"k": (0.1, TOY)}, group="speed"),
        variant("fast", "fast elimination", {"k": (2.0, TOY)}, group="speed"),
    ],
)
'''

TEXT = """
title = "A toy"
model = "./toy.py"

[time]
start = 0.0
stop = 10.0
save_every = 2.5

[parameters]
bound = 0.2

[therapy.tablet]
kind = "dose"
into = "oral"
amount = 10
at = [0.0, 1.0]

[therapy.pump]
kind = "infusion"
into = "oral"
start = 2.0
stop = 4.0
rate = 3.0

[population]
size = 20
seed = 0

[population.parameters]
source = { distribution = "lognormal", cv = 0.3 }

[population.mixture]
name = "kind"
stratified = true

[[population.mixture.components]]
label = "slow ones"
weight = 3
variants = ["slow"]

[[population.mixture.components]]
label = "fast ones"
variants = ["fast"]

[metrics.peak]
kind = "maximum"
of = "half"

[outputs]
save = ["half"]
"""

SWEEP = """
[sweep]
[[sweep.axes]]
path = "therapy.pump.stop"
values = [2, 3, 5]
label = "End of the pump"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "toy.py").write_text(MODEL)
    return tmp_path


def parsed(folder: Path, text: str, *overrides: str) -> Scenario:
    return read_text(text, overrides, source="toy.toml", folder=folder).scenario


def test_a_file_becomes_a_scenario(folder: Path) -> None:
    file = folder / "toy.toml"
    file.write_text(TEXT)
    scenario = read(file)
    assert isinstance(scenario, Scenario)
    assert scenario.model.name == "toy_config"
    assert scenario.save_at is not None
    assert list(scenario.save_at) == [0.0, 2.5, 5.0, 7.5, 10.0]
    assert scenario.therapy["tablet"] == Dose("oral", 10.0, [0.0, 1.0])
    assert scenario.therapy["pump"] == Infusion("oral", 2.0, stop=4.0, rate=3.0)
    assert scenario.metrics == {"peak": Maximum("half")}
    assert scenario.outputs == ("half",)
    assert scenario.population is not None
    assert scenario.population.seed == 0
    assert scenario.population.distributions == {"source": LogNormal(cv=0.3)}
    mixture = scenario.population.mixture
    assert mixture is not None
    assert mixture.labels == ("slow ones", "fast ones")
    assert mixture.stratified


def test_a_file_with_axes_becomes_a_sweep(folder: Path) -> None:
    file = folder / "toy.toml"
    file.write_text(TEXT + SWEEP)
    sweep = read(file)
    assert isinstance(sweep, Sweep)
    assert sweep.design.shape == (3,)
    assert sweep.config == TEXT + SWEEP
    assert sweep.title == "A toy"


def test_the_repositorys_examples_are_read(repository: Path) -> None:
    for file in sorted((repository / "examples").glob("*.toml")):
        assert read_config(file).title


def test_every_therapy_item_can_be_written(folder: Path) -> None:
    more = """
[therapy.slow]
kind = "window"
parameter = "source"
start = 1.0
stop = 2.0
scale = 0.5

[therapy.rescue]
kind = "rule"
when = "half"
above = 8.0
limit = 2
do = [{ action = "dose", into = "oral", amount = 1.0, at = 0.5 }]

[therapy.visits]
kind = "rule"
when = "half"
below = 0.5
every = 2.0
start = 1.0
until = 8.0
consecutive = 2
delay = 0.25
spacing = 3.0
after = "rescue"
wait = 1.0
unless_running = true
assay = { detection_limit = 0.1, cv = 0.3 }
do = { action = "infusion", into = "oral", duration = 1.0, rate = 2.0 }

[therapy.listed]
kind = "rule"
at = [1.0, 2.0]
do = [
    { action = "window", parameter = "source", scale = 2.0, duration = 1.0 },
    { action = "set_state", state = "drug", value = 1.0 },
    { action = "set_parameter", parameter = "k", value = 1.0 },
    { action = "reset", states = ["drug"] },
    { action = "discontinue", item = "tablet" },
]

[therapy.chance]
kind = "hazard"
rate = 0.1
scale = 2.0
do = [{ action = "discontinue", item = "pump" }]

[therapy.weight]
kind = "covariate"
parameter = "bound"
at = [0.0, 5.0]
value = [0.1, 0.2]
interpolation = "locf"

[therapy.wash]
kind = "reset"
at = 9.0

[therapy.cure]
kind = "regimen"
at = 1.0
scale = 2.0

[therapy.cure.items.pill]
kind = "dose"
into = "oral"
amount = 1.0
at = 0.0
every = 1.0
count = 3
adherence = 0.8

[therapy.cure.items.check]
kind = "rule"
when = "half"
above = 3.0
do = [{ action = "discontinue", item = "pill" }]
"""
    therapy = parsed(folder, TEXT + more).therapy
    assert therapy["slow"] == Window("source", 1.0, 2.0, scale=0.5)
    assert therapy["rescue"] == Rule("half", 8.0, do=Dose("oral", 1.0, at=0.5), limit=2)
    assert therapy["visits"] == Rule(
        "half",
        below=0.5,
        every=2.0,
        start=1.0,
        until=8.0,
        consecutive=2,
        delay=0.25,
        spacing=3.0,
        after="rescue",
        wait=1.0,
        unless_running=True,
        assay=Assay(detection_limit=0.1, cv=0.3),
        do=Infusion("oral", duration=1.0, rate=2.0),
    )
    assert therapy["listed"] == Rule(
        at=[1.0, 2.0],
        do=[
            Window("source", scale=2.0, duration=1.0),
            SetState("drug", 1.0),
            SetParameter("k", 1.0),
            Reset(states=("drug",)),
            Discontinue("tablet"),
        ],
    )
    assert therapy["chance"] == Hazard(0.1, scale=2.0, do=Discontinue("pump"))
    assert therapy["weight"] == Covariate("bound", [0.0, 5.0], [0.1, 0.2], "locf")
    assert therapy["wash"] == Reset(9.0)
    assert therapy["cure"] == Regimen(
        {
            "pill": Dose("oral", 1.0, 0.0, every=1.0, count=3, adherence=0.8),
            "check": Rule("half", 3.0, do=Discontinue("pill")),
        },
        at=1.0,
        scale=2.0,
    )


RULE = """
[therapy.rescue]
kind = "rule"
when = "half"
above = 8.0
every = 1.0
assay = { cv = 0.3 }
do = [{ action = "dose", into = "oral", amount = 1.0 }]

[therapy.cure]
kind = "regimen"
items.pill = { kind = "dose", into = "oral", amount = 1.0, at = 0.0 }
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "rule"', 'kind = "event"', r"therapy.rescue.kind: there is no therapy item 'ev"),
        ("above", "abov", r"^toy.toml: therapy.rescue.abov: unknown key. Did you mean 'above'"),
        ("above = 8.0\n", "", r"therapy.rescue: .*neither above nor below. Give one threshold"),
        ("every = 1.0", "every = 0.0", r"therapy.rescue: .*every = 0. The interval between"),
        ("every = 1.0", 'every = "1"', r"therapy.rescue.every: '1' is a text. Give a number"),
        ("every = 1.0\n", "", r"therapy.rescue: .*assay is for rules that look at visits"),
        ('"half"', "3", r"therapy.rescue.when: 3 is a number. Give a text"),
        ('"half"', '"haf"', r"therapy.rescue: when = 'haf'.* Did you mean 'half'"),
        ("{ cv = 0.3 }", "0.3", r"^toy.toml: therapy.rescue.assay: 0.3 is a number. Give a table"),
        ("cv = 0.3", "cw = 0.3", r"rescue.assay.cw: unknown key. Known: detection_limit, cv, sd"),
        ("cv = 0.3", "cv = -0.3", r"therapy.rescue.assay: .*cv = -0.3 is negative"),
        ("do = [", "do = [1, ", r"therapy.rescue.do: give a list of tables, one an action"),
        ('do = [{ action = "dose"', 'do = [{ action = "doze"', r"do\[0\].action: there is no act"),
        ('action = "dose", ', "", r"do\[0\].action: the key is missing. Give one of dose, infus"),
        ('"oral", amount = 1.0 }]', '"oral" }]', r"rescue.do\[0\].amount: the key is missing"),
        ('"oral", amount = 1.0 }]', '"orl", amount = 1.0 }]', r"rescue.do\[0\]: into = 'orl'"),
        ("amount = 1.0 }]", "amount = -1.0 }]", r"therapy.rescue.do\[0\]: .*-1 is negative"),
        ('{ kind = "dose"', '{ kind = "doze"', r"therapy.cure.items.pill.kind: there is no ther"),
        ("amount = 1.0, at = 0.0", "at = 0.0", r"cure.items.pill.amount: the key is missing"),
        ("items.pill = {", "items.pill = 3 #", r"therapy.cure.items.pill: 3 is a number. Give a t"),
        ("items.pill", "items", r"therapy.cure.items.kind: 'dose' is a text. Give a table"),
        ("items.pill = {", "items = {} #", r"therapy.cure: Regimen: items = \{\}. Give a mapping"),
        ("items.pill = {", "items = [] #", r"therapy.cure.items: \[\] is a list. Give a table"),
        (", at = 0.0 }", " }", r"therapy.cure.pill: at is missing. Say when it is given"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_with_file_and_key(
    folder: Path, old: str, new: str, message: str
) -> None:
    assert old in RULE
    with pytest.raises(ConfigError, match=message):
        parsed(folder, TEXT + RULE.replace(old, new, 1))


def test_dotted_names_may_be_quoted_or_nested(folder: Path) -> None:
    quoted = TEXT.replace("bound = 0.2", '"bound" = 0.2')
    assert parsed(folder, quoted).parameters == {"bound": 0.2}
    with pytest.raises(ConfigError, match=r"parameters: model 'toy_config' has no parameter 'a.b'"):
        parsed(folder, TEXT.replace("[parameters]", "[parameters]\na.b = 1.0"))
    with pytest.raises(ConfigError, match=r"\[parameters\] a.b: the key is given twice"):
        parsed(folder, TEXT.replace("[parameters]", '[parameters]\na.b = 1.0\n"a.b" = 2.0'))


def test_times_end_with_the_simulation(folder: Path) -> None:
    odd = parsed(folder, TEXT.replace("save_every = 2.5", "save_every = 4.0"))
    assert odd.save_at is not None
    assert list(odd.save_at) == [0.0, 4.0, 8.0, 10.0]
    tenth = parsed(folder, TEXT.replace("save_every = 2.5", "save_every = 0.1"))
    assert tenth.save_at is not None
    assert len(tenth.save_at) == 101
    assert tenth.save_at[-1] == 10.0
    given_ = parsed(folder, TEXT.replace("save_every = 2.5", "save_at = [1, 2.5]"))
    assert given_.save_at is not None
    assert np.array_equal(given_.save_at, [1.0, 2.5])


def test_overrides_change_one_value_each(folder: Path) -> None:
    config = read_text(
        TEXT.replace('variants = ["slow"]', "").replace('variants = ["fast"]', "") + SWEEP,
        [
            "population.size=5",
            "parameters.bound=0.5",
            "parameters.k=0.7",
            'population.mixture.components.0.label="a = b"',
            "population.parameters.source={distribution='uniform', low=1.0, high=2.0}",
            "sweep.axes.0.values=[1, 7]",
            "sweep.points=8",
            "sweep.design='sobol'",
            "therapy.pump.rate = 1e-3",
        ],
        folder=folder,
        source="toy.toml",
    )
    scenario, sweep = config.scenario, config.sweep
    population = scenario.population
    assert population is not None
    assert population.mixture is not None
    assert sweep is not None
    assert population.size == 5
    assert population.distributions == {"source": Uniform(1.0, 2.0)}
    assert population.mixture.labels[0] == "a = b"
    assert scenario.parameters == {"bound": 0.5, "k": 0.7}
    assert scenario.therapy["pump"] == Infusion("oral", 2.0, stop=4.0, rate=1e-3)
    assert isinstance(sweep.design, Sobol)
    assert sweep.design.axes[0].values == (1.0, 7.0)
    assert len(sweep.overrides) == 9


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("population.size", r"--set population.size: is not of the form path=value"),
        ("=5", r"--set =5: is not of the form"),
        ("model=toy", r"not valid TOML.*texts need quotes"),
        ("population.size=5.5", r"toy.toml: population.size: 5.5 is a number. Give a whole"),
        ("population.sise=5", r"population.sise: unknown key. Did you mean 'size'"),
        ("sweep.axes.7.values=[1]", r"there is no entry '7' in a list of 1. Count from 0"),
        ("title.x=5", r"there is a value, not a table, before 'x'"),
        ("population.size=5\nseed=3", r"is not of the form path=value"),
    ],
)
def test_a_bad_override_is_refused(folder: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parsed(folder, TEXT + SWEEP, override)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title", "titel", r"^toy.toml: titel: unknown key. Did you mean 'title'\?"),
        ("[time]", "[tim]", r"^toy.toml: tim: unknown key. Did you mean 'time'\?"),
        ('model = "./toy.py"\n', "", r"^toy.toml: model: the key is missing. Add it"),
        ('"./toy.py"', '"carthbv"', r"^toy.toml: model: carsim has no model 'carthbv'"),
        ('"./toy.py"', '"./no.py"', r"^toy.toml: model: .*no.py: there is no such file"),
        ('"./toy.py"', "3", r"^toy.toml: model: 3 is a number. Give a text in quotes"),
        ("stop = 10.0", 'stop = "10"', r"^toy.toml: time.stop: '10' is a text. Give a number"),
        ("stop = 10.0", "stop = nan", r"^toy.toml: time.stop: is nan. Give a finite number"),
        ("stop = 10.0", "stop = inf", r"^toy.toml: time.stop: is inf"),
        ("stop = 10.0", "stop = 1e400", r"^toy.toml: time.stop: is inf"),
        ("stop = 10.0", "stop = true", r"^toy.toml: time.stop: true is a truth value. Give a num"),
        ("stop = 10.0", "stop = -1", r"^toy.toml: time: stop = -1.0 is not after start = 0.0"),
        ("stop = 10.0", "stop = 2026-11-22", r"^toy.toml: time.stop: is a date or time"),
        ("stop = 10.0\n", "", r"^toy.toml: time.stop: the key is missing"),
        ("save_every = 2.5", "save_every = 0", r"save_every: 0 is out of range. Give above 0"),
        ("save_every = 2.5", "save_every = 1e-9", r"time.save_every: 1e-09 gives [0-9,]* times"),
        ("save_every = 2.5", "save_at = [99]", r"save_at: 99 lies outside the simulation"),
        ("save_every = 2.5", "save_every = 1\nsave_at = [1]", r"both given. Keep one"),
        ("bound = 0.2", "bond = 0.2", r"parameters: .*no parameter 'bond'. Did you mean 'bound'"),
        ("bound = 0.2", "bound = -1", r"parameters: .*'bound' is -1 \[1\], below the lower bound"),
        ("bound = 0.2", 'bound = "a"', r"parameters.bound: 'a' is a text. Give a number"),
        ('kind = "dose"', 'kind = "doze"', r"tablet.kind: there is no therapy item 'doze'. Did"),
        ('kind = "dose"\n', "", r"therapy.tablet.kind: the key is missing. Give one of dose, "),
        ('into = "oral"', 'into = "orla"', r"therapy.tablet: into = 'orla'.*Did you mean 'oral'"),
        ("amount = 10", "amount = -10", r"therapy.tablet: .*amount = -10 is negative"),
        ("amount = 10\n", "", r"therapy.tablet.amount: the key is missing"),
        ("amount = 10", "amont = 10", r"therapy.tablet.amont: unknown key. Did you mean 'amount'"),
        ("amount = 10", 'amount = "10"', r"therapy.tablet: .*amount = '10' is not a number"),
        ("rate = 3.0", 'rate = "3"', r"therapy.pump: rate = '3': .* has no parameter '3'"),
        ("at = [0.0, 1.0]", "at = []", r"therapy.tablet: .*at is empty"),
        ("size = 20", "size = 0", r"population.size: 0 is out of range. Give 1 or more"),
        ("size = 20", "size = 1e3", r"population.size: 1000.0 is a number. Give a whole number"),
        ("size = 20", "size = 20\nsize = 3", r"toy.toml: not valid TOML: .*line \d+.*given twice"),
        ("size = 20", f"size = {10**30}", r"population.size: is a whole number beyond 64 bits"),
        ("size = 20", f"size = {'9' * 5000}", r"a whole number has thousands of digits"),
        ("seed = 0", "seed = -1", r"population.seed: -1 is out of range. Give 0 or more"),
        ("source =", "sorce =", r"population: .*no parameter 'sorce'. Did you mean 'source'"),
        ("cv = 0.3", "cw = 0.3", r"population.parameters.source.cw: unknown key. Known: median"),
        ("cv = 0.3", "cv = -0.3", r"population.parameters.source: .*cv must be above 0"),
        ('"lognormal"', '"lognormel"', r"there is no distribution 'lognormel'. Did you mean"),
        ("source = {", "source = [1]\nother = {", r"source: \[1\] is a list. Give a number or a"),
        ('name = "kind"', 'name = "k"', r"mixture 'k': the name is taken"),
        ('variants = ["slow"]', 'variants = ["slo"]', r"component 'slow ones'.*no variant 'slo'"),
        ('variants = ["slow"]', 'variants = "slow"', r"\[0\].variants: 'slow' is a text. Give a"),
        ("weight = 3", "weight = 0", r"components\[0\]: .*weight = 0.0. It must be"),
        ('"maximum"', '"maximun"', r"metrics.peak.kind: there is no metric 'maximun'. Did you m"),
        ('of = "half"', "of = -1", r"metrics.peak.of: -1 is a number. Give a text"),
        ('of = "half"', 'of = "half"\nstart = "a"', r"metrics.peak.start: 'a' is a text. Give"),
        ('of = "half"', 'of = "haf"', r"toy.toml: metrics.peak: .*no state or observable 'haf'"),
        ('save = ["half"]', 'save = ["haf"]', r"outputs.save\[0\]: .*no observable or state 'haf'"),
        ("values = [2, 3, 5]", "values = []", r"sweep.axes\[0\].values: is empty. Give at least"),
        ("values = [2, 3, 5]", "values = 2", r"sweep.axes\[0\].values: 2 is a number. Give a list"),
        ("values = [2, 3, 5]", "", r"sweep.axes\[0\]: axis .* give values = \[...\], or low and"),
        ("[[sweep.axes]]", "axes = []\n[x]", r"unknown key|sweep.axes: is empty"),
        ("pump.stop", "pmp.stop", r"sweep: axis 'therapy.pmp.stop' at 2.0: .*Did you mean 'pump'"),
        ("[sweep]", '[sweep]\ndesign = "gird"', r"sweep.design: 'gird' is not possible. Give one"),
        ("[sweep]", '[sweep]\ndesign = "sobol"', r"toy.toml: sweep: sobol design: say how many"),
        ("[sweep]", "[endpoints.reactivation]\n[sweep]", r"no endpoint 'reactivation'.*hbv_react"),
        (
            "[sweep]",
            "[endpoints.hbv_reactivation]\n[sweep]",
            r"endpoints.hbv_reactivation: .*hbv_dna",
        ),
        ("[sweep]", "[solver]\nrtl = 1\n[sweep]", r"solver.rtl: unknown key. Did you mean 'rtol'"),
        ("[sweep]", "[solver]\nrtol = 1\n[sweep]", r"toy.toml: solver: rtol = 1"),
        (
            "[population.mixture]",
            '[[population.correlations]]\nbetween = ["source", "k"]\nvalue = 0.3\n'
            "[population.mixture]",
            r"population correlation source - k has no parameter with a distribution 'k'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(
    folder: Path, old: str, new: str, message: str
) -> None:
    assert old in TEXT + SWEEP
    with pytest.raises(ConfigError, match=message):
        parsed(folder, (TEXT + SWEEP).replace(old, new, 1))


def test_an_empty_metric_and_endpoint_list_is_refused(folder: Path) -> None:
    text = TEXT.replace('[metrics.peak]\nkind = "maximum"\nof = "half"\n', "") + SWEEP
    with pytest.raises(ConfigError, match=r"toy.toml: sweep: there is nothing to keep"):
        parsed(folder, text)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    yaml = tmp_path / "a.yaml"
    yaml.write_text("model: cart_hbv\ndose: 1e8\n")
    with pytest.raises(ConfigError, match=r"a.yaml: carsim reads TOML. YAML takes 1e-3 for a text"):
        read(yaml)
    (tmp_path / "toy.toml").write_text("")
    with pytest.raises(ConfigError, match=r"toi.toml: there is no such file. Did you mean 'toy.t"):
        read(tmp_path / "toi.toml")
    with pytest.raises(ConfigError, match=r"is not a file. Give a TOML file"):
        read(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'title = "caf\xe9"')
    with pytest.raises(ConfigError, match=r"byte 12 is not UTF-8 text. Save the file as UTF-8"):
        read(latin)
    large = tmp_path / "large.toml"
    large.touch()
    os.truncate(large, 5 * 1024 * 1024)
    with pytest.raises(ConfigError, match="is larger than 4 MB, which no config is"):
        read(large)


def test_deep_nesting_is_refused_in_words() -> None:
    for depth in (100, sys.getrecursionlimit() * 3):
        with pytest.raises(ConfigError, match="nested too deeply"):
            read_text("a = " + "[" * depth + "]" * depth, source="toy.toml")


def test_nothing_in_a_file_is_evaluated(folder: Path) -> None:
    marker = folder / "marker"
    code = f"\"__import__('pathlib').Path('{marker}').touch()\""
    for old, message in (("amount = 10", "is not a number"), ("rate = 3.0", "no parameter")):
        key = old.partition(" ")[0]
        with pytest.raises(ConfigError, match=message):
            parsed(folder, TEXT.replace(old, f"{key} = {code}"))
        assert not marker.exists()


def test_the_schema_can_be_exported() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert "time" in schema["required"]  # type: ignore[operator]


LINES = (TEXT + SWEEP).splitlines()
GARBAGE = st.sampled_from(
    ["", "nan", "-1", "1e999", "[]", "{}", '""', "true", "[[x]]", "= 3", '"\\u0000"', "1979-05-27"]
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, len(LINES) - 1), GARBAGE, st.booleans())
def test_any_mutation_is_read_or_refused_in_words(
    folder: Path, number: int, garbage: str, whole: bool
) -> None:
    key, equals, _ = LINES[number].partition("=")
    changed = garbage if whole or not equals else f"{key}= {garbage}"
    lines = [*LINES[:number], changed, *LINES[number + 1 :]]
    refusal = ""
    try:
        config = read_text("\n".join(lines), source="toy.toml", folder=folder)
    except ConfigError as error:
        refusal = str(error)
    else:
        assert isinstance(config.scenario.population, Population | None)
        assert math.isfinite(config.scenario.last_stop)
    assert refusal == "" or refusal.startswith("toy.toml: ")
