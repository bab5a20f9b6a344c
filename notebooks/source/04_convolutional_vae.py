# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · The convolutional VAE
#
# You give the VAE layers that know about pixels and their neighbours, train it better than the official TensorFlow tutorial does,
# and measure what convolutions buy on this data, and what they do not.
#
# **Time:** about 7 minutes of computing on two cores (not measured yet on a Colab GPU), and an hour of reading and thinking.
#
# **You will be able to**
#
# - say what a convolution and a transposed convolution do, and count their parameters;
# - find out what makes a training better, by changing one thing at a time;
# - watch a VAE learn, and make the film yourself;
# - say which VAE losses may be compared, and which may not.
#
# **You need** lessons 02 and 03 (encoder, decoder, `mean`, `log_var`, reconstruction, KL, ELBO, effective β).

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=5, budget=1, grid=20)
data = vh.load_images("mnist", binarize="threshold")

# %% [markdown]
# ## What does a Dense layer not know?
#
# To a Dense layer, an image is a list of 784 numbers.
# Pixel 100 and pixel 101 are neighbours; the layer does not know it.
# If we shuffled the pixels of *all* images in the same way, it would learn just as well.
# A **convolution** uses what we know: neighbours belong together, and a stroke is a stroke wherever it is.
#
# A convolution has a small **kernel**, for example 3 × 3 numbers.
# It lays the kernel on each place of the image, multiplies number by number, and adds up.
# The results form a new image, a *feature map*.

# %%
digit = data.x_test[0]  # (28, 28, 1)
kernels = {
    "upright edges": np.array([[-1, 0, 1]] * 3, "float32"),
    "level edges": np.array([[-1, 0, 1]] * 3, "float32").T,
}

maps = {name: ops.conv(digit[None], k[:, :, None, None], padding="same") for name, k in kernels.items()}
row, column = 8, 14
patch = digit[row - 1 : row + 2, column - 1 : column + 2, 0]
by_hand = np.sum(patch * kernels["level edges"])
difference = abs(by_hand - float(maps["level edges"][0, row, column, 0]))
vh.expect("one place by hand minus ops.conv", difference, at_most=1e-5, everywhere=True)

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2))
axes[0].imshow(digit, cmap="gray")
axes[0].set_title("image")
for ax, (name, feature_map) in zip(axes[1:], maps.items()):
    ax.imshow(feature_map[0, :, :, 0], cmap="PuOr", vmin=-3, vmax=3)
    ax.set_title(name)
for ax in axes:
    ax.set_axis_off()

# %% [markdown]
# **What you see.** One digit, and two feature maps.
# The first kernel answers where the image changes from left to right: violet where it is brighter on the right, orange for the opposite, white for no change.
# The second kernel does the same from top to bottom.
# Here we chose the nine numbers.
# In a network, training finds them, and each layer has many kernels (*filters*).
# The maps of one layer lie on top of each other; each is a *channel*.
# A grey image has one channel.
#
# Two words about size.
# With **padding** "same", zeros are put around the image, and the map has the size of the image.
# With "valid", the kernel stays inside, and a 3 × 3 kernel loses one pixel on each side.
# With **stride** 2, the kernel moves two pixels at a time, and the map is about half as large.
# For "valid", a side becomes $\lfloor(\text{side}-\text{kernel})/\text{stride}\rfloor+1$ pixels; the brackets mean: round down.
#
# ### Exercise 4.1 · Slide the kernel yourself
#
# Write a convolution with numpy and two loops: stride 1, padding "valid".
# The kernel need not be square.
# It is laid on as it is, without turning it.

# %%
def convolve(image, kernel):
    """A feature map. image: (height, width); kernel: (k, m). Returns (height - k + 1, width - m + 1)."""
    ### BEGIN SOLUTION
    (height, width), (k, m) = image.shape, kernel.shape
    result = np.zeros((height - k + 1, width - m + 1))
    for i in range(height - k + 1):
        for j in range(width - m + 1):
            result[i, j] = np.sum(image[i : i + k, j : j + m] * kernel)
    return result
    ### END SOLUTION


vh.check.convolve(convolve)

# %% [markdown]
# **Target:** `convolve(digit[:, :, 0], kernels["level edges"])` should have the shape (26, 26) and be equal to `maps["level edges"][0, 1:-1, 1:-1, 0]`:
# the map above without its outermost pixels (there the padding was "same").
#
# How many parameters does such a layer have?
# Each filter has one kernel for each input channel, and one number to add (the bias).
# The place does not count: the same kernel is used everywhere.
#
# **Predict.** A convolution with 64 filters of 3 × 3 reads 32 channels.
# How many parameters does it have?
# How many would a Dense layer have, from 14 × 14 × 32 numbers to 7 × 7 × 64?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Each filter has 3 · 3 · 32 = 288 numbers and a bias, so 289; 64 of them make 18,496.
# The Dense layer has one number for each pair: 6,272 · 3,136 and 3,136 biases, nearly 20 million.
# The next cell asks Keras.
#
# </details>

