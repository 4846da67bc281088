"""Compile the engine in another process while this one compiles a model's kernels.

Only the first run on a machine compiles anything; with two processors this halves the wait. numba
compiles one function at a time in a process, so threads would not do.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from carsim.engine.driver import drive
from carsim.engine.jit import is_cached

_children: list[subprocess.Popen[bytes]] = []


def begin() -> None:
    """Start compiling, unless that is done or under way."""
    if _children or not Path(sys.executable).name.startswith("python") or is_cached(drive):
        return
    command = [sys.executable, "-c", "import carsim.engine.compiled"]
    _children.append(
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    )


def finish() -> None:
    """Wait for what was begun. Should it have failed, this process compiles for itself."""
    while _children:
        _children.pop().wait()
