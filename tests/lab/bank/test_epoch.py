"""The epoch on a real PostgreSQL: what no interleaving of writers, re-maps and promotions may get past."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

MOVE = "SELECT * FROM bank_move(%s, %s, %s, %s, 'transfer', %s, %s, 1, NULL)"
EPOCH = "SELECT promotion, version, home, timeline FROM cell_epoch"


def move(connection, promotion, version, pair=(1, 2)):
    key = str(uuid.uuid4())
    return connection.execute(MOVE, (promotion, version, key, key, *pair)).fetchone()


def refused(connection, promotion, version):
    with pytest.raises(psycopg.Error) as caught:
        move(connection, promotion, version)
    return caught.value.sqlstate == "BK410"


@pytest.fixture
def books(bank):
    """A founded bank's server; nobody is connected but the test."""
    ledger = bank.ledger(BANK_ZONE="city1-a")
    ledger.stop()
    return bank.postgres


def test_a_new_bank_begins_at_its_founders_home(books):
    assert books.query(EPOCH) == [(1, 0, "city1-a", 1)]


def test_only_the_present_epoch_writes(books):
    with books.connection() as one:
        move(one, 1, 0)
        for other in ((1, 1), (0, 0), (2, 0), (0, 9), (None, None), (1, None)):
            assert refused(one, *other), other
        assert one.execute("SELECT * FROM bank_remap('city1-b')").fetchone() == (1, 1)
        assert refused(one, 1, 0)
        move(one, 1, 1)
        with pytest.raises(psycopg.Error, match="epoch"):
            one.execute("SELECT bank_check_in(1, 0, 1, 'gate')")
        one.execute("SELECT bank_check_in(1, 1, 1, 'gate')")
        assert one.execute("SELECT promotion, version FROM movement ORDER BY id").fetchall() == [
            (1, 0),
            (1, 1),
        ]
        assert one.execute("SELECT count(*) FROM checkin").fetchone() == (1,)


def test_an_answer_again_needs_the_present_epoch_too(books):
    with books.connection() as one:
        key = str(uuid.uuid4())
        row = one.execute(MOVE, (1, 0, key, key, 1, 2)).fetchone()
        one.execute("SELECT bank_remap('city1-b')")
        with pytest.raises(psycopg.Error, match="epoch"):
            one.execute(MOVE, (1, 0, key, key, 1, 2))
        again = one.execute(MOVE, (1, 1, key, key, 1, 2)).fetchone()
        assert again == (row[0], True, row[2], "booked")


def test_nothing_of_an_older_epoch_is_committed_after_a_remap(books, books_agree):
    """Movers that never stop and follow by themselves, against re-maps at any moment."""
    over, mistakes, booked = threading.Event(), [], []

    def mover(number):
        chance, count, version = random.Random(number), 0, 0
        with books.connection() as connection:
            while not over.is_set():
                try:
                    with connection.transaction():
                        move(connection, 1, version, (10 + number, 30 + number))
                        # A commit takes its time, waiting for a standby or a disk.
                        over.wait(chance.choice((0, 0, 0.002, 0.01)))
                    count += 1
                except psycopg.Error as error:
                    if error.sqlstate != "BK410":
                        mistakes.append(error)
                        return
                    # As a gateway does: later, and perhaps to an epoch that is over again by then.
                    version = connection.execute("SELECT version FROM cell_epoch").fetchone()[0]
        booked.append(count)

    seen = []
    older = "SELECT count(*) FROM movement WHERE version < "
    with ThreadPoolExecutor(6) as pool, books.connection() as map_maker:
        movers = [pool.submit(mover, number) for number in range(6)]
        for version in range(1, 41):
            # What is visible right after the re-map's commit is all that its predecessors may ever leave.
            both = map_maker.execute(f"BEGIN; SELECT bank_remap('city1-b'); COMMIT; {older} {version}")
            while both.nextset():
                pass
            seen.append((version, both.fetchone()[0]))
            time.sleep(0.005 * (version % 4))
        over.set()
        for each in movers:
            each.result()
        assert mistakes == []
        for version, count in seen:
            later = map_maker.execute(f"{older} {version}").fetchone()[0]
            assert later == count, f"written by the past after version {version}"
        assert sum(booked) == map_maker.execute("SELECT count(*) FROM movement").fetchone()[0] > 100
    books_agree(books)


def test_a_remap_waits_for_a_write_in_flight_and_those_after_it_are_new(books):
    with books.connection() as slow, books.connection() as map_maker, books.connection() as late:
        slow.execute("BEGIN")
        move(slow, 1, 0)
        with ThreadPoolExecutor(2) as pool:
            remap = pool.submit(map_maker.execute, "SELECT bank_remap('city1-b')")
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            until_s = time.monotonic() + 5
            while books.query(waiting) != [(1,)]:
                assert time.monotonic() < until_s
            behind = pool.submit(refused, late, 1, 0)
            while books.query(waiting) != [(2,)]:
                assert time.monotonic() < until_s
            assert books.query(EPOCH)[0][:2] == (1, 0)
            slow.execute("COMMIT")
            remap.result()
            assert behind.result(), "its statement began under the old epoch, and saw the new one"
        assert books.query("SELECT promotion, version FROM movement") == [(1, 0)]


