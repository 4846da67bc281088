"""What a sweep into a store takes: ``python -m benchmarks.scale --patients 10000 1000000``.

The coupled model with prophylaxis over 18 months, metrics only. Each size runs in a process of its
own; its trajectories per second stand beside those of the engine alone on the same kind of
patients (arrays in, arrays out; measured in the same process, before and after), so that the cost
of drawing, evaluating, compressing and writing shows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from carsim import Dose, Infusion, Scenario, load_model
from carsim.design import Single
from carsim.metrics import AreaUnder, Maximum, TimeAbove, TimeOfMaximum
from carsim.population import named_population
from carsim.scenario import prepare
from carsim.simulation import solve
from carsim.sweep import Sweep, run_to_store
from carsim.sweep.plan import make_plan

SEED = 20261122


def make(patients: int) -> Sweep:
    """The sweep: one cell, a population in which 40 numbers differ, seven metrics."""
    model = load_model("cart_hbv")
    scenario = Scenario(
        model,
        therapy={
            "lymphodepletion": Dose("lymphodepletion", 1.0, at=(-5, -4, -3)),
            "car_t": Dose("car_t", 7e7, at=0),
            "entecavir": Infusion("entecavir", start=-7.0, duration=365.0, rate=0.5),
        },
        population=named_population(model, "adults_19_BBz", size=patients, seed=SEED),
        start=-14.0,
        stop=548.0,
        metrics={
            "peak_car_t": Maximum("car_t"),
            "time_of_peak_car_t": TimeOfMaximum("car_t"),
            "car_t_auc": AreaUnder("car_t", stop=28.0),
            "peak_hbv_dna": Maximum("hbv_dna"),
            "days_of_viremia": TimeAbove("hbv_dna", 10.0),
            "peak_alt": Maximum("alt"),
            "peak_il6": Maximum("il6"),
        },
    )
    return Sweep(scenario, Single())


def engine_alone(patients: int) -> float:
    """Trajectories per second of the engine, without what a sweep does around it."""
    sweep = make(patients)
    prepared = prepare(sweep.scenario)
    begun = time.perf_counter()
    solve(prepared)
    return patients / (time.perf_counter() - begun)


def measure(patients: int) -> dict[str, float]:
    """Run one size, in this process."""
    sweep = make(patients)
    sample = min(patients, make_plan(sweep).block_size)
    engine_alone(64)  # compiles
    before = engine_alone(sample)
    with tempfile.TemporaryDirectory(dir=os.environ.get("CARSIM_SCRATCH")) as place:
        begun = time.perf_counter()
        run_to_store(sweep, Path(place) / "store")
        seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file())
    after = engine_alone(sample)
    rate, alone = patients / seconds, 0.5 * (before + after)
    return {
        "patients": patients,
        "seconds": round(seconds, 1),
        "patients_per_second": round(rate, 1),
        "engine_alone": round(alone, 1),
        "share_of_engine": round(rate / alone, 3),
        "peak_mb": round(peak, 1),
        "written_mb": round(size / 1e6, 1),
        "bytes_per_patient": round(size / patients, 1),
        "mb_per_second": round(size / 1e6 / seconds, 2),
    }


def main() -> None:
    """Measure all sizes, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--patients", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here is not None:
        print(json.dumps(measure(given.here)))
        return
    for patients in given.patients:
        command = [sys.executable, "-m", "benchmarks.scale", "--here", str(patients)]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        print(found.stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
