"""Find the line of a model file to which an error belongs."""

from __future__ import annotations

import linecache
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from carsim.errors import ModelError

__all__ = ["blame", "explain", "place", "relative"]

# With the separator, so that a package such as carsim_models beside this one is not among them.
_LIBRARIES = (str(Path(__file__).parents[1]) + os.sep, str(Path(np.__file__).parent) + os.sep)


def relative(file: str) -> str:
    """Path as a reader would type it: relative if the file lies below the current directory."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except ValueError:
        return file


def place(function: Callable[..., Any]) -> str:
    """``file:line`` where a function is defined."""
    code = getattr(function, "__code__", None)
    if code is None:
        return getattr(function, "__qualname__", repr(function))
    return f"{relative(code.co_filename)}:{code.co_firstlineno}"


def blame(error: BaseException) -> str:
    """``file:line: expression`` of the innermost line outside the library, or an empty string.

    Parameters
    ----------
    error : exception
        An exception that passed through the code of a model.

    Returns
    -------
    str
        Where it came from, with the offending expression as written.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(_LIBRARIES):
            continue
        text = _expression(frame)
        where = f"{relative(frame.filename)}:{frame.lineno}"
        return f"{where}: {text}" if text else where
    return ""


def _expression(frame: traceback.FrameSummary) -> str:
    """Source of the expression; all of its line when it spans several."""
    line = linecache.getline(frame.filename, frame.lineno or 0)
    if frame.end_lineno == frame.lineno and frame.colno is not None:
        raw = line.encode()
        return raw[frame.colno : frame.end_colno].decode(errors="replace").strip()
    return line.strip()


def explain(error: BaseException) -> str:
    """Words of an error; the type in front unless it is one of ours or a misspelt field."""
    if isinstance(error, (ModelError, AttributeError)):
        return str(error)
    return f"{type(error).__name__}: {error}"
