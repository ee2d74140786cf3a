"""A suite of many cases with a recorded answer of both prompts to each: `python compare_scale.py FOLDER CASES`.

`compare.py` runs this in a process of its own, so that its size is not taken for that of what is measured.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from compare import MODEL, SYSTEM, reviews

from promptopt import Response, Usage
from promptopt.providers.recordings import Recording
from promptopt.templates import load_prompt


def write_recorded_suite(folder: Path, cases: int) -> None:
    """``suites/scaleN.jsonl`` and its recordings in a project that has the prompts already; every text is its own."""
    known = reviews()
    rows = []
    for number in range(cases):
        text, sentiment = known[number % len(known)]
        rows.append((f"case {number:06d}", f"{number:06d}. {text}", sentiment))
    suite = folder / f"suites/scale{cases}.jsonl"
    asserts = [{"type": "regex", "value": "^(positive|negative)[.]?$"}, {"type": "not-contains", "value": "sorry"}]
    with suite.open("w") as file:
        for name, text, sentiment in rows:
            own = {"type": "icontains", "value": sentiment}
            file.write(json.dumps({"description": name, "vars": {"review": text}, "assert": [*asserts, own]}) + "\n")
    for wrong, version in enumerate(SYSTEM):
        template = load_prompt(folder / f"prompts/reviews/{version}.j2")
        recordings = suite.with_suffix("") / f"recordings/reviews/{version}.jsonl"
        recordings.parent.mkdir(parents=True, exist_ok=True)
        with recordings.open("w") as file:
            for number, (name, text, sentiment) in enumerate(rows):
                request = template.render({"review": text}).request(case=name)
                other = "negative" if sentiment == "positive" else "positive"
                answer = other if number % 50 == 25 * wrong else sentiment
                usage = Usage(input_tokens=sum(len(m.content) for m in request.messages) // 5, output_tokens=1)
                response = Response(f"{MODEL}-2024-07-18", answer, usage=usage, duration_s=0.3)
                file.write(Recording.of(request, response, "2026-01-01T00:00:00Z").to_json() + "\n")


if __name__ == "__main__":
    write_recorded_suite(Path(sys.argv[1]), int(sys.argv[2]))
