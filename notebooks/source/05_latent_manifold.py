# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · The latent manifold
#
# You walk through the latent plane of a trained VAE: what lies where, where it has holes, how to get from one image to another, and what forty latents change.
#
# **Time.** {{time}}
#
# **You will be able to**
#
# - read a map of codes and a plane of decoded images *together*, and say what each spacing hides;
# - compute the density of all clouds together, find the holes where the prior draws and few clouds lie, and split the average KL into information and mismatch;
# - compare two ways from one code to another by a measurement;
# - say which latents a model uses, by two measures;
# - do arithmetic with codes, with a count and a control.
#
# **You need** lessons 02 to 04 (cloud, `mean`, `log_var`, prior, KL and its two directions, decoder, classifier), and the idea of a density.

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
from keras import layers, ops
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=3, grid=13, samples=2000)
data = vh.load_images("mnist", binarize="threshold", validation=5000)
rng = np.random.default_rng(0)

# %% [markdown]
# ## One map for all
#
# A model comes with the package: the convolutional VAE of lesson 04 with two latents, trained on the same 55,000 images of MNIST.
# So everybody looks at the same map.
# We look at the test images; where we choose between two ways, we choose on validation images.

# %%
vae = vh.trained_vae()
mean, log_var = (np.array(part) for part in vae.encode(data.x_test))
print(f"{len(mean):,} test images, a cloud each; average σ {np.exp(0.5 * log_var).mean():.3f}")

# %% [markdown]
# ## Map and pictures, on the same axes
#
# Two views of one plane: where the encoder puts the test images, and what the decoder draws.
# There are two ways to choose the places of the tiles:
#
# - **linear spacing**: the same distance between neighbours, here from −3 to 3;
# - **quantiles of the prior**: the same share of the prior between neighbours, here from the 5 % to the 95 % quantile.
#
# Five positions of each kind:

# %% tags=["nbval-check-output"]
for spacing in ("linear", "quantile"):
    print(f"{spacing:9s}", *(f"{z + 0:5.2f}" for z in vh.latent_grid(5, spacing, limit=3).round(2)))

# %% [markdown]
# To decode a plane, we need the list of all codes, in the order in which a picture is filled.
#
# ### Exercise 5.1 · The codes of a picture · 8 min
#
# You get the positions along one axis, rising, for example `[-2, 0, 2]`.
# Return the codes of all n · n tiles: an array with one row for each tile.
# The first row is the tile at the top left; then the picture is filled as one reads, to the right and then down.
# The first latent runs to the right, the second *upward*.
# So the tiles at the top have the largest second latent.
# (`np.meshgrid` and `np.stack` help.)

# %%
def grid_codes(values):
    """Codes for a picture of n × n tiles. values: (n,), rising. Returns (n·n, 2)."""
    ### BEGIN SOLUTION
    first, second = np.meshgrid(values, values[::-1])  # row 0 has the largest second latent
    return np.stack([first, second], axis=-1).reshape(-1, 2)
    ### END SOLUTION


vh.check.grid_codes(grid_codes)

# %% [markdown]
# **Target:** `grid_codes(np.array([-2, 0, 2]))` begins with (−2, 2), (0, 2), (2, 2), (−2, 0) and ends with (2, −2).
# From here on `vh.plot_manifold` does this.

# %% alt="Left, a map of the test codes in ten colours with a legend: ones on the left, zeros at the top, sixes and twos to the right, sevens, nines and fours below; a dashed square marks the range of the quantiles. Right, the decoded plane over the same range: the same digits at the same places, blends between them."
fig, axes = plt.subplots(1, 2, figsize=(10.5, 4.8))
vh.plot_latent_scatter(mean, data.y_test, data.class_names, limit=3, ax=axes[0])
edge = 1.645  # the 95 % quantile of N(0, 1)
axes[0].add_patch(plt.Rectangle((-edge, -edge), 2 * edge, 2 * edge, fill=False, linestyle="--", linewidth=2))
axes[0].set_title("codes of the test images")
vh.plot_manifold(vae, n=settings.grid, limit=3, ax=axes[1])
axes[1].set_title("decoded, linear spacing");

# %% [markdown]
# **Predict.** Which digits will the quantile picture hide?
# Which digits fill more of the linear picture than of the quantile picture?

# %% alt="Left, the decoded plane with the spacing of the quantiles from minus 1.6 to 1.6: most tiles are threes, eights, twos and sixes. Right, bars: for each digit the share of its codes outside this square; the tallest are 1 and 0, and a dashed line marks the share of the prior, 0.19."
outside = np.abs(mean).max(axis=1) > edge
shares_outside = [np.mean(outside[data.y_test == digit]) for digit in range(10)]
fig, axes = plt.subplots(1, 2, figsize=(10.5, 4.8))
vh.plot_manifold(vae, n=settings.grid, spacing="quantile", ax=axes[0])
axes[0].set_title("decoded, quantiles of the prior")
bars = axes[1].bar(range(10), shares_outside, color=vh.plots.CLASS_COLORS)
axes[1].bar_label(bars, fmt="%.2f")
axes[1].axhline(1 - 0.9**2, color="black", linestyle="--", label="the prior: 0.19")
axes[1].set(xticks=range(10), xlabel="digit", ylabel="share of its codes", ylim=(0, 1), title="outside the quantile picture")
axes[1].legend();

# %% tags=["guard"]
vh.expect("area of the linear picture outside the square", 1 - (2 * edge / 6) ** 2, at_least=0.69, at_most=0.71, everywhere=True)
for digit, share in {0: 0.56, 1: 0.75, 4: 0.43, 9: 0.42}.items():
    vh.expect(f"share of {digit} outside", shares_outside[digit], at_least=share - 0.006, at_most=share + 0.006)
vh.expect("share of any other digit outside (prior: 0.19)", np.sort(shares_outside)[-5], at_most=0.19)

# %% [markdown]
# **What you see.** First figure: both panels show the same square.
# Where the left one has ones, the right one draws ones.
# Ones lie on the left, zeros at the top, sixes and twos on the right.
# Threes, fives and eights crowd in the middle; sevens, fours and nines lie over each other below.
# Second figure: its left panel shows the range of the dashed square, with the same share of the prior for each tile.
# Threes, fives and eights take much more room now, and the ones are a thin column at the left edge.
#
# The answer: the quantile picture hides most of the ones (0.75 lie outside) and more than half of the zeros (0.56).
# Then come fours and nines (0.43 and 0.42); of all other digits, less is outside than of the prior itself.
# In the linear picture, ones and zeros fill about half of the tiles; in the quantile picture, about a quarter.
# About 70 % of the linear picture lies outside the dashed square, but only 19 % of the prior ($1-0.9^2$).
#
# ## Do the clouds fill the prior?
#
# New images are drawn from the prior.
# The decoder was trained on draws from the clouds.
# So we ask whether all clouds *together* look like the prior.
# Take each of the $N$ training images with the same weight $1/N$, and draw from its cloud.
# That is the **mixture of all clouds**, in papers the *aggregate posterior*.
# Its density is the average of the densities of the clouds:
#
# $$\bar q(z)=\frac1N\sum_{n=1}^N q(z\mid x_n)$$
#
# The clouds are normal distributions, so we can compute this exactly.
# There is one difficulty: far from a narrow cloud its density is so small that a computer rounds it to 0, and $\log 0$ is no number.
# For numbers $a_n$, `ops.logsumexp(a, axis)` gives $\log\sum_n e^{a_n}$ without this loss, because it takes the largest $a_n$ out first.
#
# ### Exercise 5.2 · The density of all clouds together · 10 min
#
# You get some points, and the clouds of some images.
# Return $\log\bar q(z)$ for each point.
# `vh.gaussian_log_prob(z, mean, log_var)` gives the logarithm of the density of a cloud, summed over the latents.
# It broadcasts: `z[:, None]` has the shape (points, 1, latent), and meets each of the clouds, (clouds, latent).
# Take care of $1/N$: what does it become under the logarithm?

