"""Tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Cell", "table"]

_NUMBER = ' class="number"'


@dataclass(frozen=True)
class Cell:
    """A cell that is more than words.

    Attributes
    ----------
    html : str
        What it holds.
    span : int
        Rows that it covers.
    """

    html: str
    span: int = 1


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    *,
    numbers: Sequence[int] = (),
    caption: str = "",
) -> str:
    """Write a table; the first cell of each row is its heading.

    Parameters
    ----------
    header : sequence of str
        Headings of the columns, HTML.
    rows : iterable of sequences of str or Cell
        Cells, HTML. A row under a cell that covers several rows leaves that one out.
    numbers : sequence of int
        Columns that are set to the right.
    caption : str
        Words above it, HTML.

    Returns
    -------
    str
    """
    parts = ['<div class="scroll"><table>']
    if caption:
        parts.append(f"<caption>{caption}</caption>")
    heads = (
        f'<th scope="col"{_NUMBER if k in numbers else ""}>{words}</th>'
        for k, words in enumerate(header)
    )
    parts.append(f"<thead><tr>{''.join(heads)}</tr></thead><tbody>")
    for row in rows:
        missing = len(header) - len(row)
        cells = []
        for k, given in enumerate(row, start=missing):
            cell = given if isinstance(given, Cell) else Cell(given)
            span = f' rowspan="{cell.span}"' if cell.span > 1 else ""
            style = _NUMBER if k in numbers else ""
            if k == 0:
                scope = "rowgroup" if cell.span > 1 else "row"
                cells.append(f'<th scope="{scope}"{span}{style}>{cell.html}</th>')
            else:
                cells.append(f"<td{span}{style}>{cell.html}</td>")
        parts.append(f"<tr>{''.join(cells)}</tr>")
    parts.append("</tbody></table></div>")
    return "\n".join(parts)
