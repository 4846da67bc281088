"""As many pulses and thresholds as you like: ``python -m tests.engine_bars --count 2000 --seed 1``.

Pulses in the equations of width 0.01 to 20 days must be seen, and rules and metrics must agree with
the maximum on thresholds near it. The tests do a few of each.
"""

from __future__ import annotations

import argparse

import numpy as np

from carsim import Maximum, simulate
from tests.unit.steep import CLOCKED
from tests.unit.test_crossings import agreement


def worst_pulse(count: int, seed: int) -> float:
    """Largest relative error of the peak of a pulse, of so many random ones."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(20.0, 70.0, count)
    width = 10.0 ** rng.uniform(-2.0, np.log10(20.0), count)
    k = 10.0 ** rng.uniform(-1.0, 1.0, count)
    result = simulate(
        CLOCKED, stop=100.0, save_at=[], metrics={"peak": Maximum("pulse")},
        parameters={"start": start, "width": width, "k": k},
    )  # fmt: skip
    assert (result.status == 0).all()
    right = 100.0 / k * -np.expm1(-k * width)
    return float(np.max(np.abs(result.peak.values / right - 1.0)))


def main() -> None:
    """Draw, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    worst = worst_pulse(given.count, given.seed)
    print(f"{given.count} pulses: largest relative error of the peak {worst:.2g} (bar 1e-4)")
    same = agreement(given.count, given.seed)
    print(f"{given.count} thresholds near the maximum: {int((~same).sum())} disagree (bar 0)")
    raise SystemExit(int(worst > 1e-4 or not same.all()))


if __name__ == "__main__":
    main()
