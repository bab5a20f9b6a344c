"""The checks of lesson 08: Bayes with a conditional VAE, the AUROC, filling in, the surprise about seen pixels."""

import keras
import numpy as np
from keras import layers

from vae_helpers.exercises.report import exercise
from vae_helpers.models import VAE


def _softmax(a, axis=-1):
    parts = np.exp(a - a.max(axis=axis, keepdims=True))
    return parts / parts.sum(axis=axis, keepdims=True)


def _one_hot(a):
    return np.eye(a.shape[1])[a.argmax(1)]


@exercise
def class_probabilities(report):
    """Exercise 8.1. function(log_px, log_prior): log p(x|class) (batch, classes), log p(class) (classes,) → p(class|x).

    The result is (batch, classes); each row sums to 1, also where every log p(x|class) is far below 0.
    """
    log_prior = np.log([0.6, 0.3, 0.1])
    near = np.array([[-1.0, -1.5, -0.2], [-2.0, -0.3, -1.0], [-0.1, -2.0, -1.2], [-3.0, -2.5, -2.6]])
    far = np.array([[-900.0, -901.0, -903.0], [-25.0, -24.0, -27.0], [-130.0, -128.0, -131.0], [-700.0, -4.0, -3.0]])
    cases = [(near, log_prior), (near[1:], log_prior[[2, 0, 1]])]
    mistakes = [
        ("you do not use the prior: the right classes follow from log p(x|class) + log p(class).",
         lambda a, b: _softmax(a)),
        ("`log_prior` is a logarithm already: add it as it is.", lambda a, b: _softmax(a + np.exp(b))),
        ("you multiply by the logarithm of the prior; logarithms of factors are added.", lambda a, b: _softmax(a * b)),
        ("you subtract the logarithm of the prior; add it.", lambda a, b: _softmax(a - b)),
        ("you divide by the sum over the images; the probabilities of the *classes* of one image sum to 1, axis 1.",
         lambda a, b: _softmax(a + b, axis=0)),
        ("you divide by the sum of all numbers; each image has its own sum, over axis 1.",
         lambda a, b: np.exp(a + b) / np.exp(a + b).sum()),
        ("these are logarithms of the probabilities: take the exponential.", lambda a, b: np.log(_softmax(a + b))),
        ("this is p(x|class) · p(class); divide each row by its sum.", lambda a, b: np.exp(a + b)),
        ("this is log p(x|class) + log p(class): take the exponential, and divide each row by its sum.",
         lambda a, b: a + b),
        ("the largest value of each row is 1: after the exponential, divide each row by its sum.",
         lambda a, b: np.exp(a + b - (a + b).max(1, keepdims=True))),
        ("you divide by the sum first and use the prior afterwards: the rows do not sum to 1.",
         lambda a, b: _softmax(a) * np.exp(b)),
        ("this is the most probable class; return the probability of each class.", lambda a, b: (a + b).argmax(1)),
        ("this is 1 for the most probable class and 0 for the others; return the probabilities.",
         lambda a, b: _one_hot(a + b)),
        ("this is the largest probability of each image; return that of each class.",
         lambda a, b: _softmax(a + b).max(1)),
        ("the sign is wrong: the class with the *largest* log p(x|class) is the most probable.",
         lambda a, b: _softmax(-(a + b))),
        ("the sign is wrong: log_px is log p(x|class), not minus it.", lambda a, b: _softmax(b - a)),
        ("you take the sigmoid of each class; the probabilities of the classes of one image must sum to 1.",
         lambda a, b: 1 / (1 + np.exp(-(a + b)))),
        ("p(x|class) and p(class) are added; multiply them: add their logarithms.",
         lambda a, b: (np.exp(a) + np.exp(b)) / (np.exp(a) + np.exp(b)).sum(1, keepdims=True)),
        ("you take the exponential twice.", lambda a, b: _softmax(np.exp(a + b))),
        ("the classes are rows; each image should be a row, (batch, classes).", lambda a, b: _softmax(a + b).T),
        ("you divide the logarithms by their sum: take the exponential first.",
         lambda a, b: (a + b) / (a + b).sum(1, keepdims=True)),
    ]  # fmt: skip
    right = lambda a, b: _softmax(a + b)  # noqa: E731
    report.compare(cases, right, mistakes, "one row for each image, one column for each class.")
    found = report.array(far, log_prior)
    if (
        np.isfinite(found).all()
        and found.shape == far.shape
        and not np.allclose(found, right(far, log_prior), atol=1e-4)
    ):
        row = int(np.abs(found - right(far, log_prior)).max(1).argmax())
        report.wrong(f"the formula holds, but not for an image with log p(x|class) = {far[row].round()}: there you "
                     f"give {found[row].round(3)}, and it should be {right(far, log_prior)[row].round(3)}.\nIs "
                     "something cut off, or added, before the division? Subtract each row's own largest value."
                     )  # fmt: skip
    if found.shape != far.shape or not np.isfinite(found).all():
        report.wrong("the formula holds, but not for an image with log p(x|class) about −900: there the "
                     "exponential is exactly 0 in the numbers of a computer.\n"
                     "Before the exponential, subtract from each row its own largest value: it cancels in the "
                     "division.")  # fmt: skip
    return "rows that sum to 1, with the prior, and also where every log p(x|class) is far below 0."


