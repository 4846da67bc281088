"""The catalogue of a package of models, and its vocabulary: both written from the models.

A package ``models/<package>/`` keeps two files beside itself: ``README.md``, with text by hand and
a generated part between two marks, and ``VOCABULARY.md``, generated as a whole. A third,
``missing.toml``, lists by hand the papers whose models are not there, and why.
"""

from __future__ import annotations

import os
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from carsim.errors import CarsimError, ModelError, unknown
from carsim.model import Assumed, Cited, Derived, Model
from carsim.model.reference import Reference, references_of
from carsim.registry import ENTRY_POINT_GROUP, announced, list_models, load_model
from carsim.units import parse_unit

__all__ = ["BEGIN", "END", "Package", "catalogue", "find_package", "vocabulary", "write"]

BEGIN = "<!-- begin: written by `carsim catalogue --write` -->"
END = "<!-- end: written by `carsim catalogue --write` -->"
README = "README.md"
VOCABULARY = "VOCABULARY.md"
MISSING = "missing.toml"

COMPOSED = "composed"
UNSORTED = "not sorted yet"

Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Package:
    """An installed package of models.

    Attributes
    ----------
    name : str
        Name of the package.
    folder : Path
        Where README.md, VOCABULARY.md and missing.toml are.
    models : tuple of Model
        Its models, by name.
    """

    name: str
    folder: Path
    models: tuple[Model, ...]


def find_package(name: str | None = None) -> Package:
    """Find a package of models and load all of them.

    Parameters
    ----------
    name : str, optional
        Name of the package; may be left out if there is only one.

    Raises
    ------
    CarsimError
        No such package, or several to choose from.
    ModelError
        A model does not load.
    """
    packages = dict(announced(ENTRY_POINT_GROUP))
    if name is None:
        if len(packages) != 1:
            raise CarsimError(
                f"{len(packages)} packages of models are installed ({', '.join(packages)}). Say "
                "which one with --package."
            )
        (name,) = packages
    if name not in packages:
        raise CarsimError(unknown("package of models", name, packages, "carsim"))
    models = []
    for each in list_models():
        try:
            model = load_model(each)
        except ModelError:
            model = load_model(f"{name}.{each}")
        if model.rhs.__module__.partition(".")[0] == name.partition(".")[0]:
            models.append(model)
    return Package(name, Path(packages[name][0]).parent, tuple(models))


def catalogue(package: Package) -> str:
    """The generated part of README.md.

    Parameters
    ----------
    package : Package
        Result of `find_package`.
    """
    sections: dict[str, list[Model]] = defaultdict(list)
    for model in package.models:
        sections[_area(model)].append(model)
    lines = [f"{len(package.models)} models. Shares are of the parameters: how many stand in a "]
    lines[0] += "publication, follow from published numbers, or are assumed (percent)."
    for area in sorted(sections, key=lambda area: (area == UNSORTED, area == COMPOSED, area)):
        lines += ["", f"### {_capital(area)}", ""]
        lines += _table(
            ("model", "paper", "what it is", "states", "parameters", "cited / derived / assumed")
            + ("variants", "routes", "time"),
            [_row(model, package.folder) for model in sections[area]],
        )
    missing = _missing(package.folder)
    if missing:
        lines += ["", "### Not in the library", ""]
        lines += ["Models whose numbers we could not read in a public source:", ""]
        lines += _table(("paper", "what it is", "what is missing"), missing)
    return "\n".join(lines) + "\n"


def vocabulary(package: Package) -> str:
    """The text of VOCABULARY.md.

    Parameters
    ----------
    package : Package
        Result of `find_package`.
    """
    uses = _uses(package.models)
    names = sorted(uses, key=str.casefold)
    one = [(name, uses[name][0]) for name in names if len(uses[name]) == 1]
    several = [(name, uses[name]) for name in names if len(uses[name]) > 1]
    lines = [
        "# Vocabulary",
        "",
        "What the names of states, observables and routes mean, over all models of this package. "
        "Written by `carsim catalogue --write`; do not edit.",
        "",
        "## Names with one meaning",
        "",
        *_table(
            ("name", "kind", "unit", "what", "models"),
            [(f"`{name}`", *_meaning(each)) for name, each in one],
        ),
        "",
        "## Names with several meanings",
        "",
        "The same name, in other words or in another unit. **Bold**: the units cannot even be "
        "converted into each other.",
        "",
    ]
    rows: Rows = []
    for name, meanings in several:
        shown = f"`{name}`" if _one_dimension(meanings) else f"**`{name}`**"
        for meaning in meanings:
            rows.append((shown, *_meaning(meaning)))
            shown = ""
    lines += _table(("name", "kind", "unit", "what", "models"), rows)
    lines += ["", "## Parameters of the composed models", ""]
    lines += [
        "A symbol of a paper means what it means in that paper (`carsim show MODEL`). The composed "
        "models share theirs:",
        "",
    ]
    parameters = _parameters([m for m in package.models if _area(m) == COMPOSED])
    lines += _table(
        ("name", "unit", "what", "models"),
        [(f"`{name}`", *_meaning(each)[1:]) for name, each in parameters],
    )
    return "\n".join(lines) + "\n"


