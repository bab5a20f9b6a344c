"""The warm-up and the free bits of a VAE: what is minimized, what is reported; the mutual information gap."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import vae_helpers as vh


@pytest.fixture
def make(make_vae):
    """A small VAE with three latents: one with a KL of some nats, one of about 0.1, one of nearly 0."""

    def make(**options):
        vae = make_vae(latent_dim=3, optimizer=keras.optimizers.SGD(0.0), **options)  # which learns nothing
        rng = np.random.default_rng(0)
        for name, sizes in (("mean", [1.0, 0.15, 0.01]), ("log_var", [0.5, 0.05, 0.01])):
            kernel = vae.encoder.get_layer(name).kernel
            kernel.assign(rng.normal(size=kernel.shape) * sizes)
        return vae

    return make


def parts(vae, x):
    """The reconstruction, and the KL of each latent, averaged over the images x: the noise is that after reseed(0)."""
    vae.reseed(0)
    mean, log_var = (np.asarray(part, "float64") for part in vae.encode(x))
    logits = vae.decoder(vae.reparameterize(*vae.encode(x)))
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).mean(axis=0)
    vae.reseed(0)
    return float(np.mean(vh.bernoulli_nll(x, logits))), kl


def logs_of_fit(vae, x, **options):
    history = vae.fit(x, shuffle=False, verbose=0, **options).history
    return {name: values[-1] for name, values in history.items()}


# Free bits


@pytest.mark.parametrize("beta, free_bits", [(1.0, 0.3), (2.0, 0.05), (0.0, 1.0), (1.0, 50.0)])
def test_each_latent_counts_at_least_its_free_bits(make, binary, beta, free_bits):
    vae = make(beta=beta, free_bits=free_bits)
    reconstruction, kl = parts(vae, binary)
    assert kl.max() > 0.5 and kl.min() < 0.05
    logs = logs_of_fit(vae, binary, batch_size=64)
    expected = reconstruction + beta * np.maximum(kl, free_bits).sum()
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["reconstruction"] == pytest.approx(reconstruction, rel=1e-5)
    assert logs["kl"] == pytest.approx(kl.sum(), rel=1e-4)  # the true one


def test_the_batch_is_averaged_before_the_comparison(make, binary):
    # One image alone may lie below the free bits and another above; only their mean counts.
    vae = make(free_bits=0.3)
    mean, log_var = (np.asarray(part, "float64") for part in vae.encode(binary))
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)
    one_by_one = np.maximum(kl, 0.3).mean(axis=0).sum()
    together = np.maximum(kl.mean(axis=0), 0.3).sum()
    assert one_by_one - together > 0.003  # three times the tolerance below
    reconstruction, _ = parts(vae, binary)
    assert logs_of_fit(vae, binary, batch_size=64)["loss"] - reconstruction == pytest.approx(together, abs=1e-3)


def gradient(vae, x):
    with tf.GradientTape() as tape:
        loss = vae.compute_loss(x, y_pred=vae(x))
    names = [variable.path for variable in vae.trainable_variables]
    return dict(zip(names, tape.gradient(loss, vae.trainable_variables)))


def test_a_latent_below_its_free_bits_is_not_pulled_to_the_prior(make, binary):
    vae = make(free_bits=0.3)
    vae.decoder.set_weights([0 * weight for weight in vae.decoder.get_weights()])  # so that only the KL pulls
    pulls = gradient(vae, binary)
    (pull,) = [np.asarray(value) for name, value in pulls.items() if "mean" in name and name.endswith("bias")]
    assert abs(pull[0]) > 1e-3 and (pull[1:] == 0).all()


# Warm-up


def test_the_weight_rises_evenly_with_the_steps(make, binary):
    vae = make(beta=2.0, warm_up=8)
    _, kl = parts(vae, binary)
    losses = [logs_of_fit(vae, binary, batch_size=64, epochs=1) for _ in range(12)]
    weights = [(logs["loss"] - logs["reconstruction"]) / kl.sum() for logs in losses]
    assert weights == pytest.approx([2.0 * min(1, step / 8) for step in range(12)], abs=1e-3)
    assert all(logs["kl"] == pytest.approx(kl.sum(), rel=1e-4) for logs in losses)


def test_the_weight_changes_at_every_step_of_one_call(make, binary):
    # Twenty steps go into one call into TensorFlow; a callback would see the weight change once.
    vae = make(warm_up=37)
    _, kl = parts(vae, binary)
    logs = logs_of_fit(vae, binary, batch_size=1)
    weights = np.arange(37) / 37
    mean, log_var = (np.asarray(part, "float64") for part in vae.encode(binary))
    of_images = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    assert logs["loss"] - logs["reconstruction"] == pytest.approx(np.mean(weights * of_images), rel=1e-3)
    assert logs["loss"] - logs["reconstruction"] < 0.9 * kl.sum()


def test_a_new_optimizer_begins_the_warm_up_again(make, binary):
    vae = make(warm_up=4)
    for _ in range(6):
        logs = logs_of_fit(vae, binary, batch_size=64)
    assert logs["loss"] - logs["reconstruction"] == pytest.approx(logs["kl"], rel=1e-4)
    vae.compile(keras.optimizers.SGD(0.0))
    logs = logs_of_fit(vae, binary, batch_size=64)
    assert logs["loss"] == pytest.approx(logs["reconstruction"], rel=1e-6)


def test_both_together(make, binary):
    vae = make(beta=3.0, warm_up=4, free_bits=0.3)
    reconstruction, kl = parts(vae, binary)
    for step in range(3):
        vae.reseed(0)
        logs = logs_of_fit(vae, binary, batch_size=64)
        expected = reconstruction + 3.0 * step / 4 * np.maximum(kl, 0.3).sum()
        assert logs["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("options", [{"warm_up": 1000}, {"free_bits": 2.0}, {"warm_up": 10, "free_bits": 0.5}])
def test_evaluation_and_validation_report_the_plain_loss(make, binary, options):
    vae = make(beta=1.5, **options)
    logs = logs_of_fit(vae, binary, validation_data=binary, batch_size=16)
    assert abs(logs["loss"] - logs["reconstruction"] - 1.5 * logs["kl"]) > 0.1
    assert logs["val_loss"] == pytest.approx(logs["val_reconstruction"] + 1.5 * logs["val_kl"], rel=1e-5)
    scores = vae.evaluate(binary, return_dict=True, verbose=0)
    assert scores["loss"] == pytest.approx(scores["reconstruction"] + 1.5 * scores["kl"], rel=1e-5)


def test_options_survive_saving(make, binary, tmp_path):
    vae = make(beta=2.0, warm_up=30, free_bits=0.25)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    config = loaded.get_config()
    assert (config["beta"], config["warm_up"], config["free_bits"]) == (2.0, 30, 0.25)
    assert logs_of_fit(loaded, binary)["loss"] == pytest.approx(logs_of_fit(vae, binary)["loss"], rel=0.2)


@pytest.mark.parametrize("name", ["beta", "warm_up", "free_bits"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_impossible_options_are_refused(make_vae, name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        make_vae(**{name: value})


def test_a_latent_with_free_bits_ends_with_more_kl(make_vae, digits):
    """The cure works on a model that would collapse: beta = 30."""
    kls = []
    for free_bits in (0.0, 0.5):
        keras.utils.set_random_seed(0)
        adam = keras.optimizers.Adam(3e-3)
        vae = make_vae((28, 28, 1), 2, (32,), adam, beta=30, free_bits=free_bits)
        vae.fit(digits, epochs=40, batch_size=50, verbose=0)
        kls.append(vh.kl_per_dimension(vae, digits))
    assert kls[0].max() < 0.15
    assert kls[1].min() > 0.3 and kls[1].max() < 0.8


# The mutual information gap


def some_factors(n=4000, seed=0):
    return np.random.default_rng(seed).integers([4, 8], size=(n, 2))


def test_one_latent_for_each_factor_has_the_gap_one():
    factors = some_factors()
    noise = np.random.default_rng(1).normal(size=(len(factors), 3))
    codes = np.column_stack([factors[:, 1], -2.0 * factors[:, 0], 0 * noise[:, 0]])
    np.testing.assert_allclose(vh.mutual_information_gap(codes, factors), 1, atol=0.02)
    assert vh.mutual_information_gap(noise, factors).max() < 0.03


def test_the_table_holds_entropies_where_a_latent_is_the_factor():
    factors = some_factors()
    table = vh.mutual_information(factors[:, [1, 0, 1]] * [0.3, -1.0, 5.0], factors)
    assert table.shape == (3, 2)
    np.testing.assert_allclose(table, [[0, np.log(8)], [np.log(4), 0], [0, np.log(8)]], atol=0.01)


def test_two_latents_that_tell_the_same_have_no_gap():
    factors = some_factors()
    codes = factors[:, [0, 1, 1]].astype("float32")
    first, second = vh.mutual_information_gap(codes, factors)
    assert first > 0.98 and second == pytest.approx(0, abs=1e-9)


def test_turning_the_axes_closes_the_gap():
    # Both latents then tell the same about both factors, though together they tell as much as before.
    factors = np.random.default_rng(0).integers(8, size=(4000, 2))
    turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    assert vh.mutual_information_gap(factors @ turn, factors).max() < 0.05
    assert vh.mutual_information_gap(factors, factors).min() > 0.95


def test_information_agrees_with_a_count_by_hand():
    factors, codes = some_factors(500), np.random.default_rng(3).normal(size=(500, 1))
    codes[:, 0] += factors[:, 0]
    counts, _, _ = np.histogram2d(codes[:, 0], factors[:, 0], bins=[7, np.arange(5) - 0.5])
    share = counts / counts.sum()
    apart = share.sum(1, keepdims=True) * share.sum(0, keepdims=True)
    by_hand = np.sum(share[share > 0] * np.log(share[share > 0] / apart[share > 0]))
    assert vh.mutual_information(codes, factors, bins=7)[0, 0] == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(
    "codes, factors, words",
    [
        (np.zeros((5, 2)), np.zeros((4, 2), int), "give .n, latent_dim. and .n, k."),
        (np.zeros(5), np.zeros((5, 2), int), "codes has shape"),
        (np.zeros((5, 2)), np.zeros(5, int), "factors"),
        (np.zeros((5, 2)), np.zeros((5, 2)), "whole numbers"),
        (np.eye(5)[:, :1], np.arange(10).reshape(5, 2), "one latent"),
        (np.eye(5)[:, :2], np.array([[1, 0], [1, 1], [1, 2], [1, 3], [1, 4]]), "factor 0 has the same value"),
    ],
)
def test_what_has_no_gap_is_refused(codes, factors, words):
    with pytest.raises(ValueError, match=words):
        vh.mutual_information_gap(codes, factors)
