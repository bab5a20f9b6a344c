"""`load_colour_images`: 32×32 colour images, and where they came from."""

import keras
import numpy as np

from vae_helpers import data_files, images, settings

SIDE = 32
TEST_STRIPS = (128, 192), (384, 448)  # columns of the photographs, which are 640 columns wide
_TRAINING_STRIPS = (0, 128), (192, 384), (448, 640)
_COUNTS = {"full": (8_000, 1_000), "quick": (256, 64)}  # of patches: to train, to test


def load_colour_images(name="patches", validation=0):
    """Load "patches" or "cifar10", and print one line that says what was loaded, from where.

    "patches": squares of 32×32 pixels, cut from the two photographs that come with scikit-learn; the label says from
        which. Test patches lie inside TEST_STRIPS, a fifth of the columns, training patches inside the other strips: no
        pixel is in both. Within a part, the squares are drawn at random places, always the same ones, and overlap:
        validation patches show parts of the training patches. It needs no network. The quick profile takes fewer.
    "cifar10": from cifar10.npz in the folder that VAE_HELPERS_DATA names (Keras's keys: x_train, y_train, x_test,
        y_test), or from `keras.datasets.cifar10` (170 MB; Keras compares the SHA-256 of what it downloads). Where
        neither can be had, and on the quick profile, the patches stand in, and the line says why.
    validation: as in `load_images`: the last so many training images are x_valid and y_valid instead; at most a fifth
        of them on the quick profile and where the patches stand in.

    Returns an Images, with float32 arrays (n, 32, 32, 3), pixels in [0, 1]. Raises ValueError for an unknown name, a
    validation that is no whole number or leaves nothing to train on, a folder that does not exist, or a file in it that
    cannot be used.
    """
    images.check_arguments("load_colour_images", name, validation)
    photographs = "patches", "two photographs of scikit-learn", _patches
    return images.load(name, (SIDE, SIDE, 3), photographs, _from_keras, validation)


def _from_keras(name):
    """The arrays of keras.datasets.cifar10, and their source."""
    if not any(path for cache in images.caches() for path in cache.glob("cifar-10*")):
        print("cifar10 is not in Keras's cache: Keras downloads it once, 170 MB.", flush=True)
    parts = keras.datasets.cifar10.load_data()
    return dict(zip(data_files.KEYS, (part for pair in parts for part in pair))), "Keras"


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
