"""How a parameter varies between patients.

Every distribution turns a standard normal score into a value, in the unit of the parameter it is
given to. One score a patient and parameter is all the randomness there is, so correlations and
common random numbers work the same way for all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit, ndtr, ndtri

from carsim.population.distribution import Array, Distribution


@dataclass(frozen=True)
class Constant(Distribution):
    """The same value for every patient.

    Parameters
    ----------
    value : float
        The value, in the parameter's unit.
    """

    value: float
    kind: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        self._check_finite("value")

    @property
    def support(self) -> tuple[float, float]:
        """The value, twice."""
        return float(self.value), float(self.value)

    @property
    def random(self) -> bool:
        """Never."""
        return False

    def values(self, scores: Array, center: Array) -> Array:
        """Return the value for each patient."""
        return np.full(scores.shape, float(self.value))


@dataclass(frozen=True)
class Normal(Distribution):
    """A normal distribution.

    Parameters
    ----------
    mean, sd : float
        Mean and standard deviation, in the parameter's unit.
    """

    mean: float
    sd: float
    kind: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        self._check_finite("mean")
        self._check_positive("sd")

    @property
    def support(self) -> tuple[float, float]:
        """The whole line."""
        return -math.inf, math.inf

    def values(self, scores: Array, center: Array) -> Array:
        """Return mean + sd * score."""
        return self.mean + self.sd * scores


@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """A normal distribution of which only the part between two bounds is kept.

    Parameters
    ----------
    mean, sd : float
        Mean and standard deviation before truncation, in the parameter's unit.
    lower, upper : float, optional
        Bounds, in the parameter's unit.
    """

    mean: float
    sd: float
    lower: float = -math.inf
    upper: float = math.inf
    kind: ClassVar[str] = "truncated_normal"

    def __post_init__(self) -> None:
        self._check_finite("mean")
        self._check_positive("sd")
        self._check_order("lower", "upper")
        low, high = (self.lower - self.mean) / self.sd, (self.upper - self.mean) / self.sd
        if not _has_mass(np.array([low]), np.array([high])):
            raise self._fail(
                f"mean = {self.mean!r}, sd = {self.sd!r} leave nothing between "
                f"lower = {self.lower!r} and upper = {self.upper!r}",
                "Move the bounds closer to the mean.",
            )

    @property
    def support(self) -> tuple[float, float]:
        """The two bounds."""
        return float(self.lower), float(self.upper)

    def values(self, scores: Array, center: Array) -> Array:
        """Return mean + sd * truncated score."""
        low = np.full(scores.shape, (self.lower - self.mean) / self.sd)
        high = np.full(scores.shape, (self.upper - self.mean) / self.sd)
        drawn = self.mean + self.sd * truncate(scores, low, high)
        return _inside(drawn, self.lower, self.upper)


@dataclass(frozen=True)
class LogNormal(Distribution):
    """A lognormal distribution, the usual one for rates, volumes and cell numbers.

    Parameters
    ----------
    median : float, optional
        Median, in the parameter's unit. Left out, the spread is around the parameter's own value:
        the model's, the scenario's or that of the patient's variant.
    cv : float, optional
        Coefficient of variation (standard deviation over mean; 0.3 is 30 %).
    sigma : float, optional
        Standard deviation of the natural logarithm. Give either `cv` or `sigma`.
    lower, upper : float, optional
        Bounds in the parameter's unit; only the part between them is kept.
    """

    median: float | None = None
    cv: float | None = None
    sigma: float | None = None
    lower: float = 0.0
    upper: float = math.inf
    kind: ClassVar[str] = "lognormal"

    def __post_init__(self) -> None:
        if (self.cv is None) == (self.sigma is None):
            raise self._fail(
                f"cv = {self.cv!r} and sigma = {self.sigma!r}",
                "Give one of them: cv (0.3 is 30 %) or sigma (of the natural logarithm).",
            )
        self._check_positive("cv" if self.sigma is None else "sigma")
        self._check_spread(self.spread)
        self._check_order("lower", "upper")
        if self.lower < 0:
            raise self._fail(f"lower = {self.lower!r}", "A lognormal value is never below 0.")
        if self.median is not None:
            self._check_positive("median")
            self._scores(np.zeros(1), np.array([float(self.median)]))

    @property
    def spread(self) -> float:
        """Standard deviation of the natural logarithm."""
        if self.sigma is not None:
            return float(self.sigma)
        assert self.cv is not None
        return math.sqrt(math.log1p(self.cv * self.cv))

    @property
    def support(self) -> tuple[float, float]:
        """From `lower` to `upper`."""
        return float(self.lower), float(self.upper)

    @property
    def relative(self) -> bool:
        """Whether the median was left out."""
        return self.median is None

    def values(self, scores: Array, center: Array) -> Array:
        """Return median * exp(sigma * score)."""
        median = center if self.median is None else np.full(scores.shape, float(self.median))
        if np.any(median < 0):
            raise self._fail(
                f"the parameter's own value is {float(median.min())!r}",
                "A lognormal spread needs a value of 0 or more; use a normal distribution.",
            )
        drawn = median * np.exp(self.spread * self._scores(scores, median))
        return _inside(drawn, self.lower, self.upper)

    def _scores(self, scores: Array, median: Array) -> Array:
        if self.lower == 0 and math.isinf(self.upper):
            return scores
        with np.errstate(divide="ignore", over="ignore"):
            low = np.log(np.divide(self.lower, median)) / self.spread
            high = np.log(np.divide(self.upper, median)) / self.spread
        if not np.all(_has_mass(low, high)):
            raise self._fail(
                f"median = {median[~_has_mass(low, high)][0]!r} leaves nothing between "
                f"lower = {self.lower!r} and upper = {self.upper!r}",
                "Move the bounds closer to the median.",
            )
        return truncate(scores, low, high)


@dataclass(frozen=True)
class LogitNormal(Distribution):
    """A distribution between two bounds whose logit is normal: fractions and probabilities.

    Parameters
    ----------
    median : float, optional
        Median, between the bounds. Left out, the spread is around the parameter's own value.
    sigma : float
        Standard deviation of the logit of the way from `lower` to `upper`.
    lower, upper : float, optional
        Bounds, in the parameter's unit (0 and 1).
    """

    median: float | None = None
    sigma: float | None = None
    lower: float = 0.0
    upper: float = 1.0
    kind: ClassVar[str] = "logit_normal"

    def __post_init__(self) -> None:
        self._check_positive("sigma")
        assert self.sigma is not None
        self._check_spread(float(self.sigma))
        self._check_finite("lower", "upper")
        self._check_order("lower", "upper")
        if self.median is not None:
            self._check_finite("median")
            if not self.lower < self.median < self.upper:
                raise self._fail(
                    f"median = {self.median!r}",
                    f"It must lie between {self.lower:g} and {self.upper:g}.",
                )

    @property
    def support(self) -> tuple[float, float]:
        """The two bounds."""
        return float(self.lower), float(self.upper)

    @property
    def relative(self) -> bool:
        """Whether the median was left out."""
        return self.median is None

    def values(self, scores: Array, center: Array) -> Array:
        """Return the inverse logit of logit(median) + sigma * score, between the bounds."""
        median = center if self.median is None else np.full(scores.shape, float(self.median))
        if np.any((median < self.lower) | (median > self.upper)):
            raise self._fail(
                f"the parameter's own value lies outside {self.lower:g} to {self.upper:g}",
                "Use a lognormal or a truncated normal distribution.",
            )
        assert self.sigma is not None
        width = self.upper - self.lower
        way = expit(logit((median - self.lower) / width) + self.sigma * scores)
        return _inside(self.lower + width * way, self.lower, self.upper)


@dataclass(frozen=True)
class Uniform(Distribution):
    """All values between two bounds alike.

    Parameters
    ----------
    low, high : float
        Bounds, in the parameter's unit.
    """

    low: float
    high: float
    kind: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        self._check_finite("low", "high")
        self._check_order("low", "high")

    @property
    def support(self) -> tuple[float, float]:
        """The two bounds."""
        return float(self.low), float(self.high)

    def values(self, scores: Array, center: Array) -> Array:
        """Return low + (high - low) * probability of the score."""
        drawn = self.low + (self.high - self.low) * ndtr(scores)
        return _inside(drawn, self.low, self.high)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """All orders of magnitude between two bounds alike.

    Parameters
    ----------
    low, high : float
        Bounds above 0, in the parameter's unit.
    """

    low: float
    high: float
    kind: ClassVar[str] = "log_uniform"

    def __post_init__(self) -> None:
        self._check_positive("low", "high")
        self._check_order("low", "high")

    @property
    def support(self) -> tuple[float, float]:
        """The two bounds."""
        return float(self.low), float(self.high)

    def values(self, scores: Array, center: Array) -> Array:
        """Return low * (high / low) ** probability of the score."""
        drawn = self.low * np.exp(math.log(self.high / self.low) * ndtr(scores))
        return _inside(drawn, self.low, self.high)


@dataclass(frozen=True)
class Beta(Distribution):
    """A beta distribution between two bounds.

    Parameters
    ----------
    alpha, beta : float
        The two shapes; the mean is alpha / (alpha + beta) of the way from `lower` to `upper`.
    lower, upper : float, optional
        Bounds, in the parameter's unit (0 and 1).
    """

    alpha: float
    beta: float
    lower: float = 0.0
    upper: float = 1.0
    kind: ClassVar[str] = "beta"

    def __post_init__(self) -> None:
        self._check_positive("alpha", "beta")
        self._check_finite("lower", "upper")
        self._check_order("lower", "upper")

    @property
    def support(self) -> tuple[float, float]:
        """The two bounds."""
        return float(self.lower), float(self.upper)

    def values(self, scores: Array, center: Array) -> Array:
        """Return the quantile at the probability of the score."""
        share = betaincinv(self.alpha, self.beta, ndtr(scores))
        drawn = self.lower + (self.upper - self.lower) * share
        return _inside(drawn, self.lower, self.upper)


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    kind.kind: kind
    for kind in (
        Constant,
        Normal,
        TruncatedNormal,
        LogNormal,
        LogitNormal,
        Uniform,
        LogUniform,
        Beta,
    )
}


def truncate(scores: Array, low: Array, high: Array) -> Array:
    """Map standard normal scores to those of a normal distribution cut at `low` and `high`.

    Parameters
    ----------
    scores, low, high : float64 array, shape (n,)
        Scores and the two cuts, in standard deviations from the mean.

    Returns
    -------
    float64 array, shape (n,)
    """
    # Work with the tail in which probabilities keep their digits: that of the interval if it lies
    # on one side of the mean, else that of the score.
    mirrored = (low > 0) | ((high >= 0) & (scores > 0))
    sign = np.where(mirrored, -1.0, 1.0)
    first = np.where(mirrored, -high, low)
    last = np.where(mirrored, -low, high)
    share = ndtr(sign * scores)
    inside = sign * ndtri(ndtr(first) + share * (ndtr(last) - ndtr(first)))
    return np.asarray(np.clip(inside, low, high), dtype=np.float64)


def _inside(drawn: Array, low: float, high: float) -> Array:
    """Undo a last bit of rounding over a bound."""
    return np.asarray(np.clip(drawn, low, high), dtype=np.float64)


def _has_mass(low: Array, high: Array) -> NDArray[np.bool_]:
    mirrored = low > 0
    first, last = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    enough: NDArray[np.bool_] = ndtr(last) - ndtr(first) > 1e-280
    return enough
