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
# You walk through the latent plane of a trained VAE: what lies where, what the empty places hold,
# how to get from one image to another, and what changes with more than two latents.
#
# **Time:** about 1 minute of computing on two cores (not measured yet on a Colab GPU), and 50 minutes of reading and thinking.
#
# **You will be able to**
#
# - read a map of codes and a grid of decoded images *together*, and say what each way of spacing the grid hides;
# - compare the mixture of all clouds with the prior, and look for holes;
# - interpolate along straight lines and great circles, and say when it matters;
# - do arithmetic with codes, and know its limits;
# - find out which latents a model uses.
#
# **You need** lessons 02 to 04 (cloud, prior, KL, ELBO, decoder).

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
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=6, grid=20)
data = vh.load_images("mnist", binarize="threshold")
rng = np.random.default_rng(0)

# %% [markdown]
# ## The model
#
# Lesson 04 saved its model.
# (On Colab it is there only if you ran lesson 04 in the same runtime.)
# If the file is there, we load it; if not, we train a VAE with dense layers now,
# which takes about half a minute; your map then differs from the stored pictures.

# %%
path = settings.saved(f"conv_vae_{data.name}.keras")
if path.exists():
    vae = keras.models.load_model(path)
    print("loaded the convolutional VAE of lesson 04")
else:
    print(f"no {path}: training a VAE with dense layers instead")
    vae = vh.VAE(vh.mlp_encoder(data.image_shape, 2), vh.mlp_decoder(data.image_shape, 2))
    vae.compile(keras.optimizers.Adam(1e-3))
    vae.fit(data.x_train, epochs=settings.epochs, batch_size=128, verbose=2)

test = vae.evaluate(data.x_test, batch_size=500, verbose=0, return_dict=True)
vh.expect("test ELBO, nats per image", -test["loss"], at_least=-153)

# %% [markdown]
# ## Map and pictures, on the same axes
#
# Two views of one plane: where the encoder puts the test images, and what the decoder draws.
# To compare them, both must show the same range.
# And there are two ways to choose the places of the tiles:
#
# - **linear spacing**: the same distance between all neighbours, here over the range from −3 to 3;
# - **quantiles of the prior**: the same share of the prior between all neighbours, here from the 5 % to the 95 % quantile.
#
# Five positions of each kind:

# %% tags=["nbval-check-output"]
for spacing in ("linear", "quantile"):
    print(f"{spacing:9s}", *(f"{z + 0:5.2f}" for z in vh.latent_grid(5, spacing, limit=3).round(2)))

# %% [markdown]
# To decode a plane, we need the list of all codes, in the order in which a picture is filled.
#
# ### Exercise 5.1 · The codes of a picture
#
# You get the positions along one axis, rising, for example `[-2, 0, 2]`.
# Return the codes of all n · n tiles as an array with one row for each tile, picture row by picture row, from the top left to the bottom right.
# The first latent runs to the right.
# The second runs *upward*, as in every plot of this course, but row 0 of a picture is its *top*.
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
# The picture in the middle of the next figure is filled in this order, by `vh.plot_manifold`.
#
# **Predict.** Which classes will the quantile picture hide?
# Which will the linear picture make look more common than they are?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The quantile picture hides what lies outside the middle 90 % of a latent, so it hides most of the classes at the rim of the map; the list below names them.
# The linear picture gives the rim far more room than the prior does:
# about 70 % of its area lies outside these middle parts, and only 19 % of the prior ($1-0.9^2$).
# So these classes look more common than they are.
#
# </details>

# %%
mean, log_var = (np.array(part) for part in vae.encode(data.x_test))
fig, axes = plt.subplots(1, 3, figsize=(14, 4.8))
vh.plot_latent_scatter(mean, data.y_test, data.class_names, limit=3, ax=axes[0])
axes[0].legend_.remove()
axes[0].set_title("codes of the test images")
vh.plot_manifold(vae, n=settings.grid, limit=3, ax=axes[1])
axes[1].set_title("decoded, linear spacing")
vh.plot_manifold(vae, n=settings.grid, spacing="quantile", ax=axes[2])
axes[2].set_title("decoded, quantiles of the prior");

# %%
edge = 1.645  # the 95 % quantile of N(0, 1)
outside = np.abs(mean).max(axis=1) > edge
for c in np.unique(data.y_test):
    print(f"digit {c}: {np.mean(outside[data.y_test == c]):.2f} of the codes lie outside the quantile picture")
