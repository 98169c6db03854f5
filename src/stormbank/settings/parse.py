"""Readers of single settings: text to a checked value, ValueError with the reason."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import TypeVar

from stormbank.db.address import parse_dsn

T = TypeVar("T")

_CELL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


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


def cell_names(text: str) -> tuple[str, ...]:
    """Read the names of cells: they become header values, labels and parts of addresses."""
    found = names(text)
    for name in found:
        if not _CELL.fullmatch(name):
            raise ValueError(f"{name!r} is not made of lower-case letters, digits and -")
    return found


def zone(text: str) -> str:
    """Read a zone's name."""
    if not 0 < len(text) <= 63 or not text.isprintable() or text != text.strip():
        raise ValueError("must be 1 to 63 printable characters")
    return text


def zones(text: str) -> tuple[str, ...]:
    """Read the names of zones, perhaps none."""
    return tuple(zone(each) for each in names(text)) if text else ()


def addresses(what: str, *, empty: bool = False) -> Callable[[str], dict[str, tuple[str, ...]]]:
    """Read WHAT=URL,... ; several URLs of one have | between. `empty` lets there be none."""

    def parse(text: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for part in text.split(",") if text or not empty else ():
            name, equals, urls = part.strip().partition("=")
            if not equals or not name:
                raise ValueError(f"{part.strip()!r} is not {what}=URL")
            if name in found:
                raise ValueError(f"{name} is named twice")
            found[name] = tuple(url(each.strip()) for each in urls.split("|"))
        return found

    return parse


def by_zone(text: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Read CELL@ZONE=URL,... , or nothing; several URLs of one have | between."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for place, urls in addresses("CELL@ZONE", empty=True)(text).items():
        cell, at, where = place.partition("@")
        if not (cell and at):
            raise ValueError(f"{place!r} is not CELL@ZONE")
        found.setdefault(cell, {})[zone(where)] = urls
    return found


def url(text: str) -> str:
    """Read http://HOST:PORT."""
    found = text.rstrip("/")
    if (
        not found.startswith("http://")
        or not found.removeprefix("http://")
        or "/" in found.removeprefix("http://")
    ):
        raise ValueError(f"{text!r} is not http://HOST:PORT (several of one have | between)")
    return found


def switch(text: str) -> bool:
    """Read on or off."""
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def or_off(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """Read what `parse` reads, or `off`, which is None."""
    return lambda text: None if text == "off" else parse(text)


def secret(text: str) -> str:
    """Read a secret that is long enough to be one."""
    if len(text) < 16:
        raise ValueError("must be at least 16 characters")
    return text


def dsn(text: str) -> str:
    """Read a database address."""
    parse_dsn(text)
    return text


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Make a reader of settings one of arguments: argparse shows only its own error's reason."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None

    return read
