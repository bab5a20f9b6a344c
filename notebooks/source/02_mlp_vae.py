# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · The variational autoencoder, with dense layers
#
# You turn the code of an image from a point into a small cloud, train the result, and find out what the noise is for.
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{{repository}}/blob/{{branch}}/notebooks/02_mlp_vae.ipynb)
#
# **Time:** about 3 minutes of computing on two cores (not measured yet on a Colab GPU), and an hour of reading and
# thinking.
#
# **You will be able to**
#
# - say what the encoder of a variational autoencoder (VAE) gives, and why it gives a *log-variance*;
# - write the sampling step and the training step yourself, and check both;
# - say why the noise is there, and show what goes wrong without it;
# - use the encoder alone, to draw a map, and the decoder alone, to draw new digits;
# - compare an autoencoder and a VAE fairly, with numbers.
#
# **You need** lesson 01 (encoder, decoder, code, latent, reconstruction, logit, epoch, batch), the normal distribution, and the
# idea of a derivative.

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

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=6, budget=4, seeds=3, grid=30, samples=10_000)
data = vh.load_images("mnist", binarize="threshold")
vh.plot_images(data.x_test[:10]);

# %% [markdown]
# **What you see.** Handwritten digits from MNIST, in pure black and white. The option `binarize="threshold"` made each
# pixel 1 if it was brighter than 0.5, and 0 otherwise. So a pixel is 0 or 1, and the decoder can describe it as one describes
# a coin: by the probability of a 1.
#
# ## From a point to a cloud
#
# In lesson 01 the encoder gave one code, a point. Two problems remained: between the points nobody trained the decoder,
# and nobody said how the points are distributed.
#
# The encoder of a VAE gives a small **cloud** for each image: a normal distribution over codes. It needs two lists of
# numbers, each as long as the code:
#
# - `mean`, in formulas $\mu$: the middle of the cloud;
# - `log_var`, in formulas $\log\sigma^2$: the logarithm of the variance. The variance $\sigma^2$ is the square of the standard
#   deviation $\sigma$, the width of the cloud.
#
# Why the logarithm? A Dense layer can give any number, also a negative one. A variance must be positive. The logarithm of a
# variance may be any number, so the layer needs no restriction. To get the width back: $\sigma = e^{\frac12\log\sigma^2}$.
#
# This distribution has a name: $q(z\mid x)$, read "q of z given x". It is the encoder's proposal: which codes $z$ may belong to
# the image $x$?

# %%
encoder = vh.mlp_encoder(data.image_shape, latent_dim=2, hidden=(256,))
decoder = vh.mlp_decoder(data.image_shape, latent_dim=2, hidden=(256,))
vae = vh.VAE(encoder, decoder)
vh.plot_architecture(vae);

# %% tags=["nbval-check-output"]
mean, log_var = encoder(data.x_test[:5])
print("mean:", tuple(mean.shape), "  log_var:", tuple(log_var.shape))
print("parameters of the encoder:", encoder.count_params())
print("parameters of the decoder:", decoder.count_params())

# %% [markdown]
# **What you see.** Two chains as in lesson 01, here with one *hidden layer* each (a layer between the first and the last), of 256
# *units* (it gives 256 numbers). New is the yellow box. It stands for two Dense layers side by side, `mean` and `log_var`, which
# both read the hidden layer and give 2 numbers each.
#
# The decoder needs one code, not a cloud. So we draw one point from the cloud, and draw a new one each time the image is used:
#
# $$z = \mu + \sigma\,\varepsilon,\qquad \varepsilon\sim\mathcal N(0, I),\qquad \sigma = e^{\frac12\log\sigma^2}$$
#
# Here $\varepsilon$ (epsilon) is fresh noise, one number for each latent. The sign $\sim$ means "is drawn from", and
# $\mathcal N(0, I)$ means: each number has mean 0 and variance 1, and the numbers do not depend on each other. To stretch the noise
# by $\sigma$ and then shift it by $\mu$ is the same as to draw from $\mathcal N(\mu, \sigma^2)$.

# %% [markdown]
# ### Exercise 2.1 · The sampling step
#
# Return one draw for each row of `mean`. Each image must get its own noise. Be careful: which of $\sigma$, $\sigma^2$ and $\log\sigma^2$ do you have?
#
# Useful: `keras.random.normal(shape, seed=seed)` draws the noise, `ops.shape(mean)` is its shape, and `ops.exp` is the exponential function. (`ops` are Keras's functions on arrays. Unlike numpy's, they let gradients pass.)
#
# About `seed`: pass it on as you get it. If it is an integer, the noise is the *same* at every call. That is good for a check, and wrong for training. In training, it is a `keras.random.SeedGenerator`, which gives new noise at every call.

# %%
def reparameterize(mean, log_var, seed):
    """One draw from N(mean, exp(log_var)) per row. All shapes: (batch, latent_dim)."""
    ### BEGIN SOLUTION
    noise = keras.random.normal(ops.shape(mean), seed=seed)
    return mean + ops.exp(0.5 * log_var) * noise
    ### END SOLUTION


vh.check.reparameterize(reparameterize)

# %% [markdown]
# From here on the lesson uses `vae.reparameterize(mean, log_var)`. It does the same, with a `SeedGenerator` of its own. **Target:** the widths that the next cell prints. To compare, replace its call by `reparameterize(mean, log_var, 0)`.

# %%
mean = ops.tile([[1.0, 0.0]], (5000, 1))  # 5000 times the same cloud
log_var = ops.tile(ops.log([[4.0, 0.25]]), (5000, 1))  # σ = 2 and σ = 0.5
width = np.std(vae.reparameterize(mean, log_var), axis=0)
vh.expect("width for σ² = 4", width[0], at_least=1.9, at_most=2.1, everywhere=True)
vh.expect("width for σ² = 0.25", width[1], at_least=0.47, at_most=0.53, everywhere=True)

