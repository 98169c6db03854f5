"""Asking the members of a database cluster who takes writes, on which timeline, and how far its log is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stormarchive.lineage import Lineage
from stormarchive.segments import parse_lsn
from stormarchive.settings import Account, Settings

ANSWER_S: Final = 6.0
# A peer that vanished without a word is noticed within some 4 s: there is something to send every second.
_WATCHFUL: Final = (
    "connect_timeout=2 keepalives_idle=2 keepalives_interval=1 keepalives_count=2 tcp_user_timeout=4000"
)
_PROGRESS: Final = """\
SELECT extract(epoch FROM clock_timestamp()), pg_current_wal_flush_lsn(),
(SELECT max(write_lsn) FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming')
"""
_UNITS: Final = {"kB": 1024, "MB": 1024**2, "GB": 1024**3}


@dataclass(frozen=True)
class Primary:
    """A member that takes writes. `segment_size` in bytes."""

    member: str
    system: str
    timeline: int
    segment_size: int


def conninfo(member: str, account: Account, name: str, *, database: str = "postgres", more: str = "") -> str:
    """How to reach one member, provided that it takes writes."""
    host, _, port = member.rpartition(":")
    where = f"host={host} port={port} user={account.user} dbname={database} application_name={name}"
    return f"{where} target_session_attrs=read-write {_WATCHFUL}{more}"


def environment(account: Account) -> Mapping[str, str]:
    """Of a program that acts in a role of the database."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGPASSWORD": account.password, "PGTZ": "UTC"}


class AskError(Exception):
    """A member does not answer as a primary; the message is what it, or the way to it, said."""


def ask(programs: Path, connection: str, account: Account, *statements: str) -> list[list[str]]:
    """One row for each of the statements; AskError when there is no answer."""
    command = [str(programs / "psql"), "-XqAt", "-F", "|", "-v", "ON_ERROR_STOP=1"]
    for statement in statements:
        command += ["-c", statement]
    try:
        done = subprocess.run(
            [*command, connection],
            env=environment(account),
            capture_output=True,
            timeout=ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AskError(f"no answer within {ANSWER_S:g} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise AskError(said[-1] if said else f"psql ended with {done.returncode}")
    return [line.split("|") for line in done.stdout.decode().splitlines()]


def find(settings: Settings) -> tuple[Primary | None, dict[str, str]]:
    """The member that takes writes on the newest timeline, and what the others said.

    All are asked: after a failover that closed nothing an old primary may take writes beside the new one.
    """
    with ThreadPoolExecutor(len(settings.members)) as pool:
        answers = list(pool.map(lambda member: _identify(settings, member), settings.members))
    primaries = [each for each in answers if isinstance(each, Primary)]
    said = {
        member: answer
        for member, answer in zip(settings.members, answers, strict=True)
        if isinstance(answer, str)
    }
    return max(primaries, key=lambda each: each.timeline, default=None), said


def _identify(settings: Settings, member: str) -> Primary | str:
    connection = conninfo(member, settings.replication, settings.name, more=" replication=true")
    try:
        identity, size = ask(
            settings.programs, connection, settings.replication, "IDENTIFY_SYSTEM", "SHOW wal_segment_size"
        )
        return Primary(member, identity[0], int(identity[1]), _bytes(size[0]))
    except (AskError, ValueError, IndexError) as error:
        return str(error)


def lineage_of(settings: Settings, primary: Primary) -> Lineage:
    """The timelines that led to a primary; AskError when it does not tell."""
    if primary.timeline == 1:
        return Lineage(1, {})
    connection = conninfo(primary.member, settings.replication, settings.name, more=" replication=true")
    rows = ask(settings.programs, connection, settings.replication, f"TIMELINE_HISTORY {primary.timeline}")
    # The second column is the file itself, with its line ends; fields that this splits are only reasons.
    text = "\n".join("|".join(row) for row in rows).partition("|")[2]
    return Lineage.parse(primary.timeline, text)


@dataclass(frozen=True)
class Progress:
    """At `at_s` (the database's clock) its log was flushed to `flushed`, and the receiver had confirmed `received`."""

    at_s: float
    flushed: int
    received: int | None


def progress(settings: Settings, primary: Primary) -> Progress:
    """How far log and receiver are; AskError when the primary does not tell."""
    # The time first: what was acknowledged before it lies before the position.
    connection = conninfo(primary.member, settings.reader, f"{settings.name}-look")
    query = _PROGRESS.format(name=settings.name)  # letters, digits and -
    rows = ask(settings.programs, connection, settings.reader, query)
    at_s, flushed, received = rows[0]
    return Progress(float(at_s), parse_lsn(flushed), parse_lsn(received) if received else None)


def _bytes(text: str) -> int:
    return int(text[:-2]) * _UNITS[text[-2:]]
