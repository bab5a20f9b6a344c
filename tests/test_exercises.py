"""The checks of the exercises: what students write is named by its mistake, what is right passes, nothing is raised."""

import functools
import itertools
import math
import os
import random
import re
import signal
import statistics
import sys
import threading
import time
import warnings
from fractions import Fraction

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import signal as scipy_signal

import vae_helpers as vh

# Those of the first five lessons; later ones have a file of their own, test_exercises_0N.py.
NAMES = sorted(name for name in vh.check.__all__ if getattr(vh.check, name).__module__[-2:] <= "05")
PIXELS = (1, 2, 3)


# Right: the plain way, one for each exercise


def squared_error(x, x_hat):
    return ((x - x_hat) ** 2).sum(axis=(1, 2, 3))


def pca_reconstruct(x, mean, directions):
    return (x - mean) @ directions.T @ directions + mean


def walk(start, end, steps):
    t = np.linspace(0, 1, steps)[:, None]
    return (1 - t) * start + t * end


def draw_fitted(codes, n, rng):
    return rng.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), size=n)


def reparameterize(mean, log_var, seed):
    return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=seed)


def bernoulli_nll(x, logits):
    return ops.sum(ops.softplus(logits) - x * logits, axis=(1, 2, 3))


def train_step(vae, optimizer, x, beta):
    with tf.GradientTape() as tape:
        mean, log_var = vae.encoder(x)
        logits = vae.decoder(vae.reparameterize(mean, log_var))
        loss = ops.mean(vh.bernoulli_nll(x, logits) + beta * vh.gaussian_kl(mean, log_var))
    optimizer.apply(tape.gradient(loss, vae.trainable_variables), vae.trainable_variables)
    return loss


def gaussian_kl(mean, log_var):
    return 0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var, axis=-1)


def kl_between(mean_a, log_var_a, mean_b, log_var_b):
    spread = (ops.exp(log_var_a) + (mean_a - mean_b) ** 2) / ops.exp(log_var_b)
    return 0.5 * ops.sum(log_var_b - log_var_a + spread - 1, axis=-1)


def elbo_of_one_draw(x, logits, z, mean, log_var):
    ratio = vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, mean, log_var)
    return ratio - vh.bernoulli_nll(x, logits)


def effective_beta(pixels, latents, reconstruction, kl, weight):
    return weight * (pixels if reconstruction == "mean" else 1) / (latents if kl == "mean" else 1)


def convolve(image, kernel):
    height, width = kernel.shape
    out = np.zeros((image.shape[0] - height + 1, image.shape[1] - width + 1))
    for i, j in np.ndindex(out.shape):
        out[i, j] = np.sum(image[i : i + height, j : j + width] * kernel)
    return out


def transposed_size(side, channels, filters, kernel, stride, padding):
    larger = side * stride if padding == "same" else (side - 1) * stride + kernel
    return larger, (kernel * kernel * channels + 1) * filters


def binarize(grey, rng):
    return (rng.random(grey.shape) < grey).astype("float32")


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


RIGHT = {name: globals()[name] for name in NAMES}


# Wrong: what students write, and a phrase of the diagnosis that it should get


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


def drawn_with_a_fixed_batch(mean, log_var, seed):
    return mean + ops.exp(0.5 * log_var) * keras.random.normal((128, 3), seed=seed)


def drawn_with_one_seed(mean, log_var, seed):
    return mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean), seed=42)


STORED = keras.random.normal((6000, 3), seed=0)  # noise drawn once, in another cell


def drawn_once(mean, log_var, seed):
    return mean + ops.exp(log_var / 2) * STORED[: ops.shape(mean)[0]]


def drawn_by_numpy(mean, log_var, seed):
    noise = np.asarray(keras.random.normal(mean.shape, seed=seed))
    return np.asarray(mean) + np.exp(0.5 * np.asarray(log_var)) * noise


def noise_of(mean, seed):
    return keras.random.normal(ops.shape(mean), seed=seed)


def nll_of_probabilities(x, p, tiny=0.0):
    return -ops.sum(x * ops.log(p + tiny) + (1 - x) * ops.log(1 - p + tiny), axis=PIXELS)


def nll_pixel_by_pixel(x, logits):
    result = []
    for image, other in zip(np.asarray(x), np.asarray(logits)):
        surprise = 0.0
        for pixel, logit in zip(image.ravel(), other.ravel()):
            surprise += math.log1p(math.exp(-logit)) if pixel == 1 else math.log1p(math.exp(logit))
        result.append(surprise)
    return result


def step_of(loss, *, part="", uphill=False, twice=False, answer=lambda loss: loss, cut=lambda z: z, drawn=True):
    """A training step as students write it, with loss(nll, kl, beta) and what else they change."""

    def step(vae, optimizer, x, beta):
        with tf.GradientTape() as tape:
            mean, log_var = vae.encoder(x)
            z = cut(vae.reparameterize(mean, log_var) if drawn else mean)
            value = loss(vh.bernoulli_nll(x, vae.decoder(z)), vh.gaussian_kl(mean, log_var), beta)
        variables = getattr(vae, part).trainable_variables if part else vae.trainable_variables
        gradients = tape.gradient(value, variables)
        for _ in range(2 if twice else 1):
            optimizer.apply_gradients([(-g if uphill else g, v) for g, v in zip(gradients, variables)])
        return answer(value)

    return step


def usual(nll, kl, beta):
    return ops.mean(nll + beta * kl)


def step_outside_of_the_tape(vae, optimizer, x, beta):
    with tf.GradientTape() as tape:
        mean, log_var = vae.encoder(x)
        logits = vae.decoder(vae.reparameterize(mean, log_var))
    loss = tf.reduce_mean(vh.bernoulli_nll(x, logits) + beta * vh.gaussian_kl(mean, log_var))
    optimizer.apply(tape.gradient(loss, vae.trainable_variables), vae.trainable_variables)
    return loss


def step_that_forgets_to_apply(vae, optimizer, x, beta):
    with tf.GradientTape() as tape:
        out = vae(x)
        loss = ops.mean(vh.bernoulli_nll(x, out["logits"]) + beta * vh.gaussian_kl(out["mean"], out["log_var"]))
    tape.gradient(loss, vae.trainable_variables)
    return loss


def step_with_the_encoder_before_the_tape(vae, optimizer, x, beta):
    mean, log_var = vae.encoder(x)
    z = vae.reparameterize(mean, log_var)
    with tf.GradientTape() as tape:
        loss = ops.mean(vh.bernoulli_nll(x, vae.decoder(z)) + beta * vh.gaussian_kl(mean, log_var))
    gradients = tape.gradient(loss, vae.trainable_variables)
    pairs = [(g, v) for g, v in zip(gradients, vae.trainable_variables) if g is not None]
    optimizer.apply_gradients(pairs)
    return loss


def step_with_kl_from_numpy(vae, optimizer, x, beta):
    with tf.GradientTape() as tape:
        mean, log_var = vae.encoder(x)
        m, v = mean.numpy(), log_var.numpy()
        kl = -0.5 * np.sum(1 + v - m**2 - np.exp(v), axis=1)
        loss = ops.mean(vh.bernoulli_nll(x, vae.decoder(vae.reparameterize(mean, log_var))) + beta * kl)
    optimizer.apply(tape.gradient(loss, vae.trainable_variables), vae.trainable_variables)
    return loss


def step_by_compute_loss(vae, optimizer, x, beta):
    with tf.GradientTape() as tape:
        loss = vae.compute_loss(x=x, y_pred=vae(x))
    optimizer.apply(tape.gradient(loss, vae.trainable_variables), vae.trainable_variables)
    return loss


def step_with_a_squashed_decoder(vae, optimizer, x, beta):
    with tf.GradientTape() as tape:
        mean, log_var = vae.encode(x)
        images = tf.sigmoid(vae.decoder(vae.reparameterize(mean, log_var)))
        loss = ops.mean(vh.bernoulli_nll(x, images) + beta * vh.gaussian_kl(mean, log_var))
    optimizer.apply(tape.gradient(loss, vae.trainable_variables), vae.trainable_variables)
    return loss


def step_with_squared_error(vae, optimizer, x, beta):
    with tf.GradientTape() as tape:
        out = vae(x)
        error = tf.reduce_sum((x - tf.sigmoid(out["logits"])) ** 2, axis=[1, 2, 3])
        loss = tf.reduce_mean(error + beta * vh.gaussian_kl(out["mean"], out["log_var"]))
    optimizer.apply(tape.gradient(loss, vae.trainable_variables), vae.trainable_variables)
    return loss


def step_that_measures_afterwards(vae, optimizer, x, beta):
    train_step(vae, optimizer, x, beta)
    out = vae(x)
    return ops.mean(vh.bernoulli_nll(x, out["logits"]) + beta * vh.gaussian_kl(out["mean"], out["log_var"]))


