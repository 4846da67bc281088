"""Configs that are right, to be damaged: the examples, and small ones with every kind of table."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carsim.population import DISTRIBUTIONS

HERE = Path(__file__).resolve().parent

HEAD = """
title = "Clinic"
model = "./clinic.py"

[time]
stop = 40.0
infusion = 0.0
save_every = 10.0

[metrics.peak]
kind = "maximum"
of = "hbv_dna"
"""

THERAPY = """
[therapy.pills]
kind = "dose"
into = "oral"
amount = 10.0
at = 1.0
every = 2.0
count = 5
lag = 0.1
bioavailability = 0.5
adherence = 0.9

[therapy.listed]
kind = "dose"
into = "iv"
amount = [5.0, 6.0]
at = [0.0, 3.0]

[therapy.loaded]
kind = "dose"
into = "oral"
amount = 2.0
at = 6.0
every = 1.0
until = 9.0
steady_state = 1

[therapy.drip]
kind = "infusion"
into = "iv"
start = 2.0
stop = 4.0
rate = 3.0
bioavailability_scales = "rate"

[therapy.slow]
kind = "window"
parameter = "growth"
start = 1.0
stop = 9.0
scale = 0.5

[therapy.weight]
kind = "covariate"
parameter = "decay"
at = [0.0, 5.0]
value = [0.1, 0.2]
interpolation = "locf"

[therapy.wash]
kind = "reset"
at = 35.0
states = ["drug"]

[therapy.visits]
kind = "rule"
when = "hbv_dna"
above = 6.0
every = 7.0
start = 1.0
until = 35.0
limit = 2
consecutive = 2
delay = 0.25
spacing = 3.0
unless = "watched"
assay = { detection_limit = 0.1, cv = 0.3 }
do = [
    { action = "dose", into = "oral", amount = 1.0, at = 0.5 },
    { action = "infusion", into = "iv", duration = 1.0, rate = 2.0 },
    { action = "window", parameter = "growth", scale = 2.0, duration = 1.0 },
    { action = "set_state", state = "drug", value = 1.0 },
    { action = "set_parameter", parameter = "k", value = 1.0 },
    { action = "reset", states = ["drug"] },
    { action = "discontinue", item = "pills" },
]

[therapy.watched]
kind = "rule"
when = "alt"
below = 10.0
every = 3.0
limit = 1
after = "visits"
wait = 1.0
do = { action = "dose", into = "oral", amount = 1.0 }

[therapy.harm]
kind = "hazard"
rate = "harm"
scale = 2.0
do = [{ action = "discontinue", item = "drip" }]
"""

PROGRAMS = """
[therapy.course]
kind = "regimen"
at = 1.0
scale = 2.0

[therapy.course.items.pill]
kind = "dose"
into = "oral"
amount = 1.0
at = 0.0
every = 1.0
count = 3

[therapy.course.items.check]
kind = "rule"
when = "alt"
above = 3.0
limit = 1
do = [{ action = "discontinue", item = "pill" }]

[therapy.arm]
kind = "choice"
chosen = "early"

[therapy.arm.options.early]
kind = "dose"
into = "iv"
amount = 1.0
at = 0.0

[therapy.arm.options.late]
kind = "infusion"
into = "iv"
start = 9.0
amount = 3.0
duration = 2.0

[sweep]
design = "list"
[[sweep.axes]]
path = "therapy.arm.chosen"
values = ["early", "late"]
name = "arm_of_trial"
label = "arm"
[[sweep.axes]]
path = "therapy.course.scale"
values = [1.0, 3.0]
"""

POPULATION = """
[population]
size = 6
seed = 3
sampling = "sobol"

[population.parameters]
k = { distribution = "lognormal", cv = 0.3 }
growth = { distribution = "lognormal", median = 0.05, sigma = 0.2, upper = 1.0 }
share = { distribution = "beta", alpha = 2.0, beta = 3.0 }

[[population.correlations]]
between = ["k", "growth"]
value = 0.4

[population.mixture]
name = "kind"
stratified = true

[[population.mixture.components]]
label = "slow ones"
weight = 3.0
variants = ["slow"]

[[population.mixture.components]]
label = "fast ones"
variants = ["fast"]
parameters.share = 0.25
"""

GRID = """
[sweep]
design = "grid"
[[sweep.axes]]
path = "population.kind"
values = ["slow ones", "fast ones"]
[[sweep.axes]]
path = "parameters.decay"
low = 0.01
high = 0.1
scale = "log"
points = 2
[[sweep.axes]]
path = "population.seed"
values = [1, 2]
"""

METRICS = """
[metrics.when]
kind = "time_of_maximum"
of = "hbv_dna"
[metrics.low]
kind = "minimum"
of = "alt"
start = 1.0
stop = 9.0
[metrics.area]
kind = "area_under"
of = "il6"
[metrics.over]
kind = "first_above"
of = "hbv_dna"
threshold = 6.0
[metrics.under]
kind = "time_above"
of = "car_t"
threshold = 0.5
[metrics.first]
kind = "first_below"
of = "car_t"
threshold = 0.7
stop = 35.0
[metrics.bottom]
kind = "time_of_minimum"
of = "alt"
[metrics.then]
kind = "value_at"
of = "alt"
time = 3.0
[metrics.end]
kind = "last"
of = "drug"

[outputs]
save = ["hbv_dna", "drug"]

[solver]
method = "rodas4"
rtol = 1e-4
max_steps = 5000
threads = 1
block_size = 3
"""

ENDPOINTS = """
[parameters]
effect = 0.2

