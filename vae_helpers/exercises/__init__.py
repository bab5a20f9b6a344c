"""The checks behind the exercises: `vh.check.<exercise>(your_function)`.

Each check says what holds, or names the mistake. It never raises, and never shows the solution. The right values are
computed here once more, in numpy and float64, not by the functions of the package that the exercises are about.
"""

from vae_helpers.exercises.lesson_01 import draw_fitted, pca_reconstruct, squared_error, walk
from vae_helpers.exercises.lesson_02 import bernoulli_nll, reparameterize, train_step
from vae_helpers.exercises.lesson_03 import effective_beta, elbo_of_one_draw, gaussian_kl, kl_between
from vae_helpers.exercises.lesson_04 import binarize, convolve, transposed_size
from vae_helpers.exercises.lesson_05 import active_latents, great_circle, grid_codes

__all__ = [
    "active_latents",
    "bernoulli_nll",
    "binarize",
    "convolve",
    "draw_fitted",
    "effective_beta",
    "elbo_of_one_draw",
    "gaussian_kl",
    "great_circle",
    "grid_codes",
    "kl_between",
    "pca_reconstruct",
    "reparameterize",
    "squared_error",
    "train_step",
    "transposed_size",
    "walk",
]
