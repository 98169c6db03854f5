"""Interest of a day: whole fen, nothing lost and nothing given away."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank.interest import UNIT, accrue

BALANCES = st.integers(0, 10**15)
RATES = st.integers(0, 10_000)
REMAINDERS = st.integers(0, UNIT - 1)


@given(balance=BALANCES, rate_bp=RATES, remainder=REMAINDERS)
def test_interest_and_what_remains_are_exactly_what_was_due(balance, rate_bp, remainder):
    interest, left = accrue(balance, rate_bp, remainder)
    assert interest * UNIT + left == balance * rate_bp + remainder
    assert interest >= 0
    assert 0 <= left < UNIT


@given(days=st.lists(BALANCES, max_size=40), rate_bp=RATES)
def test_over_many_days_a_customer_is_less_than_a_fen_short(days, rate_bp):
    paid = remainder = 0
    for balance in days:
        interest, remainder = accrue(balance, rate_bp, remainder)
        paid += interest
    exact = sum(Fraction(balance * rate_bp, 10_000 * 365) for balance in days)
    assert 0 <= exact - paid < 1


@given(balance=BALANCES, more=BALANCES, rate_bp=RATES, remainder=REMAINDERS)
def test_more_money_never_earns_less(balance, more, rate_bp, remainder):
    assert accrue(balance + more, rate_bp, remainder)[0] >= accrue(balance, rate_bp, remainder)[0]


@given(balance=BALANCES, share=st.integers(0, 10**15), rate_bp=RATES)
def test_money_split_over_two_accounts_does_not_earn_more(balance, share, rate_bp):
    share = min(share, balance)
    parts = accrue(share, rate_bp, 0)[0] + accrue(balance - share, rate_bp, 0)[0]
    assert parts <= accrue(balance, rate_bp, 0)[0]


def test_a_year_at_one_percent():
    paid = remainder = 0
    for _ in range(365):
        interest, remainder = accrue(1_000_001, 100, remainder)
        paid += interest
    assert (paid, remainder) == (10_000, 36_500)  # 10,000.01 fen


@pytest.mark.parametrize(
    ("balance", "rate_bp", "remainder"), [(-1, 1, 0), (1, -1, 0), (1, 1, -1), (1, 1, UNIT)]
)
def test_what_is_no_balance_rate_or_remainder_is_refused(balance, rate_bp, remainder):
    with pytest.raises(ValueError, match="no interest"):
        accrue(balance, rate_bp, remainder)
