"""A remote failover and its return, event for event as a drill on a lab records them, signed by its run."""

from __future__ import annotations

from typing import Any

from builder import T0, Outage, S, Scene, Told
from failing_over import CITY1, SMALL, canaries, cut, seen_from_outside

from stormdrill.records.layout import Outcome

RUN = "drill 20261123T224945Z-remote-failover"
Data = dict[str, Any]
OUTLINE = [
    ("happened", "0 s"), ("noticed", "3.4 s"), ("decided", "10 s"), ("fenced", "12.3 s"), ("decided", "15.1 s"),
    ("promoted", "17.1 s"), ("served again", "22.4 s"), ("lost", ""), ("two timelines", ""), ("decided", "83.4 s"),
    ("decided", "117.9 s"), ("came back", "121.7 s"), ("redundant again", "136.3 s"),
]  # fmt: skip
WORDS = (
    "region loss: city1-a cut from anything", "first alert: ZoneDown, RegionDown",
    "fail over cell0 from city1 to city2, by the drill, by default: nobody was asked",
    "city1 closed for writers, proven: every database of the site is at 0 replicas",
    "pg-city2-a-0 took its first write (a write committed on timeline 5)", "0 s of the 5 s allowed",
    "0 dual writes; 0 movements stand only on the old timeline of cell0", "writes paused 3.4 s",
    "city1 leads with pg-city1-b-0, city2 follows",
)  # fmt: skip


def _by(at_s: float, phase: str, kind: str, **data: Any) -> Told:
    return (at_s, phase, kind, {"actor": RUN, "database": "cell0", **data})


def _alerts() -> tuple[Told, ...]:
    page = {"severity": "page"}
    seen = (
        (3.4, 80.0, "ZoneDown", {"region": "city1", "zone": "city1-a", **page}),
        (3.4, 80.0, "ZoneDown", {"region": "city1", "zone": "city1-b", **page}),
        (3.4, 70.0, "RegionDown", {"region": "city1", **page}),
        (4.4, 18.0, "NoPrimaryAnywhere", page),
        (4.4, 121.0, "DatabaseWithoutLeader", {"region": "city1", **page}),
    )
    told: list[Told] = [(-23.0, "prepare", "alert.rules", {"rules": 14, "broken": []})]
    for on_s, off_s, name, labels in seen:
        told += [(on_s, "inject", "alert.fired", {"alert": name, "labels": labels})]
        told += [(off_s, "return", "alert.resolved", {"alert": name, "labels": labels})]
    return tuple(told)


CLOSED: Data = {"site": "city1", "how": "proven", "why": "every database of the site is at 0 replicas"}
FAILOVER: tuple[Told, ...] = (
    _by(-0.9, "inject", "fence.armed", site="city1", state="armed", how=None),
    _by(10.0, "inject", "decision", what="fail over cell0 from city1 to city2", why="city1 is silent", auto=True),
    _by(10.2, "inject", "fence.closing", site="city1", how=None),
    _by(10.3, "inject", "edge.failed", edge="edge-city1-a-1", zone="city1-a", why="exec was refused"),
    _by(12.3, "inject", "fence.closed", **CLOSED),
    _by(15.1, "inject", "fence.closed", **CLOSED),
    _by(15.1, "inject", "decision", what="promote city2", why="city1 is silent", fence="proven", auto=True),
    _by(16.3, "inject", "promote.started", region="city2", fence=CLOSED),
    _by(17.1, "inject", "promote.done", region="city2", member="pg-city2-a-0", took_s=2.0,
        proof={"mono_ns": T0 + round(17.1 * S), "timeline": 5, "lsn": 1}),
    _by(17.6, "inject", "route.changed", name="bank", to=["city2-a"], region="city2", ttl_s=5.0),
    _by(18.5, "inject", "route.serving", region="city2", edges=["city2-a"], took_s=0.9),
    _by(18.5, "inject", "failover.done", region="city2", first_write_s=7.1),
)  # fmt: skip
RETURN: tuple[Told, ...] = (
    (45.8, "revert", "fault.reverting", {"name": "kill-1"}),
    _by(83.4, "return", "decision", what="come back with cell0 to city1", why="city1 is there again", auto=True),
    (84.0, "return", "books.read", {"reader": "sql", "complete": True, "movements": 10, "after": "failover"}),
    _by(84.2, "return", "return.started", region="city1", source="city2", why="city1 is there again"),
    _by(84.5, "return", "fence.closed", **CLOSED),
    _by(88.4, "return", "rebuild.started", region="city1", source="city2"),
    _by(99.7, "return", "fork.exported", region="city1", file="fork-cell0.json", commits=0, lost=0, unread=[]),
    _by(99.8, "return", "rebuild.step", step="export fork", took_s=7.7, region="city1"),
    _by(106.8, "return", "fence.opened", site="city1", edges=False),
    _by(117.0, "return", "rebuild.done", region="city1", timeline=5, took_s=29.0),
    _by(117.9, "return", "decision", what="switch cell0 to city1", why="city1 is there again", auto=True),
    _by(117.9, "return", "switch.started", region="city1", source="city2"),
    _by(119.0, "return", "switch.step", step="demote", took_s=1.1, region="city1"),
    _by(119.5, "return", "route.changed", name="bank", to=["city1-a", "city1-b"], region="city1", ttl_s=5.0),
    _by(119.8, "return", "promote.started", region="city1"),
    _by(121.7, "return", "promote.done", region="city1", member="pg-city1-a-0", pause_s=3.4,
        proof={"mono_ns": T0 + round(121.7 * S), "timeline": 6, "lsn": 2}),
    _by(136.3, "return", "redundancy.restored", how="city1 leads with pg-city1-b-0, city2 follows", took_s=52.0),
)  # fmt: skip


def as_recorded() -> Scene:
    """All of it: hurt until 22.4 s, the writes' pause in the return from 118.4 s to 121.8 s."""
    seen = canaries(seen_from_outside(CITY1, up_s=46.9), dark=CITY1, dark_s=(1.5, 46.5))
    followed = {"database": "cell0", "site": "city2", "member": "pg-city2-a-0", "state": "running"}
    lag: tuple[Told, ...] = (
        (-1.5, "steady", "db.standby", {**followed, "lag_s": 0.16}),
        (-0.3, "inject", "db.standby", {**followed, "lag_bytes": None}),
    )
    outages = (
        Outage(0, 22.4, outcome=Outcome.UNKNOWN), Outage(118.4, 121.8, "transfer"), Outage(118.4, 121.8, "payment"),
    )  # fmt: skip
    return Scene(
        **SMALL, after_s=170.0, fault="region_loss", where=tuple(cut(zone) for zone in CITY1), reverted_s=82.7,
        fault_class="city-loss", outages=outages, return_s=(83.3, 145.0),
        told=(*seen, *lag, *_alerts(), *FAILOVER, *RETURN),
    )  # fmt: skip
