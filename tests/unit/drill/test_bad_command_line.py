"""What is wrong on the command line is said in one message; exit 2, nothing injected, nothing left behind."""

from pathlib import Path

import pytest

from stormdrill.cli import main

from .refusals import untouched


def test_a_context_that_does_not_exist(whole, run):
    code, said = run("--context", "west")
    assert code == 2
    assert "west" in said
    assert "east" in said
    assert untouched(whole)


def test_runs_that_cannot_be_kept_are_noticed_before_anything(whole, run):
    file = whole.root / "file"
    file.write_text("")
    for runs in (file, file / "below", Path("/proc/runs")):
        code, said = run("--runs", str(runs))
        assert code == 2
        assert f"{runs}: nothing can be written there" in said
    assert untouched(whole)


@pytest.mark.parametrize("option", ["--junit", "--summary"])
def test_a_gate_makes_the_place_of_its_files_before_anything(whole, monkeypatch, capsys, option):
    monkeypatch.chdir(whole.root)
    usual = ["gate", str(whole.experiment), "--kubeconfig", "kubeconfig", "--runs", str(whole.runs)]
    assert main([*usual, option, "/proc/ci/out"]) == 2
    assert "/proc/ci: nothing can be written there" in capsys.readouterr().err
    assert main([*usual, option, str(whole.root)]) == 2
    assert "is a directory" in capsys.readouterr().err
    assert untouched(whole)
    assert main([*usual, option, "new/out", "--budget", "1s"]) == 3
    assert (whole.root / "new" / "out").is_file()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (["run", "x.yaml", "--times", "steady=5"], "not a duration"),
        (["run", "x.yaml", "--times", "stedy=5s"], "no phase length 'stedy'"),
        (["run", "x.yaml", "--context", "=x"], "not CONTEXT or REGION=CONTEXT"),
        (["gate", "--budget", "soon"], "not a duration"),
        (["drill"], "invalid choice"),
    ],
)
def test_a_bad_command_line(line, what, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == 2
    assert what in capsys.readouterr().err


def test_a_missing_experiment(capsys):
    assert main(["run", "/nowhere/x.yaml"]) == 2
    assert "/nowhere/x.yaml" in capsys.readouterr().err


def test_a_directory_that_is_no_run(tmp_path, capsys):
    for command in ("measure", "judge", "report"):
        assert main([command, str(tmp_path)]) == 2
        assert "not a run directory" in capsys.readouterr().err
