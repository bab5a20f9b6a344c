# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · KL divergence and the ELBO: a derivation that runs
#
# You derive the loss of the VAE line by line, check every line by computing it in three ways, and find out why a loss copied
# from the web can make every picture the same.
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{{repository}}/blob/{{branch}}/notebooks/03_kl_and_elbo.ipynb)
#
# **Time:** about 1 minute of computing on two cores (not measured yet on a Colab GPU), and 75 minutes of reading and
# thinking.
#
# **You will be able to**
#
# - say what the KL divergence measures, and why its two directions differ;
# - derive the KL term of the VAE, and test such a formula against quadrature, Monte Carlo and a library;
# - derive the ELBO in two ways, and see the gap between it and $\log p(x)$ on a model where both are known;
# - find the *effective β* of any VAE loss, and predict which losses collapse.
#
# **You need** lesson 02 (mean, log_var, $q(z\mid x)$, prior, nats), logarithms, and the idea of an integral as an area.

# %%
# On Colab this cell installs the package of the course. On your own machine it does nothing.
import subprocess
import sys

if "google.colab" in sys.modules:
    package = "git+https://github.com/{{repository}}@{{branch}}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", package], check=True)

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import ops
from scipy import stats
from scipy.optimize import minimize

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=3)
data = vh.load_images("mnist", binarize="threshold")
rng = np.random.default_rng(0)

# %% [markdown]
# ## Two coins
#
# A coin shows heads with probability $p$. You believe that the probability is $q$. How wrong are you?
#
# Lesson 02 measured the *surprise* about an outcome: minus the logarithm of its probability, in nats. If you believe $q$, heads
# surprise you by $-\log q$ and tails by $-\log(1-q)$. Somebody who knows $p$ is surprised by $-\log p$ and $-\log(1-p)$. Your
# **extra** surprise, averaged over what really happens, is the **Kullback–Leibler divergence**:
#
# $$\mathrm{KL}(p\,\|\,q) = p\,\log\frac{p}{q} + (1-p)\,\log\frac{1-p}{1-q}$$
#
# **Predict.** For a fair coin, $p=\frac12$: where is the KL zero? Can it be negative? What happens when you are sure of tails,
# $q\to0$, but heads do come?
#
# <details><summary>Open the answer when you have decided</summary>
#
# It is zero at $q=\frac12$ only, where the belief is right. It is never negative: nobody is less surprised on average than the one who knows. And it grows without bound for $q\to0$: an event that you hold for impossible surprises you infinitely when it comes.
#
# </details>

# %%
def kl_coins(p, q):
    """KL(p ‖ q) of two coins, in nats."""
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


beliefs = np.linspace(0.005, 0.995, 199)
fig, ax = plt.subplots(figsize=(6.5, 3.2))
for p, style in ((0.5, "-"), (0.9, "--")):
    ax.plot(beliefs, kl_coins(p, beliefs), style, label=f"true probability p = {p}")
ax.set(xlabel="believed probability q", ylabel="KL in nats")
ax.set_title("The extra surprise of a wrong belief")
ax.legend();

# %% [markdown]
# **What you see.** Each curve touches zero at $q=p$, where you are right, and nowhere else. It is never negative: nobody is less
# surprised on average than the one who knows. (We prove it below.) At the ends it grows without bound, which the picture cannot show, because it
# stops at 0.005: to be sure, and wrong, is infinitely bad.
#
# An average can be checked by trying. We toss the coin many times, and average your extra surprise:

# %%
p, q = 0.9, 0.5
heads = rng.random(200_000) < p
extra = np.where(heads, np.log(p / q), np.log((1 - p) / (1 - q)))  # one value per toss

off = abs(extra.mean() - kl_coins(p, q)) / (extra.std() / np.sqrt(extra.size))
vh.expect("tosses minus formula, in standard errors", off, at_most=4, everywhere=True)

# %% [markdown]
# The **standard error** is the standard deviation of one value, divided by the square root of the number of values. It says how far
# an average of random values is typically off. More than 4 standard errors would hardly happen by chance. This way of
# computing an average, by drawing, is called **Monte Carlo**. It comes back below.
#
# ## Two normal distributions
#
# For a variable that can be any number, the sum over heads and tails becomes an integral:
#
# $$\mathrm{KL}(q\,\|\,p) = \int q(z)\,\log\frac{q(z)}{p(z)}\,dz$$
#
# Careful with the letters: from here on $q$ stands on the left. The rule stays the same: the average is taken over the one on the left. $q(z)$ and $p(z)$
# are **densities**: the height of a curve; areas under it are probabilities.
#
# In a VAE, $q$ is the cloud of one image and $p$ is the prior $\mathcal N(0, 1)$. Here is one latent. To integrate, we evaluate the
# function on a fine grid and add up thin strips. This is **quadrature**.

# %%
z = np.linspace(-12, 12, 24_001)  # the grid for all integrals of this lesson
dz = z[1] - z[0]


