"""When rules look."""

from __future__ import annotations

import numpy as np

from carsim.errors import ScenarioError
from carsim.therapy.expand import cleaned
from carsim.therapy.rules import MOST_VISITS, Rule
from carsim.therapy.values import FloatArray


def visits_of(rule: Rule, start: float, stop: float, where: str = "Rule") -> FloatArray:
    """Times of a rule's visits within the simulation, shape (n_visits,); none if it is watched.

    The visit at the start is left out where it is the one that gives the baseline.

    Parameters
    ----------
    rule : Rule
        The rule.
    start, stop : float, model time unit
        Span of the simulation; a visit at `stop` is left out.
    where : str
        Name of the rule, for messages.

    Raises
    ------
    ScenarioError
        More visits than anybody means.
    """
    if rule.at is not None:
        times = np.array(rule.at, dtype=np.float64)
    elif rule.every is not None:
        first = start if rule.start is None else rule.start
        last = stop if rule.until is None else min(rule.until, stop)
        number = max(np.ceil((last - first) / rule.every), 0.0)
        if number > MOST_VISITS:
            raise ScenarioError(
                f"{where}: every = {rule.every:g} makes {number:.3g} visits, more than "
                f"{MOST_VISITS}. Is the interval in the model's time unit? Without every the rule "
                f"is watched all the time."
            )
        steps = rule.every * np.arange(int(number) + 1, dtype=np.float64)
        times = cleaned(first + steps, np.maximum(abs(first), steps))
        times = times[times < last]
    else:
        times = np.empty(0)
    begun = times > start if rule.needs_baseline else times >= start
    inside: FloatArray = times[begun & (times < stop)]
    return inside
