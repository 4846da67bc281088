"""The only list of ways in which a solve can end."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How one patient's integration ended."""

    NOT_RUN = -1
    SUCCESS = 0
    MAX_STEPS = 1
    STEP_TOO_SMALL = 2
    NON_FINITE = 3
    EVENT_LIMIT = 4
    CANCELLED = 5
    NO_STEADY_STATE = 6


MEANING: dict[int, str] = {
    Status.NOT_RUN: "was not started",
    Status.SUCCESS: "reached the end",
    Status.MAX_STEPS: "used up its steps; raise max_steps, or loosen rtol if the model is noisy",
    Status.STEP_TOO_SMALL: "needed a step below the resolution of time; look for a singularity "
    "or a discontinuity inside the equations, or for a state that the equations drive below zero "
    "(declare it with signed=True if it may be negative)",
    Status.NON_FINITE: "met a value that is not finite; look for a division by zero, a logarithm "
    "or a power of a vanishing state, or an impossible parameter",
    Status.EVENT_LIMIT: "fired more events at one instant than can be meant; look for two events "
    "that trigger each other",
    Status.CANCELLED: "was interrupted",
    Status.NO_STEADY_STATE: "has no steady state of what is dosed; lower the dose or lengthen the "
    "interval, or give the doses themselves, without steady_state",
}
