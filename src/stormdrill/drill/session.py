"""The live parts of one run, gathered so that the phases can be plain functions."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from stormdrill.audit import Mark, mark_of
from stormdrill.direct.following import Trailing
from stormdrill.direct.patroni import PatroniDirector
from stormdrill.drill.connect import Targets
from stormdrill.drill.identity import Holder
from stormdrill.drill.injector import Injector
from stormdrill.drill.recovery import Baseline, baseline
from stormdrill.drill.sayings import worth_saying
from stormdrill.drill.stop import Stop
from stormdrill.drill.switching import Given, Switching
from stormdrill.drill.view import View
from stormdrill.faults import Estate
from stormdrill.guard import Guard
from stormdrill.history import Event, History
from stormdrill.load.live import LoadSecond
from stormdrill.load.process import LoadProcess
from stormdrill.plan import Plan
from stormdrill.records.keys import sent_keys
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
    since_books: Mark = 0
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
            closed=lambda: self.switching.closed,
            following=self._following(),
        )
        self.switching = Switching(
            Given(
                topology=self.plan.topology,
                clusters=self.targets.clusters,
                record=self.record,
                check=self.stop.check,
                pause=self.stop.pause,
                run=self.run,
                books=lambda: self.targets.books.read(self.since_books, sent_keys(self.run.witness)),
                since=lambda cell: mark_of(self.since_books, cell),
            )
        )
        self.injector = Injector(self.estate, self.stop)

    def _following(self) -> dict[str, Callable[[], str]]:
        """What to ask about each standby site that follows now: one that does not is nobody's to bring back."""
        found = {}
        for cell, director in self.targets.directors.items():
            if site := self.plan.topology.databases[cell].standby:
                lacks = Trailing(site, PatroniDirector(site.members), director).lacks
                if why := lacks():
                    self.record("standby.away", "patroni", database=cell, site=site.region, why=why)
                else:
                    found[cell] = lacks
        return found

    def record(
        self, kind: str, actor: str = "stormdrill", *, mono_ns: int | None = None, **data: object
    ) -> Event:
        """Append to the history, and tell the watcher what a person would want to know."""
        event = self.history.append(kind, actor, mono_ns=mono_ns, **data)
        if text := worth_saying(kind, data):
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
