# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · How good is it?
#
# You put a number on a model: which numbers may be compared, how to get from the ELBO to $\log p(x)$,
# what a published table says, and why the best number need not come with the best pictures.
#
# **Time.** {{time}}
#
# **You will be able to**
#
# - choose a likelihood for grey pixels, and compare likelihoods in bits per pixel;
# - climb the stairs ELBO ≤ importance-weighted bound ≤ $\log p(x)$, and say on which step a number stands;
# - train with the bound of $k$ draws, and compare two trainings with their spread;
# - measure a model by a published protocol, and report the distance;
# - show that likelihood and sample quality can disagree, in both directions.
#
# **You need** lessons 02 to 05: Bernoulli likelihood, logit $a$, ELBO, posterior, active latents,
# standard error and quadrature (lesson 03), Fréchet distance (lesson 02).

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import json
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from scipy import stats

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=4, budget=6, seeds=3, samples=5000)
clothes = vh.load_images("fashion_mnist")  # grey
data = vh.load_images("mnist", binarize="stochastic")  # 0 and 1
rng = np.random.default_rng(0)

# %% [markdown] sitting="A"
# ## Sitting A: grey pixels · {{minutes}} min
#
# ### A density
#
# Lesson 04 warned: the Bernoulli formula on *grey* pixels is a usable loss, but no likelihood.
# Why, and how is it repaired?
#
# Take a grey pixel $x$ as any number between 0 and 1.
# A likelihood for it is a **density**: a curve $p(x)\ge0$ whose area from 0 to 1 is 1.
# The Bernoulli formula with the probability $r$ gives, for every $x$ in $[0, 1]$, the value
#
# $$f(x)=r^x\,(1-r)^{1-x}$$
#
# **Predict.** At $x=0$ and $x=1$ the two values add up to 1, because they are the probabilities of a coin.
# What is the *area* under the curve between them: 1, more, or less?

# %% alt="Two panels of curves over the grey value, for r = 0.5, 0.1 and 0.99. Left, the Bernoulli formula: all curves lie at or below 1, with areas 0.50, 0.36 and 0.21. Right, the same curves divided by their areas: they reach above 1, the one for 0.99 up to 4.6 at the white end."
x = np.linspace(0, 1, 1001)
areas = {}
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for r, style in ((0.5, "-"), (0.1, "--"), (0.99, ":")):
    curve = r**x * (1 - r) ** (1 - x)
    areas[r] = (curve[1:] + curve[:-1]).sum() / 2 * (x[1] - x[0])
    axes[0].plot(x, curve, style, label=f"r = {r}: area {areas[r]:.2f}")
    axes[1].plot(x, curve / areas[r], style, label=f"r = {r}: area 1")
axes[0].set(xlabel="grey value x", ylabel="f(x)", title="the Bernoulli formula")
axes[1].set(xlabel="grey value x", ylabel="p(x)", ylim=(0, 5.3), title="divided by its area")
for ax in axes:
    ax.legend()

# %% tags=["guard"]
vh.expect("largest area under the Bernoulli formula", max(areas.values()), at_most=0.501, everywhere=True)
for r, target in ((0.5, 0.693), (0.1, 1.010), (0.99, 1.545)):
    vh.expect(f"log(1/area) for r = {r}", -np.log(areas[r]), target - 0.002, target + 0.002, everywhere=True)

# %% [markdown]
# **What you see.** The answer: less.
# Left, no curve has more than half of the area that a density needs, and each has another area.
# Right, each curve is divided by its area, and now they are densities.
# This is the **continuous Bernoulli** distribution (Loaiza-Ganem and Cunningham, 2019).
# It can be higher than 1, so its logarithm can be positive: a *density* is not a probability, and its "surprise" may be negative.
#
# In a network we have the logit $a=\log\frac{r}{1-r}$.
# With it, $f(x)=(1-r)\,e^{ax}$, and the area has a formula:
#
# $$\int_0^1 f(x)\,dx=(1-r)\,\frac{e^a-1}{a}=\frac{1}{1+e^a}\cdot\frac{e^a-1}{a}=\frac{\tanh(a/2)}{a},\qquad\text{so}\quad C=\frac{a}{\tanh(a/2)}$$
#
# (The hyperbolic tangent is $\tanh(t)=\frac{e^{2t}-1}{e^{2t}+1}$.)
#
# $C$ is the **normalizer**: the factor that makes the area 1.
# The log-density of a pixel is the Bernoulli formula plus $\log C$.
#
# ### Exercise 7.1 · The normalizer · 8 min
#
# Write $\log C$ for an array of logits, with two traps in mind.
#
# - $C$ is the same for $a$ and $-a$, so work with $|a|$.
# - At $a=0$ the fraction is 0/0, although its limit is 2.
#   So where $|a|<0.1$, use the series $\log C\approx\log2+a^2/12$; there its error is below $10^{-6}$.
#
# `ops.where(condition, one, other)` computes *both* arrays and picks from them.
# A gradient passes through both, too, and NaN times 0 is NaN.
# So replace $|a|$ by a harmless number, such as 1, wherever the fraction will not be picked.
# (`ops.abs`, `ops.log` and `ops.tanh` are what you need; `ops.tanh` does not overflow.)

# %%
def log_normalizer(logits):
    """log C of each pixel for the continuous Bernoulli. logits: any shape. Returns the same shape."""
    ### BEGIN SOLUTION
    a = ops.abs(logits)
    near = a < 0.1
    safe = ops.where(near, ops.ones_like(a), a)  # no 0/0 in the branch that is not picked
    return ops.where(near, np.log(2) + a**2 / 12, ops.log(safe) - ops.log(ops.tanh(safe / 2)))
    ### END SOLUTION


vh.check.log_normalizer(log_normalizer)

# %% [markdown]
# **Target:** minus the logarithms of the areas in the left picture:
# 0.69 for $r=0.5$ ($a=0$), 1.01 for $r=0.1$ ($a=-2.197$), 1.55 for $r=0.99$ ($a=4.595$).
#
# From here on we use `vh.continuous_bernoulli_nll`, the whole likelihood.

# %% tags=["guard"]
tfp = vh.tensorflow_probability(left_out="the comparison with TensorFlow Probability")
if tfp:
    own = np.random.default_rng(1)  # a guard leaves the numbers of the lesson as they are
    pixels, logits = own.random((500, 3)).astype("float32"), own.normal(0, 4, (500, 3)).astype("float32")
    theirs = tfp.distributions.ContinuousBernoulli(logits=logits).log_prob(pixels).numpy().sum(axis=1)
    off = np.abs(vh.continuous_bernoulli_nll(pixels, logits) + theirs).max()
    vh.expect("continuous Bernoulli: ours minus theirs", off, at_most=1e-3, everywhere=True)
    theirs = tfp.distributions.Normal(logits, 0.1).log_prob(pixels).numpy().sum(axis=1)
    off = np.abs(vh.gaussian_nll(pixels, logits, np.log(0.1**2)) + theirs).max() / np.abs(theirs).max()
    vh.expect("normal distribution: ours minus theirs, relative", off, at_most=1e-5, everywhere=True)

# %% [markdown]
# ### A normal distribution
#
# The other usual choice: each pixel is normal, its mean $\hat x$ comes from the decoder, and one $\sigma$ is shared by all $D$ pixels.
#
# $$-\log p(x\mid z)=\frac{\lVert x-\hat x\rVert^2}{2\sigma^2}+\frac D2\log(2\pi\sigma^2)$$
#
# If $\sigma$ is fixed, the second term is a constant, and many programs drop it.
# But in the first term, $\sigma$ decides how much an error costs *compared with the KL*: a large $\sigma$ makes errors cheap.
# "Squared error plus KL" is this formula with $\sigma^2=\frac12$, chosen silently.
#
# So let the data choose.
#
# ### Exercise 7.2 · The best σ² · 6 min
#
# For given means, which $\sigma^2$ makes the formula smallest, with all images of a batch together?
# Take pencil and paper: add up the formula over $N$ images, treat $\sigma^2$ as *one* unknown number,
# set the derivative with respect to it to zero, and solve.
# Then write it as code.

# %%
def best_variance(x, mean):
    """The best shared σ². x, mean: (batch, height, width, channels). Returns one number."""
    ### BEGIN SOLUTION
    return ops.mean(ops.square(x - mean))
    ### END SOLUTION


