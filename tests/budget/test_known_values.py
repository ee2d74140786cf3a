"""What the check finds of known values: metrics, caps, messages, warnings. Nothing is counted, and git is not asked."""

from dataclasses import replace
from typing import Any

import pytest
from known_values import ENTRIES, LOST, PARCEL, REFUND, Known, answers, said

from promptopt.budget import totals
from promptopt.budget.baseline import Base, input_tokens
from promptopt.budget.limits import Limit, parse_limit, parse_metric
from promptopt.budget.settings import LimitTable
from promptopt.budget.totals import RecordedQuality, check_group, check_prompt, judge_recorded

# Input tokens of a case with the text that `known_values` has on the base.
BASE = 13


pytestmark = pytest.mark.usefixtures("known_project")


CHECKED = [
    pytest.param(
        {},
        "",
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0022")},
        id="nothing changed",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=101)}},
        ("error regressed input prompts/triage/v1.j2:6\ninput 100 → 101 (+1, +1.0%)  limit: no growth"),
        {"input": (100, 101), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.00221")},
        id="one token more",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=99)}},
        "",
        {"input": (100, 99), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.00219")},
        id="one token less",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "limits": ["input=9%"]},
        ("error regressed input prompts/triage/v1.j2:6\ninput 100 → 110 (+10, +10.0%)  limit: 9%"),
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="a share of the locked value",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "limits": ["input=10%"]},
        "",
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="within its share",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "limits": ["input=warn 9%"]},
        ("warn regressed input prompts/triage/v1.j2:6\ninput 100 → 110 (+10, +10.0%)  limit: 9%"),
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="a limit that warns",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=110, cacheable=0, output=90)},
            "limits": ["input=off", "cacheable=off", "output=off"],
        },
        "",
        {"input": (100, 110), "cacheable": (40, 0), "output": (60, 90), "usd_call": ("0.0022", "0.0029")},
        id="off",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "limits": ["input=50% | 105"]},
        (
            "error cap input prompts/triage/v1.j2:6\n"
            "input 110 is above its cap of 105\n"
            "  prompts/triage/v1.j2:6  4 tokens  Name the team.\n"
            "  prompts/triage/v1.j2:7  1 tokens  {{ ticket }}"
        ),
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="a cap is passed",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "limits": ["input=warn 50% | 105"]},
        ("warn cap input prompts/triage/v1.j2:6\ninput 110 is above its cap of 105"),
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="a cap that warns",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=80)}, "limits": ["output=50% | 70"]},
        ("error cap output prompts/triage/v1.j2:1\noutput 80 is above its cap of 70"),
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 80), "usd_call": ("0.0022", "0.0026")},
        id="a cap of the output",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=80)}, "limits": ["output=off", "usd_call=1% | $0.002"]},
        (
            "error cap usd_call prompts/triage/v1.j2:6\n"
            "usd_call $0.00260 is above its cap of $0.00200\n"
            "error regressed usd_call prompts/triage/v1.j2:1\n"
            "usd_call $0.00220 → $0.00260 (+$0.000400, +18.2%)  limit: 1% | $0.002"
        ),
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 80), "usd_call": ("0.0022", "0.0026")},
        id="a cap of dollars, and growth",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, cacheable=30, input=90)}, "limits": ["cacheable=| 35"]},
        ("error cap cacheable prompts/triage/v1.j2:6\ncacheable 30 is below its floor of 35"),
        {"input": (100, 90), "cacheable": (40, 30), "output": (60, 60), "usd_call": ("0.0022", "0.0021")},
        id="a floor of the prefix",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "limits": ["input=off"]},
        "",
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="a cap that is off",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=61)}},
        ("error regressed output prompts/triage/v1.j2:1\noutput 60 → 61 (+1, +1.7%)  limit: no growth"),
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 61), "usd_call": ("0.0022", "0.00222")},
        id="a larger cap of the output",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=61)}, "limits": ["output=warn 10% & 5 tokens | 1000"]},
        "",
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 61), "usd_call": ("0.0022", "0.00222")},
        id="a larger cap under a limit",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, output_is="recorded")},
            "now": {"refund": replace(REFUND, output=66, output_is="recorded")},
        },
        "",
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 66), "usd_call": ("0.0022", "0.00232")},
        id="recorded answers within the default",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, output_is="recorded")},
            "now": {"refund": replace(REFUND, output=2070, output_is="recorded")},
            "reasoning": 1234,
        },
        (
            "warn regressed output prompts/triage/v1.j2:1\n"
            "output 60 → 2,070 (+2,010, +3350.0%)  limit: 10% & 5 tokens\n"
            "  $0.00220 → $0.0424 per call = +$40.20 a month at 1,000 calls\n"
            "  prices: gpt-4o-mini, [tool.promptopt.prices]\n"
            "  fix: ask for a shorter answer, or lower max_output_tokens\n"
            '  or accept: promptopt budget update triage --reason "..."\n'
            "  1,234 of 2,070 output tokens are reasoning"
        ),
        {
            "input": (100, 100),
            "cacheable": (40, 40),
            "output": (60, 2070),
            "usd_call": ("0.0022", "0.0424"),
            "reasoning": (None, 1234),
        },
        id="longer recorded answers with reasoning",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=101, output_is="recorded")},
            "locked": {"refund": replace(REFUND, output_is="recorded")},
            "reasoning": 5,
        },
        ("error regressed input prompts/triage/v1.j2:6\ninput 100 → 101 (+1, +1.0%)  limit: no growth"),
        {
            "input": (100, 101),
            "cacheable": (40, 40),
            "output": (60, 60),
            "usd_call": ("0.0022", "0.00221"),
            "reasoning": (None, 5),
        },
        id="reasoning that is not what grew",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=None)}},
        "",
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0022")},
        id="the output is unknown now",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, output=None)}},
        "",
        {"input": (100, 100), "cacheable": (40, 40), "output": (None, None), "usd_call": ("0.001", "0.001")},
        id="the output was unknown",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, cacheable=0)}},
        ("warn regressed cacheable prompts/triage/v1.j2:7\ncacheable 40 → 0 (-40, -100.0%)  limit: no loss"),
        {"input": (100, 100), "cacheable": (40, 0), "output": (60, 60), "usd_call": ("0.0022", "0.0022")},
        id="a short prefix is lost",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, cacheable=0)}, "limits": ["cacheable=5%"]},
        ("error regressed cacheable prompts/triage/v1.j2:7\ncacheable 40 → 0 (-40, -100.0%)  limit: 5%"),
        {"input": (100, 100), "cacheable": (40, 0), "output": (60, 60), "usd_call": ("0.0022", "0.0022")},
        id="a short prefix is lost under a limit",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, input=3000, cacheable=2000)},
            "now": {"refund": replace(REFUND, input=3000, cacheable=1500)},
        },
        (
            "error regressed cacheable prompts/triage/v1.j2:7\n"
            "cacheable 2,000 → 1,500 (-500, -25.0%)  limit: no loss\n"
            "  prompts/triage/v1.j2:7  {{ ticket }}  (nothing after this can be cached)\n"
            "  $0.0139 → $0.0185 per call = +$4.61 a month at 1,000 calls\n"
            "  prices: gpt-4o-mini, [tool.promptopt.prices]\n"
            "  fix: move line 7 of prompts/triage/v1.j2 below the text that does not change\n"
            '  or accept: promptopt budget update triage --reason "..."'
        ),
        {"input": (3000, 3000), "cacheable": (2000, 1500), "output": (60, 60), "usd_call": ("0.01392", "0.018528")},
        id="a prefix that the cache serves is lost",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, input=3000, cacheable=1160)},
            "now": {"refund": replace(REFUND, input=3000, cacheable=1155)},
        },
        ("warn regressed cacheable prompts/triage/v1.j2:7\ncacheable 1,160 → 1,155 (-5, -0.4%)  limit: no loss"),
        {"input": (3000, 3000), "cacheable": (1160, 1155), "output": (60, 60), "usd_call": ("0.020832", "0.020832")},
        id="a prefix that the cache serves as before",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "limits": ["input=off", "usd_call=1%"]},
        (
            "error regressed usd_call prompts/triage/v1.j2:6\n"
            "usd_call $0.00220 → $0.00230 (+$0.000100, +4.5%)  limit: 1%"
        ),
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="dollars of a call",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "limits": ["input=off", "usd_call=$0.0001"]},
        "",
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="dollars of a call within their amount",
    ),
    pytest.param(
        {"locked": None},
        ("error new suites/triage.yaml:2\nnew: the prompt is not locked yet"),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="a new prompt",
    ),
    pytest.param(
        {"locked": None, "limits": ["input=| 50"]},
        (
            "error new suites/triage.yaml:2\n"
            "new: the prompt is not locked yet\n"
            "error cap input prompts/triage/v1.j2:6\n"
            "input 100 is above its cap of 50"
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="a new prompt beyond a cap",
    ),
    pytest.param(
        {
            "locked": None,
            "statuses": {"refund": "stale"},
            "now": {"refund": replace(REFUND, output=9, output_is="recorded")},
        },
        (
            "error new suites/triage.yaml:2\n"
            "new: the prompt is not locked yet\n"
            "  it would be locked as: input 100, cacheable 40, output 9 (recorded)\n"
            "  lock it: promptopt budget update triage\n"
            "warn stale output suites/triage/recordings/triage/v1.jsonl:0\n"
            "output 9 is an estimate: the recorded answer is stale\n"
            "  changed since it was recorded: messages\n"
            "  record: promptopt compare prompts/triage/v1.j2 --record stale"
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 9), "usd_call": (None, "0.00118")},
        id="a new prompt with a stale answer",
    ),
    pytest.param(
        {"locked": {"parcel": PARCEL, "lost": LOST}},
        (
            "error new suites/triage.yaml:2\n"
            "new: the case is not locked yet\n"
            "  it would be locked as: input 100, cacheable 40, output 60 (cap)\n"
            "  lock 'refund': promptopt budget update triage --case refund"
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="a new case",
    ),
    pytest.param(
        {"locked": {"parcel": PARCEL, "lost": LOST}, "now": {"parcel": replace(PARCEL, input=201)}},
        (
            "error new suites/triage.yaml:2\n"
            "new: the case is not locked yet\n"
            "  it would be locked as: input 100, cacheable 40, output 60 (cap)\n"
            "  lock 'refund': promptopt budget update triage --case refund"
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="a new case beside one that grew",
    ),
    pytest.param(
        {
            "locked": {**ENTRIES, "refund": replace(REFUND, variables="v", request="r-refund")},
            "now": {"parcel": replace(PARCEL, input=201)},
            "sources": "today",
        },
        "",
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0022")},
        id="other variables beside a case that grew",
    ),
    pytest.param(
        {"locked": {"parcel": PARCEL}},
        (
            "error new suites/triage.yaml:2\n"
            "new: the case is not locked yet\n"
            "  it would be locked as: input 100, cacheable 40, output 60 (cap)\n"
            "  lock 'refund': promptopt budget update triage --case refund\n"
            "  or all 2 new cases: promptopt budget update triage --new"
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="new cases",
    ),
    pytest.param(
        {"locked": {"returned": replace(REFUND, input=90), "parcel": PARCEL, "lost": LOST}},
        (
            "error new suites/triage.yaml:2\n"
            "new: the case is not locked yet\n"
            "  it would be locked as: input 100, cacheable 40, output 60 (cap)\n"
            "  lock 'refund': promptopt budget update triage --case refund --reason \"...\""
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="a case under a new name that costs more",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, variables="v", request="q")}, "sources": "today"},
        (
            "error regressed input prompts/triage/v1.j2:1\n"
            "input 12 → 100 (+88, +733.3%)  limit: no growth\n"
            "  $0.00132 → $0.00220 per call = +$0.880 a month at 1,000 calls\n"
            "  prices: gpt-4o-mini, [tool.promptopt.prices]\n"
            "  fix: shorten prompts/triage/v1.j2:1\n"
            '  or accept: promptopt budget update triage --reason "..."\n'
            "warn changed suites/triage.yaml:2\n"
            "the case has other variables than when it was locked; both sides are counted with the new ones\n"
            "  lock it again: promptopt budget update triage --case refund"
        ),
        {"input": (12, 100), "cacheable": (7, 40), "output": (60, 60), "usd_call": ("0.00132", "0.0022")},
        id="other variables",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, variables="v", request="q")},
            "sources": "today",
            "call": {"calls_per_month": 500},
        },
        (
            "error regressed input prompts/triage/v1.j2:1\n"
            "input 12 → 100 (+88, +733.3%)  limit: no growth\n"
            "  $0.00132 → $0.00220 per call = +$0.880 a month at 1,000 calls\n"
            "  prices: gpt-4o-mini, [tool.promptopt.prices]\n"
            "  fix: shorten prompts/triage/v1.j2:1\n"
            '  or accept: promptopt budget update triage --reason "..."\n'
            "warn changed suites/triage.yaml:2\n"
            "the case has other variables than when it was locked; both sides are counted with the new ones\n"
            "  lock it again: promptopt budget update triage --case refund"
        ),
        {"input": (12, 100), "cacheable": (7, 40), "output": (60, 60), "usd_call": ("0.00132", "0.0022")},
        id="other variables, and more calls of the whole prompt",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, input=3, variables="v", request="q")}, "sources": "today"},
        (
            "error regressed input prompts/triage/v1.j2:1\n"
            "input 12 → 100 (+88, +733.3%)  limit: no growth\n"
            "  $0.00132 → $0.00220 per call = +$0.880 a month at 1,000 calls\n"
            "  prices: gpt-4o-mini, [tool.promptopt.prices]\n"
            "  fix: shorten prompts/triage/v1.j2:1\n"
            '  or accept: promptopt budget update triage --reason "..."\n'
            "warn changed suites/triage.yaml:2\n"
            "the case has other variables than when it was locked; both sides are counted with the new ones\n"
            '  lock it again: promptopt budget update triage --case refund --reason "..."'
        ),
        {"input": (12, 100), "cacheable": (7, 40), "output": (60, 60), "usd_call": ("0.00132", "0.0022")},
        id="other variables, and longer",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, variables="v", request="q")}},
        (
            "error incomparable input suites/triage.yaml:2\n"
            "cannot be compared with the lock: the case and the prompt both changed, and the locked "
            "text is neither on disk nor in git\n"
            "  input 100 → 100; look at it, then lock it again: promptopt budget update triage"
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="other variables and another text",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, request="q")}, "basis": {"tokenizer": "x@sha256:0"}},
        (
            "error incomparable input suites/triage.yaml:2\n"
            "cannot be compared with the lock: the tokenizer and the prompt both changed, and the "
            "locked text is neither on disk nor in git\n"
            "  input 100 → 100; look at it, then lock it again: promptopt budget update triage"
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="another tokenizer and another text",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, input=90, variables="v", request="q")}},
        (
            "error incomparable input suites/triage.yaml:2\n"
            "cannot be compared with the lock: the case and the prompt both changed, and the locked "
            "text is neither on disk nor in git\n"
            '  input 90 → 100; look at it, then lock it again: promptopt budget update triage --reason "..."'
        ),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="another text that costs more cannot be compared",
    ),
    pytest.param(
        {
            "statuses": {"refund": "stale"},
            "locked": {"refund": replace(REFUND, output_is="recorded", output=9, quality=1.0)},
            "now": {"refund": replace(REFUND, output=9, output_is="recorded")},
        },
        (
            "warn stale output suites/triage/recordings/triage/v1.jsonl:0\n"
            "output 9 is an estimate: the recorded answer is stale"
        ),
        {
            "input": (100, 100),
            "cacheable": (40, 40),
            "output": (9, 9),
            "usd_call": ("0.00118", "0.00118"),
            "quality": (1.0, None),
        },
        id="a stale answer",
    ),
    pytest.param(
        {
            "statuses": {"refund": "stale"},
            "locked": {"refund": replace(REFUND, output_is="recorded", output=9)},
            "now": {"refund": replace(REFUND, output=9, output_is="recorded")},
            "settings": {"recordings": "error"},
        },
        (
            "error stale output suites/triage/recordings/triage/v1.jsonl:0\n"
            "output 9 is an estimate: the recorded answer is stale"
        ),
        {"input": (100, 100), "cacheable": (40, 40), "output": (9, 9), "usd_call": ("0.00118", "0.00118")},
        id="a stale answer is an error",
    ),
    pytest.param(
        {
            "statuses": {"refund": "stale"},
            "locked": {"refund": replace(REFUND, output_is="recorded", output=9)},
            "now": {"refund": replace(REFUND, output=9, output_is="recorded")},
            "settings": {"recordings": "off"},
        },
        "",
        {"input": (100, 100), "cacheable": (40, 40), "output": (9, 9), "usd_call": ("0.00118", "0.00118")},
        id="stale answers are nobody's business",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, output_is="recorded", output=9, quality=1.0, request="q")}},
        (
            "warn missing output suites/triage/recordings/triage/v1.jsonl:0\n"
            "the recorded answer that was locked is missing: output and quality are unknown\n"
            "  record: promptopt compare prompts/triage/v1.j2 --record missing"
        ),
        {
            "input": (100, 100),
            "cacheable": (40, 40),
            "output": (9, 9),
            "usd_call": ("0.00118", "0.00118"),
            "quality": (1.0, None),
        },
        id="a missing answer",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, output_is="recorded", output=9, quality=1.0)}},
        "",
        {
            "input": (100, 100),
            "cacheable": (40, 40),
            "output": (9, 9),
            "usd_call": ("0.00118", "0.00118"),
            "quality": (1.0, 1.0),
        },
        id="a missing answer to the locked request",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, output_is="recorded", output=9, quality=1.0)},
            "call": {"params": {"temperature": 1}},
        },
        (
            "warn missing output suites/triage/recordings/triage/v1.jsonl:0\n"
            "the recorded answer that was locked is missing: output and quality are unknown"
        ),
        {
            "input": (100, 100),
            "cacheable": (40, 40),
            "output": (9, 9),
            "usd_call": ("0.00118", "0.00118"),
            "quality": (1.0, None),
        },
        id="a missing answer to the locked request with other settings",
    ),
    pytest.param(
        {"locked": {"refund": replace(REFUND, request="q")}},
        "",
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0022")},
        id="answers that never were",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=7, output_is="recorded", quality=0.5)}},
        "",
        {
            "input": (100, 100),
            "cacheable": (40, 40),
            "output": (60, 60),
            "usd_call": ("0.0022", "0.0022"),
            "quality": (None, 0.5),
        },
        id="recorded now, a cap then",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "locked": {"refund": replace(REFUND, input=BASE - 2, cacheable=0)},
            "base": {},
        },
        (
            "warn regressed input prompts/triage/v1.j2:6\n"
            "input 11 → 13 (+2, +18.2%)  limit: no growth (this branch adds nothing)"
        ),
        {"input": (11, 13), "cacheable": (0, 0), "output": (60, 60), "usd_call": ("0.00131", "0.00133")},
        id="growth on the base only",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=BASE + 1, cacheable=0)},
            "locked": {"refund": replace(REFUND, input=BASE - 2, cacheable=0)},
            "base": {},
        },
        (
            "error regressed input prompts/triage/v1.j2:6\n"
            "input 11 → 14 (+3, +27.3%)  limit: no growth\n"
            "  from this branch +1 · already on main +2\n"
            "  the locked text is neither on disk nor in git; the longest lines:\n"
            "  prompts/triage/v1.j2:6  4 tokens  Name the team.\n"
            "  prompts/triage/v1.j2:7  1 tokens  {{ ticket }}\n"
            "  $0.00131 → $0.00134 per call = +$0.0300 a month at 1,000 calls\n"
            "  prices: gpt-4o-mini, [tool.promptopt.prices]\n"
            "  fix: shorten prompts/triage/v1.j2:6\n"
            '  or accept: promptopt budget update triage --reason "..."'
        ),
        {"input": (11, 14), "cacheable": (0, 0), "output": (60, 60), "usd_call": ("0.00131", "0.00134")},
        id="growth on the base and here",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "base": {},
            "limits": ["input=5% | 2"],
        },
        ("warn cap input prompts/triage/v1.j2:6\ninput 13 is above its cap of 2 (this branch adds nothing)"),
        {"input": (13, 13), "cacheable": (0, 0), "output": (60, 60), "usd_call": ("0.00133", "0.00133")},
        id="a cap that the base passes too",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=BASE + 1, cacheable=0)},
            "locked": {"refund": replace(REFUND, input=BASE + 1, cacheable=0)},
            "base": {},
            "limits": ["input=5% | 2"],
        },
        ("error cap input prompts/triage/v1.j2:6\ninput 14 is above its cap of 2"),
        {"input": (14, 14), "cacheable": (0, 0), "output": (60, 60), "usd_call": ("0.00134", "0.00134")},
        id="a cap that this branch passes",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=80)}, "base": {"tokens: 60": "tokens: 80"}},
        (
            "warn regressed output prompts/triage/v1.j2:1\n"
            "output 60 → 80 (+20, +33.3%)  limit: no growth (this branch adds nothing)"
        ),
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 80), "usd_call": ("0.0022", "0.0026")},
        id="a larger output on the base",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=80)}, "base": {"tokens: 60": "tokens: 79"}},
        ("error regressed output prompts/triage/v1.j2:1\noutput 60 → 80 (+20, +33.3%)  limit: no growth"),
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 80), "usd_call": ("0.0022", "0.0026")},
        id="a larger output here",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=80)}, "base": {"max_output_tokens: 60\n": ""}},
        ("error regressed output prompts/triage/v1.j2:1\noutput 60 → 80 (+20, +33.3%)  limit: no growth"),
        {"input": (100, 100), "cacheable": (40, 40), "output": (60, 80), "usd_call": ("0.0022", "0.0026")},
        id="an output that is unknown on the base",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0, output=80)},
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "base": {"tokens: 60": "tokens: 80"},
            "limits": ["output=off", "usd_call=1%"],
        },
        (
            "warn regressed usd_call prompts/triage/v1.j2:1\n"
            "usd_call $0.00133 → $0.00173 (+$0.000400, +30.1%)  limit: 1% (this branch adds nothing)"
        ),
        {"input": (13, 13), "cacheable": (0, 0), "output": (60, 80), "usd_call": ("0.00133", "0.00173")},
        id="dollars that the base costs too",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0, output=80)},
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "base": {"tokens: 60": "tokens: 79"},
            "limits": ["output=off", "usd_call=1%"],
        },
        (
            "error regressed usd_call prompts/triage/v1.j2:1\n"
            "usd_call $0.00133 → $0.00173 (+$0.000400, +30.1%)  limit: 1%"
        ),
        {"input": (13, 13), "cacheable": (0, 0), "output": (60, 80), "usd_call": ("0.00133", "0.00173")},
        id="dollars that this branch adds",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=4)},
            "base": {},
            "base_text": "{{ ticket }}\nName the very team.\n",
            "limits": ["cacheable=1%"],
        },
        ("error regressed cacheable prompts/triage/v1.j2:7\ncacheable 4 → 0 (-4, -100.0%)  limit: 1%"),
        {"input": (13, 13), "cacheable": (4, 0), "output": (60, 60), "usd_call": ("0.00133", "0.00133")},
        id="a prefix that is lost on the base too",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=4)},
            "base": {},
            "limits": ["cacheable=1%"],
        },
        ("error regressed cacheable prompts/triage/v1.j2:7\ncacheable 4 → 0 (-4, -100.0%)  limit: 1%"),
        {"input": (13, 13), "cacheable": (4, 0), "output": (60, 60), "usd_call": ("0.00133", "0.00133")},
        id="a prefix that is lost here",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110, output=90)}, "base": {}, "touched": False},
        (
            "warn regressed input prompts/triage/v1.j2:6\n"
            "input 100 → 110 (+10, +10.0%)  limit: no growth (this branch adds nothing)\n"
            "warn regressed output prompts/triage/v1.j2:1\n"
            "output 60 → 90 (+30, +50.0%)  limit: no growth (this branch adds nothing)"
        ),
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 90), "usd_call": ("0.0022", "0.0029")},
        id="a branch that changes nothing of it",
    ),
    pytest.param(
        {"locked": None, "base": {}, "touched": False},
        ("warn new suites/triage.yaml:2\nnew: the prompt is not locked yet (this branch adds nothing)"),
        {"input": (None, 100), "cacheable": (None, 40), "output": (None, 60), "usd_call": (None, "0.0022")},
        id="a new prompt on the base",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}, "base": {}, "touched": False, "limits": ["input=warn"]},
        ("warn regressed input prompts/triage/v1.j2:6\ninput 100 → 110 (+10, +10.0%)  limit: no growth"),
        {"input": (100, 110), "cacheable": (40, 40), "output": (60, 60), "usd_call": ("0.0022", "0.0023")},
        id="warnings of a branch that changes nothing",
    ),
]

