# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · VAEs today
#
# You build four things that papers since 2017 are full of, each small enough to train in a minute: a codebook, two levels of latents,
# a diffusion model on the codes, and a VAE for a table of measured counts.
#
# **Time.** {{time}}
#
# **You will be able to**
#
# - train a VQ-VAE, say how a gradient passes its codebook, and see and cure dead entries;
# - give a model of codes a price in nats, and draw from it;
# - write the ELBO with two levels of latents, and say which level holds what;
# - derive the loss of a diffusion model from that ELBO, and draw codes with it;
# - choose a likelihood that fits the data, before you choose a network.
#
# **You need** lessons 01 to 03 (ELBO, reparameterization, KL of two normal distributions, Fréchet distance and its floor, mixture),
# convolutions (lesson 04), posterior collapse and free bits (lesson 06), and dequantization (lesson 07).

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
from keras import layers, ops
from scipy.stats import entropy
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import CategoricalNB

plt.style.use("vae_helpers.course")
tf.get_logger().setLevel("ERROR")  # many small models: TensorFlow would warn that it compiles often
settings = vh.run_settings(seed=1, epochs=4, budget=8, seeds=3, samples=10_000)
data = vh.load_images("mnist", binarize="threshold", validation=5000)
some, few = data.x_train[:15_000], data.x_train[:6_000]

# %% [markdown]
# The digits are black and white, as in lesson 02.
# To be quick, most models of images see the first 15,000 of them, and in sitting A, where we compare several runs, the first 6,000.
# (The small classifier sees all 55,000, and the models of codes see 30,000.)
# So the numbers of this lesson hold for these short trainings.

# %% [markdown] sitting="A"
# ## Sitting A: a codebook, and two levels · {{minutes}} min
#
# ### A code made of whole numbers
#
# So far a code was a list of a few numbers, each of them continuous.
# Text is different: it is a row of *signs* from a fixed list, the alphabet.
# Models of language are very good at predicting the next sign.
# Can an image be turned into such a row?
#
# A **VQ-VAE** (*vector quantized* VAE; van den Oord and others, 2017) does it.
# Its encoder is convolutional, and keeps the places: it makes a grid of 7 × 7 vectors $z_e$, four numbers each.
# A **codebook** holds $M=64$ vectors $e_1,\dots,e_{64}$, the *entries*, which are learned.
# Each vector of the grid is replaced by the nearest entry.
# So an image becomes a grid of 49 whole numbers, and the decoder gets the 49 entries.
#
# **Predict.** How many nats can such a grid tell at most?
# The clouds of lesson 02 told about 5 nats with two latents.
#
# <details><summary>Open the answer when you have decided</summary>
#
# Each place chooses one of 64 entries, which is at most $\log 64=4.16$ nats.
# 49 places: at most $49\cdot4.16=204$ nats.
# That is more than a VAE with dense layers pays for an image *in all*.
# Whether it is used is another question; we will measure it.
#
# </details>

# %%
M, WIDTH = 64, 4  # entries of the codebook, numbers in an entry

image = keras.Input((28, 28, 1))
x = layers.Conv2D(16, 4, strides=2, padding="same", activation="relu")(image)  # 14, 14, 16
x = layers.Conv2D(32, 4, strides=2, padding="same", activation="relu")(x)  # 7, 7, 32
encoder = keras.Model(image, layers.Conv2D(WIDTH, 1)(x))  # 7, 7, 4

grid = keras.Input((7, 7, WIDTH))
x = layers.Conv2D(32, 3, padding="same", activation="relu")(grid)
x = layers.Conv2DTranspose(16, 4, strides=2, padding="same", activation="relu")(x)  # 14, 14, 16
decoder = keras.Model(grid, layers.Conv2DTranspose(1, 4, strides=2, padding="same")(x))  # logits: 28, 28, 1
print(f"{encoder.count_params() + decoder.count_params():,} parameters, and a codebook of {M} × {WIDTH} numbers")

# %% [markdown]
# ### How does a gradient pass a choice?
#
# "The nearest entry" is a choice, and its derivative is 0 nearly everywhere: move $z_e$ a little, and the chosen entry stays the same.
# So the encoder would learn nothing.
# The **straight-through** trick (Bengio and others, 2013) pretends that the choice is not there.
# Forwards, the decoder gets the entry $e$.
# Backwards, the gradient at $e$ is handed on to $z_e$ as it is.
# In code it is one line, `z + ops.stop_gradient(e - z)`.
# Its value is $e$; but the bracket counts as a constant, so its derivative with respect to $z$ is 1.
#
# This is *not* the true gradient, which is 0.
# It is a guess: what improves the image at $e$ should improve it at $z_e$ close by.
# So $z_e$ must be kept close to $e$, and the loss has three terms ($\mathrm{sg}$ means *stop gradient*; the squares are summed over the 49 places):
#
# $$-\log p(x\mid e)\;+\;\lVert \mathrm{sg}[z_e]-e\rVert^2\;+\;\gamma\,\lVert z_e-\mathrm{sg}[e]\rVert^2$$
#
# 1. The reconstruction, in nats, trains decoder and encoder.
# 2. Here only the entry moves: towards the mean of the vectors that chose it (the method *k-means* groups points so).
# 3. Here only the encoder moves: it *commits* itself to the entry.
#    $\gamma=0.25$ is the **commitment weight**.
#    (Papers call it β; it has nothing to do with our β.)

# %%
def nearest_entries(z, codebook):
    """The number of the nearest entry for each vector. z: (…, width), codebook: (M, width). Returns (…)."""
    products = ops.matmul(z, ops.transpose(codebook))  # ‖z − e‖² = ‖z‖² − 2 z·e + ‖e‖², and ‖z‖² is the same for all e
    return ops.argmin(ops.sum(codebook**2, axis=1) - 2 * products, axis=-1)


# %%
class VQVAE(keras.Model):
    def __init__(self, commitment=0.25):
        super().__init__()
        self.encoder, self.decoder = keras.models.clone_model(encoder), keras.models.clone_model(decoder)
        start = keras.initializers.RandomNormal(0, 1)
        self.codebook = self.add_weight(shape=(M, WIDTH), initializer=start, name="codebook")
        self.commitment = commitment

    def call(self, x):
        z = self.encoder(x)
        grid = nearest_entries(z, self.codebook)
        e = ops.take(self.codebook, grid, axis=0)
        return {"z": z, "grid": grid, "e": e, "logits": self.decoder(z + ops.stop_gradient(e - z))}

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        z, e = y_pred["z"], y_pred["e"]
        codebook_term = ops.sum((ops.stop_gradient(z) - e) ** 2, axis=(1, 2, 3))
        commitment_term = ops.sum((z - ops.stop_gradient(e)) ** 2, axis=(1, 2, 3))
        surprise = vh.bernoulli_nll(x, y_pred["logits"])
        return ops.mean(surprise + codebook_term + self.commitment * commitment_term)


# %% [markdown]
# Where does the gradient go?
# One image tells it: we ask for the derivatives of the reconstruction alone.

# %% tags=["nbval-check-output"]
keras.utils.set_random_seed(settings.seed)
model = VQVAE()
with tf.GradientTape(persistent=True) as tape:
    surprise = ops.sum(vh.bernoulli_nll(some[:1], model(some[:1])["logits"]))
for name, variables in (("encoder", model.encoder.trainable_variables), ("codebook", [model.codebook])):
    reached = [gradient is not None and np.any(gradient) for gradient in tape.gradient(surprise, variables)]
    print(f"does the reconstruction move the {name}? {'yes' if any(reached) else 'no'}")

# %% [markdown]
# **What you see.** The reconstruction reaches the encoder, *through* the choice.
# It does not reach the codebook: its bracket is a constant.
# The entries learn from the second term alone.

# %% [markdown]
# ### Dead entries
#
# Which entries does a trained model use?
# If entry $m$ is chosen with frequency $f_m$, the **entropy** $-\sum_m f_m\log f_m$ says how many nats a place tells at most.
# Its exponential is the **perplexity**: so many equally frequent entries would tell as much.
# It is 64 if all entries are used equally, and 1 if a single one is used always.
#
# ### Exercise 10.1 · Perplexity · 8 min
#
# Write it.
# `counts` says how often each entry was chosen.
# An entry that was never chosen adds nothing: $f\log f$ goes to 0 with $f$.
# But `np.log(0)` is not a number that one can add.

# %%
def perplexity(counts):
    """The exponential of the entropy. counts: (M,), how often each entry was chosen; some are 0. Returns a number."""
    ### BEGIN SOLUTION
    frequencies = np.array(counts) / np.sum(counts)
    used = frequencies[frequencies > 0]
    return np.exp(-np.sum(used * np.log(used)))
    ### END SOLUTION


vh.check.perplexity(perplexity)

# %% [markdown]
# **Target:** `perplexity(np.array([2, 1, 1, 0]))` is 2.83.
# (The lesson itself uses `entropy` of scipy.)
#
# We train on 6,000 images, and count on the validation images.
#
# **Predict.** The codebook starts with draws from $\mathcal N(0, I)$.
# The vectors of the encoder begin near 0.
# How many of the 64 entries will be in use after four epochs: nearly all, about half, or a handful?

