"""The lab that runs, real kubelets and all, is asked what any cluster is asked (docs/contract.md)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_running_lab_keeps_the_contract(small_lab):
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract"]
    argv += ["--kubeconfig", str(small_lab.kubeconfig), "--kube-context", "city1"]
    argv += ["--pod-image", "stormbank:dev"]
    done = subprocess.run(
        argv, cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr
