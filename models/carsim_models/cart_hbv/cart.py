"""CAR-T cells: memory M, effector E and exhausted X, in blood and marrow; effectors also outside.

Antigen turns memory cells into effectors (amp offspring each), makes effectors divide and, more
slowly, exhausts them; without antigen effectors contract and a few return to memory. An activated
memory cell is replaced in a share f_self of the cases, by asymmetric division (the self-renewal of
Kirouac 2023): with f_self near 1 a memory holds B cells down without being used up. Division
needs room: it falls with the lymphocyte count, which lymphodepletion empties, and with the CAR-T
capacity. Killing saturates in the CAR-T cells and in their targets, so that neither a target nor
a CAR-T cell is busier than once in 1/g days and 1/phi times 1/g days.

Extramedullary leukemia, where there is any, draws effectors from blood and stimulates them on the
spot; none go where no CD19+ cells are.

A vaccine makes memory cells and effectors divide through a second receptor, where CD19 is or is
not (the idea of Rossig 2017, doi:10.1038/leu.2017.39, who vaccinated against the virus that the
CAR-T cells' own receptor knows; no number of it is from there). It neither activates memory nor
exhausts effectors, and they contract as without it.
"""

from carsim import Assumed, Derived, Parameters, State, parameter, state
from carsim_models.cart_hbv.sites import Sites
from carsim_models.cart_hbv.sources import COURSES, TUNED


class CarT(State):
    memory_blood: float = state(0.0, "cell", "memory CAR-T cells in blood", atol=1.0)
    memory_marrow: float = state(0.0, "cell", "memory CAR-T cells in marrow", atol=1.0)
    effector_blood: float = state(0.0, "cell", "effector CAR-T cells in blood", atol=1.0)
    effector_marrow: float = state(0.0, "cell", "effector CAR-T cells in marrow", atol=1.0)
    exhausted_blood: float = state(0.0, "cell", "exhausted CAR-T cells in blood", atol=1.0)
    exhausted_marrow: float = state(0.0, "cell", "exhausted CAR-T cells in marrow", atol=1.0)
    effector_extramedullary: float = state(
        0.0, "cell", "effector CAR-T cells at the extramedullary site", atol=1.0
    )
    vaccine: float = state(0.0, "1", "vaccine antigen, in vaccinations", atol=1e-6)