def kl_of_sigma(mean, sigma):
    """The formula of a student who thinks that the second argument is the standard deviation."""
    return 0.5 * ops.sum(mean**2 + sigma**2 - 1 - ops.log(sigma**2), axis=1)


def kl_of_variance(mean, var):
    return -0.5 * tf.reduce_sum(1 + tf.math.log(var) - mean**2 - var, axis=-1)


def kl_in_a_loop_over_latents(mean, log_var):
    total = 0
    for i in range(mean.shape[1]):
        total += 0.5 * (mean[:, i] ** 2 + ops.exp(log_var[:, i]) - log_var[:, i])
    return total


def between(ma, va, mb, vb, half=0.5):
    return half * ops.sum(vb - va + ops.exp(va - vb) + (ma - mb) ** 2 / ops.exp(vb) - 1, axis=1)


def between_sigmas(ma, sa, mb, sb):
    return ops.sum(ops.log(sb / sa) + (sa**2 + (ma - mb) ** 2) / (2 * sb**2) - 0.5, axis=1)


def log_normal(z, mean, var):
    return -0.5 * ops.sum(ops.log(2 * np.pi * var) + (z - mean) ** 2 / var, axis=-1)


def beta_with_elif(pixels, latents, reconstruction, kl, weight):
    beta = weight
    if reconstruction == "mean":
        beta *= pixels
    elif kl == "mean":
        beta /= latents
    return beta


def beta_upside_down(pixels, latents, reconstruction, kl, weight):
    r = pixels if reconstruction == "mean" else 1
    k = latents if kl == "mean" else 1
    return k / (r * weight)


def convolve_one_place_short(image, kernel):
    k, m = kernel.shape
    out = np.zeros((image.shape[0] - k, image.shape[1] - m))
    for i in range(image.shape[0] - k):
        for j in range(image.shape[1] - m):
            out[i, j] = (image[i : i + k, j : j + m] * kernel).sum()
    return out


