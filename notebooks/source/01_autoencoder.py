# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Autoencoder
#
# You squeeze pictures of clothes through two numbers, see what survives, and find out why you cannot simply draw
# *new* pictures with the result.
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{{repository}}/blob/{{branch}}/notebooks/01_autoencoder.ipynb)
#
# **Time:** about 1 minute of computing on two cores (not measured yet on a Colab GPU), and 40 minutes of reading and
# thinking.
#
# **You will be able to**
#
# - compress images with principal component analysis (PCA) and with a neural network, and compare the two fairly;
# - say what *encoder*, *decoder*, *code* and *latent* mean;
# - read a map of codes: what its distances tell you and what they do not;
# - show where an autoencoder fails as a generator, and say exactly what is missing.
#
# **You need** Python, a little numpy, and the idea of an average and a standard deviation. Each new word is explained
# where it first appears.

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

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=6, grid=20, samples=2000)
data = vh.load_images("fashion_mnist")

# %% [markdown]
# The last line says which pictures you have. The pictures stored in this notebook were made from **eight of the ten
# classes** of Fashion-MNIST (Pullover and Shirt were missing). If your line says nothing about classes, you have all
# ten, and your numbers will differ a little from the stored ones.
#
# `x_train` are the images to learn from. `x_test` are images that the model never sees while it learns. We measure
# everything on `x_test`, because to repeat what you have seen is easy.

# %% tags=["nbval-check-output"]
print("one image:", data.image_shape, data.x_train.dtype)
print("pixels of one image:", np.prod(data.image_shape))

# %% [markdown]
# ## How many numbers does a picture need?
#
# One image is a grid of 28 × 28 = 784 pixels. Each pixel is a number from 0 (black) to 1 (white). So one image is a
# list of 784 numbers.
#
# **Predict.** Below, the first row shows real images. For the second row we draw 784 random numbers between 0 and 1 for
# each image. How many such random images would you have to draw until one looks like a shoe?
# (a) about a hundred, (b) about a million, (c) you would not live long enough.

# %%
classes = np.unique(data.y_test)
one_of_each = [np.argmax(data.y_test == c) for c in classes]  # the first test image of each

examples = data.x_test[one_of_each]
noise = np.random.default_rng(0).random(examples.shape)
names = [data.class_names[c] for c in classes]
vh.plot_images([examples, noise], ["real", "random"], titles=names);

# %% [markdown]
# **What you see.** First row: one image of each class. Second row: grey noise, every time. The answer is (c). In a real
# image, neighbouring pixels are alike, the left side resembles the right side, and the corners are black. Almost no list
# of 784 numbers is a picture of clothes. So if you know that a list *is* a picture of clothes, you need far fewer than
# 784 numbers to say *which* picture. How few?
#
# Before we compress, we need a measure of error. We take the squared difference of each pixel and **sum over the
# pixels**. Then we take the mean over the images:
#
# $$\text{error} = \frac1N\sum_{n=1}^{N}\ \sum_{i=1}^{784}\left(x_{n,i}-\hat x_{n,i}\right)^2$$
#
# Here $x_{n,i}$ is pixel $i$ of image $n$, and $\hat x_{n,i}$ (read "x hat") is the same pixel after compression. The
# worst sensible answer is to give the *same* picture for every image: the mean of all training images. Its error is our
# yardstick.

# %%
def error(images):
    """Squared error against the test images: sum over pixels, mean over images."""
    return float(np.mean(vh.squared_error(data.x_test, images)))


mean_image = data.x_train.mean(axis=0)
errors = {"mean image": error(mean_image[None])}
vh.expect("mean image, error", errors["mean image"], at_least=60, at_most=80)

# %% [markdown]
# ## Straight lines first: PCA
#
# **Principal component analysis** (PCA) is the best compression that uses only additions and multiplications by fixed
# numbers. It finds a few *directions* in the space of 784 numbers. The first direction is the one along which the images
# differ most, the second is the next, and so on. To compress an image, we write down how far it lies along each
# direction. To get it back, we walk that far from the mean image.
#
# With two directions, each image becomes two numbers.

# %%
from sklearn.decomposition import PCA

flat_train = data.x_train.reshape(len(data.x_train), -1)  # (images, 784)
flat_test = data.x_test.reshape(len(data.x_test), -1)

