"""How the pages show files, commands and what they print."""

import re

STEP = re.compile(
    r"^(?:`(?P<file>[\w./-]+)`\n\n```\w+\n(?P<text>.*?)|```console\n(?P<block>.*?))^```$", re.DOTALL | re.MULTILINE
)


def as_pattern(shown: str) -> str:
    """What is shown as a pattern: a line that is `...` is any lines, and ` ...` at the end of one any rest of it."""
    lines = (
        r"(?:.*\n)*?"
        if line == "..."
        else re.escape(line.removesuffix("...")) + (".*" if line.endswith(" ...") else "") + r"\n"
        for line in shown.rstrip("\n").splitlines()
    )
    return "".join(lines)


def commands(block: str) -> list[tuple[str, str]]:
    """Each command with what is shown after it."""
    found = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, shown) for command, _, shown in (each.partition("\n") for each in found)]
