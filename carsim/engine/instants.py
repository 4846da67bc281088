"""When two times are the same instant.

Times come from sums, grids, rules and roots, each with its own last digit. Everywhere in the
engine, and where schedules are made, two times are one instant if they differ by at most this.
"""

from __future__ import annotations

from carsim.engine.jit import inner
from carsim.engine.plan import SAME_INSTANT


@inner
def instant(time: float) -> float:
    """Largest difference to a time that is the same instant."""
    size = abs(time)
    return SAME_INSTANT * (size if size > 1.0 else 1.0)