# %%
def apply(model, images):
    """What the model gives for the images, 1,000 at a time, as numpy arrays."""
    parts = [model(images[start : start + 1000]) for start in range(0, len(images), 1000)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def report(name, model):
    """Prints, and returns, what a model costs on validation images and how it uses its codebook."""
    found = apply(model, data.x_valid)
    surprise = np.mean(vh.bernoulli_nll(data.x_valid, found["logits"]))
    counts = np.bincount(found["grid"].ravel(), minlength=M)  # how often each entry is chosen
    used, spread = np.sum(counts > 0), np.exp(entropy(counts))
    print(f"{name:32s} {surprise:5.1f} nats + {49 * np.log(spread):5.1f} nats   {used} entries, perplexity {spread:4.1f}")
    return surprise, 49 * np.log(spread), used


# %% [markdown]
# A cure (similar ones are in Williams and others, 2020, and in Dhariwal and others, 2020): every 20 steps, look which entries no vector of a batch has chosen.
# Put each of them where a vector of the encoder is.
# We do so in the first half of the training only: what is in use at its end has then stayed in use by itself.
# A **control** tells whether once, at the first step, is enough.

# %%
class Revive(keras.callbacks.Callback):
    """Every 20 steps, moves the entries that nobody chooses to vectors of the encoder; in the first half of the training."""

    def __init__(self, images, only_once=False):
        super().__init__()
        self.images, self.only_once, self.steps = images, only_once, 0
        self.half = len(images) // 64 * settings.epochs // 2

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps != 1 and (self.only_once or self.steps % 20 or self.steps > self.half):
            return
        batch = np.random.default_rng(self.steps).choice(len(self.images), 128)
        vectors = ops.convert_to_numpy(self.model.encoder(self.images[batch])).reshape(-1, WIDTH)
        codebook = np.copy(ops.convert_to_numpy(self.model.codebook))
        chosen = np.unique(nearest_entries(vectors, codebook))
        dead = np.setdiff1d(np.arange(M), chosen)
        codebook[dead] = np.random.default_rng(self.steps).permutation(vectors)[: len(dead)]
        self.model.codebook.assign(codebook)


# %%
def train_vq(seed, images, epochs, callbacks=()):
    keras.utils.set_random_seed(seed)
    model = VQVAE()
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(images, epochs=epochs, batch_size=64, verbose=0, callbacks=list(callbacks))
    return model


# %%
cures = {"as it is": [], "revived once": [Revive(few, only_once=True)], "revived every 20 steps": [Revive(few)]}
table = {}
for seed in range(settings.seeds):
    for name, callbacks in cures.items():
        for callback in callbacks:
            callback.steps = 0
        table[name, seed] = report(f"{name}, seed {seed}", train_vq(seed, few, settings.epochs, callbacks))
use = {name: [table[name, seed][2] for seed in range(settings.seeds)] for name in cures}
vh.expect("entries in use when revived, fewest of three seeds", min(use["revived every 20 steps"]), at_least=50)

# %% tags=["guard"]
vh.expect("entries in use as it is, most of three seeds", max(use["as it is"]), at_most=45)

# %% [markdown]
# **What you see.** Each line has the reconstruction, the price of the grid, and the use of the codebook.
# (The price is 49 · log perplexity: the surprise about the 49 entries, if one table of frequencies serves all places.)
#
# - As it is, 27 to 40 of the 64 entries are in use; the others are **dead**.
#   No vector chooses them any more, so the codebook term no longer moves them.
#   The answer: about half.
# - Revived once, it is a matter of luck: 22, 63 and 46 entries.
#   The encoder still moves, and may leave behind what was put in its way.
# - Every 20 steps in the first half, it cures: at the end all 64 are in use with each seed, and the perplexity doubles or more, from 13–15 to 27–36.
# - But look at the nats.
#   The reconstruction changes by +1, −7 and −1 nats; the price of the grid rises by 36 to 47.
#   So more entries in use are not a success by themselves.
#   They can be one where each place is sent with a fixed number of bits: to name one of 64 entries costs 6 bits, used or not.
#   (And this price is that of the simplest prior; under the better ones below, we did not compare.)
#
# (These are short trainings, of three seeds each.
# Whether the revived entries pay after longer ones, we did not measure.)

# %% [markdown]
# ### Where is the KL?
#
# The encoder of a VQ-VAE gives one grid with certainty.
# Let the prior be: every grid equally likely.
# Then the KL of the ELBO is $\log\frac{1}{\text{prior of that grid}}=49\log 64=203.8$ nats, for each image.
# A constant has no gradient, so it does not stand in the loss.
#
# But grids are not equally likely.
# After training, a *second* model learns which grids occur, and its surprise takes the place of the constant:
#
# $$-\log p(x)\;\le\;\underbrace{-\log p(x\mid\text{grid})}_{\text{reconstruction}}\;+\;\underbrace{-\log p(\text{grid})}_{\text{the price of the code}}$$
#
# This is the ELBO of lesson 03.
# (The cloud is a single grid, so the KL is the surprise about that grid.)
# So we can compare priors in nats, on test images, and no other number is needed.
#
# First we train a model on 15,000 images, as it is, without the cure: on validation images its sum of nats was the smallest, on average over the seeds.

# %%
vq = train_vq(settings.seed, some, settings.epochs)
report("on 15,000 images", vq)
grids, test_found = apply(vq, some)["grid"], apply(vq, data.x_test)
test_grids = test_found["grid"]

# %% alt="Two rows of ten digits: test images, and what the VQ-VAE makes of their grids, nearly the same with slightly uneven edges; below, the grid of the first image as 7 by 7 coloured squares with the numbers of the entries."
decoded = ops.convert_to_numpy(ops.sigmoid(test_found["logits"][:10]))
vh.plot_images([data.x_test[:10], decoded], ["test image", "from its grid"])
fig, ax = plt.subplots(figsize=(3.4, 3.4))
ax.imshow(test_grids[0], cmap="tab20")
for (row, column), entry in np.ndenumerate(test_grids[0]):
    ax.text(column, row, entry, ha="center", va="center", size=10)
ax.set(xticks=[], yticks=[], title="the grid of the first image");

# %% [markdown]
# **What you see.** Above the line: with one table of frequencies for all 49 places, a grid costs 129 nats.
# Keep this number; a table for each place comes next.
# The reconstructions are hard to tell from the images; only edges are a little softer.
# Below, the grid of the first image, a seven: these 49 whole numbers are all that the decoder gets.
# The entries 39 and 59 mean "black", and the stroke of the seven is made of the others.
# (There are fewer colours than entries, so read the numbers.)

# %% [markdown]
# ### Three priors for the grid
#
# 1. **Uniform**: every entry is equally likely at every place.
# 2. **Counted**: at each of the 49 places, each entry with the frequency that it has there in the training grids.
#    The places know nothing of each other.
# 3. **Autoregressive**: a small network predicts each entry from the entries before it, in reading order.
#    By the product rule $p(\text{grid})=p(1\text{st})\,p(2\text{nd}\mid 1\text{st})\,p(3\text{rd}\mid 1\text{st}, 2\text{nd})\cdots$, this can describe any distribution.
#    Ours sees a window: three rows above, and three entries to the left.
#
# ### Exercise 10.2 · The counted prior · 10 min
#
# Count in the grids of training images; give the surprise about each of the new grids.
# An entry that never occurred at a place in training may occur in a new grid.
# So add ½ to every count before you divide by the sum of the new counts.
# (`sklearn` calls this *smoothing*, `alpha=0.5`.)

# %%
def counted_nats(train, new, entries):
    """The surprise about each new row, in nats, if places are independent.

    train: (n, places), new: (m, places), whole numbers from 0 to entries − 1. Returns (m,).
    """
    ### BEGIN SOLUTION
    nats = np.zeros(len(new))
    for place in range(train.shape[1]):
        counts = np.bincount(train[:, place], minlength=entries) + 0.5
        nats -= np.log(counts / counts.sum())[new[:, place]]
    return nats
    ### END SOLUTION


vh.check.counted_nats(counted_nats)

# %% [markdown]
# **Target:** `counted_nats(grids.reshape(-1, 49), test_grids.reshape(-1, 49), M).mean()` is the number that the next cell prints for the counted prior.
# (There `CategoricalNB` counts, a class of scikit-learn for tables of whole numbers.)

# %%
def rows(grids):
    return grids.reshape(len(grids), -1)


def fit_counts(table, entries):
    """(places, entries): log-frequencies at each place."""
    counted = CategoricalNB(alpha=0.5, min_categories=entries).fit(table, np.zeros(len(table)))
    return np.array([of_place[0] for of_place in counted.feature_log_prob_])


log_frequencies = fit_counts(rows(grids), M)
counted = -log_frequencies[np.arange(49), rows(test_grids)].sum(axis=1)
print(f"uniform prior: {49 * np.log(M):.1f} nats for each grid;  counted prior: {counted.mean():.1f} nats")

# %% [markdown]
# Now the autoregressive one.
# `windows` collects, for each place, the 24 entries that stand before it; outside of the grid stands the number 64.
# The network turns each number into a short vector (`Embedding`), puts all of them side by side, and has two hidden layers.
# (It trains about 15 seconds.)

# %%
OFFSETS = [(row, column) for row in range(4) for column in range(7) if row < 3 or column < 3]


def windows(grids):
    """(n, 7, 7) → (n, 49, 24): for each place the entries in three rows above, and three to the left."""
    padded = np.pad(grids, ((0, 0), (3, 0), (3, 3)), constant_values=M)
    before = [padded[:, row : row + 7, column : column + 7] for row, column in OFFSETS]
    return np.stack(before, axis=-1).reshape(len(grids), 49, len(OFFSETS))


# %%
window, place = keras.Input((len(OFFSETS),)), keras.Input((1,))
vectors = layers.Embedding(M + 1, 8)(window), layers.Embedding(49, 16)(place)
x = layers.Concatenate()([layers.Flatten()(vector) for vector in vectors])
x = layers.Dense(256, activation="relu")(x)
x = layers.Dense(128, activation="relu")(x)
next_entry = keras.Model([window, place], layers.Dense(M)(x))  # logits

# %%
def examples(grids):
    """One example for each place of each grid: its window, its number."""
    return [windows(grids).reshape(-1, len(OFFSETS)), np.tile(np.arange(49), len(grids))[:, None]]


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)  # the surprise about the entry
next_entry.compile(keras.optimizers.Adam(3e-3), loss, steps_per_execution=20)
next_entry.fit(examples(grids), grids.ravel(), epochs=min(2, settings.epochs), batch_size=512, verbose=2)
autoregressive = 49 * next_entry.evaluate(examples(test_grids), test_grids.ravel(), batch_size=10_000, verbose=0)

