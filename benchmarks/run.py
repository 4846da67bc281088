"""carsim against other solvers: ``python -m benchmarks.run``, or ``make bench``.

Writes `results/latest.json` (one row for each problem, solver and tolerance),
`results/machine.json` and `results/work_precision.png`, and prints the table of the README.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from benchmarks.environments import ROOT, AbsentError, interpreter
from benchmarks.export import export
from benchmarks.solvers import ENTRIES, Entry
from benchmarks.table import markdown, write_into_readme

RESULTS = Path(__file__).parent / "results"
SCRATCH = RESULTS / "scratch"
MEASURE_SECONDS = 900
QUICK = ("--rounds", "1", "--round-seconds", "0.1")


def main() -> None:
    """Measure everything that was asked for."""
    options = _options()
    RESULTS.mkdir(exist_ok=True)
    latest = RESULTS / "latest.json"
    rows: list[dict[str, Any]] = json.loads(latest.read_text()) if options.keep else []
    entries = [e for e in ENTRIES if not options.solver or _wanted(e.label, options.solver)]
    for name in options.problem or list(CASES):
        case = CASES[name]
        folder = SCRATCH / name
        problem = export(case, folder)
        for entry in entries:
            if not entry.takes(name, stiff=case.stiff):
                continue
            shared = {"problem": name, "n_states": problem.n_states, "solver": entry.label}
            print(f"{name}: {entry.label} ...", file=sys.stderr, flush=True)
            try:
                python = interpreter(entry.environment, options.python)
                found = measure(entry, python, folder, quick=options.quick)
            except AbsentError as reason:
                found = [{"absent": str(reason)}]
            rows = _merge(rows, [shared | row for row in found])
            # At once: a run of half an hour may be stopped.
            latest.write_text(json.dumps(rows, indent=1) + "\n")
    (RESULTS / "machine.json").write_text(json.dumps(_machine(), indent=1) + "\n")
    from benchmarks.figure import draw

    draw(rows, RESULTS / "work_precision.png")
    print(markdown(rows))
    if options.readme:
        write_into_readme(rows, ROOT / "README.md")


def measure(entry: Entry, python: Path, folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Rows of one solver on one problem: start-up first, then every tolerance."""
    rtols = entry.rtols[:: max(1, len(entry.rtols) // 2)] if quick else entry.rtols
    base = [str(python), "-m", "benchmarks.measure", entry.peer, entry.method, str(folder)]
    tolerance = [part for rtol in rtols for part in ("--rtol", repr(rtol))]
    with tempfile.TemporaryDirectory(prefix="carsim-bench-") as cache:
        environment = dict(os.environ)
        for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
            environment[f"{name}_NUM_THREADS"] = "1"
        environment |= {"NUMBA_CACHE_DIR": cache, "CARSIM_CACHE_DIR": cache}
        starts: list[float | None] = []
        for _ in range(2):
            begin = time.monotonic()
            done = _call([*base, "--first-result", "--rtol", "1e-5"], environment)
            if isinstance(done, str):
                return [{"failure": done}]
            starts.append(round(time.monotonic() - begin, 3))
        done = _call([*base, *tolerance, *(QUICK if quick else ())], environment)
    if isinstance(done, str):
        return [{"failure": done}]
    rows = [json.loads(line) for line in done]
    for row in rows:
        row |= {"cores": 1, "cold_start_s": starts[0], "warm_start_s": starts[1]}
    return rows


def _call(command: list[str], environment: dict[str, str]) -> list[str] | str:
    """Lines of JSON that a measurement printed, or the reason why there are none."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    try:
        output, errors = process.communicate(timeout=MEASURE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        # What was measured before the time was up counts.
        output, _ = process.communicate()
        lines = [line for line in output.splitlines() if line.endswith("}")]
        return lines or f"took more than {MEASURE_SECONDS} s"
    if process.returncode != 0:
        words = errors.strip().splitlines()
        return words[-1][:300] if words else f"ended with status {process.returncode}"
    return [line for line in output.splitlines() if line.startswith("{")]


def _merge(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`new`, and what `old` has on other problems and solvers."""
    measured = {(row["problem"], row["solver"]) for row in new}
    return [row for row in old if (row["problem"], row["solver"]) not in measured] + new


def _wanted(label: str, words: list[str]) -> bool:
    return any(word.lower() in label.lower() for word in words)


def _machine() -> dict[str, Any]:
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "date": datetime.date.today().isoformat(),
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--problem", action="append", choices=list(CASES), default=[])
    parser.add_argument("--solver", action="append", default=[], help="part of a solver's name")
    parser.add_argument("--quick", action="store_true", help="few tolerances, one short round")
    parser.add_argument("--keep", action="store_true", help="keep rows that are not measured now")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--python", default=sys.executable, help="makes the peers' environments")
    return parser.parse_args()


if __name__ == "__main__":
    main()
