"""People's labels of recorded answers: what is shown to them, blind and shuffled, and the file that they go into."""

from promptopt.labelling.answers import ShownAnswer, answers_to_label
from promptopt.labelling.page import import_page, label_page
from promptopt.labelling.table import LabelledRow, LabelTable

__all__ = ["LabelTable", "LabelledRow", "ShownAnswer", "answers_to_label", "import_page", "label_page"]