# %% [markdown]
# ## How does a gradient pass through a random draw?
#
# Training needs gradients (lists of derivatives): how does the loss change when $\mu$ and $\log\sigma^2$ change a little? But
# between them and the loss stands a random draw. How can one differentiate a random result?
#
# The trick is in the formula above, and it is called the **reparameterization trick**. The randomness sits in
# $\varepsilon$, and $\varepsilon$ depends on nothing. Once $\varepsilon$ is drawn, $z=\mu+\sigma\varepsilon$ is an ordinary
# function of $\mu$ and $\sigma$, and ordinary functions have derivatives.
#
# Let us check this where we know the truth. Take $f(z) = z^2$ in place of a loss. Its average over the cloud is
# $\mu^2+\sigma^2$, because the variance is the average of $z^2$ minus $\mu^2$. So the true derivatives are $2\mu$ with respect to $\mu$, and $\sigma^2$ with respect to $\log\sigma^2$.

# %%
noise = keras.random.normal((100_000,), seed=3)


def average_of_f(mean, log_var):
    z = mean + ops.exp(0.5 * log_var) * noise
    return ops.mean(z**2)


mean, log_var = tf.Variable(1.0), tf.Variable(-1.0)
with tf.GradientTape() as tape:  # records what is computed, to differentiate it afterwards
    value = average_of_f(mean, log_var)
by_tape = tape.gradient(value, [mean, log_var])

# %% [markdown]
# Two checks: the true values, and *finite differences*, which means: change one number a little, and see how much the average
# changes. (This works because both evaluations use the same noise.)

# %%
h = 0.01
finite = [
    (average_of_f(mean + h, log_var) - average_of_f(mean - h, log_var)) / (2 * h),
    (average_of_f(mean, log_var + h) - average_of_f(mean, log_var - h)) / (2 * h),
]
true = [2 * 1.0, np.exp(-1.0)]
for name, t, a, b in zip(["mean", "log_var"], true, by_tape, finite):
    print(f"d/d {name}: true {t:.3f}   reparameterization {a:.3f}   finite differences {b:.3f}")
off = max(abs(a - b) for a, b in zip(by_tape, finite))
vh.expect("tape minus finite differences", off, at_most=5e-3, everywhere=True)

# %% [markdown]
# **What you see.** All three agree. The gradient passes through the draw.
#
# ### Is there no other way?
#
# There is. The reparameterization multiplies by the slope $f'(z)$. The **score-function estimator** (also called REINFORCE) multiplies $f(z)$ by the derivative of $\log q(z)$ with respect to
# $\mu$. The sign $\partial/\partial\mu$ means: the derivative when only $\mu$ changes.
#
# $$\frac{\partial}{\partial\mu}\,\mathbb E[f(z)] = \mathbb E\!\left[f(z)\,\frac{z-\mu}{\sigma^2}\right]$$
#
# Here $\mathbb E$ means the average over draws of $z$. This formula never differentiates $f$, so it works even where $f$ has no
# derivative. So why does everyone use the reparameterization? Because of the *variance*: how much the estimate jumps from
# draw to draw.
#
# **Predict.** Which of the two jumps less, for $f(z)=z^2$? And for a function that wiggles fast, $f(z)=\sin 10z$?
#
# <details><summary>Open the answer when you have decided</summary>
#
# For $z^2$ the reparameterization jumps less, for $\sin10z$ the score function. The reparameterization uses the slope: $2z$ in the first case, which is moderate, and $10\cos10z$ in the second, which is large and of either sign. The score function multiplies the value of $f$
# by $(z-\mu)/\sigma^2$, which is large far from the middle: that hurts $z^2$, which is also large there, but not $\sin10z$, which is never more than 1.
#
# </details>

# %%
sigma = np.exp(-0.5)
z = 1.0 + sigma * np.array(noise)
score_of_q = (z - 1.0) / sigma**2  # the derivative of log q(z) with respect to μ

square = {"reparameterization": 2 * z, "score function": z**2 * score_of_q}
wiggle = {"reparameterization": 10 * np.cos(10 * z), "score function": np.sin(10 * z) * score_of_q}

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.4))
for ax, estimates, title in ((axes[0], square, "$f(z) = z^2$"), (axes[1], wiggle, "$f(z) = \\sin 10z$")):
    for label, values in estimates.items():
        text = f"{label}\nvariance {values.var():.1f}"
        ax.hist(values, bins=np.linspace(-12, 12, 97), histtype="step", linewidth=2, label=text)
    ax.axvline(estimates["reparameterization"].mean(), color="black", linestyle="--", linewidth=1.5)
    ax.set(title=title, xlabel="estimate of the derivative, one draw", ylabel="how often", yticks=[])
    ax.legend(fontsize=9)

# %% [markdown]
# **What you see.** The dashed line is the average. Left, $f(z)=z^2$, where the true derivative is 2: the estimates of the
# reparameterization lie around it. Most estimates of the score function lie near 0, and a few are very large (some beyond the
# right edge of the picture). Their average is 2 as well, but it depends on these few draws. That is what the large variance means: more
# draws are needed for an equally good step. Right, the fast wiggle: now the reparameterization jumps more, because it multiplies by
# the steep slope.
#
# So the reparameterization has *usually* the lower variance, not always (Mohamed and others, 2020, compare many cases). It needs two things: a
# function with a derivative, and a distribution whose draws can be computed from fixed noise by a function with a derivative, such as
# "stretch and shift". A VAE has both.

# %%
def variance_ratio(estimates):
    return estimates["score function"].var() / estimates["reparameterization"].var()


off = max(abs(values.mean() - 2) for values in square.values())
vh.expect("averages for z² minus the true 2", off, at_most=0.05, everywhere=True)
vh.expect("ratio of variances, z²", variance_ratio(square), at_least=3, everywhere=True)
vh.expect("ratio of variances, sin 10z", variance_ratio(wiggle), at_most=0.1, everywhere=True)

