# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · VAEs at work
#
# You give VAEs four jobs: draw a chosen digit in a chosen style, find the images that do not belong, fill in what is hidden, and help to learn from few labels.
# For each job you measure how well it works, and where it fails.
#
# **Time:** about 4 minutes of computing on two cores (not measured yet on a Colab GPU), and an hour of reading and thinking.
#
# **You will be able to**
#
# - build a conditional VAE, and measure whether it obeys the label;
# - score images by the ELBO, draw a ROC curve, and say why a high likelihood does not mean "normal";
# - fill in the hidden half of an image by a Markov chain;
# - compare the codes of a VAE with PCA and with raw pixels, where only few labels are known.
#
# **You need** lessons 01 to 05 (cloud, prior, nats, ELBO, classifier).
# One idea of lesson 07 is used, and explained again where it comes.

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import zlib

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import NearestNeighbors

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=6, budget=2, seeds=5)
data = vh.load_images("mnist", binarize="threshold")

# %% [markdown]
# ## Two tools
#
# The first tool is an ordinary VAE with 10 latents.
# It never sees a label.
# The second is a **judge**: a small classifier, as in lesson 02, that names digits.
# "This looks like a 3" is no measurement; the judge makes it one.

# %%
def two_layers(latents):
    """An encoder and a decoder with two hidden layers each."""
    shape, hidden = data.image_shape, (256, 256)
    return vh.mlp_encoder(shape, latents, hidden), vh.mlp_decoder(shape, latents, hidden)


vae = vh.VAE(*two_layers(10))
vae.compile(keras.optimizers.Adam(2e-3))
vae.fit(data.x_train, epochs=settings.epochs, batch_size=128, verbose=0)
plain = vae.evaluate(data.x_test, batch_size=500, verbose=0, return_dict=True)
vh.expect("test ELBO of the VAE, nats", -plain["loss"], at_least=-100)

# %%
judge = keras.Sequential([keras.Input(data.image_shape), layers.Flatten()])
judge.add(layers.Dense(256, activation="relu"))
judge.add(layers.Dense(10, activation="softmax"))
judge.compile("adam", "sparse_categorical_crossentropy")
judge.fit(data.x_train, data.y_train, epochs=2, batch_size=128, verbose=0)


def judged(images):
    """The digit that the judge sees in each image, after each pixel was set to its likelier value."""
    images = (np.array(images) > 0.5).astype("float32")
    return np.argmax(judge(images), axis=1)


vh.expect("test images that the judge names right", np.mean(judged(data.x_test) == data.y_test), at_least=0.95)

# %% [markdown]
# ## Choose the digit, keep the style
#
# `vae.sample` draws digits, but you cannot order one.
# A **conditional VAE** can be told what to draw.
# Both of its networks get the label $y$ as a second input, in the form of a **one-hot** vector: ten numbers, 1 at the place of the class, and 0 elsewhere.
# The bound is the one that you know, with $y$ given everywhere:
#
# $$\log p(x\mid y)\;\ge\;\mathbb E_{q(z\mid x,y)}\big[\log p(x\mid z,y)\big]-\mathrm{KL}\big(q(z\mid x,y)\,\|\,p(z)\big)$$
#
# The prior $p(z)$ stays $\mathcal N(0,I)$, the same for all classes.
# We take only 5 latents here; exercise 8.5 shows why.

# %%
STYLE = 5  # latents


def one_hot(labels):
    return np.eye(10, dtype="float32")[labels]


def conditional_networks(encoder_sees_label=True):
    """An encoder of [image, label] and a decoder of [z, label]."""
    image, label, z = keras.Input(data.image_shape), keras.Input((10,)), keras.Input((STYLE,))
    pixels = layers.Flatten()(image)
    hidden = layers.Concatenate()([pixels, label]) if encoder_sees_label else pixels
    hidden_z = layers.Concatenate()([z, label])
    for _ in range(2):
        hidden = layers.Dense(256, activation="relu")(hidden)
        hidden_z = layers.Dense(256, activation="relu")(hidden_z)
    mean, log_var = layers.Dense(STYLE)(hidden), layers.Dense(STYLE)(hidden)
    logits = layers.Reshape(data.image_shape)(layers.Dense(28 * 28)(hidden_z))
    return keras.Model([image, label], [mean, log_var]), keras.Model([z, label], logits)


# %% [markdown]
# The model is only a little longer than the training step of lesson 02.
# Keras's `fit` does the rest: it calls the model, asks `compute_loss` for the loss, and differentiates it.
# The input is now a pair, images and labels.

# %%
class ConditionalVAE(keras.Model):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, image_and_label):
        mean, log_var = self.encoder(image_and_label)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        z = mean + ops.exp(0.5 * log_var) * noise
        logits = self.decoder([z, image_and_label[1]])
        return {"mean": mean, "log_var": log_var, "logits": logits}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        kl = vh.gaussian_kl(y_pred["mean"], y_pred["log_var"])
        return ops.mean(vh.bernoulli_nll(x[0], y_pred["logits"]) + kl)


# %%
train, test = [data.x_train, one_hot(data.y_train)], [data.x_test, one_hot(data.y_test)]


