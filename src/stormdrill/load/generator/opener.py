"""Logins before the measured time, so that probes and customers in mid-session start with a token.

These requests are not part of the load: they are neither recorded nor counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from gevent.pool import Pool

from stormdrill.errors import TargetError
from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.moment import Stop, elapse
from stormdrill.load.generator.phone import Phone
from stormdrill.load.generator.wire import Wire
from stormdrill.load.outcomes import Expectation, judge_answer

_AT_ONCE = 8
_TRIES = 5
_PAUSE_S = 0.3
_SPACING_S = 0.1


class Opener:
    """Performs the opening step of a phone class. A class without one needs no opening."""

    def __init__(self, config: LoadConfig, wire: Wire, phone_class: type[Phone]) -> None:
        self._operation = phone_class.opening()
        self._method = phone_class.steps().get(self._operation, "")
        self._timeout_s = config.profile.app.timeout_of(self._operation)
        self._wire = wire

    def open_all(self, phones: Sequence[Phone]) -> None:
        """Open every phone. TargetError when one cannot be, after several tries."""
        if not self._method:
            return
        for why in Pool(_AT_ONCE).imap_unordered(self._insist, phones):
            if why:
                raise TargetError(f"{self._operation} before the start: {why}")

    def keep_open(self, phones: Sequence[Phone], stop: Stop) -> None:
        """Renew tokens at half their life until the end. A failed renewal keeps the old token."""
        if not self._method:
            return
        while not stop.wait(
            min((phone.expires_s for phone in phones if phone.expires_s), default=3600.0) / 2
        ):
            for phone in phones:
                self._open(phone)
                if stop.wait(_SPACING_S):
                    return

    def _insist(self, phone: Phone) -> str:
        why = ""
        for _ in range(_TRIES):
            why = self._open(phone)
            if not why:
                return ""
            phone.site = (phone.site + 1) % len(self._wire.lines)
            elapse(_PAUSE_S)
        return why

    def _open(self, phone: Phone) -> str:
        call = getattr(phone, self._method)()
        head = f"{call.method} {call.path}\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in call.headers.items())
        exchange = self._wire.exchange(phone.site, head, call.payload(), self._timeout_s)
        if exchange.trouble is not None:
            why = f": {exchange.why}" if exchange.why else ""
            where = self._wire.lines[phone.site].netloc
            return f"no answer from {where} ({exchange.trouble.name.lower()}{why})"
        judgement = judge_answer(Expectation(False, call.status, call.fields), exchange.status, exchange.body)
        if not judgement.good:
            return (
                f"{self._wire.lines[phone.site].netloc} answered {exchange.status}: {exchange.body[:200]!r}"
            )
        if call.then is not None:
            call.then(judgement.content)
        return ""
