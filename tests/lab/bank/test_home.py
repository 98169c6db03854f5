"""Customers are served by the ledgers of their cell's home zone, and by another zone's when nobody is there."""

from __future__ import annotations

import time


def moved(ledger):
    return ledger.metric("bank_movements_total", operation="payment")


def two_zones(bank):
    """A ledger in each of two zones, and a gateway that was told which is which."""
    here, there = bank.ledger(BANK_ZONE="city1-a"), bank.ledger(BANK_ZONE="city1-b")
    zones = ",".join(
        f"cell0@{zone}=http://127.0.0.1:{ledger.port}"
        for zone, ledger in (("city1-a", here), ("city1-b", there))
    )
    return here, there, bank.gateway(here, there, BANK_LEDGER_ZONES=zones, BANK_ZONE="city1-b")


def test_the_home_serves_until_it_is_gone_and_a_remap_moves_the_traffic(bank, eventually):
    home, other, gateway = two_zones(bank)
    token = gateway.login()
    assert gateway.call("GET", "/cells").json["cells"]["cell0"]["home"] == "city1-a"
    assert [gateway.pay(token).status for _ in range(10)] == [201] * 10
    assert (moved(home), moved(other)) == (10, 0)

    bank.postgres.query("SELECT bank_remap('city1-b')")
    changed_s = time.monotonic()
    eventually(lambda: gateway.pay(token).status == 201 and moved(other) > 0, 2, "the new home serves")
    assert time.monotonic() - changed_s < 1.0
    before = moved(home)
    assert [gateway.pay(token).status for _ in range(10)] == [201] * 10
    assert moved(home) == before
    assert home.call("GET", "/readyz").status == 200, "and yet"

    other.stop()
    replies = [gateway.pay(token) for _ in range(10)]
    assert [each.status for each in replies] == [201] * 10
    assert moved(home) == before + 10
    other.start()
    eventually(lambda: gateway.pay(token).status == 201 and moved(other) > 0, 5, "it is back, and serves")


def test_without_zones_every_ledger_serves(bank):
    ledgers = [bank.ledger(BANK_ZONE="city1-a"), bank.ledger(BANK_ZONE="city1-b")]
    gateway = bank.gateway(*ledgers)
    token = gateway.login()
    assert [gateway.pay(token).status for _ in range(10)] == [201] * 10
    assert all(moved(each) > 0 for each in ledgers)


def test_a_home_that_has_not_found_its_books_yet_sends_nobody_away(bank, free_port, eventually):
    """As after a cut: its ledgers are there again, and the books have moved meanwhile."""
    there = bank.ledger(BANK_ZONE="city1-b")
    bank.postgres.query("SELECT bank_remap('city1-a')")
    here = bank.ledger(f"postgresql://bank@127.0.0.1:{free_port()}/bank", BANK_ZONE="city1-a")
    zones = ",".join(
        f"cell0@{zone}=http://127.0.0.1:{ledger.port}"
        for zone, ledger in (("city1-a", here), ("city1-b", there))
    )
    gateway = bank.gateway(here, there, BANK_LEDGER_ZONES=zones, BANK_ZONE="city1-b")
    token = gateway.login()
    known = lambda: gateway.call("GET", "/cells").json["cells"]["cell0"]  # noqa: E731
    assert eventually(known, 5, "the map is known")["home"] == "city1-a"
    assert [gateway.pay(token).status for _ in range(10)] == [201] * 10
    assert moved(there) == 10
    there.stop()
    # Where nobody has books, the answer is that of one who was there.
    assert gateway.pay(token).json["reason"] == "database"
