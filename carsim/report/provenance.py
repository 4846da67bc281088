"""Ninth section: how to make it again, what it rests on, what to cite."""

from __future__ import annotations

import json
import shlex
from html import escape

from carsim.citations import AUTHOR, TITLE, YEAR
from carsim.hypertext import counted, linked, table
from carsim.model import Assumed, Cited, Derived
from carsim.report.section import Section
from carsim.report.view import View

NOT_ADVICE = "Results are model outputs, not clinical advice."


def provenance(view: View) -> Section:
    """Say what made the result, how to make it again, what is cited and what is assumed."""
    section = Section("Provenance and citations")
    _facts(section, view)
    _again(section, view)
    _sources(section, view)
    section.add(f'<p class="note">{NOT_ADVICE}</p>')
    return section


def _facts(section: Section, view: View) -> None:
    attributes = view.whole.attrs
    versions = json.loads(attributes.get("versions", "{}"))
    facts = {
        "Made": attributes.get("created_at", "unknown"),
        "carsim": attributes.get("carsim_version", "unknown"),
        **{str(name): str(version) for name, version in versions.items()},
        "Model": attributes.get("model", "unknown"),
        "Model hash": attributes.get("model_hash", "unknown"),
        "Solver": f"{attributes.get('solver')}, relative tolerance {attributes.get('rtol'):g}",
        "Seed": attributes.get("seed", "none: nothing was drawn"),
        "Design": attributes.get("design", "unknown"),
        "Digest of all numbers": _digest(view),
    }
    pairs = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in facts.items() if v)
    section.add(f'<dl class="facts">{pairs}</dl>')
    if view.changed:
        section.note(f"{view.changed} Sources and assumptions below are those of today's file.")


def _digest(view: View) -> str:
    """Digest that the store's journal has; empty where there is none."""
    if view.progress is None:
        return ""
    return view.progress.digest or "none yet: the sweep is not finished"


def _again(section: Section, view: View) -> None:
    attributes = view.whole.attrs
    config = str(attributes.get("config", ""))
    section.head("How to make it again")
    if view.progress is not None:
        _commands(section, view)
    if config:
        changes = "".join(
            f" --set {shlex.quote(each)}"
            for each in json.loads(attributes.get("config_overrides", "[]"))
        )
        section.say("From the config alone: save the one below as sweep.toml and run:")
        section.add(f"<pre>{escape(f'carsim sweep sweep.toml{changes}')}</pre>")
        section.fold("The config", f"<pre>{escape(config)}</pre>")
    section.say("In Python, with result the opened Dataset:")
    section.add(
        "<pre>from carsim.sweep import rebuild_sweep, run\n"
        "again = run(rebuild_sweep(result.attrs))</pre>"
    )
    section.say(
        "The same versions on the same kind of processor give the same numbers to the last bit, "
        "with any number of threads."
    )


def _commands(section: Section, view: View) -> None:
    assert view.progress is not None
    store = shlex.quote(str(view.store))
    lines = [
        (f"carsim status {store} --verify", "are the files what was written?"),
        (f"carsim rerun {store}", "do all numbers come out again, to the last bit?"),
    ]
    if not view.progress.digest:
        lines = [
            (f"carsim status {store}", "how far is it?"),
            (f"carsim sweep CONFIG --out {store} --resume", "finish it"),
        ]
    width = max(len(command) for command, _ in lines)
    section.say("The folder holds all that is needed:")
    words = "\n".join(f"{command:{width}}  # {what}" for command, what in lines)
    section.add(f"<pre>{escape(words)}</pre>")


def _sources(section: Section, view: View) -> None:
    found = view.citations
    section.head("What it rests on")
    kinds = {
        "cited: stands in a publication": len(found.of_kind(Cited)),
        "derived from published numbers": len(found.of_kind(Derived)),
        "assumed by the modelers": len(found.of_kind(Assumed)),
        "given with this run": len(found.given),
    }
    total = sum(kinds.values())
    rows = [
        (words, f"{count:,}", f"{100 * count / max(total, 1):.0f} %")
        for words, count in kinds.items()
    ]
    section.say(
        f"The run used {counted(total, 'number')} (parameters, initial values, and those of each "
        "kind of patient):"
    )
    section.add(table(("Numbers", "How many", "Share"), rows, numbers=(1, 2)))
    if found.note:
        section.note(f"{found.note[:1].upper()}{found.note[1:]}.")
    for kind, words in ((Assumed, "assumed"), (Derived, "derived")):
        numbers = found.of_kind(kind)
        if numbers:
            listed = [
                (
                    f"<code>{escape(each.name)}</code>"
                    + (f"<small>{escape(each.variant)}</small>" if each.variant else ""),
                    escape(each.words),
                    linked(each.provenance.text.removeprefix(f"{words}: ")),
                )
                for each in numbers
            ]
            section.fold(
                f"The {counted(len(numbers), f'{words} number')}",
                table(("Number", "What it is", "Why" if kind is Assumed else "How"), listed),
            )
    if found.given:
        names = "".join(f"<li><code>{escape(name)}</code></li>" for name in found.given)
        section.fold(
            f"The {counted(len(found.given), 'number')} given with this run", f"<ul>{names}</ul>"
        )
    section.head("What to cite")
    lines = [f"{AUTHOR} ({YEAR}). {TITLE}. Version {found.version}."]
    lines += [paper.line for paper in found.papers]
    lines += [reference.line for reference in found.sources.values()]
    lines.append(found.solver.text or found.method)
    items = "".join(f"<li>{linked(line)}</li>" for line in dict.fromkeys(lines))
    section.add(f"<ol>{items}</ol>")
    section.add("<p>As BibTeX: <code>carsim cite RESULT --bibtex</code>.</p>")
