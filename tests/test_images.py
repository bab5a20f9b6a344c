"""Where images come from, what they are, and every file that must be refused."""

import dataclasses
import os
import pickle
import re
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
    with pytest.raises(ValueError, match=r"knows no 'omniglot'\. Known: mnist, fashion_mnist, digits\.$"):
        vh.load_images("omniglot")


@pytest.mark.parametrize(
    "load, name, call",
    [
        (vh.load_images, "MNIST", 'load_images("mnist")'),
        (vh.load_images, "mnist.npz", 'load_images("mnist")'),
        (vh.load_images, "Fashion-MNIST", 'load_images("fashion_mnist")'),
        (vh.load_images, "fashion", 'load_images("fashion_mnist")'),
        (vh.load_images, "digit", 'load_images("digits")'),
        (vh.load_images, "cifar10", 'load_colour_images("cifar10")'),
        (vh.load_images, "CIFAR-10", 'load_colour_images("cifar10")'),
        (vh.load_images, "patches", 'load_colour_images("patches")'),
        (vh.load_colour_images, "CIFAR10", 'load_colour_images("cifar10")'),
        (vh.load_colour_images, "mnist", 'load_images("mnist")'),
        (vh.load_colour_images, "fashion_mnist", 'load_images("fashion_mnist")'),
    ],
)
def test_a_name_close_to_a_known_one_gets_the_right_call(load, name, call):
    with pytest.raises(ValueError, match=rf"knows no '{re.escape(name)}'\. Do you mean vh\.{re.escape(call)}\?"):
        load(name)


@pytest.mark.parametrize("name", [None, 10, ["mnist"], np.arange(3)])
@pytest.mark.parametrize("load", [vh.load_images, vh.load_colour_images])
def test_what_is_no_name_is_refused(load, name):
    with pytest.raises(ValueError, match="knows no"):
        load(name)


@pytest.mark.parametrize("binarize", ["static", True, 0.5])
def test_unknown_binarize_lists_the_known_ones(binarize):
    with pytest.raises(ValueError, match=r"None.*threshold.*stochastic"):
        vh.load_images("digits", binarize=binarize)


# The folder


def test_a_folder_that_does_not_exist_is_refused(folder, monkeypatch):
    monkeypatch.setenv("VAE_HELPERS_DATA", str(folder / "nowhere"))
    with pytest.raises(ValueError, match=r"VAE_HELPERS_DATA names no folder: .*nowhere.*Correct it"):
        vh.load_images("mnist")


