"""The checks of lesson 07: the normalizer, the best variance, bits per pixel, the importance-weighted bound."""

import math

import numpy as np

from vae_helpers.exercises.report import exercise, numbers, tensors


def _log_normalizer(a):
    """log of a / tanh(a/2) without overflow, and log 2 at a = 0."""
    a = np.abs(np.asarray(a, "float64"))
    safe = np.where(a > 1e-4, a, 1.0)
    return np.where(a > 1e-4, np.log(safe) - np.log(np.tanh(safe / 2)), math.log(2) + a**2 / 12)


def _log_integral(a):
    """log of the integral over x of λˣ(1 - λ)¹⁻ˣ from 0 to 1, from the logit."""
    return -_log_normalizer(a)


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


@exercise
def log_normalizer(report):
    """Exercise 7.1. function(logits): (…) → log C of each pixel, (…): what the Bernoulli formula lacks as a density."""
    apart = np.array([[-9.0, -3.0, -0.7], [0.4, 2.0, 30.0]])
    cases = [tensors(apart), (numbers(5) * 3 + 0.1,)]
    mistakes = [
        ("the sign is turned: this is the logarithm of the integral. C is 1 divided by the integral.", _log_integral),
        ("this is C; return its logarithm.", lambda a: np.exp(_log_normalizer(a))),
        ("this is the integral, 1/C; return log C.", lambda a: np.exp(-_log_normalizer(a))),
        ("tanh(a) stands where tanh(a/2) belongs.", lambda a: np.log(np.abs(a)) - np.log(np.tanh(np.abs(a)))),
        ("log a − log tanh(a/2) is not a number for negative logits: both parts need |a|, or their quotient first.",
         lambda a: np.log(a) - np.log(np.tanh(a / 2))),
        ("a is missing above the fraction: C = a / tanh(a/2).", lambda a: -np.log(np.tanh(np.abs(a) / 2))),
        ("a is missing above the fraction: C = a / tanh(a/2).", lambda a: -np.log(np.tanh(a / 2))),
        ("a small number is added to |a| or to tanh(|a|/2). Treat a = 0 apart, and add nothing elsewhere.",
         lambda a: np.log(np.abs(a) + 1e-3) - np.log(np.tanh(np.abs(a) / 2) + 1e-3)),
        ("the logarithm of |a| is missing: log C = log |a| − log tanh(|a|/2).",
         lambda a: np.abs(a) - np.log(np.tanh(np.abs(a) / 2))),
        ("the logarithm of tanh is missing: log C = log |a| − log tanh(|a|/2).",
         lambda a: np.log(np.abs(a)) - np.tanh(np.abs(a) / 2)),
        ("this is log((exp(a) − 1) / a), the area without its factor 1/(1 + exp(a)), and not turned.",
         lambda a: np.log((np.exp(a) - 1) / a)),
        ("you multiply where C divides: C = a / tanh(a/2).",
         lambda a: np.log(np.abs(a)) + np.log(np.tanh(np.abs(a) / 2))),
        ("you take a sigmoid first; the formula of the exercise is in the logit itself: C = a / tanh(a/2).",
         lambda a: _log_normalizer(_sigmoid(a))),
        ("this is the sum over all pixels; return one value for each pixel.", lambda a: _log_normalizer(a).sum()),
        ("this is the sum over the last axis; return one value for each pixel.",
         lambda a: _log_normalizer(a).sum(axis=-1)),
        ("this is the mean over all pixels; return one value for each pixel.", lambda a: _log_normalizer(a).mean()),
        ("this is the logarithm to the base 2; the course counts in nats.", lambda a: _log_normalizer(a) / math.log(2)),
        ("every pixel gets log 2: that is right at a = 0 only.", lambda a: np.full(np.shape(a), math.log(2))),
    ]  # fmt: skip
    parts = [
        ("log |a|", lambda a: np.log(np.abs(a))),
        ("−log tanh(|a|/2)", lambda a: -np.log(np.tanh(np.abs(a) / 2))),
    ]
    report.compare(cases, _log_normalizer, mistakes, "one value for each pixel.", parts)
    ok = "the values are right where the logit is not near 0. "
    at_zero = report.array(*tensors(np.array([0.0, 1.0])))
    if not np.isfinite(at_zero).all():
        report.wrong(ok + "At a = 0 the fraction is 0/0, and you return NaN or infinity.\n"
                     "Use the series there, with ops.where, and give the other branch a harmless logit.")  # fmt: skip
    if abs(at_zero[0] - math.log(2)) > 1e-3:
        report.wrong(ok + f"At a = 0 you return {at_zero[0]:.4g}; the limit there is log 2 ≈ 0.6931.")
    near = np.array([1e-7, -1e-4, 1e-3, 0.02, -0.05, 0.09, -0.15, 0.2, 0.24, -0.27, 0.3])
    off = np.abs(report.array(*tensors(near)) - _log_normalizer(near))
    if off.max() > 1.2e-4:
        report.wrong(ok + f"Near a = 0 it is off by {off.max():.1g}, for a = {near[off.argmax()]:g}: a network gives "
                     "such logits, too.\nThe series log 2 + a²/12 is good up to |a| = 0.3.")  # fmt: skip
    far = np.array([-200.0, 500.0])
    if not np.allclose(report.array(*tensors(far)), _log_normalizer(far), rtol=1e-3):
        report.wrong(
            "the values are right for small logits. For large ones, such as −200 and 500, it overflows. tanh does "
            "not; exp does."
        )
    report.gradients(tensors(np.array([0.0, 0.05, -2.0, 1e-3, 30.0])), _log_normalizer, [0], needed=False)
    return "log C for each pixel, also at a = 0 and for large logits of either sign."