def test_a_promotion_is_recorded_once_and_nobody_writes_before(books, standby):
    with books.connection() as one:
        move(one, 1, 0)
        one.execute("SELECT bank_remap('city1-b')")
    reached = f"SELECT pg_last_wal_replay_lsn() >= '{books.query('SELECT pg_current_wal_lsn()')[0][0]}'"
    until_s = time.monotonic() + 10
    while standby.query(reached) != [(True,)]:
        assert time.monotonic() < until_s
    with standby.connection() as follower, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        move(follower, 1, 1)
    standby.promote()
    with standby.connection() as one:
        for epoch in ((1, 1), (2, 1), (2, 0)):
            assert refused(one, *epoch), "nobody has recorded it"
        with ThreadPoolExecutor(8) as pool:
            for each in [pool.submit(standby.query, "SELECT bank_record_promotion()") for _ in range(8)]:
                each.result()
        assert standby.query(EPOCH) == [(2, 1, "city1-b", 2)]
        assert refused(one, 1, 1)
        move(one, 2, 1)
    with books.connection() as left_behind:
        assert refused(left_behind, 2, 1), "whoever knows the new epoch cannot write to the old database"


def test_a_remap_of_a_promoted_database_records_both(books, standby):
    standby.promote()
    assert standby.query("SELECT * FROM bank_remap('city2-a')") == [(2, 1)]
    assert standby.query(EPOCH) == [(2, 1, "city2-a", 2)]


def test_a_promotion_that_was_recorded_and_lost_does_not_share_its_number(books, standby, tmp_path):
    """Two promotions, the record of the first did not reach the second's server."""
    standby.promote()
    twice = type(standby)(tmp_path / "twice")
    twice.root.mkdir()
    source = f"host=127.0.0.1 port={standby.port} user=bank"
    twice.run("pg_basebackup", "-d", source, "-D", str(twice.data), "-R", "-X", "stream", "-c", "fast")
    standby.query("SELECT bank_record_promotion()")
    assert standby.query(EPOCH)[0][0] == 2
    # It never streams: the copy alone is what it knows.
    (twice.data / "postgresql.auto.conf").write_text("")
    twice.start()
    try:
        twice.promote()
        twice.query("SELECT bank_record_promotion()")
        assert twice.query(EPOCH)[0][0] == 3
    finally:
        twice.stop()


def test_a_database_of_another_version_or_cell_is_not_written_to(bank, eventually):
    bank.ledger().stop()
    stranger = bank.ledger(BANK_CELLS="cell0,cell1", BANK_CELL="cell1")
    assert "this ledger is cell1's, one of cell0, cell1" in stranger.log.read_text()
    assert stranger.call("GET", "/cell").json["reason"] == "database"
    reply = bank.remap("city1-b", "--timeout", "1", BANK_CELLS="cell0,cell1", BANK_CELL="cell1")
    assert (reply.returncode, reply.stdout) == (1, "")
    bank.postgres.query("UPDATE bank_schema SET version = 1")
    older = bank.ledger()
    assert "schema version 1, not 4" in older.log.read_text()
    assert older.metric("bank_database_available") == 0
    assert bank.postgres.query(EPOCH) == [(1, 0, "none", 1)]


def test_an_operator_remaps_by_one_command(bank, eventually):
    bank.ledger(BANK_ZONE="city1-a")
    done = bank.remap("city1-b")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"cell": "cell0", "promotion": 1, "version": 1, "home": "city1-b"},
    )
    assert bank.remap(" ").returncode == 2
    nowhere = bank.remap("city1-b", "--timeout", "0.5", BANK_DB_DSN="postgresql://bank@127.0.0.1:1/bank")
    assert nowhere.returncode == 1
    assert "nothing was changed" in nowhere.stderr
    assert "Traceback" not in nowhere.stderr


def test_a_remap_that_finds_no_gap_lets_the_books_go_on(bank, books_agree):
    ledger = bank.ledger()
    gateway = bank.gateway(ledger)
    token = gateway.login(3)
    with bank.postgres.connection() as holder, ThreadPoolExecutor(1) as operator:
        holder.execute("BEGIN")
        move(holder, 1, 0)
        remap = operator.submit(bank.remap, "city1-b", "--timeout", "2")
        paid, slowest_s = 0, 0.0
        while not remap.done():
            reply = gateway.pay(token)
            assert reply.status == 201, reply.body
            paid, slowest_s = paid + 1, max(slowest_s, reply.took_s)
        assert (remap.result().returncode, remap.result().stdout) == (1, "")
        assert "contention" in remap.result().stderr
        assert paid > 10
        assert slowest_s < 0.8, "it stood in line behind the re-map for 0.3 s"
        holder.execute("COMMIT")
    assert bank.remap("city1-b").returncode == 0
    books_agree(bank.postgres)


def test_a_remap_whose_commit_is_not_confirmed_says_so(bank, eventually):
    bank.ledger()
    bank.postgres.setting("synchronous_standby_names", "nobody")
    try:
        done = bank.remap("city1-b", "--timeout", "1")
        assert done.returncode == 3
        assert "unknown" in done.stderr
    finally:
        bank.postgres.setting("synchronous_standby_names", "")
    eventually(lambda: bank.postgres.query(EPOCH) == [(1, 1, "city1-b", 1)], 5, "it was committed after all")


def test_a_promotion_is_recorded_though_nobody_asks(bank, standby, eventually):
    """No gateway, no write: the ledger itself sees to it, each second in which it was not asked."""
    ledger = bank.ledger(bank.dsn(standby))
    eventually(lambda: ledger.metric("bank_cell_promotion", cell="cell0") == 1, 5, "it knows the first epoch")
    eventually(lambda: standby.query("SELECT count(*) FROM cell_epoch") == [(1,)], 5, "the standby has it")
    bank.postgres.kill()
    standby.promote()
    recorded = "SELECT promotion FROM cell_epoch"
    eventually(lambda: standby.query(recorded) == [(2,)], 8, "the promotion is recorded")
