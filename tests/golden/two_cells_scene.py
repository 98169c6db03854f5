"""Two cells of one estate: a plan that has both, and what a failover of both would have recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import failing_over as scenes
from builder import T0, Outage, S, Scene, Told

from stormdrill.estate import Cell, Remainder
from stormdrill.plan import Plan
from stormdrill.records.layout import Outcome
from stormdrill.store import Run

CELLS = ("cell0", "cell1")
FENCED_S = {"cell0": 9.4, "cell1": 10.1}
PROMOTED_S = {"cell0": 12.0, "cell1": 14.0}
HOME_S = {"cell0": 60.5, "cell1": 61.0}
HURT_S = {"cell0": 16.4, "cell1": 18.6}


def plan(fault_class: str = "city-loss") -> Plan:
    """The golden plan with a second cell, its database beside the first one's."""
    one = scenes.two_cities(fault_class)
    topology = one.topology
    first = topology.databases["cell0"]
    databases = {
        "cell0": first,
        "cell1": replace(first, cell="cell1", members={"cell1-a-0": "http://x:1", "cell1-b-0": "http://x:2"}),
    }
    cells = {name: Cell(name, Remainder(2, number)) for number, name in enumerate(CELLS)}
    return replace(one, topology=replace(topology, cells=cells, databases=databases))


def _of(cell: str) -> Iterable[Told]:
    """A cell's part: armed, closed, promoted, rebuilt, home."""
    whose = {"database": cell, "cell": cell}
    site = {"site": "city1", **whose}
    yield (-24.5, "prepare", "fence.armed", {**site, "state": "armed", "how": None})
    yield (FENCED_S[cell], "recover", "fence.closed", {**site, "how": "proven", "why": "all at 0 replicas"})
    for at_s, region, phase, timeline in (
        (PROMOTED_S[cell], "city2", "recover", 2),
        (HOME_S[cell], "city1", "return", 3),
    ):
        about = {"database": cell, "region": region}
        proof = {"timeline": timeline, "lsn": 9, "mono_ns": T0 + round(at_s * S)}
        yield scenes.person(at_s - 2.2, f"promote {region} ({cell})", phase=phase, cell=cell)
        yield (at_s - 2.1, phase, "promote.started", about)
        yield (at_s, phase, "promote.done", {**about, "member": f"{cell}-{region}-0", "proof": proof})
    yield (55.0, "return", "rebuild.done", {**whose, "region": "city1", "timeline": 2, "took_s": 9.0})
    yield (70.0, "return", "redundancy.restored", {"database": cell, "how": f"{cell} has both standbys"})
    for second in range(23):
        said = {"database": cell, "site": "city2", "state": "streaming", "lag_s": 1.5}
        yield (second - 22.5, "steady", "db.standby", said)


def remote() -> Scene:
    """`city1` with both cells lost, both promoted in `city2` by one decision, phones led once, and the way back."""
    seen = scenes.canaries(scenes.seen_from_outside(scenes.CITY1), dark=scenes.CITY1, dark_s=(1.5, 32.0))
    outages = [
        Outage(0, HURT_S[cell], outcome=Outcome.UNKNOWN, cell=number) for number, cell in enumerate(CELLS)
    ]
    outages += [
        Outage(58.4, 61.8 + number, operation, cell=number)
        for number in range(2)
        for operation in ("transfer", "payment")
    ]
    told = (
        *seen, *scenes.ALERTS, scenes.person(8.0, "fail over cell0 and cell1 from city1 to city2"),
        *(event for cell in CELLS for event in _of(cell)),
        (14.5, "recover", "route.changed", {"name": "bank", "to": "city2-a"}),
        (30.0, "revert", "fault.reverting", {"name": "kill-1"}),
        (59.5, "return", "route.changed", {"name": "bank", "to": "city1-a, city1-b"}),
    )  # fmt: skip
    return Scene(
        **scenes.SMALL, after_s=90.0, fault="region_loss", where=tuple(scenes.cut(zone) for zone in scenes.CITY1),
        reverted_s=33.0, fault_class="city-loss", outages=tuple(outages), return_s=(45.0, 72.0), told=told,
        cells=CELLS,
    )  # fmt: skip


def write_forks(run: Run, commits_s: dict[str, list[float]]) -> None:
    """The exports of both old timelines; `commits_s` from t0."""
    for cell in CELLS:
        scenes.write_fork(run, [], commits_s=commits_s.get(cell, []))
        path = run.path / "fork-cell0.json"
        body = {**json.loads(path.read_text()), "database": cell}
        (run.path / f"fork-{cell}.json").write_text(json.dumps(body))
    if "cell0" in commits_s:
        scenes.write_fork(run, [], commits_s=commits_s["cell0"])
    else:
        scenes.write_fork(run, [])
