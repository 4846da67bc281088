"""The only place that spells numba's options, with the reason for each."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.errors import NumbaError
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

VECTOR = types.Array(types.float64, 1, "C")
MATRIX = types.Array(types.float64, 2, "C")
CUBE = types.Array(types.float64, 3, "C")
INTEGERS = types.Array(types.int64, 1, "C")
INTEGER_MATRIX = types.Array(types.int64, 2, "C")
COUNT = types.int64
NUMBER = types.float64

OPTIONS: dict[str, Any] = {
    # Found again by the next process; needs the explicit signatures.
    "cache": True,
    # Threads of patients run side by side.
    "nogil": True,
    # Division by zero gives inf, which the step control sees; raising would cost branches.
    "error_model": "numpy",
    # Fused multiply-add and shared reciprocals. Nothing that reorders sums or assumes finite
    # values: the step control must see NaN, and a patient's bits must not depend on the lane it is
    # in.
    "fastmath": {"contract", "arcp", "nsz"},
}


@functools.cache
def _changed() -> float:
    """When the engine's sources changed last. numba looks at the file of a function only."""
    return max(path.stat().st_mtime for path in Path(__file__).parent.glob("*.py"))


def _index(function: Callable[..., Any]) -> Path:
    return Path(FunctionCache(function)._cache_file._index_path)


def is_cached(function: Callable[..., Any]) -> bool:
    """Whether numba has compiled a function since the engine changed."""
    index = _index(function)
    return index.exists() and index.stat().st_mtime > _changed()


def kernel(signature: Any) -> Callable[[F], F]:
    """Compile a function for one explicit signature, as the whole engine is.

    A cache file that cannot be read (truncated by a full disk, say) is thrown away and written
    anew, and so is one older than the engine's sources. Where no cache can be written, the function
    is compiled for this process only.
    """

    def decorate(function: F) -> F:
        with contextlib.suppress(Exception):
            if _index(function).exists() and not is_cached(function):
                FunctionCache(function).flush()
        attempts: tuple[dict[str, Any], ...] = (OPTIONS, OPTIONS, {**OPTIONS, "cache": False})
        for attempt, options in enumerate(attempts, start=1):
            try:
                return numba.njit(signature, **options)(function)
            except NumbaError:
                raise
            except Exception:
                # Unpickling garbage can raise anything.
                if attempt == len(attempts):
                    raise
                with contextlib.suppress(Exception):
                    FunctionCache(function).flush()
        raise AssertionError("unreachable")

    return decorate


def inner(function: F) -> F:
    """Compile a function into the driver that calls it; it has no cache file of its own."""
    options = {name: value for name, value in OPTIONS.items() if name != "cache"}
    return numba.njit(**options)(function)


def instruction(generate: Callable[..., Any]) -> Any:
    """Declare a function by the instructions it stands for; see `numba.extending.intrinsic`."""
    return intrinsic(generate)