def log_normal(z, mean, log_var):
    """The logarithm of the density of N(mean, exp(log_var)) at z."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mean) ** 2 / np.exp(log_var))


def integrate(values):
    return np.sum(values) * dz


mean, log_var = 1.5, np.log(0.25)  # a cloud: in the middle 1.5, width 0.5
log_q, log_p = log_normal(z, mean, log_var), log_normal(z, 0.0, 0.0)
integrand = np.exp(log_q) * (log_q - log_p)
kl_by_quadrature = integrate(integrand)

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharex=True)
axes[0].plot(z, np.exp(log_q), label="q: the cloud")
axes[0].plot(z, np.exp(log_p), "--", label="p: the prior")
axes[1].fill_between(z, integrand, where=integrand > 0, color="C0", label="adds")
axes[1].fill_between(z, integrand, where=integrand < 0, color="C1", label="subtracts")
axes[0].set(xlim=(-4, 4), xlabel="z", title="two densities")
axes[1].set(xlabel="z", title=f"q log(q/p): the area is KL = {kl_by_quadrature:.3f} nats")
for ax in axes:
    ax.legend()

# %% [markdown]
# **What you see.** Left, the two densities. Right, what is integrated. Where $q$ lies above $p$, the logarithm is positive and the
# area adds. Where $q$ lies below $p$, it subtracts a little. The tails of $p$ on the left do not count, because there $q$ is
# zero: the average is taken over $q$.
#
# ## The two directions differ
#
# $\mathrm{KL}(q\|p)$ averages over $q$, and $\mathrm{KL}(p\|q)$ averages over $p$. Does it matter? Take a target with two hills, and look for a normal
# distribution $q$ near it. We do it twice: first we make $\mathrm{KL}(\text{target}\,\|\,q)$ small, then $\mathrm{KL}(q\,\|\,\text{target})$.
#
# **Predict.** One of the two answers is a wide hill over both. The other one sits on one hill alone. Which is which?
#
# <details><summary>Open the answer when you have decided</summary>
#
# $\mathrm{KL}(\text{target}\,\|\,q)$ averages over the target: wherever the target is high, $q$ must not be low, so $q$ covers both hills. $\mathrm{KL}(q\,\|\,\text{target})$ averages over $q$: wherever $q$ is high, the target must not be low, so $q$ stays out of the valley. So the first is the wide hill, the second the single one.
#
# </details>

# %%
log_target = np.logaddexp(  # log(eᵃ + eᵇ), without overflow
    np.log(0.6) + log_normal(z, -2.0, np.log(0.5)),
    np.log(0.4) + log_normal(z, 2.5, np.log(0.5)),
)


def kl_on_grid(log_a, log_b):
    """KL(a ‖ b) of two densities given by their logarithms on the grid."""
    return integrate(np.exp(log_a) * (log_a - log_b))


def fit(direction):
    """The mean and log-variance of the nearest normal distribution, in one direction of the KL."""
    def loss(parameters):
        log_q = log_normal(z, *parameters)
        pair = (log_target, log_q) if direction == "target to q" else (log_q, log_target)
        return kl_on_grid(*pair)

    return minimize(loss, x0=[-1.0, 0.0], method="Nelder-Mead").x  # needs no derivatives


# %%
covering, seeking = fit("target to q"), fit("q to target")
fig, ax = plt.subplots(figsize=(7.5, 3.2))
ax.fill_between(z, np.exp(log_target), color="0.85", label="target")
ax.plot(z, np.exp(log_normal(z, *covering)), label="min KL(target ‖ q): covers")
ax.plot(z, np.exp(log_normal(z, *seeking)), "--", label="min KL(q ‖ target): seeks one hill")
ax.set(xlim=(-6, 6), ylim=(0, 0.75), xlabel="z", title="Two answers to one question")
ax.legend(loc="upper right", fontsize=10);

# %% [markdown]
# **What you see.** $\mathrm{KL}(\text{target}\|q)$ punishes $q$ where the target is high and $q$ is low. So $q$ *covers* everything, also the
# valley between the hills, where the target is almost zero. $\mathrm{KL}(q\|\text{target})$ punishes $q$ where $q$ is high and the target is low.
# So $q$ avoids the valley and *seeks* one hill. (With another start it can end on the other hill, which is only a local minimum: a hill with share $w$ of the target costs about $-\log w$, here $-\log0.6=0.51$ nats, there $-\log0.4=0.92$.) The VAE uses the second kind, with $q$ on the left,
# in both places where a KL will appear below. Remember the result for the second of these places, the posterior: such a $q$ may be too narrow and miss a hill.
#
# The covering answer can be checked: its mean and variance are those of the target.

# %%
target_mean = integrate(np.exp(log_target) * z)
target_var = integrate(np.exp(log_target) * (z - target_mean) ** 2)
off = max(abs(covering[0] - target_mean), abs(np.exp(covering[1]) - target_var))
vh.expect("covering: mean and variance minus the target's", off, at_most=0.01, everywhere=True)
vh.expect("seeking: distance from the higher hill", abs(seeking[0] + 2.0), at_most=0.05, everywhere=True)
ratio = np.exp(0.5 * (covering[1] - seeking[1]))
vh.expect("width, covering / seeking", ratio, at_least=2.5, everywhere=True)

# %% [markdown]
# ## The closed form, line by line
#
# Quadrature is fine for one latent. For 20 latents such a grid would need $24001^{20}\approx10^{88}$ points. For normal distributions there is a
# formula instead. We derive it for one latent, and **each line is a function**, so that each line can be tested.
#
# Write the KL as a difference of two averages over $q$:
#
# $$\mathrm{KL}(q\|p)=\mathbb E_q[\log q(z)]-\mathbb E_q[\log p(z)]$$
#
# The logarithm of a normal density is a short sum (see `log_normal` above). So only two averages of squares are needed:
#
# $$\text{(1)}\quad \mathbb E_q\!\left[\tfrac{(z-\mu)^2}{\sigma^2}\right]=1 \qquad\qquad \text{(2)}\quad \mathbb E_q[z^2]=\mu^2+\sigma^2$$
#
# (1) is the definition of the variance, divided by the variance. (2) is the rule "mean of the square = square of the mean + variance".
# Put them in:
#
# $$\text{(3)}\quad \mathbb E_q[\log q(z)]=-\tfrac12\left(\log 2\pi+\log\sigma^2+1\right)$$
#
# $$\text{(4)}\quad \mathbb E_q[\log p(z)]=-\tfrac12\left(\log 2\pi+\mu^2+\sigma^2\right)$$
#
# Subtract (4) from (3); $\log 2\pi$ cancels:
#
# $$\text{(5)}\quad \mathrm{KL}=\tfrac12\left(\mu^2+\sigma^2-1-\log\sigma^2\right)$$

# %%
lines = {  # the right-hand sides
    "(1) mean of (z-μ)²/σ²": lambda mean, log_var: 1.0,
    "(2) mean of z²": lambda mean, log_var: mean**2 + np.exp(log_var),
    "(3) mean of log q": lambda mean, log_var: -0.5 * (np.log(2 * np.pi) + log_var + 1),
    "(4) mean of log p": lambda mean, log_var: -0.5 * (np.log(2 * np.pi) + mean**2 + np.exp(log_var)),
    "(5) KL": lambda mean, log_var: 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var),
}
inside = {  # the left-hand sides: what is averaged over q
    "(1) mean of (z-μ)²/σ²": lambda z, mean, log_var: (z - mean) ** 2 / np.exp(log_var),
    "(2) mean of z²": lambda z, mean, log_var: z**2,
    "(3) mean of log q": lambda z, mean, log_var: log_normal(z, mean, log_var),
    "(4) mean of log p": lambda z, mean, log_var: log_normal(z, 0, 0),
    "(5) KL": lambda z, mean, log_var: log_normal(z, mean, log_var) - log_normal(z, 0, 0),
}

# %% [markdown]
# Each average in three independent ways: by the formula, by quadrature, and by Monte Carlo with 100,000 draws.

# %%
def three_ways(name, mean, log_var):
    """Formula, quadrature, Monte Carlo, and the standard error of the last."""
    draws = mean + np.exp(0.5 * log_var) * rng.normal(size=100_000)
    values = inside[name](draws, mean, log_var)
    density = np.exp(log_normal(z, mean, log_var))
    quadrature = integrate(density * inside[name](z, mean, log_var))
    return lines[name](mean, log_var), quadrature, values.mean(), values.std() / np.sqrt(values.size)


print(f"{'':24s}formula   quadrature   Monte Carlo ± standard error")
for name in lines:
    exact, quadrature, average, error = three_ways(name, mean, log_var)
    print(f"{name:24s}{exact:7.4f}   {quadrature:10.4f}   {average:11.4f} ± {error:.4f}")

# %%
off_quadrature, off_monte_carlo = 0.0, 0.0
for cloud in ((1.5, np.log(0.25)), (-0.7, 0.8), (0.0, 0.0), (2.0, -3.0)):  # four different clouds
    for name in lines:
        exact, quadrature, average, error = three_ways(name, *cloud)
        off_quadrature = max(off_quadrature, abs(quadrature - exact))
        off_monte_carlo = max(off_monte_carlo, abs(average - exact) / max(error, 1e-12))

vh.expect("formula minus quadrature", off_quadrature, at_most=1e-6, everywhere=True)
vh.expect("formula minus Monte Carlo, standard errors", off_monte_carlo, at_most=4.5, everywhere=True)

# %% [markdown]
# **What you see.** Formula and quadrature agree in all digits, Monte Carlo within its error, for this cloud and for three others. If one line of a derivation is
# wrong, such a table shows where to look first.
#
# A fourth check comes from a library. TensorFlow Probability has the KL between many pairs of distributions; somebody else wrote and tested it.
# (Where it is not installed, the cell says so and leaves this check out.) And `vh.gaussian_kl`, the function that the course uses, must agree as well.

# %%
exact_kl = lines["(5) KL"](mean, log_var)
package = vh.gaussian_kl([[mean]], [[log_var]])[0]

if tfp := vh.tensorflow_probability(left_out="formula minus library"):  # imports it
    tfd = tfp.distributions
    cloud, prior = tfd.Normal(float(mean), float(np.exp(0.5 * log_var))), tfd.Normal(0.0, 1.0)
    oracle = tfd.kl_divergence(cloud, prior)
    vh.expect("formula minus library", abs(exact_kl - oracle), at_most=1e-5, everywhere=True)
vh.expect("formula minus vh.gaussian_kl", abs(exact_kl - package), at_most=1e-5, everywhere=True)

# %% [markdown]
# **More than one latent.** The latents of $q$ are independent of each other, and so are those of the prior. The logarithm of a product
# is a sum, so the KL of the whole cloud is the **sum** of the KLs of the latents. Not the mean: two equal latents cost twice as much as one.
#
# ### Exercise 3.1 · The KL of a batch
#
# Write formula (5) for a whole batch with several latents, as a VAE needs it: one number for each image, the sum over its latents. You get `log_var`, not $\sigma$. Use `ops`, so that gradients can pass.

# %%
def gaussian_kl(mean, log_var):
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) in nats. mean, log_var: (batch, latent). Returns (batch,)."""
    ### BEGIN SOLUTION
    return 0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var, axis=-1)
    ### END SOLUTION


