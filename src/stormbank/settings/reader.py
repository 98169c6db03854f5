"""Reading settings from the environment: all that is wrong is reported together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class SettingsError(Exception):
    """The environment does not describe a bank process; the message lists every reason."""


class Reader:
    """Reads one setting after the other and keeps what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.errors: list[str] = []

    def read(self, name: str, default: str, parse: Callable[[str], T], placeholder: T) -> T:
        """Return the setting `name` as `parse` reads it; the placeholder when that fails, which is noted."""
        text = self._env.get(name) or default
        try:
            return parse(text)
        except ValueError as error:
            self.errors.append(f"{name}={text!r}: {error}")
            return placeholder

    def given(self, name: str) -> str | None:
        """Return the text of a setting that may be absent; empty is absent too."""
        return self._env.get(name) or None

    def has(self, name: str) -> bool:
        """Whether the environment holds `name`, be it empty."""
        return name in self._env

    def settle(self, contradictions: Callable[[], Iterable[str]]) -> None:
        """Raise SettingsError when anything is wrong; contradictions are looked for among readable settings only."""
        errors = self.errors or list(contradictions())
        if errors:
            raise SettingsError("\n".join(errors))
