"""A report as one HTML page: figures and style inside, no script, nothing fetched."""

from __future__ import annotations

import itertools
from html import escape

from carsim.errors import CarsimError
from carsim.hypertext import (
    anchor,
    between,
    counted,
    doi_link,
    image,
    linked,
    page_of,
    value,
)
from carsim.model import Cited, Derived
from carsim.plots import ForestRow, as_png, evidence_curves_figure, forest_figure
from carsim.registry import load_model
from carsim.verification.check import KINDS, Curve, Kind, Row
from carsim.verification.report import COHORTS, REQUIRED_SHARE, Report
from carsim.verification.run import Outcome, Tally, tally
from carsim.verification.wording import span, tolerance_used, tolerated

__all__ = ["HEADINGS", "page"]

HEADINGS: dict[Kind, tuple[str, str]] = {
    "reproduction": (
        "Reproductions of published models",
        "Agreement says that equations and numbers of a paper were typed as it means them, and are "
        "solved rightly. It does not say that the paper is right.",
    ),
    "closed form": (
        "Closed forms",
        "Formulas that hold exactly. Agreement says that the calculation is right.",
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
    day = report.begun.strftime("%Y-%m-%d %H:%M %Z").strip()
    body = [
        "<h1>carsim beside published results</h1>",
        f'<p class="soft">carsim {escape(report.versions["carsim"])}, {escape(day)}</p>',
        *_verdict(report),
        *_summary(report),
        *_what_does_not_hold(report),
        *_contents(report),
        *_cohorts(report),
        *(part for kind in KINDS for part in _section(report, kind)),
        *_facts(report),
    ]
    return page_of(f"carsim beside published results, {day}", body)


# Summary


def _verdict(report: Report) -> list[str]:
    counts = report.tally()
    if not counts.rows:
        sentence = "✗ Nothing was checked"
    elif counts.holds:
        all_rows = "The only row is" if counts.rows == 1 else f"All {counts.rows} rows are"
        sentence = f"✓ {all_rows} inside" + ("" if report.complete else " so far")
    else:
        said = [f"{counts.outside} outside"] if counts.outside else []
        said += [f"{counted(counts.failed, 'check')} failed"] if counts.failed else []
        sentence = f"✗ {counts.inside} of {counted(counts.rows, 'row')} inside: {', '.join(said)}"
    good = counts.holds and counts.rows > 0
    parts = [f'<p class="verdict {"good" if good else "bad"}">{sentence}</p>']
    if not report.complete:
        parts.append(
            f'<p class="note">Incomplete: interrupted; {counted(len(report.not_run), "check")} '
            "not run.</p>"
        )
    chosen = len(report.outcomes) + len(report.not_run)
    if chosen < report.available:
        parts.append(
            f'<p class="note">A selection: {chosen} of {counted(report.available, "check")} '
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
        "Kind of evidence",
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
        name = f'<a href="#{anchor(kind)}">{heading}</a>' if counts.checks else heading
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
        check = outcome.check
        link = f'<a href="#{anchor(check.name)}">{escape(check.model)}: {escape(check.title)}</a>'
        if outcome.error:
            items.append(
                f'<li><span class="bad-word">✗ failed</span> {link}: {escape(outcome.error)}</li>'
            )
        items += [
            f'<li><span class="bad-word">✗ outside</span> {link}: {escape(row.quantity)}: '
            f"{value(row.found, row.unit)}, {row.basis} {value(row.published, row.unit)}, "
            f"tolerated {span(row.lowest, row.highest, row.unit)}</li>"
            for row in outcome.rows
            if not row.inside
        ]
    items += [
        f"<li>not run: {escape(check.title)} ({escape(check.name)})</li>"
        for check in report.not_run
    ]
    return ["<h2>What does not hold</h2>", "<ul>", *items, "</ul>"] if items else []


def _contents(report: Report) -> list[str]:
    """Everything by name: models, and cohorts by their titles, for they share a model."""
    parts = []
    for kind in KINDS:
        entries = []
        for model, outcomes in _by_model(report.of(kind)):
            if kind in COHORTS:
                entries += [
                    _entry(each.check.name, each.check.title, tally([each])) for each in outcomes
                ]
            else:
                entries.append(_entry(f"{kind} {model}", model, tally(outcomes)))
        if entries:
            parts.append(f"<p><b>{HEADINGS[kind][0]}:</b> {' · '.join(entries)}</p>")
    return ["<h2>Contents</h2>", *parts] if parts else []


def _entry(name: str, words: str, counts: Tally) -> str:
    sign = "✓" if counts.holds else '<span class="bad-word">✗</span>'
    return f'{sign}&nbsp;<a href="#{anchor(name)}">{escape(words)}</a>'


def _by_model(outcomes: list[Outcome]) -> list[tuple[str, list[Outcome]]]:
    grouped = itertools.groupby(outcomes, key=lambda outcome: outcome.check.model)
    return [(model, list(each)) for model, each in grouped]


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
                    row.basis,
                )
            )
    if not groups:
        return []
    shown = [row for rows in groups.values() for row in rows]
    inside = sum(row.inside for row in shown)
    words = (
        f"Forest plot of {counted(len(shown), 'share')} of patients, published and simulated; "
        f"{inside} inside the tolerated range. The tables below hold all its numbers."
    )
    parts = [
        "<h2>Cohorts at a glance</h2>",
        f'<figure class="wide">{image(as_png(forest_figure(groups)), words)}</figure>',
    ]
    missing = [f"{counted(others, 'row')} in other units than percent"] if others else []
    missing += [f"{counted(failed, 'check')} that failed"] if failed else []
    if missing:
        parts.append(f'<p class="soft">Not in the figure: {" and ".join(missing)}.</p>')
    return parts


def _section(report: Report, kind: Kind) -> list[str]:
    outcomes = report.of(kind)
    if not outcomes:
        return []
    heading, words = HEADINGS[kind]
    parts = [f'<h2 id="{anchor(kind)}">{heading}</h2>', f"<p>{words}</p>"]
    for model, group in _by_model(outcomes):
        parts.append(f'<h3 id="{anchor(f"{kind} {model}")}">{escape(model)}</h3>')
        parts += [f"<p>{linked(reference)}</p>" for reference in _references(model)]
        parts += [part for outcome in group for part in _check(outcome)]
    return parts


def _check(outcome: Outcome) -> list[str]:
    check = outcome.check
    parts = [
        f'<h4 id="{anchor(check.name)}">{escape(check.title)}</h4>',
        f'<p class="soft">{escape(check.name)}, {outcome.seconds:.2f} s</p>',
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
    above = None
    for row in outcome.rows:
        parts.append(_row(row, _source(row, row.source == above)))
        above = row.source
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


def _row(row: Row, source: str) -> str:
    definition = f"<small>{escape(row.definition)}</small>" if row.definition else ""
    published = value(row.published, row.unit)
    if row.published_interval is not None:
        published += f" ({between(row.published_interval)})"
    found = value(row.found, row.unit)
    if row.interval is not None:
        found += f"<small>({between(row.interval)})</small>"
    style, said = ("good", "✓ inside") if row.inside else ("bad", "✗ outside")
    return (
        f'<tr class="{style}">'
        f'<th scope="row">{escape(row.quantity)}{definition}</th>'
        f"<td>{published}<small>{source}</small></td>"
        f"<td{_NUMBER}>{found}</td>"
        f"<td{_NUMBER}>{tolerated(row)}</td>"
        f"<td{_NUMBER}>{tolerance_used(row)}</td>"
        f'<td class="said {style}-word">{said}</td></tr>'
    )


def _source(row: Row, again: bool) -> str:
    """Say where a number comes from; long words are not said `again` below themselves."""
    source = row.source
    if isinstance(source, Cited):
        where = f", {escape(source.where)}" if source.where else ""
        return f"published: {doi_link(source.doi)}{where}"
    words = source.how if isinstance(source, Derived) else source.why
    return f"{row.basis}, not published: {'as above' if again else linked(words)}"


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
    return image(as_png(figure), words)


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
        f'<tr><td{_NUMBER}>{each.seconds:.2f}</td><td><a href="#{anchor(each.check.name)}">'
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
