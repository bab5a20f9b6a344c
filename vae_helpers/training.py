"""What Keras needs of both models: compile, fit, evaluate, batches, several devices, saving."""

import contextlib
import math
import numbers
import operator
import types
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_helpers import inputs
from vae_helpers.losses import at_least_float32
from vae_helpers.watch import PixelMean, Watch, ask_before_stopping

# Training steps per call into TensorFlow. Keras 3.6 loses the last steps of an epoch where they do not fill a call.
STEPS_PER_EXECUTION = 1 if keras.__version__.startswith("3.6.") else 20

_KERAS = tuple(map(int, keras.__version__.split(".")[:2]))


def replica():
    """Which of the devices of tf.distribute this runs on, from 0."""
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context else 0


def _on_one_of_several_workers():
    strategy = tf.distribute.get_strategy()
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return several and not tf.distribute.in_cross_replica_context()


def number(value, name, whole=False, remedy=""):
    """value as a plain float, or int if whole. Raises ValueError unless it is a finite number, 0 or more."""
    plain = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    if not plain or not math.isfinite(value) or value < 0 or (whole and value % 1):
        kind = "a whole number" if whole else "a finite number"
        shown = repr(value) if not plain else value
        raise ValueError(f"{name} is {shown}; it must be {kind}, 0 or more.{remedy}")
    return int(value) if whole else float(value)


def fixed(name, remedy=""):
    """A property that reads `_name` and refuses to be set: training has compiled its value in."""

    def refuse(self, value):
        raise AttributeError(
            f"{name} is fixed when the model is made, because training compiles it in: build the model again with "
            f"{name}={value!r}.{remedy}"
        )

    return property(lambda self: getattr(self, f"_{name}"), refuse, doc=f"The argument {name}; fixed.")


