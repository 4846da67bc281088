"""Sensitivity studies of models: against closed forms, from config files, on the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result

from carsim.cli import main
from carsim.config import read_config, read_text
from carsim.design import Axis
from carsim.errors import CarsimError, ConfigError, ScenarioError
from carsim.metrics import Last
from carsim.population import LogNormal, Population
from carsim.scenario import Scenario
from carsim.sensitivity import LocalStudy, Moment, Output, Study, prcc, rebuild_study
from carsim.therapy import Dose
from tests.unit.one_compartment import MODEL

TIME = 2.0


def scenario(patients: int = 5, **changes: Any) -> Scenario:
    """A tablet: amount * F * exp(-ka * t) is left in the gut."""
    population = Population(patients, seed=3, parameters={"F": LogNormal(sigma=0.1, upper=1.0)})
    given: dict[str, Any] = {
        "therapy": {"tablet": Dose("oral", 10.0, at=0.0)},
        "population": population,
        "stop": TIME,
        "metrics": {"left": Last("depot"), "clock": Last("clock")},
    }
    return Scenario(MODEL, **(given | changes))


AMOUNT = Axis("therapy.tablet.amount", low=5.0, high=15.0, name="amount")
KA = Axis("parameters.ka", low=0.5, high=2.0, name="ka")


def product_indices() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Of the product of a uniform amount and exp(-ka t) with uniform ka."""
    mean = np.array([10.0, (np.exp(-0.5 * TIME) - np.exp(-2.0 * TIME)) / (1.5 * TIME)])
    square = (np.exp(-TIME) - np.exp(-4.0 * TIME)) / (3.0 * TIME)
    spread = np.array([100.0 / 12.0, square - mean[1] ** 2])
    both = np.prod(mean**2 + spread) - np.prod(mean**2)
    others = mean[::-1] ** 2
    return spread * others / both, spread * (others + spread[::-1]) / both


def test_sobol_indices_of_a_simulated_product() -> None:
    study = Study(scenario(), "sobol", [Output("left")], [AMOUNT, KA], samples=2**10, seed=2)
    found = study.run()
    first, total = product_indices()
    np.testing.assert_allclose(found.first_order.sel(output="left"), first, atol=0.01)
    np.testing.assert_allclose(found.total_order.sel(output="left"), total, atol=0.01)
    assert found.attrs["simulations"] == 2**10 * 4 * 5
    assert found.factor_unit.values.tolist() == ["mg", "1/day"]
    assert str(found.output_unit.values[0]) == "mg"


def test_the_same_patients_are_at_all_points() -> None:
    """Mean over patients: amount * exp(-ka t) times the mean F of the cohort, at every point."""
    found = Study(scenario(), "morris", [Output("left")], [AMOUNT, KA], samples=4).run()
    alone = found.amount * np.exp(-found.ka * TIME)
    ratio = found.value.sel(output="left") / alone
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    assert found.n_patients.values.tolist() == [[5]] * 12
    assert found.failed.values.tolist() == [0] * 12


def test_morris_effect_of_a_linear_factor_is_its_range() -> None:
    one = Axis("parameters.one", low=-1.0, high=3.0, name="pace")
    found = Study(scenario(), "morris", [Output("clock")], [one, KA], samples=3).run()
    np.testing.assert_allclose(found.mu.sel(output="clock"), [4.0 * TIME, 0.0], atol=1e-9)


