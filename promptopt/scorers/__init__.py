"""Scorers: what an assert says of an answer."""

from promptopt.scorers.base import Scorer, ScorerFactory, Subject, scorer_types
from promptopt.scorers.case import CaseScore, SuiteChecks

__all__ = ["CaseScore", "Scorer", "ScorerFactory", "Subject", "SuiteChecks", "scorer_types"]
