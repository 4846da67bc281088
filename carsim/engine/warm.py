"""Compile the engine in other processes while this one compiles a model's kernels.

Only the first run on a machine compiles anything. numba compiles one function at a time in a
process, so threads would not do. The parts that a run needs and that are not compiled yet lie in a
pipe, a byte each. Whoever has nothing to do takes the next one, this process too when it is done
with the kernels, so that all are busy until nothing is left.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from carsim.engine.driver import drive
from carsim.engine.follow import follow_reductions, follow_rules
from carsim.engine.integrate import available_processors
from carsim.engine.jit import is_missing
from carsim.engine.step import step

PARTS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("carsim.engine.driving", drive),
    ("carsim.engine.ruling", follow_rules),
    ("carsim.engine.reducing", follow_reductions),
    ("carsim.engine.compiled", step),
)
"""Modules that compile a part when they are imported, and what they compile; the longest first."""

DRIVE, RULES, REDUCTIONS, STEP = range(len(PARTS))

_LOG = logging.getLogger("carsim")
_telling = False


@contextlib.contextmanager
def compiling(*, rules: bool = False, reductions: bool = False) -> Iterator[None]:
    """Compile what a run needs of the engine, beside what is compiled inside the block.

    At the end of the block all of it is compiled. An exception, such as an interrupt, ends the
    other processes.

    Parameters
    ----------
    rules, reductions : bool
        Whether the run has any.
    """
    global _telling
    needed = [DRIVE, STEP, *([RULES] if rules else []), *([REDUCTIONS] if reductions else [])]
    parts = [part for part in sorted(needed) if _is_missing(part)]
    if not parts:
        yield
        return
    tell("the engine, once on this machine; this takes up to a minute")
    _telling = True
    queue = _queue(parts)
    helpers: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(min(len(parts), available_processors() - 1)):
            helpers.extend(_helper(queue))
        yield
        _work(queue)
        for helper in helpers:
            helper.wait()
    finally:
        _telling = False
        os.close(queue)
        for helper in helpers:
            helper.kill()
            helper.communicate()


def tell(what: str) -> None:
    """Say that a while passes with compiling, unless that has been said.

    Parameters
    ----------
    what : str
        What is compiled.
    """
    if not _telling:
        _LOG.warning("carsim compiles %s.", what)


def help_out(queue: int) -> None:
    """Compile parts until none is left, or until the process that asked for it is gone.

    Parameters
    ----------
    queue : int
        Descriptor of the pipe with the parts.
    """
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    _work(queue)


def _is_missing(part: int) -> bool:
    module, function = PARTS[part]
    return module not in sys.modules and is_missing(function)


def _queue(parts: list[int]) -> int:
    """Descriptor of a pipe that gives each part to one reader, whichever process that is in."""
    queue, entry = os.pipe()
    os.write(entry, bytes(parts))
    os.close(entry)
    return queue


def _helper(queue: int) -> list[subprocess.Popen[bytes]]:
    """Another process that helps out; none where there is no Python to start, or no memory."""
    if not Path(sys.executable).name.startswith("python"):
        return []
    # This carsim and no other: a path may have been added since Python started.
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        f"from carsim.engine.warm import help_out; help_out({queue})"
    )
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(queue,),
        )
    except OSError:
        return []
    return [process]


def _work(queue: int) -> None:
    while taken := os.read(queue, 1):
        importlib.import_module(PARTS[taken[0]][0])


def _end_with_the_other() -> None:
    """Nothing is ever written to the standard input; it ends with the process that holds it."""
    sys.stdin.buffer.read()
    os._exit(1)
