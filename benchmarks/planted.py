"""Losses and harmless edits, planted into real prompts and into sentences of many kinds: what is caught?

    python benchmarks/planted.py [PROMPTS.jsonl]

By default the prompts are the real ones, or the project's own if those are not on this machine. The sentences are in
``planted_losses.txt`` and ``planted_harmless.txt``, one of a kind. A loss is caught by the facts if they differ, and by
the judge of edits if a rule that proposes it is refused.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from corpora import own_prompts, real_prompts

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.engine import compress_document
from promptopt.compression.facts.stated import compare_facts, facts
from promptopt.compression.judging import judge
from promptopt.compression.masks import mask

PLACES = 1000


def _delete(match: re.Match[str]) -> str:  # noqa: ARG001 - one signature for all
    return ""


def _other_number(match: re.Match[str]) -> str:
    return str(int(match[0]) + 3)


LOSSES = {
    "negation deleted": (r"\b(?:not|never|no|without)\b |n't\b", _delete),
    "negation added": (r"\b(?<=should )(?=\w)|\b(?<=must )(?=\w)", lambda _: "not "),
    "number altered": (r"\b\d{1,4}\b", _other_number),
    "number deleted": (r"\b\d{1,4}\b", _delete),
    "limit altered": (
        r"\bat least\b|\bat most\b|\bmore than\b|\bless than\b|\bup to\b|\bexactly\b|\bmaximum\b|\bminimum\b",
        lambda match: {"at least": "at most", "at most": "at least"}.get(match[0], "around"),
    ),
    "limit deleted": (r"\b(?:at least|at most|no more than|up to|exactly|maximum|only)\b ", _delete),
    "enum value deleted": (r"(?<=, )\w{4,}(?=,)|(?<=\bor )\w{5,}|(?<=, and )\w{5,}", _delete),
    "example deleted": (r"\b(?:e\.g\.|for example|such as|like)[^.;)\n]{5,80}", _delete),
    "condition deleted": (r"\b(?:if|when|unless|until|otherwise)\b[^,.;\n]{5,60}", _delete),
    "duty altered": (r"\bmust\b|\bshould\b", lambda _: "may"),
}
HARMLESS = {
    "please": (r"\b[Pp]lease ", _delete),
    "blank run": (r"(?<=[a-z]) (?=[a-z])", lambda _: "  "),
    "trailing space": (r"(?<=[.:])\n", lambda _: "  \n"),
    "article": (r"(?<=[a-z] )(?:the|an) (?=[a-z])", _delete),
    "wordy phrase": (r"\bin order to\b", lambda _: "to"),
    "bold": (r"\*\*(?=\w)|(?<=\w)\*\*", _delete),
    "filler": (r"\b(?:Additionally|Furthermore|Moreover|In addition|Of course), ", _delete),
    "make sure": (r"\b[Mm]ake sure to ", _delete),
    "polite opener": (r"\bI want you to ", _delete),
    "contraction": (r"\b(I|[Yy]ou) will\b", lambda match: f"{match[1]}'ll"),
    "line break": (r"(?<=[a-z]{3}[.]) (?=[A-Z])", lambda _: "\n"),
    "said twice": (r"(?<=[a-z]{3}[.] )(?=[A-Z])", None),
}


def sites(texts: list[str], table: dict) -> Iterator[tuple[str, str, str]]:
    """Name, text and altered text for every place where an edit of ``table`` applies."""
    for name, (pattern, replace) in table.items():
        for text in texts:
            zones = mask(text).zones if table is HARMLESS else ()
            for match in re.finditer(pattern, text):
                # What is quoted, shown as an example or code is a fact to the letter: no edit there is harmless.
                if any(zone.start <= match.end() and match.start() <= zone.end for zone in zones):
                    continue
                if replace is None:
                    sentence = re.match(r"[^\n{}]{20,200}?[.] ", text[match.end() :])
                    if sentence is None:
                        continue
                    new = sentence[0]
                else:
                    new = replace(match)
                altered = text[: match.start()] + new + text[match.end() :]
                if altered != text:
                    yield name, text, altered


def sample(texts: list[str], table: dict, places: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """``places`` sites, as evenly over the kinds as the texts allow."""
    rng = random.Random(seed)
    by_kind: dict[str, list[tuple[str, str, str]]] = {}
    for site in sites(texts, table):
        by_kind.setdefault(site[0], []).append(site)
    for found in by_kind.values():
        rng.shuffle(found)
    chosen: list[tuple[str, str, str]] = []
    while len(chosen) < places and any(by_kind.values()):
        for found in by_kind.values():
            if found and len(chosen) < places:
                chosen.append(found.pop())
    return chosen


def flagged(before: str, after: str) -> bool:
    """Whether the facts say that something was lost or altered."""
    return bool(compare_facts(facts(before), facts(after)))


def measure(texts: list[str], table: dict, places: int = PLACES) -> tuple[Counter, Counter, list]:
    """Flagged and all sites by kind, and the sites that were not flagged."""
    hit, total, rest = Counter(), Counter(), []
    for name, before, after in sample(texts, table, places):
        total[name] += 1
        if flagged(before, after):
            hit[name] += 1
        else:
            rest.append((name, before, after))
    return hit, total, rest


EDITED = re.compile(r"\{([^{}|]*)\|([^{}|]*)\}")


def planted(name: str) -> list[tuple[str, str, str, tuple[tuple[int, int, str], ...]]]:
    """Kind, sentence, altered sentence and edits of each line of a list beside this file."""
    found = []
    for line in Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        kind, text = line.replace("\\n", "\n").split(": ", 1)
        before, edits, position = "", [], 0
        for match in EDITED.finditer(text):
            before += text[position : match.start()]
            edits.append((len(before), len(before) + len(match[1]), match[2]))
            before += match[1]
            position = match.end()
        found.append((kind, before + text[position:], EDITED.sub(r"\2", text), tuple(edits)))
    return found


class Planted:
    """A rule that proposes the edits of one line, at the level that allows most."""

    code, name, reason, level = "PO999", "planted", "a benchmark", "telegraphic"

    def __init__(self, before: str, edits: tuple[tuple[int, int, str], ...]) -> None:
        self.before, self.edits = before, edits

    def propose(self, document: Document) -> Iterator[Edit]:
        if document.text == self.before:
            # An edit that only adds takes the character before it along.
            for start, end, new in self.edits:
                first = start if end > start else max(0, start - 1)
                yield Edit(first, max(end, first + 1), document.text[first:start] + new, self.code, "planted")


def made(before: str, edits: tuple[tuple[int, int, str], ...]) -> bool:
    """Whether the compressor makes at least one of the edits, tokens aside."""
    with patch.object(judge._Judge, "_saved", lambda *_: 1):
        return bool(compress_document(Document(before), "telegraphic", [Planted(before, edits)]).edits)


def report_sentences() -> None:
    """How many sentences of each list are caught, and which were not."""
    for title, name, wrong in (
        ("losses", "planted_losses.txt", False),
        ("harmless edits", "planted_harmless.txt", True),
    ):
        lines = planted(name)
        missed = [kind for kind, before, after, _ in lines if flagged(before, after) is wrong]
        done = [kind for kind, before, _, edits in lines if made(before, edits)]
        if wrong:
            print(f"{title} of {len(lines)} kinds: flagged {len(missed)} ({_names(missed)}); made {len(done)}")
            continue
        both = [kind for kind in missed if kind in done]
        print(f"{title} of {len(lines)} kinds: caught by the facts {len(lines) - len(missed)} (not: {_names(missed)});")
        print(f"  refused by the judge {len(lines) - len(done)} (not: {_names(done)}); missed by both {len(both)}")


def _names(kinds: list[str]) -> str:
    return ", ".join(kinds) or "none"


def main(path: str | None = None) -> None:
    texts = [row["text"] for row in real_prompts(path) or own_prompts()]
    for title, table in (("planted losses", LOSSES), ("harmless edits", HARMLESS)):
        hit, total, _ = measure(texts, table)
        print(f"{title}: flagged {hit.total()} of {total.total()} ({100 * hit.total() / total.total():.1f}%)")
        for name, count in total.items():
            print(f"  {name:20} {hit[name]:4} of {count:4}")
    report_sentences()


if __name__ == "__main__":
    main(*sys.argv[1:2])
