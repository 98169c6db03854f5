"""Endings to tables, files and exit codes; a gate's time budget; what `check` accepts."""

import json
import os
import pty
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from stormdrill.cli import main
from stormdrill.cli.ending import Ending, of_verdict, together
from stormdrill.cli.progress import progress
from stormdrill.cli.summary import write_junit, write_markdown
from stormdrill.cli.table import print_table
from stormdrill.errors import ExitCode
from stormdrill.store import Run
from stormdrill.verdict import Check, Measured, Outcome, Verdict

REPOSITORY = Path(__file__).parents[3]


def check(name, kind, outcome, value, unit="s", *, error=None, tier=""):
    details = {"tier": tier} if tier else {}
    return Check(
        name, kind, outcome, Measured(value, unit, error), "<= 5 s", "all", "because", details=details
    )


def parsed(path):
    return ET.fromstring(path.read_text())  # noqa: S314 - our own file


def verdict(*checks, outcome=Outcome.PASS, aborted=False):
    return Verdict(
        run="r", experiment="pod-kill", verdict=outcome, aborted=aborted, checks=checks, validity=(),
        aborted_why="guard: too bad" if aborted else "",
    )  # fmt: skip


def test_the_table_line_shows_the_worst_recovery_and_what_was_lost():
    ending = of_verdict(
        Run(Path("runs/r")),
        verdict(
            check("recovery.login", "recovery_time", Outcome.PASS, 1.2, error=0.1),
            check("recovery.transfer", "recovery_time", Outcome.PASS, 3.4, error=0.5),
            check("lost", "data_loss", Outcome.PASS, 0, "movements"),
        ),
        61.04,
    )
    assert (ending.verdict, ending.recovery, ending.lost) == ("pass", "3.4 ± 0.5 s", "0")
    assert ending.report == "runs/r/report.html"
    assert ending.exit_code == ExitCode.PASS
    assert ending.why == ()


def test_a_less_important_tier_that_is_asked_for_seldom_does_not_speak_for_the_drill():
    ending = of_verdict(
        Run(Path("r")),
        verdict(
            check("recovery.transfer", "recovery_time", Outcome.PASS, 3.4, error=0.1, tier="A1"),
            check("recovery.balance", "recovery_time", Outcome.PASS, 4.1, error=0.1, tier="A2"),
            check("recovery.checkin", "recovery_time", Outcome.PASS, 35.0, error=17.0, tier="C"),
        ),
        1,
    )
    assert ending.recovery == "4.1 ± 0.1 s"


def test_a_recovery_that_was_not_seen_outranks_every_number():
    ending = of_verdict(
        Run(Path("r")),
        verdict(
            check("recovery.login", "recovery_time", Outcome.PASS, 1.2),
            check("recovery.transfer", "recovery_time", Outcome.FAIL, "> 61"),
            outcome=Outcome.FAIL,
        ),
        1,
    )
    assert ending.recovery == "> 61 s"
    assert ending.why == ("recovery.transfer: fail: because",)
    assert ending.lost == "-"


def test_an_abort_is_said_with_its_reason():
    ending = of_verdict(Run(Path("r")), verdict(outcome=Outcome.FAIL, aborted=True), 1)
    assert ending.verdict == "fail, aborted"
    assert ending.exit_code == ExitCode.ABORTED
    assert ending.why[0] == "aborted: guard: too bad"


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], 3),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 1, 0], 1),
        ([4, 3], 4),
        ([4, 1], 1),
        ([2, 0], 2),
        ([5, 1, 4], 5),
    ],
)
def test_several_drills_exit_with_the_gravest(codes, expected):
    assert together(Ending("x", "v", ExitCode(code)) for code in codes) == expected


def endings():
    return [
        Ending("a", "pass", ExitCode.PASS, "1.0 s", "0", "a.html", "a", 60.0),
        Ending("b", "fail", ExitCode.FAIL, "> 9 s", "3", "b.html", "b", 61.0, ("lost: fail: 3 <gone>",)),
        Ending("c", "inconclusive", ExitCode.INCONCLUSIVE, why=("no data",)),
    ]