def convolve_without_adding(image, kernel):
    k, m = kernel.shape
    out = np.zeros((image.shape[0] - k + 1, image.shape[1] - m + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for a in range(k):
                for b in range(m):
                    out[i, j] = image[i + a, j + b] * kernel[a, b]
    return out


def convolve_into_the_image(image, kernel):
    k, m = kernel.shape
    out = np.zeros(image.shape)
    for i in range(image.shape[0] - k + 1):
        for j in range(image.shape[1] - m + 1):
            out[i, j] = np.sum(image[i : i + k, j : j + m] * kernel)
    return out


def convolve_with_square_places(image, kernel):
    k = kernel.shape[0]
    out = np.zeros((image.shape[0] - k + 1, image.shape[1] - k + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(image[i : i + k, j : j + k] * kernel)
    return out


def convolve_padded_by_keras(image, kernel):
    return ops.conv(image[None, :, :, None], kernel[:, :, None, None], padding="same")[0, :, :, 0]


def size_of_pytorch(side, channels, filters, kernel, stride, padding):
    pad = kernel // 2 if padding == "same" else 0
    return (side - 1) * stride - 2 * pad + kernel, kernel**2 * channels * filters + filters


def size_of_upsampling_only(side, channels, filters, kernel, stride, padding):
    return side * stride, kernel * kernel * channels * filters + filters


def tossed_with_a_new_generator(grey, rng):
    return (np.random.default_rng(0).random(grey.shape) < grey).astype(int)


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
        (lambda x, y: 0.5 * np.sum((x - y) ** 2, axis=(1, 2, 3)), "every value is 0.5 times"),
        (lambda x, y: np.sum((x - y) ** 2, axis=PIXELS, keepdims=True), "shape (5, 1, 1, 1); it should be (5,)"),
        (lambda x, y: -np.sum((x - y) ** 2, axis=PIXELS), "an error is never negative"),
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
    ],
    "reparameterize": [
        (lambda m, v, s: m + ops.exp(v) * noise_of(m, s), "exp(log_var) is the variance"),
        (lambda m, v, s: m + v * noise_of(m, s), "log_var itself"),
        (lambda m, v, s: m + 0.5 * v * noise_of(m, s), "half of log_var"),
        (lambda m, v, s: m + ops.sqrt(v) * noise_of(m, s), "take its exponential, not its root"),
        (lambda m, v, s: m + ops.exp(2 * v) * noise_of(m, s), "the variance squared"),
        (lambda m, v, s: m + ops.exp(-0.5 * v) * noise_of(m, s), "the sign in the exponent is wrong"),
        (lambda m, v, s: m + noise_of(m, s), "you add the noise as it is"),
        (lambda m, v, s: m + ops.softplus(v) * noise_of(m, s), "this is softplus"),
        (lambda m, v, s: ops.exp(0.5 * v) * noise_of(m, s), "`mean` is missing"),
        (lambda m, v, s: (m + noise_of(m, s)) * ops.exp(0.5 * v), "you stretch the mean as well"),
        (lambda m, v, s: v + ops.exp(0.5 * m) * noise_of(m, s), "`mean` and `log_var` are swapped"),
        (lambda m, v, s: m + ops.exp(0.5 * v * noise_of(m, s)), "inside of the exponential"),
        (lambda m, v, s: m, "there is no noise"),
        (lambda m, v, s: m + ops.exp(0.5 * v), "every row gets the same"),
        (drawn_with_a_fixed_batch, "fixed batch size"),
        (drawn_with_one_seed, "two calls with one SeedGenerator give the same noise"),
        (drawn_once, "two calls with one SeedGenerator give the same noise"),
        (drawn_by_numpy, "no gradient reaches `mean`"),
        (lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.normal(ops.shape(m)), "you do not use `seed`"),
        (lambda m, v, s: m + ops.exp(0.5 * v) * np.random.normal(size=m.shape), "you do not use `seed`"),
        (lambda m, v, s: m + ops.exp(0.5 * v) * tf.random.normal(tf.shape(m)), "you do not use `seed`"),
        (lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.normal((1, 3), seed=s), "every row gets the same noise"),
        (
            lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.normal((ops.shape(m)[0], 1), seed=s),
            "all latents of a row get the same noise",
        ),
        (
            lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.uniform(ops.shape(m), seed=s),
            "use a normal distribution, not a uniform one",
        ),
        (
            lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.uniform(ops.shape(m), -1, 1, seed=s),
            "the noise is uniform",
        ),
        (
            lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.uniform(ops.shape(m), -(3**0.5), 3**0.5, seed=s),
            "not from a normal distribution",
        ),
        (
            lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.normal(m.shape, seed=s),
            "the number of rows is not yet known",
        ),
    ],
    "bernoulli_nll": [
        (lambda x, a: ops.mean(ops.softplus(a) - x * a, axis=PIXELS), "you take the mean over the pixels"),
        (lambda x, a: keras.losses.BinaryCrossentropy(from_logits=True)(x, a), "the mean over pixels and batch"),
        (lambda x, a: keras.losses.binary_crossentropy(x, a, from_logits=True), "you reduce the channel axis only"),
        (lambda x, a: tf.nn.sigmoid_cross_entropy_with_logits(x, a), "the surprises of all pixels"),
        (lambda x, a: ops.sum(ops.binary_crossentropy(x, a), axis=PIXELS), "there is no sigmoid"),
        (lambda x, a: nll_of_probabilities(x, a), "there is no sigmoid"),
        (
            lambda x, a: ops.sum(tf.nn.sigmoid_cross_entropy_with_logits(x, tf.sigmoid(a)), axis=PIXELS),
            "the sigmoid is applied twice",
        ),
        (lambda x, a: nll_of_probabilities(x, ops.sigmoid(ops.sigmoid(a))), "the sigmoid is applied twice"),
        (lambda x, a: nll_of_probabilities(x, ops.sigmoid(a)), "its logarithm is that of 0"),
        (lambda x, a: nll_of_probabilities(x, ops.sigmoid(a), tiny=1e-7), "you cut the probability off"),
        (lambda x, a: ops.sum(ops.binary_crossentropy(x, tf.sigmoid(a)), axis=PIXELS), "you cut the probability"),
        (lambda x, a: ops.sum(ops.log(1 + ops.exp(a)) - x * a, axis=PIXELS), "is not finite"),
        (lambda x, a: ops.sum(x * a - ops.softplus(a), axis=PIXELS), "this is the log-probability"),
        (lambda x, a: ops.sum(ops.softplus(a) - x * a), "you sum over the images as well"),
        (lambda x, a: ops.mean(ops.sum(ops.softplus(a) - x * a, axis=PIXELS)), "the mean over the batch already"),
        (lambda x, a: ops.sum(ops.softplus(a) - x * a, axis=0), "axis 0, the images"),
        (lambda x, a: ops.sum(ops.softplus(a) - x * a, axis=1), "one axis of the pixels only"),
        (lambda x, a: ops.sum(ops.softplus(a) - x * a, axis=(1, 2)), "you do not sum over the channel axis"),
        (lambda x, a: ops.sum(ops.softplus(a) + x * a, axis=PIXELS), "the sign of the product"),
        (lambda x, a: ops.sum(ops.softplus(a) - (1 - x) * a, axis=PIXELS), "black and white are swapped"),
        (lambda x, a: ops.sum(-x * ops.log_sigmoid(a), axis=PIXELS), "you count the white pixels only"),
        (lambda x, a: -ops.sum((1 - x) * ops.log_sigmoid(-a), axis=PIXELS), "you count the black pixels only"),
        (lambda x, a: -ops.sum(x * a, axis=PIXELS), "only the product"),
        (
            lambda x, a: ops.sum(ops.binary_crossentropy(a, x, from_logits=True), axis=PIXELS),
            "`x` and `logits` are swapped",
        ),
        (lambda x, a: ops.sum((x - ops.sigmoid(a)) ** 2, axis=PIXELS), "this is the squared error"),
        (lambda x, a: ops.sum(ops.abs(x - ops.sigmoid(a)), axis=PIXELS), "this is the absolute difference"),
        (lambda x, a: bernoulli_nll(x, a) / math.log(2), "this is in bits"),
        (lambda x, a: ops.prod(ops.where(x == 1, ops.sigmoid(a), ops.sigmoid(-a)), axis=PIXELS), "without a logarithm"),
        (lambda x, a: ops.convert_to_numpy(bernoulli_nll(x, a)), "no gradient reaches the logits"),
        (nll_pixel_by_pixel, "no gradient reaches the logits"),
    ],
    "train_step": [
        (step_of(lambda r, k, b: ops.mean(r + k)), "beta is not used"),
        (step_by_compute_loss, "beta is not used"),
        (step_of(lambda r, k, b: ops.mean(r)), "the KL is missing in the loss"),
        (step_with_kl_from_numpy, "the KL is missing in the loss, or computed outside"),
        (step_of(lambda r, k, b: b * ops.mean(k)), "Is the reconstruction in the loss"),
        (step_of(lambda r, k, b: ops.mean(b * r + k)), "beta multiplies the reconstruction"),
        (step_of(lambda r, k, b: b * ops.mean(r + k)), "beta multiplies both terms"),
        (step_of(lambda r, k, b: r + b * k), "take their mean"),
        (step_of(lambda r, k, b: ops.sum(r + b * k)), "you sum over the batch"),
        (step_of(lambda r, k, b: ops.mean(r) + b * ops.sum(k)), "you sum the KL over the batch"),
        (step_of(lambda r, k, b: ops.sum(r) + b * ops.mean(k)), "you sum the reconstruction over the batch"),
        (step_of(lambda r, k, b: ops.mean(r) / 16 + b * ops.mean(k)), "you take the mean over the pixels"),
        (step_of(lambda r, k, b: ops.mean(r + b * k / 2)), "you take the mean over the latents"),
        (step_of(lambda r, k, b: ops.mean(r / 16 + b * k / 2)), "means over pixels and latents"),
        (step_of(lambda r, k, b: ops.mean(r - b * k)), "the KL is subtracted"),
        (step_of(lambda r, k, b: ops.mean(b * k - r)), "the reconstruction is subtracted"),
        (step_of(lambda r, k, b: ops.mean(r + k / b)), "you divide by beta"),
        (step_of(lambda r, k, b: -ops.mean(r + b * k)), "uphill"),
        (step_of(usual, uphill=True), "uphill"),
        (step_of(usual, twice=True), "every parameter moves 2 times as far"),
        (step_of(usual, part="encoder"), "only the encoder has changed"),
        (step_of(usual, part="decoder"), "only the decoder has changed"),
        (step_of(usual, drawn=False), "the decoder gets the mean"),
        (step_of(usual, cut=lambda z: z.numpy()), "does not reach the encoder"),
        (step_of(usual, cut=tf.stop_gradient), "does not reach the encoder"),
        (step_of(usual, answer=lambda loss: None), "nothing is returned: return the loss"),
        (step_of(usual, answer=lambda loss: 12 * loss), "return the mean"),
        (step_that_measures_afterwards, "the loss before the step is"),
        (step_outside_of_the_tape, "compute it inside the block of the GradientTape"),
        (step_with_the_encoder_before_the_tape, "only the decoder has changed"),
        (step_that_forgets_to_apply, "no parameter has changed"),
        (step_with_a_squashed_decoder, "the sigmoid is applied twice"),
        (step_with_squared_error, "the reconstruction is the squared error"),
    ],
    "gaussian_kl": [
        (lambda m, v: ops.sum(m**2 + ops.exp(v) - 1 - v, axis=-1), "the ½ is missing."),
        (lambda m, v: -ops.sum(1 + v - m**2 - ops.exp(v), axis=-1), "the ½ is missing."),
        (lambda m, v: ops.sum(1 + v - m**2 - ops.exp(v), axis=-1), "the ½ is missing, and the sign is wrong"),
        (lambda m, v: 0.5 * ops.sum(1 + v - m**2 - ops.exp(v), axis=-1), "the sign is wrong"),
        (lambda m, v: -0.5 * ops.mean(1 + v - m**2 - ops.exp(v), axis=-1), "you take the mean over the latents"),
        (lambda m, v: -ops.mean(1 + v - m**2 - ops.exp(v), axis=-1), "the ½ is missing, and you take the mean"),
        (lambda m, v: 0.5 * ops.mean(1 + v - m**2 - ops.exp(v), axis=-1), "the sign is wrong, and you take the mean"),
        (lambda m, v: -0.5 * ops.sum(1 + v - m**2 - ops.exp(v)), "you sum over the batch as well"),
        (lambda m, v: ops.mean(gaussian_kl(m, v)), "the mean over the batch already"),
        (lambda m, v: -0.5 * tf.reduce_mean(1 + v - tf.square(m) - tf.exp(v)), "over latents and batch"),
        (lambda m, v: -0.5 * ops.sum(1 + v - m**2 - ops.exp(v), axis=0), "axis 0, the images"),
        (lambda m, v: -0.5 * (1 + v - m**2 - ops.exp(v)), "there is no sum"),
        (kl_of_sigma, "you take log_var for the standard deviation"),
        (
            lambda m, s: 0.5 * ops.sum(m**2 + s**2 - 1, axis=-1) - ops.sum(ops.log(s), axis=-1),
            "you take log_var for the standard deviation",
        ),
        (kl_of_variance, "you take log_var for the variance"),
        (lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) - 1 - ops.log(v), axis=-1), "a logarithm too many"),
        (lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) ** 2 - 1 - v, axis=-1), "and square it; it already is"),
        (lambda m, v: kl_of_sigma(m, ops.exp(v)), "you take exp(log_var) for the standard deviation"),
        (lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v / 2) - 1 - v, axis=-1), "where the variance belongs"),
        (lambda m, v: 0.5 * ops.sum((1 + m**2) / ops.exp(v) - 1 + v, axis=-1), "in the other direction"),
        (kl_in_a_loop_over_latents, "the 1 is missing"),
        (lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) + 1 - v, axis=-1), "you add the 1; subtract it"),
        (lambda m, v: 0.5 * (ops.sum(m**2 + ops.exp(v) - v, axis=-1) - 1), "the 1 stands outside of the sum"),
        (lambda m, v: 0.5 * ops.sum(ops.exp(v) - 1 - v, axis=-1), "the term with the mean is missing"),
        (lambda m, v: 0.5 * ops.sum(m + ops.exp(v) - 1 - v, axis=-1), "the mean must be squared"),
        (lambda m, v: 0.5 * ops.sum(ops.abs(m) + ops.exp(v) - 1 - v, axis=-1), "the mean must be squared"),
        (lambda m, v: -0.5 * ops.sum(1 + v + m**2 - ops.exp(v), axis=-1), "you subtract the square of the mean"),
        (lambda m, v: -0.5 * ops.sum(1 - v - m**2 - ops.exp(v), axis=-1), "the sign of log_var is wrong"),
        (lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) - 1, axis=-1), "the term with log_var is missing"),
        (lambda m, v: 0.5 * ops.sum(m**2 - 1 - v, axis=-1), "the variance is missing"),
        (lambda m, v: ops.sum(0.5 * m**2 + ops.exp(v) - 1 - v, axis=-1), "the ½ multiplies only"),
        (lambda m, v: gaussian_kl(v, m), "`mean` and `log_var` are swapped"),
        (lambda m, v: gaussian_kl(m, v).numpy(), "no gradient comes through"),
        (lambda m, v: gaussian_kl(m, ops.stop_gradient(v)), "no gradient comes through"),
        (lambda m, v: ops.sum(gaussian_kl(m, v)[:, None] * [[1.0]], axis=-1) + 1e4 - 1e4, "the value at"),
    ],
    "kl_between": [
        (lambda ma, va, mb, vb: between(mb, vb, ma, va), "the other direction"),
        (lambda *c: between(*c, half=1), "the ½ is missing"),
        (lambda ma, va, mb, vb: between(ma, va, mb, vb) + ma.shape[1] / 2, "the 1 is missing"),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(va - vb + (ops.exp(va) + (ma - mb) ** 2) / ops.exp(vb) - 1, axis=-1),
            "the difference of the logarithms has the wrong sign",
        ),
        (
            lambda ma, va, mb, vb: ops.sum(vb - va + (ops.exp(va) + (ma - mb) ** 2) / (2 * ops.exp(vb)) - 0.5, axis=1),
            "counts double",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(vb - va + ops.exp(va) / ops.exp(vb) + (ma - mb) ** 2 - 1, axis=1),
            "must be divided by the variance of b, too",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(vb - va + ops.exp(va) + (ma - mb) ** 2 / ops.exp(vb) - 1, axis=1),
            "the variance of a is not divided",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(vb - va + ops.exp(va - vb) + (ma - mb) ** 2 / ops.exp(va) - 1, axis=1),
            "divided by the variance of a",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(vb - va + ops.exp(vb - va) + (ma - mb) ** 2 / ops.exp(vb) - 1, axis=1),
            "the wrong way round",
        ),
        (lambda ma, va, mb, vb: between(ma, va, ma, vb), "the term with the means is missing"),
        (lambda ma, va, mb, vb: between(ma, va, -mb, vb), "the means are added"),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(vb - va + (ops.exp(va) + ma - mb) / ops.exp(vb) - 1, axis=1),
            "must be squared",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(vb - va + (ops.exp(va) + ma**2 - mb**2) / ops.exp(vb) - 1, axis=1),
            "the difference of their squares",
        ),
        (
            lambda ma, va, mb, vb: between_sigmas(ma, ops.exp(va), mb, ops.exp(vb)),
            "you take exp(log_var) for the standard deviation",
        ),
        (between_sigmas, "you take log_var for the standard deviation"),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(ops.log(vb / va) + (va + (ma - mb) ** 2) / vb - 1, axis=1),
            "you take log_var for the variance",
        ),
        (lambda ma, va, mb, vb: vh.gaussian_kl(ma, va) - vh.gaussian_kl(mb, vb), "a difference of two KLs"),
        (lambda ma, va, mb, vb: vh.gaussian_kl(ma, va), "b is not used"),
        (lambda *c: between(*c) + between(*c[2:], *c[:2]), "the sum of both directions"),
        (lambda *c: -between(*c), "never negative"),
        (
            lambda ma, va, mb, vb: (
                0.5 * ops.mean(vb - va + ops.exp(va - vb) + (ma - mb) ** 2 / ops.exp(vb) - 1, axis=1)
            ),
            "you take the mean over the latents",
        ),
        (lambda *c: ops.sum(between(*c)), "you sum over the batch as well"),
        (lambda *c: ops.mean(between(*c)), "the mean over the batch already"),
        (
            lambda ma, va, mb, vb: 0.5 * (vb - va + ops.exp(va - vb) + (ma - mb) ** 2 / ops.exp(vb) - 1),
            "there is no sum",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * (ops.sum(vb - va + (ops.exp(va) + (ma - mb) ** 2) / ops.exp(vb), axis=1) - 1),
            "the 1 stands outside of the sum",
        ),
        (
            lambda ma, va, mb, vb: ops.sum(0.5 * (vb - va) + (ops.exp(va) + (ma - mb) ** 2) / ops.exp(vb) - 1, axis=1),
            "the ½ multiplies only one of the terms",
        ),
        (
            lambda ma, va, mb, vb: between(ma, va, mb, vb) - 0.5 * ops.sum(vb - va, axis=1),
            "the logarithms are missing",
        ),
    ],
    "elbo_of_one_draw": [
        (lambda *c: -elbo_of_one_draw(*c), "the sign is wrong: this is the loss"),
        (
            lambda x, a, z, m, v: (
                vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "the sign of log p(x|z) is wrong",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, 0.0) + vh.gaussian_log_prob(z, m, v)
            ),
            "log q(z|x) is added",
        ),
        (lambda x, a, z, m, v: -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, 0.0), "log q(z|x) is missing"),
        (
            lambda x, a, z, m, v: -vh.bernoulli_nll(x, a) - vh.gaussian_log_prob(z, m, v),
            "log p(z), the prior, is missing",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) - vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "log p(z) is subtracted",
        ),
        (lambda x, a, z, m, v: -vh.bernoulli_nll(x, a), "only log p(x|z) is there"),
        (
            lambda x, a, z, m, v: vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v),
            "log p(x|z) is missing",
        ),
        (
            lambda x, a, z, m, v: vh.gaussian_log_prob(z, m, v) - vh.gaussian_log_prob(z, 0.0, 0.0),
            "this is log q(z|x) − log p(z)",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, m, v) - vh.gaussian_log_prob(z, 0.0, 0.0)
            ),
            "prior and q are swapped",
        ),
        (
            lambda x, a, z, m, v: -vh.bernoulli_nll(x, a) - vh.gaussian_kl(m, v),
            "you use the formula of the KL: right on",
        ),
        (
            lambda x, a, z, m, v: vh.gaussian_kl(m, v) - vh.bernoulli_nll(x, a),
            "you use the formula of the KL, and add it",
        ),
        (lambda x, a, z, m, v: vh.bernoulli_nll(x, a) + vh.gaussian_kl(m, v), "this is the loss, with the formula"),
        (lambda x, a, z, m, v: elbo_of_one_draw(x, a, z, m, 2 * v), "exp(log_var) for the standard deviation"),
        (lambda x, a, z, m, v: elbo_of_one_draw(x, a, z, m, ops.exp(v)), "you give exp(log_var), the variance"),
        (lambda x, a, z, m, v: elbo_of_one_draw(x, a, z, m, ops.exp(v / 2)), "you give the standard deviation"),
        (lambda x, a, z, m, v: elbo_of_one_draw(x, a, z, m, v / 2), "half of log_var"),
        (
            lambda x, a, z, m, v: -vh.bernoulli_nll(x, a) + log_normal(z, 0.0, 1.0) - log_normal(z, m, v),
            "you take log_var for the variance",
        ),
        (
            lambda x, a, z, m, v: -vh.bernoulli_nll(x, a) + log_normal(z, 0.0, 1.0) - log_normal(z, m, v**2),
            "you take log_var for the standard deviation",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, 1.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "in log p(z) the log-variance is 1",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(m, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "it should be that of the draw z",
        ),
        (
            lambda x, a, z, m, v: -vh.bernoulli_nll(x, a) - 0.5 * ops.sum(z**2, axis=1) - vh.gaussian_log_prob(z, m, v),
            "in log p(z) the term with log 2π is missing",
        ),
        (
            lambda x, a, z, m, v: elbo_of_one_draw(x, a, z, m, v) + 0.5 * ops.sum(-v, axis=1),
            "logarithm of the variance",
        ),
        (lambda x, a, z, m, v: elbo_of_one_draw(x, a, z, 0.0, v), "q is not centred at 0"),
        (lambda x, a, z, m, v: elbo_of_one_draw(x, tf.sigmoid(a), z, m, v), "the sigmoid is applied twice"),
        (
            lambda x, a, z, m, v: (
                vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v) - vh.squared_error(x, ops.sigmoid(a))
            ),
            "minus the squared error",
        ),
        (
            lambda x, a, z, m, v: elbo_of_one_draw(x, a, z, m, v) + vh.bernoulli_nll(x, a) * 8 / 9,
            "a mean over the pixels",
        ),
        (lambda *c: ops.mean(elbo_of_one_draw(*c)), "the mean over the batch already"),
        (lambda *c: ops.sum(elbo_of_one_draw(*c)), "you sum over the batch"),
        (lambda x, a, z, m, v: -vh.bernoulli_nll(a, x), "your code stopped with ValueError: x has pixels"),
    ],
    "effective_beta": [
        (beta_upside_down, "this is 1/β"),
        (lambda p, d, r, k, w: w * (p if r == "mean" else 1), "you do not count the mean over the latents"),
        (lambda p, d, r, k, w: w / (d if k == "mean" else 1), "you do not count the mean over the pixels"),
        (lambda p, d, r, k, w: w * (p if r == "mean" else 1) * (d if k == "mean" else 1), "you multiply"),
        (lambda p, d, r, k, w: w / (p if r == "mean" else 1) / (d if k == "mean" else 1), "larger, not smaller"),
        (lambda p, d, r, k, w: w * (1 / p if r == "mean" else 1) * (d if k == "mean" else 1), "the wrong way round"),
        (lambda p, d, r, k, w: (p if r == "mean" else 1) / (d if k == "mean" else 1), "you do not use `weight`"),
        (lambda p, d, r, k, w: effective_beta(p, d, r, k, 1 / w), "you divide by `weight`"),
        (lambda p, d, r, k, w: w * (p if r == "sum" else 1) / (d if k == "sum" else 1), "are swapped"),
        (lambda p, d, r, k, w: effective_beta(d, p, r, k, w), "pixels and latents are swapped"),
        (lambda p, d, r, k, w: w * p / d, "even where the loss takes a sum"),
        (lambda p, d, r, k, w: w, "this is `weight`"),
        (beta_with_elif, "you use only one of them"),
        (lambda p, d, r, k, w: (p if r == "mean" else 1) * (w if k == "sum" else 1 / d), "only where the KL is a sum"),
        (lambda p, d, r, k, w: effective_beta(p, d, r, k, w) // 1, "drops the part after the point"),
        (lambda p, d, r, k, w: (w * p if r == "mean" else w) // (d if k == "mean" else 1), "drops the part"),
        (lambda p, d, r, k, w: w / (p if r == "mean" else 1), "the mean over the latents is not counted, and"),
        (lambda p, d, r, k, w: 1.0, "the value is 1; it should be 0.5"),
    ],
    "convolve": [
        (lambda a, k: scipy_signal.convolve2d(a, k, mode="valid"), "turned by half a turn"),
        (lambda a, k: scipy_signal.correlate2d(a, k), 'padding "full"'),
        (lambda a, k: convolve(a, k[::-1]), "upside down"),
        (lambda a, k: convolve(a, k[:, ::-1]), "left and right of the kernel are swapped"),
        (lambda a, k: convolve(a, k / k.size), "you take the mean"),
        (convolve_one_place_short, "the last row and the last column are missing"),
        (convolve_without_adding, "the last product"),
        (convolve_into_the_image, "a border of zeros"),
        (convolve_with_square_places, "your code stopped with ValueError"),
        (convolve_padded_by_keras, "you put zeros around the image"),
        (lambda a, k: scipy_signal.correlate2d(a, k, mode="same"), "you put zeros around the image"),
        (lambda a, k: convolve(a, k)[::2, ::2], "stride should be 1"),
        (lambda a, k: convolve(a, np.ones(k.shape)), "without the kernel"),
        (lambda a, k: np.maximum(convolve(a, k), 0), "the activation"),
        (lambda a, k: keras.layers.Activation("relu")(convolve(a, k)), "the activation"),
        (lambda a, k: convolve(a.T, k.T), "rows and columns of the result are swapped"),
        (lambda a, k: convolve(a, k)[:, :-1], "the last column is missing"),
        (lambda a, k: convolve(a, k)[None, :, :, None], "shape (1, 5, 3, 1); it should be (5, 3)"),
        (lambda a, k: convolve(a, k) + 1, "the value at"),
    ],
    "transposed_size": [
        (
            lambda n, c, f, k, s, p: (-(-n // s) if p == "same" else (n - k) // s + 1, (k * k * c + 1) * f),
            "that of an ordinary convolution",
        ),
        (size_of_upsampling_only, 'right for padding "same" only'),
        (lambda n, c, f, k, s, p: ((n - 1) * s + k, (k * k * c + 1) * f), 'right for padding "valid" only'),
        (size_of_pytorch, "the rule of PyTorch"),
        (
            lambda n, c, f, k, s, p: transposed_size(n, c, f, k, s, {"same": "valid", "valid": "same"}[p]),
            '"same" and "valid" are swapped',
        ),
        (lambda n, c, f, k, s, p: (n * s + (0 if p == "same" else k), (k * k * c + 1) * f), "one stride too many"),
        (lambda n, c, f, k, s, p: ((n if p == "same" else n + k - 1), (k * k * c + 1) * f), "the stride is missing"),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s, (k * k * c + 1) * f),
            "the kernel of the last stamp is missing",
        ),
        (lambda *c: transposed_size(*c)[::-1], "the two numbers are swapped"),
        (lambda *c: transposed_size(*c)[0], "return two numbers"),
        (lambda *c: (*transposed_size(*c), c[2]), "return two numbers"),
        (lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k * k * c * f), "the bias is missing"),
        (
            lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k**2 * c * f + c),
            "the biases are counted for the input channels",
        ),
        (
            lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k**2 * c * f + 1),
            "only one bias",
        ),
        (lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k * c * f + f), "kernel × kernel"),
        (lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k * k * f + f), "the channels are missing"),
        (lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k * k * c + 1), "the filters are missing"),
        (
            lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], n * n * f),
            "Keras says 18464",
        ),
    ],
    "binarize": [
        (lambda g, rng: (g > 0.5).astype("float32"), "this is thresholding"),
        (lambda g, rng: np.round(g), "this is thresholding"),
        (lambda g, rng: np.where(g > g.mean(), 1, 0), "this is thresholding"),
        (lambda g, rng: g > 0.3, "this is thresholding"),
        (lambda g, rng: g, "the images are still grey"),
        (lambda g, rng: (rng.random(g.shape) > g).astype(int), "black and white are swapped"),
        (lambda g, rng: rng.integers(0, 2, size=g.shape), "every coin is fair"),
        (lambda g, rng: np.rint(rng.random(g.shape)), "every coin is fair"),
        (lambda g, rng: rng.choice([0, 1], size=g.shape), "every coin is fair"),
        (lambda g, rng: (rng.random() < g).astype(int), "all images get the same coins"),
        (lambda g, rng: (rng.random(g.shape[1:]) < g).astype(int), "all images get the same coins"),
        (lambda g, rng: (rng.random((len(g), 1, 1, 1)) < g).astype(int), "share one coin"),
        (lambda g, rng: np.stack([rng.random() < image for image in g]), "share one coin"),
        (tossed_with_a_new_generator, "every call tosses the same coins"),
        (lambda g, rng: (np.random.random(g.shape) < g).astype(int), "you do not toss with `rng`"),
        (lambda g, rng: np.random.binomial(1, g), "you do not toss with `rng`"),
        (lambda g, rng: rng.random(g.shape) * g, "values other than 0 and 1"),
        (lambda g, rng: 255 * (rng.random(g.shape) < g), "for example 255"),
        (lambda g, rng: rng.binomial(2, g), "for example 2"),
        (lambda g, rng: (rng.normal(size=g.shape) < g).astype(int), "normal random numbers"),
        (lambda g, rng: (g + rng.normal(0, 0.1, g.shape) > 0.5).astype(int), "a pixel of 0.9 comes out 1"),
        (lambda g, rng: (rng.random(g.shape) < g**2).astype(int), "with frequency 0.82; it should be 0.90"),
        (lambda g, rng: [(rng.random(i.shape) < i).any() for i in g], "it should be that of the images"),
    ],
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
        (lambda v: grid_codes(np.arange(len(v)) + v[0]), "it should be"),
        (lambda v: grid_codes(v)[:-1], "shape (8, 2); it should be (9, 2)"),
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
    ],
}
WRONG_CASES = [
    pytest.param(name, function, phrase, id=f"{name}-{number}-{function.__name__.strip('<>')}")
    for name, rows in WRONG.items()
    for number, (function, phrase) in enumerate(rows)
]


