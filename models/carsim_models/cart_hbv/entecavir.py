"""Entecavir by mouth: absorption, two compartments, and the triphosphate in hepatocytes.

The triphosphate is followed as the plasma concentration that would hold it (an effect
compartment). It leaves a share EC_50/(EC_50 + triphosphate) of the virion production; EC_50 is
such that 0.5 mg a day lowers production by `potency` decades at steady state.

A resistant virus needs `fold_resistance` times the EC_50. The model has one virus, so resistance
is a change of that parameter while the simulation runs, for the whole virus at once; the hazard
of it says when. The hazard takes the efficacy against the wild type, whatever the virus is now: it
is the wild type that the drug must hold down for a resistant virus to win. It does not depend on
the amount of virus.
"""

from carsim import Assumed, Derived, Parameters, State, computed, parameter, state
from carsim.math import exp, log

FIT = Derived("least squares on the label's Cmax, trough, half-life and accumulation")


# A floor that no assay sees, 1 pg/mL in the central volume; daily tablets take 18 steps a day then,
# and 23 with a floor of a fiftieth.
FLOOR = 0.05


class Entecavir(State):
    gut: float = state(0.0, "ug", "entecavir to be absorbed", atol=FLOOR)
    central: float = state(0.0, "ug", "entecavir, central", atol=FLOOR)
    peripheral: float = state(0.0, "ug", "entecavir, peripheral", atol=FLOOR)
    triphosphate: float = state(0.0, "ug/L", "active triphosphate, as plasma", atol=1e-7)


class EntecavirRates(Parameters):
    k_a: float = parameter(37.7, "1/day", "absorption", FIT)
    CL: float = parameter(
        772.8, "L/day", "apparent clearance", FIT, plausible=(400.0, 1200.0), lower=1.0
    )
    V_1: float = parameter(50.0, "L", "apparent central volume", FIT, lower=1e-3)
    Q: float = parameter(912.0, "L/day", "apparent distribution", FIT)
    V_2: float = parameter(3450.0, "L", "apparent peripheral volume", FIT, lower=1e-3)
    k_TP: float = parameter(
        1.109, "1/day", "turnover of the triphosphate", Assumed("half-life 15 h, unverified")
    )
    dose_0: float = parameter(
        500.0, "ug/day", "dose that defines the potency", Derived("0.5 mg a day"), lower=1e-6
    )
    potency: float = parameter(
        2.7,
        "1",
        "decades by which that dose lowers production",
        Assumed("0.998; published first-phase falls ask for 0.998 to 0.9995"),
        plausible=(1.3, 3.2),
        lower=1e-3,
    )
    fold_resistance: float = parameter(
        1.0,
        "1",
        "EC_50 of the virus over that of the wild type",
        Derived("1 is the wild type"),
        plausible=(1.0, 1000.0),
        lower=1e-3,
    )
    resistance: float = parameter(
        6.61e-6,
        "1/day",
        "hazard of resistance when the drug blocks all production",
        Derived("-ln(1 - 0.012) over 5 years: 1.2 % of nucleoside-naive patients (Tenney)"),
        plausible=(5e-6, 1e-3),
    )
    per_mg: float = parameter(1000.0, "ug/mg", "ug in a mg", Derived("doses are in mg"), lower=1.0)
    EC_50: float = computed("ug/L", "triphosphate that halves production", Derived("from potency"))


def prepare(p: EntecavirRates) -> EntecavirRates:
    """Return the parameters with the computed one filled in."""
    return p._replace(EC_50=p.dose_0 / p.CL / (exp(p.potency * log(10.0)) - 1.0))


def concentration(y: Entecavir, p: EntecavirRates) -> float:
    """Return the concentration in plasma, ug/L."""
    return y.central / p.V_1


def residual(y: Entecavir, p: EntecavirRates) -> float:
    """Return the share of virion production that is left."""
    half = p.EC_50 * p.fold_resistance
    return half / (half + y.triphosphate)


def efficacy(y: Entecavir, p: EntecavirRates) -> float:
    """Return the share of virion production that is blocked, exactly 0 without drug."""
    return y.triphosphate / (p.EC_50 * p.fold_resistance + y.triphosphate)


def resistance_hazard(y: Entecavir, p: EntecavirRates) -> float:
    """Return the hazard (1/day) that the virus turns resistant; none without drug."""
    return p.resistance * y.triphosphate / (p.EC_50 + y.triphosphate)


def derivatives(y: Entecavir, p: EntecavirRates) -> Entecavir:
    """Return the rates of change."""
    c = concentration(y, p)
    absorbed = p.k_a * y.gut
    exchange = p.Q * (c - y.peripheral / p.V_2)
    return Entecavir(
        gut=-absorbed,
        central=absorbed - p.CL * c - exchange,
        peripheral=exchange,
        triphosphate=p.k_TP * (c - y.triphosphate),
    )
