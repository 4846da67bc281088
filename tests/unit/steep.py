"""A model whose equations have infinite slopes, and switches and bursts in time."""

from __future__ import annotations

from carsim import Assumed, Model, Parameters, State, observable, parameter, state
from carsim.math import abs_, exp, maximum, minimum, power, sqrt, tanh, where

SOURCE = Assumed("test")


class Steep(State):
    """Each state is a problem of its own."""

    fed: float = state(0.0, "1", "pool that is fed and drained by its root")
    emptied: float = state(1.0, "1", "pool that its root empties at 2")
    depot: float = state(0.0, "1", "pool that is empty until a dose")
    effect: float = state(0.0, "1", "driven by the root of the depot")
    timed: float = state(0.0, "1", "driven by the root of the time")
    grown: float = state(5.0, "1", "grows by a root that vanishes at the capacity")
    raised: float = state(0.0, "1", "fed, and drained by a power that is a parameter")


class SteepParameters(Parameters):
    """Numbers of all problems."""

    a: float = parameter(1.0, "1/day", "feeding", SOURCE)
    c: float = parameter(0.001, "1/day", "draining", SOURCE)
    k: float = parameter(0.5, "1/day", "rate constant", SOURCE)
    capacity: float = parameter(10.0, "1", "capacity", SOURCE)
    n: float = parameter(0.5, "1", "exponent", SOURCE)
    one: float = parameter(1.0, "1/day", "one", SOURCE)
    day: float = parameter(1.0, "day", "one day", SOURCE)


def rhs(t: float, y: Steep, p: SteepParameters) -> Steep:
    """All problems side by side."""
    return Steep(
        fed=p.a - p.c * power(y.fed, 0.5),
        emptied=-p.one * sqrt(y.emptied),
        depot=-p.k * y.depot,
        effect=p.one * (sqrt(y.depot) - y.effect),
        timed=p.one * sqrt(t / p.day),
        grown=p.one * y.grown * sqrt(1.0 - y.grown / p.capacity),
        raised=p.a - p.c * power(y.raised, p.n),
    )


STEEP = Model("steep", rhs, Steep, SteepParameters)


class Clocked(State):
    """What depends on the time alone, beside a slow state."""

    pulse: float = state(0.0, "1", "decays, fed for a while")
    area: float = state(0.0, "1", "integral of a triangle")
    burst: float = state(0.0, "1", "integral of a smooth burst")
    slow: float = state(1.0, "1", "hardly moves")
    until: float = state(0.0, "day", "time that a comparison inside a comparison holds")


class ClockedParameters(Parameters):
    """When, and for how long."""

    start: float = parameter(50.0, "day", "beginning", SOURCE)
    width: float = parameter(0.5, "day", "width", SOURCE)
    height: float = parameter(100.0, "1/day", "height", SOURCE)
    k: float = parameter(1.0, "1/day", "rate constant", SOURCE)
    tiny: float = parameter(1e-3, "1/day", "slow rate constant", SOURCE)


def clocked_rhs(t: float, y: Clocked, p: ClockedParameters) -> Clocked:
    """A pulse, a triangle, a burst and a nested comparison."""
    since = (t - p.start) / p.width
    return Clocked(
        pulse=where((t > p.start) & (t < p.start + p.width), p.height, 0.0) - p.k * y.pulse,
        area=p.height * maximum(0.0, 1.0 - abs_(since)),
        burst=p.height * exp(-since * since),
        slow=-p.tiny * y.slow,
        until=where(minimum(t, p.start + p.width) > p.start, 1.0, 0.0),
    )


@observable("1", "pulse of an observable")
def shown(t: float, y: Clocked, p: ClockedParameters) -> float:
    """One while the pulse lasts."""
    return where((t >= p.start) & (t < p.start + p.width), 1.0, 0.0)


CLOCKED = Model("clocked", clocked_rhs, Clocked, ClockedParameters, observables=[shown])


class Hidden(State):
    """What the default tolerances do not show."""

    burst: float = state(0.0, "1", "integral of a burst")
    valley: float = state(1.0, "1", "nearly vanishes and comes back", atol=1e-3)


class HiddenParameters(Parameters):
    """When."""

    at: float = parameter(33.3, "day", "time of the burst", SOURCE)
    width: float = parameter(0.05, "day", "its width", SOURCE)
    turn: float = parameter(20.0, "day", "time of the turn", SOURCE)
    one: float = parameter(1.0, "1/day", "one", SOURCE)
    day: float = parameter(1.0, "day", "one day", SOURCE)


def hidden_rhs(t: float, y: Hidden, p: HiddenParameters) -> Hidden:
    """With valley = cosh(t - 20) / cosh(20)."""
    since = (t - p.at) / p.width
    return Hidden(
        burst=p.one * exp(-since * since),
        valley=p.one * tanh((t - p.turn) / p.day) * y.valley,
    )


HIDDEN = Model("hidden", hidden_rhs, Hidden, HiddenParameters)
