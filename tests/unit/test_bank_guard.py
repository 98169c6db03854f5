"""The guards around a dependency: windows, breaker, bulkhead, retry budget, on a clock of our own."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank.deadline import Deadline
from stormbank.dependencies import Dependencies, serves
from stormbank.guard.breaker import TRIAL_S, Breaker, BreakerRules, State
from stormbank.guard.guarded import Guarded, GuardRules
from stormbank.guard.retries import RetryBudget, RetryRules
from stormbank.guard.window import Window
from stormbank.operations import BY_NAME, Operation
from stormbank.problem import DeadlineExceeded, Unavailable
from stormbank.upstream import UpstreamAnswer

BALANCE = BY_NAME["balance"]
RULES = BreakerRules(errors=0.5, slow=0.8, slow_s=1.0, window_s=10, calls=20, pause_s=1)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.floats(0, 4)), max_size=100))
def test_a_window_counts_what_is_recent_to_a_tenth_of_its_length(steps):
    clock = Clock()
    window = Window(10.0, 2, clock=clock)
    seen = []
    for kind, passes_s in steps:
        clock.now_s += passes_s
        window.add(kind)
        seen.append((kind, clock.now_s))
        for each in (0, 1):
            ages = [clock.now_s - at_s for found, at_s in seen if found == each]
            assert sum(age <= 8.99 for age in ages) <= window.total(each) <= sum(age <= 10.01 for age in ages)


def test_a_breaker_opens_by_errors_and_closes_with_the_first_good_answer():
    clock = Clock()
    breaker = Breaker(RULES, clock=clock)
    for number in range(20):
        assert breaker.may_ask()
        breaker.ended(failed=number % 2 == 1, took_s=0.01)
    assert breaker.state is State.OPEN
    assert not breaker.may_ask()
    clock.now_s += 1.0
    assert breaker.state is State.HALF_OPEN
    assert [breaker.may_ask(), breaker.may_ask()] == [True, False]
    # The first trial hangs; others do not wait for it.
    clock.now_s += TRIAL_S
    assert breaker.may_ask()
    breaker.ended(failed=False, took_s=0.01)
    assert breaker.state is State.CLOSED
    assert all(breaker.may_ask() for _ in range(100))


def test_a_bad_trial_opens_it_for_another_pause():
    clock = Clock()
    breaker = Breaker(RULES, clock=clock)
    for _ in range(20):
        breaker.ended(failed=True, took_s=0.01)
    clock.now_s += 1.0
    assert breaker.may_ask()
    clock.now_s += 0.5
    breaker.ended(failed=False, took_s=1.0)
    assert breaker.state is State.OPEN, "slow is no better than not at all"
    clock.now_s += 0.9
    assert not breaker.may_ask()
    clock.now_s += 0.1
    assert breaker.may_ask()


def test_a_breaker_opens_when_nearly_all_are_slow_and_not_for_some():
    breaker = Breaker(RULES, clock=Clock())
    for number in range(100):
        breaker.ended(failed=False, took_s=1.5 if number % 4 else 0.01)
    assert breaker.state is State.CLOSED
    for _ in range(100):
        breaker.ended(failed=False, took_s=1.5)
    assert breaker.state is State.OPEN


def test_callers_who_had_no_time_left_say_nothing():
    breaker = Breaker(RULES, clock=Clock())
    for _ in range(100):
        breaker.ended(failed=False, took_s=0.05, proof=False)
    for _ in range(19):
        breaker.ended(failed=True, took_s=0.01)
    assert breaker.state is State.CLOSED, "nineteen calls are too few to judge by"
    breaker.ended(failed=False, took_s=2.0, proof=False)
    assert breaker.state is State.OPEN


def test_old_errors_are_forgotten():
    clock = Clock()
    breaker = Breaker(RULES, clock=clock)
    for _ in range(50):
        breaker.ended(failed=True, took_s=0.01) if breaker.state is State.CLOSED else None
        clock.now_s += 1.0
    assert breaker.state is State.CLOSED, "ten calls in ten seconds are too few"


def test_retries_are_a_share_of_requests_and_a_few_besides():
    clock = Clock()
    budget = RetryBudget(RetryRules(share=0.2, floor_per_s=1, ttl_s=10), clock=clock)
    assert sum(budget.take() for _ in range(100)) == 10
    for _ in range(100):
        budget.asked()
    assert sum(budget.take() for _ in range(100)) == 20
    assert (budget.spent, budget.refused) == (30, 170)
    clock.now_s += 11
    assert sum(budget.take() for _ in range(100)) == 10


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=300))
def test_retries_never_exceed_the_share_of_what_was_asked_and_the_floor(steps):
    clock = Clock()
    budget = RetryBudget(RetryRules(share=0.2, floor_per_s=1, ttl_s=10), clock=clock)
    asked = 0
    start_s = clock.now_s
    for asks, passes_s in steps:
        clock.now_s += passes_s
        if asks:
            budget.asked()
            asked += 1
        else:
            budget.take()
        # A window forgets a tenth of itself early.
        windows = 1 + (clock.now_s - start_s) / 9
        assert budget.spent <= windows * (0.2 * asked + 10) + 1


def test_without_rules_retries_have_no_limit():
    budget = RetryBudget(None)
    assert all(budget.take() for _ in range(1000))


class Scripted:
    """Answers as told: a status, a problem to raise, or an event to wait for first."""

    def __init__(self, retries, *script):
        self.script = list(script)

    async def ask(self, operation, headers, body, deadline, query=""):
        act = self.script.pop(0) if self.script else 200
        if isinstance(act, asyncio.Event):
            await act.wait()
            act = 200
        if isinstance(act, Exception):
            raise act
        return UpstreamAnswer(act, b"{}", None, 0.5)


def guarded(clock, *script, bulkhead=3, breaker=RULES, seen=None):
    counts = Counter()
    rules = GuardRules(bulkhead, breaker, None)
    observe = None if seen is None else lambda *what: seen.append(what[2:])
    found = Guarded(
        "campus",
        rules,
        lambda retries: Scripted(retries, *script),
        lambda _, outcome: counts.update([outcome]),
        observe,
        clock=clock,
    )
    return found, counts


def ask(who):
    return who.ask(BALANCE, {}, b"", Deadline.after_ms(1000))


def test_a_dependency_that_hangs_holds_so_many_calls_and_no_more():
    async def scenario():
        hang = asyncio.Event()
        who, counts = guarded(Clock(), *[hang] * 4)
        hanging = [asyncio.create_task(ask(who)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await ask(who)
        assert refused.value.fields["reason"] == "bulkhead"
        assert (refused.value.fields["dependency"], refused.value.status) == ("campus", 503)
        assert (refused.value.retry_after_s, refused.value.fields["outcome"]) == (1, "none")
        hang.set()
        await asyncio.gather(*hanging)
        assert (who.bulkhead.inflight, who.bulkhead.highwater()) == (0, 3)
        assert (await ask(who)).status == 200
        assert counts == {"ok": 4, "bulkhead": 1}
        free, _ = guarded(Clock(), *[hang] * 50, bulkhead=None)
        await asyncio.gather(*(ask(free) for _ in range(50)))

    asyncio.run(scenario())


def test_a_breaker_that_is_open_sends_nothing():
    async def scenario():
        clock, script = Clock(), [Unavailable("campus")] * 15 + [500] * 5
        who, counts = guarded(clock, *script)
        for _ in range(20):
            with contextlib.suppress(Unavailable):
                await ask(who)
        for _ in range(10):
            with pytest.raises(Unavailable) as refused:
                await ask(who)
            assert refused.value.fields["reason"] == "breaker"
        assert counts == {"unreachable": 15, "failed": 5, "breaker": 10}
        clock.now_s += 1.0
        assert (await ask(who)).status == 200
        assert who.state is State.CLOSED
        off, _ = guarded(clock, *script, breaker=None)
        for _ in range(20):
            with contextlib.suppress(Unavailable):
                await ask(off)
        assert (await ask(off)).status == 200

    asyncio.run(scenario())


def test_whoever_waits_no_more_has_seen_that_it_is_slow():
    async def scenario():
        clock = Clock()
        rules = GuardRules(None, RULES, None).within(0.15).breaker
        assert rules.slow_s == pytest.approx(0.12)
        who, counts = guarded(clock, *[asyncio.Event() for _ in range(40)], bulkhead=None, breaker=rules)
        for after_s, state in ((0.05, State.CLOSED), (0.14, State.OPEN)):
            waiting = [asyncio.create_task(ask(who)) for _ in range(20)]
            await asyncio.sleep(0)
            clock.now_s += after_s
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)
            assert who.state is state, after_s
        assert counts == {"timeout": 40}

    asyncio.run(scenario())


def test_rules_for_one_that_is_hardly_waited_for_loosen_nothing():
    assert GuardRules(None, RULES, None).within(30).breaker == RULES
    assert GuardRules(None, None, None).within(0.1).breaker is None


def test_a_refusal_by_one_that_is_well_opens_nothing():
    async def scenario():
        who, counts = guarded(Clock(), *[503] * 30, *[504] * 30, *[422] * 30)
        for _ in range(90):
            await ask(who)
        assert who.state is State.CLOSED
        assert counts == {"unavailable": 30, "late": 30, "refused": 30}

    asyncio.run(scenario())


def test_every_answer_is_told_with_its_waiting_and_no_silence_is():
    async def scenario():
        seen = []
        who, counts = guarded(Clock(), 200, 503, DeadlineExceeded("campus"), seen=seen)
        for _ in range(3):
            with contextlib.suppress(DeadlineExceeded):
                await ask(who)
        assert seen == [(0.5, True), (0.5, False)]
        assert counts == {"ok": 1, "unavailable": 1, "timeout": 1}
        assert who.bulkhead.inflight == 0

    asyncio.run(scenario())


def test_a_service_that_this_bank_does_not_have_is_unavailable_by_its_name():
    advice = Operation("advice", "GET", "/v1/wealth/advice", "B", "wealth")
    with pytest.raises(Unavailable) as refused:
        Dependencies({}).of(advice, "cell0")
    assert (refused.value.status, refused.value.fields["reason"]) == (503, "wealth")
    ledger, _ = guarded(Clock())
    assert Dependencies({"ledger-cell1": ledger}).of(BALANCE, "cell1") is ledger
    assert set(serves(["cell0", "cell1"], ["wealth"])) == {"ledger-cell0", "ledger-cell1", "wealth"}
