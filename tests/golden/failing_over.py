"""Scenes of cut networks, failovers and returns: what canaries, people and directors would have recorded."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from scene import T0, WALL, Outage, S, Scene, Told, golden_plan

from stormdrill.estate import Region
from stormdrill.plan import Plan
from stormdrill.records.layout import Outcome, key_text
from stormdrill.records.reader import read_directory
from stormdrill.store import Run

ZONES = {"city1-a": "city1", "city1-b": "city1", "city1-w": "city1", "city2-a": "city2"}
FLOWS = ("tcp-held", "tcp-new", "udp")
Name = tuple[str, str, str]
SMALL = {"probes": {"transfer": 20.0, "login": 10.0, "balance": 10.0, "payment": 10.0}}


def two_cities(fault_class: str = "stateless-pod-loss") -> Plan:
    """The golden plan with a witness zone and a remote city."""
    plan = golden_plan(fault_class)
    regions = {
        "city1": Region("city1", "city1", ("city1-a", "city1-b", "city1-w"), None),
        "city2": Region("city2", "city2", ("city2-a",), None),
    }
    return replace(plan, topology=replace(plan.topology, regions=regions))


def flows(zones: Iterable[str] = ZONES) -> list[Name]:
    """Every flow between two zones, and each zone's way to the control plane."""
    known = list(zones)
    between = [(a, b, path) for a in known for b in known if a != b for path in FLOWS]
    return between + [(zone, "control-plane", "control-plane") for zone in known]


def canaries(
    broken: Mapping[Name, tuple[float, float | None]],
    *,
    dark: Collection[str] = (),
    dark_s: tuple[float, float] = (1.5, 31.0),
    unseen: Collection[Name] = (),
) -> tuple[Told, ...]:
    """Every flow green from before the start; those of `broken` down from and until; of `dark` zones no word."""
    events: list[Told] = []
    for name in flows():
        if name in unseen:
            continue
        zone, peer, path = name
        spans = [(broken[name], False)] if name in broken else []
        spans += [(dark_s, None)] if zone in dark and name not in broken else []
        events.append(
            (-24.0, "prepare", "canary.changed", {"zone": zone, "peer": peer, "path": path, "up": True})
        )
        for (down_s, up_s), state in spans:
            about = {"zone": zone, "peer": peer, "path": path}
            events.append((down_s, "recover", "canary.changed", {**about, "up": state}))
            if up_s is not None:
                events.append((up_s, "recover", "canary.changed", {**about, "up": True}))
    return tuple(events)


def seen_from_outside(
    lost: Collection[str], down_s: float = 1.4, up_s: float | None = 31.2
) -> dict[Name, Any]:
    """What all other zones see of lost ones."""
    return {
        (a, b, path): (down_s, up_s)
        for a, b, path in flows()
        if path in FLOWS and b in lost and a not in lost
    }


def cut(
    zone: str = "city1-a", from_: str = "anything", ways: tuple[str, ...] = ("in", "out")
) -> dict[str, Any]:
    """A target as the harness records it."""
    return {"node": zone, "zone": zone, "region": ZONES[zone], "from": from_, "directions": list(ways)}


def partition(**changes: Any) -> Scene:
    """`city1-a` cut from everything for 30 s, seen by everybody else; nothing is hurt."""
    told = canaries(seen_from_outside(["city1-a"]), dark=["city1-a"])
    scene = Scene(
        **SMALL, after_s=50.0, fault="partition", where=(cut(),), reverted_s=32.0,
        told=(*told, (30.0, "revert", "fault.reverting", {"name": "kill-1"})),
    )  # fmt: skip
    return replace(scene, **changes)


def person(at_s: float, what: str, actor: str = "Li Wei", phase: str = "recover", **data: Any) -> Told:
    """A decision."""
    return (at_s, phase, "decision", {"what": what, "actor": actor, "auto": False, **data})


def promoted(at_s: float, region: str, phase: str = "recover", member: str | None = None) -> tuple[Told, ...]:
    """A promotion by the director, proven by a committed write."""
    began = {"database": "cell0", "region": region}
    timeline = 2 if phase == "recover" else 3
    proof = {"timeline": timeline, "lsn": 99, "mono_ns": T0 + round(at_s * S)}
    done = {**began, "member": member or f"pg-{region}-0", "proof": proof, "took_s": 2.1}
    return ((at_s - 2.1, phase, "promote.started", began), (at_s, phase, "promote.done", done))


CITY1 = ("city1-a", "city1-b", "city1-w")
LAG = tuple(
    (
        at_s - 22.5,
        "steady",
        "db.standby",
        {"database": "cell0", "site": "city2", "state": "streaming", "lag_s": 1.5},
    )
    for at_s in range(23)
)


def follows(lag_s: float, state: str = "streaming") -> tuple[Told, ...]:
    """One word on the standby cluster just before t0."""
    said = {"database": "cell0", "site": "city2", "state": state, "lag_s": lag_s}
    return ((-0.5, "steady", "db.standby", said),)


