# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · Larger
#
# You take the VAE to colour images, make it deeper, wider and faster, and measure what each step costs and what it buys.
# At the end you read where VAEs went next.
#
# **Time:** about 4 minutes of computing on two cores (not measured yet on a Colab GPU), and an hour of reading and thinking.
#
# **You will be able to**
#
# - choose a likelihood for colour images, and give its loss in bits per dimension;
# - write a residual block, and show what it does for a deep network;
# - say what more filters, half precision, several devices and several computers buy, and on which machine;
# - write the loss of one device so that many devices together train one model;
# - say what a codebook is, and how VQ-VAEs, hierarchical VAEs and latent diffusion continue this course.
#
# **You need** lessons 02 to 05 (ELBO, KL, convolution, stride, filter, batch normalization).
# Lessons 06 to 08 help, but are not needed.

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.datasets import load_sample_images

plt.style.use("vae_helpers.course")
tf.get_logger().setLevel("ERROR")  # many small models: TensorFlow would warn that it compiles often
settings = vh.run_settings(seed=1, epochs=8, budget=2)
data = vh.load_colour_images("patches")

# %% [markdown]
# ## The images
#
# With scikit-learn come two photographs.
# We cut small squares from them, **patches** of 32 × 32 pixels.
# A colour pixel has three numbers, for red, green and blue.
# So a patch has the shape (32, 32, 3): three *channels*, 3,072 numbers.
#
# We need test images that training never saw.
# Patches overlap, so it is not enough to keep some patches apart: their pixels could be in other patches.
# Instead, we keep two *strips* of each photograph apart, a fifth of its columns.
# No patch crosses their borders.

# %%
photographs = load_sample_images().images
fig, axes = plt.subplots(1, 2, figsize=(9, 3.3))
for ax, photograph, name in zip(axes, photographs, ("china", "flower")):
    ax.imshow(photograph)
    for strip in vh.colour_images.TEST_STRIPS:
        ax.axvspan(*strip, fill=False, edgecolor="black", linewidth=3)
        ax.axvspan(*strip, fill=False, edgecolor="white", linewidth=1.5, linestyle="--")
    ax.set_title(name)
    ax.set_axis_off()