class CarTRates(Parameters):
    engraftment: float = parameter(
        0.095, "1", "infused cells that engraft", COURSES, plausible=(0.005, 0.2), upper=1.0
    )
    f_M: float = parameter(
        0.3, "1", "memory cells among those", TUNED, plausible=(0.1, 0.6), upper=1.0
    )
    V_b: float = parameter(5.0e6, "uL", "blood volume", Assumed("5 L, an adult"), lower=1e5)
    k_12: float = parameter(
        1.7, "1/day", "blood to marrow", Derived("1.71 1/day of Singh 2021, rounded")
    )
    k_21: float = parameter(
        0.09, "1/day", "marrow to blood", Assumed("between 0.176 of Singh 2021 and 0.0017 of Park")
    )
    k_13: float = parameter(
        0.1,
        "1/day",
        "blood to extramedullary site, once it is found",
        Assumed("a small part of the traffic to marrow"),
        plausible=(0.01, 0.5),
    )
    k_31: float = parameter(
        0.09, "1/day", "extramedullary site to blood", Assumed("as from marrow"), lower=1e-6
    )
    K_x: float = parameter(
        1.0e7,
        "cell",
        "extramedullary CD19+ cells that draw half of that",
        Assumed("a lesion of 10 mg"),
        lower=1.0,
    )
    r_E: float = parameter(
        1.9, "1/day", "fastest division of effectors", COURSES, plausible=(1.2, 2.4)
    )
    r_M: float = parameter(0.0099, "1/day", "fastest division of memory", COURSES)
    K_A: float = parameter(
        3.0e9,
        "cell",
        "CD19+ cells in marrow for half the stimulus",
        Assumed("between Kirouac 2023 (2e9 to 3.7e9) and Leon-Triana 2021 (1e10)"),
        plausible=(1e9, 1e10),
        lower=1.0,
    )
    f_b: float = parameter(
        0.05,
        "1",
        "blood over marrow for K_A and k_B",
        Assumed("share of cells seen in blood"),
        lower=1e-6,
    )
    f_x: float = parameter(
        0.1,
        "1",
        "extramedullary site over marrow for K_A and k_B",
        Assumed("a site a tenth as large as marrow"),
        lower=1e-6,
    )
    K_T: float = parameter(
        176.0,
        "cell/uL",
        "lymphocyte count that halves division",
        COURSES,
        plausible=(50.0, 500.0),
        lower=1e-3,
    )
    K_C: float = parameter(
        7.0e10,
        "cell",
        "capacity for CAR-T cells",
        Derived("6.96e10 of Kimmel 2021, rounded"),
        lower=1.0,
    )
    d_E: float = parameter(
        0.176, "1/day", "contraction of effectors", COURSES, plausible=(0.08, 0.5)
    )
    d_M: float = parameter(0.0042, "1/day", "loss of memory", COURSES, plausible=(0.001, 0.02))
    eta: float = parameter(
        0.00118, "1/day", "effectors that return to memory", COURSES, plausible=(0.0003, 0.006)
    )
    k_ME: float = parameter(
        0.3, "1/day", "activation of memory", Assumed("Kirouac 2023's toggle, reduced")
    )
    f_self: float = parameter(
        0.50,
        "1",
        "share of activated memory cells that are replaced",
        COURSES,
        plausible=(0.1, 0.95),
        upper=1.0,
    )
    amp: float = parameter(
        8.0, "1", "effectors from one memory cell", Assumed("2^3; Kirouac 2023 has 2^4 to 2^12")
    )
    k_X: float = parameter(
        0.014, "1/day", "exhaustion under full stimulus", COURSES, plausible=(0.004, 0.2)
    )
    d_X: float = parameter(
        0.08, "1/day", "loss of exhausted cells", Assumed("Kirouac 2023 has 0.006 to 0.09")
    )
    f_X: float = parameter(0.1, "1", "killing by an exhausted cell over an effector", TUNED)
    g: float = parameter(
        2.0,
        "1/day",
        "largest kill rate",
        Assumed("between 1.15 (Kimmel 2021) and 2.76 (Park 2025)"),
        plausible=(1.0, 3.0),
    )
    k_B: float = parameter(
        6.1e7,
        "cell",
        "effectors in marrow for half of it",
        COURSES,
        plausible=(1e7, 2e9),
        lower=1.0,
    )
    phi: float = parameter(
        0.2, "1", "CAR-T cells needed per target", Derived("10 kills per cell and day: g/10")
    )
    r_V: float = parameter(
        0.5,
        "1/day",
        "fastest division under vaccine",
        Assumed("three monthly vaccinations then add weeks of persistence to 19-28z"),
        plausible=(0.1, 1.0),
    )
    k_V: float = parameter(
        0.1,
        "1/day",
        "loss of vaccine antigen",
        Assumed("half-life of a week"),
        plausible=(0.03, 0.3),
    )
    x_r: float = parameter(0.3, "1", "largest fall of division by steroid", TUNED, upper=1.0)
    x_d: float = parameter(0.5, "1", "largest rise of d_E by steroid", TUNED)


def count(y: CarT, p: CarTRates) -> float:
    """Return the CAR-T cells per uL of blood."""
    return (y.memory_blood + y.effector_blood + y.exhausted_blood) / p.V_b


def total(y: CarT) -> float:
    """Return all CAR-T cells, in cells."""
    blood = y.memory_blood + y.effector_blood + y.exhausted_blood
    marrow = y.memory_marrow + y.effector_marrow + y.exhausted_marrow
    return blood + marrow + y.effector_extramedullary


def stimulus(antigen: Sites, p: CarTRates) -> Sites:
    """Return the antigen signal, 0 to 1, of the CD19+ cells at each site."""
    return Sites(
        blood=antigen.blood / (antigen.blood + p.f_b * p.K_A),
        marrow=antigen.marrow / (antigen.marrow + p.K_A),
        extramedullary=antigen.extramedullary / (antigen.extramedullary + p.f_x * p.K_A),
    )


