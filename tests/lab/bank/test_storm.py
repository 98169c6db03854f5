"""Everybody is killed at random under many transfers and payments: in the end three books agree to the fen."""

from __future__ import annotations

import random

import pytest
from tests.lab.bank.storm import Killer, orders, strike
from tests.lab.bank.three_books import judge, reconcile
from tests.lab.bank.two_cells import DATABASES, OPEN, SECRET, TWO

# Of the requests at the party; of its orders a tenth is refused, and none is decided at once.
TROUBLE = {
    "BANK_CLEARING_SILENT_SHARE": "0.05",
    "BANK_CLEARING_ERROR_SHARE": "0.05",
    "BANK_CLEARING_REFUSE_SHARE": "0.1",
    "BANK_CLEARING_DECIDE_S": "0.2",
}
OFTEN_S, NOW_AND_THEN_S = (0.05, 0.5), (0.5, 2.0)


@pytest.mark.parametrize(
    "transfers", [1_600, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_after_a_storm_three_books_agree(cells, bank, eventually, books_agree, transfers):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    file = bank.root / "clearing.sqlite"
    party = bank.clearing(BANK_CLEARING_BOOKS=str(file), **TROUBLE)
    clearing = {"BANK_CLEARING_URL": f"http://127.0.0.1:{party.port}"}
    two = cells(2, **clearing, BANK_CLEARING_TIMEOUT_S="0.5", BANK_LIMIT="200", BANK_RATE="other=5000")
    gateways = [two.gateway, bank.gateway(**two.env)]
    dsns = " ".join(f"cell{cell}={bank.dsn(database=name)}" for cell, name in enumerate(DATABASES))
    of_batch = {**TWO, **clearing, "BANK_DB_DSNS": dsns, "BANK_RECONCILE_EVERY_S": "2"}
    batch = bank.service("batch", **of_batch)

    groups = [
        (two.ledgers[0], OFTEN_S, bank.postgres),
        (two.ledgers[1], OFTEN_S, None),
        (gateways, NOW_AND_THEN_S, None),
        ([party, batch], NOW_AND_THEN_S, None),
    ]
    killers = [
        Killer(victims, random.Random(f"{seed}/{place}"), every_s, postgres)
        for place, (victims, every_s, postgres) in enumerate(groups)
    ]
    payments = transfers // 4
    wanted = orders(transfers, payments, random.Random(seed))
    kills = strike(gateways, wanted, killers, within_s=len(wanted) / 8)
    party.trouble(silent_share=0, error_share=0)
    eventually(lambda: two.number(OPEN) == 0, 60, "all transfers and payments have ended")

    for database in DATABASES:
        books_agree(bank.postgres, database)
    ended, paid = judge(two, file, wanted)
    print(
        f"{transfers} transfers, {payments} payments: {dict(ended)}, {sum(paid)} fen; killed: {dict(kills)}"
    )
    assert min(ended["confirmed"], ended["refused"]) > 0
    assert {"ledger", "postgres", "gateway"} < set(kills)
    assert kills.keys() & {"clearing", "batch"}
    for cell, name in enumerate(DATABASES):
        date = bank.postgres.query("SELECT date::text FROM business_day", name)[0][0]
        code, report = reconcile({"BANK_TOKEN_SECRET": SECRET, **of_batch}, f"cell{cell}", date)
        assert (code, report["agreed"]["amount"]) == (0, paid[cell]), report
        assert report["agreed"]["count"] == sum(
            hasattr(each, "payee") and each.payer % 2 == cell for each in wanted
        )
