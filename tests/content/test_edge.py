"""The edge's configuration at work: a real HAProxy before two gateways, one of which may die."""

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "topology/kubernetes/base/edge/region/haproxy.cfg"
PHONE_S = 3.0
"""What a phone waits for an answer (loadtests/profiles); HAProxy pauses half a second for each refused try."""
pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")


GATEWAY = """
import http.server, json, os, sys

name, dies = sys.argv[1], sys.argv[2] == "dies"
refuses = int(sys.argv[2]) if sys.argv[2].isdigit() else 0

class Gateway(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != "/readyz":
            print(self.path, flush=True)
            if dies:
                os._exit(137)
        body = json.dumps({"name": name, "for": self.headers.get("X-Forwarded-For", ""), "outcome": "none"}).encode()
        self.send_response(refuses if refuses and self.path != "/readyz" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
print(server.server_port, flush=True)
server.serve_forever()
"""


class Gateway:
    """A process that is ready and answers with its name, or `dies` amid the first request, or refuses by a status."""

    def __init__(self, name, manner):
        argv = [sys.executable, "-c", GATEWAY, name, manner]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def asked(self):
        """Paths it was asked for; ends it."""
        self.process.kill()
        return self.process.communicate()[0].split()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configured(own, other, tmp_path, tls=None):
    """The repository's configuration with fixed servers and ports of this machine; `tls`: port and directory."""
    port, observer = free_port(), free_port()
    lines = []
    for line in CONFIG.read_text().splitlines():
        words = line.split()
        if words[:2] == ["server-template", "own"]:
            lines.append(f"    server own1 127.0.0.1:{own.port}")
        elif words[:2] == ["server-template", "other"]:
            lines.append(f"    server other1 127.0.0.1:{other.port} backup")
        elif words[:2] == ["bind", ":8443"]:
            lines += (
                [line.replace(":8443", f"127.0.0.1:{tls[0]}").replace("/etc/edge-tls", str(tls[1]))]
                if tls
                else []
            )
        else:
            lines.append(line.replace("resolvers cluster resolve-prefer ipv4 init-addr none", ""))
    text = "\n".join(lines) + "\n"
    text = text.replace("/run/haproxy/", f"{tmp_path}/")
    text = text.replace("bind :8080", f"bind 127.0.0.1:{port}")
    text = text.replace("bind :8405", f"bind 127.0.0.1:{observer}")
    path = tmp_path / "haproxy.cfg"
    path.write_text(text)
    return path, port, observer


class Edge:
    """A running HAProxy with the repository's configuration before two gateways."""

    def __init__(self, tmp_path, *, own="lives", other="lives"):
        self.own, self.other = Gateway("own", own), Gateway("other", other)
        path, self.port, self.observer = configured(self.own, self.other, tmp_path)
        self.process = subprocess.Popen(["haproxy", "-db", "-f", str(path)], stdout=None)
        self.wait_for(200)

    def wait_until_it_takes_nobody_new(self):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionRefusedError:
                return
            time.sleep(0.02)
        raise AssertionError("it still takes connections")

    def ask(self, method, target, headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=5)
        connection.request(method, target, body=b"{}" if method == "POST" else None, headers=headers or {})
        answer = connection.getresponse()
        self.headers = answer.headers
        return answer.status, answer.read()

    def wait_for(self, status):
        """Wait until the site says it is ready (200) or not (503)."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.ask("GET", "/readyz")[0] == status:
                    return
            time.sleep(0.02)
        raise AssertionError(f"/readyz never answers {status}")

    def end(self):
        for process in (self.process, self.own.process, self.other.process):
            process.kill()
            process.wait()


@pytest.fixture
def edge(tmp_path):
    made = []

    def make(**options):
        made.append(Edge(tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_own_gateways_serve_and_learn_who_asked(edge):
    site = edge()
    answer = json.loads(site.ask("GET", "/v1/balance")[1])
    assert (answer["name"], answer["for"]) == ("own", "127.0.0.1")
    assert "X-Edge-Retried" not in site.headers


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/v1/balance", {}),
        ("POST", "/v1/payments", {"Idempotency-Key": "k"}),
        ("POST", "/v1/login", {}),
    ],
)
def test_what_can_be_repeated_goes_to_the_other_site(edge, method, target, headers):
    site = edge(own="dies")
    began = time.monotonic()
    status, body = site.ask(method, target, headers)
    assert (status, json.loads(body)["name"]) == (200, "other")
    assert time.monotonic() - began < PHONE_S
    assert int(site.headers["X-Edge-Retried"]) > 0, "the books must not trust a refusal of the second try"
    assert site.own.asked() == [target]


def test_what_carries_no_identity_is_not_repeated(edge):
    site = edge(own="dies")
    assert site.ask("POST", "/v1/checkins")[0] == 502
    assert site.other.asked() == []


@pytest.mark.parametrize("refusal", [401, 422, 429, 503, 504])
def test_a_refusal_of_the_second_try_is_told_as_unknown(edge, refusal):
    """The first try may have been booked before its gateway died, whatever the second says of itself."""
    key = {"Idempotency-Key": "k"}
    site = edge(own="dies", other=str(refusal))
    status, body = site.ask("POST", "/v1/payments", key)
    assert (status, json.loads(body)["outcome"]) == (502, "unknown")
    assert int(site.headers["X-Edge-Retried"]) > 0
    assert site.ask("POST", "/v1/payments", key)[0] == refusal, "a refusal of the first try is one"


def test_a_write_whose_gateway_died_and_that_finds_no_other_is_unknown(edge):
    site = edge(own="dies")
    site.other.asked()
    assert site.ask("POST", "/v1/payments", {"Idempotency-Key": "k"})[0] == 502
    assert site.ask("POST", "/v1/payments", {"Idempotency-Key": "k"})[0] == 503, "nothing was ever sent"


def test_without_any_gateway_the_phone_is_told_and_the_site_is_not_ready(edge):
    site = edge()
    site.own.asked()
    site.other.asked()
    site.wait_for(503)
    status, body = site.ask("GET", "/v1/balance")
    assert (status, json.loads(body)["error"]) == (503, "no_gateway")
    assert site.ask("GET", "/livez", port=site.observer)[0] == 200
    told = site.ask("GET", "/metrics", port=site.observer)[1]
    assert b"haproxy_backend_active_servers" in told
    assert b"haproxy_server_" not in told


def test_an_edge_that_goes_answers_whoever_has_a_connection_and_takes_nobody_new(edge):
    """One that is used is closed with its answer; one that is not yet is kept, for a request may be on its way."""
    site = edge()
    used, idle = (http.client.HTTPConnection("127.0.0.1", site.port, timeout=5) for _ in range(2))

    def ask(connection):
        connection.request("GET", "/v1/balance")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Connection")

    assert [ask(each) for each in (used, idle)] == [(200, None)] * 2
    site.process.send_signal(signal.SIGUSR1)
    site.wait_until_it_takes_nobody_new()
    assert ask(used) == (200, "close")
    assert ask(idle) == (200, "close")
    site.process.wait(5)
