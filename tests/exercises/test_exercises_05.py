"""The checks of lesson 05: the grid of codes, the density of the mixture, the active latents, the great circle."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import special, stats
from tables import rows, shown

import vae_helpers as vh


def grid_codes(values):
    return np.stack(np.meshgrid(values, values[::-1]), axis=-1).reshape(-1, 2)


def great_circle(start, end, steps):
    t, long, short = np.linspace(0, 1, steps)[:, None], np.linalg.norm(start), np.linalg.norm(end)
    angle = np.arccos(np.clip(start @ end / (long * short), -1, 1))
    if np.sin(angle) < 1e-6:
        return (1 - t) * start + t * end
    turned = (np.sin((1 - t) * angle) * start / long + np.sin(t * angle) * end / short) / np.sin(angle)
    return ((1 - t) * long + t * short) * turned


def active_latents(mean, threshold):
    return mean.var(axis=0) > threshold


def mixture_log_density(z, mean, log_var):
    of_clouds = vh.gaussian_log_prob(ops.expand_dims(z, 1), mean, log_var)
    return ops.logsumexp(of_clouds, axis=1) - math.log(len(mean))


def mixture_by_scipy(z, mean, log_var):
    """One point and one cloud after the other."""
    mean, deviation = np.asarray(mean, "float64"), np.exp(0.5 * np.asarray(log_var, "float64"))
    densities = []
    for point in np.asarray(z, "float64"):
        of_clouds = [stats.norm(m, s).logpdf(point).sum() for m, s in zip(mean, deviation)]
        densities.append(special.logsumexp(of_clouds) - np.log(len(mean)))
    return densities


def mixture_by_weights(z, mean, log_var):
    z, mean, log_var = (np.asarray(array, "float64") for array in (z, mean, log_var))
    distance = ((z[:, None] - mean) ** 2 / np.exp(log_var)).sum(axis=2)
    width = log_var.sum(axis=1) + mean.shape[1] * np.log(2 * np.pi)
    return special.logsumexp(-0.5 * (distance + width), b=1 / len(mean), axis=1)


LOG_2PI = math.log(2 * math.pi)


def of_clouds(z, mean, log_var, constant=LOG_2PI, spread=np.exp, factor=0.5, width=0.5):
    """log density of each cloud at each point, in numpy, with what students change."""
    z, mean, log_var = (np.asarray(array, "float64") for array in (z, mean, log_var))
    distance = (z[:, None] - mean) ** 2 / spread(log_var)
    return (-factor * distance - width * np.log(spread(log_var)) - 0.5 * constant).sum(axis=-1)


def lme(values, axis=1):
    return special.logsumexp(values, axis=axis) - np.log(np.shape(values)[axis])


def of_one_latent(z, mean, log_var, j):
    z, mean, log_var = (np.asarray(array, "float64")[:, j : j + 1] for array in (z, mean, log_var))
    return lme(of_clouds(z, mean, log_var))


def codes_by_loops(values):
    codes = []
    for z2 in values:
        for z1 in values:
            codes.append([z1, z2])
    return codes


def circle(start, end, steps, length=None, angle=None, t=None):
    """The great circle as students write it, with what they change."""
    t = np.linspace(0, 1, steps)[:, None] if t is None else t
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    theta = np.arccos(np.clip(a @ b, -1, 1)) if angle is None else angle(start, end)
    points = (np.sin((1 - t) * theta) * a + np.sin(t * theta) * b) / np.sin(theta)
    even = (1 - t) * np.linalg.norm(start) + t * np.linalg.norm(end)
    return points * (even if length is None else length(start, end, t))


def slerp_of_the_internet(p0, p1, steps):
    omega = np.arccos(np.dot(p0 / np.linalg.norm(p0), p1 / np.linalg.norm(p1)))
    so = np.sin(omega)
    return np.array([np.sin((1 - t) * omega) / so * p0 + np.sin(t * omega) / so * p1 for t in np.linspace(0, 1, steps)])


def circle_in_degrees(start, end, steps):
    return circle(
        start, end, steps, angle=lambda a, b: np.rad2deg(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    )


def line_pulled_out(start, end, steps, unit=False, raw=False):
    t = np.linspace(0, 1, steps)[:, None]
    long, short = np.linalg.norm(start), np.linalg.norm(end)
    points = (1 - t) * start + t * end if raw else (1 - t) * start / long + t * end / short
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    return points if unit else points * np.linspace(long, short, steps)[:, None]


def circle_that_stays(start, end, steps):
    if np.allclose(start / np.linalg.norm(start), end / np.linalg.norm(end)):
        return np.tile(start, (steps, 1))
    return circle(start, end, steps)


def codes_in_a_loop(values):
    return [[z1, z2] for z2 in reversed(values) for z1 in values]


def circle_by_scipy(start, end, steps):
    from scipy.spatial import geometric_slerp

    long, short = np.linalg.norm(start), np.linalg.norm(end)
    return (
        geometric_slerp(start / long, end / short, np.linspace(0, 1, steps)) * np.linspace(long, short, steps)[:, None]
    )


def circle_by_turning(start, end, steps):
    long, short = np.linalg.norm(start), np.linalg.norm(end)
    across = end - (end @ start) / long**2 * start
    if np.linalg.norm(across) > 1e-6 * short:
        across /= np.linalg.norm(across)
    angle = np.arctan2(end @ across, end @ start / long)
    points = []
    for t in np.linspace(0, 1, steps):
        points.append((long + t * (short - long)) * (np.cos(t * angle) * start / long + np.sin(t * angle) * across))
    return points


# The line that matters of each solution; a check names mistakes, and never says how to write it.
ESSENCE = ["[::-1]", "meshgrid", "linspace", "arccos(", "sin((1", ".var(", "> threshold", "gaussian_log_prob("]

# What students write, and a phrase of the diagnosis that it should get.
WRONG = {
    "grid_codes": [
        (codes_by_loops, "the second axis runs downward"),
        (lambda v: np.stack(np.meshgrid(v, v), axis=-1).reshape(-1, 2), "the second axis runs downward"),
        (lambda v: list(itertools.product(v, v)), "column by column, from the bottom"),
        (lambda v: [(a, b) for a in v for b in v], "column by column, from the bottom"),
        (lambda v: [(a, b) for a in v[::-1] for b in v], "the two latents are swapped"),
        (lambda v: [(a, b) for a in v for b in v[::-1]], "column by column; a picture"),
        (lambda v: [(a, b) for b in v[::-1] for a in v[::-1]], "the first axis runs to the left."),
        (lambda v: [(a, b) for b in v for a in v[::-1]], "the first axis runs to the left and the second downward"),
        (lambda v: np.stack(np.meshgrid(v, v[::-1]), axis=-1), "as a square: the decoder wants a list"),
        (lambda v: np.stack(np.meshgrid(v, v), -1), "as a square, and the second axis runs downward"),
        (lambda v: np.meshgrid(v, v[::-1]), "two square tables"),
        (lambda v: np.meshgrid(v, v), "two square tables"),
        (lambda v: grid_codes(v).T, "the codes are columns"),
        (lambda v: list(zip(v, v)), "of the diagonal only"),
        (lambda v: np.column_stack([v, v[::-1]]), "of one diagonal only"),
        (lambda v: grid_codes(np.linspace(v[0], v[-1], len(v))), "spread evenly; use"),
        (lambda v: grid_codes(np.arange(len(v)) + v[0]), "some values are as they should be"),
        (lambda v: grid_codes(v)[:-1], "the last one of axis 0 is left out"),
        (lambda v: grid_codes(v)[::-1], "the first axis runs to the left and the second downward"),
        (lambda v: -grid_codes(v), "the sign is wrong: every value is minus what it should be"),
        (lambda v: grid_codes(v[::-1]), "the first axis runs to the left and the second downward"),
        (lambda v: grid_codes(v).T, "the codes are columns"),
        (lambda v: grid_codes(np.sort(np.abs(v))), "54 of 58 values are wrong"),
        (lambda v: np.stack([np.repeat(v, len(v)), np.tile(v[::-1], len(v))], axis=1), "the codes go column by column"),
        (lambda v: grid_codes(v)[:-1], "the values are right, but the last one of axis 0 is left out"),
        (lambda v: grid_codes(v.round()), "the values are rounded to whole numbers"),
        (lambda v: np.stack([np.tile(v, len(v)), np.tile(v[::-1], len(v))], axis=1), "both latents run together"),
        (lambda v: np.stack([np.repeat(v, len(v)), np.repeat(v[::-1], len(v))], axis=1), "both latents run together"),
        (lambda v: grid_codes(np.linspace(-3, 3, len(v))), "38 of 58 values are wrong"),
        (lambda v: grid_codes(v)[:9], "the result has shape (9, 2)"),
        (lambda v: np.concatenate([np.tile(v, len(v)), np.repeat(v[::-1], len(v))]), "the result has shape (18,)"),
        (lambda v: grid_codes(v / np.abs(v).max()), "these are the right results for `values` divided by its largest"),
        (lambda v: grid_codes(v[:-1]), "these are the right results for `values` without its last row"),
        (lambda v: grid_codes(np.append(v, 9.0)), "the result has shape (16, 2)"),
        (
            lambda v: np.stack([np.meshgrid(v, v)[0].ravel(), np.meshgrid(v, v)[0].ravel()], axis=1),
            "both latents run together",
        ),
        (lambda v: grid_codes(v) - v.mean(), "the mean of the right values is subtracted from them"),
        (lambda v: np.roll(grid_codes(v), 1, axis=0), "the values are right, but moved by one place along axis 0"),
    ],
    "mixture_log_density": [
        (lambda *a: special.logsumexp(of_clouds(*a), axis=1), "log n is missing"),
        (lambda *a: of_clouds(*a).mean(axis=1), "average of the logarithms"),
        (lambda *a: ops.mean(vh.gaussian_log_prob(ops.expand_dims(a[0], 1), *a[1:]), axis=1), "of the logarithms"),
        (lambda *a: of_clouds(*a).sum(axis=1), "sum of the logarithms"),
        (lambda *a: np.exp(of_clouds(*a)).mean(axis=1), "this is the density; return"),
        (lambda *a: np.exp(of_clouds(*a)).sum(axis=1), "sum of the densities"),
        (lambda *a: of_clouds(*a).max(axis=1), "largest of the clouds alone; average"),
        (lambda *a: of_clouds(*a).max(axis=1) - np.log(len(a[1])), "largest of the clouds alone, divided"),
        (lambda *a: lme(of_clouds(*a), axis=0), "you average over the points"),
        (lambda *a: special.logsumexp(of_clouds(*a), axis=0), "you add over the points"),
        (lambda *a: special.logsumexp(of_clouds(*a)) - np.log(of_clouds(*a).size), "averaged together"),
        (lambda *a: np.mean(lme(of_clouds(*a))), "mean over the points"),
        (lambda *a: special.logsumexp(of_clouds(*a), axis=1) - np.log(len(a[0])), "log of the number of points"),
        (lambda *a: special.logsumexp(of_clouds(*a), axis=1) - len(a[1]), "you subtract n"),
        (lambda *a: special.logsumexp(of_clouds(*a), axis=1) / len(a[1]), "after the logarithm"),
        (lambda *a: special.logsumexp(of_clouds(*a), axis=1) + np.log(len(a[1])), "log n is added"),
        (lambda *a: lme(of_clouds(*a, spread=lambda v: np.exp(2 * v))), "you square it once more"),
        (lambda *a: lme(of_clouds(*a, spread=lambda v: np.exp(v / 2))), "divides by σ²"),
        (lambda *a: lme(of_clouds(*a, spread=lambda v: np.exp(-v))), "sign of log_var is turned"),
        (lambda *a: lme(of_clouds(*a, constant=0.0)), "constant log 2π is missing"),
        (lambda *a: lme(of_clouds(*a, factor=1.0)), "the ½ before the squared distance"),
        (lambda *a: lme(of_clouds(*a, width=0.0)), "width of a cloud is missing"),
        (
            lambda z, m, v: of_clouds(z, np.mean(m, 0, keepdims=True), np.mean(v, 0, keepdims=True))[:, 0],
            "average the clouds first",
        ),
        (lambda *a: sum(of_one_latent(*a, j) for j in range(len(a[0][0]))), "each latent is averaged by itself"),
        (lambda *a: np.stack([of_one_latent(*a, j) for j in range(len(a[0][0]))], 1), "one value for each latent"),
        (of_clouds, "log densities of all clouds"),
        (lambda *a: vh.gaussian_log_prob(ops.expand_dims(a[0], 1), *a[1:]), "log densities of all clouds"),
        (lambda *a: of_clouds(*a)[:, 0], "the first cloud"),
        (lambda *a: -lme(of_clouds(*a)), "the sign is turned"),
        (lambda *a: lme(of_clouds(*a)) / np.log(2), "log2"),
        (lambda *a: np.log(np.exp(of_clouds(*a)).mean(axis=1)), "each exp gives 0"),
        (lambda *a: np.log(np.exp(of_clouds(*a)).mean(axis=1) + 1e-300), "no small number under the logarithm"),
        (lambda *a: np.log(np.exp(np.clip(of_clouds(*a), -50, None)).mean(axis=1)), "Cut nothing off"),
        (lambda z, m, v: vh.gaussian_log_prob(z, m, v), "stopped with"),
        (lambda *a: lme(of_clouds(*a))[:, None], "the result has shape (4, 1)"),
        (lambda z, m, v: lme(of_clouds(z, m[:-1], v[:-1])), "it should be -3.1"),
        (lambda *a: 2 * lme(of_clouds(*a)), "every value is 2 times"),
    ],
    "great_circle": [
        (lambda a, b, n: np.linspace(a, b, n), "this is the straight line"),
        (lambda a, b, n: circle(a, b, n, length=lambda a, b, t: 1), "every point has length 1"),
        (
            lambda a, b, n: circle(a, b, n, length=lambda a, b, t: np.linalg.norm(a)),
            "the length stays that of the start",
        ),
        (
            lambda a, b, n: circle(a, b, n, length=lambda a, b, t: np.linalg.norm(a) / 2 + np.linalg.norm(b) / 2),
            "the average of both",
        ),
        (slerp_of_the_internet, "not divided by their lengths before"),
        (circle_in_degrees, "radians"),
        (line_pulled_out, "its steps are not equal"),
        (lambda a, b, n: line_pulled_out(a, b, n, raw=True), "its steps are not equal"),
        (lambda a, b, n: line_pulled_out(a, b, n, unit=True), "pulled to length 1"),
        (lambda a, b, n: circle(a, b, n, angle=lambda a, b: np.arccos(a @ b)), "the angle is wrong"),
        (lambda a, b, n: circle(a, b, n, angle=lambda a, b: np.arccos(np.clip(a @ b, -1, 1))), "the angle is wrong"),
        (lambda a, b, n: circle(b, a, n), "goes backward"),
        (lambda a, b, n: circle(a, b, n + 1), "one point too many"),
        (lambda a, b, n: circle(a, b, n, t=np.arange(n)[:, None] / n), "stops one step before its end"),
        (lambda a, b, n: np.transpose(circle(a, b, n)), "each point should be a row"),
        (
            lambda a, b, n: circle(
                a, b, n, length=lambda a, b, t: np.linalg.norm(a) ** (1 - t) * np.linalg.norm(b) ** t
            ),
            "by equal factors",
        ),
        (circle, "0/0 gives NaN"),
        (circle_that_stays, "only the length changes"),
        (
            lambda a, b, n: circle(a, b, n) * np.sin(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))),
            "you do not divide by sin θ",
        ),
        (
            lambda a, b, n: (
                great_circle(a, b, n)
                if abs(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) < 1 - 1e-12
                else np.full((n, len(a)), np.nan)
            ),
            "the path is right, except where start and end have the same",
        ),
        (lambda a, b, n: great_circle(a, b, n)[:-1], "the values are right, but the last one of axis 0 is left out"),
        (lambda a, b, n: great_circle(a, -b, n), "these are the right results for −`end` in place of `end`"),
        (lambda a, b, n: great_circle(b, a, n), "the walk goes backward"),
        (
            lambda a, b, n: np.linalg.norm(b) * great_circle(a / np.linalg.norm(a), b / np.linalg.norm(b), n),
            "the length is that of the end, everywhere",
        ),
        (lambda a, b, n: 2 * great_circle(a, b, n), "every value is 2 times what it should be"),
        (lambda a, b, n: great_circle(a, b, n).round(2), "the values are rounded to 2 decimals"),
        (
            lambda a, b, n: great_circle(a, b, n)[:, ::-1],
            "the values are right, but in the opposite order along the last",
        ),
        (
            lambda a, b, n: great_circle(a, b, 2 * n)[:n],
            "the result is wrong only at all places of axis 0 but the first",
        ),
        (
            lambda a, b, n: (
                np.maximum(np.linalg.norm(a), np.linalg.norm(b))
                * great_circle(a / np.linalg.norm(a), b / np.linalg.norm(b), n)
            ),
            "the length stays the larger of both",
        ),
        (lambda a, b, n: great_circle(a, b, n) ** 2, "this is the square of what is asked for"),
        (
            lambda a, b, n: (
                great_circle(a / np.linalg.norm(a), b / np.linalg.norm(b), n)
                * np.sqrt(np.linalg.norm(a) * np.linalg.norm(b))
            ),
            "each row is the right one times a number of its own, from 0.514",
        ),
        (lambda a, b, n: great_circle(a, b, n)[:, :2], "the result has shape (5, 2)"),
        (lambda a, b, n: np.abs(great_circle(a, b, n)), "every value comes out without its sign"),
        (
            lambda a, b, n: great_circle(a, b, n) / 2 + a / 2,
            "the result is wrong only at all places of axis 0 but the first",
        ),
        (
            lambda a, b, n: great_circle(a, b, n)[np.argsort(np.random.default_rng(0).random(n))],
            "the values are right, but in another order",
        ),
        (lambda a, b, n: great_circle(2 * a, b, n), "these are the right results for 2·`start` in place of `start`"),
        (
            lambda a, b, n: great_circle(a, b, n) * np.linspace(1, 2, n)[:, None],
            "each row is the right one times a number of its own, from 1 to 2",
        ),
        (lambda a, b, n: great_circle(a - a.mean(), b - b.mean(), n), "the wrong values are all too small"),
    ],
    "active_latents": [
        (lambda m, t: m.std(axis=0) > t, "you compare the standard deviation with the threshold"),
        (lambda m, t: np.mean(m**2, axis=0) > t, "you take the average of the squares"),
        (lambda m, t: np.abs(m.mean(axis=0)) > t, "you compare the average"),
        (lambda m, t: m.mean(0) > t, "you compare the average"),
        (lambda m, t: np.abs(m).mean(0) > t, "the average of the absolute values"),
        (lambda m, t: np.var(m, axis=1) > t, "runs over the latents of each image"),
        (lambda m, t: np.var(m) > t, "all numbers together"),
        (lambda m, t: np.var(m, axis=0) < t, "True and False are swapped"),
        (lambda m, t: np.std(m, axis=0) < t, "True and False are swapped, and"),
        (lambda m, t: np.var(m, axis=0), "these are the variances"),
        (lambda m, t: int((m.var(0) > t).sum()), "this is their number"),
        (lambda m, t: np.where(m.var(0) > t)[0], "these are the indices"),
        (lambda m, t: [i for i in range(m.shape[1]) if m[:, i].var() > t], "these are the indices"),
        (lambda m, t: m.var(0) > 0.01, "you do not use `threshold`"),
        (lambda m, t: m > t, "you compare the numbers themselves"),
        (lambda m, t: (np.abs(m) > t).any(axis=0), "you compare the numbers themselves"),
        (lambda m, t: np.ptp(m, axis=0) > t, "from the smallest to the largest"),
        (lambda m, t: ((m - m.mean(0)) ** 2).sum(0) > t, "the sum of the squared distances"),
        (lambda m, t: m[:, m.var(0) > t], "these are the columns"),
        (lambda m, t: ((m - m.mean()) ** 2).mean(axis=0) > t, "you subtract one average, that of all numbers"),
        (
            lambda m, t: (np.abs(m - m.mean(0)) > t).mean(axis=0) > 0.5,
            "you count how many images are farther from the average than the",
        ),
        (lambda m, t: m.var(axis=0) > t**2, "you compare the standard deviation with the threshold"),
        (lambda m, t: m.var(axis=0) > np.sqrt(t), "these are the right results for the square root of `threshold`"),
        (lambda m, t: m.var(axis=0) / 2 > t, "these are the right results for 2·`threshold` in place of"),
        (lambda m, t: np.abs(m - m.mean(0)).mean(axis=0) > t, "you take the average of the distances from the average"),
        (lambda m, t: m[:10].var(axis=0) > t, "you use the first images only"),
        (lambda m, t: (m.var(axis=0) > t)[::-1], "the values are right, but in the opposite order along axis 0"),
        (lambda m, t: m.var(axis=0) > m.var(axis=0).mean(), "you do not use `threshold`"),
        (lambda m, t: m.var(axis=0) / m.var() > t, "these are the right results for `mean` divided by its standard"),
        (lambda m, t: np.abs(m).max(axis=0) > t, "you compare the numbers themselves"),
        (lambda m, t: ~(m.std(axis=0) > t), "True and False are swapped, and you compare the standard"),
        (
            lambda m, t: (m.var(axis=0) > t).astype(float) * m.var(axis=0),
            "these are the variances of the active latents, and 0 for the",
        ),
        (lambda m, t: m.var(axis=0) > 2 * t, "these are the right results for 2·`threshold` in place of"),
        (lambda m, t: np.ones(m.shape[1]), "every value is 1, whatever the arguments are"),
        (lambda m, t: np.diff(m, axis=0).var(axis=0) > t, "you take the variance of the differences between images"),
    ],
}

# Right: the plain way of each first, then others.
RIGHT = {
    "grid_codes": [
        grid_codes,
        codes_in_a_loop,
        lambda v: np.column_stack([np.tile(v, len(v)), np.repeat(v[::-1], len(v))]),
        lambda v: np.array(list(itertools.product(v[::-1], v)))[:, ::-1],
        lambda v: tf.stack([tf.reshape(g, [-1]) for g in tf.meshgrid(v, tf.reverse(v, [0]))], axis=1),
    ],
    "mixture_log_density": [mixture_log_density, mixture_by_scipy, mixture_by_weights],
    "great_circle": [great_circle, circle_by_scipy, circle_by_turning],
    "active_latents": [
        active_latents,
        lambda m, t: m.var(axis=0, ddof=1) > t,
        lambda m, t: np.diag(np.cov(m, rowvar=False)) > t,
        lambda m, t: tf.math.reduce_variance(m, axis=0) > t,
        lambda m, t: [bool(np.std(m[:, i]) ** 2 > t) for i in range(m.shape[1])],
        lambda m, t: ops.std(m, axis=0) > math.sqrt(t),
        lambda m, t: (np.mean(m**2, axis=0) - np.mean(m, axis=0) ** 2 >= t).astype(int),
    ],
}


@pytest.mark.parametrize("name, function", rows(RIGHT))
def test_what_is_right_passes(said, name, function):
    assert f"{name} · right: " in said(name, function)


@pytest.mark.parametrize("name, function, phrase", rows(WRONG))
def test_a_mistake_is_named(said, name, function, phrase):
    text = said(name, function)
    assert phrase in text and "· right" not in text
    assert not shown(text, ESSENCE, phrase)
