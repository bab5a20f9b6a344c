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
# **Time.** {{time}}
#
# **You will be able to**
#
# - say what the encoder of a variational autoencoder (VAE) gives, why it gives a *log-variance*, and follow one image through the machine with a calculator;
# - write the sampling step, the surprise of an image and the training step yourself, and check all three;
# - say why the noise is there, and show what goes wrong without it;
# - use the encoder alone, to draw a map, and the decoder alone, to draw new digits;
# - compare an autoencoder and a VAE fairly, and name the control that a comparison lacks.
#
# **You need** lesson 01 (encoder, decoder, code, latent, reconstruction, logit, sigmoid, epoch, batch, Adam, covariance matrix, mixture),
# the normal distribution, logarithms, and the idea of a derivative.

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %% alt="Ten handwritten digits in pure black and white: no pixel is grey."
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=6, budget=3, seeds=3, grid=30, samples=10_000)
data = vh.load_images("mnist", binarize="threshold", validation=5000)
vh.plot_images(data.x_train[:10]);

# %% [markdown]
# **What you see.** Handwritten digits from MNIST, in pure black and white.
# The option `binarize="threshold"` made each pixel 1 if it was brighter than 0.5, and 0 otherwise.
# So the decoder can describe a pixel as one describes a coin: by the probability of a 1.
#
# There are three sets of images.
# We train on the *training* images.
# While we work, and whenever we choose something, we look at the *validation* images, `x_valid`.
# The *test* images, `x_test`, stay away until sitting B.
# They give the final numbers, and nothing is chosen by them.
#
# (The first printed line says how long the lesson trains: `epochs` for the large model, `budget` for each of the small ones.)

# %% [markdown] sitting="A"
# ## Sitting A: one image through the machine · {{minutes}} min
#
# First we build the two networks, in plain Keras.
# Each line makes a layer and applies it to what stands in brackets behind it: `layers.Dense(256)(x)` means "256 numbers, computed from `x`".
# `keras.Model` then says where the network begins and where it ends.

# %%
image = keras.Input((28, 28, 1))
x = layers.Flatten()(image)  # 784 numbers
x = layers.Dense(256, activation="relu")(x)  # a hidden layer: one between the first and the last
mean = layers.Dense(2)(x)
log_var = layers.Dense(2)(x)  # beside mean: both read the hidden layer
encoder = keras.Model(image, [mean, log_var])

z = keras.Input((2,))
x = layers.Dense(256, activation="relu")(z)
x = layers.Dense(784)(x)
logits = layers.Reshape((28, 28, 1))(x)
decoder = keras.Model(z, logits)

# %% [markdown]
# The package builds the same with one line each.
# We copy the parameters of our networks into those of the package, and compare what they give.

# %% tags=["nbval-check-output"]
packaged = vh.mlp_encoder(data.image_shape, latent_dim=2, hidden=(256,))
packaged.set_weights(encoder.get_weights())
ten_images = data.x_train[:10]
difference = np.abs(np.array(packaged(ten_images)) - np.array(encoder(ten_images))).max()
print(f"encoder: {encoder.count_params():,} parameters, largest difference {difference:.6f}")

packaged = vh.mlp_decoder(data.image_shape, latent_dim=2, hidden=(256,))
packaged.set_weights(decoder.get_weights())
ten_codes = np.ones((10, 2))
difference = np.abs(np.array(packaged(ten_codes)) - np.array(decoder(ten_codes))).max()
print(f"decoder: {decoder.count_params():,} parameters, largest difference {difference:.6f}")

# %% [markdown]
# **What you see.** No difference.
# From here on, `vh.mlp_encoder` and `vh.mlp_decoder` save us these lines.
# (MLP is short for *multilayer perceptron*, the old name for a network of Dense layers.)
#
# The encoder is new: it gives *two* lists of two numbers each, where lesson 01 had one.
# What happens between encoder and decoder is new as well, and it is the subject of this sitting.
# We train such a machine first, and take it apart afterwards.
# (About ten seconds.
# The words in its log are explained below.)

# %%
def train_small(model_class, seed=1, verbose=2):
    """A small model with 2 latents. The same seed means: the same first parameters."""
    keras.utils.set_random_seed(seed)
    encoder = vh.mlp_encoder(data.image_shape, latent_dim=2, hidden=(256,))
    decoder = vh.mlp_decoder(data.image_shape, latent_dim=2, hidden=(256,))
    model = model_class(encoder, decoder)
    model.compile(keras.optimizers.RMSprop(1e-3))  # an older relative of Adam
    model.fit(data.x_train, epochs=settings.budget, batch_size=100, verbose=verbose)
    return model


vae = train_small(vh.VAE)

# %% alt="A row of boxes joined by arrows: an image of a digit, the encoder, a box with μ and σ, a square with a small cloud in it and one point drawn from the cloud, the decoder, and the pixel means, which show the same digit with soft edges. Noise ε enters at the cloud. Below the cloud stands the KL, in nats; a line from the image to the pixel means carries the reconstruction, in nats. The last line adds the two."
digit = data.x_valid[data.y_valid == 0][:1]  # one image, a zero
vh.plot_machine(vae, digit);

# %% [markdown]
# **What you see: the whole machine, with one image in it.**
#
# 1. The *encoder* reads the image and gives $\mu$ and $\sigma$: the middle and the width of a small cloud in the plane of codes.
# 2. *Noise* $\varepsilon$ decides which point $z$ of the cloud is used, the black dot.
# 3. The *decoder* reads the point $z$, and nothing else.
#    It gives a probability for each pixel, shown as grey: the *pixel means*.
# 4. Two numbers judge the machine, and their sum is the *loss*.
#    The *reconstruction* says how surprising the image is to the decoder.
#    The *KL* says how far the cloud is from the dashed circle, the *prior*.
#
# Each of the next sections is about one of these stations.

# %% [markdown]
# ## Station 1: from a point to a cloud
#
# In lesson 01 the encoder gave one code, a point.
# Two problems remained.
# Between the points nobody trained the decoder, and nobody said how the points are distributed.
#
# The encoder of a VAE gives a **cloud**: a normal distribution over codes.
# It needs two lists of numbers, each as long as the code:
#
# - `mean`, in formulas $\mu$: the middle of the cloud;
# - `log_var`, in formulas $\log\sigma^2$: the logarithm of the variance.
#   The variance $\sigma^2$ is the square of the standard deviation $\sigma$, the width.
#
# Why the logarithm?
# A Dense layer can give any number, also a negative one.
# A variance must be positive.
# The logarithm of a variance may be any number, so the layer needs no restriction.
# To get the width back: $\sigma = e^{\frac12\log\sigma^2}$.
#
# **Question.** An encoder gives $\log\sigma^2=-4.6$.
# How wide is the cloud?
# And what would go wrong if the layer gave $\sigma$ itself?
#
# <details><summary>Open the answer</summary>
#
# $\sigma=e^{-2.3}=0.10$.
# A layer that gives $\sigma$ itself would sometimes give a negative width, which has no meaning, or 0, where $\log\sigma^2$ does not exist.
#
# </details>
#
# The cloud has a name: $q(z\mid x)$, read "q of z given x".
# It is the encoder's proposal: which codes $z$ may belong to the image $x$?
#
# ## Station 2: one draw from the cloud
#
# The decoder needs one code, not a cloud.
# So we draw one point from the cloud, and a new one each time the image is used:
#
# $$z = \mu + \sigma\,\varepsilon,\qquad \varepsilon\sim\mathcal N(0, I),\qquad \sigma = e^{\frac12\log\sigma^2}$$
#
# Here $\varepsilon$ (epsilon) is fresh noise, one number for each latent.
# The sign $\sim$ means "is drawn from".
# $\mathcal N(0, I)$ means: each number has mean 0 and variance 1, and the numbers do not depend on each other.
# To stretch the noise by $\sigma$ and then shift it by $\mu$ is the same as to draw from $\mathcal N(\mu, \sigma^2)$.

# %% [markdown]
# ### Exercise 2.1 · The sampling step · 8 min
#
# Return one draw for each row of `mean`.
# Each image must get its own noise.
# Be careful: which of $\sigma$, $\sigma^2$ and $\log\sigma^2$ do you have?
#
# Useful: `keras.random.normal(shape, seed=seed)` draws the noise, `ops.shape(mean)` is its shape, and `ops.exp` is the exponential function.
# (`ops` are Keras's functions on arrays.
# Unlike numpy's, they let gradients (lists of derivatives; next section) pass.)
#
# About `seed`: pass it on as you get it.
# If it is an integer, the noise is the *same* at every call.
# That is good for a check, and wrong for training.
# In training, it is a `keras.random.SeedGenerator`, which gives new noise at every call.

# %%
def reparameterize(mean, log_var, seed):
    """One draw from N(mean, exp(log_var)) per row. All shapes: (batch, latent_dim)."""
    ### BEGIN SOLUTION
    noise = keras.random.normal(ops.shape(mean), seed=seed)
    return mean + ops.exp(0.5 * log_var) * noise
    ### END SOLUTION


vh.check.reparameterize(reparameterize)

# %% [markdown]
# From here on the lesson uses `vae.reparameterize(mean, log_var)`.
# It does the same, with a `SeedGenerator` of its own.
# **Target:** the widths that the next cell prints.
# To compare, replace its call by `reparameterize(mean, log_var, 0)`.

# %%
mean = ops.tile([[1.0, 0.0]], (5000, 1))  # 5000 times the same cloud
log_var = ops.tile(ops.log([[4.0, 0.25]]), (5000, 1))  # σ² = 4 and σ² = 0.25
widths = np.std(vae.reparameterize(mean, log_var), axis=0)
print(f"widths of 5000 draws: {widths[0]:.2f} for σ = 2, {widths[1]:.2f} for σ = 0.5")

# %% [markdown]
# **What you see.** Widths near 2 and 0.5.
# Who multiplies by $\sigma^2$ by mistake gets about 4 and 0.25.

# %% tags=["guard"]
vh.expect("width for σ² = 4", widths[0], at_least=1.9, at_most=2.1, everywhere=True)
vh.expect("width for σ² = 0.25", widths[1], at_least=0.47, at_most=0.53, everywhere=True)