pca = PCA(n_components=2).fit(flat_train)
codes_pca = pca.transform(flat_test)  # (images, 2): compressed
back = pca.inverse_transform(codes_pca)  # (images, 784): decompressed

# %% [markdown]
# There is no magic inside. The two steps are two matrix products, and three lines of numpy give the same result:

# %%
W = pca.components_.T  # (784, 2): the two directions, as columns
codes_by_hand = (flat_test - pca.mean_) @ W
back_by_hand = codes_by_hand @ W.T + pca.mean_

difference = np.abs(back - back_by_hand).max()
vh.expect("largest difference from scikit-learn", difference, at_most=1e-3, everywhere=True)

# %% [markdown]
# Note the two steps; they have the same names in the rest of the course:
#
# - the **encoder** turns an image $x$ into a short list of numbers $z$, the **code**;
# - the **decoder** turns a code $z$ into an image $\hat x$, the **reconstruction**.
#
# The code is also called *latent*, which means hidden: nobody measured these numbers, we computed them. Its length is
# the number of **latents**.
#
# **Predict.** With 2 latents, which classes will be easy to recognize after PCA? And with 10?

# %%
def pca_reconstruct(latent_dim):
    """The test images after PCA; pixels cut off at 0 and 1."""
    pca = PCA(latent_dim).fit(flat_train)
    back = pca.inverse_transform(pca.transform(flat_test))
    return back.reshape(data.x_test.shape).clip(0, 1)


back_pca = {latents: pca_reconstruct(latents) for latents in (2, 10)}
errors |= {f"PCA, {latents}": error(back_pca[latents]) for latents in (2, 10)}
rows = [examples, back_pca[2][one_of_each], back_pca[10][one_of_each]]
vh.plot_images(rows, ["image", "PCA, 2 latents", "PCA, 10 latents"]);

# %% [markdown]
# **What you see.** With 2 latents, everything is a blurred mixture of a top and a shoe: PCA can only add and subtract the
# same two pictures. With 10 latents the kind of clothing is clear, but shadows of other clothes shine through, and
# letters and stripes are gone.

# %%
vh.expect("PCA with 2 latents, error", errors["PCA, 2"], at_least=30, at_most=43)
vh.expect("PCA with 10 latents, error", errors["PCA, 10"], at_least=15, at_most=24)

# %% [markdown]
# ## Now with bends: an autoencoder
#
# An **autoencoder** has the same two steps, but each step is a small neural network. A network is a chain of *layers*.
# A **Dense** layer multiplies by a matrix and adds a list of numbers; these numbers are the layer's *parameters*, and
# training finds them. Between two Dense layers stands a **ReLU**, the function $\max(0, a)$. It puts a bend into the
# map. Without bends, the whole chain would be one straight map again, and no straight map has less squared error than PCA
# (Baldi and Hornik proved this in 1989).

# %%
def make_autoencoder(latent_dim):
    shape = data.image_shape
    encoder = vh.mlp_encoder(shape, latent_dim, hidden=(256, 128), variational=False)
    decoder = vh.mlp_decoder(shape, latent_dim, hidden=(128, 256))
    autoencoder = vh.Autoencoder(encoder, decoder)
    autoencoder.compile(keras.optimizers.Adam(learning_rate=2e-3))
    return autoencoder


autoencoder = make_autoencoder(latent_dim=2)
vh.plot_architecture(autoencoder);

# %% [markdown]
# **What you see.** Two chains. The upper one, the encoder, narrows from 784 numbers to 2. The lower one, the decoder,
# widens from 2 to 784. Each box names a layer, the shape of what comes out, and how many parameters it has. All
# information about the image must pass through the 2 numbers in the middle: the **bottleneck**.
#
# (The option `variational=False` means: give one code. From lesson 02 on, the encoder will give two lists.)
#
# The last layer of the decoder gives any real number, called a **logit**. The *sigmoid* function $1/(1+e^{-a})$ turns it
# into a pixel between 0 and 1. Here is the whole computation by hand, before any training. The class `vh.Autoencoder`
# does the same.

# %%
code = autoencoder.encoder(data.x_test)  # (images, 2)
logits = autoencoder.decoder(code)  # (images, 28, 28, 1)
images = keras.ops.sigmoid(logits)

