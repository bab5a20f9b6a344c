"""The checks of lesson 01: the error, PCA, a straight walk, draws like the codes."""

import numpy as np

from vae_helpers.exercises.report import exercise, numbers, pair


@exercise
def squared_error(report):
    """Exercise 1.1. function(x, x_hat): images (n, height, width, channels) → the squared error of each image, (n,)."""
    # one channel and three: functions that forget the channel differ only for three
    cases = [(numbers(n, 4, 3, c, seed=c), numbers(n, 4, 3, c, seed=c + 1)) for n, c in ((5, 1), (7, 3))]
    pixels, each = (1, 2, 3), "one number for each image."
    mistakes = [
        (
            "you take the mean over the pixels; the error of an image is the sum over its pixels.",
            lambda x, y: ((x - y) ** 2).mean(pixels),
        ),
        ("you sum over the images as well; " + each[:-1] + " is asked for.", lambda x, y: ((x - y) ** 2).sum()),
        (
            "you take the mean over images and pixels: one number comes out; it should be " + each,
            lambda x, y: ((x - y) ** 2).mean(),
        ),
        ("this is the absolute difference; square it instead.", lambda x, y: np.abs(x - y).sum(pixels)),
        ("this is the absolute difference, and its mean: square the difference, and take the sum over the pixels.",
         lambda x, y: np.abs(x - y).mean(pixels)),
        ("you sum the differences without squaring: plus and minus cancel.", lambda x, y: (x - y).sum(pixels)),
        ("you sum the differences first and square afterwards; square each pixel's difference first.",
         lambda x, y: (x - y).sum(pixels) ** 2),
        ("you take the third power of the differences; take the square.", lambda x, y: ((x - y) ** 3).sum(pixels)),
        ("this is the variance of the differences; take the sum of their squares, and subtract no mean.",
         lambda x, y: (x - y).var(pixels)),
        ("this is the difference of two squares; subtract first, then square.",
         lambda x, y: (x**2 - y**2).sum(pixels)),
        ("this is the square root of the error (the distance); leave the square.",
         lambda x, y: np.sqrt(((x - y) ** 2).sum(pixels))),
        ("this is the square root of the mean; the error of an image is the sum over its pixels, without a root.",
         lambda x, y: np.sqrt(((x - y) ** 2).mean(pixels))),
        ("you sum over axis 0, the images; sum over the pixels of each image: axes 1, 2 and 3.",
         lambda x, y: ((x - y) ** 2).sum(0)),
        ("these are the squares of all pixels; add them up for each image.", lambda x, y: (x - y) ** 2),
        ("these are the differences of all pixels; square them, and add them up for each image.", lambda x, y: x - y),
        ("you take the mean over the channel only; sum over height, width and channel.",
         lambda x, y: ((x - y) ** 2).mean(-1)),
        ("you do not sum over the channel; images have three axes of pixels: height, width and channel.",
         lambda x, y: ((x - y) ** 2).sum((1, 2))),
        ("you use the first channel only; sum over height, width and channel.",
         lambda x, y: ((x - y) ** 2)[..., 0].sum((1, 2))),
        ("you sum over one axis of the pixels only; images have three: height, width and channel.",
         lambda x, y: ((x - y) ** 2).sum(1)),
        ("you sum over one axis of the pixels only; images have three: height, width and channel.",
         lambda x, y: ((x - y) ** 2).sum(-1)),
        ("the sign is wrong: an error is never negative.", lambda x, y: -((x - y) ** 2).sum(pixels)),
    ]  # fmt: skip
    report.compare(
        cases, lambda x, y: ((x - y) ** 2).sum(pixels), mistakes, each, each=lambda x, y: (x - y) ** 2
    )  # fmt: skip
    report.so_far = ("where `x` and `x_hat` have equally many images, it is right. But `x_hat` may also be one "
                     "image for all, (1, height, width, channels):")  # fmt: skip
    report.compare([(case[0], case[1][:1]) for case in cases], lambda x, y: ((x - y) ** 2).sum(pixels), [], each)
    return "one number for each image, the sum over all of its pixels."


