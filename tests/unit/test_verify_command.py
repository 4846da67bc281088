"""``carsim verify``: what it writes about a hand-made package of evidence, and how it ends."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from carsim.cli import main
from carsim.verification import load_checks

EVIDENCE = {
    "good_2000": """
import numpy as np
from carsim import Cited, Derived, ModelError
from carsim.verification import Curve, Findings, check, near, within

T = np.linspace(0.0, 10.0, 11)


@check("Decay & growth", kind="closed form", model="stein_2019")
def inside() -> Findings:
    row = near("half-life", "day", 2.0, 2.001, Derived("log 2 / k"), relative=1e-2)
    lines = {"carsim": (T, np.exp(-T))}
    return Findings((row,), (Curve("Decay", "Time (day)", "x (cell)", lines, lines, True),))


@check("A cohort that is met", kind="cohort predicted", model="cart_hbv", quick=False)
def cohort() -> Findings:
    source = Cited("10.1000/a<b", "Table 1")
    share = within(
        "reactivation <18 months", "%", 6.7, 5.1, source, (1.0, 15.0),
        definition="twice at least 100 IU/mL", published_interval=(0.8, 22.1), interval=(4.4, 5.9),
    )
    return Findings((share,))
""",
    "poor_2001": """
import math
from carsim import Assumed, Cited, ModelError
from carsim.verification import Findings, check, near, within


@check("A peak that is missed", kind="reproduction", model="leon_triana_2021")
def outside() -> Findings:
    paper = Cited("10.1016/j.cnsns.2020.105570", "Fig 2")
    return Findings((
        near("day of the peak", "day", 12.19, 14.5, paper, absolute=0.05),
        within("no number", "1", 1.0, math.nan, Assumed("a guess"), (0.5, math.inf)),
    ))


@check("A cohort that cannot be run", kind="cohort fitted", model="no_such_model", quick=False)
def refused() -> Findings:
    raise ModelError("no route 'entecavr'. Did you mean 'entecavir'?")
""",
}

INTERRUPTED = """
from carsim.verification import check


@check("Somebody presses Ctrl-C", kind="reproduction", model="stein_2019")
def stop():
    raise KeyboardInterrupt
"""


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "invented_evidence"
    folder.mkdir()
    for name, text in {"__init__": "", **EVIDENCE}.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        "carsim.verification.find.announced", lambda _: [(folder.name, [str(folder)])]
    )
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith(folder.name):
            del sys.modules[name]


def verify(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["verify", *arguments])


def written(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the only report in a folder, and its numbers."""
    (page,) = folder.glob("*.html")
    (numbers,) = folder.glob("*.json")
    assert page.stem == numbers.stem
    assert re.fullmatch(r"verify-\d{4}-\d{2}-\d{2}-\d{6}", page.stem)

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    return page.read_text(), json.loads(numbers.read_text(), parse_constant=refuse)


