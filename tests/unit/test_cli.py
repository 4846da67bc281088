"""The command line: what it writes, what it says, and how it refuses."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr
from click.testing import CliRunner, Result

from carsim.cli import main
from carsim.cli.output import plan_target, replacing, write_result
from carsim.errors import ConfigError

MODEL = '''
"""A drug that comes and goes (for tests)."""
from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state, variant

TOY = Assumed("a test")


class Amounts(State):
    drug: float = state(1.0, "mg", "drug in the body")


class Rates(Parameters):
    k: float = parameter(0.5, "1/day", "elimination", TOY)
    source: float = parameter(2.0, "mg/day", "endogenous source", TOY)
    runaway: float = parameter(0.0, "1/mg/day", "self-amplification", TOY)


def rhs(t, y, p):
    return Amounts(drug=p.source - p.k * y.drug + p.runaway * y.drug * y.drug)


@observable("mg", "half of the drug")
def half(t, y, p):
    return 0.5 * y.drug


MODEL = Model(
    "toy_cli",
    rhs,
    Amounts,
    Rates,
    observables=[half],
    routes=[route("oral", "mg", "oral dose", {"drug": 1.0})],
    variants=[variant("slow", "slow elimination", {"k": (0.1, TOY)}, group="speed")],
    reference="Nobody (2000)",
)
'''

RUN = """
title = "A toy"
model = "./toy.py"

[time]
stop = 10.0
save_every = 2.5

[therapy.tablet]
kind = "dose"
into = "oral"
amount = 10
at = 1.0

[population]
size = 20

[population.parameters]
source = { distribution = "lognormal", cv = 0.3 }

[metrics.peak]
kind = "maximum"
of = "half"
"""

SWEEP = (
    RUN
    + """
[sweep]
[[sweep.axes]]
path = "therapy.tablet.amount"
values = [0, 10]
"""
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy.py").write_text(MODEL)
    (tmp_path / "run.toml").write_text(RUN)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def carsim(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from carsim.cli import main; main(['--help'], standalone_mode=False); "
        "print([m for m in ('numpy', 'scipy', 'numba', 'xarray', 'pydantic', 'matplotlib', "
        "'pandas', 'rich') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sweep" in found.stdout
    assert found.stdout.splitlines()[-1] == "[]"


def test_run_writes_courses_and_says_what(folder: Path) -> None:
    result = carsim("run", "run.toml", "--no-figures", "--threads", "1")
    assert result.exit_code == 0, result.output
    assert "A toy" in result.output
    assert "all 20 patients reached the end" in result.output
    assert "wrote results/run/result.nc" in result.output
    assert files(folder / "results") == ["run/config.toml", "run/result.nc"]
    with xr.open_dataset(folder / "results/run/result.nc", engine="h5netcdf") as dataset:
        assert dataset.half.dims == ("patient", "time")
        assert dataset.sizes == {"patient": 20, "time": 5, "event": 0, "item": 1}
        assert dataset.attrs["config"] == RUN


def test_run_says_what_rules_did(folder: Path) -> None:
    """With one patient line by line, with many how many had it."""
    rule = """
