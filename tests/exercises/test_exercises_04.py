"""The checks of lesson 04: a convolution, the size of a transposed one, coins for grey pixels."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import signal as scipy_signal
from tables import rows, shown


def convolve(image, kernel):
    height, width = kernel.shape
    out = np.zeros((image.shape[0] - height + 1, image.shape[1] - width + 1))
    for i, j in np.ndindex(out.shape):
        out[i, j] = np.sum(image[i : i + height, j : j + width] * kernel)
    return out


def transposed_size(side, channels, filters, kernel, stride, padding):
    larger = side * stride if padding == "same" else (side - 1) * stride + kernel
    return larger, (kernel * kernel * channels + 1) * filters


def binarize(grey, rng):
    return (rng.random(grey.shape) < grey).astype("float32")


def convolve_one_place_short(image, kernel):
    k, m = kernel.shape
    out = np.zeros((image.shape[0] - k, image.shape[1] - m))
    for i in range(image.shape[0] - k):
        for j in range(image.shape[1] - m):
            out[i, j] = (image[i : i + k, j : j + m] * kernel).sum()
    return out


def convolve_without_adding(image, kernel):
    k, m = kernel.shape
    out = np.zeros((image.shape[0] - k + 1, image.shape[1] - m + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for a in range(k):
                for b in range(m):
                    out[i, j] = image[i + a, j + b] * kernel[a, b]
    return out


def convolve_into_the_image(image, kernel):
    k, m = kernel.shape
    out = np.zeros(image.shape)
    for i in range(image.shape[0] - k + 1):
        for j in range(image.shape[1] - m + 1):
            out[i, j] = np.sum(image[i : i + k, j : j + m] * kernel)
    return out


def convolve_with_square_places(image, kernel):
    k = kernel.shape[0]
    out = np.zeros((image.shape[0] - k + 1, image.shape[1] - k + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(image[i : i + k, j : j + k] * kernel)
    return out


def convolve_padded_by_keras(image, kernel):
    return ops.conv(image[None, :, :, None], kernel[:, :, None, None], padding="same")[0, :, :, 0]


def size_of_pytorch(side, channels, filters, kernel, stride, padding):
    pad = kernel // 2 if padding == "same" else 0
    return (side - 1) * stride - 2 * pad + kernel, kernel**2 * channels * filters + filters


def size_of_upsampling_only(side, channels, filters, kernel, stride, padding):
    return side * stride, kernel * kernel * channels * filters + filters


def tossed_with_a_new_generator(grey, rng):
    return (np.random.default_rng(0).random(grey.shape) < grey).astype(int)


def convolve_by_keras(image, kernel):
    layer = keras.layers.Conv2D(1, kernel.shape, use_bias=False)
    layer.build((None, *image.shape, 1))
    layer.set_weights([kernel[:, :, None, None]])
    return layer(image[None, :, :, None])[0, :, :, 0]


def convolve_by_windows(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("ijkm,km->ij", windows, kernel)


def convolve_in_lists(image, kernel):
    (k, m), (height, width) = kernel.shape, image.shape
    return [
        [sum(image[i + a][j + b] * kernel[a][b] for a in range(k) for b in range(m)) for j in range(width - m + 1)]
        for i in range(height - k + 1)
    ]


def size_by_keras(side, channels, filters, kernel, stride, padding):
    layer = keras.layers.Conv2DTranspose(filters, kernel, stride, padding)
    layer.build((None, side, side, channels))
    return layer.compute_output_shape((None, side, side, channels))[1], layer.count_params()


def tossed_in_place(grey, rng):
    coins = rng.uniform(size=grey.shape)
    grey[:] = np.where(coins < grey, 1, 0)
    return grey


# The line that matters of each solution; a check names mistakes, and never says how to write it.
ESSENCE = ["rng.random", "< grey", ".sum(", "kernel * kernel"]

# What students write, and a phrase of the diagnosis that it should get.
WRONG = {
    "convolve": [
        (lambda a, k: scipy_signal.convolve2d(a, k, mode="valid"), "turned by half a turn"),
        (lambda a, k: scipy_signal.correlate2d(a, k), 'padding "full"'),
        (lambda a, k: convolve(a, k[::-1]), "upside down"),
        (lambda a, k: convolve(a, k[:, ::-1]), "left and right of the kernel are swapped"),
        (lambda a, k: convolve(a, k / k.size), "you take the mean"),
        (convolve_one_place_short, "the last row and the last column are missing"),
        (convolve_without_adding, "the last product"),
        (convolve_into_the_image, "a border of zeros"),
        (convolve_with_square_places, "your code stopped with ValueError"),
        (convolve_padded_by_keras, "you put zeros around the image"),
        (lambda a, k: scipy_signal.correlate2d(a, k, mode="same"), "you put zeros around the image"),
        (lambda a, k: convolve(a, k)[::2, ::2], "stride should be 1"),
        (lambda a, k: convolve(a, np.ones(k.shape)), "without the kernel"),
        (lambda a, k: np.maximum(convolve(a, k), 0), "the activation"),
        (lambda a, k: keras.layers.Activation("relu")(convolve(a, k)), "the activation"),
        (lambda a, k: convolve(a.T, k.T), "rows and columns of the result are swapped"),
        (lambda a, k: convolve(a, k)[:, :-1], "the last column is missing"),
        (lambda a, k: convolve(a, k)[None, :, :, None], "shape (1, 5, 3, 1); it should be (5, 3)"),
        (lambda a, k: convolve(a, k) + 1, "every value is 1 too large"),
        (
            lambda a, k: convolve(a, k.T) if k.shape[0] == k.shape[1] else convolve(a, k),
            "the result is right for image = an array (6, 5), kernel = [[",
        ),
        (lambda a, k: np.abs(convolve(a, k)), "every value comes out without its sign"),
        (lambda a, k: 2 * convolve(a, k), "every value is 2 times what it should be"),
        (lambda a, k: convolve(a, k / k.sum()), "these are the right results for `kernel` divided by its sum"),
        (lambda a, k: convolve(a, k - k.mean()), "these are the right results for `kernel` minus its mean"),
        (lambda a, k: convolve(a, k) / k.size, "you take the mean; a convolution adds up"),
        (lambda a, k: convolve(a[::-1], k), "these are the right results for `image` in the opposite order"),
        (lambda a, k: convolve(a, k)[::-1], "the values are right, but in the opposite order along axis 0"),
        (lambda a, k: convolve(a, k)[1:], "the values are right, but the first one of axis 0 is left out"),
        (lambda a, k: convolve(a.round(), k.round()), "these are the right results for each argument rounded to whole"),
        (lambda a, k: convolve(a, np.abs(k)), "these are the right results for the absolute value of `kernel`"),
        (
            lambda a, k: convolve(a, k) + a[: a.shape[0] - k.shape[0] + 1, : a.shape[1] - k.shape[1] + 1],
            "when only `kernel` changes, the result changes as it should",
        ),
        (
            lambda a, k: np.array(
                [
                    [
                        (a[i : i + k.shape[0], j : j + k.shape[1]] @ k.T).sum()
                        for j in range(a.shape[1] - k.shape[1] + 1)
                    ]
                    for i in range(a.shape[0] - k.shape[0] + 1)
                ]
            ),
            "two things. These are results for the mean of `kernel` over",
        ),
        (
            lambda a, k: np.array(
                [
                    [(a[i : i + k.shape[0], j : j + k.shape[1]] + k).sum() for j in range(a.shape[1] - k.shape[1] + 1)]
                    for i in range(a.shape[0] - k.shape[0] + 1)
                ]
            ),
            "you add image and kernel",
        ),
        (lambda a, k: np.cumsum(convolve(a, k), axis=1), "each value contains those before it in its row"),
        (
            lambda a, k: np.array(
                [[convolve(a, k)[0, 0]] * (a.shape[1] - k.shape[1] + 1)] * (a.shape[0] - k.shape[0] + 1)
            ),
            "every value is the first one, repeated",
        ),
        (lambda a, k: convolve(np.roll(a, 1, axis=0), k), "these are the right results for `image` moved by one place"),
        (lambda a, k: convolve(a**2, k), "these are the right results for the square of `image` in place"),
        (lambda a, k: convolve(np.pad(a, 1), k), "the result has shape (7, 5)"),
        (lambda a, k: convolve(a, k)[::2], "the result has shape (3, 3)"),
        (lambda a, k: convolve(a, k) - convolve(a, k).mean(), "the mean of the right values is subtracted from them"),
        (lambda a, k: convolve(a.T, k.T), "rows and columns of the result are swapped"),
        (lambda a, k: np.tanh(convolve(a, k)), "29 of 30 values are wrong"),
        (lambda a, k: convolve(a, k) + 0.1 * a.mean(), "in each case all values are off by one number (-0.01215,"),
    ],
    "transposed_size": [
        (
            lambda n, c, f, k, s, p: (-(-n // s) if p == "same" else (n - k) // s + 1, (k * k * c + 1) * f),
            "that of an ordinary convolution",
        ),
        (size_of_upsampling_only, 'right for padding "same" only'),
        (lambda n, c, f, k, s, p: ((n - 1) * s + k, (k * k * c + 1) * f), 'right for padding "valid" only'),
        (size_of_pytorch, "the rule of PyTorch"),
        (
            lambda n, c, f, k, s, p: transposed_size(n, c, f, k, s, {"same": "valid", "valid": "same"}[p]),
            '"same" and "valid" are swapped',
        ),
        (lambda n, c, f, k, s, p: (n * s + (0 if p == "same" else k), (k * k * c + 1) * f), "one stride too many"),
        (lambda n, c, f, k, s, p: ((n if p == "same" else n + k - 1), (k * k * c + 1) * f), "the stride is missing"),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s, (k * k * c + 1) * f),
            "the kernel of the last stamp is missing",
        ),
        (lambda *c: transposed_size(*c)[::-1], "the two numbers are swapped"),
        (lambda *c: transposed_size(*c)[0], "return two numbers"),
        (lambda *c: (*transposed_size(*c), c[2]), "return two numbers"),
        (lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k * k * c * f), "the bias is missing"),
        (
            lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k**2 * c * f + c),
            "the biases are counted for the input channels",
        ),
        (
            lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k**2 * c * f + 1),
            "only one bias",
        ),
        (lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k * c * f + f), "kernel × kernel"),
        (lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k * k * f + f), "the channels are missing"),
        (lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], k * k * c + 1), "the filters are missing"),
        (
            lambda n, c, f, k, s, p: (transposed_size(n, c, f, k, s, p)[0], n * n * f),
            "Keras says 18464",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else n * s + k - 1, (k * k * c + 1) * f),
            "the side is 22; Keras says 20, for side = 6, channels = 8,",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s + k, k * k * c * f + c * f),
            "the number of parameters is 20480",
        ),
        (
            lambda n, c, f, k, s, p: (n * s + k if p == "same" else (n - 1) * s + k, (k * k * c + 1) * f),
            "the side is 17; Keras says 14, for side = 7, channels = 64,",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s + k, (2 * k * c + 1) * f),
            "the number of parameters is 12320",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s + k, (k * k * c + 1) * f * s),
            "the number of parameters is 36928",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n + 1) * s + k, (k * k * c + 1) * f),
            "the side is 26; Keras says 20, for side = 6, channels = 8,",
        ),
        (
            lambda n, c, f, k, s, p: ((n * s) ** 2 if p == "same" else ((n - 1) * s + k) ** 2, (k * k * c + 1) * f),
            "the side is 196; Keras says 14, for side = 7, channels = 64,",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s + k, (k * k * c + 1) * f + 1),
            "the number of parameters is 18465",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s + k + 1, (k * k * c + 1) * f),
            "the side is 21; Keras says 20, for side = 6, channels = 8,",
        ),
        (lambda n, c, f, k, s, p: (n * s, k * k * c * f), 'the size is right for padding "same" only'),
        (
            lambda n, c, f, k, s, p: (n // s, (k * k * c + 1) * f),
            "the side is 3; Keras says 14, for side = 7, channels = 64,",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s + k, k * k * (c + f) + f),
            "the number of parameters is 896",
        ),
        (
            lambda n, c, f, k, s, p: (n * s if p == "same" else (n - 1) * s + k, (k * k * f + 1) * f),
            "the number of parameters is 9248",
        ),
    ],
    "binarize": [
        (lambda g, rng: (g > 0.5).astype("float32"), "this is thresholding"),
        (lambda g, rng: np.round(g), "this is thresholding"),
        (lambda g, rng: np.where(g > g.mean(), 1, 0), "this is thresholding"),
        (lambda g, rng: g > 0.3, "this is thresholding"),
        (lambda g, rng: g, "the images are still grey"),
        (lambda g, rng: (rng.random(g.shape) > g).astype(int), "black and white are swapped"),
        (lambda g, rng: rng.integers(0, 2, size=g.shape), "every coin is fair"),
        (lambda g, rng: np.rint(rng.random(g.shape)), "every coin is fair"),
        (lambda g, rng: rng.choice([0, 1], size=g.shape), "every coin is fair"),
        (lambda g, rng: (rng.random() < g).astype(int), "all images get the same coins"),
        (lambda g, rng: (rng.random(g.shape[1:]) < g).astype(int), "all images get the same coins"),
        (lambda g, rng: (rng.random((len(g), 1, 1, 1)) < g).astype(int), "share one coin"),
        (lambda g, rng: np.stack([rng.random() < image for image in g]), "share one coin"),
        (tossed_with_a_new_generator, "every call tosses the same coins"),
        (lambda g, rng: (np.random.random(g.shape) < g).astype(int), "you do not toss with `rng`"),
        (lambda g, rng: np.random.binomial(1, g), "you do not toss with `rng`"),
        (lambda g, rng: rng.random(g.shape) * g, "values other than 0 and 1"),
        (lambda g, rng: 255 * (rng.random(g.shape) < g), "for example 255"),
        (lambda g, rng: rng.binomial(2, g), "for example 2"),
        (lambda g, rng: (rng.normal(size=g.shape) < g).astype(int), "normal random numbers"),
        (lambda g, rng: (g + rng.normal(0, 0.1, g.shape) > 0.5).astype(int), "comes out 1"),
        (lambda g, rng: (rng.random(g.shape) < g**2).astype(int), "the *square* of its grey value"),
        (lambda g, rng: [(rng.random(i.shape) < i).any() for i in g], "it should be that of the images"),
        (
            lambda g, rng: (rng.random((len(g), 1, g.shape[2], 1)) < g).astype("float32"),
            "the pixels of a column share one coin",
        ),
        (
            lambda g, rng: (rng.random((len(g), g.shape[1], 1, 1)) < g).astype("float32"),
            "the pixels of a row share one coin",
        ),
        (
            lambda g, rng: (rng.random((*g.shape[:3], 1)) < g).astype("float32"),
            "all channels of a pixel share one coin",
        ),
        (
            lambda g, rng: (np.repeat(rng.random((len(g) // 2 + 1, *g.shape[1:])), 2, axis=0)[: len(g)] < g).astype(
                "float32"
            ),
            "images get the same coins",
        ),
        (
            lambda g, rng: (np.tile(rng.random((len(g) // 2 + 1, *g.shape[1:])), (2, 1, 1, 1))[: len(g)] < g).astype(
                "float32"
            ),
            "images get the same coins",
        ),
        (
            lambda g, rng: np.clip(np.round(g + rng.normal(0, 0.3, g.shape)), 0, 1),
            "a pixel of 0.32 comes out 1 with frequency 0.27",
        ),
        (
            lambda g, rng: (rng.random(g.shape) < 0.5).astype("float32") * g.round(),
            "a pixel of 0.46 comes out 1 with frequency 0.00",
        ),
        (lambda g, rng: (rng.random(g.shape) < np.sqrt(g)).astype("float32"), "a pixel comes out"),
        (lambda g, rng: (rng.random(g.shape) < g / 2).astype("float32"), "a pixel comes out"),
        (
            lambda g, rng: (rng.random(g.shape) * 2 - 1 < g).astype("float32"),
            "a pixel of 0.10 comes out 1 with frequency 0.54",
        ),
        (
            lambda g, rng: (rng.random(g.shape) < g.mean()).astype("float32"),
            "every coin is fair, or has one probability for all pixels",
        ),
        (
            lambda g, rng: (rng.uniform(0.2, 0.8, g.shape) < g).astype("float32"),
            "a pixel of 0.75 comes out 1 with frequency 0.93",
        ),
        (lambda g, rng: (rng.random(g.shape) > g).astype("float32"), "black and white are swapped"),
        (lambda g, rng: rng.binomial(2, g) / 2, "there are values other than"),
        (lambda g, rng: np.sort((rng.random(g.shape) < g).astype("float32"), axis=0), "the images are sorted"),
        (lambda g, rng: 2 * (rng.random(g.shape) < g).astype("float32") - 1, "there are values other than"),
    ],
}

# Right: the plain way of each first, then others.
RIGHT = {
    "convolve": [
        convolve,
        convolve_by_keras,
        convolve_by_windows,
        convolve_in_lists,
        functools.partial(scipy_signal.correlate2d, mode="valid"),
        lambda a, k: scipy_signal.convolve2d(a, k[::-1, ::-1], mode="valid"),
        lambda a, k: tf.nn.conv2d(a[None, :, :, None], k[:, :, None, None], 1, "VALID")[0, ..., 0],
    ],
    "transposed_size": [
        transposed_size,
        size_by_keras,
        lambda *c: [float(number) for number in transposed_size(*c)],
        lambda *c: np.array(transposed_size(*c)),
        lambda side, channels, filters, kernel, stride, padding: (
            (side - 1) * stride + (stride if padding == "same" else kernel),
            np.prod((kernel, kernel, filters, channels)) + filters,
        ),
    ],
    "binarize": [
        binarize,
        tossed_in_place,
        lambda g, rng: rng.binomial(1, g),
        lambda g, rng: g > rng.random(g.shape),
        lambda g, rng: np.array([rng.random(image.shape) < image for image in g]).astype("uint8"),
        lambda g, rng: tf.cast(rng.random(g.shape) < g, "float32"),
        lambda g, rng: np.floor(g + rng.random(g.shape)),
    ],
}


@pytest.mark.parametrize("name, function", rows(RIGHT))
def test_what_is_right_passes(said, name, function):
    assert f"{name} · right: " in said(name, function)


@pytest.mark.parametrize("name, function, phrase", rows(WRONG))
def test_a_mistake_is_named(said, name, function, phrase):
    text = said(name, function)
    assert phrase in text and "· right" not in text
    assert not shown(text, ESSENCE, phrase)
