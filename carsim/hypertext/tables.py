"""Tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["table"]


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """Write a table; the first cell of each row is its heading.

    Parameters
    ----------
    header : sequence of str
        Headings of the columns, HTML.
    rows : iterable of sequences of str
        Cells, HTML.
    numbers : sequence of int
        Columns that are set to the right.

    Returns
    -------
    str
    """
    style = [' class="number"' if k in numbers else "" for k in range(len(header))]
    heads = (f'<th scope="col"{s}>{words}</th>' for s, words in zip(style, header, strict=True))
    parts = [f'<div class="scroll"><table><thead><tr>{"".join(heads)}</tr></thead><tbody>']
    for row in rows:
        cells = [
            f"<td{s}>{cell}</td>" if k else f'<th scope="row"{s}>{cell}</th>'
            for k, (s, cell) in enumerate(zip(style, row, strict=True))
        ]
        parts.append(f"<tr>{''.join(cells)}</tr>")
    parts.append("</tbody></table></div>")
    return "\n".join(parts)
