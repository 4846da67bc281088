"""The compiled form of `carsim.engine.driver.drive`; importing this module compiles it."""

from __future__ import annotations

from carsim.engine.driver import DRIVE, drive
from carsim.engine.jit import kernel

compiled_drive = kernel(DRIVE, allocates=True)(drive)
