"""Every reference network, by layers, shapes and parameters counted here; and arguments that cannot work."""

import keras
import numpy as np
import pytest

import vae_helpers as vh

MNIST = (28, 28, 1)


def dense(inputs, outputs):
    return inputs * outputs + outputs


def conv(side, inputs, outputs):
    return side * side * inputs * outputs + outputs


def heads(inputs, latent_dim):
    return 2 * dense(inputs, latent_dim)


def trail(network):
    """(layer class, output shape) of each layer, in order, without the batch axis."""
    return [(type(layer).__name__, layer.output.shape[1:]) for layer in network.layers]


def kernels(network):
    """(kernel side, stride) of each convolution, in order."""
    convolutions = [layer for layer in network.layers if hasattr(layer, "kernel_size")]
    assert all(len(set(layer.kernel_size)) == len(set(layer.strides)) == 1 for layer in convolutions)
    return [(layer.kernel_size[0], layer.strides[0]) for layer in convolutions]


def activations(network):
    return [layer.activation.__name__ for layer in network.layers if hasattr(layer, "activation")]


@pytest.mark.parametrize(
    "hidden, latent_dim, encoder_count, decoder_count",
    [
        pytest.param((128,), 10, dense(784, 128) + heads(128, 10), dense(10, 128) + dense(128, 784), id="R1"),
        pytest.param((256,), 2, dense(784, 256) + heads(256, 2), dense(2, 256) + dense(256, 784), id="R2"),
        pytest.param(
            (512, 512),
            2,
            dense(784, 512) + dense(512, 512) + heads(512, 2),
            dense(2, 512) + dense(512, 512) + dense(512, 784),
            id="R4",
        ),
    ],
)
def test_mlp_of_the_references(hidden, latent_dim, encoder_count, decoder_count):
    encoder = vh.mlp_encoder(MNIST, latent_dim, hidden)
    decoder = vh.mlp_decoder(MNIST, latent_dim, hidden)
    widths = [("Dense", (width,)) for width in hidden]
    code = ("Dense", (latent_dim,))
    assert trail(encoder) == [("InputLayer", MNIST), ("Flatten", (784,)), *widths, code, code]
    assert trail(decoder) == [("InputLayer", (latent_dim,)), *widths, ("Dense", (784,)), ("Reshape", MNIST)]
    assert encoder.count_params() == encoder_count
    assert decoder.count_params() == decoder_count


def test_the_mlp_of_r4_is_the_default():
    assert vh.mlp_encoder(MNIST, 2).count_params() == dense(784, 512) + dense(512, 512) + heads(512, 2)
    assert vh.mlp_decoder(MNIST, 2).count_params() == dense(2, 512) + dense(512, 512) + dense(512, 784)


def r2_pair():
    encoder = vh.conv_encoder(
        MNIST, 2, filters=(1, 64, 64, 64), kernels=(2, 2, 3, 3), strides=(1, 2, 1, 1), dense=(128,)
    )
    decoder = vh.conv_decoder(
        MNIST,
        2,
        filters=(64, 64, 64),
        strides=(1, 1, 2),
        padding=("same", "same", "valid"),
        dense=(128,),
        last_kernel=2,
        last_padding="valid",
    )
    return encoder, decoder


def r3_pair():
    encoder = vh.conv_encoder(MNIST, 2, filters=(32, 64), padding="valid", dense=())
    return encoder, vh.conv_decoder(MNIST, 2, filters=(64, 32), start_filters=32)


def r5_pair():
    return vh.conv_encoder(MNIST, 2, filters=(32, 64), dense=(16,)), vh.conv_decoder(MNIST, 2, filters=(64, 32))


