"""Does one planned request on a phone: attempts, back-off with the same key, records."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

from stormdrill.load.backoff import delay_s
from stormdrill.load.generator.moment import PhaseEnd
from stormdrill.load.generator.names import Names
from stormdrill.load.generator.phone import Call, Phone
from stormdrill.load.generator.running import Running
from stormdrill.load.generator.wire import Exchange
from stormdrill.load.outcomes import Expectation, Judgement, Trouble, judge_answer, judge_trouble
from stormdrill.load.recorder import Attempt, Request
from stormdrill.records.layout import Act, Flag, Outcome, Reason
from stormdrill.units import NS_PER_S

_UNREACHED = (Trouble.CONNECT, Trouble.TIMEOUT)
"""After these a phone tries the next address it knows."""
GENERATOR_LATE_S = 1.0
"""What the generator itself is later with is dropped: caught up with after a stall, it would be a surge."""


@dataclass(slots=True)
class Retries:
    """What is left of a budget of retries, and how many attempts one request may have.

    `unknown_writes_only`: a probe only finds out what it may have done. Once an attempt at a write ended unknown, it
    goes on asking under the same key, refusals or not, as an app does that owes its customer an answer.
    """

    left: int
    attempts: int
    unknown_writes_only: bool = False
    in_doubt: bool = False

    def allow(self, judgement: Judgement, number: int, *, write: bool) -> bool:
        """Whether the end of attempt `number` may be followed by another one."""
        self.in_doubt |= write and judgement.outcome is Outcome.UNKNOWN
        if not judgement.again or self.left <= 0 or number >= self.attempts:
            return False
        return self.in_doubt or not self.unknown_writes_only


@dataclass(slots=True)
class _Try:
    """One attempt as planned: its number, the time it should go out, how long it may take."""

    number: int
    wanted_ns: int
    timeout_s: float


class Caller:
    """Performs requests of one phone class. Safe to use from many greenlets at once."""

    def __init__(self, running: Running, phone_class: type[Phone], names: Names) -> None:
        self._known = names
        self._app = running.config.profile.app
        self._names = [operation.name for operation in running.config.operations]
        steps = phone_class.steps()
        self._methods = [steps.get(name, "") for name in self._names]
        self._key_header = running.config.idempotency.header if running.config.idempotency else ""
        self._running = running
        self._random = Random(f"{running.config.seed}/back-off")

    def perform(self, phone: Phone, request: Request, ready_ns: int, retries: Retries) -> Outcome:
        """Do `request` on a phone that was free for it at `ready_ns`, and say what it came to.

        Every way out has written the request's last record, PhaseEnd included.
        """
        timeout_s = self._app.timeout_of(self._names[request.operation])
        this = _Try(1, max(request.due_ns, ready_ns), timeout_s)
        late_ns = time.monotonic_ns() - this.wanted_ns
        if late_ns > min(timeout_s, GENERATOR_LATE_S) * NS_PER_S:
            self._running.tally.late(late_ns)
            self._running.recorder.unsent(request, Outcome.DROPPED, Reason.NONE)
            return Outcome.DROPPED
        if self._patience_left_s(request) <= 0:
            self._running.recorder.unsent(request, Outcome.BLOCKED, Reason.ABANDONED)
            return Outcome.BLOCKED
        call: Call = getattr(phone, self._methods[request.operation])()
        request.amount, request.source, request.target = call.amount, phone.customer, call.target
        return self._attempts(phone, call, request, this, retries)

    def _attempts(self, phone: Phone, call: Call, request: Request, this: _Try, retries: Retries) -> Outcome:
        timeout_s = this.timeout_s
        while True:
            this.timeout_s = min(timeout_s, self._patience_left_s(request))
            judgement, again_ns = self._attempt(phone, call, request, this, retries)
            if again_ns == 0:
                return judgement.outcome
            this.number, this.wanted_ns = this.number + 1, again_ns
            if not self._pause(again_ns):
                self._running.recorder.unsent(request, Outcome.BLOCKED, Reason.PHASE_END, this.number)
                return Outcome.BLOCKED

    def _pause(self, until_ns: int) -> bool:
        try:
            return self._running.until(until_ns)
        except PhaseEnd:
            return False

    def _attempt(
        self, phone: Phone, call: Call, request: Request, this: _Try, retries: Retries
    ) -> tuple[Judgement, int]:
        """One attempt, recorded. The second value is when to try again; 0 means that this was the last."""
        running = self._running
        self._known.before_request(phone)
        site = phone.site
        head, body = self._head(phone, call, request, this.timeout_s), call.payload()
        running.recorder.intent(request, this.number)
        sent_ns = time.monotonic_ns()
        running.tally.sent(sent_ns - this.wanted_ns)
        try:
            exchange = running.wire.exchange(site, head, body, this.timeout_s)
        except PhaseEnd:
            unknown = (Outcome.UNKNOWN, Reason.PHASE_END, Act.UNKNOWN)
            running.recorder.attempt(request, Attempt(this.number, sent_ns, 0, *unknown, 0, site, final=True))
            raise
        finally:
            running.tally.answered()
        judgement = _judge(call, request, exchange)
        if exchange.trouble in _UNREACHED and phone.site == site:
            self._known.leave(phone)
        again_ns = self._again_ns(request, this, judgement, exchange, retries)
        running.recorder.attempt(
            request, _ended(this, sent_ns, exchange, judgement, site, final=again_ns == 0)
        )
        if judgement.good and call.then is not None:
            call.then(judgement.content)
        return judgement, again_ns

    def _again_ns(
        self, request: Request, this: _Try, judgement: Judgement, exchange: Exchange, retries: Retries
    ) -> int:
        write = bool(request.flags & Flag.WRITE)
        if self._running.stop or not retries.allow(judgement, this.number, write=write):
            return 0
        pause_s = delay_s(self._app, this.number, exchange.retry_after_s, self._random)
        if pause_s >= self._patience_left_s(request):
            return 0
        retries.left -= 1
        return time.monotonic_ns() + int(pause_s * NS_PER_S)

    def _patience_left_s(self, request: Request) -> float:
        return self._app.patience_s - (time.monotonic_ns() - request.due_ns) / NS_PER_S

    def _head(self, phone: Phone, call: Call, request: Request, timeout_s: float) -> str:
        lines = [f"{call.method} {call.path}\r\nAccept: application/json\r\n", phone.headers()]
        if call.body is not None:
            lines.append("Content-Type: application/json\r\n")
        if request.key and self._key_header:
            lines.append(f"{self._key_header}: {request.key}\r\n")
        if phone.deadline_header:
            lines.append(f"{phone.deadline_header}: {max(1, int(timeout_s * 1000))}\r\n")
        lines.extend(f"{name}: {value}\r\n" for name, value in call.headers.items())
        return "".join(lines)


def _judge(call: Call, request: Request, exchange: Exchange) -> Judgement:
    if exchange.trouble is not None:
        return judge_trouble(exchange.trouble)
    write = bool(request.flags & Flag.WRITE)
    expected = Expectation(write, call.status, call.fields, request.key)
    return judge_answer(expected, exchange.status, exchange.body)


def _ended(
    this: _Try, sent_ns: int, exchange: Exchange, judgement: Judgement, site: int, *, final: bool
) -> Attempt:
    movement = judgement.content.get("movement", 0)
    return Attempt(
        this.number,
        sent_ns,
        exchange.answered_ns,
        judgement.outcome,
        judgement.reason,
        judgement.act,
        exchange.status,
        site,
        final=final,
        movement=movement if isinstance(movement, int) else 0,
    )
