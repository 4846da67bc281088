"""What to cite for a result: carsim, the model, the papers of its numbers, the solver.

Nothing is looked up anywhere: the DOIs are those of the `Cited` records of the parameters that the
run used, and the words are those that the docstrings of the installed models have for them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carsim._version import __version__
from carsim.dataset import rebuild_scenario
from carsim.engine.tableaus import METHODS
from carsim.errors import CarsimError, ScenarioError
from carsim.model import Assumed, Cited, Derived, Model, Provenance
from carsim.model.reference import Reference, references_of
from carsim.population import Component
from carsim.registry import list_models, load_model
from carsim.scenario import Scenario
from carsim.sweep.axes import replaced
from carsim.sweep.rebuild import rebuild_design

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Citations", "Number", "cite"]

# The facts of CITATION.cff, which does not come with an installed package; a test compares.
AUTHOR = "The carsim developers"
TITLE = (
    "carsim: population simulation of CAR-T therapy, immune suppression and hepatitis B "
    "reactivation"
)
YEAR = 2026

_DOI = re.compile(r"10\.\d{4,9}/[^\s;,]+")
_WIDTH = 100


@dataclass(frozen=True)
class Number:
    """One number that a run used, and where it is from.

    Attributes
    ----------
    name : str
        Name of the parameter, or ``"initial NAME"`` of a state.
    words : str
        What it is.
    provenance : Cited, Derived or Assumed
        Its source.
    variant : str
        Variant that set it; empty for the model's own value.
    """

    name: str
    words: str
    provenance: Provenance
    variant: str = ""


@dataclass(frozen=True)
class Citations:
    """What a result rests on; printing it gives the text.

    Attributes
    ----------
    version : str
        Version of carsim that made the result.
    model : str
        Name of the model.
    papers : tuple of Reference
        Publications of the model; empty for a composed model that has none.
    sources : dict of str to Reference
        Papers of the cited numbers, by DOI.
    method : str
        Solver.
    solver : Reference
        Paper of the solver.
    numbers : tuple of Number
        All numbers that the run used, those of several variants each.
    given : tuple of str
        Numbers that whoever made the run gave instead of the model's.
    note : str
        What may not hold; empty if all is well.
    """

    version: str
    model: str
    papers: tuple[Reference, ...]
    sources: dict[str, Reference]
    method: str
    solver: Reference
    numbers: tuple[Number, ...]
    given: tuple[str, ...]
    note: str = ""

    def __str__(self) -> str:
        return self.text()

    def of_kind(self, kind: type[Provenance]) -> list[Number]:
        """Numbers that are cited, derived or assumed.

        Parameters
        ----------
        kind : type
            `Cited`, `Derived` or `Assumed`.
        """
        return [number for number in self.numbers if isinstance(number.provenance, kind)]

    def text(self, *, everything: bool = False) -> str:
        """Say what to cite, and what rests on no publication.

        Parameters
        ----------
        everything : bool
            Whether to list the derived and assumed numbers, too.
        """
        lines = ["software", f"  {AUTHOR} ({YEAR}). {TITLE}. Version {self.version}."]
        lines.append(f"model {self.model}")
        lines += [f"  {paper.line}" for paper in self.papers]
        if not self.papers:
            lines.append("  a composed model without a publication of its own; cite carsim")
        lines += [f"solver {self.method}", f"  {self.solver.text}"]
        lines.append("numbers from publications")
        own = [paper.doi for paper in self.papers]
        for doi, reference in self.sources.items():
            lines.append(f"  {f'{reference.short}, as above' if doi in own else reference.line}")
            lines += _wrapped(
                ", ".join(dict.fromkeys(_name(n) for n in self.of_kind(Cited) if _doi(n) == doi))
            )
        if not self.sources:
            lines.append("  none")
        derived, assumed = self.of_kind(Derived), self.of_kind(Assumed)
        lines.append(
            f"numbers without one: {len(derived)} derived, {len(assumed)} assumed, "
            f"{len(self.given)} given with the run"
        )
        if everything:
            for number in (*derived, *assumed):
                lines.append(f"  {_name(number)}: {number.words}; {number.provenance.text}")
            lines += [f"  {name}: given with the run" for name in self.given]
        if self.note:
            lines.append(f"note: {self.note}")
        return "\n".join(lines)

    def bibtex(self) -> str:
        """BibTeX entries of the same, each document once."""
        keys: set[str] = set()
        entries = [
            f"@software{{carsim,\n  author = {{{{{AUTHOR}}}}},\n  title = {{{TITLE}}},\n"
            f"  year = {{{YEAR}}},\n  version = {{{self.version}}},\n}}"
        ]
        seen: set[str] = set()
        for reference in (*self.papers, *self.sources.values(), self.solver):
            if (reference.doi or reference.text) in seen:
                continue
            seen.add(reference.doi or reference.text)
            entries.append(reference.bibtex(_key(reference, keys, self.method)))
        return "\n\n".join(entries)


def cite(result: xr.Dataset) -> Citations:
    """Collect what to cite for a result.

    Parameters
    ----------
    result : xarray.Dataset
        Result of `carsim.simulate` or of `carsim.sweep.run`, perhaps read back from a file.

    Returns
    -------
    Citations
        Printing it gives the text; see `Citations.text` and `Citations.bibtex`.

    Raises
    ------
    CarsimError
        The result does not come from carsim, or its model is not installed.
    """
    if "scenario" not in result.attrs:
        raise CarsimError(
            "this is not a result of carsim: it has no attribute 'scenario'. Give what "
            "carsim.simulate or a sweep returned, with its attributes."
        )
    scenario, note = _scenario(result)
    model = scenario.model
    numbers: dict[Number, None] = {}
    given: dict[str, None] = {}
    for number in _used(scenario, _axes(result, scenario)):
        if isinstance(number, Number):
            numbers[number] = None
        else:
            given[number] = None
    words = _words_by_doi(model)
    dois = dict.fromkeys(_doi(n) for n in numbers if isinstance(n.provenance, Cited))
    method = scenario.solver.method
    solver = METHODS[method].reference
    found = _DOI.search(solver)
    return Citations(
        version=str(result.attrs.get("carsim_version", __version__)),
        model=model.name,
        papers=tuple(references_of(model)),
        sources={doi: words.get(doi, Reference(doi)) for doi in dois},
        method=method,
        solver=Reference(found[0] if found else "", solver),
        numbers=tuple(numbers),
        given=tuple(given),
        note=note,
    )


def _scenario(result: xr.Dataset) -> tuple[Scenario, str]:
    """The scenario of a result, with the model of today if its source has changed."""
    attributes = result.attrs
    try:
        return rebuild_scenario(attributes), ""
    except ScenarioError as error:
        name = str(attributes.get("model", ""))
        if "has changed since" not in str(error):
            raise
        note = (
            f"model {name!r} has changed since this result was made; the sources are those of the "
            "present file"
        )
        return rebuild_scenario(attributes, load_model(name)), note


def _axes(result: xr.Dataset, scenario: Scenario) -> tuple[set[str], list[Scenario]]:
    """Parameters and initial values that a sweep sets, and the scenarios of its variants."""
    if "sweep" not in result.attrs:
        return set(), [scenario]
    axes = rebuild_design(result.attrs).axes
    given = {axis.path for axis in axes if axis.path.startswith(("parameters.", "initial."))}
    variants = [axis for axis in axes if axis.path.startswith("variants.")]
    scenarios = []
    for values in itertools.product(*(axis.values or () for axis in variants)):
        changed = scenario
        for axis, value in zip(variants, values, strict=True):
            changed = replaced(changed, axis.path, value)
        scenarios.append(changed)
    return given, scenarios


def _used(scenario: Scenario, axes: tuple[set[str], list[Scenario]]) -> Iterator[Number | str]:
    """The numbers that a run used; only the name where whoever made it gave the number."""
    model = scenario.model
    given, scenarios = axes
    if model.initial is None and model.initialise is None:
        for state in model.states:
            name = f"initial {state.name}"
            if state.name in scenario.initial or f"initial.{state.name}" in given:
                yield name
            elif state.provenance is not None:
                yield Number(name, state.words, state.provenance)
    else:
        yield from (f"initial {name}" for name in scenario.initial)
    for one in scenarios:
        for component in _components(one):
            for field in model.parameters:
                swept = f"parameters.{field.name}" in given
                source = _source(one, component, field.name, swept=swept)
                if source is None:
                    yield field.name
                else:
                    yield Number(field.name, field.words, *source)


def _components(scenario: Scenario) -> list[Component | None]:
    population = scenario.population
    if population is None or population.mixture is None:
        return [None]
    return [
        component
        for component in population.mixture.components
        if population.component in (None, component.label)
    ]


def _source(
    scenario: Scenario, component: Component | None, name: str, *, swept: bool
) -> tuple[Provenance, str] | None:
    """Source of a parameter's value, with the variant that set it; None if the run gave it.

    The most specific wins, see `carsim.population.Population`. A distribution without a median
    spreads around the value that would hold without it.
    """
    model, population = scenario.model, scenario.population
    own = component.distributions.get(name) if component is not None else None
    if own is None and population is not None:
        own = population.distributions.get(name)
    if own is not None and not own.relative:
        return None
    variants = component.variants if component is not None else ()
    found = _in_variants(model, variants, name)
    if found is None and (swept or name in scenario.parameters):
        return None
    found = found or _in_variants(model, scenario.variants, name)
    return found or (model.parameters[model.parameter_index[name]].provenance, "")


def _in_variants(model: Model, variants: Sequence[str], name: str) -> tuple[Provenance, str] | None:
    for variant in reversed(variants):
        entry = model.variants[variant].values.get(name)
        if entry is not None:
            return entry[1], variant
    return None


def _words_by_doi(model: Model) -> dict[str, Reference]:
    """References in words of the installed models; those of `model` itself win."""
    known: dict[str, Reference] = {}
    for name in list_models():
        try:
            loaded = load_model(name)
        except CarsimError:
            continue  # another model's mistake is no matter here
        known |= {each.doi: each for each in references_of(loaded) if each.text}
    return known | {each.doi: each for each in references_of(model) if each.text}


def _doi(number: Number) -> str:
    return number.provenance.doi if isinstance(number.provenance, Cited) else ""


def _name(number: Number) -> str:
    return f"{number.name} ({number.variant})" if number.variant else number.name


def _wrapped(names: str) -> list[str]:
    lines, line = [], ""
    for word in names.split(" "):
        if line and len(line) + len(word) > _WIDTH - 6:
            lines.append(f"      {line}")
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, f"      {line}"]


def _key(reference: Reference, taken: set[str], method: str) -> str:
    """Key such as ``stein2019``, different from those that are taken, and take it."""
    short = reference.short
    words = re.findall(r"[A-Za-z]+", short.split(" et al.")[0].split(" and ")[0])
    year = re.findall(r"\d{4}", short)[-1:]
    if not reference.text:
        stem = "doi_" + re.sub(r"\W+", "_", reference.doi)
    elif " " not in short:
        stem = method
    else:
        stem = "".join(words).lower() + "".join(year)
    key, suffix = stem, iter("bcdefghijklmnopqrstuvwxyz")
    while key in taken:
        key = stem + next(suffix)
    taken.add(key)
    return key
