"""Train and measure the models of Burda, Grosse & Salakhutdinov (2016), table 1, one stochastic layer, on MNIST.

    python -m benchmarks.train_burda --k 1 --epochs 400            # trains, then measures all test images
    python -m benchmarks.train_burda --k 1 --epochs 400 --done 80  # goes on with a training that was stopped
    python -m benchmarks.train_burda --k 1 --measure               # measures stored weights again

Writes burda_k1.weights.h5 (numbers only, which every version of Keras reads, without the optimizer) and burda_k1.json
(the protocol and the figures) into vae_helpers/weights.

Their protocol: each training image is binarized anew at each pass, a pixel is 1 with its grey value as the
probability; the test images are binarized once. Encoder 784-200-200-50 and decoder 50-200-200-784, tanh; the decoder's
last bias starts at the mean image. Adam with epsilon 1e-4, batches of 20, and the learning rate 0.001 · 10^(-i/7) for
3^i passes, i = 0 … 7: 3280 passes over the data. log p(x) is estimated with 5000 samples.
What is different here: far fewer passes; batches of 100 and, for these, learning rates twice as high; and all eight
learning rates for the same number of passes. The biases are those of `vh.start_at_the_mean`, which lets the encoder
subtract the mean image, too; the stored weights were trained before, with the decoder's bias only.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import vae_helpers as vh

WEIGHTS = Path(vh.__file__).parent / "weights"
LATENT_DIM, HIDDEN, STAGES = 50, (200, 200), 8
FIRST_RATE = 2e-3
PAPER = {1: -86.76, 5: -85.54}


def new_model(images):
    shape = images.shape[1:]
    encoder = vh.mlp_encoder(shape, LATENT_DIM, HIDDEN, activation="tanh")
    vae = vh.VAE(encoder, vh.mlp_decoder(shape, LATENT_DIM, HIDDEN, activation="tanh"))
    vh.start_at_the_mean(vae, images)
    return vae


def log_weights(vae, x, k):
    """log p(x|z) + log p(z) - log q(z|x) for k draws of z for each image: (k, batch). x: 0 or 1."""
    mean, log_var = vae.encoder(x)
    noise = tf.random.normal((k, *mean.shape))
    z = mean + tf.exp(0.5 * log_var) * noise
    logits = vae.decoder(tf.reshape(z, (-1, LATENT_DIM)))
    logits = tf.reshape(logits, (k, x.shape[0], -1))
    log_px = tf.reduce_sum(tf.reshape(x, (x.shape[0], -1)) * logits - tf.nn.softplus(logits), axis=-1)
    # the constants of p(z) and q(z|x) cancel
    return log_px - 0.5 * tf.reduce_sum(tf.square(z) - tf.square(noise) - log_var, axis=-1)


def bound(log_w):
    """Equation 8: (k, batch) → (batch,)."""
    return tf.reduce_logsumexp(log_w, axis=0) - math.log(log_w.shape[0])


def save(vae, path):
    """In one step, so that a training that is stopped leaves the last whole file."""
    part = path.with_name(f"part_{path.name}")
    vae.save_weights(part)
    os.replace(part, path)


def train(k, epochs, batch, path, done=0):
    images = vh.load_images("mnist").x_train
    if len(images) != 60_000:
        raise SystemExit("This needs MNIST: set VAE_HELPERS_DATA, or let Keras download it, with the full profile.")
    keras.utils.set_random_seed(k + 1000 * done)
    vae = new_model(images)
    if done:
        vae.load_weights(path)
    optimizer = keras.optimizers.Adam(FIRST_RATE, epsilon=1e-4)
    optimizer.build(vae.trainable_variables)
    grey = tf.constant(np.round(images * 255).astype("uint8"))
    steps = len(images) // batch

    @tf.function
    def gradients(x):
        x = tf.cast(tf.random.uniform(x.shape) < tf.cast(x, tf.float32) / 255, tf.float32)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(bound(log_weights(vae, x, k)))
        return loss, tape.gradient(loss, vae.trainable_variables)

    @tf.function
    def epoch():
        order, total = tf.random.shuffle(tf.range(len(images))), 0.0
        for step in tf.range(steps):
            x = tf.gather(grey, order[step * batch : (step + 1) * batch])
            loss, grads = gradients(tf.ensure_shape(x, (batch, *images.shape[1:])))
            optimizer.apply(grads, vae.trainable_variables)
            total += loss
        return total / tf.cast(steps, tf.float32)

    start = time.time()
    while done < epochs:
        optimizer.learning_rate = FIRST_RATE * 10 ** (-(STAGES * done // epochs) / 7)
        loss = float(epoch())
        done += 1
        if done % 5 == 0 or done == epochs:
            save(vae, path)
            print(f"k {k} · epoch {done} of {epochs} · bound {-loss:.2f} · {time.time() - start:.0f} s", flush=True)
    return {"batch": batch, "passes": epochs}


def measure(path, samples=5000, images=10_000, per_call=250):
    """log p(x), and the bound with one sample, of each test image: two arrays (images,)."""
    x_test = vh.load_images("mnist", binarize="stochastic").x_test[:images]
    vae = new_model(x_test)
    vae.load_weights(path)
    keras.utils.set_random_seed(0)

    @tf.function
    def part(x):
        return log_weights(vae, x, per_call)

    results = []
    for x in tf.data.Dataset.from_tensor_slices(x_test).batch(20, drop_remainder=True):
        log_w = np.concatenate([part(x) for _ in range(samples // per_call)]).astype("float64")
        top = log_w.max(0)
        results.append([top + np.log(np.mean(np.exp(log_w - top), axis=0)), log_w.mean(0)])
    return np.concatenate(results, axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--k", type=int, default=1, help="samples of z per image in training (default 1: a VAE)")
    parser.add_argument("--epochs", type=int, default=400, help="passes over the training images (default 400)")
    parser.add_argument("--batch", type=int, default=100, help="images per step (default 100)")
    parser.add_argument(
        "--done", type=int, default=0, help="go on: passes that the weights in the file have behind them"
    )
    parser.add_argument(
        "--out", type=Path, help="the file of the weights (default burda_k<k>.weights.h5 in the package)"
    )
    parser.add_argument("--measure", action="store_true", help="do not train: measure the weights in the file")
    parser.add_argument("--images", type=int, default=10_000, help="how many test images to measure (default all)")
    arguments = parser.parse_args()
    path = arguments.out or WEIGHTS / f"burda_k{arguments.k}.weights.h5"
    record = path.with_name(path.name.replace(".weights.h5", ".json"))
    if arguments.measure:
        facts = json.loads(record.read_text())
    else:
        before = json.loads(record.read_text()) if arguments.done and record.exists() else {}
        resumed = before.get("resumed_at", []) + [arguments.done] * bool(arguments.done)
        trained = train(arguments.k, arguments.epochs, arguments.batch, path, arguments.done)
        facts = {
            "k": arguments.k,
            "protocol": "MNIST; training pixels binarized anew at each pass, test pixels once (seed 0); "
            "encoder 784-200-200-50, decoder 50-200-200-784, tanh; k-sample bound (Burda et al. 2016, eq. 8); "
            "Adam, epsilon 1e-4, learning rate 0.002 * 10^(-i/7), i = 0..7, equally long in the plan of passes",
            "paper": PAPER.get(arguments.k),
            "paper_protocol": "the same, but batches of 20, learning rate 0.001 * 10^(-i/7), and 3280 passes, "
            "3^i of them for rate i",
            **trained,
            "resumed_at": resumed,  # there the learning rates were planned anew, and Adam began anew
        }
        record.write_text(json.dumps(facts, indent=1) + "\n")
    log_p, elbo = measure(path, images=arguments.images)
    facts |= {
        "test_images": len(log_p),
        "samples": 5000,
        "log_p": round(float(log_p.mean()), 3),
        "standard_error": round(float(log_p.std() / len(log_p) ** 0.5), 3),
        "elbo": round(float(elbo.mean()), 3),
    }
    record.write_text(json.dumps(facts, indent=1) + "\n")
    print(record.read_text())


if __name__ == "__main__":
    main()
