"""The checks of appendix A1: what is right passes in any way of writing it, each mistake is named, nothing raised."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import rows


def spacing(x, fraction_bits):
    return 2.0 ** (np.floor(np.log2(x)) - fraction_bits)


def device_share(losses, global_batch):
    return losses.sum() / global_batch


def own_noise(noise, shares, device):
    start = sum(shares[:device])
    return noise[start : start + shares[device]]


def row_by_row(noise, shares, device):
    owner = [number for number, share in enumerate(shares) for _ in range(share)]
    return [row for row, one in zip(noise, owner) if one == device] or np.zeros((0, noise.shape[1]))


RIGHT = {
    "spacing": [
        spacing,
        lambda x, b: ops.power(2.0, ops.floor(ops.log2(x)) - b),
        lambda x, b: [2.0 ** (math.frexp(one)[1] - 1 - b) for one in x],
        lambda x, b: 2.0 ** np.floor(np.log(x) / np.log(2)) * 2.0**-b,
    ],
    "device_share": [
        device_share,
        lambda v, g: ops.sum(v) / g,
        lambda v, g: tf.nn.compute_average_loss(v, global_batch_size=g),
        lambda v, g: sum(float(one) for one in v) / g,
        lambda v, g: np.mean(v) * len(v) / g if len(v) else 0.0,
    ],
    "own_noise": [
        own_noise,
        row_by_row,
        lambda e, s, i: np.split(e, np.cumsum(s)[:-1])[i],
        lambda e, s, i: tf.split(e, list(s))[i],
        lambda e, s, i: list(itertools.islice(e, sum(s[:i]), sum(s[: i + 1]))) or e[:0],
    ],
}

WRONG = {
    "spacing": [
        (lambda x, b: 2.0 ** (np.log2(x) - b), "Round the logarithm down"),
        (lambda x, b: x / 2**b, "Round the logarithm down"),
        (lambda x, b: 2.0 ** (np.ceil(np.log2(x)) - b), "you round the logarithm up"),
        (lambda x, b: 2.0 ** (np.round(np.log2(x)) - b), "to the nearest whole number"),
        (lambda x, b: 2.0 ** (np.log2(x).astype(int) - b), "cut the digits behind the point"),
        (lambda x, b: np.full(len(x), 2.0**-b), "the distance at 1"),
        (lambda x, b: 2.0 ** (np.floor(np.log2(x)) - b - 1), "half the distance"),
        (lambda x, b: 2.0 ** (np.floor(np.log2(x)) - b + 1), "twice the distance"),
        (lambda x, b: 2.0 ** np.floor(np.log2(x)), "the power of two below x"),
        (lambda x, b: 2.0 ** np.floor(np.log2(x)) / b, "you divide by the number of bits"),
        (lambda x, b: np.floor(np.log2(x)) - b, "this is the exponent"),
        (lambda x, b: 2.0 ** (b - np.floor(np.log2(x))), "the sign of the exponent"),
        (lambda x, b: 2.0 ** (b + np.floor(np.log2(x))), "you add the bits"),
        (lambda x, b: 2.0 ** (np.floor(np.log(x)) - b), "the natural logarithm"),
        (lambda x, b: 2.0 ** (np.floor(np.log10(x)) - b), "to the base 10"),
        (lambda x, b: x + spacing(x, b), "the next number itself"),
        (lambda x, b: np.spacing(x), "float64, with 52 bits"),
        (lambda x, b: np.spacing(x.astype("float32")), "float32, with 23 bits, always"),
        (lambda x, b: np.spacing(x.astype("float16")), "float16, with 10 bits, always"),
        (lambda x, b: spacing(x, b) / x, "divided by x"),
        (lambda x, b: spacing(x, 10), "in float16, with 10 bits, always"),
        (lambda x, b: 2.0**-b, "two things. First, this is the distance at 1"),
        (lambda x, b: spacing(x, b).max(), "only the largest of the right values"),
        (lambda x, b: x**2, "every value is off by"),
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
        (lambda v, g: v.sum() / g if len(v) else None, "the function returns None in one case, for losses = [],"),
        (lambda v, g: v.mean() * len(v) / g, "right, except for a device that got no image"),
        (lambda v, g: v.sum() / (g + 1), "these are the right results for `global_batch` + 1 in place of"),
        (lambda v, g: v.sum() / len(v) ** 2, "two things. First, this is the mean over the device's own images"),
        (lambda v, g: v.sum() / g**2, "every value is divided by `global_batch`"),
        (lambda v, g: 2 * v.sum() / g, "every value is 2 times what it should be"),
        (lambda v, g: v.sum() / g * len(v), "every value is multiplied by the length of axis 0 of `losses`"),
        (lambda v, g: v[0] / g, "two things. First, these are the parts of each image"),
        (lambda v, g: v.max() * len(v) / g, "this is as if all images had the largest loss"),
        (lambda v, g: np.median(v) * len(v) / g, "this is as if all images had the median loss"),
        (lambda v, g: (v**2).sum() / g, "these are the right results for the square of `losses` in place"),
        (lambda v, g: v.sum() / 8, "these are the right results for `global_batch` = 8, always"),
        (lambda v, g: round(float(v.sum() / g)), "the values are rounded to whole numbers"),
        (lambda v, g: v[1:].sum() / g, "these are the right results for `losses` without its first row"),
        (lambda v, g: np.exp(v.sum() / g), "this is the exponential of what is asked for"),
        (lambda v, g: np.full(len(v), v.sum() / g), "two things. First, these are the parts of each image"),
        (lambda v, g: v.sum() / g - v.mean(), "you subtract the mean of the device's losses"),
        (lambda v, g: v.sum() / max(len(v), 1), "this is the mean over the device's own images"),
        (lambda v, g: v.sum() / g / 2, "every value is ½ times what it should be"),
        (lambda v, g: v.sum() * len(v) / g**2, "the wrong values are all too small"),
        (lambda v, g: np.sum(np.log(v)) / g, "these are the right results for the logarithm of `losses` in"),
    ],
    "own_noise": [
        (lambda e, s, i: e[: s[i]], "all devices get the *same* noise"),
        (lambda e, s, i: e[i * s[i] : (i + 1) * s[i]], "device · its own share"),
        (lambda e, s, i: e[i * s[0] : i * s[0] + s[i]], "device · the share of the first"),
        (lambda e, s, i: np.array_split(e, len(s))[i], "you divide the batch evenly"),
        (lambda e, s, i: e[i :: len(s)], "you deal the rows out like cards"),
        (lambda e, s, i: e[i :: len(s)][: s[i]], "you deal the rows out like cards"),
        (lambda e, s, i: e, "the noise of the whole batch"),
        (lambda e, s, i: e[sum(s[:i]) :], "do not stop"),
        (lambda e, s, i: e[sum(s[:i]) : s[i]], "A slice ends at start + length"),
        (lambda e, s, i: e[: sum(s[: i + 1])], "leave out those of the devices before it"),
        (lambda e, s, i: e[sum(s[: i + 1]) :], "*after* this one"),
        (lambda e, s, i: e[sum(s[: i + 1]) :][: s[i]], "among those before it"),
        (lambda e, s, i: e[i], "this is one row"),
        (lambda e, s, i: e[-s[i] :], "the last rows"),
        (lambda e, s, i: e[sum(s[i + 1 :]) :][: s[i]], "from the end"),
        (lambda e, s, i: np.arange(sum(s[:i]), sum(s[: i + 1])), "numbers of rows"),
        (lambda e, s, i: own_noise(e, s, i).sum(axis=0), "you add up the rows"),
        (lambda e, s, i: own_noise(e, s, i) if s[i] else np.zeros((1, 2)), "a device that got no image"),
        (lambda e, s, i: own_noise(e, s, i) + 0.1, "every value is 0.1 too large"),
        (lambda e, s, i: 2 * own_noise(e, s, i), "2 times"),
        (lambda e, s, i: -own_noise(e, s, i), "the sign is wrong"),
        (lambda e, s, i: own_noise(e, s, i)[::-1], "in the opposite order along axis 0"),
        (lambda e, s, i: np.random.normal(size=(s[i], 2)), "nothing random is asked for"),
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
        return first[:, 0, 0, 0, 0]

    text = said(name, fails)
    assert "your code stopped with IndexError" in text and "first[:, 0, 0, 0, 0]" in text
