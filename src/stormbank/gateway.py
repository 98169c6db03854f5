"""The gateway: the phones' entrance. Session, flow control, deadline; everything else is the ledger's."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from aiohttp import web

from stormbank.admission import Admission
from stormbank.deadline import HEADER, Deadline
from stormbank.metrics import AdmissionMetrics, ServiceMetrics
from stormbank.operations import Operation
from stormbank.problem import BadRequest, DeadlineExceeded, Shed
from stormbank.service import Service, reply
from stormbank.session import Sessions
from stormbank.settings import Settings
from stormbank.upstream import LedgerAnswer, Ledgers

PASSED_ON: Final = ("Authorization", "Idempotency-Key")
LARGEST_BODY: Final = 4096


class Gateway:
    """Answers the phones' operations by asking a ledger, as far as flow control lets them in."""

    def __init__(
        self, sessions: Sessions, admission: Admission, counts: AdmissionMetrics, ledgers: Ledgers
    ) -> None:
        self._sessions = sessions
        self._admission = admission
        self._counts = counts
        self._ledgers = ledgers

    async def answer(self, operation: Operation, request: web.BaseRequest) -> web.Response:
        """Serve one operation; Problem otherwise."""
        deadline = Deadline.from_header(request.headers.get(HEADER))
        # Before admission: strangers must not use up what is meant for customers.
        if operation.session:
            self._sessions.customer_of(request.headers.get("Authorization"))
        if operation.money and "Idempotency-Key" not in request.headers:
            raise BadRequest("Idempotency-Key is missing")
        try:
            self._admission.enter(operation.tier)
        except Shed as shed:
            self._counts.shed(operation, shed.fields["reason"])
            raise
        try:
            self._counts.admitted(operation)
            body = await _body(request, deadline)
            headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
            answer = await self._ledgers.ask(operation, headers, body, deadline)
        finally:
            self._admission.leave()
        if operation.name == "login" and answer.status == 200:
            return self._logged_in(answer)
        response = web.Response(status=answer.status, body=answer.body, content_type="application/json")
        if answer.retry_after is not None:
            response.headers["Retry-After"] = answer.retry_after
        return response

    def _logged_in(self, answer: LedgerAnswer) -> web.Response:
        customer = int(json.loads(answer.body)["customer"])
        token = self._sessions.issue(customer)
        return reply(200, {"token": token, "customer": customer, "expires_s": self._sessions.lifetime_s})


async def _body(request: web.BaseRequest, deadline: Deadline) -> bytes:
    if not request.can_read_body:
        return b""
    if (request.content_length or 0) > LARGEST_BODY:
        raise BadRequest("body too large")
    try:
        async with asyncio.timeout(max(0.0, deadline.remaining_s())):
            return await request.read()
    except TimeoutError:
        raise DeadlineExceeded("request_body") from None
    except web.HTTPRequestEntityTooLarge:
        raise BadRequest("body too large") from None


async def run(settings: Settings, host: str, port: int) -> None:
    """Be a gateway until told to end."""
    metrics = ServiceMetrics("gateway", zone=settings.zone, pod=settings.pod)
    admission = Admission(settings.limit, settings.tier_order, settings.tier_share, settings.rate_per_s)
    async with Ledgers(settings.ledger_urls) as ledgers:
        gateway = Gateway(
            Sessions(settings.token_secret, settings.session_s),
            admission,
            AdmissionMetrics(metrics.registry, admission),
            ledgers,
        )
        service = Service("gateway", gateway.answer, metrics, ready=lambda: True, serving=ledgers.serving)
        await service.run(host, port, settings.drain_s)
