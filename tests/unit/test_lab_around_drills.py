"""The lab that a drill brings up for itself: taken down when this drill made it, and only then."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stormdrill.cli import laboratory
from stormdrill.drill.stop import Stop
from stormdrill.errors import InputError
from stormlab import maker
from stormlab.down import down
from stormlab.inventory import Inventory

# `up` and `down` as far as makers go; UP is the exit code of `up`.
LAB = """\
import json, os, sys
from pathlib import Path
place, command = Path(__file__).parent, sys.argv[1]
maker = sys.argv[sys.argv.index("--maker") + 1]
with (place / "calls").open("a") as calls:
    calls.write(f"{command}\\n")
if command == "up":
    if os.environ["UP"] != "2" and not (place / "made-by").exists():
        (place / "made-by").write_text(maker)
    print(json.dumps({"ok": os.environ["UP"] == "0", "kubeconfig": "/state/kubeconfig"}))
    sys.exit(int(os.environ["UP"]))
there = (place / "made-by").exists()
kept = there and (place / "made-by").read_text() != maker
if there and not kept:
    (place / "made-by").unlink()
print(json.dumps({"ok": True, "kept": kept}))
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A directory with `made-by` in it while the lab is up."""
    (tmp_path / "lab.py").write_text(LAB)
    monkeypatch.setattr(laboratory, "_LAB", [sys.executable, str(tmp_path / "lab.py")])
    monkeypatch.setenv("UP", "0")
    return tmp_path


def drill():
    with laboratory.running(Path("small.yaml"), Stop(), quiet=True) as kubeconfig:
        return kubeconfig


WATCHING = """\
import signal, sys
try:
    print("on", flush=True)
    signal.pause()
except KeyboardInterrupt:
    sys.exit(7)
"""
INTERRUPTED = """\
import argparse, sys
from stormdrill.cli import laboratory
laboratory._LAB = [sys.executable, "-c", sys.argv[1]]
sys.exit(laboratory.lab(argparse.Namespace(action="status", arguments=["--watch"])))
"""


def test_ctrl_c_ends_the_lab_command_its_own_way():
    """As at a terminal: both get the signal, and what the lab makes of it holds."""
    argv = [sys.executable, "-c", INTERRUPTED, WATCHING]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen(argv, text=True, **pipes) as process:
        assert process.stdout.readline() == "on\n"
        os.killpg(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=20)
    assert (process.returncode, complaints) == (7, "")


def test_a_lab_that_the_drill_brought_up_goes_down(lab, capsys):
    assert drill() == Path("/state/kubeconfig")
    assert (lab / "calls").read_text() == "up\ndown\n"
    assert not (lab / "made-by").exists()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("code", ["0", "1", "2"])
def test_a_lab_that_was_up_stays_up_and_a_line_says_so(lab, capsys, monkeypatch, code):
    (lab / "made-by").write_text("another drill")
    monkeypatch.setenv("UP", code)
    if code == "0":
        drill()
    else:
        with pytest.raises(InputError, match="does not come up"):
            drill()
    assert (lab / "made-by").read_text() == "another drill"
    assert "lab small: was there before and stays" in capsys.readouterr().err


def test_a_lab_that_came_up_half_goes_down(lab, monkeypatch):
    monkeypatch.setenv("UP", "1")
    with pytest.raises(InputError, match="does not come up"):
        drill()
    assert not (lab / "made-by").exists()


def test_a_refused_up_says_nothing_of_a_lab_that_is_not_there(lab, capsys, monkeypatch):
    monkeypatch.setenv("UP", "2")
    with pytest.raises(InputError):
        drill()
    assert "stays" not in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="a lab belongs to root")
def test_down_for_one_maker_keeps_the_lab_of_another(tmp_path):
    state = tmp_path / "tmaker"
    Inventory(state).add("file", tmp_path / "thing")
    (tmp_path / "thing").write_text("")
    for made_by in ("", "a"):
        maker.record(state, made_by)
        assert down("tmaker", state, print, "b").kept
        assert (tmp_path / "thing").exists()
    done = down("tmaker", state, print, "a")
    assert (done.kept, done.things, state.exists()) == (False, 1, False)
    assert not down("tmaker", state, print, "a").kept


@pytest.mark.skipif(os.geteuid() != 0, reason="a lab belongs to root")
def test_a_lab_without_a_maker_is_kept_and_down_without_one_takes_any(tmp_path):
    state = tmp_path / "tmaker"
    Inventory(state).add("file", tmp_path / "never-made")
    assert down("tmaker", state, print, "").kept
    maker.record(state, "a")
    assert down("tmaker", state, print).things == 1
    assert not state.exists()
