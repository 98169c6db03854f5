"""Asking anti-fraud before money moves: a little of the request's time, and a rule for when there is no answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from stormbank.deadline import Deadline
from stormbank.guard.guarded import Asker
from stormbank.mark import CLOSED, REFUSED, Mark
from stormbank.operations import BY_NAME, Operation
from stormbank.problem import Problem
from stormbank.request import money_in

_MARGIN_S: Final = 0.05


@dataclass(frozen=True)
class Patience:
    """How long anti-fraud is waited for, and what happens then: above `closed_above` fen nothing is booked."""

    wait_s: float
    closed_above: int


class Scoring:
    """Asks `risk`. `count` is told what became of each movement: pass, refuse, unscored or closed."""

    def __init__(self, risk: Asker, patience: Patience, count: Callable[[str], None]) -> None:
        self._risk = risk
        self._patience = patience
        self._count = count

    async def mark(
        self, operation: Operation, customer: int, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> Mark:
        """Return how the ledger is to take this request; BadRequest when it makes no sense, which nobody scores."""
        fields = money_in(body, operation.name)
        amount = fields["amount"]
        target = str(fields["to"] if "to" in fields else fields["payee"])
        asked = {"operation": operation.name, "customer": customer, "amount": amount, "target": target}
        match await self._verdict(headers, json.dumps(asked).encode(), deadline):
            case "pass":
                self._count("pass")
                return Mark()
            case "refuse":
                self._count("refuse")
                return Mark(bar=REFUSED)
            case _ if amount > self._patience.closed_above:
                self._count("closed")
                return Mark(bar=CLOSED)
            case _:
                self._count("unscored")
                return Mark(unscored=True)

    async def _verdict(self, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> object:
        """Return what risk says; None when it does not say anything in time."""
        wait_s = min(self._patience.wait_s, deadline.remaining_s())
        try:
            # Between two tries a pause may be longer than all the time there is. Whoever waits for an answer sees that
            # the time is over by itself, and a little earlier.
            async with asyncio.timeout(wait_s + _MARGIN_S):
                until = Deadline.after_ms(wait_s * 1000)
                answer = await self._risk.ask(BY_NAME["score"], headers, body, until)
            return json.loads(answer.body)["verdict"] if answer.status == 200 else None
        except (Problem, TimeoutError, ValueError, TypeError, KeyError):
            return None
