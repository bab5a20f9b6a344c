# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] sitting="A"
# # 01 · Autoencoder
#
# You describe a picture of clothes with only two numbers, rebuild it from them, and see what is lost.
# Then you find out why this does not yet let you draw *new* pictures.
#
# **Time.** {{time}}
#
# **You will be able to**
#
# - compress images with principal component analysis (PCA) and with a neural network, and compare the two by numbers;
# - build an *encoder* and a *decoder* in Keras, and say what the *code* between them is;
# - read a map of codes: what its distances tell you, and what they do not;
# - show why random numbers do not yet give new images, and say exactly what is missing.
#
# **You need** Python, a little numpy, a little probability, averages and standard deviations, logarithms and derivatives.
# Each new word is explained where it first appears.
#
# **How to use a lesson.** Where it says *Predict*, decide before you run the cell.
# In an *exercise*, write your own lines in place of the three dots `...`, and run the cell.
# Its last line checks your function.
# An exercise that you leave out does no harm: the later cells do not need it.
# Solutions are in the folder `notebooks/solutions`.

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %% [markdown]
# *Keras* is a library for neural networks; it runs on *TensorFlow*.
# `vh` is the small package of this course.
# `run_settings` holds the choices of the lesson, such as how long to train, and the *seed*.
# A seed fixes the random numbers: a second run on your machine gives the same result.
#
# The images are **Fashion-MNIST**: 70,000 small grey photographs of clothes, shoes and bags from a shop, in ten classes.

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=5, seeds=3, grid=14, samples=300)
data = vh.load_images("fashion_mnist", validation=5000)

# %% [markdown]
# *Full profile* means: the lesson as it is meant.
# (A *quick* one is for tests.)
# If the second line says NOT fashion_mnist, there was no network: small digits are used instead, and the text about clothes does not fit.
#
# There are three sets of images.
# The networks learn from the *training* images, `x_train`.
# We make our own choices by the *validation* images, `x_valid`.
# We report results on the *test* images, `x_test`, by which nothing was learned and nothing was chosen.
#
# ## How many numbers does a picture need?
#
# One image is a grid of 28 × 28 = 784 pixels.
# Each pixel is one number, its grey value, from 0 (black) to 1 (white).
# So one image is a list of 784 numbers.
#
# **Predict.** Below, the first row shows real images.
# For the second row we draw 784 random numbers between 0 and 1 for each image.
# How many such random images would you have to draw until one looks like a shoe?
# (a) about a hundred, (b) about a million, (c) you would not live long enough.

# %% alt="Two rows of ten images. First row: one photograph of each class, from T-shirt to ankle boot. Second row: ten times grey noise."
classes = np.unique(data.y_test)
one_of_each = [np.argmax(data.y_test == c) for c in classes]  # the first test image of each class

examples = data.x_test[one_of_each]
noise = np.random.default_rng(0).random(examples.shape)
names = [data.class_names[c].split()[-1] for c in classes]
vh.plot_images([examples, noise], ["real", "random"], titles=names)

x = data.x_train
corners = np.concatenate([x[:, :2, :2], x[:, :2, -2:], x[:, -2:, :2], x[:, -2:, -2:]], axis=1)
all_dark = np.mean(corners < 0.1, axis=(1, 2, 3)) == 1
print(f"all 16 pixels in the four corners are dark, below 0.1: in {100 * np.mean(all_dark):.0f} of 100 training images")

# %% tags=["guard"]
vh.expect("share of images with dark corners", np.mean(all_dark), at_least=0.955, at_most=0.965)

# %% [markdown]
# **What you see.** First row: one image of each class.
# Second row: grey noise, every time.
#
# The answer: (c).
# Ask only that the four corners are dark, 2 × 2 pixels each: in 96 of 100 real images, all these 16 pixels are below 0.1.
# In a random image each pixel is below 0.1 with probability 0.1, so all 16 are with probability $0.1^{16}$.
# With a million random images in each second, you would wait some 300 years for the first one with dark corners.
# And it would still not be a shoe: 768 pixels are left.
#
# So almost no list of 784 numbers is a picture of clothes.
# Perhaps far fewer than 784 numbers say *which* picture it is.
# How few?
#
# ### A measure of error
#
# We take the squared difference of each pixel, and **sum over the pixels**.
# Then we take the mean over the images:
#
# $$\text{error} = \frac1N\sum_{n=1}^{N}\ \sum_{i=1}^{784}\left(x_{n,i}-\hat x_{n,i}\right)^2$$
#
# Here $N$ is the number of images, $x_{n,i}$ is pixel $i$ of image $n$, and $\hat x_{n,i}$ (read "x hat") is the same pixel after compression.
#
# The simplest compression keeps nothing: it answers with the *same* picture for every image.
# Which picture is best?
# Look at one pixel, and call the answer $b$.
# The derivative of $\frac1N\sum_n (x_n-b)^2$ with respect to $b$ is $2\,(b-\text{mean of the } x_n)$.
# It is zero where $b$ is the mean.
# So the best answer is the **mean image**.
# We compare all other errors with its error.
# It also explains the blur below.
#
# ### Exercise 1.1 · The error of each image · 4 min
#
# Write the inner part of the formula, the sum over the pixels: one number for each image.
# Axis 0 of the array `x` counts the images; axes 1, 2 and 3 are height, width and *channel*.
# (A grey pixel has one channel.
# A coloured pixel has three: red, green and blue.)

# %%
def squared_error(x, x_hat):
    """The squared error of each image. x, x_hat: (n, height, width, channels). Returns (n,)."""
    ### BEGIN SOLUTION
    return ((x - x_hat) ** 2).sum(axis=(1, 2, 3))
    ### END SOLUTION


vh.check.squared_error(squared_error)

