"""Small parts of `up`: secrets that stay, the lock that leaves nothing, the forwards' configuration."""

import base64
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stormlab import credentials, forwards, oplock, topologyfile
from stormlab.errors import LabError
from stormlab.preset import SecretPart

TOPOLOGY = Path(__file__).parents[2] / "topology" / "small.yaml"


def test_secrets_are_made_once_and_are_for_nobody_else(tmp_path):
    first = credentials.ensure(tmp_path, [SecretPart("bank", "db", ("a", "b"))])
    data = first[0]["data"]
    assert len(base64.b64decode(data["a"])) >= 24
    assert data["a"] != data["b"]
    assert stat.S_IMODE((tmp_path / credentials.FILE).stat().st_mode) == 0o600
    again = credentials.ensure(tmp_path, [SecretPart("bank", "db", ("a", "b", "c"))])
    assert {key: again[0]["data"][key] for key in ("a", "b")} == data


def test_the_lock_is_free_after_its_holder_was_killed():
    code = (
        "import sys, stormlab.oplock as o\nwith o.held('tlock'):\n print('x', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "x\n"
        with (
            pytest.raises(LabError, match="another `up` or `down` of lab 'tlock' is at work"),
            oplock.held("tlock"),
        ):
            pass
        holder.kill()
    with oplock.held("tlock", 2.0):
        pass


def test_every_forward_starts_outside_and_hides_no_failure():
    text = forwards.config(topologyfile.load(TOPOLOGY))
    assert "retries 0" in text
    servers = [line.split() for line in text.splitlines() if line.strip().startswith("server ")]
    assert len(servers) == len(topologyfile.load(TOPOLOGY).forwards)
    assert all(words[3:] == ["namespace", "sl-small-outside"] for words in servers)
    assert "listen edge-city1-b\n    bind 127.0.0.1:28082\n    server inside 10.77.2.1:30080 " in text
    assert "listen prometheus\n    bind 127.0.0.1:29090\n    server inside 10.77.0.1:9090 " in text
