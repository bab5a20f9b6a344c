"""The checks of lesson 03: two KLs, the ELBO of one draw, the effective beta."""

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import rows, shown

import vae_helpers as vh


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


# The line that matters of each solution; a check names mistakes, and never says how to write it.
ESSENCE = ["0.5 *", "** 2", "gaussian_log_prob", "pixels *", "/ latents", ".sum("]

# What students write, and a phrase of the diagnosis that it should get.
WRONG = {
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
        (lambda m, v: gaussian_kl(m, v).numpy(), "no gradient reaches"),
        (lambda m, v: gaussian_kl(m, ops.stop_gradient(v)), "no gradient reaches"),
        (lambda m, v: ops.sum(gaussian_kl(m, v)[:, None] * [[1.0]], axis=-1) + 1e4 - 1e4, "the value at"),
        (lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) - 1 - 2 * v, axis=-1), "the term −½ · log_var has the factor 2"),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + 2 * ops.exp(v) - 1 - v, axis=-1),
            "the term ½ · exp(log_var) has the factor 2",
        ),
        (lambda m, v: 0.5 * ops.sum(2 * m**2 + ops.exp(v) - 1 - v, axis=-1), "the term ½ · mean² has the factor 2"),
        (
            lambda m, v: 0.5 * ops.sum(m**2 - ops.exp(v) - 1 + v, axis=-1),
            "the term ½ · exp(log_var) has the wrong sign",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) - 2 - v, axis=-1),
            "the term −½, once for each latent has the factor 2",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) - 1 - ops.exp(v), axis=-1),
            "in one place you take log_var for the variance σ²",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**3 + ops.exp(v) - 1 - v, axis=-1),
            "when only `log_var` changes, the result changes as it should",
        ),
        (
            lambda m, v: 0.5 * ops.sum(ops.abs(m) + ops.exp(v) - v, axis=-1),
            "two things. First, the mean must be squared",
        ),
        (lambda m, v: ops.sum(m**2 + ops.exp(v) - v, axis=-1), "two things. First, the ½ is missing"),
        (lambda m, v: -0.5 * ops.sum(m**2 + ops.exp(v) + 1 - v, axis=-1), "two things. First, the sign is wrong"),
        (
            lambda m, v: 0.5 * ops.max(m**2 + ops.exp(v) - 1 - v, axis=-1),
            "this is the largest of the numbers that should be added up",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(-v) - 1 + v, axis=-1),
            "these are the right results for −`log_var` in place of `log_var`",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) - 1 - v, axis=-1) / np.log(2),
            "every value is 1/log 2 (bits in a nat) times what it should be",
        ),
        (
            lambda m, v: ops.relu(0.5 * ops.sum(m**2 + ops.exp(v) - 1 - v, axis=-1) - 1),
            "the wrong values are all too small",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(ops.clip(v, -1, 1)) - 1 - ops.clip(v, -1, 1), axis=-1),
            "these are the right results for `log_var` cut off at −1 and 1",
        ),
        (
            lambda m, v: 0.5 * ops.sum((m**2 + ops.exp(v) - 1 - v)[:, :-1], axis=-1),
            "these are the right results for each argument without its last",
        ),
        (
            lambda m, v: 0.5 * ops.sum(ops.exp(v) - 1 - v, axis=-1) - 0.5 * ops.sum(m, axis=-1) ** 2,
            "when only `log_var` changes, the result changes as it should",
        ),
        (
            lambda m, v: 0.5 * (ops.sum(m, axis=-1) ** 2 + ops.sum(ops.exp(v) - 1 - v, axis=-1)),
            "when only `log_var` changes, the result changes as it should",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.log(v**2) - 1 - v, axis=-1),
            "when only `mean` changes, the result changes as it should",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + v**2 - v - 1, axis=-1) * 2,
            "two things. First, you take log_var for the standard deviation σ",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) - 1 - ops.log(ops.exp(v) ** 2), axis=-1),
            "the term −½ · log_var has the factor 2",
        ),
        (
            lambda m, v: 0.5 * ops.sum((m - 1) ** 2 + ops.exp(v) - 1 - v, axis=-1),
            "these are the right results for 1 − `mean` in place of `mean`",
        ),
        (
            lambda m, v: ops.sum(0.5 * m**2 + ops.exp(v) - 1 - v, axis=-1),
            "the ½ multiplies only the square of the mean",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.exp(v) - 1, axis=-1) - v[:, 0],
            "when only `mean` changes, the result changes as it should",
        ),
        (
            lambda m, v: 0.5 * ops.sum(m**2 + ops.square(ops.exp(v)) - 1 - 2 * v, axis=-1),
            "you take exp(log_var) for the standard deviation σ",
        ),
        (lambda m, v: 0.5 * ops.sum(m + ops.exp(v) - v, axis=-1), "two things. First, the mean must be squared"),
    ],
    "kl_between": [
        (between_by_matrices, "no gradient reaches"),
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
        (
            lambda ma, va, mb, vb: ops.convert_to_tensor(
                0.5 * np.sum(np.array(vb) - va + (np.exp(va) + (np.array(ma) - mb) ** 2) / np.exp(vb) - 1, axis=-1)
            ),
            "the values are right, but no gradient reaches `mean_a` and",
        ),
        (
            lambda ma, va, mb, vb: (
                0.5 * ops.sum(vb - va + ops.exp(va) / ops.exp(vb) + (ma - mb) ** 2 / ops.exp(vb) - 2, axis=-1)
            ),
            "the term −½, once for each latent has the factor 2",
        ),
        (
            lambda ma, va, mb, vb: (
                0.5 * ops.sum(vb - va + ops.exp(va) / ops.exp(vb) + 2 * (ma - mb) ** 2 / ops.exp(vb) - 1, axis=-1)
            ),
            "the ½ multiplies only one of the terms",
        ),
        (
            lambda ma, va, mb, vb: (
                0.5 * ops.sum(va - vb + ops.exp(va) / ops.exp(vb) + (ma - mb) ** 2 / ops.exp(vb), axis=-1)
            ),
            "two things. First, the difference of the logarithms has the wrong sign",
        ),
        (
            lambda ma, va, mb, vb: (
                0.5 * ops.sum(ops.log(vb / va) + ops.exp(va) / ops.exp(vb) + (ma - mb) ** 2 / ops.exp(vb) - 1, axis=-1)
            ),
            "the result has values that are not finite (NaN or infinity)",
        ),
        (
            lambda ma, va, mb, vb: ops.sum(vb - va + (ops.exp(va) + (ma - mb) ** 2) / ops.exp(vb), axis=-1),
            "two things. First, the ½ is missing",
        ),
        (
            lambda ma, va, mb, vb: (
                0.5 * ops.sum(vb - va + ops.exp(va - vb) + (ma - mb) ** 2 * ops.exp(vb) - 1, axis=-1)
            ),
            "when only `log_var_a` changes, the result changes as it should",
        ),
        (
            lambda ma, va, mb, vb: (
                0.5 * ops.sum(vb - va + ops.exp(va - vb) - (ma - mb) ** 2 / ops.exp(vb) - 1, axis=-1)
            ),
            "the term ½ · (difference of the means)² / (variance of b) has",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * ops.mean(vb - va + ops.exp(va - vb) + (ma - mb) ** 2 / ops.exp(vb), axis=-1),
            "two things. First, the 1 is missing",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(vb - va + ops.exp(va - vb) + ma**2 / ops.exp(vb) - 1, axis=-1),
            "these are the right results for 0 in place of `mean_b`",
        ),
        (
            lambda ma, va, mb, vb: 0.5 * ops.sum(vb - va + ops.exp(va) + (ma - mb) ** 2 / ops.exp(vb) - 1, axis=-1) * 2,
            "two things. First, the variance of a is not divided by the variance of b",
        ),
        (
            lambda ma, va, mb, vb: (
                0.5 * ops.sum(vb - va + ops.exp(va - vb) + (ma - mb) ** 2 / ops.exp(va + vb) - 1, axis=-1)
            ),
            "the value at [3] is 18.31",
        ),
        (
            lambda ma, va, mb, vb: ops.sum(0.5 * ma**2 + ops.exp(va) - va, axis=-1),
            "the result does not change when `mean_b` or `log_var_b` changes",
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
            lambda x, a, z, m, v: (
                elbo_of_one_draw(x, a, z, m, v) + vh.bernoulli_nll(x, a) * (1 - 1 / x[0].numpy().size)
            ),
            "a mean over the pixels",
        ),
        (lambda *c: ops.mean(elbo_of_one_draw(*c)), "the mean over the batch already"),
        (lambda *c: ops.sum(elbo_of_one_draw(*c)), "you sum over the batch"),
        (lambda x, a, z, m, v: -vh.bernoulli_nll(a, x), "your code stopped with ValueError: x has pixels"),
        (lambda x, a, z, m, v: 2 * elbo_of_one_draw(x, a, z, m, v), "every value is 2 times what it should be"),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + 2 * vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "the term log p(z) has the factor 2",
        ),
        (
            lambda x, a, z, m, v: (
                -2 * vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "the term log p(x|z) has the factor 2",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) - vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "log p(z) is subtracted",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(m, m, v)
            ),
            "these are the right results for `z` in place of `mean`, too",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, m, 0.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "every value is off by ½ times the sum of the squares of `z` and",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, v) - vh.gaussian_log_prob(z, m, v)
            ),
            "when only `x` or `logits` or `mean` changes, the result changes",
        ),
        (
            lambda x, a, z, m, v: (
                vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, 0.0) + vh.gaussian_log_prob(z, m, v)
            ),
            "the term log p(x|z) has the wrong sign",
        ),
        (
            lambda x, a, z, m, v: ops.exp(elbo_of_one_draw(x, a, z, m, v)),
            "this is the exponential of what is asked for",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) + vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, -v)
            ),
            "these are the right results for −`log_var` in place of `log_var`",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, ops.clip(a, -16.1, 16.1))
                + vh.gaussian_log_prob(z, 0.0, 0.0)
                - vh.gaussian_log_prob(z, m, v)
            ),
            "for moderate logits it is right",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(1 - x, a) + vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, m, v)
            ),
            "these are the right results for 1 − `x` in place of `x`",
        ),
        (
            lambda x, a, z, m, v: (
                -vh.bernoulli_nll(x, a) - (vh.gaussian_log_prob(z, m, v) + vh.gaussian_log_prob(z, 0.0, 0.0)) / 2
            ),
            "the term log p(z) has the factor −½",
        ),
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
        (lambda p, d, r, k, w: 1.0, "every value is 1, whatever"),
        (lambda p, d, r, k, w: w * p / d, "you count pixels and latents even where the loss takes a sum"),
        (
            lambda p, d, r, k, w: w * (784 if r == "mean" else 1) / (2 if k == "mean" else 1),
            "two things. First, you do not use `pixels`",
        ),
        (
            lambda p, d, r, k, w: w * (p if r == "mean" else 1) / (d if k == "sum" else 1),
            "these are the right results for 'mean' and 'sum' swapped in `kl`",
        ),
        (lambda p, d, r, k, w: w + (p if r == "mean" else 0), "you add `pixels` to the weight"),
        (
            lambda p, d, r, k, w: w * (p**0.5 if r == "mean" else 1) / (d if k == "mean" else 1),
            "these are the right results for the square root of `pixels` in",
        ),
        (
            lambda p, d, r, k, w: round(w * (p if r == "mean" else 1) / (d if k == "mean" else 1)),
            "the values are rounded to whole numbers",
        ),
        (
            lambda p, d, r, k, w: w * (p if r == "mean" and k == "mean" else 1) / (d if k == "mean" else 1),
            "the result is wrong only where `reconstruction` is 'mean' and",
        ),
        (
            lambda p, d, r, k, w: 2 * w * (p if r == "mean" else 1) / (d if k == "mean" else 1),
            "every value is 2 times what it should be",
        ),
        (
            lambda p, d, r, k, w: min(1, w * (p if r == "mean" else 1) / (d if k == "mean" else 1)),
            "values above 1 are cut off at 1",
        ),
        (
            lambda p, d, r, k, w: w**2 * (p if r == "mean" else 1) / (d if k == "mean" else 1),
            "every value is multiplied by `weight`",
        ),
        (
            lambda p, d, r, k, w: w * p / d if r == "mean" or k == "mean" else w,
            "where one of the terms is a mean, you count both",
        ),
        (
            lambda p, d, r, k, w: w if r == k else w * (p if r == "mean" else 1) / (d if k == "mean" else 1),
            "the result is wrong only where `reconstruction` is 'mean' and",
        ),
    ],
}

