"""A drug by mouth or by vein, and a marker that it lowers: a model to write therapies for.

Two compartments with first-order absorption; clearance grows with body weight. The marker is made
at a constant rate and removed by itself and by the drug. All numbers are invented.
"""

from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state

INVENTED = Assumed("an example")


class Drug(State):
    gut: float = state(0.0, "mg", "drug to be absorbed", atol=1e-6)
    central: float = state(0.0, "mg", "drug, central", atol=1e-6)
    peripheral: float = state(0.0, "mg", "drug, peripheral", atol=1e-6)
    marker: float = state(100.0, "U/L", "marker of the disease", INVENTED, atol=1e-4)


class Rates(Parameters):
    weight: float = parameter(70.0, "kg", "body weight", INVENTED, lower=1.0)
    weight_0: float = parameter(70.0, "kg", "body weight of the other numbers", INVENTED, lower=1.0)
    k_a: float = parameter(12.0, "1/day", "absorption", INVENTED)
    CL: float = parameter(20.0, "L/day", "clearance", INVENTED, lower=1e-6)
    V_1: float = parameter(15.0, "L", "central volume", INVENTED, lower=1e-6)
    Q: float = parameter(10.0, "L/day", "distribution", INVENTED)
    V_2: float = parameter(30.0, "L", "peripheral volume", INVENTED, lower=1e-6)
    lag: float = parameter(0.25, "day", "lag of absorption", INVENTED)
    F: float = parameter(0.6, "1", "bioavailability by mouth", INVENTED, upper=1.0)
    k_M: float = parameter(0.3, "1/day", "turnover of the marker", INVENTED)
    M_0: float = parameter(100.0, "U/L", "marker without drug", INVENTED)
    slope: float = parameter(1.0, "L/mg/day", "removal of the marker by the drug", INVENTED)
    risk: float = parameter(5e-4, "L/U/day", "hazard of harm per unit of the marker", INVENTED)


def concentration_of(y: Drug, p: Rates) -> float:
    """Return the concentration in plasma, mg/L."""
    return y.central / p.V_1


def rhs(t: float, y: Drug, p: Rates) -> Drug:
    """Return the rates of change."""
    c = concentration_of(y, p)
    absorbed = p.k_a * y.gut
    exchange = p.Q * (c - y.peripheral / p.V_2)
    cleared = p.CL * p.weight / p.weight_0 * c
    return Drug(
        gut=-absorbed,
        central=absorbed - cleared - exchange,
        peripheral=exchange,
        marker=p.k_M * (p.M_0 - y.marker) - p.slope * c * y.marker,
    )


@observable("mg/L", "concentration in plasma")
def concentration(t: float, y: Drug, p: Rates) -> float:
    return concentration_of(y, p)


@observable("1/day", "hazard of harm")
def harm(t: float, y: Drug, p: Rates) -> float:
    return p.risk * y.marker


MODEL = Model(
    "drug",
    rhs,
    Drug,
    Rates,
    observables=(concentration, harm),
    routes=(
        route("oral", "mg", "tablet", {"gut": 1.0}),
        route("iv", "mg", "injection or infusion", {"central": 1.0}),
    ),
)
