"""What the cases of a guarded prompt do not show: older versions that were edited, and lines that no case prints."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import meta

from promptopt.budget.baseline import Base, History, input_tokens
from promptopt.budget.failure_text import growth_line
from promptopt.budget.guarded_prompt import GuardedPrompt
from promptopt.budget.limits import Limit
from promptopt.budget.result import BudgetFinding
from promptopt.config import Config
from promptopt.errors import PromptoptError
from promptopt.experiment.conversation import case_renderings
from promptopt.files import run_git, show_path
from promptopt.suites import Case
from promptopt.templates import Template, load_prompt
from promptopt.templates.dependence import Place
from promptopt.templates.frontmatter import mask_front_matter
from promptopt.templates.marking import END, FIRST_MARK, MarkedPrompt, render_marked, without_marks
from promptopt.tokens import Tokenizer
from promptopt.values import Message

_BRANCHES = re.compile(r"{%[-+]?\s*(?:if|for|macro|include|import|from|block|extends)\b")
_SHOWN = 8


def edited_versions(history: History, prompt: GuardedPrompt, limit: Limit) -> Iterator[BudgetFinding]:
    """Older versions that this branch has edited: the gate measures the newest one, and others may be in use.

    Args:
        limit: That of ``input``; an older version that grew beyond it fails, another edit is a note.
    """
    older = [path for _, path in prompt.files.versions[:-1]]
    base = history.base if older else None
    if base is None:
        return
    for path in older:
        place = history.place_at(path, base.commit)
        if not _differs(prompt.config, base, path, place):
            continue
        try:
            before, after = history.load_at(path, base.commit), load_prompt(path, config=prompt.config)
        except PromptoptError:
            continue
        if before is None:
            # It is new since the base, or was broken there.
            continue
        yield _edited(prompt, base, before, after, limit)


def _differs(config: Config, base: Base, path: Path, place: Path) -> bool:
    """Whether a file is another than on the base, where it may have had another place."""
    before = base.commit if place == path else f"{base.commit}:./{os.path.relpath(place, config.root)}"
    return run_git(config.root, "diff", "--quiet", before, "--", str(path)) is None


def _edited(prompt: GuardedPrompt, base: Base, before: Template, after: Template, limit: Limit) -> BudgetFinding:
    name = f"{prompt.name}@{after.origin.version or after.path}"
    newest = show_path(prompt.files.newest)
    details = (
        f"{newest} is measured; programs that name another version pay for this one",
        f"undo it, and make the change in the newest version: git checkout {base.commit[:10]} -- {after.path}",
    )
    model = prompt.variant.priced_as
    grown = []
    for case in prompt.cases.values():
        old, now = (input_tokens(each, case, model) for each in (before, after))
        if old is not None and now is not None:
            grown.append((Decimal(now[0] - old[0]), Decimal(old[0]), Decimal(now[0])))
    growth, old_tokens, now_tokens = max(grown, default=(Decimal(0), Decimal(0), Decimal(0)))
    if limit.level != "off" and limit.exceeded(old_tokens, growth):
        summary = f"an older version was edited: {name} {growth_line('input', old_tokens, now_tokens, limit)}"
        return BudgetFinding("edited", limit.severity, "input", summary, details, after.path, 1)
    return BudgetFinding("edited", "warn", "", f"an older version was edited: {name}", details, after.path, 1)


@dataclass(frozen=True, slots=True)
class Unreached:
    """Lines of a prompt that no case prints.

    Attributes:
        lines: Their numbers by file; 0 stands for a whole file that no case includes.
        tokens: Of their text.
    """

    lines: Mapping[str, tuple[int, ...]]
    tokens: int

    def __str__(self) -> str:
        return "; ".join(path + _numbers(numbers) for path, numbers in self.lines.items())


def _numbers(numbers: tuple[int, ...]) -> str:
    if numbers == (0,):
        return ""
    more = ",…" if len(numbers) > _SHOWN else ""
    return f":{','.join(map(str, numbers[:_SHOWN]))}{more}"


def unreached_lines(template: Template, cases: Collection[Case], tokenizer: Tokenizer) -> Unreached | None:
    """The lines of a template and its includes that no case prints, or not all of.

    Returns:
        ``None`` if there are none, or marks cannot show it.
    """
    if not _BRANCHES.search(template.source):
        return None
    reached: set[int] = set()
    places: Sequence[Place] = ()
    files: Mapping[str, str] = {}
    left: list[Place] = []
    for variables in _renderings(template, cases):
        marked = _marked(template, variables)
        if marked is None:
            return None
        marks = set[str]().union(*(item.content for item in marked.items if isinstance(item, Message)))
        reached |= {ord(mark) - FIRST_MARK for mark in marks if FIRST_MARK <= ord(mark) < ord(END)}
        # Includes add their places when they are first rendered.
        places = marked.places
        left = [
            place
            for number, place in enumerate(places)
            if place.kind == "text" and place.source.strip() and number not in reached
        ]
        files = _not_included(template, {place.path for place in places})
        if not left and not files:
            return None
    # A line with a branch in it is named once, and counted whole.
    sources = {(place.path, place.line): place.source for place in left}
    lines = {path: tuple(sorted(line for other, line in sources if other == path)) for path, _ in sorted(sources)}
    tokens = sum(tokenizer.count(text) for text in (*sources.values(), *files.values()))
    return Unreached({**lines, **dict.fromkeys(files, (0,))}, tokens) if lines or files else None


def _renderings(template: Template, cases: Collection[Case]) -> Iterator[Mapping[str, Any]]:
    """The variables of each rendering; those of a case that does not render are as they are."""
    for case in cases:
        try:
            yield from case_renderings(template, case)
        except PromptoptError:
            yield case.vars


def _marked(template: Template, variables: Mapping[str, Any]) -> MarkedPrompt | None:
    """A prompt with marks, if they change nothing of what is rendered."""
    marked = render_marked(template, variables, nested=True)
    try:
        plain = [message.content.strip() for message in template.render(variables).messages]
    except PromptoptError:
        return None
    if marked is None:
        return None
    messages = [item.content for item in marked.items if isinstance(item, Message)]
    return marked if [without_marks(text).strip() for text in messages] == plain else None


def _not_included(template: Template, rendered: Collection[str]) -> dict[str, str]:
    """The text of the files that a template or its includes name, but no case has included, as messages name them."""
    found: dict[str, str] = {}
    seen = {template.name}
    queue = [template.name]
    while queue:
        name = queue.pop()
        try:
            text = mask_front_matter(template.reader.read(name))
            named = meta.find_referenced_templates(template.compiled.environment.parse(text))
        except (OSError, PromptoptError, jinja2.TemplateError):
            continue
        shown = template.reader.display(name)
        if shown not in rendered and name != template.name:
            found[shown] = text
        new = {each for each in named if each is not None} - seen
        seen |= new
        queue.extend(sorted(new))
    return found


def unreached_findings(history: History, prompt: GuardedPrompt, limit: Limit) -> Iterator[BudgetFinding]:
    """A note about lines that no case prints, and a failure if this branch made them longer.

    Args:
        limit: That of ``input``.
    """
    cases = prompt.cases.values()
    now = unreached_lines(prompt.template, cases, prompt.tokenizer)
    if now is None:
        return
    path, numbers = next(iter(now.lines.items()))
    summary = f"no case prints {now}: {now.tokens:,} tokens whose growth no case shows"
    details = ("add a case that prints them",)
    base = history.at_base(prompt)
    if base is not None:
        before = unreached_lines(base.template, cases, prompt.tokenizer)
        old = 0 if before is None else before.tokens
        if limit.level != "off" and limit.exceeded(Decimal(old), Decimal(now.tokens - old)):
            summary = f"{summary} (on {history.base.label if history.base else 'the base'}: {old:,})"
            yield BudgetFinding("unreached", limit.severity, "input", summary, details, path, max(1, numbers[0]))
            return
    yield BudgetFinding("unreached", "note", "", summary, details, path, max(1, numbers[0]))
