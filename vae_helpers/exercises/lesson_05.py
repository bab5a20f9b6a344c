"""The checks of lesson 05: the grid of codes, the density of the mixture, the active latents, the great circle."""

import math

import numpy as np

from vae_helpers.exercises.lesson_01 import line
from vae_helpers.exercises.report import exercise, numbers, tensors


def _grid(first, second, order="rows"):
    across, up = np.meshgrid(first, second)
    return np.stack([across.ravel(order="C" if order == "rows" else "F"),
                     up.ravel(order="C" if order == "rows" else "F")], axis=1)  # fmt: skip


@exercise
def grid_codes(report):
    """Exercise 5.1. function(values): rising positions (n,) → codes (n·n, 2), row by row from the top left.

    The first latent runs to the right, the second upward.
    """
    cases = [(np.array([-2.0, 0.5, 1.0]),), (np.array([-1.0, 3.0]),), (np.array([-3.0, -1.0, 0.0, 2.5]),)]
    flip = slice(None, None, -1)
    mistakes = [
        ("the second axis runs downward: row 0 is the top of the picture, so the largest z₂ comes first.",
         lambda v: _grid(v, v)),
        ("the two latents are swapped: z₁, in column 0, runs to the right.", lambda v: _grid(v, v[flip])[:, flip]),
        ("the codes go column by column; a picture is filled row by row.", lambda v: _grid(v, v[flip], "columns")),
        ("the codes go column by column, from the bottom: z₁ must change from tile to tile, z₂ from row to row, "
         "the largest z₂ first.", lambda v: _grid(v, v, "columns")),
        ("the positions are spread evenly; use the ones in `values`.",
         lambda v: _grid(*[np.linspace(v[0], v[-1], len(v))[order] for order in (slice(None), flip)])),
        ("the positions are spread evenly, and the second axis runs downward; use those in `values`, from the top.",
         lambda v: _grid(*[np.linspace(v[0], v[-1], len(v))] * 2)),
        ("these are two square tables; pair them: one row of two numbers for each tile, (n·n, 2).",
         lambda v: np.stack(np.meshgrid(v, v[flip]))),
        ("these are two square tables; pair them: one row of two numbers for each tile, (n·n, 2), from the top.",
         lambda v: np.stack(np.meshgrid(v, v))),
        ("as a square, and the latents are swapped: the decoder wants a list of codes, (n·n, 2), z₁ to the right.",
         lambda v: np.stack(np.meshgrid(v, v, indexing="ij"), axis=-1)),
        ("the first axis runs to the left.", lambda v: _grid(v[flip], v[flip])),
        ("the first axis runs to the left and the second downward.", lambda v: _grid(v[flip], v)),
        ("the values are right, but as a square: the decoder wants a list of codes, (n·n, 2).",
         lambda v: _grid(v, v[flip]).reshape(len(v), len(v), 2)),
        ("as a square, and the second axis runs downward: the decoder wants a list of codes, (n·n, 2), from the top.",
         lambda v: _grid(v, v).reshape(len(v), len(v), 2)),
        ("the codes are columns; each code should be a row, (n·n, 2).", lambda v: _grid(v, v[flip]).T),
        ("both latents run together: every z₁ must meet every z₂. Let z₁ change from tile to tile, z₂ from row to row.",
         lambda v: np.stack([np.tile(v, len(v)), np.tile(v[flip], len(v))], axis=1)),
        ("both latents run together: every z₁ must meet every z₂. Let z₁ change from tile to tile, z₂ from row to row.",
         lambda v: np.stack([np.repeat(v, len(v)), np.repeat(v[flip], len(v))], axis=1)),
        ("both latents run together: every z₁ must meet every z₂. Let z₁ change from tile to tile, z₂ from row to row.",
         lambda v: np.stack([np.tile(v, len(v)), np.tile(v, len(v))], axis=1)),
        ("these are the codes of the diagonal only; every z₁ meets every z₂: n·n codes.",
         lambda v: np.stack([v, v], axis=1)),
        ("these are the codes of one diagonal only; every z₁ meets every z₂: n·n codes.",
         lambda v: np.stack([v, v[flip]], axis=1)),
    ]  # fmt: skip
    report.compare(cases, lambda v: _grid(v, v[flip]), mistakes, "one row for each tile, n·n in all.")
    return "n·n codes, row by row from the top left, z₁ to the right, z₂ upward."


