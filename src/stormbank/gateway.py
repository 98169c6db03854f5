"""The gateway: the phones' entrance. Session, flow control, deadline, cell, step-up; the rest is other services'."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from aiohttp import web

from stormbank import intake, openapi
from stormbank.addresses import Order, home_first
from stormbank.background import beside
from stormbank.cellmap import CellMap
from stormbank.cells import HEADER as CELL_HEADER
from stormbank.cells import Cells, ledger_of
from stormbank.deadline import HEADER
from stormbank.dependencies import Dependencies, connect, serves
from stormbank.epoch import HEADER as EPOCH_HEADER
from stormbank.flow.control import FlowControl
from stormbank.flow.metrics import FlowCounts, FlowMetrics
from stormbank.guard.guarded import GuardRules
from stormbank.guard.metrics import GuardMetrics
from stormbank.lookout import Lookout
from stormbank.metrics import CallMetrics, CellMetrics, ScoreMetrics, ServiceMetrics
from stormbank.operations import Operation, addresses_of
from stormbank.problem import StaleEpoch, Unavailable
from stormbank.pulse import Pulse
from stormbank.request import idempotency_key
from stormbank.scoring import Scoring
from stormbank.service import CELL, Service, reply
from stormbank.session import Sessions
from stormbank.settings.gateway import GatewaySettings
from stormbank.staleness import HEADER as AS_OF
from stormbank.stepup import StepUps
from stormbank.upstream import Upstream

PASSED_ON: Final = ("Authorization", "Idempotency-Key")
READY_ANYWAY_S: Final = 5.0


class Gateway:
    """Answers the phones' operations by asking whoever does them, as far as flow control lets them in."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        step_ups: StepUps,
        flow: FlowControl,
        dependencies: Dependencies,
        cells: Cells,
        known: CellMap,
        pulse: Pulse,
        scoring: Scoring | None,
    ) -> None:
        self._sessions = sessions
        self._step_ups = step_ups
        self._flow = flow
        self._dependencies = dependencies
        self._cells = cells
        self._map = known
        self._pulse = pulse
        self._scoring = scoring

    async def answer(self, operation: Operation, request: web.BaseRequest) -> web.Response:
        """Serve one operation; Problem otherwise."""
        intake.check(request)
        deadline = self._flow.deadline(request.headers.get(HEADER))
        # Before admission: strangers must not use up what is meant for customers.
        customer = body = None
        if operation.session:
            customer = self._sessions.customer_of(request.headers.get("Authorization"))
            request[CELL] = self._cells.of(customer)
        else:
            # Where it goes follows from who it says it is. A name that anybody may say takes nothing from its owner.
            body = await intake.body_of(request, deadline)
        intake.check_key(operation, request)
        cell = request[CELL] = self._cells.of(_named_in(body or b"") if customer is None else customer)
        who = self._dependencies.of(operation, cell)
        with self._flow.admit(operation, who.name, customer, deadline):
            if body is None:
                body = await intake.body_of(request, deadline)
            if operation.stepped_up:
                self._step_ups.demand(customer, idempotency_key(request), body, request.headers)
            headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
            headers[CELL_HEADER] = cell
            self._under_an_epoch(operation, cell, headers)
            if operation.writes:
                # What is sent twice on the way is the same attempt, also where the phone named none.
                headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
            if operation.scored and self._scoring is not None and customer is not None:
                mark = await self._scoring.mark(operation, customer, headers, body, deadline)
                headers |= mark.headers()
            answer = await who.ask(operation, headers, body, deadline, request.rel_url.raw_query_string)
        if answer.status == 503 and _stale(answer.body):
            # Left to the phone to repeat, with the same key: it was made under the old map, and whether its customer
            # still waits here under the new one, only the phone knows.
            self._map.doubt(cell)
        response = web.Response(status=answer.status, body=answer.body, content_type="application/json")
        if answer.retry_after is not None:
            response.headers["Retry-After"] = answer.retry_after
        if answer.as_of is not None:
            response.headers[AS_OF] = answer.as_of
        return response

    async def cells(self) -> web.Response:
        """Tell the map in use."""
        return reply(200, self._map.fields())

    def _under_an_epoch(self, operation: Operation, cell: str, headers: dict[str, str]) -> None:
        if operation.writes and self._pulse.just_woke():
            raise Unavailable("stalled")
        epoch = self._map.epoch(cell)
        # A read needs it, too: a database that fell behind would show what is no more.
        # A write under none is for the ledger to refuse: it knows what is wrong.
        if epoch is not None:
            headers[EPOCH_HEADER] = epoch


def _named_in(body: bytes) -> int:
    """Return the customer named in the body of a login; 0 when there is none, which is for identity to refuse."""
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
    metrics.expect(addresses_of("gateway").values(), common.cells.names)
    known = CellMap(common.cells, CellMetrics(metrics.registry).observe)
    pulse = Pulse()
    urls = {ledger_of(cell): some for cell, some in settings.ledgers.items()} | dict(settings.services)
    flow = _flow(settings, metrics)
    started_s = time.monotonic()

    def ready() -> bool:
        # A new gateway waits for its first look at the map, and not for ledgers that are not there: somebody has to
        # say so.
        return known.answered == set(common.cells.names) or time.monotonic() - started_s > READY_ANYWAY_S

    async with AsyncExitStack() as stack:
        guards = GuardMetrics(metrics.registry, CallMetrics(metrics.registry))
        dependencies, upstreams = await connect(
            stack,
            urls,
            partial(_guard, settings),
            flow,
            guards,
            cells=common.cells.names,
            orders=_homes_first(settings, known),
        )
        ledgers = [upstreams[ledger_of(cell)] for cell in settings.ledgers]
        scoring = None
        if settings.scoring is not None:
            scoring = Scoring(dependencies["risk"], settings.scoring, ScoreMetrics(metrics.registry).count)
        gateway = Gateway(
            sessions=Sessions(common.token_secret, common.session_s),
            step_ups=StepUps(common.token_secret, settings.step_up_above),
            flow=flow,
            dependencies=dependencies,
            cells=common.cells,
            known=known,
            pulse=pulse,
            scoring=scoring,
        )
        service = Service(
            "gateway",
            gateway.answer,
            metrics,
            ready,
            lambda: _any_serves(ledgers),
            "/cells",
            gateway.cells,
            {"/openapi.json": openapi.page},
            tells_queue=False,
        )
        follow = {
            f"the watch over {cell}": known.follow(cell, Lookout(urls, "/cell"))
            for cell, urls in settings.ledgers.items()
        }
        async with beside(service.end, {"the pulse": pulse.keep(), **follow}):
            await service.run(host, port, common.drain_s)


def _guard(settings: GatewaySettings, name: str) -> GuardRules:
    if name == "risk" and settings.scoring is not None:
        return settings.flow.guard.within(settings.scoring.wait_s)
    return settings.flow.guard


def _homes_first(settings: GatewaySettings, known: CellMap) -> dict[str, Order]:
    """Return for each cell's ledgers that those of its home come first, as the map has it at each request."""
    return {
        ledger_of(cell): home_first(settings.ledgers[cell], zones, partial(known.home, cell))
        for cell, zones in settings.ledger_zones.items()
    }


def _flow(settings: GatewaySettings, metrics: ServiceMetrics) -> FlowControl:
    served = serves(settings.ledgers, settings.services)
    flow = FlowControl(settings.flow.rules, served, FlowCounts(metrics.registry, served))
    FlowMetrics(metrics.registry, flow)
    return flow