loss = autoencoder.evaluate(data.x_test, return_dict=True, verbose=0)["loss"]
difference = abs(loss - error(images))
vh.expect("loss of the class minus loss by hand", difference, at_most=1e-2, everywhere=True)

# %% [markdown]
# Training changes all parameters, step by step, so that the error on the training images falls. One step looks at one
# **batch** of 128 images. One **epoch** is one pass over all training images. **Adam** is a common rule for the size of
# each step. We train two autoencoders, with 2 and with 10 latents. Each takes about 10 seconds.

# %%
training = {"epochs": settings.epochs, "batch_size": 128, "verbose": 2}
history = autoencoder.fit(data.x_train, validation_data=data.x_test, **training)

# %%
autoencoder_10 = make_autoencoder(latent_dim=10)
history_10 = autoencoder_10.fit(data.x_train, validation_data=data.x_test, **training)

# %%
axes = vh.plot_history(history)
axes[0].set_title("2 latents: error per image after each epoch");

# %% [markdown]
# **What you see.** The error falls quickly in the first epochs and then slowly. *Training* is measured on images that the
# model learns from, *validation* on the test images. The two curves stay together: the model did not just learn the
# training images by heart.
#
# **Predict.** Which will be better: PCA with 10 latents, or the autoencoder with only 2?

# %%
back = {
    "PCA, 2": back_pca[2],
    "autoencoder, 2": autoencoder.reconstruct(data.x_test),
    "PCA, 10": back_pca[10],
    "autoencoder, 10": autoencoder_10.reconstruct(data.x_test),
}
errors |= {name: error(images) for name, images in back.items()}
rows = [examples, *(images[one_of_each] for images in back.values())]
vh.plot_images(rows, ["image", *back]);

# %%
fig, ax = plt.subplots(figsize=(7.5, 2.8))
order = ["autoencoder, 10", "PCA, 10", "autoencoder, 2", "PCA, 2", "mean image"]  # upward
bars = ax.barh(order, [errors[name] for name in order], color=["C0", "C1", "C0", "C1", "0.6"])
ax.bar_label(bars, fmt="%.1f", padding=3)
ax.grid(axis="y", visible=False)
ax.set(xlabel="squared error per test image", title="At equal size, the autoencoder loses less");

# %% [markdown]
# **What you see.** At 2 latents the autoencoder shows clothes that one can name, where PCA shows blurs. At equal size, the
# autoencoder makes roughly 40 % less error. Two numbers behind bent maps do almost as well as ten behind a straight
# one, but not quite. What both lose is *detail*: letters, stripes, buckles. A squared error hardly notices such small
# things.

# %%
def ratio(first, second):
    return errors[first] / errors[second]


vh.expect("autoencoder / PCA, 2 latents", ratio("autoencoder, 2", "PCA, 2"), at_most=0.7)
vh.expect("autoencoder / PCA, 10 latents", ratio("autoencoder, 10", "PCA, 10"), at_most=0.7)
vh.expect("autoencoder, 2 / PCA, 10", ratio("autoencoder, 2", "PCA, 10"), at_least=1, at_most=1.4)

# %% [markdown]
# ## The map of codes
#
# With 2 latents, each test image is a point in a plane. The model never saw a class name. We use the names only to colour
# the points.
#
# **Predict.** Will images of one class lie together? Will a second training, with other random starting parameters, give
# the same map?

# %%
keras.utils.set_random_seed(2)
second = make_autoencoder(latent_dim=2)
second.fit(data.x_train, epochs=settings.epochs, batch_size=128, verbose=0)

codes = np.array(autoencoder.encode(data.x_test))
maps = {"first training": codes, "second training: another map": second.encode(data.x_test)}
fig, axes = plt.subplots(1, 2, figsize=(11, 4.6))
for ax, (title, points) in zip(axes, maps.items()):
    vh.plot_latent_scatter(points, data.y_test, data.class_names, ax=ax)
    ax.set(title=title, aspect="auto")
axes[0].legend_.remove()

