"""The generator as a real process against a real server: what it offers, records and says."""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.forking import Nursery

from stormdrill import wait
from stormdrill.estate import Remainder
from stormdrill.load.live import LoadSecond
from stormdrill.records.layout import Act, Flag, Outcome, Reason, key_text

from .conftest import NUMBERS, Started, Stub

Start = Callable[..., Started]

PHONES = """
business: {monthly_active: 86400, daily_share: 100%, uses_per_day: 5, calls_per_use: 6, peak_factor: 1,
           yearly_value: 0, ticket: 1}
session: {length: 6s, opening: [login, balance], actions: {bills: 3, transfer: 1, checkin: 1}}
app: {timeout: 1s, retry: {attempts: 3, backoff: 100ms}, patience: 4s, abandon: 50%}
customers: {first: 1, count: 1000, probes: 10}
probes: {transfer: 50/s, login: 10/s}
"""


def finals(records: Any) -> Any:
    return records[(records["flags"] & Flag.FINAL) > 0]


def outcomes(records: Any) -> Counter[tuple[str, str]]:
    pairs = zip(records["outcome"], records["reason"], strict=True)
    return Counter((Outcome(o).name, Reason(r).name) for o, r in pairs)


def due_between(records: Any, start_ns: int, end_ns: int) -> Any:
    return records[(records["due_ns"] >= start_ns) & (records["due_ns"] < end_ns)]


def check_whole(started: Started) -> None:
    """Every logical request has one last record, and all that was offered has come to an end."""
    records = started.requests()
    last = finals(records)
    assert len(np.unique(last["seq"])) == len(last) == len(np.unique(records["seq"]))
    assert sum(line.offered for line in started.lines) == len(last)
    line_ends = sum(
        line.good + line.shed + line.failed + line.unknown + line.blocked + line.dropped
        for line in started.lines
    )
    assert line_ends == len(last)
    assert sum(line.retried for line in started.lines) == len(records) - len(last)


def test_everything_due_is_asked_answered_and_witnessed(start: Start, stub: Stub) -> None:
    started = start(PHONES, [stub.url])
    wait.pause(4)
    stopping_s = time.monotonic()
    started.load.stop()
    assert time.monotonic() - stopping_s < 1.5  # nothing in flight: no need to wait
    records, witness, books = started.requests(), started.witness(), stub.books()
    check_whole(started)
    assert set(outcomes(records)) == {("GOOD", "NONE")}
    # About 5 sessions/s x 6 calls, from the first second on, beside 60 probes/s.
    probes = records[(records["flags"] & Flag.PROBE) > 0]
    first_2s = due_between(records, started.load.ready_ns, started.load.ready_ns + 2_000_000_000)
    phones_2s = first_2s[(first_2s["flags"] & Flag.PROBE) == 0]
    assert 30 <= len(phones_2s) <= 100
    transfers = np.sort(probes[probes["operation"] == NUMBERS["transfer"]]["due_ns"])
    assert np.all(np.abs(np.diff(transfers) - 20_000_000) < 10)
    # Each movement: an intent before the send, an ok after it, booked once with its amount.
    writes = records[(records["flags"] & Flag.WRITE) > 0]
    intents, oks = witness[witness["act"] == Act.INTENT], witness[witness["act"] == Act.OK]
    assert len(intents) == len(oks) == len(writes) > 170
    by_seq = {int(seq): int(sent) for seq, sent in zip(writes["seq"], writes["sent_ns"], strict=True)}
    assert all(int(act["mono_ns"]) <= by_seq[int(act["seq"])] for act in intents)
    assert {key_text(act["key"].tobytes()): [int(act["amount"])] for act in oks} == books["keys"]
    assert np.all(oks["movement"] > 0)
    assert np.all((oks["source"] > 0) & (oks["target"] > 0) & (oks["source"] != oks["target"]))
    assert books["connections"] < len(records) / 4  # pooled, not one a request
    assert all(
        "x-deadline-ms" in seen for seen in books["headers"] if seen["request"] == "POST /v1/transfers"
    )
    assert started.load.error == ""
    with started.config.seconds_file.open() as lines:
        kept = [LoadSecond.from_json(json.loads(line)) for line in lines]
    assert kept == started.lines == started.load.seconds
    assert len([line for line in kept if line.span_ms > 900]) >= 3
    assert {name for line in kept for name in line.by_operation} == set(NUMBERS)


