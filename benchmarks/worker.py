"""What `benchmarks.against` measures in one checkout; started there, not here.

carsim and its models are those of the checkout, problems and patients those of the benchmarks
beside this file. So only what revisions since 9545dd2 know is called here.

Requests and answers are JSON, a line each.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import carsim
import carsim.simulation
from benchmarks import therapy
from benchmarks.cases import CASES
from carsim import Dose, Infusion, Scenario, Solver, load_model
from carsim.config import read_config
from carsim.engine.tableaus import METHODS
from carsim.scenario import Prepared, prepare
from carsim.simulation import simulate, solve
from carsim.sweep.block import compute_block

HERE = Path(__file__).resolve().parent
CHECKOUT = Path.cwd()
ROUND = 0.5
"""Seconds of a round, at least: the clock of the processor is coarse."""
RTOL = 1e-5
METHOD = {"stiff18": "rodas5p", "nonstiff5": "dormand_prince"}
REFERENCES = 32
STRICT = 1e-11
RTOLS = tuple(float(f"{digit}e-{k}") for k in range(3, 10) for digit in (3, 1))
EXAMPLE = "examples/prophylaxis_by_depletion.toml"
CELL = 17
"""HBsAg positive, entecavir for 183 days, lymphodepletion of standard depth."""
IN_CELL = 400
SMALL_CALLS = 20

Attempted = float
Row = Callable[[], Attempted]
"""Does the work once; returns the attempted steps of a patient, or 0 where they are not known."""


def attempted(prepared: Prepared) -> Attempted:
    """Solve all patients."""
    found = solve(prepared)
    return float((found.n_steps + found.n_rejected).mean())


@cache
def problem(name: str, patients: int, method: str, rtol: float) -> Prepared:
    """A problem as the table of peers has it: no extinction, atol in step with rtol."""
    solver = Solver(method=method, rtol=rtol, threads=1)
    given = prepare(CASES[name].scenario(patients, solver=solver))
    return dataclasses.replace(
        given,
        atol=np.full(len(given.atol), 1e-6 * rtol),
        floors=np.full(len(given.floors), -np.inf),
    )


@cache
def cell_of(rtol: float | None) -> tuple[Any, range]:
    """The example's sweep, and the trajectories of one of its cells; None: the rtol of the file."""
    overrides = [f"population.size={IN_CELL}", "solver.threads=1"]
    if rtol is not None:
        overrides.append(f"solver.rtol={rtol}")
    sweep = read_config(CHECKOUT / EXAMPLE, overrides).sweep
    assert sweep is not None
    return sweep, range(CELL * IN_CELL, (CELL + 1) * IN_CELL)


@cache
def cell(rtol: float | None) -> Prepared:
    """What the sweep hands to the engine for this cell."""
    handed: list[Prepared] = []

    def note(prepared: Prepared, **_: Any) -> Any:
        handed.append(prepared)
        return solve(prepared)

    carsim.simulation.solve = note  # type: ignore[assignment]
    try:
        compute_block(*cell_of(rtol))
    finally:
        carsim.simulation.solve = solve
    return handed[0]


@cache
def bare_cell() -> Prepared:
    """Patients and doses of this cell without rules, metrics and endpoints."""
    sweep, _ = cell_of(RTOL)
    # Since when endpoints belong to the scenario, they go with the metrics.
    nothing: dict[str, Any] = {
        name: {} for name in ("metrics", "endpoints") if hasattr(sweep.scenario, name)
    }
    doses = {
        name: item
        for name, item in sweep.scenario.therapy.items()
        if isinstance(item, Dose | Infusion)
    }
    scenario = dataclasses.replace(sweep.scenario, therapy=doses, save_at=[], **nothing)
    for path, value in (
        ("population.serostatus", "HBsAg positive, inactive"),
        ("therapy.entecavir.duration", 183.0),
    ):
        scenario = scenario.replace(path, value)
    return prepare(scenario)


@cache
def pools(level: float) -> Prepared:
    """Pools that an oscillator drives, about a level."""
    model = load_model(str(HERE / "problems" / "driven_pools.py"))
    return prepare(
        Scenario(
            model,
            parameters={"level": level, "k": np.full(512, 0.3)},
            initial=dict.fromkeys("ABCDEF", level),
            stop=365.0,
            save_at=[],
            solver=Solver(threads=1),
        )
    )


@cache
def bare() -> Prepared:
    """The coupled model without rules and metrics."""
    return therapy.prepared(therapy.CONSTANT)


@cache
def all_rules() -> Prepared:
    """The coupled model with everything."""
    return therapy.prepared(therapy.RULES, metrics=True)


def dataset(name: str) -> Attempted:
    """`simulate` to a Dataset, 512 patients."""
    solver = Solver(method=METHOD[name], threads=1)
    found = simulate(CASES[name].scenario(512, solver=solver))
    return float((found["n_steps"] + found["n_rejected"]).mean())


def small() -> Attempted:
    """A few small calls."""
    for _ in range(SMALL_CALLS):
        simulate("stein_2019", stop=28.0)
    return 0.0


def block(rtol: float | None) -> Attempted:
    """A cell of the sweep as a whole: drawing, laying out, solving, endpoints."""
    found = compute_block(*cell_of(rtol))
    return float((found.n_steps + found.n_rejected).mean())


