"""The checks of lesson 09: bits per dimension, the nearest code of a codebook."""

import math

import numpy as np

from vae_helpers.exercises.report import exercise

_BIT = math.log(2)  # nats in a bit


def _bits(loss, shape, steps=256):
    return (loss / math.prod(shape) + math.log(steps)) / _BIT


@exercise
def bits_per_dimension(report):
    """Exercise 9.1. function(loss, image_shape): nats per image, pixels in [0, 1] → bits per dimension, 256 steps.

    loss: a number or an array of minus log densities; image_shape: (height, width, channels).
    """
    cases = [
        (np.array([-1500.0, 400.0, 0.0]), (32, 32, 3)),
        (np.array([-30.0, 10.0, 3.0]), (4, 2, 1)),
        (np.array([-700.0, 2000.0]), (8, 4, 3)),
    ]
    size = math.prod
    mistakes = [
        ("you forget the 256 steps: the loss is for pixels between 0 and 1. On the scale of the steps, a density is "
         "256 times smaller, in each dimension.", lambda v, s: v / size(s) / _BIT),
        ("this is nats per dimension; divide by log 2 at the end.", lambda v, s: v / size(s) + math.log(256)),
        ("this is nats per dimension, without the 256 steps. Two things are missing: log 256, and the unit.",
         lambda v, s: v / size(s)),
        ("you add 8 bits to a number in nats: turn the nats into bits first.", lambda v, s: v / size(s) + 8),
        ("you add log 256, which is in nats, to a number in bits.", lambda v, s: v / size(s) / _BIT + math.log(256)),
        ("you take the 256 steps the wrong way: on the scale of the steps a density is smaller, so the loss is larger.",
         lambda v, s: v / size(s) / _BIT - 8),
        ("the sign is wrong: `loss` is already *minus* the logarithm of a density.",
         lambda v, s: -v / size(s) / _BIT + 8),
        ("the sign is wrong, of the whole: fewer bits are better, and an untrained model needs about 8.",
         lambda v, s: -_bits(v, s)),
        ("you forget the channels: a colour image has height · width · channels dimensions.",
         lambda v, s: v / (s[0] * s[1]) / _BIT + 8),
        ("the 256 steps hold for each dimension, but the loss is that of the whole image: divide it by their number.",
         lambda v, s: v / _BIT + 8),
        ("these are the bits of the whole image; divide by the number of dimensions.",
         lambda v, s: v / _BIT + 8 * size(s)),
        ("these are the bits of the whole image, without the 256 steps.", lambda v, s: v / _BIT),
        ("you multiply by log 2; a bit is log 2 = 0.69 nats, so there are more bits than nats: divide.",
         lambda v, s: v / size(s) * _BIT + 8),
        ("you multiply by log 2; a bit is log 2 = 0.69 nats, so there are more bits than nats: divide.",
         lambda v, s: (v / size(s) + math.log(256)) * _BIT),
        ("you count 255 steps. 255 is the largest of the 256 values, which begin with 0.",
         lambda v, s: _bits(v, s, steps=255)),
        ("you add height, width and channels; multiply them.", lambda v, s: v / sum(s) / _BIT + 8),
        ("you multiply by log 256; the steps are added.", lambda v, s: v / size(s) * math.log(256) / _BIT),
        ("this is in bytes (256 steps in one unit); a bit has two: divide by log 2.",
         lambda v, s: _bits(v, s) / 8),
        ("you add the 256 steps once for the whole image; every dimension has them.",
         lambda v, s: (v + math.log(256)) / size(s) / _BIT),
        ("this is one number for all images; keep one for each.", lambda v, s: _bits(v.mean(), s)),
    ]  # fmt: skip
    parts = [
        ("loss / (dimensions · log 2)", lambda v, s: v / size(s) / _BIT),
        ("log₂ 256 = 8", lambda v, s: np.full(len(v), 8.0)),
    ]
    report.compare(cases, _bits, mistakes, "one number for each loss.", parts)
    report.so_far = "for an array of losses it is right. But `loss` may also be one number:"
    report.compare([(1000.0, (32, 32, 3)), (-20.0, (4, 2, 1))], _bits, [], "one number.")
    return "per dimension, in bits, on the scale of the 256 steps."


def _squares(z, codebook):
    return ((z[:, None] - codebook) ** 2).sum(-1)


