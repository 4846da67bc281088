"""How fast this checkout is beside another: ``python -m benchmarks.against REV``.

REV is a revision of git, which is unpacked into a folder that goes away again, or the folder of a
checkout. Each has a process of its own on the same core, that keeps its patients; rounds of both
in turn, processor time, the ratio of each round, and the median of the ratios. Above 1 this
checkout is faster. Problems and patients are those of this checkout, the coupled model and the
example's config those of each.

Tolerances of two builds need not mean the same, so the errors stand beside the ratios, against this
checkout's rodas5p at rtol 1e-11; and two rows compare the fastest methods at the same error.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

HERE = Path(__file__).resolve().parents[1]
ROUNDS = 7
COLD_ROUNDS = 3
ERROR = 1.2e-5
"""Achieved error at which methods are compared, as in the table of the README."""
PROBLEMS = ("stiff18", "nonstiff5")
BARE = "cell of the example, bare"
FULL = "cell of the example, equal tolerance"
STEADY, DECAYED = "pools about 1", "pools about 1e-310"
ROWS = (
    *PROBLEMS,
    "cart_hbv bare",
    "cart_hbv, all rules and three metrics",
    FULL,
    "cell of the example, rtol of its config",
    "the same with drawing and endpoints",
    *(f"simulate to a Dataset, {name}" for name in PROBLEMS),
    "one small simulate",
)
SAME_ERROR = tuple(f"{name} at error {ERROR:g}" for name in PROBLEMS)
STEP_COSTS: Mapping[str, tuple[str, str]] = {
    "a step with the example's rules and metrics over a bare one": (FULL, BARE),
    "a step of decayed states over one of ordinary states": (DECAYED, STEADY),
}
THREADS = "two threads over one (wall time)"
COLD = """
from benchmarks import therapy
from carsim import simulate
import dataclasses
scenario = therapy.prepared(therapy.RULES).scenario
values = {name: float(value[0]) if hasattr(value, "__len__") else value
          for name, value in scenario.parameters.items()}
simulate(dataclasses.replace(scenario, parameters=values))
"""


@contextmanager
def unpacked(revision: str) -> Iterator[Path]:
    """Folder of a checkout: the given one, or a revision unpacked for as long as it is needed."""
    folder = Path(revision)
    if folder.is_dir():
        if not (folder / "carsim" / "__init__.py").is_file():
            raise SystemExit(f"{revision}: this folder holds no carsim. Give that of a checkout.")
        yield folder.resolve()
        return
    command = ["git", "-C", str(HERE), "archive", "--format=tar", revision]
    packed = subprocess.run(command, check=False, capture_output=True)
    if packed.returncode != 0:
        words = packed.stderr.decode().strip().splitlines()
        raise SystemExit(
            f"{revision}: neither a folder nor a revision of {HERE}"
            f"{': ' + words[-1] if words else ''}. Give one of both."
        )
    with tempfile.TemporaryDirectory(prefix="carsim-against-") as place:
        subprocess.run(["tar", "-x", "-C", place], input=packed.stdout, check=True)
        yield Path(place)


def environment_of(checkout: Path, cache: str, place: Path) -> dict[str, str]:
    """Surroundings in which `carsim` is a checkout's, and `benchmarks` this one's."""
    mine = place / "benchmarks"
    if not mine.exists():
        mine.symlink_to(HERE / "benchmarks")
    found = [str(place), str(checkout), str(checkout / "models")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(found),
        "CARSIM_CACHE_DIR": cache,
        "NUMBA_CACHE_DIR": cache,
    }


class Worker:
    """A process that measures in one checkout."""

    def __init__(self, checkout: Path, environment: Mapping[str, str], core: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(HERE / "benchmarks" / "worker.py")],
            cwd=checkout, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        os.sched_setaffinity(self.process.pid, {core})
        self.about = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker stopped; what it said stands above.")
        found: dict[str, Any] = json.loads(line)
        return found

    def __call__(self, what: str, **request: Any) -> dict[str, Any]:
        """Ask for something, see `benchmarks.worker.answer`."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"what": what, **request}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Stop the process."""
        self.process.kill()
        self.process.wait()


T = TypeVar("T")
Pair = tuple[dict[str, Any], dict[str, Any]]


