"""Kill sweeps at random moments, resume them, and compare every file with a run left alone.

    python -m tests.kill_harness --kills 200 --seed 1

Each round begins or resumes ``carsim sweep`` in a process of its own, ends it with SIGKILL after a
random time, and looks at what is left: every block that the journal names must be what was written,
and no finished block may be computed again. When a sweep gets through, its folder must be the
same, file by file and bit by bit, as that of a sweep that nobody disturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).parent / "unit" / "one_compartment.py"
CONFIG = """
title = "To be killed"
model = "{model}"
[time]
stop = 10.0
[therapy.tablet]
kind = "dose"
into = "oral"
amount = 100.0
at = [0.0, 1.0, 2.0]
[population]
size = 500
seed = 3
[population.parameters]
CL = {{ distribution = "lognormal", cv = 0.3 }}
ka = {{ distribution = "lognormal", cv = 0.5 }}
[sweep]
[[sweep.axes]]
path = "therapy.tablet.amount"
values = [50.0, 100.0, 200.0, 400.0]
[metrics.peak]
kind = "maximum"
of = "concentration"
[metrics.gut]
kind = "maximum"
of = "depot"
"""
NOT_COMPARED = ("carsim/journal.jsonl", "carsim/lock")


@dataclass
class Tally:
    """What happened.

    Attributes
    ----------
    kills : int
        Processes that SIGKILL ended.
    sweeps : int
        Sweeps that got through, each compared with the undisturbed one.
    during : dict of str to int
        Kills by what the store was: not begun, so many percent done, finishing.
    partial : int
        Files that a killed process left half written; all were gone at the end.
    """

    kills: int
    sweeps: int
    during: dict[str, int]
    partial: int


def harass(kills: int, seed: int, folder: Path, block_size: int = 50) -> Tally:
    """Kill until enough, and check after each.

    Parameters
    ----------
    kills : int
        How many processes to kill at least.
    seed : int
        Of the times to kill at.
    folder : Path
        Where to work.
    block_size : int
        Trajectories in a block.
    """
    chance = random.Random(seed)
    config = folder / "sweep.toml"
    config.write_text(CONFIG.format(model=MODEL))
    begun = time.monotonic()
    assert _wait(_start(config, folder / "whole", block_size)) == 0
    longest = 1.1 * (time.monotonic() - begun)
    expected = files_of(folder / "whole")
    tally = Tally(0, 0, {}, 0)
    while tally.kills < kills:
        store = folder / f"store{tally.sweeps}"
        while True:
            child = _start(config, store, block_size)
            time.sleep(chance.uniform(0.0, longest))
            os.kill(child, signal.SIGKILL)
            status = _wait(child)
            if status == 0:
                break
            if status != -signal.SIGKILL:
                raise RuntimeError((folder / "error.txt").read_text())
            tally.kills += 1
            tally.partial += len(list(store.rglob("*.partial")))
            stage = _check(store)
            tally.during[stage] = tally.during.get(stage, 0) + 1
        _compare(store, expected)
        shutil.rmtree(store)
        tally.sweeps += 1
    return tally


def _start(config: Path, store: Path, block_size: int) -> int:
    """Run ``carsim sweep --resume`` in a fork, which need not import everything again."""
    child = os.fork()
    if child:
        return child
    try:
        from carsim.cli import main

        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        arguments = ["sweep", str(config), "--out", str(store), "--resume", "--quiet"]
        arguments += ["--no-figures", "--block-size", str(block_size), "--threads", "1"]
        main(arguments, standalone_mode=False)
        os._exit(0)
    except BaseException:
        config.with_name("error.txt").write_text(traceback.format_exc())
        os._exit(70)


def _wait(child: int) -> int:
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _check(store: Path) -> str:
    """Look at what a killed process left; say how far it was."""
    from carsim.sweep import damaged_blocks, is_store, read_status

    if not is_store(store):
        return "before the store"
    if b'"head"' not in (store / "carsim/journal.jsonl").read_bytes():
        return "before the store"
    found = read_status(store)
    assert damaged_blocks(store) == [], "the journal names a block that is not what was written"
    lines = (store / "carsim/journal.jsonl").read_bytes().split(b"\n")
    done = [json.loads(line[17:])["entry"]["block"] for line in lines if b'{"entry"' in line]
    assert len(done) == len(set(done)), "a finished block was computed again"
    # Blocks that were on the way: with one process one at most.
    begun = sum(file.is_file() for file in (store / "status/c").rglob("*"))
    begun -= len(list((store / "status/c").rglob("*.partial")))
    assert begun - found.blocks_done <= 1, "more than one block is lost"
    if found.digest:
        return "after the last line"
    if found.blocks_done == found.blocks:
        return "before the last line"
    return f"{10 * (10 * found.blocks_done // found.blocks)} % done"


def _compare(store: Path, expected: dict[str, bytes]) -> None:
    found = files_of(store)
    assert sorted(found) == sorted(expected), sorted(set(found) ^ set(expected))
    different = [name for name, content in expected.items() if found[name] != content]
    assert not different, f"differ: {different}"


def files_of(store: Path) -> dict[str, bytes]:
    """Every file of a store but those that say when and by whom."""
    found = {}
    for file in store.rglob("*"):
        name = str(file.relative_to(store))
        if not file.is_file() or name in NOT_COMPARED:
            continue
        content = file.read_bytes()
        if name == "zarr.json":  # says when it was begun
            group = json.loads(content)
            del group["attributes"]["created_at"]
            content = json.dumps(group).encode()
        found[name] = content
    return found


def warm_up() -> None:
    """Import and compile before the first fork; starts no thread that a fork would lose."""
    from carsim.config import read_config
    from carsim.sweep import compute_block
    from carsim.sweep.store import folder  # noqa: F401

    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "sweep.toml"
        config.write_text(CONFIG.format(model=MODEL))
        sweep = read_config(str(config), ("solver.threads=1",)).sweep
        assert sweep is not None
        compute_block(sweep, range(1))


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warm_up()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        tally = harass(given.kills, given.seed, Path(place))
    print(f"{tally.kills} kills, {tally.sweeps} sweeps compared, {tally.partial} partial files")
    for stage, count in sorted(tally.during.items()):
        print(f"  {count:4d} {stage}")
    print(f"every store the same, bit by bit; {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
