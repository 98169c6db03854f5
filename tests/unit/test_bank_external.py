"""External parties: how they behave when told to, and the clearing party's books."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormbank.external.conduct import Behaviour, Conduct, conduct
from stormbank.external.orders import CONFIRMED, KNOWN, REFUSED, Order, Orders
from stormbank.problem import BadRequest, Conflict
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
    assert held.place(ORDER, REFUSED, decided=True) == (first, True)
    with pytest.raises(Conflict):
        held.place(other(amount=6), CONFIRMED, decided=True)
    held.close()
    assert books(tmp_path).named(ORDER.key) == [first]


def test_without_idempotency_it_is_paid_twice(tmp_path):
    held = books(tmp_path, idempotency=False)
    for _ in range(2):
        held.place(ORDER, CONFIRMED, decided=True)
    assert [each.state for each in held.named(ORDER.key)] == [CONFIRMED, CONFIRMED]


def test_an_order_is_known_until_its_time_has_come(tmp_path):
    now = [100.0]
    held = books(tmp_path, clock=lambda: now[0])
    held.place(ORDER, REFUSED, decided=False)
    now[0] = 101.0
    assert held.decide(2.0) == 0
    assert [each.state for each in held.named(ORDER.key)] == [KNOWN]
    held.close()
    now[0] = 103.0
    # Also after a crash in between.
    again = books(tmp_path, clock=lambda: now[0])
    assert again.decide(2.0) == 1
    assert [each.state for each in again.named(ORDER.key)] == [REFUSED]


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


def test_a_conduct_is_read_whole_or_not_at_all():
    assert conduct("") == Conduct()
    assert conduct("slow_s=0.5,refuse=1") == Conduct(slow_s=0.5, refuse=1.0)
    behaviour = Behaviour(Conduct(fail=0.5), 0)
    for values in ({"slow": 1}, {"fail": 2}, {"slow_s": -1}, {"dead": True}, {"fail": "1"}):
        with pytest.raises(BadRequest):
            behaviour.change({"slow_s": 3, **values})
    assert behaviour.now == Conduct(fail=0.5)
    behaviour.change({"fail": 0, "dead": 1})
    assert behaviour.now == Conduct(dead=1.0)


def test_what_is_wrong_with_a_conduct_is_said_together():
    with pytest.raises(SettingsError, match=r"(?s)nothing is unknown; fail is a share.*CLEARING_SEED"):
        ROLES["clearing"].read({"CLEARING_CONDUCT": "nothing=1,fail=2", "CLEARING_SEED": "x"})


@given(share=st.floats(0, 1), key=st.uuids())
def test_who_is_refused_is_refused_each_time_and_with_every_larger_share(share, key):
    refused = Behaviour(Conduct(refuse=share), 0).refuses(str(key))
    assert Behaviour(Conduct(refuse=share), 1).refuses(str(key)) == refused
    assert Behaviour(Conduct(refuse=1.0), 0).refuses(str(key))
    assert not Behaviour(Conduct(), 0).refuses(str(key))
    if refused:
        assert Behaviour(Conduct(refuse=min(1.0, share + 0.1)), 0).refuses(str(key))
