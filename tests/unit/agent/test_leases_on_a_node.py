"""However a fault ends - wish, lease, deadline, death of holder, API or agent - nothing is left of it."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from .network import FAR, connects
from .rig import eventually

pytestmark = pytest.mark.lab


def nothing_left(rig):
    return eventually(lambda: not rig.tables() and not rig.records())


def test_a_lease_that_is_not_renewed_ends_it_and_for_good(rig):
    rig.start().ready()
    rig.put(lease_s=1.2)
    rig.until("applied")
    began = time.monotonic()
    while time.monotonic() - began < 1.5:  # renewed: it stands
        rig.put(lease_s=1.2, renewal=int((time.monotonic() - began) * 1000) + 2)
        assert rig.tables()
        time.sleep(0.1)
    assert rig.until("reverted")["reason"] == "lease"
    assert nothing_left(rig)
    rig.put(lease_s=1, renewal=9000)
    rig.put("next")
    rig.until("applied", "next")
    assert rig.tables() == ["stormdrill-uid-of-next"]
    rig.kill()
    rig.start().ready()
    rig.put("third")
    rig.until("applied", "third")
    assert "stormdrill-uid-of-cut" not in rig.tables()
    assert rig.status()["reason"] == "lease"


def test_the_deadline_ends_it_however_often_it_is_renewed(rig):
    rig.start().ready()
    rig.put(lease_s=1, deadlineSeconds=1.5)
    rig.until("applied")
    began = time.monotonic()
    status = rig.until("reverted")
    assert 1.0 < time.monotonic() - began < 2.5
    assert status["reason"] == "deadline"


def test_losing_sight_of_the_api_is_the_end_of_the_lease(rig):
    rig.start().ready()
    rig.put(lease_s=1)
    rig.until("applied")
    os.kill(rig.api.pid, signal.SIGSTOP)
    began = time.monotonic()
    assert nothing_left(rig)
    assert time.monotonic() - began < 2.0
    os.kill(rig.api.pid, signal.SIGCONT)
    assert rig.until("reverted")["reason"] == "lease"


def test_an_object_that_is_deleted_ends_it_and_a_namesake_is_another(rig):
    rig.start().ready()
    rig.put()
    rig.until("applied")
    rig.say(gone="cut")
    assert nothing_left(rig)
    rig.put(uid="another")
    rig.until("applied")
    assert rig.tables() == ["stormdrill-another"]
    assert eventually(lambda: list((rig.state / "ended").glob("*.json")) == [])


def test_told_to_end_it_takes_everything_away(rig):
    rig.start().ready()
    for name in ("one", "two"):
        rig.put(name)
        rig.until("applied", name)
    rig.terminate()
    assert (rig.tables(), rig.records()) == ([], [])
    assert rig.status("one")["reason"] == rig.status("two")["reason"] == "stopped"
    assert rig.status("two")["revertedAt"] < rig.status("one")["revertedAt"]
    assert "stormdrill-agent" not in rig.node.run("nft", "list", "tables")


def test_killed_it_goes_on_where_it_was(rig):
    rig.start().ready()
    rig.put()
    rig.until("applied")
    rig.kill()
    assert rig.tables()
    record = rig.state / "faults" / "uid-of-cut.json"
    before = record.read_text()
    rig.start().ready()
    assert rig.tables()
    assert not connects(rig.pod, FAR)
    assert record.read_text() == before, "the lease goes on, too: it does not begin anew"
    rig.kill()
    seen = json.loads(before)
    record.write_text(json.dumps({**seen, "renewed_s": seen["renewed_s"] - 31}))
    rig.start()
    assert rig.until("reverted")["reason"] == "lease"
    assert nothing_left(rig)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("act", ["apply", "revert"])
def test_killed_beside_nft_the_next_start_finishes(rig, act, when):
    with dying_nft(rig) as arm:
        rig.start().ready()
        if act == "apply":
            arm(when)
            rig.put()
            rig.died()
            assert bool(rig.tables()) == (when == "after")
            assert rig.records() == ["uid-of-cut"]
            rig.start()
            rig.until("applied")
            assert rig.tables() == ["stormdrill-uid-of-cut"]
            return
        rig.put()
        rig.until("applied")
        arm(when)
        rig.put(desired="reverted")
        rig.died()
        assert bool(rig.tables()) == (when == "before")
        os.kill(rig.api.pid, signal.SIGSTOP)  # what was begun is finished without being told again
        rig.start()
        assert nothing_left(rig)
        os.kill(rig.api.pid, signal.SIGCONT)
        assert rig.until("reverted")["reason"] == "wanted"


class dying_nft:  # noqa: N801 - read as a sentence
    """An nft that kills who called it, once, just before or after it carries out a script."""

    def __init__(self, rig):
        self.rig, self.trap = rig, rig.directory / "trap"
        rig.nft(
            f'arm() {{ [ "$1" = -f ] && [ "$(cat {self.trap} 2>/dev/null)" = "$2" ] && rm {self.trap}; }}\n'
            'if arm "$1" before; then kill -9 $PPID; exit 1; fi\n'
            'nft "$@"; code=$?\n'
            'if arm "$1" after; then kill -9 $PPID; fi\nexit $code'
        )

    def __enter__(self):
        return self.trap.write_text

    def __exit__(self, *_):
        self.trap.unlink(missing_ok=True)


def begun(rig, uid="old", **more):
    """What an earlier agent, of another boot, has written down; its table is there."""
    (rig.state / "faults").mkdir(parents=True, exist_ok=True)
    record = {
        "uid": uid, "name": uid, "boot": "an earlier one", "begun_s": time.monotonic(), "begun_utc": "",
        "renewal": 1, "renewed_s": time.monotonic(),
        "spec": {"kind": "partition", "holder": "x", "desired": "applied", "leaseSeconds": 300, "renewal": 1,
                 "targets": [{"node": "node-1", "zone": "a", "inside": ["10.91.1.0/24"]}]},
        **more,
    }  # fmt: skip
    (rig.state / "faults" / f"{uid}.json").write_text(json.dumps(record))
    rig.node.run("nft", "add", "table", "inet", f"stormdrill-{uid}")


def test_what_nft_would_not_remove_at_the_start_is_removed_later(rig):
    """Leftovers, and a fault that had failed: its agent was killed before it had taken away what there was."""
    busy = rig.directory / "busy"
    busy.touch()
    rig.nft(f'if [ -e {busy} ]; then echo busy >&2; exit 1; fi; exec nft "$@"')
    begun(rig, "failed", boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    (rig.state / "ended").mkdir()
    said = {"state": "failed", "why": "no group", "evidence": {"rules": 4, "dropped": 7}, "tookMs": 3.0}
    ended = {"uid": "failed", "name": "failed", "reason": "", "status": said}
    (rig.state / "ended" / "failed.json").write_text(json.dumps(ended))
    rig.node.run("nft", "add", "table", "inet", "stormdrill-unknown")
    rig.put("failed", uid="failed")
    rig.start().ready()
    assert "busy" in rig.until("reverting", "failed")["why"]
    assert len(rig.tables()) == 2
    busy.unlink()
    assert nothing_left(rig)
    found = rig.until("failed", "failed")
    assert (found["why"], found["evidence"], found["tookMs"]) == ("no group", {"rules": 4, "dropped": 7}, 3.0)


def test_leftovers_are_gone_before_the_api_is_asked(rig):
    os.kill(rig.api.pid, signal.SIGSTOP)
    begun(rig)
    (rig.state / "faults" / "torn.json").write_text('{"uid": "to')
    for table in ("unknown", "torn"):
        rig.node.run("nft", "add", "table", "inet", f"stormdrill-{table}")
    rig.node.run("nft", "add", "table", "inet", "storm")
    rig.start()
    assert nothing_left(rig)
    assert "inet storm\n" in rig.node.run("nft", "list", "tables")
    rig.node.run("nft", "delete", "table", "inet", "storm")


def test_what_was_there_before_the_agent_must_be_seen_to_be_held(rig):
    rig.put()
    rig.start().ready()
    rig.put("new")
    rig.until("applied", "new")
    assert rig.tables() == ["stormdrill-uid-of-new"]
    rig.put(renewal=2)
    rig.until("applied")


def test_what_was_over_before_it_began_is_over(rig):
    rig.start().ready()
    rig.put(desired="reverted")
    assert rig.until("reverted")["why"] == "never applied"
    rig.put(desired="applied", renewal=5)
    rig.put("next")
    rig.until("applied", "next")
    assert rig.tables() == ["stormdrill-uid-of-next"]


def test_a_second_agent_is_refused(rig):
    first = rig.start().ready().agent
    rig.start("--listen", "127.0.0.1:7403")
    second, rig.agent = rig.agent, first
    assert second.wait(10) == 2
    assert "another agent is running" in rig.said()
