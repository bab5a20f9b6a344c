"""A 20 × 20 grid of decoded codes: ours in one call, against one call per tile.

    python -m benchmarks.manifold [--n 20] [--rounds 3]

R4 and R5 call `predict` for each tile, R3 calls the decoder itself. All use R3's decoder with the same weights, and end
in pixel means. The drawing is left out. The first run of each way (tracing, loading of kernels) is reported by itself;
ours is first, when TensorFlow is coldest.
"""

import argparse
import statistics

import keras
import numpy as np
import tensorflow as tf

import vae_helpers as vh
from benchmarks import common

WAYS = {
    "ours": "vae_helpers: all codes in one call",
    "predict": "one predict per tile (R4, R5)",
    "direct": "one direct call per tile (R3)",
}


def grid(n):
    """The codes of the n × n tiles, (n², 2), in the order of `vh.plot_manifold`."""
    axis = vh.latent_grid(n, "quantile")
    return np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2).astype("float32")


def build_ways(seed=0):
    """{name: a function from codes (n, 2) to pixel means (n, 28, 28, 1)}, all with the same weights."""
    keras.utils.set_random_seed(seed)
    encoder = vh.conv_encoder((28, 28, 1), 2, filters=(32, 64), padding="valid", dense=())
    vae = vh.VAE(encoder, vh.conv_decoder((28, 28, 1), 2, filters=(64, 32), start_filters=32))
    decoder = keras.models.clone_model(vae.decoder)
    decoder.set_weights(vae.decoder.get_weights())
    with_sigmoid = keras.Sequential([decoder, keras.layers.Activation("sigmoid")])  # R4 and R5 end in one

    def predict(z):
        return np.concatenate([with_sigmoid.predict(one[None], verbose=0) for one in z])

    def direct(z):
        return np.concatenate([tf.sigmoid(decoder(one[None])).numpy() for one in z])

    return {"ours": vae.decode, "predict": predict, "direct": direct}


def measure(n, rounds):
    """({name: seconds of the first run}, {name: seconds of each further round})."""
    ways, z = build_ways(), grid(n)
    first = {name: common.timed(way, z)[1] for name, way in ways.items()}
    later = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            later[name].append(common.timed(way, z)[1])
    return first, later


def report(n, first, later):
    """The table and the JSON."""
    print(f"An image for each of {n} × {n} codes, R3's decoder; milliseconds")
    print(common.machine("tensorflow", "keras") + "\n")
    ratios = {name: [s / mine for s, mine in zip(later[name], later["ours"])] for name in later}
    first_ratios = {name: seconds / first["ours"] for name, seconds in first.items()}
    rows = [
        (
            label,
            common.shown([1e3 * s for s in later[name]]),
            common.shown(ratios[name]),
            f"{1e3 * first[name]:,.0f}",
            f"{first_ratios[name]:,.1f}",
        )
        for name, label in WAYS.items()
    ]
    common.table(("", "ms", "over ours", "first run, ms", "first run, over ours"), rows)
    print()
    common.json_line(
        n=n,
        seconds={name: statistics.median(each) for name, each in later.items()},
        first_seconds=first,
        ratio=statistics.median(ratios["predict"]),  # against R4 and R5
        ratio_direct=statistics.median(ratios["direct"]),  # against R3
        ratio_spread=common.summary(ratios["predict"]),
        ratio_direct_spread=common.summary(ratios["direct"]),
        first_ratio=first_ratios["predict"],
        first_ratio_direct=first_ratios["direct"],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20, help="tiles per side")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    common.limit_threads()
    report(wanted.n, *measure(wanted.n, wanted.rounds))


if __name__ == "__main__":
    main()
