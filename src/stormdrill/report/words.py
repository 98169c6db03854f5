"""How numbers and outcomes are said to people, in every format of the report."""

from __future__ import annotations

from stormdrill.units import format_duration, format_money
from stormdrill.verdict import Measured, Outcome

NAMES = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.NOT_EXERCISED: "not exercised",
}
SIGNS = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.INCONCLUSIVE: "?",
    Outcome.NOT_EXERCISED: "–",  # noqa: RUF001 - a dash is what a reader expects here
}

NOTHING = "–"  # noqa: RUF001 - where there is no number


def measured_text(measured: Measured) -> str:
    """A measured value with its unit and error; a dash when nothing was measured."""
    value = measured.value
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"{value} {measured.unit}".strip()
    if measured.unit == "ratio":
        return percent(value)
    number = f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
    error = f" ± {measured.error:g}" if measured.error is not None else ""
    return f"{number}{error} {measured.unit}".strip()


def percent(ratio: float | None) -> str:
    """A ratio in percent, with more digits where they matter (near 0 and 1)."""
    if ratio is None:
        return NOTHING
    share = ratio * 100
    digits = 3 if 99 < share < 100 or 0 < share < 1 else 2
    return f"{share:.{digits}f}".rstrip("0").rstrip(".") + " %"


def seconds(value: float | None) -> str:
    """Seconds for a table cell."""
    return NOTHING if value is None else f"{value:.2f}".rstrip("0").rstrip(".") + " s"


def duration(value: float) -> str:
    """A length of time as a person says it."""
    return format_duration(value)


def money(minor: int) -> str:
    """An amount in major units."""
    return format_money(minor)
