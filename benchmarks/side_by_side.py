"""How fast this checkout is beside another: ``python -m benchmarks.side_by_side CHECKOUT``.

Speed of the engine on stiff18, nonstiff5 and cart_hbv with all rules and three metrics, one core,
processor time. Each checkout has a process of its own that keeps its patients; rounds of both in
turn, the ratio of each round, its median. A ratio above 1 says that this checkout is faster.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]
CASES = ("stiff18", "nonstiff5", "cart_hbv with all rules and three metrics")
WORKER = """
import sys
from benchmarks import cases, therapy
from carsim import Solver
from carsim.scenario import prepare

prepared = {
    name: prepare(cases.CASES[name].scenario(solver=Solver(threads=1)))
    for name in ("stiff18", "nonstiff5")
}
prepared["cart_hbv with all rules and three metrics"] = therapy.prepared(
    therapy.RULES, metrics=True
)
for name in prepared:
    therapy.timed(prepared[name])
print("ready", flush=True)
for line in sys.stdin:
    spent = 0.0
    # Half a second at least: the clock of the processor is coarse.
    repeats = 0
    while spent < 0.5:
        spent += therapy.timed(prepared[line.strip()])[0]
        repeats += 1
    print(spent / repeats, flush=True)
"""


class Worker:
    """A process that measures in one checkout."""

    def __init__(self, checkout: Path, cache: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(checkout), str(checkout / "models"))),
            "CARSIM_CACHE_DIR": cache,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=checkout, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker stopped; what it said stands above.")
        return line.strip()

    def seconds(self, case: str) -> float:
        """Processor time of all patients of a case."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{case}\n")
        self.process.stdin.flush()
        return float(self._answer())


def main() -> None:
    """Measure both in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as caches:
        print("compiling in both checkouts (a few minutes)", flush=True)
        mine = Worker(HERE, f"{caches}/mine")
        other = Worker(given.other.resolve(), f"{caches}/other")
        print("| case | speed over the other | smallest | largest |")
        print("|---|---|---|---|")
        for case in CASES:
            ratios = []
            for number in range(given.rounds):
                # Who begins changes, so that a drift of the machine's speed favors nobody.
                first, second = (mine, other) if number % 2 else (other, mine)
                spent = {id(first): first.seconds(case)}
                spent[id(second)] = second.seconds(case)
                ratios.append(spent[id(other)] / spent[id(mine)])
            print(
                f"| {case} | {np.median(ratios):.3f} | {min(ratios):.3f} | {max(ratios):.3f} |",
                flush=True,
            )
        for worker in (mine, other):
            worker.process.kill()
            worker.process.wait()


if __name__ == "__main__":
    main()
