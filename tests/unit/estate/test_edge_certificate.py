"""The edges' certificate: as long as the compact file says, and what is wrong is reported where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from stormlab import topologyfile
from stormlab.errors import BadInputError

TOPOLOGY = Path(__file__).parents[3] / "topology"


@pytest.fixture
def small(tmp_path):
    """Write `small` with one more line under `lab`; its path, and the number of that line."""
    for name in ("continuity.yaml", "prometheus", "kubernetes"):
        (tmp_path / name).symlink_to(TOPOLOGY / name)

    def write(line):
        head, lab, tail = (TOPOLOGY / "small.yaml").read_text().partition("\nlab:\n")
        path = tmp_path / "small.yaml"
        path.write_text(f"{head}{lab}  {line}\n{tail}")
        return path, head.count("\n") + 3

    return write


def certificate(path):
    secrets = topologyfile.load(path).preset.secrets
    return next(one for one in secrets if one.tls)


def test_its_lifetime_is_the_edges_certificate_s(small):
    path, _ = small("edge_certificate: {lifetime: 90s}")
    found = certificate(path)
    assert (found.name, found.lifetime_s) == ("edge-tls", 90.0)


def test_unless_it_is_said_it_lasts(small):
    path, _ = small("# nothing")
    assert certificate(path).lifetime_s is None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{lifetime: soon}", "must be a duration from 1s to 3650d, such as 90s or 90d"),
        ("{life: 90s}", "lab.edge_certificate: unknown key 'life'; did you mean 'lifetime'?"),
        ("90s", "lab.edge_certificate: must be a mapping (`key: value`)"),
    ],
)
def test_what_is_wrong_is_said_once_and_at_its_line(small, said, why):
    path, line = small(f"edge_certificate: {said}")
    with pytest.raises(BadInputError) as caught:
        topologyfile.load(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:{line}: ")
    assert problem.endswith(why)


def test_it_is_said_beside_what_else_is_wrong(small):
    path, line = small("phones: gopher\n  edge_certificate: {lifetime: soon}")
    with pytest.raises(BadInputError) as caught:
        topologyfile.load(path)
    found = [problem.removeprefix(f"{path}:").partition(":")[0] for problem in caught.value.problems]
    assert found == [str(line), str(line + 1)]
