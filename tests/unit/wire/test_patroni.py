"""The Patroni director against recorded answers of a real pair (Patroni 4.1.5, synchronous mode).

Recorded: a healthy pair; the primary's postmaster killed; the primary and its Patroni killed, before and
after the standby's promotion. Only addresses are made short.
"""

import time

import pytest

from stormdrill.direct.patroni import PatroniDirector, combine
from stormdrill.errors import TargetError

A, B = "pg-city1-a-0", "pg-city1-b-0"


def store(*members, **more):
    return {"members": list(members), "scope": "cell0", **more}


def entry(name, role, state="running", **more):
    return {"name": name, "role": role, "state": state, "api_url": "http://x/patroni", "host": "x", **more}


def lags(lag=0, lsn="0/3000050"):
    return {
        "receive_lag": lag,
        "receive_lsn": lsn,
        "replay_lag": lag,
        "replay_lsn": lsn,
        "lag": lag,
        "lsn": lsn,
    }


LEADER_A = entry(A, "leader", timeline=1)
SYNC_B = entry(B, "sync_standby", "streaming", timeline=1, **lags())
HEALTHY = store(LEADER_A, SYNC_B)


def own(role, state="running", **more):
    return {
        "state": state,
        "role": role,
        "dcs_last_seen": 1795444268,
        "patroni": {"version": "4.1.5"},
        **more,
    }


STREAMING = [
    {"usename": "repl", "application_name": B, "client_addr": "x", "state": "streaming", "sync_state": "sync"}
]
OWN_A = own(
    "primary",
    postmaster_start_time="2026-11-23 14:31:03.922466+00:00",
    timeline=1,
    xlog={"location": 50331728},
    replication=STREAMING,
)
OWN_B = own(
    "replica",
    postmaster_start_time="2026-11-23 14:31:05.421275+00:00",
    timeline=1,
    replication_state="streaming",
    sync_standby=True,
)


@pytest.fixture
def pair(peers):
    """Two members; each is a peer whose answers a test sets."""
    return peers(), peers()


def say(peer, cluster, mine):
    peer.answers = {"/cluster": (200, cluster), "/patroni": (200, mine)}


def director(pair, timeout_s=1.5):
    return PatroniDirector({A: pair[0].url, B: pair[1].url}, timeout_s)


def test_a_healthy_pair(pair):
    say(pair[0], HEALTHY, OWN_A)
    say(pair[1], HEALTHY, OWN_B)
    state = director(pair).cluster()
    assert (state.leader, state.store_leader, state.timeline, state.sync_standbys) == (A, A, 1, (B,))
    a, b = state.members
    assert (a.role, a.lag_bytes, b.role, b.lag_bytes, b.sync_state) == (
        "leader",
        None,
        "sync_standby",
        0,
        "sync",
    )
    assert director(pair).postmaster_started(A) == "2026-11-23 14:31:03.922466+00:00"


def test_a_crashed_primary_is_no_leader_though_the_store_says_running(pair):
    crashed = own("primary", "crashed")
    say(pair[0], HEALTHY, crashed)
    say(pair[1], HEALTHY, OWN_B)
    state = director(pair).cluster()
    assert (state.leader, state.store_leader, state.sync_standbys) == (None, A, ())
    assert (state.members[0].state, state.members[0].role) == ("crashed", "primary")
    assert director(pair).postmaster_started(A) is None


@pytest.mark.parametrize("state", ["starting", "unknown", "stopped"])
def test_until_it_runs_it_does_not_lead(pair, state):
    say(pair[0], HEALTHY, own("primary", state))
    say(pair[1], HEALTHY, OWN_B)
    assert director(pair).leader() is None


def test_a_dead_leader_stays_in_the_store_but_does_not_lead(pair):
    pair[0].close()
    say(pair[1], HEALTHY, OWN_B)
    state = director(pair).cluster()
    assert (state.leader, state.store_leader) == (None, A)
    assert (state.members[0].reachable, state.members[1].reachable) == (False, True)


