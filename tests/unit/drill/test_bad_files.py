"""What is wrong in content files is said in one message, all of it together; exit 2, nothing injected, nothing left."""

import pytest

from stormdrill.cli import main

from .refusals import edit, untouched


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


@pytest.mark.parametrize("port", ["280811", "28o81", "0", ""])
def test_a_port_that_is_none_is_named_with_its_line(whole, run, port):
    place = edit(whole.root / "topology.yaml", "{e1:", f'{{e0: "http://127.0.0.1:{port}/x", e1:')
    code, said = run()
    assert code == 2
    if port:  # without a number it is the scheme's own port
        assert f"{place} edges.e0: not an address to connect to (is the port right?)" in said
    assert "Traceback" not in said
    assert untouched(whole)


def test_a_file_that_cannot_be_read_is_a_message(tmp_path, capsys):
    assert main(["check", str(tmp_path / ("x" * 300))]) == 2
    assert "File name too long" in capsys.readouterr().err


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
