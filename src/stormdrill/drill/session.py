"""The live parts of one run, gathered so that the phases can be plain functions."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stormdrill.drill.connect import Targets
from stormdrill.drill.identity import Holder
from stormdrill.drill.injector import Injector
from stormdrill.drill.recovery import Baseline, baseline
from stormdrill.drill.stop import Stop
from stormdrill.drill.view import View
from stormdrill.faults import Estate
from stormdrill.guard import Guard
from stormdrill.history import Event, History
from stormdrill.load.live import LoadSecond
from stormdrill.load.process import LoadProcess
from stormdrill.plan import Plan
from stormdrill.scenario import GuardRule
from stormdrill.store import Run
from stormdrill.units import NS_PER_S

SILENCE_S = 15.0
"""A generator that reports nothing for this long is taken for dead; shorter gaps it reports itself."""


@dataclass
class Session:
    """One run while it is going on. Only the drill's main thread changes phases."""

    plan: Plan
    run: Run
    history: History
    stop: Stop
    targets: Targets
    view: View
    load: LoadProcess | None = None
    normal: Baseline = field(default_factory=lambda: Baseline(0.0, 0.0))
    since_books: int = 0
    reverted: bool = False
    well_since_ns: int = 0  # since when customers are served again; probes look no further back

    def __post_init__(self) -> None:
        self.guard = Guard(self.plan.experiment.guard, self._guard_abort)
        self.guard_active = threading.Event()
        self.estate = Estate(
            topology=self.plan.topology,
            clusters=self.targets.clusters,
            directors=self.targets.directors,
            record=self.record,
            choose=random.Random(self.plan.experiment.load.seed),
            check_stop=self.stop.check,
            canaries=self.targets.canaries,
            holder=str(Holder.me()),
        )
        self.injector = Injector(self.estate, self.stop)

    def record(
        self, kind: str, actor: str = "stormdrill", *, mono_ns: int | None = None, **data: object
    ) -> Event:
        """Append to the history, and tell the watcher what a person would want to know."""
        event = self.history.append(kind, actor, mono_ns=mono_ns, **data)
        if text := _worth_saying(kind, data):
            self.view.say(text)
        return event

    def enter(self, phase: str) -> int:
        """Begin a phase; its monotonic start in nanoseconds."""
        event = self.history.start_phase(phase)
        self.view.phase(phase)
        return event.mono_ns

    def on_second(self, second: LoadSecond) -> None:
        """The load's callback, in its thread."""
        self.view.second(second)
        if self.guard_active.is_set():
            self.guard.second(second)

    def set_normal(self, since_ns: int) -> None:
        """Take the seconds since `since_ns` as what normal looks like."""
        seconds = self.load.seconds if self.load else []
        self.normal = baseline([second for second in seconds if second.t_ns - NS_PER_S >= since_ns])

    def check_load(self, now_ns: int) -> None:
        """Cut the run when the generator is gone or silent: a fault nobody feels proves nothing."""
        if self.load is None or self.stop.cause:
            return
        last_ns = self.load.seconds[-1].t_ns if self.load.seconds else self.load.ready_ns
        if not self.load.alive:
            why = f"the load generator died: {self.load.error or 'no reason given'}"
        elif now_ns - last_ns > SILENCE_S * NS_PER_S:
            why = f"the load generator reported nothing for {SILENCE_S:g} s"
        else:
            return
        self.record("load.died", why=why)
        self.stop.request(why, "drill")

    def _guard_abort(self, reason: str, rule: GuardRule) -> None:
        if self.stop.cause is None:
            self.stop.request(reason, "guard", objective=rule.objective)


def _worth_saying(kind: str, data: Mapping[str, Any]) -> str:
    """One line for a person; empty for what only the record needs."""
    say = _SAYINGS.get(kind)
    return say(data) if say else ""


_SAYINGS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "fault.applied": lambda data: (
        f"fault {data['name']} applied to {', '.join(t.get('pod') or t['node'] for t in data['targets'])}"
    ),
    "fault.proven": lambda data: f"fault {data['name']} {'' if data['ok'] else 'NOT '}proven: {data['why']}",
    "fault.refused": lambda data: f"fault {data['name']} refused: {data['why']}",
    "fault.gone": lambda data: f"fault {data['name']} is taken away ({data['took_s']:g} s)",
    "fault.lingers": lambda data: f"fault {data['name']} is not gone yet: {data['why']}",
    "fault.ended_early": lambda data: (
        f"fault {data['name']} ended by itself on {data['node']}: {data['reason'] or data['why']}"
    ),
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
