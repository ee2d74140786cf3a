"""The built-in rules keep the promises that those of other packages make."""

import pytest
from corpora import own_prompts

from promptopt.compression.rules.base import all_rules
from promptopt.testing import check_rule

TEXTS = [row["text"] for row in own_prompts()]


@pytest.mark.parametrize("code", all_rules())
def test_the_built_in_rules_keep_their_promises(code) -> None:
    check_rule(all_rules()[code], *TEXTS)
