"""Whole run directories with known truths: every file a drill writes, from a short description.

The record files are written by the real writer; the history, books and series are the documented formats. A
scene is deterministic: the same scene gives the same bytes.
"""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stormdrill import plan as plan_file
from stormdrill.plan import Plan
from stormdrill.records.layout import Act, Flag, Legend, Outcome, Reason
from stormdrill.records.writer import RequestLog, WitnessJournal
from stormdrill.scenario import FlowControl
from stormdrill.store import Run, write_json

ESTATE = Path(__file__).parent / "estate"
S = 1_000_000_000
T0 = 1_000 * S  # monotonic time of the first fault in every scene
WALL = 1_700_000_000 * S  # wall-clock time of monotonic 0
OPERATIONS = ("login", "balance", "transfer", "payment", "bills", "checkin")
TIERS = ("A1", "A2", "A1", "A1", "B", "C")
WRITES = ("transfer", "payment")
STEADY_S = 20.0
WARMUP_S = 2.0


@dataclass(frozen=True)
class Outage:
    """Requests of an operation (or all) due in [start, end) seconds from t0 end with `outcome`."""

    start_s: float
    end_s: float
    operation: str = "*"
    outcome: Outcome = Outcome.FAILED
    probes_only: bool = False
    share: float = 1.0


Told = tuple[float, str, str, dict[str, Any]]
"""Seconds from t0, phase, kind and data of an event."""


@dataclass(frozen=True)
class Scene:
    """A run in a few words.

    Seconds are from t0; rates are a second; movements go by their number among the acknowledged.
    """

    after_s: float = 40.0
    probes: dict[str, float] = field(
        default_factory=lambda: {"transfer": 100.0, "login": 10.0, "balance": 10.0, "payment": 10.0}
    )
    sessions: dict[str, float] = field(default_factory=lambda: dict.fromkeys(OPERATIONS, 5.0))
    outages: tuple[Outage, ...] = ()
    faults_s: tuple[float, ...] = (0.0,)
    fault: str = "kill_pods"
    where: tuple[dict[str, Any], ...] = ()  # the targets, where they are not pods
    reverted_s: float = 5.0  # after the fault
    return_s: tuple[float, float] | None = None
    told: tuple[Told, ...] = ()  # events beside those that the other fields make
    proven: bool = True
    lost: frozenset[int] = frozenset()
    duplicated: frozenset[int] = frozenset()
    altered: frozenset[int] = frozenset()
    ghosts: int = 0
    unknown_booked_share: float = 0.5
    refused_booked: bool = False
    books: bool = True
    books_complete: bool = True
    shows: tuple[str, ...] | None = None  # what the reader says it can show; None: it says nothing
    invariant: int = 0
    freeze_s: tuple[float, float] | None = None
    lateness_ms: float = 1.0
    prometheus_gone_s: tuple[float, float] | None = None
    prometheus_clock_s: tuple[float | None, ...] = (
        0.003,
        -0.004,
    )  # ahead of ours, before the load and after it
    guard_blind: bool = False
    series_fetched: bool = True
    assertion_value: float | None = 0.0
    shed: dict[str, float] = field(default_factory=dict)  # share of a tier's requests refused by each gateway
    demand: dict[str, float] = field(default_factory=lambda: {"A": 60.0, "B": 30.0, "C": 20.0})
    restart_s: float | None = None  # gateway 0 loses its counters here
    over_limit: float = -10.0
    flow_asked: bool = False  # the experiment asks for flow control; it does so whenever anything is shed
    pressure: float = 0.3
    sync: str | None = "sync"  # sync | async | None (not sampled)
    lag_s: float | None = 0.2
    leader_change_s: float | None = None
    leader_lost_s: float | None = None
    replaced_s: float | None = None
    abort: dict[str, Any] | None = None
    aborted_s: float | None = None
    revert_failed: bool = False
    hypothesis: str = (
        ""  # after the fault: "held", or the probe that ended it and how (customers: no | no answer)
    )
    load_stops_s: float | None = None
    fault_class: str = "stateless-pod-loss"
    response_ms: float = 20.0
    agreement: float = 1.0
    seed: int = 1


