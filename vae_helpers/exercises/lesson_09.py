"""The checks of lesson 09: bits per dimension, the probability of a step, how alike the features of images are."""

import math

import numpy as np
from scipy.special import expit

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


def _area(level, mean, scale, below=0.5, above=0.5, tails=True):
    upper, lower = expit((level + above - mean) / scale), expit((level - below - mean) / scale)
    if tails:
        upper, lower = np.where(level == 255, 1.0, upper), np.where(level == 0, 0.0, lower)
    return upper - lower


def _density(level, mean, scale):
    p = expit((level - mean) / scale)
    return p * (1 - p) / scale


def _steps_of(shape, rng):
    """Levels, means and scales, with both ends among the levels, and no probability below a thousandth."""
    level = rng.integers(1, 255, shape).astype("float32")
    level.flat[0], level.flat[1], level.flat[-1] = 0, 255, 255
    mean = np.clip(level + rng.uniform(-15, 15, shape), 0, 255).astype("float32")
    return level, mean, rng.uniform(4, 20, shape).astype("float32")


@exercise
def step_probability(report):
    """Exercise 9.2. function(level, mean, scale): arrays of one shape → the probability of each step, that shape."""
    rng = np.random.default_rng(0)
    cases = [_steps_of(shape, rng) for shape in ((12,), (3, 5), (2, 3, 2, 3))]
    mistakes = [
        ("right for the steps between, but not for the ends: everything below ½ belongs to step 0, and everything "
         "above 254½ to step 255.", lambda k, m, s: _area(k, m, s, tails=False)),
        ("step 255 gets its tail, step 0 does not: nothing lies below step 0, so its lower sigmoid is 0.",
         lambda k, m, s: np.where(k == 0, _area(k, m, s, tails=False), _area(k, m, s))),
        ("step 0 gets its tail, step 255 does not: nothing lies above step 255, so its upper sigmoid is 1.",
         lambda k, m, s: np.where(k == 255, _area(k, m, s, tails=False), _area(k, m, s))),
        ("at the ends you give the tail beyond the step, without the step itself.",
         lambda k, m, s: np.where(k == 0, expit((-0.5 - m) / s), np.where(k == 255, 1 - expit((255.5 - m) / s),
                                                                       _area(k, m, s)))),
        ("the two tails are exchanged: step 0 gets what lies below ½, step 255 what lies above 254½.",
         lambda k, m, s: np.where(k == 0, 1 - expit((-0.5 - m) / s), np.where(k == 255, expit((255.5 - m) / s),
                                                                           _area(k, m, s)))),
        ("your steps are 2 wide: go from level − ½ to level + ½.", lambda k, m, s: _area(k, m, s, 1, 1)),
        ("your steps are 2 wide, and the ends have no tails.", lambda k, m, s: _area(k, m, s, 1, 1, tails=False)),
        ("your steps go from level to level + 1; a step lies around its level, from level − ½ to level + ½.",
         lambda k, m, s: _area(k, m, s, 0, 1)),
        ("your steps go from level to level + 1, and the ends have no tails; a step goes from level − ½ to level + ½.",
         lambda k, m, s: _area(k, m, s, 0, 1, tails=False)),
        ("your steps go from level − 1 to level; a step lies around its level, from level − ½ to level + ½.",
         lambda k, m, s: _area(k, m, s, 1, 0)),
        ("your steps go from level − 1 to level, and the ends have no tails; a step goes from level − ½ to level + ½.",
         lambda k, m, s: _area(k, m, s, 1, 0, tails=False)),
        ("this is the density at the level. A probability is an area: a difference of two sigmoids.", _density),
        ("this is a normal density; the exercise takes areas of the logistic distribution.",
         lambda k, m, s: np.exp(-0.5 * ((k - m) / s) ** 2) / (s * math.sqrt(2 * math.pi))),
        ("this is the probability of the step *or anything below*; subtract the sigmoid at the lower end.",
         lambda k, m, s: np.where(k == 255, 1.0, expit((k + 0.5 - m) / s))),
        ("this is the probability of the step *or anything below*; subtract the sigmoid at the lower end.",
         lambda k, m, s: expit((k + 0.5 - m) / s)),
        ("the sign is wrong: upper end minus lower end.", lambda k, m, s: -_area(k, m, s)),
        ("the sign is wrong: upper end minus lower end. And the ends have no tails yet.",
         lambda k, m, s: -_area(k, m, s, tails=False)),
        ("these are nats, −log P; return P itself.", lambda k, m, s: -np.log(_area(k, m, s))),
        ("these are bits, −log₂ P; return P itself.", lambda k, m, s: -np.log2(_area(k, m, s))),
        ("this is log P; return P itself.", lambda k, m, s: np.log(_area(k, m, s))),
        ("you multiply by the scale; divide by it.", lambda k, m, s: _area(k * 0, m * 0 - (k - m) * s * s, s)),
        ("you take `scale` for its logarithm: it is s itself.", lambda k, m, s: _area(k, m, np.exp(s))),
        ("you divide the ½ by the scale, but not the distance from the mean: both are in steps.",
         lambda k, m, s: expit(k - m + 0.5 / s) - expit(k - m - 0.5 / s)),
        ("you add up the probabilities; keep one for each number.", lambda k, m, s: _area(k, m, s).sum()),
        ("you forget the mean: the distance is level − mean.", lambda k, m, s: _area(k, 0 * m, s)),
        ("the tails go to wrong steps: nothing lies below step 0, nothing above step 255. (256 is no step.)",
         lambda k, m, s: np.where(k == 0, _area(k, m, s), _area(k, m, s, tails=False))),
    ]  # fmt: skip
    report.compare(cases, _area, mistakes, "one probability for each number.")
    report.so_far = "the formula holds."
    far = report.array(np.array([0.0, 250.0, 3.0]), np.array([255.0, 0.0, 3.0]), np.full(3, 0.2))
    if not np.all(np.isfinite(far)):
        report.wrong("But far from the mean it is not finite: exp(1252) overflows. Take `expit` for the sigmoid.")
    if np.any(far < 0) or abs(far[2] - 0.848) > 0.01:
        report.wrong("But far from the mean, and for a narrow scale, it is not: P is never negative, and with the "
                     "mean on a step and s = 0.2 that step has 0.85.")  # fmt: skip
    return "an area for each step, with the tails at both ends: all 256 add up to 1."