# Right: the plain way of each first, then others.
RIGHT = {
    "gaussian_kl": [
        gaussian_kl,
        kl_by_probability,
        kl_of_std,
        vh.gaussian_kl,
        lambda m, v: -0.5 * ops.sum(1 + v - ops.square(m) - ops.exp(v), axis=1),
        lambda m, v: tf.einsum("bl->b", 0.5 * (m * m + tf.math.expm1(v) - v)),
        lambda m, v: sum(0.5 * (m[:, i] ** 2 + ops.exp(v[:, i]) - 1 - v[:, i]) for i in range(m.shape[1])),
        tf.function(gaussian_kl),
    ],
    "kl_between": [
        kl_between,
        between_by_probability,
        lambda ma, va, mb, vb: between_sigmas(ma, ops.exp(va / 2), mb, ops.exp(vb / 2)),
        lambda ma, va, mb, vb: vh.gaussian_kl((ma - mb) / ops.exp(vb / 2), va - vb),
    ],
    "elbo_of_one_draw": [
        elbo_of_one_draw,
        elbo_by_probability,
        elbo_by_normal_dist,
        elbo_without_constants,
        lambda x, a, z, m, v: -vh.bernoulli_nll(x, a) + log_normal(z, 0.0, 1.0) - log_normal(z, m, ops.exp(v)),
    ],
    "effective_beta": [
        effective_beta,
        beta_by_fractions,
        lambda p, d, r, k, w: np.array([w * {"sum": 1, "mean": p}[r] / {"sum": 1, "mean": d}[k]]).squeeze(),
        lambda pixels, latents, reconstruction, kl, weight: tf.constant(
            effective_beta(pixels, latents, reconstruction, kl, weight)
        ),
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