# %% [markdown]
# ## The loss: two terms
#
# **1. Reconstruction.** The decoder gives, for each pixel, a probability $p$ that this pixel is 1. If the pixel is 1, the
# probability of what we saw is $p$; if it is 0, it is $1-p$. The *surprise* about the pixel is minus the logarithm of that
# probability. Once $z$ is known, the model treats the pixels as independent, so their surprises add up: summed over the 784 pixels they
# are $-\log p(x\mid z)$, the surprise about the whole image. It is measured in **nats**, the unit of information that belongs to the
# natural logarithm (1 nat = 1.44 bits).
#
# **2. KL.** The *Kullback–Leibler divergence*, or KL, measures how far the cloud $q(z\mid x)$ is from one fixed distribution,
# $p(z)=\mathcal N(0, I)$, called the **prior**. For our clouds it is a short formula, summed over the latents, also in nats:
#
# $$\mathrm{KL} = \tfrac12\sum_j\left(\mu_j^2+\sigma_j^2-1-\log\sigma_j^2\right)$$
#
# It is 0 if the cloud *is* the prior. It grows when the mean moves away from 0, and when $\sigma$ becomes smaller or larger than 1.
# Lesson 03 derives both terms, and shows why just this sum is the right loss. Here we only need to read them. The first term wants
# narrow clouds that do not overlap, so that the decoder knows which image is meant. The second term wants every cloud to have mean 0 and
# $\sigma=1$.
#
# Here is the first term in a few lines. It must agree with the function of the package, which uses logits instead of $p$: that avoids
# $\log 0$ when $p$ is very near 0 or 1. (The second term is `vh.gaussian_kl`. In lesson 03 you will derive it, and write it yourself.)

# %%
x = data.x_test[:100]
mean, log_var = encoder(x)
logits = decoder(vae.reparameterize(mean, log_var))

p = ops.sigmoid(logits)
surprise = -ops.log(ops.where(x == 1, p, 1 - p))
reconstruction = ops.sum(surprise, axis=(1, 2, 3))  # over the pixels: one number per image

difference = np.abs(reconstruction - vh.bernoulli_nll(x, logits)).max()
vh.expect("reconstruction minus vh.bernoulli_nll", difference, at_most=1e-2, everywhere=True)
vh.expect("KL of a cloud that is the prior", vh.gaussian_kl([[0.0, 0.0]], [[0.0, 0.0]])[0], at_most=0, everywhere=True)

# %% [markdown]
# ### Exercise 2.2 · Surprise without overflow
#
# The cell above computes the probability first, and then its logarithm. For a logit of 200 the sigmoid is exactly 1 in the numbers of a computer, and a black pixel there costs $-\log(1-1)$: infinity. So write the surprise directly from the logit $a$. For a white pixel
# it is $-\log\frac1{1+e^{-a}}=\log(1+e^{-a})$. Find the formula for a black pixel in the same way. Keras has the function $\log(1+e^a)$ in a form that does not overflow: `ops.softplus(a)`. Return one number for each image.

# %%
def bernoulli_nll(x, logits):
    """The surprise −log p(x) of each image, in nats. x, logits: (batch, height, width, 1). Returns (batch,)."""
    ### BEGIN SOLUTION
    surprise = x * ops.softplus(-logits) + (1 - x) * ops.softplus(logits)
    return ops.sum(surprise, axis=(1, 2, 3))
    ### END SOLUTION


vh.check.bernoulli_nll(bernoulli_nll)

# %% [markdown]
# **Target:** two images of two pixels each. The first has a white pixel with logit 2 and a black one with logit −1; the second has a white and a black one, both with logit 200:

# %% tags=["nbval-check-output"]
two_images = np.array([1.0, 0.0, 1.0, 0.0], "float32").reshape(2, 2, 1, 1)
two_logits = np.array([2.0, -1.0, 200.0, 200.0], "float32").reshape(2, 2, 1, 1)
print(*(f"{nats:.3f} nats" for nats in vh.bernoulli_nll(two_images, two_logits)))

# %% [markdown]
# One convention holds in the whole course: **sum over pixels, sum over latents, then take the mean over the batch, once, at
# the end.** Many programs on the web take a mean where a sum belongs. That changes the balance of the two terms, and lesson 03 shows
# how much harm it does.
#
# The loss is reconstruction + KL. Minus the loss, averaged over the draws of $z$, is called the **ELBO**, the *evidence lower bound*.
# Lesson 03 explains this name.
#
# ## One training step, written out
#
# Now we have all parts: encode, draw, decode, measure, differentiate, step.

# %%
optimizer = keras.optimizers.Adam(1e-3)


@tf.function  # compiles the step, so that it runs faster
def train_step(x):
    with tf.GradientTape() as tape:
        mean, log_var = vae.encoder(x)
        z = vae.reparameterize(mean, log_var)  # fresh noise for every image
        reconstruction = vh.bernoulli_nll(x, vae.decoder(z))
        kl = vh.gaussian_kl(mean, log_var)
        loss = ops.mean(reconstruction + kl)  # the mean over the batch, once
    gradients = tape.gradient(loss, vae.trainable_variables)
    optimizer.apply(gradients, vae.trainable_variables)
    return loss


# %% [markdown]
# `vh.VAE` does the same inside `compile` and `fit`. (It also keeps `log_var` between −20 and 20, which only matters when a training
# goes wrong.) To prove it, we train twice from the same start: the same first parameters, the same noise, the same ten batches in
# the same order. The loss must be the same. (To repeat this cell, run the one above first: the optimizer has a memory.)

# %%
images = data.x_train[:1000]
start = vae.get_weights()

vae.reseed(7)  # start the noise of the model at a known place
by_hand = [float(train_step(images[i : i + 100])) for i in range(0, 1000, 100)]

vae.set_weights(start)
vae.reseed(7)
vae.compile(keras.optimizers.Adam(1e-3))
history = vae.fit(images, batch_size=100, shuffle=False, verbose=0)
by_fit = history.history["loss"][0]  # fit reports the average over the ten steps

print(f"by hand: from {by_hand[0]:.1f} to {by_hand[-1]:.1f}, average {np.mean(by_hand):.4f}")
print(f"by fit:  average {by_fit:.4f}")
difference = abs(np.mean(by_hand) - by_fit)
vh.expect("by hand minus by fit", difference, at_most=0.01, everywhere=True)

