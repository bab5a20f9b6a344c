"""The checks of lesson 09: what is right passes in any way of writing it, each mistake is named, nothing is raised."""

import math

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy.special import expit
from scipy.stats import logistic, norm
from tables import rows


def bits_per_dimension(loss, image_shape):
    return loss / math.prod(image_shape) / np.log(2) + 8


def step_probability(level, mean, scale):
    upper = np.where(level == 255, 1.0, expit((level + 0.5 - mean) / scale))
    lower = np.where(level == 0, 0.0, expit((level - 0.5 - mean) / scale))
    return upper - lower


def without_tails(level, mean, scale):
    return expit((level + 0.5 - mean) / scale) - expit((level - 0.5 - mean) / scale)


def steps_by_ends(level, mean, scale):
    """The ends of each step, with infinity at both ends of the scale."""
    ends = np.array([-np.inf, *np.arange(0.5, 255), np.inf])
    upper, lower = (expit((ends[level.astype(int) + i] - mean) / scale) for i in (1, 0))
    return upper - lower


def steps_by_scipy(level, mean, scale):
    upper, lower = (logistic.cdf(level + half, mean, scale) for half in (0.5, -0.5))
    return np.where(level == 255, 1, upper) - np.where(level == 0, 0, lower)


def steps_by_tensorflow(level, mean, scale):
    upper = tf.where(level > 254.5, 1.0, tf.sigmoid((level + 0.5 - mean) / scale))
    return upper - tf.where(level < 0.5, 0.0, tf.sigmoid((level - 0.5 - mean) / scale))


def steps_that_overflow(level, mean, scale):
    def sigmoid(t):
        return np.exp(t) / (1 + np.exp(t))

    upper = np.where(level == 255, 1.0, sigmoid((level + 0.5 - mean) / scale))
    return upper - np.where(level == 0, 0.0, sigmoid((level - 0.5 - mean) / scale))


def steps_below_zero(level, mean, scale):
    """As if the scale were at least 4, and a rounding left minus a little."""
    return step_probability(level, mean, np.maximum(scale, 4)) - 1e-9 * (scale < 4)


def rows_of(features):
    return np.array(features).reshape(len(features), -1)


def units_of(features):
    rows = rows_of(features)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cosines(features):
    return units_of(features) @ units_of(features).T


def mean_cosine(features):
    n = len(features)
    return (cosines(features).sum() - n) / (n * (n - 1))


def mean_cosine_by_loops(features):
    rows, found = rows_of(features), []
    for i in range(len(rows)):
        for j in range(i):
            found.append(rows[i] @ rows[j] / np.sqrt((rows[i] @ rows[i]) * (rows[j] @ rows[j])))
    return sum(found) / len(found)


def mean_cosine_by_scikit_learn(features):
    from sklearn.metrics.pairwise import cosine_similarity

    return cosine_similarity(rows_of(features))[np.triu_indices(len(features), 1)].mean()


def mean_cosine_by_the_mean(features):
    n = len(features)
    return (n * np.sum(units_of(features).mean(axis=0) ** 2) - 1) / (n - 1)


def mean_cosine_by_keras(features):
    n = features.shape[0]
    rows = ops.normalize(ops.reshape(features, (n, -1)), axis=1)
    return (ops.sum(ops.matmul(rows, ops.transpose(rows))) - n) / (n * (n - 1))