def write(package: Package) -> list[Path]:
    """Write README.md and VOCABULARY.md.

    Parameters
    ----------
    package : Package
        Result of `find_package`.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    CarsimError
        README.md has no marks between which to write, or the folder is not one of sources.
    """
    readme = package.folder / README
    vocabulary_file = package.folder / VOCABULARY
    new = with_catalogue(readme, catalogue(package))
    readme.write_text(new, encoding="utf-8")
    vocabulary_file.write_text(vocabulary(package), encoding="utf-8")
    return [readme, vocabulary_file]


def with_catalogue(readme: Path, text: str) -> str:
    """The text of README.md with the generated part put in.

    Parameters
    ----------
    readme : Path
        The file as it is.
    text : str
        Result of `catalogue`.
    """
    old = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise CarsimError(
            f"{readme}: there is no place for the catalogue. Put these two lines where it shall "
            f"stand: {BEGIN} and {END}. An installed package is not written to."
        )
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def _area(model: Model) -> str:
    """Section of a model; one without a publication is composed, unless it says otherwise."""
    return model.area or (UNSORTED if model.reference else COMPOSED)


def _row(model: Model, folder: Path) -> tuple[str, ...]:
    file = Path(os.path.relpath(model.file, folder)).as_posix()
    kinds = [type(item.provenance) for item in model.parameters]
    shares = [
        f"{100.0 * kinds.count(kind) / len(kinds):.0f}" if kinds else "-"
        for kind in (Cited, Derived, Assumed)
    ]
    papers = references_of(model)
    return (
        f"[`{model.name}`]({file})",
        _linked(papers[0]) if papers else "-",
        model.doc.partition("\n")[0].rstrip("."),
        str(len(model.states)),
        str(len(model.parameters)),
        " / ".join(shares),
        _listed(model.variants),
        _listed(model.routes),
        model.time_unit,
    )


def _linked(paper: Reference) -> str:
    return f"[{paper.short}](https://doi.org/{paper.doi})" if paper.doi else paper.text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


def _missing(folder: Path) -> Rows:
    file = folder / MISSING
    if not file.is_file():
        return []
    try:
        papers = tomllib.loads(file.read_text(encoding="utf-8"))["paper"]
        return [
            (_missing_link(paper), paper["about"], paper["missing"])
            for paper in sorted(papers, key=lambda paper: str(paper["name"]).casefold())
        ]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise CarsimError(
            f"{file}: cannot be read ({type(error).__name__}: {error}). Write [[paper]] tables "
            "with name, about, missing, and doi or link where there is one."
        ) from None


def _missing_link(paper: dict[str, str]) -> str:
    link = paper.get("link", f"https://doi.org/{paper['doi']}" if "doi" in paper else "")
    return f"[{paper['name']}]({link})" if link else paper["name"]


@dataclass(frozen=True)
class _Meaning:
    kind: str
    unit: str
    words: str
    models: tuple[str, ...]


def _uses(models: Sequence[Model]) -> dict[str, list[_Meaning]]:
    """Meanings of every name of a state, observable or route; routes apart from the others.

    A route may bear the name of what is measured of it: what is given is not what is seen.
    """
    found: dict[str, dict[tuple[str, str, str], list[str]]] = defaultdict(dict)
    for model in models:
        for kind, items in (("state", model.states), ("observable", model.observables)):
            for item in items:
                key = (kind, item.unit, item.words)
                found[item.name].setdefault(key, []).append(model.name)
        for route in model.routes.values():
            key = ("route", route.unit, route.words)
            found[f"{route.name} (route)"].setdefault(key, []).append(model.name)
    return {
        name: [_Meaning(*key, tuple(users)) for key, users in meanings.items()]
        for name, meanings in found.items()
    }


def _parameters(models: Sequence[Model]) -> list[tuple[str, _Meaning]]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for model in models:
        for item in model.parameters:
            found.setdefault((item.name, item.unit, item.words), []).append(model.name)
    return [
        (name, _Meaning("parameter", unit, words, tuple(users)))
        for (name, unit, words), users in sorted(found.items(), key=lambda i: i[0][0].casefold())
    ]


def _one_dimension(meanings: Sequence[_Meaning]) -> bool:
    units = [parse_unit(meaning.unit) for meaning in meanings]
    return all(unit.compatible(units[0]) for unit in units)


def _meaning(meaning: _Meaning) -> tuple[str, ...]:
    return (meaning.kind, meaning.unit, meaning.words, _listed(meaning.models))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["None."]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]
    return lines
