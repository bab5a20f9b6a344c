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
# You derive the loss of the VAE line by line, compute every line, and learn to see which losses from the web make every picture the same.
#
# **Time.** {{time}}
#
# **You will be able to**
#
# - say what the KL divergence measures, and what each of its two directions asks for;
# - derive the KL term of the VAE, and test such a formula by quadrature and by draws, for one latent and for two;
# - derive the ELBO in two ways, and say what the gap between it and $\log p(x)$ is;
# - find the *effective β* of any VAE loss, and say which losses collapse, and why.
#
# **You need** lesson 02 (cloud, `mean`, `log_var`, prior, decoder, surprise in nats), logarithms, derivatives, and the idea of an integral as an area.
#
# | sign | what it means |
# |---|---|
# | $r$, $\hat r$ | a probability that is a number: the true one, and the one that somebody believes |
# | $q(z)$ | the cloud of one image: a normal distribution of middle $\mu$ and width $\sigma$; short for $q(z\mid x)$ |
# | $p(\ldots)$ | always the model: $p(z)$ is the prior, $p(x\mid z)$ the decoder; two more come in sitting B |
# | $\mathbb E_q[\,f(z)\,]$ | the average of $f(z)$ when $z$ is drawn from $q$ |
# | $\mathrm{KL}(A\,\Vert\,B)$ | the divergence of this lesson; the average is taken over the first one, $A$ |
# | $R$, $K$, $\beta$ | the reconstruction term and the KL term of an image, in nats, and the weight of $K$ |
# | $D$, $d$ | the number of pixels, and the number of latents |

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import ops
from scipy import stats
from scipy.linalg import subspace_angles
from scipy.optimize import minimize

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=5, budget=2, seeds=3)
data = vh.load_images("mnist", binarize="threshold", validation=5000)
rng = np.random.default_rng(0)

# %% [markdown]
# The first line says how much will be computed.
# The *full profile* is the whole lesson; the tests of the course run a *quick* one.
# Then come the epochs of a long training, those of each short one (the *budget*), and how many seeds a comparison takes.
#
# The images come back in sitting B. Until then we need only numbers.

# %% [markdown] sitting="A"
# ## Sitting A: how wrong is a belief? · {{minutes}} min
#
# ### Two coins
#
# A coin shows heads with probability $r$.
# You believe that the probability is $\hat r$.
# How wrong are you?
#
# Lesson 02 measured the *surprise* about an outcome: minus the logarithm of its probability, in nats.
# With your belief, heads surprise you by $-\log\hat r$ and tails by $-\log(1-\hat r)$.
# Somebody who knows $r$ is surprised by $-\log r$ and $-\log(1-r)$.
# The difference is your **extra surprise**: $\log\frac{r}{\hat r}$ for heads, and $\log\frac{1-r}{1-\hat r}$ for tails.
#
# Average it over what really happens.
# This is the **Kullback–Leibler divergence**, or KL for short:
#
# $$\mathrm{KL}(r\,\Vert\,\hat r) = r\,\log\frac{r}{\hat r} + (1-r)\,\log\frac{1-r}{1-\hat r}$$
#
# **Predict.** For a fair coin, $r=\frac12$: at which belief is the KL zero?
# Can it be negative?
# What happens when you are sure of tails, $\hat r\to0$, but heads do come?
#
# <details><summary>Open the answer when you have decided</summary>
#
# It is zero at $\hat r=\frac12$ only, where the belief is right.
# It is never negative: nobody is less surprised on average than the one who knows.
# It grows without bound for $\hat r\to0$: an event that you call impossible surprises you infinitely when it comes.
#
# </details>

# %% alt="Two curves of the KL in nats over the believed probability. Each touches zero at the true probability, 0.5 or 0.9, and rises to both sides."
def kl_coins(true, believed):
    """KL(true ‖ believed) of two coins, in nats."""
    return true * np.log(true / believed) + (1 - true) * np.log((1 - true) / (1 - believed))


beliefs = np.linspace(0.005, 0.995, 199)
fig, ax = plt.subplots(figsize=(7.5, 3.4))
for true, style in ((0.5, "-"), (0.9, "--")):
    ax.plot(beliefs, kl_coins(true, beliefs), style, label=f"true probability r = {true}")
ax.set(xlabel="believed probability", ylabel="KL in nats", title="The extra surprise of a wrong belief")
ax.legend();

# %% [markdown]
# **What you see.** Each curve touches zero where the belief is right, and nowhere else.
# No curve goes below zero; a proof comes at the end of this sitting.
# At the ends both grow without bound.
# The picture stops at 0.005, so it cannot show this.
#
# An average can be checked by trying.
# We toss the second coin, and average your extra surprise when you believe in $\hat r=\frac12$.

# %%
true, believed = 0.9, 0.5
print("   tosses     average ± standard error     formula")
for tosses in (100, 10_000, 1_000_000):
    heads = rng.random(tosses) < true
    extra = np.where(heads, np.log(true / believed), np.log((1 - true) / (1 - believed)))  # one value a toss
    error = extra.std() / np.sqrt(tosses)
    print(f"{tosses:9,d}     {extra.mean():.4f} ± {error:.4f}              {kl_coins(true, believed):.4f}")

# %% tags=["guard"]
off = abs(extra.mean() - kl_coins(true, believed)) / error
vh.expect("a million tosses minus formula, in standard errors", off, at_most=4.5, everywhere=True)

# %% [markdown]
# **What you see.** The averages come nearer to the formula.
# To compute an average by drawing is called **Monte Carlo**.
#
# The **standard error** says how far such an average is typically off.
# It is the standard deviation of one value, divided by the square root of the number of values.
# So a hundred times more tosses give ten times less error.
# An average that is more than 4 standard errors off has hardly happened by chance.
#
# ### From coins to clouds
#
# A code $z$ can be any number.
# So probabilities become **densities**: the height of a curve, under which areas are probabilities.
# The sum over heads and tails becomes an integral.
# For two densities $A$ and $B$:
#
# $$\mathrm{KL}(A\,\Vert\,B) = \mathbb E_A\!\left[\log\frac{A(z)}{B(z)}\right] = \int A(z)\,\log\frac{A(z)}{B(z)}\,dz$$
#
# One rule holds in the whole course: **the average is taken over the first one.**
# The first one says what really happens, the second one is the belief.
# If $A$ puts some probability where $B$ is zero, the KL is infinite.
#
# In a VAE the first is the cloud $q(z)$ of one image, because the codes are drawn from it.
# The second is the prior $p(z)=\mathcal N(0,1)$.
# We begin with one latent.
# To integrate, we evaluate the function on a fine grid and add up thin strips: this is **quadrature**.

# %%
z = np.linspace(-12, 12, 24_001)  # the grid for all integrals over one latent


def log_normal(z, mean, log_var):
    """The logarithm of the density of N(mean, exp(log_var)) at z."""
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mean) ** 2 / np.exp(log_var))


def integrate(values):
    """The area under a curve that is given on the grid."""
    return np.sum(values) * (z[1] - z[0])


# %% alt="Left: a narrow bell, the cloud, at 1.5 and a wide bell, the prior, at 0. Right: the integrand, positive where the cloud is above the prior, and a little negative at the left foot of the cloud."
mean, log_var = 1.5, np.log(0.25)  # a cloud: middle 1.5, width 0.5
log_q, log_p = log_normal(z, mean, log_var), log_normal(z, 0.0, 0.0)
integrand = np.exp(log_q) * (log_q - log_p)

fig, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharex=True)
axes[0].plot(z, np.exp(log_q), label="q(z), the cloud")
axes[0].plot(z, np.exp(log_p), "--", label="p(z), the prior")
axes[1].fill_between(z, integrand, where=integrand > 0, color="C0", label="adds")
axes[1].fill_between(z, integrand, where=integrand < 0, color="C1", label="subtracts")
axes[0].set(xlim=(-4, 4), xlabel="z", title="two densities")
axes[1].set(xlabel="z", title=f"what is integrated: the area is {integrate(integrand):.3f} nats")
for ax in axes:
    ax.legend(loc="upper left")

# %% [markdown]
# **What you see.** Left, the two densities.
# Right, $q\log\frac{q}{p}$, which is integrated.
# Where $q$ lies above $p$, the logarithm is positive and the area adds.
# Where $q$ lies below $p$, at the left foot of the cloud and again right of 3.2, it subtracts a little.
# The prior left of 0 hardly counts, because $q$ is nearly zero there.
#
# ### The two directions differ
#
# $\mathrm{KL}(A\Vert B)$ averages over $A$, and $\mathrm{KL}(B\Vert A)$ averages over $B$.
# Does it matter?
# Take a **target** with two hills, and look for the normal distribution $q$ that is nearest to it.
# We do it twice.
# First we make $\mathrm{KL}(\text{target}\,\Vert\,q)$ small, then $\mathrm{KL}(q\,\Vert\,\text{target})$.
#
# **Predict.** One answer is a wide hill over both.
# The other one sits on one hill alone.
# Which is which?
#
# <details><summary>Open the answer when you have decided</summary>
#
# $\mathrm{KL}(\text{target}\,\Vert\,q)$ averages over the target.
# Wherever the target is high, $q$ must not be low, so $q$ covers both hills: the wide one.
#
# $\mathrm{KL}(q\,\Vert\,\text{target})$ averages over $q$.
# Wherever $q$ is high, the target must not be low, so $q$ stays out of the valley: one hill alone.
#
# </details>

# %%
log_target = np.logaddexp(  # log(eᵃ + eᵇ) of the two hills
    np.log(0.6) + log_normal(z, -2.0, np.log(0.5)),
    np.log(0.4) + log_normal(z, 2.5, np.log(0.5)),
)


def kl_on_grid(log_a, log_b):
    """KL(A ‖ B) of two densities, given by their logarithms on the grid."""
    return integrate(np.exp(log_a) * (log_a - log_b))


def target_to_q(q):
    return kl_on_grid(log_target, log_normal(z, *q))


def q_to_target(q):
    return kl_on_grid(log_normal(z, *q), log_target)


# %% alt="A grey target with a higher hill at -2 and a lower one at 2.5. A wide bell covers both and the valley. A narrow dashed bell lies on the hill at -2."
# `minimize` tries many values of (mean, log_var), and keeps those with the lowest KL
covering = minimize(target_to_q, x0=[-1.0, 0.0], method="Nelder-Mead")
seeking = minimize(q_to_target, x0=[-1.0, 0.0], method="Nelder-Mead")
other = minimize(q_to_target, x0=[2.0, 0.0], method="Nelder-Mead")  # the same from another start

fig, ax = plt.subplots(figsize=(7.5, 3.4))
ax.fill_between(z, np.exp(log_target), color="0.85", label="target")
ax.plot(z, np.exp(log_normal(z, *covering.x)), label="smallest KL(target ‖ q)")
ax.plot(z, np.exp(log_normal(z, *seeking.x)), "--", label="smallest KL(q ‖ target)")
ax.set(xlim=(-6, 6), ylim=(0, 0.75), xlabel="z", ylabel="density", title="Two answers to one question")
ax.legend(loc="upper right")
print(f"KL(q ‖ target): {seeking.fun:.2f} nats on the left hill, {other.fun:.2f} on the right one")