def test_deconvolutional_pair_of_r2():
    encoder, decoder = r2_pair()
    assert trail(encoder) == [
        ("InputLayer", MNIST),
        ("Conv2D", (28, 28, 1)),
        ("Conv2D", (14, 14, 64)),
        ("Conv2D", (14, 14, 64)),
        ("Conv2D", (14, 14, 64)),
        ("Flatten", (12544,)),
        ("Dense", (128,)),
        ("Dense", (2,)),
        ("Dense", (2,)),
    ]
    assert trail(decoder) == [
        ("InputLayer", (2,)),
        ("Dense", (128,)),
        ("Dense", (12544,)),
        ("Reshape", (14, 14, 64)),
        ("Conv2DTranspose", (14, 14, 64)),
        ("Conv2DTranspose", (14, 14, 64)),
        ("Conv2DTranspose", (29, 29, 64)),
        ("Conv2D", (28, 28, 1)),
    ]
    assert kernels(encoder) == [(2, 1), (2, 2), (3, 1), (3, 1)]
    assert kernels(decoder) == [(3, 1), (3, 1), (3, 2), (2, 1)]
    convolutions = conv(2, 1, 1) + conv(2, 1, 64) + 2 * conv(3, 64, 64)
    assert encoder.count_params() == convolutions + dense(12544, 128) + heads(128, 2)
    assert decoder.count_params() == dense(2, 128) + dense(128, 12544) + 3 * conv(3, 64, 64) + conv(2, 64, 1)


def test_convolutional_pair_of_r3():
    encoder, decoder = r3_pair()
    assert trail(encoder)[1:3] == [("Conv2D", (13, 13, 32)), ("Conv2D", (6, 6, 64))]
    assert trail(decoder)[1:] == [
        ("Dense", (7 * 7 * 32,)),
        ("Reshape", (7, 7, 32)),
        ("Conv2DTranspose", (14, 14, 64)),
        ("Conv2DTranspose", (28, 28, 32)),
        ("Conv2DTranspose", (28, 28, 1)),
    ]
    assert kernels(encoder) == [(3, 2), (3, 2)]
    assert kernels(decoder) == [(3, 2), (3, 2), (3, 1)]
    assert encoder.count_params() == conv(3, 1, 32) + conv(3, 32, 64) + heads(6 * 6 * 64, 2)
    assert decoder.count_params() == dense(2, 1568) + conv(3, 32, 64) + conv(3, 64, 32) + conv(3, 32, 1)


def test_convolutional_pair_of_r5():
    encoder, decoder = r5_pair()
    assert trail(encoder)[1:5] == [
        ("Conv2D", (14, 14, 32)),
        ("Conv2D", (7, 7, 64)),
        ("Flatten", (3136,)),
        ("Dense", (16,)),
    ]
    assert trail(decoder)[1:3] == [("Dense", (3136,)), ("Reshape", (7, 7, 64))]
    assert kernels(encoder) == [(3, 2), (3, 2)]
    assert kernels(decoder) == [(3, 2), (3, 2), (3, 1)]
    counted = conv(3, 1, 32) + conv(3, 32, 64) + dense(3136, 16) + heads(16, 2)
    assert encoder.count_params() == counted == 69_076
    counted = dense(2, 3136) + conv(3, 64, 64) + conv(3, 64, 32) + conv(3, 32, 1)
    assert decoder.count_params() == counted == 65_089


def mlp_pair():
    return vh.mlp_encoder(MNIST, 2, (8, 8)), vh.mlp_decoder(MNIST, 2, (8, 8))


@pytest.mark.parametrize("pair", [mlp_pair, r2_pair, r3_pair, r5_pair])
def test_only_heads_and_logits_are_linear(pair):
    encoder, decoder = pair()
    *body, mean, log_var = activations(encoder)
    assert set(body) == {"relu"} and mean == log_var == "linear"
    *body, logits = activations(decoder)
    assert set(body) == {"relu"} and logits == "linear"


@pytest.mark.parametrize("pair", [mlp_pair, r2_pair, r3_pair, r5_pair])
def test_every_pair_makes_a_vae(pair):
    vae = vh.VAE(*pair())
    assert vae(np.zeros((3, *MNIST), "float32"))["logits"].shape == (3, *MNIST)


@pytest.mark.parametrize("build", [vh.mlp_encoder, vh.conv_encoder])
def test_an_encoder_gives_mean_and_log_var_or_one_code(build):
    assert [head.name for head in build(MNIST, 3).layers[-2:]] == ["mean", "log_var"]
    assert len(build(MNIST, 3).outputs) == 2
    plain = build(MNIST, 3, variational=False)
    assert len(plain.outputs) == 1 and plain.output_shape == (None, 3)


def test_no_hidden_layers_give_a_linear_encoder():
    encoder = vh.mlp_encoder(MNIST, 2, hidden=(), variational=False)
    assert encoder.count_params() == dense(784, 2) and activations(encoder) == ["linear"]


