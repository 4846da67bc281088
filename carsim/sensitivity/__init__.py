"""Which assumptions decide: global sensitivity of any endpoint, and local where it exists.

Sobol indices, elementary effects and one-at-a-time changes of the statistics of a population over
factors, partial rank correlations over factors or over the patients themselves. Every result is one
Dataset over ``factor`` and ``output`` whose attributes rebuild the study.
"""

from __future__ import annotations

from carsim.sensitivity.designs import MorrisTrajectories, Saltelli, design_hash
from carsim.sensitivity.effects import morris
from carsim.sensitivity.indices import sobol
from carsim.sensitivity.local import LocalStudy, Moment
from carsim.sensitivity.one_at_a_time import OneAtATime
from carsim.sensitivity.outputs import Output
from carsim.sensitivity.patients import patient_prcc
from carsim.sensitivity.ranks import prcc
from carsim.sensitivity.rebuild import rebuild_study
from carsim.sensitivity.study import METHODS, Study

__all__ = [
    "METHODS",
    "LocalStudy",
    "Moment",
    "MorrisTrajectories",
    "OneAtATime",
    "Output",
    "Saltelli",
    "Study",
    "design_hash",
    "morris",
    "patient_prcc",
    "prcc",
    "rebuild_study",
    "sobol",
]
