"""The precedence of verdicts: proven harm, doubt, pass."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormdrill.errors import ExitCode
from stormdrill.verdict import Check, Measured, Outcome, Verdict, compose, lower

OUTCOMES = st.sampled_from(list(Outcome))


def check(outcome: Outcome, depends_on: tuple[str, ...] = ()) -> Check:
    return Check(
        "c", "recovery", outcome, Measured(3.5, "s", 0.1), "<= 5 s", "recover", "because", ("x",), depends_on
    )


def verdict(outcome: Outcome, *, aborted: bool = False, not_reverted: tuple[str, ...] = ()) -> Verdict:
    return Verdict("r", "e", outcome, aborted, (check(outcome),), (), "", not_reverted)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Outcome.PASS, Outcome.INCONCLUSIVE),
        (Outcome.FAIL, Outcome.FAIL),
        (Outcome.NOT_EXERCISED, Outcome.NOT_EXERCISED),
    ],
)
def test_a_broken_rule_lowers_only_a_pass(before: Outcome, after: Outcome) -> None:
    lowered = lower(check(before, ("prometheus-fresh",)), {"prometheus-fresh", "other"})
    assert lowered.verdict is after


def test_a_rule_a_check_does_not_rest_on_changes_nothing() -> None:
    passed = check(Outcome.PASS, ("generator-on-time",))
    assert lower(passed, {"prometheus-fresh"}) == passed


@given(st.lists(OUTCOMES))
def test_the_worst_outcome_is_the_verdict_and_nothing_exercised_is_no_pass(outcomes: list[Outcome]) -> None:
    composed = compose(check(outcome) for outcome in outcomes)
    if Outcome.FAIL in outcomes:
        assert composed is Outcome.FAIL
    elif Outcome.INCONCLUSIVE in outcomes or Outcome.PASS not in outcomes:
        assert composed is Outcome.INCONCLUSIVE
    else:
        assert composed is Outcome.PASS


@pytest.mark.parametrize(
    ("judged", "code"),
    [
        (verdict(Outcome.PASS), ExitCode.PASS),
        (verdict(Outcome.FAIL), ExitCode.FAIL),
        (verdict(Outcome.INCONCLUSIVE), ExitCode.INCONCLUSIVE),
        (verdict(Outcome.FAIL, aborted=True), ExitCode.ABORTED),
        (verdict(Outcome.PASS, aborted=True, not_reverted=("pod-kill",)), ExitCode.NOT_REVERTED),
    ],
)
def test_each_ending_has_its_exit_code(judged: Verdict, code: ExitCode) -> None:
    assert judged.exit_code is code


@given(OUTCOMES, st.booleans())
def test_a_verdict_survives_its_file(outcome: Outcome, aborted: bool) -> None:
    judged = verdict(outcome, aborted=aborted)
    assert Verdict.from_json(json.loads(json.dumps(judged.to_json()))) == judged


def test_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not a stormdrill\.verdict/1"):
        Verdict.from_json({**verdict(Outcome.PASS).to_json(), "schema": "stormdrill.verdict/9"})
