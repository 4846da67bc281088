"""Antivirals as variants: what differs from the defaults, which are entecavir.

Lamivudine is represented by its effect alone: the drug module then stands for lamivudine with the
pharmacokinetics of entecavir, and 0.5 mg a day into the route `entecavir` for its usual daily dose.
"""

from carsim import Assumed, variant

ANTIVIRALS = (
    variant("entecavir", "entecavir, no nucleoside before", {}, group="antiviral"),
    variant(
        "lamivudine",
        "lamivudine by its effect, with the pharmacokinetics of entecavir (assumed)",
        {
            "entecavir.potency": (
                1.52,
                Assumed("efficacy 0.97, between 0.95 and 0.98 as remembered, unverified"),
            ),
            "entecavir.resistance": (
                7.67e-4,
                Assumed("0.28 a year; 24 % in the first year as remembered, unverified"),
            ),
        },
        group="antiviral",
    ),
)
