"""From a text or a prompt file to a compression: passes of proposed, judged and applied edits until nothing is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from promptopt.compression.document import Document, source_tokens
from promptopt.compression.edit import LEVELS, Edit, Finding, Level, apply, includes
from promptopt.compression.judging.allowance import Allowance, Loss, PrefixLimit
from promptopt.compression.judging.edited_tokens import tokens_saved
from promptopt.compression.judging.judge import JudgedEdit, judge_edits
from promptopt.compression.masks import marks
from promptopt.compression.rules.base import BySentence, ReportsOnly, Rule, choose_rules, proposals
from promptopt.config import load_config
from promptopt.errors import UsageError, check_argument, check_model, did_you_mean
from promptopt.templates import Template
from promptopt.templates.readers import OverlayReader
from promptopt.templates.source import same_code
from promptopt.tokens import cache_rule, cacheable_tokens, tokenizer_for


def prefix_limit(document: Document) -> PrefixLimit | None:
    """What the static prefix may lose; ``None`` if falling below the provider's minimum would not cost more."""
    if document.model is None or not document.is_cacheable:
        return None
    price, (minimum, step) = document.price, cache_rule(document.model)
    if price is None or price.cache_read_mtok >= price.input_mtok:
        return None
    end, prefix = document.static_prefix.end, document.prefix_tokens
    if end is None or prefix < minimum:
        return None
    cached = cacheable_tokens(prefix, minimum, step)
    cost = cached * price.cache_read_mtok + (prefix - cached) * price.input_mtok
    # The tokens that cost as much uncached as the whole prefix costs cached.
    break_even = int(cost / price.input_mtok)
    if break_even >= minimum:
        return None
    why = (
        f"the static prefix of {prefix:,} tokens would fall below {minimum:,}, which are not cached: "
        f"{prefix:,} tokens cost ${_million(cost)} a million calls, {minimum - 1:,} uncached would cost "
        f"${_million((minimum - 1) * price.input_mtok)} (only {break_even:,} or fewer would be cheaper)"
    )
    return PrefixLimit(end, prefix - minimum, why)


def _million(microdollars: Decimal) -> str:
    return f"{microdollars:,.0f}"


MAX_PASSES = 20
"""Each pass makes the text shorter; real prompts need two to four."""


