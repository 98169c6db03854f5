"""The archive of a cell: the log as it is written, base backups, and the way back to a moment, on real servers."""

from __future__ import annotations

import datetime as dt
import gzip
import importlib.util
import json
import time
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("bank_archive", Path(__file__).with_name("archive.py"))
_module = importlib.util.module_from_spec(_spec)
__import__("sys").modules["bank_archive"] = _module
_spec.loader.exec_module(_module)
archives = _module.archives


def text(at_s):
    return dt.datetime.fromtimestamp(at_s, dt.UTC).isoformat()


def between():
    """A moment that is apart from what was before and what comes after."""
    time.sleep(0.05)
    now_s = time.time()
    time.sleep(0.05)
    return text(now_s)


@pytest.fixture
def phone(bank, standby):
    """A gateway over a ledger that follows the database to the standby."""
    gateway = bank.gateway(bank.ledger(bank.dsn(standby)))
    return gateway, gateway.login()


def movements(report):
    return int(report["figures"]["movements"])


def test_a_moment_between_two_movements_gives_exactly_the_first(archives, phone, eventually):
    archive = archives().start()
    archive.settled(eventually)
    gateway, token = phone
    before = between()
    assert gateway.pay(token).status == 201
    moment = between()
    assert gateway.pay(token).status == 201
    after = between()
    archive.settled(eventually)
    report = archive.restore("--to", moment)
    assert report["ok"]
    assert movements(report) == 1
    assert [each["holds"] for each in report["invariants"]] == [True] * 6
    assert report["took"]["total_s"] > 0
    # Before both; after both, when nothing has been committed since; and the newest.
    assert movements(archive.restore("--to", before)) == 0
    assert movements(archive.restore("--to", after)) == 2
    assert movements(archive.restore()) == 2
    # What somebody knows from elsewhere is one more invariant.
    told = archive.restore("--to", moment, "--expect", "movements=1")
    assert told["invariants"][6:] == [{"id": "movements", "answer": "1", "expect": "1", "holds": True}]
    wrong = archive.restore("--to", moment, "--expect", "movements=2", code=1)
    assert not wrong["ok"]
    assert [each["id"] for each in wrong["invariants"] if not each["holds"]] == ["movements"]


def test_a_failover_is_followed_and_said_and_both_timelines_can_be_restored(
    archives, bank, standby, phone, eventually
):
    archive = archives().start()
    archive.settled(eventually)
    gateway, token = phone
    bank.postgres.setting("synchronous_standby_names", "walreceiver")
    assert gateway.pay(token).status == 201
    first = between()
    bank.postgres.kill()
    standby.promote()
    eventually(lambda: gateway.pay(token).status == 201, 10, "payments work on the new primary")
    second = between()
    assert gateway.pay(token).status == 201
    eventually(lambda: archive.metric("archive_timeline") == 2, 20, f"it follows: {archive.log()}")
    archive.settled(eventually)
    assert f"primary is 127.0.0.1:{standby.port}, timeline 2" in archive.log()
    assert archive.metric("archive_gaps_total") == 0
    assert [movements(archive.restore("--to", moment)) for moment in (first, second)] == [1, 2]
    assert movements(archive.restore()) == 3
    # The old primary comes back beside it, as writable as before: nobody goes back to it.
    bank.postgres.start()
    between()
    assert gateway.pay(token).status == 201
    archive.settled(eventually)
    assert archive.metric("archive_timeline") == 2
    assert movements(archive.restore()) == 4


def test_log_that_the_new_primary_never_had_is_put_aside(archives, bank, standby, phone, eventually):
    archive = archives().start()
    archive.settled(eventually)
    gateway, token = phone
    assert gateway.pay(token).status == 201
    eventually(lambda: standby.query("SELECT count(*) FROM movement") == [(1,)], 5, "the standby has it")
    standby.setting("primary_conninfo", "")
    # More than a segment, so that whole files of the archive are of no database any more.
    for _ in range(2):
        assert gateway.pay(token).status == 201
        bank.postgres.query("SELECT pg_switch_wal()")
    archive.settled(eventually)
    bank.postgres.kill()
    standby.promote()
    eventually(lambda: gateway.pay(token).status == 201, 10, "payments work on the new primary")
    eventually(lambda: archive.metric("archive_timeline") == 2, 20, f"it follows: {archive.log()}")
    archive.settled(eventually)
    assert "put aside: 0000000100" in archive.log()
    assert list((archive.directory / "aside").glob("*/0000000100*"))
    assert movements(archive.restore()) == 2


def test_an_archive_that_was_away_goes_on_where_it_was(archives, phone, eventually):
    archive = archives().start()
    archive.settled(eventually)
    gateway, token = phone
    assert gateway.pay(token).status == 201
    archive.stop()
    # A dead archive is nothing to the bank.
    replies = [gateway.pay(token) for _ in range(3)]
    assert {each.status for each in replies} == {201}
    assert max(each.took_s for each in replies) < 1
    archive.start()
    archive.settled(eventually)
    assert archive.metric("archive_gaps_total") == 0
    assert movements(archive.restore()) == 4


def test_an_archive_that_stands_still_holds_nobody_up(archives, bank, phone, eventually):
    archive = archives().start()
    archive.settled(eventually)
    gateway, token = phone
    with archive.frozen():
        replies = [gateway.pay(token) for _ in range(20)]
    assert {each.status for each in replies} == {201}
    assert max(each.took_s for each in replies) < 1
    archive.settled(eventually)
    assert movements(archive.restore()) == 20


