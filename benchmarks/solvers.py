"""Every solver in the table: where it lives, how it is called, at which tolerances."""

from __future__ import annotations

from dataclasses import dataclass

CARSIM = "carsim"
"""The environment in which carsim itself is installed; SciPy runs in it too."""

PACKAGES = {
    "carsim_ensemble": "carsim",
    "numbalsoda_loop": "numbalsoda",
    "heyoka_batch": "heyoka",
    "roadrunner_sbml": "libroadrunner",
    "diffrax_vmap": "diffrax",
    "cvode": "scikit-sundae",
    "scipy_ivp": "scipy",
}
"""Package whose version a row names, by the script that calls it."""


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Attributes
    ----------
    label : str
    environment : str
        `CARSIM`, or the name of a file in `benchmarks/requirements`.
    peer : str
        Script in `benchmarks/peers`.
    method : str
        What the script takes.
    rtols : tuple of float
        Tolerances to measure; chosen so that achieved errors reach from 1e-3 to 1e-7.
    stiff : bool
        Whether it is tried on stiff problems.
    nonstiff : bool
        Whether it is tried on the others.
    left_out : tuple of str
        Problems that it solves in another way than the reference.
    """

    label: str
    environment: str
    peer: str
    method: str
    rtols: tuple[float, ...]
    stiff: bool = True
    nonstiff: bool = True
    left_out: tuple[str, ...] = ()

    def takes(self, problem: str, *, stiff: bool) -> bool:
        """Whether this line has a cell for the problem."""
        return problem not in self.left_out and (self.stiff if stiff else self.nonstiff)


def tolerances(first: int, last: int, *, halves: bool = True) -> tuple[float, ...]:
    """From 10**-first to 10**-last, with the half decades between."""
    whole = [float(f"1e-{k}") for k in range(first, last + 1)]
    between = [float(f"3e-{k}") for k in range(first + 1, last + 1)] if halves else []
    return tuple(sorted(whole + between, reverse=True))


ENTRIES: tuple[Entry, ...] = (
    Entry("carsim rodas5p", CARSIM, "carsim_ensemble", "rodas5p", tolerances(3, 8)),
    Entry("carsim rodas4", CARSIM, "carsim_ensemble", "rodas4", tolerances(3, 7), nonstiff=False),
    Entry(
        "carsim dormand_prince",
        CARSIM,
        "carsim_ensemble",
        "dormand_prince",
        tolerances(3, 8),
        stiff=False,
    ),
    Entry(
        "carsim.simulate, rodas5p",
        CARSIM,
        "carsim_ensemble",
        "simulate-rodas5p",
        tolerances(4, 6),
        nonstiff=False,
        # Pools below one cell are extinct there, which no other program in the table knows.
        left_out=("cart_hbv",),
    ),
    Entry(
        "carsim.simulate, dormand_prince",
        CARSIM,
        "carsim_ensemble",
        "simulate-dormand_prince",
        tolerances(4, 7),
        stiff=False,
    ),
    Entry("numbalsoda LSODA", "numbalsoda", "numbalsoda_loop", "lsoda", tolerances(4, 9)),
    Entry(
        "numbalsoda DOP853",
        "numbalsoda",
        "numbalsoda_loop",
        "dop853",
        tolerances(4, 9),
        stiff=False,
    ),
    Entry("heyoka Taylor", "heyoka", "heyoka_batch", "batch", tolerances(6, 14, halves=False)),
    Entry("libRoadRunner CVODE", "roadrunner", "roadrunner_sbml", "cvode", tolerances(5, 9)),
    Entry(
        "diffrax Kvaerno5",
        "diffrax",
        "diffrax_vmap",
        "Kvaerno5-map",
        tolerances(5, 7, halves=False),
        nonstiff=False,
    ),
    Entry("diffrax Tsit5", "diffrax", "diffrax_vmap", "Tsit5-vmap", tolerances(4, 8), stiff=False),
    Entry("scikit-sundae CVODE", "sundae", "cvode", "BDF", tolerances(5, 9)),
    Entry("SciPy LSODA", CARSIM, "scipy_ivp", "LSODA", tolerances(4, 9)),
    Entry("SciPy BDF", CARSIM, "scipy_ivp", "BDF", tolerances(5, 8, halves=False)),
    Entry("SciPy DOP853", CARSIM, "scipy_ivp", "DOP853", tolerances(4, 8), stiff=False),
)
