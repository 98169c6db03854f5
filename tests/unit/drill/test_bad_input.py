"""What is wrong is said in one message, all of it together; exit 2, nothing injected, nothing left behind."""

import time
from pathlib import Path

import pytest

from stormdrill.cli import main

from .conftest import post
from .test_whole_drill import until_phase


def edit(path, old, new):
    """Change a file; the line that changed, as a message names it."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return f"{path.name}:{text[: text.index(old)].count(chr(10)) + 1}:"


@pytest.fixture
def run(whole, monkeypatch, capsys):
    """Run `stormdrill run` in this process; its exit code and what it said on stderr and stdout."""
    monkeypatch.chdir(whole.root)

    def call(*arguments):
        code = main(whole.command(*arguments)[3:])
        said = capsys.readouterr()
        return code, said.err + said.out

    return call


def untouched(whole):
    return whole.fake.calls() == [] and not list(whole.runs.glob("*"))


def test_mistakes_in_files_are_named_with_file_and_line(whole, run):
    places = [
        edit(whole.root / "topology.yaml", "kind: write", "kind: wriet"),
        edit(whole.root / "profile.yaml", "scale: 0.05", "scale: lots"),
    ]
    code, said = run()
    assert code == 2
    for place in places:
        assert place in said, said
    assert "Traceback" not in said
    assert untouched(whole)


def test_a_typo_in_the_experiment(whole, run):
    place = edit(whole.experiment, "fault_class: pod-loss", "fault_klass: pod-loss")
    code, said = run()
    assert code == 2
    assert place in said
    assert "did you mean 'fault_class'?" in said
    assert untouched(whole)


def test_everything_that_does_not_answer_is_named_together(whole, run):
    whole.fake.behave(prometheus="silent")
    edit(whole.root / "topology.yaml", "edges: {e1:", 'edges: {e0: "http://127.0.0.1:9", e1:')
    edit(whole.root / "topology.yaml", "zones: [z1, z2, z3]", "zones: [z1, z2, z9]")
    code, said = run()
    assert code == 2
    assert "Prometheus at" in said
    assert "edge e0 at http://127.0.0.1:9 cannot be reached" in said
    assert "wrong cluster? no node has topology.kubernetes.io/zone z9 (its nodes have: z1, z2, z3)" in said
    assert untouched(whole)


def test_a_name_that_answers_nothing_is_told_with_its_line(whole, run):
    """The stub bank's own name: nobody has told it any edges yet."""
    text = (whole.root / "topology.yaml").read_text()
    bank = text.partition("127.0.0.1:")[2].partition('"')[0]
    edit(
        whole.root / "topology.yaml", "cells:", f'resolver: {{url: "http://127.0.0.1:{bank}/_name"}}\ncells:'
    )
    code, said = run()
    assert code == 2
    assert f"http://127.0.0.1:{bank}/_name: not an answer of a name" in said
    lines = (whole.root / "topology.yaml").read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.startswith("resolver:"))
    assert f"topology.yaml:{number}:" in said
    assert untouched(whole)


def test_a_cluster_with_another_identity_is_refused(whole, run):
    edit(whole.root / "topology.yaml", "{context: east,", "{context: east, cluster_id: cluster-2,")
    code, said = run()
    assert code == 2
    assert "wrong cluster: its id is cluster-1, the topology says cluster-2" in said
    assert untouched(whole)


def test_a_context_that_does_not_exist(whole, run):
    code, said = run("--context", "west")
    assert code == 2
    assert "west" in said
    assert "east" in said
    assert untouched(whole)


def test_old_samples_are_no_observation(whole, run):
    whole.fake.behave(age_s=60)
    code, said = run()
    assert code == 2
    assert "its newest sample is 60 s old, allowed is 5 s" in said
    assert untouched(whole)


GUARD = """\
    guard:
      - {id: queue, query: max(queue, limit: "<= 5", grace: 1s}
    assertions:
      - id: left-out
        query: sum($shed_by_tier)
        phases: [steady]
        aggregate: max
        limit: "<= 0"
        min_samples: 1
      - id: errors
        query: >-
          sum(errors
        phases: [steady]
        aggregate: max
        limit: "<= 0"
        min_samples: 1
controls:
"""


def test_queries_are_tried_before_the_start(whole, run):
    edit(whole.experiment, "controls:\n", GUARD)
    places = [
        edit(whole.root / "topology.yaml", "continuity:", "metrics: {good_by_operation: sum(x}\ncontinuity:"),
        edit(whole.experiment, "- {id: queue", "- {id: queue "),
        edit(whole.experiment, "query: >-", "query: >- "),
    ]
    code, said = run()
    assert code == 2
    for place, what in zip(
        places, ("metric good_by_operation", "guard queue", "assertion errors"), strict=True
    ):
        assert f"{place} {what}: Prometheus at" in said, (place, said)
    assert said.count("refuses the query: parse error: unclosed left parenthesis") == 3
    assert untouched(whole)


def test_a_query_that_cannot_be_answered_is_named_too(whole, run):
    edit(whole.root / "topology.yaml", "continuity:", "metrics: {good_by_operation: doubled}\ncontinuity:")
    whole.fake.behave(failing="doubled")
    code, said = run()
    assert code == 2
    assert "metric good_by_operation: Prometheus at" in said
    assert "answered 422: found duplicate series" in said


