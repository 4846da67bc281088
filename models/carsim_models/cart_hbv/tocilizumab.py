"""Tocilizumab in plasma: two compartments, linear and saturable elimination (Frey 2010)."""

from carsim import Parameters, State, parameter, state
from carsim_models.cart_hbv.sources import FREY

TABLE = FREY.at("population estimates")


class Tocilizumab(State):
    central: float = state(0.0, "mg", "tocilizumab, central", atol=1e-4)
    peripheral: float = state(0.0, "mg", "tocilizumab, peripheral", atol=1e-4)


class TocilizumabRates(Parameters):
    CL: float = parameter(0.3, "L/day", "linear clearance", TABLE, plausible=(0.14, 0.63))
    V_1: float = parameter(3.5, "L", "central volume", TABLE, plausible=(1.7, 7.0), lower=1e-3)
    Q: float = parameter(0.2, "L/day", "distribution", TABLE)
    V_2: float = parameter(2.9, "L", "peripheral volume", TABLE, lower=1e-3)
    V_max: float = parameter(7.5, "mg/day", "saturable elimination", TABLE, plausible=(2.8, 20.0))
    K_m: float = parameter(2.7, "mg/L", "concentration for half of it", TABLE, lower=1e-6)


def concentration(y: Tocilizumab, p: TocilizumabRates) -> float:
    """Return the concentration in plasma, mg/L."""
    return y.central / p.V_1


def derivatives(y: Tocilizumab, p: TocilizumabRates) -> Tocilizumab:
    """Return the rates of change."""
    c = concentration(y, p)
    exchange = p.Q * (c - y.peripheral / p.V_2)
    return Tocilizumab(central=-(p.CL + p.V_max / (p.K_m + c)) * c - exchange, peripheral=exchange)
