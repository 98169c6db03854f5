"""Time to detect: when the estate's own monitoring noticed. Published; no regulation states a limit for it."""

from __future__ import annotations

from collections.abc import Iterator

from stormdrill.judge.checking import Case, check, seconds
from stormdrill.measure.failover_values import Alarms, Alert
from stormdrill.verdict import Check, Outcome

NAMED = 3  # alerts that a sentence names


def detection(case: Case) -> Iterator[Check]:
    """One check of a run with a fault whose estate has a Prometheus; not exercised, for it has no objective."""
    if not case.measured.faults or not case.plan.topology.prometheus.url:
        return
    found = case.measured.failover.alarms
    yield check(
        "detection", "detection", Outcome.NOT_EXERCISED, _said(found), value=found.detected_s, unit="s",
        error=None if found.detected_s is None else 1.0, limit="published, not graded",
        window="from t0 on", evidence=("history.jsonl",), depends_on=("fault_proven", "prometheus_fresh"),
        details={"rules": found.rules, "broken": list(found.broken), "first": [one.alert for one in found.first]},
    )  # fmt: skip


def _said(found: Alarms) -> str:
    if found.rules is None:
        why = f": {found.problem}" if found.problem else ""
        return f"nobody watched the alerts{why}"
    if found.detected_s is not None:
        said = f"the first alert came {seconds(found.detected_s)} after t0: {_named(found.first)}"
    elif found.rules:
        said = f"none of {found.rules} alerting rules noticed the fault"
    else:
        said = "the estate's Prometheus has no alerting rule"
    before = f"; on before t0 already, and no detection: {_named(found.before)}" if found.before else ""
    broken = f"; cannot be evaluated: {', '.join(found.broken[:NAMED])}" if found.broken else ""
    return said + before + broken


def _named(alerts: tuple[Alert, ...]) -> str:
    names = list(dict.fromkeys(f"{one.alert}{f' ({one.labels})' if one.labels else ''}" for one in alerts))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
