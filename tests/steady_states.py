"""Random steady states of a drug whose elimination saturates, against their closed form.

``python -m tests.steady_states --count 10000 --seed 1`` draws them over twelve decades of scale and
half to one and a half times the capacity, and says how many failed and how far off the others are.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carsim import Dose, load_model, simulate

Array = NDArray[np.float64]

MODEL = load_model(str(Path(__file__).parent / "unit" / "saturable.py"))


@dataclass(frozen=True)
class Drawn:
    """Random patients and what came out.

    Attributes
    ----------
    ratio : float64 array, shape (n,)
        Dose over what can leave in an interval.
    status : int64 array, shape (n,)
    error : float64 array, shape (n,)
        Of the peak, relative; NaN where there is no steady state.
    """

    ratio: Array
    status: NDArray[np.int64]
    error: Array


def draw(count: int, seed: int) -> Drawn:
    """Daily doses of random drugs: the peak is dose + dose / expm1((V - dose) / K).

    Parameters
    ----------
    count : int
        Patients.
    seed : int
        Of their numbers.
    """
    rng = np.random.default_rng(seed)
    capacity = 10.0 ** rng.uniform(-9.0, 3.0, count)
    half = capacity * np.exp(rng.uniform(np.log(0.05), np.log(20.0), count))
    ratio = rng.uniform(0.5, 1.5, count)
    dose = ratio * capacity
    result = simulate(
        MODEL,
        therapy={"a": Dose("iv", dose, at=0.0, every=1.0, count=1, steady_state=1)},
        parameters={"V": capacity, "K": half},
        stop=1e-3,
        save_at=[0.0],
        outputs=["drug"],
    )
    right = dose + dose / np.expm1((capacity - dose) / half)
    error = np.abs(result["drug"].values[:, 0] / right - 1.0)
    return Drawn(ratio, result["status"].values, np.where(ratio < 1.0, error, np.nan))


def main() -> None:
    """Print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    begin = time.perf_counter()
    drawn = draw(given.count, given.seed)
    print(f"{given.count} steady states in {time.perf_counter() - begin:.1f} s")
    for low, high in ((0.5, 0.99), (0.99, 1.0), (1.0, 1.5)):
        inside = (drawn.ratio >= low) & (drawn.ratio < high)
        failed = inside & (drawn.status != 0)
        worst = np.max(drawn.error[inside & ~failed], initial=0.0)
        print(
            f"dose / capacity {low:g} to {high:g}: {inside.sum()} drawn, {failed.sum()} failed, "
            f"statuses {np.unique(drawn.status[inside]).tolist()}, largest error {worst:.1e}"
        )


if __name__ == "__main__":
    main()