@exercise
def pca_reconstruct(report):
    """Exercise 1.2. function(x, mean, directions): images (n, pixels) → the same after PCA, (n, pixels).

    mean: (pixels,), of the training images. directions: (k, pixels), at right angles, each of length 1.
    """
    cases = []
    for seed, n, pixels, k in ((0, 6, 7, 3), (1, 4, 5, 1)):
        directions = np.linalg.qr(numbers(pixels, pixels, seed=seed))[0][:k]
        cases.append((2 + numbers(n, pixels, seed=seed + 2), 1 + numbers(pixels, seed=seed + 4), directions))
    mistakes = [
        ("you do not subtract the mean before you project; the codes are measured from the mean image.",
         lambda x, m, w: x @ w.T @ w + m),
        ("the mean is missing in the result: add it back after decoding.", lambda x, m, w: (x - m) @ w.T @ w),
        ("the mean is missing, before and after, or it is projected, too: subtract it first, and at the end add it as "
         "it is.",
         lambda x, m, w: x @ w.T @ w),
        ("these are the codes; now decode them.", lambda x, m, w: (x - m) @ w.T),
        ("these are the codes, and of images from which the mean was not subtracted.", lambda x, m, w: x @ w.T),
        ("you use the mean of x; use the argument `mean`, which comes from the training images.",
         lambda x, m, w: (x - x.mean(0)) @ w.T @ w + x.mean(0)),
        ("you subtract the mean of x and add the argument `mean`; use `mean` in both places.",
         lambda x, m, w: (x - x.mean(0)) @ w.T @ w + m),
        ("this is x itself: nothing was compressed.", lambda x, m, w: x),
        ("you subtract the mean at the end; add it.", lambda x, m, w: (x - m) @ w.T @ w - m),
        ("the directions have another order in coding than in decoding.", lambda x, m, w: (x - m) @ w[::-1].T @ w + m),
        ("the codes lose their sign before decoding.", lambda x, m, w: np.abs((x - m) @ w.T) @ w + m),
        ("the codes are rounded before decoding.", lambda x, m, w: ((x - m) @ w.T).round() @ w + m),
        ("you use the first direction only; use all of them.", lambda x, m, w: (x - m) @ w[:1].T @ w[:1] + m),
        ("you use the last direction only; use all of them.", lambda x, m, w: (x - m) @ w[-1:].T @ w[-1:] + m),
        ("every row is the mean image: add what the codes say about each image.", lambda x, m, w: 0 * x + m),
        ("this is what PCA loses of each image; asked for is what it keeps.",
         lambda x, m, w: (x - m) - (x - m) @ w.T @ w),
        ("the mean is added once for each direction; add it once.", lambda x, m, w: (x - m) @ w.T @ w + len(w) * m),
        ("you compute directions from x; use the argument `directions`.",
         lambda x, m, w: _pca_of(x, x.mean(0), len(w))),
        ("you compute directions from x; use the argument `directions`.", lambda x, m, w: _pca_of(x, m, len(w))),
    ]  # fmt: skip
    parts = [
        ("of the mean, added at the end,", lambda x, m, w: 0 * x + m),
        ("of what the codes add to it", lambda x, m, w: (x - m) @ w.T @ w),
    ]
    report.compare(cases, lambda x, m, w: (x - m) @ w.T @ w + m, mistakes, "one row of pixels for each image.", parts)
    return "for any number of directions; the mean is subtracted before and added after."


def _pca_of(x, mean, k):
    directions = np.linalg.svd(x - mean, full_matrices=False)[2][:k]
    return (x - mean) @ directions.T @ directions + mean


def line(start, end, t):
    """Points on the straight line, (steps, latent)."""
    return (1 - t)[:, None] * start + t[:, None] * end


