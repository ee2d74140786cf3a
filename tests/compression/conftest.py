"""Fixtures of the tests of compression."""

from collections.abc import Iterator

import pytest

from promptopt.compression import engine
from promptopt.compression.edit import LEVELS
from promptopt.compression.judging import whole_text


@pytest.fixture
def however_much_is_shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short text that shows a lot is edited too, so that what is left alone in it is known by itself."""
    monkeypatch.setattr(whole_text, "LEAST_SAID", dict.fromkeys(LEVELS, 0))
    engine._compress.cache_clear()
    yield
    engine._compress.cache_clear()
