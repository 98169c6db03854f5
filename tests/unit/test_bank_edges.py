"""The bank's edges: settings, database addresses, deadlines, session tokens, clearing accounts."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank.cells import Cells
from stormbank.db.address import parse_dsn, without_user
from stormbank.db.books import clearing_account
from stormbank.deadline import LONGEST_MS, Deadline
from stormbank.flow.switches import MECHANISMS
from stormbank.problem import BadRequest, Expired, Problem, Unauthorized, Unavailable
from stormbank.roles import ROLES
from stormbank.session import CUSTOMER_HEADER, Sessions
from stormbank.settings.reader import SettingsError
from stormbank.transit import transit_account, transit_accounts
from stormbank.wrong import Wrong

ENV = {"BANK_TOKEN_SECRET": "0123456789abcdef"}


def test_defaults_are_those_of_the_contract():
    gateway, ledger = ROLES["gateway"].read(ENV), ROLES["ledger"].read(ENV)
    rules, guard = gateway.flow.rules, gateway.flow.guard
    assert rules.tier_order == ("A1", "A2", "B", "C")
    assert rules.tier_share == {"A1": 1.0, "A2": 0.9, "B": 0.35, "C": 0.25}
    assert (rules.limit, rules.limit_low, guard.bulkhead) == (24, 6, 24)
    assert (rules.rates_per_s, rules.other_rate_per_s) == ({}, 400)
    assert rules.off == frozenset()
    assert ledger.capacity.service_s == pytest.approx(
        {
            "login": 0.02,
            "otp": 0.01,
            "bind": 0.01,
            "face": 0.01,
            "stepup": 0.01,
            "credentials": 0.002,
            "bind_device": 0.004,
            "try_code": 0.004,
            "balance": 0.008,
            "transfer": 0.015,
            "payment": 0.015,
            "bills": 0.04,
            "checkin": 0.12,
            "confirm": 0.008,
            "credit": 0.015,
            "keep_checkin": 0.002,
            "products": 0.008,
            "advice": 0.06,
            "invest": 0.015,
            "voice": 0.03,
            "offers": 0.02,
            "score": 0.004,
        }
    )
    assert (ledger.idempotency, ledger.customers) == (True, 10000)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BANK_TOKEN_SECRET", "short", "16 characters"),
        ("BANK_LIMIT", "0", "at least 1"),
        ("BANK_LIMIT", "2.5", "whole number"),
        ("BANK_TIER_ORDER", "A,B", "BANK_TIER_SHARE names"),
        ("BANK_TIER_ORDER", "A,B,B", "different names"),
        ("BANK_TIER_SHARE", "A1=1.5,A2=1,B=1,C=1", "at most 1"),
        ("BANK_TIER_SHARE", "A=1,B=0,C=1", "more than 0"),
        ("BANK_TIER_SHARE", "A=1,A=1", "twice"),
        ("BANK_RATE", "A=1,B", "NAME=NUMBER"),
        ("BANK_RATE", "balance=nan", "more than 0"),
        ("BANK_RATE", "A=400,other=3", "BANK_RATE names A"),
        ("BANK_FLOW_OFF", "bucket,brakes", "no mechanism brakes; there are bucket"),
        ("BANK_ADAPTIVE", "low=1,high=5", "no high; there are low, queued"),
        ("BANK_QUEUE_MS", "0", "more than 0"),
        ("BANK_CUSTOMER_SHARE", "1.5", "at most 1"),
        ("BANK_BREAKER", "errors", "NAME=NUMBER"),
        ("BANK_RETRY", "most=1", "no most"),
        ("BANK_LEDGERS", "cell0=ledger:8090", "http://"),
        ("BANK_LEDGERS", "cell0=http://ledger:8090/x", "http://"),
        ("BANK_LEDGERS", "cell0=http://a:1|", "http://"),
        ("BANK_LEDGERS", "http://ledger:8090", "CELL=URL"),
        ("BANK_LEDGERS", "cell0=http://a:1,cell0=http://b:1", "twice"),
        ("BANK_LEDGERS", "cell1=http://ledger:8090", "BANK_CELLS names ['cell0']"),
        ("BANK_LEDGER_ZONES", "cell0=http://ledger:8090", "CELL@ZONE"),
        ("BANK_LEDGER_ZONES", "cell0@a=ledger:8090", "http://"),
        ("BANK_LEDGER_ZONES", "cell9@a=http://ledger:8090", "BANK_LEDGER_ZONES names ['cell9']"),
        ("BANK_LEDGER_URL", "http://ledger:8090", "BANK_LEDGERS names"),
        ("BANK_CELLS", "cell0,cell0", "different names"),
        ("BANK_CELLS", "Cell 0", "lower-case"),
        ("BANK_DRAIN_S", "-1", "at least 0"),
    ],
)
def test_a_wrong_setting_is_named_with_its_reason(name, value, says):
    with pytest.raises(SettingsError) as caught:
        ROLES["gateway"].read({**ENV, name: value})
    assert name in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BANK_SERVICE_MS", "login=1", "BANK_SERVICE_MS names"),
        ("BANK_CELL", "cell1", "one of BANK_CELLS, cell0"),
        ("BANK_IDEMPOTENCY", "yes", "on or off"),
        ("BANK_DB_DSN", "host=x", "postgresql://"),
        ("BANK_DB_DSN", "postgresql://a,,b/bank", "empty host"),
        ("BANK_DB_DSN", "postgresql://a", "no database"),
        ("BANK_DB_DSN", "postgresql://a/bank?target_session_attrs=any", "read-write"),
    ],
)
def test_a_wrong_setting_of_the_ledger_too(name, value, says):
    with pytest.raises(SettingsError) as caught:
        ROLES["ledger"].read({**ENV, name: value})
    assert name in str(caught.value)
    assert says in str(caught.value)


def test_what_is_not_said_of_a_mechanism_stays_as_it_is():
    env = {**ENV, "BANK_BREAKER": "slow_ms=300", "BANK_RATE": "bills=5", "BANK_LIMIT": "40"}
    flow = ROLES["gateway"].read(env).flow
    assert (flow.guard.breaker.slow_s, flow.guard.breaker.errors) == (0.3, 0.5)
    assert (flow.rules.rates_per_s, flow.rules.other_rate_per_s) == ({"bills": 5}, float("inf"))
    assert flow.guard.bulkhead == 40


def test_one_setting_switches_each_mechanism_off():
    read = lambda off: ROLES["gateway"].read({**ENV, "BANK_FLOW_OFF": off}).flow  # noqa: E731
    assert read("all").rules.off == frozenset(MECHANISMS)
    assert read("none").rules.off == frozenset()
    guards = read("bulkhead,breaker,retry-budget").guard
    assert (guards.bulkhead, guards.breaker, guards.retries) == (None, None, None)
    assert read("breaker").guard.retries is not None
    assert read("adaptive").rules.low == read("adaptive").rules.limit
    assert read("order").rules.tiers.share("C") == 1.0
    assert read("confirm-first").rules.new_money_share == 1.0


def test_with_several_cells_nothing_goes_without_saying():
    env = {**ENV, "BANK_CELLS": "north, south"}
    for role, name in (("gateway", "BANK_LEDGERS"), ("ledger", "BANK_CELL")):
        with pytest.raises(SettingsError, match=name):
            ROLES[role].read(env)
    gateway = ROLES["gateway"].read({**env, "BANK_LEDGERS": "south=http://s:1, north=http://n:1|http://m:1/"})
    assert gateway.ledgers == {"north": ("http://n:1", "http://m:1"), "south": ("http://s:1",)}
    assert [gateway.common.cells.of(customer) for customer in (1, 2, 0, -1)] == [
        "south",
        "north",
        "north",
        "south",
    ]
    assert ROLES["ledger"].read({**env, "BANK_CELL": "south"}).cell == "south"


def test_one_cell_needs_no_settings_of_cells():
    assert ROLES["gateway"].read(ENV).ledgers == {"cell0": ("http://ledger:8090",)}
    assert ROLES["ledger"].read(ENV).cell == "cell0"
    assert ROLES["gateway"].read({**ENV, "BANK_CELLS": "all"}).ledgers == {"all": ("http://ledger:8090",)}


def test_tiers_a_order_forgets_are_named():
    env = {**ENV, "BANK_TIER_ORDER": "A,B", "BANK_TIER_SHARE": "A=1,B=1"}
    with pytest.raises(SettingsError, match="does not cover tier C"):
        ROLES["gateway"].read(env)


def test_one_address_for_each_member():
    dsn = "postgresql://bank:p%40ss@pg-a:5432,pg-b/bank?target_session_attrs=read-write&sslmode=disable"
    assert parse_dsn(dsn) == (
        "postgresql://bank:p%40ss@pg-a:5432/bank?sslmode=disable",
        "postgresql://bank:p%40ss@pg-b/bank?sslmode=disable",
    )
    assert parse_dsn("postgres://[::1]:1/x") == ("postgres://[::1]:1/x",)
    assert without_user(parse_dsn(dsn)[0]) == "pg-a:5432/bank"


def test_a_deadline_shrinks_from_hop_to_hop():
    deadline = Deadline.from_header("500")
    assert 480 <= deadline.next_hop_ms() <= 490
    assert 0.49 < deadline.remaining_s() <= 0.5
    assert Deadline.from_header(None).remaining_s() > 2
    assert Deadline.from_header("9" * 12).remaining_s() <= LONGEST_MS / 1000
    assert Deadline.from_header("-4").next_hop_ms() < 0
    for text in ("soon", "1.5", "", "-", "--4", "+4", "1_0", " 5", "\u0665"):
        with pytest.raises(BadRequest):
            Deadline.from_header(text)


def test_tokens_say_who_and_nobody_else_can_say_it():
    sessions = Sessions("0123456789abcdef", 60)
    token = sessions.issue(42)
    assert sessions.customer_of(f"Bearer {token}") == 42
    for forged in (token[:-1], token + "0", token.replace(".42.", ".43."), "", ".", "s1.42.9999999999."):
        with pytest.raises(Unauthorized):
            sessions.customer_of(f"Bearer {forged}")
    for wrong in (None, token, f"Basic {token}"):
        with pytest.raises(Unauthorized):
            sessions.customer_of(wrong)
    with pytest.raises(Unauthorized):
        Sessions("fedcba9876543210", 60).customer_of(f"Bearer {token}")


@given(st.text(max_size=60))
def test_any_header_is_refused_politely(text):
    with pytest.raises(Unauthorized):
        Sessions("0123456789abcdef", 60).customer_of("Bearer " + text)


def test_a_services_word_is_no_session_and_a_session_no_services_word():
    sessions = Sessions("0123456789abcdef", 60)
    word, token = sessions.issue_for_service(42), sessions.issue(42)
    assert sessions.customer_behind({CUSTOMER_HEADER: word}) == 42
    assert sessions.customer_behind({"Authorization": f"Bearer {token}"}) == 42
    for headers in ({CUSTOMER_HEADER: token}, {"Authorization": f"Bearer {word}"}, {CUSTOMER_HEADER: ""}, {}):
        with pytest.raises(Unauthorized):
            sessions.customer_behind(headers)


@given(st.uuids(), st.integers(2, 9), st.data())
def test_a_transfer_passes_through_one_account_of_each_of_its_cells(row, count, data):
    cells = Cells(tuple(f"c{number}" for number in range(count)))
    here, there = data.draw(st.permutations(cells.names))[:2]
    assert transit_account(cells, there, row) in set(transit_accounts(cells, here))
    every = list(transit_accounts(cells, here))
    assert len(set(every)) == len(every) == 16 * (count - 1)
    assert transit_account(cells, here, row) not in every
    assert max(every) < -1000, "clearing accounts are above"


def test_a_ledger_that_sends_to_other_cells_knows_all_of_them():
    env = {**ENV, "BANK_CELLS": "a,b", "BANK_CELL": "a"}
    assert ROLES["ledger"].read(env).ledgers == {}
    with pytest.raises(SettingsError, match=r"BANK_LEDGERS names \['b'\], BANK_CELLS names \['a', 'b'\]"):
        ROLES["ledger"].read({**env, "BANK_LEDGERS": "b=http://b:1"})
    assert ROLES["ledger"].read({**env, "BANK_LEDGERS": "a=http://a:1,b=http://b:1"}).ledgers["b"] == (
        "http://b:1",
    )


def test_a_token_of_yesterday_is_over(monkeypatch):
    sessions = Sessions("0123456789abcdef", 60)
    token = sessions.issue(1)
    later_s = time.time() + 62
    monkeypatch.setattr(time, "time", lambda: later_s)
    with pytest.raises(Unauthorized, match="token_expired"):
        sessions.customer_of(f"Bearer {token}")


@given(st.text(min_size=1, max_size=64))
def test_a_payee_is_always_paid_through_the_same_clearing_account(payee):
    assert -16 <= clearing_account(payee) <= -1
    assert clearing_account(payee) == clearing_account(payee)


def test_every_refusal_says_what_and_why():
    for kind in Problem.__subclasses__():
        made = {BadRequest: lambda: BadRequest(Wrong.BODY, "because"), Expired: Expired}
        problem = made.get(kind, lambda kind=kind: kind("because"))()
        assert problem.fields["error"] == kind.error
        assert problem.fields["reason"] in ("because", *kind.reasons)
        assert 400 <= kind.status < 600
    assert Unavailable("database").retry_after_s == 1


def test_a_ledger_that_can_search_no_more_ends():
    """A name that no resolver takes stands for whatever fails unforeseen in the background."""
    dsn = "postgresql://bank@pg..nowhere:5432/bank"
    env = {**os.environ, **ENV, "BANK_DB_DSN": dsn, "BANK_DRAIN_S": "0"}
    argv = [sys.executable, "-m", "stormbank", "ledger", "--host", "127.0.0.1", "--port", "0"]
    ended = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "the search for the primary has failed" in ended.stderr
