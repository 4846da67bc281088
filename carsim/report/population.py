"""Second section: who the virtual patients are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from carsim.hypertext import counted, table
from carsim.population import Distribution, Population
from carsim.report.section import Section, about, short
from carsim.report.sensitivity import Correlated
from carsim.report.view import View

MOST_HISTOGRAMS = 9
BINS = 30
MOST_KINDS = 7
WIDE = 20.0
"""From this ratio of the 95th to the 5th percentile on, an axis is logarithmic."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sampled:
    """A sampled parameter of one kind of patient, or of all.

    Attributes
    ----------
    name : str
        Name of the parameter.
    key : str
        Name of its coordinate.
    words, unit : str
        What it is; its unit as the model spells it.
    where : dict of str to int
        Position along the axes that change its draw.
    level : str
        The same in words; empty if it does not depend on the cell.
    spread : tuple of three floats
        5th percentile, median and 95th percentile.
    """

    name: str
    key: str
    words: str
    unit: str
    where: dict[str, int]
    level: str
    spread: tuple[float, float, float]

    @property
    def varies(self) -> bool:
        """Whether these patients differ in it."""
        return self.spread[0] < self.spread[2]

    @property
    def ratio(self) -> float:
        """95th over 5th percentile; infinite if that is no measure."""
        low, _, high = self.spread
        if not self.varies:
            return 1.0
        return high / low if low > 0 else float("inf")


def population(view: View, driving: Correlated | str) -> Section:
    """Say how many patients of which kind there are, and in what they differ."""
    section = Section("The population")
    described = view.sweep.scenario.population
    if not view.has_patients:
        section.say(
            "There is no population: each cell is one patient with the values of the model and of "
            "the config. Nothing can be said about risks."
        )
        return section
    if described is None:
        section.say(
            f"{counted(view.sweep.n_patients, 'patient')} with values of their own, given as "
            "arrays. Nothing was drawn at random."
        )
        return section
    section.say(
        f"{counted(described.size, 'virtual patient')} in each cell, drawn with seed "
        f"{described.seed}. Patient number and seed fix every random number, so that patient k is "
        "the same person in all cells."
    )
    _kinds(section, view, described)
    sampled = list(_sampled(view, described))
    if not sampled:
        section.say("No parameter was drawn: patients differ in their kind at most.")
        return section
    names = list(dict.fromkeys(each.name for each in sampled))
    section.say(
        f"{counted(len(names), 'parameter')} {'was' if len(names) == 1 else 'were'} drawn. All "
        "others have the values of the model or of the config; section 9 says where these are from."
    )
    section.fold(
        "Table of the sampled parameters",
        _table(sampled, described),
    )
    _histograms(section, view, sampled, [] if isinstance(driving, str) else driving.names)
    return section


def _kinds(section: Section, view: View, described: Population) -> None:
    mixture = described.mixture
    if mixture is None:
        return
    name = mixture.name.replace("_", " ")
    membership = view.sweep.membership
    if membership is not None:
        section.say(
            f"The kind of patient ({name}) is an axis of the sweep: in a cell all patients belong "
            "to one kind. Other kinds that the population knows do not occur here; their shares "
            "say how frequent each is in the population."
        )
    else:
        section.say(f"Patients are of different kinds ({name}).")
    chosen = set(mixture.labels)
    if membership is not None:
        chosen = {str(label) for label in np.atleast_1d(view.whole[membership.name].values)}
    total = sum(component.weight for component in mixture.components)
    counts: dict[str, int] = {}
    if view.kind is not None and membership is None:
        labels, numbers = np.unique(view.whole[view.kind].values, return_counts=True)
        counts = dict(zip(labels.tolist(), numbers.tolist(), strict=True))
    rows = []
    for component in mixture.components:
        used = f"{counts.get(component.label, 0):,}" if counts else ""
        if not counts:
            used = "yes" if component.label in chosen else "no"
        rows.append(
            (
                escape(component.label),
                f"{100 * component.weight / total:.1f} %",
                used,
                escape(", ".join(component.variants)) or "–",
            )
        )
    header = ("Kind", "Share", "Patients here" if counts else "In this sweep", "Variants of model")
    section.add(table(header, rows, numbers=(1, 2)))


def _sampled(view: View, described: Population) -> list[Sampled]:
    found: list[Sampled] = []
    for name in described.sampled:
        key = f"parameter:{name}" if f"parameter:{name}" in view.data.coords else name
        if key not in view.data.coords:
            continue
        variable = view.data[key]
        words, unit = about(variable)
        dims = [str(dim) for dim in variable.dims if dim != "patient"]
        # More would be one row for each point of a design: the first then stands for all.
        places = list(np.ndindex(*(variable.sizes[dim] for dim in dims)))
        places = places if dims != ["point"] else places[:1]
        for at in places:
            where = dict(zip(dims, at, strict=True))
            values = _finite(variable.isel(where).values)
            if not values.size:
                continue
            low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
            level = "; ".join(view.axis(d).level(k) for d, k in where.items() if d != "point")
            found.append(
                Sampled(
                    name,
                    key,
                    words,
                    unit,
                    where,
                    level,
                    (float(low), float(middle), float(high)),
                )
            )
    return found