# %% tags=["guard"]
target_mean = integrate(np.exp(log_target) * z)
target_var = integrate(np.exp(log_target) * (z - target_mean) ** 2)
off = max(abs(covering.x[0] - target_mean), abs(np.exp(covering.x[1]) - target_var))
vh.expect("covering: mean and variance minus the target's", off, at_most=0.01, everywhere=True)
vh.expect("seeking: distance from the higher hill", abs(seeking.x[0] + 2.0), at_most=0.05, everywhere=True)
off = max(abs(seeking.fun + np.log(0.6)), abs(other.fun + np.log(0.4)))
vh.expect("KL on one hill minus −log share", off, at_most=0.01, everywhere=True)

# %% [markdown]
# **What you see.** The first $q$ *covers* everything, also the valley, where the target is almost zero.
# The second $q$ avoids the valley and *seeks* one hill.
#
# Its start decides which hill.
# From a start on the right it stays on the right hill, although that costs more: 0.91 nats against 0.51.
# Where do these numbers come from?
# On the left hill, the target is the left hill times its share 0.6, because the other hill is far away.
# If $q$ is this hill, then $\log\frac{q}{\text{target}}=\log\frac1{0.6}=0.51$ everywhere, and so is the average.
# On the right it is $\log\frac1{0.4}=0.92$; the search found a $q$ that leans to the left hill a little, and is a trace better.
#
# The VAE uses the second kind: $q$ stands first, in both places where a KL will appear.
#
# **Question.** A forecast says "never rain here".
# In truth it rains on one day in ten.
# One direction of the KL between truth and forecast is infinite.
# Which one, and what is the other one?
#
# <details><summary>Open the answer when you have decided</summary>
#
# $\mathrm{KL}(\text{truth}\,\Vert\,\text{forecast})$ is infinite: averaged over the truth, it rains, and the forecast called this impossible.
# $\mathrm{KL}(\text{forecast}\,\Vert\,\text{truth})$ averages over a world without rain: it is $\log\frac{1}{0.9}=0.105$ nats.
#
# </details>
#
# **Question.** The target gets a third hill.
# What will the two kinds of $q$ do?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The covering $q$ takes the mean and the variance of the whole target, so it moves, and becomes wider if the new hill lies outside.
# (It minimizes the average of $-\log q$ over the target.
# $\log q$ is a parabola in $z$, so of the target only mean and variance enter, and it is cheapest to have the same two.)
# The seeking $q$ stays on the hill on which it started, if the hills are far apart.
# The cheapest place is the hill with the largest share: it costs minus the logarithm of that share.
#
# </details>
#
# ### The formula, line by line
#
# For one latent, quadrature is enough.
# For 20 latents such a grid would need $24001^{20}\approx10^{88}$ points.
# For normal distributions there is a formula.
# Each line below will be a line of code, so that each can be tested.
#
# Write the KL as a difference of two averages over $q$:
#
# $$\mathrm{KL}(q(z)\,\Vert\,p(z))=\mathbb E_q[\log q(z)]-\mathbb E_q[\log p(z)]$$
#
# The logarithms of the two densities are short sums (see `log_normal` above):
#
# $$\log q(z)=-\tfrac12\Big(\log 2\pi+\log\sigma^2+\frac{(z-\mu)^2}{\sigma^2}\Big)\qquad\quad \log p(z)=-\tfrac12\big(\log 2\pi+z^2\big)$$
#
# Only two squares depend on $z$.
# Their averages are
#
# $$\text{(1)}\quad \mathbb E_q\!\left[\frac{(z-\mu)^2}{\sigma^2}\right]=1 \qquad\qquad \text{(2)}\quad \mathbb E_q[z^2]=\mu^2+\sigma^2$$
#
# (1) is the definition of the variance, divided by the variance.
# (2) is the rule "mean of the square = square of the mean + variance".
# Put them in:
#
# $$\text{(3)}\quad \mathbb E_q[\log q(z)]=-\tfrac12\left(\log 2\pi+\log\sigma^2+1\right)$$
#
# $$\text{(4)}\quad \mathbb E_q[\log p(z)]=-\tfrac12\left(\log 2\pi+\mu^2+\sigma^2\right)$$
#
# Subtract (4) from (3).
# The terms with $\log 2\pi$ cancel:
#
# $$\text{(5)}\quad \mathrm{KL}(q(z)\,\Vert\,p(z))=\tfrac12\left(\mu^2+\sigma^2-1-\log\sigma^2\right)$$

# %%
def derivation(mean, log_var):
    """Each line: its name, what is averaged over q, and what the line says that the average is."""
    var = np.exp(log_var)
    log_q, log_p = (lambda z: log_normal(z, mean, log_var)), (lambda z: log_normal(z, 0.0, 0.0))
    return [
        ("(1) (z-μ)²/σ²", lambda z: (z - mean) ** 2 / var, 1.0),
        ("(2) z²", lambda z: z**2, mean**2 + var),
        ("(3) log q(z)", log_q, -0.5 * (np.log(2 * np.pi) + log_var + 1)),
        ("(4) log p(z)", log_p, -0.5 * (np.log(2 * np.pi) + mean**2 + var)),
        ("(5) log q(z) - log p(z)", lambda z: log_q(z) - log_p(z), 0.5 * (mean**2 + var - 1 - log_var)),
    ]


# %% [markdown]
# Now each average in three ways that know nothing of each other: by the formula, by quadrature, and by 100,000 draws.

# %%
draws = mean + np.exp(0.5 * log_var) * rng.normal(size=100_000)
print(f"{'average of':25s}formula   quadrature     draws ± standard error")
for name, inside, formula in derivation(mean, log_var):
    quadrature = integrate(np.exp(log_q) * inside(z))
    values = inside(draws)
    print(f"{name:25s}{formula:7.4f}   {quadrature:10.4f}   {values.mean():7.4f} ± {values.std() / np.sqrt(values.size):.4f}")

# %% tags=["guard"]
off_quadrature, off_draws = 0.0, 0.0
for cloud in ((1.5, np.log(0.25)), (-0.7, 0.8), (0.0, 0.0), (2.0, -3.0)):  # four different clouds
    drawn = cloud[0] + np.exp(0.5 * cloud[1]) * np.random.default_rng(7).normal(size=100_000)
    for _, inside, formula in derivation(*cloud):
        quadrature = integrate(np.exp(log_normal(z, *cloud)) * inside(z))
        off_quadrature = max(off_quadrature, abs(quadrature - formula))
        values = inside(drawn)
        off_draws = max(off_draws, abs(values.mean() - formula) / max(values.std() / np.sqrt(values.size), 1e-9))
vh.expect("formula minus quadrature", off_quadrature, at_most=1e-6, everywhere=True)
vh.expect("formula minus draws, in standard errors", off_draws, at_most=4.5, everywhere=True)
exact_kl = derivation(mean, log_var)[-1][2]
package = float(vh.gaussian_kl([[mean]], [[log_var]])[0])
vh.expect("formula minus vh.gaussian_kl", abs(exact_kl - package), at_most=1e-5, everywhere=True)
if tfp := vh.tensorflow_probability(left_out="formula minus library"):
    tfd = tfp.distributions
    library = tfd.kl_divergence(tfd.Normal(float(mean), float(np.exp(0.5 * log_var))), tfd.Normal(0.0, 1.0))
    vh.expect("formula minus library", abs(exact_kl - library), at_most=1e-5, everywhere=True)

# %% [markdown]
# **What you see.** Formula and quadrature agree in all digits, and the draws within their errors.
# If a line of a derivation is wrong, such a table shows where to look first.
# Try it: write `mean` in place of `mean**2` in line (4), and run both cells again.
# (Then put it back, restart, and run all: otherwise later drawn numbers differ a little from the text.)
#
# ### Several latents: a sum, not a mean
#
# A cloud with two latents is a product, $q(z_1, z_2)=q_1(z_1)\,q_2(z_2)$, because its latents are independent.
# The prior is a product as well.
# The logarithm of a product is a sum, so
#
# $$\log\frac{q(z_1,z_2)}{p(z_1,z_2)}=\log\frac{q_1(z_1)}{p_1(z_1)}+\log\frac{q_2(z_2)}{p_2(z_2)}$$
#
# Average the first summand over the cloud.
# It does not contain $z_2$, and the area under $q_2$ is 1:
#
# $$\iint q_1(z_1)\,q_2(z_2)\log\frac{q_1(z_1)}{p_1(z_1)}\,dz_1\,dz_2
# =\int q_1(z_1)\log\frac{q_1(z_1)}{p_1(z_1)}\,dz_1\cdot\underbrace{\int q_2(z_2)\,dz_2}_{1}=\mathrm{KL}_1$$
#
# The second summand gives $\mathrm{KL}_2$ in the same way.
# So the KL of the whole cloud is the **sum** of the KLs of its latents.
# A sum, not a mean: sitting B shows what a mean does to the loss, over the latents and over the pixels.
# Let us test it in the plane, with a grid and with draws that know nothing of formula (5).
#
# **Predict.** Our two latents have KLs of 1.443 and 0.278 nats.
# What will the plane give: 0.861, their mean, or 1.722, their sum?

# %%
means, log_vars = np.array([1.5, -0.5]), np.log([0.25, 2.0])


def log_ratio(points):
    """log q - log p at points of the plane: (…, 2). The density of a pair is the product of two densities."""
    return (log_normal(points, means, log_vars) - log_normal(points, 0.0, 0.0)).sum(axis=-1)


line = np.linspace(-9, 9, 901)
plane = np.stack(np.meshgrid(line, line), axis=-1)  # (901, 901, 2): every point of a square grid
density = np.exp(log_normal(plane, means, log_vars).sum(axis=-1))
by_quadrature = np.sum(density * log_ratio(plane)) * (line[1] - line[0]) ** 2  # strips become small squares
values = log_ratio(means + np.exp(0.5 * log_vars) * rng.normal(size=(100_000, 2)))

each = 0.5 * (means**2 + np.exp(log_vars) - 1 - log_vars)  # formula (5), once for each latent
print(f"each latent {each.round(3)}   sum {each.sum():.3f}   mean {each.mean():.3f}")
print(f"quadrature in the plane {by_quadrature:.3f}   draws {values.mean():.3f} ± {values.std() / np.sqrt(values.size):.3f}")

# %% tags=["guard"]
vh.expect("two latents: sum minus quadrature", abs(each.sum() - by_quadrature), at_most=1e-6, everywhere=True)
off = abs(values.mean() - each.sum()) / (values.std() / np.sqrt(values.size))
vh.expect("two latents: draws minus sum, in standard errors", off, at_most=4.5, everywhere=True)

# %% [markdown]
# **What you see.** The answer: the sum.
# It is 1.722 by quadrature, and little more than one standard error away by draws.
# A mean over the latents is another number, and not the KL of anything here.
#
# **Question.** Suppose that the two latents of a cloud depended on each other.
# Would the KL be smaller or larger than the sum?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Larger.
# Multiply and divide by $q_1q_2$ inside of the logarithm:
# $\log\frac{q}{p_1p_2}=\log\frac{q}{q_1q_2}+\log\frac{q_1}{p_1}+\log\frac{q_2}{p_2}$.
# The average of the last two is the sum as before.
# The average of the first one is $\mathrm{KL}(q\,\Vert\,q_1q_2)$, which is above zero when the latents depend on each other.
#
# </details>
#
# ### Exercise 3.1 · The KL of a batch · 6 min
#
# Write formula (5) for a whole batch with several latents, as a VAE needs it: one number for each image, the sum over its latents.
# You get `log_var`, not $\sigma$.
# Use `ops`, so that gradients can pass.

