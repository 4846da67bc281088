"""The store of a sweep: a folder that survives power loss, full disks and killed processes."""

from __future__ import annotations

from carsim.sweep.store.digest import digest
from carsim.sweep.store.folder import is_store, remove_store
from carsim.sweep.store.open import open_result
from carsim.sweep.store.rerun import Rerun, rerun
from carsim.sweep.store.run import run_to_store
from carsim.sweep.store.status import StoreStatus, damaged_blocks, read_status

__all__ = [
    "Rerun",
    "StoreStatus",
    "damaged_blocks",
    "digest",
    "is_store",
    "open_result",
    "read_status",
    "remove_store",
    "rerun",
    "run_to_store",
]
