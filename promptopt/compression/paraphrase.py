"""Words that stand for each other in an instruction, for the guard of rewrites alone. No rule reads these tables."""

from __future__ import annotations

import re

STOP = frozenset(
    """
    a an the this that these those it its i me my mine we us our you your yours he him his she her hers they them their
    theirs one ones who whom whose which what there here be am is are was were been being do does did done doing have
    has had having will would shall should must need needs needed can could may might ought let lets to of in on at by
    for from with into onto as than so too also and or but both either up out upon per via off down about how why
    itself themselves yourself himself herself myself ourselves together because since therefore thus hence
    whether within after though although however moreover furthermore rather quite just really please kindly very
    """.split()  # noqa: SIM905 - read as words
)
"""Function words: neither facts, nor what a marker applies to."""

FILLER = STOP | frozenset(
    """
    like such simply basically actually certainly course indeed well thing things way ways manner kind sort case cases
    event fact purpose regard respect basis amount lot lots whole make makes made making take takes took taken taking
    get gets got getting give gives gave given giving go goes going gone come comes came coming put puts putting use
    uses used using usage utilise utilize want wants wanted wish wishes help helps helping able possible importance
    essential crucial necessary required sure certain ensure remember mind bear keep keeps kept keeping note notice
    attention consider task job work role act acting assist assistant asked ask asks asking instruction instructions
    following follow follows below above provide provided provides providing present presented presenting produce
    produced create created write writes writing written wrote answer answers answered answering response responses
    respond reply replies replying output return returned result results say says said saying tell tells told telling
    mention mentions mentioned state states stated show shows showing shown see seen seeing look looks looking find
    finds found finding text content contents information piece pieces item items all each every any some several
    various many much most own same other others another again already yet still now always time times happen happens
    happening happened occur occurs become becomes seem seems appear appears turn turns mean means consist consists
    contain contains contained containing include includes including included concern concerns concerning regarding
    related person people somebody someone anybody anyone everybody everyone something anything everything somewhere
    anywhere part parts serve serves belong belongs list listed name named call called word words particular
    particularly specific specifically current currently respective respectively prompt example examples instance
    e.g eg i.e ie etc responsible set possibly perhaps try tries trying allow allowed allows permitted apply applies
    applied receive receives received read reads reading hand start starts begin begins based think thinks describe
    describes described few single instead add adds itself back value values available address stay stays between
    circumstances point stand stands behalf position decide decides draw expected deal dealt dealing propose
    wherever exercise middle attached located raise brings bring forward far treat treated carry carries carrying
    carried sit sits team handle handled hard experience straight base full marked behaviour discover displayed
    grateful wonder appreciate hello hi thanks thank dear moment point pasted original complete completely fully
    entire entirely overall general generally usually likely place places exist exists existing know
    remain remains call calls cannot upcoming suppose assume imagine act acts further additional additionally
    truly absolutely definitely extremely highly totally order wanting fine great nice happy glad feel free
    situation situations circumstance aspect aspects matter matters area areas process concept
    activity nature level type types form forms field end bottom top front right group groups do doing
    number numbers format question questions message messages knowledge sound sounds distance met period periods
    good leave worked ready body handed spoken appearance range correctly meant aware familiar purposes self
    sentence's sense making regarding reach sake
    total length careful different age copying various developer's
    enough sufficient namely accordingly afterwards involve involves involved available relevant
    """.split()  # noqa: SIM905 - read as words
)
"""Words whose loss alone changes nothing that is asked."""

