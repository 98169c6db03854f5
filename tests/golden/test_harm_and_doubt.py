"""Harm fails, doubt is inconclusive, and proven harm stays harm whatever rule is broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builder import Outage, Scene
from verdicts import SMALL, outcome, verdict_of, why

from stormdrill.errors import ExitCode
from stormdrill.verdict import Outcome


def test_a_clean_run_passes(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, Scene(**SMALL))
    assert (verdict.verdict, verdict.exit_code) == (Outcome.PASS, ExitCode.PASS)
    assert {rule.verdict for rule in verdict.validity} == {Outcome.PASS}
    assert any("lab preset" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("offsets", "says"),
    [
        ((0.0, -0.7), "at most 700 ms behind ours, known to ± 2 ms"),
        ((2.0, 0.0), "at most 2000 ms ahead of ours"),
        ((0.0, None), "could not be compared: no answer"),
    ],
)
def test_another_clock_in_prometheus_is_no_ground_to_judge_on(
    tmp_path: Path, offsets: tuple[float | None, ...], says: str
) -> None:
    verdict = verdict_of(tmp_path, Scene(**SMALL, prometheus_clock_s=offsets))
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert outcome(verdict, "prometheus_clock") is Outcome.INCONCLUSIVE
    assert says in why(verdict, "prometheus_clock")
    assert outcome(verdict, "assert.no-gateway-error-after") is Outcome.INCONCLUSIVE
    assert outcome(verdict, "recovery.login") is Outcome.PASS


def test_a_clock_that_nobody_compared_is_not_exercised(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, Scene(**SMALL, prometheus_clock_s=()))
    assert verdict.verdict is Outcome.PASS
    assert outcome(verdict, "prometheus_clock") is Outcome.NOT_EXERCISED


HARM = {
    "too slow": ({"outages": (Outage(0, 6.3, "login"),)}, "recovery.login"),
    "too many hurt": ({"outages": (Outage(0, 2.0),)}, "hurt.A"),
    "never recovered": ({"outages": (Outage(0, 99, "payment"),)}, "recovery.payment"),
    "ill in settle": ({"outages": (Outage(23, 29.9, share=0.3),)}, "settled.A"),
    "lost": ({"lost": frozenset({3, 4})}, "lost"),
    "duplicated": ({"duplicated": frozenset({9})}, "duplicated"),
    "altered": ({"altered": frozenset({2})}, "altered"),
    "ghost": ({"ghosts": 1}, "ghost"),
    "refused but booked": (
        {"outages": (Outage(0, 1, "transfer"),), "refused_booked": True},
        "refused_booked",
    ),
    "money not conserved": ({"invariant": 5}, "books.money-is-conserved"),
    "assertion broken": ({"assertion_value": 0.5}, "assert.no-gateway-error-after"),
    "order inverted": ({"shed": {"A": 0.5, "B": 0.2, "C": 0.1}}, "flow.order"),
    "above the limit": ({"over_limit": 3.0, "flow_asked": True}, "flow.limit"),
}


@pytest.mark.parametrize("name", HARM)
def test_harm_fails(tmp_path: Path, name: str) -> None:
    changes, check = HARM[name]
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), **changes))
    assert outcome(verdict, check) is Outcome.FAIL
    assert verdict.exit_code is ExitCode.FAIL


DOUBT: dict[str, tuple[dict[str, Any], str]] = {
    "prometheus stopped": ({"prometheus_gone_s": (5, 25)}, "prometheus_fresh"),
    "prometheus never fetched": ({"series_fetched": False}, "client_prometheus_agree"),
    "generator frozen": ({"freeze_s": (3.2, 8.2)}, "generator_on_time"),
    "generator late": ({"lateness_ms": 150.0}, "generator_on_time"),
    "fault not proven": ({"proven": False}, "fault_proven"),
    "no fault": ({"faults_s": ()}, "fault_proven"),
    "machine starved": ({"pressure": 0.97}, "machine_not_starved"),
    "load ended early": ({"load_stops_s": 20.0}, "load_ran_to_end"),
    "sync state unknown": ({"sync": None, "fault_class": "db-primary-loss"}, "sync_state_known"),
    "books incomplete": ({"books_complete": False}, "audit_complete"),
    "books unread": ({"books": False}, "audit_complete"),
    "client and prometheus disagree": ({"agreement": 0.5}, "client_prometheus_agree"),
    "ill before the fault": ({"outages": (Outage(-20, 0, share=0.1),)}, "steady_healthy"),
    "assertion without samples": ({"assertion_value": None}, "assert.no-gateway-error-after"),
    "assertion with too few samples in settle": ({"after_s": 24.0}, "assert.no-gateway-error-after"),
    "flow control asked for, nothing shed": ({"flow_asked": True}, "flow.order"),
    "flow control asked for, nothing refused": ({"shed": {"B": 0.3, "C": 0.6}}, "flow.rejects"),
}


@pytest.mark.parametrize("name", DOUBT)
def test_doubt_is_inconclusive(tmp_path: Path, name: str) -> None:
    changes, check = DOUBT[name]
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), **changes))
    assert outcome(verdict, check) is Outcome.INCONCLUSIVE
    assert Outcome.FAIL not in {item.verdict for item in verdict.checks}
    assert verdict.exit_code is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize("name", DOUBT)
def test_proven_loss_stays_fail_whatever_else_broke(tmp_path: Path, name: str) -> None:
    changes, check = DOUBT[name]
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), lost=frozenset({7}), **changes))
    shown = not name.startswith("books")  # partial books cannot prove that something is absent
    assert (verdict.exit_code is ExitCode.FAIL) is shown
    assert outcome(verdict, check) is Outcome.INCONCLUSIVE


FROZEN, GONE = {"freeze_s": (3.2, 8.2)}, {"prometheus_gone_s": (5, 25)}


@pytest.mark.parametrize(
    ("answer", "broken", "expected"),
    [
        ("held", {}, Outcome.PASS),
        ("held", FROZEN, Outcome.INCONCLUSIVE),
        ("customers: no", {}, Outcome.FAIL),
        ("customers: no", GONE, Outcome.FAIL),
        ("customers: no", FROZEN, Outcome.INCONCLUSIVE),
        ("standby: no", {}, Outcome.FAIL),
        ("standby: no", FROZEN, Outcome.FAIL),
        ("standby: no answer", {}, Outcome.INCONCLUSIVE),
        ("samples: no", {}, Outcome.FAIL),
        ("samples: no", GONE, Outcome.INCONCLUSIVE),
        ("samples: no answer", GONE, Outcome.INCONCLUSIVE),
    ],
)
def test_a_hypothesis_that_nobody_could_check_is_no_harm(
    tmp_path: Path, answer: str, broken: dict[str, Any], expected: Outcome
) -> None:
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), hypothesis=answer, **broken))
    assert outcome(verdict, "hypothesis") is expected
    assert verdict.verdict is expected
    if answer != "held":
        assert answer.partition(":")[0] in why(verdict, "hypothesis")


def test_a_frozen_generator_neither_proves_nor_hides_hurt(tmp_path: Path) -> None:
    frozen = replace(Scene(**SMALL), freeze_s=(10.2, 15.2))
    assert Outcome.FAIL not in {check.verdict for check in verdict_of(tmp_path / "a", frozen).checks}
    hurt = replace(frozen, outages=(Outage(0, 7.0, "login"),))
    assert outcome(verdict_of(tmp_path / "b", hurt), "recovery.login") is Outcome.FAIL


def test_what_was_hurt_later_only_is_not_called_too_little_to_count(tmp_path: Path) -> None:
    late = verdict_of(tmp_path, replace(Scene(**SMALL), outages=(Outage(15.0, 16.0, "login"),)))
    assert outcome(late, "recovery.login") is Outcome.PASS
    assert why(late, "recovery.login").startswith(
        "login was not hurt at first; 1 short relapse(s), the longest "
    )
