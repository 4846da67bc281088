"""From a TOML file to plain values: reading, overrides, and what no config may hold."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from carsim.errors import ConfigError, did_you_mean

#: What TOML can say: tables, lists, texts, numbers, true and false.
Value: TypeAlias = Any
Document: TypeAlias = dict[str, Value]

LARGEST_FILE = 4 * 1024 * 1024
DEEPEST = 32
LARGEST_WHOLE = 2**63 - 1


def load(path: Path) -> str:
    """Text of a config file.

    Parameters
    ----------
    path : Path
        A TOML file in UTF-8.

    Raises
    ------
    ConfigError
        No such file, not a text, or another format.
    """
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        raise ConfigError(
            f"{path}: carsim reads TOML. YAML takes 1e-3 for a text and no for false, which is "
            f"fatal for doses. Write the same keys in TOML, for example stop = 365.0."
        )
    try:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file.{_neighbors(path)}")
        if not path.is_file():
            raise ConfigError(f"{path}: is not a file. Give a TOML file.")
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(
                f"{path}: is larger than {LARGEST_FILE // 1024**2} MB, which no config is. "
                f"Is it a result?"
            )
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start} is not UTF-8 text. Save the file as UTF-8."
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: cannot be read: {error}.") from None


def parse(text: str, source: str, overrides: Sequence[str] = ()) -> Document:
    """Plain values of a config, with overrides put in.

    Parameters
    ----------
    text : str
        TOML.
    source : str
        Where the text is from, for messages.
    overrides : sequence of str
        Each ``path=value`` in TOML's own spelling, for example ``population.size=1000``.

    Returns
    -------
    dict
        Nothing in it is NaN, infinite, a date or a whole number beyond 64 bits.
    """
    document = _toml(text, source)
    for override in overrides:
        parts, value = _override(override)
        _put(document, parts, value, override)
    _check(document, source, ())
    return document


def key_of(path: Sequence[str | int]) -> str:
    """Return a key as messages show it: ``therapy.entecavir.at[0]``."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


def flatten(
    table: Mapping[str, Value], source: str, key: str, leaf: str | None = None
) -> dict[str, Value]:
    """Join the keys of nested tables with dots: ``[parameters.hbv] beta`` is ``"hbv.beta"``.

    Parameters
    ----------
    table : mapping
        A table whose keys are dotted names, quoted or not.
    source, key : str
        File and table, for messages.
    leaf : str, optional
        A table that has this key is a value.
    """
    flat: dict[str, Value] = {}
    for name, value in table.items():
        if isinstance(value, dict) and not (leaf is not None and leaf in value):
            inner = flatten(value, source, f"{key}.{name}", leaf)
            items = [(f"{name}.{rest}", each) for rest, each in inner.items()]
        else:
            items = [(name, value)]
        for full, each in items:
            if full in flat:
                raise ConfigError(f"{source}: [{key}] {full}: the key is given twice. Keep one.")
            flat[full] = each
    return flat


def _toml(text: str, source: str) -> Document:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}.{_hint(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{source}: lists or tables are nested too deeply.") from None
    except ValueError:  # more digits than Python converts
        raise ConfigError(
            f"{source}: a whole number has thousands of digits. Write large amounts as 1e10."
        ) from None


def _hint(problem: str) -> str:
    if "overwrite" in problem or "twice" in problem or "mutate" in problem:
        return " A key or table is given twice: keep one."
    if "Invalid value" in problem:
        return ' Texts need quotes: model = "cart_hbv".'
    return ""


def _override(override: str) -> tuple[list[str], Value]:
    path, equals, value = override.partition("=")
    if not equals or not path.strip() or "\n" in override:
        raise ConfigError(
            f"--set {override}: is not of the form path=value. Example: --set population.size=1000"
        )
    try:
        nested: Value = tomllib.loads(f"{path.strip()} = 0")
        given = tomllib.loads(f"value = {value.strip()}")["value"]
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"--set {override}: not valid TOML: {error}. Numbers as in 1e-3, lists as in [1, 2]; "
            f"texts need quotes inside the shell's: --set 'model=\"cart_hbv\"'"
        ) from None
    parts = []
    while isinstance(nested, dict):
        part, nested = next(iter(nested.items()))
        parts.append(part)
    return parts, given


def _put(node: Value, parts: list[str], value: Value, override: str) -> None:
    """Set one value; numbers in the path count the entries of a list."""
    where = f"--set {override}"
    while True:
        if isinstance(node, list):
            if not parts[0].isdecimal() or int(parts[0]) >= len(node):
                raise ConfigError(
                    f"{where}: there is no entry {parts[0]!r} in a list of {len(node)}. "
                    f"Count from 0."
                )
            key: Any = int(parts[0])
            parts = parts[1:]
        elif isinstance(node, dict):
            # "hbv.beta" may stand in the file as one quoted key or as a table with a key.
            taken = next(
                (n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in node),
                1,
            )
            key = ".".join(parts[:taken])
            parts = parts[taken:]
        else:
            raise ConfigError(
                f"{where}: there is a value, not a table, before {'.'.join(parts)!r}."
            )
        if not parts:
            node[key] = value
            return
        node = node[key] if isinstance(node, list) else node.setdefault(key, {})


def _check(value: Value, source: str, path: tuple[str | int, ...]) -> None:
    where = f"{source}: {key_of(path)}"
    if len(path) > DEEPEST:
        raise ConfigError(f"{where}: is nested too deeply.")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check(name, source, (*path, name))
            _check(inner, source, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check(inner, source, (*path, number))
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where}: is {value}. Give a finite number, or leave the key out.")
    elif isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise ConfigError(
            f"{where}: is a whole number beyond 64 bits. Write large amounts as 1e10."
        )
    elif isinstance(value, str) and "\0" in value:  # the file of a result cannot hold it
        raise ConfigError(f"{where}: has a character NUL in it. Remove it.")
    elif not isinstance(value, bool | int | float | str):
        raise ConfigError(
            f"{where}: is a date or time ({value}). Times are numbers in the model's time unit."
        )


def _neighbors(path: Path) -> str:
    try:
        beside = sorted(item.name for item in path.parent.glob("*.toml"))
    except OSError:
        return ""
    return did_you_mean(path.name, beside)
