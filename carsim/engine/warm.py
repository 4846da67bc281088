"""Compile the engine in other processes while this one compiles a model's kernels.

Only the first run on a machine compiles anything. numba compiles one function at a time in a
process, so threads would not do. What a run needs and what is not compiled yet lies in a pipe, a
byte for each portion. Whoever has nothing to do takes the next one, this process too when it is
done with the kernels, so that all are busy until nothing is left.
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
from carsim.engine.jit import can_be_cached, is_cached
from carsim.engine.step import step

DRIVE, RULES, REDUCTIONS, STEP = 1, 2, 4, 8

PARTS: dict[int, tuple[str, Callable[..., Any]]] = {
    DRIVE: ("carsim.engine.driving", drive),
    RULES: ("carsim.engine.ruling", follow_rules),
    REDUCTIONS: ("carsim.engine.reducing", follow_reductions),
    STEP: ("carsim.engine.compiled", step),
}
"""Modules that compile a part when they are imported, and the longest function that they compile.
"""

PORTIONS = (RULES | REDUCTIONS, DRIVE, STEP)
"""What one process does, the longest first; rules and reductions have most functions in common."""

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
    needed = DRIVE | STEP | (RULES if rules else 0) | (REDUCTIONS if reductions else 0)
    missing = sum(part for part in PARTS if part & needed and _is_missing(part))
    portions = [portion & missing for portion in PORTIONS if portion & missing]
    if not portions:
        yield
        return
    tell("the engine, once on this machine; this takes up to a minute")
    _telling = True
    queue = _queue(portions)
    helpers: list[subprocess.Popen[bytes]] = []
    try:
        # What others compile is found in the cache, or not at all.
        most = available_processors() - 1 if can_be_cached(drive) else 0
        for _ in range(min(len(portions), most)):
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
    """Compile portions until none is left, or until the process that asked for it is gone.

    Parameters
    ----------
    queue : int
        Descriptor of the pipe with the portions.
    """
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    _work(queue)


def _is_missing(part: int) -> bool:
    module, function = PARTS[part]
    return module not in sys.modules and not is_cached(function)


def _queue(portions: list[int]) -> int:
    """Descriptor of a pipe that gives each portion to one reader, whichever process that is in."""
    queue, entry = os.pipe()
    os.write(entry, bytes(portions))
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
        for part, (module, _) in PARTS.items():
            if taken[0] & part:
                importlib.import_module(module)


def _end_with_the_other() -> None:
    """Nothing is ever written to the standard input; it ends with the process that holds it."""
    sys.stdin.buffer.read()
    os._exit(1)
