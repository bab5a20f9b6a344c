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
# You describe a picture of clothes with only two numbers, rebuild it from them, and see what is lost. Then you find out why this
# does not yet let you draw *new* pictures.
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{{repository}}/blob/{{branch}}/notebooks/01_autoencoder.ipynb)
#
# **Time:** about 1 minute of computing on two cores (not measured yet on a Colab GPU), and 40 minutes of reading and
# thinking.
#
# **You will be able to**
#
# - compress images with principal component analysis (PCA) and with a neural network, and compare the two by numbers;
# - say what *encoder*, *decoder*, *code* and *latent* mean;
# - read a map of codes: what its distances tell you and what they do not;
# - show where an autoencoder fails when you want new images, and say exactly what is missing.
#
# **You need** Python, a little numpy, and the idea of an average and a standard deviation. Each new word is explained
# where it first appears.
#
# **How to use a lesson.** Where it says *Predict*, decide before you run the cell. In an *exercise*, write your own lines in place of the three
# dots `...`, and run the cell. Its last line checks your function: it says what is right, or which mistake it sees. Try as often
# as you like. An exercise that you leave out does no harm: the check says *not yet*, and the later cells use the function of the course's package. Solutions are in the folder
# `notebooks/solutions`.

# %%
# On Colab this cell installs the package of the course. On your own machine it does nothing: there,
# the README of the course says how to install.
import subprocess
import sys

if "google.colab" in sys.modules:
    package = "git+https://github.com/{{repository}}@{{branch}}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", package], check=True)

# %% [markdown]
# *Keras* is a library for neural networks; it runs on *TensorFlow*. `vh` is the small package of this course. A *seed* fixes the random
# numbers, so that a second run on your machine gives the same result. `run_settings` also holds the other choices of this lesson, such as how
# long to train.

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
# ten, and your numbers will differ a little from the stored ones. If it says NOT fashion_mnist, there was no network: small digits are
# used instead, and the text about clothes does not fit.
#
# `x_train` are the images to learn from. `x_test` are images that are not used for learning. We measure everything on `x_test`, because
# it is easy to do well on images that were used for learning.

# %% tags=["nbval-check-output"]
print("one image:", data.image_shape, data.x_train.dtype)
print("pixels of one image:", np.prod(data.image_shape))

# %% [markdown]
# ## How many numbers does a picture need?
#
# One image is a grid of 28 × 28 = 784 pixels. Each pixel is one number, its grey value, from 0 (black) to 1 (white); that is the 1 in
# `(28, 28, 1)`. So one image is a list of 784 numbers.
#
# **Predict.** Below, the first row shows real images. For the second row we draw 784 random numbers between 0 and 1 for
# each image. How many such random images would you have to draw until one looks like a shoe?
# (a) about a hundred, (b) about a million, (c) you would not live long enough.
#
# <details><summary>Open the answer when you have decided</summary>
#
# (c). Almost all lists of 784 numbers look like the second row below. A strong simplification: in a real image, at least 140 pixels are dark, below 0.1 (measured below). Choose 140 pixels, and ask only that these are dark.
# One random image has that with probability 0.1<sup>140</sup>: a number with 139 zeros after the point.
#
# </details>

# %%
classes = np.unique(data.y_test)
one_of_each = [np.argmax(data.y_test == c) for c in classes]  # the first test image of each

examples = data.x_test[one_of_each]
noise = np.random.default_rng(0).random(examples.shape)
names = [data.class_names[c] for c in classes]
vh.plot_images([examples, noise], ["real", "random"], titles=names);

# %% [markdown]
# **What you see.** First row: one image of each class. Second row: grey noise, every time. The answer is (c). We can even count: in
# real images, many pixels are black. How many pixels below 0.1 has a real image at least, and a random one at most?

# %%
def dark_pixels(images):
    return np.array([np.sum(image < 0.1) for image in images])


fewest_real = np.quantile(dark_pixels(data.x_train), 0.01)  # all but 1 % have more
most_random = dark_pixels(np.random.default_rng(1).random((2000, *data.image_shape))).max()
vh.expect("dark pixels of a real image, at least", fewest_real, at_least=140)
vh.expect("dark pixels of 2000 random images, at most", most_random, at_most=130, everywhere=True)