# %%
def mixture_log_density(z, mean, log_var):
    """log of the average density of all clouds. z: (points, latent); mean, log_var: (clouds, latent). Returns (points,)."""
    ### BEGIN SOLUTION
    of_each_cloud = vh.gaussian_log_prob(ops.expand_dims(z, 1), mean, log_var)  # (points, clouds)
    return ops.logsumexp(of_each_cloud, axis=1) - np.log(len(mean))
    ### END SOLUTION


vh.check.mixture_log_density(mixture_log_density)

# %% [markdown]
# From here on the lesson uses `vh.mixture_log_density`, which takes the points in portions, so that 55,000 clouds fit into the memory.
# **Target:** `mixture_log_density(np.zeros((1, 2), "float32"), mean[:100], log_var[:100])` gives the number of the next cell.

# %%
print(f"log density of 100 clouds in the middle: {vh.mixture_log_density(np.zeros((1, 2)), mean[:100], log_var[:100])[0]:.3f}")

# %% [markdown]
# Now all clouds, on a grid of points that are 0.125 apart.
# We divide by the density of the prior.
# A ratio of 1 means: as much as the prior.
# A ratio of ⅓ means: a draw from the prior comes here three times as often as a draw from the clouds.
# (The next cell takes about ten seconds.)
#
# **Predict.** The KL of each image pulls its cloud towards the prior.
# Will the mixture of all clouds be the prior?
# If not, where on the map do you expect the holes?

# %%
clouds = [np.array(part) for part in vae.encode(data.x_train)]  # mean and log_var of all training images

step = 0.125
axis = np.arange(-5, 5 + step / 2, step)
plane = np.stack(np.meshgrid(axis, axis), axis=-1)  # here row 0 is the lowest
points = plane.reshape(-1, 2)
log_q = vh.mixture_log_density(points, *clouds)
log_p = np.array(vh.gaussian_log_prob(points, 0.0, 0.0))
log_ratio = log_q - log_p

# %% [markdown]
# Which places are the emptiest?
# We look within a circle of radius 2, where 86 % of the prior lies ($1-e^{-2}$), and take the lowest ratios that are at least 0.7 apart: A to F.
# As a control, each gets a **twin**: the nearest place at the same distance from the middle where the ratio is 1 or more.

# %%
radius = np.linalg.norm(points, axis=1)
lowest = []
for i in np.argsort(log_ratio):
    if radius[i] < 2 and all(np.linalg.norm(points[i] - points[j]) > 0.7 for j in lowest):
        lowest.append(i)
holes = points[lowest[:6]]
twins = []
for hole in holes:
    away = np.linalg.norm(points - hole, axis=1)
    away[(np.abs(radius - np.linalg.norm(hole)) > step) | (log_ratio < 0)] = np.inf
    twins.append(points[np.argmin(away)])

# %% alt="A map of mixture divided by prior. Red, where the classes crowd and on arms far out. Blue: a channel between the ones on the left and all others, with B, D and F in it; a patch right of fours and nines, with E; and the upper left corner, with A and C. Digits mark the medians of the classes."
def draw_ratio(ax):
    """The map of holes: blue where the clouds give less than the prior, red where they give more."""
    tens = np.clip(log_ratio / np.log(10), -1, 1).reshape(len(axis), -1)
    extent = (axis[0] - step / 2, axis[-1] + step / 2) * 2
    picture = ax.imshow(tens, origin="lower", extent=extent, cmap="RdBu_r", vmin=-1, vmax=1)
    bar = ax.figure.colorbar(picture, ax=ax, ticks=np.log10([0.1, 1 / 3, 1, 3, 10]))
    bar.ax.set_title("mixture / prior", fontsize=10, pad=10)
    bar.ax.set_yticklabels(["1/10 or less", "1/3", "1", "3", "10 or more"])
    ax.add_patch(plt.Circle((0, 0), 2, fill=False, linestyle="--"))
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="$z_1$", ylabel="$z_2$", xticks=range(-4, 5, 2), yticks=range(-4, 5, 2))
    ax.grid(False)


fig, ax = plt.subplots(figsize=(7.5, 5.8))
draw_ratio(ax)
for letter, hole in zip("ABCDEF", holes):
    ax.text(*hole, letter, weight="bold", ha="center", va="center", bbox={"boxstyle": "circle", "fc": "white"})
for digit in range(10):
    ax.text(*np.median(mean[data.y_test == digit], axis=0), digit, ha="right" if digit == 9 else "left", va="center", fontsize=13);

# %% alt="Two rows of six decoded pictures. First row, the emptiest places A to F; blends of two digits, broad or smeared; second row, their twins where the clouds are dense: one, nine, six, nine, three, nine."
ratios = np.exp(vh.mixture_log_density(holes, *clouds) - np.array(vh.gaussian_log_prob(holes, 0.0, 0.0)))
titles = [f"{letter}: {ratio:.2f}" for letter, ratio in zip("ABCDEF", ratios)]
vh.plot_images([vae.decode(holes), vae.decode(np.array(twins))], ["emptiest", "twin"], titles=titles);

# %% tags=["guard"]
vh.expect("highest ratio of the six holes", ratios.max(), at_most=0.27)

# %% [markdown]
# **What you see.** Red: more codes than the prior.
# Blue: fewer.
# A bare digit stands at the median code of its class; 9 and 4, and also 5 and 8, are close together.
# A blue channel separates the ones from all other digits (B, D, F).
# A blue patch lies on the right of the fours and nines (E), and the corner between ones and zeros is empty (A, C).
# Outside the dashed circle, arms of zeros, ones, fours and nines are red, in part dark red: many codes lie there, and the prior hardly draws there.
#
# The pictures: above each of the first row stands its ratio.
# A is neither a one nor a zero; B and D are a one and a nine over each other; C lies between zero and six.
# E is a smear of nine, five and three; F is a broad stroke.
# Their twins, as far from the middle, are a one, a six, a three, and three times a nine.
# (The judge of the next section calls these nines sevens: so near each other do the two lie here.)
#
# The answer: no, the mixture is not the prior, and its holes lie *between* the classes.
# Hardly an image has its cloud there, so the decoder was hardly trained there, and blends the neighbours.
#
# ### A judge
#
# Are pictures from holes worse?
# Eyes differ, so we train a judge: a small classifier of real digits (about ten seconds).
# Its **certainty** is the probability that it gives to its favourite digit, from 0.1 to 1.
# A clear digit gets nearly 1, a blend of two digits less.
# It learns from black-and-white images, so it is shown decoded pictures in black and white too: white above 0.5.

