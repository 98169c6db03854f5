"""Readers of single settings: text to a checked value, ValueError with the reason."""

from __future__ import annotations

import math
from collections.abc import Callable

from stormbank.db.address import parse_dsn


def number(low: float, *, above: bool = False) -> Callable[[str], float]:
    """Read a finite number of at least `low`, or above it."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError("not a number") from None
        if not math.isfinite(value) or value < low or (above and value == low):
            raise ValueError(f"must be {'more than' if above else 'at least'} {low:g}")
        return value

    return parse


def whole(low: int) -> Callable[[str], int]:
    """Read a whole number of at least `low`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError("not a whole number") from None
        if value < low:
            raise ValueError(f"must be at least {low}")
        return value

    return parse


def pairs(low: float) -> Callable[[str], dict[str, float]]:
    """Read NAME=NUMBER,... with every number above `low`."""
    positive = number(low, above=True)

    def parse(text: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for part in text.split(","):
            name, equals, value = part.strip().partition("=")
            if not equals or not name:
                raise ValueError(f"{part.strip()!r} is not NAME=NUMBER")
            if name in found:
                raise ValueError(f"{name} is named twice")
            found[name] = positive(value)
        return found

    return parse


def names(text: str) -> tuple[str, ...]:
    """Read different names with commas between."""
    found = tuple(part.strip() for part in text.split(","))
    if "" in found or len(set(found)) != len(found):
        raise ValueError("must be different names with commas between")
    return found


def urls(text: str) -> tuple[str, ...]:
    """Read base URLs with commas between."""
    found = tuple(each.rstrip("/") for each in names(text))
    for url in found:
        if not url.startswith("http://") or "/" in url.removeprefix("http://"):
            raise ValueError("must be http://HOST:PORT, several with commas between")
    return found


def switch(text: str) -> bool:
    """Read on or off."""
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def secret(text: str) -> str:
    """Read a secret that is long enough to be one."""
    if len(text) < 16:
        raise ValueError("must be at least 16 characters")
    return text


def dsn(text: str) -> str:
    """Read a database address."""
    parse_dsn(text)
    return text