# %% [markdown]
# Not one of two thousand random images comes near a real one, in this simplest of all respects. In real images, also neighbouring pixels are
# alike. So almost no list of 784 numbers is a picture of clothes, and we can hope that far fewer than 784 numbers are enough to say *which* picture it
# is. How few?
#
# Before we compress, we need a measure of error. We take the squared difference of each pixel and **sum over the
# pixels**. Then we take the mean over the images:
#
# $$\text{error} = \frac1N\sum_{n=1}^{N}\ \sum_{i=1}^{784}\left(x_{n,i}-\hat x_{n,i}\right)^2$$
#
# Here $N$ is the number of images, $x_{n,i}$ is pixel $i$ of image $n$, and $\hat x_{n,i}$ (read "x hat") is the same pixel after compression. The
# simplest answer is to give the *same* picture for every image: the mean of all training images. We compare all other errors with its error.
#
# ### Exercise 1.1 · The error of each image
#
# Write the inner part of the formula: the error of each image, the sum over its pixels. Leave the mean over the images for later, so that you get one number for each image. In
# `x`, axis 0 counts the images; axes 1, 2 and 3 are height, width and channel.

# %%
def squared_error(x, x_hat):
    """The squared error of each image. x, x_hat: (n, height, width, channels); x_hat may be one image for all. Returns (n,)."""
    ### BEGIN SOLUTION
    return ((x - x_hat) ** 2).sum(axis=(1, 2, 3))
    ### END SOLUTION


vh.check.squared_error(squared_error)

# %% [markdown]
# From here on the lesson uses `vh.squared_error`, which is the same. **Target:** the five numbers that the next cell prints first: the errors of the first five test images, if the mean image is the answer to all of them. To compare, run
# `squared_error(data.x_test[:5], mean_image[None])` after it. (`[None]` adds an axis of length 1; numpy then uses this one image for all five.)
#
# `vh.expect` prints what we measured, and the range that we expect. If it says OFF, your result is outside this range.

# %%
def error(images):
    """Squared error against the test images: sum over pixels, mean over images."""
    return float(np.mean(vh.squared_error(data.x_test, images)))


mean_image = data.x_train.mean(axis=0)
print("errors of the first five:", np.round(vh.squared_error(data.x_test[:5], mean_image[None]), 1))
errors = {"mean image": error(mean_image[None])}
vh.expect("mean image, error", errors["mean image"], at_least=60, at_most=80)

# %% [markdown]
# ## Straight lines first: PCA
#
# **Principal component analysis** (PCA) describes an image by a few numbers, using only additions and multiplications by fixed numbers.
# Among all such compressions it has the smallest squared error on the training images. It finds a few *directions* in the space of 784
# numbers. The first direction is the one along which the images differ most; the second is the same among the directions at a right angle to the first;
# and so on. Each direction is itself a list of 784 numbers, so we can look at it as a picture.
#
# To compress an image, we write down how far it lies along each direction. To rebuild it, we start from the mean image and add that much of each
# direction. With two directions, each image becomes two numbers.

# %%
from sklearn.decomposition import PCA

flat_train = data.x_train.reshape(len(data.x_train), -1)  # (images, 784)
flat_test = data.x_test.reshape(len(data.x_test), -1)

pca = PCA(n_components=2).fit(flat_train)
codes_pca = pca.transform(flat_test)  # (images, 2): compressed
back = pca.inverse_transform(codes_pca)  # (images, 784): decompressed

# %% [markdown]
# (`sklearn` is the library *scikit-learn*.)
#
# ### Exercise 1.2 · PCA with your own hands
#
# PCA is simple: the two steps are two matrix products. Write them. You get the mean image and the directions, each as a list of pixels. The directions have length 1 and stand at right angles; therefore the same directions compress and rebuild.
# To compress, measure each image from the mean: for each direction, multiply pixel by pixel and add up. To rebuild, add so much of each direction to the mean. (`a @ b` is the matrix product, which multiplies and adds up; `a.T` swaps rows and columns.)

# %%
def pca_reconstruct(x, mean, directions):
    """Images after PCA. x: (n, pixels); mean: (pixels,); directions: (k, pixels). Returns (n, pixels)."""
    ### BEGIN SOLUTION
    codes = (x - mean) @ directions.T  # (n, k)
    return codes @ directions + mean
    ### END SOLUTION


vh.check.pca_reconstruct(pca_reconstruct)