class Reader(HTMLParser):
    """Checks that tags nest, and collects what a browser would load, follow and show."""

    EMPTY = ("meta", "img", "col", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.anchors: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        assert len(given) == len(attrs), f"an attribute of {tag} is given twice"
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag == "a":
            self.links.append(given["href"] or "")
        elif tag == "img":
            self.images.append(given)
        elif tag != "html":
            self.sources += [given[name] or "" for name in ("src", "href", "data") if name in given]
        if "id" in given:
            self.anchors.append(given["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_report_is_written_and_the_exit_code_says_that_something_is_outside(
    evidence: Path, tmp_path: Path
) -> None:
    result = verify("--out", "reports")
    assert result.exit_code == 1, result.output
    for line in (
        "  closed form       1       1     1       0        0",
        "  all               4       5     2       2        1",
        "cohort rows inside: 1 of 2 (50 %, at least 80 % wanted)",
        "OUTSIDE  poor_2001.outside: day of the peak: 14.5 day, published 12.19, tolerated 12.1",
        "OUTSIDE  poor_2001.outside: no number: -, assumed 1, tolerated 0.5 to inf",
        "FAILED   poor_2001.refused: no route 'entecavr'. Did you mean 'entecavir'?",
        "wrote reports/verify-",
    ):
        assert line in result.output
    written(tmp_path / "reports")


def test_all_inside_ends_with_zero(evidence: Path) -> None:
    result = verify("good_2000", "--out", "reports")
    assert result.exit_code == 0, result.output
    page, numbers = written(Path("reports"))
    assert numbers["holds"]
    assert numbers["complete"]
    assert numbers["command"] == "carsim verify good_2000"
    text = Reader(page).text
    assert "✓ All 2 rows are inside" in text
    assert "A selection: 2 of 4 checks asked for." in text
    assert "What does not hold" not in text
    assert "✗ outside:" not in text


def test_the_numbers_are_all_in_the_json(evidence: Path, tmp_path: Path) -> None:
    verify()
    _, numbers = written(tmp_path / "results" / "verify")
    assert numbers["format"] == 1
    assert not numbers["holds"]
    assert numbers["not_run"] == []
    assert set(numbers["versions"]) >= {"carsim", "python", "numpy", "numba"}
    assert numbers["summary"]["all"] == {
        "checks": 4,
        "rows": 5,
        "inside": 2,
        "outside": 2,
        "failed": 1,
        "share": 0.4,
    }
    assert numbers["summary"]["by_kind"]["cohort fitted"]["failed"] == 1
    assert numbers["summary"]["cohorts"]["share"] == 0.5
    assert numbers["summary"]["cohorts"]["required_share"] == 0.8
    checks = {each["name"]: each for each in numbers["checks"]}
    assert list(checks) == [
        "poor_2001.outside",
        "good_2000.inside",
        "poor_2001.refused",
        "good_2000.cohort",
    ]
    assert all(each["seconds"] >= 0.0 for each in checks.values())
    assert checks["poor_2001.refused"]["error"].startswith("no route 'entecavr'")
    assert checks["poor_2001.refused"]["rows"] == []
    (cohort,) = checks["good_2000.cohort"]["rows"]
    assert cohort == {
        "quantity": "reactivation <18 months",
        "unit": "%",
        "definition": "twice at least 100 IU/mL",
        "published": 6.7,
        "published_interval": [0.8, 22.1],
        "found": 5.1,
        "interval": [4.4, 5.9],
        "tolerated": [1.0, 15.0],
        "tolerance_used": pytest.approx(1.6 / 5.7),
        "verdict": "inside",
        "source": {
            "kind": "published",
            "doi": "10.1000/a<b",
            "where": "Table 1",
            "text": "doi:10.1000/a<b, Table 1",
        },
    }
    missed, none = checks["poor_2001.outside"]["rows"]
    assert missed["verdict"] == none["verdict"] == "outside"
    assert (none["found"], none["tolerance_used"]) == (None, None)
    assert none["tolerated"] == [0.5, None]
    assert checks["good_2000.inside"]["rows"][0]["source"]["kind"] == "computed"


def test_the_page_is_whole_and_loads_nothing(evidence: Path, tmp_path: Path) -> None:
    verify("--out", ".")
    page, _ = written(tmp_path)
    reader = Reader(page)
    assert reader.sources == []
    assert reader.tags.isdisjoint({"script", "link", "iframe", "object", "base", "form"})
    assert "url(" not in page
    assert "@import" not in page
    # The forest plot of the one cohort that ran, and the one curve.
    assert len(reader.images) == 2
    for image in reader.images:
        assert (image["src"] or "").startswith("data:image/png;base64,")
        assert image["alt"]
    inner = [link.removeprefix("#") for link in reader.links if link.startswith("#")]
    assert set(inner) <= set(reader.anchors)
    assert len(reader.anchors) == len(set(reader.anchors))
    outer = {link for link in reader.links if not link.startswith("#")}
    assert all(link.startswith("https://doi.org/10.") for link in outer)


def test_the_page_says_first_what_does_not_hold(evidence: Path, tmp_path: Path) -> None:
    verify("--out", ".")
    page, _ = written(tmp_path)
    text = Reader(page).text
    said = [
        "✗ 2 of 5 rows inside: 2 outside, 1 check failed",
        "✗ Cohort rows inside: 1 of 2 (50 %), below the 80 % that the project wants.",
        "✗ outside leon_triana_2021: A peak that is missed : day of the peak: 14.5 day, publi",
        "✗ failed no_such_model: A cohort that cannot be run : no route 'entecavr'.",
        "Contents Reproductions of published models: ✗ leon_triana_2021 Closed forms: ✓ stein_2019",
        "Cohorts predicted: ✓ A cohort that is met",
        "Reproductions of published models Agreement",
        "Closed forms Formulas",
        "Cohorts used in the calibration The model",
        "The check gave no numbers: no route 'entecavr'. Did you mean 'entecavir'? ✗ failed",
        "Cohorts predicted The calibration",
    ]
    places = [text.index(words) for words in said]
    assert places == sorted(places)
    # In color, in words and with a sign.
    assert '<td class="said bad-word">✗ outside</td>' in page
    assert '<td class="said good-word">✓ inside</td>' in page
    assert "not a number" in text
    assert "at least 0.5" in text


def test_a_published_number_links_to_its_paper_and_a_computed_one_says_so(
    evidence: Path, tmp_path: Path
) -> None:
    verify("--out", ".")
    page, _ = written(tmp_path)
    reader = Reader(page)
    doi = "10.1016/j.cnsns.2020.105570"
    assert f'published: <a href="https://doi.org/{doi}">doi:{doi}</a>, Fig 2' in page
    assert "https://doi.org/10.1000/a%3Cb" in reader.links
    assert "computed, not published: log 2 / k" in reader.text
    assert "assumed, not published: a guess" in reader.text
    assert "found in papers: 2, computed anew from what papers give: 1, assumed: 1" in reader.text
    # What authors write is text, never markup.
    assert "Decay & growth" in reader.text
    assert "reactivation <18 months" in reader.text


def test_a_model_is_named_with_its_paper(evidence: Path, tmp_path: Path) -> None:
    verify("poor_2001", "--out", ".")
    page, _ = written(tmp_path)
    paper = '<a href="https://doi.org/10.1016/j.cnsns.2020.105570">'
    assert f">leon_triana_2021</h3>\n<p>{paper}" in page
    assert ">no_such_model</h3>\n<h4" in page


def test_definition_and_intervals_are_beside_the_numbers(evidence: Path, tmp_path: Path) -> None:
    verify("good_2000.cohort", "--out", ".")
    page, _ = written(tmp_path)
    text = Reader(page).text
    assert (
        "reactivation <18 months twice at least 100 IU/mL 6.7 % (0.8 to 22.1) published: "
        "doi:10.1000/a<b , Table 1 5.1 % (4.4 to 5.9) 1 to 15 % 28 % ✓ inside"
    ) in text


def test_an_interrupt_writes_what_finished(evidence: Path, tmp_path: Path) -> None:
    (evidence / "half_way_2000.py").write_text(INTERRUPTED)
    result = verify("--out", "reports")
    assert result.exit_code == 130
    assert "interrupted; not run: 4 of 5 checks" in result.output
    page, numbers = written(tmp_path / "reports")
    assert not numbers["complete"]
    assert not numbers["holds"]
    # Quick ones go first, so that an interrupt costs least.
    assert [each["name"] for each in numbers["checks"]] == ["good_2000.inside"]
    assert numbers["not_run"] == [
        "half_way_2000.stop",
        "poor_2001.outside",
        "good_2000.cohort",
        "poor_2001.refused",
    ]
    text = Reader(page).text
    assert "✓ The only row is inside so far" in text
    assert "Incomplete: interrupted; 4 checks not run." in text
    assert "not run: Somebody presses Ctrl-C (half_way_2000.stop)" in text


def test_an_interrupt_before_anything_finished_claims_nothing(
    evidence: Path, tmp_path: Path
) -> None:
    (evidence / "half_way_2000.py").write_text(INTERRUPTED)
    assert verify("half_way_2000", "--out", ".").exit_code == 130
    page, numbers = written(tmp_path)
    assert not numbers["holds"]
    assert "✗ Nothing was checked" in Reader(page).text


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (
            (),
            ["good_2000.cohort", "good_2000.inside", "poor_2001.outside", "poor_2001.refused"],
        ),
        (("--quick",), ["good_2000.inside", "poor_2001.outside"]),
        (("--kind", "cohort"), ["good_2000.cohort", "poor_2001.refused"]),
        (("--kind", "cohort-fitted"), ["poor_2001.refused"]),
        (("good_2000", "--quick"), ["good_2000.inside"]),
    ],
)
def test_list_runs_nothing(evidence: Path, arguments: tuple[str, ...], names: list[str]) -> None:
    result = verify("--list", *arguments)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()[1:]] == names
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("good_2000.insid",), "has no check 'good_2000.insid'. Did you mean 'good_2000.inside'?"),
        (("--kind", "chort"), "has no kind 'chort'. Known: reproduction, closed form"),
        (("poor_2001.refused", "--quick"), "no check fits the names, --quick and --kind together"),
        (("--out", "invented_evidence/__init__.py"), "is a file. Give a folder"),
        (("--out", "/proc/x"), "cannot write into /proc"),
    ],
)
def test_bad_input_is_one_paragraph_and_writes_nothing(
    evidence: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = verify(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("carsim verify: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("results").exists()


def test_the_installed_checks_are_listed() -> None:
    result = verify("--list")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 1 + len(load_checks())
    assert "leon_triana_2021.first_peak" in result.output