# %% tags=["nbval-check-output"]
conv = layers.Conv2D(64, 3, strides=2, padding="same")
conv.build((None, 14, 14, 32))
print("convolution:", conv.count_params(), "=", (3 * 3 * 32 + 1) * 64)
print("Dense layer:", (14 * 14 * 32 + 1) * (7 * 7 * 64))

# %% [markdown]
# The decoder must go the other way, from small to large.
# A **transposed convolution** takes each number of its input, multiplies the kernel by it, and *stamps* the result into the output;
# with stride 2, the stamps are two pixels apart, and where stamps overlap, they add.
# The output is about twice as large.

# %%
small = np.zeros((4, 4), "float32")
small[0, 0], small[1, 2], small[3, 1] = 1.0, 0.6, 0.8
kernel = np.array([[0.2, 0.5, 0.2], [0.5, 1.0, 0.5], [0.0, 0.3, 0.8]], "float32")

stamped = np.zeros((9, 9), "float32")
for i in range(4):
    for j in range(4):
        stamped[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += small[i, j] * kernel

by_keras = ops.conv_transpose(small[None, :, :, None], kernel[:, :, None, None], strides=2, padding="valid")
difference = np.abs(stamped - by_keras[0, :, :, 0]).max()
vh.expect("stamping by hand minus ops.conv_transpose", difference, at_most=1e-5, everywhere=True)

# %%
fig, axes = plt.subplots(1, 3, figsize=(8, 2.8), width_ratios=[4, 3, 9])
for ax, picture, title in zip(axes, (small, kernel, stamped), ("input, 4 × 4", "kernel", "output, 9 × 9")):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1.2)
    ax.set_title(title)
    ax.set_xticks(np.arange(-0.5, picture.shape[1]), [])
    ax.set_yticks(np.arange(-0.5, picture.shape[0]), [])
    ax.grid(color="0.4")

# %% [markdown]
# **What you see.** Three bright numbers on the left become three copies of the kernel on the right, each as bright as its number, twice as far apart.
# The size: $(4-1)\cdot2+3=9$.
# With padding "same" the border is cut, so that the output is exactly twice as large.
#
# ### Exercise 4.2 · How large, how many?
#
# A transposed convolution reads a map of `side` × `side` × `channels`.
# Compute the side of its output and its number of parameters, which counts as for a convolution.
# Here `kernel` is the side of the square kernel; it is at least as large as the stride.
# With padding "same", the output is exactly `stride` times as large; with "valid", think of the stamps: where does the last one begin, and where does it end?

# %%
def transposed_size(side, channels, filters, kernel, stride, padding):
    """The side of the output and the number of parameters of a transposed convolution, as two whole numbers."""
    ### BEGIN SOLUTION
    output_side = side * stride if padding == "same" else (side - 1) * stride + kernel
    return output_side, (kernel * kernel * channels + 1) * filters
    ### END SOLUTION


vh.check.transposed_size(transposed_size)

# %% [markdown]
# **Target:** for 16 filters of 5 × 5, stride 3, padding "valid", on a map of 6 × 6 × 8, Keras says the following.
# `transposed_size(6, 8, 16, 5, 3, "valid")` should give the same side and the same number.

# %% tags=["nbval-check-output"]
layer = layers.Conv2DTranspose(16, 5, strides=3, padding="valid")
shape = layer(np.zeros((1, 6, 6, 8), "float32")).shape
print("output:", tuple(shape[1:]), "  parameters:", layer.count_params())

# %% [markdown]
# ## The network of the TensorFlow tutorial
#
# Our first network has the layers of the [official TensorFlow tutorial](https://www.tensorflow.org/tutorials/generative/cvae), with 2 latents.

# %%
def tutorial_network():
    shape = data.image_shape
    encoder = vh.conv_encoder(shape, latent_dim=2, filters=(32, 64), padding="valid", dense=())
    decoder = vh.conv_decoder(shape, latent_dim=2, filters=(64, 32), start_filters=32)
    return vh.VAE(encoder, decoder)


vh.plot_architecture(tutorial_network());

