#!/usr/bin/env python3
"""A shop of another company: nothing in it knows of the bank, the lab or the harness.

`shop.py web` is the stateless front: it answers the catalogue itself and passes orders on. `shop.py store`
keeps the orders in one SQLite file and answers only when they are on disk.

POST /api/orders        {"item", "quantity", "total_cents"}; header X-Request-Id: same id, same order
GET  /api/orders/{id}   by that id, for whoever checks the books
GET  /api/catalog
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

CATALOG = {"tea": 450, "rice": 1290, "soap": 380}
REQUEST_ID = "X-Request-Id"
STORE_TIMEOUT_S = 2.0
PATIENCE_S = 2.5
PORTS = {"web": 7000, "store": 7001}

RESPONSES = Counter("shop_http_responses", "Responses.", ("component", "route", "status"))
LATENCY = Histogram("shop_http_latency_seconds", "Time to respond.", ("component", "route"))
STORED = Counter("shop_orders_stored", "Orders stored, repeats left out.")

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Book:
    """The orders, in one SQLite file. One thread does everything, in order."""

    def __init__(self, file: Path) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._file = file
        self._db: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file, made on first use."""
        await self._run(self._open)

    def _open(self) -> None:
        self._db = sqlite3.connect(self._file, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit returns when the log is on disk, so an order that was answered outlives its pod.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(
            """CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, request_id TEXT UNIQUE NOT NULL,
               item TEXT NOT NULL, quantity INTEGER NOT NULL, total_cents INTEGER NOT NULL,
               at REAL NOT NULL)"""
        )

    async def place(
        self, request_id: str, item: str, quantity: int, total_cents: int
    ) -> tuple[dict[str, Any], bool]:
        """Store an order, or find the one of this id; the order as stored, and whether it is new."""
        return await self._run(self._place, request_id, item, quantity, total_cents)

    def _place(
        self, request_id: str, item: str, quantity: int, total_cents: int
    ) -> tuple[dict[str, Any], bool]:
        done = self._rows(
            "INSERT INTO orders (request_id, item, quantity, total_cents, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING RETURNING id",
            request_id, item, quantity, total_cents, time.time(),
        )  # fmt: skip
        found = self._find(request_id)
        if found is None:
            raise LookupError(request_id)
        return found, bool(done)

    async def find(self, request_id: str) -> dict[str, Any] | None:
        """Return the order of this id, if there is one."""
        return await self._run(self._find, request_id)

    def _find(self, request_id: str) -> dict[str, Any] | None:
        names = ("id", "request_id", "item", "quantity", "total_cents")
        rows = self._rows(f"SELECT {', '.join(names)} FROM orders WHERE request_id = ?", request_id)  # noqa: S608
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        if self._db is None:
            raise RuntimeError("not open")
        return self._db.execute(sql, values).fetchall()

    async def _run(self, work: Callable[..., T], *values: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)


class Store:
    """The component that owns the orders."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def opened(self, _: web.Application) -> AsyncIterator[None]:
        """Open the book before the first request."""
        await self._book.open()
        yield

    async def place(self, request: web.Request) -> web.Response:
        """Store an order."""
        request_id = request.headers.get(REQUEST_ID, "")
        wanted = await _order(request)
        if not request_id or wanted is None:
            return web.json_response({"message": "not an order"}, status=400)
        order, new = await self._book.place(request_id, *wanted)
        if (order["item"], order["quantity"], order["total_cents"]) != wanted:
            return web.json_response({"message": "another order has this id"}, status=409)
        if new:
            STORED.inc()
        return web.json_response(order, status=201)

    async def find(self, request: web.Request) -> web.Response:
        """Show an order."""
        order = await self._book.find(request.match_info["id"])
        return web.json_response(order or {"message": "no such order"}, status=200 if order else 404)


class Front:
    """The stateless component."""

    def __init__(self, store_url: str) -> None:
        self._store_url = store_url
        self._session: aiohttp.ClientSession | None = None

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Keep connections to the store for as long as the front runs."""
        # A store that was replaced has another address; names are asked anew for every connection.
        connector = aiohttp.TCPConnector(use_dns_cache=False)
        timeout = aiohttp.ClientTimeout(STORE_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as self._session:
            yield

    async def catalog(self, _: web.Request) -> web.Response:
        """Show what there is."""
        return web.json_response([{"item": item, "cents": cents} for item, cents in CATALOG.items()])

    async def passed_on(self, request: web.Request) -> web.Response:
        """Ask the store; a connection that breaks is tried again, the order's id makes that safe."""
        body = await request.read()
        headers = {REQUEST_ID: request.headers.get(REQUEST_ID, ""), "Content-Type": "application/json"}
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            try:
                return await self._ask(request, headers, body)
            except TimeoutError:
                break
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
        return web.json_response({"message": "the store does not answer"}, status=502)

    async def _ask(self, request: web.Request, headers: dict[str, str], body: bytes) -> web.Response:
        if self._session is None:
            raise RuntimeError("not connected")
        url = self._store_url + request.path
        async with self._session.request(request.method, url, headers=headers, data=body or None) as answer:
            return web.Response(
                status=answer.status, body=await answer.read(), content_type="application/json"
            )


async def _order(request: web.Request) -> tuple[str, int, int] | None:
    try:
        fields = await request.json()
        item, quantity, total_cents = str(fields["item"]), int(fields["quantity"]), int(fields["total_cents"])
    except (ValueError, KeyError, TypeError):
        return None
    good = item in CATALOG and 0 < quantity <= 100 and total_cents == CATALOG[item] * quantity
    return (item, quantity, total_cents) if good else None


def counted(component: str) -> Any:
    """Return a middleware that counts responses under the metric names of this company."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = getattr(request.match_info.route.resource, "canonical", "unknown")
        with LATENCY.labels(component, route).time():
            status = 500
            try:
                response = await handler(request)
                status = response.status
            except web.HTTPException as error:
                status = error.status
                raise
            finally:
                RESPONSES.labels(component, route, str(status)).inc()
        return response

    return middleware


async def healthz(_: web.Request) -> web.Response:
    """Say that the process serves."""
    return web.Response(text="ok")


async def metrics(_: web.Request) -> web.Response:
    """Show the metrics."""
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def application(component: str, store_url: str, file: Path) -> web.Application:
    """Build one component."""
    app = web.Application(middlewares=[counted(component)])
    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", metrics)])
    if component == "store":
        store = Store(Book(file))
        app.cleanup_ctx.append(contextlib.asynccontextmanager(store.opened))
        app.add_routes([web.post("/api/orders", store.place), web.get("/api/orders/{id}", store.find)])
    else:
        front = Front(store_url)
        app.cleanup_ctx.append(contextlib.asynccontextmanager(front.connected))
        app.add_routes([
            web.get("/api/catalog", front.catalog),
            web.post("/api/orders", front.passed_on),
            web.get("/api/orders/{id}", front.passed_on),
        ])  # fmt: skip
    return app


def main() -> None:
    """Run one component until told to end."""
    parser = argparse.ArgumentParser(prog="shop.py")
    parser.add_argument("component", choices=sorted(PORTS))
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    app = application(
        arguments.component,
        os.environ.get("SHOP_STORE_URL", "http://shop-store:7001"),
        Path(os.environ.get("SHOP_FILE", "/var/lib/shop/orders.db")),
    )
    port = arguments.port or PORTS[arguments.component]
    try:
        web.run_app(app, host=arguments.host, port=port, print=None, access_log=None, shutdown_timeout=2.0)
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"shop.py {arguments.component}: {error}")


if __name__ == "__main__":
    main()
