"""`load_images`: real images as float32 arrays, and where they came from."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from vae_helpers import settings

SIDE = 28
_DIGIT_NAMES = tuple("0123456789")
_CLASS_NAMES = {
    "mnist": _DIGIT_NAMES,
    "fashion_mnist": (
        "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    "digits": _DIGIT_NAMES,
}  # fmt: skip
_KEYS = ("x_train", "y_train", "x_test", "y_test")
DOWNLOAD_PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Images:
    """A data set in memory.

    x_train, x_test: float32 (n, 28, 28, 1), pixels in [0, 1]; 0 or 1 only where binarized.
    y_train, y_test: int64 (n,), indices into class_names.
    name: the data set these arrays really hold. source: where they came from, in a few words.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple
    name: str
    source: str

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return self.x_train.shape[1:]


def load_images(name, binarize=None, seed=0):
    """Load "mnist", "fashion_mnist" or "digits", and print one line that says what was loaded, from where.

    The sources, in this order: the folder named by the environment variable VAE_HELPERS_DATA (mnist.npz and
    fashion_mnist.npz with Keras's keys); Keras's own cache and download; the digits that come with
    scikit-learn (1797 handwritten digits, 8×8, enlarged to 28×28). The quick profile always takes the digits.

    binarize: None keeps grey pixels; "threshold" makes a pixel 1 above 0.5; "stochastic" makes it 1 with its
        grey value as the probability, drawn once.
    seed: an integer, for "stochastic".

    Returns an Images. Raises ValueError for an unknown name or binarize, a folder that does not exist, or a
    file in it that cannot be used.
    """
    if name not in _CLASS_NAMES:
        raise ValueError(f"no data set is called {name!r}. Known: {', '.join(_CLASS_NAMES)}.")
    if binarize not in (None, "threshold", "stochastic"):
        raise ValueError(f"binarize is {binarize!r}; it must be None, 'threshold' or 'stochastic'.")
    arrays, found, source, why = _find(name)
    _check_arrays(arrays, f"{found}, {source}")
    rng = np.random.default_rng(seed)
    x_train, x_test = (_to_pixels(arrays[key], binarize, rng) for key in ("x_train", "x_test"))
    y_train, y_test = (np.asarray(arrays[key], dtype=np.int64) for key in ("y_train", "y_test"))
    data = Images(x_train, y_train, x_test, y_test, _CLASS_NAMES[found], found, source)
    if found != name:
        settings.note_stand_in(name)
    print(_describe(data, name, why))
    return data


def _find(name):
    """The raw arrays, the data set that they are, their source, and why it is not the one asked for."""
    if name == "digits":
        return _digits(), "digits", "scikit-learn", ""
    if settings.profile() == "quick":
        return _digits(), "digits", "scikit-learn", f"the quick profile takes them in place of {name}"
    folder = os.environ.get("VAE_HELPERS_DATA")
    if folder:
        if not Path(folder).is_dir():
            raise ValueError(f"VAE_HELPERS_DATA names no folder: {folder!r}. Correct it, or unset it to use Keras.")
        path = Path(folder) / f"{name}.npz"
        if path.is_file():
            return _read_npz(path), name, "the folder in VAE_HELPERS_DATA", ""
    try:
        return _from_keras(name), name, "Keras", ""
    except Exception as error:  # no network, a proxy's page instead of the file, a full disk: all mean "not here"
        reason = (str(error).splitlines() or [type(error).__name__])[0][:40] + "…"
        return _digits(), "digits", "scikit-learn", f"they stand in for {name}, which Keras could not bring: {reason}"


def _from_keras(name):
    """Keras's cache, else its download; a network that answers nothing costs DOWNLOAD_PATIENCE_SECONDS."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_PATIENCE_SECONDS)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # Keras's long progress bar
            (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    finally:
        socket.setdefaulttimeout(before)
    return dict(zip(_KEYS, (x_train, y_train, x_test, y_test)))


def _digits():
    """scikit-learn's digits in Keras's layout: 1437 to train, 360 to test, the same share of each class in both."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    small = digits.images[..., None].astype("float32") / 16
    enlarged = keras.ops.image.resize(small, (24, 24), interpolation="bilinear")
    padded = np.pad(keras.ops.convert_to_numpy(enlarged)[..., 0], ((0, 0), (2, 2), (2, 2)))
    images = np.clip(np.rint(255 * padded), 0, 255).astype("uint8")
    x_train, x_test, y_train, y_test = train_test_split(
        images, digits.target, test_size=360, random_state=0, stratify=digits.target
    )
    return dict(zip(_KEYS, (x_train, y_train, x_test, y_test)))


def _read_npz(path):
    remedy = "Put Keras's original file there, or unset VAE_HELPERS_DATA to let Keras download it."
    try:
        with np.load(path, allow_pickle=False) as archive:  # a pickled object could run code
            missing = [key for key in _KEYS if key not in archive]
            if missing:
                raise ValueError(f"it has no {', '.join(missing)}")
            return {key: archive[key] for key in _KEYS}
    except Exception as error:  # zipfile, zlib, struct and numpy each have their own for a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} cannot be used: {reason}. {remedy}") from error


def _check_arrays(arrays, what):
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        problem = None
        if x.ndim != 3 or x.shape[1:] != (SIDE, SIDE) or x.dtype != np.uint8:
            problem = f"x_{part} is {x.dtype} of shape {x.shape}; it must be uint8 of shape (n, {SIDE}, {SIDE})"
        elif y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
            problem = f"y_{part} is {y.dtype} of shape {y.shape}; it must be whole numbers of shape (n,)"
        elif len(x) != len(y) or len(x) == 0:
            problem = f"x_{part} holds {len(x)} images and y_{part} {len(y)} labels; one label for each is needed"
        elif y.min() < 0 or y.max() > 9:
            problem = f"y_{part} has labels from {y.min()} to {y.max()}; they must lie in 0 … 9"
        if problem:
            raise ValueError(f"{what}: {problem}. Replace the file by Keras's original.")


def _to_pixels(images, binarize, rng):
    pixels = images[..., None].astype("float32") / 255
    if binarize == "threshold":
        return (pixels > 0.5).astype("float32")
    if binarize == "stochastic":
        return (rng.random(pixels.shape, dtype="float32") < pixels).astype("float32")
    return pixels


def _describe(data, asked, why):
    classes = len(np.union1d(data.y_train, data.y_test))
    few = f", {classes} of {len(data.class_names)} classes" if classes < len(data.class_names) else ""
    line = (
        f"{data.name}: {len(data.x_train):,} training and {len(data.x_test):,} test images, "
        f"{data.image_shape[0]}×{data.image_shape[1]}{few}, from {data.source}"
    )
    return f"{line} (NOT {asked}: {why})" if why else line
