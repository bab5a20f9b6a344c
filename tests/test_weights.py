"""The stored weights of lesson 07: they are small, load in safe mode, and say by which protocol they were measured."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import vae_helpers as vh

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "weights"
each_file = pytest.mark.parametrize("path", sorted(FOLDER.glob("*.keras")), ids=lambda path: path.stem)


def test_the_weights_of_lesson_07_are_here_and_small():
    assert {path.stem for path in FOLDER.glob("*.keras")} == {"burda_k1", "burda_k5"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 6_000_000


@each_file
def test_stored_weights_load_in_safe_mode_and_give_finite_numbers(path, digits):
    vae = keras.models.load_model(path, safe_mode=True)
    assert isinstance(vae, vh.VAE) and vae.latent_dim == 50
    assert [layer.units for layer in vae.encoder.layers if hasattr(layer, "units")] == [200, 200, 50, 50]
    assert [layer.units for layer in vae.decoder.layers if hasattr(layer, "units")] == [200, 200, 784]
    assert getattr(vae, "optimizer", None) is None  # its state would triple the file
    assert np.isfinite(vh.log_likelihood(vae, digits[:5], samples=3)).all()


@each_file
def test_beside_the_weights_stands_how_they_were_measured(path):
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert f"burda_k{facts['k']}" == path.stem
    for word in ("binarized anew at each pass", "784-200-200-50", "50-200-200-784", "tanh", "eq. 8"):
        assert word in facts["protocol"]
    assert facts["samples"] == 5000 and facts["passes"] >= 1 and facts["batch"] >= 1
    assert facts["test_images"] >= 1000 and 0 < facts["standard_error"] < 1
    assert facts["paper"] == {1: -86.76, 5: -85.54}[facts["k"]]
    assert facts["paper"] - 4 < facts["log_p"] < facts["paper"] + 0.5
    assert facts["elbo"] < facts["log_p"]


def test_the_bound_of_the_training_is_that_of_the_package(digits, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import train_burda

    vae = train_burda.new_model(digits.mean(0))
    for weights in vae.trainable_weights:
        if weights.path.endswith("kernel"):
            weights.assign(0.5 * weights)  # so that the weights of the draws differ little, and few are enough
    log_w = np.concatenate([train_burda.log_weights(vae, digits[:4], 250) for _ in range(8)])
    found = train_burda.bound(log_w).numpy()
    np.testing.assert_allclose(found, vh.log_likelihood(vae, digits[:4], samples=2000), atol=0.2)
    assert (found > log_w.mean(0) + 0.01).all()
