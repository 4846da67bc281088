"""How a long computation says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

#: Called with how many are done and how many there are, now and then, from any thread.
Progress: TypeAlias = Callable[[int, int], None]


def counted_from(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress of a part, reported as progress of the whole.

    Parameters
    ----------
    progress : callable or None
        Takes the progress of the whole.
    before : int
        How many were done before this part.
    total : int
        How many there are in all.
    """
    if progress is None:
        return None
    report = progress

    def counted(done: int, _: int) -> None:
        report(before + done, total)

    return counted
