"""The generated files are up to date, and say what the models say."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from carsim import Assumed, Cited, Model, Parameters, State, observable, parameter, state
from carsim.catalogue import BEGIN, END, Package, catalogue, find_package, vocabulary, write
from carsim.cli import main
from carsim.errors import CarsimError


class Blood(State):
    virus: float = state(1.0, "virion/mL", "free virus")


class Mass(State):
    virus: float = state(1.0, "mg", "weight of the virus")


class Rates(Parameters):
    c: float = parameter(1.0, "1/day", "clearance", Cited("10.1000/paper"))
    d: float = parameter(1.0, "1/day", "death", Assumed("a test"))


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    return Blood(virus=-p.c * y.virus)


def lose(t: float, y: Mass, p: Rates) -> Mass:
    return Mass(virus=-p.c * y.virus)


@observable("virion/mL", "free virus, again")
def seen(t: float, y: Blood, p: Rates) -> float:
    return y.virus


def package(folder: Path) -> Package:
    first = Model("first", rhs, Blood, Rates, observables=[seen], reference="doi:10.1000/paper")
    second = Model("second", lose, Mass, Rates, reference="doi:10.1000/paper", area="drugs")
    third = Model("third", rhs, Blood, Rates)
    return Package("some_models", folder, (first, second, third))


def test_files_are_up_to_date(repository: Path) -> None:
    found = find_package("carsim_models")
    folder = repository / "models"
    assert catalogue(found) in (folder / "README.md").read_text(), "carsim catalogue --write"
    assert vocabulary(found) == (folder / "VOCABULARY.md").read_text(), "carsim catalogue --write"


def test_every_model_is_in_the_catalogue_once(model_name: str) -> None:
    assert catalogue(find_package()).count(f"[`{model_name}`]") == 1


def test_sections_follow_the_area_and_fall_back(tmp_path: Path) -> None:
    text = catalogue(package(tmp_path))
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert headings == ["### Drugs", "### Composed", "### Not sorted yet"]
    assert "| 1 | 2 | 50 / 0 / 50 | - | - | day |" in text


def test_one_name_with_two_meanings_is_listed_so(tmp_path: Path) -> None:
    single, _, several = vocabulary(package(tmp_path)).partition("## Names with several meanings")
    assert "| `seen` | observable | virion/mL | free virus, again | `first` |" in single
    assert "| **`virus`** | state | virion/mL | free virus | `first`, `third` |" in several
    assert "|  | state | mg | weight of the virus | `second` |" in several
    # Only the composed model's parameters are listed.
    assert "| `c` | 1/day | clearance | `third` |" in several


def test_writing_keeps_the_text_by_hand(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"by hand\n{BEGIN}\nold\n{END}\nbelow\n")
    write(package(tmp_path))
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("by hand\n")
    assert text.endswith(f"{END}\nbelow\n")
    assert "old" not in text
    assert write(package(tmp_path))[0].read_text() == text


def test_missing_papers_are_printed(tmp_path: Path) -> None:
    (tmp_path / "missing.toml").write_text(
        '[[paper]]\nname = "B 2001"\nabout = "virus"\nmissing = "all"\n'
        '[[paper]]\nname = "A 2002"\ndoi = "10.1000/a"\nabout = "cells"\nmissing = "Table 1"\n'
    )
    text = catalogue(package(tmp_path))
    assert "| [A 2002](https://doi.org/10.1000/a) | cells | Table 1 |\n| B 2001 | virus |" in text
    (tmp_path / "missing.toml").write_text('[[paper]]\nname = "A 2002"\n')
    with pytest.raises(CarsimError, match=r"missing.toml: cannot be read .*Write \[\[paper\]\]"):
        catalogue(package(tmp_path))


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(CarsimError, match=r"there is no place for the catalogue. Put these two"):
        write(package(tmp_path))
    assert not (tmp_path / "VOCABULARY.md").exists()
    result = CliRunner().invoke(main, ["catalogue", "--package", "carsim_model"])
    assert result.exit_code == 2
    assert "has no package of models 'carsim_model'. Did you mean 'carsim_models'?" in result.stderr


def test_command_prints(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["catalogue"])
    assert result.exit_code == 0
    assert "| [`stein_2019`](carsim_models/stein_2019.py) |" in result.output
