"""Colour images and the deeper networks of lesson 09."""

import tempfile

import keras
import numpy as np
import pytest
from keras import ops

import vae_helpers as vh
from vae_helpers import colour_images, settings

SHAPE = (32, 32, 3)


@pytest.fixture
def full(monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_HELPERS_PROFILE", "full")
    monkeypatch.delenv("VAE_HELPERS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def no_network(monkeypatch):
    """Keras has no CIFAR-10, and cannot fetch it."""

    def fails():
        raise OSError("URL fetch failure: no route to host")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fails)


def cifar(n=20, labels=(10, 1)):
    """Arrays as Keras gives them, noise in place of pictures."""
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(n, *SHAPE), dtype=np.uint8)
    y = (np.arange(n) % 10).astype("uint8").reshape(-1, *labels[1:])
    return {"x_train": x, "y_train": y, "x_test": x[:10], "y_test": y[:10]}


# The patches


@pytest.mark.parametrize("profile, counts", [("full", (8_000, 1_000)), ("quick", (256, 64))])
def test_the_patches_are_colour_images_of_both_photographs(monkeypatch, capsys, profile, counts):
    monkeypatch.setenv("VAE_HELPERS_PROFILE", profile)
    data = vh.load_colour_images()
    assert (len(data.x_train), len(data.x_test)) == counts and data.image_shape == SHAPE
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert x.dtype == "float32" and x.min() >= 0 and 0.9 < x.max() <= 1
        assert y.dtype == "int64" and (np.bincount(y) == len(y) // 2).all()
    line = capsys.readouterr().out
    assert line.startswith(
        f"patches: {counts[0]:,} training and {counts[1]:,} test images, 32×32, from two photographs"
    )
    assert "NOT" not in line and len(line.splitlines()) == 1


def test_the_patches_are_the_same_each_time():
    first, second = (vh.load_colour_images("patches") for _ in range(2))
    np.testing.assert_array_equal(first.x_train, second.x_train)
    np.testing.assert_array_equal(first.x_test, second.x_test)


def test_no_pixel_is_in_a_training_and_in_a_test_patch(full, monkeypatch):
    """On photographs whose colours say which column they are of."""
    from sklearn import datasets

    column = np.broadcast_to(np.arange(640), (427, 640))
    photograph = np.stack([column // 256, column % 256, 0 * column], axis=-1).astype("uint8")
    coded = type("Coded", (), {"images": [photograph, photograph]})
    monkeypatch.setattr(datasets, "load_sample_images", lambda: coded)
    data = vh.load_colour_images()
    train, test = (np.unique(np.rint(255 * (256 * x[..., 0] + x[..., 1]))) for x in (data.x_train, data.x_test))
    np.testing.assert_array_equal(test, [*range(128, 192), *range(384, 448)])
    np.testing.assert_array_equal(train, [*range(128), *range(192, 384), *range(448, 640)])
    for x in (data.x_train, data.x_test):  # 32 columns that follow each other: none spans two strips
        columns = np.rint(255 * (256 * x[:, 0, :, 0] + x[:, 0, :, 1]))
        assert (np.diff(columns, axis=1) == 1).all()


# CIFAR-10


@pytest.mark.parametrize("labels", [(10,), (10, 1)])
def test_cifar10_comes_from_the_folder(full, monkeypatch, tmp_path, no_network, capsys, labels):
    arrays = cifar(labels=labels)
    np.savez(tmp_path / "cifar10.npz", **arrays)
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path))
    data = vh.load_colour_images("cifar10")
    assert data.name == "cifar10" and data.class_names[6] == "frog"
    np.testing.assert_allclose(data.x_train * 255, arrays["x_train"], atol=1e-4)
    np.testing.assert_array_equal(data.y_train, arrays["y_train"].ravel())
    assert "from the folder in VAE_HELPERS_DATA" in capsys.readouterr().out


def test_cifar10_comes_from_keras(full, monkeypatch, capsys):
    arrays = cifar()
    pairs = [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: pairs)
    data = vh.load_colour_images("cifar10")
    np.testing.assert_allclose(data.x_test * 255, arrays["x_test"], atol=1e-4)
    np.testing.assert_array_equal(data.y_test, np.arange(10))
    assert "from Keras" in capsys.readouterr().out and data.source == "Keras"


def test_without_cifar10_the_patches_stand_in_and_one_line_says_why(full, no_network, capsys):
    data = vh.load_colour_images("cifar10")
    assert data.name == "patches"
    line = capsys.readouterr().out
    assert "(NOT cifar10: they stand in for cifar10, which Keras could not bring: URL fetch failure" in line
    vh.expect("a figure", 5, at_most=1)  # is not compared
    assert "not compared" in capsys.readouterr().out
    settings._stand_ins.clear()


def test_the_quick_profile_never_asks_for_cifar10(monkeypatch, capsys):
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: pytest.fail("it was asked for"))
    assert vh.load_colour_images("cifar10").name == "patches"
    assert "NOT cifar10: the quick profile" in capsys.readouterr().out
    settings._stand_ins.clear()


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("x_train", np.zeros((20, 28, 28, 3), "uint8"), "must be uint8 of shape"),
        ("x_train", np.zeros((20, *SHAPE), "float32"), "must be uint8 of shape"),
        ("x_train", cifar()["x_train"].reshape(20, -1), "must be uint8 of shape"),
        ("x_test", np.zeros((0, *SHAPE), "uint8"), "x_test holds no images"),
        ("y_train", np.zeros(19, "uint8"), r"whole numbers from 0 to 9 of shape \(20,\), one label for each"),
        ("y_test", np.full(10, 10), "has labels from 10 to 10"),
    ],
)
def test_a_file_that_is_not_cifar10_is_refused(full, monkeypatch, tmp_path, key, value, words):
    np.savez(tmp_path / "cifar10.npz", **{**cifar(), key: value})
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=words):
        vh.load_colour_images("cifar10")