@pytest.mark.parametrize("given", ["~/my data", "$PLACE/my data", "${PLACE}/my data/", "'~/my data'", ' "my data"\n'])
def test_a_folder_is_found_as_a_shell_would_find_it(folder, monkeypatch, given):
    (folder / "my data").mkdir()
    save(folder / "my data")
    for name in ("HOME", "USERPROFILE", "PLACE"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VAE_HELPERS_DATA", given)
    assert vh.load_images("mnist").source == "the folder in VAE_HELPERS_DATA"


@pytest.mark.parametrize(
    "given, remedy",
    [
        ("{folder}/mnist.npz", r"That is a file\. Give its folder: '{folder}'"),
        ("file://{folder}", "names no folder: 'file://{folder}'.*without 'file://'"),
        ("https://example.org/mnist", "a web address is not read"),
        pytest.param(
            r"C:\Users\me", "a path of Windows", marks=pytest.mark.skipif(os.name == "nt", reason="a path there")
        ),
        ("x" * 5000, "names no folder"),
        ("no/such", "It is looked for in '.*Write the whole path"),
        ("$NOT_SET_ANYWHERE/data", "names no folder: '.NOT_SET_ANYWHERE/data'"),
        ("~/no/such", r"names no folder: '~/no/such', which is '.*no.such'\. Correct it"),
    ],
)
@pytest.mark.parametrize("load, name", [(vh.load_images, "mnist"), (vh.load_colour_images, "cifar10")])
def test_what_is_no_folder_gets_the_remedy_that_fits(folder, monkeypatch, load, name, given, remedy):
    save(folder)
    monkeypatch.setenv("VAE_HELPERS_DATA", given.format(folder=folder))
    with pytest.raises(ValueError, match=remedy.format(folder=re.escape(str(folder)))):
        load(name)


HELD = {
    "nothing": ([], "has no mnist.npz; it holds nothing"),
    "a table": (["train.csv", ".hidden"], "it holds train.csv"),
    "the originals": (["train-images-idx3-ubyte.gz"], "it holds train-images-idx3-ubyte.gz"),
    "capitals": (["MNIST.NPZ", "a.csv"], "rename its MNIST.NPZ to mnist.npz"),
    "many pictures": ([f"{n:05}.png" for n in range(100)], "00000.png, 00001.png, 00002.png, 00003.png and 96 more"),
    "a long name": (["x" * 200], "it holds …"),
}


@pytest.mark.parametrize("held, words", HELD.values(), ids=HELD)
@pytest.mark.parametrize("brought", [arrays(), OSError("no network")], ids=["network", "none"])
def test_a_folder_that_lacks_the_file_is_named_with_what_it_holds(folder, monkeypatch, capsys, held, words, brought):
    for name in held:
        (folder / name).touch()
    if (folder / "mnist.npz").exists():
        pytest.skip("this file system does not tell capitals apart")
    keras_brings(monkeypatch, brought)
    data = vh.load_images("mnist")
    assert data.name == ("mnist" if isinstance(brought, dict) else "digits")
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and len(line) < 700
    assert f"the folder in VAE_HELPERS_DATA, {folder}, has no mnist.npz" in line and words in line


def test_a_folder_in_the_place_of_the_file_is_said(folder, monkeypatch, capsys):
    (folder / "mnist.npz").mkdir()
    keras_brings(monkeypatch, arrays())
    vh.load_images("mnist")
    assert f"has a {folder / 'mnist.npz'} that is no file" in capsys.readouterr().out


def test_a_folder_that_cannot_be_listed_is_refused(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(ValueError, match=r"VAE_HELPERS_DATA cannot be read: .*Permission denied"):
        vh.load_images("mnist")


# Validation images


def test_validation_images_are_the_last_training_images(folder, capsys):
    save(folder)
    whole, data = vh.load_images("mnist"), vh.load_images("mnist", validation=6)
    assert [len(x) for x in (data.x_train, data.x_valid, data.x_test)] == [14, 6, 10]
    assert data.x_valid.dtype == np.float32 and data.y_valid.dtype == np.int64
    np.testing.assert_array_equal(np.concatenate([data.x_train, data.x_valid]), whole.x_train)
    np.testing.assert_array_equal(np.concatenate([data.y_train, data.y_valid]), whole.y_train)
    np.testing.assert_array_equal(data.x_test, whole.x_test)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("mnist: 20 training and 10 test images, 28×28, from")
    assert lines[1].startswith("mnist: 14 training, 6 validation and 10 test images, 28×28, from")


def test_without_validation_the_arrays_are_empty_and_have_their_shape(folder):
    save(folder)
    data = vh.load_images("mnist")
    assert data.x_valid.shape == (0, 28, 28, 1) and data.y_valid.shape == (0,)
    assert data.x_valid.dtype == np.float32 and data.y_valid.dtype == np.int64


def test_stochastic_pixels_are_the_same_with_validation_and_without(folder):
    save(folder)
    whole = vh.load_images("mnist", binarize="stochastic", seed=3)
    data = vh.load_images("mnist", binarize="stochastic", seed=3, validation=np.int64(7))
    np.testing.assert_array_equal(np.concatenate([data.x_train, data.x_valid]), whole.x_train)
    np.testing.assert_array_equal(data.x_test, whole.x_test)


def test_all_classes_count_where_one_is_among_the_validation_images_only(folder, capsys):
    save(folder, y_train=np.repeat([0, 1], [15, 5]), y_test=np.zeros(10, int))
    vh.load_images("mnist", validation=5)
    assert "2 of 10 classes" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mnist", "digits"])
@pytest.mark.parametrize("wanted, kept", [(5000, 287), (288, 287), (100, 100)])
@pytest.mark.usefixtures("no_network")
def test_quick_keeps_a_fifth_at_most_and_says_how_many(capsys, name, wanted, kept):
    data = vh.load_images(name, validation=wanted)
    assert len(data.x_valid) == len(data.y_valid) == kept and len(data.x_train) == 1437 - kept
    assert f"{1437 - kept:,} training, {kept} validation and 360 test images" in capsys.readouterr().out


def test_digits_that_stand_in_keep_a_fifth_at_most(folder, monkeypatch):
    keras_brings(monkeypatch, OSError("no network"))
    assert len(vh.load_images("mnist", validation=5000).x_valid) == 287


def test_digits_asked_for_by_name_keep_what_was_asked_for(folder):
    assert len(vh.load_images("digits", validation=1000).x_valid) == 1000


@pytest.mark.parametrize("validation", [20, 5000])
def test_validation_that_leaves_nothing_to_train_on_is_refused(folder, validation):
    save(folder)
    assert len(vh.load_images("mnist", validation=19).x_train) == 1
    with pytest.raises(ValueError, match=rf"validation is {validation}, and mnist has 20 .*such as validation=2\."):
        vh.load_images("mnist", validation=validation)


@pytest.mark.parametrize(
    "validation", [-1, 0.1, 5000.0, True, "5000", None, np.nan, np.bool_(True), [10], np.arange(3)]
)
@pytest.mark.parametrize("load", [vh.load_images, vh.load_colour_images])
def test_validation_is_a_whole_number_or_refused_before_any_work(monkeypatch, load, validation):
    monkeypatch.setattr(images, "_find", lambda *_: pytest.fail("it looked for data first"))
    name = "digits" if load is vh.load_images else "patches"
    with pytest.raises(ValueError, match=r"validation is .*whole number from 0 up.*validation=5000"):
        load(name, validation=validation)


# Files that cannot be used


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
def test_a_missing_key_is_named_and_so_are_those_that_are_there(folder, key):
    save(folder, **{key: None}, pixels=X)
    with pytest.raises(ValueError, match=rf"has no {key}; all four of .* are needed, and it has .*pixels"):
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
    with pytest.raises(ValueError, match=rf"mnist\.npz cannot be used: {key}\.npy in it holds Python objects"):
        vh.load_images("mnist")
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()  # the trap does work


# Arrays that are taken as they come, that get the line which mends them, and that cannot be mended


def test_a_channel_axis_and_columns_of_labels_are_taken(folder):
    save(folder)
    plain, raw = vh.load_images("mnist"), arrays()
    save(folder, x_train=raw["x_train"][..., None], y_train=raw["y_train"][:, None], y_test=raw["y_test"][:, None])
    data = vh.load_images("mnist")
    for key in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(data, key), getattr(plain, key))


X, Y = arrays()["x_train"], arrays()["y_train"]
BINARY = (X > 127).astype("uint8")
MENDED = {
    "pixels from 0 to 1": ({"x_train": (X / 255).astype("float32")}, X, r"x_train is float32.*from 0 to 1"),
    "half precision": ({"x_train": (X > 127).astype("float16")}, 255 * BINARY, "float16"),
    "black and white": ({"x_train": BINARY}, 255 * BINARY, r"x_train is uint8.*has them from 0 to 1\."),
    "signed bytes": ({"x_train": BINARY.astype("int8")}, 255 * BINARY, "int8"),
    "truth values": ({"x_train": BINARY.astype(bool)}, 255 * BINARY, "x_train is bool"),
    "floats up to 255": ({"x_train": X.astype("float32")}, X, "x_train is float32"),
    "wide integers": ({"x_train": X.astype("int64")}, X, "x_train is int64"),
    "the other byte order": ({"x_train": X.astype(">u2")}, X, "x_train is >u2"),
    "rows of 784": ({"x_train": X.reshape(20, 784)}, X, r"shape \(20, 784\)"),
    "channels first": ({"x_train": X[:, None]}, X, r"shape \(20, 1, 28, 28\)"),
    "rows of 784 from 0 to 1": ({"x_train": X.reshape(20, 784) / 255}, X, "float64"),
    "float labels": ({"y_train": Y.astype("float32")}, X, r"y_train is float32.*whole numbers"),
    "digits as text": ({"y_train": Y.astype(str)}, X, "y_train is <U3.*not text"),
    "digits as bytes": ({"y_train": Y.astype("S1")}, X, "y_train is .S1.*not text"),
    "one-hot labels": ({"y_train": np.eye(10)[Y]}, X, r"y_train is float64 of shape \(20, 10\).*not one-hot"),
    "four at once": (
        {"x_train": X / 255, "y_train": np.eye(10)[Y], "x_test": X[:10] / 255, "y_test": np.arange(10.0)},
        X,
        "x_train .*y_train .*x_test .*y_test ",
    ),
}


@pytest.mark.parametrize("changes, x_train, message", MENDED.values(), ids=MENDED)
def test_the_line_that_the_error_gives_mends_the_file(folder, changes, x_train, message):
    path = save(folder, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        vh.load_images("mnist")
    assert str(path) in str(caught.value)
    exec(str(caught.value).split("Write it again: ")[1], {"np": np})
    data = vh.load_images("mnist")
    np.testing.assert_array_equal(np.rint(255 * data.x_train[..., 0]), x_train)
    np.testing.assert_array_equal(data.y_train, Y)


WRONG = {
    "larger images": ({"x_train": np.ones((20, 32, 32), "uint8")}, r"x_train .*32, 32.*28, 28"),
    "colour images": ({"x_train": np.ones((20, 28, 28, 3), "uint8")}, r"x_train .*28, 28, 3.*28, 28, 1"),
    "one number": ({"x_train": np.uint8(3)}, r"x_train .*shape \(\)"),
    "pixels around 0": ({"x_test": np.linspace(-1, 1, 7840).reshape(10, 28, 28)}, r"x_test .*from -1 to 1\."),
    "not a number": ({"x_test": np.full((10, 28, 28), np.nan)}, r"x_test .*from nan to nan"),
    "complex images": ({"x_test": np.ones((10, 28, 28), "complex64")}, r"x_test is complex64"),
    "labels that are times": ({"y_test": np.zeros(10, "m8[s]")}, r"y_test is timedelta64.*whole numbers"),
    "labels as text": ({"y_test": np.array(["bag"] * 10)}, r"y_test .*not text: write the number of each class"),
    "labels between": ({"y_test": np.arange(10) / 2}, r"y_test .*whole numbers"),
    "several classes": ({"y_test": np.ones((10, 10), "uint8")}, r"y_test .*one label for each image"),
    "fewer labels": ({"y_train": np.zeros(19, "uint8")}, r"y_train .*\(19,\).*\(20,\), one label for each image"),
    "fewer images": ({"x_test": np.full((9, 28, 28), 9, "uint8")}, r"y_test .*\(10,\).*\(9,\)"),
    "label ten": ({"y_train": np.arange(1, 21, dtype="uint8") % 11}, r"y_train .*labels from 0 to 10"),
    "negative label": ({"y_test": np.arange(10) - 1}, r"y_test .*labels from -1 to 8"),
    "no images": ({"x_test": np.zeros((0, 28, 28), "uint8"), "y_test": np.zeros(0, "uint8")}, r"x_test holds no"),
    "one fault mended, one not": ({"x_train": X / 255, "y_train": Y + 10}, r"x_train .*y_train .*from 10 to 19"),
}


@pytest.mark.parametrize("changes, message", WRONG.values(), ids=WRONG)
def test_wrong_arrays_are_refused_with_a_remedy(folder, changes, message):
    save(folder, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        vh.load_images("mnist")
    assert "np.savez('mnist.npz', x_train=…, y_train=…" in str(caught.value)
    assert "unset VAE_HELPERS_DATA" in str(caught.value)


def test_wrong_arrays_in_one_file_leave_the_other_usable(folder):
    save(folder, "mnist", x_train=np.ones((20, 32, 32), "uint8"))
    save(folder, "fashion_mnist")
    with pytest.raises(ValueError):
        vh.load_images("mnist")
    assert vh.load_images("fashion_mnist").name == "fashion_mnist"
