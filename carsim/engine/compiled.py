"""Steps, and stand-ins for hooks, compiled; importing this module compiles them."""

from __future__ import annotations

from carsim.engine.follow import (
    FOLLOW_REDUCTIONS,
    FOLLOW_RULES,
    ignore_reductions,
    ignore_rules,
    observe_nothing,
)
from carsim.engine.jit import kernel
from carsim.engine.signatures import OBSERVE
from carsim.engine.step import START, STEP, start, step

compiled_start = kernel(START)(start)
compiled_step = kernel(STEP)(step)
no_rules = kernel(FOLLOW_RULES)(ignore_rules)
no_observables = kernel(OBSERVE)(observe_nothing)
no_reductions = kernel(FOLLOW_REDUCTIONS)(ignore_reductions)