def test_a_stall_hides_nothing(start: Start, stub: Stub) -> None:
    """With Locust's own pacing a stall of 10 s loses 900 of 1,000 due requests and shows 0 failures."""
    started = start(PHONES, [stub.url])
    wait.pause(1.5)
    stub.behave("stall", 5)
    stalled_ns = time.monotonic_ns()
    wait.pause(6.5)
    started.load.stop()
    check_whole(started)
    records = started.requests()
    probes = records[(records["flags"] & Flag.PROBE) > 0]
    hurt = due_between(probes, stalled_ns + 50_000_000, stalled_ns + 3_800_000_000)
    hurt = hurt[hurt["operation"] == NUMBERS["transfer"]]
    first = hurt[hurt["attempt"] == 1]
    assert abs(len(first) - 50 * 3.75) <= 2  # not one due time is missing
    assert set(outcomes(first)) == {("UNKNOWN", "TIMEOUT")}
    assert np.all(first["answered_ns"] == 0)
    assert np.max(hurt["attempt"]) > 1  # the same movement is asked about again
    assert len(np.unique(hurt["seq"])) == len(first)
    # The demand of phones goes on too: what a stuck phone cannot ask is counted, at its planned time.
    ended = finals(due_between(records, stalled_ns, stalled_ns + 4_000_000_000))
    phones = ended[(ended["flags"] & Flag.PROBE) == 0]
    prompt = (phones["outcome"] == Outcome.GOOD) & (phones["answered_ns"] - phones["due_ns"] < 1_000_000_000)
    assert len(phones) > 60
    assert np.mean(prompt) < 0.1
    steady = [line.offered for line in started.lines[:7]]
    assert min(steady) > 60  # offered does not follow the answers
    # Afterwards everything is good again, and nothing was booked under two keys.
    later = due_between(probes, stalled_ns + 5_500_000_000, stalled_ns + 6_000_000_000)
    assert set(outcomes(later)) == {("GOOD", "NONE")}


def test_refusals_resets_and_wrong_answers_are_told_apart(start: Start, stub: Stub) -> None:
    started = start(PHONES, [stub.url])
    expected = {
        "shed": ("SHED", "OVERLOAD", Act.FAIL),
        "rate": ("SHED", "RATE", Act.FAIL),
        "unavailable": ("FAILED", "DEPENDENCY", Act.FAIL),
        "error": ("UNKNOWN", "STATUS", Act.UNKNOWN),  # 500 to a movement: it may have been made
        "upstream": ("UNKNOWN", "STATUS", Act.UNKNOWN),
        "reset": ("UNKNOWN", "RESET", Act.UNKNOWN),
        "garbage": ("FAILED", "CONTENT", Act.UNKNOWN),
        "otherkey": ("FAILED", "CONTENT", Act.UNKNOWN),
    }
    spans = {}
    for mode in expected:
        begun_ns = time.monotonic_ns()
        stub.behave(mode)
        wait.pause(0.7)
        spans[mode] = (begun_ns + 100_000_000, time.monotonic_ns() - 200_000_000)
    stub.behave("answer")
    wait.pause(0.5)
    started.load.stop()
    check_whole(started)
    records, witness = started.requests(), started.witness()
    for mode, (outcome, reason, act) in expected.items():
        seen = due_between(records, *spans[mode])
        seen = seen[(seen["flags"] == seen["flags"] | Flag.PROBE) & (seen["attempt"] == 1)]
        seen = seen[seen["operation"] == NUMBERS["transfer"]]
        assert set(outcomes(seen)) == {(outcome, reason)}, mode
        acts = witness[np.isin(witness["seq"], seen["seq"]) & (witness["attempt"] == 1)]
        assert Counter(acts["act"].tolist()) == {Act.INTENT: len(seen), act: len(seen)}, mode
    # 500 to a read is a plain failure.
    reads = due_between(records, *spans["error"])
    reads = reads[(reads["operation"] == NUMBERS["login"]) & (reads["flags"] & Flag.PROBE > 0)]
    assert set(outcomes(reads)) == {("FAILED", "STATUS")}