@pytest.mark.parametrize(
    ("audit", "why"),
    [
        (
            "kind: http, url: ESTATE/api/v1/namespaces/{key}, amount_field: amount",
            "the answer has no field 'amount'",
        ),
        ("kind: http, url: ESTATE/api/v1/nowhere/{key}, missing: 410", "status 404"),
        (
            (
                "kind: sql, dsn: host=127.0.0.1 port=1 dbname=shop, high_water: SELECT 1, deadline: 1s, "
                "movements: SELECT 1 WHERE 1 > %(since)s"
            ),
            "audit database: a writable primary for the audit: not within 1 s",
        ),
    ],
)
def test_the_books_are_opened_before_the_start(whole, run, audit, why):
    audit = audit.replace("ESTATE", whole.fake.url).replace("url: ", 'url: "').replace("{key}", '{key}"')
    edit(whole.root / "topology.yaml", "kind: none, why: a fake has no books", audit)
    code, said = run()
    assert code == 2
    assert why in said
    assert untouched(whole)


@pytest.mark.parametrize("text", [None, "", "full avg10=0.00 total=1\n"])
def test_a_machine_whose_pressure_is_not_known_is_said_at_once(whole, run, monkeypatch, text):
    file = whole.root / "pressure"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr("stormdrill.drill.pressure.PRESSURE", file)
    code, said = run()
    assert code == 2
    assert f"{file}: " in said
    assert "every run would be inconclusive" in said
    assert untouched(whole)


def test_a_service_without_pods_is_not_waited_for(whole, run):
    edit(whole.root / "topology.yaml", "app: web", "app: wbe")
    began = time.monotonic()
    code, said = run()
    assert code == 2
    assert "service web: no pod app=wbe in namespace shop of east" in said
    assert time.monotonic() - began < 20
    assert untouched(whole)


def test_a_fault_that_would_not_find_its_targets_is_not_waited_for(whole, run):
    place = edit(whole.experiment, "- name: second", "- name: too-many")
    edit(whole.experiment, "zone: z2, count: 1", "zone: z2, count: 3")
    began = time.monotonic()
    code, said = run()
    assert code == 2
    assert f"{place} too-many: service web (app=web) in zone z2 has 2 ready pods, 3 wanted" in said
    assert time.monotonic() - began < 20
    assert untouched(whole)


def test_a_load_that_cannot_start_leaves_nothing(whole, run, bank):
    post(f"http://127.0.0.1:{bank}/_behave", {"mode": "locked"})
    code, said = run()
    assert code == 2, said
    assert "the load cannot start" in said
    assert not list(whole.runs.glob("*"))
    assert whole.fake.calls() == ["CREATE lease drill", "DELETE lease drill"]


@pytest.mark.parametrize("port", ["280811", "28o81", "0", ""])
def test_a_port_that_is_none_is_named_with_its_line(whole, run, port):
    place = edit(whole.root / "topology.yaml", "{e1:", f'{{e0: "http://127.0.0.1:{port}/x", e1:')
    code, said = run()
    assert code == 2
    if port:  # without a number it is the scheme's own port
        assert f"{place} edges.e0: not an address to connect to (is the port right?)" in said
    assert "Traceback" not in said
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


def test_a_file_that_cannot_be_read_is_a_message(tmp_path, capsys):
    assert main(["check", str(tmp_path / ("x" * 300))]) == 2
    assert "File name too long" in capsys.readouterr().err


def test_two_drills_at_once_are_one_too_many(whole, run):
    first = whole.start()
    try:
        until_phase(whole, first, "prepare")
        code, said = run()
        assert code == 2
        assert "another drill is running on this estate" in said
        assert not [call for call in whole.fake.calls() if "lease" not in call]
    finally:
        first.kill()
        first.wait()


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{zone: z1, cut_from: z9}", "cut_from: unknown far side 'z9'"),
        ("{zone: z1, direction: up}", "direction: unknown direction 'up'"),
        ("{zone: z1, lease: 10m}", "lease: must be from 1s to 5m"),
        ("{zone: z1}", "partition_zone-2 to heal; faults that last so far: partition_zone-1"),
    ],
)
def test_a_partition_that_cannot_be(whole, run, arguments, said):
    whole.write_experiment(
        **{
            "func: kill_pods\n      arguments: {service: web, zone: z1, count: 1}": "func: partition_zone\n      "
            f"arguments: {arguments}",
            "func: kill_pods\n      arguments: {service: web, zone: z2, count: 1}": "func: heal\n      "
            "arguments: {fault: partition_zone-2}",
        }
    )
    code, told = run()
    assert code == 2
    assert said in told, told
    assert untouched(whole)


def test_a_partition_needs_canaries(whole, run):
    edit(whole.root / "topology.yaml", "canaries: {}\n", "")
    edit(
        whole.experiment,
        "kill_pods\n      arguments: {service: web, zone: z1, count: 1}",
        "lose_zone\n      arguments: {zone: z1}",
    )
    code, said = run()
    assert code == 2
    assert "only canaries can prove it: topology.yaml has no 'canaries'" in said