@dataclass(frozen=True)
class Truth:
    """What the builder did, by key."""

    lost: frozenset[str]
    duplicated: frozenset[str]
    altered: frozenset[str]
    ghosts: frozenset[str]
    unknown_booked: frozenset[str]
    unknown_absent: frozenset[str]
    acknowledged: int
    amounts: dict[str, int]


@dataclass
class _Asked:
    seq: int
    due_ns: int
    operation: str
    probe: bool
    outcome: Outcome
    answered_ns: int = 0
    sent_ns: int = 0


def golden_plan(fault_class: str = "stateless-pod-loss", *, flow_asked: bool = False) -> Plan:
    """The plan of the golden estate."""
    plan = plan_file.load(ESTATE / "experiment.yaml")
    control = FlowControl(("A", "B", "C"), 50, 0.0) if flow_asked else None
    return replace(plan, experiment=replace(plan.experiment, fault_class=fault_class, flow_control=control))


def build(path: Path, scene: Scene, plan: Plan | None = None) -> tuple[Run, Truth]:
    """Write the run directory of a scene under `path`."""
    path.mkdir(parents=True, exist_ok=True)
    run = Run(path)
    for directory in (run.requests, run.witness, run.series):
        directory.mkdir()
    plan = plan or golden_plan(scene.fault_class, flow_asked=scene.flow_asked or bool(scene.shed))
    write_json(run.plan, plan.to_json())
    rng = random.Random(scene.seed)
    asked = _asked(scene, rng)
    _write_requests(run, asked)
    truth = _write_money(run, asked, scene, rng)
    _write_seconds(run, asked, scene)
    if plan.topology.metrics:
        _write_series(run, asked, scene)
    _write_history(run, scene)
    return run, truth


def legend(kind: str) -> Legend:
    """The legend of every golden record file."""
    return Legend(kind, OPERATIONS, TIERS, ("cell0",), ("city1-a",), T0, T0 + WALL)


# Requests


def _asked(scene: Scene, rng: random.Random) -> list[_Asked]:
    end_s = scene.load_stops_s if scene.load_stops_s is not None else scene.after_s
    found: list[_Asked] = []
    for probe, rates in ((True, scene.probes), (False, scene.sessions)):
        for operation, rate in rates.items():
            at_s = -(STEADY_S + WARMUP_S) + rng.random() / rate
            while at_s < end_s:
                found.append(_ask(scene, rng, at_s, operation, probe))
                at_s += 1 / rate if probe else rng.expovariate(rate)
    found.sort(key=lambda one: one.due_ns)
    for seq, one in enumerate(found):
        one.seq = seq
    return found


def _ask(scene: Scene, rng: random.Random, at_s: float, operation: str, probe: bool) -> _Asked:
    outcome = Outcome.GOOD
    for outage in scene.outages:
        hit = outage.start_s <= at_s < outage.end_s and outage.operation in ("*", operation)
        if hit and not (outage.probes_only and not probe) and rng.random() < outage.share:
            outcome = outage.outcome
    due_ns = T0 + round(at_s * S)
    sent_ns = due_ns + round(scene.lateness_ms * 1e6)
    answered_ns = due_ns + round(scene.response_ms * 1e6)
    if scene.freeze_s and scene.freeze_s[0] <= at_s < scene.freeze_s[1]:
        sent_ns = T0 + round(scene.freeze_s[1] * S) + round(scene.lateness_ms * 1e6)
        answered_ns = sent_ns + round(scene.response_ms * 1e6)
    if outcome is Outcome.UNKNOWN:
        answered_ns = 0
    if outcome in (Outcome.BLOCKED, Outcome.DROPPED):
        sent_ns = answered_ns = 0
    return _Asked(0, due_ns, operation, probe, outcome, answered_ns, sent_ns)


def _write_requests(run: Run, asked: list[_Asked]) -> None:
    log = RequestLog(run.requests / "load-0.rec", legend("requests"))
    reasons = {Outcome.SHED: Reason.OVERLOAD, Outcome.FAILED: Reason.STATUS, Outcome.UNKNOWN: Reason.TIMEOUT}
    statuses = {Outcome.GOOD: 200, Outcome.SHED: 429, Outcome.FAILED: 503}
    for one in sorted(asked, key=lambda item: item.answered_ns or item.due_ns):
        write = Flag.WRITE if one.operation in WRITES else 0
        log.append(
            seq=one.seq, due_ns=one.due_ns, sent_ns=one.sent_ns, answered_ns=one.answered_ns, session=0,
            operation=OPERATIONS.index(one.operation), cell=0, attempt=0, outcome=one.outcome,
            reason=reasons.get(one.outcome, Reason.NONE), site=0,
            flags=Flag.FINAL | (Flag.PROBE if one.probe else 0) | write, status=statuses.get(one.outcome, 0),
        )  # fmt: skip
    log.close()