# %% [markdown]
# **Target:** `np.abs(pca_reconstruct(flat_test, pca.mean_, pca.components_) - back).max()` should be nearly 0. As a picture: the last one in the next figure.
#
# Note the two steps; they have the same names in the rest of the course:
#
# - the **encoder** turns an image $x$ into a short list of numbers $z$, the **code**;
# - the **decoder** turns a code $z$ into an image $\hat x$, the **reconstruction**.
#
# The code is also called *latent*, which means hidden: nobody measured these numbers, we computed them. Its length is
# the number of **latents**.
#
# Here is the whole decoder of PCA as pictures, for one T-shirt: image ≈ mean + $z_1$ · picture 1 + $z_2$ · picture 2.

# %%
z1, z2 = codes_pca[one_of_each[0]]
directions = pca.components_.reshape(2, *data.image_shape)
shown = 0.5 + 0.5 * directions / np.abs(directions).max()  # grey: 0, white: plus, black: minus
rebuilt = back[one_of_each[0]].reshape(data.image_shape).clip(0, 1)
pictures = np.stack([examples[0], mean_image, *shown, rebuilt])
vh.plot_images(pictures, titles=["image", "mean", f"{z1:+.1f} · this", f"{z2:+.1f} · this", "rebuilt"]);

# %% [markdown]
# **What you see.** From left to right: the image, the mean of all images, the two directions with the two numbers of this image, and the result. In
# the directions, grey means "no change", white "brighter", black "darker". Every rebuilt image is a mixture of just these three pictures.
#
# **Predict.** With 2 latents, which classes will be easy to recognize after PCA? And with 10?

# %%
def pca_images(latent_dim):
    """The test images after PCA; pixels cut off at 0 and 1."""
    pca = PCA(latent_dim).fit(flat_train)
    back = pca.inverse_transform(pca.transform(flat_test))
    return back.reshape(data.x_test.shape).clip(0, 1)


back_pca = {2: pca_images(2), 10: pca_images(10)}
errors["PCA, 2"], errors["PCA, 10"] = error(back_pca[2]), error(back_pca[10])
rows = [examples, back_pca[2][one_of_each], back_pca[10][one_of_each]]
vh.plot_images(rows, ["image", "PCA, 2 latents", "PCA, 10 latents"]);

# %% [markdown]
# **What you see.** With 2 latents you can roughly tell clothes for the body from shoes; the T-shirt has a trouser gap, and the bag looks like a shoe. With 10 latents you can name most of them. But the
# dress looks like trousers, the sandal is lost, patterns are gone, and you also see faint parts of other clothes.

# %%
vh.expect("PCA with 2 latents, error", errors["PCA, 2"], at_least=30, at_most=43)
vh.expect("PCA with 10 latents, error", errors["PCA, 10"], at_least=15, at_most=24)

# %% [markdown]
# ## Now with bends: an autoencoder
#
# An **autoencoder** has the same two steps, but each step is a small neural network. A network is a chain of *layers*.
# A **Dense** layer multiplies by a matrix and adds a list of numbers; these numbers are the layer's *parameters*, and
# training finds them. Between two Dense layers stands a **ReLU**, the function $\max(0, a)$ of any number $a$. It puts a bend into the
# map. Without bends, the chain would be one straight map (mathematicians say *linear*), and no straight map through the same number of latents has
# less squared error on the training images than PCA (Baldi and Hornik proved this in 1989).
#
# In the cell below, `hidden=(256, 128)` means two Dense layers with ReLU, which give 256 and 128 numbers. `compile` chooses how to train: **Adam**
# is a common rule for how much each parameter changes in a step, and `learning_rate` sets the general size of these changes.

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
# information about the image must pass through the 2 numbers in the middle: the **bottleneck**. The output *code* of the encoder is the
# input *z* of the decoder. *flatten* only puts the 28 × 28 pixels into one list. Note the price: 469,010 parameters, where PCA with 2 latents has
# 3 · 784 = 2,352 numbers.
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
# Training changes all parameters, step by step, so that a number becomes smaller: the **loss**. Here the loss is our error on the training images.
# One step looks at one **batch** of 128 images. One **epoch** is one pass over all training images. We train two autoencoders, with 2 and with 10
# latents. Each takes 10 to 20 seconds. (Keras prints the same number twice, as `loss` and as `reconstruction`; `val_` means: measured on the test
# images.)
#
# **Predict.** Which will be better: PCA with 10 latents, or the autoencoder with only 2?
#
# <details><summary>Open the answer when you have decided</summary>
#
# PCA with 10, but not by much, as the cells below measure. That five times as many numbers win so narrowly says how much the bends are worth.
#
# </details>