@pytest.mark.parametrize(
    "mend",
    [
        lambda x: (x / 255).astype("float32"),
        lambda x: x.astype("float64"),
        lambda x: x.transpose(0, 3, 1, 2),
        lambda x: x.transpose(0, 3, 1, 2) / 255,
    ],
)
def test_the_line_that_the_error_gives_mends_the_file(full, monkeypatch, tmp_path, mend):
    arrays = cifar()
    np.savez(tmp_path / "cifar10.npz", **arrays | {key: mend(arrays[key]) for key in ("x_train", "x_test")})
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"x_train is .*x_test is ") as caught:
        vh.load_colour_images("cifar10")
    exec(str(caught.value).split("Write it again: ")[1], {"np": np})
    np.testing.assert_array_equal(np.rint(255 * vh.load_colour_images("cifar10").x_train), arrays["x_train"])


def test_validation_images_are_the_last_training_images(full, monkeypatch, tmp_path, capsys):
    np.savez(tmp_path / "cifar10.npz", **cifar())
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path))
    whole, data = vh.load_colour_images("cifar10"), vh.load_colour_images("cifar10", validation=8)
    np.testing.assert_array_equal(data.x_train, whole.x_train[:12])
    np.testing.assert_array_equal(data.x_valid, whole.x_train[12:])
    np.testing.assert_array_equal(data.y_valid, whole.y_train[12:])
    assert whole.x_valid.shape == (0, *SHAPE) and whole.y_valid.shape == (0,)
    assert "cifar10: 12 training, 8 validation and 10 test images" in capsys.readouterr().out


def test_patches_that_stand_in_keep_a_fifth_at_most(full, monkeypatch, no_network):
    assert len(vh.load_colour_images("cifar10", validation=5000).x_valid) == 1600
    assert len(vh.load_colour_images("patches", validation=5000).x_valid) == 5000
    monkeypatch.setenv("VAE_HELPERS_PROFILE", "quick")
    assert len(vh.load_colour_images("patches", validation=5000).x_valid) == 51


def test_a_folder_without_cifar10_is_named_with_what_it_holds(full, monkeypatch, tmp_path, no_network, capsys):
    (tmp_path / "mnist.npz").touch()
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path))
    vh.load_colour_images("cifar10")
    assert f"{tmp_path}, has no cifar10.npz; it holds mnist.npz)" in capsys.readouterr().out


def test_170_mb_are_announced_where_keras_has_nothing_of_cifar10(full, monkeypatch, tmp_path, capsys):
    arrays = cifar()
    pairs = [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: print("Keras works") or pairs)
    vh.load_colour_images("cifar10")
    announced, works, _ = capsys.readouterr().out.splitlines()
    assert "170 MB" in announced and works == "Keras works"
    (tmp_path / "keras/datasets/cifar-10-batches-py-target").mkdir(parents=True)
    vh.load_colour_images("cifar10")
    assert "170 MB" not in capsys.readouterr().out