def in_turn(rounds: int, mine: Callable[[], T], other: Callable[[], T]) -> list[tuple[T, T]]:
    """Rounds of both; who begins changes, so that a drift of the machine favors nobody."""
    found = []
    for number in range(rounds):
        if number % 2:
            here = mine()
            there = other()
        else:
            there = other()
            here = mine()
        found.append((here, there))
    return found


def spread(values: list[float]) -> str:
    """Median, smallest and largest as cells of a table."""
    return f"{np.median(values):.3f} | {min(values):.3f} | {max(values):.3f}"


def ratios(pairs: list[Pair], key: str = "seconds") -> list[float]:
    """Of each round, the other's over mine."""
    return [there[key] / here[key] for here, there in pairs]


def line(row: str, pairs: list[Pair], errors: tuple[float, float] | None = None) -> str:
    """One line of the table of speeds."""
    cells = [spread(ratios(pairs))]
    for side in (0, 1):
        seconds = float(np.median([pair[side]["seconds"] for pair in pairs]))
        cells.append(f"{1e6 * seconds / pairs[0][side]['patients']:,.1f}")
    for side in (0, 1):
        steps = pairs[0][side]["steps"]
        cells.append(f"{steps:,.1f}" if steps else "")
    for side in (0, 1):
        cells.append("" if errors is None else f"{errors[side]:.1e}")
    return f"| {row} | {' | '.join(cells)} |"


def measure(mine: Worker, other: Worker, rounds: int, wanted: list[str], place: Path) -> None:
    """Measure in turn and print the tables."""
    if mine.about["cart_hbv"] != other.about["cart_hbv"]:
        say("the models cart_hbv may differ: their hashes do")
    say(f"rtol of the example's config here {mine.about['rtol']:g}, there {other.about['rtol']:g}")
    rows = [row for row in (*ROWS, *SAME_ERROR) if is_wanted(row, wanted)]
    if rows:
        print(
            "| row | speed over the other | smallest | largest | us a patient here | there ", end=""
        )
        print("| steps here | there | error here | there |")
        print("|---" * 10 + "|", flush=True)
    references = {}
    for name in PROBLEMS:
        if name in rows or SAME_ERROR[PROBLEMS.index(name)] in rows:
            references[name] = str(place / f"{name}.npy")
            mine("reference", problem=name, file=references[name])
    for row in rows:
        if row in SAME_ERROR:
            name = row.split()[0]
            print(best(row, name, mine, other, rounds, references[name]), flush=True)
            continue
        say(f"{row}: compiling")
        for worker in (mine, other):
            worker("prepare", row=row)
        errors = None
        if row in PROBLEMS:
            here, there = (
                worker("error", problem=row, reference=references[row])["error"]
                for worker in (mine, other)
            )
            errors = here, there
        print(line(row, rounds_of(row, mine, other, rounds), errors), flush=True)
    print_figures(mine, other, rounds, wanted)


def rounds_of(row: str, mine: Worker, other: Worker, rounds: int) -> list[Pair]:
    """Rounds of a row."""
    return in_turn(rounds, lambda: mine("time", row=row), lambda: other("time", row=row))


def best(row: str, name: str, mine: Worker, other: Worker, rounds: int, reference: str) -> str:
    """The line of the fastest methods at the same error."""
    say(f"{row}: looking for methods and tolerances")
    found = [
        worker("best", problem=name, error=ERROR, reference=reference) for worker in (mine, other)
    ]
    words = ", there ".join(f"{each['method']} {each['rtol']:.1e}" for each in found)
    here, there = (
        {"problem": name, "method": each["method"], "rtol": each["rtol"]} for each in found
    )
    pairs = in_turn(rounds, lambda: mine("time at", **here), lambda: other("time at", **there))
    errors = found[0]["error"], found[1]["error"]
    return line(f"{row} ({words})", pairs, errors)