def train_conditional(encoder_sees_label=True):
    keras.utils.set_random_seed(settings.seed)
    model = ConditionalVAE(*conditional_networks(encoder_sees_label))
    faster = vh.training.STEPS_PER_EXECUTION  # several steps per call, as vh.VAE does by itself
    model.compile(keras.optimizers.Adam(2e-3), steps_per_execution=faster)
    model.fit(train, epochs=settings.epochs, batch_size=128, verbose=0)
    model.elbo = -model.evaluate(test, batch_size=500, verbose=0)
    print(f"test ELBO: {model.elbo:.1f} nats")
    return model


conditional = train_conditional()

# %% [markdown]
# With one fixed label, a conditional VAE *is* an ordinary VAE: that of one class.
# The next function says so in code.
# So everything that you know can be used: `encode`, `decode`, `vh.log_likelihood`.

# %%
def with_label(model, label):
    """The conditional VAE with the same label everywhere, as an ordinary VAE."""
    image, z = keras.Input(data.image_shape), keras.Input((STYLE,))
    label = one_hot(label)
    mean, log_var = model.encoder([image, ops.zeros_like(image[:, 0, 0]) + label])  # the same label in each row
    logits = model.decoder([z, ops.zeros_like(z[:, :1]) + label])
    return vh.VAE(keras.Model(image, [mean, log_var]), keras.Model(z, logits))


of_class = [with_label(conditional, c) for c in range(10)]

# %% [markdown]
# **Predict.** We encode an image, say a slanted, narrow digit, *with its own label*, keep $z$, and decode it with each of the ten labels.
# What will the ten pictures have in common?
# Will each be the digit that we order?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Slant, width and thickness: what remains to be said about an image when its class is known.
# Most are what we order, but not all.
# The count comes below the picture.
#
# </details>

# %%
shown = [np.flatnonzero(data.y_test == c)[1] for c in (0, 1, 2, 4, 7, 8)]  # the second test image of six classes
codes = conditional.encoder([part[shown] for part in test])[0]  # the means
pictures = np.stack([model.decode(codes) for model in of_class])  # (labels, images, 28, 28, 1)
rows = [np.concatenate([data.x_test[[i]], pictures[:, row]]) for row, i in enumerate(shown)]
vh.plot_images(rows, titles=["image", *range(10)]);

# %% [markdown]
# **What you see.** Left, the image that gave its code.
# To the right, the same code with the labels 0 to 9.
# Each row keeps something of its image: the wide, round form of the 0, the slant and the narrow form of the 1.
# Each column is one digit in six styles.
# Some pictures are no digit at all: nobody writes a 1 that is wide and round, so the decoder never learned to draw one.
#
# Now the count: 1,000 codes of test images, and 1,000 draws from the prior, each with all ten labels.

# %%
def obeyed(models, z):
    """For each label: the share of the decoded images that the judge names so."""
    return np.array([np.mean(judged(model.decode(z)) == c) for c, model in enumerate(models)])


codes = conditional.encoder([part[:1000] for part in test])[0]
from_prior = np.random.default_rng(0).normal(size=(1000, STYLE))
for name, z in (("codes of test images", codes), ("draws from the prior", from_prior)):
    shares = obeyed(of_class, z)
    print(f"{name}, obeyed in % for 0 … 9:", *(f"{100 * share:.0f}" for share in shares))
    vh.expect(f"{name}, obeyed, mean of the ten", shares.mean(), at_least=0.7)

# %% [markdown]
# **What you see.** The judge sees the ordered digit in most images, but not in all.
# So count how often a conditional model obeys, and do not trust its name.
#
# ### Why does the code hold the style?
#
# The KL puts a price on each nat that $z$ tells.
# The label is free.
# So to write the class into $z$ as well would be a waste.
# A **linear probe** measures whether this waste is avoided: a logistic regression (a classifier without hidden layers) tries to read the class from the codes.
# Where the class is not in $z$, it can only guess, and is right in about 0.1 of the cases.
#
# **Predict.** A friend gives the label to the decoder only: "the encoder sees the digit anyway".
# Will her codes tell the class?
# Will her decoder obey?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Her codes tell the class much better, and her decoder obeys less.
# A likely reason: without the label, her encoder must first recognize the class before it can leave it out.
# The decoder then finds some of the class in $z$ already, and can follow $z$ instead of the label.
#
# </details>

# %%
def probe(codes_train, codes_test):
    """The share of test images whose class a linear classifier reads from the codes."""
    classifier = LogisticRegression(max_iter=1000).fit(codes_train[:5000], data.y_train[:5000])
    return classifier.score(codes_test, data.y_test)


def read_class(model):  # codes of 10,000 training and 10,000 test images
    return probe(*(np.array(model.encoder([part[:10_000] for part in pair])[0]) for pair in (train, test)))


decoder_only = train_conditional(encoder_sees_label=False)

# %%
results = {
    "label for both": (read_class(conditional), obeyed(of_class, from_prior).mean()),
    "decoder only": (
        read_class(decoder_only),
        obeyed([with_label(decoder_only, c) for c in range(10)], from_prior).mean(),
    ),
}
codes_train, codes_test = (vae.predict(x, batch_size=1000, verbose=0)["mean"] for x in (data.x_train, data.x_test))
print(f"the VAE without labels (10 latents): class read from z {probe(codes_train, codes_test):.2f}")
for name, (read, obeys) in results.items():
    print(f"{name:14s}: class read from z {read:.2f}, draws from the prior obey {obeys:.2f}")

