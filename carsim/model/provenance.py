"""Where a number comes from: published, derived from published numbers, or assumed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from carsim.errors import ModelError

__all__ = ["Assumed", "Cited", "Derived", "Provenance"]

_DOI = re.compile(r"10\.\d{4,9}(\.\d+)*/\S+")


@dataclass(frozen=True, slots=True)
class Cited:
    """The number stands in a published document.

    Parameters
    ----------
    doi : str
        Digital object identifier, from ``10.`` on.
    where : str
        Table, figure or equation that holds the number.
    """

    doi: str
    where: str = ""

    def __post_init__(self) -> None:
        given: object = self.doi
        if not isinstance(given, str) or not _DOI.fullmatch(given):
            raise ModelError(
                f"Cited({self.doi!r}): not a DOI. Write the part from '10.' on, such as "
                "Cited('10.1002/psp4.12388'); for a number that no paper with a DOI contains, "
                "write Derived('how') or Assumed('why')."
            )

    def at(self, where: str) -> Cited:
        """Return the same document with the table, figure or equation that holds the number."""
        return Cited(self.doi, where)

    @property
    def text(self) -> str:
        """One line for tables and for the attributes of a result."""
        return f"doi:{self.doi}, {self.where}" if self.where else f"doi:{self.doi}"


@dataclass(frozen=True, slots=True)
class Derived:
    """The number follows from other numbers; `how` says from which and in what way."""

    how: str

    def __post_init__(self) -> None:
        _require_words("Derived", "how the number was derived", self.how)

    @property
    def text(self) -> str:
        """One line for tables and for the attributes of a result."""
        return f"derived: {self.how}"


@dataclass(frozen=True, slots=True)
class Assumed:
    """The number is a choice of the modeler; `why` gives the reason."""

    why: str

    def __post_init__(self) -> None:
        _require_words("Assumed", "why the number was chosen", self.why)

    @property
    def text(self) -> str:
        """One line for tables and for the attributes of a result."""
        return f"assumed: {self.why}"


Provenance: TypeAlias = Cited | Derived | Assumed


def _require_words(kind: str, what: str, given: object) -> None:
    if not isinstance(given, str) or not given.strip():
        raise ModelError(f"{kind}({given!r}): say in words {what}.")