vh.check.best_variance(best_variance)

# %% [markdown]
# **Target:** for two images with pixels 0, means of 0.1 for the first and of 0.3 for the second, it is 0.05, so $\sigma=0.22$.
#
# A decoder that learns $\sigma$ in this way is called a **σ-VAE** (Rybkin and others, 2021).
# In training we use the best $\sigma^2$ of each batch.
# After training we fix it, with 10,000 training images:
# a likelihood that looks at the test images to choose its $\sigma$ would not be fair.
#
# But a normal distribution does not know that pixels lie between 0 and 1.
# What it puts outside is lost.

# %%
for sigma in (1.0, 0.1):
    for mean in (0.05, 0.5):
        below_0, below_1 = stats.norm.cdf([0, 1], mean, sigma)  # cdf(x): the probability of a value below x
        print(f"σ = {sigma}, mean {mean:4.2f}: probability inside [0, 1] is {below_1 - below_0:.2f}")

# %% [markdown]
# **What you see.** With $\sigma=1$, more than 60 % of the probability lies where no pixel can be, wherever the mean is.
# With $\sigma=0.1$ nothing is lost in the middle, but a third for a mean near 0.
#
# ### Bits per pixel
#
# Before we compare densities, one more trap.
# Our pixels are not any number in $[0, 1]$: they are one of 256 levels.
# A density can cheat, by a very narrow peak on a level.
# Take a pixel that is 0 in all of 1000 images, and a normal density, narrower and narrower.
# In the second column, the pixel got noise: instead of exactly 0, it is any number between 0 and $\frac1{256}$.

# %%
exact = np.zeros(1000)
noisy = (255 * exact + rng.random(1000)) / 256
print("mean log-density     exact    with noise")
for sigma in (0.1, 0.01, 0.001, 0.0001):
    scores = [stats.norm.logpdf(pixels, pixels.mean(), sigma).mean() for pixels in (exact, noisy)]
    print(f"σ = {sigma:<12g} {scores[0]:10.2f} {scores[1]:13.2f}")

# %% tags=["guard"]
vh.expect("exact, σ = 0.0001", stats.norm.logpdf(exact, 0, 0.0001).mean(), at_least=8.2, everywhere=True)
best = max(stats.norm.logpdf(noisy, noisy.mean(), sigma).mean() for sigma in np.geomspace(1e-4, 1, 200))
vh.expect("noisy: best mean log-density", best, at_most=np.log(256), everywhere=True)

# %% [markdown]
# **What you see.** On the exact values, each ten times narrower peak gains 2.3 nats, without end: a better and better number for nothing.
# With noise that fills the step, a peak that is much narrower than the step (the last line) is punished.
# To add this noise is called **dequantization**: $\tilde x=(255\,x+u)/256$, where $u$ is any number between 0 and 1, all equally likely.
#
# And it gives the density a meaning.
# Follow one pixel.
# Its level owns a step on the axis, $\frac1{256}$ wide.
# Say, the density has the height 4 over the left half of the step, and 16 over the right half.
#
# - The probability of the level, $P$, is the area over the step: mean height times width, $10\cdot\frac1{256}=0.039$.
# - Its surprise in **bits** is $-\log_2 0.039=4.68$.
#   (A bit is the surprise of one fair coin; 1 bit is $\log2=0.69$ nats.)
# - What we measure is the mean *log*-height at $\tilde x$: half of the time $\log_24=2$, half of the time $\log_216=4$, so 3.
#   With the width, $3-8=-5$: a surprise of 5 bits.
#
# So the measured 5 bits are not the true 4.68, but they are on the safe side.
# This is no accident: the mean of logarithms is at most the logarithm of the mean (Jensen, lesson 03).
# For a whole image of $D$ pixels, with natural logarithms:
#
# $$\mathbb E_u[\log p(\tilde x)]-D\log256\ \le\ \log P(x)$$
#
# So every likelihood on dequantized pixels bounds the *probability* of the same thing, the image with its 256 levels.
# *Such* numbers can be compared.
# The usual unit is **bits per pixel**, for 256 levels and pixels in $[0, 1]$:
#
# $$\text{bits per pixel}=8-\frac{\mathbb E_u[\log p(\tilde x)]}{D\log2}$$
#
# A density of height 1 everywhere, with logarithm 0, gives 8 bits: it knows nothing.
# (The bits are also the length of a file that a perfect coder would need with this model: Shannon, 1948.
# A coder that comes close to the ELBO of a VAE: Townsend and others, 2019.)
#
# ### Exercise 7.3 · Bits on any scale · 8 min
#
# Not every program scales pixels to $[0, 1]$.
# Some use $[-1, 1]$, some leave 0 to 256.
# You get the log-density of each image, in nats, for pixels in a range of this `width` (1, 2 or 256), cut into so many `levels`.
# How wide is a step now?
# Return bits per pixel.

# %%
def bits_per_pixel(log_density, pixels, levels, width):
    """log_density: (batch,), in nats. pixels, levels, width: three numbers. Returns (batch,), in bits."""
    ### BEGIN SOLUTION
    return -log_density / (pixels * np.log(2)) + np.log2(levels / width)
    ### END SOLUTION


vh.check.bits_per_pixel(bits_per_pixel)

# %% [markdown]
# **Target:** the density that knows nothing has the height ½ everywhere on $[-1, 1]$.
# So `bits_per_pixel(np.array([-784 * np.log(2)]), 784, 256, 2)` is 8, as on every scale.
# Who forgets the width is off by a whole bit per pixel.
#
# ### Four likelihoods, one network
#
# The same network, the same images (ten kinds of clothes, grey), the same number of epochs.
# Only the likelihood differs.
#
# **Predict.** Which of the three densities will need the fewest bits: continuous Bernoulli, normal with $\sigma=1$, normal with the best $\sigma$?
# Will each of them need fewer than 8?

# %%
def dequantize(images):
    return (255 * images + rng.random(images.shape, dtype="float32")) / 256


y_train, y_test = dequantize(clothes.x_train), dequantize(clothes.x_test)


def normal(log_var):
    """A likelihood for vh.VAE: pixels with the mean sigmoid(logit) and one variance."""
    return vh.likelihood(mean=ops.sigmoid)(lambda y, logits: vh.gaussian_nll(y, ops.sigmoid(logits), log_var))


@vh.likelihood(mean=ops.sigmoid)
def normal_best_sigma(y, logits):
    mean = ops.sigmoid(logits)
    return vh.gaussian_nll(y, mean, ops.log(ops.mean(ops.square(y - mean))))  # the best σ² of this batch

# %% [markdown]
# Four trainings, about ten seconds each.

# %%
def train_on_clothes(nll):
    keras.utils.set_random_seed(settings.seed)
    encoder = vh.mlp_encoder(clothes.image_shape, 20, hidden=(256,))
    decoder = vh.mlp_decoder(clothes.image_shape, 20, hidden=(256,))
    vae = vh.VAE(encoder, decoder, nll=nll)
    vae.compile(keras.optimizers.Adam(1e-3))
    losses = vae.fit(y_train, epochs=settings.epochs, batch_size=128, verbose=0).history["loss"]
    print("loss after each epoch:", *(f"{loss:7.0f}" for loss in losses))
    return vae


bernoulli = train_on_clothes(vh.bernoulli_nll)
continuous = train_on_clothes(vh.continuous_bernoulli_nll)
sigma_1 = train_on_clothes(normal(0.0))
sigma_best = train_on_clothes(normal_best_sigma)

# %% [markdown]
# The losses are far apart, and say nothing side by side.
# We judge each model on the test images.
# Two of them we judge a second time, with another likelihood on the *same* decoder:
# the Bernoulli model as a continuous Bernoulli, and the model of $\sigma=1$ with its best $\sigma$.

# %%
def log_best_variance(vae):
    """log σ² from the first 10,000 training images, decoded from draws of z."""
    y = y_train[:10_000]
    means = vae.decode(vae.reparameterize(*vae.encode(y)))
    return float(np.log(np.mean((y - means) ** 2)))


def test_elbo(vae, images, nll):
    """ELBO and KL in nats, means over the images, with one draw of z each."""
    mean, log_var = vae.encode(images)
    logits = vae.decoder(vae.reparameterize(mean, log_var))
    kl = vh.gaussian_kl(mean, log_var)
    return float(ops.mean(-nll(images, logits) - kl)), float(ops.mean(kl))

