"""`carsim report STORE`: of finished stores, of unfinished ones, and of what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from carsim.cli import main
from carsim.design import Grid
from carsim.endpoints import wilson_interval
from carsim.model import Model
from carsim.plots import write_sweep_figures
from carsim.registry import load_model
from carsim.report import report_page
from carsim.sweep import Sweep, open_result, read_status, run, run_to_store
from tests.reports import KIND, STRATEGY, TOY, checked, sweep_of


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(TOY)


@pytest.fixture(scope="module")
def sweep(model: Model) -> Sweep:
    return sweep_of(model, Grid([KIND, STRATEGY]))


@pytest.fixture(scope="module")
def result(sweep: Sweep) -> xr.Dataset:
    return run(sweep)


def interrupt(sweep: Sweep, folder: Path, after: int, size: int) -> None:
    """Leave a store with some of its blocks done."""

    def stop(done: int, total: int) -> None:
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_to_store(sweep, folder, block_size=size, progress=stop)


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


@pytest.mark.slow
def test_the_page_of_a_store_is_that_of_the_result(
    sweep: Sweep, result: xr.Dataset, tmp_path: Path
) -> None:
    run_to_store(sweep, tmp_path / "store", block_size=50)
    stored = checked(report_page(open_result(tmp_path / "store"), patients=5))
    expected = checked(report_page(result, patients=5))
    for number in range(1, 9):
        assert stored.section(number) == expected.section(number), number
    assert [each["src"] for each in stored.images] == [each["src"] for each in expected.images]


def test_kinds_on_patients_of_a_store(model: Model, tmp_path: Path) -> None:
    sweep = sweep_of(model, Grid([STRATEGY]))
    found = run_to_store(sweep, tmp_path / "store", block_size=50)
    words = checked(report_page(found, patients=3)).section(3)
    labels = found["kind"].values.tolist()
    fast = np.array(labels) == "fast"
    values = found["hbv_reactivation"].values[0][fast]
    assert f"{int(values.sum())} of {fast.sum()} patients" in words


def test_the_command_writes_into_the_folder(sweep: Sweep, tmp_path: Path) -> None:
    store = tmp_path / "a store"
    run_to_store(sweep, store)
    done = invoke(store, "--patients", 3)
    assert done.exit_code == 0, done.output
    assert f"wrote {store / 'report.html'}" in done.output
    page = checked((store / "report.html").read_text(encoding="utf-8"))
    assert read_status(store).digest in page.section(9)
    assert f"carsim rerun '{store}'" in page.section(9)
    assert f"carsim status '{store}' --verify" in page.section(9)
    assert "not finished" not in page.words
    again = invoke(store)
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    assert invoke(store, "--overwrite", "--quiet", "--patients", 0).exit_code == 0


def test_of_a_file(result: xr.Dataset, tmp_path: Path) -> None:
    result.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    file = invoke(tmp_path / "result.nc", "--quiet", "--patients", 0)
    assert (file.exit_code, file.output) == (0, "")
    page = checked((tmp_path / "result.html").read_text(encoding="utf-8"))
    assert "Digest" not in page.section(9)
    assert "carsim rerun" not in page.section(9)


def test_an_unfinished_store_is_said_first_and_nobody_has_failed(
    sweep: Sweep, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    interrupt(sweep, store, after=100, size=45)  # 60 patients a cell: some cells are half done
    status = read_status(store)
    assert 0 < status.blocks_done < status.blocks
    done = invoke(store, "--patients", 4)
    assert done.exit_code == 0, done.output
    page = checked((store / "report.html").read_text(encoding="utf-8"))
    said = (
        f"not finished: {status.blocks_done} of {status.blocks} blocks, "
        f"{status.trajectories_done} of 360 courses"
    )
    assert said in page.words[: page.words.index("Contents")]
    waiting = 360 - status.trajectories_done
    assert f"{waiting} courses of 360 have not been simulated yet" in page.section(8)
    assert f"All {status.trajectories_done} courses reached the end." in page.section(8)
    assert "failed (" not in page.section(8)
    assert "Some courses failed" not in page.words
    assert "No patient was left out." in page.section(3)
    assert f"carsim sweep CONFIG --out {store} --resume" in page.section(9)
    assert "carsim rerun" not in page.section(9)


def test_risks_of_an_unfinished_store_are_of_who_is_there(sweep: Sweep, tmp_path: Path) -> None:
    interrupt(sweep, tmp_path / "store", after=100, size=45)
    found = open_result(tmp_path / "store")
    values = found["hbv_reactivation"].values[0, 1]
    there = np.isfinite(values)
    assert 0 < there.sum() < 60
    events, n = int(values[there].sum()), int(there.sum())
    low, high = (100 * float(end) for end in wilson_interval(events, n, 0.95))
    page = checked(report_page(found, patients=0))
    row = f"slow0.003 1/day{100 * events / n:.1f} %{low:.1f} to {high:.1f} %{events}{n}0"
    assert row.replace(" ", "") in page.section(3).replace(" ", "")


def test_an_unfinished_store_with_kinds_on_patients(model: Model, tmp_path: Path) -> None:
    sweep = sweep_of(model, Grid([STRATEGY]))
    interrupt(sweep, tmp_path / "store", after=30, size=20)
    page = checked(report_page(open_result(tmp_path / "store"), patients=3))
    assert "slow: " in page.section(3)
    assert "not finished" in page.words


def test_a_store_with_nothing_in_it(sweep: Sweep, tmp_path: Path) -> None:
    interrupt(sweep, tmp_path / "store", after=0, size=45)
    status = read_status(tmp_path / "store")
    assert status.blocks_done == 0
    page = checked(report_page(open_result(tmp_path / "store"), patients=3))
    assert "0 of 360 courses" in page.words
    assert "There is no answer" in page.section(1)


def test_wrong_files_end_with_a_sentence(tmp_path: Path, result: xr.Dataset) -> None:
    text = tmp_path / "text.nc"
    text.write_text("not a result")
    plain = tmp_path / "plain.nc"
    xr.Dataset({"x": ("patient", [1.0])}).to_netcdf(plain, engine="h5netcdf")
    part = tmp_path / "part.nc"
    result.drop_vars("status").to_netcdf(part, engine="h5netcdf")
    broken = tmp_path / "broken.nc"
    result.assign_attrs(sweep="{").to_netcdf(broken, engine="h5netcdf")
    run_only = tmp_path / "run.nc"
    whole = tmp_path / "whole.nc"
    result.to_netcdf(whole, engine="h5netcdf")
    attributes = {name: value for name, value in result.attrs.items() if name != "sweep"}
    xr.Dataset(result.data_vars, result.coords, attributes).to_netcdf(run_only, engine="h5netcdf")
    cut = tmp_path / "cut.nc"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for given_file, words in (
        (tmp_path / "missing.nc", "no such file"),
        (tmp_path, "folder without the result of a sweep"),
        (text, "cannot be read as netCDF4"),
        (plain, "carsim did not write this file"),
        (run_only, "not the result of a sweep"),
        (part, "has no status"),
        (broken, "attributes of the result cannot be read"),
        (cut, "cannot be read"),
    ):
        done = invoke(given_file)
        assert done.exit_code == 2, (given_file, done.output)
        assert words in done.output
        assert "Traceback" not in done.output
    assert not list(tmp_path.glob("*.html"))
    assert invoke(whole, "--out", tmp_path).exit_code == 2


def test_figures_of_a_store_are_those_of_the_result(
    sweep: Sweep, result: xr.Dataset, tmp_path: Path
) -> None:
    # Labels in a store are texts of another kind than in memory.
    stored = run_to_store(sweep, tmp_path / "store", block_size=50)
    assert stored["kind"].dtype.kind == "T"
    for name, dataset in (("store_figures", stored), ("figures", result)):
        written = write_sweep_figures(dataset, tmp_path / name)
        assert [each.name for each in written] == ["cumulative_incidence.png"]
    pictures = [
        tmp_path / name / "cumulative_incidence.png" for name in ("store_figures", "figures")
    ]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