# Money


def _write_money(run: Run, asked: list[_Asked], scene: Scene, rng: random.Random) -> Truth:
    journal = WitnessJournal(run.witness / "load-0.rec", legend("witness"))
    movements: list[list[Any]] = []
    named: dict[str, set[str]] = {name: set() for name in ("lost", "duplicated", "altered", "in", "out")}
    amounts: dict[str, int] = {}
    acknowledged = 0
    for one in asked:
        if one.operation not in WRITES or one.outcome in (Outcome.BLOCKED, Outcome.DROPPED):
            continue
        key = str(uuid.UUID(int=rng.getrandbits(128)))
        amounts[key] = amount = rng.randrange(1, 100_000)
        source, target = rng.randrange(1, 1000), rng.randrange(1001, 2000)
        act = {Outcome.GOOD: Act.OK, Outcome.UNKNOWN: Act.UNKNOWN}.get(one.outcome, Act.FAIL)
        for what, at_ns in ((Act.INTENT, one.sent_ns), (act, one.answered_ns or one.sent_ns + 2 * S)):
            journal.append(
                seq=one.seq, mono_ns=at_ns, wall_ns=at_ns + WALL, key=uuid.UUID(key).bytes, amount=amount,
                source=source, target=target, act=what, attempt=0, operation=OPERATIONS.index(one.operation),
                status=201 if what is Act.OK else 0, cell=0, flags=0,
            )  # fmt: skip
        row = [key, amount, source, target, len(movements) + 1]
        copies = _copies(act, acknowledged, scene, rng)
        if act is Act.UNKNOWN:
            named["in" if copies else "out"].add(key)
        if act is Act.OK:
            if acknowledged in scene.lost:
                named["lost"].add(key)
            elif acknowledged in scene.duplicated:
                named["duplicated"].add(key)
            elif acknowledged in scene.altered:
                named["altered"].add(key)
                row[1] += 1
            acknowledged += 1
        movements += [row] * copies
    journal.close()
    ghosts = [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(scene.ghosts)]
    movements += [[key, 777, 1, 2, len(movements) + i] for i, key in enumerate(ghosts)]
    rng.shuffle(movements)
    _write_books(run, scene, movements)
    return Truth(
        lost=frozenset(named["lost"]), duplicated=frozenset(named["duplicated"]),
        altered=frozenset(named["altered"]), ghosts=frozenset(ghosts), unknown_booked=frozenset(named["in"]),
        unknown_absent=frozenset(named["out"]), acknowledged=acknowledged, amounts=amounts,
    )  # fmt: skip


def _copies(act: Act, number: int, scene: Scene, rng: random.Random) -> int:
    if act is Act.OK:
        return 0 if number in scene.lost else 2 if number in scene.duplicated else 1
    if act is Act.UNKNOWN:
        return int(rng.random() < scene.unknown_booked_share)
    return int(scene.refused_booked)


def _write_books(run: Run, scene: Scene, movements: list[list[Any]]) -> None:
    if not scene.books:
        write_json(run.books, {"schema": "stormdrill.books/1", "reader": "none"})
        return
    why = "" if scene.books_complete else "the reader lost its connection"
    invariants = [{"id": "money-is-conserved", "value": scene.invariant, "expect": 0}]
    books = {
        "schema": "stormdrill.books/1", "reader": "sql", "complete": scene.books_complete, "why": why,
        "since": 0, "movements": movements, "invariants": invariants,
    }  # fmt: skip
    write_json(run.books, books if scene.shows is None else {**books, "shows": list(scene.shows)})


# The generator's lines and Prometheus