# %% [markdown]
# **What you see.** The same number. From here on we use `fit`, which also shuffles the images, measures the test images, and
# writes down the history.
#
# ### Exercise 2.3 · Your own training step
#
# Write the step again, without looking, and for *any* VAE and optimizer. One thing is new: the KL gets a weight, $\beta$ (beta). The loss is reconstruction + $\beta\cdot$ KL. In plain words: encode, draw, decode, measure both terms, take the mean over
# the batch, differentiate with respect to `vae.trainable_variables`, and let the optimizer apply the gradients. Return the loss. (No `@tf.function` is needed here. Note the names: `vae.decoder(z)` gives logits, for training; `vae.decode(z)` gives finished pixels, for looking at.)

# %%
def my_train_step(vae, optimizer, x, beta):
    """Change the parameters of vae by one step on the images x, and return the loss before the step."""
    ### BEGIN SOLUTION
    with tf.GradientTape() as tape:
        mean, log_var = vae.encoder(x)
        logits = vae.decoder(vae.reparameterize(mean, log_var))
        loss = ops.mean(vh.bernoulli_nll(x, logits) + beta * vh.gaussian_kl(mean, log_var))
    gradients = tape.gradient(loss, vae.trainable_variables)
    optimizer.apply(gradients, vae.trainable_variables)
    return loss
    ### END SOLUTION


vh.check.train_step(my_train_step)

# %% [markdown]
# **Target:** the check trains a tiny VAE by your step, and compares each parameter with the step of `vh.VAE`, for two values of $\beta$.
#
# ## What does the noise do?
#
# Here is an experiment. We take this small network and train it twice. Once as it is. And once with the noise taken out: the
# decoder gets `mean` itself. The rest, the loss included, stays exactly the same.
#
# (`RMSprop` is an older relative of Adam. `class NoNoise(vh.VAE)` means: a VAE in every respect, except for what is written
# below. The *seed* fixes the random first parameters, so that both start from the same ones.)
#
# **Predict.** Without noise, will the reconstruction be better or worse? What will happen to $\sigma$, which the KL still
# looks at, but which the decoder no longer feels?
#
# <details><summary>Open the answer when you have decided</summary>
#
# A little better: the decoder always gets the exact code. And $\sigma$ goes to 1, where the KL is smallest, because nothing else holds it. That sounds harmless, but the cells below show what it means.
#
# </details>

# %%
class NoNoise(vh.VAE):
    def reparameterize(self, mean, log_var):
        return mean


def train_small(model_class):
    keras.utils.set_random_seed(settings.seed)
    encoder = vh.mlp_encoder(data.image_shape, latent_dim=2, hidden=(256,))
    decoder = vh.mlp_decoder(data.image_shape, latent_dim=2, hidden=(256,))
    model = model_class(encoder, decoder)
    model.compile(keras.optimizers.RMSprop(1e-3))
    model.fit(data.x_train, epochs=settings.epochs, batch_size=100, verbose=2)
    return model


# %%
noisy = train_small(vh.VAE)

# %%
silent = train_small(NoNoise)

# %% [markdown]
# At first sight, it was a good idea to take out the noise: a lower loss, a much lower KL, and a reconstruction that is a little better.
# Look closer. Below are the clouds of forty test images from both models. Each ellipse is one cloud, as wide as its $\sigma$. The dashed
# circle is the prior.

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 4.8))
for ax, model, title in ((axes[0], noisy, "trained with noise"), (axes[1], silent, "without")):
    mean, log_var = model.encode(data.x_test[:40])
    vh.plot_clouds(mean, log_var, data.y_test[:40], ax=ax)
    ax.set_title(f"{title}: average σ {np.exp(0.5 * log_var).mean():.2f}")

# %% [markdown]
# **What you see.** With noise: small clouds, beside each other, spread over the area of the prior. Without noise: every cloud is about as
# wide as the prior, and most overlap with many others.
#
# Why? Without noise, $\sigma$ appears in the KL and nowhere else, and the KL is smallest at $\sigma=1$. So $\sigma$ goes to 1. With noise, a wide
# cloud costs something: the decoder then gets codes that belong to other images, and the reconstruction becomes worse. The two terms
# find a balance.
#
# A cloud with $\sigma=1$ should mean: each code in this wide cloud stands for this image. Does the decoder agree? We draw nine codes from
# the cloud of one image, in both models, and decode them.

# %%
rows, titles = [], []
digit = data.x_test[3:4]  # one test image
for name, model in (("with noise", noisy), ("without", silent)):
    mean, log_var = model.encode(np.repeat(digit, 9, axis=0))
    z = vae.reparameterize(mean, log_var)  # nine draws from the cloud of this image
    rows.append(np.concatenate([digit, model.decode(z)]))
    titles.append(f"trained {name}")
vh.plot_images(rows, titles, titles=["image", *range(1, 10)]);

# %% [markdown]
# **What you see.** Left, the image. Then nine draws from its cloud. With noise: nine times nearly the same zero. For this image, the
# cloud is so narrow that the digit does not change. Without noise: some zeros, but also other digits and blends. The decoder does not
# agree, and nothing in the training asked it.
#
# Now the same with numbers, for all test images. We put the encoder and the decoder of the silent model into a `vh.VAE`, which really draws.

# %%
drawing = vh.VAE(silent.encoder, silent.decoder)
drawing.compile()
tested = {"with noise": noisy, "without, as it trained": silent, "without, noise added": drawing}
scores = {name: m.evaluate(data.x_test, verbose=0, return_dict=True) for name, m in tested.items()}

print(f"{'nats per test image':24s} reconstruction     KL    loss")
for name, s in scores.items():
    print(f"{name:24s} {s['reconstruction']:14.1f} {s['kl']:6.2f} {s['loss']:7.1f}")

# %% [markdown]
# **What you see.** In the second line, the silent model reports a small loss. In the third line it must really draw, and an image costs more than
# twice as much as with the model that was trained with noise (first line).

# %%
def average_sigma(model):
    return float(np.mean(np.exp(0.5 * np.array(model.encode(data.x_test)[1]))))