# %%
keras.utils.set_random_seed(settings.seed)
judge = keras.Sequential([keras.Input(data.image_shape), layers.Flatten(), layers.Dense(256, "relu"), layers.Dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
judge.compile(keras.optimizers.Adam(1e-3), loss, steps_per_execution=20)
judge.fit(data.x_train, data.y_train, batch_size=200, epochs=settings.epochs, verbose=0);


# %%
def judged(images):
    """The digit that the judge sees in each image, and how certain it is. Grey images become black and white first."""
    black_and_white = (images > 0.5).astype("float32")
    probabilities = np.array(ops.softmax(judge.predict(black_and_white, batch_size=1000, verbose=0)))
    return probabilities.argmax(axis=1), probabilities.max(axis=1)


def with_error(values):
    """The mean, and its standard error: how far it may be off by chance."""
    return f"{np.mean(values):.3f} ± {np.std(values) / np.sqrt(len(values)):.3f}"


digits, certainty = judged(data.x_test)
print(f"test images: right {np.mean(digits == data.y_test):.3f}, certainty {certainty.mean():.3f}")

# %%
draws = rng.normal(size=(settings.samples, 2))
ratio = np.exp(vh.mixture_log_density(draws, *clouds) - np.array(vh.gaussian_log_prob(draws, 0.0, 0.0)))
_, certainty = judged(vae.decode(draws))
distance = np.linalg.norm(draws, axis=1)
ring = (distance > 1) & (distance < 2)
groups = {"below ½": ratio < 0.5, "½ to 1": (ratio >= 0.5) & (ratio < 1), "1 or more": ratio >= 1}
print("ratio      share of the prior   certainty         at a distance of 1 to 2")
for name, group in groups.items():
    print(f"{name:10s} {group.mean():18.2f}   {with_error(certainty[group])}   {with_error(certainty[group & ring])}")
for name, places in (("A to F", holes), ("twins", np.array(twins))):
    print(f"{name:7s}", *(f"{digit} ({sure:.2f})" for digit, sure in zip(*judged(vae.decode(places)))), sep="  ")
vh.expect("certainty where the ratio is 1 or more", certainty[groups["1 or more"]].mean(), at_least=0.92, at_most=0.96)

# %% tags=["guard"]
vh.expect("judge, share of right test images", np.mean(digits == data.y_test), at_least=0.96, at_most=0.97)
vh.expect("share of the prior below ½", groups["below ½"].mean(), at_least=0.27, at_most=0.31)
vh.expect("certainty below ½", certainty[groups["below ½"]].mean(), at_least=0.79, at_most=0.84)
below, above = (certainty[group & ring].mean() for group in (groups["below ½"], groups["1 or more"]))
vh.expect("certainty, 1 or more − below ½, on the ring", above - below, at_least=0.11, at_most=0.17)
more_certain = judged(vae.decode(np.array(twins)))[1] > judged(vae.decode(holes))[1]
vh.expect("twins of which the judge is more certain, of six", more_certain.sum(), at_least=3, at_most=3)
for spacing, share in {"linear": 0.52, "quantile": 0.243}.items():
    line = vh.latent_grid(settings.grid, spacing, limit=3)
    digits = judged(vae.decode(np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)))[0]
    vh.expect(f"share of tiles that are 0 or 1, {spacing}", np.mean(digits < 2), at_least=share - 0.03, at_most=share + 0.03)

# %% [markdown]
# **What you see.** The judge is right for 96.5 % of the test images.
# Of the draws from the prior, 29 % come from places where the ratio is below ½.
# There the certainty is 0.816 ± 0.008; where the ratio is 1 or more, it is 0.942 ± 0.004, nearly as for real images (0.954).
# The last column is a control: perhaps the judge is only less sure far from the middle?
# No: among draws at a distance of 1 to 2, the difference is as large.
#
# The last lines show why one needs many draws.
# The judge is surer of the twin for A, C and E only.
# It calls B, D and F ones, and is surer of them than of their twins.
# So pictures from holes are worse on average, not each of them.
# (One model, one judge.)
# (`vh.expect` at the end of the cell compares a number with the one in the text, and speaks only if they differ.)
#
# ## Average KL = information + mismatch
#
# If the KL pulls every cloud to the prior, why are there holes?
# Take the KL of one image, and multiply and divide by $\bar q(z)$ under the logarithm:
#
# $$\mathrm{KL}\big(q(z\mid x_n)\,\|\,p(z)\big)=\mathbb E_{q(z\mid x_n)}\!\left[\log\frac{q(z\mid x_n)}{\bar q(z)}\right]
# +\mathbb E_{q(z\mid x_n)}\!\left[\log\frac{\bar q(z)}{p(z)}\right]$$
#
# Average over all images.
# In the last term, first an image and then a draw from its cloud: that *is* a draw from $\bar q$.
# So the last term becomes an average over $\bar q$, which is a KL:
#
# $$\underbrace{\frac1N\sum_n\mathrm{KL}\big(q(z\mid x_n)\,\|\,p(z)\big)}_{\text{average KL}}
# =\underbrace{\frac1N\sum_n\mathrm{KL}\big(q(z\mid x_n)\,\|\,\bar q(z)\big)}_{\text{information}}
# +\underbrace{\mathrm{KL}\big(\bar q(z)\,\|\,p(z)\big)}_{\text{mismatch}}$$
#
# **Information**: how much better the code is known when the image is known.
# It is 0 if all clouds are equal, and at most $\log N$ (its full name is *mutual information*).
# **Mismatch**: how far all clouds together are from the prior.
# (Hoffman and Johnson, 2016.)
#
# We measure the three apart.
# The average KL is the formula of lesson 02, over all clouds.
# The information is an average over draws, one from each of some clouds.
# The mismatch is an integral: the sum over our grid, times the area of a cell.
# How far off is such a sum?
# The same sum over every second point, in both directions, can begin at four places.
# If these four coarse sums agree with the fine one, the fine one is good enough.

# %%
def integral(values, every=1, first=0, second=0):
    """The integral of values on the grid, from every so many points in both directions."""
    values = values.reshape(len(axis), -1)[first::every, second::every]
    return values.sum() * (every * step) ** 2


average_kl = np.mean(vh.gaussian_kl(*clouds))

some = rng.choice(len(data.x_train), min(settings.samples, len(data.x_train)), replace=False)
mean_of_some, log_var_of_some = (part[some] for part in clouds)
z = mean_of_some + np.exp(0.5 * log_var_of_some) * rng.normal(size=mean_of_some.shape)
log_q_of_own = np.array(vh.gaussian_log_prob(z, mean_of_some, log_var_of_some))
information = log_q_of_own - vh.mixture_log_density(z, *clouds)

# %%
gap = np.exp(log_q) * log_ratio
mismatch = integral(gap)
coarse = [integral(gap, 2, first, second) for first in (0, 1) for second in (0, 1)]
print(f"share of the mixture that lies on this grid: {integral(np.exp(log_q)):.4f}")
print(f"information  {with_error(information)} nats, by draws")
print(f"mismatch     {mismatch:.3f}         nats, by the integral (coarse: {min(coarse):.3f} to {max(coarse):.3f})")
print(f"their sum    {information.mean() + mismatch:.3f}")
print(f"average KL   {average_kl:.3f}         nats, by the formula")
gap_of_prior = np.exp(log_p) * -log_ratio
other_way = integral(gap_of_prior)
print(f"KL(prior ‖ mixture), the other direction: {other_way:.2f} nats")
vh.expect("mismatch, nats", mismatch, at_least=0.29, at_most=0.31)

# %% tags=["guard"]
off = information.mean() + mismatch - average_kl
vh.expect("information + mismatch − average KL, nats", off, at_least=-0.1, at_most=0.1)
vh.expect("largest error of the coarse integrals, nats", np.abs(np.array(coarse) - mismatch).max(), at_most=0.0099)
vh.expect("mixture outside of the grid", 1 - integral(np.exp(log_q)), at_most=0.002)
vh.expect("KL(prior ‖ mixture), nats", other_way, at_least=1.1, at_most=1.14)
coarse = [integral(gap_of_prior, 2, first, second) for first in (0, 1) for second in (0, 1)]
vh.expect("largest error of the coarse integrals, the other direction", np.abs(np.array(coarse) - other_way).max(), at_most=0.0099)

# %% [markdown]
# **What you see.** The three were measured apart, and they fit: 5.632 + 0.301 = 5.933, beside 5.919, with a standard error of 0.029.
# The coarse sums differ from the fine one by less than 0.01 nats, and hardly any of the mixture lies outside the grid.
# Of the 5.9 nats, 5.6 are information.
# That is enough to tell some $e^{5.63}\approx 280$ equally likely groups of images apart.
#
# Is a mismatch of 0.30 nats much?
# *For the ELBO, no.*
# With the mixture itself as the prior, just these 0.30 nats would be saved on the training images.
# (Tomczak and Welling, 2018, do something like it.)
# *For new images, yes.*
# They are drawn from the prior.
# But the mismatch is an average over the *mixture*, and the mixture hardly visits its own holes.
# Lesson 03 has shown it: this direction of the KL forgives empty places.
# The other direction is an average over the prior: 1.12 nats, nearly four times as much.
# Training pays for the first only, so holes cost it little.
#
# **Question.** A friend trains a VAE whose average KL is 0.00 nats, and says: "now the mixture is exactly the prior".
# Is that right?
# Is it a success?
#
# <details><summary>Open the answer</summary>
#
# It is right: both parts are 0 or more, so both are 0.
# But the information is 0, too: the code says nothing about the image.
# The aim is a small mismatch *with* information.
#
# </details>

# %% [markdown]
# ## From one image to another
#
# To walk from image A to image B, decode the codes between their codes.
# The plain way is the straight line.
# But there is an argument against it, for many latents.
# We look at pairs of draws from the prior, in 2 and in 40 dimensions.

# %%
for d in (2, 40):
    first, second = rng.normal(size=(2, 2000, d))
    lengths = np.linalg.norm(first, axis=1)
    angles = np.degrees(np.arccos(np.sum(first * second, axis=1) / lengths / np.linalg.norm(second, axis=1)))
    middle = np.linalg.norm((first + second) / 2, axis=1).mean()  # average length half-way on the straight line
    shorter = np.mean(lengths < middle)
    print(f"{d:2d} latents: length {lengths.mean():.2f} ± {lengths.std():.2f},", end=" ")
    print(f"angle {angles.mean():.0f}° ± {angles.std():.0f}°; half-way {middle:.2f}: {shorter:.4f} are shorter")

# %% tags=["guard"]
vh.expect("40 latents: half-way length", middle, at_least=4.4, at_most=4.5, everywhere=True)
vh.expect("40 latents: share of draws that are shorter", shorter, at_most=0.006, everywhere=True)

# %% [markdown]
# **What you see.** After ± stands the standard deviation over the pairs.
# In 40 latents, all draws are nearly equally long, and two draws are nearly at a right angle.
# Both can be computed: $\mathbb E\|z\|^2=d$, a sum of $d$ variances of 1; and $\mathbb E[z\cdot z']=0$, for independent draws.
# In 40 dimensions both hold for nearly each draw, not only on average.
# Then the code half-way is shorter by the factor $1/\sqrt2$: 4.45 in place of 6.3, and about 2 of 1,000 draws are as short as that.
# So the straight line leaves the places where the prior draws.
# In 2 latents the angle can be anything, and a third of the draws is shorter than the average half-way code.
#
# The other way is the **great circle**: turn evenly from one direction to the other, and let the length go evenly from the first to the second.
# (Side road 1 has the formula, and lets you write it.)
#
# Is the argument right?
# We train a VAE with 40 latents, as in lesson 02, on all training images (three epochs, about 20 seconds).

# %%
keras.utils.set_random_seed(settings.seed)
vae_40 = vh.VAE(vh.mlp_encoder(data.image_shape, 40, hidden=(256,)), vh.mlp_decoder(data.image_shape, 40, hidden=(256,)))
vae_40.compile(keras.optimizers.Adam(3e-3), steps_per_execution=20)
vae_40.fit(data.x_train, epochs=settings.epochs, batch_size=100, verbose=2)
mean_40, log_var_40 = (np.array(part) for part in vae_40.encode(data.x_test))

# %% alt="Four rows of nine decoded pictures from a one to a zero: two latents on the straight line and on the great circle, 40 latents on both. With two latents the line passes a smear, the circle a leaning frame; with 40 the one fades while the zero grows over it, on both ways."
rows, row_titles = [], []
for model, codes in ((vae, mean), (vae_40, mean_40)):
    start, end = (codes[data.y_test == digit][0] for digit in (1, 0))
    for way, name in ((vh.straight_line, "line"), (vh.great_circle, "circle")):
        rows.append(model.decode(way(start, end, 9)))
        row_titles.append(f"{model.latent_dim} latents, {name}")
vh.plot_images(rows, row_titles, titles=[f"{t:.3g}" for t in np.linspace(0, 1, 9)]);

# %% [markdown]
# **What you see.** Two latents: on the line, the one becomes a broad stroke, then a smear, then a zero.
# On the circle, a frame that is neither one nor zero stands half-way.
# Forty latents: the one fades, and the zero grows over it; both ways show nearly the same.
#
# One pair proves nothing.
# So we take many pairs, and ask the judge about the picture half-way.
# The pairs are of two kinds: means of two validation images, and draws from the prior.
# For each pair we take the difference of the two ways.
#
# **Predict.** Which way gives the more certain pictures: for two latents, and for 40?

# %%
def half_way_circle(start, end):
    """The codes in the middle of each pair, on the great circle."""
    return np.array([vh.great_circle(a, b, 3)[1] for a, b in zip(start, end)])


first, second = rng.permutation(len(data.x_valid))[: 2 * (settings.samples // 2)].reshape(2, -1)
gains = {}
print(f"certainty of the judge, {len(first)} pairs                line             circle    circle − line")
for model in (vae, vae_40):
    codes = np.array(model.encode(data.x_valid)[0])
    pairs = {"means": (codes[first], codes[second]), "prior": rng.normal(size=(2, len(first), model.latent_dim))}
    for kind, (start, end) in pairs.items():
        half_way = start, (start + end) / 2, half_way_circle(start, end)
        at_ends, on_line, on_circle = (judged(model.decode(z))[1] for z in half_way)
        gains[model.latent_dim, kind] = on_circle - on_line
        print(f"{model.latent_dim:2d} latents, {kind}: ends {with_error(at_ends)}", end="   ")
        print(f"{with_error(on_line)}   {with_error(on_circle)}   {with_error(on_circle - on_line)}")

# %% tags=["guard"]
for (latents, kind), gain in gains.items():
    vh.expect(f"certainty, circle − line, {latents} latents, {kind}", gain.mean(), at_least=0, at_most=0.04)
own_rng = np.random.default_rng(1)
for model, low, high in ((vae, -0.025, 0.025), (vae_40, 0.005, 0.05)):  # the judge before grey pictures
    means = np.array(model.encode(data.x_valid)[0])
    for ends in ((means[first], means[second]), own_rng.normal(size=(2, len(first), model.latent_dim))):
        grey = (model.decode(z) for z in ((ends[0] + ends[1]) / 2, half_way_circle(*ends)))
        grey_line, grey_circle = (np.array(ops.softmax(judge.predict(z, verbose=0))).max(axis=1).mean() for z in grey)
        vh.expect(f"grey pictures, circle − line, {model.latent_dim} latents", grey_circle - grey_line, at_least=low, at_most=high)

# %% [markdown]
# **What you see.** The answer: the great circle, each time, by 0.015 to 0.029, about three to five standard errors.
# That is little, and no more with 40 latents than with two; by the argument, it should be more.
# And when we showed the judge the *grey* pictures (not printed here), it found a difference with 40 latents only:
# 0.005 to 0.05 there, and none beyond 0.025 with two.
# So the measurement does not settle whether the lengths are the reason.
# Between two images of the second model, the certainty falls from 0.948 to about 0.83 on *both* ways.
#
# Here, either way will do.
# (One model each, one judge.)
#
# ## Which latents are used?
#
# The second model has 40 latents.
# Does it use them all?
# Two measures: the **KL of each latent**, averaged over images, in nats; and whether a latent is **active**:
# the mean of its cloud, one number for each image, varies over the images with a variance above 0.01 (Burda and others, 2016).
#
# ### Exercise 5.3 · Which latents are active? · 4 min
#
# Write the second measure.
# You get the means of many images; say for each latent whether it is active.

# %%
def active_latents(mean, threshold):
    """Which latents are active. mean: (images, latent). Returns True or False for each latent, (latent,)."""
    ### BEGIN SOLUTION
    return mean.var(axis=0) > threshold
    ### END SOLUTION


vh.check.active_latents(active_latents)

# %% [markdown]
# From here on the lesson uses `vh.active_units`.
# **Target:** `active_latents(mean_40, 0.01).sum()` is the number in the title of the next figure.

# %% alt="The KL of 40 latents, sorted, as dots on a logarithmic axis. It falls slowly from 2 nats to about 0.2 at the 28th latent, then fast; the last dozen lie below a dashed line at 0.1 nats. One dot, the last, is not active."
kl = vh.kl_per_dimension(vae_40, data.x_test)
active = vh.active_units(vae_40, data.x_test)
order = np.argsort(kl)[::-1]
fig, ax = plt.subplots(figsize=(7.5, 3.4))
for state, style, name in ((True, "o", "active"), (False, "X", "not active")):
    places = np.flatnonzero(active[order] == state)
    ax.plot(places + 1, kl[order][places], style, markersize=7, label=name)
ax.axhline(0.1, color="black", linestyle="--", linewidth=1, label="0.1 nats")
ax.set(xlabel="latents, sorted by their KL", ylabel="KL in nats", yscale="log", title=f"{active.sum()} of 40 latents are active")
ax.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
ax.legend();

# %% tags=["guard"]
vh.expect("latents below 0.1 nats", (kl < 0.1).sum(), at_least=9, at_most=15)
vh.expect("active latents", active.sum(), at_least=36, at_most=40)

# %% [markdown]
# **What you see.** By the threshold, 39 of 40 latents are active.
# But 11 of these 39 have a KL below 0.1 nats: the threshold is low.
# After these three epochs, such a latent carries hardly any information, and its clouds stay near the prior.
# (For a linear VAE, lesson 03 computed which latents stay there; Lucas and others, 2019.)
# (One training; another seed may use another number.)
#
# ## Arithmetic with codes
#
# The difference between the average code of one class and that of another is a direction.
# Add "average 9 minus average 4" to the code of a four.
# Does it become a nine?
#
# A control is needed: perhaps *any* step of this length turns some fours into nines.
# So we also take ten random directions of the same length, among the latents with a KL of 0.1 nats or more.
# (A step along an unused latent would change nothing.)
# And we vary the length: half of the step, the step, and one and a half.
# And we ask what the judge calls the fours that are only reconstructed.
#
# **Predict.** How many fours in a hundred become nines?
# How many by a random direction?
# And what does "9 − 4" do to a *zero*?

# %%
def average(digit):
    """The average code of the training images of a digit, in 40 dimensions."""
    return codes_of_training[data.y_train == digit].mean(axis=0)


def become(codes, direction, target):
    """The share of codes whose picture is the target after a step in this direction, for the judge."""
    return np.mean(judged(vae_40.decode(codes + direction))[0] == target)


codes_of_training = np.array(vae_40.encode(data.x_train)[0])
direction = average(9) - average(4)
length = np.linalg.norm(direction)
controls = rng.normal(size=(10, 40)) * (kl >= 0.1)
controls *= length / np.linalg.norm(controls, axis=1, keepdims=True)
fours, zeros = (mean_40[data.y_test == digit] for digit in (4, 0))

# %%
for digit, codes in ((4, fours), (0, zeros)):
    print(f"{digit}s, only reconstructed: called {digit} {become(codes, 0, digit):.3f}, called 9 {become(codes, 0, 9):.3f}")
print(f"length of 9 − 4: {length:.2f}; of a code, on average: {np.linalg.norm(mean_40, axis=1).mean():.2f}")
print("step    fours: called 9   random: mean   most    zeros: called 0")
for times in (0.5, 1, 1.5):
    by_chance = [become(fours, times * control, 9) for control in controls]
    nines, still_zeros = become(fours, times * direction, 9), become(zeros, times * direction, 0)
    print(f"{times:4.1f} {nines:18.3f} {np.mean(by_chance):14.3f} {max(by_chance):6.3f} {still_zeros:18.3f}")
vh.expect("share of fours that become nines", become(fours, direction, 9), at_least=0.45, at_most=0.65)

# %% alt="Five rows of ten pictures: fours; the same after the step nine minus four, many of them nines; after a random step of the same length, most still fours; zeros; zeros after the step, still zeros."
rows = [fours[:10], fours[:10] + direction, fours[:10] + controls[0], zeros[:10], zeros[:10] + direction]
vh.plot_images([vae_40.decode(row) for row in rows], ["4", "4 + (9 − 4)", "4 + random", "0", "0 + (9 − 4)"]);

# %% tags=["guard"]
vh.expect("fours called nines after the longest random step, at most", max(by_chance), at_least=0.15, at_most=0.4)
vh.expect("fours called fours before", become(fours, 0, 4), at_least=0.92)
vh.expect("zeros called zeros after 9 − 4", become(zeros, direction, 0), at_least=0.9)

# %% [markdown]
# **What you see.** The answer: with the whole step, 54 of 100 fours become nines for the judge.
# Before, it called 2 of 100 nines; after a random step, 4 on average and 12 at most.
# So the direction counts.
# The length counts too: with one and a half of the step it is 82 of 100, and 30 by the best random step.
# Of the zeros, 94 of 100 stay zeros, beside 97 that are only reconstructed; after the longer step, 89.
# The step is short beside a code: 2.08 against 5.06.
#
# Look at the sixth four: its reconstruction is hardly a four, and the step makes no nine of it.
# (The averages come from training images, the counts from test images; one model.)
#
# ## Now you: across a hole, by hand
#
# The page of lesson 02, with the model of this lesson, and with its drawing pad.
# (Where the page cannot be shown, a line that begins with `LatentExplorer(` stands in its place.)
# Find the holes A to F in it.
# Then draw a one.
# Watch where its cloud lies, and what it costs in nats.
# Add a bar to its top, a little longer with each stroke, until it is a seven.
#
# **Predict.** Will the code walk through the empty channel between the ones and the sevens, or jump over it?

# %% tags=["live"]
explorer = vh.latent_explorer(vae, data.x_test, data.y_test, data.class_names)
print("saved as", explorer.save(settings.saved(f"explorer_{data.name}.html")))
explorer

# %% [markdown]
# The next cell does the same without mouse and motion.
# It takes a test one, and makes a bar at its top longer, pixel by pixel.

# %% alt="Ten drawings above: a one whose bar at the top grows to the left, until it is a seven. Below, what the model makes of each: a one, then a broader stroke, then a smear of one and nine. Numbers above: the cost rises from 26 to 168 nats."
one = data.x_test[data.y_test == 1][0, ..., 0]
top, left = np.argwhere(one > 0)[0]
drawn = np.repeat(one[None], 10, axis=0)
for pixels_added, drawing in enumerate(drawn):
    drawing[top : top + 2, max(0, left - pixels_added) : left] = 1
drawn = drawn[..., None]
codes, log_vars = (np.array(part) for part in vae.encode(drawn))
costs = np.array(vh.bernoulli_nll(drawn, vae.decoder(codes)) + vh.gaussian_kl(codes, log_vars))
ratios = np.exp(vh.mixture_log_density(codes, *clouds) - np.array(vh.gaussian_log_prob(codes, 0.0, 0.0)))
print("mixture / prior where each code lies:", *(f"{ratio:.2f}" for ratio in ratios))
last = np.repeat(drawn[-1:], len(points), axis=0)
at_any = np.min(vh.bernoulli_nll(last, vae.decoder.predict(points, batch_size=500, verbose=0)))
at_own = vh.bernoulli_nll(drawn[-1:], vae.decoder(codes[-1:]))[0]
print(f"pixels of the last drawing: {at_own:.0f} nats at its own code, {at_any:.0f} at the cheapest code of the grid")
vh.plot_images([drawn, vae.decode(codes)], ["drawn", "decoded"], titles=[f"{cost:.0f}" for cost in costs]);

# %% alt="The map of holes with the path of the ten codes: it begins among the ones on the left, goes to the right, and stops in the blue channel."
fig, ax = plt.subplots(figsize=(7.5, 5.8))
draw_ratio(ax)
ax.plot(*codes.T, "k.-", markersize=9)
for place, shift in ((0, (-16, 12)), (9, (6, -16))):
    ax.annotate(f"{place} pixels", codes[place], shift, textcoords="offset points", weight="bold")

# %% tags=["guard"]
vh.expect("nats of the one", costs[0], at_least=20, at_most=32)
vh.expect("nats of the seven", costs[-1], at_least=155, at_most=180)
vh.expect("pixels of the seven at the cheapest code", at_any, at_least=150, at_most=170)
vh.expect("mixture / prior at the end of the path", ratios[-1], at_most=0.5)

# %% [markdown]
# **What you see.** Above the pictures stands the cost of each drawing, in nats; the map shows where its code lies.
# The first bars of one or two pixels change little.
# Then the code goes to the right, into the blue channel, and there it stops: the ratio, first 1.46 to 2.46, falls to 0.17.
# The cost rises from 26 to 168 nats, and the decoder shows a smear of one and nine.
#
# The answer: it walks into the hole, and stays.
# We read the last drawing as a seven, but the model has no good code for it: the cheapest code of the whole grid still pays 160 nats for its pixels.
# Make the bar longer, or the stem more slanted, until the code arrives among the sevens.
#
# ## To take away
#
# 1. Look at the map and the decoded plane on the same axes.
#    Linear spacing shows what is rare under the prior, quantiles what is common under it.
# 2. All clouds together are not the prior.
#    The ratio of the two shows holes, between the classes; of this model, 29 % of the new images come from places where the ratio is below ½.
#    There a judge was less certain (0.82 in place of 0.94).
# 3. Average KL = information + mismatch; here 5.6 + 0.3 nats.
#    The mismatch averages over the mixture, so it forgives holes, and new images do not.
# 4. In many dimensions, draws of the prior are nearly equally long, and the straight line between two of them is too short half-way.
#    For the judge, half-way pictures on the great circle were slightly clearer; whether the lengths are the reason, stays open.
# 5. Count, and put a control beside it: "9 − 4" made nines of 54 % of the fours, ten random steps of 4 % on average, and 94 % of the zeros stayed zeros.
#    (One model each.)
#
# **Where the ideas come from.**
# Aggregate posterior, and average KL = information + mismatch: M. Hoffman and M. Johnson, *ELBO surgery: yet another way to carve up
# the variational evidence lower bound*, NIPS workshop 2016.
# A prior that follows the mixture: J. Tomczak and M. Welling, *VAE with a VampPrior*, AISTATS 2018.
# Great circles: T. White, *Sampling generative networks*, 2016.
# Active units: Y. Burda, R. Grosse and R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016, section 5.
# Arithmetic with codes: A. Radford, L. Metz and S. Chintala, *Unsupervised representation learning with
# deep convolutional generative adversarial networks*, ICLR 2016.
#
# **Next:** lesson 06 asks what the loss wants from the code, and changes it:
# the price of a nat, a model that ignores its code, and latents that are easy to read.

# %% [markdown] sitting="side roads"
# ## Side roads · {{minutes}} min
#
# Nothing later needs these five.
# Each runs by itself when the main road has run; side road 3 also needs side road 2.
#
# ## Side road 1: the great circle
#
# *For readers who like geometry, or who will walk between codes in their own work.*
#
# With start $z_A$, end $z_B$, their lengths $\|z_A\|$ and $\|z_B\|$, and the angle $\theta$ between them, while $t$ goes from 0 to 1:
#
# $$\text{direction}(t)=\frac{\sin((1-t)\,\theta)}{\sin\theta}\,\frac{z_A}{\|z_A\|}+\frac{\sin(t\,\theta)}{\sin\theta}\,\frac{z_B}{\|z_B\|}$$
#
# $$z(t)=\big((1-t)\,\|z_A\|+t\,\|z_B\|\big)\cdot\text{direction}(t)$$
#
# ### Exercise 5.4 · Write it · 15 min
#
# Return the points for `steps` values of $t$, both ends included.
# Find $\theta$ by the scalar product: $\cos\theta=\frac{z_A\cdot z_B}{\|z_A\|\,\|z_B\|}$.
# Rounding can push this cosine a little beyond 1; `np.clip` helps.
# Where both directions are equal, $\theta$ is 0 or nearly 0, and the formula divides 0 by 0; there the straight line is right.
# Opposite directions need not work.
# (`np.linalg.norm` gives a length, `np.arccos` an angle.)

# %%
def great_circle(start, end, steps):
    """Points that turn evenly from start to end. start, end: (latent,). Returns (steps, latent)."""
    ### BEGIN SOLUTION
    t = np.linspace(0, 1, steps)[:, None]
    length_start, length_end = np.linalg.norm(start), np.linalg.norm(end)
    angle = np.arccos(np.clip(start @ end / (length_start * length_end), -1, 1))
    if angle < 1e-6:
        return (1 - t) * start + t * end
    turned = np.sin((1 - t) * angle) * start / length_start + np.sin(t * angle) * end / length_end
    return ((1 - t) * length_start + t * length_end) * turned / np.sin(angle)
    ### END SOLUTION


vh.check.great_circle(great_circle)

# %% [markdown]
# **Target:** `great_circle(np.array([2.0, 0.0]), np.array([-0.5, 1.0]), 5)[2]` is about (0.82, 1.33); the straight line has (0.75, 0.50) there.
# Both ways, by the package:

# %% alt="Two ways from (2, 0) to (−0.5, 1): a straight line that passes near the middle, and an arc around it, with five points each."
fig, ax = plt.subplots(figsize=(6, 3))
for way, style in ((vh.straight_line, "o-"), (vh.great_circle, "s--")):
    ax.plot(*way(np.array([2.0, 0.0]), np.array([-0.5, 1.0]), 5).T, style, label=way.__name__.replace("_", " "))
ax.plot(0, 0, "k+", markersize=12)
ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", ylim=(-0.3, 1.7), yticks=[0, 0.5, 1, 1.5])
ax.legend();

# %% [markdown]
# **What you see.** The straight line passes near the middle, the cross.
# The great circle goes around it, by equal angles.
#
# ## Side road 2: what is near what?
#
# *For readers who search by codes, for example for similar pictures.*
#
# Which space says best which images are alike: the pixels, or the codes?
# We take 1,000 test images, and look for the nearest other test image of each: is it of the same class?
#
# **Predict.** The order of three spaces: 784 pixels, 2 latents, 40 latents.

# %%
def nearest(space, asked, k):
    """The numbers of the k nearest other images of each image that is asked for, by distance in this space."""
    return NearestNeighbors(n_neighbors=k + 1).fit(space).kneighbors(space[asked])[1][:, 1:]


asked = np.arange(1000)[: len(mean)]
pixels = data.x_test.reshape(len(data.x_test), -1)
spaces = {"784 pixels": pixels, "2 latents": mean, "40 latents": mean_40}
found = {name: nearest(space, asked, 4) for name, space in spaces.items()}
same = {name: data.y_test[near[:, 0]] == data.y_test[asked] for name, near in found.items()}
for name, hits in same.items():
    print(f"{name:10s} nearest image of the same class: {with_error(hits)}")
print(f"40 latents minus pixels, image by image: {with_error(same['40 latents'] * 1.0 - same['784 pixels'])}")

# %% [markdown]
# And three hard cases, the first ones in which the nearest image by pixels is of another class.
# Above each picture stands its label.

# %% alt="Three rows: a test image, its four nearest images by pixels, and its four nearest by code, each with its label above. A five: by pixels 4, 5, 6, 5, by code 5, 9, 8, 5. A thin two: by pixels four ones, by code four twos. A four: by pixels 9, 4, 4, 4, by code four fours."
hard = asked[~same["784 pixels"]][:3]
fig, axes = plt.subplots(3, 1, figsize=(9, 4.8))
for i, ax in zip(hard, axes):
    shown = [i, *found["784 pixels"][i], *found["40 latents"][i]]
    kinds = ["image", *["pixels"] * 4, *["code"] * 4]
    vh.plot_images(data.x_test[shown], titles=[f"{kind}: {data.y_test[j]}" for kind, j in zip(kinds, shown)], ax=ax)

# %% tags=["guard"]
for name, share in {"784 pixels": 0.907, "2 latents": 0.51, "40 latents": 0.933}.items():
    vh.expect(f"same class nearby, {name}", same[name].mean(), at_least=share - 0.02, at_most=share + 0.02)

# %% [markdown]
# **What you see.** The answer: 40 latents (0.933), then the pixels (0.907), and far behind the two latents (0.510).
# The difference of the first two is 0.026 ± 0.008, image by image: more than chance, for this one model.
#
# The three cases were chosen because the pixels fail, so they flatter the codes.
# By pixels, the second image, a thin two, is near four ones: few white pixels, at the same places.
# By code, all its neighbours are twos.
# The first image is hard for both: among its neighbours by code are a nine and an eight.
# The third, a four, is near a nine by pixels; by code, all its neighbours are fours.
# Distance in pixels asks whether the same pixels are white; distance in codes asks whether the encoder gives similar codes.
# Neither is "the true similarity".
#
# ## Side road 3: forty dimensions in a plane
#
# *For readers who have seen, or will draw, a picture of many latents in two.*
#
# A picture has two axes.
# PCA (lesson 01) finds the two directions along which the codes differ most.

# %% alt="A map of the 40-dimensional codes along their first two principal directions, in ten colours: the classes overlap strongly; threes, fives and eights lie at the top, ones, sevens and nines below, zeros and sixes on the right."
pca = PCA(2).fit(mean_40)
shadows = pca.transform(mean_40)
ax = vh.plot_latent_scatter(shadows, data.y_test, data.class_names)
ax.set(xlabel="first direction", ylabel="second direction")
away = np.linalg.norm(mean_40 - pca.inverse_transform(shadows), axis=1)
same_in_picture = data.y_test[nearest(shadows, asked, 1)[:, 0]] == data.y_test[asked]
print(f"share of the variance in the picture: {pca.explained_variance_ratio_.sum():.2f}")
print(f"average distance of a code from the plane: {away.mean():.1f}")
print(f"nearest dot of the same class: {with_error(same_in_picture)}; in all 40 latents: {with_error(same['40 latents'])}")

# %% tags=["guard"]
vh.expect("share of the variance in the picture", pca.explained_variance_ratio_.sum(), at_least=0.1, at_most=0.17)
vh.expect("nearest dot of the same class", same_in_picture.mean(), at_least=0.18, at_most=0.3)

# %% [markdown]
# **What you see.** In the picture the classes overlap strongly: the nearest dot is of the same class for only 24 % of the images.
# In all 40 latents it is 93 %.
# The dots are *shadows*: each code differs from its dot in 38 other directions, on average by 4.7, nearly its whole length.
# The picture leaves out 87 % of the variance.
# So do not conclude from such a picture that classes are mixed, nor, from another one, that they are separate.
#
# **And the axes themselves?**
# We move one image, a seven, along three of them.

# %% alt="Three rows of ten decoded pictures of a seven. Rows one and two, the two most used latents: the digit changes its shape. Row three, the least used latent: nothing changes."
values = np.linspace(-2.5, 2.5, 10)
rows = []
for latent in (order[0], order[1], order[-1]):
    moved = np.repeat(mean_40[:1], 10, axis=0)
    moved[:, latent] = values
    rows.append(vae_40.decode(moved))
vh.plot_images(rows, ["most used", "second", "least used"], titles=[f"{v:.1f}" for v in values]);

# %% [markdown]
# **What you see.** The most used latents change the shape, several properties at once.
# The least used one changes nothing.
#
# Are these the right axes?
# Turn the whole code space, by any rotation: the density of the prior depends on the length of $z$ only, and a rotation changes no length.
# So the prior does not say which axes are right.
# In lesson 03, side road, the same held for the likelihood of a linear VAE, which is probabilistic PCA.
# There it was the form of the clouds, ellipses along the axes, that made the axes the principal directions.
# In a VAE with networks this pull exists too (Rolínek and others, 2019), but nothing makes an axis *one property* of the picture (Locatello and others, 2019).
# So do not call a latent "width" or "smile" before you have counted.
#
# (M. Rolínek, D. Zietlow and G. Martius, *Variational autoencoders pursue PCA directions (by accident)*, CVPR 2019;
# F. Locatello and others, *Challenging common assumptions in the unsupervised learning of disentangled representations*, ICML 2019.)
#
# ## Side road 4: a walk along a closed loop
#
# *For your eyes: a film without an end.*
#
# A circle around the middle of the plane, decoded in one call.

# %% alt="A film: one digit becomes the next, along a closed loop, without a jump."
angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
loop = 1.2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
walk = vae.decode(loop)
path = vh.save_gif(walk, settings.saved("walk.gif"), frame_ms=100, last_ms=100)  # no pause: it has no end
vh.show_gif(path, scale=6, alt="One digit becomes the next, along a closed loop.")

# %% alt="Left, the map of holes with the loop on it, a circle of radius 1.2 that starts on the right. Right, every third picture of the walk, in four rows of five: two, six, zero, smears, one, nine, three."
fig, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), width_ratios=[1.2, 1.3])
draw_ratio(axes[0])
axes[0].plot(*np.vstack([loop, loop[:1]]).T, "k-", linewidth=2)
axes[0].plot(*loop[0], "ko", markersize=8)
vh.plot_images(walk[::3], columns=5, ax=axes[1])
axes[1].set_title("every third picture, row by row");

# %% [markdown]
# **What you see.** The film, and below it the same without motion: the way on the map, from the dot on the right counter-clockwise, and every third picture.
# The walk passes twos, sixes and zeros, then the empty corner between zeros and ones, where the pictures are smears.
# It goes on through the channel between ones and nines, then nines, and comes back by threes.
# It never jumps: the decoder is a smooth function, also where it was hardly trained.
#
# ## Side road 5
#
# ### Exercise 5.5 · Change it, and explain · 10 min
#
# *For readers who want to try more.*
# No check, only your own eyes.
# (Lines at the end that compare figures were written for the numbers in the lesson; they may say OFF.)
#
# 1. In the cell with `loop = 1.2 * …`, change the radius to 0.3, and to 3.
#    What do you see less of, and why?
# 2. Do arithmetic with "3 minus 8", for all eights, and with "1 minus 0", for all zeros: `become(mean_40[data.y_test == 8], average(3) - average(8), 3)`.
#    Compare with random directions of the same length.
#
# <details><summary>Open the answers when you have tried</summary>
#
# 1. With 0.3, all pictures are blurred threes, fives and eights, for the walk stays in the crowded middle.
#    With 3, there are clear zeros, ones and nines, and broken shapes between them; twos, threes, fours, fives and eights are missing.
#    The prior hardly draws out there: 1 % of its draws are farther than 3 from the middle.
#    So a clear picture and a probable code are two different things.
# 2. "3 − 8" turns 68 % of the eights into threes, the best random step 17 %.
#    "1 − 0" turns 84 % of the zeros into ones, the best random step a few in a hundred at most.
#    So it works for far classes, too; this step is longer.
#
# </details>

# %% tags=["guard"]
for source, target, low, high, by_chance in ((8, 3, 0.62, 0.74, 0.2), (0, 1, 0.78, 0.9, 0.06)):
    from_codes, step_to = mean_40[data.y_test == source], average(target) - average(source)
    random_steps = controls * np.linalg.norm(step_to) / length
    at_chance = [become(from_codes, random_step, target) for random_step in random_steps]
    vh.expect(f"{source} becomes {target}", become(from_codes, step_to, target), at_least=low, at_most=high)
    vh.expect(f"{source} becomes {target} by a random step, at most", max(at_chance), at_most=by_chance)

# %%
vh.figures_compared()
