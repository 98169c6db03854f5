"""Data loss against books whose faults are known, key by key."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormdrill.measure.books import parse_books
from stormdrill.measure.loss import intents, keys_by_class, loss
from stormdrill.measure.money_values import Loss, Risk
from stormdrill.records.layout import WITNESS, Act, Legend, key_bytes, key_text

LEGEND = Legend("witness", ("transfer",), ("A1",), ("cell0",), ("a",), 0, 0)
SAFE = Risk("synchronous", ("b",), 0.0, 0, 0.5, "synchronous")
S = 1_000_000_000
T0 = 100 * S


def journal(acts: list[tuple[str, Act, float]], amount: int = 500) -> np.ndarray:
    """Acts of keys at seconds from t0."""
    rows = np.zeros(len(acts), WITNESS)
    for row, (key, act, at_s) in zip(rows, acts, strict=True):
        row["key"] = np.void(key_bytes(key))
        row["act"], row["mono_ns"], row["amount"] = act, T0 + round(at_s * S), amount
        row["source"], row["target"] = 7, 0
    return rows


def booked(keys: list[str], amount: int = 500, complete: bool = True) -> dict[str, Any]:
    rows = [[key, amount, 7, -3, number] for number, key in enumerate(keys)]
    return {"reader": "sql", "complete": complete, "why": "", "movements": rows, "invariants": []}


def judged(witness: np.ndarray, books: dict[str, Any]) -> Loss:
    return loss(intents(witness), parse_books(books), LEGEND, T0, SAFE)


def done(key: str, at_s: float = -1.0) -> list[tuple[str, Act, float]]:
    return [(key, Act.INTENT, at_s), (key, Act.OK, at_s + 0.02)]


ENDS = st.sampled_from(
    [
        "durable",
        "lost",
        "duplicated",
        "altered",
        "refused",
        "refused_booked",
        "unknown_booked",
        "unknown_absent",
    ]
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), ENDS), max_size=40, unique_by=lambda one: one[0]),
    st.randoms(),
)
def test_every_key_ends_exactly_where_it_was_put(wanted: list[tuple[bytes, str]], rng: Any) -> None:
    acts: list[tuple[str, Act, float]] = []
    rows: list[list[Any]] = []
    for raw, end in wanted:
        key = str(uuid.UUID(bytes=raw))
        last = Act.FAIL if end.startswith("refused") else Act.UNKNOWN if end.startswith("unknown") else Act.OK
        acts += [(key, Act.INTENT, -1.0), (key, last, -0.9)]
        copies = {"lost": 0, "duplicated": 2, "refused": 0, "unknown_absent": 0}.get(end, 1)
        rows += [[key, 501 if end == "altered" else 500, 7, -3, 1]] * copies
    rng.shuffle(acts)
    rng.shuffle(rows)
    found = judged(journal(acts), {**booked([]), "movements": rows})
    for name, tally in found.tallies.items():
        keys = {str(uuid.UUID(bytes=raw)) for raw, end in wanted if end == name}
        assert tally.count == len(keys)
        if name in found.movements:
            assert set(keys_by_class(found)[name]) == keys


def test_a_key_with_zero_bytes_at_its_end_is_found() -> None:
    key = "00112233-4455-6677-8899-aabbcc000000"
    found = judged(journal(done(key)), booked([key]))
    assert found.tallies["durable"].count == 1


def test_keys_that_are_no_uuids_are_matched_by_their_digest() -> None:
    found = judged(journal([*done("order-1"), *done("order-2")]), booked(["order-1"]))
    assert keys_by_class(found)["lost"] == (key_text(key_bytes("order-2")),)


def test_a_retry_that_was_acknowledged_is_one_movement() -> None:
    key = str(uuid.uuid4())
    acts = [(key, Act.INTENT, 0.0), (key, Act.UNKNOWN, 2.0), (key, Act.OK, 2.5)]
    found = judged(journal(acts), booked([key]))
    assert (found.intents, found.acknowledged, found.tallies["durable"].count) == (1, 1, 1)


def test_a_refused_retry_after_an_unanswered_try_stays_unknown() -> None:
    key = str(uuid.uuid4())
    acts = [(key, Act.INTENT, 0.0), (key, Act.UNKNOWN, 2.0), (key, Act.FAIL, 2.5)]
    assert judged(journal(acts), booked([key])).tallies["unknown_booked"].count == 1


def test_an_intent_without_outcome_is_unknown_not_refused() -> None:
    key = str(uuid.uuid4())
    assert judged(journal([(key, Act.INTENT, 0.0)]), booked([])).tallies["unknown_absent"].count == 1


def test_a_second_try_without_outcome_is_unknown_although_the_first_was_refused() -> None:
    key = str(uuid.uuid4())
    acts = [(key, Act.INTENT, 0.0), (key, Act.FAIL, 0.5), (key, Act.INTENT, 1.0)]
    assert judged(journal(acts), booked([])).tallies["unknown_absent"].count == 1


def test_loss_in_seconds_counts_from_the_earliest_lost_acknowledgement() -> None:
    keys = [str(uuid.uuid4()) for _ in range(3)]
    witness = journal([*done(keys[0], -9.0), *done(keys[1], -4.02), *done(keys[2], 3.0)])
    found = judged(witness, booked([keys[0]]))
    assert found.tallies["lost"].count == 2
    assert found.tallies["lost"].amount == 1000
    assert found.loss_s == 4.0
    assert found.lost_after_t0 == 1


def test_what_is_lost_only_after_t0_counts_no_seconds() -> None:
    assert judged(journal(done(str(uuid.uuid4()), 3.0)), booked([])).loss_s == 0.0


def test_accounts_the_client_did_not_know_are_not_compared() -> None:
    key = str(uuid.uuid4())
    found = judged(journal(done(key)), booked([key]))  # target 0 in the witness, -3 in the books
    assert found.tallies["altered"].count == 0


def test_a_ghost_is_listed_with_what_the_books_say() -> None:
    ghost = str(uuid.uuid4())
    found = judged(journal(done(str(uuid.uuid4()))), booked([ghost], amount=9))
    assert [(m.key, m.amount) for m in found.movements["ghost"]] == [(ghost, 9)]


def test_without_books_nothing_is_claimed() -> None:
    found = judged(journal(done(str(uuid.uuid4()))), {"reader": "none"})
    assert not found.audited
    assert "lost" not in found.tallies
    assert found.upper_bound_ratio is None


def test_books_that_claim_to_show_what_nobody_knows_are_not_read() -> None:
    with pytest.raises(ValueError, match="unknown class: doubled"):
        parse_books({**booked([]), "shows": ["lost", "doubled"]})


def test_where_losses_cannot_be_seen_there_is_no_bound() -> None:
    keys = [str(uuid.uuid4()) for _ in range(300)]
    books = {**booked(keys), "shows": ["duplicated"]}
    assert judged(journal([act for key in keys for act in done(key)]), books).upper_bound_ratio is None


def test_zero_lost_still_has_a_bound() -> None:
    keys = [str(uuid.uuid4()) for _ in range(300)]
    found = judged(journal([act for key in keys for act in done(key)]), booked(keys))
    assert found.upper_bound_ratio == 0.01


def test_an_empty_journal_and_empty_books_are_nothing() -> None:
    found = judged(np.zeros(0, WITNESS), booked([]))
    assert (found.intents, found.acknowledged) == (0, 0)
