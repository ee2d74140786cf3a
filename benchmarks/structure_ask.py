"""How a model's readings of prompts fare with `promptopt structure --ask`: right ones, and those with a planted fault.

    python benchmarks/structure_ask.py [NAME ...] [--list]
    python benchmarks/structure_ask.py --requests OUT PROMPTS
    python benchmarks/structure_ask.py --answers ANSWERS PROMPTS

Each file in benchmarks/structure_ask is a prompt with what is right (``truth``, free text), a reading as a model would
answer it (``reading``), the one after a refusal (``again``; without it the reader insists), and twins of the reading
with one fault, which ``lost`` describes. A refusal names it if one of the words in ``named_by`` is in its reason. What
is rightly refused has ``refused``. A local server gives all of them as the model's answers, through the real provider.

``--requests`` writes the question for each ``PROMPTS/NAME.j2`` to ``OUT/NAME.txt``. Who answers it writes
``ANSWERS/NAME.json``; ``--answers`` serves these, and writes what happened to ``ANSWERS/NAME.result.txt`` and, where
the last answer was refused, the next question to ``ANSWERS/NAME.again.txt`` (``.third.txt``, ``.fourth.txt``), whose
answer is ``ANSWERS/NAME.again.json`` (``.third.json``, ``.fourth.json``). The question for values is written to
``ANSWERS/NAME.values.txt``; without the answer to it, ``ANSWERS/NAME.values.json``, no value tries the form.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from readings import answer, cases, twin
from wire import answering, completion

from promptopt.cli import cli
from promptopt.errors import PromptoptError
from promptopt.structured.by_model.ask import question
from promptopt.structured.by_model.possible_values import VALUES_SCHEMA
from promptopt.structured.format_string import load_any

MODEL = "gpt-4.1"


NO_VALUES = '{"places": [], "missing": []}'


@dataclass
class Reader:
    """Serves the answers to one prompt at a time, one a question; the last one is given to all further questions.

    Attributes:
        values: The answer to the question for values.
        asked: The questions for the form.
        values_asked: That for values; empty if there was none.
    """

    answers: Sequence[str] = ()
    values: str = NO_VALUES
    asked: list[str] = field(default_factory=list)
    values_asked: str = ""
    url: str = ""

    def take(self, *answers: str, values: str = NO_VALUES) -> None:
        self.answers, self.values = answers, values

    def reply(self, body: dict[str, Any]) -> bytes:
        if body["response_format"]["json_schema"]["name"] == VALUES_SCHEMA["title"]:
            self.values_asked = "\n\n".join(message["content"] for message in body["messages"])
            return completion(self.values, body["model"])
        self.asked.append(body["messages"][-1]["content"])
        return completion(self.answers[min(len(self.asked), len(self.answers)) - 1], body["model"])


@contextmanager
def serving() -> Iterator[Reader]:
    reader = Reader()
    with answering(reader.reply) as reader.url:
        yield reader


@dataclass(frozen=True)
class Outcome:
    """What ``--ask`` made of one prompt.

    Attributes:
        data: What it prints with ``--json``; empty if it refuses.
        message: What it says if it refuses.
        asked: The questions for the form.
        values_asked: That for values; empty if there was none.
    """

    data: dict[str, Any]
    message: str
    asked: tuple[str, ...]
    values_asked: str

    @property
    def state(self) -> str:
        if self.data:
            return (
                "proposed"
                + ("", ", asked twice", ", asked three times", ", asked four times")[max(len(self.asked) - 1, 0)]
            )
        if " finds none" in self.message:
            return "no form, as the model says"
        return "refused" if "cannot infer" in self.message or self.asked else "not asked"


def run(reader: Reader, prompt: str, *options: str) -> Outcome:
    """The real command on a prompt."""
    runner = CliRunner(env={"OPENAI_BASE_URL": reader.url, "OPENAI_API_KEY": "none"})
    reader.asked, reader.values_asked = [], ""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("pyproject.toml").touch()
        Path("prompt.j2").write_text(prompt, encoding="utf-8")
        done = runner.invoke(cli, ["structure", "prompt.j2", "--ask", MODEL, "--json", *options])
        written = sorted(path.name for path in Path().iterdir())
    assert written == ["prompt.j2", "pyproject.toml"], written
    error = done.exception
    if error and not isinstance(error, PromptoptError):
        raise error
    data = {} if error else json.loads(done.stdout)
    return Outcome(data, str(error or ""), tuple(reader.asked), reader.values_asked)


def shown(outcome: Outcome) -> str:
    """What happened, for somebody who judges it."""
    if not outcome.data:
        return f"{outcome.state}\n{outcome.message}\n"
    data = outcome.data
    fields = [
        f"{one['name']}: {json.dumps(one['schema'], ensure_ascii=False)}  ({one['source']})" for one in data["fields"]
    ]
    parts = [
        outcome.state,
        f"form: {data['form']}, answer: {data['answer']}, max_output_tokens: {data['max_output_tokens']}",
        *fields,
        *(f"note: {note}" for note in data["notes"]),
        "",
        json.dumps(data["output_schema"], indent=1, ensure_ascii=False),
        "",
        data["diff"],
    ]
    return "\n".join(parts) + "\n"


def requests(out: Path, prompts: Path) -> None:
    """Write the question for each prompt of a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(prompts.glob("*.j2")):
        asked = question(load_any(str(path))[0], MODEL)
        system, user = (message.content for message in asked.messages)
        schema = json.dumps(asked.output_schema, indent=1)
        text = f"{system}\n\n===== schema of the answer =====\n{schema}\n\n===== the prompt =====\n{user}\n"
        (out / f"{path.stem}.txt").write_text(text, encoding="utf-8")
        print(out / f"{path.stem}.txt")


