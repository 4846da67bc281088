"""The compiled form of `carsim.engine.follow.follow_reductions`; importing this compiles it."""

from __future__ import annotations

from carsim.engine.follow import FOLLOW_REDUCTIONS, follow_reductions
from carsim.engine.jit import kernel

compiled_reductions = kernel(FOLLOW_REDUCTIONS)(follow_reductions)
