"""The ledger when its database dies, is demoted, stands still, or fails over: without being restarted."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

LEDGERS = "FROM pg_stat_activity WHERE application_name = 'stormbank-ledger'"


def test_a_killed_postmaster_is_told_fast_and_come_back_from_by_itself(bank, eventually):
    ledger = bank.ledger()
    gateway = bank.gateway(ledger)
    token, key = gateway.login(), str(uuid.uuid4())
    assert gateway.pay(token, key).status == 201
    bank.postgres.kill()
    for _ in range(10):
        reply = gateway.pay(token)
        assert (reply.status, reply.json["reason"]) == (503, "database")
        assert reply.headers["Retry-After"] == "1"
        assert reply.took_s < 1.5
    # A bank without books still says so: taking every ledger out of service would help nobody.
    assert (ledger.call("GET", "/readyz").status, gateway.call("GET", "/readyz").status) == (200, 200)
    assert ledger.metric("bank_database_available") == 0
    bank.postgres.start()
    back_s = time.monotonic()
    eventually(lambda: gateway.pay(token).status == 201, 5, "payments work again")
    assert time.monotonic() - back_s < 3.0
    assert gateway.pay(token, key).json["repeated"] is True
    assert ledger.child.poll() is None


def test_connections_that_break_under_a_living_server_hurt_nobody(bank):
    gateway = bank.gateway(bank.ledger())
    token = gateway.login()
    for _ in range(20):
        bank.postgres.query(f"SELECT pg_terminate_backend(pid) {LEDGERS}")
        assert gateway.pay(token).status == 201
        assert gateway.call("GET", "/v1/balance", token=token).status == 200
    assert bank.postgres.query("SELECT count(*) FROM movement") == [(20,)]


def test_a_connection_that_breaks_during_a_payment_is_replaced_and_the_payment_booked_once(bank, eventually):
    gateway = bank.gateway(bank.ledger())
    token = gateway.login(1)
    waiting = f"SELECT pid {LEDGERS} AND wait_event_type = 'Lock'"
    with bank.postgres.connection() as holder, ThreadPoolExecutor(1) as phone:
        holder.execute("BEGIN; SELECT FROM account WHERE id = 1 FOR UPDATE")
        payment = phone.submit(gateway.pay, token)
        ((pid,),) = eventually(lambda: bank.postgres.query(waiting), 3, "the payment waits for the row")
        bank.postgres.query(f"SELECT pg_terminate_backend({pid})")
        holder.execute("ROLLBACK")
        assert payment.result().status == 201
    assert bank.postgres.query("SELECT count(*) FROM movement") == [(1,)]


def test_a_row_that_stays_locked_is_contention_not_a_lost_database(bank):
    ledger = bank.ledger()
    gateway = bank.gateway(ledger)
    token = gateway.login(1)
    with bank.postgres.connection() as holder:
        holder.execute("BEGIN; SELECT FROM account WHERE id = 1 FOR UPDATE")
        reply = gateway.pay(token)
        assert (reply.status, reply.json["reason"], reply.json["outcome"]) == (503, "contention", "none")
        assert ledger.metric("bank_database_available") == 1
        holder.execute("ROLLBACK")
    assert gateway.pay(token).status == 201


def test_a_server_that_takes_no_writes_any_more_is_left(bank, eventually):
    """A demotion that keeps connections alive, as a director's fence would."""
    ledger = bank.ledger()
    gateway = bank.gateway(ledger)
    token = gateway.login()
    assert gateway.pay(token).status == 201
    bank.postgres.setting("default_transaction_read_only", "on")
    try:
        reply = gateway.pay(token)
        assert (reply.status, reply.json["reason"]) == (503, "database")
        eventually(lambda: ledger.metric("bank_database_available") == 0, 3, "the ledger lets go")
    finally:
        bank.postgres.setting("default_transaction_read_only", "off")
    eventually(lambda: gateway.pay(token).status == 201, 3, "payments work again")


def test_a_commit_that_stands_still_is_never_acknowledged(bank, eventually, books_agree):
    ledger = bank.ledger()
    gateway = bank.gateway(ledger)
    token, key = gateway.login(), str(uuid.uuid4())
    bank.postgres.setting("synchronous_standby_names", "nobody")
    try:
        for _ in range(3):
            reply = gateway.pay(token, key, deadline_ms=400)
            assert (reply.status, reply.json["outcome"]) == (504, "unknown"), reply.body
            assert reply.took_s < 1.5
        # The first attempt still holds the key, and will be booked: whoever waits for it in vain knows of nothing.
        reply = gateway.pay(token, key, deadline_ms=3000)
        assert (reply.status, reply.json["reason"]) == (503, "contention")
        assert reply.json["outcome"] == "unknown"
        # Whoever only reads is served.
        balance = gateway.call("GET", "/v1/balance", token=token)
        assert (balance.status, balance.json["balance"]) == (200, 100_000_000)
        assert ledger.call("GET", "/readyz").status == 200
    finally:
        bank.postgres.setting("synchronous_standby_names", "")
    reply = eventually(lambda: gateway.pay(token, key), 5, "an answer")
    assert (reply.status, reply.json["repeated"]) == (201, True)
    assert bank.postgres.query("SELECT count(*) FROM movement") == [(1,)]
    books_agree(bank.postgres)


