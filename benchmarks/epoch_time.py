"""Seconds per epoch of one network: ours, a Keras loop by hand, PyTorch, Flax; and ours against bare matrix products.

    python -m benchmarks.epoch_time [--epochs 3] [--rounds 3]

The network is 784-400-20-400-784, the batch 128, the numbers float32, the optimizer Adam 1e-3, the images the 60,000
thresholded ones of MNIST. Each trains in a child process of its own, in turn, round after round; the first epoch of
each (tracing, compiling) is not counted. The second part trains the MLP 512-512 of 2 latents and asks which share of
its time the matrix products alone would take, in the same process.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import common

BATCH = 128
# name: (what the table calls it, the package it needs)
CONTESTANTS = {
    "ours": ("vae_helpers: fit, with its defaults", "keras"),
    "ours_one": ("vae_helpers, TF_NUM_INTRAOP_THREADS=1", "keras"),
    "keras_loop": ("Keras, a loop by hand", "keras"),
    "torch": ("PyTorch, batches cut from a tensor", "torch"),
    "torch_loader": ("PyTorch, its DataLoader", "torch"),
    "flax": ("Flax and JAX", "flax"),
}
PEERS = ("torch", "torch_loader", "flax")


def ours(x, batch, epochs, hidden=(400,), latent_dim=20, after_epoch=lambda: None):
    """vh.VAE and its `fit`: the seconds of each epoch and the last loss. after_epoch is called outside the clock."""
    import keras

    import vae_helpers as vh

    seconds = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds.append(time.perf_counter() - self.started)
            after_epoch()

    vae = vh.VAE(vh.mlp_encoder((28, 28, 1), latent_dim, hidden), vh.mlp_decoder((28, 28, 1), latent_dim, hidden))
    vae.compile(keras.optimizers.Adam(1e-3))
    history = vae.fit(x.reshape(-1, 28, 28, 1), batch_size=batch, epochs=epochs, verbose=0, callbacks=[Clock()])
    return seconds, history.history["loss"][-1]


def contest(name, x, batch, epochs):
    """What one contestant's training takes."""
    from benchmarks import peers

    if name.startswith("ours"):
        return ours(x, batch, epochs)
    if name == "keras_loop":
        return peers.keras_loop(x, batch, epochs)
    if name == "flax":
        return peers.flax_loop(x, batch, epochs)
    return peers.torch_loop(x, batch, epochs, common.THREADS, loader=name == "torch_loader")


# The share of the products


def dense_shapes(hidden=(512, 512), latent_dim=2, pixels=784):
    """(inputs, outputs) of each Dense layer of encoder (two heads) and decoder."""
    body = list(zip((pixels, *hidden), hidden))
    heads = [(hidden[-1], latent_dim)] * 2
    back = list(zip((latent_dim, *hidden[::-1]), (*hidden[::-1], pixels)))
    return body, heads, back


def multiply_adds(batch, body, heads, back):
    """Of one training step: forward, gradient of the weights, gradient of the input; not that of the images."""
    forward = sum(inputs * outputs for inputs, outputs in (*body, *heads, *back))
    first = body[0][0] * body[0][1]
    return batch * (3 * forward - first)


def bare_products(x, batch, steps, body, heads, back):
    """A tf.function that does the matrix products of `steps` training steps, in the order of training, and no more.

    The same shapes in the same order: a linear network, forward and back; no biases, activations, loss, optimizer.
    """
    import tensorflow as tf

    def weights(shapes):
        return [tf.random.normal(shape, stddev=shape[0] ** -0.5) for shape in shapes]

    body, heads, back = weights(body), weights(heads), weights(back)

    def forward(x, layers):
        inputs = []
        for w in layers:
            inputs.append(x)
            x = tf.matmul(x, w)
        return x, inputs

    def backward(gradient, layers, inputs, first=True):
        """The gradients of the weights, and of the first layer's input."""
        of_weights = []
        for i in reversed(range(len(layers))):
            of_weights.append(tf.matmul(inputs[i], gradient, transpose_a=True))
            if i or first:
                gradient = tf.matmul(gradient, layers[i], transpose_b=True)
        return gradient, of_weights

    def step(images):
        features, body_inputs = forward(images, body)
        z = tf.matmul(features, heads[0])
        log_var = tf.matmul(features, heads[1])
        logits, back_inputs = forward(z, back)
        dz, back_gradients = backward(logits, back, back_inputs)
        dfeatures, mean_gradient = backward(dz, heads[:1], [features])
        # a sum, as in training: without it the second head's product would be of no use, and be left out
        dother, log_var_gradient = backward(log_var, heads[1:], [features])
        _, body_gradients = backward(dfeatures + dother, body, body_inputs, first=False)
        return back_gradients + mean_gradient + log_var_gradient + body_gradients

    images = tf.constant(x)

    @tf.function
    def run():
        gradients = step(images[:batch])
        for i in tf.range(1, steps):
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)  # in training, too, steps wait for steps
            gradients = step(images[i * batch : (i + 1) * batch])
        return gradients

    return run


