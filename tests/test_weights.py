"""The stored weights of lesson 07: small, numbers only, and with the protocol by which they were measured."""

import json
from pathlib import Path

import numpy as np
import pytest

import vae_helpers as vh
from benchmarks import train_burda

FOLDER = Path(vh.__file__).parent / "weights"
each_k = pytest.mark.parametrize("k", [1, 5])


def test_the_weights_of_lesson_07_are_here_and_small():
    assert {path.name for path in FOLDER.glob("*.h5")} == {"burda_k1.weights.h5", "burda_k5.weights.h5"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 6_000_000


@each_k
def test_stored_weights_fit_the_network_and_know_digits(k, digits):
    vae = train_burda.new_model(digits)
    vae.load_weights(FOLDER / f"burda_k{k}.weights.h5")
    upright, mirrored = (vh.log_likelihood(vae, x, samples=20).mean() for x in (digits, digits[:, :, ::-1]))
    assert upright > mirrored + 10  # though these digits are not those of MNIST, but small ones, enlarged


@each_k
def test_beside_the_weights_stands_how_they_were_measured(k):
    facts = json.loads((FOLDER / f"burda_k{k}.json").read_text(encoding="utf-8"))
    assert facts["k"] == k
    for word in ("binarized anew at each pass", "784-200-200-50", "50-200-200-784", "tanh", "eq. 8"):
        assert word in facts["protocol"]
    assert facts["samples"] == 5000 and facts["passes"] >= 1 and facts["batch"] >= 1
    assert facts["test_images"] >= 1000 and 0 < facts["standard_error"] < 1
    assert facts["paper"] == {1: -86.76, 5: -85.54}[facts["k"]]
    assert facts["paper"] - 4 < facts["log_p"] < facts["paper"] + 0.5
    assert facts["elbo"] < facts["log_p"]


def test_the_bound_of_the_training_is_that_of_the_package(digits):
    vae = train_burda.new_model(digits)
    for weights in vae.trainable_weights:
        if weights.path.endswith("kernel"):
            weights.assign(0.5 * weights)  # so that the weights of the draws differ little, and few are enough
    log_w = np.concatenate([train_burda.log_weights(vae, digits[:4], 250) for _ in range(8)])
    found = train_burda.bound(log_w).numpy()
    np.testing.assert_allclose(found, vh.log_likelihood(vae, digits[:4], samples=2000), atol=0.2)
    assert (found > log_w.mean(0) + 0.01).all()


# The model that comes with the package


def test_the_model_that_comes_with_the_package_is_small_and_knows_digits(digits):
    assert vh.trained.WEIGHTS.stat().st_size < 300_000
    vae = vh.trained_vae()
    assert (vae.latent_dim, vae.image_shape, vae.count_params()) == (2, (28, 28, 1), 69_989)
    upright, mirrored = (vh.log_likelihood(vae, x, samples=20).mean() for x in (digits, digits[:, :, ::-1]))
    assert upright > mirrored + 5
    assert np.ptp(vh.tutorial_vae().reconstruct(digits[:9])) < 0.5  # untrained


def test_half_precision_changes_the_elbo_of_the_stored_model_by_little():
    facts = json.loads(vh.trained.WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    assert abs(facts["test_elbo"] - facts["test_elbo_stored"]) < 0.1
    assert facts["test_elbo_stored"] > -151
