"""The checks of lesson 10: the perplexity of a codebook, the counted prior, the code behind a guess of the noise."""

import numpy as np

from vae_helpers.exercises.report import exercise


def _entropy(counts, log=np.log):
    f = counts[counts > 0] / counts.sum()
    return -np.sum(f * log(f))


@exercise
def perplexity(report):
    """Exercise 10.1. function(counts): how often each entry was chosen, (M,) → the exponential of the entropy."""
    used = [(np.array([7, 1, 12, 4, 9]),), (np.array([2, 30, 5, 5, 1, 11, 3]),), (np.array([40, 3, 3]),)]
    mistakes = [
        ("this is the entropy, in nats; take its exponential.", _entropy),
        ("this is the entropy in bits; with the natural logarithm, take its exponential.",
         lambda c: _entropy(c, np.log2)),
        ("you mix bits and nats: with log₂ the perplexity is 2 to the power of the entropy.",
         lambda c: np.exp(_entropy(c, np.log2))),
        ("you mix nats and bits: with the natural logarithm take exp, not 2 to the power.",
         lambda c: 2 ** _entropy(c)),
        ("the sign of the entropy is wrong: this is one over the perplexity.", lambda c: np.exp(-_entropy(c))),
        ("the sign of the entropy is wrong: −Σ f log f is positive.", lambda c: -_entropy(c)),
        ("you take the *mean* of f log f; the entropy is the sum.", lambda c: np.exp(_entropy(c) / len(c))),
        ("you use the counts as they are; divide them by their sum first.",
         lambda c: np.exp(-np.sum(c * np.log(c)))),
        ("inside of the logarithm stands the count; it should be the frequency, too.",
         lambda c: np.exp(-np.sum(c / c.sum() * np.log(c)))),
        ("in front of the logarithm stands the count; it should be the frequency, too.",
         lambda c: np.exp(-np.sum(c * np.log(c / c.sum())))),
        ("this is the average of −log f over the entries; weigh each with its frequency f.",
         lambda c: np.exp(-np.mean(np.log(c / c.sum())))),
        ("this is one over the sum of squared frequencies, another measure of use; take the entropy.",
         lambda c: 1 / np.sum((c / c.sum()) ** 2)),
        ("this is how many entries are used at all; frequent ones should weigh more.",
         lambda c: float(np.sum(c > 0))),
        ("these are the terms of the sum; add them up.", lambda c: -c / c.sum() * np.log(c / c.sum())),
        ("you divide by the largest count; the frequencies must add up to 1.",
         lambda c: np.exp(-np.sum(c / c.max() * np.log(c / c.max())))),
        ("this is the share of the codebook that is used; do not divide by the number of entries.",
         lambda c: np.exp(_entropy(c)) / len(c)),
    ]  # fmt: skip
    report.compare(used, lambda c: np.exp(_entropy(c)), mistakes, "one number.")
    report.so_far = "right where every entry was chosen."
    dead = [(np.array([7, 0, 12, 4, 0, 9]),), (np.array([0, 0, 31, 0]),)]
    if not all(np.isfinite(report.array(*case)).all() for case in dead):
        report.wrong("But with an entry that was never chosen the result is not finite: 0 · log 0 is computed.\n"
                     "Leave those entries out of the sum.")  # fmt: skip
    shifted = [
        ("But a dead entry should add nothing: you add a number to its count.",
         lambda c, k=k: np.exp(_entropy(c + k))) for k in (0.5, 1, 1e-2)
    ]  # fmt: skip
    report.compare(dead, lambda c: np.exp(_entropy(c)), shifted, "one number.")
    return "the exponential of the entropy; dead entries add nothing."


def _whole(*values):
    """The report computes with floats; counts and indices are whole numbers."""
    return [np.asarray(value).astype(int) for value in values]


def _nats(train, new, entries, smooth=0.5, log=np.log):
    train, new, entries = _whole(train, new, entries)
    total = np.zeros(len(new))
    for place in range(train.shape[1]):
        counts = np.bincount(train[:, place], minlength=entries) + smooth
        total -= log(counts / counts.sum())[new[:, place]]
    return total


def _over_all_places(train, new, entries):
    train, new, entries = _whole(train, new, entries)
    counts = np.bincount(train.ravel(), minlength=entries) + 0.5
    return -np.log(counts / counts.sum())[new].sum(axis=1)


def _divided(train, new, entries, divisor):
    """The counts, plus ½, divided by something else than their sum."""
    train, new, entries = _whole(train, new, entries)
    total = np.zeros(len(new))
    for place in range(train.shape[1]):
        total -= np.log((np.bincount(train[:, place], minlength=entries) + 0.5) / divisor)[new[:, place]]
    return total