# %% [markdown]
# **What you see.** The encoder halves the sides twice (with "valid" padding: 28 → 13 → 6, as the formula says), while the number of channels grows.
# The decoder starts from a 7 × 7 map with 32 channels and doubles the sides twice.
# Orange boxes are convolutions, green ones transposed convolutions.
# The whole model has 69,989 parameters; the first Dense layer of the larger network in lesson 02 alone had 401,920.

# %% tags=["nbval-check-output"]
model = tutorial_network()
print("encoder:", model.encoder.count_params(), "  decoder:", model.decoder.count_params())

# %% [markdown]
# ### Why is there no batch normalization?
#
# *Batch normalization* is a layer that shifts and scales each feature by its mean and standard deviation *in the batch*.
# In many networks it speeds training up.
# In a VAE it has a price: during training, the cloud of an image then depends on which other images happen to be in the batch.
# This is noise that no term of the ELBO knows about.
# We can see it.
# The same digit, in two batches:

# %%
inputs = keras.Input(data.image_shape)
features = layers.BatchNormalization()(layers.Conv2D(32, 3, strides=2)(inputs))
normalized = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.ReLU()(features))))

batches = [np.concatenate([digit[None], data.x_test[start : start + 31]]) for start in (100, 200)]
first, second = (normalized(batch, training=True)[0] for batch in batches)
moved = float(ops.norm(first - second))
plain = model.encoder(batches[0])[0][0] - model.encoder(batches[1])[0][0]
vh.expect("with batch normalization, the code moves by", moved, at_least=1e-3, everywhere=True)
vh.expect("without, it moves by", float(ops.norm(plain)), at_most=1e-5, everywhere=True)

# %% [markdown]
# **What you see.** With batch normalization, the code of the digit moves when its neighbours in the batch change.
# Without, it does not move at all.
#
# ## One change at a time
#
# The tutorial trains with Adam, step size 0.0001, batches of 32, and reports a test ELBO of −156.5 after ten epochs.
# Can we do better, and *why*?
# We change one thing at a time, and train one epoch each.
# The **schedule** in the last line lets the step size fall along a cosine curve,
# from its start to 0 at the end of training: large steps at first, small ones for the finish.
#
# **Predict.** Which change brings most: a step size ten or thirty times as large, a batch four times as large, or the schedule?
# (The second cell takes about two minutes.)
#
# <details><summary>Open the answer when you have decided</summary>
#
# The larger step, by far: with 0.0001 the model is still on its way after one epoch.
# A larger batch makes fewer steps in an epoch, and saves little time.
#
# </details>

# %%
def train(model, step_size, batch_size, epochs, cosine=False, **options):
    """Train on the training images; return the history and the seconds."""
    if cosine:
        steps = epochs * int(np.ceil(len(data.x_train) / batch_size))
        step_size = keras.optimizers.schedules.CosineDecay(step_size, steps)
    model.compile(keras.optimizers.Adam(step_size))
    started = time.perf_counter()
    options = {"verbose": 0, **options}
    history = model.fit(data.x_train, epochs=epochs, batch_size=batch_size, **options)
    return history, time.perf_counter() - started


def test_elbo(model):
    return -model.evaluate(data.x_test, batch_size=500, verbose=0, return_dict=True)["loss"]


# %%
trials = {
    "as in the tutorial: step 0.0001, batch 32": (1e-4, 32, False),
    "step 0.001": (1e-3, 32, False),
    "step 0.001, batch 128": (1e-3, 128, False),
    "step 0.003": (3e-3, 32, False),
    "step 0.003, cosine": (3e-3, 32, True),
}
elbo_of, seconds_of = {}, {}
for name, (step_size, batch_size, cosine) in trials.items():
    keras.utils.set_random_seed(settings.seed)
    model = tutorial_network()
    _, seconds_of[name] = train(model, step_size, batch_size, settings.budget, cosine)
    elbo_of[name] = test_elbo(model)
    print(f"{name:44s} test ELBO {elbo_of[name]:8.1f}   {seconds_of[name]:4.0f} s")

# %%
start, larger, batch, largest, cosine = elbo_of.values()
vh.expect("gain from ten times the step, nats", larger - start, at_least=10)
vh.expect("loss from the larger batch, nats", larger - batch, at_least=3)
vh.expect("gain from three times that step, nats", largest - larger, at_least=0)
vh.expect("effect of the schedule in one epoch, nats", cosine - largest, at_least=-6, at_most=6)

