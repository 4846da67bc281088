"""One factor at a time: changes against closed forms, plain sweeps and independent intervals."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import xarray as xr

from carsim.design import Axis, Grid
from carsim.endpoints import risk_difference
from carsim.errors import ScenarioError
from carsim.metrics import Last
from carsim.population import LogNormal, Population
from carsim.scenario import Scenario
from carsim.sensitivity import OneAtATime, Output, Study, rebuild_study
from carsim.sensitivity.one_at_a_time import NO_LOGARITHM, NO_PAIR, one_at_a_time
from carsim.sensitivity.outputs import reduced
from carsim.sweep import Sweep, run
from carsim.sweep.axes import replaced, value_of
from carsim.therapy import Dose
from tests.unit.one_compartment import MODEL

TIME = 2.0
AMOUNT = Axis("therapy.tablet.amount", low=5.0, high=15.0, name="amount")
KA = Axis("parameters.ka", low=0.5, high=2.0, scale="log", name="ka")
CL = Axis("parameters.CL", low=0.5, high=2.0, name="CL")


def scenario(patients: int = 6, **changes: Any) -> Scenario:
    """A tablet of 10 mg: amount * F * exp(-ka * t) is left in the gut; ka is 1.5/day by default."""
    population = Population(patients, seed=3, parameters={"F": LogNormal(sigma=0.1, upper=1.0)})
    given: dict[str, Any] = {
        "therapy": {"tablet": Dose("oral", 10.0, at=0.0)},
        "population": population,
        "stop": TIME,
        "metrics": {"left": Last("depot"), "ticks": Last("clock")},
    }
    return Scenario(MODEL, **(given | changes))


def shares(base: Scenario) -> np.ndarray[Any, Any]:
    """Bioavailability of each patient."""
    assert base.population is not None
    drawn: np.ndarray[Any, Any] = base.population.sample(MODEL).parameters["F"]
    return drawn


def test_changes_are_those_of_the_closed_form() -> None:
    base = scenario()
    study = Study(base, "one_at_a_time", [Output("left")], [CL, AMOUNT, KA])
    found = study.run().sel(output="left")
    mean = shares(base).mean()

    def left(amount: float, ka: float) -> float:
        return float(amount * mean * np.exp(-ka * TIME))

    own = left(10.0, 1.5)
    expected = {
        "at_low": [own, left(5.0, 1.5), left(10.0, 0.5)],
        "at_high": [own, left(15.0, 1.5), left(10.0, 2.0)],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-4)
        change = found[name.replace("at", "change")]
        np.testing.assert_allclose(change, np.array(values) - own, rtol=4e-4, atol=1e-9)
    assert float(found.at_base) == pytest.approx(own, rel=2e-4)
    assert found.change_low.values[1] < 0.0 < found.change_high.values[1]
    assert found.change_high.values[2] < 0.0 < found.change_low.values[2]
    np.testing.assert_allclose(found.swing, np.abs(found.at_high - found.at_low), rtol=1e-12)
    assert np.argsort(-found.swing.values).tolist() == [2, 1, 0]
    assert found.factor_value.values.tolist() == [
        [1.1, 10.0, 1.5],
        [0.5, 10.0, 1.5],
        [2.0, 10.0, 1.5],
        [1.1, 5.0, 1.5],
        [1.1, 15.0, 1.5],
        [1.1, 10.0, 0.5],
        [1.1, 10.0, 2.0],
    ]
    assert found.factor_base.values.tolist() == [1.1, 10.0, 1.5]
    assert (str(found.output_unit.values), found.attrs["simulations"]) == ("mg", 7 * 6)


def test_ends_are_those_of_plain_sweeps() -> None:
    """Bit for bit: the mean and a percentile of a sweep over low, own value and high."""
    base = scenario(25)
    outputs = [Output("left"), Output("left", "percentile", 90.0, scale="log")]
    found = Study(base, "one_at_a_time", outputs, [AMOUNT, KA]).run()
    for path, values in ((AMOUNT.path, [5.0, 10.0, 15.0]), (KA.path, [0.5, 1.5, 2.0])):
        name = "amount" if path == AMOUNT.path else "ka"
        left = run(Sweep(base, Grid((Axis(path, values=values, name=name),)))).left.values
        one = found.sel(factor=name)
        for k, end in ((0, "low"), (2, "high")):
            assert float(one[f"at_{end}"][0]) == left[k].mean()
            assert float(one[f"at_{end}"][1]) == np.log10(np.percentile(left[k], 90.0))
            assert float(one[f"change_{end}"][0]) == left[k].mean() - left[1].mean()
        assert found.at_base.values[0] == left[1].mean()


def test_patients_are_pairs() -> None:
    """The interval is that of the patients' own differences, and not of two independent groups."""
    base = scenario(400)
    left = [Output("left")]
    runs = [Study(base, "one_at_a_time", left, [AMOUNT], seed=k).run() for k in range(8)]
    found = xr.concat([each.isel(factor=0, output=0) for each in runs], "seed")
    per_mg = np.exp(-1.5 * TIME) * shares(base).std() / np.sqrt(400)
    width = float((found.change_low_upper - found.change_low_lower).mean())
    assert width == pytest.approx(2 * 1.96 * 5.0 * per_mg, rel=0.03)
    assert width < 0.5 * 2 * 1.96 * np.hypot(5.0, 10.0) * per_mg  # of two groups
    assert np.all(found.change_low_lower < found.change_low)
    assert np.all(found.change_low < found.change_low_upper)
    swing = float((found.swing_upper - found.swing_lower).mean())
    assert swing == pytest.approx(2 * 1.96 * 10.0 * per_mg, rel=0.03)
    # What is the same for all patients has no uncertainty.
    ticks = Study(base, "one_at_a_time", [Output("ticks")], [_pace()]).run().isel(output=0)
    np.testing.assert_allclose(ticks.change_high, 4.0 * TIME)
    np.testing.assert_allclose(ticks.change_high_lower, ticks.change_high_upper, atol=1e-12)


