"""How a careful editor's rewrites and the same with one planted loss fare with `promptopt compress --rewrite`.

    python benchmarks/rewrites.py [NAME ...] [--list]

Each file in benchmarks/rewrites is a wordy prompt in passages: ``was`` is what the author wrote, ``now`` an editor's
rewrite that keeps all that is asked (a passage without ``now`` stays as it is), ``again`` what the editor writes after
a refusal, having seen its reason and neither the guard nor its verdict. ``losses`` are twins of the rewrite: in
each one, ``was`` is replaced by ``becomes``, and with it goes one fact, which ``lost`` describes. A refusal names the
fact if one of the words in ``named_by`` is in its reason. A twin's editor keeps to the loss when asked again.

Tables and rules of the guard were made with the prompts up to 95 at hand. Those from 96 on were written in three
fifteens, those from 141 on, a passage each, in two thirties, those from 201 on in one forty, those from 241 on in a
thirty, a twenty and a ten, and those from 301 on in six twenties, each before the guard was run on it;
docs/compress.md says how it did then. Figures are given for all.

A local server answers as the model, through the real SDK: it finds the passages that it is asked to rewrite and returns
the editor's. ``NAME`` selects files, ``--list`` prints every answer that was judged wrongly.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from click.testing import CliRunner
from rapidfuzz.fuzz import ratio
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from wire import answering, completion

from promptopt.cli import cli
from promptopt.tokens import tokenizer_for

FOLDER = Path(__file__).with_name("rewrites")
MODEL = "gpt-4o-mini"
PARTS = (
    (95, "at hand when the guard was made (up to 95)"),
    (140, "of other domains, written later; some faults that they showed were corrected (96 to 140)"),
    (170, "single passages of other kinds; some faults that they showed were corrected (141 to 170)"),
    (200, "the same, written after these; some faults that they showed were corrected (171 to 200)"),
    (240, "dense prompts, many losses with their words elsewhere; some faults were corrected (201 to 240)"),
    (300, "prompts of products, as many losses elsewhere; some faults were corrected (241 to 300)"),
    (380, "the same by one person, with a guard that accounts for each use of a word (301 to 380)"),
    (10_000, "the same by another, whose rewrites save more (381 on)"),
)
"""The last number of each part, and what it is."""
SIMILAR = 60  # below this likeness in percent a text is not one of the prompt's passages


@dataclass(frozen=True)
class Loss:
    """One fact that a twin of the rewrite loses."""

    kind: str
    lost: str
    named_by: tuple[str, ...]
    was: str
    becomes: str

    def named_in(self, reason: str) -> bool:
        return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", reason, re.IGNORECASE) for word in self.named_by)


class Passage(NamedTuple):
    """What the author wrote, an editor's rewrite, and the one after a refusal; without that, the editor insists."""

    was: str
    now: str
    again: str

    def losing(self, loss: Loss) -> Passage:
        """The twin: with the loss in both rewrites."""
        now = self.now.replace(loss.was, loss.becomes)
        if loss.was not in self.now or self.again == self.now:
            return self._replace(now=now, again=now if self.again == self.now else self.again)
        # Where the second rewrite says it in other words, the editor of the twin insists on the first.
        return self._replace(
            now=now, again=self.again.replace(loss.was, loss.becomes) if loss.was in self.again else now
        )


@dataclass(frozen=True)
class Sample:
    """A prompt and its rewrite, passage by passage."""

    name: str
    task: str
    passages: tuple[Passage, ...]
    losses: tuple[Loss, ...]

    @classmethod
    def load(cls, path: Path) -> Sample:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        passages = []
        for one in raw["passages"]:
            was, now = one["was"].strip(), one.get("now", one["was"]).strip()
            passages.append(Passage(was, now, one.get("again", now).strip()))
        losses = tuple(Loss(**{**loss, "named_by": tuple(loss["named_by"])}) for loss in raw["losses"])
        sample = cls(path.stem, raw["task"], tuple(passages), losses)
        for loss in losses:
            if sample.rewrite.count(loss.was) != 1 or sum(loss.was in each.now for each in passages) != 1:
                raise SystemExit(f"{path}: not in one place of the rewrite: {loss.was!r}")
        return sample

    @property
    def prompt(self) -> str:
        return "\n\n".join(each.was for each in self.passages)

    @property
    def rewrite(self) -> str:
        return "\n\n".join(each.now for each in self.passages)

    def twin(self, loss: Loss) -> Sample:
        return Sample(self.name, self.task, tuple(each.losing(loss) for each in self.passages), ())

    @cached_property
    def runs(self) -> list[Passage]:
        """Every run of paragraphs that a tool may ask for, up to the whole prompt, with and without chat tags."""
        blocks: list[Passage] = []
        for passage in self.passages:
            parts = [blocks_of(text) for text in passage]
            alike = len({len(part) for part in parts}) == 1
            blocks += map(Passage._make, zip(*parts, strict=True)) if alike else [passage]
        found = []
        for start, end in combinations(range(len(blocks) + 1), 2):
            run = Passage._make("\n\n".join(texts) for texts in zip(*blocks[start:end], strict=True))
            found += [run, Passage._make(map(_bare, run))]
        return found

    def answer(self, asked: str, *, again: bool) -> str | None:
        """The rewrite of the passages that ``asked`` is most like; ``None`` if it is like none."""
        tags = "{%" in asked
        choices = [run for run in self.runs if ("{%" in run.was) == tags]
        best = max(choices, key=lambda run: ratio(_flat(run.was), _flat(asked)), default=Passage("", "", ""))
        if ratio(_flat(best.was), _flat(asked)) < SIMILAR:
            return None
        return best.again if again else best.now