# %% [markdown]
# **What you see.** A step ten times as large gains most: with steps of 0.0001, the model is far behind after one epoch.
# A batch four times as large makes a quarter of the steps, and loses nearly as much; look how little time it saves.
# A step of 0.003 is a little better than 0.001.
# The schedule does not help in a single epoch.
# We keep it for the long training, because its last steps are small.
# (One seed each: do not trust differences of a nat or two.
# And note that we choose by the test images, so our result looks a little too good.
# For a real report, keep some training images apart for choosing.)
#
# ## Training, on film
#
# Now the real training, five epochs, with step 0.003.
# We make two films at once: the reconstructions of sixteen test images, and the latent plane, decoded.
# `vh.Frames` collects the pictures during the training, and `vh.save_gif` joins them.
# The training takes two to three minutes.

# %%
keras.utils.set_random_seed(settings.seed)
vae = tutorial_network()
sixteen = data.x_test[:16]


def draw(model):
    """The sixteen test images and, below each row, their reconstructions, as one picture."""
    again = model.reconstruct(sixteen)
    return vh.mosaic([sixteen[:8], again[:8], sixteen[8:], again[8:]])


def draw_plane(model):
    """12 × 12 decoded codes, spaced by the prior, as one picture."""
    axis = vh.latent_grid(12, "quantile")
    rows = [model.decode(np.stack([axis, np.full(12, z2)], axis=1)) for z2 in axis[::-1]]
    return vh.mosaic(rows, gap=0)


film, growth = vh.Frames(draw, every=25), vh.Frames(draw_plane, every=25)
options = {"cosine": True, "callbacks": [film, growth], "validation_data": data.x_test, "verbose": 2}
history, _ = train(vae, 3e-3, 32, settings.epochs, **options)
elbo_conv = test_elbo(vae)
vh.expect("test ELBO, nats per image (the tutorial: -156.5)", elbo_conv, at_least=-153)
by_drawing = vh.log_likelihood(vae, data.x_test, samples=1)  # the tutorial's formula, all by drawing
error = by_drawing.std() / np.sqrt(len(by_drawing))
print(f"the same, all by drawing: {by_drawing.mean():.1f} ± {error:.1f} (standard error)")
vh.expect("difference of the two formulas", abs(by_drawing.mean() - elbo_conv), at_most=2)

# %% [markdown]
# **What you see.** In five epochs, the same network is clearly better than the tutorial's after ten.
# The tutorial reports the estimate "all by drawing" of lesson 03; on average both are the ELBO.
# (`vh.log_likelihood` with more than one draw gives a tighter bound, by Burda and others,
# *Importance weighted autoencoders*, ICLR 2016, on $\log p(x)$; with one draw it is the ELBO.
# The standard error says how much the number depends on the choice of test images and on the draws.)
#
# Most happens at the beginning of the training.
# So in the film there are more and more training steps between two pictures.

# %%
import tempfile
from pathlib import Path

growing = np.geomspace(1, len(film.frames), 24).round().astype(int)
shown = np.unique(growing) - 1


def movie(frames, name, scale, alt):
    """The chosen frames as a GIF in the notebook, in 16 grey levels, which keeps it small."""
    small = [np.round(15 * frames[i]) / 15 for i in shown]
    with tempfile.TemporaryDirectory() as folder:
        path = vh.save_gif(small, Path(folder) / f"{name}.gif", frame_ms=200)
        vh.expect(f"size of {name}.gif, MB", path.stat().st_size / 1e6, at_most=1, everywhere=True)
        return vh.show_gif(path, scale, alt)


movie(film.frames, "reconstructions", 2, "sixteen digits and their reconstructions, which become clearer")

# %%
chosen = shown[np.linspace(0, len(shown) - 1, 6).round().astype(int)]


def contact_sheet(frames, size):
    _, axes = plt.subplots(2, 3, figsize=size)
    for ax, i in zip(axes.flat, chosen):
        ax.imshow(frames[i], cmap="gray", vmin=0, vmax=1)
        ax.set_title(f"after {25 * i} steps", fontsize=10)
        ax.set_axis_off()


contact_sheet(film.frames, (9, 4))

# %% [markdown]
# **What you see.** The film, and below it six of its pictures.
# In each picture, the first and third row are the test images, and below each stands its reconstruction.
# It begins as flat grey.
# Soon all reconstructions are nearly the same blur.
# Then they part, and become sharper for the rest of the training.
# In the stored run, some stay wrong to the end: a 4 that looks like a 9, a 5 that becomes a blend.
#
# Now the second film: the whole plane, spaced by the quantiles of the prior.
#
# **Predict.** Where will the first clear digits appear: in the middle, or at the border?
# Which digit will be first?

# %% tags=["picture-manifold"]
movie(growth.frames, "manifold", 1, "the latent plane: one blur divides into the ten digits")

# %%
contact_sheet(growth.frames, (8, 5.6))