def test_junit_tells_failures_from_errors(tmp_path):
    write_junit(tmp_path / "junit.xml", endings())
    (suite,) = parsed(tmp_path / "junit.xml")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {"a": [], "b": ["failure"], "c": ["error"]}
    assert suite.findtext("testcase[@name='b']/failure") == "lost: fail: 3 <gone>"


def test_the_markdown_summary_holds_the_table_and_the_reasons(tmp_path):
    write_markdown(tmp_path / "summary.md", endings())
    text = (tmp_path / "summary.md").read_text()
    assert "| b | fail | > 9 s | 3 | b.html |" in text
    assert "- no data" in text


def test_the_plain_table_is_one_line_a_drill(capsys):
    print_table(endings())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["experiment", "verdict", "recovery", "time", "lost", "report"]
    assert lines[2].startswith("b")
    assert lines[-1] == "c: no data"


@pytest.fixture
def gate(whole, monkeypatch, capsys):
    """Run `stormdrill gate` over the experiment, as often as told; its exit code and the drills' endings."""
    monkeypatch.chdir(whole.root)

    def call(*options, times=1):
        experiments = [str(whole.experiment)] * times
        usual = ["--kubeconfig", "kubeconfig", "--runs", str(whole.runs), "--json"]
        code = main(["gate", *experiments, *usual, *options])
        return code, json.loads(capsys.readouterr().out)["drills"]

    return call


def test_a_gate_does_not_start_what_its_budget_cannot_end(whole, gate):
    code, (drill,) = gate("--budget", "20s")
    assert code == 3
    assert drill["verdict"] == "not run"
    assert "the budget has" in drill["why"][0]
    assert whole.fake.calls() == []
    assert parsed(whole.runs / "gate-junit.xml")[0].get("errors") == "1"
    assert (whole.runs / "gate-summary.md").exists()


def test_what_a_drill_meets_before_its_start_leaves_the_others_their_endings(whole, gate):
    whole.fake.behave(lease="refused")
    code, drills = gate(times=2)
    assert code == 2
    assert [drill["verdict"] for drill in drills] == ["not run", "not run"]
    assert "leases is forbidden" in drills[1]["why"][0]
    assert parsed(whole.runs / "gate-junit.xml")[0].get("tests") == "2"


def test_a_budget_that_ends_before_the_start_is_inconclusive(whole, gate, monkeypatch):
    monkeypatch.setattr("stormdrill.cli.drilling._AROUND_S", 0.0)
    whole.fake.behave(pods="unready")
    code, drills = gate("--budget", "9s", times=2)
    assert code == 3
    assert [drill["exit_code"] for drill in drills] == [3, 3]
    assert "the time budget is used up" in drills[0]["why"][0]
    assert whole.fake.calls() == []


def test_the_projects_own_content_is_right(monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    assert main(["check"]) == 0
    assert "no problem" in capsys.readouterr().out
    assert main(["check", "experiments/pod-kill.yaml", "topology/small.yaml"]) == 0


def test_check_names_what_is_wrong_in_every_file(whole, capsys):
    topology = whole.root / "topology.yaml"
    topology.write_text(topology.read_text().replace("kind: write", "kind: wriet"))
    other = whole.root / "other.yaml"
    other.write_text("schema: stormdrill.nothing/1\n")
    assert main(["check", str(topology), str(other), "/nowhere"]) == 2
    said = capsys.readouterr().err
    for place in ("topology.yaml:", "other.yaml:1: unknown schema", "/nowhere: no such file"):
        assert place in said


def test_help_needs_no_estate(capsys):
    for line in (["--help"], ["run", "--help"], ["gate", "--help"], ["lab", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(line)
        assert ended.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_a_terminal_that_goes_away_does_not_end_the_drill(monkeypatch):
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        with progress("a", as_json=False) as view:
            view.say("before")
            os.close(master)
            view.phase("steady")
            view.say("after")
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), terminal.fileno())  # or its close would fail


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("line", "code"),
    [(["--help"], 0), (["check", "topology/continuity.yaml"], 0), (["judge", "/nowhere"], 2)],
)
def test_nobody_reads_and_the_exit_code_stays_the_same(line, code, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "stormdrill", *line],
        stdout=writer, stderr=writer, cwd=REPOSITORY, check=False, timeout=60,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == code
