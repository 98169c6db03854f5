"""The lab's command line on bad input: one message, exit 2, nothing made."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stormlab.inventory import Inventory

TOPOLOGY = Path(__file__).parents[2] / "topology" / "small.yaml"


def run(tmp_path, *arguments, **environment):
    """Run it with a state directory of its own."""
    return subprocess.run(
        [sys.executable, "-m", "stormlab", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "STORMLAB_STATE": str(tmp_path / "state"), **environment},
    )


def refused(done, *words):
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_commands_on_a_lab_that_is_not_up(tmp_path):
    for arguments in (["status"], ["kubeconfig"], ["logs", "relay"], ["link", "a", "b", "--rtt", "1ms"]):
        refused(run(tmp_path, *arguments), "lab 'small' is not up")


def test_a_link_named_with_all_that_is_wrong(tmp_path):
    wrong = ["--rtt", "30", "--loss", "101%", "--bandwidth", "fast", "--jitter", "2ms"]
    done = run(tmp_path, "link", "a", "b", *wrong)
    refused(done, "--rtt 30: must be a duration", "--loss 101%: must be a share", "--bandwidth fast: must be")
    refused(run(tmp_path, "link", "a", "b", "--up", "--down"), "not allowed with")


def test_down_without_a_lab_is_done(tmp_path):
    done = run(tmp_path, "down", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["things"] == 0


def test_a_topology_that_is_not_there(tmp_path):
    refused(run(tmp_path, "up", "--topology", "absent.yaml"), "absent.yaml: No such file")
    refused(run(tmp_path, "down", "--topology", "absent.yaml"), "absent.yaml: No such file")


def test_up_names_every_problem_and_makes_nothing(tmp_path):
    text = "name: bad\nregions: {r: {zonez: [a]}}\nlab: {network: 10.300.0.0/16, x: 1}\n"
    (tmp_path / "bad.yaml").write_text(text)
    done = run(tmp_path, "up", "--topology", "bad.yaml")
    refused(done, "bad.yaml:2:", "zonez", "bad.yaml:3:", "unknown key")
    assert not (tmp_path / "state").exists()


def test_up_names_missing_programs_and_taken_ports(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        lab = f"lab: {{network: 10.77.0.0/16, api_ports: {{r: {port}}}}}"
        (tmp_path / "t.yaml").write_text(f"name: tcheck\nregions: {{r: {{zones: [a]}}}}\n{lab}\n")
        (tmp_path / "bin").mkdir()
        done = run(tmp_path, "up", "--topology", "t.yaml", PATH=str(tmp_path / "bin"))
    refused(done, "'nft' is missing (Debian package nftables)")
    assert os.geteuid() != 0 or f"port 127.0.0.1:{port} is taken" in done.stderr
    assert not (tmp_path / "state").exists()


def test_missing_kubectl_and_wrong_content_are_named_with_all_else(tmp_path):
    """Nothing can come up here: there is not one program."""
    (tmp_path / "p.yml.j2").write_text("{{ adress }}")
    (tmp_path / "t.yaml").write_text(
        "name: tcheck\nregions: {r: {zones: [a]}}\n"
        "lab: {network: 10.77.0.0/16, api_ports: {r: 26999}, manifests: {r: nowhere},"
        " forwards: [{name: p, listen: 26998, outside_port: 9090}],"
        " prometheus: {port: 9090, config: p.yml.j2}}\n"
    )
    (tmp_path / "bin").mkdir()
    words = ["'kubectl' is missing", "'nft' is missing", "p.yml.j2: 'adress' is undefined"]
    refused(run(tmp_path, "up", "--topology", "t.yaml", PATH=str(tmp_path / "bin")), *words)
    (tmp_path / "bin" / "kubectl").touch(mode=0o755)
    done = run(tmp_path, "up", "--topology", "t.yaml", PATH=str(tmp_path / "bin"))
    refused(done, f"{tmp_path}/nowhere: no kustomization.yaml here", *words[1:])
    assert not (tmp_path / "state").exists()


AS_NOBODY = """\
import encodings.ascii, os, sys
from stormlab import cli, commands, progress, status, up
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a lab that belongs to somebody else takes root to make")
def test_a_lab_of_root_tells_an_ordinary_user_to_become_root(tmp_path):
    with tempfile.TemporaryDirectory() as name:  # tmp_path is closed to others
        place = Path(name)
        place.chmod(0o755)
        Inventory(place / "state" / "tcheck").add("netns", "sl-tcheck-a")
        (place / "state" / "tcheck").chmod(0o700)
        lab = "lab: {network: 10.77.0.0/16, api_ports: {r: 26999}}"
        (place / "t.yaml").write_text(f"name: tcheck\nregions: {{r: {{zones: [a]}}}}\n{lab}\n")
        (place / "t.yaml").chmod(0o644)  # whatever the umask: importing Patroni, as other tests do, closes it
        (place / "state").chmod(0o755)
        environment = {**os.environ, "STORMLAB_STATE": str(place / "state")}
        for command in ("up", "down", "status"):
            argv = [sys.executable, "-c", AS_NOBODY, command, "--topology", str(place / "t.yaml")]
            done = subprocess.run(
                argv, capture_output=True, text=True, check=False, env=environment, cwd=place
            )
            refused(done, "root (sudo)")


