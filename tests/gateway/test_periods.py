"""Days, weeks and months in a time zone: each moment is in exactly one, and clocks may change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.errors import UsageError
from promptopt.gateway.periods import PERIOD_KINDS, Calendar

# Clocks that change at midnight, by half an hour, twice a year in the south; days that were left out or came twice.
ODD = ["Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]
ODD += ["America/Sao_Paulo", "America/St_Johns", "Africa/Casablanca", "Asia/Beirut", "Pacific/Kwajalein", "UTC"]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
zones = st.one_of(st.sampled_from(ODD), st.sampled_from(sorted(available_timezones())))
calendars = st.builds(Calendar, zones, st.integers(0, 23), st.sampled_from(WEEKDAYS))
moments = st.floats(0, 4e9, allow_nan=False)
kinds = st.sampled_from(PERIOD_KINDS)
DAY = 86400.0


@given(calendars, kinds, moments)
@settings(max_examples=400, deadline=None)
def test_a_moment_is_in_its_period_and_the_next_one_follows(calendar, kind, now):
    period = calendar.period(kind, now)
    assert period.start <= now < period.end
    assert calendar.period(kind, period.start).name == period.name
    assert calendar.period(kind, period.end - 1e-3).name == period.name
    after = calendar.period(kind, period.end)
    assert after.start == period.end
    assert after.name > period.name


@given(calendars, kinds, moments, st.floats(0, 40 * DAY))
@settings(max_examples=300, deadline=None)
def test_names_never_come_back(calendar, kind, now, later):
    first, second = calendar.period(kind, now), calendar.period(kind, now + later)
    assert first.name <= second.name
    assert (first.name == second.name) == (now + later < first.end)


@given(calendars, moments)
@settings(deadline=None)
def test_how_long_they_are(calendar, now):
    lengths = {
        kind: (period.end - period.start) / DAY for kind in PERIOD_KINDS for period in [calendar.period(kind, now)]
    }
    # A day may be left out or come twice when a zone crosses the date line.
    assert 0 < lengths["day"] <= 2.1
    assert 5.9 <= lengths["week"] <= 8.1
    assert 26.9 <= lengths["month"] <= 32.1


@given(calendars, moments)
@settings(deadline=None)
def test_a_day_begins_at_its_hour_on_the_wall(calendar, now):
    start = calendar.period("day", now).start
    wall = datetime.fromtimestamp(start, ZoneInfo(calendar.timezone))
    before = datetime.fromtimestamp(start - 1, ZoneInfo(calendar.timezone))
    changed = wall.utcoffset() != before.utcoffset()
    assert changed or (wall.hour, wall.minute) == (calendar.reset_hour, 0)


@given(st.dates(date(1971, 1, 1), date(2090, 1, 1)))
def test_in_utc_they_are_those_of_the_calendar(day):
    now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    found = {kind: Calendar().period(kind, now) for kind in PERIOD_KINDS}
    year, week, _ = day.isocalendar()
    assert [found[kind].name for kind in PERIOD_KINDS] == [f"{day}", f"{year}-W{week:02}", f"{day:%Y-%m}"]
    assert found["day"].end - found["day"].start == DAY
    last = datetime.fromtimestamp(found["month"].end - DAY, UTC).date()
    assert last.month == day.month
    assert (last + timedelta(days=1)).day == 1


def at(zone, *when, fold=0):
    return datetime(*when, tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("zone", "hour", "when", "fold", "name", "hours"),
    [
        ("Europe/Berlin", 0, (2026, 3, 29, 12), 0, "2026-03-29", 23),
        ("Europe/Berlin", 0, (2026, 10, 25, 12), 0, "2026-10-25", 25),
        ("Europe/Berlin", 6, (2026, 3, 29, 5, 59), 0, "2026-03-28", 23),
        ("Europe/Berlin", 6, (2026, 3, 29, 6), 0, "2026-03-29", 24),
        # Two o'clock does not exist, or comes twice.
        ("Europe/Berlin", 2, (2026, 3, 29, 3), 0, "2026-03-29", 23),
        ("Europe/Berlin", 2, (2026, 10, 25, 2, 30), 0, "2026-10-25", 25),
        ("Europe/Berlin", 2, (2026, 10, 25, 2, 30), 1, "2026-10-25", 25),
        ("America/Havana", 0, (2026, 11, 1, 0, 30), 1, "2026-11-01", 25),
        ("Pacific/Apia", 0, (2011, 12, 31, 12), 0, "2011-12-31", 24),
        ("Asia/Kathmandu", 9, (2026, 1, 1, 8, 59), 0, "2025-12-31", 24),
    ],
)
def test_clocks_that_change(zone, hour, when, fold, name, hours):
    period = Calendar(zone, hour).period("day", at(zone, *when, fold=fold))
    assert (period.name, (period.end - period.start) / 3600) == (name, hours)


@pytest.mark.parametrize(
    ("start", "when", "name"),
    [
        ("monday", (2026, 1, 1), "2026-W01"),
        ("monday", (2027, 1, 3), "2026-W53"),
        ("monday", (2027, 1, 4), "2027-W01"),
        ("sunday", (2027, 1, 3), "2027-W01"),
        ("sunday", (2027, 1, 2), "2026-W53"),
        ("saturday", (2024, 12, 28), "2025-W01"),
    ],
)
def test_weeks_at_the_end_of_the_year(start, when, name):
    assert Calendar(week_start=start).period("week", at("UTC", *when)).name == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timezone": "Europe/Berln"}, "Did you mean 'Europe/Berlin'"),
        ({"timezone": "../etc/passwd"}, "is not a time zone"),
        ({"timezone": ""}, "is not a time zone"),
        ({"reset_hour": 24}, "not an hour from 0 to 23"),
        ({"reset_hour": -1}, "not an hour"),
        ({"reset_hour": True}, "not an hour"),
        ({"week_start": "mon"}, "is not one of monday"),
    ],
)
def test_bad_calendars(arguments, message):
    with pytest.raises(UsageError, match=message):
        Calendar(**arguments)