def _mse(x, m):
    return np.mean((x - m) ** 2)


@exercise
def best_variance(report):
    """Exercise 7.2. function(x, mean): two (batch, h, w, c) → the σ² that fits all pixels best, one number."""
    x, mean = numbers(3, 4, 2, 1), 0.5 * numbers(3, 4, 2, 1, seed=1) + 0.3
    cases = [(x, mean), tensors(0.1 * x[:2], mean[:2] + 1), (x[:, :2], mean[:, :2])]
    cases += [(2 * x[1:], mean[1:] - 1), (x[:, 1:] + 1, mean[:, 1:]), (mean[:1] + 2, x[:1]), (0.7 * x, 0.4 - mean)]
    per_image = (1, 2, 3)
    mistakes = [
        ("this is σ; return the variance σ².", lambda x, m: np.sqrt(_mse(x, m))),
        ("this is log σ²; return σ² itself.", lambda x, m: np.log(_mse(x, m))),
        ("this is the sum of the squares; the best σ² is their mean.", lambda x, m: np.sum((x - m) ** 2)),
        ("you add up over the pixels and average over the batch, as for a loss. Here it is the mean over both.",
         lambda x, m: np.mean(np.sum((x - m) ** 2, axis=per_image))),
        ("this is the difference of two mean squares; subtract first, then square.",
         lambda x, m: np.mean(x**2 - m**2)),
        ("this is the median of the squares; the best σ² is their mean.", lambda x, m: np.median((x - m) ** 2)),
        ("this is the largest of the squares; the best σ² is their mean.", lambda x, m: np.max((x - m) ** 2)),
        ("this is the largest σ² of the images; one number, the mean over all pixels, is shared by all.",
         lambda x, m: np.mean((x - m) ** 2, per_image).max()),
        ("this is the length of the difference: the root of the *sum* of squares. The best σ² is their mean.",
         lambda x, m: np.linalg.norm(x - m)),
        ("this is the square of the mean absolute difference; take the mean of the squares.",
         lambda x, m: np.mean(np.abs(x - m)) ** 2),
        ("this is the variance of the decoder's means; it should be that of the pixels around them.",
         lambda x, m: np.var(m)),
        ("each image has its own σ² here; one number is shared by all.", lambda x, m: np.mean((x - m) ** 2, per_image)),
        ("each pixel has its own σ² here; one number is shared by all.", lambda x, m: np.mean((x - m) ** 2, 0)),
        ("these are the squares of all pixels; take their mean.", lambda x, m: (x - m) ** 2),
        ("you take the absolute differences; the variance needs their squares.", lambda x, m: np.mean(np.abs(x - m))),
        ("this is the square of the mean difference; take the mean of the squares.",
         lambda x, m: np.mean(x - m) ** 2),
        ("np.var subtracts the mean difference first. The Gaussian sits at the decoder's mean, so nothing else is "
         "subtracted.", lambda x, m: np.var(x - m)),
        ("this is the variance of the pixels; the Gaussian sits at the decoder's mean: use x − mean.",
         lambda x, m: np.var(x)),
        ("this is the mean difference, without squares.", lambda x, m: np.mean(x - m)),
        ("this is half of it: the ½ of the exponent cancels against the ½ of log σ².", lambda x, m: _mse(x, m) / 2),
        ("this is twice too much: the ½ of the exponent cancels against the ½ of log σ².", lambda x, m: 2 * _mse(x, m)),
        ("this is 1/σ², the precision.", lambda x, m: 1 / _mse(x, m)),
        ("you divide by n − 1; the maximum of the likelihood divides by n.",
         lambda x, m: np.sum((x - m) ** 2) / (x.size - 1)),
    ]  # fmt: skip
    parts = [
        ("of the mean of x²", lambda x, m: np.mean(x**2)),
        ("of −2 times the mean of x · mean", lambda x, m: -2 * np.mean(x * m)),
        ("of the mean of mean²", lambda x, m: np.mean(m**2)),
    ]
    report.compare(cases, _mse, mistakes, "one number for all pixels of all images.", parts)
    return "one σ² for all pixels: the mean squared error."


