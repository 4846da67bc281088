"""Phases of HBV infection as variants: the targets from which the steady state is computed.

The defaults are the inactive carrier. Every variant sets every target, so that none inherits from
another.
"""

from carsim import Assumed, Derived, variant
from carsim.model import Provenance, Variant

TYPICAL = Assumed("typical of the phase as EASL 2017 defines it")
HELD = Derived("best point, models/calibration/reactivation.py; resolved_weak: weaker, assumed")
NONE = Assumed("not part of this phase")


def _phase(
    name: str,
    words: str,
    *,
    dna_0: float = 0.0,
    f_I: float = 0.0,
    alt_0: float = 25.0,
    hbsag_0: float = 0.0,
    f_int: float = 0.0,
    f_mem: float = 1.0,
    h: float = 0.0,
    E_0: float = 2.0,
    C_0: float = 0.0,
    anti_hbs_0: float = 0.0,
) -> Variant:
    observed = {
        "dna_0": dna_0,
        "f_I": f_I,
        "alt_0": alt_0,
        "hbsag_0": hbsag_0,
        "f_int": f_int,
        "anti_hbs_0": anti_hbs_0,
    }
    hidden = {"f_mem": f_mem, "h": h, "E_0": E_0, "C_0": C_0}
    values: dict[str, tuple[float, Provenance]] = {
        key: (value, TYPICAL if value else NONE) for key, value in observed.items()
    }
    values |= {key: (value, HELD if value else NONE) for key, value in hidden.items()}
    return variant(name, words, {f"hbv.{key}": value for key, value in values.items()}, group="hbv")


PHASES = (
    _phase(
        "hbeag_positive_infection",
        "HBeAg-positive infection (immune tolerant)",
        dna_0=5e8,
        f_I=0.8,
        alt_0=32.0,
        hbsag_0=4e4,
        f_int=0.2,
        f_mem=0.2,
        h=1e-5,
    ),
    _phase(
        "hbeag_positive_hepatitis",
        "HBeAg-positive hepatitis (immune active)",
        dna_0=5e7,
        f_I=0.45,
        alt_0=120.0,
        hbsag_0=1.5e4,
        f_int=0.75,
        f_mem=0.2,
        h=1e-5,
    ),
    _phase(
        "hbeag_negative_hepatitis",
        "HBeAg-negative hepatitis",
        dna_0=1e6,
        f_I=0.1,
        alt_0=80.0,
        hbsag_0=3e3,
        f_int=0.9,
        f_mem=0.2,
    ),
    _phase(
        "inactive_carrier",
        "HBeAg-negative infection (inactive carrier)",
        dna_0=300.0,
        hbsag_0=500.0,
        f_int=0.999974,
        f_mem=0.8,
    ),
    _phase(
        "resolved_anti_hbs",
        "resolved, anti-HBs 100 mIU/mL",
        E_0=2.95,
        C_0=2.32,
        anti_hbs_0=100.0,
    ),
    _phase(
        "resolved_no_anti_hbs",
        "resolved, anti-HBs below 10 mIU/mL",
        E_0=2.95,
        C_0=2.32,
    ),
    _phase("resolved_weak", "resolved, no anti-HBs, weak control by T cells", C_0=30.0, E_0=1.2),
    _phase("uninfected", "never infected", E_0=0.05),
)
