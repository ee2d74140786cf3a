"""Words that stand for each other in an instruction, for the guard of rewrites alone. No rule reads these tables."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files


def _rows(name: str) -> list[frozenset[str]]:
    lines = files("promptopt").joinpath("data", name).read_text(encoding="utf-8").splitlines()
    return [frozenset(line.split()) for line in lines if line and not line.startswith("#")]


STOP = frozenset(
    """
    a an the this that these those it its i me my mine we us our ours you your yours he him his she her hers they them
    their theirs one ones who whom whose which what there here be am is are was were been being do does did doing have
    has had having will would shall should must need needs needed can could may might ought let lets to of in on at by
    for from with into onto as than so too also and or but both either up out upon per via off down about how why
    itself themselves yourself himself herself myself ourselves together because since therefore thus hence
    through across around along toward towards among amid whatsoever whereas away became xq
    altogether necessarily during
    within though although however moreover furthermore rather quite really please very
    """.split()  # noqa: SIM905 - read as words
)
"""Function words: neither facts, nor what a marker applies to."""

FILLER = STOP.union(*_rows("general_words.txt"))
"""Words whose loss alone changes nothing that is asked."""

AT_HAND = frozenset(
    """
    report summary article comment review email letter document essay story poem description documentation conversation
    dialogue chat ticket thread transcript recipe table output translation headline headlines page post paper plan
    draft contract file code program function script passage paragraph sentence query quiz table dataset
    """.split()  # noqa: SIM905 - read as words
)
"""Things that a prompt is about: "the report" points to the one at hand."""

PARTIES = frozenset(
    """
    customer customers client clients reader readers guest guests visitor visitors student students pupil pupils patient
    patients employee employees author authors child children writer candidate applicant speaker speakers learner
    """.split()  # noqa: SIM905 - read as words
)
"""Persons who take part: "if the customer asks" as "if asked"."""

NUMBERS = {
    word: str(value)
    for value, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), start=2)  # noqa: SIM905 - read as words
} | {"fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "hundred": "100"}

MARKERS = {
    word: kind
    for kind, words in {
        "negation": "not never no none nothing without neither nor avoid nobody instead_of omit refrain"
        " forbidden prohibited banned",
        "exception": "except unless",
        "restriction": "only solely exclusively",
        "condition": "if when where while once otherwise else",
        "whether": "whether",
        "first": "first priority",
        "ordinal": "second third fourth fifth",
        "opening": "opening begin begins start starts",
        "closing": "closing end ends finish finishes conclude",
        "last": "last",
        "before": "before previously",
        "after": "after",
        "arrangement": "in_this_order",
        "sequence": "then next",
        "finale": "finally lastly",
        "mere": "just purely merely",
        "degree": "very extremely highly",
        "partial": "some_of most_of many_of half_of much_of part_of some",
        "permission": "may might optionally optional preferably ideally",
        "relative": "for with who that which",
        "concession": "even_if",
        "end": "until",
        "limit": "at_most at_least under over",
        "demand": "not_omit",
        "inclusion": "including inclusive incl",
    }.items()
    for word in words.split()
}
"""Words that say how the words after them are meant, with the kind of thing that they say."""

GROUPS = _rows("synonyms.txt")
"""Words of one line may stand for each other in a rewrite."""

OPPOSITES = _rows("opposites.txt")
"""Words that say the opposite: "not outside" is kept by "inside"."""

_ENDINGS = (  # noqa: SIM905 - read as words
    "ably ibly ational ization isation itions ition fulness ousness iveness ability ibility ations ation ities ments "
    "ness ment ions ives ings ance ence able ible ally edly ive ion ity ers ing ies ied est ful ous ant ent ed er es "
    "or ly al ic is iz s y e"
).split()

_INFLECTED = frozenset("ings ing ies ied ed es ly s y e".split())  # noqa: SIM905 - read as words
"""Endings that leave a word what it is: "mention" and "mentor" have nothing in common."""


@lru_cache(maxsize=16384)
def root(word: str) -> str:
    """The word without its endings, as far as four letters stay, five for those that make another word of it."""
    word = re.sub(r"'s?$", "", word)
    while True:
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= (4 if ending in _INFLECTED else 5):
                word = word[: -len(ending)]
                break
        else:
            break
    if len(word) == 4 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    if len(word) > 4 and word[-1] == word[-2]:
        word = word[:-1]
    return word