# %%
training = {"epochs": settings.epochs, "batch_size": 128, "verbose": 2}
history = autoencoder.fit(data.x_train, validation_data=data.x_test, **training)

# %%
autoencoder_10 = make_autoencoder(latent_dim=10)
history_10 = autoencoder_10.fit(data.x_train, validation_data=data.x_test, **training)

# %%
axes = vh.plot_history(history)
axes[0].set(title="2 latents: error per image", ylabel="squared error");

# %% [markdown]
# **What you see.** The error falls most in the first epoch, and then slowly. (The axis does not start at 0.) *Validation* is measured on the test images
# at the end of each epoch. *Training* is an average over the whole epoch, while the model still improves; so it starts higher. Later the curves stay
# close: the model is about as good on new images as on those it learned from. It did not just memorize them.
#

# %%
rebuilt = {
    "PCA, 2": back_pca[2],
    "autoencoder, 2": autoencoder.reconstruct(data.x_test),
    "PCA, 10": back_pca[10],
    "autoencoder, 10": autoencoder_10.reconstruct(data.x_test),
}
rows, titles = [examples], ["image"]
for name, images in rebuilt.items():
    errors[name] = error(images)
    rows.append(images[one_of_each])
    titles.append(name)
vh.plot_images(rows, titles);

# %%
fig, ax = plt.subplots(figsize=(7.5, 2.8))
order = ["autoencoder, 10", "PCA, 10", "autoencoder, 2", "PCA, 2", "mean image"]  # upward
bars = ax.barh(order, [errors[name] for name in order], color=["C0", "C1", "C0", "C1", "0.6"])
ax.bar_label(bars, fmt="%.1f", padding=3)
ax.grid(axis="y", visible=False)
ax.set(xlabel="squared error per test image", title="At the same number of latents, the autoencoder has less error");

# %% [markdown]
# **What you see.** All four are far below the mean image. At the same number of latents, the autoencoder has roughly 40 % less error than PCA. The
# autoencoder with 2 latents comes near PCA with 10, but does not reach it. In the pictures, most clothes of "autoencoder, 2" can be named; the
# sandal cannot. What all of them lose is the pattern of the dress and of the bag. Such details differ from image to image, and a few numbers cannot say where each
# stripe is. Then the picture with the smallest squared error is the *average* of all images with this code: plain grey.

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
second.fit(data.x_train, epochs=settings.epochs, batch_size=128, verbose=0);

# %%
codes, codes_second = (np.array(a.encode(data.x_test)) for a in (autoencoder, second))
fig, axes = plt.subplots(1, 2, figsize=(11, 4.6))
for ax, points, title in ((axes[0], codes, "first"), (axes[1], codes_second, "second")):
    vh.plot_latent_scatter(points, data.y_test, data.class_names, ax=ax)
    ax.set(title=f"{title} training", aspect="auto")
axes[0].legend_.remove()

# %% [markdown]
# **What you see.** Each dot is one test image; the axes $z_1$ and $z_2$ are the two numbers of its code. Most images of one class lie in one region, although
# nobody told the model about classes. But regions overlap, for example those of T-shirt, dress and coat. Similar images get similar codes, because the encoder
# changes its output little when the image changes little. Look at four more things.
#
# 1. **The scale is arbitrary.** Codes reach far from 0, and nothing in the training asked for this size. Multiply all codes by 10, and divide the first matrix of the
#    decoder by 10: every reconstruction stays the same.
# 2. **The shape is arbitrary.** Some classes are thin rays, some are wide fans.
# 3. **There are empty places**, between the classes and outside.
# 4. **The second map is different**, with nearly the same error. The axes have no meaning of their own. Do not read
#    "$z_1$ is the sleeve length" into such a picture.
#
# What do the two maps have in common? In both, near codes mostly belong to the same class. For each test image, we look at the nearest other code. How often does it belong to the same class?

# %%
from sklearn.neighbors import NearestNeighbors


