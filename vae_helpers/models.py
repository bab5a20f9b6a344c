"""How an encoder and a decoder train together: `Autoencoder` and `VAE`, on Keras's compile, fit and evaluate."""

import math

import keras
from keras import ops

from vae_helpers.losses import at_least_float32, bernoulli_nll, gaussian_kl, squared_error
from vae_helpers.training import EncoderDecoder, replica
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
            reconstruction = squared_error(x, ops.sigmoid(at_least_float32(y_pred["logits"])))
        self.reconstruction_tracker.update_state(reconstruction)
        return self._share(ops.mean(reconstruction) + sum(self.losses), x)

    def encode(self, x):
        """Images (batch, height, width, channels) → codes (batch, latent_dim)."""
        self._check_images(x, "x")
        return at_least_float32(self.encoder(x))

    def reconstruct(self, x):
        """Images → pixel means in [0, 1] of the same shape, as a numpy array."""
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
        -log p(x|z) in nats, (batch,): for example `continuous_bernoulli_nll`. To save the model, it must be a function
        of the package or registered with Keras (`keras.saving.register_keras_serializable`).

    `loss` = `reconstruction` + beta · `kl`, in nats per image: summed over pixels and over latents, averaged over
    the batch, with one sample of z per image (plus regularizers of the networks). In evaluation and validation this
    holds always: warm_up and free_bits are ways to train, and no model is judged by them. In training they change
    what is minimized, so there `loss` has the other weight, or the free bits, in it; `kl` stays the true KL.
    Raises ValueError for networks that do not fit together, or a beta, warm_up or free_bits that is negative or not
    finite.
    Source: Kingma & Welling (2014), equations 7 and 10; beta from Higgins et al., beta-VAE (2017), equation 4;
    warm-up from Bowman et al., Generating Sentences from a Continuous Space (2016), and Sønderby et al., Ladder VAEs
    (2016); free bits from Kingma et al., Inverse Autoregressive Flow (2016), its appendix on free bits.
    """

    code_heads = 2

    def __init__(self, encoder, decoder, beta=1.0, nll=bernoulli_nll, warm_up=0, free_bits=0.0, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        if not callable(nll):
            raise ValueError(f"nll is {nll!r}; it must be a function of images and logits, such as vh.bernoulli_nll.")
        self.nll = nll
        for name, value in (("beta", beta), ("warm_up", warm_up), ("free_bits", free_bits)):
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{name} is {value}; it must be a finite number, 0 or more.")
        self._beta, self._warm_up, self._free_bits = float(beta), int(warm_up), float(free_bits)
        self.seed_generator = keras.random.SeedGenerator()
        self.kl_tracker = Mean("kl")

    @property
    def beta(self):
        """The weight of the KL term; fixed when the model is made, because training compiles it in."""
        return self._beta

    def call(self, x):
        """Images → a dict of mean, log_var (batch, latent_dim) and the logits decoded from one sample of z."""
        mean, log_var = self._posterior(x)
        return {"mean": mean, "log_var": log_var, "logits": self.decoder(self.reparameterize(mean, log_var))}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        reconstruction = self.nll(x, y_pred["logits"])
        if len(reconstruction.shape) != 1:
            raise ValueError(
                f"nll gives an array of shape {tuple(reconstruction.shape)}; it must give one number per image, "
                "(batch,): sum over height, width and channels."
            )
        kl = gaussian_kl(y_pred["mean"], y_pred["log_var"])
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)
        if training and (self._warm_up or self._free_bits):
            weight = ops.cast(self._weight_now(), kl.dtype)
            kl_term = weight * self._kl_with_free_bits(y_pred["mean"], y_pred["log_var"])
        else:
            kl_term = self.beta * ops.mean(kl)
        return self._share(ops.mean(reconstruction) + kl_term + sum(self.losses), x)

    def _weight_now(self):
        """beta, or less of it during the warm-up. From the optimizer's count: a callback sees every 20th step only."""
        if not self._warm_up:
            return self.beta
        if keras.backend.backend() == "jax":
            raise ValueError("warm_up needs the optimizer's count, which JAX hides in training: leave it out, at 0.")
        return self.beta * ops.minimum(ops.cast(iterations(self.optimizer), "float32") / self._warm_up, 1.0)

    def _kl_with_free_bits(self, mean, log_var):
        of_latents = ops.mean(gaussian_kl(mean[..., None], log_var[..., None]), axis=0)
        return ops.sum(ops.maximum(of_latents, self._free_bits))

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
        """Images (batch, height, width, channels) → mean and log_var of q(z|x), each (batch, latent_dim)."""
        self._check_images(x, "x")
        return self._posterior(x)

    def _posterior(self, x):
        mean, log_var = map(at_least_float32, self.encoder(x))
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
        return {
            **super().get_config(),
            "beta": self.beta,
            "warm_up": self._warm_up,
            "free_bits": self._free_bits,
            "nll": keras.saving.serialize_keras_object(self.nll),
        }

    @classmethod
    def from_config(cls, config):
        if "nll" in config:  # files from before there was a choice have none
            config["nll"] = keras.saving.deserialize_keras_object(config["nll"])
        return super().from_config(config)
