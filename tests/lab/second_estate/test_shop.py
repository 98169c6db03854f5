"""The second estate by itself: orders are kept once, and outlive the process that took them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("shop.py")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(port, method, path, body=None, request_id=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        headers = {"X-Request-Id": request_id} if request_id else {}
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


class Component:
    def __init__(self, name, **env) -> None:
        self.name, self.port = name, free_port()
        self.env = {"PATH": os.environ["PATH"], **env}
        self.child = None

    def start(self):
        command = [sys.executable, str(PROGRAM), self.name, "--host", "127.0.0.1", "--port", str(self.port)]
        self.child = subprocess.Popen(command, env=self.env)
        deadline_s = time.monotonic() + 15
        while True:
            with contextlib.suppress(OSError):
                if call(self.port, "GET", "/healthz")[0] == 200:
                    return self
            assert time.monotonic() < deadline_s, f"{self.name} does not answer"
            time.sleep(0.02)

    def kill(self):
        self.child.kill()
        self.child.wait(10)


@pytest.fixture
def shop(tmp_path):
    store = Component("store", SHOP_FILE=str(tmp_path / "orders.db"))
    web = Component("web", SHOP_STORE_URL=f"http://127.0.0.1:{store.port}")
    try:
        yield store.start(), web.start()
    finally:
        store.kill()
        web.kill()


def order(port, request_id, quantity=2):
    body = {"item": "tea", "quantity": quantity, "total_cents": 450 * quantity}
    return call(port, "POST", "/api/orders", body, request_id)


def test_an_order_is_kept_once_and_outlives_its_process(shop):
    store, web = shop
    request_id = str(uuid.uuid4())
    status, first = order(web.port, request_id)
    assert status == 201
    store.kill()
    assert order(web.port, str(uuid.uuid4()))[0] == 502
    store.start()
    assert call(web.port, "GET", f"/api/orders/{request_id}") == (200, first)
    assert json.loads(first)["total_cents"] == 900
    assert order(web.port, request_id) == (201, first)
    assert order(web.port, request_id, quantity=3)[0] == 409
    assert call(web.port, "GET", f"/api/orders/{uuid.uuid4()}")[0] == 404


def test_what_is_no_order_is_refused(shop):
    _, web = shop
    wrong = [
        {},
        [1],
        {"item": "gold", "quantity": 1, "total_cents": 1},
        {"item": "tea", "quantity": 1, "total_cents": 1},
    ]
    for body in wrong:
        assert call(web.port, "POST", "/api/orders", body, "some-id")[0] == 400
    assert call(web.port, "POST", "/api/orders", {"item": "tea", "quantity": 1, "total_cents": 450})[0] == 400
    assert json.loads(call(web.port, "GET", "/api/catalog")[1])[0] == {"item": "tea", "cents": 450}
    text = call(web.port, "GET", "/metrics")[1].decode()
    assert 'shop_http_responses_total{component="web",route="/api/orders",status="400"} 5.0' in text