def _pace() -> Axis:
    return Axis("parameters.one", low=0.0, high=5.0, name="pace")


def test_intervals_cover() -> None:
    """Of 300 cohorts of 50, the 95 % interval of a change of the median holds the true one."""
    true = (5.0 - 10.0) * np.exp(-1.5 * TIME) * 0.8
    generator = np.random.default_rng(4)
    design = OneAtATime((AMOUNT,), (10.0,))
    held = 0
    for _ in range(300):
        share = 0.8 * np.exp(0.3 * generator.normal(size=50)) * np.exp(-1.5 * TIME)
        values = np.array([[10.0], [5.0], [15.0]]) * share
        found = analyzed(design, values, Output("x", "median"), resamples=200)
        held += int(found.change_low_lower[0, 0] <= true <= found.change_low_upper[0, 0])
    assert 0.9 < held / 300 < 0.99


def analyzed(
    design: OneAtATime, values: Any, output: Output, unit: str = "1", **options: Any
) -> xr.Dataset:
    """Analyze hand-made values of patients, shape (n_points, n_patients)."""
    values = np.asarray(values, dtype=float)
    about = {"carsim_units": unit}
    dims = ("point", "patient")
    swept = xr.Dataset(
        {"x": (dims, values, about), "status": (dims, np.isnan(values).astype(int))},
        attrs={"failures": "some"},
    )
    numbers = {output.name: reduced(output, swept, {})[0]}
    return one_at_a_time(design, swept, [output], numbers, **options)