# The line that matters of each solution; a check names mistakes, and never says how to write it.
ESSENCE = [
    "x_hat) ** 2", ".sum(", "axis=(1", "@ directions", "linspace", "multivariate_normal", "cov(", "exp(0.5",
    "random.normal", "softplus", "from_logits", ".gradient(", "apply(", "0.5 *", "** 2", "gaussian_log_prob",
    "pixels *", "/ latents", "rng.random", "< grey", "[::-1]", "meshgrid", "arccos(", "sin((1", ".var(", "> threshold",
]  # fmt: skip


@pytest.mark.parametrize("name, function, phrase", WRONG_CASES)
def test_a_mistake_is_named(said, name, function, phrase):
    text = said(name, function)
    assert phrase in text
    assert "· right" not in text
    assert "cannot judge" not in text
    if "line " not in text:  # the student's own
        assert not [part for part in ESSENCE if part in text and part not in phrase]


def test_there_are_many_mistakes():
    assert set(WRONG) == set(NAMES)
    assert min(map(len, WRONG.values())) >= 4
    assert len(WRONG_CASES) >= 100


# Right, written differently; some of them by TensorFlow Probability, scikit-learn, scipy and Keras's own layers,
# so that the values that the checks compute are compared with a third source


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
    return np.average(codes, axis=0) + (rng.standard_normal((n, 2)) * np.sqrt(values)) @ vectors.T


