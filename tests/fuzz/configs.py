"""Damage configs and ask the command what it says: an answer or a refusal in words, never a crash.

``python -m tests.fuzz.configs --count 100000 --seed 1`` from the root of the checkout. A config is
a function of the seed and its number, so ``--first NUMBER --count 1`` repeats one.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from click.testing import CliRunner

from carsim.cli import main, paragraph
from carsim.cli.exit_codes import BAD_INPUT
from carsim.sensitivity import Study
from tests.fuzz.bases import HERE, Base, bases
from tests.fuzz.mutations import Document, Mutation, change, mutate
from tests.fuzz.toml import STYLES, damaged, written

EXAMPLES = HERE.parents[1] / "examples"
CHECK_SECONDS = 5.0
RUN_SECONDS = 60.0
LONGEST_MESSAGE = 2_000
DEEPEST_FRAMES = 4
MEMORY = 12 * 1024**3
#: Runs: these models only, no more trajectories and times than these.
RUNNABLE = ("clinic", "drug")
MOST_TRAJECTORIES = 64
MOST_TIMES = 5_000
#: One entry of a list of tables is named by what it is and by its name.
ONE_OF = {
    "axes": "axis",
    "components": "component",
    "correlations": "correlation",
    "mixture": "population",
    "variants": "variant",
}


class TooSlow(BaseException):
    """Not an Exception: nothing may take it for a refusal."""


@dataclass(frozen=True)
class Case:
    """One damaged config.

    Attributes
    ----------
    number : int
        Its number.
    base : str
        Name of the config that it was.
    mutations : tuple of Mutation
        What was done; none if the text was damaged.
    content : bytes
        The file.
    """

    number: int
    base: str
    mutations: tuple[Mutation, ...]
    content: bytes


@dataclass
class Report:
    """What came out.

    Attributes
    ----------
    outcomes : Counter of str
        How often a config was read, refused, run, ...
    faults : list of (str, Case, str)
        Kind of fault, its config, and what was said.
    slowest : (float, int)
        Longest check, s, and the number of its config.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, Case, str]] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, 0)


def cases(seed: int, first: int, count: int, known: Sequence[Base]) -> Iterator[Case]:
    """Damaged configs; each depends on the seed and its number only."""
    weights = [base.weight for base in known]
    for number in range(first, first + count):
        chance = random.Random(f"{seed} {number}")
        base = chance.choices(known, weights)[0]
        if chance.random() < 0.15:
            content = damaged(base.text, chance)
            yield Case(number, base.name, (), content)
            continue
        document: Document
        document, mutation = mutate(base, known, chance)
        mutations = [mutation]
        while chance.random() < 0.3:
            mutations.append(change(document, known, chance))
        text = written(document, chance.choice(STYLES))
        yield Case(number, base.name, tuple(mutations), text.encode("utf-8", "replace"))


def judge(case: Case, folder: Path, report: Report, run_share: float) -> None:
    """Check one config with the command, and run some of those that are read."""
    file = folder / "config.toml"
    file.write_bytes(case.content)
    started = time.perf_counter()
    code = _said(["check", str(file)], case, folder, report, CHECK_SECONDS)
    report.slowest = max(report.slowest, (time.perf_counter() - started, case.number))
    report.outcomes["read" if code == 0 else "refused"] += 1
    if code == 0 and random.Random(f"run {case.number}").random() < run_share:
        _run(file, case, folder, report)


def _run(file: Path, case: Case, folder: Path, report: Report) -> None:
    from carsim.config import read_config

    config = read_config(file)
    scenario, sweep, study = config.scenario, config.sweep, config.sensitivity
    count = scenario.n_patients if sweep is None else sweep.n_trajectories
    if isinstance(study, Study):
        count = study.sweep.n_trajectories
    times = 0 if scenario.save_at is None else len(scenario.save_at)
    small = count <= MOST_TRAJECTORIES and times <= MOST_TIMES
    if scenario.model.name not in RUNNABLE or not small:
        report.outcomes["too large to run"] += 1
        return
    command = "run" if sweep is None else "sweep"
    if study is not None:
        command = "sensitivity"
    out = folder / "out"
    options = ["--out", str(out), "--threads", "1", "--set", "solver.max_steps=3000"]
    if random.Random(f"figures {case.number}").random() > 0.05:
        options.append("--no-figures")
    code = _said([command, str(file), *options], case, folder, report, RUN_SECONDS)
    report.outcomes["run" if code == 0 else "refused to run"] += 1
    shutil.rmtree(out, ignore_errors=True)


