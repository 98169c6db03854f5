"""Wealth: funds, advice on them, and orders, whose money the ledger of the customer's cell books."""

from __future__ import annotations

import json

from aiohttp import web

from stormbank.deadline import Deadline
from stormbank.desks.desk import Work, metrics_of, serve
from stormbank.desks.ledgers import Ledgers, ledgers, passed_on
from stormbank.funds import FUNDS, advice, profile_of
from stormbank.operations import BY_NAME
from stormbank.problem import Refused
from stormbank.request import idempotency_key, money_fields, short_text
from stormbank.service import reply
from stormbank.settings.asking import AskingSettings


async def run(settings: AskingSettings, host: str, port: int) -> None:
    """Be a wealth process until told to end."""
    metrics = metrics_of("wealth", settings)
    async with ledgers(settings, metrics) as asked:
        wealth = Wealth(asked)
        readers = {"products": wealth.products, "advice": wealth.advice, "invest": wealth.invest}
        await serve("wealth", settings, host, port, readers, metrics=metrics)


class Wealth:
    """Reads the requests of each operation."""

    def __init__(self, asked: Ledgers) -> None:
        self._ledgers = asked

    async def products(self, _: int, __: web.BaseRequest) -> Work:
        """What there is."""

        async def work(_: Deadline) -> web.Response:
            return reply(200, {"products": [each.fields() for each in FUNDS.values()]})

        return work

    async def advice(self, customer: int, _: web.BaseRequest) -> Work:
        """How much of which fund suits a customer."""
        profile = profile_of(customer)

        async def work(_: Deadline) -> web.Response:
            return reply(200, {"profile": profile, "shares": advice(profile)})

        return work

    async def invest(self, customer: int, request: web.BaseRequest) -> Work:
        """An order. It is the movement that pays for it: what the ledger has booked under its key is ordered."""
        fields = await money_fields(request, "invest")
        product, amount = short_text(fields["product"], "product"), fields["amount"]
        key = idempotency_key(request)
        fund = FUNDS.get(product)
        if fund is None:
            raise Refused("unknown_product")
        if amount < fund.least:
            raise Refused("below_least_amount", least=fund.least)

        async def work(deadline: Deadline) -> web.Response:
            payment = {"payee": fund.payee, "amount": amount}
            answer = await self._ledgers.ask(BY_NAME["payment"], customer, request, payment, deadline)
            if answer.status != 201:
                return passed_on(answer)
            booked = json.loads(answer.body)
            return reply(201, {"order": str(key), "product": product, "amount": amount, **booked})

        return work
