"""The SQL audit against a real PostgreSQL 15, as standby, primary, silent and wrong."""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest

from stormdrill import wait
from stormdrill.audit import reader_of
from stormdrill.errors import TargetError
from stormdrill.estate_books import Across, Invariant, SqlAudit
from stormdrill.measure.books import parse_books

from .postgres import BIN, Database

KEYS = ["0b9f6d0e-6d5c-4c3a-9f3e-6d0f0a1b2c3d", "1b9f6d0e-6d5c-4c3a-9f3e-6d0f0a1b2c3d"]
pytestmark = pytest.mark.skipif(not (BIN / "postgres").exists(), reason="PostgreSQL 15 is not installed")


@pytest.fixture(scope="module")
def database():
    # Not pytest's directory: a socket's path may not be longer than about 100 characters.
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    made = Database(directory)
    made.start()
    made.execute("CREATE TABLE movement (id bigint, key uuid, amount numeric, source bigint, target bigint)")
    made.execute("INSERT INTO movement VALUES (1, %s, 100, 1, 2), (2, %s, 250, NULL, -3)", *KEYS)
    yield made
    made.stop()
    shutil.rmtree(directory)


def audit(database, **changes):
    fields = {
        "dsn": database.dsn,
        "password": None,
        "high_water": "SELECT coalesce(max(id), 0) FROM movement",
        "movements": "SELECT key, amount, source, target, id FROM movement WHERE id > %(since)s ORDER BY id",
        "invariants": (Invariant("one", "SELECT count(*) FROM movement WHERE amount < 0", 0),),
        "deadline_s": 1.0,
        **changes,
    }
    return reader_of(SqlAudit(**fields), changes.pop("secret", None))


def test_everything_since_the_mark_is_read(database):
    reader = audit(database)
    assert reader.high_water() == 2
    books = reader.read(0, KEYS)
    assert books.complete, books.why
    stored = books.to_json()
    assert stored["movements"] == [[KEYS[0], 100, 1, 2, 1], [KEYS[1], 250, None, -3, 2]]
    assert stored["invariants"] == [{"id": "one", "value": 0, "expect": 0}]
    assert [row.id for row in reader.read(1, KEYS).movements] == [2]


def test_all_of_it_is_one_snapshot(database):
    """A movement that commits between two of the queries is in none of them."""
    count = Invariant("count", "SELECT count(*) FROM movement", 2)
    held = "SELECT key, amount, source, target, id FROM movement, pg_advisory_xact_lock_shared(7) WHERE id > %(since)s"
    found = []
    reading = threading.Thread(
        target=lambda: found.append(audit(database, movements=held, invariants=(count,)).read(0, []))
    )
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7)")
        reading.start()

        def waiting():
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
            return connection.execute(query).fetchone()[0]

        wait.until(waiting, deadline_s=20, what="the audit to be in its first query", poll_s=0.02)
        database.execute("INSERT INTO movement VALUES (3, %s, 1, 1, 1)", KEYS[0])
    reading.join()
    database.execute("DELETE FROM movement WHERE id = 3")
    (books,) = found
    assert books.complete, books.why
    assert (len(books.movements), books.invariants[0].value) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"movements": "SELECT 1 WHERE 1 > %(since)s"},
            "movements: must give key, amount, source, target, id; it gives 1",
        ),
        (
            {"movements": "SELECT no FROM movement WHERE id > %(since)s"},
            'movements: column "no" does not exist',
        ),
        ({"movements": "SELECT key, 0.5, 1, 1, id FROM movement WHERE id > %(since)s"}, "not a whole number"),
        ({"invariants": (Invariant("x", "SELECT NULL::int", 0),)}, "invariant x: gave NULL"),
        ({"invariants": (Invariant("x", "SELECT 1 WHERE false", 0),)}, "invariant x: must give one row"),
        ({"invariants": (Invariant("x", "DELETE FROM movement", 0),)}, "read-only transaction"),
    ],
)
def test_what_cannot_be_read_is_incomplete(database, changes, why):
    if "0.5" in changes.get("movements", ""):
        changes = {"movements": changes["movements"].replace("0.5", "0.5::numeric")}
    books = audit(database, **changes).read(0, [])
    assert not books.complete
    assert books.why.startswith(why) or why in books.why
    assert books.movements == ()


def two_cells(database, **changes):
    return audit(database, dsn="", cells={"even": database.dsn, "odd": database.dsn, **changes})


def test_the_books_of_two_cells_are_put_together_each_row_with_its_cell(database):
    reader = two_cells(database)
    assert reader.high_water() == {"even": 2, "odd": 2}
    books = reader.read({"even": 1, "odd": 0}, [])
    assert (books.complete, books.unread) == (True, ())
    assert [(row.id, row.cell) for row in books.movements] == [(2, "even"), (1, "odd"), (2, "odd")]
    assert [(one.id, one.cell) for one in books.invariants] == [("one", "even"), ("one", "odd")]
    stored = books.to_json()
    assert stored["movements"][0] == [KEYS[1], 250, None, -3, 2, "even"]
    read = parse_books({**stored, "since": 0})
    assert (read.cells, read.unread, read.invariants[1].cell) == (("even", "odd", "odd"), (), "odd")


def test_a_cell_that_cannot_be_read_is_named_and_the_other_is_read_all_the_same(database):
    reader = two_cells(database, odd="host=127.0.0.1 port=1 user=auditor dbname=postgres")
    with pytest.raises(TargetError, match=r"^odd: audit database: .*Connection refused"):
        reader.high_water()
    books = reader.read(0, [])
    assert (books.complete, books.unread) == (False, ("odd",))
    assert books.why.startswith("odd: audit database:")
    assert [row.cell for row in books.movements] == ["even", "even"]
    assert parse_books(books.to_json()).unread == ("odd",)
    nobody = two_cells(database, odd="host=127.0.0.1 port=1", even="host=127.0.0.1 port=1").read(0, [])
    assert (nobody.complete, nobody.unread, nobody.movements) == (False, (), ())


