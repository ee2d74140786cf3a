"""Asks judges: what is recorded is replayed, the rest is asked in threads, once for each question, and recorded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

from promptopt.config import Config, in_ci
from promptopt.errors import ProviderError, ProviderUnusable, RecordingError, SecretRecorded, SuiteError, UsageError
from promptopt.files import show_path
from promptopt.judges.batches import ask_together, batches_of
from promptopt.judges.recordings import (
    EVERY_CASE,
    SEARCHES,
    Ask,
    JudgeFile,
    JudgePlace,
    JudgeRecording,
    asked_params,
    judge_path,
    what_differs,
)
from promptopt.judges.settings import JudgeSettings
from promptopt.prices import Price, find_tier_price
from promptopt.providers import Provider, is_configured, is_free
from promptopt.scorers import JudgeAccess, JudgeScorer, Subject, SuiteChecks
from promptopt.suites import Assertion, Case, Suite
from promptopt.tokens import count_tokens
from promptopt.values import Cost, Progress, Request, Response, Score, Usage

JudgeMode = Literal["none", "missing", "stale", "all"]
JudgeReply = Response | ProviderError
Judging = Generator[Sequence[Ask], Sequence[JudgeReply], Score | None]

_SHOWN = 5
# What a later question of an assert has beside the rubric, the answer and what was answered before.
_FIXED_TOKENS = 600


@dataclass(frozen=True, slots=True)
class JudgeOutlook:
    """What judges will be asked, and what that will cost: counted input, and between no output and the cap.

    Attributes:
        high_usd: ``None`` if nothing bounds it.
        free: Only models whose calls cost nothing are asked.
    """

    calls: int
    low_usd: Decimal
    high_usd: Decimal | None
    free: bool
    unpriced: tuple[str, ...]


class JudgeSession:
    """The judges of one run, with what they answered."""

    def __init__(
        self,
        settings: JudgeSettings,
        suite: Suite,
        mode: JudgeMode | None,
        config: Config,
        connect: Callable[[str], Provider] | None = None,
        jobs: int = 16,
    ) -> None:
        """``connect`` makes the provider of a model; ``None``: nobody is asked. ``mode``: as for the prompts."""
        self.settings = settings
        self.live_calls = 0
        self._incurred: Decimal | None = Decimal(0)
        self._suite = suite
        self._mode = mode
        self._config = config
        self._connect = connect
        self._jobs = jobs
        self._prices: dict[tuple[str, str | None], Price | None] = {}
        self._providers: dict[str, Provider] = {}
        self._files: dict[Path, JudgeFile] = {}
        self._by_digest: dict[str, JudgeRecording] = {}
        self._asked: dict[str, JudgeReply] = {}
        self._kept: dict[str, JudgeRecording] = {}

    def check(self, checks: SuiteChecks) -> None:
        """Refuse asserts that nobody would judge, before anything is asked.

        Raises:
            UsageError: No model is named.
            SuiteError: An option makes no sense.
        """
        models: dict[str, None] = {}
        for case in self._suite.cases:
            for check in checks.asking(case.name):
                try:
                    settings = self.settings.of(case.options).of(check.assertion.options)
                except ValueError as error:
                    shown, line = show_path(self._suite.path), check.assertion.line or case.line
                    raise SuiteError(f"assert {check.assertion.name}: {error}", path=shown, line=line) from None
                models[settings.named(check.assertion.name)] = None
                if settings.second is not None:
                    models[settings.second] = None
        if self._mode is None:
            able = not in_ci() and all(is_configured(model) for model in models)
            self._mode = "missing" if able else "none"

    def access(
        self,
        prompt: str,
        files: Sequence[Path],
        repetition: int,
        rivals: Mapping[str, str | None] | None = None,
        noted: list[tuple[JudgeScorer, Subject]] | None = None,
    ) -> JudgeAccess:
        """Whom the asserts of an answer ask.

        Args:
            prompt: The label of the variant that gave it.
            files: Its recording files; judgements of the first are written.
            rivals: Answers of the other variants to the same case.
            noted: Takes the scorers that would ask, in the place of asking.
        """
        own = [path for path in files if path.is_relative_to(self._suite.recordings) or SEARCHES in path.parts]
        opened = tuple(self._open(judge_path(self._suite, path)) for path in own)

        def seat(case: Case, assertion: Assertion, number: int) -> Seat:
            place = JudgePlace(prompt, case.name, repetition, f"{number + 1} {assertion.name}")
            settings = self.settings.of(case.options).of(assertion.options)
            return Seat(self, settings, place, opened, noted)

        return JudgeAccess(seat, rivals or {}, only=noted is not None)

    def _open(self, path: Path) -> JudgeFile:
        if path not in self._files:
            self._files[path] = JudgeFile.read(path)
            for line in self._files[path].lines.values():
                assert isinstance(line, JudgeRecording)
                self._by_digest.setdefault(line.request_sha256, line)
        return self._files[path]

    def outlook(self, judgings: Iterable[tuple[JudgeScorer, Subject]], unknown_tokens: int | None = 0) -> JudgeOutlook:
        """What carrying these out would ask.

        Args:
            unknown_tokens: The most that an answer may have which is not there yet; ``None``: nothing bounds it.

        Raises:
            RecordingError: Something is not recorded, and the mode does not allow to ask for it.
        """
        low, high = Decimal(0), Decimal(0)
        bounded, calls = True, 0
        models: dict[str, None] = {}
        blocked: list[tuple[Seat, Ask, int]] = []
        seen: set[str] = set()
        for scorer, subject in judgings:
            assert isinstance(subject.judge, Seat)
            seat = subject.judge
            step, found = self._open_asks(scorer, subject)
            asks = [ask for ask in found if ask.digest not in seen]
            seen.update(ask.digest for ask in asks if unknown_tokens == 0)
            for ask in asks:
                if not self._may_ask(seat, ask, step):
                    blocked.append((seat, ask, step))
                    continue
                least, most, chain = self._range(seat, ask, getattr(scorer, "questions", 1), unknown_tokens)
                calls, low = calls + 1, low + least
                models |= dict.fromkeys(chain)
                bounded = bounded and most is not None
                high += most or 0
        if blocked:
            raise self._unrecorded(blocked)
        paid = [model for model in models if not is_free(model)]
        unpriced = tuple(model for model in paid if self.price(model) is None)
        return JudgeOutlook(calls, low, high if bounded else None, not paid, unpriced)

    def _open_asks(self, scorer: JudgeScorer, subject: Subject) -> tuple[int, list[Ask]]:
        """The first questions of an assert that have no recorded answer, and how many were asked before."""
        judging: Judging = scorer.judging(subject, subject.judge)
        seat = subject.judge
        assert isinstance(seat, Seat)
        step = 0
        with suppress(StopIteration):
            asks = next(judging)
            while True:
                found = [self.find(seat.at(step, ask), ask, seat.files) for ask in asks]
                if missing := [ask for ask, reply in zip(asks, found, strict=True) if reply is None]:
                    judging.close()
                    return step, missing
                asks = judging.send([reply for reply in found if reply is not None])
                step += 1
        return step, []

    def _range(
        self, seat: Seat, ask: Ask, questions: int, unknown: int | None
    ) -> tuple[Decimal, Decimal | None, list[str]]:
        """The least and the most that a question with all that may follow costs, and the models that it may ask."""
        chain = [ask.request.model, *([seat.settings.second] if seat.settings.second else [])]
        known = count_tokens(ask.request).tokens
        least = Decimal(0)
        most: Decimal | None = Decimal(0)
        for number, model in enumerate(chain):
            price = Decimal(0) if is_free(model) else self.price(model)
            if price is None or price == 0:
                continue
            assert isinstance(price, Price)
            if number == 0 and not ask.batched:
                least = price.cost(Usage(input_tokens=known)).total_usd
            cap = seat.settings.sent(model).max_output_tokens
            if unknown is None or cap is None or most is None:
                most = None
                continue
            extra = (cap + _FIXED_TOKENS) * (questions - 1)
            usage = Usage(input_tokens=known + unknown + extra, output_tokens=cap)
            # The second judge is asked as often as the first has votes; one question may stand for all of them.
            times = questions * (seat.settings.votes if number else 1)
            most += price.cost(usage).total_usd * times
        return least, most, chain

    def _may_ask(self, seat: Seat, ask: Ask, step: int) -> bool:
        if self._connect is None or self._mode == "none":
            return False
        return self._stale(seat, ask, step) is None or self._mode in ("stale", "all")

    def _stale(self, seat: Seat, ask: Ask, step: int) -> JudgeRecording | None:
        """The recorded answer to an older form of a question."""
        key = self._line(seat.at(step, ask), ask, Response("", "")).key
        for file in seat.files:
            if (line := file.lines.get(key)) is not None and isinstance(line, JudgeRecording):
                return line
        return None

    def _unrecorded(self, blocked: Sequence[tuple[Seat, Ask, int]]) -> RecordingError:
        seat, ask, _ = blocked[0]
        stale = [(line, each) for owner, each, step in blocked if (line := self._stale(owner, each, step)) is not None]
        names = list(dict.fromkeys(f"{owner.place.case} ({owner.place.check})" for owner, *_ in blocked))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        what = f"{len(blocked)} question{'s' * (len(blocked) != 1)} to the judge {ask.request.model}"
        if stale:
            changes = "; ".join(sorted({what_differs(line, each) for line, each in stale}))
            problem = f"{what}: stale answers, changed since they were recorded: {changes}"
        else:
            problem = f"no recorded answer to {what}"
        mode = "stale" if stale else "missing"
        able = "" if is_configured(ask.request.model) else f"; {ask.request.model} cannot be called as things are"
        return RecordingError(
            f"{seat.place.prompt}: {problem}: {', '.join(names[:_SHOWN])}{more}{able}",
            path=show_path(seat.files[0].path),
            remedy=f"ask the judge: promptopt compare, with the same prompts and --record {mode}",
        )

    def carry_out(self, judgings: Iterable[tuple[JudgeScorer, Subject]], progress: Progress | None = None) -> None:
        """Ask all that these ask and is not recorded, ``jobs`` questions at once; then each can be scored.

        Raises:
            RecordingError: As :meth:`outlook`.
            ProviderUnusable: No further question can be answered. What was answered is kept.
        """
        waiting: list[tuple[Seat, Judging, Sequence[Ask]]] = []
        for scorer, subject in judgings:
            assert isinstance(subject.judge, Seat)
            judging: Judging = scorer.judging(subject, subject.judge)
            with suppress(StopIteration):
                waiting.append((subject.judge, judging, next(judging)))
        step = 0
        while waiting:
            self._ask_all([(seat, ask) for seat, _, asks in waiting for ask in asks], step, progress)
            further = []
            for seat, judging, asks in waiting:
                replies = [self.reply(seat, ask, step) for ask in asks]
                with suppress(StopIteration):
                    further.append((seat, judging, judging.send(replies)))
            waiting, step = further, step + 1

    def _ask_all(self, wanted: Sequence[tuple[Seat, Ask]], step: int, progress: Progress | None) -> None:
        missing: dict[str, list[tuple[Seat, Ask]]] = {}
        for seat, ask in wanted:
            if self.find(seat.at(step, ask), ask, seat.files) is None:
                missing.setdefault(ask.digest, []).append((seat, ask))
        if not missing:
            return
        blocked = [(*each, step) for group in missing.values() for each in group if not self._may_ask(*each, step)]
        if blocked:
            raise self._unrecorded(blocked)
        groups = batches_of([group[0][1] for group in missing.values()])
        for model in dict.fromkeys(ask.request.model for group in groups for ask in group):
            self._provider(model)
        done = 0
        executor = ThreadPoolExecutor(max_workers=self._jobs, thread_name_prefix="promptopt-judge")
        try:
            for asked in executor.map(lambda group: self._ask(group, missing, step), groups):
                done += asked
                if progress is not None:
                    progress(done, len(missing))
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _ask(self, asks: Sequence[Ask], seats: dict[str, list[tuple[Seat, Ask]]], step: int) -> int:
        """Ask one call's questions and put the answers on disk."""
        provider = self._provider(asks[0].request.model)
        together = 0
        for ask, given, place in ask_together(provider.complete, asks):
            reply = given
            together += place is not None
            if isinstance(reply, ProviderUnusable):
                raise reply
            if isinstance(reply, Response):
                self._pay(ask.request.model, reply, ask.request)
                try:
                    for seat, _ in seats[ask.digest]:
                        self._keep(seat.at(step, ask), ask, reply, seat.files, place)
                except SecretRecorded as error:
                    # As for the answers of prompts: the one question has no answer, the others go on.
                    reply = ProviderError(str(error))
            self._asked[ask.digest] = reply
        self.live_calls += len(asks) - together + (together > 0)
        return len(asks)

    def _pay(self, model: str, response: Response, request: Request) -> None:
        cost = self.cost(model, response, request)
        self._incurred = None if cost is None or self._incurred is None else self._incurred + cost.total_usd

    def _keep(
        self, place: JudgePlace, ask: Ask, reply: Response, files: Sequence[JudgeFile], batch: float | None
    ) -> None:
        line = self._line(place, ask, reply, batch)
        files[0].append(line)
        self._kept[ask.digest] = line

    def _line(self, place: JudgePlace, ask: Ask, reply: Response, batch: float | None = None) -> JudgeRecording:
        params = asked_params(ask) | ({} if batch is None else {"place": batch})
        case, repetition = (EVERY_CASE, 0) if ask.shared else (place.case, place.repetition)
        return JudgeRecording(
            prompt=place.prompt,
            case=case,
            repetition=repetition,
            request_sha256=ask.digest,
            model_requested=ask.request.model,
            params=params,
            response=reply,
            recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            step=place.step,
            check=place.check,
            vote=ask.request.sample,
        )

    def find(self, place: JudgePlace, ask: Ask, files: Sequence[JudgeFile]) -> JudgeReply | None:
        """The answer to this very question: of this run, or recorded; ``None``: it must be asked."""
        digest = ask.digest
        if digest in self._asked:
            reply = self._asked[digest]
        else:
            line = None if self._mode == "all" else self._by_digest.get(digest)
            if line is None or line.params.get("version") != asked_params(ask).get("version"):
                return None
            reply, self._kept[digest] = line.response, line
        if isinstance(reply, Response) and self._mode != "none" and digest in self._kept:
            # Each prompt's file has its own line, so that it stays whole without the others.
            kept = self._kept[digest]
            own = self._line(place, ask, reply, kept.params.get("place"))
            there = [file.lines.get(own.key) for file in files]
            if all(line is None or line.request_sha256 != digest for line in there):
                files[0].append(replace(own, recorded_at=kept.recorded_at))
        return reply

    def place_of(self, ask: Ask) -> float | None:
        """Where in its batch an answer was judged."""
        line = self._kept.get(ask.digest)
        place = None if line is None else line.params.get("place")
        return None if place is None else float(place)

    def reply(self, seat: Seat, ask: Ask, step: int) -> JudgeReply:
        """The answer to a question; it is asked now if it must be.

        Raises:
            RecordingError: It is not recorded, and the mode does not allow to ask.
        """
        found = self.find(seat.at(step, ask), ask, seat.files)
        if found is None:
            self._ask_all([(seat, ask)], step, None)
            found = self._asked[ask.digest]
        return found

    def cost(self, model: str, response: Response, request: Request) -> Cost | None:
        """List cost of an answer of a judge; nothing for a model of this machine, ``None`` if it is not known."""
        if is_free(model):
            return Cost(Decimal(0), Decimal(0))
        price = self.price(model, request.params.service_tier)
        return None if price is None or response.usage is None else price.cost(response.usage)

    def price(self, model: str, tier: str | None = None) -> Price | None:
        """The list price of a judge; ``None`` if it is unpriced."""
        if (model, tier) not in self._prices:
            self._prices[model, tier] = find_tier_price(model, tier, config=self._config)
        return self._prices[model, tier]

    @property
    def incurred_usd(self) -> float | None:
        """What judging cost this run; ``None`` if a live call was unpriced."""
        return None if self._incurred is None else float(self._incurred)

    def _provider(self, model: str) -> Provider:
        if model not in self._providers:
            if self._connect is None:
                raise UsageError(f"the judge {model} is not asked here; its recorded answers are replayed")
            self._providers[model] = self._connect(model)
        return self._providers[model]

    def close(self) -> None:
        """Tidy the files and close the providers."""
        for file in self._files.values():
            file.tidy()
        for provider in self._providers.values():
            provider.close()
        self._providers.clear()