def _rows(features):
    return features.reshape(len(features), -1)


def _units(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _pairs(table):
    """The mean over all pairs of two different ones. table: (n, n)."""
    n = len(table)
    return (table.sum() - np.trace(table)) / (n * (n - 1))


def _cosines(rows):
    units = _units(rows)
    return units @ units.T


@exercise
def mean_cosine(report):
    """Exercise 9.3. function(features): (n, height, width, channels) → the mean cosine of two different images."""
    rng = np.random.default_rng(2)
    cases = []
    for n, shape, middle in ((5, (2, 3, 2), 0.4), (3, (4, 4, 1), 1.0), (8, (2, 2, 3), -0.3)):
        sizes = rng.uniform(0.5, 3, (n, 1, 1, 1))
        cases.append(((rng.normal(size=(n, *shape)) + middle * rng.normal(size=shape)) * sizes,))
    cases = [(features.astype("float32"),) for (features,) in cases]
    mistakes = [
        ("you count each image with itself, too: that cosine is always 1. Leave out the diagonal, and divide by the "
         "number of pairs of two different images.", lambda f: _cosines(_rows(f)).mean()),
        ("the diagonal is out of the sum, but still in the number of pairs: divide by n(n − 1).",
         lambda f: (_cosines(_rows(f)).sum() - len(f)) / len(f) ** 2),
        ("the diagonal is out of the number of pairs, but still in the sum: subtract n.",
         lambda f: _cosines(_rows(f)).sum() / (len(f) * (len(f) - 1))),
        ("each pair is there once in the sum and twice in the number of pairs: divide by n(n − 1) / 2.",
         lambda f: _pairs(_cosines(_rows(f))) / 2),
        ("each pair is there twice in the sum and once in the number of pairs: divide by n(n − 1).",
         lambda f: 2 * _pairs(_cosines(_rows(f)))),
        ("these are scalar products: divide each by the lengths of both lists.",
         lambda f: _pairs(_rows(f) @ _rows(f).T)),
        ("you subtract the mean first: that is a correlation. The cosine takes the numbers as they are.",
         lambda f: _pairs(_cosines(_rows(f) - _rows(f).mean(axis=1, keepdims=True)))),
        ("you subtract the mean image first; the cosine takes the numbers as they are.",
         lambda f: _pairs(_cosines(_rows(f) - _rows(f).mean(axis=0)))),
        ("you compare the numbers of an image with each other, over the images: the rows should be images.",
         lambda f: _pairs(_cosines(_rows(f).T))),
        ("you divide by the *squared* lengths: without the root.",
         lambda f: _pairs(_rows(f) @ _rows(f).T / np.outer((_rows(f) ** 2).sum(1), (_rows(f) ** 2).sum(1)))),
        ("you divide by one length only; the cosine divides by both.",
         lambda f: _pairs(_units(_rows(f)) @ _rows(f).T)),
        ("you divide by the sums of absolute values; the length is the root of the sum of squares.",
         lambda f: _pairs(_rows(f) @ _rows(f).T / np.outer(np.abs(_rows(f)).sum(1), np.abs(_rows(f)).sum(1)))),
        ("this is the whole table of cosines; return the mean of the pairs, one number.", lambda f: _cosines(_rows(f))),
        ("this is one number for each image; return the mean of all pairs.",
         lambda f: (_cosines(_rows(f)).sum(1) - 1) / (len(f) - 1)),
        ("this is the sum over all pairs; divide by their number, n(n − 1).",
         lambda f: _cosines(_rows(f)).sum() - len(f)),
        ("this is the mean of the absolute cosines; opposite directions count as −1.",
         lambda f: _pairs(np.abs(_cosines(_rows(f))))),
        ("this is 1 minus the cosine, a distance.", lambda f: 1 - _pairs(_cosines(_rows(f)))),
        ("these are angles; return their cosines.", lambda f: _pairs(np.arccos(np.clip(_cosines(_rows(f)), -1, 1)))),
        ("you normalize the whole array by one length; each image has its own.",
         lambda f: _pairs(_rows(f) @ _rows(f).T) / np.sum(f**2)),
        ("this is the cosine of the first two images only.", lambda f: _cosines(_rows(f))[0, 1]),
        ("you compare each image with the next one only; take all pairs.",
         lambda f: np.diag(_cosines(_rows(f)), 1).mean()),
        ("you compare all images with the first one only; take all pairs.", lambda f: _cosines(_rows(f))[0, 1:].mean()),
        ("you take the mean over places of cosines along the channels; an image is one long list.",
         lambda f: np.mean([_pairs(_cosines(f[:, i, j])) for i in range(f.shape[1]) for j in range(f.shape[2])])),
        ("this is the median; return the mean.",
         lambda f: np.median(_cosines(_rows(f))[~np.eye(len(f), dtype=bool)])),
    ]  # fmt: skip
    report.compare(cases, lambda f: _pairs(_cosines(_rows(f))), mistakes, "one number.")
    return "each pair of two different images once, and lengths do not count."