# %% [markdown]
# **What you see.** It begins as flat grey.
# Soon the whole plane is one blur, nearly the mean of all digits: the decoder does not use the code yet.
# Then the plane divides like a map of countries, first into few kinds of strokes, then into more.
# The borders move for a while; at the end mostly the strokes become sharper.
# In the stored run, the first clear digits stand at the border of the picture, and the middle, where many classes meet, is decided last.

# %%
vh.plot_history(history);

# %% [markdown]
# **What you see.** The three curves of lesson 02.
# As there, the reconstruction falls while the KL of the training images rises (that of the test images dips once).
# Minus the left curve is the ELBO.
#
# We keep the model: lesson 05 walks through its latent plane.

# %%
vae.save(settings.saved(f"conv_vae_{data.name}.keras"))
vh.plot_manifold(vae, n=settings.grid, spacing="quantile")
plt.title("The latent plane, spaced by the prior");

# %% [markdown]
# **What you see.** Pixel means for the middle 90 % of each latent, 20 × 20 images in one decoder call.
# Neighbouring regions flow into each other.
#
# ## Is it the convolutions?
#
# We did better than the tutorial with its own network, by training it differently.
# But do we need convolutions at all?
# Here are two multilayer perceptrons (MLPs), networks of Dense layers: one with about *as many parameters*, and a large one.
# All three train with the same step size, batch size, schedule, seed and number of epochs.
# The time is that of one epoch, without film.
# (The cell takes about a minute and a half.)
#
# **Predict.** The small MLP has two hidden layers of 42 units on each side, the large one two of 512.
# Which of the three has the best test ELBO?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The large MLP.
# And the small one comes near the convolutional network.
# Read on for a likely reason, and for what convolutions are good for.
#
# </details>

# %%
def train_mlp(width):
    """Two hidden layers on each side; test ELBO, parameters, seconds per epoch."""
    keras.utils.set_random_seed(settings.seed)
    encoder = vh.mlp_encoder(data.image_shape, 2, (width, width))
    model = vh.VAE(encoder, vh.mlp_decoder(data.image_shape, 2, (width, width)))
    _, seconds = train(model, 3e-3, 32, settings.epochs, cosine=True)
    return model.count_params(), seconds / settings.epochs, test_elbo(model)


seconds_conv = seconds_of["step 0.003, cosine"] / settings.budget
comparison = {"convolutional": (vae.count_params(), seconds_conv, elbo_conv)}
comparison["MLP, as many parameters"] = train_mlp(42)
comparison["MLP, 512 units"] = train_mlp(512)

print(f"{'':26s}parameters   seconds per epoch   test ELBO")
for name, (parameters, took, elbo) in comparison.items():
    print(f"{name:26s}{parameters:10,}   {took:17.0f}   {elbo:9.1f}")

# %%
conv, small_mlp, large_mlp = comparison.values()
difference = conv[2] - small_mlp[2]
vh.expect("convolutional minus MLP of the same size, nats", difference, at_least=-6, at_most=4)
vh.expect("large MLP minus convolutional, nats", large_mlp[2] - conv[2], at_least=1)
vh.expect("seconds, convolutional / MLP of the same size", conv[1] / small_mlp[1], at_least=1.5)

# %% [markdown]
# **What you see.** Perhaps a surprise.
# With the same number of parameters and the same training, the convolutional network
# and the small MLP end within a few nats of each other, and the MLP needs far less time.
# The large MLP is better than both.
# So *on MNIST with two latents, convolutions buy nothing*.
# A likely reason: the digits are small and always in the middle, so an MLP can learn each pixel by itself;
# and two numbers can carry little, whatever the network.
# (Note that "the same training" matters: the table of changes above shows how much the batch size alone can do.
# One seed each; compare seconds only within one machine.)
#
# What changes for larger images is the number of parameters: a Dense layer from 64 × 64 × 3 pixels to 512 units has 6.3 million of them.
# A convolution has the same number for any size of image:

# %% tags=["nbval-check-output"]
print("Dense layer, 512 units, on 28 × 28 × 1: ", (28 * 28 * 1 + 1) * 512)
print("Dense layer, 512 units, on 64 × 64 × 3: ", (64 * 64 * 3 + 1) * 512)
print("convolution, 32 filters, on any size × 3:", (3 * 3 * 3 + 1) * 32)

# %% [markdown]
# ## Three ways to black and white
#
# Our pixels are thresholded at 0.5.
# Other programs toss a coin with the grey value as its probability (*stochastic* binarization), or use the grey values as they are.
# All three put the pixels into the same formula, $-x\log p-(1-x)\log(1-p)$ for a pixel $x$.
# May we compare the results?
#
# First, one pixel.
# What is the smallest value that the formula can take?

