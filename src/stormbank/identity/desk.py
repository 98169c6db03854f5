"""Identity's desk: login, one-time codes, phones, faces and step-ups, each in a worker slot."""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from stormbank.deadline import HEADER, Deadline
from stormbank.identity.biometric import Biometrics
from stormbank.identity.codes import PURPOSES, Codes, is_right
from stormbank.identity.party import Party
from stormbank.identity.records import Asked, Records
from stormbank.operations import Operation
from stormbank.problem import BadRequest, Conflict, Forbidden, Problem, Refused, Unauthorized
from stormbank.request import idempotency_key, json_fields, short_text
from stormbank.service import reply
from stormbank.session import Sessions
from stormbank.slots import Slots
from stormbank.stepup import StepUps, order_of
from stormbank.work import Done, Reader, Work
from stormbank.wrong import Wrong

LARGEST_IMAGE: Final = 3000
"""Characters, so that the request fits into what a gateway takes."""


@dataclass(frozen=True)
class Claims:
    """What identity signs."""

    sessions: Sessions
    codes: Codes
    biometrics: Biometrics
    step_ups: StepUps


@dataclass(frozen=True)
class Policy:
    """`binding`: only from bound phones. `bulkheads`: no slot is held while an external party is asked. Seconds."""

    binding: bool
    bulkheads: bool
    step_up_s: int


