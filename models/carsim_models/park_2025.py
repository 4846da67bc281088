"""CD19 CAR-T cells in systemic lupus erythematosus (Park, Mugundu and Singh 2025).

CD4+ and CD8+ CAR-T cells, each naive TN, central memory CM, effector memory EM and effector Eff, in
blood (b) and bone marrow (m). Their receptors bind CD19 on B cells; complexes per CAR-T cell drive
expansion, complexes per B cell the killing. Once the CAR-T cells in blood are few, B cells that do
not react with the body's own antigens return (B_rev). Fludarabine and cyclophosphamide act through
one amount LDC (K-PD) on the patient's own T cells and neutrophils. Interferon alpha, antibodies to
DNA, complement C3 and protein in urine follow; C3 translates into the disease activity index.

The paper gives both drugs at time 0, for a patient of 70 kg::

    Dose("lymphodepletion", 1935.0, at=0.0)
    Dose("car_t", 7e7, at=0.0)

7e7 cells are 1e6 per kg. The 1935 mg stand nowhere in the paper: they are nlmixr2lib's sum of
25 mg/m2 fludarabine on three days and 1000 mg/m2 cyclophosphamide at 1.8 m2; the effects saturate
far below. Between-patient variability is not part of this file; log-normal omega: Kexp_max 0.05,
Kkill_max 0.087, EC50_exp 0.2, CART_rev_min 0.81, K0_rev 1.04, B_max 0.81, CD4_K0 0.68, CD4_Kout
0.15, CD8_Kout 0.5, NT_0 0.29, MTT_NT 0.2, Emax_NT 0.26, Ksyn_AAb 0.4, Kdeg_IFN 0.2.

Everything as transcribed in nlmixr2lib (Park_2025_cd19_cart_sle_qsp), which follows the authors'
Monolix control stream where the printed equations or Table 1 differ from it: protein excretion of
1000 and not 100 mg a day, its signals as exp(x/x_0), C3 as C3_0/C3; the threshold of the B cells'
return in cells per uL. The baselines of the markers are not published; nlmixr2lib read the medians
of five patients off Fig S1E. Ours: marrow and complexes start at zero instead of 1e-12; the number
of dendritic cells, which cancels out of interferon, is left out; above B_max the return of naive
B cells stops instead of turning negative, which concerns untreated patients alone.

Know before use: without CAR-T cells the B cells grow without bound; CAR-T cells in marrow never
die, they leave at 0.0017 per day; antibodies follow the B cells within a second until these are
fewer than 1 per uL, and then stay as they are. Where that switch flips depends on the tolerance:
the antibodies end 7 % too low at the default one, C3 0.7 % too high; take rtol 1e-8 for them.

Stiff: effectors die at 47 per day, antibodies turn over at 5e6 per day.

Reference
    H. Park, G. M. Mugundu, A. P. Singh (2025). Mechanistic evaluation of anti-CD19 CAR-T cell
    therapy repurposed in systemic lupus erythematosus using a quantitative systems pharmacology
    model. Clin. Transl. Sci. 18:e70146. doi:10.1111/cts.70146
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
from carsim.math import exp, maximum, power, where

PAPER = Cited("10.1111/cts.70146")
TABLE = PAPER.at("Table 1, as transcribed in nlmixr2lib")
CODE = PAPER.at("Appendix S2, Monolix control stream, as transcribed in nlmixr2lib")
METHODS = PAPER.at("Methods 2.1, as transcribed in nlmixr2lib")
REGRESSION = PAPER.at("Appendix S1, regression output, as transcribed in nlmixr2lib")
FIGURE = Derived("median of five patients, read off Fig S1E by nlmixr2lib")

SECONDS_A_DAY = 86400.0
AVOGADRO = 6.023e23  # as in the authors' control stream


class Subset(State):
    """CD4+ or CD8+ CAR-T cells at one site."""

    TN: float = state(0.0, "cell/L", "naive CAR-T cells", atol=1e-3)
    CM: float = state(0.0, "cell/L", "central memory CAR-T cells", atol=1e-3)
    EM: float = state(0.0, "cell/L", "effector memory CAR-T cells", atol=1e-3)
    Eff: float = state(0.0, "cell/L", "effector CAR-T cells", atol=1e-3)
    Cplx: float = state(0.0, "1/L", "complexes of receptor and CD19", atol=1e-3)


class Host(State):
    """Lymphodepletion and the cells that it takes."""

    LDC: float = state(0.0, "mg", "fludarabine and cyclophosphamide", atol=1e-9)
    Pc_CD4: float = state(3.0e5, "cell/uL", "precursors of CD4+ T cells")
    CD4: float = state(206.0, "cell/uL", "CD4+ T cells of the patient")
    Pc_CD8: float = state(1.17e6, "cell/uL", "precursors of CD8+ T cells")
    CD8: float = state(353.0, "cell/uL", "CD8+ T cells of the patient")
    NT_prol: float = state(5617.0, "cell/uL", "dividing neutrophil precursors")
    NT_1: float = state(5617.0, "cell/uL", "maturing neutrophils, first")
    NT_2: float = state(5617.0, "cell/uL", "maturing neutrophils, second")
    NT_3: float = state(5617.0, "cell/uL", "maturing neutrophils, third")
    NT: float = state(5617.0, "cell/uL", "neutrophils")


class Disease(State):
    """Markers of lupus."""

    IFN: float = state(21.0, "pg/mL", "interferon alpha", atol=1e-9)
    AAb: float = state(4.7e5, "IU/L", "antibodies to double-stranded DNA", atol=1e-4)
    C3: float = state(555.0, "mg/L", "complement C3")
    PTU: float = state(3060.0, "mg/g", "protein in urine per creatinine")


class Patient(State):
    CD8_b: Subset
    CD8_m: Subset
    CD4_b: Subset
    CD4_m: Subset
    B_b: float = state(1.43e8, "cell/L", "autoreactive B cells in blood", atol=1e-3)
    B_rev: float = state(0.0, "cell/L", "returning naive B cells in blood", atol=1e-3)
    B_m: float = state(1.5e9, "cell/L", "B cells in marrow", atol=1e-3)
    host: Host
    disease: Disease


class CellRates(Parameters):
    Kexp_max: float = parameter(1.8, "1/day", "maximal expansion, CD8+", TABLE)
    ratio_Kexp: float = parameter(1.12, "1", "expansion of CD8+ over CD4+", CODE, lower=1e-6)
    EC50_exp: float = parameter(
        1.9e-5, "1/cell", "complexes per CAR-T cell at half of it", TABLE, lower=1e-30
    )
    Kkill_max: float = parameter(2.76, "1/day", "maximal killing of B cells", TABLE)
    KC50: float = parameter(7.71, "1/cell", "complexes per B cell at half of it", TABLE, lower=1e-9)
    rm1: float = parameter(0.15, "1/day", "naive to central memory", TABLE)
    rm2: float = parameter(0.11, "1/day", "central to effector memory", TABLE)
    rm3: float = parameter(0.72, "1/day", "effector memory to effector", TABLE)
    Kel_e: float = parameter(47.38, "1/day", "elimination of effectors from blood", TABLE)
    Kel_m: float = parameter(0.69, "1/day", "elimination of the others from blood", TABLE)
    K12: float = parameter(1.41, "1/day", "blood to marrow", TABLE)
    K21: float = parameter(0.0017, "1/day", "marrow to blood", TABLE)
    CART_rev_min: float = parameter(
        2.38e6, "cell/L", "CAR-T cells in blood below which B cells return; 2.38 per uL", CODE
    )
    K0_rev: float = parameter(1.58e6, "cell/L/day", "return of naive B cells", TABLE)
    B_max: float = parameter(449e6, "cell/L", "most B cells in blood", TABLE, lower=1.0)
    B_b_0: float = parameter(1.43e8, "cell/L", "B cells in blood at the start", TABLE, lower=1.0)
    B_m_0: float = parameter(1.5e9, "cell/L", "B cells in marrow at the start", TABLE)
    Kg_B: float = parameter(0.0193, "1/day", "growth of B cells", TABLE)
    Ag_CAR: float = parameter(15000.0, "1/cell", "receptors on a CAR-T cell", TABLE)
    Ag_CD19: float = parameter(14000.0, "1/cell", "CD19 on a B cell", TABLE)
    Kon: float = parameter(
        2.1e5 * SECONDS_A_DAY / AVOGADRO, "L/day", "binding; 2.1e5 L/mol/s in the table", TABLE
    )
    Koff: float = parameter(
        6.81e-5 * SECONDS_A_DAY, "1/day", "unbinding; 6.81e-5 1/s in the table", TABLE
    )
    WT: float = parameter(
        70.0, "kg", "body weight", Assumed("the weight to which Table 1 refers"), lower=1.0
    )
    WT_ref: float = parameter(70.0, "kg", "weight for the volumes", TABLE, lower=1.0)
    V_b: float = parameter(5.0, "L", "blood at that weight", TABLE, lower=0.1)
    V_m: float = parameter(1.6, "L", "bone marrow at that weight", TABLE, lower=0.1)
    CD4: float = parameter(0.759, "1", "CD4+ share of the product", METHODS, upper=1.0)
    CD8: float = parameter(0.230, "1", "CD8+ share of the product", METHODS, upper=1.0)
    TN: float = parameter(0.0729, "1", "naive share of the product", METHODS, upper=1.0)
    CM: float = parameter(0.221, "1", "central memory share of the product", METHODS, upper=1.0)
    EM: float = parameter(0.609, "1", "effector memory share of the product", METHODS, upper=1.0)
    Eff: float = parameter(0.0977, "1", "effector share of the product", METHODS, upper=1.0)
    few: float = parameter(
        1e-12, "cell/L", "least cells by which complexes are divided", CODE, lower=1e-30
    )


class HostRates(Parameters):
    Kel_LDC: float = parameter(1.39, "1/day", "elimination of the drugs", TABLE)
    CD4_Kp: float = parameter(0.0007, "1/day", "CD4+ precursors to T cells", TABLE, lower=1e-9)
    CD4_K0: float = parameter(210.18, "cell/uL/day", "source of CD4+ precursors", TABLE)
    CD4_Kout: float = parameter(1.02, "1/day", "loss of CD4+ T cells", TABLE, lower=1e-6)
    Emax_CD4: float = parameter(0.85, "1", "maximal effect on CD4+ T cells", TABLE, upper=1.0)
    EC50_CD4: float = parameter(0.15, "mg/L", "drug at half of it", TABLE, lower=1e-9)
    CD8_Kp: float = parameter(0.00045, "1/day", "CD8+ precursors to T cells", TABLE, lower=1e-9)
    CD8_K0: float = parameter(525.59, "cell/uL/day", "source of CD8+ precursors", TABLE)
    CD8_Kout: float = parameter(1.49, "1/day", "loss of CD8+ T cells", TABLE, lower=1e-6)
    Emax_CD8: float = parameter(0.96, "1", "maximal effect on CD8+ T cells", TABLE, upper=1.0)
    EC50_CD8: float = parameter(0.067, "mg/L", "drug at half of it", TABLE, lower=1e-9)
    NT_0: float = parameter(5617.22, "cell/uL", "neutrophils at rest", TABLE, lower=1e-3)
    MTT_NT: float = parameter(4.35, "day", "time to maturity of neutrophils", TABLE, lower=0.1)
    gam_NT: float = parameter(0.14, "1", "feedback of neutrophils on division", TABLE)
    Emax_NT: float = parameter(27.32, "1", "maximal effect on division", TABLE)
    EC50_NT: float = parameter(1203.42, "mg/L", "drug at half of it", TABLE, lower=1e-9)


class DiseaseRates(Parameters):
    Kdeg_IFN: float = parameter(23.04, "1/day", "loss of interferon", TABLE)
    Ksyn_AAb: float = parameter(15875.77, "IU/cell/day", "antibodies per B cell", TABLE)
    B_AAb: float = parameter(1e6, "cell/L", "B cells below which antibodies stay", CODE)
    gam_IFN_4: float = parameter(0.09, "1", "exponent of interferon on antibodies", TABLE)
    gam_IFN_8: float = parameter(0.8, "1", "exponent of interferon on protein", TABLE)
    Ksyn_C3: float = parameter(36.0, "mg/kg/day", "source of C3; 1.5 mg/kg/hour", TABLE)
    gam_C3: float = parameter(0.1, "1", "exponent of antibodies on loss of C3", TABLE)
    Ksyn_PTU: float = parameter(1000.0, "mg/day", "excretion of protein", CODE)
    gam_PTU: float = parameter(1.09, "1", "exponent of C3 on protein", TABLE)
    V_u: float = parameter(0.24, "dL/kg", "urine of a day; 1 mL/kg/hour", TABLE, lower=1e-6)
    creatinine: float = parameter(
        1.0,
        "g/dL",
        "creatinine in urine",
        Assumed("the equations take mg/dL for mg per g creatinine"),
        lower=1e-6,
    )
    IFN_0: float = parameter(21.0, "pg/mL", "interferon at the start", FIGURE, lower=1e-9)
    AAb_0: float = parameter(4.7e5, "IU/L", "antibodies at the start", FIGURE, lower=1e-6)
    C3_0: float = parameter(555.0, "mg/L", "C3 at the start", FIGURE, lower=1e-6)
    PTU_0: float = parameter(3060.0, "mg/g", "protein in urine at the start", FIGURE, lower=1e-6)
    SLEDAI_0: float = parameter(16.99, "1", "activity index without C3", REGRESSION)
    SLEDAI_C3: float = parameter(0.01, "L/mg", "fall of the index with C3", REGRESSION)


class Rates(Parameters):
    cart: CellRates
    host: HostRates
    disease: DiseaseRates


def initial(p: Rates) -> Patient:
    """Return the patient before any drug; T cells and neutrophils rest."""
    none = Subset(TN=0.0, CM=0.0, EM=0.0, Eff=0.0, Cplx=0.0)
    h, d = p.host, p.disease
    return Patient(
        CD8_b=none,
        CD8_m=none,
        CD4_b=none,
        CD4_m=none,
        B_b=p.cart.B_b_0,
        B_rev=0.0,
        B_m=p.cart.B_m_0,
        host=Host(
            LDC=0.0,
            Pc_CD4=h.CD4_K0 / h.CD4_Kp,
            CD4=h.CD4_K0 / h.CD4_Kout,
            Pc_CD8=h.CD8_K0 / h.CD8_Kp,
            CD8=h.CD8_K0 / h.CD8_Kout,
            NT_prol=h.NT_0,
            NT_1=h.NT_0,
            NT_2=h.NT_0,
            NT_3=h.NT_0,
            NT=h.NT_0,
        ),
        disease=Disease(IFN=d.IFN_0, AAb=d.AAb_0, C3=d.C3_0, PTU=d.PTU_0),
    )


def cells(y: Subset) -> float:
    """CAR-T cells of all phenotypes, cell/L."""
    return y.TN + y.CM + y.EM + y.Eff


def expansion(y: Subset, p: CellRates, most: float) -> float:
    """Rate of expansion, 1/day, at most `most`: it saturates in the complexes per cell."""
    return most * y.Cplx / (p.EC50_exp * maximum(cells(y), p.few) + y.Cplx)


def killing(B: float, Cplx: float, p: CellRates) -> float:
    """Rate at which B cells are killed, 1/day."""
    return p.Kkill_max * Cplx / (p.KC50 * maximum(B, p.few) + Cplx)


def in_blood(y: Subset, marrow: Subset, p: CellRates, most: float, free_CD19: float) -> Subset:
    """Rates of change of a subset in blood."""
    grow = expansion(y, p, most) - p.Kel_m - p.K12
    back = p.K21 * p.V_m / p.V_b
    return Subset(
        TN=(grow - p.rm1) * y.TN + back * marrow.TN,
        CM=(grow - p.rm2) * y.CM + p.rm1 * y.TN + back * marrow.CM,
        EM=(grow - p.rm3) * y.EM + p.rm2 * y.CM + back * marrow.EM,
        Eff=p.rm3 * y.EM - (p.Kel_e + p.K12) * y.Eff + back * marrow.Eff,
        Cplx=p.Kon * (p.Ag_CAR * cells(y) - y.Cplx) * free_CD19 - p.Koff * y.Cplx,
    )


def in_marrow(y: Subset, blood: Subset, p: CellRates, most: float, free_CD19: float) -> Subset:
    """Rates of change of a subset in marrow, where nothing dies."""
    grow = expansion(y, p, most) - p.K21
    into = p.K12 * p.V_b / p.V_m
    return Subset(
        TN=(grow - p.rm1) * y.TN + into * blood.TN,
        CM=(grow - p.rm2) * y.CM + p.rm1 * y.TN + into * blood.CM,
        EM=(grow - p.rm3) * y.EM + p.rm2 * y.CM + into * blood.EM,
        Eff=p.rm3 * y.EM - p.K21 * y.Eff + into * blood.Eff,
        Cplx=p.Kon * (p.Ag_CAR * cells(y) - y.Cplx) * free_CD19 - p.Koff * y.Cplx,
    )


def host(y: Host, p: HostRates, volume: float) -> Host:
    """Rates of change of the patient's own cells; `volume` of blood, L."""
    drug = y.LDC / volume
    CD4_out = p.CD4_Kp * (1.0 - p.Emax_CD4 * drug / (p.EC50_CD4 + drug)) * y.Pc_CD4
    CD8_out = p.CD8_Kp * (1.0 - p.Emax_CD8 * drug / (p.EC50_CD8 + drug)) * y.Pc_CD8
    division = (1.0 - p.Emax_NT * drug / (p.EC50_NT + drug)) * power(p.NT_0 / y.NT, p.gam_NT)
    transit = 4.0 / p.MTT_NT
    return Host(
        LDC=-p.Kel_LDC * y.LDC,
        Pc_CD4=p.CD4_K0 - CD4_out,
        CD4=CD4_out - p.CD4_Kout * y.CD4,
        Pc_CD8=p.CD8_K0 - CD8_out,
        CD8=CD8_out - p.CD8_Kout * y.CD8,
        NT_prol=transit * (division - 1.0) * y.NT_prol,
        NT_1=transit * (y.NT_prol - y.NT_1),
        NT_2=transit * (y.NT_1 - y.NT_2),
        NT_3=transit * (y.NT_2 - y.NT_3),
        NT=transit * (y.NT_3 - y.NT),
    )