def _finite(values: NDArray[np.generic]) -> Array:
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def _table(sampled: Sequence[Sampled], described: Population) -> str:
    from carsim.plots.theme import unit_text

    rows = []
    for each in sampled:
        level = f"<small>{escape(each.level)}</small>" if each.level else ""
        low, middle, high = each.spread
        rows.append(
            (
                f"<code>{escape(each.name)}</code>{level}",
                escape(each.words),
                short(middle),
                f"{short(low)} to {short(high)}",
                escape(unit_text(each.unit)) or "–",
                escape(_distribution(each, described)),
            )
        )
    header = ("Parameter", "What it is", "Median", "5th–95th percentile", "Unit", "Distribution")
    return table(header, rows, numbers=(2, 3))


def _distribution(each: Sampled, described: Population) -> str:
    """Distribution of a parameter in words, that of the kind if it has its own."""
    given: dict[str, None] = {}
    components = () if described.mixture is None else described.mixture.components
    for component in components:
        if each.level and component.label not in each.level:
            continue
        own = component.distributions.get(each.name)
        if own is not None:
            given[_words(own)] = None
    general = described.distributions.get(each.name)
    if general is not None and not (each.level and given):
        given = {_words(general): None, **given}
    return "; or ".join(given) or "constant"


def _words(distribution: Distribution) -> str:
    settings = distribution.settings()
    kind = str(settings.pop("distribution")).replace("_", " ")
    lower = settings.get("lower")
    if lower == 0.0:
        settings.pop("lower")  # what every positive parameter has
    shown = [
        f"{key} {value:g}" for key, value in settings.items() if isinstance(value, int | float)
    ]
    center = " around the model's value" if distribution.relative else ""
    return f"{kind}{center} ({', '.join(shown)})"


def _histograms(
    section: Section, view: View, sampled: Sequence[Sampled], strongest: Sequence[str]
) -> None:
    from carsim.plots import Histogram, as_png, histogram_figure
    from carsim.plots.theme import capital, unit_text

    names = list(dict.fromkeys(each.name for each in sampled))
    ranked = [name for name in strongest if name in names]
    why = "those that go most with the endpoint, see section 6" if ranked else ""
    if not ranked:
        widest = {name: max(s.ratio for s in sampled if s.name == name) for name in names}
        ranked = sorted(names, key=lambda name: -widest[name])
        why = "those that differ most between patients (ratio of the 95th to the 5th percentile)"
    chosen = ranked[:MOST_HISTOGRAMS]
    panels = []
    for name in chosen:
        mine = [each for each in sampled if each.name == name and each.varies][:MOST_KINDS]
        if not mine:
            continue
        first = mine[0]
        low = min(each.spread[0] for each in mine)
        high = max(each.spread[2] for each in mine)
        log = low > 0 and high / low >= WIDE
        values = {each.level: _finite(view.data[each.key].isel(each.where).values) for each in mine}
        edges = _edges(list(values.values()), log=log)
        counts = {
            level: np.histogram(numbers, edges)[0] / max(numbers.size, 1)
            for level, numbers in values.items()
        }
        unit = unit_text(first.unit)
        words = f"{capital(first.words)}{f' ({unit})' if unit else ''}"
        panels.append(Histogram(name, words, edges, counts, log=log))
    if not panels:
        return
    chosen = [panel.title for panel in panels]
    more = f" of {len(names)}" if len(names) > len(chosen) else ""
    section.say(
        f"The figure shows {counted(len(chosen), 'parameter')}{more}"
        + (f": {why}." if more else ".")
    )
    section.draw(
        as_png(histogram_figure(panels, "Share of patients (%)", groups=_kind_names(view))),
        f"Histograms of the sampled parameters {', '.join(chosen)}; the table above has their "
        "medians and percentiles.",
        "How sampled parameters differ between the virtual patients. Each panel has its own axes; "
        "an axis is logarithmic where values range over decades. Where the draw depends on the "
        "kind of patient, each kind that varies has a line; all others are gray.",
    )


def _kind_names(view: View) -> list[str]:
    """Kinds of patients in the order in which all figures color them."""
    return [str(name) for name in view.whole[view.kind].values] if view.kind in view.dims else []


def _edges(values: Sequence[Array], *, log: bool) -> Array:
    everything = np.concatenate(values)
    if log:
        everything = everything[everything > 0]
    # The outer half percent would squeeze all others into a few bins.
    low, high = np.quantile(everything, [0.005, 0.995])
    if not low < high:
        low, high = (low / 1.5, low * 1.5) if low > 0 else (low - 0.5, low + 0.5)
    if log:
        return np.geomspace(low, high, BINS + 1)
    return np.linspace(low, high, BINS + 1)