# %%
both, only = results["label for both"], results["decoder only"]
vh.expect("label for both: class read from z", both[0], at_most=0.4)
vh.expect("decoder only minus both: class read from z", only[0] - both[0], at_least=0.1)
vh.expect("decoder only minus both: obeyed", only[1] - both[1], at_most=-0.05)
vh.expect("decoder only minus both: test ELBO, nats", decoder_only.elbo - conditional.elbo, at_least=-5, at_most=3)

# %% [markdown]
# **What you see.** With the label for both networks, little of the class is left in $z$ (not nothing: about 0.1 would be guessing).
# With the label for the decoder only, more of the class stays in $z$, and the orders are obeyed less.
# And yet the two test ELBOs differ little: the loss hardly shows it.
# So measure both numbers whenever you build a conditional model.
# (A linear probe that fails does not prove that *no* classifier can read the class.)
#
# ### A classifier for free
#
# A conditional VAE can also be asked the other way round.
# It gives $p(x\mid y)$ for each class $y$.
# The rule of Bayes turns this into the probability of each class:
#
# $$p(y\mid x)=\frac{p(x\mid y)\,p(y)}{\sum_{y'}p(x\mid y')\,p(y')}$$
#
# We estimate $\log p(x\mid y)$ with `vh.log_likelihood`: it draws several codes from the cloud of the image,
# weighs each by $p(x,z\mid y)/q(z\mid x,y)$, and takes the logarithm of the mean weight.
# This is the *importance-weighted bound* of lesson 07.
# It is a lower bound like the ELBO, and on average tighter.
#
# ### Exercise 8.1 · The rule of Bayes, without underflow
#
# You get $\log p(x\mid y)$ for a batch of images, one column for each class, and $\log p(y)$.
# Return $p(y\mid x)$.
# Be careful: $\log p(x\mid y)$ is about −100, often less, and the exponential of −900 is exactly 0 in the numbers of a computer (this is called *underflow*).

# %%
def class_probabilities(log_px, log_prior):
    """The rule of Bayes. log_px: (batch, classes), log p(x|class); log_prior: (classes,). Returns (batch, classes)."""
    ### BEGIN SOLUTION
    joint = log_px + log_prior
    weights = np.exp(joint - joint.max(axis=1, keepdims=True))  # the largest is 1: no underflow
    return weights / weights.sum(axis=1, keepdims=True)
    ### END SOLUTION


vh.check.class_probabilities(class_probabilities)

# %% [markdown]
# **Target:** `class_probabilities(np.array([[-901.0, -900.0]]), np.log([0.5, 0.5]))` is about (0.27, 0.73).
#
# To name the most probable class, we need no division:

# %%
some, answers = data.x_test[:1000], data.y_test[:1000]
log_px = np.stack([vh.log_likelihood(model, some, samples=20) for model in of_class], axis=1)
log_prior = np.log(np.mean(one_hot(data.y_train), axis=0))
named = np.argmax(log_px + log_prior, axis=1)
print(f"named right: conditional VAE {np.mean(named == answers):.3f}, judge {np.mean(judged(some) == answers):.3f}")
vh.expect("conditional VAE, named right", np.mean(named == answers), at_least=0.85)
vh.expect("the same minus the judge", np.mean(named == answers) - np.mean(judged(some) == answers), at_most=0.0)

# %%
wrong = np.flatnonzero(named != answers)[:10]
texts = [f"{named[i]}, not {answers[i]}" for i in wrong]
vh.plot_images(some[wrong], titles=texts, title="The first images that Bayes names wrong");

# %% [markdown]
# **What you see.** Ten errors, each with the name that it got and the right one.
# The model was trained to draw, and it can also name.
# But the judge, which was trained to name and nothing else, is better.
#
# ## Which image does not belong?
#
# A factory, a hospital or a web shop has many normal images and hardly any of the other kind.
# So train a VAE on normal images only, and call an image suspicious that the model finds improbable.
# An image of another kind is called an **anomaly** (or outlier).
# The score is minus the ELBO: high means suspicious.
#
# To measure it, we make anomalies: we train without one digit, and test with all ten.
# Where do we put the threshold between normal and suspicious?
# A **ROC curve** shows all thresholds at once: upward the share of anomalies that are found, to the right the share of normal images that raise a false alarm.
# The area under it is the **AUROC**.
# It has a simple meaning:
#
# $$\text{AUROC}=P(\text{score of an anomaly}>\text{score of a normal image})+\tfrac12P(\text{both are equal})$$
#
# 1 is perfect, ½ is a coin, and less than ½ is worse than a coin.
#
# ### Exercise 8.2 · The AUROC
#
# Write this formula, for the scores of normal images and the scores of anomalies.
# Compare each anomaly with each normal image.
# A tie counts ½.
# (With numpy, `a[:, None] - b` has one row for each number of `a` and one column for each of `b`.)

