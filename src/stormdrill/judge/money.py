"""Money objectives: nothing acknowledged is lost, nothing is booked twice, otherwise, or out of nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from stormdrill.judge.checking import Case, check, seconds
from stormdrill.judge.loss_limit import LossLimit, loss_limit
from stormdrill.judge.silence import not_by_reader, nothing_meant, unshown
from stormdrill.judge.zero_lost import none_lost
from stormdrill.measure.money_values import Invariant, Loss
from stormdrill.units import format_money
from stormdrill.verdict import Check, Outcome

EVIDENCE = ("witness/load-0.rec", "books.json")
BASE = ("records_intact", "fault_proven", "audit_complete", "load_ran_to_end", "method_ran")
WINDOW = "start of the load to the audit"


def money(case: Case) -> Iterator[Check]:
    """Checks of the witness against the books, and of the books by themselves."""
    if not case.written:
        return
    yield _lost(case)
    yield _count(case, "duplicated", "booked more than once", case.plan.experiment.objectives.max_duplicated)
    yield _count(case, "altered", "booked with another amount or account than meant", 0)
    yield _count(case, "refused_booked", "refused to the customer, yet booked", 0)
    yield _ghosts(case)
    yield from _invariants(case)


def _lost(case: Case) -> Check:
    loss, limit = case.measured.loss, loss_limit(case)
    tally = loss.tallies.get("lost")
    depends = (*BASE, "sync_state_known")
    early = unshown(case) or nothing_meant(case) or not_by_reader(loss, "lost", "acknowledged and missing")
    if early is not None or tally is None:
        outcome, why = early or (Outcome.INCONCLUSIVE, "the books were not read")
        return check(
            "lost",
            "data_loss",
            outcome,
            why,
            unit="movements",
            limit=limit.text,
            evidence=EVIDENCE,
            depends_on=depends,
        )
    outcome, why = _judge_lost(loss, tally.count, format_money(tally.amount), limit)
    return check(
        "lost", "data_loss", outcome, why, value=tally.count, unit="movements", limit=limit.text, window=WINDOW,
        evidence=EVIDENCE, depends_on=depends,
        details={
            "amount": tally.amount, "seconds": loss.loss_s, "after_t0": loss.lost_after_t0,
            "acknowledged": loss.acknowledged, "upper_bound_ratio": loss.upper_bound_ratio,
            "at_risk": loss.risk.at_risk, "path": loss.risk.path, "lag_s": loss.risk.lag_s,
            "within_allowed": loss.risk.within_allowed,
            **({"by_cell": {one.cell: one.lost.count for one in loss.cells}} if loss.cells else {}),
        },
    )  # fmt: skip


def _judge_lost(loss: Loss, count: int, amount: str, limit: LossLimit) -> tuple[Outcome, str]:
    if count:
        struck = "the fault was in place"
        span = (
            f"the earliest {seconds(loss.loss_s)} before {struck}"
            if loss.loss_s
            else f"all acknowledged after {struck}"
        )
        if 0 < loss.lost_after_t0 < count:
            span += f", {loss.lost_after_t0} acknowledged after it"
        missing = "movement is" if count == 1 else "movements are"
        said = f"{count} acknowledged {missing} not in the books, worth {amount} ({span}){_by_cell(loss)}"
        if loss.unread:
            said += f"; the books of {', '.join(loss.unread)} were not read"
        elif not loss.complete:
            return Outcome.INCONCLUSIVE, f"{said}, but the books were not read in full: {loss.why}"
        return (Outcome.PASS if limit.keeps(loss.loss_s, loss.lost_after_t0, count) else Outcome.FAIL), said
    read = [one.acknowledged for one in loss.cells if one.read]
    return none_lost(loss, sum(read) if loss.unread else loss.acknowledged, limit)


def _by_cell(loss: Loss) -> str:
    """Whose they are, where there are several cells."""
    found = [f"{one.cell} {one.lost.count}" for one in loss.cells if one.lost.count]
    return f"; by cell: {', '.join(found)}" if found else ""


def _count(case: Case, name: str, what: str, most: int) -> Check:
    """A class of which at most `most` movements may exist. What was read is proof, even of partial books."""
    tally = case.measured.loss.tallies.get(name)
    limit = f"<= {most} movements"
    early = unshown(case)
    if early is None and not (tally and tally.count):  # what was read is there, whatever the reader promises
        # Ghosts are nobody's intents: books may hold them although nothing was meant.
        nothing = nothing_meant(case) if name != "ghost" else None
        early = nothing or not_by_reader(case.measured.loss, name, what)
    if early is not None or tally is None:
        outcome, why = early or (Outcome.INCONCLUSIVE, "the books were not read")
        return check(
            name, "books", outcome, why, unit="movements", limit=limit, evidence=EVIDENCE, depends_on=BASE
        )
    said = f"{tally.count} movement{'s' if tally.count > 1 else ''}" if tally.count else "no movement"
    worth = f", worth {format_money(tally.amount)}" if tally.count else ""
    outcome = Outcome.PASS if tally.count <= most else Outcome.FAIL
    return check(
        name, "books", outcome, f"{said} {what}{worth}", value=tally.count, unit="movements", limit=limit,
        window=WINDOW, evidence=EVIDENCE, depends_on=BASE, details={"amount": tally.amount},
    )  # fmt: skip


def _ghosts(case: Case) -> Check:
    """Booked, never meant. A hole in the witness could make one, so then it proves nothing."""
    found = _count(case, "ghost", "booked that nobody meant", 0)
    if found.verdict is Outcome.FAIL and (case.measured.records.bad or case.measured.records.problems):
        why = f"{found.why}; but the witness is not whole, so they may have been meant"
        return check(
            "ghost", "books", Outcome.INCONCLUSIVE, why, value=found.measured.value, unit="movements",
            limit=found.limit, window=WINDOW, evidence=EVIDENCE, depends_on=BASE,
        )  # fmt: skip
    return found


def _invariants(case: Case) -> Iterator[Check]:
    for item in case.measured.loss.invariants:
        if item.value is None:
            reason = f": {item.why}" if item.why else ""
            outcome, why = Outcome.INCONCLUSIVE, f"could not be computed{reason}"
        else:
            outcome = Outcome.PASS if item.value == item.expect else Outcome.FAIL
            why = f"came out as {item.value:g}, must be {item.expect:g}{_over(item)}"
        whose = f" ({item.cell})" if item.cell else ""
        name = f"books.{item.id}" + (f".{item.cell}" if item.cell else "")
        yield check(
            name, "invariant", outcome, f"{item.id.replace('-', ' ')}{whose}: {why}", value=item.value,
            limit=f"== {item.expect:g}", window="at the audit", evidence=("books.json",),
            depends_on=("audit_complete",),
            details={"by_cell": dict(item.parts), "odd": dict(item.odd)} if item.parts else None,
        )  # fmt: skip


def _over(item: Invariant) -> str:
    """What each cell has of it where it is not right, and the first keys that do not cancel."""
    if item.value == item.expect or len(item.parts) < 2:
        return ""
    cells = ", ".join(f"{cell} {value}" for cell, value in item.parts.items())
    keys = ", ".join(f"{key} ({amount})" for key, amount in islice(item.odd.items(), 3))
    more = f" and {len(item.odd) - 3} more" if len(item.odd) > 3 else ""
    return f"; by cell: {cells}" + (f"; not matched: {keys}{more}" if keys else "")
