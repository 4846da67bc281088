"""A virus that grows exponentially, so that who reactivates when is known in closed form."""

from __future__ import annotations

from carsim import Assumed, Model, Parameters, State, observable, parameter, state, variant

WHY = Assumed("a test of carsim")


class Blood(State):
    virus: float = state(1.0, "IU/mL", "virus in blood", WHY, atol=1e-9)


class Rates(Parameters):
    growth: float = parameter(0.01, "1/day", "growth of the virus", WHY, lower=-1.0)
    kill: float = parameter(0.0, "1/day", "loss under treatment", WHY)
    runaway: float = parameter(0.0, "mL/IU/day", "growth that ends in a pole", WHY)
    surface: float = parameter(0.01, "IU/mL", "HBsAg, below its detection limit", WHY)


@observable("IU/mL", "HBV DNA in serum")
def hbv_dna(t: float, y: Blood, p: Rates) -> float:
    return y.virus


@observable("IU/mL", "HBsAg in serum")
def hbsag(t: float, y: Blood, p: Rates) -> float:
    return p.surface


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    return Blood(virus=(p.growth - p.kill) * y.virus + p.runaway * y.virus * y.virus)


MODEL = Model(
    "toy_hbv",
    rhs,
    Blood,
    Rates,
    observables=(hbv_dna, hbsag),
    variants=(
        variant("slow", "slow growth", {"growth": (0.005, WHY)}, group="speed"),
        variant("fast", "fast growth", {"growth": (0.02, WHY)}, group="speed"),
    ),
)