def test_a_damaged_file_or_a_missing_folder_is_refused(full, monkeypatch, tmp_path):
    (tmp_path / "cifar10.npz").write_bytes(b"PK damaged")
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"cifar10\.npz cannot be used"):
        vh.load_colour_images("cifar10")
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="names no folder"):
        vh.load_colour_images("cifar10")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"knows no 'imagenet'\. Known: patches, cifar10\."):
        vh.load_colour_images("imagenet")


def test_the_photographs_are_those_that_the_strips_were_chosen_for():
    from sklearn.datasets import load_sample_images

    assert [image.shape for image in load_sample_images().images] == [(427, 640, 3)] * 2
    assert max(max(strip) for strip in colour_images.TEST_STRIPS) <= 640


# Residual networks


def networks(shortcut=True, blocks=1):
    encoder = vh.residual_encoder((8, 8, 3), 4, (4, 6), blocks=blocks, shortcut=shortcut)
    return encoder, vh.residual_decoder((8, 8, 3), 4, (6, 4), blocks=blocks, shortcut=shortcut)


def convolutions(network):
    kinds = keras.layers.Conv2D, keras.layers.Conv2DTranspose
    return sum(isinstance(layer, kinds) for layer in network.layers)


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_a_residual_network_has_the_shapes_and_the_depth_it_says(blocks):
    encoder, decoder = networks(blocks=blocks)
    assert [head.shape for head in encoder.outputs] == [(None, 4)] * 2
    assert decoder.output_shape == (None, 8, 8, 3)
    assert convolutions(encoder) == 2 * (1 + 2 * blocks)
    assert convolutions(decoder) == 2 * (1 + 2 * blocks) + 1


def test_without_shortcuts_depth_and_parameters_are_the_same():
    for one, other in zip(networks(), networks(shortcut=False)):
        assert [w.shape for w in one.weights] == [w.shape for w in other.weights]
        assert not any(isinstance(layer, keras.layers.Add) for layer in other.layers)


def inner(network, name):
    """The output of one layer, as a model."""
    return keras.Model(network.inputs[0], network.get_layer(name).output)


def test_a_new_block_gives_its_input_back():
    encoder, _ = networks(blocks=2)
    x = np.random.default_rng(0).random((3, 8, 8, 3), dtype="float32")
    for stage in (1, 2):
        before, after = inner(encoder, f"down_{stage}"), inner(encoder, f"stage_{stage}_2_add")
        np.testing.assert_array_equal(before(x), after(x))
        assert np.abs(before(x)).max() > 0


@pytest.mark.parametrize("shortcut", [True, False])
def test_a_block_is_x_plus_f_of_x(shortcut):
    encoder, _ = networks(shortcut=shortcut)
    rng = np.random.default_rng(0)
    for weight in encoder.weights:
        weight.assign(rng.normal(size=weight.shape))
    image = rng.random((2, 8, 8, 3), dtype="float32")
    x = inner(encoder, "down_1")(image)
    f = x
    for name in ("stage_1_1_conv_1", "stage_1_1_conv_2"):
        kernel, bias = encoder.get_layer(name).weights
        f = ops.conv(ops.relu(f), kernel, padding="same") + bias
    expected = x + f if shortcut else f
    found = inner(encoder, "stage_1_1_add" if shortcut else "stage_1_1_conv_2")(image)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_a_residual_vae_learns():
    keras.utils.set_random_seed(0)
    vae = vh.VAE(*(make((8, 8, 1), 2, (4,), blocks=1) for make in (vh.residual_encoder, vh.residual_decoder)))
    vae.compile(keras.optimizers.SGD(0.01))
    x = np.tile(np.linspace(0, 1, 8, dtype="float32")[:, None, None], (8, 1, 8, 1)).round()
    losses = vae.fit(x, epochs=20, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


def test_a_residual_vae_is_saved(tmp_path):
    vae, x = vh.VAE(*networks()), np.random.default_rng(0).random((2, 8, 8, 3), dtype="float32")
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_allclose(again.reconstruct(x), vae.reconstruct(x), atol=1e-6)


def test_an_autoencoder_has_one_head():
    encoder = vh.residual_encoder((8, 8, 1), np.int64(3), filters=(np.int64(4),), variational=False, dense=(5,))
    assert encoder.output_shape == (None, 3) and encoder.get_layer("hidden_1").units == 5


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match=r"cannot be halved 3 times.*multiples of 8"):
        vh.residual_decoder((28, 28, 1), 2)
