"""Marketing: offers. They are computed once in a while; what is kept costs no slot."""

from __future__ import annotations

from aiohttp import web

from stormbank.deadline import Deadline
from stormbank.desks.desk import Work, serve
from stormbank.offers import OfferCache, offers_for, segment_of
from stormbank.service import reply
from stormbank.settings.marketing import MarketingSettings


async def run(settings: MarketingSettings, host: str, port: int) -> None:
    """Be a marketing process until told to end."""
    cache = OfferCache(settings.cache_s)

    async def read(customer: int, _: web.BaseRequest) -> Work | web.Response:
        segment = segment_of(customer)
        kept = cache.get(segment)
        if kept is not None:
            return reply(200, {"offers": kept, "cached": True})

        async def work(_: Deadline) -> web.Response:
            offers = offers_for(segment)
            cache.put(segment, offers)
            return reply(200, {"offers": offers, "cached": False})

        return work

    await serve("marketing", settings, host, port, {"offers": read})
