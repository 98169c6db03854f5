"""How phones speak to the edges: by the compact file's word, and checked against who signed in the lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from stormdrill import topology
from stormdrill.errors import InputError
from stormdrill.estate_secrets import SecretKey

TOPOLOGY = Path(__file__).parents[3] / "topology"


@pytest.fixture
def small(tmp_path):
    """Loads `small` with another word for its phones; None leaves it out."""
    for name in ("continuity.yaml", "prometheus", "kubernetes"):
        (tmp_path / name).symlink_to(TOPOLOGY / name)
    lines = [
        line
        for line in (TOPOLOGY / "small.yaml").read_text().splitlines()
        if not line.startswith("  phones:")
    ]

    def load(word):
        text = "\n".join(lines).replace("lab:\n", f"lab:\n  phones: {word}\n" if word else "lab:\n", 1)
        path = tmp_path / "small.yaml"
        path.write_text(text)
        return topology.load(path)

    return load


def test_over_tls_an_edge_has_another_port_and_an_authority(small):
    (edge, *others) = small("https").edges
    assert edge.url == "https://127.0.0.1:23511"
    assert edge.ca is not None
    assert edge.ca.secret == SecretKey("city1", "bank", "edge-tls", "ca.crt")
    assert {other.url for other in others} == {"https://127.0.0.1:23512", "https://127.0.0.1:24011"}


@pytest.mark.parametrize("word", ["http", None])
def test_in_the_clear_it_has_none(small, word):
    assert next((edge.url, edge.ca) for edge in small(word).edges) == ("http://127.0.0.1:28081", None)


def test_another_word_is_refused_where_it_stands(small):
    with pytest.raises(InputError, match="must be one of http, https"):
        small("gopher")


def test_an_authority_for_an_address_without_tls_is_refused(tmp_path):
    for name in ("continuity.yaml", "prometheus"):
        (tmp_path / name).symlink_to(TOPOLOGY / name)
    path = tmp_path / "small.yaml"
    text = Path(__file__).with_name("small-in-full.yaml").read_text()
    plain = "city1-a: http://127.0.0.1:28081"
    assert plain in text
    path.write_text(text.replace(plain, "city1-a: {url: 'http://127.0.0.1:28081', ca: {file: /x}}"))
    with pytest.raises(InputError, match="only an https"):
        topology.load(path)
