"""How good a trained VAE is: likelihood, KL per dimension, active units, the mixture of clouds, disentanglement."""

import math

import keras
import numpy as np
from keras import ops

from vae_helpers import inputs
from vae_helpers.losses import gaussian_kl, gaussian_log_prob
from vae_helpers.training import whole

# Rows decoded in one call: memory stays flat however many images and samples are asked for.
_ROWS = 4096
# Densities (one point, one cloud) computed in one call, for the same reason.
_DENSITIES = 2**22


def log_likelihood(vae, x, samples=500, seed=0):
    """An estimate of log p(x) in nats for each image, by importance sampling from q(z|x).

    vae: a VAE. x: (batch, height, width, channels), or a Dataset of such batches. samples: how many z per image; with 1
        it is a one-sample ELBO, with more it is a tighter lower bound on average. seed: an integer; the same seed gives
        the same numbers.

    Returns a numpy array (batch,). Raises ValueError for images the VAE cannot read, or samples below 1.
    Source: Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016), equation 8.
    """
    samples = whole(samples, "samples")
    generator = keras.random.SeedGenerator(seed)
    batches = inputs.image_batches(x, vae.image_shape, "x", vae.pixels, _ROWS)
    parts = [_log_likelihood(vae, images, samples, generator) for images in batches]
    return np.concatenate(parts)


def _log_likelihood(vae, x, samples, generator):
    if len(x) == 0:
        return np.zeros(0, "float32")
    mean, log_var = vae.encode(x)
    x = ops.convert_to_numpy(ops.cast(x, mean.dtype))
    log_sum = np.full(len(x), -np.inf)
    per_call = max(1, _ROWS // len(x))
    for done in range(0, samples, per_call):
        n = min(per_call, samples - done)
        noise = ops.cast(keras.random.normal((n, *mean.shape), seed=generator), mean.dtype)
        z = mean + ops.exp(0.5 * log_var) * noise  # (n, batch, latent_dim)
        logits = vae.decoder(ops.reshape(z, (-1, vae.latent_dim)))
        log_px = -ops.reshape(vae.nll(np.concatenate([x] * n), logits), (n, -1))
        log_weight = log_px + gaussian_log_prob(z, 0.0, 0.0) - gaussian_log_prob(z, mean, log_var)
        log_sum = np.logaddexp(log_sum, ops.convert_to_numpy(ops.logsumexp(log_weight, axis=0)))
    return log_sum - math.log(samples)


def kl_per_dimension(vae, x):
    """KL(q(z_j|x) ‖ N(0, 1)) of each latent in nats, averaged over the images x. Returns a numpy array (latent_dim,).

    x: (batch, height, width, channels), or a Dataset of such batches.

    A latent with a KL near 0 tells the decoder nothing.
    """
    mean, log_var = vae.encode(x)
    kl = gaussian_kl(mean[..., None], log_var[..., None])  # (batch, latent_dim): each latent by itself
    return ops.convert_to_numpy(ops.mean(kl, axis=0))


def active_units(vae, x, threshold=0.01):
    """Which latents the model uses: True where the mean of q(z_j|x) varies over images by more than threshold.

    x: (batch, height, width, channels), or a Dataset of such batches.
    Returns a numpy array of bool (latent_dim,). Source: Burda et al. (2016), section 5.
    """
    mean, _ = vae.encode(x)
    return np.var(ops.convert_to_numpy(mean), axis=0) > threshold


def mixture_log_density(z, mean, log_var):
    """log of the density of the mixture of clouds at each point: of the average of N(z; mean_n, exp(log_var_n)).

    z: (points, latent_dim). mean, log_var: (clouds, latent_dim), for example what the encoder gives for all images:
        the mixture is then the aggregate posterior. Returns a numpy array (points,), in nats.
    Raises ValueError for shapes that do not fit.
    Source: Hoffman & Johnson, ELBO surgery (2016), equation 2.
    """
    z, mean, log_var = (np.asarray(ops.convert_to_numpy(array), "float64") for array in (z, mean, log_var))
    if mean.ndim != 2 or mean.shape != log_var.shape or z.ndim != 2 or z.shape[1] != mean.shape[1]:
        shapes = f"z has shape {z.shape}, mean {mean.shape} and log_var {log_var.shape}"
        raise ValueError(f"{shapes}; give (points, latent_dim), and twice (clouds, latent_dim).")
    # (z - mean)² / σ², multiplied out: one product of matrices for all points and clouds
    precision = np.exp(-log_var)
    of_clouds = np.concatenate([-0.5 * precision, mean * precision], axis=1).T
    constants = -0.5 * np.sum(mean**2 * precision + log_var + math.log(2 * math.pi), axis=1)
    of_points = np.concatenate([z**2, z], axis=1)
    parts = np.array_split(of_points, max(1, len(z) * len(mean) // _DENSITIES))
    log_sums = [ops.convert_to_numpy(ops.logsumexp(part @ of_clouds + constants, axis=1)) for part in parts]
    return np.concatenate(log_sums) - math.log(len(mean))


def fill_in(vae, x, seen, steps=30, seed=0, start=0.0):
    """Imagine the hidden part of each image by a Markov chain: encode, draw z, decode, toss the hidden pixels, repeat.

    vae: a VAE whose pixels are 0 or 1. x: (batch, height, width, channels); what its hidden pixels hold is not used.
    seen: (height, width, channels), 1 where a pixel is seen, 0 where it is hidden.
    steps: how often to repeat. seed: an integer; the same seed gives the same numbers.
    start: how probable a 1 is in the hidden pixels before the first step: 0 for black, 0.5 for fair coins.

    Returns the logits that the last z decodes to, for all pixels, (batch, height, width, channels), a numpy array.
    In the limit they are draws given the seen pixels, if q(z|x) is the true posterior; with a q that is only near it,
    they are only near.
    Raises ValueError for a mask of another shape, or steps below 1.
    Source: Rezende, Mohamed & Wierstra, Stochastic Backpropagation (2014), appendix F.
    """
    inputs.check_images(x, vae.image_shape, "x", vae.pixels)
    x, seen = np.asarray(x), np.asarray(seen)
    if seen.shape != x.shape[1:]:
        raise ValueError(f"seen has shape {seen.shape}; give one number for each pixel of an image, {x.shape[1:]}.")
    steps = whole(steps, "steps")
    rng = np.random.default_rng(seed)
    share = np.full(x.shape, start)
    for _ in range(steps):
        image = np.where(seen == 1, x, rng.random(x.shape) < share).astype("float32")
        mean, log_var = map(ops.convert_to_numpy, vae.encode(image))
        z = mean + np.exp(0.5 * log_var) * rng.normal(size=mean.shape)
        logits = ops.convert_to_numpy(vae.decoder(z.astype("float32")))
        share = 1 / (1 + np.exp(-logits.clip(-80, 80)))
    return logits


def frechet_distance(features, others):
    """How far two clouds of feature vectors are from each other, by their means and covariances alone; 0 if both agree.

    features, others: (n, d) and (m, d), for example from a hidden layer of a classifier. Returns a number, in the
    square of the features' unit.
    Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule (2017).
    """
    a, b = np.asarray(features, "float64"), np.asarray(others, "float64")
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real.clip(0))  # the trace of the matrix root is their sum
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a + cov_b) - 2 * np.sum(roots))