@dataclass(frozen=True, slots=True)
class Seat:
    """The models that one assert asks about one answer; ``Subject.judge`` of its scorer."""

    session: JudgeSession = field(repr=False)
    settings: JudgeSettings
    place: JudgePlace
    files: tuple[JudgeFile, ...] = field(repr=False)
    noted: list[tuple[JudgeScorer, Subject]] | None = field(default=None, repr=False)

    def at(self, step: int, ask: Ask) -> JudgePlace:
        """The place of a question of this assert; what is about no single case has one place for all."""
        check = f"{self.place.check}, {ask.about}" if ask.about else self.place.check
        case = EVERY_CASE if ask.shared else self.place.case
        return replace(self.place, case=case, check=check, step=step)

    def score(self, scorer: JudgeScorer, subject: Subject) -> Score | None:
        """What the scorer says, with the answers of its models."""
        if self.noted is not None:
            self.noted.append((scorer, subject))
            return None
        judging: Judging = scorer.judging(subject, self)
        step = 0
        try:
            asks = next(judging)
            while True:
                asks = judging.send([self.session.reply(self, ask, step) for ask in asks])
                step += 1
        except StopIteration as end:
            score: Score | None = end.value
            return score

    def cost(self, ask: Ask, response: Response) -> Cost | None:
        """List cost of an answer."""
        return self.session.cost(ask.request.model, response, ask.request)
