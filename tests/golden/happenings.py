"""What a drill of a scene wrote into its history."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from scene import STEADY_S, T0, WALL, WARMUP_S, S, Scene, Told

from stormdrill.store import Run


def write_history(run: Run, scene: Scene) -> None:
    end_s = scene.aborted_s if scene.aborted_s is not None else scene.after_s
    events: list[tuple[float, str, str, dict[str, Any]]] = [
        (-STEADY_S - WARMUP_S - 5, "prepare", "phase.start", {}),
        (-STEADY_S - WARMUP_S, "prepare", "load.started", {"pid": 1}),
        (-STEADY_S, "steady", "phase.start", {}),
        (-0.2, "inject", "phase.start", {}),
    ]
    if scene.aborted_s is None or scene.aborted_s > 0:
        events += _fault_events(scene)
        events += [(1.5, "recover", "phase.start", {})]
    events += _late_phases(scene)
    events += scene.told
    stop_s = min(end_s, scene.load_stops_s if scene.load_stops_s is not None else end_s)
    events += [(end_s, "audit", "phase.start", {})]
    if scene.load_stops_s is None:
        events += [(stop_s + 0.01, "audit", "load.stopped", {"reason": "planned"})]
    if scene.abort is not None:
        events.append((end_s - 0.1, "recover", "abort", scene.abort))
    if scene.revert_failed:
        events.append((end_s, "revert", "revert.failed", {"name": "kill-1", "why": "no answer"}))
    if scene.guard_blind:
        blind = {"name": "queue", "why": "no answer for 10 s: found duplicate series"}
        events.append((1.0, "recover", "guard.blind", blind))
    for at_s, offset_s in zip(
        (-STEADY_S - WARMUP_S - 4, end_s + 0.5), scene.prometheus_clock_s, strict=False
    ):
        known = {"offset_s": offset_s, "error_s": 0.002, "why": "" if offset_s is not None else "no answer"}
        events.append((at_s, "prepare", "prometheus.clock", known))
    events += [(end_s + 2, "measure", "phase.start", {})]
    if scene.hypothesis:
        events.append((scene.after_s * 0.7, "recover", "hypothesis", _hypothesis(scene.hypothesis)))
    events += _sampled(scene, end_s)
    events.sort(key=lambda event: event[0])
    lines = []
    for seq, (at_s, phase, kind, data) in enumerate(events):
        mono_ns = T0 + round(at_s * S)
        utc = datetime.fromtimestamp((mono_ns + WALL) // 1000 / 1e6, UTC).isoformat(timespec="microseconds")
        lines.append(
            {
                "seq": seq,
                "mono_ns": mono_ns,
                "utc": utc,
                "phase": phase,
                "actor": "stormdrill",
                "kind": kind,
                "data": data,
            }
        )
    run.history.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _late_phases(scene: Scene) -> list[Told]:
    back = [(scene.return_s[0], "return")] if scene.return_s else []
    settle_s = scene.return_s[1] if scene.return_s else scene.after_s * 0.75
    phases = [*back, *([(settle_s, "settle")] if scene.aborted_s is None else [])]
    return [(at_s, phase, "phase.start", {}) for at_s, phase in phases]


def _hypothesis(how: str) -> dict[str, Any]:
    """The event as the control records it: the probes up to the one that ended it."""
    asked = []
    for name in ("customers", "standby", "samples"):
        probe, _, answer = how.partition(": ")
        ended = probe == name
        status = "failed" if ended and answer == "no answer" else "succeeded"
        asked.append({"name": name, "status": status, "output": None if status == "failed" else not ended})
        if ended:
            break
    return {"title": "All is well", "met": how == "held", "probes": asked}


def _fault_events(scene: Scene) -> list[tuple[float, str, str, dict[str, Any]]]:
    events: list[tuple[float, str, str, dict[str, Any]]] = []
    for number, at_s in enumerate(scene.faults_s, 1):
        t0_ns = T0 + round(at_s * S)
        targets = list(scene.where) or [{"pod": f"ledger-{number}", "zone": "city1-a"}]
        name = f"kill-{number}"
        events.append(
            (
                at_s,
                "inject",
                "fault.applied",
                {"fault": scene.fault, "name": name, "t0_ns": t0_ns, "targets": targets},
            )
        )
        proof = "processes gone" if scene.proven else "pid 77 is still alive"
        events.append(
            (at_s + 0.2, "inject", "fault.proven", {"name": name, "proof": proof, "ok": scene.proven})
        )
        events.append((at_s + scene.reverted_s, "recover", "fault.reverted", {"name": name, "ok": True}))
    if scene.replaced_s is not None:
        ready = {
            "service": "ledger",
            "old": "a",
            "new": "ledger-new",
            "ready_ns": T0 + round(scene.replaced_s * S),
        }
        events.append((scene.replaced_s + 0.3, "recover", "pod.replaced", ready))
    if scene.leader_lost_s is not None:
        lost = {"database": "cell0", "member": None, "since_ns": T0 + round(scene.leader_lost_s * S)}
        events.append((scene.leader_lost_s, "recover", "db.leader", lost))
    if scene.leader_change_s is not None:
        since_ns = T0 + round(scene.leader_change_s * S)
        new = {"database": "cell0", "member": "pg-b-0", "timeline": 2, "since_ns": since_ns}
        events.append((scene.leader_change_s, "recover", "db.leader", new))
    return events


def _sampled(scene: Scene, end_s: float) -> list[tuple[float, str, str, dict[str, Any]]]:
    events: list[tuple[float, str, str, dict[str, Any]]] = []
    at_s = -STEADY_S - 3.5
    while at_s < end_s:
        phase = "steady" if at_s < 0 else "recover"
        gone = scene.prometheus_gone_s
        if gone and gone[0] <= at_s < gone[1]:
            events.append((at_s, phase, "prometheus.error", {"error": "connection refused"}))
        else:
            events.append((at_s, phase, "prometheus.sample_age", {"age_s": 0.8}))
        events.append((at_s + 0.01, phase, "machine.pressure", {"cpu_some_avg_ratio": scene.pressure}))
        if scene.sync:
            changed = scene.leader_change_s is not None and at_s >= scene.leader_change_s
            leader, other = ("pg-b-0", "pg-a-0") if changed else ("pg-a-0", "pg-b-0")
            standbys = [other] if scene.sync == "sync" else []
            member = {"name": other, "role": "replica", "state": "streaming", "lag_bytes": 0, "timeline": 1}
            if scene.lag_s is not None:
                member["lag_s"] = 0.0 if scene.sync == "sync" else scene.lag_s
            sync = {"database": "cell0", "leader": leader, "sync_standbys": standbys, "members": [member]}
            events.append((at_s + 0.02, phase, "db.sync", sync))
            for cell in scene.cells[1:]:  # these keep their leader
                mate = {**member, "name": f"{cell}-b-0"}
                theirs = {"leader": f"{cell}-a-0", "sync_standbys": [mate["name"]], "members": [mate]}
                events.append((at_s + 0.02, phase, "db.sync", {"database": cell, **theirs}))
        at_s += 1.0
    return events