def fitted_by_scipy(codes, n, rng):
    from scipy import stats

    return stats.multivariate_normal(codes.mean(0), np.cov(codes.T)).rvs(n, random_state=rng)


def fitted_one_by_one(codes, n, rng):
    mean, factor = codes.mean(0), np.linalg.cholesky(np.cov(codes.T))
    return [mean + factor @ rng.normal(size=2) for _ in range(n)]


def drawn_without_state(mean, log_var, seed):
    pair = [seed, 0] if isinstance(seed, int) else seed.next()
    return mean + tf.sqrt(tf.exp(log_var)) * tf.random.stateless_normal(tf.shape(mean), pair)


class Sampling(keras.layers.Layer):
    def call(self, mean, log_var, seed):
        return mean + ops.multiply(ops.exp(log_var / 2), keras.random.normal(ops.shape(mean), seed=seed))


def drawn_like_vae(mean, log_var, seed):
    noise = keras.random.normal((ops.shape(mean)[0], mean.shape[1]), seed=seed)
    return ops.exp(log_var) ** 0.5 * noise + mean


def nll_by_probability(x, logits):
    import tensorflow_probability as tfp

    return -tfp.distributions.Independent(tfp.distributions.Bernoulli(logits=logits), 3).log_prob(x)


def nll_by_layers(x, logits):
    loss = keras.losses.BinaryCrossentropy(from_logits=True, reduction="none")
    return tf.reduce_sum(loss(x, logits), axis=[1, 2])


