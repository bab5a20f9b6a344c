"""The checks of lesson 03: two KLs, the ELBO of one draw, the effective beta."""

import numpy as np

from vae_helpers.exercises.report import exercise, numbers, tensors


def _kl(mean, log_var):
    return 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)


def _log_vars(*shape, seed):
    """Log-variances; those of the first two rows are positive, so that logarithms of them can be told."""
    values = numbers(*shape, seed=seed)
    values[:2] = np.abs(values[:2])
    return values


@exercise
def gaussian_kl(report):
    """Exercise 3.1. function(mean, log_var): (batch, latent) each → KL(cloud ‖ N(0, I)) in nats, (batch,)."""
    cases = [
        tensors(numbers(4, 3, seed=0), _log_vars(4, 3, seed=1)),
        tensors(numbers(6, 2, seed=2), _log_vars(6, 2, seed=3)),
    ]
    each = "one number for each row, the sum over its latents."
    log = np.log
    mistakes = [
        ("the ½ is missing.", lambda m, v: 2 * _kl(m, v).sum(1)),
        ("the ½ is missing, and you take the mean over the latents: take the sum.",
         lambda m, v: 2 * _kl(m, v).mean(1)),
        ("the ½ is missing, and the sign is wrong: a KL is never negative.", lambda m, v: -2 * _kl(m, v).sum(1)),
        ("the sign is wrong, and you take the mean over the latents: take the sum.", lambda m, v: -_kl(m, v).mean(1)),
        ("the ½ is there twice.", lambda m, v: 0.5 * _kl(m, v).sum(1)),
        ("the ½ multiplies only the square of the mean; it belongs to all terms.",
         lambda m, v: (2 * _kl(0, v) + 0.5 * m**2).sum(1)),
        ("the 1 stands outside of the sum: it must be subtracted for each latent.",
         lambda m, v: (_kl(m, v) + 0.5).sum(1) - 1),
        ("the 1 stands outside of the sum: it must be subtracted for each latent.",
         lambda m, v: (_kl(m, v) + 0.5).sum(1) - 0.5),
        ("you take the mean over the latents; the KLs of independent latents add up: take the sum.",
         lambda m, v: _kl(m, v).mean(1)),
        ("you sum over the batch as well: it should be " + each, lambda m, v: _kl(m, v).sum()),
        ("you take the mean over the batch already: it should be " + each, lambda m, v: _kl(m, v).sum(1).mean()),
        ("you take the mean over latents and batch: it should be " + each, lambda m, v: _kl(m, v).mean()),
        ("you sum over axis 0, the images; sum over the latents of each image, the last axis.",
         lambda m, v: _kl(m, v).sum(0)),
        ("there is no sum: it should be " + each, _kl),
        ("the sign is wrong: a KL is never negative.", lambda m, v: -_kl(m, v).sum(1)),
        ("you take log_var for the standard deviation σ. It is log σ²: exp(log_var) is the variance.",
         lambda m, s: 0.5 * (m**2 + s**2 - 1 - log(s**2)).sum(1)),
        ("you take log_var for the standard deviation σ. It is log σ²: exp(log_var) is the variance.",
         lambda m, s: 0.5 * (m**2 + s**2 - 1 - 2 * log(s)).sum(1)),
        ("you take log_var for the standard deviation σ: you square it, but log σ² is right.",
         lambda m, v: 0.5 * (m**2 + v**2 - 1 - v).sum(1)),
        ("you take log_var for the variance σ². It is the logarithm: exp(log_var) is the variance.",
         lambda m, v: 0.5 * (m**2 + v - 1 - log(v)).sum(1)),
        ("in one place you take log_var for the variance σ²: there exp(log_var) belongs.",
         lambda m, v: 0.5 * (m**2 + v - 1 - v).sum(1)),
        ("you take a logarithm too many: log_var already is log σ².",
         lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - log(v)).sum(1)),
        ("you take exp(log_var) for the standard deviation and square it; it already is the variance.",
         lambda m, v: 0.5 * (m**2 + np.exp(v) ** 2 - 1 - v).sum(1)),
        ("you take exp(log_var) for the standard deviation σ; it is the variance σ².",
         lambda m, v: 0.5 * (m**2 + np.exp(2 * v) - 1 - 2 * v).sum(1)),
        ("you use the standard deviation, exp(log_var / 2), where the variance belongs.",
         lambda m, v: 0.5 * (m**2 + np.exp(0.5 * v) - 1 - v).sum(1)),
        ("this is the KL in the other direction, from the prior to the cloud.",
         lambda m, v: 0.5 * (np.exp(-v) * (1 + m**2) - 1 + v).sum(1)),
        ("the 1 is missing: the KL must be 0 for mean = 0 and log_var = 0.",
         lambda m, v: (_kl(m, v) + 0.5).sum(1)),
        ("you add the 1; subtract it: the KL must be 0 for mean = 0 and log_var = 0.",
         lambda m, v: (_kl(m, v) + 1).sum(1)),
        ("the term with the mean is missing.", lambda m, v: _kl(0, v).sum(1)),
        ("the mean must be squared.", lambda m, v: (_kl(0, v) + 0.5 * m).sum(1)),
        ("the mean must be squared.", lambda m, v: (_kl(0, v) + 0.5 * np.abs(m)).sum(1)),
        ("`mean` and `log_var` are swapped.",
         lambda m, v: _kl(v, m).sum(1)),
        ("you subtract the square of the mean; it must be added: a cloud far from 0 costs more.",
         lambda m, v: (_kl(0, v) - 0.5 * m**2).sum(1)),
        ("the sign of log_var is wrong.", lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 + v).sum(1)),
        ("the term with log_var is missing.", lambda m, v: 0.5 * (m**2 + np.exp(v) - 1).sum(1)),
        ("the variance is missing: exp(log_var).", lambda m, v: 0.5 * (m**2 - 1 - v).sum(1)),
    ]  # fmt: skip
    parts = [
        ("½ · mean²", lambda m, v: 0.5 * (m**2).sum(1)),
        ("½ · exp(log_var)", lambda m, v: 0.5 * np.exp(v).sum(1)),
        ("−½ · log_var", lambda m, v: -0.5 * v.sum(1)),
        ("−½, once for each latent", lambda m, v: np.full(len(m), -0.5 * m.shape[1])),
    ]
    report.compare(cases, lambda m, v: _kl(m, v).sum(1), mistakes, each, parts, each=_kl)
    report.gradients(cases[0], lambda m, v: _kl(m, v).sum(1), [0, 1])
    far = tensors([[20.0, -30.0, 0.0]], [[-20.0, 5.0, 8.0]])
    report.so_far = "for ordinary clouds it is right. For very narrow and very wide ones, far from 0:"
    report.compare([far], lambda m, v: _kl(m, v).sum(1), [], each)
    report.gradients(far, lambda m, v: _kl(m, v).sum(1), [0, 1])
    return "zero at the prior, one number for each row, agreement with the formula, gradient."


