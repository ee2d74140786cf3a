"""How many of the edits that `promptopt compress` makes would a careful reader not sign?

    python benchmarks/edits.py [CORPUS.jsonl ...] [--level LEVEL] [--number 400] [--seed 1]
        [--list] [--judge WORKLIST] [--record WORKLIST]

Every edit that is made at a level over all prompts of the corpora is a candidate; ``--number`` of them are drawn, by
the hash of the edit and the seed, so that a rule that changes swaps only its own edits in the draw. A person reads each
one in its context and signs it or not, by the word of its level: ``safe`` changes neither meaning, degree nor manner,
``standard`` the same with whole grammar, ``telegraphic`` is a note in which every relation is readable.

``--judge`` writes the drawn edits without a verdict to a work list: a head line of hash, level, rule and ``?``, then
the edit in its context as ``[-old-]{+new+}``. A person replaces each ``?`` by ``signed`` or by one word that says what
is wrong. ``--record`` takes them into ``edits_verdicts.csv``, which holds no text: hash, level, verdict.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from corpora import DATA, real_prompts

from promptopt.compression import engine
from promptopt.compression.edit import LEVELS, Level
from promptopt.gateway.semantic.calibrate import upper_bound

VERDICTS = Path(__file__).with_name("edits_verdicts.csv")
CORPORA = ("prompts/prompts.jsonl", "edits/prompts.jsonl")
SIGNED = "signed"
LEAD, TAIL = 3, 2  # lines that are shown with an edit and belong to its hash
LONGEST = 500  # characters of them on each side
HEAD = re.compile(r"^=== (?P<key>[0-9a-f]{16}) (?P<level>\w+) PO\d+ (?P<verdict>\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Drawn:
    """An edit that was made, with what a reader sees of it.

    Attributes:
        lead: The text before what changes, up to three lines of it.
        tail: The text after it, up to two.
    """

    rule: str
    lead: str
    old: str
    new: str
    tail: str

    @cached_property
    def key(self) -> str:
        before, after = self.lead + self.old + self.tail, self.lead + self.new + self.tail
        return hashlib.sha256(f"{self.rule}\0{before}\0{after}".encode()).hexdigest()[:16]

    def order(self, seed: int) -> str:
        return hashlib.sha256(f"{seed} {self.key}".encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.lead}[-{self.old}-]{{+{self.new}+}}{self.tail}"


def edits_of(text: str, level: Level) -> Iterator[Drawn]:
    """The edits that are made in a text, pass by pass: the place of each is one of the text that it changes."""
    while True:
        made = engine.compress(text, level)
        starts = [0, *(match.end() for match in re.finditer("\n", text))]
        for edit in made.edits:
            start = starts[edit.line - 1] + edit.column - 1
            end = start + len(edit.old)
            if text[start:end] != edit.old:
                raise SystemExit(f"not in its place: {edit}")
            yield Drawn(edit.rule, _lead(text[:start]), edit.old, edit.new, _tail(text[end:]))
        if made.text == text:
            return
        text = made.text


def _lead(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(lines[-LEAD - 1 :])[-LONGEST:]


def _tail(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(lines[: TAIL + 1])[:LONGEST]


def verdicts() -> dict[tuple[str, str], str]:
    if not VERDICTS.exists():
        return {}
    with VERDICTS.open(encoding="utf-8", newline="") as file:
        return {(row["edit"], row["level"]): row["verdict"] for row in csv.DictReader(file)}


def verdict_of(known: dict[tuple[str, str], str], edit: Drawn, level: Level) -> str:
    """What was said of an edit at a level; what is signed is signed at every level that promises less.

    Empty if nobody has read it.
    """
    place = LEVELS.index(level)
    if (edit.key, level) in known:
        return known[edit.key, level]
    stricter = (known.get((edit.key, other)) for other in LEVELS[:place])
    return SIGNED if SIGNED in stricter else ""


def record(worklist: Path) -> None:
    """Take the verdicts of a work list."""
    known = verdicts()
    text = worklist.read_text(encoding="utf-8")
    new = {(head["key"], head["level"]): head["verdict"] for head in HEAD.finditer(text) if head["verdict"] != "?"}
    known |= new
    with VERDICTS.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("edit", "level", "verdict"))
        out.writerows((*place, verdict) for place, verdict in sorted(known.items()))
    print(f"{len(new)} verdicts taken, {len(known)} known")


def interval(bad: int, total: int) -> str:
    """A share with its 95% interval by Clopper and Pearson (1934)."""
    low, high = 1 - upper_bound(total - bad, total, 0.025), upper_bound(bad, total, 0.025)
    return f"{bad / total:.1%}, {low:.1%} to {high:.1%}"


def report(level: Level, found: Sequence[Drawn], population: int, *, listed: bool) -> list[Drawn]:
    """Print the figures of a level; the edits that nobody has read."""
    known = verdicts()
    said = [(edit, verdict_of(known, edit, level)) for edit in found]
    unread = [edit for edit, verdict in said if not verdict]
    read = [(edit, verdict) for edit, verdict in said if verdict]
    bad = [(edit, verdict) for edit, verdict in read if verdict != SIGNED]
    print(f"\n{level}: {len(found)} of {population:,} edits drawn, {len(unread)} of them without a verdict")
    if read:
        print(f"not signed: {len(bad)} of {len(read)} ({interval(len(bad), len(read))})")
        rows = []
        for rule in sorted({edit.rule for edit, _ in read}):
            total = sum(edit.rule == rule for edit, _ in read)
            wrong = [verdict for edit, verdict in bad if edit.rule == rule]
            rows.append((rule, total, len(wrong), ", ".join(sorted(set(wrong)))))
        print(tabulate(rows, ["rule", "read", "not signed", "why"], tablefmt="github"))
    if listed:
        for edit, verdict in bad:
            print(f"\n--- {edit.key} {edit.rule} {verdict}\n{edit}")
    return unread


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("corpora", nargs="*", type=Path)
    arguments.add_argument("--level", action="append", choices=LEVELS)
    arguments.add_argument("--number", type=int, default=400)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--rule", help="draw edits of this rule alone")
    arguments.add_argument("--list", action="store_true", help="print the edits that were not signed")
    arguments.add_argument("--judge", type=Path, help="write the edits without a verdict here")
    arguments.add_argument("--record", type=Path, help="take the verdicts of this work list")
    given = arguments.parse_args()
    if given.record:
        record(given.record)
        return
    engine.MAX_PASSES = 1
    paths = given.corpora or [path for path in (DATA / name for name in CORPORA) if path.exists()]
    texts = [row["text"].replace("\r\n", "\n") for path in paths for row in real_prompts(path)]
    if not texts:
        raise SystemExit(f"no corpus: name one, or PROMPTOPT_DATA with {' or '.join(CORPORA)}")
    print(f"{len(texts)} prompts, seed {given.seed}")
    work = []
    for level in given.level or LEVELS:
        made = {edit.key: edit for text in texts for edit in edits_of(text, level)}
        if given.rule:
            made = {key: edit for key, edit in made.items() if edit.rule == given.rule}
        drawn = sorted(made.values(), key=lambda edit: edit.order(given.seed))[: given.number]
        unread = report(level, drawn, len(made), listed=given.list)
        work += [f"=== {edit.key} {level} {edit.rule} ?\n{edit}\n" for edit in sorted(unread, key=lambda one: one.rule)]
    if given.judge:
        given.judge.write_text("\n".join(work), encoding="utf-8")
        print(f"\n{len(work)} edits to be read in {given.judge}")


if __name__ == "__main__":
    main()
