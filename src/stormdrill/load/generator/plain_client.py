"""Watches what a plain Locust user sends: wraps its client's `request`, listens to Locust's own verdict.

Within an arrival every request that the topology claims becomes a record. The first one is due when the
arrival was due; the following ones when the user's code sends them, for no plan says otherwise. A write gets
an idempotency key unless its code sets one; a key seen again in the same arrival is the next attempt.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stormdrill.load.generator.running import Running
from stormdrill.load.outcomes import Expectation, Judgement, Trouble, judge_answer, judge_trouble
from stormdrill.load.plain import Names, Unmatched, money, trouble_of
from stormdrill.load.recorder import Attempt, Request
from stormdrill.records.layout import Act, Flag, Outcome, Reason

CONTEXT = "stormdrill"
_NEVER = -1  # a status that no answer has


@dataclass(slots=True)
class Pending:
    """A request that was sent and not yet judged. `key_given`: the user's code chose the key."""

    arrival: Arrival
    request: Request
    number: int
    sent_ns: int
    key_given: bool
    answered_ns: int = 0
    response: Any = None
    done: bool = False


class Arrival:
    """One arrival of demand: one task of one user, and the requests that it makes."""

    def __init__(self, running: Running, number: int, due_ns: int, site: int) -> None:
        self._running, self._number, self._site = running, number, site
        self._due_ns = due_ns
        self._open: list[Pending] = []
        self._held: dict[str, tuple[Request, Attempt]] = {}
        self.operations: list[int] = []
        self.connect_failed = False

    def send(self, operation: int, key: str, body: Any) -> Pending:
        """A request goes out now; its intent is written when this returns."""
        running, now_ns = self._running, time.monotonic_ns()
        due_ns = now_ns if self.operations else self._due_ns
        self.operations.append(operation)
        held = self._held.pop(key, None) if key else None
        if held is None:
            running.tally.planned(operation, due_ns)
            request = running.recorder.request(operation, due_ns, session=self._number)
            request.key = key or request.key
            request.amount, request.target = money(running.config.idempotency, body)
            number = 1
        else:
            request, last = held
            number = last.number + 1
            self._record(request, last, final=False)
        running.recorder.intent(request, number)
        running.tally.sent(max(0, now_ns - due_ns) if number == 1 else 0)
        pending = Pending(self, request, number, time.monotonic_ns(), bool(key))
        self._open.append(pending)
        return pending

    def judged(self, pending: Pending, response: Any, error: BaseException | None) -> None:
        """Locust has made up its mind about a request: `error` None means success."""
        if pending.done:
            return
        status = int(getattr(response, "status_code", 0) or 0)
        answered_ns = (pending.answered_ns or time.monotonic_ns()) if status else 0
        self._over(pending, _judge(pending.request, status, response, error), status, answered_ns)

    def end(self, *, cut_short: bool) -> None:
        """The task is over: whatever was left open gets its record, held attempts become the last ones."""
        for pending in list(self._open):
            status = int(getattr(pending.response, "status_code", 0) or 0)
            if cut_short or not status:
                verdict = Judgement(Outcome.UNKNOWN, Reason.PHASE_END, Act.UNKNOWN, False, {})
                self._over(pending, verdict, 0, 0)
            else:  # the user's code raised before it said what it thinks of the answer
                self._over(pending, _objected(), status, pending.answered_ns)
        for request, attempt in self._held.values():
            self._record(request, attempt, final=True)
        self._held.clear()

    def _over(self, pending: Pending, verdict: Judgement, status: int, answered_ns: int) -> None:
        pending.done = True
        self._open.remove(pending)
        self._running.tally.answered()
        self.connect_failed = verdict.reason is Reason.CONNECT
        attempt = Attempt(
            pending.number,
            pending.sent_ns,
            answered_ns,
            verdict.outcome,
            verdict.reason,
            verdict.act,
            status,
            self._site,
            final=True,
        )
        if pending.key_given and not verdict.good:
            self._held[pending.request.key] = (pending.request, attempt)  # its code may try again
        else:
            self._record(pending.request, attempt, final=True)

    def _record(self, request: Request, attempt: Attempt, *, final: bool) -> None:
        self._running.recorder.attempt(request, attempt.with_final(final))


class WatchedClient:
    """Stands before one user's `client.request`. Outside an arrival it only passes requests on."""

    def __init__(
        self, running: Running, client: Any, names: Names, unmatched: Unmatched, *, with_timeout: bool
    ) -> None:
        self._running, self._names, self._with_timeout = running, names, with_timeout
        self._unmatched = unmatched
        self._send = client.request
        self._key_header = running.config.idempotency.header if running.config.idempotency else ""
        self._app = running.config.profile.app
        self.arrival: Arrival | None = None
        client.request = self._request

    def _request(self, method: Any, url: Any, name: str | None = None, *args: Any, **kwargs: Any) -> Any:
        operation = self._names.operation(str(method), str(url), name)
        if self.arrival is not None and operation is None:
            self._unmatched.tell(self._names.text(str(method), str(url), name))
        if self.arrival is None or operation is None:
            return self._send(method, url, name, *args, **kwargs)
        config = self._running.config.operations[operation]
        headers = dict(kwargs.pop("headers", None) or {})
        key = next((_text(v) for k, v in headers.items() if k.lower() == self._key_header.lower()), "")
        pending = self.arrival.send(operation, key, kwargs.get("json") or kwargs.get("data"))
        if pending.request.flags & Flag.WRITE and self._key_header and not key:
            headers[self._key_header] = pending.request.key
        if self._with_timeout:
            timeout = (self._app.connect_timeout_s, self._app.timeout_of(config.name))
            kwargs.setdefault("timeout", timeout)
        context = {**(kwargs.pop("context", None) or {}), CONTEXT: pending}
        pending.response = self._send(method, url, name, *args, headers=headers, context=context, **kwargs)
        pending.answered_ns = time.monotonic_ns()
        return pending.response


def on_request(response: Any = None, exception: BaseException | None = None, **rest: Any) -> None:
    """Locust's request event: the moment at which the user's code, or Locust, has judged an answer."""
    context: Mapping[str, Any] = rest.get("context") or {}
    pending = context.get(CONTEXT)
    if isinstance(pending, Pending):
        pending.arrival.judged(pending, response, exception)


def _text(value: Any) -> str:
    """A header's value as it goes over the wire; clients take bytes too."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _judge(request: Request, status: int, response: Any, error: BaseException | None) -> Judgement:
    if not status:  # whatever the user's code thinks of it, there was no answer
        cause = getattr(response, "error", None) or error
        return judge_trouble(trouble_of(cause) if cause is not None else Trouble.RESET)
    if error is None:
        return Judgement(Outcome.GOOD, Reason.NONE, Act.OK, False, {})
    if status < 400:
        return _objected()
    body = getattr(response, "content", b"") or b""
    return judge_answer(Expectation(bool(request.flags & Flag.WRITE), _NEVER), status, body)


def _objected() -> Judgement:
    return Judgement(Outcome.FAILED, Reason.CONTENT, Act.UNKNOWN, False, {})
