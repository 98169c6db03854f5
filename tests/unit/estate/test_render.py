"""`lab render`: what follows, written into a directory that stands on its own."""

import json
import shutil

import pytest

from stormdrill import topology
from stormlab import cli, manifests, topologyfile
from stormlab.errors import BadInputError


def rendered(estate, capsys, *more):
    directory = estate.path.parent / "out"
    code = cli.main(["render", str(estate.path), str(directory), *more])
    return code, directory, capsys.readouterr()


def test_it_is_the_same_estate_for_both_readers(estate, capsys):
    code, directory, said = rendered(estate, capsys)
    assert code == 0
    assert said.out.splitlines() == [
        str(directory / place) for place in ("topology.yaml", "kubernetes/city1", "kubernetes/city2")
    ]
    whole = topology.load(directory / "topology.yaml")
    assert whole.databases == estate.harness().databases
    assert whole.services == estate.harness().services
    assert whole.continuity.read_text() == estate.harness().continuity.read_text()
    lab = topologyfile.load(directory / "topology.yaml")
    assert lab.forwards == estate.lab().forwards
    assert lab.overlays is None
    assert manifests.render_all(lab) == manifests.render_all(estate.lab())


def test_what_is_there_is_left_alone(estate, capsys):
    (estate.path.parent / "out").mkdir()
    (estate.path.parent / "out" / "mine").touch()
    code, directory, said = rendered(estate, capsys)
    assert (code, "is there already" in said.err) == (2, True)
    assert [path.name for path in directory.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema: stormdrill.estate/1", "schema: stormdrill.topology/1", "nothing follows from it"),
        ("primary: city1-b", "primary: city9", "t.yaml:9: cells.cell1.primary: no zone 'city9'"),
        ("network: 10.79.0.0/16", "network: 10.79.0.0/16\n  base: nowhere", "nowhere: no such directory"),
    ],
)
def test_nothing_is_written_for_a_file_that_is_wrong(estate, capsys, old, new, said):
    estate.change(old, new)
    code, directory, heard = rendered(estate, capsys)
    assert code == 2
    assert said in heard.err
    assert not directory.exists() or not any(directory.iterdir())


def test_check_says_what_the_estate_cannot_do(estate, capsys):
    assert cli.main(["check", str(estate.path)]) == 0
    assert (
        "t.yaml: mind: cell1 is unprotected after a promotion in city2: one member there"
        in capsys.readouterr().out
    )
    assert cli.main(["check", str(estate.path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["notes"]) == 2


def test_what_the_api_would_refuse_is_told_at_its_line_in_the_manifests_that_people_have(estate):
    """Not in the copy that was rendered, which is gone by then."""
    kubernetes = estate.path.with_name("kubernetes")
    source = kubernetes.resolve()
    kubernetes.unlink()
    shutil.copytree(source, kubernetes)
    gateway = kubernetes / "base/bank/zone/gateway.yaml"
    text = gateway.read_text()
    gateway.write_text(text.replace("terminationGracePeriodSeconds", "terminationGraceSeconds"))
    line = text[: text.index("terminationGracePeriodSeconds")].count("\n") + 1
    with pytest.raises(BadInputError) as caught:
        manifests.render_all(estate.lab())
    said = 'manifests of city1: Deployment gateway-city1-a: Deployment in version "v1" cannot be handled'
    (first,) = [problem for problem in caught.value.problems if problem.startswith(said)]
    assert 'unknown field "spec.template.spec.terminationGraceSeconds"' in first
    assert first.endswith(f"({gateway}:{line})")