vh.expect("share outside, all classes (prior: 0.19)", outside.mean(), at_least=0.05)

# %% [markdown]
# **What you see.** Left and middle show the same square: where the map has ones, the decoder draws ones.
# The right picture is the part from −1.6 to 1.6, stretched in the middle.
# It gives each tile the same share of the prior, so common images take more room;
# but it cuts off everything outside, and for some digits (see the list) that is a large share.
# The linear picture shows these outer regions, but gives them far more room than they deserve: most of its border is hardly ever drawn from the prior.
#
# ## Do the clouds fill the prior?
#
# New images are drawn from the prior.
# The decoder was trained on draws from the clouds.
# So the question is whether the **mixture of all clouds**, also called the *aggregate posterior*, looks like the prior.
# We draw one code from the cloud of each test image, and as many from the prior.
#
# **Predict.** The KL of each image pulls its cloud towards the prior.
# Will the mixture of the clouds be the prior?
#
# <details><summary>Open the answer when you have decided</summary>
#
# No. The average KL does contain a penalty for the mismatch (the formula below), but training balances it against the reconstruction.
# The mixture comes near the prior, but with ridges where classes crowd, and with thin places.
#
# </details>

# %%
clouds = np.array(vae.reparameterize(mean, log_var))
prior = rng.normal(size=clouds.shape)
fig, axes = plt.subplots(1, 2, figsize=(10, 4.8), sharex=True, sharey=True)
for ax, codes, title in ((axes[0], clouds, "one draw from each cloud"), (axes[1], prior, "draws from the prior")):
    picture = ax.hist2d(*codes.T, bins=60, range=[[-3.5, 3.5]] * 2, cmap="Greys", vmin=0, vmax=40)
    ax.set(title=title, xlabel="$z_1$", aspect="equal")
    ax.grid(False)
axes[0].set_ylabel("$z_2$")
fig.colorbar(picture[-1], ax=axes, label="codes per cell", shrink=0.8);

# %% [markdown]
# **What you see.** Right, the prior: dense in the middle, thin outside, the same in all directions.
# Left, the mixture: it has dark spots and ridges where classes crowd, and pale areas, for example for 0, 1 and 6.
# The KL of each cloud is not enough to make the mixture equal to the prior.
#
# The average KL that training reports consists of two parts (Hoffman and Johnson, 2016):
#
# $$\text{average KL}=\underbrace{\text{information of the code about the image}}_{\text{wanted}}
# +\underbrace{\mathrm{KL}(\text{mixture}\,\|\,\text{prior})}_{\text{mismatch}}$$
#
# *Information* here means: how many nats the code saves, on average, when you must describe the image (its name is *mutual information*).
# How large is the mismatch?
# In two dimensions we can count: the share of the mixture in each cell of a grid, against the share of the prior.

# %%
from statistics import NormalDist

edges = np.linspace(-4, 4, 21)
side = np.diff([NormalDist().cdf(e) for e in edges])  # the prior's share of each strip
prior_share = np.outer(side, side)


def mismatch(codes):
    """KL(histogram of the codes ‖ prior) over the cells, in nats."""
    counts, _, _ = np.histogram2d(*codes.T, bins=edges)
    share, full = counts / counts.sum(), counts > 0
    return np.sum(share[full] * np.log(share[full] / prior_share[full]))


train = vae.predict(data.x_train[:20_000], batch_size=500, verbose=0)
train_clouds = np.array(vae.reparameterize(train["mean"], train["log_var"]))
average_kl = float(np.mean(vh.gaussian_kl(train["mean"], train["log_var"])))
print(f"average KL {average_kl:.2f} nats, of which mismatch {mismatch(train_clouds):.2f}")
print(f"the same count for draws from the prior itself: {mismatch(rng.normal(size=train_clouds.shape)):.2f}")
vh.expect("mismatch, nats", mismatch(train_clouds), at_least=0.05, at_most=1.0)

# %% [markdown]
# **What you see.** Most of the KL is information about the image; the mismatch is the smaller part.
# The count is not exact, but draws from the prior itself give nearly 0, as they should.
#
# What does the decoder draw where the mixture is thin?
# We take the prior draws that are farthest from all codes.