nll = np.mean(vh.bernoulli_nll(data.x_test, test_found["logits"]))
print(f"test images: reconstruction {nll:.1f} nats")
for name, price in (("uniform", 49 * np.log(M)), ("counted", counted.mean()), ("autoregressive", autoregressive)):
    print(f"{name:15s} price of the code {price:6.1f} nats, in all {nll + price:6.1f} nats")
vh.expect("counted minus autoregressive, nats", counted.mean() - autoregressive, at_least=15)

# %% tags=["guard"]
vh.expect("uniform minus counted, nats", 49 * np.log(M) - counted.mean(), at_least=10)

# %% [markdown]
# To draw, we go through the 49 places, and draw each entry given those before it.

# %%
def draw_grids(n, seed=0):
    """n grids from the autoregressive prior, (n, 7, 7)."""
    rng, grids = np.random.default_rng(seed), np.zeros((n, 7, 7), int)
    for place in range(49):
        logits = np.array(next_entry([windows(grids)[:, place], np.full((n, 1), place)]))
        noise = rng.gumbel(size=logits.shape)  # Gumbel's trick: the largest of logits + this noise is one draw
        grids[:, place // 7, place % 7] = np.argmax(logits + noise, axis=1)
    return grids


def decode_grids(grids):
    return ops.convert_to_numpy(ops.sigmoid(vq.decoder(ops.take(vq.codebook, grids, axis=0))))


# %%
n = settings.samples // 5
rng = np.random.default_rng(0)
uniform_grids = rng.integers(0, M, (n, 7, 7))
counted_grids = np.argmax(log_frequencies + rng.gumbel(size=(n, 49, M)), axis=-1).reshape(n, 7, 7)
drawn = {"uniform": uniform_grids, "counted": counted_grids, "autoregressive": draw_grids(n)}

# %% alt="Three rows of ten drawn images. Uniform grids give random scribble all over the image; counted grids give scribble in the middle with strokes that do not join; the autoregressive prior gives mostly readable digits, some of them odd."
vh.plot_images([decode_grids(g[:10]) for g in drawn.values()], list(drawn));

# %% [markdown]
# **What you see.** First the table above.
# A uniform prior would make the grid cost 203.8 nats.
# To count at each place saves nearly 110 of them; to look at the entries before saves 37 more.
# So $-$ELBO falls from 232.7 to 85.8 nats, and neither encoder nor decoder was touched.
# Then the pictures.
# From uniform grids come scribbles (they also use the dead entries).
# Counted grids have the strokes where digits have them, but neighbours do not agree.
# The autoregressive prior draws strokes that go on, and most of the ten look like digits.
# Some do not: perhaps because it looks no farther than its window of three places, perhaps because its training is short.
#
# (One training of each.
# The limit of a count model is plain: it cannot know that a stroke which enters a square must leave it.)

# %% [markdown]
# ## Two levels of latents
#
# The prior $\mathcal N(0, I)$ knows nothing about digits.
# In the VQ-VAE, a second model repaired that afterwards.
# A **hierarchical VAE** has a prior that learns *with* the rest.
# It draws in two steps: first $z_2$, the top level, then $z_1$ given $z_2$, then the image given $z_1$.
# (In this lesson the small number at $z$ is that of the level.)
#
# $$p(x, z_1, z_2) = p(z_2)\;p(z_1\mid z_2)\;p(x\mid z_1),\qquad p(z_2)=\mathcal N(0, I)$$
#
# And $p(z_1\mid z_2)$ is a normal distribution whose mean and variance a network computes from $z_2$.
# The encoder also has two steps, *in the same order*: $q(z_2\mid x)$, then $q(z_1\mid z_2, x)$.
# Put both products into the ELBO of lesson 03, and take the logarithm apart:
#
# $$\log p(x)\ge\mathbb E_q\!\left[\log\frac{p(x, z_1, z_2)}{q(z_1, z_2\mid x)}\right]
# =\mathbb E_q\log p(x\mid z_1)-\mathrm{KL}\big(q(z_2\mid x)\,\|\,p(z_2)\big)-\mathbb E_q\,\mathrm{KL}\big(q(z_1\mid z_2,x)\,\|\,p(z_1\mid z_2)\big)$$
#
# So each level pays one KL, in nats.
# The top level pays against $\mathcal N(0, I)$; the lower one pays only for what the top level did not predict.
#
# **A shared pass upwards** (Ladder VAE, Sønderby and others, 2016): the image goes up through the encoder once.
# Then everything comes *down*: $z_2$, what $z_2$ predicts for $z_1$, and how the image corrects this prediction.
# We write the cloud as a correction, `mean + change` (as NVAE does): where the image adds nothing, the KL is 0.

# %%
TOP, LOW = 4, 16  # latents of z₂ and of z₁


def kl_between(mean, log_var, to_mean, to_log_var):
    """KL of two normal distributions in nats, summed over latents (lesson 03)."""
    spread = ops.exp(log_var - to_log_var) + (mean - to_mean) ** 2 / ops.exp(to_log_var)
    return 0.5 * ops.sum(spread - 1 - log_var + to_log_var, axis=-1)


def two_heads(n, *inputs, hidden=128):
    """A small network from the inputs, side by side, to two lists of n numbers."""
    nodes = [keras.Input((size,)) for size in inputs]
    x = layers.Concatenate()(nodes) if len(nodes) > 1 else nodes[0]
    x = layers.Dense(hidden, activation="relu")(x)
    return keras.Model(nodes, [layers.Dense(n)(x), layers.Dense(n)(x)])


# %%
class Levels(keras.Model):
    """The networks and the clouds."""

    def __init__(self, low=LOW, top=True, free=0.0):
        super().__init__()
        self.up = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(256, activation="relu")])
        self.top, self.predict_low = two_heads(TOP, 256), two_heads(low, TOP)
        self.correct_low = two_heads(low, 256, TOP)
        self.decoder = vh.mlp_decoder((28, 28, 1), low, hidden=(256,))
        self.use_top, self.free, self.seed = float(top), free, keras.random.SeedGenerator()

    def draw(self, mean, log_var):
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed)


# %%
class TwoLevels(Levels):
    """What goes up, what comes down, and the loss."""

    def clouds(self, x):
        """z₂ with its KL; for z₁ what z₂ predicts, and the cloud: (mean, log_var) each."""
        up = self.up(x)  # once, for both levels
        mean, log_var = self.top(up)
        z_2 = self.use_top * self.draw(mean, log_var)  # 0 in the control
        predicted = self.predict_low(z_2)  # p(z₁|z₂)
        changes = self.correct_low([up, z_2])
        return z_2, self.use_top * vh.gaussian_kl(mean, log_var), predicted, [p + c for p, c in zip(predicted, changes)]

    def call(self, x):
        _, kl_2, predicted, cloud = self.clouds(x)
        return {"kl_2": kl_2, "kl_1": kl_between(*cloud, *predicted), "logits": self.decoder(self.draw(*cloud))}

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        kl_2 = ops.mean(y_pred["kl_2"])
        return ops.mean(vh.bernoulli_nll(x, y_pred["logits"]) + y_pred["kl_1"]) + ops.maximum(kl_2, self.use_top * self.free)


# %% [markdown]
# In the loss stands `free`: the nats of KL that the top level may have without paying (*free bits*, lesson 06).
# Why?
# An unused top level is easy to keep: while $z_2$ tells nothing, the level below does not listen to it, and then each nat of $z_2$ only costs.
# We train without and with 3 free nats.
#
# There are two **controls** with one level: the same class and the same networks, but the top is cut off ($z_2=0$ always).
# In one of them $z_1$ has 20 latents, as many as both levels together; in the other it has 16, as in the models with two levels.
# (Some 35,000 parameters of the controls, those of the top, do nothing.)
#
# **Predict.** Who has the smallest $-$ELBO on test images, and by how much?
# Will the top level be used without free nats?
# (The cell takes about a minute, and prints a line for each model.
# In the test, every nat is paid.)

