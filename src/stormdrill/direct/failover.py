"""The remote site takes over, by decision: the lost site is closed, then the other promoted, then phones led there.

Up to the promotion all can be taken back (`call_off`); from it on, one holds or goes forward.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from stormdrill import wait
from stormdrill.direct.promotion import Decision, Promotion, confirm, refuse_second
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Side
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.fence import FenceRecord, State
from stormdrill.fence.site import Tell

CLOSED_WITHIN_S = 60.0
BACK_WITHIN_S = 90.0
_TRY_S = 3.0
_POLL_S = 0.2


def close(old: Side, by: str, check: Callable[[], None], deadline_s: float = CLOSED_WITHIN_S) -> FenceRecord:
    """Close the old site, again and again until it is known to be closed, and how.

    `check` may raise at any time, to end it. ActionError saying what stands against it, at the deadline.
    """
    last = ""

    def closed() -> FenceRecord | None:
        nonlocal last
        check()
        try:
            record = old.fencing.close(by, _TRY_S)
        except (ActionError, TargetError) as error:
            last = str(error)
            return None
        last = record.why
        return record if record.how is not None else None

    try:
        return wait.until(closed, deadline_s=deadline_s, what="the fence", poll_s=_POLL_S)
    except DeadlineError:
        raise ActionError(
            f"the fence of {old.text} was not obtained within {deadline_s:g} s: {last}. Nobody was promoted"
        ) from None


def promote_unfenced(
    new: Side, old: Side, decision: Decision, tell: Tell, *, check: Callable[[], None]
) -> Promotion:
    """The mistake that a fence is there to prevent, made on purpose: for a drill that shows what comes of it."""
    refuse_second(new)
    fence = FenceRecord(old.region, State.OPEN, decision.by, {}, None, "skipped on purpose")
    tell("decision", decision.by, what=f"promote {new.text} without a fence", why=decision.why, **new.whose)
    check()
    tell("promote.started", decision.by, database=new.cell, region=new.region, fence=fence.to_json())
    begun = time.monotonic()
    new.config.patch({"standby_cluster": None})
    return confirm(new, fence, tell, begun)


def lead(region: str, routes: Routes, by: str, tell: Tell) -> None:
    """Lead phones to `region` and wait until an edge there serves. TargetError when that does not come about."""
    begun = time.monotonic()
    routes.turn_to(region, by, tell)
    answer = routes.serving(region)
    tell(
        "route.serving",
        by,
        region=region,
        edges=list(answer.edges),
        took_s=round(time.monotonic() - begun, 3),
    )


def call_off(old: Side, by: str, tell: Tell, deadline_s: float = BACK_WITHIN_S) -> None:
    """Give a closed site back to writers, nobody having been promoted; prove it by a write, then open its edges.

    The caller has seen that nobody was. Edges stay shut while another cell is closed behind them: who is opened last
    opens them. TargetError when that is not done by the deadline: what was opened stays open.
    """
    end = time.monotonic() + deadline_s

    def left_s() -> float:
        return max(1.0, end - time.monotonic())

    opened = old.fencing.record()
    if opened is not None and opened.state is State.CLOSED:
        retried(lambda: old.fencing.open(by, edges=False), left_s(), f"{old.text} opened again")
    proof = old.writes_within(left_s())
    if not old.fencing.closed_neighbours():
        retried(old.fencing.open_edges, left_s(), f"{old.region}'s edges")
    tell("failover.called_off", by, database=old.cell, region=old.region, proof=proof.to_json())


def retried(do: Callable[[], object], deadline_s: float, what: str) -> None:
    """Try until it succeeds: a site that is just coming back refuses for a while. DeadlineError with its last word."""
    last = ""

    def done() -> bool:
        nonlocal last
        try:
            do()
        except (ActionError, TargetError) as error:
            last = str(error)
            return False
        return True

    try:
        wait.until(done, deadline_s=deadline_s, what=what, poll_s=_POLL_S)
    except DeadlineError as error:
        raise DeadlineError(f"{error}: {last}") from None
