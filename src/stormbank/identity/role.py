"""The role `identity`: its parts put together, and run."""

from __future__ import annotations

from contextlib import AsyncExitStack

from aiohttp import web

from stormbank.cellways import open_ways
from stormbank.guard.metrics import GuardMetrics
from stormbank.identity.biometric import Biometrics
from stormbank.identity.codes import Codes
from stormbank.identity.desk import Claims, Desk, Policy
from stormbank.identity.metrics import PartyMetrics
from stormbank.identity.party import Party
from stormbank.identity.records import Records
from stormbank.metrics import CallMetrics, ServiceMetrics, SlotMetrics
from stormbank.service import CLOSE_SHARE, Service, reply
from stormbank.session import Sessions
from stormbank.settings.identity import IdentitySettings, PartySettings
from stormbank.signed import Signed
from stormbank.slots import Slots
from stormbank.stepup import StepUps


async def run(settings: IdentitySettings, host: str, port: int) -> None:
    """Be an identity until told to end."""
    common = settings.common
    metrics = ServiceMetrics("identity", zone=common.zone, pod=common.pod)
    counted = CallMetrics(metrics.registry)
    calls = PartyMetrics(counted, ("sms", "face"), common.cells.names)
    async with AsyncExitStack() as stack:
        guards = GuardMetrics(metrics.registry, counted)
        ways = await open_ways(stack, settings.ledgers, settings.guard, guards)
        sms, face = [
            await stack.enter_async_context(_party(name, told, calls, bounded=settings.bulkheads))
            for name, told in (("sms", settings.sms), ("face", settings.face))
        ]
        claims = _claims(settings)
        counts = SlotMetrics(metrics.registry)
        slots = Slots(settings.capacity.slots, counts.wait)
        counts.watch(slots)
        desk = Desk(
            policy=Policy(
                binding=settings.binding, bulkheads=settings.bulkheads, step_up_s=settings.step_up_s
            ),
            claims=claims,
            records=Records(common.cells, ways.guarded, claims.sessions),
            sms=sms,
            face=face,
            slots=slots,
            service_s=settings.capacity.service_s,
        )

        async def serving() -> bool:
            for each in ways.upstreams.values():
                if await each.serving():
                    return True
            return False

        async def parties() -> web.Response:
            shown = {each.name: {"under_way": each.under_way, "calls": each.calls} for each in (sms, face)}
            return reply(200, {"parties": shown})

        # It waits for nobody: that a ledger or a party is missing is said request by request.
        service = Service(
            "identity",
            desk.answer,
            metrics,
            lambda: True,
            serving,
            "/parties",
            parties,
            close_share=CLOSE_SHARE,
        )
        await service.run(host, port, common.drain_s)


def _claims(settings: IdentitySettings) -> Claims:
    secret = settings.common.token_secret
    signed = Signed(secret)
    return Claims(
        sessions=Sessions(secret, settings.common.session_s),
        codes=Codes(signed, settings.code_s),
        biometrics=Biometrics(signed, settings.biometric_s),
        step_ups=StepUps(secret),
    )


def _party(name: str, told: PartySettings, counts: PartyMetrics, *, bounded: bool) -> Party:
    calls, timeout_s = (told.calls, told.timeout_s) if bounded else (None, None)
    return Party(name, told.url, counts, calls=calls, timeout_s=timeout_s)
