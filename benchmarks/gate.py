"""The benchmark's own count of facts: written apart from ``promptopt.compression.facts`` and sharing no code with it.

An output that loses a fact, more than 5% of the sentences, or more than 10% of the list and heading lines counts as no
compression at all.
"""

from __future__ import annotations

import re

from rapidfuzz import fuzz

STOP = set(
    "a an the is are was were be been being am to of in on at by for with and or that this these those "  # noqa: SIM905 - read as words
    "it its you your i me my we "
    "our us will would do does did have has had please very really so as from which who into about there "
    "here 'll 're 's 've 'm "
    "per e.g i.e".split()
)
LIMIT = (
    r"at least|at most|no more than|not more than|more than|less than|fewer than|no less than|up to|"
    r"maximum|minimum|exactly|"
    r"no longer than|not exceed\w*|within|between|limit\w*"
)
RESTRICT = (
    r"only|just|except|a few|few|unless|solely|merely|exclusively|either|both|all|any|every"
    r"|each|some|most|must|should|may|always"
)
NEGATION = r"\b(?:not|never|no|none|nothing|without|neither|nor|cannot|avoid)\b|n['’]t\b"


def words(text: str) -> list[str]:
    text = re.sub(r"n['’]t\b", " not", text.lower())
    return [word for word in re.findall(r"[a-z]+|\d+", re.sub(r"['’](?:ll|re|ve|s|m)\b", "", text)) if word not in STOP]


def facts(text: str) -> set[tuple]:
    found: set[tuple] = set()
    found |= {("number", number) for number in re.findall(r"\d+(?:[.,]\d+)*%?", text)}
    for kind, pattern in (
        ("negation", NEGATION),
        ("limit", rf"\b(?:{LIMIT})\b"),
        ("restriction", rf"\b(?:{RESTRICT})\b"),
    ):
        for match in re.finditer(pattern, text, re.IGNORECASE):
            clause = re.split(r"[.;!?\n(]", text[match.end() :], maxsplit=1)[0]
            found.add(
                (kind, match[0].lower().replace("n’t", "n't"), *words(clause)[: 2 if kind != "restriction" else 1])
            )
    found |= {("quote", quote) for quote in re.findall(r'"[^"\n]{1,200}"|“[^”\n]{1,200}”', text)}
    found |= {
        ("hole", hole)
        for hole in re.findall(r"\{\{.*?\}\}|\{%.*?%\}|\{[\w$.]+\}|<[\w/|]+>|\[[A-Z _]+\]", text, re.DOTALL)
    }
    found |= {("code", re.sub(r"\s+", " ", code)) for code in re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)}
    found |= {("key", key) for key in re.findall(r"[\"']([\w -]+)[\"']\s*:", text)}
    found |= {("url", url) for url in re.findall(r"https?://[^\s)>\"']+", text)}
    return found


def sentences(text: str) -> list[str]:
    parts = re.split(r"(?<=[.!?])\s+|\n+", text)
    return [part for part in parts if len(words(part)) >= 2]


def structure(text: str) -> int:
    return len(re.findall(r"(?m)^\s*(?:#{1,6}\s|[-*+•]\s|\d+[.)]\s|</?\w)", text))


def lost_sentences(before: str, after: str) -> float:
    """Share of the sentences of ``before`` of which ``after`` does not keep four words in five."""
    own = sentences(before)
    kept = [(set(words(sentence)), " ".join(words(sentence))) for sentence in sentences(after)]
    lost = 0
    for sentence in own:
        needed = set(words(sentence))
        if not any(len(needed & other) >= 0.8 * len(needed) for other, _ in kept):
            text = " ".join(words(sentence))
            lost += not any(fuzz.token_set_ratio(text, other) >= 80 for _, other in kept)
    return lost / max(1, len(own))


def failures(before: str, after: str) -> list[str]:
    """Why the gate puts an output back; empty if it passes."""
    why = [" ".join(map(str, fact)) for fact in sorted(facts(before) - facts(after), key=str)]
    if (share := lost_sentences(before, after)) > 0.05:
        why.append(f"{share:.0%} of the sentences")
    if structure(after) < 0.9 * structure(before):
        why.append(f"structure {structure(before)} -> {structure(after)}")
    return why
