"""Numbers, lists, links and pictures as HTML."""

from __future__ import annotations

import base64
import math
import re
import urllib.parse
from collections.abc import Sequence
from html import escape

__all__ = ["anchor", "between", "counted", "doi_link", "image", "linked", "listed", "value"]

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DOI = re.compile(r"(?:doi:|https?://doi\.org/)(10\.\d{4,9}/[^\s,;]*[^\s,;.)])")

CSS_PIXELS = 96.0
"""CSS pixels an inch, by definition."""


def counted(number: int, word: str) -> str:
    """Say "1 row", "2 rows", "1,000 rows"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def listed(words: Sequence[str], joint: str = "and") -> str:
    """Say "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"


def value(number: float, unit: str, digits: int | None = None) -> str:
    """Spell a number with its unit: shares of patients to three digits, other numbers to six."""
    if digits is None:
        digits = 3 if unit == "%" else 6
    return _number(number, digits) + ("" if math.isnan(number) else _unit(unit))


def between(ends: tuple[float, float]) -> str:
    """Spell an interval of uncertainty without its unit, to three digits."""
    return f"{_number(ends[0], 3)} to {_number(ends[1], 3)}"


def doi_link(doi: str) -> str:
    """Link a DOI."""
    address = "https://doi.org/" + urllib.parse.quote(doi, safe="/:;().,-_")
    return f'<a href="{escape(address)}">doi:{escape(doi)}</a>'


def linked(text: str) -> str:
    """Escape a text and turn each DOI in it into a link."""
    parts = DOI.split(text)  # words and DOIs in turn
    return "".join(doi_link(part) if k % 2 else escape(part) for k, part in enumerate(parts))


def anchor(name: str) -> str:
    """Name a place of the page."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def image(png: bytes, words: str, *, dots_per_inch: float | None = None) -> str:
    """Show a PNG file that the page carries itself.

    Parameters
    ----------
    png : bytes
        The file.
    words : str
        For whoever does not see it.
    dots_per_inch : float, optional
        Resolution that it was drawn at; shows it in the size it was drawn for, sharply on a fine
        screen. By default a dot of the picture is a pixel of the page.
    """
    size = ""
    if dots_per_inch is not None:
        # The header of a PNG file: 8 bytes of signature, 8 of the first chunk, width, height.
        width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
        scale = CSS_PIXELS / dots_per_inch
        size = f' width="{round(scale * width)}" height="{round(scale * height)}"'
    data = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}"{size} alt="{escape(words)}">'


def _number(number: float, digits: int = 6) -> str:
    """Spell a number shortly, powers of ten as in a paper."""
    if math.isnan(number):
        return "not a number"
    plain, _, power = f"{number:.{digits}g}".partition("e")
    if power and digits < 6 and 0 <= int(power) < 6:  # 20100, not 2.01 × 10⁴
        plain, power = f"{float(f'{number:.{digits}g}'):.0f}", ""
    shown = plain.replace("-", "−")
    return f"{shown} × 10{str(int(power)).translate(SUPERSCRIPTS)}" if power else shown


def _unit(unit: str) -> str:
    return "" if unit in ("", "1") else f" {escape(unit)}"
