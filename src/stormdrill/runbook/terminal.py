"""The desk at a terminal: steps as they stand on the paper, questions with the few answers they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stormdrill.runbook.attention import Attention, Leave
from stormdrill.runbook.desk import AGAIN, DONE, LEAVE, WAIVE, Choice
from stormdrill.runbook.values import END, GO_ON, STOP, Decision, Step

_NAME_LENGTH = 80
_QUIT = "q"
_ENDS = {GO_ON: "go on", STOP: "hold here", END: "done, the rest is left out"}


class Terminal:
    """`ask` prints a prompt and returns a line (EOFError when there is nobody any more)."""

    attended = True

    def __init__(
        self, actor: str, say: Callable[[str], None], ask: Callable[[str], str], attention: Attention
    ) -> None:
        self.actor = actor
        self.say = say
        self._ask = ask
        self._attention = attention

    def show(self, step: Step, total: int) -> None:
        """Heading, prose."""
        self.say(f"\n=== {step.number} of {total} · {step.kind} · {step.title}\n")
        if step.prose:
            self.say("\n".join(f"  {line}".rstrip() for line in step.prose.splitlines()) + "\n")

    def by_hand(self, step: Step) -> None:  # noqa: ARG002 - it stands above
        """Wait for the word that it is done."""
        self._one_of({"d": DONE}, "done by hand?  d = done, q = leave")

    def confirm(self, step: Step, text: str) -> None:  # noqa: ARG002 - it stands above
        """Wait for the word to do it."""
        self.say("  will do:  " + text.strip().replace("\n", "\n            "))
        self._one_of({"y": GO_ON}, "do it?  y = yes, q = leave")

    def cut_off(self, step: Step) -> str:
        """Done, or again."""
        self.say(f"  The run was cut off during this step; whether '{step.title}' was done is not known.")
        return self._one_of({"d": DONE, "a": AGAIN}, "d = it was done, a = do it (again), q = leave")

    def decide(self, step: Step, decision: Decision) -> Choice:  # noqa: ARG002 - it stands above
        """An option by its word, and everybody's name."""
        for option, target in decision.options.items():
            self.say(f"  {option}: {_ENDS.get(target, f'go to {target}')}")
        option = self._one_of({option: option for option in decision.options}, "which?  (q = leave)")
        return Choice(option, self._names(decision.people, f"decides '{option}'"))

    def approve(self, step: Step, people: int) -> Choice:  # noqa: ARG002 - it stands above
        """Yes from so many people, or the first no."""
        answer = self._one_of({"y": GO_ON, "n": STOP}, "approved?  y = yes, n = no (hold here), q = leave")
        return Choice(answer, self._names(people if answer == GO_ON else 1, "says so"))

    def failed(self, step: Step, why: str) -> str:
        """Again, waive where that is allowed, or stop."""
        self.say(f"  NOT AS IT SHOULD BE: {why}")
        answers = {"a": AGAIN, "s": LEAVE}
        words = "a = again, s = stop here"
        if step.waiver is not None:
            answers["w"] = WAIVE
            words += f", w = go on all the same ({step.waiver.people} people and a reason)"
        return self._one_of(answers, words)

    def waive(self, step: Step, people: int) -> Choice:
        """Names and a reason."""
        reason = ""
        while not reason:
            reason = self._line(f"why go on without '{step.title}' as it should be")
        return Choice(WAIVE, self._names(people, "goes on all the same"), reason=reason)

    def _names(self, people: int, what: str) -> tuple[str, ...]:
        """Names, each of another person."""
        names: dict[str, str] = {}
        while len(names) < people:
            which = f" ({len(names) + 1} of {people})" if people > 1 else ""
            name = self._line(f"name of who {what}{which}")
            if not name:
                continue
            if (key := name.casefold()) in names:
                self.say(f"  {name} is named already; {people} different people are asked for")
            names.setdefault(key, name)
        return tuple(names.values())

    def _one_of(self, answers: Mapping[str, str], words: str) -> str:
        """Ask until one of the answers comes; only whole words count, in either case."""
        known = {word.casefold(): meaning for word, meaning in answers.items()}
        while True:
            word = self._line(words).casefold()
            if word in known:
                return known[word]
            if word == _QUIT:
                raise Leave("left by the person at the terminal")
            self.say(f"  answer one of: {', '.join([*answers, _QUIT])}")

    def _line(self, prompt: str) -> str:
        try:
            with self._attention.open():
                typed = self._ask(f"  {prompt}: ")
        except (EOFError, OSError):
            raise Leave("nobody is at the terminal any more") from None
        return " ".join("".join(c if c.isprintable() else " " for c in typed).split())[:_NAME_LENGTH]