vh.check.gaussian_kl(gaussian_kl)

# %% [markdown]
# From here on the lesson uses `vh.gaussian_kl`. **Target:** for these three clouds with two latents, the numbers printed below. The first cloud is the prior itself.

# %% tags=["nbval-check-output"]
three_means = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, -2.0]])
three_log_vars = np.array([[0.0, 0.0], [0.0, -1.0], [1.0, -3.0]])
print(*(f"{kl + 0:.3f}" for kl in vh.gaussian_kl(three_means, three_log_vars)))

# %% [markdown]
# ### Exercise 3.2 · Between any two clouds (harder)
#
# Now let both sides be clouds: $a$ with mean $\mu_a$ and variance $\sigma_a^2$, and $b$ with $\mu_b$ and $\sigma_b^2$. Derive $\mathrm{KL}(a\,\|\,b)$ as above: which of the five lines change? ($a$ plays the part of $q$, $b$ that of $p$. So (1) and (3) stay; (2), (4) and (5) change. In place of (2) you need the average of $(z-\mu_b)^2$ over $a$: it is the variance
# of $a$ plus the squared distance of the means.) Then write it for a batch, again with `ops`.

# %%
def kl_between(mean_a, log_var_a, mean_b, log_var_b):
    """KL(a ‖ b) of two normal distributions, in nats. All arguments: (batch, latent). Returns (batch,)."""
    ### BEGIN SOLUTION
    squares = ops.exp(log_var_a) + (mean_a - mean_b) ** 2  # the average of (z - mean_b)² over a
    return 0.5 * ops.sum(log_var_b - log_var_a + squares / ops.exp(log_var_b) - 1, axis=-1)
    ### END SOLUTION


vh.check.kl_between(kl_between)

# %% [markdown]
# **Target:** quadrature knows nothing of formulas. For $a=\mathcal N(1.5,\,0.25)$ and $b=\mathcal N(0,\,4)$ (the second number is the variance), and for the other direction, it gives the numbers below. To compare: `kl_between(np.array([[1.5]]), np.log([[0.25]]), np.array([[0.0]]), np.log([[4.0]]))`.

# %% tags=["nbval-check-output"]
log_a, log_b = log_normal(z, 1.5, np.log(0.25)), log_normal(z, 0.0, np.log(4.0))
print(f"KL(a ‖ b) = {kl_on_grid(log_a, log_b):.3f}   KL(b ‖ a) = {kl_on_grid(log_b, log_a):.3f}")

# %% [markdown]
# **How fast does Monte Carlo get there?** Each point below is one run with that many draws.

# %%
sizes = np.logspace(1, 5, 25).astype(int)


