"""How good a trained VAE is: importance-weighted log-likelihood, KL per dimension, active units."""

import math

import keras
import numpy as np
from keras import ops

from vae_helpers.losses import bernoulli_nll, gaussian_kl, gaussian_log_prob

# Rows decoded in one call: memory stays flat however many images and samples are asked for.
_ROWS = 4096


def log_likelihood(vae, x, samples=500, seed=0):
    """An estimate of log p(x) in nats for each image, by importance sampling from q(z|x).

    vae: a VAE. x: (batch, height, width, channels). samples: how many z per image; with 1 it is a one-sample ELBO,
        with more it is a tighter lower bound on average. seed: an integer; the same seed gives the same numbers.

    Returns a numpy array (batch,). Raises ValueError for images the VAE cannot read, or samples below 1.
    Source: Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016), equation 8.
    """
    if samples < 1:
        raise ValueError(f"samples is {samples}; at least 1 is needed.")
    generator = keras.random.SeedGenerator(seed)
    parts = [_log_likelihood(vae, x[i : i + _ROWS], samples, generator) for i in range(0, len(x), _ROWS)]
    return np.concatenate(parts) if parts else np.zeros(0, "float32")


def _log_likelihood(vae, x, samples, generator):
    mean, log_var = vae.encode(x)
    log_sum = np.full(len(x), -np.inf)
    per_call = max(1, _ROWS // len(x))
    for done in range(0, samples, per_call):
        n = min(per_call, samples - done)
        noise = keras.random.normal((n, *mean.shape), seed=generator)
        z = mean + ops.exp(0.5 * log_var) * noise  # (n, batch, latent_dim)
        logits = vae.decoder(ops.reshape(z, (-1, vae.latent_dim)))
        log_px = -ops.reshape(bernoulli_nll(np.tile(x, (n, 1, 1, 1)), logits), (n, -1))
        log_weight = log_px + gaussian_log_prob(z, 0.0, 0.0) - gaussian_log_prob(z, mean, log_var)
        log_sum = np.logaddexp(log_sum, ops.convert_to_numpy(ops.logsumexp(log_weight, axis=0)))
    return log_sum - math.log(samples)


def kl_per_dimension(vae, x):
    """KL(q(z_j|x) ‖ N(0, 1)) of each latent in nats, averaged over the images x. Returns a numpy array (latent_dim,).

    A latent with a KL near 0 tells the decoder nothing.
    """
    mean, log_var = vae.encode(x)
    kl = gaussian_kl(mean[..., None], log_var[..., None])  # (batch, latent_dim): each latent by itself
    return ops.convert_to_numpy(ops.mean(kl, axis=0))


def active_units(vae, x, threshold=0.01):
    """Which latents the model uses: True where the mean of q(z_j|x) varies over images by more than threshold.

    Returns a numpy array of bool (latent_dim,). Source: Burda et al. (2016), section 5.
    """
    mean, _ = vae.encode(x)
    return np.var(ops.convert_to_numpy(mean), axis=0) > threshold
