"""Encoders and decoders as plain Keras models. Encoders emit [mean, log_var] (or one code), decoders emit logits.

The comments behind the layers are a shape trail for 28×28 images, without the batch axis.
"""

import math
import operator

import keras
import numpy as np
from keras import layers


def _check_sizes(image_shape, latent_dim):
    """Return both as plain integers: Keras refuses numpy's."""
    try:
        height, width, channels = (operator.index(side) for side in image_shape)
    except (TypeError, ValueError):
        raise ValueError(
            f"image_shape is {image_shape!r}; it must be (height, width, channels), for example (28, 28, 1)."
        ) from None
    try:
        latent_dim = operator.index(latent_dim)
    except TypeError:
        raise ValueError(f"latent_dim is {latent_dim!r}; it must be a whole number, for example 2.") from None
    if latent_dim < 1:
        raise ValueError(f"latent_dim is {latent_dim}; a code needs at least 1 number.")
    if min(height, width, channels) < 1:
        raise ValueError(f"image_shape is {image_shape!r}; every side must be at least 1.")
    return (height, width, channels), latent_dim


def _widths(values, name):
    """Layer widths as plain integers; one number stands for one layer."""
    values = (values,) if np.ndim(values) == 0 else values
    try:
        widths = tuple(operator.index(width) for width in values)
    except TypeError:
        raise ValueError(f"{name} is {values!r}; it must hold whole numbers, for example (64, 32).") from None
    if any(width < 1 for width in widths):
        raise ValueError(f"{name} is {values!r}; every layer needs at least 1 unit.")
    return widths


def _heads(features, latent_dim, variational):
    if not variational:
        return layers.Dense(latent_dim, name="code")(features)
    return [layers.Dense(latent_dim, name="mean")(features), layers.Dense(latent_dim, name="log_var")(features)]


def mlp_encoder(image_shape, latent_dim, hidden=(512, 512), variational=True, activation="relu"):
    """A multilayer perceptron from an image to its code.

    image_shape: (height, width, channels). latent_dim: how many numbers the code has.
    hidden: the widths of the hidden layers; () gives a linear encoder.
    variational: True for two heads, mean and log_var (a VAE); False for one, the code (an autoencoder).
    activation: that of the hidden layers, by one of Keras's names, for example "tanh".

    Returns a keras.Model: (batch, height, width, channels) → [mean, log_var] or code, each (batch, latent_dim).
    Raises ValueError for an impossible image_shape or latent_dim.
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim)
    image = keras.Input(image_shape, name="image")  # 28, 28, 1
    x = layers.Flatten(name="flatten")(image)  # 784
    for i, width in enumerate(_widths(hidden, "hidden"), start=1):
        x = layers.Dense(width, activation=activation, name=f"hidden_{i}")(x)  # 512
    return keras.Model(image, _heads(x, latent_dim, variational), name="encoder")


def mlp_decoder(image_shape, latent_dim, hidden=(512, 512), activation="relu"):
    """A multilayer perceptron from a code to the logits of an image. Arguments as for `mlp_encoder`.

    Returns a keras.Model: (batch, latent_dim) → logits (batch, height, width, channels).
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim)
    z = keras.Input((latent_dim,), name="z")  # 2
    x = z
    for i, width in enumerate(_widths(hidden, "hidden"), start=1):
        x = layers.Dense(width, activation=activation, name=f"hidden_{i}")(x)  # 512
    x = layers.Dense(math.prod(image_shape), name="pixels")(x)  # 784
    logits = layers.Reshape(image_shape, name="logits")(x)  # 28, 28, 1
    return keras.Model(z, logits, name="decoder")


def _per_layer(values, count, name):
    """One value for all convolutions, or one for each."""
    if np.ndim(values) == 0:
        values = (values,) * count
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} values for {count} convolutions; give one value, or one for each.")
    return tuple(value if isinstance(value, str) else operator.index(value) for value in values)


