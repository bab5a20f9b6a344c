"""The loop of R3, the official TensorFlow convolutional VAE tutorial, written anew from its description.

Nothing is made faster or slower than there: one call into TensorFlow for each batch of 32, Adam with a step of 1e-4,
and the ELBO all by drawing, log p(x|z) + log p(z) - log q(z|x) for one z per image.
"""

import math
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH, STEP, EPOCHS = 32, 1e-4, 10
TEST_BATCH = 500


class R3:
    """The networks, and the one-sample ELBO."""

    def __init__(self, latent_dim=2):
        self.encoder = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, 3, strides=2, activation="relu"),  # 13, 13, 32
                layers.Conv2D(64, 3, strides=2, activation="relu"),  # 6, 6, 64
                layers.Flatten(),
                layers.Dense(2 * latent_dim),  # mean and log-variance side by side
            ]
        )
        self.decoder = keras.Sequential(
            [
                keras.Input((latent_dim,)),
                layers.Dense(7 * 7 * 32, activation="relu"),
                layers.Reshape((7, 7, 32)),
                layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu"),  # 14, 14, 64
                layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),  # 28, 28, 32
                layers.Conv2DTranspose(1, 3, padding="same"),  # 28, 28, 1: logits
            ]
        )

    @property
    def weights(self):
        return self.encoder.trainable_variables + self.decoder.trainable_variables

    def elbo(self, x):
        """(batch, 28, 28, 1) → (batch,), in nats."""
        mean, log_var = tf.split(self.encoder(x), 2, axis=1)
        z = mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=self.decoder(z))
        log_px = -tf.reduce_sum(cross_entropy, axis=[1, 2, 3])
        return log_px + log_normal(z, 0.0, 0.0) - log_normal(z, mean, log_var)


def log_normal(z, mean, log_var):
    """log N(z; mean, exp(log_var)), summed over the last axis."""
    each = -0.5 * (tf.square(z - mean) * tf.exp(-log_var) + log_var + math.log(2 * math.pi))
    return tf.reduce_sum(each, axis=1)


def training(x_train, x_test, epochs=EPOCHS, seed=0):
    """Train epoch by epoch; yield (seconds of building and training so far, test ELBO).

    The clock stands still while the test images are evaluated, and while the caller does something else.
    """
    keras.utils.set_random_seed(seed)
    started = time.perf_counter()
    model, optimizer = R3(), keras.optimizers.Adam(STEP)
    batches = tf.data.Dataset.from_tensor_slices(x_train).shuffle(len(x_train)).batch(BATCH)

    @tf.function
    def train_step(x):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(model.elbo(x))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.weights), model.weights))

    elbo_of_batch = tf.function(model.elbo)
    seconds = 0.0
    for _ in range(epochs):
        for x in batches:
            train_step(x)
        seconds += time.perf_counter() - started
        yield seconds, test_elbo(elbo_of_batch, x_test)
        started = time.perf_counter()


def test_elbo(elbo_of_batch, x):
    """The mean over all images."""
    parts = [elbo_of_batch(tf.constant(x[i : i + TEST_BATCH])).numpy() for i in range(0, len(x), TEST_BATCH)]
    return float(np.concatenate(parts).mean())
