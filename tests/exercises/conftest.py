"""What the tests of the checks do otherwise than all tests."""

import random

import matplotlib.pyplot as plt
import numpy as np
import pytest
from keras.src.random.seed_generator import global_seed_generator

import vae_helpers as vh


@pytest.fixture(autouse=True, scope="module")
def one_seed_for_tensorflow():
    """A new seed makes TensorFlow forget its operations: to make them again takes longer than a check."""
    vh.run_settings(seed=0)


@pytest.fixture(autouse=True)
def same_start():
    """Every test starts from the same seed, but for tf.random, and without figures."""
    plt.close("all")
    random.seed(0)
    np.random.seed(0)
    global_seed_generator().state.assign([0, 0])