# %% [markdown]
# ## How does a gradient pass through a random draw?
#
# Training needs gradients (lists of derivatives): how does the loss change when $\mu$ and $\log\sigma^2$ change a little?
# But between them and the loss stands a random draw.
# How can one differentiate a random result?
#
# The answer is in the formula above, and it is called the **reparameterization trick**.
# The randomness sits in $\varepsilon$, and $\varepsilon$ depends on nothing.
# Once $\varepsilon$ is drawn, $z=\mu+\sigma\varepsilon$ is an ordinary function of $\mu$ and $\sigma$, and ordinary functions have derivatives.
# What we want is the derivative of an *average* over draws.
# The derivative of a sum is the sum of the derivatives.
# The same holds for averages of a continuous function that is put together from smooth pieces and does not grow too fast.
# Networks with ReLU, which replaces negative numbers by 0, are of this kind.
# So we may differentiate draw by draw.
#
# Let us check this where we know the truth.
# Take $f(z) = z^2$ in place of a loss.
# Its average over the cloud is $\mu^2+\sigma^2$, because the variance is the average of $z^2$ minus $\mu^2$.
# So the true derivative with respect to $\mu$ is $2\mu$.
# And $\sigma^2=e^{\log\sigma^2}$ is its own derivative with respect to $\log\sigma^2$.

# %%
noise = keras.random.normal((100_000,), seed=3)
mean, log_var = tf.Variable(1.0), tf.Variable(-1.0)  # numbers that TensorFlow can differentiate by

with tf.GradientTape() as tape:  # records what is computed, to differentiate it afterwards
    z = mean + ops.exp(0.5 * log_var) * noise
    average_of_f = ops.mean(z**2)
by_tape = tape.gradient(average_of_f, [mean, log_var])

for name, true, found in zip(["μ", "log σ²"], [2 * 1.0, np.exp(-1.0)], by_tape):
    print(f"derivative with respect to {name:6s}: true {true:.3f}, through the draws {float(found):.3f}")

# %% tags=["guard"]
vh.expect("tape minus truth, mean", by_tape[0] - 2.0, at_least=-0.03, at_most=0.03, everywhere=True)
vh.expect("tape minus truth, log_var", by_tape[1] - np.exp(-1.0), at_least=-0.03, at_most=0.03, everywhere=True)

# %% [markdown]
# **What you see.** The derivatives through 100,000 draws agree with the true ones.
# The gradient passes through the draw.
#
# Is this the only way?
# No.
# Another one never differentiates $f$; it is derived in side road 1.
# For the loss of a VAE its results jump so much from draw to draw that it is of little use (Kingma and Welling, 2014, section 2.2).

# %% [markdown]
# ## Stations 3 and 4: the loss has two terms
#
# **The first term: reconstruction.** For each pixel the decoder gives a probability $r$ that this pixel is 1.
# (The network gives the *logit* $a$ of lesson 01, and $r=1/(1+e^{-a})$ is its sigmoid.)
# If the pixel is 1, the probability of what we saw is $r$; if it is 0, it is $1-r$.
# The *surprise* about the pixel is minus the logarithm of that probability.
# A sure and right decoder is not surprised: $-\log 1=0$.
# With a fair coin, the surprise is $-\log\frac12=0.69$.
#
# Once $z$ is known, the model treats the pixels as independent, so their probabilities multiply and their surprises add up.
# The sum over the 784 pixels is $-\log p(x\mid z)$: the surprise about the whole image $x$, when the code $z$ is known.
# Its unit is called the **nat**, because the logarithm is the natural one.
# One nat less means: $e=2.72$ times as probable.
#
# **The second term: KL.** The *Kullback–Leibler divergence*, or KL, measures how far the cloud $q(z\mid x)$ is from one fixed distribution,
# $p(z)=\mathcal N(0, I)$, called the **prior**.
# For our clouds it is a short formula, summed over the latents $j$, also in nats:
#
# $$\mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big) = \tfrac12\sum_j\left(\mu_j^2+\sigma_j^2-1-\log\sigma_j^2\right)$$
#
# It is 0 if the cloud *is* the prior.
# It grows when the mean moves away from 0, and when $\sigma$ becomes smaller or larger than 1.
# Lesson 03 derives both terms, and shows why just this sum is the right loss.
# Here we learn to read them.
# The first term wants narrow clouds that the decoder can tell apart.
# The second term wants every cloud to have mean 0 and $\sigma=1$.
#
# ### One image, with a pocket calculator
#
# The image of the picture above once more.
# To make the numbers short, the cell rounds what the networks give, and takes $\varepsilon=(0.5, -1)$ for the noise.
# (`vae.encode` and `vae.decode` are the two networks, easy to use with numpy; `decode` gives probabilities, the network `vae.decoder` gives logits.)
# Take a calculator, and confirm at least one line of each kind.
# (In this course, log is the natural logarithm: the key ln.)

# %%
mean, log_var = (np.round(values[0], 2) for values in vae.encode(digit))
epsilon = np.array([0.5, -1.0])
z = mean + np.exp(0.5 * log_var) * epsilon
for j in range(2):
    print(f"z_{j + 1} = {mean[j]:.2f} + exp({log_var[j]:.2f} / 2) · ({epsilon[j]}) = {z[j]:.3f}")

kl = np.round(0.5 * (mean**2 + np.exp(log_var) - 1 - log_var), 3)
for j in range(2):
    m, v = f"({mean[j]:.2f})", f"({log_var[j]:.2f})"
    print(f"KL of latent {j + 1} = ({m}² + exp{v} - 1 - {v}) / 2 = {kl[j]:.3f} nats")
print(f"KL of the cloud = {kl[0]:.3f} + {kl[1]:.3f} = {kl.sum():.3f} nats")

# %%
r = np.round(vae.decode(z[None]).ravel(), 3).clip(0.001, 0.999)  # 784 probabilities, with three decimals
pixels = digit.ravel()
surprise = -np.log(np.where(pixels == 1, r, 1 - r))
for i in (np.argmax(r * pixels), np.argmin(abs(r - 0.5)), np.argmax(surprise)):
    chance = f"{r[i]:.3f}" if pixels[i] == 1 else f"1 - {r[i]:.3f}"
    print(f"pixel {i} is {pixels[i]:.0f}: surprise -log({chance}) = {surprise[i]:.2f} nats")
print(f"all 784 pixels: {surprise.sum():.1f} nats")
print(f"loss = {surprise.sum():.1f} + {kl.sum():.1f} = {surprise.sum() + kl.sum():.1f} nats")

# %% [markdown]
# **What you see.** Two lines for the draw, two for the KL, and three of the 784 surprises.
# (The loss is not that of the picture: there, $\varepsilon$ was another draw.)
# Where the decoder is sure and right, a pixel costs next to nothing.
# Where it is undecided, a pixel costs about 0.7.
# The third pixel is the most surprising one: there the decoder is rather sure, and wrong.
# In the KL, nearly everything comes from $\mu^2$ and from $-\log\sigma^2$: the two prices of a code that is *far out* and *exact*.

# %% tags=["guard"]
exact = float(vh.gaussian_kl(mean[None], log_var[None])[0])
vh.expect("KL by calculator minus vh.gaussian_kl", abs(kl.sum() - exact), at_most=2e-3, everywhere=True)
a_hundred = data.x_valid[:100]
logits_100 = vae.decoder(vae.encode(a_hundred)[0])
r_100 = ops.sigmoid(logits_100)
surprise_100 = -ops.sum(ops.log(ops.where(a_hundred == 1, r_100, 1 - r_100)), axis=(1, 2, 3))
worst = np.abs(surprise_100 - vh.bernoulli_nll(a_hundred, logits_100)).max()
vh.expect("surprise minus vh.bernoulli_nll", worst, at_most=5e-2, everywhere=True)
vh.expect("KL of a cloud that is the prior", vh.gaussian_kl([[0.0, 0.0]], [[0.0, 0.0]])[0], at_most=0, everywhere=True)

# %% [markdown]
# ### Exercise 2.2 · Surprise without overflow · 10 min
#
# The cell above computes the probability first, and then its logarithm.
# For a logit of 200 the sigmoid is exactly 1 in the numbers of a computer.
# A pixel that is 0 there costs $-\log(1-1)$: infinity.
# So write the surprise directly from the logit $a$.
# For a pixel that is 1, it is $-\log\frac1{1+e^{-a}}=\log(1+e^{-a})$.
# Find the formula for a pixel that is 0 in the same way.
# Keras has the function $\log(1+e^a)$ in a form that does not overflow: `ops.softplus(a)`.
# Return one number for each image.
# (The name is short for *Bernoulli negative log-likelihood*.
# "Bernoulli" is the coin, and "negative log-likelihood" another word for surprise.)

# %%
def bernoulli_nll(x, logits):
    """The surprise −log p(x|z) of each image, in nats. x, logits: (batch, height, width, 1). Returns (batch,)."""
    ### BEGIN SOLUTION
    surprise = x * ops.softplus(-logits) + (1 - x) * ops.softplus(logits)
    return ops.sum(surprise, axis=(1, 2, 3))
    ### END SOLUTION


vh.check.bernoulli_nll(bernoulli_nll)

# %% [markdown]
# **Target:** two images of two pixels each.
# The first has a 1 with logit 2 and a 0 with logit −1; the second has a 1 and a 0, both with logit 200:

# %% tags=["nbval-check-output"]
two_images = np.array([1.0, 0.0, 1.0, 0.0], "float32").reshape(2, 2, 1, 1)
two_logits = np.array([2.0, -1.0, 200.0, 200.0], "float32").reshape(2, 2, 1, 1)
print(*(f"{nats:.3f} nats" for nats in vh.bernoulli_nll(two_images, two_logits)))

# %% [markdown]
# ## One training step
#
# One convention holds in the whole course: **sum over pixels, sum over latents, then take the mean over the batch, once, at the end.**
# A mean where a sum belongs changes the balance of the two terms, and lesson 03 shows how much harm it does.
#
# The loss is reconstruction + KL.
# Minus the loss, averaged over the draws of $z$, is called the **ELBO**, the *evidence lower bound*.
# Lesson 03 explains this name.
#
# ### Exercise 2.3 · The training step · 12 min
#
# Now you have all parts: encode, draw, decode, measure, differentiate, step.
# Write the step for *any* VAE and optimizer.
# One thing is new: the KL gets a weight, $\beta$ (beta), so the loss is reconstruction + $\beta\cdot$ KL.
# This lesson uses $\beta=1$, except in the film of sitting B and in a side road; lesson 06 uses others.
# The frame is always this one:
#
# ```python
# with tf.GradientTape() as tape:
#     loss = ...  # your part: from the images x to one number
# gradients = tape.gradient(loss, vae.trainable_variables)
# optimizer.apply(gradients, vae.trainable_variables)
# ```
#
# For your part there are `vae.encoder(x)`, which gives `mean` and `log_var`; `vae.reparameterize`; `vae.decoder(z)`, which gives logits;
# `vh.bernoulli_nll(x, logits)` and `vh.gaussian_kl(mean, log_var)`, one number for each image; and `ops.mean`.
# Return the loss.

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
# **Target:** the check takes one step of yours and one of `vh.VAE`, from the same parameters with the same noise, and compares every parameter,
# for two values of $\beta$.
# So when it says "right", your function *is* what `fit` repeats for each batch.

