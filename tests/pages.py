"""Reads pages of HTML strictly, as no browser does."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "col", "link"}
# Elements whose content is flow, so that a paragraph inside them is wrong or closes them.
PHRASING = {"p", "h1", "h2", "h3", "h4", "summary", "figcaption", "code", "small", "b", "a"}
BLOCKS = {"p", "table", "ul", "ol", "div", "figure", "details", "pre", "section", "h2", "h3"}


class Page(HTMLParser):
    """A page whose every element is closed where it must be; `problems` says where not.

    Parameters
    ----------
    html : str
        The page.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str]] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.sections: dict[str, list[str]] = {}
        self._section = ""
        if not html.startswith("<!DOCTYPE html>"):
            self.problems.append("no doctype")
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self.open]
        self.problems += [f"id {each} twice" for each in set(self.ids) if self.ids.count(each) > 1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element, and what must not be inside its parent."""
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "section":
            self._section = given["id"]
            self.sections[self._section] = []
        if tag == "a":
            self.links.append(given["href"])
        if tag == "img":
            self.images.append(given)
        self.problems += [f"<{tag} {name}>" for name in given if name.startswith("on")]
        if tag in BLOCKS and self.open and self.open[-1] in PHRASING:
            self.problems.append(f"<{tag}> in <{self.open[-1]}>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-1:]}")
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        """Keep the words that a reader sees."""
        if self.open and self.open[-1] != "style":
            self.text.append(data)
            if self._section:
                self.sections[self._section].append(data)

    @property
    def words(self) -> str:
        """All words of the page, with single blanks."""
        return " ".join("".join(self.text).split())

    def section(self, number: int) -> str:
        """Words of a section."""
        found = [key for key in self.sections if key.startswith(f"s{number}-")]
        return " ".join("".join(self.sections[found[0]]).split())