# %%
p = np.linspace(0.002, 0.998, 300)
fig, ax = plt.subplots(figsize=(6.5, 3))
for x, style in ((0.0, "-"), (0.3, "--"), (0.5, ":")):
    ax.plot(p, -x * np.log(p) - (1 - x) * np.log(1 - p), style, label=f"pixel x = {x}")
ax.set(xlabel="the decoder's probability p", ylabel="nats", ylim=(0, 3), title="A grey pixel costs something even at its best")
ax.legend();

# %% [markdown]
# **What you see.** For a black pixel, $x=0$, the cost can go down to 0.
# For a grey pixel it cannot: the best answer is $p=x$, and what remains there is $-x\log x-(1-x)\log(1-x)$,
# the **entropy** of a coin with the probability $x$: its average surprise, for somebody who knows $x$.
# Summed over the pixels of an image, it is a floor for grey pixels.
#
# ### Exercise 4.3 · Toss the coins
#
# Write the stochastic binarization: each pixel becomes 1 with its grey value as the probability, and 0 otherwise.
# Each pixel of each image gets a coin of its own, at every call.
# `rng.random(shape)` gives random numbers between 0 and 1.

# %%
def binarize(grey, rng):
    """Coins for grey pixels. grey: images in [0, 1]; rng: a numpy generator. Returns 0 and 1, in the same shape."""
    ### BEGIN SOLUTION
    return (rng.random(grey.shape) < grey).astype("float32")
    ### END SOLUTION


vh.check.binarize(binarize)

# %% [markdown]
# **Target:** a row like the last one in the next picture.
# After it, run `vh.plot_images(binarize(grey[:8], np.random.default_rng(0)))`, twice: the digits stay, their edges change a little if you change the 0.
# From here on the lesson uses the package's coins, `binarize="stochastic"`.

# %%
grey = vh.load_images("mnist").x_test
versions = {
    "grey": grey,
    "threshold": data.x_test,
    "stochastic": vh.load_images("mnist", binarize="stochastic").x_test,
}
vh.plot_images([x[:8] for x in versions.values()], list(versions));

# %% [markdown]
# **What you see.** The same digits, three times.
# Grey pixels stand at the edges of the strokes.
# The threshold makes the edges hard; the coins make them rough.
#
# **Predict.** We evaluate the *same* trained model on the *same* 10,000 test digits, prepared in the three ways.
# Which loss is smallest?
#
# <details><summary>Open the answer when you have decided</summary>
#
# That of the thresholded digits: the model was trained on them, and they contain no coins.
# The other two are close to each other, because the formula is linear in the pixel: for the same code, a coin costs on average what its grey value costs.
# (They are not exactly equal: the encoder sees another image.)
#
# </details>

# %%
def entropy(pixels):
    """The mean entropy of the pixels of an image, in nats, each grey value taken as a probability."""
    p = pixels.astype("float64").clip(1e-12, 1 - 1e-12)
    return -np.sum(p * np.log(p) + (1 - p) * np.log(1 - p), axis=(1, 2, 3)).mean()


# %%
losses = {}
for name, x in versions.items():
    losses[name] = vae.evaluate(x, batch_size=500, verbose=0, return_dict=True)["loss"]
for name, loss in losses.items():
    print(f"{name:12s} loss {loss:6.1f} nats")
print(f"entropy of the grey pixels: {entropy(grey):.1f} nats per image")
spread = max(losses.values()) - min(losses.values())
vh.expect("spread of the three losses, nats", spread, at_least=4)
vh.expect("thresholded minus smallest loss", losses["threshold"] - min(losses.values()), at_most=0)
vh.expect("entropy of the grey pixels", entropy(grey), at_least=30)

# %% [markdown]
# **What you see.** One model, one set of digits, three different numbers.
# They answer different questions:
#
# - **Thresholded** pixels are 0 or 1, fixed for each image.
#   The loss bounds $-\log p(x)$ of these images.
# - **Stochastic** pixels are 0 or 1 too, but random.
#   The loss is again a bound, on other, noisier images.
#   No model can predict the coins: they alone cost, on average, the entropy printed above.
# - **Grey** pixels are neither.
#   The loss is usable, but it is *no likelihood*: added up over all grey images, its "probabilities" do not give 1.
#   Its floor is the same entropy.
#   That is why it lies near the stochastic one: the formula is linear in $x$, so a coin costs on average what its grey value costs.
#
# So never compare such numbers across the three, nor with papers that use another one.
#
# ## Fashion, as in a well-known tutorial
#
# A widely read tutorial trains a convolutional VAE on grey Fashion-MNIST images for 100 epochs, and ends at a training loss of 252.49.
# It takes the *mean* of the KL over its 2 latents.
# Lesson 03 tells us what that means: its effective β is ½.
# We build the same network, count its parameters, and train it with `beta=0.5`, which is the same loss.
# But we keep the test images apart, which the tutorial does not.

