"""How the models train, evaluate, draw, save and load, and what they refuse."""

import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import vae_helpers as vh


def last(history):
    return {name: values[-1] for name, values in history.history.items()}


def assert_adds_up(logs, beta, prefix=""):
    total = logs[f"{prefix}reconstruction"] + beta * logs[f"{prefix}kl"]
    assert logs[f"{prefix}loss"] == pytest.approx(total, rel=1e-4)


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, "float64")))


def with_strong_heads(vae, seed=0):
    """Give an untrained VAE a KL of some nats, so that tests of the sum can see it."""
    rng = np.random.default_rng(seed)
    for name in ("mean", "log_var"):
        kernel = vae.encoder.get_layer(name).kernel
        kernel.assign(rng.normal(size=kernel.shape))
    return vae


# The loss


@pytest.mark.parametrize("beta, batch_size", [(0, 16), (4, 1), (0.5, 37)])
def test_loss_is_reconstruction_plus_beta_times_kl(make_vae, grey, beta, batch_size):
    vae = with_strong_heads(make_vae(beta=beta))
    logs = last(vae.fit(grey, validation_data=grey[:21], batch_size=batch_size, epochs=2, verbose=0))
    assert logs["kl"] > 0.1 and logs["val_kl"] > 0.1
    assert_adds_up(logs, beta)
    assert_adds_up(logs, beta, "val_")
    evaluated = vae.evaluate(grey, batch_size=batch_size, return_dict=True, verbose=0)
    assert set(evaluated) == {"loss", "reconstruction", "kl"}
    assert_adds_up(evaluated, beta)


@pytest.mark.parametrize("batch_size", [1, 16, 37])
def test_every_image_has_the_same_weight_whatever_the_batch(make_vae, batch_size):
    # Black images are cheap and white ones dear, and all five of the ragged last batch are white.
    images = np.zeros((37, 4, 4, 1), "float32")
    images[32:] = 1
    vae = make_vae()
    vae.decoder.get_layer("pixels").kernel.assign(np.zeros((8, 16)))
    vae.decoder.get_layer("pixels").bias.assign(np.full(16, -3))
    logs = vae.evaluate(images, batch_size=batch_size, return_dict=True, verbose=0)
    black, white = 16 * np.log1p(np.exp(-3)), 16 * np.log1p(np.exp(3))
    assert logs["reconstruction"] == pytest.approx((32 * black + 5 * white) / 37, rel=1e-5)
    mean, log_var = (np.asarray(part, "float64") for part in vae.encode(images))
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(1).mean()
    assert logs["kl"] == pytest.approx(kl, rel=1e-3, abs=1e-6)
    assert_adds_up(logs, 1)


def noise_of_the_next_step(vae, seed, n):
    vae.reseed(seed)
    noise = keras.random.normal((n, vae.latent_dim), seed=vae.seed_generator)
    vae.reseed(seed)
    return np.asarray(noise)


@pytest.mark.parametrize("call", ["fit", "evaluate", "dataset"])
def test_one_batch_agrees_with_tensorflow_probability(make_vae, binary, call):
    tfd = pytest.importorskip("tensorflow_probability", reason="TensorFlow Probability is not installed").distributions
    vae = with_strong_heads(make_vae(beta=0.7, optimizer=keras.optimizers.SGD(0.0)))
    noise = noise_of_the_next_step(vae, 5, len(binary))
    if call == "fit":
        logs = last(vae.fit(binary, batch_size=64, shuffle=False, verbose=0))
    elif call == "dataset":
        logs = last(vae.fit(tf.data.Dataset.from_tensor_slices(binary).batch(64), shuffle=False, verbose=0))
    else:
        logs = vae.evaluate(binary, batch_size=64, return_dict=True, verbose=0)
    mean, log_var = (np.asarray(part) for part in vae.encoder(binary))
    posterior, prior = tfd.Normal(mean, np.exp(log_var / 2)), tfd.Normal(0.0, 1.0)
    logits = np.asarray(vae.decoder(mean + np.exp(log_var / 2) * noise))
    reconstruction = -np.sum(tfd.Bernoulli(logits).log_prob(binary), axis=(1, 2, 3)).mean()
    kl = np.sum(tfd.kl_divergence(posterior, prior), axis=1).mean()
    expected = {"loss": reconstruction + 0.7 * kl, "reconstruction": reconstruction, "kl": kl}
    assert logs == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reconstruction", ["squared_error", "bernoulli"])
