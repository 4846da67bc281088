"""Tolerated ranges as HTML."""

from __future__ import annotations

import math

from carsim.hypertext import value
from carsim.verification.check import Row

__all__ = ["span", "tolerance_used", "tolerated"]


def span(lowest: float, highest: float, unit: str) -> str:
    """Spell a range with its unit; infinite ends are none."""
    if lowest == highest:
        return f"exactly {value(lowest, unit)}"
    if math.isinf(lowest) and math.isinf(highest):
        return "any number"
    if math.isinf(highest):
        return f"at least {value(lowest, unit)}"
    if math.isinf(lowest):
        return f"at most {value(highest, unit)}"
    return f"{value(lowest, '', digits=3 if unit == '%' else 6)} to {value(highest, unit)}"


def tolerated(row: Row) -> str:
    """Spell the tolerated range, as a distance where it is the same on both sides."""
    reach = (row.highest - row.lowest) / 2.0
    centered = math.isclose(row.lowest + reach, row.published, rel_tol=1e-12)
    if not centered or not reach > 0.0 or row.unit == "%":  # "± 12 %" of what?
        return span(row.lowest, row.highest, row.unit)
    shown = f"± {value(reach, row.unit, digits=3)}"
    if row.published == 0.0:
        return shown
    return f"{shown}<small>{_percent(reach / abs(row.published))}</small>"


def tolerance_used(row: Row) -> str:
    """Spell how much of the tolerance is used up."""
    share = row.tolerance_used
    if math.isnan(share):
        return "–"
    if share > 10.0:
        return "&gt; 1000 %"
    if 0.0 < share < 1e-4:
        return "&lt; 0.01 %"
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1g} %"


def _percent(share: float) -> str:
    return f"{value(100.0 * share, '', digits=3)} %"