# %%
def auroc(normal, anomalies):
    """P(anomaly scores higher than normal), ties count ½. normal: (n,); anomalies: (m,). Returns one number."""
    ### BEGIN SOLUTION
    difference = anomalies[:, None] - normal
    return np.mean(difference > 0) + 0.5 * np.mean(difference == 0)
    ### END SOLUTION


vh.check.auroc(auroc)

# %% [markdown]
# **Target:** `auroc(np.array([1, 2]), np.array([2, 3]))` is 0.875: of four pairs, three are won and one is a tie.
# From here on the lesson uses scikit-learn's `roc_auc_score`, which sorts and so needs no table of all pairs.
#
# We give each image four scores: minus the ELBO; minus the importance-weighted bound; and two simple ones without any VAE.
# The first of these is the squared error of PCA with 10 directions, fitted to 10,000 of the same normal images; the second is the number of white pixels.

# %%
shape = data.image_shape
small = vh.VAE(vh.mlp_encoder(shape, 10, hidden=(128,)), vh.mlp_decoder(shape, 10, hidden=(128,)))
small.compile(keras.optimizers.Adam(2e-3))
start = small.get_weights()


def flat(images):
    return images.reshape(len(images), -1)


def scores(model, pca, x):
    """Four scores of each image; high means suspicious."""
    mean, log_var = model.encode(x)
    nll = [vh.bernoulli_nll(x, model.decoder(model.reparameterize(mean, log_var))) for _ in range(5)]
    return {
        "minus ELBO": np.mean(nll, axis=0) + vh.gaussian_kl(mean, log_var),
        "minus weighted bound": -vh.log_likelihood(model, x, samples=20),
        "error of PCA": np.sum((flat(x) - pca.inverse_transform(pca.transform(flat(x)))) ** 2, axis=1),
        "white pixels": np.sum(flat(x), axis=1),
    }


# %% [markdown]
# **Predict.** For which left-out digit will the score work best?
# Is there a digit for which it will be *worse* than a coin?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Yes: 1.
# When ones are left out, the model finds them *more* probable than most digits that it was trained on.
# A picture below says why.
#
# </details>

# %%
x, y = data.x_test[:3000], data.y_test[:3000]
found, areas = {}, {}
for digit in range(10):
    normal = data.x_train[data.y_train != digit]
    small.set_weights(start)  # Adam keeps its averages, which are forgotten soon
    small.fit(normal, epochs=settings.budget, batch_size=128, verbose=0)
    found[digit] = scores(small, PCA(10).fit(flat(normal[:10_000])), x)
    areas[digit] = {name: roc_auc_score(y == digit, score) for name, score in found[digit].items()}
    if digit == 1:
        without_ones = small.get_weights()

# %%
best = max(areas, key=lambda digit: areas[digit]["minus ELBO"])
fig, axes = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
for ax, digit in zip(axes, (best, 1)):
    for (name, score), style in zip(found[digit].items(), ("-", "--", "-.", ":")):
        false_alarms, hits, _ = roc_curve(y == digit, score)
        ax.plot(false_alarms, hits, style, label=f"{name}: {areas[digit][name]:.2f}")
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    ax.set(title=f"trained without {digit}", xlabel="normal images: false alarms", aspect="equal")
    ax.legend(title="AUROC", loc="lower right" if digit == best else "upper left", fontsize=10)
axes[0].set_ylabel("anomalies: found")
vh.expect("white pixels alone, AUROC for 0", areas[0]["white pixels"], at_least=0.65)

# %% [markdown]
# **What you see.** Left, the digit for which the ELBO works best.
# The curve rises steeply: many anomalies are found before there are many false alarms.
# Right, the ones.
# All four curves run *below* the diagonal nearly all the way: an alarm is raised for most normal digits before it is raised for a typical 1.
# The ELBO and the weighted bound lie on each other: a tighter bound does not change the order much.
# So it is hardly the bound that fails.
#
# All ten digits, so that nobody has chosen:

# %%
fig, ax = plt.subplots(figsize=(8.5, 3.8))
for name, marker, shift in zip(areas[0], "osD^", (-0.15, -0.05, 0.05, 0.15)):
    ax.plot(np.arange(10) + shift, [areas[digit][name] for digit in range(10)], marker, markersize=8, label=name)
ax.axhline(0.5, color="black", linewidth=1)
ax.set(xlabel="digit that was left out", ylabel="AUROC", xticks=range(10), ylim=(0, 1))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1));

# %%
mean_of = {name: np.mean([areas[digit][name] for digit in range(10)]) for name in areas[0]}
print("mean of ten digits:", *(f"{name} {value:.2f}" for name, value in mean_of.items()), sep="   ")
gap = max(abs(a["minus ELBO"] - a["minus weighted bound"]) for a in areas.values())
vh.expect(f"AUROC for {best}, the best", areas[best]["minus ELBO"], at_least=0.8)
vh.expect("AUROC for 1, best of the four scores", max(areas[1].values()), at_most=0.35)
vh.expect("ELBO against weighted bound, largest difference", gap, at_most=0.03)
vh.expect("mean of ten, ELBO minus PCA", mean_of["minus ELBO"] - mean_of["error of PCA"], at_least=0.0)