def test_statistics_over_patients() -> None:
    outputs = [
        Output("left"),
        Output("left", "median"),
        Output("left", "percentile", 90.0),
        Output("left", scale="log", name="decades"),
    ]
    study = Study(scenario(40), "prcc", outputs, [AMOUNT, KA], samples=8, seed=1)
    found = study.run()
    shape = np.exp(-found.ka.values * TIME) * found.amount.values
    assert study.scenario.population is not None
    share = study.scenario.population.sample(MODEL).parameters["F"]
    expected = {
        "left": shape * share.mean(),
        "left_median": shape * np.median(share),
        "left_p90": shape * np.percentile(share, 90.0),
        "decades": np.log10(shape * share.mean()),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found.value.sel(output=name), values, rtol=2e-4, atol=1e-4)
    assert str(found.output_words.sel(output="left_p90").values).startswith("90th percentile of")
    # Ranks know no scale.
    assert found.prcc.sel(output="left").values.tolist() == pytest.approx(
        found.prcc.sel(output="decades").values.tolist()
    )


def test_prcc_over_patients_needs_no_factors() -> None:
    population = Population(
        60, seed=1, parameters={name: LogNormal(sigma=0.2) for name in ("ka", "V", "CL")}
    )
    study = Study(scenario(population=population), "prcc", [Output("left")])
    found = study.run()
    assert found.factor.values.tolist() == ["ka", "V", "CL"]
    assert float(found.prcc.sel(factor="ka", output="left")) == pytest.approx(-1.0, abs=1e-9)
    sampled = population.sample(MODEL).parameters
    rest = {name: sampled[name] for name in found.factor.values}
    np.testing.assert_allclose(found.prcc, prcc(rest, -sampled["ka"]).prcc, atol=1e-9)
    assert found.attrs["samples"] == 60


def test_failed_patients_are_left_out_and_counted() -> None:
    """Too few steps for some patients only: those whose absorption is fast."""
    spread = Population(30, seed=2, parameters={"ka": LogNormal(sigma=2.0)})
    base = scenario(population=spread)
    whole = Study(base, "morris", [Output("left")], [AMOUNT, axis_of("CL")], samples=2).run()
    steps = _steps(base)
    limited = base.replace("solver.max_steps", int(np.median(steps)))
    found = Study(limited, "morris", [Output("left")], [AMOUNT, axis_of("CL")], samples=2).run()
    assert np.all(whole.failed.values == 0)
    assert np.all((found.failed.values > 0) & (found.failed.values < 30))
    np.testing.assert_array_equal(found.n_patients[:, 0], 30 - found.failed)
    assert "trajectories failed" in found.attrs["failures"]


def _steps(base: Scenario) -> np.ndarray[Any, Any]:
    from carsim.design import Single
    from carsim.sweep import Sweep, run

    return np.asarray(run(Sweep(base, Single())).n_steps.values)


def axis_of(name: str) -> Axis:
    return Axis(f"parameters.{name}", low=1.0, high=2.0)


def test_a_point_without_patients_is_named() -> None:
    limited = scenario().replace("solver.max_steps", 2)
    with pytest.raises(
        ScenarioError, match=r"at point 0 \(amount = [\d.]+, ka = [\d.]+\) \(and at 11 more"
    ):
        Study(limited, "morris", [Output("left")], [AMOUNT, KA], samples=4).run()
    below = Axis("parameters.one", low=-2.0, high=-1.0, name="pace")
    with pytest.raises(ScenarioError, match=r"'clock' is not above 0 and has no logarithm"):
        Study(
            scenario(), "morris", [Output("clock", scale="log")], [below, KA], samples=2
        ).run()


def test_numbers_depend_on_the_seed_and_not_on_threads() -> None:
    def study(seed: int, threads: int) -> Study:
        base = scenario(12).replace("solver.threads", threads)
        return Study(base, "sobol", [Output("left")], [AMOUNT, KA], samples=8, seed=seed)

    first, again, other = study(0, 1).run(), study(0, 2).run(), study(1, 1).run()
    xr.testing.assert_equal(first, again)
    assert first.attrs["design_hash"] == again.attrs["design_hash"]
    assert first.attrs["design_hash"] != other.attrs["design_hash"]
    assert np.all(first.total_order.values != other.total_order.values)


