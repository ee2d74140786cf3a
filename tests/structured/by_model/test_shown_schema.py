"""A prompt that shows the JSON schema of its answers: types, counts and null are in the schema, and in no words."""

from decimal import Decimal
from pathlib import Path

import pytest

from promptopt.errors import ProviderError
from promptopt.structured.by_model.ask import ask_model
from promptopt.structured.infer import infer
from promptopt.templates import load_prompt
from promptopt.values import Request, Response

SCHEMA = """\
{
  "type": "object",
  "properties": {
    "berth": {"type": "string", "maxLength": 12},
    "visits":
    {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {"ship": {"type": "string"}, "tons": {"type": "integer"}},
        "required": ["ship"]
      }
    },
    "fee": {"type": "number", "minimum": 0}
  },
  "required": ["berth", "visits"]
}"""
PROMPT = f"Read the harbour log. Answer with JSON that conforms to this schema:\n\n{SCHEMA}\n\nLog:\n{{{{ log }}}}\n"


def test_the_schema_is_its_own_proof() -> None:
    inferred = infer(PROMPT)
    assert inferred.schema_shown, inferred.problems
    found = inferred.schema()["properties"]
    assert found["berth"] == {"type": "string", "maxLength": 12}
    assert found["fee"] == {"type": ["number", "null"], "minimum": 0}
    ship = found["visits"]["items"]["properties"]
    assert found["visits"]["type"] == "array"
    assert ship == {"ship": {"type": "string"}, "tons": {"type": ["integer", "null"]}}


def test_what_the_prose_adds_is_not_lost() -> None:
    inferred = infer(PROMPT.replace("\n\nLog:", '\n\n"berth" is null if the ship lay at anchor.\n\nLog:'))
    assert inferred.schema()["properties"]["berth"]["type"] == ["string", "null"]


class _NeverAsked:
    def complete(self, request: Request) -> Response:
        raise ProviderError("was asked")

    def close(self) -> None:
        pass


def test_no_model_is_asked_for_what_a_schema_says(tmp_path: Path) -> None:
    (tmp_path / "log.j2").write_text(PROMPT)
    asked = ask_model(load_prompt(tmp_path / "log.j2"), "gpt-4.1", provider=_NeverAsked())
    assert [item.name for item in asked.inferred.fields] == ["berth", "visits", "fee"]
    assert asked.usd == Decimal(0)
    assert "was not asked" in asked.cost
    (tmp_path / "log.j2").write_text(PROMPT.replace(SCHEMA, '{"berth": "A4"}').replace("schema", "example"))
    with pytest.raises(ProviderError):
        ask_model(load_prompt(tmp_path / "log.j2"), "gpt-4.1", provider=_NeverAsked())
