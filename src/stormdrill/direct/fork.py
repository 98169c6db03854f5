"""The fork: what the old site committed and the new one never received, read from the old volumes and kept in a file.

It is read before the volumes are overwritten: afterwards nobody can say what was lost.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from stormdrill import store
from stormdrill.direct.bench import Bench
from stormdrill.direct.side import Side
from stormdrill.direct.timelines import Log, fork
from stormdrill.errors import ActionError, TargetError
from stormdrill.estate_books import SqlAudit

SCHEMA = "stormdrill.fork/1"
_FIELDS = ("key", "amount", "source", "target", "id")
_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class MemberFork:
    """One old member. `commits` are those after `parted` (bytes), with the server's own times; `why` if unread.

    `clock_error_s` is how far that clock is from ours at most.

    `empty`: there was nothing to read, and nothing is lost by overwriting it.
    """

    member: str
    read: bool
    why: str = ""
    state: str = ""
    timeline: int | None = None
    lsn: int | None = None
    parted: int | None = None
    commits: tuple[Mapping[str, Any], ...] = ()
    movements: tuple[tuple[Any, ...], ...] = ()
    empty: bool = False
    clock_error_s: float | None = None


@dataclass(frozen=True)
class Fork:
    """What died with the old site. `lost` are movements that the new site does not have, each with its members."""

    path: Path
    members: tuple[MemberFork, ...]
    lost: tuple[Mapping[str, Any], ...]

    @property
    def unread(self) -> tuple[str, ...]:
        """Members of which nothing is known."""
        return tuple(one.member for one in self.members if not one.read)

    @property
    def commits(self) -> int:
        """Commits beyond the common history, on the member that has most."""
        return max((len(one.commits) for one in self.members), default=0)


def export(benches: Sequence[Bench], new: Side, books: SqlAudit | None, path: Path, since: int = 0) -> Fork:
    """Read every old member on its open bench and keep the result in `path`, on disk when this returns.

    What an earlier export kept there stays: this one then goes beside it, with a number.

    `books.movements` says what a movement is; those above `since` are looked at. A member that cannot be read is
    kept as such. TargetError when the new site cannot be asked.
    """
    history, timeline = new.config.history(), new.write().timeline
    known = new_keys(new, books, since) if books else {}
    with ThreadPoolExecutor(max_workers=max(1, len(benches))) as pool:
        members = tuple(
            pool.map(lambda bench: _member(bench, (history, timeline), (books, new.site.dsn, since)), benches)
        )
    lost: dict[str, dict[str, Any]] = {}
    for member in members:
        for row in member.movements:
            if row[0] not in known:
                entry = lost.setdefault(row[0], {**dict(zip(_FIELDS, row, strict=True)), "members": []})
                entry["members"].append(member.member)
    found = Fork(_free(path), members, tuple(lost.values()))
    store.write_json(found.path, _body(found, new, since))
    return found


def _free(path: Path) -> Path:
    tries = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(one for one in itertools.chain([path], tries) if not one.exists())


def _body(found: Fork, new: Side, since: int) -> dict[str, Any]:
    members = [
        {key: value for key, value in asdict(one).items() if key != "movements"} for one in found.members
    ]
    return {
        "schema": SCHEMA,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "database": new.cell,
        "new_region": new.region,
        "since": since,
        "clock_error_s": _clock_error_s(found),
        "members": members,
        "lost": list(found.lost),
    }


def _clock_error_s(found: Fork) -> float | None:
    """How far any of the clocks that wrote these times is from ours; None when one is not known."""
    errors = [one.clock_error_s for one in found.members if one.read]
    known = [error for error in errors if error is not None]
    return round(max(known), 3) if known and len(known) == len(errors) else None


def clock_error_s(bench: Bench) -> float:
    """How far the clock of a member's node is from ours at most, seconds: the difference, and the time it took to ask.

    As it is now; that nobody has set it since the commits were written is taken for granted.
    """
    before = time.time()
    there = float(bench.ask("clock")["clock"])
    after = time.time()
    return max(abs(there - before), abs(there - after))


def _member(
    bench: Bench, new: tuple[list[tuple[int, int]], int], books: tuple[SqlAudit | None, str, int]
) -> MemberFork:
    audit, dsn, since = books
    try:
        said = bench.ask("read")
        if said.get("empty"):
            return MemberFork(bench.member, read=False, why="its volume is empty", empty=True)
        history = tuple((int(one), int(end)) for one, end in said["history"])
        log = Log(int(said["timeline"]), history, int(said["lsn"]))
        parted, stretches = fork(log, *new)
        commits: list[Mapping[str, Any]] = []
        for part in stretches:
            end = 0 if part.end == log.lsn else part.end
            commits += bench.ask("commits", str(part.timeline), str(part.start), str(end))["commits"]
        rows = []
        if audit:
            database = str(conninfo_to_dict(dsn)["dbname"])
            rows = bench.ask("rows", database, audit.movements.replace("%(since)s", str(since)))["rows"]
        error_s = clock_error_s(bench)
        bench.ask("stop")
    except (ActionError, TargetError, KeyError, ValueError, TypeError) as error:
        return MemberFork(bench.member, read=False, why=str(error) or type(error).__name__)
    return MemberFork(
        bench.member, True, "", said["state"], log.timeline, log.lsn, parted, tuple(commits),
        tuple((str(row[0]), *row[1:]) for row in rows), clock_error_s=error_s,
    )  # fmt: skip


def new_keys(new: Side, books: SqlAudit, since: int) -> dict[str, int]:
    """Keys of the movements that the new site has above `since`, with their ids."""
    try:
        with psycopg.connect(new.site.dsn, password=new.password, connect_timeout=3) as connection:
            connection.execute(f"SET statement_timeout = {_TIMEOUT_MS}")
            rows = connection.execute(books.movements.encode(), {"since": since}).fetchall()
    except psycopg.Error as error:
        raise TargetError(f"{new.region}: movements: {' '.join(str(error).split())}") from None
    return {str(row[0]): int(row[4]) for row in rows}


def refuse_unread(found: Fork, accepted: str | None) -> None:
    """ActionError when a member could not be read and nobody accepts that it is overwritten (`accepted`: why).

    An empty volume is none to be kept: a rebuild that was cut off after it had emptied them can be begun again.
    """
    unread = [one for one in found.members if not one.read and not one.empty]
    if unread and not accepted:
        reasons = "; ".join(f"{one.member}: {one.why}" for one in unread)
        raise ActionError(
            f"not everything could be exported ({reasons}): to overwrite it is a person's decision"
        )
