"""The compiled form of `carsim.engine.follow.follow`; importing this module compiles it."""

from __future__ import annotations

from carsim.engine.follow import FOLLOW, follow
from carsim.engine.jit import kernel

compiled_follow = kernel(FOLLOW)(follow)