@exercise
def nearest_code(report):
    """Exercise 9.3. function(z, codebook): (n, d) and (k, d) → the index of the nearest code for each row, (n,)."""
    rng = np.random.default_rng(1)
    cases = []
    for n, k, d in ((12, 5, 2), (9, 7, 3), (16, 4, 6)):
        codebook = rng.normal(size=(k, d)) * rng.uniform(0.3, 2.5, (k, 1)) + 0.4
        cases.append((rng.normal(size=(n, d)).astype("float32") * 1.2, codebook.astype("float32")))

    def nearest(z, c):
        return _squares(z, c).argmin(1)

    def cosine(z, c):
        return z @ c.T / np.linalg.norm(c, axis=1)

    mistakes = [
        ("these are the nearest codes themselves; return their indices, one whole number for each row of z.",
         lambda z, c: c[nearest(z, c)]),
        ("these are all squared distances; argmin over the codes, axis 1, gives the index of the smallest.", _squares),
        ("these are all distances; argmin over the codes, axis 1, gives the index of the smallest.",
         lambda z, c: np.sqrt(_squares(z, c))),
        ("these are the smallest distances; return *where* they are: argmin in place of min.",
         lambda z, c: _squares(z, c).min(1)),
        ("these are the smallest distances; return *where* they are: argmin in place of min.",
         lambda z, c: np.sqrt(_squares(z, c)).min(1)),
        ("these are the codes farthest away: argmin in place of argmax.", lambda z, c: _squares(z, c).argmax(1)),
        ("you take the code with the largest scalar product. A long code wins too often: the nearest one has the "
         "smallest distance.", lambda z, c: (z @ c.T).argmax(1)),
        ("you take the smallest scalar product; the nearest code has the smallest *distance*.",
         lambda z, c: (z @ c.T).argmin(1)),
        ("you take the code with the most similar direction; the nearest one has the smallest distance.",
         lambda z, c: cosine(z, c).argmax(1)),
        ("you compare along the wrong axis: this is the nearest row of z for each code.",
         lambda z, c: _squares(z, c).argmin(0)),
        ("you add up absolute differences; the distance squares them.",
         lambda z, c: np.abs(z[:, None] - c).sum(-1).argmin(1)),
        ("you take the largest difference of the coordinates; the distance adds up the squares of all.",
         lambda z, c: np.abs(z[:, None] - c).max(-1).argmin(1)),
        ("you compare the first coordinate only.", lambda z, c: np.abs(z[:, None, 0] - c[:, 0]).argmin(1)),
        ("the differences are not squared, so positive and negative ones cancel.",
         lambda z, c: (z[:, None] - c).sum(-1).argmin(1)),
        ("the differences are not squared, so positive and negative ones cancel.",
         lambda z, c: (c - z[:, None]).sum(-1).argmin(1)),
        ("the differences are added up before they are squared, so positive and negative ones cancel.",
         lambda z, c: (z[:, None] - c).sum(-1).__pow__(2).argmin(1)),
        ("the sign is wrong in ‖z − c‖² = ‖z‖² − 2 z·c + ‖c‖².", lambda z, c: (2 * z @ c.T + (c**2).sum(1)).argmin(1)),
        ("the 2 is missing in ‖z − c‖² = ‖z‖² − 2 z·c + ‖c‖².", lambda z, c: (-z @ c.T + (c**2).sum(1)).argmin(1)),
        ("argmin without an axis gives one number for the whole table; give it axis 1.",
         lambda z, c: _squares(z, c).argmin()),
        ("this is a table of 0 and 1; return the index of each 1.", lambda z, c: np.eye(len(c))[nearest(z, c)]),
        ("this is the second nearest code.", lambda z, c: np.argsort(_squares(z, c), axis=1)[:, 1]),
        ("these are the codes in the order of their distance; return the first of them.",
         lambda z, c: np.argsort(_squares(z, c), axis=1)),
        ("you compare the last coordinate only.", lambda z, c: np.abs(z[:, None, -1] - c[:, -1]).argmin(1)),
        ("you multiply the differences of the coordinates; add up their squares.",
         lambda z, c: ((z[:, None] - c) ** 2).prod(-1).argmin(1)),
        ("you take the third power of the differences; take the square, which is never negative.",
         lambda z, c: ((z[:, None] - c) ** 3).sum(-1).argmin(1)),
        ("you count how often each code is the nearest; return the index for each row.",
         lambda z, c: np.bincount(nearest(z, c), minlength=0)),
        ("these are the codes that are nearest to some row; return the index for each row.",
         lambda z, c: np.unique(nearest(z, c))),
        ("you count the codes from 1; Python counts from 0.", lambda z, c: nearest(z, c) + 1),
        ("the result is a column; return a list of n indices: (n,), not (n, 1).",
         lambda z, c: nearest(z, c)[:, None]),
    ]  # fmt: skip
    report.compare(cases, nearest, mistakes, "one index for each row of z.")
    return "for each row of z the index of the code at the smallest distance."
