"""Where images come from, what they are, and every file that must be refused."""

import dataclasses
import os
import pickle
import socket

import numpy as np
import pytest

import vae_helpers as vh
from vae_helpers import images


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty data folder on the full profile."""
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path))
    monkeypatch.setenv("VAE_HELPERS_PROFILE", "full")
    return tmp_path


def arrays(**changes):
    """A small data set with Keras's keys; None leaves a key out."""
    rng = np.random.default_rng(0)
    made = {
        "x_train": rng.integers(0, 256, (20, 28, 28)).astype("uint8"),
        "y_train": np.arange(20, dtype="uint8") % 10,
        "x_test": rng.integers(0, 256, (10, 28, 28)).astype("uint8"),
        "y_test": np.arange(10, dtype="uint8"),
    }
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


def save(folder, name="mnist", **changes):
    np.savez(folder / f"{name}.npz", **arrays(**changes))
    return folder / f"{name}.npz"


def keras_brings(monkeypatch, brought):
    """Replace Keras's data set by arrays, or by an exception that it raises."""

    def load(name):
        if isinstance(brought, Exception):
            raise brought
        return brought, "Keras's cache"

    monkeypatch.setattr(images, "_from_keras", load)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_file_becomes_float32_images_with_a_channel_axis(folder, name):
    save(folder, name)
    data, raw = vh.load_images(name), arrays()
    assert data.name == name and len(data.class_names) == 10
    assert data.image_shape == (28, 28, 1)
    for x, y, part in ((data.x_train, data.y_train, "train"), (data.x_test, data.y_test, "test")):
        assert x.dtype == np.float32 and y.dtype == np.int64
        np.testing.assert_allclose(x[..., 0], raw[f"x_{part}"] / 255, atol=1e-7)
        np.testing.assert_array_equal(y, raw[f"y_{part}"])
        assert x.min() >= 0 and x.max() <= 1


def test_fashion_classes_have_their_names(folder):
    save(folder, "fashion_mnist")
    assert vh.load_images("fashion_mnist").class_names[7:] == ("Sneaker", "Bag", "Ankle boot")


def test_threshold_makes_a_pixel_one_above_one_half(folder):
    x = np.zeros((20, 28, 28), "uint8")
    x[0, 0, :4] = 0, 127, 128, 255
    save(folder, x_train=x)
    assert vh.load_images("mnist", binarize="threshold").x_train[0, 0, :4, 0].tolist() == [0, 0, 1, 1]


def test_stochastic_makes_a_pixel_one_with_its_grey_value_as_probability(folder):
    greys = np.array([0, 64, 128, 255], "uint8")
    save(folder, x_train=np.tile(greys, (20, 28, 7)))
    drawn = vh.load_images("mnist", binarize="stochastic").x_train
    assert set(np.unique(drawn)) == {0, 1}
    share = drawn.reshape(-1, 4).mean(axis=0)
    assert share[0] == 0 and share[3] == 1  # black and white are certain
    np.testing.assert_allclose(share, greys / 255, atol=0.04)  # 3920 draws each: five standard errors


