"""The steady state of an HBV patient before therapy, from what a clinician sees.

Given HBV DNA, ALT, surface antigen and anti-HBs, the equations of hbv.py are solved backwards for
the effectors that hold this virus and for the rates that are not observed:

- dna_0 > 0 (carrier, hepatitis, tolerant): I from the virus; E is the root of dI/dt = 0 with T
  and C in steady state; then the growth of the effectors balances their loss.
- dna_0 = 0 and C_0 > 0 (resolved): E_0 and C_0 are given and I follows from what wakes. C itself
  decays with lambda_C; all else is steady.
- dna_0 = 0 and C_0 = 0 (uninfected): no virus.

A patient for whom no steady state exists (more ALT than the effectors can cause, more infected
cells than the liver holds, an effector too weak to hold the virus) gets NaN.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from carsim.math import sqrt, where
from carsim_models.cart_hbv.hbv import HBV, HBVRates, infectivity, waking

NAN = float("nan")


def steady_state(p: HBVRates) -> tuple[HBV, HBVRates]:
    """Return the steady state and the parameters with the computed ones filled in.

    Parameters
    ----------
    p : HBVRates
        Parameters, one array of shape (n,) each.

    Returns
    -------
    state : HBV
        floats of the common shape; NaN for an impossible patient.
    parameters : HBVRates
        The same parameters with p, beta, k, rho, s_E, K_E, s_I and s_int.
    """
    with np.errstate(all="ignore"):
        return _steady_state(p)


def _steady_state(p: HBVRates) -> tuple[HBV, HBVRates]:
    virus = p.dna_0 * p.copies
    active = virus > 0.0
    production = where(active & (p.f_I > 0.0), p.c * virus / (p.f_I * p.T_max), p.p_0)
    p = p._replace(p=production, beta=p.beta_p / production)

    infected = p.c * virus / production
    effector, target, silenced, cure = _held(p, infected)
    quiet = _resolved(p)
    infected = where(active, infected, quiet[0])
    target = where(active, target, quiet[1])
    silenced = where(active, silenced, p.C_0)
    effector = where(active, effector, p.E_0)
    rho = where(active, cure / (effector * infected), (1.0 - p.k_share) * p.mu)

    per_cell = p.alpha * effector * (1.0 - effector / p.E_m)
    used = (1.0 - p.f_mem) * p.d_E * effector / per_cell
    half = where(active, infected * (1.0 / used - 1.0), p.K_E0)
    half = where(half > 0.0, half, NAN)
    source = p.d_E * effector - per_cell * infected / (half + infected)
    source = where(source >= 0.0, source, NAN)

    has_target = active & (p.hbsag_0 > 0.0)
    from_cells = (1.0 - p.f_int) * p.hbsag_0 * p.c_S
    s_I = where(has_target, from_cells / infected, p.s_0)
    s_int = where(has_target, p.f_int * p.hbsag_0 * p.c_S, 0.0)

    p = p._replace(k=p.mu - rho, rho=rho, s_E=source, K_E=half, s_I=s_I, s_int=s_int)
    return (
        HBV(
            target=target,
            infected=infected,
            silenced=silenced,
            virus=production * infected / p.c,
            hbsag=(s_I * infected + s_int) / p.c_S,
            hbeag=p.h * infected / p.c_H,
            effector=effector,
            alt=p.A_0 + p.k_A * p.k * effector * infected / p.d_A,
            anti_hbs=p.anti_hbs_0,
        ),
        p,
    )


def _held(p: HBVRates, infected: float) -> tuple[float, float, float, float]:
    """Return E, T, C and the flux of cured cells that hold a given number of infected cells."""
    killed = p.d_A * (p.alt_0 - p.A_0) / p.k_A
    high_alt = killed > 0.0

    def balance(effector: float) -> tuple[float, float, float, float]:
        removed = p.mu * effector * infected
        cure = where(high_alt, removed - killed, (1.0 - p.k_share) * removed)
        wake = waking(p, effector)
        silenced = p.theta * cure / (wake + p.lambda_C)
        target = _target(p, infected, silenced, (1.0 - p.theta) * cure)
        room = 1.0 - (target + infected + silenced) / p.T_max
        gained = infectivity(p, p.anti_hbs_0) * p.p / p.c * target + wake * silenced / infected
        return gained + p.r_I * room - p.d - p.mu * effector, target, silenced, cure

    low = where(high_alt, killed / (p.mu * infected), 0.0)
    high = low + 2.0 + (p.beta_p / p.c * p.T_max + p.r_I + p.a_0) / p.mu
    effector = _root(lambda x: balance(x)[0], low, high)
    _, target, silenced, cure = balance(effector)
    return effector, target, silenced, cure


def _resolved(p: HBVRates) -> tuple[float, float]:
    """Return I and T around given silenced cells and effectors; I is zero without the former."""
    woken = waking(p, p.E_0) * p.C_0
    infected = 0.0 * woken
    for _ in range(12):
        cure = (1.0 - p.theta) * (1.0 - p.k_share) * p.mu * p.E_0 * infected
        target = _target(p, infected, p.C_0, cure)
        room = 1.0 - (target + infected + p.C_0) / p.T_max
        loss = p.d + p.mu * p.E_0 - infectivity(p, p.anti_hbs_0) * p.p / p.c * target - p.r_I * room
        infected = where(woken > 0.0, woken / where(loss > 0.0, loss, NAN), 0.0)
    return infected, target


def _target(p: HBVRates, infected: float, silenced: float, cured: float) -> float:
    """Positive root of dT/dt = 0, a quadratic in T, without cancellation."""
    growth = p.r * (1.0 - (infected + silenced) / p.T_max) - p.d
    linear = growth - infectivity(p, p.anti_hbs_0) * p.p / p.c * infected
    crowding = p.r / p.T_max
    spread = sqrt(linear * linear + 4.0 * crowding * cured)
    above = (linear + spread) / (2.0 * crowding)
    return where(linear > 0.0, above, 2.0 * cured / (spread - linear))


def _root(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """Root between `low` (function not negative) and `high` (negative), NaN where there is none.

    Regula falsi with the Illinois rule, elementwise: it keeps the bracket and converges faster
    than linearly.
    """
    at_low, at_high = function(low), function(high)
    bracketed = np.logical_and(at_low >= 0.0, at_high < 0.0)
    moved_low = np.zeros(bracketed.shape)
    root = low
    for _ in range(100):
        root = (low * at_high - high * at_low) / (at_high - at_low)
        value = function(root)
        right = value >= 0.0
        at_low = np.where(right, value, np.where(moved_low < 0.0, 0.5 * at_low, at_low))
        at_high = np.where(right, np.where(moved_low > 0.0, 0.5 * at_high, at_high), value)
        low, high = np.where(right, root, low), np.where(right, high, root)
        moved_low = np.where(right, 1.0, -1.0)
        if np.all(np.logical_or(np.abs(value) <= 1e-15, ~bracketed)):
            break
    return np.where(bracketed, root, NAN)