def disease(y: Patient, p: Rates) -> Disease:
    """Rates of change of the markers."""
    d, h = p.disease, p.host
    IFN = y.disease.IFN / d.IFN_0
    AAb = y.disease.AAb / d.AAb_0
    C3 = y.disease.C3 / d.C3_0
    CD4 = y.host.CD4 * h.CD4_Kout / h.CD4_K0
    CD8 = y.host.CD8 * h.CD8_Kout / h.CD8_K0
    NT = y.host.NT / h.NT_0
    made = d.Ksyn_AAb * (y.B_b * CD4 * power(IFN, d.gam_IFN_4) - p.cart.B_b_0 * AAb)
    excreted = power(C3, -d.gam_PTU) * power(IFN, d.gam_IFN_8) * exp(CD8) * exp(NT)
    return Disease(
        IFN=d.Kdeg_IFN * d.IFN_0 * (AAb * NT - IFN),
        AAb=where(y.B_b > d.B_AAb, 1.0, 0.0) * made,
        C3=d.Ksyn_C3 * p.cart.WT_ref / p.cart.V_b * (1.0 - C3 * power(AAb, d.gam_C3)),
        PTU=d.Ksyn_PTU / (d.V_u * p.cart.WT * d.creatinine) * (excreted - y.disease.PTU / d.PTU_0),
    )