def test_colour_images_of_32_by_32():
    shape = (32, 32, 3)
    for encoder, decoder in (
        (vh.mlp_encoder(shape, 4, (8,)), vh.mlp_decoder(shape, 4, (8,))),
        (vh.conv_encoder(shape, 4, (4, 8)), vh.conv_decoder(shape, 4, (8, 4))),
    ):
        assert encoder.input_shape[1:] == decoder.output_shape[1:] == shape
        assert [output.shape[1:] for output in encoder.outputs] == [(4,), (4,)]


@pytest.mark.parametrize(
    "build, arguments",
    [
        (vh.mlp_encoder, {"hidden": [8]}),
        (vh.mlp_decoder, {"hidden": [8]}),
        (vh.conv_encoder, {"filters": [4, 8], "dense": [8]}),
        (vh.conv_encoder, {"filters": [4], "kernels": 3, "strides": 2}),
        (vh.conv_encoder, {"filters": [4], "kernels": [3], "strides": [2]}),
        (vh.conv_decoder, {"filters": [8, 4], "dense": [8], "start_filters": 4}),
        (vh.conv_decoder, {"filters": [4], "kernels": 3, "strides": 2, "last_kernel": 3}),
        (vh.conv_decoder, {"filters": [4], "kernels": [3], "strides": [2]}),
    ],
)
def test_integers_of_numpy_do_as_well(build, arguments):
    def convert(value):
        return tuple(map(convert, value)) if isinstance(value, (list, tuple)) else np.int64(value)

    plain = build(MNIST, 2, **arguments)
    numpys = build(convert(MNIST), np.int64(2), **{name: convert(value) for name, value in arguments.items()})
    assert trail(numpys) == trail(plain) and numpys.count_params() == plain.count_params()


BUILDERS = [vh.mlp_encoder, vh.mlp_decoder, vh.conv_encoder, vh.conv_decoder]


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("latent_dim", [0, -1, 2.5, 2.0, "2", None])
def test_an_impossible_latent_dim_is_named(build, latent_dim):
    with pytest.raises(ValueError, match=rf"latent_dim is '?{latent_dim}"):
        build(MNIST, latent_dim)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("shape", [(28, 28), (784,), 784, (28, 28, 1, 1), (28, 28, 0), (28, 28.0, 1), None])
def test_an_impossible_image_shape_is_named(build, shape):
    with pytest.raises(ValueError, match=r"image_shape is .*"):
        build(shape, 2)


def test_a_missing_channel_axis_is_explained():
    with pytest.raises(ValueError, match=r"\(height, width, channels\), for example \(28, 28, 1\)"):
        vh.mlp_encoder((28, 28), 2)


@pytest.mark.parametrize("build", [vh.conv_encoder, vh.conv_decoder])
@pytest.mark.parametrize(
    "name, values", [("kernels", (3,)), ("strides", (2, 2, 1)), ("padding", ("same",)), ("strides", ())]
)
def test_lists_of_unequal_length_are_named(build, name, values):
    with pytest.raises(ValueError, match=rf"{name} has {len(values)} values for 2 convolutions"):
        build(MNIST, 2, filters=(8, 8), **{name: values})


@pytest.mark.parametrize("arguments", [{"padding": "valid"}, {"last_padding": "valid"}, {"last_kernel": 2}])
def test_a_decoder_that_misses_the_image_size_says_by_how_much(arguments):
    if arguments == {"last_kernel": 2}:
        arguments = {"last_kernel": 2, "last_padding": "valid"}
    with pytest.raises(ValueError, match=r"give images of shape \(\d+, \d+, 1\), not image_shape \(28, 28, 1\)"):
        vh.conv_decoder(MNIST, 2, **arguments)


@pytest.mark.parametrize("shape, strides", [((28, 28, 1), 3), ((30, 28, 1), 2), ((28, 30, 1), 2)])
def test_strides_that_do_not_divide_the_image_are_explained(shape, strides):
    with pytest.raises(ValueError, match="must be multiples of"):
        vh.conv_decoder(shape, 2, strides=strides)


def test_the_networks_are_plain_keras_models():
    for network in (*mlp_pair(), *r5_pair()):
        assert type(network).__module__.startswith("keras.") and isinstance(network, keras.Model)
    assert [network.name for network in mlp_pair()] == ["encoder", "decoder"]