def conv_encoder(
    image_shape, latent_dim, filters=(32, 64), kernels=3, strides=2, padding="same", dense=(16,), variational=True
):
    """A convolutional network from an image to its code.

    filters: the number of filters of each ReLU convolution.
    kernels, strides, padding: one value for all convolutions, or one for each.
    dense: the widths of the ReLU layers between the last convolution and the heads.
    image_shape, latent_dim, variational: as for `mlp_encoder`.

    Returns a keras.Model: (batch, height, width, channels) → [mean, log_var] or code, each (batch, latent_dim).
    Raises ValueError for impossible sizes, or for lists whose lengths differ.
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim)
    filters = _widths(filters, "filters")
    kernels, strides, padding = (
        _per_layer(values, len(filters), name)
        for values, name in ((kernels, "kernels"), (strides, "strides"), (padding, "padding"))
    )
    image = keras.Input(image_shape, name="image")  # 28, 28, 1
    x = image
    for i, (n, kernel, stride, pad) in enumerate(zip(filters, kernels, strides, padding), start=1):
        # 14, 14, 32, then 7, 7, 64
        x = layers.Conv2D(n, kernel, strides=stride, padding=pad, activation="relu", name=f"conv_{i}")(x)
    x = layers.Flatten(name="flatten")(x)  # 3136
    for i, width in enumerate(_widths(dense, "dense"), start=1):
        x = layers.Dense(width, activation="relu", name=f"hidden_{i}")(x)  # 16
    return keras.Model(image, _heads(x, latent_dim, variational), name="encoder")


def conv_decoder(
    image_shape,
    latent_dim,
    filters=(64, 32),
    kernels=3,
    strides=2,
    padding="same",
    dense=(),
    start_filters=None,
    last_kernel=3,
    last_padding="same",
):
    """A network of transposed convolutions from a code to the logits of an image.

    filters: the number of filters of each ReLU transposed convolution; kernels, strides, padding as for `conv_encoder`.
    dense: the widths of the ReLU layers before the first feature map.
    start_filters: channels of the first feature map (by default filters[0]); its sides are those of the image
        divided by all strides.
    last_kernel, last_padding: the layer that emits the logits. With "same" it is a transposed convolution;
        with "valid" an ordinary one, which trims the image by last_kernel - 1.

    Returns a keras.Model: (batch, latent_dim) → logits (batch, height, width, channels).
    Raises ValueError where these arguments do not lead to the image's size.
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim)
    height, width, channels = image_shape
    filters = _widths(filters, "filters")
    kernels, strides, padding = (
        _per_layer(values, len(filters), name)
        for values, name in ((kernels, "kernels"), (strides, "strides"), (padding, "padding"))
    )
    shrink = math.prod(strides)
    first = filters[0] if start_filters is None else operator.index(start_filters)
    start = (height // shrink, width // shrink, first)
    if height % shrink or width % shrink:
        raise ValueError(
            f"image_shape {image_shape} cannot be divided by the strides {strides}: "
            f"height and width must be multiples of {shrink}."
        )
    z = keras.Input((latent_dim,), name="z")  # 2
    x = z
    for i, width in enumerate(_widths(dense, "dense"), start=1):
        x = layers.Dense(width, activation="relu", name=f"hidden_{i}")(x)
    x = layers.Dense(math.prod(start), activation="relu", name="to_map")(x)  # 3136
    x = layers.Reshape(start, name="map")(x)  # 7, 7, 64
    for i, (n, kernel, stride, pad) in enumerate(zip(filters, kernels, strides, padding), start=1):
        # 14, 14, 64, then 28, 28, 32
        x = layers.Conv2DTranspose(n, kernel, strides=stride, padding=pad, activation="relu", name=f"deconv_{i}")(x)
    last = layers.Conv2DTranspose if last_padding == "same" else layers.Conv2D
    logits = last(channels, operator.index(last_kernel), padding=last_padding, name="logits")(x)  # 28, 28, 1
    if tuple(logits.shape[1:]) != image_shape:
        raise ValueError(
            f"these arguments give images of shape {tuple(logits.shape[1:])}, not image_shape {image_shape}: "
            "change padding, kernels or last_kernel."
        )
    return keras.Model(z, logits, name="decoder")


def _residual_stage(x, filters, blocks, shortcut, name):
    """`blocks` times y = x + f(x), with f(x) = conv(relu(conv(relu(x)))); without shortcuts y = f(x). Keeps the shape.

    f ends in a convolution that starts at zero where there is a shortcut: so each block begins as "do nothing".
    """
    for i in range(1, blocks + 1):
        f = layers.ReLU(name=f"{name}_{i}_relu_1")(x)
        f = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_{i}_conv_1")(f)
        f = layers.ReLU(name=f"{name}_{i}_relu_2")(f)
        start = "zeros" if shortcut else "he_normal"
        f = layers.Conv2D(filters, 3, padding="same", kernel_initializer=start, name=f"{name}_{i}_conv_2")(f)
        x = layers.Add(name=f"{name}_{i}_add")([x, f]) if shortcut else f
    return x


def residual_encoder(
    image_shape, latent_dim, filters=(32, 64, 128), blocks=2, dense=(), shortcut=True, variational=True
):
    """A deep convolutional network from an image to its code: stages that halve the sides, each with residual blocks.

    filters: the number of filters of each stage, which begins with a convolution of stride 2.
    blocks: how many residual blocks of two 3×3 convolutions follow in each stage. An encoder has
        len(filters) · (1 + 2 · blocks) convolutions.
    shortcut: False leaves out "x +" in y = x + f(x): the plain network of the same depth and parameters, to compare.
    dense, image_shape, latent_dim, variational: as for `conv_encoder`.

    Returns a keras.Model: (batch, height, width, channels) → [mean, log_var] or code, each (batch, latent_dim).
    Raises ValueError for impossible sizes.
    Source: He et al., Deep Residual Learning (2016), equation 1; ReLU before the convolution: He et al., Identity
    Mappings in Deep Residual Networks (2016).
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim)
    image = keras.Input(image_shape, name="image")  # 32, 32, 3
    x = image
    for i, n in enumerate(_widths(filters, "filters"), start=1):
        # 16, 16, 32, then 8, 8, 64, then 4, 4, 128
        x = layers.Conv2D(n, 3, strides=2, padding="same", kernel_initializer="he_normal", name=f"down_{i}")(x)
        x = _residual_stage(x, n, blocks, shortcut, f"stage_{i}")
    x = layers.ReLU(name="relu")(x)
    x = layers.Flatten(name="flatten")(x)  # 2048
    for i, width in enumerate(_widths(dense, "dense"), start=1):
        x = layers.Dense(width, activation="relu", name=f"hidden_{i}")(x)
    return keras.Model(image, _heads(x, latent_dim, variational), name="encoder")


def residual_decoder(image_shape, latent_dim, filters=(128, 64, 32), blocks=2, dense=(), shortcut=True):
    """The way back: stages of residual blocks that double the sides, to the logits of an image.

    filters: the number of filters of each stage, which ends with a transposed convolution of stride 2.
    blocks, shortcut: as for `residual_encoder`. dense: the widths of the ReLU layers before the first feature map.

    Returns a keras.Model: (batch, latent_dim) → logits (batch, height, width, channels).
    Raises ValueError where height or width is no multiple of 2 for each stage.
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim)
    height, width, channels = image_shape
    filters = _widths(filters, "filters")
    shrink = 2 ** len(filters)
    if height % shrink or width % shrink:
        raise ValueError(
            f"image_shape {image_shape} cannot be halved {len(filters)} times, once for each of the filters {filters}: "
            f"height and width must be multiples of {shrink}."
        )
    start = (height // shrink, width // shrink, filters[0])
    z = keras.Input((latent_dim,), name="z")  # 64
    x = z
    for i, units in enumerate(_widths(dense, "dense"), start=1):
        x = layers.Dense(units, activation="relu", name=f"hidden_{i}")(x)
    x = layers.Dense(math.prod(start), name="to_map")(x)  # 2048
    x = layers.Reshape(start, name="map")(x)  # 4, 4, 128
    for i, n in enumerate(filters, start=1):
        x = _residual_stage(x, x.shape[-1], blocks, shortcut, f"stage_{i}")
        # 8, 8, 128, then 16, 16, 64, then 32, 32, 32
        up = layers.Conv2DTranspose(n, 3, strides=2, padding="same", kernel_initializer="he_normal", name=f"up_{i}")
        x = up(layers.ReLU(name=f"relu_{i}")(x))
    x = layers.ReLU(name="relu")(x)
    logits = layers.Conv2DTranspose(channels, 3, padding="same", name="logits")(x)  # 32, 32, 3
    return keras.Model(z, logits, name="decoder")
