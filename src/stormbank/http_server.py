"""The HTTP server under a bank process: what it cannot read is refused in the bank's own words, and logged in few."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from stormbank.problem import HeadersTooLarge, Malformed, Problem

LARGEST_KEPT: Final = 64 * 1024
"""Bytes of a body that any role reads at most; what a phone may send is less, and the gateway's to say."""

log = logging.getLogger(__name__)


def refusal(problem: Problem) -> web.Response:
    """Answer with a problem."""
    response = web.Response(
        status=problem.status, body=json.dumps(problem.fields).encode(), content_type="application/json"
    )
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if "allow" in problem.fields:
        response.headers["Allow"] = problem.fields["allow"]
    return response


class _Protocol(web.RequestHandler):
    """One connection. Errors below HTTP come to `handle_error`, which would answer in plain text."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Say in JSON what is wrong, and close: where the next request would begin is not known."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        if status < 500:
            log.info("not HTTP: %s", (message or "").partition("\n")[0])
            response = refusal(HeadersTooLarge("line") if isinstance(exc, LineTooLong) else Malformed("http"))
        else:
            log.error("a request failed", exc_info=exc)
            response = refusal(Problem("unexpected"))
        response.force_close()
        return response


class HttpServer(web.Server):
    """Serves `handler` on every connection."""

    def __init__(self, handler: Any) -> None:
        super().__init__(handler, request_factory=self._request, access_log=None)

    def __call__(self) -> web.RequestHandler:
        """Be the protocol of a new connection."""
        return _Protocol(self, loop=self._loop, **self._kwargs)

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return web.BaseRequest(
            message, payload, protocol, writer, task, self._loop, client_max_size=LARGEST_KEPT
        )
