"""What was varied, in words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Axis:
    """One thing that was varied.

    Attributes
    ----------
    name : str
        Name of its coordinate.
    words, unit : str
        What it is, and its unit as the model spells it (empty for labels).
    coordinate : xarray.DataArray
        Its values.
    """

    name: str
    words: str
    unit: str
    coordinate: xr.DataArray

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, not labels."""
        return self.coordinate.dtype.kind in "iuf"

    @cached_property
    def levels(self) -> tuple[list[str], str]:
        """Values in words, and the unit that belongs to them (days may read as months)."""
        from carsim.plots.theme import tick_labels, unit_text

        labels, words = tick_labels(self.coordinate)
        if not self.is_number:
            return labels, ""
        return labels, "months" if words.endswith("(months)") else unit_text(self.unit)

    def level(self, number: int) -> str:
        """One value with its unit."""
        labels, unit = self.levels
        if labels[number] == "1" and unit in ("days", "months"):
            unit = unit.removesuffix("s")
        return f"{labels[number]} {unit}".rstrip()
