"""Vectors of words: the text formats of GloVe and word2vec, and vectors made of what images have in common."""

import numpy as np
import pytest

from gan_cli.data import word_vectors
from gan_cli.data.word_vectors import VectorFile, cooccurrence_vectors

GLOVE = "cat 1 0 0.5\nred_hair 0 1 0\nUS 0 0 1\nus 0.5 0.5 0\nat name@x.org 9 9 9\n"


def written(tmp_path, text):
    path = tmp_path / "vectors.txt"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("head", ["", "5 3\n"])
def test_glove_and_word2vec(tmp_path, head):
    file = VectorFile(written(tmp_path, head + GLOVE))
    assert file.size == 3
    found = file.read(["us", "red hair", "dog", "Cat", "US", "at name@x.org"])
    assert found.dtype == np.float32
    expected = [[0.5, 0.5, 0], [0, 1, 0], [np.nan] * 3, [1, 0, 0.5], [0, 0, 1], [9, 9, 9]]
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float32))


def test_a_word_as_it_is_goes_before_its_small_letters(tmp_path):
    file = VectorFile(written(tmp_path, "us 1 0\nUS 0 1\n"))
    np.testing.assert_array_equal(file.read(["US", "Us"]), [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 1 2\nb 1\n", "vectors of different sizes: line 2 has 1 numbers, and the first 2"),
        ("a 1 2\nb 1 2 3\n", "vectors of different sizes: line 2 has 3 numbers, and the first 2"),
        ("2 3\na 1 2\n", "vectors of different sizes: line 2 has 2 numbers, and the first 3"),
        ("a 1 2\nb 1 x\n", "line 2: could not convert string to float: b'x'"),
        ("a 1 2\nb 1 nan\n", "line 2: a number that is not finite"),
        ("", "its first line gives vectors of -1 numbers"),
        ("a 1 2\nb " + "1" * 2**20, "a line of 1,048,576 bytes or more"),
        ("3 5000\n", "its first line gives vectors of 5000 numbers; a line is a word and at most 4,096 numbers"),
    ],
)
def test_other_files_are_refused(tmp_path, text, expected):
    with pytest.raises(ValueError, match=expected.replace("(", r"\(")):
        VectorFile(written(tmp_path, text)).read(["a", "b"])


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(word_vectors, "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        VectorFile(written(tmp_path, GLOVE))


def cosine(vectors, a, b):
    return float(vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b]))


IMAGES = [[0, 1, 2], [0, 1], [0, 1, 2], [3, 4], [3, 4, 5], [3, 5], [6]] * 3


def test_words_of_the_same_images_are_near_each_other():
    vectors = cooccurrence_vectors(IMAGES, 7, 4)
    assert vectors.shape == (7, 4)
    assert cosine(vectors, 0, 1) == pytest.approx(1, abs=1e-5)
    assert cosine(vectors, 0, 2) > 0.7
    assert abs(cosine(vectors, 0, 3)) < 0.1
    assert np.array_equal(vectors, cooccurrence_vectors(IMAGES, 7, 4))


def test_inner_products_are_the_pointwise_mutual_information():
    has = np.zeros((len(IMAGES), 7))
    for row, words in zip(has, IMAGES, strict=True):
        row[words] = 1
    together = has.T @ has
    p, single = together / together.sum(), together.sum(axis=0) / together.sum()
    with np.errstate(divide="ignore"):
        information = np.maximum(np.log(p / np.outer(single, single)), 0)
    vectors = cooccurrence_vectors(IMAGES, 7, 6).astype(np.float64)
    values = np.linalg.eigvalsh(information)
    assert values.min() > -0.1  # here nearly positive: the largest singular values are eigenvalues
    np.testing.assert_allclose(vectors @ vectors.T, information, atol=0.3)
    np.testing.assert_allclose(np.sort((vectors**2).sum(axis=0))[::-1], np.sort(np.abs(values))[::-1][:6], rtol=1e-4)


def test_too_few_numbers_lose_words_and_too_many_are_refused():
    alone = [[0, 1]] * 9 + [[2]] * 3
    assert np.isnan(cooccurrence_vectors(alone, 3, 1)).all(axis=1).any()
    with pytest.raises(ValueError, match="3 words have vectors of at most 2 numbers"):
        cooccurrence_vectors(alone, 3, 3)
