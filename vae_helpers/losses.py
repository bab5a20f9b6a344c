"""Losses as pure functions on arrays: one value per example, summed over event axes, in nats.

Averaging over the batch happens once, in the model. Nothing here knows about models.
"""

import math

import keras
import numpy as np
from keras import ops


def check_pixels(x, name="x"):
    """Raise ValueError unless all pixels lie in [0, 1]. Values inside a traced graph cannot be looked at and pass.

    x: images of any shape, an array or a tensor.
    """
    if not isinstance(x, np.ndarray) and not ops.is_tensor(x):
        return
    try:
        values = x if isinstance(x, np.ndarray) else ops.convert_to_numpy(x)
    except (NotImplementedError, TypeError):  # how TensorFlow and JAX say that a graph is being traced
        return
    if values.size == 0:
        return
    low, high = values.min(), values.max()  # NaN anywhere makes both NaN
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"{name} has pixels from {low} to {high}; they must be finite and lie in [0, 1]. "
            "Divide uint8 images by 255, and look for NaN with numpy.isfinite."
        )


def _same_dtype(*values):
    """The values as tensors of one dtype, so that numpy's float64 mixes with a model's float32.

    It is float32 or wider: a sum over 784 pixels keeps no decimals in float16, and exp(20) is infinite there.
    """
    tensors = [ops.convert_to_tensor(value) for value in values]
    dtype = keras.backend.result_type("float32", *(tensor.dtype for tensor in tensors))
    return [ops.cast(tensor, dtype) for tensor in tensors]


def at_least_float32(values):
    """What a network gives, float16 under the policy mixed_float16, as float32; float64 stays."""
    return _same_dtype(values)[0]


def _sum_per_example(values):
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def gaussian_kl(mean, log_var):
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) in nats, summed over the last axis.

    mean, log_var: (…, latent_dim). Returns (…), one value per row, 0 where mean = log_var = 0.
    Source: Kingma & Welling, Auto-Encoding Variational Bayes (2014), appendix B.
    """
    mean, log_var = _same_dtype(mean, log_var)
    # expm1(v) - v instead of exp(v) - 1 - v: near v = 0 the ones would cancel the digits away.
    return 0.5 * ops.sum(ops.square(mean) + ops.expm1(log_var) - log_var, axis=-1)


def gaussian_log_prob(z, mean, log_var):
    """log N(z; mean, exp(log_var)) in nats, for independent dimensions, summed over the last axis.

    z, mean, log_var: (…, latent_dim); shapes that broadcast will do. Returns (…).
    Source: the normal density; Kingma & Welling (2014), appendix C.2.
    """
    z, mean, log_var = _same_dtype(z, mean, log_var)
    squared_distance = ops.square((z - mean) * ops.exp(-0.5 * log_var))  # in standard deviations
    return -0.5 * ops.sum(math.log(2 * math.pi) + log_var + squared_distance, axis=-1)


@keras.saving.register_keras_serializable(package="vae_helpers")
def bernoulli_nll(x, logits):
    """-log p(x | logits) in nats for independent Bernoulli pixels, summed over all axes but the first.

    x: (batch, …), pixels in [0, 1]. It is a likelihood for pixels that are 0 or 1; for grey pixels it is
        a usable loss but no likelihood, and its minimum is the entropy of the pixels, not 0.
    logits: (batch, …), log p/(1 - p) of each pixel, any real number. Returns (batch,).
    Raises ValueError for pixels outside [0, 1] or not finite, and for shapes that differ.
    Source: Kingma & Welling (2014), appendix C.1, written with logits, so that no log(0) occurs.
    """
    check_pixels(x)
    _check_same_shape(x, logits, "logits", "logit")
    # Written out: ops.binary_crossentropy undoes a sigmoid that somebody applied by mistake, and hides the mistake.
    x, logits = _same_dtype(x, logits)
    return _sum_per_example(ops.softplus(logits) - x * logits)


@keras.saving.register_keras_serializable(package="vae_helpers")
def continuous_bernoulli_nll(x, logits):
    """-log p(x | logits) in nats for independent continuous Bernoulli pixels, summed over all axes but the first.

    The Bernoulli formula, divided by its integral over [0, 1]: a density for grey pixels, so it may be negative.

    x: (batch, …), pixels in [0, 1]. Returns (batch,).
    logits: (batch, …), log λ/(1 - λ) of each pixel, any real number. The mean of the pixel is not λ.
    Raises ValueError as `bernoulli_nll`.
    Source: Loaiza-Ganem & Cunningham, The continuous Bernoulli (2019), written with logits.
    """
    return bernoulli_nll(x, logits) - _sum_per_example(_log_normalizer(at_least_float32(logits)))


def _log_normalizer(logits):
    """log C of each pixel, C = a / tanh(a/2) for the logit a; near a = 0, where that is 0/0, by its series."""
    a = ops.abs(logits)
    near = a < 0.3
    apart = ops.where(near, ops.ones_like(a), a)  # no 0/0 on the way, or the gradient is NaN
    square = ops.square(ops.where(near, a, ops.zeros_like(a)))
    series = math.log(2) + square / 12 * (1 - square * (7 / 120 - square * 31 / 7560))
    return ops.where(near, series, ops.log(apart) - ops.log(ops.tanh(apart / 2)))


def gaussian_nll(x, mean, log_var):
    """-log N(x; mean, exp(log_var)) in nats for independent pixels, summed over all axes but the first.

    x, mean: (batch, …). log_var: one number for all pixels, or any shape that broadcasts to x. Returns (batch,).
    With log_var = log ½ it is the squared error plus a constant. A density: it may be negative.
    Raises ValueError for shapes that differ.
    Source: the normal density; log_var from the data: Rybkin et al., sigma-VAE (2021).
    """
    _check_same_shape(x, mean, "mean", "mean")
    x, mean, log_var = _same_dtype(x, mean, log_var)
    squared_distance = ops.square((x - mean) * ops.exp(-0.5 * log_var))  # in standard deviations
    return 0.5 * _sum_per_example(math.log(2 * math.pi) + log_var + squared_distance)


def _check_same_shape(x, other, name, what):
    sizes = list(zip(x.shape, other.shape))  # None where a traced graph does not know the batch
    if len(x.shape) != len(other.shape) or any(a != b for a, b in sizes if None not in (a, b)):
        raise ValueError(f"x has shape {tuple(x.shape)} and {name} {tuple(other.shape)}: give one {what} per pixel.")


def squared_error(x, images):
    """‖x - images‖² per example, summed over all axes but the first. No unit: it is not a likelihood.

    x, images: (batch, …), pixels in [0, 1]. Returns (batch,).
    """
    x, images = _same_dtype(x, images)
    return _sum_per_example(ops.square(x - images))
