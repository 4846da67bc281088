"""Dexamethasone as an amount that acts: biological, not plasma, half-life."""

from carsim import Assumed, Parameters, State, parameter, state


class Dexamethasone(State):
    amount: float = state(0.0, "mg", "dexamethasone that acts", atol=1e-5)


class DexamethasoneRates(Parameters):
    k: float = parameter(
        1.0, "1/day", "loss of effect", Assumed("between plasma (4 h) and biological (36 to 54 h)")
    )
    D_50: float = parameter(
        3.0,
        "mg",
        "amount for half the effect",
        Assumed("10 mg then gives three quarters of the effect"),
        plausible=(1.0, 10.0),
        lower=1e-6,
    )


def effect(y: Dexamethasone, p: DexamethasoneRates) -> float:
    """Return the effect, 0 to 1, that all modules share."""
    return y.amount / (y.amount + p.D_50)


def derivatives(y: Dexamethasone, p: DexamethasoneRates) -> Dexamethasone:
    """Return the rates of change."""
    return Dexamethasone(amount=-p.k * y.amount)