# %%
def gaussian_kl(mean, log_var):
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) in nats. mean, log_var: (batch, latent). Returns (batch,)."""
    ### BEGIN SOLUTION
    return 0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var, axis=-1)
    ### END SOLUTION


vh.check.gaussian_kl(gaussian_kl)

# %% [markdown]
# **Target:** for three clouds with two latents, the numbers below.
# The first cloud is the prior itself.

# %% tags=["nbval-check-output"]
three_means = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, -2.0]])
three_log_vars = np.array([[0.0, 0.0], [0.0, -1.0], [1.0, -3.0]])
print(*(f"{kl + 0:.3f}" for kl in vh.gaussian_kl(three_means, three_log_vars)))

# %% [markdown]
# From here on the lesson uses `vh.gaussian_kl`, which gives the same numbers.
#
# **What training feels.** Training follows the derivatives of (5):
#
# $$\frac{\partial\,\mathrm{KL}}{\partial\mu}=\mu,\qquad \frac{\partial\,\mathrm{KL}}{\partial\log\sigma^2}=\tfrac12\left(\sigma^2-1\right)$$
#
# The KL pulls $\mu$ towards 0 like a spring: twice as far, twice as strong.
# It pulls $\sigma$ towards 1.
# (For the formula on the right, $\sigma^2=e^{\log\sigma^2}$, and the derivative of $e^v$ with respect to $v$ is $e^v$.)

# %% tags=["guard"]
def kl_quadrature(mean, log_var):
    return kl_on_grid(log_normal(z, mean, log_var), log_normal(z, 0.0, 0.0))


by_formula = np.array([mean, 0.5 * (np.exp(log_var) - 1)])
m, v = tf.Variable([[mean]], dtype="float32"), tf.Variable([[log_var]], dtype="float32")
with tf.GradientTape() as tape:
    spring = vh.gaussian_kl(m, v)
by_tape = np.array([g.numpy().item() for g in tape.gradient(spring, [m, v])])
h = 1e-4
by_differences = np.array([
    (kl_quadrature(mean + h, log_var) - kl_quadrature(mean - h, log_var)) / (2 * h),
    (kl_quadrature(mean, log_var + h) - kl_quadrature(mean, log_var - h)) / (2 * h),
])  # fmt: skip
vh.expect("gradient: formula minus tape", abs(by_formula - by_tape).max(), at_most=1e-5, everywhere=True)
off = abs(by_formula - by_differences).max()
vh.expect("gradient: formula minus differences", off, at_most=1e-5, everywhere=True)

# %% [markdown]
# ### Exercise 3.2 · Between any two normal distributions (harder) · 12 min
#
# Now both sides may be any normal distribution: $A$ with mean $\mu_A$ and variance $\sigma_A^2$, and $B$ with $\mu_B$ and $\sigma_B^2$.
# Derive $\mathrm{KL}(A\,\Vert\,B)$ on paper, in the five lines from above.
# Which of them change?
# Then write it for a batch, again with `ops`.
#
# <details><summary>A hint, if you want one</summary>
#
# $A$ plays the part of $q$, and $B$ that of the prior, so (1) and (3) stay.
# In place of (2) you need the average of $(z-\mu_B)^2$ over $A$: the variance of $A$ plus the squared distance of the means.
#
# </details>

# %%
def kl_between(mean_a, log_var_a, mean_b, log_var_b):
    """KL(A ‖ B) of two normal distributions, in nats. All arguments: (batch, latent). Returns (batch,)."""
    ### BEGIN SOLUTION
    squares = ops.exp(log_var_a) + (mean_a - mean_b) ** 2  # the average of (z - mean_b)² over A
    return 0.5 * ops.sum(log_var_b - log_var_a + squares / ops.exp(log_var_b) - 1, axis=-1)
    ### END SOLUTION


vh.check.kl_between(kl_between)

# %% [markdown]
# **Target:** quadrature knows nothing of formulas.
# For $A=\mathcal N(1.5,\,0.25)$ and $B=\mathcal N(0,\,4)$ (the second number is the variance) it gives the numbers below, one for each direction.
# To compare: `kl_between(np.array([[1.5]]), np.log([[0.25]]), np.array([[0.0]]), np.log([[4.0]]))`.

# %% tags=["nbval-check-output"]
log_a, log_b = log_normal(z, 1.5, np.log(0.25)), log_normal(z, 0.0, np.log(4.0))
print(f"KL(A ‖ B) = {kl_on_grid(log_a, log_b):.3f}   KL(B ‖ A) = {kl_on_grid(log_b, log_a):.3f}")

# %% [markdown]
# ### Why a KL is never negative: a curve and its chord
#
# The logarithm bends downward.
# Take two points on its curve and join them by a straight line, a **chord**.
# The chord lies below the curve.

# %% alt="The curve of the logarithm, and a straight chord from the number 1 to the number 9 below it. Over 5, the mean of 1 and 9, the curve is at 1.61 and the chord at 1.10."
numbers = np.linspace(0.4, 11, 200)
fig, ax = plt.subplots(figsize=(7.5, 3.6))
ax.plot(numbers, np.log(numbers), label="logarithm")
ax.plot([1, 9], np.log([1, 9]), "C1o-", label="chord from 1 to 9")
ax.vlines(5, np.log(9) / 2, np.log(5), color="0.5", linestyle=":")
ax.plot(5, np.log(5), "C0o")
ax.plot(5, np.log(9) / 2, "C1o")
ax.annotate("logarithm of the mean: log 5 = 1.61", (5, 1.61), (0.6, 2.1), fontsize=11)
ax.annotate("mean of the logarithms: ½ (log 1 + log 9) = 1.10", (5, 1.10), (4.7, 0.6), fontsize=11)
ax.set(xlabel="number", ylabel="its logarithm", ylim=(-0.9, 2.6), xlim=(0, 11.2), title="The curve lies above its chord")
ax.legend(loc="lower right");

# %% [markdown]
# **What you see.** Over the mean of 1 and 9, which is 5, the curve is at $\log5=1.61$.
# The chord there is half-way between its ends: the mean of the logarithms, 1.10.
# For any positive random number $Y$ this is **Jensen's inequality**:
#
# $$\mathbb E[\log Y]\ \le\ \log\mathbb E[Y]$$
#
# For more than two numbers, take the straight line that touches the curve at $m=\mathbb E[Y]$.
# The curve lies below it: $\log Y\le\log m+\frac{Y-m}{m}$, and touches it at $Y=m$ only.
# Average both sides: the fraction becomes 0, and $\log m$ remains.
# Both sides are equal only if $Y$ is always the same number.
#
# **The proof.** Let $Y=\frac{B(z)}{A(z)}$, with $z$ drawn from $A$, so that $A(z)>0$:
#
# $$-\mathrm{KL}(A\Vert B)=\mathbb E_A\!\left[\log\frac{B(z)}{A(z)}\right]
# \le\log\mathbb E_A\!\left[\frac{B(z)}{A(z)}\right]=\log\int_{A>0} A(z)\,\frac{B(z)}{A(z)}\,dz=\log\int_{A>0}B(z)\,dz\le\log1=0$$
#
# When is the KL zero?
# Then both signs $\le$ must be equalities.
# The first one wants the ratio $\frac BA$ to be the same number in all places where $A>0$.
# The second one wants all of $B$ to lie in these places.
# So the area under $B$, which is 1, is this number times the area under $A$, which is 1 as well.
# The number is 1, and $B=A$.
#
# **Stop here, if you like.** Three questions for the way home:
#
# 1. The cloud of an image has $\mu=(2, 0)$ and $\sigma=(1, 1)$.
#    How many nats is its KL to the prior?
# 2. A hundred times more draws: how much smaller is the standard error?
# 3. Which $q$ has the smallest $\mathrm{KL}(q(z)\Vert p(z))$, and why is this not what a VAE wants?
#
# <details><summary>Open the answers</summary>
#
# 1. $\frac12(4+1-1-0)+\frac12(0+1-1-0)=2$ nats.
# 2. Ten times.
# 3. The prior itself, with KL 0.
#    Then every image has the same cloud, and the code says nothing about the image.
#
# </details>

# %% [markdown] sitting="B"
# ## Sitting B: where the loss comes from · {{minutes}} min
#
# *On another day?*
# First run all cells above this one, without reading: *Run → Run All Above Selected Cell* in JupyterLab, *Runtime → Run before* in Colab.
# It takes some seconds.
#
# Sitting A in one line: $\mathrm{KL}(A\Vert B)=\mathbb E_A\big[\log\frac AB\big]$, never negative, and a sum over independent latents.
#
# ### What do we want?
#
# A good model of images gives real images a high probability.
# The model of a VAE makes an image in two steps.
# It draws a code $z$ from the prior $p(z)$.
# Then the decoder gives the probability of each pixel, $p(x\mid z)$, and the image $x$ is drawn from it.
# The probability that this machine makes just the image $x$ is $p(x)$, the **evidence**.
# We want it, or its logarithm $\log p(x)$, to be high.
#
# We take a machine so small that we can watch it.
# One latent, and an image of four pixels.
# The decoder: pixel $i$ is 1 with probability $\mathrm{sigmoid}(\text{slope}_i\cdot z+\text{offset}_i)$.
# We have one image, and let the machine run 200,000 times.
#
# **Predict.** The first pixel has the slope 10: it is nearly always 1 for $z$ above 0, and nearly always 0 for $z$ below $-0.8$.
# In our image it is 1.
# Which codes will have made our image: (a) all kinds, as in the prior, (b) mostly those between $-0.4$ and 1.5, (c) mostly those below $-0.4$?

# %% alt="Two histograms of codes. Grey: all codes, a wide bell around 0. Blue: the codes that made our image, narrower, with a steep left side at -0.4 and a long right side."
slopes, offsets = np.array([10.0, 1.0, -1.0, 0.5]), np.array([4.0, 0.0, 1.0, 0.0])
x = np.array([1, 0, 1, 1])  # our image


def pixel_probabilities(z):
    """The decoder: the probability of a 1, for each code and pixel. z: (n,). Returns (n, 4)."""
    return 1 / (1 + np.exp(-(slopes * z[:, None] + offsets)))


codes = rng.normal(size=200_000)  # step 1: z from the prior
images = rng.random((200_000, 4)) < pixel_probabilities(codes)  # step 2: the pixels
made_x = np.all(images == x, axis=1)  # did this run make our image?

fig, ax = plt.subplots(figsize=(7.5, 3.4))
ax.hist(codes, bins=90, range=(-3, 3), density=True, color="0.8", label="all codes: the prior")
ax.hist(codes[made_x], bins=90, range=(-3, 3), density=True, alpha=0.7, label="codes that made our image")
ax.set(xlabel="z", ylabel="density", title="Which codes could have made this image?")
ax.legend()
print(f"{made_x.sum():,} of 200,000 runs made our image: p(x) is about {made_x.mean():.4f}")

# %% [markdown]
# **What you see.** The answer is (b).
# Grey, all codes that were drawn: the prior.
# Blue, only those codes from which our image came.
# They fill a narrower range, steep on the left, where the first pixel would be 0.
#
# The blue distribution has a name: the **posterior** $p(z\mid x)$, the distribution of the code *after* we have seen the image.
# And the share of runs that made the image is $p(x)$.
#
# ### Bayes' rule is counting
#
# Sort the codes into four places, and count in each.

# %%
print("code z           share of codes   of these make x     product   share of all that made x")
for low, high in ((-np.inf, -0.5), (-0.5, 0.5), (0.5, 1.5), (1.5, np.inf)):
    here = (codes > low) & (codes <= high)
    share, make = here.mean(), made_x[here].mean()
    print(f"{low:5} to {high:4}{share:17.3f}{make:18.3f}{share * make:12.4f}{here[made_x].mean():18.3f}")
print(f"together{1:20.3f}{'':18s}{made_x.mean():12.4f}{1:18.3f}")

# %% [markdown]
# **What you see.** Look at the second line, the codes from −0.5 to 0.5.
# 0.384 of all codes fall there, and 0.152 of these make the image: together, from the unrounded numbers, 0.0586 of all runs.
# In all, 0.0851 of the runs made the image.
# So of the runs that made it, $0.0586/0.0851=0.69$ came from there.
#
# This is **Bayes' rule** in one sentence:
# *of all runs that made $x$, the share that came from $z$ is how often $z$ is drawn,
# times how often $z$ then makes $x$, divided by how often $x$ is made at all.*
# With very narrow places the shares become densities, and the sum of the products becomes an integral:
#
# $$p(z\mid x)=\frac{p(z)\,p(x\mid z)}{p(x)},\qquad\qquad p(x)=\int p(z)\,p(x\mid z)\,dz$$
#
# On the grid of sitting A both are quickly computed.

# %%
def log_likelihood(z):
    """log p(x|z) of our image, for codes of any shape."""
    logits = slopes * z[..., None] + offsets
    return -np.logaddexp(0, np.where(x == 1, -logits, logits)).sum(axis=-1)  # log sigmoid(a) = -log(1 + e⁻ᵃ)


log_prior = log_normal(z, 0.0, 0.0)
log_evidence = np.log(integrate(np.exp(log_prior + log_likelihood(z))))  # log p(x)
log_posterior = log_prior + log_likelihood(z) - log_evidence  # log p(z|x)
print(f"p(x) by counting {made_x.mean():.4f}, by the integral {np.exp(log_evidence):.4f}; log p(x) = {log_evidence:.3f}")

# %% tags=["guard"]
off = abs(made_x.mean() - np.exp(log_evidence)) / np.sqrt(made_x.mean() / made_x.size)
vh.expect("runs that made our image", made_x.sum(), at_least=17_020, at_most=17_035, everywhere=True)
vh.expect("p(x): counting minus integral, in standard errors", off, at_most=4.5, everywhere=True)
heights, places = np.histogram(codes[made_x], bins=90, range=(-3, 3), density=True)
off = np.abs(heights - np.interp((places[1:] + places[:-1]) / 2, z, np.exp(log_posterior))).max()
vh.expect("posterior: histogram minus Bayes' rule", off, at_most=0.12, everywhere=True)
everything, chances = 0.0, pixel_probabilities(z)
for number in range(16):  # all images of four pixels together must have probability 1
    bits = np.array([int(bit) for bit in f"{number:04b}"])
    everything += integrate(np.exp(log_prior) * np.where(bits == 1, chances, 1 - chances).prod(axis=1))
vh.expect("sum of p(x) over all images, minus 1", abs(everything - 1), at_most=1e-6, everywhere=True)

# %% [markdown]
# The standard error of the count is 0.0006, so the two agree.
#
# ### Why not simply draw codes from the prior?
#
# Because for larger images no draw hits.
# With four pixels, one run in twelve made the image.
# Now put 60 such groups of four pixels side by side, each with a latent of its own: an image of 240 pixels, and 60 latents.
# The groups know nothing of each other, so $\log p(x)$ is exactly 60 times the old one, $60\cdot(-2.458)=-147.5$ nats.
#
# We need not toss the pixels: $p(x)$ is the average of the number $p(x\mid z)$ over draws from the prior.
#
# The other way is to draw where our image could come from: from some distribution $q(z)$ near the posterior.
# To make up for that, multiply and divide by $q(z)$:
#
# $$p(x)=\int p(x\mid z)\,p(z)\,dz=\int q(z)\,\frac{p(x\mid z)\,p(z)}{q(z)}\,dz=\mathbb E_q\!\left[\frac{p(x\mid z)\,p(z)}{q(z)}\right]$$
#
# This is true if $q(z)$ is above zero wherever $p(x\mid z)\,p(z)$ is; else a part of the integral is lost.
# A normal distribution is above zero everywhere.
# For a *good* estimate, $q$ must also be wide enough, or one rare draw can weigh nearly as much as all others.
# We take $q=\mathcal N(0.3,\,0.5^2)$, read from the blue histogram, and look how well it does.
#
# **Predict.** 30,000 draws for the image with 60 groups.
# How far from $\log p(x)$ will the two estimates be: (a) a tenth of a nat, (b) one nat, (c) ten nats or more?

# %% alt="Two panels: estimate minus exact value over the number of draws. With one group both estimates are at zero. With 60 groups, draws from the prior start more than 50 nats too low and are still more than 10 too low after 30,000 draws; draws from q are near zero."
def estimate(groups, draws, mean, log_var):
    """log of the average of p(x|z) p(z) / q(z) over draws from q. With q = the prior it is the average of p(x|z)."""
    z_drawn = mean + np.exp(0.5 * log_var) * rng.normal(size=(draws, groups))
    log_terms = log_likelihood(z_drawn) + log_normal(z_drawn, 0.0, 0.0) - log_normal(z_drawn, mean, log_var)
    return np.logaddexp.reduce(log_terms.sum(axis=1)) - np.log(draws)  # log of a mean; numbers like e⁻²⁰⁰⁰ would become 0


sizes = [10, 30, 100, 300, 1000, 3000, 10_000, 30_000]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
for ax, groups in zip(axes, (1, 60)):
    for name, style, cloud in (("the prior", "C1s--", (0.0, 0.0)), ("q", "C0o-", (0.3, np.log(0.25)))):
        off = [estimate(groups, draws, *cloud) - groups * log_evidence for draws in sizes]
        ax.plot(sizes, off, style, label=f"drawn from {name}")
        print(f"{groups:2d} groups, {sizes[-1]:,} draws from {name}: {off[-1]:.2f} nats off")
    ax.axhline(0, color="black", linewidth=1)
    ax.set(xscale="log", xlabel="draws", title=f"{groups} × 4 pixels, {groups} latent" + "s" * (groups > 1))
axes[0].set(ylabel="estimate − log p(x), nats")
axes[0].legend();

# %% tags=["guard"]
state = rng.bit_generator.state
prior_off, q_off = (
    np.mean([estimate(60, 10_000, *cloud) - 60 * log_evidence for _ in range(5)])
    for cloud in ((0.0, 0.0), (0.3, np.log(0.25)))
)
rng.bit_generator.state = state  # as if this cell had not run
vh.expect("60 latents: draws from the prior, nats off", prior_off, at_most=-8, everywhere=True)
vh.expect("60 latents: draws from q, nats off", abs(q_off), at_most=2, everywhere=True)
needed = kl_on_grid(log_posterior, log_prior)
vh.expect("KL(posterior ‖ prior) of one group", needed, at_least=0.385, at_most=0.40, everywhere=True)

# %% [markdown]
# **What you see.** Each point is one run, and another seed gives other points.
# With one latent both ways are right.
# With 60 latents, the draws from the prior are still more than ten nats too low after 30,000 draws.
# Hardly any draw from the prior comes near the codes that could make the image.
# The draws from $q$ are right to a tenth or so at the end.
# The answer: (c) for the prior, (a) for $q$.
#
# This is what the encoder of a VAE is for.
# It looks at the image, and says where to draw: $q(z\mid x)$.
#
# ### First derivation: Jensen
#
# Take the logarithm of the identity above, and apply the curve and its chord:
#
# $$\log p(x)=\log\ \mathbb E_q\!\left[\frac{p(x\mid z)\,p(z)}{q(z)}\right]\ \ge\ \mathbb E_q\!\left[\log\frac{p(x\mid z)\,p(z)}{q(z)}\right]$$
#
# Now split the logarithm of the product:
#
# $$\mathbb E_q\!\left[\log\frac{p(x\mid z)\,p(z)}{q(z)}\right]=\mathbb E_q[\log p(x\mid z)]-\mathbb E_q\!\left[\log\frac{q(z)}{p(z)}\right]$$
#
# The last average is the KL of sitting A. So:
#
# $$\boxed{\ \mathrm{ELBO}=\mathbb E_q[\log p(x\mid z)]-\mathrm{KL}(q(z)\,\Vert\,p(z))\ \le\ \log p(x)\ }$$
#
# This is the *evidence lower bound*.
# Minus its first term is the reconstruction term $R$ of lesson 02, and the second is its KL term $K$.
# So the loss $R+K$ is minus the ELBO.
#
# ### Second derivation: what is lost
#
# Jensen says "at least".
# By how much?
# Bayes' rule knows.
# Five lines, each with one step:
#
# (1) Bayes' rule, as above:
#
# $$p(z\mid x)=\frac{p(x\mid z)\,p(z)}{p(x)}$$
#
# (2) Take logarithms, and solve for $\log p(x)$.
# This holds for *every* $z$:
#
# $$\log p(x)=\log\big(p(x\mid z)\,p(z)\big)-\log p(z\mid x)$$
#
# (3) Average both sides over $q$.
# The left side does not contain $z$, so its average is itself:
#
# $$\log p(x)=\mathbb E_q\big[\log\big(p(x\mid z)\,p(z)\big)\big]-\mathbb E_q\big[\log p(z\mid x)\big]$$
#
# (4) Subtract $\mathbb E_q[\log q(z)]$ and add it again:
#
# $$\log p(x)=\mathbb E_q\big[\log\big(p(x\mid z)\,p(z)\big)\big]-\mathbb E_q[\log q(z)]\;+\;\mathbb E_q[\log q(z)]-\mathbb E_q\big[\log p(z\mid x)\big]$$
#
# (5) Differences of logarithms are logarithms of quotients:
#
# $$\log p(x)=\underbrace{\mathbb E_q\!\left[\log\frac{p(x\mid z)\,p(z)}{q(z)}\right]}_{\text{ELBO}}
# +\underbrace{\mathbb E_q\!\left[\log\frac{q(z)}{p(z\mid x)}\right]}_{\mathrm{KL}(q(z)\,\Vert\,p(z\mid x))\ \ge\ 0}$$
#
# So the gap is exactly the KL from the cloud to the posterior.
# Note that there are *two* KLs now: one to the prior, inside of the ELBO, and one to the posterior, the gap.
#
# We compute lines (2), (3) and (5) for our small machine.
# Only line (2) is a test: there the posterior comes from the blue histogram.
# In (3) and (5) the code takes it from Bayes' rule, so they must agree by algebra.

# %%
heights, places = np.histogram(codes[made_x], bins=60, range=(-3, 3), density=True)
for place in (29, 33, 40):  # three of the 60 narrow places
    here = (places[place] + places[place + 1]) / 2
    right_side = log_normal(here, 0.0, 0.0) + log_likelihood(here) - np.log(heights[place])
    print(f"(2) at z = {here:5.2f}: {right_side:.2f}")

log_q = log_normal(z, 0.3, np.log(0.25))


def average(values):
    """The average over q of a function that is given on the grid."""
    return integrate(np.exp(log_q) * values)


joint = log_prior + log_likelihood(z)  # log (p(x|z) p(z))
print(f"(3) {average(joint):.3f} - ({average(log_posterior):.3f}) = {average(joint) - average(log_posterior):.3f}")
elbo_part, kl_part = average(joint - log_q), average(log_q - log_posterior)
print(f"(5) ELBO {elbo_part:.3f} + KL {kl_part:.3f} = {elbo_part + kl_part:.3f}   and log p(x) = {log_evidence:.3f}")

# %% tags=["guard"]
vh.expect("(3) minus log p(x)", abs(average(joint) - average(log_posterior) - log_evidence), at_most=1e-6, everywhere=True)
vh.expect("(5) minus log p(x)", abs(elbo_part + kl_part - log_evidence), at_most=1e-6, everywhere=True)
vh.expect("(2) at the last place minus log p(x)", abs(right_side - log_evidence), at_most=0.2, everywhere=True)

# %% [markdown]
# **What you see.** Line (2) gives the same number at three different codes, up to the accuracy of a histogram.
# Lines (3) and (5) give $\log p(x)$ in all digits.
# Our $q$, read from a picture, loses 0.08 nats.
#
# **Question.** Cover the five lines.
# Start at the other end: write down $\mathrm{KL}(q(z)\Vert p(z\mid x))$, put Bayes' rule in, and find $\log p(x)$ minus the ELBO.
#
# <details><summary>Open the answer when you have written yours</summary>
#
# $\mathbb E_q\big[\log\frac{q(z)}{p(z\mid x)}\big]=\mathbb E_q\big[\log\frac{q(z)\,p(x)}{p(x\mid z)\,p(z)}\big]$, by Bayes' rule.
# This is $\log p(x)+\mathbb E_q\big[\log\frac{q(z)}{p(x\mid z)\,p(z)}\big]$, because $\log p(x)$ does not depend on $z$.
# The second part is minus the ELBO.
#
# </details>
#
# ### See the gap
#
# **Predict.** We fix the width of $q$ at 0.4, and move its middle.
# Where will the ELBO be highest?
# Will it touch $\log p(x)$ there?

# %% alt="The ELBO over the middle of q: a hill below the black line of log p(x), with the gap shaded. Orange dots lie on the curve. Enlarged at the right: at its top the curve stays a little below the line."
def elbo(mean, log_var):
    """E_q[log p(x|z)] - KL(q ‖ prior), by quadrature."""
    log_q = log_normal(z, mean, log_var)
    return integrate(np.exp(log_q) * log_likelihood(z)) - kl_on_grid(log_q, log_prior)


middles, width = np.linspace(-2, 3, 51), np.log(0.4**2)
elbos = np.array([elbo(middle, width) for middle in middles])
gaps = np.array([kl_on_grid(log_normal(z, middle, width), log_posterior) for middle in middles])

fig, axes = plt.subplots(1, 2, figsize=(10, 3.8))
for ax in axes:
    ax.axhline(log_evidence, color="black", linewidth=1.5, label="log p(x)")
    ax.plot(middles, elbos, label="ELBO")
    ax.fill_between(middles, elbos, log_evidence, color="C1", alpha=0.2, label="the gap")
    ax.plot(middles, log_evidence - gaps, "C1o", markersize=4, label="log p(x) − KL(q ‖ posterior)")
    ax.set_xlabel("middle of q")
axes[0].set(ylabel="nats", ylim=(-8, -1), title="The gap is the KL to the posterior")
axes[1].set(ylim=(-3, -2.3), xlim=(-0.5, 1.0), xticks=(-0.5, 0, 0.5, 1.0), title="the same, enlarged")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4);

# %% tags=["guard"]
vh.expect("gap minus KL(q ‖ posterior), nats", abs(log_evidence - elbos - gaps).max(), at_most=1e-4, everywhere=True)
vh.expect("smallest gap, nats", gaps.min(), at_least=0.05, at_most=0.15, everywhere=True)

# %% [markdown]
# **What you see.** The ELBO stays below $\log p(x)$ everywhere, and is highest where $q$ sits on the posterior, a little right of its peak, on the side of its longer tail.
# The orange dots lie on the curve: this shows line (5), and again is no test of it.
# The answer to the second question is no: even at its top the ELBO does not touch (right), because this $q$ is not the posterior.
#
# Now we let both mean and width move, and take the best normal distribution.
# (`vh.expect` compares a number with the one in the text, and speaks only if they differ.)

# %% alt="The posterior, grey and skewed, steep on the left; the prior, dotted and wide; the best normal q, dashed, symmetric, over the top of the posterior."
best = minimize(lambda q: -elbo(*q), x0=[0.0, 0.0], method="Nelder-Mead").x
best_gap = log_evidence - elbo(*best)

fig, ax = plt.subplots(figsize=(7.5, 3.4))
ax.fill_between(z, np.exp(log_posterior), color="0.85", label="posterior p(z|x)")
ax.plot(z, np.exp(log_prior), ":", color="0.4", label="prior p(z)")
ax.plot(z, np.exp(log_normal(z, *best)), "--", label="best normal q")
ax.set(xlim=(-3, 4), xlabel="z", ylabel="density", title=f"The best normal q leaves a gap of {best_gap:.3f} nats")
ax.legend()
vh.expect("gap of the best q, nats", best_gap, at_least=0.073, at_most=0.075, everywhere=True)

# %% tags=["guard"]
vh.expect("best gap minus gap at fixed width", best_gap - gaps.min(), at_most=0, everywhere=True)

# %% [markdown]
# **What you see.** The posterior is not symmetric, and a normal distribution always is.
# So this part of the gap remains, however well the encoder is trained.
# In a VAE there is a second part: one encoder must give good clouds for *all* images at once.
#
# When only $q$ moves, a higher ELBO means a smaller gap.
# When the decoder trains as well, a higher ELBO can come from a higher $\log p(x)$ or from a smaller gap.
# The ELBO alone does not tell which.
#
# **Question.** Make all four slopes ten times smaller: `slopes / 10`.
# (`vh.expect` will speak: its number is for the old slopes.)
# What does the posterior become, and what the gap?
# Why?
#
# <details><summary>Open the answer when you have tried</summary>
#
# The image now depends on $z$ only a little, so seeing it tells little about $z$: the posterior is almost the prior, $\mathcal N(-0.02, 0.98^2)$.
# It is almost a normal distribution, so the gap nearly closes: less than 0.0001 nats.
# (Put the slopes back, and run from that cell on.)
#
# </details>
#
# ### One draw is enough
#
# In training, the average over $q$ is estimated from one draw of $z$ for each image.
# The boxed formula has its KL by formula (5).
# Some programs, for example the
# [convolutional VAE tutorial of TensorFlow](https://www.tensorflow.org/tutorials/generative/cvae), draw all of it:
#
# $$\log p(x\mid z)+\log p(z)-\log q(z\mid x),\qquad z\text{ drawn from }q(z\mid x)$$
#
# Its average is the ELBO as well: it is what stands in the brackets of the first derivation.
# Single values jump; only their average is a bound.
# (Which of the two ways jumps less is a side road at the end.)
#
# ### Exercise 3.3 · All by drawing · 8 min
#
# Write this estimate for a batch of images, with one draw $z$ for each image.
# The package gives you two functions.
# `vh.bernoulli_nll(x, logits)` is *minus* $\log p(x\mid z)$ (nll: negative log-likelihood), and
# `vh.gaussian_log_prob(z, mean, log_var)` is the logarithm of a normal density, summed over the latents.

# %%
def elbo_of_one_draw(x, logits, z, mean, log_var):
    """log p(x|z) + log p(z) − log q(z|x) in nats. x, logits: images; z, mean, log_var: (batch, latent). Returns (batch,)."""
    ### BEGIN SOLUTION
    log_px = -vh.bernoulli_nll(x, logits)
    log_pz = vh.gaussian_log_prob(z, 0.0, 0.0)
    return log_px + log_pz - vh.gaussian_log_prob(z, mean, log_var)
    ### END SOLUTION


vh.check.elbo_of_one_draw(elbo_of_one_draw)

# %% [markdown]
# **Target:** for one image of two pixels, 1 and 0, with the logits 2 and −1, one latent with $\mu=0$ and $\log\sigma^2=0$, and $z=0.5$, it is −0.440.
# Here $q$ is the prior, so the last two terms cancel.
# On a calculator: $-\log(1+e^{-2})-\log(1+e^{-1})=-0.127-0.313$.

# %% tags=["guard"]
one = (np.float32([[1, 0]]), np.float32([[2, -1]]), np.float32([[0.5]]), np.float32([[0.0]]), np.float32([[0.0]]))
value = float(-vh.bernoulli_nll(*one[:2])[0])
vh.expect("target of exercise 3.3", value, at_least=-0.4405, at_most=-0.4395, everywhere=True)

# %% [markdown]
# ### The reductions lab: means where sums belong
#
# $R$ is a sum over the $D=784$ pixels, because the logarithm of a product of pixels is a sum.
# $K$ is a sum over the $d=2$ latents, as you tested in the plane.
# Many programs take a `mean` in one or both places.
# (For example [keras#6015](https://github.com/keras-team/keras/issues/6015)
# and [keras-io#270](https://github.com/keras-team/keras-io/issues/270) are about it.)
# Does this only make the loss smaller?
#
# A mean over pixels is $R/D$, and a mean over latents is $K/d$.
# So each of these losses is some factor times $(R+\beta K)$.
# The factor in front changes little: Adam divides each step by the usual size of the gradient, so a constant factor nearly cancels (Kingma and Ba, ICLR 2015).
# But $\beta$ changes *what is optimized*.
#
# **To find the effective β of any loss: divide the factor of the summed KL by the factor of the summed reconstruction.**
#
# | loss | factor of $R$ | factor of $K$ | effective β |
# |---|---|---|---|
# | sum over pixels, sum over latents (minus the ELBO) | 1 | 1 | 1 |
# | sum over pixels, **mean** over latents | 1 | 1/2 | 1/2 |
# | **mean** over pixels, **mean** over latents | 1/784 | 1/2 | 392 |
# | **mean** over pixels, sum over latents | 1/784 | 1 | 784 |
#
# ### Exercise 3.4 · The effective β of any loss · 6 min
#
# Write the rule as a function.
# `pixels` is how many numbers one image has (64 · 64 · 3 for a colour image), and `latents` how many latents the code has.
# `reconstruction` and `kl` are the words "sum" or "mean": how the program reduces each term.
# `weight` is a number that multiplies the KL term, such as the "KL weight" of many programs.

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
# **Target:** the last column of the table, with weight 1.
# And for the mean over 64 · 64 · 3 pixels plus 0.001 times the sum over 64 latents: $12288\cdot0.001\approx12.3$.
# (A true case: a program divided both terms by 784, so its β was 1.
# In [pytorch/examples#290](https://github.com/pytorch/examples/issues/290), somebody asks for the mean over its 20 latents instead: $784/20=39.2$.)
#
# ### Which of them collapse?
#
# Suppose that the encoder says nothing, $K=0$.
# Then the best that the decoder can do is the same picture for every image: the mean image.
# (For each pixel, the true share of ones costs least: the two coins.)
# Its cost is the reconstruction term of silence, $R_0$:

# %%
x_train, x_test = data.x_train, data.x_test
shares = x_train.mean(axis=0).clip(1e-4, 1 - 1e-4)  # how often each pixel is 1
logits = np.broadcast_to(np.log(shares / (1 - shares)), x_test.shape)
r_nothing = float(np.mean(vh.bernoulli_nll(x_test, logits)))
print(f"R₀, the mean image for every test image: {r_nothing:.1f} nats")
vh.expect("R₀, nats", r_nothing, at_least=205, at_most=207)

# %% [markdown]
# Think of the encoder as a customer.
# It has a price to pay: one nat of $K$ costs $\beta$ nats.
# It gets a lower $R$.
# So it buys a nat only if this nat saves more than $\beta$ nats of reconstruction.
#
# Which nat does it buy first?
# The one that saves most.
# **So silence lasts if even the first nat saves less than β.**
#
# What does the first nat save?
# For very small codes, the VAE becomes PCA of the pixels, each divided by its standard deviation.
# Then the first nat saves as many nats as the variance along the first principal direction.
# (Derived in a side road at the end.)
# It can be computed before any training.
# The *correlation* of two pixels is the average of their product, after each has lost its mean and was divided by its standard deviation.
# From the table of all correlations, numpy finds the variances along the principal directions.
# They are called the *eigenvalues* of the table, and we want the largest:

# %%
pixels = x_train.reshape(len(x_train), -1)
varying = pixels.std(axis=0) > 0.03  # leave out the pixels that are practically always 0
correlation = np.corrcoef(pixels[:, varying], rowvar=False, dtype=np.float32)
first_nat = np.linalg.eigvalsh(correlation)[-1]
print(f"{varying.sum()} pixels; the first nat saves about {first_nat:.1f} nats of reconstruction")
vh.expect("what the first nat saves, nats", first_nat, at_least=33, at_most=34.2)

# %% [markdown]
# **Predict.** To *collapse* means: the encoder says nothing, and every picture is the same.
# Which of the four losses of the table will collapse?
# What will the images of those look like?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Those with $\beta$ above 33.6: the last two, with 392 and 784.
# For them no small step away from the mean image pays: they show it for every input and every draw.
#
# </details>
#
# The training is the step of lesson 02, written out.
# Only the loss has two factors more.

# %%
def loss_from_the_web(encoder, decoder, x, factor_r, factor_k):
    """factor_r · R + factor_k · K of a batch. R and K are sums; the factors make means of them."""
    mean, log_var = encoder(x)
    code = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean))  # one draw for each image
    reconstruction = vh.bernoulli_nll(x, decoder(code))
    return ops.mean(factor_r * reconstruction + factor_k * vh.gaussian_kl(mean, log_var))


# %%
def train(factor_r, factor_k, epochs, seed=1, start=None):
    """A VAE with two latents, trained with this loss. start: a VAE to go on with; without one, a new VAE."""
    keras.utils.set_random_seed(seed)  # the same start for all losses
    encoder = start.encoder if start else vh.mlp_encoder(data.image_shape, 2, hidden=(256, 256))
    decoder = start.decoder if start else vh.mlp_decoder(data.image_shape, 2, hidden=(256, 256))
    weights = encoder.trainable_variables + decoder.trainable_variables
    batches = tf.data.Dataset.from_tensor_slices(x_train).shuffle(len(x_train)).batch(128, drop_remainder=True)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(batches))  # the learning rate falls smoothly to 0
    optimizer = keras.optimizers.Adam(rate)

    @tf.function  # compiled once, then several times faster
    def step(x):
        with tf.GradientTape() as tape:
            loss = loss_from_the_web(encoder, decoder, x, factor_r, factor_k)
        optimizer.apply(tape.gradient(loss, weights), weights)

    for x in batches.repeat(epochs):
        step(x)
    return vh.VAE(encoder, decoder)  # to reconstruct and to draw


# %%
def terms(vae, x):
    """R and K of each image, summed, with one draw of z for each. Two arrays (batch,)."""
    mean, log_var = map(np.asarray, vae.encoder(x))
    code = mean + np.exp(0.5 * log_var) * np.random.default_rng(1).normal(size=mean.shape)
    return np.asarray(vh.bernoulli_nll(x, vae.decoder(code))), np.asarray(vh.gaussian_kl(mean, log_var))


# %% [markdown]
# Four trainings, of about 15 seconds each on two cores.
# A line comes after each.

# %%
D, d = 784, 2
losses = {  # name: (factor of R, factor of K)
    "sum, sum": (1, 1),
    "sum, mean": (1, 1 / d),
    "mean, mean": (1 / D, 1 / d),
    "mean, sum": (1 / D, 1),
}
models, scores = {}, {}
print("                    β    K, summed   R, summed   (nats per test image)")
for name, (factor_r, factor_k) in losses.items():
    models[name] = train(factor_r, factor_k, settings.epochs)
    scores[name] = terms(models[name], x_test)
    reconstruction, kl = scores[name]
    print(f"{name:12s}{factor_k / factor_r:9g}{kl.mean():13.5f}{reconstruction.mean():12.1f}", flush=True)
vh.expect("K of 'sum, sum', nats", scores["sum, sum"][1].mean(), at_least=5.5, at_most=7)
vh.expect("K of the two losses with a mean over pixels", max(scores[n][1].mean() for n in list(losses)[2:]), at_most=0.01)

# %% alt="Nine rows of ten pictures. Row one: digits of the test set. For sum-sum and sum-mean, the reconstructions and the new images are digits, a little soft. For mean-mean and mean-sum, all pictures are the same grey blur."
rows, titles = [x_test[:10]], ["image"]
for name, model in models.items():
    rows += [model.reconstruct(x_test[:10]), model.sample(10, seed=2)]
    titles += [f"{name}: reconstructed", f"{name}: new"]
vh.plot_images(rows, titles);

# %% [markdown]
# **What you see.** Below the first row, the images, all pictures are pixel means.
# With *sum, sum* and *sum, mean*, the reconstructions follow the images, with some mistakes, and most of the new images are digits.
# With *mean, mean* and *mean, sum*, every picture is the same blur: the mean image.
#
# The table says why.
# Their KL is practically zero, and $R$ is $R_0$.
# The encoder says nothing, and every cloud is the prior.
# This is called **posterior collapse**.
# Nothing crashed, and no message warned.

# %% tags=["guard"]
for name in ("mean, mean", "mean, sum"):
    spread = np.std(models[name].sample(10, seed=2), axis=0).max()
    vh.expect(f"largest difference of new images, '{name}'", spread, at_most=0.03)
    vh.expect(f"'{name}': R minus R₀", abs(scores[name][0].mean() - r_nothing), at_most=2)
more = scores["sum, mean"][1].mean() - scores["sum, sum"][1].mean()
vh.expect("KL of 'sum, mean' minus 'sum, sum'", more, at_least=0.3)


def gradient(loss, variables):
    with tf.GradientTape() as tape:
        value = loss()
    return np.concatenate([g.numpy().ravel() for g in tape.gradient(value, variables)])


web = models["sum, sum"]  # 'mean, mean' must be 1/784 of vh.VAE(beta=392): same networks, same noise
with_beta, some = vh.VAE(web.encoder, web.decoder, beta=392.0), x_test[:100]
variables = web.encoder.trainable_variables + web.decoder.trainable_variables
keras.utils.set_random_seed(5)
noise = keras.random.normal((100, 2))
mean_w, log_var_w = web.encoder(some)
keras.utils.set_random_seed(5)
ours = gradient(lambda: loss_from_the_web(web.encoder, web.decoder, some, 1 / D, 1 / d), variables)


def packaged():
    m, v = web.encoder(some)
    y_pred = {"mean": m, "log_var": v, "logits": web.decoder(m + ops.exp(0.5 * v) * noise)}
    return with_beta.compute_loss(some, y_pred=y_pred)


theirs = gradient(packaged, variables)
vh.expect("difference of the gradients / size", np.abs(D * ours - theirs).max() / np.abs(theirs).max(), at_most=1e-3, everywhere=True)

# %% [markdown]
# ### Is 33.6 really the limit?
#
# 392 and 784 are far above 33.6, and 1 is far below.
# So we come nearer, slowly.
# A model first learns to speak at a low price, $\beta=20$.
# Then it goes on, with the same parameters, at 31 and at 40.
# We do this with three seeds.
#
# **Predict.** At which of the three prices will the code be silent?
#
# The cell takes about a minute, and prints each $K$ as soon as it is known.

# %% alt="KL of three models over beta, both axes logarithmic. The three lines lie close together: about 0.35 nats at beta 20, some 0.03 at 31, and less than 0.001 at 40, right of a dashed line at 33.6."
prices = [20, 31, 40]
told = np.zeros((settings.seeds, len(prices)))  # K on the validation images
for seed in range(settings.seeds):
    model = None
    print(f"seed {seed + 1}: ", end="", flush=True)
    for i, price in enumerate(prices):
        model = train(1, price, settings.budget, seed + 1, start=model)
        told[seed, i] = terms(model, data.x_valid)[1].mean()
        print(f"  β = {price}: K = {told[seed, i]:.4f}", end="\n" if price == prices[-1] else "", flush=True)

fig, ax = plt.subplots(figsize=(7.5, 3.8))
for seed, marker in enumerate("osx"[: settings.seeds]):
    ax.plot(prices, told[seed].clip(1e-5), marker=marker, fillstyle="none", label=f"seed {seed + 1}")
ax.axvline(first_nat, color="black", linestyle="--", label=f"what the first nat saves: {first_nat:.1f}")
ax.axhline(0.01, color="0.5", linestyle=":", label="0.01 nats: as good as silent")
ax.set(xscale="log", yscale="log", xlabel="β", ylabel="K in nats", title="How much the code tells, at three prices")
ax.set_xticks(prices, [str(price) for price in prices])
ax.minorticks_off()
ax.legend(loc="lower left");

# %% [markdown]
# **What you see.** The answer: only at $\beta=40$, right of the dashed line.
# At 20 the code tells about 0.35 nats, at 31 some 0.03, and at 40 nothing.
# It is so with all three seeds: the limit lies between 31 and 40, as computed.
#
# **What the criterion does not say.**
#
# - It does not say how long the first step takes.
# - It is about the *first* nat.
#   The later ones save less: with $\beta=1$ the average nat saved $(R_0-R)/K\approx11$, see the table of the four losses.
# - Above the line silence is stable: no small step away from it pays.
#   (In the calculation, the size of the step and its square count, and nothing smaller.)
#   That nothing better exists far away is not proved.
#   At most $R_0/\beta$ nats could pay in any case, because no $R$ is below 0: for $\beta=392$ that is 0.5 nats.
# - Below the line a model may still fall silent for other reasons.
#   Lesson 06 shows one with the right loss.
#
# **Question.** With $\beta=10$, which nats does the model keep, and which does it give back?
#
# <details><summary>Open the answer when you have decided</summary>
#
# It keeps nats as long as each saves more than ten.
# The first one saves about 34, later ones less and less.
# It stops where one more nat would save just ten.
# So $\beta$ is the saving of the *last* nat, not of the average one.
#
# </details>

# %% tags=["guard"]
for price, (low, high) in {20: (0.25, 0.45), 31: (0.015, 0.07), 40: (0, 0.001)}.items():
    of_seeds = told[:, prices.index(price)]
    vh.expect(f"K at β = {price}, smallest of the seeds", of_seeds.min(), at_least=low)
    vh.expect(f"K at β = {price}, largest of the seeds", of_seeds.max(), at_most=high)
vh.expect("K of 'β = 2.5', short training", terms(train(1, 2.5, settings.budget), data.x_valid)[1].mean(), at_least=3.6, at_most=4.2)
vh.expect("saved by the average nat at β = 1", (r_nothing - scores["sum, sum"][0].mean()) / scores["sum, sum"][1].mean(), at_least=9, at_most=13)

# %% [markdown]
# ### And the mean over the latents?
#
# *sum, mean* has $\beta=\frac12$, and did not collapse.
# But its loss is no longer minus the ELBO.
# $-(R+\beta K)$ is a bound on $\log p(x)$ for $\beta=1$, and for any $\beta$ above 1, because then it is even lower.
# For $\beta$ below 1 there is no such guarantee.
# To compare models, take the ELBO of both, $-(R+K)$, on the same test images:

# %%
elbo_1, elbo_half = (-(scores[name][0] + scores[name][1]) for name in ("sum, sum", "sum, mean"))
difference = elbo_1 - elbo_half  # one number for each test image
error = difference.std() / np.sqrt(difference.size)
print(f"ELBO: β = 1 {elbo_1.mean():.1f}, β = ½ {elbo_half.mean():.1f}")
print(f"difference, image by image: {difference.mean():.2f} ± {error:.2f} nats (mean ± standard error)")

# %% tags=["guard"]
vh.expect("difference of the two ELBOs, nats", abs(difference.mean()), at_most=1)
vh.expect("K of 'sum, sum', nats, as in the text", scores["sum, sum"][1].mean(), at_least=5.9, at_most=6.2)
vh.expect("K of 'sum, mean', nats, as in the text", scores["sum, mean"][1].mean(), at_least=7.0, at_most=7.6)
vh.expect("R of 'sum, sum' minus 'sum, mean', nats", (scores["sum, sum"][0] - scores["sum, mean"][0]).mean(), at_least=0)

# %% [markdown]
# **What you see.** In the table above, *sum, mean* has the larger $K$, 7.2 against 6.0 nats, and the lower $R$: as its lower price predicts.
# The two ELBOs lie less than one nat apart.
# The standard error is about the test images only; another start of the training would shift both ELBOs as well.
# So one training of each does not decide which loss gives the better ELBO.
#
# ## To take away
#
# 1. $\mathrm{KL}(A\Vert B)$ is the average extra surprise of believing $B$ when $A$ is true.
#    The average is taken over the first one.
#    It is never negative, and its two directions differ.
# 2. For cloud and prior it is $\frac12\sum(\mu^2+\sigma^2-1-\log\sigma^2)$, a sum over latents.
#    You have tested it on a line and in the plane, by quadrature and by draws.
# 3. $\log p(x)=\mathrm{ELBO}+\mathrm{KL}(q(z)\,\Vert\,p(z\mid x))$.
#    The ELBO is a bound on the log-probability of an image, not the log-probability itself.
# 4. Codes drawn from the prior hardly ever make a given image, if there are many latents.
#    So an encoder says where to draw.
# 5. A mean in place of a sum changes β.
#    Silence lasts if even the first nat saves less than β.
#    For thresholded MNIST we computed 34 nats, and saw three models speak at 31 and fall silent at 40.
#
# **Where the ideas come from.**
# S. Kullback and R. Leibler, *On information and sufficiency* (1951).
# D. Kingma and M. Welling, *Auto-Encoding Variational Bayes*, ICLR 2014:
# the second derivation is equations 1 to 3, the closed form is in appendix B, and their two estimators are equations 6 and 7.
# The two parts of the gap: C. Cremer, X. Li and D. Duvenaud, *Inference Suboptimality in Variational Autoencoders*, ICML 2018.
# β: I. Higgins and others, *beta-VAE*, ICLR 2017.
# When silence is stable: J. Lucas, G. Tucker, R. Grosse and M. Norouzi, *Don't Blame the ELBO!*, NeurIPS 2019, for the linear model of the first side road.
#
# **Next:** lesson 04 gives the network eyes: convolutions.

# %% [markdown] sitting="side roads"
# ## Side roads · {{minutes}} min
#
# Nothing later needs them.
#
# ### The linear VAE is PCA
#
# *For those who know the inverse and the eigenvectors of a matrix, and want a VAE of which everything is known.*
#
# Take a decoder without hidden layers and with Gaussian pixels of one fixed width $\sigma_x$:
#
# $$x = Wz + \text{mean image} + \sigma_x\,\varepsilon,\qquad z\sim\mathcal N(0,I),\quad \varepsilon\sim\mathcal N(0,I)$$
#
# $W$ is a table of weights, one column for each latent.
# A sum of normal variables is normal.
# So here $p(x)$ is a normal distribution, and the posterior as well, in any number of dimensions:
#
# $$p(x)=\mathcal N\big(\text{mean image},\ WW^{\mathsf T}+\sigma_x^2I\big),\qquad
# p(z\mid x)=\mathcal N\big(SW^{\mathsf T}(x-\text{mean image})/\sigma_x^2,\ S\big),\quad S=\big(I+W^{\mathsf T}W/\sigma_x^2\big)^{-1}$$
#
# This model is **probabilistic PCA** (M. Tipping and C. Bishop, 1999).
# Its best $W$ is known, up to a rotation: column $j$ lies along the principal direction $j$.
# Its squared length is $\text{variance}_j-\sigma_x^2$, or 0 where this would be negative.
# We train it as a VAE, which knows nothing of this: linear encoder, linear decoder, five latents, digits of 14 × 14 pixels.
# (Digits are not Gaussian.
# That does not matter here: every statement is about this model.)
#
# The encoder is $\mu=V(x-\text{mean image})$, with one $\sigma$ for each latent.
# Because everything is linear, the ELBO needs no draws: its average over all images and all noise is a formula, too.
# Only the covariance matrix $C$ of the images enters.
# In $R$ stands the squared distance from $x$ to $\text{mean image}+Wz$, with $z=\mu+\sigma\varepsilon$.
# Multiplied out, it has four parts, and their averages are
#
# $$\operatorname{tr}C\;-\;2\operatorname{tr}(VCW)\;+\;\operatorname{tr}(W^{\mathsf T}W\,VCV^{\mathsf T})\;+\;\sum_j\sigma_j^2\,\lVert w_j\rVert^2$$
#
# ($\operatorname{tr}$, the *trace*, is the sum of the diagonal; $w_j$ is column $j$ of $W$.
# The last part is what the noise in $z$ adds.)

# %%
small = x_train.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(x_train), -1)  # blocks of 2 × 2 become their mean
mean_image, covariance = small.mean(axis=0), np.cov(small, rowvar=False)
variances, directions = np.linalg.eigh(covariance)
variances, directions = variances[::-1], directions[:, ::-1]  # the largest first
print("variance along the first directions:", *variances[:6].round(2), "...")


# %%
def unpack(parameters):
    """W (196, 5), V (5, 196) and log_var (5,), which lie behind each other in one list for the optimizer."""
    return tf.reshape(parameters[:980], (196, 5)), tf.reshape(parameters[980:1960], (5, 196)), parameters[1960:]


def linear_loss(parameters, pixel_var):
    """R + K of the linear VAE, averaged over all images and all draws, and K of each latent."""
    w, v, log_var = unpack(parameters)
    var = tf.exp(log_var)
    of_means = v @ covariance @ tf.transpose(v)  # the covariance of μ
    squares = np.trace(covariance) - 2 * tf.linalg.trace(v @ covariance @ w)
    squares += tf.linalg.trace(tf.transpose(w) @ w @ of_means) + tf.reduce_sum(var * tf.reduce_sum(w**2, axis=0))
    reconstruction = 0.5 * (196 * tf.math.log(2 * np.pi * pixel_var) + squares / pixel_var)
    kl = 0.5 * (tf.linalg.diag_part(of_means) + var - 1 - log_var)  # formula (5)
    return reconstruction + tf.reduce_sum(kl), kl


# %%
@tf.function
def loss_and_gradient(parameters, pixel_var):
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        loss = linear_loss(parameters, pixel_var)[0]
    return loss, tape.gradient(loss, parameters)


def train_linear(pixel_var, seed=1):
    """W, V, log_var after training, and K of each latent, the largest first. (L-BFGS: an optimizer for smooth formulas.)"""
    start = np.append(0.1 * np.random.default_rng(seed).normal(size=1960), np.zeros(5))
    pixel_var = tf.constant(pixel_var, "float64")

    def loss(p):
        return [part.numpy() for part in loss_and_gradient(tf.constant(p), pixel_var)]

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "maxfun": 10_000}).x
    kl = linear_loss(tf.constant(found), pixel_var)[1].numpy()
    return *(part.numpy() for part in unpack(tf.constant(found))), np.sort(kl)[::-1]


# %%
pixel_var = 0.3  # σ_x²
w, v, log_var, kl = train_linear(pixel_var)
angles = np.degrees(subspace_angles(w, directions[:, :5]))
print("largest angle between the columns of W and the first five directions:", f"{angles.max():.3f} degrees")
print("squared length of the columns:", *np.sort((w**2).sum(axis=0))[::-1].round(3))
print("variance minus σ_x²:          ", *(variances[:5] - pixel_var).round(3))
posterior_v = np.linalg.solve(np.eye(5) + w.T @ w / pixel_var, w.T / pixel_var)  # S Wᵀ / σ_x²
off_codes = np.abs((small - mean_image) @ (v - posterior_v).T).mean()
print("middle of the cloud: encoder minus posterior, on average:", f"{off_codes:.4f}; width {np.exp(0.5 * log_var).mean():.2f}")
vh.expect("angle to the principal directions, degrees", angles.max(), at_most=0.5)

# %% [markdown]
# **What you see.** The training found the principal directions of lesson 01, to a small part of a degree, and the predicted lengths.
# It was given no eigenvector, only $R+K$.
# And its encoder says what the formula of the posterior says.
#
# Now $\log p(x)$, the posterior and the gap, exact, with 196 pixels and five latents.
# Of all clouds with independent latents, the best has the middle of the posterior, and $1/\sigma_j^2$ is entry $j$ on the diagonal of $S^{-1}$.
# Its KL to the posterior is one half of $\log\det S-\sum_j\log\sigma_j^2$: for equal middles and these $\sigma$ only the determinants remain.
# And one experiment: we turn the code space by a rotation, $z\to$ rotated $z$, so that $W$ becomes $W$ times a rotation.
#
# **Predict.** After the rotation, will $\log p(x)$ be lower?
# Will the ELBO?

# %%
some = data.x_valid.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(data.x_valid), -1)[:500].astype("float64")


def known_exactly(w):
    """log p(x) and the ELBO of the best q for each image, and the KL from this q to the posterior."""
    log_px = stats.multivariate_normal(mean_image, w @ w.T + pixel_var * np.eye(196)).logpdf(some)
    precision = np.eye(5) + w.T @ w / pixel_var  # the inverse of S
    mean = (some - mean_image) @ w @ np.linalg.inv(precision) / pixel_var  # of the posterior
    log_var = -np.log(np.diag(precision))  # of the best q with independent latents
    squares = ((some - mean_image - mean @ w.T) ** 2).sum(axis=1) + np.exp(log_var) @ (w**2).sum(axis=0)
    reconstruction = 0.5 * (196 * np.log(2 * np.pi * pixel_var) + squares / pixel_var)
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    gap = -0.5 * (log_var.sum() + np.linalg.slogdet(precision)[1])  # KL(q ‖ posterior) for equal means
    return log_px, -(reconstruction + kl), gap


rotation = stats.ortho_group.rvs(5, random_state=1)  # turns (or mirrors) the space of five latents
exact = {"as trained": known_exactly(w), "rotated": known_exactly(w @ rotation)}
for name, (log_px, elbos, gap) in exact.items():
    print(f"{name:12s} log p(x) {log_px.mean():.4f}   ELBO {elbos.mean():.4f}   KL(q ‖ posterior) {gap:.4f}")

# %% tags=["guard"]
off = np.abs(np.sort((w**2).sum(axis=0))[::-1] - (variances[:5] - pixel_var)).max()
vh.expect("squared lengths minus theory", off, at_most=0.01)
vh.expect("middle of the clouds: encoder minus posterior", off_codes, at_most=0.01)
off = max(np.abs(log_px - elbos - gap).max() for log_px, elbos, gap in exact.values())
vh.expect("log p(x) − ELBO − KL(q ‖ posterior), any image", off, at_most=1e-6, everywhere=True)
off = np.abs(exact["as trained"][0] - exact["rotated"][0]).max()
vh.expect("log p(x) before and after the rotation", off, at_most=1e-6, everywhere=True)
vh.expect("gap as trained, nats", exact["as trained"][2], at_most=0.001)
vh.expect("gap after the rotation, nats", exact["rotated"][2], at_least=0.02)

# %% [markdown]
# **What you see.** The answer: $\log p(x)$ stays the same, in all digits, because $WW^{\mathsf T}$ does.
# The images alone cannot tell which axes are right: **a rotation is not identified.**
# But the ELBO falls.
# After the rotation the latents of the posterior depend on each other, and a cloud with independent latents cannot follow.
# So it is the form of the cloud that makes the axes of this VAE the principal axes.
# (Lucas and others, 2019; M. Rolínek and others, *Variational Autoencoders Pursue PCA Directions (by Accident)*, 2019.
# Lesson 05 looks at the axes of a real VAE.)
#
# **When does a latent fall silent?**
# At the best $W$, the latent of direction $j$ has $\sigma^2=\sigma_x^2/\text{variance}_j$.
# Formula (5), averaged over the images, becomes
#
# $$K_j=\tfrac12\log\frac{\text{variance}_j}{\sigma_x^2}\quad\text{if }\text{variance}_j>\sigma_x^2,\qquad K_j=0\quad\text{if not}$$
#
# (The average of $\mu^2$ is $1-\sigma^2$ there, so only the logarithm remains.)
# So with growing noise the latents fall silent one after the other, and we know when.

# %% alt="KL of each of five latents over the pixel variance. Five predicted curves fall to zero one after the other, at the variances of the principal directions; the dots of the trained models lie on them."
levels = [pixel_var, 0.5, 0.74, 0.84, 1.0, 1.4]
trained = np.array([kl] + [train_linear(level)[3] for level in levels[1:]])  # (levels, latents)

fine = np.linspace(0.25, 1.45, 400)
fig, ax = plt.subplots(figsize=(7.5, 3.8))
for j in range(5):
    ax.plot(fine, 0.5 * np.log(np.maximum(variances[j] / fine, 1)), label=f"direction {j + 1}: silent from {variances[j]:.2f}")
    ax.plot(levels, trained[:, j], f"C{j}o", markersize=6)
ax.set(xlabel="pixel variance σ_x²", ylabel="K in nats", title="Lines: predicted. Dots: trained")
ax.legend();

# %% tags=["guard"]
predicted = 0.5 * np.log(np.maximum(variances[:5] / np.array(levels)[:, None], 1))
vh.expect("K of the latents: trained minus predicted, nats", np.abs(trained - predicted).max(), at_most=0.01)

# %% [markdown]
# **What you see.** Every dot lies on its line.
# A latent falls silent when the noise of a pixel is larger than the variance along its direction.
# This collapse is no accident of training: no better model of this kind exists.
# With a price $\beta$, the noise counts β times (divide $R+\beta K$ by β): silence from $\beta\sigma_x^2=\text{variance}_j$.
#
# ### What the first nat saves
#
# *For those who like calculus: where the 33.6 comes from.*
#
# Start at silence: pixel $i$ is 1 with probability $r_i$, its share in the training images.
# Its variance is $r_i(1-r_i)$.
# Let $\tilde x_i$ be the pixel minus $r_i$, divided by its standard deviation $\sqrt{r_i(1-r_i)}$.
#
# Now the decoder begins to listen: the logit of pixel $i$ grows by $g_iz/\sqrt{r_i(1-r_i)}$, with a small weight $g_i$.
# For a coin, the first derivative of $\log p$ by the logit is $x_i-r_i$, and the second is $-r_i(1-r_i)$.
# So the second-order Taylor formula is
#
# $$\log p(x\mid z)\approx\log p(x\mid 0)+z\sum_i g_i\tilde x_i-\tfrac12z^2\sum_i g_i^2$$
#
# And the encoder begins to speak: $\mu=\sum_ie_i\tilde x_i$ with small weights $e_i$, and $\sigma=1$.
# Average over the noise and over the images.
# The average of $\tilde x_i\tilde x_k$ is the correlation of two pixels; $\Sigma$ is the table of all of them.
# $z^2$ averages to 1, up to smaller terms.
# So, to second order,
#
# $$\text{saved}=g^{\mathsf T}\Sigma e-\tfrac12\,g^{\mathsf T}g,\qquad\qquad K=\tfrac12\,\mathbb E[\mu^2]=\tfrac12\,e^{\mathsf T}\Sigma e$$
#
# The best $g$ is $\Sigma e$ (set the derivative to zero).
# Then a nat saves
#
# $$\frac{\text{saved}}{K}=\frac{e^{\mathsf T}\Sigma\,\Sigma\,e}{e^{\mathsf T}\Sigma\,e}\ \le\ \text{largest eigenvalue of }\Sigma$$
#
# with equality if $e$ is its eigenvector, the first principal direction.
#
# An MLP can do more than this linear step, but to second order it gains nothing:
#
# - A part of $\mu$ that is uncorrelated with all pixels adds to $K$ and saves nothing.
# - If the logits change by any function of $z$, only its part along $z$ meets $\mu$; the rest only adds to the second-order cost.
# - If $\log\sigma^2=\delta$ follows the image, $\delta=\sum_id_i\tilde x_i$, the logits can follow $z^2-1$, with weights $h_i$.
#   $z^2-1$ has the average $\delta$ for one image, and over all images the mean square 2.
#   So $\text{saved}=h^{\mathsf T}\Sigma d-h^{\mathsf T}h$, and $K=\frac14\mathbb E[\delta^2]=\frac14d^{\mathsf T}\Sigma d$.
#   The best $h$ is $\frac12\Sigma d$, and the fraction is the same as above.
# - With several latents, savings and costs add up, so the bound holds for their sum.
#
# For the Gaussian pixels above, each pixel is divided by $\sigma_x$ in place of its own standard deviation.
# Then the first nat saves $\text{variance}_1/\sigma_x^2$, and silence lasts if this is below 1: the same result.
#
# ### One draw, or the formula?
#
# *For those who write their own losses, or read the TensorFlow tutorial.*
#
# Both ways of estimating the ELBO have the same average.
# Which one jumps less from draw to draw?
#
# **Predict.** If $q$ were exactly the posterior, what would $\log p(x\mid z)+\log p(z)-\log q(z)$ be for the different draws $z$?
#
# <details><summary>Open the answer when you have decided</summary>
#
# By line (2) it would be $\log p(x)$ for every $z$.
# It would not jump at all.
#
# </details>
#
# Training follows the gradient, so we look at the gradient with respect to $\mu$ as well.
# With $z=\mu+\sigma\varepsilon$ and $f(z)=\log p(x\mid z)$, the chain rule gives three ways:
#
# - **formula for the KL:** $f'(z)-\mu$;
# - **all by drawing:** $f'(z)-z$, because $\log q(\mu+\sigma\varepsilon)$ does not change with $\mu$;
# - **along the path only:** $f'(z)-z+\varepsilon/\sigma$, the same with $q$ held fixed while $z$ moves.
#   Here a term of average 0 is left out (Roeder and others, 2017).

# %%
print("                            value              gradient for μ")
print("variance of:            formula  drawing     formula  drawing  path only")
for name, (m, v) in {"a poor q: N(1.2, 0.3²)": (1.2, np.log(0.09)), "the best normal q": best}.items():
    noise, sigma = rng.normal(size=100_000), np.exp(0.5 * v)
    drawn = m + sigma * noise
    f = log_likelihood(drawn)
    slope = ((x - pixel_probabilities(drawn)) * slopes).sum(axis=1)  # f'(z): for a coin, slope · (pixel - probability)
    value = [f - vh.gaussian_kl([m], [v]).numpy(), f + log_normal(drawn, 0.0, 0.0) - log_normal(drawn, m, v)]
    gradients = [slope - m, slope - drawn, slope - drawn + noise / sigma]
    print(f"{name:22s}", *(f"{v.var():8.3f}" for v in value), "  ", *(f"{g.var():8.2f}" for g in gradients))
    print(f"{'   averages':22s}", *(f"{v.mean():8.3f}" for v in value), "  ", *(f"{g.mean():8.2f}" for g in gradients))

# %% tags=["guard"]
vh.expect("best q, value: drawing / formula", value[1].var() / value[0].var(), at_most=0.6, everywhere=True)
vh.expect("best q, gradient: formula / drawing", gradients[0].var() / gradients[1].var(), at_most=0.97, everywhere=True)
vh.expect("best q, gradient: path / formula", gradients[2].var() / gradients[0].var(), at_most=0.8, everywhere=True)
off = abs(value[0].mean() - value[1].mean()) / (value[0].std() / np.sqrt(value[0].size))
vh.expect("best q, variance of the value by formula", value[0].var(), at_least=0.47, at_most=0.51, everywhere=True)
vh.expect("both averages, in standard errors", off, at_most=6, everywhere=True)

# %% [markdown]
# **What you see.** The averages agree: none of the ways is wrong on average.
#
# For the poor $q$, the value jumps less with the formula: variance 0.12 against 0.87.
# For the best $q$ it is the other way round, 0.49 against 0.15, because this $q$ is near the posterior.
# So "the formula always jumps less" is false.
#
# The gradient is another matter.
# Here the formula jumps less than drawing for both clouds.
# The path alone is the quietest near the posterior, and by far the loudest for the poor $q$.
# These are two clouds of one small model.
# In a large model it must be measured again.
# This course takes the formula, also because it shows $K$ as a number of its own.
#
# ### Exercise 3.5 · A loss of your own · 8 min
#
# *For those who have seen, or written, another loss.*
# Take a loss from a program that you know, or invent one: for example the sum over pixels plus 5 times the mean over latents.
# Compute its effective β with your function, and predict: will it speak, and will its $K$ lie above or below the one of *sum, sum*?
# Then train it: `terms(train(1, 2.5, settings.budget), data.x_valid)` for this example, and the same with 1 in place of 2.5.
# Compare the averages.
# (The four losses above had a longer training and other images.)
#
# <details><summary>Open the answer for the example</summary>
#
# $\beta=\frac52=2.5$.
# It is far below 33.6, so the model speaks.
# It is above 1, so a nat costs more, and $K$ is smaller than with the factors 1 and 1, equally trained.
# When we ran it, $K$ was 3.9 nats, against 5.3.
#
# </details>
#
# **Where the ideas of the side roads come from.**
# M. Tipping and C. Bishop, *Probabilistic Principal Component Analysis*, Journal of the Royal Statistical Society B, 1999.
# Lucas and others (2019) and Rolínek and others (CVPR 2019), as above.
# G. Roeder, Y. Wu and D. Duvenaud, *Sticking the Landing*, NIPS 2017.

# %%
vh.figures_compared()
