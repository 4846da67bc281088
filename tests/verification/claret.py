"""Tumor growth inhibition with a fading drug effect (Claret 2009), NONMEM's run c001 of nmtests."""

from __future__ import annotations

from carsim import Assumed, Model, Parameters, State, parameter, state
from carsim.math import exp, log

WHY = Assumed("control stream of run c001")


class Tumor(State):
    size: float = state(70.0, "mL", "tumor size", atol=1e-9)


class Rates(Parameters):
    KG: float = parameter(0.6, "1/week", "growth", WHY)
    KS0: float = parameter(0.4, "1/week", "shrinkage per logarithm of the dose, at first", WHY)
    GAMMA: float = parameter(0.8, "1/week", "fading of the effect", WHY)
    DOSE: float = parameter(1.0, "1", "dose", WHY, lower=1.0)


def rhs(t: float, y: Tumor, p: Rates) -> Tumor:
    KS = p.KS0 * exp(-p.GAMMA * t)
    return Tumor(size=p.KG * y.size - KS * log(p.DOSE) * y.size)


MODEL = Model("claret", rhs, Tumor, Rates, time_unit="week")
