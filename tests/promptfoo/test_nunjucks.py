"""Nunjucks' semantics: each expectation is what Nunjucks 3 prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.promptfoo.nunjucks import NunjucksEnvironment, render, to_jinja

ENVIRONMENT = NunjucksEnvironment(None, {"HOME_TOWN": "Rome"})


@pytest.mark.parametrize(
    ("template", "variables", "printed"),
    [
        ("{{ gone }}|{{ gone.a.b }}|{{ none_of_it[0].x }}", {}, "||"),
        ("{{ flag }} {{ no }} {{ nothing }}", {"flag": True, "no": False, "nothing": None}, "true false "),
        ("{{ rows }}", {"rows": ["a", 1, None, [2, 3]]}, "a,1,,2,3"),
        ("{{ thing }}", {"thing": {"a": 1}}, "[object Object]"),
        ("{{ n }} {{ m }}", {"n": 2.0, "m": 2.5}, "2 2.5"),
        ("{{ thing | dump }}", {"thing": {"a": [1, 2.0], "b": "<é>"}}, '{"a":[1,2],"b":"<é>"}'),
        ("{{ thing | dump(2) }}", {"thing": [1]}, "[\n  1\n]"),
        ("{{ text | load | length }}", {"text": "[1, 2]"}, "2"),
        ("{% if a === 1 and b !== 2 %}y{% else %}n{% endif %}", {"a": 1, "b": 1}, "y"),
        ("{% if a %}1{% elseif b %}2{% endif %}", {"b": 1}, "2"),
        ("{% for key, value in thing %}{{ key }}={{ value }};{% endfor %}", {"thing": {"x": 1, "y": 2}}, "x=1;y=2;"),
        ("{% for a, b in rows %}{{ a }}{{ b }} {% endfor %}", {"rows": [["p", 1], ["q", 2]]}, "p1 q2 "),
        ("{{ thing.items }} {{ thing.length }}", {"thing": {"items": "own"}}, "own "),
        ("{{ rows.length }} {{ text.length }}", {"rows": [1, 2], "text": "abc"}, "2 3"),
        ("{{ text.toUpperCase() }} {{ text.split('b').length }}", {"text": "abc"}, "ABC 2"),
        ("a\n{% if x %}\nb\n{% endif %}\nc\n", {"x": 1}, "a\n\nb\n\nc\n"),
        ("a {#- note -#} b{# c #}\nd", {}, "ab\nd"),
        ("{{ env.HOME_TOWN }}", {}, "Rome"),
        ("{% raw %}{{ kept }}{% endraw %} {{ x }}", {"x": 1}, "{{ kept }} 1"),
        ('{"a": {{ x }}', {"x": 1}, '{"a": 1'),
        ("cut off {{ x", {"x": 1}, "cut off {{ x"),
        ("{{ 'a === b' }}", {}, "a === b"),
        ("{{ t | truncate(5) }}|{{ t | truncate(8, true) }}", {"t": "hello world there"}, "hello...|hello wo..."),
        ("{{ t | truncate(7, false, '!') }}|{{ t | truncate }}", {"t": "hello world"}, "hello!|hello world"),
        ("{{ 'foo-bar (baz)' | title }}", {}, "Foo-bar (baz)"),
        ("{{ t | indent(2) }}|{{ t | indent(1, true) }}", {"t": "a\n\nb"}, "a\n  \n  b| a\n \n b"),
        ("{{ 2.5 | round }} {{ 1.25 | round(1) }} {{ 1.21 | round(1, 'ceil') }}", {}, "3 1.3 1.3"),
        ("{{ rows | join(', ') }}", {"rows": [True, None, 1.0, "x"]}, "true, , 1, x"),
        ("{{ rows | join('-', 'k') }}", {"rows": [{"k": 1}, {"k": 2}]}, "1-2"),
        ("{{ rows | string }} {{ true | string }}", {"rows": [1, 2]}, "1,2 true"),
        ("{{ t | urlencode }}", {"t": "a/b c&d'"}, "a%2Fb%20c%26d'"),
        ("{{ '12abc' | int }} {{ '3.5x' | float }} {{ 'x' | int(7) }}", {}, "12 3.5 7"),
        ("{{ rows | reverse }}|{{ 'abc' | reverse }}|{{ range(3) }}", {"rows": [1, 2]}, "2,1|cba|0,1,2"),
        ("{{ rows | selectattr('k') | length }} {{ rows | batch(1) | dump }}", {"rows": [{"k": 1}]}, '1 [[{"k":1}]]'),
        ("{{ thing | list | dump }}", {"thing": {"a": 1}}, '[{"key":"a","value":1}]'),
        ("{{ rows | groupby('k') | dump }}", {"rows": [{"k": "b"}]}, '{"b":[{"k":"b"}]}'),
        (
            "{{ '&<\"' | escape }}|{{ nothing | upper }}|{{ rows | e }}",
            {"nothing": None, "rows": [1, 2]},
            "&amp;&lt;&quot;||1,2",
        ),
        (
            "{{ -7 % 3 }} {{ 7 / 0 }} {{ 0 / 0 }} {{ '42' * 2 }} {{ '42' - 1 }} {{ none + 1 }}",
            {},
            "-1 Infinity NaN 84 41 1",
        ),
        ("{{ 'a' ~ true ~ none ~ 1.0 }}", {}, "atruenull1"),
        ("{{ big }} {{ small }} {{ tiny }}", {"big": 10**22, "small": 0.00001, "tiny": 1.5e-7}, "1e+22 0.00001 1.5e-7"),
        ("{{ rows[-1] }}|{{ rows | length }}|{{ '😀' | length }}", {"rows": [1]}, "|1|2"),
        (
            "{{ 3 == '3' }} {{ 3 === '3' }} {{ 3 !== '3' }} {{ none == gone }} {{ [1] == [1] }}",
            {},
            "true false true true false",
        ),
        ("{{ 5 > 3 > 1 }} {{ '10' > 9 }} {{ '10' > '9' }}", {}, "false true false"),
        (
            "{{ 'a' if rows else 'b' }}{% if thing %}c{% endif %}{{ not rows }}{{ rows or 1 }}|",
            {"rows": [], "thing": {}},
            "acfalse|",
        ),
        ("{% set n = 0 %}{% for x in rows %}{% set n = n + x %}{% endfor %}{{ n }}", {"rows": [1, 2]}, "3"),
        ("{% for x in rows %}{% set n = x %}{% endfor %}{{ n }}|", {"rows": [1, 2]}, "|"),
        (
            "{% for x in thing %}{{ x }}{% endfor %}{% for x in none %}x{% endfor %}{% for x in 3 %}x{% endfor %}|",
            {"thing": {"a": 1}},
            "|",
        ),
        ("{{ {a: 1}.a }} {{ True }}|{{ (1, 2) }}|{{ gone | dump }}|{{ none is null }}", {}, "1 |2||true"),
        (
            "{{ t.indexOf('l') }} {{ t.charAt(1) }} {{ t.substring(3, 1) }} {{ t.repeat(2) }} {{ f.toFixed(2) }}",
            {"t": "hello", "f": 2.345},
            "2 e el hellohello 2.35",
        ),
        ("{% verbatim %}{{ kept }}{% endverbatim %}", {}, "{{ kept }}"),
        ("{{ range(1, 6, 2) | dump }}", {}, "[1,3,5]"),
        ("{% for x in rows %}{{ loop.index + '. ' + x }};{% endfor %}", {"rows": ["a"]}, "1. a;"),
        ("{% switch n %} {% case 6 %}{% case 7 %}six{% case 8 %}8{% default %}no{% endswitch %}", {"n": 7}, "six"),
        ("{% switch n %}{% case 7 %}seven{% default %}other{% endswitch %}", {"n": "7"}, "other"),
        ("{% asyncEach x in [1, 2] %}{{ x }}{% endeach %}{% ifAsync 1 %}y{% endif %}", {}, "12y"),
        ("{% set a, b = 5 %}{{ a + b }}", {}, "10"),
        (
            "{{ t | replace(r/o+/g, '0') }} {% set p = r/^F/i %}{% if p.test(t) %}y{% endif %}",
            {"t": "foo boo"},
            "f0 b0 y",
        ),
        ("{{ t | replace(r/(\\w+) (\\w+)/, '$2 $1') }}|{{ t | replace('', '-') }}", {"t": "a b"}, "b a|-a- -b-"),
        ("{{ none | trim }}|{{ none | nl2br }}|{{ none | wordcount }}|{{ gone | round }}", {}, "|||NaN"),
        (
            "{{ [1, 'a', 2] | sort }} {{ ['b', 'A'] | sort }} {{ ['1', '2'] | sum }} {{ 3 | sort }}",
            {},
            "1,a,2 A,b 0012 ",
        ),
        ("{{ rows | sort(true, false, 'v') | dump }}", {"rows": [{"v": 1}, {"v": 2}]}, '[{"v":2},{"v":1}]'),
        ("{{ d | dictsort(false, 'value') | dump }} {{ d | first }}|", {"d": {"a": 2, "b": 1}}, '[["b",1],["a",2]] |'),
        ("{{ [1, 2, 3] | batch(2, 0) | dump }} {{ [1, 2, 3] | batch(2, 9) | dump }}", {}, "[[1,2],[3]] [[1,2],[3,9]]"),
        ("{{ 'xy' | center(5) }}|{{ 'abc' | int }}|{{ 'x' | abs }}", {}, " xy  ||NaN"),
        ("{{ 'Zürich 😀 straße' | truncate(8) }}", {}, "Zürich..."),
        ("{{ [] == false }} {{ ['7']['0'] }} {{ [] is truthy }}", {}, "true 7 true"),
        ("{% set j = joiner() %}{% for x in [3, 1] %}{{ j() }}{{ x }}{% endfor %}", {}, "3,1"),
        (
            "{{ t.at(-1) }} {{ t.search('q') }} {{ t.match('b.')[0] }} {{ d.hasOwnProperty('a') }}",
            {"t": "abc", "d": {}},
            "c -1 bc false",
        ),
        ("{{ pairs | urlencode }} {{ d | urlencode }}", {"pairs": [["a", 1]], "d": {"k": [1, 2]}}, "a=1 k=1%2C2"),
    ],
)
def test_a_template_prints_what_nunjucks_prints(template: str, variables: dict, printed: str) -> None:
    assert render(template, variables, ENVIRONMENT) == printed


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ 1e3 }}", "Nunjucks has no number 1e3"),
        ("{{ t | urlize }}", "No filter named 'urlize'"),
    ],
)
def test_what_nunjucks_does_otherwise_is_refused(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        render(template, {"t": "foo", "n": 1}, ENVIRONMENT)


def test_what_is_no_template_is_a_problem_that_shows_it() -> None:
    with pytest.raises(ValueError, match="is not a template"):
        render("{{ a b c }}", {}, ENVIRONMENT)


@given(st.text(alphabet=st.characters(blacklist_characters="{}%#")))
def test_a_text_without_braces_stays_as_it_is(text: str) -> None:
    assert to_jinja(text) == text
    assert render(text, {}, ENVIRONMENT) == text