# %% tags=["guard"]
def losses_by_hand(model, images, optimizer):
    """The mean loss of steps on 100 images each, written as in the solution of exercise 2.3."""
    found = []
    for i in range(0, len(images), 100):
        with tf.GradientTape() as tape:
            mean, log_var = model.encoder(images[i : i + 100])
            reconstruction = vh.bernoulli_nll(images[i : i + 100], model.decoder(model.reparameterize(mean, log_var)))
            loss = ops.mean(reconstruction + vh.gaussian_kl(mean, log_var))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        found.append(float(loss))
    return np.mean(found)


tiny = vh.VAE(vh.mlp_encoder(data.image_shape, 2, hidden=(16,)), vh.mlp_decoder(data.image_shape, 2, hidden=(16,)))
first_weights, few = tiny.get_weights(), data.x_train[:200]
tiny.reseed(7)
tiny_by_hand = losses_by_hand(tiny, few, keras.optimizers.Adam(1e-3))
tiny.set_weights(first_weights)
tiny.reseed(7)
tiny.compile(keras.optimizers.Adam(1e-3))
tiny_by_fit = tiny.fit(few, batch_size=100, shuffle=False, verbose=0).history["loss"][0]
vh.expect("loss by hand minus by fit", abs(tiny_by_hand - tiny_by_fit), at_most=0.01, everywhere=True)

# %% [markdown]
# ## What does the noise do?
#
# Here is an experiment.
# We train the same network again, from the same first parameters, and take the noise out: the decoder gets `mean` itself.
# The rest, the loss included, stays exactly the same.
# (`class NoNoise(vh.VAE)` means: a VAE in every respect, except for what is written below.)
#
# **Predict.** Without noise, will the reconstruction be better or worse?
# What will happen to $\sigma$, which the KL still looks at, but which the decoder no longer feels?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The reconstruction stays about the same.
# It differs by about a nat, and not always in the same direction.
# The $\sigma$ is what changes.
# It goes to 1, where the KL is smallest, because nothing else holds it.
# That sounds harmless.
# The cells below show what it means.
#
# </details>

# %%
class NoNoise(vh.VAE):
    def reparameterize(self, mean, log_var):
        return mean


silent = train_small(NoNoise)  # we call it "silent", because it has no noise

# %% [markdown]
# **What you see.** Compare the last line with that of the first training.
# At first sight it was a good idea to take out the noise: a lower loss, because the KL is much lower, and about the same reconstruction.
# Look closer.
#
# Below are the clouds of forty validation images from both models.
# Each ellipse is one cloud, as wide as its $\sigma$.
# The dashed circle is the prior in the same way, one $\sigma$ wide.
# In two dimensions, the share of the draws outside $s$ standard deviations is $e^{-s^2/2}$: 0.61 for $s=1$.
# (The distance $r$ from the middle has the density $r\,e^{-r^2/2}$; its integral from $s$ on is $e^{-s^2/2}$.)
# So the dashed circle holds only 39 % of the draws.
# The dotted circle, two $\sigma$ wide, holds $1-e^{-4/2}$, or 86 %.

# %% alt="Two panels with the clouds of the same forty images, coloured by digit, over two circles of the prior. Left, trained with noise: small ellipses, many of them apart. Right, without noise: every ellipse is as large as the inner circle, and most lie over many others."
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6))
for ax, model, title in ((axes[0], vae, "with noise"), (axes[1], silent, "without")):
    mean, log_var = model.encode(data.x_valid[:40])
    vh.plot_clouds(mean, log_var, data.y_valid[:40], ax=ax)
    ax.patches[0].set_zorder(3)  # the dashed circle, above the clouds
    ax.add_patch(plt.Circle((0, 0), 2, fill=False, linestyle=":"))
    ax.set_title(f"{title}: average σ {np.exp(0.5 * log_var).mean():.2f}")
for label, color in enumerate(vh.plots.CLASS_COLORS):
    axes[1].plot([], [], "o", color=color, label=label)
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5));

# %% [markdown]
# **What you see.** With noise, the clouds are small.
# Without noise, every cloud is about as wide as the prior, and most clouds lie over many others.
#
# Why?
# Without noise, $\sigma$ appears in the KL and nowhere else, and the KL is smallest at $\sigma=1$.
# So $\sigma$ goes to 1.
# With noise, a wide cloud costs something: the decoder then gets codes that belong to very different images, and the reconstruction becomes worse.
# The two terms find a balance.
#
# A cloud with $\sigma=1$ should mean: each code in this wide cloud stands for this image.
# Does the decoder agree?
# We draw nine codes from the cloud of our image, in both models, and decode them.

# %% alt="Two rows. Each begins with the same image and goes on with nine decoded draws from its cloud. With noise: nine times nearly the same digit. Without: other digits and blends as well."
rows = []
for model in (vae, silent):
    mean, log_var = model.encode(np.repeat(digit, 9, axis=0))
    z = vae.reparameterize(mean, log_var)  # nine draws from the cloud of this image
    rows.append(np.concatenate([digit, model.decode(z)]))
vh.plot_images(rows, ["with noise", "without"], titles=["image", *range(1, 10)]);

# %% [markdown]
# **What you see.** Left, the image.
# Then nine draws from its cloud.
# With noise: nine times nearly the same digit.
# The cloud is so narrow that the digit does not change.
# Without noise: other digits and blends too.
# The decoder does not agree with the cloud, and nothing in the training asked it.
#
# Now the same with numbers, for all 5,000 validation images, and with two more seeds, because one run can mislead.
# The third line of each seed puts the two networks of the silent model into a `vh.VAE`, which really draws.
# (Four more trainings: about 45 seconds.)

# %%
scores = {}


def report(name, seed, model):
    """Print the two terms of the loss, and their sum, for the validation images."""
    s = scores[name, seed] = model.evaluate(data.x_valid, verbose=0, return_dict=True)
    print(f"seed {seed}: {name:23s} {s['reconstruction']:14.1f} {s['kl']:6.2f} {s['loss']:7.1f}")


print("nats per validation image        reconstruction     KL    loss")
for seed in range(1, settings.seeds + 1):
    report("with noise", seed, vae if seed == 1 else train_small(vh.VAE, seed, verbose=0))
    quiet = silent if seed == 1 else train_small(NoNoise, seed, verbose=0)
    report("without, as it trained", seed, quiet)
    drawing = vh.VAE(quiet.encoder, quiet.decoder)
    drawing.compile()
    report("without, noise added", seed, drawing)

dearer = scores["without, noise added", 1]["loss"] / scores["with noise", 1]["loss"]
vh.expect("loss, without and noise added / with noise", dearer, at_least=1.5)

# %% [markdown]
# **What you see.** The reconstruction hardly changes: the difference is a nat or so, and it does not always have the same sign.
# (`vh.expect` at the end compares a number with the one in the text; it speaks only if they differ.)
# The KL and $\sigma$ do change.
# In the second line of each seed, the silent model reports a small loss, because its KL is small.
# In the third line it must really draw, and an image costs nearly twice as much as with the model that was trained with noise.

# %% tags=["guard"]
def average_sigma(model):
    return float(np.mean(np.exp(0.5 * np.array(model.encode(data.x_valid)[1]))))


vh.expect("average σ with noise", average_sigma(vae), at_most=0.3)
vh.expect("average σ without", average_sigma(silent), at_least=0.9, at_most=1.1)
for which in range(1, settings.seeds + 1):
    with_noise, as_trained, drawing_it = (
        scores[row, which] for row in ("with noise", "without, as it trained", "without, noise added")
    )
    vh.expect(f"KL with noise, seed {which}, nats", with_noise["kl"], at_least=4.3, at_most=6.5)
    vh.expect(f"KL without, seed {which}, nats", as_trained["kl"], at_most=2)
    noise_costs = with_noise["reconstruction"] - as_trained["reconstruction"]
    vh.expect(f"reconstruction, with minus without, seed {which}, nats", noise_costs, at_least=-5, at_most=5)
    times = drawing_it["loss"] / with_noise["loss"]
    vh.expect(f"loss when the silent model draws / loss with noise, seed {which}", times, at_least=1.5)

# %% [markdown]
# ### How many clouds lie over one another?
#
# Forty small clouds leave much room between them.
# But the model has to place thousands of images.
#
# **Predict.** Take the clouds of all 5,000 validation images, each two $\sigma$ wide, and draw one point from one of them.
# In how many of the 5,000 clouds does this point lie: about 1, about 5, or more than 30?

# %% alt="Two panels with the clouds of 40 and of 400 images, in the colours of the digits. Left, most clouds stand apart; right, those in the middle form one heap."
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6))
for ax, n in zip(axes, (40, 400)):
    mean, log_var = vae.encode(data.x_valid[:n])
    vh.plot_clouds(mean, log_var, data.y_valid[:n], ax=ax)
    ax.set_title(f"clouds of {n} images, one σ wide")

# %%
mean, log_var = (np.array(values) for values in vae.encode(data.x_valid))
sigma = np.exp(0.5 * log_var)
z = np.array(vae.reparameterize(mean, log_var))[:500]  # one point from each of 500 clouds
# z[:, None] has the shape (500, 1, 2), so that each of the 500 points meets each of the 5000 clouds
away = np.linalg.norm((z[:, None] - mean) / sigma, axis=-1)  # (500, 5000): how many σ from the middle of each cloud
clouds_here = np.sum(away < 2, axis=1)
print(f"a drawn point lies in {np.median(clouds_here):.0f} of {len(mean):,} clouds (the middle one of 500 draws)")

kl = np.mean(vh.gaussian_kl(mean, log_var))
places = np.exp(kl)
print(f"average KL {kl:.2f} nats: exp({kl:.2f}) = {places:.0f} places; {len(mean) / places:.0f} images for each")

# %% tags=["guard"]
vh.expect("clouds around a drawn point", np.median(clouds_here), at_least=30, at_most=90)
vh.expect("average KL, nats", kl, at_least=4.3, at_most=5.8)

