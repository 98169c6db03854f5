"""What a drill says of bad input: one message, all of it together, and nothing was begun."""


def edit(path, old, new):
    """Change a file; the line that changed, as a message names it."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return f"{path.name}:{text[: text.index(old)].count(chr(10)) + 1}:"


def untouched(whole):
    return whole.fake.calls() == [] and not list(whole.runs.glob("*"))
