"""The primary of a cell: who it is, in which pod it runs, and when its database cluster is whole again."""

from __future__ import annotations

import time
from contextlib import suppress

from stormdrill import wait
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.faults import DatabaseDirector, Estate, Proof
from stormdrill.faults.victims import Victim, find

WELL = ("running", "streaming")
_POLL_S = 0.5


def cell_of(estate: Estate, cell: str) -> str:
    """The cell meant: the one named, or the first that has a database. ActionError when there is none."""
    databases = estate.topology.databases
    meant = cell or estate.topology.first_database
    if meant not in databases:
        raise ActionError(
            f"no database of cell {cell or '(none named)'}; there are: {', '.join(databases) or 'none'}"
        )
    return meant


def primary_of(estate: Estate, cell: str) -> Victim:
    """The pod of the cell's leader. ActionError when there is no leader or no pod of that name."""
    database = estate.topology.databases[cell]
    member = estate.directors[cell].cluster().leader
    if member is None:
        raise ActionError(f"cell {cell} has no leader now: nothing to hurt")
    service = estate.topology.services[database.service]
    for victim in find(estate, service):
        if victim.pod.name == member:
            return victim
    raise ActionError(
        f"the leader of cell {cell} is {member}, but service {service.name} has no pod of that name"
    )


def trouble(director: DatabaseDirector, standbys: int) -> str:
    """Why the cluster is not whole; empty when it is: a leader, all members running, enough sync standbys."""
    try:
        state = director.cluster()
    except TargetError as error:
        return str(error)
    if state.leader is None:
        return "no leader"
    idle = [f"{member.name} is {member.state}" for member in state.members if member.state not in WELL]
    if idle:
        return ", ".join(idle)
    if len(state.sync_standbys) < standbys:
        return f"{len(state.sync_standbys)} synchronous standbys, {standbys} before"
    return ""


def trouble_of(estate: Estate, cell: str, standbys: int) -> str:
    """As `trouble`, and why the cell's standby site does not follow when it did before the drill."""
    following = estate.following.get(cell)
    return trouble(estate.directors[cell], standbys) or (following() if following else "")


def whole_again(estate: Estate, cell: str, standbys: int, deadline_s: float) -> Proof:
    """Wait until a cell's database is as it was before the fault, for `deadline_s` at most or until hurried."""
    begun = time.monotonic()
    last = ["not asked"]

    def whole() -> bool:
        last[0] = trouble_of(estate, cell, standbys)
        return not last[0]

    with suppress(DeadlineError):
        wait.until(
            lambda: whole() or estate.hurry(), deadline_s=deadline_s, what="the database", poll_s=_POLL_S
        )
    if last[0]:
        return Proof(False, f"the database is not whole again: {last[0]}")
    return Proof(
        True,
        "a leader, every member running, synchronous standbys and the standby site as before",
        {"after_s": round(time.monotonic() - begun, 1)},
    )
