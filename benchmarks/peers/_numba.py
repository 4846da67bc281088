"""Compile a problem's equations with numba, for the peers that call a compiled function."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.problem import Problem

HEADER = """from math import exp, log, sqrt, tanh
from numba import njit, types

# CVODE lends its states read-only.
array, lent = types.float64[::1], types.Array(types.float64, 1, "C", readonly=True)
out = {out}
signatures = [types.void(types.float64, y, array, out) for y in (array, lent)]

@njit(signatures, error_model="numpy", cache=True)
"""
OUT = {False: "array", True: "types.float64[:, ::1]"}


def compile_function(problem: Problem, *, jacobian: bool) -> Callable[..., Any]:
    """Compiled ``f(t, y, p, out)``, in a file so that numba can keep it between processes."""
    name = "jacobian" if jacobian else "derivatives"
    source = HEADER.format(out=OUT[jacobian]) + problem.equations.function(name, jacobian=jacobian)
    return load(source, f"{problem.name}_{name}", name)


def load(source: str, stem: str, name: str) -> Any:
    """Write `source` beside the results and import `name` from it."""
    folder = Path(__file__).parent.parent / "results" / "scratch" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.py"
    if not path.is_file() or path.read_text() != source:
        path.write_text(source)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    # By its name, so that numba finds the module again when it loads the compiled code.
    return getattr(importlib.import_module(stem), name)