FENCED: tuple[Told, ...] = (
    (-24.5, "prepare", "fence.armed", {"site": "city1", "state": "armed", "how": None}),
    (
        9.4,
        "recover",
        "fence.closed",
        {"site": "city1", "how": "by quorum loss", "why": "etcd was lost for 9 s"},
    ),
)
ALERTS: tuple[Told, ...] = tuple(
    (at_s, "recover", kind, {"alert": alert, "labels": labels})
    for at_s, kind, alert, labels in (
        (3.2, "alert.fired", "EdgeWithoutGateway", {"zone": "city1-a"}),
        (4.1, "alert.fired", "DatabaseWithoutPrimary", {"scope": "city1"}),
        (33.0, "alert.resolved", "EdgeWithoutGateway", {"zone": "city1-a"}),
    )
)
FAILOVER: tuple[Told, ...] = (
    *ALERTS, person(8.0, "fail over to city2"), *promoted(12.0, "city2"),
    (13.1, "recover", "route.changed", {"name": "bank.example", "to": "city2-a"}),
    (30.0, "revert", "fault.reverting", {"name": "kill-1"}),
)  # fmt: skip
RETURN: tuple[Told, ...] = (
    (46.0, "return", "rebuild.started", {"database": "cell0", "region": "city1", "source": "city2"}),
    (48.0, "return", "fork.exported", {"database": "cell0", "region": "city1", "commits": 2, "lost": 2}),
    (55.0, "return", "rebuild.done", {"database": "cell0", "region": "city1", "timeline": 2, "took_s": 9.0}),
    person(57.0, "go back to city1", "Wang Fang", "return"), *promoted(60.5, "city1", "return", "pg-a-0"),
    (61.0, "return", "route.changed", {"name": "bank.example", "to": "city1-a, city1-b"}),
)  # fmt: skip
HURT_S = 16.4


def remote(*, fence: tuple[Told, ...] = FENCED, lag: tuple[Told, ...] = LAG, **changes: Any) -> Scene:
    """`city1` lost at its peak, `city2` promoted by decision, and the way back."""
    seen = canaries(seen_from_outside(CITY1), dark=CITY1, dark_s=(1.5, 32.0))
    outages = (
        Outage(0, HURT_S, outcome=Outcome.UNKNOWN),
        Outage(58.4, 61.8, "transfer"),
        Outage(58.4, 61.8, "payment"),
    )
    scene = Scene(
        **SMALL, after_s=90.0, fault="region_loss", where=tuple(cut(zone) for zone in CITY1), reverted_s=33.0,
        fault_class="city-loss", outages=outages, return_s=(45.0, 72.0),
        told=(*seen, *fence, *lag, *FAILOVER, *RETURN),
    )  # fmt: skip
    return replace(scene, **changes)


def lost_before_t0(run: Run, count: int) -> list[str]:
    """The keys of the last movements acknowledged before t0."""
    found = [key for key, _ in _acknowledged(run, before_ns=T0)]
    return found[len(found) - count :]


def write_fork(
    run: Run, rows: Iterable[tuple[str, int]], commits_s: Iterable[float] = (), *, unread: str = "",
    error_s: float | None = 0.01,
) -> None:  # fmt: skip
    """The export of the old timeline: keys with amounts, and when its commits were, from t0."""
    commits = [{"xid": i, "lsn": i, "at": _server_time(at_s)} for i, at_s in enumerate(commits_s)]
    members = [{"member": "pg-a-0", "read": True, "why": "", "commits": commits, "timeline": 1}]
    members += (
        [{"member": unread, "read": False, "why": "its volume is empty", "commits": []}] if unread else []
    )
    lost = [
        {"key": key, "amount": amount, "source": 1, "target": 2, "id": 1, "members": ["pg-a-0"]}
        for key, amount in rows
    ]
    body = {"schema": "stormdrill.fork/1", "database": "cell0", "members": members, "lost": lost}
    if error_s is not None:
        body["clock_error_s"] = error_s
    (run.path / "fork-cell0.json").write_text(json.dumps(body))


def write_books_then(run: Run, at_s: float, without: Collection[str]) -> None:
    """The books as they were at `at_s`, but for some keys."""
    books = json.loads(run.books.read_text())
    known = {key for key, _ in _acknowledged(run, before_ns=T0 + round(at_s * S))} - set(without)
    books["movements"] = [row for row in books["movements"] if row[0] in known]
    (run.path / "books-failover.json").write_text(json.dumps({**books, "read_from_ns": T0 + round(at_s * S)}))


def meant_after(run: Run, at_s: float, count: int) -> list[str]:
    """Keys of movements that were meant after a moment."""
    found = read_directory(run.witness)
    assert found is not None
    rows = found.data[(found.data["act"] == 0) & (found.data["mono_ns"] > T0 + round(at_s * S))]
    return [key_text(bytes(row["key"]).ljust(16, b"\0")) for row in rows[:count]]


def _acknowledged(run: Run, before_ns: int) -> list[tuple[str, int]]:
    found = read_directory(run.witness)
    assert found is not None
    rows = found.data[(found.data["act"] == 1) & (found.data["mono_ns"] <= before_ns)]
    return [(key_text(bytes(row["key"]).ljust(16, b"\0")), int(row["mono_ns"])) for row in rows]


def _server_time(at_s: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp((T0 + WALL) / S + at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
