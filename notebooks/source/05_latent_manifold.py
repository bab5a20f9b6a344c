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
# You walk through the latent plane of a trained VAE: what lies where, what the empty places hold, how to get from one image to another, and what changes with more than two latents.
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{{repository}}/blob/{{branch}}/notebooks/05_latent_manifold.ipynb)
#
# **Time:** about 3 minutes of computing on two cores (not measured yet on a Colab GPU), and 50 minutes of reading and thinking.
#
# **You will be able to**
#
# - read a map of codes and a grid of decoded images *together*, and say what each way of spacing the grid hides;
# - compare the mixture of all clouds with the prior, and find the holes;
# - interpolate along straight lines and great circles, and say when it matters;
# - do arithmetic with codes, and know its limits;
# - find out which latents a model uses.
#
# **You need** lessons 02 to 04 (cloud, prior, KL, ELBO, decoder).

# %%
# On Colab this cell installs the package of the course. On your own machine it does nothing: there,
# the README of the course says how to install.
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
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=6, grid=20, samples=2000)
data = vh.load_images("mnist", binarize="threshold")
rng = np.random.default_rng(0)

# %% [markdown]
# ## The model
#
# Lesson 04 saved its model. If the file is there, we load it; if not, we train a smaller one now, which takes about half a minute.

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
# Two views of one plane: where the encoder puts the test images, and what the decoder draws. To compare them, both must show the same range. And there are two ways to choose the places of the tiles:
#
# - **linear spacing**: the same distance between all neighbours, here over the range from −3 to 3;
# - **quantiles of the prior**: the same share of the prior between all neighbours, here from the 5 % to the 95 % quantile.
#
# Five positions of each kind:

# %% tags=["nbval-check-output"]
for spacing in ("linear", "quantile"):
    print(f"{spacing:9s}", np.round(vh.latent_grid(5, spacing, limit=3), 2))

# %% [markdown]
# **Predict.** Which classes will the quantile picture hide? Which will the linear picture make look more common than they are?

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
outside = np.mean(np.abs(mean).max(axis=1) > edge)
vh.expect("share of test codes outside the quantile picture (prior: 0.19)", outside, at_least=0.05)

# %% [markdown]
# **What you see.** Left and middle show the same square: where the map has ones, the decoder draws ones. The right picture is the part from −1.6 to 1.6, stretched in the middle. It gives each tile the same share of the prior, so common images take more
# room; but it cuts off everything outside, and that is more than a few images. The linear picture shows these outer regions, but gives them far more room than they deserve: most of its border is hardly ever drawn from the prior.
#
# ## Do the clouds fill the prior?
#
# New images are drawn from the prior. The decoder was trained on draws from the clouds. So the question is whether the **mixture of all clouds**, also called the *aggregate posterior*, looks like the prior. We draw one code from the cloud of each test image, and as many
# from the prior.
#
# **Predict.** The KL of each image pulls its cloud towards the prior. Will the mixture of the clouds be the prior?

# %%
clouds = np.array(vae.reparameterize(mean, log_var))
prior = rng.normal(size=clouds.shape)
fig, axes = plt.subplots(1, 2, figsize=(10, 4.8), sharex=True, sharey=True)
for ax, codes, title in ((axes[0], clouds, "one draw from each cloud"), (axes[1], prior, "draws from the prior")):
    picture = ax.hist2d(*codes.T, bins=60, range=[[-3.5, 3.5]] * 2, cmap="Greys", vmin=0, vmax=20)
    ax.set(title=title, xlabel="$z_1$", aspect="equal")
    ax.grid(False)
axes[0].set_ylabel("$z_2$")
fig.colorbar(picture[-1], ax=axes, label="codes per cell", shrink=0.8);

# %% [markdown]
# **What you see.** Right, the prior: dense in the middle, thin outside, the same in all directions. Left, the mixture: about as wide, but with ridges where the classes lie, and with paler seams between them. The KL of each cloud is not enough to make the mixture equal to the prior.
#
# How large is the share of prior draws that fall into such seams and holes? As in lesson 01, we call a place *empty* if its nearest neighbour among the codes is farther away than for 99 % of real images. Here the codes are draws from the clouds of the training images.