# %% [markdown]
# **What you see.** For all digits but 1 the VAE is better than a coin (for 9 hardly), and on average a little better than PCA.
# For 1 all scores fail.
# And for 0, to count the white pixels is already a good part of the success: a 0 has many.
# Without the simple scores beside it, an AUROC tells little.
#
# ### Why are ones "probable"?
#
# The score is a *surprise*: how many nats it costs to write the image down.
# Two things make it small: that the image is like the training images, and that the image is **simple**.
# A black image is the simplest of all.
# We ask the model that has never seen a 1, and give it clothes too.

# %%
small.set_weights(without_ones)
clothes = vh.load_images("fashion_mnist", binarize="threshold").x_test[:1000]
groups = {"normal digits": x[y != 1], "ones, left out": x[y == 1], "clothes": clothes}
surprise = {name: -vh.log_likelihood(small, images, samples=20) for name, images in groups.items()}
black = -vh.log_likelihood(small, np.zeros_like(x[:1]), samples=200)[0]

fig, ax = plt.subplots(figsize=(8.5, 3.6))
bins = np.geomspace(10, 5000, 75)
for (name, values), hatch in zip(surprise.items(), ("", "//", "..")):
    weights = np.full(len(values), 1 / len(values))
    ax.hist(values, bins, weights=weights, histtype="stepfilled", alpha=0.5, hatch=hatch, label=name)
ax.axvline(black, color="black", linestyle="--", label="a black image")
ax.set(xscale="log", xlabel="surprise in nats (minus the weighted bound), log scale", ylabel="share of images")
ax.legend();

# %%
more = {name: np.mean(values[:, None] > surprise["normal digits"]) for name, values in surprise.items()}
print(f"a black image costs {black:.0f} nats, the cheapest normal digit {surprise['normal digits'].min():.0f}")
vh.expect("AUROC of clothes against normal digits", more["clothes"], at_least=0.85)
vh.expect("AUROC of ones against normal digits", more["ones, left out"], at_most=0.35)
vh.expect("black image minus cheapest normal digit", black - surprise["normal digits"].min(), at_most=0)

# %% [markdown]
# **What you see.** Clothes, with their large white areas, cost the model much more than digits: here the score is nearly perfect.
# (Our stored run had eight of the ten classes of clothes.)
# Ones, which it has never seen, cost *less* than most digits.
# A black image, which is no digit at all, costs less than *any* of them.
# So "improbable" and "not normal" are two different things: a high likelihood (here: the $p(x)$ of the model) does not mean that an image belongs.
#
# This was a surprise when it was found with large models: models of clothes gave digits a higher likelihood than clothes,
# and models of photographs gave pictures of house numbers a higher one than photographs (Nalisnick and others, 2019).
# One remedy subtracts how many nats a general method, such as a ZIP program, needs for the image (Serrà and others, 2020, with compressors made for images).
# What is left is the surprise *beyond* the complexity:

# %%
def zip_nats(images):
    """The size of each image as a compressed file, in nats."""
    packed = np.packbits(flat(images).astype(bool), axis=1)
    return np.array([8 * np.log(2) * len(zlib.compress(image.tobytes(), 9)) for image in packed])


corrected = {d: roc_auc_score(y == d, found[d]["minus weighted bound"] - zip_nats(x)) for d in range(10)}
print("left out   surprise   surprise − ZIP   (AUROC)")
for digit in range(10):
    print(f"{digit:8d}{areas[digit]['minus weighted bound']:11.2f}{corrected[digit]:17.2f}")
before, after = mean_of["minus weighted bound"], np.mean(list(corrected.values()))
print(f"    mean{before:11.2f}{after:17.2f}")
vh.expect("mean of ten: what the correction changes", after - before, at_most=0.05)
vh.expect("AUROC for 1 after the correction", corrected[1], at_least=0.75)
vh.expect(f"AUROC for {best}: what the correction changes", corrected[best] - areas[best]["minus ELBO"], at_most=-0.05)

# %% [markdown]
# **What you see.** For 1 the correction turns the order round: from far below ½ to far above.
# The 7 gains too.
# But the other digits lose by it, some much and some little: it seems that they were found partly *by* their complexity.
# The mean of the ten is no better.
# No score knows what you mean by "normal".
# Choose it with some real anomalies at hand.
#
# ## Fill in the missing half
#
# The lower half of an image is hidden.
# What might be there?
# A VAE has learned which pixels go together, so it should know something.
# The simplest try: paint the hidden half black, encode, decode.
#
# **Predict.** The encoder has never seen half a digit.
# What will come out?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The encoder takes the black pixels for real ones.
# It finds no digit that looks so, and its codes fit badly: thin, grey shapes, some of them another digit.
#
# </details>

# %%
seen = np.zeros(data.image_shape, "float32")
seen[:14] = 1  # the upper half


def completed(logits, x):
    """The seen pixels as they are, the hidden ones as the decoder's pixel means."""
    return np.where(seen == 1, x, ops.sigmoid(logits))


def reconstruct_logits(x):
    return np.array(vae.decoder(vae.encode(x)[0]))