# %%
neighbours = NearestNeighbors(n_neighbors=1).fit(train_clouds)
distances = neighbours.kneighbors(prior)[0][:, 0]
lonely = prior[np.argsort(distances)[::-1]]
lonely = lonely[np.abs(lonely).max(axis=1) < 2.5][:10]  # the emptiest places that are not simply far out
vh.plot_images([vae.decode(lonely), vae.decode(prior[:10])], ["emptiest places", "any prior draws"]);

# %% [markdown]
# **What you see.** First row: the images at the emptiest places that still lie inside the map.
# Second row: codes drawn from the prior, decoded (all decoded pictures here are pixel means, not draws).
# Compare the two rows: are the pictures of the first row worse?
# In the stored run they are even clearer.
# The emptiest places lie in the thin outer regions, for example of the ones, and not in holes between classes: inside the map, no place is far from a code.

# %%
inside = np.abs(prior).max(axis=1) < 2.5
vh.expect("largest distance from a prior draw inside to a code", distances[inside].max(), at_most=1.0)

# %% [markdown]
# ## From one image to another
#
# To walk from image A to image B, encode both and decode the codes between them.
# In a plane, the straight line is the natural way:

# %%
first, second = (mean[data.y_test == c][0] for c in (1, 0))
vh.plot_images(vae.decode(vh.straight_line(first, second)), title="a straight line from a 1 to a 0");

# %% [markdown]
# **What you see.** The one becomes other digits on its way, whatever lies on the line.
# Each step is small, so neighbours in the row are alike.
#
# With many latents there is a catch.
# A draw from $\mathcal N(0, I)$ in $d$ dimensions has a length near $\sqrt d$, and in high dimensions hardly ever much less.
# So nearly all draws lie near a *sphere*.
# The straight line between two of them cuts through the inside of the sphere, where few draws lie.
# The alternative is the **great circle**: turn from one direction to the other, and let the length go evenly from that of the start to that of the end.
# With start $z_A$, end $z_B$, their lengths $\|z_A\|$ and $\|z_B\|$, and the angle $\theta$ between them, while $t$ goes from 0 to 1:
#
# $$\text{direction}(t)=\frac{\sin((1-t)\,\theta)}{\sin\theta}\,\frac{z_A}{\|z_A\|}+\frac{\sin(t\,\theta)}{\sin\theta}\,\frac{z_B}{\|z_B\|}$$
#
# $$z(t)=\big((1-t)\,\|z_A\|+t\,\|z_B\|\big)\cdot\text{direction}(t)$$
#
# ### Exercise 5.2 · The great circle
#
# Write it, for `steps` values of $t$ with both ends included.
# Find $\theta$ by the scalar product: $\cos\theta=\frac{z_A\cdot z_B}{\|z_A\|\,\|z_B\|}$.
# Rounding can push this cosine a little beyond 1; `np.clip` helps.
# Take care of one case: where both directions are equal, $\theta$ is 0 or nearly 0, and the formula divides 0 by 0; there the straight line is right.
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
    direction = np.sin((1 - t) * angle) * start / length_start + np.sin(t * angle) * end / length_end
    return ((1 - t) * length_start + t * length_end) * direction / np.sin(angle)
    ### END SOLUTION


vh.check.great_circle(great_circle)

# %% [markdown]
# From here on the lesson uses `vh.great_circle`.
# **Target:** `great_circle(np.array([2.0, 0.0]), np.array([-0.5, 1.0]), 5)[2]` is about (0.82, 1.33); the straight line has (0.75, 0.50) there.
# Both ways, by the package:

# %%
fig, ax = plt.subplots(figsize=(6, 3))
for way, style in ((vh.straight_line, "o-"), (vh.great_circle, "s--")):
    points = way(np.array([2.0, 0.0]), np.array([-0.5, 1.0]), 5)
    ax.plot(*points.T, style, label=way.__name__.replace("_", " "))
ax.plot(0, 0, "k+", markersize=12)
ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", ylim=(-0.3, 1.7), title="Turn evenly, and change the length evenly")
ax.legend();

# %% [markdown]
# **What you see.** The straight line passes near the origin (the cross).
# The great circle goes around it, in equal angles.
#
# **Predict.** By how much does the straight line shorten the code at its middle: in 2 dimensions, in 20, in 200?

