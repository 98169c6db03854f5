"""A canary's parts against real sockets of this process."""

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from stormdrill.canary.board import Awake, Board, Path
from stormdrill.canary.knock import Knocks
from stormdrill.canary.link import Link
from stormdrill.canary.lookup import Names
from stormdrill.canary.metrics import Page
from stormdrill.canary.neighbours import Neighbours
from stormdrill.canary.place import Api, zone_of
from stormdrill.canary.services import target_of
from stormdrill.canary.serving import Datagrams, Echoes
from stormlab import pki


def test_a_knock_is_answered_by_the_kernel_and_the_program_sees_nothing():
    async def run():
        answers = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.3)
            for _ in range(5):
                Knocks().start("127.0.0.1", listener.getsockname()[1], lambda: answers.append(1))
            await until(lambda: len(answers) == 5)
            with pytest.raises(TimeoutError):
                listener.accept()

    asyncio.run(run())


def test_a_refusal_and_an_impossible_address_are_no_answers():
    async def run():
        answers = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        Knocks().start("127.0.0.1", port, lambda: answers.append("refused"))
        Knocks().start("255.255.255.255", 9, lambda: answers.append("impossible"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            Knocks().start("127.0.0.1", listener.getsockname()[1], lambda: answers.append("good"))
            await until(lambda: answers)
        assert answers == ["good"]

    asyncio.run(run())


def test_who_greets_with_something_else_is_no_peer():
    async def run():
        board = Board("east", Awake())
        for said in (b"220 mail.example ESMTP\r\n", b"x" * 500):
            asked = []

            def serve(_, writer, said=said, asked=asked):
                asked.append(1)
                writer.write(said)

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            async with server:
                link = Link(board, Knocks(), "127.0.0.1", server.sockets[0].getsockname()[1])
                link.tick()
                await until(lambda asked=asked, link=link: asked and link._connecting is None, 1.0)
                assert link.zone is None
        assert list(board.readings()) == []

    asyncio.run(run())


def test_a_peer_of_the_own_zone_is_left_alone_and_one_that_goes_stays_on_the_board(peers_file):
    async def run():
        loop = asyncio.get_running_loop()
        board, west = Board("east", Awake()), Board("west", Awake())
        echoes = Echoes(west)
        server = await loop.create_server(echoes.protocol, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ours = await loop.create_server(Echoes(board).protocol, "127.0.0.2", port)
        peers_file.write_text("127.0.0.1\n127.0.0.2\n")
        neighbours = Neighbours(board, Knocks(), Datagrams(board), [Names(str(peers_file))], port)
        await until(lambda: ticking(neighbours) and board.held and len(neighbours._watched()) == 1)
        await until(
            lambda: ticking(neighbours) and all(one.up for one in board.readings() if one.path != "udp")
        )
        peers_file.write_text("127.0.0.2\n")
        await until(lambda: neighbours._links.keys() == {"127.0.0.2"})
        assert {(one.peer, one.path) for one in board.readings()} == {
            ("west", Path.HELD), ("west", Path.NEW), ("west", Path.UDP)
        }  # fmt: skip
        await until(lambda: not echoes._open)
        server.close()
        ours.close()

    asyncio.run(run())


def ticking(neighbours):
    neighbours.tick()
    return True


def test_of_a_zone_with_many_canaries_three_are_watched(peers_file):
    async def run():
        loop = asyncio.get_running_loop()
        board, echoes = Board("east", Awake()), Echoes(Board("west", Awake()))
        first = await loop.create_server(echoes.protocol, "127.0.0.1", 0)
        port = first.sockets[0].getsockname()[1]
        addresses = [f"127.0.0.{number}" for number in range(1, 9)]
        servers = [await loop.create_server(echoes.protocol, address, port) for address in addresses[1:]]
        peers_file.write_text("\n".join(addresses))
        neighbours = Neighbours(board, Knocks(), Datagrams(board), [Names(str(peers_file))], port)
        await until(lambda: ticking(neighbours) and board.held == 8)
        await until(lambda: len(neighbours._watched()) == 3 and len(echoes._open) == 3)
        for server in (first, *servers):
            server.close()

    asyncio.run(run())


def test_the_page_answers_what_is_asked_on_one_connection():
    async def run():
        server = await asyncio.get_running_loop().create_server(
            lambda: Page(lambda: "up 1\n"), "127.0.0.1", 0
        )
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for asked, code, body in (
                ("GET /metrics", 200, "up 1\n"), ("GET /healthz", 200, "ok\n"),
                ("GET /", 404, "/metrics or /healthz\n"), ("POST /metrics", 405, "GET only\n"),
            ):  # fmt: skip
                writer.write(f"{asked} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
                assert head.startswith(f"HTTP/1.1 {code} ")
                assert (await asyncio.wait_for(reader.readexactly(len(body)), 5)).decode() == body
            writer.write(b"x" * 9000)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()

    asyncio.run(run())


def test_the_zone_is_asked_of_the_api_until_it_answers(tmp_path):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            labels = {"topology.kubernetes.io/zone": "city1-b"}
            good = {"metadata": {"labels": labels if self.path.endswith("n1") else {}}}
            status, body = (503, {"message": "later"}) if len(asked) == 1 else (200, good)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    pki.ensure(tmp_path, ["city1"])
    keys = tmp_path / "pki"
    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "api.crt", keys / "api.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "ca.crt").write_bytes((keys / "ca.crt").read_bytes())
    api = Api("127.0.0.1", server.server_address[1], tmp_path)
    try:
        assert zone_of("n1", api) == "city1-b"
        assert zone_of("n2", api) == "n2", "a node without the label"
    finally:
        server.shutdown()
        server.server_close()
    assert asked[1] == ("/api/v1/nodes/n1", "Bearer secret")


def test_targets_have_a_name_of_their_zone_or_of_their_path():
    target = target_of("city1-a=pg-0.pg:5432", Path.DATABASE)
    assert (target.peer, target.host, target.port) == ("city1-a", "pg-0.pg", 5432)
    assert target_of("10.0.0.1:6443", Path.CONTROL_PLANE).peer == "control-plane"


@pytest.mark.parametrize(
    "arguments", [["--zone", 'a"b'], ["--zone", "a", "--database", "pg"], ["--node", "n"]]
)
def test_bad_arguments_are_one_line_and_exit_2(arguments):
    argv = [sys.executable, "-m", "stormdrill", "canary", "--peers", "localhost", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, env={"PATH": ""})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


async def until(condition, deadline_s=5.0):
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - of a real network
            await asyncio.sleep(0.02)