# %%
kinds = {
    "two levels": lambda: TwoLevels(),
    "two levels, 3 nats free": lambda: TwoLevels(free=3.0),
    "one level of 20": lambda: TwoLevels(low=TOP + LOW, top=False),
    "one level of 16": lambda: TwoLevels(top=False),
}
costs = {}
for seed in range(settings.seeds):
    for name, build in kinds.items():
        keras.utils.set_random_seed(seed)
        model = build()
        model.compile(keras.optimizers.Adam(2e-3), steps_per_execution=20)
        model.fit(few, epochs=settings.budget, batch_size=64, verbose=0)
        terms = apply(model, data.x_test)
        costs[name, seed] = np.array([vh.bernoulli_nll(data.x_test, terms["logits"]), terms["kl_2"], terms["kl_1"]])
        surprise, top, low = costs[name, seed].mean(axis=1)
        print(f"seed {seed}, {name:24s} {surprise:5.1f} + top {top:4.1f} + low {low:4.1f} = {surprise + top + low:.1f} nats")
        if "free" in name:
            levels = model  # the last one is looked at below

# %%
for name in [*list(kinds)[:2], "one level of 16"]:
    gains = [(costs["one level of 20", seed] - costs[name, seed]).sum(axis=0) for seed in range(settings.seeds)]
    line = ", ".join(f"{gain.mean():.1f} ± {gain.std() / np.sqrt(gain.size):.1f}" for gain in gains)
    print(f"one level of 20 minus {name}, nats for each seed: {line}")

# %% tags=["guard"]
gained = [(costs["one level of 20", seed] - costs["two levels, 3 nats free", seed]).sum(axis=0).mean() for seed in range(settings.seeds)]
vh.expect("one level of 20 minus two with free nats, mean of the seeds", np.mean(gained), at_least=0.3)
top_kl = {name: [costs[name, seed][1].mean() for seed in range(settings.seeds)] for name in kinds}
vh.expect("KL of the top with free nats, smallest", min(top_kl["two levels, 3 nats free"]), at_least=2)

# %% [markdown]
# **What you see.** The answer: two levels, within each of the three seeds and against both controls.
# But a seed does not start different networks alike, so these are no true pairs.
# In all, the runs are 108.9 to 111.2 nats with two levels, 110.3 to 112.6 with free nats, and 111.1 to 113.6 in the controls.
# So three seeds make a lead likely, not certain.
# As they are, they win by 1.9, 1.7 and 4.5 nats against one level of 20, and by 2.4, 1.1 and 2.2 against one of 16.
# With free nats it is 0.5, 1.7 and 3.1, and 1.0, 1.0 and 0.8.
# (The ± is the standard error over test images; the spread over seeds is larger, and it is the one that counts.
# The lead of free nats over one level of 16 is inside it.)
# But look at the top, and the answer to the second question: no.
# Without free nats its KL is 0.3 to 0.8 nats: it is hardly used.
# This is posterior collapse (lesson 06), and it happens to the top level alone.
# With free nats it tells a little over 3 nats, and the lower level pays 3 to 5 nats less than one level of 20 does.
# Still, $-$ELBO is no better than without: to make a level *used* and to make the model *better* are two goals.
# If the lead is real, we did not find out why a nearly empty top should give it.
#
# ### Which level holds what?
#
# We take the last model with free nats.
# Of each image we keep one level, and draw the other one anew.
#
# - *Keep the top*: $z_2$ from the image, $z_1$ from what $z_2$ predicts.
# - *Keep the rest*: $z_2$ from the prior; $z_1$ lies as many standard deviations from the new prediction as it did from the old one.
#
# **Predict.** In which rows does the digit stay the same?

# %%
def redraw(model, x, keep):
    """Pixel means for images x when only the level `keep`, "top" or "rest", comes from them."""
    z_2, _, (mean_p, log_var_p), cloud = model.clouds(x)
    if keep == "top":
        return ops.convert_to_numpy(ops.sigmoid(model.decoder(model.draw(mean_p, log_var_p))))
    away = (model.draw(*cloud) - mean_p) / ops.exp(0.5 * log_var_p)  # z₁, seen from the prediction
    mean_p, log_var_p = model.predict_low(keras.random.normal(ops.shape(z_2), seed=model.seed))
    return ops.convert_to_numpy(ops.sigmoid(model.decoder(mean_p + ops.exp(0.5 * log_var_p) * away)))


# %% [markdown]
# A small classifier will name the pictures.
# (Sitting B uses its features, too.)

# %%
image = keras.Input(data.image_shape)
x = layers.Flatten()(image)
x = layers.Dense(256, activation="relu")(x)
feature = layers.Dense(64, activation="relu")(x)
classifier = keras.Model(image, layers.Dense(10, activation="softmax")(feature))
to_features = keras.Model(image, feature)  # for the Fréchet distance of sitting B

classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=20)
classifier.fit(data.x_train, data.y_train, epochs=2, batch_size=128, verbose=2);


# %% alt="Five rows of ten images: ten test images; two rows with the top level kept and the rest drawn anew; two rows with the rest kept and the top level drawn anew."
redrawn = [redraw(levels, data.x_test[:10], keep) for keep in ("top", "top", "rest", "rest")]
vh.plot_images([data.x_test[:10], *redrawn], ["test image", "top kept", "top kept", "rest kept", "rest kept"]);

# %%
def named_as_before(images, labels):
    likelier = (images > 0.5).astype("float32")
    return np.mean(classifier.predict(likelier, batch_size=1000, verbose=0).argmax(axis=1) == labels)


kept = {keep: named_as_before(redraw(levels, data.x_test, keep), data.y_test) for keep in ("top", "rest")}
kept["both"] = named_as_before(1 / (1 + np.exp(-apply(levels, data.x_test)["logits"])), data.y_test)
print("share named as the label says:", ", ".join(f"{keep} kept {share:.2f}" for keep, share in kept.items()))

# %% [markdown]
# **What you see.** The answer: in neither pair of rows for certain, but in the last two more often.
# The classifier counts it on all test images: with the top kept, 22 of 100 get the name of their label, about twice chance; with the rest kept, 57.
# (The control, both kept: 87 of 100.)
# The top rows keep little of the digit: of the four pictures made for the two ones, only two are still a one.
# What else they keep, slant or thickness, we did not measure.
# With 3 of its 22 nats in the top, this model keeps most of what makes a digit in the lower level.
# So "the top level holds the meaning, the lower one the details" is a hope, not a law: it has to be measured.

# %% [markdown]
# **End of sitting A.** Say in one sentence each: how a gradient passes a codebook, where the KL of a VQ-VAE went, and what the lower level pays for.
# The answers are sentences 1 to 3 under "To take away".

# %% [markdown] sitting="B"
# ## Sitting B: diffusion on the codes, and counts · {{minutes}} min
#
# ### From two levels to two hundred
#
# Lesson 02 left a gap: the clouds together are not $\mathcal N(0, I)$, so codes drawn from the prior decode badly.
# A mixture of 20 normal distributions helped.
# Today one fits a **diffusion model** to the codes.
# The pair, an autoencoder and a diffusion model on its codes, is called *latent diffusion* (Rombach and others, 2022).
# Stable Diffusion, which makes images from text, is built so.
#
# It looks like a new idea, but it is the hierarchical VAE of sitting A, with two large changes: two hundred levels, and an *encoder that learns nothing*.
# Here the code $z$ of a finished VAE plays the part of the image, and $s_1,\dots,s_T$ the part of the levels, with $T=200$.
# The encoder of *this* model only adds noise to $z$, a little more at each step $t$:
#
# $$q(s_t\mid z)=\mathcal N\big(\sqrt{\kappa_t}\,z,\;(1-\kappa_t)\,I\big),\qquad s_t=\sqrt{\kappa_t}\,z+\sqrt{1-\kappa_t}\,\varepsilon$$
#
# $\kappa_t$ (kappa) is the share of the variance that is *kept*.
# It falls from nearly 1 to nearly 0.
# So $s_1$ is almost the code, and $s_{200}$ is almost pure noise, which the prior $p(s_T)=\mathcal N(0, I)$ can draw.
# (Papers write $x_t$ for $s_t$ and $\bar\alpha_t$ for $\kappa_t$.)

# %%
T = 200
log_odds = np.linspace(4, -5, T)  # log of kept / noise, in equal steps
KAPPA = np.append(1, 1 / (1 + np.exp(-log_odds))).astype("float32")  # κ₀ = 1, …, κ₂₀₀ ≈ 0
print("kept after 1, 50, 100, 150 and 200 steps:", ", ".join(f"{KAPPA[t]:.3f}" for t in (1, 50, 100, 150, 200)))

