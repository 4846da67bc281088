"""Leukemia, CD19-positive and CD19-negative, in marrow, in blood and at an extramedullary site.

Marrow cells grow logistically; blood cells come from the marrow and home back. CD19-negative
cells are spared by CAR-T cells up to a bystander effect. Every marrow pool that falls below one
cell is extinct. What is left in blood cannot found it again: homing stops with the last marrow
cell (factor n/(n + 1 cell)), so that extinction is a fact and not a fraction of a cell.

Extramedullary leukemia is optional (none by default), one site that grows on its own and neither
seeds marrow nor is seeded by it.
"""

from carsim import Assumed, Derived, Parameters, State, parameter, state
from carsim.math import where
from carsim_models.cart_hbv.sites import Sites
from carsim_models.cart_hbv.sources import OWENS, TUNED


class Leukemia(State):
    positive_marrow: float = state(
        1.0e10, "cell", "CD19+ leukemia in marrow", atol=1e-2, extinct_below=1.0
    )
    positive_blood: float = state(
        0.0, "cell", "CD19+ leukemia in blood", atol=1e-2, extinct_below=1.0
    )
    negative_marrow: float = state(
        0.0, "cell", "CD19- leukemia in marrow", atol=1e-2, extinct_below=1.0
    )
    negative_blood: float = state(
        0.0, "cell", "CD19- leukemia in blood", atol=1e-2, extinct_below=1.0
    )
    positive_extramedullary: float = state(
        0.0, "cell", "CD19+ extramedullary leukemia", atol=1e-2, extinct_below=1.0
    )
    negative_extramedullary: float = state(
        0.0, "cell", "CD19- extramedullary leukemia", atol=1e-2, extinct_below=1.0
    )


class LeukemiaRates(Parameters):
    initial_cells: float = parameter(
        1.0e10,
        "cell",
        "burden when the simulation starts",
        Assumed("about 1 % blasts; 1e8 is MRD, 1e12 bulky disease"),
        plausible=(1e8, 1e12),
    )
    extramedullary_cells: float = parameter(
        0.0,
        "cell",
        "extramedullary burden when the simulation starts",
        Assumed("none unless given; 1e9 cells are about a gram"),
        plausible=(0.0, 1e11),
    )
    negative_fraction: float = parameter(
        1.0e-8,
        "1",
        "CD19- cells among them",
        Assumed("decides CD19- relapse; draw it log-uniformly between patients"),
        plausible=(1e-9, 1e-6),
        upper=1.0,
    )
    r_L: float = parameter(
        0.0877,
        "1/day",
        "growth",
        Derived("best point, models/calibration/response.py; 0.033 to 0.1 in other models"),
        plausible=(0.033, 0.1),
    )
    K_L: float = parameter(
        2.0e12, "cell", "capacity", OWENS.at("parameter 1/b of patients 1 and 2"), lower=1.0
    )
    mu: float = parameter(
        1.5e-9,
        "1/day",
        "loss of CD19",
        Assumed("a hundredth of Liu 2022's 1.5e-7, with which every patient relapses CD19-"),
        plausible=(1e-10, 1e-7),
    )
    byst: float = parameter(0.02, "1", "bystander killing of CD19- cells", TUNED, upper=1.0)
    k_LD: float = parameter(0.3, "1/day", "killing per unit of lymphodepletion", TUNED)
    k_out: float = parameter(0.01, "1/day", "marrow to blood", TUNED)
    k_in: float = parameter(0.3, "1/day", "blood to marrow", TUNED)
    one: float = parameter(
        1.0,
        "cell",
        "one cell",
        Derived("the last marrow cell, below which nothing homes"),
        lower=1e-9,
    )


def initial(p: LeukemiaRates) -> Leukemia:
    """Return the burden at the start, split as in undisturbed growth."""
    blood = p.k_out / (p.k_out + p.k_in + p.r_L)
    negative = whole(p.initial_cells * p.negative_fraction, p)
    outside = whole(p.extramedullary_cells, p)
    return Leukemia(
        positive_marrow=p.initial_cells * (1.0 - blood),
        positive_blood=p.initial_cells * blood,
        negative_marrow=negative * (1.0 - blood),
        negative_blood=negative * blood,
        positive_extramedullary=outside,
        negative_extramedullary=whole(outside * p.negative_fraction, p),
    )


def whole(cells: float, p: LeukemiaRates) -> float:
    """Return the number of cells, none when it is less than one."""
    return where(cells < p.one, 0.0, cells)


def growth(cells: float, p: LeukemiaRates) -> float:
    """Return the net growth (1/day) of a pool of `cells`."""
    return p.r_L * (1.0 - cells / p.K_L)


def derivatives(y: Leukemia, p: LeukemiaRates, *, kill: Sites, lymphodepletion: float) -> Leukemia:
    """Return the rates of change.

    Parameters
    ----------
    y, p : Leukemia, LeukemiaRates
        States and parameters.
    kill : Sites
        Rate at which a CD19+ cell is killed, 1/day.
    lymphodepletion : float
        Effect of the conditioning, in units of one daily course.
    """
    drug = p.k_LD * lymphodepletion
    positive_home = p.k_in * y.positive_blood
    negative_home = p.k_in * y.negative_blood
    positive_homes = positive_home * y.positive_marrow / (y.positive_marrow + p.one)
    negative_homes = negative_home * y.negative_marrow / (y.negative_marrow + p.one)
    mutation = p.mu * y.positive_marrow
    return Leukemia(
        positive_marrow=(growth(y.positive_marrow, p) - kill.marrow - drug - p.k_out)
        * y.positive_marrow
        - mutation
        + positive_homes,
        positive_blood=p.k_out * y.positive_marrow
        - (kill.blood + drug) * y.positive_blood
        - positive_home,
        negative_marrow=(growth(y.negative_marrow, p) - p.byst * kill.marrow - drug - p.k_out)
        * y.negative_marrow
        + mutation
        + negative_homes,
        negative_blood=p.k_out * y.negative_marrow
        - (p.byst * kill.blood + drug) * y.negative_blood
        - negative_home,
        positive_extramedullary=(
            growth(y.positive_extramedullary, p) - kill.extramedullary - drug - p.mu
        )
        * y.positive_extramedullary,
        negative_extramedullary=(
            growth(y.negative_extramedullary, p) - p.byst * kill.extramedullary - drug
        )
        * y.negative_extramedullary
        + p.mu * y.positive_extramedullary,
    )
