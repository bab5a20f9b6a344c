"""A model that comes with the package, so that everybody looks at the same map."""

from pathlib import Path

import numpy as np

from vae_helpers.models import VAE
from vae_helpers.networks import conv_decoder, conv_encoder

WEIGHTS = Path(__file__).parent / "weights" / "conv_vae.npz"


def tutorial_vae():
    """The network of lesson 04, untrained: two convolutions, 2 latents, 69,989 parameters, for 28×28×1 images."""
    shape = (28, 28, 1)
    encoder = conv_encoder(shape, latent_dim=2, filters=(32, 64), padding="valid", dense=())
    return VAE(encoder, conv_decoder(shape, latent_dim=2, filters=(64, 32), start_filters=32))


def trained_vae():
    """The same network, trained on thresholded MNIST (`python -m benchmarks.trained_vae`): a VAE, not compiled.

    The file holds numbers only, in half precision; nothing of it is run. To train one yourself:
    vae = tutorial_vae(); vae.compile("adam"); vae.fit(images, epochs=10, batch_size=64).
    """
    vae = tutorial_vae()
    with np.load(WEIGHTS) as file:  # without pickle, so it cannot hold code
        vae.set_weights([file[f"w{i}"].astype("float32") for i in range(len(vae.weights))])
    return vae