NUMBERS = {
    word: str(value)
    for value, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), start=2)  # noqa: SIM905 - read as words
} | {"fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "hundred": "100"}

MARKERS = {
    word: kind
    for kind, words in {
        "negation": "not never no none nothing without neither nor avoid nobody instead_of omit",
        "exception": "except unless",
        "restriction": "only solely exclusively",
        "condition": "if when where while once otherwise else",
        "order": "first second before previously priority",
        "sequence": "then next finally last lastly",
        "relative": "for with who that which",
        "concession": "even_if",
        "end": "until",
        "limit": "at_most at_least under over",
    }.items()
    for word in words.split()
}
"""Words that say how the words after them are meant, with the kind of thing that they say."""

_COUNT = r"(?=(?:an? |the )?(?:\d|(?:" + "|".join(NUMBERS) + r")\b))"
PHRASES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"n't\b", " not"),
        (r"'(?:ll|ve|re|d|m)\b", " "),
        (r"\b(that|it|there|here|what|who|he|she|how|where|let)'s\b", r"\1"),
        (r"\byears? old\b|\byears? of age\b", "age"),
        (r"\bexactly (?=(?:in )?the (?:same )?way|as\b|how\b)", ""),
        (r"\b(decid\w+|tell|say|check|determine|see|sure|certain|clear|ask)(?: me| us| them)? if\b", r"\1 whether"),
        (
            (
                r"\bin the (?:event|case) (?:that|of)\b|\bin case\b|\bin (?:those )?cases where\b|\bwhenever\b"
                r"|\bas soon as\b|\bevery time\b|\bprovided that\b|\bas long as\b|\bwherever\b"
            ),
            "if",
        ),
        (r"\bif (?:it is |at all )?possible\b|\bwhere possible\b", "feasible"),
        (r"\bin all other cases\b", "else"),
        (r"\bunder (?:any|no) circumstances\b", lambda match: "never" if " no " in match[0] else " "),
        (r"\beven (?:if|though|when|where)\b", "even_if"),
        (
            r"\b(?:not|no|never) (?:\w+ ){0,3}?(?:more|longer|greater|higher|larger|bigger|over)(?: than)? " + _COUNT,
            "at_most ",
        ),
        (
            r"\b(?:not|no|never) (?:\w+ ){0,3}?(?:fewer|less|shorter|lower|smaller|under)(?: than)? " + _COUNT,
            "at_least ",
        ),
        (
            r"\b(?:at (?:the )?most|up to|as far as|an? maximum of|a limit of|max(?:imum)?\.?|within|no more than) "
            + _COUNT,
            "at_most ",
        ),
        (r"\b(?:(?:short|few|low|young|small)er than|less than|under|below) " + _COUNT, "under "),
        (r"\b(?:at (?:the very )?least|an? minimum of|min(?:imum)?\.?) " + _COUNT, "at_least "),
        (r"\b(?:more than|(?:long|old|high|bigg|larg|great)er than|above) " + _COUNT, "over "),
        (r"(\d+)(?: \w+)? or (?:fewer|less)\b", r"at_most \1"),
        (r"(\d+)(?: \w+)? or more\b", r"at_least \1"),
        (
            (
                r"\b(?:nothing|no \w+|none) (?:but|other than|apart from|except(?: for)?)\b"
                r"|\b(?:and )?(?:with )?nothing else\b|\bno others?\b"
                r"|\bnot (?:\w+ ){1,4}(?:other than|apart from)\b|\balone\b|\bmerely\b|\bany other\b"
            ),
            "only",
        ),
        (r"\b(?:except(?:ion)?(?: for| of)?|apart from|other than|excluding)\b", "except"),
        (r"\b(?:instead of|rather than|in preference to|instead)\b", "instead_of"),
        (r"\b(?:it is |this is )?(?:very |really |extremely |also )?important (?:that|to)\b", " "),
        (
            r"\b(?:order of (?:\w+ )?importan\w+|order of how important|most important|how important|by importance)\b",
            "priority important",
        ),
        (r"\b(?:first|last) (?=names?\b)", "given-"),
        (r"\bfirst of all\b|\bto (?:begin|start) with\b|\bat (?:the start|first)\b", "first"),
        (r"(\d+ \w+) long\b", r"\1"),
        (r"\bmore than (?:just )?one\b", "several"),
        (r"\b(?:last|past) " + _COUNT, "recent "),
        (r"\bnext to\b", "beside"),
        (r"\b(?:and )?after (?:that|this|which)\b|\bafterwards\b|\bfollowed by\b|\bsubsequently\b", "then"),
        (r"\bin the end\b|\bat the (?:very )?end\b", "finally"),
        (
            (
                r"\bleav(?:e|es|ing) (?:\w+ ){0,3}?out\b|\bleft out\b|\bskip\b|\bignor(?:e|ed|ing)\b"
                r"|\bexclud(?:e|ed|ing)\b|\bomit(?:ted|ting)?\b|\bdisregard\b"
            ),
            "omit",
        ),
        (r"\b(if\b[^.;:]*,) then\b", r"\1"),
    )
]
"""Phrases in one form, so that a rewrite in another form of the same compares equal."""

