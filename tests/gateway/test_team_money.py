"""Budgets and limits by team, user, key, tag and model, for days, weeks and months of a time zone; what shows them."""

import json
from datetime import datetime
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream import ask

import promptopt
from promptopt.cli import cli
from promptopt.config import load_config
from promptopt.errors import UsageError
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.call import NO_LABELS, Answer, Call, Labels
from promptopt.gateway.keys import find_key, key_ring
from promptopt.gateway.layers.budget_scopes import GROUPS, BudgetLimits, PeriodLimits, Scopes, paid_in_force
from promptopt.gateway.layers.meter import row_of
from promptopt.gateway.settings import read_settings
from promptopt.gateway.simulate import Arrival, SimulatedClock, simulate
from promptopt.gateway.stores.ledger_row import row_dict, row_of_dict, storable
from promptopt.values import Usage

NOW = datetime(2026, 11, 25, 4, 30, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
CAP = {"max_completion_tokens": 20}


def names(limits, labels=NO_LABELS, model="gpt-4o", now=NOW):
    return [scope.name for scope in Scopes(BudgetLimits(**limits)).of(labels, model, now)]


ALL_GROUPS = {
    **{name: Decimal(1) for name in ("day", "week", "month", "run")},
    **{name: {"*": PeriodLimits(day=Decimal(1), month=Decimal(1))} for name in GROUPS},
}
a_label = st.none() | st.sampled_from(["a", "a/b", "-", "b:c", "\ud800", "é"])
all_labels = st.fixed_dictionaries(dict.fromkeys(("tag", "team", "user", "run", "tenant", "key"), a_label))


@given(all_labels, st.sampled_from(["gpt-4o", "gpt-4o-2024-08-06", "own/model"]))
@settings(deadline=None)
def test_what_a_ledger_says_counts_against_the_budgets_that_the_call_did(values, model):
    limits, labels = BudgetLimits(**ALL_GROUPS), Labels(**values)
    call = Call.of("chat", "http://h/v1/chat/completions", {"model": model, "messages": []})._replace(labels=labels)
    row = storable(row_of(call, NOW, cache="miss", incurred_usd=0.5))
    paid = paid_in_force(limits, [row_of_dict(json.loads(json.dumps(row_dict(row))))], NOW)
    assert sorted(paid.spent) == sorted({scope.name for scope in Scopes(limits).of(labels, model, NOW)})


def test_the_budgets_of_a_call():
    one = Decimal(1)
    periods = PeriodLimits(day=one, week=one, month=one)
    limits = {"day": one, "week": one, "month": one, "run": one, "tags": {"find": one}, "teams": {"shop": periods}}
    limits |= {"users": {"*": one}, "keys": {"web": PeriodLimits(month=one)}, "models": {"gpt-4o": one}}
    labels = Labels(tag="find", team="shop", user="u1", key="web", run="r1")
    assert names(limits, labels) == [
        *("day:2026-11-25", "week:2026-W48", "month:2026-11", "run:r1", "tag:find:2026-11-25"),
        *("team:shop:2026-11-25", "team:shop:2026-W48", "team:shop:2026-11", "user:u1:2026-11-25"),
        *("key:web:2026-11", "model:gpt-4o:2026-11-25"),
    ]
    assert names(limits, Labels(tag="x", team="y", key="z"), "o3")[3:] == ["run:default", "user:-:2026-11-25"]


def test_the_zone_and_the_hour_decide_the_day():
    limits = {"day": Decimal(1), "week": Decimal(1), "month": Decimal(1)}
    assert names({**limits, "timezone": "Europe/Berlin", "reset_hour": 6})[0] == "day:2026-11-24"
    assert names({**limits, "timezone": "Asia/Tokyo", "reset_hour": 6})[0] == "day:2026-11-25"
    sunday = datetime(2026, 11, 1, 5, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    zone = {"timezone": "Europe/Berlin", "reset_hour": 6}
    assert names({**limits, **zone}, now=sunday) == ["day:2026-10-31", "week:2026-W44", "month:2026-10"]
    assert names({**limits, **zone, "week_start": "sunday"}, now=sunday + 3600)[1] == "week:2026-W45"


def test_users_of_two_tenants_are_two_users():
    limits = {"users": {"*": Decimal(1)}}
    assert names(limits, Labels(user="u", tenant="a")) != names(limits, Labels(user="u", tenant="b"))


def settled(limits, arrivals, start=NOW):
    """Outcomes of calls that cost $0.0000135 each, at seconds after ``start``."""
    config, clock = load_config(), SimulatedClock(start=start)
    options = {"store": "memory", "cache": False, "single_flight": False, "budget": limits}
    gateway = build_gateway(read_settings(config, options), config, clock=clock, random=Random(0))
    body = {"model": "gpt-4o-mini", "max_completion_tokens": 20, "messages": [{"role": "user", "content": "hi"}]}
    calls = [Arrival(start + at, Call.of("chat", "", {**body, "n": 1}, labels)) for at, labels in arrivals]
    return simulate(gateway.handler, calls, lambda call: (1.0, Answer("x", usage=Usage(10, 0, 0, 20))), clock)


def answered(outcomes):
    return [outcome.answer is not None for outcome in outcomes]


HOUR = 3600


def test_a_budget_begins_again_at_its_hour_in_its_zone():
    limits = {"day": "0.00002", "timezone": "Europe/Berlin", "reset_hour": 6}
    arrivals = [(hours * HOUR, Labels()) for hours in (0, 1, 1.4, 1.6, 2, 25, 25.6)]
    assert answered(settled(limits, arrivals)) == [True, False, False, True, False, False, True]


def test_each_team_has_its_own_and_one_without_a_team_has_none():
    limits = {"teams": {"shop": "0.00002", "*": {"week": "0.00003"}}}
    teams = ["shop", "shop", "mail", "mail", "mail", None, None]
    outcomes = settled(limits, [(10 * number, Labels(team=team)) for number, team in enumerate(teams)])
    assert answered(outcomes) == [True, False, True, True, False, True, True]


def test_a_refusal_says_when_the_budget_begins_again():
    (_, refused) = settled({"teams": {"shop": "0.00002"}}, [(0, Labels(team="shop")), (9, Labels(team="shop"))])
    assert str(refused.error).startswith("budget team:shop:2026-11-25: $0.0000135 of $0.0000200 spent")
    assert refused.error.details["begins_again"] == "2026-11-26T00:00:00+00:00"


label = st.sampled_from(["a", "b", None])


@given(
    st.lists(st.tuples(st.integers(0, 40 * 86400), st.builds(Labels, team=label, user=label, tag=label)), max_size=25),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Pacific/Apia"]),
    st.integers(0, 23),
)
@settings(max_examples=60, deadline=None)
def test_no_budget_is_ever_overspent(arrivals, zone, hour):
    cost = Decimal("0.0000135")
    groups = {"teams": {"a": PeriodLimits(day=cost * 2, week=cost * 3)}, "users": {"*": PeriodLimits(month=cost * 4)}}
    limits = BudgetLimits(day=cost * 5, tags={"b": cost}, timezone=zone, reset_hour=hour, **groups)
    arrivals = sorted(arrivals, key=lambda each: each[0])
    spent, scopes = {}, Scopes(limits)
    for (at, labels), outcome in zip(arrivals, settled(limits, arrivals), strict=True):
        if outcome.answer is not None:
            for scope in scopes.of(labels, "gpt-4o-mini", NOW + at):
                spent[scope.name] = spent.get(scope.name, 0) + int(cost * 10**9)
                assert spent[scope.name] <= scope.limit


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"teams": {"a": {"year": 5}}}, "unknown key 'year' in budget teams.a"),
        ({"teams": {"a": "much"}}, "budget teams.a day = 'much' is not an amount"),
        ({"teams": 5}, "is not a table with dollars a day for each team"),
        ({"users": {"u": -1}}, "is not an amount of dollars; give 0 or more"),
        ({"week": "1e12"}, "is not an amount of dollars"),
        ({"day": 1, "timezone": "Berlin"}, "is not a time zone"),
        ({"day": 1, "timezone": 5}, "budget timezone = 5 is not a text"),
        ({"day": 1, "reset_hour": "6"}, "budget reset_hour = '6' is not a whole number"),
        ({"day": 1, "week_start": "someday"}, "is not one of monday"),
        ({"team": {"a": 1}}, "Did you mean 'teams'"),
    ],
)
def test_bad_budgets(budget, message):
    with pytest.raises(UsageError, match=message):
        read_settings(load_config(), {"budget": budget})


