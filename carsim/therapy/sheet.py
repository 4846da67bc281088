"""A table of texts or numbers whose every refusal names the file, the line and the column."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, did_you_mean
from carsim.therapy.values import FloatArray, shown

MISSING = ("", ".")
"""Cells without a value."""

DECIMAL = re.compile(r"[+-]?\d+\.\d*")

MOST_EXACT = 2**53
"""Below this every whole number is a floating number of its own."""


class Sheet:
    """Columns of one table, found by name whatever its case.

    Parameters
    ----------
    where : str
        File, for messages.
    columns : mapping of str to sequence of str, or to float64 array
        Cells by column. In an array NaN is a missing value.
    places : sequence of str
        What messages call each row.
    """

    def __init__(
        self, where: str, columns: dict[str, Sequence[str] | FloatArray], places: Sequence[str]
    ) -> None:
        self.where, self._places = where, places
        self._cells = {name.upper(): cells for name, cells in columns.items()}
        self.names = {name.upper(): name for name in columns}
        self._numbers: dict[str, FloatArray] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: str) -> bool:
        return name.upper() in self._cells

    def place(self, row: int) -> str:
        """What messages call a row."""
        return self._places[row]

    def cell(self, row: int, name: str) -> str:
        """A cell as it was given."""
        cells = self._cells[name.upper()]
        if isinstance(cells, np.ndarray):
            return f"{cells[row]:g}"
        return cells[row].strip()

    def without(self, rows: NDArray[np.bool_]) -> Sheet:
        """The other rows."""
        kept = np.flatnonzero(~rows)
        columns: dict[str, Sequence[str] | FloatArray] = {}
        for key, cells in self._cells.items():
            if isinstance(cells, np.ndarray):
                columns[self.names[key]] = cells[kept]
            else:
                columns[self.names[key]] = [cells[row] for row in kept.tolist()]
        return Sheet(self.where, columns, [self._places[int(row)] for row in kept])

    def refuse(self, row: int | np.integer[Any], name: str, words: str) -> NoReturn:
        """Raise an error about a cell.

        Raises
        ------
        ScenarioError
            Always.
        """
        given = f"{self.names[name.upper()]} = {shown(self.cell(int(row), name))[1:-1]}"
        raise ScenarioError(f"{self.where}: {self.place(int(row))}: {given}{words}")

    def refuse_any(self, wrong: NDArray[np.bool_], name: str, words: str) -> None:
        """Raise an error about the first wrong row, if there is one."""
        if wrong.any():
            self.refuse(np.flatnonzero(wrong)[0], name, words)

    def numbers(self, name: str) -> FloatArray:
        """A column as numbers, NaN where a cell is missing.

        Raises
        ------
        ScenarioError
            A cell that is not a finite number.
        """
        key = name.upper()
        if key not in self._numbers:
            self._numbers[key] = self._as_numbers(key)
        return self._numbers[key]

    def numbers_or(self, name: str, missing: float) -> FloatArray:
        """A column as numbers, with a value for missing cells; as if all were without a column."""
        if name not in self:
            return np.full(len(self), missing)
        values = self.numbers(name)
        return np.where(np.isnan(values), missing, values)

    def texts(self, name: str) -> list[str]:
        """A column as texts; numbers without a fraction are written without one."""
        cells = self._cells[name.upper()]
        if isinstance(cells, np.ndarray):
            return ["" if np.isnan(x) else _plain_number(x) for x in cells]
        return ["" if (text := cell.strip()) == "." else text for cell in cells]

    def labels(self, name: str) -> list[str]:
        """A column as names, of which numbers that are equal have one: 1.0 and 1. are 1.

        Raises
        ------
        ScenarioError
            Floating numbers so large that different names may have become one.
        """
        cells = self._cells[name.upper()]
        if isinstance(cells, np.ndarray):
            words = (
                ": a floating number cannot tell so large names apart. Read the column as whole "
                "numbers (Int64) or as texts."
            )
            self.refuse_any(np.abs(cells) >= MOST_EXACT, name, words)
            return self.texts(name)
        return [
            text.rstrip("0").rstrip(".") if DECIMAL.fullmatch(text) else text
            for text in self.texts(name)
        ]

    def _as_numbers(self, key: str) -> FloatArray:
        cells = self._cells[key]
        words = ". Give a finite number, or . for a missing value."
        if isinstance(cells, np.ndarray):
            self.refuse_any(np.isinf(cells), key, words)
            return cells
        texts = [cell.strip() for cell in cells]
        try:
            values = np.array([np.nan if text in MISSING else float(text) for text in texts])
        except ValueError:
            wrong = next(row for row, text in enumerate(texts) if not _is_number(text))
            self.refuse(wrong, key, f" is not a number{words}")
        for row in np.flatnonzero(~np.isfinite(values)):
            if texts[row] not in MISSING:
                self.refuse(row, key, f" is not a number{words}")
        return values.astype(np.float64)


def open_sheet(source: Any) -> Sheet:
    """Read a CSV file or take a data frame.

    Parameters
    ----------
    source : path-like or pandas.DataFrame
        A file with commas and one line of names, in UTF-8; or a frame.

    Raises
    ------
    ScenarioError
        No such file, names that come twice, lines of another length, no records.
    """
    if isinstance(source, str | PathLike):
        sheet = _from_file(Path(fspath(source)))
    elif hasattr(source, "columns") and hasattr(source, "index"):
        sheet = _from_frame(source)
    else:
        raise ScenarioError(
            f"events: {shown(source)} is a {type(source).__name__}. Give the path of a CSV file, "
            f"or a pandas DataFrame."
        )
    if not len(sheet):
        raise ScenarioError(f"{sheet.where}: there are no records. Give at least one.")
    return sheet


def _from_file(path: Path) -> Sheet:
    where = str(path)
    # Unlike pathlib's, these take any text, such as a name that is too long.
    if not os.path.isfile(path):
        beside = path.parent.glob("*.csv") if os.path.isdir(path.parent) else ()
        hint = did_you_mean(path.name, sorted(item.name for item in beside))
        raise ScenarioError(f"{where}: there is no such file.{hint}")
    rows, places = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_names(where, header)
            for row in reader:
                if not row or (len(row) == 1 and not row[0].strip()):
                    continue
                if len(row) != len(header):
                    raise ScenarioError(
                        f"{where}: line {reader.line_num}: {len(row)} values for {len(header)} "
                        f"columns. Give one value a column; . or nothing if it is missing."
                    )
                rows.append(row)
                places.append(f"line {reader.line_num}")
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"{where}: byte {error.start} is not UTF-8 text. Save the file as UTF-8."
        ) from None
    except (OSError, csv.Error) as error:
        raise ScenarioError(f"{where}: cannot be read: {error}.") from None
    cells: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [() for _ in header]
    return Sheet(where, dict(zip(header, cells, strict=True)), places)


def _from_frame(frame: Any) -> Sheet:
    names = [str(name).strip() for name in frame.columns]
    _check_names("events", names)
    columns: dict[str, Sequence[str] | FloatArray] = {}
    for position, name in enumerate(names):
        column = frame.iloc[:, position]
        missing = column.isna().to_numpy(dtype=np.bool_)
        kind = column.dtype.kind
        if kind == "f" or (kind in "iu" and _is_exact(column)):
            columns[name] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            pairs = zip(column, missing, strict=True)
            columns[name] = ["" if gone else str(value) for value, gone in pairs]
    return Sheet("events", columns, [f"row {label}" for label in frame.index])


def _is_exact(column: Any) -> bool:
    """Whether a column of whole numbers loses no digit as floating numbers."""
    known = column.dropna()
    return known.empty or bool(known.max() < MOST_EXACT and known.min() > -MOST_EXACT)


def _plain_number(value: Any) -> str:
    """All digits of a number and no more, without an exponent: 1.0 is 1."""
    return np.format_float_positional(value, trim="-")


def _check_names(where: str, names: Sequence[str]) -> None:
    if len(names) == 1 and any(mark in names[0] for mark in ";\t "):
        raise ScenarioError(
            f"{where}: line 1: the names {shown(names[0])} are not separated by commas. Write "
            f"commas between the columns."
        )
    upper = [name.upper() for name in names]
    for position, name in enumerate(upper):
        if not name:
            raise ScenarioError(f"{where}: column {position + 1} has no name. Name it.")
        if name in upper[:position]:
            raise ScenarioError(
                f"{where}: the column {names[position]} comes twice (upper and lower case are the "
                f"same). Keep one."
            )


def _is_number(text: str) -> bool:
    try:
        return text in MISSING or np.isfinite(float(text)).item()
    except ValueError:
        return False
