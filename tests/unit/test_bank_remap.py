"""`stormbank remap` to a zone that there is not: refused before any database is asked."""

import os
import subprocess
import sys

import pytest


def remap(home, **env):
    argv = [sys.executable, "-m", "stormbank", "remap", "--home", home, "--timeout", "0.2"]
    # Nobody listens there: whoever looks for a database finds none.
    env = {
        "BANK_TOKEN_SECRET": "0123456789abcdef",
        "BANK_DB_DSN": "postgresql://bank@127.0.0.1:1/bank",
        **env,
    }
    env["PATH"] = os.environ["PATH"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)


def test_a_zone_that_there_is_not_is_refused_and_the_known_ones_are_told():
    done = remap("city1-x", BANK_ZONES="city1-a, city1-b")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stormbank remap: no zone 'city1-x' (BANK_ZONES has: city1-a, city1-b)\n"


@pytest.mark.parametrize("env", [{"BANK_ZONES": "city1-a,city1-x"}, {"BANK_ZONES": ""}, {}])
def test_a_known_zone_is_taken_and_any_where_zones_are_not_known(env):
    done = remap("city1-x", **env)
    assert done.returncode == 1, done.stderr
    assert "no primary with the bank of cell0 found" in done.stderr


def test_zones_named_twice_are_bad_settings():
    done = remap("a", BANK_ZONES="a,a")
    assert done.returncode == 2
    assert "BANK_ZONES='a,a': must be different names" in done.stderr
