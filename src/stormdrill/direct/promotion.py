"""Promotion of a standby cluster, by decision: refused while the old site may write, proven by a committed write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stormdrill.direct.side import Side
from stormdrill.direct.write_proof import WriteProof
from stormdrill.errors import ActionError, TargetError
from stormdrill.fence import FenceRecord, How, State
from stormdrill.fence.site import Tell

WRITES_WITHIN_S = 60.0


@dataclass(frozen=True)
class Promotion:
    """What was promoted, with the first committed write. `fence` is how the old site was known to be closed."""

    region: str
    member: str | None
    proof: WriteProof
    fence: FenceRecord
    took_s: float


@dataclass(frozen=True)
class Decision:
    """Who decided for the promotion and why. `declared`: their word that the old site takes no writes, if given."""

    by: str
    why: str
    declared: str | None = None


def promote(
    new: Side,
    old: Side,
    decision: Decision,
    tell: Tell,
    *,
    seen: FenceRecord | None = None,
    check: Callable[[], None] = lambda: None,
    deadline_s: float = WRITES_WITHIN_S,
) -> Promotion:
    """Make `new` the database of its cell.

    `seen` is the fence as it was proven a moment ago: it is not looked at again while nobody has touched it since.
    `check` may raise, for the last time just before the promotion is asked for; nothing is changed then.

    ActionError, with nothing changed, when it has been promoted already, or when the old site is not fenced well
    enough and nobody has declared it. TargetError when no write was committed by the deadline (the promotion
    itself stands: ask `confirm`).
    """
    refuse_second(new)
    by = decision.by
    fence = sufficient(old, decision, seen)
    tell("decision", by, what=f"promote {new.text}", why=decision.why, fence=fence.how, **new.whose)
    begun = time.monotonic()
    before = _received(new)
    check()
    tell("promote.started", by, database=new.cell, region=new.region, fence=fence.to_json(), received=before)
    new.config.patch({"standby_cluster": None})
    return confirm(new, fence, tell, begun, deadline_s)


def confirm(
    new: Side, fence: FenceRecord, tell: Tell, begun: float, deadline_s: float = WRITES_WITHIN_S
) -> Promotion:
    """Prove a promotion that was asked for at `begun` (monotonic), by us or by somebody who died over it."""
    proof = new.writes_within(deadline_s)
    member = new.director.leader()
    took_s = time.monotonic() - begun
    tell(
        "promote.done",
        mono_ns=proof.mono_ns,
        database=new.cell,
        region=new.region,
        member=member,
        proof=proof.to_json(),
        took_s=round(took_s, 3),
    )
    return Promotion(new.region, member, proof, fence, took_s)


def refuse_second(new: Side) -> None:
    """ActionError when `new` is no standby cluster (any more), by its store: a moment ago counts as well."""
    if not new.follows_now():
        leader = new.director.leader()
        state = f"its leader is {leader}" if leader else "it has no leader now"
        raise ActionError(
            f"{new.cell} in {new.region} has been promoted already ({state}): nothing was changed"
        )


def sufficient(old: Side, decision: Decision, seen: FenceRecord | None = None) -> FenceRecord:
    """The old site's fence as it is now. ActionError when it does not hold, and the decision does not cover that.

    To look takes seconds, since dead sites answer slowly: one that was `seen` to be proven is taken as it is kept.
    """
    try:
        kept = old.fencing.record()
        if kept is None or kept.state is not State.CLOSED:
            state = kept.state.value if kept else "never armed"
            raise ActionError(f"{old.region} is not fenced ({state}): two sites could write; close it first")
        if seen is not None and kept.how is How.PROVEN and kept.version == seen.version:
            return kept
        fence = old.fencing.look(kept.by, kept)
        if fence.how is None and decision.declared:
            fence = old.fencing.declare(decision.by, decision.declared)
    except TargetError as error:
        return _unseen(old, decision, str(error))
    if fence.how is None:
        raise ActionError(
            f"the fence of {old.region} is not proven: {fence.why}. To go on, a person has to declare it"
        )
    return fence


def _unseen(old: Side, decision: Decision, error: str) -> FenceRecord:
    """A fence nobody can look at, taken on somebody's word unless a member there says that it writes.

    It is kept in the history only.
    """
    if not decision.declared:
        raise ActionError(
            f"the fence of {old.region} cannot be looked at: {error}. To go on, a person has to declare it"
        )
    old.fencing.need_no_writer()
    why = f"{decision.declared} (observed: {error})"
    return FenceRecord(old.region, State.CLOSED, decision.by, {}, How.DECLARED, why)


def _received(new: Side) -> dict[str, Any]:
    """How far the standby's log reaches: what it has not received is lost."""
    state = new.director.cluster()
    return {member.name: member.lsn for member in state.members if member.lsn is not None}
