"""Judges: models as scorers. Their answers are recorded, their cost is apart from that of what they judge."""

from promptopt.judges.session import JudgeOutlook, JudgeSession
from promptopt.judges.settings import JudgeSettings, read_judge

__all__ = ["JudgeOutlook", "JudgeSession", "JudgeSettings", "read_judge"]
