"""Anti-BCMA CAR-T cells in multiple myeloma (Singh et al. 2021), clinical model.

Idecabtagene vicleucel. Effector and memory CAR-T cells, e and m, move between blood (b) and bone
marrow (t). In the marrow their receptors bind BCMA on myeloma cells; complexes per CAR-T cell drive
the expansion of effectors, complexes per tumor cell the killing. M-protein and soluble BCMA in
serum follow the tumor. Concentrations per liter, as in the authors' Monolix code.

Of the three models of the paper this is the clinical one, fitted to the means of the phase 1 trial
CRB-401; its doses are 5e7, 1.5e8, 4.5e8 and 8e8 CAR-T cells. Between-patient variability is not
part of this file; log-normal omega: K_exp_max 0.22, K_kill_max 0.50, gamma_m 0.21, gamma_b 1.0, and
0.5, assumed by the authors, for K12, K21, K_el_e and K_el_m.

Where the supplement and the authors' code differ, this is the code: killing is proportional to the
tumor (Equation 18 prints effectors), the tumor starts at 2.5e9 cells/L of marrow, and effectors in
marrow start at 1e-6 cell/L. That seed is far below one cell, yet it expands like any other: without
a dose set `e_t_initial` to zero.

Stiff: effectors leave blood at 113 per day, complexes fall apart at 206 per day.

Reference
    A. P. Singh et al. (2021). Bench-to-bedside translation of chimeric antigen receptor (CAR) T
    cells using a multiscale systems pharmacokinetic-pharmacodynamic model: a case study with
    anti-BCMA CAR-T. CPT Pharmacometrics Syst. Pharmacol. 10:362-376. doi:10.1002/psp4.12598
"""

from carsim import (
    Assumed,
    Cited,
    Model,
    Parameters,
    State,
    observable,
    parameter,
    route,
    state,
)
from carsim.math import maximum, power

PAPER = Cited("10.1002/psp4.12598")
TABLE = PAPER.at("Table 1, clinical model, as transcribed in nlmixr2lib")
CODE = PAPER.at("Monolix code in the supplement, as transcribed in nlmixr2lib")

SECONDS_A_DAY = 86400.0
AVOGADRO = 6.023e23  # as in the authors' code


class Patient(State):
    e_b: float = state(0.0, "cell/L", "effector CAR-T cells in blood", atol=1e-3)
    m_b: float = state(0.0, "cell/L", "memory CAR-T cells in blood", atol=1e-3)
    e_t: float = state(1e-6, "cell/L", "effector CAR-T cells in marrow", atol=1e-8)
    m_t: float = state(0.0, "cell/L", "memory CAR-T cells in marrow", atol=1e-8)
    Cplx: float = state(0.0, "1/L", "complexes of receptor and BCMA in marrow", atol=1e-8)
    Tumor: float = state(2.5e9, "cell/L", "myeloma cells in marrow", atol=1e-3)
    M_protein: float = state(258.5, "mg/L", "M-protein in serum", atol=1e-6)
    sBCMA: float = state(0.625, "mg/L", "soluble BCMA in serum", atol=1e-9)


class Rates(Parameters):
    K_exp_max: float = parameter(1.73, "1/day", "maximal expansion of effectors", TABLE)
    EC50_exp: float = parameter(
        10.0, "1/cell", "complexes per CAR-T cell at half of it", TABLE, lower=1e-12
    )
    R_m: float = parameter(2e-5, "1/day", "effectors to memory cells", TABLE)
    K_el_e: float = parameter(113.0, "1/day", "elimination of effectors from blood", TABLE)
    K_el_m: float = parameter(0.219, "1/day", "elimination of memory cells from blood", TABLE)
    K12: float = parameter(1.71, "1/day", "blood to marrow", TABLE)
    K21: float = parameter(0.176, "1/day", "marrow to blood", TABLE)
    K_kill_max: float = parameter(0.343, "1/day", "maximal killing of tumor", TABLE)
    KC50: float = parameter(
        2.24, "1/cell", "complexes per tumor cell at half of it", TABLE, lower=1e-12
    )
    K_g: float = parameter(0.008, "1/day", "growth of tumor", TABLE)
    K_on: float = parameter(
        7.103e4 * SECONDS_A_DAY / AVOGADRO, "L/day", "binding; 7.103e4 L/mol/s in the code", CODE
    )
    K_off: float = parameter(
        2.385e-3 * SECONDS_A_DAY, "1/day", "unbinding; 2.385e-3 1/s in the code", CODE
    )
    Ag_CAR: float = parameter(15000.0, "1/cell", "receptors on a CAR-T cell", TABLE)
    Ag_tumor: float = parameter(12590.0, "1/cell", "BCMA on a myeloma cell", TABLE)
    V_b: float = parameter(5.0, "L", "blood", TABLE, lower=0.1)
    V_t: float = parameter(3.65, "L", "bone marrow", TABLE, lower=0.1)
    trans_C: float = parameter(
        0.002, "copy*L/ug/cell", "transgene in DNA per CAR-T cells in blood", TABLE
    )
    gamma_m: float = parameter(0.215, "1", "exponent of tumor on M-protein", TABLE)
    gamma_b: float = parameter(1.0, "1", "exponent of tumor on soluble BCMA", TABLE)
    P_m: float = parameter(12.1e-9, "mg/cell/day", "M-protein; 12.1 pg in the table", TABLE)
    K_m: float = parameter(0.117, "1/day", "loss of M-protein", TABLE, lower=1e-6)
    P_b: float = parameter(0.175e-9, "mg/cell/day", "soluble BCMA; 0.175 pg in the table", TABLE)
    K_b: float = parameter(0.7, "1/day", "loss of soluble BCMA", TABLE, lower=1e-6)
    Tumor_0: float = parameter(2.5e9, "cell/L", "myeloma cells at the start", CODE, lower=1.0)
    e_t_initial: float = parameter(1e-6, "cell/L", "effectors in marrow at the start", CODE)
    few: float = parameter(
        1e-12,
        "cell/L",
        "least CAR-T cells by which complexes are divided",
        Assumed("no division by zero where there is no CAR-T cell"),
        lower=1e-30,
    )