# %%
fig, ax = plt.subplots(figsize=(7.5, 3.4))
for d, color in ((2, "C2"), (20, "C0"), (200, "C1")):
    pairs = rng.normal(size=(500, 2, d))
    for way, style in ((vh.straight_line, "-"), (vh.great_circle, "--")):
        norms = np.mean([np.linalg.norm(way(a, b, 21), axis=1) for a, b in pairs], axis=0)
        label = f"{d} latents, {way.__name__.replace('_', ' ')}"
        ax.plot(np.linspace(0, 1, 21), norms / np.sqrt(d), style, color=color, label=label)
ax.set(xlabel="position on the path, t", ylabel="length / √d", title="A straight line loses length")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=10);

# %% [markdown]
# **What you see.** Averages over 500 pairs of prior draws.
# The great circle (dashed) keeps the length.
# The straight line loses length in the middle, about 30 % in high dimensions, because two random directions are nearly at a right angle:
# the point half-way between two vectors at a right angle is $1/\sqrt2\approx0.71$ as long as each.
# In 2 latents it also loses length, but there short codes are common.
# Is 30 % much?

# %%
for d in (2, 20, 200):
    lengths = np.linalg.norm(rng.normal(size=(20_000, d)), axis=1)
    middle = np.sqrt(d / 2)  # the middle between two draws at a right angle
    shorter = np.mean(lengths < middle)
    print(f"{d:3d} latents: length {lengths.mean():5.2f} ± {lengths.std():.2f};", end=" ")
    print(f"{shorter:.4f} of the draws are shorter than the middle of a line")
vh.expect("200 latents: share shorter than the middle", shorter, at_most=0.001, everywhere=True)

# %% [markdown]
# **What you see.** In 2 latents, a large share of all draws is shorter than the middle of a line; in 20 latents very few; in 200 latents none.
# So in high dimensions the straight line leaves the region of the prior.
# Does the decoder care?
# Ask it.
#
# ## More than two latents
#
# We train a VAE with 20 latents, and walk on both paths: between two test images, and between two draws from the prior.
# (Half a minute.)

# %%
keras.utils.set_random_seed(settings.seed)
vae_20 = vh.VAE(vh.mlp_encoder(data.image_shape, 20), vh.mlp_decoder(data.image_shape, 20))
vae_20.compile(keras.optimizers.Adam(1e-3))
vae_20.fit(data.x_train, epochs=settings.epochs, batch_size=128, verbose=2)
mean_20, log_var_20 = (np.array(part) for part in vae_20.encode(data.x_test))

# %%
images = [mean_20[data.y_test == c][0] for c in (1, 0)]
draws = rng.normal(size=(2, 20))
ends = {"images": images, "prior draws": draws}
rows, titles = [], []
for name, (start, end) in ends.items():
    for way, label in ((vh.straight_line, "line"), (vh.great_circle, "circle")):
        z = way(start, end)
        rows.append(vae_20.decode(z))
        titles.append(f"{name}, {label}")
        lengths = np.linalg.norm(z, axis=1)
        print(f"{titles[-1]:20s} length from {lengths.min():.2f} to {lengths.max():.2f}")
vh.plot_images(rows, titles);

# %% [markdown]
# **What you see.** Rows one and two begin and end with the same images, and so do rows three and four.
# Compare the middle of each pair, and the lengths above.
# Between the images, the two paths pass through other shapes; both are fainter in the middle, the line more.
# The two prior draws are less clear to begin with (one possible reason is the mismatch of lesson 02), and stay so on both paths.
# So the length alone does not decide what a picture looks like.
# So use the great circle where codes should look like prior draws all the way, and do not expect wonders.
#
# ### Which latents are used?
#
# The model has 20 latents.
# Does it use them all?
# Two measures: the **KL of each latent**, averaged over images, in nats; and whether a latent is **active**:
# the mean of the cloud is one number for each image, and these numbers vary over the images
# with a variance above 0.01 (the threshold of Burda and others, 2016).
#
# ### Exercise 5.3 · Which latents are active?
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
# **Target:** `active_latents(mean_20, 0.01).sum()` is the number in the title of the next figure.

# %%
kl = vh.kl_per_dimension(vae_20, data.x_test)
active = vh.active_units(vae_20, data.x_test)
order = np.argsort(kl)[::-1]
fig, ax = plt.subplots(figsize=(7.5, 3.2))
ax.bar(np.arange(20), kl[order], color=np.where(active[order], "C0", "C1"))
ax.set(xlabel="latents, sorted", ylabel="KL in nats", title=f"{active.sum()} of 20 latents are active")
ax.set_xticks(np.arange(20), [str(i) for i in order], fontsize=9)
ax.grid(axis="x", visible=False);

