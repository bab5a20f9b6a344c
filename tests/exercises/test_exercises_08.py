"""The checks of lesson 08: what is right passes, however it is written, and each mistake is named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from sklearn.metrics import roc_auc_score
from tables import rows

import vae_helpers as vh

# Right: first the plain way of each, then others


def class_probabilities(log_px, log_prior):
    joint = log_px + log_prior
    parts = np.exp(joint - joint.max(axis=1, keepdims=True))
    return parts / parts.sum(axis=1, keepdims=True)


def auroc(normal, anomalies):
    return np.mean((anomalies[:, None] > normal) + 0.5 * (anomalies[:, None] == normal))


def seen_nll(x, logits, seen):
    return ops.sum(seen * (ops.softplus(logits) - x * logits), axis=(1, 2, 3))


def chain_step(vae, image, seen, rng):
    mean, log_var = vae.encode(image)
    pixels = vae.decode(vae.reparameterize(mean, log_var))
    return np.where(seen == 1, image, rng.random(pixels.shape) < pixels)


def auroc_by_sorting(normal, anomalies):
    left, right = (np.searchsorted(np.sort(normal), anomalies, side) for side in ("left", "right"))
    return (left + right).mean() / (2 * len(normal))


def auroc_by_scikit_learn(normal, anomalies):
    return roc_auc_score(np.repeat([0, 1], [len(normal), len(anomalies)]), np.concatenate([normal, anomalies]))


def auroc_by_loops(normal, anomalies):
    won = 0.0
    for a in anomalies:
        for n in normal:
            won += 1 if a > n else 0.5 if a == n else 0
    return won / len(normal) / len(anomalies)


def seen_nll_by_hiding(x, logits, seen):
    hidden = ops.where(seen == 1, logits, -1e4)  # a black pixel that is sure to be black costs nothing
    return vh.bernoulli_nll(x * seen, hidden)


def seen_nll_by_picking(x, logits, seen):
    nats = np.where(x == 1, np.logaddexp(0, -np.array(logits)), np.logaddexp(0, logits))
    return np.array([of_image[mask == 1].sum() for of_image, mask in zip(nats, seen)])


def seen_nll_by_tensorflow(x, logits, seen):
    each = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
    return tf.reduce_sum(each * seen, axis=[1, 2, 3])


def chain_step_by_parts(vae, image, seen, rng):
    mean, log_var = vae.encoder(image)
    z = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean))
    new = rng.binomial(1, ops.convert_to_numpy(ops.sigmoid(vae.decoder(z))).astype("float64"))
    return seen * image + (1 - seen) * new


def chain_step_with_one_rng(vae, image, seen, rng):
    mean, log_var = (np.array(part) for part in vae.encode(image))
    pixels = vae.decode(rng.normal(mean, np.exp(0.5 * log_var)))
    image[:, seen == 1] = image[:, seen == 1]
    image[:, seen == 0] = (rng.random(pixels.shape) < pixels)[:, seen == 0]
    return image


def chain_step_by_call(vae, image, seen, rng):
    pixels = ops.sigmoid(vae(image)["logits"])
    return ops.where(seen == 1, image, ops.cast(rng.random(image.shape) < pixels, "float32"))


RIGHT = {
    "class_probabilities": [
        class_probabilities,
        lambda a, b: ops.softmax(a + b, axis=1),
        lambda a, b: tf.nn.softmax(tf.constant(a) + b),
        lambda a, b: np.exp(a + b - np.logaddexp.reduce(a + b, axis=1)[:, None]),
        lambda a, b: np.exp(ops.log_softmax(a + b)),
    ],
    "auroc": [auroc, auroc_by_sorting, auroc_by_scikit_learn, auroc_by_loops],
    "seen_nll": [seen_nll, seen_nll_by_hiding, seen_nll_by_picking, seen_nll_by_tensorflow],
    "chain_step": [chain_step, chain_step_by_parts, chain_step_with_one_rng, chain_step_by_call],
}
NAMES = sorted(RIGHT)


def test_every_exercise_of_the_lesson_is_here():
    found = {name for name in vh.check.__all__ if getattr(vh.check, name).__module__.endswith("_08")}
    assert found == set(NAMES)


def test_every_exercise_has_its_number():
    starts = sorted(getattr(vh.check, name).__doc__.partition(" function(")[0] for name in NAMES)
    assert starts == [f"Exercise 8.{i}." for i in (1, 2, 3, 4)]


@pytest.mark.parametrize("name, function", rows(RIGHT))
def test_what_is_right_passes(said, name, function):
    assert f"{name} · right: " in said(name, function)


@pytest.mark.parametrize("name", NAMES)
def test_unfinished_is_not_yet(said, name):
    def unfinished(*arguments):
        raise NotImplementedError

    for function in (lambda *arguments: None, lambda *arguments: ..., unfinished):
        assert f"{name} · not yet: " in said(name, function)


@pytest.mark.parametrize("name", NAMES)
def test_nonsense_is_never_right(said, name):
    rng = np.random.default_rng(0)
    values = ["text", {}, [], object(), 0.5, np.nan, np.zeros(0), np.full((4, 3), np.nan), rng.random((12, 2, 3, 1))]
    for value in [*values, rng.random(4), rng.random((4, 3)), np.ones((12, 2, 3, 1)), ops.zeros((500, 2, 3, 1))]:
        assert "· right" not in said(name, lambda *arguments, value=value: value)
    for spoil in (lambda a: a + 0.75, lambda a: 1.5 * a + 1, lambda a: a * np.nan, lambda a: np.stack([a, a])):
        text = said(name, lambda *arguments, spoil=spoil: spoil(np.array(RIGHT[name][0](*arguments), "float64")))
        assert "· right" not in text


# Wrong: what the check must say


def softmax(a, axis=-1):
    return np.array(ops.softmax(a, axis=axis))


def pixel_nll(x, logits):
    return np.logaddexp(0, logits) - x * logits


def total(values):
    return values.sum(axis=(1, 2, 3))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def decoded(vae, image):
    return vae.decode(vae.reparameterize(*vae.encode(image)))


def tossed(vae, image, rng):
    pixels = decoded(vae, image)
    return (rng.random(pixels.shape) < pixels).astype("float32")


def keep(image, seen, new):
    return seen * image + (1 - seen) * new


def own_noise(make_noise, sigma=lambda log_var: np.exp(0.5 * log_var)):
    """A step with other noise: make_noise(shape, rng)."""

    def step(vae, image, seen, rng):
        mean, log_var = (np.array(part) for part in vae.encode(image))
        pixels = vae.decode(mean + sigma(log_var) * make_noise(mean.shape, rng))
        return keep(image, seen, rng.random(pixels.shape) < pixels)

    return step


def coins(toss):
    """A step with other coins: toss(pixels, rng)."""
    return lambda vae, image, seen, rng: keep(image, seen, toss(decoded(vae, image), rng))


def logits_as_probabilities(vae, image, seen, rng):
    logits = np.array(vae.decoder(vae.reparameterize(*vae.encode(image))))
    return keep(image, seen, rng.random(logits.shape) < logits)


WRONG = {
    "class_probabilities": [
        (lambda a, b: softmax(a), "do not use the prior"),
        (lambda a, b: softmax(a + np.exp(b)), "a logarithm already"),
        (lambda a, b: softmax(a * b), "logarithms of factors are added"),
        (lambda a, b: softmax(a - b), "subtract the logarithm of the prior"),
        (lambda a, b: softmax(a + b, axis=0), "sum over the images"),
        (lambda a, b: np.exp(a + b) / np.exp(a + b).sum(), "its own sum"),
        (lambda a, b: np.log(softmax(a + b)), "logarithms of the probabilities"),
        (lambda a, b: np.exp(a + b), "divide each row by its sum"),
        (lambda a, b: a + b, "take the exponential, and divide"),
        (lambda a, b: np.exp(a + b - (a + b).max(1, keepdims=True)), "the largest value of each row is 1"),
        (lambda a, b: softmax(a) * np.exp(b), "the rows do not sum to 1"),
        (lambda a, b: (a + b).argmax(1), "the most probable class; return"),
        (lambda a, b: np.eye(3)[(a + b).argmax(1)], "0 for the others"),
        (lambda a, b: softmax(a + b).max(1), "the largest probability"),
        (lambda a, b: softmax(-(a + b)), "the sign is wrong: the class"),
        (lambda a, b: softmax(b - a), "not minus it"),
        (lambda a, b: softmax(np.exp(a + b)), "twice"),
        (lambda a, b: softmax(a + b).T, "the classes are rows"),
        (lambda a, b: (a + b) / (a + b).sum(1, keepdims=True), "divide the logarithms"),
        (lambda a, b: np.exp(a + b) / np.exp(a + b).sum(1, keepdims=True), "subtract from each row"),
        (lambda a, b: np.exp(a + b - (a + b).max()) / np.exp(a + b - (a + b).max()).sum(1)[:, None], "its own largest"),
        (
            lambda a, b: softmax(np.maximum(a, -100) + b),
            "the formula holds, but not for an image with log p(x|class) =",
        ),
        (lambda a, b: softmax(a + b).round(2), "the values are rounded to 2 decimals"),
        (
            lambda a, b: np.exp(a + b - (a + b).max()) / np.exp(a + b - (a + b).max()).sum(axis=1, keepdims=True),
            "the formula holds, but not for an image with log p(x|class)",
        ),
        (lambda a, b: softmax(2 * (a + b)), "these are the right results for 2·each argument in place of"),
        (lambda a, b: softmax(a + 2 * b), "these are the right results for 2·`log_prior` in place of"),
        (lambda a, b: np.sqrt(softmax(a + b)), "this is the square root of what is asked for"),
        (lambda a, b: softmax(a + b)[::-1], "the values are right, but in the opposite order along axis 0"),
        (lambda a, b: softmax(a + b[::-1]), "these are the right results for `log_prior` in the opposite"),
        (lambda a, b: 100 * softmax(a + b), "every value is 100 (percent) times what it should be"),
        (lambda a, b: 1 - softmax(a + b), "this is 1 minus what is asked for"),
        (lambda a, b: softmax(a + b)[:, :-1], "the values are right, but the last one of axis 1 is left out"),
        (lambda a, b: np.cumsum(softmax(a + b), axis=1), "each value contains those before it in its row"),
        (
            lambda a, b: softmax(a + b - a.max())[:, ::-1],
            "the values are right, but in the opposite order along the last",
        ),
        (
            lambda a, b: (np.exp(a) + np.exp(b)) / (np.exp(a) + np.exp(b)).sum(axis=1, keepdims=True),
            "p(x|class) and p(class) are added",
        ),
        (
            lambda a, b: np.exp(a + b) / (np.exp(a + b).sum(axis=1, keepdims=True) + 1e-8),
            "the formula holds, but not for an image with log p(x|class) =",
        ),
        (lambda a, b: 1 / (1 + np.exp(-(a + b))), "you take the sigmoid of each class"),
        (
            lambda a, b: np.exp(a + b) / np.exp(a).sum(axis=1, keepdims=True),
            "you divide by the sum first and use the prior afterwards",
        ),
        (
            lambda a, b: np.exp(a + b) / np.linalg.norm(np.exp(a + b), axis=1, keepdims=True),
            "each row is the right one times a number of its own, from 1.13",
        ),
        (lambda a, b: softmax(a - a.mean(1, keepdims=True) + b[None] * 0), "you do not use the prior"),
        (lambda a, b: softmax(np.exp(a) * np.exp(b)), "you take the exponential twice"),
        (lambda a, b: softmax(a + b.mean()), "you do not use the prior"),
        (lambda a, b: softmax(a + b) * np.exp(b), "each column is the right one times a number of its own, from"),
        (lambda a, b: np.exp(a + b) / np.exp(b).sum(), "this is p(x|class) · p(class)"),
        (lambda a, b: softmax(a + b).mean(axis=0), "you also take the mean along axis 0"),
    ],
    "auroc": [
        (lambda n, a: auroc(a, n), "swapped: count"),
        (lambda n, a: np.mean(n[:, None] > a), "swapped, and ties count 0"),
        (lambda n, a: np.mean(n[:, None] >= a), "swapped, and ties count 1"),
        (lambda n, a: np.mean(a[:, None] > n), "ties count 0"),
        (lambda n, a: np.mean(a[:, None] >= n), "ties count 1"),
        (lambda n, a: auroc(n, a) * n.size * a.size, "divide by the number of all pairs"),
        (lambda n, a: np.sum(a[:, None] > n), "add half a pair for each tie"),
        (lambda n, a: auroc(n, a) * len(n), "number of anomalies only"),
        (lambda n, a: auroc(n, a) * len(a), "number of normal images only"),
        (lambda n, a: 100 * auroc(n, a), "percent"),
        (lambda n, a: (a[:, None] > n) + 0.5 * (a[:, None] == n), "take its mean."),
        (lambda n, a: (a > n[:, None]) + 0.5 * (a == n[:, None]), "take its mean."),
        (lambda n, a: a[:, None] > n, "let ties count ½"),
        (lambda n, a: max(auroc(n, a), 1 - auroc(n, a)), "must stay below ½"),
        (lambda n, a: 2 * auroc(n, a) - 1, "from −1 to 1"),
        (lambda n, a: np.mean(a > n.mean()), "above the mean"),
        (lambda n, a: np.mean(a > np.median(n)), "above the median"),
        (lambda n, a: np.mean(a > n.max()), "above all normal scores"),
        (lambda n, a: a.mean() - n.mean(), "difference of the means"),
        (lambda n, a: np.abs(a[:, None] - n).mean(), "mean difference of all pairs"),
        (lambda n, a: np.mean(a > n), "compares them from the last axis"),
        (lambda n, a: 1 - auroc(n, a), "normal images and anomalies are swapped"),
        (lambda n, a: np.mean(a[:, None] >= n), "ties count 1; they should count ½"),
        (
            lambda n, a: np.mean([x > y for x, y in zip(a, n)]),
            "you compare the anomalies and the normal images one by one, as",
        ),
        (lambda n, a: 2 * auroc(n, a), "every value is 2 times what it should be"),
        (lambda n, a: np.mean(a > n.min()), "this is the share of anomalies above the smallest normal score"),
        (lambda n, a: auroc(n, a) ** 2, "this is the square of what is asked for"),
        (lambda n, a: round(auroc(n, a), 1), "the values are rounded to 1 decimals"),
        (lambda n, a: np.mean(a.mean() > n), "this is the share of normal scores below the mean of the"),
        (lambda n, a: np.mean(np.median(a) > n), "this is the share of normal scores below the mean of the"),
        (lambda n, a: np.mean((a[:, None] > n) + 0.25 * (a[:, None] == n)), "ties count ¼; they should count ½"),
        (lambda n, a: auroc(np.abs(n), np.abs(a)), "these are the right results for the absolute value of each"),
        (
            lambda n, a: auroc(np.unique(n), np.unique(a)),
            "equal scores within one list are counted once (np.unique or set)",
        ),
        (lambda n, a: np.mean(a.max() > n), "this is the share of normal scores below the highest anomaly"),
        (
            lambda n, a: (np.mean(a[:, None] > n) + np.mean(a[:, None] < n)) / 2,
            "you count the pairs that differ, whoever is higher",
        ),
        (lambda n, a: max(auroc(n, a), 0.5), "an AUROC below ½ must stay below ½"),
        (
            lambda n, a: np.sum((a[:, None] > n) + 0.5 * (a[:, None] == n)) / (len(n) + len(a)),
            "you divide by the number of all images",
        ),
        (
            lambda n, a: np.mean(a[:, None] > n) + 0.5 * np.mean(a[:, None] < n),
            "the result is right for normal = [-7., -3., -3., 0.], anomalies",
        ),
        (lambda n, a: (auroc(n, a) + np.mean(a[:, None] > n)) / 2, "ties count ¼; they should count ½"),
        (lambda n, a: np.mean(a.mean() > n.mean()), "the result is right for normal = [5., 6.], anomalies = [7., 8.,"),
        (lambda n, a: np.mean((a[:, None] - n) > 1), "the wrong values are all too small"),
        (lambda n, a: np.abs(2 * auroc(n, a) - 1), "the result is right for normal = [5., 6.], anomalies = [7., 8.,"),
    ],
    "seen_nll": [
        (lambda x, a, s: total(pixel_nll(x, a)), "do not use `seen`"),
        (lambda x, a, s: total((1 - s) * pixel_nll(x, a)), "*not* seen"),
        (lambda x, a, s: vh.bernoulli_nll(x * s, a * s), "a hidden pixel still costs log 2"),
        (lambda x, a, s: vh.bernoulli_nll(x, a * s), "a hidden pixel still costs log 2"),
        (lambda x, a, s: vh.bernoulli_nll(x * s, a), "as if it were black"),
        (lambda x, a, s: -seen_nll(x, a, s), "the sign"),
        (lambda x, a, s: (s * pixel_nll(x, a)).mean((1, 2, 3)), "mean over all pixels"),
        (lambda x, a, s: seen_nll(x, a, s) / total(s), "mean over the seen pixels"),
        (lambda x, a, s: seen_nll(x, a, s) / s.sum(), "the seen pixels of the whole batch"),
        (lambda x, a, s: seen_nll(x, a, s) / s.size, "the number of pixels of the whole batch"),
        (lambda x, a, s: seen_nll(x, a, s[:1]), "the mask of the first image is used for all"),
        (lambda x, a, s: ops.mean(seen_nll(x, a, s)), "mean over the images"),
        (lambda x, a, s: ops.sum(seen_nll(x, a, s)), "sum over all images"),
        (lambda x, a, s: s * pixel_nll(x, a), "nats of each pixel"),
        (lambda x, a, s: (s * pixel_nll(x, a)).sum(0), "over the images, axis 0"),
        (lambda x, a, s: total(s * x * np.logaddexp(0, -a)), "the white pixels only"),
        (lambda x, a, s: total(s * pixel_nll(1 - x, a)), "black and white are swapped"),
        (lambda x, a, s: total(s * (x - sigmoid(a)) ** 2), "squared error"),
        (lambda x, a, s: (s * pixel_nll(x, a)).sum((1, 2)), "leave the channel"),
        (lambda x, a, s: total(-s * (x * np.log(a) + (1 - x) * np.log(1 - a))), "not probabilities"),
        (lambda x, a, s: total(-s * np.log(np.where(x == 1, sigmoid(a), 1 - sigmoid(a)))), "overflows"),
        (lambda x, a, s: total(-s * np.log(np.where(x == 1, sigmoid(a), 1 - sigmoid(a)) + 1e-7)), "without a cut"),
        (lambda x, a, s: 2 * seen_nll(x, a, s), "every value is 2 times what it should be"),
        (lambda x, a, s: seen_nll(x, a / 2, s), "these are the right results for half of `logits` in place of"),
        (lambda x, a, s: seen_nll(x, a, s.T.reshape(s.shape)), "the value at [3] is 1.226"),
        (
            lambda x, a, s: np.asarray(seen_nll(x, a, s)) / np.log(2),
            "every value is 1/log 2 (bits in a nat) times what it should be",
        ),
        (
            lambda x, a, s: total(s * pixel_nll(x, a)) / s.size * s.sum(),
            "this is multiplied by the share of the seen pixels",
        ),
        (
            lambda x, a, s: total(s * pixel_nll(x, a)) + len(x),
            "in each case all values are off by one number (4, 3, 2)",
        ),
        (
            lambda x, a, s: (
                -total(
                    s
                    * (
                        x * np.log(np.clip(sigmoid(a), 1e-7, 1 - 1e-7))
                        + (1 - x) * np.log(np.clip(1 - sigmoid(a), 1e-7, 1))
                    )
                )
            ),
            "the formula holds, but three surprises of 200 nats each come",
        ),
        (
            lambda x, a, s: (s * pixel_nll(x, a)).max(axis=(1, 2, 3)),
            "this is the largest of the numbers that should be added up",
        ),
        (lambda x, a, s: total(s * np.abs(x - sigmoid(a))), "this is the absolute difference"),
        (lambda x, a, s: total(s * (np.logaddexp(0, a) - x)), "the logit is missing in −x · logit"),
        (lambda x, a, s: total(s * np.logaddexp(0, a)), "these are the right results for 0 in place of `x`"),
        (lambda x, a, s: total(s * np.logaddexp(0, a) - x * a), "a hidden pixel still costs something"),
        (lambda x, a, s: total(np.logaddexp(0, a) - s * x * a), "a hidden pixel still costs nats, as if it were black"),
        (
            lambda x, a, s: total(s * pixel_nll(x, a))[::-1],
            "the values are right, but in the opposite order along axis 0",
        ),
        (
            lambda x, a, s: total(s * pixel_nll(x, sigmoid(a))),
            "these are the right results for sigmoid(`logits`) in place of",
        ),
        (
            lambda x, a, s: total(s[::-1] * pixel_nll(x, a)),
            "these are the right results for `seen` in the opposite order",
        ),
        (lambda x, a, s: total(s * pixel_nll(x, a)) / len(x), "every value is divided by the length of axis 0 of `x`"),
        (lambda x, a, s: total(s * pixel_nll(x, -a)), "black and white are swapped"),
        (
            lambda x, a, s: total(s * pixel_nll(x, a) + (1 - s) * np.log(2)),
            "a hidden pixel still costs log 2, because you make its logit 0",
        ),
        (lambda x, a, s: total(s * (x - a) ** 2), "the value at [0] is 7.049"),
        (lambda x, a, s: total(pixel_nll(x, a)[:, :2]), "the result does not change when `seen` changes"),
        (lambda x, a, s: total(s * pixel_nll(s, a)), "these are the right results for 1 in place of `x`"),
        (lambda x, a, s: total(x * pixel_nll(x, a)), "these are the right results for `x` in place of `seen`, too"),
    ],
    "chain_step": [
        (lambda v, x, s, r: tossed(v, x, r), "whole decoded image"),
        (lambda v, x, s, r: keep(x, 1 - s, tossed(v, x, r)), "seen and hidden are swapped"),
        (lambda v, x, s, r: x, "no pixel is new"),
        (lambda v, x, s, r: keep(x, s, tossed(v, x * s, r)), "with its hidden pixels black. Encode"),
        (lambda v, x, s, r: tossed(v, x * s, r), "black, and the seen pixels are not kept"),
        (lambda v, x, s, r: keep(x, s, tossed(v, x * s + 0.5 * (1 - s), r)), "at ½"),
        (lambda v, x, s, r: keep(x, s, tossed(v, x * (1 - s), r)), "the hidden pixels only"),
        (lambda v, x, s, r: x * s, "black in your result"),
        (lambda v, x, s, r: (1 - s) * tossed(v, x, r), "the seen ones are missing"),
        (lambda v, x, s, r: keep(x, s, 1 - tossed(v, x, r)), "black and white are swapped"),
        (lambda v, x, s, r: x + tossed(v, x, r), "add the new image"),
        (lambda v, x, s, r: x + (1 - s) * tossed(v, x, r), "to the old hidden ones"),
        (lambda v, x, s, r: keep(x, s, np.array(v.decoder(v.encode(x)[0]))), "`vae.decoder` gives logits"),
        (lambda v, x, s, r: keep(x, s, tossed(v, x[::-1], r)), "not those that the decoder asks for"),
        (lambda v, x, s, r: keep(x, s, tossed(v, x, r)) * 0.9, "the seen pixels have changed"),
        (lambda v, x, s, r: keep(x, s, tossed(v, x, r))[..., 0], "should be that of `image`"),
        (lambda v, x, s, r: keep(x, s, decoded(v, x)), "put in the probabilities"),
        (coins(lambda p, rng: p > 0.5), "all 1500 new pixels are 0"),
        (logits_as_probabilities, "with the probability, not with the logit"),
        (coins(lambda p, rng: rng.random(p.shape[1:]) < p), "all images get the same coins"),
        (coins(lambda p, rng: rng.random((len(p), 1, 1, 1)) < p), "all pixels of an image get the same coin"),
        (coins(lambda p, rng: rng.random(p.shape) < p**2), "the share of ones is 0.0"),
        (coins(lambda p, rng: 0.5 * (rng.random((2, *p.shape)) < p).sum(axis=0)), "neither 0 nor 1"),
        (lambda v, x, s, r: keep(x, s, (r.random(x.shape) < v.reconstruct(x))), "you decode the mean"),
        (own_noise(lambda shape, rng: rng.normal(size=shape), np.exp), "exp(log_var) is the variance"),
        (own_noise(lambda shape, rng: rng.normal(size=shape), np.ones_like), "is the noise stretched by σ"),
        (own_noise(lambda shape, rng: 0.5 * rng.normal(size=shape)), "σ is 1 in your draws"),
        (own_noise(lambda shape, rng: rng.normal(size=(1, 3))), "all images get the same noise"),
        (own_noise(lambda shape, rng: rng.normal(size=(shape[0], 1))), "all latents of an image get the same noise"),
        (own_noise(lambda shape, rng: keras.random.normal(shape, seed=1)), "two calls give the same noise"),
        (own_noise(lambda shape, rng: rng.uniform(size=shape)), "should be above 1"),
        (
            lambda vae, x, s, rng: np.where(
                s == 1, x, np.random.default_rng(0).random(x.shape) < vae.decode(vae.reparameterize(*vae.encode(x)))
            ),
            "the coins are the same at every call",
        ),
        (
            lambda vae, x, s, rng: np.where(
                s == 1, x, np.random.random(x.shape) < vae.decode(vae.reparameterize(*vae.encode(x)))
            ),
            "you do not toss with `rng`",
        ),
        (
            lambda vae, x, s, rng: np.where(s == 1, x, rng.random(x.shape) < 0.5),
            "the new pixels change from call to call, although nothing is",
        ),
        (
            lambda vae, x, s, rng: np.where(s == 1, x, rng.random(x.shape) < vae.decode(rng.normal(size=(len(x), 3)))),
            "the new pixels change from call to call, although nothing is",
        ),
        (
            lambda vae, x, s, rng: np.where(
                s == 1, x, rng.random((len(x), 1, 1, 1)) < vae.decode(vae.reparameterize(*vae.encode(x)))
            ),
            "all pixels of an image get the same coin",
        ),
        (
            lambda vae, x, s, rng: np.where(
                s == 1, x, rng.random(x.shape) > vae.decode(vae.reparameterize(*vae.encode(x)))
            ),
            "black and white are swapped",
        ),
        (
            lambda vae, x, s, rng: np.where(
                s == 0, x, rng.random(x.shape) < vae.decode(vae.reparameterize(*vae.encode(x)))
            ),
            "seen and hidden are swapped",
        ),
        (
            lambda vae, x, s, rng: np.where(
                s == 1, x, rng.random(x.shape) < vae.decode(vae.reparameterize(*vae.encode(s * x)))
            ),
            "you encode the image with its hidden pixels black",
        ),
        (
            lambda vae, x, s, rng: (rng.random(x.shape) < vae.decode(vae.reparameterize(*vae.encode(x)))).astype(float),
            "the seen pixels are not kept",
        ),
        (
            lambda vae, x, s, rng: np.where(s == 1, x, np.round(vae.decode(vae.reparameterize(*vae.encode(x))))),
            "for p = 0.2 all 1500 new pixels are 0",
        ),
        (
            lambda vae, x, s, rng: np.where(s == 1, x, rng.random(x.shape) < vae.decode(vae.encode(x)[0])),
            "the pixels are right, but z is not a draw from the cloud",
        ),
        (
            lambda vae, x, s, rng: np.where(
                s == 1, 1, rng.random(x.shape) < vae.decode(vae.reparameterize(*vae.encode(x)))
            ),
            "the seen pixels have changed",
        ),
        (
            lambda vae, x, s, rng: np.where(
                s == 1, x, rng.random(x.shape) < vae.decode(vae.reparameterize(*vae.encode(x))) / 2
            ),
            "the new pixels change from call to call, although nothing is",
        ),
    ],
}


@pytest.mark.parametrize("name, function, phrase", rows(WRONG))
def test_a_mistake_is_named(said, name, function, phrase):
    text = said(name, function)
    assert phrase in text and "· right" not in text
    for part in ("softmax", "roc_auc", "searchsorted", "np.where(", "seen *", "reparameterize(mean", "rng.random("):
        assert part not in text  # no solution


def test_the_arguments_of_a_check_are_not_changed_by_the_function(said):
    def spoils(x, logits, seen):
        result = ops.convert_to_numpy(seen_nll(x, logits, seen)).copy()
        x[...], seen[...] = 0, 0
        return result

    assert "· right" in said("seen_nll", spoils)


# What the lesson uses in place of the last exercise: vh.fill_in


def copying_vae():
    """A VAE with sharp clouds: z is the first pixel, 0 or 1, and the decoder paints all pixels as z."""
    vae = vh.VAE(vh.mlp_encoder((2, 2, 1), 1, hidden=()), vh.mlp_decoder((2, 2, 1), 1, hidden=()))
    first = np.array([[1.0], [0], [0], [0]])
    vae.encoder.set_weights([first, np.zeros(1), np.zeros((4, 1)), np.full(1, -20.0)])
    vae.decoder.set_weights([np.full((1, 4), 40.0), np.full(4, -20.0)])
    return vae


FIRST_IS_SEEN = np.array([1.0, 0, 0, 0]).reshape(2, 2, 1)


def test_fill_in_follows_the_seen_pixel_and_not_the_hidden_ones():
    x = np.zeros((2, 2, 2, 1), "float32")
    x[1, 0, 0] = 1
    logits = vh.fill_in(copying_vae(), x, FIRST_IS_SEEN, steps=2)
    np.testing.assert_allclose(logits.reshape(2, 4), [[-20] * 4, [20] * 4], atol=0.1)
    x[:, 1] = 1  # hidden
    np.testing.assert_array_equal(vh.fill_in(copying_vae(), x, FIRST_IS_SEEN, steps=2), logits)


def test_fill_in_puts_the_new_pixels_into_the_next_step():
    last_is_seen = FIRST_IS_SEEN[::-1, ::-1]  # so the first pixel is a coin at the start, and then what it became
    x = np.zeros((200, 2, 2, 1), "float32")
    one, many = (vh.fill_in(copying_vae(), x, last_is_seen, steps=n, seed=1, start=0.5) for n in (1, 5))
    assert 0.4 < np.mean(one > 0) < 0.6
    np.testing.assert_array_equal(one > 0, many > 0)
    assert (vh.fill_in(copying_vae(), x, last_is_seen, steps=1) < 0).all()  # from black


def test_fill_in_repeats_with_its_seed_and_differs_with_another(make_vae, binary):
    vae, seen = make_vae(), np.eye(4)[..., None]
    one, same, other = (vh.fill_in(vae, binary, seen, steps=3, seed=seed, start=0.5) for seed in (1, 1, 2))
    assert one.shape == binary.shape
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_fill_in_says_what_is_wrong(make_vae, binary):
    with pytest.raises(ValueError, match="one number for each pixel"):
        vh.fill_in(make_vae(), binary, np.ones((4, 4)))
    with pytest.raises(ValueError, match="1 or more"):
        vh.fill_in(make_vae(), binary, np.ones((4, 4, 1)), steps=0)
