"""The old site made anew as the standby of the new one: exported, emptied, founded by base backup. Never by rewind.

On equal timelines a rewind finds nothing to compare, and what it erases is evidence. No member of the old site is
started before its volume is empty and its store says that it is a standby: an old database that is started leads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stormdrill.direct.bench import Bench
from stormdrill.direct.following import followed_within, keep_slot, standby_of
from stormdrill.direct.fork import Fork, export, refuse_unread
from stormdrill.direct.side import Side
from stormdrill.direct.steps import Steps
from stormdrill.errors import ActionError
from stormdrill.estate_books import SqlAudit
from stormdrill.fence.site import Tell

FOLLOWS_WITHIN_S = 180.0


@dataclass(frozen=True)
class Wanted:
    """What a rebuild is told: by whom, where the fork goes, what it lists, and what may be overwritten unread."""

    by: str
    fork: Path
    books: SqlAudit | None = None
    since: int = 0
    unread: str | None = None


@dataclass(frozen=True)
class Rebuilt:
    """What came of it. `took` are the seconds of each step."""

    region: str
    fork: Fork
    timeline: int
    took: dict[str, float]


def rebuild(old: Side, new: Side, wanted: Wanted, tell: Tell) -> Rebuilt:
    """Bring `old` back as the standby of `new`.

    ActionError, with nothing overwritten, when `new` takes no writes or `old` is not fenced (return before the
    fence), still has pods, or could not be exported; TargetError when something does not answer. After a failure
    the old site stays closed, and calling again begins anew.
    """
    refuse_unfenced(old, new)
    steps = Steps("rebuild", wanted.by, tell, database=old.cell, region=old.region, **old.whose)
    tell("rebuild.started", wanted.by, database=old.cell, region=old.region, source=new.region, **old.whose)
    with steps.step("slot"):
        keep_slot(new, old)
    benches = _benches(old)
    with ExitStack() as stack:
        with steps.step("open volumes"):
            _each(benches, Bench.open)
            for bench in benches:
                stack.callback(bench.close)
        with steps.step("export fork"):
            fork = export(benches, new, wanted.books, wanted.fork, wanted.since)
            tell("fork.exported", wanted.by, **_summary(fork, old))
            refuse_unread(fork, wanted.unread)
        with steps.step("store says standby"):
            change = {"standby_cluster": standby_of(new, old), "slots": None}
            benches[0].ask("follow", json.dumps(change))
        with steps.step("empty volumes"):
            _each(benches, lambda bench: bench.ask("wipe"))
        with steps.step("close volumes"):
            _each(benches, Bench.close)
    with steps.step("base backup and catch up"):
        old.fencing.open(wanted.by, edges=False)
        timeline = followed_within(old, new, FOLLOWS_WITHIN_S)
    tell(
        "rebuild.done",
        wanted.by,
        database=old.cell,
        region=old.region,
        timeline=timeline,
        took_s=steps.total_s,
        **old.whose,
    )
    return Rebuilt(old.region, fork, timeline, steps.took)


def export_fork(old: Side, new: Side, wanted: Wanted, tell: Tell) -> Fork:
    """Only keep what `old` has and `new` does not, for people to read before they agree to the rebuild.

    Nothing is overwritten. ActionError and TargetError as `rebuild`; the fork says itself what could not be read.
    """
    refuse_unfenced(old, new)
    benches = _benches(old)
    with ExitStack() as stack:
        for bench in benches:
            stack.callback(bench.close)
        _each(benches, Bench.open)
        fork = export(benches, new, wanted.books, wanted.fork, wanted.since)
    tell("fork.exported", wanted.by, **_summary(fork, old))
    return fork


def refuse_unfenced(old: Side, new: Side) -> None:
    """ActionError unless `new` takes writes and `old` is closed with nothing left that could."""
    if new.takes_writes() is None:
        raise ActionError(f"{new.region} takes no writes: nothing to rebuild {old.region} from")
    old.fencing.need_closed()
    seen = old.fencing.observe()
    if seen.trouble:
        raise ActionError(f"{old.region} cannot be looked at: {seen.trouble}")
    if not seen.closed or seen.writers:
        found = ", ".join(seen.writers) or "its databases are not at 0 replicas"
        raise ActionError(f"{old.region} is not closed ({found}): it would write beside {new.region}")


def _benches(old: Side) -> list[Bench]:
    return [
        Bench(old.cluster, old.namespace, name, member, old.container)
        for name, members in old.site.stateful_sets.items()
        for member in members
    ]


def _each(benches: Sequence[Bench], do: Callable[[Bench], object]) -> None:
    """All at once; the first error after all have ended."""
    with ThreadPoolExecutor(max_workers=len(benches)) as pool:
        for future in [pool.submit(do, bench) for bench in benches]:
            future.result()


def _summary(fork: Fork, old: Side) -> dict[str, Any]:
    return {
        "database": old.cell,
        "region": old.region,
        "file": fork.path.name,
        "commits": fork.commits,
        "lost": len(fork.lost),
        "unread": list(fork.unread),
    }