vh.expect("average σ with noise", average_sigma(noisy), at_most=0.3)
vh.expect("average σ without", average_sigma(silent), at_least=0.9, at_most=1.1)
vh.expect("KL with noise, nats", scores["with noise"]["kl"], at_least=4.5, at_most=6.5)
vh.expect("KL without, nats", scores["without, as it trained"]["kl"], at_most=2)
ratio = scores["without, noise added"]["loss"] / scores["with noise"]["loss"]
vh.expect("loss of the silent model when it draws / loss with noise", ratio, at_least=1.5)

# %% [markdown]
# So this is what the noise is for:
#
# - **It makes a wide cloud costly.** If the cloud is too wide, the decoder gets codes that belong to other images, and the reconstruction
#   becomes worse. Without noise, nothing keeps $\sigma$ from going to 1. What remains is an autoencoder with a penalty on large codes,
#   $\frac12\sum\mu^2$.
# - **It gives the KL a meaning.** With noise, the code of an image cannot tell more about it than the KL says, in nats, on average over
#   images (lesson 05 comes back to this). Without noise there is no such limit: the decoder reads the exact point `mean`, however small the KL is.
# - **It trains the decoder at many points around each mean**, not only at the mean itself.
#
# Why do we draw from $\mathcal N(0, I)$ first, and stretch and shift afterwards, instead of drawing from $\mathcal N(\mu,\sigma^2)$ directly?
# Because of the gradient: the noise has no parameters, so we only need the derivative with respect to $\mu$ and $\sigma$.
#
# ## What does the KL do? A film
#
# Noise makes wide clouds costly. And what does the KL do to the codes? We take it out first: with $\beta=0$ the loss is only the reconstruction. After two epochs we switch the KL on, $\beta=1$, and film what happens to the codes of 600 test images.
#
# **Predict.** How will the map look before the KL is switched on? And what will move first: the positions of the codes, or the widths of the clouds?
#
# (`vh.Frames` calls `draw` every 20 training steps and keeps the picture; `vh.as_frame` turns a figure into one; both models share one encoder and one decoder.)

# %%
def draw(model):
    """The codes of 600 test images, and the prior as a circle, as one frame of a film."""
    fig, ax = plt.subplots(figsize=(4, 4.2))
    mean, log_var = model.encode(data.x_test[:600])
    ax.scatter(*np.transpose(mean), s=8, c=colors)
    ax.add_patch(plt.Circle((0, 0), 2, fill=False, linestyle="--", linewidth=1.5))
    ax.set(xlim=(-11, 11), ylim=(-11, 11), aspect="equal")
    ax.set_title(f"average σ {np.exp(0.5 * log_var).mean():.3f}", family="monospace")
    return vh.as_frame(fig)


colors = np.array(vh.plots.CLASS_COLORS)[data.y_test[:600]]
film = vh.Frames(draw, every=20)

# %%
keras.utils.set_random_seed(settings.seed)
encoder = vh.mlp_encoder(data.image_shape, latent_dim=2, hidden=(256,))
decoder = vh.mlp_decoder(data.image_shape, latent_dim=2, hidden=(256,))
free = vh.VAE(encoder, decoder, beta=0)
free.compile(keras.optimizers.Adam(1e-3))
free.fit(data.x_train, epochs=2, batch_size=128, verbose=0)
before = free.evaluate(data.x_test, verbose=0, return_dict=True)

pulled = vh.VAE(encoder, decoder, beta=1)  # the same networks
pulled.compile(keras.optimizers.Adam(1e-3))
pulled.fit(data.x_train, epochs=2, batch_size=128, verbose=0, callbacks=[film])
after = pulled.evaluate(data.x_test, verbose=0, return_dict=True)

# %%
import tempfile
from pathlib import Path

shown = np.unique(np.geomspace(1, len(film.frames), 20).round().astype(int)) - 1  # most happens early
with tempfile.TemporaryDirectory() as folder:
    path = vh.save_gif([film.frames[i] for i in shown], Path(folder) / "pull.gif", frame_ms=250)
    vh.expect("size of the GIF, MB", path.stat().st_size / 1e6, at_most=1, everywhere=True)
    movie = vh.show_gif(path, alt="the codes contract towards the circle of the prior")
movie