def _even(long, short, t):
    return (1 - t) * long + t * short


def _circle(a, b, n, lengths=_even, degrees=False, raw=False, t=None):
    t, long, short = np.linspace(0, 1, n) if t is None else t, np.linalg.norm(a), np.linalg.norm(b)
    t = t[:, None]
    angle = np.arccos(np.clip(a @ b / (long * short), -1, 1))
    if degrees:
        angle = np.degrees(angle)
    if raw:
        return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    turned = (np.sin((1 - t) * angle) * a / long + np.sin(t * angle) * b / short) / np.sin(angle)
    return lengths(long, short, t) * turned


def _mixed(a, b, n):
    """The mixed directions with the right lengths as factors: what is left when the sines are forgotten."""
    t, long, short = np.linspace(0, 1, n)[:, None], np.linalg.norm(a), np.linalg.norm(b)
    return _even(long, short, t) * ((1 - t) * a / long + t * b / short)


def _bent(a, b, n, lengths=_even, raw=False):
    """The straight line with every point pulled to the right length: the right path, in steps of unequal angle."""
    t, long, short = np.linspace(0, 1, n)[:, None], np.linalg.norm(a), np.linalg.norm(b)
    points = (1 - t) * a + t * b if raw else (1 - t) * a / long + t * b / short
    return points / np.linalg.norm(points, axis=1, keepdims=True) * lengths(long, short, t)


@exercise
def great_circle(report):
    """Exercise 5.4. function(start, end, steps): two codes (latent,) → the points of a great circle, (steps, latent).

    The direction turns by equal angles, and the length goes evenly from that of start to that of end.
    """
    cases = [
        (np.array([2.0, 0.5, -1.0]), np.array([-0.5, 1.0, 0.2]), 5),
        (np.array([0.0, 3.0]), np.array([1.0, 0.5]), 7),
        (np.array([0.3, -0.4, 0.5, 0.1]), np.array([1.5, 1.0, -0.2, 2.0]), 4),
    ]
    mistakes = [
        ("this is the straight line; the direction should turn by equal angles.",
         lambda a, b, n: line(a, b, np.linspace(0, 1, n))),
        ("every point has length 1: multiply by a length that goes evenly from that of start to that of end.",
         lambda a, b, n: _circle(a, b, n, lengths=lambda i, j, t: 1)),
        ("the length stays that of the start; it should go evenly to that of the end.",
         lambda a, b, n: _circle(a, b, n, lengths=lambda i, j, t: i)),
        ("the length is that of the end, everywhere; it should go evenly to it from that of the start.",
         lambda a, b, n: _circle(a, b, n, lengths=lambda i, j, t: j)),
        ("the length stays the larger of both; it should go evenly from one to the other.",
         lambda a, b, n: _circle(a, b, n, lengths=lambda i, j, t: max(i, j))),
        ("the length stays the average of both; it should go evenly from one to the other.",
         lambda a, b, n: _circle(a, b, n, lengths=lambda i, j, t: (i + j) / 2)),
        ("the vectors are not divided by their lengths before they are mixed: the longer one pulls the path to itself.",
         lambda a, b, n: _circle(a, b, n, raw=True)),
        ("the angle is in degrees; sin and cos of numpy want radians.", lambda a, b, n: _circle(a, b, n, degrees=True)),
        ("the path is right but its steps are not equal: turn by equal angles, do not rescale the straight line.",
         _bent),
        ("the path is right but its steps are not equal: turn by equal angles, do not rescale the straight line.",
         lambda a, b, n: _bent(a, b, n, raw=True)),
        ("the angle is wrong: divide start · end by both lengths before the arccos.",
         lambda a, b, n: _wrong_angle(a, b, n, clip=False)),
        ("the angle is wrong: divide start · end by both lengths before the arccos.",
         lambda a, b, n: _wrong_angle(a, b, n, clip=True)),
        ("the walk goes backward: the first point must be `start`.", lambda a, b, n: _circle(a, b, n)[::-1]),
        ("one point too many: `steps` counts the points, both ends included.", lambda a, b, n: _circle(a, b, n + 1)),
        ("each point should be a row: (steps, latent). Yours are columns.", lambda a, b, n: _circle(a, b, n).T),
        ("you do not divide by sin θ.", _without_sine),
        ("this is the straight line, with every point pulled to length 1: turn by equal angles, and let the length go "
         "evenly from that of start to that of end.", lambda a, b, n: _bent(a, b, n, lambda i, j, t: 1)),
        ("this is the straight line, with every point pulled to length 1: turn by equal angles, and let the length go "
         "evenly from that of start to that of end.", lambda a, b, n: _bent(a, b, n, lambda i, j, t: 1, raw=True)),
        ("the walk stops one step before its end: the last point must be `end`.",
         lambda a, b, n: _circle(a, b, n, t=np.arange(n) / n)),
        ("the angle is right, but the sines are missing: this mixes the two directions on a straight line.",
         lambda a, b, n: _mixed(a, b, n)),
        ("the length is right at both ends, but goes by equal factors; it should go by equal steps.",
         lambda a, b, n: _circle(a, b, n, lengths=lambda i, j, t: i ** (1 - t) * j**t)),
    ]  # fmt: skip
    if np.isfinite(report.array(*cases[0])).all() and not np.isfinite(report.array(*cases[1])).all():
        report.wrong("the angle is wrong: for (0, 3) and (1, 0.5) it is not a number, because the arccos of a number "
                     "above 1 is NaN. Divide start · end by both lengths before the arccos.")  # fmt: skip
    report.compare(cases, _circle, mistakes, "one row for each point of the walk.")
    for start, end in _parallel():
        _check_parallel(report, start, end)
    return "both ends, equal angles, evenly changing length, and no NaN where the directions are equal."