def vaccine_stimulus(y: CarT) -> float:
    """Return the signal, 0 to 1, through the second receptor: half after one vaccination."""
    return y.vaccine / (y.vaccine + 1.0)


def kill_rate(y: CarT, p: CarTRates, antigen: Sites) -> Sites:
    """Return the rate (1/day) at which a CD19+ cell is killed at each site."""
    blood = y.effector_blood + p.f_X * y.exhausted_blood
    marrow = y.effector_marrow + p.f_X * y.exhausted_marrow
    return Sites(
        blood=p.g * blood / (p.f_b * p.k_B + blood + p.phi * antigen.blood),
        marrow=p.g * marrow / (p.k_B + marrow + p.phi * antigen.marrow),
        extramedullary=p.g
        * y.effector_extramedullary
        / (p.f_x * p.k_B + y.effector_extramedullary + p.phi * antigen.extramedullary),
    )


def derivatives(
    y: CarT,
    p: CarTRates,
    *,
    antigen: Sites,
    signal: Sites,
    t_cells: float,
    steroid: float,
) -> CarT:
    """Return the rates of change.

    Parameters
    ----------
    y, p : CarT, CarTRates
        States and parameters.
    antigen : Sites
        CD19+ cells.
    signal : Sites
        Antigen signal, 0 to 1.
    t_cells : float
        Other T cells in blood, cell/uL.
    steroid : float
        Effect of dexamethasone, 0 to 1.
    """
    room = p.K_T / (p.K_T + t_cells + count(y, p))
    allowed = room * (1.0 - total(y) / p.K_C) * (1.0 - p.x_r * steroid)
    growth = p.r_E * allowed
    boost = p.r_V * vaccine_stimulus(y) * allowed
    contraction = p.d_E * (1.0 + p.x_d * steroid)
    rest_b = 1.0 - signal.blood
    rest_m = 1.0 - signal.marrow
    renewal = p.r_M * room
    activated_b = p.k_ME * signal.blood * y.memory_blood
    activated_m = p.k_ME * signal.marrow * y.memory_marrow
    returned_b = p.eta * rest_b * y.effector_blood
    returned_m = p.eta * rest_m * y.effector_marrow
    exhausted_b = p.k_X * signal.blood * y.effector_blood
    exhausted_m = p.k_X * signal.marrow * y.effector_marrow
    memory = p.k_12 * y.memory_blood - p.k_21 * y.memory_marrow
    effector = p.k_12 * y.effector_blood - p.k_21 * y.effector_marrow
    exhausted = p.k_12 * y.exhausted_blood - p.k_21 * y.exhausted_marrow
    found = antigen.extramedullary / (antigen.extramedullary + p.K_x)
    away = p.k_13 * found * y.effector_blood - p.k_31 * y.effector_extramedullary
    used = 1.0 - p.f_self
    return CarT(
        memory_blood=(renewal * rest_b + boost - p.d_M) * y.memory_blood
        - used * activated_b
        + returned_b
        - memory,
        memory_marrow=(renewal * rest_m + boost - p.d_M) * y.memory_marrow
        - used * activated_m
        + returned_m
        + memory,
        effector_blood=(growth * signal.blood + boost - contraction) * y.effector_blood
        + p.amp * activated_b
        - returned_b
        - exhausted_b
        - effector
        - away,
        effector_marrow=(growth * signal.marrow + boost - contraction) * y.effector_marrow
        + p.amp * activated_m
        - returned_m
        - exhausted_m
        + effector,
        exhausted_blood=exhausted_b - p.d_X * y.exhausted_blood - exhausted,
        exhausted_marrow=exhausted_m - p.d_X * y.exhausted_marrow + exhausted,
        effector_extramedullary=(
            (growth - p.k_X) * signal.extramedullary
            + boost
            - contraction
            - p.eta * (1.0 - signal.extramedullary)
        )
        * y.effector_extramedullary
        + away,
        vaccine=-p.k_V * y.vaccine,
    )
