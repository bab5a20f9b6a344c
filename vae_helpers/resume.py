"""A training that survives being killed: `resumable`."""

import contextlib
import hashlib
import json
import math
import os
import re
import weakref
import zlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_helpers.settings import global_generator


def resumable(path):
    """A callback that keeps the state of a training in one file, so that the same code goes on where it was killed.

    path: the file, for example settings.saved("vae.run"); its folder is made. It is about three times as large as the
        weights, and written after each epoch.

        vae.fit(x, epochs=10, callbacks=[vh.resumable("vae.run")])

    Killed at any moment and started again, this ends in the same weights, bit for bit, and the same history as
    without the accident; the epoch that was under way is trained again. When all epochs are done, the same line
    returns at once, with the trained model and its history; with more epochs it goes on. Delete the file to train
    from the beginning.

    The file is replaced whole, or not at all. It belongs to one run: `fit` raises ValueError, with what to do, for a
    damaged file, and for one of another network, optimizer, seed, set of images, batch size or more epochs. The order
    of the images follows from the start of the run and the number of the epoch, so it is not that of a `fit` without
    resumable. `fit` then takes an array, not a Dataset, and no callback that remembers past epochs by itself
    (EarlyStopping, ReduceLROnPlateau). A film (`Frames`) has the pictures since the last start only.
    """
    return _Resumable(path)


# What `fit` may be given besides the images. The rest (steps_per_epoch, …) has a state that the file lacks.
_KNOWN = ("batch_size", "epochs", "verbose", "callbacks", "validation_batch_size", "validation_freq", "shuffle")
_FORGETFUL = (keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau)
_FORMAT = 1

# Which runs a model has begun in this process, {model: {path: start}}: it need not look as at their start any more.
_begun = weakref.WeakKeyDictionary()


