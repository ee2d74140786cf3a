"""Phrases in one form, for the guard of rewrites alone: what is said in another form compares equal."""

from __future__ import annotations

import re
from importlib.resources import files

from promptopt.compression.guard.paraphrase import NUMBERS


def _phrases() -> list[tuple[str, str]]:
    lines = files("promptopt").joinpath("data", "same_phrases.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if not line.startswith("#"))
    return [(phrases, word or " ") for phrases, word in pairs]


_NUMBER = r"\b(\d[\d.,]*|" + "|".join(NUMBERS) + r")\b"
_ONE_OR_MORE = r"(?:\d+(?:[.,]\d+)*|one|" + "|".join(NUMBERS) + r")"
_COUNT = r"(?=(?:an? |the )?(?:\d|(?:one|" + "|".join(NUMBERS) + r")\b))"
PHRASES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bwon't\b", "will not"),
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"n't\b", " not"),
        (r"\bprefer(\w*)\b([^.;:]*?) over\b", r"prefer\1\2 instead_of"),
        # What is said as a reason is not asked.
        (
            (
                r"\b(?:because\b(?! of)|(?:since|seeing as|seeing that|given that) "
                r"(?=(?:it|they|he|she|we|there|this|these)\b))[^.;:,()]*"
            ),
            " ",
        ),
        (r"\b(?:because of|for the sake of|for reasons of) (?!this|that|these|which)(?:\w+ ){0,3}\w+(?=[,.;])", " "),
        (r"(?<!all )\bat once\b|\bthere and then\b", "immediately"),
        (r"\b(?:not|no) ([^.;:,]{0,40}?)\bmore than (?:once|one time)\b", r"\1 at_most one_time"),
        (r"\bmore than once\b|\bmore than one time\b", "several_times"),
        (r",\s+as (?=(?:the|it|he|she|they|this|there|we|some|most)\b)[^.;:,()]*", " "),
        (r"\b(?:keep|make) (?:it|this|that) (?:short|brief), (?:that is,?|meaning|so) ", " "),
        (r"\buntil when\b", "by when"),
        (r"\ba number of\b", "some"),
        (r"\bover all\b", "in all"),
        (r"\bcan not be (?:told|determined|known|found|read)\b", "impossible"),
        (r"\bit goes without saying(?: that)?\b|\bneedless to say\b", " "),
        # Words for how often, how much and how well, with or without "not".
        (
            r"\b(?:once|one time) at (?:the )?most\b|\b(?:at most|no more than|up to) (?:once|one time)\b",
            "at_most one_time",
        ),
        (
            r"\b(?:exactly |just |only )?once\b(?: only\b)?(?=[.,;]|$| and\b| or\b)|\b(?:exactly|just|only) once\b",
            "one_time",
        ),
        (r"\bnot (like|trust|agree|approve)\b", r" dis\1"),
        (r"\bnot (\w+ (?:\w+ )?)(?:very |so )?much\b", r" \1 little"),
        (r"\bnot (\w+ (?:\w+ )?)(?:very|so|too) (?:well|good)\b", r" \1 little"),
        (r"\b(?:unable|not able|impossible) to\b", "not"),
        (r"\blook(?:s|ed|ing)? after\b", "for"),
        (r"\bnot including\b", "except"),
        (r"\bin full\b", "completely"),
        (r"\bin addition(?: to (?:that|this|it))?\b", "also"),
        (r"\bwhat (?:we|i) (?:\w+ )?care about(?: most)? (?:is|are)\b", "focus on"),
        (r"\b(?:out )?loud\b", "aloud"),
        (r"\bof (?:his|her|their|its|your) own accord\b", " "),
        (r"\b(?:previous|preceding|latest|most recent) " + _COUNT, "recent "),
        (_NUMBER + r" (?:previous|preceding|latest|most recent)\b", r"recent \1"),
        # "without a receipt, ..." and "if there is no receipt, ..."
        (r"((?:^|[.;:\n])\s*)without ((?:an? |the |any )?(?:[\w-]+ ){0,2}[\w-]+),", r"\1if not \2,"),
        (r"[.;:]\s+if (not|so),", r", if \1,"),
        (r"\bnothing to \w+(?: (?:under|in|on|for|about))? (?:it|them|there)\b", "empty"),
        (
            (
                r"\bin (?:exactly )?(?:the )?(?:same )?(?:order|sequence) (?:as|of|in which|that)\b"
                r"|\b(?:keep|retain|preserve|maintain) the (?:order|sequence)\b(?: of\b)?"
            ),
            "in_this_order",
        ),
        # "heavy boxes, by which we mean all above 15 kilograms"
        (
            (
                r"\b[\w-]+ (\w+), (?:by which (?:we|i) mean|that is(?: to say)?|meaning) "
                r"(?:everything |all |any |those |anything )?(?=above|below|over|under|more|less|at)"
            ),
            r"\1 ",
        ),
        (r"\bcan not (?:manage to )?(?:do (?:that|this|so|it)|be done)\b|\bnot possible\b", "impossible"),
        (
            r"\bthe only (?:\w+ )?(?:values?|options?|labels?|categor(?:y|ies))(?: that (?:is|are) \w+)? (?:is|are)\b",
            " ",
        ),
        (r"\bvery (?=first|last|same|end|top|beginning|start)", ""),
        (
            r"\b(?:some|something like|roughly|approximately|about|around|circa) (?=\d|(?:"
            + "|".join(NUMBERS)
            + r")\b)",
            "",
        ),
        (r"\b(from [^.;:,]{1,40}?) up to\b", r"\1 to"),
        (r"\bone (\w+) and (?:only )?one \1(?: only)?\b", r"one \1"),
        (r"\b(should|must|may|can|will|shall|to|not|it|that) last (?=\w)", r"\1 "),
        (r"\bdegrees? (?=celsius|fahrenheit|kelvin)", ""),
        (r"\b(?:in advance|ahead of time|beforehand)\b", "ahead"),
        (r"\bnot ((?:\w+ ){1,3}?)(?:very )?often\b", r"seldom \1"),
        (r"\bthere (?:is|are) (?:exactly|precisely) ", "there are "),
        (r"\b(?:straight|right) away\b|\bat once\b", "immediately"),
        (r"\b(\w{3,})-free\b", r"without \1"),
        (r"\b(?:row|line|column|paragraph|page) 1\b", "first row"),
        (r"\bonly\b(?! if| when| after| once)([^.;:]*?),? (?:and|but) not\b", r"\1 not"),
        (r"\b((?:has|have|had) (?:ever |never )?\w+) before\b(?! \w+ing\b| (?:the|you|it|a|an)\b)", r"\1"),
        # "no category that is not on the list"
        (
            (
                r"\b(?:not|never) (\w+ (?:\w+ )?)(?:any )?([^.;:,]{3,40}?) (?:that|which|who)"
                r" (?:(?:is|are|it|they|does|do) )+not\b"
            ),
            r"only \1\2",
        ),
        (r"\bno (\w+(?: \w+)?) (?:that|which|who) (?:(?:is|are|it|they|does|do) )+not\b", r"only \1"),
        (r"\b(?:is|are|was|were) not (?:there|present)\b", "absent"),
        (r"\b(?:does|do|did) not (?:work|succeed)\b|\b(?:is|are|was|were) not working\b", "fails"),
        *((rf"\b(?:{phrases})\b", word) for phrases, word in _phrases()),
        (r"\b(\d+)(?:st|nd|rd|th)\b", r"\1"),
        (r"\be-?mail", "email"),
        (r"\b(upper|lower) case\b", r"\1case"),
        (r"\binside of\b", "in"),
        (r"(?<!than )\bone (\w+) at a time\b", r"at_most one \1 at a time"),
        (r"\b(?:not|never) ((?:\w+[ ,]+){1,8}?)until\b", r"only \1after"),
        (r"\bnothing (?:that|which) (?:is|are|does|do) not\b|\bnothing (?=not\b)", "only "),
        (r"\bonly (?=(?:of |a )?(?:secondary|minor|little)\b)", ""),
        (r"\blast (?=(?:year|week|month|night|quarter|season|summer|winter)\b)", "past "),
        (
            (
                r"\bfirst (?:day )?of (?=(?:january|february|march|april|may|june|july|august|september|october"
                r"|november|december)\b)"
            ),
            "1 ",
        ),
        (r"\b(?:is|are|be) subject to\b", " "),
        (r"\b(?:where|with) (\d+) (?:is|being|means|stands for)\b", r"\1 is"),
        # What the model does anyway supposes nothing: "when you choose the name, ...".
        (
            (
                r"\b(?:when|while|whenever) (?:you(?: are|'re)? )?(?=(?:decid|choos|answer|writ|do|work|translat"
                r"|describ|talk|speak|reply|replie|respond|mak|creat|giv|assign|rat|scor|judg|grad|summari|draft|review|compos"
                r"|prepar)(?:e|es|ing)?\b)"
            ),
            " ",
        ),
        (
            r"\b("
            + _ONE_OR_MORE
            + r"(?: (?!and |or |but )[\w-]+){0,2}?) (?:at (?:the )?most|maximum|max|or (?:fewer|less))\b(?! \d)",
            r"at_most \1",
        ),
        (
            r"\b(" + _ONE_OR_MORE + r"(?: (?!and |or |but )[\w-]+){0,2}?) (?:at (?:the )?least|minimum)\b(?! \d)",
            r"at_least \1",
        ),
        (r"\b(?:one after (?:the other|another)|one by one|in turn)\b", "each"),
        (r"\ba single\b", "one"),
        (r"\bin favou?r of\b", "for"),
        (r"\b(?:not|never) (?:to )?(?:exceed|surpass|go (?:over|beyond|above))\b", "at_most"),
        (r"\b(?:exceed|surpass)(?:s|ing)?\b|\bin excess of\b", "over"),
        (r"\bin (?:the )?place of\b", "instead_of"),
        (r"\b(?:take|takes|took|taking|taken) place\b", "occur"),
        (r"\bmake (?:an )?exceptions? for\b", " "),
        (r"\b(old|young)er than " + _NUMBER + r" years\b", r"\1er than \2"),
        (r"\bmore than " + _NUMBER + r" years old\b", r"older than \1"),
        (r"\bover the age of " + _NUMBER, r"over \1"),
        (
            r"(?<!than )(?<!most )(?<!least )\b(?:exactly |precisely |only |just )?one (?:out )?of (?:the|these|those)"
            r"(?: following)? " + _NUMBER,
            " ",
        ),
        (r"\b(?:exactly |precisely |only |just )?one (?:out )?of (?:the|these|those) following\b", " "),
        (r"\b(?:begin(?:s|ning)?|start(?:s|ing)?) with\b", "opening"),
        (r"\b(?:end(?:s|ing)?|finish(?:es|ing)?|clos(?:e|es|ing)|conclud(?:e|es|ing)) with\b", "closing"),
        (r"\bin front\b(?! of)", "first"),
        (r"\bword for word\b", "word_for_word"),
        (r"\bin writing\b", "in_writing"),
        (r"\b(some|most|many|half|much|part) of\b", r"\1_of"),
        (
            (
                r"\bin (?:exactly |precisely )?(?:this|that|the (?:following|same|given|right)) (?:order|sequence)\b"
                r"|\b(?:order|sequence)(?= that| which|:|\s*$| is\b)"
            ),
            "in_this_order",
        ),
        (r"\b(?:at|to) the (?:very )?(?:top|start|beginning|outset|front)\b", "first"),
        (r"\b(?:at|towards?|near|close to) the (?:very )?end\b(?! of\b)|\bat the (?:very )?end\b", "last"),
        (r"\bfinal (?=(?:full|line|word|sentence|paragraph|stop|step|column|row|message|turn|page|item)\b)", "last "),
        (r"\b(?:no matter|regardless|irrespective|independent|independently)\b(?: of\b)?", "even_if"),
        (r"\b(?:does not|doesn't|do not|don't|not) (?:\w+ )?(?:matter|play a role|make a difference)\b", "even_if"),
        (r"(?<![,(] )\bwhatever (?=[^.;:,]*(?:[.;:]|$))", "what "),  # "mark whatever is unclear" concedes nothing
        (r"\b(?:whatever|whichever|whoever|however (?!,))", "even_if "),
        (r"\bas well as\b", "and"),
        (r"\bwhether\b([^.;:,]*) or not\b", r"whether\1"),
        (r"(?<!whether) or not\b", " "),
        (r"\bbetween " + _NUMBER + r" and " + _NUMBER, r"at_least \1 at_most \2"),
        (_NUMBER + r"(?: to |-|–)" + _NUMBER, r"at_least \1 at_most \2"),
        (r"\b(?:exactly|precisely|a single) one\b", "only one"),
        (r"\bno more than one\b|\bat (?:the )?most one\b|\bup to one\b", "at_most one"),
        (r"\bat least one\b", "at_least one"),
        (r"'(?:ll|ve|re|d|m)\b", " "),
        (r"\b(that|it|there|here|what|who|he|she|how|where|let)'s\b", r"\1"),
        (r"\byears? old\b|\byears? of age\b", "age"),
        (r"\bexactly (?=(?:in )?the (?:same )?way|as\b|how\b)", ""),
        (r"\b(decid\w+|tell|say|check|determine|see|sure|certain|clear|ask)(?: me| us| them)? if\b", r"\1 whether"),
        (r"(\bwhether\b[^.;:]*?\bor) if\b", r"\1"),
        (
            (
                r"\bin the (?:event|case) (?:that|of)\b|\bin case\b|\bin (?:those )?cases where\b|\bwhenever\b"
                r"|\bas soon as\b|\bevery time\b|\bprovided that\b|\bas long as\b|\bwherever\b"
            ),
            "if",
        ),
        (r"\bif (?:it is |at all )?possible\b|\bwhere possible\b", "feasible"),
        (r"\bin all other cases\b", "else"),
        (r"\bunder no circumstances\b", "never"),
        (r"\bunder any circumstances\b", " "),
        (r"\beven (?:if|though|when|where)\b|\beven\b(?! (?:more|less|better|worse|\w+er)\b)", "even_if"),
        (r"\bmaximum (?:\w+ ){1,8}?(?:is|are|be) " + _COUNT, "at_most "),
        (r"\bminimum (?:\w+ ){1,8}?(?:is|are|be) " + _COUNT, "at_least "),
        # "not longer than the user's message by more than one sentence"
        (
            r"\b(?:not|no|never) ((?:\w+ ){0,4}?(?:longer|shorter|higher|lower|larger|bigger|smaller) than "
            r"(?:[\w']+ ){1,8}?by )more than " + _COUNT,
            r"\1at_most ",
        ),
        (
            r"\b(?:not|no|never) (?:\w+ ){0,6}?(?:more|longer|greater|higher|larger|bigger|over)(?: than)? " + _COUNT,
            "at_most ",
        ),
        (
            r"\b(?:not|no|never) (?:(?!(?:on|about|for|with|of|from|by)\b)\w+ ){0,3}?"
            r"(?:fewer|less|shorter|lower|smaller|under)(?: than)? " + _COUNT,
            "at_least ",
        ),
        (r"\bmore than (?:just )?one\b", "several"),
        (
            r"\b(?:at (?:the )?most|up to|as far as|an? maximum of|a limit of|limited to|limit|max(?:imum)?\.?|within"
            r"|no more than) " + _COUNT,
            "at_most ",
        ),
        (r"\b(?:(?:short|few|low|young|small)er than|less than|under|below) " + _COUNT, "under "),
        (r"\b(?:at (?:the very )?least|an? minimum of|min(?:imum)?\.?) " + _COUNT, "at_least "),
        (r"\b(?:more than|(?:long|old|high|bigg|larg|great)er than|above) " + _COUNT, "over "),
        (r"(\d+)(?: \w+)? or (?:fewer|less)\b", r"at_most \1"),
        (r"(\d+)(?: \w+)? or more\b", r"at_least \1"),
        (r"\bno (\w+) (?:but|other than|apart from|except(?: for)?)\b", r"\1 only"),
        (
            (
                r"\b(?:nothing|none) (?:but|other than|apart from|except(?: for)?)\b"
                r"|\b(?:and )?(?:with )?nothing else\b|\bno others?\b"
                r"|\bnot (?:\w+ ){1,4}(?:other than|apart from)\b|\balone\b|\bmerely\b"
            ),
            "only",
        ),
        (r"\b(?:except(?: for)?|with the exception of|apart from|other than|excluding)\b", "except"),
        (r"\b(?:instead of|rather than|in preference to)\b", "instead_of"),
        (r"\binstead\b", " "),
        (
            (
                r"\b(?:it is |this is |it's )?(?:very |really |extremely |also )?(?:important|essential|crucial|vital)"
                r" (?:for you )?(?:that|to)\b"
            ),
            " ",
        ),
        (
            r"\b(?:order of (?:\w+ )?importan\w+|order of how important|most important|how important|by importance)\b",
            "priority important",
        ),
        (r"\b(?:first|last) (?=names?\b)", "given-"),
        (r"\bfirst of all\b|\bto start with\b|\bat first\b", "first"),
        (r"\b(" + _ONE_OR_MORE + r" \w+) long\b", r"\1"),
        (r"\b(?:last|past) (?!one\b)" + _COUNT, "recent "),
        (r"\bnext to\b", "beside"),
        (r"\b(?:and )?after (?:that|this|which)\b|\bafterwards\b|\bfollowed by\b|\bsubsequently\b", "then"),
        (r"\bin the end\b|\bin the final place\b", "finally"),
        (r"\bleav(?:e|es|ing) ((?:\w+ ){0,3})out\b", r"omit \1"),
        (
            (
                r"\bleft out\b|\bskip(?:ped|ping|s)?\b|\bignor(?:e|ed|ing)\b"
                r"|\bexclud(?:e|ed|ing)\b|\bomit(?:ted|ting)?\b|\bdisregard\b"
            ),
            "omit",
        ),
        # Not to leave something out is to have it: the single negation says the opposite.
        (
            r"\b(?:not|never|without|instead_of|nothing) (?:(?:to|be|may|must|should|can|ever|just|simply) )*omit\b",
            "not_omit",
        ),
        (r"\b(not|never|neither|without) ((?:\w+ ){1,6}?)(or|nor) omit\b", r"\1 \2\3 not_omit"),
        (r"\bno ((?:\w+ ){1,2}?)(?:may|must|should|can|is|are)(?: to)? (?:be )?omit\b", r"not_omit \1"),
        (r"\b(if\b[^.;:]*,) then\b", r"\1"),
    )
]
"""Phrases in one form, so that a rewrite in another form of the same compares equal."""
