"""Signatures of a model's kernels, shared by those who write and those who call them.

All arrays are flat and lane-minor: element ``i`` of lane ``l`` is ``array[i * lanes + l]``. The
first argument ``n`` is the number of lanes again, at run time.
"""

from __future__ import annotations

from numba.core import types

from carsim.engine.jit import COUNT, NUMBER, VECTOR

DERIVE = types.void(COUNT, VECTOR)
"""``derive(n, p)``: fill in the functions of parameters behind the parameters."""

RHS = types.void(COUNT, VECTOR, VECTOR, VECTOR, VECTOR)
"""``rhs(n, t, y, p, out)``: the derivatives."""

JACOBIAN = RHS
"""``jacobian(n, t, y, p, out)``: structurally nonzero entries of the Jacobian, by row."""

TIME_DERIVATIVE = RHS
"""``time_derivative(n, t, y, p, out)``: partial derivative of the right-hand side by time."""

OBSERVE = RHS
"""``observe(n, t, y, p, out)``: the observables, and perhaps what has a root at their kinks."""

SWITCH = RHS
"""``switch(n, t, y, p, out)``: offset and slope in time of each switch, of parameters and modes."""

FACTOR = types.void(COUNT, VECTOR, VECTOR, NUMBER, VECTOR, VECTOR)
"""``factor(n, jacobian, h, inverse_gamma, out, smallest)``: LU factors and smallest pivot."""

SOLVE = types.void(COUNT, VECTOR, VECTOR, VECTOR, VECTOR, VECTOR)
"""``solve(n, factors, f, couple, h, out)``: solve for the right-hand side ``h f + couple``."""