# %% tags=["nbval-check-output"]
keras.utils.set_random_seed(settings.seed)
fashion_vae = vh.VAE(
    vh.conv_encoder((28, 28, 1), latent_dim=2, filters=(32, 64), dense=(16,)),
    vh.conv_decoder((28, 28, 1), latent_dim=2, filters=(64, 32)),
    beta=0.5,
)
print("encoder:", fashion_vae.encoder.count_params(), "  decoder:", fashion_vae.decoder.count_params())

# %%
fashion = vh.load_images("fashion_mnist")
fashion_vae.compile(keras.optimizers.RMSprop(1e-3))
fashion_vae.fit(fashion.x_train, epochs=3 * settings.budget, batch_size=64, verbose=2)
scores = fashion_vae.evaluate(fashion.x_test, batch_size=500, verbose=0, return_dict=True)

# %%
floor = entropy(fashion.x_test)
print("on test images that were not trained on:")
print(f"the loss with beta = 1/2      {scores['loss']:6.1f}")
print(f"the loss with beta = 1        {scores['reconstruction'] + scores['kl']:6.1f}")
print(f"entropy of the grey pixels    {floor:6.1f}   (no decoder comes below)")
vh.expect("test loss with beta = 1/2 (the tutorial, training: 252.5)", scores["loss"], at_least=258, at_most=272)
vh.expect("entropy / loss", floor / scores["loss"], at_least=0.6)

# %% [markdown]
# **What you see.** After three epochs in place of a hundred, our test loss is some 14 nats above the tutorial's training loss (one training).
# Look at the last line: most of the loss is the entropy of the grey pixels, which no model can remove.
# A model can gain at most the difference.
# That is why such a loss seems hardly to fall, and why it should be reported together with this floor.

# %%
mean, _ = fashion_vae.encode(fashion.x_test)
vh.plot_latent_scatter(mean, fashion.y_test, fashion.class_names, limit=4)
plt.plot([-2, 2, 2, -2, -2], [-2, -2, 2, 2, -2], "k--", linewidth=1.5)  # the next picture
plt.title("Fashion-MNIST: test images in the latent plane");

# %%
vh.plot_manifold(fashion_vae, n=10, limit=2)
plt.title("The same plane, decoded");

# %% [markdown]
# **What you see.** First the map: shoes, trousers, bags and tops lie in different regions, with the class name at the middle of each.
# Then the decoded plane from −2 to 2, the dashed square of the map.
# Compare the two: where the map has ankle boots, the plane shows boots; the trousers lie at its right edge, and many of them outside.
# In the stored run, the codes do not lie around 0: the mixture of the clouds is far from the prior; β = ½ and the short training are likely reasons.
# Where there are no codes (for example in the upper right corner), the decoder continues the nearest kind of clothing.
#
# ## A third pair of networks
#
# The old Keras examples had a *deconvolutional* VAE.
# Its decoder ends with a map of 29 × 29 pixels, which an ordinary 2 × 2 convolution trims to 28 × 28.
# It is reached by the arguments of the same two functions:

# %% tags=["nbval-check-output"]
encoder = vh.conv_encoder(
    (28, 28, 1), 2, filters=(1, 64, 64, 64), kernels=(2, 2, 3, 3), strides=(1, 2, 1, 1), dense=(128,)
)
decoder = vh.conv_decoder(
    (28, 28, 1), 2, dense=(128,), filters=(64, 64, 64), strides=(1, 1, 2),
    padding=("same", "same", "valid"), last_kernel=2, last_padding="valid",
)  # fmt: skip
for network in (encoder, decoder):
    print(network.name)
    for layer in network.layers:
        print("  ", layer.name, tuple(layer.output.shape[1:]))

# %% [markdown]
# **What you see.** Each layer with its output shape.
# The third transposed convolution, with "valid" padding, gives $(14-1)\cdot2+3=29$ pixels a side, and the last layer trims them to 28.
#
# ## Walk through it yourself
#
# The package can turn a model with two latents into a page that you explore with mouse, finger or arrow keys:
# the map of codes on one side, the decoded image of the point under your hand on the other.
# Run the cell.
# The page needs neither a running notebook nor the internet: both networks run in the page itself.
# So you can also draw a digit of your own, and see its cloud, and what it costs in nats.
# The file that it saves is the whole page: open it in a browser, or send it to a friend.

