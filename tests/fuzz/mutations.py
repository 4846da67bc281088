"""Mistakes that a document of plain values can have."""

from __future__ import annotations

import copy
import datetime as dt
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fuzz.bases import Base
from tests.fuzz.toml import Raw

Document = dict[str, Any]
Path = tuple[str | int, ...]

NUMBERS: tuple[Any, ...] = (
    *(0, 1, 2, 3, -1, -7, 10, 1000, 10**6, 10**9, 10**12, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)),
    *(2**63, 10**30, 10**400, 0.0, -0.0, 0.5, 1.0, -1.0, 1e-9, 1e-300, 5e-324, 1e9, 1e15, 1e100),
    *(1e300, 1e308, -1e308, 1.7976931348623157e308, float("nan"), float("inf"), -float("inf")),
    *(Raw("1e999"), Raw("-nan"), Raw("+0.0"), Raw("0x7fffffffffffffff"), Raw("1_000_000")),
)
TEXTS: tuple[Any, ...] = (
    *("", " ", ".", "..", "a.b.c", "None", "null", "nan", "0", "1e5", "true", "[1]", "{}", "%s%n"),
    *(
        "{0}",
        "\x00",
        "\x1b[31m",
        "é",
        "日本語",
        "\U0001f4a9",
        "\u202e",
        "a\nb",
        "'",
        '"',
        "\\",
        "/",
    ),
    *("../../etc/passwd", "/dev/null", "/dev/zero", "~", "os.system", "__class__", "__dict__", "-"),
    *("x" * 500, "a b", "patient", "time", "model", "parameters.k", "therapy", "population.size"),
    Raw("'''a\nb'''"),
)
OTHERS: tuple[Any, ...] = (
    *(True, False, [], {}, [[]], [{}], {"": {}}, [1, "a"], [1, [2]], [True], [""], [float("nan")]),
    *([1, 2, 3], [0.0, -1.0], [3.0, 1.0], [1e308, 1e308], [1.0, 1.0], [0] * 500, ["a"] * 50),
    *([list(range(100))] * 3, {"kind": "dose"}, {"distribution": "normal"}, {"a": {"b": {"c": 1}}}),
    *(dt.date(1979, 5, 27), dt.time(7, 32), dt.datetime(1979, 5, 27, 7, 32, tzinfo=dt.UTC)),
    {"distribution": "lognormal", "median": 1e308, "sigma": 50.0},
    {"distribution": "normal", "mean": 0.0, "sd": 1e308},
    {"distribution": "beta", "alpha": 1e-300, "beta": 1e300},
    {"action": "dose", "into": "oral", "amount": 1.0},
)


@dataclass(frozen=True)
class Mutation:
    """What was done.

    Attributes
    ----------
    kind : str
        Name of the mutation.
    names : tuple of str
        The key, old and new, and its table: one of them must stand in a refusal.
    """

    kind: str
    names: tuple[str, ...]


def mutate(base: Base, others: Sequence[Base], chance: random.Random) -> tuple[Document, Mutation]:
    """Change one thing."""
    document = copy.deepcopy(base.document)
    return document, change(document, others, chance)


def change(document: Document, others: Sequence[Base], chance: random.Random) -> Mutation:
    """Change one thing in place."""
    places = list(_places(document, ()))
    if not places:
        document[_name("key", chance)] = _anything(chance)
        return Mutation("insert", tuple(document))
    path = chance.choice(places)
    kind = chance.choice(list(MUTATIONS))
    parent: Any = _at(document, path[:-1])
    # Before the change: a key that is gone, or has another name now, is named in messages too.
    names = [part for part in path if isinstance(part, str)][-2:]
    names += MUTATIONS[kind](document, parent, path[-1], others, chance)
    return Mutation(kind, tuple(dict.fromkeys(names)))