def test_after_promotion_the_other_leads_on_a_new_timeline(pair):
    pair[0].close()
    say(pair[1], store(entry(B, "leader", timeline=2)), own("primary", timeline=2))
    state = director(pair).cluster()
    assert (state.leader, state.timeline, state.sync_standbys) == (B, 2, ())
    assert state.members[0].role is None


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_that_say_primary_the_one_promoted_last_leads_and_both_are_named(pair, first):
    """The old leader is cut from the store: its own view still has it as leader."""
    say(pair[0], HEALTHY, OWN_A)
    say(pair[1], store(entry(B, "leader", timeline=2)), own("primary", timeline=2))
    members = [(A, pair[0].url), (B, pair[1].url)]
    state = PatroniDirector(dict([members[first], members[1 - first]])).cluster()
    assert (state.leader, state.store_leader, sorted(state.primaries)) == (B, B, [A, B])


@pytest.mark.parametrize("late", [A, B])
def test_without_a_leader_the_store_is_seen_by_who_reached_it_last(pair, late):
    said = {name: own("replica", dcs_last_seen=2 if name == late else 1) for name in (A, B)}
    say(pair[0], store(entry(A, "replica"), entry(B, "leader")), said[A])
    say(pair[1], store(entry(A, "leader"), entry(B, "replica")), said[B])
    assert director(pair).cluster().store_leader == (B if late == A else A)


def test_an_error_of_the_store_is_no_view(pair):
    say(pair[0], {"members": []}, OWN_A)
    pair[0].answers["/cluster"] = (503, {"members": []})
    say(pair[1], HEALTHY, OWN_B)
    state = director(pair).cluster()
    assert (state.leader, state.sync_standbys) == (A, (B,))


@pytest.mark.parametrize(
    ("role", "sync_state"), [("replica", "sync"), ("sync_standby", "async"), ("replica", "async")]
)
def test_a_standby_counts_only_when_store_and_database_agree(pair, role, sync_state):
    """Seen for some seconds after a crash: it streams already, but the store does not list it yet."""
    replication = [{**STREAMING[0], "sync_state": sync_state}]
    say(pair[0], store(LEADER_A, {**SYNC_B, "role": role}), {**OWN_A, "replication": replication})
    say(pair[1], HEALTHY, OWN_B)
    assert director(pair).cluster().sync_standbys == ()


def test_an_unknown_lag_is_unknown_and_pause_is_seen(pair):
    say(pair[0], store(LEADER_A, {**SYNC_B, "lag": "unknown"}, pause=True), OWN_A)
    say(pair[1], HEALTHY, OWN_B)
    state = director(pair).cluster()
    assert (state.members[1].lag_bytes, state.paused) == (None, True)


def test_nobody_answers(pair):
    for peer in pair:
        peer.close()
    with pytest.raises(TargetError, match=f"no Patroni member answers: {A} at http://"):
        director(pair).cluster()


def test_a_silent_member_costs_one_timeout_only(pair, silent):
    say(pair[1], HEALTHY, OWN_B)
    began = time.monotonic()
    state = PatroniDirector({A: f"http://{silent}", B: pair[1].url}, timeout_s=0.4).cluster()
    assert time.monotonic() - began < 1.2
    assert state.store_leader == A
    assert state.leader is None


@pytest.mark.parametrize("body", ["<html>", [], "3"])
def test_nonsense_is_no_answer(pair, body):
    say(pair[0], body, body)
    say(pair[1], HEALTHY, OWN_B)
    assert director(pair).cluster().members[0].reachable is False


def test_the_lag_is_the_distance_between_two_log_positions_of_now():
    """The store's word is up to a loop_wait old; the members' own positions are not."""
    leader = {"role": "primary", "state": "running", "timeline": 1, "xlog": {"location": 5_000}}
    standby = {"role": "replica", "state": "running", "timeline": 1, "xlog": {"received_location": 4_200}}
    view = {"members": [{"name": "a", "role": "leader"}, {"name": "b", "role": "replica", "lag": 7}]}
    a, b = combine({"a": view, "b": view}, {"a": leader, "b": standby}).members
    assert (a.lsn, a.lag_bytes, b.lsn, b.lag_bytes) == (5_000, None, 4_200, 800)
    (_, silent) = combine({"a": view, "b": None}, {"a": leader, "b": None}).members
    assert (silent.lsn, silent.lag_bytes) == (None, 7)
