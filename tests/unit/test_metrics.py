"""Metrics: units, words, refusals, and the rows that they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.engine.plan import Reduction
from carsim.errors import ScenarioError
from carsim.metrics import (
    METRICS,
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
    compile_metrics,
)
from carsim.model import Model
from carsim.registry import load_model
from carsim.therapy import Covariate, Hazard, Sources

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))


@pytest.mark.parametrize(
    ("metric", "unit", "words"),
    [
        (Maximum("concentration"), "mg/L", "maximum of plasma concentration"),
        (Minimum("central", stop=5.0), "mg", "minimum of drug in plasma up to 5 day"),
        (TimeOfMaximum("central", 1.0), "day", "time of maximum of drug in plasma from 1 day"),
        (TimeOfMinimum("central"), "day", "time of minimum of drug in plasma"),
        (
            AreaUnder("concentration", 0.0, 7.0),
            "day*mg/L",
            "area under plasma concentration from 0 to 7 day",
        ),
        (FirstAbove("concentration", 2.0), "day", "first time that plasma concentration is above"),
        (FirstBelow("central", 2.0), "day", "first time that drug in plasma is below 2 mg"),
        (TimeAbove("central", 0.5), "day", "time with drug in plasma above 0.5 mg"),
        (ValueAt("central", 3.0), "mg", "drug in plasma at 3 day"),
        (Last("concentration"), "mg/L", "plasma concentration at the end"),
    ],
)
def test_metric_knows_its_unit_and_words(metric: Metric, unit: str, words: str) -> None:
    metric.check("metrics.x", MODEL, 0.0, 10.0)
    assert metric.unit(MODEL) == unit
    assert metric.words(MODEL).startswith(words)


def test_every_reduction_of_the_engine_has_one_metric() -> None:
    assert sorted(cls.kind for cls in METRICS.values()) == sorted(Reduction)
    assert [cls.kind.name.lower() for cls in METRICS.values() if cls is not AreaUnder] == [
        name for name in METRICS if name != "area_under"
    ]


def test_metrics_become_rows_in_their_order() -> None:
    metrics: dict[str, Metric] = {
        "peak": Maximum("concentration", start=1.0),
        "high": TimeAbove("central", 0.5, stop=4.0),
        "day3": ValueAt("depot", 3.0),
    }
    rows = compile_metrics(Sources(MODEL), metrics, 0.0, 10.0)
    assert rows.kind.tolist() == [Reduction.MAXIMUM, Reduction.TIME_ABOVE, Reduction.VALUE_AT]
    assert rows.source.tolist() == [len(MODEL.states), 1, 0]
    assert rows.start.tolist() == [1.0, 0.0, 3.0]
    assert rows.stop.tolist() == [10.0, 4.0, 3.0]
    assert np.array_equal(rows.threshold, [np.nan, 0.5, np.nan], equal_nan=True)
    assert compile_metrics(Sources(MODEL), {}, 0.0, 10.0).kind.shape == (0,)
    # States that a therapy adds stand between those of the model and the observables.
    therapy = {
        "weight": Covariate("V", at=[0, 1], value=[20, 30], interpolation="linear"),
        "relapse": Hazard(0.1),
        "cure": Hazard(0.2),
    }
    rows = compile_metrics(Sources.of(MODEL, therapy), metrics, 0.0, 10.0)
    assert rows.source.tolist() == [len(MODEL.states) + 2, 1, 0]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (Maximum("centrl"), r"metrics.x: of = 'centrl': .* Did you mean 'central'\?"),
        (Maximum("central", start=4.0, stop=4.0), r"it starts at 4 and stops at 4"),
        (Maximum("central", start=5.0, stop=4.0), r"it starts at 5 and stops at 4"),
        (Maximum("central", stop=11.0), r"from 0 to 11, but the simulation runs from 0 to 10"),
        (AreaUnder("central", start=-1.0), r"from -1 to 10, but"),
        (ValueAt("central", 12.0), r"from 12 to 12, but"),
        (ValueAt("central", float("nan")), r"start = nan is not a time"),
        (Maximum("central", start="1"), r"start = '1' is not a time"),  # type: ignore[arg-type]
        (FirstAbove("central", float("nan")), r"threshold = nan. Give a finite number in mg"),
        (TimeAbove("central", "1"), r"threshold = '1'"),  # type: ignore[arg-type]
    ],
)
def test_metric_is_checked_against_model_and_time(metric: Metric, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        metric.check("metrics.x", MODEL, 0.0, 10.0)


def test_metrics_compare_by_kind_and_value() -> None:
    assert Maximum("central") == Maximum("central")
    minimum: Metric = Minimum("central")
    assert Maximum("central") != minimum
    assert repr(Maximum("central", 1.0)) == "Maximum(of='central', start=1.0, stop=None)"