def _auroc(normal, anomalies, tie=0.5):
    above = (anomalies[:, None] > normal).astype(float)
    return np.mean(above + tie * (anomalies[:, None] == normal))


@exercise
def auroc(report):
    """Exercise 8.2. function(normal, anomalies): scores (n,) and (m,) → a number.

    The probability that the score of an anomaly is higher than that of a normal image; ties count ½.
    """
    cases = [
        (np.array([1.0, 2.0, 2.0, 3.0, 12.0]), np.array([2.0, 4.0, 6.0])),
        (np.array([3.0, 4.0, 5.0]), np.array([0.0, 1.0, 4.0, 4.5])),  # below ½
        (np.array([-7.0, -3.0, -3.0, 0.0]), np.array([-3.0, -1.0, 2.0, 2.0, 8.0])),
        (np.array([0.5, -1.0, 2.5, 0.5, 3.0, 1.0, 1.5]), np.array([0.5, 2.0, 4.0, 1.0, 2.5, -2.0])),
        (np.array([5.0, 6.0]), np.array([7.0, 8.0, 9.0])),
        (np.array([1.0, 4.0, 2.0]), np.array([2.0])),
    ]

    def flat(function):
        return lambda n, a: function(a[:, None], n[None])

    mistakes = [
        ("normal images and anomalies are swapped: count the pairs in which the *anomaly* has the higher score.",
         lambda n, a: _auroc(a, n)),
        ("normal images and anomalies are swapped, and ties count 0; they count ½.", lambda n, a: _auroc(a, n, 0)),
        ("normal images and anomalies are swapped, and ties count 1; they count ½.", lambda n, a: _auroc(a, n, 1)),
        ("ties count 0; they should count ½.", lambda n, a: _auroc(n, a, 0)),
        ("ties count 1; they should count ½.", lambda n, a: _auroc(n, a, 1)),
        ("this is the number of pairs; divide by the number of all pairs.",
         lambda n, a: _auroc(n, a) * len(n) * len(a)),
        ("this is the number of pairs, and ties count 0: add half a pair for each tie, and divide by the number of "
         "all pairs.", flat(lambda a, n: np.sum(a > n))),
        ("you divide by the number of anomalies only; divide by the number of pairs.",
         lambda n, a: _auroc(n, a) * len(n)),
        ("you divide by the number of normal images only; divide by the number of pairs.",
         lambda n, a: _auroc(n, a) * len(a)),
        ("this is in percent; give a number from 0 to 1.", lambda n, a: 100 * _auroc(n, a)),
        ("this is one table of all pairs; take its mean.", flat(lambda a, n: (a > n) + 0.5 * (a == n))),
        ("this is one table of all pairs; take its mean.", lambda n, a: (a > n[:, None]) + 0.5 * (a == n[:, None])),
        ("this is one table of all pairs; take its mean, and let ties count ½.", flat(lambda a, n: a > n)),
        ("an AUROC below ½ must stay below ½: it says that the score is worse than a coin.",
         lambda n, a: max(_auroc(n, a), 1 - _auroc(n, a))),
        ("this goes from −1 to 1: pairs won minus pairs lost. Count only the pairs won.",
         lambda n, a: 2 * _auroc(n, a) - 1),
        ("this is the share of anomalies above the mean of the normal scores; compare with *every* normal score.",
         lambda n, a: np.mean(a > n.mean())),
        ("this is the share of anomalies above the median of the normal scores; compare with *every* normal score.",
         lambda n, a: np.mean(a > np.median(n))),
        ("this is the share of anomalies above all normal scores; compare each pair.",
         lambda n, a: np.mean(a > n.max())),
        ("this is the share of anomalies above the smallest normal score; compare each pair.",
         lambda n, a: np.mean(a > n.min())),
        ("this is the share of normal scores below the mean of the anomalies; compare with *every* anomaly.",
         lambda n, a: np.mean(a.mean() > n)),
        ("this is the share of normal scores below the median of the anomalies; compare with *every* anomaly.",
         lambda n, a: np.mean(np.median(a) > n)),
        ("this is the share of normal scores below the highest anomaly; compare each pair.",
         lambda n, a: np.mean(a.max() > n)),
        ("equal scores within one list are counted once (np.unique or set); each image counts.",
         lambda n, a: _auroc(np.unique(n), np.unique(a))),
        ("ties count ¼; they should count ½.", lambda n, a: _auroc(n, a, 0.25)),
        ("an AUROC below ½ must stay below ½: you cut it off there.", lambda n, a: max(_auroc(n, a), 0.5)),
        ("you divide by the number of all images; divide by the number of pairs.",
         lambda n, a: _auroc(n, a) * len(n) * len(a) / (len(n) + len(a))),
        ("you count the pairs that differ, whoever is higher; count those with the anomaly higher.",
         lambda n, a: np.mean(a[:, None] != n) / 2),
        ("you compare the anomalies and the normal images one by one, as they stand in the lists; compare each anomaly "
         "with *every* normal image.", lambda n, a: np.mean([one > other for one, other in zip(a, n)])),
        ("this is the difference of the means; count pairs.", lambda n, a: a.mean() - n.mean()),
        ("this is the mean difference of all pairs; only count who is higher.",
         flat(lambda a, n: np.mean(np.abs(a - n)))),
    ]  # fmt: skip
    report.compare(cases, _auroc, mistakes, "one number.")
    return "every pair counts once, ties count ½, and a score worse than a coin stays below ½."


