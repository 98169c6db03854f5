"""A change of hands and the way back: fenced, no dual writes, nothing lost on the way, redundant again."""

from __future__ import annotations

from collections.abc import Iterator

from stormdrill.judge.checking import CLIENT, Case, check, seconds
from stormdrill.judge.loss_limit import loss_limit
from stormdrill.judge.zero_lost import none_lost
from stormdrill.measure.failover_values import Dual, LossThen, Pause, Redundancy, Takeover
from stormdrill.units import format_money
from stormdrill.verdict import Check, Outcome

PLANNED = "planned-switch"
"""The fault class whose recovery time is the pause of writes that a planned switch may take."""
HISTORY = ("history.jsonl",)
SEEN = ("proven", "by quorum loss", "by edge")
"""Fences that somebody saw hold; one that is declared rests on a person's word."""
Why = tuple[Outcome, str]


def failover(case: Case) -> Iterator[Check]:
    """Checks of a run in which a cell's writes changed hands, or the network was cut so that they might have."""
    found = case.measured.failover
    databases = case.plan.topology.databases
    several = len(databases) > 1
    if found.canaries.proofs and case.written:
        for cell in databases:
            if cell not in {one.cell for one in found.takeovers}:
                yield _nobody_took_over(cell if several else "")
    for dual in found.duals:
        yield _dual(case, "dual_writes" + (f".{dual.cell}" if several else ""), dual)
    directed = [one for one in found.takeovers if one.directed]
    if directed:
        yield _fence(case, directed)
    if found.loss_then is not None:
        yield _lost_then(case, found.loss_then)
    if found.returned and (found.pauses or case.written):
        yield from (_pause(case, pause, len(found.pauses) > 1) for pause in found.pauses)
    for entry in found.redundancy:
        suffix = f".{entry.cell}" if len(found.redundancy) > 1 else ""
        yield _redundant(entry, suffix, returned=found.returned)


def _nobody_took_over(cell: str) -> Check:
    name, why = "dual_writes" + (f".{cell}" if cell else ""), "no other timeline took writes"
    return check(name, "dual_writes", Outcome.NOT_EXERCISED, why, unit="commits", limit="== 0")


def _dual(case: Case, name: str, dual: Dual) -> Check:
    outcome, why = _judge_dual(case, dual)
    return check(
        name, "dual_writes", outcome, why, value=dual.count, unit="commits", limit="== 0",
        window="from the new timeline's first acknowledged write on",
        evidence=("fork.json", *HISTORY) if dual.seen_by == "fork" else ("witness/load-0.rec", "books.json"),
        depends_on=("records_intact",) if dual.seen_by == "fork" else ("records_intact", "audit_complete"),
        details={
            "cell": dual.cell, "fork": dual.fork, "commits": dual.commits, "movements": dual.rows,
            "acknowledged": dual.acknowledged, "undecided": dual.undecided, "last_s": dual.last_s,
            "clock_error_s": dual.clock_error_s,
        },
    )  # fmt: skip


def _judge_dual(case: Case, dual: Dual) -> Why:
    if dual.count:
        told = f", {dual.acknowledged} of them acknowledged to customers" if dual.acknowledged else ""
        by = "" if dual.seen_by == "fork" else "at least "
        span = ""
        if dual.last_s is not None and dual.clock_error_s is not None:
            span = f", until {dual.last_s * 1000:.0f} ms after it (± {dual.clock_error_s * 1000:.0f} ms)"
        commits = "commit" if dual.count == 1 else "commits"
        said = f"{by}{dual.count} {commits} on the old timeline after the new one's first acknowledged write"
        return Outcome.FAIL, f"{said}{told}{span}"
    if dual.undecided:
        return Outcome.INCONCLUSIVE, (
            f"{dual.undecided} commits on the old timeline are too close to the new one's first write "
            "for what is known of the old site's clock"
        )
    if dual.fork == "read":
        return Outcome.PASS, (
            f"the old timeline was read in full: none of its {dual.commits} commits that the new one does not have "
            "came after the new one's first acknowledged write"
        )
    if dual.fork == "partial":
        return Outcome.INCONCLUSIVE, f"the old timeline was not read in full ({dual.why})"
    return _unread(case, dual)


def _unread(case: Case, dual: Dual) -> Why:
    """Without the old timeline only what customers were told is known, and how the old site was kept from writing."""
    loss = case.measured.loss
    if not (loss.audited and loss.complete):
        return Outcome.INCONCLUSIVE, f"neither the old timeline nor the books were read in full: {loss.why}"
    one = next(one for one in case.measured.failover.takeovers if one.cell == dual.cell)
    told = "no write that a customer was told of was taken by the old timeline after the new one's first"
    if not one.directed:
        return Outcome.PASS, f"{told}; the cluster itself changed hands, by quorum"
    weak = [fence for fence in one.fences if fence.how not in SEEN]
    if not one.fences or weak:
        held = f"the fence was only {weak[0].how}" if weak else "no fence was recorded"
        return Outcome.INCONCLUSIVE, f"{told}, but {held}, and the old timeline was not read"
    return Outcome.PASS, f"{told}; {_fences(one)}"


