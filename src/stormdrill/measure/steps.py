"""Who did what, when: the events of a failover as steps that people read, and those that others compute with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stormdrill.history import Event
from stormdrill.measure.chronicle import Chronicle, as_text
from stormdrill.measure.failover_values import Alert, Decision, Fence, Step
from stormdrill.units import NS_PER_S

Data = Mapping[str, Any]


def _fault(data: Data) -> str:
    return f"fault {data.get('name') or data.get('fault') or ''}".strip()


def _labels(data: Data) -> str:
    labels = data.get("labels") or {}
    kept = {k: v for k, v in labels.items() if k not in ("alertname", "alertstate")} if labels else {}
    return ", ".join(f"{key} {value}" for key, value in sorted(kept.items()))


def _alert(data: Data, what: str) -> str:
    where = _labels(data)
    return f"alert {data.get('alert', '')}{f' ({where})' if where else ''} {what}"


def proof_of(data: Data) -> str:
    """What a promotion was proven by: the director's committed write, or anybody's words."""
    proof = data.get("proof")
    if isinstance(proof, Mapping) and proof.get("timeline") is not None:
        return f"a write committed on timeline {proof['timeline']}"
    return as_text(proof)


def _promoted(data: Data) -> str:
    where = f" in {site_of(data)}" if site_of(data) else ""
    proof = proof_of(data)
    return f"{data.get('member') or data.get('database')}{where} promoted{f': {proof}' if proof else ''}"


def _promoting(data: Data) -> str:
    what = data.get("member") or data.get("database")
    return f"promotion of {what}{f' in {site_of(data)}' if site_of(data) else ''} started"


def site_of(data: Data) -> str:
    """Where a promotion or a fence is."""
    return str(data.get("site") or data.get("region") or "")


def _led(data: Data) -> str:
    timeline = f", timeline {data['timeline']}" if data.get("timeline") is not None else ""
    if not data.get("member"):
        return f"{data.get('database')} has no leader"
    return f"{data['member']} is leader of {data.get('database')}{timeline}"


def _exported(data: Data) -> str:
    unread = data.get("unread")
    part = f"; not read: {as_text(unread)}" if unread else ""
    lost, commits = data.get("lost", 0), data.get("commits", 0)
    return f"old timeline of {data.get('database')} exported: {commits} commits, {lost} movements nobody else has{part}"


def _fenced(data: Data) -> str:
    how, why = data.get("how"), as_text(data.get("why"))
    if not how:
        return f"fence of {site_of(data)} armed" + (f": {why}" if why else "")
    return f"{site_of(data)} closed for writers, {how}{f': {why}' if why else ''}"


def _rebuilt(data: Data) -> str:
    return f"{site_of(data)} follows as standby of the new primary, timeline {data.get('timeline')}"


def _decided(data: Data) -> str:
    choice = f": {data['choice']}" if data.get("choice") else ""
    why = f" ({as_text(data['why'])})" if data.get("why") else ""
    return f"decided: {data.get('what', '')}{choice}{' (by default)' if data.get('auto') else ''}{why}"


def _proven(data: Data) -> str:
    return f"{_fault(data)} {'' if data.get('ok') else 'NOT '}proven: {as_text(data.get('why') or data.get('proof'))}"


SAID: Mapping[str, Callable[[Data], str]] = {
    "fault.applied": lambda data: f"{_fault(data)} applied ({data.get('fault', '')})",
    "fault.proven": _proven,
    "fault.reverting": lambda data: f"{_fault(data)} is being reverted",
    "fault.reverted": lambda data: f"{_fault(data)} is over: {as_text(data.get('why'))}".rstrip(": "),
    "fault.not_restored": lambda data: f"{_fault(data)} is not restored: {as_text(data.get('why'))}",
    "revert.failed": lambda data: f"{_fault(data)} could NOT be reverted: {as_text(data.get('why'))}",
    "alert.fired": lambda data: _alert(data, "fired"),
    "alert.resolved": lambda data: _alert(data, "resolved"),
    "db.leader": _led,
    "decision": _decided,
    "approval": lambda data: f"approved: {data.get('what', '')}",
    "fence.armed": _fenced,
    "fence.closing": lambda data: f"{site_of(data)} is being closed for writers",
    "fence.closed": _fenced,
    "fence.opened": lambda data: f"{site_of(data)} opened for writers",
    "promote.started": _promoting,
    "promote.done": _promoted,
    "route.changed": lambda data: f"{data.get('name', '')} leads to {as_text(data.get('to'))}",
    "fork.exported": _exported,
    "rebuild.started": lambda data: f"rebuild of {site_of(data)} started",
    "rebuild.done": _rebuilt,
    "redundancy.restored": lambda data: (
        f"{data.get('database')} is redundant again: {as_text(data.get('how'))}"
    ),
    "abort": lambda data: f"aborted: {as_text(data.get('reason'))}",
}
TELLING = frozenset(
    {
        "decision",
        "fence.armed",
        "fence.closed",
        "promote.done",
        "route.changed",
        "alert.fired",
        "fault.reverting",
    }
)
"""One of these makes a story that is worth a section; faults and their end alone stand elsewhere."""


def steps(story: Chronicle) -> tuple[Step, ...]:
    """The story in order; empty when nothing of a failover was recorded."""
    events = sorted((e for e in story.events if e.kind in SAID), key=lambda e: (_at_ns(e), e.seq))
    if not any(event.kind in TELLING for event in events):
        return ()
    return tuple(
        Step(_s(_at_ns(e), story), e.utc, e.kind, str(e.data.get("actor") or e.actor), SAID[e.kind](e.data))
        for e in events
    )


def alerts(story: Chronicle) -> tuple[Alert, ...]:
    """Every alert that fired, with its end; the same labels may fire again."""
    found: list[Alert] = []
    open_: dict[tuple[str, str], int] = {}
    for event in sorted(story.events, key=lambda e: (e.mono_ns, e.seq)):
        key = (str(event.data.get("alert", "")), _labels(event.data))
        if event.kind == "alert.fired" and key not in open_:
            open_[key] = len(found)
            found.append(Alert(*key, _s(event.mono_ns, story), None))
        elif event.kind == "alert.resolved" and key in open_:
            was = found[open_[key]]
            found[open_.pop(key)] = Alert(was.alert, was.labels, was.fired_s, _s(event.mono_ns, story))
    return tuple(found)


def detected_s(found: tuple[Alert, ...], story: Chronicle) -> float | None:
    """When the first alert fired after t0; None when none did, or there was no fault."""
    return min((one.fired_s for one in found if one.fired_s >= 0), default=None) if story.faults else None


def decisions(story: Chronicle) -> tuple[Decision, ...]:
    """Every decision, in order."""
    return tuple(
        Decision(
            _s(event.mono_ns, story),
            str(event.data.get("what", "")),
            str(event.data.get("actor") or event.actor),
            bool(event.data.get("auto")),
        )
        for event in story.of("decision")
    )


def fences(story: Chronicle, before_ns: int) -> tuple[Fence, ...]:
    """The last word on every site's fence before a moment. One that was only armed keeps nobody out yet."""
    found: dict[str, Fence] = {}
    told = [*story.of("fence.armed"), *story.of("fence.closed"), *story.of("fence.opened")]
    for event in sorted(told, key=lambda e: (e.mono_ns, e.seq)):
        data = event.data
        site = site_of(data)
        if event.mono_ns > before_ns:
            break
        if event.kind == "fence.opened":
            found.pop(site, None)
        elif data.get("how"):
            why = as_text(data.get("why") or data.get("proof"))
            found[site] = Fence(site, str(data["how"]), _s(event.mono_ns, story), why)
    return tuple(found[site] for site in sorted(found))


def _at_ns(event: Event) -> int:
    """A fault began at its own t0, not when that was written down."""
    return int(event.data.get("t0_ns") or event.mono_ns) if event.kind == "fault.applied" else event.mono_ns


def _s(at_ns: int, story: Chronicle) -> float:
    return round((at_ns - story.zero_ns) / NS_PER_S, 6)
