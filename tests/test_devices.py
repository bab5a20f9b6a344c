"""Many devices (tf.distribute) and many precisions: the same models, the same figures."""

import json
import math
import socket

import keras
import numpy as np
import pytest
import tensorflow as tf
import workers

import vae_helpers as vh

KERAS = tuple(map(int, keras.__version__.split(".")[:2]))
from_keras_3_10 = pytest.mark.skipif(KERAS < (3, 10), reason="Keras below 3.10 reports a wrong loss")


def assert_adds_up(training, beta=0.5):
    """In each epoch, in its validation, and in evaluation."""
    history, evaluated = training["history"], training["evaluated"]
    for logs, prefix in ((history, ""), (history, "val_"), (evaluated, "")):
        loss, reconstruction, kl = (np.array(logs[prefix + name]) for name in ("loss", "reconstruction", "kl"))
        assert np.isfinite(loss).all() and (kl > 0).all()
        np.testing.assert_allclose(loss, reconstruction + beta * kl, rtol=1e-5)


def assert_alike(one, other):
    for part in ("weights", "evaluated", "history"):
        first, second = one[part], other[part]
        if part == "weights":
            first, second = {"": first}, {"": second}
        for name in first:
            np.testing.assert_allclose(first[name], second[name], rtol=1e-4, atol=1e-6, err_msg=f"{part} {name}")


# Two devices


@pytest.fixture(scope="module")
def mirrored():
    """What one process reports that trains on two devices, beside one."""
    return workers.run((["mirrored"], {}))[0]


@from_keras_3_10
def test_two_devices_report_a_loss_that_adds_up(mirrored):
    assert mirrored["devices"] == 2
    assert_adds_up(mirrored["vae"])
    assert mirrored["vae"]["steps"] == 6  # two epochs of three batches


@from_keras_3_10
def test_without_noise_two_devices_give_the_same_weights_and_losses_as_one(mirrored):
    assert_alike(mirrored["autoencoder, two"], mirrored["autoencoder, one"])


@from_keras_3_10
def test_two_devices_train_a_vae_as_one_does(mirrored):
    """Equal shares get the noise that one device draws for the batch: the losses agree far below the seed's noise."""
    one, two = (np.array(mirrored["losses"][name]) for name in ("one", "two"))
    untrained = 16 * math.log(2)
    assert one.mean() < untrained - 0.5
    assert np.abs(one - two).max() < 0.01 * one.std()


@from_keras_3_10
def test_every_image_counts_alike_where_devices_get_unequal_shares(mirrored):
    """37 images together: Keras by itself fails where the shares of the first batch differ."""
    training = mirrored["autoencoder, two"]
    assert training["evaluated"]["loss"] == pytest.approx(training["by hand"], rel=1e-5)
    assert training["evaluated"]["reconstruction"] == pytest.approx(training["by hand"], rel=1e-5)


@from_keras_3_10
def test_each_device_draws_its_own_noise(mirrored):
    values = np.ravel(mirrored["noise"])  # two draws of two values on two devices
    assert len(values) == len(set(values)) == 8


@from_keras_3_10
def test_the_devices_count_the_draws_alike(mirrored):
    first, second = mirrored["seed states"]
    assert first == second
    assert mirrored["after reseed(7)"] == [[7, 0], [7, 0]]


@from_keras_3_10
def test_several_steps_in_a_call_are_for_one_device_only(mirrored):
    assert mirrored["steps per execution"] == {"one": 20, "two": 1}


@from_keras_3_10
def test_a_model_trained_on_two_devices_is_used_as_any_other(mirrored):
    assert 0 < mirrored["reconstructions"] <= 0.5
    assert np.isfinite(mirrored["log-likelihood"]).all()
    assert mirrored["pictures"] == 4  # before the first of three steps, and after each


@from_keras_3_10
def test_bad_pixels_on_two_devices_are_found(mirrored):
    assert "the data has pixels outside [0.0, 1.0]" in mirrored["bad pixels"]


@from_keras_3_10
def test_a_training_that_fails_on_two_devices_says_what_to_do(mirrored):
    assert "at step 2 of epoch 1" in mirrored["too high a learning rate"]
    assert "it is 1e+30; try 1e+29" in mirrored["too high a learning rate"]


@pytest.mark.skipif(KERAS >= (3, 10), reason="Keras 3.10 and newer can")
def test_an_old_keras_is_refused_on_two_devices_with_a_remedy():
    with pytest.raises(RuntimeError, match=r"wrong loss for 2 devices: install keras 3\.10"):
        workers.run((["mirrored"], {}))


# Two processes


