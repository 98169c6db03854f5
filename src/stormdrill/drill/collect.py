"""What is stored for judging once the load has stopped: the Prometheus samples and the bank's own books."""

from __future__ import annotations

import time

from stormdrill import history, store
from stormdrill.drill.session import Session
from stormdrill.errors import StormdrillError, TargetError
from stormdrill.history import Event
from stormdrill.prometheus import failed_range
from stormdrill.records.keys import sent_keys
from stormdrill.units import NS_PER_S

_BEFORE_S = 15.0  # counters are differenced: one sample before the first judged second is needed
_FIXED = {
    "_shed": "shed_by_tier",
    "_admitted": "admitted_by_tier",
    "_inflight": "admission_highwater",
    "_limit": "admission_limit",
    "_good": "good_by_operation",
}
"""Series fetched for every run, by file name, from the topology's metric of that name."""


def collect(session: Session) -> None:
    """Write `series/` and `books.json`. Never raises: what could not be read says so in its file."""
    _series(session)
    books = session.targets.books.read(session.since_books, sent_keys(session.run.witness))
    store.write_json(session.run.books, books.to_json())
    session.record(
        "books.read",
        reader=books.reader,
        complete=books.complete,
        why=books.why,
        movements=len(books.movements),
    )


def _series(session: Session) -> None:
    prometheus, source = session.targets.prometheus, session.plan.topology.prometheus
    if prometheus is None or source is None:
        return
    start_s, end_s = _window(session)
    silent = ""  # why it is not asked again: each question to one that is gone costs its whole timeout
    for name, query in _queries(session).items():
        try:
            if silent:
                raise TargetError(silent)
            stored = prometheus.range(query, start_s, end_s, source.step_s).to_json()
        except StormdrillError as error:
            silent = str(error) if isinstance(error, TargetError) else ""
            stored = failed_range(query, start_s, end_s, source.step_s, str(error))
        store.write_json(session.run.series / f"{name}.json", stored)


def _queries(session: Session) -> dict[str, str]:
    metrics = session.plan.topology.metrics
    fixed = {name: metrics[metric] for name, metric in _FIXED.items() if metric in metrics}
    return {"_up": "up", **fixed, **{a.id: a.query for a in session.plan.experiment.assertions}}


def _window(session: Session) -> tuple[float, float]:
    """From a little before steady to now, Unix seconds; the whole load when there was no steady phase."""
    events = list(history.read(session.run.history))
    steady = [event for event in events if event.kind == "phase.start" and event.phase == "steady"]
    begin = [*steady, *(event for event in events if event.kind == "load.started"), *events[:1]]
    now_s = time.time()
    return (_unix_s(begin[0], now_s) - _BEFORE_S if begin else now_s - _BEFORE_S), now_s


def _unix_s(event: Event, now_s: float) -> float:
    return now_s - (time.monotonic_ns() - event.mono_ns) / NS_PER_S
