"""One or two compartments with first-order absorption, and all that has been eliminated."""

from __future__ import annotations

from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state
from carsim.math import power

WHY = Assumed("test")


class Body(State):
    depot: float = state(0.0, "mg", "drug in the gut", atol=1e-8)
    central: float = state(0.0, "mg", "drug in plasma", atol=1e-8)
    peripheral: float = state(0.0, "mg", "drug in tissue", atol=1e-8)
    gone: float = state(0.0, "mg", "drug eliminated", atol=1e-8)


class Rates(Parameters):
    CL: float = parameter(1.1, "L/hour", "clearance", WHY, upper=1e5)
    V: float = parameter(20.0, "L", "volume", WHY, lower=1e-6)
    KA: float = parameter(1.5, "1/hour", "absorption", WHY)
    Q: float = parameter(0.0, "L/hour", "clearance between the compartments", WHY)
    V2: float = parameter(10.0, "L", "volume of the tissue", WHY, lower=1e-6)
    WT: float = parameter(70.0, "kg", "weight", WHY, lower=1.0)
    exponent: float = parameter(0.0, "1", "of clearance in weight", WHY)
    R2: float = parameter(10.0, "mg/hour", "modeled rate", WHY)
    D2: float = parameter(2.0, "hour", "modeled duration", WHY)
    ALAG2: float = parameter(0.0, "hour", "lag", WHY)
    F2: float = parameter(1.0, "1", "bioavailability", WHY)


@observable("ug/L", "plasma concentration, NONMEM's CP")
def CP(t: float, y: Body, p: Rates) -> float:
    return y.central / (p.V / 1000.0)


def rhs(t: float, y: Body, p: Rates) -> Body:
    out = p.CL * power(p.WT / 70.0, p.exponent) / p.V * y.central
    there, back = p.Q / p.V * y.central, p.Q / p.V2 * y.peripheral
    return Body(
        depot=-p.KA * y.depot,
        central=p.KA * y.depot - out - there + back,
        peripheral=there - back,
        gone=out,
    )


MODEL = Model(
    "two_compartments",
    rhs,
    Body,
    Rates,
    observables=(CP,),
    routes=(route("iv", "mg", "injection", {"central": 1.0}),),
    time_unit="hour",
)