def test_a_dead_host_of_the_list_is_passed_over(database):
    dsn = f"host=127.0.0.1,127.0.0.1 port=1,{database.port} user=auditor dbname=postgres"
    assert audit(database, dsn=dsn).high_water() == 2


def test_nobody_there_is_said_and_never_raised_by_read(database):
    reader = audit(database, dsn="host=127.0.0.1 port=1 user=auditor dbname=postgres")
    with pytest.raises(TargetError, match=r"^audit database: .*not within 1 s: .*Connection refused"):
        reader.high_water()
    books = reader.read(0, [])
    assert not books.complete
    assert "Connection refused" in books.why


@pytest.mark.parametrize(
    ("wrong", "why"), [({"dbname": "no"}, 'database "no" does not exist'), ({"nonsense": "1"}, "nonsense")]
)
def test_what_waiting_cannot_mend_is_said_at_once(database, wrong, why):
    dsn = database.dsn + "".join(f" {name}={value}" for name, value in wrong.items())
    began = time.monotonic()
    books = audit(database, dsn=dsn, deadline_s=30.0).read(0, [])
    assert time.monotonic() - began < 5
    assert why in books.why


def test_a_silent_host_ends_at_the_deadline(database, silent):
    host, _, port = silent.partition(":")
    began = time.monotonic()
    dsn = f"host={host} port={port} user=auditor dbname=postgres connect_timeout=2"
    books = audit(database, dsn=dsn).read(0, [])
    assert not books.complete
    assert time.monotonic() - began < 6


def test_a_standby_is_waited_for_until_it_is_promoted(database):
    database.stop()
    (database.directory / "data" / "standby.signal").touch()
    database.start()
    refused = audit(database).read(0, [])
    assert not refused.complete
    assert refused.why.endswith("it is a standby")
    found = []
    reading = threading.Thread(target=lambda: found.append(audit(database, deadline_s=30.0).read(0, [])))
    reading.start()
    database.promote()
    reading.join()
    assert found[0].complete, found[0].why
    assert len(found[0].movements) == 2


ACROSS = Across(
    "in-transit", "SELECT coalesce(sum(amount), 0) FROM leg", 0, 5.0, "SELECT key, amount FROM leg"
)


@pytest.fixture
def legs(database):
    """Two cells with a table `leg` each, in schemas of their own."""
    for cell in ("even", "odd"):
        database.execute(f"CREATE SCHEMA {cell}")
        database.execute(f"CREATE TABLE {cell}.leg (key uuid, amount numeric)")
        database.execute(f"CREATE TABLE {cell}.movement (LIKE public.movement)")
    database.execute("INSERT INTO even.leg VALUES (%s, 700)", KEYS[0])
    yield {cell: f"{database.dsn} options='-csearch_path={cell}'" for cell in ("even", "odd")}
    for cell in ("even", "odd"):
        database.execute(f"DROP SCHEMA {cell} CASCADE")


def test_what_must_cancel_over_all_cells_is_waited_for(database, legs):
    late = threading.Timer(1.2, lambda: database.execute("INSERT INTO odd.leg VALUES (%s, -700)", KEYS[0]))
    late.start()
    began_s = time.monotonic()
    books = audit(database, dsn="", cells=legs, across=(ACROSS,)).read(0, [])
    late.join()
    assert 1.0 < time.monotonic() - began_s < 5.0
    found = books.invariants[-1]
    assert (books.complete, found.value, found.parts, found.odd) == (True, 0, {"even": 700, "odd": -700}, {})


def test_what_does_not_cancel_in_time_is_told_with_its_keys(database, legs):
    database.execute("INSERT INTO odd.leg VALUES (%s, -50), (%s, 100), (%s, 50)", KEYS[0], KEYS[1], KEYS[1])
    within = Across(**{**ACROSS.__dict__, "within_s": 0.2})
    books = audit(database, dsn="", cells=legs, across=(within,)).read(0, [])
    stored = books.to_json()["invariants"]
    assert [(one["id"], one.get("cell")) for one in stored[:2]] == [("one", "even"), ("one", "odd")]
    assert stored[2] == {
        "id": "in-transit",
        "value": 800,
        "expect": 0,
        "parts": {"even": 700, "odd": 100},
        "odd": {KEYS[0]: 650, KEYS[1]: 150},
    }
    read = parse_books(books.to_json()).invariants[2]
    assert (read.cell, read.parts, read.odd[KEYS[0]]) == ("", {"even": 700, "odd": 100}, 650)


def test_over_cells_that_cannot_all_be_read_nothing_is_claimed(database, legs):
    dark = {**legs, "odd": "host=127.0.0.1 port=1 user=auditor dbname=postgres"}
    found = audit(database, dsn="", cells=dark, across=(ACROSS,)).read(0, []).invariants[-1]
    assert (found.value, found.parts) == (None, {})
    assert found.why.startswith("odd: audit database:")
    wrong = Across(**{**ACROSS.__dict__, "query": "SELECT 1 FROM nothing"})
    found = audit(database, dsn="", cells=legs, across=(wrong,)).read(0, []).invariants[-1]
    assert found.value is None
    assert 'relation "nothing" does not exist' in found.why


def test_one_set_of_books_is_all_there_is(database, legs):
    found = audit(database, dsn=legs["even"], across=(Across("x", ACROSS.query, 700, 5.0, None),)).read(0, [])
    assert [(one.id, one.value) for one in found.invariants] == [("one", 0), ("x", 700)]