def _parallel():
    """Pairs of one direction. Of some the cosine, rounded, is 1 exactly; of some it is above 1, of some below."""
    rng = np.random.default_rng(0)
    starts = [np.array([0.0, 2.0]), np.ones(3), *rng.normal(size=(12, 3)), *rng.normal(size=(4, 5)).astype("float32")]
    pairs = [(start, factor * start) for start in starts for factor in (2.0, 1.0)]
    pairs = [(a, b.astype(a.dtype)) for a, b in pairs]
    return [pairs[0], *[(a, b) for a, b in pairs if a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) > 1], *pairs[2:8]]


def _check_parallel(report, start, end):
    ok = "the path is right, except where start and end have the same direction: "
    points, place = report.array(start, end, 4), f"\nFor example for start = {start.round(3)} and end = {end.round(3)}."
    if not np.isfinite(points).all():
        above = start @ end / (np.linalg.norm(start) * np.linalg.norm(end)) > 1
        why = ("there the cosine, rounded, is a little above 1, and its arccos is NaN. Cut it off at 1." if above else
               "there θ = 0 or nearly 0, and 0/0 gives NaN.\nA straight line is the right way there.")  # fmt: skip
        report.wrong(ok + why + place)
    if points.shape != (4, len(start)) or not np.allclose(points, line(start, end, np.linspace(0, 1, 4)), atol=1e-3):
        report.wrong(ok + "there only the length changes, in equal steps from that of start to that of end." + place)


def _wrong_angle(a, b, n, clip):
    t, long, short = np.linspace(0, 1, n)[:, None], np.linalg.norm(a), np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b, -1, 1) if clip else a @ b)
    turned = (np.sin((1 - t) * angle) * a / long + np.sin(t * angle) * b / short) / np.sin(angle)
    return ((1 - t) * long + t * short) * turned