# %%
log_var_1, log_var_best = log_best_variance(sigma_1), log_best_variance(sigma_best)
rows = {
    "Bernoulli, judged as continuous": (bernoulli, vh.continuous_bernoulli_nll),
    "continuous Bernoulli": (continuous, vh.continuous_bernoulli_nll),
    "normal, σ = 1": (sigma_1, normal(0.0)),
    "normal, σ = 1, judged with best σ": (sigma_1, normal(log_var_1)),
    "normal, best σ": (sigma_best, normal(log_var_best)),
}
bits, kls = {}, {}
print(f"{'trained as':34s}  KL, nats   ELBO, nats   bits per pixel")
for name, (vae, nll) in rows.items():
    elbo, kls[name] = test_elbo(vae, y_test, nll)
    bits[name] = 8 - elbo / (784 * np.log(2))
    print(f"{name:34s}{kls[name]:10.1f}{elbo:13.1f}{bits[name]:17.2f}")
print(f"best σ: {np.exp(log_var_1 / 2):.3f} after training with σ = 1, {np.exp(log_var_best / 2):.3f} in the last row")

# %% alt="Five bars, in bits per pixel, with a line at 8 bits, which knows nothing. Only the normal distribution with σ = 1 passes the line; with the best σ put in afterwards it is below 8, trained with the best σ lower still; the continuous Bernoulli is the shortest by far, and the Bernoulli model judged as continuous needs nearly two bits more."
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.barh(list(bits), list(bits.values()))
ax.axvline(8, color="black", linewidth=1.5)
ax.text(8.1, 4.2, "8 bits: knows nothing", fontsize=10)
ax.set(xlabel="bits per pixel (an upper bound, from the ELBO)", xlim=(0, 12), ylim=(4.6, -0.6))
ax.set_title("Same network, same images, other likelihood")
ax.grid(axis="y", visible=False)
vh.expect("bits, continuous Bernoulli", bits["continuous Bernoulli"], at_least=3.5, at_most=5.5)

# %% tags=["guard"]
vh.expect("bits, normal, σ = 1", bits["normal, σ = 1"], at_least=9.32, at_most=9.5)
vh.expect("bits, normal, best σ", bits["normal, best σ"], at_least=6.5, at_most=7.4)
lost = bits["normal, σ = 1, judged with best σ"] - bits["normal, best σ"]
vh.expect("bits lost by training with σ = 1", lost, at_least=0.2)
lost = bits["Bernoulli, judged as continuous"] - bits["continuous Bernoulli"]
vh.expect("bits lost by training as Bernoulli", lost, at_least=1.6, at_most=2.2)
vh.expect("KL, σ = 1 / best σ", kls["normal, σ = 1"] / kls["normal, best σ"], at_most=0.2)
vh.expect("share of black pixels", np.mean(clothes.x_test == 0), at_least=0.4, at_most=0.6)
vh.expect("learned σ", np.exp(log_var_best / 2), at_least=0.09, at_most=0.14)

# %% [markdown]
# **What you see.** The answer: the continuous Bernoulli needs the fewest bits, and one density needs more than 8.
# Each row is one training, so small differences say nothing here.
# (One bit per pixel is 543 nats per image.)
# (`vh.expect` compares a number with the one in the text, and speaks only if they differ.)
#
# - The normal distribution with $\sigma=1$ is **worse than a model that knows nothing**.
#   No training could change that: its density is at most $1/\sqrt{2\pi}$ for each pixel, so it needs at least 9.3 bits.
#   Its pictures are not bad (below).
#   But as a *likelihood* it says that a pixel may lie anywhere between about −2 and 3.
# - The best $\sigma$ is near 0.11.
#   A better $\sigma$ after the training helps a lot, but not enough: the model had learned that errors are cheap.
#   Its KL is about a tenth, so its code says less.
# - About half of the pixels are black.
#   There the continuous Bernoulli can rise steeply towards 0, while the normal distribution
#   spends the same width on background and on cloth.
#   And a normal with a mean near 0 leaves up to half of its probability outside, which is one bit.
#   Both are likely reasons for its lead; we did not separate them.
# - The model trained with the Bernoulli *formula* gives away nearly two bits, even with the normalizer added afterwards.
#
# ### Means and draws
#
# Does the best number also give the best pictures?
# And what is a picture: the mean of $p(x\mid z)$, or a draw from it?
#
# From each of the three densities we show, for the same $z$ from the prior, the pixel means and one draw of every pixel.
# (Each model has learned its own code, so the same $z$ is another garment in each.)
# The mean of a continuous Bernoulli is *not* $r$, but $\frac1{1-e^{-a}}-\frac1a$: for $r=0.99$ it is 0.79.
# `decode` returns this mean.
#
# **Predict.** Which draws will look like photographs, which like an old television?

# %% alt="Six rows of ten clothes from the same codes: means and draws of the continuous Bernoulli, of the normal distribution with the best σ, and of that with σ = 1. The means are soft shapes, clearest as clothes for σ = 1. The draws of the continuous Bernoulli have a black background and cloth covered by strong grain; those of the best σ weak grain everywhere; those of σ = 1 are black and white noise in which no clothes can be seen."
z = rng.normal(size=(10, 20)).astype("float32")

a = np.array(continuous.decoder(z), "float64").clip(-500, 500)
a = np.where(np.abs(a) < 1e-2, 1e-2, a)  # nearly the same density, and no 0/0
# a draw: the x below which lies the share u of the area, (eᵃˣ - 1) / (eᵃ - 1) = u
pictures = [continuous.decode(z), np.log1p(rng.random(a.shape) * np.expm1(a)) / a]
for vae, log_var in ((sigma_best, log_var_best), (sigma_1, 0.0)):
    means = vae.decode(z)
    pictures += [means, means + np.exp(log_var / 2) * rng.normal(size=means.shape)]
kinds = [f"{name}: {what}" for name in ("cont. Bernoulli", "best σ", "σ = 1") for what in ("means", "draws")]
vh.plot_images([picture.clip(0, 1) for picture in pictures], kinds);

# %% tags=["guard"]
some = np.tile([-3.0, 0.5, 6.0], (100_000, 1))
mean_of_draws = (np.log1p(np.random.default_rng(1).random(some.shape) * np.expm1(some)) / some).mean(axis=0)
formula = 1 / (1 - np.exp(-some[0])) - 1 / some[0]
vh.expect("means of draws minus formula", np.abs(mean_of_draws - formula).max(), at_most=0.005, everywhere=True)

# %% [markdown]
# **What you see.** The answer: no draw looks like a photograph.
# With $\sigma=1$ it is an old television; with the best $\sigma$ a picture under weak grain;
# with the continuous Bernoulli the background is quiet, and the cloth is covered with strong grain.
# (Values outside of $[0,1]$ are shown as black or white.)
# All three models treat the pixels as independent once $z$ is known.
# What the code does not tell is left to each pixel alone: that is the grain.
#
# Papers and tutorials usually show the *means*.
# That is fine if they say so.
# But the likelihood in a table belongs to the draws, not to the means.
#
# Now compare the means only.
# To our eyes, those of $\sigma=1$, the *worst* likelihood, look most like clothes.
# (Ten pictures of one training each.
# One cause is in the table: with so small a KL, draws from the prior fall near codes that the decoder knows.)
# So likelihood and pictures may be two different things; the end of sitting B measures it.

