"""Importance-weighted samples per second of `vh.log_likelihood`, and the memory it takes as samples grow.

    python -m benchmarks.likelihood [--samples 64 512 4096] [--images 100]

Against a version that decodes all samples at once, which is stopped when it has taken 4 GB. Each measurement has a
child process of its own, so that its peak memory is its own. The network is the MLP 512-512 of 2 latents, untrained:
what its weights are does not change the work.
"""

import argparse
import json
import math
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import common

LIMIT_MB = 4096
WAYS = {"ours": "vh.log_likelihood", "naive": "all samples at once"}


def naive_log_likelihood(vae, x, samples):
    """The estimate of `vh.log_likelihood` in a few lines, every sample of every image in memory together."""
    from keras import ops, random

    import vae_helpers as vh

    mean, log_var = vae.encode(x)
    z = mean + ops.exp(0.5 * log_var) * random.normal((samples, *mean.shape), seed=0)
    logits = vae.decoder(ops.reshape(z, (-1, vae.latent_dim)))
    log_px = -ops.reshape(vh.bernoulli_nll(np.tile(x, (samples, 1, 1, 1)), logits), (samples, -1))
    log_weight = log_px + vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, mean, log_var)
    return ops.convert_to_numpy(ops.logsumexp(log_weight, axis=0)) - math.log(samples)


def measure(way, x, samples):
    """Samples per second, the peak memory and what of it was there before, in MB, and the mean estimate."""
    import keras

    import vae_helpers as vh

    keras.utils.set_random_seed(0)
    vae = vh.VAE(vh.mlp_encoder(x.shape[1:], 2), vh.mlp_decoder(x.shape[1:], 2))
    estimate = vh.log_likelihood if way == "ours" else naive_log_likelihood
    estimate(vae, x[:10], 2)  # the first call loads what TensorFlow needs
    before = common.peak_memory_mb()
    values, seconds = common.timed(estimate, vae, x, samples)
    return {
        "per_second": len(x) * samples / seconds,
        "peak_mb": common.peak_memory_mb(),
        "before_mb": before,
        "estimate": float(np.mean(values)),
    }


def measure_all(x, samples, rounds):
    """{way: {samples: [a child's result, or None if it was stopped]}}."""
    results = {way: {count: [] for count in samples} for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npy"
        np.save(images, x)
        for _ in range(rounds):
            for count in samples:
                for way in WAYS:
                    worker = ("--worker", way, images, "--samples", count)
                    result = common.run_child("benchmarks.likelihood", *worker, limit_mb=LIMIT_MB)
                    results[way][count].append(result)
    return results


def median(results, key):
    """The median over the rounds; None if a round was stopped."""
    return None if None in results else statistics.median(one[key] for one in results)


def report(data, images, results):
    """The table and the JSON."""
    print(common.describe(data))
    print(common.machine("tensorflow", "keras"))
    print(f"log p(x) of {images} images, MLP 512-512, 2 latents; one sample: one z for one image\n")
    rows, figures = [], {}
    for way, label in WAYS.items():
        figures[way] = {}
        for count, rounds in results[way].items():
            peak, speed = median(rounds, "peak_mb"), median(rounds, "per_second")
            figures[way][str(count)] = {"per_second": speed, "peak_mb": peak, "before_mb": median(rounds, "before_mb")}
            if peak is None:
                rows.append((label, f"{count:,}", f"stopped at {LIMIT_MB:,} MB", "–", "–"))
                continue
            speeds = common.shown([one["per_second"] for one in rounds], 0)
            rows.append((label, f"{count:,}", f"{peak:,.0f}", f"{peak - median(rounds, 'before_mb'):,.0f}", speeds))
    header = ("", "samples per image", "peak memory, MB", "of it, for the estimate", "samples per second")
    common.table(header, rows)
    ours = list(figures["ours"].values())
    growth = ours[-1]["peak_mb"] / ours[0]["peak_mb"]
    more = max(results["ours"]) / min(results["ours"])
    print(f"\nours: {growth:.2f} times the peak memory for {more:.0f} times the samples\n")
    common.json_line(
        data=data.name,
        images=images,
        samples_per_second=ours[-1]["per_second"],
        peak_growth=growth,
        **figures,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[64, 512, 4096])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", nargs=2, metavar=("WAY", "FILE"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    common.limit_threads()
    if wanted.worker:
        way, images = wanted.worker
        print(json.dumps(measure(way, np.load(images), wanted.samples[0])))
        return
    data = common.load()
    x = data.x_test[: wanted.images]
    report(data, len(x), measure_all(x, sorted(wanted.samples), wanted.rounds))


if __name__ == "__main__":
    main()
