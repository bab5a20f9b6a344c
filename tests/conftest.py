"""What several test files share."""

import copy
import faulthandler
import functools
import gc
import os
import subprocess
import sys

import jupytext
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest

import vae_helpers as vh

gc.disable()  # until all is imported


def pytest_collection_finish():
    """Python looks through all objects for garbage, again and again. What the imports brought is none."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def each_source_is_parsed_once():
    """Some five hundred tests look at the sources of the lessons."""
    parse = jupytext.reads
    parsed = functools.cache(parse)
    jupytext.reads = lambda text, fmt=None: copy.deepcopy(parsed(text, fmt))
    yield
    jupytext.reads = parse


@pytest.fixture(autouse=True)
def same_start():
    """Every test starts from the same seed, and without figures or a memory of data that stood in for other data."""
    plt.close("all")
    vh.run_settings(seed=0)


LONG_MINUTES = 15


@pytest.fixture(autouse=True)
def time_limit(request):
    """A long test that hangs ends its process, and says where it was."""
    if request.node.get_closest_marker("long"):
        faulthandler.dump_traceback_later(60 * LONG_MINUTES, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def digits():
    """200 thresholded digits, (200, 28, 28, 1)."""
    return vh.load_images("digits", binarize="threshold").x_train[:200]


@pytest.fixture
def grey():
    """37 small grey images: a prime number, so that no batch size but 1 and 37 divides it."""
    return np.random.default_rng(0).random((37, 4, 4, 1), dtype="float32")


@pytest.fixture
def binary(grey):
    """The same 37 images with pixels 0 and 1."""
    return (grey > 0.5).astype("float32")


@pytest.fixture
def make_vae():
    """A function that builds a small compiled VAE; by default for the images of `grey`.

    Plain gradient descent compiles in half the time that Adam takes.
    """

    def make(image_shape=(4, 4, 1), latent_dim=2, hidden=(8,), optimizer=None, **kwargs):
        encoder = vh.mlp_encoder(image_shape, latent_dim, hidden)
        vae = vh.VAE(encoder, vh.mlp_decoder(image_shape, latent_dim, hidden), **kwargs)
        vae.compile(optimizer or keras.optimizers.SGD(1e-3))
        return vae

    return make


@pytest.fixture
def make_autoencoder():
    """The same for an Autoencoder."""

    def make(image_shape=(4, 4, 1), latent_dim=2, hidden=(8,), optimizer=None, **kwargs):
        encoder = vh.mlp_encoder(image_shape, latent_dim, hidden, variational=False)
        model = vh.Autoencoder(encoder, vh.mlp_decoder(image_shape, latent_dim, hidden), **kwargs)
        model.compile(optimizer or keras.optimizers.SGD(1e-3))
        return model

    return make


@pytest.fixture(scope="session")
def run_python():
    """A function that runs code in a fresh process, without what the package set in this one's environment."""

    def run(code, *arguments):
        hidden = ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        process = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=environment
        )
        assert process.returncode == 0, process.stderr
        return process

    return run


@pytest.fixture
def said(capsys):
    """A function that runs a check of an exercise and gives what it printed, as one line."""

    def run(name, function):
        capsys.readouterr()
        try:
            getattr(vh.check, name)(function)
        except KeyboardInterrupt:
            pytest.fail("the check raised KeyboardInterrupt")  # otherwise it would end all tests
        out, err = capsys.readouterr()
        assert err == ""
        assert "Traceback" not in out
        assert out.startswith(f"{name} · ") or "hello" in out
        assert max(map(len, out.split("\n"))) <= 110
        return " ".join(out.split())

    return run