# %% [markdown]
# **What you see.** The answer: more than 30.
# The point lies in some sixty clouds.
# So it is not true that each image has a place of its own.
# Forty clouds only looked like that, because they were few.
# (Blue: 0, orange: 1, green: 2, red: 3, light blue: 4, pink: 5, black: 6, olive: 7, violet: 8, grey: 9.)
# What can the decoder do with such a point?
# It answers with one output for all the images whose clouds lie there, near their average.
# (If a share $m$ of them has a 1 in a pixel, the average surprise is smallest for the answer $m$.)
# Where these images are similar, this costs little; in the middle, where colours mix, the answer may be a blend.
#
# How many places can be told apart?
# The KL says it.
# On average, a code cannot tell more about its image than the average KL, in nats (Hoffman and Johnson, 2016; lesson 05 measures it).
# A yes-or-no answer tells two cases apart, and is $\log 2=0.69$ nats; $K$ nats tell about $e^K$ cases apart.
# With 5.08 nats, these are some 160 equally likely places, and no more.
# Then 5,000 images share them, thirty or more in each place.
# The count of clouds, some sixty, is of the same order.

# %% [markdown]
# So this is what the noise is for:
#
# - **It makes a wide cloud costly.** If the cloud is too wide, the decoder gets codes that belong to very different images,
#   and the reconstruction becomes worse.
#   Without noise, nothing keeps $\sigma$ from going to 1.
#   What remains is an autoencoder with a penalty on large codes, $\frac12\sum\mu^2$.
# - **It gives the KL a meaning.** With noise, a code cannot tell more about its image than the KL says, in nats, on average over images.
#   Without noise there is no such limit: the decoder reads the exact point `mean`, however small the KL is.
# - **It trains the decoder at many points around each mean**, not only at the mean itself.
#
# Why do we draw from $\mathcal N(0, I)$ first, and stretch and shift afterwards, instead of drawing from $\mathcal N(\mu,\sigma^2)$ directly?
# Because of the gradient: the noise has no parameters, so we only need the derivative with respect to $\mu$ and $\sigma$.

# %% [markdown]
# ## The whole VAE on one page
#
# This is for you to take home: the machine of this sitting, in plain Keras, without `vh`.
# Everything in it you have met.
# (`ops.binary_crossentropy` with `from_logits=True` is Keras's name for the surprise of each pixel.)
# (The seed is that of `train_small`, so that the two can be compared.)
# Only the form is new: Keras's `fit` calls the model (`call`), asks `compute_loss` for the loss, and takes the step of exercise 2.3.
# (Keras gives `compute_loss` more than it needs; it must accept all of it.)
# `x_train` stands for your images: an array of shape (n, 28, 28, 1) that holds 0 and 1.

# %%
import keras
from keras import layers, ops

keras.utils.set_random_seed(1)
image = keras.Input((28, 28, 1))
x = layers.Flatten()(image)
x = layers.Dense(256, activation="relu")(x)
encoder = keras.Model(image, [layers.Dense(2)(x), layers.Dense(2)(x)])  # mean and log_var

z = keras.Input((2,))
x = layers.Dense(256, activation="relu")(z)
x = layers.Dense(28 * 28)(x)
decoder = keras.Model(z, layers.Reshape((28, 28, 1))(x))  # logits


# %%
class PlainVAE(keras.Model):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.seed = keras.random.SeedGenerator()

    def call(self, x):
        mean, log_var = self.encoder(x)
        epsilon = keras.random.normal(ops.shape(mean), seed=self.seed)
        logits = self.decoder(mean + ops.exp(0.5 * log_var) * epsilon)
        return mean, log_var, logits

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        mean, log_var, logits = y_pred  # what `call` has returned
        surprise = ops.binary_crossentropy(x, logits, from_logits=True)  # of each pixel
        kl = 0.5 * (mean**2 + ops.exp(log_var) - 1 - log_var)  # of each latent
        return ops.mean(ops.sum(surprise, axis=(1, 2, 3)) + ops.sum(kl, axis=1))  # sum, sum, and one mean


# %%
x_train = data.x_train  # your images

plain = PlainVAE(encoder, decoder)
plain.compile(keras.optimizers.RMSprop(1e-3), steps_per_execution=20)  # 20 steps at a time: faster
plain.fit(x_train, epochs=3, batch_size=100, verbose=2)
new_images = ops.sigmoid(plain.decoder(keras.random.normal((10, 2))))  # codes from the prior, decoded

# %%
vae.reseed(0)  # both start the noise at a known place, to be measured with the same draws
plain.seed.state.assign([0, 0])
losses = plain.evaluate(data.x_valid, verbose=0), vae.evaluate(data.x_valid, verbose=0, return_dict=True)["loss"]
print(f"ELBO on validation images: {-losses[0]:.2f} nats on one page, {-losses[1]:.2f} with the package")
vh.expect("ELBO on one page minus that of the package, nats", losses[1] - losses[0], at_least=-1, at_most=1)

# %% [markdown]
# **What you see.** The two agree to a fraction of a nat, and the losses in the two logs differ by less than 0.1 nat.
# The same seed gave both the same first parameters and the same order of the images.
# So this page *is* the machine of the package.
# If your own VAE behaves strangely one day, put it beside this page.
# Afterwards, `plain.encoder` and `plain.decoder` are the two networks that you can use.

# %% [markdown]
# **End of sitting A.** Before you close the notebook: say in one sentence each what the encoder gives, what the noise is for,
# and what the two terms of the loss measure.
# The answers are sentences 1 to 3 under "To take away".

# %% [markdown] sitting="B"
# ## Sitting B: many images, and a fair comparison · {{minutes}} min
#
# *On another day?*
# First run all cells above this one, without reading: *Run → Run All Above Selected Cell* in JupyterLab, *Runtime → Run before* in Colab.
# It takes about two minutes.
#
# In sitting A, one image went through the machine.
# Now look at thousands of them: where do their codes lie, which new images come out, and is a VAE better than an autoencoder?
#
# ### Exercise 2.4 · Noise four times as wide · 8 min
#
# Here you have no check but your own eyes.
# **Predict** first: we make the noise of the small network four times as wide.
# The decoder gets $\mu+4\sigma\varepsilon$; the KL still gets $\mu$ and $\sigma$.
# What will the encoder do about it?
# What happens to the two terms?
#
# Then write a class like `NoNoise` that returns `mean + 4 * (super().reparameterize(mean, log_var) - mean)`
# (`super().` calls the version of `vh.VAE`), train it with `train_small`,
# in the empty cell below, and compare the last line of the log with that of the first training.
#
# <details><summary>Open the answer when you have tried</summary>
#
# The encoder makes $\sigma$ smaller, by a factor of more than 3, so that the noise *after* the stretching is nearly what it was.
# When we ran it, on the validation images (your log shows training images): average $\sigma$ 0.038 in place of 0.126.
# The reconstruction was two nats worse in this one run, 160.6 in place of 158.5.
# But the KL looks at the small $\sigma$, and becomes larger: 7.9 in place of 5.1 nats.
# Most of that comes from $\sigma$: a factor of 3.3 costs $\log 3.3=1.2$ nats in each of the two latents.
# The rest comes from the other terms of the KL.
# So the size of the noise is not a free choice: $\sigma$ *is* the noise, and the KL must be told the same $\sigma$.
#
# </details>

# %%
class MyNoise(vh.VAE):  # then train it: train_small(MyNoise)
    ...

# %% tags=["guard"]
class Wide(vh.VAE):
    def reparameterize(self, mean, log_var):
        return mean + 4 * (super().reparameterize(mean, log_var) - mean)


wide = train_small(Wide, verbose=0)
scores_wide = wide.evaluate(data.x_valid, verbose=0, return_dict=True)
vh.expect("σ, ordinary / four times as wide", average_sigma(vae) / average_sigma(wide), at_least=2.8, at_most=5.2)
wide_pays = scores_wide["kl"] - scores["with noise", 1]["kl"]
vh.expect("KL of the wide noise minus the ordinary KL, nats", wide_pays, at_least=2, at_most=3.6)
wide_costs = scores_wide["reconstruction"] - scores["with noise", 1]["reconstruction"]
vh.expect("reconstruction, wide minus ordinary, nats", wide_costs, at_least=-4, at_most=5)

# %% [markdown]
# ## A film: what does the KL do?
#
# Noise makes wide clouds costly.
# And what does the KL do to the codes?
# We take it out first: with $\beta=0$ the loss is only the reconstruction.
# After two epochs we switch the KL on, $\beta=1$, and film what happens to the codes of 600 validation images during two more epochs.
#
# Such an experiment needs a **control**: the same without the one thing that we ask about.
# Here the control starts from the same parameters, trains for as many steps, and leaves the KL off.
#
# **Predict.** How will the map look before the KL is switched on?
# And after it: will the reconstruction be better or worse than in the control?

# %%
def draw(model):
    """The codes of 600 validation images, and two circles of the prior, as one frame of a film."""
    fig, ax = plt.subplots(figsize=(4.4, 4.2))
    mean, log_var = model.encode(data.x_valid[:600])
    ax.scatter(*np.transpose(mean), s=8, c=np.array(vh.plots.CLASS_COLORS)[data.y_valid[:600]])
    for radius, line in ((1, "--"), (2, ":")):
        ax.add_patch(plt.Circle((0, 0), radius, fill=False, linestyle=line, linewidth=1.5))
    ticks = range(-10, 11, 5)
    ax.set(xlim=(-11, 11), ylim=(-11, 11), aspect="equal", xlabel="$z_1$", ylabel="$z_2$", xticks=ticks, yticks=ticks)
    ax.set_title(f"average σ {np.exp(0.5 * log_var).mean():.3f}", family="monospace")
    return vh.as_frame(fig)


# %% [markdown]
# `vh.Frames` calls `draw` every 20 training steps, or after each epoch, and keeps the picture.
# The cell after the next trains for six epochs in all, about half a minute.

# %%
keras.utils.set_random_seed(settings.seed)
encoder = vh.mlp_encoder(data.image_shape, latent_dim=2, hidden=(256,))
decoder = vh.mlp_decoder(data.image_shape, latent_dim=2, hidden=(256,))


def train_two_epochs(name, beta, every=None):
    """Train these two networks further, with this weight of the KL. Returns the pictures and the scores."""
    model, film = vh.VAE(encoder, decoder, beta=beta), vh.Frames(draw, every=every)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(data.x_train, epochs=min(2, settings.epochs), batch_size=128, verbose=0, callbacks=[film])
    s = model.evaluate(data.x_valid, verbose=0, return_dict=True)
    print(f"{name:24s} reconstruction {s['reconstruction']:.1f}, KL {s['kl']:5.1f}")
    return film.frames, s


# %%
print("nats per validation image")
_, before = train_two_epochs("before", beta=0)
start = encoder.get_weights(), decoder.get_weights()
film, pulled = train_two_epochs("two epochs with the KL", beta=1, every=20)

encoder.set_weights(start[0])
decoder.set_weights(start[1])
control_film, control = train_two_epochs("control: without the KL", beta=0)

