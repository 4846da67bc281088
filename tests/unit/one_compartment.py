"""One compartment with first-order absorption: a model with known answers for the tests."""

from __future__ import annotations

from carsim import (
    Assumed,
    Derived,
    Model,
    Parameters,
    State,
    computed,
    observable,
    parameter,
    route,
    state,
    variant,
)

WHY = Assumed("test")


class Body(State):
    depot: float = state(0.0, "mg", "drug in the gut", atol=1e-9)
    central: float = state(0.0, "mg", "drug in plasma", atol=1e-9)
    clock: float = state(0.0, "day", "time since the start", atol=1e-9)


class Rates(Parameters):
    ka: float = parameter(1.5, "1/day", "absorption", WHY, plausible=(0.5, 3.0))
    CL: float = parameter(1.1, "L/day", "clearance", WHY, plausible=(0.1, 10.0), upper=100.0)
    V: float = parameter(20.0, "L", "volume", WHY, lower=1e-6)
    F: float = parameter(0.8, "1", "bioavailability", WHY, upper=1.0)
    one: float = parameter(1.0, "1", "rate of the clock", WHY, lower=-10.0, upper=10.0)
    k: float = computed("1/day", "elimination", Derived("CL / V"))


@observable("mg/L", "plasma concentration")
def concentration(t: float, y: Body, p: Rates) -> float:
    return y.central / p.V


def rhs(t: float, y: Body, p: Rates) -> Body:
    return Body(
        depot=-p.ka * y.depot,
        central=p.ka * y.depot - p.k * y.central,
        clock=p.one,
    )


def initialise(p: Rates) -> tuple[Body, Rates]:
    return Body(depot=0.0 * p.V, central=0.0 * p.V, clock=0.0 * p.V), p._replace(k=p.CL / p.V)


MODEL = Model(
    "one_compartment",
    rhs,
    Body,
    Rates,
    observables=(concentration,),
    routes=(
        route("oral", "mg", "tablet", {"depot": lambda p: p.F}),
        route("iv", "mg", "injection", {"central": 1.0}),
        route("split", "mg", "tablet and injection", {"depot": 0.25, "central": 0.75}),
    ),
    variants=(
        variant("slow", "slow absorption", {"ka": (0.2, WHY)}, group="absorption"),
        variant("fast", "fast absorption", {"ka": (5.0, WHY)}, group="absorption"),
        variant("large", "large volume", {"V": (40.0, WHY)}),
    ),
    initialise=initialise,
)