def nll_in_float64(x, logits):
    x, logits = ops.cast(x, "float64"), ops.cast(logits, "float64")
    return ops.sum(ops.where(x == 1, -ops.log_sigmoid(logits), -ops.log_sigmoid(-logits)), axis=PIXELS)


@tf.function
def compiled_step(vae, optimizer, x, beta):
    return train_step(vae, optimizer, x, beta)


def step_by_zip(vae, optimizer, x, beta):
    with tf.GradientTape() as tape:
        out = vae(x, training=True)
        reconstruction = tf.reduce_mean(vh.bernoulli_nll(x, out["logits"]))
        kl = tf.reduce_mean(vh.gaussian_kl(out["mean"], out["log_var"]))
        loss = reconstruction + beta * kl
    gradients = tape.gradient(loss, vae.trainable_weights)
    optimizer.apply_gradients(zip(gradients, vae.trainable_weights))
    return float(loss)


def step_by_hand(vae, optimizer, x, beta):
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        mean, log_var = vae.encode(x)
        logits = vae.decoder(vae.reparameterize(mean, log_var))
        kl = -0.5 * ops.sum(1 + log_var - mean**2 - ops.exp(log_var), axis=-1)
        loss = ops.sum(bernoulli_nll(x, logits) + beta * kl) / x.shape[0]
    for part in (vae.encoder, vae.decoder):
        for variable, gradient in zip(part.trainable_variables, tape.gradient(loss, part.trainable_variables)):
            variable.assign_sub(optimizer.learning_rate * gradient)
    return loss.numpy()


def normals(mean, log_var):
    import tensorflow_probability as tfp

    return tfp.distributions.MultivariateNormalDiag(mean, tf.exp(log_var / 2))


def kl_by_probability(mean, log_var):
    import tensorflow_probability as tfp

    return tfp.distributions.kl_divergence(normals(mean, log_var), normals(0 * mean, 0 * log_var))


def kl_of_std(mean, log_var):
    std = ops.exp(0.5 * ops.cast(log_var, "float64"))
    return [ops.sum(0.5 * (m**2 + s**2 - 1) - ops.log(s)) for m, s in zip(ops.cast(mean, "float64"), std)]


def between_by_probability(mean_a, log_var_a, mean_b, log_var_b):
    import tensorflow_probability as tfp

    return tfp.distributions.kl_divergence(normals(mean_a, log_var_a), normals(mean_b, log_var_b))


def between_by_matrices(mean_a, log_var_a, mean_b, log_var_b):
    result = []
    for ma, va, mb, vb in zip(*map(np.asarray, (mean_a, log_var_a, mean_b, log_var_b))):
        a, b, d = np.diag(np.exp(va)), np.diag(np.exp(vb)), mb - ma
        log_ratio = np.log(np.linalg.det(b) / np.linalg.det(a))
        result.append((np.trace(np.linalg.inv(b) @ a) + d @ np.linalg.inv(b) @ d - len(d) + log_ratio) / 2)
    return result


def elbo_by_probability(x, logits, z, mean, log_var):
    import tensorflow_probability as tfp

    log_px = tfp.distributions.Independent(tfp.distributions.Bernoulli(logits), 3).log_prob(x)
    return log_px + normals(0 * mean, 0 * log_var).log_prob(z) - normals(mean, log_var).log_prob(z)


def elbo_by_normal_dist(x, logits, z, mean, log_var):
    result = []
    for row in range(len(x)):
        total = -float(vh.bernoulli_nll(x, logits)[row])
        for value, m, v in zip(np.asarray(z)[row], np.asarray(mean)[row], np.asarray(log_var)[row]):
            prior, q = statistics.NormalDist(), statistics.NormalDist(float(m), math.exp(v / 2))
            total += math.log(prior.pdf(value)) - math.log(q.pdf(value))
        result.append(total)
    return np.array(result)


def elbo_without_constants(x, logits, z, mean, log_var):
    log_ratio = 0.5 * ops.sum((z - mean) ** 2 / ops.exp(log_var) + log_var - z**2, axis=1)
    return log_ratio - vh.bernoulli_nll(x, logits)


def beta_by_fractions(pixels, latents, reconstruction, kl, weight):
    factor = {"sum": Fraction(1), "mean": Fraction(1, latents)}[kl]
    return Fraction(weight) * factor / {"sum": 1, "mean": Fraction(1, pixels)}[reconstruction]


def convolve_by_keras(image, kernel):
    layer = keras.layers.Conv2D(1, kernel.shape, use_bias=False)
    layer.build((None, *image.shape, 1))
    layer.set_weights([kernel[:, :, None, None]])
    return layer(image[None, :, :, None])[0, :, :, 0]


