"""Flows on a simulated clock: what the layers would have done with calls that came at known times.

A discrete-event simulation: the clock jumps from one event to the next, so that days of calls take seconds. Layers and
stores are those of production; only the model's answers and how long it takes are given.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import CallFailed, Refused
from promptopt.gateway.flow import Effect, Flow, Handler, Send, Sleep, Wait

Answering = Callable[[Call], tuple[float, Answer | CallFailed]]
"""What the model does with a call that is sent: the seconds it takes, and the answer or the failure.

A call that failed is given as ``CallFailed``; an answer without usage is billed at what its request costs at worst."""


class SimulatedClock:
    """A clock that only the simulation moves, and ``sleep`` outside of a flow."""

    def __init__(self, start: float = 0.0) -> None:
        self.now = start

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call, and when it is made: in seconds since 1970, as the clock says."""

    at: float
    call: Call


@dataclass(frozen=True, slots=True)
class SimulatedOutcome:
    """What became of an arrival.

    Attributes:
        ended_at: When the caller had the answer or the error.
        answer: The answer; ``None`` if there is an error.
    """

    arrival: Arrival
    ended_at: float
    answer: Answer | None = None
    error: CallFailed | Refused | None = None


def simulate(
    handler: Handler, arrivals: Iterable[Arrival], upstream: Answering, clock: SimulatedClock
) -> list[SimulatedOutcome]:
    """The outcome of each call, in the order of the arrivals.

    Args:
        handler: Of a gateway that was built with ``clock``, memory stores and a seeded random source.
        upstream: Asked when a call is sent, at the clock's time.

    Raises:
        ValueError: A call came before the clock's time.
        RuntimeError: A call waits for something that never comes.
    """
    return _Simulation(handler, upstream, clock).outcomes(list(arrivals))


class _Simulation:
    """Events in the order of their time, and of their making if the times are the same."""

    def __init__(self, handler: Handler, upstream: Answering, clock: SimulatedClock) -> None:
        self._handler = handler
        self._upstream = upstream
        self._clock = clock
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._ended: dict[int, SimulatedOutcome] = {}

    def outcomes(self, arrivals: list[Arrival]) -> list[SimulatedOutcome]:
        if any(arrival.at < self._clock.now for arrival in arrivals):
            raise ValueError(f"a call comes before the clock's time, {self._clock.now}")
        for number, arrival in enumerate(arrivals):
            self._at(arrival.at, _Process(self, number, arrival).start)
        while self._events:
            self._clock.now, _, event = heapq.heappop(self._events)
            event()
        if len(self._ended) < len(arrivals):
            raise RuntimeError(f"{len(arrivals) - len(self._ended)} calls wait for something that never comes")
        return [self._ended[number] for number in range(len(arrivals))]

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let something happen in so many seconds."""
        self._at(self._clock.now + max(0.0, seconds), event)

    def begin(self, call: Call) -> Flow:
        return self._handler(call)

    def ask(self, call: Call) -> tuple[float, Answer | CallFailed]:
        return self._upstream(call)

    def end(self, number: int, arrival: Arrival, answer: Answer | None, error: CallFailed | Refused | None) -> None:
        self._ended[number] = SimulatedOutcome(arrival, self._clock.now, answer, error)


class _Process:
    """One call on its way through the layers."""

    def __init__(self, simulation: _Simulation, number: int, arrival: Arrival) -> None:
        self._simulation = simulation
        self._number = number
        self._arrival = arrival

    def start(self) -> None:
        self._flow = self._simulation.begin(self._arrival.call)
        self._go_on(None)

    def _go_on(self, result: Any) -> None:
        self._advance(lambda: self._flow.send(result))

    def _fail(self, error: BaseException) -> None:
        self._advance(lambda: self._flow.throw(error))

    def _advance(self, step: Callable[[], Effect]) -> None:
        """Go on to the next effect, and arrange for its end."""
        try:
            effect = step()
        except StopIteration as stop:
            self._simulation.end(self._number, self._arrival, stop.value, None)
        except (CallFailed, Refused) as error:
            self._simulation.end(self._number, self._arrival, None, error)
        else:
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            seconds, outcome = self._simulation.ask(effect.call)
            end = partial(self._fail, outcome) if isinstance(outcome, CallFailed) else partial(self._go_on, outcome)
            self._simulation.after(seconds, end)
        elif isinstance(effect, Sleep):
            self._simulation.after(effect.seconds, partial(self._go_on, None))
        elif isinstance(effect, Wait):
            self._wait(effect)
        else:
            try:
                result = effect.function()
            except Exception as error:  # noqa: BLE001 - the flow sees every error
                self._fail(error)
            else:
                self._go_on(result)

    def _wait(self, effect: Wait) -> None:
        """Go on when the future is done, or its time is over; whichever comes first."""
        waiting = [True]

        def end(done: bool) -> None:
            if waiting:
                waiting.clear()
                self._go_on(done)

        effect.future.add_done_callback(lambda _: self._simulation.after(0, partial(end, True)))
        if effect.timeout_s is not None:
            self._simulation.after(effect.timeout_s, partial(end, False))
