"""The checks of lesson 06: price of a nat, warm-up, free bits, mutual information gap, and how to fool it."""

import numpy as np

from vae_helpers.exercises.report import exercise


def _sorted(rate, distortion):
    order = np.argsort(rate)
    return rate[order], distortion[order]


def _price(rate, distortion):
    rate, distortion = _sorted(rate, distortion)
    return -np.diff(distortion) / np.diff(rate)


@exercise
def price_of_a_nat(report):
    """Exercise 6.1. function(rate, distortion): of n models, in any order, (n,) each → (n - 1,), by rising rate.

    Between neighbours on the curve: how many nats of distortion one more nat of rate saves.
    """
    cases = [
        (np.array([7.0, 1.0, 12.5, 3.0]), np.array([88.0, 150.0, 70.0, 121.0])),
        (np.array([2.0, 10.0, 4.0]), np.array([140.0, 75.0, 111.0])),
        (np.array([1.0, 5.0, 2.0, 9.0, 3.0]), np.array([10.0, 6.5, 7.0, 7.2, 8.0])),  # not each step saves
    ]
    d = np.diff
    one = "one number for each pair of neighbours, n − 1 in all."
    mistakes = [
        ("the sign is wrong: the distortion falls where the rate rises, and what is *saved* is a positive number.",
         lambda r, e: -_price(r, e)),
        ("this is one over the price: how many nats of rate a saved nat of distortion costs. Divide the other way.",
         lambda r, e: 1 / _price(r, e)),
        ("this is one over the price, and negative: divide what the distortion loses by what the rate gains.",
         lambda r, e: -1 / _price(r, e)),
        ("the models are not sorted: they come in any order. Sort both lists by the rate first.",
         lambda r, e: -d(e) / d(r)),
        ("the models are not sorted, and the sign is wrong: sort both lists by the rate; what is saved is positive.",
         lambda r, e: d(e) / d(r)),
        ("each list is sorted by itself: then rate and distortion of one model are torn apart. Sort both by the rate.",
         lambda r, e: d(np.sort(e)) / d(np.sort(r))),
        ("each list is sorted by itself: then rate and distortion of one model are torn apart. Sort both by the rate.",
         lambda r, e: -d(np.sort(e)) / d(np.sort(r))),
        ("you sort by the distortion; sort by the rate. Where a model is out of line, that is another order.",
         lambda r, e: -d(e[np.argsort(-e)]) / d(r[np.argsort(-e)])),
        ("you sort by the distortion, the smallest first; sort by the rate.",
         lambda r, e: -d(np.sort(e)) / d(r[np.argsort(e)])),
        ("you multiply the changes of distortion and rate; divide them.",
         lambda r, e: -d(_sorted(r, e)[1]) * d(_sorted(r, e)[0])),
        ("only the rate is sorted: take the distortions in the same order.", lambda r, e: -d(e) / d(np.sort(r))),
        ("only the rate is sorted: take the distortions in the same order. And what is saved is positive.",
         lambda r, e: d(e) / d(np.sort(r))),
        ("the order is that of falling rate; begin with the smallest rate.", lambda r, e: _price(r, e)[::-1]),
        ("these are the nats saved from model to model; divide them by what the rate gained.",
         lambda r, e: -d(_sorted(r, e)[1])),
        ("these are the changes of the distortion; divide them by those of the rate. What is saved is positive.",
         lambda r, e: d(_sorted(r, e)[1])),
        ("this is distortion divided by rate, of each model; compare neighbours: divide the *changes*.",
         lambda r, e: np.divide(*_sorted(r, e)[::-1])),
        ("this is distortion divided by rate, of each model; compare neighbours: divide the *changes*.",
         lambda r, e: e / r),
        ("each model is compared with the one of the smallest rate; compare it with its neighbour.",
         lambda r, e: _from_the_first(*_sorted(r, e))),
        ("this is the change of the whole loss, rate plus distortion, from neighbour to neighbour. Only the distortion "
         "belongs above the fraction line.", lambda r, e: 1 - _price(r, e)),
        ("this is the change of the whole loss, rate plus distortion, from neighbour to neighbour. Only the distortion "
         "belongs above the fraction line.", lambda r, e: _price(r, e) - 1),
        ("this is the slope between the two ends; give one number for each pair of neighbours.",
         lambda r, e: _from_the_first(*_sorted(r, e))[-1]),
        ("this is the largest minus the smallest distortion, divided by that of the rates; give one number for each "
         "pair of neighbours, between the two ends too.", lambda r, e: np.ptp(e) / np.ptp(r)),
        ("this is the mean over the pairs; give one number for each pair of neighbours.",
         lambda r, e: _price(r, e).mean()),
        ("these are slopes at the models (np.gradient); give one number for each pair of neighbours.",
         lambda r, e: -np.gradient(_sorted(r, e)[1], _sorted(r, e)[0])),
    ]  # fmt: skip
    report.compare(cases, _price, mistakes, one)
    return "sorted by the rate, what the distortion loses over what the rate gains, one number for each pair."