@pytest.mark.parametrize("method", ["sobol", "morris", "prcc"])
def test_attributes_rebuild_the_study(method: str) -> None:
    outputs = [Output("left", "percentile", 75.0)]
    study = Study(scenario(), method, outputs, [AMOUNT, KA], samples=8, seed=5, title="T")
    found = study.run()
    again = rebuild_study(found.attrs, MODEL)
    assert again.method == method
    xr.testing.assert_equal(found, again.run())


def test_attributes_that_are_none_are_refused() -> None:
    with pytest.raises(CarsimError, match=r"there is no attribute 'sensitivity'"):
        rebuild_study({})


def test_local_study_in_closed_form() -> None:
    """d log(left) / d log(ka) is -ka t, and of the amount's bioavailability it is 1."""
    study = LocalStudy(scenario(), [Moment("depot"), Moment("depot", 1.0)], ["ka", "F", "V"])
    found = study.run()
    np.testing.assert_allclose(
        found.elasticity, [[-1.5 * TIME, -1.5], [1.0, 1.0], [0.0, 0.0]], atol=1e-6
    )
    left = 8.0 * np.exp(-1.5 * TIME)
    assert float(found.value.sel(output="depot")) == pytest.approx(left, rel=1e-6)
    assert float(found.sensitivity[0, 0]) == pytest.approx(-TIME * left, rel=1e-5)
    xr.testing.assert_equal(found, rebuild_study(found.attrs, MODEL).run())


# From config files

BASE = """
title = "A tablet"
model = "./body.py"

[time]
stop = 2.0

[therapy.tablet]
kind = "dose"
into = "oral"
amount = 10.0
at = 0.0

[population]
size = 12
seed = 3

[population.parameters]
ka = { distribution = "lognormal", cv = 0.2 }
F = { distribution = "lognormal", cv = 0.1, upper = 1.0 }

[metrics.left]
kind = "last"
of = "depot"
"""

SOBOL = """
[sensitivity]
method = "sobol"
samples = 8
seed = 1

[[sensitivity.factors]]
path = "therapy.tablet.amount"
low = 5.0
high = 15.0
name = "amount"
label = "amount of the tablet"

[[sensitivity.factors]]
path = "parameters.ka"
low = 0.5
high = 2.0
scale = "log"

[[sensitivity.outputs]]
variable = "left"

[[sensitivity.outputs]]
variable = "left"
statistic = "percentile"
percentile = 90
scale = "log"
"""

PATIENTS = """
[sensitivity]
method = "prcc"

[[sensitivity.outputs]]
variable = "left"
"""

LOCAL = """
[sensitivity]
method = "local"

[[sensitivity.factors]]
path = "parameters.ka"

[[sensitivity.factors]]
path = "initial.depot"

[[sensitivity.outputs]]
variable = "depot"
time = 1.0
"""

