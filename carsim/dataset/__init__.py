"""The one place where indices become names again: the result as an `xarray.Dataset`.

Dimensions are ``time`` (saved courses), ``patient`` (ensembles) and ``event`` (lines of the event
log). There is one variable an output, ``(time,)`` or ``(patient, time)``, and one a metric; beside
them ``status``, ``n_steps``, ``n_rejected``, ``final_time`` and the event log. Everything
that differs between patients is a coordinate on ``patient``. A variable has ``units`` (UDUNITS),
``carsim_units`` (as in the model) and ``long_name``. The attributes rebuild the run.
"""

from __future__ import annotations

from carsim.dataset.assemble import assemble, rebuild_scenario, validate
from carsim.dataset.failures import describe_failure, summarize_failures

__all__ = ["assemble", "describe_failure", "rebuild_scenario", "summarize_failures", "validate"]