def test_the_loss_of_an_autoencoder_is_its_reconstruction(make_autoencoder, grey, reconstruction):
    model = make_autoencoder(reconstruction=reconstruction, optimizer=keras.optimizers.SGD(0.0))
    logs = last(model.fit(grey, validation_data=grey, batch_size=16, verbose=0))
    assert set(logs) == {"loss", "reconstruction", "val_loss", "val_reconstruction"}
    means = sigmoid(model.decoder(model.encoder(grey)))
    if reconstruction == "squared_error":
        expected = ((grey - means) ** 2).sum((1, 2, 3)).mean()
    else:
        expected = -(grey * np.log(means) + (1 - grey) * np.log1p(-means)).sum((1, 2, 3)).mean()
    assert logs == pytest.approx(dict.fromkeys(logs, expected), rel=1e-5)
    assert model.evaluate(grey, return_dict=True, verbose=0) == pytest.approx(
        {"loss": expected, "reconstruction": expected}, rel=1e-5
    )


def test_squared_error_is_the_default_of_an_autoencoder(make_autoencoder):
    assert make_autoencoder().reconstruction == "squared_error"


@pytest.mark.parametrize("kind", ["vae", "autoencoder"])
def test_regularizers_of_the_networks_enter_the_loss(grey, kind):
    image = keras.Input((4, 4, 1))
    x = layers.Dense(8, kernel_regularizer=keras.regularizers.L2(0.1), name="hidden")(layers.Flatten()(image))
    count = 2 if kind == "vae" else 1
    heads = [layers.Dense(2)(x) for _ in range(count)]
    encoder = keras.Model(image, heads if kind == "vae" else heads[0])
    model = {"vae": vh.VAE, "autoencoder": vh.Autoencoder}[kind](encoder, vh.mlp_decoder((4, 4, 1), 2, (8,)))
    model.compile()
    logs = model.evaluate(grey, return_dict=True, verbose=0)
    penalty = 0.1 * np.sum(np.square(encoder.get_layer("hidden").kernel))
    assert penalty > 0.1
    assert logs["loss"] - logs["reconstruction"] - logs.get("kl", 0) == pytest.approx(penalty, rel=1e-3)


