"""Transfers between two cells: real ledgers, a database each, and what may strike between any two steps."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from tests.lab.bank.two_cells import DATABASES, IN_TRANSIT, OPEN


def test_a_transfer_to_another_cell_arrives_once_however_often_it_is_sent(cells, eventually, books_agree):
    two = cells()
    token, key = two.gateway.login(1), str(uuid.uuid4())
    first = two.send(token, 2, 700, key)
    assert (first.status, first.json["state"], first.json["balance"]) == (201, "in_transit", 99_999_300)
    eventually(lambda: two.state(token, key) == "booked", 5, "it has arrived")
    again = two.send(token, 2, 700, key)
    assert again.json == {**first.json, "repeated": True, "state": "booked"}
    assert (two.balance(1), two.balance(2)) == (99_999_300, 100_000_700)
    assert two.number(IN_TRANSIT) == 0
    assert two.query(
        "SELECT operation, from_account, beyond, ordered, key::text FROM movement WHERE beyond > 0 OR NOT ordered"
    ) == [
        [("credit", -1001 - 16 - uuid.UUID(key).int % 16, None, False, key)],
        [("transfer", 1, 2, True, key)],
    ]
    assert two.send(token, 4, 700, key).json["reason"] == "key_reused"
    assert two.send(token, 3, 700, key).json["reason"] == "key_reused"
    # The payee may use the same key for an order of its own.
    assert two.send(two.gateway.login(2), 1, 9, key).status == 201
    eventually(lambda: two.number(OPEN) == 0, 5, "that has arrived too")
    assert (two.balance(1), two.balance(2)) == (99_999_309, 100_000_691)
    for database in DATABASES:
        books_agree(two.bank.postgres, database)


def test_what_one_cell_asks_of_another_is_counted_by_the_other_cell(cells, eventually):
    two = cells()
    key = two.send(two.gateway.login(1), 2).json["key"]
    eventually(lambda: two.state(two.gateway.login(1), key) == "booked", 5, "it has arrived")
    labels = {"dependency": "ledger-cell0", "cell": "cell0", "outcome": "ok"}
    assert two.ledgers[1][0].metric("bank_dependency_calls_total", **labels) == 1


def test_what_nobody_can_receive_comes_back(cells, eventually, books_agree):
    two = cells()
    token, key = two.gateway.login(1), str(uuid.uuid4())
    assert two.send(token, 999_998, 700, key).json["state"] == "in_transit"
    eventually(lambda: two.state(token, key) == "compensated", 5, "it has come back")
    assert (two.balance(1), two.number(IN_TRANSIT)) == (100_000_000, 0)
    assert two.send(token, 999_998, 700, key).json["state"] == "compensated"
    operations = "SELECT operation FROM movement ORDER BY id"
    assert two.query(operations) == [[], [("transfer",), ("transfer_back",)]]
    # The refusal stands, even if there is such a customer later: the payer has the money.
    two.bank.postgres.query("INSERT INTO account VALUES (999998, 'customer', 0, 0)")
    body = {"key": key, "cell": "cell1", "epoch": "1.0", "from": 1, "to": 999_998, "amount": 700}
    reply = two.credit(body)
    assert (reply.status, reply.json) == (
        200,
        {"outcome": "refused", "reason": "unknown_account", "repeated": True},
    )
    assert two.credit({**body, "amount": 701}).json["reason"] == "key_reused"
    assert two.balance(999_998) == 0
    books_agree(two.bank.postgres)


def test_a_key_is_confirmed_for_its_payer_only_and_a_bad_question_is_refused(cells):
    two = cells()
    one, other, key = two.gateway.login(1), two.gateway.login(3), str(uuid.uuid4())
    assert two.state(one, key) == "unknown"
    assert two.send(one, 3, 5, key).json["state"] == "booked"
    confirmed = two.gateway.call("GET", f"/v1/movements?key={key}", token=one).json
    assert {**confirmed, "movement": 0} == {"key": key, "state": "booked", "movement": 0, "amount": 5}
    assert two.state(other, key) == "unknown"
    for query in ("", "?key=", "?key=x", f"?key={key}&key2=x", f"?KEY={key}"):
        reply = two.gateway.call("GET", f"/v1/movements{query}", token=one)
        assert (reply.status, reply.json["error"]) == (400, "bad_request"), query
    assert two.gateway.call("GET", f"/v1/movements?key={key}").status == 401


def test_nobody_but_the_bank_can_ask_for_a_credit(cells):
    two = cells()
    token, ledger = two.gateway.login(2), two.ledgers[0][0]
    body = {"key": str(uuid.uuid4()), "cell": "cell1", "epoch": "1.0", "from": 1, "to": 2, "amount": 5}
    assert two.gateway.call("POST", "/internal/credits", body, token=token, key=body["key"]).status == 404
    assert ledger.call("POST", "/internal/credits", body, token=token, key=body["key"]).status == 401
    assert ledger.call("POST", "/internal/credits", body, key=body["key"]).status == 401
    assert two.number("SELECT count(*) FROM movement") == 0


def test_a_far_cell_that_is_away_for_long_gets_it_when_it_is_back(cells, eventually):
    two = cells()
    token, key = two.gateway.login(1), str(uuid.uuid4())
    two.ledgers[0][0].stop()
    assert two.send(token, 2, 700, key).json["state"] == "in_transit"
    payer = two.ledgers[1][0]
    eventually(lambda: payer.metric("bank_outbox_depth", kind="transfer.cell0") == 1, 5, "it waits")
    eventually(
        lambda: payer.metric("bank_outbox_oldest_seconds", kind="transfer.cell0") > 2, 5, "and gets older"
    )
    assert two.state(token, key) == "in_transit"
    assert (two.number(IN_TRANSIT), two.balance(1)) == (700, 99_999_300)
    # Meanwhile everything else goes its way.
    assert two.send(token, 3).json["state"] == "booked"
    two.ledgers[0][0] = two.ledger(0, two.ports[0][0])
    eventually(lambda: two.state(token, key) == "booked", 10, "it has arrived")
    assert two.number(IN_TRANSIT) == 0


def test_a_ledger_killed_between_two_steps_leaves_the_rest_to_another(cells, eventually):
    """Frozen ledgers stand for every moment: the credit is asked for by one, and settled by another."""
    two = cells(2)
    token = two.gateway.login(1)
    with two.bank.postgres.connection("bank") as holder:
        holder.execute("BEGIN; LOCK TABLE received")
        keys = [str(uuid.uuid4()) for _ in range(6)]
        assert {two.send(token, 2, 10, key).status for key in keys} == {201}
        taken = "SELECT count(*) FROM outbox WHERE attempts > 0"
        eventually(lambda: two.query(taken)[1] == [(6,)], 5, "all are taken")
        for each in two.ledgers[1]:
            each.stop()
        holder.execute("ROLLBACK")
    eventually(lambda: two.query("SELECT count(*) FROM received")[0][0][0] > 0, 5, "some are booked")
    assert two.query(OPEN)[1] == [(6,)]
    two.ledgers[1] = [two.ledger(1, port) for port in two.ports[1]]
    eventually(lambda: two.number(OPEN) == 0, 15, "all are settled")
    assert (two.balance(1), two.balance(2), two.number(IN_TRANSIT)) == (99_999_940, 100_000_060, 0)


def test_a_sender_whose_database_fell_behind_is_not_believed(cells, eventually):
    two = cells()
    token, key = two.gateway.login(1), str(uuid.uuid4())
    # The row may be there: each cell asks the others how often they were promoted.
    two.bank.postgres.query(
        "INSERT INTO peer (cell, promotion, version) VALUES ('cell1', 2, 0) "
        "ON CONFLICT (cell) DO UPDATE SET promotion = excluded.promotion, version = excluded.version"
    )
    assert two.send(token, 2, 700, key).json["state"] == "in_transit"
    tried = "SELECT attempts > 1 FROM outbox"
    eventually(lambda: two.query(tried)[1] == [(True,)], 10, "it was asked more than once")
    assert two.balance(2) == 100_000_000
    # Not as a write under an old epoch of its own is refused: that is mended by asking for the map again.
    receive = "SELECT bank_receive(1, 0, 'cell1', 1, 0, gen_random_uuid(), gen_random_uuid(), 1, 2, 700, -1)"
    with pytest.raises(psycopg.Error) as refused:
        two.bank.postgres.query(receive)
    assert refused.value.sqlstate == "BK411"
    two.bank.postgres.query("UPDATE cell_epoch SET promotion = 3", database="bank_1")
    eventually(lambda: two.state(token, key) == "booked", 10, "its cell was promoted")


def lose(postgres, keys):
    """Make the books of cell0 those of a remote database that was promoted without the commits of `keys`."""
    with postgres.connection() as books:
        books.execute("DELETE FROM received WHERE key = ANY (%s) OR outcome = 'refused'", [keys])
        books.execute("DELETE FROM movement WHERE key = ANY (%s)", [keys])
        books.execute("DELETE FROM entry WHERE movement NOT IN (SELECT id FROM movement)")
        books.execute(
            "UPDATE account a SET balance = opening + "
            "coalesce((SELECT sum(amount) FROM entry e WHERE e.account = a.id), 0)"
        )
        books.execute("UPDATE cell_epoch SET promotion = 2")


def test_what_a_promoted_cell_has_lost_is_booked_there_again(cells, eventually, books_agree):
    two = cells()
    token, keys = two.gateway.login(1), [str(uuid.uuid4()) for _ in range(4)]
    for key in keys:
        assert two.send(token, 2, 100, key).status == 201
    assert two.send(token, 999_998, 100).status == 201
    eventually(lambda: two.number(OPEN) == 0, 10, "all are settled")
    lose(two.bank.postgres, keys[2:])
    eventually(lambda: two.balance(2) == 100_000_400, 10, "they are there again")
    eventually(lambda: two.number(OPEN) == 0, 10, "all are settled again")
    assert (two.balance(1), two.number(IN_TRANSIT)) == (99_999_600, 0)
    checked = "SELECT checked FROM peer WHERE checked > 0"
    eventually(lambda: two.query(checked) == [[(1,)], [(2,)]], 5, "the other looks after its own, too")
    books_agree(two.bank.postgres)


def test_without_the_look_after_a_promotion_money_stays_in_transit(cells, eventually):
    """The protection off: one setting, and the harm is there."""
    two = cells(BANK_TRANSIT_RECHECK_S="0")
    token, keys = two.gateway.login(1), [str(uuid.uuid4()) for _ in range(2)]
    for key in keys:
        assert two.send(token, 2, 100, key).status == 201
    eventually(lambda: two.number(OPEN) == 0, 10, "all are settled")
    lose(two.bank.postgres, keys[1:])
    checked = "SELECT checked FROM peer WHERE checked = 2"
    eventually(lambda: two.query(checked)[1] == [(2,)], 10, "the promotion was noticed")
    assert (two.number(OPEN), two.balance(2), two.number(IN_TRANSIT)) == (0, 100_000_100, 100)


def test_an_order_that_its_own_cell_lost_is_whole_again_when_the_phone_repeats_it(
    cells, eventually, books_agree
):
    two = cells()
    token, key = two.gateway.login(2), str(uuid.uuid4())
    assert two.send(token, 1, 100, key).status == 201
    eventually(lambda: two.number(OPEN) == 0, 10, "it is settled")
    lose(two.bank.postgres, [key])
    two.bank.postgres.query("DELETE FROM outbox")
    # Booked there and not here: nobody mends that, and it shows.
    assert (two.balance(2), two.balance(1), two.number(IN_TRANSIT)) == (100_000_000, 100_000_100, -100)
    eventually(lambda: two.send(token, 1, 100, key).status == 201, 5, "the phone has repeated it")
    eventually(lambda: two.state(token, key) == "booked", 10, "and it is settled")
    assert (two.balance(2), two.balance(1), two.number(IN_TRANSIT)) == (99_999_900, 100_000_100, 0)
    books_agree(two.bank.postgres)


def test_without_idempotency_a_transfer_arrives_twice_and_does_not_cancel(cells, eventually):
    """The protection off: one setting, and the harm is there."""
    two = cells(BANK_IDEMPOTENCY="off")
    token = two.gateway.login(1)
    assert two.send(token, 2, 700).json["state"] == "in_transit"
    eventually(lambda: two.number(OPEN) == 0, 5, "it has arrived")
    # As after a kill between the credit and the mark.
    two.bank.postgres.query("UPDATE outbox SET done_at = NULL, outcome = NULL", database="bank_1")
    eventually(lambda: two.number(OPEN) == 0, 5, "it has arrived again")
    assert (two.balance(2), two.number(IN_TRANSIT)) == (100_001_400, -700)


def test_without_the_outbox_what_was_refused_stays_in_transit(cells, eventually):
    """The protection off: one setting, and the harm is there."""
    two = cells(BANK_OUTBOX="off")
    token, key = two.gateway.login(1), str(uuid.uuid4())
    assert two.send(token, 2, 5).status == 201
    eventually(lambda: two.balance(2) == 100_000_005, 5, "as long as nothing strikes it arrives")
    assert two.send(token, 999_998, 700, key).json["state"] == "booked", "nobody knows better"
    refused = "SELECT count(*) FROM received WHERE outcome = 'refused'"
    eventually(lambda: two.query(refused)[0] == [(1,)], 5, "the other cell has refused it")
    assert (two.number(OPEN), two.number(IN_TRANSIT)) == (0, 700)
