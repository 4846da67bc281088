"""Complex decline of HBV under therapy (Dahari, Shudo, Ribeiro and Perelson 2009).

Uninfected hepatocytes T and infected ones I both proliferate towards T_max; infected cells may
cure themselves at rate rho. Therapy blocks a fraction eps of the virion production and a fraction
eta of the infections from the start of the simulation on, and the simulation starts from the
untreated steady state, which is computed in closed form. The defaults are the biphasic line of
Fig 2A: total effectiveness 1 - (1 - eps)(1 - eta) = 0.94.

Reference
    H. Dahari, E. Shudo, R. M. Ribeiro, A. S. Perelson (2009). Modeling complex decay profiles of
    hepatitis B virus during antiviral therapy. Hepatology 49:32-38. doi:10.1002/hep.22586
"""

from carsim import Assumed, Cited, Derived, Model, Parameters, State, observable, parameter, state
from carsim.math import log, sqrt

PAPER = Cited("10.1002/hep.22586")
FIGURE = PAPER.at("Figure 2 caption")


class Liver(State):
    T: float = state(3.29e5, "cell/mL", "uninfected hepatocytes", atol=1e-3)
    I: float = state(8.53e6, "cell/mL", "infected hepatocytes", atol=1e-6)
    V: float = state(2.25e8, "virion/mL", "virus", atol=1e-6)


class Rates(Parameters):
    s: float = parameter(1.0, "cell/mL/day", "hepatocytes from precursors", FIGURE, lower=0.0)
    r_T: float = parameter(3.0, "1/day", "proliferation of uninfected cells", FIGURE, lower=0.0)
    r_ratio: float = parameter(
        8.5, "1", "r_T / r_I: uninfected over infected proliferation", FIGURE, lower=0.01
    )
    T_max: float = parameter(1.9e7, "cell/mL", "capacity of the liver", FIGURE, lower=1.0)
    d_T: float = parameter(0.004, "1/day", "death of uninfected cells", FIGURE, lower=0.0)
    b: float = parameter(7.1e-9, "mL/virion/day", "infection", FIGURE, lower=0.0)
    delta: float = parameter(0.25, "1/day", "death of infected cells", FIGURE, lower=0.0)
    rho: float = parameter(0.0, "1/day", "cure of infected cells", FIGURE, lower=0.0)
    p: float = parameter(92.3, "virion/cell/day", "virion production", FIGURE, lower=0.0)
    c: float = parameter(3.5, "1/day", "virion clearance", FIGURE, lower=0.0)
    eta: float = parameter(0.5, "1", "blocked infections", FIGURE, lower=0.0, upper=1.0)
    eps: float = parameter(
        0.88,
        "1",
        "blocked production",
        Derived("total effectiveness 0.94 of Fig 2A with eta 0.5: 1 - 0.06/0.5"),
        lower=0.0,
        upper=1.0,
    )
    V_unit: float = parameter(
        1.0, "virion/mL", "unit of the logarithm", Assumed("log10 is of virions per mL")
    )


def initial(p: Rates) -> Liver:
    """Return the infected steady state without therapy.

    With V = p I / c, dI/dt = 0 makes I linear in T, and dT/dt = 0 then is a quadratic in T with
    exactly one positive root.
    """
    r_I = p.r_T / p.r_ratio
    k = p.b * p.p / p.c
    loss = p.delta + p.rho
    at_zero = p.T_max * (1.0 - loss / r_I)
    slope = p.T_max * k / r_I - 1.0
    quadratic = k * (p.r_ratio + slope)
    linear = p.r_ratio * loss - p.d_T - k * at_zero + p.rho * slope
    constant = p.s + p.rho * at_zero
    T = (linear + sqrt(linear * linear + 4.0 * quadratic * constant)) / (2.0 * quadratic)
    I = at_zero + slope * T
    return Liver(T=T, I=I, V=p.p * I / p.c)


def rhs(t: float, y: Liver, p: Rates) -> Liver:
    """Return the rates of change."""
    room = 1.0 - (y.T + y.I) / p.T_max
    infection = (1.0 - p.eta) * p.b * y.V * y.T
    cure = p.rho * y.I
    return Liver(
        T=p.s + p.r_T * y.T * room - p.d_T * y.T - infection + cure,
        I=p.r_T / p.r_ratio * y.I * room + infection - p.delta * y.I - cure,
        V=(1.0 - p.eps) * p.p * y.I - p.c * y.V,
    )


@observable("1", "log10 of the virus in virions per mL")
def log10_virus(t: float, y: Liver, p: Rates) -> float:
    return log(y.V / p.V_unit) / log(10.0)


@observable("1", "critical total effectiveness above which the virus is cleared")
def critical_effectiveness(t: float, y: Liver, p: Rates) -> float:
    T_0 = p.T_max * (1.0 - p.d_T / p.r_T)
    loss = p.delta + p.rho - p.r_T / p.r_ratio * (1.0 - T_0 / p.T_max)
    return 1.0 - p.c * loss / (p.b * p.p * T_0)


MODEL = Model(
    "dahari_2009",
    rhs,
    Liver,
    Rates,
    time_unit="day",
    observables=(log10_virus, critical_effectiveness),
    initial=initial,
    reference="doi:10.1002/hep.22586",
    area="virus",
)