one_shot = reconstruct_logits(some * seen)
first = some[:10]
rows = [first, np.where(seen == 1, first, 0.5), ops.sigmoid(one_shot[:10]), completed(one_shot[:10], first)]
vh.plot_images(rows, ["image", "seen (grey: hidden)", "one shot, decoded", "one shot, completed"]);

# %% [markdown]
# **What you see.** The third row is the whole decoded image:
# thin and grey, a compromise between the upper half, which wants strokes, and the black half, which wants none.
# In the fourth row, where the seen half is put back, strokes break off or fade at the border.
#
# How badly does the decoded image disagree with what is seen?
# The nats of the *seen* pixels tell.
# We know these pixels, so a good code must explain them.
#
# ### Exercise 8.3 · The surprise about the seen pixels
#
# Return $-\log p$ of the seen pixels only, summed for each image.
# `seen` is 1 where a pixel is seen and 0 where it is hidden.
# Work with logits, as in exercise 2.2, so that nothing overflows.
# A hidden pixel must cost exactly nothing.

# %%
def seen_nll(x, logits, seen):
    """−log p of the seen pixels, (batch,), in nats. x, logits: (batch, height, width, 1); seen: one image."""
    ### BEGIN SOLUTION
    nats = ops.softplus(logits) - x * logits
    return ops.sum(seen * nats, axis=(1, 2, 3))
    ### END SOLUTION


vh.check.seen_nll(seen_nll)

# %% [markdown]
# **Target:** with one image of two white pixels, logits 0 and 3, of which only the first is seen, the result is $\log2\approx0.693$.
# The lesson uses a trick with the same result: it makes the hidden pixels black in the image and *sure to be black* in the logits, so that they cost nothing.

# %%
def nats_of_seen(logits, x):
    return float(np.mean(vh.bernoulli_nll(x * seen, np.where(seen == 1, logits, -1e4))))


for name, logits in {"whole image given": reconstruct_logits(some), "one shot": one_shot}.items():
    print(f"{name:18s} {nats_of_seen(logits, some):5.1f} nats for the seen half")

# %% [markdown]
# ### Better: ask again and again
#
# Encode, draw $z$, decode; put the seen pixels back; encode *this* image; and so on.
# In the first rounds the hidden half fits the seen one better each time, and so does the next code.
# This is a **Markov chain**: each state depends only on the one before.
# Where the encoder's cloud is the true posterior, its states become, after many steps,
# draws of the hidden half, given the seen half (Rezende and others, 2014).
#
# ### Exercise 8.4 · One step of the chain
#
# You get completed images: in their hidden pixels stands the answer of the step before.
# Encode them as they are.
# Draw $z$ from the cloud (`vae.reparameterize`).
# Decode it (`vae.decode` gives probabilities).
# Toss a coin for each pixel with `rng.random(shape)`.
# Return the seen pixels as they were, and the tossed ones where `seen` is 0.

# %%
def chain_step(vae, image, seen, rng):
    """The next completed images, like image: (batch, height, width, 1), 0 or 1. seen: (height, width, 1)."""
    ### BEGIN SOLUTION
    mean, log_var = vae.encode(image)
    share = vae.decode(vae.reparameterize(mean, log_var))
    tossed = rng.random(share.shape) < share
    return np.where(seen == 1, image, tossed).astype("float32")
    ### END SOLUTION


vh.check.chain_step(chain_step)

# %% [markdown]
# **Target:** the seen pixels never change, and after some steps the lower half mostly fits the upper one.
# From here on the lesson uses `vh.fill_in`, which begins with a black hidden half (or,
# with `start=0.5`, with coins), takes such steps, and returns the logits of the last one.
#
# **Predict.** In the end a chain should forget where it began.
# Will 40 steps be enough?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Not quite.
# Both chains soon explain the seen half, but after 40 steps they still complete the images differently.
#
# </details>

# %%
steps = (1, 2, 5, 10, 20, 40)


def quality(logits):
    """The nats of the seen half, and the share of completed images that get the right name."""
    return nats_of_seen(logits, some), np.mean(judged(completed(logits, some)) == answers)


chains = {
    name: np.array([quality(vh.fill_in(vae, some, seen, steps=n, start=start)) for n in steps])
    for name, start in (("chain from black", 0.0), ("chain from coins", 0.5))
}
lines = {"one shot": quality(one_shot), "whole image given": quality(reconstruct_logits(some))}

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for ax, column in zip(axes, (0, 1)):
    for (name, values), style in zip(chains.items(), ("o-", "s-")):
        ax.plot(steps, values[:, column], style, label=name)
    for (name, values), style in zip(lines.items(), ("--", ":")):
        ax.axhline(values[column], color="black", linestyle=style, linewidth=1.5, label=name)
names = (("nats of the seen half", "nats"), ("completed images with the right name", "share of images"))
for ax, (title, ylabel) in zip(axes, names):
    ax.set(xscale="log", xlabel="steps of the chain", ylabel=ylabel, title=title)
    ax.set_xticks(steps, steps)
    ax.minorticks_off()
axes[0].legend();

