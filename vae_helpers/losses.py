"""Losses as pure functions on arrays: one value per example, summed over event axes, in nats.

Averaging over the batch happens once, in the model. Nothing here knows about models.
"""

import math

import keras
import numpy as np
from keras import ops


def check_pixels(x, name="x", pixels=(0.0, 1.0)):
    """Raise ValueError unless all values are finite and lie in the range `pixels`, (lowest, highest).

    x: images of any shape, an array or a tensor. Values inside a traced graph cannot be looked at and pass.
    """
    if not isinstance(x, np.ndarray) and not ops.is_tensor(x):
        return
    try:
        values = x if isinstance(x, np.ndarray) else ops.convert_to_numpy(x)
    except (NotImplementedError, TypeError):  # how TensorFlow and JAX say that a graph is being traced
        return
    if values.size:
        check_range(values.min(), values.max(), name, pixels)  # NaN anywhere makes both NaN


def check_range(low, high, name, pixels, where=""):
    """Raise ValueError, with what to do, unless low and high are finite and lie in the range `pixels`."""
    if pixels[0] <= low and high <= pixels[1] and math.isfinite(low) and math.isfinite(high):
        return
    found = f"{name} has pixels from {low:g} to {high:g}{where}"
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{found}; they must be finite. Find the others: numpy.argwhere(~numpy.isfinite(x)).")
    if low >= 0 and high <= 255:
        remedy = "Divide uint8 images, or others from 0 to 255, by 255."
    elif low >= -1 and high <= 1:
        remedy = "Bring images x from -1 to 1 there: (x + 1) / 2."
    else:
        remedy = "For values without bounds choose another likelihood, such as VAE(…, nll=vh.squared_error)."
    raise ValueError(f"{found}; they must lie in [{pixels[0]:g}, {pixels[1]:g}]. {remedy}")


def likelihood(mean, pixels=(0.0, 1.0)):
    """A decorator that says of an nll, for `VAE`, which pictures its decoder makes, and which images it may be given.

    mean: a function from the decoder's output to the mean of p(x|z), of the same shape: `keras.ops.sigmoid` for
        logits, `lambda output: output` where the output is the mean itself.
    pixels: (lowest, highest) value that an image may have; (-math.inf, math.inf) for any finite number.

    The function, or the class of a Keras layer, gets the attributes `mean` and `pixels`, and is returned.
    """

    def mark(nll):
        nll.mean, nll.pixels = staticmethod(mean), pixels
        return nll

    return mark


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


@likelihood(mean=ops.sigmoid)
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


def _mean_of_continuous_bernoulli(logits):
    """1 / (1 - exp(-a)) - 1 / a; near a = 0, where that is infinity minus infinity, by its series."""
    near = ops.abs(logits) < 0.1
    apart = ops.where(near, ops.ones_like(logits), logits)
    a = ops.where(near, logits, ops.zeros_like(logits))
    return ops.where(near, 0.5 + a / 12 - a**3 / 720, -1 / ops.expm1(-apart) - 1 / apart)


@likelihood(mean=_mean_of_continuous_bernoulli)
@keras.saving.register_keras_serializable(package="vae_helpers")
def continuous_bernoulli_nll(x, logits):
    """-log p(x | logits) in nats for independent continuous Bernoulli pixels, summed over all axes but the first.

    The Bernoulli formula, divided by its integral over [0, 1]: a density for grey pixels, so it may be negative.

    x: (batch, …), pixels in [0, 1]. Returns (batch,).
    logits: (batch, …), log λ/(1 - λ) of each pixel, any real number. The mean of the pixel is not λ; `VAE.decode`
        gives that mean.
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


@likelihood(mean=lambda mean: mean, pixels=(-math.inf, math.inf))
@keras.saving.register_keras_serializable(package="vae_helpers")
def gaussian_nll(x, mean, log_var):
    """-log N(x; mean, exp(log_var)) in nats for independent pixels, summed over all axes but the first.

    x, mean: (batch, …). log_var: one number for all pixels, or any shape that broadcasts to x. Returns (batch,).
    With log_var = log ½ it is the squared error plus a constant. A density: it may be negative.
    For `VAE`, whose decoder then gives the mean itself: nll=functools.partial(vh.gaussian_nll, log_var=-3.0).
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


@likelihood(mean=lambda images: images, pixels=(-math.inf, math.inf))
@keras.saving.register_keras_serializable(package="vae_helpers")
def squared_error(x, images):
    """‖x - images‖² per example, summed over all axes but the first. No unit: it is not a likelihood.

    x, images: (batch, …); images may be one for all, (1, …). Returns (batch,). As the nll of a `VAE` it means a normal
    distribution with the variance ½. Raises ValueError for other shapes.
    """
    _check_same_shape(x[:1] if images.shape[0] == 1 else x, images, "images", "value")
    x, images = _same_dtype(x, images)
    return _sum_per_example(ops.square(x - images))
