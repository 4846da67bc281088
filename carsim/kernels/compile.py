"""From a model to compiled kernels."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

from carsim.engine import warm
from carsim.engine.pack import WIDTH
from carsim.engine.program import Kernel, Program
from carsim.kernels.cache import is_kept, load_generated
from carsim.kernels.source import digest_of, write_source
from carsim.symbolic.roots import with_safe_roots
from carsim.symbolic.sensitivity import trace_sensitivities
from carsim.symbolic.switches import with_switches
from carsim.symbolic.trace import Trace, trace

if TYPE_CHECKING:
    from carsim.model import Model

# Sixteen lanes fill two of the widest vectors; beyond this many states eight lanes keep the working
# set of a step inside the first-level cache.
WIDE = 16
NARROW = 8
MOST_STATES_WIDE = 24


@lru_cache(maxsize=64)
def compile_model(
    model: Model,
    lanes: int | None = None,
    driven: tuple[str, ...] = (),
    integrals: tuple[str, ...] = (),
    readings: tuple[tuple[tuple[str, ...], str, str], ...] = (),
) -> Program:
    """Trace a model, write its kernels and compile them, or find them compiled.

    Parameters
    ----------
    model : Model
    lanes : int, optional
        Patients advanced by one call; by default chosen from the number of states.
    driven, integrals : tuple of str
        Parameters and outputs that add states, see `carsim.symbolic.trace.trace`.
    readings : tuple of tuple
        What items read at their records, see there.

    Raises
    ------
    ModelError
        When the equations cannot be traced.
    ValueError
        When `lanes` does not fill whole packs.
    """
    if lanes is None:
        lanes = lanes_for(len(model.state_names))
    if lanes % WIDTH or lanes <= 0:
        raise ValueError(f"lanes = {lanes}: kernels work on packs, give a multiple of {WIDTH}")
    traced = trace(model, driven, integrals, readings=readings)
    return _compiled(model.name, traced, lanes)


def lanes_for(n_states: int) -> int:
    """Lanes that suit a number of states."""
    return WIDE if n_states <= MOST_STATES_WIDE else NARROW


@lru_cache(maxsize=16)
def compile_sensitivities(
    model: Model,
    moving: tuple[str, ...],
    outputs: tuple[str, ...],
    driven: tuple[str, ...] = (),
) -> Program:
    """Compile a model together with the equations of its derivatives.

    Parameters
    ----------
    model : Model
    moving, outputs, driven : tuple of str
        See `carsim.symbolic.sensitivity.trace_sensitivities`.

    Raises
    ------
    ModelError
        When the equations cannot be traced.
    """
    traced = trace_sensitivities(model, moving, outputs, driven)
    return _compiled(f"{model.name}_sensitivities", traced, lanes_for(len(traced.states)))


def _compiled(title: str, traced: Trace, lanes: int) -> Program:
    traced = with_safe_roots(with_switches(traced))
    source = write_source(traced, lanes)
    name = "".join(c if c.isalnum() else "_" for c in title)
    module = _kept(title, f"{name}_{source.digest}", source.text)

    @lru_cache(maxsize=64)
    def observing(numbers: tuple[int, ...]) -> Kernel:
        text = source.observing(numbers)
        observe: Kernel = _kept(title, f"{name}_{digest_of(text)}", text).observe
        return observe

    return Program(
        lanes=source.lanes,
        n_states=source.n_states,
        n_parameters=source.n_parameters,
        n_derived=source.n_derived,
        n_observables=source.n_observables,
        n_leaves=source.n_leaves,
        n_jacobian=source.n_jacobian,
        n_factors=source.n_factors,
        autonomous=source.autonomous,
        leaves=source.leaves,
        reads=source.reads,
        inclusive=tuple(switch.inclusive for switch in traced.switches),
        jacobian_positions=source.jacobian_positions,
        derive=module.derive,
        rhs=module.rhs,
        jacobian=module.jacobian,
        time_derivative=module.time_derivative,
        observing=observing,
        switch=module.switch,
        factor=module.factor,
        solve=module.solve,
    )


def _kept(title: str, name: str, text: str) -> ModuleType:
    if not is_kept(name):
        warm.tell(f"the equations of {title}, once on this machine; this takes some seconds")
    return load_generated(name, text)
