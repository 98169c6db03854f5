"""Tokens of service accounts: who holds one, and for how long."""

import base64
import json

import pytest

from stormlab import accounts
from stormlab.accounts import Account, mint, verify

KEY = b"secret"
ME = Account("stormdrill", "agent", "u-1", "agent-x", "u-2")


def test_a_token_says_whose_it_is_until_it_expires():
    token = mint(KEY, ME, 1000.0)
    assert verify(KEY, token, 1000.0) == ME
    assert verify(KEY, token, 1000.0 + accounts.LIFETIME_S - 1) == ME
    assert verify(KEY, token, 1000.0 + accounts.LIFETIME_S) is None
    assert ME.user == "system:serviceaccount:stormdrill:agent"


def test_clients_can_read_it_as_they_read_any():
    payload = mint(KEY, ME, 1000.0).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == ME.user
    assert claims["kubernetes.io"]["pod"] == {"name": "agent-x", "uid": "u-2"}


@pytest.mark.parametrize("change", ["{}x", "x{}", "{}.", ".{}", "täuschung{}", "", "a.b.c", "..", "."])
def test_what_the_lab_did_not_sign_is_nobody(change):
    assert verify(KEY, change.format(mint(KEY, ME, 1000.0)) if change else "", 1000.0) is None
    assert verify(b"other", mint(KEY, ME, 1000.0), 1000.0) is None


def test_another_name_under_an_old_signature_is_nobody():
    mine, other = mint(KEY, ME, 1000.0), mint(b"other", Account("a", "b", "c", "d", "e"), 1000.0)
    forged = ".".join([*other.split(".")[:2], mine.split(".")[2]])
    assert verify(KEY, forged, 1000.0) is None