# %% [markdown]
# The check tells you which mistake it sees.
# For example, for `((x - x_hat) ** 2).mean(axis=(1, 2, 3))` it says:
# *you take the mean over the pixels; the error of an image is the sum over its pixels.*
#
# **Target:** the next cell prints the errors of the first five test images, if the mean image is the answer to all of them.
# `squared_error(data.x_test[:5], one_for_all[:5])` gives the same.
# From here on the lesson uses `vh.squared_error`, which is the same function.

# %%
def error(images):
    """The error against the test images: sum over pixels, mean over images."""
    return float(np.mean(vh.squared_error(data.x_test, images)))


mean_image = data.x_train.mean(axis=0)
one_for_all = np.broadcast_to(mean_image, data.x_test.shape)  # the same picture for every test image
errors = {"mean image": [error(one_for_all)]}
print("first five:", np.round(vh.squared_error(data.x_test[:5], one_for_all[:5]), 1))
print(f"mean over all test images: {errors['mean image'][0]:.1f}")

# %% tags=["guard"]
vh.expect("mean image, error", errors["mean image"][0], at_least=67.8, at_most=68.1)

# %% [markdown]
# 67.9 is the error of keeping nothing: everything below must beat it.
#
# ## Straight lines first: PCA
#
# **Principal component analysis** (PCA) finds a few *directions* in the space of 784 numbers.
# The first direction is the one along which the images differ most.
# The second is the same among the directions at a right angle to the first; and so on.
# Each direction is itself a list of 784 numbers, so we can look at it as a picture.
#
# To compress an image, we write down how far it lies along each direction, measured from the mean image.
# To rebuild it, we start from the mean image and add that much of each direction.
# With two directions, each image becomes two numbers.
# The two steps have names that we need in the whole course:
#
# - the **encoder** turns an image $x$ into a short list of numbers $z$, the **code**;
# - the **decoder** turns a code $z$ into an image $\hat x$, the **reconstruction**.
#
# The numbers of a code are also called **latents**.
# *Latent* means hidden: nobody measured these numbers, we computed them.
#
# PCA uses only additions, and multiplications by fixed numbers; such a computation is called *linear*.
# Among all linear encoders and decoders with this number of latents, PCA has the smallest squared error on the training images
# (Eckart and Young, 1936).
# We take it from the library scikit-learn, `sklearn`.

# %%
from sklearn.decomposition import PCA

flat_train = data.x_train.reshape(len(data.x_train), -1)  # (images, 784)
flat_test = data.x_test.reshape(len(data.x_test), -1)
pca = PCA(n_components=2).fit(flat_train)


def pca_images(pca):
    """The test images after PCA; pixels cut off at 0 and 1."""
    codes = pca.transform(flat_test)  # (images, latents): compressed
    return pca.inverse_transform(codes).reshape(data.x_test.shape).clip(0, 1)

# %% [markdown]
# ### Exercise 1.2 · PCA with your own hands · 8 min
#
# `fit` has found the mean image and the directions.
# The rest is two matrix products.
# Write them.
# The matrix product `a @ b` multiplies each row of `a` with each column of `b`, number by number, and adds up. `a.T` swaps rows and columns.
#
# - Encode: subtract the mean.
#   Then, for each direction, multiply pixel by pixel and add up.
#   This gives `(n, k)` numbers.
# - Decode: multiply each direction by its number, add them up, and add the mean.
#
# (The directions have length 1 and stand at right angles.
# Therefore the same directions encode and decode.)

# %%
def pca_reconstruct(x, mean, directions):
    """Images after PCA. x: (n, pixels); mean: (pixels,); directions: (k, pixels). Returns (n, pixels)."""
    ### BEGIN SOLUTION
    codes = (x - mean) @ directions.T  # (n, k)
    return codes @ directions + mean
    ### END SOLUTION


vh.check.pca_reconstruct(pca_reconstruct)

# %% [markdown]
# **Target:** `np.abs(pca_reconstruct(flat_test, pca.mean_, pca.components_) - pca.inverse_transform(pca.transform(flat_test))).max()` is nearly 0.
#
# Here is what the decoder of PCA adds up, for one T-shirt.

# %% alt="Five pictures: a T-shirt; the mean of all images, a blur between a shirt and trousers; what direction 1 adds; what direction 2 adds; the sum, a blurred shirt."
z1, z2 = pca.transform(flat_test[one_of_each[:1]])[0]
added = np.array([z1, z2])[:, None] * pca.components_  # what each direction adds to this image, (2, 784)
shown = 0.5 + 0.5 * added / np.abs(added).max()  # grey: nothing is added; white: brighter; black: darker
rebuilt = pca_images(pca)[one_of_each[0]]
print(f"the code of this T-shirt: z = ({z1:.1f}, {z2:.1f})")
pictures = np.stack([examples[0], mean_image, *shown.reshape(2, *data.image_shape), rebuilt])
vh.plot_images(pictures, titles=["image", "mean", "direction 1", "direction 2", "sum"]);

# %% [markdown]
# **What you see.** The mean image, what each direction adds to it, and the sum.
# The two pictures of the directions are already multiplied by the two numbers of this image:
# grey means "add nothing", white "make brighter", black "make darker".
# Every reconstruction with two latents is made of the same three pictures.
# Only the two numbers differ.
#
# ## Now with bends: an autoencoder
#
# An **autoencoder** has the same two steps, but each step is a small neural network.
# A network is a chain of *layers*.
# A **Dense** layer multiplies by a matrix and adds a list of numbers.
# These numbers are its *parameters*, and training finds them.
# Between two Dense layers stands a **ReLU**: the function $\max(0, h)$, for each number $h$ that passes.
# It puts a bend into the computation.
# Without the bends, a chain of linear layers is again linear.
#
# Here are both networks, in plain Keras.

