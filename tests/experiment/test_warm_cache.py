"""Costs against a provider with a prompt cache: what one call is billed depends on the calls before it."""

import json
import re
from pathlib import Path
from random import Random

import pytest

from promptopt import Comparison, Request, Response, Usage, compare
from promptopt.experiment.report.html import comparison_html
from promptopt.money import dollars
from promptopt.testing import ScriptedProvider
from promptopt.tokens import count_tokens, encoding

RULES = " ".join(f"Rule {n}: a parcel of size {n} goes to bay {n % 7}." for n in range(120))
SHORT_RULES = " ".join(f"Rule {n}: a parcel of size {n} goes to bay {n % 7}." for n in range(60))
FRONT = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 5\n---\n"
FIRST = FRONT + RULES + "\nParcel {{ n }}?"
LAST = FRONT + "Parcel {{ n }}?\n" + RULES


class PrefixCache:
    """Serves what an earlier request began with, from 1,024 tokens on in steps of 128."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, ...]] = set()

    def __call__(self, request: Request) -> Response:
        tokens = encoding().encode_ordinary(request.messages[0].content)
        served = 0
        for size in range(1024, len(tokens) + 1, 128):
            beginning = tuple(tokens[:size])
            if beginning in self.seen:
                served = size
            self.seen.add(beginning)
        usage = Usage(count_tokens(request).tokens, served, output_tokens=1)
        return Response(request.model, "bay", usage=usage)


@pytest.fixture
def parcels(project) -> Path:
    tests = [{"description": f"{n:02}", "vars": {"n": n}} for n in range(12)]
    suite = {"defaultTest": {"assert": [{"type": "contains", "value": "bay"}]}, "tests": tests}
    project.write({"suites/parcel.json": json.dumps(suite)})
    return project.root / "prompts/parcel"


def compared(folder: Path, one: str, other: str, provider: object | None = None) -> Comparison:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "v1.j2").write_text(one)
    (folder / "v2.j2").write_text(other)
    answering = ScriptedProvider(PrefixCache()) if provider is None else provider
    return compare("parcel@v1", "parcel@v2", provider=answering, jobs=1)


def usd(comparison: Comparison) -> float:
    (pair,) = comparison.pairs
    found = next(each.difference for each in pair.differences if each.metric == "usd_per_1k_calls")
    assert found is not None
    return found


def test_one_prompt_twice_costs_the_same_though_the_first_call_warmed_the_cache(parcels: Path) -> None:
    found = compared(parcels, FIRST, FIRST)
    one, other = found.variants
    assert one.usd_per_1k_calls != other.usd_per_1k_calls
    assert one.warm_usd_per_1k_calls == other.warm_usd_per_1k_calls
    assert usd(found) == 0
    assert found.pairs[0].decision.verdict == "equivalent"


def test_what_is_served_once_warm_is_shown_beside_what_was_served_here(parcels: Path) -> None:
    found = compared(parcels, FIRST, LAST)
    one, other = found.variants
    assert (one.warm_cached_tokens, other.warm_cached_tokens) == (1920, 0)
    assert one.cached_tokens is not None
    assert 0 < one.cached_tokens < one.warm_cached_tokens
    shown = str(found)
    assert "$/1k warm" in shown
    assert f"it serves 1,920.0 of {one.input_tokens:,.1f} input tokens then; in this run it served" in shown
    row = found.to_dict()["variants"][0]
    assert (row["warm_cached_tokens"], row["cached_tokens"]) == (1920.0, pytest.approx(one.cached_tokens))


@pytest.mark.parametrize(("one", "other", "verdict"), [(LAST, FIRST, "cheaper"), (FIRST, LAST, "costlier")])
def test_static_text_that_comes_first_is_cheaper_whichever_is_asked_first(
    parcels: Path, one: str, other: str, verdict: str
) -> None:
    found = compared(parcels, one, other)
    assert f": {verdict}" in found.pairs[0].reasons[0]


def test_a_prompt_that_becomes_too_short_for_the_cache_may_cost_more(parcels: Path) -> None:
    shorter = FRONT + SHORT_RULES + "\nParcel {{ n }}?"
    found = compared(parcels, FIRST, shorter)
    inputs = [variant.input_tokens for variant in found.variants]
    assert inputs[1] < inputs[0]
    assert found.variants[1].warm_cached_tokens == 0
    assert usd(found) == pytest.approx(1000 * ((inputs[1] - inputs[0]) * 0.15 + 1920 * (0.15 - 0.075)) / 1e6)


def test_how_much_was_served_by_chance_decides_nothing(parcels: Path) -> None:
    chance = Random(4)

    def lucky(request: Request) -> Response:
        tokens = count_tokens(request).tokens
        usage = Usage(tokens, chance.choice([0, 0, 1024, 1920]), output_tokens=1)
        return Response(request.model, "bay", usage=usage)

    shifted = FIRST.replace("Parcel", "The parcel")
    differences = {usd(compared(parcels, FIRST, shifted, ScriptedProvider(lucky))) for _ in range(5)}
    assert len(differences) == 1


def test_a_cost_assert_is_judged_with_a_warm_cache_too(parcels: Path) -> None:
    # Some 2,000 tokens cost $0.0003 without a cache and half of that with it.
    suite = parcels.parent.parent / "suites/parcel.json"
    data = json.loads(suite.read_text())
    data["defaultTest"]["assert"] = [{"type": "cost", "threshold": 0.0002}]
    suite.write_text(json.dumps(data))
    found = compared(parcels, FIRST, FIRST)
    assert [variant.pass_rate for variant in found.variants] == [1.0, 1.0]


def test_a_provider_that_serves_nothing_is_billed_in_full_and_the_report_says_so(parcels: Path) -> None:
    def uncached(request: Request) -> Response:
        return Response(request.model, "bay", usage=Usage(count_tokens(request).tokens, output_tokens=1))

    found = compared(parcels, FIRST, LAST, ScriptedProvider(uncached))
    assert found.variants[0].warm_cached_tokens is None
    assert usd(found) == pytest.approx(0, abs=1e-3)
    lines = [line for line in found.footer if line.startswith("prompt cache")]
    assert len(lines) == 1
    assert "it served nothing of parcel@v1, though it may keep 1,920 of" in lines[0]


def test_written_tokens_are_no_lasting_cost(parcels: Path) -> None:
    first = iter([True])

    def writes(request: Request) -> Response:
        tokens = count_tokens(request).tokens
        usage = Usage(tokens, cache_write_tokens=1024 if next(first, False) else 0, output_tokens=1)
        return Response(request.model, "bay", usage=usage)

    front = FIRST.replace("gpt-4o-mini", "claude-sonnet-4-5")
    found = compared(parcels, front, front, ScriptedProvider(writes))
    assert usd(found) == 0
    # Anthropic's cache has no steps.
    served = found.variants[0].warm_cached_tokens
    assert served is not None
    assert served > 1920


@pytest.mark.parametrize(("asserted", "noted"), [(3, False), (1, True)])
def test_cases_without_an_assert_are_noted(project, asserted: int, noted: bool) -> None:
    rows = [{"vars": {"n": n}, "assert": [{"type": "contains", "value": "a"}] * (n < asserted)} for n in range(3)]
    project.write({"suites/p.json": json.dumps(rows), "prompts/p/v1.j2": FRONT + "{{ n }}"})
    found = compare("p@v1", provider=ScriptedProvider(lambda request: "a"))
    assert ("note: 2 of 3 cases have no assert: they say nothing about quality" in found.footer) == noted


def test_the_page_shows_what_calls_cost_with_a_warm_cache_where_the_terminal_does(parcels: Path) -> None:
    found = compared(parcels, FIRST, LAST)
    page = comparison_html(found)
    table = page[page.index("<table ") :].partition("</table>")[0]
    shown = re.findall(r'data-label="\$ per 1,000, warm cache"[^>]*>(.*?)</td>', table)
    assert shown == [dollars(variant.warm_usd_per_1k_calls or 0) for variant in found.variants]
    uncached = ScriptedProvider(lambda request: Response(request.model, "bay", usage=Usage(9, output_tokens=1)))
    assert "warm" not in comparison_html(compared(parcels, FIRST, LAST, uncached)).partition("</table>")[0]
