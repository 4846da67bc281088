"""The engine, compiled; importing this module compiles it, or finds it compiled."""

from __future__ import annotations

from carsim.engine.driver import DRIVE, drive
from carsim.engine.follow import FOLLOW, ignore
from carsim.engine.jit import kernel
from carsim.engine.step import START, STEP, start, step

compiled_start = kernel(START)(start)
compiled_step = kernel(STEP)(step)
compiled_ignore = kernel(FOLLOW)(ignore)
compiled_drive = kernel(DRIVE)(drive)