OTHER_NAMES = ("gpt-4o-2024-08-06", "openai/gpt-4o", "GPT-4o", "azure/gpt-4o-2024-11-20", "gpt-4o-20241120")


@pytest.mark.parametrize("asked", OTHER_NAMES)
def test_another_name_of_a_model_has_no_budget_of_its_own(asked):
    one = Decimal(1)
    assert names({"models": {"gpt-4o": one}}, model=asked) == ["model:gpt-4o:2026-11-25"]
    assert names({"models": {"*": one}}, model=asked) == ["model:gpt-4o:2026-11-25"]
    assert names({"models": {asked: one}}, model="gpt-4o") == [f"model:{asked}:2026-11-25"]
    assert names({"models": {"gpt-4o-mini": one}}, model=asked) == []


def test_a_pattern_is_one_budget_for_all_that_begin_like_it():
    one = Decimal(1)
    limits = {"models": {"gpt-4o*": one, "gpt-4o-mini*": one, "o3": one}}
    asked = ("gpt-4o", "openai/gpt-4o-audio", "gpt-4o-mini-2024-07-18", "o3-2025-04-16", "o3-mini")
    found = [names(limits, model=model) for model in asked]
    plain, mini, o3 = (f"model:{name}:2026-11-25" for name in ("gpt-4o*", "gpt-4o-mini*", "o3"))
    assert found == [[plain], [plain], [mini], [o3], []]
    listed = [scope.name for scope in Scopes(BudgetLimits(**limits)).listed((), NOW)]
    assert listed == [plain, mini, o3]