[therapy.rescue]
kind = "rule"
when = "drug"
above = 5.0
at = [2.5, 5.0]
do = [{ action = "dose", into = "oral", amount = 7.5 }]
"""
    many = RUN + rule
    (folder / "many.toml").write_text(many)
    (folder / "one.toml").write_text(many[: many.index("[population]")] + rule)
    result = carsim("run", "one.toml", "--no-figures")
    assert result.exit_code == 0, result.output
    (line,) = [
        line.split() for line in result.output.splitlines() if "rescue" in line and "7" in line
    ]
    # 1 mg and 2 mg/day until day 2.5, and the tablet of day 1.
    seen = 4.0 - 3.0 * math.exp(-1.25) + 10.0 * math.exp(-0.75)
    assert line == ["2.5", "rescue", f"{seen:.6g}", "give", "7.5", "mg", "oral"]
    result = carsim("run", "many.toml", "--no-figures")
    assert result.exit_code == 0, result.output
    (line,) = [line.split() for line in result.output.splitlines() if line.startswith("  rescue")]
    assert line == ["rescue", "20", "20", "2.5"]


def test_sweep_writes_endpoints_into_one_file(folder: Path) -> None:
    result = carsim(
        "sweep", "sweep.toml", "--out", "a/b.nc", "--set", "population.size=7", "--threads", "1"
    )
    assert result.exit_code == 0, result.output
    assert "2 cells x 7 patients = 14 trajectories" in result.output
    assert files(folder / "a") == ["b.nc"]
    with xr.open_dataset(folder / "a/b.nc", engine="h5netcdf") as dataset:
        assert dataset.peak.shape == (2, 7)
        assert dataset.attrs["config_overrides"] == '["population.size=7"]'


def test_the_saved_config_names_the_command(folder: Path) -> None:
    change = "population.parameters.source={distribution='constant', value=1.0}"
    result = carsim("run", "run.toml", "--out", "o", "--no-figures", "--set", change, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    first, _, rest = (folder / "o/config.toml").read_text().partition("\n\n")
    assert first.startswith("# carsim ")
    assert "run run.toml --set 'population.parameters.source={distribution=" in first
    assert rest == RUN


def test_the_same_seed_writes_the_same_numbers(folder: Path) -> None:
    for name, threads in (("a", "1"), ("b", "2")):
        assert (
            carsim("sweep", "sweep.toml", "--out", f"{name}.nc", "--threads", threads).exit_code
            == 0
        )
    with (
        xr.open_dataset(folder / "a.nc", engine="h5netcdf") as one,
        xr.open_dataset(folder / "b.nc", engine="h5netcdf") as other,
    ):
        xr.testing.assert_equal(one.load(), other.load())


def test_failed_patients_are_counted_not_fatal(folder: Path) -> None:
    result = carsim("sweep", "sweep.toml", "--out", "x.nc", "--set", "parameters.runaway=1.0")
    assert result.exit_code == 0
    assert "40 of 40 trajectories failed; they are NaN in the result" in result.output


def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    (folder / "x.nc").write_text("precious")
    result = carsim("run", "run.toml", "--out", "x.nc")
    assert result.exit_code == 2
    assert "x.nc exists already. Choose another --out, or replace it with --ov" in result.stderr
    assert (folder / "x.nc").read_text() == "precious"
    assert carsim("run", "run.toml", "--out", "x.nc", "--overwrite", "--quiet").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "no.toml"), r"carsim run: no.toml: there is no such file. Did you mean 'run.to"),
        (("run", "run.yaml"), "carsim run: run.yaml: carsim reads TOML"),
        (("run", "sweep.toml"), "has a table [sweep]. Run it with: carsim sweep sweep.toml"),
        (("sweep", "run.toml"), "has no table [sweep]. Run it with: carsim run run.toml"),
        (("run", "run.toml", "--set", "time.stpo=3"), "time.stpo: unknown key. Did you mean 'st"),
        (("run", "run.toml", "--out", "run.toml"), "--out run.toml: is a file. Give a folder"),
        (("run", "run.toml", "--out", "run.toml/x"), "run.toml is not a folder. Choose another"),
        (("run", "run.toml", "--out", "/proc/x"), "cannot write into /proc"),
        (
            ("sweep", "sweep.toml", "--set", "population.size=900000000"),
            "1,800,000,000 trajectories are more than 1,000,000,000",
        ),
        (("sweep", "sweep.toml", "--resume", "--overwrite"), "--overwrite removes it: give one"),
        (("sweep", "sweep.toml", "--resume", "--out", "a.nc"), "--resume needs a folder: --out a."),
        (("status", "none"), "none: is not the folder of a sweep"),
        (("rerun", "."), "is not the folder of a sweep"),
        (("export", "none", "a.nc"), "none: there is no such file"),
        (("export", "none", "a.txt"), "the name of a netCDF file ends in .nc"),
        (("show", "cart_hvb"), "carsim show: carsim has no model 'cart_hvb'"),
        (("check", "./none.py"), "none.py: there is no such file"),
    ],
)
def test_bad_input_is_one_paragraph_and_writes_nothing(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    before = files(folder)
    result = carsim(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    assert [name for name in files(folder) if "__pycache__" not in name] == before


def test_an_unknown_command_or_option_is_refused() -> None:
    assert carsim("swep").exit_code == 2
    assert carsim("sweep", "x.toml", "--thread", "2").exit_code == 2


def test_show_prints_everything_with_units_and_sources(folder: Path) -> None:
    result = carsim("show", "./toy.py")
    assert result.exit_code == 0
    for text in (
        "toy_cli: A drug that comes and goes (for tests).",
        "reference: Nobody (2000)",
        "drug  1        mg    drug in the body",
        "k        0.5    1/day     elimination         assumed: a test",
        "oral  mg    oral dose",
        "slow  speed  slow elimination (1 parameter)",
    ):
        assert text in result.output


def test_models_lists_what_is_installed() -> None:
    result = carsim("models")
    assert result.exit_code == 0
    assert "stein_2019" in result.output


def test_check_reads_a_config_without_running_it(folder: Path) -> None:
    result = carsim("check", "sweep.toml", "--set", "population.size=500")
    assert result.exit_code == 0
    assert "2 cells x 500 patients = 1,000 trajectories" in result.output
    assert files(folder) == ["run.toml", "sweep.toml", "toy.py"]


def test_check_finds_a_wrong_unit(folder: Path) -> None:
    (folder / "bad.py").write_text(MODEL.replace('"1/day", "elimination"', '"1/mg", "elimination"'))
    result = carsim("check", "./bad.py")
    assert result.exit_code == 2
    assert "drug" in result.stderr


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "x.txt"

    def stop_half_way() -> None:
        with replacing(target) as partial:
            partial.write_text("half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        stop_half_way()
    assert files(tmp_path) == []
    with replacing(target) as partial:
        partial.write_text("all")
    assert files(tmp_path) == ["deep/x.txt"]


def test_a_result_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.nc").mkdir()
    with pytest.raises(ConfigError, match=r"x.nc: cannot be written"):
        write_result(xr.Dataset(), tmp_path / "x.nc")
    with pytest.raises(ConfigError, match=r"is a folder. Give another name"):
        plan_target(str(tmp_path / "x.nc"), "a.toml", False)


@pytest.mark.slow
def test_an_interrupt_stops_promptly_and_keeps_what_is_finished(folder: Path) -> None:
    # Where the tests run in the background of a shell, SIGINT is ignored, and that is inherited.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", heed + "from carsim.cli import main; main()"]
    command += ["sweep", "sweep.toml", "--set", "population.size=20000000", "--out", "x"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(8)
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert time.monotonic() - begun < 10
    assert process.returncode == 130
    assert error.endswith("interrupted. What is finished is in x: go on with --resume.\n")
    result = carsim("status", "x")
    assert result.exit_code == 0
    assert re.search(r"state +not finished\n  blocks +\d+ of 2,442", result.output)


def test_sweep_writes_a_store_that_status_rerun_and_export_read(folder: Path) -> None:
    result = carsim("sweep", "sweep.toml", "--out", "s", "--block-size", "7", "--no-figures")
    assert result.exit_code == 0, result.output
    assert "computed in 6 blocks" in result.output
    assert "wrote s/config.toml" in result.output
    status = carsim("status", "s", "--verify")
    assert status.exit_code == 0
    for line in ("state         finished", "blocks        6 of 6", "40 of 40 (100.0 %)"):
        assert line in status.output
    assert "all 6 finished blocks are what was written" in status.output
    again = carsim("rerun", "s", "--quiet")
    assert again.exit_code == 0
    assert "every bit is the same (6 blocks)" in again.output
    assert carsim("export", "s", "s.nc").exit_code == 0
    assert carsim("sweep", "sweep.toml", "--out", "m.nc", "--quiet").exit_code == 0
    with (
        xr.open_dataset(folder / "s.nc", engine="h5netcdf") as one,
        xr.open_dataset(folder / "m.nc", engine="h5netcdf") as other,
    ):
        xr.testing.assert_equal(one.load(), other.load())
        assert one.attrs["config"] == SWEEP
    assert carsim("cite", "s").exit_code == 0


def test_status_finds_a_damaged_block_and_resume_mends_it(folder: Path) -> None:
    carsim("sweep", "sweep.toml", "--out", "s", "--block-size", "7", "--no-figures", "--quiet")
    chunk = folder / "s/peak/c/1/2"
    chunk.write_bytes(chunk.read_bytes()[:-2])
    status = carsim("status", "s", "--verify")
    assert status.exit_code == 1
    assert "1 blocks are not what was written (5)" in status.output
    resume = carsim("sweep", "sweep.toml", "--out", "s", "--resume", "--no-figures", "--quiet")
    assert resume.exit_code == 0
    assert "block 5 is not what was written: computed again" in resume.stderr
    assert carsim("status", "s", "--verify").exit_code == 0


def test_a_sweep_is_resumed_or_replaced_only_when_asked(folder: Path) -> None:
    first = ("sweep", "sweep.toml", "--out", "s", "--no-figures", "--quiet")
    assert carsim(*first).exit_code == 0
    again = carsim(*first)
    assert again.exit_code == 2
    assert "s holds a sweep already. Go on with it (--resume), replace it (--over" in again.stderr
    changed = carsim(*first, "--resume", "--set", "population.size=30")
    assert changed.exit_code == 2
    assert "was begun with another sweep: population.size: 20 -> 30." in changed.stderr
    assert carsim(*first, "--overwrite", "--set", "population.size=30").exit_code == 0
    assert "60 of 60" in carsim("status", "s").output


def test_a_dry_run_says_what_it_takes_and_writes_nothing(folder: Path) -> None:
    before = files(folder)
    result = carsim("sweep", "sweep.toml", "--out", "s", "--dry-run", "--block-size", "7")
    assert result.exit_code == 0
    assert "2 cells x 20 patients = 40 trajectories" in result.output
    assert "computed in 6 blocks" in result.output
    assert files(folder) == before
