"""The checks of lesson 09: what is right passes in any way of writing it, each mistake is named, nothing is raised."""

import math

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import rows


def bits_per_dimension(loss, image_shape):
    return loss / math.prod(image_shape) / np.log(2) + 8


def distances(z, codebook):
    return ((z[:, None] - codebook[None]) ** 2).sum(axis=-1)


def nearest_code(z, codebook):
    return distances(z, codebook).argmin(axis=1)


def nearest_in_a_loop(z, codebook):
    indices = []
    for row in z:
        indices.append(min(range(len(codebook)), key=lambda k: np.linalg.norm(row - codebook[k])))
    return indices


def nearest_by_expanding(z, codebook):
    return ops.argmin(ops.sum(ops.square(codebook), axis=1) - 2 * ops.matmul(z, ops.transpose(codebook)), axis=1)


def nearest_by_scikit_learn(z, codebook):
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(z, codebook)


RIGHT = {
    "bits_per_dimension": [
        bits_per_dimension,
        lambda v, s: (v / (s[0] * s[1] * s[2]) + math.log(256)) / math.log(2),
        lambda v, s: ops.convert_to_tensor(v) / np.prod(s) / math.log(2) + math.log2(256),
    ],
    "nearest_code": [
        nearest_code,
        nearest_in_a_loop,
        nearest_by_expanding,
        nearest_by_scikit_learn,
        lambda z, c: np.sqrt(distances(z, c)).argmin(1),
        lambda z, c: np.argsort(distances(z, c), axis=1)[:, 0].astype("float32"),
        lambda z, c: tf.argmin(tf.norm(z[:, None] - c, axis=-1), axis=1),
    ],
}

