"""Plain tables for terminals, files and pipes."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

NARROWEST = 24


def table(header: Sequence[str], rows: Sequence[Sequence[str]], indent: int = 2) -> None:
    """Print aligned columns; on a terminal the last column is wrapped to its width.

    Parameters
    ----------
    header : sequence of str
        Names of the columns; none if empty.
    rows : sequence of sequences of str
        Cells.
    indent : int, optional
        Blanks before each line.
    """
    lines = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    if not rows:
        return
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]) - 1)]
    before = indent + sum(width + 2 for width in widths)
    room = None
    if sys.stdout.isatty():
        room = max(NARROWEST, shutil.get_terminal_size().columns - before)
    for line in lines:
        start = " " * indent + "".join(
            f"{cell:<{width}}  " for cell, width in zip(line, widths, strict=False)
        )
        last = textwrap.wrap(line[-1], room) if room is not None else [line[-1]]
        click.echo((start + (last[0] if last else "")).rstrip())
        for more in last[1:]:
            click.echo(" " * before + more)


def number(value: float) -> str:
    """Spell a number shortly: six digits, powers of ten where they are shorter; NaN as a dash."""
    return "-" if math.isnan(value) else f"{value:.6g}"