# %% [markdown]
# ### The loss, from the ELBO
#
# The ELBO with many levels has one KL for each level, as in sitting A, from the top down:
#
# $$-\log p(z)\;\le\;\mathrm{KL}\big(q(s_T\mid z)\,\|\,\mathcal N(0,I)\big)+\sum_{t=2}^{T}\mathbb E\,\mathrm{KL}\big(q(s_{t-1}\mid s_t,z)\,\|\,p(s_{t-1}\mid s_t)\big)
# +\mathbb E\big[-\log p(z\mid s_1)\big]$$
#
# The first term has nothing to learn.
# In the sum, $q(s_{t-1}\mid s_t,z)$ is the cloud "one step less noise", for one who *knows* the code $z$.
# It is a normal distribution: its mean is a weighted sum $A_t z+B_t s_t$, and its variance $v_t$ does not depend on $z$.
# The levels are a chain: with $\alpha_t=\kappa_t/\kappa_{t-1}$, each is $s_t=\sqrt{\alpha_t}\,s_{t-1}+\sqrt{1-\alpha_t}$ times fresh noise.
# (Put the formula for $s_{t-1}$ in: the share of $z$ is $\sqrt{\kappa_t}$, and the variance of all noise is $\alpha_t(1-\kappa_{t-1})+1-\alpha_t=1-\kappa_t$, as above.)
# By Bayes' rule for normal distributions (Ho and others, 2020, equations 6 and 7)
#
# $$B_t=\frac{\sqrt{\alpha_t}\,(1-\kappa_{t-1})}{1-\kappa_t},\qquad A_t=\frac{\sqrt{\kappa_{t-1}}\,(1-\alpha_t)}{1-\kappa_t},\qquad v_t=\frac{(1-\alpha_t)(1-\kappa_{t-1})}{1-\kappa_t}$$
#
# The decoder $p(s_{t-1}\mid s_t)$ does not know $z$.
# We let it be the same normal distribution, with a *guess* $\hat z$ in place of $z$.
# Two normal distributions with one variance: their KL is the squared distance of the means, divided by $2v_t$ (lesson 03), so
#
# $$\mathrm{KL}=\frac{A_t^2}{2v_t}\,\lVert z-\hat z\rVert^2=w_t\,\lVert\varepsilon-\hat\varepsilon\rVert^2$$
#
# The last step: to guess the code in $s_t=\sqrt{\kappa_t}z+\sqrt{1-\kappa_t}\,\varepsilon$ is the same as to guess the noise in it, $\hat\varepsilon$.
# If one is known, so is the other: $z-\hat z=-\sqrt{(1-\kappa_t)/\kappa_t}\;(\varepsilon-\hat\varepsilon)$.
# Put this and $A_t$, $v_t$ into the KL, and the weight is
#
# $$w_t=\tfrac12\Big(\frac{\kappa_{t-1}/(1-\kappa_{t-1})}{\kappa_t/(1-\kappa_t)}-1\Big)$$
#
# Kept variance divided by noise, $\kappa/(1-\kappa)$, is the *signal-to-noise ratio*.
# We chose $\kappa_t$ so that each step divides it by the same number.
# Then all weights $w_t$ are equal, and we may train all steps alike (Kingma and others, 2021).
# (Ho and others chose another $\kappa_t$, and left the weights out.)
# The last term, $-\log p(z\mid s_1)$, is also a squared error of the noise, with the weight ½, and a constant.
# (The decoder draws $z$ around $\hat z$, with the variance of the noise in $s_1/\sqrt{\kappa_1}$.)
# We train it like the other steps, so our training loss is not exactly the bound; where we *measure* the bound, it gets its weight.
# What remains is the whole loss: **add noise to a code, and guess the noise**.

# %% [markdown]
# ### Exercise 10.3 · From the noise to the code · 8 min
#
# The network guesses the noise $\hat\varepsilon$ in $s_t$.
# Which code $\hat z$ does it then believe in?
# Solve the equation for $s_t$, and write it down.

# %%
def clean_code(noisy, guess, kept):
    """The code that belongs to a guess of the noise.

    noisy, guess: (n, latents), s_t and the guessed noise; kept: κ of that step, between 0 and 1. Returns (n, latents).
    """
    ### BEGIN SOLUTION
    return (noisy - np.sqrt(1 - kept) * guess) / np.sqrt(kept)
    ### END SOLUTION


vh.check.clean_code(clean_code)

# %% [markdown]
# **Target:** with the noise that was really added, you get the code back, for every $\kappa$.
#
# ### The denoiser, in view
#
# It gets the noisy code and the step, and gives a guess of the noise.
# Suppose first that the codes themselves are $\mathcal N(0, I)$.
# Then the best guess is $\sqrt{1-\kappa_t}\,s_t$ (Bayes' rule), and no network is needed.
# So our network gives only what must be *added* to this, with the factor $\sqrt{\kappa_t}$, which keeps its numbers near 1 at all steps.
# (Salimans and Ho, 2022, call this output $v$.)
# Its last layer begins at 0: before training, the model draws codes that are nearly $\mathcal N(0, I)$, and it learns the difference.
#
# The step comes as eight numbers between −1 and 1, slow and fast waves of the logarithm of the signal-to-noise ratio, so that close steps look alike.
# The code comes with its own waves, too, the sine and the cosine of once, twice and four times each number:
# with them a network learns much sooner what changes fast, such as a narrow gap (Tancik and others, 2020).
# It is a small residual network: each block adds to what comes in.

# %%
angles = np.append(log_odds[0], log_odds)[:, None] * [0.2, 0.4, 0.8, 1.6]
WAVES = np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")  # (T + 1, 8)


def denoiser_network(latents, width=128, blocks=3):
    noisy, t = keras.Input((latents,)), keras.Input((), dtype="int32")
    waves, kept = ops.take(WAVES, t, axis=0), ops.take(KAPPA[:, None], t, axis=0)
    x = [noisy] + [wave(k * noisy) for k in (1, 2, 4) for wave in (ops.sin, ops.cos)]
    x = layers.Dense(width)(layers.Concatenate()(x))
    for _ in range(blocks):
        f = layers.Dense(width, activation="silu")(x + layers.Dense(width)(waves))
        x = x + layers.Dense(width, kernel_initializer="zeros")(f)  # begins as "add nothing"
    change = layers.Dense(latents, kernel_initializer="zeros")(layers.Activation("silu")(x))
    return keras.Model([noisy, t], ops.sqrt(1 - kept) * noisy + ops.sqrt(kept) * change)


# %%
class Denoiser(keras.Model):
    def __init__(self, latents):
        super().__init__()
        self.network, self.latents, self.seed = denoiser_network(latents), latents, keras.random.SeedGenerator()

    def call(self, z):
        t = keras.random.randint(ops.shape(z)[:1], 1, T + 1, seed=self.seed)  # any step, for each code
        noise = keras.random.normal(ops.shape(z), seed=self.seed)
        kept = ops.take(KAPPA, t)[:, None]
        return noise - self.network([ops.sqrt(kept) * z + ops.sqrt(1 - kept) * noise, t])

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.sum(y_pred**2, axis=1))  # ‖ε − guess‖²

    def guess(self, s, t):
        """The noise in s, (n, latents), at step t, for all rows the same."""
        return self.network.predict_on_batch([s, np.full(len(s), t)])


# %% [markdown]
# To draw, start with noise, and go down the two hundred levels.
# Each level draws from $p(s_{t-1}\mid s_t)$.
# Put $\hat z$ into $A_tz+B_ts_t$, and the mean becomes (Ho and others, equation 11)
#
# $$\frac{1}{\sqrt{\alpha_t}}\Big(s_t-\frac{1-\alpha_t}{\sqrt{1-\kappa_t}}\,\hat\varepsilon\Big),\qquad\text{with the variance }v_t$$

# %%
def draw_codes(denoiser, n, seed=0, keep_steps=False):
    """n codes, (n, latents), from noise; with keep_steps also all that came before, (T + 1, n, latents)."""
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(n, denoiser.latents)).astype("float32")
    steps = [s]
    for t in range(T, 0, -1):
        alpha = KAPPA[t] / KAPPA[t - 1]
        mean = (s - (1 - alpha) / np.sqrt(1 - KAPPA[t]) * denoiser.guess(s, t)) / np.sqrt(alpha)
        variance = (1 - alpha) * (1 - KAPPA[t - 1]) / (1 - KAPPA[t])
        if t == 1:  # the last step draws from p(z|s₁): the noise of s₁ / √κ₁
            variance = (1 - KAPPA[1]) / KAPPA[1]
        s = (mean + np.sqrt(variance) * rng.normal(size=s.shape)).astype("float32")
        steps.append(s)
    return np.stack(steps) if keep_steps else s


