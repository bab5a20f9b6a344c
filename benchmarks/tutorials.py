"""Seconds per epoch of four tutorials' own networks: their loop, and `vh.VAE` with its `fit`, on the same images.

    python -m benchmarks.tutorials [--images 12800] [--rounds 3]

R1 trains eagerly, R3 with one tf.function call for each batch, R4 with Keras's `fit` and R5 with a `train_step` of its
own. Each network, batch and optimizer is that of the tutorial, on both sides. The losses differ (R4 and R5 weigh the
KL in their own way); a weight costs no time. The first epoch of each, with its tracing, is not counted. A share of the
images is enough: what counts is the time per step.
"""

import argparse
import statistics

import keras
import tensorflow as tf

import vae_helpers as vh
from benchmarks import common, reference

SHAPE = (28, 28, 1)


def networks(name):
    """The encoder and the decoder of a tutorial."""
    if name == "R1":
        return vh.mlp_encoder(SHAPE, 10, 128), vh.mlp_decoder(SHAPE, 10, 128)
    if name == "R3":
        encoder = vh.conv_encoder(SHAPE, 2, filters=(32, 64), padding="valid", dense=())
        return encoder, vh.conv_decoder(SHAPE, 2, filters=(64, 32), start_filters=32)
    if name == "R4":
        return vh.mlp_encoder(SHAPE, 2, (512, 512)), vh.mlp_decoder(SHAPE, 2, (512, 512))
    return vh.conv_encoder(SHAPE, 2, filters=(32, 64), dense=16), vh.conv_decoder(SHAPE, 2, filters=(64, 32))


# name: (what the loop is, batch, optimizer)
TUTORIALS = {
    "R1": ("eager GradientTape", 128, lambda: keras.optimizers.Adam(1e-3)),
    "R3": ("tf.function per batch", reference.BATCH, lambda: keras.optimizers.Adam(reference.STEP)),
    "R4": ("Keras fit, mean losses", 128, lambda: keras.optimizers.Adam(1e-3)),
    "R5": ("its own train_step", 64, lambda: keras.optimizers.RMSprop(1e-3)),
}


def loss_by_drawing_once(encoder, decoder, x, beta=1.0):
    """Cross-entropy summed over pixels plus beta times the KL summed over latents, as such tutorials write it."""
    mean, log_var = encoder(x)
    logits = decoder(mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean)))
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
    kl = -0.5 * tf.reduce_sum(1 + log_var - tf.square(mean) - tf.exp(log_var), axis=1)
    return tf.reduce_mean(tf.reduce_sum(cross_entropy, axis=[1, 2, 3]) + beta * kl)


class TutorialModel(keras.Model):
    """R4's and R5's kind: a keras.Model whose train_step computes the loss and applies the gradients."""

    def __init__(self, encoder, decoder, beta):
        super().__init__()
        self.encoder, self.decoder, self.beta = encoder, decoder, beta
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def train_step(self, x):
        with tf.GradientTape() as tape:
            loss = loss_by_drawing_once(self.encoder, self.decoder, x, self.beta)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def their_epoch(name, x):
    """A function that trains the tutorial's network for one epoch in the tutorial's way."""
    _, batch, optimizer = TUTORIALS[name]
    encoder, decoder = networks(name)
    optimizer = optimizer()
    if name in ("R4", "R5"):
        model = TutorialModel(encoder, decoder, 392.0 if name == "R4" else 0.5)
        model.compile(optimizer=optimizer)
        return lambda: model.fit(x, batch_size=batch, epochs=1, verbose=0)
    batches = tf.data.Dataset.from_tensor_slices(x).shuffle(10_000).batch(batch)
    weights = encoder.trainable_variables + decoder.trainable_variables

    def step(images):
        with tf.GradientTape() as tape:
            loss = loss_by_drawing_once(encoder, decoder, images)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))

    step = tf.function(step) if name == "R3" else step

    def epoch():
        for images in batches:
            step(images)

    return epoch


def our_epoch(name, x):
    """The same network, batch and optimizer by `vh.VAE`."""
    _, batch, optimizer = TUTORIALS[name]
    vae = vh.VAE(*networks(name))
    vae.compile(optimizer())
    return lambda: vae.fit(x, batch_size=batch, epochs=1, verbose=0)


def measure(name, x, rounds):
    """(their seconds, our seconds), one per round, in turn."""
    keras.utils.set_random_seed(0)
    theirs, ours = their_epoch(name, x), our_epoch(name, x)
    theirs(), ours()  # tracing
    pairs = []
    for _ in range(rounds):
        pairs.append([common.timed(run)[1] for run in (theirs, ours)])
    return tuple(zip(*pairs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=12_800)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    common.limit_threads()
    data = common.load(wanted.images)
    report({name: measure(name, data.x_train, wanted.rounds) for name in TUTORIALS}, data)


def report(seconds, data):
    """The table and the JSON. seconds: {tutorial: (theirs, ours)}."""
    print(common.describe(data))
    print(common.machine("tensorflow", "keras") + "\n")
    scale = 60_000 / len(data.x_train)
    ratios = {name: [a / b for a, b in zip(theirs, ours)] for name, (theirs, ours) in seconds.items()}
    rows = [
        (
            f"{name}: {TUTORIALS[name][0]}, batches of {TUTORIALS[name][1]}",
            *(common.shown([scale * s for s in side]) for side in seconds[name]),
            common.shown(ratios[name]),
        )
        for name in seconds
    ]
    common.table(("tutorial", "its loop, s per 60,000 images", "vh.VAE, s", "its loop over ours"), rows)
    print()
    common.json_line(
        data=data.name,
        images=len(data.x_train),
        seconds={name: statistics.median(ours) for name, (_, ours) in seconds.items()},
        reference_seconds={name: statistics.median(theirs) for name, (theirs, _) in seconds.items()},
        ratio={name: statistics.median(each) for name, each in ratios.items()},
        ratio_spread={name: common.summary(each) for name, each in ratios.items()},
    )


if __name__ == "__main__":
    main()
