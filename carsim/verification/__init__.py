"""Evidence: published results beside carsim's, run by ``carsim verify``."""

from __future__ import annotations

from carsim.verification.check import KINDS, Check, Curve, Findings, Kind, Row, check, near, within
from carsim.verification.find import choose_checks, load_checks
from carsim.verification.rates import counted, percentage

__all__ = [
    "KINDS",
    "Check",
    "Curve",
    "Findings",
    "Kind",
    "Row",
    "check",
    "choose_checks",
    "counted",
    "load_checks",
    "near",
    "percentage",
    "within",
]
