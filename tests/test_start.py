"""Training that starts at the mean image: what the biases give, and what is refused."""

import functools
import math

import keras
import numpy as np
import pytest
from keras import layers

import vae_helpers as vh

NO_CODE = np.zeros((1, 2))
MNIST = (28, 28, 1)


def mlp(nll=vh.bernoulli_nll, image_shape=MNIST):
    encoder, decoder = vh.mlp_encoder(image_shape, 2, (8,)), vh.mlp_decoder(image_shape, 2, (8,))
    return vh.VAE(encoder, decoder, nll=nll)


def clipped(images):
    return np.clip(images.mean(axis=0), 0.003, 0.997)


def test_before_any_code_a_dense_decoder_gives_the_mean_image(digits):
    vae = mlp()
    vh.start_at_the_mean(vae, digits)
    np.testing.assert_allclose(vae.decode(NO_CODE)[0], clipped(digits), atol=1e-5)


def test_the_first_dense_layer_subtracts_the_mean_image(digits):
    vae = mlp()
    vh.start_at_the_mean(vae, digits)
    first = vae.encoder.get_layer("hidden_1")
    before_relu = digits.reshape(len(digits), -1) @ first.kernel.numpy() + first.bias.numpy()
    np.testing.assert_allclose(before_relu.mean(axis=0), 0, atol=1e-5)


def test_a_convolution_gives_the_mean_of_each_channel():
    rng = np.random.default_rng(0)
    images = np.clip(rng.random((20, 8, 8, 3)) * [0.2, 0.6, 1.0], 0, 1).astype("float32")
    encoder, decoder = (make((8, 8, 3), 2, filters=(4,)) for make in (vh.conv_encoder, vh.conv_decoder))
    vae = vh.VAE(encoder, decoder)
    before = [weight.copy() for weight in encoder.get_weights()]
    vh.start_at_the_mean(vae, images)
    np.testing.assert_allclose(vae.decode(NO_CODE).mean(axis=(0, 1, 2)), images.mean(axis=(0, 1, 2)), atol=0.02)
    for old, new in zip(before, encoder.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_an_autoencoder_starts_there_too(digits):
    model = vh.Autoencoder(vh.mlp_encoder(MNIST, 2, (8,), variational=False), vh.mlp_decoder(MNIST, 2, (8,)))
    vh.start_at_the_mean(model, digits)
    np.testing.assert_allclose(model.decode(NO_CODE)[0], clipped(digits), atol=1e-5)


@pytest.mark.parametrize("nll", [functools.partial(vh.gaussian_nll, log_var=-2.0), vh.squared_error])
def test_where_the_output_is_the_mean_the_bias_is_the_mean_image(digits, nll):
    vae, images = mlp(nll), 3 * digits - 1
    vh.start_at_the_mean(vae, images)
    np.testing.assert_allclose(vae.decode(NO_CODE)[0], images.mean(axis=0), atol=1e-5)


def test_it_saves_nats_at_the_start(digits):
    losses = {}
    for name in ("grey", "mean"):
        keras.utils.set_random_seed(0)
        vae = mlp()
        if name == "mean":
            vh.start_at_the_mean(vae, digits)
        vae.compile()
        losses[name] = vae.evaluate(digits, verbose=0, return_dict=True)["loss"]
    assert losses["mean"] < losses["grey"] - 200


def test_a_trained_model_is_left_alone(digits):
    vae = mlp()
    vae.compile()
    vae.fit(digits, batch_size=len(digits), verbose=0)
    before = vae.get_weights()
    with pytest.raises(ValueError, match="last bias is not 0, so vae is trained"):
        vh.start_at_the_mean(vae, digits)
    for old, new in zip(before, vae.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_so_is_the_one_that_comes_with_the_package(digits):
    with pytest.raises(ValueError, match="last bias is not 0"):
        vh.start_at_the_mean(vh.trained_vae(), digits)


@pytest.mark.parametrize(
    "images, message",
    [
        (None, "images is missing"),
        ("digits", "images is a str"),
        (np.zeros((0, 28, 28, 1), "float32"), "images has no image"),
        (np.zeros((2, 28, 28), "float32"), "images has shape"),
        (np.full((2, 28, 28, 1), 255.0), "images"),
        (np.full((2, 28, 28, 1), math.nan), "images"),
    ],
)
def test_images_that_cannot_be_read_are_refused(images, message):
    vae = mlp()
    before = vae.get_weights()
    with pytest.raises(ValueError, match=message):
        vh.start_at_the_mean(vae, images)
    for old, new in zip(before, vae.get_weights()):
        np.testing.assert_array_equal(old, new)


def decoder(*last):
    z = keras.Input((2,))
    x = layers.Dense(8)(z)
    for layer in last:
        x = layer(x)
    return keras.Model(z, x)


@pytest.mark.parametrize(
    "last",
    [
        [layers.Dense(784, use_bias=False, name="last"), layers.Reshape(MNIST)],
        [layers.Dense(49), layers.Reshape((7, 7, 1)), layers.UpSampling2D(4)],
        [layers.Dense(784), layers.BatchNormalization(name="last"), layers.Reshape(MNIST)],
    ],
)
def test_a_decoder_without_such_a_bias_is_refused(digits, last):
    vae = vh.VAE(vh.mlp_encoder(MNIST, 2, (8,)), decoder(*last))
    with pytest.raises(ValueError, match=r"the decoder's last layer with parameters.*Dense\(784\)"):
        vh.start_at_the_mean(vae, digits)


def test_a_likelihood_with_another_mean_is_refused(digits):
    with pytest.raises(ValueError, match="likelihood"):
        vh.start_at_the_mean(mlp(vh.continuous_bernoulli_nll), digits)


@pytest.mark.parametrize("vae", [None, "vae", vh.mlp_decoder(MNIST, 2)])
def test_what_is_no_model_is_refused(digits, vae):
    with pytest.raises(ValueError, match=r"vae is a .*vh\.VAE"):
        vh.start_at_the_mean(vae, digits)
