"""What a process knows of a file that nobody else uses, so that it need not ask the file for what is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from promptopt.gateway.stores.neighbours import Neighbours

# Some 70 bytes each.
MOST_KEYS = 50_000


class KnownKeys:
    """The keys of a file, by their hashes: all that were read from it, and all that this process has put there.

    They count for as long as no other process has come since they were read. A key too many costs a look into the file
    and nothing else; so does one that was deleted.
    """

    def __init__(self, neighbours: Neighbours, wanted: Callable[[], object]) -> None:
        """Nothing is known yet; ``wanted`` is called when somebody, in another thread, is to call :meth:`read`."""
        self._neighbours = neighbours
        self._wanted = wanted
        self._asked: int | None = None
        self._good: int | None = None
        self._hashes: set[int] = set()
        self._full = False

    def may_have(self, key: str) -> bool:
        """Whether the file may have a key; ``False`` if that cannot be."""
        neighbours = self._neighbours
        if self._full or not neighbours.alone_just_now():
            return True
        seen = neighbours.looks
        if seen == self._good:
            # In this order: what gives up does so before it forgets.
            return hash(key) in self._hashes or self._full
        if seen != self._asked and neighbours.settled:
            self._asked = seen
            self._wanted()
        return True

    def add(self, key: str) -> None:
        """This process puts a key there."""
        self._hashes.add(hash(key))
        self._bound()

    def read(self, keys: Callable[[int], Sequence[str]]) -> None:
        """Learn all keys, if that was wanted.

        Args:
            keys: Gives at most so many keys of the file.
        """
        asked = self._asked
        if asked is None or asked == self._good or self._full:
            return
        self._hashes.update(map(hash, keys(MOST_KEYS + 1)))
        self._good = asked
        self._bound()

    def _bound(self) -> None:
        """Give up on a file that has too many."""
        if len(self._hashes) > MOST_KEYS:
            self._full = True
            self._hashes = set()

    def forget(self) -> None:
        """In a forked child nothing is known."""
        self._asked = self._good = None
