"""Small parts of `up`: secrets that stay, the lock that leaves nothing, the forwards' configuration."""

import base64
import datetime as dt
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from stormlab import credentials, forwards, oplock, pki, topologyfile
from stormlab.errors import LabError
from stormlab.preset import SecretPart
from stormlab.wait import until

TOPOLOGY = Path(__file__).parents[2] / "topology" / "small.yaml"


def test_secrets_are_made_once_and_are_for_nobody_else(tmp_path):
    first = credentials.ensure(tmp_path, [SecretPart("bank", "db", ("a", "b"))])
    data = first[0]["data"]
    assert len(base64.b64decode(data["a"])) >= 24
    assert data["a"] != data["b"]
    assert stat.S_IMODE((tmp_path / credentials.FILE).stat().st_mode) == 0o600
    again = credentials.ensure(tmp_path, [SecretPart("bank", "db", ("a", "b", "c"))])
    assert {key: again[0]["data"][key] for key in ("a", "b")} == data


def test_a_certificate_is_made_once_and_anew_when_the_lab_has_another_authority(tmp_path):
    def made():
        pki.ensure(tmp_path, ["city1"])
        (found,) = credentials.ensure(tmp_path, [SecretPart("bank", "edge-tls", tls=("127.0.0.1",))])
        assert found["type"] == "kubernetes.io/tls"
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    first = made()
    authority = x509.load_pem_x509_certificate(first["ca.crt"].encode())
    x509.load_pem_x509_certificate(first["tls.crt"].encode()).verify_directly_issued_by(authority)
    assert made() == first
    (tmp_path / "pki" / "ca.crt").unlink()
    second = made()
    assert second.keys() == first.keys()
    assert all(second[key] != first[key] for key in first)


def end_of(secret):
    """When its certificate ends."""
    pem = base64.b64decode(secret["data"]["tls.crt"])
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def test_a_certificate_lasts_as_long_as_is_said_and_is_made_anew_when_it_does_not(tmp_path):
    pki.ensure(tmp_path, ["city1"])

    def made(lifetime_s):
        part = SecretPart("bank", "edge-tls", tls=("127.0.0.1",), lifetime_s=lifetime_s)
        (found,) = credentials.ensure(tmp_path, [part])
        return found

    now = dt.datetime.now(dt.UTC)
    short = made(1.0)
    assert abs(end_of(short) - now - dt.timedelta(seconds=1)) < dt.timedelta(seconds=2)
    until(lambda: dt.datetime.now(dt.UTC) > end_of(short), "it has expired", 5)
    anew = made(90.0)
    assert abs(end_of(anew) - dt.datetime.now(dt.UTC) - dt.timedelta(seconds=90)) < dt.timedelta(seconds=5)
    assert made(90.0) == anew
    assert made(None) == anew, "what lasts for less than it may is good until it has expired"
    assert end_of(made(30.0)) < end_of(anew)


def test_a_certificate_of_which_nothing_is_said_outlives_any_lab(tmp_path):
    pki.ensure(tmp_path, ["city1"])
    (found,) = credentials.ensure(tmp_path, [SecretPart("bank", "edge-tls", tls=("127.0.0.1",))])
    assert end_of(found) - dt.datetime.now(dt.UTC) > dt.timedelta(days=3000)


@pytest.fixture
def holder():
    """Another process that holds the lock of lab `tlock`."""
    code = "import sys, stormlab.oplock as o\nwith o.held('tlock', print):\n print('x', flush=True); input()"
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "x\n"
        yield process
        process.kill()


def test_a_lock_that_stays_held_is_an_error_at_the_deadline(holder):
    with (
        pytest.raises(LabError, match="another `up` or `down` of lab 'tlock' is at work for more than"),
        oplock.held("tlock", print, 0.1),
    ):
        pass


def test_who_finds_the_lock_held_says_so_and_waits_until_its_holder_is_gone(holder):
    """As for the `up` of a harness that was killed."""
    said = []

    def waits(text):
        said.append(text)
        holder.kill()

    with oplock.held("tlock", waits):
        pass
    assert said == ["another `up` or `down` of lab 'tlock' is at work: waiting for its end, at most 60 s"]
    with oplock.held("tlock", said.append):
        assert len(said) == 1


def test_what_a_killed_up_still_runs_holds_the_lock(tmp_path):
    """Or the next `down` would find nothing to remove, and then the orphan makes it."""
    script, started, go = (tmp_path / name for name in ("ip", "started", "go"))
    script.write_text(f"#!/bin/sh\n: > {started}\nwhile [ ! -e {go} ]; do /bin/sleep 0.01; done\n")
    script.chmod(0o755)
    code = (
        "import stormlab.oplock as o\nfrom stormlab.net import netns\n"
        "with o.held('tlock', print): netns.ip(['netns', 'add', 'x'])"
    )
    up = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PATH": str(tmp_path)})
    until(started.exists, "its `ip` runs", 10)
    up.kill()
    up.wait()
    with pytest.raises(LabError, match="at work for more than"), oplock.held("tlock", print, 0.2):
        pass
    go.touch()
    with oplock.held("tlock", print):
        assert len(oplock.descriptors()) == 1
    assert oplock.descriptors() == ()


def test_every_forward_starts_outside_and_hides_no_failure():
    text = forwards.config(topologyfile.load(TOPOLOGY))
    assert "retries 0" in text
    servers = [line.split() for line in text.splitlines() if line.strip().startswith("server ")]
    assert len(servers) == len(topologyfile.load(TOPOLOGY).forwards)
    assert all(words[3:] == ["namespace", "sl-small-outside"] for words in servers)
    assert "listen edge-city1-b\n    bind 127.0.0.1:28082\n    server inside 10.77.2.1:30080 " in text
    assert "listen prometheus\n    bind 127.0.0.1:29090\n    server inside 10.77.0.1:9090 " in text