@exercise
def counted_nats(report):
    """Exercise 10.2. function(train, new, entries): (n, places) and (m, places) → nats of each new row, (m,)."""
    rng = np.random.default_rng(2)
    cases = []
    for n, m, places, entries in ((40, 9, 3, 5), (25, 6, 7, 4), (60, 11, 2, 6)):
        odds = rng.dirichlet(np.full(entries, 0.7), places)
        draw = [np.stack([rng.choice(entries, size, p=p) for p in odds], axis=1) for size in (n, m)]
        draw[1][0] = [int(np.argmin(np.bincount(column, minlength=entries))) for column in draw[0].T]  # rare entries
        cases.append((*draw, entries))
    mistakes = [
        ("the sign is wrong: the surprise is minus the logarithm.", lambda t, x, k: -_nats(t, x, k)),
        ("you take the mean over the places; places are independent, so their surprises add up.",
         lambda t, x, k: _nats(t, x, k) / t.shape[1]),
        ("this is one number for all rows; keep one for each.", lambda t, x, k: _nats(t, x, k).mean()),
        ("this is the sum over all rows; keep one number for each.", lambda t, x, k: _nats(t, x, k).sum()),
        ("you add 1 to every count; add ½.", lambda t, x, k: _nats(t, x, k, 1.0)),
        ("you add nothing to the counts: an entry that never occurred would have the probability 0.",
         lambda t, x, k: _nats(t, x, k, 0.0)),
        ("you count over all places together; each place has frequencies of its own.", _over_all_places),
        ("you count in the new rows; the frequencies must come from `train` alone.", lambda t, x, k: _nats(x, x, k)),
        ("`train` and `new` are swapped.", lambda t, x, k: _nats(x, t, k)),
        ("this is the surprise about the rows of `train`.", lambda t, x, k: _nats(t, t, k)),
        ("after ½ was added, the counts do not add up to the number of rows: divide by their own sum.",
         lambda t, x, k: _divided(t, x, k, len(t))),
        ("you divide by n + ½; ½ was added once for each of the entries.",
         lambda t, x, k: _divided(t, x, k, len(t) + 0.5)),
        ("you do not divide: frequencies must add up to 1.", lambda t, x, k: _divided(t, x, k, 1)),
        ("this is in bits; nats need the natural logarithm.", lambda t, x, k: _nats(t, x, k, log=np.log2)),
        ("this is the probability of each row; take minus its logarithm.", lambda t, x, k: np.exp(-_nats(t, x, k))),
        ("`entries` is not used: the largest entry that occurs need not be the last one.",
         lambda t, x, k: _nats(t, x, int(max(t.max(), x.max())) + 1)),
    ]  # fmt: skip
    report.compare(cases, _nats, mistakes, "one number for each new row.")
    report.so_far = "right for these. But where the last entry never occurs in `train` or in `new`:"
    train, new, entries = cases[0]
    report.compare(
        [(np.minimum(train, 2), np.minimum(new, 2), entries)], _nats, mistakes, "one number for each new row."
    )
    return "frequencies from the training rows, ½ added; the surprises of the places add up."


@exercise
def clean_code(report):
    """Exercise 10.3. function(noisy, guess, kept): s_t and the guessed noise, (n, latents), and κ → the code."""
    rng = np.random.default_rng(3)
    cases = [
        (rng.normal(size=(n, d)).astype("float32"), rng.normal(size=(n, d)).astype("float32"), kept)
        for n, d, kept in ((5, 3, 0.8), (4, 10, 0.3), (3, 2, 0.05))
    ]
    mistakes = [
        ("you add noise to `noisy`: this is the way there. Solve the equation for z.",
         lambda s, e, k: np.sqrt(k) * s + np.sqrt(1 - k) * e),
        ("the noise is subtracted as it is; in s it stands with the factor √(1 − κ).",
         lambda s, e, k: (s - e) / np.sqrt(k)),
        ("you subtract the noise, but the code in s is still shrunk by √κ: divide by it.",
         lambda s, e, k: s - np.sqrt(1 - k) * e),
        ("the roots are missing: κ and 1 − κ are shares of the *variance*.", lambda s, e, k: (s - (1 - k) * e) / k),
        ("you divide by κ in place of its root.", lambda s, e, k: (s - np.sqrt(1 - k) * e) / k),
        ("in front of the noise the root is missing: 1 − κ is a variance.",
         lambda s, e, k: (s - (1 - k) * e) / np.sqrt(k)),
        ("κ and 1 − κ are swapped.", lambda s, e, k: (s - np.sqrt(k) * e) / np.sqrt(1 - k)),
        ("you add the noise; subtract it.", lambda s, e, k: (s + np.sqrt(1 - k) * e) / np.sqrt(k)),
        ("you multiply by √κ; divide by it.", lambda s, e, k: (s - np.sqrt(1 - k) * e) * np.sqrt(k)),
        ("only `noisy` is divided by √κ; divide the whole difference.",
         lambda s, e, k: s / np.sqrt(k) - np.sqrt(1 - k) * e),
        ("`noisy` and `guess` are swapped.", lambda s, e, k: (e - np.sqrt(1 - k) * s) / np.sqrt(k)),
        ("the guess is not used.", lambda s, e, k: s / np.sqrt(k)),
        ("the factor of the noise is √(1 − κ), not 1 − √κ.", lambda s, e, k: (s - (1 - np.sqrt(k)) * e) / np.sqrt(k)),
        ("this is the negative of the code: s − noise, not noise − s.",
         lambda s, e, k: (np.sqrt(1 - k) * e - s) / np.sqrt(k)),
    ]  # fmt: skip
    parts = [
        ("s / √κ", lambda s, e, k: s / np.sqrt(k)),
        ("−√(1 − κ) · guess / √κ", lambda s, e, k: -np.sqrt(1 - k) * e / np.sqrt(k)),
    ]
    right = lambda s, e, k: (s - np.sqrt(1 - k) * e) / np.sqrt(k)  # noqa: E731
    report.compare(cases, right, mistakes, "that of `noisy`.", parts)
    return "with the noise that was added, the code comes back, for every κ."
