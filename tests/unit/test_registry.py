"""Models by name, by module and by file."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from carsim.errors import ModelError
from carsim.model import Model
from carsim.registry import list_models, load_model

FILE = """
from carsim import Assumed, Model, Parameters, State, parameter, state


class Y(State):
    x: float = state(1.0, "cell", "cells")


class P(Parameters):
    k: float = parameter(1.0, "1/day", "rate", Assumed("test"))


def rhs(t: float, y: Y, p: P) -> Y:
    return Y(x=-p.k * y.x)


MODEL = Model("example", rhs, Y, P)
"""


class Packages:
    """A folder on the path with packages of models and the metadata that announce them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def announce(self, package: str) -> None:
        information = self.folder / f"{package}_dist-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Name: {package}-dist\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[carsim.models]\nx = {package}\n")
        importlib.invalidate_caches()

    def write(self, path: str, text: str = FILE) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        importlib.invalidate_caches()
        return file


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Packages(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def announced(packages: Packages) -> Packages:
    packages.write("zoo_models/__init__.py", "")
    packages.write("zoo_models/author_2000.py")
    packages.write("zoo_models/coupled/__init__.py")
    packages.write("zoo_models/_terms.py", "")
    packages.write("zoo_models/broken_2001.py", "import nothing_of_this_name")
    packages.announce("zoo_models")
    return packages


def test_modules_and_packages_are_models(announced: Packages) -> None:
    names = list_models()
    assert {"author_2000", "coupled", "broken_2001"} <= set(names)
    assert "_terms" not in names
    assert names == sorted(names)


def test_listing_imports_nothing(announced: Packages) -> None:
    list_models()
    assert not [name for name in sys.modules if name.startswith("zoo_models.")]


def test_a_new_file_is_a_new_model(announced: Packages) -> None:
    assert "later_2002" not in list_models()
    announced.write("zoo_models/later_2002.py")
    assert load_model("later_2002").name == "example"


@pytest.mark.parametrize("name", ["author_2000", "coupled", "zoo_models.author_2000"])
def test_a_model_is_loaded(announced: Packages, name: str) -> None:
    model = load_model(name)
    assert isinstance(model, Model)
    assert load_model(name) is model


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("author_2001", r"carsim has no model 'author_2001'\. Did you mean 'author_2000'\?"),
        ("author_2001", r"To load a file, give its path: '\./my_model\.py'"),
        ("zoo_models.autor", "there is no module 'zoo_models.autor'. Give a name from list_models"),
        ("nowhere.model", "there is no module 'nowhere'"),
        ("zoo_models._terms", r"it defines no MODEL\. End the file with MODEL = Model\(\.\.\.\)"),
        ("broken_2001", "zoo_models.broken_2001 does not load: ModuleNotFoundError: No module na"),
    ],
)
def test_what_cannot_be_loaded(announced: Packages, name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_model(name)


def test_two_packages_with_one_name(announced: Packages) -> None:
    announced.write("ark_models/__init__.py", "")
    announced.write("ark_models/author_2000.py")
    announced.announce("ark_models")
    with pytest.raises(ModelError, match=r"by ark_models\.author_2000 and zoo_models\.author_2000"):
        load_model("author_2000")
    assert load_model("ark_models.author_2000").name == "example"


def test_an_announced_package_that_is_missing(packages: Packages) -> None:
    packages.announce("gone_models")
    with pytest.raises(ModelError, match="'gone_models' is not an importable package; reinstall"):
        list_models()


def test_a_file(packages: Packages, monkeypatch: pytest.MonkeyPatch) -> None:
    file = packages.write("mine.py")
    model = load_model(str(file))
    assert model.file == str(file)
    assert load_model(str(file)) is model
    monkeypatch.chdir(file.parent)
    assert load_model("./mine.py") is model
    assert load_model("mine.py") is model


def test_a_changed_file_is_read_again(packages: Packages) -> None:
    file = packages.write("mine.py")
    model = load_model(str(file))
    packages.write("mine.py", FILE.replace('"example"', '"another"'))
    assert model.name == "example"
    assert load_model(str(file)).name == "another"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "it defines no MODEL"),
        ("MODEL = 1", "its MODEL is a int"),
        ("1 +", r"mine\.py does not load: .*mine\.py:1: invalid syntax"),
        ("1 / 0", r"mine\.py does not load: ZeroDivisionError: division by zero"),
        (
            FILE.replace("p.k", "p.kk"),
            r"mine\.py does not load: .*mine\.py:14: p\.kk: .* Did you mean 'k'\?",
        ),
    ],
)
def test_a_file_that_cannot_be_loaded(packages: Packages, text: str, message: str) -> None:
    file = packages.write("mine.py", text)
    for _ in range(2):
        with pytest.raises(ModelError, match=message):
            load_model(str(file))


def test_a_file_that_breaks_later_leaves_the_earlier_model_alone(packages: Packages) -> None:
    file = packages.write("mine.py")
    model = load_model(str(file))
    packages.write("mine.py", "1 / 0")
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        load_model(str(file))
    assert model.derivatives(0.0, [2.0], [1.0]) == [-2.0]
    assert sys.modules[model.rhs.__module__].__dict__["MODEL"] is model


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("./missing.py", "missing.py: there is no such file"),
        ("./folder/", "there is no such file"),
        ("./mine.txt", "a model file ends in '.py'"),
    ],
)
def test_a_path_that_is_no_model(
    packages: Packages, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    packages.write("mine.txt")
    monkeypatch.chdir(packages.folder)
    with pytest.raises(ModelError, match=message):
        load_model(path)