def rhs(t: float, y: Patient, p: Rates) -> Patient:
    """Return the rates of change."""
    c = p.cart
    CD4_max = c.Kexp_max / c.ratio_Kexp
    Cplx_b = y.CD8_b.Cplx + y.CD4_b.Cplx
    Cplx_m = y.CD8_m.Cplx + y.CD4_m.Cplx
    free_b = c.Ag_CD19 * y.B_b - Cplx_b
    free_m = c.Ag_CD19 * y.B_m - Cplx_m
    many = cells(y.CD8_b) + cells(y.CD4_b) >= c.CART_rev_min
    room = maximum(1.0 - (y.B_b + y.B_rev) / c.B_max, 0.0)
    return Patient(
        CD8_b=in_blood(y.CD8_b, y.CD8_m, c, c.Kexp_max, free_b),
        CD8_m=in_marrow(y.CD8_m, y.CD8_b, c, c.Kexp_max, free_m),
        CD4_b=in_blood(y.CD4_b, y.CD4_m, c, CD4_max, free_b),
        CD4_m=in_marrow(y.CD4_m, y.CD4_b, c, CD4_max, free_m),
        B_b=(c.Kg_B - killing(y.B_b, Cplx_b, c)) * y.B_b,
        B_rev=where(many, 0.0, 1.0) * c.K0_rev * room,
        B_m=(c.Kg_B - killing(y.B_m, Cplx_m, c)) * y.B_m,
        host=host(y.host, p.host, volume(p)),
        disease=disease(y, p),
    )