def same_class_nearby(points):
    """The share of test images whose nearest other code belongs to the same class."""
    _, indices = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)
    return np.mean(data.y_test[indices[:, 1]] == data.y_test)  # 0 is the image itself


shares = same_class_nearby(codes), same_class_nearby(codes_second)
vh.expect("same class nearby, first map (by chance: about 0.1)", shares[0], at_least=0.6)
vh.expect("same class nearby, second map", shares[1], at_least=0.6)

# %%
errors["second"] = error(second.reconstruct(data.x_test))
vh.expect("second / first training", ratio("second", "autoencoder, 2"), at_least=0.9, at_most=1.1)
vh.expect("spread of the codes", codes.std(axis=0).mean(), at_least=2)

# %% [markdown]
# ## Between and outside the codes
#
# So there is one rule for reading such a map. **Codes that are close: similar pictures. Codes that are far apart: no conclusion.** And never compare distances of
# two trainings.
#
# The decoder accepts *any* two numbers, not only codes of real images. So let us ask it about points that are not the code of any image. First, a straight path
# from the middle (the median) of the trouser codes to the middle of the sandal codes.
#
# **Predict.** What lies half-way between a trouser and a sandal: (a) a real piece of clothing of a third kind, (b) a blend
# of both, like two transparent pictures on top of each other, (c) noise?
#
# <details><summary>Open the answer when you have decided</summary>
#
# (b) comes closest, but look carefully: the blend changes unevenly along the path, and some pictures are mixtures that are no clothes. Noise does not appear: small steps in the code make small steps in the picture.
#
# </details>
#
# ### Exercise 1.3 · A walk
#
# First we need the points of the path. Write them: `steps` points from `start` to `end`, in equal steps, with both ends included. One way: let the share of `end` grow from 0 to 1, and that of `start` fall from 1 to 0. (`np.linspace(0, 1, steps)` gives such shares as a list; `[:, None]` after it makes the list a column, so that numpy makes one row for each share.)

# %%
def walk(start, end, steps):
    """Points on a straight line. start, end: (latent,). Returns (steps, latent)."""
    ### BEGIN SOLUTION
    t = np.linspace(0, 1, steps)[:, None]  # one row per point
    return (1 - t) * start + t * end
    ### END SOLUTION


vh.check.walk(walk)

# %% [markdown]
# **Target:** `walk(np.array([0.0, 10.0]), np.array([1.0, 20.0]), 5)[1]` should be `[0.25, 12.5]`. The package calls the function `straight_line`; the pictures below come from it.

# %%
trouser, sandal = (np.median(codes[data.y_test == c], axis=0) for c in (1, 5))
path = autoencoder.decode(vh.straight_line(trouser, sandal, 10))

far_point = trouser + 7 * (trouser - codes.mean(axis=0))  # eight times as far from the middle
outward = autoencoder.decode(vh.straight_line(trouser, far_point, 10))
vh.plot_images([path, outward], ["trouser to sandal", "trouser, then far out"], titles=range(1, 11));

# %% [markdown]
# **What you see.** First row: the trousers become darker, then faint parts of both appear, and the last picture is a blurred shoe. So (b) comes closest. But the
# middle of the path is not the middle between two pictures, and some pictures on the way are no clothes at all. Second row: we walk away from the middle of the map. Most
# pixels of the trousers (about 80 %, measured below) become almost pure white. Far out, the logits grow in proportion to the distance, because a network with ReLU is made of straight
# pieces; so the sigmoid goes to 0 or 1. The decoder was never trained so far out.

# %%
def white_share(images):
    """Of the pixels that show cloth (above 0.1), the share that is almost white (above 0.98)."""
    return (images > 0.98).sum() / (images > 0.1).sum()


trousers = data.x_test[data.y_test == 1]
vh.expect("white pixels, real trousers", white_share(trousers), at_most=0.25)
vh.expect("white pixels, picture 10 of the second row", white_share(outward[-1]), at_least=0.6)

