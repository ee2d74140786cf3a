"""Draws docs/compare.svg, the picture of the README: ``python docs/picture.py``. It is what the command prints."""

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COMMAND = ("compare", "reviews@v1", "reviews@v3")
# Words that the eye should find; all of them are words of the output, so that colour says nothing by itself.
WORDS = {
    r"IMPROVED|(?<=: )(better|cheaper)": "bold green",
    r"INCONCLUSIVE|TRADE-OFF": "bold yellow",
    r"REGRESSED": "bold red",
}


def main() -> None:
    """Run the command in the repository and write the picture beside this file."""
    docs = Path(__file__).parent
    shown = ["promptopt", *COMMAND]
    done = subprocess.run([sys.executable, "-m", *shown], cwd=docs.parent, capture_output=True, text=True, check=True)
    text = Text(f"$ {' '.join(shown)}\n{done.stdout.rstrip()}")
    for words, style in WORDS.items():
        text.highlight_regex(words, style)
    width = max(map(len, text.plain.splitlines()))
    console = Console(record=True, width=width, file=StringIO(), color_system="truecolor", force_terminal=True)
    console.print(text, crop=False, no_wrap=True)
    picture = console.export_svg(title="promptopt", theme=MONOKAI, unique_id="promptopt")
    # The font of the machine: a picture loads nothing.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL).replace("Fira Code, ", "")
    (docs / "compare.svg").write_text(
        "\n".join(line.rstrip() for line in picture.splitlines()) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
