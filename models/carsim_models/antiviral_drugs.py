"""Nucleoside analogues against chronic hepatitis B: the drug of cart_hbv and a two-phase decline.

A composed model of our own. Entecavir by mouth (cart_hbv/entecavir.py: absorption, two
compartments, triphosphate) blocks virion production in the basic model of virus V, infected cells
I and target cells T, which starts from its untreated steady state. While the drug holds a constant
efficacy eps and no new cells are infected (eta = 1), the virus follows the closed form of Lewin et
al. (2001, Hepatology 34:1012):

    V/V(0) = A exp(-c t) + (1 - A) exp(-delta t),   A = (c eps - delta)/(c - delta)

The variants `entecavir`, `lamivudine` and `tenofovir` are those of cart_hbv/antivirals.py. The
latter two are represented by their effect: the drug module stands for them with entecavir's
pharmacokinetics in plasma, and 0.5 mg a day into the route `entecavir` for their usual daily dose.
"""

from carsim import (
    Assumed,
    Cited,
    Derived,
    Model,
    Parameters,
    State,
    observable,
    parameter,
    route,
    state,
)
from carsim.math import log
from carsim_models.cart_hbv import entecavir as entecavir_module
from carsim_models.cart_hbv.antivirals import ANTIVIRALS

LEWIN = Derived("ln 2 over 7.2 d, half-life of the second phase (Lewin 2001, abstract)")
CORTES_RIOS = Cited("10.1002/cpt.3718").at("fixed parameters")
SPREAD = Assumed("costs 0.1 decades in 12 weeks of entecavir, slows lamivudine by a fifth")


class Infection(State):
    target: float = state(6.8e5, "cell/mL", "target cells", atol=1e-3)
    infected: float = state(5.4e5, "cell/mL", "infected cells", atol=1e-8)
    virus: float = state(8.0e7, "copy/mL", "HBV DNA in serum", atol=1e-7)


class InfectionRates(Parameters):
    s: float = parameter(
        5.44e4,
        "cell/mL/day",
        "production of target cells",
        Assumed("d times the 1.36e7 cells/mL of a liver"),
        lower=1e-9,
    )
    d: float = parameter(
        0.004, "1/day", "death of target cells", Assumed("as in Dahari 2009"), lower=1e-9
    )
    R_0: float = parameter(
        20.0, "1", "cells that an infected one infects in an uninfected liver", SPREAD, lower=1.0
    )
    delta: float = parameter(
        0.0963, "1/day", "loss of infected cells", LEWIN, plausible=(0.06, 0.12), lower=1e-9
    )
    p: float = parameter(100.0, "copy/cell/day", "virion production", CORTES_RIOS, lower=1e-9)
    c: float = parameter(
        0.67, "1/day", "clearance of virus", CORTES_RIOS, plausible=(0.5, 4.0), lower=1e-9
    )
    eta: float = parameter(
        0.0, "1", "blocked infections", Assumed("the drugs act on production"), upper=1.0
    )
    V_unit: float = parameter(
        1.0, "copy/mL", "unit of the logarithm", Derived("log10 is of copies per mL")
    )


class Patient(State):
    infection: Infection
    entecavir: entecavir_module.Entecavir


class PatientRates(Parameters):
    infection: InfectionRates
    entecavir: entecavir_module.EntecavirRates


def initialise(p: PatientRates) -> tuple[Patient, PatientRates]:
    """Return the untreated steady state, and the potency of the drug turned into its EC_50."""
    q = p.infection
    target = q.s / (q.d * q.R_0)
    infected = (q.s - q.d * target) / q.delta
    infection = Infection(target=target, infected=infected, virus=q.p * infected / q.c)
    nothing = entecavir_module.Entecavir(gut=0.0, central=0.0, peripheral=0.0, triphosphate=0.0)
    return (
        Patient(infection=infection, entecavir=nothing),
        p._replace(entecavir=entecavir_module.prepare(p.entecavir)),
    )


def rhs(t: float, y: Patient, p: PatientRates) -> Patient:
    """Return the rates of change."""
    q, host = p.infection, y.infection
    infectivity = q.R_0 * q.c * q.delta * q.d / (q.s * q.p)
    infected = (1.0 - q.eta) * infectivity * host.virus * host.target
    left = entecavir_module.residual(y.entecavir, p.entecavir)
    return Patient(
        infection=Infection(
            target=q.s - q.d * host.target - infected,
            infected=infected - q.delta * host.infected,
            virus=left * q.p * host.infected - q.c * host.virus,
        ),
        entecavir=entecavir_module.derivatives(y.entecavir, p.entecavir),
    )


@observable("1", "log10 of HBV DNA in copies per mL")
def log10_hbv_dna(t: float, y: Patient, p: PatientRates) -> float:
    return log(y.infection.virus / p.infection.V_unit) / log(10.0)


@observable("ng/mL", "entecavir in plasma")
def entecavir(t: float, y: Patient, p: PatientRates) -> float:
    return entecavir_module.concentration(y.entecavir, p.entecavir)


@observable("1", "share of virion production that the drug blocks")
def antiviral_efficacy(t: float, y: Patient, p: PatientRates) -> float:
    return entecavir_module.efficacy(y.entecavir, p.entecavir)


@observable("1/day", "hazard that the virus turns resistant to the drug")
def entecavir_resistance_hazard(t: float, y: Patient, p: PatientRates) -> float:
    return entecavir_module.resistance_hazard(y.entecavir, p.entecavir)


MODEL = Model(
    "antiviral_drugs",
    rhs,
    Patient,
    PatientRates,
    time_unit="day",
    observables=(log10_hbv_dna, entecavir, antiviral_efficacy, entecavir_resistance_hazard),
    routes=(
        route(
            "entecavir",
            "mg",
            "entecavir by mouth",
            {"entecavir.gut": lambda p: p.entecavir.per_mg},
        ),
    ),
    variants=ANTIVIRALS,
    initialise=initialise,
    area="composed",
)