def _whole(path: Path) -> str:
    """An answer, with the parts that those from before they existed do not have."""
    given = json.loads(path.read_text(encoding="utf-8"))
    values = [{"format": "", "pattern": "", "max_length": None, **one} for one in given["values"]]
    return json.dumps({"mistaken": [], **given, "values": values})


def answers(folder: Path, prompts: Path) -> None:
    """Serve the written answers, and write what happened."""
    states: Counter[str] = Counter()
    with serving() as reader:
        for path in sorted(prompts.glob("*.j2")):
            given = [folder / f"{path.stem}.{name}json" for name in ("", "again.", "third.", "fourth.")]
            given = list(takewhile(Path.is_file, given))
            if not given:
                states["not answered"] += 1
                continue
            values = folder / f"{path.stem}.values.json"
            tried = values.read_text(encoding="utf-8") if values.is_file() else NO_VALUES
            reader.take(*(_whole(one) for one in given), values=tried)
            prompt = path.read_text(encoding="utf-8")
            outcome = run(reader, prompt)
            said = shown(outcome)
            if "--reasoning 100" in outcome.message:
                said += "\nwith --reasoning 100:\n" + shown(run(reader, prompt, "--reasoning", "100"))
            (folder / f"{path.stem}.result.txt").write_text(said, encoding="utf-8")
            for question_, name in zip(outcome.asked[1:], ("again", "third", "fourth"), strict=False):
                (folder / f"{path.stem}.{name}.txt").write_text(question_ + "\n", encoding="utf-8")
            if outcome.values_asked:
                schema = json.dumps(VALUES_SCHEMA, indent=1)
                text = (
                    f"===== schema of the answer =====\n{schema}\n\n===== the question =====\n{outcome.values_asked}\n"
                )
                (folder / f"{path.stem}.values.txt").write_text(text, encoding="utf-8")
            state = outcome.state
            if len(outcome.asked) > len(given):
                state = "refused, the next question is not answered"
            states[state] += 1
            print(
                f"{path.stem}: {state}: {outcome.asked[-1] if outcome.asked[1:] else outcome.message}"[:300].replace(
                    "\n", " "
                )
            )
    for state, number in states.most_common():
        print(f"{number:4} {state}")


def own(names: list[str], listed: bool) -> None:
    """The cases of the project's own and their twins."""
    states: Counter[str] = Counter()
    with serving() as reader:
        for name, case in cases().items():
            if names and not any(one in name for one in names):
                continue
            again = case.get("again")
            reader.take(*(json.dumps(answer(one)) for one in (case["reading"], again) if one))
            outcome = run(reader, case["prompt"])
            states[f"{'to be refused' if 'refused' in case else 'right'}: {outcome.state}"] += 1
            if listed:
                print(f"{name}: {case['truth']}\n{shown(outcome)}")
            for change in case.get("twins", ()):
                reader.take(json.dumps(answer(twin(again or case["reading"], change))))
                outcome = run(reader, case["prompt"])
                named = any(str(word) in outcome.message for word in change["named_by"])
                state = "accepted" if outcome.data else "refused, named" if named else "refused"
                states[f"twins: {state}"] += 1
                if listed and state != "refused, named":
                    print(f"{name}: {state}: {change['lost']}\n{outcome.message}\n")
    for state, number in sorted(states.items()):
        print(f"{number:4} {state}")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["--requests", out, prompts]:
            requests(Path(out), Path(prompts))
        case ["--answers", folder, prompts]:
            answers(Path(folder), Path(prompts))
        case _:
            own([one for one in arguments if one != "--list"], "--list" in arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
