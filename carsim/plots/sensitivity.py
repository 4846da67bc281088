"""Figures of sensitivity studies: ranked bars with intervals, and maps of factors and outputs."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.plots.ends import draw_ends
from carsim.plots.theme import (
    COLORS,
    LIMIT,
    axes_of,
    capital,
    house_style,
    legend_below,
    letters,
    unit_text,
)

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

MOST_BARS = 15
MOST_ROWS = 30
LONGEST_LABEL = 34  # letters; more do not fit beside the bars
LONGEST_TITLE = 46
BLANK = "#DDDDDD"
SEQUENTIAL = "Blues"  # read by lightness alone
DIVERGING = "RdBu_r"  # red and blue stay apart in the common color vision deficiencies
LIGHT = "#9ECAE1"
PANELS_A_ROW = 2


@dataclass(frozen=True)
class _Kind:
    """How a method's result is drawn.

    Attributes
    ----------
    ranked : str
        Variable of the bars, by whose size factors are ranked.
    words : str
        Label of the axis.
    signed : bool
        Whether the sign means something.
    has_unit : bool
        Whether the bars are in the unit of the output, so that outputs do not compare.
    second, first_words, second_words : str
        Variable of the narrower bars below and words for both kinds; empty for one kind of bar.
    map_words : str
        Label of the color scale.
    """

    ranked: str
    words: str
    signed: bool
    map_words: str
    second: str = ""
    first_words: str = ""
    second_words: str = ""
    has_unit: bool = False


_KINDS = {
    "sobol": _Kind(
        "total_order",
        "Share of the variance of the output",
        False,
        "Total-order Sobol index",
        "first_order",
        "total, with interactions",
        "first order, alone",
    ),
    "morris": _Kind(
        "mu_star",
        "Change of the output over the factor's range",
        False,
        "Mean absolute effect, relative to the output's largest",
        "sigma",
        "mean absolute effect µ*",
        "standard deviation of effects σ",
        has_unit=True,
    ),
    "one_at_a_time": _Kind(
        "swing",
        "Output with the factor at its ends",
        False,
        "Swing, relative to the output's largest",
        has_unit=True,
    ),
    "prcc": _Kind("prcc", "Partial rank correlation", True, "Partial rank correlation"),
    "local": _Kind(
        "elasticity",
        "Percent of the output per percent of the factor",
        True,
        "Percent of the output per percent of the factor",
    ),
}


def sensitivity_bars(
    found: xr.Dataset, output: str, *, most: int = MOST_BARS, ax: Axes | None = None
) -> Axes:
    """Draw the indices of one output as bars with intervals, the largest on top.

    Of one factor at a time: the classic tornado, from the output at the low end of each factor to
    that at its high end.

    Parameters
    ----------
    found : xarray.Dataset
        Result of `carsim.sensitivity`, over "factor" and "output".
    output : str
        One of its outputs.
    most : int
        Number of factors.
    ax : matplotlib Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib Axes
    """
    kind = _kind(found)
    known = [str(name) for name in found.output.values]
    if output not in known:
        raise ScenarioError(unknown("output", output, known, "the result"))
    chosen = found.sel(output=output)
    values = chosen[kind.ranked].values
    order = _ranked(np.abs(values))[:most][::-1]
    ax = axes_of(ax)
    with house_style():
        ax.set_title(
            "\n".join(textwrap.wrap(capital(str(chosen.output_words.values)), LONGEST_TITLE))
        )
        if not order.size:
            why = next((str(text) for text in chosen.why.values if text), "")
            ax.text(0.5, 0.5, f"no index: {why}", ha="center", va="center")
            ax.set_axis_off()
            return ax
        places = np.arange(len(order), dtype=np.float64)
        if "at_base" in chosen:
            draw_ends(ax, chosen, order, places)
        elif kind.second:
            _bars(ax, chosen, kind.ranked, order, places + 0.19, COLORS[0], kind.first_words)
            _bars(ax, chosen, kind.second, order, places - 0.19, LIGHT, kind.second_words)
            ax.legend(loc="lower right")
        elif kind.signed:
            colors = [COLORS[1] if values[k] > 0.0 else COLORS[0] for k in order]
            _bars(ax, chosen, kind.ranked, order, places, colors, "", height=0.7)
        if "at_base" not in chosen:
            ax.axvline(0.0, color=LIMIT, linewidth=0.8)
        ax.set_yticks(places, [_factor(chosen, k) for k in order])
        unit = unit_text(str(chosen.output_unit.values)) if kind.has_unit else ""
        ax.set_xlabel(f"{kind.words} ({unit})" if unit else kind.words)
        ax.margins(y=0.02)
    return ax


def sensitivity_map(found: xr.Dataset, *, most: int = MOST_ROWS, ax: Axes | None = None) -> Axes:
    """Draw factors against outputs as a map with numbers, the most important factor on top.

    Shares and effects are drawn light to dark, correlations and elasticities from blue (the output
    falls as the factor rises) over white to red (it rises).

    Parameters
    ----------
    found : xarray.Dataset
        Result of `carsim.sensitivity`, over "factor" and "output".
    most : int
        Number of factors.
    ax : matplotlib Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib Axes
    """
    kind = _kind(found)
    values = np.array(found[kind.ranked].transpose("factor", "output").values)
    if kind.has_unit:
        # Outputs have units of their own; within each, factors compare.
        largest = np.nanmax(np.where(np.isfinite(values), values, 0.0), axis=0)
        values = values / np.where(largest > 0.0, largest, np.nan)
    size = np.nanmax(np.where(np.isfinite(values), np.abs(values), -1.0), axis=1)
    order = _ranked(np.where(size < 0.0, np.nan, size))[:most]
    if not order.size:
        raise ScenarioError(
            "sensitivity_map: no factor has an index; `why` in the result says why."
        )
    shown = values[order]
    low, high = (0.0, 1.0) if not kind.signed else (-1.0, 1.0)
    if kind.ranked == "elasticity":
        high = max(1e-12, float(np.nanmax(np.abs(shown))))
        low = -high
    scale = colormaps[DIVERGING if kind.signed else SEQUENTIAL].with_extremes(bad=BLANK)
    ax = axes_of(ax)
    with house_style():
        image = ax.imshow(shown, cmap=scale, vmin=low, vmax=high, aspect="auto")
        for (row, column), value in np.ndenumerate(shown):
            if not np.isfinite(value):
                ax.text(column, row, "none", ha="center", va="center", fontsize=7)
                continue
            red, green, blue, _ = scale((value - low) / (high - low))
            dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
            ax.text(
                column,
                row,
                _spelled(value),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
        words = [_wrapped(str(text), 22) for text in found.output_words.values]
        ax.set_xticks(range(len(words)), words)
        ax.set_yticks(range(len(order)), [_factor(found, k) for k in order])
        ax.tick_params(length=0)
        ax.set_xticks(np.arange(-0.5, shown.shape[1]), minor=True)
        ax.set_yticks(np.arange(-0.5, shown.shape[0]), minor=True)
        ax.grid(which="minor", color="white", linewidth=1.0)
        ax.tick_params(which="minor", length=0)
        ax.spines[:].set_visible(False)
        ax.figure.colorbar(image, ax=ax, label=kind.map_words, aspect=35)
    return ax


def write_sensitivity_figures(found: xr.Dataset, directory: Path | str) -> list[Path]:
    """Write the figures of a sensitivity study.

    Parameters
    ----------
    found : xarray.Dataset
        Result of a study, over "factor" and "output".
    directory : path
        Folder for the files; made if missing.

    Returns
    -------
    list of Path
        `tornado.png`, a panel an output, and `map.png`; nothing where there is no index at all.
    """
    kind = _kind(found)
    if not np.isfinite(found[kind.ranked].values).any():
        return []
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    names = [str(name) for name in found.output.values]
    bars = min(len(found.factor), MOST_BARS)
    rows, columns = -(-len(names) // PANELS_A_ROW), min(PANELS_A_ROW, len(names))
    with house_style():
        figure = Figure(
            figsize=(1.0 + 5.0 * columns, rows * (1.1 + 0.42 * max(bars, 3))), layout="constrained"
        )
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, name in zip(panels, names, strict=False):
            sensitivity_bars(found, name, ax=ax)
        if kind.ranked in ("total_order", "prcc"):  # shares and correlations compare
            limits = np.array([ax.get_xlim() for ax in panels[: len(names)] if ax.axison])
            for ax in panels[: len(names)]:
                ax.set_xlim(limits[:, 0].min(), limits[:, 1].max())
        legend = panels[0].get_legend()
        if legend is not None:  # once for all, where it cannot lie on a bar
            handles, _ = panels[0].get_legend_handles_labels()
            for ax in panels[: len(names)]:
                own = ax.get_legend()
                if own is not None:
                    own.remove()
            legend_below(figure, handles)
        for ax in panels[len(names) :]:
            ax.remove()
        if len(names) > 1:
            letters(list(panels[: len(names)]))
        figure.savefig(folder / "tornado.png")
        shown = min(len(found.factor), MOST_ROWS)
        figure = Figure(
            figsize=(4.2 + 1.5 * len(names), 1.6 + 0.42 * max(shown, 3)), layout="constrained"
        )
        sensitivity_map(found, ax=figure.subplots())
        figure.savefig(folder / "map.png")
    return [folder / "tornado.png", folder / "map.png"]


def _kind(found: xr.Dataset) -> _Kind:
    method = str(found.attrs.get("method", ""))
    if method not in _KINDS:
        raise ScenarioError(
            f"the attribute 'method' is {method!r}. Give a result of carsim.sensitivity."
        )
    extra = [str(dim) for dim in found[_KINDS[method].ranked].dims if dim not in DIMS]
    if extra:
        raise ScenarioError(
            f"the result also varies along {', '.join(extra)}. Choose one value first, for example "
            f"found.isel({extra[0]}=0)."
        )
    return _KINDS[method]


DIMS = ("factor", "output")


def _ranked(size: Array) -> NDArray[np.int64]:
    """Positions of the finite sizes, the largest first."""
    finite = np.flatnonzero(np.isfinite(size))
    return finite[np.argsort(-size[finite], kind="stable")]


def _bars(
    ax: Axes,
    chosen: xr.Dataset,
    name: str,
    order: NDArray[np.int64],
    places: Array,
    color: str | list[str],
    label: str,
    *,
    height: float = 0.36,
) -> None:
    values = chosen[name].values[order]
    ax.barh(places, values, color=color, height=height, label=label or None)
    if f"{name}_lower" not in chosen:
        return
    low = chosen[f"{name}_lower"].values[order]
    high = chosen[f"{name}_upper"].values[order]
    # A percentile interval need not hold the estimate: drawn as it is, not as distances from it.
    ax.hlines(places, low, high, color="black", linewidth=0.9)
    for end in (low, high):
        ax.plot(end, places, linestyle="none", marker="|", color="black", markersize=4)


def _factor(found: xr.Dataset, k: int) -> str:
    """Words for a factor; a parameter of a module needs its name beside them."""
    name, words = str(found.factor.values[k]), str(found.factor_words.values[k])
    return f"{name}\n{_wrapped(words, LONGEST_TITLE)}" if "." in name else _wrapped(words)


def _wrapped(words: str, width: int = LONGEST_LABEL) -> str:
    return "\n".join(textwrap.wrap(capital(words), width)) or words


def _spelled(value: float) -> str:
    text = f"{value:.2f}" if abs(value) < 100.0 else f"{value:.3g}"
    return "0.00" if text == "-0.00" else text
