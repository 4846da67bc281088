"""Probability that no leukemia cell is left: birth and death of single cells (Kendall 1948).

Every CD19+ and every CD19- cell that is there when the simulation starts founds a line of its own,
which divides at rate b(t) and dies at rate d(t). With rho the integral of d - b and J that of
d exp(rho), a line has died out by t with probability J/(1 + J). J grows beyond all numbers, so
that the state is Q = J exp(-rho), with Q' = d - (d - b) Q. Cells of the marrow only, which are
nearly all; CD19- cells that arise later (leukemia.mu) are not counted.

Deterministic pools answer the same question by a threshold: below one cell they are extinct.
"""

from carsim import Assumed, Parameters, State, parameter, state
from carsim.math import exp, minimum


class Cure(State):
    rho_positive: float = state(0.0, "1", "integral of death minus birth, CD19+", signed=True)
    q_positive: float = state(0.0, "1", "J exp(-rho), CD19+", atol=1e-6)
    rho_negative: float = state(0.0, "1", "integral of death minus birth, CD19-", signed=True)
    q_negative: float = state(0.0, "1", "J exp(-rho), CD19-", atol=1e-6)


class CureRates(Parameters):
    turnover: float = parameter(
        0.1,
        "1/day",
        "division that death undoes",
        Assumed(
            "cells divide more often than the leukemia grows; the more, the easier it dies out"
        ),
        plausible=(0.0, 0.5),
    )
    largest: float = parameter(
        600.0, "1", "largest exponent", Assumed("double precision ends at 709"), lower=1.0
    )


def initial() -> Cure:
    """Return the state when the simulation starts: every line is alive."""
    return Cure(rho_positive=0.0, q_positive=0.0, rho_negative=0.0, q_negative=0.0)


def probability(cells: float, rho: float, q: float, p: CureRates) -> float:
    """Return the probability that all lines of `cells` founders (Poisson) have died out."""
    return exp(-cells / (1.0 + q * exp(minimum(rho, p.largest))))


def derivatives(
    y: Cure,
    p: CureRates,
    *,
    growth_positive: float,
    death_positive: float,
    growth_negative: float,
    death_negative: float,
) -> Cure:
    """Return the rates of change.

    Parameters
    ----------
    y, p : Cure, CureRates
        States and parameters.
    growth_positive, growth_negative : float
        Net growth without therapy, 1/day.
    death_positive, death_negative : float
        Death by therapy, 1/day.
    """
    positive = death_positive - growth_positive
    negative = death_negative - growth_negative
    return Cure(
        rho_positive=positive,
        q_positive=death_positive + p.turnover - positive * y.q_positive,
        rho_negative=negative,
        q_negative=death_negative + p.turnover - negative * y.q_negative,
    )