def kl_of_draws(size):
    """log q - log p at fresh draws: their mean is one Monte Carlo estimate of the KL."""
    draws = mean + np.exp(0.5 * log_var) * rng.normal(size=size)
    return inside["(5) KL"](draws, mean, log_var)


averages = [kl_of_draws(size).mean() for size in sizes]
errors = kl_of_draws(100_000).std() / np.sqrt(sizes)
inside_band = np.mean(np.abs(averages - exact_kl) < 2 * errors)

# %%
fig, ax = plt.subplots(figsize=(7.5, 3.2))
low, high = exact_kl - 2 * errors, exact_kl + 2 * errors
ax.axhline(exact_kl, color="black", linewidth=1, label="formula")
ax.fill_between(sizes, low, high, color="C0", alpha=0.2, label="± 2 standard errors")
ax.plot(sizes, averages, "C0o", markersize=4, label="Monte Carlo")
ax.set(xscale="log", xlabel="number of draws", ylabel="KL in nats")
ax.set_title("Ten times nearer costs a hundred times more draws")
ax.legend()
vh.expect("share of points inside the band", inside_band, at_least=0.7, everywhere=True)

# %% [markdown]
# **What you see.** The points scatter around the formula, and nearly all stay inside the band. The band becomes ten times narrower when
# there are a hundred times more draws. This is why a formula is worth having.
#
# **The gradient.** Training follows the derivatives of the KL. From (5):
#
# $$\frac{\partial\,\mathrm{KL}}{\partial\mu}=\mu,\qquad \frac{\partial\,\mathrm{KL}}{\partial\log\sigma^2}=\tfrac12\left(\sigma^2-1\right)$$
#
# So the KL pulls $\mu$ to 0 like a spring, and pulls $\sigma$ to 1. We check with `GradientTape` (lesson 02), and by finite differences of
# the *quadrature*, which does not know formula (5).

# %%
def kl_quadrature(mean, log_var):
    return kl_on_grid(log_normal(z, mean, log_var), log_normal(z, 0.0, 0.0))


by_formula = np.array([mean, 0.5 * (np.exp(log_var) - 1)])

m, v = tf.Variable([[mean]], dtype="float32"), tf.Variable([[log_var]], dtype="float32")
with tf.GradientTape() as tape:
    kl = vh.gaussian_kl(m, v)
by_tape = np.array([g.numpy().item() for g in tape.gradient(kl, [m, v])])

h = 1e-4
by_differences = np.array([
    (kl_quadrature(mean + h, log_var) - kl_quadrature(mean - h, log_var)) / (2 * h),
    (kl_quadrature(mean, log_var + h) - kl_quadrature(mean, log_var - h)) / (2 * h),
])  # fmt: skip
vh.expect("gradient: formula minus tape", abs(by_formula - by_tape).max(), at_most=1e-5, everywhere=True)
off = abs(by_formula - by_differences).max()
vh.expect("gradient: formula minus differences", off, at_most=1e-5, everywhere=True)

# %% [markdown]
# ## Why this loss? The ELBO, derived twice
#
# What do we want from a model of images? That it gives real images a high probability. For one image $x$ this is $\log p(x)$, called the
# **evidence**. The model of a VAE makes an image in two steps: draw $z$ from the prior $p(z)$, then draw $x$ from $p(x\mid z)$, which the decoder
# gives. An image can come from any $z$, so
#
# $$p(x)=\int p(x\mid z)\,p(z)\,dz .$$
#
# With a network as decoder there is no formula for this integral, and with many latents the grid is too large. Plain Monte Carlo from the prior needs far too many draws: for a
# given image, almost every $z$ gives almost zero. The way out: draw $z$ not from the prior, but from a distribution $q(z)$ that looks where $x$ could come from. That is the
# encoder's cloud. (We keep one image $x$ here, so we write $q(z)$ for $q(z\mid x)$.)
#
# ### First derivation: Jensen
#
# Multiply and divide by $q(z)$:
#
# $$\log p(x)=\log\int q(z)\,\frac{p(x\mid z)\,p(z)}{q(z)}\,dz=\log\ \mathbb E_q\!\left[\frac{p(x\mid z)\,p(z)}{q(z)}\right]
# \ \ge\ \mathbb E_q\!\left[\log\frac{p(x\mid z)\,p(z)}{q(z)}\right]$$
#
# The last step is **Jensen's inequality**: the logarithm of a mean is at least the mean of the logarithms, because the logarithm bends downward. Try the numbers 1 and 9: the logarithm of
# their mean is $\log 5=1.61$, and the mean of their logarithms is $\frac12(\log1+\log9)=1.10$. Now split the logarithm:
#
# $$\mathbb E_q\!\left[\log\frac{p(x\mid z)\,p(z)}{q(z)}\right]=\mathbb E_q[\log p(x\mid z)]+\mathbb E_q\!\left[\log\frac{p(z)}{q(z)}\right]=\mathbb E_q[\log p(x\mid z)]-\mathbb E_q\!\left[\log\frac{q(z)}{p(z)}\right]$$
#
# The last average is the KL. So:
#
# $$\boxed{\ \mathrm{ELBO}=\mathbb E_q[\log p(x\mid z)]-\mathrm{KL}(q(z)\,\|\,p(z))\ \le\ \log p(x)\ }$$
#
# There it is: *evidence lower bound*. Minus the first term is the reconstruction of lesson 02, and the second term is its KL.
#
# Jensen also proves that a KL is never negative: $-\mathrm{KL}(q\|p)=\mathbb E_q\big[\log\frac{p}{q}\big]\le\log\mathbb E_q\big[\frac{p}{q}\big]=\log\int p(z)\,dz=\log1=0$. Equality needs $p/q$ to be the same number wherever $q>0$, so $p=q$, because the logarithm is strictly curved.
#
# ### Second derivation: what is lost
#
# Jensen says "at least". By how much? The codes that really could have made $x$ have the **posterior** distribution $p(z\mid x)=p(x\mid z)\,p(z)/p(x)$ (Bayes' rule).
# Take logarithms, and solve for $\log p(x)$:
#
# $$\log p(x)=\log\big(p(x\mid z)\,p(z)\big)-\log p(z\mid x)$$
#
# This holds for every $z$. Average both sides over $q$, and add and subtract $\mathbb E_q[\log q(z)]$:
#
# $$\log p(x)=\underbrace{\mathbb E_q\!\left[\log\frac{p(x\mid z)\,p(z)}{q(z)}\right]}_{\text{ELBO}}+\underbrace{\mathbb E_q\!\left[\log\frac{q(z)}{p(z\mid x)}\right]}_{\mathrm{KL}(q\,\|\,p(z\mid x))\ \ge\ 0}$$
#
# So the gap is exactly the KL from the cloud to the true posterior. Note that there are *two* KLs now: one to the prior, inside the ELBO, and one to the
# posterior, the gap. With a fixed decoder, to raise the ELBO means to bring $q$ closer to the posterior. When the decoder trains as well, a higher ELBO can come from a higher
# $\log p(x)$ or from a smaller gap; the ELBO alone does not tell which.
#
# ## See the gap
#
# Let us take a model so small that everything can be computed. One latent. An "image" of four pixels. The decoder: pixel $i$ is 1 with probability
# $\mathrm{sigmoid}(a_i z+b_i)$. We see one image, and integrate over $z$ on the grid. ($p(x\mid z)$, seen as a function of $z$, is called the **likelihood**.)