WHOLE = [
    pytest.param(
        {},
        "",
        {"usd_month": ("3.2000", "3.2000")},
        id="nothing changed",
    ),
    pytest.param(
        {"locked": {**ENTRIES, "broken": replace(REFUND, variables="v")}},
        (
            "error removed suites/triage.yaml:1\n"
            "removed: the lock has 'broken', the suite does not\n"
            "  restore the case in suites/triage.yaml, or remove it from the lock: promptopt budget "
            "update triage --case broken"
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="a case is gone",
    ),
    pytest.param(
        {"locked": {**ENTRIES, **{f"old {n}": replace(REFUND, variables=f"v{n}") for n in range(7)}}},
        (
            "error removed suites/triage.yaml:1\n"
            "removed: the lock has 'old 0', 'old 1', 'old 2', 'old 3', 'old 4' and 2 more, the suite does not\n"
            "  restore the case in suites/triage.yaml, or remove it from the lock: promptopt budget "
            "update triage --removed"
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="cases are gone",
    ),
    pytest.param(
        {"locked": {"returned": REFUND, "parcel": PARCEL, "lost": LOST}},
        ("error renamed suites/triage.yaml:1\nrenamed: 'returned' to 'refund'; the lock has the old name"),
        {"usd_month": ("3.7000", "3.7000")},
        id="a case has another name",
    ),
    pytest.param(
        {"locked": {"returned": replace(REFUND, input=90), "parcel": PARCEL, "lost": LOST}},
        (
            "error renamed suites/triage.yaml:1\n"
            "renamed: 'returned' to 'refund'; the lock has the old name\n"
            '  lock the new name: promptopt budget update triage --case refund --reason "..."'
        ),
        {"usd_month": ("3.7000", "3.7000")},
        id="a case has another name and costs more",
    ),
    pytest.param(
        {"locked": {"returned": REFUND, "parcel": PARCEL, "lost": LOST}, "now": {"parcel": replace(PARCEL, input=201)}},
        (
            "error renamed suites/triage.yaml:1\n"
            "renamed: 'returned' to 'refund'; the lock has the old name\n"
            "  lock the new name: promptopt budget update triage --case refund"
        ),
        {"usd_month": ("3.7000", "3.705000")},
        id="a case has another name beside one that grew",
    ),
    pytest.param(
        {"call": None, "base": {"calls_per_month: 1000": "calls_per_month: 500"}, "limits": ["usd_month=5%"]},
        (
            "note cause calls_per_month prompts/triage/v1.j2:1\n"
            "calls_per_month: 500 → 1,000\n"
            "error regressed usd_month prompts/triage/v1.j2:1\n"
            "usd_month $1.60 → $3.20 (+$1.60, +100.0%)  limit: 5%"
        ),
        {"usd_month": ("1.6000", "3.2000")},
        id="dollars a month of a lock of 0.1.0",
    ),
    pytest.param(
        {"locked": {}, "limits": ["usd_month=5%"]},
        "",
        {},
        id="an empty lock",
    ),
    pytest.param(
        {"locked": answers(0.5, 1.0, 1.0), "now": answers(1.0)},
        "",
        {"usd_month": ("3.2000", "3.2000")},
        id="some answers are better",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": answers(0.9801)},
        (
            "warn quality quality prompts/triage/v1.j2:1\n"
            "quality -2.0 points over 3 recorded answers: not significantly worse, but a loss of 2 "
            "points cannot be excluded"
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="a loss just within the margin",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": answers(0.5), "limits": ["quality=50 points"]},
        (
            "warn quality quality prompts/triage/v1.j2:1\n"
            "quality -50.0 points over 3 recorded answers: not significantly worse, but a loss of 50 "
            "points cannot be excluded"
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="a loss of the whole margin",
    ),
    pytest.param(
        {"locked": {"returned": REFUND, "broken": replace(REFUND, variables="v"), "parcel": PARCEL, "lost": LOST}},
        (
            "error renamed suites/triage.yaml:1\n"
            "renamed: 'returned' to 'refund'; the lock has the old name\n"
            "error removed suites/triage.yaml:1\n"
            "removed: the lock has 'broken', the suite does not"
        ),
        {"usd_month": ("3.7000", "3.7000")},
        id="one is gone, one has another name",
    ),
    pytest.param(
        {"locked": None},
        "",
        {},
        id="no lock",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=400)}, "limits": ["usd_month=5%"]},
        (
            "error regressed usd_month prompts/triage/v1.j2:1\n"
            "usd_month $3.20 → $4.20 (+$1.00, +31.2%)  limit: 5%\n"
            "  see the cases that grew for the lines that did it\n"
            "  prompts/triage/v1.j2"
        ),
        {"usd_month": ("3.2000", "4.2000")},
        id="dollars a month",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=400)}, "limits": ["usd_month=warn $0.5"]},
        ("warn regressed usd_month prompts/triage/v1.j2:1\nusd_month $3.20 → $4.20 (+$1.00, +31.2%)  limit: $0.5"),
        {"usd_month": ("3.2000", "4.2000")},
        id="dollars a month that warn",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=400)}, "limits": ["usd_month=$1"]},
        "",
        {"usd_month": ("3.2000", "4.2000")},
        id="dollars a month within their limit",
    ),
    pytest.param(
        {"limits": ["usd_month=| $3.10"]},
        ("error cap usd_month prompts/triage/v1.j2:1\nusd_month $3.20 is above its cap of $3.10"),
        {"usd_month": ("3.2000", "3.2000")},
        id="dollars a month above their cap",
    ),
    pytest.param(
        {"call": {"calls_per_month": 500}, "limits": ["usd_month=5%"]},
        (
            "note cause calls_per_month prompts/triage/v1.j2:1\n"
            "calls_per_month: 500 → 1,000\n"
            "error regressed usd_month prompts/triage/v1.j2:1\n"
            "usd_month $1.60 → $3.20 (+$1.60, +100.0%)  limit: 5%"
        ),
        {"usd_month": ("1.6000", "3.2000")},
        id="dollars a month of more calls",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0, output=90)},
            "base": {"tokens: 60": "tokens: 90"},
            "limits": ["usd_month=5%"],
        },
        (
            "warn regressed usd_month prompts/triage/v1.j2:1\n"
            "usd_month $1.33 → $1.93 (+$0.600, +45.1%)  limit: 5% (this branch adds nothing)"
        ),
        {"usd_month": ("1.33000", "1.93000")},
        id="dollars a month that the base costs too",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0, output=90)},
            "base": {"tokens: 60": "tokens: 89"},
            "limits": ["usd_month=5%"],
        },
        ("error regressed usd_month prompts/triage/v1.j2:1\nusd_month $1.33 → $1.93 (+$0.600, +45.1%)  limit: 5%"),
        {"usd_month": ("1.33000", "1.93000")},
        id="dollars a month that this branch adds",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "call": {"calls_per_month": 500},
            "base": {},
            "limits": ["usd_month=5%"],
        },
        (
            "note cause calls_per_month prompts/triage/v1.j2:1\n"
            "calls_per_month: 500 → 1,000\n"
            "warn regressed usd_month prompts/triage/v1.j2:1\n"
            "usd_month $0.665 → $1.33 (+$0.665, +100.0%)  limit: 5% (this branch adds nothing)"
        ),
        {"usd_month": ("0.66500", "1.33000")},
        id="dollars a month of calls that the base has too",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "call": {"calls_per_month": 500},
            "base": {"calls_per_month: 1000\n": ""},
            "limits": ["usd_month=5%"],
        },
        (
            "note cause calls_per_month prompts/triage/v1.j2:1\n"
            "calls_per_month: 500 → 1,000\n"
            "error regressed usd_month prompts/triage/v1.j2:1\n"
            "usd_month $0.665 → $1.33 (+$0.665, +100.0%)  limit: 5%"
        ),
        {"usd_month": ("0.66500", "1.33000")},
        id="dollars a month without a volume on the base",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, input=BASE, cacheable=0)},
            "now": {"refund": replace(REFUND, input=BASE, cacheable=0, output=90)},
            "base": {"tokens: 60": "tokens: 90"},
            "base_text": "{{ nobody }}",
            "limits": ["usd_month=5%"],
        },
        ("error regressed usd_month prompts/triage/v1.j2:1\nusd_month $1.33 → $1.93 (+$0.600, +45.1%)  limit: 5%"),
        {"usd_month": ("1.33000", "1.93000")},
        id="dollars a month of a case that the base does not render",
    ),
    pytest.param(
        {"locked": {**ENTRIES, "broken": replace(REFUND, variables="v")}, "base": {}, "touched": False},
        (
            "warn removed suites/triage.yaml:1\n"
            "removed: the lock has 'broken', the suite does not (this branch adds nothing)"
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="a branch that changes nothing of it",
    ),
    pytest.param(
        {"call": {"calls_per_month": 500}},
        ("error cause calls_per_month prompts/triage/v1.j2:1\ncalls_per_month: 500 → 1,000"),
        {"usd_month": ("1.6000", "3.2000")},
        id="more calls",
    ),
    pytest.param(
        {"basis": {"input_usd": "9"}},
        (
            "warn cause price prompts/triage.lock.toml:1\n"
            "not the prompt: the price table changed; both sides are priced at the locked rates"
        ),
        {"usd_month": ("3.0000", "3.0000")},
        id="another basis",
    ),
    pytest.param(
        {"locked": answers(0.5), "now": answers(1.0)},
        "",
        {"usd_month": ("3.2000", "3.2000")},
        id="better answers",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": answers(0.9)},
        (
            "error quality quality prompts/triage/v1.j2:1\n"
            "quality -10.0 points over 3 recorded answers: too few for a test, and the loss is above "
            "the margin\n"
            "  see which answers changed: promptopt compare prompts/triage/v1.j2 --cases\n"
            '  or accept: promptopt budget update triage --reason "..."'
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="few worse answers",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": answers(0.9), "limits": ["quality=10 points"]},
        (
            "warn quality quality prompts/triage/v1.j2:1\n"
            "quality -10.0 points over 3 recorded answers: not significantly worse, but a loss of 10 "
            "points cannot be excluded\n"
            "  more cases would decide it"
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="few worse answers within the margin",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": answers(0.9), "limits": ["quality=warn 2 points"]},
        (
            "warn quality quality prompts/triage/v1.j2:1\n"
            "quality -10.0 points over 3 recorded answers: too few for a test, and the loss is above the margin"
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="few worse answers that warn",
    ),
    pytest.param(
        {"now": answers(1.0, 0.5, 0.75), "limits": ["quality=2 points | 80%"]},
        (
            "error quality quality prompts/triage/v1.j2:1\n"
            "quality 75.0% is below its floor of 80.0%, over 3 recorded answers\n"
            "  see which answers changed: promptopt compare prompts/triage/v1.j2 --cases\n"
            '  or accept: promptopt budget update triage --reason "..."'
        ),
        {"usd_month": ("3.2000", "3.2000")},
        id="a floor of quality",
    ),
    pytest.param(
        {"now": answers(1.0, 0.5, 0.75), "limits": ["quality=| 75%"]},
        "",
        {"usd_month": ("3.2000", "3.2000")},
        id="a floor that is reached",
    ),
    pytest.param(
        {"limits": ["quality=| 75%"]},
        "",
        {"usd_month": ("3.2000", "3.2000")},
        id="a floor without answers",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": answers(0.0), "limits": ["quality=off"]},
        "",
        {"usd_month": ("3.2000", "3.2000")},
        id="quality is off",
    ),
    pytest.param(
        {
            "locked": {"refund": replace(REFUND, output_is="recorded", quality=1.0), "parcel": PARCEL, "lost": LOST},
            "now": {"parcel": replace(PARCEL, output_is="recorded", quality=0.0)},
        },
        "",
        {"usd_month": ("3.2000", "3.2000")},
        id="answers of some cases",
    ),
]


@pytest.mark.parametrize(("values", "expected", "numbers"), CHECKED)
def test_a_case(values: dict[str, Any], expected: str, numbers: dict[str, Any]) -> None:
    result = Known(**values).case()
    assert said(result, details="\n  " in expected) == expected
    assert result.numbers == numbers


@pytest.mark.parametrize(("values", "expected", "numbers"), WHOLE)
def test_a_prompt(values: dict[str, Any], expected: str, numbers: dict[str, Any]) -> None:
    known = Known(**values)
    result = check_prompt(known.checker, known.prompt)
    assert (result.prompt, result.case) == ("triage", "")
    assert said(result, details="\n  " in expected) == expected
    assert result.numbers == numbers


@pytest.mark.parametrize(
    ("values", "limits", "expected", "numbers"),
    [
        ({}, {"input": "0 tokens"}, "", {"input": ("200", "200")}),
        (
            {"now": {"refund": replace(REFUND, input=131)}},
            {"input": "5%"},
            (
                "error regressed input :0\ninput 200.0 → 210.3 (+10.3, +5.2%)  limit: 5%\n"
                "  see the cases that grew for the lines that did it\n  1 prompt in all"
            ),
            {"input": ("200", "210.3333333333333333333333333")},
        ),
        ({"now": {"refund": replace(REFUND, input=130)}}, {"input": "5%"}, "", {"input": ("200", "210")}),
        (
            {"now": {"refund": replace(REFUND, input=131)}},
            {"input": "warn 5%", "usd_month": "| $1"},
            (
                "warn regressed input :0\ninput 200.0 → 210.3 (+10.3, +5.2%)  limit: 5%\n"
                "  see the cases that grew for the lines that did it\n  1 prompt in all\n"
                "error cap usd_month :0\nusd_month $3.30 is above its cap of $1.00\n"
                "  see the cases that grew for the lines that did it\n  1 prompt in all"
            ),
            {
                "input": ("200", "210.3333333333333333333333333"),
                "usd_month": ("3.2000", "3.303333333333333333333333333"),
            },
        ),
        (
            {"now": {"refund": replace(REFUND, cacheable=10)}},
            {"cacheable": "0 tokens"},
            "error regressed cacheable :0\ncacheable 40.0 → 30.0 (-10.0, -25.0%)  limit: 0 tokens",
            {"cacheable": ("40", "30")},
        ),
        (
            {"now": {"refund": replace(REFUND, cacheable=100)}},
            {"cacheable": "0 tokens"},
            "",
            {"cacheable": ("40", "60")},
        ),
        (
            {"now": {"refund": replace(REFUND, input=131)}},
            {"input": "off"},
            "",
            {"input": ("200", "210.3333333333333333333333333")},
        ),
        ({}, {"cacheable": "| 40"}, "", {"cacheable": ("40", "40")}),
        (
            {},
            {"cacheable": "warn | 41"},
            "warn cap cacheable :0\ncacheable 40.0 is below its floor of 41",
            {"cacheable": ("40", "40")},
        ),
        ({"locked": None}, {"input": "5%"}, "", {"input": ("0", "0")}),
        (
            {"locked": {"refund": REFUND}, "call": None, "settings": {}},
            {"usd_month": "5%"},
            "",
            {"usd_month": ("2.2000", "2.2000")},
        ),
    ],
)
def test_a_group(values: dict[str, Any], limits: dict[str, str], expected: str, numbers: dict[str, Any]) -> None:
    known = Known(**values)
    parsed = {parse_metric(metric): parse_limit(metric, limit) for metric, limit in limits.items()}
    result = check_group(known.checker, "tri*", parsed, [known.prompt])
    assert (result.prompt, result.case) == ("group tri*", "")
    assert said(result, details="\n  " in expected) == expected
    assert result.numbers == numbers
    assert check_group(known.checker, "other*", parsed, [known.prompt]).findings == ()


@pytest.mark.parametrize(
    ("metric", "now", "level"),
    [
        ("input", {"input": BASE, "cacheable": 0}, "warn"),
        ("input", {"input": BASE + 1, "cacheable": 0}, "error"),
        ("cacheable", {"input": BASE, "cacheable": 8}, "warn"),
        ("cacheable", {"input": BASE, "cacheable": 7}, "error"),
        ("usd_call", {"input": BASE, "cacheable": 0, "output": 80}, "warn"),
        ("usd_call", {"input": BASE, "cacheable": 0, "output": 81}, "error"),
        ("usd_month", {"input": BASE, "cacheable": 0, "output": 80}, "warn"),
        ("usd_month", {"input": BASE, "cacheable": 0, "output": 81}, "error"),
    ],
)
def test_a_group_that_the_base_exceeds_already(metric: str, now: dict[str, int], level: str) -> None:
    locked = {"refund": replace(REFUND, input=5, cacheable=20)}
    known = Known(locked, {"refund": replace(REFUND, **now)}, base={"tokens: 60": "tokens: 80"})
    limits = {parse_metric(metric): Limit("error")}
    assert [each.level for each in check_group(known.checker, "*", limits, [known.prompt]).findings] == [level]
    # Of a prompt that the base does not have, nothing is known.
    known.history._sides["triage"] = None
    assert [each.level for each in check_group(known.checker, "*", limits, [known.prompt]).findings] == ["error"]


def test_a_group_of_two_is_the_sum() -> None:
    one, other = Known(), Known(now={"refund": replace(REFUND, input=160)})
    limits = {parse_metric("input"): parse_limit("input", "4%"), parse_metric("usd_month"): Limit("off")}
    result = check_group(one.checker, "triage", limits, [one.prompt, other.prompt])
    assert result.numbers == {"input": ("400", "420"), "usd_month": ("6.4000", "6.6000")}
    (finding,) = result.findings
    assert finding.details[1] == "2 prompts in all"


NAMES = ("refund", "parcel")


def on_base(**options: Any) -> Known:
    """Two cases that the base has grown to already, and one more that is gone."""
    locked = {"gone": replace(REFUND, variables="v"), **{name: replace(ENTRIES[name], input=5) for name in NAMES}}
    now = {name: replace(ENTRIES[name], input=BASE, cacheable=0) for name in NAMES}
    return Known(locked, now, **{"base": {}, **options})


def levels(*known: Known, metric: str = "input") -> list[str]:
    limits = {parse_metric(metric): Limit("error")}
    result = check_group(known[0].checker, "*", limits, [each.prompt for each in known])
    return [each.level for each in result.findings]


def test_what_is_known_of_a_group_on_the_base() -> None:
    assert levels(on_base()) == ["warn"]
    apart = on_base()
    apart.history.__dict__["base"] = Base("main", "c" * 40, apart=False)
    # On the main branch itself nothing is inherited.
    assert levels(apart) == ["error"]
    assert levels(on_base(base=None)) == ["error"]
    # Of a prompt without a lock nothing is known.
    one = on_base()
    unlocked = Known(None, base={})
    unlocked.prompt.name = "unlocked"
    one.history._sides["unlocked"] = one.history._sides["triage"]
    assert levels(one, unlocked) == ["error"]


def test_dollars_on_the_base_are_counted_with_its_tokenizer() -> None:
    text = "Ответь вежливо, пожалуйста, и коротко. {{ ticket }}\n"
    known = on_base(base={"gpt-4o-mini": "gpt-4"}, base_text=text)
    side = known.history._sides["triage"]
    assert side is not None
    counts = [input_tokens(side.template, known.prompt.cases[name], "gpt-4") for name in NAMES]
    for name, count in zip(NAMES, counts, strict=True):
        assert count is not None
        measured = known.prompt._measured[name]
        known.prompt._measured[name] = replace(measured, entry=replace(measured.entry, input=count[0]))
    assert levels(known, metric="usd_call") == ["warn"]
    assert levels(known, metric="usd_month") == ["warn"]
    # Tokens are counted with today's, as the locked ones are.
    assert levels(known) == ["error"]


def test_dollars_of_a_case_on_the_base_are_counted_with_its_tokenizer() -> None:
    text = "Ответь вежливо, пожалуйста, и коротко. {{ ticket }}\n"
    known = on_base(base={"gpt-4o-mini": "gpt-4"}, base_text=text, limits=["input=0%", "usd_call=0%"])
    side = known.history._sides["triage"]
    assert side is not None
    count = input_tokens(side.template, known.prompt.cases["refund"], "gpt-4")
    assert count is not None
    measured = known.prompt._measured["refund"]
    known.prompt._measured["refund"] = replace(measured, entry=replace(measured.entry, input=count[0]))
    found = {each.metric: each.level for each in known.case().findings if each.kind == "regressed"}
    assert found["usd_call"] == "warn"
    assert found["input"] == "error"


def test_a_limit_of_one_case_is_no_limit_of_another() -> None:
    grown = {name: replace(ENTRIES[name], input=ENTRIES[name].input + 50) for name in NAMES}
    roomy = LimitTable({}, cases={"refund": {"input": parse_limit("input", "60 tokens")}})
    known = Known(now=grown, settings={"prompts": {"triage": roomy}})
    assert "regressed" not in [each.kind for each in known.case("refund").findings]
    assert "regressed" in [each.kind for each in known.case("parcel").findings]


def test_without_a_volume_there_is_no_month() -> None:
    known = Known(limits=["usd_month=0%"])
    known.prompt.__dict__["calls_per_month"] = None
    assert check_prompt(known.checker, known.prompt).numbers == {}


def test_a_lock_that_git_still_has_is_named() -> None:
    known = Known(None)
    known.history.locks._last["triage"] = Known().prompt.lock
    assert known.case().findings[0].summary == "new: the prompt has no lock; git has one of it"


def test_a_case_without_a_line_is_shown_at_no_line() -> None:
    known = Known(None)
    measured = known.prompt.measure("refund")
    known.prompt._measured["refund"] = replace(measured, case=replace(measured.case, line=None))
    assert known.case().findings[0].line == 0


def judged(pairs: list[tuple[float, float]], limit: str = "2 points") -> list[tuple[str, str]]:
    asked = [replace(REFUND, request=str(number)) for number in range(len(pairs))]
    entries = [
        (replace(each, quality=old), replace(each, quality=now)) for each, (old, now) in zip(asked, pairs, strict=True)
    ]
    found = totals._quality(Known().prompt, entries, parse_limit("quality", limit))
    return [(each.level, each.summary.partition("answers: ")[2]) for each in found]


@pytest.mark.parametrize(
    ("pairs", "level", "said_of_it"),
    [
        ([(0.0, 1.0)] * 60 + [(1.0, 0.0)], None, ""),
        ([(1.0, 0.0)] * 20 + [(1.0, 1.0)] * 20, "error", "worse"),
        # The fewest answers whose loss can be shown, and the most whose loss cannot: then the mean itself decides.
        ([(1.0, 0.0)] * 7, "error", "worse"),
        ([(1.0, 0.0)] * 6, "error", "too few for a test, and the loss is above the margin"),
        (
            [(1.0, 0.0)] * 2 + [(1.0, 1.0)] * 5,
            "warn",
            "not significantly worse, but a loss of 2 points cannot be excluded",
        ),
        ([(1.0, 0.0)] * 2 + [(1.0, 1.0)] * 3, "error", "too few for a test, and the loss is above the margin"),
    ],
)
def test_what_is_said_of_answers(pairs: list[tuple[float, float]], level: str | None, said_of_it: str) -> None:
    assert judged(pairs) == ([] if level is None else [(level, said_of_it)])


def test_a_limit_of_no_points_allows_no_loss() -> None:
    assert judged([(1.0, 0.0)] + [(1.0, 1.0)] * 3, "0 points")[0][0] == "error"
    assert judged([(1.0, 0.9)] + [(1.0, 1.0)] * 30, "0 points")[0][0] == "warn"
    assert judged([(1.0, 1.0)] * 30, "0 points") == []


def test_answers_that_are_as_they_were() -> None:
    assert judge_recorded([(0.5, 0.5)] * 3, 0.02) == RecordedQuality("not worse", 0.0)
    assert judge_recorded([(1.0, 0.5), (1.0, 1.0)], 0.02).difference == -0.25
