"""What functions of a model computed when it was built, to be computed again with anything.

The functions of a model read globals, helpers and closures that may be others a minute later. So
they are called once, with probes, and what they did is noted. Kernels, initial values and routes
are computed from these notes, and the model's hash is theirs: it cannot name another computation
than the one that runs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from carsim import math
from carsim.model.probe import Probe, lifted
from carsim.model.records import Record

__all__ = ["RecordedFraction", "Recording"]

_MATH: dict[str, Callable[..., Any]] = {
    name.removesuffix("_"): getattr(math, name) for name in math.__all__
}


class Recording:
    """A computation from symbols to results.

    Parameters
    ----------
    symbols : sequence of Probe
        What it depends on.
    results : iterable of Probe or float
        What came out when the symbols went in.

    Attributes
    ----------
    digests : tuple of str
        32 hexadecimal digits for each result: equal for equal computations.
    """

    def __init__(self, symbols: Sequence[Probe], results: Iterable[Any]) -> None:
        found = [lifted(result) for result in results]
        self.digests: tuple[str, ...] = tuple(result.digest.hex() for result in found)
        place = {each.digest: number for number, each in enumerate(symbols)}
        self._n_symbols = len(place)
        self._steps: list[tuple[Callable[..., Any] | None, Any]] = []
        # In the order of the results, not of the statements: equal digests, equal kernels.
        for result in found:
            self._note(result, place)
        self._results = [place[result.digest] for result in found]

    def _note(self, result: Probe, place: dict[bytes, int]) -> None:
        waiting = [result]
        while waiting:
            node = waiting[-1]
            if node.digest in place:
                waiting.pop()
                continue
            missing = [each for each in node.arguments if each.digest not in place]
            if missing:
                waiting.extend(reversed(missing))
                continue
            waiting.pop()
            if node.operation == "number":
                self._steps.append((None, node.payload))
            else:
                function = _MATH.get(node.operation) or getattr(operator, node.operation)
                operands = tuple(place[each.digest] for each in node.arguments)
                self._steps.append((function, operands))
            place[node.digest] = len(place)

    def replay(self, values: Iterable[Any]) -> list[Any]:
        """Compute the results from values of the symbols.

        Parameters
        ----------
        values : iterable
            One value per symbol: floats, arrays, quantities or expressions.

        Returns
        -------
        list
            One value per result.
        """
        known = list(values)
        assert len(known) == self._n_symbols
        for function, given in self._steps:
            known.append(
                given if function is None else function(*[known[number] for number in given])
            )
        return [known[number] for number in self._results]


class RecordedFraction:
    """The fraction of a route that is a function of the parameters, as it was when recorded.

    Parameters
    ----------
    function : callable
        What the model file declares, for checks that name its line.
    recording : Recording
        From the parameters to one number.
    """

    def __init__(self, function: Callable[..., Any], recording: Recording) -> None:
        self.function = function
        self.recording = recording

    def __call__(self, p: Record) -> Any:
        """Compute state units per unit of dose from a record of parameters."""
        (value,) = self.recording.replay(p._leaves())
        return value
