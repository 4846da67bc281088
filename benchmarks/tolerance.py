"""Whether a sweep may run at a looser rtol: ``python -m benchmarks.tolerance CONFIG``.

Solves the same virtual patients at several tolerances and at a strict one, and counts how often an
endpoint's yes or no changes and how far numbers move. A looser rtol is allowed when at least
300,000 patients changed no yes or no, none failed at one of the two tolerances only, and the 5,
25, 50, 75 and 95 % quantiles of every number in every cell moved by at most 0.1 %.

A block is one cell of the config's sweep with a few hundred patients, and a seed of its own, so
that no two cells share their patients. Finished blocks are kept as files: the command goes on where
it was stopped, and takes more patients onto those that it has. Blocks of another engine, model or
config are not reused.

How a number is compared
    - A time counts from the infusion.
    - A movement is relative to the strict number: 0 where both are equal, infinite where the
      strict number is 0 and the other is not.
    - Numbers without a value (NaN: no event, not at risk) are left out of the quantiles of their
      cell. Where nobody in a cell has a value, both must have none: otherwise the movement is
      infinite.
    - Patients that failed at one of two tolerances, or at both, are in no quantile; they are
      counted, and those that failed at one only forbid the tolerance.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carsim import Solver
from carsim._version import __version__
from carsim.cli.progress import progress
from carsim.config import read_config
from carsim.engine.jit import engine_digest
from carsim.errors import CarsimError, ScenarioError
from carsim.progress import Progress, counted_from
from carsim.sweep import Sweep
from carsim.sweep.block import compute_block

Array = NDArray[np.float64]

REFERENCE = 1e-9
RTOLS = (1e-3, 1e-4, 1e-5)
PATIENTS = 300_000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LARGEST_MOVEMENT = 1e-3
IN_A_BLOCK = 480
"""Patients of a block, at most: what is lost when the command is stopped."""
STATUS, STEPS, CELL = ":status", ":steps", ":cell"
"""Names among those of the numbers, which have no colon."""
FOLDER = Path("results") / "tolerance"
SUFFIX = ".tolerance.json"
"""The evidence for ``name.toml`` is ``name.tolerance.json`` beside it."""


def swept(config: Path) -> Sweep:
    """The sweep of a config.

    Parameters
    ----------
    config : Path
        A config file with ``[sweep]`` and ``[population]``.

    Raises
    ------
    CarsimError
        The file cannot be read, or has no sweep of drawn patients.
    """
    sweep = read_config(config).sweep
    if sweep is None:
        raise ScenarioError(f"{config}: there is no [sweep]. Give the config of a sweep.")
    if sweep.scenario.population is None:
        raise ScenarioError(
            f"{config}: there is no [population] to draw patients from. Give the config one."
        )
    for axis in sweep.design.axes:
        if axis.path in ("population.seed", "solver.rtol"):
            raise ScenarioError(
                f"{config}: the axis '{axis.path}' is set here. Leave it out of [sweep]."
            )
    return sweep


def settings_of(sweep: Sweep) -> str:
    """Digest of what a sweep simulates, but for its tolerance, its patients and its model.

    Parameters
    ----------
    sweep : Sweep
        From `swept`.

    Returns
    -------
    str
        16 hexadecimal digits. Of the population counts from which distributions it is drawn, not
        how many are drawn, nor their seed. The model has a hash of its own.
    """
    solver = sweep.scenario.solver
    same = dataclasses.replace(solver, rtol=Solver().rtol, threads=None, block_size=None)
    scenario = _with_patients(sweep.scenario, 1, 0)
    scenario = dataclasses.replace(scenario, solver=same, save_at=[], outputs=None)
    described = {name: each for name, each in scenario.to_dict().items() if name != "model"}
    described["design"] = {"kind": sweep.design.kind, **json.loads(sweep.to_json())["settings"]}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def _with_patients(scenario: Any, size: int, seed: int) -> Any:
    population = dataclasses.replace(scenario.population, size=size, seed=seed)
    return dataclasses.replace(scenario, population=population)


@dataclass(frozen=True)
class Blocks:
    """Patients of a sweep in blocks, each in a file once it is computed.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    folder : Path
        Where finished blocks are kept.
    n_patients : int
        At least as many, over all cells together.
    threads : int or None
        Threads of the engine; None for those of the config.
    """

    sweep: Sweep
    folder: Path
    n_patients: int
    threads: int | None = None

    @property
    def size(self) -> int:
        """Patients of a block."""
        return min(IN_A_BLOCK, -(-self.n_patients // self.sweep.n_cells))

    @property
    def numbers(self) -> range:
        """Numbers of the blocks: all cells, then all cells again."""
        in_all_cells = self.size * self.sweep.n_cells
        return range(-(-self.n_patients // in_all_cells) * self.sweep.n_cells)

    @cached_property
    def stamp(self) -> str:
        """Digest of what a file of a block depends on beside its number and its rtol."""
        scenario = self.sweep.scenario
        parts = [settings_of(self.sweep), scenario.model.hash, engine_digest(), __version__]
        parts += [str(self.size), str(scenario.population.seed)]  # type: ignore[union-attr]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def file(self, number: int, rtol: float) -> Path:
        """Where a block is kept."""
        return self.folder / self.stamp / f"{number:05d}_{rtol:g}.npz"

    def compute(self, number: int, rtol: float, report: Progress | None = None) -> None:
        """Simulate a block at a tolerance, and keep it; nothing to do for one that is kept.

        Parameters
        ----------
        number : int
            One of `numbers`.
        rtol : float
            Relative tolerance.
        report : callable, optional
            Called with (patients done, patients of the block).
        """
        file = self.file(number, rtol)
        if file.exists():
            return
        given = self.sweep.scenario
        seed = given.population.seed + number  # type: ignore[union-attr]
        scenario = _with_patients(given, self.size, seed)
        threads = given.solver.threads if self.threads is None else self.threads
        solver = dataclasses.replace(given.solver, rtol=rtol, threads=threads)
        sweep = dataclasses.replace(
            self.sweep, scenario=dataclasses.replace(scenario, solver=solver)
        )
        first = number % sweep.n_cells * self.size
        found = compute_block(sweep, range(first, first + self.size), report)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Under another name until it is whole: the command may be stopped at any time.
        unfinished = file.with_suffix(f".{os.getpid()}.part")
        arrays: dict[str, Any] = {STATUS: found.status, STEPS: found.n_steps + found.n_rejected}
        arrays |= found.values
        with unfinished.open("wb") as stream:
            np.savez(stream, **arrays)
        unfinished.replace(file)

    def finished(self, rtols: Sequence[float]) -> list[int]:
        """Blocks that are there at all of some tolerances."""
        return [n for n in self.numbers if all(self.file(n, rtol).exists() for rtol in rtols)]

    def read(self, numbers: Sequence[int], rtol: float) -> dict[str, NDArray[Any]]:
        """Numbers of some blocks by name, and `STATUS`, `STEPS` and `CELL`, each one a patient."""
        parts: dict[str, list[NDArray[Any]]] = {}
        for number in numbers:
            with np.load(self.file(number, rtol)) as kept:
                for name in kept.files:
                    parts.setdefault(name, []).append(kept[name])
            cell = np.full(self.size, number % self.sweep.n_cells)
            parts.setdefault(CELL, []).append(cell)
        return {name: np.concatenate(each) for name, each in parts.items()}


def relative(values: Array, strict: Array) -> Array:
    """Movement of numbers, relative to the strict ones; see the head of this file.

    Parameters
    ----------
    values, strict : float64 arrays of one shape
        Numbers at a tolerance, and at the strict one; NaN where there is none.
    """
    missing = np.isnan(values) != np.isnan(strict)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.abs(values - strict) / np.abs(strict)
    same = (values == strict) | (np.isnan(values) & np.isnan(strict))
    return np.where(same, 0.0, np.where(missing | (strict == 0.0), math.inf, moved))


def quantiles(values: Array, cells: NDArray[np.int64]) -> Array:
    """`QUANTILES` of each cell over the patients with a value, shape (quantiles, n_cells).

    Parameters
    ----------
    values : float64 array, shape (n,)
        NaN where a patient has none; a cell of such patients only has NaN.
    cells : int64 array, shape (n,)
        Cell of each patient.
    """
    found = np.full((len(QUANTILES), int(cells.max()) + 1), np.nan)
    known = np.isfinite(values)
    for cell in np.unique(cells[known]):
        found[:, cell] = np.quantile(values[known & (cells == cell)], QUANTILES)
    return found


def yes_no(sweep: Sweep, *found: Mapping[str, NDArray[Any]]) -> list[str]:
    """Variables whose numbers are answers: of endpoints, without a unit, whole.

    Parameters
    ----------
    sweep : Sweep
        Whose endpoints.
    *found : mapping of str to float64 array
        Their numbers at several tolerances. An endpoint says "1" of yes (1) and no (0), and so of
        grades, which must not change either.

    Returns
    -------
    list of str
    """
    names = []
    for name, described in sweep.keep.numbers.items():
        if described.unit != "1" or name in sweep.scenario.metrics:
            continue
        values = [each[name][np.isfinite(each[name])] for each in found]
        if all(bool(np.all(each == np.round(each))) for each in values):
            names.append(name)
    return names


def compare(
    sweep: Sweep, loose: Mapping[str, NDArray[Any]], strict: Mapping[str, NDArray[Any]]
) -> dict[str, Any]:
    """Flips and movements of the same patients between a tolerance and the strict one.

    Parameters
    ----------
    sweep : Sweep
        Whose endpoints and metrics.
    loose, strict : mapping of str to array, shape (n,)
        From `Blocks.read`.

    Returns
    -------
    dict
        What the evidence says of a tolerance. An infinite movement is None.
    """
    failed, failed_strict = loose[STATUS] != 0, strict[STATUS] != 0
    known = ~(failed | failed_strict)
    answers = yes_no(sweep, loose, strict)
    flips = {}
    numbers = {}
    largest = 0.0
    for name, described in sweep.keep.numbers.items():
        one, other = loose[name], strict[name]
        if name in answers:
            same = (one == other) | (np.isnan(one) & np.isnan(other))
            # A yes or no that is only defined at one tolerance is a flip of what it rests on.
            flips[name] = int(np.count_nonzero(~same & known))
            continue
        since = sweep.scenario.infusion if described.is_instant else 0.0
        one, other = (np.where(known, each - since, np.nan) for each in (one, other))
        moved = relative(*(quantiles(each, strict[CELL]) for each in (one, other)))
        largest = max(largest, float(moved.max()))
        which, cell = np.unravel_index(int(np.argmax(moved)), moved.shape)
        errors = relative(one, other)[np.isfinite(one) | np.isfinite(other)]
        middle, high, most = (
            np.quantile(errors, (0.5, 0.99, 1.0), method="higher") if errors.size else np.zeros(3)
        )
        numbers[name] = {
            "quantile_movement": _number(moved.max()),
            "of_quantile": QUANTILES[int(which)],
            "in_cell": int(cell),
            "error_median": _number(middle),
            "error_99": _number(high),
            "error_largest": _number(most),
        }
    found: dict[str, Any] = {
        "patients": int(known.size),
        "compared": int(np.count_nonzero(known)),
        "failed_at_this_only": int(np.count_nonzero(failed & ~failed_strict)),
        "failed_at_the_strict_only": int(np.count_nonzero(failed_strict & ~failed)),
        "failed_at_both": int(np.count_nonzero(failed & failed_strict)),
        "steps": float(loose[STEPS].mean()),
        "flips": sum(flips.values()),
        "quantile_movement": _number(largest),
        "yes_no": flips,
        "numbers": numbers,
    }
    found["reasons"] = reasons(found)
    found["verdict"] = "not allowed" if found["reasons"] else "allowed"
    return found


def reasons(found: Mapping[str, Any]) -> list[str]:
    """Why a tolerance is not allowed; empty if it is.

    Parameters
    ----------
    found : mapping
        From `compare`.
    """
    apart = found["failed_at_this_only"] + found["failed_at_the_strict_only"]
    movement = found["quantile_movement"]
    why = []
    if found["compared"] < PATIENTS:
        why.append(f"patients compared: {found['compared']:,}; {PATIENTS:,} are needed")
    if not found["yes_no"]:
        why.append("there is no yes or no to compare")
    if found["flips"]:
        why.append(f"answers that changed: {found['flips']:,}")
    if apart:
        why.append(f"patients that failed at one of the two tolerances only: {apart:,}")
    if movement is None:
        why.append("a quantile has moved from 0, or has no value at one of the two tolerances")
    elif movement > LARGEST_MOVEMENT:
        why.append(f"a quantile moved by {100 * movement:.2g} %, at most 0.1 % is allowed")
    return why


def evidence(blocks: Blocks, config: Path, rtols: Sequence[float]) -> dict[str, Any]:
    """Everything that is said of a config, from the blocks that are there.

    Parameters
    ----------
    blocks : Blocks
        At least one must be finished at the strict tolerance.
    config : Path
        The config file.
    rtols : sequence of float
        Tolerances to compare, from blocks that are there at each and at `REFERENCE`.
    """
    sweep = blocks.sweep
    model = sweep.scenario.model
    compared = {}
    for rtol in rtols:
        numbers = blocks.finished((rtol, REFERENCE))
        if numbers:
            strict = blocks.read(numbers, REFERENCE)
            compared[f"{rtol:g}"] = compare(sweep, blocks.read(numbers, rtol), strict)
    return {
        "config": config.name,
        "settings": settings_of(sweep),
        "model": model.name,
        "model_hash": model.hash,
        "engine": engine_digest(),
        "carsim_version": __version__,
        "date": dt.date.today().isoformat(),
        "method": sweep.scenario.solver.method,
        "reference_rtol": REFERENCE,
        "cells": sweep.n_cells,
        "patients_asked_for": blocks.n_patients,
        "tolerances": compared,
    }


def complaint(config: Path) -> str:
    """What is wrong with the rtol that a config carries; empty for one that is justified.

    Parameters
    ----------
    config : Path
        A shipped config file. An rtol that is not looser than the solver's default needs nothing;
        a looser one needs evidence beside the file, of the model and the settings of today.
    """
    read = read_config(config)
    rtol = read.scenario.solver.rtol
    if rtol <= Solver().rtol:
        return ""
    file = config.with_suffix(SUFFIX)
    again = f"Run `python -m benchmarks.tolerance {config} --out {file}`, or take the default."
    if not file.is_file():
        return f"{config}: rtol = {rtol:g} is looser than the default, without {file.name}. {again}"
    known = json.loads(file.read_text())
    sweep = swept(config)
    if known["model_hash"] != sweep.scenario.model.hash:
        return f"{config}: {file.name} is of another model. {again}"
    if known["settings"] != settings_of(sweep):
        return f"{config}: {file.name} is of another config. {again}"
    found = known["tolerances"].get(f"{rtol:g}")
    if found is None:
        return f"{config}: {file.name} does not know rtol = {rtol:g}. {again}"
    why = reasons(found)
    return f"{config}: rtol = {rtol:g} is not allowed: {'; '.join(why)}. {again}" if why else ""


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """Lines of the printed table.

    Parameters
    ----------
    found : mapping
        From `evidence`.
    """
    yield f"{found['config']}, model {found['model']} {found['model_hash'][:12]}"
    yield f"{found['cells']} cells, against rtol {found['reference_rtol']:g}"
    yield ""
    yield "| rtol | patients | steps | flips | failed at one only | quantiles moved | verdict |"
    yield "|---|---|---|---|---|---|---|"
    for rtol, each in found["tolerances"].items():
        apart = each["failed_at_this_only"] + each["failed_at_the_strict_only"]
        verdict = "; ".join([each["verdict"], *each["reasons"]])
        yield (
            f"| {rtol} | {each['compared']:,} | {each['steps']:.0f} | {each['flips']} | {apart} | "
            f"{_share(each['quantile_movement'])} | {verdict} |"
        )
    for rtol, each in found["tolerances"].items():
        yield ""
        yield f"rtol {rtol}; flips: " + ", ".join(f"{k} {n}" for k, n in each["yes_no"].items())
        yield ""
        yield "| number | quantiles moved | at | error: median | 99 % | largest |"
        yield "|---|---|---|---|---|---|"
        for name, number in each["numbers"].items():
            where = f"{100 * number['of_quantile']:g} % of cell {number['in_cell']}"
            yield (
                f"| {name} | {_share(number['quantile_movement'])} | {where} | "
                + " | ".join(
                    _share(number[key]) for key in ("error_median", "error_99", "error_largest")
                )
                + " |"
            )


def _number(value: float) -> float | None:
    """A number for JSON, which knows no infinity; three digits say enough."""
    return float(f"{value:.3g}") if math.isfinite(value) else None


def _share(value: float | None) -> str:
    return "infinite" if value is None else f"{100 * value:.2g} %"


def main() -> None:
    """Measure, print the table and write the evidence."""
    given = _options()
    try:
        print(f"reading {given.config}", file=sys.stderr, flush=True)
        sweep = swept(given.config)
        rtols = sorted(dict.fromkeys(given.rtol or RTOLS), reverse=True)
        if min(rtols) <= REFERENCE:
            raise ScenarioError(
                f"--rtol {min(rtols):g} is not looser than the strict {REFERENCE:g}."
            )
        blocks = Blocks(sweep, given.blocks or FOLDER, given.patients, given.threads)
        _compute(blocks, rtols)
        out = given.out or FOLDER / f"{given.config.stem}{SUFFIX}"
        found = evidence(blocks, given.config, rtols)
    except CarsimError as error:
        raise SystemExit(str(error)) from None
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
    print("\n".join(table(found)))


def _compute(blocks: Blocks, rtols: Sequence[float]) -> None:
    """All blocks at all tolerances; an interrupt ends it, and what is finished is compared."""
    wanted = (REFERENCE, *rtols)
    numbers = blocks.numbers
    total = blocks.size * len(numbers) * len(wanted)
    there = len(blocks.finished(wanted))
    words = f"{len(numbers)} blocks of {blocks.size:,} patients, {there} of them known"
    print(f"{words}; compiling", file=sys.stderr, flush=True)
    done = 0
    try:
        with progress("courses", quiet=False) as report:
            for number in numbers:
                for rtol in wanted:
                    blocks.compute(number, rtol, counted_from(report, done, total))
                    done += blocks.size
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tolerance", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("config", type=Path, help="config file of a sweep")
    parser.add_argument(
        "--patients", type=_count, default=PATIENTS, help="in all cells together (%(default)s)"
    )
    parser.add_argument(
        "--rtol", type=_rtol, nargs="+", help=f"tolerances ({', '.join(f'{r:g}' for r in RTOLS)})"
    )
    parser.add_argument("--out", type=Path, help=f"evidence ({FOLDER}/CONFIG{SUFFIX})")
    parser.add_argument("--blocks", type=Path, help=f"folder of finished blocks ({FOLDER})")
    parser.add_argument("--threads", type=_count, help="threads (those of the config)")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _rtol(text: str) -> float:
    try:
        return Solver(rtol=float(text)).rtol
    except (ValueError, CarsimError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from 1e-13 to 0.1, such as 1e-4"
        ) from None


if __name__ == "__main__":
    main()
