"""One value of a frozen tree read or changed by its dotted path."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from carsim.errors import ScenarioError, unknown
from carsim.therapy.values import fields_of


def replaced(tree: object, path: str, value: object, where: str = "scenario") -> Any:
    """Copy a tree of dataclasses and mappings with one value changed.

    Parameters
    ----------
    tree : dataclass or mapping
        What holds the value.
    path : str
        Field and key names joined with dots; keys may contain dots themselves.
    value : object
        The new value.
    where : str
        Name of the tree, for messages.

    Returns
    -------
    object
        A copy of `tree`; everything else is shared with it.

    Raises
    ------
    ScenarioError
        An unknown part of the path, or a value that is refused.
    """
    if not path:
        raise ScenarioError(f"{where}: the path is empty. Name what shall be replaced.")
    if isinstance(tree, Mapping):
        return _in_mapping(tree, path, value, where)
    if isinstance(tree, tuple):
        return _in_tuple(tree, path, value, where)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        if where != "scenario" and callable(getattr(tree, "replace", None)):
            return cast(Any, tree).replace(path, value)
        return _in_dataclass(tree, path, value, where)
    raise ScenarioError(
        f"{where} is {type(tree).__name__} and has no part {path!r}. Replace {where} as a whole."
    )


def value_at(tree: object, path: str) -> object:
    """Read one value of a tree of dataclasses, mappings and tuples.

    Parameters
    ----------
    tree : dataclass, mapping or tuple
        What holds the value.
    path : str
        As for `replaced`.

    Returns
    -------
    object
        None where nothing is at the path.
    """
    if not path:
        return tree
    if isinstance(tree, Mapping):
        keys = [key for key in tree if f"{path}.".startswith(f"{key}.")]
        key = max(keys, key=len, default=None)
        return None if key is None else value_at(tree[key], path[len(key) + 1 :])
    first, _, rest = path.partition(".")
    if isinstance(tree, tuple):
        inside = first.isdecimal() and int(first) < len(tree)
        return value_at(tree[int(first)], rest) if inside else None
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return value_at(fields_of(tree).get(first), rest)
    return None


def _in_dataclass(tree: Any, path: str, value: object, where: str) -> Any:
    fields = fields_of(tree)
    first, _, rest = path.partition(".")
    if first not in fields:
        raise ScenarioError(unknown("field", first, fields, where))
    place = first if where == "scenario" else f"{where}.{first}"
    if rest:
        if fields[first] is None:
            raise ScenarioError(f"{place} is not given, so {rest!r} cannot be replaced in it.")
        value = replaced(fields[first], rest, value, place)
    try:
        return dataclasses.replace(tree, **{first: value})
    except ScenarioError as error:
        if where == "scenario" or place in str(error):
            raise
        raise ScenarioError(f"{place}: {error}") from None


def _in_tuple(tree: tuple[Any, ...], path: str, value: object, where: str) -> tuple[Any, ...]:
    first, _, rest = path.partition(".")
    if not first.isdecimal() or int(first) >= len(tree):
        raise ScenarioError(f"{where}: there is no entry {first!r} of {len(tree)}. Count from 0.")
    place = int(first)
    if rest:
        value = replaced(tree[place], rest, value, f"{where}.{place}")
    return (*tree[:place], value, *tree[place + 1 :])


def _in_mapping(tree: Mapping[str, Any], path: str, value: object, where: str) -> dict[str, Any]:
    if path in tree:
        return {**tree, path: value}
    keys = [key for key in tree if path.startswith(f"{key}.")]
    if keys:
        key = max(keys, key=len)
        rest = path[len(key) + 1 :]
        # A parameter's name may begin with another one's; only a structure has parts.
        if isinstance(tree[key], Mapping | tuple) or dataclasses.is_dataclass(tree[key]):
            return {**tree, key: replaced(tree[key], rest, value, f"{where}.{key}")}
    if where in ("therapy", "metrics", "endpoints"):
        first, _, rest = path.partition(".")
        if rest:
            raise ScenarioError(unknown("item", first, tree, where))
    return {**tree, path: value}
