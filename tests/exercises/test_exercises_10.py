"""The checks of lesson 10: what is right passes in any way of writing it, each mistake is named, nothing is raised."""

import math

import numpy as np
import pytest
from keras import ops
from scipy.stats import entropy
from tables import rows


def perplexity(counts):
    f = counts[counts > 0] / counts.sum()
    return np.exp(-np.sum(f * np.log(f)))


def counted_nats(train, new, entries, smooth=0.5):
    nats = np.zeros(len(new))
    for place in range(train.shape[1]):
        counts = np.bincount(train[:, place], minlength=entries) + smooth
        nats -= np.log(counts / counts.sum())[new[:, place]]
    return nats


def counted_without_a_loop(train, new, entries):
    counts = (train[:, :, None] == np.arange(entries)).sum(axis=0) + 0.5  # (places, entries)
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    return -np.log(np.take_along_axis(frequencies[None], new[:, :, None], axis=2)).sum(axis=(1, 2))


def counted_by_scikit_learn(train, new, entries):
    from sklearn.naive_bayes import CategoricalNB

    model = CategoricalNB(alpha=0.5, min_categories=entries).fit(train, np.zeros(len(train)))
    return -sum(model.feature_log_prob_[place][0][new[:, place]] for place in range(train.shape[1]))


def clean_code(noisy, guess, kept):
    return (noisy - np.sqrt(1 - kept) * guess) / np.sqrt(kept)


RIGHT = {
    "perplexity": [
        perplexity,
        lambda c: np.exp(entropy(c)),
        lambda c: 2 ** entropy(c, base=2),
        lambda c: math.prod((sum(c) / one) ** (one / sum(c)) for one in c if one),
        lambda c: ops.exp(-ops.sum(c[c > 0] / c.sum() * ops.log(c[c > 0] / c.sum()))),
    ],
    "counted_nats": [counted_nats, counted_without_a_loop, counted_by_scikit_learn],
    "clean_code": [
        clean_code,
        lambda s, e, k: s / k**0.5 - e * ((1 - k) / k) ** 0.5,
        lambda s, e, k: (s - ops.sqrt(1 - k) * e) / ops.sqrt(k),
    ],
}

