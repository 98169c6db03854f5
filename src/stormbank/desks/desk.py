"""The shell of such a service: reads a request, occupies a slot for as long as its operation takes, and answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from stormbank.deadline import HEADER, Deadline
from stormbank.metrics import ServiceMetrics, SlotMetrics
from stormbank.operations import Operation
from stormbank.service import CLOSE_SHARE, Service
from stormbank.session import Sessions
from stormbank.settings.desk import Desk
from stormbank.slots import Slots

Work = Callable[[Deadline], Awaitable[web.Response]]
Reader = Callable[[int, web.BaseRequest], Awaitable[Work | web.Response]]
"""Reads the request of a customer and returns the work to do once there is a slot, or an answer that takes none.

Problem for what cannot be done: it is refused before it occupies anything.
"""


def metrics_of(role: str, settings: Desk) -> ServiceMetrics:
    """Return the registry of the service `role`, for whoever counts in it before it serves."""
    return ServiceMetrics(role, zone=settings.common.zone, pod=settings.common.pod)


async def serve(
    role: str,
    settings: Desk,
    host: str,
    port: int,
    readers: Mapping[str, Reader],
    *,
    metrics: ServiceMetrics | None = None,
) -> None:
    """Be the service `role` until told to end; `readers` by the names of its operations."""
    common = settings.common
    metrics = metrics or metrics_of(role, settings)
    counts = SlotMetrics(metrics.registry)
    slots = Slots(settings.capacity.slots, counts.wait)
    counts.watch(slots)
    sessions = Sessions(common.token_secret, common.session_s)

    async def answer(operation: Operation, request: web.BaseRequest) -> web.Response:
        deadline = Deadline.from_header(request.headers.get(HEADER))
        customer = sessions.customer_of(request.headers.get("Authorization"))
        work = await readers[operation.name](customer, request)
        if isinstance(work, web.Response):
            return work
        await slots.work(settings.capacity.service_s[operation.name], deadline)
        return await work(deadline)

    service = Service(role, answer, metrics, lambda: True, _serving, close_share=CLOSE_SHARE)
    await service.run(host, port, common.drain_s)


async def _serving() -> bool:
    return True
