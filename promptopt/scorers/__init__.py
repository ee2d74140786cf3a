"""Scorers: what an assert says of an answer."""

from promptopt.scorers.base import Scorer, ScorerFactory, Subject
from promptopt.scorers.case import CaseScore, SuiteChecks, TurnAnswer

__all__ = ["CaseScore", "Scorer", "ScorerFactory", "Subject", "SuiteChecks", "TurnAnswer"]