def convolve_by_windows(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("ijkm,km->ij", windows, kernel)


def convolve_in_lists(image, kernel):
    (k, m), (height, width) = kernel.shape, image.shape
    return [
        [sum(image[i + a][j + b] * kernel[a][b] for a in range(k) for b in range(m)) for j in range(width - m + 1)]
        for i in range(height - k + 1)
    ]


def size_by_keras(side, channels, filters, kernel, stride, padding):
    layer = keras.layers.Conv2DTranspose(filters, kernel, stride, padding)
    layer.build((None, side, side, channels))
    return layer.compute_output_shape((None, side, side, channels))[1], layer.count_params()


def tossed_in_place(grey, rng):
    coins = rng.uniform(size=grey.shape)
    grey[:] = np.where(coins < grey, 1, 0)
    return grey


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
    if np.linalg.norm(across) > 0:
        across /= np.linalg.norm(across)
    angle = np.arctan2(end @ across, end @ start / long)
    points = []
    for t in np.linspace(0, 1, steps):
        points.append((long + t * (short - long)) * (np.cos(t * angle) * start / long + np.sin(t * angle) * across))
    return points


class Walker:
    """A student who likes classes."""

    def __call__(self, start, end, steps):
        return np.linspace(start, end, steps)

    def walk(self, start, end, steps):
        return ops.linspace(start, end, steps)


CORRECT = {
    "squared_error": [
        squares_in_place,
        vh.squared_error,
        lambda x, y: np.einsum("nhwc,nhwc->n", x - y, x - y),
        lambda x, y: [float(np.linalg.norm(a - b)) ** 2 for a, b in zip(x, y)],
        lambda x, y: tf.reduce_sum(tf.math.squared_difference(x, y), axis=[1, 2, 3]),
        lambda x, y: ops.sum(ops.square(x.astype("float64") - y), axis=tuple(range(1, x.ndim))),
    ],
    "pca_reconstruct": [
        pca_by_scikit_learn,
        pca_in_a_loop,
        lambda x, m, w: m + np.einsum("np,kp,kq->nq", x - m, w, w),
        lambda x, m, w: [m + sum((d @ (row - m)) * d for d in w) for row in x],
        lambda x, m, w: tf.matmul(tf.matmul(x - m, w.astype("float32"), transpose_b=True), w.astype("float32")) + m,
        lambda x, m, w: (x - m) @ np.linalg.pinv(w) @ w + m,
    ],
    "walk": [
        np.linspace,
        walk_in_a_loop,
        Walker(),
        Walker().walk,
        lambda a, b, n: a + np.outer(np.arange(n) / (n - 1), b - a),
        lambda a, b, n: tf.linspace(a, b, n),
        functools.partial(np.linspace, dtype="float64"),
    ],
    "draw_fitted": [
        fitted_by_eigenvectors,
        fitted_by_scipy,
        fitted_one_by_one,
        lambda c, n, rng: rng.multivariate_normal(c.mean(0), np.cov(c.T), n, method="cholesky").astype("float32"),
        lambda c, n, rng: tf.constant(draw_fitted(c, n, rng)),
    ],
    "reparameterize": [
        drawn_without_state,
        drawn_like_vae,
        lambda m, v, s: Sampling()(m, v, seed=s),
        tf.function(reparameterize),
        lambda m, v, s: m + ops.exp(v / 2) * keras.random.normal(tf.shape(m), dtype=m.dtype, seed=s),
        lambda mean, log_var, seed=None: reparameterize(mean, log_var, seed),
    ],
    "bernoulli_nll": [
        nll_by_probability,
        nll_by_layers,
        nll_in_float64,
        vh.bernoulli_nll,
        lambda x, a: ops.sum(ops.binary_crossentropy(x, a, from_logits=True), axis=PIXELS),
        # Keras remembers the logits that its own sigmoid came from, and uses them
        lambda x, a: ops.sum(ops.binary_crossentropy(x, ops.sigmoid(a)), axis=(-3, -2, -1)),
        lambda x, a: tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=a), axis=[1, 2, 3]),
        lambda x, a: -ops.sum(ops.log_sigmoid((2 * x - 1) * a), axis=PIXELS),
        lambda x, a: ops.sum(ops.reshape(ops.relu(a) - a * x + ops.log1p(ops.exp(-ops.abs(a))), (len(x), -1)), axis=1),
        lambda x, a: ops.stack([ops.sum(ops.softplus(-a[i]) + (1 - x[i]) * a[i]) for i in range(len(x))]),
        tf.function(bernoulli_nll),
    ],
    "train_step": [
        compiled_step,
        step_by_zip,
        step_by_hand,
        lambda vae, optimizer, x, beta: [train_step(vae, optimizer, x, beta)],
        tf.function(train_step, autograph=False),
    ],
    "gaussian_kl": [
        kl_by_probability,
        kl_of_std,
        vh.gaussian_kl,
        lambda m, v: -0.5 * ops.sum(1 + v - ops.square(m) - ops.exp(v), axis=1),
        lambda m, v: tf.einsum("bl->b", 0.5 * (m * m + tf.math.expm1(v) - v)),
        lambda m, v: sum(0.5 * (m[:, i] ** 2 + ops.exp(v[:, i]) - 1 - v[:, i]) for i in range(m.shape[1])),
        tf.function(gaussian_kl),
    ],
    "kl_between": [
        between_by_probability,
        between_by_matrices,
        lambda ma, va, mb, vb: between_sigmas(ma, ops.exp(va / 2), mb, ops.exp(vb / 2)),
        lambda ma, va, mb, vb: vh.gaussian_kl((ma - mb) / ops.exp(vb / 2), va - vb),
    ],
    "elbo_of_one_draw": [
        elbo_by_probability,
        elbo_by_normal_dist,
        elbo_without_constants,
        lambda x, a, z, m, v: -vh.bernoulli_nll(x, a) + log_normal(z, 0.0, 1.0) - log_normal(z, m, ops.exp(v)),
    ],
    "effective_beta": [
        beta_by_fractions,
        lambda p, d, r, k, w: np.array([w * {"sum": 1, "mean": p}[r] / {"sum": 1, "mean": d}[k]]).squeeze(),
        lambda pixels, latents, reconstruction, kl, weight: tf.constant(
            effective_beta(pixels, latents, reconstruction, kl, weight)
        ),
    ],
    "convolve": [
        convolve_by_keras,
        convolve_by_windows,
        convolve_in_lists,
        functools.partial(scipy_signal.correlate2d, mode="valid"),
        lambda a, k: scipy_signal.convolve2d(a, k[::-1, ::-1], mode="valid"),
        lambda a, k: tf.nn.conv2d(a[None, :, :, None], k[:, :, None, None], 1, "VALID")[0, ..., 0],
    ],
    "transposed_size": [
        size_by_keras,
        lambda *c: [float(number) for number in transposed_size(*c)],
        lambda *c: np.array(transposed_size(*c)),
        lambda side, channels, filters, kernel, stride, padding: (
            (side - 1) * stride + (stride if padding == "same" else kernel),
            np.prod((kernel, kernel, filters, channels)) + filters,
        ),
    ],
    "binarize": [
        tossed_in_place,
        lambda g, rng: rng.binomial(1, g),
        lambda g, rng: g > rng.random(g.shape),
        lambda g, rng: np.array([rng.random(image.shape) < image for image in g]).astype("uint8"),
        lambda g, rng: tf.cast(rng.random(g.shape) < g, "float32"),
        lambda g, rng: np.floor(g + rng.random(g.shape)),
    ],
    "grid_codes": [
        codes_in_a_loop,
        lambda v: np.column_stack([np.tile(v, len(v)), np.repeat(v[::-1], len(v))]),
        lambda v: np.array(list(itertools.product(v[::-1], v)))[:, ::-1],
        lambda v: tf.stack([tf.reshape(g, [-1]) for g in tf.meshgrid(v, tf.reverse(v, [0]))], axis=1),
    ],
    "great_circle": [circle_by_scipy, circle_by_turning],
    "active_latents": [
        lambda m, t: m.var(axis=0, ddof=1) > t,
        lambda m, t: np.diag(np.cov(m, rowvar=False)) > t,
        lambda m, t: tf.math.reduce_variance(m, axis=0) > t,
        lambda m, t: [bool(np.std(m[:, i]) ** 2 > t) for i in range(m.shape[1])],
        lambda m, t: ops.std(m, axis=0) > math.sqrt(t),
        lambda m, t: (np.mean(m**2, axis=0) - np.mean(m, axis=0) ** 2 >= t).astype(int),
    ],
}
CORRECT_CASES = [
    pytest.param(name, function, id=f"{name}-{number}")
    for name, functions in CORRECT.items()
    for number, function in enumerate([RIGHT[name], *functions])
]


@pytest.mark.parametrize("name, function", CORRECT_CASES)
def test_what_is_right_passes(said, name, function):
    if getattr(function, "__name__", "").endswith("_by_probability"):
        pytest.importorskip("tensorflow_probability", reason="TensorFlow Probability is not installed")
    assert f"{name} · right: " in said(name, function)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_answers_soon(said, name):
    seconds = []
    while len(seconds) < 3 and min(seconds, default=9) > 2:  # again, in case that the computer was busy
        start = time.perf_counter()
        said(name, RIGHT[name])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2


def test_there_are_many_ways_to_be_right():
    assert set(CORRECT) == set(NAMES)
    assert len(CORRECT_CASES) - len(NAMES) >= 25


# Not written yet, and given something else than the function


def stub(*arguments):
    """What a student finds in the lesson."""


def unfinished(*arguments):
    raise NotImplementedError("to do")


@pytest.mark.parametrize("name", NAMES)
def test_unfinished_is_not_yet(said, name):
    for function in (stub, lambda *arguments: ..., lambda *arguments: (None, None), lambda *arguments: [..., ...]):
        assert f"{name} · not yet: the function returns" in said(name, function)
    assert f"{name} · not yet: the function raises" in said(name, unfinished)


@pytest.mark.parametrize("name", NAMES)
def test_something_else_than_the_function(said, name):
    for value in (None, "text", 3.0, np.zeros(3), [1, 2], ops.zeros(3)):
        assert "give the function itself" in said(name, value)

    class Empty:
        pass

    class Holder:
        def __init__(self, *arguments):
            pass

    assert "does not take the arguments" in said(name, Empty)
    assert "returns a Holder" in said(name, Holder)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_number_of_arguments(said, name):
    for function in (lambda: 1, lambda a, b, c, d, e, f, g, h: 1, lambda *arguments, extra: 1):
        text = said(name, function)
        assert "does not take the arguments of the exercise" in text
        assert "argument" in text.split("Python says:")[1]


# Errors in the student's code


def helper(x):
    return {}["missing"]  # the helper's line


def fails_in_numpy(*arguments):
    values = np.ones((2, 3))
    return np.linalg.inv(values)  # the line in question


def fails_in_tensorflow(*arguments):
    values = ops.ones((2, 3))
    return ops.matmul(values, values)  # the line in question


def fails_in_a_helper(*arguments):
    return helper(arguments)


def fails_with_type_error(*arguments):
    return "text" + 1  # the line in question


class FailingLayer(keras.layers.Layer):
    def call(self, *arguments):
        return ops.matmul(ops.ones((2, 3)), ops.ones((2, 3)))  # the line in question


def talks_too_much(*arguments):
    raise ValueError("word " * 2000)


def leaves(*arguments):
    sys.exit(3)


def calls_itself(*arguments):
    return calls_itself(*arguments)


def asks_for_too_much(*arguments):
    return np.zeros((10**6, 10**6, 10**4))


class NoWordsError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class NotAnError(BaseException):
    pass


def raises(error):
    def function(*arguments):
        raise error

    return function


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "function, phrases",
    [
        (fails_in_numpy, ["LinAlgError", "return np.linalg.inv(values) # the line in question"]),
        (fails_in_tensorflow, ["InvalidArgumentError", "return ops.matmul(values, values) # the line in question"]),
        (fails_in_a_helper, ["KeyError: 'missing'", 'return {}["missing"] # the helper\'s line']),
        (fails_with_type_error, ["TypeError", "the line in question"]),
        (functools.partial(fails_with_type_error, 1), ["TypeError", "the line in question"]),
        (np.errstate(all="ignore")(fails_with_type_error), ["TypeError", "the line in question"]),
        (leaves, ["SystemExit: 3", "sys.exit(3)"]),
        (calls_itself, ["RecursionError", "calls itself without end", "return calls_itself"]),
        (asks_for_too_much, ["MemoryError", "more memory than there is", "np.zeros((10**6"]),
        (raises(NotAnError("odd")), ["NotAnError: odd", "raise error"]),
        (raises(GeneratorExit()), ["GeneratorExit", "raise error"]),
        (raises(AssertionError()), ["AssertionError", "raise error"]),
        (raises(KeyboardInterrupt()), ["interrupted. Your function did not return", "raise error"]),
    ],
)
def test_an_error_is_shown_as_the_students(said, name, function, phrases):
    text = said(name, function)
    assert "your code stopped with" in text or "interrupted" in text
    assert re.search(r"line \d+: \S", text)
    for phrase in phrases:
        assert phrase in text


