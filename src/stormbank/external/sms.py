"""The SMS party: takes messages to customers, and lets a phone fetch those of its own.

`POST /messages` with `{id, customer, text}` answers 202; the same `id` again is the same message. `GET
/messages?customer=` answers `{"messages": [{id, text, age_s}, ...]}`, oldest first, of the last minutes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from stormbank.external.shell import Shell
from stormbank.problem import BadRequest
from stormbank.request import json_fields, short_text
from stormbank.service import reply
from stormbank.settings.sms import SmsSettings
from stormbank.wrong import Wrong

MOST: Final = 20_000
"""Messages kept at most, of all customers; the oldest go first."""
LONGEST_TEXT: Final = 160


@dataclass(frozen=True)
class Message:
    """A text to a customer; `at_s` on the monotonic clock."""

    customer: int
    text: str
    at_s: float


class Mailbox:
    """The messages of the last `keep_s` seconds."""

    def __init__(self, keep_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = keep_s
        self._clock = clock
        self._kept: OrderedDict[str, Message] = OrderedDict()

    def put(self, name: str, customer: int, text: str) -> None:
        """Keep a message; one of the same name is there already."""
        self._kept.setdefault(name, Message(customer, text, self._clock()))
        self._forget()

    def of(self, customer: int) -> list[dict[str, Any]]:
        """Return the customer's messages as JSON fields, oldest first."""
        self._forget()
        now_s = self._clock()
        return [
            {"id": name, "text": each.text, "age_s": round(now_s - each.at_s, 3)}
            for name, each in self._kept.items()
            if each.customer == customer
        ]

    def _forget(self) -> None:
        since_s = self._clock() - self._keep_s
        while self._kept and (len(self._kept) > MOST or next(iter(self._kept.values())).at_s < since_s):
            self._kept.popitem(last=False)


async def run(settings: SmsSettings, host: str, port: int) -> None:
    """Be the SMS party until told to end."""
    mailbox = Mailbox(settings.keep_s)

    async def send(request: web.BaseRequest) -> web.Response:
        fields = await json_fields(request, {"id": str, "customer": int, "text": str})
        if not 0 < len(fields["text"]) <= LONGEST_TEXT:
            raise BadRequest(Wrong.TEXT, f"text is not 1 to {LONGEST_TEXT} characters")
        mailbox.put(short_text(fields["id"], "id"), fields["customer"], fields["text"])
        return reply(202, {"id": fields["id"]})

    async def fetch(request: web.BaseRequest) -> web.Response:
        try:
            customer = int(request.query.get("customer", ""))
        except ValueError:
            raise BadRequest(Wrong.QUERY, "customer is not a number") from None
        return reply(200, {"messages": mailbox.of(customer)})

    routes = {("POST", "/messages"): send, ("GET", "/messages"): fetch}
    await Shell("sms", routes, settings.external.trouble).run(settings.external, host, port)