# %%
a, b = np.array([10.0, 1.0, -1.0, 0.5]), np.array([4.0, 0.0, 1.0, 0.0])
x = np.array([1, 0, 1, 1])  # the image

logits = a * z[:, None] + b  # (grid, 4)


def log_likelihood_of(pixels):
    """log p(x|z) for every z of the grid."""
    signed = np.where(pixels == 1, logits, -logits)
    return -np.logaddexp(0, -signed).sum(axis=1)  # log sigmoid(a) = -log(1 + e⁻ᵃ), without log 0


log_likelihood = log_likelihood_of(x)
log_prior = log_normal(z, 0.0, 0.0)
log_evidence = np.log(integrate(np.exp(log_likelihood + log_prior)))  # log p(x), exact
log_posterior = log_likelihood + log_prior - log_evidence  # log p(z|x), exact

# %%
def elbo(mean, log_var):
    """E_q[log p(x|z)] - KL(q ‖ prior), by quadrature."""
    log_q = log_normal(z, mean, log_var)
    return integrate(np.exp(log_q) * log_likelihood) - kl_on_grid(log_q, log_prior)


# all 16 images of four pixels together must have probability 1
all_images = [np.array([int(bit) for bit in f"{i:04b}"]) for i in range(16)]
total = sum(integrate(np.exp(log_likelihood_of(image) + log_prior)) for image in all_images)
vh.expect("sum of p(x) over all images, minus 1", abs(total - 1), at_most=1e-6, everywhere=True)

# %% [markdown]
# **Predict.** We fix the width of $q$ and move its middle. Where will the ELBO be highest? Will it touch $\log p(x)$ there?

# %%
means = np.linspace(-2, 3, 101)
width = np.log(0.4**2)
elbos = np.array([elbo(m, width) for m in means])
gaps = np.array([kl_on_grid(log_normal(z, m, width), log_posterior) for m in means])

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for ax in axes:
    ax.axhline(log_evidence, color="black", linewidth=1.5, label="log p(x)")
    ax.plot(means, elbos, label="ELBO")
    ax.fill_between(means, elbos, log_evidence, color="C1", alpha=0.2, label="the gap")
    ax.plot(means[::4], (log_evidence - gaps)[::4], "C1o", markersize=4, label="log p(x) − KL(q ‖ posterior)")
    ax.set_xlabel("mean of q")
axes[0].set(ylabel="nats", ylim=(-8, -1), title="The gap is the KL to the posterior")
axes[1].set(ylim=(-3, -2.3), xlim=(-0.5, 1.2), title="the same, enlarged")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4);

# %% [markdown]
# **What you see.** The ELBO stays below $\log p(x)$ everywhere, and it is highest where $q$ sits on the posterior. The orange dots are computed without the ELBO, from $\log p(x)$,
# $q$ and the posterior. They lie exactly on the ELBO. Even at its best, the ELBO does not quite touch (right): a $q$ of this width is not the posterior.

# %%
difference = abs(log_evidence - elbos - gaps).max()
vh.expect("gap minus KL(q ‖ posterior), nats", difference, at_most=1e-4, everywhere=True)
vh.expect("smallest gap, nats", gaps.min(), at_least=0.001, everywhere=True)

# %% [markdown]
# Now we let both mean and width move, and take the best normal distribution.

# %%
best = minimize(lambda q: -elbo(*q), x0=[0.0, 0.0], method="Nelder-Mead").x
best_gap = log_evidence - elbo(*best)

fig, ax = plt.subplots(figsize=(7.5, 3.2))
ax.fill_between(z, np.exp(log_posterior), color="0.85", label="true posterior p(z|x)")
ax.plot(z, np.exp(log_prior), ":", color="0.4", label="prior p(z)")
ax.plot(z, np.exp(log_normal(z, *best)), "--", label="best normal q")
ax.set(xlim=(-3, 4), xlabel="z", title=f"The best q leaves a gap of {best_gap:.3f} nats")
ax.legend();

# %% [markdown]
# **What you see.** After we see the image, some codes are likelier than before: the posterior is narrower than the prior. It is also skewed, steep on the left and flat on the right, and a normal distribution cannot
# be skewed. For this decoder and a normal $q$, this part of the gap remains, however well the encoder is trained. (A second part comes from the encoder: one network must give good clouds for all
# images at once.)

# %%
vh.expect("gap of the best q, nats", best_gap, at_least=0.02, at_most=0.2, everywhere=True)
vh.expect("best gap minus gap at fixed width", best_gap - gaps.min(), at_most=0, everywhere=True)

# %% [markdown]
# ## One draw, or the formula?
#
# In training, the average over $q$ is estimated from one draw of $z$. There are two common ways to write it:
#
# - **all by drawing:** $\log p(x\mid z)+\log p(z)-\log q(z)$, as in the [convolutional VAE tutorial of TensorFlow](https://www.tensorflow.org/tutorials/generative/cvae);
# - **formula for the KL:** $\log p(x\mid z)-\mathrm{KL}$, as in this course.
#
# Both have the ELBO as their average.
#
# ### Exercise 3.3 · All by drawing
#
# Write the first of the two for a batch of images: $\log p(x\mid z)+\log p(z)-\log q(z\mid x)$ at one draw $z$ for each image. The package gives you two functions: `vh.bernoulli_nll(x, logits)` is *minus* $\log p(x\mid z)$, and `vh.gaussian_log_prob(z, mean, log_var)` is the logarithm of a normal density,
# summed over the latents.