@exercise
def kl_between(report):
    """Exercise 3.2. function(mean_a, log_var_a, mean_b, log_var_b): (batch, latent) each → KL(a ‖ b), (batch,)."""
    cases = []
    for s in (0, 4):
        shape = (5, 3) if s else (4, 2)
        a, b = [(numbers(*shape, seed=s + i), _log_vars(*shape, seed=s + i + 1)) for i in (0, 2)]
        cases.append(tensors(*a, *b))

    def kl(m, v, n, w, half=0.5, one=1.0, log=1.0):
        return half * (log * (w - v) + (np.exp(v) + (m - n) ** 2) / np.exp(w) - one)

    def right(*case):
        return kl(*case).sum(1)

    each = "one number for each row, the sum over its latents."
    mistakes = [
        ("this is KL(b ‖ a), the other direction: the average is taken over a.", lambda m, v, n, w: right(n, w, m, v)),
        ("the ½ is missing.", lambda *c: kl(*c, half=1).sum(1)),
        ("the 1 is missing: the KL of two equal distributions must be 0.", lambda *c: kl(*c, one=0).sum(1)),
        ("the difference of the logarithms has the wrong sign.", lambda *c: kl(*c, log=-1).sum(1)),
        ("the logarithms are missing.", lambda *c: kl(*c, log=0).sum(1)),
        ("the difference of the logarithms counts double: log σ, not log σ², would need the factor 2.",
         lambda *c: kl(*c, log=2).sum(1)),
        ("the difference of the means must be divided by the variance of b, too.",
         lambda m, v, n, w: 0.5 * (w - v + np.exp(v - w) + (m - n) ** 2 - 1).sum(1)),
        ("the difference of the means is divided by the variance of a; b is the one on the right of ‖.",
         lambda m, v, n, w: 0.5 * (w - v + np.exp(v - w) + (m - n) ** 2 / np.exp(v) - 1).sum(1)),
        ("you divide the variances the wrong way round: it is a's divided by b's.",
         lambda m, v, n, w: 0.5 * (w - v + np.exp(w - v) + (m - n) ** 2 / np.exp(w) - 1).sum(1)),
        ("the term with the means is missing.", lambda m, v, n, w: right(m, v, m, w)),
        ("the difference of the means must be squared.",
         lambda m, v, n, w: 0.5 * (w - v + (np.exp(v) + (m - n)) / np.exp(w) - 1).sum(1)),
        ("the term with log_var_b is missing: log p of a normal distribution contains the logarithm of its variance.",
         lambda m, v, n, w: (kl(m, v, n, w) - 0.5 * w).sum(1)),
        ("the term with log_var_a is missing: log q of a normal distribution contains the logarithm of its variance.",
         lambda m, v, n, w: (kl(m, v, n, w) + 0.5 * v).sum(1)),
        ("the variance of a is missing: the average of (z − mean_b)² over a contains it.",
         lambda m, v, n, w: (kl(m, v, n, w) - 0.5 * np.exp(v - w)).sum(1)),
        ("you divide by log_var_b; the variance of b is exp(log_var_b).",
         lambda m, v, n, w: 0.5 * (w - v + (np.exp(v) + (m - n) ** 2) / w - 1).sum(1)),
        ("you divide by b's standard deviation; its variance belongs there.",
         lambda m, v, n, w: 0.5 * (w - v + (np.exp(v) + (m - n) ** 2) / np.exp(0.5 * w) - 1).sum(1)),
        ("you take exp(log_var) for the standard deviation; it is the variance.",
         lambda m, v, n, w: right(m, 2 * v, n, 2 * w)),
        ("you take log_var for the variance; it is the logarithm: exp(log_var) is the variance.",
         lambda m, v, n, w: right(m, np.log(v), n, np.log(w))),
        ("you take log_var for the standard deviation; it is the logarithm of the variance.",
         lambda m, v, n, w: right(m, np.log(v**2), n, np.log(w**2))),
        ("you take log_var for the standard deviation; it is the logarithm of the variance.",
         lambda m, v, n, w: right(m, 2 * np.log(v), n, 2 * np.log(w))),
        ("the variance of a is not divided by the variance of b.",
         lambda m, v, n, w: 0.5 * (w - v + np.exp(v) + (m - n) ** 2 / np.exp(w) - 1).sum(1)),
        ("nothing is divided by the variance of b.",
         lambda m, v, n, w: 0.5 * (w - v + np.exp(v) + (m - n) ** 2 - 1).sum(1)),
        ("the ½ multiplies only one of the terms; it belongs to all of them.",
         lambda m, v, n, w: (0.5 * (w - v) + np.exp(v - w) + (m - n) ** 2 / np.exp(w) - 1).sum(1)),
        ("the ½ multiplies only one of the terms; it belongs to all of them.",
         lambda m, v, n, w: (w - v + 0.5 * (np.exp(v - w) + (m - n) ** 2 / np.exp(w)) - 1).sum(1)),
        ("the ½ multiplies only one of the terms; it belongs to all of them.",
         lambda m, v, n, w: (0.5 * (w - v + np.exp(v - w) - 1) + (m - n) ** 2 / np.exp(w)).sum(1)),
        ("the 1 stands outside of the sum: it must be subtracted for each latent.",
         lambda *c: kl(*c, one=0).sum(1) - 0.5),
        ("the 1 stands outside of the sum: it must be subtracted for each latent.",
         lambda *c: kl(*c, one=0).sum(1) - 1),
        ("you add the 1; subtract it: the KL of two equal distributions must be 0.", lambda *c: kl(*c, one=-1).sum(1)),
        ("the difference of the means must be squared; this is the difference of their squares.",
         lambda m, v, n, w: 0.5 * (w - v + (np.exp(v) + m**2 - n**2) / np.exp(w) - 1).sum(1)),
        ("the means are added; it is their difference that counts.", lambda m, v, n, w: right(m, v, -n, w)),
        ("this is KL(a ‖ N(0, I)) − KL(b ‖ N(0, I)); a difference of two KLs is not the KL between a and b.",
         lambda m, v, n, w: (_kl(m, v) - _kl(n, w)).sum(1)),
        ("this is the sum of both directions; the question is KL(a ‖ b) alone.",
         lambda m, v, n, w: right(m, v, n, w) + right(n, w, m, v)),
        ("this is the average of both directions; the question is KL(a ‖ b) alone.",
         lambda m, v, n, w: (right(m, v, n, w) + right(n, w, m, v)) / 2),
        ("b is not used: this is the KL to N(0, I).", lambda m, v, n, w: _kl(m, v).sum(1)),
        ("the sign is wrong: a KL is never negative.", lambda *c: -right(*c)),
        ("you take the mean over the latents; the KLs of independent latents add up: take the sum.",
         lambda *c: kl(*c).mean(1)),
        ("you sum over the batch as well: it should be " + each, lambda *c: kl(*c).sum()),
        ("you take the mean over the batch already: it should be " + each, lambda *c: kl(*c).sum(1).mean()),
        ("you take the mean over latents and batch: it should be " + each, lambda *c: kl(*c).mean()),
        ("you sum over axis 0, the images; sum over the latents, the last axis.", lambda *c: kl(*c).sum(0)),
        ("there is no sum: it should be " + each, kl),
    ]  # fmt: skip
    parts = [
        ("½ · log_var_b", lambda m, v, n, w: 0.5 * w.sum(1)),
        ("−½ · log_var_a", lambda m, v, n, w: -0.5 * v.sum(1)),
        ("½ · (variance of a) / (variance of b)", lambda m, v, n, w: 0.5 * np.exp(v - w).sum(1)),
        (
            "½ · (difference of the means)² / (variance of b)",
            lambda m, v, n, w: 0.5 * ((m - n) ** 2 * np.exp(-w)).sum(1),
        ),
        ("−½, once for each latent", lambda m, v, n, w: np.full(len(m), -0.5 * m.shape[1])),
    ]
    report.compare(cases, right, mistakes, each, parts, each=kl)
    report.gradients(cases[0], right, [0, 1, 2, 3])
    return "zero for equal distributions, and right for clouds that differ, in this direction."


