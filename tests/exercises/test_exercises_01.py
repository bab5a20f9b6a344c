"""The checks of lesson 01: the error, PCA, a straight walk, draws like the codes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import rows, shown

import vae_helpers as vh

PIXELS = (1, 2, 3)


def squared_error(x, x_hat):
    return ((x - x_hat) ** 2).sum(axis=(1, 2, 3))


def pca_reconstruct(x, mean, directions):
    return (x - mean) @ directions.T @ directions + mean


def walk(start, end, steps):
    t = np.linspace(0, 1, steps)[:, None]
    return (1 - t) * start + t * end


def draw_fitted(codes, n, rng):
    return rng.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), size=n)


def squares_added_in_a_loop(x, x_hat):
    total = 0
    for image, other in zip(x, x_hat):
        total += np.sum((image - other) ** 2)
    return total


def root_by_numpy(x, x_hat):
    return np.linalg.norm((x - x_hat).reshape(len(x), -1), axis=1)


def keras_mse(x, x_hat):
    return keras.losses.mean_squared_error(x, x_hat)


def one_direction_overwrites_the_other(x, mean, directions):
    for direction in directions:
        result = np.outer((x - mean) @ direction, direction) + mean
    return result


def mean_added_in_the_loop(x, mean, directions):
    result = np.zeros_like(x)
    for direction in directions:
        result += np.outer((x - mean) @ direction, direction) + mean
    return result


def directions_by_scikit_learn(x, mean, directions):
    from sklearn.decomposition import PCA

    pca = PCA(len(directions)).fit(x)
    return pca.inverse_transform(pca.transform(x))


def walk_in_steps(start, end, steps):
    points, step = [], (end - start) / steps
    for i in range(steps):
        points.append(start + i * step)
    return points


def walk_with_both_and_between(start, end, steps):
    between = [start + (i + 1) / (steps + 1) * (end - start) for i in range(steps)]
    return np.array([start, *between, end])


def walk_that_adds_first(start, end, steps):
    point, points = start.copy(), []
    for _ in range(steps):
        point += (end - start) / (steps - 1)
        points.append(point.copy())
    return points


def fitted_by_own_cholesky(codes, n, rng):
    factor = np.linalg.cholesky(np.cov(codes, rowvar=False))
    return codes.mean(0) + rng.standard_normal((n, codes.shape[1])) @ factor


def fitted_with_a_new_generator(codes, n, rng):
    rng = np.random.default_rng(42)
    return rng.multivariate_normal(codes.mean(0), np.cov(codes.T), n)


def between(ma, va, mb, vb, half=0.5):
    return half * ops.sum(vb - va + ops.exp(va - vb) + (ma - mb) ** 2 / ops.exp(vb) - 1, axis=1)


def squares_in_place(x, x_hat):
    x -= x_hat
    x *= x
    return x.reshape(len(x), -1).sum(axis=1)


def pca_by_scikit_learn(x, mean, directions):
    from sklearn.decomposition import PCA

    pca = PCA()
    pca.mean_, pca.components_, pca.whiten = mean, directions, False
    pca.explained_variance_ = np.ones(len(directions))  # older versions look for it
    return pca.inverse_transform(pca.transform(x))


def pca_in_a_loop(x, mean, directions):
    x -= mean
    result = np.zeros_like(x)
    for direction in directions:
        result += np.outer(x @ direction, direction)
    return result + mean


def walk_in_a_loop(start, end, steps):
    points = []
    for i in range(steps):
        points.append([a + i / (steps - 1) * (b - a) for a, b in zip(start, end)])
    return points


def fitted_by_eigenvectors(codes, n, rng):
    values, vectors = np.linalg.eigh(np.cov(codes, rowvar=False, bias=True))
    return np.average(codes, axis=0) + (rng.standard_normal((n, len(values))) * np.sqrt(values)) @ vectors.T


def fitted_by_scipy(codes, n, rng):
    from scipy import stats

    return stats.multivariate_normal(codes.mean(0), np.cov(codes.T)).rvs(n, random_state=rng)


def fitted_one_by_one(codes, n, rng):
    mean, factor = codes.mean(0), np.linalg.cholesky(np.cov(codes.T))
    return [mean + factor @ rng.normal(size=len(mean)) for _ in range(n)]


class Walker:
    """A student who likes classes."""

    def __call__(self, start, end, steps):
        return np.linspace(start, end, steps)

    def walk(self, start, end, steps):
        return ops.linspace(start, end, steps)


# The line that matters of each solution; a check names mistakes, and never says how to write it.
ESSENCE = ["x_hat) ** 2", ".sum(", "axis=(1", "@ directions", "linspace", "multivariate_normal", "cov("]

# What students write, and a phrase of the diagnosis that it should get.
WRONG = {
    "squared_error": [
        (lambda x, y: np.mean((x - y) ** 2, axis=(1, 2, 3)), "you take the mean over the pixels"),
        (lambda x, y: ops.mean(ops.square(x - y), axis=(1, 2, 3)), "you take the mean over the pixels"),
        (squares_added_in_a_loop, "you sum over the images as well"),
        (lambda x, y: keras.losses.MeanSquaredError()(x, y), "you take the mean over images and pixels"),
        (root_by_numpy, "this is the square root of the error"),
        (lambda x, y: np.sqrt(np.mean((x - y) ** 2, (1, 2, 3))), "this is the square root of the mean"),
        (keras_mse, "you take the mean over the channel only"),
        (lambda x, y: [np.abs(a - b).sum() for a, b in zip(x, y)], "this is the absolute difference; square"),
        (lambda x, y: np.abs(x - y).mean((1, 2, 3)), "this is the absolute difference, and its mean"),
        (lambda x, y: (x**2 - y**2).sum((1, 2, 3)), "difference of two squares"),
        (lambda x, y: [(a - b).sum() ** 2 for a, b in zip(x, y)], "square each pixel's difference first"),
        (lambda x, y: (x - y).sum((1, 2, 3)), "without squaring"),
        (lambda x, y: ((x - y) ** 2).sum((1, 2)), "you do not sum over the channel"),
        (lambda x, y: ((x - y) ** 2).sum((1, 2))[:, 0], "first channel only"),
        (lambda x, y: (x - y) ** 2, "these are the squares of all pixels"),
        (lambda x, y: x - y, "these are the differences of all pixels"),
        (lambda x, y: np.sum((x - y) ** 2, axis=0), "axis 0, the images"),
        (lambda x, y: sum((a - b) ** 2 for a, b in zip(x, y)), "axis 0, the images"),
        (lambda x, y: np.sum((x - y) ** 2, axis=1), "over one axis of the pixels only"),
        (lambda x, y: 0.5 * np.sum((x - y) ** 2, axis=(1, 2, 3)), "every value is ½ times"),
        (lambda x, y: np.sum((x - y) ** 2, axis=PIXELS, keepdims=True), "shape (5, 1, 1, 1); it should be (5,)"),
        (lambda x, y: -np.sum((x - y) ** 2, axis=PIXELS), "an error is never negative"),
        (
            lambda x, y: np.array([((a - b) ** 2).sum() for a, b in zip(x, y)]),
            "where `x` and `x_hat` have equally many images, it is right",
        ),
        (lambda x, y: np.array([np.sum((x[i] - y[i]) ** 2) for i in range(5)]), "the result has shape (5,)"),
        (lambda x, y: 0.5 * ((x - y) ** 2).sum(axis=PIXELS), "every value is ½ times what it should be"),
        (lambda x, y: ((x + y) ** 2).sum(axis=PIXELS), "these are the right results for −`x` in place of `x`"),
        (lambda x, y: ((x - y) ** 3).sum(axis=PIXELS), "you take the third power of the differences"),
        (
            lambda x, y: ((x - y) ** 2).sum(axis=PIXELS) / len(x),
            "every value is divided by the length of axis 0 of `x`",
        ),
        (lambda x, y: ((x - y) ** 2).max(axis=PIXELS), "this is the largest of the numbers that should be added up"),
        (lambda x, y: ((x - y) ** 2).sum(axis=PIXELS).round(1), "the values are rounded to 1 decimals"),
        (lambda x, y: ((x - y) ** 2).sum(axis=PIXELS).astype(int), "the values are cut to whole numbers"),
        (lambda x, y: np.cumsum(((x - y) ** 2).sum(axis=PIXELS)), "each value contains those before it"),
        (
            lambda x, y: ((x.astype(int) - y.astype(int)) ** 2).sum(axis=PIXELS),
            "these are the right results for each argument cut to whole",
        ),
        (
            lambda x, y: ((x - y) ** 2)[:, 1:].sum(axis=PIXELS),
            "these are the right results for each argument without its first",
        ),
        (
            lambda x, y: ((x - y) ** 2).sum(axis=PIXELS)[::-1],
            "the values are right, but in the opposite order along axis 0",
        ),
        (lambda x, y: np.sort(((x - y) ** 2).sum(axis=PIXELS)), "the values are right, but sorted"),
        (
            lambda x, y: ((np.clip(x, 0, 1) - np.clip(y, 0, 1)) ** 2).sum(axis=PIXELS),
            "these are the right results for each argument cut off at 0 and 1",
        ),
        (
            lambda x, y: ((x - y.mean(axis=0)) ** 2).sum(axis=PIXELS),
            "these are the right results for the mean of `x_hat` over axis 0",
        ),
        (lambda x, y: ((x - x.mean(axis=0)) ** 2).sum(axis=PIXELS), "the result does not change when `x_hat` changes"),
        (lambda x, y: (x - y).var(axis=PIXELS), "this is the variance of the differences"),
        (lambda x, y: np.linalg.norm(x - y), "two things. First, you sum over the images as well"),
        (lambda x, y: 255 * ((x - y) ** 2).sum(axis=PIXELS), "every value is 255 times what it should be"),
        (lambda x, y: np.sum(np.square(x - y), axis=(0, 1, 2)), "two things. First, you do not sum over the channel"),
        (lambda x, y: [np.sum((x - y[i]) ** 2) for i in range(len(x))], "the wrong values are all too large"),
        (
            lambda x, y: ((x - y) ** 2).reshape(len(x), -1).sum(axis=1) * 0.5 + 1,
            "every value is ½ times what it should be, and then 1 too large",
        ),
        (lambda x, y: (np.abs(x) - np.abs(y)).sum(axis=(1, 2, 3)) ** 2, "the value at [2] is 0.3591"),
        (lambda x, y: ((x - y) ** 2).mean(axis=0).sum(), "you also take the mean over all of them"),
    ],
    "pca_reconstruct": [
        (lambda x, m, w: x @ w.T @ w + m, "you do not subtract the mean before"),
        (lambda x, m, w: (x - m) @ w.T @ w, "the mean is missing in the result"),
        (lambda x, m, w: np.dot(np.dot(x, w.T), w), "the mean is missing, before and after"),
        (lambda x, m, w: [[(row - m) @ d for d in w] for row in x], "these are the codes; now decode them"),
        (lambda x, m, w: np.einsum("np,kp->nk", x, w), "the mean was not subtracted"),
        (lambda x, m, w: (x - np.mean(x, axis=0)) @ w.T @ w + np.mean(x, axis=0), "you use the mean of x"),
        (lambda x, m, w: (x - x.mean(0)) @ w.T @ w + m, "use `mean` in both places"),
        (lambda x, m, w: (x - m) @ w @ w.T + m, "your code stopped with ValueError"),
        (one_direction_overwrites_the_other, "you use the last direction only"),
        (mean_added_in_the_loop, "the mean is added once for each direction"),
        (directions_by_scikit_learn, "use the argument `directions`"),
        (lambda x, m, w: (x - m) - (x - m) @ w.T @ w, "this is what PCA loses"),
        (lambda x, m, w: np.tile(m, (len(x), 1)), "every row is the mean image"),
        (lambda x, m, w: x - m + m, "nothing was compressed"),
        (lambda x, m, w: (x - m) @ w.T @ w - m, "you subtract the mean at the end"),
        (lambda x, m, w: np.outer((x - m) @ w[0], w[0]) + m, "the first direction only"),
        (
            lambda x, m, w: (x - m) @ w.T @ w + (m @ w.T) @ w,
            "the mean is missing, before and after, or it is projected, too",
        ),
        (lambda x, m, w: (x - m) @ w.T @ w + 2 * m, "the term of the mean, added at the end, has the factor 2"),
        (lambda x, m, w: 2 * (x - m) @ w.T @ w + m, "the term of what the codes add to it has the factor 2"),
        (lambda x, m, w: (m - x) @ w.T @ w + m, "the term of what the codes add to it has the wrong sign"),
        (lambda x, m, w: (x + m) @ w.T @ w + m, "two things. First, you subtract the mean at the end"),
        (
            lambda x, m, w: (x - m.mean()) @ w.T @ w + m.mean(),
            "these are the right results for the mean of `mean` in place of",
        ),
        (lambda x, m, w: np.clip((x - m) @ w.T @ w + m, 0, 1), "the values are cut off at 0 and 1"),
        (lambda x, m, w: np.abs((x - m) @ w.T) @ w + m, "the codes lose their sign before decoding"),
        (lambda x, m, w: (x - m) @ w.T @ w / len(w) + m, "these are the right results for `directions` divided by its"),
        (lambda x, m, w: (x - m) @ w[::-1].T @ w + m, "the directions have another order in coding than in decoding"),
        (
            lambda x, m, w: (x - m) @ w.T @ w + x.mean(axis=0),
            "when only `directions` changes, the result changes as it should",
        ),
        (lambda x, m, w: ((x - m) @ w.T).round() @ w + m, "the codes are rounded before decoding"),
        (lambda x, m, w: np.array([(row - m) @ w.T @ w for row in x]), "the mean is missing in the result"),
        (lambda x, m, w: [(x[0] - m) @ w.T @ w + m for row in x], "every row is the first one, repeated"),
        (lambda x, m, w: x @ w.T @ w - m, "two things. First, you do not subtract the mean before you project"),
        (
            lambda x, m, w: (x - m) @ w.T @ w + m @ w.T @ w,
            "the mean is missing, before and after, or it is projected, too",
        ),
        (lambda x, m, w: m - (x - m) @ w.T @ w, "the term of what the codes add to it has the wrong sign"),
    ],
    "walk": [
        (walk_in_steps, "stops one step before its end"),
        (lambda a, b, n: np.linspace(a, b, n, endpoint=False), "stops one step before its end"),
        (lambda a, b, n: [a + t * (b - a) for t in np.arange(0, 1, 1 / n)], "stops one step before its end"),
        (walk_that_adds_first, "leaves out its start, and goes one step beyond"),
        (lambda a, b, n: [a + i / n * (b - a) for i in range(1, n + 1)], "leaves out its start"),
        (lambda a, b, n: np.linspace(a, b, n + 2)[1:-1], "leaves out both ends"),
        (lambda a, b, n: [a + i / n * (b - a) for i in range(n + 1)], "one point too many"),
        (walk_with_both_and_between, "two points too many"),
        (lambda a, b, n: [a + i / (n - 1) * (b - a) for i in range(n - 1)], "one point too few, and the last point"),
        (lambda a, b, n: [a + i / (n - 1) * (b - a) for i in range(1, n)], "one point too few, and the first point"),
        (lambda a, b, n: np.linspace(b, a, n), "goes backward: the first point must be `start`"),
        (lambda a, b, n: np.linspace(0, 1, n)[:, None] * a + (1 - np.linspace(0, 1, n))[:, None] * b, "goes backward"),
        (lambda a, b, n: np.linspace(a, b, n, axis=1), "each point should be a row"),
        (lambda a, b, n: a + np.linspace(0, 1, n)[:, None] * b, "the share of `start` does not become smaller"),
        (lambda a, b, n: np.linspace(0 * a, b - a, n), "add `start` to them"),
        (lambda a, b, n: np.linspace(a, 2 * a - b, n), "the way to `end` is end − start"),
        (lambda a, b, n: a + np.linspace(0, 1, n)[:, None] ** 2 * (b - a), "the steps between them are not equal"),
        (lambda a, b, n: np.linspace(0, 1, n) * a, "your code stopped with ValueError"),
        (
            lambda a, b, n: a + np.linspace(0, 1, n)[:, None] * b - a,
            "these are the right results for 0 in place of `start`",
        ),
        (lambda a, b, n: np.linspace(a, b, n).round(1), "the values are rounded to 1 decimals"),
        (lambda a, b, n: np.linspace(0, b, n), "these are the right results for 0 in place of `start`"),
        (lambda a, b, n: np.linspace(a, 2 * b, n), "these are the right results for 2·`end` in place of `end`"),
        (
            lambda a, b, n: (1 - np.linspace(0, 1, n)[:, None] ** 2) * a + np.linspace(0, 1, n)[:, None] ** 2 * b,
            "the points lie on the line through `start` and `end`, but the",
        ),
        (lambda a, b, n: np.linspace(a, b, 6), "these are the right results for `steps` = 6, always"),
        (
            lambda a, b, n: np.array([a + (b - a) * i / n for i in range(1, n)]),
            "two things. First, the walk stops one step before its end",
        ),
        (
            lambda a, b, n: np.array([a] * (n - 1) + [b]),
            "the points lie on the line through `start` and `end`, but the",
        ),
        (
            lambda a, b, n: np.linspace(a, (a + b) / 2, n),
            "the result is wrong only at all places of axis 0 but the first",
        ),
        (
            lambda a, b, n: np.linspace(a, b, n)[:, ::-1],
            "the values are right, but in the opposite order along the last",
        ),
        (lambda a, b, n: np.linspace(a[0], b[0], n), "two things. First, each point should be a row"),
        (lambda a, b, n: np.linspace(a, b, n)[1:-1], "two things. First, one point too few"),
        (lambda a, b, n: np.abs(np.linspace(a, b, n)), "every value comes out without its sign"),
        (
            lambda a, b, n: np.linspace(a, b, n) / np.linalg.norm(np.linspace(a, b, n), axis=1, keepdims=True),
            "each row is the right one times a number of its own, from 0.306",
        ),
        (
            lambda a, b, n: a + np.outer(np.random.default_rng(0).random(n), b - a),
            "the points lie on the line through `start` and `end`, but the",
        ),
        (
            lambda a, b, n: np.array([a * (1 - t) + b * t for t in np.linspace(0, 1, n)]).mean(axis=0),
            "you also take the mean along axis 0",
        ),
        (lambda a, b, n: np.linspace(a, b, n - 1), "one point too few: `steps` counts the points, both ends included"),
        (
            lambda a, b, n: a + np.linspace(0, 1, n)[:, None] ** 0.5 * (b - a),
            "the points lie on the line through `start` and `end`, but the",
        ),
        (lambda a, b, n: np.geomspace(np.abs(a), np.abs(b), n), "some values are as they should be"),
    ],
    "draw_fitted": [
        (lambda c, n, rng: rng.normal(c.mean(0), c.std(0), size=(n, 2)), "vary independently"),
        (lambda c, n, rng: rng.normal(c.mean(0), c.var(0), size=(n, 2)), "variance where the standard deviation"),
        (
            lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.diag(c.std(0)), n),
            "standard deviation where the variance",
        ),
        (lambda c, n, rng: rng.normal(c.mean(), c.std(), size=(n, 2)), "one mean for all numbers"),
        (lambda c, n, rng: rng.normal(c.mean(0), c.std(), size=(n, 2)), "one spread"),
        (lambda c, n, rng: rng.normal(size=(n, 2)), "lie around 0"),
        (lambda c, n, rng: c.mean(0) + rng.normal(size=(n, 2)), "standard deviation 1"),
        (lambda c, n, rng: rng.multivariate_normal([0, 0], np.cov(c.T), n), "lie around 0"),
        (lambda c, n, rng: rng.choice(c, n), "codes of images that exist"),
        (lambda c, n, rng: c[rng.integers(len(c), size=n)], "codes of images that exist"),
        (lambda c, n, rng: rng.uniform(c.min(0), c.max(0), size=(n, 2)), "not from a normal distribution"),
        (fitted_with_a_new_generator, "every call gives the same draws"),
        (
            lambda c, n, rng: np.random.multivariate_normal(c.mean(0), np.cov(c.T), n),
            "you do not draw with `rng`",
        ),
        (lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.cov(c.T)), "the result has shape (2,)"),
        (lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.cov(c.T), len(c)), "asked for n = 10000"),
        (lambda c, n, rng: draw_fitted(c, n, rng).T, "each draw should be a row"),
        (lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.cov(c), n), "your code stopped with ValueError"),
        (lambda c, n, rng: c.mean(0) + c.std(0) * rng.normal(size=(n, 1)), "come from the same random number"),
        (fitted_by_own_cholesky, "the factor of Cholesky is transposed"),
        (lambda c, n, rng: c.mean(0) + rng.normal(size=(n, 2)) @ np.cov(c.T), "by the covariance itself"),
        (lambda c, n, rng: np.tile(rng.multivariate_normal(c.mean(0), np.cov(c.T)), (n, 1)), "the same point"),
        (
            lambda c, n, rng: rng.multivariate_normal(c.mean(0), c.T @ c / len(c), size=n),
            "you take the mean of the products for the covariance",
        ),
        (lambda c, n, rng: np.sort(draw_fitted(c, n, rng), axis=0), "your draws are sorted, each column by itself"),
        (
            lambda c, n, rng: c[rng.integers(len(c), size=n)] + rng.normal(0, 0.1, size=(n, c.shape[1])),
            "mean and covariance are right, but your draws stay close to the",
        ),
        (
            lambda c, n, rng: rng.multivariate_normal(c[:, :2].mean(0), np.cov(c[:, :2].T), size=n),
            "for two latents it is right",
        ),
        (lambda c, n, rng: rng.multivariate_normal(np.zeros(c.shape[1]), np.cov(c.T), size=n), "your draws lie around"),
        (
            lambda c, n, rng: rng.multivariate_normal(c.mean(0), 2 * np.cov(c.T), size=n),
            "the covariance of your draws is",
        ),
        (
            lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.corrcoef(c.T), size=n),
            "your draws have standard deviation",
        ),
        (
            lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.linalg.inv(np.cov(c.T)), size=n),
            "you invert the covariance",
        ),
        (lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.diag(c.std(0)), size=n), "the spread is wrong"),
        (
            lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.diag(c.var(0)), size=n),
            "the two numbers of your draws vary independently",
        ),
        (
            lambda c, n, rng: rng.multivariate_normal(np.median(c, 0) + 1, np.cov(c.T), size=n),
            "your draws have the wrong mean",
        ),
        (
            lambda c, n, rng: rng.permutation(np.tile(c, (n // len(c) + 1, 1)))[:n],
            "these are codes of images that exist",
        ),
        (
            lambda c, n, rng: np.clip(draw_fitted(c, n, rng), c.min(0), c.max(0)) * 0 + c.mean(0),
            "all draws are the same point",
        ),
        (lambda c, n, rng: draw_fitted(c, n, rng)[:, ::-1], "your draws have the latents in the opposite order"),
        (lambda c, n, rng: -draw_fitted(c, n, rng), "your draws have the wrong sign"),
        (lambda c, n, rng: draw_fitted(c, n, rng).round(), "your draws are rounded"),
    ],
}

# Right: the plain way of each first, then others.
RIGHT = {
    "squared_error": [
        squared_error,
        squares_in_place,
        vh.squared_error,
        lambda x, y: np.einsum("nhwc,nhwc->n", x - y, x - y),
        lambda x, y: tf.reduce_sum(tf.math.squared_difference(x, y), axis=[1, 2, 3]),
        lambda x, y: ops.sum(ops.square(x.astype("float64") - y), axis=tuple(range(1, x.ndim))),
    ],
    "pca_reconstruct": [
        pca_reconstruct,
        pca_by_scikit_learn,
        pca_in_a_loop,
        lambda x, m, w: m + np.einsum("np,kp,kq->nq", x - m, w, w),
        lambda x, m, w: [m + sum((d @ (row - m)) * d for d in w) for row in x],
        lambda x, m, w: tf.matmul(tf.matmul(x - m, w.astype("float32"), transpose_b=True), w.astype("float32")) + m,
        lambda x, m, w: (x - m) @ np.linalg.pinv(w) @ w + m,
    ],
    "walk": [
        walk,
        np.linspace,
        walk_in_a_loop,
        Walker(),
        Walker().walk,
        lambda a, b, n: a + np.outer(np.arange(n) / (n - 1), b - a),
        lambda a, b, n: tf.linspace(a, b, n),
        functools.partial(np.linspace, dtype="float64"),
    ],
    "draw_fitted": [
        draw_fitted,
        fitted_by_eigenvectors,
        fitted_by_scipy,
        fitted_one_by_one,
        lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.cov(c.T), n, method="cholesky").astype("float32"),
        lambda c, n, rng: tf.constant(draw_fitted(c, n, rng)),
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