# %%
encoder = keras.Sequential([
    keras.Input(data.image_shape),          # 28, 28, 1
    layers.Flatten(),                       # 784: the pixels as one list
    layers.Dense(128, activation="relu"),   # 128
    layers.Dense(64, activation="relu"),    # 64
    layers.Dense(2),                        # 2: the code
])
decoder = keras.Sequential([
    keras.Input((2,)),                      # 2: the code
    layers.Dense(64, activation="relu"),    # 64
    layers.Dense(128, activation="relu"),   # 128
    layers.Dense(784),                      # 784
    layers.Reshape(data.image_shape),       # 28, 28, 1
])
print(f"{encoder.count_params():,} + {decoder.count_params():,} parameters")

# %% [markdown]
# The encoder narrows from 784 numbers to 2; the decoder widens from 2 to 784.
# All information about the image must pass through the 2 numbers between them: this place is the **bottleneck**.
# The price: 218,514 parameters, where PCA with 2 latents has 3 · 784 = 2,352 numbers.
#
# **Question.** The first Dense layer has 100,480 parameters.
# Where does this number come from?
#
# <details><summary>Open the answer when you have one</summary>
#
# Its matrix has 784 · 128 = 100,352 numbers, one for each pixel and each of the 128 results.
# It also adds a list of 128 numbers.
#
# </details>
#
# The last layer of the decoder gives any real numbers $a$, called **logits**.
# The *sigmoid* function $1/(1+e^{-a})$ turns each of them into a pixel between 0 and 1.
# So this is the whole computation, and the number that training makes smaller, the **loss**: it is our error.
# (`keras.ops` holds the functions of numpy in Keras's form.)

# %%
x = data.x_test[:1000]
code = encoder(x)  # (1000, 2)
logits = decoder(code)  # (1000, 28, 28, 1)
x_hat = keras.ops.sigmoid(logits)
print(f"loss by hand, before any training: {np.mean(vh.squared_error(x, x_hat)):.3f}")

autoencoder = vh.Autoencoder(encoder, decoder)  # the same computation as a class that can train
autoencoder.compile()  # makes the model ready to be trained or evaluated
print(f"loss of the class:                 {autoencoder.evaluate(x, verbose=0, return_dict=True)['loss']:.3f}")

# %% [markdown]
# Both losses are the same.
# The package has a function for each of the two networks.
# *MLP*, multilayer perceptron, is an old name for a chain of Dense layers.
# With the same parameters they give the same numbers.
# (`hidden` are the sizes of the layers between; `variational=False` means that the encoder gives the code itself.)

# %%
encoder_of_package = vh.mlp_encoder(data.image_shape, 2, hidden=(128, 64), variational=False)
decoder_of_package = vh.mlp_decoder(data.image_shape, 2, hidden=(64, 128))
encoder_of_package.set_weights(encoder.get_weights())
decoder_of_package.set_weights(decoder.get_weights())

difference = np.abs(decoder_of_package(encoder_of_package(x)) - logits).max()
print("largest difference between their logits and ours:", difference)

# %% tags=["guard"]
vh.expect("package against plain Keras", difference, at_most=1e-5, everywhere=True)
by_hand = float(np.mean(vh.squared_error(x, x_hat)))
vh.expect(
    "loss of the class against by hand",
    abs(autoencoder.evaluate(x, verbose=0, return_dict=True)["loss"] - by_hand),
    at_most=1e-2,
    everywhere=True,
)
vh.expect("parameters of both networks", encoder.count_params() + decoder.count_params(), at_least=218e3, at_most=219e3, everywhere=True)

# %% [markdown]
# Training changes all parameters in small steps, so that the loss on the training images falls.
# One step looks at one **batch** of 128 images.
# One **epoch** is one pass over all training images.
# **Adam** is a common rule for how much each parameter changes in a step; `learning_rate` sets the general size of these changes.
# Three commands of Keras do the work: `compile` says by which rule to change the parameters, `fit` trains, and `evaluate` gives the mean loss of images.
# A training begins at random parameters, so two trainings give two results.
# Therefore we train each network with three *seeds*.
# (We chose the learning rate and the sizes of the layers by the error on the validation images, and by the seconds.)

# %%
def train(latent_dim, seed, activation="relu"):
    """A trained autoencoder. latent_dim: the length of its code. activation: what stands between the Dense layers."""
    keras.utils.set_random_seed(seed)
    start = time.perf_counter()
    encoder = vh.mlp_encoder(data.image_shape, latent_dim, (128, 64), variational=False, activation=activation)
    decoder = vh.mlp_decoder(data.image_shape, latent_dim, (64, 128), activation=activation)
    model = vh.Autoencoder(encoder, decoder)
    model.compile(keras.optimizers.Adam(learning_rate=4e-3))
    model.fit(data.x_train, epochs=settings.epochs, batch_size=128, verbose=0)
    seen, new = (model.evaluate(x, verbose=0, return_dict=True)["loss"] for x in (data.x_train[:5000], data.x_valid))
    seconds = time.perf_counter() - start
    errors = f"{seen:.1f} on training images, {new:.1f} on validation images"
    print(f"{latent_dim:2d} latents, {activation}, seed {seed}: error {errors} ({seconds:.0f} s)")
    return model


# %% [markdown]
# **Predict.** We train autoencoders with 2 and with 10 latents.
# We also train one with 2 latents *without bends*: the same layers, but without ReLUs.
# Order these four by their error: PCA with 2 latents, PCA with 10, the autoencoder with 2, the autoencoder with 2 without bends.
#
# Each of the seven trainings takes about ten seconds, and prints one line.

# %%
seeds = range(1, settings.seeds + 1)
trained = {latent_dim: [train(latent_dim, seed) for seed in seeds] for latent_dim in (2, 10)}
without_bends = train(2, seed=1, activation="linear")
autoencoder = trained[2][0]  # the one that we look at below

# %% [markdown]
# **What you see.** On validation images, from which they did not learn, all networks are about as good as on training images.
#
# Now the test images.
# (`vh.expect` compares your number with a range around ours.
# It prints a line only if yours is outside.
# The last cell of the lesson says how many numbers were compared.)