# %%
def elbo_of_one_draw(x, logits, z, mean, log_var):
    """log p(x|z) + log p(z) − log q(z|x) in nats. x, logits: images; z, mean, log_var: (batch, latent). Returns (batch,)."""
    ### BEGIN SOLUTION
    log_px = -vh.bernoulli_nll(x, logits)
    log_prior = vh.gaussian_log_prob(z, 0.0, 0.0)
    return log_px + log_prior - vh.gaussian_log_prob(z, mean, log_var)
    ### END SOLUTION


vh.check.elbo_of_one_draw(elbo_of_one_draw)

# %% [markdown]
# **Target:** two images of two pixels and two latents, with the numbers of the next cell; `elbo_of_one_draw(*small)` should give what it prints. (`scipy.stats` computes it there, in another way.)

# %% tags=["nbval-check-output"]
small = [
    np.array([1, 0, 1, 1], "float32").reshape(2, 2, 1, 1),  # x
    np.array([2, -1, 0, 3], "float32").reshape(2, 2, 1, 1),  # logits
    *(np.array(v, "float32") for v in ([[0.5, -1], [1, 2]], [[0, -1], [1, 1]], [[0, -2], [-1, 0.5]])),
]  # the last three: z, mean, log_var
coins = stats.bernoulli(1 / (1 + np.exp(-small[1]))).logpmf(small[0]).sum(axis=(1, 2, 3))
prior_2 = stats.norm(0, 1).logpdf(small[2]).sum(axis=-1)
q = stats.norm(small[3], np.exp(0.5 * small[4])).logpdf(small[2]).sum(axis=-1)
print(*(f"{value:.3f}" for value in coins + prior_2 - q))

# %% [markdown]
# **Predict.** Which of the two estimates jumps less from draw to draw? Always?
#
# <details><summary>Open the answer when you have decided</summary>
#
# It depends on $q$. If $q$ is the posterior, then $\log p(x\mid z)+\log p(z)-\log q(z)$ is $\log p(x)$ for every $z$: it does not jump at all, and the other one does. For a poor $q$ the formula usually jumps less, because it does not draw the KL. The next cells measure both.
#
# </details>

# %%
def one_draw_values(mean, log_var, n=100_000):
    """Both estimates, from n single draws."""
    z_drawn = mean + np.exp(0.5 * log_var) * rng.normal(size=n)
    log_px = np.interp(z_drawn, z, log_likelihood)
    by_drawing = log_px + log_normal(z_drawn, 0, 0) - log_normal(z_drawn, mean, log_var)
    by_formula = log_px - lines["(5) KL"](mean, log_var)
    return {"all by drawing": by_drawing, "formula for the KL": by_formula}


clouds = {"a poor q: N(1.2, 0.3²)": (1.2, np.log(0.09)), "the best q": best}
estimates = {title: one_draw_values(*parameters) for title, parameters in clouds.items()}

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.2))
for ax, (title, parameters) in zip(axes, clouds.items()):
    for name, values in estimates[title].items():
        text = f"{name}\nvariance {values.var():.3f}"
        ax.hist(values, bins=100, range=(-8, 0), histtype="step", linewidth=2, label=text)
    ax.axvline(elbo(*parameters), color="black", linewidth=1)
    ax.set(title=title, xlabel="estimate of the ELBO from one draw", yticks=[])
    ax.legend(fontsize=9)

# %%
off = max(
    abs(v.mean() - elbo(*clouds[title])) / (v.std() / np.sqrt(v.size))
    for title, pair in estimates.items()
    for v in pair.values()
)
vh.expect("averages minus ELBO, in standard errors", off, at_most=4.5, everywhere=True)
poor, good = ({name: v.var() for name, v in pair.items()} for pair in estimates.values())
ratio = poor["all by drawing"] / poor["formula for the KL"]
vh.expect("variance, drawing / formula, poor q", ratio, at_least=1.2, everywhere=True)
ratio = good["all by drawing"] / good["formula for the KL"]
vh.expect("variance, drawing / formula, best q", ratio, at_most=0.5, everywhere=True)

# %% [markdown]
# **What you see.** The black line is the ELBO; all four histograms have it as their average (a few values lie outside the picture). For the poor $q$, the formula for the KL jumps
# less. For the best $q$ it is the other way round: if $q$ were exactly the posterior, then $\log p(x\mid z)+\log p(z)-\log q(z)$ would be $\log p(x)$ for *every* $z$, with no variance
# at all. So "the formula always has less variance" is false.
#
# But training does not follow the value; it follows the *gradient*, and its variance is another number. We draw many single gradients with respect to $\mu$ and $\log\sigma^2$, at the best
# $q$, through $z=\mu+\sigma\varepsilon$ as in lesson 02:

# %%
def gradients_of_one_draw(mean, log_var, by_formula, n=50_000):
    """The gradient of each single-draw estimate: (n, 2), for mean and log-variance."""
    m, v = (tf.fill([n], tf.constant(value, "float32")) for value in (mean, log_var))
    noise = tf.constant(rng.normal(size=n), "float32")
    with tf.GradientTape() as tape:
        tape.watch([m, v])
        z_drawn = (m + tf.exp(0.5 * v) * noise)[:, None]
        logits = z_drawn * a.astype("float32") + b.astype("float32")
        log_px = -vh.bernoulli_nll(np.tile(x, (n, 1)), logits)
        kl_formula = vh.gaussian_kl(m[:, None], v[:, None])
        kl_drawn = vh.gaussian_log_prob(z_drawn, m[:, None], v[:, None]) - vh.gaussian_log_prob(z_drawn, 0.0, 0.0)
        value = log_px - (kl_formula if by_formula else kl_drawn)
    return np.stack([g.numpy() for g in tape.gradient(value, [m, v])], axis=1)