def _log_normal(z, mean, log_var):
    return (-0.5 * (np.log(2 * np.pi) + log_var + (z - mean) ** 2 / np.exp(log_var))).sum(1)


@exercise
def elbo_of_one_draw(report):
    """Exercise 3.3. function(x, logits, z, mean, log_var) → log p(x|z) + log p(z) − log q(z|x), (batch,)."""
    x = (numbers(4, 3, 3, 1, seed=0) > 0).astype("float32")
    mean, log_var = numbers(4, 2, seed=1), 0.7 * _log_vars(4, 2, seed=2)
    z = mean + np.exp(0.5 * log_var) * numbers(4, 2, seed=3)
    case = tensors(x, numbers(4, 3, 3, 1, seed=4), z, mean, log_var)
    other = tensors(x[:3, :2], 2 * numbers(3, 2, 3, 1, seed=5), 1 + z[1:] / 2, mean[1:], 0.3 + log_var[1:] / 2)

    def log_px(x, a):
        return -(np.logaddexp(0, a) - x * a).sum((1, 2, 3))

    def right(x, a, z, m, v, log_q=_log_normal):
        return log_px(x, a) + _log_normal(z, 0.0, 0.0) - log_q(z, m, v)

    def without_logarithm(z, m, v):
        return _log_normal(z, m, v) + 0.5 * v.sum(1)

    each = "one number for each image."
    mistakes = [
        ("the sign is wrong: this is the loss; the ELBO is minus the loss.", lambda *c: -right(*c)),
        ("the sign of log p(x|z) is wrong. vh.bernoulli_nll gives minus log p(x|z).",
         lambda x, a, z, m, v: right(x, a, z, m, v) - 2 * log_px(x, a)),
        ("log q(z|x) is added; it should be subtracted.",
         lambda x, a, z, m, v: right(x, a, z, m, v) + 2 * _log_normal(z, m, v)),
        ("log q(z|x) is missing.", lambda x, a, z, m, v: right(x, a, z, m, v) + _log_normal(z, m, v)),
        ("log p(z), the prior, is missing.", lambda x, a, z, m, v: right(x, a, z, m, v) - _log_normal(z, 0.0, 0.0)),
        ("log p(z) is subtracted; it should be added.",
         lambda x, a, z, m, v: right(x, a, z, m, v) - 2 * _log_normal(z, 0.0, 0.0)),
        ("only log p(x|z) is there; log p(z) and log q(z|x) are missing.", lambda x, a, z, m, v: log_px(x, a)),
        ("log p(x|z) is missing.", lambda x, a, z, m, v: right(x, a, z, m, v) - log_px(x, a)),
        ("prior and q are swapped: the prior is N(0, I), q is N(mean, exp(log_var)).",
         lambda x, a, z, m, v: log_px(x, a) - _log_normal(z, 0.0, 0.0) + _log_normal(z, m, v)),
        ("you use the formula of the KL: right on average, but the question is the estimate from this one draw.",
         lambda x, a, z, m, v: log_px(x, a) - _kl(m, v).sum(1)),
        ("in log q you take exp(log_var) for the standard deviation; it is the variance.",
         lambda x, a, z, m, v: right(x, a, z, m, 2 * v)),
        ("in log q you take log_var for the variance; the variance is exp(log_var).",
         lambda x, a, z, m, v: right(x, a, z, m, np.log(v))),
        ("in log q you give exp(log_var), the variance, where its logarithm is asked for: log_var.",
         lambda x, a, z, m, v: right(x, a, z, m, np.exp(v))),
        ("in log q you give the standard deviation where the logarithm of the variance is asked for: log_var.",
         lambda x, a, z, m, v: right(x, a, z, m, np.exp(0.5 * v))),
        ("in log q you take log_var for the standard deviation; it is the logarithm of the variance.",
         lambda x, a, z, m, v: right(x, a, z, m, np.log(v**2))),
        ("in log q you take log_var for the standard deviation; it is the logarithm of the variance.",
         lambda x, a, z, m, v: right(x, a, z, m, 2 * np.log(v))),
        ("in log q you give half of log_var, the logarithm of σ; log_var is asked for.",
         lambda x, a, z, m, v: right(x, a, z, m, 0.5 * v)),
        ("in log q the noise is not divided by the standard deviation: this is the density of N(mean, 1).",
         lambda x, a, z, m, v: right(x, a, z, m, 0 * v)),
        ("in log p(z) the log-variance is 1; the prior has variance 1, and the logarithm of 1 is 0.",
         lambda x, a, z, m, v: log_px(x, a) + _log_normal(z, 0.0, 1.0) - _log_normal(z, m, v)),
        ("log p(z) is that of the mean; it should be that of the draw z.",
         lambda x, a, z, m, v: log_px(x, a) + _log_normal(m, 0.0, 0.0) - _log_normal(z, m, v)),
        ("in log p(z) the term with log 2π is missing; it is in log q(z|x).",
         lambda x, a, z, m, v: right(x, a, z, m, v) + np.log(2 * np.pi)),
        ("in log q(z|x) the term with log 2π is missing; it is in log p(z).",
         lambda x, a, z, m, v: right(x, a, z, m, v) - np.log(2 * np.pi)),
        ("this is log q(z|x) − log p(z): the sign is wrong, and log p(x|z) is missing.",
         lambda x, a, z, m, v: log_px(x, a) - right(x, a, z, m, v)),
        ("you use the formula of the KL, and add it; the question is the estimate from this one draw.",
         lambda x, a, z, m, v: log_px(x, a) + _kl(m, v).sum(1)),
        ("this is the loss, with the formula of the KL; the question is the ELBO, estimated from this one draw.",
         lambda x, a, z, m, v: _kl(m, v).sum(1) - log_px(x, a)),
        ("in log p(x|z) the sigmoid is applied twice: vh.bernoulli_nll wants the logits.",
         lambda x, a, z, m, v: right(x, 1 / (1 + np.exp(-a)), z, m, v)),
        ("log p(x|z) is minus the squared error; the pixels are coins: vh.bernoulli_nll.",
         lambda x, a, z, m, v: right(x, a, z, m, v) - log_px(x, a) - ((x - 1 / (1 + np.exp(-a))) ** 2).sum((1, 2, 3))),
        ("in log q the term with the logarithm of the variance is missing.",
         lambda *c: right(*c, log_q=without_logarithm)),
        ("in log q the mean is missing: q is not centred at 0.",
         lambda x, a, z, m, v: right(x, a, z, 0 * m, v)),
        ("log p(x|z) is a mean over the pixels; it should be the sum.",
         lambda x, a, z, m, v: right(x, a, z, m, v) - log_px(x, a) * (1 - 1 / x[0].size)),
        ("you take the mean over the batch already: it should be " + each, lambda *c: right(*c).mean()),
        ("you sum over the batch: it should be " + each, lambda *c: right(*c).sum()),
    ]  # fmt: skip
    parts = [
        ("log p(x|z)", lambda x, a, z, m, v: log_px(x, a)),
        ("log p(z)", lambda x, a, z, m, v: _log_normal(z, 0.0, 0.0)),
        ("−log q(z|x)", lambda x, a, z, m, v: -_log_normal(z, m, v)),
    ]
    report.compare([case, other], right, mistakes, each, parts)
    sure = tensors(x[:2], np.where(x[:2] == 1, -60.0, 60.0), *[np.asarray(part)[:2] for part in case[2:]])
    report.so_far = "for moderate logits it is right. For images that the decoder thinks impossible (logits of ±60):"
    found, wanted = report.array(*sure), right(*[np.asarray(part, "float64") for part in sure])
    if found.shape == wanted.shape and (~np.isfinite(found) | (found > wanted + 1)).all():
        report.wrong(f"the ELBO of the first comes out as {found[0]:.1f}; it should be {wanted[0]:.1f}. A probability "
                     "or a logit is cut off, or the logarithm of 0 is taken. Use vh.bernoulli_nll.")  # fmt: skip
    report.compare([sure], right, [], each)
    return "the three terms with their signs, one number for each image."


