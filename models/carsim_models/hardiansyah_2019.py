"""CAR-T cells and cytokines in two patients with leukemia (Hardiansyah and Ng 2019).

B cells B of chronic lymphocytic leukemia in blood; effector CAR-T cells E and memory cells M, each
in blood and in tissue; IL-6, IL-10 and IFN-gamma in blood. Effectors multiply in proportion to the
B cells, kill them, and secrete the cytokines with each encounter; IL-10 holds back IFN-gamma. So
the burden sets the height of the cytokines, and the dose hardly matters. Fitted to patients UPN1
and UPN3 of Kalos et al. 2011, the variants; infuse 10, 30 and 60 % of their dose into `car_t` on
days 0, 1 and 2 (1.1e9 cells for UPN1, 1.4e7 for UPN3).

Equations 1-9 and Tables S1 and S2 are in the paper's supplement. Three slips of it are put right as
nlmixr2lib does, which shows that its figures need that: the gain of memory cells in Equation 7
comes from effectors; h counts in units of 1e9 cells, so that effectors always turn into memory; b_G
is in pg/mL. The concentrations before therapy stand in neither table: nlmixr2lib read them off
Fig 1b (within about 30 %). The file MODEL2009230001 of BioModels is not this model (another burden,
an endless infusion).

Stiff: cells move to tissue at 77 per day and decline in the end at 0.008 per day.

Reference
    D. Hardiansyah, C. M. Ng (2019). Quantitative systems pharmacology model of chimeric antigen
    receptor T-cell therapy. Clin. Transl. Sci. 12:343-349. doi:10.1111/cts.12636
"""

from carsim import (
    Cited,
    Derived,
    Model,
    Parameters,
    State,
    observable,
    parameter,
    route,
    state,
    variant,
)

PAPER = Cited("10.1111/cts.12636")
LITERATURE = PAPER.at("Table S1, as transcribed in nlmixr2lib")
FITTED = PAPER.at("Table S2, as transcribed in nlmixr2lib")
PER_CELL = PAPER.at("Table S2, there for 1e9 cells, as transcribed in nlmixr2lib")
PER_PAIR = PAPER.at("Table S2, there in pg/uL for 1e15 cell^2, as transcribed in nlmixr2lib")
BURDEN = PAPER.at("Fig 2 caption, as transcribed in nlmixr2lib")
BASELINE = Derived("read off Fig 1b by nlmixr2lib, within about 30 %")


class Patient(State):
    B: float = state(4.14e9, "cell", "leukemic B cells in blood", atol=1e-2)
    E: float = state(0.0, "cell", "effector CAR-T cells in blood", atol=1e-2)
    E_t: float = state(0.0, "cell", "effector CAR-T cells in tissue", atol=1e-2)
    M: float = state(0.0, "cell", "memory CAR-T cells in blood", atol=1e-2)
    M_t: float = state(0.0, "cell", "memory CAR-T cells in tissue", atol=1e-2)
    IL6: float = state(1.7, "pg/mL", "interleukin 6", atol=1e-4)
    IL10: float = state(4.5, "pg/mL", "interleukin 10", atol=1e-4)
    IFN: float = state(2.3, "pg/mL", "interferon gamma", atol=1e-4)