def test_an_archive_that_was_away_too_long_says_so_and_begins_anew(
    archives, bank, standby, phone, eventually
):
    archive = archives().start()
    archive.settled(eventually)
    gateway, token = phone
    assert gateway.pay(token).status == 201
    known = between()
    archive.settled(eventually)
    archive.stop()
    assert gateway.pay(token).status == 201
    lost = between()
    forget(bank.postgres)
    archive.start()
    eventually(lambda: archive.metric("archive_gaps_total") == 1, 20, f"a gap: {archive.log()}")
    eventually(lambda: archive.metric("archive_stretch") == 2, 10, "another stretch")
    eventually(
        lambda: len(json.loads(archive.run("show").stdout)["bases"]) == 2, 30, "a base backup after it"
    )
    archive.settled(eventually)
    assert movements(archive.restore("--to", known)) == 1
    assert "after a gap it goes on at" in archive.restore("--to", lost, code=3)["error"]
    assert movements(archive.restore()) == 2


def test_damaged_and_missing_log_is_told_by_name(archives, bank, phone, eventually):
    archive = archives().start()
    archive.settled(eventually)
    gateway, token = phone
    for _ in range(3):
        assert gateway.pay(token).status == 201
        bank.postgres.query("SELECT pg_switch_wal()")
    assert gateway.pay(token).status == 201
    archive.settled(eventually)
    packed = archive.directory / "wal/1"
    eventually(lambda: len(list(packed.glob("*.gz"))) >= 3, 10, "segments are packed")
    archive.stop()
    victim = sorted(packed.glob("*.gz"))[1]
    whole = victim.read_bytes()
    victim.unlink()
    assert "is missing" in archive.restore(code=3)["error"]
    victim.write_bytes(whole[: len(whole) // 2])
    assert f"{victim.name} in {packed} is damaged" in archive.restore(code=3)["error"]
    log = bytearray(gzip.decompress(whole))
    log[4096:12288] = bytes(8192)
    victim.write_bytes(gzip.compress(bytes(log)))
    assert "the log is damaged: recovery to the newest ended at" in archive.restore(code=3)["error"]
    victim.write_bytes(whole)
    assert movements(archive.restore()) == 4
    base = next((archive.directory / "base").glob("*/base.tar.gz"))
    base.write_bytes(base.read_bytes()[:-1000])
    assert "is damaged" in archive.restore(code=3)["error"]


def test_books_that_do_not_agree_are_a_violation(archives, bank, phone, eventually):
    archive = archives().start()
    archive.settled(eventually)
    gateway, token = phone
    assert gateway.pay(token).status == 201
    bank.postgres.query("UPDATE account SET balance = balance + 1 WHERE id = 7")
    archive.settled(eventually)
    report = archive.restore(code=1)
    odd = [each["id"] for each in report["invariants"] if not each["holds"]]
    assert odd == ["balance-is-opening-plus-entries", "money-is-conserved"]


def test_without_the_log_there_is_only_the_last_base_backup(archives, phone, eventually):
    archive = archives(ARCHIVE_RECEIVE="off").start()
    eventually(lambda: archive.metric("archive_bases") == 1, 30, f"a base backup: {archive.log()}")
    gateway, token = phone
    assert gateway.pay(token).status == 201
    moment = between()
    assert "is later than the archive reaches" in archive.restore("--to", moment, code=3)["error"]
    assert movements(archive.restore()) == 0


def test_old_backups_and_the_log_before_them_go(archives, bank, phone, eventually):
    archive = archives(ARCHIVE_EVERY_S="2", ARCHIVE_KEEP="2").start()
    archive.settled(eventually)
    first = json.loads(archive.run("show").stdout)["bases"][0]["name"]
    bank.postgres.query("SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal()")
    segments = archive.directory / "wal/1"
    oldest = eventually(lambda: sorted(segments.glob("*.gz")), 10, "a segment is packed")[0]

    def renewed():
        bases = json.loads(archive.run("show").stdout)["bases"]
        return len(bases) == 2 and first not in [each["name"] for each in bases]

    eventually(renewed, 40, "the first one is gone")
    eventually(lambda: not oldest.exists(), 20, "the log before the oldest is gone")
    gateway, token = phone
    assert gateway.pay(token).status == 201
    archive.settled(eventually)
    assert movements(archive.restore()) == 1


def test_the_log_of_another_database_does_not_come_into_an_archive(archives, server, eventually, tmp_path):
    archive = archives().start()
    archive.settled(eventually)
    archive.stop()
    other = type(server)(tmp_path / "other")
    other.root.mkdir()
    other.found()
    other.start()
    try:
        archive.ports = [other.port]
        archive.start()
        eventually(lambda: "an archive of another database" in archive.log(), 10, "it is refused")
        assert archive.metric("archive_receiving") == 0
    finally:
        other.stop()


def forget(postgres):
    """Let a server remove the log that it keeps for whoever is late."""
    postgres.setting("wal_keep_size", "0")
    for _ in range(3):
        postgres.query("SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal()")
    postgres.query("CHECKPOINT")
    postgres.setting("wal_keep_size", "64MB")
