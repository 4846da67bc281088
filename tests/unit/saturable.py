"""A drug whose elimination saturates, alone and behind a depot, and a switch: for steady states."""

from __future__ import annotations

from carsim import Assumed, Model, Parameters, State, math, parameter, route, state

WHY = Assumed("test")


class Drug(State):
    depot: float = state(0.0, "mg", "drug in the gut", atol=1e-9)
    drug: float = state(0.0, "mg", "drug in plasma", atol=1e-9)
    switch: float = state(0.0, "1", "turns itself on above a threshold", atol=1e-9)


class Rates(Parameters):
    ka: float = parameter(3.0, "1/day", "absorption", WHY)
    V: float = parameter(10.0, "mg/day", "greatest rate of elimination", WHY)
    K: float = parameter(2.0, "mg", "amount of half the greatest rate", WHY)
    made: float = parameter(2.0, "1/day", "greatest production of the switch", WHY)
    half: float = parameter(1.0, "1", "switch of half production", WHY)
    lost: float = parameter(0.8, "1/day", "loss of the switch", WHY)


def rhs(t: float, y: Drug, p: Rates) -> Drug:
    absorbed = p.ka * y.depot
    return Drug(
        depot=-absorbed,
        drug=absorbed - p.V * y.drug / (p.K + y.drug),
        switch=p.made * math.hill(y.switch, p.half, 4) - p.lost * y.switch,
    )


MODEL = Model(
    "saturable",
    rhs,
    Drug,
    Rates,
    routes=(
        route("oral", "mg", "tablet", {"depot": 1.0}),
        route("iv", "mg", "injection", {"drug": 1.0}),
        route("signal", "1", "push", {"switch": 1.0}),
    ),
)
