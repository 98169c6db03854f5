"""Campus: check-in. A pulse of it is for this service to bear; the ledger keeps what comes through, at little cost."""

from __future__ import annotations

from aiohttp import web

from stormbank.deadline import Deadline
from stormbank.desks.desk import Work, metrics_of, serve
from stormbank.desks.ledgers import ledgers, passed_on
from stormbank.operations import BY_NAME
from stormbank.request import epoch_in, json_fields, short_text
from stormbank.settings.asking import AskingSettings


async def run(settings: AskingSettings, host: str, port: int) -> None:
    """Be a campus process until told to end."""
    metrics = metrics_of("campus", settings)
    async with ledgers(settings, metrics) as asked:

        async def check_in(customer: int, request: web.BaseRequest) -> Work:
            place = short_text((await json_fields(request, {"place": str}))["place"], "place")
            epoch_in(request)

            async def work(deadline: Deadline) -> web.Response:
                keep, fields = BY_NAME["keep_checkin"], {"place": place}
                return passed_on(await asked.ask(keep, customer, request, fields, deadline))

            return work

        await serve("campus", settings, host, port, {"checkin": check_in}, metrics=metrics)