# %%
total = float(np.mean(vh.gaussian_kl(mean_20, log_var_20)))
vh.expect("sum of the bars minus the KL", abs(kl.sum() - total), at_most=1e-2, everywhere=True)
vh.expect("active latents", active.sum(), at_least=8, at_most=20)
test_20 = vae_20.evaluate(data.x_test, verbose=0, return_dict=True)
vh.expect("test ELBO with 20 latents", -test_20["loss"], at_least=-95)

# %% [markdown]
# **What you see.** Each bar is one latent; orange ones, if there are any, are not active.
# A latent that does not save more than it costs is left at the prior: its KL is 0, and the decoder learns to ignore it.
# (A bar near 0 can still count as active: the threshold is low.)
# Another seed or a longer training can change how many are used.
#
# What does one latent do?
# We take one image, and change one latent while the others stay.
# First two rows: the two most used latents.
# Last row: the least used one.

# %%
def vary(latent, codes, values):
    moved = np.repeat(codes, len(values), axis=0)
    moved[:, latent] = values
    return vae_20.decode(moved)


values = np.linspace(-2.5, 2.5, 10)
image_code = mean_20[:1]
rows = [vary(order[i], image_code, values) for i in (0, 1, 19)]
vh.plot_images(rows, [f"latent {order[i]}" for i in (0, 1, 19)], titles=[f"{v:.1f}" for v in values]);

# %% [markdown]
# **What you see.** The most used latents change the shape, several properties at once.
# The least used one changes little or nothing.
# Do not give the latents names such as "width": turning the whole code space changes nothing in the prior, and another seed may give other axes.
# (They are not quite free: our clouds are ellipses along the axes, which favours some directions over others; see Rolínek and others, 2019.
# But nothing makes an axis one property of the picture.)
#
# ### Seeing 20 dimensions in a plane
#
# A scatter plot has two axes.
# PCA (lesson 01) finds the two directions along which the codes differ most:

# %%
pca = PCA(2).fit(mean_20)
vh.plot_latent_scatter(pca.transform(mean_20), data.y_test, data.class_names)
share = pca.explained_variance_ratio_.sum()
plt.title(f"Two of many directions: {100 * share:.0f} % of the variance")
plt.gca().set(xlabel="first direction", ylabel="second direction");

# %%
def same_class_nearby(codes):
    """The share of images whose nearest other code belongs to the same class."""
    _, indices = NearestNeighbors(n_neighbors=2).fit(codes).kneighbors(codes)
    return np.mean(data.y_test[indices[:, 1]] == data.y_test)


pixels = data.x_test.reshape(len(data.x_test), -1)
spaces = {
    "the picture above (PCA)": pca.transform(mean_20),
    "2 latents": mean,
    "20 latents": mean_20,
    "784 pixels": pixels,
}
shares = {name: same_class_nearby(codes) for name, codes in spaces.items()}
for name, value in shares.items():
    print(f"{name:24s} nearest neighbour has the same class: {value:.3f}")

# %%
vh.expect("same class nearby, 20 latents", shares["20 latents"], at_least=0.93)
vh.expect("20 latents minus picture", shares["20 latents"] - shares["the picture above (PCA)"], at_least=0.2)
vh.expect("variance in the picture", share, at_most=0.5)

# %% [markdown]
# **What you see.** In the picture the classes overlap strongly.
# But the printed list shows that in all 20 latents, nearly every image has a neighbour of its own class.
# The overlap comes from showing only two of the directions, with a small part of the variance.
# (Look also at the pixels themselves: for finding neighbours of the same class, 784 pixels are about as good as 20 latents, and two latents are much worse.)
# So do not conclude from such a picture that classes are mixed, nor, from another one, that they are separate.
#
# ## What is near what?
#
# For three test images: the nearest other images, by pixels and by code.

# %%
def nearest(space, i, k=4):
    distances = np.linalg.norm(space - space[i], axis=1)
    return np.argsort(distances)[1 : k + 1]


chosen = [8, 18, 33]
rows = [
    np.concatenate([data.x_test[[i]], data.x_test[nearest(pixels, i)], data.x_test[nearest(mean_20, i)]])
    for i in chosen
]
columns = ["image", *["pixels"] * 4, *["code"] * 4]
vh.plot_images(rows, titles=columns);