def test_a_vae_learns(make_vae, digits):
    vae = make_vae((28, 28, 1), hidden=(32,), optimizer=keras.optimizers.Adam(3e-3))
    losses = vae.fit(digits, epochs=5, batch_size=20, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("reconstruction", ["squared_error", "bernoulli"])
def test_an_autoencoder_learns(make_autoencoder, digits, reconstruction):
    adam = keras.optimizers.Adam(3e-3)
    model = make_autoencoder((28, 28, 1), hidden=(32,), reconstruction=reconstruction, optimizer=adam)
    losses = model.fit(digits, epochs=5, batch_size=20, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("bias", [1e4, -1e4])
def test_a_runaway_log_var_stays_finite(make_vae, grey, bias):
    vae = make_vae()
    vae.encoder.get_layer("log_var").bias.assign(np.full(2, bias))
    _, log_var = vae.encode(grey)
    assert np.abs(log_var).max() <= 20
    logs = last(vae.fit(grey, verbose=0))
    assert np.isfinite(list(logs.values())).all()
    assert all(np.isfinite(weight).all() for weight in vae.get_weights())


def test_a_dataset_validates_and_evaluates_as_arrays_do(make_vae, grey):
    dataset = tf.data.Dataset.from_tensor_slices(grey).batch(16)
    vae = with_strong_heads(make_vae(optimizer=keras.optimizers.SGD(0.0)))
    vae.reseed(1)
    expected = vae.evaluate(grey, batch_size=16, return_dict=True, verbose=0)
    vae.reseed(1)
    assert vae.evaluate(dataset, return_dict=True, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert_adds_up(last(vae.fit(dataset, validation_data=dataset, shuffle=False, verbose=0)), 1, "val_")


@pytest.mark.parametrize("dtype", ["float64", "uint8", "bool"])
def test_images_of_zeros_and_ones_may_have_any_dtype(make_vae, binary, dtype):
    vae = make_vae()
    vae.reseed(1)
    expected = vae.evaluate(binary, return_dict=True, verbose=0)
    vae.reseed(1)
    assert vae.evaluate(binary.astype(dtype), return_dict=True, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_colour_images_train(make_vae):
    shape = (32, 32, 3)
    images = np.random.default_rng(0).random((5, *shape), dtype="float32")
    vae = make_vae(shape, latent_dim=3)
    assert_adds_up(last(vae.fit(images, verbose=0)), 1)
    assert vae.sample(2).shape == (2, *shape)


# Noise


def test_two_calls_differ_and_reseeding_repeats(make_vae, grey):
    vae = make_vae()
    vae.reseed(3)
    first, second = (np.asarray(vae(grey)["logits"]) for _ in range(2))
    vae.reseed(3)
    again = np.asarray(vae(grey)["logits"])
    assert (first != second).any()
    np.testing.assert_array_equal(first, again)


def test_two_evaluations_differ_and_reseeding_repeats(make_vae, grey):
    vae = with_strong_heads(make_vae())
    vae.reseed(3)
    first, second = (vae.evaluate(grey, return_dict=True, verbose=0) for _ in range(2))
    vae.reseed(3)
    assert first == vae.evaluate(grey, return_dict=True, verbose=0)
    assert first["reconstruction"] != second["reconstruction"]


def test_each_step_of_an_epoch_draws_new_noise(make_vae):
    """Two batches of the same image, a learning rate of zero: only the noise can tell the batches apart."""
    vae = with_strong_heads(make_vae(optimizer=keras.optimizers.SGD(0.0)))
    image = np.full((1, 4, 4, 1), 0.5, "float32")
    noise = noise_of_the_next_step(vae, 4, 1)
    mean, log_var = (np.asarray(part) for part in vae.encode(image))
    repeated = float(vh.bernoulli_nll(image, vae.decoder(mean + np.exp(log_var / 2) * noise))[0])
    logs = last(vae.fit(np.repeat(image, 2, axis=0), batch_size=1, shuffle=False, verbose=0))
    assert logs["reconstruction"] != pytest.approx(repeated, rel=1e-6)


def test_the_seed_of_the_lesson_repeats_training(make_vae, grey):
    def train():
        vh.run_settings(seed=1)
        return last(make_vae().fit(grey, batch_size=16, verbose=0))

    assert train() == train()


def test_reparameterized_samples_have_their_mean_and_standard_deviation(make_vae):
    mean, log_var = np.full((20_000, 2), (3, -1), "float32"), np.full((20_000, 2), np.log((4, 0.25)), "float32")
    z = np.asarray(make_vae().reparameterize(mean, log_var))
    np.testing.assert_allclose(z.mean(axis=0), (3, -1), atol=0.06)
    np.testing.assert_allclose(z.std(axis=0), (2, 0.5), rtol=0.03)


def test_gradients_pass_through_the_sample(make_vae):
    mean, log_var = tf.zeros((1, 2)), tf.fill((1, 2), 0.6)
    with tf.GradientTape() as tape:
        tape.watch([mean, log_var])
        z = make_vae().reparameterize(mean, log_var)
    by_mean, by_log_var = tape.gradient(z, [mean, log_var])
    np.testing.assert_allclose(by_mean, 1)
    np.testing.assert_allclose(by_log_var, z / 2, rtol=1e-5)


# Encoding, decoding, drawing


def test_shapes_and_ranges_of_a_vae(make_vae, grey):
    vae = make_vae(latent_dim=3)
    mean, log_var = vae.encode(grey)
    assert mean.shape == log_var.shape == (37, 3)
    for images in (vae.reconstruct(grey), vae.decode(np.zeros((37, 3))), vae.decode(mean), vae.sample(37)):
        assert isinstance(images, np.ndarray) and images.shape == grey.shape
        assert images.min() >= 0 and images.max() <= 1
    assert {name: part.shape for name, part in vae.predict(grey, batch_size=16, verbose=0).items()} == {
        "mean": (37, 3),
        "log_var": (37, 3),
        "logits": grey.shape,
    }


def test_shapes_and_ranges_of_an_autoencoder(make_autoencoder, grey):
    model = make_autoencoder(latent_dim=3)
    assert model.encode(grey).shape == (37, 3)
    for images in (model.reconstruct(grey), model.decode(model.encode(grey))):
        assert isinstance(images, np.ndarray) and images.shape == grey.shape
        assert images.min() >= 0 and images.max() <= 1
    assert {name: part.shape for name, part in model.predict(grey, batch_size=16, verbose=0).items()} == {
        "code": (37, 3),
        "logits": grey.shape,
    }


@pytest.mark.parametrize("z", [np.array([[100.0, -100.0]]), np.array([[0, 1]]), [[0, 1]], [[0.5, 1.0]]])
def test_decode_gives_the_sigmoid_of_the_logits(make_vae, z):
    vae = make_vae()
    expected = sigmoid(vae.decoder(np.asarray(z, "float32")))
    np.testing.assert_allclose(vae.decode(z), expected, atol=1e-6)


def test_reconstructions_have_no_noise(make_vae, grey):
    vae = make_vae()
    np.testing.assert_array_equal(vae.reconstruct(grey), vae.decode(vae.encode(grey)[0]))
    np.testing.assert_array_equal(vae.reconstruct(grey), vae.reconstruct(grey))


def test_a_seed_repeats_samples_and_without_one_they_go_on(make_vae):
    vae = make_vae()
    np.testing.assert_array_equal(vae.sample(4, seed=0), vae.sample(4, seed=0))
    assert (vae.sample(4, seed=0) != vae.sample(4, seed=1)).any()
    assert (vae.sample(4) != vae.sample(4)).any()


def test_samples_come_from_the_prior(make_vae, monkeypatch):
    vae = make_vae()
    codes = []
    monkeypatch.setattr(vae, "decode", codes.append)
    vae.sample(20_000, seed=0)
    z = np.asarray(codes[0])
    assert z.shape == (20_000, 2)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(z.T), np.eye(2), atol=0.05)


def test_one_image_is_a_batch_too(make_vae, grey):
    vae = make_vae()
    np.testing.assert_allclose(vae.reconstruct(grey[:1]), vae.reconstruct(grey)[:1], atol=1e-6)


def test_summary_shows_encoder_and_decoder(make_vae, make_autoencoder):
    for model in (make_vae(), make_autoencoder()):
        written = io.StringIO()
        model.summary(print_fn=lambda line, written=written: written.write(line + "\n"))
        for network in (model.encoder, model.decoder):
            line = next(line for line in written.getvalue().splitlines() if f"{network.name} (" in line)
            assert f"{network.count_params():,}" in line


# Saving

LOAD_AND_GO_ON = """
import json, sys, warnings
import numpy as np
import vae_helpers
import keras

folder = sys.argv[1]
x = np.load(f"{folder}/x.npy")
report = {}
for name in ("vae", "autoencoder"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = keras.saving.load_model(f"{folder}/{name}.keras")
        np.save(f"{folder}/{name}.npy", model.reconstruct(x))
        report[name] = {
            "class": type(model).__name__,
            "compiled": model.compiled,
            "steps": int(model.optimizer.iterations),
            "learning_rate": float(model.optimizer.learning_rate),
            "momentum": float(np.abs(model.optimizer.variables[-1]).max()),
            "beta": getattr(model, "beta", None),
            "reconstruction": getattr(model, "reconstruction", None),
            "loss": model.fit(x, batch_size=16, verbose=0).history["loss"],
            "steps_after": int(model.optimizer.iterations),
        }
    report[name]["warnings"] = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory, run_python):
    """Both models trained and saved here, then loaded, and trained on, in a fresh process."""
    folder = tmp_path_factory.mktemp("saved")
    x = np.random.default_rng(0).random((37, 4, 4, 1), dtype="float32")
    np.save(folder / "x.npy", x)
    networks = [vh.mlp_decoder((4, 4, 1), 2, (8,)) for _ in range(2)]
    models = {
        "vae": vh.VAE(vh.mlp_encoder((4, 4, 1), 2, (8,)), networks[0], beta=0.25),
        "autoencoder": vh.Autoencoder(
            vh.mlp_encoder((4, 4, 1), 2, (8,), variational=False), networks[1], reconstruction="bernoulli"
        ),
    }
    for name, model in models.items():
        model.compile(keras.optimizers.Adam(0.005))
        model.fit(x, batch_size=16, verbose=0)
        model.save(folder / f"{name}.keras")
    process = run_python(LOAD_AND_GO_ON, folder)
    images = {name: (model.reconstruct(x), np.load(folder / f"{name}.npy")) for name, model in models.items()}
    return json.loads(process.stdout.splitlines()[-1]), images, process


BOTH = pytest.mark.parametrize("name", ["vae", "autoencoder"])


@BOTH
def test_a_saved_model_gives_the_same_images_in_a_fresh_process(saved, name):
    here, there = saved[1][name]
    np.testing.assert_allclose(there, here, atol=1e-6)


@BOTH
def test_a_saved_model_goes_on_training_in_a_fresh_process(saved, name):
    report = saved[0][name]
    assert report["compiled"] and np.isfinite(report["loss"]).all()
    assert (report["steps"], report["steps_after"]) == (3, 6)
    assert report["learning_rate"] == pytest.approx(0.005)
    assert report["momentum"] > 0


@BOTH
def test_the_package_is_imported_and_a_saved_model_loads_and_trains_without_a_word(saved, name):
    report, _, process = saved
    assert report[name]["warnings"] == []
    assert process.stderr == "" and process.stdout == json.dumps(report) + "\n"


def test_saved_models_keep_their_settings(saved):
    vae, autoencoder = saved[0]["vae"], saved[0]["autoencoder"]
    assert (vae["class"], vae["beta"]) == ("VAE", 0.25)
    assert (autoencoder["class"], autoencoder["reconstruction"]) == ("Autoencoder", "bernoulli")


def test_weights_go_from_one_model_to_another(make_vae, make_autoencoder, grey, tmp_path):
    for make in (make_vae, make_autoencoder):
        first, second = make(), make()
        assert (first.reconstruct(grey) != second.reconstruct(grey)).any()
        first.save_weights(tmp_path / "kept.weights.h5")
        second.load_weights(tmp_path / "kept.weights.h5")
        np.testing.assert_array_equal(first.reconstruct(grey), second.reconstruct(grey))


# Bad input


def spoiled(images, value):
    images = images.copy()
    images[3, 1, 2, 0] = value
    return images


BAD_IMAGES = {
    "no channel axis": (lambda x: x[..., 0], r"shape \(37, 4, 4\).*\(batch, 4, 4, 1\).*channel axis"),
    "no batch axis": (lambda x: x[0], r"shape \(4, 4, 1\).*\(batch, 4, 4, 1\).*batch axis"),
    "flat": (lambda x: x.reshape(37, 16), r"shape \(37, 16\).*\(batch, 4, 4, 1\)"),
    "wrong size": (lambda x: np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))), r"shape \(37, 5, 5, 1\)"),
    "colour": (lambda x: np.repeat(x, 3, axis=-1), r"shape \(37, 4, 4, 3\)"),
    "uint8": (lambda x: (255 * x).astype("uint8"), r"Divide uint8 images.*by 255"),
    "above one": (lambda x: spoiled(x, 1.01), r"\[0, 1\].*255"),
    "below zero": (lambda x: spoiled(x, -0.01), r"\[0, 1\].*\(x \+ 1\) / 2"),
    "nan": (lambda x: spoiled(x, np.nan), r"isfinite"),
    "infinite": (lambda x: spoiled(x, np.inf), r"isfinite"),
    "tensor with nan": (lambda x: tf.constant(spoiled(x, np.nan)), r"isfinite"),
}
BAD = pytest.mark.parametrize("spoil, message", BAD_IMAGES.values(), ids=BAD_IMAGES)


@BAD
@BOTH
def test_bad_images_are_refused_everywhere_with_a_remedy(make_vae, make_autoencoder, grey, name, spoil, message):
    model = {"vae": make_vae, "autoencoder": make_autoencoder}[name]()
    bad = spoil(grey)
    for use in (model.fit, model.evaluate, model.encode, model.reconstruct):
        with pytest.raises(ValueError, match=rf"^x has .*{message}"):
            use(bad)


@BAD
def test_bad_validation_data_is_refused_before_anything_is_trained(make_vae, grey, spoil, message):
    vae = make_vae()
    before = [weight.copy() for weight in vae.get_weights()]
    for validation_data in (spoil(grey), (spoil(grey), None)):
        with pytest.raises(ValueError, match=rf"^validation_data has .*{message}"):
            vae.fit(grey, validation_data=validation_data)
    for old, new in zip(before, vae.get_weights()):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("beta", [-1, -0.01, float("nan"), float("inf")])
def test_an_impossible_beta_is_named(make_vae, beta):
    with pytest.raises(ValueError, match=rf"beta is {beta}.*0 or more"):
        make_vae(beta=beta)


def test_beta_is_fixed_when_the_model_is_made(make_vae):
    vae = make_vae(beta=2)
    with pytest.raises(AttributeError):
        vae.beta = 3
    assert vae.beta == 2


def test_unknown_reconstruction_lists_the_known_ones(make_autoencoder):
    with pytest.raises(ValueError, match=r"'mse'.*squared_error.*bernoulli"):
        make_autoencoder(reconstruction="mse")


@pytest.mark.parametrize("model, variational", [(vh.VAE, True), (vh.Autoencoder, False)])
def test_networks_of_different_sizes_are_refused(model, variational):
    encoder = vh.mlp_encoder((4, 4, 1), 2, (8,), variational=variational)
    with pytest.raises(ValueError, match=r"gives 2 latents and the decoder takes 3.*one latent_dim"):
        model(encoder, vh.mlp_decoder((4, 4, 1), 3, (8,)))
    with pytest.raises(ValueError, match=r"\(4, 4, 1\).*\(4, 4, 3\).*one image_shape"):
        model(encoder, vh.mlp_decoder((4, 4, 3), 2, (8,)))


@pytest.mark.parametrize("model, variational", [(vh.VAE, False), (vh.Autoencoder, True)])
def test_the_wrong_kind_of_encoder_is_refused(model, variational):
    encoder = vh.mlp_encoder((4, 4, 1), 2, (8,), variational=variational)
    with pytest.raises(ValueError, match=rf"variational={not variational}"):
        model(encoder, vh.mlp_decoder((4, 4, 1), 2, (8,)))


@pytest.mark.parametrize("shape", [(3, 3), (3, 1), (2,), (1, 3, 2)])
def test_codes_of_the_wrong_shape_are_refused(make_vae, shape):
    with pytest.raises(ValueError, match=r"decodes \(batch, 2\)"):
        make_vae().decode(np.zeros(shape))