# %%
contrast = np.argsort(data.x_test.std(axis=(1, 2, 3)))[::-1]
ten = data.x_test[contrast[:: len(contrast) // 10]][:10]  # from the most to the least contrast
vh.plot_images([data.x_train[:10], ten], ["training", "test"]);

# %% [markdown]
# **What you see.** Above, the two photographs: a pagoda behind trees, and a dahlia.
# The dashed lines enclose the strips from which the test patches come.
# Below, patches from both parts: roofs, leaves, petals, and many smooth ones, from the sky and from the dark background.
# (The ten test patches are sorted, from much contrast to little.)
#
# Two photographs are a very small world.
# We use them because they need no download.
# The usual small set of colour images is **CIFAR-10**: 60,000 photographs of ten kinds of things, in 32 × 32 pixels.
# If you have a network, write `vh.load_colour_images("cifar10")` above; the rest runs as it is, but the training takes six times as long, so take a GPU.
# (The two photographs, and the PNG figure below, then have nothing to do with the images of the model.)
# All figures below are stated for the patches.
#
# ## Colour: which likelihood?
#
# In lessons 02 to 05, a pixel was mostly black or white, and the decoder described it as a coin.
# The brightness of a colour is one of 256 steps, and a coin cannot say 0.4.
# So we take a normal distribution for each of the 3,072 numbers.
# Its mean $\hat x_i$ is what the decoder gives, through the sigmoid, so it lies between 0 and 1.
# Its standard deviation $\sigma$ says how far the numbers are from the mean: one $\sigma$ for all of them, and training finds it.
#
# $$-\log p(x\mid z)=\sum_{i=1}^{3072}\left[\frac{(x_i-\hat x_i)^2}{2\sigma^2}+\frac12\log(2\pi\sigma^2)\right]$$
#
# The first part wants a large $\sigma$, the second a small one.
# Both agree where $\sigma^2$ is the mean squared error of the decoder.
#
# A `vh.VAE` takes the likelihood as its argument `nll`: a function of images and decoder outputs.
# Ours has a weight of its own, so we write it as a Keras layer: a function with weights.
# The line `@vh.likelihood(…)` above it says what the mean of a pixel is; `vae.decode` draws that.
# The model finds the weight in the layer, and trains it with the others.

# %%
@vh.likelihood(mean=ops.sigmoid)
class LearnedSigma(layers.Layer):
    """-log p(x|z) for normal pixels with one σ, which is learned. Images and logits → (batch,), in nats."""

    def __init__(self, start=0.2, speed=30):
        super().__init__(dtype="float32")
        self.speed = speed  # Adam moves a weight by about its step size; σ should move faster than the others
        value = 2 * np.log(start) / speed
        self.slow = self.add_weight(shape=(), initializer=keras.initializers.Constant(value))

    def log_var(self):
        return self.speed * self.slow

    def call(self, x, logits):
        return vh.gaussian_nll(x, ops.sigmoid(logits), self.log_var())

    def sigma(self):
        return float(ops.exp(0.5 * self.log_var()))


# %% [markdown]
# Now the first model: the convolutions of lesson 04, one more of them, and 64 latents.
# At the beginning the decoder knows nothing, so $\sigma$ is large and errors are cheap.
# Then a nat of KL may save less than it costs, and the model could learn to say nothing at all (the *posterior collapse* of lesson 03).
# The option `warm_up=200` is a remedy: the weight of the KL rises evenly from 0 to 1 in the first 200 training steps.
# After that, and in every evaluation, the loss is the one you know.

# %%
def conv_vae():
    encoder = vh.conv_encoder(data.image_shape, 64, filters=(32, 64, 128), dense=())
    decoder = vh.conv_decoder(data.image_shape, 64, filters=(128, 64, 32))
    return vh.VAE(encoder, decoder, nll=LearnedSigma(), warm_up=200)


def train(vae, epochs, step_size=1e-3, images=data.x_train, seed=settings.seed):
    """Train with a cosine schedule; return the history and the seconds."""
    keras.utils.set_random_seed(seed)
    steps = epochs * int(np.ceil(len(images) / 64))
    schedule = keras.optimizers.schedules.CosineDecay(step_size, steps)
    vae.compile(keras.optimizers.Adam(schedule))
    started = time.perf_counter()
    history = vae.fit(images, epochs=epochs, batch_size=64, verbose=0)
    return history, time.perf_counter() - started


keras.utils.set_random_seed(settings.seed)
vae = conv_vae()
history, seconds = train(vae, settings.epochs)
test = vae.evaluate(data.x_test, batch_size=250, verbose=0, return_dict=True)
print({name: round(value, 1) for name, value in test.items()}, f"nats per image; {seconds:.0f} s of training")

# %% [markdown]
# The loss is *negative*.
# That is no mistake: a density may be larger than 1, so minus its logarithm may be below 0.
# It only says that the pixels are measured on a scale from 0 to 1.
#
# Has training found the right $\sigma$?
# We compare it with the root of the mean squared error, over draws of $z$:

# %%
predicted = vae.predict(data.x_train[:1000], batch_size=250, verbose=0)
error = np.sqrt(np.mean((data.x_train[:1000] - np.array(ops.sigmoid(predicted["logits"]))) ** 2))
print(f"σ = {vae.nll.sigma():.4f}, root of the mean squared error: {error:.4f}")
vh.expect("σ, divided by that root", vae.nll.sigma() / error, at_least=0.9, at_most=1.1)

# %% [markdown]
# ### Bits per dimension
#
# Papers on colour images do not give nats per image.
# They give **bits per dimension**: how many bits does one of the 3,072 numbers cost?
# (Lesson 07 counts bits per *pixel*, of grey images.
# A colour pixel has three dimensions.)
# The way there has three steps.
#
# 1. Divide by the number of dimensions: height · width · channels.
# 2. Go back to the scale of the photograph.
#    There a number has 256 steps.
#    One step is 1/256 of the range from 0 to 1, so the probability of a step is the density divided by 256.
#    Minus the logarithm grows by $\log 256$, for each dimension.
# 3. Change the unit: one bit is $\log 2\approx0.69$ nats.
#
# (Step 2 takes the density as constant within a step.
# Here $\sigma$ is more than 20 steps wide, and the error is small.
# If one adds noise of the width of a step to the images, *dequantization*, the result is an upper bound for certain.)
#
# ### Exercise 9.1 · Bits per dimension
#
# Write it.
# `loss` is in nats per image, for pixels from 0 to 1; it may be an array.

# %%
def bits_per_dimension(loss, image_shape):
    """Bits per dimension on the scale of 256 steps. loss: nats per image; image_shape: (height, width, channels)."""
    ### BEGIN SOLUTION
    height, width, channels = image_shape
    nats = loss / (height * width * channels) + np.log(256)
    return nats / np.log(2)
    ### END SOLUTION


vh.check.bits_per_dimension(bits_per_dimension)

# %% [markdown]
# **Target:** `bits_per_dimension(0.0, (32, 32, 3))` is 8: a model that knows nothing but "between 0 and 1" pays the 8 bits of the 256 steps.
# The lesson goes on with this line:

# %%
def bits(loss):
    return 8 + loss / (np.prod(data.image_shape) * np.log(2))


# %% [markdown]
# **Predict.** PNG files store images without any loss.
# We write the test strips as PNG files and count their bits.
# A PNG knows nothing about pagodas and flowers.
# Our VAE was trained on the same photographs.
# Who needs fewer bits per dimension?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The PNG, clearly.
# Our VAE has to describe each patch by 64 numbers and a distribution around a blurred mean.
# All that the mean does not say is noise of the width σ to it, and noise is expensive.
# PNG predicts each pixel from its neighbours, which is a better guess.
# The last section names VAEs that need fewer bits than PNG: they have many layers of latents.
# (The ELBO is a bound, so the figure of a VAE is an upper limit.)
#
# </details>

# %%
def png_bits(picture):
    """Bits per dimension of a PNG file. picture: uint8 (height, width, 3)."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png", optimize=True)
    return 8 * len(file.getvalue()) / picture.size


strips = [photograph[:, low:high] for photograph in photographs for low, high in vh.colour_images.TEST_STRIPS]
png = np.mean([png_bits(strip) for strip in strips])
no_model = vh.gaussian_nll(data.x_test, np.full_like(data.x_test, data.x_train.mean()), np.log(data.x_train.var()))
bits_conv = bits(test["loss"])
print(f"one normal distribution for all: {bits(np.mean(no_model)):.2f}, our VAE: {bits_conv:.2f}, PNG: {png:.2f}")
vh.expect("bits per dimension: VAE minus PNG", bits_conv - png, at_least=0.3)
vh.expect("bits per dimension: one normal distribution minus VAE", bits(np.mean(no_model)) - bits_conv, at_least=1)

# %%
vh.plot_images([ten, vae.reconstruct(ten), vae.sample(10, seed=0)], ["test image", "reconstruction", "from the prior"]);

# %% [markdown]
# **What you see.** First row: test patches.
# Second: their reconstructions.
# Petals and smooth patches are right, except for their fine lines.
# Of roofs, windows and leaves only a brown blur is left.
# Third: codes drawn from the prior, decoded.
# (Both decoded rows are means, without the noise of width $\sigma$.)
# They are soft clouds in the colours of both photographs, and none looks like a photograph.
# A normal distribution for each pixel cannot say "sharp leaves somewhere here".
# Its best mean is the average of all leaves that are possible.
# The next cell measures how soft the reconstructions are.

# %%
def sharpness(images):
    """How much neighbouring pixels differ, on average."""
    return np.abs(np.diff(images, axis=2)).mean()


ratio = sharpness(vae.reconstruct(data.x_test)) / sharpness(data.x_test)
vh.expect("differences of neighbours: reconstructions / images", ratio, at_most=0.9)

# %% [markdown]
# ## Deeper
#
# A deeper network should do at least what a shallow one does: its extra layers could simply pass on what they get.
# In practice, deep *plain* networks train worse than shallow ones.
# To pass something on unchanged is not easy for a layer that starts with random numbers.
#
# A **residual block** makes it easy.
# It adds what two convolutions $f$ compute to its own input:
#
# $$\text{output}=h+f(h)$$
#
# Here $h$ are the numbers that come from the layer before (in the code, `x`).
# The "$h+$" is called a *shortcut*.
# Where $f$ gives 0, the block passes $h$ on.
# And the derivative of the output is that of $f$ *plus 1*:
# through the shortcuts, gradients pass any number of blocks without being multiplied by anything on the way.

# %%
def residual_block(x, filters):
    """y = x + f(x). x: (batch, height, width, filters), as a Keras tensor; y has the same shape."""
    f = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal")(layers.ReLU()(x))
    f = layers.Conv2D(filters, 3, padding="same", kernel_initializer="zeros")(layers.ReLU()(f))
    return x + f


inputs = keras.Input((16, 16, 32))
block = keras.Model(inputs, residual_block(inputs, 32))
noise = np.random.default_rng(0).normal(size=(1, 16, 16, 32)).astype("float32")
vh.expect("a new block changes its input by", np.abs(block(noise) - noise).max(), at_most=0, everywhere=True)
print("parameters of a block:", block.count_params(), "=", 2 * (3 * 3 * 32 + 1) * 32)

# %% [markdown]
# Two things about the start.
# `he_normal` draws the kernels so wide that the size of the numbers stays the same through a convolution and a ReLU (He and others, 2015).
# The second convolution starts at *zero*: so at the beginning each block does nothing, and a network of a hundred blocks behaves like a network of none.
# Training then decides what each block adds.
#
# `vh.residual_encoder` and `vh.residual_decoder` stack such blocks: each stage halves (or doubles) the sides and has `blocks` residual blocks.
# The option `shortcut=False` leaves the "$h+$" out, and nothing else: the same depth, the same parameters.
# (There, both convolutions start with `he_normal`: a plain network that starts at zero would stay at zero.)
#
# **Predict.** We train three models on a part of the patches, with the same seed and the same number of steps:
# no blocks at all, three blocks per stage with shortcuts, and three blocks per stage without.
# Which is the best, and which is the worst?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The plain deep network is the worst: worse than the shallow one, although it has three times its parameters.
# With shortcuts the deep network is at least as good as the shallow one, after the same number of steps.
#
# </details>

# %%
def residual_vae(blocks, shortcut=True, filters=(16, 32, 32)):
    keras.utils.set_random_seed(settings.seed)
    encoder = vh.residual_encoder(data.image_shape, 64, filters, blocks, shortcut=shortcut)
    decoder = vh.residual_decoder(data.image_shape, 64, filters[::-1], blocks, shortcut=shortcut)
    return vh.VAE(encoder, decoder, nll=LearnedSigma(), warm_up=200)


def convolutions(vae):
    kinds = (layers.Conv2D, layers.Conv2DTranspose)
    return sum(isinstance(layer, kinds) for part in (vae.encoder, vae.decoder) for layer in part.layers)


def test_bits(vae, images=data.x_test):
    """Bits per dimension, with one draw of z for each image."""
    predicted = vae(images)
    kl = vh.gaussian_kl(predicted["mean"], predicted["log_var"])
    return bits(float(ops.mean(vae.nll(images, predicted["logits"]) + kl)))


networks = {"shallow": (0, True), "deep, with shortcuts": (3, True), "deep, plain": (3, False)}
curves, deep_bits = {}, {}
for name, (blocks, shortcut) in networks.items():
    model = residual_vae(blocks, shortcut)
    history, seconds = train(model, 2 * settings.budget, images=data.x_train[:2000])
    curves[name] = [bits(loss) for loss in np.add(history.history["reconstruction"], history.history["kl"])]
    deep_bits[name] = test_bits(model)
    size = f"{convolutions(model)} convolutions, {model.count_params():,} parameters"
    print(f"{name:21s} {size:42s} test {deep_bits[name]:.2f} bits per dimension, {seconds:3.0f} s")

# %%
fig, ax = plt.subplots(figsize=(6.5, 3.4))
for (name, curve), style in zip(curves.items(), ("o-", "s-", "^--")):
    ax.plot(np.arange(1, len(curve) + 1), curve, style, label=name)
ax.set(xlabel="epoch", ylabel="bits per dimension", title="Training loss, the same number of steps")
ax.xaxis.get_major_locator().set_params(integer=True)
ax.legend()
shallow, deep, plain = deep_bits.values()
vh.expect("test bits, deep plain minus deep with shortcuts", plain - deep, at_least=0.1)
vh.expect("test bits, deep plain minus shallow", plain - shallow, at_least=0.05)
vh.expect("test bits, shallow minus deep with shortcuts", shallow - deep, at_least=-0.1)

# %% [markdown]
# **What you see.** The lines show reconstruction plus KL, averaged over each epoch.
# In the first epoch the deep network with shortcuts is no better than the others.
# From the second on it is ahead of the shallow one.
# The same network without shortcuts, with the same parameters, then improves little, and ends behind both.
# What differs is "$h+$", and the start at zero that it allows.
# (One seed, and a short training: 128 steps, less than the warm-up, and all three are still far from the 6.5 bits of our first model.
# A deep network also takes about four times as long for each step as the shallow one, whose encoder has no ReLU between its convolutions.
# What a long training would give was not measured here.)
#
# **Why not batch normalization?**
# Most residual networks that *classify* have batch normalization in every block.
# Lesson 04 measured its price in a VAE: the code of an image then moves with its neighbours in the batch.
# In a deep network this happens in every block.
# So some deep VAEs do without it, and use the trick above instead, a small or zero start of each block (Child, 2021).
# It is no law: NVAE (Vahdat and Kautz, 2020) has batch normalization, and describes what it took to make it work.
#
# One layer shows the effect.
# The same patch, in two batches of 16:

# %%
convolution = layers.Conv2D(16, 3, strides=2)
normalized = keras.Sequential([keras.Input(data.image_shape), convolution, layers.BatchNormalization()])
patch = data.x_test[:1]
first, second = (np.concatenate([patch, data.x_test[start : start + 15]]) for start in (1, 16))
moved = {
    "batch normalization, in training": normalized(first, training=True)[0] - normalized(second, training=True)[0],
    "batch normalization, after training": normalized(first)[0] - normalized(second)[0],
    "the convolution alone": convolution(first)[0] - convolution(second)[0],
}
for name, difference in moved.items():
    print(f"{name:36s} the features of the patch move by {np.abs(difference).max():.5f}")
in_training, _, alone = (np.abs(difference).max() for difference in moved.values())
vh.expect("moved by the neighbours, with batch normalization", in_training, at_least=0.01, everywhere=True)
vh.expect("moved by the neighbours, without", alone, at_most=1e-5, everywhere=True)

# %% [markdown]
# **What you see.** In training, the features of the patch depend on the 15 other images.
# After training they do not, because the layer then uses averages that it has collected.
# But then it computes something else than what was trained.
#
# ## Wider: 512 filters
#
# The TensorFlow tutorial of lesson 04 ends with a proposal: set all filters to 512.
# What does that cost?
# A convolution between equally many maps has 9 · filters² weights and uses each of them at every place.
# So twice the filters should cost four times the parameters and about four times the time.
#
# **Predict.** From 64 to 512 filters is eight times as wide.
# How many times as many parameters?
# How many times the seconds for one step?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The convolutions between wide layers have 64 times as many weights, and 64 times the work.
# But the first and the last convolution only grow by 8, and so do the Dense layers.
# These hold most of the parameters of the narrow network: three times 64 · 4,096 weights, because its last map has 8 · 8 · 64 = 4,096 numbers.
# So the whole grows by less than 64.
# The time grows by less than the work as long as the narrow network does not keep the processor busy.
# So measure.
#
# </details>

# %%
def wide_vae(filters):
    encoder = vh.conv_encoder(data.image_shape, 64, filters=(filters, filters), dense=())
    decoder = vh.conv_decoder(data.image_shape, 64, filters=(filters, filters))
    return vh.VAE(encoder, decoder, nll=LearnedSigma(), warm_up=200)


def seconds_per_step(vae, steps=2, batch_size=16):
    """The time of one training step, after a first one that compiles."""
    vae.compile(keras.optimizers.Adam(1e-3), steps_per_execution=1)
    batch = data.x_train[:batch_size]
    vae.train_on_batch(batch)
    started = time.perf_counter()
    for _ in range(steps):
        vae.train_on_batch(batch)
    return (time.perf_counter() - started) / steps


cost = {}
for filters in (64, 128, 512):
    model = wide_vae(filters)
    cost[filters] = model.count_params(), seconds_per_step(model)
    print(f"{filters} filters: {cost[filters][0]:>12,} parameters, {cost[filters][1]:7.3f} s per step of 16 images")

# %%
parameters, step_time = (np.array(values) for values in zip(*cost.values()))
print(f"from 64 to 512 filters: parameters × {parameters[2] / parameters[0]:.0f}, time × {step_time[2] / step_time[0]:.0f}")
epoch = step_time[2] * len(data.x_train) / 16 / 60
print(f"one epoch with 512 filters would take about {epoch:.0f} minutes here")
vh.expect("parameters, 512 filters / 64", parameters[2] / parameters[0], at_least=8, at_most=64, everywhere=True)
hint = "do you have a GPU? The narrow network does not keep it busy."
vh.expect("time, 512 filters / 64", step_time[2] / step_time[0], at_least=5, look_at=hint)

# %% [markdown]
# And what does width buy?
# With 512 filters we cannot afford to find out here.
# But from 16 to 64 filters we can:

# %%
width_bits = {}
for filters in (16, 64):
    keras.utils.set_random_seed(settings.seed)
    model = wide_vae(filters)
    _, seconds = train(model, settings.budget, images=data.x_train[:4000])
    width_bits[filters] = test_bits(model)
    print(f"{filters} filters: {width_bits[filters]:.2f} bits per dimension, {seconds:.0f} s")
vh.expect("bits bought by four times the filters", width_bits[16] - width_bits[64], at_least=-0.1, at_most=0.3)

# %% [markdown]
# **What you see.** From 64 to 512 filters, parameters and seconds grow many times over.
# From 16 to 64, the wider network takes several times as long, and in the same number of steps it gains hardly anything.
# But after so few steps both are still near 8 bits, those of a model that knows nothing, so this does not show what width buys in a long training.
# Whether 512 filters are worth their price on this data was not measured here: it is a question for a GPU.
#
# ## Faster
#
# ### Half precision
#
# Keras computes with `float32`: numbers of 32 bits.
# Modern GPUs multiply numbers of 16 bits several times as fast, and these need half the memory.
# With the policy **`mixed_float16`**, the layers compute in `float16`, while the weights stay in `float32`.
# Two dangers:
#
# - *Large sums.*
#   `float16` ends at 65,504 and has about three decimal digits.
#   A loss is a sum over thousands of pixels.
#   It must be added up in `float32`; the losses of this package do that.
# - *Small gradients.*
#   Below $6\cdot10^{-8}$, `float16` has only 0.
#   So Keras multiplies the loss by a large number before it computes gradients, and divides them afterwards: *loss scaling* (Micikevicius and others, 2018).
#   `compile` puts a `LossScaleOptimizer` around Adam, without being asked.

# %% tags=["nbval-check-output"]
def half(number):
    """What float16 keeps of a number."""
    return float(np.float16(number))


with np.errstate(over="ignore"):
    total = np.sum(np.full(3072, 25.0), dtype="float16")
print("3072 times 25 is", 3072 * 25, "  in float16:", total)
print("2048 + 1 in float16:", half(2048 + 1))
print("1e-8 in float16:", half(1e-8), "  scaled by 32768:", round(half(1e-8 * 32768), 6))

# %% [markdown]
# **What you see.** The sum is beyond the end, so it becomes infinite.
# Above 2,048, adding 1 changes nothing.
# And a small number becomes 0, unless it is scaled before.
#
# **Predict.** How much faster is a training step with `mixed_float16` on the machine that you sit at?
#
# <details><summary>Open the answer when you have decided</summary>
#
# On most CPUs it is *slower*: they have no fast arithmetic for float16, and convert back and forth.
# For modern GPUs the TensorFlow guide on mixed precision reports more than three times the speed; that was not measured here.
#
# </details>

# %%
step_seconds, bits_of, weights = {}, {}, None
for policy in ("float32", "mixed_float16"):
    keras.config.set_dtype_policy(policy)
    model = wide_vae(32)
    weights = weights or model.get_weights()
    model.set_weights(weights)  # both begin with the same weights, and the same noise
    model.reseed(0)
    bits_of[policy] = test_bits(model, data.x_test[:64])
    step_seconds[policy] = seconds_per_step(model, steps=17)
    print(f"{policy:14s} {bits_of[policy]:.3f} bits per dimension, {step_seconds[policy]:.3f} s per step")
keras.config.set_dtype_policy("float32")
slower = step_seconds["mixed_float16"] / step_seconds["float32"]
hint = "do you have a GPU, or a new CPU? Then smaller is good news."
vh.expect("time with mixed_float16 / float32, on a CPU", slower, at_least=0.8, look_at=hint)
apart = abs(bits_of["mixed_float16"] - bits_of["float32"])
vh.expect("the losses differ by, bits per dimension", apart, at_most=0.02, everywhere=True)
done = int(model.optimizer.inner_optimizer.iterations)
print(f"steps that were taken: {done} of 18; the loss is now scaled by {float(model.optimizer.dynamic_scale):.0f}")
vh.expect("steps left out at the start", 18 - done, at_least=1, at_most=16, everywhere=True)

# %% [markdown]
# **What you see.** The same loss, up to rounding, and no time saved: this machine has no GPU.
# And something that may surprise you: not all steps were taken.
# The scale begins at 32,768.
# Our loss is a sum over 3,072 numbers, its gradients are large, and scaled they are beyond the end of `float16`.
# Then the optimizer leaves the step out and halves the scale, until the gradients fit.
# It costs several steps at the start.
# (After 2,000 good steps it tries twice the scale again.)
#
# ### Several devices
#
# A *device* is a processor that TensorFlow uses: the CPU, or a GPU.
# With **`tf.distribute.MirroredStrategy`**, each device of a computer has a copy of all weights.
# Each batch is divided among them.
# Each device computes gradients for its part, the gradients are *added up*, and all copies take the same step.
#
# Added up: there is a trap.
# If each device takes the *mean* over its own images, the sum over two devices is twice as large as it should be.
#
# ### Exercise 9.2 · The share of one device
#
# What must one device give, so that the shares of all devices add up to the mean over the whole batch?
# It gets the losses of its own images, and the number of images on all devices together.
# The last batch of an epoch may be *ragged*: then the devices have different numbers of images, and one may have none.
# (If it has none, its share must be 0.)

# %%
def device_share(losses, global_batch):
    """What one device gives. losses: (n,), of its own images; global_batch: the images of all devices."""
    ### BEGIN SOLUTION
    return ops.sum(losses) / global_batch
    ### END SOLUTION


vh.check.device_share(device_share)

# %% [markdown]
# **Target:** a batch of five losses, 1, 2, 3, 4, 5, on two devices:
# `device_share(np.array([1.0, 2.0, 3.0]), 5)` is 1.2, and `device_share(np.array([4.0, 5.0]), 5)` is 1.8.
# Together 3.0, the mean.
# A `vh.VAE` takes care of it, as long as it is built and compiled inside `strategy.scope()`.
# (One difference: in a ragged batch it lets each *device* count the same.)
# The rest of the program stays the same.
#
# TensorFlow takes all cores of a computer as one CPU.
# For a test, TensorFlow can treat it as *two* devices, but one must say so before TensorFlow starts.
# So we write a small program, and run it beside the notebook.
# The program trains in one of two ways, which its first argument chooses: `devices`, on one device and then on two; or `workers`, which comes next.

# %%
program = """
import json, sys
import tensorflow as tf

if sys.argv[1] == "devices":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategies = [tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])]
else:
    strategies = [tf.distribute.MultiWorkerMirroredStrategy()]  # reads TF_CONFIG