ROWS: Mapping[str, tuple[int, Row]] = {
    "stiff18": (1024, lambda: attempted(problem("stiff18", 1024, METHOD["stiff18"], RTOL))),
    "nonstiff5": (1024, lambda: attempted(problem("nonstiff5", 1024, METHOD["nonstiff5"], RTOL))),
    "cart_hbv bare": (
        therapy.PATIENTS, lambda: attempted(bare()),
    ),
    "cart_hbv, all rules and three metrics": (
        therapy.PATIENTS, lambda: attempted(all_rules()),
    ),
    "cell of the example, equal tolerance": (IN_CELL, lambda: attempted(cell(RTOL))),
    "cell of the example, rtol of its config": (IN_CELL, lambda: attempted(cell(None))),
    "the same with drawing and endpoints": (IN_CELL, lambda: block(None)),
    "simulate to a Dataset, stiff18": (512, lambda: dataset("stiff18")),
    "simulate to a Dataset, nonstiff5": (512, lambda: dataset("nonstiff5")),
    "one small simulate": (SMALL_CALLS, small),
    "cell of the example, bare": (IN_CELL, lambda: attempted(bare_cell())),
    "pools about 1": (512, lambda: attempted(pools(1.0))),
    "pools about 1e-310": (512, lambda: attempted(pools(1e-310))),
}  # fmt: skip


def timed(row: Row, round_s: float = ROUND) -> dict[str, float]:
    """Processor time of one go, over a round."""
    spent, repeats, steps = 0.0, 0, 0.0
    while spent < round_s:
        begun = time.process_time()
        steps = row()
        spent += time.process_time() - begun
        repeats += 1
    return {"seconds": spent / repeats, "steps": steps}


def saved(name: str, method: str, rtol: float, patients: int = REFERENCES) -> Any:
    """Saved states, shape (n_states, n_patients, n_times)."""
    return solve(problem(name, patients, method, rtol)).saved


def error(name: str, method: str, rtol: float, reference: Any) -> float:
    """Median over patients of the error that the README's table is about."""
    scale = np.abs(reference) + 1e-6 * np.abs(reference).max(axis=2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.abs(saved(name, method, rtol) - reference) / scale
    found[(scale == 0.0) & ~np.isnan(found)] = 0.0
    return float(np.median(np.nan_to_num(found, nan=np.inf).max(axis=(0, 2))))


def rtol_for(name: str, method: str, target: float, reference: Any) -> float | None:
    """The loosest rtol with an error of at most `target`, between those that are tried."""
    before: tuple[float, float] | None = None
    for rtol in RTOLS:
        here = error(name, method, rtol, reference)
        if here <= target:
            if before is None or here == 0.0:
                return rtol
            (wide, large), narrow = before, rtol
            share = np.log(large / target) / np.log(large / here)
            return float(wide * (narrow / wide) ** share)
        before = (rtol, here) if np.isfinite(here) else None
    return None


def best(name: str, target: float, reference: Any) -> dict[str, Any]:
    """The fastest method at an error, with its rtol."""
    usual = attempted(problem(name, 4, "rodas5p", RTOL))
    found: dict[str, Any] = {}
    for method in METHODS:
        # An explicit method on a stiff problem: hundreds of times the steps.
        if attempted(problem(name, 4, method, RTOL)) > 10 * usual:
            continue
        rtol = rtol_for(name, method, target, reference)
        if rtol is None:
            continue
        prepared = problem(name, 256, method, rtol)
        seconds = min(timed(lambda p=prepared: attempted(p), 0.1)["seconds"] for _ in range(3))  # type: ignore[misc]
        if not found or seconds < found["seconds"]:
            found = {"seconds": seconds, "method": method, "rtol": rtol}
    return found


def threads() -> float:
    """Wall time on one thread over that on two."""
    walls = []
    for number in (1, 2):
        given = bare()
        scenario = given.scenario.replace("solver", Solver(threads=number))
        both = dataclasses.replace(given, scenario=scenario)
        solve(both)
        tries = []
        for _ in range(3):
            begun = time.perf_counter()
            solve(both)
            tries.append(time.perf_counter() - begun)
        walls.append(min(tries))
    return walls[0] / walls[1]


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What a request asks for."""
    what = request["what"]
    if what == "time":
        patients, row = ROWS[request["row"]]
        return {"patients": patients, **timed(row)}
    if what == "prepare":
        ROWS[request["row"]][1]()
        return {}
    if what == "reference":
        np.save(request["file"], saved(request["problem"], "rodas5p", STRICT))
        return {}
    reference = np.load(request["reference"]) if "reference" in request else None
    if what == "error":
        name = request["problem"]
        return {"error": error(name, METHOD[name], RTOL, reference)}
    if what == "best":
        found = best(request["problem"], request["error"], reference)
        achieved = error(request["problem"], found["method"], found["rtol"], reference)
        return {**found, "error": achieved}
    if what == "time at":
        prepared = problem(request["problem"], 1024, request["method"], request["rtol"])
        return {"patients": 1024, **timed(lambda: attempted(prepared))}
    if what == "threads":
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        try:
            return {"speed": threads()}
        finally:
            os.sched_setaffinity(0, everywhere)
    raise ValueError(what)


def main() -> None:
    """Answer until there are no more requests."""
    if CHECKOUT not in Path(carsim.__file__).resolve().parents:
        raise SystemExit(f"{CHECKOUT}: carsim was loaded from {carsim.__file__}.")
    model = load_model("cart_hbv")
    rtol = cell_of(None)[0].scenario.solver.rtol
    known = getattr(model, "hash", "of another kind")
    print(json.dumps({"cart_hbv": known, "rtol": rtol}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
