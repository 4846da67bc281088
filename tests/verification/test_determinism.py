"""One sweep of the coupled model, computed in every way that there is: the same digest.

The sweep has rules, hazards, resistance, a mixture and correlated parameters: whatever draws.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from carsim.config import read_config
from carsim.errors import CarsimError
from carsim.sweep import Sweep, damaged_blocks, digest, read_status, rerun, run, run_to_store
from carsim.sweep.distributed import DaskWorkers
from carsim.sweep.store.folder import Store
from carsim.sweep.store.journal import Entry
from carsim.sweep.store.run import complete_block

CONFIG = Path(__file__).parents[2] / "examples" / "antiviral_strategies.toml"
PATIENTS = 6
CELLS = 15


def make(size: int = PATIENTS, threads: int = 1) -> Sweep:
    config = read_config(str(CONFIG), (f"population.size={size}", "time.stop=200.0"))
    assert config.sweep is not None
    scenario = config.sweep.scenario.replace("solver.threads", threads)
    return dataclasses.replace(config.sweep, scenario=scenario)


@pytest.fixture(scope="module")
def expected() -> str:
    return digest(run(make()))


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_change_no_bit(expected: str, threads: int) -> None:
    assert digest(run(make(threads=threads))) == expected


@pytest.mark.parametrize("block_size", [1, 7, 256])
def test_blocks_change_no_bit(expected: str, tmp_path: Path, block_size: int) -> None:
    assert digest(run(make(), block_size=block_size)) == expected
    run_to_store(make(threads=2), tmp_path, block_size=block_size)
    assert read_status(tmp_path).digest == expected


class Backwards:
    """The last block first."""

    def compute(self, sweep: Sweep, folder: Path, blocks: Sequence[int]) -> Iterator[Entry]:
        for number in reversed(blocks):
            yield complete_block(sweep, Store(folder), number)


class Processes:
    """Two processes that share nothing."""

    def compute(self, sweep: Sweep, folder: Path, blocks: Sequence[int]) -> Iterator[Entry]:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=spawn) as pool:
            yield from pool.map(in_a_process, [(sweep, folder, number) for number in blocks])


def in_a_process(task: tuple[Sweep, Path, int]) -> Entry:
    sweep, folder, number = task
    return complete_block(sweep, Store(folder), number)


@pytest.mark.parametrize(
    "workers", [Backwards(), pytest.param(Processes(), marks=pytest.mark.slow)]
)
def test_order_and_processes_change_no_bit(expected: str, tmp_path: Path, workers: Any) -> None:
    run_to_store(make(), tmp_path, block_size=13, workers=workers)
    assert read_status(tmp_path).digest == expected


def test_fewer_patients_are_the_first_of_more() -> None:
    few, many = run(make()), run(make(PATIENTS + 3))
    assert digest(many.isel(patient=slice(PATIENTS))) == digest(few)


@pytest.mark.slow
def test_a_rerun_from_the_folder_alone_changes_no_bit(expected: str, tmp_path: Path) -> None:
    run_to_store(make(), tmp_path, block_size=30)
    again = rerun(tmp_path)
    assert again.digest == again.stored == expected


class KillOne:
    """Ends a worker process of the cluster once a few blocks are done."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.killed: list[int] = []

    def __call__(self, done: int, total: int) -> None:
        if done >= self.after and not self.killed:
            # The cluster's nannies live in this process; its children are the workers.
            victim = multiprocessing.active_children()[0].pid
            assert victim is not None
            os.kill(victim, signal.SIGKILL)
            self.killed.append(victim)


@pytest.mark.slow
def test_dask_workers_change_no_bit_and_one_may_die(expected: str, tmp_path: Path) -> None:
    killer = KillOne(after=20)
    run_to_store(
        make(), tmp_path, block_size=6, workers=DaskWorkers(local_processes=2), progress=killer
    )
    status = read_status(tmp_path)
    lines = (tmp_path / "carsim/journal.jsonl").read_text()
    assert f":{killer.killed[0]}" in lines  # it had worked
    assert status.digest == expected
    assert status.blocks_done == CELLS
    assert status.workers >= 2
    assert damaged_blocks(tmp_path) == []


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_said(tmp_path: Path) -> None:
    import dask
    import distributed  # noqa: F401  (brings the settings, of which one is changed for a while)

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
        pytest.raises(CarsimError, match=r"no scheduler answers .* tcp://HOST:8786"),
    ):
        run_to_store(make(), tmp_path, workers=DaskWorkers(scheduler="tcp://127.0.0.1:9"))


@pytest.mark.slow
def test_the_command_takes_a_local_cluster_or_a_scheduler(tmp_path: Path) -> None:
    import distributed

    from tests.kill_harness import CONFIG as TOY
    from tests.kill_harness import MODEL

    config = tmp_path / "toy.toml"
    config.write_text(TOY.format(model=MODEL))
    start = "from carsim.cli import main; main()"
    command = [sys.executable, "-c", start, "sweep", str(config), "--quiet", "--no-figures"]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
    ) as cluster:
        ways = {
            "alone": [],
            "local": ["--local-cluster", "2", "--block-size", "300"],
            "scheduler": ["--scheduler", cluster.scheduler_address, "--block-size", "100"],
        }
        for name, options in ways.items():
            out = ["--out", str(tmp_path / name)]
            subprocess.run([*command, *out, *options], check=True, cwd=tmp_path)
    digests = {name: read_status(tmp_path / name).digest for name in ways}
    assert len(set(digests.values())) == 1
