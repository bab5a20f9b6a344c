"""The checks of lesson 02: the sampling step, the likelihood of coins, one training step."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_helpers import losses
from vae_helpers.exercises.report import cut_by, exercise, numbers, pair, tensors
from vae_helpers.models import VAE
from vae_helpers.networks import mlp_decoder, mlp_encoder


@exercise
def reparameterize(report):
    """Exercise 2.1. function(mean, log_var, seed): (batch, latent) each → one draw per row from N(mean, exp(log_var)).

    seed: an integer, or a keras.random.SeedGenerator, which gives other noise at each call.
    """
    mean, log_var = tensors(np.tile([1.0, -2.0, 0.0], (6, 1)), np.tile(np.log([4.0, 0.25, 1.0]), (6, 1)))
    _same_number_of_rows(report, mean, log_var)
    many, wide = ops.repeat(mean, 250, axis=0), ops.repeat(log_var, 250, axis=0)
    generator = keras.random.SeedGenerator(1)
    draws, again = report.array(many, wide, generator), report.array(many, wide, generator)
    shape = f"shape {tuple(mean.shape)}, as it should be"
    noise = draws - np.asarray(many)
    if not np.isfinite(draws).all():
        root = np.isclose(noise[:, 0].std(), np.sqrt(np.log(4)), rtol=0.08)
        why = "\nlog_var is a logarithm, and may be negative: take its exponential, not its root." if root else ""
        report.wrong("some draws are not finite (NaN or infinity)." + why)
    _check_spread(report, noise, shape)
    if np.allclose(noise[:, 0] / 2, noise[:, 2], atol=1e-4):
        report.wrong(f"{shape}\nall latents of a row get the same noise: each number needs its own.")
    if np.allclose(draws, again):
        report.wrong(f"{shape}\ntwo calls with one SeedGenerator give the same noise. Pass `seed` on as you got "
                     "it: a fixed integer gives the same noise at every call.")  # fmt: skip
    if not np.allclose(report.array(mean, log_var, 3), report.array(mean, log_var, 3)):
        report.wrong(f"{shape}\nyou do not use `seed`: with the same integer the draws must be the same.")
    if abs(_kurtosis(noise[:, 2]) - 3) > 0.5:
        report.wrong(f"{shape}\nmean and spread are right, but the noise is not from a normal distribution.")
    _check_gradients(report, mean, log_var, shape)
    _check_extremes(report, shape)
    return "shape, mean, spread, fresh noise for every row and every call, gradients to mean and log_var."


def _same_number_of_rows(report, mean, log_var):
    one = report.array(mean[:1], log_var[:1], 0)
    if one.ndim == 2 and len(one) > 1:
        report.wrong(f"for one row of `mean` you return {len(one)} rows: your noise has a fixed batch size.\n"
                     "The last batch of an epoch may be smaller; take the shape from `mean`.")  # fmt: skip
    six = report.array(mean, log_var, 0)
    if six.shape != tuple(mean.shape):
        report.wrong(f"the result has shape {six.shape}; it should be that of `mean`, {tuple(mean.shape)}.")


# Standard deviations that come out for the log-variances log 4, log 0.25 and 0, and what was done there.
_SPREADS = [
    ([4, 0.25, 1], "exp(log_var) is the variance. The standard deviation is its square root."),
    ([16, 0.0625, 1], "this is the variance squared. The standard deviation is the square root of the variance."),
    (np.sqrt(np.abs(np.log([4, 0.25, 1]))), "you take the root of log_var; log_var is a logarithm."),
    (np.log1p([4, 0.25, 1]), "this is softplus(log_var); log_var is the logarithm of the variance."),
    (np.exp(np.abs(np.log([2, 0.5, 1]))), "log_var may be negative; do not take its absolute value."),
    (np.abs(np.log([4, 0.25, 1])), "you multiply the noise by log_var itself, the logarithm of the variance."),
    (np.abs(np.log([2, 0.5, 1])), "you multiply the noise by half of log_var: take its exponential."),
    (np.sqrt([2, 0.5, 1]), "a root too many: exp(log_var / 2) is the standard deviation already."),
    ([1, 2, 0], "you multiply the noise by `mean`; it should be multiplied by the standard deviation."),
    ([1, 1, 1], "you add the noise as it is: it must be stretched by the standard deviation."),
    ([0.5, 2, 1], "the sign in the exponent is wrong: a larger log_var means a wider cloud."),
    ([0, 0, 0], "there is no noise: you return `mean` itself."),
]


# Where the samples lie, when `mean` was subtracted, and what was done there.
_SHIFTS = [
    ([-1, 2, 0], "`mean` is missing: add it to the noise."),
    ([1, -2, 0], "`mean` is there twice."),
    ([-2, 4, 0], "you subtract `mean`; add it."),
    ([1, 1, 0], "you stretch the mean as well: the standard deviation multiplies the noise only."),
    ([3, 1.5, 0], "you stretch the mean as well: the standard deviation multiplies the noise only."),
    (np.log([4, 0.25, 1]) - [1, -2, 0], "`mean` and `log_var` are swapped."),
    ([2, 0.5, 1], "the noise has the mean 1 in place of 0."),
    (np.mean([1, -2, 0]) - [1, -2, 0], "every draw gets the mean of all numbers; each has its own."),
    (np.array([2, 0.5, 1]) / 2, "the noise has the mean ½: use a normal distribution, not a uniform one."),
]


def _kurtosis(values):
    """3 for a normal distribution, 1.8 for a uniform one."""
    return np.mean(((values - values.mean()) / (values.std() + 1e-12)) ** 4)


def _check_spread(report, noise, shape):
    """noise: (1500, 3), drawn for the log-variances log 4, log 0.25 and 0, after the mean was subtracted."""
    found, right, shift = noise.std(0), np.array([2, 0.5, 1]), noise.mean(0)
    if np.allclose(noise[:, 2], 1, atol=1e-3) and np.ptp(noise[:, 0]) > 0 and (noise > 0).all():
        report.wrong(
            f"{shape}\nthe noise stands inside of the exponential; it should be multiplied by the result of it."
        )
    if np.ptp(noise, axis=0).max() < 1e-5 and np.abs(noise).max() > 1e-5:
        report.wrong(f"{shape}\nevery row gets the same noise, or none: each image needs its own.")
    if (noise >= 0).all() and np.ptp(noise) > 0:
        report.wrong(
            f"{shape}\nthe noise is never negative; use a normal distribution, whose numbers have "
            "both signs (not a uniform one, and no absolute value)."
        )
    if np.abs(shift).max() > 0.3:
        why = next((text for values, text in _SHIFTS if np.allclose(shift, values, atol=0.15)), "")
        if not why and np.ptp(shift) < 0.2:
            why = f"{abs(shift.mean()):.1f} is {'added to' if shift.mean() > 0 else 'subtracted from'} every draw."
        report.wrong(f"{shape}\nthe mean of your samples is off by {pair(shift)}; it should be `mean`."
                     + (f"\n{why}" if why else ""))  # fmt: skip
    if np.allclose(found, right, rtol=0.08):
        return
    text = next((text for values, text in _SPREADS if np.allclose(found, values, rtol=0.08, atol=0.02)), "")
    if not text and np.isclose(_kurtosis(noise[:, 0]), 1.8, atol=0.2):
        text = "the noise is uniform; it should be normal, with standard deviation 1."
    ratio = found / right
    if not text and np.ptp(ratio) < 0.12 * ratio.mean():
        text = f"for each log_var it is {ratio.mean():.2f} times what it should be: is the noise N(0, 1)?"
    first = int(np.argmin(np.isclose(found, right, rtol=0.08)))
    name = ["log 4", "log 0.25", "0"][first]
    report.wrong(f"{shape}\nthe spread is wrong: for log_var = {name} your samples have standard deviation "
                 f"{found[first]:.2f}, it should be {right[first]:.2f}." + (f"\n{text}" if text else ""))  # fmt: skip


def _check_gradients(report, mean, log_var, shape):
    with tf.GradientTape() as tape:
        tape.watch([mean, log_var])
        draws = report.call(mean, log_var, 0)
        total = ops.sum(ops.convert_to_tensor(draws))
    found = tape.gradient(total, [mean, log_var])
    cut = [f"`{name}`" for name, gradient in zip(("mean", "log_var"), found) if gradient is None]
    if cut:
        report.wrong(f"{shape}\nthe values are right, but no gradient reaches {' and '.join(cut)}: {cut_by(draws)}")
    noise = report.as_array(draws) - np.asarray(mean)
    if not np.allclose(found[0], 1, atol=1e-3) or not np.allclose(found[1], 0.5 * noise, atol=2e-3):
        report.wrong(f"{shape}\nthe values are right, but the gradient is not: is something cut off or rounded?")


def _check_extremes(report, shape):
    """Clouds of σ = 0.05 and of σ = 20: a log_var that is cut off shows there."""
    log_var = 2 * np.log([0.05, 20.0, 1.0])
    found = report.array(*tensors(np.zeros((400, 3)), np.tile(log_var, (400, 1))), 1).std(0)
    for one, right, value in zip(found, (0.05, 20.0, 1.0), log_var):
        if not np.isclose(one, right, rtol=0.15):
            report.wrong(f"{shape}\nfor moderate clouds the spread is right, but for log_var = {value:.2f} your "
                         f"samples have standard deviation {one:.3g}, not {right:g}. Is log_var cut off?")  # fmt: skip


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _nll_of(x, p):
    return -(x * np.log(p) + (1 - x) * np.log(1 - p))


@exercise
def bernoulli_nll(report):
    """Exercise 2.2. function(x, logits): (batch, height, width, 1) each → −log p(x) in nats of each image, (batch,)."""
    x, logits = (numbers(5, 3, 4, 1, seed=0) > 0).astype("float32"), 2 * numbers(5, 3, 4, 1, seed=1)
    logits[0] = 0.1 + 0.8 / (1 + np.exp(logits[0]))  # could be probabilities: no NaN in logarithms, so they can be told
    moderate = tensors(x, logits)
    pixels, each = (1, 2, 3), "one number for each image."

    def right(x, a):
        return (np.logaddexp(0, a) - x * a).sum(pixels)

    mistakes = [
        ("you take the mean over the pixels; the surprises of the pixels add up: take the sum.",
         lambda x, a: right(x, a) / x[0].size),
        ("you sum over the images as well: it should be " + each, lambda x, a: right(x, a).sum()),
        ("you take the mean over the batch already: it should be " + each, lambda x, a: right(x, a).mean()),
        ("you take the mean over pixels and batch: it should be the sum over pixels, " + each,
         lambda x, a: right(x, a).mean() / x[0].size),
        ("the sign is wrong: this is the log-probability; the surprise is minus that.", lambda x, a: -right(x, a)),
        ("the sigmoid is applied twice: logits → probability is one sigmoid.",
         lambda x, a: np.logaddexp(0, np.where(x == 1, -_sigmoid(a), _sigmoid(a))).sum(pixels)),
        ("there is no sigmoid: you use the logits as if they were probabilities.",
         lambda x, a: _nll_of(x, a).sum(pixels)),
        ("there is no sigmoid: you use the logits as if they were probabilities (cut off at 0 and 1).",
         lambda x, a: _nll_of(x, a.astype("float32").clip(1e-7, 1 - 1e-7)).sum(pixels)),
        ("there is no sigmoid: you use the logits as if they were probabilities (cut off at 0 and 1).",
         lambda x, a: _nll_of(x, a.clip(1e-7, 1 - 1e-7)).sum(pixels)),
        ("`x` and `logits` are swapped: the images come first.",
         lambda x, a: (np.logaddexp(0, x) - x * a).sum(pixels)),
        ("the sign of the product x · logits is wrong.", lambda x, a: (np.logaddexp(0, a) + x * a).sum(pixels)),
        ("only the product x · logits is there: black pixels have a surprise too, and no surprise is negative.",
         lambda x, a: (-x * a).sum(pixels)),
        ("only the product x · logits is there: black pixels have a surprise too, and no surprise is negative.",
         lambda x, a: (x * a).sum(pixels)),
        ("these are the surprises of all pixels; add them up for each image.",
         lambda x, a: (np.logaddexp(0, a) - x * a)),
        ("you do not sum over the channel axis, or keep axes of length 1: the result should have one axis, (batch,).",
         lambda x, a: (np.logaddexp(0, a) - x * a).sum((1, 2))),
        ("in the product with x you use the sigmoid; the product is with the logit itself.",
         lambda x, a: (np.logaddexp(0, a) - x * _sigmoid(a)).sum(pixels)),
        ("this is the absolute difference; a likelihood of coins is asked for.",
         lambda x, a: np.abs(x - _sigmoid(a)).sum(pixels)),
        ("this is in powers of 10; nats need the natural logarithm.", lambda x, a: right(x, a) / np.log(10)),
        ("black and white are swapped: x = 1 should be likely where the logit is large.",
         lambda x, a: right(1 - x, a)),
        ("you count the white pixels only; a black pixel has a surprise too.",
         lambda x, a: (right(x, a)[:, None, None, None] * 0 + x * np.logaddexp(0, -a)).sum(pixels)),
        ("you count the black pixels only; a white pixel has a surprise too.",
         lambda x, a: ((1 - x) * np.logaddexp(0, a)).sum(pixels)),
        ("you sum over axis 0, the images; sum over the pixels of each image: axes 1, 2 and 3.",
         lambda x, a: (np.logaddexp(0, a) - x * a).sum(0)),
        ("you sum over one axis of the pixels only; images have three: height, width and channel.",
         lambda x, a: (np.logaddexp(0, a) - x * a).sum(1)),
        ("you reduce the channel axis only; images have three: height, width and channel.",
         lambda x, a: (np.logaddexp(0, a) - x * a).sum(-1)),
        ("this is the squared error; a likelihood of coins is asked for.",
         lambda x, a: ((x - _sigmoid(a)) ** 2).sum(pixels)),
        ("this is the probability of the image without a logarithm, or not its logarithm.",
         lambda x, a: np.exp(-right(x, a))),
        ("this is in bits; nats need the natural logarithm.", lambda x, a: right(x, a) / np.log(2)),
    ]  # fmt: skip
    parts = [
        ("log(1 + exp(logit))", lambda x, a: np.logaddexp(0, a).sum(pixels)),
        ("−x · logit", lambda x, a: -(x * a).sum(pixels)),
    ]
    other = tensors((numbers(7, 2, 4, 1, seed=3) > 0).astype("float32"), 2 * numbers(7, 2, 4, 1, seed=4))
    report.compare([moderate, other], right, mistakes, each, parts,
                   each=lambda x, a: (np.logaddexp(0, a) - x * a))  # fmt: skip
    _check_large_logits(report, right)
    report.gradients(moderate, right, [1])
    far = np.array([100.0, -100.0, 100.0, -100.0, 300.0, -300.0]).reshape(6, 1, 1, 1)
    white = np.array([0.0, 1.0, 1.0, 0.0, 0.0, 1.0]).reshape(6, 1, 1, 1)
    report.gradients(tensors(white, far), right, [1])
    return "values, one number for each image, finite for logits of ±200, gradient to the logits."


def _check_large_logits(report, right):
    x = np.array([1.0, 0.0, 1.0, 0.0, 1.0]).reshape(5, 1, 1, 1)
    logits = np.array([200.0, -200.0, -200.0, 200.0, -1000.0]).reshape(5, 1, 1, 1)
    found, expected = report.array(*tensors(x, logits)), right(x, logits)
    ok = "the values for moderate logits are right, but "
    if not np.isfinite(found).all():
        report.wrong(ok + "for logits of ±200 the result is not finite. In float32 the sigmoid is then exactly 0 or "
                     "1, and its logarithm is that of 0; and exp(200) is too large a number.\n"
                     "Find a form that needs neither; the text of the exercise names a function for it.")  # fmt: skip
    if not np.allclose(found, expected, rtol=1e-3, atol=1e-4):
        report.wrong(ok + f"a surprise of 200 nats comes out as {found[2:4].min():.1f}, one of 1000 as {found[4]:.1f}: "
                     "you cut the probability off before the logarithm. Then the loss is wrong, and has no slope.\n"
                     "Find a form without a cut.")  # fmt: skip


def _small_vae():
    shape = (4, 4, 1)
    vae = VAE(mlp_encoder(shape, 2, hidden=(8,)), mlp_decoder(shape, 2, hidden=(8,)))
    rng = np.random.default_rng(0)
    vae.set_weights([rng.normal(size=w.shape) * 0.4 if w.dtype.kind == "f" else w for w in vae.get_weights()])
    return vae


@exercise
def train_step(report):
    """Exercise 2.3. function(vae, optimizer, x, beta): takes one training step and returns its loss.

    The loss is reconstruction + beta · KL, the mean over the batch; vae.reparameterize gives the noise.
    """
    x = (numbers(12, 4, 4, 1) > 0).astype("float32")
    vae, rate = _small_vae(), 0.013
    start = vae.get_weights()
    variables = vae.trainable_variables

    def restart():
        vae.set_weights(start)
        vae.reseed(5)

    def parts(drawn=True, change=lambda z: z, reconstruction=losses.bernoulli_nll):
        mean, log_var = vae.encoder(x)
        z = change(vae.reparameterize(mean, log_var) if drawn else mean)
        return reconstruction(x, vae.decoder(z)), losses.gaussian_kl(mean, log_var)

    def gradient(loss, **options):
        restart()
        with tf.GradientTape() as tape:
            value = loss(*parts(**options))
        found = tape.gradient(value, variables)
        return float(value), [np.zeros(v.shape) if g is None else np.asarray(g) for g, v in zip(found, variables)]

    for beta in (3.0, 1.0):  # with beta = 1 some mistakes look like others
        restart()
        before = [np.array(v) for v in variables]
        value = report.run(vae, keras.optimizers.SGD(rate), x, beta)
        moved = [(b - np.array(v)) / rate for b, v in zip(before, variables)]
        if value is None and any(np.any(m) for m in moved):
            report.wrong("the parameters have changed, but nothing is returned: return the loss.")
        value = report.as_array(value)
        if value.shape == (len(x),):
            report.wrong("the loss has one number for each image; take their mean: training needs one number.")
        loss, wanted = gradient(lambda r, k, beta=beta: ops.mean(r + beta * k))
        if _check_moved(report, moved, wanted, vae, gradient, beta, len(x)):
            continue  # the loss hangs on the student's own noise
        _check_loss_value(report, value, loss, len(x))
    return "the loss, and every parameter moved as in vh.VAE, for beta = 1 and beta = 3."


def _close(some, others, factor=1.0):
    return all(np.allclose(a, factor * b, rtol=2e-2, atol=2e-3 * max(abs(factor), 1e-3)) for a, b in zip(some, others))


def _check_moved(report, moved, wanted, vae, gradient, beta, batch):
    """moved: what the student's step changed, divided by the step size. wanted: the gradient.

    Returns True if the step is right with noise of the student's own in place of that of vae.reparameterize.
    """
    if _close(moved, wanted):
        return False
    encoder = len(vae.encoder.trainable_variables)
    still = [np.allclose(m, 0) for m in moved]
    if all(still):
        report.wrong("no parameter has changed: compute the gradients of the `vae` that you are given, then let the "
                     "optimizer apply them.")  # fmt: skip
    if all(still[encoder:]) and not any(still[:encoder]):
        report.wrong("only the encoder has changed: the decoder must learn as well. Is the reconstruction in the loss, "
                     "and computed inside the GradientTape?\n"
                     "(vae.decode gives finished pixels, without a gradient; training needs vae.decoder.)")  # fmt: skip
    if all(still[:encoder]) and not all(still[encoder:]):
        report.wrong("only the decoder has changed: the encoder must learn as well.\n"
                     "Is every step from the encoder to the loss inside the GradientTape?")  # fmt: skip
    if _close(moved, [-g for g in wanted]):
        report.wrong("the step goes uphill: the sign of the loss or of the gradient is wrong.")
    pixels, latents = 16, vae.latent_dim
    known = [  # text, and the factors of the two terms, each of them averaged over the batch
        ("beta is not used: the loss is reconstruction + beta · KL.", 1, 1),
        ("the KL is missing in the loss, or computed outside of the GradientTape.", 1, 0),
        ("beta multiplies the reconstruction; it should multiply the KL.", beta, 1),
        ("beta multiplies both terms; it should multiply the KL only.", beta, beta),
        ("you divide by beta; it should multiply the KL.", 1, 1 / beta),
        (
            "the step is that of the sum over the batch; take the mean over the batch, once, before the gradient: of "
            "several numbers, tape.gradient takes the sum.",
            batch,
            batch * beta,
        ),
        ("you sum the KL over the batch; take the mean over the batch of both terms.", 1, batch * beta),
        ("you sum the reconstruction over the batch; take the mean over the batch of both terms.", batch, beta),
        ("you take the mean over the pixels: the reconstruction is the sum over them.", 1 / pixels, beta),
        ("you take the mean over the latents: the KL is the sum over them.", 1, beta / latents),
        ("you take means over pixels and latents: both terms are sums.", 1 / pixels, beta / latents),
        ("the KL is subtracted; it should be added.", 1, -beta),
        ("the reconstruction is subtracted; it should be added.", -1, beta),
    ]
    of_reconstruction, of_kl = (gradient(loss)[1] for loss in (lambda r, k: ops.mean(r), lambda r, k: ops.mean(k)))
    for text, first, second in known:
        if _close(moved, [first * r + second * k for r, k in zip(of_reconstruction, of_kl)]):
            report.wrong(text)
    _check_other_paths(report, moved, gradient, beta)
    if _own_noise(report, vae, beta):
        return True
    factor = sum(np.sum(m * g) for m, g in zip(moved, wanted)) / sum(np.sum(g * g) for g in wanted)
    if _close(moved, wanted, factor):
        report.wrong(f"every parameter moves {factor:.3g} times as far as it should. "
                     "Look for a sum or a mean too many, or a second step.")  # fmt: skip
    r, k = (np.concatenate([g.ravel() for g in part]) for part in (of_reconstruction, of_kl))
    step = np.concatenate([m.ravel() for m in moved])
    factors = np.linalg.lstsq(np.stack([r, k], axis=1), step, rcond=None)[0]
    if np.allclose(step, np.stack([r, k], axis=1) @ factors, rtol=2e-2, atol=2e-3 * np.abs(step).max()):
        report.wrong(f"your step belongs to {factors[0]:.3g} · reconstruction + {factors[1]:.3g} · KL; for beta "
                     f"= {beta:g} it should be 1 · reconstruction + {beta:g} · KL.")  # fmt: skip
    for part, other, some in (("decoder", "encoder", slice(encoder, None)), ("encoder", "decoder", slice(encoder))):
        if _close(moved[some], wanted[some]):
            report.wrong(f"the {part} moves as it should, but the {other} does not: which terms of the loss reach it?")
    report.wrong("the parameters do not move as they should. Four things to look at: the noise comes from "
                 "vae.reparameterize, once; the decoder gets the draw, not the mean; the loss is the mean of "
                 "reconstruction + beta · KL, not divided by anything; the step is made by the `optimizer` that you "
                 "are given.")  # fmt: skip


def _own_noise(report, vae, beta):
    """Whether the step is right where the clouds are points, and the loss has the right mean where they are wide."""
    x = (numbers(12, 4, 4, 1) > 0).astype("float32")
    kernel, bias = vae.encoder.layers[-1].trainable_variables  # of log_var
    start = vae.get_weights()

    def loss():
        out = vae(x)
        return ops.mean(losses.bernoulli_nll(x, out["logits"]) + beta * losses.gaussian_kl(out["mean"], out["log_var"]))

    try:
        kernel.assign(0 * kernel)
        bias.assign(0 * bias - 16)  # vae(x) cuts log_var off further down
        narrow = vae.get_weights()
        with tf.GradientTape() as tape:
            value = loss()
        wanted = [np.asarray(g) for g in tape.gradient(value, vae.trainable_variables)]
        before = [np.array(v) for v in vae.trainable_variables]
        report.run(vae, keras.optimizers.SGD(0.013), x, beta)
        moved = [(b - np.array(v)) / 0.013 for b, v in zip(before, vae.trainable_variables)]
        if not _close(moved, wanted):
            return False
        if beta == 1:  # the noise was looked at with beta = 3
            return True
        vae.set_weights(narrow)
        bias.assign(0 * bias + 1)
        still = keras.optimizers.SGD(0.0)
        mine = [float(np.mean(report.as_array(report.run(vae, still, x, beta)))) for _ in range(30)]
        theirs = [float(loss()) for _ in range(30)]
        error = np.hypot(np.std(mine), np.std(theirs)) / np.sqrt(30)
        return np.ptp(mine) > 0 and abs(np.mean(mine) - np.mean(theirs)) < 4 * error and 0.5 < (
            np.std(mine) / np.std(theirs)) < 2  # fmt: skip
    finally:
        vae.set_weights(start)


def _check_other_paths(report, moved, gradient, beta):
    """Mistakes on the way from the encoder to the two terms."""

    def squared(x, logits):
        return losses.squared_error(x, ops.sigmoid(logits))

    for text, options in [
        ("the decoder gets the mean; it should get a draw: vae.reparameterize.", {"drawn": False}),
        ("the reconstruction does not reach the encoder: the draw is cut off from mean and log_var (stop_gradient, "
         "or a change to numpy).", {"change": ops.stop_gradient}),
        ("the decoder gets 0, or nothing that hangs on z.", {"change": ops.zeros_like}),
        ("the decoder gets 2 · z; it should get the draw as it is.", {"change": lambda z: 2 * z}),
        ("the decoder gets −z; it should get the draw as it is.", {"change": lambda z: -z}),
        ("the reconstruction is the squared error; it should be vh.bernoulli_nll.", {"reconstruction": squared}),
        ("the reconstruction is the squared error, of the logits; it should be vh.bernoulli_nll.",
         {"reconstruction": losses.squared_error}),
        ("the sigmoid is applied twice: vh.bernoulli_nll wants the logits, as the decoder gives them.",
         {"reconstruction": lambda x, logits: losses.bernoulli_nll(x, 1 / (1 + ops.exp(-logits)))}),
    ]:  # fmt: skip
        if _close(moved, gradient(lambda r, k: ops.mean(r + beta * k), **options)[1]):
            report.wrong(text)


def _check_loss_value(report, value, loss, batch):
    if value.shape not in ((), (1,)):
        report.wrong(f"the step is right, but what you return has shape {value.shape}; one number is asked for.")
    if not np.allclose(value, loss, rtol=1e-3):
        text = f"the step is right, but you return {value.item():.2f}; the loss before the step is {loss:.2f}."
        if np.allclose(value, loss * batch, rtol=1e-3):
            text += "\nYou return the sum over the batch; return the mean."
        elif value.size == 1:
            text += f" That is {value.item() / loss:.3g} times as much."
        report.wrong(text)