drawn, formula = (gradients_of_one_draw(*best, by_formula).var(axis=0) for by_formula in (False, True))
print("variance of the gradient      by mean   by log_var")
print(f"all by drawing            {drawn[0]:11.2f}  {drawn[1]:11.2f}")
print(f"formula for the KL        {formula[0]:11.2f}  {formula[1]:11.2f}")
vh.expect("formula / drawing, larger of the two", max(formula / drawn), at_most=0.95, everywhere=True)

# %% [markdown]
# **What you see.** For the gradient, the formula has the smaller variance here, even for the best $q$. Both ways are right on average. In this course we take the formula, also because it
# shows the KL as a number of its own.
#
# ## The reductions lab: means where sums belong
#
# The boxed formula has a sum over pixels, hidden in $\log p(x\mid z)$, and a sum over latents, hidden in the KL. Many programs take a `mean` in one or both places. Does this only
# make the loss smaller?
#
# Let $R$ be the reconstruction summed over the $D=784$ pixels, and $K$ the KL summed over the $d=2$ latents. A mean over pixels is $R/D$, and a mean over latents is $K/d$.
# So each of these losses is $c\,(R+\beta K)$ with some number $\beta$. The factor $c$ in front scales the whole loss. Adam divides each step by the usual size of the gradient (Kingma and Ba, *Adam*, ICLR 2015), so a
# constant factor nearly cancels. But $\beta$ changes *what is optimized*.
#
# **To find the effective β of any loss: divide the factor of the summed KL by the factor of the summed reconstruction.**
#
# | loss | factor of $R$ | factor of $K$ | effective β |
# |---|---|---|---|
# | sum over pixels, sum over latents (the ELBO) | 1 | 1 | 1 |
# | sum over pixels, **mean** over latents | 1 | 1/2 | 1/2 |
# | **mean** over pixels, **mean** over latents | 1/784 | 1/2 | 392 |
# | **mean** over pixels, sum over latents | 1/784 | 1 | 784 |
#
# All of them are found on the web.
#
# ### Exercise 3.4 · The effective β of any loss
#
# Write the rule as a function. `pixels` is how many numbers one image has (64 · 64 · 3 for a colour image), `latents` how many latents the code has. `reconstruction` and `kl` are the words "sum" or "mean": how the program reduces each term. `weight` is a number that multiplies the KL term, such as the "KL weight" of many programs.

# %%
def effective_beta(pixels, latents, reconstruction, kl, weight):
    """The weight of the summed KL when the summed reconstruction has weight 1. Returns a number."""
    ### BEGIN SOLUTION
    factor_r = 1 / pixels if reconstruction == "mean" else 1
    factor_k = weight / latents if kl == "mean" else weight
    return factor_k / factor_r
    ### END SOLUTION


vh.check.effective_beta(effective_beta)

# %% [markdown]
# **Target:** the last column of the table, with weight 1. And for a loss found on the web, "mean over the pixels of 64 × 64 × 3, plus 0.001 times the sum over 64 latents": $12288\cdot0.001\approx12.3$. It looks small, and is not.
#
# Mean in place of sum is one of the most reported errors in VAE code (for example
# [keras#6015](https://github.com/keras-team/keras/issues/6015), [keras-io#270](https://github.com/keras-team/keras-io/issues/270),
# [pytorch/examples#290](https://github.com/pytorch/examples/issues/290)).
#
# **When does a model collapse?** Suppose the encoder tells nothing, $K=0$. Then the best decoder gives every image the same answer, the mean of the training images. (For each pixel, the true share of ones costs least: see the two coins.) That costs
# a fixed $R_0$:

# %%
mean_image = np.tile(data.x_train.mean(axis=0), (len(data.x_test), 1, 1, 1)).clip(1e-4, 1 - 1e-4)
r_nothing = float(np.mean(vh.bernoulli_nll(data.x_test, np.log(mean_image / (1 - mean_image)))))
vh.expect("R₀: the mean image for every image, nats", r_nothing, at_least=195, at_most=215)

# %% [markdown]
# To tell something must pay: the encoder may spend $K$ nats only if it saves more than $\beta K$ nats of reconstruction. It cannot save more than all of $R_0\approx206$. So with $\beta=392$
# it can afford at most $206/392\approx0.5$ nats. With that it could not even say which of two halves of the images is meant (that takes $\log2\approx0.69$ nats).
#
# **Predict.** Which of the four losses will still show digits? What will the images of the others look like?

# %%
D, d = np.prod(data.image_shape), 2
losses = {  # name: (factor of R, factor of K)
    "sum, sum": (1, 1),
    "sum, mean": (1, 1 / d),
    "mean, mean": (1 / D, 1 / d),
    "mean, sum": (1 / D, 1),
}


