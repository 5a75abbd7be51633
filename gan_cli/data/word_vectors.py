"""Vectors of words: from a file in a common text format, or from the tags that images have in common."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from scipy.sparse import csr_matrix

MAX_BYTES = 2**34  # of a file; GloVe's largest has 6 GB
MAX_SIZE = 4096  # numbers of a vector
_LINE = 2**20  # bytes
_MORE, _POWERS = 20, 8  # dimensions beside those that are wanted, and powers of the matrix
_NEAR_ZERO = 1e-4  # of the greatest length: a shorter vector has lost its word


class VectorFile:
    """A text file of a word and its vector a line, as GloVe's (Pennington et al. 2014) or word2vec's with its header.

    Args:
        path: of the file.

    Attributes:
        size: numbers of a vector.

    Raises:
        OSError: it cannot be read.
        ValueError: it has another format, or is too large.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(os.path.expanduser(path))
        if self.path.stat().st_size > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES:,} bytes")
        with open(self.path, "rb") as file:
            first = _line(file).split()
            self._has_header = len(first) == 2 and all(part.isdigit() for part in first)
            self.size = int(first[1]) if self._has_header else len(first) - 1
        if not 1 <= self.size <= MAX_SIZE:
            raise ValueError(
                f"its first line gives vectors of {self.size} numbers; a line is a word and at most {MAX_SIZE:,} "
                "numbers, as in the text formats of GloVe and word2vec"
            )

    def read(self, words: Sequence[str]) -> np.ndarray:
        """Return the vectors (V, size) float32 of words; rows of NaN for those that are not in the file.

        A word is looked up as it is, then in small letters, then with `_` in place of spaces.

        Raises:
            OSError: the file cannot be read.
            ValueError: a line with another number of numbers, or with something else than numbers.
        """
        wanted: dict[bytes, list[tuple[int, int]]] = {}
        for row, word in enumerate(words):
            forms = (word, word.lower(), word.replace(" ", "_"), word.lower().replace(" ", "_"))
            for rank, form in enumerate(dict.fromkeys(forms)):
                wanted.setdefault(form.encode(), []).append((row, rank))
        found, ranks = np.full((len(words), self.size), np.nan, dtype=np.float32), [len(wanted)] * len(words)
        for number, word, numbers in self._lines():
            for row, rank in wanted.get(word, ()):
                if rank < ranks[row]:
                    found[row], ranks[row] = _vector(numbers, number), rank
        return found

    def _lines(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        """Yield each line's number, word and numbers."""
        with open(self.path, "rb") as file:
            number = 0
            while line := _line(file):
                number += 1
                if number == 1 and self._has_header:
                    continue
                (*word,) = line.split()
                cut = max(len(word) - self.size, 1)
                if len(word) <= self.size or (cut > 1 and _is_number(word[cut - 1])):
                    raise ValueError(
                        f"vectors of different sizes: line {number:,} has {len(word) - 1} numbers, and the first "
                        f"{self.size}"
                    )
                yield number, b" ".join(word[:cut]), word[cut:]


def cooccurrence_vectors(tags: Sequence[Sequence[int]], n_words: int, size: int) -> np.ndarray:
    """Return vectors (V, size) float32 of words by the images that have them in common; rows of NaN for lost words.

    They are U sqrt(S) of the truncated singular value decomposition of the matrix of positive pointwise mutual
    information, max(0, log p(a, b) / (p(a) p(b))) (Levy, Goldberg and Dagan 2015, sections 2.2 and 3.3). A context of a
    word is each word of an image that has it, itself too: a word that is always alone has a vector.

    Args:
        tags: the words of each image.
        n_words: V.
        size: numbers of a vector, below V.

    Raises:
        ValueError: as many numbers as words, or more.
    """
    if size >= n_words:
        raise ValueError(f"{n_words} words have vectors of at most {n_words - 1} numbers")
    columns = [word for image in tags for word in image]
    rows = np.repeat(np.arange(len(tags)), [len(image) for image in tags])
    has = csr_matrix((np.ones(len(columns)), (rows, columns)), shape=(len(tags), n_words))
    together = (has.T @ has).tocoo()
    of_word = np.asarray(together.sum(axis=1)).ravel()
    with np.errstate(divide="ignore"):
        information = np.log(together.data * of_word.sum() / (of_word[together.row] * of_word[together.col]))
    positive = csr_matrix((np.maximum(information, 0), (together.row, together.col)), shape=together.shape)
    values, u = _largest(positive, size)
    vectors = u * np.sqrt(np.abs(values))
    lengths = np.linalg.norm(vectors, axis=1)
    vectors[lengths < _NEAR_ZERO * lengths.max()] = np.nan
    return vectors.astype(np.float32)


def _largest(symmetric: csr_matrix, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k eigenvalues of the largest magnitude, and their vectors (V, k): singular values but for the sign.

    By the subspace that powers of the matrix take random vectors to (Halko, Martinsson and Tropp 2011, algorithms 4.4
    and 5.3): the same each time, where ARPACK draws new vectors once a subspace is exhausted.
    """
    n = symmetric.shape[0]
    basis = np.random.default_rng(0).standard_normal((n, min(n, k + _MORE)))
    for _ in range(_POWERS):
        basis, _ = np.linalg.qr(symmetric @ basis)
    values, vectors = np.linalg.eigh(basis.T @ (symmetric @ basis))
    order = np.argsort(-np.abs(values), kind="stable")[:k]
    return values[order], basis @ vectors[:, order]


def _line(file: BinaryIO) -> bytes:
    line = file.readline(_LINE)
    if len(line) == _LINE:
        raise ValueError(f"a line of {_LINE:,} bytes or more: not a text of words and numbers")
    return line


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _vector(numbers: Sequence[bytes], line: int) -> list[float]:
    try:
        vector = [float(number) for number in numbers]
    except ValueError as error:
        raise ValueError(f"line {line:,}: {error}") from error
    if not all(map(math.isfinite, vector)):
        raise ValueError(f"line {line:,}: a number that is not finite")
    return vector