def _without_sine(a, b, n):
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return _circle(a, b, n) * np.sqrt(1 - cosine**2)


def _log_densities(z, mean, log_var, spread=None, squared=True, constant=True, factor=True):
    """log of each cloud's density in each latent, (points, clouds, latent); the flags leave a part out."""
    z, mean, log_var = (np.asarray(array, "float64") for array in (z, mean, log_var))
    spread = np.exp(log_var) if spread is None else spread(log_var)
    distance = (z[:, None] - mean) ** (2 if squared else 1)
    half = 0.5 if factor else 1.0
    log_det = 0.5 * np.log(spread)
    return -half * distance / spread - log_det - (0.5 * math.log(2 * math.pi) if constant else 0.0)


def _clouds(z, mean, log_var, **parts):
    return _log_densities(z, mean, log_var, **parts).sum(axis=-1)


def _log_of_sum(values, axis=1):
    top = values.max(axis=axis, keepdims=True)
    return np.log(np.exp(values - top).sum(axis=axis)) + np.squeeze(top, axis)


def _log_of_mean(values, axis=1):
    return _log_of_sum(values, axis) - math.log(values.shape[axis])


def _mixture(z, mean, log_var, **parts):
    return _log_of_mean(_clouds(z, mean, log_var, **parts))


def _one_cloud(z, mean, log_var):
    """What is left when the clouds are averaged first: one normal distribution."""
    mean, log_var = np.asarray(mean, "float64").mean(0), np.asarray(log_var, "float64").mean(0)
    return _clouds(z, mean[None], log_var[None])[:, 0]


@exercise
def mixture_log_density(report):
    """Exercise 5.2. function(z, mean, log_var): (points, latent), (clouds, latent) twice → log density, (points,)."""
    cases = [
        (numbers(4, 2), numbers(3, 2, seed=1), numbers(3, 2, seed=2) - 1),
        tensors(numbers(3, 2, seed=3), numbers(5, 2, seed=4), numbers(5, 2, seed=5) - 0.5),
        (numbers(2, 3, seed=6), numbers(4, 3, seed=7), numbers(4, 3, seed=8)),
    ]
    mistakes = [
        ("the clouds are added, not averaged: log n is missing, with n the number of clouds.",
         lambda *a: _log_of_sum(_clouds(*a))),
        ("this is the average of the logarithms; take the logarithm of the average density.",
         lambda *a: _clouds(*a).mean(1)),
        ("this is the sum of the logarithms, as if one point had to lie in all clouds; average the densities.",
         lambda *a: _clouds(*a).sum(1)),
        ("this is the density; return its logarithm.", lambda *a: np.exp(_mixture(*a))),
        ("this is the sum of the densities; return the logarithm of their average.",
         lambda *a: np.exp(_log_of_sum(_clouds(*a)))),
        ("this is the largest of the clouds alone; average the densities of all clouds.",
         lambda *a: _clouds(*a).max(1)),
        ("this is the largest of the clouds alone, divided by n; average the densities of all clouds.",
         lambda *a: _clouds(*a).max(1) - math.log(len(a[1]))),
        ("you average over the points; the clouds are what is averaged: one value for each point.",
         lambda *a: _log_of_mean(_clouds(*a), axis=0)),
        ("you add over the points; the clouds are what is averaged: one value for each point.",
         lambda *a: _log_of_sum(_clouds(*a), axis=0)),
        ("points and clouds are averaged together; return one value for each point.",
         lambda *a: _log_of_mean(_clouds(*a).reshape(1, -1))[0]),
        ("this is the mean over the points; return one value for each point.", lambda *a: _mixture(*a).mean()),
        ("you subtract the log of the number of points; average over the clouds, and subtract the log of theirs.",
         lambda *a: _log_of_sum(_clouds(*a)) - math.log(len(a[0]))),
        ("you subtract n; dividing by n inside the logarithm subtracts log n.",
         lambda *a: _log_of_sum(_clouds(*a)) - len(a[1])),
        ("you divide by n after the logarithm; dividing before it subtracts log n.",
         lambda *a: _log_of_sum(_clouds(*a)) / len(a[1])),
        ("log n is added; dividing by n subtracts it.", lambda *a: _log_of_sum(_clouds(*a)) + math.log(len(a[1]))),
        ("log_var is the logarithm of the variance; you take it for the variance.",
         lambda *a: _mixture(*a, spread=lambda log_var: log_var)),
        ("exp(log_var) is the variance; you square it once more.",
         lambda *a: _mixture(*a, spread=lambda log_var: np.exp(2 * log_var))),
        ("exp(log_var / 2) is σ; the density divides by σ², the variance.",
         lambda *a: _mixture(*a, spread=lambda log_var: np.exp(0.5 * log_var))),
        ("the sign of log_var is turned.", lambda *a: _mixture(*a, spread=lambda log_var: np.exp(-log_var))),
        ("the constant log 2π is missing in the density of a cloud.", lambda *a: _mixture(*a, constant=False)),
        ("the ½ before the squared distance is missing.", lambda *a: _mixture(*a, factor=False)),
        ("the width of a cloud is missing in front: a wide cloud has a lower density everywhere, by −½ log_var.",
         _without_width),
        ("you average the clouds first, and take the density of one normal distribution; average the densities.",
         _one_cloud),
        ("each latent is averaged by itself: within one cloud the latents belong together. Sum over them first.",
         lambda *a: _log_of_mean(_log_densities(*a)).sum(-1)),
        ("there is one value for each latent; sum over the latents of a cloud first.",
         lambda *a: _log_of_mean(_log_densities(*a))),
        ("these are the log densities of all clouds; average them over the clouds: one value for each point.", _clouds),
        ("this is the density of the first cloud; average over all of them.", lambda *a: _clouds(*a)[:, 0]),
        ("the sign is turned.", lambda *a: -_mixture(*a)),
        ("this is log2; the course counts in nats.", lambda *a: _mixture(*a) / math.log(2)),
    ]  # fmt: skip
    report.compare(cases, _mixture, mistakes, "one value for each point.")
    _check_far(report)
    return "the logarithm of the average density of all clouds, one value for each point, also far from all of them."


