"""What a watcher is told of an event; most are for the record only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_NAMED = 6
_NO_PLACE = ("severity", "alertname", "alertstate", "instance")
_ADDRESS = re.compile(r"\d+(\.\d+){3}(:\d+)?|\[?[0-9a-f]*:[0-9a-f:.]*\]?(:\d+)?", re.IGNORECASE)


def worth_saying(kind: str, data: Mapping[str, Any]) -> str:
    """One line for a person; empty for what only the record needs."""
    say = _SAYINGS.get(kind)
    return say(data) if say else ""


def alerts_are(state: str, name: str, labels: Sequence[Mapping[str, str]]) -> str:
    """One line for the alerts of one name that went on or off together; `labels` holds those of each."""
    places = sorted({place for one in labels if (place := _place(one))})
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    where = f" ({', '.join(places[:_NAMED])}{more})" if places else ""
    return f"alert {name} is {state}{f': {len(labels)}' if len(labels) > 1 else ''}{where}"


def _place(labels: Mapping[str, str]) -> str:
    """Where an alert is on: its zone or its region, or else what its labels say, but for addresses and grades."""
    if place := labels.get("zone") or labels.get("region"):
        return place
    said = (value for name, value in sorted(labels.items()) if name not in _NO_PLACE)
    return ", ".join(value for value in said if not _ADDRESS.fullmatch(value))


def _whose(data: Mapping[str, Any]) -> str:
    """The cell, where the site has the databases of several."""
    return f" ({data['cell']})" if data.get("cell") else ""


_SAYINGS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "fault.applied": lambda data: (
        f"fault {data['name']} applied to {', '.join(t.get('pod') or t['node'] for t in data['targets'])}"
    ),
    "fault.proven": lambda data: f"fault {data['name']} {'' if data['ok'] else 'NOT '}proven: {data['why']}",
    "fault.refused": lambda data: f"fault {data['name']} refused: {data['why']}",
    "fault.gone": lambda data: f"fault {data['name']} is taken away ({data['took_s']:g} s)",
    "standby.away": lambda data: (
        f"{data['site']} does not follow {data['database']} before the drill: {data['why']}"
    ),
    "fault.lingers": lambda data: f"fault {data['name']} is not gone yet: {data['why']}",
    "fault.ended_early": lambda data: (
        f"fault {data['name']} ended by itself on {data['node']}: {data['reason'] or data['why']}"
    ),
    "fence.armed": lambda data: f"the fence of {data['site']}{_whose(data)} is armed",
    "decision": lambda data: f"decided: {data['what']}",
    "fence.closed": lambda data: (
        f"{data['site']}{_whose(data)} closed for writers: {data['how'] or 'NOT PROVEN'}: {data['why']}"
    ),
    "promote.done": lambda data: f"{data['region']} leads {data['database']}: a write was committed there",
    "route.changed": lambda data: f"the name {data['name']} leads to {', '.join(data['to'])}",
    "failover.done": lambda data: (
        f"failed over to {data['region']}{_whose(data)}, first write {data['first_write_s']} s after the decision"
    ),
    "failover.called_off": lambda data: f"nobody was promoted: {data['region']} takes writes again",
    "rebuild.step": lambda data: (
        f"rebuild of {data['region']}{_whose(data)}: {data['step']} ({data['took_s']:.1f} s)"
    ),
    "switch.step": lambda data: (
        f"switch to {data['region']}{_whose(data)}: {data['step']} ({data['took_s']:.1f} s)"
    ),
    "fork.exported": lambda data: (
        f"the old timeline of {data['region']} is kept in {data['file']}: {data['lost']} lost"
    ),
    "redundancy.restored": lambda data: f"redundant again: {data['how']}",
    "hold": lambda data: f"HOLD. {data['why']}",
    "lease.lost": lambda data: f"fault {data['name']} is not held any more: {data['why']}",
    "fault.reverted": lambda data: f"fault {data['name']} is over: {data['why']}",
    "fault.not_restored": lambda data: f"after fault {data['name']} not whole again: {data['why']}",
    "revert.failed": lambda data: f"fault {data['name']} could NOT be reverted: {data['why']}",
    "db.leader": lambda data: f"database {data['database']}: leader {data['member'] or 'lost'}",
    "recover.seen": lambda data: (
        f"customers are served again (seen {data['after_s']} s after the first fault)"
    ),
    "recover.timeout": lambda data: f"not recovered within {data['limit_s']:g} s",
    "load.died": lambda data: str(data["why"]),
    "abort": lambda data: f"abort by {data['by']}: {data['reason']}",
    "cut": lambda data: f"ended early: {data['reason']}",
    "guard.blind": lambda data: f"guard {data['name']} is blind: {data['why']}",
    "guard.sees": lambda data: f"guard {data['name']} sees again",
    "activity.failed": lambda data: f"activity {data['activity']} failed: {data['error']}",
}
