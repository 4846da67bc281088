"""Phenotypes of CD19 CAR-T cells and tumor volume in lymphoma (Mueller-Schoell et al. 2021).

Axicabtagene ciloleucel in 19 patients. Naive TN, central memory TCM and effector memory TEM expand
on contact with tumor, each limited by its own count, and mature along the chain to effectors TEff;
all four kill the CD19+ metabolic tumor volume Tum. Equations 5-11 of the paper. There is no dose:
the model starts with 0.1 cell/uL of each phenotype after the distribution of the infused cells.

The maximal rate of expansion has two classes of patients (`low_expander`, 19.7 %), is larger after
an autologous transplant (`prior_asct`) and, in the reference class alone, falls with the ratio of
CD4+ to CD8+ CAR-T cells on day 7, which is 1 unless given.

Between-patient variability, log-normal CV: Vmax1_base 150 % (reference class), Vmax5_TCM 307 %.
Residual CV: TN 59, TCM 86, TEM 120, TEff 71, tumor 115 %. Not part of this file.

Reference
    A. Mueller-Schoell et al. (2021). Early survival prediction framework in CD19-specific CAR-T
    cell immunotherapy using a quantitative systems pharmacology model. Cancers 13:2782.
    doi:10.3390/cancers13112782
"""

from carsim import Assumed, Cited, Model, Parameters, State, observable, parameter, state, variant
from carsim.math import power

PAPER = Cited("10.3390/cancers13112782")
TABLE = PAPER.at("Table 1, as transcribed in nlmixr2lib")
IMPUTED = PAPER.at("Section 3.1.4, as transcribed in nlmixr2lib")


class Patient(State):
    TN: float = state(0.1, "cell/uL", "naive CAR-T cells")
    TCM: float = state(0.1, "cell/uL", "central memory CAR-T cells")
    TEM: float = state(0.1, "cell/uL", "effector memory CAR-T cells")
    TEff: float = state(0.1, "cell/uL", "effector CAR-T cells")
    Tum: float = state(85.7, "mL", "CD19+ metabolic tumor volume", atol=1e-9)


class Rates(Parameters):
    Vmax1_base: float = parameter(
        0.00846, "cell/uL/day/mL", "maximal expansion per tumor volume", TABLE
    )
    ASCT: float = parameter(
        0.0, "1", "1 after an autologous transplant", Assumed("12 of 19 had none"), upper=1.0
    )
    ASCT_Vmax1: float = parameter(2.53, "1", "relative gain of expansion after it", TABLE)
    CD4_CD8: float = parameter(
        1.0,
        "1",
        "CD4+ over CD8+ CAR-T cells on day 7",
        Assumed("the ratio to which Table 1 refers"),
        plausible=(0.0512, 8.94),
        lower=1e-3,
    )
    CD4_CD8_exp: float = parameter(-0.385, "1", "its exponent", TABLE, lower=-10.0)
    KM1: float = parameter(1.13, "cell/uL", "count at half-maximal expansion", TABLE, lower=1e-6)
    k12: float = parameter(0.140, "1/day", "naive to central memory", TABLE)
    k23: float = parameter(0.191, "1/day", "central to effector memory", TABLE)
    k34: float = parameter(0.355, "1/day", "effector memory to effector", TABLE)
    ke1: float = parameter(0.0104, "1/day", "death of naive cells, 0.02 ke4", TABLE)
    ke2: float = parameter(0.0104, "1/day", "death of central memory cells, 0.02 ke4", TABLE)
    ke3: float = parameter(0.0104, "1/day", "death of effector memory cells, 0.02 ke4", TABLE)
    ke4: float = parameter(0.518, "1/day", "death of effectors", TABLE)
    kp1: float = parameter(0.0005, "1/day", "homeostatic growth of naive cells", TABLE)
    kp2: float = parameter(0.007, "1/day", "homeostatic growth of central memory cells", TABLE)
    kp3: float = parameter(0.007, "1/day", "homeostatic growth of effector memory cells", TABLE)
    Vmax5_TN: float = parameter(2.57, "mL*uL/cell/day", "killing by naive cells", TABLE)
    Vmax5_TCM: float = parameter(4.04, "mL*uL/cell/day", "killing by central memory cells", TABLE)
    Vmax5_TEM: float = parameter(3.78, "mL*uL/cell/day", "killing by effector memory cells", TABLE)
    Vmax5_TEff: float = parameter(4.24, "mL*uL/cell/day", "killing by effectors", TABLE)
    KM5: float = parameter(276.0, "mL", "tumor at half-maximal killing", TABLE, lower=1e-6)
    k5: float = parameter(0.0023, "1/day", "growth of tumor", TABLE)
    K0: float = parameter(5000.0, "mL", "largest tumor", TABLE, lower=1e-6)
    T_initial: float = parameter(0.1, "cell/uL", "each phenotype at the start", IMPUTED)
    Tum_initial: float = parameter(
        85.7,
        "mL",
        "tumor at the start",
        PAPER.at("Table S1, median and range, as transcribed in nlmixr2lib"),
        plausible=(2.54, 3555.0),
    )


def initial(p: Rates) -> Patient:
    """Return the imputed cells and the measured tumor."""
    T = p.T_initial
    return Patient(TN=T, TCM=T, TEM=T, TEff=T, Tum=p.Tum_initial)


def rhs(t: float, y: Patient, p: Rates) -> Patient:
    """Return the rates of change."""
    Vmax1 = p.Vmax1_base * (1.0 + p.ASCT_Vmax1 * p.ASCT) * power(p.CD4_CD8, p.CD4_CD8_exp)
    drive = Vmax1 * y.Tum
    kill = p.Vmax5_TN * y.TN + p.Vmax5_TCM * y.TCM + p.Vmax5_TEM * y.TEM + p.Vmax5_TEff * y.TEff
    return Patient(
        TN=drive * y.TN / (p.KM1 + y.TN) + (p.kp1 - p.k12 - p.ke1) * y.TN,
        TCM=drive * y.TCM / (p.KM1 + y.TCM) + (p.kp2 - p.k23 - p.ke2) * y.TCM + p.k12 * y.TN,
        TEM=drive * y.TEM / (p.KM1 + y.TEM) + (p.kp3 - p.k34 - p.ke3) * y.TEM + p.k23 * y.TCM,
        TEff=p.k34 * y.TEM - p.ke4 * y.TEff,
        Tum=p.k5 * (1.0 - y.Tum / p.K0) * y.Tum - kill * y.Tum / (p.KM5 + y.Tum),
    )


@observable("cell/uL", "CAR-T cells of all phenotypes")
def car_t(t: float, y: Patient, p: Rates) -> float:
    return y.TN + y.TCM + y.TEM + y.TEff


MODEL = Model(
    "mueller_schoell_2021",
    rhs,
    Patient,
    Rates,
    time_unit="day",
    observables=(car_t,),
    variants=(
        variant("reference", "reference expansion, 80.3 % of patients", {}, group="expansion"),
        variant(
            "low_expander",
            "low expansion, 19.7 % of patients",
            {
                "Vmax1_base": (0.000700, TABLE),
                "CD4_CD8_exp": (0.0, PAPER.at("Equation 11, as transcribed in nlmixr2lib")),
            },
            group="expansion",
        ),
        variant(
            "prior_asct",
            "autologous transplant before",
            {"ASCT": (1.0, PAPER.at("Equations 10 and 11, as transcribed in nlmixr2lib"))},
        ),
    ),
    initial=initial,
    reference="doi:10.3390/cancers13112782",
    area="CAR-T and leukemia",
)
