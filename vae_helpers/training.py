"""What Keras needs of both models: compile, fit, evaluate, batches, several devices, saving."""

import keras
import tensorflow as tf
from keras import ops

from vae_helpers.losses import at_least_float32, check_pixels
from vae_helpers.watch import Mean, Watch

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


class EncoderDecoder(keras.Model):
    """What both models share: the two networks, the checks, decoding, saving."""

    code_heads = 1

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        _check_networks(encoder, decoder, self.code_heads)
        self.encoder = encoder
        self.decoder = decoder
        self.image_shape = tuple(encoder.input_shape[1:])
        self.latent_dim = decoder.input_shape[-1]
        self.reconstruction_tracker = Mean("reconstruction")
        self.built = True

    def compile(self, optimizer="adam", steps_per_execution=STEPS_PER_EXECUTION, **kwargs):
        """As `keras.Model.compile`, without a loss: the model brings its own.

        steps_per_execution: training steps per call into TensorFlow. The default, 20, saves a fifth to a half
            of the time of small networks, and shows progress twenty steps at a time. With several devices, and with
            PyTorch, it is always 1, because Keras fails with more.

        For several devices (tf.distribute) build and compile the model in the strategy's scope; `batch_size` is what
        they share. Where they cannot share it evenly, as in a ragged last batch, each device still counts the same in
        that step. Raises RuntimeError for several devices with Keras below 3.10.
        """
        if self._replicas > 1 and _KERAS < (3, 10):
            # 3.6 and 3.7 add the losses up and report the first device; 3.8 and 3.9 average with wrong weights.
            raise RuntimeError(
                f"Keras {keras.__version__} reports a wrong loss for {self._replicas} devices: install keras 3.10 or "
                "newer, or leave the strategy's scope."
            )
        if self._replicas > 1 or keras.backend.backend() == "torch":
            steps_per_execution = 1
        super().compile(optimizer=optimizer, steps_per_execution=steps_per_execution, **kwargs)

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
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

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

    def compile_from_config(self, config):
        """Called when a saved model is loaded; Keras asks for it where `compile` is overridden."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, **kwargs):
        """As `keras.Model.fit`; x and validation_data are images (batch, height, width, channels) in [0, 1].

        A loss that is infinite or not a number ends it: FloatingPointError says at which step, and what to do.
        Stopped by hand (Ctrl-C, or the stop button of a notebook), it prints how far it came and raises
        KeyboardInterrupt, so that the cells below do not run. Either way `history` has the epochs that were finished.

        A callback may have a method `before_fit(model, arguments)`, which may change what Keras is given.
        """
        self._check_images(x, "x")
        self._check_images(kwargs.get("validation_data"), "validation_data")
        callbacks, watch = keras.tree.flatten(callbacks or []), Watch()
        arguments = {"x": x, "y": y, "batch_size": batch_size, "epochs": epochs, "verbose": verbose, **kwargs}
        arguments["callbacks"] = [watch, *callbacks]  # first, so that no other sees, or keeps, a bad epoch
        for callback in callbacks:
            if hasattr(callback, "before_fit"):
                callback.before_fit(self, arguments)
        self.history = keras.callbacks.History()  # Keras puts its own in this place, but not at once
        try:
            return super().fit(**arguments)
        except KeyboardInterrupt:
            print(f"\nStopped by hand {watch.place()}. The model keeps what it learned.")
            raise

    def evaluate(self, x=None, *args, **kwargs):
        """As `keras.Model.evaluate`; x are images (batch, height, width, channels) in [0, 1]."""
        self._check_images(x, "x")
        return super().evaluate(x, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`: what `call` returns, computed batch by batch, as numpy arrays."""
        self._check_images(x, "x")
        return super().predict(x, *args, **kwargs)

    def decode(self, z):
        """Codes (batch, latent_dim) → pixel means in [0, 1], (batch, height, width, channels), as a numpy array."""
        z = ops.convert_to_tensor(z, dtype=self.decoder.inputs[0].dtype)
        if len(z.shape) != 2 or z.shape[-1] != self.latent_dim:
            raise ValueError(f"z has shape {tuple(z.shape)}; this model decodes (batch, {self.latent_dim}).")
        return ops.convert_to_numpy(ops.sigmoid(at_least_float32(self.decoder(z))))

    def _check_images(self, x, name):
        if hasattr(x, "element_spec"):  # a tf.data.Dataset: its first batch stands for all
            x = next(iter(x))
        if isinstance(x, (tuple, list)):
            x = x[0]
        if not hasattr(x, "shape"):
            return
        if tuple(x.shape[1:]) != self.image_shape or len(x.shape) != 4:
            expected = ", ".join(map(str, ("batch", *self.image_shape)))
            raise ValueError(
                f"{name} has shape {tuple(x.shape)}; this model reads ({expected}). "
                "One image needs a batch axis, x[None]; grey images need a channel axis, x[..., None]."
            )
        check_pixels(x, name)

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


def _check_networks(encoder, decoder, heads):
    outputs = len(encoder.outputs)
    if outputs != heads:
        expected = "mean and log_var (variational=True)" if heads == 2 else "one code (variational=False)"
        raise ValueError(f"the encoder has {outputs} output(s); this model needs {expected}.")
    codes, z = encoder.outputs[0].shape[-1], decoder.input_shape[-1]
    if codes != z:
        raise ValueError(
            f"the encoder gives {codes} latents and the decoder takes {z}: build both with one latent_dim."
        )
    images, logits = tuple(encoder.input_shape[1:]), tuple(decoder.output_shape[1:])
    if images != logits:
        raise ValueError(
            f"the encoder reads images {images} and the decoder gives {logits}: build both with one image_shape."
        )