def cluster(*arguments):
    """The reports of two workers on this machine."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    places = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    tasks = [{"cluster": {"worker": places}, "task": {"type": "worker", "index": i}} for i in range(2)]
    return workers.run(*((["worker", *arguments], {"TF_CONFIG": json.dumps(task)}) for task in tasks))


@pytest.mark.long
@from_keras_3_10
def test_two_workers_train_one_model(mirrored):
    first, second = cluster()
    assert first["devices"] == second["devices"] == 2
    for training in ("vae", "autoencoder"):
        assert first[training] == second[training]  # the weights bit for bit
    assert_adds_up(first["vae"])
    assert first["vae"]["steps"] == 6
    assert_alike(first["autoencoder"], mirrored["autoencoder, one"])
    assert first["noise"] != second["noise"]
    assert first["log-likelihood"] == second["log-likelihood"]


@pytest.mark.long
@from_keras_3_10
def test_a_worker_that_dies_does_not_leave_the_other_waiting():
    with pytest.raises(RuntimeError, match=r"ended with \[.*3"):
        cluster("1")


# Precisions


@pytest.fixture
def precision():
    """A function that sets Keras's dtype policy until the test ends."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def build(kind, **kwargs):
    shape = (28, 28, 1)
    if kind == "conv":
        return vh.VAE(vh.conv_encoder(shape, 2, (4, 8)), vh.conv_decoder(shape, 2, (8, 4)), **kwargs)
    return vh.VAE(vh.mlp_encoder(shape, 2, (32,)), vh.mlp_decoder(shape, 2, (32,)), **kwargs)


@pytest.mark.parametrize(
    "policy, kind",
    [
        ("float64", "mlp"),
        ("mixed_float16", "conv"),
        ("mixed_bfloat16", "mlp"),
        pytest.param("mixed_float16", "mlp", marks=pytest.mark.long),
    ],
)
def test_a_vae_trains_in_any_precision(precision, digits, policy, kind):
    precision(policy)
    vae = build(kind)
    vae.compile(keras.optimizers.Adam(1e-2))
    assert type(vae.optimizer).__name__ == ("LossScaleOptimizer" if policy == "mixed_float16" else "Adam")
    history = vae.fit(digits, batch_size=20, epochs=4, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert history["loss"][-1] < 0.8 * history["loss"][0] < 784
    np.testing.assert_allclose(history["loss"], np.add(history["reconstruction"], history["kl"]), rtol=1e-5)

    expected = "float64" if policy == "float64" else "float32"
    mean, log_var = vae.encode(digits)
    images = vae.sample(3), vae.reconstruct(digits), vae.decode(np.zeros((1, 2)))
    for values in (mean, log_var, *images):
        assert keras.backend.standardize_dtype(values.dtype) == expected
        assert np.isfinite(values).all()
    assert np.isfinite(vh.log_likelihood(vae, digits[:5], samples=20)).all()
    assert np.isfinite(vh.kl_per_dimension(vae, digits)).all()


@pytest.mark.parametrize("policy, rtol", [("float64", 1e-5), ("mixed_float16", 1e-3)])
def test_the_figures_are_those_of_float32(precision, digits, policy, rtol):
    """Also what `fit` reports, where mixed_float16 multiplies the loss by 32,768 for the gradients."""
    reports, weights = [], None
    for name in ("float32", policy):
        precision(name)
        vae = build("mlp", beta=2.0, warm_up=1)
        weights = weights or vae.get_weights()
        vae.set_weights(weights)
        vae.encoder.get_layer("log_var").bias.assign([-25, -25])  # no noise to speak of
        vae.compile(keras.optimizers.SGD(0.0))
        fitted = vae.fit(digits, batch_size=50, verbose=0).history
        evaluated = vae.evaluate(digits, batch_size=50, return_dict=True, verbose=0)
        likelihood = vh.log_likelihood(vae, digits[:5], samples=5)
        reports.append([*(fitted[name][0] for name in evaluated), *evaluated.values(), likelihood])
    for expected, measured in zip(*reports):
        np.testing.assert_allclose(measured, expected, rtol=rtol)


LOSSES = {
    vh.bernoulli_nll: lambda x, a: np.logaddexp(0, a) - x * a,
    vh.gaussian_nll: lambda x, a: 0.5 * (np.log(2 * np.pi) + 0.25 + (x - a) ** 2 / np.exp(0.25)),
    vh.squared_error: lambda x, a: (x - a) ** 2,
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("loss", [*LOSSES, vh.continuous_bernoulli_nll])
def test_half_precision_is_summed_in_float32(loss, dtype):
    """250,000 pixels: a sum beyond what float16 can hold, and with more digits."""
    rng = np.random.default_rng(0)
    x = rng.random((2, 500, 500, 1)).astype("float32")
    logits = tf.cast(3 * rng.normal(size=x.shape), dtype)
    more = {"log_var": tf.constant(0.25, dtype)} if loss is vh.gaussian_nll else {}
    value = loss(x, logits, **more)
    assert value.dtype == "float32"
    exact = np.asarray(tf.cast(logits, "float64"))
    if loss in LOSSES:
        expected = LOSSES[loss](x.astype("float64"), exact).sum((1, 2, 3))
    else:
        expected = loss(x.astype("float64"), exact)
    assert abs(float(value[0])) > 65_504
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("log_var", [-20.0, 0.0, 20.0])
def test_the_widest_posterior_has_a_finite_kl_and_density_in_half_precision(dtype, log_var):
    mean, log_vars = tf.zeros((1, 3), dtype), tf.fill((1, 3), tf.constant(log_var, dtype))
    assert float(vh.gaussian_kl(mean, log_vars)[0]) == pytest.approx(1.5 * (math.expm1(log_var) - log_var), rel=1e-5)
    log_prob = -1.5 * (math.log(2 * math.pi) + log_var)
    assert float(vh.gaussian_log_prob(mean, mean, log_vars)[0]) == pytest.approx(log_prob, rel=1e-5)