# %% alt="Horizontal bars of the error on the test images: mean image 67.9, PCA with 2 latents 35.8, the autoencoder without bends 34.8, the autoencoder with 2 latents 21.5, PCA with 10 latents 18.6, the autoencoder with 10 latents 11.7. The marks of the three seeds lie close together."
pca_10 = PCA(n_components=10).fit(flat_train)
errors["PCA, 2"], errors["PCA, 10"] = [error(pca_images(pca))], [error(pca_images(pca_10))]
errors["no bends, 2"] = [error(without_bends.reconstruct(data.x_test))]
for latent_dim, runs in trained.items():
    errors[f"autoencoder, {latent_dim}"] = [error(model.reconstruct(data.x_test)) for model in runs]

fig, ax = plt.subplots(figsize=(7.5, 3.4))
order = sorted(errors, key=lambda name: np.mean(errors[name]))
colors = ["C0" if name.startswith("auto") else "C1" if name.startswith("PCA") else "0.6" for name in order]
bars = ax.barh(order, [np.mean(errors[name]) for name in order], color=colors)
ax.bar_label(bars, fmt="%.1f", padding=9)
for name in order:
    ax.plot(errors[name], [name] * len(errors[name]), "k|", markersize=12)  # one mark for each training
ax.set(xlabel="squared error per test image", xlim=(0, 75))
mean_errors = {name: np.mean(values) for name, values in errors.items()}
vh.expect("autoencoder / PCA, 2 latents", mean_errors["autoencoder, 2"] / mean_errors["PCA, 2"], at_least=0.56, at_most=0.64)
vh.expect("autoencoder / PCA, 10 latents", mean_errors["autoencoder, 10"] / mean_errors["PCA, 10"], at_least=0.58, at_most=0.67)

# %% tags=["guard"]
vh.expect("PCA with 2 latents, error", mean_errors["PCA, 2"], at_least=35.5, at_most=36.1)
vh.expect("PCA with 10 latents, error", mean_errors["PCA, 10"], at_least=18.4, at_most=18.8)
vh.expect("without bends, 2 latents, error", mean_errors["no bends, 2"], at_least=34.3, at_most=35.7)
spread = max(np.ptp(errors[f"autoencoder, {latent_dim}"]) for latent_dim in (2, 10))
vh.expect("autoencoders, spread of the error over the seeds", spread, at_most=1.5)

# %% [markdown]
# **What you see.** The bars are means over the trainings; each black mark is one training.
# The answer: from the least error to the most, PCA with 10 latents, the autoencoder with 2, the autoencoder without bends, PCA with 2.
# At the same number of latents, the autoencoder has less error than PCA: 40 % less with 2 latents, 37 % less with 10.
# The marks of the three seeds lie so close together that one more training would not change this.
#
# Without bends, the autoencoder is hardly better than PCA (34.8 against 35.8, one training), though it has as many parameters.
# (It can be a little better, because the sigmoid at its end is not linear.)
# So with 2 latents it is the bends that helped: the parameters alone gain almost nothing.

# %% alt="Five rows of ten images: the originals, and the reconstructions of PCA with 2 latents, the autoencoder with 2, PCA with 10, the autoencoder with 10."
rows = {
    "image": examples,
    "PCA, 2": pca_images(pca)[one_of_each],
    "autoencoder, 2": autoencoder.reconstruct(examples),
    "PCA, 10": pca_images(pca_10)[one_of_each],
    "autoencoder, 10": trained[10][0].reconstruct(examples),
}
vh.plot_images(list(rows.values()), list(rows), titles=names).tick_params(axis="x", labelsize=10);

# %% [markdown]
# **What you see.** With 2 latents, PCA shows a blur like a shirt for clothes and a blur like a shoe for shoes; the trousers look like a shirt.
# The autoencoder with 2 latents gives most of them their outline: even the sandal can be named.
# PCA with 10 latents comes near in most columns, but the coat and the sandal are smears; the autoencoder with 10 shows both.
#
# All of them lose the patterns, for example the writing on the pullover.
# For the autoencoder with 2 latents there is a simple reason.
# Many images have almost the same code, each with its own pattern, and the decoder must answer one code with one picture.
# You know from the mean image which answer has the least squared error: the mean of these images, which is blurred.
#
# ## The map of codes
#
# With 2 latents, each test image is a point in a plane.
# The networks never saw a class name.
# We use the names only to colour the points.
#
# **Predict.** Will images of one class lie together?
# Will a second training, from other random parameters, give the same map?

# %% alt="Two scatter plots of the codes of the test images, from the trainings with seeds 1 and 2, coloured by class. In both, shoes lie on one side and clothes on the other, but the arrangement is another one and the scales differ."
maps = [np.asarray(model.encode(data.x_test)) for model in trained[2]]  # for each seed, (images, 2)
fig, axes = plt.subplots(1, 2, figsize=(11, 4.8))
for ax, codes, seed in zip(axes, maps, seeds):
    vh.plot_latent_scatter(codes, data.y_test, data.class_names, ax=ax)
    ax.set(title=f"the codes of the test images, seed {seed}", aspect="auto")
axes[0].legend_.remove()

# %% [markdown]
# **What you see.** Each dot is one test image.
# The axes $z_1$ and $z_2$ are the two numbers of its code.
# The answer to the first question: mostly yes.
# Shoes lie on one side, clothes on the other.
# But some regions lie over one another, above all Pullover, Coat and Shirt.
# (Where their names cover each other, the legend helps.)
# The answer to the second: no.
# The second map is another one, although its error is nearly the same.
# So there are two things that you must *not* read from such a map.
#
# - **The scale is arbitrary.** Multiply all codes by 10, and divide the first matrix of the decoder by 10: every reconstruction stays the same.
# - **The axes are arbitrary.** Do not read "$z_1$ is the length of the sleeve" into a map.
#   In the next training, the axis means something else.
#
# What may you read, then?
# Do images with near codes look alike?
# And do images that look alike have near codes?
# For each test image we take three partners: the nearest code, the nearest image (by its pixels), and, for comparison, any image.

