"""From a model to compiled kernels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from carsim.engine import warm
from carsim.engine.pack import WIDTH
from carsim.engine.program import Program
from carsim.kernels.cache import load_generated
from carsim.kernels.source import write_source
from carsim.symbolic.trace import trace

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
) -> Program:
    """Trace a model, write its kernels and compile them, or find them compiled.

    Parameters
    ----------
    model : Model
    lanes : int, optional
        Patients advanced by one call; by default chosen from the number of states.
    driven, integrals : tuple of str
        Parameters and outputs that add states, see `carsim.symbolic.trace.trace`.

    Raises
    ------
    ModelError
        When the equations cannot be traced.
    ValueError
        When `lanes` does not fill whole packs.
    """
    if lanes is None:
        lanes = WIDE if len(model.state_names) <= MOST_STATES_WIDE else NARROW
    if lanes % WIDTH or lanes <= 0:
        raise ValueError(f"lanes = {lanes}: kernels work on packs, give a multiple of {WIDTH}")
    source = write_source(trace(model, driven, integrals), lanes)
    warm.begin()
    name = "".join(c if c.isalnum() else "_" for c in model.name)
    module = load_generated(f"{name}_{source.digest}", source.text)
    return Program(
        lanes=source.lanes,
        n_states=source.n_states,
        n_parameters=source.n_parameters,
        n_derived=source.n_derived,
        n_observables=source.n_observables,
        n_jacobian=source.n_jacobian,
        n_factors=source.n_factors,
        autonomous=source.autonomous,
        jacobian_positions=source.jacobian_positions,
        derive=module.derive,
        rhs=module.rhs,
        jacobian=module.jacobian,
        time_derivative=module.time_derivative,
        observe=module.observe,
        factor=module.factor,
        solve=module.solve,
    )