def _write_seconds(run: Run, asked: list[_Asked], scene: Scene) -> None:
    end_s = scene.load_stops_s if scene.load_stops_s is not None else scene.after_s
    lines = []
    at_s = -(STEADY_S + WARMUP_S) + 1.0
    per_second: dict[int, int] = {}
    for one in asked:
        second = (one.due_ns - T0) // S
        per_second[second] = per_second.get(second, 0) + 1
    while at_s <= end_s + 1:
        frozen = scene.freeze_s and scene.freeze_s[0] < at_s < scene.freeze_s[1]
        if not frozen:
            offered = per_second.get(int(at_s) - 1, 0)
            lines.append(
                {
                    "t_ns": T0 + round(at_s * S), "offered": offered, "good": offered, "shed": 0, "failed": 0,
                    "unknown": 0, "blocked": 0, "dropped": 0, "inflight": 3, "p50_ms": 20.0, "p99_ms": 30.0,
                    "lateness_p99_ms": scene.lateness_ms, "loop_stall_ms": 5.0, "retried": 0,
                    "span_ms": 1000.0, "by_operation": {},
                }
            )  # fmt: skip
        at_s += 1.0
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (run.requests / "generator.jsonl").write_text(text)


def _write_series(run: Run, asked: list[_Asked], scene: Scene) -> None:
    seconds = range(-int(STEADY_S) - 15, int(scene.after_s))
    gone = scene.prometheus_gone_s or (1e9, 1e9)
    seconds = [s for s in seconds if not gone[0] <= s < gone[1]]
    shed, admitted = [], []
    for number in range(2):
        for tier, demand in scene.demand.items():
            share = scene.shed.get(tier, 0.0)
            labels = {"pod": f"gateway-{number}", "tier": tier}
            began = -int(STEADY_S) - 15
            fell = scene.restart_s if scene.restart_s is not None and number == 0 else 1e9
            grown = [(s - began if s < fell else s - int(fell)) * demand for s in seconds]
            shed.append(
                {
                    "labels": labels,
                    "samples": [[_unix(s), g * share] for s, g in zip(seconds, grown, strict=True)],
                }
            )
            admitted.append(
                {
                    "labels": labels,
                    "samples": [[_unix(s), g * (1 - share)] for s, g in zip(seconds, grown, strict=True)],
                }
            )
    pods = [{"pod": "gateway-0"}, {"pod": "gateway-1"}]
    limit = [{"labels": p, "samples": [[_unix(s), 64.0] for s in seconds]} for p in pods]
    inflight = [
        {"labels": p, "samples": [[_unix(s), 64.0 + scene.over_limit] for s in seconds]} for p in pods
    ]
    value = scene.assertion_value
    _series(
        run, scene, "_up", [{"labels": {"pod": "gateway-0"}, "samples": [[_unix(s), 1.0] for s in seconds]}]
    )
    _series(run, scene, "_shed", shed if scene.shed else [])
    _series(run, scene, "_admitted", admitted)
    _series(run, scene, "_limit", limit)
    _series(run, scene, "_inflight", inflight)
    _series(run, scene, "_good", _good(asked, seconds, scene))
    _series(
        run,
        scene,
        "no-gateway-error-after",
        [{"labels": {}, "samples": [[_unix(s), value] for s in seconds]}],
    )


def _good(asked: list[_Asked], seconds: list[int], scene: Scene) -> list[dict[str, Any]]:
    lines = []
    for operation in OPERATIONS:
        times = sorted(
            (one.answered_ns - T0) / S
            for one in asked
            if one.operation == operation and one.outcome is Outcome.GOOD
        )
        samples, count = [], 0
        for second in seconds:
            while count < len(times) and times[count] < second:
                count += 1
            samples.append([_unix(second), count * scene.agreement])
        lines.append({"labels": {"operation": operation}, "samples": samples})
    return lines


def _series(run: Run, scene: Scene, name: str, lines: list[dict[str, Any]]) -> None:
    fetched = scene.series_fetched
    stored = {
        "query": name,
        "step_s": 1.0,
        "start_utc_s": _unix(-STEADY_S - 15),
        "end_utc_s": _unix(scene.after_s),
        "fetched": fetched,
        "error": None if fetched else "connection refused",
        "series": lines if fetched else [],
    }
    write_json(run.series / f"{name}.json", stored)


def _unix(at_s: float) -> float:
    return (T0 + WALL) / S + at_s


# History


def _write_history(run: Run, scene: Scene) -> None:
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
        at_s += 1.0
    return events
