"""Pages of HTML that need nothing beside themselves: the frame, words, pictures, tables.

What `carsim verify` and `carsim report` write. No script, no request: figures and style are inside.
"""

from __future__ import annotations

from carsim.hypertext.frame import page_of
from carsim.hypertext.tables import table
from carsim.hypertext.words import (
    anchor,
    between,
    counted,
    doi_link,
    image,
    linked,
    listed,
    value,
)

__all__ = [
    "anchor",
    "between",
    "counted",
    "doi_link",
    "image",
    "linked",
    "listed",
    "page_of",
    "table",
    "value",
]