def test_another_name_of_a_model_has_no_limit_of_its_own(client):
    sdk = client(cache=False, limits={"per_model": "2/hour", "models": {"o3*": "1/hour"}})
    ask(sdk, "1", model="gpt-4o")
    ask(sdk, "2", model="gpt-4o-2024-08-06")
    ask(sdk, "3", model="o3")
    for model in ("gpt-4o-2024-11-20", "o3-mini"):
        with pytest.raises(promptopt.LimitExceeded):
            ask(sdk, "4", model=model)


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_limits_by_team_tag_and_model(client, upstream, store, request):
    options = {"redis": request.getfixturevalue("redis_server").url} if store == "redis" else {}
    sdk = client(
        cache=False, limits={"per_team": "2/hour", "teams": {"big": "3/hour"}, "per_model": "4/hour"}, **options
    )

    def made(team, model="gpt-4o-mini"):
        for count in range(9):
            with promptopt.labels(team=team):
                try:
                    ask(sdk, f"{team} {count}", model=model)
                except promptopt.LimitExceeded as error:
                    return count, str(error).partition(" reached for ")[2].partition(";")[0]
        return 9, ""

    assert made("small") == (2, "team small")
    assert made("big", "o3") == (3, "team big")
    assert made("other") == (2, "team other")
    assert made(None) == (0, "model gpt-4o-mini")
    assert made(None, "gpt-4o") == (4, "model gpt-4o")


SETTINGS = """
[tool.promptopt.gateway.budget]
day = 5
week = 20
timezone = "Europe/Berlin"
reset_hour = 6
teams = {shop = {day = "0.0001", month = 1}, "*" = 1}
users = {"*" = "0.01"}
"""


def run(*arguments, code=0, **options):
    done = CliRunner().invoke(cli, arguments, **options)
    assert done.exit_code == code, done.output
    return done


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_status_shows_what_is_left_of_each(client, upstream, folder, store, request):
    text = SETTINGS
    if store == "redis":
        text = f'[tool.promptopt.gateway]\nredis = "{request.getfixturevalue("redis_server").url}"\n{SETTINGS}'
    (folder / "pyproject.toml").write_text(text)
    sdk = client()
    for team, user in (("shop", "ann\x1b[31m"), ("shop", "bob"), ("mail", "bob")):
        with promptopt.labels(team=team, user=user):
            ask(sdk, f"{team} {user}", **CAP)
    sdk.close()
    shown = run("gateway", "status").stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    found = {each["budget"].rpartition(":")[0]: each for each in json.loads(run("gateway", "status", "--json").stdout)}
    assert found["user:bob"]["spent_usd"] == pytest.approx(2 * 2.7e-6)
    assert found["team:mail"]["limit_usd"] == 1
    assert found["day"]["spent_usd"] == pytest.approx(3 * 2.7e-6)
    assert {"week", "team:shop", "user:ann\x1b[31m"} <= set(found)
    assert found["day"]["ends"].endswith(":00:00+00:00")
    lines = [line for line in shown.splitlines() if line.startswith("team:shop")]
    assert len(lines) == 2
    assert "5%" in lines[0]


def test_status_without_a_budget(folder):
    done = CliRunner().invoke(cli, ["gateway", "status"])
    assert isinstance(done.exception, UsageError)
    assert "has no budget" in str(done.exception)


def test_a_key_is_made_and_works(folder):
    done = run("gateway", "key", "the web")
    secret = done.stderr.split()[-1]
    assert secret not in done.stdout
    (folder / "pyproject.toml").write_text(done.stdout)
    assert find_key(key_ring(read_settings(load_config()).keys), secret).name == "the web"


def test_a_lost_budget_is_counted_again_from_the_ledger(client, upstream, folder):
    (folder / "pyproject.toml").write_text(SETTINGS)
    sdk = client()
    for number in range(4):
        with promptopt.labels(team="shop", user="bob", tenant="acme"):
            ask(sdk, f"question {number}", **CAP)
    sdk.close()
    before = run("gateway", "status", "--json").stdout
    for path in (folder / ".promptopt").glob("budget.sqlite*"):
        path.write_bytes(b"damage" * 999)
    assert "is damaged" in str(CliRunner().invoke(cli, ["gateway", "status"]).exception)
    done = run("gateway", "reset-budget", "--yes")
    assert "counted again from 4 calls in the ledger: day:" in done.stdout
    assert run("gateway", "status", "--json").stdout == before
    assert len(list((folder / ".promptopt").glob("budget.sqlite.before-*"))) >= 1
    with promptopt.labels(team="shop", user="bob", tenant="acme"), pytest.raises(promptopt.BudgetExceeded):
        ask(client(), "more", max_completion_tokens=200)