def _pixel_nll(x, logits):
    return np.logaddexp(0, logits) - x * logits


def _sum(values):
    return values.reshape(len(values), -1).sum(1)


@exercise
def seen_nll(report):
    """Exercise 8.4. function(x, logits, seen): images, logits and masks, (batch, height, width, 1) each.

    Returns the Bernoulli −log p of the pixels where the image's own mask is 1, (batch,), in nats.
    """
    rng = np.random.default_rng(0)
    x = (rng.random((4, 3, 2, 1)) < 0.5).astype("float32")
    logits = (1.5 * rng.normal(size=x.shape)).astype("float32")
    masks = ["111000", "101011", "010000", "011110"]  # one for each image, with 3, 4, 1 and 4 seen pixels
    seen = np.array([list(mask) for mask in masks], "float32").reshape(x.shape)
    cases = [(x, logits, seen), (x[:3], logits[1:], seen[1:])]
    mistakes = [
        ("you do not use `seen`: these are the nats of all pixels.", lambda x, a, s: _sum(_pixel_nll(x, a))),
        ("these are the nats of the pixels that are *not* seen: `seen` is 1 where a pixel counts.",
         lambda x, a, s: _sum((1 - s) * _pixel_nll(x, a))),
        ("a hidden pixel still costs log 2, because you make its logit 0: multiply the *nats* by `seen`.",
         lambda x, a, s: _sum(_pixel_nll(x * s, a * s))),
        ("a hidden pixel still costs log 2, because you make its logit 0: multiply the *nats* by `seen`.",
         lambda x, a, s: _sum(_pixel_nll(x, a * s))),
        ("a hidden pixel still costs nats, as if it were black: multiply the *nats* by `seen`, not the image.",
         lambda x, a, s: _sum(_pixel_nll(x * s, a))),
        ("the sign is wrong: this is log p, return −log p.", lambda x, a, s: -_sum(s * _pixel_nll(x, a))),
        ("this is the mean over all pixels; sum over the seen ones.",
         lambda x, a, s: _sum(s * _pixel_nll(x, a)) / s[0].size),
        ("this is divided by the number of pixels of the whole batch; sum over the seen ones.",
         lambda x, a, s: _sum(s * _pixel_nll(x, a)) / s.size),
        ("this is the mean over the seen pixels; sum over them.",
         lambda x, a, s: _sum(s * _pixel_nll(x, a)) / _sum(s)),
        ("this is divided by the seen pixels of the whole batch; sum over those of each image, and do not divide.",
         lambda x, a, s: _sum(s * _pixel_nll(x, a)) / s.sum()),
        ("the mask of the first image is used for all; each image has its own.",
         lambda x, a, s: _sum(s[:1] * _pixel_nll(x, a))),
        ("this is the mean over the images; give one number for each.",
         lambda x, a, s: _sum(s * _pixel_nll(x, a)).mean()),
        ("this is the sum over all images; give one number for each.", lambda x, a, s: (s * _pixel_nll(x, a)).sum()),
        ("these are the nats of each pixel; sum them, for each image.", lambda x, a, s: s * _pixel_nll(x, a)),
        ("you sum over the images, axis 0; sum over the other three axes.",
         lambda x, a, s: (s * _pixel_nll(x, a)).sum(0)),
        ("this counts the white pixels only; a black one costs −log(1 − p).",
         lambda x, a, s: _sum(s * x * np.logaddexp(0, -a))),
        ("black and white are swapped: a white pixel costs log(1 + exp(−logit)).",
         lambda x, a, s: _sum(s * _pixel_nll(1 - x, a))),
        ("this is the absolute difference; the question is for −log p of coins.",
         lambda x, a, s: _sum(s * np.abs(x - 1 / (1 + np.exp(-a))))),
        ("a hidden pixel still costs something: −x · logit must be multiplied by `seen`, too.",
         lambda x, a, s: _sum(s * np.logaddexp(0, a) - x * a)),
        ("the logit is missing in −x · logit.", lambda x, a, s: _sum(s * (np.logaddexp(0, a) - x))),
        ("this is multiplied by the share of the seen pixels; only sum over them.",
         lambda x, a, s: _sum(s * _pixel_nll(x, a)) * s.mean((1, 2, 3))),
        ("this is multiplied by the share of the seen pixels of the batch; only sum over them.",
         lambda x, a, s: _sum(s * _pixel_nll(x, a)) * s.mean()),
        ("this is the squared error; the question is for −log p of coins.",
         lambda x, a, s: _sum(s * (x - 1 / (1 + np.exp(-a))) ** 2)),
        ("you sum over the height and the width, and leave the channel: sum over axes 1, 2 and 3.",
         lambda x, a, s: (s * _pixel_nll(x, a)).sum((1, 2))),
    ]  # fmt: skip
    cases.append((x[:2], np.array([0.5, -0.5], "float32").reshape(2, 1, 1, 1) * logits[:2], seen[2:]))
    if np.isnan(report.array(*cases[0])).any():
        report.wrong("the result is not a number (NaN): log of a negative number? `logits` are not probabilities; "
                     "they may be any number.")  # fmt: skip
    report.compare(cases, lambda x, a, s: _sum(s * _pixel_nll(x, a)), mistakes, "one number for each image.",
                   each=lambda x, a, s: s * _pixel_nll(x, a))  # fmt: skip
    sure = np.where(x == 1, -200.0, 200.0).astype("float32")  # sure, and wrong, at each pixel
    found = report.array(x, sure, seen)
    if found.shape == (4,) and np.isfinite(found).all() and not np.allclose(found, 200 * _sum(seen), rtol=1e-3):
        report.wrong(f"the formula holds, but three surprises of 200 nats each come out as {found[0]:.1f}: you cut the "
                     "probability off before the logarithm. Find a form without a cut, as in lesson 02."
                     )  # fmt: skip
    if found.shape != (4,) or not np.isfinite(found).all():
        report.wrong("the formula holds, but a logit of 200 overflows: sigmoid(200) is exactly 1, and log(1 − 1) "
                     "is not finite.\nCompute from the logits, as in lesson 02: `ops.softplus(a)` is log(1 + exp(a))."
                     )  # fmt: skip
    return "only seen pixels count, one sum for each image, and no overflow."