# %%
from sklearn.neighbors import NearestNeighbors


def nearest(points):
    """For each row of points, the index of the nearest other row."""
    _, indices = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)
    return indices[:, 1]  # index 0 is the point itself


partners = {"nearest code": nearest(maps[0]), "nearest image": nearest(flat_test)}
partners["any image"] = np.random.default_rng(0).permutation(len(flat_test))
print("partner of each test image    between codes   between images   same class")
for name, j in partners.items():
    of_codes = np.median(np.linalg.norm(maps[0] - maps[0][j], axis=1))
    of_images = np.median(vh.squared_error(data.x_test, data.x_test[j]))
    print(f"{name:28s} {of_codes:14.2f} {of_images:16.0f} {np.mean(data.y_test == data.y_test[j]):12.2f}")

same_class = [np.mean(data.y_test == data.y_test[nearest(codes)]) for codes in maps]
print("same class as the nearest code, in the three maps:", np.round(same_class, 2))
vh.expect("same class as the nearest code", min(same_class), at_least=0.57, at_most=0.69)

# %% tags=["guard"]
by_code, by_image = (
    np.median(vh.squared_error(data.x_test, data.x_test[partners[name]])) for name in ("nearest code", "nearest image")
)
vh.expect("difference to the image with the nearest code", by_code, at_least=32, at_most=40)
vh.expect("difference to the nearest image", by_image, at_least=15.2, at_most=15.4)
vh.expect("difference to any image", of_images, at_least=129, at_most=134)
for map_codes, which in zip(maps, ("first", "second", "third")):
    partner = nearest(map_codes)
    vh.expect(f"same class nearby, {which} map", np.mean(data.y_test == data.y_test[partner]), at_least=0.57, at_most=0.69)
    ratio = np.median(vh.squared_error(data.x_test, data.x_test[partner])) / of_images
    vh.expect(f"near codes: image difference against any, {which} map", ratio, at_least=0.2, at_most=0.34)
    near, anyhow = (
        np.median(np.linalg.norm(map_codes - map_codes[partners[name]], axis=1)) for name in ("nearest image", "any image")
    )
    vh.expect(f"near images: code distance against any, {which} map", near / anyhow, at_most=0.12)

# %% [markdown]
# **What you see.** "Between codes" is the distance of the two codes, "between images" the squared difference of the two images.
# Both are medians: half of the values are smaller, half larger.
#
# - *Near codes, similar images?* The image with the nearest code differs by 36, any other image by 131.
#   In 63 of 100 cases it is of the same class; by chance it would be in 10.
#   (The most similar image differs by only 15.)
# - *Similar images, near codes?* The code of the most similar image is 0.69 away, that of any other image 11.6.
#
# So both answers are: mostly.
# The training does not promise it; we measured it.
# So this is the rule for reading a map.
# **Near codes: similar images, mostly.**
# A distance has no unit: you could multiply a map by 10, and no picture would change.
# So it says nothing without such a measurement, and distances of two maps cannot be compared.
# (What large distances say is a side road.)
#
# **Question.** Suppose that on your map Sneaker and Trouser are 20 apart.
# On the map of a friend, who trained with another seed, they are 40 apart.
# Your friend says: (a) "my network separates them better"; (b) "Coat and Pullover lie in one place, so the network finds them similar";
# (c) "$z_1$ says how much of a shoe it is".
# Which of these is right, for every training?
#
# <details><summary>Open the answer when you have one</summary>
#
# None is certain for every training.
# (b) has the best support: near codes mostly belong to similar images, in our measurement.
# For (a), the scale of the two maps is arbitrary.
# (c) may describe this one map, but the axes are arbitrary too: it does not carry over to the next training.
#
# </details>
#
# ## Between and outside the codes
#
# The decoder accepts *any* two numbers, not only codes of real images.
# So let us ask it about other points: on a straight path from the middle (the median) of the trouser codes to the middle of the sandal codes,
# and from the trousers away from the middle of the map.
#
# **Predict.** What lies half-way between a trouser and a sandal: (a) clothes of a third kind, (b) a blend of both pictures, (c) noise?

# %% alt="Two rows of ten pictures. First row, from trouser to sandal: the trousers become darker, then faint parts of trousers and shoe lie over one another, and the last picture is a blurred shoe. Second row: the trousers become pure white."
codes = maps[0]
trouser, sandal = (np.median(codes[data.y_test == c], axis=0) for c in (1, 5))
path = autoencoder.decode(vh.straight_line(trouser, sandal, 10))

far_point = trouser + 7 * (trouser - codes.mean(axis=0))  # eight times as far from the middle of the map
outward = autoencoder.decode(vh.straight_line(trouser, far_point, 10))
vh.plot_images([path, outward], ["trouser to sandal", "trouser, then far out"], titles=range(1, 11));

# %% tags=["guard"]
white = (outward[-1] > 0.98).sum() / (outward[-1] > 0.1).sum()  # of the pixels that show cloth
vh.expect("white share of the trousers far out", white, at_least=0.6)
middle_brightness = path[4:7].mean() / path[0].mean()
vh.expect("brightness half-way, against the trousers", middle_brightness, at_most=0.8)

# %% [markdown]
# **What you see.** First row: the trousers become darker, then faint parts of both appear, and the last picture is a blurred shoe.
# The answer: (b) comes closest.
# But the blend does not change evenly: up to picture 6 you still see trousers, and pictures 7 and 8 show no clothes.
# Second row: most pixels of the trousers become white.
# Between its bends, a chain of Dense layers and ReLUs is linear.
# Beyond the last bend, each logit goes on along a straight line, up or down, so its sigmoid goes to 1 or to 0.
#
# Now the whole plane at once.
# We put a grid of points on the map, and decode each one.

