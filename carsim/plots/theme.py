"""Colors, sizes and words that all figures share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

# Okabe and Ito: eight colors that remain apart in the common color vision deficiencies. Yellow is
# left out: too light for a line on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LineStyle: TypeAlias = Any  # a name, or an offset with a sequence of dashes
LINE_STYLES: tuple[LineStyle, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# One hue, light to dark: read by lightness alone, and no risk looks like no color.
RISK_COLORS = "Blues"
ORDERED_COLORS = "cividis_r"  # even in lightness, made for color vision deficiencies
SHADE = "#E8E4DA"
LIMIT = "#7F7F7F"
MOST_INSIDE = 4  # legend entries that find room among the lines
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LETTER, SYMBOL = 0.06, 0.5  # inches that a letter and the symbol of a legend entry take

_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "lines.linewidth": 1.5,
    "figure.dpi": 150,
    "savefig.dpi": 150,
}

DAYS_PER_MONTH = 365.25 / 12.0

# Points above the axes: rows of event marks, then a note, then the title.
FIRST_EVENT_ROW, EVENT_ROW, NOTE_LINE, TITLE_PAD = 7.0, 9.5, 10.0, 6.0


def house_style() -> AbstractContextManager[None]:
    """Set fonts and sizes for the figures made inside a `with` block."""
    return mpl.rc_context(_STYLE)


def axes_of(ax: Axes | None) -> Axes:
    """Given axes, or fresh ones of a new pyplot figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    with house_style():
        return plt.subplots(layout="constrained")[1]


def ordered_colors(n: int) -> list[tuple[float, float, float, float]]:
    """Colors of an ordered variable, light to dark; the light end stays visible on white."""
    return [colormaps[ORDERED_COLORS](x) for x in np.linspace(0.25, 1.0, n)]


def unit_text(unit: str) -> str:
    """Print a unit: "cell/uL" becomes "cells/µL", "1/day" stays, a plain number has none."""
    if unit in ("", "1"):
        return ""
    symbols = {"uL": "µL", "ug": "µg"}
    counts = {"day": "days", "cell": "cells", "month": "months"}
    raised = re.sub(r"\^(-?\d+)", lambda power: power[1].translate(SUPERSCRIPTS), unit)
    factors = re.split(r"([*/])", raised)
    printed = [symbols.get(factors[0], counts.get(factors[0], factors[0]))]
    for sign, factor in zip(factors[1::2], factors[2::2], strict=True):
        plural = factor if sign == "/" else counts.get(factor, factor)  # "cells per day"
        printed += ["·" if sign == "*" else "/", symbols.get(factor, plural)]
    return "".join(printed)


def unit_of(variable: xr.DataArray) -> str:
    """Unit of a variable as the model spells it; CF's spelling drops counts such as "cell"."""
    return str(variable.attrs.get("carsim_units", variable.attrs.get("units", "1")))


def label_of(variable: xr.DataArray) -> str:
    """Words of a variable with its unit in parentheses."""
    words = capital(str(variable.attrs.get("long_name", variable.name)))
    unit = unit_text(unit_of(variable))
    return f"{words} ({unit})" if unit else words


def capital(words: str) -> str:
    """Begin with a capital letter, and leave the rest as it is."""
    return words[:1].upper() + words[1:]


def text_labels(dataset: xr.Dataset) -> list[str]:
    """Names of the labels in words that the patients carry."""
    return [
        str(name)
        for name, coordinate in dataset.coords.items()
        if coordinate.dims == ("patient",) and coordinate.dtype.kind in "OUST"
    ]


def is_in_months(values: NDArray[np.float64], unit: str) -> bool:
    """Whether days read better as months: whole months to a day, up to two months or more."""
    if unit != "day" or values.size == 0 or np.max(values) < 2 * DAYS_PER_MONTH:
        return False
    months = np.round(values / DAYS_PER_MONTH)
    return bool(np.all(np.abs(values - months * DAYS_PER_MONTH) <= 1.0))


def axis_values(coordinate: xr.DataArray) -> tuple[NDArray[np.float64], str]:
    """Numbers of a swept axis as they are drawn (days as months if they are), and the label."""
    values = np.asarray(coordinate.values, dtype=np.float64)
    unit = unit_of(coordinate)
    label = label_of(coordinate)
    if is_in_months(values, unit):
        words = str(coordinate.attrs.get("long_name", coordinate.name))
        return values / DAYS_PER_MONTH, f"{capital(words)} (months)"
    return values, label


def tick_labels(coordinate: xr.DataArray) -> tuple[list[str], str]:
    """Tick labels of a swept axis whose cells are drawn side by side, and its label."""
    if coordinate.dtype.kind not in "iuf":
        return [str(value) for value in coordinate.values], label_of(coordinate)
    values, label = axis_values(coordinate)
    if label.endswith("(months)"):
        values = np.round(values)
    return [f"{value:.4g}" for value in values], label


def percent(value: float) -> str:
    """Print a share in percent, with a decimal only where it carries something."""
    number = 100.0 * value
    return f"{number:.1f}" if 0.05 <= number < 0.95 else f"{number:.0f}"