# %% [markdown]
# **What you see.** Left: after ten or twenty steps the chain from black explains the seen half nearly
# as well as the model does when it is given the *whole* image (dotted).
# Right: in the end, more completed images get the right name than with one shot.
# The chain from coins lags behind.
# Perhaps coins look to the encoder like a complicated digit with many white pixels, and the chain leaves such a place only slowly.
# So at least one of the chains has not forgotten its start.
# Both stay below the dotted line.
# One reason may be that the upper half does not always tell the digit.
# The next section shows whether it can be the only one.
#
# ### Several answers, and the simple way beside it
#
# The upper half of a 9 may also belong to a 4 or a 7.
# A chain with other random numbers may give another answer.
# And the simple way: look up the training image whose upper half has the fewest different pixels, and take its lower half.

# %%
stored = data.x_train[:20_000]
lookup = NearestNeighbors(n_neighbors=1).fit(flat(stored * seen))
nearest = stored[lookup.kneighbors(flat(some * seen))[1][:, 0]]
looked_up = np.where(seen == 1, some, nearest)

answers_of = [completed(vh.fill_in(vae, first, seen, steps=40, seed=seed), first) for seed in range(4)]
rows = [first, np.where(seen == 1, first, 0.5), *answers_of, looked_up[:10]]
vh.plot_images(rows, ["image", "seen", *(f"chain {i}" for i in (1, 2, 3, 4)), "nearest image"]);

# %%
# after the last step; in the order of the dictionary: black, coins
(chain_nats, chain_right), (_, coins_right) = (values[-1] for values in chains.values())
(one_shot_nats, one_shot_right), (whole_nats, _) = lines.values()
lookup_right = np.mean(judged(looked_up) == answers)
print(f"right name: one shot {one_shot_right:.2f}, chain {chain_right:.2f}, nearest image {lookup_right:.2f}")
vh.expect("nats of the seen half, one shot minus chain", one_shot_nats - chain_nats, at_least=15)
vh.expect("nats of the seen half, chain minus whole image given", chain_nats - whole_nats, at_most=15)
vh.expect("right name, chain minus one shot", chain_right - one_shot_right, at_least=0.08)
vh.expect("right name, from black minus from coins", chain_right - coins_right, at_least=0.02)
vh.expect("right name, nearest image", lookup_right, at_least=0.75)
vh.expect("right name, nearest image minus chain", lookup_right - chain_right, at_least=0.0)

# %% [markdown]
# **What you see.** The four chains agree on some images and differ on others:
# in the stored run the second image becomes a 3 in some rows and a 2 in another, and both are possible.
# Some halves are grey, or belong to no digit.
# And the look-up?
# Its lower halves are sharp, since they are real, and the judge names *more* of its images right than of ours.
# So the upper half tells more than our small model finds out.
# This is worth knowing before you build a large one.
# What speaks for the VAE: it gives several answers, it knows how surprised it is, and it need not keep 20,000 images.
# Which of these counts depends on the task.
#
# (Two remarks on the chain.
# It draws from the right distribution only if the encoder's cloud is the true posterior, and lesson 03 showed why it seldom is.
# And it can stay near one answer for long, as the chain from coins seems to do: so run several chains, not one.)
#
# ## Learn from few labels
#
# Images are cheap; labels are not: somebody must look.
# Suppose that all 60,000 images are there, and only 10, 30, 100 … of them have labels.
# The VAE has seen all images, without labels.
# Is it easier to learn from its codes than from pixels?
#
# The rivals: the means of the VAE's clouds (10 numbers); the first 10 directions of PCA, fitted to the same images (10 numbers); and the 784 pixels.
# The classifier is the same for all, a logistic regression.
# Which images have labels is a matter of luck, so we draw several times.
#
# **Predict.** Which of the three is best with 10 labels?
# And with 1,000?
#
# <details><summary>Open the answer when you have decided</summary>
#
# With 10 labels nobody wins clearly: drawn by lot, some classes get no labelled image at all, others two or three.
# With 100 the codes lead.
# With 1,000 the pixels have nearly caught up: 784 numbers hold details that 10 numbers have lost.
#
# </details>

# %%
pca = PCA(10).fit(flat(data.x_train))
few = slice(2000)  # test images
spaces = {
    "codes of the VAE": (codes_train, codes_test[few]),
    "PCA": (pca.transform(flat(data.x_train)), pca.transform(flat(data.x_test[few]))),
    "pixels": (flat(data.x_train), flat(data.x_test[few])),
}


def accuracy(train, test, labels, seed):
    """A logistic regression from so many labelled images, drawn by lot: its accuracy on test images."""
    rows = np.random.default_rng(seed).choice(len(train), labels, replace=False)
    classifier = LogisticRegression(max_iter=1000).fit(train[rows], data.y_train[rows])
    return classifier.score(test, data.y_test[few])


# %%
counts = (10, 30, 100, 300, 1000)
table = {
    name: np.array([[accuracy(*pair, n, seed) for seed in range(settings.seeds)] for n in counts])
    for name, pair in spaces.items()
}
fig, ax = plt.subplots(figsize=(7.5, 4))
for (name, values), style, shift in zip(table.items(), ("o-", "s--", "D:"), (0.96, 1, 1.04)):
    ax.errorbar(np.array(counts) * shift, values.mean(1), values.std(1), fmt=style, capsize=4, label=name)
