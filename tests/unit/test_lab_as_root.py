"""Becoming root for the lab: directly, through sudo, or not at all, and whose the results are."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "as_root.py"
WRITES = "mkdir -p runs/one .pytest_cache && touch runs/one/report; exit 3"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def ordinary(monkeypatch, tmp_path):
    """The script's main as an ordinary user has it; what it would become."""
    spec = importlib.util.spec_from_file_location("as_root", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    became = []

    def become(program, argv):
        became.append(argv)
        raise SystemExit

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("os.execvp", become)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return module.main, became


def test_without_sudo_the_whole_command_is_said(ordinary, capsys, tmp_path):
    main, became = ordinary
    assert main([".venv/bin/stormdrill", "run", "a b.yaml"]) == 2
    said = capsys.readouterr().err
    assert f"""su -c 'cd {tmp_path} && .venv/bin/stormdrill run '"'"'a b.yaml'"'"''""" in said
    assert became == []


def test_with_sudo_it_runs_itself_as_root(ordinary, tmp_path):
    main, became = ordinary
    (tmp_path / "sudo").touch(mode=0o755)
    with pytest.raises(SystemExit):
        main(["x", "y"])
    assert became == [["sudo", "-E", sys.executable, str(SCRIPT), "x", "y"]]


def run(tmp_path, *argv, **environment):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *argv],
        cwd=tmp_path,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


@as_root
def test_what_sudo_left_belongs_to_the_user_and_the_exit_code_is_kept(tmp_path):
    assert run(tmp_path, "sh", "-c", WRITES, SUDO_UID="65534", SUDO_GID="65533").wait(30) == 3
    for name in ("runs", "runs/one", "runs/one/report", ".pytest_cache"):
        found = (tmp_path / name).stat()
        assert (found.st_uid, found.st_gid) == (65534, 65533), name
    assert tmp_path.stat().st_uid == 0


@as_root
def test_root_itself_keeps_what_it_makes(tmp_path):
    assert run(tmp_path, "sh", "-c", WRITES).wait(30) == 3
    assert (tmp_path / "runs").stat().st_uid == 0


@as_root
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 7), (signal.SIGHUP, 8)])
def test_a_signal_reaches_the_command_and_the_files_are_given_back_all_the_same(tmp_path, number, code):
    waits = "trap 'exit 7' TERM; trap 'exit 8' HUP; mkdir runs; echo ready; while :; do sleep 0.1; done"
    process = run(tmp_path, "sh", "-c", waits, SUDO_UID="65534", SUDO_GID="65534")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(30) == code
    assert (tmp_path / "runs").stat().st_uid == 65534


@as_root
def test_a_command_that_a_signal_ends_is_told_as_a_shell_does(tmp_path):
    assert run(tmp_path, "sh", "-c", "kill -9 $$", SUDO_UID="65534").wait(30) == 137