# %% [markdown]
# **What you see.** Each dot is one test image. Images of one class lie together, although nobody told the model about
# classes: similar images get similar codes, because the decoder is smooth. But look at four more things.
#
# 1. **The scale is arbitrary.** Codes reach far from 0. Nothing in the loss cares how large they are.
# 2. **The shape is arbitrary.** Some classes are thin rays, some are wide fans.
# 3. **There are empty places**, between the classes and outside.
# 4. **The second map is different**, with nearly the same error. The axes have no meaning of their own. Do not read
#    "$z_1$ is the sleeve length" into such a picture.

# %%
errors["second"] = error(second.reconstruct(data.x_test))
vh.expect("second / first training", ratio("second", "autoencoder, 2"), at_least=0.9, at_most=1.1)
vh.expect("standard deviation of the codes", codes.std(), at_least=2)

# %% [markdown]
# ## Between and outside the codes
#
# The decoder accepts *any* two numbers, not only codes of real images. So let us ask it about points that no image was
# encoded to. First, a path along a straight line from one image to another one.
#
# **Predict.** What lies half-way between a trouser and a sandal: (a) a real piece of clothing of a third kind, (b) a blend
# of both, like two slides on top of each other, (c) noise?

# %%
trouser, sandal = (np.median(codes[data.y_test == c], axis=0) for c in (1, 5))
steps = np.linspace(0, 1, 10)[:, None]
path = autoencoder.decode((1 - steps) * trouser + steps * sandal)

middle = codes.mean(axis=0)
outside = autoencoder.decode(trouser + 7 * steps * (trouser - middle))
vh.plot_images([path, outside], ["trouser to sandal", "trouser, then far out"]);

# %% [markdown]
# **What you see.** First row: a trouser at the left end, a sandal at the right end. Between them come blends and fragments
# that nobody could wear. The answer is mostly (b); a third class appears only where the line happens to cross its place on
# the map. Second row: we start at the trousers and walk away from the middle of the map. The picture soon becomes hard:
# its pixels go to pure black and pure white, which no photograph of trousers has. The decoder was never trained so far out,
# so nothing holds it back.
#
# Now the whole plane at once. We put a grid of points on the map and decode each one.

# %%
low, high = np.quantile(codes, [0.01, 0.99], axis=0)
ranges = list(zip(low, high))
fig, axes = plt.subplots(1, 2, figsize=(11, 5.2))
vh.plot_latent_scatter(codes, data.y_test, data.class_names, ax=axes[0])
axes[0].legend_.remove()
axes[0].set(xlim=ranges[0], ylim=ranges[1], aspect="auto", title="the codes of the test images")
vh.plot_manifold(autoencoder, n=settings.grid, limit=ranges, ax=axes[1])
axes[1].set_title("what the decoder draws there");

# %% [markdown]
# **What you see.** Both pictures show the same part of the plane. Where there are many dots on the left, the right picture
# shows clear clothes. Where there are no dots, it shows blends and fragments. So if you want to draw a *new* image, you
# need to know where the dots are.
#
# ## Can we draw new images?
#
# "Draw a new image" means: choose a code $z$ at random, then decode it. But *which* random numbers? The autoencoder
# does not say. We try two answers.
#
# - **Naive:** draw both numbers from a normal distribution with mean 0 and standard deviation 1, written
#   $\mathcal N(0, I)$. This is what a variational autoencoder does later, and people often show how badly a plain
#   autoencoder does with it.
# - **Fair:** look at the codes of the training images first. Compute their mean and covariance (how far they spread, and
#   how the two numbers vary together), and draw from the normal distribution with the same mean and covariance.
#
# **Predict.** Which fault will the naive images have? Which fault will remain in the fair ones?

# %%
rng = np.random.default_rng(0)
codes_train = np.array(autoencoder.encode(data.x_train))
mean, covariance = codes_train.mean(axis=0), np.cov(codes_train.T)
draws = {
    "naive": rng.normal(size=(settings.samples, 2)),
    "fair": rng.multivariate_normal(mean, covariance, size=settings.samples),
}
vh.plot_images([autoencoder.decode(z[:10]) for z in draws.values()], list(draws));

# %%
fig, ax = plt.subplots(figsize=(7.5, 5))
ax.scatter(*codes_train[:5000].T, s=4, color="0.7", label="codes of training images")
ax.scatter(*draws["fair"][:300].T, s=14, color="C1", marker="x", label="fair draws")
ax.scatter(*draws["naive"][:300].T, s=14, color="C0", label="naive draws")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
ax.set(xlabel="$z_1$", ylabel="$z_2$", title="Where the draws fall");

