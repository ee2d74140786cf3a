"""Days, weeks and months of a budget: when they begin in a time zone, at an hour of the clock on the wall."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from promptopt.errors import UsageError, did_you_mean

PeriodKind = Literal["day", "week", "month"]
PERIOD_KINDS: tuple[PeriodKind, ...] = get_args(PeriodKind)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A day, a week or a month.

    Attributes:
        name: ``2026-11-21``, ``2026-W47`` or ``2026-11``.
        start: When it begins, in seconds since 1970; so is ``end``, which is no longer in it.
    """

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Calendar:
    """When periods begin.

    A day begins when the clocks of the zone show the hour for the first time, or pass it. So one with a change of
    clocks has 23 or 25 hours, and one that a zone leaves out has none.

    Attributes:
        timezone: A name of the IANA database, such as ``Europe/Berlin``.
        reset_hour: The hour at which days begin, 0 to 23; weeks and months begin with their first day.
        week_start: The day of the week that weeks begin with, as in ``monday``.

    Raises:
        UsageError: There is no such zone, hour or day.
    """

    timezone: str = "UTC"
    reset_hour: int = 0
    week_start: str = "monday"

    def __post_init__(self) -> None:
        if self.timezone != "UTC":
            _zone(self.timezone)
        if isinstance(self.reset_hour, bool) or not isinstance(self.reset_hour, int) or not 0 <= self.reset_hour <= 23:
            raise UsageError(f"budget reset_hour = {self.reset_hour!r} is not an hour from 0 to 23")
        if self.week_start not in _DAYS:
            raise UsageError(f"budget week_start = {self.week_start!r} is not one of {', '.join(_DAYS)}")

    def period(self, kind: PeriodKind, now: float) -> Period:
        """The period that a moment, in seconds since 1970, is in."""
        day = self._day(now)
        if kind == "day":
            return Period(day.isoformat(), self._start(day), self._start(day + _ONE_DAY))
        if kind == "month":
            first = day.replace(day=1)
            after = (first + timedelta(days=31)).replace(day=1)
            return Period(f"{first:%Y-%m}", self._start(first), self._start(after))
        first = day - timedelta(days=(day.weekday() - _DAYS.index(self.week_start)) % 7)
        # Named by the ISO week that most of its days are in.
        year, week, _ = (first + timedelta(days=3)).isocalendar()
        return Period(f"{year}-W{week:02}", self._start(first), self._start(first + timedelta(days=7)))

    def _day(self, now: float) -> date:
        """The latest day that has begun."""
        day = datetime.fromtimestamp(now, _zone(self.timezone)).date()
        while self._start(day) > now:
            day -= _ONE_DAY
        while self._start(day + _ONE_DAY) <= now:
            day += _ONE_DAY
        return day

    def _start(self, day: date) -> float:
        return _moment(self.timezone, self.reset_hour, day)


@lru_cache(maxsize=64)
def _moment(timezone: str, hour: int, day: date) -> float:
    # Of an hour that comes twice the first (fold 0); of one that is left out, the moment of the change.
    return datetime.combine(day, time(hour), _zone(timezone)).timestamp()


@lru_cache(maxsize=16)
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        from zoneinfo import available_timezones

        hint = did_you_mean(str(name), available_timezones())
        raise UsageError(
            f"budget timezone = {name!r} is not a time zone such as 'Europe/Berlin'.{hint} If none is known here, "
            "install their database: pip install tzdata"
        ) from None
