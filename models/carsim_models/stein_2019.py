"""Cellular kinetics of tisagenlecleucel in blood (Stein et al. 2019).

The empirical model of transgene copies in blood after infusion at t = 0: effector cells E
grow exponentially until T_max and then decline fast (alpha) into a small memory pool M that
declines slowly (beta). C = E + M is what qPCR sees. Tocilizumab and corticosteroids multiply
the growth rate from their first dose until T_max; the estimates say that neither damps the
expansion. A start time of 1000 d means "not given".

Time is days since the infusion: simulate from 0. The right-hand side switches branch at T_max,
T_toci and T_ster. Step-size control finds the switch by rejected steps, within tolerance; a
stop placed there (any therapy item that starts at T_max) makes the step land on it exactly.

Between-patient variability, log-normal: foldx 2.4, T_max 0.38, C_max 0.65, alpha 0.91, F_B 0.80,
beta 0.86; residual 0.56 on log C. The table does not say whether these are standard deviations or
variances; we read standard deviations (what Monolix reports, and the stated precision of an omega
fits that), and `plausible` spans 1.96 of them. Another transcription reads variances.

Reference
    A. M. Stein et al. (2019). Tisagenlecleucel model-based cellular kinetic analysis of chimeric
    antigen receptor-T cells. CPT Pharmacometrics Syst. Pharmacol. 8:285-295.
    doi:10.1002/psp4.12388
"""

from carsim import Assumed, Cited, Model, Parameters, State, observable, parameter, state
from carsim.math import exp, log, where

PAPER = Cited("10.1002/psp4.12388")
TABLE = PAPER.at("Table 1")
NEVER = Assumed("1000 d stands for never given; give the day of the first dose")


class Blood(State):
    E: float = state(6.153846153846154, "copy/ug", "effector CAR-T cells", atol=1e-6)
    M: float = state(0.0, "copy/ug", "memory CAR-T cells", atol=1e-6)


class Rates(Parameters):
    foldx: float = parameter(
        3900.0, "1", "fold expansion from t = 0 to T_max", TABLE, plausible=(35.0, 4.3e5), lower=1.0
    )
    T_max: float = parameter(
        9.3, "day", "time of the peak", TABLE, plausible=(4.4, 19.6), lower=0.1
    )
    C_max: float = parameter(
        24000.0,
        "copy/ug",
        "peak without co-medication",
        TABLE,
        plausible=(6700.0, 8.6e4),
        lower=0.0,
    )
    alpha: float = parameter(
        0.16, "1/day", "fast decline of effectors", TABLE, plausible=(0.027, 0.95), lower=0.0
    )
    F_B: float = parameter(
        0.0079, "1", "fraction that becomes memory", TABLE, plausible=(0.0016, 0.038), lower=0.0
    )
    beta: float = parameter(
        0.0032, "1/day", "slow decline of memory", TABLE, plausible=(0.0006, 0.017), lower=0.0
    )
    F_toci: float = parameter(1.2, "1", "tocilizumab's factor on growth", TABLE, lower=0.0)
    F_ster: float = parameter(1.0, "1", "steroids' factor on growth", TABLE, lower=0.0)
    T_toci: float = parameter(1000.0, "day", "first dose of tocilizumab", NEVER)
    T_ster: float = parameter(1000.0, "day", "first dose of corticosteroid", NEVER)


def initial(p: Rates) -> Blood:
    """Return the effectors from which growth reaches C_max at T_max."""
    return Blood(E=p.C_max / p.foldx, M=0.0)


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    """Return the rates of change."""
    rho = log(p.foldx) / p.T_max
    factor = where(t < p.T_toci, 1.0, p.F_toci) * where(t < p.T_ster, 1.0, p.F_ster)
    to_memory = p.F_B * (p.alpha - p.beta)
    return Blood(
        E=where(t < p.T_max, factor * rho, -p.alpha) * y.E,
        M=where(t < p.T_max, 0.0, to_memory) * y.E - p.beta * y.M,
    )


@observable("copy/ug", "CAR transgene in blood")
def transgene(t: float, y: Blood, p: Rates) -> float:
    return y.E + y.M


@observable("copy/ug", "CAR transgene in blood, closed form without co-medication")
def transgene_closed_form(t: float, y: Blood, p: Rates) -> float:
    after = t - p.T_max
    decline = (1.0 - p.F_B) * exp(-p.alpha * after) + p.F_B * exp(-p.beta * after)
    return p.C_max * where(t < p.T_max, exp(log(p.foldx) * after / p.T_max), decline)


MODEL = Model(
    "stein_2019",
    rhs,
    Blood,
    Rates,
    time_unit="day",
    observables=(transgene, transgene_closed_form),
    initial=initial,
    reference="doi:10.1002/psp4.12388",
    area="CAR-T and leukemia",
)
