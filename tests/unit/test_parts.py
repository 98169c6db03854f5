"""`make test` runs every test once: each file belongs to exactly one part."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_file_belongs_to_exactly_one_part():
    script = runpy.run_path(str(ROOT / "scripts" / "run_tests.py"))
    parts = [part for together in script["ROUNDS"] for part in together]
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        path = file.relative_to(ROOT).as_posix()
        owners = [part.name for part in parts if below(path, part.paths) and not below(path, part.without)]
        assert len(owners) == 1, f"{path}: {owners or 'in no part'}"


def below(path, places):
    return any(path == place or path.startswith(f"{place}/") for place in places)
