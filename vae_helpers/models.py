"""The mathematics of the course: what an `Autoencoder` and a `VAE` compute, and the losses that train them.

How Keras trains, saves and feeds them stands in training.py.
"""

import inspect

import keras
from keras import ops

from vae_helpers import inputs
from vae_helpers.losses import at_least_float32, bernoulli_nll, gaussian_kl, squared_error
from vae_helpers.training import EncoderDecoder, fixed, joined, number, replica, whole
from vae_helpers.watch import Mean, iterations

# exp(±20) is the widest variance a float32 model can need; beyond it training can only run into infinity.
LOG_VAR_LIMIT = 20.0


@keras.saving.register_keras_serializable(package="vae_helpers")
class Autoencoder(EncoderDecoder):
    """An encoder with one output (the code) and a decoder, trained to give the image back.

    encoder: (batch, height, width, channels) → code (batch, latent_dim), built with variational=False.
    decoder: (batch, latent_dim) → logits (batch, height, width, channels).
    reconstruction: "squared_error" of the pixel means, or "bernoulli", the cross-entropy that `VAE` uses too.

    `loss` is `reconstruction`, summed over pixels and averaged over the batch (plus regularizers of the networks).
    Raises ValueError for networks that do not fit together or an unknown reconstruction.
    """

    def __init__(self, encoder, decoder, reconstruction="squared_error", **kwargs):
        super().__init__(encoder, decoder, mean=ops.sigmoid, pixels=(0.0, 1.0), **kwargs)
        if reconstruction not in ("squared_error", "bernoulli"):
            raise ValueError(f"reconstruction is {reconstruction!r}; it must be 'squared_error' or 'bernoulli'.")
        self._reconstruction = reconstruction

    reconstruction = fixed("reconstruction")

    def call(self, x, training=None):
        """Images → a dict of the code (batch, latent_dim) and the logits (batch, height, width, channels)."""
        code = self.encoder(x, training=training)
        return {"code": code, "logits": self.decoder(code, training=training)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        logits = at_least_float32(y_pred["logits"])
        target, weight = self._target_and_weight(x, y, sample_weight, logits)
        if self.reconstruction == "bernoulli":
            reconstruction = weight * bernoulli_nll(target, logits)
        else:
            reconstruction = weight * squared_error(target, ops.sigmoid(logits))
        self.reconstruction_tracker.update_state(reconstruction)
        return self._share(ops.mean(reconstruction) + sum(self.losses), x)

    def encode(self, x):
        """Images (batch, height, width, channels), or a Dataset of them → codes (batch, latent_dim)."""
        return joined([at_least_float32(self.encoder(images, training=False)) for images in self._batches(x)])

    def reconstruct(self, x):
        """Images, or a Dataset of them → pixel means in [0, 1] of the same shape, as a numpy array."""
        return self.decode(self.encode(x))

    def get_config(self):
        return {**super().get_config(), "reconstruction": self.reconstruction}


@keras.saving.register_keras_serializable(package="vae_helpers")
class VAE(EncoderDecoder):
    """A variational autoencoder with the prior N(0, I) and, unless you choose another, a Bernoulli likelihood.

    encoder: (batch, height, width, channels) → [mean, log_var], each (batch, latent_dim).
    decoder: (batch, latent_dim) → logits (batch, height, width, channels).
    beta: the weight of the KL term; 1 gives the negative ELBO.
    warm_up: training steps during which that weight rises evenly from 0 to beta; 0 for none. The optimizer counts the
        steps: a second `fit` goes on where the first one stopped, and a new optimizer begins again.
    free_bits: nats of KL that each latent may have without paying more. In the loss, the KL of a latent, averaged
        over the batch, counts as free_bits where it is smaller. 0 for none.
    nll: the likelihood, as a function of images and decoder outputs, (batch, height, width, channels) each, that gives
        -log p(x|z) in nats, (batch,): for example `continuous_bernoulli_nll`. A function of your own says by
        `vh.likelihood` what its mean is. To save the model, it must be a function of the package or registered with
        Keras (`keras.saving.register_keras_serializable`).

    `loss` = `reconstruction` + beta · `kl`, in nats per image: summed over pixels and over latents, averaged over
    the batch, with one sample of z per image (plus regularizers of the networks). In evaluation and validation this
    holds always: warm_up and free_bits are ways to train, and no model is judged by them. In training they change
    what is minimized, so there `loss` has the other weight, or the free bits, in it; `kl` stays the true KL.
    Images may be of any shape that the networks read: a table with rows of 4 numbers trains too, figures need images.
    Raises ValueError for networks that do not fit together or that Keras cannot look into, a decoder that ends in a
    sigmoid where the likelihood takes logits, an nll without a mean, or a beta, warm_up or free_bits that is not a
    plain number, negative, or not finite.
    Source: Kingma & Welling (2014), equations 7 and 10; beta from Higgins et al., beta-VAE (2017), equation 4;
    warm-up from Bowman et al., Generating Sentences from a Continuous Space (2016), and Sønderby et al., Ladder VAEs
    (2016); free bits from Kingma et al., Inverse Autoregressive Flow (2016), its appendix on free bits.
    """

    code_heads = 2

    def __init__(self, encoder, decoder, beta=1.0, nll=bernoulli_nll, warm_up=0, free_bits=0.0, **kwargs):
        mean, pixels = inputs.check_nll(nll)
        super().__init__(encoder, decoder, mean, pixels, **kwargs)
        self._nll = nll
        rising = " For a weight that rises in training: VAE(…, beta=1.0, warm_up=1000), in steps."
        self._beta = number(beta, "beta", remedy=rising)
        self._warm_up = number(warm_up, "warm_up", whole=True)
        self._free_bits = number(free_bits, "free_bits")
        self.seed_generator = keras.random.SeedGenerator()
        self.kl_tracker = Mean("kl")

    nll = fixed("nll")
    beta = fixed("beta", " For a weight that rises in training: VAE(…, beta=1.0, warm_up=1000), in steps.")
    warm_up = fixed("warm_up")
    free_bits = fixed("free_bits")

    def call(self, x, training=None):
        """Images → a dict of mean, log_var (batch, latent_dim) and the logits decoded from one sample of z."""
        mean, log_var = self._posterior(x, training)
        z = self.reparameterize(mean, log_var)
        return {"mean": mean, "log_var": log_var, "logits": self.decoder(z, training=training)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        target, weight = self._target_and_weight(x, y, sample_weight, y_pred["logits"])
        reconstruction = self.nll(target, y_pred["logits"])
        if len(reconstruction.shape) != 1:
            raise ValueError(
                f"nll gives an array of shape {tuple(reconstruction.shape)}; it must give one number per image, "
                "(batch,): sum over height, width and channels."
            )
        reconstruction = weight * reconstruction
        kl = weight * gaussian_kl(y_pred["mean"], y_pred["log_var"])
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)
        if training and (self.warm_up or self.free_bits):
            beta_now = ops.cast(self._beta_now(), kl.dtype)
            kl_term = beta_now * self._kl_with_free_bits(y_pred["mean"], y_pred["log_var"], weight)
        else:
            kl_term = self.beta * ops.mean(kl)
        return self._share(ops.mean(reconstruction) + kl_term + sum(self.losses), x)

    def _beta_now(self):
        """beta, or less of it during the warm-up. From the optimizer's count: a callback sees every 20th step only."""
        if not self.warm_up:
            return self.beta
        if keras.backend.backend() == "jax":
            raise ValueError("warm_up needs the optimizer's count, which JAX hides in training: leave it out, at 0.")
        return self.beta * ops.minimum(ops.cast(iterations(self.optimizer), "float32") / self.warm_up, 1.0)

    def _kl_with_free_bits(self, mean, log_var, weight):
        of_latents = ops.transpose(gaussian_kl(mean[..., None], log_var[..., None]))  # (latent_dim, batch)
        return ops.sum(ops.maximum(ops.mean(weight * of_latents, axis=1), self.free_bits))

    def reparameterize(self, mean, log_var):
        """One sample z = mean + exp(log_var / 2) · ε per row, ε ~ N(0, I) new at each call. Same shape as mean."""
        return mean + ops.exp(0.5 * log_var) * self._noise(mean)

    def _noise(self, like):
        if self._replicas == 1:
            return keras.random.normal(ops.shape(like), dtype=like.dtype, seed=self.seed_generator)
        # Keras would give the same values to all devices: so each draws those of all, and takes its own.
        shape = (self._replicas, *ops.shape(like))
        return keras.random.normal(shape, dtype=like.dtype, seed=self.seed_generator)[replica()]

    def reseed(self, seed):
        """Restart the model's noise: after the same seed come the same samples. seed: an integer from 0."""
        self.seed_generator.state.assign([seed, 0])

    def encode(self, x):
        """Images (batch, height, width, channels), or a Dataset of them → mean and log_var of q(z|x).

        Each is (batch, latent_dim). Computed batch by batch, without noise and with the networks at rest.
        """
        means, log_vars = zip(*(self._posterior(images) for images in self._batches(x)))
        return joined(means), joined(log_vars)

    def _posterior(self, x, training=False):
        mean, log_var = map(at_least_float32, self.encoder(x, training=training))
        return mean, ops.clip(log_var, -LOG_VAR_LIMIT, LOG_VAR_LIMIT)

    def reconstruct(self, x):
        """Images, or a Dataset of them → the means of p(x|z), as a numpy array; z is the mean of q(z|x), no noise."""
        return self.decode(self.encode(x)[0])

    def sample(self, n, seed=None):
        """The means of p(x|z) for n draws of z from the prior N(0, I), (n, height, width, channels), a numpy array.

        n: a whole number from 1. seed: an integer for the same images each time; without one the model's own noise
        continues. These are the means of p(x|z), not draws from it: drawn pixels would each be 0 or 1.
        """
        seed = self.seed_generator if seed is None else seed
        return self.decode(keras.random.normal((whole(n, "n"), self.latent_dim), seed=seed))

    def get_config(self):
        return {
            **super().get_config(),
            "beta": self.beta,
            "warm_up": self.warm_up,
            "free_bits": self.free_bits,
            "nll": keras.saving.serialize_keras_object(_registered(self.nll)),
        }

    @classmethod
    def from_config(cls, config):
        if "nll" in config:  # files from before there was a choice have none
            config["nll"] = keras.saving.deserialize_keras_object(config["nll"])
        return super().from_config(config)


def _registered(nll):
    """nll, if Keras will find it again when the model is loaded. Raises ValueError if not."""
    kind = nll if inspect.isfunction(nll) else type(nll)
    name = keras.saving.get_registered_name(kind)
    if keras.saving.get_registered_object(name) is not kind:
        raise ValueError(
            f"nll is {kind.__name__!r}, which Keras could not load again: write "
            "@keras.saving.register_keras_serializable() above its definition (a lambda needs a name: make it a "
            "function). Or save the networks alone: vae.save_weights(…), vae.encoder.save(…)."
        )
    return nll
