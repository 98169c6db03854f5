"""Audit readers without a database: HTTP by key, CSV, none, and what an incomplete audit looks like."""

import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormdrill.audit import reader_of
from stormdrill.audit.books import ALL_HARMS, key_text
from stormdrill.errors import InputError
from stormdrill.estate_books import CsvAudit, HttpAudit, NoAudit
from stormdrill.measure.money_values import HARMS
from stormdrill.records.layout import key_bytes
from stormdrill.records.layout import key_text as key_text_of_record

KEY = "0b9f6d0e-6d5c-4c3a-9f3e-6d0f0a1b2c3d"


def http_audit(peer, **changes):
    fields = {
        "url": f"{peer.url}/orders/{{key}}",
        "found": 200,
        "missing": 404,
        "headers": {"X-Auditor": "yes"},
        "bearer": None,
        "amount_field": "cents",
        "source_field": None,
        "target_field": "shop",
        "id_field": "number",
        "deadline_s": 5.0,
        **changes,
    }
    return HttpAudit(**fields)


def test_http_asks_for_each_key(peer):
    peer.answers["/orders/" + KEY] = (200, {"cents": 120, "shop": "7", "number": 3})
    peer.answers["/orders/twice"] = (
        200,
        [{"cents": 1, "shop": 1, "number": 1}, {"cents": 1, "shop": 1, "number": 2}],
    )
    reader = reader_of(http_audit(peer), "s3cret")
    books = reader.read(reader.high_water(), [KEY, "absent", "twice", KEY])
    assert books.complete, books.why
    rows = sorted(books.to_json()["movements"])
    assert rows == [[KEY, 120, None, 7, 3], ["twice", 1, None, 1, 1], ["twice", 1, None, 1, 2]]
    headers = peer.asked[0][1]
    assert (headers["Authorization"], headers["X-Auditor"]) == ("Bearer s3cret", "yes")


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (200, "<html>"),
        (200, {"cents": "x", "shop": 1, "number": 1}),
        (200, {"shop": 1}),
        (200, [3]),
    ],
)
def test_an_unclear_answer_is_not_an_absent_movement(peer, answer):
    peer.answers["/orders/k"] = answer
    books = reader_of(http_audit(peer)).read(0, ["k", "absent"])
    assert not books.complete
    assert books.why.startswith("1 keys could not be asked for; k: ")
    assert books.movements == ()


def test_http_asks_for_a_key_as_it_was_sent(peer):
    peer.answers["/orders/order%2F17%20a"] = (200, {"cents": 120, "shop": 7, "number": 3})
    books = reader_of(http_audit(peer)).read(0, ["order/17 a", KEY.upper()])
    assert books.complete, books.why
    assert [movement.key for movement in books.movements] == ["order/17 a"]
    assert sorted(path for path, _ in peer.asked) == [f"/orders/{KEY.upper()}", "/orders/order%2F17%20a"]


@pytest.mark.parametrize(
    ("answer", "fields", "shows"),
    [
        ({"cents": 1}, {"amount_field": "cents"}, {"lost", "refused_booked", "altered"}),
        ([{"cents": 1}], {"amount_field": "cents"}, {"lost", "refused_booked", "altered", "duplicated"}),
        ({}, {"amount_field": None}, {"lost", "refused_booked"}),
    ],
)
def test_http_states_which_harm_it_can_show(peer, answer, fields, shows):
    peer.answers["/orders/k"] = (200, answer)
    audit = http_audit(peer, target_field=None, id_field=None, **fields)
    assert set(reader_of(audit).read(0, ["k", "absent"]).to_json()["shows"]) == shows


def unreadable():
    """Keys of a witness that cannot be read."""
    yield KEY
    raise InputError("load-0.keys.jsonl:7: a damaged line")


def test_keys_that_are_not_known_make_the_books_incomplete_not_empty(peer, tmp_path):
    for reader in (reader_of(http_audit(peer)), csv_audit(tmp_path, "key,amount,from\nk,1,2\n")):
        books = reader.read(0, unreadable())
        assert (books.complete, books.movements) == (False, ())
        assert books.why == "the witness's keys are not known: load-0.keys.jsonl:7: a damaged line"
    assert peer.asked == []


def test_a_flaky_answer_is_asked_again(peer):
    answers = [(503, {}), (200, {"cents": 1, "shop": 1, "number": 1})]
    peer.answers["/orders/k"] = lambda _: answers.pop(0)
    assert reader_of(http_audit(peer)).read(0, ["k"]).complete


def test_http_stops_at_its_deadline(silent):
    class Nobody:
        url = f"http://{silent}"

    books = reader_of(http_audit(Nobody, deadline_s=0.0)).read(0, ["k"])
    assert (books.complete, books.why) == (
        False,
        "1 keys could not be asked for; k: the deadline passed first",
    )


def csv_audit(tmp_path, text):
    file = tmp_path / "books.csv"
    if text is not None:
        file.write_text(text)
    return reader_of(CsvAudit(file, "key", "amount", "from", None, None))


def test_csv_keeps_the_rows_of_known_keys(tmp_path):
    reader = csv_audit(tmp_path, f"amount,key,from\n5,{KEY.upper()},\n6,other,1\n5,{KEY},2\n")
    books = reader.read(reader.high_water(), [KEY])
    assert books.complete, books.why
    stored = books.to_json()
    assert stored["movements"] == [[KEY, 5, None, None, None], [KEY, 5, 2, None, None]]
    assert stored["shows"] == ["lost", "duplicated", "altered", "refused_booked"]
    assert set(stored["shows"]) < set(ALL_HARMS) == set(HARMS)


@pytest.mark.parametrize("known", ["order-123", key_text_of_record(key_bytes("order-123"))])
def test_csv_knows_a_key_that_is_no_uuid_by_its_digest(tmp_path, known):
    books = csv_audit(tmp_path, "key,amount,from\norder-123,5,1\norder-124,6,1\n").read(0, [known])
    assert books.complete, books.why
    assert books.to_json()["movements"] == [["order-123", 5, 1, None, None]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file"),
        ("", "has no column key, amount, from"),
        ("key,amount\n", "has no column from"),
        ("key,amount,from\nk,1.5,2\n", "line 2: amount is not a whole number: '1.5'"),
        ("key,amount,from\nk,,2\n", "line 2: no amount"),
        ("key,amount,from\n,1,2\n", "line 2: no key"),
    ],
)
def test_a_csv_that_cannot_be_trusted_is_incomplete(tmp_path, text, why):
    books = csv_audit(tmp_path, text).read(0, ["k"])
    assert not books.complete
    assert why in books.why


def test_without_a_reader_nothing_is_shown():
    books = reader_of(NoAudit("there is no ledger")).read(0, ["k"])
    stored = json.loads(json.dumps(books.to_json()))
    assert (stored["reader"], stored["complete"], stored["why"]) == ("none", False, "there is no ledger")


@settings(deadline=None, derandomize=True)
@given(st.uuids())
def test_a_uuid_has_one_notation(value: uuid.UUID):
    forms = {str(value), str(value).upper(), value.hex, f"{{{value}}}", value.urn}
    assert {key_text(form) for form in forms} == {str(value)}