# %% [markdown]
# **What you see.** Left the image, then its four nearest images by pixels, then by code.
# In row two both find threes.
# In row three the pixels bring zeros and a six, the codes mostly fours.
# (Three chosen images are no count.)
# Distance in pixels asks whether the same pixels are white; distance in codes asks whether the encoder gives them similar codes.
# Neither is "the true similarity".
#
# ## Arithmetic with codes
#
# The difference between the average code of one class and that of another is a direction.
# Add it to the code of an image of the second class.
# Does it become an image of the first?
#
# **Predict.** We add "average 9 minus average 4" to ten different fours.
# How many become nines?
# And what will the same direction do to a *zero*?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Most fours become nines: the count below takes all test fours.
# To a zero the same direction does something, too, but nothing that deserves a name: it was measured between fours and nines, and says nothing about zeros.
#
# </details>

# %%
labels_train = data.y_train[:20_000]
codes_train = vae_20.predict(data.x_train[:20_000], batch_size=1000, verbose=0)["mean"]


def average(digit):
    return codes_train[labels_train == digit].mean(axis=0)


direction = average(9) - average(4)
fours, zeros = (np.flatnonzero(data.y_test == c)[:10] for c in (4, 0))
rows = [
    data.x_test[fours],
    vae_20.decode(mean_20[fours] + direction),
    data.x_test[zeros],
    vae_20.decode(mean_20[zeros] + direction),
]
vh.plot_images(rows, ["4", "4 + (9 − 4)", "0", "0 + (9 − 4)"]);

# %%
def flat(images):
    return (images > 0.5).reshape(len(images), -1).astype("float32")


judge = NearestNeighbors(n_neighbors=15).fit(flat(data.x_train[:20_000]))


def judged(images):
    """The class of most of the 15 nearest training images, by pixels."""
    _, indices = judge.kneighbors(flat(images))
    return np.array([np.bincount(labels, minlength=10).argmax() for labels in labels_train[indices]])


all_fours = mean_20[data.y_test == 4]
before = np.mean(judged(vae_20.decode(all_fours)) == 9)
after = np.mean(judged(vae_20.decode(all_fours + direction)) == 9)
print(f"of all test fours, judged as nines: before {before:.2f}, after {after:.2f}")
vh.expect("fours that become nines", after, at_least=0.6)

# %% [markdown]
# **What you see.** Most fours become nines, and keep something of their slant.
# (The direction comes from training images.
# The judge of the count is the class of the nearest training images, by pixels, so it does not use the model.)
# To a zero, the same direction does something, but nothing that deserves a name: it was measured between fours and nines.
# Four and nine are neighbours, also on the map of the model with two latents.
# A few chosen examples prove little: count, as above.
#
# ## A walk along a closed loop
#
# Back to two latents, for a film: a circle around the middle of the plane, decoded in one call, played without end.

# %%
import tempfile
from pathlib import Path

angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
loop = 1.2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
walk = vae.decode(loop)
with tempfile.TemporaryDirectory() as folder:
    path = vh.save_gif(walk, Path(folder) / "walk.gif", frame_ms=100, last_ms=100)  # no pause: it has no end
    vh.expect("size of the GIF, MB", path.stat().st_size / 1e6, at_most=1, everywhere=True)
    film = vh.show_gif(path, scale=6, alt="one digit becomes the next, along a closed loop")
film

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.4), width_ratios=[1, 1.4])
vh.plot_latent_scatter(mean, data.y_test, data.class_names, limit=3, ax=axes[0])
axes[0].legend_.remove()
axes[0].plot(*np.vstack([loop, loop[:1]]).T, "k-", linewidth=2)
axes[0].plot(*loop[0], "ko", markersize=8)
vh.plot_images(walk[::3], columns=5, ax=axes[1])
axes[1].set_title("every third picture of the walk, row by row");

# %% [markdown]
# **What you see.** The film, and below it the same without motion:
# the way on the map (the dot is the start; the walk goes counter-clockwise), and every third picture.
# The walk passes through the regions that the map shows, one after the other, and comes back to its start without a jump.
#
# ## Now you
#
# The page of lesson 04, for the model of this lesson: now you know what to look for.
# Find the borders between the classes.
# Walk around the middle, as the film did.
# Look for a place far from all dots: is its picture blurred?
# Compare with the row "emptiest places".

# %% tags=["live"]
explorer = vh.latent_explorer(vae, data.x_test, data.y_test, data.class_names)
print("saved as", explorer.save(settings.saved(f"explorer_{data.name}.html")))
explorer

