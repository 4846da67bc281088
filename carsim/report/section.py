"""What all sections are made of: headings, figures, words for risks and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.hypertext import image

if TYPE_CHECKING:
    import xarray as xr

DOTS_PER_INCH = 150.0


@dataclass
class Section:
    """One section of the page.

    Attributes
    ----------
    title : str
        Heading, plain text.
    parts : list of str
        HTML, one element or more each.
    """

    title: str
    parts: list[str] = field(default_factory=list)

    def say(self, *sentences: str) -> None:
        """Add a paragraph of plain sentences; empty ones are left out."""
        text = " ".join(sentence for sentence in sentences if sentence)
        if text:
            self.parts.append(f"<p>{escape(text)}</p>")

    def note(self, text: str) -> None:
        """Add a sentence that must not be overlooked."""
        self.parts.append(f'<p class="note">{escape(text)}</p>')

    def head(self, words: str) -> None:
        """Add a heading inside the section."""
        self.parts.append(f"<h3>{escape(words)}</h3>")

    def add(self, html: str) -> None:
        """Add HTML as it is."""
        self.parts.append(html)

    def items(self, items: Sequence[str]) -> None:
        """Add a list of plain texts."""
        if items:
            self.parts.append(f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>")

    def fold(self, summary: str, html: str) -> None:
        """Add something long that opens on demand; `summary` is plain text."""
        self.parts.append(f"<details><summary>{escape(summary)}</summary>{html}</details>")

    def draw(self, png: bytes, words: str, caption: str) -> None:
        """Add a figure.

        Parameters
        ----------
        png : bytes
            The picture, drawn at `DOTS_PER_INCH`.
        words : str
            What it shows, for whoever does not see it; plain text.
        caption : str
            How to read it; plain text.
        """
        picture = image(png, words, dots_per_inch=DOTS_PER_INCH)
        self.parts.append(
            f'<figure class="wide">{picture}<figcaption>{escape(caption)}</figcaption></figure>'
        )


def percent(share: float) -> str:
    """Spell a share: "12.5 %"."""
    # Rounding of the last bits must not tell 4.75 % from 4.75 %.
    return f"{100.0 * round(share, 12):.1f} %"


def interval(lower: float, upper: float) -> str:
    """Spell an interval of shares: "9.1 to 16.4 %"."""
    return f"{100.0 * lower:.1f} to {100.0 * upper:.1f} %"


def risk_words(cell: xr.Dataset) -> str:
    """Spell the risk of one cell with its interval and its counts."""
    n = int(cell["n"])
    if n == 0:
        return "not known, since no patient counts"
    return (
        f"{percent(float(cell['risk']))} (95 % interval "
        f"{interval(float(cell['lower']), float(cell['upper']))}; {int(cell['events']):,} of "
        f"{n:,} patients)"
    )


def short(number: float) -> str:
    """Spell a number to three digits, powers of ten as in a paper."""
    from carsim.hypertext import value

    return "–" if not np.isfinite(number) else value(float(number), "", 3)


def lower_first(words: str) -> str:
    """Begin with a small letter, unless the first word is an abbreviation."""
    return words if words[1:2].isupper() or words[1:2] == "-" else words[:1].lower() + words[1:]


def about(variable: xr.DataArray) -> tuple[str, str]:
    """Words and unit (as the model spells it) of a variable."""
    attributes: dict[Any, Any] = variable.attrs
    words = str(attributes.get("long_name", variable.name))
    return words, str(attributes.get("carsim_units", ""))
