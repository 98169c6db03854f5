"""Addresses that vanish without a word, as a lost site does: nothing is refused, nothing answers any more.

Everything of a test is in a network namespace of its own, where a rule drops the packets of one port.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from pathlib import Path

import pytest

SLACK_S = 0.3  # what a machine that does other work may add
_NEW_NETWORK = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def silence():
    """Enter a network namespace; return what makes a port silent there. Processes started meanwhile are in it."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if _libc.unshare(_NEW_NETWORK) != 0:
        os.close(home)
        pytest.skip("no rights to make a network namespace")
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        rules = "add table inet t; add chain inet t out { type filter hook output priority 0; }"
        subprocess.run(["nft", rules], check=True)

        def drop(port: int) -> float:
            rule = f"add rule inet t out tcp sport {port} drop; add rule inet t out tcp dport {port} drop"
            subprocess.run(["nft", rule], check=True)
            return time.monotonic()

        yield drop
    finally:
        _libc.setns(home, _NEW_NETWORK)
        os.close(home)


def connections(process, port: int) -> int:
    """How many connections to a port a process has, as far as it knows."""
    found = subprocess.run(
        ["ss", "-Htnp", "state", "established", f"dport = :{port}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.count(f"pid={process.child.pid},")


@pytest.fixture
def servers(server, bank, silence, tmp_path):
    """A primary and its standby in the namespace, in place of the ones outside."""
    made = []

    def start(root: Path):
        one = type(server)(root)
        made.append(one)
        return one

    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    first, second = start(tmp_path / "first"), start(tmp_path / "second")
    first.found()
    first.start()
    first.query("CREATE DATABASE bank", database="postgres")
    source = f"host=127.0.0.1 port={first.port} user=bank"
    second.run("pg_basebackup", "-d", source, "-D", str(second.data), "-R", "-X", "stream", "-c", "fast")
    second.start()
    bank.postgres = first
    yield first, second
    for process in bank.started:
        process.stop()
    for one in made:
        one.stop()


@pytest.fixture
def busy(servers, bank, eventually):
    """A gateway and its ledger with a full pool to the primary; a session."""
    first, second = servers
    ledger = bank.ledger(bank.dsn(second))
    gateway = bank.gateway(ledger)
    token = gateway.login()
    assert gateway.pay(token).status == 201
    eventually(lambda: connections(ledger, first.port) >= 6, 5, "the pool is full")
    return ledger, gateway, token


def test_the_pool_to_a_database_that_vanished_is_empty_within_two_seconds(servers, silence, busy, eventually):
    ledger, _, _ = busy
    first = servers[0]
    looks = """SELECT max(query_start) FROM pg_stat_activity
        WHERE application_name = 'stormbank-ledger' AND query LIKE '%FROM cell_epoch%'"""
    before = first.query(looks)
    # At the worst moment: it has just looked, and nobody asks anything until it looks again.
    eventually(lambda: first.query(looks) != before, 3, "it looks after its epoch")
    gone_s = silence(first.port)
    eventually(lambda: connections(ledger, first.port) == 0, 8, "no connection is left")
    assert time.monotonic() - gone_s < 2.0 + SLACK_S
    eventually(lambda: ledger.metric("bank_database_available") == 0, 8, "nobody is sent there any more")
    # Each connection ends by itself; whether the address is gone too, a new one tells half a second later.
    assert time.monotonic() - gone_s < 2.5 + SLACK_S


def test_after_a_database_vanished_nobody_waits_for_it_for_longer_than_two_seconds(servers, silence, busy):
    _, gateway, token = busy
    gone_s = silence(servers[0].port)
    slow = []
    while time.monotonic() < gone_s + 4:
        asked_s = time.monotonic() - gone_s
        for reply in (
            gateway.call("GET", "/v1/balance", token=token, deadline_ms=2000),
            gateway.pay(token, deadline_ms=2000),
        ):
            assert reply.status in (200, 503, 504)
            if reply.took_s > 0.3:
                slow.append((asked_s, reply.took_s))
    assert max(asked_s + took_s for asked_s, took_s in slow) < 2.0 + SLACK_S
    assert reply.json["reason"] == "database"
    assert gateway.call("GET", "/v1/balance", token=token).json["stale"] is True


def test_after_a_ledger_vanished_nobody_waits_for_it_for_longer_than_two_seconds(
    servers, silence, bank, eventually
):
    ledgers = [bank.ledger(), bank.ledger()]
    gateway = bank.gateway(*ledgers)
    token = gateway.login()
    for _ in range(6):
        assert gateway.call("GET", "/v1/balance", token=token).status == 200
    gone_s = silence(ledgers[0].port)
    last_slow_s = 0.0
    while time.monotonic() < gone_s + 4:
        reply = gateway.call("GET", "/v1/balance", token=token, deadline_ms=3000)
        assert reply.status == 200
        # A new connection to it is given up sooner than that.
        if reply.took_s > 0.8:
            last_slow_s = time.monotonic() - gone_s
    assert last_slow_s < 2.0 + SLACK_S
    assert connections(gateway, ledgers[0].port) == 0
