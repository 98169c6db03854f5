"""An image whose programs reserve no room in files: what was not written takes none."""

import subprocess
import sys

import pytest

from stormlab.errors import BadInputError
from stormlab.topologyfile import load

TOPOLOGY = """\
schema: stormdrill.topology/1
name: t
regions: {one: {zones: [one-a]}}
lab:
  network: 10.77.0.0/16
  api_ports: {one: 26001}
  images: {"etcd:1": {reserves: %s}, "web:1": {}}
"""
REFUSED = """
import sys
from stormlab.pod import kernel
kernel.refuse_reservation()
import os
os.execvp("fallocate", ["fallocate", "--length", "1M", sys.argv[1]])
"""


def test_a_reservation_fails_as_where_there_is_none(tmp_path):
    """As on a file system that cannot, which is what programs are prepared for; writing goes on as ever."""
    file = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "not supported" in done.stderr
    assert file.stat().st_size == 0
    subprocess.run(["fallocate", "--length", "1M", str(file)], check=True)
    assert file.stat().st_blocks * 512 >= 2**20, "the filter reached others"


def test_a_file_may_still_be_lengthened_under_it(tmp_path):
    script = REFUSED.replace(
        '["fallocate", "--length", "1M", sys.argv[1]]', '["truncate", "-s", "1M", sys.argv[1]]'
    )
    script = script.replace('os.execvp("fallocate"', 'os.execvp("truncate"')
    file = tmp_path / "log"
    subprocess.run([sys.executable, "-c", script, str(file)], check=True)
    assert file.stat().st_size == 2**20
    assert file.stat().st_blocks == 0


def test_the_file_says_whose_programs_do(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text(TOPOLOGY % "false")
    images = load(path).images
    assert (images["etcd:1"].reserves, images["web:1"].reserves) == (False, True)
    path.write_text(TOPOLOGY % "maybe")
    with pytest.raises(BadInputError, match="must be true or false"):
        load(path)