# %%
train_mean, train_log_var = vae.encode(data.x_train[:20_000])
train_clouds = np.array(vae.reparameterize(train_mean, train_log_var))
neighbours = NearestNeighbors(n_neighbors=1).fit(train_clouds)
far = np.quantile(neighbours.kneighbors(clouds)[0], 0.99)
distances = neighbours.kneighbors(prior)[0][:, 0]
vh.expect("share of prior draws in empty places (real: 0.01)", np.mean(distances > far), at_most=0.1)

lonely = prior[np.argsort(distances)[::-1]]
lonely = lonely[np.abs(lonely).max(axis=1) < 2.5][:10]  # the emptiest places that are not simply far out
vh.plot_images([vae.decode(lonely), vae.decode(prior[:10])], ["emptiest places", "any prior draws"]);

# %% [markdown]
# **What you see.** Compare the share with lesson 01, where one third of the draws from a fitted normal distribution fell into empty places of the autoencoder. Here it is a few in a hundred at most: the VAE's plane has hardly any large holes, though it is not the prior either. First row: the images
# at the emptiest places that still lie inside. They are not nonsense, because the noise of the neighbouring clouds reaches there.
#
# ## From one image to another
#
# To walk from image A to image B, encode both and decode the codes between them. In a plane, the straight line is the natural way:

# %%
def line(start, end, steps=10):
    t = np.linspace(0, 1, steps)[:, None]
    return (1 - t) * start + t * end


first, second = (mean[data.y_test == c][0] for c in (1, 0))
vh.plot_images(vae.decode(line(first, second)), title="a straight line from a 1 to a 0");

# %% [markdown]
# **What you see.** The one becomes other digits on its way, whatever lies on the line. Each step is small, so neighbours in the row are alike.
#
# With many latents there is a catch. A draw from $\mathcal N(0, I)$ in $d$ dimensions has a length near $\sqrt d$, hardly ever much less. So all draws lie near a *sphere*. The straight line between two of them cuts through the inside of the sphere, where no draw ever lies. The alternative is the **great
# circle**: turn from one direction to the other, and keep the length. With the angle $\theta$ between start $z_0$ and end $z_1$:
#
# $$z(t)=\frac{\sin((1-t)\,\theta)}{\sin\theta}\,z_0+\frac{\sin(t\,\theta)}{\sin\theta}\,z_1$$
#
# **Predict.** By how much does the straight line shorten the code at its middle: in 2 dimensions, in 20, in 200?

# %%
def great_circle(start, end, steps=10):
    t = np.linspace(0, 1, steps)[:, None]
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1, 1))
    return (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


fig, ax = plt.subplots(figsize=(7.5, 3.4))
for d, color in ((2, "C2"), (20, "C0"), (200, "C1")):
    pairs = rng.normal(size=(500, 2, d))
    for path, style in ((line, "-"), (great_circle, "--")):
        norms = np.mean([np.linalg.norm(path(a, b, 21), axis=1) for a, b in pairs], axis=0)
        label = f"{d} latents, {path.__name__.replace('_', ' ')}"
        ax.plot(np.linspace(0, 1, 21), norms / np.sqrt(d), style, color=color, label=label)
ax.set(xlabel="position on the path, t", ylabel="length / √d", title="A straight line loses length")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=10);

# %% [markdown]
# **What you see.** Averages over 500 pairs of prior draws. The great circle (dashed) keeps the length. The straight line loses length in the middle, about 30 % in high dimensions, because two random directions are nearly at a right angle: the middle of two such arms has length $1/\sqrt2$ of one arm. In 2
# latents it also loses length, but there short codes are common, so it does no harm. Is 30 % much? In $d$ dimensions the length varies by about $0.7$ around $\sqrt d$:

# %%
for d in (2, 20, 200):
    lengths = np.linalg.norm(rng.normal(size=(20_000, d)), axis=1)
    middle = np.sqrt(d / 2)  # the middle between two draws at a right angle
    print(f"{d:3d} latents: {np.mean(lengths < middle):.4f} of the draws are shorter than the middle of a line")
