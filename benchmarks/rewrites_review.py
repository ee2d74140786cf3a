"""How a reviewer's answers fare with ``promptopt compress --rewrite --review``.

    python benchmarks/rewrites_review.py --requests OUT [--folder FOLDER] [--unguarded] [NAME ...]
    python benchmarks/rewrites_review.py --answers ANSWERS [--requests OUT] [--list] [--folder FOLDER] [--unguarded]

The prompts are those of ``FOLDER`` (benchmarks/rewrites), whose files benchmarks/rewrites.py describes. Each passage is
rewritten by itself, the rest of its prompt stays: once as the editor wrote it and once for each loss.

``--requests`` writes what the reviewer is asked: of what the guard is not certain to be a loss, whole or in part, with
what it suspects, or with ``--unguarded`` of all and without suspicions. ``OUT/1/HASH.txt`` is the request as text.
Neither its name nor its place says whether it is of a faithful rewrite. No two of one passage are in the same folder,
so that whoever answers one folder cannot compare them. The answer is the JSON that is asked for, in
``ANSWERS/.../HASH.json``. ``--answers`` serves these as the reviewer's and prints what came of them. A question that
comes up only then (after an objection: of the next rewrite, or of the sentences that are left) has no answer, and what
it asks of is not taken; with ``--requests`` it is written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rewrites import FOLDER, Editor, Judged, Loss, Passage, Sample, _flat, answering, blocks_of, completion, run

from promptopt.compression.by_model.paragraph import GuardVerdict, RewrittenParagraph
from promptopt.templates.source import same_code
from promptopt.tokens import tokenizer_for

REVIEWER = "gpt-4.1"
UNANSWERED = "(no answer yet)"


@dataclass(frozen=True)
class Question:
    """What the reviewer is asked, as text, and the schema of its answer."""

    text: str
    schema: dict[str, Any]

    @property
    def complete(self) -> str:
        """The answer that all is kept."""
        numbers = self.schema["properties"].get("suspected", {"properties": {}})["properties"]
        kept = {"why": "nothing else can be done", "verdict": "kept", "words": ""}
        suspected = {"suspected": dict.fromkeys(numbers, kept)} if numbers else {}
        return json.dumps({**suspected, "lost": [], "added": []})


@dataclass
class Server:
    """Answers as the editor, and as the reviewer with what is written for each of its questions.

    Attributes:
        answers: By the hash of the question; ``None``: every rewrite is complete.
        asked: Questions without an answer, by hash.
    """

    answers: dict[str, str] | None = None
    asked: dict[str, Question] = field(default_factory=dict)
    editor: Editor = field(default_factory=Editor)

    def reply(self, body: dict[str, Any]) -> bytes:
        if body["model"] != REVIEWER:
            return self.editor.reply(body)
        text = "\n\n".join(f"===== {each['role']} =====\n{each['content']}" for each in body["messages"])
        question = Question(text, body["response_format"]["json_schema"]["schema"])
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        if self.answers is not None and name in self.answers:
            return completion(self.answers[name], REVIEWER)
        if UNANSWERED not in text:
            self.asked[name] = question
        return completion(question.complete if self.answers is None else UNANSWERED, REVIEWER)


@dataclass(frozen=True)
class Case:
    """One passage of a prompt, rewritten: faithfully, or with a loss."""

    sample: Sample
    passage: Passage
    loss: Loss | None = None

    @property
    def alone(self) -> Sample:
        """The prompt, of which only this passage has a rewrite."""
        now = self.passage if self.loss is None else self.passage.losing(self.loss)
        passages = (
            now if each == self.passage else Passage(each.was, each.was, each.was) for each in self.sample.passages
        )
        return replace(self.sample, passages=tuple(passages), losses=())

    def passes(self, result: Judged) -> bool:
        """Whether the prompt that comes out has the loss."""
        assert self.loss is not None
        return _planted(self.sample.prompt, self.passage.losing(self.loss).now, self.loss.becomes) in _flat(result.text)

    def whole(self, result: Judged) -> bool:
        """Whether the passage came out as the editor wrote it, at once or when asked again."""
        return any(_flat(text) in _flat(result.text) for text in self.passage[1:])


def _planted(prompt: str, twin: str, becomes: str) -> str:
    """The words that show that a loss came through: those of the loss, with some around them if they are not new."""
    if becomes.strip() and _flat(becomes) not in _flat(prompt):
        return _flat(becomes)
    before, after = twin.split(becomes, 1) if becomes else (twin, "")
    return _flat(" ".join((*before.split()[-4:], becomes, *after.split()[:4])))


def faults(sample: Sample) -> Iterator[str]:
    """What whoever wrote a file should look at once more."""
    count = tokenizer_for(None).count
    for passage in sample.passages:
        begins = repr(passage.was[:40])
        if passage.was != passage.now and count(passage.now) >= count(passage.was):
            yield f"the rewrite is not shorter: {begins}"
        if not same_code(passage.was, passage.now):
            yield f"holes or tags differ, or their order: {begins}"
        if len(blocks_of(passage.was)) != len(blocks_of(passage.now)):
            yield f"another number of paragraphs: {begins}"
    for loss in sample.losses:
        passage = next(each for each in sample.passages if loss.was in each.now)
        twin = passage.losing(loss).now
        if passage.now in (twin, passage.was):
            yield f"no twin of a rewrite: {loss.lost}"
        if not loss.named_in(passage.was) and not loss.named_in(twin):
            yield f"no word of named_by is in the passage or in the twin: {loss.lost}"


def cases(samples: Sequence[Sample]) -> Iterator[Case]:
    for sample in samples:
        for passage in sample.passages:
            if passage.was != passage.now:
                yield Case(sample, passage)
                yield from (Case(sample, passage, loss) for loss in sample.losses if loss.was in passage.now)


def unguarded() -> ExitStack:
    """What is shorter reaches the reviewer, whole or not at all."""

    def judged(paragraph: RewrittenParagraph, new: str) -> GuardVerdict:
        return GuardVerdict("" if new and paragraph.count(new) < paragraph.count(paragraph.old) else "is not shorter")

    stack = ExitStack()
    stack.enter_context(patch.object(RewrittenParagraph, "judged", judged))
    stack.enter_context(patch.object(RewrittenParagraph, "kept_sentences", lambda paragraph, *_: paragraph.old))
    return stack


def answers_in(place: Path) -> dict[str, str]:
    """The answers by the name of their question: those of a folder, or of a file with one in each line."""
    if place.is_dir():
        return {path.stem: path.read_text(encoding="utf-8") for path in sorted(place.rglob("*.json"))}
    lines = place.read_text(encoding="utf-8").splitlines()
    return {one["question"]: json.dumps(one["answer"]) for one in map(json.loads, lines)}


def write(asked: dict[str, Question], out: Path) -> None:
    """The questions, in as many folders as the most of one passage."""
    seen: Counter[str] = Counter()
    for name, question in sorted(asked.items()):
        schema = json.dumps(question.schema)
        passage = re.search(r"<passage>\n.*?\n</passage>", question.text, re.DOTALL)
        seen[passage[0] if passage else ""] += 1
        folder = out / str(seen[passage[0] if passage else ""])
        folder.mkdir(parents=True, exist_ok=True)
        text = f"{question.text}\n\n===== schema of the answer =====\n{schema}\n"
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    print(f"{len(asked)} questions in {out}")


@dataclass(frozen=True)
class Outcome:
    """What came of one passage: without a reviewer, with one who finds everything complete, and with the answers."""

    case: Case
    alone: Judged
    complete: Judged
    reviewed: Judged


def report(found: Sequence[Outcome], listed: bool) -> None:
    """What came of all passages."""
    count = tokenizer_for(None).count
    taken: Counter[str] = Counter()
    twins: Counter[str] = Counter()
    before = first = then = refused_alone = waved = 0
    for one in found:
        case, reviewed = one.case, one.reviewed
        why = "; ".join(dict.fromkeys(reason for _, reason in reviewed.refused))
        if case.loss is None:
            before += count(case.passage.was)
            first += one.alone.saved
            then += reviewed.saved
            state = "whole" if case.whole(reviewed) else "in part" if reviewed.accepted else "not at all"
            taken[state] += 1
            taken["whole without review"] += case.whole(one.alone)
            if listed and case.whole(one.complete) and state != "whole":
                print(f"{case.sample.name}: faithful, taken {state}: {why}\n    {_flat(case.passage.now)}")
            continue
        state = "by guard"
        if case.passes(one.complete):
            unread = "not reviewed" if "was not reviewed" in why else "unnamed"
            how = "named" if case.loss.named_in(why) else unread
            state = "PASSED" if case.passes(reviewed) else f"by review, {how}"
        twins[state] += 1
        refused_alone += not case.passes(one.alone)
        waved += state == "PASSED" and not case.passes(one.alone)
        if listed and state not in ("by guard", "by review, named"):
            print(f"{case.sample.name}: {state}, lost: {case.loss.lost}\n    {_flat(case.loss.becomes)}\n    {why}")
    passages = taken["whole"] + taken["in part"] + taken["not at all"]
    print(f"faithful passages: {passages}, {taken['whole']} taken whole, {taken['in part']} in part; ", end="")
    print(f"{taken['whole without review']} whole without review")
    print(
        f"tokens: {before:,}, rewrites save {then / max(1, before):.1%} ({first / max(1, before):.1%} without review)"
    )
    refused = twins.total() - twins["PASSED"]
    states = ", ".join(f"{number} {state}" for state, number in sorted(twins.items()))
    print(
        f"twins with one loss: {refused} of {twins.total()} refused ({refused / max(1, twins.total()):.1%}): {states}"
    )
    print(f"  without review {refused_alone} refused, of which {waved} passed with it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--requests", type=Path, metavar="OUT")
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--unguarded", action="store_true")
    parser.add_argument("--list", action="store_true", dest="listed")
    given = parser.parse_args()
    if given.requests is None and given.answers is None:
        parser.error("give --requests or --answers")
    samples = [Sample.load(path) for path in sorted(given.folder.glob("*.yaml"))]
    samples = [one for one in samples if not given.names or any(name in one.name for name in given.names)]
    for one in samples:
        for fault in faults(one):
            print(f"{one.name}: {fault}")
    found = list(cases(samples))
    server, options = Server(), ("--review", REVIEWER)
    with ExitStack() as stack:
        if given.unguarded:
            stack.enter_context(unguarded())
        server.editor.url = stack.enter_context(answering(server.reply))
        complete = [run(server.editor, case.alone, *options) for case in found]
        if given.answers is not None:
            server.asked.clear()
            server.answers = answers_in(given.answers)
            reviewed = [run(server.editor, case.alone, *options) for case in found]
            alone = [run(server.editor, case.alone) for case in found]
            report(list(map(Outcome, found, alone, complete, reviewed)), given.listed)
            print(f"{len(server.asked)} questions have no answer; what they ask about is not taken")
        if given.requests is not None:
            write(server.asked, given.requests)


if __name__ == "__main__":
    main()
