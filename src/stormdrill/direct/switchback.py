"""Moving a cell's database from one living site to the other, nothing lost: demote, see that all arrived, promote.

The leading site is stopped for writers first and follows the other from then on; the other is promoted only when it has
the last of the log. The pause of writes runs from the demotion to the first committed write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from stormdrill import wait
from stormdrill.direct.cut_off import give_back
from stormdrill.direct.following import followed_within, keep_slot, need_following, standby_of
from stormdrill.direct.side import Side
from stormdrill.direct.steps import Steps
from stormdrill.direct.together import Failed, error_of, listed, together
from stormdrill.direct.write_proof import WriteProof
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.fence.site import Tell

_DEMOTED_S = 30.0
_FOLLOWS_S = 90.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Switched:
    """Who leads now, its first committed write, how long nobody could write at most, the seconds of each step."""

    region: str
    proof: WriteProof
    pause_s: float
    took: dict[str, float]


@dataclass(frozen=True)
class Leg:
    """One cell's part of a switch: who leads now, and who shall."""

    leading: Side
    to: Side


def switch(
    leading: Side,
    to: Side,
    by: str,
    why: str,
    tell: Tell,
    *,
    lead: Callable[[str], object] = lambda _: None,
) -> Switched:
    """Make `to` the leading site of one cell and `leading` its standby; as `switch_together`."""
    return switch_together([Leg(leading, to)], by, why, tell, lead=lead)[0]


def switch_together(
    legs: Sequence[Leg],
    by: str,
    why: str,
    tell: Tell,
    *,
    lead: Callable[[str], object] = lambda _: None,
) -> tuple[Switched, ...]:
    """Make each `to` the leading site of its cell and `leading` its standby, all at the same time.

    `lead` is told the region where phones are to go, as soon as nobody can write: they need a while to follow.

    ActionError, with nothing changed, when a `to` is not a whole and nearly up-to-date standby of `leading`, or is
    fenced. Nobody is promoted before each has the last of its log: when one does not get it in time, every `leading`
    is given its writes back (TargetError).
    """
    for leg in legs:
        need_following(leg.to, leg.leading)
    parts = {leg.to.cell: _Part(leg, by, tell, why) for leg in legs}
    region, before = legs[0].to.region, legs[0].leading.region
    for part in parts.values():
        part.begin()
    begun = time.monotonic()
    failed: Failed = {}
    try:
        failed |= together({cell: part.demote for cell, part in parts.items()})[1]
        if not failed:
            lead(region)
            failed |= together({cell: part.receive for cell, part in parts.items()})[1]
        if failed:
            raise error_of(failed, len(parts) > 1)
    except (TargetError, ActionError):
        # Not where somebody else gave the leading site its writes back: it leads already.
        undone = {c: p.undo for c, p in parts.items() if not isinstance(failed.get(c), ActionError)}
        stuck = together(undone)[1]
        if not undone or len(stuck) < len(undone):
            lead(before)
        if stuck:
            raise error_of(stuck, len(parts) > 1) from None
        raise
    done, failed = together({cell: partial(part.promote, begun) for cell, part in parts.items()})
    _, unsafe = together({cell: partial(parts[cell].settle, done[cell]) for cell in done})
    if failed := {**failed, **unsafe}:
        home = [cell for cell in done if cell not in failed]
        raise error_of(failed, len(parts) > 1, f"{listed(home)} switched to {region}" if home else "")
    return tuple(done[cell] for cell in parts)


