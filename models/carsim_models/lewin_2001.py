"""Decline of HBV under potent therapy (Lewin et al. 2001).

The basic model with two effects of therapy: it blocks a share eps of the virion production and a
share eta of the infections. The simulation starts from the untreated steady state, and therapy
acts from t_0 on (the paper's patients had a mean delay of 1.6 days). If no new cells are infected
(eta = 1, the default), the virus follows a closed form, the observable `virus_closed_form`:

    V/V(0) = A exp(-c t) + (1 - A) exp(-delta t),   A = (c eps - delta)/(c - delta)

with t since t_0: a first phase of about log10(1/(1 - eps)) decades, a second with the loss of
infected cells.

Of the paper we have read the abstract: the delay, the range of half-lives of the first phase (1
to 92 hours: the variants `fastest` and `slowest`) and the half-life of the second. It says that
infected cells may also be lost without dying; here delta is their loss by whatever way, and cured
cells do not return to the target cells. Flat second phases and staircases, which some patients
showed, need more than this closed form. The effectiveness of the drugs is that of a companion
study of the same therapy (Lau et al. 2000, Hepatology 32:394-399, abstract). Turnover of target
cells, infection and the clearance by default are assumptions.

The right-hand side switches at t_0. Step-size control finds the switch within tolerance; any
therapy item that starts at t_0 makes the step land on it exactly.

Reference
    S. R. Lewin et al. (2001). Analysis of hepatitis B viral load decline under potent therapy:
    complex decay profiles observed. Hepatology 34:1012-1020. doi:10.1053/jhep.2001.28509
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
    state,
    variant,
)
from carsim.math import exp, log, maximum, where

ABSTRACT = Cited("10.1053/jhep.2001.28509").at("abstract")
COMPANION = Cited("10.1053/jhep.2000.9143").at("abstract, mean antiviral efficacy")
PHASE = Derived("ln 2 over the half-life of a first phase (abstract)")


class Blood(State):
    T: float = state(6.8e5, "cell/mL", "target cells", atol=1e-3)
    I: float = state(5.37e5, "cell/mL", "infected cells", atol=1e-6)
    V: float = state(7.75e7, "virion/mL", "virus", atol=1e-9)


class Rates(Parameters):
    s: float = parameter(
        5.44e4,
        "cell/mL/day",
        "production of target cells",
        Assumed("d times 1.36e7 cells/mL, 2e11 hepatocytes in 15 L"),
        lower=1e-9,
    )
    d: float = parameter(
        0.004, "1/day", "death of target cells", Assumed("as in Dahari 2009"), lower=1e-9
    )
    R_0: float = parameter(
        20.0,
        "1",
        "cells that one infected cell infects in an uninfected liver",
        Assumed("of no effect on V/V(0) while eta is 1"),
        lower=1.0,
    )
    delta: float = parameter(
        0.09627,
        "1/day",
        "loss of infected cells",
        Derived("ln 2 over the half-life of the second phase, 7.2 d (abstract)"),
        plausible=(0.08, 0.12),
        lower=1e-9,
    )
    p: float = parameter(
        100.0, "virion/cell/day", "virion production", Assumed("of no effect on V/V(0)"), lower=1e-9
    )
    c: float = parameter(
        0.6931,
        "1/day",
        "clearance of virus",
        Assumed("half-life 1 d, as Nowak 1996 has it; between the abstract's 1 and 92 h"),
        plausible=(0.18, 17.0),
        lower=1e-9,
    )
    eps: float = parameter(
        0.988,
        "1",
        "blocked production, lamivudine and famciclovir",
        COMPANION,
        plausible=(0.9, 0.999),
        upper=1.0,
    )
    eta: float = parameter(
        1.0, "1", "blocked infections", Assumed("all: the closed form holds"), upper=1.0
    )
    t_0: float = parameter(1.6, "day", "delay until therapy acts", ABSTRACT)
    V_unit: float = parameter(
        1.0, "virion/mL", "unit of the logarithm", Derived("log10 is of virions per mL")
    )


def infectivity(p: Rates) -> float:
    """Return the infection rate constant (mL/virion/day) that R_0 asks for."""
    return p.R_0 * p.c * p.delta * p.d / (p.s * p.p)


def initial(p: Rates) -> Blood:
    """Return the untreated steady state."""
    T = p.s / (p.d * p.R_0)
    I = (p.s - p.d * T) / p.delta
    return Blood(T=T, I=I, V=p.p * I / p.c)


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    """Return the rates of change."""
    infection = where(t < p.t_0, 1.0, 1.0 - p.eta) * infectivity(p) * y.V * y.T
    production = where(t < p.t_0, 1.0, 1.0 - p.eps) * p.p * y.I
    return Blood(
        T=p.s - p.d * y.T - infection,
        I=infection - p.delta * y.I,
        V=production - p.c * y.V,
    )


@observable("1", "log10 of the virus in virions per mL")
def log10_virus(t: float, y: Blood, p: Rates) -> float:
    return log(y.V / p.V_unit) / log(10.0)


@observable("virion/mL", "virus by the closed form, no new infection")
def virus_closed_form(t: float, y: Blood, p: Rates) -> float:
    acting = maximum(t - p.t_0, 0.0)
    A = (p.c * p.eps - p.delta) / (p.c - p.delta)
    return initial(p).V * (A * exp(-p.c * acting) + (1.0 - A) * exp(-p.delta * acting))


MODEL = Model(
    "lewin_2001",
    rhs,
    Blood,
    Rates,
    time_unit="day",
    observables=(log10_virus, virus_closed_form),
    variants=(
        variant(
            "lamivudine",
            "lamivudine 150 mg a day (Lau 2000)",
            {"eps": (0.94, COMPANION)},
            group="drug",
        ),
        variant(
            "lamivudine_famciclovir",
            "lamivudine 150 mg a day and famciclovir 500 mg three times a day (Lau 2000)",
            {"eps": (0.988, COMPANION)},
            group="drug",
        ),
        variant(
            "fastest",
            "first phase with a half-life of 1 hour",
            {"c": (16.64, PHASE)},
            group="phase",
        ),
        variant(
            "slowest",
            "first phase with a half-life of 92 hours",
            {"c": (0.1808, PHASE)},
            group="phase",
        ),
    ),
    initial=initial,
    reference="doi:10.1053/jhep.2001.28509",
    area="virus",
)
