"""The only place that spells numba's options, with the reason for each."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
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
    # Threads of patients run side by side.
    "nogil": True,
    # Division by zero gives inf, which the step control sees; raising would cost branches.
    "error_model": "numpy",
    # Fused multiply-add and shared reciprocals. Nothing that reorders sums or assumes finite
    # values: the step control must see NaN, and a patient's bits must not depend on the lane it is
    # in.
    "fastmath": {"contract", "arcp", "nsz"},
    # No reference counts: every view of an array would be counted, atomically, and the loop lives
    # on views. What allocates is compiled with them.
    "_nrt": False,
}


class _Linked(JITCodeLibrary):
    """Code that is linked into that of its callers, and that is never made to run on its own.

    Without it numba makes machine code of each function with all that it calls, which is half of
    what its compiler does with them.
    """

    @property
    def codegen(self) -> Any:
        """Where numba would note the Python objects of a function that runs on its own."""
        return _Nowhere

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _Nowhere:
    @staticmethod
    def set_env(name: str, environment: Any) -> None:
        """Note nothing: there is no machine code that would look."""


class _Linking(Compiler):
    """numba's compiler, for functions that only others call."""

    def __init__(self, typing: Any, target: Any, library: Any, *arguments: Any) -> None:
        super().__init__(typing, target, library or _Linked(target.codegen(), "inner"), *arguments)


# For functions that only compiled ones call: a wrapper that turns Python's objects into arrays and
# records takes longer to compile than most of them. Python must not call these functions.
INSIDE: dict[str, Any] = {
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": _Linking,
}


@functools.cache
def engine_digest() -> str:
    """Digest of the engine's sources, which are compiled into every function that calls them.

    Returns
    -------
    str
        12 hexadecimal digits.
    """
    return digest_of_folder(Path(__file__).parent)


def digest_of_folder(folder: Path) -> str:
    """Digest of the sources in a folder: of contents, as copies keep old times of change.

    Parameters
    ----------
    folder : Path
        Folder with Python files.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


class _Cache(FunctionCache):
    """numba's cache of a function, kept apart for each state of the sources compiled into it.

    numba itself looks at the time of change and the size of the one file that defines it. The
    digest is in the names as well: what was interrupted while writing must not pair a new index
    with old code.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        file = Path(function.__code__.co_filename).read_bytes()
        stamp = f"{engine_digest()}-{hashlib.sha256(file).hexdigest()[:12]}"
        self._base = self._impl.filename_base
        self._cache_file = IndexDataCacheFile(self.cache_path, f"{self._base}-{stamp}", stamp)

    def is_filled(self) -> bool:
        return bool(self._cache_file._load_index())

    def remove_others(self) -> None:
        """Delete what was compiled from other states of the sources."""
        for path in Path(self.cache_path).glob(f"{self._base}-*.nb[ci]"):
            if not path.name.startswith(f"{self._base}-{self._cache_file._source_stamp}."):
                path.unlink(missing_ok=True)


def is_cached(function: Callable[..., Any]) -> bool:
    """Whether numba has compiled a function from the engine's sources as they are."""
    try:
        return _Cache(function).is_filled()
    except Exception:  # unpickling garbage can raise anything
        return False


def can_be_cached(function: Callable[..., Any]) -> bool:
    """Whether there is a place where numba keeps what it has compiled."""
    try:
        _Cache(function)
    except RuntimeError:
        return False
    return True


def kernel(signature: Any, *, allocates: bool = False) -> Callable[[F], F]:
    """Compile a function for one explicit signature, as the whole engine is.

    A cache file that cannot be read (truncated by a full disk, say) is thrown away and written
    anew, and so is one of other sources. Where no cache can be written, the function is compiled
    for this process only.
    """

    def decorate(function: F) -> F:
        for cached in (True, True, False):
            try:
                compiled = numba.njit(**{**OPTIONS, "_nrt": allocates})(function)
                if cached:
                    compiled._cache = cache = _Cache(function)
                    if not cache.is_filled():
                        cache.remove_others()
                compiled.compile(signature)
                compiled.disable_compile()
            except NumbaError:
                raise
            except Exception:
                # Unpickling garbage can raise anything.
                if not cached:
                    raise
                with contextlib.suppress(Exception):
                    _Cache(function).flush()
            else:
                return cast(F, compiled)
        raise AssertionError("unreachable")

    return decorate


def inner(function: F) -> F:
    """Compile a function into the driver that calls it; it has no cache file of its own.

    Python cannot call it.
    """
    return numba.njit(**OPTIONS, **INSIDE)(function)


def allocating(function: F) -> F:
    """Compile a function that makes arrays, into one that does so, too."""
    return numba.njit(**{**OPTIONS, "_nrt": True}, **INSIDE)(function)


def instruction(generate: Callable[..., Any]) -> Any:
    """Declare a function by the instructions it stands for; see `numba.extending.intrinsic`."""
    return intrinsic(generate)
