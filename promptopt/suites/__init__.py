"""Suites: the cases that prompts are measured on."""

from promptopt.suites.case import ASSERT_KEYS, Assertion, Case, Suite, Turn
from promptopt.suites.load import LongSuite, find_suite, list_suites, load_suite, suite_of
from promptopt.suites.tool_results import ToolResults

__all__ = [
    "ASSERT_KEYS",
    "Assertion",
    "Case",
    "LongSuite",
    "Suite",
    "ToolResults",
    "Turn",
    "find_suite",
    "list_suites",
    "load_suite",
    "suite_of",
]
