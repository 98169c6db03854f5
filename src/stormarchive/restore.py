"""Restoring to a point in time into a scratch server, and asking it whether the books are right."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stormarchive.checks import Checks
from stormarchive.errors import RestoreError
from stormarchive.member import AskError
from stormarchive.scratch import Scratch, seconds_since
from stormarchive.segments import lsn_text
from stormarchive.settings import Account, Settings
from stormarchive.store import Store
from stormarchive.target import Route, Target, route, time_text


@dataclass(frozen=True)
class Job:
    """What is wished. `scratch` is a directory that is empty or not there; a base backup must fit into it."""

    target: Target
    scratch: Path
    checks: Checks
    timeout_s: float
    owner: str
    """The role that asks: one that may read everything."""


def restore(settings: Settings, job: Job) -> dict[str, Any]:
    """Restore, check and report; RestoreError when the state cannot be had. Leaves nothing running, and no files.

    `ok` of the report says whether every invariant held.
    """
    store = Store(settings.directory)
    started_s = time.monotonic()
    way = route(store, job.target)
    took: dict[str, float] = {}
    with Scratch(settings.programs, job.scratch, way, Account(job.owner, "")) as scratch:
        scratch.hold()
        scratch.read_packed()
        took["read_log_s"] = seconds_since(started_s)
        begun_s = time.monotonic()
        scratch.unpack(store)
        took["unpack_s"] = seconds_since(begun_s)
        begun_s = time.monotonic()
        scratch.recover(job.timeout_s)
        took["recover_s"] = seconds_since(begun_s)
        begun_s = time.monotonic()
        replayed = scratch.replayed()
        _came_far_enough(scratch, way, replayed)
        figures, invariants = _checked(scratch, job)
        took["check_s"] = seconds_since(begun_s)
    took["total_s"] = seconds_since(started_s)
    return {
        "ok": all(each["holds"] for each in invariants),
        "target": job.target.text,
        "base": way.base.name,
        "base_whole_at": time_text(way.base.ended_s),
        "base_timeline": way.base.timeline,
        "replayed_to": lsn_text(replayed),
        "figures": figures,
        "invariants": invariants,
        "took": took,
    }


def _came_far_enough(scratch: Scratch, way: Route, replayed: int) -> None:
    """RestoreError when recovery ended in the middle of log that is known to be here: it is damaged there.

    Recovery itself says so only when it was given a target that it did not reach.
    """
    if replayed < way.reach.position and not scratch.reached_target:
        where = f"{lsn_text(replayed)}, the archive holds log up to {lsn_text(way.reach.position)}"
        raise RestoreError(f"the log is damaged: recovery to {way.target.text} ended at {where}")


def _checked(scratch: Scratch, job: Job) -> tuple[dict[str, str], list[dict[str, Any]]]:
    figures: dict[str, str] = {}
    invariants = []
    moment = time_text(job.target.at_s) if job.target.at_s is not None else "infinity"
    for check in job.checks.checks:
        query = check.query.replace("{target}", f"'{moment}'::timestamptz")
        try:
            answer = scratch.ask(query, job.checks.database)
        except AskError as error:
            raise RestoreError(f"{check.id} cannot be asked: {error}") from None
        if check.expect is None:
            figures[check.id] = answer
        else:
            holds = answer == check.expect
            invariants.append({"id": check.id, "answer": answer, "expect": check.expect, "holds": holds})
    return figures, invariants
