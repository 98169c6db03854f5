"""What an archive is told by its environment: whose log it keeps, where, and how often it takes a base backup."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stormarchive.errors import SettingsError

T = TypeVar("T")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_MEMBER = re.compile(r"[^\s,:'\\]+:[0-9]{1,5}")


@dataclass(frozen=True)
class Account:
    """A role of the database; `password` may be empty where none is asked for."""

    user: str
    password: str


@dataclass(frozen=True)
class Settings:
    """`members` are `host:port` of every member that may ever be primary. Times in seconds, sizes in bytes.

    A base backup is taken every `every_s`, and before when the log since the last one has grown beyond `after_bytes`;
    the newest `keep` stay. Without `receive` no log is kept: what was written after the last base backup is lost.
    """

    name: str
    members: tuple[str, ...]
    directory: Path
    programs: Path
    replication: Account
    reader: Account
    receive: bool
    every_s: float
    after_bytes: int
    keep: int
    look_s: float
    rate: str


def read(env: Mapping[str, str]) -> Settings:
    """Read the environment; SettingsError lists all that is wrong."""
    reader = _Reader(env)
    settings = Settings(
        name=reader.read("ARCHIVE_NAME", "archive", _name, ""),
        members=reader.read("ARCHIVE_MEMBERS", "", _members, ()),
        directory=reader.read("ARCHIVE_DIR", "/archive", Path, Path()),
        programs=reader.read("ARCHIVE_PROGRAMS", "/usr/lib/postgresql/15/bin", _programs, Path()),
        replication=Account(
            env.get("ARCHIVE_REPLICATION_USER", "replicator"), env.get("ARCHIVE_REPLICATION_PASSWORD", "")
        ),
        reader=Account(env.get("ARCHIVE_READER_USER", "auditor"), env.get("ARCHIVE_READER_PASSWORD", "")),
        receive=reader.read("ARCHIVE_RECEIVE", "on", _switch, True),
        every_s=reader.read("ARCHIVE_EVERY_S", "3600", _positive, 1.0),
        after_bytes=int(reader.read("ARCHIVE_AFTER_MB", "64", _positive, 1.0) * 1024 * 1024),
        keep=int(reader.read("ARCHIVE_KEEP", "2", _whole, 1)),
        look_s=reader.read("ARCHIVE_LOOK_S", "5", _positive, 1.0),
        rate=reader.read("ARCHIVE_RATE", "16M", _rate, ""),
    )
    if reader.errors:
        raise SettingsError("\n".join(reader.errors))
    return settings


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.errors: list[str] = []

    def read(self, name: str, default: str, parse: Callable[[str], T], placeholder: T) -> T:
        text = self._env.get(name) or default
        try:
            return parse(text)
        except ValueError as error:
            self.errors.append(f"{name}={text!r}: {error}")
            return placeholder


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("must be lower-case letters, digits and -")
    return text


def _members(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(","))
    for member in found:
        if not _MEMBER.fullmatch(member):
            raise ValueError(f"{member!r} is not HOST:PORT (several have commas between)")
    if len(set(found)) != len(found):
        raise ValueError("a member is named twice")
    return found


def _programs(text: str) -> Path:
    if not Path(text, "pg_receivewal").exists():
        raise ValueError("holds no pg_receivewal")
    return Path(text)


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def _positive(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value <= 0:
        raise ValueError("must be more than 0")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("must be at least 1")
    return value


def _rate(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*[kM]", text):
        raise ValueError("must be a whole number with k or M (bytes a second)")
    return text
