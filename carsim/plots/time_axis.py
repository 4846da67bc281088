"""The time axis of a result: marked in days since the infusion, drawn on the simulation's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, MaxNLocator

from carsim.endpoints.clock import infusion_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


class _Since(MaxNLocator):
    """Round numbers of an axis that is counted from another zero than its data."""

    def __init__(self, zero: float) -> None:
        super().__init__(nbins="auto", steps=[1, 2, 2.5, 5, 10])
        self.zero = zero

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """Where the ticks are, on the clock of the data."""
        ticks = super().tick_values(vmin - self.zero, vmax - self.zero)
        return [float(tick) + self.zero for tick in ticks]


def time_axis(ax: Axes, dataset: xr.Dataset, unit: str) -> None:
    """Label the x axis, and mark it in time since the infusion if that is not at zero.

    What is drawn stays on the simulation's clock, so that times of the result and of the caller go
    together.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes over time.
    dataset : xarray.Dataset
        The result, which knows the infusion.
    unit : str
        Unit of the times, as it is shown.
    """
    zero = infusion_of(dataset)
    if zero == 0.0:
        ax.set_xlabel(f"Time ({unit})")
        return
    ax.set_xlabel(f"Time since infusion ({unit})")
    ax.xaxis.set_major_locator(_Since(zero))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value - zero:g}"))