@observable("cell/L", "CAR-T cells in blood")
def car_t(t: float, y: Patient, p: Rates) -> float:
    return cells(y.CD8_b) + cells(y.CD4_b)


@observable("cell/L", "B cells in blood")
def b_cells(t: float, y: Patient, p: Rates) -> float:
    return y.B_b + y.B_rev


@observable("1", "SLE disease activity index from C3")
def sledai_C3(t: float, y: Patient, p: Rates) -> float:
    return p.disease.SLEDAI_0 - p.disease.SLEDAI_C3 * y.disease.C3


def volume(p: Rates) -> float:
    """Blood of the patient, L."""
    return p.cart.V_b * p.cart.WT / p.cart.WT_ref


MODEL = Model(
    "park_2025",
    rhs,
    Patient,
    Rates,
    time_unit="day",
    observables=(car_t, b_cells, sledai_C3),
    routes=(
        route(
            "car_t",
            "cell",
            "infused CAR-T cells",
            {
                "CD8_b.TN": lambda p: p.cart.CD8 * p.cart.TN / volume(p),
                "CD8_b.CM": lambda p: p.cart.CD8 * p.cart.CM / volume(p),
                "CD8_b.EM": lambda p: p.cart.CD8 * p.cart.EM / volume(p),
                "CD8_b.Eff": lambda p: p.cart.CD8 * p.cart.Eff / volume(p),
                "CD4_b.TN": lambda p: p.cart.CD4 * p.cart.TN / volume(p),
                "CD4_b.CM": lambda p: p.cart.CD4 * p.cart.CM / volume(p),
                "CD4_b.EM": lambda p: p.cart.CD4 * p.cart.EM / volume(p),
                "CD4_b.Eff": lambda p: p.cart.CD4 * p.cart.Eff / volume(p),
            },
        ),
        route(
            "lymphodepletion", "mg", "fludarabine and cyclophosphamide together", {"host.LDC": 1.0}
        ),
    ),
    initial=initial,
    reference="doi:10.1111/cts.70146",
    area="CAR-T and leukemia",
)
