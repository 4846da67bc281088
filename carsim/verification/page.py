"""A report as one HTML page: figures and style inside, no script, nothing fetched."""

from __future__ import annotations

import base64
import importlib.resources
import math
import re
import urllib.parse
from html import escape

from carsim.errors import CarsimError
from carsim.model import Cited, Derived
from carsim.plots import ForestRow, as_png, evidence_curves_figure, forest_figure
from carsim.registry import load_model
from carsim.verification.check import KINDS, Curve, Interval, Kind, Row
from carsim.verification.report import COHORTS, REQUIRED_SHARE, Report
from carsim.verification.run import Outcome, Tally

__all__ = ["HEADINGS", "page"]

HEADINGS: dict[Kind, tuple[str, str]] = {
    "reproduction": (
        "Reproductions of published models",
        "The equations and numbers of a paper were typed as the paper means them, and are solved "
        "rightly. Says nothing about whether the paper is right.",
    ),
    "closed form": (
        "Closed forms",
        "carsim agrees with formulas that hold exactly. Says that the calculation is right.",
    ),
    "cohort fitted": (
        "Cohorts used in the calibration",
        "The model was adjusted to these patients: agreement is what the adjustment was for, "
        "and predicts nothing.",
    ),
    "cohort predicted": (
        "Cohorts predicted",
        "The calibration did not see these patients: agreement here is evidence, within the "
        "width of what small cohorts tell.",
    ),
}
GROUPS: dict[Kind, str] = {
    "cohort fitted": "Used in the calibration",
    "cohort predicted": "Predicted",
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DOI = re.compile(r"(?:doi:|https?://doi\.org/)(10\.\d{4,9}/[^\s,;]*[^\s,;.)])")


def page(report: Report) -> str:
    """Write a report as HTML.

    Parameters
    ----------
    report : Report
        What was found.

    Returns
    -------
    str
        The page: who opens it sees first whether all holds, then what does not, then each row.
    """
    style = importlib.resources.files("carsim.verification").joinpath("page.css").read_text()
    day = report.begun.strftime("%Y-%m-%d %H:%M %Z").strip()
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>carsim beside published results, {escape(day)}</title>",
        f"<style>\n{style}</style></head><body>",
        "<h1>carsim beside published results</h1>",
        f'<p class="soft">carsim {escape(report.versions["carsim"])}, {escape(day)}</p>',
        *_verdict(report),
        *_summary(report),
        *_what_does_not_hold(report),
        *_cohorts(report),
        *(part for kind in KINDS for part in _section(report, kind)),
        *_facts(report),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


# Summary


def _verdict(report: Report) -> list[str]:
    counts = report.tally()
    if not counts.rows:
        sentence = "✗ Nothing was checked"
    elif counts.holds:
        all_rows = "The only row is" if counts.rows == 1 else f"All {counts.rows} rows are"
        sentence = f"✓ {all_rows} inside" + ("" if report.complete else " so far")
    else:
        said = [f"{counts.outside} of {counts.rows} rows outside"] if counts.outside else []
        if counts.failed:
            said.append(f"{_counted(counts.failed, 'check')} failed")
        sentence = "✗ " + ", ".join(said)
    good = counts.holds and counts.rows > 0
    parts = [f'<p class="verdict {"good" if good else "bad"}">{sentence}</p>']
    if not report.complete:
        parts.append(
            f'<p class="note">Incomplete: interrupted; {_counted(len(report.not_run), "check")} '
            "not run.</p>"
        )
    chosen = len(report.outcomes) + len(report.not_run)
    if chosen < report.available:
        parts.append(
            f'<p class="note">A selection: {chosen} of {_counted(report.available, "check")} '
            "asked for.</p>"
        )
    rows = [row for outcome in report.outcomes for row in outcome.rows]
    bases = {
        "published": "found in papers",
        "computed": "computed anew from what papers give",
        "assumed": "assumed",
    }
    numbers = {words: sum(row.basis == basis for row in rows) for basis, words in bases.items()}
    stated = ", ".join(f"{words}: {number}" for words, number in numbers.items() if number)
    parts.append(
        f"<p>Each row sets a number ({stated or 'none'}) beside what carsim gives. <b>Inside</b> "
        "means that carsim’s number lies in the tolerated range, which is written down with the "
        "check. It is no statement about any patient.</p>"
    )
    return parts


def _summary(report: Report) -> list[str]:
    head = (
        "What was checked",
        "Checks",
        "Rows",
        "✓ inside",
        "✗ outside",
        "✗ failed",
        "Share inside",
    )
    cells = "".join(
        f'<th scope="col"{"" if k == 0 else _NUMBER}>{name}</th>' for k, name in enumerate(head)
    )
    parts = [f'<div class="scroll"><table class="summary"><thead><tr>{cells}</tr></thead><tbody>']
    for kind in KINDS:
        heading = HEADINGS[kind][0]
        counts = report.tally(kind)
        name = f'<a href="#{_anchor(kind)}">{heading}</a>' if counts.checks else heading
        parts.append(_counts(name, counts, ""))
    parts.append(_counts("Everything", report.tally(), "total"))
    parts.append("</tbody></table></div>")
    cohorts = report.tally(*COHORTS)
    if cohorts.share is not None:
        met = cohorts.share >= REQUIRED_SHARE
        wanted = f"the {100 * REQUIRED_SHARE:.0f} % that the project wants"
        sentence = (
            f"{'✓' if met else '✗'} Cohort rows inside: {cohorts.inside} of {cohorts.rows} "
            f"({cohorts.percent}), {'at least' if met else 'below'} {wanted}."
        )
        parts.append(f'<p class="{"good" if met else "bad-word"}"><b>{sentence}</b></p>')
    return parts


def _counts(name: str, counts: Tally, style: str) -> str:
    style = f"{style} {'good' if counts.holds else 'bad'}".strip()
    numbers = (counts.checks, counts.rows, counts.inside, counts.outside, counts.failed)
    cells = []
    for k, number in enumerate(numbers):
        shown = f'<span class="bad-word">{number}</span>' if k > 2 and number else f"{number}"
        cells.append(f"<td{_NUMBER}>{shown}</td>")
    cells.append(f"<td{_NUMBER}>{counts.percent}</td>")
    return f'<tr class="{style}"><th scope="row">{name}</th>{"".join(cells)}</tr>'


def _what_does_not_hold(report: Report) -> list[str]:
    items = []
    for outcome in report.of():
        link = f'<a href="#{_anchor(outcome.check.name)}">{escape(outcome.check.title)}</a>'
        if outcome.error:
            items.append(
                f'<li><span class="bad-word">✗ failed</span> {link}: {escape(outcome.error)}</li>'
            )
        items += [
            f'<li><span class="bad-word">✗ outside</span> {link}: {escape(row.quantity)}: '
            f"{_value(row.found, row.unit)}, {row.basis} {_value(row.published, row.unit)}, "
            f"tolerated {_range(row.lowest, row.highest, row.unit)}</li>"
            for row in outcome.rows
            if not row.inside
        ]
    items += [
        f"<li>not run: {escape(check.title)} ({escape(check.name)})</li>"
        for check in report.not_run
    ]
    return ["<h2>What does not hold</h2>", "<ul>", *items, "</ul>"] if items else []


# Checks


def _cohorts(report: Report) -> list[str]:
    groups: dict[str, list[ForestRow]] = {}
    others = failed = 0
    for outcome in report.of(*COHORTS):
        failed += bool(outcome.error)
        for row in outcome.rows:
            if row.unit != "%":
                others += 1
                continue
            groups.setdefault(GROUPS[outcome.check.kind], []).append(
                ForestRow(
                    f"{outcome.check.title}\n{row.quantity}",
                    row.published,
                    row.found,
                    (row.lowest, row.highest),
                    row.inside,
                    row.published_interval,
                    row.interval,
                )
            )
    if not groups:
        return []
    shown = [row for rows in groups.values() for row in rows]
    inside = sum(row.inside for row in shown)
    words = (
        f"Forest plot of {_counted(len(shown), 'share')} of patients, published and simulated; "
        f"{inside} inside the tolerated range. The tables below hold all its numbers."
    )
    parts = [
        "<h2>Cohorts at a glance</h2>",
        f'<figure class="wide">{_image(as_png(forest_figure(groups)), words)}</figure>',
    ]
    missing = [f"{_counted(others, 'row')} in other units than percent"] if others else []
    missing += [f"{_counted(failed, 'check')} that failed"] if failed else []
    if missing:
        parts.append(f'<p class="soft">Not in the figure: {" and ".join(missing)}.</p>')
    return parts


def _section(report: Report, kind: Kind) -> list[str]:
    outcomes = report.of(kind)
    if not outcomes:
        return []
    heading, words = HEADINGS[kind]
    parts = [f'<h2 id="{_anchor(kind)}">{heading}</h2>', f"<p>{words}</p>"]
    for outcome in outcomes:
        parts += _check(outcome)
    return parts


def _check(outcome: Outcome) -> list[str]:
    check = outcome.check
    facts = [f"model {escape(check.model)}"] if check.model else []
    facts += [_linked(reference) for reference in _references(check.model)]
    facts += [f"check {escape(check.name)}", f"{outcome.seconds:.2f} s"]
    parts = [
        f'<h3 id="{_anchor(check.name)}">{escape(check.title)}</h3>',
        f'<p class="soft">{" · ".join(facts)}</p>',
        '<div class="scroll"><table class="rows">',
        "<colgroup>" + "".join(f'<col class="{name}">' for name, _ in _COLUMNS) + "</colgroup>",
        "<thead><tr>",
        *(
            f'<th scope="col"{_NUMBER if name in _NUMBERS else ""}>{words}</th>'
            for name, words in _COLUMNS
        ),
        "</tr></thead><tbody>",
    ]
    if outcome.error:
        parts.append(
            f'<tr class="bad"><td colspan="{len(_COLUMNS) - 1}">The check gave no numbers: '
            f'{escape(outcome.error)}</td><td class="said bad-word">✗ failed</td></tr>'
        )
    parts += [_row(row) for row in outcome.rows]
    parts.append("</tbody></table></div>")
    if outcome.curves:
        parts.append('<div class="figures">')
        parts += [f"<figure>{_curve(curve)}</figure>" for curve in outcome.curves]
        parts.append("</div>")
    return parts


_NUMBER = ' class="number"'
_NUMBERS = ("found", "tolerated", "used")
_COLUMNS = (
    ("quantity", "Quantity, and how it is defined"),
    ("published", "Published or computed number (interval), source"),
    ("found", "carsim (Monte Carlo interval)"),
    ("tolerated", "Tolerated"),
    ("used", "Tolerance used"),
    ("said", "Verdict"),
)


def _row(row: Row) -> str:
    definition = f"<small>{escape(row.definition)}</small>" if row.definition else ""
    published = _value(row.published, row.unit)
    if row.published_interval is not None:
        published += f" ({_between(row.published_interval)})"
    found = _value(row.found, row.unit)
    if row.interval is not None:
        found += f"<small>({_between(row.interval)})</small>"
    style, said = ("good", "✓ inside") if row.inside else ("bad", "✗ outside")
    return (
        f'<tr class="{style}">'
        f'<th scope="row">{escape(row.quantity)}{definition}</th>'
        f"<td>{published}<small>{_source(row)}</small></td>"
        f"<td{_NUMBER}>{found}</td>"
        f"<td{_NUMBER}>{_tolerated(row)}</td>"
        f"<td{_NUMBER}>{_used(row.tolerance_used)}</td>"
        f'<td class="said {style}-word">{said}</td></tr>'
    )


def _source(row: Row) -> str:
    source = row.source
    if isinstance(source, Cited):
        where = f", {escape(source.where)}" if source.where else ""
        return f"published: {_doi(source.doi)}{where}"
    words = source.how if isinstance(source, Derived) else source.why
    return f"{row.basis}, not published: {_linked(words)}"


def _references(model: str) -> list[str]:
    """Reference of a model; none if it does not load, which its checks report."""
    try:
        reference = load_model(model).reference
    except CarsimError:
        return []
    return [reference] if reference else []


def _curve(curve: Curve) -> str:
    figure = evidence_curves_figure(
        curve.lines,
        curve.points,
        title=curve.title,
        x_label=curve.x_label,
        y_label=curve.y_label,
        log_y=curve.log_y,
    )
    words = f"{curve.title}: {curve.y_label} over {curve.x_label}; {', '.join(curve.lines)}"
    if curve.points:
        words += f"; points: {', '.join(curve.points)}"
    return _image(as_png(figure), words)


# The run


def _facts(report: Report) -> list[str]:
    facts = {
        "command": report.command,
        "begun": report.begun.isoformat(sep=" ", timespec="seconds"),
        "took": f"{report.seconds:.1f} s",
        "git revision": report.revision or "unknown (no checkout)",
        **report.versions,
    }
    slowest = sorted(report.outcomes, key=lambda outcome: -outcome.seconds)
    rows = [
        f'<tr><td{_NUMBER}>{each.seconds:.2f}</td><td><a href="#{_anchor(each.check.name)}">'
        f"{escape(each.check.name)}</a></td></tr>"
        for each in slowest
    ]
    return [
        "<h2>How this was made</h2>",
        '<dl class="facts">',
        *(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()),
        "</dl>",
        "<details><summary>Seconds of each check</summary><table><thead><tr>"
        f'<th scope="col"{_NUMBER}>Seconds</th><th scope="col">Check</th></tr></thead><tbody>',
        *rows,
        "</tbody></table></details>",
        "<h2>What must not be concluded</h2>",
        "<ul><li>Nothing for a single patient: carsim is a research tool.</li>"
        "<li>No absolute risk of HBsAg-positive CAR-T patients without antiviral: no such cohort "
        "exists, since withholding it would be unethical.</li>"
        "<li>Inside is no proof: a wide tolerance is easily met. Outside may be a small cohort "
        "as well as a wrong model.</li></ul>",
        '<p class="soft">Tolerance used: distance from the published number, as a share of what is '
        "tolerated on that side; above 100 % is outside. Monte Carlo: uncertainty from the number "
        "of simulated patients only. The file docs/verification.md says more.</p>",
    ]


# Words and numbers


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    """Spell a number with up to six digits, powers of ten as in a paper."""
    if math.isnan(value):
        return "not a number"
    digits, _, power = f"{value:.6g}".partition("e")
    shown = digits.replace("-", "−")
    return f"{shown} × 10{str(int(power)).translate(SUPERSCRIPTS)}" if power else shown


def _unit(unit: str) -> str:
    return "" if unit in ("", "1") else f" {escape(unit)}"


def _value(value: float, unit: str) -> str:
    return _number(value) if math.isnan(value) else f"{_number(value)}{_unit(unit)}"


def _between(ends: Interval) -> str:
    return f"{_number(ends[0])} to {_number(ends[1])}"


def _range(lowest: float, highest: float, unit: str) -> str:
    if math.isinf(lowest) or math.isinf(highest):
        if math.isinf(lowest) and math.isinf(highest):
            return "anything finite"
        words, end = ("at least", lowest) if math.isinf(highest) else ("at most", highest)
        return f"{words} {_value(end, unit)}"
    return f"{_number(lowest)} to {_value(highest, unit)}"


def _tolerated(row: Row) -> str:
    """Tolerated range, as a distance where it is the same on both sides."""
    reach = (row.highest - row.lowest) / 2.0
    centered = math.isclose(row.lowest + reach, row.published, rel_tol=1e-12)
    if not centered or not reach > 0.0 or row.unit == "%":  # "± 12 %" of what?
        return _range(row.lowest, row.highest, row.unit)
    shown = f"± {_value(reach, row.unit)}"
    if row.published == 0.0:
        return shown
    return f"{shown}<small>{100.0 * reach / abs(row.published):.3g} %</small>"


def _used(share: float) -> str:
    if math.isnan(share):
        return "–"
    if share > 10.0:
        return "&gt; 1000 %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1g} %"


def _doi(doi: str) -> str:
    address = "https://doi.org/" + urllib.parse.quote(doi, safe="/:;().,-_")
    return f'<a href="{escape(address)}">doi:{escape(doi)}</a>'


def _linked(text: str) -> str:
    """Escape a text and turn each DOI in it into a link."""
    parts = _DOI.split(text)  # words and DOIs in turn
    return "".join(_doi(part) if k % 2 else escape(part) for k, part in enumerate(parts))


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def _image(png: bytes, words: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{escape(words)}">'
