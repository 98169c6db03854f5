"""Anti-fraud: its rules, and its short memory of what each payer asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank import fraud
from stormbank.fraud import Limits, Seen, Velocity, score
from stormbank.roles import ROLES
from stormbank.settings.reader import SettingsError

ENV = {"BANK_TOKEN_SECRET": "0123456789abcdef"}
LIMITS = Limits(large=1_000, largest=5_000, often=3, much=10_000, window_s=10)
ONCE = Seen(1, 100)


@pytest.mark.parametrize(
    ("amount", "seen", "verdict", "reasons"),
    [
        (1_000, ONCE, "pass", ()),
        (1_001, ONCE, "pass", ("large",)),
        (5_000, ONCE, "pass", ("large",)),
        (5_001, ONCE, "refuse", ("amount",)),
        (100, Seen(3, 10_000), "pass", ()),
        (100, Seen(4, 400), "pass", ("often",)),
        (100, Seen(1, 10_001), "pass", ("much",)),
        (100, Seen(4, 10_001), "refuse", ("often", "much")),
        (1_001, Seen(4, 400), "refuse", ("large", "often")),
        (1_001, Seen(2, 10_001), "refuse", ("large", "much")),
    ],
)
def test_what_is_refused_and_why(amount, seen, verdict, reasons):
    found = score(amount, seen, LIMITS)
    assert (found.verdict, found.reasons) == (verdict, reasons)


@given(
    amount=st.integers(1, 10_000),
    more=st.integers(0, 5_000),
    seen=st.builds(Seen, st.integers(1, 10), st.integers(1, 20_000)),
)
def test_more_money_is_never_less_suspicious(amount, more, seen):
    assert score(amount + more, seen, LIMITS).points >= score(amount, seen, LIMITS).points


# What one customer of the load asks for at most: probes make transfers at 100/s in each cell, by 64 customers of all.
@given(st.lists(st.integers(100, 50_000), min_size=1, max_size=250))
def test_ordinary_load_is_never_refused(amounts):
    limits = ROLES["risk"].read(ENV).limits
    velocity = Velocity(limits.window_s, clock=lambda: 0.0)
    for number, amount in enumerate(amounts):
        assert score(amount, velocity.count(1, amount, str(number)), limits).verdict == "pass"


steps = st.lists(
    st.tuples(st.floats(0, 4), st.integers(1, 3), st.integers(1, 100), st.sampled_from("abcdefgh")),
    max_size=60,
)


@given(steps)
def test_a_window_holds_what_was_asked_for_within_it(steps):
    """Against the slow way: look through all that was ever asked for."""
    now_s, counted = 0.0, []
    velocity = Velocity(10, clock=lambda: now_s)
    for after_s, customer, amount, key in steps:
        now_s += after_s
        counted = [each for each in counted if each[0] > now_s - 10]
        known = [seen for _, who, _, name, seen in counted if (who, name) == (customer, key)]
        if not known:
            mine = [each[2] for each in counted if each[1] == customer] + [amount]
            known = [Seen(len(mine), sum(mine))]
            counted.append((now_s, customer, amount, key, known[0]))
        assert velocity.count(customer, amount, key) == known[0]


def test_a_repetition_is_not_counted_and_looks_like_the_first_time():
    velocity = Velocity(10, clock=lambda: 0.0)
    first = velocity.count(1, 100, "k")
    assert [velocity.count(1, 100, other) for other in "abc"] == [Seen(2, 200), Seen(3, 300), Seen(4, 400)]
    assert velocity.count(1, 100, "k") == first
    # The same key of somebody else is another movement.
    assert velocity.count(2, 100, "k") == Seen(1, 100)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(fraud, "MOST_REMEMBERED", 10)
    velocity = Velocity(10, clock=lambda: 0.0)
    assert [velocity.count(1, 1, str(key)).count for key in range(30)] == [*range(1, 11), *[10] * 20]
    assert len(velocity._order) == len(velocity._by_key) == 10


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BANK_RISK_SLOTS", "0", "at least 1"),
        ("BANK_RISK_LARGEST", "1000000", "below BANK_RISK_LARGEST"),
        ("BANK_RISK_OFTEN", "many", "whole number"),
        ("BANK_RISK_WINDOW_S", "0", "more than 0"),
        ("BANK_SERVICE_MS", "score=1", "BANK_SERVICE_MS names"),
    ],
)
def test_a_wrong_setting_is_named_with_its_reason(name, value, says):
    with pytest.raises(SettingsError) as caught:
        ROLES["risk"].read({**ENV, name: value})
    assert name in str(caught.value)
    assert says in str(caught.value)