# %%
def train_denoiser(codes, seed, epochs):
    keras.utils.set_random_seed(seed)
    denoiser = Denoiser(codes.shape[1])
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * (len(codes) // 256))  # the step size falls to 0
    denoiser.compile(keras.optimizers.Adam(rate), steps_per_execution=20)
    denoiser.fit(codes, epochs=epochs, batch_size=256, verbose=0)
    return denoiser


# %% [markdown]
# ### In the plane, where one can see it
#
# First with two latents, and the trained VAE that comes with the course.
# We draw one code from the cloud of each of 30,000 training images, and train the denoiser on these codes (about 20 seconds).

# %%
two = vh.trained_vae()
plane_codes = np.array(two.reparameterize(*two.encode(data.x_train[:30_000])))
plane = train_denoiser(plane_codes, settings.seed, 8 * settings.epochs)
path = draw_codes(plane, 2000, keep_steps=True)

# %% alt="Five panels with 2000 dots each, over the same range. A round heap of noise slowly takes the shape of the last panel, which shows real codes: a large heap with an arm upwards and one downwards, and a smaller heap at the left, behind a gap."
fig, axes = plt.subplots(1, 5, figsize=(10, 2.7), sharex=True, sharey=True)
pictures = {f"step {t}": path[T - t] for t in (200, 120, 60, 0)} | {"real codes": plane_codes[:2000]}
for ax, (title, dots) in zip(axes, pictures.items()):
    ax.scatter(*dots.T, s=2, color="C0" if title != "real codes" else "C1")
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xticks=(-3, 0, 3), yticks=(-3, 0, 3), aspect="equal", title=title)
axes[0].set_ylabel("second latent")
fig.supxlabel("first latent", size=12);

# %% [markdown]
# **What you see.** From left to right the noise is taken away.
# At step 200 the dots are a round heap, and at step 120 they still are.
# The shape comes late: at step 60 the heap is uneven.
# At step 0 it looks like the real codes in the last panel: an arm upwards, an arm downwards, and a smaller heap at the left, behind a gap.
# Only the gaps are not quite as empty as the real ones.

# %% [markdown]
# ### Ten latents: which codes draw best?
#
# Now a VAE with 10 latents, and three ways to get codes for new images: $\mathcal N(0, I)$, the mixture of lesson 02, and the diffusion model.
# We judge by the Fréchet distance of lesson 02: features of a small classifier (trained in sitting A), each pixel at its likelier value,
# 10,000 drawn images against the 10,000 test images.
# Smaller is better; the floor is the distance of 10,000 training images.
#
# And we judge in nats.
# The KL of the ELBO is the average of $\log q(z\mid x)-\log p(z)$ over draws from the clouds.
# A better prior $p(z)$ makes it smaller, and the ELBO larger by the same amount.
# For the mixture, $\log p(z)$ is exact; for the diffusion model we compute the bound of the formula above, with the weights $w_t$.

# %%
keras.utils.set_random_seed(settings.seed)
hidden = (256, 256)
vae = vh.VAE(vh.mlp_encoder(data.image_shape, 10, hidden=hidden), vh.mlp_decoder(data.image_shape, 10, hidden=hidden))
vae.compile(keras.optimizers.Adam(2e-3))
vae.fit(some, epochs=2 * settings.epochs, batch_size=128, verbose=2)
many = data.x_train[:30_000]
codes = np.array(vae.reparameterize(*vae.encode(many)))  # one draw from each cloud

# %%
real_features = to_features.predict(data.x_test, batch_size=1000, verbose=0)


def distance(images):
    likelier = (images > 0.5).astype("float32")
    return vh.frechet_distance(to_features.predict(likelier, batch_size=1000, verbose=0), real_features)


mean, log_var = vae.encode(data.x_test[:2000])
z = np.array(vae.reparameterize(mean, log_var))  # one draw from the cloud of each of 2,000 test images
log_q = np.array(vh.gaussian_log_prob(z, mean, log_var))

# %%
def diffusion_nats(denoiser, z, seed=0):
    """The bound on −log p(z) for each code, (n,): the KL of every level, with one draw of the noise each."""
    rng = np.random.default_rng(seed)
    nats = 0.5 * np.sum(KAPPA[T] * z**2 - KAPPA[T] - np.log(1 - KAPPA[T]), axis=1)  # the top level against N(0, I)
    for t in range(T, 0, -1):
        noise = rng.normal(size=z.shape).astype("float32")
        s = np.sqrt(KAPPA[t]) * z + np.sqrt(1 - KAPPA[t]) * noise
        miss = np.sum((noise - denoiser.guess(s, t)) ** 2, axis=1)
        if t > 1:
            nats += 0.5 * (np.exp((log_odds[0] - log_odds[-1]) / (T - 1)) - 1) * miss  # w_t, the same for all steps
        else:  # −log p(z|s₁): normal, with the variance of the noise in s₁ / √κ₁
            nats += 0.5 * miss + 0.5 * z.shape[1] * np.log(2 * np.pi * (1 - KAPPA[1]) / KAPPA[1])
    return nats


# %% [markdown]
# The two controls use no model of the codes: the decoder gets codes of training images, once drawn from their clouds, once their means (reconstructions).
# They say how good the images of this VAE can be.
#
# **Predict.** Which of the three comes nearest to the floor, and how near?
# What will stand in its way?
#
# `measure` fits the mixture and the denoiser, and draws codes in each way.
# It returns the Fréchet distance of all five ways and, for the three that are models of codes, the KL in nats (`zip` stops at the third).
# (Each of the three seeds takes about 30 seconds.
# The VAE is the same in all three.)

# %%
def measure(seed):
    mixture = GaussianMixture(20, random_state=seed).fit(codes.astype("float64"))
    denoiser = train_denoiser(codes, seed, 8 * settings.epochs)
    n, rng = settings.samples, np.random.default_rng(seed)
    new_codes = {"N(0, I)": rng.normal(size=(n, 10)), "mixture of 20": rng.permutation(mixture.sample(n)[0])}
    new_codes["diffusion"] = draw_codes(denoiser, n, seed)
    new_codes |= {"own clouds": codes[:n], "own means": np.array(vae.encode(many[:n])[0])}
    prices = [-vh.gaussian_log_prob(z, 0.0, 0.0), -mixture.score_samples(z), diffusion_nats(denoiser, z)]
    found = {name: distance(vae.decode(c)) for name, c in new_codes.items()}
    kl = {name: log_q + np.array(price) for name, price in zip(new_codes, prices)}
    print(f"seed {seed}:", "; ".join(f"{name} {value:.2f}" for name, value in found.items()))
    print("        KL in nats:", "; ".join(f"{name} {value.mean():.2f}" for name, value in kl.items()))
    saved = [kl["N(0, I)"] - kl[name] for name in ("mixture of 20", "diffusion")]
    print("        saved:", " and ".join(f"{each.mean():.2f} ± {each.std() / len(each) ** 0.5:.2f}" for each in saved))
    return found, kl, new_codes


measured = [measure(seed) for seed in range(settings.seeds)]

# %% alt="Five rows with dots on a logarithmic axis, the Fréchet distance: N(0, I) far to the right; the mixture, the diffusion model, draws from the own clouds and the own means close together at the left, all right of the dotted floor."
floor = distance(data.x_train[: settings.samples])
names = list(measured[0][0])
values = np.array([[found[name] for name in names] for found, _, _ in measured])  # (seeds, ways)
fig, ax = plt.subplots(figsize=(8, 3.2))
for row, name in enumerate(names):
    ax.plot(values[:, row], [row] * len(values), "o", color="C1" if name.startswith("own") else "C0")
    ax.text(45, row, f"{values[:, row].mean():.2f}", va="center", ha="right")
ax.axvline(floor, color="0.4", linestyle=":")
ax.set(xscale="log", xlim=(0.2, 50), xticks=(0.3, 1, 3, 10, 30), xticklabels=(0.3, 1, 3, 10, 30))
ax.set_yticks(range(len(names)), names)
ax.invert_yaxis()
ax.set_xlabel(f"Fréchet distance, log scale (dotted: training images, {floor:.2f})")
average = dict(zip(names, values.mean(axis=0)))
vh.expect("N(0, I) / diffusion, Fréchet distance", average["N(0, I)"] / average["diffusion"], at_least=2)

# %% alt="Four rows of ten images. Codes from N(0, I): about half of them no clear digits; mixture and diffusion: mostly digits, a few broken; own clouds: ten clear digits."
shown = measured[0][2]
vh.plot_images([vae.decode(shown[name][-10:]) for name in names[:4]], names[:4]);

# %% tags=["guard"]
kl_of = {name: np.mean([kl[name].mean() for _, kl, _ in measured]) for name in ("N(0, I)", "mixture of 20", "diffusion")}
vh.expect("KL saved by the mixture, nats", kl_of["N(0, I)"] - kl_of["mixture of 20"], at_least=0.3)

# %% [markdown]
# **What you see.** Each blue dot is one seed of the model of the codes; the orange controls do not depend on it.
# The numbers at the right are means over the seeds.
# The answer: mixture and diffusion come about equally near, at four to five times the floor, and the VAE itself stands in their way.
#
# - $\mathcal N(0, I)$ is far behind: 10.6 to 12.1.
# - The diffusion model is at 1.29 to 1.44, and the mixture at 1.26 to 1.38: both are eight times smaller, and three seeds cannot tell them apart.
#   On these codes our denoiser did not beat the mixture; a larger one, or a longer training, may.
# - **The VAE limits both.** Codes from its own clouds, about the best that a model of codes can give, are at 1.11,
#   and reconstructions at 1.10; the floor is 0.30.
#   So better codes can still gain 0.2 to 0.3.
#   The other 0.8 are lost in the VAE: by its encoder, its ten latents, its decoder, or when each pixel takes its likelier value; this does not say which.
# - In nats: with $\mathcal N(0, I)$ the KL is 17.6; with the mixture it is 15.9, and with the diffusion model at most 16.1, on average.
#   So the learned priors make the ELBO of the same VAE better by 1.68 ± 0.05 and by at least 1.44 ± 0.07 nats, without a change in encoder or decoder.
#
# In the pictures, the decoder makes clear digits from its own clouds.
# From the mixture and from the diffusion model, most of the ten are digits; from $\mathcal N(0, I)$, about half are not.
#
# (One VAE, trained on 15,000 of the 30,000 images that give the codes; three seeds of everything after it.
# All were trained on the same codes.)

