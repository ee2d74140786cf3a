"""Does `promptopt.parse` or `promptopt.restructure` ever read an answer wrongly?

    python benchmarks/answers_read.py

The inputs (benchmarks/answers/inputs.jsonl, their schemas beside them) are the project's own, in the kinds that users
of json_repair, jsonrepair, instructor, LangChain and BAML report: fences in fences, stray quotes, cut-off texts, labels
in words, nulls, dates, corrections after the JSON. Each has the only data that a careful reader takes from it, or is to
be refused because there is none. Other data is wrong; a refusal of what could be read is only a pity.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

import promptopt
from promptopt.errors import AnswerError

INPUTS = Path(__file__).parent / "answers" / "inputs.jsonl"


SCHEMAS: Mapping[str, dict[str, Any]] = json.loads((INPUTS.parent / "schemas.json").read_text(encoding="utf-8"))


def rows() -> list[dict[str, Any]]:
    """The inputs: kind, how they are read, schema, text, and ``data`` or ``refused``."""
    return [json.loads(line) for line in INPUTS.read_text(encoding="utf-8").splitlines()]


def read(row: Mapping[str, Any]) -> tuple[str, Any]:
    """``right``, ``refused`` (rightly), ``not read`` (it could have been), or ``wrong``; and the data or the error."""
    reader = promptopt.parse if row["how"] == "parse" else promptopt.restructure
    try:
        data = reader(row["text"], SCHEMAS[row["schema"]]).data
    except AnswerError as error:
        return ("refused" if row.get("refused") else "not read"), error
    # 2 and 2.0 are the same number, 1 and true are not the same value.
    same = not row.get("refused") and json.dumps(data, sort_keys=True) == json.dumps(row["data"], sort_keys=True)
    return ("right" if same else "wrong"), data


def main() -> int:
    counts: dict[str, Counter[str]] = {}
    for row in rows():
        outcome, found = read(row)
        counts.setdefault(row["kind"].partition(":")[0], Counter())[outcome] += 1
        if outcome == "wrong":
            print(f"wrong: {row['text']!r} -> {found!r}")
        elif outcome == "not read":
            print(f"not read: {row['kind']}: {row['text']!r}: {found}")
    outcomes = ("right", "refused", "not read", "wrong")
    total: Counter[str] = sum(counts.values(), Counter())
    table = [[kind, *(count[name] for name in outcomes)] for kind, count in (*counts.items(), ("all", total))]
    print(tabulate(table, headers=("", *outcomes), tablefmt="github"))
    return int(total["wrong"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