def test_what_the_machine_refuses_is_one_message(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "tcheck").write_text("a file where a lab's directory should be")
    done = run(tmp_path, "down", "--name", "tcheck", "--json")
    assert done.returncode == 1
    assert done.stderr == f"stormlab: {tmp_path}/state/tcheck/inventory: Not a directory\n"
    assert json.loads(done.stdout)["ok"] is False


def test_check_prints_problems_as_json(tmp_path):
    text = "name: bad\nregions: {r: {zones: [a]}}\nlab: {network: 1, api_ports: {r: 1}}\n"
    (tmp_path / "bad.yaml").write_text(text)
    done = run(tmp_path, "check", "bad.yaml", "--json")
    assert done.returncode == 2
    report = json.loads(done.stdout)
    assert not report["ok"]
    for word in ("lab.network", "lab.api_ports"):
        assert word in str(report["problems"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_check_finds_every_query_that_is_none(tmp_path):
    (tmp_path / "p.yml.j2").write_text("global: {}")
    (tmp_path / "t.yaml").write_text(
        "name: t\nregions: {r: {zones: [a]}}\nlab:\n  network: 10.77.0.0/16\n  api_ports: {r: 26999}\n"
        "  prometheus: {config: p.yml.j2}\n  status:\n"
        "  - {name: good, query: sum(up)}\n  - {name: open, query: sum(up}\n  - {name: odd, query: up ++}\n"
    )
    done = run(tmp_path, "check", "t.yaml", "--json")
    found = json.loads(done.stdout)["problems"]
    assert [problem.rpartition(f"{tmp_path}/")[2].partition(" is no PromQL: ")[0] for problem in found] == [
        "t.yaml:9: lab.status: 'open'",
        "t.yaml:10: lab.status: 'odd'",
    ]
    assert all("parse error" in problem for problem in found)


@pytest.mark.parametrize("seconds", ["0.1", "3601", "nan", "x"])
def test_a_watch_of_no_use_is_refused(tmp_path, seconds):
    refused(run(tmp_path, "status", "--watch", seconds), seconds)


def test_the_preset_is_right(tmp_path):
    done = run(tmp_path, "check", str(TOPOLOGY))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["", "..", "/letters", "n" * 21])
def test_what_is_no_name_of_a_lab_removes_and_makes_nothing(tmp_path, name):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a").write_text("dear")
    (tmp_path / "state" / "other").mkdir(parents=True)
    (tmp_path / "state" / "other" / "inventory").write_text("")
    before = sorted(tmp_path.rglob("*"))
    for command in (["down"], ["up", "--topology", str(TOPOLOGY)], ["status"]):
        refused(run(tmp_path, *command, f"--name={name}"), f"the lab's name '{name}' must be")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ['""', "..", "[a]"])
def test_nor_does_such_a_name_in_the_file(tmp_path, name):
    (tmp_path / "state" / "other").mkdir(parents=True)
    (tmp_path / "state" / "other" / "inventory").write_text("")
    (tmp_path / "t.yaml").write_text(f"name: {name}\n")
    refused(run(tmp_path, "down", "--topology", "t.yaml"), "the lab's name ")
    assert (tmp_path / "state" / "other" / "inventory").exists()


def test_down_of_a_directory_that_is_no_lab(tmp_path):
    (tmp_path / "state" / "letters").mkdir(parents=True)
    (tmp_path / "state" / "letters" / "a").write_text("dear")
    done = run(tmp_path, "down", "--name", "letters")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert (tmp_path / "state" / "letters" / "a").exists()


def test_make_check_checks_every_lab_and_fails_with_any(tmp_path):
    """With programs that stand in: the harness's own check does not read the lab's part of a topology."""
    for name in ("ruff", "mypy", "lint-imports", "stormdrill"):
        (tmp_path / name).symlink_to("/bin/true")
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@"; case "$*" in *second_estate*) exit 2;; esac\n')
    (tmp_path / "python").chmod(0o755)
    argv = ["make", "--old-file=setup", f"BIN={tmp_path}", "check"]
    done = subprocess.run(argv, cwd=TOPOLOGY.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    checked = [line.removeprefix("-m stormlab check ") for line in done.stdout.splitlines()]
    assert {"topology/small.yaml", "tests/lab/tiny/topology.yaml"} < set(checked)
    assert checked[-1] != "tests/lab/second_estate/topology.yaml", "all of them are told"
