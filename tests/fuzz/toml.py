"""TOML out of plain values, in several spellings, and damage to the text itself."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
from collections.abc import Mapping
from typing import Any

STYLES = ("headers", "inline", "dotted")
BARE = re.compile(r"[A-Za-z0-9_-]+")


class Raw(str):
    """A value that is written as it stands."""


def written(document: Mapping[str, Any], style: str) -> str:
    """Text of a document."""
    lines: list[str] = []
    _table(document, (), style, lines)
    return "\n".join(lines) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...], style: str, lines: list[str]) -> None:
    later = []
    for key, value in table.items():
        if style == "headers" and isinstance(value, dict):
            later.append((key, value))
        elif style == "dotted" and isinstance(value, dict) and value:
            _table(value, (*path, key), style, lines)
        else:
            name = ".".join(_key(part) for part in ((*path, key) if style == "dotted" else (key,)))
            lines.append(f"{name} = {_value(value)}")
    for key, value in later:
        lines.append(f"[{'.'.join(_key(part) for part in (*path, key))}]")
        _table(value, (*path, key), style, lines)


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dt.date | dt.time | dt.datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return repr(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def damaged(text: str, chance: random.Random) -> bytes:
    """Bytes of a text in which something was broken."""
    data = text.encode("utf-8")
    at = chance.randrange(len(data) + 1)
    lines = text.splitlines()
    line = chance.randrange(len(lines)) if lines else 0
    kind = chance.randrange(12)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[at:]
    if kind == 2:
        junk = (b"\x00", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88", b"\x1b[2J", b"\r")
        return data[:at] + chance.choice(junk) + data[at:]
    if kind == 3:
        flipped = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        return bytes(flipped)
    if kind == 4:
        return b"\xef\xbb\xbf" + data
    if kind == 5:
        return text.encode(chance.choice(("utf-16", "utf-32", "latin-1")), "replace")
    if kind == 6:
        return text.replace("\n", chance.choice(("\r\n", "\r", "\x0b", "\u2028"))).encode()
    if kind == 7:
        lines.insert(chance.randrange(len(lines) + 1), lines[line] if lines else "")
    elif kind == 8 and lines:
        del lines[line]
    elif kind == 9:
        chance.shuffle(lines)
    elif kind == 10:
        marks = "=[]{}\"'#.,\\\n"
        where = chance.randrange(len(text) + 1)
        return (text[:where] + chance.choice(marks) + text[where:]).encode()
    else:
        lines.insert(line, chance.choice(ODD_LINES))
    return "\n".join(lines).encode()


ODD_LINES = (
    "",
    "[",
    "[[]]",
    "[[time]]",
    "[time]",
    "[time.stop]",
    "[[population]]",
    "model.x = 1",
    "time.stop.x = 1",
    '"" = 1',
    "a = " + "[" * 500 + "]" * 500,
    "a = " + "{ b = " * 50 + "1" + " }" * 50,
    "a." * 60 + "b = 1",
    "x = 9" + "9" * 5000,
    "x = 1e" + "9" * 400,
    "x = 0x" + "f" * 5000,
    "x = '''",
    "sweep = []",
    "therapy = 3",
    "population = []",
    "x = 1979-05-27T07:32:00Z",
    "# \u202e reversed",
)