def test_stochastic_repeats_with_its_seed_only(folder):
    save(folder)
    first, again, other = (vh.load_images("mnist", binarize="stochastic", seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.x_train, again.x_train)
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert (first.x_train != other.x_train).any()


def test_stochastic_draws_training_and_test_images_apart(folder):
    grey = np.full((10, 28, 28), 128, "uint8")
    save(folder, x_train=grey, y_train=np.arange(10), x_test=grey)
    data = vh.load_images("mnist", binarize="stochastic")
    assert (data.x_train != data.x_test).any()


def test_the_line_says_what_was_loaded(folder, capsys):
    save(folder)
    vh.load_images("mnist")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert all(part in line for part in ("mnist", "20 training", "10 test", "28×28", "VAE_HELPERS_DATA"))
    assert "NOT" not in line and "classes" not in line


def test_the_line_counts_few_classes(folder, capsys):
    save(folder, y_train=np.arange(20) % 3, y_test=np.arange(10) % 2)
    vh.load_images("mnist")
    assert "3 of 10 classes" in capsys.readouterr().out


def test_the_folder_comes_before_keras(folder, monkeypatch):
    save(folder)
    keras_brings(monkeypatch, arrays(x_train=np.zeros((20, 28, 28), "uint8")))
    assert vh.load_images("mnist").x_train.any()


def test_keras_brings_what_the_folder_lacks(folder, monkeypatch, capsys):
    save(folder, "fashion_mnist")
    keras_brings(monkeypatch, arrays(x_train=np.zeros((20, 28, 28), "uint8")))
    data = vh.load_images("mnist")
    assert data.name == "mnist" and not data.x_train.any()
    assert "from Keras" in capsys.readouterr().out


def test_without_a_folder_keras_is_asked(folder, monkeypatch):
    save(folder)
    monkeypatch.setenv("VAE_HELPERS_DATA", "")
    keras_brings(monkeypatch, arrays(x_train=np.zeros((20, 28, 28), "uint8")))
    assert not vh.load_images("mnist").x_train.any()


@pytest.mark.parametrize(
    "error, reason",
    [(OSError("no route\nto any host"), "no route"), (Exception(), "Exception"), (ValueError("bad file"), "bad file")],
)
def test_the_digits_stand_in_where_keras_fails_and_say_so(folder, monkeypatch, capsys, error, reason):
    keras_brings(monkeypatch, error)
    data = vh.load_images("mnist")
    line = capsys.readouterr().out
    assert data.name == "digits" and data.source == "scikit-learn"
    assert line.count("\n") == 1
    assert "NOT mnist" in line and reason in line


def test_figures_are_not_expected_of_digits_that_stand_in(folder, monkeypatch, capsys):
    keras_brings(monkeypatch, OSError("no network"))
    vh.load_images("mnist")
    vh.expect("test ELBO", -500, at_least=-142)
    assert "not compared" in capsys.readouterr().out


def test_figures_are_expected_of_digits_asked_for_by_name(folder):
    vh.load_images("digits")
    with pytest.raises(AssertionError):
        vh.expect("test ELBO", -500, at_least=-142)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(images, "_from_keras", refuse)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.usefixtures("no_network")
def test_quick_takes_the_digits_without_a_network(capsys, name):
    assert vh.load_images(name).name == "digits"
    line = capsys.readouterr().out
    assert f"NOT {name}" in line and "quick" in line and "network" not in line


@pytest.mark.usefixtures("no_network")
def test_digits_need_no_network_on_full_either(folder, capsys):
    assert vh.load_images("digits").name == "digits"
    assert "NOT" not in capsys.readouterr().out


def test_digits_are_split_1437_to_360_with_each_class_in_proportion():
    data = vh.load_images("digits")
    assert data.x_train.shape == (1437, 28, 28, 1) and data.x_test.shape == (360, 28, 28, 1)
    train, test = (np.bincount(y, minlength=10) for y in (data.y_train, data.y_test))
    np.testing.assert_allclose(test, (train + test) * 360 / 1797, atol=1)


def test_digits_in_training_and_test_are_different_ones():
    data = vh.load_images("digits")
    train, test = ({image.tobytes() for image in x} for x in (data.x_train, data.x_test))
    assert len(train) == 1437 and len(test) == 360 and not train & test


def test_digits_are_the_same_each_time():
    np.testing.assert_array_equal(vh.load_images("digits").x_test, vh.load_images("digits").x_test)


def test_labels_are_a_copy_that_can_be_changed(folder):
    save(folder, y_train=np.arange(20) % 10)  # int64 already
    data = vh.load_images("mnist")
    data.y_train[0] = 5
    assert data.y_train[:2].tolist() == [5, 1]


def test_images_stored_column_by_column_are_the_same_images(folder):
    save(folder, x_train=np.asfortranarray(arrays()["x_train"]))
    np.testing.assert_array_equal(np.rint(255 * vh.load_images("mnist").x_train[..., 0]), arrays()["x_train"])


def test_images_are_frozen(folder):
    save(folder)
    with pytest.raises(dataclasses.FrozenInstanceError):
        vh.load_images("mnist").name = "fashion_mnist"


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'cifar'.*mnist.*fashion_mnist.*digits"):
        vh.load_images("cifar")


@pytest.mark.parametrize("binarize", ["static", True, 0.5])
def test_unknown_binarize_lists_the_known_ones(binarize):
    with pytest.raises(ValueError, match=r"None.*threshold.*stochastic"):
        vh.load_images("digits", binarize=binarize)


def test_a_folder_that_does_not_exist_is_refused(folder, monkeypatch):
    monkeypatch.setenv("VAE_HELPERS_DATA", str(folder / "nowhere"))
    with pytest.raises(ValueError, match=r"VAE_HELPERS_DATA.*nowhere"):
        vh.load_images("mnist")


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(folder, kept):
    path = save(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"mnist\.npz cannot be used.*unset VAE_HELPERS_DATA"):
        vh.load_images("mnist")


def test_a_damaged_file_is_refused(folder):
    path = folder / "mnist.npz"
    np.savez_compressed(path, **arrays())
    damaged = bytearray(path.read_bytes())
    damaged[1000:1010] = b"0123456789"
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"mnist\.npz cannot be used"):
        vh.load_images("mnist")


