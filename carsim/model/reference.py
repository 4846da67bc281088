"""The publications that a model names in its docstring, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carsim.model.provenance import Cited

if TYPE_CHECKING:
    from carsim.model.model import Model

__all__ = ["Reference", "references_of"]

_HEADING = re.compile(r"^(Reference|References)\s*$", re.M)
_ENTRY = re.compile(r"(?P<text>.*?doi:\s*(?P<doi>10\.\d{4,9}(?:\.\d+)*/[^\s;,]+))", re.S)
_PARTS = re.compile(r"(?P<authors>.+?) \((?P<year>\d{4})\)\. (?P<title>.+?)\. (?P<journal>.+)")
_SPECIAL = re.compile(r"([&%#_$])")  # which LaTeX takes for something else
_VOLUME = re.compile(r"(?P<journal>.+?) (?P<volume>\d+)(?:\(\w+\))?:(?P<pages>\w+(?:-\w+)?)")


@dataclass(frozen=True)
class Reference:
    """One publication.

    Attributes
    ----------
    doi : str
        From ``10.`` on; empty if there is none.
    text : str
        As one would print it, without the DOI; empty if nobody wrote it down.
    """

    doi: str
    text: str = ""

    @property
    def short(self) -> str:
        """Authors and year, as in running text; the DOI if no words are known."""
        parts = _PARTS.fullmatch(self.text)
        if parts is None:
            return self.doi
        names = _people(parts["authors"])
        last = [name.split(". ")[-1].strip() for name in names]
        if len(last) == 1 and not parts["authors"].endswith("et al."):
            return f"{last[0]} {parts['year']}"
        if len(last) == 2 and not parts["authors"].endswith("et al."):
            return f"{last[0]} and {last[1]} {parts['year']}"
        return f"{last[0]} et al. {parts['year']}"

    @property
    def line(self) -> str:
        """Everything on one line."""
        link = f"https://doi.org/{self.doi}" if self.doi else ""
        return f"{self.text.rstrip('.')}. {link}".strip() if self.text else link

    def bibtex(self, key: str) -> str:
        """BibTeX entry; of a document without words only its DOI.

        Parameters
        ----------
        key : str
            Key of the entry.
        """
        fields: dict[str, str] = {}
        kind = "misc"
        parts = _PARTS.fullmatch(self.text)
        if parts is not None:
            kind = "article"
            people = _people(parts["authors"])
            if parts["authors"].endswith("et al."):
                people.append("others")
            fields["author"] = " and ".join(people)
            fields["title"] = "{" + parts["title"] + "}"
            fields["year"] = parts["year"]
            journal = parts["journal"].strip().rstrip(".")
            found = _VOLUME.fullmatch(journal)
            fields |= found.groupdict() if found else {"journal": journal}
            if "pages" in fields:
                fields["pages"] = fields["pages"].replace("-", "--")
        elif self.text:
            fields["note"] = self.text
        fields = {name: _SPECIAL.sub(r"\\\1", value) for name, value in fields.items()}
        if self.doi:
            fields["doi"] = self.doi
        inside = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        return f"@{kind}{{{key},\n{inside}}}"


def _people(authors: str) -> list[str]:
    """Names of the authors, without "et al."."""
    plain = authors.removesuffix("et al.").replace(" and ", ", ")
    return [name.strip() for name in plain.split(",") if name.strip()]


def references_of(model: Model) -> list[Reference]:
    """The publications of a model: those under "Reference" in its docstring.

    Parameters
    ----------
    model : Model
        A model.

    Returns
    -------
    list of Reference
        The model's own (``Model(reference=...)``) comes first, in words if the docstring has them.
    """
    found = {reference.doi: reference for reference in _in_docstring(model.doc)}
    own = _ENTRY.search(model.reference)
    if own is None:
        return [*([Reference("", model.reference)] if model.reference else []), *found.values()]
    doi = own["doi"].rstrip(".")
    first = found.pop(doi, Reference(Cited(doi).doi))
    return [first, *found.values()]


def _in_docstring(doc: str) -> list[Reference]:
    heading = _HEADING.search(doc)
    if heading is None:
        return []
    block = []
    for line in doc[heading.end() :].splitlines():
        if line.strip() and not line.startswith(" "):
            break
        block.append(line.strip())
    entries = []
    for match in _ENTRY.finditer(" ".join(block)):
        doi = match["doi"].rstrip(".")
        text = " ".join(match["text"].split()).removesuffix(match["doi"]).strip()
        text = re.sub(r"\s*doi:\s*$", "", text).lstrip(".;, ")
        entries.append(Reference(doi, text))
    return entries
