"""A bank of one process for the generator's tests: keeps books, and misbehaves when told to.

POST /_behave {"mode": ..., "for_s": ...} sets what every other request gets; GET /_books returns what was
asked and booked, GET /_booked/KEY the bookings of one key (404: none). It also answers the name that phones
resolve: GET /_name, set by POST. Modes: answer; stall (no answer while it lasts, then all); silent (booked, then
never answered); shed; rate; error (500); unavailable (503 with a reason); reset (booked, then the connection is
cut); upstream (booked, then a proxy's 503); garbage; otherkey (201 with another key); locked (login fails).
"""

import asyncio
import time
from typing import Any

from aiohttp import web


class Bank:
    def __init__(self) -> None:
        self.mode, self.until_s = "answer", 0.0
        self.seen: dict[str, int] = {}
        self.keys: dict[str, list[int]] = {}
        self.peers: set[Any] = set()
        self.headers: list[dict[str, str]] = []
        self.name: dict[str, Any] = {}

    async def set_name(self, request: web.Request) -> web.Response:
        self.name = await request.json()
        return web.json_response({})

    async def get_name(self, _: web.Request) -> web.Response:
        return web.json_response(self.name)

    async def behave(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.mode, self.until_s = body["mode"], time.monotonic() + body.get("for_s", 1e9)
        return web.json_response({})

    async def books(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"seen": self.seen, "keys": self.keys, "connections": len(self.peers), "headers": self.headers}
        )

    async def booked(self, request: web.Request) -> web.Response:
        amounts = self.keys.get(request.match_info["key"])
        if amounts is None:
            return web.Response(status=404)
        return web.json_response([{"amount": amount} for amount in amounts])

    async def any(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        body = await request.json() if request.can_read_body else {}
        self.seen[name] = self.seen.get(name, 0) + 1
        transport = request.transport
        assert transport is not None
        self.peers.add(transport.get_extra_info("peername"))
        if len(self.headers) < 50:
            self.headers.append({"request": name, **{k.lower(): v for k, v in request.headers.items()}})
        mode = self.mode if time.monotonic() < self.until_s else "answer"
        if mode == "stall":
            await asyncio.sleep(self.until_s - time.monotonic())
        refusal = self._refusal(mode, name)
        if refusal is not None:
            return refusal
        key = request.headers.get("Idempotency-Key", "")
        if key:
            self.keys.setdefault(key, []).append(body.get("amount", 0))
        if mode == "reset":
            transport.abort()
        if mode == "silent":
            await asyncio.sleep(3600)
        if mode == "upstream":
            return web.Response(text="upstream connect error or disconnect/reset before headers", status=503)
        if mode == "garbage":
            return web.Response(text="<html>", status=201 if key else 200)
        return self._answer(name, "other" if mode == "otherkey" else key)

    @staticmethod
    def _refusal(mode: str, name: str) -> web.Response | None:
        if mode in ("shed", "rate"):
            reason = "overload" if mode == "shed" else "rate"
            return web.json_response(
                {"error": "shed", "reason": reason}, status=429, headers={"Retry-After": "1"}
            )
        if mode == "error":
            return web.Response(status=500)
        if mode == "unavailable":
            return web.json_response(
                {"error": "unavailable", "reason": "database", "outcome": "none"}, status=503
            )
        if mode == "locked" and name == "POST /v1/login":
            return web.json_response({"error": "unauthorized"}, status=401)
        return None

    def _answer(self, name: str, key: str) -> web.Response:
        if key:
            body = {
                "movement": len(self.keys),
                "key": key,
                "repeated": len(self.keys.get(key, [])) > 1,
                "balance": 1,
            }
            return web.json_response(body, status=201)
        if name == "POST /v1/login":
            return web.json_response({"token": "t", "customer": 1, "expires_s": 600})
        if name == "POST /v1/checkins":
            return web.json_response({}, status=201)
        return web.json_response({"account": 1, "balance": 5, "entries": []})


async def serve(port: int) -> None:
    bank = Bank()
    app = web.Application()
    app.router.add_post("/_behave", bank.behave)
    app.router.add_get("/_books", bank.books)
    app.router.add_post("/_name", bank.set_name)
    app.router.add_get("/_name", bank.get_name)
    app.router.add_get("/_booked/{key}", bank.booked)
    app.router.add_route("*", "/{rest:.*}", bank.any)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