import keras, numpy as np, vae_helpers as vh

images, report = np.load(sys.argv[2]), {}
for strategy in strategies:
    keras.utils.set_random_seed(1)
    with strategy.scope():  # weights that are made here have a copy on each device
        vae = vh.VAE(vh.mlp_encoder((32, 32, 3), 8, (64,)), vh.mlp_decoder((32, 32, 3), 8, (64,)))
        vae.compile(keras.optimizers.Adam(1e-3))
    history = vae.fit(images, batch_size=32, epochs=3, verbose=0).history
    report[strategy.num_replicas_in_sync] = history["loss"]  # the number of devices; JSON makes it a string
print(json.dumps(report), flush=True)
"""

# %%
folder = Path(tempfile.mkdtemp())  # for the program, and for the images that it reads
(folder / "train.py").write_text(program)
np.save(folder / "images.npy", data.x_train[:256])


def run_one(way, environment):
    """Run the program once. Returns its exit code (0: all went well), what it printed, and its errors."""
    command = [sys.executable, str(folder / "train.py"), way, str(folder / "images.npy")]
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"}  # this notebook holds the memory of a GPU
    options = {"capture_output": True, "text": True, "timeout": 100, "env": {**os.environ, **hidden, **environment}}
    try:
        done = subprocess.run(command, **options)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        return "stopped after 100 s", "", str(late.stderr)


def run(*jobs):
    """Run the program for each (way, environment), all at once; return what each reports."""
    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 10):
        print("left out: older versions of Keras than 3.10 report a wrong loss for several devices")
        return []
    with ThreadPoolExecutor(len(jobs)) as pool:
        ends = list(pool.map(run_one, *zip(*jobs)))
    if any(code != 0 for code, _, _ in ends):
        raise RuntimeError("\n\n".join(f"exit code: {code}\n{errors[-1500:]}" for code, _, errors in ends))
    return [json.loads(printed.splitlines()[-1]) for _, printed, _ in ends]


# %%
started = time.perf_counter()
for losses in run(("devices", {})):
    print(f"{time.perf_counter() - started:.0f} s, with the start of TensorFlow")
    for devices, values in losses.items():
        print(f"{devices} device(s): loss after each epoch", np.round(values, 2))
    one, two = (np.array(losses[devices]) for devices in ("1", "2"))
    apart = np.abs(one - two).max() / one[-1]
    vh.expect("largest difference, as a share of the loss", apart, at_most=1e-3, everywhere=True)

# %% [markdown]
# **What you see.** One device and two give the same losses.
# The two devices share one processor here, so nothing is faster.
# What the test shows is that the *program* is right, and it is the same program that runs on a computer with several GPUs.
# (The loss has the Bernoulli formula of lesson 02, to keep the program short; for colours it is no likelihood.
# Batches of 32 mean 32 on all devices together.)
#
# ### Several computers
#
# **`MultiWorkerMirroredStrategy`** does the same with several computers, called *workers*.
# Each runs the same program.
# A variable of the environment, `TF_CONFIG`, tells each one where all workers are, and which one it is itself.
# We start two workers on this computer.
# They talk over the network address 127.0.0.1, which means "this computer", so no other network is needed.

# %%
def environments():
    """The variable TF_CONFIG for each of two workers, with two free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    places = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    tasks = [{"cluster": {"worker": places}, "task": {"type": "worker", "index": i}} for i in range(2)]
    return [{"TF_CONFIG": json.dumps(task)} for task in tasks]