def print_figures(mine: Worker, other: Worker, rounds: int, wanted: list[str]) -> None:
    """What each build does for itself: costs of a step, and two threads."""
    both = (mine, other)
    threads = len(os.sched_getaffinity(0)) > 1 and is_wanted(THREADS, wanted)
    costs = [words for words in STEP_COSTS if is_wanted(words, wanted)]
    if threads or costs:
        print("\n| figure | here | smallest | largest | there | smallest | largest |")
        print("|---" * 7 + "|", flush=True)
    for words in costs:
        say(f"{words}: compiling")
        cells = [step_cost(worker, *STEP_COSTS[words], rounds) for worker in both]
        print(f"| {words} | {' | '.join(cells)} |", flush=True)
    if threads:
        say(f"{THREADS}: compiling")
        for worker in both:
            worker("prepare", row="cart_hbv bare")
        pairs = in_turn(rounds, lambda: mine("threads"), lambda: other("threads"))
        cells = [spread([pair[side]["speed"] for pair in pairs]) for side in (0, 1)]
        print(f"| {THREADS} | {' | '.join(cells)} |", flush=True)


def step_cost(worker: Worker, dear: str, cheap: str, rounds: int) -> str:
    """Time of an attempted step in one row over that in another, of the same build."""
    for row in (dear, cheap):
        worker("prepare", row=row)

    def step(row: str) -> float:
        found = worker("time", row=row)
        return float(found["seconds"] / found["steps"] / found["patients"])

    pairs = in_turn(rounds, lambda: step(dear), lambda: step(cheap))
    return spread([one / another for one, another in pairs])


def cold(checkouts: tuple[Path, Path], rounds: int) -> None:
    """Print what a first result of cart_hbv with rules takes with nothing compiled."""
    for checkout in checkouts:
        for folder in ("carsim", "models"):
            command = [sys.executable, "-m", "compileall", "-q", str(checkout / folder)]
            subprocess.run(command, check=True)

    def one(checkout: Path) -> dict[str, float]:
        with tempfile.TemporaryDirectory(prefix="carsim-cold-") as place:
            environment = environment_of(checkout, f"{place}/cache", Path(place))
            begun = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", COLD], cwd=checkout, env=environment
            )
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise SystemExit(f"{checkout}: no first result; what it said stands above.")
        return {"seconds": used.ru_utime + used.ru_stime, "wall": wall}

    say("cold first results: nothing compiled, all cores")
    pairs = in_turn(rounds, lambda: one(checkouts[0]), lambda: one(checkouts[1]))
    print(
        "\n| cold first result of cart_hbv with rules | of the other | smallest | largest ", end=""
    )
    print("| s here | there |")
    print("|---" * 6 + "|")
    for words, key in (("processor time, all processes", "seconds"), ("wall time", "wall")):
        shares = [here[key] / there[key] for here, there in pairs]
        here, there = (np.median([pair[side][key] for pair in pairs]) for side in (0, 1))
        print(f"| {words} | {spread(shares)} | {here:.1f} | {there:.1f} |", flush=True)


def is_wanted(row: str, wanted: list[str]) -> bool:
    """Whether a row was asked for; all are, if none was named."""
    return not wanted or any(word.lower() in row.lower() for word in wanted)


def say(words: str) -> None:
    """Say on standard error what is going on."""
    print(words, file=sys.stderr, flush=True)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def main() -> None:
    """Measure both in turn and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("other", metavar="REV", help="revision, or folder of a checkout")
    parser.add_argument("--rounds", type=_count, default=ROUNDS, help="(%(default)s)")
    parser.add_argument("--row", action="append", default=[], help="part of a row's name")
    parser.add_argument("--cold", action="store_true", help="cold first results, and only these")
    parser.add_argument("--cold-rounds", type=_count, default=COLD_ROUNDS, help="(%(default)s)")
    given = parser.parse_args()
    known = (*ROWS, *SAME_ERROR, *STEP_COSTS, THREADS)
    for word in given.row:
        if not any(is_wanted(row, [word]) for row in known):
            parser.error(f"--row {word!r} is part of no row: {'; '.join(known)}")
    with unpacked(given.other) as there, tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if given.cold:
            cold((HERE, there), given.cold_rounds)
            return
        core = max(os.sched_getaffinity(0))
        say("starting a process in each checkout")
        workers = []
        try:
            for label, checkout in (("mine", HERE), ("other", there)):
                environment = environment_of(checkout, str(place / label), place)
                workers.append(Worker(checkout, environment, core))
            measure(workers[0], workers[1], given.rounds, given.row, place)
        finally:
            for worker in workers:
                worker.end()


if __name__ == "__main__":
    main()
