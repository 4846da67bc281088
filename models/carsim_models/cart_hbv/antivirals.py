"""Antivirals as variants: what differs from the defaults, which are entecavir.

Lamivudine and tenofovir are represented by their effect alone: the drug module then stands for them
with the pharmacokinetics of entecavir in plasma, and 0.5 mg a day into the route `entecavir` for
their usual daily dose. Tenofovir's active form stays longer in hepatocytes.
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
    variant(
        "tenofovir",
        "tenofovir by its effect, with the pharmacokinetics of entecavir in plasma (assumed)",
        {
            "entecavir.potency": (
                2.5,
                Assumed("between efficacies of 0.99 and 0.999 as remembered, unverified"),
            ),
            "entecavir.k_TP": (
                0.173,
                Assumed(
                    "half-life 4 d of the diphosphate in hepatocytes as remembered, unverified"
                ),
            ),
            "entecavir.resistance": (
                0.0,
                Assumed("hardly any through eight years as remembered, unverified"),
            ),
        },
        group="antiviral",
    ),
)