# %% [markdown] sitting="B"
# ## Sitting B: the likelihood of digits · {{minutes}} min
#
# ### The stairs from the ELBO to log p(x)
#
# So far every number of a trained model came from its ELBO, a lower bound on $\log p(x)$.
# Lesson 03 showed the gap: the KL from the cloud $q$ to the true posterior.
# Can we get nearer?
#
# Take a draw $z$ from the cloud of $x$, the encoder's $q(z\mid x)$.
# It has a **weight** $w$, and the average of this weight is exactly $p(x)$:
#
# $$w=\frac{p(x\mid z)\,p(z)}{q(z\mid x)},\qquad \mathbb E_q[w]=\int q(z\mid x)\,\frac{p(x\mid z)\,p(z)}{q(z\mid x)}\,dz=p(x)$$
#
# So average the weights of $k$ draws first, and take the logarithm afterwards.
# This is the **importance-weighted bound** (Burda and others, 2016):
#
# $$\mathcal L_k=\mathbb E\Big[\log\tfrac1k(w_1+\dots+w_k)\Big],\qquad \mathrm{ELBO}=\mathcal L_1\ \le\ \mathcal L_2\ \le\ \dots\ \le\ \log p(x)$$
#
# The last "≤" is Jensen's inequality, as for the ELBO.
# The others take two lines.
# Of $k+1$ weights, leave out one, and average the others; call this mean $m_j$ if $w_j$ is left out.
# The average of all $k+1$ means $m_j$ is the average of all weights, so, by Jensen,
#
# $$\log\frac{w_1+\dots+w_{k+1}}{k+1}=\log\frac{m_1+\dots+m_{k+1}}{k+1}\ \ge\ \frac{\log m_1+\dots+\log m_{k+1}}{k+1}$$
#
# Now average over the draws: the left side becomes $\mathcal L_{k+1}$, and each $\log m_j$ becomes $\mathcal L_k$.
#
# Do the stairs *reach* $\log p(x)$?
# For $k\to\infty$ they do, if the weights are bounded (Burda and others, theorem 1);
# it is enough that the ELBO is finite and that $q$ is nowhere zero where the posterior is not.
# But if a few rare draws carry nearly all of the weight, the climb is slow.
#
# First a case where we know the truth.
# The small model of lesson 03 has one latent and four pixels, so both ends of the stairs come from quadrature.
# Our cloud $q$ is deliberately poor.

# %%
slopes, shifts = np.array([10.0, 1.0, -1.0, 0.5]), np.array([4.0, 0.0, 1.0, 0.0])
image = np.array([1, 0, 1, 1])
q_mean, q_sigma = 0.8, 0.6


def small_log_weight(z):
    """log p(x|z) + log p(z) - log q(z) for each z."""
    logits = z[:, None] * slopes + shifts
    log_px = -np.logaddexp(0, np.where(image == 1, -logits, logits)).sum(axis=1)
    return log_px + stats.norm.logpdf(z) - stats.norm.logpdf(z, q_mean, q_sigma)


grid = np.linspace(-10, 10, 20_001)
dz, q_grid = grid[1] - grid[0], stats.norm.pdf(grid, q_mean, q_sigma)
small_elbo = np.sum(q_grid * small_log_weight(grid)) * dz
small_evidence = np.log(np.sum(q_grid * np.exp(small_log_weight(grid))) * dz)
print(f"by quadrature: ELBO {small_elbo:.3f}, log p(x) {small_evidence:.3f}, gap {small_evidence - small_elbo:.3f}")

# %% [markdown]
# **Predict.** We make $2^{18}$ draws, and use them in groups of $k$.
# With $k=1$ the average over the groups is the ELBO.
# How many draws per group will close half of the gap to $\log p(x)$: about 3, about 30, or about 300?

# %% alt="The bound over the number of draws k, with error bars. It starts at the dashed line of the ELBO, −2.95, rises quickly, is past the middle of the gap at k = 4, and lies on the line of log p(x), −2.46, from some hundred draws on."
draws = small_log_weight(rng.normal(q_mean, q_sigma, 2**18))
ks = 2 ** np.arange(11)
means, errors = [], []
for k in ks:
    bounds = np.log(np.exp(draws.reshape(-1, k)).mean(axis=1))  # one for each group of k draws
    means.append(bounds.mean())
    errors.append(bounds.std() / np.sqrt(len(bounds)))

fig, ax = plt.subplots(figsize=(7.5, 3.6))
ax.axhline(small_evidence, color="black", linewidth=1.5, label="log p(x), by quadrature")
ax.axhline(small_elbo, color="C1", linestyle="--", label="ELBO, by quadrature")
ax.errorbar(ks, means, 2 * np.array(errors), fmt="o-", markersize=5, label="bound with k draws")
ax.set(xscale="log", xlabel="draws k", ylabel="nats", title="The stairs on a model that can be integrated")
ax.set_xticks([1, 10, 100, 1000], [1, 10, 100, 1000])
ax.legend(loc="center right")
closed = (np.array(means) - small_elbo) / (small_evidence - small_elbo)
print("share of the gap closed:", *(f"k = {k}: {share:.0%} " for k, share in zip(ks[:7], closed)))

# %% tags=["guard"]
off = abs(means[0] - small_elbo) / errors[0]
vh.expect("k = 1 minus ELBO, in standard errors", off, at_most=4.5, everywhere=True)
off = abs(means[-1] - small_evidence) / errors[-1]
vh.expect("k = 1024 minus log p(x), in standard errors", off, at_most=6, everywhere=True)
vh.expect("smallest step upward", np.diff(means).min(), at_least=0, everywhere=True)
vh.expect("share of the gap closed with 2 draws", closed[1], at_least=0.3, at_most=0.5, everywhere=True)
vh.expect("share of the gap closed with 4 draws", closed[2], at_least=0.6, at_most=0.7, everywhere=True)
vh.expect("share of single draws above log p(x)", np.mean(draws > small_evidence), at_least=0.1, everywhere=True)

# %% [markdown]
# **What you see.** The answer: about 3.
# (The bars are there, but smaller than the dots; −0 % is 0, but for the luck of the draws.)
# With $k=1$ the dots start at the ELBO; each step goes up, and they end at $\log p(x)$, as exactly as the draws can tell.
# (The weights are not even bounded here: far out, this narrow $q$ falls faster than the prior.)
#
# The order matters: the average of the *logarithms* of all draws is the first dot, the ELBO, however many draws you take.
#
# One single estimate can lie above $\log p(x)$, by chance.
# The *average* of the estimates does not.
#
# ### Exercise 7.4 · The bound from weights · 8 min
#
# The weights of the small model are numbers like $e^{-3}$, and the cell above computes them.
# Those of an MNIST image are like $e^{-100}$ and smaller.
# A computer may round them to 0, and the logarithm of 0 is $-\infty$.
# You get $\log w$ for $k$ draws of each image, and stay with logarithms:
# `ops.logsumexp(…, axis=…)` is the logarithm of a sum of exponentials, without this loss.
# A sum is not yet a mean.

# %%
def importance_bound(log_weights):
    """The estimate of L_k for each image. log_weights: (k, batch). Returns (batch,)."""
    ### BEGIN SOLUTION
    return ops.logsumexp(log_weights, axis=0) - np.log(log_weights.shape[0])
    ### END SOLUTION


vh.check.importance_bound(importance_bound)

# %% [markdown]
# **Target:** for one image with the two weights $\frac12$ and $\frac32$ it is $\log1=0$.
# (The mean of their logarithms is −0.14: that would be the ELBO.)
#
# From here on we use `vh.log_likelihood(vae, x, samples=k)`: it encodes the images, makes the draws, and does the same.
#
# ### Training with the bound
#
# What does it do to *train* with the bound?
# Its gradient, written $\nabla$, shows it.
# As in lesson 02, each draw is $z=\mu+\sigma\varepsilon$, and the noise $\varepsilon$ is held fixed while we differentiate.
# Because $\nabla w=w\,\nabla\log w$,
#
# $$\nabla\log\frac1k\sum_iw_i=\frac{\sum_i\nabla w_i}{\sum_iw_i}=\sum_i\frac{w_i}{w_1+\dots+w_k}\,\nabla\log w_i$$
#
# Each draw counts by its *share* of the weight.
# So it is enough that *one* of $k$ draws is good, and the cloud need not fit everywhere.
# For $k=1$ the share is 1, and this is the training with the ELBO.
#
# We write it out, for digits in pure black and white.
# Each pixel was tossed once, with its grey value as the probability (lesson 04), so the Bernoulli likelihood is a true one.

# %%
def log_weights(vae, x, mean, log_var, k):
    """log w for k draws of z for each binary image: (k, batch)."""
    noise = keras.random.normal((k, *ops.shape(mean)), seed=vae.seed_generator)
    z = mean + ops.exp(0.5 * log_var) * noise  # (k, batch, latent)
    logits = vae.decoder(ops.reshape(z, (-1, vae.latent_dim)))
    logits = ops.reshape(logits, (k, -1, *vae.image_shape))
    log_px = ops.sum(x * logits - ops.softplus(logits), axis=(2, 3, 4))  # Bernoulli
    return log_px + vh.gaussian_log_prob(z, 0.0, 0.0) - vh.gaussian_log_prob(z, mean, log_var)


