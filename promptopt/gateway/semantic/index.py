"""An index of unit vectors in memory: which ones are as similar as a threshold asks for, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LONGEST_QUESTION = 4_000
"""Characters: a longer text is no question, and the mean of its words says little."""
MOST_COMPARED = 20
"""Similar questions that are compared in their facts."""
# From so many numbers on, most vectors are ruled out by a part of them.
_LARGE = 1 << 20
_HEAD = 48
_SAMPLE = 2000
# What sums of float32 may be off by.
_SLACK = 1e-4


class VectorIndex:
    """Vectors in the order in which they were added.

    A large index looks at a *head* of each vector first: its parts along the directions in which the vectors are
    longest, and the length of what remains. The cosine of two unit vectors is at most the product of their heads plus
    the product of those lengths (Cauchy and Schwarz), so that only vectors whose bound reaches the threshold are
    compared in full: nothing is missed.
    """

    def __init__(self, dimensions: int) -> None:
        import numpy as np

        self._vectors = np.empty((64, dimensions), dtype=np.float32)
        self._heads: np.ndarray | None = None
        self._basis: np.ndarray | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def dimensions(self) -> int:
        """Numbers of each vector."""
        return self._vectors.shape[1]

    def add(self, vectors: np.ndarray) -> None:
        """Add unit vectors in float32, shape (vectors, dimensions)."""
        end = self._count + len(vectors)
        self._vectors = _grown(self._vectors, self._count, end)
        self._vectors[self._count : end] = vectors
        if self._basis is not None and self._heads is not None:
            self._heads = _grown(self._heads, self._count, end)
            self._heads[self._count : end] = self._headed(vectors)
        elif end * self.dimensions >= _LARGE and self.dimensions > _HEAD:
            self._basis = _directions(self._vectors[:end])
            self._heads = self._headed(self._vectors[:end])
        self._count = end

    def _headed(self, vectors: np.ndarray) -> np.ndarray:
        import numpy as np

        assert self._basis is not None
        head = vectors @ self._basis
        rest = np.maximum((vectors**2).sum(axis=1) - (head**2).sum(axis=1), 0.0)
        return np.column_stack((head, np.sqrt(rest))).astype(np.float32)

    def similar(self, vector: np.ndarray, threshold: float) -> list[tuple[float, int]]:
        """Cosine and place of the vectors that reach the threshold, the most similar first."""
        import numpy as np

        if self._heads is None:
            cosines = self._vectors[: self._count] @ vector
            places = np.flatnonzero(cosines >= threshold)
            found = cosines[places]
        else:
            bounds = self._heads[: self._count] @ self._headed(vector[None])[0]
            places = np.flatnonzero(bounds >= threshold - _SLACK)
            found = self._vectors[places] @ vector
            places, found = places[found >= threshold], found[found >= threshold]
        return sorted(zip(found.tolist(), places.tolist(), strict=True), reverse=True)


def _grown(array: np.ndarray, used: int, wanted: int) -> np.ndarray:
    import numpy as np

    if wanted <= len(array):
        return array
    larger = np.empty((max(wanted, len(array) * 3 // 2), array.shape[1]), dtype=np.float32)
    larger[:used] = array[:used]
    return larger


def _directions(vectors: np.ndarray) -> np.ndarray:
    """The directions in which a sample of vectors is longest, as columns: eigenvectors of its second moments."""
    import numpy as np

    sample = vectors[:: max(1, len(vectors) // _SAMPLE)]
    _, columns = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    return np.ascontiguousarray(columns[:, -_HEAD:], dtype=np.float32)