# %% alt="Left: the codes of the test images, coloured by class. Right: the pictures that the decoder draws at a grid of points over the same part of the plane, from white tops at the upper left to boots at the upper right, trousers at the lower left and flat shoes at the right; in the gap between clothes and shoes the tiles are dark."
low, high = 5 * np.round(np.quantile(codes, [0.01, 0.99], axis=0) / 5)  # round numbers
ranges = list(zip(low, high))
fig, axes = plt.subplots(1, 2, figsize=(11, 5.2))
vh.plot_latent_scatter(codes, data.y_test, data.class_names, ax=axes[0])
axes[0].legend_.remove()
axes[0].set(xlim=ranges[0], ylim=ranges[1], aspect="auto", title="the codes of the test images")
vh.plot_manifold(autoencoder, n=settings.grid, limit=ranges, ax=axes[1])
axes[1].set_title("what the decoder draws there");

# %% [markdown]
# **What you see.** Both pictures show the same part of the plane.
# In the gap between clothes and shoes, the tiles are dark or mixed.
# In the lower left corner there are no dots either, and yet the tiles look like clothes: the decoder continues the nearest kind.
# So a place without dots *can* give a bad picture, but need not.
#
# ## Can we draw new images?
#
# To draw a new image, choose a code $z$ at random, then decode it.
# But *which* random numbers?
# We try three recipes.
#
# - **Naive:** draw both numbers from the **normal distribution** with mean 0 and standard deviation 1, written $\mathcal N(0, I)$.
#   (0: both means are 0; $I$: each number has standard deviation 1, and the two do not depend on each other.)
#   The normal distribution is the bell curve: a single *hill*; of one number, about two draws of three lie within one standard deviation of its middle.
#   This recipe is what the *variational autoencoder* of lesson 02 uses, after another kind of training.
# - **Fitted:** draw from the normal distribution that has the mean and the covariance of the training codes.
#   (The **covariance** of two numbers is a 2 × 2 table.
#   On its diagonal stand the squares of the two standard deviations, called *variances*.
#   Beside them stands how much the two numbers vary together.)
# - **Mixture:** draw from 20 such hills.
#   First choose one of them, each with its own probability, then draw from that one.
#
# ### Exercise 1.3 · Draws like the codes · 6 min
# Write the second recipe.
# You get codes and a random generator `rng` (as `np.random.default_rng(0)` makes one).
# Return `n` new codes from the normal distribution with the mean and the covariance of the given codes.
# `np.cov` computes a covariance; look at `help(np.cov)` to see whether it wants one code per row or per column. `rng.multivariate_normal` draws.

# %%
def draw_fitted(codes, n, rng):
    """n draws from the normal distribution fitted to codes (images, latent). Returns (n, latent)."""
    ### BEGIN SOLUTION
    return rng.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), size=n)
    ### END SOLUTION


vh.check.draw_fitted(draw_fitted)

# %% [markdown]
# **Target:** the orange points in the panel "fitted" of the figure below come from the same computation.
#
# ### How is a mixture fitted?
#
# 1. **Begin** with 20 hills at the codes of 20 images, chosen at random.
# 2. **Share out:** each code is divided among the hills; a hill gets a larger share of it where it is higher than the other hills.
# 3. **Move:** each hill takes the mean and the covariance of the codes it got, each counted by its share.
#    Repeat 2 and 3 until hardly anything changes.
#
# (This is called *expectation maximization*.
# The probability of a hill is its share of all codes.)

# %%
import warnings

from sklearn.mixture import GaussianMixture

warnings.filterwarnings("ignore", message=".*did not converge")  # below we stop early, to look


def fit_mixture(codes, hills, rounds=100):
    return GaussianMixture(hills, max_iter=rounds, init_params="random_from_data", random_state=0).fit(codes)


codes_train = np.asarray(autoencoder.encode(data.x_train[:10_000]), "float64")

# %% [markdown]
# Now we draw the hills as ellipses.
# (`np.linalg.cholesky` gives the matrix that stretches a circle to the ellipse of a covariance.
# It is used here for drawing only.)

# %% alt="Three times the same grey codes with 20 orange ellipses. After round 1 some ellipses are large and reach over empty places. After round 5 they fit better. After about 30 rounds they follow the codes."
angle = np.linspace(0, 2 * np.pi, 60)
circle = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # two standard deviations
fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharex=True, sharey=True)
for ax, rounds in zip(axes, (1, 5, 100)):
    mixture = fit_mixture(codes_train, 20, rounds)
    ax.scatter(*codes_train[:3000].T, s=3, color="0.75")
    for mean, covariance in zip(mixture.means_, mixture.covariances_):
        ellipse = mean + circle @ np.linalg.cholesky(covariance).T
        ax.plot(ellipse[:, 0], ellipse[:, 1], color="C1")
    ax.set(title=f"after round {mixture.n_iter_}", xlabel="$z_1$")
axes[0].set_ylabel("$z_2$");

# %% [markdown]
# **What you see.** Grey: codes of training images.
# Each orange ellipse is one hill; it reaches two standard deviations from its middle.
# After round 1, some ellipses are large and reach across empty places.
# The third fit might have taken 100 rounds.
# It stopped by itself at round 30, because hardly anything changed any more.
# There the ellipses follow the codes; most of the small ones lie where the codes are dense.
#
# **Predict.** The naive draws have mean 0 and standard deviation 1.
# Compare this with the axes of the map.
# Which fault will the naive images have?
# Which fault will remain in the fitted ones?