def _delete(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    del parent[key]
    return []


def _rename(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    if isinstance(parent, list):
        chance.shuffle(parent)
        return []
    new = _name(str(key), chance)
    # In place, so that the order of the keys stays.
    items = [(new if name == key else name, value) for name, value in parent.items()]
    parent.clear()
    parent.update(items)
    return [new]


def _replace(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    parent[key] = _anything(chance)
    return []


def _bend(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    """Keep the kind of the value, mostly."""
    value = parent[key]
    if isinstance(value, bool):
        parent[key] = not value
    elif isinstance(value, int) and abs(value) > 2**63:
        parent[key] = -value
    elif isinstance(value, int | float):
        bent = (-value, value * 1e6, value * 1e-6, value + 1, value - 1, float(value), value / 3)
        parent[key] = chance.choice((*bent, *NUMBERS))
    elif isinstance(value, str):
        parent[key] = chance.choice((_name(value, chance), chance.choice(TEXTS)))
    elif isinstance(value, list) and value:
        return _bend(document, value, chance.randrange(len(value)), others, chance)
    else:
        parent[key] = _anything(chance)
    return []


def _insert(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    value = parent[key]
    if isinstance(value, dict):
        name = _borrowed(others, chance)[0] if chance.random() < 0.7 else _name(str(key), chance)
        value[name] = _anything(chance)
        return [name]
    if isinstance(value, list):
        new = chance.choice((copy.deepcopy(value[0]) if value else 1, _anything(chance)))
        value.insert(chance.randrange(len(value) + 1), new)
        return []
    if isinstance(parent, dict):
        name = _name(str(key), chance)
        parent[name] = copy.deepcopy(value)
        return [name]
    parent[key] = [value]
    return []


def _wrap(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    value = parent[key]
    for _ in range(chance.choice((1, 1, 2, 5, 40))):
        value = [value] if chance.random() < 0.5 else {_name(str(key), chance): value}
    parent[key] = value
    return []


def _swap(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    """Exchange two values; of a table and its own part, take a copy."""
    other = chance.choice(list(_places(document, ())))
    where = _at(document, other[:-1])
    one, two = copy.deepcopy(parent[key]), copy.deepcopy(where[other[-1]])
    parent[key] = two
    if _reaches(document, other[:-1]) and _at(document, other[:-1]) is where:
        where[other[-1]] = one
    return [part for part in other if isinstance(part, str)][-2:]


def _cross(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    """Take a table or value from another config."""
    name, value = _borrowed(others, chance)
    if isinstance(parent, dict) and chance.random() < 0.5:
        parent[name] = copy.deepcopy(value)
        return [name]
    parent[key] = copy.deepcopy(value)
    return [name]


def _many(
    document: Document, parent: Any, key: Any, others: Sequence[Base], chance: random.Random
) -> list[str]:
    value = parent[key]
    times = chance.choice((2, 20, 200))
    if isinstance(value, list):
        parent[key] = copy.deepcopy(value) * times
    elif isinstance(value, dict) and isinstance(parent, dict):
        for number in range(min(times, 20)):
            parent[f"{key}{number}"] = copy.deepcopy(value)
        return [f"{key}{number}" for number in range(min(times, 20))]
    else:
        parent[key] = [copy.deepcopy(value)] * times
    return []


Change = Callable[[Document, Any, Any, Sequence[Base], random.Random], list[str]]
MUTATIONS: dict[str, Change] = {
    "delete": _delete,
    "rename": _rename,
    "replace": _replace,
    "bend": _bend,
    "bend again": _bend,
    "bend more": _bend,
    "insert": _insert,
    "wrap": _wrap,
    "swap": _swap,
    "cross": _cross,
    "many": _many,
}


def _anything(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(chance.choice((NUMBERS, TEXTS, OTHERS))))


def _name(name: str, chance: random.Random) -> str:
    """Misspell a name, or give quite another."""
    at = chance.randrange(len(name) + 1)
    kind = chance.randrange(8)
    if kind == 0:
        return name[:at] + name[at + 1 :]
    if kind == 1:
        return name[:at] + chance.choice("aeiou_-. 7é") + name[at:]
    if kind == 2:
        return name.upper() if name != name.upper() else name.lower()
    if kind == 3:
        return name[at:] + name[:at]
    if kind == 4:
        return f"{name}.{name}"
    if kind == 5:
        return f" {name} "
    if kind == 6:
        return str(chance.choice([text for text in TEXTS if not isinstance(text, Raw)]))
    return "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(5))


def _borrowed(others: Sequence[Base], chance: random.Random) -> tuple[str, Any]:
    """Key and value somewhere in another config."""
    source = chance.choice(others).document
    keys = [path for path in _places(source, ()) if isinstance(path[-1], str)]
    path = chance.choice(keys)
    return str(path[-1]), _at(source, path)


def _places(node: Any, path: Path) -> Any:
    """All keys and positions."""
    if isinstance(node, dict):
        inner: Any = node.items()
    elif isinstance(node, list):
        inner = list(enumerate(node))[:40]
    else:
        return
    for key, value in inner:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _at(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def _reaches(document: Any, path: Path) -> bool:
    try:
        _at(document, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True
