"""What the gateway refuses at the door: requests that are not as the phones' interface has them."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy

from stormbank.deadline import HEADER as DEADLINE_HEADER
from stormbank.deadline import Deadline
from stormbank.operations import Operation
from stormbank.problem import BadRequest, DeadlineExceeded, Malformed, TooLarge, UnsupportedMediaType
from stormbank.request import idempotency_key
from stormbank.wrong import Wrong

LARGEST_BODY: Final = 4096
_ONCE: Final = ("Authorization", "Idempotency-Key", DEADLINE_HEADER, "Content-Type")


def check(request: web.BaseRequest) -> None:
    """Refuse what is wrong whoever asks; a look at the headers is enough. Problem with the reason."""
    headers = request.headers
    if len(headers) > len(set(map(str.lower, headers))):
        _check_repeated(headers)
    if request.can_read_body:
        if request.content_type != "application/json":
            raise UnsupportedMediaType("content_type", expected="application/json")
        if (request.content_length or 0) > LARGEST_BODY:
            raise TooLarge("body", most=LARGEST_BODY)


def check_key(operation: Operation, request: web.BaseRequest) -> None:
    """Refuse a request that moves money without a key that makes it one."""
    if operation.money:
        if "Idempotency-Key" not in request.headers:
            raise BadRequest(Wrong.IDEMPOTENCY_KEY, "Idempotency-Key is missing")
        idempotency_key(request)


def _check_repeated(headers: CIMultiDictProxy[str]) -> None:
    for name in _ONCE:
        # Which of them the next process would believe is anybody's guess.
        if len(headers.getall(name, ())) > 1:
            raise BadRequest(Wrong.REPEATED_HEADER, f"{name} is there twice")


async def body_of(request: web.BaseRequest, deadline: Deadline) -> bytes:
    """Read the body, at most LARGEST_BODY bytes of it and until the deadline; Problem otherwise."""
    if not request.can_read_body:
        return b""
    try:
        async with asyncio.timeout(max(0.0, deadline.remaining_s())):
            body = await request.read()
    except TimeoutError:
        raise DeadlineExceeded("request_body") from None
    except web.HTTPRequestEntityTooLarge:
        raise TooLarge("body", most=LARGEST_BODY) from None
    except (HttpProcessingError, web.RequestPayloadError):
        raise Malformed("body") from None
    if len(body) > LARGEST_BODY:
        raise TooLarge("body", most=LARGEST_BODY)
    return body
