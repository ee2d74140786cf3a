"""Scorers: what an assert says of an answer."""

from promptopt.scorers.base import Judge, JudgeScorer, Scorer, ScorerFactory, Subject
from promptopt.scorers.case import CaseScore, JudgeAccess, SuiteChecks, TurnAnswer

__all__ = [
    "CaseScore",
    "Judge",
    "JudgeAccess",
    "JudgeScorer",
    "Scorer",
    "ScorerFactory",
    "Subject",
    "SuiteChecks",
    "TurnAnswer",
]
