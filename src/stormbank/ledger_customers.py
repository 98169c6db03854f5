"""The ledger's desk for internal operations about customers: what identity asks, and has recorded."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from stormbank.db.credentials import Credentials, Try
from stormbank.deadline import Deadline
from stormbank.problem import BadRequest, Refused
from stormbank.request import epoch_in, json_fields, short_text
from stormbank.work import Done, Reader, Work
from stormbank.wrong import Wrong


class CustomerDesk:
    """Reads these requests of a customer and says what there is to do once there is a slot, by operation."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.readers: Mapping[str, Reader] = {
            "credentials": self._known,
            "bind_device": self._bind,
            "try_code": self._try,
        }

    async def _known(self, customer: int, request: web.BaseRequest) -> Work:
        device = (await json_fields(request, {"device": str}))["device"]
        # Empty where no phone is asked about.
        device = device and short_text(device, "device")
        epoch = epoch_in(request)

        async def work(deadline: Deadline) -> Done:
            found = await self._credentials.known(customer, device, epoch, deadline)
            if found is None:
                raise Refused("unknown_customer")
            return 200, {
                "salt": found.salt,
                "password_hash": found.password_hash.hex(),
                "bound": found.bound,
            }

        return work

    async def _try(self, customer: int, request: web.BaseRequest) -> Work:
        fields = await json_fields(request, {"key": str, "attempt": str, "right": bool})
        code, epoch = _try_in(customer, fields), epoch_in(request)

        async def work(deadline: Deadline) -> Done:
            outcome, used_at = await self._credentials.tried(code, epoch, deadline, right=fields["right"])
            return 200, {"outcome": outcome, "used_at": used_at and int(used_at.timestamp())}

        return work

    async def _bind(self, customer: int, request: web.BaseRequest) -> Work:
        fields = await json_fields(request, {"key": str, "attempt": str, "device": str})
        device = short_text(fields["device"], "device")
        code, epoch = _try_in(customer, fields), epoch_in(request)
        # The same attempt with another phone is another attempt.
        code = replace(code, attempt=uuid.uuid5(code.attempt, device))

        async def work(deadline: Deadline) -> Done:
            return 200, {"outcome": await self._credentials.bind(code, device, epoch, deadline)}

        return work


def _try_in(customer: int, fields: dict[str, Any]) -> Try:
    try:
        return Try(customer, uuid.UUID(fields["key"]), uuid.UUID(fields["attempt"]))
    except ValueError:
        raise BadRequest(Wrong.VALUE, "key and attempt are not UUIDs") from None