SWEEP = """
[sweep]
[[sweep.axes]]
path = "parameters.CL"
values = [1.0, 2.0]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = Path(__file__).with_name("one_compartment.py").read_text()
    (tmp_path / "body.py").write_text(source)
    for name, text in (("sobol", SOBOL), ("patients", PATIENTS), ("local", LOCAL)):
        (tmp_path / f"{name}.toml").write_text(BASE + text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_config_becomes_a_study(folder: Path) -> None:
    study = read_config("sobol.toml").sensitivity
    assert isinstance(study, Study)
    assert (study.method, study.samples, study.seed) == ("sobol", 8, 1)
    assert [axis.name for axis in study.factors] == ["amount", "ka"]
    assert [output.name for output in study.outputs] == ["left", "left_p90"]
    assert study.sweep.n_trajectories == 8 * 4 * 12
    changed = read_config("sobol.toml", ["sensitivity.factors.0.high=20.0"]).sensitivity
    assert isinstance(changed, Study)
    assert changed.factors[0].high == 20.0
    both = read_text(BASE + SWEEP + SOBOL, folder=folder)
    assert both.sweep is not None
    assert both.sensitivity is not None
    assert read_text(BASE, folder=folder).sensitivity is None


def test_only_what_the_outputs_need_is_computed(folder: Path) -> None:
    more = '[metrics.peak]\nkind = "maximum"\nof = "central"\n[endpoints.peak_il6]\n'
    text = BASE + more.replace("[endpoints.peak_il6]\n", "") + SOBOL
    study = read_text(text, folder=folder).sensitivity
    assert isinstance(study, Study)
    assert list(study.sweep.scenario.metrics) == ["left"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SOBOL.replace("samples = 8", "samples = 100"), r"samples = 100 is not a power.*64 or 128"),
        (SOBOL.replace("samples = 8\n", ""), r"sensitivity.samples: say how many"),
        (SOBOL.replace('"sobol"', '"sobl"'), r"sensitivity.method: 'sobl' is not possible"),
        (SOBOL.replace("samples = 8", "sampels = 8"), r"sensitivity.sampels: unknown key. Did you"),
        (
            SOBOL.replace('variable = "left"\nstatistic', 'variable = "lefft"\nstatistic'),
            r"sensitivity.outputs\[1\].variable: the endpoints has no variable 'lefft'. Did you",
        ),
        (
            SOBOL.replace('"percentile"', '"media"'),
            r"sensitivity.outputs\[1\].statistic: 'media' is not possible",
        ),
        (SOBOL.replace("percentile = 90\n", ""), r"outputs\[1\]: output 'left': give percentile to"),
        (SOBOL.replace("= 90", "= 101"), r"outputs\[1\]: .*percentile = 101.0 is not from 0 to 100"),
        (
            SOBOL.replace('statistic = "percentile"\npercentile = 90\nscale = "log"', ""),
            r"sensitivity.outputs: two outputs are called 'left'",
        ),
        (SOBOL.replace("low = 5.0", "low = 50.0"), r"sensitivity.factors\[0\]: .*below high"),
        (
            SOBOL.replace("parameters.ka", "parameters.kaa"),
            r"sensitivity: axis 'parameters.kaa' at 0.5: .*Did you mean 'ka'",
        ),
        (SOBOL.replace('name = "amount"', 'name = "left"'), r"the name 'left' is taken"),
        (SOBOL[: SOBOL.index("[[sensitivity.f")] + PATIENTS[-45:], r"factors: there is none, but so"),
        (PATIENTS.replace('"prcc"', '"prcc"\nsamples = 9'), r"samples: 9 is given, but without fac"),
        (PATIENTS + 'statistic = "mean"\n', r"outputs\[0\]: without factors the rows are the pat"),
        (PATIENTS + "time = 1.0\n", r"outputs\[0\].time: endpoints have no time of their own"),
        (LOCAL.replace('"depot"\ntime', '"left"\ntime'), r"outputs\[0\].variable: .*have no deriv"),
        (LOCAL.replace("time = 1.0", "time = 3.0"), r"outputs\[0\].time: 3 is outside .*0 to 2 day"),
        (LOCAL.replace("parameters.ka", "parameters.k"), r"factors\[0\]: the model has no parameter"),
        (LOCAL.replace("parameters.ka", "start"), r"factors\[0\].path: 'start' has no derivative"),
        (LOCAL.replace('ka"', 'ka"\nlow = 1.0'), r"factors\[0\].low: a local sensitivity is taken"),
        (LOCAL.replace('local"', 'local"\nseed = 0'), r"sensitivity.seed: a derivative needs no"),
        (LOCAL + 'statistic = "mean"\n', r"outputs\[0\].statistic: a local sensitivity is that of"),
    ],
)
def test_wrong_configs_are_refused_with_the_key(folder: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_text(BASE + text, source="a.toml", folder=folder)
    assert str(caught.value).startswith("a.toml: ")


def test_nothing_to_look_at_is_said(folder: Path) -> None:
    text = BASE[: BASE.index("[metrics")] + SOBOL
    with pytest.raises(ConfigError, match=r"sensitivity.outputs: there are no endpoints and no met"):
        read_text(text, folder=folder)
    plain = BASE.replace(BASE[BASE.index("[population]") : BASE.index("[metrics")], "") + PATIENTS
    with pytest.raises(ConfigError, match=r"sensitivity.factors: there is none, and no population"):
        read_text(plain, folder=folder)


# On the command line


def carsim(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("sensitivity", *arguments))


def test_the_command_ranks_and_writes(folder: Path) -> None:
    result = carsim("sobol.toml", "--threads", "1")
    assert result.exit_code == 0, result.output
    assert "32 cells x 12 patients = 384 trajectories" in result.output
    assert "left: mean drug in the gut" in result.output
    written = sorted(path.name for path in (folder / "results/sobol").iterdir())
    assert written == ["config.toml", "map.png", "sensitivity.nc", "tornado.png"]
    saved = (folder / "results/sobol/config.toml").read_text()
    assert saved.startswith("# carsim ")
    assert "carsim sensitivity sobol.toml" in saved
    with xr.open_dataset(folder / "results/sobol/sensitivity.nc", engine="h5netcdf") as dataset:
        assert dataset.total_order.dims == ("factor", "output")
        assert json.loads(dataset.attrs["sensitivity"])["samples"] == 8
        assert dataset.attrs["config"] == BASE + SOBOL
        ranked = dataset.sel(output="left").sortby("total_order", ascending=False)
        study = rebuild_study(dataset.attrs)
        study = dataclasses.replace(study, scenario=study.scenario.replace("solver.threads", 2))
        xr.testing.assert_equal(study.run().drop_vars("why"), dataset.drop_vars("why").load())
    lines = result.output.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("left:"))
    rows = [line.split() for line in lines[start + 2 : start + 4]]
    assert [row[0] for row in rows] == ranked.factor.values.tolist()
    assert rows[0][1] == f"{float(ranked.total_order[0]):.3f}"
    assert rows[0][2] == f"({float(ranked.total_order_lower[0]):.3f}"


def test_patients_and_derivatives_on_the_command_line(folder: Path) -> None:
    result = carsim("patients.toml", "--out", "p", "--no-figures")
    assert result.exit_code == 0, result.output
    assert "12 trajectories" in result.output
    assert sorted(path.name for path in (folder / "p").iterdir()) == [
        "config.toml",
        "sensitivity.nc",
    ]
    result = carsim("local.toml", "--out", "l")
    assert result.exit_code == 0, result.output
    (line,) = [line.split() for line in result.output.splitlines() if line.startswith("  ka ")]
    assert line[:2] == ["ka", "-1.5"]
    assert (folder / "l/tornado.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.toml",), "carsim sensitivity: none.toml: there is no such file"),
        (("plain.toml",), "has no table [sensitivity]. Add one"),
        (("sobol.toml", "--set", "sensitivity.samples=12"), "power of two, at which the sequence"),
        (("sobol.toml", "--out", "sobol.toml"), "--out sobol.toml: is a file. Give a folder"),
        (("sobol.toml", "--out", "full"), "exists already. Choose another --out, or replace"),
        (("sobol.toml", "--set", "solver.max_steps=2"), "at point 0 (amount = "),
    ],
)
def test_bad_input_is_one_paragraph_and_writes_nothing(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    (folder / "plain.toml").write_text(BASE)
    (folder / "full").mkdir()
    (folder / "full" / "config.toml").write_text("precious")
    result = carsim(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (folder / "results").exists()
    assert (folder / "full" / "config.toml").read_text() == "precious"


def test_quiet_says_nothing(folder: Path) -> None:
    result = carsim("patients.toml", "--quiet", "--no-figures", "--out", "q", "--overwrite")
    assert (result.exit_code, result.output) == (0, "")
