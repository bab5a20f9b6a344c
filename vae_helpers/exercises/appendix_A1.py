"""The checks of appendix A1: what 16 bits keep, the share of one device, its noise."""  # noqa: N999 - the letter of the appendix

import numpy as np

from vae_helpers.exercises.report import exercise


def _spacing(x, bits):
    return 2.0 ** (np.floor(np.log2(x)) - bits)


@exercise
def spacing(report):
    """Exercise A1.1. function(x, fraction_bits): numbers above 0 → how far each is from the next larger number.

    x: (n,); fraction_bits: how many bits of a number's fraction its format keeps: 23, 10 or 7.
    """
    cases = [
        (np.array([1.0, 3.0, 150.5, 2050.0, 0.3]), 10),
        (np.array([150.5, 1.7, 0.011, 700.0]), 7),
        (np.array([5.0, 0.09, 3e4, 1e-3]), 23),
    ]
    mistakes = [
        ("the distance grows in steps: between 2 and 4 it is everywhere the same, and at 4 it doubles. Round the "
         "logarithm down to a whole number first.", lambda x, b: x * 2.0**-b),
        ("you round the logarithm up; x lies above the power of two that counts, so round down.",
         lambda x, b: 2.0 ** (np.ceil(np.log2(x)) - b)),
        ("you round the logarithm to the nearest whole number; round down.",
         lambda x, b: 2.0 ** (np.rint(np.log2(x)) - b)),
        ("you cut the digits behind the point, which rounds a negative logarithm up; np.floor rounds down.",
         lambda x, b: 2.0 ** (np.trunc(np.log2(x)) - b)),
        ("this is the distance at 1, whatever x is. Multiply by the largest power of two that is not above x.",
         lambda x, b: np.full(len(x), 2.0**-b)),
        ("this is half the distance: the largest error of rounding, not the distance itself.",
         lambda x, b: _spacing(x, b) / 2),
        ("this is twice the distance. The 1 in front of the fraction is not stored: do not count it.",
         lambda x, b: _spacing(x, b) * 2),
        ("this is the power of two below x; the fraction divides the way to the next one into 2 ** fraction_bits "
         "parts.", lambda x, b: 2.0 ** np.floor(np.log2(x))),
        ("you divide by the number of bits; with b bits there are 2 ** b fractions.",
         lambda x, b: 2.0 ** np.floor(np.log2(x)) / b),
        ("this is the exponent; the distance is 2 to this power.", lambda x, b: np.floor(np.log2(x)) - b),
        ("the sign of the exponent is wrong: more bits, smaller distances.",
         lambda x, b: 2.0 ** (b - np.floor(np.log2(x)))),
        ("you add the bits to the exponent; more bits mean a smaller distance.",
         lambda x, b: 2.0 ** (np.floor(np.log2(x)) + b)),
        ("you take the natural logarithm; the exponent of a number in the computer counts powers of 2.",
         lambda x, b: 2.0 ** (np.floor(np.log(x)) - b)),
        ("you take the logarithm to the base 10; the exponent of a number in the computer counts powers of 2.",
         lambda x, b: 2.0 ** (np.floor(np.log10(x)) - b)),
        ("this is the next number itself; return its distance from x.", lambda x, b: x + _spacing(x, b)),
        ("this is the distance in numpy's own format, float64, with 52 bits. It should follow `fraction_bits`.",
         lambda x, b: np.spacing(x)),
        ("this is the distance in float32, with 23 bits, always. It should follow `fraction_bits`.",
         lambda x, b: np.spacing(x.astype("float32"))),
        ("this is the distance in float16, with 10 bits, always. It should follow `fraction_bits`.",
         lambda x, b: np.spacing(x.astype("float16"))),
        ("this is the distance divided by x; leave out the division.", lambda x, b: _spacing(x, b) / x),
    ]  # fmt: skip
    report.compare(cases, _spacing, mistakes, "one distance for each number.")
    return "the same between two powers of two, and twice as large behind each of them."


