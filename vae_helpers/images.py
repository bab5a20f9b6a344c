"""`load_images`: real images as float32 arrays, and where they came from."""

import difflib
import gzip
import hashlib
import io
import numbers
import os
import tempfile
import time
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from vae_helpers import data_files, settings

SIDE = 28
_DIGIT_NAMES = tuple("0123456789")
DATA_SETS = {  # the names that each loader knows, with their classes
    "load_images": {
        "mnist": _DIGIT_NAMES,
        "fashion_mnist": (
            "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        "digits": _DIGIT_NAMES,
    },
    "load_colour_images": {
        "patches": ("china", "flower"),
        "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    },
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

    x_train, x_valid, x_test: float32 (n, height, width, channels), pixels in [0, 1]; 0 or 1 only where binarized.
    y_train, y_valid, y_test: int64 (n,), indices into class_names.
    name: the data set these arrays really hold. source: where they came from, in a few words.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple
    name: str
    source: str

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return self.x_train.shape[1:]


def load_images(name, binarize=None, seed=0, validation=0):
    """Load "mnist", "fashion_mnist" or "digits", and print one line that says what was loaded, from where.

    The sources, in this order: the folder named by the environment variable VAE_HELPERS_DATA (mnist.npz and
    fashion_mnist.npz with Keras's keys: x_train, y_train, x_test, y_test; uint8 images, labels from 0 to 9); where it
    lacks the file, the line says what it holds, and the search goes on;
    Keras's own cache, and its server, where only the original files are taken (SHA-256); the digits that come with
    scikit-learn (1797 handwritten digits, 8×8, enlarged to 28×28). The quick profile always takes the digits.

    binarize: None keeps grey pixels; "threshold" makes a pixel 1 above 0.5; "stochastic" makes it 1 with its
        grey value as the probability, drawn once.
    seed: an integer, for "stochastic".
    validation: how many training images to keep apart, for choices: always the last ones, as x_valid and y_valid.
        They are then not in x_train; their pixels are the same either way. On the quick profile, and where the digits
        stand in, it is at most a fifth of the training images: the line says how many.

    Returns an Images. Raises ValueError for an unknown name or binarize, a validation that is no whole number or leaves
    nothing to train on, a folder that does not exist, or a file in it that cannot be used.
    """
    check_arguments("load_images", name, validation)
    if binarize not in (None, "threshold", "stochastic"):
        raise ValueError(f"binarize is {binarize!r}; it must be None, 'threshold' or 'stochastic'.")
    rng = np.random.default_rng(seed)

    def finish(pixels):
        if binarize == "threshold":
            return (pixels > 0.5).astype("float32")
        if binarize == "stochastic":
            return (rng.random(pixels.shape, dtype="float32") < pixels).astype("float32")
        return pixels

    return load(name, (SIDE, SIDE, 1), ("digits", "scikit-learn", _digits), _from_keras, validation, finish)


def check_arguments(loader, name, validation):
    """Refuse a name that this loader does not know, and a `validation` that is no whole number."""
    if not isinstance(name, str) or name not in DATA_SETS[loader]:
        calls = {data_files.plain(each): f'vh.{one}("{each}")' for one, names in DATA_SETS.items() for each in names}
        meant = difflib.get_close_matches(data_files.plain(str(name)), calls, n=1, cutoff=0.7)
        remedy = f"Do you mean {calls[meant[0]]}? " if meant else ""
        raise ValueError(f"{loader} knows no {name!r}. {remedy}Known: {', '.join(DATA_SETS[loader])}.")
    if not isinstance(validation, numbers.Integral) or isinstance(validation, bool) or validation < 0:
        raise ValueError(
            f"validation is {validation!r}; it must be a whole number from 0 up, how many of the training images are "
            "kept apart: validation=5000."
        )


def load(name, shape, stand_in, from_keras, validation, finish=lambda pixels: pixels):
    """What both loaders do: find the arrays, make pixels of them, keep some apart, and print the line.

    shape: (height, width, channels). stand_in: name, source and the function of the set that needs no network.
    from_keras: a function of the name that gives arrays and source. finish: called with the pixels of each part.
    """
    arrays, found, source, remark = _find(name, shape, stand_in, from_keras)
    x, x_test = (finish(arrays[key].reshape(-1, *shape).astype("float32") / 255) for key in ("x_train", "x_test"))
    y, y_test = (arrays[key].reshape(-1).astype(np.int64) for key in ("y_train", "y_test"))
    if found != name or settings.profile() == "quick":
        validation = min(validation, len(x) // 5)
    left = len(x) - validation
    if left < 1:
        raise ValueError(
            f"validation is {validation}, and {found} has {len(x)} training images: none is left to train on. "
            f"Take fewer, such as validation={len(x) // 10}."
        )
    class_names = next(names[found] for names in DATA_SETS.values() if found in names)
    data = Images(x[:left], y[:left], x[left:], y[left:], x_test, y_test, class_names, found, source)
    if found != name:
        settings.note_stand_in(name)
    print(_describe(data) + remark)
    return data


def _find(name, shape, stand_in, from_keras):
    """The raw arrays, the data set that they are, their source, and what else there is to say, in brackets."""
    other, where, make = stand_in
    if name == other:
        return make(), other, where, ""
    if settings.profile() == "quick":
        return make(), other, where, f" (NOT {name}: the quick profile takes them in place of {name})"
    folder, lack = data_files.folder(), ""
    if folder:
        path = folder / f"{name}.npz"
        if os.path.isfile(path):
            return data_files.read(path, shape), name, "the folder in VAE_HELPERS_DATA", ""
        lack = data_files.what_is_there(path)
    try:
        arrays, source = from_keras(name)
        return arrays, name, source, f" ({lack})" if lack else ""
    except Exception as error:  # no network, a proxy's page instead of the file, a damaged file: all mean "not here"
        reason = data_files.in_a_line(error) or type(error).__name__
        why = f"they stand in for {name}, which Keras could not bring: {reason}"
        return make(), other, where, f" (NOT {name}: {why}{lack and '; '}{lack})"


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
    reads a part, and it leaves behind a file that failed the comparison. Nor is pooch: where it is killed it leaves its
    draft behind, where no disk can be written it gives nothing, it reads a named pipe without end, and its bar goes
    to stderr. Here nothing is written before the comparison, and what is compared is what is used.
    """
    instead = ""
    for cache in caches():
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


def caches():
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
    """The bytes behind an address. Until they are there, one line, written over each time, says how far it is."""
    content, shown, name = bytearray(), time.monotonic(), url.rsplit("/", 1)[-1]
    _write_over(f"{name}: asking the server")
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_PATIENCE_SECONDS) as response:
            of_all = f" of {response.length / 1e6:.1f}" if response.length else ""
            while len(content) < _LARGEST_FILE and (piece := response.read1(2**16)):
                content += piece
                if time.monotonic() - shown > 0.2:
                    _write_over(f"{name}: downloaded {len(content) / 1e6:.1f}{of_all} MB")
                    shown = time.monotonic()
    finally:
        _write_over("")
        print(end="\r")
    return bytes(content)


def _write_over(words):
    print(f"\r{words:<70}", end="", flush=True)


def _keep(file, content):
    """Put the file into the first cache that takes it. Returns "", or in words why none did."""
    reasons = []
    for cache in caches():
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


def _describe(data):
    counts = [f"{len(data.x_train):,} training", f"{len(data.x_valid):,} validation", f"{len(data.x_test):,} test"]
    if len(data.x_valid) == 0:
        del counts[1]
    classes = len(np.unique(np.concatenate([data.y_train, data.y_valid, data.y_test])))
    few = f", {classes} of {len(data.class_names)} classes" if classes < len(data.class_names) else ""
    return (
        f"{data.name}: {', '.join(counts[:-1])} and {counts[-1]} images, "
        f"{data.image_shape[0]}×{data.image_shape[1]}{few}, from {data.source}"
    )
