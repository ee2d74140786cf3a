"""Tokens saved on real prompts, each output put back that loses a fact: promptopt beside its peers.

    python benchmarks/compress.py [PROMPTS.jsonl]

Peers take part where they are installed: pip install token-diet prompt-token-minifier prompt-compressor
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from gate import failures
from tabulate import tabulate

import promptopt
from promptopt.tokens import tokenizer_for

PROMPTS = Path("/work/shared/data/prompts/prompts.jsonl")


def contestants() -> Iterator[tuple[str, Callable[[str], str]]]:
    for level in ("safe", "standard", "telegraphic"):
        yield f"promptopt {level}", lambda text, level=level: promptopt.compress(text, level=level).text
    if find_spec("token_diet"):
        from token_diet.compressor import CompressionLevel, rule_based_compress

        for level in CompressionLevel:
            yield f"token-diet {level.value}", lambda text, level=level: rule_based_compress(text, level)[0]
    if find_spec("prompt_token_minifier"):
        from prompt_token_minifier.minifier import minify_prompt

        yield "prompt-token-minifier", minify_prompt
    if find_spec("prompt_compressor"):
        from prompt_compressor import compress_text

        # "medium" takes 70 s and passes the gate on 18% of the prompts: 0.08% saved.
        yield "prompt-compressor low", compress_text


def main(path: Path) -> None:
    texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
    texts = [text.replace("\r\n", "\n") for text in texts]
    count = tokenizer_for(None).count
    before = [count(text) for text in texts]
    rows = []
    for name, compress in contestants():
        raw = gated = kept = 0
        seconds = time.process_time()
        for text, tokens in zip(texts, before, strict=True):
            try:
                after = compress(text)
            except Exception as error:  # noqa: BLE001 - a peer may raise anything
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            saved = tokens - count(after)
            raw += saved
            if not failures(text, after):
                kept += 1
                gated += max(0, saved)
        seconds = time.process_time() - seconds
        total = sum(before)
        rows.append([name, f"{raw / total:.1%}", f"{kept / len(texts):.0%}", f"{gated / total:.2%}", f"{seconds:.1f}"])
    print(f"{len(texts)} prompts, {sum(before):,} tokens")
    print(tabulate(rows, ["", "saved, raw", "pass the gate", "saved, gated", "CPU s"], tablefmt="github"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROMPTS)
