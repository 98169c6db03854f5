"""What a drain is for: whoever sends requests hears late that a process goes, and until then its port must answer.

Before the gateways is an HAProxy that repeats nothing, unlike the estate's own edges, and looks once a second.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import threading
import time

import pytest

LOOK_S = 1
CONFIG = """
defaults
    mode http
    retries 0
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend phones
    bind 127.0.0.1:{port}
    monitor-uri /both
    monitor fail if {{ nbsrv(gateways) lt 2 }}
    default_backend gateways
backend gateways
    option httpchk GET /readyz
    default-server check inter {look_s}s fall 1 rise 1
    server first 127.0.0.1:{first}
    server second 127.0.0.1:{second}
"""
pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")


class Phones:
    """Some that pay one after the other until told to end, and what each was answered."""

    def __init__(self, edge, token):
        self._edge, self._token, self._over = edge, token, threading.Event()
        self.answers = []
        self._threads = [threading.Thread(target=self._pay) for _ in range(4)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _pay(self):
        while not self._over.is_set():
            self.answers.append(self._edge.pay(self._token, amount=1).status)
            time.sleep(0.005)


@pytest.fixture
def released(bank, tmp_path, free_port, eventually):
    """Function (how long a gateway drains): release two gateways, one after the other; what phones were answered."""
    processes = []

    def release(drain_s):
        ledger = bank.ledger()
        with bank.together():
            gateways = [bank.gateway(ledger, BANK_DRAIN_S=drain_s) for _ in range(2)]
        token = gateways[0].login()
        edge = dataclasses.replace(gateways[0], port=free_port(), child=None, identity=None)
        first, second = (gateway.port for gateway in gateways)
        path = tmp_path / "haproxy.cfg"
        path.write_text(CONFIG.format(port=edge.port, first=first, second=second, look_s=LOOK_S))
        processes.append(subprocess.Popen(["haproxy", "-db", "-f", str(path)]))

        def both():
            return edge.reaches("/both")

        eventually(both, 10, "both gateways are known")
        with Phones(edge, token) as phones:
            for gateway in gateways:
                gateway.child.terminate()
                gateway.child.wait(15)
                gateway.start()
                eventually(both, 10, "the new one is known")
        return phones.answers

    yield release
    for process in processes:
        process.terminate()
        process.wait(5)


def test_a_gateway_that_drains_for_longer_than_it_takes_to_be_noticed_loses_no_request(released):
    answers = released("2.5")
    assert len(answers) > 100
    assert set(answers) == {201}


def test_without_a_drain_requests_are_lost(released):
    answers = released("0")
    # Nobody is there (503), or it went while it was asked by a connection that was open (502).
    assert {201, 503} <= set(answers) <= {201, 502, 503}