def test_risks_have_the_paired_interval_and_failed_patients_are_left_out_in_pairs() -> None:
    generator = np.random.default_rng(1)
    events = (generator.random((5, 40)) < np.array([[0.3], [0.2], [0.6], [0.3], [0.4]])) * 1.0
    events[0, :3] = np.nan
    events[1, 2:5] = np.nan
    design = OneAtATime((AMOUNT, KA), (10.0, 1.5))
    found = analyzed(design, events, Output("x")).isel(output=0)
    rows = [xr.DataArray(row, dims="patient") for row in events]
    for k, name, here, there in (
        (0, "change_low", 1, 0),
        (1, "change_low", 3, 0),
        (0, "change_high", 2, 0),
        (1, "change_high", 4, 0),
    ):
        expected = risk_difference(rows[here], rows[there])
        assert float(found[name][k]) == float(expected.difference)
        assert float(found[f"{name}_lower"][k]) == pytest.approx(float(expected.lower), abs=1e-12)
        assert float(found[f"{name}_upper"][k]) == pytest.approx(float(expected.upper), abs=1e-12)
    assert found.pairs_low.values.tolist() == [35, 37]
    assert found.pairs_high.values.tolist() == [37, 37]
    assert found.pairs_swing.values.tolist() == [37, 40]
    np.testing.assert_allclose(found.at_low[0], np.nanmean(events[1]))
    difference = risk_difference(rows[2], rows[1])
    ends = sorted(np.abs([float(difference.lower), float(difference.upper)]))
    assert float(difference.lower) > 0.0
    np.testing.assert_allclose([found.swing_lower[0], found.swing_upper[0]], ends)
    # Where the sign is not known, the swing may be nothing.
    unsure = risk_difference(rows[4], rows[3])
    assert float(unsure.lower) < 0.0 < float(unsure.upper)
    assert float(found.swing_lower[1]) == 0.0
    assert float(found.swing_upper[1]) == max(-float(unsure.lower), float(unsure.upper))


def test_where_there_is_no_difference_or_no_interval_it_is_said() -> None:
    design = OneAtATime((AMOUNT,), (10.0,))
    apart = [[1.0, np.nan], [np.nan, 1.0], [4.0, 2.0]]
    found = analyzed(design, apart, Output("x"), "mg").isel(output=0, factor=0)
    assert np.isnan(found.change_low)
    assert str(found.why.values) == NO_PAIR
    assert (float(found.change_high), float(found.swing)) == (3.0, 1.0)
    assert np.isnan(found.change_high_lower)  # one patient is no sample
    rare = np.zeros((3, 30))
    rare[:, 0] = 1.0
    found = analyzed(design, rare, Output("x", scale="log")).isel(output=0, factor=0)
    assert float(found.change_low) == 0.0
    assert np.isnan(found.change_low_lower)
    assert str(found.why.values) == NO_LOGARITHM


def test_one_patient_has_changes_without_intervals() -> None:
    found = Study(scenario(population=None), "one_at_a_time", [Output("left")], [AMOUNT]).run()
    left = 0.8 * np.exp(-1.5 * TIME)
    np.testing.assert_allclose(found.change_low, -5.0 * left, rtol=1e-4)
    assert np.isnan([found.change_low_lower, found.change_low_upper, found.swing_upper]).all()
    assert set(found.why.values.ravel()) == {""}


def test_failed_patients_of_a_run_are_counted() -> None:
    spread = Population(30, seed=2, parameters={"ka": LogNormal(sigma=2.0)})
    base = scenario(population=spread)
    steps = run(Sweep(base, Grid((Axis(CL.path, values=[1.1]),)))).n_steps.values
    limited = base.replace("solver.max_steps", int(np.median(steps)))
    found = Study(limited, "one_at_a_time", [Output("left")], [AMOUNT, CL]).run()
    failed = found.failed.values
    assert np.all((failed > 0) & (failed < 30))
    assert np.all(found.pairs_low.values[:, 0] <= 30 - np.maximum(failed[0], failed[1::2]))
    assert np.isfinite(found.swing.values).all()


def test_numbers_depend_on_the_seed_and_not_on_threads_or_on_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs = [Output("left"), Output("left", "percentile", 75.0)]

    def study(seed: int, threads: int) -> Study:
        base = scenario(13).replace("solver.threads", threads)
        return Study(base, "one_at_a_time", outputs, [AMOUNT, KA], seed=seed)

    first, again, other = study(0, 1).run(), study(0, 2).run(), study(1, 1).run()
    xr.testing.assert_equal(first, again)
    assert np.all(first.change_low.values == other.change_low.values)
    assert np.any(first.change_low_lower.values != other.change_low_lower.values)
    monkeypatch.setattr("carsim.sensitivity.one_at_a_time.MOST_NUMBERS", 100)
    xr.testing.assert_equal(first, study(0, 1).run())