def groups_of(
    dataset: xr.Dataset, by: str | None, patient: str = "patient"
) -> list[tuple[str, xr.Dataset]]:
    """Parts of a dataset by the labels of a dimension or of a coordinate on the patients.

    Parameters
    ----------
    dataset : xarray.Dataset
        Results.
    by : str or None
        Name of a dimension or of a coordinate on `patient`; None: one group of all.
    patient : str
        Name of the patient dimension.

    Raises
    ------
    KeyError
        Neither a dimension nor such a coordinate.
    """
    if by is None:
        return [("", dataset)]
    if by in dataset.dims:
        coordinate = dataset[by]
        names, _ = tick_labels(coordinate)
        return [(name, dataset.isel({by: i})) for i, name in enumerate(names)]
    if by in dataset.coords and dataset.coords[by].dims == (patient,):
        labels = dataset.coords[by]
        numbers = labels.values.tolist()
        distinct = list(dict.fromkeys(numbers))
        names = tick_labels(labels.isel({patient: [numbers.index(label) for label in distinct]}))[0]
        return [
            (name, dataset.isel({patient: np.flatnonzero(labels.values == label)}))
            for name, label in zip(names, distinct, strict=True)
        ]
    known = [*map(str, dataset.dims)]
    known += [str(name) for name, c in dataset.coords.items() if c.dims == (patient,)]
    raise KeyError(f"Results have no dimension or patient label {by!r}. Known: {', '.join(known)}.")


def words_of_group(dataset: xr.Dataset, by: str) -> str:
    """Title of a legend: words of the dimension or label that groups the patients."""
    if by in dataset.dims:
        return tick_labels(dataset[by])[1]
    return capital(str(dataset.coords[by].attrs.get("long_name", by)))


def patients_of(dataset: xr.Dataset) -> NDArray[np.int64]:
    """Numbers of the patients of a result; a result without that dimension is patient 0."""
    if "patient" not in dataset.coords:
        return np.arange(dataset.sizes.get("patient", 1))
    return np.atleast_1d(np.asarray(dataset["patient"].values, dtype=np.int64))


def succeeded(dataset: xr.Dataset) -> NDArray[np.bool_]:
    """Which patients of a result did not fail, shape (n_patients,); all where nothing is said."""
    number = dataset.sizes.get("patient", 1)
    if "status" not in dataset or not set(dataset["status"].dims) <= {"patient"}:
        return np.ones(number, dtype=np.bool_)
    return np.broadcast_to(np.asarray(dataset["status"].values) == 0, (number,))


def place_legend(
    ax: Axes,
    handles: Sequence[Artist] | None = None,
    title: str | None = None,
    *,
    beside: bool | None = None,
) -> None:
    """Draw a legend: inside where it is short, beside the axes where it would cover the lines.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.
    handles : sequence of Artist, optional
        Entries; by default all that have a label.
    title : str, optional
        Words above the entries.
    beside : bool, optional
        Whether it stands at the right of the axes; by default if it has many entries.
    """
    entries = ax.get_legend_handles_labels()[0] if handles is None else list(handles)
    if not entries:
        return
    where: dict[str, Any] = {"loc": "best"}
    if len(entries) > MOST_INSIDE if beside is None else beside:
        where = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    legend = ax.legend(
        handles=entries, title=title, frameon=True, framealpha=0.8, edgecolor="none", **where
    )
    for patch in legend.get_patches():  # pale shades need an edge on white
        patch.set_edgecolor("#8C8C8C")
        patch.set_linewidth(0.4)


def legend_below(
    figure: Figure, handles: Sequence[Artist], title: str = "", *, most: int | None = None
) -> None:
    """Draw the legend of a page below its panels, in as many columns as its width has room for.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Page with the constrained layout.
    handles : sequence of Artist
        Entries; nothing is drawn without any.
    title : str
        Words above the entries.
    most : int, optional
        Most columns; by default what the width allows.
    """
    if not handles:
        return
    longest = max(len(str(handle.get_label())) for handle in handles)
    room = int(figure.get_size_inches()[0] / (SYMBOL + LETTER * longest))
    columns = max(1, min(len(handles), room, len(handles) if most is None else most))
    figure.legend(handles=handles, title=title or None, loc="outside lower center", ncols=columns)


def counted(number: int, what: str) -> str:
    """Say how many: "1 patient", "1,200 patients"."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def left_out(drawn: int, whole: int, failed: int) -> str:
    """Say what is not drawn: patients beyond the first few, and failed ones."""
    parts = []
    if drawn < whole:
        parts.append(f"the first {drawn:,} of {counted(whole, 'patient')} drawn")
    if failed:
        parts.append(f"{counted(failed, 'failed patient')} left out")
    return "; ".join(parts)


def note(ax: Axes, text: str) -> None:
    """Write a small line between an axes and its title: what is not drawn, and how many."""
    if not text:
        return
    ax.annotate(
        text,
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=7,
        color="#555555",
        gid="note",
    )
    arrange_top(ax)


def arrange_top(ax: Axes, rows: int | None = None) -> None:
    """Stack what stands above an axes: rows of event marks, a note, the title.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.
    rows : int, optional
        Rows of event marks, if they have just been drawn.
    """
    if rows is None:
        rows = len([line for line in ax.lines if str(line.get_gid()).startswith("event ")])
    height = FIRST_EVENT_ROW + EVENT_ROW * (rows - 1) + 2.0 if rows else 0.0
    notes = [text for text in ax.texts if text.get_gid() == "note"]
    for line, text in enumerate(notes):
        text.set_position((0, height + 4.0 + NOTE_LINE * line))
    pad = TITLE_PAD + height + NOTE_LINE * len(notes)
    for place in ("left", "center", "right"):
        title = ax.get_title(loc=place)
        if title:
            ax.set_title(title, loc=place, pad=pad)


def letters(axes: Sequence[Axes]) -> None:
    """Write a, b, c, ... at the top left of each panel."""
    for number, ax in enumerate(axes):
        ax.annotate(
            chr(ord("a") + number),
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(-26, 6),
            textcoords="offset points",
            fontweight="bold",
            fontsize=11,
        )
