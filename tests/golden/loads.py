"""What the phones of a scene asked, were told and had booked: request log, witness journal, books, generator lines."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass
from typing import Any

from scene import OPERATIONS, STEADY_S, T0, WALL, WARMUP_S, WRITES, S, Scene, Truth, legend

from stormdrill.records.layout import Act, Flag, Outcome, Reason
from stormdrill.records.writer import RequestLog, WitnessJournal
from stormdrill.store import Run, write_json


@dataclass
class Asked:
    seq: int
    due_ns: int
    operation: str
    probe: bool
    outcome: Outcome
    answered_ns: int = 0
    sent_ns: int = 0
    cell: int = 0


def asked_of(scene: Scene, rng: random.Random) -> list[Asked]:
    end_s = scene.load_stops_s if scene.load_stops_s is not None else scene.after_s
    found: list[Asked] = []
    streams = [(True, *one) for one in scene.probes.items()] + [
        (False, *one) for one in scene.sessions.items()
    ]
    for cell in range(len(scene.cells)):
        for probe, operation, rate in streams:
            at_s = -(STEADY_S + WARMUP_S) + rng.random() / rate
            while at_s < end_s:
                found.append(_ask(scene, rng, at_s, operation, probe=probe, cell=cell))
                at_s += 1 / rate if probe else rng.expovariate(rate)
    found.sort(key=lambda one: one.due_ns)
    for seq, one in enumerate(found):
        one.seq = seq
    return found


def _ask(scene: Scene, rng: random.Random, at_s: float, operation: str, *, probe: bool, cell: int) -> Asked:
    outcome = Outcome.GOOD
    for outage in scene.outages:
        hit = outage.start_s <= at_s < outage.end_s and outage.operation in ("*", operation)
        hit = hit and outage.cell in (None, cell)
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
    return Asked(0, due_ns, operation, probe, outcome, answered_ns, sent_ns, cell)


def write_requests(run: Run, asked: list[Asked], cells: tuple[str, ...]) -> None:
    log = RequestLog(run.requests / "load-0.rec", legend("requests", cells))
    reasons = {Outcome.SHED: Reason.OVERLOAD, Outcome.FAILED: Reason.STATUS, Outcome.UNKNOWN: Reason.TIMEOUT}
    statuses = {Outcome.GOOD: 200, Outcome.SHED: 429, Outcome.FAILED: 503}
    for one in sorted(asked, key=lambda item: item.answered_ns or item.due_ns):
        write = Flag.WRITE if one.operation in WRITES else 0
        log.append(
            seq=one.seq, due_ns=one.due_ns, sent_ns=one.sent_ns, answered_ns=one.answered_ns, session=0,
            operation=OPERATIONS.index(one.operation), cell=one.cell, attempt=0, outcome=one.outcome,
            reason=reasons.get(one.outcome, Reason.NONE), site=0,
            flags=Flag.FINAL | (Flag.PROBE if one.probe else 0) | write, status=statuses.get(one.outcome, 0),
        )  # fmt: skip
    log.close()


def write_money(run: Run, asked: list[Asked], scene: Scene, rng: random.Random) -> Truth:
    journal = WitnessJournal(run.witness / "load-0.rec", legend("witness", scene.cells))
    movements: list[list[Any]] = []
    named: dict[str, set[str]] = {name: set() for name in ("lost", "duplicated", "altered", "in", "out")}
    amounts: dict[str, int] = {}
    cell_of: dict[str, str] = {}
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
                status=201 if what is Act.OK else 0, cell=one.cell, flags=0,
            )  # fmt: skip
        cell_of[key] = scene.cells[one.cell]
        row = [key, amount, source, target, len(movements) + 1]
        row += [cell_of[key]] if len(scene.cells) > 1 else []
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
    whose = [scene.cells[-1]] if len(scene.cells) > 1 else []
    movements += [[key, 777, 1, 2, len(movements) + i, *whose] for i, key in enumerate(ghosts)]
    rng.shuffle(movements)
    _write_books(run, scene, movements)
    return Truth(
        lost=frozenset(named["lost"]), duplicated=frozenset(named["duplicated"]),
        altered=frozenset(named["altered"]), ghosts=frozenset(ghosts), unknown_booked=frozenset(named["in"]),
        unknown_absent=frozenset(named["out"]), acknowledged=acknowledged, amounts=amounts,
        cell_of=cell_of,
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
    if len(scene.cells) > 1:
        invariants = [{**invariants[0], "cell": cell} for cell in scene.cells if cell not in scene.unread]
    if scene.across is not None:
        invariants.append({"id": "money-in-transit-cancels", "expect": 0, **scene.across})
    if scene.unread:
        movements = [row for row in movements if row[5] not in scene.unread]
        why = "; ".join(f"{cell}: no answer" for cell in scene.unread)
    books = {
        "schema": "stormdrill.books/1", "reader": "sql", "complete": scene.books_complete and not scene.unread,
        "why": why, **({"unread": list(scene.unread)} if 0 < len(scene.unread) < len(scene.cells) else {}),
        "since": 0, "movements": movements, "invariants": invariants,
    }  # fmt: skip
    write_json(run.books, books if scene.shows is None else {**books, "shows": list(scene.shows)})


def write_seconds(run: Run, asked: list[Asked], scene: Scene) -> None:
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
