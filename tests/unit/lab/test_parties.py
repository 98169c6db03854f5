"""`lab.outside`: what the file may say, and what a program there is started with."""

import sys
from pathlib import Path

import pytest

from stormlab import daemons, partyprocess
from stormlab.errors import BadInputError
from stormlab.topologyfile import load

GOOD = """\
schema: stormdrill.topology/1
name: t
regions: {one: {zones: [one-a]}}
lab:
  network: 10.77.0.0/16
  images: {"firm:1": {path: [/opt/firm/bin]}}
  api_ports: {one: 26001}
  outside:
    - name: firm
      image: firm:1
      command: [serve, "--books=$(STATE)", "$(ADDRESS):$(PORT)", $$HOME]
      port: 8103
      env: {BOOKS: $(STATE)/books}
      forward: 28103
    - {name: other, command: [python], port: 8104}
"""
STATE = Path("/state")


def estate(tmp_path, text=GOOD):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    return load(path)


def test_what_a_program_outside_is_started_with(tmp_path):
    lab = estate(tmp_path)
    firm, other = lab.preset.outside
    assert partyprocess.argv(lab, firm, STATE) == (
        "nsenter", "--net=/run/netns/sl-t-outside",
        "serve", "--books=/state/outside/firm", "10.77.0.1:8103", "$HOME",
    )  # fmt: skip
    environment = partyprocess.environment(lab, firm, STATE)
    assert environment["BOOKS"] == "/state/outside/firm/books"
    assert environment["PATH"].startswith(f"/opt/firm/bin:{Path(sys.prefix, 'bin')}:")
    assert set(environment) == {"PATH", "HOME", "ADDRESS", "PORT", "STATE", "BOOKS"}
    assert [daemon.name for daemon in daemons.wanted(lab, STATE)][-3:] == ["firm", "other", "forwards"]
    assert [(each.name, each.listen, each.zone, each.port) for each in lab.forwards] == [
        ("firm", 28103, None, 8103)
    ]
    assert other.listen is None


def test_it_starts_anew_when_the_file_says_something_else(tmp_path):
    lab = estate(tmp_path)
    (firm, _) = lab.preset.outside
    assert partyprocess.write(lab, firm, tmp_path)
    assert not partyprocess.write(lab, firm, tmp_path)
    (firm, _) = estate(tmp_path, GOOD.replace("BOOKS: ", "PAGES: ")).preset.outside
    assert partyprocess.write(lab, firm, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("port: 8104", "port: 8103", "8: lab.outside: port 8103 outside, of other, is another's already"),
        ("port: 8104", "port: 26001", "8: lab.outside: port 26001 outside, of other, is another's already"),
        ("name: other", "name: relay", "is what another process of the lab is called"),
        ("name: other", "name: node-one-a", "is what another process of the lab is called"),
        ("name: other", "name: firm", "is what another process of the lab is called"),
        ("name: other", "name: Other", "must be lower-case letters"),
        ("command: [python]", "command: []", "must name a program"),
        ("image: firm:1", "image: firm:2", "no image 'firm:2' (known: firm:1)"),
        ("forward: 28103", "forward: 80", "must be an integer from 1024 to 65535"),
        (", port: 8104", "", "'port' is missing"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, old, new, said):
    assert GOOD.count(old) == 1
    with pytest.raises(BadInputError) as caught:
        estate(tmp_path, GOOD.replace(old, new))
    assert any(said in problem for problem in caught.value.problems), caught.value.problems