@dataclass(frozen=True, slots=True)
class Compression:
    """A shorter text, and the log of every change.

    Attributes:
        text: The compressed text.
        original: The text before.
        level: The level it was compressed at.
        tokens_before: Input tokens of the original text (of a template: of its source without the front matter).
        tokens_after: Input tokens of ``text``, likewise.
        edits: Every edit that was made, in order.
        refused: Edits that were not made, with the reason; the same change of the same words is listed once.
        findings: Places that only a person can change.
    """

    text: str
    original: str
    level: Level
    tokens_before: int
    tokens_after: int
    edits: tuple[JudgedEdit, ...] = ()
    refused: tuple[JudgedEdit, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def tokens_saved(self) -> int:
        return self.tokens_before - self.tokens_after

    def __str__(self) -> str:
        return self.text


def compress_document(
    document: Document, level: Level = "standard", rules: Sequence[Rule] | None = None
) -> Compression:
    """Apply the rules of ``level`` to a document until no proposed edit is accepted.

    Rules apply in the order of their codes, whatever order they are given in: the result depends on the set alone.

    Raises:
        UsageError: A rule of another package fails.
    """
    rules = sorted(choose_rules() if rules is None else rules, key=lambda rule: rule.code)
    before = document.tokens
    active = [rule for rule in rules if includes(level, rule.level)]
    # A rule that is not applied may still have something to report.
    asked = [rule for rule in rules if includes(level, rule.level) or not isinstance(rule, BySentence)]
    proposed = {rule.code: proposals(rule, document) for rule in asked}
    findings = tuple(one for ones in proposed.values() for one in ones if isinstance(one, Finding))
    unchanged = Compression(document.text, document.text, level, before, before, findings=findings)
    if "\r" in document.text:
        return _with_line_ends(document, level, rules) or unchanged
    editing = [rule for rule in active if not isinstance(rule, ReportsOnly)]
    outcome = _all_passes(document, editing, proposed, level)
    after = outcome.tokens
    refused = outcome.still_refused()
    if after >= before or not same_code(document.text, outcome.text) or marks(document.text) != marks(outcome.text):
        return replace(unchanged, refused=refused)
    return replace(unchanged, text=outcome.text, tokens_after=after, edits=outcome.made, refused=refused)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of all passes.

    Attributes:
        tokens: Input tokens of ``text``.
        exceeded: Kinds of which more went than may: the outcome is void.
    """

    text: str
    tokens: int
    made: tuple[JudgedEdit, ...]
    refused: tuple[JudgedEdit, ...]
    exceeded: frozenset[Loss]

    def still_refused(self) -> tuple[JudgedEdit, ...]:
        """The first of the refused edits that change the same words, without those that a later pass made."""
        made = {(edit.rule, edit.line, edit.column) for edit in self.made}
        found: dict[tuple[str, str, str], JudgedEdit] = {}
        for edit in self.refused:
            if (edit.rule, edit.line, edit.column) not in made:
                found.setdefault((edit.rule, edit.old, edit.new), edit)
        return tuple(found.values())


_Proposed = Mapping[str, Sequence[Edit | Finding]]


def _all_passes(document: Document, rules: Sequence[Rule], proposed: _Proposed, level: Level) -> _Outcome:
    """As many passes as change something; again without what of which more went than may."""
    prefix = prefix_limit(document)
    closed: frozenset[Loss] = frozenset()
    while True:
        outcome = _passes(document, rules, proposed, Allowance.of(document, closed, prefix), level)
        if not outcome.exceeded:
            return outcome
        closed |= outcome.exceeded


def _passes(
    document: Document, rules: Sequence[Rule], proposed: _Proposed, allowance: Allowance, level: Level
) -> _Outcome:
    """Passes over a document; ``proposed`` is what its rules propose for the first."""
    tokenizer = tokenizer_for(document.model)
    current, origin, tokens = document, _Origin(document), document.tokens
    log: list[JudgedEdit] = []
    for _ in range(MAX_PASSES):
        edits = [
            one
            for rule in rules
            for one in (proposed[rule.code] if current is document else proposals(rule, current))
            if isinstance(one, Edit)
        ]
        judgement = judge_edits(current, edits, tokenizer, allowance, origin.line_of, level)
        allowance = judgement.allowance.moved(judgement.accepted)
        log += judgement.log
        if not judgement.accepted or allowance.exceeded:
            break
        text = apply(current.text, judgement.accepted)
        tokens -= tokens_saved(tokenizer, current.text, judgement.accepted)
        ranges = [(edit.start, edit.end, len(edit.new)) for edit in judgement.accepted]
        current = replace(current, text=text, source=current.masks.source.edited(text, ranges))
        origin = origin.after(judgement.accepted)
    made = tuple(edit for edit in log if not edit.refused)
    return _Outcome(current.text, tokens, made, tuple(edit for edit in log if edit.refused), allowance.exceeded)


@dataclass(frozen=True, slots=True)
class _Origin:
    """The way back from a position in the text of a later pass to the line of the source."""

    document: Document
    passes: tuple[tuple[Edit, ...], ...] = ()

    def after(self, edits: Sequence[Edit]) -> _Origin:
        """The way back from the text in which ``edits`` were made."""
        return replace(self, passes=(*self.passes, tuple(sorted(edits, key=lambda edit: edit.start))))

    def line_of(self, position: int) -> tuple[int, int]:
        for edits in reversed(self.passes):
            position = _before(edits, position)
        return self.document.line_of(min(position, len(self.document.text)))


def _before(edits: Sequence[Edit], position: int) -> int:
    """The position before the edits, which are in order, of what is at ``position`` after them."""
    shift = 0
    for edit in edits:
        start = edit.start - shift
        if start > position:
            break
        if position < start + len(edit.new):
            # Inside the replacement of an edit: the beginning of the edit.
            return edit.start
        shift += edit.end - edit.start - len(edit.new)
    return position + shift


def _with_line_ends(document: Document, level: Level, rules: Sequence[Rule]) -> Compression | None:
    """The compression of a text with ``\\r\\n`` line ends; ``None`` for mixed ends, which are left alone."""
    text = document.text
    if text.count("\r\n") != text.count("\n") or text.count("\r") != text.count("\n"):
        return None
    inner = compress_document(replace(document, text=text.replace("\r\n", "\n")), level, rules)
    after = inner.text.replace("\n", "\r\n")
    return replace(
        inner,
        text=after,
        original=text,
        tokens_before=source_tokens(text, document.model),
        tokens_after=source_tokens(after, document.model),
    )


LONGEST_TEXT = 2_000_000
"""Characters; a longer text is data, not a prompt, and is left as it is."""
LONGEST_LINE = 20_000
"""Characters of a line; a text with a longer one is left as it is."""


def compress(
    text: str,
    level: Level = "standard",
    *,
    model: str | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> Compression:
    """A shorter text that says the same; ``.text`` is the text, ``.edits`` the log of what was changed.

    Applied to its own result it changes nothing. Placeholders and template tags in the text survive byte for byte.

    Args:
        level: ``safe``, ``standard`` or ``telegraphic``.
        model: The model that would read it: its tokens are counted, and its prompt cache is respected.
        select: Codes, or beginnings of codes, of the rules to apply; all if empty.
        ignore: Those not to apply.

    Raises:
        UsageError: The level or a rule is unknown.
    """
    check_argument(isinstance(text, str), "text", text, "a text")
    check_level(level)
    check_model(model)
    return _compress(text, level, model, _codes("select", select), _codes("ignore", ignore))


def _codes(name: str, codes: Iterable[str]) -> tuple[str, ...]:
    listed = isinstance(codes, Iterable) and not isinstance(codes, str | bytes)
    found = tuple(codes) if listed else ()
    fits = listed and all(isinstance(code, str) for code in found)
    check_argument(fits, name, codes, "a list of codes such as ['PO103']")
    return found


def check_level(level: str) -> None:
    """Refuse an unknown level.

    Raises:
        UsageError: ``level`` is unknown.
    """
    if level not in LEVELS:
        raise UsageError(f"no level {level!r}.{did_you_mean(str(level), LEVELS)} Known are: {', '.join(LEVELS)}")


@lru_cache(maxsize=256)
def _compress(
    text: str, level: Level, model: str | None, select: tuple[str, ...], ignore: tuple[str, ...]
) -> Compression:
    rules = choose_rules(select, ignore)
    if not is_prose(text):
        tokens = tokenizer_for(model).count(text.encode("utf-8", "replace").decode("utf-8"))
        return Compression(text, text, level, tokens, tokens)
    return compress_document(Document(text, model=model), level, rules)


def is_prose(text: str) -> bool:
    """Whether a text can be a prompt at all: not binary, not megabytes, no line of ten pages."""
    if len(text) > LONGEST_TEXT or "\x00" in text or "\ue000" in text:
        return False
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return False
    return max(map(len, text.split("\n"))) <= LONGEST_LINE


def document_of(template: Template, model: str | None = None) -> Document:
    """A prompt file as a document; tokens are those of ``model``, the prompt's own or ``price_as``."""
    config = load_config()
    chosen = model or template.front.model or config.model
    priced = config.price_as or chosen
    return Document(template.source, template.front, template.path, priced, reader=template.reader)


def compress_prompt(
    template: Template, level: Level = "standard", *, select: Iterable[str] = (), ignore: Iterable[str] = ()
) -> Compression:
    """The compression of a prompt file's source; its front matter, expressions, tags and comments stay.

    Raises:
        UsageError: The level or a rule is unknown.
    """
    check_level(level)
    document = document_of(template)
    if not is_prose(template.source):
        return _compress(template.source, level, document.model, (), ())
    return compress_document(document, level, choose_rules(select, ignore))


@lru_cache(maxsize=256)
def compressed_template(template: Template, level: Level) -> Template:
    """The prompt with its source compressed, compiled once; its includes stay as they are.

    Raises:
        UsageError: The level is unknown.
    """
    compression = compress_prompt(template, level)
    if compression.text == template.source:
        return template
    return with_source(template, compression.text)


def with_source(template: Template, source: str) -> Template:
    """The same prompt with another source, compiled.

    Raises:
        TemplateError: The source cannot be compiled.
    """
    return with_files(template, {template.name: source})


def with_files(template: Template, texts: Mapping[str, str]) -> Template:
    """The same prompt with other texts of its own file, or of files that it names, compiled.

    Args:
        texts: By the files' paths below the prompts folder.

    Raises:
        TemplateError: They cannot be read or compiled.
    """
    reader = template.reader
    for name, text in texts.items():
        reader = OverlayReader(reader, name, text)
    return Template.load(template.name, reader, template.origin)
