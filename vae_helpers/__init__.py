"""Models, losses, data and figures of the course. Lessons write `import vae_helpers as vh`."""

# ruff: noqa: I001 - settings comes first: it imports TensorFlow quietly
from vae_helpers.settings import expect, run_settings
from vae_helpers.images import load_images
from vae_helpers.losses import bernoulli_nll, gaussian_kl, gaussian_log_prob, squared_error
from vae_helpers.networks import conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from vae_helpers.models import VAE, Autoencoder
from vae_helpers.plots import (
    latent_grid,
    plot_architecture,
    plot_clouds,
    plot_history,
    plot_images,
    plot_latent_scatter,
    plot_manifold,
    plot_reconstructions,
)

__all__ = [
    "VAE",
    "Autoencoder",
    "bernoulli_nll",
    "conv_decoder",
    "conv_encoder",
    "expect",
    "gaussian_kl",
    "gaussian_log_prob",
    "latent_grid",
    "load_images",
    "mlp_decoder",
    "mlp_encoder",
    "plot_architecture",
    "plot_clouds",
    "plot_history",
    "plot_images",
    "plot_latent_scatter",
    "plot_manifold",
    "plot_reconstructions",
    "run_settings",
    "squared_error",
]
