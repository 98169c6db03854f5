"""What the services of slots find out by themselves: intents, advice, offers; and their settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank.funds import FUNDS, advice, profile_of
from stormbank.intents import intent_of
from stormbank.offers import SHOWN, OfferCache, offers_for, segment_of
from stormbank.roles import ROLES
from stormbank.settings.reader import SettingsError

ENV = {"BANK_TOKEN_SECRET": "0123456789abcdef"}
DESKS = ("risk", "wealth", "voice", "campus", "marketing")


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("How much money do I have left?", "balance"),
        ("BALANCE", "balance"),
        ("\u6211\u7684\u4f59\u989d", "balance"),
        ("show me my bills", "bills"),
        ("\u67e5\u4e00\u4e0b\u8d26\u5355", "bills"),
        ("Send 50 to Li", "transfer"),
        ("transfer all my balance", "transfer"),
        ("\u8f6c\u8d26\u7ed9\u674e", "transfer"),
        ("sender", "help"),
        ("", "help"),
        ("what can you do?", "help"),
    ],
)
def test_what_a_sentence_means(text, intent):
    assert intent_of(text).name == intent


@given(st.text(max_size=200))
def test_every_sentence_means_something_and_always_the_same(text):
    assert intent_of(text) is intent_of(text)
    assert intent_of(text).answer


@given(st.integers(0, 10**6))
def test_advice_is_on_all_of_the_money(customer):
    profile = profile_of(customer)
    shares = advice(profile)
    assert sum(shares.values()) == 100
    assert set(shares) == set(FUNDS)
    assert min(shares.values()) >= 0
    assert FUNDS[max(shares, key=shares.__getitem__)].risk == profile


def test_offers_are_kept_for_a_while():
    now_s = 0.0
    cache = OfferCache(10, clock=lambda: now_s)
    assert cache.get(1) is None
    cache.put(1, offers_for(1))
    now_s = 9.9
    assert cache.get(1) == offers_for(1)
    assert cache.get(2) is None
    now_s = 10.0
    assert cache.get(1) is None


def test_a_cache_of_no_time_keeps_nothing():
    cache = OfferCache(0, clock=lambda: 5.0)
    cache.put(1, offers_for(1))
    assert cache.get(1) is None


@given(st.integers(-10, 10**6))
def test_a_segment_is_offered_different_things(customer):
    offers = offers_for(segment_of(customer))
    assert len({each["id"] for each in offers}) == SHOWN


@pytest.mark.parametrize("role", DESKS)
def test_every_service_has_workers_and_service_times(role):
    slots = f"BANK_{role.upper()}_SLOTS"
    assert ROLES[role].read({**ENV, slots: "5"}).capacity.slots == 5
    with pytest.raises(SettingsError, match=slots):
        ROLES[role].read({**ENV, slots: "0"})
    with pytest.raises(SettingsError, match="BANK_SERVICE_MS names"):
        ROLES[role].read({**ENV, "BANK_SERVICE_MS": "login=1"})


@pytest.mark.parametrize("role", ["wealth", "campus"])
def test_who_has_something_kept_needs_the_ledgers_of_every_cell(role):
    with pytest.raises(SettingsError, match="BANK_LEDGERS"):
        ROLES[role].read({**ENV, "BANK_CELLS": "north,south"})
    assert ROLES[role].read(ENV).ledgers == {"cell0": ("http://ledger:8090",)}


def test_a_bank_may_lack_a_service():
    assert ROLES["gateway"].read({**ENV, "BANK_SERVICES": ""}).services == {}