started = time.perf_counter()
reports = run(*(("workers", environment) for environment in environments()))
for number, report in enumerate(reports):
    print(f"worker {number}: loss after each epoch", np.round(report["2"], 2))
if reports:
    print(f"{time.perf_counter() - started:.0f} s")
    first, second = (np.array(report["2"]) for report in reports)
    vh.expect("difference between the two workers", np.abs(first - second).max(), at_most=0, everywhere=True)
    apart = np.abs(first - one).max() / one[-1]
    vh.expect("difference from one device, as a share of the loss", apart, at_most=0.02, everywhere=True)

# %% [markdown]
# **What you see.** Both workers report the same losses, and here, up to rounding, those of one device: together they train one model.
# If a worker cannot be reached, the other one waits; so a program that starts workers needs a limit of time, as ours has.
#
# ### What each step buys, and where

# %%
nothing = "not measured here"
rows = [
    ("shortcuts, in a deep network", f"{plain - deep:.2f} bits per dimension", nothing),
    ("64 → 512 filters", f"{step_time[2] / step_time[0]:.0f} × the time", nothing),
    ("mixed_float16", f"{slower:.1f} × the time", nothing),
    ("MirroredStrategy, two devices", "the same losses, on a shared processor", nothing),
    ("two workers", "the same losses, on a shared processor", nothing),
]
print(f"{'':32s}{'here (' + str(os.cpu_count()) + ' CPU cores)':42s}with GPUs")
for name, here, gpu in rows:
    print(f"{name:32s}{here:42s}{gpu}")

