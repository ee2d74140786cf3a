"""What an update and a trim write of known values, and what of it needs a reason."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from known_values import ENTRIES, LOST, PARCEL, REFUND, Known, answers, drafted, write_project

from promptopt.budget.update import Draft, EarlierLocks, draft_removals, draft_updates
from promptopt.config import load_config
from promptopt.errors import UsageError

pytestmark = pytest.mark.usefixtures("known_project")


UPDATED = [
    pytest.param(
        {"locked": None},
        None,
        (
            "writes lost: new, input 300, output 60\n"
            "writes parcel: new, input 200, output 60\n"
            "writes refund: new, input 100, output 60\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a new prompt",
    ),
    pytest.param(
        {"sources": "today"},
        None,
        (
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="nothing",
    ),
    pytest.param(
        {},
        None,
        (
            "writes the head\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a lock of another text that costs the same",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=101)}},
        None,
        (
            "raises triage [refund]: input 100 → 101, $0.00220 → $0.00221 per call\n"
            "writes refund: input 100 → 101\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 101 40 60 cap None 'why'"
        ),
        id="more input",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=99)}, "locked": {**ENTRIES, "refund": replace(REFUND, reason="once")}},
        None,
        (
            "writes refund: input 100 → 99\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 99 40 60 cap None ''"
        ),
        id="less input",
    ),
    pytest.param(
        {"locked": {**ENTRIES, "refund": replace(REFUND, reason="once")}},
        None,
        (
            "writes the head\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None 'once'"
        ),
        id="a reason is kept",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=61)}},
        None,
        (
            "raises triage [refund]: output 60 → 61, $0.00220 → $0.00222 per call\n"
            "writes refund: output 60 → 61\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 61 cap None 'why'"
        ),
        id="more output",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=None)}},
        None,
        (
            "raises triage [refund]: output 60 → unknown\n"
            "writes refund: output 60 → unknown\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 None cap None 'why'"
        ),
        id="unknown output",
    ),
    pytest.param(
        {"locked": {**ENTRIES, "refund": replace(REFUND, output=None)}},
        None,
        (
            "writes refund: output unknown → 60\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="known output",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": answers(0.5)},
        None,
        (
            "raises triage [lost]: quality 1.0 → 0.5\n"
            "raises triage [parcel]: quality 1.0 → 0.5\n"
            "raises triage [refund]: quality 1.0 → 0.5\n"
            "writes lost: quality 1.0 → 0.5\n"
            "writes parcel: quality 1.0 → 0.5\n"
            "writes refund: quality 1.0 → 0.5\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 recorded 0.5 'why'\n"
            "parcel: 200 40 60 recorded 0.5 'why'\n"
            "refund: 100 40 60 recorded 0.5 'why'"
        ),
        id="worse answers",
    ),
    pytest.param(
        {
            "locked": {**ENTRIES, "refund": replace(REFUND, input=3000, cacheable=2000)},
            "now": {"refund": replace(REFUND, input=3000, cacheable=10)},
        },
        None,
        (
            "raises triage [refund]: $0.0139 → $0.0312 per call\n"
            "writes refund: cacheable 2,000 → 10\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 3000 10 60 cap None 'why'"
        ),
        id="a prefix that the cache served",
    ),
    pytest.param(
        {
            "locked": answers(1.0),
            "now": {"refund": replace(REFUND, output=70, output_is="recorded")},
            "statuses": {"refund": "stale"},
        },
        {"refund"},
        (
            "raises triage [refund]: output 60 → 70, $0.00220 → $0.00240 per call\n"
            "writes refund: output 60 → 70\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 recorded 1.0 ''\n"
            "parcel: 200 40 60 recorded 1.0 ''\n"
            "refund: 100 40 70 recorded 1.0 'why'"
        ),
        id="stale answers",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": {"refund": replace(REFUND, output=80)}},
        {"refund"},
        (
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 recorded 1.0 ''\n"
            "parcel: 200 40 60 recorded 1.0 ''\n"
            "refund: 100 40 60 recorded 1.0 ''"
        ),
        id="missing answers",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, output=80)}, "locked": {**ENTRIES, "refund": replace(REFUND, quality=0.5)}},
        {"refund"},
        (
            "raises triage [refund]: output 60 → 80, $0.00220 → $0.00260 per call\n"
            "writes refund: output 60 → 80\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 80 cap 0.5 'why'"
        ),
        id="missing answers of a case that had a cap",
    ),
    pytest.param(
        {"locked": answers(1.0), "now": {"refund": replace(REFUND, output=50, output_is="recorded")}},
        {"refund"},
        (
            "writes refund: output 60 → 50\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 recorded 1.0 ''\n"
            "parcel: 200 40 60 recorded 1.0 ''\n"
            "refund: 100 40 50 recorded 1.0 ''"
        ),
        id="fresh answers without a quality",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=101, request="q"), "parcel": replace(PARCEL, input=201)}},
        {"refund"},
        (
            "raises triage [refund]: input 100 → 101, $0.00220 → $0.00221 per call\n"
            "writes refund: input 100 → 101\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text unknown\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 101 40 60 cap None 'why'"
        ),
        id="one case",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=101, request="q"), "parcel": replace(PARCEL, input=201)},
            "sources": "today",
        },
        {"refund"},
        (
            "raises triage [refund]: input 100 → 101, $0.00220 → $0.00221 per call\n"
            "writes refund: input 100 → 101\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 101 40 60 cap None 'why'"
        ),
        id="one case of the locked text",
    ),
    pytest.param(
        {"locked": {"refund": REFUND, "lost": LOST}, "now": {"refund": replace(REFUND, input=101)}},
        {"parcel"},
        (
            "writes parcel: new, input 200, output 60\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text unknown\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="one new case",
    ),
    pytest.param(
        {},
        {"refund", "parcel", "lost"},
        (
            "writes the head\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="all cases by name",
    ),
    pytest.param(
        {"locked": {**ENTRIES, "broken": replace(REFUND, variables="v"), "torn": replace(REFUND, variables="w")}},
        {"broken"},
        (
            "writes broken: removed\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''\n"
            "torn: 100 40 60 cap None ''"
        ),
        id="a case that is gone",
    ),
    pytest.param(
        {"locked": {**ENTRIES, "broken": replace(REFUND, variables="v"), "torn": replace(REFUND, variables="w")}},
        None,
        (
            "writes broken: removed\n"
            "writes torn: removed\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="all that are gone",
    ),
    pytest.param(
        {"locked": {"returned": replace(REFUND, reason="once"), "parcel": PARCEL, "lost": LOST}},
        None,
        (
            "writes refund: new, input 100, output 60\n"
            "writes returned: removed\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None 'once'"
        ),
        id="another name",
    ),
    pytest.param(
        {"locked": {"returned": replace(REFUND, input=90), "parcel": PARCEL, "lost": LOST}},
        {"refund"},
        (
            "raises triage [refund]: input 90 → 100, $0.00210 → $0.00220 per call\n"
            "writes refund: new, input 100, output 60\n"
            "writes returned: removed\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text unknown\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None 'why'"
        ),
        id="another name and more input",
    ),
    pytest.param(
        {"basis": {"model": "gpt-4.1-nano", "input_usd": "1", "cached_usd": "0.1", "output_usd": "2"}},
        None,
        (
            "raises triage [lost]: $0.000420 → $0.00420 per call (gpt-4.1-nano → gpt-4o-mini)\n"
            "raises triage [parcel]: $0.000320 → $0.00320 per call (gpt-4.1-nano → gpt-4o-mini)\n"
            "raises triage [refund]: $0.000220 → $0.00220 per call (gpt-4.1-nano → gpt-4o-mini)\n"
            "writes tokenizer, model or prices\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None 'why'\n"
            "parcel: 200 40 60 cap None 'why'\n"
            "refund: 100 40 60 cap None 'why'"
        ),
        id="another model",
    ),
    pytest.param(
        {"basis": {"model": "gpt-4.1-nano", "input_usd": "1", "cached_usd": "0.1", "output_usd": "2"}},
        {"refund"},
        (
            "gpt-4.1-nano 1, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="another model for one case",
    ),
    pytest.param(
        {"basis": {"model": "gpt-4.1", "input_usd": "100", "cached_usd": "1", "output_usd": "200"}},
        None,
        (
            "writes tokenizer, model or prices\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="another model that costs less",
    ),
    pytest.param(
        {"call": {"calls_per_month": 500}},
        None,
        (
            "raises triage: calls_per_month 500 → 1,000\n"
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, 'why', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="more calls",
    ),
    pytest.param(
        {"call": {"calls_per_month": 500}},
        {"refund"},
        (
            "gpt-4o-mini 10, (500, 60), v1, '', text locked\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="more calls and one case",
    ),
    pytest.param(
        {"call": {"calls_per_month": 5000}, "reason": "once"},
        None,
        (
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="fewer calls",
    ),
    pytest.param(
        {"reason": "once", "sources": "today"},
        None,
        (
            "gpt-4o-mini 10, (1000, 60), v1, 'once', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="as many calls",
    ),
    pytest.param(
        {"call": {"params": {"max_output_tokens": 50}}},
        None,
        (
            "raises triage: max_output_tokens 50 → 60\n"
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, 'why', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a larger cap",
    ),
    pytest.param(
        {"call": {"params": {"max_output_tokens": 70}}},
        None,
        (
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a smaller cap",
    ),
    pytest.param(
        {"call": {"calls_per_month": 500, "params": {"max_output_tokens": 50}}},
        None,
        (
            "raises triage: calls_per_month 500 → 1,000, max_output_tokens 50 → 60\n"
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, 'why', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="more calls and a larger cap",
    ),
    pytest.param(
        {
            "call": {"params": {"max_output_tokens": 60, "reasoning_effort": "low"}},
            "params": {"reasoning_effort": "high"},
        },
        None,
        (
            "raises triage: reasoning_effort low → high\n"
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, 'why', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="more effort",
    ),
    pytest.param(
        {
            "call": {"params": {"max_output_tokens": 60, "reasoning_effort": "high"}},
            "params": {"reasoning_effort": "low"},
        },
        None,
        (
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="less effort",
    ),
    pytest.param(
        {
            "call": {"params": {"max_output_tokens": 60, "reasoning_effort": "low"}},
            "params": {"reasoning_effort": "low"},
            "sources": "today",
        },
        None,
        (
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="the same effort",
    ),
    pytest.param(
        {"call": {"params": {"max_output_tokens": 60}}, "params": {"reasoning_effort": "low"}},
        None,
        (
            "raises triage: reasoning_effort not set → low\n"
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, 'why', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="an effort that was not set",
    ),
    pytest.param(
        {"call": {"params": {"max_output_tokens": 60, "reasoning_effort": "high"}}},
        None,
        (
            "raises triage: reasoning_effort high → not set\n"
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, 'why', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="an effort that is not set any more",
    ),
    pytest.param(
        {"call": {"params": {"max_output_tokens": 60, "service_tier": "flex"}}, "params": {"service_tier": "priority"}},
        None,
        (
            "raises triage: service_tier flex → priority\n"
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, 'why', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a tier that costs more",
    ),
    pytest.param(
        {"call": {"params": {"max_output_tokens": 60, "verbosity": "low"}}, "params": {"verbosity": "medium"}},
        None,
        (
            "raises triage: verbosity low → medium\n"
            "writes settings or calls per month\n"
            "gpt-4o-mini 10, (1000, 60), v1, 'why', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="longer answers by another verbosity",
    ),
    pytest.param(
        {"locked": {**ENTRIES, "old": replace(REFUND, input=90)}},
        None,
        (
            "writes old: removed\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a case that has the variables of one that is gone",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=101, output=None)}},
        None,
        (
            "raises triage [refund]: input 100 → 101, output 60 → unknown, $0.00100 → $0.00101 per call\n"
            "writes refund: input 100 → 101, output 60 → unknown\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 101 40 None cap None 'why'"
        ),
        id="more input and an unknown output",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=101, output=61)}},
        None,
        (
            "raises triage [refund]: input 100 → 101, output 60 → 61, $0.00220 → $0.00223 per call\n"
            "writes refund: input 100 → 101, output 60 → 61\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 101 40 61 cap None 'why'"
        ),
        id="more input and more output",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, request="q")}},
        None,
        (
            "writes refund: its text\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="another text of the same length",
    ),
    pytest.param(
        {"measured": "v0", "sources": "today"},
        None,
        (
            "writes the head\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="another version",
    ),
    pytest.param(
        {"call": None},
        None,
        (
            "writes the head\n"
            "gpt-4o-mini 10, None, v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a lock of 0.1.0",
    ),
    pytest.param(
        {"call": None, "now": {"refund": replace(REFUND, input=99)}},
        None,
        (
            "writes refund: input 100 → 99\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 99 40 60 cap None ''"
        ),
        id="a lock of 0.1.0 of another count",
    ),
    pytest.param(
        {"call": None, "basis": {"input_usd": "100"}},
        None,
        (
            "writes tokenizer, model or prices\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a lock of 0.1.0 of another price",
    ),
]

TRIMMED = [
    pytest.param(
        {},
        (
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="nothing",
    ),
    pytest.param(
        {
            "now": {"refund": replace(REFUND, input=90, request="q")},
            "locked": {**ENTRIES, "refund": replace(REFUND, reason="once")},
        },
        (
            "writes refund: input 100 → 90\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text unknown\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 90 40 60 cap None 'once'"
        ),
        id="less",
    ),
    pytest.param(
        {"now": {n: replace(e, input=e.input - 1) for n, e in ENTRIES.items()}},
        (
            "writes lost: input 300 → 299\n"
            "writes parcel: input 200 → 199\n"
            "writes refund: input 100 → 99\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 299 40 60 cap None ''\n"
            "parcel: 199 40 60 cap None ''\n"
            "refund: 99 40 60 cap None ''"
        ),
        id="less of all",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=110)}},
        (
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="more",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=90, output=61)}},
        (
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="less input and more output",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=99, cacheable=10)}},
        (
            "gpt-4o-mini 10, (1000, 60), v1, '', text locked\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 100 40 60 cap None ''"
        ),
        id="a lost prefix",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=90)}, "measured": "v0"},
        (
            "writes refund: input 100 → 90\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text unknown\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 90 40 60 cap None ''"
        ),
        id="less of another version",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=90)}, "locked": {"broken": replace(REFUND, variables="v"), **ENTRIES}},
        (
            "writes refund: input 100 → 90\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text unknown\n"
            "broken: 100 40 60 cap None ''\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 90 40 60 cap None ''"
        ),
        id="a case that is gone before others",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=90)}, "sources": "today"},
        (
            "writes refund: input 100 → 90\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text today\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 90 40 60 cap None ''"
        ),
        id="less of the locked text",
    ),
    pytest.param(
        {"now": {"refund": replace(REFUND, input=90)}, "locked": {**ENTRIES, "broken": replace(REFUND, variables="v")}},
        (
            "writes refund: input 100 → 90\n"
            "gpt-4o-mini 10, (1000, 60), v1, '', text unknown\n"
            "broken: 100 40 60 cap None ''\n"
            "lost: 300 40 60 cap None ''\n"
            "parcel: 200 40 60 cap None ''\n"
            "refund: 90 40 60 cap None ''"
        ),
        id="a case that is gone",
    ),
]


@pytest.mark.parametrize(("values", "cases", "expected"), UPDATED)
def test_an_update(values: dict[str, Any], cases: set[str] | None, expected: str) -> None:
    (draft,) = draft_updates({"triage": (Known(**values).prompt, cases)}, " why ")
    assert drafted(draft) == expected
    assert (draft.prompt, draft.path.name) == ("triage", "triage.lock.toml")
    # The command that a message prints asks for a reason if the update does.
    assert EarlierLocks().need_reason(Known(**values).prompt, cases) == bool(draft.raises)


@pytest.mark.parametrize(("values", "expected"), TRIMMED)
def test_a_trim(values: dict[str, Any], expected: str) -> None:
    (draft,) = draft_updates({"triage": (Known(**values).prompt, None)}, "", trim=True)
    assert drafted(draft) == expected
    assert (draft.prompt, draft.path.name, draft.raises) == ("triage", "triage.lock.toml", ())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"locked": None}, "triage is not locked yet: update its lock before you trim it"),
        (
            {"basis": {"input_usd": "9"}},
            "triage was locked with another tokenizer, model or price: update its lock before you trim it",
        ),
    ],
)
def test_what_cannot_be_trimmed(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        draft_updates({"triage": (Known(**values).prompt, None)}, "", trim=True)
    assert str(refused.value) == message


def test_one_case_of_another_tokenizer() -> None:
    prompt = Known(basis={"tokenizer": "x@sha256:0", "model": "gpt-4"}).prompt
    with pytest.raises(UsageError) as refused:
        draft_updates({"triage": (prompt, {"refund", "lost"})}, "")
    assert str(refused.value) == (
        "triage was locked with another tokenizer (gpt-4, now gpt-4o-mini), and one lock has counts of one tokenizer: "
        "lock the whole prompt, not only 'lost', 'refund': promptopt budget update triage --reason \"...\""
    )


@pytest.mark.parametrize(
    ("names", "removed"), [(None, ["gone", "more/gone"]), (["more/gone"], ["more/gone"]), ([], [])]
)
def test_the_locks_of_prompts_that_are_gone(
    names: list[str] | None, removed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    write_project(there)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for name in ("triage", "gone", "more/gone"):
        path = there / f"prompts/{name}.lock.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("a lock that nobody can read")
    drafts = draft_removals(load_config(there), names)
    assert sorted(drafts, key=lambda draft: draft.prompt) == [
        Draft(name, there / f"prompts/{name}.lock.toml", None, ("removed, its prompt is gone",)) for name in removed
    ]
