"""The checks behind the exercises: `vh.check.<exercise>(your_function)`.

Each check says what holds, or names the mistake. It never raises, and never shows the solution. The right values are
computed here once more, in numpy and float64, not by the functions of the package that the exercises are about.

`vh.check.progress()` prints which exercises of this notebook are right, wrong or not yet; with a name and a file, it
writes them down for a teacher.
"""

from vae_helpers.exercises.lesson_01 import draw_fitted, pca_reconstruct, squared_error, walk
from vae_helpers.exercises.lesson_02 import bernoulli_nll, reparameterize, train_step
from vae_helpers.exercises.lesson_03 import effective_beta, elbo_of_one_draw, gaussian_kl, kl_between
from vae_helpers.exercises.lesson_04 import binarize, convolve, transposed_size
from vae_helpers.exercises.lesson_05 import active_latents, great_circle, grid_codes, mixture_log_density
from vae_helpers.exercises.lesson_06 import (
    fool_the_mig,
    free_bits_kl,
    mutual_information_gap,
    price_of_a_nat,
    warm_up_weight,
)
from vae_helpers.exercises.lesson_07 import best_variance, bits_per_pixel, importance_bound, log_normalizer
from vae_helpers.exercises.lesson_08 import auroc, chain_step, class_probabilities, seen_nll
from vae_helpers.exercises.lesson_09 import bits_per_dimension, device_share, nearest_code
from vae_helpers.exercises.lesson_10 import clean_code, counted_nats, perplexity
from vae_helpers.exercises.verdicts import progress as progress

__all__ = [
    "active_latents",
    "auroc",
    "bernoulli_nll",
    "best_variance",
    "binarize",
    "bits_per_dimension",
    "bits_per_pixel",
    "chain_step",
    "class_probabilities",
    "clean_code",
    "convolve",
    "counted_nats",
    "device_share",
    "draw_fitted",
    "effective_beta",
    "elbo_of_one_draw",
    "fool_the_mig",
    "free_bits_kl",
    "gaussian_kl",
    "great_circle",
    "grid_codes",
    "importance_bound",
    "kl_between",
    "log_normalizer",
    "mixture_log_density",
    "mutual_information_gap",
    "nearest_code",
    "pca_reconstruct",
    "perplexity",
    "price_of_a_nat",
    "reparameterize",
    "seen_nll",
    "squared_error",
    "train_step",
    "transposed_size",
    "walk",
    "warm_up_weight",
]