@exercise
def walk(report):
    """Exercise 1.4. function(start, end, steps): two codes (latent,) → points on a straight line, (steps, latent)."""
    cases = [(numbers(3, seed=0), numbers(3, seed=1), 6), (numbers(2, seed=2), numbers(2, seed=3), 5)]
    mistakes = [
        ("the walk stops one step before its end: the last point must be `end`.",
         lambda a, b, n: line(a, b, np.arange(n) / n)),
        ("the walk leaves out its start: the first point must be `start`.",
         lambda a, b, n: line(a, b, np.arange(1, n + 1) / n)),
        ("the walk leaves out its start, and goes one step beyond its end: the first point must be `start`.",
         lambda a, b, n: line(a, b, np.arange(1, n + 1) / (n - 1))),
        ("the walk leaves out both ends: the first point must be `start`, the last one `end`.",
         lambda a, b, n: line(a, b, np.arange(1, n + 1) / (n + 1))),
        ("one point too many: `steps` counts the points, both ends included.",
         lambda a, b, n: line(a, b, np.linspace(0, 1, n + 1))),
        ("one point too few: `steps` counts the points, both ends included.",
         lambda a, b, n: line(a, b, np.linspace(0, 1, n - 1))),
        ("one point too few, and the last point must be `end`.", lambda a, b, n: line(a, b, np.arange(n - 1) / n)),
        ("one point too few, and the last point must be `end`.",
         lambda a, b, n: line(a, b, np.arange(n - 1) / (n - 1))),
        ("one point too few, and the first point must be `start`.",
         lambda a, b, n: line(a, b, np.arange(1, n) / (n - 1))),
        ("two points too many: `steps` counts the points, both ends included.",
         lambda a, b, n: line(a, b, np.linspace(0, 1, n + 2))),
        ("the walk goes backward: the first point must be `start`.", lambda a, b, n: line(b, a, np.linspace(0, 1, n))),
        ("the walk goes backward, and stops one step before it arrives: the first point must be `start`.",
         lambda a, b, n: line(b, a, np.arange(n) / n)),
        ("each point should be a row: (steps, latent). Yours are columns.",
         lambda a, b, n: line(a, b, np.linspace(0, 1, n)).T),
        ("the share of `start` does not become smaller: it should go from 1 to 0 while that of `end` goes from 0 to 1.",
         lambda a, b, n: a + np.linspace(0, 1, n)[:, None] * b),
        ("these are the steps away from `start`; add `start` to them.",
         lambda a, b, n: np.linspace(0, 1, n)[:, None] * (b - a)),
        ("the direction is wrong: from `start`, the way to `end` is end − start.",
         lambda a, b, n: a + np.linspace(0, 1, n)[:, None] * (a - b)),
    ]  # fmt: skip
    right = lambda a, b, n: line(a, b, np.linspace(0, 1, n))  # noqa: E731
    found = [report.array(*case) for case in cases]
    if all(_uneven_steps(points, *case) for points, case in zip(found, cases)):
        report.wrong("the points lie on the line through `start` and `end`, but the steps between them are not equal.")
    report.compare(cases, right, mistakes, "one row for each point of the walk.")
    return "equal steps on a straight line, both ends included."


def _uneven_steps(points, start, end, steps):
    if points.shape != (steps, len(start)):
        return False
    t = (points - start) @ (end - start) / ((end - start) @ (end - start))
    on_line = np.allclose(points, line(start, end, t), atol=1e-4) and np.ptp(t) > 1e-3
    return on_line and np.ptp(np.diff(t)) > 1e-3


@exercise
def draw_fitted(report):
    """Exercise 1.3. function(codes, n, rng): codes (images, latent) → n draws from the fitted normal, (n, latent)."""
    rng = np.random.default_rng
    codes = rng(0).multivariate_normal([3.0, -1.0], [[4.0, 3.0], [3.0, 9.0]], size=300)
    n = 10_000
    draws = report.array(codes, n, rng(1))
    if draws.shape == (2, n):
        report.wrong("each draw should be a row: (n, latent). Yours are columns.")
    if draws.shape != (n, 2):
        report.wrong(f"the result has shape {draws.shape}; asked for n = {n}, it should be ({n}, 2).")
    if not np.isfinite(draws).all():
        report.wrong("some draws are not finite (NaN or infinity).")
    if np.isin(draws[:100, 0], codes[:, 0]).all():
        report.wrong("these are codes of images that exist; draw new ones from the fitted normal distribution.")
    if np.ptp(draws, axis=0).max() < 1e-6:
        report.wrong("all draws are the same point; each one should be a new draw.")
    stream = rng(1)
    if np.array_equal(report.array(codes, 5, stream), report.array(codes, 5, stream)):
        report.wrong("every call gives the same draws: use the generator `rng` that you are given, "
                     "and do not restart it.")  # fmt: skip
    if not np.array_equal(report.array(codes, 5, rng(1)), report.array(codes, 5, rng(1))):
        report.wrong("you do not draw with `rng`: a generator that starts anew from the same seed must give the same "
                     "draws.")  # fmt: skip
    _check_cloud(report, draws, codes)
    corners = np.array([[5.0, 5.0], [5.0, -5.0], [-5.0, 5.0], [-5.0, -5.0]])
    spread = report.array(corners, 4000, rng(2))
    if spread.shape == (4000, 2) and _kurtosis(spread).min() < 2.3:
        report.wrong("mean and covariance are right, but your draws stay close to the codes that exist. A normal "
                     "distribution also fills the space between them, and goes beyond.")  # fmt: skip
    report.so_far = "for two latents it is right. For three:"
    three = codes[:, [0, 1, 0]] + rng(3).normal(size=(300, 3)) * [0.5, 0.5, 2.0]
    draws = report.array(three, n, rng(4))
    if draws.shape != (n, 3):
        report.wrong(f"the result has shape {draws.shape}; asked for n = {n}, it should be ({n}, 3).")
    if not np.allclose(draws.mean(0), three.mean(0), atol=0.2) or not np.allclose(
        np.cov(draws.T), np.cov(three.T), atol=1
    ):
        report.wrong("mean or covariance of your draws are not those of the codes.")
    return "mean and covariance are those of the codes, and every call draws anew."