def measure_share(x, batch=BATCH, rounds=3, hidden=(512, 512)):
    """Training and bare products in turn, epoch by epoch: the seconds per step of each, and a step's multiply-adds."""
    shapes, steps, products = dense_shapes(hidden), len(x) // batch, []
    run = bare_products(x, batch, steps, *shapes)

    def measure_products():
        _, seconds = common.timed(lambda: [gradient.numpy() for gradient in run()])
        products.append(seconds / steps)

    epochs, _ = ours(x, batch, rounds + 1, hidden, latent_dim=2, after_epoch=measure_products)
    training = [seconds * batch / len(x) for seconds in epochs]
    return {"training": training[1:], "products": products[1:], "multiply_adds": multiply_adds(batch, *shapes)}


# Children, and the command


def worker(name, images, epochs):
    """What a child process does; prints one line of JSON."""
    x = np.load(images)
    if name == "ours_one":
        os.environ["TF_NUM_INTRAOP_THREADS"] = "1"  # TensorFlow reads it when it starts, which is later
    if name == "share":
        result = measure_share(x, rounds=epochs)
    else:
        seconds, loss = contest(name, x, BATCH, epochs + 1)
        result = {"seconds": [float(s) for s in seconds[1:]], "loss": float(loss)}
    print(json.dumps(result))


def measure(x, epochs, rounds, names=CONTESTANTS):
    """{name: [one child's result per round]}; names whose package is missing are left out."""
    here = [name for name in names if common.version_of(CONTESTANTS[name][1])]
    results = {name: [] for name in here}
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npy"
        np.save(images, x)
        for turn in range(rounds):
            for name in here if turn % 2 == 0 else reversed(here):  # nobody is always first, when the machine is cool
                result = common.run_child("benchmarks.epoch_time", "--worker", name, images, "--epochs", epochs)
                results[name].append(result)
                print(f"round {turn + 1}, {name}: {common.shown(result['seconds'], 2, ' s')}", flush=True)
        share = common.run_child("benchmarks.epoch_time", "--worker", "share", images, "--epochs", rounds)
    return results, share


def ratios_to_ours(results):
    """{name: [its seconds over ours, per round]}: above 1, ours is faster."""
    median = {name: [statistics.median(one["seconds"]) for one in rounds] for name, rounds in results.items()}
    return {
        name: [theirs / mine for theirs, mine in zip(each, median["ours"])]
        for name, each in median.items()
        if name != "ours"
    }


def report(data, results, share):
    """Both tables and the JSON."""
    print("\n" + common.describe(data))
    print(common.machine("tensorflow", "keras", "torch", "jax", "flax", "optax"))
    print(f"784-400-20-400-784, batch {BATCH}, float32, Adam 1e-3; seconds per epoch, the first left out\n")
    ratios, rows = ratios_to_ours(results), []
    seconds = {name: [s for one in rounds for s in one["seconds"]] for name, rounds in results.items()}
    for name, (label, package) in CONTESTANTS.items():
        if name in results:
            loss = statistics.median(one["loss"] for one in results[name])
            rows.append((label, common.shown(seconds[name], 2), common.shown(ratios.get(name), 2), f"{loss:.1f}"))
        else:
            rows.append((label, f"{package} is not installed", "–", "–"))
    common.table(("", "seconds per epoch", "over ours", "last loss"), rows)
    fractions = [products / step for products, step in zip(share["products"], share["training"])]
    _report_share(share, fractions)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    fastest = min((name for name in PEERS if name in medians), key=medians.get, default=None)
    common.json_line(
        data=data.name,
        images=len(data.x_train),
        threads=common.THREADS,
        seconds=medians["ours"],
        seconds_of=medians,
        ratio_of={name: common.summary(each) for name, each in ratios.items()},
        fastest_peer=fastest,
        ratio=statistics.median(ratios[fastest]) if fastest else None,
        share=statistics.median(fractions),
        share_spread=common.summary(fractions),
        step_ms=1e3 * statistics.median(share["training"]),
        products_ms=1e3 * statistics.median(share["products"]),
        gflop_per_step=2e-9 * share["multiply_adds"],
    )


def _report_share(share, fractions):
    gflop = 2e-9 * share["multiply_adds"]
    print(f"\nMLP 784-512-512-2, batch {BATCH}: {gflop:.3f} GFLOP of matrix products in a training step\n")
    rows = []
    for label, each in (("training step", share["training"]), ("its products alone", share["products"])):
        rows.append((label, common.shown([1e3 * s for s in each], 2), common.shown([gflop / s for s in each])))
    common.table(("", "ms", "GFLOP/s"), rows)
    print(f"\nshare of the products' speed that training reaches: {common.shown(fractions, 2)}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3, help="measured epochs of each child, after one that is not")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, help="train on the first so many images only, to try the command")
    parser.add_argument("--worker", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    common.limit_threads()
    if wanted.worker:
        worker(*wanted.worker, wanted.epochs)
        return
    data = common.load(wanted.images)
    x = data.x_train.reshape(len(data.x_train), -1)
    report(data, *measure(x, wanted.epochs, wanted.rounds))


if __name__ == "__main__":
    main()