_SHAPE = (2, 3, 1)
_SEEN = np.array([1, 1, 0, 1, 0, 0], "float32").reshape(_SHAPE)


def _linear_vae():
    """A VAE with 3 latents and no hidden layer; new for each check, because a function may change what it is given."""
    image, z = keras.Input(_SHAPE, name="image"), keras.Input((3,), name="z")
    flat = layers.Flatten(name="flat")(image)
    heads = [layers.Dense(3, name=name)(flat) for name in ("mean", "log_var")]
    encoder = keras.Model(image, heads, name="encoder")
    pixels = layers.Reshape(_SHAPE, name="pixels")(layers.Dense(6, name="logits")(z))
    return VAE(encoder, keras.Model(z, pixels, name="decoder"), name="linear")


def _small_vae(to_mean, log_var, to_logits, bias):
    """It, with given parameters: mean = x @ to_mean, logits = z @ to_logits + bias."""
    vae = _linear_vae()
    vae.encoder.set_weights([to_mean, np.zeros(3), np.zeros((6, 3)), np.full(3, log_var)])
    vae.decoder.set_weights([to_logits, np.broadcast_to(bias, 6)])
    return vae


@exercise
def chain_step(report):
    """Exercise 8.3. function(vae, image, seen, rng): images (batch, height, width, 1), a mask (height, width, 1).

    One step of filling in: the seen pixels as they are, the others tossed from the decoded draw of z.
    """
    rng = np.random.default_rng(3)
    image = (rng.random((12, *_SHAPE)) < 0.5).astype("float32")
    to_mean, to_logits = rng.normal(size=(6, 3)), rng.normal(size=(3, 6))
    bias = 3e4 * rng.normal(size=6)
    sure = _small_vae(to_mean, -20.0, 1e5 * to_logits, bias)  # so narrow and so sure that nothing is left to chance

    def decided(x):
        logits = x.reshape(len(x), 6) @ to_mean @ to_logits * 1e5 + bias
        return (logits > 0).astype(float).reshape(-1, *_SHAPE)

    def keep(x, new, s=_SEEN):
        return s * x + (1 - s) * new

    dark, swapped = image * _SEEN, 1 - _SEEN
    answers = [
        ("the seen pixels are not kept: you return the whole decoded image.", decided(image)),
        ("seen and hidden are swapped: keep the pixels where `seen` is 1, and put the new ones where it is 0.",
         keep(image, decided(image), swapped)),
        ("this is the image itself; no pixel is new.", image),
        ("you encode the image with its hidden pixels black. Encode the *completed* image as you get it: its hidden "
         "pixels hold the answer of the step before.", keep(image, decided(dark))),
        ("you encode the image with its hidden pixels black, and the seen pixels are not kept.", decided(dark)),
        ("you encode the image with its hidden pixels at ½. Encode the *completed* image as you get it.",
         keep(image, decided(dark + 0.5 * swapped))),
        ("you encode the hidden pixels only: encode the whole completed image.",
         keep(image, decided(image * swapped))),
        ("the hidden pixels are black in your result: put the new ones there.", dark),
        ("the new pixels are there, but the seen ones are missing: add them.", swapped * decided(image)),
        ("black and white are swapped: a pixel is 1 with probability p, that is where a random number is *below* p.",
         keep(image, 1 - decided(image))),
        ("you add the new image to the old one; take the seen pixels from the one, the hidden from the other.",
         image + decided(image)),
        ("you add the new pixels to the old hidden ones; replace them.", image + swapped * decided(image)),
    ]  # fmt: skip
    found = report.array(sure, image, _SEEN, np.random.default_rng(0))
    if found.shape != image.shape:
        report.wrong(f"the result has shape {found.shape}; it should be that of `image`, {image.shape}.")
    if not np.isfinite(found).all():
        report.wrong("the result has values that are not finite (NaN or infinity).")
    right = keep(image, decided(image))
    if not np.allclose(found, right, atol=1e-3):
        for text, answer in answers:
            if np.allclose(found, answer, atol=1e-3):
                report.wrong(text)
        if np.abs(found).max() > 1.01:
            report.wrong("some new pixels lie outside of 0 and 1: `vae.decoder` gives logits, `vae.decode` gives "
                         "probabilities.")  # fmt: skip
        if not np.allclose(_SEEN * found, dark, atol=1e-3):
            report.wrong("the seen pixels have changed; they must stay as they are.")
        if not np.allclose(found, report.array(sure, image, _SEEN, np.random.default_rng(1)), atol=1e-3):
            report.wrong("the new pixels change from call to call, although nothing is left to chance here: the clouds "
                         "have σ = 0.00005, and every p is 0 or 1.\n" + _coins_or_noise(report, bias))  # fmt: skip
        report.wrong("the seen pixels stay, as they should, but the new ones are not those that the decoder asks for. "
                     "Encode `image`, draw z, decode it.")  # fmt: skip
    _check_tosses(report)
    _check_draws(report)
    return "the completed image is encoded, z is a fresh draw, seen pixels stay, and the others are tossed."


