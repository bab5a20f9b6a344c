"""The checks of lesson 09: what is right passes in any way of writing it, each mistake is named, nothing is raised."""

import math

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import rows


def bits_per_dimension(loss, image_shape):
    return loss / math.prod(image_shape) / np.log(2) + 8


def device_share(losses, global_batch):
    return losses.sum() / global_batch


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
    "device_share": [
        device_share,
        lambda v, g: ops.sum(v) / g,
        lambda v, g: tf.nn.compute_average_loss(v, global_batch_size=g),
        lambda v, g: sum(float(one) for one in v) / g,
        lambda v, g: np.mean(v) * len(v) / g if len(v) else 0.0,
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
    ],
    "device_share": [
        (lambda v, g: v.mean(), "the mean over the device's own images"),
        (lambda v, g: ops.mean(v), "the mean over the device's own images"),
        (lambda v, g: v.sum(), "this is the sum"),
        (lambda v, g: v.mean() / 2, "equal shares only"),
        (lambda v, g: v.mean() / g, "you divide twice"),
        (lambda v, g: v / g, "the parts of each image"),
        (lambda v, g: v, "the losses as they came"),
        (lambda v, g: v.sum() * g, "you multiply by `global_batch`; divide"),
        (lambda v, g: v.mean() * g, "you multiply by `global_batch`; every image"),
        (lambda v, g: v.sum() / (g - len(v)), "the *other* devices"),
        (lambda v, g: v.sum() // g, "you round down"),
        (lambda v, g: len(v) / g, "without its losses"),
        (lambda v, g: -v.sum() / g, "the sign is wrong"),
        (lambda v, g: v.sum() / np.sqrt(g), "a root of the batch"),
        (lambda v, g: v.mean() / (g // max(len(v), 1)), "the shares differ"),
        (lambda v, g: v.mean() * len(v) / g, "a device that got no image"),
        (lambda v, g: v.sum() / g if len(v) else 1.0, "a device that got no image"),
        (lambda v, g: v.max() / g, "the largest"),
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