class LossFromTheWeb(vh.VAE):
    """A VAE whose loss has other factors. It still *reports* R and K as sums."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        super().compute_loss(x, y_pred=y_pred)  # writes down R and K
        reconstruction = vh.bernoulli_nll(x, y_pred["logits"])
        kl = vh.gaussian_kl(y_pred["mean"], y_pred["log_var"])
        return ops.mean(self.factor_r * reconstruction + self.factor_k * kl)  # set below

# %% tags=["nbval-check-output"]
for name, (factor_r, factor_k) in losses.items():
    print(f"{name:12s} effective β = {factor_k / factor_r:g}")

# %%
def train(factor_r, factor_k):
    keras.utils.set_random_seed(settings.seed)  # the same start for all four
    encoder = vh.mlp_encoder(data.image_shape, d, hidden=(256,))
    decoder = vh.mlp_decoder(data.image_shape, d, hidden=(256,))
    model = LossFromTheWeb(encoder, decoder)
    model.factor_r, model.factor_k = factor_r, factor_k
    model.compile(keras.optimizers.Adam(2e-3))
    history = model.fit(data.x_train, epochs=settings.epochs, batch_size=128, verbose=0)
    print(f"trained with {factor_r:.4g} · R + {factor_k:.4g} · K; loss after each epoch:", end=" ")
    print(*(f"{loss:.3f}" for loss in history.history["loss"]))
    return model


models = {name: train(*factors) for name, factors in losses.items()}

# %%
scores = {name: m.evaluate(data.x_test, verbose=0, return_dict=True) for name, m in models.items()}
print("nats per test image   KL, summed   reconstruction, summed")
for name, s in scores.items():
    print(f"{name:22s}{s['kl']:10.5f}{s['reconstruction']:25.1f}")

# %%
rows, titles = [data.x_test[:10]], ["image"]
for name, model in models.items():
    rows += [model.reconstruct(data.x_test[:10]), model.sample(10, seed=2)]
    titles += [f"{name}: reconstructed", f"{name}: new"]
vh.plot_images(rows, titles);

# %% [markdown]
# **What you see.** (All pictures are pixel means.) With *sum, sum* and *sum, mean* the reconstructions differ from image to image; some are wrong after so short a training: a 4 becomes a 9. The new images
# are digits, or shapes between digits. With *mean, mean* and *mean, sum* every picture is the same blur: the mean image. The table says why: the KL is practically zero, and $R$ is
# about $R_0$. One nat of KL now costs as much as 392 or 784 nats of reconstruction, so the encoder tells the decoder nothing, and every cloud is the prior. This is called **posterior
# collapse**. Nothing crashed. The loss even went down, and looks small and harmless.

# %%
for name in ("mean, mean", "mean, sum"):
    vh.expect(f"KL of '{name}', nats", scores[name]["kl"], at_most=0.01)
    spread = np.std(models[name].sample(10, seed=2), axis=0).max()
    vh.expect(f"largest difference of new images, '{name}'", spread, at_most=0.02)
vh.expect("KL of 'sum, sum', nats", scores["sum, sum"]["kl"], at_least=4)
saved = r_nothing - scores["sum, sum"]["reconstruction"]
vh.expect("nats of reconstruction saved per nat of KL", saved / scores["sum, sum"]["kl"], at_least=7, at_most=13)
off = abs(scores["mean, mean"]["reconstruction"] - r_nothing)
vh.expect("'mean, mean': R minus R₀", off, at_most=2)

# %% [markdown]
# In *sum, sum*, each nat of KL saves about ten nats of reconstruction. So a loss with $\beta$ well above ten must give up most of it. Try one between, such as 10, in the exercises.
#
# And the second, *sum, mean*, with $\beta=\frac12$? It does not collapse. It pays *less* for the KL, so its KL is larger and its reconstruction is better. But its loss is no longer the
# negative ELBO. Minus $(R+\beta K)$ is a bound on $\log p(x)$ for $\beta=1$, and for any $\beta$ above 1, because then it is even smaller. For $\beta$ below 1 there is no such guarantee.
# (This is about the loss with sums: first divide it by $c$.) To compare models, take the true ELBO, $-(R+K)$, here estimated with one draw per test image:

# %%
for name, s in scores.items():
    print(f"{name:12s} ELBO, estimated {-(s['reconstruction'] + s['kl']):8.1f}")
more = scores["sum, mean"]["kl"] - scores["sum, sum"]["kl"]
vh.expect("KL of 'sum, mean' minus 'sum, sum'", more, at_least=0.3)

# %% [markdown]
# The first two are close after so short a training, and one seed cannot decide between them.
#
# One last check of the table itself. If *mean, mean* really is $\frac1{784}(R+392\,K)$, then its gradient must be the gradient of `vh.VAE(…, beta=392)`, divided by 784.
# Same parameters, same noise:

# %%
def gradient(model, x):
    model.reseed(0)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y_pred=model(x))
    return np.concatenate([g.numpy().ravel() for g in tape.gradient(loss, model.trainable_variables)])


web = models["mean, mean"]
with_beta = vh.VAE(web.encoder, web.decoder, beta=392)
x = data.x_test[:100]
difference = np.abs(D * gradient(web, x) - gradient(with_beta, x)).max()
size = np.abs(gradient(with_beta, x)).max()
vh.expect("difference of the gradients / their size", difference / size, at_most=1e-4, everywhere=True)

# %% [markdown]
# ## Exercise 3.5 · Change it, and explain
#
# Here you have no check but your own eyes. (Lines that end in "as expected" were written for the numbers in the lesson. When you change something, they may say OFF.)
#
# **First:** train the small network with $\beta=10$: `train(1, 10).evaluate(data.x_test, verbose=0, return_dict=True)`. Before you run it: will its KL stay as it was, become smaller, or vanish? The sentence above says that a nat of KL saves about ten nats, *on average*. What must be true of the last nat that the model keeps?
#
# <details><summary>Open the answer when you have tried</summary>
#
# It does not collapse, but the KL falls to about a third: 1.9 nats when we ran it, with a reconstruction of 171.7. Against $R_0\approx206$, these nats save $206-171.7\approx34$ nats, about 18 each, more than the average of ten. So the first nats save most, and later ones less. With $\beta=10$ the model keeps only the nats that save more than ten.
#
# </details>
#
# **Then:**
#
# - Give the target with two hills a third hill. What do the covering and the seeking $q$ do now?
# - In the model with four pixels, make the slopes `a` ten times smaller. What does the posterior become? And the gap? Why?
#
# ## To take away
#
# 1. $\mathrm{KL}(q\|p)$ is the average extra surprise of believing $p$ when $q$ is true. It is never negative, it is zero only where both agree, and its two directions differ.
# 2. For the cloud and the prior it is $\frac12\sum(\mu^2+\sigma^2-1-\log\sigma^2)$. You have checked it by quadrature, by Monte Carlo and by a library.
# 3. $\log p(x)=\mathrm{ELBO}+\mathrm{KL}(q\,\|\,p(z\mid x))$. The ELBO is a bound on the log-probability of an image, not the log-probability itself.
# 4. One draw estimates the ELBO. With the KL by formula or by drawing the average is the same; which *value* jumps less depends on $q$, and the *gradient* is another matter.
# 5. A mean in place of a sum changes the weight of the KL. Find the effective β before you trust a loss.
#
# **Where the ideas come from.** S. Kullback and R. Leibler, *On information and sufficiency* (1951). D. Kingma and M. Welling, *Auto-Encoding Variational Bayes*, ICLR 2014:
# the second derivation is equations 1 to 3, the closed form is in appendix B, and their two estimators are equations 6 and 7. Variance of value and gradient at the posterior: G. Roeder, Y. Wu and D. Duvenaud,
# *Sticking the Landing*, NIPS 2017. The two parts of the gap: C. Cremer, X. Li and D. Duvenaud, *Inference Suboptimality in Variational Autoencoders*, ICML 2018.
# β: I. Higgins and others, *beta-VAE*, ICLR 2017.
#
# **Next:** lesson 04 gives the network eyes: convolutions.