def test_a_shed_phone_waits_as_long_as_it_was_told(start: Start, stub: Stub) -> None:
    started = start(PHONES, [stub.url])
    stub.behave("shed")
    wait.pause(3.5)
    started.load.stop()
    check_whole(started)
    records = started.requests()
    phones = records[(records["flags"] & Flag.PROBE) == 0]
    retried = phones[phones["attempt"] == 2]
    assert len(retried) > 5
    for record in retried:
        before = phones[(phones["seq"] == record["seq"]) & (phones["attempt"] == 1)][0]
        if record["sent_ns"]:
            assert record["sent_ns"] - before["answered_ns"] >= 995_000_000  # Retry-After: 1
    assert not np.any(records[(records["flags"] & Flag.PROBE) > 0]["attempt"] > 1)


def test_login_out_blocks_the_rest_of_a_session_but_not_the_probes(start: Start, stub: Stub) -> None:
    started = start(PHONES, [stub.url])
    stub.behave("locked")
    locked_ns = time.monotonic_ns()
    wait.pause(4)
    started.load.stop()
    check_whole(started)
    records = finals(started.requests())
    late = due_between(records, locked_ns + 2_000_000_000, locked_ns + 4_000_000_000)
    phones = late[(late["flags"] & Flag.PROBE) == 0]
    blocked = phones[phones["outcome"] == Outcome.BLOCKED]
    assert len(blocked) > 5
    assert np.all(blocked["sent_ns"] == 0)
    assert NUMBERS["login"] not in blocked["operation"]
    transfers = late[((late["flags"] & Flag.PROBE) > 0) & (late["operation"] == NUMBERS["transfer"])]
    assert set(outcomes(transfers)) == {("GOOD", "NONE")}


def test_phones_leave_an_edge_that_refuses(start: Start, stub: Stub, banks: Nursery) -> None:
    gone = Stub(banks)
    started = start(PHONES, [stub.url, gone.url])
    wait.pause(1)
    gone.stop()
    gone_ns = time.monotonic_ns()
    wait.pause(3)
    started.load.stop()
    check_whole(started)
    records = due_between(started.requests(), gone_ns + 100_000_000, gone_ns + 3_000_000_000)
    refused = records[(records["site"] == 1) & (records["outcome"] != Outcome.GOOD)]
    # A pooled connection may be found closed only after the send; all others are refused before it.
    assert outcomes(refused)["FAILED", "CONNECT"] > 5
    assert np.all(refused[refused["reason"] == Reason.CONNECT]["answered_ns"] == 0)
    again = records[(records["attempt"] == 2) & (records["outcome"] == Outcome.GOOD)]
    assert len(again) > 0
    assert np.all(again["site"] == 0)
    late = finals(due_between(records, gone_ns + 2_000_000_000, gone_ns + 3_000_000_000))
    assert np.mean(late["outcome"] == Outcome.GOOD) > 0.95


def test_without_a_free_phone_demand_is_dropped_and_counted(start: Start, stub: Stub) -> None:
    """Pulses need no phone of their own: they come in their time, and only then."""
    pulse = "pulses: [{operation: checkin, from: 1s, for: 1s, rate: 100/s}]\n"
    started = start(PHONES + pulse + "users: 5\n", [stub.url])
    wait.pause(3)
    started.load.stop()
    check_whole(started)
    records, ready_ns = started.requests(), started.load.ready_ns
    dropped = records[records["outcome"] == Outcome.DROPPED]
    phones = records[records["session"] > 0]
    assert 0.5 < len(dropped) / len(phones) < 0.95
    assert np.all(dropped["due_ns"] <= started.lines[-1].t_ns)
    assert sum(line.dropped for line in started.lines) == len(dropped)
    single = records[(records["session"] == 0) & (records["flags"] & Flag.PROBE == 0)]
    assert 60 < len(single) < 140
    assert np.all((single["due_ns"] >= ready_ns + 1e9) & (single["due_ns"] < ready_ns + 2e9))


