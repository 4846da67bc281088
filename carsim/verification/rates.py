"""Rows for shares of patients: what a cohort counted beside what a simulated cohort counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from carsim.endpoints.intervals import wilson_interval
from carsim.model import Provenance
from carsim.verification.check import Interval, Row, within

__all__ = ["counted", "percentage"]


def counted(
    quantity: str,
    events: int,
    n: int,
    found: ArrayLike,
    source: Provenance,
    *,
    bounds: Interval | None = None,
    definition: str = "",
) -> Row:
    """Return the row of a share that a cohort counted, in percent.

    Parameters
    ----------
    quantity, source, definition
        As in `Row`.
    events, n : int
        Patients with the event, and patients, of the cohort.
    found : array, shape (m,)
        1 or True for each simulated patient with the event, 0 or False without; NaN (a failed
        patient) does not count.
    bounds : (float, float), optional
        Tolerated percentages; the exact 95 % interval of the cohort (Clopper and Pearson) by
        default.
    """
    interval = binomtest(events, n).proportion_ci(0.95, "exact")
    exact = (100.0 * float(interval.low), 100.0 * float(interval.high))
    return percentage(
        quantity,
        100.0 * events / n,
        found,
        source,
        bounds=exact if bounds is None else bounds,
        published_interval=exact,
        definition=definition,
    )


def percentage(
    quantity: str,
    published: float,
    found: ArrayLike,
    source: Provenance,
    *,
    bounds: Interval,
    published_interval: Interval | None = None,
    definition: str = "",
) -> Row:
    """Return the row of a published percentage, such as a cumulative incidence.

    Parameters
    ----------
    quantity, source, definition, published_interval
        As in `Row`.
    published : float
        Percent.
    found : array, shape (m,)
        As in `counted`. The Monte Carlo interval is Wilson's.
    bounds : (float, float)
        Tolerated percentages.
    """
    outcome = np.asarray(found, dtype=np.float64)
    known = outcome[np.isfinite(outcome)]
    low, high = wilson_interval(known.sum(), len(known))
    return within(
        quantity,
        "%",
        published,
        100.0 * known.mean() if len(known) else np.nan,
        source,
        bounds,
        definition=definition,
        published_interval=published_interval,
        interval=(100.0 * float(low), 100.0 * float(high)),
    )