# %% [markdown]
# **What you see.** Where you run the cell: the explorer.
# Its content without motion is the first figure of this lesson: the dots on its left, and the pictures behind them in its middle.
# For the model with 20 latents, the page shows a plane: here that of PCA; `plane=(3, 7)` would take two of the latents, with the others at 0.

# %% tags=["live"]
vh.latent_explorer(vae_20, data.x_test, data.y_test, data.class_names, plane="pca")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 5))
vh.plot_latent_scatter(pca.transform(mean_20), data.y_test, data.class_names, limit=4, ax=axes[0])
axes[0].legend_.remove()
axes[0].set(title="20 latents: the dots in the plane of PCA", xlabel="first direction", ylabel="second direction")
across, up = np.meshgrid(np.linspace(-4, 4, 12), np.linspace(4, -4, 12))
plane = pca.inverse_transform(np.stack([across.ravel(), up.ravel()], axis=1))
vh.plot_images(vae_20.decode(plane), columns=12, ax=axes[1])
axes[1].set_title("what the decoder draws in this plane")
away = np.linalg.norm(mean_20 - pca.inverse_transform(pca.transform(mean_20)), axis=1)
vh.expect("mean distance of a code from the plane", away.mean(), at_least=2);

# %% [markdown]
# **What you see.** The plane through the middle of the codes along their first two principal directions.
# The dots are *projections*: each code differs from its dot in 18 other directions, and the line below the figure says by how much, on average.
# So the picture at a dot's place is not the picture of its image.
# Near the middle the pictures are blurred; farther out they are sharper, but many are no digits: hardly any code lies in the plane itself.
#
# ## Exercise 5.4 · Change it, and explain
#
# Here you have no check but your own eyes.
# (`vh.expect` compares with the numbers in the lesson.
# When you change something, it may say OFF.)
#
# **First:** in the cell with `loop = 1.2 * …`, change the radius to 0.3, and to 3.
# What do you see less of, and why?
#
# <details><summary>Open the answer when you have tried</summary>
#
# When we ran it, with the model of lesson 04: with 0.3, all pictures are threes, eights, or blends of them,
# because the walk stays in the middle, where most classes are neighbours; all the others are missing.
# With 3, the pictures are clear zeros, sevens, ones and sixes, with broken shapes only between two of them;
# twos, threes, fours, fives, eights and nines are missing.
# But the prior hardly ever draws from out there (1 % of its draws are farther than 3 from the origin).
# So a clear picture and a likely code are two different things.
#
# </details>
#
# **Then:**
#
# - Walk between ten other pairs of prior draws, `rng.normal(size=(2, 20))`.
#   Compare pictures 5 and 6 of both paths.
#   Can you find a pair where they differ clearly?
# - Do arithmetic with "3 minus 8": add `average(3) - average(8)` to the codes of all eights, and count with `judged(…) == 3`.
#   Then "1 minus 0", with classes that are far apart.
#   When does it work?
#
# ## To take away
#
# 1. Look at the map and the decoded grid on the same axes.
#    Linear spacing shows the rare, quantiles show the common.
# 2. The mixture of all clouds is near the prior but not equal to it.
#    It has thin places, and new images are drawn from them as well.
# 3. In many dimensions, prior draws lie near a sphere, and a straight line between them leaves it.
#    A great circle does not.
# 4. The KL of each latent shows which ones a VAE uses.
# 5. A picture of many latents in a plane shows two directions only.
#    Measure before you conclude.
#
# **Where the ideas come from.**
# Aggregate posterior and its mismatch: M. Hoffman and M. Johnson, *ELBO surgery*, NIPS workshop 2016.
# Great circles: T. White, *Sampling generative networks* (2016).
# Active units: Y. Burda, R. Grosse and R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016, section 5.
# Axes that are not identified: M. Rolínek, D. Zietlow and G. Martius, *Variational autoencoders pursue PCA directions (by accident)*, CVPR 2019;
# F. Locatello and others, *Challenging common assumptions in the unsupervised learning of disentangled representations*, ICML 2019.
# Arithmetic with codes: A. Radford, L. Metz and S. Chintala, *DCGAN*, ICLR 2016.
#
# **Next:** lesson 06 asks what the loss wants from the code, and changes it:
# the price of a nat, a model that ignores its code, and latents that are easy to read.
