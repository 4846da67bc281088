"""Words for what is wrong in a config file: where, what was given, what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from carsim.config.document import key_of

KINDS = {
    "string_type": "Give a text in quotes.",
    "float_type": "Give a number.",
    "int_type": "Give a whole number.",
    "int_from_float": "Give a whole number.",
    "bool_type": "Give true or false.",
    "list_type": "Give a list, such as [1, 2].",
    "dict_type": "Give a table.",
    "model_type": "Give a table.",
    "model_attributes_type": "Give a table.",
    "finite_number": "Give a finite number.",
}
SHOWN = 60


def words_for(error: ValidationError, document: Any, source: str) -> str:
    """Spell out the first problem of a config file, and how many more there are.

    Parameters
    ----------
    error : ValidationError
        What pydantic found.
    document : dict
        The plain values that were checked.
    source : str
        Where they are from.
    """
    problems = error.errors(include_url=False)
    first = problems[0]
    path = _real_path(first["loc"], document)
    context = first.get("ctx", {})
    if first["type"] == "unknown_key":
        path = [*path, context["key"]]
    message = f"{source}: {key_of(path) or 'the file'}: {_sentence(first, document, path)}"
    # Both members of a union complain about one value: count places, not complaints.
    others = {key_of(_real_path(other["loc"], document)) for other in problems} - {key_of(path)}
    if others and first["type"] != "unknown_key":
        message += f" (and {len(others)} more: {', '.join(sorted(others)[:4])})"
    return message


def shown(value: object) -> str:
    """Spell a value as TOML would, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def kind_of(value: object) -> str:
    """Name the kind of a TOML value."""
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "a truth value"),
        (str, "a text"),
        ((int, float), "a number"),
        (list, "a list"),
        (dict, "a table"),
    ]
    return next((words for kind, words in kinds if isinstance(value, kind)), "an unknown value")


def wrong_kind(value: object) -> str:
    """Say what a value is, as the beginning of a sentence."""
    return f"{shown(value)} is {kind_of(value)}"


def _sentence(problem: Any, document: Any, path: Sequence[str | int]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    given = _value_at(document, path)
    if kind == "missing":
        return "the key is missing. Add it."
    if kind in KINDS:
        return f"{wrong_kind(given)}. {KINDS[kind]}"
    limits = {
        "greater_than": "above {gt:g}",
        "greater_than_equal": "{ge:g} or more",
        "less_than_equal": "{le:g} or less",
    }
    if kind in limits:
        return f"{shown(given)} is out of range. Give {limits[kind].format(**context)}."
    if kind == "literal_error":
        return f"{shown(given)} is not possible. Give one of {context['expected']}."
    if kind == "too_short":
        least = context["min_length"]
        if not given:
            return f"is empty. Give at least {least}, or remove the key."
        return f"has {len(given)} entries. Give {least}."
    if kind == "too_long":
        return f"has {len(given)} entries. Give {context['max_length']}."
    if kind == "string_too_short":
        return "is an empty text. Give a name."
    return str(problem["msg"]).strip()


def _real_path(location: Sequence[str | int], document: Any) -> list[str | int]:
    """Return the keys of a location that are in the file; pydantic adds names of its types."""
    path: list[str | int] = []
    node = document
    for number, part in enumerate(location):
        known = isinstance(node, dict) and part in node
        if known or (isinstance(node, list) and isinstance(part, int) and part < len(node)):
            node = node[part]
        elif not (isinstance(node, dict) and number == len(location) - 1):
            continue  # the name of a type, not a key
        path.append(part)
    return path


def _value_at(document: Any, path: Sequence[str | int]) -> Any:
    node = document
    for part in path:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return None
    return node