# %% tags=["live"]
explorer = vh.latent_explorer(vae, data.x_test, data.y_test, data.class_names)
print("saved as", explorer.save(settings.saved(f"explorer_{data.name}.html")))
vh.expect("largest error of the page's pictures, mean over pixels", explorer.worst_error, at_most=0.1)
explorer

# %%
mean, _ = vae.encode(data.x_test)
fig, axes = plt.subplots(1, 2, figsize=(11, 5))
vh.plot_latent_scatter(mean, data.y_test, data.class_names, limit=3, ax=axes[0])
axes[0].legend_.remove()
axes[0].set_title("the dots")
vh.plot_manifold(vae, n=settings.grid, limit=3, ax=axes[1])
axes[1].set_title("the pictures behind them");

# %% [markdown]
# **What you see.** Where you run the cell: the explorer.
# Where a page cannot run programs (on GitHub, for example): the same content without motion, in the figure below it.
# On the left the code of each test image (the page shows 2000 of them), on the right what the decoder draws at these places.
# (The page rounds the parameters of the networks; the line about the largest error compares its images with those of the decoder.)
#
# Try this: move from a 3 to an 8, and look for the way that stays clear longest.
# Press *Set A* at one place and *Set B* at another, then *Play A to B*.
# Press *Surprise me* ten times: how many of the ten draws from the prior would you accept as digits?
#
# ## Exercise 4.4 · Change it, and explain
#
# Here you have no check but your own eyes.
# (`vh.expect` compares with the numbers in the lesson.
# When you change something, it may say OFF.)
#
# **First:** move the pixels of all images in the same way:
# `order = np.random.default_rng(0).permutation(784)`, then `x = data.x_train.reshape(-1, 784)[:, order].reshape(-1, 28, 28, 1)`.
# Reorder `x_test` in the same way.
# Make four trainings of one epoch, each with `model.compile(keras.optimizers.Adam(3e-3))` and `model.fit(…, batch_size=32)`:
# `tutorial_network()` and the small MLP, `vh.VAE(vh.mlp_encoder(data.image_shape, 2, (42, 42)), vh.mlp_decoder(data.image_shape, 2, (42, 42)))`,
# each on the images as they were and on the moved ones.
# `model.evaluate(…, return_dict=True)` gives the test loss.
# Before you run it: how many nats will each of the two lose by the move?
#
# <details><summary>Open the answer when you have tried</summary>
#
# The convolutional network.
# When we ran it, its test loss rose from 159.3 to 165.1; that of the MLP hardly changed (161.6 and 161.4; one seed).
# To a Dense layer the order of the pixels means nothing.
# A convolution believes that neighbours belong together, and in the moved images they do not.
# So the convolutions *do* use the order of the pixels.
# They only have little to gain on these digits.
#
# </details>
#
# **Then:** in a new cell, build the tutorial's network with `latent_dim=10` (do not change the cell above: lesson 05 needs its model with two).
# Train it for one epoch like the row "step 0.003, cosine", and compare with that row.
# How much does the test ELBO gain?
# Which term changes most?
#
# ## To take away
#
# 1. A convolution uses one small kernel everywhere; a transposed convolution stamps its kernel.
#    Both have (kernel height · kernel width · input channels + 1) · filters parameters.
# 2. With a larger step and a falling schedule, the tutorial's network did better in five epochs than the tutorial's in ten.
#    Change one thing at a time.
# 3. Compare at equal parameters *and* equal training.
#    On MNIST with two latents, convolutions then buy nothing; on larger images they save parameters.
# 4. Losses on thresholded, stochastic and grey pixels answer different questions.
#    Never compare them.
# 5. A loss on grey pixels has a floor, their entropy.
#    Report it beside the loss.
#
# **Where the ideas come from.**
# Transposed convolutions: M. Zeiler and others, *Deconvolutional networks*, CVPR 2010;
# V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning* (2016).
# Batch normalization: S. Ioffe and C. Szegedy, ICML 2015.
# Cosine schedule: I. Loshchilov and F. Hutter, *SGDR*, ICLR 2017.
# Grey pixels under a Bernoulli likelihood: G. Loaiza-Ganem and J. Cunningham, *The continuous Bernoulli*, NeurIPS 2019.
# Stochastic binarization: R. Salakhutdinov and I. Murray, ICML 2008.
#
# **Next:** lesson 05 walks through the latent plane: what lies where, and what the empty places hold.