# %% alt="The codes of 600 images, far apart at first, contract towards the circles of the prior, and the average σ in the title grows."
chosen = film[:6] + film[6:-1:4] + film[-1:]  # most happens early
path = vh.save_gif(chosen, settings.saved("pull.gif"), frame_ms=250)
vh.show_gif(path, alt="The codes, far apart at first, contract towards the circles of the prior.")

# %% alt="Three maps of the same 600 codes. Before the KL: spread over more than the picture, with very narrow clouds. With the KL: drawn together around the circles of the prior, with wider clouds. Control without the KL: spread as far as before or farther."
fig, axes = plt.subplots(1, 3, figsize=(12, 4.5))
for ax, frame, title in zip(axes, (film[0], film[-1], control_film[-1]), ("before", "with the KL", "control: without")):
    ax.imshow(frame)
    ax.set_title(title)
    ax.set_axis_off()

# %% [markdown]
# **What you see.** The film, and below it its first and last picture, beside the end of the control.
# One dot is the code of one image, in the colour of its digit (blue: 0, orange: 1, green: 2, red: 3, light blue: 4,
# pink: 5, black: 6, olive: 7, violet: 8, grey: 9); the circles are those of the prior, one and two $\sigma$ wide.
# Before the KL, the codes are spread far, many of them beyond the picture, and the clouds are extremely narrow:
# with no price on it, each image takes a far and exact place.
# With the KL, the codes contract, and $\sigma$ grows to eight times its size.
# In the control, $\sigma$ shrinks further, and the KL, which prices far and narrow clouds, rises: 179.0 nats in place of 99.9.
#
# The answer: the reconstruction is *worse* with the KL, by 5.5 nats, as the last two lines above the film say.
# Without the control you would not see it.
# Beside "before", even the reconstruction looks better with the KL.
# But that is what two more epochs did, and the control had them too.
# (One training of each.
# On another machine the numbers differ a little.)
#
# The KL does not say *which* image goes where.
# It only makes far and narrow codes expensive, each image by itself.

# %% tags=["guard"]
vh.expect("KL before / after", before["kl"] / pulled["kl"], at_least=5)
vh.expect("KL of the control / with the KL", control["kl"] / pulled["kl"], at_least=5)
kl_costs = pulled["reconstruction"] - control["reconstruction"]
vh.expect("reconstruction that the KL costs, nats", kl_costs, at_least=2, at_most=10)

# %% [markdown]
# ## A larger network, and the map
#
# Now two hidden layers of 512 numbers each in place of one of 256.
# (The numbers of a hidden layer are also called its *units*.)
# Training takes about half a minute.

# %%
keras.utils.set_random_seed(settings.seed)
encoder = vh.mlp_encoder(data.image_shape, latent_dim=2, hidden=(512, 512))
decoder = vh.mlp_decoder(data.image_shape, latent_dim=2, hidden=(512, 512))
vae = vh.VAE(encoder, decoder)
vae.compile(keras.optimizers.Adam(1e-3))
history = vae.fit(data.x_train, validation_data=data.x_valid, epochs=settings.epochs, batch_size=128, verbose=2)

# %% alt="Three panels over the epochs: loss, reconstruction and KL, for training and validation images. The first two fall, the KL rises."
vh.plot_history(history);

# %% [markdown]
# **What you see.** Left the loss, then its two terms; `loss` = `reconstruction` + `kl`.
# The reconstruction falls, and the KL *rises* a little.
# The loss falls although the KL rises: the model can say more with its codes.
# (By how much one nat of KL lowers the reconstruction cannot be read from these curves, because the decoder improves as well.
# Lesson 06 measures it.)
#
# At first, validation lies *below* training in the loss and the reconstruction; in the KL the two change sides several times.
# The reason is simple: the training value is an average over the whole epoch, while the model still improves.
# The validation value is measured after it.
# In the last two epochs validation lies *above* training, a little: on images that it has not seen, the model is now a little worse.
#
# Now the test images, for the first time, and the final number of this model.
# The *standard error* says how much the average would change with other images of the same kind.

# %%
mean, log_var = vae.encode(data.x_test)
reconstruction = np.array(vh.bernoulli_nll(data.x_test, vae.decoder(vae.reparameterize(mean, log_var))))
kl = np.array(vh.gaussian_kl(mean, log_var))
elbo = -(reconstruction + kl)
print(f"test images: reconstruction {reconstruction.mean():.1f}, KL {kl.mean():.1f} nats")
print(f"test ELBO: {elbo.mean():.1f} nats per image, standard error {elbo.std() / np.sqrt(len(elbo)):.1f}")
vh.expect("test ELBO, nats per image", elbo.mean(), at_least=-150)

# %% [markdown]
# This number holds for digits thresholded at 0.5, and for one training.
# It must not be compared with numbers for grey pixels, or for pixels made black and white in another way: those are other images.
#
# The trained model holds **three models in one**, with the same parameters:
#
# 1. the whole VAE, which trains;
# 2. the **encoder alone**, which makes a map of images;
# 3. the **decoder alone**, also called the *generator*, which makes images from codes.
#
# Number 2 first.
# The map shows the `mean` of each test image.

# %% alt="A map of 10,000 dots, coloured by digit and labelled. The ones lie at the top, the zeros at the bottom and the threes at the left; fours, sevens and nines lie over one another in the middle; the eights form two groups."
vh.plot_latent_scatter(mean, data.y_test, data.class_names, limit=4)
plt.title("The encoder alone: 10,000 test images");

# %% [markdown]
# **What you see.** One dot per test image, coloured by digit; the model never saw the digits' names.
# (Codes beyond ±4 are not shown.)
# A bold number stands at the median of its class; for a class in two parts, like the eights, that is between them.
# Compare it with the maps of lesson 01.
# The codes lie around 0, and the gaps between the classes are small.
# The ones have the upper side, the zeros the lower one.
# Fours, sevens and nines lie close together in the middle; the eights form two groups, one beside the threes and one beside the fives.
# But the codes do not form one round cloud like the prior: many lie close to the middle, and some arms reach farther out.
# In numbers: of draws from the prior, the share $e^{-9/2}=0.011$ lies farther than 3 from the middle.
# Of the codes, it is five to six times as much.
# Remember this; it comes back below.
# The axes have no meaning of their own: another seed gives another map.

# %%
far_out = np.mean(np.linalg.norm(mean, axis=1) > 3)
print(f"share of the codes farther than 3 from the middle: {far_out:.3f}; of the prior: {np.exp(-9 / 2):.3f}")

# %% tags=["guard"]
vh.expect("share of codes farther than 3 from the middle (prior: 0.011)", far_out, at_least=0.02)

# %% [markdown]
# Number 3: we decode a grid of codes over the same range.
# All 900 images come from one call of the decoder.

# %% tags=["picture-manifold"] alt="A grid of 30 by 30 decoded digits. Each digit flows into the next; in the middle and between the classes there are blends."
_, ax = plt.subplots(figsize=(8.4, 8.4))
vh.plot_manifold(vae, n=settings.grid, limit=4, ax=ax)
ax.set_title("The decoder alone: the latent plane");

# %% [markdown]
# **What you see.** Each small image stands where its code lies.
# One digit flows into the next.
# Most places show a digit; near the middle and between classes there are blends.
# Such a picture is often called the **manifold**: the curved surface of all images that two numbers can reach.
#
# Nearly half of the prior lies in the small square from −1 to 1, which is only a sixteenth of this picture.
# So most classes are crowded there.
# Lesson 05 gives each part of the prior the same space instead.
#
# ## New digits
#
# To draw a new digit, we draw $z$ from the prior and decode it.
# Be careful with words here.
# The decoder gives a *probability* for each pixel.
# Shown as grey, these are the **means** of the pixels, not a draw.
# A real draw tosses a coin for each pixel.
#
# **Predict.** Will the tossed images look better than the means?

# %% alt="Three rows of ten digits: pixel means, soft and partly grey; the same with each pixel tossed, which break into dots; and test images, with clean edges."
means = vae.sample(10, seed=4)
tossed = np.random.default_rng(0).random(means.shape) < means
rows = [means, tossed, data.x_test[10:20]]
vh.plot_images(rows, ["pixel means", "pixels tossed", "test images"]);

# %% [markdown]
# **What you see.** The answer: no.
# The means look soft, and where the decoder is undecided they are grey.
# The tossed images are pure black and white, like the test images, but they do not look better:
# they break into dots, because each pixel is tossed alone, without looking at its neighbours.
# When you see "VAE samples", ask whether they are means or draws.
# Some digits are clear, and some lie between two digits.
#
# ## Autoencoder or VAE: which is better?
#
# A common answer is "the VAE".
# Let us measure instead.
# We train both with the same network (one hidden layer of 128 units, 10 latents), the same number of epochs, the same reconstruction loss,
# and three different seeds.
# We ask two questions, both on test images:
#
# 1. **Reconstruction**: how many nats does an image cost, decoded from its code (for the VAE: from `mean`)?
# 2. **New images**: how close do drawn images come to real ones?
#
# ### A measure for new images
#
# We train a small *classifier*, a network that names digits.
# (Its last layer, *softmax*, gives ten probabilities, one for each digit.
# Its loss is the mean surprise about the right digit.
# *Accuracy* is the share of images named correctly.)
# Its last hidden layer turns an image into 64 numbers, called *features*, that matter for telling digits apart.
# Real images make one cloud of features, drawn images another one.
#
# For one feature, take the mean and the standard deviation in both clouds, and compute $(\mu_1-\mu_2)^2+(\sigma_1-\sigma_2)^2$.
# It is 0 if both agree.
# The **Fréchet distance** is the same for 64 features at once, with covariance matrices $\Sigma$ (lesson 01) in place of variances:
#
# $$\|\mu_1-\mu_2\|^2+\mathrm{tr}\!\left(\Sigma_1+\Sigma_2-2\,(\Sigma_1\Sigma_2)^{1/2}\right)$$
#
# This is the distance *squared*, and, as is usual, we call it the distance.
# Here $\|\cdot\|^2$ is the sum of squares, $\mathrm{tr}$ adds up the diagonal of a matrix, and the power ½ is the *matrix root*:
# the matrix that, multiplied by itself, gives $\Sigma_1\Sigma_2$.
# You need not compute it; `vh.frechet_distance` does.
# Note what it does *not* see: everything about the clouds except means and covariances.

# %%
image = keras.Input(data.image_shape)
x = layers.Flatten()(image)
x = layers.Dense(256, activation="relu")(x)
feature = layers.Dense(64, activation="relu")(x)
classifier = keras.Model(image, layers.Dense(10, activation="softmax")(feature))
to_features = keras.Model(image, feature)

classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
classifier.fit(data.x_train, data.y_train, epochs=2, batch_size=128, verbose=2)
accuracy = classifier.evaluate(data.x_test, data.y_test, verbose=0)[1]
print(f"accuracy on test images: {accuracy:.3f}")

