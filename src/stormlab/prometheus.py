"""The Prometheus outside every site: Debian's, rendered from the topology's template."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jinja2

from stormlab import targets
from stormlab.errors import BadInputError, LabError
from stormlab.estate import Estate
from stormlab.preset import PrometheusPart
from stormlab.statusparts import StatusRow

DIRECTORY = "prometheus"
_CONFIG = "prometheus.yml"


def text(estate: Estate, part: PrometheusPart, state: Path) -> str:
    """The rendered configuration. Raises BadInputError with file and line when the template is wrong."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701  YAML, not HTML
    try:
        return environment.from_string(part.config.read_text(encoding="utf-8")).render(
            name=estate.name,
            address=estate.outside.address,
            port=part.port,
            rules=[str(file) for file in part.rules],
            targets=str(state / targets.DIRECTORY / "*.json"),
        )
    except jinja2.TemplateSyntaxError as error:
        raise BadInputError([f"{part.config}:{error.lineno}: {error.message}"]) from error
    except jinja2.UndefinedError as error:
        raise BadInputError([f"{part.config}: {error.message}"]) from error
    except OSError as error:
        raise BadInputError([f"{part.config}: {error.strerror}"]) from error


def write(estate: Estate, part: PrometheusPart, state: Path) -> bool:
    """Write the configuration; whether it differs from what was there. Raises like `text`."""
    path, new = state / DIRECTORY / _CONFIG, text(estate, part, state)
    # It watches the directory only if that is there when it starts.
    (state / targets.DIRECTORY).mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text(encoding="utf-8") == new:
        return False
    beside = path.with_suffix(".new")
    beside.write_text(new, encoding="utf-8")
    beside.replace(path)
    return True


def problems(estate: Estate, part: PrometheusPart, scratch: Path) -> list[str]:
    """What `promtool` finds wrong with the rendered configuration, its rules and the queries of `lab.status`."""
    path = scratch / _CONFIG
    path.write_text(text(estate, part, Path("/")), encoding="utf-8")
    argv_ = ["promtool", "check", "config", "--syntax-only", str(path)]
    found = [] if not (said := _promtool(argv_)) else [f"{part.config}: {said}"]
    said_of = {rules: _promtool(["promtool", "check", "rules", str(rules)]) for rules in part.rules}
    found += [f"{rules}: {said}" for rules, said in said_of.items() if said]
    return found + _wrong_queries(estate, scratch)


def _wrong_queries(estate: Estate, scratch: Path) -> list[str]:
    """A query is tried as a rule, all together and, when something is wrong, one by one."""
    rows = estate.preset.status
    if not rows or not _wrong(rows, scratch):
        return []
    said_of = {row: _wrong([row], scratch) for row in rows}
    return [
        f"{estate.source}:{row.line}: lab.status: '{row.name}' is no PromQL: {said}"
        for row, said in said_of.items()
        if said
    ]


def _wrong(rows: Sequence[StatusRow], scratch: Path) -> str:
    rules = [{"record": f"row_{index}", "expr": row.query} for index, row in enumerate(rows)]
    path = scratch / "status.yml"
    path.write_text(json.dumps({"groups": [{"name": "status", "rules": rules}]}), encoding="utf-8")
    return _promtool(["promtool", "check", "rules", str(path)]).rpartition("could not parse expression: ")[2]


def _promtool(arguments: list[str]) -> str:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LabError("the program 'promtool' is not installed") from error
    return "" if done.returncode == 0 else " ".join(done.stderr.split())


def argv(estate: Estate, part: PrometheusPart, state: Path) -> list[str]:
    """How it is started: inside the outside's namespace, reachable from there and through a forward."""
    place = state / DIRECTORY
    return [
        "nsenter",
        f"--net=/run/netns/{estate.outside.netns}",
        "prometheus",
        f"--config.file={place / _CONFIG}",
        f"--storage.tsdb.path={place / 'data'}",
        "--storage.tsdb.retention.time=7d",
        "--storage.tsdb.retention.size=2GB",
        # A new pod's first sample should come within seconds (default 5 s).
        "--scrape.discovery-reload-interval=1s",
        f"--web.listen-address={estate.outside.address}:{part.port}",
        "--log.level=warn",
    ]
