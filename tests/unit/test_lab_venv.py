"""When the Python environment is made, made anew, brought up to date or left alone; Python itself stands in."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup-venv.sh"
# FAIL_AT names the module whose call is interrupted: it fails, and a killed script would get no further either.
PYTHON = """\
#!/bin/sh
[ "$1" != -c ] || { case $2 in *print*) echo "$FAKE_VERSION" ;; esac; exit 0; }
echo "$2" >>"$CALLS"
if [ "$2" = venv ]; then
    rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python
fi
[ "$2" != "${FAIL_AT:-}" ]
"""


class Project:
    def __init__(self, place: Path) -> None:
        self.place, self.python = place, place / "python3"
        (place / "scripts").mkdir()
        shutil.copy(SCRIPT, place / "scripts")
        for name in ("requirements.lock", "pyproject.toml"):
            (place / name).write_text("x")
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    def setup(self, version: str = "3.11", **environment: str) -> list[str]:
        """Run it; the modules that it called Python with."""
        calls = self.place / "calls"
        calls.write_text("")
        told = {**os.environ, "PYTHON": str(self.python), "FAKE_VERSION": version, "CALLS": str(calls)}
        subprocess.run(
            [str(self.place / "scripts" / SCRIPT.name)],
            env=told | environment,
            capture_output=True,
            check=False,
        )
        return calls.read_text().split()


WHOLE = ["venv", "pip", "pip", "compileall"]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_it_is_made_once(project):
    assert project.setup() == WHOLE
    assert project.setup() == []


def test_other_packages_go_into_the_one_that_is_there(project):
    project.setup()
    (project.place / "requirements.lock").write_text("y")
    assert project.setup() == WHOLE[1:]
    assert project.setup() == []


@pytest.mark.parametrize("at", ["venv", "pip"])
def test_what_an_interrupted_run_left_is_made_anew(project, at):
    project.setup(FAIL_AT=at)
    assert project.setup() == WHOLE
    (project.place / "requirements.lock").write_text("y")
    assert project.setup(FAIL_AT="pip") == ["pip"]
    assert project.setup() == WHOLE


def test_another_python_makes_another_one(project):
    project.setup()
    assert project.setup("3.12") == WHOLE
    assert project.setup("3.12") == []


def test_one_whose_python_is_gone_is_made_anew(project):
    project.setup()
    (project.place / ".venv/bin/python").unlink()
    assert project.setup() == WHOLE
