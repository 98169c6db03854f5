"""Two labs of different names at once: traffic in both, and the end of one is nothing to the other."""

import contextlib
import threading
from threading import Event

import pytest
from tests.lab.tiny.lab import PAGE, STATES, TinyLab

pytestmark = pytest.mark.lab
SHIFT = 200


@pytest.fixture
def labs(tmp_path):
    """Both with the same addresses inside: only names and ports of this machine tell them apart."""
    both = TinyLab(), TinyLab.beside(tmp_path, "tiny2", SHIFT)
    for lab in both:
        lab.down()
    yield both
    for lab in both:
        lab.down()
    with contextlib.suppress(OSError):  # another lab is still there
        STATES.rmdir()


class Asking:
    """Asks a lab's page over and over, each time on a new connection."""

    def __init__(self, lab):
        self._lab, self._over = lab, Event()
        self.good, self.bad = 0, []
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._over.wait(0.02):
            try:
                answer = self._lab.answer()
            except OSError as error:
                self.bad.append(repr(error))
            else:
                if answer == PAGE:
                    self.good += 1
                else:
                    self.bad.append(repr(answer))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def identity(lab):
    report = lab.status()
    pods = sorted((pod["name"], pod["address"], pod["restarts"]) for pod in report["pods"])
    return pods, [process["pid"] for process in report["processes"]]


def test_two_labs_live_side_by_side_and_one_outlives_the_other(labs):
    one, other = labs
    one.up()
    with Asking(one) as asked:
        other.up()
        before = identity(one)
        with Asking(other) as beside:
            Event().wait(1.0)
        other.run("link", "one-a", "outside", "--cut")
        Event().wait(0.5)
        other.down()
        assert identity(one) == before
        seen = asked.good
        Event().wait(0.5)
    assert (asked.bad, beside.bad) == ([], [])
    assert asked.good > seen > 0
    assert beside.good > 0


def test_up_of_one_while_the_other_goes_down(labs):
    one, other = labs
    other.up()
    going, coming = other.start("down"), one.start("up", "--json")
    said = [process.communicate(timeout=120) for process in (going, coming)]
    assert [process.returncode for process in (going, coming)] == [0, 0], said
    assert other.leftovers() == []
    assert one.answer() == PAGE


def test_a_name_with_the_ports_of_another_is_refused_and_makes_nothing(labs, tmp_path):
    one, _ = labs
    one.up()
    directory = tmp_path / "same"
    directory.mkdir()
    same = TinyLab.beside(directory, "tiny3", 0)
    done = same.run("up")
    assert done.returncode == 2
    assert "port 127.0.0.1:26490 is taken (API of one)" in done.stderr
    assert "port 127.0.0.1:28490 is taken (forward web)" in done.stderr
    assert same.leftovers() == []
    assert one.answer() == PAGE
