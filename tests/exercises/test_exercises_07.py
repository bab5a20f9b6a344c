"""The checks of lesson 07: what is right passes, however it is written, and each mistake is named."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import integrate, special
from tables import rows

import vae_helpers as vh

# Right: first the plain way of each, then others


def log_normalizer(logits):
    a = ops.abs(logits)
    near = a < 0.1
    safe = ops.where(near, ops.ones_like(a), a)
    return ops.where(near, math.log(2) + a**2 / 12, ops.log(safe / ops.tanh(safe / 2)))


def best_variance(x, mean):
    return ops.mean(ops.square(x - mean))


def importance_bound(log_weights):
    return ops.logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def bits_per_pixel(log_density, pixels, levels, width):
    return -log_density / pixels / np.log(2) + np.log2(levels / width)


def normalizer_by_quadrature(logits):
    def log_c(a):
        top = max(0.0, a)
        return -math.log(integrate.quad(lambda x: math.exp(a * x - top), 0, 1, limit=200)[0]) + math.log1p(
            math.exp(-abs(a))
        )

    return np.vectorize(log_c)(np.asarray(logits, "float64"))


def normalizer_by_lambda(logits):
    """2 artanh(1 - 2λ) / (1 - 2λ), as in the paper, away from λ = ½ and from the ends."""
    a = np.asarray(logits, "float64")
    p = special.expit(np.clip(a, -30, 30))
    with np.errstate(all="ignore"):
        usual = np.log(2 * np.arctanh(1 - 2 * p) / (1 - 2 * p))
    return np.where(np.abs(a) < 1e-3, np.log(2), np.where(np.abs(a) > 25, np.log(np.abs(a)), usual))


def variance_in_a_loop(x, mean):
    total, count = 0.0, 0
    for image, middle in zip(np.asarray(x), np.asarray(mean)):
        total, count = total + np.sum((image - middle) ** 2), count + image.size
    return total / count


def variance_by_keras(x, mean):
    return ops.mean(keras.losses.mean_squared_error(x, mean))


def bound_by_the_largest(log_weights):
    w = np.asarray(log_weights)
    top = w.max(axis=0)
    return top + np.log(np.mean(np.exp(w - top), axis=0))


def bound_by_scipy(log_weights):
    w = np.asarray(log_weights)
    return special.logsumexp(w, axis=0, b=1 / len(w))


def bound_by_tensorflow(log_weights):
    return tf.reduce_logsumexp(log_weights - tf.math.log(float(len(log_weights))), axis=0)


def bound_step_by_step(log_weights):
    total = log_weights[0]
    for w in log_weights[1:]:
        total = np.logaddexp(total, w)
    return total - np.log(len(log_weights))


def bits_in_one_go(log_density, pixels, levels, width):
    return (pixels * math.log(levels / width) - np.asarray(log_density)) / (pixels * math.log(2))


def bits_in_tensors(log_density, pixels, levels, width):
    return ops.convert_to_tensor(-log_density / (pixels * math.log(2))) + math.log2(levels) - math.log2(width)


RIGHT = {
    "log_normalizer": [log_normalizer, normalizer_by_quadrature, normalizer_by_lambda],
    "best_variance": [
        best_variance,
        variance_in_a_loop,
        variance_by_keras,
        lambda x, m: float(np.mean((np.asarray(x) - np.asarray(m)) ** 2)),
    ],
    "importance_bound": [
        importance_bound,
        bound_by_the_largest,
        bound_by_scipy,
        bound_by_tensorflow,
        bound_step_by_step,
    ],
    "bits_per_pixel": [bits_per_pixel, bits_in_one_go, bits_in_tensors],
}
NAMES = list(RIGHT)


@pytest.mark.parametrize("name, function", rows(RIGHT))
def test_what_is_right_passes(said, name, function):
    assert f"{name} · right: " in said(name, function)


# Wrong: what is written, and a part of what the check says


def c_of(a):
    a = np.abs(np.asarray(a, "float64"))
    return a / np.tanh(a / 2)


def mse(x, m):
    return np.mean((np.asarray(x) - np.asarray(m)) ** 2)


def error(x, m):
    return np.asarray(x) - np.asarray(m)


lse = special.logsumexp

WRONG = {
    "log_normalizer": [
        (lambda a: -np.log(c_of(a)), "sign is turned"),
        (c_of, "this is C;"),
        (lambda a: 1 / c_of(a), "this is the integral"),
        (lambda a: np.log(np.abs(a) / np.tanh(np.abs(a))), "tanh(a/2) belongs"),
        (lambda a: np.log(np.asarray(a)) - np.log(np.tanh(np.asarray(a) / 2)), "not a number for negative logits"),
        (lambda a: -np.log(np.tanh(np.abs(a) / 2)), "a is missing above"),
        (lambda a: -np.log(np.tanh(np.asarray(a) / 2)), "a is missing above"),
        (lambda a: np.log(np.abs(a) * np.tanh(np.abs(a) / 2)), "multiply where C divides"),
        (lambda a: log_normalizer(ops.sigmoid(a)), "you take a sigmoid first"),
        (lambda a: ops.sum(log_normalizer(a)), "sum over all pixels"),
        (lambda a: ops.sum(log_normalizer(a), axis=-1), "sum over the last axis"),
        (lambda a: ops.mean(log_normalizer(a)), "mean over all pixels"),
        (lambda a: log_normalizer(a) / math.log(2), "base 2"),
        (lambda a: np.full(a.shape, math.log(2)), "right at a = 0 only"),
        (lambda a: np.log(c_of(a)), "0/0"),
        (lambda a: np.log(np.abs(a) / np.tanh(np.abs(a) / 2) + (np.asarray(a) == 0)), "0/0"),
        (lambda a: np.where(np.asarray(a) == 0, 0, np.log(c_of(np.where(a == 0, 1, a)))), "limit there is log 2"),
        (lambda a: np.where(np.abs(a) < 0.2, np.log(2), np.log(c_of(np.where(a == 0, 1, a)))), "Near a = 0"),
        (
            lambda a: np.where(
                np.abs(a) < 1e-3,
                np.log(2),
                np.log(
                    np.abs(a) * (np.exp(np.asarray(a, "float32")) + 1) / np.abs(np.exp(np.asarray(a, "float32")) - 1)
                ),
            ),
            "overflows",
        ),
        (
            lambda a: ops.where(
                ops.abs(a) < 0.1, np.log(2) + a**2 / 12, ops.log(ops.abs(a)) - ops.log(ops.tanh(ops.abs(a) / 2))
            ),
            "the values are right, but not the gradient",
        ),
        (
            lambda a: ops.where(
                ops.abs(a) < 0.25,
                np.log(2) + a**2 / 24,
                ops.log(ops.where(ops.abs(a) < 0.25, 1.0, ops.abs(a)))
                - ops.log(ops.tanh(ops.where(ops.abs(a) < 0.25, 1.0, ops.abs(a)) / 2)),
            ),
            "the values are right where the logit is not near 0",
        ),
        (
            lambda a: ops.where(
                ops.abs(a) < 0.1,
                np.log(2),
                ops.log(ops.where(ops.abs(a) < 0.1, 1.0, ops.abs(a)))
                - ops.log(ops.tanh(ops.where(ops.abs(a) < 0.1, 1.0, ops.abs(a)) / 2)),
            ),
            "the values are right where the logit is not near 0",
        ),
        (lambda a: 2 * log_normalizer(a), "every value is 2 times what it should be"),
        (lambda a: log_normalizer(a) + 1, "every value is 1 too large"),
        (lambda a: log_normalizer(a / 2), "these are the right results for half of `logits` in place of"),
        (lambda a: ops.abs(a) - ops.log(ops.tanh(ops.abs(a) / 2) + 1e-7), "the logarithm of |a| is missing"),
        (lambda a: ops.log(ops.abs(a) + 1e-7) - ops.tanh(ops.abs(a) / 2), "the logarithm of tanh is missing"),
        (
            lambda a: ops.log(ops.abs(a) + 1e-3) - ops.log(ops.tanh(ops.abs(a) / 2) + 1e-3),
            "a small number is added to |a| or to tanh(|a|/2)",
        ),
        (
            lambda a: ops.log((ops.abs(a) + 1e-7) / ops.tanh((ops.abs(a) + 1e-7) / 2)) - np.log(2),
            "every value is log 2 (nats in a bit) too small",
        ),
        (
            lambda a: log_normalizer(ops.clip(a, -10, 10)),
            "these are the right results for `logits` cut off at −10 and 10",
        ),
        (lambda a: log_normalizer(ops.relu(a)), "these are the right results for `logits` with negative values"),
        (lambda a: ops.log((ops.exp(a) - 1) / a), "this is log((exp(a) − 1) / a), the area without its factor 1/(1"),
        (lambda a: log_normalizer(a) * ops.sign(a), "the result is wrong only where `logits` is negative"),
        (lambda a: ops.mean(log_normalizer(a), axis=-1), "you also take the mean along the last axis"),
    ],
    "best_variance": [
        (lambda x, m: np.sqrt(mse(x, m)), "this is σ;"),
        (lambda x, m: np.log(mse(x, m)), "log σ²"),
        (lambda x, m: np.sum(error(x, m) ** 2), "sum of the squares"),
        (lambda x, m: np.mean(vh.squared_error(x, m)), "add up over the pixels"),
        (lambda x, m: np.mean(error(x, m) ** 2, axis=(1, 2, 3)), "each image has its own"),
        (lambda x, m: np.mean(error(x, m) ** 2, axis=0), "each pixel has its own"),
        (lambda x, m: error(x, m) ** 2, "take their mean"),
        (lambda x, m: np.mean(np.abs(error(x, m))), "absolute differences"),
        (lambda x, m: np.mean(error(x, m)) ** 2, "square of the mean difference"),
        (lambda x, m: np.var(error(x, m)), "subtracts the mean difference"),
        (lambda x, m: np.var(np.asarray(x)), "variance of the pixels"),
        (lambda x, m: np.mean(error(x, m)), "without squares"),
        (lambda x, m: mse(x, m) / 2, "half of it"),
        (lambda x, m: 2 * mse(x, m), "twice too much"),
        (lambda x, m: 1 / mse(x, m), "the precision"),
        (lambda x, m: error(x, m).ravel() @ error(x, m).ravel() / (error(x, m).size - 1), "n − 1"),
        (lambda x, m: 3 * mse(x, m), "every value is 3 times"),
        (lambda x, m: np.mean((x - m) ** 2) ** 2, "this is the square of what is asked for"),
        (lambda x, m: np.mean((np.asarray(x) + m) ** 2), "these are the right results for −`x` in place of `x`"),
        (lambda x, m: np.mean(np.asarray(x) ** 2 - np.asarray(m) ** 2), "this is the difference of two mean squares"),
        (lambda x, m: np.median((np.asarray(x) - m) ** 2), "this is the median of the squares"),
        (lambda x, m: np.max((np.asarray(x) - m) ** 2), "this is the largest of the squares"),
        (
            lambda x, m: np.mean((np.asarray(x)[0] - np.asarray(m)[0]) ** 2),
            "these are the right results for the first row of each argument",
        ),
        (
            lambda x, m: np.sum((np.asarray(x) - m) ** 2) / len(x),
            "you add up over the pixels and average over the batch, as for a",
        ),
        (
            lambda x, m: np.sum((np.asarray(x) - m) ** 2) / np.asarray(x)[0].size,
            "every value is multiplied by the length of axis 0 of `x`",
        ),
        (
            lambda x, m: np.mean((np.asarray(x) - m) ** 2) / 2 + 0.5,
            "every value is ½ times what it should be, and then ½ too large",
        ),
        (lambda x, m: np.sqrt(np.sum((np.asarray(x) - m) ** 2)), "this is the length of the difference"),
        (lambda x, m: np.mean(np.asarray(x) ** 2), "these are the right results for 0 in place of `mean`"),
        (lambda x, m: np.var(np.asarray(m)), "this is the variance of the decoder's means"),
        (lambda x, m: np.mean(np.abs(np.asarray(x) - m)) ** 2, "this is the square of the mean absolute difference"),
        (lambda x, m: np.exp(np.mean((np.asarray(x) - m) ** 2)), "this is the exponential of what is asked for"),
        (
            lambda x, m: np.mean((np.asarray(x) - np.mean(m)) ** 2),
            "these are the right results for the mean of `mean` in place of",
        ),
        (lambda x, m: np.mean((np.asarray(x) - m) ** 4) ** 0.5, "the wrong values are all too large"),
        (lambda x, m: round(float(np.mean((np.asarray(x) - m) ** 2)), 1), "the values are rounded to 1 decimals"),
        (lambda x, m: np.mean((np.asarray(x) - m) ** 2, axis=(1, 2, 3)).max(), "this is the largest σ² of the images"),
    ],
    "importance_bound": [
        (lambda w: np.mean(np.asarray(w), 0), "still the ELBO"),
        (lambda w: lse(w, axis=0), "log k is missing"),
        (lambda w: lse(w, axis=0) + np.log(len(w)), "log k is added"),
        (lambda w: lse(w, axis=0) / len(w), "divide by k after"),
        (lambda w: lse(w, axis=0) - len(w), "you subtract k"),
        (lambda w: np.exp(w).mean(0), "this is the mean weight"),
        (lambda w: np.exp(w).sum(0), "sum of the weights"),
        (lambda w: lse(w, axis=1) - np.log(w.shape[1]), "average over the images"),
        (lambda w: lse(w, axis=1) - np.log(w.shape[0]), "add up over the images"),
        (lambda w: lse(w, axis=0) - np.log(w.shape[1]), "log of the batch size"),
        (lambda w: lse(w) - np.log(np.size(w)), "averaged together"),
        (lambda w: np.mean(bound_by_scipy(w)), "mean over the batch"),
        (lambda w: np.max(w, axis=0), "largest log weight"),
        (lambda w: -bound_by_scipy(w), "sign is turned"),
        (lambda w: np.sum(w, axis=0), "sum of the log weights"),
        (lambda w: np.log(np.mean(w, axis=0)), "taken twice"),
        (lambda w: bound_by_scipy(w) / np.log(2), "log2"),
        (lambda w: np.log(np.mean(np.exp(np.asarray(w)), axis=0)), "here near −800"),
        (lambda w: np.log(np.mean(np.exp(np.asarray(w)), axis=0) + 1e-12), "not a constant"),
        (
            lambda w: np.log(np.exp(np.asarray(w) - np.max(w)).mean(axis=0)) + np.max(w),
            "the values are right for small numbers",
        ),
        (
            lambda w: np.log(np.exp(np.asarray(w, "float64") + 800).mean(axis=0)) - 800,
            "the result has values that are not finite (NaN or infinity),",
        ),
        (
            lambda w: np.log(np.exp(np.asarray(w, "float64") + 100).mean(axis=0)) - 100,
            "the values are right for small numbers",
        ),
        (lambda w: np.asarray(w).mean(axis=0) + np.asarray(w).var(axis=0) / 2, "8 of 9 values are wrong"),
        (
            lambda w: np.log(np.median(np.exp(np.asarray(w)), axis=0)),
            "the result is right for log_weights = [[-3.749, -4.264], [-3.79",
        ),
        (lambda w: 2 * importance_bound(w), "every value is 2 times what it should be"),
        (
            lambda w: importance_bound(np.asarray(w)[:-1]),
            "these are the right results for `log_weights` without its last",
        ),
        (lambda w: importance_bound(w).numpy().sum(), "you also add up all of them"),
        (lambda w: ops.logsumexp(w, axis=0) - np.log(5), "in each case all values are off by one number (-6.198e-09,"),
        (lambda w: ops.logsumexp(w, axis=0) / np.log(len(w)), "you divide by log k after the logarithm"),
        (lambda w: ops.logsumexp(w, axis=0) * (1 / len(w)), "you divide by k after the logarithm"),
        (lambda w: ops.logsumexp(w / len(w), axis=0), "you divide the log weights by k"),
        (
            lambda w: ops.logsumexp(w - np.log(np.asarray(w).shape[1]), axis=0),
            "axis 0 is right, but the number that you subtract is the log of",
        ),
        (lambda w: np.asarray(w).min(axis=0), "this is the smallest log weight"),
        (
            lambda w: ops.logsumexp(-w, axis=0) - np.log(len(w)),
            "these are the right results for −`log_weights` in place of",
        ),
        (lambda w: np.log(np.exp(np.clip(w, -80, 80)).mean(axis=0)), "the values are right for small numbers"),
        (lambda w: np.log(np.mean(np.exp(np.asarray(w)), axis=0) ** 2), "every value is 2 times what it should be"),
        (
            lambda w: ops.logsumexp(w, axis=0) - len(w) * np.log(len(w)),
            "in each case all values are off by one number (-6.438, -0.6931,",
        ),
        (lambda w: ops.logsumexp(w, axis=1) - np.log(np.asarray(w).shape[1]), "you average over the images"),
        (lambda w: ops.mean(ops.logsumexp(w, axis=0) - np.log(len(w))), "this is the mean over the batch"),
        (
            lambda w: ops.logsumexp(w, axis=0) + ops.log(1.0 * len(w)) * 0.5,
            "in each case all values are off by one number (2.414, 1.04,",
        ),
    ],
    "bits_per_pixel": [
        (lambda d, n, s, w: -d / n / np.log(2), "the width of a step is missing"),
        (lambda d, n, s, w: d / n / np.log(2) + np.log2(s / w), "sign of the log-density"),
        (lambda d, n, s, w: -d / n / np.log(2) - np.log2(s / w), "sign of log₂(levels/width)"),
        (lambda d, n, s, w: -bits_per_pixel(d, n, s, w), "a cost is positive"),
        (lambda d, n, s, w: -d / n + np.log(s / w), "nats per pixel"),
        (lambda d, n, s, w: -d / n + np.log2(s / w), "still in nats"),
        (lambda d, n, s, w: -d / n / np.log(2) + np.log(s / w), "width of the step is in nats"),
        (lambda d, n, s, w: -d / n * np.log(2) + np.log2(s / w), "you multiply by log 2"),
        (lambda d, n, s, w: n * bits_per_pixel(d, n, s, w), "bits per image"),
        (lambda d, n, s, w: -d / np.log(2) + np.log2(s / w), "not divided by the number of pixels"),
        (lambda d, n, s, w: (-d / np.log(2) + np.log2(s / w)) / n, "paid for each pixel"),
        (lambda d, n, s, w: -d / n / np.log(2) + 8, "8 bits always"),
        (lambda d, n, s, w: -d / n / np.log(2) + s / w, "add levels/width itself"),
        (lambda d, n, s, w: -d / n / np.log(2) + np.log2((s - 1) / w), "levels − 1"),
        (lambda d, n, s, w: np.mean(bits_per_pixel(d, n, s, w)), "mean over the batch"),
        (lambda d, n, s, w: -d / n / np.log(10) + np.log10(s / w), "base 10"),
        (
            lambda d, n, s, w: bits_per_pixel(d, n, s, w) if s <= 4 else -d / (n * np.log(2)) + 8,
            "in each case all values are off by one number (0, 1, 0,",
        ),
        (
            lambda d, n, s, w: -d / (n * np.log(2)) + np.log2(s / w) / 2,
            "the term log₂(levels) has the factor ½",
        ),
        (
            lambda d, n, s, w: -d / n + np.log2(s / w) / np.log(2),
            "First, these are nats per pixel",
        ),
        (lambda d, n, s, w: -d / (n * 0.693) + np.log2(s / w), "some values are as they should be"),
        (lambda d, n, s, w: -d / (n * np.log(2)) * np.log2(s / w), "the density and log₂(levels/width) are multiplied"),
        (
            lambda d, n, s, w: -(d + np.log2(s / w)) / (n * np.log(2)),
            "in each case all values are off by one number (-8.015, -7.003,",
        ),
        (lambda d, n, s, w: np.abs(bits_per_pixel(d, n, s, w)), "every value comes out without its sign"),
        (lambda d, n, s, w: bits_per_pixel(d, 784, s, w), "these are the right results for `pixels` = 784, always"),
        (
            lambda d, n, s, w: -d / (n * np.log(2)) + np.sqrt(s),
            "in each case all values are off by one number (8, 9, 0, 2.414,",
        ),
        (lambda d, n, s, w: np.round(bits_per_pixel(d, n, s, w), 1), "the values are rounded to 1 decimals"),
        (
            lambda d, n, s, w: bits_per_pixel(np.exp(d / 1000), n, s, w),
            "when only `levels` or `width` changes, the result changes as it should",
        ),
        (lambda d, n, s, w: bits_per_pixel(d, n, s, w) * n, "these are bits per image"),
        (
            lambda d, n, s, w: -d / (n * n * np.log(2)) + np.log2(s / w),
            "these are the right results for the square of `pixels` in place",
        ),
        (lambda d, n, s, w: -d / (n * np.log(s)) + np.log2(s / w), "some values are as they should be"),
        (lambda d, n, s, w: -d / (n * np.log(2)) + np.log2(s), "the width of the range is missing"),
        (lambda d, n, s, w: -d / (n * np.log(2)) + np.log2(s * w), "counts the wrong way"),
        (lambda d, n, s, w: -d / (n * np.log(2)) + np.log2(s) - w, "subtract the width itself"),
        (lambda d, n, s, w: -d / (n * np.log(2)) + np.log2(s) / w, "outside of the logarithm"),
        (lambda d, n, s, w: -d / (n * w * np.log(2)) + np.log2(s), "stretch the log-density"),
        (lambda d, n, s, w: -d / (n * np.log(2)) + np.log2(s) - np.log2(w) / n, "every pixel has its own step"),
        (lambda d, n, s, w: 2 ** bits_per_pixel(d / 1000, n, s, w), "the wrong values are all too large"),
        (
            lambda d, n, s, w: bits_per_pixel(d, 3 * n, s, w),
            "the term −log_density / (pixels · log 2) has the factor 0.3333",
        ),
    ],
}
ESSENCE = ["ops.mean(", "np.mean(", "logsumexp(", "np.log2(", "ops.tanh(", "math.log("]  # code that would be the answer


@pytest.mark.parametrize("name, function, phrase", rows(WRONG))
def test_a_mistake_is_named(said, name, function, phrase):
    text = said(name, function)
    assert phrase in text and "· right" not in text
    assert not [part for part in ESSENCE if part in text]


@pytest.mark.parametrize("name", NAMES)
def test_unfinished_is_not_yet(said, name):
    for function in (lambda *arguments: None, lambda *arguments: ...):
        assert f"{name} · not yet" in said(name, function)


@pytest.mark.parametrize("name", NAMES)
def test_strange_functions_do_not_break_the_check(said, name):
    assert "give the function itself" in said(name, 3.0)
    assert "does not take the arguments" in said(name, lambda: 1)
    assert "should return numbers" in said(name, lambda *arguments: "text")
    assert "your code stopped with ZeroDivisionError" in said(name, lambda *arguments: 1 / 0)
    assert "result has shape" in said(name, lambda *arguments: np.zeros((2, 9)))
    for value in (np.zeros(0), np.full((2, 3), np.nan), 1j):
        assert "· right" not in said(name, lambda *arguments, value=value: value)