def _coins_or_noise(report, bias):
    """Which of the two is wrong: a decoder that ignores z shows the coins alone."""
    vae = _small_vae(np.zeros((6, 3)), 0.0, np.zeros((3, 6)), bias)
    right = np.broadcast_to((bias > 0).reshape(_SHAPE)[_SEEN == 0], (500, 3))
    if np.array_equal(_hidden(report, vae), right):
        return ("The coins are right, so it is z: is it drawn from the cloud of `image`, not from the prior, and is "
            "the noise stretched by σ?")  # fmt: skip
    return ("Even where the decoder ignores z they do, so it is the coins: a pixel is 1 where a random number from "
        "0 to 1 is below p. A fair coin, or a normal random number, does not do.")  # fmt: skip


def _hidden(report, vae, seed=1):
    """What the student's function puts into the hidden pixels of 500 black images, (500, 3)."""
    found = report.array(vae, np.zeros((500, *_SHAPE), "float32"), _SEEN, np.random.default_rng(seed))
    return found[:, _SEEN == 0]


def _check_tosses(report):
    """A decoder that gives the probability 0.2 for each pixel, whatever z is."""
    kept = "the right image is encoded and the seen pixels stay.\n"
    vae = _small_vae(np.zeros((6, 3)), 0.0, np.zeros((3, 6)), np.log(0.25))
    new = _hidden(report, vae)
    if np.allclose(new, 0.2, atol=1e-3):
        report.wrong(kept + "But you put in the probabilities. Toss a coin for each pixel: 1 where a random number is "
                     "below p.")  # fmt: skip
    if not np.isin(new, (0, 1)).all():
        report.wrong(kept + f"But some new pixels are neither 0 nor 1: {new.ravel()[0]:.3g}. Toss a coin for each.")
    if (new == 0).all() or (new == 1).all():
        report.wrong(kept + f"But for p = 0.2 all {new.size} new pixels are {int(new.flat[0])}. Toss a coin for each: "
                     "do not round, and compare with the probability, not with the logit.")  # fmt: skip
    if (np.ptp(new, axis=0) == 0).all():
        report.wrong(kept + "But all images get the same coins: toss one for each pixel of each image.")
    if (np.ptp(new, axis=1) == 0).all():
        report.wrong(kept + "But all pixels of an image get the same coin: toss one for each.")
    if abs(new.mean() - 0.2) > 0.05:
        told = " Are p and 1 − p swapped?" if abs(new.mean() - 0.8) < 0.05 else ""
        told = " Are the coins fair? They should have the probability p." if abs(new.mean() - 0.5) < 0.05 else told
        report.wrong(kept + f"But for p = 0.2 the share of ones is {new.mean():.2f}.{told}")
    pixels = (new - new.mean(0)) / (new.std(0) + 1e-9)
    shared = np.abs(pixels.T @ pixels / len(pixels) - np.eye(pixels.shape[1])).max()
    near = max(abs((pixels[step:] * pixels[:-step]).mean()) for step in (1, 2, 3))
    if shared > 0.3 or near > 0.2:
        report.wrong(kept + "But some pixels share one coin: toss one for each pixel of each image.")
    calls = [_hidden(report, vae, seed) for seed in (1, 1, 2)]
    if np.array_equal(calls[0], calls[2]):
        report.wrong(kept + "But the coins are the same at every call: toss them with the `rng` that you are given, "
                     "and do not make a new one.")  # fmt: skip
    if not np.array_equal(calls[0], calls[1]):
        report.wrong(kept + "But you do not toss with `rng`: from the same start it must give the same coins."
                     )  # fmt: skip


