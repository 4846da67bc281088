"""All blocks of a sweep in this process, and the result put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carsim.progress import Progress, counted_from
from carsim.sweep.block import compute_block
from carsim.sweep.cost import estimate
from carsim.sweep.plan import make_plan
from carsim.sweep.result import Collector
from carsim.sweep.sweep import Sweep

if TYPE_CHECKING:
    import xarray as xr


def run(
    sweep: Sweep,
    *,
    progress: Progress | None = None,
    block_size: int | None = None,
) -> xr.Dataset:
    """Simulate all cells of a sweep.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    progress : callable, optional
        Called with (trajectories done, trajectories) now and then.
    block_size : int, optional
        Trajectories computed at a time. Results do not depend on it.

    Returns
    -------
    xarray.Dataset
        Endpoints and metrics over the axes of a grid (or ``point``) and ``patient``; `status`,
        `n_steps`, `n_rejected`; drawn parameters and labels as coordinates. A failed patient is
        NaN with a status other than 0, and stops nobody else.

    Raises
    ------
    ScenarioError
        The sweep is too large for this machine.
    KeyboardInterrupt
        After the running block has stopped; nothing is kept.
    """
    estimate(sweep, block_size).check_memory()
    plan = make_plan(sweep, block_size)
    collector = Collector(sweep, plan)
    total = sweep.n_trajectories
    for number, trajectories in enumerate(plan):
        report = counted_from(progress, trajectories.start, total)
        collector.add(number, compute_block(sweep, trajectories, report))
        if progress is not None:
            progress(trajectories.stop, total)
    return collector.dataset()
