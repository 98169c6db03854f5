"""The edge's certificate: from files as a Secret has them, checked by phones, and changed without a reload."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from stormlab import pki

from .test_edge import CONFIG, Gateway, configured, free_port

START = CONFIG.with_name("start.sh")
HOSTS = ["127.0.0.1", "localhost"]
pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")


def put(directory: Path, state: Path, lifetime: dt.timedelta = dt.timedelta(days=30)) -> None:
    """A certificate and its key, as the kubelet puts a Secret there: whole or not at all."""
    certificate, key = pki.issue(state, "edge", HOSTS, lifetime)
    for name, text in (("tls.crt", certificate), ("tls.key", key)):
        directory.joinpath(name + ".new").write_text(text)
        directory.joinpath(name + ".new").replace(directory / name)


class SecureEdge:
    """The repository's start script and configuration before one gateway, with a certificate of a lab's CA."""

    def __init__(self, root: Path) -> None:
        self.state, self.tls = root / "state", root / "tls"
        pki.ensure(self.state, ["city1"])
        self.tls.mkdir()
        put(self.tls, self.state)
        self.gateway, self.port = Gateway("own", "lives"), free_port()
        path, self.plain, _ = configured(self.gateway, self.gateway, root, (self.port, self.tls))
        argv = ["sh", str(START), str(path), str(root / "admin.sock"), str(self.tls)]
        with (root / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        until(lambda: self.ask() == 200, "the edge answers")

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cadata=pki.authority(self.state))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)

    def ask(self) -> int:
        with contextlib.suppress(ConnectionError), contextlib.closing(self.connect()) as connection:
            connection.request("GET", "/v1/balance")
            return connection.getresponse().status
        return 0

    def refused(self) -> str:
        """Why a phone refuses the certificate that is shown now; empty when it does not."""
        try:
            self.ask()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        return ""

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(5)
        self.gateway.process.kill()


def until(check, what: str, within_s: float = 10.0) -> None:
    end_s = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < end_s, what
        time.sleep(0.05)


@pytest.fixture
def edge(tmp_path):
    made = SecureEdge(tmp_path)
    yield made
    made.stop()


def test_a_phone_that_trusts_the_authority_is_served_and_a_stranger_to_it_is_not(edge):
    assert edge.ask() == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        http.client.HTTPSConnection("127.0.0.1", edge.port, context=ssl.create_default_context()).request(
            "GET", "/"
        )


def test_another_certificate_is_shown_without_a_reload_and_an_expired_one_is_refused_by_phones(edge):
    held = edge.connect()
    held.request("GET", "/v1/balance")
    assert held.getresponse().read()
    put(edge.tls, edge.state, -dt.timedelta(hours=1))
    until(lambda: edge.refused() == "certificate has expired", "the expired one is shown")
    # Whoever was connected stays so: it is the same process.
    held.request("GET", "/v1/balance")
    assert held.getresponse().status == 200
    put(edge.tls, edge.state)
    until(lambda: edge.refused() == "", "the new one is shown")
    assert edge.ask() == 200


def test_a_certificate_without_its_key_is_not_taken_and_the_old_one_stays(edge):
    certificate, _ = pki.issue(edge.state, "edge", HOSTS, -dt.timedelta(hours=1))
    edge.tls.joinpath("tls.crt").write_text(certificate)
    log = edge.tls.with_name("log")
    until(lambda: "was not taken" in log.read_text(), "it is refused")
    assert edge.ask() == 200
