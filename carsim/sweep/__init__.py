"""Sweeps: the same virtual patients under every combination of assumptions."""

from __future__ import annotations

from carsim.sweep.block import BlockResult, compute_block
from carsim.sweep.courses import courses
from carsim.sweep.examples import examples
from carsim.sweep.plan import Estimate, Plan, estimate, make_plan
from carsim.sweep.rebuild import rebuild_sweep
from carsim.sweep.result import Collector
from carsim.sweep.run import run
from carsim.sweep.sweep import Sweep
from carsim.sweep.variables import variables_of

__all__ = [
    "BlockResult",
    "Collector",
    "Estimate",
    "Plan",
    "Sweep",
    "compute_block",
    "courses",
    "estimate",
    "examples",
    "make_plan",
    "rebuild_sweep",
    "run",
    "variables_of",
]
