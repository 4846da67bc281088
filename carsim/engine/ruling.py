"""The compiled form of `carsim.engine.follow.follow_rules`; importing this module compiles it."""

from __future__ import annotations

from carsim.engine.follow import FOLLOW_RULES, follow_rules
from carsim.engine.jit import kernel

compiled_rules = kernel(FOLLOW_RULES)(follow_rules)