# %%
fig, axes = plt.subplots(1, 3, figsize=(12, 4.5))
for ax, i in zip(axes, shown[[0, len(shown) // 2, -1]]):
    ax.imshow(film.frames[i])
    ax.set_title(f"after {20 * i} steps")
    ax.set_axis_off()

# %%
print(f"before: KL {before['kl']:5.1f} nats, reconstruction {before['reconstruction']:.1f}")
print(f"after:  KL {after['kl']:5.1f} nats, reconstruction {after['reconstruction']:.1f}")
vh.expect("KL before / after", before["kl"] / after["kl"], at_least=5)

# %% [markdown]
# **What you see.** The film, and below it three of its pictures. One dot is the code of one test image, in the colour of its digit; the dashed circle has the radius 2, and most of the prior lies inside. At the start, without the KL, the codes are spread far, some of them beyond the picture, and the clouds are extremely
# narrow: with no price on it, each image takes a far and exact place. When the KL is switched on, both move at once: the codes contract, and $\sigma$ grows to several times its size, as the titles show. Later the clouds become narrower again, while the classes find their places.
# The KL does not say *which* image goes where. It only makes far and narrow codes expensive, each image by itself.

# %% [markdown]
# ## A larger network, and the map
#
# Now two hidden layers of 512 units, as in many VAE tutorials, and the sums where they belong. Training takes about half a
# minute to a minute.

# %%
keras.utils.set_random_seed(settings.seed)
encoder = vh.mlp_encoder(data.image_shape, latent_dim=2, hidden=(512, 512))
decoder = vh.mlp_decoder(data.image_shape, latent_dim=2, hidden=(512, 512))
vae = vh.VAE(encoder, decoder)
vae.compile(keras.optimizers.Adam(1e-3))
training = {"epochs": settings.epochs, "batch_size": 128, "verbose": 2}
history = vae.fit(data.x_train, validation_data=data.x_test, **training)

# %%
vh.plot_history(history);

# %% [markdown]
# **What you see.** Left the loss, then its two terms; `loss` = `reconstruction` + `kl`. The reconstruction falls. The KL *rises*: one more
# nat of KL saves more than one nat of reconstruction, so the total falls. At first, validation of loss and reconstruction lies *below* training. The reason is
# simple: the training value is an average over the whole epoch, while the model still improves. The validation value is measured after it.

# %%
final = vae.evaluate(data.x_test, verbose=0, return_dict=True)
vh.expect("test ELBO, nats per image", -final["loss"], at_least=-150)
total = final["reconstruction"] + final["kl"]
vh.expect("loss minus its terms", abs(final["loss"] - total), at_most=0.02, everywhere=True)

# %% [markdown]
# This number holds for digits thresholded at 0.5. It must not be compared with numbers for grey pixels, or for pixels made black and white in
# another way: those are other images.

# %% [markdown]
# The trained model holds **three models in one**, with the same parameters:
#
# 1. the whole VAE, which trains;
# 2. the **encoder alone**, which makes a map of images;
# 3. the **decoder alone**, also called the *generator*, which makes images from codes.
#
# Number 2 first. The map shows the `mean` of each test image.

# %%
mean, log_var = vae.encode(data.x_test)
vh.plot_latent_scatter(mean, data.y_test, data.class_names, limit=4)
plt.title("The encoder alone: 10,000 test images");

# %% [markdown]
# **What you see.** One dot per test image, coloured by digit; the model never saw the digits' names. Compare it with the maps of lesson 01.
# The codes lie around 0, and the gaps between the classes are small. The classes that share strokes (4 and 9, or 3, 5 and 8) overlap. But the codes
# do not form one round cloud like the prior: many lie close to the middle, and some arms reach farther out. Remember this; it comes back below. The axes
# have no meaning of their own: another seed gives another map.

# %%
far_out = np.mean(np.linalg.norm(mean, axis=1) > 3)
vh.expect("share of codes farther than 3 from the middle (prior: 0.011)", far_out, at_least=0.02)

# %% [markdown]
# Number 3: we decode a grid of codes over the same range. All 900 images come from one call of the decoder.

# %% tags=["picture-manifold"]
vh.plot_manifold(vae, n=settings.grid, limit=4)
plt.title("The decoder alone: the latent plane");

# %% [markdown]
# **What you see.** Each small image stands where its code lies. One digit flows into the next. Most places show a digit; near the middle and
# between classes there are blends. Such a picture is often called the **manifold**: the curved surface of all images that two numbers can reach.
#
# Nearly half of the prior lies in the small square from −1 to 1, which is only a sixteenth of this picture. So most classes are crowded there.
# We can give each part of the prior the same space instead: the positions become *quantiles* of the prior, which means that the same share of
# draws falls between each pair of neighbours.

# %%
vh.plot_manifold(vae, n=settings.grid, spacing="quantile")
plt.title("The same plane, spaced by the prior");

# %% [markdown]
# **What you see.** The middle of the last picture, enlarged: look at the ticks, which are now unevenly spaced. All ten digits are here. This picture covers
# the middle 90 % of the prior along each axis; the last one also shows the rarer codes farther out.
#
# ## New digits
#
# To draw a new digit, we draw $z$ from the prior and decode it. Be careful with words here. The decoder gives a *probability*
# for each pixel. Shown as grey, these are the **means** of the pixels, not a draw. A real draw tosses a coin for each pixel.
#
# **Predict.** Will the tossed images look better than the means?

# %%
means = vae.sample(10, seed=4)
tossed = np.random.default_rng(0).random(means.shape) < means
rows = [means, tossed, data.x_test[10:20]]
vh.plot_images(rows, ["pixel means", "pixels tossed", "test images"]);

# %% [markdown]
# **What you see.** The means look soft, and where the decoder is undecided they are grey. The tossed images are pure black and
# white, like the test images, but they do not look better: they break into dots, because each pixel is tossed alone, without looking
# at its neighbours. When you see "VAE samples", ask whether they are means or draws. Some digits are clear, and some lie between two digits.
#
# ## Save it, load it
#
# The parameters alone go into a `.weights.h5` file, which a model of the same shape can read. The whole model goes into a
# `.keras` file, which can be loaded without the code of this lesson (only `import vae_helpers` is needed).

# %%
with tempfile.TemporaryDirectory() as folder:
    vae.save_weights(Path(folder) / "vae.weights.h5")
    vae.save(Path(folder) / "vae.keras")
    fresh = vh.VAE(keras.models.clone_model(encoder), keras.models.clone_model(decoder))
    fresh.load_weights(Path(folder) / "vae.weights.h5")
    loaded = keras.models.load_model(Path(folder) / "vae.keras")

difference = max(np.abs(m.sample(10, seed=4) - means).max() for m in (fresh, loaded))
vh.expect("difference of the images after loading", difference, at_most=1e-6, everywhere=True)

# %% [markdown]
# ## Autoencoder or VAE: which is better?
#
# A common answer is "the VAE". Let us measure instead. We train both with the same network (one hidden layer of 128 units, 10
# latents), the same number of epochs, the same reconstruction loss, and three different seeds. We ask two questions, both on
# test images:
#
# 1. **Reconstruction**: how many nats does an image cost, decoded from its code (for the VAE: from `mean`)?
# 2. **New images**: how close do drawn images come to real ones?
#
# For the second question we need a measure. We train a small *classifier*, a network that names digits. (Its last layer, *softmax*, gives ten
# probabilities, one for each digit; *accuracy* is the share of images named correctly.) Its last hidden layer turns an image into 64 numbers,
# called *features*, that matter for telling digits apart. Real images make one cloud of features, drawn images another one. The **Fréchet distance**
# compares the means $m$ and the covariances $C$ of the two clouds:
#
# $$\|m_1-m_2\|^2+\mathrm{tr}\!\left(C_1+C_2-2\,(C_1C_2)^{1/2}\right)$$
#
# Here $\|\cdot\|^2$ is the sum of squares, the power ½ is the matrix square root, and $\mathrm{tr}$ adds up the diagonal of a matrix. (The classifier's loss, `sparse_categorical_crossentropy`, is the mean surprise about the right digit.) The distance is 0 if means and covariances agree. It sees nothing else of the clouds. Before
# we measure, we set each pixel to its likelier value, 0 or 1, so that all images are black and white like the real ones.

# %%
from keras import layers

image = keras.Input(data.image_shape)
hidden = layers.Dense(256, activation="relu")(layers.Flatten()(image))
feature = layers.Dense(64, activation="relu")(hidden)
classifier = keras.Model(image, layers.Dense(10, activation="softmax")(feature))
to_features = keras.Model(image, feature)

classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
classifier.fit(data.x_train, data.y_train, epochs=2, batch_size=128, verbose=2)
accuracy = classifier.evaluate(data.x_test, data.y_test, verbose=0)[1]
vh.expect("accuracy of the classifier on test images", accuracy, at_least=0.95)

# %%
def features(images):
    """Feature vectors (n, 64) of images in black and white: each pixel at its likelier value."""
    return to_features.predict((images > 0.5).astype("float32"), batch_size=1000, verbose=0)


def frechet(images):
    """The Fréchet distance between the features of these images and of the test images."""
    a, b = features(images), features(data.x_test)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real.clip(0))
    return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a + cov_b) - 2 * np.sum(roots)


# %% [markdown]
# The VAE draws its codes from the prior. The autoencoder has no prior, so we help it as in lesson 01, with a distribution fitted
# to the codes of the training images. Once with one normal distribution. And once with a *mixture* of 20 normal distributions: to draw from it,
# first choose one of the 20, each with its own probability, then draw from that one. A mixture can follow islands and rays. To be fair in the
# other direction too, we also fit such a mixture to draws from the VAE's clouds.

# %%
from sklearn.mixture import GaussianMixture


def draw_like(codes, components):
    """New codes from a mixture of normal distributions fitted to these codes."""
    mixture = GaussianMixture(components, random_state=0).fit(codes[:10_000].astype("float64"))
    draws, _ = mixture.sample(settings.samples)
    return np.random.default_rng(0).permutation(draws)  # they come sorted by component


# %%
def train(seed, variational):
    """A VAE or an autoencoder: same network, same loss for the pixels, same seed, same epochs."""
    keras.utils.set_random_seed(seed)
    encoder = vh.mlp_encoder(data.image_shape, 10, hidden=(128,), variational=variational)
    decoder = vh.mlp_decoder(data.image_shape, 10, hidden=(128,))
    if variational:
        model = vh.VAE(encoder, decoder)
    else:
        model = vh.Autoencoder(encoder, decoder, reconstruction="bernoulli")
    model.compile(keras.optimizers.Adam(2e-3))
    model.fit(data.x_train, epochs=settings.budget, batch_size=128, verbose=0)
    return model


# %%
def nats_per_image(model, codes):
    """The mean surprise about the test images, decoded from these codes."""
    return float(np.mean(vh.bernoulli_nll(data.x_test, model.decoder(codes))))


# %%
def draw_in_five_ways(autoencoder, vae):
    """New images from both models: a dict of arrays (samples, 28, 28, 1)."""
    codes = np.array(autoencoder.encode(data.x_train))
    clouds = np.array(vae.reparameterize(*vae.encode(data.x_train)))
    naive = keras.random.normal((settings.samples, 10), seed=0)
    return {
        "autoencoder, N(0, I)": autoencoder.decode(naive),
        "autoencoder, one normal": autoencoder.decode(draw_like(codes, 1)),
        "autoencoder, mixture": autoencoder.decode(draw_like(codes, 20)),
        "VAE, prior N(0, I)": vae.sample(settings.samples, seed=0),
        "VAE, mixture": vae.decode(draw_like(clouds, 20)),
    }


# %% [markdown]
# **Predict.** Put the five ways of drawing in order, best first. Then run the cell; it takes a minute or two.

# %%
nats, distances = [], []
for seed in range(settings.seeds):
    autoencoder_10, vae_10 = train(seed, variational=False), train(seed, variational=True)
    a = nats_per_image(autoencoder_10, autoencoder_10.encode(data.x_test))
    v = nats_per_image(vae_10, vae_10.encode(data.x_test)[0])
    nats.append((a, v))

    drawn = draw_in_five_ways(autoencoder_10, vae_10)
    distances.append({name: frechet(images) for name, images in drawn.items()})
    print(f"seed {seed}: an image costs {a:.1f} nats (autoencoder), {v:.1f} nats (VAE)")

# %%
names = list(distances[0])[::-1]
values = np.array([[d[name] for d in distances] for name in names])  # (ways, seeds)
floor = frechet(data.x_train[: settings.samples])

fig, ax = plt.subplots(figsize=(8, 3.2))
bars = ax.barh(names, values.mean(axis=1), color=["C0", "C0", "C1", "C1", "C1"])
ax.bar_label(bars, fmt="%.1f", padding=12)
for of_one_seed in values.T:
    ax.plot(of_one_seed, names, "k.", markersize=5)
ax.axvline(floor, color="0.4", linestyle=":")
ax.set(xscale="log", xlabel="Fréchet distance to test images, log scale (dotted: training images)")
ax.grid(axis="y", visible=False);

# %% [markdown]
# **What you see.** Bars are averages, dots are the single seeds, and shorter is better. The dotted line is the distance of real
# training images, about the best that one can expect. Four things to learn:
#
# 1. **Reconstruction: the autoencoder wins**, by some 4 nats. It has no noise and no KL to pay.
# 2. **The naive draw from the autoencoder is hopeless**, as in lesson 01. The VAE, with the same $\mathcal N(0, I)$, is better
#    by a factor of ten or more. This is the comparison that people show.
# 3. **But it is not a fair one.** With a fitted distribution, the autoencoder gets a better distance than the VAE with its prior. With a
#    mixture it comes much closer to the real images.
# 4. **The same help works for the VAE.** With a mixture fitted to its clouds it gets about as near. So its decoder is fine. What is
#    wrong is the *match*: the mixture of all clouds is not the prior. The KL, averaged over all images, does contain a penalty for this
#    mismatch. But training balances it against the reconstruction, so the mismatch becomes smaller, not zero.

# %%
autoencoder_nats, vae_nats = np.mean(nats, axis=0)
mean_of = dict(zip(names, values.mean(axis=1)))
naive, prior = mean_of["autoencoder, N(0, I)"], mean_of["VAE, prior N(0, I)"]
vh.expect("VAE minus autoencoder, nats", vae_nats - autoencoder_nats, at_least=2, at_most=8)
vh.expect("Fréchet distance of training images", floor, at_most=1)
vh.expect("naive autoencoder / VAE prior", naive / prior, at_least=10)
bounds = {"autoencoder, one normal": 1.2, "autoencoder, mixture": 3, "VAE, mixture": 3}
for fitted, times in bounds.items():
    vh.expect(f"VAE prior / {fitted}", prior / mean_of[fitted], at_least=times)

# %% [markdown]
# Now the pictures behind the numbers, for the last seed, as pixel means.

# %%
vh.plot_images([images[:10] for images in drawn.values()], list(drawn));

# %% [markdown]
# **What you see.** First row, the naive draws: hardly a digit. Rows with a mixture: mostly clear digits. The other two rows: some
# clear digits, and some shapes that lie between digits.
#
# So why a VAE at all? Not because "an autoencoder cannot generate": with a fitted distribution it can. The VAE gives you other
# things. It is *one* probability model, trained in one training, with a prior that you choose. It has noise that makes small steps in
# the code harmless. And minus its loss estimates a *lower bound* on the logarithm of the probability of an image (lesson 03). So the bounds of two
# models can be compared, in nats, on the same test images; the better bound need not mean the better probability. A plain autoencoder does not come with such a number.
#
# ## The VAE's decoder and a GAN's generator
#
# A *generative adversarial network* (GAN) also has a network that turns random numbers from $\mathcal N(0, I)$ into an image: the
# generator. In its form it can be the same network as our decoder. The difference is the training. Our decoder gets a
# code that belongs to a *known* image, and is told how surprising that image is under its output. So it must find room for every
# training image, and where one code must serve several images, its best answer is their average, which looks blurred. A GAN's generator never
# sees which image it should make. A second network, the *discriminator*, judges whether its images look real. So its images
# are often sharp. But it may leave out whole kinds of images (this course measures neither); it has no encoder; and it gives no
# number like the ELBO.
#
# ## Exercise 2.4 · Change it, and explain
#
# Here you have no check but your own eyes. (Lines that end in "as expected" were written for MNIST and for the numbers in the lesson. When you change something, they may say OFF.)
#
# **First:** make the noise of the small network four times as wide. In a class like `NoNoise`, return `mean + 4 * (super().reparameterize(mean, log_var) - mean)`, and train it with `train_small`. What will the encoder do about it? Look at `average_sigma(model)`, and at the KL and the reconstruction in `model.evaluate(data.x_test, verbose=0, return_dict=True)`.
#
# <details><summary>Open the answer when you have tried</summary>
#
# The encoder makes σ about four times as small, so that the noise *after* the stretching is nearly what it was. When we ran it: average σ 0.030 in place of 0.112, and nearly the same reconstruction (153.1 in place of 153.6 nats). But the KL looks at the small σ, and becomes larger: 8.0 in place of 5.2 nats. Each of the two latents pays about $\log 4=1.4$
# nats more. So the size of the noise is not a free choice: σ *is* the noise, and the KL must be told the same σ.
#
# </details>
#
# **Then** one of these:
#
# - Train the larger network as `vh.VAE(encoder, decoder, beta=4)`. What happens to the two terms, and to the map?
# - Draw the manifold of an *autoencoder* with 2 latents on MNIST (lesson 01 shows how), and compare it with the one above.
# - Replace "mnist" by "fashion_mnist" and run the comparison again. Is the order of the five ways the same?
#
# ## To take away
#
# 1. The encoder of a VAE gives a cloud, `mean` and `log_var`, and the decoder gets one draw from it.
# 2. Writing the draw as $\mu+\sigma\varepsilon$ lets the gradient pass; it is not the only way, but usually the one that jumps least.
# 3. The loss is reconstruction plus KL, each a sum, in nats; the mean over the batch comes once, at the end.
# 4. The noise makes clouds that are too wide costly. Without it, $\sigma$ goes to 1, and the KL limits nothing.
# 5. At equal size the autoencoder reconstructs better. From $\mathcal N(0, I)$ the VAE draws far better. A distribution fitted to the codes helps
#    both: the autoencoder has no prior, and the mixture of the VAE's clouds does not match its prior exactly.
#
# **Where the ideas come from.** D. Kingma and M. Welling, *Auto-Encoding Variational Bayes*, ICLR 2014: the loss is equation 10,
# the KL is in appendix B, the coin for each pixel in appendix C.1. D. Rezende, S. Mohamed and D. Wierstra, *Stochastic
# Backpropagation*, ICML 2014, found the same at the same time. Score function: R. Williams, *Simple statistical gradient-following
# algorithms*, Machine Learning 8 (1992); both estimators compared: S. Mohamed and others, *Monte Carlo Gradient Estimation in Machine
# Learning*, JMLR 2020. What the average KL contains: M. Hoffman and M. Johnson, *ELBO surgery*, NIPS workshop 2016. Distributions fitted to codes: P. Ghosh and others, *From Variational to Deterministic
# Autoencoders*, ICLR 2020. Fréchet distance: M. Heusel and others, *GANs Trained by a Two Time-Scale Update Rule*, NIPS 2017
# (there with the features of a much larger network). GAN: I. Goodfellow and others, *Generative Adversarial Nets*, NIPS 2014.
#
# **Next:** lesson 03 derives the loss, line by line, and checks each line by computing it in three independent ways.
