"""An argument is honoured or refused: targets, weights, training mode, settings; and a model is saved and exported."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from test_inputs import Batches, generator

import vae_helpers as vh

# Targets

Y_SOURCES = {
    "arrays": lambda x, y: dict(x=x, y=y),
    "Dataset": lambda x, y: dict(x=tf.data.Dataset.from_tensor_slices((x, y)).batch(16)),
    "PyDataset": lambda x, y: dict(x=Batches(x, y)),
    "generator": lambda x, y: dict(x=generator(x, y)),
}
BOTH = pytest.mark.parametrize("kind", ["vae", "autoencoder"])


def build(kind, rate=0.0, **options):
    """Either model, which does not learn unless it is told to."""
    keras.utils.set_random_seed(0)
    encoder = vh.mlp_encoder((4, 4, 1), 2, (8,), variational=kind == "vae")
    model = {"vae": vh.VAE, "autoencoder": vh.Autoencoder}[kind](encoder, vh.mlp_decoder((4, 4, 1), 2, (8,)), **options)
    model.compile(keras.optimizers.SGD(rate))
    if kind == "vae":  # clouds as narrow as points: the noise changes no figure
        head = model.encoder.get_layer("log_var")
        head.set_weights([np.zeros((8, 2)), np.full(2, -19.0)])
        model.decoder.get_layer("pixels").bias.assign(np.linspace(-2, 1, 16))  # not one half, alike for all targets
    return model


@pytest.fixture(scope="module")
def compiled():
    """Both models, whose steps are traced once for all tests of this file."""
    return {kind: build(kind) for kind in ("vae", "autoencoder")}


@pytest.fixture
def resting(compiled):
    """{kind: model} of the models that do not learn; a test that changes one fails."""
    before = {kind: model.get_weights() for kind, model in compiled.items()}
    yield compiled
    for kind, model in compiled.items():
        model.reset_metrics()
        for old, new in zip(before[kind], model.get_weights()):
            np.testing.assert_array_equal(old, new)


def reconstruction_by_hand(model, x, target):
    """Of every image, with the noise of the next step."""
    if isinstance(model, vh.VAE):
        return np.asarray(vh.bernoulli_nll(target, model(x)["logits"]))
    return np.asarray(vh.squared_error(target, model.reconstruct(x)))


@BOTH
@pytest.mark.parametrize("source", Y_SOURCES)
def test_targets_are_what_is_reconstructed(resting, grey, kind, source):
    model, clean = resting[kind], 1 - grey
    expected = reconstruction_by_hand(model, grey, clean).mean()
    assert abs(expected - reconstruction_by_hand(model, grey, grey).mean()) > 0.05
    logs = model.fit(**Y_SOURCES[source](grey, clean), batch_size=None if source != "arrays" else 16, verbose=0).history
    assert logs["reconstruction"][0] == pytest.approx(expected, rel=1e-3)
    assert model.evaluate(**Y_SOURCES[source](grey, clean), verbose=0, return_dict=True)[
        "reconstruction"
    ] == pytest.approx(expected, rel=1e-3)


@BOTH
def test_targets_of_validation_and_of_one_batch(resting, grey, kind):
    model, clean = resting[kind], 1 - grey
    expected = reconstruction_by_hand(model, grey, clean).mean()
    history = model.fit(grey, grey, validation_data=(grey, clean), verbose=0).history
    assert history["val_reconstruction"][0] == pytest.approx(expected, rel=1e-3)
    for call in (model.train_on_batch, model.test_on_batch):
        model.reset_metrics()
        assert call(grey, clean, return_dict=True)["reconstruction"] == pytest.approx(expected, rel=1e-3)


@BOTH
def test_other_targets_train_another_model(grey, kind):
    model = build(kind, 0.01)
    before = model.get_weights()

    def trained(y):
        keras.utils.set_random_seed(0)
        model.set_weights(before)
        model.fit(grey, y, verbose=0, shuffle=False)
        return model.get_weights()

    itself, clean, black = trained(grey), trained(1 - grey), trained(np.zeros_like(grey))
    nothing = trained(None)
    for a, b in zip(itself, nothing):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert any((a != b).any() for a, b in zip(itself, clean)) and any((a != b).any() for a, b in zip(clean, black))


@pytest.mark.parametrize("labels", [np.arange(37) % 10, np.eye(10)[np.arange(37) % 10], list("abcdefg" * 5 + "ab")])
def test_labels_are_accepted_and_not_used(resting, grey, labels):
    vae, losses = resting["vae"], []
    for y in (labels, None):
        vae.reseed(0)
        losses.append(vae.evaluate(grey, y, verbose=0)[0])
    assert losses[0] == losses[1]
    vae.fit(grey, labels, validation_data=(grey, labels), verbose=0)


BAD_TARGETS = {
    "another size": (lambda x: x[:, :3], r"y has shape \(37, 3, 4, 1\)"),
    "no channel axis": (lambda x: x[..., 0], r"y\[\.\.\., None\]"),
    "too few": (lambda x: x[:30], "for 37 images"),
    "0 to 255": (lambda x: 255 * x, "y has pixels from .*by 255"),
}


@pytest.mark.parametrize("spoil, message", BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_targets_that_cannot_be_used_are_refused(resting, grey, spoil, message):
    model = resting["vae"]
    for use in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(ValueError, match=message):
            use(grey, spoil(grey))
    with pytest.raises(
        ValueError, match=message.replace("y has", "(y|the y of validation_data) has").replace("y\\[", "")
    ):
        model.fit(grey, validation_data=(grey, spoil(grey)))


def test_targets_that_cannot_be_used_are_refused_in_a_dataset_too(grey):
    with pytest.raises(ValueError, match=r"y has shape \(None, 3, 4, 1\)"):
        build("vae").fit(tf.data.Dataset.from_tensor_slices((grey, grey[:, :3])).batch(16), verbose=0)
    with pytest.raises(ValueError, match=r"to 2[0-9.]* in batch 3"):
        late = np.array(grey)
        late[36] *= 255
        build("vae").fit(tf.data.Dataset.from_tensor_slices((grey, late)).batch(16), verbose=0)


# Weights

WEIGHTS = np.random.default_rng(1).random(37).astype("float32")
W_SOURCES = {
    "argument": lambda x: dict(x=x, sample_weight=WEIGHTS, batch_size=64),
    "argument (n, 1)": lambda x: dict(x=x, sample_weight=WEIGHTS[:, None], batch_size=64),
    "list": lambda x: dict(x=x, sample_weight=WEIGHTS.tolist(), batch_size=64),
    "beside targets": lambda x: dict(x=x, y=x, sample_weight=WEIGHTS, batch_size=64),
    "beside labels": lambda x: dict(x=x, y=np.arange(37), sample_weight=WEIGHTS, batch_size=64),
    "Dataset": lambda x: dict(x=tf.data.Dataset.from_tensor_slices((x, np.arange(37), WEIGHTS)).batch(64)),
    "PyDataset": lambda x: dict(x=Batches(x, x, WEIGHTS)),
    "generator": lambda x: dict(x=generator(x, x, WEIGHTS)),
}


@BOTH
@pytest.mark.parametrize("source", W_SOURCES)
def test_sample_weight_multiplies_the_loss_of_each_image(resting, grey, kind, source):
    model = resting[kind]
    each = reconstruction_by_hand(model, grey, grey)
    if kind == "vae":
        kl = np.asarray(vh.gaussian_kl(*model.encode(grey)))
        each = each + kl
    expected = (WEIGHTS * each).mean()
    for call in (model.fit, model.evaluate):
        logs = call(**W_SOURCES[source](grey), verbose=0, **({"return_dict": True} if call == model.evaluate else {}))
        logs = logs if isinstance(logs, dict) else {name: values[-1] for name, values in logs.history.items()}
        assert logs["loss"] == pytest.approx(expected, rel=1e-3)
        assert logs["loss"] == pytest.approx(logs["reconstruction"] + logs.get("kl", 0), rel=1e-4)


def test_weights_of_nought_train_nothing_and_free_bits_are_weighted_too(grey):
    vae = build("vae", 0.1, warm_up=3)
    before = vae.get_weights()
    vae.fit(grey, sample_weight=np.zeros(37), verbose=0)
    for old, new in zip(before, vae.get_weights()):
        np.testing.assert_array_equal(old, new)
    free = build("vae", free_bits=0.5).fit(grey, sample_weight=np.zeros(37), verbose=0).history["loss"][0]
    assert free == pytest.approx(1.0)  # two latents may have half a nat each


def test_weights_of_validation_are_used(resting, grey):
    history = resting["vae"].fit(grey, validation_data=(grey, None, np.zeros(37)), verbose=0).history
    assert history["val_loss"] == [0.0] and history["loss"][0] > 1


def test_class_weight_weights_the_classes(grey):
    labels = np.arange(37) % 10
    only = {digit: float(digit == 3) for digit in range(10)}
    vae = build("vae")
    expected = vae.evaluate(grey, sample_weight=(labels == 3).astype("float32"), verbose=0)[0]
    assert vae.fit(grey, labels, class_weight=only, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-3)
    one_hot = np.eye(10)[labels]
    assert vae.fit(grey, one_hot, class_weight=only, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-3)


BAD_WEIGHTS = {
    "one for each pixel": (dict(sample_weight=np.ones((37, 4, 4))), "one number for each of 37 images"),
    "too few": (dict(sample_weight=np.ones(30)), "one number for each of 37 images"),
    "texts": (dict(sample_weight=["a"] * 37), "one number for each of 37 images"),
    "not finite": (dict(sample_weight=np.full(37, np.nan)), "not finite"),
    "classes without labels": (dict(class_weight={0: 1.0}), "give the labels too"),
    "classes beside targets": (dict(class_weight={0: 1.0}, y="itself"), "use sample_weight"),
    "classes of texts": (dict(class_weight={0: 1.0}, y=["a"] * 37), "whole numbers"),
}


@pytest.mark.parametrize("options, message", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_weights_that_cannot_be_used_are_refused(resting, grey, options, message):
    options = {**options, **({"y": grey} if options.get("y") == "itself" else {})}
    vae = resting["vae"]
    with pytest.raises(ValueError, match=message):
        vae.fit(grey, **options)
    with pytest.raises(ValueError, match=message):
        vae.train_on_batch(grey, **options)


def test_weights_for_each_pixel_are_refused_in_a_dataset_too(grey):
    dataset = tf.data.Dataset.from_tensor_slices((grey, grey, np.ones_like(grey))).batch(16)
    with pytest.raises(ValueError, match="one number for each image"):
        build("vae").fit(dataset, verbose=0)


# compile, and settings

COMPILE = {
    "loss": ({"loss": "mse"}, r"nll=vh\.squared_error"),
    "a function": ({"loss": lambda a, b: 0.0}, "brings its own"),
    "loss_weights": ({"loss_weights": [0.5]}, r"beta=.*sample_weight"),
    "metrics": ({"metrics": ["mse"]}, r"vae\.reconstruct\(x\)"),
    "weighted_metrics": ({"weighted_metrics": ["mse"]}, r"vae\.reconstruct\(x\)"),
}


@BOTH
@pytest.mark.parametrize("options, message", COMPILE.values(), ids=COMPILE)
def test_a_loss_or_metrics_in_compile_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=rf"compile got {next(iter(options))}=.*{message}"):
        build(kind).compile("adam", **options)


class Anneal(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.beta = epoch / 10


@pytest.mark.parametrize("beta", [keras.Variable(0.0), tf.constant(1.0), "1", [1.0], None, True, np.array(1.0), 1j])
def test_beta_is_a_plain_number(make_vae, beta):
    with pytest.raises(ValueError, match=r"beta is .*a finite number, 0 or more.*warm_up=1000"):
        make_vae(beta=beta)


@pytest.mark.parametrize("beta", [2, 2.0, np.float32(2), np.int64(2)])
def test_plain_numbers_come_in_many_types(make_vae, beta):
    assert make_vae(beta=beta).beta == 2.0


@pytest.mark.parametrize("options", [dict(warm_up=0.5), dict(warm_up=-1), dict(warm_up="100"), dict(free_bits=None)])
def test_other_settings_are_plain_numbers_too(make_vae, options):
    with pytest.raises(ValueError, match=rf"{next(iter(options))} is .*0 or more"):
        make_vae(**options)


def test_a_setting_that_is_changed_later_is_refused_with_what_to_do(resting, grey):
    with pytest.raises(AttributeError, match=r"beta is fixed.*beta=0\.0.*warm_up=1000"):
        resting["vae"].fit(grey, verbose=0, callbacks=[Anneal()])
    for name, value in {"nll": vh.squared_error, "warm_up": 5, "free_bits": 1.0}.items():
        with pytest.raises(AttributeError, match=f"{name} is fixed when the model is made"):
            setattr(resting["vae"], name, value)
    with pytest.raises(AttributeError, match="reconstruction is fixed"):
        resting["autoencoder"].reconstruction = "bernoulli"


@pytest.mark.parametrize("n", [0, -1, 2.5, "3", None])
def test_a_number_of_samples_is_a_whole_number(make_vae, n):
    with pytest.raises(ValueError, match=r"n is .*a whole number, 1 or more"):
        make_vae().sample(n)


# Layers that behave otherwise in training


def living(kind, layer):
    """A model with such a layer in its encoder, and another in its decoder."""
    image, z = keras.Input((4, 4, 1)), keras.Input((2,))
    in_encoder, in_decoder = layer(), layer()
    h = in_encoder(layers.Dense(8, "relu")(layers.Flatten()(image)))
    heads = [layers.Dense(2)(h), layers.Dense(2)(h)] if kind == "vae" else layers.Dense(2)(h)
    decoder = keras.Model(z, layers.Reshape((4, 4, 1))(layers.Dense(16)(in_decoder(layers.Dense(8)(z)))))
    model = {"vae": vh.VAE, "autoencoder": vh.Autoencoder}[kind](keras.Model(image, heads), decoder)
    model.compile(keras.optimizers.SGD(0.01))
    return model, in_encoder, in_decoder


@BOTH
def test_batch_normalization_learns_in_fit_and_rests_elsewhere(grey, tmp_path, kind):
    model, *norms = living(kind, layers.BatchNormalization)
    model.fit(grey, epochs=3, verbose=0)
    moved = [np.array(norm.moving_variance) for norm in norms]
    assert all((variance != 1).all() for variance in moved)
    model.evaluate(grey, verbose=0), model.predict(grey, verbose=0), model.encode(grey), model.reconstruct(grey)
    model.test_on_batch(grey)
    for norm, variance in zip(norms, moved):
        np.testing.assert_array_equal(norm.moving_variance, variance)
    np.testing.assert_allclose(model.reconstruct(grey[:1]), model.reconstruct(grey)[:1], atol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.reconstruct(grey), model.reconstruct(grey), atol=1e-6)


NOISY = {
    "Dropout": lambda: layers.Dropout(0.5, seed=1),
    "GaussianNoise": lambda: layers.GaussianNoise(1.0, seed=1),
}


@BOTH
@pytest.mark.parametrize("layer", NOISY.values(), ids=NOISY)
def test_noise_in_the_networks_is_on_in_training_only(grey, kind, layer):
    model, *_ = living(kind, layer)
    np.testing.assert_array_equal(model.reconstruct(grey), model.reconstruct(grey))
    head = "mean" if kind == "vae" else "code"
    resting, training = (model(grey, training=flag)[head] for flag in (False, True))
    np.testing.assert_allclose(resting, model(grey)[head], atol=1e-6)
    assert np.abs(training - resting).max() > 0.01
    before = np.array(model.encoder.layers[-1].bias)
    model.compile(keras.optimizers.SGD(0.0))
    model.train_on_batch(grey)  # the noise of a step is not that of the next
    losses = [model.fit(grey, verbose=0).history["reconstruction"][0] for _ in range(2)]
    assert losses[0] != losses[1]
    np.testing.assert_array_equal(model.encoder.layers[-1].bias, before)


# Many images


def test_batches_give_what_one_call_gives(make_vae):
    x = np.random.default_rng(0).random((600, 4, 4, 1), dtype="float32")
    vae = make_vae()
    mean, log_var = vae.encode(x)
    at_once = vae.encoder(x)
    np.testing.assert_allclose(mean, at_once[0], atol=1e-6)
    np.testing.assert_allclose(log_var, at_once[1], atol=1e-6)
    np.testing.assert_allclose(vae.reconstruct(x), 1 / (1 + np.exp(-np.asarray(vae.decoder(at_once[0])))), atol=1e-6)
    assert vae.sample(600).shape == x.shape


def test_gradients_pass_through_encode(make_vae, grey):
    vae = make_vae()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(vae.encode(grey)[0])
    assert all(gradient is not None for gradient in tape.gradient(loss, vae.encoder.trainable_variables[:3]))


MEMORY = """
import resource, sys, numpy as np, vae_helpers as vh
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
vae = vh.VAE(vh.conv_encoder((28, 28, 1), 2), vh.conv_decoder((28, 28, 1), 2))
n = int(sys.argv[1])
x = np.zeros((n, 28, 28, 1), "float32")
vae.reconstruct(x[:300])
before = peak()
images = vae.reconstruct(x)
vae.sample(n)
vh.kl_per_dimension(vae, x)
vh.active_units(vae, x)
print(peak() - before)
"""


@pytest.mark.parametrize("n", [3000, pytest.param(10_000, marks=pytest.mark.long)])
def test_many_images_take_little_memory(run_python, n):
    assert float(run_python(MEMORY, n).stdout.split()[-1]) < 400  # MiB; in one call 870, and 2,900


# Saving and export


def test_h5_is_refused_before_a_byte_is_written(make_vae, tmp_path):
    for name in ("vae.h5", "vae.hdf5"):
        with pytest.raises(ValueError, match=r"save\('vae.keras'\)"):
            make_vae().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@BOTH
def test_a_trained_model_is_exported_whole(grey, tmp_path, kind):
    model = build(kind)
    model.fit(grey, verbose=0)
    assert model.input_shape == (None, 4, 4, 1)
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    head = "mean" if kind == "vae" else "code"
    np.testing.assert_allclose(served.serve(grey)[head], model.predict(grey, verbose=0)[head], atol=1e-5)
    model.save(tmp_path / "model.keras")
    keras.models.load_model(tmp_path / "model.keras").export(tmp_path / "again", verbose=False)


def test_a_trained_model_becomes_tflite(grey):
    vae = build("vae")
    vae.fit(grey, verbose=0)
    for model in (vae, vae.encoder, vae.decoder):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if model is vae:  # it draws noise, and TFLite has no operation of its own for that
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        assert len(converter.convert()) > 1000


def test_a_y_or_weights_without_a_known_shape_are_refused_with_the_remedy():
    """Keras joins the shapes that one model has met in several calls, and then knows none."""
    x = np.zeros((8, 4, 4, 1), "float32")
    vae = vh.VAE(vh.mlp_encoder((4, 4, 1), 2, (8,)), vh.mlp_decoder((4, 4, 1), 2, (8,)))

    @tf.function(input_signature=[tf.TensorSpec(None, "float32")])
    def with_y(y):
        return vae.compute_loss(x, y, vae(x))

    @tf.function(input_signature=[tf.TensorSpec(None, "float32")])
    def with_weights(weights):
        return vae.compute_loss(x, None, vae(x), weights)

    with pytest.raises(ValueError, match=r"y comes without a known shape.*compile"):
        with_y(np.zeros(8, "float32"))
    with pytest.raises(ValueError, match="give one number for each image"):
        with_weights(np.ones(8, "float32"))
