"""Sweeps: the same virtual patients under every combination of assumptions."""

from __future__ import annotations

from carsim.sweep.block import BlockResult, compute_block
from carsim.sweep.cost import Estimate, estimate
from carsim.sweep.courses import courses
from carsim.sweep.examples import examples
from carsim.sweep.plan import Plan, make_plan
from carsim.sweep.rebuild import rebuild_sweep
from carsim.sweep.result import Collector
from carsim.sweep.run import run
from carsim.sweep.store import (
    StoreStatus,
    damaged_blocks,
    digest,
    is_store,
    open_result,
    read_status,
    remove_store,
    rerun,
    run_to_store,
)
from carsim.sweep.sweep import Sweep

__all__ = [
    "BlockResult",
    "Collector",
    "Estimate",
    "Plan",
    "StoreStatus",
    "Sweep",
    "compute_block",
    "courses",
    "damaged_blocks",
    "digest",
    "estimate",
    "examples",
    "is_store",
    "make_plan",
    "open_result",
    "read_status",
    "rebuild_sweep",
    "remove_store",
    "rerun",
    "run",
    "run_to_store",
]