# %% [markdown]
# ## A table of counts
#
# VAEs are used far from images: for counts of molecules in single cells of a body (scVI: Lopez and others, 2018), for spectra, for sensors.
# There the first question is not the network.
# It is: *which likelihood fits such numbers?*
#
# Our table comes with scikit-learn, and was measured (Alpaydin and Kaynak, 1998).
# A scanner read 1,797 digits that 13 people had written, as dots of ink, 32 × 32.
# Each row of the table has 64 *counts*: how many of the 16 dots in each 4 × 4 square were ink.
# So each number is a whole number from 0 to 16.
# We forget that it was an image, and use dense layers.

# %% alt="Three bar charts over the counts 0 to 16, for three of the 64 squares. In two of them the bar at one end or at both ends stands out; the counts between are spread out. No chart looks like a bell."
scanned = load_digits().data[np.random.default_rng(0).permutation(1797)].astype("float32")
train, test = scanned[:1200], scanned[1200:]
fig, axes = plt.subplots(1, 3, figsize=(9, 2.6), sharey=True)
for ax, square in zip(axes, (10, 20, 42)):
    ax.bar(range(17), np.bincount(train[:, square].astype(int), minlength=17))
    ax.set(xticks=(0, 4, 8, 12, 16), xlabel="ink dots of 16", title=f"square {square}")
axes[0].set_ylabel("how many rows of 1,200");

# %% [markdown]
# **What you see.** None of the three looks like a bell.
# One end is higher than all between (square 10), or both are (squares 20 and 42).
# The counts between are spread out, and together they are about half of the rows or more.
# (A square is blank, or full of ink, or at the edge of a stroke.)
# Where a count can only be 0 to 16 and likes the ends, a normal distribution gives some of its probability to numbers that cannot occur.
#
# Given the code, we try two likelihoods for a count $x$ of 16 dots:
#
# - the **binomial** distribution: 16 coins, each with the probability $r$;
# - the **beta-binomial** distribution: the same, but dots of ink *attract* each other.
#   After one dot of ink, the probability of ink for the next one is $\frac{r+\rho}{1+\rho}$ in place of $r$, with a number $\rho\ge0$.
#   After $i$ of them, it is $\frac{r+i\rho}{1+i\rho}$:
#
# $$P(x)=\binom{16}{x}\;\frac{\prod_{i=0}^{x-1}(r+i\rho)\;\prod_{i=0}^{15-x}(1-r+i\rho)}{\prod_{i=0}^{15}(1+i\rho)}$$
#
# With $\rho=0$ it is the binomial.
# With $\rho=0.3$ and $r=\frac12$, the count 0 has a probability of 0.025 in place of 0.000015, at the same mean.
# (For counts without an upper end, as those of molecules, the same step leads from the Poisson to the negative binomial distribution.)

# %%
from scipy.special import gammaln

DOTS = np.arange(16, dtype="float32")
LOG_BINOMIAL = np.array([gammaln(17) - gammaln(k + 1) - gammaln(17 - k) for k in range(17)], "float32")


def count_nll(rho):
    """The surprise about rows of 64 counts, for logits of r. Returns a likelihood for vh.VAE."""

    @vh.likelihood(mean=lambda logits: 16 * ops.sigmoid(logits), pixels=(0, 16))  # the mean, and which numbers may occur
    def nll(x, logits):
        k, r = ops.expand_dims(x, -1), ops.expand_dims(ops.clip(ops.sigmoid(logits), 1e-6, 1 - 1e-6), -1)
        ink = ops.where(k > DOTS, ops.log(r + rho * DOTS), 0.0)  # one factor for each dot that is ink
        blank = ops.where(16 - k > DOTS, ops.log(1 - r + rho * DOTS), 0.0)
        log_p = ops.sum(ink + blank - ops.log(1 + rho * DOTS), axis=-1) + ops.take(LOG_BINOMIAL, ops.cast(x, "int32"))
        return -ops.sum(log_p, axis=-1)

    return nll


# %%
def table_vae(rho, latents=8):
    counts, z = keras.Input((64,)), keras.Input((latents,))
    x = layers.Dense(128, activation="relu")(counts / 16)
    encoder = keras.Model(counts, [layers.Dense(latents)(x), layers.Dense(latents)(x)])
    decoder = keras.Model(z, layers.Dense(64)(layers.Dense(128, activation="relu")(z)))
    return vh.VAE(encoder, decoder, nll=count_nll(rho))


# %% [markdown]
# All rivals give a probability to the *same* rows of whole numbers, so their nats may be compared (lesson 07):
#
# - **each square alone**: the counted frequencies of exercise 10.2;
# - **PCA**: a normal distribution whose covariances come from principal components (*probabilistic PCA*);
# - **a mixture** of normal distributions, each with a variance for every square.
#
# The sizes of the last two are chosen with 200 of the training rows.
#
# The last two are densities.
# To make the comparison fair, noise between 0 and 1 fills the step above each count, in training and in test (dequantization, lesson 07).
# Then the average of $-\log p(\text{count}+\text{noise})$ is at least $-\log P(\text{count})$ of the model.
# The VAEs are judged by $-$ELBO, which is also at least $-\log P$: so their numbers are on the safe side.
#
# **Predict.** Put the five in order, best first: each square alone, PCA, the mixture, the VAE with the binomial, the VAE with the beta-binomial.

# %%
def filled(counts, seed):
    return counts + np.random.default_rng(seed).random(counts.shape)


log_frequencies = fit_counts(train, 17)
surprise = {"each square alone": -log_frequencies[np.arange(64), test.astype(int)].sum(axis=1)}
diagonal = {"covariance_type": "diag", "reg_covar": 1 / 12, "random_state": 0}  # 1/12 is the variance of the noise
sizes = {"PCA": [PCA(k) for k in (20, 50)], "mixture": [GaussianMixture(k, **diagonal) for k in (10, 40)]}
for name, rivals in sizes.items():
    kept_apart = [-rival.fit(filled(train[:1000], 0)).score(filled(train[1000:], 2)) for rival in rivals]
    print(f"{name}: on the 200 rows {kept_apart[0]:.1f} nats with the smaller size, {kept_apart[1]:.1f} with the larger")
    best = rivals[np.argmin(kept_apart)].fit(filled(train, 0))
    surprise[name] = -best.score_samples(filled(test, 1))

# %%
for rho in (0.0, 0.3):
    for seed in range(settings.seeds):
        keras.utils.set_random_seed(seed)
        model = table_vae(rho)
        model.compile(keras.optimizers.Adam(2e-3))
        model.fit(train, epochs=10 * settings.budget, batch_size=50, verbose=0)
        mean, log_var = model.encode(test)
        z = model.reparameterize(mean, log_var)
        surprise[f"VAE, ρ = {rho}, seed {seed}"] = np.array(model.nll(test, model.decoder(z)) + vh.gaussian_kl(mean, log_var))
        print(f"ρ = {rho}, seed {seed}: trained")

# %%
for name, nats_of_row in surprise.items():
    error = nats_of_row.std() / np.sqrt(len(nats_of_row))
    print(f"{name:24s} {nats_of_row.mean():6.1f} ± {error:.1f} nats for each test row")
gain = surprise["each square alone"] - surprise["VAE, ρ = 0.3, seed 0"]
print(f"each square alone minus VAE with ρ = 0.3, row by row: {gain.mean():.1f} ± {gain.std() / np.sqrt(gain.size):.1f} nats")
vh.expect("gain of the VAE over each square alone, nats", gain.mean(), at_least=8)

# %% tags=["guard"]
pca_loses = surprise["PCA"].mean() - surprise["each square alone"].mean()
vh.expect("PCA minus each square alone, nats", pca_loses, at_least=15)
vh.expect("mixture minus each square alone, nats", surprise["mixture"].mean() - surprise["each square alone"].mean(), at_least=5)
binomial, beta = ([surprise[f"VAE, ρ = {rho}, seed {s}"].mean() for s in range(settings.seeds)] for rho in (0.0, 0.3))
binomial_loses = np.subtract(binomial, beta)
vh.expect("binomial minus beta-binomial, nats", min(binomial_loses), at_least=4)