lengths_20 = np.linalg.norm(rng.normal(size=(20_000, 20)), axis=1)
vh.expect("20 latents: share shorter than the middle", np.mean(lengths_20 < np.sqrt(10)), at_most=0.06, everywhere=True)

# %% [markdown]
# **What you see.** In 2 latents, a large share of all draws is shorter than the middle of a line; in 20 latents very few; in 200 latents none. So in high dimensions the straight line leaves the region of the prior. Does the decoder care? Ask it.
#
# ## More than two latents
#
# We train a VAE with 20 latents, and walk between two test images on both paths. (Half a minute.)

# %%
keras.utils.set_random_seed(settings.seed)
vae_20 = vh.VAE(vh.mlp_encoder(data.image_shape, 20), vh.mlp_decoder(data.image_shape, 20))
vae_20.compile(keras.optimizers.Adam(1e-3))
vae_20.fit(data.x_train, epochs=settings.epochs, batch_size=128, verbose=2)
mean_20, log_var_20 = (np.array(part) for part in vae_20.encode(data.x_test))

# %%
start, end = (mean_20[data.y_test == c][0] for c in (1, 0))
paths = {"straight line": line(start, end), "great circle": great_circle(start, end)}
vh.plot_images([vae_20.decode(z) for z in paths.values()], list(paths));
for name, z in paths.items():
    print(f"{name:14s} length from {np.linalg.norm(z, axis=1).min():.2f} to {np.linalg.norm(z, axis=1).max():.2f}")

# %% [markdown]
# **What you see.** Both rows begin and end with the same images. In the middle, the pictures of the straight line are a little paler or more mixed; the difference is smaller than one might expect. Look at the lengths: the codes (the *means*) of real images are shorter than prior draws, so the middle of the line is not as strange
# as the theory of prior draws says. Great circles matter for walks between *draws from the prior* in many dimensions. Between codes of images, both paths will do.
#
# ### Which latents are used?
#
# The model has 20 latents. Does it use them all? Two measures: the **KL of each latent**, averaged over images, in nats; and whether a latent is **active**, which means that its mean varies from image to image.

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
# **What you see.** Each bar is one latent; orange ones are not active. The model decides by itself how many it needs: a latent that does not save more than it costs is left at the prior, and the decoder learns to ignore it.
#
# What does one latent do? We take one image, and change one latent while the others stay. Above the most used latent, below the least used one:

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
# **What you see.** The most used latents change the shape, several properties at once. The least used one changes little or nothing. Do not give the latents names such as "width": the axes are not fixed by the model. Turning the whole code space changes nothing in the prior, and another seed gives other axes.
#
# ### Seeing 20 dimensions in a plane
#
# A scatter plot has two axes. PCA (lesson 01) finds the two directions along which the codes differ most:

# %%
pca = PCA(2).fit(mean_20)
vh.plot_latent_scatter(pca.transform(mean_20), data.y_test, data.class_names)
share = pca.explained_variance_ratio_.sum()
plt.title(f"20 latents, seen from one side: {100 * share:.0f} % of the variance");

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
# **What you see.** In the picture the classes overlap strongly. But the list below shows that in all 20 latents, nearly every image has a neighbour of its own class. The overlap is an effect of looking from one side: the picture shows only a small part of the variance. So do not conclude from such a picture that classes are mixed, nor, from another one, that they are
# separate.
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
# **What you see.** Left the image, then its four nearest images by pixels, then by code. Often they agree. Distance in pixels asks whether the same pixels are white; distance in codes asks whether the decoder would draw something similar. Neither is "the true similarity".
#
# ## Arithmetic with codes
#
# The difference between the average code of one class and that of another is a direction. Add it to the code of an image of the second class. Does it become an image of the first?
#
# **Predict.** We add "average 9 minus average 4" to ten different fours. How many become nines? And what will the same direction do to a *zero*?

