"""Day-ends on a real PostgreSQL: every customer's interest exactly once, whoever is killed meanwhile."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from stormbank.interest import accrue

RATE_BP = 365  # of 100,000,000 fen: 10,000 a day
INTEREST = 10_000
CUSTOMERS = 200
QUICK = {"BANK_INTEREST_BP": str(RATE_BP), "BANK_BATCH_CHUNK": "10", "BANK_BATCH_LEASE_S": "0.6"}


def batch(bank, **env):
    return bank._start("batch", {"BANK_DB_DSN": bank.dsn(), **QUICK, "BANK_BATCH_REST_S": "0.02", **env})


def by_hand(bank, date, *options, **env):
    argv = [sys.executable, "-m", "stormbank", "day-end", "--date", date, *options]
    env = {"BANK_TOKEN_SECRET": "0" * 16, "BANK_DB_DSN": bank.dsn(), **QUICK, "BANK_BATCH_REST_S": "0", **env}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


def today(bank):
    return bank.postgres.query("SELECT date::text FROM business_day")[0][0]


def state(process):
    return process.call("GET", "/batch").json["cells"][0]


def of_first(bank, column):
    """A column of the first day that ended; 0 before it has."""
    query = f"SELECT {column} FROM day_end ORDER BY date LIMIT 1"  # noqa: S608 - a column of ours
    found = bank.postgres.query(query)
    return found[0][0] if found else 0


def nobody_twice(bank):
    assert (
        bank.postgres.query(
            "SELECT key FROM movement WHERE operation = 'interest' GROUP BY key HAVING count(*) > 1"
        )
        == []
    )


def paid(bank):
    """Every customer's number of interest movements, and interest."""
    return bank.postgres.query(
        """SELECT count(m.id), coalesce(sum(m.amount), 0)::bigint FROM account a
           LEFT JOIN movement m ON m.to_account = a.id AND m.operation = 'interest'
           WHERE a.kind = 'customer' GROUP BY a.id ORDER BY a.id"""
    )


def test_a_day_ends_by_hand_once_and_the_next_one_after_it(bank, books_agree):
    bank.ledger()
    date = today(bank)
    first = by_hand(bank, date)
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert (told["accounts"], told["interest"]) == (CUSTOMERS, CUSTOMERS * INTEREST)
    assert json.loads(by_hand(bank, date).stdout) == told
    assert paid(bank) == [(1, INTEREST)] * CUSTOMERS
    following = (dt.date.fromisoformat(date) + dt.timedelta(1)).isoformat()
    assert today(bank) == following
    beyond = by_hand(bank, (dt.date.fromisoformat(date) + dt.timedelta(2)).isoformat())
    assert (beyond.returncode, following in beyond.stderr) == (1, True)
    assert by_hand(bank, following).returncode == 0
    assert {count for count, _ in paid(bank)} == {2}
    assert by_hand(bank, following, "--cell", "cell7").returncode == 2
    books_agree(bank.postgres)
    assert bank.postgres.query("SELECT count(*) FROM movement WHERE ordered") == [(0,)]


def test_what_is_booked_after_the_cut_is_of_the_next_day(bank, books_agree):
    gateway = bank.gateway(bank.ledger())
    date = today(bank)
    assert by_hand(bank, date, "--timeout", "0.5", BANK_BATCH_REST_S="30").returncode == 3
    assert bank.postgres.query("SELECT position FROM day_end") == [(10,)]
    token = gateway.login(150)
    body = {"to": 160, "amount": 50_000_000}
    assert gateway.call("POST", "/v1/transfers", body, token=token, key=str(uuid.uuid4())).status == 201
    assert json.loads(by_hand(bank, date).stdout)["interest"] == CUSTOMERS * INTEREST
    assert paid(bank) == [(1, INTEREST)] * CUSTOMERS
    books_agree(bank.postgres)
    # Of the next day it is, and the first day's interest with it.
    assert by_hand(bank, today(bank)).returncode == 0
    of_150, _ = accrue(50_000_000 + INTEREST, RATE_BP, 0)
    assert paid(bank)[149] == (2, INTEREST + of_150)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_day_end_whose_workers_are_killed_pays_everybody_once(bank, eventually, books_agree, seed):
    print(f"seed {seed}")
    chance = random.Random(seed)
    gateway = bank.gateway(bank.ledger())
    workers = [batch(bank, BANK_DAY_END_EVERY_S="0.5"), batch(bank)]
    token = gateway.login(1)
    for wanted in sorted(chance.sample(range(5, CUSTOMERS - 20), 4)):
        eventually(lambda n=wanted: of_first(bank, "accounts") >= n, 10, f"{wanted} have theirs")
        assert gateway.pay(token).status == 201
        for worker in chance.sample(workers, chance.choice((1, 2))):
            worker.stop()
            worker.start()
    eventually(lambda: of_first(bank, "done_at IS NOT NULL"), 15, "all have theirs")
    for worker in workers:
        worker.stop()
    assert (of_first(bank, "accounts"), of_first(bank, "interest")) == (CUSTOMERS, CUSTOMERS * INTEREST)
    nobody_twice(bank)
    assert min(paid(bank))[0] >= 1
    books_agree(bank.postgres)


def test_day_ends_started_at_once_are_one(bank, books_agree):
    bank.ledger()
    date = today(bank)
    with ThreadPoolExecutor(3) as people:
        told = list(people.map(lambda _: by_hand(bank, date, BANK_BATCH_REST_S="0.01"), range(3)))
    assert [each.returncode for each in told] == [0, 0, 0], [each.stderr for each in told]
    assert len({each.stdout for each in told}) == 1
    assert paid(bank) == [(1, INTEREST)] * CUSTOMERS
    books_agree(bank.postgres)


def test_a_lost_primary_in_the_midst_is_one_more_interruption(bank, eventually, books_agree):
    bank.ledger()
    date = today(bank)
    worker = batch(bank, BANK_BATCH_REST_S="0.05", BANK_DAY_END_EVERY_S="0.5")
    eventually(lambda: of_first(bank, "accounts") >= 30, 10, "it is under way")
    bank.postgres.kill()
    bank.postgres.start()
    eventually(lambda: state(worker).get("business_date", date) > date, 15, "the day is over")
    eventually(lambda: of_first(bank, "done_at IS NOT NULL"), 15, "all have theirs")
    worker.stop()
    assert of_first(bank, "accounts") == CUSTOMERS
    nobody_twice(bank)
    books_agree(bank.postgres)


def test_without_keeping_account_of_it_whoever_was_paid_is_paid_again(bank, books_agree):
    bank.ledger()
    date = today(bank)
    for wait_s in ("0.5", "60"):
        rest_s = "30" if wait_s == "0.5" else "0"
        by_hand(bank, date, "--timeout", wait_s, BANK_BATCH_ONCE="off", BANK_BATCH_REST_S=rest_s)
    counts = [count for count, _ in paid(bank)]
    assert counts == [2] * 10 + [1] * (CUSTOMERS - 10)
    books_agree(bank.postgres)