def _flat(text: str) -> str:
    return " ".join(text.split())


def _bare(text: str) -> str:
    """The text without the tags of chat blocks."""
    return re.sub(r"\{%-? *(?:chat[^%]*|endchat) *-?%\}\n?", "", text).strip()


@dataclass
class Editor:
    """Serves the rewrites of one sample at a time as a model's answers."""

    sample: Sample | None = None
    unknown: list[str] = field(default_factory=list)
    url: str = ""

    def reply(self, body: dict[str, Any]) -> bytes:
        content = next(each["content"] for each in body["messages"] if each["role"] == "user")
        match = re.search(r"<text>(.*)</text>", content, re.DOTALL)
        asked = match[1] if match else content
        again = any(each["role"] == "assistant" for each in body["messages"])
        answer = self.sample and self.sample.answer(asked, again=again)
        if answer is None:
            self.unknown.append(asked)
        return completion(asked if answer is None else answer, body["model"])


@dataclass(frozen=True)
class Judged:
    """What ``--rewrite`` made of one sample.

    Attributes:
        text: The prompt that comes out.
        accepted: Rewrites that were taken, as they came.
        refused: The others, each with the reason.
        saved: Tokens that the rewrites saved, without the rules.
    """

    text: str
    accepted: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    saved: int

    def state(self, *parts: str) -> tuple[str, str]:
        """Whether a rewrite with one of ``parts`` was ``accepted``, ``refused`` (and why) or ``not asked`` for."""
        found = [_flat(_bare(part)) for part in parts]
        # A refused rewrite may be taken without the sentences that lose something.
        if why := next((why for new, why in self.refused if any(part in _flat(new) for part in found)), ""):
            return "refused", why
        taken = any(part in _flat(new) for part in found for new in self.accepted)
        return ("accepted", "") if taken else ("not asked", "")


def run(editor: Editor, sample: Sample, *options: str) -> Judged:
    """The real command on the wordy prompt, with ``sample``'s rewrites as the model's answers."""
    editor.sample = sample
    runner = CliRunner(env={"OPENAI_BASE_URL": editor.url, "OPENAI_API_KEY": "none"})
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("pyproject.toml").touch()
        Path("prompt.j2").write_text(sample.prompt + "\n", encoding="utf-8")
        done = runner.invoke(cli, ["compress", "prompt.j2", "--rewrite", MODEL, "--json", *options])
    if done.exit_code:
        raise SystemExit(f"{sample.name}: {done.output}{done.exception or ''}")
    data = json.loads(done.stdout)
    made = [edit for edit in data["ledger"] if edit["rule"] == "rewrite"]
    refused = [(edit["new"], edit["refused"]) for edit in data["refused"] if edit["rule"] == "rewrite"]
    accepted, saved = tuple(edit["new"] for edit in made), sum(edit["tokens"] for edit in made)
    return Judged(data["text"], accepted, tuple(refused), saved)


def blocks_of(passage: str) -> list[str]:
    return re.split(r"\n\s*\n", passage)


def places(sample: Sample, loss: Loss, twin: bool) -> tuple[str, ...]:
    """The paragraph of each rewrite that has the loss in a twin, or the passage if it is in several."""
    passage = next(each for each in sample.passages if loss.was in each.now)
    number = next((n for n, block in enumerate(blocks_of(passage.now)) if loss.was in block), None)
    texts = tuple(passage.losing(loss) if twin else passage)[1:]
    parts = [blocks_of(text) for text in texts]
    whole = number is None or any(len(part) != len(blocks_of(passage.now)) for part in parts)
    return texts if whole else tuple(part[number] for part in parts)