# %% [markdown]
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
# **What you see.** Both pictures show the same part of the plane. In the gap in the middle of the map, the tiles are dark or mixed. At the edges there are
# places with hardly any dots, and the tiles still look like clothes: there the decoder continues the nearest kind. So a place without dots *can* give a bad picture,
# but need not.
#
# ## Can we draw new images?
#
# "Draw a new image" means: choose a code $z$ at random, then decode it. But *which* random numbers? The autoencoder
# does not say. We try three answers.
#
# - **Naive:** draw both numbers from the normal distribution with mean 0 and standard deviation 1, written $\mathcal N(0, I)$. ($I$, the identity matrix, says: each
#   number has standard deviation 1, and the two do not depend on each other.) This is what the *variational autoencoder* of lesson 02 does, after another kind of training.
# - **Fitted:** compute the mean and the covariance of the training codes, and draw from the normal
#   distribution with the same mean and covariance. (The *covariance* of two numbers is a 2 × 2 table: on its diagonal the variances, beside them how much the two numbers vary together.)
# - **Mixture:** fit a mixture of 20 normal distributions. To draw from it, first choose one of the 20, each with its own probability, then draw from that one.
#
# ### Exercise 1.4 · Draws like the codes
#
# Write the second of the three, *fitted*. You get codes and a random generator `rng` (as `np.random.default_rng(0)` makes one). Return `n` new codes from the normal distribution with the mean and the covariance of the given codes. `np.cov`
# computes a covariance; look at `help(np.cov)` to see whether it wants one code per row or per column. `rng.multivariate_normal` draws.

# %%
def draw_fitted(codes, n, rng):
    """n draws from the normal distribution fitted to codes (images, latent). Returns (n, latent)."""
    ### BEGIN SOLUTION
    return rng.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), size=n)
    ### END SOLUTION


vh.check.draw_fitted(draw_fitted)

# %% [markdown]
# **Target:** the orange points in the middle of the figure after next. There we use a "mixture" of one single normal distribution, fitted to 10,000 codes, which is nearly the same.
#
# **Predict.** Which fault will the naive images have? Which fault will remain in the fitted ones?

# %%
from sklearn.mixture import GaussianMixture

rng = np.random.default_rng(0)
codes_train = np.array(autoencoder.encode(data.x_train))


def draw_from_mixture(components):
    """New codes from a mixture of so many normal distributions, fitted to the codes of training images."""
    mixture = GaussianMixture(components, random_state=0).fit(codes_train[:10_000].astype("float64"))
    return rng.permutation(mixture.sample(settings.samples)[0])  # they come sorted by component


naive = rng.normal(size=(settings.samples, 2))
draws = {"naive": naive, "fitted": draw_from_mixture(1), "mixture": draw_from_mixture(20)}
vh.plot_images([autoencoder.decode(z[:10]) for z in draws.values()], list(draws));

# %%
fig, axes = plt.subplots(1, 3, figsize=(11, 4), sharex=True, sharey=True)
for ax, (name, z) in zip(axes, draws.items()):
    ax.scatter(*codes_train[:5000].T, s=3, color="0.75")
    ax.scatter(*z[:300].T, s=8, color="C1")
    ax.set(title=name, xlabel="$z_1$")
axes[0].set_ylabel("$z_2$");

# %% [markdown]
# **What you see.** Grey: codes of training images. Orange: draws. The naive draws sit in one small part of the map, around 0. So the naive images show only what the decoder
# draws there: in the stored run, dark fragments. This does not mean that the decoder is bad: we used only one small part of the map. The fitted draws cover the right area. But the codes
# do not form a normal distribution: they form rays and islands. So some fitted draws fall between the rays or outside them, and some of these images are fragments or much too
# white. The draws from the mixture follow the rays, and most of these images are clothes.
#
# We can count how many draws fall far from all codes. For each test image, we look for the nearest training code. We call a place **empty** if its nearest
# training code is farther away than for 99 % of the test images. By this definition, 1 % of the test images lie in empty places. (This counts places. It does not say
# how good each picture is.)

# %%
neighbours = NearestNeighbors(n_neighbors=1).fit(codes_train)


def distance_to_codes(points):
    distances, _ = neighbours.kneighbors(points)
    return distances


far = np.quantile(distance_to_codes(codes), 0.99)
empty = {name: np.mean(distance_to_codes(z) > far) for name, z in draws.items()}
for name, share in empty.items():
    print(f"{name:8s} {share:.2f} of the draws lie in empty places")

vh.expect("fitted: share in empty places", empty["fitted"], at_least=0.1)
vh.expect("mixture: share in empty places", empty["mixture"], at_most=empty["fitted"] / 3)
spread = draws["naive"].std() / codes.std(axis=0).mean()
vh.expect("naive: spread of the draws / spread of the codes", spread, at_most=0.4)

