"""Why the books can say nothing of a harm: unread, nothing to be harmed, or a reader that could not see it."""

from __future__ import annotations

from stormdrill.estate import OperationKind
from stormdrill.judge.checking import Case
from stormdrill.measure.money_values import Loss
from stormdrill.verdict import Outcome

Why = tuple[Outcome, str]


def unshown(case: Case) -> Why | None:
    """Why nothing can be said about the books at all; None when something can."""
    loss = case.measured.loss
    if case.plan.topology.audit.kind == "none":
        return Outcome.NOT_EXERCISED, f"data loss is not shown: {loss.why}"
    if not loss.audited:
        return Outcome.INCONCLUSIVE, f"the books were not read: {loss.why}"
    return None


def nothing_meant(case: Case) -> Why | None:
    """Why no movement could have come to harm; None when some were meant.

    A load that asks for no write exercises nothing here. One that did and sent none leaves the question open.
    """
    if case.measured.loss.intents:
        return None
    due = (share for share in case.measured.shares if share.requests or share.dropped or share.excused)
    operations = case.plan.topology.operations
    writes = {name for name, one in operations.items() if one.kind is OperationKind.WRITE}
    if asked := sorted({share.subject for share in due} & writes):
        return (
            Outcome.INCONCLUSIVE,
            f"{', '.join(asked)} came due, but no movement was sent: nothing is shown",
        )
    return Outcome.NOT_EXERCISED, "the load asked for nothing that changes the books"


def not_by_reader(loss: Loss, name: str, what: str) -> Why | None:
    """Why a reader of this kind could not have shown such a movement; None when it could."""
    if name in loss.shows:
        return None
    return Outcome.NOT_EXERCISED, f"books read by {loss.reader} cannot show a movement {what}"
