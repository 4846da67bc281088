"""Hepatitis B under prescribed immune depletion: the virus of cart_hbv with given drivers.

T-cell competence falls to L_min at t_depletion and returns from t_recovery on with time constant
tau_L. The other drivers are constants that therapy holds with windows: `depletion` (1/3 a day for
three days is a standard lymphodepletion), `steroid` (0 to 1) and `blocked` (share of the virion
production that an antiviral blocks).

Let a window start at t_depletion, so that the integrator stops at the jump.
"""

from carsim import Assumed, Derived, Model, Parameters, observable, parameter
from carsim.math import exp, maximum, where
from carsim_models.cart_hbv import hbv
from carsim_models.cart_hbv.hbv_observables import OBSERVABLES, Infected, InfectedRates
from carsim_models.cart_hbv.hbv_phases import PHASES
from carsim_models.cart_hbv.hbv_steady_state import steady_state

GIVEN = Assumed("prescribed by the scenario")


class Drivers(Parameters):
    L_min: float = parameter(
        0.3, "1", "competence after depletion", GIVEN, plausible=(0.05, 0.9), upper=1.0
    )
    tau_L: float = parameter(
        200.0, "day", "recovery of competence", GIVEN, plausible=(75.0, 540.0), lower=1e-3
    )
    t_depletion: float = parameter(
        -5.0, "day", "fall of competence", Derived("first day of conditioning"), lower=-1e6
    )
    t_recovery: float = parameter(
        0.0, "day", "begin of its recovery", Derived("day of the infusion"), lower=-1e6
    )
    depletion: float = parameter(0.0, "1/day", "standard courses of lymphodepletion", GIVEN)
    steroid: float = parameter(0.0, "1", "effect of steroid", GIVEN, upper=1.0)
    blocked: float = parameter(0.0, "1", "blocked virion production", GIVEN, upper=1.0)


class PatientRates(InfectedRates):
    drivers: Drivers


def initialise(p: PatientRates) -> tuple[Infected, PatientRates]:
    """Return the untreated steady state and the parameters computed from it."""
    virus, rates = steady_state(p.hbv)
    return Infected(hbv=virus), p._replace(hbv=rates)


def competence(t: float, p: Drivers) -> float:
    """Return the T-cell competence, 1 before depletion."""
    recovered = 1.0 - exp(-maximum(t - p.t_recovery, 0.0) / p.tau_L)
    return where(t < p.t_depletion, 1.0, p.L_min + (1.0 - p.L_min) * recovered)


def rhs(t: float, y: Infected, p: PatientRates) -> Infected:
    """Return the rates of change."""
    return Infected(
        hbv=hbv.derivatives(
            y.hbv,
            p.hbv,
            competence=competence(t, p.drivers),
            depletion=p.drivers.depletion,
            steroid=p.drivers.steroid,
            il6_factor=1.0,
            production=1.0 - p.drivers.blocked,
            short_lived=1.0,
            long_lived=1.0,
        )
    )


@observable("1", "what T cells can do against a virus, before depletion 1")
def immune_competence(t: float, y: Infected, p: PatientRates) -> float:
    return competence(t, p.drivers)


@observable("1", "share of virion production that is blocked")
def antiviral_efficacy(t: float, y: Infected, p: PatientRates) -> float:
    return p.drivers.blocked


MODEL = Model(
    "hbv_immunodepletion",
    rhs,
    Infected,
    PatientRates,
    time_unit="day",
    observables=(*OBSERVABLES, immune_competence, antiviral_efficacy),
    variants=PHASES,
    initialise=initialise,
    area="composed",
)
