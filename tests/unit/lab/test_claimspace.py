"""Volumes of a size: full when they are full, and gone without a trace. Real mounts, in namespaces of their own."""

import errno
import os
import traceback

import pytest

from stormlab import claimspace
from stormlab.inventory import Inventory
from stormlab.pod import kernel

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def apart(work):
    """Run `work` in a process whose mounts are its own."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            kernel.unshare(kernel.CLONE_NEWNS)
            kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 -- whatever it is, the parent must know
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def state(tmp_path):
    return tmp_path


def room(place):
    """Bytes that can still be written."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def mounted(inventory):
    return [item.name for item in inventory.of_kind("mount")]


def test_a_full_volume_is_full_for_its_pod_alone(state):
    def work():
        inventory = Inventory(state)
        claimspace.make(state, inventory)
        one, other = (claimspace.of_pod(state, uid) / "v" for uid in ("one", "other"))
        assert claimspace.mount(one, 1 << 20, inventory) == 1 << 20
        claimspace.mount(other, 1 << 20, inventory)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (one / "big").write_bytes(bytes(2 << 20))
        assert (one / "big").stat().st_size >= (1 << 20) - (1 << 16)
        assert room(other) > (1 << 20) - (1 << 16)

    apart(work)


def test_a_volume_keeps_what_is_in_it_and_grows(state):
    def work():
        inventory = Inventory(state)
        claimspace.make(state, inventory)
        place = state / claimspace.DIRECTORY / "city1" / "bank" / "data" / "uid"
        claimspace.mount(place, 1 << 20, inventory)
        (place / "note").write_text("kept")
        claimspace.mount(place, 2 << 20, inventory)
        assert (place / "note").read_text() == "kept"
        assert room(place) > 1 << 20
        assert claimspace.mount(place, 1 << 50, inventory) == claimspace.SIZE_MB << 20
        assert mounted(inventory).count(str(place)) == 1

    apart(work)


def test_nothing_is_left_of_a_pod(state):
    def work():
        inventory = Inventory(state)
        claimspace.make(state, inventory)
        place = claimspace.of_pod(state, "one") / "v"
        claimspace.mount(place, 1 << 20, inventory)
        (place / "note").write_text("gone soon")
        claimspace.remove_of_pod(state, "one", inventory)
        claimspace.remove_of_pod(state, "one", inventory)
        assert not claimspace.of_pod(state, "one").exists()
        assert mounted(inventory) == [str(state / claimspace.DIRECTORY)]

    apart(work)


def test_who_looked_in_before_sees_what_comes_and_goes(state):
    """A pod that runs already is in a mount namespace of its own."""

    def work():
        inventory = Inventory(state)
        claimspace.make(state, inventory)
        place = claimspace.of_pod(state, "one") / "v"
        asking, answering = os.pipe()
        go, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(told)  # so that it ends with the other
            kernel.unshare(kernel.CLONE_NEWNS)
            kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
            os.write(answering, b"r")
            for _ in range(2):
                if not os.read(go, 1):
                    break
                os.write(answering, b"1" if os.path.ismount(place) else b"0")
            os._exit(0)
        assert os.read(asking, 1) == b"r"
        claimspace.mount(place, 1 << 20, inventory)
        os.write(told, b"x")
        assert os.read(asking, 1) == b"1"
        claimspace.unmount(place, inventory)
        os.write(told, b"x")
        assert os.read(asking, 1) == b"0", "a volume of a pod that is gone holds no memory"
        os.waitpid(pid, 0)

    apart(work)


def test_what_lies_there_already_stays(state):
    def work():
        inventory = Inventory(state)
        old = state / claimspace.DIRECTORY / "city1" / "data" / "uid"
        old.mkdir(parents=True)
        (old / "note").write_text("kept")
        claimspace.make(state, inventory)
        claimspace.make(state, inventory)
        claimspace.mount(old, 1 << 20, inventory)
        assert (old / "note").read_text() == "kept"
        assert mounted(inventory) == [str(state / claimspace.DIRECTORY)]

    apart(work)