def test_a_pulse_tries_again_as_the_app_does(start: Start, stub: Stub) -> None:
    app = "app: {timeout: 1s, retry: {attempts: 3, backoff: 50ms, per_session: 1}, patience: 4s, abandon: 50%}\n"
    pulse = "pulses: [{operation: checkin, from: 1s, for: 1s, rate: 100/s}]\n"
    text = "\n".join(line for line in PHONES.splitlines() if not line.startswith("app:"))
    started = start(f"{text}\n{app}{pulse}", [stub.url])
    stub.behave("error")
    wait.pause(3)
    started.load.stop()
    check_whole(started)
    records = started.requests()
    single = records[(records["session"] == 0) & (records["flags"] & Flag.PROBE == 0)]
    assert len(single) > 100
    assert np.max(single["attempt"]) == 2  # 3 by `attempts`, 1 retry by `per_session`
    assert set(finals(single)["attempt"]) == {2}


def test_each_cells_phones_and_probes_are_its_own_customers_and_money_stays_there(
    start: Start, stub: Stub
) -> None:
    rules = (Remainder(2, 0), Remainder(2, 1))
    text = PHONES + "pulses: [{operation: bills, from: 0.2s, for: 1.5s, rate: 60/s}]\n"
    started = start(text, [stub.url], cells=("even", "odd"), rules=rules)
    wait.pause(2.5)
    started.load.stop()
    check_whole(started)
    records, witness = started.requests(), started.witness()
    for number in (0, 1):
        mine = witness[witness["cell"] == number]
        assert len(mine) > 50
        assert set(mine["source"] % 2) == set(mine["target"] % 2) == {number}
    probes = records[((records["flags"] & Flag.PROBE) > 0) & (records["operation"] == NUMBERS["transfer"])]
    every = Counter(int(cell) for cell in probes["cell"])  # 50/s in each cell
    assert every[0] == every[1] or abs(every[0] - every[1]) <= 2
    assert every[0] >= 90
    # A pulse is the whole estate's: 60/s over both, beside some bills of sessions.
    pulses = records[(records["session"] == 0) & (records["operation"] == NUMBERS["bills"])]
    assert 50 <= len(pulses) <= 130


def test_a_share_of_the_money_goes_to_customers_of_other_cells_where_the_profile_says_so(
    start: Start, stub: Stub
) -> None:
    rules = (Remainder(3, 0), Remainder(3, 1), Remainder(3, 2))
    text = PHONES.replace("probes: 10}", "probes: 30, across_cells: 33%}")
    started = start(text, [stub.url], cells=("a", "b", "c"), rules=rules)
    wait.pause(3)
    started.load.stop()
    witness = started.witness()
    sent = witness[witness["act"] == Act.INTENT]
    assert len(sent) > 300
    assert set(sent["source"] % 3) == {0, 1, 2}
    assert np.all(sent["source"] % 3 == sent["cell"])
    away = sent[sent["target"] % 3 != sent["cell"]]
    assert 0.2 < len(away) / len(sent) < 0.46
    # To each of the others, and from probes to probes only.
    assert {(int(one["cell"]), int(one["target"]) % 3) for one in away} == {
        (a, b) for a in range(3) for b in range(3) if a != b
    }
    assert np.all((sent["source"] > 970) == (sent["target"] > 970))


@pytest.mark.parametrize(
    ("abandons", "leave"), [("{}", True), ("{balance: 0, bills: 0, transfer: 0, checkin: 0}", False)]
)
def test_who_is_refused_what_matters_little_to_him_stays(
    start: Start, stub: Stub, abandons: str, leave: bool
) -> None:
    app = f"app: {{timeout: 1s, retry: {{attempts: 1}}, abandon: 100%, abandons: {abandons}}}\n"
    text = "\n".join(line for line in PHONES.splitlines() if not line.startswith("app:"))
    started = start(f"{text}\n{app}", [stub.url])
    wait.pause(2)
    stub.behave("error")
    wait.pause(2)
    started.load.stop()
    check_whole(started)
    left = outcomes(finals(started.requests()))["BLOCKED", "ABANDONED"]
    assert (left > 0) is leave
