"""One figure: ours, the plain way beside it, and their ratio."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """What was measured in one run."""

    id: str
    unit: str
    ours: float
    plain: float
    what: str
    """What is measured, and what the plain way is."""
    limit: float | None = None
    """The most it may be, where something asks for that."""
    worst: float | None = None
    """What is held against the limit where that is not `ours`."""

    @property
    def holds(self) -> bool:
        """Whether it is within its limit; one without a limit is."""
        return self.limit is None or (self.ours if self.worst is None else self.worst) <= self.limit

    @property
    def ratio(self) -> float:
        """Ours to the plain way's."""
        return self.ours / self.plain if self.plain else math.nan

    def to_json(self) -> dict[str, Any]:
        """For the results file; `how` is the command that measures it anew."""
        bound = {} if self.limit is None else {"limit": self.limit, "worst": self.worst, "holds": self.holds}
        return {
            "id": self.id, "value": self.ours, "unit": self.unit, "plain": self.plain, "ratio": self.ratio,
            **bound, "what": self.what, "how": f"make bench ONLY={self.id}",
        }  # fmt: skip


@dataclass(frozen=True)
class Bounded:
    """What was measured of ours alone, beside the most or the least it may be: there is no plain way to do the same."""

    id: str
    unit: str
    value: float
    limit: float
    what: str
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is within the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def to_json(self) -> dict[str, Any]:
        """For the results file; `how` is the command that measures it anew."""
        return {
            "id": self.id, "value": self.value, "unit": self.unit, "limit": self.limit, "holds": self.holds,
            "what": self.what, "how": f"make bench ONLY={self.id}",
        }  # fmt: skip


@dataclass(frozen=True)
class Skipped:
    """A figure that cannot be measured here."""

    id: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """For the results file."""
        return {"id": self.id, "skipped": self.why}


Result = Figure | Bounded | Skipped


def in_turn(ours: Callable[[], float], plain: Callable[[], float], times: int = 5) -> tuple[float, float]:
    """The medians of both, measured in turn, so that what disturbs the machine meanwhile disturbs both."""
    pairs = [(ours(), plain()) for _ in range(times)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def table(results: Sequence[Result]) -> str:
    """For people."""
    lines = [f"{'figure':<28} {'ours':>10} {'plain':>10} {'unit':<7} {'ratio':>8}  what is measured"]
    for result in results:
        if isinstance(result, Skipped):
            lines.append(f"{result.id:<28} not measured: {result.why}")
            continue
        if isinstance(result, Bounded):
            within = "holds" if result.holds else "MISSED" if result.at_least else "EXCEEDED"
            bound = "at least" if result.at_least else "at most"
            values = f"{_short(result.value):>10} {'':>10} {result.unit:<7} {within:>8}"
            lines.append(f"{result.id:<28} {values}  {result.what}; {bound} {result.limit:g}")
            continue
        values = f"{_short(result.ours):>10} {_short(result.plain):>10} {result.unit:<7}"
        lines.append(f"{result.id:<28} {values} {_short(result.ratio):>8}  {result.what}{_bound(result)}")
    return "\n".join(lines)


def _bound(figure: Figure) -> str:
    """What is said of a limit after what is measured."""
    if figure.limit is None:
        return ""
    held = "" if figure.worst is None else f"worst {_short(figure.worst)}, "
    return f"; {held}at most {figure.limit:g}: {'holds' if figure.holds else 'EXCEEDED'}"


def exceeded(results: Sequence[Result]) -> list[str]:
    """The figures that are not within their limits; what could not be measured is not among them."""
    return [result.id for result in results if not isinstance(result, Skipped) and not result.holds]


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