WRONG = {
    "perplexity": [
        (entropy, "this is the entropy, in nats"),
        (lambda c: entropy(c, base=2), "this is the entropy in bits"),
        (lambda c: np.exp(entropy(c, base=2)), "you mix bits and nats"),
        (lambda c: 2 ** entropy(c), "you mix nats and bits"),
        (lambda c: np.exp(-entropy(c)), "one over the perplexity"),
        (lambda c: -entropy(c), "−Σ f log f is positive"),
        (lambda c: np.exp(entropy(c) / len(c)), "you take the *mean*"),
        (lambda c: np.exp(-np.sum(c * np.log(c))), "you use the counts as they are"),
        (lambda c: np.exp(-np.sum(c / c.sum() * np.log(c))), "inside of the logarithm stands the count"),
        (lambda c: np.exp(-np.sum(c * np.log(c / c.sum()))), "in front of the logarithm stands the count"),
        (lambda c: np.exp(-np.mean(np.log(c / c.sum()))), "weigh each with its frequency"),
        (lambda c: 1 / np.sum((c / c.sum()) ** 2), "one over the sum of squared frequencies"),
        (lambda c: np.sum(c > 0), "how many entries are used at all"),
        (lambda c: -c / c.sum() * np.log(c / c.sum()), "add them up"),
        (lambda c: np.exp(-np.sum(c / c.max() * np.log(c / c.max()))), "you divide by the largest count"),
        (lambda c: np.exp(entropy(c)) / len(c), "do not divide by the number of entries"),
        (lambda c: np.exp(-np.sum(c / c.sum() * np.log(c / c.sum()))), "0 · log 0 is computed"),
        (lambda c: np.exp(entropy(c + 1.0)) if c.min() == 0 else np.exp(entropy(c)), "you add a number to its count"),
    ],
    "counted_nats": [
        (lambda t, x, k: -counted_nats(t, x, k), "the sign is wrong"),
        (lambda t, x, k: counted_nats(t, x, k) / t.shape[1], "you take the mean over the places"),
        (lambda t, x, k: counted_nats(t, x, k).mean(), "one number for all rows"),
        (lambda t, x, k: counted_nats(t, x, k).sum(), "the sum over all rows"),
        (lambda t, x, k: counted_nats(t, x, k, 1.0), "you add 1 to every count"),
        (lambda t, x, k: counted_nats(t, x, k, 0.0), "you add nothing to the counts"),
        (
            lambda t, x, k: counted_nats(t.reshape(-1, 1), x.reshape(-1, 1), k).reshape(x.shape).sum(1),
            "you count over all places together",
        ),
        (lambda t, x, k: counted_nats(x, x, k), "you count in the new rows"),
        (lambda t, x, k: counted_nats(x, t, k), "`train` and `new` are swapped"),
        (lambda t, x, k: counted_nats(t, t, k), "the surprise about the rows of `train`"),
        (lambda t, x, k: counted_nats(t, x, k) / np.log(2), "this is in bits"),
        (lambda t, x, k: np.exp(-counted_nats(t, x, k)), "this is the probability of each row"),
        (
            lambda t, x, k: counted_nats(t, x, k) - t.shape[1] * np.log((len(t) + k / 2) / len(t)),
            "divide by their own sum",
        ),
        (
            lambda t, x, k: counted_nats(t, x, k) - t.shape[1] * np.log((len(t) + k / 2) / (len(t) + 0.5)),
            "you divide by n + ½",
        ),
        (lambda t, x, k: counted_nats(t, x, k) - t.shape[1] * np.log(len(t) + k / 2), "you do not divide"),
        (lambda t, x, k: counted_nats(t, x, int(max(t.max(), x.max())) + 1), "`entries` is not used"),
    ],
    "clean_code": [
        (lambda s, e, k: np.sqrt(k) * s + np.sqrt(1 - k) * e, "you add noise to `noisy`"),
        (lambda s, e, k: (s - e) / np.sqrt(k), "subtracted as it is"),
        (lambda s, e, k: s - np.sqrt(1 - k) * e, "is still shrunk"),
        (lambda s, e, k: (s - (1 - k) * e) / k, "the roots are missing"),
        (lambda s, e, k: (s - np.sqrt(1 - k) * e) / k, "you divide by κ in place of its root"),
        (lambda s, e, k: (s - (1 - k) * e) / np.sqrt(k), "in front of the noise the root is missing"),
        (lambda s, e, k: (s - np.sqrt(k) * e) / np.sqrt(1 - k), "κ and 1 − κ are swapped"),
        (lambda s, e, k: (s + np.sqrt(1 - k) * e) / np.sqrt(k), "you add the noise"),
        (lambda s, e, k: (s - np.sqrt(1 - k) * e) * np.sqrt(k), "you multiply by √κ"),
        (lambda s, e, k: s / np.sqrt(k) - np.sqrt(1 - k) * e, "divide the whole difference"),
        (lambda s, e, k: clean_code(e, s, k), "`noisy` and `guess` are swapped"),
        (lambda s, e, k: s / np.sqrt(k), "the guess is not used"),
        (lambda s, e, k: (s - (1 - np.sqrt(k)) * e) / np.sqrt(k), "not 1 − √κ"),
        (lambda s, e, k: -clean_code(s, e, k), "the negative of the code"),
    ],
}


@pytest.mark.parametrize("name, function", rows(RIGHT))
def test_what_is_right_passes(said, name, function):
    assert f"{name} · right: " in said(name, function)


@pytest.mark.parametrize("name, function, phrase", rows(WRONG))
def test_a_mistake_is_named(said, name, function, phrase):
    text = said(name, function)
    assert phrase in text and "right: " not in text


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("nothing", [lambda *_: None, lambda *_: ...], ids=["None", "dots"])
def test_unfinished_is_not_yet(said, name, nothing):
    assert f"{name} · not yet: " in said(name, nothing)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("result", ["text", {}, 0.5, [1, 2], np.full(12, np.nan), np.zeros((2, 3, 4))], ids=str)
def test_nonsense_is_never_right(said, name, result):
    assert "right: " not in said(name, lambda *_: result)


@pytest.mark.parametrize("name", RIGHT)
def test_an_error_is_shown_as_the_students(said, name):
    def fails(first, *others):
        return first[:, 0, 0, 0, 0]

    text = said(name, fails)
    assert "your code stopped with IndexError" in text and "first[:, 0, 0, 0, 0]" in text
