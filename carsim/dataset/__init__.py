"""The one place where indices become names again: the result as an `xarray.Dataset`.

Dimensions are ``time`` (saved courses), ``patient`` (ensembles) and ``event`` (lines of the event
log). There is one variable an output, ``(time,)`` or ``(patient, time)``, one a metric, and some
an endpoint; beside them ``status``, ``n_steps``, ``n_rejected``, ``final_time`` and the event log.
Everything that differs between patients is a coordinate on ``patient``, such as their labels
(``id``). A variable has ``units`` (UDUNITS),
``carsim_units`` (as in the model) and ``long_name``; one that holds times says its ``clock``, which
is that of the coordinate ``time``. The attributes rebuild the run. A sweep has the same numbers,
over its axes instead of ``time``.
"""

from __future__ import annotations

from carsim.dataset.assemble import assemble, numbers_of, rebuild_scenario, validate
from carsim.dataset.failures import describe_failure, summarize_failures

__all__ = [
    "assemble",
    "describe_failure",
    "numbers_of",
    "rebuild_scenario",
    "summarize_failures",
    "validate",
]
