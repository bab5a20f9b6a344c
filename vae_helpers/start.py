"""Where a training starts: at the mean image, instead of at grey."""

import keras
import numpy as np
from keras import ops

from vae_helpers.inputs import check_images
from vae_helpers.training import EncoderDecoder

# A pixel that is 0 in all images would have the logit -infinity.
LOWEST_PROBABILITY = 0.003


def start_at_the_mean(vae, images):
    """Set two biases of an untrained model, so that training need not learn the mean image.

    The bias of the decoder's last layer becomes the mean image (of a convolution, which has one bias for each channel:
    the mean of the channel), as logits or as it is, by the likelihood. So this is what the decoder gives before the
    code tells it anything. Where the encoder begins with a Dense layer that reads all pixels, its bias is set so that
    the mean image is subtracted from what it reads.

    vae: a VAE or an Autoencoder, not trained yet.
    images: the training images, (n, height, width, channels), or enough of them for a mean.

    Returns nothing. Raises ValueError for a vae that is no model of the package, that is trained (its last bias is not
    0), whose decoder ends in a layer without such a bias, or whose likelihood wants neither logits nor means; and for
    images that it cannot read. Nothing is changed then.
    Source of the decoder's bias: Burda et al., Importance Weighted Autoencoders (2016), section 5.
    """
    if not isinstance(vae, EncoderDecoder):
        raise ValueError(f"vae is a {type(vae).__name__}; it must be a model: vh.VAE(encoder, decoder).")
    check_images(images, vae.image_shape, name="images", pixels=vae.pixels)
    if len(images) == 0:
        raise ValueError("images has no image: the mean needs at least one, such as data.x_train.")
    mean = np.asarray(images, "float64").mean(axis=0)
    last_bias = _last_bias(vae.decoder, mean)
    pixels = mean.ravel() if last_bias.shape[0] == mean.size else mean.reshape(-1, last_bias.shape[0]).mean(axis=0)
    last_bias.assign(_output_for(vae, pixels))
    first = _layers_with_weights(vae.encoder)[0]
    if isinstance(first, keras.layers.Dense) and first.use_bias and first.kernel.shape[0] == mean.size:
        first.bias.assign(-mean.ravel() @ ops.convert_to_numpy(first.kernel))


def _layers_with_weights(network):
    return [layer for layer in network.layers if layer.weights]


def _last_bias(decoder, mean):
    """The bias that the decoder adds at its very end, one number for each pixel or for each channel, still 0."""
    last, channels = _layers_with_weights(decoder)[-1], mean.shape[-1]
    bias, activation = getattr(last, "bias", None), getattr(last, "activation", None)
    if bias is None or activation is not keras.activations.linear or bias.shape[0] not in (mean.size, channels):
        raise ValueError(
            f"the decoder's last layer with parameters is {last.name!r}, {type(last).__name__}; it needs a bias for "
            f"each of the {mean.size} pixels or of the {channels} channels, and no activation: end the decoder in "
            f"layers.Dense({mean.size}) and layers.Reshape({mean.shape}), or in layers.Conv2DTranspose({channels}, "
            "3, padding='same')."
        )
    if np.any(ops.convert_to_numpy(bias)):
        raise ValueError(
            "the decoder's last bias is not 0, so vae is trained, or has started at a mean already, and this would "
            "spoil it: build the model again, then write vh.start_at_the_mean(vae, images), then fit."
        )
    return bias


def _output_for(vae, mean):
    """The output of the decoder from which the model makes this mean."""
    clipped = np.clip(mean, LOWEST_PROBABILITY, 1 - LOWEST_PROBABILITY)
    for output, wanted in ((np.log(clipped / (1 - clipped)), clipped), (mean, mean)):
        if np.allclose(ops.convert_to_numpy(vae._mean_of(output)), wanted, atol=1e-4):
            return output
    raise ValueError(
        "the likelihood of this model makes its mean neither of logits by the sigmoid nor takes it as it is, so the "
        "output that gives the mean image is not known: leave start_at_the_mean out."
    )