def faithful(samples: list[Sample], judged: list[Judged], listed: bool) -> None:
    count = tokenizer_for(None).count
    whole, before, offered, after = 0, 0, 0, 0
    passages: Counter[str] = Counter()
    for sample, result in zip(samples, judged, strict=True):
        states = []
        for passage in (each for each in sample.passages if each.was != each.now):
            first, second = blocks_of(passage.now), blocks_of(passage.again)
            both = zip(first, second, strict=True) if len(first) == len(second) else [(passage.now, passage.again)]
            found = {result.state(*pair)[0] for pair in ((passage.now, passage.again), *both)}
            states.append(next((state for state in ("refused", "accepted") if state in found), "not asked"))
        passages.update(states)
        whole += all(state == "accepted" for state in states)
        before += count(sample.prompt)
        offered += count(sample.prompt) - count(sample.rewrite)
        after += count(result.text)
        if listed:
            for new, why in result.refused:
                print(f"{sample.name}: refused, {why}\n    {_flat(new)}")
    total = passages.total()
    print(f"faithful rewrites: {whole} of {len(samples)} accepted as a whole ({whole / len(samples):.0%})")
    shares = ", ".join(f"{state} {passages[state]}" for state in ("accepted", "refused", "not asked"))
    print(f"  of {total} passages: {shares}")
    print(f"  tokens: {before:,}; the editor saves {offered / before:.1%}, rules and rewrites {1 - after / before:.1%}")


def twins(samples: list[Sample], judged: Iterator[Judged], trusted: dict[str, Judged], listed: bool) -> None:
    kinds: dict[str, Counter[str]] = {}
    told: Counter[str] = Counter()
    for sample in samples:
        for loss in sample.losses:
            state, reason = next(judged).state(*places(sample, loss, twin=True))
            if state == "refused":
                state = "named" if loss.named_in(reason) else "unnamed"
            kinds.setdefault(loss.kind, Counter())[state] += 1
            if trusted[sample.name].state(*places(sample, loss, twin=False))[0] == "accepted":
                told[state] += 1
            if listed and state in ("accepted", "unnamed"):
                print(f"{sample.name}: {state}, lost: {loss.lost}\n    {_flat(loss.becomes)}\n    {reason}")
    states = ("named", "unnamed", "accepted", "not asked")
    total: Counter[str] = sum(kinds.values(), Counter())
    asked = total.total() - total["not asked"]
    refused = total["named"] + total["unnamed"]
    print(f"twins with one loss: {refused} of {total.total()} refused, {total['named']} with the fact named")
    print(f"  of the {asked} that were asked for: refused and named {total['named'] / max(1, asked):.1%}")
    fair = told.total() - told["not asked"]
    print(f"  of the {fair} whose faithful passage is accepted: refused and named {told['named'] / max(1, fair):.1%}")
    if not listed:
        return
    rows = [[kind, *(found[state] for state in states), found.total()] for kind, found in sorted(kinds.items())]
    print(tabulate([*rows, ["all", *(total[state] for state in states), total.total()]], ["lost", *states, "all"]))


def part(sample: Sample) -> str:
    """Which part a prompt is of, by its number."""
    number = int(sample.name.partition("-")[0])
    return next(text for last, text in PARTS if number <= last)


def measure(editor: Editor, samples: list[Sample], listed: bool) -> None:
    judged = [run(editor, sample) for sample in samples]
    faithful(samples, judged, listed)
    planted = (run(editor, sample.twin(loss)) for sample in samples for loss in sample.losses)
    twins(samples, planted, {sample.name: one for sample, one in zip(samples, judged, strict=True)}, listed)


def main(arguments: list[str]) -> None:
    listed = "--list" in arguments
    names = [argument for argument in arguments if argument != "--list"]
    samples = [Sample.load(path) for path in sorted(FOLDER.glob("*.yaml"))]
    samples = [sample for sample in samples if not names or any(name in sample.name for name in names)]
    editor = Editor()
    with answering(editor.reply) as editor.url:
        for name in sorted({part(sample) for sample in samples}):
            print(f"\n{name}")
            measure(editor, [sample for sample in samples if part(sample) == name], listed)
    if editor.unknown:
        print(f"{len(editor.unknown)} texts that are no passage were returned as they came")


if __name__ == "__main__":
    main(sys.argv[1:])