class Rates(Parameters):
    d_IL6: float = parameter(3.96, "1/day", "elimination of IL-6", LITERATURE)
    d_IL10: float = parameter(4.68, "1/day", "elimination of IL-10", LITERATURE)
    d_IFN: float = parameter(1.51, "1/day", "elimination of IFN-gamma", LITERATURE)
    a_G: float = parameter(
        0.59, "1", "secretion of IFN-gamma left by much IL-10", LITERATURE, upper=1.0
    )
    b_G: float = parameter(650.0, "pg/mL", "IL-10 for half of its effect", LITERATURE, lower=1e-6)
    r_M: float = parameter(0.0509, "1/day", "growth of memory cells", LITERATURE)
    d_M: float = parameter(0.408, "1/day", "death of memory cells in blood", LITERATURE)
    a_M: float = parameter(1.0, "1/day", "memory cells to effectors", LITERATURE)
    k_in: float = parameter(76.78, "1/day", "blood to tissue", LITERATURE)
    k_out: float = parameter(1.84, "1/day", "tissue to blood", LITERATURE)
    h: float = parameter(
        1e14,
        "cell",
        "B cells at which half of the memory cells are called up",
        Derived("1e5 of Table S1 in units of 1e9 cells, the only reading that gives Fig 1b"),
        lower=1.0,
    )
    r_B: float = parameter(0.0093, "1/day", "growth of leukemia", LITERATURE)
    d_B: float = parameter(0.0076, "1/day", "death of leukemic cells", LITERATURE)
    P_IL6: float = parameter(1.8e-15, "pg/mL/cell^2/day", "IL-6 per encounter", PER_PAIR)
    P_IL10: float = parameter(0.7e-15, "pg/mL/cell^2/day", "IL-10 per encounter", PER_PAIR)
    P_IFN: float = parameter(0.3e-15, "pg/mL/cell^2/day", "IFN-gamma per encounter", PER_PAIR)
    r_E: float = parameter(16.16e-9, "1/cell/day", "growth of effectors per B cell", PER_CELL)
    d_E: float = parameter(23.04, "1/day", "elimination of effectors from blood", FITTED)
    a_E: float = parameter(0.024, "1/day", "effectors to memory cells", FITTED)
    K_BC: float = parameter(0.19e-9, "1/cell/day", "killing by effectors", PER_CELL)
    B_0: float = parameter(4.14e9, "cell", "leukemic B cells at the start", BURDEN)
    IL6_0: float = parameter(1.7, "pg/mL", "IL-6 without CAR-T cells", BASELINE)
    IL10_0: float = parameter(4.5, "pg/mL", "IL-10 without CAR-T cells", BASELINE)
    IFN_0: float = parameter(2.3, "pg/mL", "IFN-gamma without CAR-T cells", BASELINE)


def initial(p: Rates) -> Patient:
    """Return the patient before the first infusion."""
    return Patient(B=p.B_0, E=0.0, E_t=0.0, M=0.0, M_t=0.0, IL6=p.IL6_0, IL10=p.IL10_0, IFN=p.IFN_0)


def rhs(t: float, y: Patient, p: Rates) -> Patient:
    """Return the rates of change."""
    full = y.B / (y.B + p.h)
    to_memory = p.a_E * y.E * (1.0 - full) - p.a_M * y.M * full
    E_leaves = p.k_in * y.E - p.k_out * y.E_t
    M_leaves = p.k_in * y.M - p.k_out * y.M_t
    encounters = y.B * y.E
    inhibition = p.a_G + (1.0 - p.a_G) * p.b_G / (y.IL10 + p.b_G)
    return Patient(
        B=(p.r_B - p.d_B) * y.B - p.K_BC * encounters,
        E=p.r_E * encounters - p.d_E * y.E - E_leaves - to_memory,
        E_t=E_leaves,
        M=(p.r_M - p.d_M) * y.M - M_leaves + to_memory,
        M_t=M_leaves,
        IL6=p.P_IL6 * encounters - p.d_IL6 * (y.IL6 - p.IL6_0),
        IL10=p.P_IL10 * encounters - p.d_IL10 * (y.IL10 - p.IL10_0),
        IFN=p.P_IFN * encounters * inhibition - p.d_IFN * (y.IFN - p.IFN_0),
    )


@observable("cell", "CAR-T cells in blood")
def car_t_blood(t: float, y: Patient, p: Rates) -> float:
    return y.E + y.M


MODEL = Model(
    "hardiansyah_2019",
    rhs,
    Patient,
    Rates,
    time_unit="day",
    observables=(car_t_blood,),
    routes=(route("car_t", "cell", "infused CAR-T cells", {"E": 1.0}),),
    variants=(
        variant("UPN1", "high burden, 1.1e9 CAR-T cells", {}, group="patient"),
        variant(
            "UPN3",
            "low burden, 1.4e7 CAR-T cells",
            {
                "P_IL6": (6e-15, PER_PAIR),
                "P_IL10": (17e-15, PER_PAIR),
                "P_IFN": (6e-15, PER_PAIR),
                "r_E": (14.40e-9, PER_CELL),
                "d_E": (1.44, FITTED),
                "a_E": (0.12, FITTED),
                "K_BC": (2.21e-9, PER_CELL),
                "B_0": (0.93e9, BURDEN),
                "IL6_0": (1.0, BASELINE),
                "IL10_0": (0.5, BASELINE),
                "IFN_0": (1.7, BASELINE),
            },
            group="patient",
        ),
    ),
    initial=initial,
    reference="doi:10.1111/cts.12636",
    area="CAR-T and leukemia",
)