def test_attributes_rebuild_the_study() -> None:
    outputs = [Output("left", "percentile", 75.0), Output("left")]
    study = Study(scenario(), "one_at_a_time", outputs, [AMOUNT, KA], seed=5, title="T")
    found = study.run()
    again = rebuild_study(found.attrs, MODEL)
    assert isinstance(again, Study)
    assert (again.method, again.seed, again.samples) == ("one_at_a_time", 5, None)
    assert again.sweep.design == study.sweep.design
    xr.testing.assert_equal(found, again.run())


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("therapy.tablet.amount", 10.0),
        ("therapy.late.do.0.amount", 2.0),
        ("parameters.ka", 5.0),  # of the variant
        ("parameters.V", 20.0),  # of the model
        ("parameters.CL", 2.5),  # of the scenario
        ("initial.central", 1.0),
        ("population.parameters.F.sigma", 0.1),
        ("population.size", 6),
        ("solver.rtol", 1e-4),
        ("metrics.left.start", None),
        ("start", 0.0),
        ("stop", TIME),
        ("therapy.nothing.amount", None),
        ("therapy.late.do.7.amount", None),
        ("initial.depot", None),
        ("nowhere", None),
    ],
)
def test_own_values_of_all_kinds_of_paths(path: str, own: float | None) -> None:
    from carsim.therapy import Rule

    tablet = Dose("oral", 10.0, at=0.0)
    late = Rule("concentration", above=9.0, do=(Dose("oral", 2.0, at=0.1),), limit=1)
    base = scenario(
        therapy={"tablet": tablet, "late": late},
        variants=("fast",),
        parameters={"CL": 2.5},
        initial={"central": 1.0},
    ).replace("solver.rtol", 1e-4)
    assert value_of(base, path) == own
    if own is not None and path != "population.size":
        same = replaced(base, path, own)
        if path.startswith("parameters."):
            same = dataclasses.replace(same, parameters=base.parameters)
        assert same == base


def per_patient() -> Scenario:
    amounts = np.linspace(9.0, 11.0, 6)
    return scenario(therapy={"tablet": Dose("oral", amounts, at=0.0)})


@pytest.mark.parametrize(
    ("base", "factor", "message"),
    [
        (
            scenario(),
            Axis("parameters.ka", low=2.0, high=3.0),
            r"own value is 1.5, outside low = 2",
        ),
        (
            scenario(),
            Axis("parameters.ka", values=[1.0, 2.0]),
            r"Give low and high in place of val",
        ),
        (
            scenario(),
            Axis("variants.absorption", values=["slow", "fast"]),
            r"labels have no low and no high end. Compare them in a sweep",
        ),
        (scenario(), Axis("initial.depot", low=0.0, high=1.0), r"gives no value to start from"),
        (
            scenario(),
            Axis("population.parameters.F.median", low=0.5, high=0.9),
            r"has no median of its own: .* Vary parameters.F, or give the median",
        ),
        (scenario(), Axis("population.seed", low=1, high=9), r"another seed draws other patients"),
        (
            scenario(),
            Axis("parameters.ka", low=1.0, high=2.0, points=3),
            r"points = 3 is for grids",
        ),
        (per_patient(), AMOUNT, r"gives each patient another value"),
        (
            scenario(therapy={"tablet": Dose("oral", 1.0, at=(0.0, 1.0))}),
            Axis("therapy.tablet.at", low=0.0, high=1.0),
            r"own value is \(0.0, 1.0\), not one number",
        ),
    ],
)
def test_factors_without_two_ends_and_a_base_are_refused(
    base: Scenario, factor: Axis, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        Study(base, "one_at_a_time", [Output("left")], [CL, factor])
    assert str(caught.value).startswith(f"sensitivity.factors[1]: axis '{factor.path}'")


def test_wrong_studies_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"factors\[0\]: axis 'parameters.kaa'.*mean 'ka'"):
        Study(
            scenario(),
            "one_at_a_time",
            [Output("left")],
            [Axis("parameters.kaa", low=1.0, high=2.0)],
        )
    with pytest.raises(ScenarioError, match=r"sensitivity.samples: 8 is given, but .* 3 points"):
        Study(scenario(), "one_at_a_time", [Output("left")], [AMOUNT], samples=8)
    with pytest.raises(ScenarioError, match=r"there is none, but one_at_a_time needs"):
        Study(scenario(), "one_at_a_time", [Output("left")])
    with pytest.raises(ScenarioError, match=r"2 factors and 1 base values"):
        OneAtATime((AMOUNT, KA), (10.0,))