@exercise
def effective_beta(report):
    """Exercise 3.4. function(pixels, latents, reconstruction, kl, weight) → the effective beta, a number.

    reconstruction, kl: "sum" or "mean", how each term is reduced. weight: multiplies the KL term.
    """
    cases = [
        (784, 2, "sum", "sum", 1.0),
        (784, 2, "sum", "mean", 1.0),
        (784, 10, "mean", "sum", 1.0),
        (784, 2, "mean", "mean", 1.0),
        (12288, 64, "mean", "sum", 0.001),
        (100, 5, "sum", "mean", 4.0),
    ]

    def beta(pixels, latents, reconstruction, kl, weight, p=1, d=1):
        return weight * (pixels if reconstruction == "mean" else 1) ** p / (latents if kl == "mean" else 1) ** d

    mistakes = [
        ("you do not use `pixels`: they need not be 784.", lambda p, d, r, k, w: beta(784, d, r, k, w)),
        ("this is 1/β: divide the factor of the KL by the factor of the reconstruction, not the other way round.",
         lambda *c: 1 / beta(*c)),
        ("you do not count the mean over the latents: it makes the KL smaller.", lambda *c: beta(*c, d=0)),
        ("you do not count the mean over the pixels: it makes the reconstruction smaller, so the KL weighs more.",
         lambda *c: beta(*c, p=0)),
        ("a mean over the latents divides the KL; you multiply.", lambda *c: beta(*c, d=-1)),
        ("a mean over the pixels makes the reconstruction smaller: then β is larger, not smaller.",
         lambda *c: beta(*c, p=-1)),
        ("both factors are the wrong way round.", lambda *c: beta(*c, p=-1, d=-1)),
        ("the mean over the latents is not counted, and that over the pixels is the wrong way round.",
         lambda *c: beta(*c, p=-1, d=0)),
        ("the mean over the pixels is not counted, and that over the latents is the wrong way round.",
         lambda *c: beta(*c, p=0, d=-1)),
        ("where both terms are means, both count: you use only one of them.",
         lambda p, d, r, k, w: beta(p, d, r, "sum" if r == "mean" else k, w)),
        ("where both terms are means, both count: you use only one of them.",
         lambda p, d, r, k, w: beta(p, d, "sum" if k == "mean" else r, k, w)),
        ("// drops the part after the point; divide by /.", lambda p, d, r, k, w: beta(p, d, r, k, w) // 1),
        ("// drops the part after the point; divide by /.",
         lambda p, d, r, k, w: w * (1 // d if k == "mean" else 1) * (p if r == "mean" else 1)),
        ("you do not use `weight`.", lambda p, d, r, k, w: beta(p, d, r, k, 1.0)),
        ("`weight` counts only where the KL is a sum; it multiplies the KL in both cases.",
         lambda p, d, r, k, w: beta(p, d, r, k, w if k == "sum" else 1.0)),
        ("`weight` counts only where the KL is a mean; it multiplies the KL in both cases.",
         lambda p, d, r, k, w: beta(p, d, r, k, w if k == "mean" else 1.0)),
        ("you divide by `weight`; it multiplies the KL.", lambda p, d, r, k, w: beta(p, d, r, k, 1 / w)),
        ("\"sum\" and \"mean\" are swapped.",
         lambda p, d, r, k, w: w * (p if r == "sum" else 1) / (d if k == "sum" else 1)),
        ("pixels and latents are swapped.", lambda p, d, r, k, w: beta(d, p, r, k, w)),
        ("you count pixels and latents even where the loss takes a sum.", lambda p, d, r, k, w: w * p / d),
        ("you add `pixels` to the weight; the mean over the pixels makes the KL weigh `pixels` times as much.",
         lambda p, d, r, k, w: w + (p if r == "mean" else 0)),
        ("where one of the terms is a mean, you count both; count each one only where it is a mean.",
         lambda p, d, r, k, w: w * p / d if "mean" in (r, k) else w),
        ("this is `weight`; the means change the balance as well.", lambda p, d, r, k, w: w),
    ]  # fmt: skip
    report.compare(cases, beta, mistakes, "one number.")
    return "for sums and means, any number of pixels and latents, and any weight."