class Desk:
    """Answers identity's operations. `sms` and `face` are asked outside the bank, everything else in the cell."""

    def __init__(
        self,
        *,
        policy: Policy,
        claims: Claims,
        records: Records,
        sms: Party,
        face: Party,
        slots: Slots,
        service_s: Mapping[str, float],
    ) -> None:
        self._policy = policy
        self._claims = claims
        self._records = records
        self._sms = sms
        self._face = face
        self._slots = slots
        self._service_s = service_s
        self._readers: dict[str, Reader] = {
            "login": self._login,
            "otp": self._otp,
            "bind": self._bind,
            "face": self._recognise,
            "stepup": self._step_up,
        }

    async def answer(self, operation: Operation, request: web.BaseRequest) -> web.Response:
        """Serve one operation; Problem otherwise."""
        deadline = Deadline.from_header(request.headers.get(HEADER))
        customer = 0
        if operation.session:
            customer = self._claims.sessions.customer_of(request.headers.get("Authorization"))
        # A request that makes no sense is refused before it occupies a slot.
        work = await self._readers[operation.name](customer, request)
        async with self._working(operation, deadline):
            status, fields = await work(deadline)
        return reply(status, fields)

    @asynccontextmanager
    async def _working(self, operation: Operation, deadline: Deadline) -> AsyncIterator[None]:
        """Occupy a slot for the declared time; without bulkheads until the very end, whoever is waited for."""
        async with self._slots.occupied(self._service_s[operation.name], deadline):
            if not self._policy.bulkheads:
                yield
                return
        yield

    # Each of these reads its request and returns the work to do once there is a slot.

    async def _login(self, _: int, request: web.BaseRequest) -> Work:
        by_password = {"customer": int, "device": str, "password": str}
        by_face = {"customer": int, "device": str, "biometric": str}
        fields = await json_fields(request, by_password, by_face)
        customer, device = fields["customer"], short_text(fields["device"], "device")
        asked = Asked.by(request)

        async def work(deadline: Deadline) -> Done:
            if "biometric" in fields:
                self._claims.biometrics.demand(fields["biometric"], customer, device)
            known = await self._known(customer, device, asked, deadline)
            if "password" in fields:
                _demand_password(known, fields["password"])
            if self._policy.binding and not known["bound"]:
                raise Forbidden("device_unknown")
            sessions = self._claims.sessions
            return 200, {
                "token": sessions.issue(customer),
                "customer": customer,
                "expires_s": sessions.lifetime_s,
            }

        return work

    async def _otp(self, _: int, request: web.BaseRequest) -> Work:
        fields = await json_fields(request, {"customer": int, "password": str, "purpose": str})
        customer, purpose = fields["customer"], fields["purpose"]
        if purpose not in PURPOSES:
            raise BadRequest(Wrong.VALUE, "purpose is not one of " + ", ".join(PURPOSES))
        asked = Asked.by(request)

        async def work(deadline: Deadline) -> Done:
            # Nobody is sent a code for whom the password was not known.
            _demand_password(await self._known(customer, "", asked, deadline), fields["password"])
            challenge = self._claims.codes.challenge(customer, purpose)
            text = f"Stormbank: {challenge.code} is your code for {purpose}. Never tell it to anybody."
            # The key is the message's identity, should the call be repeated on the way.
            message = {"id": str(challenge.key), "customer": customer, "text": text}
            await self._sms.ask("/messages", message, deadline, self._records.cell_of(customer))
            return 202, {"challenge": challenge.text, "expires_s": self._claims.codes.lifetime_s}

        return work

    async def _bind(self, _: int, request: web.BaseRequest) -> Work:
        wanted = {"customer": int, "device": str, "challenge": str, "code": str}
        fields = await json_fields(request, wanted)
        customer, device = fields["customer"], short_text(fields["device"], "device")
        challenge = self._claims.codes.opened(fields["challenge"], customer, "bind")
        right, asked, attempt = is_right(challenge, fields["code"]), Asked.by(request), _attempt_in(request)

        async def work(deadline: Deadline) -> Done:
            tried = {"key": str(challenge.key), "attempt": str(attempt)}
            if right:
                found = await self._records.ask(
                    "bind_device", customer, {**tried, "device": device}, asked, deadline
                )
            else:
                found = await self._records.ask(
                    "try_code", customer, {**tried, "right": False}, asked, deadline
                )
            _demand_right(found["outcome"])
            return 201, {"customer": customer, "device": device}

        return work

    async def _recognise(self, _: int, request: web.BaseRequest) -> Work:
        fields = await json_fields(request, {"customer": int, "device": str, "image": str})
        customer, device = fields["customer"], short_text(fields["device"], "device")
        image = fields["image"]
        if not 0 < len(image) <= LARGEST_IMAGE:
            raise BadRequest(Wrong.TEXT, f"image is not 1 to {LARGEST_IMAGE} characters")

        async def work(deadline: Deadline) -> Done:
            shown = {"customer": customer, "image": image}
            found = await self._face.ask("/compare", shown, deadline, self._records.cell_of(customer))
            if found.get("match") is not True:
                raise Unauthorized("face_unknown")
            biometrics = self._claims.biometrics
            return 200, {
                "biometric": biometrics.issue(customer, device),
                "expires_s": biometrics.lifetime_s,
            }

        return work

    async def _step_up(self, customer: int, request: web.BaseRequest) -> Work:
        answered = {"challenge": str, "code": str, "key": str, "amount": int}
        fields = await json_fields(request, {**answered, "to": int}, {**answered, "payee": str})
        order = order_of(_key_in(fields["key"]), fields)
        challenge = self._claims.codes.opened(fields["challenge"], customer, "stepup")
        right, asked = is_right(challenge, fields["code"]), Asked.by(request)
        # The same attempt is for the same movement: a code that was used for one buys no token for another.
        attempt = uuid.uuid5(_attempt_in(request), order)

        async def work(deadline: Deadline) -> Done:
            tried = {"key": str(challenge.key), "attempt": str(attempt), "right": right}
            found = await self._records.ask("try_code", customer, tried, asked, deadline)
            _demand_right(found["outcome"])
            # Counted from when the code was used: asked again, the answer lasts no longer than the first one.
            expires = found["used_at"] + self._policy.step_up_s
            return 200, {
                "step_up": self._claims.step_ups.issue(customer, order, expires),
                "expires_s": max(0, expires - int(time.time())),
            }

        return work

    async def _known(self, customer: int, device: str, asked: Asked, deadline: Deadline) -> dict[str, Any]:
        """Return what the cell knows of a customer; for one there is not the same refusal as for a wrong password."""
        if not 0 < customer < 2**63:
            raise Unauthorized("credentials")
        try:
            return await self._records.ask("credentials", customer, {"device": device}, asked, deadline)
        except Problem as problem:
            if (problem.status, problem.fields["reason"]) == (Refused.status, "unknown_customer"):
                raise Unauthorized("credentials") from None
            raise


def _demand_password(known: dict[str, Any], password: str) -> None:
    digest = hashlib.sha256(f"{known['salt']}:{password}".encode("utf-8", "surrogatepass")).digest()
    if not hmac.compare_digest(digest, bytes.fromhex(known["password_hash"])):
        raise Unauthorized("credentials")


def _demand_right(outcome: str) -> None:
    if outcome == "used":
        raise Conflict("code_used")
    if outcome != "right":
        raise Forbidden(f"code_{outcome}")


def _key_in(text: str) -> uuid.UUID:
    """Read the key that the movement will carry."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise BadRequest(Wrong.IDEMPOTENCY_KEY, "key is not a UUID") from None


def _attempt_in(request: web.BaseRequest) -> uuid.UUID:
    """Return what makes a repetition on the way the same attempt, where the asker gave it."""
    return idempotency_key(request) if "Idempotency-Key" in request.headers else uuid.uuid4()
