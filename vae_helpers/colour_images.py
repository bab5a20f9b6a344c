"""`load_colour_images`: 32×32 colour images, and where they came from."""

import os
from pathlib import Path

import keras
import numpy as np

from vae_helpers import data_files, images, settings

SIDE = 32
TEST_STRIPS = (128, 192), (384, 448)  # columns of the photographs, which are 640 columns wide
_TRAINING_STRIPS = (0, 128), (192, 384), (448, 640)
_CLASS_NAMES = {
    "patches": ("china", "flower"),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}
_COUNTS = {"full": (8_000, 1_000), "quick": (256, 64)}  # of patches: to train, to test


def load_colour_images(name="patches"):
    """Load "patches" or "cifar10", and print one line that says what was loaded, from where.

    "patches": squares of 32×32 pixels, cut from the two photographs that come with scikit-learn; the label says from
        which. Test patches lie inside TEST_STRIPS, a fifth of the columns, training patches inside the other strips: no
        pixel is in both. Within a part, the squares are drawn at random places, always the same ones, and overlap. It
        needs no network. The quick profile takes fewer.
    "cifar10": from cifar10.npz in the folder that VAE_HELPERS_DATA names (Keras's keys: x_train, y_train, x_test,
        y_test), or from `keras.datasets.cifar10` (170 MB; Keras compares the SHA-256 of what it downloads). Where
        neither can be had, and on the quick profile, the patches stand in, and the line says why.

    Returns an Images, with float32 arrays (n, 32, 32, 3), pixels in [0, 1]. Raises ValueError for an unknown name, a
    folder that does not exist, or a file in it that cannot be used.
    """
    if name not in _CLASS_NAMES:
        raise ValueError(f"no set of colour images is called {name!r}. Known: {', '.join(_CLASS_NAMES)}.")
    arrays, found, source, why = _find(name)
    x_train, x_test = (arrays[key].astype("float32") / 255 for key in ("x_train", "x_test"))
    y_train, y_test = (arrays[key].astype(np.int64).reshape(-1) for key in ("y_train", "y_test"))
    data = images.Images(x_train, y_train, x_test, y_test, _CLASS_NAMES[found], found, source)
    if found != name:
        settings.note_stand_in(name)
    print(images.describe(data, name, why))
    return data


def _find(name):
    """The uint8 arrays, the set that they are, their source, and why it is not the one asked for."""
    photographs = "two photographs of scikit-learn"
    if name == "patches":
        return _patches(), "patches", photographs, ""
    if settings.profile() == "quick":
        return _patches(), "patches", photographs, "the quick profile takes them in place of cifar10"
    folder = os.environ.get("VAE_HELPERS_DATA")
    if folder:
        if not Path(folder).is_dir():
            raise ValueError(f"VAE_HELPERS_DATA names no folder: {folder!r}. Correct it, or unset it to use Keras.")
        path = Path(folder) / "cifar10.npz"
        if path.is_file():
            arrays = data_files.from_folder(path)
            _check_arrays(arrays, path)
            return arrays, name, "the folder in VAE_HELPERS_DATA", ""
    try:
        parts = keras.datasets.cifar10.load_data()
        return dict(zip(data_files.KEYS, (part for pair in parts for part in pair))), name, "Keras", ""
    except Exception as error:  # no network, a proxy's page instead of the file, a damaged file: all mean "not here"
        reason = data_files.in_a_line(error)
        return _patches(), "patches", photographs, f"they stand in for cifar10, which Keras could not bring: {reason}"


def _check_arrays(arrays, path):
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.shape[1:] != (SIDE, SIDE, 3) or x.dtype != np.uint8 or len(x) == 0:
            problem = f"x_{part} is {x.dtype} of shape {x.shape}; it must be uint8 of shape (n, {SIDE}, {SIDE}, 3)"
        elif y.size != len(x) or y.dtype.kind not in "iu" or y.min() < 0 or y.max() > 9:
            problem = f"y_{part} must hold {len(x)} whole numbers from 0 to 9, one for each image"
        else:
            continue
        raise ValueError(f"{path}: {problem}. Write it from keras.datasets.cifar10.")


def _patches():
    """Squares of both photographs in Keras's layout, as many of each, at the same places each time."""
    from sklearn.datasets import load_sample_images

    photographs, rng = load_sample_images().images, np.random.default_rng(0)
    arrays = {}
    for part, strips, count in zip(("train", "test"), (_TRAINING_STRIPS, TEST_STRIPS), _COUNTS[settings.profile()]):
        lefts = np.concatenate([np.arange(low, high - SIDE + 1) for low, high in strips])
        x, y = [], []
        for label, photograph in enumerate(photographs):
            tops = np.arange(photograph.shape[0] - SIDE + 1)
            places = rng.choice(len(lefts) * len(tops), count // len(photographs), replace=False)
            for top, left in zip(tops[places // len(lefts)], lefts[places % len(lefts)]):
                x.append(photograph[top : top + SIDE, left : left + SIDE])
                y.append(label)
        order = rng.permutation(len(x))
        arrays[f"x_{part}"], arrays[f"y_{part}"] = np.stack(x)[order], np.array(y)[order]
    return arrays