def _said(
    arguments: list[str], case: Case, folder: Path, report: Report, seconds: float
) -> int | None:
    """Exit code of a command; what it must not do goes into the report."""
    runner = CliRunner()
    fault = ""
    result: Any = None
    with warnings.catch_warnings():
        # A warning would be an exception with a traceback, below.
        warnings.simplefilter("error")
        try:
            with _limited(seconds):
                result = runner.invoke(main, arguments)
        except TooSlow:
            fault = f"longer than {seconds:g} s"
    if result is None:
        report.faults.append(("slow", case, fault))
        return None
    said = result.stderr.replace(f"{folder}/", "").strip()
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        lines = traceback.format_exception(result.exception, limit=-DEEPEST_FRAMES)
        report.faults.append(("traceback", case, "".join(lines)))
    elif result.exit_code not in (0, BAD_INPUT):
        report.faults.append(("exit code", case, f"{result.exit_code}: {said}"))
    elif result.exit_code == BAD_INPUT:
        for kind in _flaws(said, arguments[0], case):
            report.faults.append((kind, case, said))
    code: int = result.exit_code
    return code


def _flaws(said: str, command: str, case: Case) -> Iterator[str]:
    """What a refusal must have, and what it must not."""
    # What only the drawn patients show, such as a factor that leads beyond bounds, is said later.
    if not said.startswith(f"carsim {command}: " + ("config.toml" if command == "check" else "")):
        yield "no file"
    if len(said) > LONGEST_MESSAGE:
        yield "long"
    if not said.isprintable():
        yield "more than a paragraph of text"
    if command == "check" and len(case.mutations) == 1:
        names = {*case.mutations[0].names}
        names |= {ONE_OF[name] for name in names & ONE_OF.keys()}
        if "time" in names:
            # The span may be right for itself, and too short for what looks beyond it.
            names |= {"therapy", "metrics", "endpoints", "sweep", "outputs", "events"}
        if "endpoints" in names or "metrics" in names:
            names.add("sensitivity.outputs")  # where one that is gone is missed
        shown = [re.escape(paragraph(name)) for name in names]
        if not any(re.search(rf"(?<!\w){name}(?!\w)", said) for name in shown):
            yield "unnamed"


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(signal_number: int, frame: FrameType | None) -> None:
        raise TooSlow

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def fuzz(seed: int, first: int, count: int, *, run_share: float, progress: bool = False) -> Report:
    """Judge many configs, in a folder of their own."""
    report = Report()
    examples = EXAMPLES if EXAMPLES.is_dir() else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        beside = [HERE / "clinic.py"]
        if examples is not None:
            beside += [examples / "therapy" / each for each in ("drug.py", "events.csv")]
        for file in beside:
            shutil.copy(file, folder)
        known = [base for base in bases(examples) if examples is not None or base.name != "events"]
        told = 0
        for case in cases(seed, first, count, known):
            judge(case, folder, report, run_share)
            if progress and len(report.faults) > told:
                _tell(report.faults[told:])
                told = len(report.faults)
            if progress and (case.number + 1 - first) % 1000 == 0:
                print(f"{case.number + 1 - first:>7,} {_summary(report)}", flush=True)
    return report


def _tell(faults: Sequence[tuple[str, Case, str]]) -> None:
    for kind, case, said in faults:
        what = ", ".join(f"{each.kind} {each.names}" for each in case.mutations) or "damage"
        print(f"--- {kind}: {case.number} ({case.base}: {what})\n{said}", flush=True)


def _summary(report: Report) -> str:
    outcomes = ", ".join(f"{name} {n:,}" for name, n in sorted(report.outcomes.items()))
    faults = Counter(kind for kind, _, _ in report.faults)
    found = ", ".join(f"{name} {n:,}" for name, n in sorted(faults.items())) or "none"
    return (
        f"{outcomes}; faults: {found}; slowest check {report.slowest[0]:.2f} s "
        f"({report.slowest[1]})"
    )


def command_line() -> int:
    """Run it from the shell; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument(
        "--run-share", type=float, default=0.05, help="of the configs that are read"
    )
    parser.add_argument("--keep", type=Path, help="folder for the configs with faults")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    started = time.perf_counter()
    report = fuzz(given.seed, given.first, given.count, run_share=given.run_share, progress=True)
    for kind, case, _ in report.faults if given.keep is not None else ():
        given.keep.mkdir(parents=True, exist_ok=True)
        (given.keep / f"{kind.replace(' ', '_')}_{case.number}.toml").write_bytes(case.content)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{given.count:,} configs in {time.perf_counter() - started:.0f} s: {_summary(report)}")
    print(f"most memory: {memory:,.0f} MB")
    return 1 if report.faults else 0


if __name__ == "__main__":
    raise SystemExit(command_line())
