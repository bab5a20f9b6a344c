"""The checks of lesson 02: the sampling step, the likelihood of coins, one training step."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import rows, shown

import vae_helpers as vh

PIXELS = (1, 2, 3)


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


# The line that matters of each solution; a check names mistakes, and never says how to write it.
ESSENCE = ["exp(0.5", "random.normal", "softplus", "from_logits", ".gradient(", "apply(", ".sum("]

# What students write, and a phrase of the diagnosis that it should get.
WRONG = {
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
            "the noise is never negative",
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
            lambda m, v, s: tf.stop_gradient(m) + ops.exp(0.5 * v) * noise_of(m, s),
            "the values are right, but no gradient reaches `mean`",
        ),
        (
            lambda m, v, s: tf.stop_gradient(m + ops.exp(0.5 * v) * noise_of(m, s)),
            "the values are right, but no gradient reaches `mean` and",
        ),
        (
            lambda m, v, s: m + tf.stop_gradient(ops.exp(0.5 * v)) * noise_of(m, s),
            "the values are right, but no gradient reaches `log_var`",
        ),
        (
            lambda m, v, s: m + ops.exp(0.5 * ops.clip(v, -1.5, 1.5)) * noise_of(m, s),
            "for moderate clouds the spread is right, but for log_var =",
        ),
        (
            lambda m, v, s: m + ops.exp(0.5 * ops.clip(v, -4, 4)) * noise_of(m, s),
            "for moderate clouds the spread is right, but for log_var =",
        ),
        (lambda m, v, s: m - 1 + ops.exp(0.5 * v) * noise_of(m, s), "the mean of your samples is off by"),
        (lambda m, v, s: m + ops.exp(0.25 * v) * noise_of(m, s), "the spread is wrong"),
        (lambda m, v, s: m + 2 * ops.exp(0.5 * v) * noise_of(m, s), "the spread is wrong"),
        (lambda m, v, s: m + ops.exp(0.5 * v) * ops.abs(noise_of(m, s)), "the noise is never negative"),
        (lambda m, v, s: m + ops.exp(0.5 * v) * noise_of(m[:1], s), "every row gets the same noise, or none"),
        (lambda m, v, s: m + ops.exp(0.5 * v) * noise_of(m[:, :1], s), "all latents of a row get the same noise"),
        (
            lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.uniform(ops.shape(m), seed=s),
            "the noise is never negative",
        ),
        (
            lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.truncated_normal(ops.shape(m), seed=s),
            "the spread is wrong",
        ),
        (lambda m, v, s: m + ops.sqrt(ops.exp(0.5 * v)) * noise_of(m, s), "the spread is wrong"),
        (lambda m, v, s: v + ops.exp(0.5 * m) * noise_of(m, s), "the mean of your samples is off by"),
        (lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.normal(ops.shape(m)), "you do not use `seed`"),
        (lambda m, v, s: m * noise_of(m, s) + ops.exp(0.5 * v), "the mean of your samples is off by"),
        (lambda m, v, s: ops.mean(m) + ops.exp(0.5 * v) * noise_of(m, s), "the mean of your samples is off by"),
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
        (lambda x, a: ops.convert_to_numpy(bernoulli_nll(x, a)), "no gradient reaches `logits`"),
        (nll_pixel_by_pixel, "your code stopped with OverflowError"),
        (
            lambda x, a: ops.sum(ops.where(a > 30, a, ops.log(1 + ops.exp(a))) - x * a, axis=PIXELS),
            "the values are right, but not the gradient",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(ops.clip(a, -200, 200)) - x * ops.clip(a, -200, 200), axis=PIXELS),
            "the values for moderate logits are right, but a surprise of 200",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(a) - x * a, axis=(1, 2)),
            "you do not sum over the channel axis, or keep axes of length 1",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(a) - 2 * x * a, axis=PIXELS),
            "these are the right results for 2·`x` in place of `x`",
        ),
        (
            lambda x, a: ops.sum(2 * ops.softplus(a) - x * a, axis=PIXELS),
            "the term log(1 + exp(logit)) has the factor 2",
        ),
        (lambda x, a: 2 * ops.sum(ops.softplus(a) - x * a, axis=PIXELS), "every value is 2 times what it should be"),
        (
            lambda x, a: ops.sum(ops.softplus(a) - x, axis=PIXELS),
            "every value is off by -1 times the sum of `x` and by 1 times",
        ),
        (lambda x, a: ops.sum(ops.softplus(a), axis=PIXELS), "these are the right results for 0 in place of `x`"),
        (
            lambda x, a: ops.sum(x * ops.softplus(a) + (1 - x) * ops.softplus(-a), axis=PIXELS),
            "black and white are swapped",
        ),
        (
            lambda x, a: ops.sum(x * ops.softplus(-a) + (1 - x) * ops.softplus(-a), axis=PIXELS),
            "these are the right results for 1 in place of `x`",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(ops.abs(a)) - x * a, axis=PIXELS),
            "every value is off by −½ times the sum of `logits` and by ½",
        ),
        (
            lambda x, a: ops.sum(ops.relu(a) - x * a, axis=PIXELS),
            "when only `x` changes, the result changes as it should",
        ),
        (
            lambda x, a: -ops.mean(ops.softplus(a) - x * a, axis=PIXELS),
            "two things. First, you take the mean over the pixels",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(a) - x * ops.sigmoid(a), axis=PIXELS),
            "in the product with x you use the sigmoid",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(a) - x * a, axis=PIXELS) / np.log(2) / 12,
            "every value is 0.1202 times what it should be",
        ),
        (
            lambda x, a: ops.sum((ops.softplus(a) - x * a)[:, :-1], axis=PIXELS),
            "these are the right results for each argument without its last",
        ),
        (
            lambda x, a: ops.max(ops.softplus(a) - x * a, axis=PIXELS),
            "this is the largest of the numbers that should be added up",
        ),
        (lambda x, a: ops.sum(ops.softplus(a) - x * a, axis=PIXELS) + 1, "every value is 1 too large"),
        (
            lambda x, a: ops.reshape(ops.sum(ops.softplus(a) - x * a, axis=PIXELS), (-1, 1)),
            "you do not sum over the channel axis, or keep axes of length 1",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(a / 2) - x * a / 2, axis=PIXELS),
            "these are the right results for half of `logits` in place of",
        ),
        (
            lambda x, a: ops.sum(x * ops.softplus(a) - (1 - x) * ops.softplus(a), axis=PIXELS),
            "the wrong values are all too small",
        ),
        (
            lambda x, a: ops.sum(x * ops.softplus(-a), axis=PIXELS) + ops.sum(ops.softplus(a), axis=PIXELS),
            "the wrong values are all too large",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(-a) - x * a, axis=PIXELS),
            "these are the right results for `x` + 1 in place of `x`",
        ),
        (
            lambda x, a: ops.sum(ops.softplus(-ops.abs(a)) - x * a, axis=PIXELS),
            "every value is off by −½ times the sum of `logits` and by −½",
        ),
        (lambda x, a: ops.sum(ops.softplus(a) - x * a, axis=1)[:, 0, 0], "of axis 2 only the first place counts"),
        (
            lambda x, a: ops.mean(ops.sum(ops.softplus(a) - x * a, axis=(1, 2)), axis=0),
            "two things. First, you do not sum over the channel axis",
        ),
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
        (step_of(lambda r, k, b: ops.sum(r + b * k)), "that of the sum over the batch"),
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
        (step_of(lambda r, k, b: r + b * k, answer=ops.mean), "the step is that of the sum over the batch"),
        (step_of(lambda r, k, b: ops.mean(r + b * k), drawn=False), "the decoder gets the mean"),
        (step_of(lambda r, k, b: ops.mean(r) / 16 + b * ops.mean(k)), "you take the mean over the pixels"),
        (step_of(lambda r, k, b: ops.mean(r + b * b * k)), "your step belongs to"),
        (step_of(lambda r, k, b: ops.mean(r) + b * ops.sum(k)), "you sum the KL over the batch"),
        (step_of(lambda r, k, b: ops.mean(r + b * k), answer=lambda v: 2 * v), "the step is right, but you return"),
        (step_of(lambda r, k, b: 2 * ops.mean(r + b * k)), "every parameter moves"),
        (step_of(lambda r, k, b: ops.mean((r + b * k) ** 2)), "the parameters do not move as they should"),
        (step_of(lambda r, k, b: ops.mean(r + (1 - b) * k)), "your step belongs to"),
        (step_of(lambda r, k, b: ops.max(r + b * k)), "the parameters do not move as they should"),
        (step_of(usual, cut=lambda z: 2 * z), "the decoder gets"),
        (step_of(usual, cut=lambda z: 0 * z), "the decoder gets"),
        (step_of(usual, uphill=True), "the step goes uphill"),
    ],
}

# Right: the plain way of each first, then others.
RIGHT = {
    "reparameterize": [
        reparameterize,
        drawn_without_state,
        lambda m, v, s: m + ops.exp(0.5 * v) * keras.random.normal(m.shape, seed=s),
        drawn_like_vae,
        lambda m, v, s: Sampling()(m, v, seed=s),
        tf.function(reparameterize),
        lambda m, v, s: m + ops.exp(v / 2) * keras.random.normal(tf.shape(m), dtype=m.dtype, seed=s),
        lambda mean, log_var, seed=None: reparameterize(mean, log_var, seed),
    ],
    "bernoulli_nll": [
        bernoulli_nll,
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
        train_step,
        compiled_step,
        step_by_zip,
        step_by_hand,
        lambda vae, optimizer, x, beta: [train_step(vae, optimizer, x, beta)],
        tf.function(train_step, autograph=False),
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