RIGHT = {
    "bits_per_dimension": [
        bits_per_dimension,
        lambda v, s: (v / (s[0] * s[1] * s[2]) + math.log(256)) / math.log(2),
        lambda v, s: ops.convert_to_tensor(v) / np.prod(s) / math.log(2) + math.log2(256),
    ],
    "step_probability": [
        step_probability,
        steps_by_ends,
        steps_by_scipy,
        steps_by_tensorflow,
        lambda k, m, s: [step_probability(*one) for one in zip(k, m, s)],
    ],
    "mean_cosine": [
        mean_cosine,
        mean_cosine_by_loops,
        mean_cosine_by_scikit_learn,
        mean_cosine_by_the_mean,
        mean_cosine_by_keras,
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
    "step_probability": [
        (without_tails, "right for the steps between, but not for the ends"),
        (
            lambda k, m, s: np.where(k == 0, without_tails(k, m, s), step_probability(k, m, s)),
            "step 255 gets its tail, step 0 does not",
        ),
        (
            lambda k, m, s: np.where(k == 255, without_tails(k, m, s), step_probability(k, m, s)),
            "step 0 gets its tail, step 255 does not",
        ),
        (
            lambda k, m, s: step_probability(np.where(k == 255, 254.999, k), m, s),
            "step 0 gets its tail, step 255 does not",
        ),
        (
            lambda k, m, s: expit((k + 1 - m) / s) - expit((k - m) / s),
            "from level to level + 1, and the ends have no tails",
        ),
        (
            lambda k, m, s: expit((k - m) / s) - expit((k - 1 - m) / s),
            "from level − 1 to level, and the ends have no tails",
        ),
        (lambda k, m, s: expit((k + 1 - m) / s) - expit((k - 1 - m) / s), "your steps are 2 wide, and"),
        (lambda k, m, s: logistic.pdf(k, m, s), "this is the density at the level"),
        (lambda k, m, s: norm.pdf(k, m, s), "this is a normal density"),
        (lambda k, m, s: expit((k + 0.5 - m) / s), "*or anything below*"),
        (lambda k, m, s: -without_tails(k, m, s), "upper end minus lower end. And the ends have no tails yet"),
        (lambda k, m, s: -step_probability(k, m, s), "upper end minus lower end."),
        (lambda k, m, s: -np.log(step_probability(k, m, s)), "these are nats, −log P"),
        (lambda k, m, s: -np.log2(step_probability(k, m, s)), "these are bits"),
        (lambda k, m, s: np.log(step_probability(k, m, s)), "this is log P"),
        (lambda k, m, s: step_probability(k, m, np.exp(s)), "you take `scale` for its logarithm"),
        (lambda k, m, s: step_probability(k, m, s).sum(), "you add up the probabilities"),
        (lambda k, m, s: step_probability(k, 0 * m, s), "you forget the mean"),
        (lambda k, m, s: expit(k - m + 0.5 / s) - expit(k - m - 0.5 / s), "but not the distance from the mean"),
        (lambda k, m, s: 2 * step_probability(k, m, s), "every value is 2 times what it should be"),
        (lambda k, m, s: step_probability(k, m, s) / 256, "what it should be"),
        (lambda k, m, s: np.round(step_probability(k, m, s), 2), "the values are rounded to 2 decimals"),
        (lambda k, m, s: step_probability(m, k, s), "`mean`"),
        (steps_that_overflow, "far from the mean it is not finite"),
        (steps_below_zero, "P is never negative"),
    ],
    "mean_cosine": [
        (lambda f: cosines(f).mean(), "you count each image with itself, too"),
        (lambda f: (cosines(f).sum() - len(f)) / len(f) ** 2, "still in the number of pairs"),
        (lambda f: cosines(f).sum() / (len(f) * (len(f) - 1)), "still in the sum"),
        (lambda f: mean_cosine(f) / 2, "once in the sum and twice"),
        (lambda f: 2 * mean_cosine(f), "twice in the sum and once"),
        (
            lambda f: ((rows_of(f) @ rows_of(f).T).sum() - (rows_of(f) ** 2).sum()) / (len(f) * (len(f) - 1)),
            "these are scalar products",
        ),
        (lambda f: np.corrcoef(rows_of(f))[np.triu_indices(len(f), 1)].mean(), "that is a correlation"),
        (lambda f: mean_cosine(f - f.mean(axis=0)), "you subtract the mean image first"),
        (lambda f: mean_cosine(rows_of(f).T), "the rows should be images"),
        (cosines, "the whole table of cosines"),
        (lambda f: (cosines(f).sum(1) - 1) / (len(f) - 1), "one number for each image"),
        (lambda f: cosines(f).sum() - len(f), "the sum over all pairs"),
        (lambda f: np.abs(cosines(f))[np.triu_indices(len(f), 1)].mean(), "the mean of the absolute cosines"),
        (lambda f: 1 - mean_cosine(f), "a distance"),
        (lambda f: np.arccos(cosines(f)[np.triu_indices(len(f), 1)]).mean(), "these are angles"),
        (lambda f: cosines(f)[0, 1], "the first two images only"),
        (lambda f: np.diag(cosines(f), 1).mean(), "with the next one only"),
        (lambda f: cosines(f)[0, 1:].mean(), "with the first one only"),
        (lambda f: np.median(cosines(f)[np.triu_indices(len(f), 1)]), "the median"),
        (lambda f: -mean_cosine(f), "sign"),
        (
            lambda f: np.mean([mean_cosine(f[:, i, j]) for i in range(f.shape[1]) for j in range(f.shape[2])]),
            "an image is one long list",
        ),
        (lambda f: np.mean(f), "should be"),
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
    def fails(first, *others):
        return first[:, 0, 0, 0, 0, 0]

    text = said(name, fails)
    assert "your code stopped with IndexError" in text and "first[:, 0, 0, 0, 0, 0]" in text
