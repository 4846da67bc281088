"""Frozen objects to JSON and back: what a result carries so that it can be run again."""

from __future__ import annotations

import base64
import dataclasses
import math
import zlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from carsim.errors import ScenarioError, unknown
from carsim.therapy.values import fields_of

LONGEST_LIST = 32
"""Longer arrays are packed: a sampled cohort would make the text unreadable anyway."""


def encode(value: object) -> Any:
    """Turn numbers, text, sequences, mappings, arrays and dataclasses into JSON types.

    Parameters
    ----------
    value : object
        A scenario's field.

    Returns
    -------
    object
        None, bool, int, float, str, list or dict, without NaN and infinities. Floats keep all
        their bits.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else {"float": repr(number)}
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {"mapping": {key: encode(item) for key, item in value.items()}}
        return {"pairs": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # All fields, so that a later default cannot change a stored run.
        return {"class": type(value).__name__, **_encode_fields(value)}
    raise ScenarioError(f"{value!r} cannot be written as JSON: it is a {type(value).__name__}.")


def decode(value: Any, classes: Mapping[str, type]) -> Any:
    """Turn JSON types back into the objects they came from.

    Parameters
    ----------
    value : object
        Result of `encode`.
    classes : mapping of str to type
        Classes that may be built, by name.

    Returns
    -------
    object
        Lists become tuples.
    """
    if isinstance(value, list):
        return tuple(decode(item, classes) for item in value)
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "float64" in value:
        return _decode_array(value)
    if "mapping" in value:
        return {key: decode(item, classes) for key, item in value["mapping"].items()}
    if "pairs" in value:
        return {decode(key, classes): decode(item, classes) for key, item in value["pairs"]}
    if "class" in value:
        name = value["class"]
        if name not in classes:
            raise ScenarioError(unknown("class", str(name), classes, "a stored scenario"))
        given = {key: decode(item, classes) for key, item in value.items() if key != "class"}
        return classes[name](**given)
    raise ScenarioError(f"A stored scenario holds {value!r}, which carsim did not write.")


def _encode_fields(value: object) -> dict[str, Any]:
    """Encode the fields of a dataclass, without those that are None by default and None here."""
    empty = {field.name for field in dataclasses.fields(cast(Any, value)) if field.default is None}
    return {
        name: encode(item)
        for name, item in fields_of(value).items()
        if item is not None or name not in empty
    }


def _encode_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    values = np.ascontiguousarray(array, dtype="<f8")
    if values.size <= LONGEST_LIST and np.isfinite(values).all():
        return {"float64": values.tolist()}
    packed = zlib.compress(values.tobytes(), 6)
    return {"float64": base64.b85encode(packed).decode("ascii"), "shape": list(values.shape)}


def _decode_array(value: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    stored = value["float64"]
    if isinstance(stored, str):
        unpacked = zlib.decompress(base64.b85decode(stored))
        return np.frombuffer(unpacked, dtype="<f8").reshape(value["shape"]).astype(np.float64)
    return np.array(stored, dtype=np.float64)