# %% [markdown]
# **What you see.** The naive draws sit in one small spot of the map, around 0. So the naive images show only what happens
# to lie there: in the stored run, dark fragments. That is not the fault of the decoder: it was asked about one spot only.
# The fair draws cover the right area. Some fair images are good. But the codes do not form a normal distribution: they form rays and islands. So the fair draws also fall
# *between* the rays, where no image was encoded, and there the decoder draws blends and fragments.
#
# We can count this. For each test image, we look for the nearest training code. We call a place **empty** if its nearest
# training code is farther away than for 99 % of the test images. By this definition, 1 % of the real images lie in empty
# places. How many of the fair draws do?

# %%
from sklearn.neighbors import NearestNeighbors

neighbours = NearestNeighbors(n_neighbors=1).fit(codes_train)
far = np.quantile(neighbours.kneighbors(codes)[0], 0.99)
empty = np.mean(neighbours.kneighbors(draws["fair"])[0] > far)
spread = draws["naive"].std() / codes.std()

vh.expect("share of fair draws in empty places (real: 0.01)", empty, at_least=0.1)
vh.expect("spread of the naive draws / spread of the codes", spread, at_most=0.4)

# %% [markdown]
# **What you see.** Far more of the fair draws than 1 % lie in empty places: in the stored run, about one in three.
#
# So what is missing?
#
# - The autoencoder gives a map from images to codes and back. It does **not** give a distribution of codes. In the language
#   of probability: it defines no *prior*, that is, no rule from which to draw $z$. One must be fitted afterwards.
# - Nothing in its training asks the decoder for good images at points *between* the codes.
#
# One can repair the first point with a more flexible distribution than one normal distribution, and lesson 02 will compare
# this honestly. The variational autoencoder repairs both at once: it *chooses* the distribution $\mathcal N(0, I)$ first, and
# then trains encoder and decoder so that the codes roughly fill it, and so that the decoder is asked about the places
# around each code.
#
# ## Other kinds of autoencoder
#
# The autoencoder above is **undercomplete**: its code is much shorter than the image. That is what forces it to find
# structure. If the code had 784 numbers, the network could copy the image and learn nothing. There are other ways to
# prevent copying:
#
# - a **sparse** autoencoder may have a long code, but pays for each number in it that is not zero, so each image uses only
#   a few of them;
# - a **denoising** autoencoder gets a damaged image (noise added, parts erased) and must return the undamaged one. It cannot
#   just copy, because the input is wrong.
#
# Neither of them comes with a rule for drawing codes, either.
#
# ## Try it
#
# - Change `latent_dim=10` to 50 and train again. Does the autoencoder still beat PCA with the same 50 latents? By how much?
# - Give the two networks no hidden layer, `hidden=()`. Which bar of the chart does its error come close to, and why?
# - Replace "fashion_mnist" by "mnist" and run everything again. Which classes overlap on the map?
#
# ## To take away
#
# 1. An autoencoder is an encoder and a decoder, trained together to give the input back through a bottleneck.
# 2. PCA is its straight-line relative and the baseline to beat: here the autoencoder makes roughly 40 % less error at the
#    same number of latents.
# 3. Similar images get similar codes, but the scale, the shape and the axes of the map are arbitrary.
# 4. Between and outside the codes nobody trained the decoder, so its pictures there are blends and fragments.
# 5. To draw new images you need a distribution over codes, and a plain autoencoder does not come with one.
#
# **Where the ideas come from.** PCA and linear networks: P. Baldi and K. Hornik, *Neural networks and principal component
# analysis*, Neural Networks 2 (1989). Deep autoencoders: G. Hinton and R. Salakhutdinov, *Reducing the dimensionality of data
# with neural networks*, Science 313 (2006), which compares with PCA in its figures 2 and 3. Sparse: M. Ranzato and others, *Efficient learning of sparse representations with an
# energy-based model*, NIPS 2006. Denoising: P. Vincent and others, *Extracting and
# composing robust features with denoising autoencoders*, ICML 2008. The data: H. Xiao, K. Rasul and R. Vollgraf,
# *Fashion-MNIST* (2017).
#
# **Next:** in lesson 02 the code of an image becomes a small cloud instead of a point. This changes everything.