WRONG = {
    "bits_per_dimension": [
        (lambda v, s: v / np.prod(s) / np.log(2), "you forget the 256 steps"),
        (lambda v, s: v / np.prod(s) + np.log(256), "this is nats per dimension; divide by log 2"),
        (lambda v, s: v / np.prod(s), "Two things are missing"),
        (lambda v, s: v / np.prod(s) + 8, "you add 8 bits to a number in nats"),
        (lambda v, s: v / np.prod(s) / np.log(2) + np.log(256), "you add log 256, which is in nats"),
        (lambda v, s: v / np.prod(s) / np.log(2) - 8, "the wrong way"),
        (lambda v, s: -v / np.prod(s) / np.log(2) + 8, "`loss` is already *minus*"),
        (lambda v, s: -bits_per_dimension(v, s), "of the whole: fewer bits are better"),
        (lambda v, s: bits_per_dimension(v, s[:2]), "you forget the channels"),
        (lambda v, s: v / np.log(2) + 8, "but the loss is that of the whole image"),
        (lambda v, s: v / np.log(2) + 8 * np.prod(s), "the bits of the whole image; divide"),
        (lambda v, s: v / np.log(2), "the bits of the whole image, without"),
        (lambda v, s: v / np.prod(s) * np.log(2) + 8, "you multiply by log 2"),
        (lambda v, s: (v / np.prod(s) + np.log(256)) * np.log(2), "you multiply by log 2"),
        (lambda v, s: (v / np.prod(s) + np.log(255)) / np.log(2), "you count 255 steps"),
        (lambda v, s: (v / np.prod(s) + np.log(256)) / np.log(256), "this is in bytes"),
        (lambda v, s: (v + np.log(256)) / np.prod(s) / np.log(2), "once for the whole image"),
        (lambda v, s: bits_per_dimension(v, s).mean(), "one number for all images"),
        (lambda v, s: np.log2(v), "not finite"),
        (
            lambda v, s: np.array([(one / np.prod(s) + np.log(256)) / np.log(2) for one in v]),
            "for an array of losses it is right",
        ),
        (lambda v, s: (v / np.prod(s) + np.log(256)) / 0.693, "every value is off by one part in 4,709"),
        (lambda v, s: v / np.prod(s) / np.log(2) + 7, "every value is 1 too small"),
        (lambda v, s: (v / np.prod(s) + np.log(128)) / np.log(2), "every value is 1 too small"),
        (lambda v, s: 2 * bits_per_dimension(v, s), "every value is 2 times what it should be"),
        (lambda v, s: (v / np.sum(s) + np.log(256)) / np.log(2), "you add height, width and channels"),
        (lambda v, s: (v + np.log(256)) / np.prod(s), "two things. First, this is nats per dimension"),
        (lambda v, s: (v / np.prod(s) * np.log(256)) / np.log(2), "you multiply by log 256"),
        (lambda v, s: v / np.prod(s) / np.log(10) + 8, "the term loss / (dimensions · log 2) has the factor 0.301"),
        (lambda v, s: np.abs(bits_per_dimension(v, s)), "every value comes out without its sign"),
        (lambda v, s: bits_per_dimension(v, s[:2]), "you forget the channels"),
        (lambda v, s: bits_per_dimension(v, s) - 8, "you forget the 256 steps"),
        (lambda v, s: np.round(bits_per_dimension(v, s), 1), "the values are rounded to 1 decimals"),
        (
            lambda v, s: (v / 3072 + np.log(256)) / np.log(2),
            "these are the right results for `image_shape` = (32, 32, 3),",
        ),
        (lambda v, s: np.maximum(bits_per_dimension(v, s), 0), "negative values are set to 0"),
        (
            lambda v, s: 2 ** bits_per_dimension(v / 1000, s),
            "the term loss / (dimensions · log 2) has the factor 0.1789",
        ),
        (lambda v, s: v / np.prod(s) / np.log(2) + np.log2(255), "you count 255 steps"),
        (lambda v, s: v / np.prod(s) / np.log(256) + 1, "this is in bytes (256 steps in one unit)"),
        (lambda v, s: (v / np.prod(s) - np.log(256)) / np.log(2), "you take the 256 steps the wrong way"),
        (lambda v, s: (-v / np.prod(s) - np.log(256)) / np.log(2), "the sign is wrong, of the whole"),
        (
            lambda v, s: (v + np.prod(s) * np.log(256)) / np.log(2) / (s[0] * s[1]),
            "two things. First, you forget the channels",
        ),
    ],
    "nearest_code": [
        (lambda z, c: c[nearest_code(z, c)], "the nearest codes themselves"),
        (distances, "all squared distances"),
        (lambda z, c: np.sqrt(distances(z, c)), "all distances"),
        (lambda z, c: distances(z, c).min(1), "the smallest distances"),
        (lambda z, c: np.sqrt(distances(z, c).min(1)), "the smallest distances"),
        (lambda z, c: distances(z, c).argmax(1), "farthest away"),
        (lambda z, c: (z @ c.T).argmax(1), "the largest scalar product"),
        (lambda z, c: (z @ c.T).argmin(1), "the smallest scalar product"),
        (lambda z, c: (z @ c.T / np.linalg.norm(c, axis=1)).argmax(1), "the most similar direction"),
        (lambda z, c: distances(z, c).argmin(0), "along the wrong axis"),
        (lambda z, c: np.abs(z[:, None] - c).sum(-1).argmin(1), "you add up absolute differences"),
        (lambda z, c: np.abs(z[:, None] - c).max(-1).argmin(1), "the largest difference of the coordinates"),
        (lambda z, c: ((z[:, None] - c)[..., 0] ** 2).argmin(1), "the first coordinate only"),
        (lambda z, c: (z[:, None] - c).sum(-1).argmin(1), "are not squared"),
        (lambda z, c: (c - z[:, None]).sum(-1).argmin(1), "are not squared"),
        (lambda z, c: ((z[:, None] - c).sum(-1) ** 2).argmin(1), "added up before they are squared"),
        (lambda z, c: (2 * z @ c.T + (c**2).sum(1)).argmin(1), "the sign is wrong in"),
        (lambda z, c: ((c**2).sum(1) - z @ c.T).argmin(1), "the 2 is missing"),
        (lambda z, c: distances(z, c).argmin(), "argmin without an axis"),
        (lambda z, c: np.eye(len(c))[nearest_code(z, c)], "a table of 0 and 1"),
        (lambda z, c: nearest_code(z, c) + 1, "you count the codes from 1"),
        (lambda z, c: nearest_code(z, c)[:, None], "the result is a column"),
        (lambda z, c: np.zeros(len(z)), "every value is 0"),
        (lambda z, c: nearest_code(z, c)[1:], "the first one of axis 0 is left out"),
        (lambda z, c: nearest_code(z, c)[::-1], "the values are right, but in the opposite order along axis 0"),
        (lambda z, c: nearest_code(-z, c), "the sign is wrong in ‖z − c‖² = ‖z‖² − 2 z·c + ‖c‖²"),
        (
            lambda z, c: nearest_code(z.round(), c.round()),
            "these are the right results for each argument rounded to whole",
        ),
        (
            lambda z, c: nearest_code(z, c / np.linalg.norm(c, axis=1, keepdims=True)),
            "you take the code with the most similar direction",
        ),
        (lambda z, c: nearest_code(z - z.mean(0), c), "these are the right results for `z` minus its mean over axis 0"),
        (lambda z, c: np.argsort(distances(z, c), axis=1)[:, 1], "this is the second nearest code"),
        (lambda z, c: np.argsort(distances(z, c), axis=1), "these are the codes in the order of their distance"),
        (lambda z, c: np.sort(nearest_code(z, c)), "the values are right, but sorted"),
        (lambda z, c: len(c) - 1 - nearest_code(z, c), "these are the right results for `codebook` in the opposite"),
        (lambda z, c: distances(z[:, :1], c[:, :1]).argmin(axis=1), "you compare the first coordinate only"),
        (
            lambda z, c: distances(z[:, 1:], c[:, 1:]).argmin(axis=1),
            "these are the right results for each argument without its first",
        ),
        (lambda z, c: np.bincount(nearest_code(z, c)), "you count how often each code is the nearest"),
        (lambda z, c: np.unique(nearest_code(z, c)), "these are the codes that are nearest to some row"),
        (
            lambda z, c: ((z[:, None] - c) ** 2).prod(axis=-1).argmin(axis=1),
            "you multiply the differences of the coordinates",
        ),
        (
            lambda z, c: ((z[:, None] - c) ** 3).sum(axis=-1).argmin(axis=1),
            "you take the third power of the differences",
        ),
        (
            lambda z, c: np.argmin(np.abs(z.sum(1)[:, None] - c.sum(1)), axis=1),
            "the differences are added up before they are squared, so",
        ),
        (lambda z, c: nearest_code(z, c) * 2, "every value is 2 times what it should be"),
        (lambda z, c: [nearest_code(z, c)[0]] * len(z), "every row is the first one, repeated"),
        (
            lambda z, c: np.argmin(distances(z, c) + (c**2).sum(1), axis=1),
            "the 2 is missing in ‖z − c‖² = ‖z‖² − 2 z·c + ‖c‖²",
        ),
        (
            lambda z, c: np.argmin(np.linalg.norm(z[:, None] - c, axis=-1, ord=1), axis=1),
            "you add up absolute differences",
        ),
        (lambda z, c: distances(z / z.std(0), c / c.std(0)).argmin(axis=1), "some values are as they should be"),
        (lambda z, c: distances(z, c).argmin(axis=1) % 2, "the result is wrong only where the right value is above 1"),
        (lambda z, c: distances(c, z).argmin(axis=1), "you compare along the wrong axis"),
        (
            lambda z, c: np.argmin(np.abs(np.linalg.norm(z, axis=1)[:, None] - np.linalg.norm(c, axis=1)), axis=1),
            "some values are as they should be",
        ),
    ],
}


@pytest.mark.parametrize("name, function", rows(RIGHT))
def test_what_is_right_passes(said, name, function):
    assert f"{name} · right: " in said(name, function)


@pytest.mark.parametrize("name, function, phrase", rows(WRONG))
def test_a_mistake_is_named(said, name, function, phrase):
    text = said(name, function)
    assert phrase in text and "right: " not in text


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("nothing", [lambda *_: None, lambda *_: ...], ids=["None", "dots"])
def test_unfinished_is_not_yet(said, name, nothing):
    assert f"{name} · not yet: " in said(name, nothing)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("result", ["text", {}, 0.5, [1, 2], np.full(12, np.nan), np.zeros((2, 3, 4))], ids=str)
def test_nonsense_is_never_right(said, name, result):
    assert "right: " not in said(name, lambda *_: result)


@pytest.mark.parametrize("name", RIGHT)
def test_an_error_is_shown_as_the_students(said, name):
    def fails(first, second):
        return first[:, 0, 0, 0, 0]

    text = said(name, fails)
    assert "your code stopped with IndexError" in text and "first[:, 0, 0, 0, 0]" in text