# %% alt="Three times the same grey codes, in orange 300 draws. Naive: one small spot around 0, at the gap. Fitted: one wide oval cloud, partly over empty places. Mixture: the draws follow the codes."
rng = np.random.default_rng(0)
draws = {
    "naive": rng.normal(size=(settings.samples, 2)),
    "fitted": rng.multivariate_normal(codes_train.mean(axis=0), np.cov(codes_train.T), size=settings.samples),
    "mixture": rng.permutation(mixture.sample(settings.samples)[0]),  # they come sorted by hill
}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharex=True, sharey=True)
for ax, (name, z) in zip(axes, draws.items()):
    ax.scatter(*codes_train[:3000].T, s=3, color="0.75")
    ax.scatter(*z.T, s=8, color="C1")
    ax.set(title=name, xlabel="$z_1$")
axes[0].set_ylabel("$z_2$");

# %% alt="Three rows of ten new images. Naive: dark fragments of shirts. Fitted: clothes and shoes, two very faint fragments, and one white block. Mixture: ten clothes and shoes."
vh.plot_images([autoencoder.decode(z[:10]) for z in draws.values()], list(draws));

# %% [markdown]
# **What you see.** Grey: codes of training images.
# Orange: draws.
# The pictures are the first ten draws of each recipe.
# The answers:
#
# - *Naive.* The draws lie in one small place around 0, where codes are rare.
#   So all ten images are dark, most of them fragments of shirts.
#   This does not mean that the decoder is bad: we used only one small place of the map.
# - *Fitted.* The draws cover the right area.
#   But the codes do not form one hill: some draws fall into the empty middle or outside.
#   Two of the ten images are faint fragments, and one is a white block.
# - *Mixture.* The draws follow the codes, and all ten images look like clothes or shoes.
#
# ### Which recipe fits best?
#
# A good recipe draws *wherever* codes are, and hardly anywhere else.
# The **density** of a distribution at a place is the height of its hills there: where it is high, many draws fall.
# So we take codes of images that the recipe has not seen, and ask how high its density is there.
# This sees both faults.
# Where hardly any draws fall, the density is low.
# And what falls into empty places is missing at the codes, because the probabilities add up to 1.
# Densities differ by many powers of ten, so we average their logarithms.
#
# First we use it for a choice, on the validation images: how many hills?

# %%
codes_valid = np.asarray(autoencoder.encode(data.x_valid))
for hills in (1, 5, 20, 40):
    print(f"{hills:3d} hills: mean log density of the validation codes {fit_mixture(codes_train, hills).score(codes_valid):.2f}")

# %% tags=["guard"]
score = {hills: fit_mixture(codes_train, hills).score(codes_valid) for hills in (1, 5, 20, 40)}
vh.expect("gain of 5 hills over 1", score[5] - score[1], at_least=0.15)
vh.expect("gain of 40 hills over 20", score[40] - score[20], at_most=0.12)

# %% [markdown]
# From 1 to 5 hills the gain is large, from 20 to 40 it is small.
# This is why we took 20.
# Now the report, on the test images, for all three maps.

# %%
def log_densities(model):
    """The mean log density of the codes of the test images, under the three recipes."""
    codes_train, codes = (np.asarray(model.encode(x), "float64") for x in (data.x_train[:10_000], data.x_test))
    naive = np.mean(-0.5 * (codes**2).sum(axis=1) - np.log(2 * np.pi))  # the log of both bell curves, multiplied
    return naive, fit_mixture(codes_train, 1).score(codes), fit_mixture(codes_train, 20).score(codes)


fits = np.array([log_densities(model) for model in trained[2]])
print("mean log density of the test codes    naive   fitted   mixture")
for seed, (naive, fitted, mixture_20) in zip(seeds, fits):
    print(f"{f'map of seed {seed}':35s} {naive:7.1f} {fitted:8.2f} {mixture_20:9.2f}")
vh.expect("gain from fitted to mixture, smallest of the maps", min(fits[:, 2] - fits[:, 1]), at_least=0.25)

# %% tags=["guard"]
gain = fits[:, 2] - fits[:, 1]
vh.expect("mixture better than fitted, largest gain", gain.max(), at_most=1.6)
vh.expect("naive, best map", fits[:, 0].max(), at_most=-25)

# %% [markdown]
# **What you see.** Higher is better.
# In each of the three maps the mixture is best, and the naive recipe is by far the worst.
# The gain from fitted to mixture is 0.47 to 0.75.
# So at a typical test code the density of the mixture is $e^{0.47}=1.6$ to $e^{0.75}=2.1$ times as high.
#
# (Compare these numbers only within one line: they change with the scale of the map, which is arbitrary.
# And they say where the draws lie, not how good the pictures are.
# Lesson 02 measures that.)
#
# So what is missing?
#
# - The autoencoder gives a map from images to codes and back.
#   It does **not** give a distribution of codes.
#   In the language of probability, it defines no **prior**: no rule from which to draw $z$.
#   One can be fitted afterwards, as we did.
# - Nothing in its training asks the decoder for good images *between* the codes.
#
# The variational autoencoder works on both.
# It chooses $\mathcal N(0, I)$ first, and its training pulls the code of each image towards it.
# It also asks the decoder for good images *around* each code.
# Lesson 02 measures how well this works.
#
# ## To take away
#
# 1. An autoencoder is an encoder and a decoder, trained together to give the input back through a bottleneck.
# 2. PCA is the linear method to compare with.
#    On these images the autoencoder had some 40 % less error with 2 and with 10 latents, for each of three seeds.
#    With 2 latents we took its bends out (one training), and nearly all of the gain was gone.
#    Its price is many more parameters.
#    (With 50 latents and the same short training, once, PCA was better: exercise 1.5.)
# 3. Near codes mostly belong to similar images, but the scale and the axes of the map are arbitrary: each training makes its own.
# 4. Between and outside the codes the decoder was never trained.
#    Its pictures there can be blends, fragments, or clothes that are too white.
# 5. To draw new images you need a distribution of codes.
#    A plain autoencoder does not come with one; a mixture can be fitted to its codes.
#
# **Where the ideas come from.** PCA as the best linear compression: C. Eckart and G. Young, Psychometrika 1 (1936).
# Linear autoencoders find the same plane: P. Baldi and K. Hornik, Neural Networks 2 (1989).
# Deep autoencoders: G. Hinton and R. Salakhutdinov, Science 313 (2006), compared with PCA in its figures 2 and 3.
# Fitting mixtures: A. Dempster, N. Laird and D. Rubin, Journal of the Royal Statistical Society B 39 (1977).
# A mixture fitted to the codes of an autoencoder: P. Ghosh and others, *From variational to deterministic autoencoders*, ICLR 2020.
# The data: H. Xiao, K. Rasul and R. Vollgraf, *Fashion-MNIST*, arXiv 1708.07747 (2017).
#
# **Next:** in lesson 02 the code of an image becomes a small cloud instead of a point.
# You will measure what this changes.

