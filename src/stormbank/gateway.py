"""The gateway: the phones' entrance. Session, flow control, deadline, cell; everything else is the ledger's."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from stormbank import intake, openapi
from stormbank.admission import Admission
from stormbank.background import beside
from stormbank.cellmap import CellMap
from stormbank.cells import HEADER as CELL_HEADER
from stormbank.cells import Cells
from stormbank.deadline import HEADER, Deadline
from stormbank.epoch import HEADER as EPOCH_HEADER
from stormbank.lookout import Lookout
from stormbank.metrics import AdmissionMetrics, CellMetrics, DependencyMetrics, ServiceMetrics
from stormbank.operations import Operation
from stormbank.problem import Shed, StaleEpoch, Unavailable
from stormbank.pulse import Pulse
from stormbank.service import CELL, Service, reply
from stormbank.session import Sessions
from stormbank.settings.gateway import GatewaySettings
from stormbank.upstream import Upstream, UpstreamAnswer

PASSED_ON: Final = ("Authorization", "Idempotency-Key")
READY_ANYWAY_S: Final = 5.0


class Gateway:
    """Answers the phones' operations by asking a ledger of the customer's cell, as far as flow control lets them in."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        admission: Admission,
        counts: AdmissionMetrics,
        cells: Cells,
        ledgers: Mapping[str, Upstream],
        services: Mapping[str, Upstream],
        known: CellMap,
        pulse: Pulse,
    ) -> None:
        self._sessions = sessions
        self._admission = admission
        self._counts = counts
        self._cells = cells
        self._ledgers = ledgers
        self._services = services
        self._map = known
        self._pulse = pulse

    async def answer(self, operation: Operation, request: web.BaseRequest) -> web.Response:
        """Serve one operation; Problem otherwise."""
        intake.check(operation, request)
        deadline = Deadline.from_header(request.headers.get(HEADER))
        # Before admission: strangers must not use up what is meant for customers.
        customer = None
        if operation.session:
            customer = self._sessions.customer_of(request.headers.get("Authorization"))
            request[CELL] = self._cells.of(customer)
        try:
            self._admission.enter(operation.tier)
        except Shed as shed:
            self._counts.shed(operation, shed.fields["reason"])
            raise
        try:
            self._counts.admitted(operation)
            body = await intake.body_of(request, deadline)
            cell = request[CELL] = self._cells.of(_named_in(body) if customer is None else customer)
            headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
            headers[CELL_HEADER] = cell
            if operation.writes:
                self._under_an_epoch(cell, headers)
            who = self._ledgers[cell] if operation.service == "ledger" else self._services[operation.service]
            answer = await who.ask(operation, headers, body, deadline)
        finally:
            self._admission.leave()
        if operation.writes and answer.status == 503 and _stale(answer.body):
            # Left to the phone to repeat, with the same key: it was made under the old map, and whether its customer
            # still waits here under the new one, only the phone knows.
            self._map.doubt(cell)
        if operation.name == "login" and answer.status == 200:
            return self._logged_in(answer)
        response = web.Response(status=answer.status, body=answer.body, content_type="application/json")
        if answer.retry_after is not None:
            response.headers["Retry-After"] = answer.retry_after
        return response

    async def cells(self) -> web.Response:
        """Tell the map in use."""
        return reply(200, self._map.fields())

    def _under_an_epoch(self, cell: str, headers: dict[str, str]) -> None:
        if self._pulse.just_woke():
            raise Unavailable("stalled")
        epoch = self._map.epoch(cell)
        # A write under none is for the ledger to refuse: it knows what is wrong.
        if epoch is not None:
            headers[EPOCH_HEADER] = epoch

    def _logged_in(self, answer: UpstreamAnswer) -> web.Response:
        customer = int(json.loads(answer.body)["customer"])
        token = self._sessions.issue(customer)
        return reply(200, {"token": token, "customer": customer, "expires_s": self._sessions.lifetime_s})


def _named_in(body: bytes) -> int:
    """Return the customer named in the body of a login; 0 when there is none, which is for a ledger to refuse."""
    try:
        customer = json.loads(body)["customer"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
    return customer if type(customer) is int else 0


def _stale(body: bytes) -> bool:
    try:
        return bool(json.loads(body)["reason"] == StaleEpoch.REASON)
    except (ValueError, TypeError, KeyError):
        return False


async def _any_serves(cells: Iterable[Upstream]) -> bool:
    """Whether business can be done in any cell: its customers are served whether or not another's are."""
    asked = [asyncio.create_task(each.serving()) for each in cells]
    try:
        for answer in asyncio.as_completed(asked):
            if await answer:
                return True
        return False
    finally:
        for each in asked:
            each.cancel()


async def run(settings: GatewaySettings, host: str, port: int) -> None:
    """Be a gateway until told to end."""
    common = settings.common
    metrics = ServiceMetrics("gateway", zone=common.zone, pod=common.pod)
    admission = Admission(settings.limit, settings.tier_order, settings.tier_share, settings.rate_per_s)
    known = CellMap(common.cells, CellMetrics(metrics.registry).observe)
    pulse = Pulse()
    started_s = time.monotonic()

    def ready() -> bool:
        # A new gateway waits for its first look at the map, and not for ledgers that are not there: somebody has to
        # say so.
        return known.answered == set(common.cells.names) or time.monotonic() - started_s > READY_ANYWAY_S

    calls = DependencyMetrics(metrics.registry)
    async with AsyncExitStack() as stack:
        ledgers = {
            cell: await stack.enter_async_context(Upstream("ledger", urls, calls.of("ledger", cell)))
            for cell, urls in settings.ledgers.items()
        }
        services = {
            name: await stack.enter_async_context(Upstream(name, urls, calls.of(name)))
            for name, urls in settings.services.items()
        }

        gateway = Gateway(
            sessions=Sessions(common.token_secret, common.session_s),
            admission=admission,
            counts=AdmissionMetrics(metrics.registry, admission),
            cells=common.cells,
            ledgers=ledgers,
            services=services,
            known=known,
            pulse=pulse,
        )
        service = Service(
            "gateway",
            gateway.answer,
            metrics,
            ready,
            lambda: _any_serves(ledgers.values()),
            "/cells",
            gateway.cells,
            {"/openapi.json": openapi.page},
        )
        follow = {
            f"the watch over {cell}": known.follow(cell, Lookout(urls, "/cell"))
            for cell, urls in settings.ledgers.items()
        }
        async with beside(service.end, {"the pulse": pulse.keep(), **follow}):
            await service.run(host, port, common.drain_s)