class ImportanceWeightedVAE(vh.VAE):
    """A VAE that is trained with the bound of k draws."""

    k = 1

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        log_w = log_weights(self, x, y_pred["mean"], y_pred["log_var"], self.k)
        share = ops.stop_gradient(ops.exp(log_w - ops.logsumexp(log_w, axis=0)))  # here it is a plain number
        return -ops.mean(ops.sum(share * log_w, axis=0))

# %% tags=["guard"]
import tensorflow as tf

tiny = ImportanceWeightedVAE(
    vh.mlp_encoder(data.image_shape, 2, hidden=(8,)), vh.mlp_decoder(data.image_shape, 2, hidden=(8,))
)
tiny.k, few = 3, data.x_test[:4]
gradients = []
for by_shares in (True, False):
    tiny.reseed(0)
    with tf.GradientTape() as tape:
        mean, log_var = tiny.encoder(few)
        if by_shares:
            lost = tiny.compute_loss(few, y_pred={"mean": mean, "log_var": log_var})
        else:
            log_w = log_weights(tiny, few, mean, log_var, 3)
            lost = -ops.mean(ops.logsumexp(log_w, axis=0) - np.log(3))
    gradients.append(np.concatenate([np.ravel(part) for part in tape.gradient(lost, tiny.trainable_variables)]))
off = np.abs(gradients[0] - gradients[1]).max() / np.abs(gradients[1]).max()
vh.expect("gradient by shares minus that of the bound, relative", off, at_most=1e-4, everywhere=True)

# %% [markdown]
# (`stop_gradient` keeps a number and lets no gradient pass.
# So the *value* of this loss is not the bound, but its gradient is that of the bound.
# The authors' own program does the same.)
#
# The network is that of Burda and others: 50 latents, and two hidden layers of 200 with tanh on each side.
# Each training gets the same 20,000 images and 6 passes over them (the *budget*), and each $k$ gets three seeds.
# As a control, one training of $k=1$ gets 12 passes.
# (Seven trainings of 5 to 20 seconds each.)
#
# **Predict.** Trained with $k=5$ in place of $k=1$, which will rise: the ELBO, or $\log p(x)$, or both?

# %%
def burda_networks():
    """The encoder and the decoder of Burda and others."""
    shape, options = data.image_shape, {"hidden": (200, 200), "activation": "tanh"}
    return vh.mlp_encoder(shape, 50, **options), vh.mlp_decoder(shape, 50, **options)


def train(k, seed, passes=settings.budget, images=data.x_train[:20_000]):
    keras.utils.set_random_seed(seed)  # the same start for every k
    encoder, decoder = burda_networks()
    r = images.mean(axis=0).ravel().clip(0.001, 0.999)
    decoder.get_layer("pixels").bias.assign(np.log(r / (1 - r)))  # start at the mean image
    vae = ImportanceWeightedVAE(encoder, decoder)
    vae.k = k
    vae.compile(keras.optimizers.Adam(2e-3))
    start = time.time()
    vae.fit(images, epochs=passes, batch_size=100, verbose=0)
    print(f"k = {k}, seed {seed}, {passes} passes: {time.time() - start:.0f} s")
    return vae

# %%
small = {(k, seed): train(k, seed) for k in (1, 5) for seed in range(settings.seeds)}
longer = train(1, 0, passes=2 * settings.budget)  # a control: about the seconds of k = 5

# %% [markdown]
# Now the stairs of the first six, on the same 100 test images, up to 5000 draws for each image and each model.
# We take images spread over the whole test set, because its first half is the easier one.
# (About a minute, with a line after each model.)

