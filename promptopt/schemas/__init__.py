"""JSON schemas of answers, and what OpenAI's strict mode asks of them."""

from promptopt.schemas.strict import StrictFinding, strict_findings

__all__ = ["StrictFinding", "strict_findings"]
