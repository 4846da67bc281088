"""Cellular kinetics of lisocabtagene maraleucel in blood (Ogasawara et al. 2021).

The empirical population model of the transgene after infusion at t = 0: a lag, exponential growth
until T_max, biexponential decline of effector cells E into a memory pool M. The abstract gives the
five times, and nothing else of the paper was available to us. Hence

- the transgene is relative to its peak (the peak level was not found);
- the fraction F_B that becomes memory is that of tisagenlecleucel (Stein et al. 2019);
- T_max is taken from the infusion on, with the lag, during which the level stays as it is;
- between-patient variability, residual error and covariates are missing.

Simulate from 0. The right-hand side switches branch at t_lag and T_max, which step-size control
finds; a stop placed there (any therapy item that starts then) makes a step land on them.

Reference
    K. Ogasawara et al. (2021). Population cellular kinetics of lisocabtagene maraleucel, an
    autologous CD19-directed chimeric antigen receptor T-cell product, in patients with
    relapsed/refractory large B-cell lymphoma. Clin. Pharmacokinet. doi:10.1007/s40262-021-01039-5
"""

from carsim import Assumed, Cited, Model, Parameters, State, observable, parameter, state
from carsim.math import exp, log, where

ABSTRACT = Cited("10.1007/s40262-021-01039-5").at("abstract: population means, 95 % intervals")


class Blood(State):
    E: float = state(3.9789785e-3, "1", "effector CAR-T cells over the peak", atol=1e-9)
    M: float = state(0.0, "1", "memory CAR-T cells over the peak", atol=1e-9)


class Rates(Parameters):
    t_lag: float = parameter(3.27, "day", "lag before the growth", ABSTRACT, plausible=(2.71, 3.97))
    t_double: float = parameter(
        0.755, "day", "doubling time", ABSTRACT, plausible=(0.667, 0.821), lower=0.01
    )
    T_max: float = parameter(
        9.29, "day", "time of the peak", ABSTRACT, plausible=(8.81, 9.70), lower=0.1
    )
    t_alpha: float = parameter(
        5.00, "day", "half-life of the fast decline", ABSTRACT, plausible=(4.15, 5.90), lower=0.01
    )
    t_beta: float = parameter(
        352.0, "day", "half-life of the slow decline", ABSTRACT, plausible=(241.0, 647.0), lower=1.0
    )
    F_B: float = parameter(
        0.0079,
        "1",
        "fraction that becomes memory",
        Assumed("that of tisagenlecleucel, 10.1002/psp4.12388 Table 1; liso-cel's was not found"),
        upper=1.0,
    )


def initial(p: Rates) -> Blood:
    """Return the level from which the growth reaches 1 at T_max."""
    return Blood(E=exp(-log(2.0) * (p.T_max - p.t_lag) / p.t_double), M=0.0)


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    """Return the rates of change."""
    growth = where(t < p.t_lag, 0.0, log(2.0) / p.t_double)
    alpha, beta = log(2.0) / p.t_alpha, log(2.0) / p.t_beta
    return Blood(
        E=where(t < p.T_max, growth, -alpha) * y.E,
        M=where(t < p.T_max, 0.0, p.F_B * (alpha - beta)) * y.E - beta * y.M,
    )


@observable("1", "CAR transgene in blood over the peak")
def transgene(t: float, y: Blood, p: Rates) -> float:
    return y.E + y.M


@observable("1", "CAR transgene in blood over the peak, closed form")
def transgene_closed_form(t: float, y: Blood, p: Rates) -> float:
    growing = where(t < p.t_lag, p.t_lag, t)
    after = log(2.0) * (t - p.T_max)
    decline = (1.0 - p.F_B) * exp(-after / p.t_alpha) + p.F_B * exp(-after / p.t_beta)
    return where(t < p.T_max, exp(-log(2.0) * (p.T_max - growing) / p.t_double), decline)


MODEL = Model(
    "ogasawara_2021",
    rhs,
    Blood,
    Rates,
    time_unit="day",
    observables=(transgene, transgene_closed_form),
    initial=initial,
    reference="doi:10.1007/s40262-021-01039-5",
    area="CAR-T and leukemia",
)
