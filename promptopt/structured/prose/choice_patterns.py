"""The sentences that list the labels of an answer, each as a pattern with the kind of sentence that it is."""

from __future__ import annotations

from promptopt.structured.fields import BOUNDARY

QUOTE = r"[\"'`“”‘’]"
# A quoted label may have an apostrophe within a word: "I don't know".
INNER = r"(?:[^\"'`“”‘’\n]|(?<=\w)['’](?=\w))"
CLOSE = rf"{QUOTE}(?!\w)"
ITEM = rf"(?:{QUOTE}{INNER}{{1,60}}?{CLOSE}|[\w][\w/&+ -]{{0,40}}?)"
LIST = rf"(?P<list>{ITEM}(?:\s*(?:,|/|\|)\s*(?:(?:or|and)\s+)?{ITEM})*(?:\s*,?\s+(?:or|and)\s+{ITEM})?)"
NOUN = r"(?:[\w-]+\s+){0,3}?(?P<noun>[\w-]+)"
END = rf"(?=\s*(?:[.;!?)\]\n{BOUNDARY}]|$))"
ASK = r"(?:answer|respond|reply|return|output|say|write|choose|pick|select|classify|label|decide|emit|use)"

PATTERNS: tuple[tuple[str, str], ...] = (
    # "one of the following categories: A, B or None"
    (
        "one of",
        rf"\b(?:one|any) of(?: (?:the |these )?(?:following ?)?(?:{NOUN})?)?\s*(?:(?:\([^)\n]*\))?\s*:\s*{LIST}{END}|\({LIST.replace('list', 'listed')}\))",
    ),
    # "Possible intents can be: ..."; "The teams are: ..."
    (
        "list",
        rf"\b(?:possible|allowed|valid|available|permitted) {NOUN}(?: can be| are| include)?\s*:\s*{LIST}{END}",
    ),
    # "Importance Levels: urgent, high, medium, low"
    (
        "list",
        rf"(?:^[ \t]*(?:[\w-]+ )?|[.?!][ \t]+)(?P<noun>levels|labels|categories|classes|options|intents|sentiments|values)\s*:\s*{LIST}{END}",
    ),
    # "Answer with one word: positive or negative."
    (
        "one word",
        rf"\b{ASK}\b[^.:\n]{{0,40}}\b(?:one|a single)(?: of the)? (?:word|label|category|number|letter|token)s?(?: only)?\s*[:(]\s*{LIST}{END}",
    ),
    # "Classify the sentiment as positive, negative or neutral"
    (
        "classify",
        rf"\b(?:classif\w+|categori[sz]e|label|rate|mark|tag|score|grade)\b(?P<what>[^.:\n]{{0,80}}?)\b(?:(?<!such )as|into|in)\s+(?:either |(?:exactly )?one of(?= |:) ?)?(?::\s*)?{LIST}{END}",
    ),
    # "Sort the support ticket: payment, delivery or sales."
    (
        "classify",
        rf"\b(?:sort|route|assign|classif\w+|categori[sz]e|label|tag)\b(?P<what>[^.:\n]{{0,60}}?):\s*{LIST}{END}",
    ),
    # "whether the overall sentiment of the review is positive or negative"
    (
        "whether",
        rf"\b(?:whether|if|that)\s+(?:the |its |this )?(?P<what>[^.:\n,]{{1,60}}?)\b(?:is|are|be)\s+(?:either )?(?P<list>{ITEM}\s+or\s+{ITEM}){END}",
    ),
    # "Answer only with 'yes' or 'no'"
    (
        "answer",
        rf"\b(?:answer|respond|reply)\b(?:\s+(?:only|just|strictly|simply|the \w+|in(?= (?:exactly |only |just )?(?:one|a)\b)|with|by|using|either|a|an|exactly|one|word|of|and)\b)*\s*[:,]?\s*(?P<list>{ITEM}(?:\s*,\s*{ITEM})*\s*,?\s+or\s+{ITEM})(?:{END}|(?=\s*[:,]|\s+(?:to|if|whether|for|depending|based|and nothing|with no|without|and no)\b))",
    ),
    # "Is the sentiment positive, negative, or neutral?"
    (
        "question",
        r"\b(?:is|are) (?:the|this|its) (?P<what>[\w ]{1,40}?)\s+(?P<list>[\w-]+(?:\s*,\s*[\w-]+)*\s*,?\s+or\s+[\w-]+)(?=\s*\?)",
    ),
    # "use only one of the two words positive or negative"
    (
        "one of",
        rf"\bone of (?:the |these )?(?:two |three |four |five |following )?(?:words|labels|values|options|categories)\s+(?P<list>{ITEM}(?:\s*,\s*{ITEM})*\s*,?\s+or\s+{ITEM}){END}",
    ),
    # "product return", "product question" or "other"?  on a line of its own
    (
        "question",
        rf"^[ \t]*(?P<list>{QUOTE}[^\"'`“”‘’\n]+{QUOTE}(?:\s*,\s*{QUOTE}[^\"'`“”‘’\n]+{QUOTE})*\s*,?\s+or\s+{QUOTE}[^\"'`“”‘’\n]+{QUOTE})(?=\s*\?)",
    ),
    # "value of "category" must be within "A", "B""
    (
        "must be",
        rf"(?:value of )?{QUOTE}(?P<noun>\w+){QUOTE}\s+(?:must|should|can) be (?:one of|within|among|either)\s*:?\s*{LIST}{END}",
    ),
)
PATTERNS += (
    # 'Return only the word "yes" or "no", with no additional text'
    (
        "answer",
        rf"\b{ASK}\b\s+(?:with\s+)?(?:only|just|exactly)\s+(?:with\s+)?the (?:words?|labels?|strings?)\s+(?P<list>{QUOTE}[\w -]{{1,30}}{QUOTE}(?:\s*,\s*{QUOTE}[\w -]{{1,30}}{QUOTE})*\s*,?\s+or\s+{QUOTE}[\w -]{{1,30}}{QUOTE})(?:{END}|(?=\s*[,(]|\s+(?:with no|without|and nothing|based)\b))",
    ),
    # 'Output only "true" or "false" (without quotes)'
    (
        "answer",
        rf"\b{ASK}\b\s+(?:with\s+)?(?:only|just|exactly|either)\s+(?P<list>{QUOTE}[\w -]{{1,30}}{QUOTE}(?:\s*,\s*{QUOTE}[\w -]{{1,30}}{QUOTE})*\s*,?\s+or\s+{QUOTE}[\w -]{{1,30}}{QUOTE})(?=\s*\()",
    ),
    # "a single integer score like 0 or 1", "key `score` whose value is -1, 0 or 1"
    (
        "score of",
        r"\b(?:(?P<noun>score|rating|grade)[`\"']? (?:like|whose value is|(?:is|must be|should be|of) (?:either|one of))) (?P<list>\**-?\d\**(?:\s*,\s*\**-?\d\**)*\s*,?\s+or\s+\**-?\d\**)(?=\s*(?:[.;,!?)\n]|$))",
    ),
    # "Return only true or false."
    (
        "answer",
        rf"\b(?:return|output|print|write)\s+(?:only|just|either|exactly)\s+(?P<list>{ITEM}\s+or\s+{ITEM}){END}",
    ),
    # "Answer with the letter of the right option (A, B or C)."
    (
        "letter",
        r"\bletter\b[^.\n(]{0,40}\((?P<list>[A-Z](?:\s*,\s*[A-Z])*\s*,?\s+or\s+[A-Z])\)",
    ),
    (
        "score of",
        r"\b(?P<noun>score|rating|grade|label|level) of (?:either )?(?P<list>-?\d(?:\s*,\s*-?\d)*\s*,?\s+or\s+-?\d)(?=\s*(?:[.;,!?)\n]|\bnothing\b|$))",
    ),
    (
        "only",
        rf"\b{ASK}\b\s+(?:only|just|either)\s+(?P<list>{QUOTE}?[\w-]+{QUOTE}?\s*\([^()\n]{{1,40}}\)(?:\s*,\s*{QUOTE}?[\w-]+{QUOTE}?\s*\([^()\n]{{1,40}}\))*\s*,?\s+or\s+{QUOTE}?[\w-]+{QUOTE}?\s*\([^()\n]{{1,40}}\))",
    ),
)
PATTERNS += (
    # "Your response must be either 'true' or 'false' with no additional text"
    (
        "answer",
        rf"\b(?:answer|response|reply|output|your (?:grade|score|verdict|decision|judge?ment|label|classification)) (?:must|should|has to|can only) be (?:only |exactly |either |one of )*(?P<list>{QUOTE}[\w -]{{1,30}}{QUOTE}(?:\s*,\s*{QUOTE}[\w -]{{1,30}}{QUOTE})*\s*,?\s+or\s+{QUOTE}[\w -]{{1,30}}{QUOTE})(?:{END}|(?=\s*,|\s+(?:with no|without|only|and nothing|based|to (?:indicate|say|show))\b))",
    ),
)
PATTERNS += (
    # "Answer with only yes/no."
    (
        "answer",
        rf"\b(?:answer|respond|reply)\b(?: with)? (?:only|just|exactly)(?: with)? (?P<list>{QUOTE}?\w+{QUOTE}?/{QUOTE}?\w+{QUOTE}?){END}",
    ),
    # "write your final answer (yes or no only)"; "Should the message be blocked (Yes or No)?"
    (
        "answer",
        rf"\b(?:answer|verdict|decision|response|ranking|choice|preference)\s*\((?P<list>{ITEM}(?:\s*,\s*{ITEM})*\s*,?\s+or\s+{ITEM})(?:\s+only)?\)",
    ),
    (
        "answer",
        r"\b(?:should|is|are|does|do|did|was|were|can|could|has|have|will|would)\b[^.?\n()]{3,160}\((?P<list>yes(?: or |/)no)\)\s*\?(?=\s*\n[ \t]*(?:final )?answer:)",
    ),
    # "Give a binary choice 'web' or 'files'"
    (
        "answer",
        rf"\b(?:give|return|output|provide|assign|answer with|respond with) (?:a |the |your )?(?:binary|single|final) (?:choice|score|label|answer|decision)(?: of)?:? (?P<list>{QUOTE}[\w -]{{1,30}}{QUOTE}(?:\s*,\s*{QUOTE}[\w -]{{1,30}}{QUOTE})*\s*,?\s+or\s+{QUOTE}[\w -]{{1,30}}{QUOTE})",
    ),
    # 'provide your answer in the form of a boolean value: "Relevant" or "Not Relevant"'
    (
        "answer",
        rf"\b(?:answer|response|verdict|judg(?:e)?ment|decision)\b[^.:\n]{{0,40}}\b(?:in the form of|as) an? [\w -]{{3,30}}:\s*(?P<list>{QUOTE}{INNER}{{1,30}}?{QUOTE}(?:\s*,\s*{QUOTE}{INNER}{{1,30}}?{QUOTE})*\s*,?\s+or\s+{QUOTE}{INNER}{{1,30}}?{QUOTE}){END}",
    ),
    # 'a final "yes" or "no" answer'
    (
        "before noun",
        rf"(?P<list>{QUOTE}[\w -]{{1,30}}{QUOTE}(?:\s*,\s*{QUOTE}[\w -]{{1,30}}{QUOTE})*\s*,?\s+or\s+{QUOTE}[\w -]{{1,30}}{QUOTE})\s+(?P<noun>answer|verdict|decision|label|rating)\b",
    ),
    # "Your reply should contain only Yes or No."
    (
        "answer",
        rf"\b(?:answer|response|reply|output) (?:must|should|has to|can) (?:only )?(?:contain|consist of|be) (?:only |exactly |either |just )+(?:the words? )?(?P<list>[A-Z][\w-]*(?:\s*,\s*[A-Z][\w-]*)*\s*,?\s+or\s+[A-Z][\w-]*){END}",
    ),
    # "providing only the category code (A1, A2 or B7)"
    (
        "letter",
        rf"\b{ASK}\b(?:(?! for )[^.\n(]){{0,120}}\b(?:(?P<noun>category|class|intent|topic|sentiment|severity|priority)(?: code)?|code|label)\s*\((?P<list>{ITEM}(?:\s*,\s*{ITEM})*\s*,?\s+or\s+{ITEM})\)",
    ),
    # "Then, on the last line, write FRAUD or LEGITIMATE."
    (
        "answer",
        rf"\bon (?:the|a) (?:last|final|new|separate|next) line,? (?:of your \w+,? )?(?:only )?{ASK} (?:only |just |either |with )*(?P<list>{QUOTE}?[A-Z][A-Z_]+{QUOTE}?(?:\s*,\s*{QUOTE}?[A-Z][A-Z_]+{QUOTE}?)*\s*,?\s+or\s+{QUOTE}?[A-Z][A-Z_]+{QUOTE}?){END}",
    ),
)
PATTERNS += (
    # "give 0, 1 or 2 points"
    (
        "score of",
        r"\b(?:give|award|assign)\s+(?:it |them |him |her |the \w+ )?(?P<list>\d(?:\s*,\s*\d)*\s*,?\s+or\s+\d)\s+(?P<noun>point|mark)s?\b(?! (?:for|per|each)\b)",
    ),
    # 'Output format: one word, "kept" or "lost"'
    (
        "answer",
        rf"\b(?:output|answer|response|reply)(?: format)?\s*:\s*(?:exactly |only )?(?:one|a single) (?:word|label|term)\s*[,:(–—-]\s*(?P<list>{QUOTE}[\w -]{{1,30}}{QUOTE}(?:\s*,\s*{QUOTE}[\w -]{{1,30}}{QUOTE})*\s*,?\s+or\s+{QUOTE}[\w -]{{1,30}}{QUOTE})",
    ),
)
PATTERNS += (
    # 'a single choice from ["Answer (a)", "Answer (b)"]'
    (
        "answer",
        rf"\b(?:choice|option|label|category|class|word|value|verdict|one)\b[^.\n\[]{{0,30}}\b(?:from|of|among)\b[^.\n\[]{{0,20}}\[(?P<list>{QUOTE}{INNER}{{1,60}}?{CLOSE}(?:\s*,\s*{QUOTE}{INNER}{{1,60}}?{CLOSE})+)\s*\]",
    ),
    # "on a scale of A, B, C, D"
    (
        "score of",
        r"\b(?:on|using|with) (?:a|the) (?:[\w-]+ )?scale (?:of|from)?:?\s*(?P<list>[A-F](?:\s*,\s*[A-F]){2,}(?:\s*,?\s*(?:or|and)\s+[A-F])?)(?=\s*(?:[.;:)\n]|$))",
    ),
    # "Types can be 'new', 'moved', or 'gone'."
    (
        "whether",
        rf"\b(?P<noun>[A-Za-z]\w+) (?:can|may|must|should) be (?:either )?(?P<list>{QUOTE}[\w -]{{1,30}}{QUOTE}(?:\s*,\s*{QUOTE}[\w -]{{1,30}}{QUOTE})*\s*,?\s+or\s+{QUOTE}[\w -]{{1,30}}{QUOTE}){END}",
    ),
)
PATTERNS += (
    # 'You should only output "true" or "false" with no additional information.'
    (
        "answer",
        rf"\b(?:only|just) (?:output|return|respond with|reply with|answer(?: with)?|say|write|print)\s+(?P<list>{QUOTE}[\w -]{{1,30}}{QUOTE}(?:\s*,\s*{QUOTE}[\w -]{{1,30}}{QUOTE})*\s*,?\s+or\s+{QUOTE}[\w -]{{1,30}}{QUOTE})(?:{END}|(?=\s*,|\s+(?:with no|without|and nothing|based)\b))",
    ),
    # "Return ONLY: YES or NO"
    (
        "answer",
        rf"\b(?:return|respond|answer|reply|output)\b(?: with)? only\s*:\s*(?P<list>{QUOTE}?[A-Za-z][\w-]*{QUOTE}?(?:\s*,\s*{QUOTE}?[A-Za-z][\w-]*{QUOTE}?)*\s*,?\s+or\s+{QUOTE}?[A-Za-z][\w-]*{QUOTE}?){END}",
    ),
    # "The options are: 'Angry', 'Calm', or 'None'"
    (
        "list",
        rf"\b(?:the|your|possible|available|only) (?P<noun>options|choices|labels|categories|classes|answers)(?: available)? are:?\s*(?P<list>{QUOTE}{INNER}{{1,40}}?{CLOSE}(?:\s*,\s*(?:or\s+|and\s+)?{QUOTE}{INNER}{{1,40}}?{CLOSE})+){END}",
    ),
)