# %% [markdown] sitting="side roads"
# ## Side roads
#
# Nothing later needs these.
#
# ### What do large distances say?
#
# *For those who want to read the whole map.* Near codes mostly belong to similar images.
# And codes that are far apart?
# We take 20,000 pairs of test images, and all three maps.

# %% alt="Squared difference of two images against the distance of their codes, one curve for each of three trainings. All three rise from about 50 at the smallest distances, first steeply, then less, to about 190, and lie close together."
i, j = np.random.default_rng(1).integers(len(data.x_test), size=(2, 20_000))
of_images = np.asarray(vh.squared_error(data.x_test[i], data.x_test[j]))

fig, ax = plt.subplots(figsize=(7.5, 3.4))
for seed, codes in zip(seeds, maps):
    of_codes = np.linalg.norm(codes[i] - codes[j], axis=1)
    groups = np.array_split(np.argsort(of_codes), 20)  # from the nearest pairs to the farthest
    ax.plot([of_codes[g].mean() for g in groups], [of_images[g].mean() for g in groups], "o-", label=f"seed {seed}")
ax.set(xlabel="distance of the two codes", ylabel="squared difference\nof the two images", xlim=(0, None), ylim=(0, None))
ax.legend();

# %% tags=["guard"]
for map_codes, which in zip(maps, ("first", "second", "third")):
    apart = np.linalg.norm(map_codes[i] - map_codes[j], axis=1)
    at_10, at_20 = (np.mean(of_images[np.abs(apart - distance) < 1]) for distance in (10, 20))
    vh.expect(f"image difference at code distance 20 against 10, {which} map", at_20 / at_10, at_least=1.05, at_most=1.6)

# %% [markdown]
# **What you see.** Each dot is the mean of 1,000 pairs.
# Codes that are farther apart belong to more different images, on average.
# But twice as far is not twice as different: from distance 10 to 20, the difference grows by less than half.
# The three curves lie close together here.
# The loss does not ask for that: you could multiply one map by 10, and no picture would change.
#
# ### Other kinds of autoencoder
#
# *For those who meet these names elsewhere.*
# The autoencoder above is **undercomplete**: its code is much shorter than the image.
# So it must find what the images have in common.
# If the code and all hidden layers had 784 numbers or more, the network could copy the image and learn nothing.
# There are other ways to prevent copying:
#
# - a **sparse** autoencoder may have a long code, but for each image only a few of its numbers may differ from 0.
#   One way is a cost for each number that is not 0, such as the sum of the absolute values.
#   Another is to keep only the largest few and set the rest to 0;
# - a **denoising** autoencoder gets a damaged image (noise added, parts erased) and must return the undamaged one.
#   It cannot just copy, because the input is wrong.
#
# Neither of them comes with a rule for drawing codes, either.
# (Sparse: A. Makhzani and B. Frey, *k-Sparse autoencoders*, ICLR 2014.
# Denoising: P. Vincent and others, *Extracting and composing robust features with denoising autoencoders*, ICML 2008.)
#
# ### Exercise 1.4 · A walk · 4 min
#
# *For those who want more practice with numpy.* The path from trouser to sandal came from `vh.straight_line`.
# Write this function:
# `steps` points from `start` to `end`, in equal steps, with both ends included.
# **Target:** `walk(np.array([0.0, 10.0]), np.array([1.0, 20.0]), 5)[1]` should be `[0.25, 12.5]`.

# %%
def walk(start, end, steps):
    """Points on a straight line. start, end: (latent,). Returns (steps, latent)."""
    ### BEGIN SOLUTION
    t = np.linspace(0, 1, steps)[:, None]  # one row per point
    return (1 - t) * start + t * end
    ### END SOLUTION


vh.check.walk(walk)

# %% [markdown]
# ### Exercise 1.5 · Change it, and explain · 15 min
#
# *For those who want to experiment.* Here you have no check but your own eyes.
#
# **First:** does the autoencoder still beat PCA with 50 latents, and by as much as before?
# Write down what you expect.
# Then compare `error(train(50, seed=1).reconstruct(data.x_test))` with `error(pca_images(PCA(50).fit(flat_train)))`.
#
# <details><summary>Open the answer when you have tried</summary>
#
# No.
# When we ran it (one training), the error was 10.0; PCA with 50 latents had 8.9.
# With many latents even straight lines keep most of the image.
# PCA finds its best parameters exactly.
# The network would have to find them in a short training, and the narrower of its hidden layers, with 64 numbers, is hardly wider than the code.
# Both are probably reasons; we did not test which.
#
# </details>
#
# **Then:** replace `"fashion_mnist"` by `"mnist"` and run everything again.
# Which digits overlap on the map?
# (The stated numbers are those of Fashion-MNIST, so some lines will say OFF.
# "Trouser to sandal" goes from 1 to 5.)
#
# <details><summary>Open the answer when you have tried</summary>
#
# When we ran it, for 71 of 100 digits the nearest code belonged to the same digit.
# 4 and 9 overlap most: for 28 of 100 fours the nearest code is that of a nine.
# 3, 5 and 8 overlap as well, and so do 7 and 9.
# The 1 lies apart.
#
# </details>

# %%
vh.figures_compared()