def _from_the_first(rate, distortion):
    return -(distortion[1:] - distortion[0]) / (rate[1:] - rate[0])


@exercise
def warm_up_weight(report):
    """Exercise 6.2. function(step, steps, beta): the weight of the KL in this step of a warm-up of so many steps.

    It rises evenly from 0 at step 0 to beta at step `steps`, and stays there. steps = 0: no warm-up, beta at once.
    """
    cases = [(step, steps, beta) for steps, beta in ((300, 1.0), (50, 4.0)) for step in (0, 7, 30, 50, 140, 300, 1000)]

    def right(step, steps, beta):
        return beta * min(step / steps, 1.0)

    mistakes = [
        ("the weight goes on rising after the warm-up: it must stay at beta.", lambda t, n, b: b * t / n),
        ("the weight does not use beta: it should end at beta, not at 1.", lambda t, n, b: min(t / n, 1)),
        ("the weight is cut off at 1, not at beta: cut off the share of the steps first, then multiply.",
         lambda t, n, b: min(b * t / n, 1)),
        ("the weight is cut off at beta, but the way there does not use it: multiply the share of the steps by beta.",
         lambda t, n, b: min(t / n, b)),
        ("the weight falls, and should rise: it is 0 at step 0 and beta at the end.",
         lambda t, n, b: b * max(1 - t / n, 0)),
        ("there is no rise: the weight is 0 during the warm-up, and jumps.", lambda t, n, b: b * (t >= n)),
        ("there is no rise: the weight is 0 during the warm-up, and jumps.", lambda t, n, b: b * (t > n)),
        ("the whole division is cut to a whole number (//), so the weight jumps instead of rising: use /.",
         lambda t, n, b: b * min(t // n, 1)),
        ("after the warm-up the weight is 1; it must stay at beta.", lambda t, n, b: b * t / n if t < n else 1),
        ("after the warm-up the weight is 1; it must stay at beta.", lambda t, n, b: b * t / n if t <= n else 1),
        ("after the warm-up the weight is 0; it must stay at beta.", lambda t, n, b: b * t / n * (t < n)),
        ("after the warm-up the weight is 0; it must stay at beta.", lambda t, n, b: b * t / n * (t <= n)),
        ("after the warm-up the weight begins at 0 again; it must stay at beta.", lambda t, n, b: b * (t % n) / n),
        ("the fraction is upside down: the share of the warm-up that has passed is step / steps.",
         lambda t, n, b: b * min(n / max(t, 1e-9), 1)),
        ("`max` where `min` belongs: this never falls below beta.", lambda t, n, b: b * max(t / n, 1)),
        ("the weight rises as a curve; it should rise evenly, by the same amount in each step.",
         lambda t, n, b: b * min(t / n, 1) ** 2),
        ("the weight rises as a curve; it should rise evenly, by the same amount in each step.",
         lambda t, n, b: b * min(t / n, 1) ** 0.5),
        ("the weight rises as a curve, and never reaches beta; it should rise evenly, and be beta at step `steps`.",
         lambda t, n, b: b * (1 - np.exp(-t / n))),
        ("the weight rises as a curve; it should rise evenly, by the same amount in each step.",
         lambda t, n, b: b * 0.5 * (1 - np.cos(np.pi * min(t / n, 1)))),
        ("you begin one step late or early: the weight is 0 at step 0, and beta at step `steps`.",
         lambda t, n, b: b * min((t + 1) / n, 1)),
        ("you begin one step late or early: the weight is 0 at step 0, and beta at step `steps`.",
         lambda t, n, b: b * min((t + 1) / (n + 1), 1)),
        ("you begin one step late or early: the weight is 0 at step 0, and beta at step `steps`.",
         lambda t, n, b: b * min(t / (n - 1), 1)),
    ]  # fmt: skip
    report.compare(cases, right, mistakes, "one number.")
    report.so_far = "the weights are right, except for steps = 0, which means: no warm-up. Then it is beta at once."
    none = [(step, 0, beta) for step in (0, 7) for beta in (2.0, 0.5)]
    report.compare(none, lambda t, n, b: b, [], "one number.")
    return "0 at step 0, an even rise to beta, no more after that, and beta at once without a warm-up."


@exercise
def free_bits_kl(report):
    """Exercise 6.3. function(kl, free_bits): the KL of each image and latent, (batch, latent) → one number.

    Mean over the batch; each latent counts at least free_bits; sum over the latents.
    """
    rng = np.random.default_rng(0)
    cases = []
    for free_bits in (0.5, 0.2, 0.35):
        kl = rng.exponential(size=(6, 4)) * [2.0, 0.5, 0.1, 0.01]
        kl[0, 0] = 0.01  # one image below the free bits in a latent that is above them on average
        cases.append((kl.astype("float32"), free_bits))
    poor = np.array([[0.2, 0.6], [0.2, 1.0]], "float32")  # all of it, together, is less than the free bits
    cases += [(poor, 0.6), (poor, 1.1)]
    top = np.maximum
    number = "one number."
    mistakes = [
        ("you compare each image with the free bits; take the mean over the batch first, then compare each latent.",
         lambda k, f: top(k, f).mean(0).sum()),
        ("you compare each image with the free bits, and sum over the batch; take the mean over the batch first.",
         lambda k, f: top(k, f).sum()),
        ("you compare the sum over the latents with the free bits; each latent has its own.",
         lambda k, f: top(k.mean(0).sum(), f)),
        ("you compare the sum over the latents, image by image; take the mean over the batch first, and give each "
         "latent its own free bits.", lambda k, f: top(k.sum(1), f).mean()),
        ("you compare the sum over the latents with all free bits together; each latent has its own, and a rich one "
         "does not pay for a poor one.", lambda k, f: top(k.mean(0).sum(), f * k.shape[1])),
        ("the free bits are subtracted. A latent below them counts as free_bits; the others count in full.",
         lambda k, f: top(k.mean(0) - f, 0).sum()),
        ("latents below the free bits count as 0 here; they should count as free_bits.",
         lambda k, f: (k.mean(0) * (k.mean(0) > f)).sum()),
        ("`minimum` where `maximum` belongs: this *limits* each latent to the free bits.",
         lambda k, f: np.minimum(k.mean(0), f).sum()),
        ("the free bits are added to each latent; a latent counts as free_bits only where it is smaller.",
         lambda k, f: (k.mean(0) + f).sum()),
        ("you take the mean over the latents; take the sum.", lambda k, f: top(k.mean(0), f).mean()),
        ("you sum over the batch before you compare; take the mean over the batch.",
         lambda k, f: top(k.sum(0), f).sum()),
        ("the axes are swapped: you average over the latents of each image; average over the batch, axis 0.",
         lambda k, f: top(k.mean(1), f).sum()),
        ("this is still one number for each latent; take their sum.", lambda k, f: top(k.mean(0), f)),
        ("this is still one number for each image and latent: take the mean over the batch, then compare, then sum.",
         lambda k, f: top(k, f)),
        ("this is still one number for each image: take the mean over the batch *before* you compare.",
         lambda k, f: top(k, f).sum(1)),
        ("you do not use the free bits: this is the plain KL.", lambda k, f: k.mean(0).sum()),
        ("this is the mean over images and latents: take the sum over the latents.", lambda k, f: top(k, f).mean()),
        ("you take the median over the batch; take the mean.", lambda k, f: top(np.median(k, 0), f).sum()),
        ("you take the largest of the batch; take the mean.", lambda k, f: top(k.max(0), f).sum()),
        ("you take the standard deviation over the batch; take the mean.", lambda k, f: top(k.std(0), f).sum()),
        ("you multiply over the latents; add up.", lambda k, f: top(k.mean(0), f).prod()),
        ("you take the absolute distance from the free bits; a latent below them counts as free_bits.",
         lambda k, f: (np.abs(k.mean(0) - f) + f).sum()),
        ("a latent above the free bits counts with them once more; it counts as it is.",
         lambda k, f: np.where(k.mean(0) > f, k.mean(0) + f, f).sum()),
        ("the free bits are subtracted from the sum; each latent counts as free_bits at least, no more.",
         lambda k, f: top(k.mean(0), f).sum() - f),
        ("this is the largest latent; each latent counts, with free_bits at least.",
         lambda k, f: top(k.mean(0).max(), f)),
    ]  # fmt: skip
    report.compare(cases, lambda k, f: top(k.mean(0), f).sum(), mistakes, number)
    return "first the mean over the batch, then at least free_bits for each latent, then the sum."


def _top_two(information):
    ranked = np.sort(information, axis=0)
    return ranked[-1], ranked[-2]


@exercise
def mutual_information_gap(report):
    """Exercise 6.4. function(information, entropy): (latents, factors) and (factors,) → the gap of each factor.

    The information of the best latent minus that of the second, divided by the entropy of the factor.
    """
    cases = [
        (np.array([[1.2, 0.1, 0.3], [0.2, 0.9, 0.6], [0.1, 0.4, 1.0], [0.7, 0.2, 0.0]]), np.array([1.5, 1.1, 2.0])),
        (np.array([[0.1, 0.3], [0.5, 0.2], [0.4, 0.9]]), np.array([0.7, 1.4])),
        (np.array([[0.6, 0.2, 0.5], [0.3, 0.8, 0.5]]), np.array([0.9, 1.2, 1.6])),
    ]

    def gap(i):
        first, second = _top_two(i)
        return first - second

    per = "one number for each factor."
    mistakes = [
        ("you do not divide by the entropy of the factor.", lambda i, h: gap(i)),
        ("you multiply by the entropy; divide by it.", lambda i, h: gap(i) * h),
        ("the second best is missing: this is the share that the best latent tells.", lambda i, h: i.max(0) / h),
        ("you subtract the *smallest* information; subtract the second largest.",
         lambda i, h: (i.max(0) - i.min(0)) / h),
        ("you subtract the mean of all latents; subtract the second largest.",
         lambda i, h: (i.max(0) - i.mean(0)) / h),
        ("you subtract the mean of the other latents; subtract the second largest.",
         lambda i, h: (i.max(0) - (i.sum(0) - i.max(0)) / (len(i) - 1)) / h),
        ("this is the share that the *second* best latent tells; subtract it from that of the best.",
         lambda i, h: _top_two(i)[1] / h),
        ("only the second best is divided by the entropy; divide the difference.",
         lambda i, h: _top_two(i)[0] - _top_two(i)[1] / h),
        ("only the best is divided by the entropy; divide the difference.",
         lambda i, h: _top_two(i)[0] / h - _top_two(i)[1]),
        ("the first and the last latent are not the best two of every factor: sort each column first.",
         lambda i, h: abs(i[0] - i[-1]) / h),
        ("this is the share of the best latent in the sum of all; divide best minus second by the entropy.",
         lambda i, h: i.max(0) / i.sum(0)),
        ("you divide by the sum of the best two; divide by the entropy.", lambda i, h: gap(i) / np.sum(_top_two(i), 0)),
        ("this is the standard deviation over the latents; take the best minus the second.", lambda i, h: i.std(0) / h),
        ("the sign is wrong: the best minus the second.", lambda i, h: -gap(i) / h),
        ("this is their mean, the MIG; give one number for each factor.", lambda i, h: (gap(i) / h).mean()),
        ("you divide by the information of the best latent; divide by the entropy of the factor.",
         lambda i, h: gap(i) / i.max(0)),
        ("you divide by all entropies together; each factor has its own.", lambda i, h: gap(i) / h.sum()),
        ("you divide by the largest entropy; each factor has its own.", lambda i, h: gap(i) / h.max()),
        ("the best and the second of each *latent*: compare the latents of each factor, down a column (axis 0).",
         lambda i, h: np.subtract(*_top_two(i.T))),
        ("the best and the second of each *latent*: compare the latents of each factor, down a column (axis 0).",
         lambda i, h: (np.subtract(*_top_two(i.T))[: len(h)] / h[: len(i)])),
        ("latents 0 and 1 are not the best two of every factor: sort each column first.",
         lambda i, h: (i[0] - i[1]) / h),
        ("latents 0 and 1 are not the best two of every factor: sort each column first.",
         lambda i, h: abs(i[0] - i[1]) / h),
        ("you divide by the logarithm of the entropy; the entropy is in nats already.",
         lambda i, h: gap(i) / np.log(h)),
        ("these are the smallest two of each column: np.sort puts the largest last.",
         lambda i, h: (np.sort(i, axis=0)[1] - np.sort(i, axis=0)[0]) / h),
        ("these are the smallest two of each column: np.sort puts the largest last.",
         lambda i, h: (np.sort(i, axis=0)[0] - np.sort(i, axis=0)[1]) / h),
    ]  # fmt: skip
    parts = [
        ("of the best latent, divided by the entropy,", lambda i, h: _top_two(i)[0] / h),
        ("of the second best, subtracted,", lambda i, h: -_top_two(i)[1] / h),
    ]
    report.compare(cases, lambda i, h: gap(i) / h, mistakes, per, parts)
    return "for each factor, the best latent minus the second, as a share of the entropy."


_BINS = 64


def _shares(codes, factors):
    """The share of each factor's entropy that each latent tells, (latents, factors), counted in intervals."""
    tables = [[np.histogram2d(z, v, (_BINS, np.arange(v.max() + 2) - 0.5))[0] for v in factors.T] for z in codes.T]
    return np.array([[_share(table / table.sum()) for table in row] for row in tables])


def _share(p):
    """Mutual information over the entropy of the second variable. p: the joint probabilities, (bins, steps)."""
    apart = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    of_factor = p.sum(axis=0)
    seen = p > 0
    return np.sum(p[seen] * np.log(p[seen] / apart[seen])) / -np.sum(of_factor * np.log(of_factor))


@exercise
def fool_the_mig(report):
    """Exercise 6.5. function(factors): the steps of the factors, (n, k) → codes of the same images, (n, latents).

    The MIG is at least 0.9, and one latent tells all about two factors.
    """
    for steps in ((8, 4, 6), (3, 8, 8, 2)):
        factors = np.indices(steps).reshape(len(steps), -1).T
        codes = report.array(factors)
        n = len(factors)
        if codes.ndim != 2 or len(codes) != n:
            turned = codes.ndim == 2 and codes.shape[1] == n
            hint = "\nYours are columns: take the transpose." if turned else ""
            report.wrong(f"the result has shape {codes.shape}; it should be ({n}, latents): one row an image.{hint}")
        if codes.shape[1] < 2:
            report.wrong("your code has one latent; the gap between the first and the second needs two.")
        if not np.isfinite(codes).all():
            report.wrong("some codes are not finite (NaN or infinity).")
        _judge(report, _shares(codes, factors))
    return "the MIG is at least 0.9, and it does not see that one latent holds two factors."


def _judge(report, share):
    ranked = np.sort(share, axis=0)
    gap = ranked[-1] - ranked[-2]
    factor = gap.argmin()
    two = np.sort(share, axis=1)[:, -2].max() >= 0.9
    if gap.mean() < 0.9 and ranked[-1, factor] < 0.5 and share.max() > 0 and not two:
        report.wrong(f"the MIG is {gap.mean():.2f}: no latent tells much about factor {factor}, at most "
                     f"{ranked[-1, factor]:.2f} of its entropy. A constant, noise, or a sum from which the factor "
                     f"cannot be read back? Counting has {_BINS} intervals of equal width.")  # fmt: skip
    if gap.mean() < 0.9:
        report.wrong(f"the MIG is {gap.mean():.2f}, it should be at least 0.9. The gap of factor {factor} is "
                     f"{gap[factor]:.2f}: the best latent tells {ranked[-1, factor]:.2f} of its entropy, the second "
                     f"{ranked[-2, factor]:.2f}.")  # fmt: skip
    if not two:
        report.wrong(f"the MIG is {gap.mean():.2f}, but each of your latents tells one factor only: nobody is fooled. "
                     "Write two factors into one latent, so that both can be read back.")  # fmt: skip