@pytest.mark.parametrize("name", NAMES)
def test_long_messages_are_cut(said, name):
    text = said(name, talks_too_much)
    assert "ValueError: word word" in text and "…" in text
    assert len(text) < 500


def test_an_error_without_words(said):
    assert "walk · " in said("walk", raises(NoWordsError()))


def test_an_error_in_a_layer_shows_the_line(said):
    assert "# the line in question" in said("gaussian_kl", FailingLayer())


def test_code_without_a_file(said):
    space = {}
    exec(compile("def walk(start, end, steps):\n    return start / nothing", "<gone>", "exec"), space)
    text = said("walk", space["walk"])
    assert "NameError" in text and "line 2" in text


def test_an_error_in_a_compiled_function_shows_the_line(said):
    @tf.function
    def compiled(mean, log_var):
        return tf.matmul(mean, log_var)  # the line in question

    text = said("gaussian_kl", compiled)
    assert "your code stopped with" in text
    assert "tf.matmul(mean, log_var)" in text


# Endless loops


def loops(*arguments):
    end = time.monotonic() + 20  # a test that fails should end as well
    while time.monotonic() < end:
        pass


def loops_in_numpy(*arguments):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        np.linalg.svd(np.ones((50, 50)))


@pytest.mark.parametrize(
    "name, loop", [("walk", loops), ("walk", loops_in_numpy), ("reparameterize", loops), ("train_step", loops_in_numpy)]
)
def test_an_endless_loop_can_be_interrupted(said, name, loop):
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    @functools.wraps(loop)
    def function(*arguments):
        timer.start()
        loop()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        text = said(name, function)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert "interrupted. Your function did not return" in text
    assert re.search(r"line \d+: (while|pass|np)", text)
    assert "· right" in said(name, RIGHT[name])


class Interrupted:
    """A result during whose conversion Ctrl-C is pressed."""

    def __array__(self, *arguments, **options):
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupt_in_the_check_itself(said, name):
    assert f"{name} · interrupted" in said(name, lambda *arguments: Interrupted())


# Results that are no answer

NONSENSE = [
    "text", b"bytes", "3", ["1", "2"], {}, {"a": 1}, {1, 2}, object(), [[1, 2], [3]], [[1], 2], 1j, np.ones(5) * 1j,
    tf.constant(["a", "b"]), np.array(["1", "2"]), np.datetime64("2020"), np.timedelta64(1), (i for i in range(3)),
    [], (), np.zeros(0), np.zeros((0, 2)), np.zeros((1, 1, 1, 1, 1, 1)), math.nan, math.inf, True, False, -1, 10**400,
    len, int, np, keras.KerasTensor((3,)), tf.ragged.constant([[1.0], [2.0, 3.0]]), tf.sparse.eye(3),
    np.ma.masked_array([1.0, 2.0], [True, False]), np.broadcast_to(1.0, (10**6, 10**6)), np.array([object()]),
    [ops.ones(2), ops.ones(3)], keras.Variable(np.ones(3)), tf.data.Dataset.range(3), slice(3), Ellipsis,
    NotImplemented,
    np.zeros(3, dtype=[("a", "f4")]), [None, 1.0], range(3), memoryview(b"abc"), np.float16(3), (object(), object()),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nonsense_is_never_right(said, name):
    for value in NONSENSE[:: 5 if name == "train_step" else 1]:  # which builds a model each time
        text = said(name, lambda *arguments, value=value: value)
        assert "· right" not in text, type(value)
        assert "cannot judge" not in text, type(value)


def test_nonsense_is_named(said):
    for value, phrase in [
        ({"a": 1}, "returns a dict; it should return numbers"),
        ([[1, 2], [3]], "returns a list that does not become one array"),
        (np.ones(5) * 1j, "returns an array of type complex128"),
        (tf.constant(["a"]), "returns an array of type string"),
        (keras.KerasTensor((3,)), "returns a KerasTensor"),
        ((i for i in range(3)), "returns a generator"),
        (np.broadcast_to(1.0, (10**6, 10**6)), "far too many numbers"),
    ]:
        assert phrase in said("squared_error", lambda x, y, value=value: value)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_any_shape_are_never_right(said, name):
    """Random numbers, NaN, infinity and 0, in all kinds of shapes and in the shape of the right result."""
    rng = np.random.default_rng(0)

    def spoiled(spoil):
        return lambda *arguments: spoil(np.array(ops.convert_to_numpy(RIGHT[name](*arguments)), dtype="float64"))

    def with_one(value):
        def spoil(array):
            array.flat[-1] = value
            return array

        return spoiled(spoil)

    functions = [with_one(math.nan), with_one(math.inf), with_one(-math.inf)]
    functions += [spoiled(lambda a, f=f: f(a)) for f in (
        lambda a: a + 0.75, lambda a: a * 1.5, lambda a: -a - 1, lambda a: a * 0 + 0.25, lambda a: a * math.nan,
        lambda a: np.stack([a, a]), lambda a: a[:, None] if a.ndim else np.zeros(2), lambda a: 1e300 * (a + 1),
        lambda a: rng.normal(size=a.shape),
    )]  # fmt: skip
    for _ in range(15):
        shape = tuple(rng.choice([0, 1, 2, 3, 4, 5, 6, 12], size=rng.integers(0, 5)))
        functions.append(lambda *arguments, shape=shape: rng.normal(size=shape))
    if name == "train_step":
        functions = functions[::3]
    for function in functions:
        text = said(name, function)
        assert "· right" not in text
        assert "cannot judge" not in text


# What a function does besides


@pytest.mark.parametrize("name", NAMES)
def test_prints_and_warnings_do_no_harm(said, name):
    def function(*arguments):
        print("hello")
        warnings.warn("look out", RuntimeWarning, stacklevel=1)
        np.log(np.array([-1.0, 0.0])) + np.float32(1e38) * np.float32(1e38)
        return RIGHT[name](*arguments)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = said(name, function)
    assert "hello" in text and "· right" in text
    assert "Warning" not in text


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"train_step"}))
def test_changed_arguments_do_no_harm(said, name):
    def function(*arguments):
        result = RIGHT[name](*arguments)
        result = result if isinstance(result, (tuple, float, int)) else ops.copy(result)
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                argument[...] = 0
        return result

    assert "· right" in said(name, function)


def next_numbers():
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    return [
        keras.random.normal((3,)).numpy().tolist(),
        tf.random.normal((3,)).numpy().tolist(),
        np.random.rand(3).tolist(),
        random.random(),
        dense.get_weights()[0].tolist(),
    ]


def restart():
    keras.utils.clear_session(free_memory=False)  # in Keras 3.6 a new seed alone does not restart keras.random
    keras.utils.set_random_seed(1)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_leaves_the_random_numbers_as_they_were(said, name):
    restart()
    without = next_numbers()
    restart()
    said(name, RIGHT[name])
    assert next_numbers() == without


@pytest.mark.parametrize("name", NAMES)
def test_seeds_that_a_student_sets_end_with_the_check(said, name):
    def function(*arguments):
        np.random.seed(0)
        random.seed(0)
        np.random.rand(3), random.random()
        return RIGHT[name](*arguments)

    numpy_state, python_state = np.random.get_state(), random.getstate()
    said(name, function)
    assert random.getstate() == python_state
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_state))


def test_seeds_are_restored_after_a_wrong_answer(said):
    state = random.getstate()
    said("walk", lambda *arguments: random.random())
    assert random.getstate() == state


# The list of exercises


def test_the_list_of_exercises_is_complete():
    lessons = [value for name, value in vars(vh.check).items() if re.fullmatch(r"lesson_\d\d", name)]
    found = {}
    for lesson in lessons:
        for name, value in vars(lesson).items():
            own = hasattr(value, "__wrapped__") and value.__module__ == lesson.__name__
            if own and not name.startswith("_"):
                found[name] = value
    assert sorted(vh.check.__all__) == list(vh.check.__all__) == sorted(found)
    assert all(getattr(vh.check, name) is value for name, value in found.items())


def test_every_exercise_has_its_number():
    numbers = {}
    for name in NAMES:
        check = getattr(vh.check, name)
        match = re.match(r"Exercise (\d)\.(\d)\. function\(.+\)", check.__doc__)
        assert match, name
        lesson, number = map(int, match.groups())
        assert check.__module__.endswith(f"lesson_0{lesson}")
        numbers.setdefault(lesson, []).append(number)
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())
