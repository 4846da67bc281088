"""Sensitivity studies from config files and on the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import xarray as xr
from click.testing import CliRunner, Result

from carsim.cli import main
from carsim.config import read_config, read_text
from carsim.errors import ConfigError
from carsim.sensitivity import Study, rebuild_study

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

ONE_AT_A_TIME = SOBOL.replace('"sobol"\nsamples = 8', '"one_at_a_time"')

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
    texts = {"sobol": SOBOL, "patients": PATIENTS, "local": LOCAL, "ends": ONE_AT_A_TIME}
    for name, text in texts.items():
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
    text = BASE + '[metrics.peak]\nkind = "maximum"\nof = "central"\n' + SOBOL
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
            r"sensitivity.outputs\[1\].variable: the result has no variable 'lefft'. Did you",
        ),
        (
            SOBOL.replace('"percentile"', '"media"'),
            r"sensitivity.outputs\[1\].statistic: 'media' is not possible",
        ),
        (
            SOBOL.replace("percentile = 90\n", ""),
            r"outputs\[1\]: output 'left': give percentile to",
        ),
        (
            SOBOL.replace("= 90", "= 101"),
            r"outputs\[1\]: .*percentile = 101.0 is not from 0 to 100",
        ),
        (
            SOBOL.replace('statistic = "percentile"\npercentile = 90\nscale = "log"', ""),
            r"sensitivity.outputs: two outputs are called 'left'",
        ),
        (SOBOL.replace("low = 5.0", "low = 50.0"), r"sensitivity.factors\[0\]: .*below high"),
        (
            SOBOL.replace("parameters.ka", "parameters.kaa"),
            r"sensitivity.factors\[1\]: axis 'parameters.kaa' at 0.5: .*Did you mean 'ka'",
        ),
        (SOBOL.replace('name = "amount"', 'name = "left"'), r"the name 'left' is taken"),
        (
            SOBOL[: SOBOL.index("[[sensitivity.f")] + PATIENTS[PATIENTS.index("[[") :],
            r"factors: there is none, but so",
        ),
        (
            PATIENTS.replace('"prcc"', '"prcc"\nsamples = 9'),
            r"samples: 9 is given, but without fac",
        ),
        (PATIENTS + 'statistic = "mean"\n', r"outputs\[0\]: without factors the rows are the pat"),
        (PATIENTS + "time = 1.0\n", r"outputs\[0\].time: endpoints have no time of their own"),
        (LOCAL.replace('"depot"\ntime', '"left"\ntime'), r"outputs\[0\].variable: .*have no deriv"),
        (
            LOCAL.replace("time = 1.0", "time = 3.0"),
            r"outputs\[0\].time: 3 is outside .*0 to 2 day",
        ),
        (
            LOCAL.replace("parameters.ka", "parameters.k"),
            r"factors\[0\]: the model has no parameter",
        ),
        (LOCAL.replace("parameters.ka", "start"), r"factors\[0\].path: 'start' has no derivative"),
        (LOCAL.replace('ka"', 'ka"\nlow = 1.0'), r"factors\[0\].low: a local sensitivity is taken"),
        (LOCAL.replace('local"', 'local"\nseed = 0'), r"sensitivity.seed: a derivative needs no"),
        (
            ONE_AT_A_TIME.replace("seed = 1", "samples = 8"),
            r"sensitivity.samples: 8 is given, but one_at_a_time takes 5 points",
        ),
        (
            ONE_AT_A_TIME.replace("low = 5.0", "low = 12.0"),
            r"sensitivity.factors\[0\]: axis '.*amount': .* own value is 10, outside low = 12",
        ),
        (
            ONE_AT_A_TIME.replace("low = 5.0\nhigh = 15.0", "values = [5.0, 15.0]"),
            r"sensitivity.factors\[0\]: .* Give low and high in place of values",
        ),
        (
            ONE_AT_A_TIME.replace("parameters.ka", "initial.depot"),
            r"sensitivity.factors\[1\]: .*gives no value to start from",
        ),
        (
            ONE_AT_A_TIME.replace("low = 5.0", "base = 5.0\nlow = 5.0"),
            r"sensitivity.factors\[0\].base: unknown key",
        ),
        (LOCAL + 'statistic = "mean"\n', r"outputs\[0\].statistic: a local sensitivity is that of"),
    ],
)
def test_wrong_configs_are_refused_with_the_key(folder: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_text(BASE + text, source="a.toml", folder=folder)
    assert str(caught.value).startswith("a.toml: ")


def test_nothing_to_look_at_is_said(folder: Path) -> None:
    text = BASE[: BASE.index("[metrics")] + SOBOL
    with pytest.raises(
        ConfigError, match=r"sensitivity.outputs: there are no endpoints and no met"
    ):
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


def test_one_factor_at_a_time_on_the_command_line(folder: Path) -> None:
    text = (folder / "ends.toml").read_text()
    # The population's ka is a distribution around 1.5; the factor moves its center.
    assert "ka = { distribution" in text
    result = carsim("ends.toml", "--threads", "1")
    assert result.exit_code == 0, result.output
    assert "5 cells x 12 patients = 60 trajectories" in result.output
    written = sorted(path.name for path in (folder / "results/ends").iterdir())
    assert written == ["config.toml", "map.png", "sensitivity.nc", "tornado.png"]
    with xr.open_dataset(folder / "results/ends/sensitivity.nc", engine="h5netcdf") as dataset:
        study = rebuild_study(dataset.attrs)
        study = dataclasses.replace(study, scenario=study.scenario.replace("solver.threads", 2))
        xr.testing.assert_equal(study.run().drop_vars("why"), dataset.drop_vars("why").load())
        one = dataset.sel(output="left").sortby("swing", ascending=False).load()
    assert one.factor.values.tolist() == ["ka", "amount"]
    lines = result.output.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("left: mean drug in the gut"))
    assert lines[start].endswith(f"; base {float(one.at_base):.3g}")
    rows = [" ".join(line.split()) for line in lines[start + 2 : start + 4]]
    for row, name in zip(rows, one.factor.values, strict=True):
        here = one.sel(factor=name)
        assert row.startswith(
            f"{name} {float(here.swing):.3g} ({float(here.swing_lower):.3g} to "
            f"{float(here.swing_upper):.3g}) {float(here.at_low):.3g} {float(here.at_high):.3g} "
            f"{float(here.change_low):.3g} ("
        )
    assert rows[1].endswith("amount of the tablet, mg: 5 to 15, base 10")
    found = CliRunner().invoke(main, ("check", "ends.toml"))
    assert "sensitivity by one_at_a_time: 5 cells x 12 patients" in found.output


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


def test_check_says_what_a_study_will_take(folder: Path) -> None:
    found = CliRunner().invoke(main, ("check", "sobol.toml"))
    assert "sensitivity by sobol: 32 cells x 12 patients = 384 trajectories" in found.output
    found = CliRunner().invoke(main, ("check", "local.toml"))
    assert "  sensitivity by local\n" in found.output


def test_quiet_says_nothing(folder: Path) -> None:
    result = carsim("patients.toml", "--quiet", "--no-figures", "--out", "q", "--overwrite")
    assert (result.exit_code, result.output) == (0, "")