def test_a_page_of_text_in_place_of_the_file_is_refused(folder):
    (folder / "mnist.npz").write_text("<html>Please log in</html>")
    with pytest.raises(ValueError, match=r"mnist\.npz cannot be used"):
        vh.load_images("mnist")


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_a_missing_key_is_named(folder, key):
    save(folder, **{key: None})
    with pytest.raises(ValueError, match=rf"has no {key}"):
        vh.load_images("mnist")


class Trap:
    """Unpickling it creates a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_pickled_objects_are_refused_and_never_unpickled(folder, key):
    trap = folder / "sprung"
    save(folder, **{key: np.array([Trap(trap)], dtype=object)})
    with pytest.raises(ValueError, match=r"mnist\.npz cannot be used"):
        vh.load_images("mnist")
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()  # the trap does work


WRONG = {
    "float images": ({"x_train": np.zeros((20, 28, 28), "float32")}, r"x_train is float32.*uint8"),
    "wide integers": ({"x_test": np.zeros((10, 28, 28), "int64")}, r"x_test is int64.*uint8"),
    "larger images": ({"x_train": np.zeros((20, 32, 32), "uint8")}, r"x_train .*32, 32.*28, 28"),
    "flat images": ({"x_test": np.zeros((10, 784), "uint8")}, r"x_test .*784"),
    "channel axis": ({"x_train": np.zeros((20, 28, 28, 1), "uint8")}, r"x_train .*28, 28, 1"),
    "label column": ({"y_train": np.zeros((20, 1), "uint8")}, r"y_train .*20, 1"),
    "float labels": ({"y_test": np.zeros(10)}, r"y_test is float64.*whole numbers"),
    "labels that are times": ({"y_test": np.zeros(10, "m8[s]")}, r"y_test is timedelta64.*whole numbers"),
    "fewer labels": ({"y_train": np.zeros(19, "uint8")}, r"20 images and y_train 19 labels"),
    "fewer images": ({"x_test": np.zeros((9, 28, 28), "uint8")}, r"9 images and y_test 10 labels"),
    "label ten": ({"y_train": np.arange(1, 21, dtype="uint8") % 11}, r"y_train has labels from 0 to 10"),
    "negative label": ({"y_test": np.arange(10) - 1}, r"y_test has labels from -1 to 8"),
    "no images": ({"x_test": np.zeros((0, 28, 28), "uint8"), "y_test": np.zeros(0, "uint8")}, r"x_test holds 0"),
}


@pytest.mark.parametrize("changes, message", WRONG.values(), ids=WRONG)
def test_wrong_arrays_are_refused_with_a_remedy(folder, changes, message):
    save(folder, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        vh.load_images("mnist")
    assert "original" in str(caught.value)


def test_wrong_arrays_in_one_file_leave_the_other_usable(folder):
    save(folder, "mnist", x_train=np.zeros((20, 32, 32), "uint8"))
    save(folder, "fashion_mnist")
    with pytest.raises(ValueError):
        vh.load_images("mnist")
    assert vh.load_images("fashion_mnist").name == "fashion_mnist"
