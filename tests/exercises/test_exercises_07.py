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


def best_sigma(x, mean):
    return ops.mean(ops.square(x - mean))


def importance_bound(log_weights):
    return ops.logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def bits_per_pixel(log_density, pixels, levels):
    return -log_density / pixels / np.log(2) + np.log2(levels)


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


def sigma_in_a_loop(x, mean):
    total, count = 0.0, 0
    for image, middle in zip(np.asarray(x), np.asarray(mean)):
        total, count = total + np.sum((image - middle) ** 2), count + image.size
    return total / count


def sigma_by_keras(x, mean):
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


def bits_in_one_go(log_density, pixels, levels):
    return (pixels * math.log(levels) - np.asarray(log_density)) / (pixels * math.log(2))


def bits_in_tensors(log_density, pixels, levels):
    return ops.convert_to_tensor(-log_density / (pixels * math.log(2))) + math.log2(levels)


RIGHT = {
    "log_normalizer": [log_normalizer, normalizer_by_quadrature, normalizer_by_lambda],
    "best_sigma": [
        best_sigma,
        sigma_in_a_loop,
        sigma_by_keras,
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
    ],
    "best_sigma": [
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
    ],
    "bits_per_pixel": [
        (lambda d, n, s: -d / n / np.log(2), "levels are missing"),
        (lambda d, n, s: d / n / np.log(2) + np.log2(s), "sign of the log-density"),
        (lambda d, n, s: -d / n / np.log(2) - np.log2(s), "sign of log₂(levels)"),
        (lambda d, n, s: -bits_per_pixel(d, n, s), "a cost is positive"),
        (lambda d, n, s: -d / n + np.log(s), "nats per pixel"),
        (lambda d, n, s: -d / n + np.log2(s), "still in nats"),
        (lambda d, n, s: -d / n / np.log(2) + np.log(s), "levels are in nats"),
        (lambda d, n, s: -d / n * np.log(2) + np.log2(s), "you multiply by log 2"),
        (lambda d, n, s: n * bits_per_pixel(d, n, s), "bits per image"),
        (lambda d, n, s: -d / np.log(2) + np.log2(s), "not divided by the number of pixels"),
        (lambda d, n, s: (-d / np.log(2) + np.log2(s)) / n, "paid for each pixel"),
        (lambda d, n, s: -d / n / np.log(2) + 8, "8 bits always"),
        (lambda d, n, s: -d / n / np.log(2) + s, "add `levels` itself"),
        (lambda d, n, s: -d / n / np.log(2) + np.log2(s - 1), "levels − 1"),
        (lambda d, n, s: np.mean(bits_per_pixel(d, n, s)), "mean over the batch"),
        (lambda d, n, s: -d / n / np.log(10) + np.log10(s), "base 10"),
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
