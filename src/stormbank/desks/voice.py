"""Voice: text that was spoken to an intent and an answer. It reads nothing of a customer's and moves nothing."""

from __future__ import annotations

from aiohttp import web

from stormbank.deadline import Deadline
from stormbank.desks.desk import Work, serve
from stormbank.intents import intent_of
from stormbank.request import json_fields, short_text
from stormbank.service import reply
from stormbank.settings.desk import DeskSettings

LONGEST_TEXT = 200


async def run(settings: DeskSettings, host: str, port: int) -> None:
    """Be a voice process until told to end."""
    await serve("voice", settings, host, port, {"voice": _read})


async def _read(_: int, request: web.BaseRequest) -> Work:
    fields = await json_fields(request, {"text": str})
    text = short_text(fields["text"], "text", LONGEST_TEXT)

    async def work(_: Deadline) -> web.Response:
        intent = intent_of(text)
        return reply(200, {"intent": intent.name, "answer": intent.answer})

    return work
