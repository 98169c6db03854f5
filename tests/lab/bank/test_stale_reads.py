"""Balance and bills from a standby while there is no primary: marked, bounded, and never for money."""

from __future__ import annotations

import datetime as dt
import time

import pytest


def lost(reply):
    return (reply.status, reply.json.get("reason")) == (503, "database")


def age_s(reply):
    return time.time() - dt.datetime.fromisoformat(reply.json["as_of"]).timestamp()


@pytest.fixture
def follow(bank, standby):
    """Start a gateway over a ledger that knows primary and standby; return both, a session and what is asked."""

    def start(**env):
        ledger = bank.ledger(bank.dsn(standby), **env)
        gateway = bank.gateway(ledger)
        token = gateway.login()

        def ask(path="/v1/balance"):
            return gateway.call("GET", path, token=token, deadline_ms=2000)

        return ledger, gateway, token, ask

    return start


@pytest.fixture
def primary(bank, eventually):
    """The first server, which is there again after the test."""
    yield bank.postgres
    if bank.postgres.process is None:
        bank.postgres.start()
    bank.postgres.query("ALTER SYSTEM RESET ALL")
    bank.postgres.query("SELECT pg_reload_conf()")


def caught_up(primary, standby, eventually):
    ((position,),) = primary.query("SELECT pg_current_wal_lsn()")
    replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
    eventually(lambda: standby.query(replayed) == [(True,)], 5, "the standby has it")


def test_without_a_primary_a_standby_shows_what_was_acknowledged_and_says_so(
    follow, primary, standby, eventually
):
    ledger, gateway, token, ask = follow()
    assert gateway.pay(token, amount=5).status == 201
    fresh = ask()
    assert (fresh.json, "Bank-As-Of" in fresh.headers) == ({"account": 1, "balance": 99_999_995}, False)
    caught_up(primary, standby, eventually)
    primary.kill()
    for _ in range(3):
        reply = ask()
        assert (reply.status, reply.json["balance"], reply.json["stale"]) == (200, 99_999_995, True)
        assert reply.headers["Bank-As-Of"] == reply.json["as_of"]
        assert 0 <= age_s(reply) < 30
        assert reply.took_s < 1.5
    bills = ask("/v1/bills")
    assert (bills.status, bills.json["stale"], len(bills.json["entries"])) == (200, True, 1)
    assert ledger.metric("bank_stale_reads_total", operation="balance", cell="cell0") == 3
    # Money and logins go on refusing; and nobody is told that business can be done here.
    assert lost(gateway.pay(token))
    assert lost(gateway.call("POST", "/v1/transfers", {"to": 2, "amount": 1}, token=token, key="0" * 32))
    assert lost(gateway.call("POST", "/v1/login", {"customer": 1, "device": "x", "password": "pw-1"}))
    assert gateway.call("GET", "/servez").status == 503


def test_when_there_is_a_primary_again_nobody_asks_the_standby(follow, primary, standby, eventually):
    _, gateway, token, ask = follow(BANK_STALE_MAX="3")
    caught_up(primary, standby, eventually)
    primary.kill()
    assert ask().json["stale"] is True
    standby.promote()
    eventually(lambda: gateway.pay(token).status == 201, 5, "payments work on the new primary")
    assert "stale" not in ask().json
    asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stormbank-standby'"
    eventually(lambda: standby.query(asked) == [(0,)], 5, "its connections are closed")


def test_an_answer_that_would_be_too_old_is_not_given(follow, primary, standby, eventually):
    _, _, _, ask = follow(BANK_STALE_MAX="2")
    caught_up(primary, standby, eventually)
    primary.kill()
    killed_s = time.monotonic()
    assert ask().json["stale"] is True
    ages = []
    while not lost(reply := ask()):
        ages.append(age_s(reply))
        time.sleep(0.1)
        assert time.monotonic() < killed_s + 5
    assert max(ages) < 2.2
    assert time.monotonic() - killed_s > 1.0


def test_on_an_idle_bank_a_standby_is_as_fresh_as_the_beat(follow, primary, standby, eventually):
    follow(BANK_STALE_MAX="2")
    age = "SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())"
    eventually(lambda: standby.query(age)[0][0] is not None, 5, "something was replayed")
    until_s = time.monotonic() + 3
    ages = []
    while time.monotonic() < until_s:
        ages.append(standby.query(age)[0][0])
        time.sleep(0.05)
    assert max(ages[20:]) < 1.0


def test_a_standby_that_has_not_received_for_long_does_not_answer(follow, primary, standby, eventually):
    """Cut off while the primary lived on: what it has is old, however well it runs."""
    _, gateway, token, ask = follow(BANK_STALE_MAX="2")
    caught_up(primary, standby, eventually)
    standby.setting("primary_conninfo", "")
    cut_s = time.monotonic()
    while time.monotonic() < cut_s + 2.5:
        assert gateway.pay(token).status == 201
    primary.kill()
    eventually(lambda: lost(ask()), 3, "it refuses")
    assert all(lost(ask()) for _ in range(5))


def test_switched_off_a_balance_is_refused(follow, primary, standby, eventually):
    _, _, _, ask = follow(BANK_STALE_MAX="off")
    caught_up(primary, standby, eventually)
    primary.kill()
    assert all(lost(ask()) for _ in range(5))


def test_a_silent_primary_is_not_waited_for(follow, primary, standby, eventually):
    """It neither answers nor closes anything, as behind a line that drops packets."""
    _, _, _, ask = follow()
    caught_up(primary, standby, eventually)
    with primary.silent():
        eventually(lambda: ask().json.get("stale") is True, 4, "the standby answers")
        replies = [ask() for _ in range(5)]
        assert {each.status for each in replies} == {200}
        assert max(each.took_s for each in replies) < 1.9
    eventually(lambda: "stale" not in ask().json, 5, "the primary answers again")


def test_a_busy_primary_is_not_gone_round(follow, primary, standby, eventually):
    ledger, _, _, ask = follow()
    caught_up(primary, standby, eventually)
    with primary.connection() as holder:
        holder.execute("BEGIN; LOCK TABLE account IN ACCESS EXCLUSIVE MODE")
        assert ask().status in (503, 504)
        holder.execute("ROLLBACK")
    assert ledger.metric("bank_stale_reads_total") == 0
