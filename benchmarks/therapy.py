"""What rules and daily tablets cost: ``python -m benchmarks.therapy``.

The coupled model over 18 months, the same virtual patients in every row, one core, processor time,
rounds of all rows in turn, medians of the ratios.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping

import numpy as np

from carsim import Dose, Infusion, Rule, Scenario, Solver, load_model
from carsim.engine.plan import Trajectories
from carsim.metrics import AreaUnder, Maximum
from carsim.scenario import Prepared, prepare
from carsim.simulation import solve
from carsim.therapy import Item
from carsim.therapy.regimens import flatten
from carsim.therapy.strategies import (
    CytokineReleaseCare,
    ImmunoglobulinReplacement,
    Preemptive,
    Prophylaxis,
)

PATIENTS = 400
ROUNDS = 7
BASIS: Mapping[str, Item] = {
    "lymphodepletion": Dose("lymphodepletion", 1.0, at=(-5, -4, -3)),
    "car_t": Dose("car_t", 7e7, at=0),
}
CONSTANT: Mapping[str, Item] = {**BASIS, "entecavir": Infusion("entecavir", start=-7.0, rate=0.5)}
DAILY: Mapping[str, Item] = {
    **BASIS,
    "entecavir": Dose("entecavir", 0.5, at=-7.0, every=1.0),
}
RULES: Mapping[str, Item] = {
    **BASIS,
    "prophylaxis": Prophylaxis(months=6.0, counted_from="b_cell_recovery"),
    "monitoring": Preemptive(every=28.0),
    "crs": CytokineReleaseCare(),
    "ivig": ImmunoglobulinReplacement(),
}


def only_looking(therapy: Mapping[str, Item]) -> dict[str, Item]:
    """The same rules with nothing to do, and the constant prophylaxis."""
    looking: dict[str, Item] = {}
    for name, item in flatten(therapy).items():
        if isinstance(item, Rule):
            named = {
                field: given.replace(".", "_")
                for field in ("after", "while_running", "unless")
                if (given := getattr(item, field)) is not None
            }
            looking[name.replace(".", "_")] = dataclasses.replace(item, do=(), **named)
    return {**CONSTANT, **looking}


def prepared(therapy: Mapping[str, Item], *, metrics: bool = False) -> Prepared:
    """The patients under a therapy."""
    generator = np.random.default_rng(0)
    return prepare(
        Scenario(
            load_model("cart_hbv"),
            variants=("19-BBz", "inactive_carrier"),
            therapy=therapy,
            parameters={
                "hbv.kappa": 0.5 * np.exp(0.7 * generator.standard_normal(PATIENTS)),
                "leukemia.initial_cells": 10.0 ** generator.uniform(8.0, 12.0, PATIENTS),
                "leukemia.negative_fraction": 10.0 ** generator.uniform(-14.0, -8.0, PATIENTS),
                "leukemia.mu": 0.0,
            },
            start=-14.0,
            stop=548.0,
            save_at=[],
            metrics={
                "peak_dna": Maximum("hbv_dna"),
                "peak_il6": Maximum("il6"),
                "exposure": AreaUnder("car_t", start=0.0, stop=28.0),
            }
            if metrics
            else {},
            solver=Solver(threads=1),
        )
    )


def timed(case: Prepared) -> tuple[float, Trajectories]:
    """Processor time of all patients, and what came out."""
    begun = time.process_time()
    found = solve(case)
    return time.process_time() - begun, found


def main() -> None:
    """Measure all rows in turn and print them."""
    cases = {
        "no rules": prepared(CONSTANT),
        "rules that only look": prepared(only_looking(RULES)),
        "prophylaxis, monitoring, CRS and IVIG rules": prepared(RULES),
        "no rules, three metrics": prepared(CONSTANT, metrics=True),
        "all rules, three metrics": prepared(RULES, metrics=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    steps = {}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            spent, found = timed(case)
            seconds[name].append(spent)
            steps[name] = float((found.n_steps + found.n_rejected).mean())
    spent, found = timed(prepared(DAILY))
    seconds["548 daily tablets"] = [spent] * ROUNDS
    steps["548 daily tablets"] = float((found.n_steps + found.n_rejected).mean())
    print("| therapy | patients/s | speed over no rules | steps a patient |")
    print("|---|---|---|---|")
    for name, spent_all in seconds.items():
        basis = "no rules, three metrics" if "metrics" in name else "no rules"
        ratio = np.median(np.array(seconds[basis]) / np.array(spent_all))
        speed = PATIENTS / np.median(spent_all)
        print(f"| {name} | {speed:,.0f} | {ratio:.2f} | {steps[name]:,.0f} |")


if __name__ == "__main__":
    main()