def _fence(case: Case, directed: list[Takeover]) -> Check:
    """Every promotion by a director needs the old site closed before it began."""
    outward = [one for one in directed if one.phase != "return"] or directed
    open_ = [one for one in outward if not one.fences]
    if open_:
        who = ", ".join(f"{one.member or one.cell}" for one in open_)
        taken = " by decision" if all(one.decided for one in open_) else ", and nobody decided that"
        outcome, why = Outcome.FAIL, f"{who} was promoted with no fence around the old site{taken}"
    else:
        weak = [one for one in outward if any(fence.how not in SEEN for fence in one.fences)]
        read = all(dual.fork == "read" for dual in case.measured.failover.duals)
        why = "; ".join(dict.fromkeys(_fences(one) for one in outward))
        outcome = Outcome.PASS if not weak or read else Outcome.INCONCLUSIVE
        if weak:
            why += "; the old timeline was read since" if read else "; nothing that was seen shows it"
    return check(
        "fence", "failover", outcome, why, limit="before every promotion", window="before the promotion began",
        evidence=HISTORY, details={"how": [fence.how for one in outward for fence in one.fences]},
    )  # fmt: skip


def _fences(one: Takeover) -> str:
    said = [
        f"{f.site} was closed {one.done_s - f.at_s:.1f} s before the promotion was done: {f.how}"
        for f in one.fences
    ]
    return "; ".join(said)


def _lost_then(case: Case, then: LossThen) -> Check:
    limit = loss_limit(case)
    if not then.audited:
        outcome, why = Outcome.INCONCLUSIVE, f"the books were not read after the failover: {then.why}"
    elif not then.complete:
        outcome, why = Outcome.INCONCLUSIVE, f"the books were not read in full after the failover: {then.why}"
    elif not then.count:
        outcome, why = none_lost(case.measured.loss, then.acknowledged, limit)
        why = f"when the books were read after the failover: {why}"
    else:
        kept = limit.keeps(then.loss_s, then.after_t0, then.count)
        outcome = Outcome.PASS if kept else Outcome.FAIL
        why = f"after the failover {then.count} of {then.acknowledged} acknowledged movements were missing"
        why += f", worth {format_money(then.amount)}, the earliest {seconds(then.loss_s)} before the fault was in place"
        why += f"; {then.late} of them are in the final books" if then.late else ""
        why += f"; {then.since} more went missing since" if then.since else ""
    return check(
        "lost.failover", "data_loss", outcome, why, value=then.count if then.audited else None, unit="movements",
        limit=limit.text, window="start of the load to the reading after the failover",
        evidence=("witness/load-0.rec", "books-failover.json"),
        depends_on=("records_intact", "fault_proven", "sync_state_known"),
        details={"amount": then.amount, "seconds": then.loss_s, "late": then.late, "since": then.since},
    )  # fmt: skip


def _pause(case: Case, pause: Pause, several: bool) -> Check:
    limit_s, basis = _pause_limit(case)
    name = "return.write_pause" + (f".{pause.cell}" if several else "")
    length = "never ended" if pause.value_s is None else f"lasted {seconds(pause.value_s)}"
    said = f"the longest pause of writes in the return {length}"
    if limit_s is None:
        outcome, why = Outcome.NOT_EXERCISED, f"{said}; the continuity file has no {PLANNED}"
    elif pause.lower_bound_s > limit_s:
        outcome, why = Outcome.FAIL, f"{said}; allowed are {seconds(limit_s)}"
    elif pause.value_s is None or pause.value_s > limit_s:
        outcome, why = Outcome.INCONCLUSIVE, f"{said}: whether {seconds(limit_s)} were kept was not watched"
    elif pause.resolution_s > limit_s:
        outcome, why = (
            Outcome.INCONCLUSIVE,
            f"{said}, but writes were asked for only every {seconds(pause.resolution_s)}",
        )
    else:
        outcome, why = Outcome.PASS, said if pause.value_s else "no write was hurt in the return"
    value = pause.value_s if pause.value_s is not None else f"> {pause.lower_bound_s:g}"
    return check(
        name, "return", outcome, why, value=value,
        unit="s", error=pause.resolution_s, limit="" if limit_s is None else f"<= {limit_s:g} s", window="return",
        evidence=("requests/load-0.rec", *HISTORY), depends_on=CLIENT, details={"basis": basis, "cell": pause.cell},
    )  # fmt: skip


def _pause_limit(case: Case) -> tuple[float | None, str]:
    continuity = case.plan.continuity
    if PLANNED not in continuity.fault_classes or not case.letters:
        return None, ""
    figure = getattr(continuity.objective(PLANNED, case.letters[0]), "recovery_time", None)
    return (None, "") if figure is None else (figure.value, f"[{figure.basis}] {figure.source}".strip())


def _redundant(entry: Redundancy, suffix: str, *, returned: bool) -> Check:
    if not entry.before:
        outcome, why = Outcome.NOT_EXERCISED, "no standby was synchronous before the fault either"
    elif entry.restored_s is not None:
        since_t0 = seconds(entry.changed_s + entry.restored_s)
        said = (
            f"redundant again {seconds(entry.restored_s)} after the last change of hands, {since_t0} after t0"
        )
        outcome, why = Outcome.PASS, f"{said}: {entry.how}"
    elif not returned:
        outcome, why = (
            Outcome.NOT_EXERCISED,
            "the run has no return: no standby of the old site was to be expected",
        )
    elif entry.samples:
        outcome = Outcome.FAIL
        why = f"{entry.leader or entry.cell} had no synchronous standby again by the end of the run"
    else:
        outcome, why = (
            Outcome.INCONCLUSIVE,
            "the replication state was not seen after the last change of hands",
        )
    return check(
        f"redundancy{suffix}", "return", outcome, why, value=entry.restored_s, unit="s", limit="restored by the end",
        window="last change of hands to the end", evidence=HISTORY,
    )  # fmt: skip
