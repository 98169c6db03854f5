"""Events of a failover as sentences that people read; an empty one is not worth a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stormdrill.measure.chronicle import as_text

Data = Mapping[str, Any]


def _fault(data: Data) -> str:
    return f"fault {data.get('name') or data.get('fault') or ''}".strip()


_PLACE = ("pod", "zone", "region")
_NAMED = 3  # alerts of one name that a line names


def labels_of(data: Data) -> str:
    """Where an alert is on, as people say it: its pod, zone or region, or else whatever labels it has."""
    labels = {
        k: v
        for k, v in (data.get("labels") or {}).items()
        if k not in ("alertname", "alertstate", "severity")
    }
    place = [name for name in _PLACE if name in labels]
    kept = place[:2] if place else sorted(labels)
    return ", ".join(f"{name} {labels[name]}" for name in kept)


def _alert(data: Data, what: str) -> str:
    """One alert, or all of one name that came together (`all`: their labels)."""
    found = data.get("all") or [data.get("labels")]
    where = [text for labels in found if (text := labels_of({"labels": labels}))]
    more = f" and {len(where) - _NAMED} more" if len(where) > _NAMED else ""
    many = f"{len(found)} alerts" if len(found) > 1 else "alert"
    said = f" ({'; '.join(where[:_NAMED])}{more})" if where else ""
    return f"{many} {data.get('alert', '')}{said} {what}"


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


def who(actor: str) -> str:
    """An actor as people read it; a drill signs with the run's name, which the reader has before him."""
    return "the drill" if actor.startswith("drill ") or actor == "stormdrill" else actor


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


def place_of(data: Data) -> str:
    """As `site_of`, with the cell where the site has the databases of several."""
    return f"{site_of(data)} ({data['cell']})" if data.get("cell") else site_of(data)


def _fenced(data: Data) -> str:
    how, why = data.get("how"), as_text(data.get("why"))
    if not how:
        return f"fence of {place_of(data)} armed" + (f": {why}" if why else "")
    return f"{place_of(data)} closed for writers, {how}{f': {why}' if why else ''}"


def _rebuilt(data: Data) -> str:
    return f"{place_of(data)} follows as standby of the new primary, timeline {data.get('timeline')}"


def _decided(data: Data) -> str:
    choice = f": {data['choice']}" if data.get("choice") else ""
    why = f" ({as_text(data['why'])})" if data.get("why") else ""
    people = [str(name) for name in data.get("people") or ()]
    others = f", with {', '.join(people[1:])}" if len(people) > 1 else ""
    default = " (by default: nobody was asked)" if data.get("auto") else ""
    return f"decided: {data.get('what', '')}{choice}{others}{default}{why}"


def _opened(data: Data) -> str:
    site = place_of(data)
    if data.get("edges") is False:
        return f"the databases of {site} may run again; its edges stay closed"
    return f"{site} opened for writers"


def _books(data: Data) -> str:
    """Books that are read within the story: after the failover."""
    if not data.get("after"):
        return ""
    whole = "" if data.get("complete") else f", NOT in full ({as_text(data.get('why'))})"
    return f"books read after the {data['after']}: {data.get('movements', 0)} movements{whole}"


def _took(data: Data) -> str:
    return f" ({float(data['took_s']):.1f} s)" if data.get("took_s") is not None else ""


def _step(what: str) -> Callable[[Data], str]:
    return lambda data: f"{what} of {place_of(data)}: {data.get('step', '')} done{_took(data)}"


def _runbook_step(data: Data) -> str:
    """What was done by the book; a decision has a line of its own."""
    result = str(data.get("result") or "")
    if result in ("decided", "not_exercised", "skipped"):
        return ""
    saw = f": {as_text(data['saw'])}" if data.get("saw") else ""
    return f"runbook step {data.get('number', '')} {result}: {data.get('title', '')}{saw}"


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
    "fence.closing": lambda data: f"{place_of(data)} is being closed for writers",
    "fence.closed": _fenced,
    "fence.opened": _opened,
    "fence.disarmed": lambda data: f"fence of {place_of(data)} disarmed: it is not needed any more",
    "edge.failed": lambda data: f"edge {data.get('edge', '')} could not be shut: {as_text(data.get('why'))}",
    "promote.started": _promoting,
    "promote.done": _promoted,
    "route.changed": lambda data: f"the name {data.get('name', '')} leads to {as_text(data.get('to'))}",
    "route.serving": lambda data: (
        f"phones are served in {site_of(data)}, by {as_text(data.get('edges'))}{_took(data)}"
    ),
    "failover.called_off": lambda data: f"failover called off: {site_of(data)} has its writers back",
    "hold": lambda data: f"HOLD: {as_text(data.get('why'))}",
    "books.read": _books,
    "return.started": lambda data: f"the way back to {site_of(data)} begins: {as_text(data.get('why'))}",
    "fork.exported": _exported,
    "rebuild.step": _step("rebuild"),
    "switch.step": _step("switch to the databases"),
    "switch.undone": lambda data: f"switch undone: {site_of(data)} leads on",
    "rebuild.started": lambda data: f"rebuild of {place_of(data)} started",
    "rebuild.done": _rebuilt,
    "redundancy.restored": lambda data: (
        f"{data.get('database')} is redundant again: {as_text(data.get('how'))}"
    ),
    "runbook.start": lambda data: f"runbook {data.get('name') or data.get('runbook') or ''} begun".replace(
        "  ", " "
    ),
    "runbook.left": lambda data: f"runbook left: {as_text(data.get('why'))}",
    "runbook.end": lambda data: f"runbook ended: {as_text(data.get('outcome'))}",
    "step.failed": lambda data: (
        f"runbook step {data.get('number', '')} FAILED: {data.get('title', '')}: {data.get('why', '')}"
    ),
    "step.done": _runbook_step,
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
