"""Step 2b: the IL-6 signals at which the grades of cytokine release begin, from Hay 2017.

    python models/calibration/grades.py

Of 133 adults 70.1 % had cytokine release: grade 1 26 %, grade 2 32 %, grade 3 4.5 %, grade 4 3.8 %,
grade 5 3.8 % (Hay 2017, Blood; grade 5, death, counts as 4 here). The thresholds are quantiles of
the largest signal in a virtual trial of adults with 19-BBz without care of cytokine release: care
follows the grade, and in that trial it was kept for severe grades. Prints the thresholds and
writes grades.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from carsim_models.cart_hbv.populations import spread
from carsim_models.evidence.response_cohorts import Trial, run

TRIAL = Trial("19-BBz", "adult", (1e8, 1e12), 1.4e8, 56.0)
AT_LEAST = {1: 0.701, 2: 0.441, 3: 0.121, 4: 0.076}
PATIENTS = 8000
SEED = 20261127


def main() -> None:
    """Simulate, print and write."""
    signal = run(TRIAL, spread(), PATIENTS, SEED).worst["peak_signal"]
    thresholds = {
        f"cytokine.grade_{grade}": float(np.quantile(signal, 1.0 - share))
        for grade, share in AT_LEAST.items()
    }
    for name, value in thresholds.items():
        print(f"{name} {value:.4f}")
    file = Path(__file__).with_suffix(".json")
    file.write_text(json.dumps({"fitted": thresholds, "at_least": AT_LEAST}, indent=1) + "\n")


if __name__ == "__main__":
    main()
