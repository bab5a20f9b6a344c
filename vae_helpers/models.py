"""How an encoder and a decoder train together: `Autoencoder` and `VAE`, on Keras's compile, fit and evaluate."""

import math

import keras
from keras import ops

from vae_helpers.losses import bernoulli_nll, check_pixels, gaussian_kl, squared_error

# exp(±20) is the widest variance a float32 model can need; beyond it training can only run into infinity.
LOG_VAR_LIMIT = 20.0

# Training steps per call into TensorFlow. Keras 3.6 loses the last steps of an epoch where they do not fill a call.
STEPS_PER_EXECUTION = 1 if keras.__version__.startswith("3.6.") else 20


class _EncoderDecoder(keras.Model):
    """What both models share: the two networks, the checks, decoding, saving."""

    code_heads = 1

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        _check_networks(encoder, decoder, self.code_heads)
        self.encoder = encoder
        self.decoder = decoder
        self.image_shape = tuple(encoder.input_shape[1:])
        self.latent_dim = decoder.input_shape[-1]
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction")
        self.built = True

    def compile(self, optimizer="adam", steps_per_execution=STEPS_PER_EXECUTION, **kwargs):
        """As `keras.Model.compile`, without a loss: the model brings its own.

        steps_per_execution: training steps per call into TensorFlow. The default, 20, saves a fifth to a half
            of the time of small networks, and shows progress twenty steps at a time.
        """
        super().compile(optimizer=optimizer, steps_per_execution=steps_per_execution, **kwargs)

    def compile_from_config(self, config):
        """Called when a saved model is loaded; Keras asks for it where `compile` is overridden."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, *args, **kwargs):
        """As `keras.Model.fit`; x and validation_data are images (batch, height, width, channels) in [0, 1]."""
        self._check_images(x, "x")
        self._check_images(kwargs.get("validation_data"), "validation_data")
        return super().fit(x, *args, **kwargs)

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
        return ops.convert_to_numpy(ops.sigmoid(self.decoder(z)))

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


@keras.saving.register_keras_serializable(package="vae_helpers")
class Autoencoder(_EncoderDecoder):
    """An encoder with one output (the code) and a decoder, trained to give the image back.

    encoder: (batch, height, width, channels) → code (batch, latent_dim), built with variational=False.
    decoder: (batch, latent_dim) → logits (batch, height, width, channels).
    reconstruction: "squared_error" of the pixel means, or "bernoulli", the cross-entropy that `VAE` uses too.

    `loss` is `reconstruction`, summed over pixels and averaged over the batch (plus regularizers of the networks).
    Raises ValueError for networks that do not fit together or an unknown reconstruction.
    """

    def __init__(self, encoder, decoder, reconstruction="squared_error", **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        if reconstruction not in ("squared_error", "bernoulli"):
            raise ValueError(f"reconstruction is {reconstruction!r}; it must be 'squared_error' or 'bernoulli'.")
        self.reconstruction = reconstruction

    def call(self, x):
        """Images → a dict of the code (batch, latent_dim) and the logits (batch, height, width, channels)."""
        code = self.encoder(x)
        return {"code": code, "logits": self.decoder(code)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if self.reconstruction == "bernoulli":
            reconstruction = bernoulli_nll(x, y_pred["logits"])
        else:
            reconstruction = squared_error(x, ops.sigmoid(y_pred["logits"]))
        self.reconstruction_tracker.update_state(reconstruction)
        return ops.mean(reconstruction) + sum(self.losses)

    def encode(self, x):
        """Images (batch, height, width, channels) → codes (batch, latent_dim)."""
        self._check_images(x, "x")
        return self.encoder(x)

    def reconstruct(self, x):
        """Images → pixel means in [0, 1] of the same shape, as a numpy array."""
        return self.decode(self.encode(x))

    def get_config(self):
        return {**super().get_config(), "reconstruction": self.reconstruction}


@keras.saving.register_keras_serializable(package="vae_helpers")
class VAE(_EncoderDecoder):
    """A variational autoencoder with a Bernoulli likelihood and the prior N(0, I).

    encoder: (batch, height, width, channels) → [mean, log_var], each (batch, latent_dim).
    decoder: (batch, latent_dim) → logits (batch, height, width, channels).
    beta: the weight of the KL term; 1 gives the negative ELBO.

    `loss` = `reconstruction` + beta · `kl`, in nats per image: summed over pixels and over latents, averaged over
    the batch, with one sample of z per image (plus regularizers of the networks).
    Raises ValueError for networks that do not fit together or a beta that is negative or not finite.
    Source: Kingma & Welling (2014), equations 7 and 10; beta from Higgins et al., beta-VAE (2017), equation 4.
    """

    code_heads = 2

    def __init__(self, encoder, decoder, beta=1.0, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        if not (beta >= 0 and math.isfinite(beta)):
            raise ValueError(f"beta is {beta}; it must be a finite number, 0 or more.")
        self._beta = float(beta)
        self.seed_generator = keras.random.SeedGenerator()
        self.kl_tracker = keras.metrics.Mean(name="kl")

    @property
    def beta(self):
        """The weight of the KL term; fixed when the model is made, because training compiles it in."""
        return self._beta

    def call(self, x):
        """Images → a dict of mean, log_var (batch, latent_dim) and the logits decoded from one sample of z."""
        mean, log_var = self._posterior(x)
        return {"mean": mean, "log_var": log_var, "logits": self.decoder(self.reparameterize(mean, log_var))}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        reconstruction = bernoulli_nll(x, y_pred["logits"])
        kl = gaussian_kl(y_pred["mean"], y_pred["log_var"])
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)
        return ops.mean(reconstruction) + self.beta * ops.mean(kl) + sum(self.losses)

    def reparameterize(self, mean, log_var):
        """One sample z = mean + exp(log_var / 2) · ε per row, ε ~ N(0, I) new at each call. Same shape as mean."""
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * noise

    def reseed(self, seed):
        """Restart the model's noise: after the same seed come the same samples. seed: an integer from 0."""
        self.seed_generator.state.assign([seed, 0])

    def encode(self, x):
        """Images (batch, height, width, channels) → mean and log_var of q(z|x), each (batch, latent_dim)."""
        self._check_images(x, "x")
        return self._posterior(x)

    def _posterior(self, x):
        mean, log_var = self.encoder(x)
        return mean, ops.clip(log_var, -LOG_VAR_LIMIT, LOG_VAR_LIMIT)

    def reconstruct(self, x):
        """Images → pixel means in [0, 1] of the same shape, as a numpy array; decoded from the mean, without noise."""
        return self.decode(self.encode(x)[0])

    def sample(self, n, seed=None):
        """Pixel means (n, height, width, channels) of n draws of z from the prior N(0, I), as a numpy array.

        seed: an integer for the same images each time; without one the model's own noise continues.
        These are the means of p(x|z), not draws from it: drawn pixels would each be 0 or 1.
        """
        seed = self.seed_generator if seed is None else seed
        return self.decode(keras.random.normal((n, self.latent_dim), seed=seed))

    def get_config(self):
        return {**super().get_config(), "beta": self.beta}