def _without_width(z, mean, log_var):
    log_var = np.asarray(log_var, "float64")
    return _log_of_mean(_clouds(z, mean, log_var) + 0.5 * log_var.sum(-1))


def _check_far(report):
    """Points so far from narrow clouds that the exponential of each log density is 0 in a computer."""
    z, mean, log_var = np.array([[3.0, 3.0], [-4.0, 0.5]]), numbers(5, 2, seed=9) / 2, numbers(5, 2, seed=10) / 4 - 5.5
    case = tensors(z, mean, log_var)
    found, ok = report.array(*case), "the values are right near the clouds. "
    if not np.isfinite(found).all():
        report.wrong(ok + "But for a point far from all clouds each exp gives 0, and log 0 is −infinity.\n"
                     "Use ops.logsumexp, which takes the largest one out first.")  # fmt: skip
    right = _mixture(*(np.asarray(array, "float64") for array in case))
    if found.shape != right.shape or not np.allclose(found, right, rtol=1e-3):
        report.wrong(ok + "But for a point far from all clouds they are wrong. Cut nothing off, and add no small "
                     "number under the logarithm: use ops.logsumexp.")  # fmt: skip


@exercise
def active_latents(report):
    """Exercise 5.3. function(mean, threshold): (images, latent) → True for each latent that is active, (latent,)."""
    # standard deviations over the images, none near the thresholds; averages make a latent look active that is not
    spreads = np.array([1.0, 0.05, 0.3, 0.0, 0.15, 0.03, 0.08, 0.13, 0.35, 0.6, 0.18, 0.02, 0.4, 0.065, 0.28, 0.12])
    averages = np.array([0.0, 2.0, -1.0, 0.5, 0.0, 0.0, -0.3, 0.15, 0.1, -0.05, 1.0, 0.02, -0.6, 0.12, 0.02, -0.09])
    cases = []
    for seed, images, latents, threshold in (
        (0, 50, 6, 0.01),
        (1, 40, 16, 0.045),
        (2, 30, 12, 0.01),
        (3, 60, 16, 0.14),
    ):
        noise = numbers(images, latents, seed=seed)
        noise = (noise - noise.mean(0)) / noise.std(0)
        places = np.random.default_rng(seed).permutation(16)[:latents] if seed else slice(6)
        cases.append(((noise * spreads[places] + averages[places]).astype("float32"), threshold))
    mistakes = [
        ("you compare the standard deviation with the threshold; the threshold is for the variance.",
         lambda m, t: m.std(0) > t),
        ("you subtract one average, that of all numbers; each latent has its own.",
         lambda m, t: ((m - m.mean()) ** 2).mean(0) > t),
        ("you count how many images are farther from the average than the threshold; take the variance over the images "
         "first, then compare.", lambda m, t: (np.abs(m - m.mean(0)) > t).mean(0) > 0.5),
        ("you take the average of the squares; the variance subtracts the average first.",
         lambda m, t: (m**2).mean(0) > t),
        ("you compare the average with the threshold; active means that the mean *varies* over the images.",
         lambda m, t: np.abs(m.mean(0)) > t),
        ("you compare the average with the threshold; active means that the mean *varies* over the images.",
         lambda m, t: m.mean(0) > t),
        ("the variance runs over the latents of each image; take it over the images, axis 0.",
         lambda m, t: m.var(1) > t),
        ("True and False are swapped: a large variance means active.", lambda m, t: m.var(0) <= t),
        ("these are the variances; compare them with the threshold.", lambda m, t: m.var(0)),
        ("this is their number; say True or False for each latent.", lambda m, t: (m.var(0) > t).sum()),
        ("these are the indices of the active latents; say True or False for each latent.",
         lambda m, t: np.flatnonzero(m.var(0) > t)),
        ("you do not use `threshold`.", lambda m, t: m.var(0) > 0.01),
        ("you compare the numbers themselves; active means that the mean *varies* over the images: its variance.",
         lambda m, t: m > t),
        ("you compare the numbers themselves; active means that the mean *varies* over the images: its variance.",
         lambda m, t: (m > t).any(0)),
        ("you compare the numbers themselves; active means that the mean *varies* over the images: its variance.",
         lambda m, t: (np.abs(m) > t).any(0)),
        ("you take the average of the distances from the average; the variance squares them first.",
         lambda m, t: np.abs(m - m.mean(0)).mean(0) > t),
        ("you do not use `threshold`: you compare with the average variance.", lambda m, t: m.var(0) > m.var(0).mean()),
        ("these are the variances of the active latents, and 0 for the others; say True or False for each latent.",
         lambda m, t: (m.var(0) > t) * m.var(0)),
        ("you take the variance of the differences between images; take that of the means themselves.",
         lambda m, t: np.diff(m, axis=0).var(0) > t),
        ("you use the first images only; the variance runs over all of them.", lambda m, t: m[:10].var(0) > t),
        ("you take the average of the absolute values; active means that the mean *varies* over the images.",
         lambda m, t: np.abs(m).mean(0) > t),
        ("you compare the distance from the smallest to the largest number; the threshold is for the variance.",
         lambda m, t: np.ptp(m, axis=0) > t),
        ("True and False are swapped, and you compare the standard deviation; the threshold is for the variance.",
         lambda m, t: m.std(0) < t),
        ("you take the sum of the squared distances; the variance is their mean.",
         lambda m, t: len(m) * m.var(0) > t),
        ("these are the columns of the active latents; say True or False for each latent.",
         lambda m, t: m[:, m.var(0) > t]),
        ("you take the variance of all numbers together; each latent has its own, over axis 0.",
         lambda m, t: m.var() > t),
    ]  # fmt: skip
    report.compare(cases, lambda m, t: m.var(0) > t, mistakes, "True or False for each latent.")
    return "for each latent, by the variance of its mean over the images."
