"""What benchmarks are made of, without measuring anything."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def against(repository: Path) -> ModuleType:
    """The comparison of two builds, which is not in the wheel."""
    assert (repository / "benchmarks" / "against.py").is_file()
    return importlib.import_module("benchmarks.against")


def test_who_begins_changes_and_a_ratio_is_of_one_round(against: ModuleType) -> None:
    order: list[str] = []
    seconds = iter([2.0, 4.0, 3.0, 9.0, 5.0, 5.0])

    def side(name: str) -> dict[str, float]:
        order.append(name)
        return {"seconds": next(seconds)}

    pairs = against.in_turn(3, lambda: side("here"), lambda: side("there"))
    assert order == ["there", "here", "here", "there", "there", "here"]
    assert against.ratios(pairs) == [0.5, 3.0, 1.0]
    assert against.spread(against.ratios(pairs)) == "1.000 | 0.500 | 3.000"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("no-such-revision", "neither a folder nor a revision"),
        (str(Path(__file__).parent), "holds no carsim"),
    ],
)
def test_what_is_no_checkout_is_refused_in_words(
    against: ModuleType, given: str, words: str
) -> None:
    with pytest.raises(SystemExit, match=words), against.unpacked(given):
        pass


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--rounds", "0"), "not a whole number"), (("--row", "stif19"), "part of no row: stiff18")],
)
def test_bad_options_are_refused_in_words(
    against: ModuleType,
    options: tuple[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["against", "HEAD", *options])
    with pytest.raises(SystemExit, match="2"):
        against.main()
    assert words in capsys.readouterr().err


def test_every_row_names_the_version_of_its_solver(repository: Path) -> None:
    assert (repository / "benchmarks" / "solvers.py").is_file()
    solvers = importlib.import_module("benchmarks.solvers")
    table = importlib.import_module("benchmarks.table")
    assert {entry.peer for entry in solvers.ENTRIES} == set(solvers.PACKAGES)
    row = {"problem": "stiff18", "n_states": 18, "solver": "heyoka Taylor", "version": "7.13.2"}
    row |= {"achieved_error": 1e-6, "trajectories_per_second": 800.0}
    assert "| heyoka Taylor (7.13.2) | 800 (1.0e-06) |" in table.markdown([row])