def _check_draws(report):
    """Clouds with mean 0 and σ = 2; a hidden pixel is 1 where its own latent is above 1."""
    ways = {
        0.309: "as it should be",
        0.0: "you decode the mean; draw z from the cloud of each image.",
        0.401: "σ is 4 in your draws and should be 2: exp(log_var) is the variance.",
        0.159: "σ is 1 in your draws and should be 2: stretch the noise (or is this a draw from the prior?).",
    }
    to_logits = np.zeros((3, 6))
    to_logits[[0, 1, 2], np.flatnonzero(_SEEN == 0)] = 1e4
    vae = _small_vae(np.zeros((6, 3)), np.log(4), to_logits, -1e4)
    new, again = _hidden(report, vae), _hidden(report, vae)
    text = "the pixels are right, but z is not a draw from the cloud: "
    share = next((share for share in ways if abs(share - new.mean()) < 0.045), None)
    if share != 0.309:
        report.wrong(text + ways.get(share, f"a latent that should be above 1 in 31 % is so in {new.mean():.0%}."))
    if (np.ptp(new, axis=0) == 0).all():
        report.wrong(text + "all images get the same noise; each needs its own.")
    if (np.ptp(new, axis=1) == 0).all():
        report.wrong(text + "all latents of an image get the same noise; each needs its own.")
    if np.array_equal(new, again) and not _uses_rng(report, vae):
        report.wrong(text + "two calls give the same noise. Use `vae.reparameterize`, or the `rng`.")


def _uses_rng(report, vae):
    """Whether another rng gives other noise; with the same one, equal results are as they should be."""
    image = np.zeros((500, *_SHAPE), "float32")
    one, other = (report.array(vae, image, _SEEN, np.random.default_rng(seed)) for seed in (1, 2))
    return not np.array_equal(one, other)