def _kurtosis(draws):
    """Of each column: 3 for a normal distribution, and 1 for two values."""
    return np.mean(((draws - draws.mean(0)) / (draws.std(0) + 1e-12)) ** 4, axis=0)


def _check_order(report, draws, codes):
    """Mistakes in the order of the draws, which mean and spread do not show."""
    if (np.diff(draws, axis=0) >= 0).all(axis=0).any():
        report.wrong("your draws are sorted, each column by itself: then the numbers of one draw are torn apart. "
                     "Leave them as they come.")  # fmt: skip
    second_moment = codes.T @ codes / len(codes)
    if (
        np.allclose(np.cov(draws.T), second_moment, rtol=0.08, atol=0.6)
        and np.abs(draws.mean(0) - codes.mean(0)).max() < 0.2
    ):
        report.wrong("you take the mean of the products for the covariance: subtract the mean of the codes first, as "
                     "np.cov does.")  # fmt: skip
    one, two = draws[:-1] - draws.mean(0), draws[1:] - draws.mean(0)
    if (np.abs((one * two).mean(0)) > 0.1 * draws.var(0)).any():
        report.wrong("each draw is like the one before it: the draws should be independent of each other.")


def _check_cloud(report, draws, codes):
    """Mean, spread, shape and covariance of draws (n, 2) against those of the codes."""
    mean, covariance = codes.mean(0), np.cov(codes.T)
    found, wanted, center = draws.std(0), np.sqrt(np.diag(covariance)), draws.mean(0)
    _check_order(report, draws, codes)
    if np.abs(_kurtosis(draws) - 3).max() > 0.5:
        report.wrong("your draws are not from a normal distribution.")
    if np.abs(center - mean).max() > 0.15:
        told = "have the wrong mean"
        if np.abs(center).max() < 0.15:
            told = "lie around 0; they should lie around the mean of the codes"
        elif np.abs(center - codes.mean()).max() < 0.15:
            told = "have one mean for all numbers; each latent has its own"
        elif np.abs(center - mean[::-1]).max() < 0.15:
            told = "have the latents in the opposite order"
        elif np.abs(center + mean).max() < 0.15:
            told = "have the wrong sign"
        report.wrong(f"your draws {told}: the mean of the codes is {pair(mean)}, and yours is {pair(center)}.")
    if np.allclose(found, wanted**2, rtol=0.05):
        report.wrong(f"the spread is wrong: {pair(found)}, it should be {pair(wanted)}.\n"
                     "You use the variance where the standard deviation belongs.")  # fmt: skip
    if np.allclose(found, np.sqrt(wanted), rtol=0.05):
        report.wrong(f"the spread is wrong: {pair(found)}, it should be {pair(wanted)}.\n"
                     "You use the standard deviation where the variance belongs.")  # fmt: skip
    if np.allclose(found, 1, rtol=0.05):
        report.wrong("your draws have standard deviation 1; they should be spread like the codes.")
    if np.allclose(found, codes.std(), rtol=0.05):
        report.wrong("both numbers of your draws have one spread; each latent has its own.")
    correlation = np.corrcoef(draws.T)[0, 1]
    if np.allclose(found, wanted, rtol=0.05) and abs(correlation) < 0.1:
        report.wrong("the two numbers of your draws vary independently; in the codes they vary together.\n"
                     "The covariance of the codes says how.")  # fmt: skip
    if abs(correlation) > 0.99:
        report.wrong("the two numbers of a draw come from the same random number; each needs its own.")
    factor = np.linalg.cholesky(covariance)
    for text, known in [
        ("the factor of Cholesky is transposed: the covariance must be factor · factorᵀ.", factor.T @ factor),
        ("you invert the covariance; draw with the covariance itself.", np.linalg.inv(covariance)),
        ("you multiply the noise by the covariance itself: the covariance of the result is then its square.",
         covariance @ covariance),
    ]:  # fmt: skip
        if np.allclose(np.cov(draws.T), known, rtol=0.1):
            report.wrong(text)
    ratio = np.cov(draws.T) / covariance
    if np.ptp(ratio) < 0.15 * ratio.mean() and abs(ratio.mean() - 1) > 0.12:
        report.wrong(f"the covariance of your draws is {ratio.mean():.2f} times that of the codes.")
    if (draws == draws.round(1)).all():
        report.wrong("your draws are rounded; leave them as they are.")
    if np.abs(np.cov(draws.T) - covariance).max() > 0.65:
        report.wrong(f"the covariance of your draws is wrong:\n{np.cov(draws.T).round(1).tolist()}, "
                     f"it should be near {covariance.round(1).tolist()}.")  # fmt: skip
