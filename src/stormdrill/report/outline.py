"""The story of a failover in a few lines, for a reader who was not there: what, when, who, what was lost, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stormdrill.measure.failover_values import Decision, Failover, Takeover
from stormdrill.measure.telling import who
from stormdrill.measure.values import Measurements, Recovery
from stormdrill.report.words import money, seconds
from stormdrill.verdict import Verdict

NAMED = 3  # alerts or targets that a line names


@dataclass(frozen=True)
class Point:
    """One line: a word for what it is about, when (seconds from t0; None for no moment), and the sentence."""

    name: str
    at_s: float | None
    text: str


def outline(measured: Measurements, verdict: Verdict, recoveries: Sequence[Recovery]) -> tuple[Point, ...]:
    """The lines in order of time; empty unless another site took over by somebody's word."""
    found = measured.failover
    outward = [one for one in found.takeovers if one.directed and one.phase != "return"]
    if not outward or not measured.faults:
        return ()
    over_s = max(one.done_s for one in outward)
    taken = [*_decided([one for one in found.decisions if one.at_s <= over_s])]
    taken += [point for one in outward for point in _taken(one)]
    taken.sort(key=lambda point: (point.at_s is not None, point.at_s or 0.0))
    return (
        *_happened(measured), *taken, *_served(recoveries), *_lost(measured, verdict), *_back(found, over_s),
    )  # fmt: skip


def _happened(measured: Measurements) -> Iterator[Point]:
    fault, alarms = measured.faults[0], measured.failover.alarms
    more = f" and {len(fault.targets) - NAMED} more" if len(fault.targets) > NAMED else ""
    what = f"{fault.fault.replace('_', ' ')}: {', '.join(fault.targets[:NAMED])}{more}"
    what += "; proven" if fault.proven else "; NOT proven"
    yield Point("happened", fault.t0_s, what)
    if alarms.detected_s is not None:
        names = ", ".join(dict.fromkeys(one.alert for one in alarms.first))
        yield Point("noticed", alarms.detected_s, f"first alert: {names}")
    else:
        yield Point("noticed", None, "no alert" if alarms.rules else "not known: the alerts were not watched")


def _decided(decisions: Sequence[Decision]) -> Iterator[Point]:
    for one in decisions:
        default = ", by default: nobody was asked" if one.by_default else ""
        yield Point("decided", one.at_s, f"{one.what}, by {who(one.actor)}{default}")


def _taken(one: Takeover) -> Iterator[Point]:
    if not one.fences:
        yield Point("NOT fenced", None, "nothing kept the old site from writing when the other was promoted")
    for fence in one.fences:
        yield Point("fenced", fence.at_s, f"{fence.site} closed for writers, {fence.how}: {fence.why}")
    yield Point("promoted", one.first_write_s, f"{one.member or one.cell} took its first write ({one.proof})")


def _served(recoveries: Sequence[Recovery]) -> Iterator[Point]:
    asked = [entry for entry in recoveries if entry.requests and entry.cell != "all"]
    tier = min((entry.tier[:1] for entry in asked), default="")
    mine = [entry for entry in asked if entry.tier[:1] == tier]
    if any(entry.value_s is None for entry in mine):
        yield Point("NOT served", None, f"not every operation of tier {tier} was seen to recover")
    elif mine:
        worst = max(mine, key=lambda entry: entry.value_s or 0.0)
        whose = f" of {worst.cell}" if len({entry.cell for entry in mine}) > 1 else ""
        yield Point("served again", worst.value_s, f"the last of tier {tier}: {worst.operation}{whose}")


def _lost(measured: Measurements, verdict: Verdict) -> Iterator[Point]:
    loss = measured.loss
    said = next((check for check in verdict.checks if check.id == "lost"), None)
    if not loss.audited:
        yield Point("lost", None, f"not known: {loss.why}")
    elif said is not None:
        yield Point("lost", None, said.why)
    for dual in measured.failover.duals:
        if dual.fork == "none":
            forked = "the old timeline was not read"
        else:
            part = "" if dual.fork == "read" else ", NOT read in full"
            worth = f", worth {money(dual.amount)}" if dual.rows else ""
            forked = f"{dual.rows} movements stand only on the old timeline of {dual.cell}{worth}{part}"
        yield Point("two timelines", None, f"{dual.count} dual writes; {forked}")


def _back(found: Failover, over_s: float) -> Iterator[Point]:
    """The last that led in each cell, if it was promoted in the return."""
    last = {one.cell: one for one in found.takeovers if one.directed and one.phase == "return"}
    homes = sorted(last.values(), key=lambda one: one.done_s)
    if not homes:
        yield Point("came back", None, "no" if found.returned else "not exercised: the drill has no return")
        return
    home_s = homes[-1].done_s
    yield from _decided([one for one in found.decisions if over_s < one.at_s <= home_s])
    several = len(found.pauses) > 1
    pauses = [
        (f"{one.cell} " if several else "")
        + (seconds(one.value_s) if one.value_s is not None else "without end")
        for one in found.pauses
    ]
    paused = f"; writes paused {', '.join(pauses)}" if pauses else ""
    for home in homes:
        said = paused if home is homes[-1] else ""
        yield Point("came back", home.first_write_s, f"{home.member or home.cell} took its first write{said}")
    for one in found.redundancy:
        if one.restored_s is not None:
            whose = f"{one.cell}: " if len(found.redundancy) > 1 else ""
            yield Point("redundant again", one.changed_s + one.restored_s, f"{whose}{one.how}")
        else:
            yield Point("NOT redundant", None, f"{one.cell} had no synchronous standby again by the end")
