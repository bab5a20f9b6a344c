"""`load_images`: real images as float32 arrays, and where they came from."""

import gzip
import hashlib
import io
import os
import tempfile
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from vae_helpers import data_files, settings

SIDE = 28
_DIGIT_NAMES = tuple("0123456789")
_CLASS_NAMES = {
    "mnist": _DIGIT_NAMES,
    "fashion_mnist": (
        "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    "digits": _DIGIT_NAMES,
}  # fmt: skip
DOWNLOAD_PATIENCE_SECONDS = 15  # how long a server may say nothing
_LARGEST_FILE = 2**26  # bytes; twice the largest original

# Keras's originals, by their paths in its cache, each with its SHA-256. The names, the server and the hashes stand in
# keras/src/datasets/mnist.py and fashion_mnist.py; Keras up to 3.15 compares no hash for Fashion-MNIST.
_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_ORIGINALS = {
    "mnist": {"mnist.npz": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"},
    "fashion_mnist": {  # in the order of data_files.KEYS
        "fashion-mnist/train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "fashion-mnist/train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "fashion-mnist/t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "fashion-mnist/t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
}


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
    fashion_mnist.npz with Keras's keys); Keras's own cache, and its server, where only the original files are
    taken (SHA-256); the digits that come with scikit-learn (1797 handwritten digits, 8×8, enlarged to 28×28).
    The quick profile always takes the digits.

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
    y_train, y_test = (arrays[key].astype(np.int64) for key in ("y_train", "y_test"))
    data = Images(x_train, y_train, x_test, y_test, _CLASS_NAMES[found], found, source)
    if found != name:
        settings.note_stand_in(name)
    print(describe(data, name, why))
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
            return data_files.from_folder(path), name, "the folder in VAE_HELPERS_DATA", ""
    try:
        arrays, source = _from_keras(name)
        return arrays, name, source, ""
    except Exception as error:  # no network, a proxy's page instead of the file, a damaged file: all mean "not here"
        reason = data_files.in_a_line(error)
        return _digits(), "digits", "scikit-learn", f"they stand in for {name}, which Keras could not bring: {reason}"


def _from_keras(name):
    """The arrays of Keras's original files, and in words where those were found."""
    contents, sources = zip(*(_original(file, sha256) for file, sha256 in _ORIGINALS[name].items()))
    source = " and ".join(dict.fromkeys(sources))
    if name == "mnist":
        return data_files.read_npz(io.BytesIO(contents[0])), source
    return dict(zip(data_files.KEYS, map(_read_idx, contents))), source


def _original(file, sha256):
    """The bytes of one of Keras's files, from a cache or the server, and in words where they were found.

    `keras.utils.get_file` is not used: it writes a download into its place bit by bit, so that a process beside it
    reads a part, and it leaves behind a file that failed the comparison. Here nothing is written before the
    comparison, and what is compared is what is used.
    """
    instead = ""
    for cache in _caches():
        content = _read_cached(cache / file)
        if content is not None:
            if hashlib.sha256(content).hexdigest() == sha256:
                return content, "Keras's cache"
            instead = f" (the {Path(file).name} in its cache was not the original)"
    try:
        content = _download(_ORIGIN + Path(file).name)
    except Exception as error:
        raise OSError(f"the download failed: {error}{instead}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise OSError(f"the server sent {len(content):,} bytes that are not the original {Path(file).name}{instead}")
    return content, f"Keras's server{instead}{_keep(file, content)}"


def _caches():
    """Keras's folders: the usual one, and the one that it takes where that cannot be written."""
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    return Path(home, "datasets"), Path(tempfile.gettempdir(), ".keras", "datasets")


def _read_cached(path):
    """The bytes of the file, or None where there is none that can be read."""
    try:
        if not path.is_file():  # a named pipe would never end
            return None
        with open(path, "rb") as file:
            return file.read(_LARGEST_FILE)
    except OSError:
        return None


def _download(url):
    with urllib.request.urlopen(url, timeout=DOWNLOAD_PATIENCE_SECONDS) as response:
        return response.read(_LARGEST_FILE)


def _keep(file, content):
    """Put the file into the first cache that takes it. Returns "", or in words why none did."""
    reasons = []
    for cache in _caches():
        try:
            _write_whole(cache / file, content)
            return ""
        except OSError as error:
            reasons.append(error.strerror or str(error))
    return f" (not kept in its cache: {reasons[0]})"


def _write_whole(path, content):
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


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
    return dict(zip(data_files.KEYS, (x_train, y_train, x_test, y_test)))


def _read_idx(content):
    """The uint8 array of a gzipped IDX file: its fourth byte is the rank, then come the lengths, each in four bytes."""
    content = gzip.decompress(content)
    rank = content[3]
    shape = np.frombuffer(content, ">u4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _check_arrays(arrays, what):
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        problem = None
        if x.ndim != 3 or x.shape[1:] != (SIDE, SIDE) or x.dtype != np.uint8:
            problem = f"x_{part} is {x.dtype} of shape {x.shape}; it must be uint8 of shape (n, {SIDE}, {SIDE})"
        elif y.ndim != 1 or y.dtype.kind not in "iu":
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


def describe(data, asked, why):
    classes = len(np.union1d(data.y_train, data.y_test))
    few = f", {classes} of {len(data.class_names)} classes" if classes < len(data.class_names) else ""
    line = (
        f"{data.name}: {len(data.x_train):,} training and {len(data.x_test):,} test images, "
        f"{data.image_shape[0]}×{data.image_shape[1]}{few}, from {data.source}"
    )
    return f"{line} (NOT {asked}: {why})" if why else line