class _Part:
    """One leg under way, each step of it an event."""

    def __init__(self, leg: Leg, by: str, tell: Tell, why: str) -> None:
        self._leading, self._to, self._by, self._tell, self._why = leg.leading, leg.to, by, tell, why
        self._steps = Steps("switch", by, tell, database=leg.to.cell, region=leg.to.region, **leg.to.whose)
        self._end_lsn = 0

    def begin(self) -> None:
        """Say so, and have the new leader keep what its follower needs."""
        leading, to = self._leading, self._to
        self._tell("decision", self._by, what=f"switch {to.cell} to {to.region}", why=self._why, **to.whose)
        self._tell("switch.started", self._by, database=to.cell, region=to.region, source=leading.region)
        with self._steps.step("slot"):
            keep_slot(to, leading)

    def demote(self) -> None:
        """Stop the leading site for writers, and have it follow."""
        with self._steps.step("demote"):
            self._leading.config.patch({"standby_cluster": standby_of(self._to, self._leading)})
            self._end_lsn = _demoted(self._leading)

    def receive(self) -> None:
        """Wait until the other has all that was written."""
        with self._steps.step("last of the log"):
            _arrived(self._to, self._end_lsn)
            _still_follows(self._leading)

    def undo(self) -> None:
        """Give the leading site its writes back."""
        give_back(self._leading, self._to, self._by, self._tell)

    def promote(self, begun: float) -> Switched:
        """Let the other lead; the pause of writes runs from `begun` (monotonic) to its first."""
        to = self._to
        self._tell("promote.started", self._by, database=to.cell, region=to.region)
        with self._steps.step("promote"):
            to.config.patch({"standby_cluster": None})
            proof = to.writes_within(_DEMOTED_S)
        pause_s = proof.mono_ns / 1e9 - begun
        self._tell(
            "promote.done",
            self._by,
            mono_ns=proof.mono_ns,
            database=to.cell,
            region=to.region,
            member=to.director.leader(),
            proof=proof.to_json(),
            pause_s=round(pause_s, 3),
        )
        return Switched(to.region, proof, pause_s, self._steps.took)

    def settle(self, switched: Switched) -> None:
        """Edges, and both kinds of standby again."""
        leading, to = self._leading, self._to
        with self._steps.step("edges"):
            to.fencing.open_edges()
        with self._steps.step("redundancy"):
            followed_within(leading, to, _FOLLOWS_S)
            _synchronous(to)
            # It would keep log for a follower that has become the leader.
            leading.config.patch({"slots": {to.site.slot: None}})
        self._tell(
            "switch.done", self._by, database=to.cell, region=to.region, pause_s=round(switched.pause_s, 3),
            took_s=self._steps.total_s,
        )  # fmt: skip


def _demoted(leading: Side) -> int:
    """Wait until every member of it runs as a standby again; the end of its log (bytes)."""
    last = ""

    def standby() -> int | None:
        nonlocal last
        try:
            state = leading.director.cluster()
        except TargetError as error:
            last = str(error)
            return None
        last = ", ".join(f"{one.name} is {one.role} {one.state} at {one.lsn}" for one in state.members)
        ends = [
            one.lsn for one in state.members if one.role == "standby_leader" and one.reachable and one.lsn
        ]
        well = not state.primaries and all(one.state in ("running", "streaming") for one in state.members)
        return ends[0] if well and ends else None

    try:
        return wait.until(standby, deadline_s=_DEMOTED_S, what=f"{leading.region} as standby", poll_s=_POLL_S)
    except DeadlineError as error:
        raise DeadlineError(f"{error}: {last}") from None


def _arrived(to: Side, end_lsn: int) -> None:
    """Wait until the one who will lead has the log up to there. DeadlineError saying what is missing."""
    last = ""

    def there() -> bool:
        nonlocal last
        members = to.director.cluster().members
        leaders = [one for one in members if one.role == "standby_leader" and one.reachable]
        last = ", ".join(f"{one.name} has {one.lsn} of {end_lsn}" for one in leaders) or "no standby leader"
        return any(one.lsn is not None and one.lsn >= end_lsn for one in leaders)

    try:
        wait.until(there, deadline_s=_DEMOTED_S, what="the last of the log", poll_s=_POLL_S)
    except DeadlineError as error:
        raise DeadlineError(f"{error}: {last}") from None


def _still_follows(leading: Side) -> None:
    """ActionError when somebody gave it its writes back meanwhile: then nobody else may be promoted."""
    if not leading.follows_now():
        raise ActionError(
            f"somebody else gave {leading.region} its writes back during the switch: it goes on leading"
        )


def _synchronous(to: Side) -> None:
    """Wait until a standby of its own acknowledges its commits, where it has one."""
    if len(to.site.members) < 2:
        return
    wait.until(
        lambda: bool(to.director.cluster().sync_standbys),
        deadline_s=_FOLLOWS_S,
        what=f"a synchronous standby in {to.region}",
    )
