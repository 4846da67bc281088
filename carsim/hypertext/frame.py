"""The frame of a page."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from html import escape

__all__ = ["page_of"]


def page_of(title: str, body: Sequence[str]) -> str:
    """Write a whole page.

    Parameters
    ----------
    title : str
        Plain text for the title of the window.
    body : sequence of str
        HTML, one element or more each.

    Returns
    -------
    str
    """
    folder = importlib.resources.files("carsim.hypertext")
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{style}</style></head><body>",
        *body,
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"