GROUPS = [
    frozenset(line.split())
    for line in """
    know known knew knowledge
    choose chosen chose choice
    break broken broke
    build built
    buy bought
    catch caught
    draw drawn drew
    drive driven drove
    eat eaten ate
    fall fallen fell
    forget forgotten forgot
    grow grown grew
    hide hidden hid
    lose lost loss
    make made
    meet met
    pay paid payment
    send sent
    sell sold sale
    speak spoken spoke
    spend spent
    steal stolen stole
    teach taught
    understand understood
    wear worn wore
    refuse refusal decline
    compete competitor
    apply applicant application
    supply supplier
    direct direction
    member agent representative employee staff worker colleague
    shop store sell vendor
    customer client buyer
    learner student pupil
    child kid
    listener audience hear listen
    reader audience
    traveller passenger trip travel journey tourist
    itinerary plan trip schedule
    short brief concise length long
    length long longer width wide
    exactly verbatim precisely unchanged literally
    simple plain easy straightforward
    understand clear unclear comprehend grasp understandable follow
    clear unambiguous explicit
    error mistake fault failure fail
    mistake faulty wrong incorrect
    bug error defect
    explain explanation explanatory
    change alter modify edit amend unchanged convert conversion translate
    currency conversion convert
    remove delete strip
    add insert append
    polite courteous politeness
    friendly warm
    tone sound voice
    invent guess make-up fabricate speculate speculation
    guess speculate
    calculate compute calculation
    copy duplicate
    choose select pick
    decide determine judge whether
    verify check test
    big large great
    small little slight bit
    fast quick rapid fastest
    show display displayed
    purpose goal aim objective
    begin start initial
    finish end ending conclude
    conclude conclusion
    kilometre km kilometer
    minute min minutes
    cost price
    percent percentage %
    euro €
    dollar $
    pound £
    house home
    buy purchase
    car vehicle
    doctor physician
    medicine drug medication
    near close nearby nearest
    danger dangerous hazard risk
    joke humorous humour funny
    speak spoken talk conversation say aloud
    discuss conversation talk
    invoice bill
    photo picture image photograph
    column field
    row line record
    letter character
    character sign symbol
    capital uppercase
    table tabular
    comma comma-separated
    code program source
    function method
    handle unhandled
    missing absent lack
    absent missing
    available accessible
    also additionally
    approve approval authorise permit
    forbid prohibit
    need require requirement
    requirement criterion criteria condition
    suggest recommend advise proposal propose suggestion
    advice recommendation advise
    rewrite rephrase reword make
    shorten abbreviate abridge
    summary summarise summarize
    translate translation
    classify classification category categorise label
    category class group
    extract extraction pull
    report describe
    receive get
    send submit
    contact ask reach
    department team
    company firm business organisation enterprise
    year annual age old
    day daily
    week weekly
    month monthly
    prefer preference favour
    recent new latest last newest
    conflict contradict contradiction disagree
    proof evidence prove
    believe think opinion
    opinion view
    reason why because cause
    source origin reference cite citation
    passage excerpt paragraph section
    paragraph section
    heading title header
    bracket parenthesis parentheses
    quote quotation citation
    bullet point list
    step stage
    colleague coworker
    junior novice beginner
    experienced senior expert experience
    specialise expert specialist
    learn study
    teach teacher tutor instruct
    lesson class
    help assist support
    improve improvement better
    praise compliment
    calm reassuring
    frighten scare scary frightening
    pregnant pregnancy
    operate operator
    publish publication
    appropriate suitable fitting
    unsuitable inappropriate
    different other differ
    identical same equal
    equal same
    alphabet alphabetical alphabetically
    chronological chronologically
    price priced
    user customer
    print printed
    typed type
    british uk
    participant participate
    consider consideration
    compare comparison
    analyse analysis analyze
    repeat repetition
    reduce lower decrease
    increase raise
    estimate approximate approximately roughly about around some
    directions direction
    drive driver
    own owning possess
    """.strip().splitlines()
]
"""Words of one line may stand for each other in a rewrite."""
