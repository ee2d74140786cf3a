"""Tokens saved on real prompts by promptopt and its peers; an output that loses a fact is put back.

    python benchmarks/compress.py [PROMPTS.jsonl]

By default the prompts are the real ones, or the project's own if those are not on this machine.
Peers take part if they are installed: pip install token-diet prompt-token-minifier prompt-compressor
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from gate import failures
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from corpora import own_prompts, real_prompts

import promptopt
from promptopt.compression.document import Document
from promptopt.compression.edit import Level
from promptopt.compression.lint import check_documents
from promptopt.compression.rules.base import choose_rules
from promptopt.compression.witness import parser
from promptopt.tokens import tokenizer_for


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


def half(text: str) -> int:
    """Which half of the prompts a text belongs to, for good: rules were developed on half 0."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2


def taken(texts: list[str], level: Level, parsed: bool) -> list[float]:
    """Milliseconds of CPU that each text takes, in a process that has seen none of them."""
    if not parsed:
        sys.modules["spacy"] = None  # type: ignore[assignment]  # as if it were not installed
    # What is made on first use, such as the parser and the patterns for letters beyond ASCII, is start-up time.
    for row in own_prompts():
        promptopt.compress(row["text"], level=level)
        promptopt.compress(re.sub(r"(?m)(?<=[^\W\d_])$", "é", row["text"]), level=level)
    found = []
    for text in texts:
        start = time.process_time()
        promptopt.compress(text, level=level)
        found.append(1000 * (time.process_time() - start))
    return found


def speed(texts: list[str], before: list[int]) -> None:
    """CPU time of prompts that were never seen before, and of ``check`` over 500 of them."""
    near = sorted(zip(before, texts, strict=True), key=lambda pair: abs(pair[0] - 2000))[:6]
    sizes = [tokens for tokens, _ in near]
    print(f"{len(near)} prompts of {min(sizes):,} to {max(sizes):,} tokens, milliseconds of CPU for 2,000 tokens:")
    ways: list[tuple[Level, bool]] = [("standard", False)]
    if parser.available():
        ways += [("standard", True), ("telegraphic", True)]
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for level, parsed in ways:
            times = pool.apply(taken, ([text for _, text in near], level, parsed))
            print(
                f"  {level}, {'with' if parsed else 'without'} the parser: {2000 * sum(times) / sum(sizes):.0f}, "
                f"for one prompt {max(times):.0f} at most"
            )
    # Each line of each copy gets a number of its own, so that no two copies share a sentence.
    copies = (re.sub(r"(?m)(?<=\w[.!?])$", f" {n}", text) for n in range(1, 100) for text in texts)
    documents = [Document(text) for text, _ in zip(copies, range(500), strict=False)]
    wall, used = time.perf_counter(), os.times()
    found = check_documents(documents, "standard", choose_rules())
    wall, now = time.perf_counter() - wall, os.times()
    cpu = sum(now[:4]) - sum(used[:4])
    print(f"check of 500 prompts: {wall:.1f} s, {cpu:.1f} s of CPU on {os.cpu_count()} cores; {len(found):,} findings")


def main(path: str | None = None) -> None:
    texts = [row["text"].replace("\r\n", "\n") for row in real_prompts(path) or own_prompts()]
    count = tokenizer_for(None).count
    before = [count(text) for text in texts]
    sizes = [sum(tokens for text, tokens in zip(texts, before, strict=True) if half(text) == n) for n in (0, 1)]
    speed(texts, before)
    rows = []
    for name, compress in contestants():
        raw = gated = kept = 0
        halves = [0, 0]
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
                halves[half(text)] += max(0, saved)
        seconds = time.process_time() - seconds
        total = sum(before)
        shares = [f"{saved / max(1, tokens):.2%}" for saved, tokens in zip(halves, sizes, strict=True)]
        passed = f"{kept / len(texts):.0%}"
        rows.append([name, f"{raw / total:.1%}", passed, f"{gated / total:.2%}", *shares, f"{seconds:.1f}"])
    print(
        f"{len(texts)} prompts, {sum(before):,} tokens; first half (rules were made from it): {sizes[0]:,}, "
        f"second: {sizes[1]:,}"
    )
    head = ["", "saved, raw", "pass the gate", "saved, gated", "first half", "second half", "CPU s"]
    print(tabulate(rows, head, tablefmt="github"))


if __name__ == "__main__":
    main(*sys.argv[1:2])