def initial(p: Rates) -> Patient:
    """Return the untreated patient, with the markers where production meets loss."""
    return Patient(
        e_b=0.0,
        m_b=0.0,
        e_t=p.e_t_initial,
        m_t=0.0,
        Cplx=0.0,
        Tumor=p.Tumor_0,
        M_protein=p.P_m * p.Tumor_0 / p.K_m,
        sBCMA=p.P_b * p.Tumor_0 / p.K_b,
    )


def rhs(t: float, y: Patient, p: Rates) -> Patient:
    """Return the rates of change."""
    cells = maximum(y.e_t + y.m_t, p.few)
    # K_max q / (EC50 + q) with q complexes per cell, multiplied out with the cells.
    expansion = p.K_exp_max * y.Cplx / (p.EC50_exp * cells + y.Cplx)
    killing = p.K_kill_max * y.Cplx / (p.KC50 * maximum(y.Tumor, p.few) + y.Cplx)
    to_b, to_t = p.V_t / p.V_b * p.K21, p.V_b / p.V_t * p.K12
    free_receptors = p.Ag_CAR * (y.e_t + y.m_t) - y.Cplx
    free_antigen = p.Ag_tumor * y.Tumor - y.Cplx
    left = y.Tumor / p.Tumor_0
    return Patient(
        e_b=to_b * y.e_t - (p.K12 + p.K_el_e) * y.e_b,
        m_b=to_b * y.m_t - (p.K12 + p.K_el_m) * y.m_b,
        e_t=to_t * y.e_b - p.K21 * y.e_t + (expansion - p.R_m) * y.e_t,
        m_t=to_t * y.m_b - p.K21 * y.m_t + p.R_m * y.e_t,
        Cplx=p.K_on * free_receptors * free_antigen - p.K_off * y.Cplx,
        Tumor=(p.K_g - killing) * y.Tumor,
        M_protein=p.P_m * p.Tumor_0 * power(left, p.gamma_m) - p.K_m * y.M_protein,
        sBCMA=p.P_b * p.Tumor_0 * power(left, p.gamma_b) - p.K_b * y.sBCMA,
    )


@observable("copy/ug", "CAR transgene in blood")
def transgene(t: float, y: Patient, p: Rates) -> float:
    return p.trans_C * (y.e_b + y.m_b)


@observable("1", "M-protein, change relative to the start")
def M_protein_change(t: float, y: Patient, p: Rates) -> float:
    return y.M_protein * p.K_m / (p.P_m * p.Tumor_0) - 1.0


@observable("1", "soluble BCMA, change relative to the start")
def sBCMA_change(t: float, y: Patient, p: Rates) -> float:
    return y.sBCMA * p.K_b / (p.P_b * p.Tumor_0) - 1.0


MODEL = Model(
    "singh_2021",
    rhs,
    Patient,
    Rates,
    time_unit="day",
    observables=(transgene, M_protein_change, sBCMA_change),
    routes=(route("car_t", "cell", "infused CAR-T cells", {"e_b": lambda p: 1.0 / p.V_b}),),
    initial=initial,
    reference="doi:10.1002/psp4.12598",
    area="CAR-T and leukemia",
)