# %% [markdown]
# **What you see.** On a computer without a GPU, only the shortcuts pay: the other four are for other machines.
# What can be tested here is that half precision and several devices are *right*.
# Do this before you rent a machine by the hour.
#
# ## Where VAEs went next
#
# Our samples are soft clouds.
# Three lines of work made VAEs draw sharp, large images.
# All of them keep the encoder, the decoder and a distribution over codes, and each replaces one part of what you know.
#
# ### 1. A codebook in place of a cloud: VQ-VAE
#
# Let the code be not any list of numbers, but an entry of a list with $M$ entries, the **codebook** $e_1,\dots,e_M$.
# The encoder's output $z_e(x)$ is replaced by the nearest entry.
# This is *vector quantization*:
#
# $$z_q(x)=\text{the entry }e_m\text{ with the smallest }\lVert z_e(x)-e_m\rVert$$
#
# ### Exercise 9.3 · The nearest code
#
# Return for each row of `z` the index of the nearest entry.
# (`z[:, None] - codebook` has the shape (n, k, d).)

# %%
def nearest_code(z, codebook):
    """Indices of the nearest codes. z: (n, d), codebook: (k, d). Returns (n,), whole numbers from 0 to k - 1."""
    ### BEGIN SOLUTION
    distances = np.sum((z[:, None] - codebook) ** 2, axis=-1)  # (n, k)
    return np.argmin(distances, axis=1)
    ### END SOLUTION