# %% [markdown]
# The classifier names 97 of 100 test images correctly, which is good enough for a measure.
#
# Real images are 0 or 1 in each pixel.
# Pixel means are not, so we make them black and white before we measure: each pixel gets its *likelier* value.
# A true draw tosses each pixel instead.
# We measure both ways.

# %%
def distances(images):
    """Fréchet distances to the test images: with each pixel at its likelier value, and with each pixel tossed."""
    likelier = images > 0.5
    tossed = np.random.default_rng(0).random(images.shape) < images
    return [frechet(pixels.astype("float32"), data.x_test) for pixels in (likelier, tossed)]


def frechet(images, others):
    a, b = (to_features.predict(pixels, batch_size=1000, verbose=0) for pixels in (images, others))
    return vh.frechet_distance(a, b)


# %% [markdown]
# How small can this distance get?
# Not 0, even for real images.
# The cell below measures the **floor** in three steps.

# %%
shuffled = np.random.default_rng(0).permutation(len(data.x_test))
half = len(shuffled) // 2
halves = frechet(data.x_test[shuffled[:half]], data.x_test[shuffled[half:]])
quarters = frechet(data.x_test[shuffled[: half // 2]], data.x_test[shuffled[half : half + half // 2]])
fresh = frechet(data.x_valid, data.x_test)
seen = frechet(data.x_train[: len(data.x_valid)], data.x_test)
floor = frechet(data.x_train[: settings.samples], data.x_test)
print(f"one half of the test images against the other: {halves:.2f};  a quarter against another: {quarters:.2f}")
sizes = f"{len(data.x_valid):,} against {len(data.x_test):,}"
print(f"validation images against test images:       {fresh:.2f}  ({sizes})")
print(f"as many training images against test images: {seen:.2f}  ({sizes}); {settings.samples:,} of them: {floor:.2f}")

# %% [markdown]
# **What you see.** Two random halves of the test images, 5,000 each, come from the same writers, and still they are 0.4 apart.
# That is chance: the means and covariances of 5,000 images are never quite those of 5,000 others.
# With quarters, the distance is nearly twice as large.
# So the distance falls as the number of images grows, and only distances of equally many images may be compared (Chong and Forsyth, 2020).
#
# For 10,000 against 10,000, chance alone would leave about half of 0.4.
# The floor is higher, 0.35.
# A likely reason: the test images come from other writers than the training images (LeCun and others, 1998).
# That the classifier has *seen* the training images makes no difference here: at equal sizes, validation and training images are about equally far.

# %% [markdown]
# ### Seven ways to draw
#
# The VAE draws its codes from the prior.
# The autoencoder has no prior, so we help it as in lesson 01, with a distribution fitted to the codes of the training images.
# Once with one normal distribution.
# And once with a *mixture* of 20 normal distributions (lesson 01), which can follow islands and rays.
# To be fair in the other direction too, we also fit such a mixture to draws from the VAE's clouds.
#
# The last row of each model is a control.
# It uses no fitted distribution: the decoder gets codes of real training images; for the VAE, draws from their clouds.
# These are not new images, but they say what encoder and decoder can do if the *distribution of the codes* is perfect.
# So we can tell what that distribution costs.

# %%
from sklearn.mixture import GaussianMixture


def draw_like(codes, components):
    """New codes from a mixture of normal distributions fitted to these codes."""
    mixture = GaussianMixture(components, random_state=0).fit(codes[:10_000].astype("float64"))
    draws, _ = mixture.sample(settings.samples)
    return np.random.default_rng(0).permutation(draws)  # they come sorted by component


def train(seed, variational):
    """A VAE or an autoencoder: same network, same loss for the pixels, same seed, same epochs."""
    keras.utils.set_random_seed(seed)
    encoder = vh.mlp_encoder(data.image_shape, 10, hidden=(128,), variational=variational)
    decoder = vh.mlp_decoder(data.image_shape, 10, hidden=(128,))
    model = vh.VAE(encoder, decoder) if variational else vh.Autoencoder(encoder, decoder, reconstruction="bernoulli")
    model.compile(keras.optimizers.Adam(2e-3))
    model.fit(data.x_train, epochs=settings.budget, batch_size=128, verbose=0)
    return model


# %%
def codes_of_seven_ways(autoencoder, vae):
    """Codes to decode: (name of the row, model, codes (samples, 10))."""
    codes = np.array(autoencoder.encode(data.x_train))
    clouds = np.array(vae.reparameterize(*vae.encode(data.x_train)))
    noise = np.random.default_rng(0).normal(size=(settings.samples, 10))
    return [
        ("autoencoder, N(0, I)", autoencoder, noise),
        ("autoencoder, one normal", autoencoder, draw_like(codes, 1)),
        ("autoencoder, mixture", autoencoder, draw_like(codes, 20)),
        ("autoencoder, its own codes", autoencoder, codes[: settings.samples]),
        ("VAE, prior N(0, I)", vae, noise),
        ("VAE, mixture", vae, draw_like(clouds, 20)),
        ("VAE, draws from its own clouds", vae, clouds[: settings.samples]),
    ]


def nats_per_image(model, codes):
    """The surprise about each test image, decoded from its code."""
    return np.array(vh.bernoulli_nll(data.x_test, model.decoder(codes)))


# %% [markdown]
# **Predict.** Put the seven ways of drawing in order, best first.
# Which of the two models reconstructs better?
# Then run the cell; it takes about a minute, and prints a line for each seed.

# %%
differences, table = [], []
for seed in range(settings.seeds):
    autoencoder_10, vae_10 = train(seed, variational=False), train(seed, variational=True)
    by_autoencoder = nats_per_image(autoencoder_10, autoencoder_10.encode(data.x_test))
    by_vae = nats_per_image(vae_10, vae_10.encode(data.x_test)[0])
    differences.append(by_vae - by_autoencoder)

    drawn = {name: model.decode(codes) for name, model, codes in codes_of_seven_ways(autoencoder_10, vae_10)}
    table.append({name: distances(images) for name, images in drawn.items()})
    print(f"seed {seed}: an image costs {by_autoencoder.mean():.1f} nats (autoencoder), {by_vae.mean():.1f} nats (VAE)")

error = np.std(differences, axis=1).mean() / np.sqrt(len(data.x_test))
print(f"VAE minus autoencoder: {np.mean(differences):.1f} nats on average; standard error of one seed {error:.2f}")
vh.expect("VAE minus autoencoder, nats", np.mean(differences), at_least=2, at_most=8)

# %% alt="Seven rows, each with the distances of three seeds as dots on a logarithmic axis: the autoencoder with naive draws far to the right, the VAE with its prior next, then the autoencoder with one normal distribution; the two mixtures and the two controls lie near the dotted floor at the left."
names = list(table[0])
values = np.array([[row[name] for row in table] for name in names])  # (ways, seeds, 2)
fig, ax = plt.subplots(figsize=(9, 3.8))
for i, name in enumerate(names):
    color = "C1" if name.startswith("autoencoder") else "C0"
    ax.plot(values[i, :, 0], [i] * settings.seeds, "o", color=color)
    ax.plot(values[i, :, 1], [i + 0.2] * settings.seeds, "o", color=color, fillstyle="none")
    ax.text(4500, i, f"{values[i, :, 0].mean():.1f} ({values[i, :, 1].mean():.1f})", va="center", ha="right")
ax.axvline(floor, color="0.4", linestyle=":")
ax.set(xscale="log", xlim=(0.2, 5000), xticks=(1, 10, 100), xticklabels=(1, 10, 100))
ax.set_yticks(range(len(names)), names)
ax.invert_yaxis()
ax.set_xlabel("Fréchet distance to test images, log scale (dotted: training images)");

# %% [markdown]
# **What you see.** Each dot is one seed; the number at the right is the average of three, and in brackets that with tossed pixels (hollow dots).
# Farther left is better.
# The dotted line is the floor.
# The answer, best first: the two controls (autoencoder 1.5, VAE 1.8), the two mixtures (2.0 both), the autoencoder with one normal (6.1),
# the VAE with its prior (12.3), and last the autoencoder with $\mathcal N(0, I)$ (270).
# With tossed pixels only the first four change places: there the autoencoder's rows, 1.1 and 1.5, come before the VAE's, 2.0 and 2.3.
# Five things to learn:
#
# 1. **Reconstruction: the autoencoder wins**, by 4 to 6 nats, with each of the three seeds.
#    It has no noise and no KL to pay.
#    The spread over the seeds is the uncertainty that counts; the printed standard error is only about the choice of test images.
# 2. **The naive draw from the autoencoder is hopeless**, as in lesson 01.
#    The VAE, with the same $\mathcal N(0, I)$, is about 22 times better, 9 times with tossed pixels.
#    This is the comparison that people show.
# 3. **But it is not a fair one.** With a fitted distribution, the autoencoder comes closer to the real images than the VAE with its prior.
# 4. **The same help works for the VAE.** With a mixture fitted to its clouds it comes about as near with likelier pixels.
#    With tossed pixels, the autoencoder with its mixture stays nearer.
# 5. **The controls say why, in part.** From its own clouds, the VAE draws far nearer than from its prior, with the same decoder.
#    So this gap is the *distribution of the codes* alone: all clouds together do not make the prior.
#    With likelier pixels the two controls are close, 1.8 against 1.5, and their seeds nearly touch.
#    With tossed pixels the autoencoder's is nearly twice as near, 1.1 against 2.0, and the seeds do not overlap.
#    What is left down to the floor is what encoder *and* decoder lose, and for the VAE also the noise of its clouds.
#    These rows cannot tell the three apart.
#
# The KL, averaged over all images, does contain a penalty for this mismatch (Hoffman and Johnson, 2016).
# But training balances it against the reconstruction, so the mismatch becomes smaller, not zero.
# All this holds for one small network, three epochs, one data set and one measure.

# %% tags=["guard"]
of = {row: float(values[number, :, 0].mean()) for number, row in enumerate(names)}
vh.expect("VAE minus autoencoder, nats, the smallest of the seeds", min(np.mean(differences, axis=1)), at_least=1)
vh.expect("naive autoencoder / VAE prior", of["autoencoder, N(0, I)"] / of["VAE, prior N(0, I)"], at_least=10)
vh.expect("accuracy of the classifier on test images", accuracy, at_least=0.95)
vh.expect("floor", floor, at_most=0.8)
vh.expect("two halves of the test images", halves, at_least=0.2, at_most=0.8)
vh.expect("quarters / halves", quarters / halves, at_least=1.5, at_most=2.7)
vh.expect("VAE prior / autoencoder, one normal", of["VAE, prior N(0, I)"] / of["autoencoder, one normal"], at_least=1.2)
for row in ("autoencoder, mixture", "VAE, mixture", "VAE, draws from its own clouds"):
    vh.expect(f"VAE prior / {row}", of["VAE, prior N(0, I)"] / of[row], at_least=3)
decoders = of["VAE, draws from its own clouds"] / of["autoencoder, its own codes"]
vh.expect("controls, VAE / autoencoder", decoders, at_least=0.6, at_most=2)
vh.expect("best first: VAE, its clouds minus autoencoder, its codes", of["VAE, draws from its own clouds"] - of["autoencoder, its own codes"], at_least=0)
vh.expect("best first: the mixtures after the controls", min(of["VAE, mixture"], of["autoencoder, mixture"]) - of["VAE, draws from its own clouds"], at_least=0)
tossed_of = dict(zip(names, values[:, :, 1]))
by_clouds, by_codes = tossed_of["VAE, draws from its own clouds"], tossed_of["autoencoder, its own codes"]
vh.expect("controls, tossed, VAE / autoencoder", by_clouds.mean() / by_codes.mean(), at_least=1.4, at_most=2.4)
vh.expect("controls, tossed, gap between the seeds", by_clouds.min() - by_codes.max(), at_least=0)
mixtures = tossed_of["VAE, mixture"].mean() / tossed_of["autoencoder, mixture"].mean()
vh.expect("mixtures, tossed, VAE / autoencoder", mixtures, at_least=1.1)
naive = tossed_of["autoencoder, N(0, I)"].mean() / tossed_of["VAE, prior N(0, I)"].mean()
vh.expect("tossed, naive autoencoder / VAE prior", naive, at_least=6, at_most=13)

# %% [markdown]
# Now the pictures behind the numbers, for the last seed, as pixel means.

# %% alt="Seven rows of ten images. Naive draws from the autoencoder: dark smears. One normal distribution and the prior of the VAE: some digits, some shapes between digits. Both mixtures: mostly clear digits. Both controls: the same ten clear digits, which are reconstructions."
vh.plot_images([images[:10] for images in drawn.values()], list(drawn));

# %% [markdown]
# **What you see.** First row, the naive draws: hardly a digit.
# Rows with a mixture: mostly clear digits.
# The rows of the two controls show the same ten digits, because these are reconstructions of the same ten training images.
# The other two rows, one normal distribution and the prior: some clear digits, and some shapes that lie between digits.

# %% [markdown]
# ### Exercise 2.5 · Which conclusion is allowed? · 8 min
#
# Three people have seen the figure with the seven rows.
# Which of their sentences is right, which is too strong, and which control or number decides it?
# Write your answers down.
#
# 1. "An autoencoder cannot generate: feed it with $\mathcal N(0, I)$ and look."
# 2. "The VAE draws worse than the autoencoder with a mixture, so its decoder is worse."
# 3. "With a mixture, the VAE is as good as real images, because the distance is near the dotted line."
#
# <details><summary>Open the answers when you have written yours</summary>
#
# 1. Too strong.
#    It shows only that the codes of an autoencoder are not $\mathcal N(0, I)$, which nobody asked of them.
#    The rows with a fitted distribution are the missing control: there it generates.
# 2. Not shown.
#    Two things differ between these rows, the decoder and the distribution of the codes.
#    The row "draws from its own clouds" changes the codes alone, and most of the gap is gone.
#    With likelier pixels the two controls are close (1.8 and 1.5); with tossed ones the autoencoder's is nearly twice as near.
#    But this rest contains what both networks lose, and the noise of the clouds: a VAE decoded from its means is the missing control.
# 3. Too strong.
#    The axis is logarithmic: the value of the mixture is more than five times the floor's.
#    And the distance sees only means and covariances of 64 features of one classifier.
#
# </details>

# %% [markdown]
# So why a VAE at all?
# Not because "an autoencoder cannot generate": with a fitted distribution it can.
# The VAE gives you other things.
# It is *one* probability model, trained in one training, with a prior that you choose.
# Because of its noise, its decoder has learned from a neighbourhood of each code, not from the code alone.
# And minus its loss estimates a *lower bound* on the logarithm of the probability of an image (lesson 03).
# So the bounds of two models can be compared, in nats, on the same test images; the better bound need not mean the better probability.
# A plain autoencoder does not come with such a number.
#
# That number finds use far from digits.
# It can say which image does not look like the others, fill in what is hidden, and learn from few labels: lesson 08 does all three.
#
# ## Your own digit
#
# The model with the map is small enough to live in one page, without Python and without the internet.
# Run the cell; where the page cannot be shown, a line that begins with `LatentExplorer(` stands in its place.
# (Its `worst_error` says how well the page repeats the decoder: on average over the pixels, no image differs by more than this.)
# Walk through the plane with mouse, finger or arrow keys: the decoder answers with an image.
# Where the page has a drawing pad, draw, and watch the cloud of your drawing:
# where it lies, how wide it is, what the decoder makes of it, and the two terms of the loss.
#
# 1. Draw a digit.
# 2. Draw only half of it.
# 3. Draw the first letter of your name.
#
# **Predict.** What will the model make of a letter?
# And which will cost more nats: the letter, or a blank sheet?

# %% tags=["live"]
explorer = vh.latent_explorer(vae, data.x_test, data.y_test, data.class_names)
print("saved as", explorer.save(settings.saved("explorer_lesson_02.html")))
explorer

# %% [markdown]
# The next cell does the same with five fixed "drawings": a test digit, its upper half, the letter H, a blank sheet, and the digit six pixels farther right.

# %%
strange = np.repeat(data.x_test[:1], 5, axis=0)
strange[1, 14:] = 0  # rows from 14 on: the lower half
strange[2:4] = 0
strange[2, 5:23, [8, 9, 18, 19]] = 1  # the two legs of an H
strange[2, 13:15, 8:20] = 1
strange[4] = np.roll(strange[0], 6, axis=1)  # six pixels to the right


def costs_from_mean(images):
    """Reconstruction and KL of each image, in nats, without a draw: the decoder gets the mean."""
    mean, log_var = vae.encode(images)
    return np.array(vh.bernoulli_nll(images, vae.decoder(mean))), np.array(vh.gaussian_kl(mean, log_var))


costs = costs_from_mean(strange)
median = np.median(sum(costs_from_mean(data.x_test)))
print(f"the median test image costs {median:.0f} nats, decoded from its mean, as the five are")

# %% alt="Five drawings above, what the model makes of each below: a seven stays a seven; its upper half becomes a seven; the letter H becomes a blurred shape like an 8; a blank sheet becomes a pale seven; and the seven at the right edge becomes a blurred shape in the middle."
titles = [f"{name}\n{r:.0f} + {k:.1f}" for name, r, k in zip(("digit", "half", "letter", "blank", "shifted"), *costs)]
vh.plot_images([strange, vae.decode(vae.encode(strange)[0])], ["drawn", "decoded"], titles=titles);

# %% [markdown]
# **What you see.** Above each column, reconstruction + KL, in nats.
# Only the digit itself costs less than the median test image; the other four cost more.
# The model has an answer for everything, and the answer is built from the strokes of its training images.
# From half a seven it makes a whole one, so the missing half surprises it.
# For the letter, it finds no digit with these strokes and gives a blurred shape.
# Even to the blank sheet it answers with a digit.
#
# The answer: the letter costs more than the blank sheet, and the model makes no letter of it.
# And the most expensive of all *is* a digit: the seven, moved by six pixels.
# In the training images, the digits stand in the middle, so white pixels near the edge are surprising.
# So a high cost does not mean "no digit", and what is no digit can be cheaper than a digit: here the blank sheet.
# (Exercise 2.6, in the side roads, looks for drawings that are no digit and cost less than the median.)
# Lesson 08 comes back to this.
# The KL hardly differs.
# It asks where the cloud lies, not whether the image fits.

# %% tags=["guard"]
digit_costs, half_costs, letter_costs, blank_costs, shifted_costs = costs[0] + costs[1]
vh.expect("letter minus blank sheet, nats", letter_costs - blank_costs, at_least=10)
vh.expect("shifted digit minus letter, nats", shifted_costs - letter_costs, at_least=50)
vh.expect("median minus digit, nats", median - digit_costs, at_least=10)

# %% tags=["guard"]
bars = np.zeros((2, 28, 28, 1), "float32")
bars[0, 13:15, 13:15] = 1
bars[1, 9:19, 13:15] = 1
bar_codes, bar_log_var = vae.encode(bars)
bar_costs = np.array(vh.bernoulli_nll(bars, vae.decoder(bar_codes))) + np.array(vh.gaussian_kl(bar_codes, bar_log_var))
vh.expect("a dot, nats", bar_costs[0], at_least=100, at_most=140)
vh.expect("a bar, nats", bar_costs[1], at_least=70, at_most=125)
vh.expect("median minus the dearer of the two, nats", median - bar_costs.max(), at_least=1)

# %% [markdown]
# ## To take away
#
# 1. The encoder of a VAE gives a cloud, `mean` and `log_var`, and the decoder gets one draw from it: $z=\mu+\sigma\varepsilon$.
#    Written so, gradients pass through the draw.
# 2. The loss is reconstruction plus KL: how surprising the image is to the decoder, and how far the cloud is from the prior.
#    Each is a sum, in nats; the mean over the batch comes once, at the end.
# 3. The noise makes clouds that are too wide costly.
#    Without it, $\sigma$ goes to 1, and the KL no longer limits what a code can tell.
# 4. The clouds of similar images lie over one another: with an average KL of 5.08 nats, a code can tell
#    some 160 equally likely groups of images apart, and no more.
# 5. On MNIST, at equal size and after three epochs, the autoencoder reconstructs better, and draws far worse from $\mathcal N(0, I)$.
#    A distribution fitted to the codes helps both.
#    What costs the VAE's new images most is that clouds and prior do not match.
#    From their own codes, the two are nearly equal with likelier pixels; with tossed pixels the autoencoder is nearly twice as near.
#
# **Where the ideas come from.** Kingma and Welling, *Auto-Encoding Variational Bayes*, ICLR 2014:
# the loss is equation 10, the KL is in appendix B, the coin for each pixel in appendix C.1.
# Rezende, Mohamed and Wierstra, *Stochastic Backpropagation and Approximate Inference in Deep Generative Models*, ICML 2014, found the same at the same time.
# What the average KL contains, and why it limits what a code can tell: Hoffman and Johnson, *ELBO surgery: yet another way
# to carve up the variational evidence lower bound*, NIPS workshop 2016.
# Distributions fitted to codes: Ghosh and others, *From Variational to Deterministic Autoencoders*, ICLR 2020.
# Fréchet distance: Heusel and others, *GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium*, NIPS 2017
# (there with the features of a much larger network);
# why it is too large for few images: Chong and Forsyth, *Effectively Unbiased FID and Inception Score and Where to Find Them*, CVPR 2020.
# The writers of MNIST: LeCun and others, *Gradient-Based Learning Applied to Document Recognition*, Proceedings of the IEEE 86, 1998.
#
# **Next:** lesson 03 derives the loss, line by line, and checks each line by computing it in three independent ways.

# %% [markdown] sitting="side roads"
# ## Side roads · {{minutes}} min
#
# Nothing later needs these four.
# Take the one that you are curious about.
#
# ## Side road 1: a gradient without the trick
#
# *For readers who ask whether there is no other way, and for those who know REINFORCE from reinforcement learning.
# It needs integrals.*
#
# The reparameterization uses the slope $f'(z)$.
# What if $f$ has no slope, because it is a black box, or a count?
# Write the average over draws, in signs $\mathbb E$, as an integral over all $z$.
# The sign $\partial/\partial\mu$ means: the derivative when only $\mu$ changes.
# Only $q$ depends on $\mu$, and derivative and integral may change places as long as $f$ does not grow too fast:
#
# $$\frac{\partial}{\partial\mu}\,\mathbb E[f(z)] = \frac{\partial}{\partial\mu}\int q(z)\,f(z)\,dz = \int \frac{\partial q(z)}{\partial\mu}\,f(z)\,dz$$
#
# This is no longer an average over $q$, so we cannot estimate it by draws.
# Now the *log-derivative trick*: the derivative of a logarithm is $\frac{\partial}{\partial\mu}\log q=\frac1q\frac{\partial q}{\partial\mu}$,
# so $\frac{\partial q}{\partial\mu}=q\,\frac{\partial}{\partial\mu}\log q$.
# Put it in:
#
# $$\frac{\partial}{\partial\mu}\,\mathbb E[f(z)] = \int q(z)\,f(z)\,\frac{\partial\log q(z)}{\partial\mu}\,dz
# = \mathbb E\!\left[f(z)\,\frac{\partial\log q(z)}{\partial\mu}\right]$$
#
# An average over $q$ again.
# For a normal distribution $\log q(z)=-\frac{(z-\mu)^2}{2\sigma^2}+\text{constant}$, so $\frac{\partial}{\partial\mu}\log q=\frac{z-\mu}{\sigma^2}$,
# the *score*.
# This is the **score-function estimator**, also called REINFORCE.
# It never differentiates $f$.
#
# **A baseline.** Take $f=1$: the average of a constant does not change with $\mu$, so the average of the score is 0.
# So we may subtract any constant from $f$ without changing the result: $\mathbb E\big[(f(z)-\text{baseline})\cdot\text{score}\big]$.
# A good constant is the average of $f$.
#
# **Predict.** How much an estimate jumps from draw to draw is its *variance*.
# Which of the three jumps least for $f(z)=z^2$?
# And for a function that goes up and down fast, $f(z)=\sin 10z$?
#
# <details><summary>Open the answer when you have decided</summary>
#
# For $z^2$ the reparameterization, and the baseline helps the score function.
# For $\sin10z$ the score function.
# The reparameterization uses the slope: $2z$ in the first case, which is moderate, and $10\cos10z$ in the second, which is large,
# now positive and now negative.
# The score function multiplies the value of $f$ by $(z-\mu)/\sigma^2$, which is large far from the middle.
# That hurts $z^2$, which is also large there, but not $\sin10z$, which is never more than 1.
#
# </details>

# %%
sigma = np.exp(-0.5)
z = 1.0 + sigma * np.random.default_rng(3).normal(size=100_000)
score = (z - 1.0) / sigma**2  # the derivative of log q(z) with respect to μ


def three_estimates(values, slopes):
    """One estimate of the derivative for each draw, in three ways."""
    centred = values - values.mean()  # the average of f as the baseline
    return {"reparameterization": slopes, "score function": values * score, "score function, baseline": centred * score}


square = three_estimates(z**2, 2 * z)
wave = three_estimates(np.sin(10 * z), 10 * np.cos(10 * z))

# %% alt="Two panels with histograms of the three estimators. Left, for z²: the reparameterization is the narrowest around the true value 2; the score function has a high peak near 0 and a long tail, with the baseline a shorter one. Right, for sin 10z: the reparameterization is spread from −10 to 10, both score functions lie close to 0."
fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.6))
for ax, estimates, title in ((axes[0], square, "$f(z) = z^2$"), (axes[1], wave, "$f(z) = \\sin 10z$")):
    for label, values in estimates.items():
        text = f"{label}\nvariance {values.var():.1f}"
        ax.hist(values, bins=np.linspace(-12, 12, 97), histtype="step", linewidth=2, label=text)
    ax.axvline(estimates["reparameterization"].mean(), color="black", linestyle="--", linewidth=1.5)
    ax.set(title=title, xlabel="estimate of the derivative, one draw", ylabel="how often", yticks=[])
    ax.legend(fontsize=9)

# %% [markdown]
# **What you see.** The dashed line is the average.
# Left, $f(z)=z^2$, where the true derivative is 2.
# The estimates of the reparameterization lie around it.
# Most estimates of the score function lie near 0, and a few are very large, some beyond the right edge.
# Their average is 2 as well, but it depends on these few draws: more draws are needed for an equally good step.
# The baseline halves the variance, and it costs nothing.
# Right, where $f$ goes up and down fast, the reparameterization jumps more, because it multiplies by the steep slope.
# There the average of $f$ is nearly 0, so the baseline changes nothing, and its curve hides the one without.
#
# So the reparameterization has *usually* the lower variance, not always.
# It needs two things: a function with a derivative, and a distribution whose draws can be computed from fixed noise by a function with a derivative,
# such as "stretch and shift".
# A VAE has both.
# (Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement learning*,
# Machine Learning 8, 1992, has the score function and its baseline;
# Mohamed and others, *Monte Carlo Gradient Estimation in Machine Learning*, JMLR 2020, compare many cases.)

# %% tags=["guard"]
for name, estimates_of_square in square.items():
    vh.expect(f"average for z², {name}", estimates_of_square.mean(), at_least=1.95, at_most=2.05, everywhere=True)

# %% [markdown]
# ## Side road 2: save it, load it
#
# *For readers who want to use a model again tomorrow.*
#
# The parameters alone go into a `.weights.h5` file, which a model of the same shape can read.
# The whole model goes into a `.keras` file, which can be loaded without the code of this lesson (only `import vae_helpers` is needed).

# %%
vae.save_weights(settings.saved("lesson_02.weights.h5"))
vae.save(settings.saved("lesson_02.keras"))

fresh = vh.VAE(keras.models.clone_model(encoder), keras.models.clone_model(decoder))
fresh.load_weights(settings.saved("lesson_02.weights.h5"))
loaded = keras.models.load_model(settings.saved("lesson_02.keras"))
difference = max(np.abs(model.sample(10, seed=4) - means).max() for model in (fresh, loaded))
print(f"largest difference of ten new images, before saving and after loading: {difference:.6f}")

# %% [markdown]
# **What you see.** No difference: both files bring back the same model.

# %% tags=["guard"]
vh.expect("difference of the images after loading", difference, at_most=1e-6, everywhere=True)

# %% [markdown]
# ## Side road 3: the decoder of a VAE and the generator of a GAN
#
# *For readers who have heard of GANs.*
#
# A *generative adversarial network* (GAN; Goodfellow and others, *Generative Adversarial Nets*,
# NIPS 2014) also has a network that turns random numbers from $\mathcal N(0, I)$ into an image: the *generator*.
# In its form it can be the same network as our decoder.
# The difference is the training.
#
# Our decoder gets a code that belongs to a *known* image, and is told how surprising that image is under its output.
# So it must find room for every training image.
# Where one code must serve several images, its best output is their average, which looks blurred.
# A GAN's generator never sees which image it should make.
# A second network, the *discriminator*, learns to tell its images from real ones; the generator learns to be taken for real.
# Published images of GANs are sharp (Karras and others,
# *A Style-Based Generator Architecture for Generative Adversarial Networks*, CVPR 2019).
# But a GAN may leave out whole kinds of images, which is called *mode collapse* (Goodfellow, *NIPS 2016 Tutorial:
# Generative Adversarial Networks*, section 5.1.1).
# It has no encoder, and it gives no number like the ELBO.
# This course measures none of this.
#
# ## Side road 4: change it, and explain
#
# *For readers who want to try it with other data.*
# No check, only your own eyes.
# (Lines at the end that compare figures were written for MNIST and for the numbers in the lesson; they may say OFF.)
#
# - Train the larger network as `vh.VAE(encoder, decoder, beta=4)`.
#   What happens to the two terms, and to the map?
#   (Run the cells again from the two networks of the map on, so that it starts from new parameters.)
# - Replace "mnist" by "fashion_mnist", set `budget=4` in the line with `run_settings`, and run the comparison again.
#   Is the order of the seven rows the same?
#
# <details><summary>Open the answers when you have tried</summary>
#
# With $\beta=4$, in one run of ours: the KL falls from 5.9 to 4.1 nats, and the reconstruction rises from 140 to 146 nats.
# So the ELBO becomes worse, −150.3 in place of −145.9.
# The map draws together: 1.5 % of the codes lie farther than 3 from the middle, nearly as few as for the prior.
#
# With Fashion-MNIST, trained for four epochs each: the large gaps are the same.
# Naive draws 107, the prior of the VAE 12.9, one normal distribution 8.7; mixtures and controls all between 1.1 and 1.3.
# The autoencoder reconstructs better by 4.1 nats.
#
# </details>

# %% [markdown]
# ### Exercise 2.6 · What does your drawing cost? · 8 min
#
# *For those who would like to draw more.*
# Take the page, or change the cell with the five drawings under "Your own digit" (it is enough to set other pixels to 1).
# (Decode from the mean, as `costs_from_mean` does.)
# Find a drawing that is *no* digit and costs less than the median test image, and one that *is* a digit and costs more than 250 nats.
# What do they have in common?
#
# <details><summary>Open the answer when you have tried</summary>
#
# When we ran it: a dot of 2 × 2 pixels in the middle costs 122 nats, and a bar of 10 × 2 pixels 93.
# Both are below the median, and below many real digits.
# A digit near the edge costs 300 nats and more; so does a digit with white and black exchanged.
# In common: the cost counts surprising *pixels*.
# Few white pixels, at places where digits often have them, surprise little.
# Many white pixels where no digit has them surprise much.
#
# </details>

# %%
vh.figures_compared()