@exercise
def device_share(report):
    """Exercise A1.2. function(losses, global_batch): the losses of the images that one device got → its share.

    losses: (n,); global_batch: how many images all devices got. The shares of all devices add up to the mean.
    """
    rng = np.random.default_rng(0)
    cases = [(rng.uniform(1, 9, n).astype("float32"), g) for n, g in ((4, 8), (3, 8), (5, 24), (1, 3))]
    mistakes = [
        ("this is the mean over the device's own images. TensorFlow adds up what the devices give, so two devices "
         "would take steps twice as large.", lambda v, g: v.mean()),
        ("this is the sum: with more images in the batch the steps would grow.", lambda v, g: v.sum()),
        ("you divide the mean by 2. That is right for two devices with equal shares only: divide so that every image "
         "counts alike, whatever the shares.", lambda v, g: v.mean() / 2),
        ("you divide twice, by the device's images and by those of all: the mean is already divided.",
         lambda v, g: v.mean() / g),
        ("these are the parts of each image; add them up to one number.", lambda v, g: v / g),
        ("these are the losses as they came; the device gives one number.", lambda v, g: v),
        ("you multiply by `global_batch`; divide by it.", lambda v, g: v.sum() * g),
        ("you multiply by `global_batch`; every image should count 1 / global_batch.", lambda v, g: v.mean() * g),
        ("you divide by the images of the *other* devices; divide by those of all.",
         lambda v, g: v.sum() / (g - len(v))),
        ("this is as if all images had the largest loss; add up the losses.", lambda v, g: v.max() * len(v) / g),
        ("this is as if all images had the median loss; add up the losses.", lambda v, g: np.median(v) * len(v) / g),
        ("you subtract the mean of the device's losses; only add up, and divide.", lambda v, g: v.sum() / g - v.mean()),
        ("you round down: // gives whole numbers; use /.", lambda v, g: v.sum() // g),
        ("this is the device's share of the images, without its losses.", lambda v, g: len(v) / g),
        ("the sign is wrong: training makes the sum of the shares smaller.", lambda v, g: -v.sum() / g),
        ("you divide by a root of the batch; every image should count 1 / global_batch.",
         lambda v, g: v.sum() / np.sqrt(g)),
        ("you divide by the number of equal shares that fit into the batch, rounded. In a ragged batch the shares "
         "differ: each image should count 1 / global_batch.", lambda v, g: v.mean() / (g // len(v))),
    ]  # fmt: skip
    report.compare(cases, lambda v, g: v.sum() / g, mistakes, "one number.")
    report.so_far = ""
    nothing = report.array(np.zeros(0, "float32"), 5)
    if nothing.shape != () or not np.isfinite(nothing) or nothing != 0:
        report.wrong("right, except for a device that got no image: in a ragged last batch there may be one. It should "
                     "give 0; the mean of nothing is not a number.")  # fmt: skip
    return "every image counts 1 / global_batch, on whichever device it is; no image gives 0."


def _rows(noise, shares, device):
    start = sum(shares[:device])
    return noise[start : start + shares[device]]


@exercise
def own_noise(report):
    """Exercise A1.3. function(noise, shares, device): the noise of the whole batch → the rows of one device.

    noise: (images of the batch, latents); shares: how many images each device got; device: its number, from 0.
    """
    rng = np.random.default_rng(2)
    cases = []
    for shares, device in (((3, 2), 1), ((4, 4, 1), 2), ((5, 3, 2), 2), ((2, 6), 0), ((4, 4), 1)):
        cases.append((rng.normal(size=(sum(shares), 2)).astype("float32"), shares, device))
    mistakes = [
        ("each device takes the first rows: so all devices get the *same* noise, and images on two devices are no "
         "longer drawn independently.", lambda e, s, i: e[: s[i]]),
        ("you begin at device · its own share. That is right for equal shares only: the images before a device are "
         "those of all the devices before it.", lambda e, s, i: e[i * s[i] :][: s[i]]),
        ("you begin at device · the share of the first. That is right for equal shares only.",
         lambda e, s, i: e[i * s[0] :][: s[i]]),
        ("you divide the batch evenly. In a ragged batch the shares differ: `shares` says how.",
         lambda e, s, i: np.array_split(e, len(s))[i]),
        ("you deal the rows out like cards. The images of a device lie one after the other in the batch.",
         lambda e, s, i: e[i :: len(s)]),
        ("you deal the rows out like cards. The images of a device lie one after the other in the batch.",
         lambda e, s, i: e[i :: len(s)][: s[i]]),
        ("this is the noise of the whole batch; a device needs that of its own images.", lambda e, s, i: e),
        ("you begin at the right row, and do not stop: these are also the rows of the devices that come later.",
         lambda e, s, i: e[sum(s[:i]) :]),
        ("you begin at the right row, and stop at row `shares[device]` of the batch. A slice ends at start + length.",
         lambda e, s, i: e[sum(s[:i]) : s[i]]),
        ("these are the rows up to the end of this device; leave out those of the devices before it.",
         lambda e, s, i: e[: sum(s[: i + 1])]),
        ("these are the rows of the devices *after* this one. Count the images before it: `shares[:device]`.",
         lambda e, s, i: e[sum(s[: i + 1]) :]),
        ("you count the device's own images among those before it: `shares[:device]` leaves it out.",
         lambda e, s, i: e[sum(s[: i + 1]) :][: s[i]]),
        ("this is one row; the device needs one for each of its images.", lambda e, s, i: e[i]),
        ("this is one row; the device needs one for each of its images.", lambda e, s, i: e[sum(s[:i])]),
        ("these are the last rows, for whichever device.", lambda e, s, i: e[len(e) - s[i] :]),
        ("you go through the devices from the end: device 0 has the first images.",
         lambda e, s, i: e[sum(s[i + 1 :]) :][: s[i]]),
        ("these are numbers of rows; return the rows of `noise` themselves.",
         lambda e, s, i: np.arange(sum(s[:i]), sum(s[: i + 1]))),
        ("you add up the rows; each image needs its own.", lambda e, s, i: _rows(e, s, i).sum(0)),
    ]  # fmt: skip
    report.compare(cases, _rows, mistakes, "the rows of this device: (its images, latents).")
    report.so_far = ""
    none = report.array(np.zeros((3, 2), "float32"), (3, 0), 1)
    if none.shape != (0, 2):
        report.wrong("right, except for a device that got no image: it needs an array of no rows, (0, latents).")
    return "image n of the batch gets row n of the noise, on whichever device it is."