ax.set(xscale="log", xlabel="images with labels", ylabel="accuracy on test images")
ax.set_xticks(counts, counts)
ax.minorticks_off()
ax.legend(loc="lower right");

# %%
for name, values in table.items():
    print(f"{name:18s}", *(f"{n} labels: {row.mean():.2f}" for n, row in zip(counts, values)), sep="   ")
vae_100, pca_100, pixels_100 = (values[2].mean() for values in table.values())
vae_1000, pca_1000, pixels_1000 = (values[4].mean() for values in table.values())
vh.expect("100 labels, codes minus PCA", vae_100 - pca_100, at_least=0.03)
vh.expect("100 labels, codes minus pixels", vae_100 - pixels_100, at_least=0.0)
vh.expect("1000 labels, codes minus pixels", vae_1000 - pixels_1000, at_most=0.05)
vh.expect("1000 labels, codes minus PCA", vae_1000 - pca_1000, at_least=0.03)

# %% [markdown]
# **What you see.** Points are means, bars the standard deviation over the draws by lot.
# With 10 labels, luck changes the result about as much as the space does.
# With 100, the codes are ahead of both rivals.
# With 1,000, the pixels are nearly level with the codes, and PCA is still as far behind as with 100.
#
# So the codes help most in the middle: with 10 or 30 labels, PCA is as good.
# Unlabelled images have taught the encoder which differences matter to *draw* digits, and these also help to *name* them, more than the directions of PCA do.
# With more labels their lead over the pixels becomes smaller: what 10 numbers do not hold, no classifier can use.
# To learn from images with and without labels in *one* model is the next step (Kingma and others, 2014,
# where this section is the first of two models, M1, and the conditional VAE belongs to the second, M2).
#
# ## Exercise 8.5 · Change it, and explain
#
# Here you have no check but your own eyes.
# (`vh.expect` compares with the numbers in the lesson, for MNIST.
# When you change something, it may say OFF.)
#
# **First:** set `STYLE = 10` and run the section on the conditional VAE again.
# What becomes better, and what worse: the ELBO, the probe, the orders that are obeyed?
# Why?
#
# <details><summary>Open the answer when you have tried</summary>
#
# When we ran it (with five epochs), the test ELBO rose from about −105 to −91 nats.
# But the probe read the class in 0.37 of the images in place of 0.23, and draws from the prior obeyed in 0.74 in place of 0.84.
# With more latents, more of the image can be told, so the loss is better.
# But each latent that can hold something may also hold the class.
# A better ELBO is not a better conditional model: it says nothing about who tells the class, $z$ or the label.
#
# </details>
#
# **Then** one of these:
#
# - Train `small` (from `start` again) on clothes, `vh.load_images("fashion_mnist", binarize="threshold").x_train`, and let digits be the anomalies.
#   When we ran it (with eight of the ten classes of clothes), the AUROC was 0.77, and 0.98 the other way round.
#   Which digit costs least?
#   Which piece of clothing?
# - Hide the right half in place of the lower one: `seen[:] = 0; seen[:, :14] = 1`.
#   Is it easier?
# - Replace the logistic regression in `accuracy` by the nearest neighbour, `KNeighborsClassifier(1)` from `sklearn.neighbors`.
#   Does the order of the three change?
#
# ## To take away
#
# 1. A conditional VAE gets the label in both networks.
#    Then $z$ is left with mostly the style.
#    Count how often it obeys, and probe what $z$ still tells.
# 2. The ELBO as a score finds some anomalies and calls others more normal than normal images: a simple image is cheap.
# 3. Report an anomaly score as an AUROC, with the anomaly as the kind to be found (the *positive* class), for all classes, and beside a simple score.
# 4. A VAE fills in hidden pixels by a chain: encode, draw, decode, put the seen pixels back.
#    It gives several answers; check them against a simple look-up.
# 5. Codes learned without labels help when labels are few.
#    With more labels, the lead over pixels becomes smaller.
#
# **Where the ideas come from.**
# Conditional VAE: K. Sohn, H. Lee and X. Yan, *Learning structured output representation using deep conditional generative models*, NIPS 2015, equation 4;
# D. Kingma and others, *Semi-supervised learning with deep generative models*, NIPS 2014 (M1 and M2; the bound with a known label is equation 6).
# Importance-weighted bound: Y. Burda, R. Grosse and R. Salakhutdinov, ICLR 2016, equation 8.
# Likelihoods that rank outliers higher: E. Nalisnick and others, *Do deep generative models know what they don't know?*, ICLR 2019.
# The correction by a compressor: J. Serrà and others, *Input complexity and out-of-distribution detection with likelihood-based generative models*, ICLR 2020.
# ROC curves: T. Fawcett, *An introduction to ROC analysis*, Pattern Recognition Letters 27 (2006).
# The chain: D. Rezende, S. Mohamed and D. Wierstra, *Stochastic backpropagation*, ICML 2014, appendix F; how to make it exact:
# P.-A. Mattei and J. Frellsen, *Leveraging the exact likelihood of deep latent variable models*, NeurIPS 2018.
#
# **Next:** lesson 09 trains larger models: on several devices, and on colour images.
