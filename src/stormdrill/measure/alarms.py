"""What the estate's own monitoring noticed: alerts, and how long after the fault the first of them came."""

from __future__ import annotations

from stormdrill.measure.chronicle import Chronicle, as_text
from stormdrill.measure.failover_values import Alarms, Alert
from stormdrill.measure.telling import labels_of
from stormdrill.units import NS_PER_S


def alarms(story: Chronicle) -> Alarms:
    """All of it; `rules` None when nobody watched (its sampler says in `problem` why, if it could not)."""
    watched = story.of("alert.rules")
    failed = [e for e in story.of("sampler.failed") if e.data.get("sampler") == "alerts"]
    found = _alerts(story)
    known = bool(watched) or bool(found)
    after = [one.fired_s for one in found if one.fired_s >= 0]
    broken = {str(name): None for event in watched for name in event.data.get("broken") or ()}
    return Alarms(
        rules=max((int(e.data.get("rules", 0)) for e in watched), default=len(found)) if known else None,
        broken=tuple(broken),
        problem=as_text(failed[0].data.get("why")) if failed else "",
        alerts=found,
        detected_s=min(after, default=None) if story.faults else None,
    )


def _alerts(story: Chronicle) -> tuple[Alert, ...]:
    """Every alert that fired, with its end; the same labels may fire again."""
    found: list[Alert] = []
    open_: dict[tuple[str, str], int] = {}  # by name and all labels: two pods of a zone are two alerts
    for event in sorted(story.events, key=lambda e: (e.mono_ns, e.seq)):
        name = str(event.data.get("alert", ""))
        key = (name, repr(sorted((event.data.get("labels") or {}).items())))
        at_s = round((event.mono_ns - story.zero_ns) / NS_PER_S, 6)
        if event.kind == "alert.fired" and key not in open_:
            open_[key] = len(found)
            found.append(Alert(name, labels_of(event.data), at_s, None))
        elif event.kind == "alert.resolved" and key in open_:
            was = found[open_[key]]
            found[open_.pop(key)] = Alert(was.alert, was.labels, was.fired_s, at_s)
    return tuple(found)