# %% [markdown]
# **What you see.** In the stored run, about one in three of the fitted draws lies in an empty place; of the mixture, far fewer. The naive draws are much less spread than the codes.
#
# So what is missing?
#
# - The autoencoder gives a map from images to codes and back. It does **not** give a distribution of codes. In the language
#   of probability: it defines no *prior*, that is, no rule from which to draw $z$. One must be fitted afterwards, and the better it fits, the better the images. (This was
#   one training with one seed. Lesson 02 measures it with three seeds.)
# - Nothing in its training asks the decoder for good images at points *between* the codes.
#
# The variational autoencoder works on both points. It chooses $\mathcal N(0, I)$ first, and its training pulls the codes towards it. It also asks the decoder about places
# around each code. Lesson 02 measures how well this works.

# %% [markdown]
# ## Other kinds of autoencoder
#
# The autoencoder above is **undercomplete**: its code is much shorter than the image. So it must find what the images have in common. If the code and
# all hidden layers had 784 numbers or more, the network could copy the image and learn nothing. There are other ways to prevent copying:
#
# - a **sparse** autoencoder may have a long code, but has an extra cost for large numbers in it, so that for each image most of them are near 0;
# - a **denoising** autoencoder gets a damaged image (noise added, parts erased) and must return the undamaged one. It cannot
#   just copy, because the input is wrong.
#
# Neither of them comes with a rule for drawing codes, either.
#
# ## Exercise 1.5 · Change it, and explain
#
# Here you have no check but your own eyes. (The expected ranges are for Fashion-MNIST and for the numbers in the lesson. When you change something, some lines may say OFF.)
#
# **First:** in `make_autoencoder`, give both networks no hidden layer, `hidden=()`, and train again with 2 latents. Write down what error you expect, and why. Then run it.
#
# <details><summary>Open the answer when you have tried</summary>
#
# Now the encoder is one straight map, and the decoder is another one, followed by a sigmoid. The theorem about straight maps does not cover the sigmoid, but the sigmoid alone adds little: when we ran it, the error was 37.6; PCA had 36.6. So the autoencoder's advantage came from
# the bends of the hidden layers. That it is even a little worse than PCA is possible: the training is short, and need not find the best parameters.
#
# </details>
#
# **Then:** put the hidden layers back, change `latent_dim=10` to 50, and compare with `error(pca_images(50))`. Does the autoencoder still beat PCA, and by as much as before?
#
# <details><summary>Open the answer when you have tried</summary>
#
# When we ran it: 8.55 for the autoencoder, 9.17 for PCA. The advantage shrinks from some 40 % to 7 %. With many latents even straight lines keep most of the image, and the same short training must now make use of 50 numbers.
#
# </details>
#
# Last, replace "fashion_mnist" by "mnist" and run everything again. Which digits overlap on the map? ("Trouser to sandal" then goes from 1 to 5.)

# %% [markdown]
# ## To take away
#
# 1. An autoencoder is an encoder and a decoder, trained together to give the input back through a bottleneck.
# 2. PCA is the linear method to compare with: here the autoencoder has roughly 40 % less error at the same number of latents.
# 3. Similar images get similar codes, but the scale, the shape and the axes of the map are arbitrary.
# 4. Between and outside the codes the decoder was never trained. Its pictures there can be blends, fragments, or clothes that are too white.
# 5. To draw new images you need a distribution over codes, and a plain autoencoder does not come with one.
#
# **Where the ideas come from.** PCA and linear networks: P. Baldi and K. Hornik, *Neural networks and principal component
# analysis: learning from examples without local minima*, Neural Networks 2 (1989). Deep autoencoders: G. Hinton and R. Salakhutdinov, *Reducing the dimensionality of data
# with neural networks*, Science 313 (2006), which compares with PCA in its figures 2 and 3. Sparse: M. Ranzato and others, *Efficient learning of sparse representations with an
# energy-based model*, NIPS 2006. Denoising: P. Vincent and others, *Extracting and
# composing robust features with denoising autoencoders*, ICML 2008. The data: H. Xiao, K. Rasul and R. Vollgraf,
# *Fashion-MNIST* (2017).
#
# **Next:** in lesson 02 the code of an image becomes a small cloud instead of a point. You will measure what this changes.
