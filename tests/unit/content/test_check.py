"""`stormdrill check` on a tree: all files, all problems, each once."""

from pathlib import Path

import pytest

from stormdrill.check import check
from stormdrill.errors import InputError


@pytest.fixture
def repository(tree):
    """The sample files laid out as a repository."""
    for directory, names in {
        "experiments": ["experiment.yaml"],
        "topology": ["topology.yaml", "continuity.yaml"],
        "loadtests/profiles": ["profile.yaml"],
    }.items():
        (tree.root / directory).mkdir(parents=True)
        for name in names:
            (tree.root / name).rename(tree.root / directory / name)
    (tree.root / "locustfile.py").rename(tree.root / "loadtests" / "locustfile.py")
    file = tree.root / "experiments" / "experiment.yaml"
    text = file.read_text().replace("topology: topology.yaml", "topology: ../topology/topology.yaml")
    text = text.replace("profile: profile.yaml", "profile: ../loadtests/profiles/profile.yaml")
    file.write_text(text.replace("locustfile: locustfile.py", "locustfile: ../loadtests/locustfile.py"))
    return tree


def test_a_right_tree_has_no_problem(repository):
    report = check(repository.root)
    assert report.problems == ()
    assert len(report.files) == 4


def test_problems_of_every_file_come_once_however_often_it_is_read(repository, monkeypatch):
    """The topology is read for itself and for two experiments."""
    original = repository.root / "experiments" / "experiment.yaml"
    (repository.root / "experiments" / "second.yaml").write_text(original.read_text())
    repository.change("experiments/experiment.yaml", "zone: e1", "zone: e7")
    repository.change("topology/topology.yaml", "deadline: 500ms", "deadline: 500")
    repository.change("loadtests/profiles/profile.yaml", "scale: 0.1", "scle: 0.1")
    monkeypatch.chdir(repository.root)
    said = [str(problem) for problem in check(repository.root).problems]
    assert len([line for line in said if "topology.yaml" in line]) == 1
    assert all(not Path(line.partition(":")[0]).is_absolute() for line in said)
    assert any(line.startswith("loadtests/profiles/profile.yaml:") for line in said)


def test_a_file_of_no_known_schema_is_a_problem(repository):
    (repository.root / "topology" / "a.yaml").write_text("name: x\n")
    (repository.root / "topology" / "b.yaml").write_text("schema: stormdrill.continuty/1\n")
    (repository.root / "topology" / "c.txt").write_text("not ours")
    said = "\n".join(str(problem) for problem in check(repository.root).problems)
    assert "'schema' is missing" in said
    assert "did you mean 'stormdrill.continuity/1'?" in said


def test_a_directory_without_content_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no experiments/, topology/ or loadtests/profiles/"):
        check(tmp_path)
