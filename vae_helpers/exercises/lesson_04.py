"""The checks of lesson 04: a convolution, the size of a transposed one, coins for grey pixels."""

from statistics import NormalDist

import numpy as np

from vae_helpers.exercises.narrow import narrow
from vae_helpers.exercises.report import exercise, numbers


def _slide(image, kernel, reduce=np.sum):
    (height, width), (k, m) = image.shape, kernel.shape
    places = np.lib.stride_tricks.sliding_window_view(image, (k, m))
    assert places.shape[:2] == (height - k + 1, width - m + 1)
    return reduce(places * kernel, axis=(2, 3))


def _with_rest(image, result):
    whole = np.zeros_like(image)
    whole[: result.shape[0], : result.shape[1]] = result
    return whole


@exercise
def convolve(report):
    """Exercise 4.1. function(image, kernel): (height, width), (k, m) → a feature map, "valid" padding, stride 1."""
    cases = [(numbers(6, 5, seed=0), numbers(2, 3, seed=1)), (numbers(5, 7, seed=2), numbers(3, 3, seed=3))]
    mistakes = [
        ("the kernel is turned by half a turn. Mathematicians do that; a convolution layer lays it on as it is.",
         lambda a, k: _slide(a, k[::-1, ::-1])),
        ("you add image and kernel; multiply them, then add up.",
         lambda a, k: _slide(a, np.ones_like(k)) + k.sum()),
        ("the kernel is upside down; a convolution layer lays it on as it is.", lambda a, k: _slide(a, k[::-1])),
        ("left and right of the kernel are swapped; a convolution layer lays it on as it is.",
         lambda a, k: _slide(a, k[:, ::-1])),
        ("you take the mean; a convolution adds up.", lambda a, k: _slide(a, k, np.mean)),
        ("you take the largest product; a convolution adds up.", lambda a, k: _slide(a, k, np.max)),
        ("you keep the last product of each place only; add all of them up.",
         lambda a, k: _slide(a, k, lambda v, axis: v[..., -1, -1])),
        ("negative values are set to 0; that is the activation, a layer of its own.",
         lambda a, k: np.maximum(_slide(a, k), 0)),
        ("the map has the size of the image, with a border of zeros: it should be as large as the number of places.",
         lambda a, k: _with_rest(a, _slide(a, k))),
        ("the kernel reaches over the border (padding \"full\"); here it stays inside, \"valid\".",
         lambda a, k: _slide(np.pad(a, [(s - 1, s - 1) for s in k.shape]), k)),
        ("the last row is missing: there are height − k + 1 places, not height − k.", lambda a, k: _slide(a, k)[:-1]),
        ("the last column is missing: there are width − m + 1 places, not width − m.",
         lambda a, k: _slide(a, k)[:, :-1]),
        ("the last row and the last column are missing: there are height − k + 1 places, not height − k.",
         lambda a, k: _slide(a, k)[:-1, :-1]),
        ("you put zeros around the image (padding \"same\"); here the kernel stays inside, \"valid\".",
         lambda a, k: _slide(np.pad(a, [((s - 1) // 2, s // 2) for s in k.shape]), k)),
        ("you put zeros around the image; here the kernel stays inside, \"valid\".",
         lambda a, k: _slide(np.pad(a, [(s // 2, (s - 1) // 2) for s in k.shape]), k)),
        ("the kernel moves two pixels at a time; the stride should be 1.", lambda a, k: _slide(a, k)[::2, ::2]),
        ("you add up one axis of the kernel only.", lambda a, k: _slide(a, k, lambda v, axis: v.sum(2))),
        ("you add up the pixels without the kernel.", lambda a, k: _slide(a, np.ones_like(k))),
        ("rows and columns of the result are swapped.", lambda a, k: _slide(a, k).T),
    ]  # fmt: skip
    report.compare(cases, _slide, mistakes, "(height − k + 1, width − m + 1).")
    return "size and values, for a kernel that is not square as well."


def _size(side, channels, filters, kernel, stride, padding):
    return side * stride if padding == "same" else (side - 1) * stride + kernel


def _parameters(side, channels, filters, kernel, stride, padding):
    return (kernel * kernel * channels + 1) * filters


@exercise
def transposed_size(report):
    """Exercise 4.2. function(side, channels, filters, kernel, stride, padding) → (side of the output, parameters).

    A transposed convolution on a map (side, side, channels); kernel ≥ stride.
    """
    cases = [
        (7, 64, 32, 3, 2, "same"),
        (6, 8, 16, 5, 3, "valid"),
        (14, 64, 64, 3, 2, "valid"),
        (9, 3, 7, 4, 1, "valid"),
        (5, 1, 2, 3, 1, "same"),
    ]
    answers = [report.array(*case) for case in cases]
    if any(answer.shape != (2,) for answer in answers):
        report.wrong(f"return two numbers, (side, parameters); your result has shape {answers[0].shape}.")
    swap = all(np.array_equal(a, (_parameters(*c), _size(*c))) for a, c in zip(answers, cases))
    if swap:
        report.wrong("the two numbers are swapped: first the side, then the parameters.")
    sizes = [
        ("the size is that of an ordinary convolution: a transposed one makes the map larger.",
         lambda n, c, f, k, s, p: -(-n // s) if p == "same" else (n - k) // s + 1),
        ("the size is right for padding \"same\" only: with \"valid\" the last stamp reaches beyond.",
         lambda n, c, f, k, s, p: n * s),
        ("the size is right for padding \"valid\" only: with \"same\" the border is cut.",
         lambda n, c, f, k, s, p: (n - 1) * s + k),
        ("\"same\" and \"valid\" are swapped.", lambda n, c, f, k, s, p: n * s if p == "valid" else (n - 1) * s + k),
        ("one stride too many: between n stamps there are n − 1 steps.",
         lambda n, c, f, k, s, p: n * s if p == "same" else n * s + k),
        ("the stride is missing: the stamps lie `stride` pixels apart.",
         lambda n, c, f, k, s, p: n if p == "same" else n + k - 1),
        ("this is the rule of PyTorch, with padding = kernel // 2; in Keras \"same\" depends on the stride only.",
         lambda n, c, f, k, s, p: (n - 1) * s + k - (2 * (k // 2) if p == "same" else 0)),
        ("the kernel of the last stamp is missing.", lambda n, c, f, k, s, p: n * s if p == "same" else (n - 1) * s),
    ]  # fmt: skip
    counts = [
        ("the bias is missing in the parameters: one number for each filter.", lambda n, c, f, k, s, p: k * k * c * f),
        ("the biases are counted for the input channels; there is one for each filter.",
         lambda n, c, f, k, s, p: (k * k * f + 1) * c),
        ("only one bias is counted; there is one for each filter.", lambda n, c, f, k, s, p: k * k * c * f + 1),
        ("a kernel has kernel × kernel numbers.", lambda n, c, f, k, s, p: (k * c + 1) * f),
        ("each filter has one kernel for each input channel: the channels are missing.",
         lambda n, c, f, k, s, p: (k * k + 1) * f),
        ("the filters are missing: this is the count of one.", lambda n, c, f, k, s, p: k * k * c + 1),
        ("the parameters do not depend on the size of the map: the same kernel is used everywhere.",
         lambda n, c, f, k, s, p: (n * n * c + 1) * f),
    ]  # fmt: skip
    parts = [
        ("kernel · kernel · channels · filters", lambda n, c, f, k, s, p: k * k * c * f),
        ("filters, for the biases,", lambda n, c, f, k, s, p: f),
    ]
    for index, what, right, known in ((0, "side", _size, sizes), (1, "number of parameters", _parameters, counts)):
        found, wanted = [a[index] for a in answers], [right(*c) for c in cases]
        if found == wanted:
            continue
        for text, wrong in known:
            if found == [wrong(*c) for c in cases]:
                report.wrong(text)
        arrays = [[np.asarray(one, dtype="float64") for one in values] for values in (found, wanted)]
        why = narrow(report.part(index), cases, *arrays, right, [], "", parts if index else (), None)
        first = next(i for i, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1])
        report.wrong(f"the {what} is {found[first]:g}; Keras says {wanted[first]}, for {report.show(cases[first])}.\n"
                     f"Over all cases: {why}")  # fmt: skip
    return "side and parameters, for both paddings, as Keras counts them."


@exercise
def binarize(report):
    """Exercise 4.3. function(grey, rng): grey images in [0, 1] → images of 0 and 1, each pixel a coin with p = grey."""
    one = np.linspace(0.1, 0.9, 12).reshape(1, 2, 3, 2).astype("float32")
    grey = np.repeat(one, 4000, axis=0)
    rng = np.random.default_rng(0)
    tossed = report.array(grey, rng)
    if tossed.shape != grey.shape:
        report.wrong(f"the result has shape {tossed.shape}; it should be that of the images, {grey.shape}.")
    if np.allclose(tossed, grey):
        report.wrong("the images are still grey: each pixel should become 0 or 1.")
    if not np.isin(tossed, (0, 1)).all():
        report.wrong(f"there are values other than 0 and 1, for example {tossed[~np.isin(tossed, (0, 1))][0]:.3f}.")
    again = report.array(grey, rng)
    if np.array_equal(tossed, again) and np.ptp(tossed, axis=0).max() == 0:
        report.wrong("this is thresholding: no coin is tossed, every pixel always comes out the same.")
    if np.array_equal(tossed, again):
        report.wrong("every call tosses the same coins: use the generator `rng` that you are given, "
                     "and do not restart it.")  # fmt: skip
    few, start = grey[:5], np.random.default_rng
    if not np.array_equal(report.array(few, start(1)), report.array(few, start(1))):
        report.wrong("you do not toss with `rng`: a generator that starts anew from the same seed must give the same "
                     "coins.")  # fmt: skip
    if np.ptp(tossed, axis=0).max() == 0:
        report.wrong("all images get the same coins: toss for each pixel of each image.")
    _check_shared_coins(report, tossed)
    share = tossed.mean(0)
    if np.abs(share - (1 - one[0])).max() < 0.05:
        report.wrong("black and white are swapped: a pixel of 0.9 should come out 1 nine times out of ten.")
    if np.abs(share - 0.5).max() < 0.05:
        report.wrong(
            "every coin is fair, or has one probability for all pixels: the grey value of each pixel should be the "
            "probability of a 1."
        )
    if np.abs(share - _normal_share(one[0])).max() < 0.03:
        report.wrong("you compare with normal random numbers; a coin needs uniform ones, between 0 and 1.")
    for text, known in [
        ("a pixel comes out 1 with the *square* of its grey value as the probability.", one[0] ** 2),
        ("a pixel comes out 1 with the *root* of its grey value as the probability.", np.sqrt(one[0])),
        ("a pixel comes out 1 with half of its grey value as the probability.", one[0] / 2),
    ]:
        if np.abs(share - known).max() < 0.03:
            report.wrong(text)
    off = np.abs(share - one[0])
    if off.max() > 0.05:
        at = np.unravel_index(off.argmax(), off.shape)
        report.wrong(f"a pixel of {one[0][at]:.2f} comes out 1 with frequency {share[at]:.2f}; it should be "
                     f"{one[0][at]:.2f}. The chance of a 1 must be the grey value, for every grey.")  # fmt: skip
    return "0 and 1, with the grey value as the probability, each pixel by itself, anew at every call."


def _check_shared_coins(report, tossed):
    """tossed: (images, 2, 3, 2). Correlations between pixels of an image, and between images."""
    pixels = tossed.reshape(len(tossed), -1)
    if (np.diff(pixels, axis=0) >= 0).all():
        report.wrong("the images are sorted: the black pixels come first. Leave the coins as they fall.")
    pixels = (pixels - pixels.mean(0)) / (pixels.std(0) + 1e-9)
    shared = np.abs(pixels.T @ pixels) / len(pixels) > 0.2
    places = np.indices(tossed.shape[1:]).reshape(3, -1)
    same = [place[:, None] == place for place in places]  # whether two pixels have the same row, column, channel
    for text, sharing in [
        ("the pixels of an image share one coin: toss each pixel by itself.", True),
        ("the pixels of a row share one coin: toss each pixel by itself.", same[0]),
        ("the pixels of a column share one coin: toss each pixel by itself.", same[1]),
        ("all channels of a pixel share one coin: toss for each of them.", same[0] & same[1]),
        ("all pixels of a channel share one coin: toss each pixel by itself.", same[2]),
    ]:
        if (shared == sharing).all():
            report.wrong(text)
    if (shared & ~np.eye(len(shared), dtype=bool)).any():
        report.wrong("some pixels of an image share one coin: toss each pixel by itself.")
    spectrum = np.abs(np.fft.rfft(pixels, n=2 * len(pixels), axis=0)) ** 2
    alike = np.fft.irfft(spectrum.sum(axis=1))[: len(pixels)] / np.arange(len(pixels), 0, -1) / pixels.shape[1]
    step = 1 + int(np.argmax(np.abs(alike[1:-1000])))  # how far apart the images are that are most alike
    if abs(alike[step]) > 0.07:
        report.wrong(f"images get the same coins: an image and one {step} places away from it come out alike more "
                     "often than by chance. Toss for each pixel of each image.")  # fmt: skip


def _normal_share(p):
    """How often a number from N(0, 1) is smaller than p."""
    return np.vectorize(NormalDist().cdf)(p)