def mutual_information(codes, factors, bins=20):
    """How much each latent tells about each known factor: I(z_j; v_k) in nats, a numpy array (latent_dim, factors).

    codes: (n, latent_dim), for a VAE the means of q(z|x). factors: (n, factors), whole numbers.
    bins: each latent is cut into so many intervals of equal width, and the shares are counted.
    Counting makes the numbers a little too large, by about (bins - 1) · (steps of the factor - 1) / 2n.
    Raises ValueError for other shapes, or factors that are not whole numbers.
    """
    from sklearn.metrics import mutual_info_score

    codes, factors = _check_factors(codes, factors)
    intervals = [np.digitize(z, np.histogram_bin_edges(z, bins)[1:-1]) for z in codes.T]
    return np.array([[mutual_info_score(factor, interval) for factor in factors.T] for interval in intervals])


def mutual_information_gap(codes, factors, bins=20):
    """For each factor: the lead of the latent that tells most about it over the second, as a share of its entropy.

    Arguments as for `mutual_information`. Returns a numpy array (factors,) from 0 to 1; the MIG is their mean.
    1: one latent tells the factor, and no other latent anything about it. Raises ValueError as `mutual_information`,
    for fewer than 2 latents, and for a factor that has one value only.
    Source: Chen et al., Isolating Sources of Disentanglement in VAEs (2018), section 4; with the means in 20 bins, as
    Locatello et al., Challenging Common Assumptions … (2019).
    """
    from sklearn.metrics import mutual_info_score

    codes, factors = _check_factors(codes, factors)
    if codes.shape[1] < 2:
        raise ValueError("codes has one latent; the gap between the first and the second needs two.")
    information = np.sort(mutual_information(codes, factors, bins), axis=0)
    entropy = np.array([mutual_info_score(factor, factor) for factor in factors.T])
    if (entropy <= 0).any():
        raise ValueError(f"factor {entropy.argmin()} has the same value in every row: nothing can be told about it.")
    return (information[-1] - information[-2]) / entropy


def _check_factors(codes, factors):
    codes, factors = ops.convert_to_numpy(codes), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(f"codes has shape {codes.shape} and factors {factors.shape}; give (n, latent_dim) and (n, k).")
    if not np.issubdtype(factors.dtype, np.integer):
        raise ValueError(f"factors are {factors.dtype}; give whole numbers, the step of each factor.")
    return codes, factors
