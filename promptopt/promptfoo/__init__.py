"""promptfoo's configs: what they say, as prompts, suites and providers of this project."""

from promptopt.promptfoo.evaluation import ComparedPart, Evaluation, read_evaluation

__all__ = ["ComparedPart", "Evaluation", "read_evaluation"]
