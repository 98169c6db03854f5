"""Single requests by customers already logged in: probes at a steady pace, pulses at random in their time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from gevent.pool import Group

from stormdrill.load.arrivals import pulse, regular
from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.caller import Caller, Retries
from stormdrill.load.generator.phone import Phone
from stormdrill.load.generator.running import Running
from stormdrill.profile import App
from stormdrill.records.layout import Outcome, Reason

_ROOM = 1.2  # times what a stream has in flight when no answer comes at all
_PROBE_RETRIES = 7
"""Only for movements in doubt, which are few: enough to find out about them after an outage of some seconds. A pulse
is the app at work, and tries again as the profile says."""


@dataclass(frozen=True)
class Stream:
    """One operation in one cell: when it is due (seconds from the start), and how many may be in flight."""

    operation: int
    cell: int
    probe: bool
    limit: int
    schedule: Iterator[float]


def streams(config: LoadConfig) -> list[Stream]:
    """The probes and pulses of a profile, for every cell."""
    numbers = {operation.name: index for index, operation in enumerate(config.operations)}
    profile, found = config.profile, []
    for cell in range(len(config.cells)):
        for name, rate_per_s in profile.probes.items():
            schedule = regular(rate_per_s, Random(f"{config.seed}/probe/{name}/{cell}"))
            limit = _limit(config, name, rate_per_s, 1 + _PROBE_RETRIES)
            found.append(Stream(numbers[name], cell, True, limit, schedule))
        for number, each in enumerate(profile.pulses):
            rng = Random(f"{config.seed}/pulse/{number}/{cell}")
            rate_per_s = each.rate_per_s / len(config.cells)  # it is the whole estate's demand
            schedule = pulse(rate_per_s, each.from_s, each.for_s, rng)
            limit = _limit(config, each.operation, rate_per_s, profile.app.attempts)
            found.append(Stream(numbers[each.operation], cell, False, limit, schedule))
    return found


def run(stream: Stream, running: Running, caller: Caller, phones: Sequence[Phone]) -> None:
    """Offer the stream's requests until the load ends. `phones` are taken in turn, and may be shared."""
    turn = itertools.cycle(phones)
    inflight = Group()
    for due_s in stream.schedule:
        due_ns = running.due_ns(due_s)
        if not running.until(due_ns):
            return
        running.tally.planned(stream.operation, due_ns)
        request = running.recorder.request(stream.operation, due_ns, cell=stream.cell, probe=stream.probe)
        if len(inflight) >= stream.limit:
            running.recorder.unsent(request, Outcome.DROPPED, Reason.NONE)
            continue
        retries = _retries(stream, running.config.profile.app)
        part = running.spawn(caller.perform, next(turn), request, 0, retries, work=True)
        inflight.add(part)


def _retries(stream: Stream, app: App) -> Retries:
    if stream.probe:
        return Retries(_PROBE_RETRIES, 1 + _PROBE_RETRIES, unknown_writes_only=True)
    return Retries(app.retries_per_session, app.attempts)


def _limit(config: LoadConfig, operation: str, rate_per_s: float, attempts: int) -> int:
    app = config.profile.app
    pauses_s = sum(app.backoff_s * app.backoff_factor**number for number in range(attempts - 1))
    longest_s = attempts * app.timeout_of(operation) + pauses_s * (1 + app.jitter)
    return int(_ROOM * rate_per_s * min(longest_s, app.patience_s)) + 10