def test_a_retry_does_not_vouch_for_a_commit_that_is_not_replicated(bank, eventually):
    """A cancelled wait for the standby makes the commit visible all the same: seen is not safe."""
    gateway = bank.gateway(bank.ledger())
    token, key = gateway.login(), str(uuid.uuid4())
    bank.postgres.setting("synchronous_standby_names", "nobody")
    try:
        assert gateway.pay(token, key, deadline_ms=400).status == 504
        bank.postgres.query(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        )
        eventually(lambda: bank.postgres.query("SELECT count(*) FROM movement") == [(1,)], 3, "it is seen")
        assert gateway.pay(token, key, deadline_ms=400).status == 504
    finally:
        bank.postgres.setting("synchronous_standby_names", "")
    assert eventually(lambda: gateway.pay(token, key), 5, "an answer").json["repeated"] is True


def test_many_commits_that_stand_still_leave_readers_their_connections(bank, at_once):
    gateway = bank.gateway(bank.ledger(BANK_SLOTS="50"), BANK_RATE="other=4000")
    tokens = [gateway.login(customer) for customer in range(1, 13)]

    def transfer(number, token):
        # Between pairs of their own: each waits for the standby, none for another's row.
        body = {"to": 100 + number, "amount": 1}
        return gateway.call(
            "POST", "/v1/transfers", body, token=token, key=str(uuid.uuid4()), deadline_ms=700
        )

    bank.postgres.setting("synchronous_standby_names", "nobody")
    try:
        replies = at_once([lambda n=n, t=t: transfer(n, t) for n, t in enumerate(tokens)])
        assert {each.status for each in replies} <= {503, 504}
        reads = at_once([lambda t=t: gateway.call("GET", "/v1/balance", token=t) for t in tokens])
        assert {each.status for each in reads} == {200}
        assert max(each.took_s for each in reads) < 1.5
    finally:
        bank.postgres.setting("synchronous_standby_names", "")


def test_after_a_failover_the_new_primary_is_used(bank, standby, eventually, books_agree):
    # The standby is named first and answers first; only the primary may be chosen.
    ledger = bank.ledger(f"postgresql://bank@127.0.0.1:{standby.port},127.0.0.1:{bank.postgres.port}/bank")
    gateway = bank.gateway(ledger)
    token, key = gateway.login(), str(uuid.uuid4())
    bank.postgres.setting("synchronous_standby_names", "*")
    try:
        assert gateway.pay(token, key).status == 201
        bank.postgres.kill()
        assert gateway.pay(token).status == 503
        standby.promote()
        promoted_s = time.monotonic()
        standby.query("SELECT 1")
        eventually(lambda: gateway.pay(token).status == 201, 5, "payments work on the new primary")
        assert time.monotonic() - promoted_s < 1.5
        assert gateway.pay(token, key).json["repeated"] is True
        books_agree(standby)
        # The old primary comes back beside it, as writable as before: nobody goes back to it by himself.
        bank.postgres.start()
        assert gateway.pay(token).status == 201
        assert bank.postgres.query("SELECT count(*) FROM movement") == [(1,)]
    finally:
        if bank.postgres.process is None:
            bank.postgres.start()
        bank.postgres.setting("synchronous_standby_names", "")


def test_whoever_waits_for_a_promotion_asks_on_one_connection(bank, standby, eventually):
    """A new one for each question would cost both sides more than all else that a waiting region does."""
    bank.ledger().stop()
    waiting = bank.ledger(f"postgresql://bank@127.0.0.1:{standby.port}/bank")
    mine = "SELECT pid, query_start FROM pg_stat_activity WHERE application_name = 'stormbank-ledger'"
    asked = {}

    def often():
        asked.update((at, pid) for pid, at in standby.query(mine) if at)
        return len(asked) > 5

    eventually(often, 10, "it asks again and again")
    assert len(set(asked.values())) == 1
    standby.promote()
    eventually(lambda: waiting.metric("bank_database_available") == 1, 5, "it has seen the promotion")
