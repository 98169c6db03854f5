"""The record of what was made: append-only, torn lines, several writers."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading

import pytest

from stormlab import process
from stormlab.errors import LabError
from stormlab.inventory import Inventory, Item
from stormlab.process import ProcessId
from stormlab.teardown import teardown, unfinished
from stormlab.wait import until

NOTE = "teardown.begun"


def test_what_was_added_and_not_removed_is_there_oldest_first(tmp_path):
    inventory = Inventory(tmp_path)
    inventory.add("netns", "a")
    inventory.add("dir", "b", "note")
    inventory.add("netns", "c")
    inventory.gone("netns", "a")
    assert inventory.items() == [Item("dir", "b", "note"), Item("netns", "c")]
    inventory.add("netns", "a")
    assert [item.name for item in Inventory(tmp_path).of_kind("netns")] == ["c", "a"]


def test_a_torn_line_is_a_thing_that_was_not_made_and_does_not_spoil_the_next(tmp_path):
    inventory = Inventory(tmp_path)
    inventory.add("netns", "a")
    with inventory.path.open("ab") as file:
        file.write(b'{"add":"netns","name":"tor')
    assert [item.name for item in inventory.items()] == ["a"]
    inventory.add("netns", "b")
    assert [item.name for item in inventory.items()] == ["a", "b"]


def test_a_kind_of_another_version_stops_rather_than_being_left_behind(tmp_path):
    inventory = Inventory(tmp_path)
    inventory.add("netns", "a")
    with inventory.path.open("ab") as file:
        file.write(b'{"add":"bridge","name":"x"}\n')
    with pytest.raises(LabError, match="unknown kind"):
        inventory.items()


def test_many_writers_lose_nothing(tmp_path):
    def write(number):
        for i in range(50):
            Inventory(tmp_path).add("file", f"{number}-{i}")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Inventory(tmp_path).items()) == 200


def test_a_process_records_itself_and_is_found_again(tmp_path):
    inventory = Inventory(tmp_path)
    argv = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    started = process.start(inventory, "sleeper", argv, tmp_path / "logs" / "sleeper.log")
    try:
        assert process.find(inventory, "sleeper") == started
        assert process.find(inventory, "other") is None
        until(lambda: "up" in (tmp_path / "logs" / "sleeper.log").read_text(), "output", 5)
        assert os.getsid(started.pid) == started.pid
        # The same pid with another start time is another process: it is not touched.
        stranger = ProcessId(started.pid, started.start_ticks - 1)
        assert not stranger.signal(signal.SIGKILL)
        assert started.alive
    finally:
        assert process.stop([started], 0) == []
    assert process.find(inventory, "sleeper") is None


def test_a_program_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        process.start(Inventory(tmp_path), "x", ["/does/not/exist"], tmp_path / "log")


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path):
    code = "import signal,time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    log = tmp_path / "log"
    started = process.start(Inventory(tmp_path), "stubborn", [sys.executable, "-c", code], log)
    until(lambda: "up" in log.read_text(), "output", 5)
    assert process.stop([started], 0.2) == []
    assert not started.alive


def test_teardown_removes_what_is_listed_and_nothing_else(tmp_path):
    state, made, foreign = tmp_path / "state", tmp_path / "made", tmp_path / "foreign"
    inventory = Inventory(state)
    inventory.add("dir", made)
    made.mkdir()
    (made / "file").write_text("x")
    foreign.mkdir()
    inventory.add("file", tmp_path / "never-made")
    inventory.add("netns", "sl-unit-test-never-made")
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    started = process.start(inventory, "p", argv, state / "log")
    assert teardown(inventory) == []
    assert not made.exists()
    assert not state.exists()
    assert not started.alive
    assert foreign.exists()
    assert teardown(inventory) == []


def test_what_was_made_before_a_reboot_is_not_looked_for(tmp_path):
    state = tmp_path / "state"
    inventory = Inventory(state)
    # Our own pid: if the boot id were not checked, the start time alone would have to save us.
    me = ProcessId.of(os.getpid())
    state.mkdir()
    inventory.path.write_text(f'{{"add":"process","name":"{me}","note":"me","boot":"another-boot"}}\n')
    assert teardown(inventory) == []


def test_a_directory_that_is_no_lab_is_not_removed(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a").write_text("dear")
    with pytest.raises(LabError, match="not the directory of a lab"):
        teardown(Inventory(tmp_path))
    assert (tmp_path / "letters" / "a").read_text() == "dear"


@pytest.mark.parametrize(
    "left", [[], ["topology.origin", "logs"], ["inventory", "pki"], ["inventory", NOTE], [NOTE]]
)
def test_what_a_killed_down_left_of_the_directory_is_removed(tmp_path, left):
    state = tmp_path / "state"
    state.mkdir()
    for name in left:
        (state / name).write_text("")
    assert teardown(Inventory(state)) == []
    assert not state.exists()


def test_the_inventory_goes_last(tmp_path, monkeypatch):
    """A `down` that is killed while it removes the directory must leave one that the next still knows."""
    state = tmp_path / "state"
    inventory = Inventory(state)
    inventory.add("file", tmp_path / "never-made")
    for name in ("logs", "pki", "topology.origin"):
        (state / name).write_text("")
    monkeypatch.setattr("pathlib.Path.unlink", lambda path, missing_ok=False: None)
    assert set(map(str, teardown(inventory))) == {
        f"{state / name} could not be removed" for name in ("logs", "pki", "topology.origin")
    }
    assert inventory.path.exists()
    assert unfinished(state), "an `up` that comes now must not go on with the rest"


def test_a_lab_that_is_up_is_not_unfinished(tmp_path):
    Inventory(tmp_path / "state").add("netns", "a")
    assert not unfinished(tmp_path / "state")
    assert not unfinished(tmp_path / "never")


def test_the_end_of_a_child_with_the_pid_of_a_recorded_process_is_left_to_whoever_started_it():
    child = subprocess.Popen(["false"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    process.stop([ProcessId(child.pid, 1)], 0)
    assert child.wait() == 1


@contextlib.contextmanager
def full(path, room):
    """No file grows beyond the size of this one and `room` more bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 5])
def test_what_cannot_be_recorded_as_a_whole_is_an_error(tmp_path, room):
    inventory = Inventory(tmp_path)
    inventory.add("netns", "a")
    with full(inventory.path, room), pytest.raises(OSError):
        inventory.add("netns", "b")
    inventory.add("netns", "c")
    assert [item.name for item in inventory.items()] == ["a", "c"]


def test_a_process_that_cannot_be_recorded_or_grouped_is_not_started_and_says_why(tmp_path):
    inventory = Inventory(tmp_path / "state")
    inventory.add("cgroup", tmp_path, "daemons")
    (tmp_path / "cgroup.procs").symlink_to("/dev/full")
    argv = [sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"]
    with pytest.raises(OSError, match=r"not started: .*No space left on device"):
        process.start(inventory, "p", argv, tmp_path / "log")
    assert not (tmp_path / "ran").exists()


def test_a_lab_goes_down_on_a_full_disk(tmp_path):
    state, made = tmp_path / "state", tmp_path / "made"
    inventory = Inventory(state)
    started = process.start(
        inventory, "p", [sys.executable, "-c", "import time; time.sleep(60)"], state / "log"
    )
    inventory.add("netns", "sl-unit-test-never-made")
    inventory.add("file", made)
    made.write_text("x")
    with full(inventory.path, 0):
        assert teardown(inventory) == []
    assert not started.alive
    assert not made.exists()
    assert not state.exists()
