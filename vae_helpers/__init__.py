"""Models, losses, data and figures of the course. Lessons write `import vae_helpers as vh`."""

# ruff: noqa: I001 - settings comes first: it imports TensorFlow quietly
from vae_helpers.settings import expect, figures_compared, run_settings
from vae_helpers.oracle import tensorflow_probability
from vae_helpers.images import load_images
from vae_helpers.shapes import draw_shapes
from vae_helpers.colour_images import load_colour_images
from vae_helpers.losses import (
    bernoulli_nll,
    continuous_bernoulli_nll,
    gaussian_kl,
    gaussian_log_prob,
    gaussian_nll,
    likelihood,
    squared_error,
)
from vae_helpers.networks import (
    conv_decoder,
    conv_encoder,
    mlp_decoder,
    mlp_encoder,
    residual_decoder,
    residual_encoder,
)
from vae_helpers.models import VAE, Autoencoder
from vae_helpers.start import start_at_the_mean
from vae_helpers.trained import trained_vae, tutorial_vae
from vae_helpers.evaluation import (
    active_units,
    fill_in,
    frechet_distance,
    kl_per_dimension,
    log_likelihood,
    mixture_log_density,
    mutual_information,
    mutual_information_gap,
)
from vae_helpers.callbacks import Frames
from vae_helpers.resume import resumable
from vae_helpers.paths import great_circle, straight_line
from vae_helpers.plots import (
    latent_grid,
    mosaic,
    plot_architecture,
    plot_clouds,
    plot_history,
    plot_images,
    plot_latent_scatter,
    plot_machine,
    plot_manifold,
    plot_reconstructions,
)
from vae_helpers.animation import as_frame, check_writable, save_gif, show_gif
from vae_helpers.explorer import latent_explorer
from vae_helpers import exercises as check

__all__ = [
    "VAE",
    "Autoencoder",
    "Frames",
    "active_units",
    "as_frame",
    "bernoulli_nll",
    "check",
    "check_writable",
    "continuous_bernoulli_nll",
    "conv_decoder",
    "conv_encoder",
    "draw_shapes",
    "expect",
    "figures_compared",
    "fill_in",
    "frechet_distance",
    "gaussian_kl",
    "gaussian_log_prob",
    "gaussian_nll",
    "great_circle",
    "kl_per_dimension",
    "latent_explorer",
    "latent_grid",
    "likelihood",
    "load_colour_images",
    "load_images",
    "log_likelihood",
    "mixture_log_density",
    "mlp_decoder",
    "mlp_encoder",
    "mosaic",
    "mutual_information",
    "mutual_information_gap",
    "plot_architecture",
    "plot_clouds",
    "plot_history",
    "plot_images",
    "plot_latent_scatter",
    "plot_machine",
    "plot_manifold",
    "plot_reconstructions",
    "residual_decoder",
    "residual_encoder",
    "resumable",
    "run_settings",
    "save_gif",
    "show_gif",
    "squared_error",
    "start_at_the_mean",
    "straight_line",
    "tensorflow_probability",
    "trained_vae",
    "tutorial_vae",
]