class EncoderDecoder(keras.Model):
    """What both models share: the two networks, the doors, training, decoding, saving."""

    code_heads = 1

    def __init__(self, encoder, decoder, mean, pixels, **kwargs):
        super().__init__(**kwargs)
        inputs.check_networks(encoder, decoder, self.code_heads, mean)
        self.encoder = encoder
        self.decoder = decoder
        self.image_shape = tuple(encoder.input_shape[1:])
        self.latent_dim = decoder.input_shape[-1]
        self.pixels = pixels
        self._mean_of = mean
        self.reconstruction_tracker = PixelMean("reconstruction", pixels)
        self.built = True

    @property
    def input_shape(self):
        return (None, *self.image_shape)

    def build(self, input_shape=None):
        """Record the shape that `export` and TFLite ask for; the networks are built already."""

    # Training

    def compile(self, optimizer="adam", steps_per_execution=STEPS_PER_EXECUTION, **kwargs):
        """As `keras.Model.compile`, without loss and metrics: the model brings its own.

        steps_per_execution: training steps per call into TensorFlow. The default, 20, saves a fifth to a half
            of the time of small networks, and shows progress twenty steps at a time: a callback of yours for each
            batch is called after each twentieth, unless you give 1. With several devices, and with PyTorch, it is
            always 1, because Keras fails with more.

        For several devices (tf.distribute) build and compile the model in the strategy's scope; `batch_size` is what
        they share. Where they cannot share it evenly, as in a ragged last batch, each device still counts the same in
        that step. Raises RuntimeError for several devices with Keras below 3.10, ValueError for a loss or metrics.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise ValueError(f"compile got {name}={kwargs[name]!r}; {_INSTEAD[name.removeprefix('weighted_')]}")
        if self._replicas > 1 and _KERAS < (3, 10):
            # 3.6 and 3.7 add the losses up and report the first device; 3.8 and 3.9 average with wrong weights.
            raise RuntimeError(
                f"Keras {keras.__version__} reports a wrong loss for {self._replicas} devices: install keras 3.10 or "
                "newer, or leave the strategy's scope."
            )
        if self._replicas > 1 or keras.backend.backend() == "torch":
            steps_per_execution = 1
        super().compile(optimizer=optimizer, steps_per_execution=steps_per_execution, **kwargs)

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, **kwargs):
        """As `keras.Model.fit`; x are images (batch, height, width, channels), numbers that the likelihood allows.

        x: an array, a tf.data.Dataset, a PyDataset or a generator; the last three give images, (images, y) or
            (images, y, sample_weight). Pixels of any dtype will do; they are cast once. Every batch is looked at.
        y: where it has the shape of the images, it is what is to be reconstructed from x: noisy images in, clean ones
            out. Anything else are labels, which are not used. Without y, x is reconstructed.
        sample_weight: a number for each image, which multiplies its loss. class_weight: one for each class, by labels
            y that are whole numbers. The reported terms are weighted too, so that they still add up.
        validation_data: images, (images, y) or (images, y, sample_weight), or a source like x.

        A loss that is infinite or not a number ends it: FloatingPointError says at which step, and what to do. Pixels
        that the likelihood does not allow end it with ValueError, which says in which batch.
        Stopped by hand (Ctrl-C, or the stop button of a notebook), it ends after the step under way, prints how far
        it came and raises KeyboardInterrupt, so that the cells below do not run. (The second Ctrl-C does not wait.)
        In every case `history` has the epochs that were finished, and the model can be trained again.

        A callback may have a method `before_fit(model, arguments)`, which may change what Keras is given.
        """
        x, y = self._check_given(x, y, kwargs, "x", "y")
        if kwargs.get("validation_data") is not None:
            kwargs["validation_data"] = self._check_validation(kwargs["validation_data"])
        callbacks, watch = keras.tree.flatten(callbacks or []), Watch()
        arguments = {"x": x, "y": y, "batch_size": batch_size, "epochs": epochs, "verbose": verbose, **kwargs}
        arguments["callbacks"] = [watch, *callbacks]  # first, so that no other sees, or keeps, a bad epoch
        for callback in callbacks:
            if hasattr(callback, "before_fit"):
                callback.before_fit(self, arguments)
        self.history = keras.callbacks.History()  # Keras puts its own in this place, but not at once
        self.build((None, *self.image_shape))
        self._build_optimizer()
        try:
            with ask_before_stopping(watch), self._fresh_after_a_failure():
                return super().fit(**arguments)
        except KeyboardInterrupt:
            print(f"\nStopped by hand {watch.place()}. The model keeps what it learned.")
            raise

    def evaluate(
        self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, steps=None, callbacks=None, **kwargs
    ):
        """As `keras.Model.evaluate`; x, y and sample_weight as for `fit`."""
        if "_use_cached_eval_dataset" not in kwargs:  # else `fit` calls it, and has looked
            given = {"sample_weight": sample_weight}
            x, y = self._check_given(x, y, given, "x", "y")
            sample_weight = given["sample_weight"]
            callbacks = [Watch(), *keras.tree.flatten(callbacks or [])]
        with self._fresh_after_a_failure():
            return super().evaluate(x, y, batch_size, verbose, sample_weight, steps, callbacks, **kwargs)

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`: what `call` returns, computed batch by batch, as numpy arrays."""
        problems = []

        def checked():
            try:
                for images in inputs.image_batches(x, self.image_shape, "x", self.pixels):
                    yield (images,)
            except ValueError as problem:  # from inside of Keras it would come as an error of the graph
                problems.append(problem)

        streams = hasattr(x, "element_spec") or isinstance(x, (types.GeneratorType, keras.utils.PyDataset))
        if not isinstance(x, types.GeneratorType):
            inputs.check_source(x, self.image_shape, "x", self.pixels)
        outputs = super().predict(checked() if streams else x, *args, **kwargs)
        if problems:
            raise problems[0]
        return outputs

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """As `keras.Model.train_on_batch`; the arguments as for `fit`."""
        x, y, sample_weight = self._check_batch(x, y, sample_weight, class_weight)
        self._build_optimizer()
        with self._fresh_after_a_failure():
            return super().train_on_batch(x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """As `keras.Model.test_on_batch`; the arguments as for `fit`."""
        x, y, sample_weight = self._check_batch(x, y, sample_weight)
        with self._fresh_after_a_failure():
            return super().test_on_batch(x, y, sample_weight, return_dict)

    def predict_on_batch(self, x):
        """As `keras.Model.predict_on_batch`."""
        self._check_images(x, "x")
        return super().predict_on_batch(x)

    # What is given

    def _check_images(self, x, name):
        inputs.check_images(x, self.image_shape, name, self.pixels)

    def _check_given(self, x, y, options, x_name, y_name):
        """x and y as Keras is to be given them; the weights in options, where there are any, are checked in place."""
        x = inputs.check_source(x, self.image_shape, x_name, self.pixels)
        if not hasattr(x, "shape"):
            return x, y  # a source that gives y and the weights too; Keras refuses a second y
        class_weight, weight = options.get("class_weight"), options.get("sample_weight")
        y = inputs.check_targets(y, x.shape[0], self.image_shape, self.pixels, class_weight, y_name)
        if weight is not None:
            options["sample_weight"] = inputs.check_sample_weight(weight, x.shape[0])
        return x, x if y is None and weight is not None else y  # Keras finds the weights beside targets only

    def _check_validation(self, data):
        if not isinstance(data, (tuple, list)):
            return self._check_given(data, None, {}, "validation_data", "y")[0]
        if len(data) not in (1, 2, 3) or (len(data) > 1 and np.ndim(data[0]) < 2):
            inputs.check_images(data, self.image_shape, "validation_data", self.pixels)
        x, y, weight = (*data, None, None)[:3]
        options = {"sample_weight": weight}
        x, y = self._check_given(x, y, options, "validation_data", "the y of validation_data")
        weight = options["sample_weight"]
        return (x, x if y is None else y, weight)[: 2 if weight is None else 3]

    def _check_batch(self, x, y, sample_weight, class_weight=None):
        self._check_images(x, "x")
        y = inputs.check_targets(y, x.shape[0], self.image_shape, self.pixels, class_weight)
        return x, y, inputs.check_sample_weight(sample_weight, x.shape[0])

    def _target_and_weight(self, x, y, sample_weight, output):
        """Inside a step: the images to compare with, in the dtype of the output, and the weight of each image."""
        images = ops.cast(inputs.target(x, y, self.image_shape), at_least_float32(output).dtype)
        self.reconstruction_tracker.look_at(x, images)
        if sample_weight is None:
            return images, 1.0
        shape = sample_weight.shape
        # No rank: Keras has joined the shapes of several calls.
        if getattr(shape, "rank", 1) is None or math.prod(shape[1:]) != 1:
            raise ValueError(f"sample_weight has shape {shape}; give one number for each image, (n,) in every call.")
        return images, ops.reshape(ops.cast(sample_weight, images.dtype), (-1,))

    # Keras

    def _build_optimizer(self):
        """Outside of a graph, so that a step which fails while it is traced leaves no half of it behind."""
        if getattr(self, "optimizer", None) is not None and not self.optimizer.built:
            strategy = getattr(self, "distribute_strategy", None)
            with strategy.scope() if strategy else contextlib.nullcontext():
                self.optimizer.build(self.trainable_variables)

    @contextlib.contextmanager
    def _fresh_after_a_failure(self):
        """Forget the functions that Keras compiled when something is raised: one may be traced in part only."""
        try:
            yield
        except BaseException:
            self.train_function = self.test_function = self.predict_function = None
            raise

    @property
    def _replicas(self):
        """How many devices share each batch: more than 1 under tf.distribute."""
        strategy = getattr(self, "distribute_strategy", None)  # models of other backends have none
        return strategy.num_replicas_in_sync if strategy else 1

    def _maybe_symbolic_build(self, **kwargs):
        try:
            super()._maybe_symbolic_build(**kwargs)
        except tf.errors.InvalidArgumentError:
            # To learn a shape that these models know, Keras averages the first batch over the devices. That fails
            # where their shares differ.
            self._build_optimizer()

    def _share(self, loss, x):
        """What one device adds to the loss of a step. Keras adds up the gradients of all devices.

        The loss that is reported Keras multiplies by their number again. A device that got no image of a ragged batch
        has the mean of nothing, NaN.
        """
        if self._replicas == 1:
            return loss
        return ops.where(ops.shape(x)[0] > 0, loss, ops.zeros_like(loss)) / self._replicas

    def get_metrics_result(self):
        """As `keras.Model.get_metrics_result`."""
        results = super().get_metrics_result()
        if _on_one_of_several_workers():
            # Keras averages what the workers report over an axis that a scalar lacks (tensorflow#72388).
            results = {name: ops.expand_dims(value, 0) for name, value in results.items()}
        return results

    # Decoding

    def decode(self, z):
        """Codes (batch, latent_dim) → the means of p(x|z), (batch, *image_shape), as a numpy array.

        For a Bernoulli likelihood, the default, these are pixel means in [0, 1].
        """
        z = ops.convert_to_tensor(z, dtype=self.decoder.inputs[0].dtype)
        if len(z.shape) != 2 or z.shape[-1] != self.latent_dim:
            raise ValueError(f"z has shape {tuple(z.shape)}; this model decodes (batch, {self.latent_dim}).")
        return np.concatenate([self._decode(z[i : i + inputs.ROWS]) for i in range(0, max(len(z), 1), inputs.ROWS)])

    def _decode(self, z):
        output = at_least_float32(self.decoder(z, training=False))
        return ops.convert_to_numpy(self._mean_of(output))

    def _batches(self, x):
        return inputs.image_batches(x, self.image_shape, "x", self.pixels)

    # Saving

    def save(self, filepath, *args, **kwargs):
        """As `keras.Model.save`, to a file that ends in .keras. A fresh process loads it after import vae_helpers."""
        if Path(str(filepath)).suffix in (".h5", ".hdf5"):
            raise ValueError(f"filepath is {str(filepath)!r}; write save({Path(str(filepath)).stem + '.keras'!r}).")
        self.get_config()  # it refuses what could not be loaded, before a file is there
        super().save(filepath, *args, **kwargs)

    def export(self, filepath, *args, **kwargs):
        """As `keras.Model.export`. (For TFLite, a whole VAE needs tf.lite.OpsSet.SELECT_TF_OPS: it draws noise.)"""
        self.build((None, *self.image_shape))
        self(ops.zeros((1, *self.image_shape)))  # Keras asks for a model that was called
        super().export(filepath, *args, **kwargs)

    def compile_from_config(self, config):
        """Called when a saved model is loaded; Keras asks for it where `compile` is overridden."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self._build_optimizer()

    def get_config(self):
        networks = {"encoder": self.encoder, "decoder": self.decoder}
        return {
            "name": self.name,
            **{name: keras.saving.serialize_keras_object(network) for name, network in networks.items()},
        }

    @classmethod
    def from_config(cls, config):
        networks = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in ("encoder", "decoder")}
        return cls(**networks, **config)


_INSTEAD = {
    "loss": "the model brings its own. Choose it when you build: VAE(…, nll=vh.squared_error), beta=…, or "
    "Autoencoder(…, reconstruction='bernoulli'); for another one override compute_loss.",
    "loss_weights": "the weight of the KL is VAE(…, beta=…); that of each image is fit(…, sample_weight=…).",
    "metrics": "the model reports loss, its terms, and what a subclass adds. Measure others after training: "
    "keras.metrics.MeanSquaredError()(x, vae.reconstruct(x)).",
}


def joined(batches):
    """The tensors of all batches as one. A single one is returned as it is: it may be a symbol in a graph."""
    return batches[0] if len(batches) == 1 else ops.concatenate(batches)


def whole(value, name):
    """value as a plain int of at least 1. Raises ValueError for others."""
    try:
        value = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, 1 or more.") from None
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be a whole number, 1 or more.")
    return value