[endpoints.hbv_reactivation]
definition = "AASLD 2018"
every = 7.0
baseline = "start"
detection_limit = 10.0
[endpoints.strict]
kind = "hbv_reactivation"
definition = "KASL 2019"
[endpoints.hepatitis_flare]
criterion = "AASLD 2018"
[endpoints.peak_hbv_dna]
[endpoints.remission]
threshold = 1e8
every = 7.0
[endpoints.cellular_kinetics]
peak_within = 30.0
[endpoints.b_cell_aplasia]
threshold = 100.0
[endpoints.peak_il6]
[endpoints.crs_grade]
thresholds = [0.2, 0.4, 0.6, 0.7]
"""

LIKE = """
title = "Named"
model = "cart_hbv"
[time]
start = -14.0
stop = 30.0
[population]
size = 3
like = { name = "adults_19_28z", region = "Western Pacific", infected_only = true }
[population.parameters]
"hbv.beta_p" = { distribution = "lognormal", cv = 0.2 }
[therapy.vaccine]
kind = "vaccine_boost"
at = 2.0
every = 7.0
count = 3
[therapy.again]
kind = "reinfusion"
at = 20.0
cells = 1e7
lymphodepletion = true
[metrics.peak]
kind = "maximum"
of = "hbv_dna"
"""

EVENTS = """
title = "Events"
model = "./drug.py"
[time]
stop = 20.0
save_at = [0, 1.5, 20.0]
[events]
file = "events.csv"
covariates = ["weight"]
lag = { oral = "lag" }
interpolation = "locf"
ignore = []
duplicates = "error"
[metrics.low]
kind = "minimum"
of = "marker"
"""


def _study(method: str, samples: int | None, factors: bool = True) -> str:
    table = f'[sensitivity]\nmethod = "{method}"\nseed = 3\n'
    table += "" if samples is None else f"samples = {samples}\n"
    if factors:
        table += (
            "[[sensitivity.factors]]\npath = 'parameters.decay'\nlow = 0.01\nhigh = 0.1\n"
            "scale = 'log'\nname = 'decay'\nlabel = 'loss of cells'\n"
            "[[sensitivity.factors]]\npath = 'parameters.kill'\nlow = 0.01\nhigh = 0.9\n"
        )
    output = "[[sensitivity.outputs]]\nvariable = 'peak'\n"
    high = "statistic = 'percentile'\npercentile = 90.0\nscale = 'log'\nname = 'high'\n"
    if not factors:
        return table + output  # ranks of patients have no statistic
    return f"{table}{output}{high}{output}statistic = 'mean'\n"


def _sampled(design: str) -> str:
    return (
        f'[sweep]\ndesign = "{design}"\npoints = 4\nseed = 5\n'
        "[[sweep.axes]]\npath = 'parameters.decay'\nlow = 0.01\nhigh = 0.1\nscale = 'log'\n"
        "[[sweep.axes]]\npath = 'parameters.kill'\nlow = 0.1\nhigh = 0.9\n"
    )


def _distributions() -> str:
    settings = {
        "constant": "value = 0.4",
        "normal": "mean = 0.4, sd = 0.01",
        "truncated_normal": "mean = 0.4, sd = 0.2, lower = 0.0, upper = 1.0",
        "lognormal": "median = 0.4, cv = 0.1, lower = 0.1, upper = 0.9",
        "logit_normal": "median = 0.3, sigma = 0.5",
        "uniform": "low = 0.1, high = 0.2",
        "log_uniform": "low = 0.1, high = 0.2",
        "beta": "alpha = 2.0, beta = 3.0, lower = 0.1, upper = 0.8",
    }
    names = ("k", "growth", "kill", "effect", "share", "decay")
    assert settings.keys() == DISTRIBUTIONS.keys(), "a distribution has no config to be damaged"
    components = [
        f'[[population.mixture.components]]\nlabel = "{kind}"\nparameters.{names[i % 6]} = '
        f'{{ distribution = "{kind}", {given} }}\n'
        for i, (kind, given) in enumerate(settings.items())
    ]
    return '[population]\nsize = 9\n[population.mixture]\nname = "who"\n' + "".join(components)


SYNTHETIC = {
    "therapy": HEAD + THERAPY,
    "therapy of a population": HEAD + THERAPY + POPULATION,
    "programs": HEAD + PROGRAMS,
    "population": HEAD + POPULATION + GRID,
    "distributions": HEAD + _distributions(),
    "metrics": HEAD + METRICS,
    "endpoints": HEAD + ENDPOINTS + POPULATION + GRID,
    "random": HEAD + POPULATION + _sampled("random"),
    "hypercube": HEAD + _sampled("latin_hypercube"),
    "sobol": HEAD + METRICS + _sampled("sobol"),
    "indices": HEAD + POPULATION + _study("sobol", 4),
    "effects": HEAD + POPULATION + _study("morris", 3),
    "correlations": HEAD + POPULATION + _study("prcc", 12),
    "one at a time": HEAD + POPULATION + _study("one_at_a_time", None),
    "patients": HEAD + POPULATION.replace("size = ", "size = 5") + _study("prcc", None, False),
    "like": LIKE,
    "events": EVENTS,
}

#: Seconds to check one of them: those of the large model are drawn less often.
SLOW = {"antiviral_strategies": 0.05, "prophylaxis_by_depletion": 0.05, "like": 0.02}


@dataclass(frozen=True)
class Base:
    """A config that is right."""

    name: str
    text: str
    document: dict[str, Any]
    weight: float


def bases(examples: Path | None) -> list[Base]:
    """All of them; the examples only where there is a checkout."""
    texts = dict(SYNTHETIC)
    for file in sorted(examples.rglob("*.toml")) if examples is not None else ():
        texts[file.stem] = file.read_text(encoding="utf-8")
    return [
        Base(name, text, tomllib.loads(text), 0.01 / max(0.01, SLOW.get(name, 0.0)))
        for name, text in texts.items()
    ]
