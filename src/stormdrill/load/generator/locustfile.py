"""Loads the user's locustfile: one phone class, or plain Locust classes."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locust.util.load_locustfile import load_locustfile

from stormdrill.errors import InputError
from stormdrill.load.generator.phone import Phone


@dataclass(frozen=True)
class Classes:
    """What the file defines: a phone class, or else plain user classes in the order of the file."""

    phone: type[Phone] | None
    plain: tuple[type[Any], ...]


def load(path: Path) -> Classes:
    """Import the file. InputError with file and line when it does not load or defines no users."""
    try:
        found, _ = load_locustfile(str(path))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's file may raise anything
        raise InputError.at(path, _line(error, path), f"{type(error).__name__}: {error}") from None
    phones = [each for each in found.values() if issubclass(each, Phone)]
    plain = tuple(each for each in found.values() if not issubclass(each, Phone))
    if not found:
        raise InputError.at(path, 0, "defines no user class")
    if len(phones) > 1 or (phones and plain):
        names = ", ".join(found)
        raise InputError.at(path, 0, f"must define one Phone class, or plain Locust classes, not {names}")
    return Classes(phones[0] if phones else None, plain)


def _line(error: BaseException, path: Path) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (frames[-1].lineno or 0) if frames else 0