class _Resumable(keras.callbacks.History):
    """See `resumable`. A History: Keras takes it for the run's own, and `fit` returns it.

    keras.callbacks.BackupAndRestore keeps the weights and the optimizer, but neither the noise (SeedGenerator) nor the
    order of the images nor the history. It writes two files in place, one after the other, and resumes any model.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)
        self._header = None

    def before_fit(self, model, arguments):
        """Check, restore, and put the images in the order of each epoch. Changes the arguments of `fit` in place."""
        if getattr(model, "optimizer", None) is None:
            return  # Keras says next that `compile` is missing
        _refuse_what_cannot_be_restored(arguments)
        strategy = getattr(model, "distribute_strategy", None)  # of TensorFlow; its variables belong in its scope
        with strategy.scope() if strategy else contextlib.nullcontext():
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
        run, start = _describe_run(model, arguments), _start(model)
        if self.path.exists():
            header, values = _read(self.path)
            self._refuse_another(model, header, run, start, arguments["epochs"])
            _begin(model, self.path, header)
            _restore(model, values)
            rest = "goes on" if header["epochs"] < arguments["epochs"] else "nothing is left to train"
            print(f"{self.path}: {header['epochs']} of {arguments['epochs']} epochs are trained; {rest}.")
        else:
            order = zlib.crc32(json.dumps(start).encode())  # another start, another order
            header = {"format": _FORMAT, "run": run, "start": start, "order": order, "epochs": 0, "history": {}}
            _begin(model, self.path, header)
            _write(self.path, header, model)  # now, so that a path that cannot be written does not cost an epoch
        self._header = header
        arguments["initial_epoch"] = self._next = header["epochs"]
        # The last one in the list sees what the others do to the logs and the learning rate.
        arguments["callbacks"] = [*(one for one in arguments["callbacks"] if one is not self), self]
        if arguments.get("shuffle", True):
            arguments["x"] = self._in_order(arguments["x"], run["batch size"])
            arguments["shuffle"] = False

    def _refuse_another(self, model, header, run, start, epochs):
        anew = f"Delete {self.path} to train from the beginning, or give resumable another path."
        for name, value in run.items():
            kept = header["run"][name]
            if value != kept:
                detail = f" ({kept} there, {value} here)" if len(f"{kept}{value}") < 200 else ""
                raise ValueError(f"{self.path} holds a run with another {name}{detail}. {anew}")
        if header["epochs"] > epochs:
            raise ValueError(f"{self.path} holds {header['epochs']} epochs, more than epochs={epochs}. {anew}")
        if _begun.get(model, {}).get(self.path.resolve()) != header["start"] and not _close(start, header["start"]):
            raise ValueError(
                f"{self.path} holds a run that began with another seed or other weights than this model has now. Run "
                f"everything from run_settings on again, so that the model starts as it did. {anew}"
            )

    def _in_order(self, x, batch_size):
        """The images in batches; in each epoch in another order, which follows from the run and the epoch alone."""

        # Keras shuffles by tf.random.shuffle in a Dataset, which gives the same order to all epochs of a seeded run.
        def order():
            return np.random.default_rng((self._header["order"], self._next)).permutation(len(x))

        def rows(_):
            numbers = tf.ensure_shape(tf.numpy_function(order, [], tf.int64), [len(x)])
            return tf.data.Dataset.from_tensor_slices(numbers).batch(batch_size)

        with tf.device("CPU"):
            images = tf.convert_to_tensor(x)
        batches = tf.data.Dataset.range(1).flat_map(rows)
        batches = batches.apply(tf.data.experimental.assert_cardinality(math.ceil(len(x) / batch_size)))
        return batches.map(lambda i: tf.gather(images, i), tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def on_train_begin(self, logs=None):
        if self._header is None:
            raise TypeError("resumable works with the models of this package: vh.VAE and vh.Autoencoder.")
        self.epoch = list(range(self._header["epochs"]))
        self.history = {name: list(values) for name, values in self._header["history"].items()}

    def on_epoch_begin(self, epoch, logs=None):
        self._next = epoch

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self._header.update(epochs=epoch + 1, history=self.history)
        _write(self.path, self._header, self.model)

    def on_train_end(self, logs=None):
        self._header = None


def _refuse_what_cannot_be_restored(arguments):
    if not hasattr(arguments["x"], "__array__"):
        kind = type(arguments["x"]).__name__
        raise ValueError(f"x is a {kind}; resumable needs an array, because the order in a {kind} cannot be restored.")
    given = {name for name, value in arguments.items() if value is not None}
    if unknown := sorted(given - {"x", "validation_data", *_KNOWN}):
        raise ValueError(f"resumable cannot restore what fit does with {', '.join(unknown)}: leave it out.")
    if arguments.get("shuffle", True) not in (True, False):
        raise ValueError(f"shuffle is {arguments['shuffle']!r}; with resumable it must be True or False.")
    for callback in arguments["callbacks"]:
        if isinstance(callback, _FORGETFUL):
            raise ValueError(
                f"{type(callback).__name__} remembers past epochs, and resumable cannot restore that: use one of both."
            )


def _begin(model, path, header):
    _begun.setdefault(model, {})[path.resolve()] = header["start"]


def _variables(model):
    """All that training changes, but for the metrics, which begin anew in each epoch."""
    return [*model.variables, *model.optimizer.variables, global_generator().state]


def _start(model):
    """A few values of each variable: enough to tell one seed from another, and the same on another processor."""
    first = [ops.convert_to_numpy(variable).ravel()[:4] for variable in _variables(model)]
    return [v for values in first for v in values.astype(int if values.dtype.kind in "iu" else float).tolist()]


def _close(start, kept):
    def equal(a, b):
        return a == b if isinstance(a, int) else math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-8)

    return all(map(equal, start, kept))


def _describe_run(model, arguments):
    """What must be the same in both processes, for JSON."""

    def config(thing):  # without the numbers that Keras adds to names: they count what was built before
        return re.sub(r"_\d+", "", json.dumps([type(thing).__name__, thing.get_config()], default=str))

    return {
        "network": config(model),
        "optimizer": config(model.optimizer),
        "set of variables": [[list(variable.shape), str(variable.dtype)] for variable in _variables(model)],
        "set of images": _describe(arguments["x"]),
        "batch size": arguments["batch_size"] or 32,
        "shuffle": arguments.get("shuffle", True),
        "validation": [_describe(arguments.get(f"validation_{name}")) for name in ("data", "batch_size", "freq")],
    }


def _describe(data):
    if isinstance(data, (tuple, list)):
        return [_describe(part) for part in data]
    if not hasattr(data, "__array__"):
        return repr(data)
    data = np.ascontiguousarray(ops.convert_to_numpy(data))
    return f"{data.shape} {data.dtype}, checksum {zlib.crc32(data):08x}"


def _write(path, header, model):
    """Write the file beside, then put it in the place of the old one: at every moment one of the two is whole."""
    values = b"".join(ops.convert_to_numpy(variable).tobytes() for variable in _variables(model))
    payload = json.dumps(header, default=float).encode() + b"\n" + values
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())  # the content must reach the disk before the name does
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _read(path):
    digest, _, payload = path.read_bytes().partition(b"\n")
    anew = f"Delete {path} to train from the beginning, or give resumable another path."
    if digest != hashlib.sha256(payload).hexdigest().encode():
        raise ValueError(f"{path} is damaged, or not a file of resumable. {anew}")
    header, _, values = payload.partition(b"\n")
    header = json.loads(header)
    if header["format"] != _FORMAT:
        raise ValueError(f"{path} comes from another version of resumable. {anew}")
    return header, values


def _restore(model, values):
    place = 0
    for variable in _variables(model):
        size = math.prod(variable.shape)
        array = np.frombuffer(values, variable.dtype, size, place).reshape(variable.shape)
        variable.assign(array)
        place += array.nbytes
