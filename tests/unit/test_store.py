"""The store of a sweep: what is written, what survives, what is refused, and the same bits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

import carsim
from carsim.design import Axis, Design, Grid, List, Single, Sobol
from carsim.errors import CarsimError, ScenarioError
from carsim.metrics import Maximum
from carsim.model import Model
from carsim.population import Component, LogNormal, Mixture, Population
from carsim.scenario import Scenario
from carsim.sweep import (
    Sweep,
    damaged_blocks,
    digest,
    is_store,
    open_result,
    read_status,
    rebuild_sweep,
    remove_store,
    rerun,
    run,
    run_to_store,
)
from carsim.sweep.store.folder import locked
from carsim.sweep.store.journal import Entry, Journal
from carsim.therapy import Dose
from tests.kill_harness import files_of

FILE = Path(__file__).with_name("one_compartment.py")
AMOUNTS = Axis("therapy.tablet.amount", values=[50.0, 100.0, 200.0], name="amount")
VOLUMES = Axis("parameters.V", values=[10.0, 20.0], name="volume")
CLASSES = Mixture("absorption", [Component("slow ones", 1, ("slow",)), Component("rest", 2)])
POPULATION = Population(25, seed=7, parameters={"CL": LogNormal(cv=0.3)}, mixture=CLASSES)


@pytest.fixture(scope="module")
def model() -> Model:
    return carsim.load_model(str(FILE))


@pytest.fixture
def sweep(model: Model) -> Sweep:
    return make(model)


def make(
    model: Model,
    design: Design | None = None,
    population: Population | None = POPULATION,
    failing: bool = False,
) -> Sweep:
    scenario = Scenario(
        model,
        therapy={"tablet": Dose("oral", 100.0, at=[0.0, 1.0])},
        population=population,
        stop=6.0,
        metrics={"peak": Maximum("concentration"), "gut": Maximum("depot")},
    )
    if failing:
        scenario = scenario.replace("solver.max_steps", 12)
    return Sweep(scenario, design or Grid([AMOUNTS, VOLUMES]), title="A small sweep")


def interrupt_after(trajectories: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done >= trajectories:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize(
    ("design", "population"),
    [
        (Grid([AMOUNTS, VOLUMES]), POPULATION),
        (Grid([Axis("variants.absorption", values=["slow", "fast"]), VOLUMES]), Population(9)),
        (Grid([Axis("population.seed", values=[1, 2])]), POPULATION),
        (Grid([Axis("population.absorption", values=["rest", "slow ones"])]), POPULATION),
        (List([AMOUNTS, Axis("parameters.F", values=[0.5, 0.7, 0.9])]), POPULATION),
        (Sobol([Axis("parameters.V", low=10.0, high=30.0)], 8, 3), POPULATION),
        (Grid([AMOUNTS]), None),
        (Single(), POPULATION),
        (Single(), None),
    ],
)
@pytest.mark.parametrize("block_size", [None, 7])
def test_a_store_holds_what_memory_would(
    model: Model,
    tmp_path: Path,
    design: Design,
    population: Population | None,
    block_size: int | None,
) -> None:
    sweep = make(model, design, population)
    expected = run(sweep)
    run_to_store(sweep, tmp_path / "s", block_size=block_size)
    found = xr.open_zarr(tmp_path / "s").load()
    assert set(found.variables) == set(expected.variables)
    assert set(found.coords) == set(expected.coords)
    for name, variable in expected.variables.items():
        np.testing.assert_array_equal(found[name].values, variable.values)
        assert found[name].dims == variable.dims
        if name != "status":
            assert found[name].attrs == variable.attrs
    assert digest(found) == digest(expected) == read_status(tmp_path / "s").digest
    changing = ("created_at",)
    assert {k: v for k, v in found.attrs.items() if k not in changing} == {
        k: v for k, v in expected.attrs.items() if k not in changing
    }


def test_a_store_says_what_made_it(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path)
    attributes = open_result(tmp_path).attrs
    assert rebuild_sweep(attributes).to_json() == sweep.to_json()
    (source,) = (tmp_path / "carsim/model").iterdir()
    assert source.read_bytes() == FILE.read_bytes()
    assert zarr.open_group(tmp_path, mode="r")["peak"].chunks == (3, 2, 25)  # type: ignore[union-attr]


def test_failed_patients_are_nan_and_counted(model: Model, tmp_path: Path) -> None:
    sweep = make(model, failing=True)
    expected = run(sweep)
    found = run_to_store(sweep, tmp_path, block_size=10)
    failed = expected.status.values != 0
    assert failed.sum() > 0
    assert np.isnan(found.peak.values[failed]).all()
    assert found.attrs["failures"] == expected.attrs["failures"]
    assert xr.open_zarr(tmp_path).attrs["failures"] == expected.attrs["failures"]
    status = read_status(tmp_path)
    assert sum(n for code, n in status.statuses.items() if code) == failed.sum()


@pytest.mark.parametrize("interruptions", [(40,), (10, 60, 120)])
def test_an_interrupted_sweep_resumes_to_the_same_files(
    sweep: Sweep, tmp_path: Path, interruptions: tuple[int, ...]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_to_store(sweep, whole, block_size=10)
    for number in interruptions:
        with pytest.raises(KeyboardInterrupt):
            run_to_store(
                sweep, broken, block_size=10, resume=True, progress=interrupt_after(number)
            )
        status = read_status(broken)
        assert status.trajectories_done <= number
        assert not status.digest
        assert int((open_result(broken).status == -1).sum()) == 150 - status.trajectories_done
    run_to_store(sweep, broken, resume=True)
    assert files_of(broken) == files_of(whole)
    assert digest(open_result(broken)) == digest(open_result(whole))
    lines = (broken / "carsim/journal.jsonl").read_text().splitlines()
    done = [json.loads(line[17:])["entry"]["block"] for line in lines if '"entry"' in line]
    assert sorted(done) == list(range(18))  # no finished block twice


def test_resuming_what_is_finished_computes_nothing(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path)
    before = files_of(tmp_path)
    run_to_store(sweep, tmp_path, resume=True, progress=interrupt_after(0))
    assert files_of(tmp_path) == before


def test_another_sweep_is_refused_with_the_difference(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path)
    scenario = sweep.scenario.replace("population.size", 30).replace("parameters.F", 0.5)
    with pytest.raises(
        ScenarioError, match=r"another sweep: population.size: 25 -> 30; parameters.F: nothing ->"
    ):
        run_to_store(Sweep(scenario, sweep.design), tmp_path, resume=True)
    more = Grid([Axis("therapy.tablet.amount", values=[50.0, 100.0], name="amount"), VOLUMES])
    with pytest.raises(ScenarioError, match=r"settings.axes.0.values: \[50.0, 100.0, 200.0\] -> "):
        run_to_store(Sweep(sweep.scenario, more), tmp_path, resume=True)


def test_threads_and_title_are_no_difference(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path)
    scenario = sweep.scenario.replace("solver.threads", 1)
    run_to_store(Sweep(scenario, sweep.design, title="New words"), tmp_path, resume=True)


def test_a_changed_model_is_a_difference(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    shutil.copy(FILE, file)
    run_to_store(make(carsim.load_model(str(file))), tmp_path / "s")
    file.write_text(file.read_text().replace("parameter(1.5,", "parameter(1.6,"))
    with pytest.raises(ScenarioError, match=r"parameter 'ka': default 1\.5 -> 1\.6"):
        run_to_store(make(carsim.load_model(str(file))), tmp_path / "s", resume=True)


def test_a_store_is_not_overwritten_unasked(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path)
    with pytest.raises(CarsimError, match=r"holds a sweep already \(1 blocks are done\). Go"):
        run_to_store(sweep, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    remove_store(tmp_path)
    assert not is_store(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    run_to_store(sweep, tmp_path)


def test_only_one_process_writes(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path)
    with locked(tmp_path):
        assert read_status(tmp_path).running
        with pytest.raises(CarsimError, match="another process is writing to this store"):
            run_to_store(sweep, tmp_path, resume=True)
        with pytest.raises(CarsimError, match="another process is writing"):
            remove_store(tmp_path)
    assert not read_status(tmp_path).running
    assert open_result(tmp_path).sizes["patient"] == 25


def resumed(sweep: Sweep, folder: Path) -> list[str]:
    said: list[str] = []
    run_to_store(sweep, folder, resume=True, say=said.append)
    return said


def test_damage_is_found_and_computed_again(sweep: Sweep, tmp_path: Path) -> None:
    whole, hurt = tmp_path / "whole", tmp_path / "hurt"
    for folder in (whole, hurt):
        run_to_store(sweep, folder, block_size=25)
    chunks = sorted((hurt / "peak/c").rglob("0"))[0].parent
    changed = next(file for file in sorted(chunks.rglob("*")) if file.is_file())
    content = bytearray(changed.read_bytes())
    content[-3] ^= 0x40
    changed.write_bytes(content)
    (hurt / "gut/c/1/1/0").unlink()
    (hurt / "status/c/2/0/0").write_bytes(b"")
    left = hurt / "gut/c/1/0/0.0123456789abcdef.partial"
    left.write_bytes(b"half")
    assert damaged_blocks(hurt) == [0, 3, 4]
    said = resumed(sweep, hurt)
    assert [line for line in said if "not what was written" in line] == [
        f"block {number} is not what was written: computed again" for number in (0, 3, 4)
    ]
    assert "1 files that were not finished removed" in said
    assert files_of(hurt) == files_of(whole)
    assert damaged_blocks(hurt) == []
    assert read_status(hurt).digest == read_status(whole).digest


def test_a_damaged_journal_line_costs_its_block_only(sweep: Sweep, tmp_path: Path) -> None:
    whole, hurt = tmp_path / "whole", tmp_path / "hurt"
    for folder in (whole, hurt):
        run_to_store(sweep, folder, block_size=25)
    journal = hurt / "carsim/journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b'"block":1', b'"block":4')
    journal.write_bytes(b"\n".join(lines[:-2]) + b"\n" + lines[-2][:30])  # and a torn last line
    assert read_status(hurt).damaged == (3, 8)
    assert read_status(hurt).blocks_done == 5
    assert resumed(sweep, hurt) == ["2 damaged lines of the journal skipped (line 3, 8)"]
    assert files_of(hurt) == files_of(whole)
    assert read_status(hurt).digest == read_status(whole).digest


def test_a_damaged_first_line_costs_nothing(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path, block_size=25)
    before, journal = files_of(tmp_path), tmp_path / "carsim/journal.jsonl"
    _, rest = journal.read_bytes().split(b"\n", 1)
    journal.write_bytes(b"{}\n" + rest)
    with pytest.raises(CarsimError, match=r"holds a sweep already \(6 blocks are done\)"):
        run_to_store(sweep, tmp_path)
    said: list[str] = []
    run_to_store(sweep, tmp_path, resume=True, say=said.append, progress=interrupt_after(0))
    assert said[-1] == "the first line of the journal was damaged, and is written again"
    assert files_of(tmp_path) == before
    assert damaged_blocks(tmp_path) == []


def test_what_is_left_is_not_overwritten_unasked(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path)
    (tmp_path / "carsim/journal.jsonl").unlink()
    with pytest.raises(CarsimError, match="holds what is left of a sweep, of which no block is"):
        run_to_store(sweep, tmp_path)
    run_to_store(sweep, tmp_path, resume=True)
    assert read_status(tmp_path).digest


@given(st.data())
def test_no_damage_to_a_journal_invents_a_block(data: st.DataObject) -> None:
    entries = [
        Entry(n, f"{n:064x}", {"0": 5}, 10 * n, n, 0.5, "" if n % 2 else "words\n \u00e4")
        for n in range(6)
    ]
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "j")
        journal.begin({"blocks": 6})
        for entry in entries:
            journal.add(entry)
        content = bytearray(journal.path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(content) - 1))
            kind = data.draw(st.sampled_from(["change", "cut", "insert"]))
            if kind == "change":
                content[place] = data.draw(st.integers(0, 255))
            elif kind == "cut":
                del content[place:]
                content += b"\0"
            else:
                content[place:place] = data.draw(st.binary(min_size=1, max_size=5))
        journal.path.write_bytes(content)
        found = journal.read()
        assert all(found.entries[n] == entries[n] for n in found.entries)
        # What is appended after damage counts.
        journal.add(entries[3])
        assert journal.read().entries[3] == entries[3]


def test_a_store_that_was_never_made_whole_is_begun_anew(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path / "whole")
    run_to_store(sweep, tmp_path / "half")
    (tmp_path / "half/carsim/journal.jsonl").write_bytes(b"0123456789abcdef {")
    shutil.rmtree(tmp_path / "half/peak/c")
    (tmp_path / "half/peak/zarr.json").rename(tmp_path / "half/peak/zarr.0123.partial")
    (tmp_path / "half/zarr.4567.partial").write_text("{")
    with pytest.raises(CarsimError, match="is not the folder of a sweep"):
        read_status(tmp_path / "half")
    run_to_store(sweep, tmp_path / "half", resume=True)
    assert files_of(tmp_path / "half") == files_of(tmp_path / "whole")


def test_stores_inside_the_folder_are_left_alone(sweep: Sweep, tmp_path: Path) -> None:
    """`--out results` after `--out results/demo`, and `--overwrite` of it."""
    run_to_store(sweep, tmp_path / "demo")
    (tmp_path / "demo/zarr.77.partial").write_text("another process is writing")
    before = files_of(tmp_path / "demo")
    run_to_store(sweep, tmp_path)
    run_to_store(sweep, tmp_path, resume=True)
    remove_store(tmp_path)
    assert not is_store(tmp_path)
    run_to_store(sweep, tmp_path)
    assert files_of(tmp_path / "demo") == before
    assert damaged_blocks(tmp_path / "demo") == []


def test_foreign_groups_are_left_alone(sweep: Sweep, tmp_path: Path) -> None:
    zarr.create_group(tmp_path, zarr_format=3, attributes={"mine": True})
    with pytest.raises(CarsimError, match=r"holds a Zarr group that is not carsim's"):
        run_to_store(sweep, tmp_path)
    with pytest.raises(CarsimError, match=r"not carsim's"):
        remove_store(tmp_path)
    assert zarr.open_group(tmp_path, mode="r").attrs["mine"] is True
    assert [file.name for file in tmp_path.iterdir()] == ["zarr.json"]


@pytest.mark.parametrize("file", ["peak/zarr.json", "zarr.json"])
@pytest.mark.parametrize("damage", ["", "{", '{"zarr_format": 3}', "[1]"])
def test_damaged_metadata_is_named(sweep: Sweep, tmp_path: Path, file: str, damage: str) -> None:
    run_to_store(sweep, tmp_path)
    (tmp_path / file).write_text(damage)
    with pytest.raises(CarsimError, match=rf"{file} is missing or damaged \(.*or begin anew"):
        run_to_store(sweep, tmp_path, resume=True)
    remove_store(tmp_path)  # what --overwrite does
    assert digest(run_to_store(sweep, tmp_path)) == digest(run(sweep))


def test_a_store_keeps_its_blocks(sweep: Sweep, tmp_path: Path) -> None:
    run_to_store(sweep, tmp_path, block_size=30)
    said: list[str] = []
    run_to_store(sweep, tmp_path, resume=True, block_size=7, say=said.append)
    assert said == ["the store keeps its blocks of up to 25 trajectories"]


def test_a_rerun_gives_the_same_bits_or_says_where_not(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    shutil.copy(FILE, file)
    store = tmp_path / "s"
    run_to_store(make(carsim.load_model(str(file))), store, block_size=25)
    again = rerun(store)
    assert again.same
    assert again.digest == read_status(store).digest
    assert again.different == ()
    file.write_text(file.read_text().replace('"1/day", "absorption"', '"1/day", "uptake"'))
    assert rerun(store).same  # words are no part of the model's hash
    file.write_text(file.read_text().replace("parameter(1.5,", "parameter(1.6,"))
    with pytest.raises(ScenarioError, match=r"has changed since .* 'ka': default 1\.5 -> 1\.6"):
        rerun(store)
    other = rerun(store, model=carsim.load_model(str(file)))
    assert not other.same
    assert other.different == tuple(range(6))


def test_an_unfinished_store_has_nothing_to_rerun(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_to_store(sweep, tmp_path, block_size=10, progress=interrupt_after(40))
    with pytest.raises(CarsimError, match=r"is not finished \(\d+ of 18 blocks\)"):
        rerun(tmp_path)


def test_only_results_open(tmp_path: Path) -> None:
    with pytest.raises(CarsimError, match=r"there is no such file. Give a sweep's folder or a"):
        open_result(tmp_path / "none")
    (tmp_path / "result.nc").write_text("x")
    with pytest.raises(CarsimError, match=r"without the result of a sweep. Did you mean .*/res"):
        open_result(tmp_path)


@pytest.mark.slow
def test_memory_does_not_grow_with_patients(model: Model, tmp_path: Path) -> None:
    def peak(size: int) -> int:
        sweep = make(model, Grid([AMOUNTS]), Population(size, parameters=POPULATION.parameters))
        tracemalloc.start()
        run_to_store(sweep, tmp_path / str(size), block_size=1000)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2_000)  # compiles and imports
    small, large = peak(25_000), peak(100_000)
    # Four times the patients: the lines of the journal are all that grows.
    assert large < 1.2 * small


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing(
    model: Model, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = make(model, Grid([AMOUNTS]), Population(20_000, parameters=POPULATION.parameters))
    with monkeypatch.context() as patch:
        patch.setattr("carsim.sweep.cost.Estimate.check_disk", lambda self, folder: None)
        with pytest.raises(CarsimError, match=r"written: No space left on device. Finished"):
            run_to_store(sweep, small_disk / "s", block_size=4000)
    status = read_status(small_disk / "s")
    assert 0 < status.blocks_done < 15
    assert damaged_blocks(small_disk / "s") == []
    with pytest.raises(CarsimError, match="No space left"):
        run_to_store(sweep, small_disk / "s", resume=True)
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    run_to_store(sweep, small_disk / "s", resume=True)
    run_to_store(sweep, tmp_path / "whole", block_size=4000)
    assert files_of(small_disk / "s") == files_of(tmp_path / "whole")


def test_a_disk_that_is_too_small_is_seen_before(model: Model, small_disk: Path) -> None:
    sweep = make(model, Grid([AMOUNTS]), Population(50_000))
    with pytest.raises(ScenarioError, match=r"needs up to .* MB on the disk of .* kB are free"):
        run_to_store(sweep, small_disk / "s")


def test_a_folder_that_cannot_be_written_is_said(sweep: Sweep, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(CarsimError, match="s: cannot be written: Read-only file system"):
        run_to_store(sweep, small_disk / "s")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    run_to_store(sweep, small_disk / "s")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    # What is there can be read all the same.
    assert read_status(small_disk / "s").digest == digest(open_result(small_disk / "s"))
    assert os.path.exists(small_disk / "s/carsim/lock")
