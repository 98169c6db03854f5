"""The clearing party: its books, and how it is told to behave."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormbank.external.orders import CONFIRMED, KNOWN, REFUSED, Order, Orders
from stormbank.external.shell import Shell
from stormbank.external.trouble import Trouble
from stormbank.problem import Conflict
from stormbank.roles import ROLES
from stormbank.settings.reader import SettingsError

ORDER = Order("11111111-1111-1111-1111-111111111111", "cell0", "2026-01-01", 1, "water", 5)


def books(tmp_path, *, idempotency=True, clock=lambda: 100.0):
    return Orders(tmp_path / "books.sqlite", idempotency=idempotency, clock=clock)


def other(**values):
    return Order(**{**ORDER.__dict__, **values})


def test_an_order_that_comes_again_is_the_same_order(tmp_path):
    held = books(tmp_path)
    first, repeated = held.place(ORDER, CONFIRMED, decided=True)
    assert (first.state, repeated) == (CONFIRMED, False)
    # A verdict is given once, whatever the party thinks of it later.
    again, repeated = held.place(ORDER, REFUSED, decided=True)
    assert (again.number, again.state, again.came, repeated) == (first.number, CONFIRMED, 2, True)
    with pytest.raises(Conflict):
        held.place(other(amount=6), CONFIRMED, decided=True)
    # Another cell knows nothing of this one's keys.
    assert held.place(other(origin="cell1", amount=6), CONFIRMED, decided=True)[1] is False
    held.close()
    assert books(tmp_path).named(ORDER.origin, ORDER.key) == [again]


def test_without_idempotency_it_is_paid_twice(tmp_path):
    held = books(tmp_path, idempotency=False)
    for _ in range(2):
        held.place(ORDER, CONFIRMED, decided=True)
    assert [each.state for each in held.named(ORDER.origin, ORDER.key)] == [CONFIRMED, CONFIRMED]


def test_an_order_is_known_until_its_time_has_come(tmp_path):
    now = [100.0]
    held = books(tmp_path, clock=lambda: now[0])
    held.place(ORDER, REFUSED, decided=False)
    now[0] = 101.0
    assert held.decide(2.0) == 0
    assert [each.state for each in held.named(ORDER.origin, ORDER.key)] == [KNOWN]
    held.close()
    now[0] = 103.0
    # Also after a crash in between.
    again = books(tmp_path, clock=lambda: now[0])
    assert again.decide(2.0) == 1
    assert [each.state for each in again.named(ORDER.origin, ORDER.key)] == [REFUSED]


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 12), page=st.integers(1, 5))
def test_pages_of_a_day_are_the_day(tmp_path_factory, count, page):
    held = books(tmp_path_factory.mktemp("books"))
    days = ("2026-01-01", "2026-01-02")
    placed = [
        held.place(other(key=f"{number}", day=days[number % 2]), CONFIRMED, decided=True)[0]
        for number in range(count)
    ]
    found, after = [], 0
    while some := held.of_day(days[0], "cell0", after, page):
        found += some
        after = some[-1].number
    assert found == [each for each in placed if each.order.day == days[0]]
    assert held.of_day(days[0], "cell1", 0, 10) == []
    held.close()


def test_what_is_wrong_with_the_settings_is_said_together():
    wrong = {"BANK_CLEARING_SILENT_SHARE": "2", "BANK_CLEARING_DECIDE_S": "x"}
    with pytest.raises(SettingsError, match=r"(?s)SILENT_SHARE.*at most 1.*DECIDE_S"):
        ROLES["clearing"].read(wrong)
    found = ROLES["clearing"].read({"BANK_CLEARING_DEAD_SHARE": "1", "BANK_CLEARING_DELAY_MS": "5"})
    assert found.external.trouble == Trouble(delay_ms=5.0, dead_share=1.0)
    with pytest.raises(ValueError, match="silent_share is not within"):
        found.external.trouble.changed(b'{"silent_share": 1.5}')


def refuses(share, key):
    return Shell("clearing", {}, Trouble(refuse_share=share)).refuses(str(key))


@given(share=st.floats(0, 1), key=st.uuids())
def test_who_is_refused_is_refused_each_time_and_with_every_larger_share(share, key):
    refused = refuses(share, key)
    assert refuses(share, key) == refused
    assert refuses(1.0, key)
    assert not refuses(0.0, key)
    if refused:
        assert refuses(min(1.0, share + 0.1), key)
