"""Checks: rows and their tolerances, what is refused, what is found, what a failure does."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from carsim.errors import ConfigError, ModelError
from carsim.hypertext import linked
from carsim.model import Assumed, Cited, Derived
from carsim.verification import (
    Check,
    Curve,
    Findings,
    Row,
    check,
    choose_checks,
    load_checks,
    near,
    within,
)
from carsim.verification.run import run_checks, tally
from carsim.verification.wording import tolerance_used, tolerated

PAPER = Cited("10.1000/example", "Table 1")


def row(found: object = 10.0) -> Row:
    return near("a number", "day", 10.0, found, PAPER, absolute=1.0)


def made(name: str, rows: tuple[Row, ...] = (), kind: str = "reproduction") -> Check:
    return Check(name, name, kind, "stein_2019", True, lambda: Findings(rows))  # type: ignore[arg-type]


def test_relative_and_absolute_tolerance_add_up() -> None:
    found = near("x", "1", -200.0, -201.0, PAPER, relative=0.01, absolute=0.5)
    assert (found.lowest, found.highest) == (-202.5, -197.5)
    assert found.inside


@pytest.mark.parametrize(("found", "inside"), [(9.0, True), (11.0, True), (8.999, False)])
def test_the_edge_is_inside(found: float, inside: bool) -> None:
    assert row(found).inside is inside


def test_a_number_that_is_none_is_outside() -> None:
    assert not row(math.nan).inside
    assert not within("x", "1", 1.0, math.nan, PAPER, (-math.inf, math.inf)).inside
    assert not row(math.inf).inside


@pytest.mark.parametrize(
    ("published", "found", "bounds", "used"),
    [
        (10.0, 10.0, (9.0, 11.0), 0.0),
        (10.0, 10.5, (9.0, 11.0), 0.5),
        (10.0, 8.0, (9.0, 11.0), 2.0),
        (10.0, 14.0, (8.0, 20.0), 0.4),
        (0.0, 0.0, (0.0, 5.0), 0.0),
        (0.0, -0.1, (0.0, 5.0), math.inf),
        (10.0, 12.0, (5.0, math.inf), math.nan),
        (10.0, 3.0, (2.0, 4.0), math.nan),
        (10.0, math.nan, (9.0, 11.0), math.nan),
    ],
)
def test_tolerance_used_is_a_share_of_the_side_that_matters(
    published: float, found: float, bounds: tuple[float, float], used: float
) -> None:
    measured = within("x", "1", published, found, PAPER, bounds).tolerance_used
    assert measured == pytest.approx(used, nan_ok=True)


def test_only_a_cited_number_is_called_published() -> None:
    sources = (PAPER, Derived("SciPy"), Assumed("a guess"))
    rows = [near("x", "1", 1.0, 1.0, source, absolute=1.0) for source in sources]
    assert [each.basis for each in rows] == ["published", "computed", "assumed"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: near("x", "1", 1.0, 1.0, PAPER), "tolerance 0.0. Give a finite number and"),
        (lambda: near("x", "1", 0.0, 0.0, PAPER, relative=0.1), "relative or absolute tolerance"),
        (lambda: near("x", "1", math.nan, 1.0, PAPER, absolute=1.0), "published = nan"),
        (lambda: row([1.0, 2.0]), "found holds 2 numbers. Give one"),
        (lambda: within("x", "1", 1.0, 1.0, PAPER, (2.0, 1.0)), r"Give \(lowest, highest\)"),
        (
            lambda: within("x", "1", 1.0, 1.0, PAPER, (0.0, 2.0), interval=(2.0, 1.0)),
            r"'x': interval = \(2.0, 1.0\). Give \(lowest, highest\)",
        ),
        (
            lambda: Curve("C", "t", "y", {"a": (np.zeros(3), np.zeros(2))}),
            r"curve 'C': 'a' has x of shape \(3,\) and y of shape \(2,\)",
        ),
        (lambda: check("T", kind="cohort", model="m"), "Choose one of reproduction"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_check_is_refused(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()  # type: ignore[operator]


def test_an_array_of_one_element_is_a_number() -> None:
    assert row(np.array([10.5])).found == 10.5


@pytest.mark.parametrize(
    ("made_row", "range_words", "used_words"),
    [
        (near("x", "cell", 4.013e6, 4.013e6, PAPER, relative=5e-3), "± 20100 cell", "0 %"),
        (near("x", "day", 443.5, 443.52, PAPER, absolute=0.5), "± 0.5 day", "4 %"),
        (near("x", "1", 1e-9, 1.0001e-9, PAPER, relative=1e-3), "± 1 × 10⁻¹²", "10 %"),
        (near("x", "1", 0.0, -1e-9, PAPER, absolute=1e-3), "± 0.001", "&lt; 0.01 %"),
        (near("x", "%", 20.0, 24.0, PAPER, absolute=5.0), "15 to 25 %", "80 %"),
        (within("x", "day", 23.0, 70.0, PAPER, (-12.0, 27.0)), "−12 to 27 day", "&gt; 1000 %"),
        (within("x", "day", 23.0, 20.0, PAPER, (12.0, math.inf)), "at least 12 day", "27 %"),
        (within("x", "day", 23.0, 20.0, PAPER, (-math.inf, 40.0)), "at most 40 day", "–"),
        (within("x", "cell", 0.0, 0.0, PAPER, (0.0, 0.0)), "exactly 0 cell", "0 %"),
    ],
)
def test_tolerances_are_said_as_people_say_them(
    made_row: Row, range_words: str, used_words: str
) -> None:
    assert tolerated(made_row).partition("<")[0] == range_words
    assert tolerance_used(made_row) == used_words


def test_dois_in_words_become_links() -> None:
    assert linked("a < b (doi:10.1000/x.1). See https://doi.org/10.1000/y, p. 3") == (
        'a &lt; b (<a href="https://doi.org/10.1000/x.1">doi:10.1000/x.1</a>). See '
        '<a href="https://doi.org/10.1000/y">doi:10.1000/y</a>, p. 3'
    )


def test_a_failure_is_recorded_and_the_rest_goes_on() -> None:
    def refuse() -> Findings:
        raise ModelError("no parameter 'bata'. Did you\n mean 'beta'?")

    def divide() -> Findings:
        return Findings((row(1 / 0),))

    checks = [
        Check("a.refuse", "", "reproduction", "m", True, refuse),
        Check("a.divide", "", "closed form", "m", True, divide),
        Check("a.nothing", "", "closed form", "m", True, lambda: None),  # type: ignore[arg-type,return-value]
        made("a.empty"),
        made("a.good", (row(), row(0.0))),
    ]
    seen: list[tuple[int, int]] = []
    outcomes, not_run = run_checks(checks, lambda done, total: seen.append((done, total)))
    errors = [outcome.error for outcome in outcomes]
    assert errors[0] == "no parameter 'bata'. Did you mean 'beta'?"
    assert errors[1].startswith("ZeroDivisionError: division by zero (")
    assert "test_verification.py, line " in errors[1]
    assert errors[2] == "TypeError: returned a NoneType instead of Findings"
    assert errors[3] == "ValueError: returned no rows, so nothing was checked"
    assert errors[4] == ""
    assert not_run == []
    assert seen == [(k, 5) for k in range(6)]
    counts = tally(outcomes)
    assert (counts.checks, counts.inside, counts.outside, counts.failed) == (5, 1, 1, 4)
    assert (counts.rows, counts.share, counts.percent) == (6, 1 / 6, "16 %")
    assert not counts.holds


def test_an_interrupt_leaves_the_rest() -> None:
    def interrupt() -> Findings:
        raise KeyboardInterrupt

    stop = Check("a.stop", "", "reproduction", "m", True, interrupt)
    outcomes, not_run = run_checks([made("a.one", (row(),)), stop, made("a.two", (row(),))])
    assert [outcome.check.name for outcome in outcomes] == ["a.one"]
    assert [each.name for each in not_run] == ["a.stop", "a.two"]


CHECKS = [
    made("one_2000.peak"),
    made("one_2000.trough", kind="closed form"),
    made("cohorts.two_2001", kind="cohort fitted"),
    made("cohorts.three_2002", kind="cohort predicted"),
]


@pytest.mark.parametrize(
    ("names", "kind", "expected"),
    [
        ((), None, [0, 1, 2, 3]),
        (("one_2000",), None, [0, 1]),
        (("cohorts.two_2001", "one_2000.peak"), None, [0, 2]),
        ((), "closed-form", [1]),
        ((), "closed form", [1]),
        ((), "cohort", [2, 3]),
        ((), "cohort-predicted", [3]),
        (("cohorts",), "cohort-fitted", [2]),
    ],
)
def test_checks_are_chosen_by_name_file_and_kind(
    names: tuple[str, ...], kind: str | None, expected: list[int]
) -> None:
    assert choose_checks(CHECKS, names, kind=kind) == [CHECKS[k] for k in expected]


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (("one_2000.peek",), None, r"no check 'one_2000.peek'. Did you mean 'one_2000.peak'\?"),
        (("one_200",), None, r"Did you mean 'one_2000'\? See: carsim verify --list"),
        ((), "cohrt-fitted", r"no kind 'cohrt-fitted'. Did you mean 'cohort fitted'\?"),
        (("one_2000",), "cohort", "no check fits the names, --quick and --kind together"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    names: tuple[str, ...], kind: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        choose_checks(CHECKS, names, kind=kind)


def test_every_installed_check_has_its_own_name_and_a_known_kind() -> None:
    checks = load_checks()
    assert checks
    names = [each.name for each in checks]
    assert names == sorted(set(names))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "hand_made_evidence"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        "carsim.verification.find.announced", lambda _: [(folder.name, [str(folder)])]
    )
    importlib.invalidate_caches()
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith(folder.name):
            del sys.modules[name]


FILE = """
from carsim.verification import Findings, check

@check("A title", kind="closed form", model="m")
def one() -> Findings:
    return Findings(())
"""


def test_checks_are_found_by_file_and_function(package: Path) -> None:
    (package / "first.py").write_text(FILE)
    (package / "second.py").write_text("from hand_made_evidence.first import one\n")
    assert [each.name for each in load_checks()] == ["first.one"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_this_name", "hand_made_evidence.bad does not load: ModuleNotFoundErr"),
        (
            FILE.replace("closed form", "closed"),
            "hand_made_evidence.bad does not load: check 'A title': kind = 'closed'",
        ),
        (FILE + "two = check('Other', kind='closed form', model='m')(one.run)", "two checks 'bad"),
    ],
)
def test_evidence_that_cannot_be_used_is_named(package: Path, text: str, message: str) -> None:
    (package / "bad.py").write_text(text)
    with pytest.raises(ModelError, match=message):
        load_checks()
