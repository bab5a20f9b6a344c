"""The checks of lesson 06: what is right passes in several ways of writing, what is wrong is named."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import rows

import vae_helpers as vh
from vae_helpers.exercises import lesson_06


def price_of_a_nat(rate, distortion):
    order = np.argsort(rate)
    return -np.diff(distortion[order]) / np.diff(rate[order])


def price_in_a_loop(rate, distortion):
    models = sorted(zip(rate, distortion))
    return [(d0 - d1) / (r1 - r0) for (r0, d0), (r1, d1) in itertools.pairwise(models)]


def price_by_keras(rate, distortion):
    order = ops.argsort(rate)
    return -ops.diff(ops.take(distortion, order)) / ops.diff(ops.take(rate, order))


def warm_up_weight(step, steps, beta):
    return beta if steps == 0 else beta * min(step / steps, 1)


def warm_up_by_branches(step, steps, beta):
    if step >= steps:
        return beta
    return beta * step / steps


def free_bits_kl(kl, free_bits):
    return np.sum(np.maximum(np.mean(kl, axis=0), free_bits))


def free_bits_in_a_loop(kl, free_bits):
    return sum(max(float(kl[:, j].mean()), free_bits) for j in range(kl.shape[1]))


def mutual_information_gap(information, entropy):
    ranked = np.sort(information, axis=0)
    return (ranked[-1] - ranked[-2]) / entropy


def gap_by_masking(information, entropy):
    best = information.argmax(axis=0)
    rest = information.copy()
    rest[best, np.arange(len(entropy))] = -1
    return (information.max(axis=0) - rest.max(axis=0)) / entropy


def fool_the_mig(factors):
    steps = factors.max(axis=0) + 1
    both = steps[1] * factors[:, 0] + factors[:, 1]
    return np.column_stack([both, factors[:, 2:]])


def two_digits(factors):
    most = int(factors.max()) + 1
    return np.stack([most * factors[:, 0] + factors[:, 1], *factors.T[2:]], axis=1)


RIGHT = {
    "fool_the_mig": [
        fool_the_mig,
        two_digits,
        lambda f: ops.convert_to_tensor(-fool_the_mig(f).astype("float32")),
        lambda f: np.column_stack([0 * f[:, 0], fool_the_mig(f)]),
    ],
    "price_of_a_nat": [
        price_of_a_nat,
        price_in_a_loop,
        price_by_keras,
    ],
    "warm_up_weight": [
        warm_up_weight,
        warm_up_by_branches,
        lambda t, n, b: b * float(np.clip(t / max(n, 1e-9), 0, 1)) if t or n else b,
        lambda t, n, b: ops.where(t >= n, b, b * t / max(n, 1)),
    ],
    "free_bits_kl": [
        free_bits_kl,
        free_bits_in_a_loop,
        lambda k, f: ops.sum(ops.maximum(ops.mean(k, axis=0), f)),
        lambda k, f: tf.reduce_sum(tf.nn.relu(tf.reduce_mean(k, 0) - f) + f),
    ],
    "mutual_information_gap": [
        mutual_information_gap,
        gap_by_masking,
        lambda i, h: (lambda r: (r[:, 0] - r[:, 1]) / h)(np.sort(i.T)[:, ::-1]),
        lambda i, h: -ops.diff(ops.top_k(ops.transpose(i), 2)[0], axis=1)[:, 0] / h,
    ],
}

WRONG = {
    "fool_the_mig": [
        (lambda f: f, "one factor only: nobody is fooled"),
        (lambda f: f[:, ::-1] / 7.0, "one factor only: nobody is fooled"),
        (lambda f: 0.0 * f, "no latent tells much about factor 0"),
        (lambda f: np.random.default_rng(0).normal(size=f.shape), "no latent tells much about factor"),
        (lambda f: np.column_stack([f, f]), "the second 1.00"),
        (lambda f: np.column_stack([f, fool_the_mig(f)]), "the second 1.00"),
        (lambda f: np.column_stack([f[:, 0] + f[:, 1], f[:, 2:]]), "no latent tells much about factor"),
        (lambda f: np.column_stack([1000 * f[:, 0] + f[:, 1], f[:, 2:]]), "Counting has 64 intervals of equal width"),
        (lambda f: fool_the_mig(f).T, "take the transpose"),
        (lambda f: fool_the_mig(f)[:, 0], "it should be (192, latents): one row an image"),
        (lambda f: fool_the_mig(f)[:, :1], "your code has one latent"),
        (lambda f: fool_the_mig(f)[:10], "it should be (192, latents)"),
        (lambda f: fool_the_mig(f) / 0.0, "not finite"),
        (lambda f: fool_the_mig(f)[:, :2], "it should be at least 0.9. The gap of factor 3 is 0.00"),
    ],
    "price_of_a_nat": [
        (lambda r, d: -price_of_a_nat(r, d), "the sign is wrong"),
        (lambda r, d: 1 / price_of_a_nat(r, d), "one over the price"),
        (lambda r, d: -1 / price_of_a_nat(r, d), "one over the price, and negative"),
        (lambda r, d: -np.diff(d) / np.diff(r), "the models are not sorted:"),
        (lambda r, d: np.diff(d) / np.diff(r), "not sorted, and the sign"),
        (lambda r, d: np.diff(np.sort(d)) / np.diff(np.sort(r)), "torn apart"),
        (lambda r, d: -np.diff(np.sort(d)) / np.diff(np.sort(r)), "torn apart"),
        (lambda r, d: -np.diff(d) / np.diff(np.sort(r)), "only the rate is sorted"),
        (lambda r, d: np.diff(d) / np.diff(np.sort(r)), "only the rate is sorted"),
        (lambda r, d: price_of_a_nat(r, d)[::-1], "falling rate"),
        (lambda r, d: -np.diff(d[np.argsort(r)]), "divide them by what the rate gained"),
        (lambda r, d: np.diff(d[np.argsort(r)]), "divide them by those of the rate"),
        (lambda r, d: d / r, "divide the *changes*"),
        (lambda r, d: (d / r)[np.argsort(r)], "divide the *changes*"),
        (
            lambda r, d: (d[r.argmin()] - d[np.argsort(r)][1:]) / (r[np.argsort(r)][1:] - r.min()),
            "compare it with its neighbour",
        ),
        (lambda r, d: price_of_a_nat(r, d + r), "the whole loss"),
        (lambda r, d: -price_of_a_nat(r, d + r), "the whole loss"),
        (lambda r, d: np.ptp(d) / np.ptp(r), "between the two ends"),
        (lambda r, d: price_of_a_nat(r, d).mean(), "the mean over the pairs"),
        (lambda r, d: -np.gradient(d[np.argsort(r)], np.sort(r)), "np.gradient"),
        (lambda r, d: 784 * price_of_a_nat(r, d), "784 times"),
        (
            lambda r, d: -np.diff(np.sort(d)[::-1]) / np.diff(np.sort(r)),
            "two things. First, each list is sorted by itself",
        ),
        (
            lambda r, d: np.abs(np.diff(d[np.argsort(r)]) / np.diff(np.sort(r))),
            "every value comes out without its sign",
        ),
        (lambda r, d: -np.diff(d[np.argsort(-d)]) / np.diff(r[np.argsort(-d)]), "you sort by the distortion"),
        (lambda r, d: np.maximum(price_of_a_nat(r, d), 0), "negative values are set to 0"),
        (lambda r, d: np.sort(price_of_a_nat(r, d)), "the values are right, but sorted"),
        (lambda r, d: price_of_a_nat(d, r), "these are the right results for `rate` and `distortion` swapped"),
        (lambda r, d: 2 * price_of_a_nat(r, d), "every value is 2 times what it should be"),
        (lambda r, d: np.round(price_of_a_nat(r, d)), "the values are rounded to whole numbers"),
        (lambda r, d: price_of_a_nat(r, d)[:-1], "the values are right, but the last one of axis 0 is left out"),
        (lambda r, d: np.cumsum(price_of_a_nat(r, d)), "each value contains those before it"),
        (
            lambda r, d: np.log(price_of_a_nat(r, np.sort(d)[::-1])),
            "the result has values that are not finite (NaN or infinity),",
        ),
        (
            lambda r, d: -np.diff(d[np.argsort(r)]) * np.diff(np.sort(r)),
            "you multiply the changes of distortion and rate",
        ),
        (lambda r, d: price_of_a_nat(r, d) / price_of_a_nat(r, d).sum(), "the right values are divided by their sum"),
        (lambda r, d: price_of_a_nat(np.log(r), d), "these are the right results for the logarithm of `rate` in"),
        (lambda r, d: [price_of_a_nat(r, d)[0]], "this is only the first of the values that are asked for"),
        (
            lambda r, d: (d[np.argsort(r)][0] - d[np.argsort(r)][1:]) / np.diff(np.sort(r)),
            "the result is wrong only at all places of axis 0 but the first",
        ),
        (
            lambda r, d: -np.diff(np.log(d[np.argsort(r)])) / np.diff(np.log(np.sort(r))),
            "these are the right results for the logarithm of each argument",
        ),
        (lambda r, d: -np.diff(d[np.argsort(r)]) / np.sort(r)[1:], "the value at [0] is 9.667"),
        (lambda r, d: np.diff(np.sort(r)) / d[np.argsort(r)][1:], "the value at [0] is 0.01653"),
    ],
    "warm_up_weight": [
        (lambda t, n, b: b * t / n, "goes on rising"),
        (lambda t, n, b: min(t / n, 1), "does not use beta"),
        (lambda t, n, b: min(b * t / n, 1), "cut off at 1"),
        (lambda t, n, b: min(t / n, b), "cut off at beta, but"),
        (lambda t, n, b: b * max(0, 1 - t / n), "the weight falls"),
        (lambda t, n, b: b if t >= n else 0, "no rise"),
        (lambda t, n, b: b if t > n else 0, "no rise"),
        (lambda t, n, b: b * min(t // n, 1), "no rise"),
        (lambda t, n, b: b * t / n if t < n else 0, "after the warm-up the weight is 0"),
        (lambda t, n, b: b * t / n if t <= n else 0, "after the warm-up the weight is 0"),
        (lambda t, n, b: b * (t % n) / n, "begins at 0 again"),
        (lambda t, n, b: b * min(n / max(t, 1e-9), 1), "upside down"),
        (lambda t, n, b: b * max(t / n, 1), "`max` where `min`"),
        (lambda t, n, b: b * min(t / n, 1) ** 2, "as a curve"),
        (lambda t, n, b: b * (1 - math.cos(math.pi * min(t / n, 1))) / 2, "as a curve"),
        (lambda t, n, b: b * min((t + 1) / n, 1), "one step late or early"),
        (lambda t, n, b: b * min(t / (n - 1), 1), "one step late or early"),
        (lambda t, n, b: b * min(t / n, 1), "Your function divides by zero there"),
        (lambda t, n, b: b * min(t / max(n, 1), 1), "steps = 0"),
        (lambda t, n, b: 0.0 if n == 0 else b * min(t / n, 1), "steps = 0"),
        (lambda t, n, b: b * min(t / n, 1) if n else 0, "the weights are right, except for steps = 0, which means"),
        (lambda t, n, b: b * min(t / n, 1) if n else 1, "the weights are right, except for steps = 0, which means"),
        (lambda t, n, b: round(b * min(t / max(n, 1e-9), 1), 2), "the values are rounded to 2 decimals"),
        (
            lambda t, n, b: math.log(n) if n == 0 else b * min(t / n, 1),
            "the weights are right, except for steps = 0, which means",
        ),
        (
            lambda t, n, b: b * t / n if n and t < n else None,
            "the function returns None in one case, for step = 300, steps =",
        ),
        (lambda t, n, b: b * t / n if n and t < n else 1, "after the warm-up the weight is 1"),
        (lambda t, n, b: b * min((t / n) ** 0.5, 1) if n else b, "the weight rises as a curve"),
        (lambda t, n, b: min(b * t / n, 1) if n else b, "the weight is cut off at 1, not at beta"),
        (
            lambda t, n, b: b * min(t / (2 * n), 1) if n else b,
            "these are the right results for half of `step` in place of",
        ),
        (lambda t, n, b: b * (1 - np.exp(-t / n)) if n else b, "the weight rises as a curve, and never reaches beta"),
        (lambda t, n, b: b - b * min(t / n, 1) if n else b, "the weight falls, and should rise"),
        (
            lambda t, n, b: b * min(t / (n + 1), 1) if n else b,
            "these are the right results for `steps` + 1 in place of `steps`",
        ),
        (lambda t, n, b: b * min(t, n), "the result is wrong only where the right value is positive"),
        (lambda t, n, b: int(b * min(t / n, 1)) if n else b, "the values are cut to whole numbers"),
        (
            lambda t, n, b: b**2 * min(t / n, 1) if n else b,
            "these are the right results for the square of `beta` in place",
        ),
        (
            lambda t, n, b: b * max(0, min(t / n, 1) - 0.1) if n else b,
            "the result is wrong only where the right value is positive",
        ),
        (
            lambda t, n, b: b if t > n / 2 or n == 0 else 0,
            "the result is right for step = 0, steps = 300, beta = 1.0, but",
        ),
        (lambda t, n, b: b * min((t + 1) / n, 1) if n else b, "you begin one step late or early"),
        (
            lambda t, n, b: b * min(t / n, 0.5) if n else b,
            "two things. These are results for 2·`step` in place of `step`",
        ),
        (lambda t, n, b: min(t, b) / max(n, 1), "the result is wrong only where the right value is positive"),
        (lambda t, n, b: b * t / (t + n) if t + n else b, "the result is wrong only where the right value is positive"),
        (
            lambda t, n, b: b * abs(min(t / n, 1) - 0.01) if n else b,
            "the value is 0.01; it should be 0, for step = 0, steps = 300,",
        ),
    ],
    "free_bits_kl": [
        (lambda k, f: np.maximum(k, f).mean(0).sum(), "you compare each image with the free bits; take"),
        (lambda k, f: np.maximum(k, f).sum(1).mean(), "you compare each image with the free bits; take"),
        (lambda k, f: np.maximum(k, f).sum(), "each image with the free bits, and sum over the batch"),
        (lambda k, f: max(k.mean(0).sum(), f), "the sum over the latents with the free bits"),
        (lambda k, f: np.maximum(k.sum(1), f).mean(), "image by image"),
        (lambda k, f: max(k.mean(0).sum(), k.shape[1] * f), "all free bits together"),
        (lambda k, f: np.maximum(k.mean(0) - f, 0).sum(), "are subtracted"),
        (lambda k, f: np.where(k.mean(0) > f, k.mean(0), 0).sum(), "count as 0 here"),
        (lambda k, f: np.minimum(k.mean(0), f).sum(), "`minimum` where"),
        (lambda k, f: (k.mean(0) + f).sum(), "are added"),
        (lambda k, f: np.maximum(k.mean(0), f).mean(), "take the sum"),
        (lambda k, f: np.maximum(k.sum(0), f).sum(), "you sum over the batch before"),
        (lambda k, f: np.maximum(k.mean(1), f).sum(), "the axes are swapped"),
        (lambda k, f: np.maximum(k.mean(0), f), "one number for each latent"),
        (lambda k, f: np.maximum(k, f), "one number for each image and latent"),
        (lambda k, f: np.maximum(k, f).sum(1), "one number for each image:"),
        (lambda k, f: k.sum(1).mean(), "the plain KL"),
        (lambda k, f: np.maximum(k, f).mean(), "the mean over images and latents"),
        (lambda k, f: max(k.mean(0).max(), f), "the largest latent"),
        (lambda k, f: 2 * free_bits_kl(k, f), "every value is 2 times what it should be"),
        (lambda k, f: free_bits_kl(k, f) / k.shape[1], "you take the mean over the latents"),
        (lambda k, f: free_bits_kl(k, f) - f, "the free bits are subtracted from the sum"),
        (lambda k, f: free_bits_kl(k, 2 * f), "these are the right results for 2·`free_bits` in place of"),
        (lambda k, f: np.sum(np.maximum(np.median(k, axis=0), f)), "you take the median over the batch"),
        (lambda k, f: np.sum(np.maximum(k.max(axis=0), f)), "you take the largest of the batch"),
        (lambda k, f: np.sum(np.maximum(k[0], f)), "these are the right results for the first row of `kl` in place"),
        (lambda k, f: np.sum(np.maximum(k.mean(axis=0) / f, 1)), "every value is divided by `free_bits`"),
        (
            lambda k, f: np.sum(np.where(k.mean(axis=0) > f, k.mean(axis=0) + f, f)),
            "a latent above the free bits counts with them once more",
        ),
        (lambda k, f: np.prod(np.maximum(k.mean(axis=0), f)), "you multiply over the latents"),
        (lambda k, f: np.sum(np.abs(k.mean(axis=0) - f) + f), "you take the absolute distance from the free bits"),
        (lambda k, f: float(round(free_bits_kl(k, f))), "the values are rounded to whole numbers"),
        (lambda k, f: np.sum(np.maximum(k.std(axis=0), f)), "you take the standard deviation over the batch"),
        (
            lambda k, f: np.sum(np.maximum(k.mean(axis=0), f)[:-1]),
            "these are the right results for `kl` without its last column",
        ),
        (lambda k, f: -free_bits_kl(k, f), "the sign is wrong: every value is minus what it should be"),
        (
            lambda k, f: np.sum(np.maximum(k.mean(axis=0), 0.5)),
            "these are the right results for `free_bits` = 0.5, always",
        ),
        (lambda k, f: np.maximum(k.sum(axis=1), f).mean(), "you compare the sum over the latents, image by image"),
        (
            lambda k, f: np.sum(np.maximum(k.mean(axis=0), f)) / len(k),
            "every value is divided by the length of axis 0 of `kl`",
        ),
        (
            lambda k, f: np.maximum(k, f).mean(axis=1).sum(),
            "two things. First, you compare each image with the free bits",
        ),
        (lambda k, f: np.sum(np.clip(k.mean(axis=0), 0, f)), "`minimum` where `maximum` belongs"),
        (lambda k, f: np.sum(k.mean(axis=0)) + f, "the value is 4.328"),
        (lambda k, f: np.sum(np.maximum(k.mean(axis=0), f)) - f * k.shape[1], "the free bits are subtracted"),
    ],
    "mutual_information_gap": [
        (lambda i, h: mutual_information_gap(i, 1 + 0 * h), "you do not divide"),
        (lambda i, h: mutual_information_gap(i, 1 / h), "you multiply by the entropy"),
        (lambda i, h: i.max(0) / h, "the second best is missing"),
        (lambda i, h: (i.max(0) - i.min(0)) / h, "you subtract the *smallest*"),
        (lambda i, h: (i.max(0) - i.mean(0)) / h, "the mean of all latents"),
        (lambda i, h: (i.max(0) - (i.sum(0) - i.max(0)) / (len(i) - 1)) / h, "the mean of the other latents"),
        (lambda i, h: -mutual_information_gap(i, h), "the sign is wrong"),
        (lambda i, h: mutual_information_gap(i, h).mean(), "this is their mean"),
        (lambda i, h: mutual_information_gap(i, i.max(0)), "the information of the best latent"),
        (lambda i, h: mutual_information_gap(i, h.sum()), "all entropies together"),
        (lambda i, h: mutual_information_gap(i, h.max()), "the largest entropy"),
        (lambda i, h: np.sort(i, 1)[:, -1] - np.sort(i, 1)[:, -2], "of each *latent*"),
        (lambda i, h: (i[0] - i[1]) / h, "latents 0 and 1"),
        (lambda i, h: abs(i[0] - i[1]) / h, "latents 0 and 1"),
        (lambda i, h: mutual_information_gap(i, np.log(h)), "logarithm of the entropy"),
        (lambda i, h: (np.sort(i, 0)[0] - np.sort(i, 0)[1]) / h, "the smallest two"),
        (lambda i, h: (np.sort(i, 0)[1] - np.sort(i, 0)[0]) / h, "the smallest two"),
        (
            lambda i, h: mutual_information_gap(i, h) / np.log(2),
            "every value is 1/log 2 (bits in a nat) times what it should be",
        ),
        (
            lambda i, h: mutual_information_gap(i, h[::-1]),
            "these are the right results for `entropy` in the opposite order",
        ),
        (lambda i, h: mutual_information_gap(i, h).max(), "this is only the largest of the right values"),
        (lambda i, h: np.abs(i[0] - i[-1]) / h, "the first and the last latent are not the best two of every"),
        (
            lambda i, h: (np.sort(i, 0)[-1] - np.sort(i, 0)[-2]) / (np.sort(i, 0)[-1] + np.sort(i, 0)[-2]),
            "you divide by the sum of the best two",
        ),
        (
            lambda i, h: (np.sort(i, 0)[-1] - np.sort(i, 0)[-2]) / h.mean(),
            "these are the right results for the mean of `entropy` in place",
        ),
        (lambda i, h: np.sort(i, 0)[-1] - np.sort(i, 0)[-2] / h, "only the second best is divided by the entropy"),
        (lambda i, h: np.sort(i, 0)[-2] / h, "this is the share that the *second* best latent tells"),
        (lambda i, h: i.max(axis=0) / i.sum(axis=0), "this is the share of the best latent in the sum of all"),
        (
            lambda i, h: (np.sort(i, 0)[-1] - np.sort(i, 0)[0]) / h / 2,
            "two things. First, you subtract the *smallest* information",
        ),
        (lambda i, h: i.std(axis=0) / h, "this is the standard deviation over the latents"),
        (
            lambda i, h: (np.sort(i, 0)[-1] - np.sort(i, 0)[-2]) / h**2,
            "these are the right results for the square of `entropy` in",
        ),
        (lambda i, h: ((np.sort(i, 0)[-1] - np.sort(i, 0)[-2]) / h).round(1), "the values are rounded to 1 decimals"),
        (
            lambda i, h: (np.sort(i, 0)[-1] - np.sort(i, 0)[-2]) / np.sqrt(h),
            "these are the right results for the square root of `entropy` in",
        ),
        (lambda i, h: 1 - mutual_information_gap(i, h), "this is 1 minus what is asked for"),
        (
            lambda i, h: (np.exp(np.sort(i, 0)[-1]) - np.exp(np.sort(i, 0)[-2])) / h,
            "these are the right results for exp(`information`) in place of",
        ),
        (lambda i, h: (i.max(0) - np.median(i, axis=0)) / h, "5 of 8 values are wrong"),
        (lambda i, h: (np.sort(i, 1)[:, -1] - np.sort(i, 1)[:, -2])[: len(h)], "the result has shape (2,)"),
        (lambda i, h: mutual_information_gap(i, h) * 100, "every value is 100 (percent) times what it should be"),
        (lambda i, h: np.sort(i, 0)[-1] / h - np.sort(i, 0)[-2] / h.sum(), "the wrong values are all too large"),
        (lambda i, h: np.sort(i, 0)[-1] / np.sort(i, 0)[-2] / h, "the wrong values are all too large"),
    ],
}
NAMES = sorted(WRONG)


def test_every_check_of_the_lesson_is_tested():
    checks = [name for name in vh.check.__all__ if getattr(vh.check, name).__module__ == lesson_06.__name__]
    assert checks == NAMES == sorted(RIGHT)


@pytest.mark.parametrize("name, function", rows(RIGHT))
def test_what_is_right_passes(said, name, function):
    assert f"{name} · right: " in said(name, function)


@pytest.mark.parametrize("name, function, phrase", rows(WRONG))
def test_the_mistake_is_named(said, name, function, phrase):
    text = said(name, function)
    assert " · right" not in text
    assert phrase in text


@pytest.mark.parametrize("name", NAMES)
def test_a_check_tells_its_mistakes_apart_and_shows_no_solution(said, name):
    texts = [said(name, function) for function, _ in WRONG[name]]
    assert len(set(texts)) >= 8
    for essence in ("np.maximum(", "np.diff(", "argsort(", "np.min", "min(step", "axis=0)[-", ".mean(0)", "mean(axis"):
        assert not any(essence in text for text in texts)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "function, phrase",
    [
        (lambda *arguments: None, "not yet: the function returns None"),
        (lambda *arguments: ..., "not yet: the function returns Ellipsis"),
        (lambda: 1, "does not take the arguments"),
        (lambda *arguments: "text", "it should return numbers"),
        (lambda *arguments: np.nan, ""),
        (lambda *arguments: 1 / 0, "ZeroDivisionError"),
        (lambda *arguments: {}["key"], "KeyError"),
        (lambda *arguments: np.zeros((2, 3, 4)), "it should be"),
        (3.0, "give the function itself"),
    ],
)
def test_everything_else_is_answered(said, name, function, phrase):
    text = said(name, function)
    assert " · right" not in text and phrase in text


def test_the_package_agrees_with_the_exercises():
    kl = np.random.default_rng(0).exponential(size=(7, 3)).astype("float32")
    information = np.random.default_rng(1).random((4, 2))
    assert free_bits_kl(kl, 0.8) == pytest.approx(free_bits_in_a_loop(kl, 0.8))
    codes, factors = np.random.default_rng(2).normal(size=(500, 3)), np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], 125, 0)
    codes[:, 0] += 3 * factors[:, 0]
    table = vh.mutual_information(codes, factors)
    mine = mutual_information_gap(table, np.log([2, 2]))
    np.testing.assert_allclose(mine, vh.mutual_information_gap(codes, factors), rtol=1e-6)
    assert information.shape == (4, 2)
