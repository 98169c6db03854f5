"""What a request may hold: amounts are whole fen and nothing else, and nonsense of any kind is a bad request."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank.mark import Mark
from stormbank.problem import BadRequest
from stormbank.request import LARGEST_AMOUNT, MONEY_FIELDS, amount_in, fields_in, money_in, short_text

TRANSFER = MONEY_FIELDS["transfer"]


def transfer(amount):
    return f'{{"to": 2, "amount": {amount}}}'.encode()


NO_NUMBERS = ("true", "false", '"5"', "null", "[5]", "{}", "", "05", "+5", "5f", "0x5", "9" * 5000)
NOT_WHOLE = ("1.0", "0.1", "1e3", "1E3", "NaN", "Infinity", "-Infinity", "-0.0")
OUT_OF_RANGE = ("0", "-0", "-1", str(LARGEST_AMOUNT + 1))


@pytest.mark.parametrize("amount", [*NO_NUMBERS, *NOT_WHOLE, *OUT_OF_RANGE])
def test_an_amount_is_whole_fen(amount):
    with pytest.raises(BadRequest):
        amount_in(fields_in(transfer(amount), TRANSFER))


@given(st.integers(1, LARGEST_AMOUNT))
def test_an_amount_is_read_to_the_fen(amount):
    assert amount_in(fields_in(transfer(amount), TRANSFER)) == amount


@given(st.one_of(st.floats(), st.booleans(), st.text(), st.none(), st.integers(max_value=0)))
def test_nothing_else_is_an_amount(amount):
    with pytest.raises(BadRequest):
        amount_in(fields_in(json.dumps({"to": 2, "amount": amount}).encode(), TRANSFER))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"to": 2}',
        b'{"to": "2", "amount": 5}',
        b'{"to": 2, "amount": 5, "currency": "USD"}',
        b'{"to": 2, "amount": 5}}',
        b"[" * 4096,
        b'{"to":' * 700,
    ],
)
def test_a_body_is_exactly_what_was_agreed(body):
    with pytest.raises(BadRequest):
        fields_in(body, TRANSFER)


@pytest.mark.parametrize(
    ("more", "reason"),
    [('"USD"', "currency"), ('""', "currency"), ("5", "field_type"), ("null", "field_type")],
)
def test_no_currency_but_one_is_known(more, reason):
    with pytest.raises(BadRequest) as problem:
        money_in(b'{"to": 2, "amount": 5, "currency": %s}' % more.encode(), "transfer")
    assert problem.value.fields["reason"] == reason
    said = b'{"to": 2, "amount": 5, "currency": "CNY"}'
    assert money_in(said, "transfer") == {"to": 2, "amount": 5}


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_politely(body):
    with pytest.raises(BadRequest):
        fields_in(body, TRANSFER)


@pytest.mark.parametrize("text", ["", "x" * 65, "a\x00b", "a\nb", "\ud800"])
def test_a_name_is_short_and_printable(text):
    with pytest.raises(BadRequest):
        short_text(text, "payee")


@given(st.booleans(), st.sampled_from([None, "refused", "closed"]))
def test_a_mark_travels_in_headers(unscored, bar):
    assert Mark.read(Mark(unscored, bar).headers()) == Mark(unscored, bar)


@pytest.mark.parametrize("headers", [{"Bank-Unscored": "0"}, {"Bank-Unscored": ""}, {"Bank-Barred": "no"}])
def test_a_mark_nobody_makes_is_refused(headers):
    with pytest.raises(BadRequest):
        Mark.read(headers)