def _bits(log_density, pixels, levels, width):
    return -log_density / (pixels * math.log(2)) + math.log2(levels / width)


@exercise
def bits_per_pixel(report):
    """Exercise 7.3. function(log_density, pixels, levels, width): (batch,), in nats → bits per pixel, (batch,)."""
    cases = [
        (np.array([0.0, 500.0, -30.0]), 784, 256, 1),
        (np.array([4000.0, 250.0]), 3072, 256, 2),
        (np.array([-2.0, 12.0]), 16, 4, 1),
        (np.array([-3.0, 5.0, 0.5]), 12, 2, 4),
        (np.array([20.0, -9.0]), 30, 16, 8),
        (np.array([90.0, -12.0]), 16, 4, 0.5),  # a density so high that the bits are negative
    ]
    two = math.log(2)
    mistakes = [
        ("the width of the range is missing: a step is width/levels wide.",
         lambda d, n, s, w: -d / (n * two) + math.log2(s)),
        ("the width of the range counts the wrong way: a step is width/levels wide, so a wider range has wider steps, "
         "and at the same height a larger probability.", lambda d, n, s, w: -d / (n * two) + math.log2(s * w)),
        ("you subtract the width itself; it belongs inside the logarithm.",
         lambda d, n, s, w: -d / (n * two) + math.log2(s) - w),
        ("you divide by the width outside of the logarithm; a step is width/levels wide.",
         lambda d, n, s, w: -d / (n * two) + math.log2(s) / w),
        ("you stretch the log-density by the width; a step is width/levels wide, and that is all that changes.",
         lambda d, n, s, w: -d / (n * two * w) + math.log2(s)),
        ("the logarithm of the width is divided by the number of pixels; every pixel has its own step.",
         lambda d, n, s, w: -d / (n * two) + math.log2(s) - math.log2(w) / n),
        ("the width of a step is missing: it is width/levels, which adds log₂(levels/width) bits.",
         lambda d, n, s, w: -d / (n * two)),
        ("the sign of the log-density is turned: a higher density costs fewer bits.",
         lambda d, n, s, w: d / (n * two) + math.log2(s / w)),
        ("the sign of log₂(levels/width) is turned: finer steps need more bits.",
         lambda d, n, s, w: -d / (n * two) - math.log2(s / w)),
        ("this is minus the bits: a cost is positive.", lambda d, n, s, w: -_bits(d, n, s, w)),
        ("these are nats per pixel; divide by log 2 to get bits.", lambda d, n, s, w: -d / n + math.log(s / w)),
        ("nats and bits are mixed: the density is still in nats, and log₂(levels/width) is in bits.",
         lambda d, n, s, w: -d / n + math.log2(s / w)),
        ("nats and bits are mixed: the density is in bits, but the width of the step is in nats; use log₂.",
         lambda d, n, s, w: -d / (n * two) + math.log(s / w)),
        ("you multiply by log 2; a nat is 1/log 2 ≈ 1.44 bits, so divide.",
         lambda d, n, s, w: -d / n * two + math.log2(s / w)),
        ("these are bits per image; divide by the number of pixels.",
         lambda d, n, s, w: -d / two + n * math.log2(s / w)),
        ("the density is not divided by the number of pixels.", lambda d, n, s, w: -d / two + math.log2(s / w)),
        ("log₂(levels/width) is divided by the number of pixels too; it is paid for each pixel.",
         lambda d, n, s, w: (-d / two + math.log2(s / w)) / n),
        ("you take 8 bits always; that is right for 256 levels and the width 1 only. A step is width/levels wide.",
         lambda d, n, s, w: -d / (n * two) + 8),
        ("you add levels/width itself; add its logarithm to the base 2.", lambda d, n, s, w: -d / (n * two) + s / w),
        ("you take levels − 1; there are `levels` steps.", lambda d, n, s, w: -d / (n * two) + math.log2((s - 1) / w)),
        ("this is the mean over the batch; return one value for each image.",
         lambda d, n, s, w: _bits(d, n, s, w).mean()),
        ("the density and log₂(levels/width) are multiplied; add them.",
         lambda d, n, s, w: -d / (n * two) * math.log2(s / w)),
        ("this uses the logarithm to the base 10.", lambda d, n, s, w: -d / (n * math.log(10)) + math.log10(s / w)),
    ]  # fmt: skip
    parts = [
        ("−log_density / (pixels · log 2)", lambda d, n, s, w: -d / (n * two)),
        ("log₂(levels)", lambda d, n, s, w: np.full(len(d), math.log2(s))),
        ("−log₂(width)", lambda d, n, s, w: np.full(len(d), -math.log2(w))),
    ]
    report.compare(cases, _bits, mistakes, "one value for each image.", parts)
    return "nats become bits, per pixel, and a step of width/levels adds log₂(levels/width)."


