"""Measure one solver on one problem; run as a script in the environment of the solver.

One process, pinned to one core. Every tolerance is measured in rounds of at least `ROUND` seconds
of processor time; the median of the rounds counts. Processor time and not wall time, so that a
neighbor on the machine does not count against a solver, and so that a hidden second thread does.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Protocol

ROUND = 0.5
ROUNDS = 5


class Solver(Protocol):
    """What a script in `benchmarks/peers` offers as `Solver`.

    One that takes several patients at once says how many in an attribute `block`.
    """

    def __init__(self, problem: Any, method: str) -> None: ...

    def solve(self, y0: Any, p: Any, rtol: float) -> Any:
        """Solutions at the saved points, shape (n_patients, n_times, n_states)."""


def pin(core: int) -> None:
    """Stay on one core, whatever threads a library starts."""
    os.sched_setaffinity(0, {core})
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = "1"


def peak_rss() -> float | None:
    """Largest memory of this process in MB.

    Not `getrusage`: its maximum is inherited from the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure(
    solver: Solver, problem: Any, rtol: float, rounds: int, round_s: float
) -> dict[str, Any]:
    """Achieved error and speed of a solver at one tolerance."""
    count = len(problem.reference)
    begin = time.process_time()
    solution = solver.solve(problem.y0[:count], problem.p[:count], rtol)
    per_patient = (time.process_time() - begin) / count
    # carsim answers in the model's units, peers in those of the scaled equations.
    if getattr(solver, "model_units", False):
        solution = solution / problem.scale
    errors = problem.errors(solution)
    row: dict[str, Any] = {
        "rtol": rtol,
        "achieved_error": float(statistics.median(errors.tolist())),
        "worst_error": float(errors.max()),
    }
    block: int = getattr(solver, "block", 1)
    size = round(round_s / max(per_patient, 1e-9) / block) * block
    size = max(block, min(len(problem.y0), size))
    speeds = []
    for _ in range(rounds):
        done = 0
        begin = time.process_time()
        while True:
            solver.solve(problem.y0[:size], problem.p[:size], rtol)
            done += size
            spent = time.process_time() - begin
            if spent >= round_s:
                break
        speeds.append(done / spent)
        # A slow solver's rounds are long and vary little.
        if spent > 8 * round_s:
            break
    row["trajectories_per_second"] = statistics.median(speeds)
    row["spread"] = max(speeds) / min(speeds)
    return row


def main() -> None:
    """Read the command line, measure, write JSON to standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", help="script in benchmarks/peers")
    parser.add_argument("method")
    parser.add_argument("problem", type=Path, help="folder written by benchmarks.export")
    parser.add_argument("--rtol", type=float, action="append", default=[])
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--round-seconds", type=float, default=ROUND)
    parser.add_argument("--first-result", action="store_true", help="solve one patient and stop")
    options = parser.parse_args()
    pin(options.core)

    from benchmarks.problem import Problem
    from benchmarks.solvers import PACKAGES

    version = importlib.metadata.version(PACKAGES[options.peer])
    problem = Problem.load(options.problem)
    solver = importlib.import_module(f"benchmarks.peers.{options.peer}").Solver(
        problem, options.method
    )
    first = solver.solve(problem.y0[:1], problem.p[:1], options.rtol[0])
    assert first.shape == (1, len(problem.times), problem.n_states), first.shape
    if options.first_result:
        return
    for rtol in options.rtol:
        try:
            row = measure(solver, problem, rtol, options.rounds, options.round_seconds)
        except Exception as failure:  # a peer may raise anything; the next tolerance may work
            row = {"rtol": rtol, "failure": f"{type(failure).__name__}: {failure}"[:300]}
        row |= {"peak_rss_mb": peak_rss(), "version": version}
        json.dump(row, sys.stdout)
        print(flush=True)


if __name__ == "__main__":
    main()
