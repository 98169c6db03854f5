"""Threads that look at the estate while the drill runs, and put what they see into the history.

Database state and leader changes, what canaries say, alerts, the age of Prometheus' samples, the guard's queries,
CPU pressure of this machine. What cannot be read is recorded as such, once per change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from stormdrill.direct.patroni import PatroniDirector
from stormdrill.drill.alert_sampler import AlertSampler
from stormdrill.drill.guarding import GuardQueries
from stormdrill.drill.pressure import PressureSampler
from stormdrill.drill.session import Session
from stormdrill.drill.standby_sampler import StandbySampler
from stormdrill.errors import StormdrillError
from stormdrill.faults.canaries import Canaries, Flow
from stormdrill.prometheus import Prometheus

_LEADER_S = 0.3
_SECOND_S = 1.0
_CANARY_S = 0.5  # twice in the second that a scrape takes


class Samplers:
    """All samplers of a run: `start` once, `close` when the load has stopped."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to sample."""
        session = self._session
        for cell, director in session.targets.directors.items():
            self._every(_LEADER_S, DatabaseSampler(cell, director, session.record).sample, f"database {cell}")
            if standby := session.plan.topology.databases[cell].standby:
                standing = StandbySampler(cell, director, standby, session.record)
                self._every(_SECOND_S, standing.sample, f"standby of {cell}")
        if session.targets.prometheus:
            self._every(
                _SECOND_S, PrometheusSampler(session, session.targets.prometheus).sample, "prometheus"
            )
            alerts = AlertSampler(session.targets.prometheus, session.record, session.view.say)
            self._every(_SECOND_S, alerts.sample, "alerts")
        if session.targets.canaries:
            sampler = CanarySampler(session.targets.canaries, session.record)
            self._every(_CANARY_S, sampler.sample, "canaries")
        self._every(_SECOND_S, PressureSampler(session.record).sample, "pressure")

    def close(self) -> None:
        """End; waits a moment for a sample under way."""
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def _every(self, period_s: float, sample: Callable[[], None], name: str) -> None:
        def loop() -> None:
            due, said = time.monotonic(), ""
            while not self._ended.wait(max(0.0, due - time.monotonic())):
                try:
                    sample()
                    said = ""
                except (StormdrillError, OSError) as error:
                    if str(error) != said and not self._ended.is_set():
                        said = str(error)
                        self._session.record("sampler.failed", sampler=name, why=said)
                due = max(due + period_s, time.monotonic())

        thread = threading.Thread(target=loop, name=f"sample {name}", daemon=True)
        thread.start()
        self._threads.append(thread)


class DatabaseSampler:
    """`db.leader` when the leader changes (member null: there is none), `db.sync` once a second."""

    def __init__(self, cell: str, director: PatroniDirector, record: Callable[..., Any]) -> None:
        self._cell = cell
        self._director = director
        self._record = record
        self._leader: str | None = None
        self._known = False
        self._next_sync_ns = 0

    def sample(self) -> None:
        """Look once. TargetError when no member answers: that is not knowing, not a lost leader."""
        began_ns = time.monotonic_ns()
        state = self._director.cluster()
        # Who fell silent while being asked did so after the question: that is news of now, not of before.
        at_ns = began_ns if state.leader else time.monotonic_ns()
        self._change(state.leader, state.timeline, at_ns)
        if began_ns >= self._next_sync_ns:
            self._next_sync_ns = began_ns + 1_000_000_000 - 50_000_000
            self._record("db.sync", "patroni", mono_ns=at_ns, database=self._cell, **state.to_json())

    def _change(self, leader: str | None, timeline: int | None, at_ns: int) -> None:
        if self._known and leader == self._leader:
            return
        self._known, self._leader = True, leader
        self._record(
            "db.leader",
            "patroni",
            mono_ns=at_ns,
            database=self._cell,
            member=leader,
            timeline=timeline,
            since_ns=at_ns,
        )


class CanarySampler:
    """`canary.changed` when a flow breaks, works again, or nobody tells of it any more (up null)."""

    def __init__(self, canaries: Canaries, record: Callable[..., Any]) -> None:
        self._canaries = canaries
        self._record = record
        self._seen: dict[Flow, bool | None] = {}

    def sample(self) -> None:
        """Look once. TargetError when Prometheus does not answer: that is not knowing."""
        at_ns = time.monotonic_ns()
        now: dict[Flow, bool | None] = {**self._canaries.look()}
        for flow in sorted({*now, *self._seen}):
            up = now.get(flow)
            if flow in self._seen and self._seen[flow] == up:
                continue
            self._seen[flow] = up
            self._record(
                "canary.changed",
                "canary",
                mono_ns=at_ns,
                zone=flow.zone,
                peer=flow.peer,
                path=flow.path,
                up=up,
            )


class PrometheusSampler:
    """`prometheus.sample_age` each second or `prometheus.error`; has the guard's queries asked."""

    def __init__(self, session: Session, prometheus: Prometheus) -> None:
        self._session = session
        self._prometheus = prometheus
        self._guarding = GuardQueries(session.guard, prometheus, session.record)

    def sample(self) -> None:
        """Ask once."""
        at_ns = time.monotonic_ns()
        guards = self._session.guard_active.is_set()
        try:
            age_s = self._prometheus.sample_age_s()
        except StormdrillError as error:
            self._session.record("prometheus.error", "prometheus", mono_ns=at_ns, error=str(error))
            if guards:
                self._guarding.nobody_answers(at_ns, str(error))
            return
        self._session.record("prometheus.sample_age", "prometheus", mono_ns=at_ns, age_s=round(age_s, 3))
        if guards:
            self._guarding.ask()
