"""Anti-fraud: scores a movement of money before it is booked. Knows nothing but what it was asked lately."""

from __future__ import annotations

from aiohttp import web

from stormbank.deadline import Deadline
from stormbank.desks.desk import Work, serve
from stormbank.fraud import Velocity, score
from stormbank.operations import OPERATIONS
from stormbank.problem import BadRequest
from stormbank.request import amount_in, idempotency_key, json_fields, short_text
from stormbank.service import reply
from stormbank.settings.risk import RiskSettings
from stormbank.wrong import Wrong

_SCORED = frozenset(each.name for each in OPERATIONS if each.scored)


async def run(settings: RiskSettings, host: str, port: int) -> None:
    """Be an anti-fraud process until told to end."""
    velocity = Velocity(settings.limits.window_s)

    async def read(customer: int, request: web.BaseRequest) -> Work:
        wanted = {"operation": str, "customer": int, "amount": int, "target": str}
        fields = await json_fields(request, wanted)
        if fields["operation"] not in _SCORED:
            raise BadRequest(Wrong.VALUE, "operation is not one that is scored")
        if fields["customer"] != customer:
            raise BadRequest(Wrong.VALUE, "customer is not the session's")
        short_text(fields["target"], "target")
        amount, key = amount_in(fields), str(idempotency_key(request))

        async def work(_: Deadline) -> web.Response:
            found = score(amount, velocity.count(customer, amount, key), settings.limits)
            return reply(200, {"score": found.points, "verdict": found.verdict, "reasons": found.reasons})

        return work

    await serve("risk", settings, host, port, {"score": read})