# %% [markdown]
# **What you see.** The answer: first the VAE with the beta-binomial 91.7, the VAE with the binomial about 107 and each square alone 107.8, too close to order,
# the mixture 117.2, PCA 132.1.
#
# - Even a table of frequencies that looks at one square at a time stands before PCA, by 24 nats, and before the mixture, by 9.
#   It knows nothing of how squares go together, but it knows what a count is.
#   (Both leads are upper limits: these two are judged by a bound, and of the two sizes tried the larger won, so a still larger one may be better.)
# - The same networks, the same seeds, only another likelihood: in −ELBO the binomial is some 15 nats worse than the beta-binomial.
#   (Both are bounds, and we did not measure how loose each is.)
#   As far as the bound shows, it hardly beats the table of frequencies, which has no code at all.
#   Sixteen dots of one square are not sixteen independent coins: a stroke covers many of them, or none.
# - The VAE with the beta-binomial is better than each square alone by 16.0 ± 0.3 nats for each row.
#
# So ask for the likelihood first.
# ($\rho=0.3$ was tried beside 0 only, and not tuned; a better one may exist.
# Three seeds; the ± is the standard error over test rows.
# The rows of the 13 writers are mixed, so the test has the same writers as the training.)

# %% [markdown]
# ### Exercise 10.4 · Four reports · 10 min
#
# Four people ask you for help.
# What went wrong, and what do you look at first?
# Write one sentence for each.
#
# 1. "My VQ-VAE has 512 entries, its perplexity is 3.1, and the images look blurred."
# 2. "My two levels train well: $-$ELBO 101.3, KL of the lower level 24.9, KL of the top level 0.00."
# 3. "My denoiser has 10 latents; its loss is 10.0, and stays there."
# 4. "My denoiser's loss falls, but the latents of my VAE have a standard deviation of 12, and what I draw decodes to nothing that I know."
#
# <details><summary>Open the answers when you have written yours</summary>
#
# 1. Dead entries.
#    Count them.
#    Then revive them as above, and look whether the entries lie where the vectors of the encoder are.
# 2. The top level is not used: its cloud is the prior, for every image.
#    The model is one with a single level, and a longer way to $p(z_1)$.
#    Posterior collapse (lesson 06) happens level by level.
#    Look whether the KL of the top was ever above 0; give it some free nats, or raise its weight slowly from 0 (warm-up).
# 3. The squared noise of 10 latents is 10 on average.
#    So the guess is 0, always: a network that gives the noise directly has learned nothing.
#    Does it get the noisy code at all?
#    Is the step size far too large?
# 4. The noise has variance 1 and the codes 144.
#    Until very late steps, the noise is nothing beside the code, and at $t=T$ the code has not disappeared: $\kappa_T z^2$ is not small.
#    Divide the codes by their standard deviation first, and multiply afterwards.
#    (Programs for latent diffusion have a number for this, the *scaling factor*.)
#
# </details>

# %% [markdown]
# ## What changed from 2019 to today
#
# This page was written with stored copies of abstracts, and of the settings that authors publish with their programs.
# What we did not find there is from memory, and marked (?).
#
# ### More levels
#
# - **Ladder VAE** (Sønderby and others, NIPS 2016): the shared pass upwards of sitting A, up to five levels (?).
#   Before it, many levels were hard to train, and little used.
# - **NVAE** (Vahdat and Kautz, NeurIPS 2020): 30 groups of latents for the small images of CIFAR-10, each a small *image* of latents.
#   The cloud is written as a change of the prior, as ours was.
# - **VDVAE** (Child, ICLR 2021): still more levels, 43 for CIFAR-10 in the authors' settings, and simpler blocks.
#   It beat the PixelCNN, a strong autoregressive model of pixels, on all sets of natural images that were tried, with fewer parameters.
# - **Diffusion** (Sohl-Dickstein and others, ICML 2015; Ho and others, NeurIPS 2020) takes this to its end: as many levels as steps, and no encoder to learn.
#   Kingma and others (*Variational diffusion models*, NeurIPS 2021) write it as a VAE, with the ELBO of this lesson.
#
# ### Codecs: codebooks for sound and images
#
# A *codec* packs sound or images to send them, and unpacks them again.
#
# - **VQ-VAE-2** (Razavi and others, NeurIPS 2019): several grids, coarse and fine, each with a strong autoregressive prior.
# - **VQGAN** (Esser and others, CVPR 2021): adds a discriminator, a network that tells real from made images (lesson 02, side road 3),
#   and a loss on the features of a trained network.
#   Its prior is a transformer, the network of language models.
# - **SoundStream** (Zeghidour and others, 2021) and **EnCodec** (Défossez and others, 2022): speech and music; SoundStream at 3,000 to 18,000 bits per second.
#   They use *residual* codebooks: the second codebook describes what the first one missed, and so on.
#   Language models of sound predict these numbers.
# - **FSQ** (Mentzer and others, ICLR 2024): no codebook at all.
#   Each number of the code is rounded to one of a few levels, with the straight-through gradient.
#   No entry is there that could die.
#
# ### The autoencoder in latent diffusion
#
# Many VAEs work here today, unseen, at both ends of a diffusion model.
# They differ from ours in four points:
#
# - The code keeps its places: it is a small image, with each place for 8 × 8 pixels.
#   With 4 channels, an image of 512 × 512 × 3 numbers becomes 64 × 64 × 4: 48 times fewer (Rombach and others, CVPR 2022).
# - The KL is there with a weight near $10^{-6}$.
#   Nobody draws from $\mathcal N(0, I)$; the diffusion model is the prior.
# - The reconstruction is no likelihood of pixels alone: features of a trained network and a discriminator make sharp edges.
# - More channels since 2024: Stable Diffusion 3 (Esser and others, ICML 2024) and FLUX have 16.
#   More channels give better reconstructions, but codes that are harder to model: the tension of this whole course.
#   (Yao and others, 2025, measured it, and call it a dilemma.)
#
# A newer answer to this tension: *align* the codes with the features of a large network that was trained before, for other purposes.
# **VA-VAE** (Yao and others, 2025) does it while the VAE is trained.
# **REPA-E** (Leng and others, ICCV 2025) does it while VAE and diffusion model are trained *together*.
# **RAE** (Zheng and others, 2025) takes such features as the code itself, and trains only the decoder.
# Another way is to shrink more, up to 128 times at each side, to save time (**DC-AE**: Chen and others, ICLR 2025).
# What they have in common: they choose the code for the model that must learn it.
#
# **Question.** The autoencoder in latent diffusion has a KL with the weight $10^{-6}$.
# In which sense is it still a VAE?
#
# <details><summary>Open the answer when you have decided</summary>
#
# It has clouds, a draw, and a KL.
# But its loss is far from the ELBO with the prior $\mathcal N(0, I)$: by lesson 06 it sits at the far end, where codes tell nearly everything.
# Take the diffusion model as its prior, and the two *together* have an ELBO again, as you computed it above:
# the reconstruction, plus the price of the code under the learned prior.
# (With the other losses, features and discriminator, even that is no longer a bound.)
#
# </details>

# %% [markdown]
# ## To take away
#
# 1. A gradient passes a codebook straight through: forwards the entry, backwards the gradient as if nothing had been chosen.
#    Entries that no vector comes near stay dead; moving them again and again brings them into use, which need not pay in nats.
# 2. The KL of a VQ-VAE is a constant, $49\log 64$ nats here, until a second model learns which grids occur.
#    Its surprise is the price of the code, and it draws.
# 3. With two levels, the ELBO has a KL for each; the lower one pays only for what the top did not predict.
#    The top level may collapse alone.
# 4. A diffusion model is a hierarchical VAE with very many levels and an encoder that only adds noise.
#    As the prior of our one VAE with ten latents it draws far better codes than $\mathcal N(0, I)$; three seeds cannot tell it from a mixture.
#    In our one VAE, most of what is then left to gain lies in the VAE itself: its reconstructions are hardly nearer to real images.
# 5. Choose the likelihood before the network: on our counts, with the same network, it alone changed −ELBO by 15 nats.
#
# **Where the ideas come from.** VQ-VAE: van den Oord, Vinyals and Kavukcuoglu, *Neural Discrete Representation Learning*, NIPS 2017, equations 1 to 3.
# Straight through: Bengio, Léonard and Courville, *Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation*, 2013.
# Dead entries: Williams and others, *Hierarchical Quantized Autoencoders*, NeurIPS 2020; Dhariwal and others, *Jukebox*, 2020.
# Two levels: Sønderby and others, *Ladder Variational Autoencoders*, NIPS 2016;
# the cloud as a change of the prior: Vahdat and Kautz, *NVAE*, NeurIPS 2020, section 3.2.
# Diffusion: Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, NeurIPS 2020, equations 4 to 7, 11, 12 and 14;
# the weights: Kingma, Salimans, Poole and Ho, *Variational Diffusion Models*, NeurIPS 2021;
# what the network gives: Salimans and Ho, *Progressive Distillation for Fast Sampling of Diffusion Models*, ICLR 2022;
# what it gets: Tancik and others, *Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains*, NeurIPS 2020.
# On codes: Rombach and others, *High-Resolution Image Synthesis with Latent Diffusion Models*, CVPR 2022;
# trained together with the VAE: Vahdat, Kreis and Kautz, *Score-based Generative Modeling in Latent Space*, NeurIPS 2021.
# Counts: Lopez and others, *Deep generative modeling for single-cell transcriptomics*, Nature Methods 15, 2018.
# The table: Alpaydin and Kaynak, *Optical Recognition of Handwritten Digits*, UCI repository, 1998.
#
# **What comes next.** This is the last lesson.
# Take data of your own, and begin with two questions of this course: which likelihood fits it, and what would a simple rival score?

# %%
vh.figures_compared()
