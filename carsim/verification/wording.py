"""Numbers, ranges, links and pictures as HTML."""

from __future__ import annotations

import base64
import math
import re
import urllib.parse
from html import escape

from carsim.verification.check import Interval, Row

__all__ = ["anchor", "between", "counted", "doi_link", "image", "linked", "span", "tolerated"]
__all__ += ["tolerance_used", "value"]

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DOI = re.compile(r"(?:doi:|https?://doi\.org/)(10\.\d{4,9}/[^\s,;]*[^\s,;.)])")


def counted(number: int, word: str) -> str:
    """Say "1 row", "2 rows"."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def value(number: float, unit: str, digits: int | None = None) -> str:
    """Spell a number with its unit: shares of patients to three digits, other numbers to six."""
    if digits is None:
        digits = 3 if unit == "%" else 6
    return _number(number, digits) + ("" if math.isnan(number) else _unit(unit))


def between(ends: Interval) -> str:
    """Spell an interval of uncertainty without its unit, to three digits."""
    return f"{_number(ends[0], 3)} to {_number(ends[1], 3)}"


def span(lowest: float, highest: float, unit: str) -> str:
    """Spell a range with its unit; infinite ends are none."""
    if lowest == highest:
        return f"exactly {value(lowest, unit)}"
    if math.isinf(lowest) and math.isinf(highest):
        return "any number"
    if math.isinf(highest):
        return f"at least {value(lowest, unit)}"
    if math.isinf(lowest):
        return f"at most {value(highest, unit)}"
    return f"{value(lowest, '', digits=3 if unit == '%' else 6)} to {value(highest, unit)}"


def tolerated(row: Row) -> str:
    """Spell the tolerated range, as a distance where it is the same on both sides."""
    reach = (row.highest - row.lowest) / 2.0
    centered = math.isclose(row.lowest + reach, row.published, rel_tol=1e-12)
    if not centered or not reach > 0.0 or row.unit == "%":  # "± 12 %" of what?
        return span(row.lowest, row.highest, row.unit)
    shown = f"± {value(reach, row.unit, digits=3)}"
    if row.published == 0.0:
        return shown
    return f"{shown}<small>{_percent(reach / abs(row.published))}</small>"


def tolerance_used(row: Row) -> str:
    """Spell how much of the tolerance is used up."""
    share = row.tolerance_used
    if math.isnan(share):
        return "–"
    if share > 10.0:
        return "&gt; 1000 %"
    if 0.0 < share < 1e-4:
        return "&lt; 0.01 %"
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1g} %"


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


def image(png: bytes, words: str) -> str:
    """Show a PNG file that the page carries itself; `words` for whoever does not see it."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{escape(words)}">'


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


def _percent(share: float) -> str:
    return f"{value(100.0 * share, '', digits=3)} %"