# %%
x = data.x_test[:: len(data.x_test) // 100][:100]
steps = [k for k in (1, 10, 100, 1000, 5000) if k <= settings.samples]


def stair(vae, k):
    """The bound with k draws for each image; for small k, averaged over several groups of draws."""
    groups = max(1, min(20, 200 // k))
    copies = np.repeat(x, groups, axis=0)
    return vh.log_likelihood(vae, copies, samples=k).reshape(len(x), groups).mean(axis=1)


stairs = {}
print("trained with       ELBO  ", *(f"{k:5d} draws" for k in steps[1:]))
for (k, seed), vae in small.items():
    stairs[k, seed] = np.array([stair(vae, draws) for draws in steps])  # (steps, images)
    print(f"k = {k}, seed {seed}", *(f"{values.mean():11.2f}" for values in stairs[k, seed]))

# %%
gains = [stairs[5, seed] - stairs[1, seed] for seed in range(settings.seeds)]  # image by image
for name, step in (("the ELBO", 0), (f"the bound with {steps[-1]} draws", -1)):
    each = [f"{gain[step].mean():+.2f} ± {gain[step].std() / np.sqrt(len(x)):.2f}" for gain in gains]
    print(f"gain by k = 5 in {name}, one number a seed:", *each, sep="  ")
gain = vh.log_likelihood(longer, x, samples=settings.samples) - stairs[1, 0][-1]
print(f"gain by twice as many passes with k = 1: {gain.mean():+.2f} ± {gain.std() / np.sqrt(len(x)):.2f}")
vh.expect("least gain by k = 5 in the last bound, nats", min(gain[-1].mean() for gain in gains), at_least=1.3)

# %% alt="The bound over the number of draws for six models, three seeds each. At one draw, the ELBO, the three models trained with k = 5 lie below the three of k = 1. The lines cross before ten draws, and at 5000 draws all three of k = 5 lie above all three of k = 1. All lines still rise a little between 1000 and 5000."
fig, ax = plt.subplots(figsize=(7.5, 3.8))
for (k, seed), values in stairs.items():
    color, style, marker = ("C0", "-", "o") if k == 1 else ("C1", "--", "s")
    label = f"trained with k = {k}, three seeds" if seed == 0 else None
    ax.plot(steps, values.mean(axis=1), style, marker=marker, markersize=5, color=color, linewidth=1.2, label=label)
ax.set(xscale="log", xlabel="draws in the bound", ylabel="nats, mean of 100 images", title="The stairs of six VAEs on MNIST")
ax.set_xticks(steps, steps)
ax.legend(loc="lower right");

# %% tags=["guard"]
most = max(each[-1].mean() for each in gains)
vh.expect("largest gain by k = 5 in the last bound, nats", most, at_most=3.3)
vh.expect("gain by twice as many passes minus that, nats", gain.mean() - most, at_least=0.3)
vh.expect("k = 1: last bound minus ELBO, nats", np.mean([stairs[1, s][-1].mean() - stairs[1, s][0].mean() for s in range(settings.seeds)]), 7, 9)
vh.expect("largest gain in the ELBO by k = 5, nats", max(gain[0].mean() for gain in gains), at_most=0)
last_steps = {k: np.mean([stairs[k, s][-1] - stairs[k, s][-2] for s in range(settings.seeds)]) for k in (1, 5)}
vh.expect("last step, k = 1, nats", last_steps[1], at_least=0.05, at_most=1.0)
vh.expect("last step, k = 5, nats", last_steps[5], at_least=0.05, at_most=1.0)
vh.expect("last step, k = 5 minus k = 1, nats", last_steps[5] - last_steps[1], at_least=0)
grown = min((gain[-1] - gain[min(2, len(steps) - 1)]).mean() for gain in gains)
vh.expect("lead of k = 5, from 100 draws to the last bound, least growth, nats", grown, at_least=0)

# %% [markdown]
# **What you see.** The answer: $\log p(x)$ rises, and the ELBO falls.
# Judged by the ELBO alone, the better model would lose, with every seed.
# At 5000 draws, $k=5$ is ahead by some 2 nats with each of the three seeds.
# The ± is the standard error over the *images*, of differences image by image; how far the three numbers lie apart shows what the *seed* does.
#
# - Much of what looks like a bad *model* at the left was a bad *bound*: some 8 nats with $k=1$.
# - From 1000 to 5000 draws all six still rise.
#   So 5000 draws give an estimate from below, and a report says how many draws it used.
#   From 100 to 5000 draws the lead of $k=5$ grows with each seed, so it does not come from too few draws.
#
# A word of care.
# "Better after the same passes" is not "better after the same time": five draws mean more work in each step.
# The control, $k=1$ with twice as many passes, took about as many seconds as $k=5$, and gained more.
# And the larger gap between ELBO and $\log p(x)$ says that the clouds of $k=5$ are *farther* from the posterior (lesson 03).
# There is a known limit as well: with growing $k$, the gradient for the *encoder* is lost in its own noise (Rainforth and others, 2018);
# a better estimate of the same gradient removes this (Tucker and others, 2019).
# A side road measures both on the small model.
#
# **Question.** A paper trains two methods once each.
# Its gain is 0.3 nats, with a standard error of 0.1, over the same images.
# Is the new method better?
#
# <details><summary>Open the answer</summary>
#
# The paper cannot say.
# The 0.1 is the luck of the images; the luck of the training is not in it.
# Above, three trainings of *one* method differ by about 0.2 nats ($k=1$) and 0.6 nats ($k=5$).
#
# </details>

# %% [markdown]
# ### A published table
#
# Now we can read table 1 of Burda and others (2016), one layer, MNIST.
# A number in a paper belongs to a **protocol**.
# We trained their network beforehand, with `python -m benchmarks.train_burda`, for $k=1$ and for $k=5$ with equally many passes.
# The weights come with the package, each file with a record of how it was made.
#
# | | Burda and others | ours |
# |---|---|---|
# | training images | 59,600, tossed black or white anew at each pass | 60,000, the same |
# | test images | 10,000, tossed once | 10,000, tossed once |
# | network | encoder 784–200–200–50, decoder 50–200–200–784, tanh | the same |
# | trained with | the bound of $k$ draws, Adam with ε = 10⁻⁴, a sum over the batch | the same, but a mean over the batch |
# | images in a batch | 20 | printed below |
# | passes | 3280 | printed below |
# | learning rates | $0.001\cdot10^{-i/7}$ for $3^i$ passes, $i=0,\dots,7$ | $0.002\cdot10^{-i/7}$, equally many passes for each $i$; after each interruption the remaining passes were shared out anew |
# | seeds | one number in the table | one |
# | estimate of $\log p(x)$ | 5000 draws | 5000 draws |
#
# (Their column is from the paper, section 5, and from their program.)
#
# **Predict.** In the paper, $k=5$ is ahead by 1.22 nats.
# With far fewer passes than theirs, but as many for $k=5$ as for $k=1$: will the order be the same?
# Will our numbers be better or worse than theirs?

# %%
folder = Path(vh.__file__).parent / "weights"
stored, facts = {}, {}
for k in (1, 5):
    stored[k] = vh.VAE(*burda_networks())
    stored[k].load_weights(folder / f"burda_k{k}.weights.h5")  # numbers only, so the network comes first
    facts[k] = json.loads((folder / f"burda_k{k}.json").read_text(encoding="utf-8"))
    print(f"k = {k}: {facts[k]['passes']} passes, batches of {facts[k]['batch']}, new plans after", *facts[k]["resumed_at"])

print(f"\nlog p(x) in nats, {facts[1]['test_images']:,} test images, {facts[1]['samples']} draws")
print("trained with     ELBO     log p(x)      the paper   distance")
for k, fact in facts.items():
    measured = f"{fact['log_p']:.2f} ± {fact['standard_error']:.2f}"
    print(f"k = {k} {fact['elbo']:15.2f} {measured:>16s} {fact['paper']:10.2f} {fact['log_p'] - fact['paper']:+10.2f}")
ahead, published = (facts[5][what] - facts[1][what] for what in ("log_p", "paper"))
print(f"k = 5 ahead by {ahead:.2f} here, by {published:.2f} in the paper")

# %% alt="Two rows, k = 1 and k = 5. In each, from left to right: our ELBO as an upright line, several nats lower; our estimate of log p(x) as a dot with error bars; the number of the paper as a diamond."
fig, ax = plt.subplots(figsize=(7.5, 2.6))
for row, fact in enumerate(facts.values()):
    labels = ("our estimate, ± 2 standard errors", "our ELBO", "the paper") if row == 0 else (None, None, None)
    ax.errorbar(fact["log_p"], row, xerr=2 * fact["standard_error"], fmt="o", color="C0", label=labels[0])
    ax.plot(fact["elbo"], row, "|", color="C0", markersize=16, markeredgewidth=2, label=labels[1])
    ax.plot(fact["paper"], row, "D", color="C1", label=labels[2])
ax.set(ylim=(1.6, -0.6), xlabel="nats", title="Test images of MNIST")
ax.set_yticks([0, 1], ["k = 1", "k = 5"])
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
vh.expect("k = 1: distance to the paper, nats", facts[1]["log_p"] - facts[1]["paper"], at_least=-4, at_most=0.5, everywhere=True)

# %% tags=["guard"]
vh.expect("k = 5: distance to the paper, nats", facts[5]["log_p"] - facts[5]["paper"], at_least=-4, at_most=0.5, everywhere=True)
vh.expect("k = 5 ahead, nats", ahead, at_least=0.1, everywhere=True)
for k, fact in facts.items():
    vh.expect(f"k = {k}: log p(x) minus ELBO, nats", fact["log_p"] - fact["elbo"], at_least=2, at_most=12, everywhere=True)
    vh.expect(f"k = {k}: test images", fact["test_images"], 10_000, 10_000, everywhere=True)
    vh.expect(f"k = {k}: draws", fact["samples"], 5000, 5000, everywhere=True)

# %% [markdown]
# **What you see.** The answer: the order is that of the paper, and our numbers are worse, by the last column.
# A **replication** reports just this: the figure, the protocol, the distance.
# Passes, batches and learning rates differ at once, so the distance cannot be blamed on one of them.
# Each row is *one* training, and its ± holds the images only.
# The two trainings were also interrupted at different passes (the numbers after "new plans"), so their learning rates differ a little.
# So the lead of $k=5$ is a difference of two trainings, not of $k$ alone; the six short trainings above are the better evidence.
#
# If you compare *your ELBO* with *the paper's estimate of* $\log p(x)$, you compare two steps of the stairs, not two models.
#
# **Question.** Which of these may be put beside this table?
# (a) The ELBOs of lessons 02 to 06.
# (b) A number for the first 100 test images.
# (c) Our bits per pixel of sitting A.
#
# <details><summary>Open the answer</summary>
#
# None.
# (a) The digits of lessons 02 to 06 are *thresholded*, which makes them easier to describe.
# The Bernoulli formula on grey digits is not even a likelihood.
# (b) The first half of MNIST's test set is cleaner than the second (so says the page of MNIST, by LeCun, Cortes and Burges), and 100 images are few:
# the next cell shows how much the number moves.
# (c) Other images, and another unit.
#
# </details>

# %%
stored_log_p = vh.log_likelihood(stored[1], x, samples=settings.samples)
first = vh.log_likelihood(stored[1], data.x_test[:100], samples=settings.samples)
for name, values in (("100 images spread over the test set", stored_log_p), ("the first 100 test images", first)):
    print(f"k = 1, {name}: {values.mean():.2f} ± {values.std() / 10:.2f}")
print(f"k = 1, all {facts[1]['test_images']:,} (from the record): {facts[1]['log_p']:.2f} ± {facts[1]['standard_error']:.2f}")

# %% [markdown]
# **What you see.** The same model, the same estimate, and two numbers that differ by more than the 1.22 nats of the paper.
# With 100 images in each, chance alone can do this: the difference is only half of its own standard error.
# So models are compared on the same images.

# %% tags=["guard"]
for name, values in (("spread", stored_log_p), ("first", first)):
    off = abs(values.mean() - facts[1]["log_p"]) / (values.std() / 10)
    vh.expect(f"100 images, {name}, against all, in standard errors", off, at_most=4)

# %% [markdown]
# ### Samples: a second opinion
#
# A likelihood does not ask: do the model's own images look real?
# For this question, take a classifier, and look at its last hidden layer: 64 **features** of an image.
# Compare the features of many real images with those of the model's images, by the **Fréchet distance** of lesson 02:
#
# $$\text{distance}=\lVert \mu_A-\mu_B\rVert^2+\mathrm{tr}\!\left(\Sigma_A+\Sigma_B-2\,(\Sigma_A\Sigma_B)^{1/2}\right)$$
#
# Here $\mu$ is the mean of such a set of features, and $\Sigma$ its covariance matrix.
# (tr adds up the diagonal; the power ½ is the matrix square root.)
# With the features of a large network, it is called FID (Heusel and others, 2017).
#
# The classifier learns from the *first* half of the training images; the memory below gets the second half.
# So the memory cannot profit from what the classifier has seen.
# (The two VAEs learned from images of the first half, too.
# We did not measure what this does to their distances; the contrasts below are large.)
# One random half of the test images stands for the truth.
# The other half gives the **floor**: the distance of real images from real images.

# %%
half = len(data.x_train) // 2
keras.utils.set_random_seed(settings.seed)
classifier = keras.Sequential([
    keras.Input(data.image_shape),
    keras.layers.Flatten(),
    keras.layers.Dense(256, activation="relu"),
    keras.layers.Dense(64, activation="relu", name="features"),
    keras.layers.Dense(10),
])  # fmt: skip
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
classifier.compile("adam", loss, metrics=["accuracy"])
classifier.fit(data.x_train[:half], data.y_train[:half], epochs=settings.epochs, batch_size=128, verbose=0)
accuracy = classifier.evaluate(data.x_test, data.y_test, verbose=0)[1]
print(f"accuracy on the test images: {accuracy:.3f}")

# %%
to_features = keras.Model(classifier.inputs, classifier.get_layer("features").output)
n = len(data.x_test) // 2
order = rng.permutation(len(data.x_test))
truth, other_half = (to_features.predict(data.x_test[part], batch_size=500, verbose=0) for part in (order[:n], order[n : 2 * n]))


def distance_to_real(images):
    return vh.frechet_distance(truth, to_features.predict(images, batch_size=500, verbose=0))


for m in (n // 20, n // 4, n):
    print(f"{m:5d} real images against {n} others: distance {vh.frechet_distance(truth, other_half[:m]):6.2f}")
floor = vh.frechet_distance(truth, other_half)

# %% tags=["guard"]
vh.expect("accuracy of the classifier", accuracy, at_least=0.93, at_most=0.96)
vh.expect("distance of few / of all", vh.frechet_distance(truth, other_half[: n // 20]) / floor, at_least=2)

# %% [markdown]
# **What you see.** Real images against real images: the distance is not 0, and it is larger for fewer images.
# So compare only distances from the *same number* of images and the *same classifier*, and print this floor beside them.
#
# Now two strange models, after an idea of Theis, van den Oord and Bethge (2016).
#
# - **Mostly noise.** Take the stored VAE, and replace 99 % of its images by noise: each pixel a fair coin.
#   The probability of an image is $p(x)=0.01\,p_{\text{VAE}}(x)+0.99\cdot2^{-784}$.
# - **Memory.** Take a random image from the second half of the training images, and turn each pixel over with probability 0.1 %.
#   No network.
#   $p(x)$ is the mean over these images of $0.001^{\text{turned}}\cdot0.999^{784-\text{turned}}$,
#   where "turned" counts the pixels in which $x$ and the training image differ.
#
# The memory's $p(x)$ can be computed exactly.
# That of the mixture is as good as our estimate for the VAE.
#
# **Predict.** Where will each of them stand in $\log p(x)$ of the *test* images, and where in the distance of its own images?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Mostly noise: $p(x)$ is at least $0.01\,p_{\text{VAE}}(x)$, so $\log p(x)$ falls by at most $\log100\approx4.6$ nats, for any image.
# The images it draws are noise.
# Memory: its images are real ones, nearly, so the distance is near the floor.
# But a test image typically differs from every training image in dozens of pixels, and each of them costs $\log1000\approx6.9$ nats.
#
# </details>

# %%
def toss(means):
    """One draw of every pixel."""
    return (rng.random(means.shape) < means).astype("float32")


known = data.x_train[half:]  # what the memory remembers
noise = toss(np.full((n, *data.image_shape), 0.5))
drawn = {
    "VAE, stored": toss(stored[1].sample(n, seed=0)),
    "VAE, short training": toss(small[1, 0].sample(n, seed=0)),
    "memory": np.abs(rng.permutation(known)[:n] - toss(np.full(noise.shape, 0.001))),
}
drawn["99 % noise"] = np.where(rng.random((n, 1, 1, 1)) < 0.99, noise, drawn["VAE, stored"])

# %% alt="Four rows of ten drawn images, all pixels tossed. The stored VAE: digits with ragged edges, most of them readable. The VAE of short training: more broken strokes. Memory: real digits with a wrong pixel here and there. 99 % noise: black and white noise."
vh.plot_images([images[:10] for images in drawn.values()], list(drawn));

# %%
def memory_log_p(images, flip=0.001):
    """log p(x) of the model that remembers the images `known`."""
    flat, memory = images.reshape(len(images), -1), known.reshape(len(known), -1)
    both = flat @ memory.T  # (images, known): how many pixels are white in both
    differ = flat.sum(axis=1)[:, None] + memory.sum(axis=1) - 2 * both  # white in one of them only
    log_each = differ * np.log(flip) + (784 - differ) * np.log(1 - flip)
    return np.logaddexp.reduce(log_each, axis=1) - np.log(len(memory))  # the mean, in logarithms


log_p = {
    "VAE, stored": stored_log_p.mean(),
    "VAE, short training": stairs[1, 0][-1].mean(),
    "memory": memory_log_p(x).mean(),
    "99 % noise": np.logaddexp(np.log(0.01) + stored_log_p, np.log(0.99) - 784 * np.log(2)).mean(),
}
distances = {name: distance_to_real(images) for name, images in drawn.items()}
print(f"log p(x) of {len(x)} test images, distance of {n} drawn images")
for name in drawn:
    print(f"{name:20s} {log_p[name]:8.1f} {distances[name]:10.1f}")
print(f"{'real images':20s} {'':8s} {floor:10.1f}")

# %% alt="Fréchet distance, on a logarithmic axis, over log p(x). Far left, at the worst likelihood, the memory lies near the line of the floor. At the right the stored VAE; a few nats left of it and much higher, the 99 % noise; still further left, but lower than the noise, the VAE of short training."
fig, ax = plt.subplots(figsize=(7.5, 4))
for (name, distance), marker in zip(distances.items(), "os^D"):
    ax.plot(log_p[name], distance, marker, markersize=10, label=name)
ax.axhline(floor, color="black", linewidth=1, label="real images")
ax.set(xlabel="log p(x) of test images, nats (right is better)", ylabel="Fréchet distance (low is better)")
ax.set(yscale="log", title="Two measures, two answers")
ax.set_yticks([1, 10, 100], [1, 10, 100])
ax.legend()
vh.expect("99 % noise minus VAE of short training, nats", log_p["99 % noise"] - log_p["VAE, short training"], at_least=5)

# %% tags=["guard"]
vh.expect("nats lost by 99 % noise", log_p["VAE, stored"] - log_p["99 % noise"], at_most=np.log(100) + 1e-3, everywhere=True)
vh.expect("distance, 99 % noise / VAE", distances["99 % noise"] / distances["VAE, stored"], at_least=5)
vh.expect("VAE minus memory, log p(x)", log_p["VAE, stored"] - log_p["memory"], at_least=100)
vh.expect("distance, VAE / memory", distances["VAE, stored"] / distances["memory"], at_least=3)
vh.expect("distance, memory / floor", distances["memory"] / floor, at_most=2)

# %% tags=["guard"]
by_flip = {flip: memory_log_p(x, flip).mean() for flip in (0.03, 0.05, 0.06, 0.07, 0.1)}
vh.expect("memory, best flip of five", max(by_flip, key=by_flip.get), at_least=0.05, at_most=0.07)
vh.expect("memory, log p(x) at its best flip", max(by_flip.values()), at_least=-186, at_most=-182)
ones = distance_to_real(known[data.y_train[half:] == 1][:n])
vh.expect("distance of real ones", ones, at_least=130, at_most=180)
vh.expect("distance of real ones / VAE", ones / distances["VAE, stored"], at_least=20)
vh.expect("spread 100 images minus first 100, nats", abs(stored_log_p.mean() - first.mean()), at_least=1.22)

# %% [markdown]
# **What you see.** The model of 99 % noise loses 4.6 nats, a small step on the axis of $\log p(x)$, and draws rubbish.
# It still stands to the right of the VAE of short training, whose images look like broken digits.
# The memory draws real digits, with a wrong pixel here and there, and has by far the worst likelihood.
# So neither measure can replace the other.
#
# - The **likelihood** is an average of *logarithms over real images*.
#   A model pays dearly for a real image that it takes for impossible, and hardly at all for drawing bad images often:
#   a factor of 100 in the probability is only 4.6 nats.
# - The **distance of samples** looks only at what the model draws.
#   It does not notice that a model repeats what it has seen,
#   nor anything that the classifier does not see, or that lies beyond means and covariances.
#
# To compress images, likelihood counts; to draw pictures, samples.
# For both, look at both, and at the nearest training images of the samples too.
#
# ### Exercise 7.5 · Change it, and explain · 10 min
#
# No check, only your own eyes.
#
# 1. Compute `memory_log_p(x, flip).mean()` for `flip` = 0.01, 0.05, 0.1 and 0.2.
#    Before you run it: will the best likelihood come with few or with many flips?
#    What will the drawn images look like then?
# 2. Would the Fréchet distance notice a model that draws perfect digits, but only ones?
#    Decide, and then compute `distance_to_real(known[data.y_train[half:] == 1][:n])`.
#
# <details><summary>Open the answers when you have tried</summary>
#
# 1. More flips help at first: a pixel that differs costs $-\log(\text{flip})$, and dozens differ.
#    The best value (chosen on the test images, which only helps the memory) is near 6 %.
#    That is about the share of pixels in which a test image differs
#    from the most similar image of the memory (45 of 784 on average).
#    The memory then reaches about −184 nats, still far behind the VAE.
#    But then every drawn image is covered with as many wrong pixels.
#    The likelihood asks for exactly the grain that the eye dislikes.
# 2. It is noticed at once: when we ran it (with the 3,400 ones that there are), the distance was 155, thirty times that of the VAE, although each image is real.
#    Their features have another mean and another spread.
#
# </details>
#
# ### To take away
#
# 1. Compare densities with densities: continuous Bernoulli and normal, on dequantized pixels, in bits per pixel.
#    The Bernoulli formula on grey pixels is no likelihood.
# 2. The $\sigma$ of a normal decoder is part of the model.
#    The best $\sigma^2$ is the mean squared error; a fixed $\sigma=1$ can be worse than knowing nothing.
# 3. ELBO ≤ bound with $k$ draws ≤ $\log p(x)$: the logarithm comes *after* the mean.
#    Training with $k=5$ gained some 2 nats in each of three short trainings, and lost in the ELBO.
#    Twice as many passes with $k=1$ took about the same time, and gained more.
# 4. A published number belongs to a protocol.
#    Report your figure, the protocol, and the distance; say how many draws, which images, and how many trainings.
# 5. A good likelihood does not make good samples, nor good samples a good likelihood.
#    Measure both.
#
# **Where the ideas come from.**
# G. Loaiza-Ganem and J. Cunningham, *The continuous Bernoulli: fixing a pervasive error in variational autoencoders*,
# NeurIPS 2019 (section 3: the density and its normalizer).
# O. Rybkin, K. Daniilidis and S. Levine, *Simple and effective VAE training with calibrated decoders* (σ-VAE), ICML 2021.
# L. Theis, A. van den Oord and M. Bethge, *A note on the evaluation of generative models*,
# ICLR 2016 (dequantization: section 3.1; the mixture with noise: section 3.2).
# C. Shannon, *A mathematical theory of communication*, Bell System Technical Journal 27, 1948.
# J. Townsend, T. Bird and D. Barber, *Practical lossless compression with latent variables using bits back coding*, ICLR 2019.
# Y. Burda, R. Grosse and R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016 (the bound: equation 8; its order: theorem 1; table 1).
# M. Heusel and others, *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*, NIPS 2017 (the Fréchet distance on features).
#
# **Next:** lesson 08 puts a VAE to use: drawing what you ask for, filling in what is missing, and finding what does not belong.

# %% [markdown] sitting="side roads"
# ## Side roads · {{minutes}} min
#
# Nothing later needs these two.
#
# ### Why more draws can teach the encoder less
#
# *For readers who want to train with a large $k$, and like gradients.*
#
# A gradient that is estimated by draws has a size, its mean, and a noise, its standard deviation.
# Their ratio is its **signal-to-noise ratio**.
# On the small model we can measure it, for the middle $\mu$ of the cloud.
# Write $s_i$ for the share of draw $i$, and $g_i$ for the derivative of $\log p(x\mid z)+\log p(z)$ at $z_i=\mu+\sigma\varepsilon_i$.
#
# - The usual gradient is the sum of $s_i\,g_i$, because $\log q(z_i)$ does not change with $\mu$.
# - The *doubly reparameterized* gradient is the sum of $s_i^2\,(g_i+\varepsilon_i/\sigma)$: the same on average (Tucker and others, 2019).
# - For the decoder there is only one: the sum of $s_i$ times the derivative of $\log p(x\mid z_i)$, here by the second shift.
#
# **Predict.** With more draws, which of the three ratios grow, and which one falls?

# %%
noise = rng.normal(size=2**20)
z = q_mean + q_sigma * noise
left = image - 1 / (1 + np.exp(-(z[:, None] * slopes + shifts)))  # pixel minus its probability
g, log_w = (left * slopes).sum(axis=1) - z, small_log_weight(z)

ratios = {"decoder": [], "encoder, doubly reparameterized": [], "encoder, usual": []}
ks = 4 ** np.arange(5)
for k in ks:
    weights = np.exp(log_w).reshape(-1, k)
    share = (weights / weights.sum(axis=1, keepdims=True)).ravel()
    for name, parts in zip(ratios, (share * left[:, 1], share**2 * (g + noise / q_sigma), share * g)):
        gradient = parts.reshape(-1, k).sum(axis=1)  # one estimate for each group of k draws
        ratios[name].append(abs(gradient.mean()) / gradient.std())

# %% alt="Signal-to-noise ratio over the number of draws k, both axes logarithmic. The decoder's line rises from 5 to over 50. The doubly reparameterized line of the encoder stays near 1 at first and then rises above 4. The usual line of the encoder falls from 0.8 to 0.05."
fig, ax = plt.subplots(figsize=(7.5, 3.6))
for (name, values), style in zip(ratios.items(), ("o-", "s--", "^:")):
    ax.plot(ks, values, style, label=name)
ax.set(xscale="log", yscale="log", xlabel="draws k", ylabel="signal-to-noise ratio", title="Which gradients gain by more draws?")
ax.set_xticks(ks, ks)
ax.set_yticks([0.1, 1, 10], [0.1, 1, 10])
ax.legend();

# %% tags=["guard"]
vh.expect("usual, k = 256 / k = 1", ratios["encoder, usual"][-1] / ratios["encoder, usual"][0], at_most=0.12, everywhere=True)
vh.expect("usual, k = 256", ratios["encoder, usual"][-1], at_least=0.02, at_most=0.08, everywhere=True)
name = "encoder, doubly reparameterized"
vh.expect("doubly reparameterized, k = 256", ratios[name][-1], at_least=3, everywhere=True)
vh.expect("decoder, k = 256 / k = 1", ratios["decoder"][-1] / ratios["decoder"][0], at_least=5, everywhere=True)

# %% [markdown]
# **What you see.** The answer: two grow, in the end like $\sqrt k$, and the usual one of the encoder falls like $1/\sqrt k$.
# At $k=256$ the noise of an estimate is 15 to 20 times its mean.
# The reason: with many draws the bound hardly depends on the cloud any more, so there is little left to learn, but the noise of a draw remains.
# The doubly reparameterized gradient has the same mean and far less noise.
# In the picture, the usual ratio has halved at $k=4$ already; on MNIST we have not measured it.
# (T. Rainforth and others, *Tighter variational bounds are not necessarily better*, ICML 2018;
# G. Tucker and others, *Doubly reparameterized gradient estimators for Monte Carlo objectives*, ICLR 2019.)
#
# ### What else is measured today
#
# *For readers who will write such a table themselves.*
#
# - **Where the gap comes from.** Part of the gap is the form of the cloud, part is that one encoder serves all images
#   (C. Cremer and others, *Inference suboptimality in variational autoencoders*, ICML 2018).
# - **A better $\log p(x)$.** Annealed importance sampling walks from the prior to the posterior, and needs fewer, longer runs
#   (Y. Wu and others, *On the quantitative analysis of decoder-based generative models*, ICLR 2017).
# - **Other distances of samples.** The kernel distance KID has no bias for few images (M. Bińkowski and others, ICLR 2018);
#   precision and recall tell bad images from missing ones (T. Kynkäänniemi and others, NeurIPS 2019);
#   features of a network that was not trained on labels agree better with people (G. Stein and others, NeurIPS 2023).

# %%
vh.figures_compared()