vh.check.nearest_code(nearest_code)

# %% [markdown]
# **Target:** `nearest_code(np.array([[0.9, 0.2], [0.1, 0.4]]), np.array([[0.0, 0.0], [1.0, 0.0]]))` is `[1, 0]`.
#
# What can a codebook say?
# Before any network, we try it on a photograph itself.
# First, each *pixel* is a vector of three numbers, and we look for 16 colours.
# Then each *square* of 4 × 4 pixels is a vector of 48 numbers, and we look for 256 squares. *k-means* finds good entries:
# it gives every vector to its nearest entry, moves each entry to the mean of its vectors, and repeats.
#
# **Predict.** A pixel of the photograph has 24 bits.
# How many bits per pixel do the 16 colours need?
# How many the 256 squares?
#
# <details><summary>Open the answer when you have decided</summary>
#
# To name one of 16 entries takes 4 bits, one for each pixel.
# To name one of 256 squares takes 8 bits, but for 16 pixels together: half a bit per pixel.
# (The codebook itself must be stored too; it is small.)
#
# </details>

# %%
photograph = photographs[0][:416] / 255  # 416 and 640 are multiples of 4


def to_squares(picture, side):
    """(height, width, 3) → one row for each square of side × side pixels."""
    height, width, _ = picture.shape
    squares = picture.reshape(height // side, side, width // side, side, 3).swapaxes(1, 2)
    return squares.reshape(-1, side * side * 3)


def to_picture(squares, side, shape):
    height, width, _ = shape
    return squares.reshape(height // side, width // side, side, side, 3).swapaxes(1, 2).reshape(shape)


quantized = {}
for side, entries in ((1, 16), (4, 256)):
    vectors = to_squares(photograph, side)
    some = np.random.default_rng(0).permutation(len(vectors))[:8000]
    means = KMeans(entries, n_init=1, max_iter=20, random_state=0).fit(vectors[some])
    indices = means.predict(vectors)  # the nearest entry of each vector
    quantized[side] = to_picture(means.cluster_centers_[indices], side, photograph.shape)

# %%
fig, axes = plt.subplots(1, 3, figsize=(13, 3.2))
titles = ("photograph: 24 bits per pixel", "16 colours: 4 bits per pixel", "256 squares: ½ bit per pixel")
for ax, picture, title in zip(axes, (photograph, *quantized.values()), titles):
    ax.imshow(picture[120:280, 60:300].clip(0, 1))
    ax.set_title(title)
    ax.set_axis_off()
far = {side: np.sqrt(np.mean((picture - photograph) ** 2)) for side, picture in quantized.items()}
vh.expect("error of 16 colours, root mean square", far[1], at_most=0.06, everywhere=True)
vh.expect("error of 256 squares, root mean square", list(far.values())[1], at_most=0.09, everywhere=True)

# %% [markdown]
# **What you see.** With 16 colours, the edges are there, but the sky becomes flat, and dark red turns brown.
# With 256 squares and an eighth of the bits, one still recognizes the roofs and the windows, but edges look like stairs, and fine ornaments are lost.
# A **VQ-VAE** does this not with pixels, but with what a convolutional encoder makes of them, and its decoder is trained to make a good image of the entries.
# A picture becomes a small table of whole numbers.
#
# One problem: the nearest entry is a *choice*, and a choice has no derivative.
# The **straight-through estimator** acts, for the gradient, as if the choice were not there.
# In two lines:

# %%
codebook = tf.constant([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
z = tf.Variable([[0.9, 0.2]])
with tf.GradientTape(persistent=True) as tape:
    chosen = tf.gather(codebook, tf.argmin(tf.norm(z[:, None] - codebook, axis=-1), axis=1))
    straight = z + tf.stop_gradient(chosen - z)  # forward: chosen. Backward: z
    loss_chosen, loss_straight = tf.reduce_sum((chosen - 3) ** 2), tf.reduce_sum((straight - 3) ** 2)
print("the entry:", chosen.numpy(), "  straight through:", straight.numpy())
print("gradient through the choice:", tape.gradient(loss_chosen, z))
print("gradient straight through:  ", tape.gradient(loss_straight, z).numpy())
expected = 2 * (chosen - 3)
away = float(tf.reduce_max(tf.abs(tape.gradient(loss_straight, z) - expected)))
vh.expect("straight-through gradient minus that at the entry", away, at_most=1e-6, everywhere=True)

# %% [markdown]
# **What you see.** Both lines pass on the same entry.
# But through the choice there is no gradient at all (`None`).
# Straight through, the encoder gets the gradient that belongs to the entry, as if it had given the entry itself.
# This is not the true gradient of the loss.
# The hope is that it points the right way as long as $z_e$ and $e_m$ are near each other.
#
# The loss of the VQ-VAE (van den Oord, Vinyals and Kavukcuoglu, 2017, equation 3) has three terms.
# With $\mathrm{sg}$ for "stop gradient" (`tf.stop_gradient` above: the value stays, the derivative counts as 0):
#
# $$-\log p(x\mid z_q(x))+\lVert \mathrm{sg}[z_e(x)]-e_m\rVert^2+\text{a number}\cdot\lVert z_e(x)-\mathrm{sg}[e_m]\rVert^2$$
#
# The second moves the entries to the encoder's outputs, as k-means does.
# The third keeps the outputs near the entries.
# Where is the KL?
# Its posterior is one entry with certainty, its prior in training is uniform: then the KL is $\log M$ for every choice, a constant.
# After training, a second model, *autoregressive* (it predicts each entry from those before it),
# learns which tables of indices occur; new images are drawn from it.
# VQ-VAE-2 (Razavi and others, 2019) stacks two or three such tables; VQGAN (Esser and others, 2021) adds a discriminator (lesson 02),
# and its second model is a *transformer*, the kind of network that language models use.
# Speech and music models use the same idea.
#
# ### 2. Many layers of latents: hierarchical VAEs
#
# One layer of 64 numbers must say everything, from "sky above" to the place of each leaf.
# A **hierarchical VAE** has several groups of latents, $z_1$ (coarse, at the top)
# to $z_L$ (fine, as large as the image), and draws each one given those above it:
#
# $$p(x,z)=p(z_1)\,p(z_2\mid z_1)\cdots p(z_L\mid z_{<L})\;p(x\mid z_1,\dots,z_L)$$
#
# The ELBO keeps its form.
# The KL becomes a sum, one KL for each group, between what the encoder says and what the groups above predict:
#
# $$\mathrm{ELBO}=\mathbb E\log p(x\mid z)-\mathrm{KL}(q(z_1\mid x)\,\|\,p(z_1))
# -\sum_{l=2}^{L}\mathbb E\,\mathrm{KL}\big(q(z_l\mid x,z_{<l})\,\|\,p(z_l\mid z_{<l})\big)$$
#
# The prior of the fine groups is now a network, not $\mathcal N(0,I)$.
# It can say "here are leaves" before it says which.
#
# - **Ladder VAE** (Sønderby and others, 2016): naive stacks collapse, and only the lowest group is used.
#   It lets the encoder read the image from below, and then go *down* together with the decoder, combining what both say at each group.
#   It needs warm-up of the KL and, by its authors' account, batch normalization.
# - **NVAE** (Vahdat and Kautz, 2020): some 30 groups, residual blocks, batch normalization made to work,
#   and $q$ written as a *change* of $p$ (its section 3.2), so that "add nothing" costs no KL.
#   CIFAR-10: 2.91 bits per dimension.
# - **VDVAE** (Child, 2021): 45 groups for CIFAR-10, plain residual blocks whose last convolutions start small,
#   no batch normalization, and steps with extreme gradients are skipped.
#   CIFAR-10: 2.87 bits per dimension, and better than PixelCNN, a well-known autoregressive model.
#
# (These bits are for other images than ours, so they cannot be compared with our figures.
# PNG needs 5.89 bits per dimension on CIFAR-10, as Hoogeboom and others report in *Integer discrete flows*, 2019.)
# The trick of this lesson, *learn σ*, belongs to the same family of questions: how much should a nat of KL cost against a squared error?
# Rybkin and others (2021) show that a learned $\sigma$ answers it without a $\beta$ to choose.
# A *diffusion model*, which makes images from pure noise in many small steps, may be read as a hierarchical VAE with very many groups,
# in which the *encoder* is fixed: it adds noise, step by step (Ho and others,
# 2020, equations 3 and 5; Kingma and others, *Variational diffusion models*, 2021).
#
# ### 3. A VAE with hardly any KL: the autoencoder in latent diffusion
#
# *Stable Diffusion* and its relatives, *latent diffusion models* (Rombach and others, 2022), have two parts, trained one after the other.
# The first is a VAE, and you know its main parts: a residual encoder and decoder, `mean` and `log_var`, a draw, a KL.
# Three things differ.
#
# - The code keeps its *places*: it is a small image with four channels, no list.
#   Each place describes 8 × 8 pixels.
# - The weight β of the KL is tiny, $10^{-6}$ in the published settings.
#   The KL only keeps the codes from growing without limit.
#   The model is not meant to draw from $\mathcal N(0,I)$.
# - The reconstruction is not a likelihood of pixels alone.
#   It adds a comparison by the features of a trained network (*perceptual loss*) and a discriminator, as in a GAN.
#   That makes sharp leaves, at any place that looks right.
#
# The second part is a diffusion model that learns the distribution of the *codes*.
# It does the job of the prior.
# So the VAE need not: it only has to make images small, and large again.
# (With VQ in place of the KL, the same paper offers the other variant.)

# %% tags=["nbval-check-output"]
image, code = (512, 512, 3), (64, 64, 4)
print("numbers in an image:", np.prod(image), "  in its code:", np.prod(code), "  ratio:", np.prod(image) // np.prod(code))
print("ours:               ", 32 * 32 * 3, "                64   ratio:", 32 * 32 * 3 // 64)

# %% [markdown]
# **What you see.** The famous code is 48 times smaller than its image.
# Ours is just as much smaller: 3,072 numbers become 64.
# But ours has no places, its KL counts in full, and 64 numbers are all there is.
#
# What you learned in this course is the first half of such a system.
# The other half, the model of the codes, is another course.
#
# ## Exercise 9.4 · Change it, and explain
#
# Here you have no check but your own eyes.
# (`vh.expect` may say OFF when you change something.)
#
# **First:** in the cell with `KMeans`, change `(4, 256)` to `(8, 256)`.
# How many bits per pixel does the picture need now?
# What do you expect to see?
#
# <details><summary>Open the answer when you have tried</summary>
#
# 8 bits for 64 pixels: one eighth of a bit per pixel.
# The squares become visible, because 256 pictures of 8 × 8 pixels are too few for all edges in all places.
# A larger square needs *many* more entries for the same quality, because so many different squares are possible.
# This is why a VQ-VAE does not quantize pixels, but features, of which several describe each place.
#
# </details>
#
# **Then:**
#
# - In `residual_vae`, how deep can you go before the plain network learns nothing at all?
#   Try `blocks` of 1, 2, 3.
# - Keep σ at 0.5 (in `log_var`, write `return 2 * np.log(0.5)`).
#   What happens to the KL, and to the reconstructions?
#   Compare with a large β.
#   And what does `warm_up=0` change?
# - If you have a GPU: run the cells of "Wider" and "Half precision" there, and fill the last column of the table.
#
# ## To take away
#
# 1. Colours need a density: normal pixels with a learned $\sigma$ make the loss a squared error
#    with the right weight, and bits per dimension make it comparable.
# 2. A shortcut, $h+f(h)$, lets a deep network train; here, in a short training, the same network without it did worse than a shallow one.
# 3. Twice as wide means up to four times the work; what it buys must be measured, in a training that is long enough.
#    Half precision and several devices buy time only on machines made for them; test on a small machine that they are right.
# 4. With several devices, each image should count 1 / (images of the whole batch), wherever it is.
# 5. VAEs went on as codebooks, as many layers of latents, and as the two ends of latent diffusion.
#    The encoder, the decoder and the ELBO are the ones you know.
#
# **Where the ideas come from.**
# Residual networks: K. He, X. Zhang, S. Ren and J. Sun, *Deep residual learning for image recognition*, CVPR 2016, equation 1; ReLU before the convolution:
# the same authors, *Identity mappings in deep residual networks*, ECCV 2016; the start `he_normal`: the same authors, *Delving deep into rectifiers*,
# ICCV 2015, section 2.2; blocks that start at zero: H. Zhang, Y. Dauphin and T. Ma, *Fixup initialization*, ICLR 2019.
# The trap of exercise 9.2: P. Goyal and others, *Accurate, large minibatch SGD*, 2017, section 3.
# Learned σ: O. Rybkin, K. Daniilidis and S. Levine, *Simple and effective VAE training with calibrated decoders*, ICML 2021.
# Bits per dimension, and noise of the width of a step: L. Theis, A. van den Oord and M. Bethge,
# *A note on the evaluation of generative models*, ICLR 2016, section 3.1.
# 512 filters: the [TensorFlow tutorial](https://www.tensorflow.org/tutorials/generative/cvae), under "Next steps".
# Half precision: P. Micikevicius and others, *Mixed precision training*, ICLR 2018, sections 3.1 to 3.3.
# VQ-VAE: A. van den Oord, O. Vinyals and K. Kavukcuoglu, *Neural discrete representation learning*, NeurIPS 2017, equations 1 to 3;
# straight-through: Y. Bengio, N. Léonard and A. Courville, *Estimating or propagating gradients through stochastic neurons*, 2013.
# VQ-VAE-2: A. Razavi, A. van den Oord and O. Vinyals, NeurIPS 2019.
# VQGAN: P. Esser, R. Rombach and B. Ommer, *Taming transformers*, CVPR 2021.
# Ladder VAE: C. Sønderby and others, NeurIPS 2016.
# NVAE: A. Vahdat and J. Kautz, NeurIPS 2020.
# VDVAE: R. Child, *Very deep VAEs*, ICLR 2021.
# Diffusion: J. Ho, A. Jain and P. Abbeel, NeurIPS 2020; D. Kingma, T. Salimans, B. Poole and J. Ho, NeurIPS 2021.
# Latent diffusion: R. Rombach and others, *High-resolution image synthesis with latent diffusion models*, CVPR 2022, section 3.1.
# The photographs come from Flickr (danielbuechele and vultilion, CC BY 2.0;
# the file `README.txt` in scikit-learn's folder `datasets/images` gives the addresses).
# CIFAR-10: A. Krizhevsky, 2009.
#
# **What comes next.** This is the last lesson.
# Take data of your own, and begin with lesson 04's question: what do I change, and how do I measure it?
