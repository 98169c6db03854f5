"""A failover that somebody stops, or whose harness dies: taken back before the promotion, held after it."""

import json
import re
import signal
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from tests.lab.drill.estate import LIGHT, event, until
from tests.lab.kills import traces
from tests.lab.verdicts.changed import TIMES, experiment
from tests.lab.verdicts.harness import harness, history, recover
from tests.lab.verdicts.writing import FIRST, writer

pytestmark = [pytest.mark.lab, pytest.mark.long]
GONE_S = 5.0
LEASE_S = 15.0
BACK_S = 60.0
"""Until customers are served again: a site that was lost starts all its pods anew."""
OPTIONS = (*LIGHT, "--times", f"{TIMES},recover_limit=60s")


@pytest.fixture
def remote_failover(tmp_path):
    return experiment(tmp_path, "remote-failover", ("after: 10s", "after: 4s"))


def gone_after_s(lab, since):
    """How long after `since` no rule of a fault and no fault was left."""
    until(lambda: not traces.tables(lab) and not traces.faults(lab), 60, "the end of the fault")
    return time.monotonic() - since


def serves(lab, edge):
    """Whether a customer can log in and move money there."""
    url = f"http://{lab.endpoints[edge]}"
    try:
        body = {"customer": FIRST, "device": f"device-{FIRST}", "password": f"pw-{FIRST}"}
        token = _post(f"{url}/v1/login", body)["token"]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
        return "movement" in _post(f"{url}/v1/transfers", {"to": FIRST + 1, "amount": 1}, headers)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _post(url, body, headers=None):
    headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=3) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("moment", ["fault.applied", "fence.closing"])
def test_ctrl_c_before_the_promotion_takes_all_back(lab, tmp_path, say, remote_failover, moment):
    with harness(lab, remote_failover, tmp_path, *OPTIONS) as drill:
        run = drill.run()
        event(run, moment)
        since = drill.signal(signal.SIGINT)
        gone_s = gone_after_s(lab, since)
        until(lambda: serves(lab, "edge-city1-a") and serves(lab, "edge-city1-b"), BACK_S, "service in city1")
        back_s = time.monotonic() - since
        code = drill.ended()
    after = recover(lab, tmp_path)
    say(
        f"Ctrl-C after {moment}: fault gone after {gone_s:.1f} s, service back after {back_s:.1f} s, exit {code}"
    )
    say(f"recover: exit {after.returncode}: {after.stdout.strip()}")
    assert gone_s < GONE_S
    assert code == 4, drill.said()
    assert not [one for one in history(run) if one["kind"] == "promote.started"]
    assert (after.returncode, "nothing was left behind" in after.stdout) == (0, True), (
        after.stdout + after.stderr
    )


def test_ctrl_c_after_the_promotion_holds_and_recover_brings_it_home(lab, tmp_path, say, remote_failover):
    with harness(lab, remote_failover, tmp_path, *OPTIONS) as drill:
        run = drill.run()
        event(run, "promote.done")
        since = drill.signal(signal.SIGINT)
        gone_s = gone_after_s(lab, since)
        code = drill.ended()
    held = [one["data"]["why"] for one in history(run) if one["kind"] == "hold"]
    say(f"Ctrl-C after promote.done: fault gone after {gone_s:.1f} s, exit {code}; held: {held}")
    assert gone_s < GONE_S
    assert code == 4, drill.said()
    assert held
    assert "Safe: hold" in held[-1]
    assert " ".join(held[-1].split())[:60] in " ".join(drill.said().split()), "it is said, not only recorded"
    assert serves(lab, "edge-city2-a")
    brought_home(lab, tmp_path, say)


def test_a_harness_killed_after_the_promotion_leaves_no_dual_write(lab, tmp_path, say, remote_failover):
    """Phones that stay at every edge go on posting: nobody is let in at home once city2 has taken a write."""
    with writer(lab, tmp_path, "--stay") as writing:
        with harness(lab, remote_failover, tmp_path, *OPTIONS) as drill:
            run = drill.run()
            event(run, "fault.applied")
            writing.begin()
            promoted_ns = event(run, "promote.done")["mono_ns"]
            since = drill.signal(signal.SIGKILL)
        gone_s = gone_after_s(lab, since)
        until(lambda: not traces.red(lab), 30, "green canaries")
        until(lambda: _acknowledged(writing, "city2-a"), 30, "a write in city2")
        quiet_from = time.monotonic()
        until(
            lambda: time.monotonic() - quiet_from > 5, 10, "home, with its network back and its pods started"
        )
        said = recover(lab, tmp_path)
        writing.end()
        first_ns = min(one.good_ns for one in _acknowledged(writing, "city2-a"))
        home = [one.good_ns for name in ("city1-a", "city1-b") for one in _acknowledged(writing, name)]
        dual = [good_ns for good_ns in home if good_ns > first_ns]
        tried = [one for one in writing.so_far() if one.edge.startswith("city1") and one.due_ns > first_ns]
    first_s = (first_ns - promoted_ns) / 1e9
    say(f"SIGKILL after promote.done: fault gone after {gone_s:.1f} s; first write of a customer in city2")
    say(f"{first_s:.1f} s after the promotion's own; {len(dual)} of {len(tried)} writes in city1 after that")
    say(f"recover: exit {said.returncode}: {said.stdout.strip()}")
    assert gone_s < LEASE_S + 2
    assert tried, "nobody tried to write in city1: nothing was shown"
    assert dual == []
    assert said.returncode == 5, said.stdout + said.stderr
    assert "city2 has been promoted and leads" in said.stdout
    assert "Safe: hold" in said.stdout
    fork = brought_home(lab, tmp_path, say)
    members = json.loads(fork.read_text())["members"]
    assert [one["read"] for one in members] == [True, True]
    late = [one["at"] for member in members for one in member["commits"] if one["at"] > _utc(run)]
    assert late == [], "nothing was committed in city1 after the promotion"


def _acknowledged(writing, edge):
    """What a customer was told is booked, however late."""
    return [one for one in writing.so_far() if one.good_ns is not None and one.edge == edge]


def _utc(run):
    """When the promotion was done, as the database's commits tell time."""
    return next(one["utc"] for one in history(run) if one["kind"] == "promote.done").replace("T", " ")


def brought_home(lab, directory, say):
    """`recover --come-back` leaves all as it was; the file with the old timeline."""
    since = time.monotonic()
    back = recover(lab, directory, "--come-back", "cell0")
    say(f"recover --come-back cell0: exit {back.returncode} after {time.monotonic() - since:.0f} s")
    say(back.stdout.strip())
    assert back.returncode == 0, back.stdout + back.stderr
    until(lambda: serves(lab, "edge-city1-a") and serves(lab, "edge-city1-b"), 30, "service in city1")
    assert not serves(lab, "edge-city2-a")
    after = recover(lab, directory)
    assert (after.returncode, "nothing was left behind" in after.stdout) == (0, True), (
        after.stdout + after.stderr
    )
    return Path(re.search(r"its old timeline is kept in (\S+)", back.stdout)[1])