# %%
def average(digit):
    return mean_20[data.y_test == digit].mean(axis=0)


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
codes_train = np.array(vae_20.encode(data.x_train[:20_000])[0])
judge = NearestNeighbors(n_neighbors=15).fit(codes_train)


def judged(images):
    """The class of most of the 15 nearest training codes, for decoded images."""
    _, indices = judge.kneighbors(np.array(vae_20.encode(images)[0]))
    return np.array([np.bincount(labels, minlength=10).argmax() for labels in data.y_train[indices]])


all_fours = mean_20[data.y_test == 4]
before = np.mean(judged(vae_20.decode(all_fours)) == 9)
after = np.mean(judged(vae_20.decode(all_fours + direction)) == 9)
print(f"of all test fours, judged as nines: before {before:.2f}, after {after:.2f}")
vh.expect("fours that become nines", after, at_least=0.6)

# %% [markdown]
# **What you see.** Most fours become nines, and each keeps its own slant and width. (The judge of the count is the class of the nearest training codes.) To a zero, the same direction does something, but nothing that deserves a name: the direction was measured between fours and nines, and means nothing elsewhere. Code arithmetic works *between neighbours*, and one sees the
# examples that worked.
#
# ## A walk along a closed loop
#
# Back to two latents, for a film: a circle around the middle of the plane, decoded in one call, played without end.

# %%
import tempfile
from pathlib import Path

from IPython.display import Image

angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
loop = 1.2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
walk = vae.decode(loop)
frames = np.kron(walk[..., 0], np.ones((1, 5, 5)))  # each pixel five times as large
with tempfile.TemporaryDirectory() as folder:
    gif = vh.save_gif(frames, Path(folder) / "walk.gif", frame_ms=100, last_ms=100).read_bytes()
vh.expect("size of the GIF, MB", len(gif) / 1e6, at_most=1, everywhere=True)
Image(gif, format="gif")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.4), width_ratios=[1, 1.4])
vh.plot_latent_scatter(mean, data.y_test, data.class_names, limit=3, ax=axes[0])
axes[0].legend_.remove()
axes[0].plot(*np.vstack([loop, loop[:1]]).T, "k-", linewidth=2)
axes[0].plot(*loop[0], "ko", markersize=8)
vh.plot_images(walk[::3], columns=5, ax=axes[1])
axes[1].set_title("every third picture of the walk, row by row");

# %% [markdown]
# **What you see.** The film, and below it the same without motion: the way on the map (the dot is the start; the walk goes counter-clockwise), and every third picture. The walk passes through the regions that the map shows, one after the other, and comes back to its start without a jump.
#
# ## Try it
#
# Lines that end in "as expected" were written for the numbers in the lesson. When you change something, they may say OFF.
#
# - Change the radius of the loop to 0.3, and to 3. What do you see less of, and why?
# - Walk on both paths between two *prior draws* of the model with 20 latents. Is the difference larger now than between two images?
# - Do arithmetic with "3 minus 8", and with classes that are far apart, "1 minus 0". When does it work?
#
# ## To take away
#
# 1. Look at the map and the decoded grid on the same axes. Linear spacing shows the rare, quantiles show the common.
# 2. The mixture of all clouds is near the prior but not equal to it. It has seams, and new images are drawn from them as well.
# 3. In many dimensions, prior draws lie near a sphere, and a straight line between them leaves it. In two it does not matter.
# 4. A VAE uses as many latents as pay for themselves. The KL per latent shows which.
# 5. A picture of many latents in a plane shows one side only. Measure before you conclude.
#
# **Where the ideas come from.** Aggregate posterior and its mismatch: M. Hoffman and M. Johnson, *ELBO surgery*, NIPS workshop 2016. Great circles: T. White, *Sampling generative networks* (2016). Active units: Y. Burda, R. Grosse and R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016, section 5. Axes that are not identified:
# F. Locatello and others, *Challenging common assumptions in the unsupervised learning of disentangled representations*, ICML 2019. Arithmetic with codes: A. Radford, L. Metz and S. Chintala, *DCGAN*, ICLR 2016.
