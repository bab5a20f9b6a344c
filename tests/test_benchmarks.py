"""The benchmarks on tiny sizes: what they print, and that the reference is the reference."""

import json

import keras
import numpy as np
import pytest

import vae_helpers as vh
from benchmarks import common, epoch_time, likelihood, manifold, peers, reference, time_to_elbo, tutorials


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.fixture
def data():
    """The digits stand in: 128 to train, all to test."""
    return common.load(128)


def test_the_reference_has_the_parameters_of_r3_and_the_loss_of_the_package(digits):
    keras.utils.set_random_seed(0)
    model = reference.R3()
    assert sum(int(np.prod(w.shape)) for w in model.weights) == 69_989
    codes = model.encoder.outputs[0]
    encoder = keras.Model(model.encoder.inputs[0], [codes[:, :2], codes[:, 2:]])
    vae = vh.VAE(encoder, model.decoder)
    by_drawing = np.mean([model.elbo(digits) for _ in range(6)], axis=0)
    ours = np.mean([vh.log_likelihood(vae, digits, samples=1, seed=s) for s in range(6)], axis=0)
    np.testing.assert_allclose(by_drawing.mean(), ours.mean(), atol=0.1)
    np.testing.assert_allclose(by_drawing, ours, atol=2)


def test_time_to_elbo_prints_its_figures(capsys, data, monkeypatch):
    tiny = time_to_elbo.Recipe("mlp", 64, 1e-3, 1, {"hidden": 4}, {"hidden": 4})
    monkeypatch.setitem(time_to_elbo.FAST, "mlp", tiny)
    time_to_elbo.main_race("mlp", data, target=-10_000, reference_epochs=2)
    out = last_line(capsys)
    assert {"network", "seconds", "reference_seconds", "ratio", "elbo", "epochs"} <= out.keys()
    assert out["data"] == "digits" and out["reached"] and out["reference_epochs"] == 1
    assert out["ratio"] == pytest.approx(out["reference_seconds"] / out["seconds"], rel=1e-3)


def test_the_best_training_stays_within_its_budget(capsys, data, monkeypatch):
    tiny = time_to_elbo.Recipe("mlp", 64, 1e-3, 0, {"hidden": 4}, {"hidden": 4})
    monkeypatch.setitem(time_to_elbo.BEST, "mlp", tiny)
    monkeypatch.setattr(time_to_elbo, "train", lambda recipe, *_, **__: time_to_elbo.Run(
        "ours", 2 + 3 * recipe.epochs, -100.0, recipe.epochs, 5
    ))  # fmt: skip
    time_to_elbo.main_best("mlp", data, reference_epochs=0, budget=50)
    out = last_line(capsys)
    assert out["within"] and out["epochs"] == 15 and out["seconds"] == 47


def test_epoch_time_counts_the_products_and_prints_its_figures(capsys, data):
    x = data.x_train.reshape(128, 784)
    shapes = epoch_time.dense_shapes((512, 512), 2, 784)
    forward = 2 * (784 * 512 + 512 * 512) + 2 * 512 * 2 + 2 * 512
    assert epoch_time.multiply_adds(128, *shapes) == 128 * (3 * forward - 784 * 512)
    one = {"seconds": [1.0], "loss": 200.0}
    share = epoch_time.measure_share(x, batch=32, rounds=1, hidden=(8,))
    epoch_time.report(data, {"ours": [one], "torch": [{**one, "seconds": [2.0]}]}, share)
    printed = capsys.readouterr().out
    assert "flax is not installed" in printed
    out = json.loads(printed.splitlines()[-1])
    assert out["fastest_peer"] == "torch" and out["ratio"] == 2 and out["share"] > 0


def test_the_products_are_those_of_training(data):
    """As many gradients as weights, each of its shape."""
    shapes = epoch_time.dense_shapes((8,), 2, 784)
    gradients = epoch_time.bare_products(data.x_train.reshape(128, 784), 32, 2, *shapes)()
    expected = [shape for part in shapes for shape in part]
    assert sorted(tuple(gradient.shape) for gradient in gradients) == sorted(expected)


def test_the_keras_loop_learns_what_ours_learns(data):
    x = data.x_train.reshape(128, 784)
    _, theirs = peers.keras_loop(x, 32, 2)
    _, mine = epoch_time.ours(x, 32, 2)
    assert theirs == pytest.approx(mine, rel=0.1)


def test_both_ways_to_a_manifold_give_the_same_images():
    z = manifold.grid(3)
    ours, predict, direct = (way(z) for way in manifold.build_ways().values())
    assert ours.shape == (9, 28, 28, 1)
    np.testing.assert_allclose(ours, predict, atol=1e-5)
    np.testing.assert_allclose(ours, direct, atol=1e-5)


def test_manifold_prints_its_figures(capsys):
    manifold.report(2, {"ours": 1.0, "predict": 4.0, "direct": 2.0}, {"ours": [1], "predict": [60], "direct": [50]})
    out = last_line(capsys)
    assert out["ratio"] == 60 and out["ratio_direct"] == 50 and out["first_ratio"] == 4


def test_likelihood_prints_its_figures(capsys, data):
    x = data.x_test[:20]
    results = {way: {k: [likelihood.measure(way, x, k)] for k in (2, 8)} for way in likelihood.WAYS}
    mine, naive = (results[way][8][0]["estimate"] for way in ("ours", "naive"))
    assert mine == pytest.approx(naive, abs=5)
    results["naive"][8] = [None]  # as if it had been stopped
    likelihood.report(data, 20, results)
    out = last_line(capsys)
    assert out["samples_per_second"] > 0 and out["naive"]["8"]["peak_mb"] is None and out["peak_growth"] >= 1


def test_a_child_that_grows_too_large_is_stopped_and_a_failing_one_is_reported():
    assert common.run_child("benchmarks.likelihood", "--help", limit_mb=1) is None
    with pytest.raises(RuntimeError, match="no_such_benchmark"):
        common.run_child("benchmarks.no_such_benchmark")


@pytest.mark.parametrize("name", tutorials.TUTORIALS)
def test_a_tutorial_trains_its_own_network_in_its_own_way(name, data):
    encoder, decoder = tutorials.networks(name)
    sizes = {"R1": 205_604, "R3": 69_989, "R4": 1_333_012, "R5": 134_165}
    theirs, ours = tutorials.measure(name, data.x_train[:64], rounds=1)
    assert min(theirs + ours) > 0
    assert encoder.count_params() + decoder.count_params() == sizes[name]


def test_the_tutorials_loss_is_that_of_the_package(digits):
    keras.utils.set_random_seed(0)
    encoder, decoder = tutorials.networks("R1")
    vae = vh.VAE(encoder, decoder)
    theirs = np.mean([float(tutorials.loss_by_drawing_once(encoder, decoder, digits)) for _ in range(20)])
    vae.compile()
    assert theirs == pytest.approx(vae.evaluate(digits, verbose=0, return_dict=True)["loss"], rel=0.01)
