"""docs/contract.md says what is relied on and which differences are left; and every test says what it encodes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import cited
from .cited import RECORDING, Section, cites
from .conftest import client_said, client_version

pytestmark = cites(RECORDING)
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "contract.md"
SECTIONS = {value for value in vars(cited).values() if isinstance(value, Section)}


def test_every_test_cites_what_it_encodes(request: pytest.FixtureRequest) -> None:
    here = Path(__file__).parent
    bare = [
        item.nodeid
        for item in request.session.items
        if item.path.is_relative_to(here) and item.get_closest_marker("cites") is None
    ]
    assert bare == []


def test_the_page_names_every_section_and_no_other() -> None:
    told = set(re.findall(r"\]\((https://[^)]+)\)", PAGE.read_text(encoding="utf-8")))
    assert told == {section.url for section in SECTIONS}


def test_the_page_names_every_file_of_tests() -> None:
    told = set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))
    assert told == {path.stem for path in Path(__file__).parent.glob("test_*.py")}


def test_a_run_says_which_kubectl_it_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert client_said() == "none on the PATH; the tests that run it are skipped"
    assert client_version() == (0, 0)
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("""#!/bin/sh\necho '{"clientVersion": {"gitVersion": "v1.20.2"}}'\n""")
    kubectl.chmod(0o755)
    assert client_said() == f"v1.20.2, {kubectl}"
    assert client_version() == (1, 20)
    kubectl.write_text("#!/bin/sh\necho unknown flag >&2; exit 1\n")
    assert client_said().startswith(f"{kubectl}, which does not say its version")


def test_the_list_of_differences_is_that_of_the_file() -> None:
    argv = [sys.executable, str(ROOT / "scripts" / "contract_page.py"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
