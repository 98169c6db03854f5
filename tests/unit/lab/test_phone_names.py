"""The name that phones resolve: which edges it answers, from checks and from an operator's word."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import pytest
from aiohttp import web

from stormlab.names import Edge, Name, Server
from stormlab.wait import until_async


class Bank(ThreadingHTTPServer):
    """An edge that is ready or not."""

    ready = True

    def __init__(self):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.server.ready else 503)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def edges():
    banks = {"a": Bank(), "b": Bank()}
    yield banks
    for bank in banks.values():
        bank.shutdown()
        bank.server_close()


def serve(edges, place, talk):
    """Run the server, and `talk(url)` beside it."""

    async def run():
        name = Name("bank", 5, {k: Edge(k, f"http://127.0.0.1:{b.server_port}/") for k, b in edges.items()})
        server = Server({"bank": name}, place)
        application = web.Application()
        application.add_routes(server.routes())
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        checks = asyncio.create_task(server.check_for_ever())
        try:
            async with aiohttp.ClientSession() as session:
                await talk(session, f"http://127.0.0.1:{runner.addresses[0][1]}/names/bank")
        finally:
            checks.cancel()
            await runner.cleanup()

    asyncio.run(run())


async def ask(session, url, edge=None, drained=None):
    if edge:
        async with session.put(f"{url}/edges/{edge}", data=json.dumps({"drained": drained})) as answer:
            return answer.status, await answer.json()
    async with session.get(url) as answer:
        return answer.status, await answer.json()


def test_an_edge_that_fails_twice_is_out_until_it_is_well(edges, tmp_path):
    async def talk(session, url):
        async def says(wanted):
            return (await ask(session, url))[1]["edges"] == wanted

        assert (await ask(session, url))[1]["ttl_s"] == 5
        assert await says(["a", "b"])
        edges["a"].ready = False
        await until_async(lambda: says(["b"]), "a is out", 10)
        edges["a"].ready = True
        await until_async(lambda: says(["a", "b"]), "a is back", 10)
        edges["a"].ready = False
        await until_async(lambda: says(["b"]), "a is out again", 10)
        edges["b"].ready = False
        await until_async(lambda: says(["a", "b"]), "when none is well, all are answered", 10)

    serve(edges, tmp_path, talk)


def test_an_operators_word_outlives_the_process(edges, tmp_path):
    async def drain(session, url):
        assert (await ask(session, url, "b", True))[1]["edges"] == ["a"]
        assert (await ask(session, url, "c", True))[0] == 404
        assert (await ask(session, url, "b", "yes"))[0] == 400

    async def look(session, url):
        _, said = await ask(session, url)
        assert said["edges"] == ["a"]
        assert said["all"][1] == {"edge": "b", "up": True, "drained": True}
        assert (await ask(session, url, "b", False))[1]["edges"] == ["a", "b"]

    serve(edges, tmp_path, drain)
    serve(edges, tmp_path, look)