def _bound(w, axis=0):
    top = w.max(axis=axis, keepdims=True)
    return np.log(np.exp(w - top).mean(axis=axis)) + np.squeeze(top, axis)


def _log_sum(w, axis=0):
    return _bound(w, axis) + math.log(w.shape[axis])


def _check_low(report, low, where):
    found = report.array(*tensors(low))
    ok = "the values are right for small numbers. "
    if not np.isfinite(found).all():
        report.wrong(ok + f"But real log weights are far below 0, here {where}: there exp gives 0, and log 0 is "
                     "−infinity.\nUse ops.logsumexp, which takes the largest of each image out first.")  # fmt: skip
    if found.shape != low.shape[1:] or not np.allclose(
        found, _bound(low.astype("float32").astype("float64")), atol=1e-2
    ):
        report.wrong(ok + f"But for log weights {where} they are wrong. Take out the largest of each image, not a "
                     "constant, and cut nothing off.")  # fmt: skip


@exercise
def importance_bound(report):
    """Exercise 7.4. function(log_weights): (k, batch) → the k-sample bound for each image, (batch,)."""
    w = numbers(5, 3) * 2 - 1
    cases = [(w,), tensors(w[:2, :2] - 3), (numbers(3, 4, seed=2),)]
    mistakes = [
        ("this is the mean of the logarithms: still the ELBO, however many draws you take. The bound is the logarithm "
         "of the mean weight.", lambda w: w.mean(0)),
        ("log k is missing: a mean is a sum divided by k.", _log_sum),
        ("log k is added; dividing by k subtracts it.", lambda w: _log_sum(w) + math.log(len(w))),
        ("you divide by k after the logarithm; divide before it, which subtracts log k.",
         lambda w: _log_sum(w) / len(w)),
        ("you subtract k; dividing by k inside the logarithm subtracts log k.", lambda w: _log_sum(w) - len(w)),
        ("this is the mean weight; return its logarithm.", lambda w: np.exp(w).mean(0)),
        ("this is the sum of the weights; return the logarithm of their mean.", lambda w: np.exp(w).sum(0)),
        ("you average over the images; the draws lie along axis 0.", lambda w: _bound(w, 1)),
        ("you add up over the images, and subtract the log of their number; the draws lie along axis 0.",
         lambda w: _log_sum(w, 1) - math.log(len(w))),
        ("axis 0 is right, but the number that you subtract is the log of the batch size; k is the size of axis 0.",
         lambda w: _log_sum(w) - math.log(w.shape[1])),
        ("draws and images are averaged together; each image has its own bound, (batch,).",
         lambda w: _bound(w.reshape(-1, 1))[0]),
        ("this is the mean over the batch; return one value for each image.", lambda w: _bound(w).mean()),
        ("this is the largest log weight; take the logarithm of the mean of all weights.", lambda w: w.max(0)),
        ("the sign is turned: this is the loss; return the bound.", lambda w: -_bound(w)),
        ("this is the sum of the log weights.", lambda w: w.sum(0)),
        ("this is the smallest log weight; take the logarithm of the mean of all weights.", lambda w: w.min(0)),
        ("this is the logarithm of the median weight; take that of the mean.", lambda w: np.median(w, 0)),
        ("you divide by log k after the logarithm; dividing by k before it subtracts log k.",
         lambda w: _log_sum(w) / math.log(len(w))),
        ("you divide the log weights by k; divide the sum of the weights by k.", lambda w: _log_sum(w / len(w))),
        ("the logarithm is taken twice: the log weights come in as logarithms.",
         lambda w: np.log(np.mean(w, axis=0))),
        ("this is log2; the course counts in nats.", lambda w: _bound(w) / math.log(2)),
    ]  # fmt: skip
    report.compare(cases, _bound, mistakes, "one value for each image.")
    _check_low(report, numbers(4, 2, seed=3) - 800, "near −800")
    _check_low(report, numbers(4, 3, seed=4) - [90, 800, 2500], "near −90 for one image and −800 and −2500 for others")
    return "the logarithm of the mean weight of each image, also for log weights near −800."
