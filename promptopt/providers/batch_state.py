"""The state of a batch job on disk: what was uploaded and submitted, so that a crash loses nothing that was paid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from promptopt.errors import InputError
from promptopt.files import replace_file, show_path
from promptopt.values import sha256_hex


@dataclass(slots=True)
class Chunk:
    """One batch of a job. The identifiers are filled in as the provider gives them.

    Attributes:
        round: 0 for the first submission, 1 for what expired in it, and so on.
        indices: Which requests of the job it holds.
    """

    name: str
    round: int
    indices: list[int]
    file_id: str | None = None
    batch_id: str | None = None


class Job:
    """A job and its batches."""

    def __init__(self, path: Path, number: str, chunks: list[Chunk]) -> None:
        self._path = path
        self.number = number
        self._chunks = chunks

    @classmethod
    def of(cls, folder: Path, digests: Sequence[str]) -> Job:
        """The job of these requests, as it was left or new.

        Raises:
            InputError: Its file is broken.
        """
        number = sha256_hex("\n".join(digests))[:24]
        path = folder / f"{number}.json"
        try:
            chunks = [Chunk(**row) for row in json.loads(path.read_text(encoding="utf-8"))["batches"]]
        except FileNotFoundError:
            chunks = []
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=show_path(path)) from None
        except (ValueError, KeyError, TypeError):
            raise InputError(
                "is not the state of a batch",
                path=show_path(path),
                remedy="delete it to submit the requests again; what was submitted before stays paid",
            ) from None
        return cls(path, number, chunks)

    def round(self, number: int) -> list[Chunk]:
        """The batches of a round."""
        return [chunk for chunk in self._chunks if chunk.round == number]

    def add(self, round_: int, indices: Sequence[int]) -> None:
        """Lay out a batch and note it."""
        name = f"{self.number}-{round_}-{len(self.round(round_))}"
        self._chunks.append(Chunk(name, round_, list(indices)))
        self.save()

    def save(self) -> None:
        """Write the state, whole or not at all. Raises InputError where the disk does not take it."""
        replace_file(self._path, json.dumps({"v": 1, "batches": [asdict(chunk) for chunk in self._chunks]}) + "\n")

    def forget(self) -> None:
        """The job is done."""
        self._path.unlink(missing_ok=True)
