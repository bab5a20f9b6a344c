# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · Colour and depth
#
# You take the VAE to colour photographs, let it count the 256 steps of a colour properly, make its networks deep, and measure what each change buys.
#
# **Time.** {{time}}
#
# **You will be able to**
#
# - give the loss of a colour model in bits per dimension, and find the mistake in a number that cannot be true;
# - choose a likelihood for a colour, and say what its shape and its scale buy;
# - compare a VAE with PNG on equal terms, and say what you must know before you put a published figure beside them;
# - say what a shortcut and its start do to a deep network, before and after training;
# - compare networks of different depth at equal training steps and at equal seconds.
#
# **You need** lessons 02 to 04 (ELBO, KL, convolution, stride, ReLU), from lesson 06 the warm-up,
# from lesson 07 the bits per pixel, and a look at the model of lesson 08.
#
# | sign | what it means |
# |---|---|
# | $x_i$, `level` | one of the 3,072 numbers of an image, as it is stored: a whole number from 0 to 255, also called its step |
# | $\hat x_i$, $\sigma$, $s$ | mean, standard deviation and logistic scale of what the decoder says about $x_i$, all in steps |
# | $h$, $f(h)$ | the numbers that enter a block of a network, and what its convolutions make of them |

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import io
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops
from PIL import Image
from scipy.special import expit
from scipy.stats import norm

plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, epochs=6, seeds=3, samples=2500)
data = vh.load_colour_images("cifar10", validation=2000)

# %% [markdown] sitting="A"
# ## Sitting A: which likelihood for a colour? · {{minutes}} min
#
# ### The images
#
# **CIFAR-10** holds small photographs of ten kinds of things: aeroplanes, cars, birds, cats and so on.
# A photograph has 32 × 32 pixels, and a pixel has three numbers, for red, green and blue: three *channels*.
# So an image has 32 · 32 · 3 = 3,072 numbers, and each is called a *dimension*.
#
# With the whole set, this lesson would take over an hour on two processor cores.
# We train on 2,500 images (the `samples`), for 6 `epochs`, with small networks, and report on the first 2,000 test images.
# So all our figures are those of small models: what counts is how they *differ*.
# (The first time, the loader may have to fetch CIFAR-10, 170 MB.
# Without a network connection, it takes patches of two photographs instead, and says so.
# The lesson runs, but the figures in the text are those of CIFAR-10.)

# %% alt="Two rows of ten small colour photographs, ten for training and ten for testing: animals and vehicles on many backgrounds."
x_train, x_test = data.x_train[: settings.samples], data.x_test[:2000]
vh.plot_images([x_train[:10], x_test[:10]], ["training", "test"]);
# %% [markdown]
# **What you see.** Ten training images and ten test images.
# Animals and vehicles, in all colours, on all backgrounds: far more various than digits.
#
# ### One number, 256 steps
#
# In lessons 02 to 05, a pixel was 0 or 1, and the decoder described it as a coin.
# A colour number is one of 256 **steps**, $x_i=0,1,\dots,255$, and a coin cannot say 100.
# The decoder needs a distribution over 256 steps.
#
# The usual first choice is a normal distribution, with a mean $\hat x_i$ for each number and one $\sigma$ for all, which training finds:
#
# $$-\log p(x_i\mid z)\approx\frac{(x_i-\hat x_i)^2}{2\sigma^2}+\log\sigma+\tfrac12\log2\pi$$
#
# The first part wants a large $\sigma$, the second a small one.
# They agree where $\sigma^2$ is the mean squared error of the decoder (lesson 07).
#
# But this is the logarithm of a *density*, and a density is no probability.
# How large is the error?
# A step is 1 wide, so the density at $x_i$ times 1 is nearly the probability of the step, as long as $\sigma$ is many steps wide.
# Lesson 07 had an honest way for all $\sigma$: add noise of the width of a step (*dequantization*), which can only make the bits larger.
# There is a third way: **count**.
# The probability of step $x_i$ is the area under the density from $x_i-\frac12$ to $x_i+\frac12$.
#
# **Predict.** A pixel lies exactly at the mean.
# Now let $\sigma$ go to 0: the decoder becomes surer and surer, and it is right.
# Where do the bits go, by the density and by counting?

# %% alt="Bits of one number over σ in steps, on a logarithmic axis. Three lines lie on each other for σ above 1. Below, the density line falls through 0 to −4, the counted line bends and stays at 0, the line with noise turns and rises."
sigma = np.geomspace(0.02, 100, 300)  # in steps; the number lies exactly at the mean
density = np.log2(sigma * np.sqrt(2 * np.pi))
counted = -np.log2(norm.cdf(0.5 / sigma) - norm.cdf(-0.5 / sigma))
with_noise = density + 1 / 12 / (2 * sigma**2 * np.log(2))  # noise from -½ to ½ has the variance 1/12
fig, ax = plt.subplots(figsize=(7.5, 3.6))
for line, style, name in ((density, "--", "density"), (counted, "-", "counted"), (with_noise, ":", "with noise")):
    ax.plot(sigma, line, style, label=name)
ax.axhline(0, color="black", linewidth=1)
ax.set(xscale="log", xlabel="σ, in steps", ylabel="bits for one number", ylim=(-4.5, 8.5))
ax.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
ax.legend();

# %% [markdown]
# **What you see.** From $\sigma=1$ on, the three lines lie on each other.
# Below, they part.
# The answer: counted, the bits go to 0, because what is sure needs no bits.
# By the density they fall below 0, without end, and that cannot be: no file has fewer than 0 bits.
# With noise they rise again: honest, but too large.
#
# So a model with a $\sigma$ for each number can *cheat* with a density: it needs only a few numbers that it knows for sure, such as a white border.
# If you read of negative bits, somebody forgot the steps.
#
# ### Bits per dimension
#
# Papers on colour images give **bits per dimension**: the bits of an image, divided by its 3,072 numbers.
# (A colour pixel has three dimensions, so this is not the bits per pixel of lesson 07.)
# Many programs have pixels from 0 to 1 and a density on that scale.
# Then a step is about 1/256 wide, and its probability is the density divided by 256.
# (With pixels from $x/255$ it is 1/255; the difference is 0.006 bits.)
#
# ### Exercise 9.1 · Bits per dimension · 5 min
#
# `loss` is minus the log of such a density, in nats per image; it may be an array.
# Write it in bits per dimension, on the scale of 256 steps.


# %%
def bits_per_dimension(loss, image_shape):
    """Bits per dimension. loss: nats per image, for pixels from 0 to 1; image_shape: (height, width, channels)."""
    ### BEGIN SOLUTION
    height, width, channels = image_shape
    nats = loss / (height * width * channels) + np.log(256)
    return nats / np.log(2)
    ### END SOLUTION


vh.check.bits_per_dimension(bits_per_dimension)

# %% [markdown]
# **Target:** `bits_per_dimension(0.0, (32, 32, 3))` is 8: the density 1 everywhere knows nothing, and pays for all 256 steps.
# In this lesson everything is measured in steps, so the step has the width 1 and nothing is added.
#
# ### Count the steps: the discretized logistic
#
# The area under a normal density has no simple formula.
# The **logistic distribution** looks much the same, with somewhat heavier tails, and its area is the sigmoid that you know.
# Its standard deviation is not its scale $s$, but $\pi/\sqrt3=1.81$ times as large: with $s=20$ it is about as wide as a normal distribution with $\sigma=36$.
# With mean $\hat x_i$ and scale $s$, the probability to lie below a number $t$ is $\mathrm{sigmoid}((t-\hat x_i)/s)$.
# So the probability of a step is a difference of two sigmoids:
#
# $$P(x_i)=\mathrm{sigmoid}\Big(\frac{x_i+\frac12-\hat x_i}{s}\Big)-\mathrm{sigmoid}\Big(\frac{x_i-\frac12-\hat x_i}{s}\Big)$$
#
# Two steps are special.
# Nothing lies below step 0 and above step 255.
# So step 0 gets everything below ½, and step 255 everything above 254½.
# Then the 256 probabilities add up to 1, whatever $\hat x_i$ and $s$ are.
# This is the **discretized logistic** likelihood.
#
# ### Exercise 9.2 · The probability of a step · 10 min
#
# Write it, with numpy.
# `level`, `mean` and `scale` are arrays of one shape.
# `expit` is the sigmoid of scipy, which overflows nowhere.


# %%
def step_probability(level, mean, scale):
    """P of each step. level: whole numbers from 0 to 255; mean and scale in steps. All of one shape, as the result."""
    ### BEGIN SOLUTION
    below_upper_end = np.where(level == 255, 1.0, expit((level + 0.5 - mean) / scale))
    below_lower_end = np.where(level == 0, 0.0, expit((level - 0.5 - mean) / scale))
    return below_upper_end - below_lower_end
    ### END SOLUTION


vh.check.step_probability(step_probability)

# %% [markdown]
# **Target:** for `level = np.arange(256)`, `step_probability(level, np.full(256, 250.0), np.full(256, 10.0))` adds up to 1, and its last value is about 0.39.
#
# The picture shows two such distributions.

# %% alt="Two bar charts over the steps 0 to 255. Left, mean 100 and scale 10: a bell around 100. Right, mean 250 and scale 10: the left half of a bell, and one tall bar at 255 with 0.39."
steps = np.arange(256)
fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.8))
for ax, mean in zip(axes, (100, 250)):
    ends = expit((np.arange(0.5, 255) - mean) / 10)  # the 255 borders between the steps
    ax.bar(steps, np.diff(ends, prepend=0, append=1), width=1)
    ax.set(xlabel="step", title=f"mean {mean}, s = 10", xticks=[0, 100, 200, 255])
axes[0].set_ylabel("probability");

# %% [markdown]
# **What you see.** Left, a bell over the steps around 100.
# Right, a mean near the end: all that would lie above 254½ is collected in the last bar.
# So this model can say "surely white".
#
# For training we need the logarithm, and $P$ may be tiny.
# The difference of two sigmoids that are nearly equal loses all its digits.
# Call the upper border of the step, in scales, $b=(x_i+\frac12-\hat x_i)/s$, and the lower one $a=(x_i-\frac12-\hat x_i)/s$.
# So the next cell uses $\mathrm{sigmoid}(b)-\mathrm{sigmoid}(a)=\mathrm{sigmoid}(b)\,\mathrm{sigmoid}(-a)\,(1-e^{a-b})$.
# (Write each sigmoid as a fraction to see it. `softplus(-b)` is $-\log\mathrm{sigmoid}(b)$, and `expm1` computes $e^x-1$ with all digits.)
# Each function gives nats per image, in steps.


# %%
def per_image(values):
    return ops.sum(values, axis=(1, 2, 3))


def normal(level, mean, log_scale):
    """-log of the normal density; log_scale is log σ."""
    return per_image(0.5 * ops.square((level - mean) * ops.exp(-log_scale)) + log_scale + 0.5 * np.log(2 * np.pi))


def logistic(level, mean, log_scale):
    """-log P of the step; log_scale is log s."""
    width = ops.exp(-log_scale)  # of a step, in scales
    a, b = (level - 0.5 - mean) * width, (level + 0.5 - mean) * width
    log_p = -ops.softplus(-b) - ops.softplus(a) + ops.log(-ops.expm1(-width))
    log_p = ops.where(level < 0.5, -ops.softplus(-b), log_p)  # step 0: all below
    log_p = ops.where(level > 254.5, -ops.softplus(a), log_p)  # step 255: all above
    return -per_image(log_p)


# %% tags=["guard"]
some = np.random.default_rng(0)
level, mean = (
    some.integers(0, 256, (4, 6, 6, 3)).astype("float32"),
    some.uniform(0, 255, (4, 6, 6, 3)).astype("float32"),
)
log_scale = some.uniform(2.0, 4.0, (4, 6, 6, 3)).astype("float32")
level[0, 0, :3, 0] = 0, 255, 255
upper = np.where(level == 255, 1.0, expit((level + 0.5 - mean.astype("float64")) / np.exp(log_scale)))
lower = np.where(level == 0, 0.0, expit((level - 0.5 - mean.astype("float64")) / np.exp(log_scale)))
apart = np.abs(logistic(level, mean, log_scale) + np.log(upper - lower).sum((1, 2, 3))).max()
vh.expect("logistic: the stable form minus the plain one, nats", apart, at_most=0.2, everywhere=True)
by_scipy = -norm.logpdf(level, mean, np.exp(log_scale)).sum((1, 2, 3))
vh.expect(
    "normal minus scipy's, nats", np.abs(normal(level, mean, log_scale) - by_scipy).max(), at_most=0.01, everywhere=True
)

# %% [markdown]
# ### The model
#
# A small network for all that follows.
# Its first convolution has a 4 × 4 kernel and stride 4: it reads the image in tiles and makes a map of 8 × 8 × 16.
# All later convolutions work on such small maps, which is cheap.
# A **block** is two convolutions, with a ReLU before each.
# The decoder does the same in reverse order.
# It gives three numbers for each pixel, the means, or six: three means and three scales.

# %%
FILTERS, LATENTS = 16, 64  # chosen small, so that a training takes seconds


def convolution(start="he_normal"):
    return layers.Conv2D(FILTERS, 3, padding="same", kernel_initializer=start)


def plain(h):
    """One block. h: (batch, 8, 8, FILTERS); the result has the same shape."""
    f = convolution()(layers.ReLU()(h))
    return convolution()(layers.ReLU()(f))


# %%
def networks(numbers, blocks, block):
    image, z = keras.Input(data.image_shape), keras.Input((LATENTS,))
    h = layers.Conv2D(FILTERS, 4, strides=4, kernel_initializer="he_normal")(layers.Rescaling(2.0, -1.0)(image))
    g = layers.Reshape((8, 8, FILTERS))(layers.Dense(8 * 8 * FILTERS)(z))
    for _ in range(blocks):  # the same number in encoder and decoder
        h, g = block(h), block(g)
    h = layers.Flatten()(layers.ReLU()(h))  # 1024 numbers
    output = layers.Conv2DTranspose(numbers, 4, strides=4)(layers.ReLU()(g))  # 32, 32, numbers
    log_var = layers.Dense(LATENTS, bias_initializer=keras.initializers.Constant(-3.0))(h)  # small clouds at first
    return keras.Model(image, [layers.Dense(LATENTS)(h), log_var]), keras.Model(z, output)


# %% [markdown]
# (`he_normal` draws the kernels so wide that the size of the numbers stays about the same through a convolution and a ReLU:
# He and others, 2015; on average, and far from the border, where a kernel sees zeros.)
#
# The model is that of lesson 08 without the label.
# `split` says what the output means: a mean from 0 to 255, and the logarithm of a scale, which begins at 30 steps.
# With three numbers there is one scale for everything, the weight `common`.
# (Its factor 10 lets Adam, which moves every weight by about the learning rate, move it fast enough.)
# With six, the decoder adds its own to it, between −3 and 3, so that no scale can run away.
# The clouds begin small (`log_var` near −3), so that the decoder sees the images from the first training step.
# (Without this, some of our trials stayed at 8 bits for a long time: the posterior collapse of lesson 03.)


# %%
class ColourVAE(keras.Model):
    def __init__(self, nll, numbers=6, blocks=1, block=plain):
        super().__init__()
        self.recipe = (nll, numbers, blocks, block)
        self.encoder, self.decoder = networks(numbers, blocks, block)
        self.nll, self.common = nll, self.add_weight(shape=(), initializer="zeros")
        self.seed_generator = keras.random.SeedGenerator()

    def split(self, output):
        own = 3 * ops.tanh(output[..., 3:] / 3) if output.shape[-1] == 6 else 0.0
        return 255 * ops.sigmoid(output[..., :3]), np.log(30) + 10 * self.common + own

    def call(self, image):
        mean, log_var = self.encoder(image)
        z = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return {"mean": mean, "log_var": log_var, "output": self.decoder(z)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(negative_elbo(self, x, y_pred))


# %%
def negative_elbo(model, image, found):
    """For each image, in nats, with one draw of z, (batch,)."""
    reconstruction = model.nll(255 * image, *model.split(found["output"]))
    return reconstruction + vh.gaussian_kl(found["mean"], found["log_var"])


def test_bits(model):
    """Bits per dimension of each test image, (n,): an upper bound, from the ELBO."""
    parts = np.array_split(x_test, max(1, len(x_test) // 500))
    nats = np.concatenate([negative_elbo(model, part, model(part)) for part in parts])
    return nats / (np.prod(data.image_shape) * np.log(2))


# %% [markdown]
# Every model is trained three times, from three seeds.
# To start anew, `train` gives it the weights of a fresh model and clears the memory of its optimizer.
# The learning rate falls along a cosine; there is no warm-up of the KL.
# (The learning rate is 0.004 for all networks of this lesson.
# In short trainings of one seed, on validation images, it was better for the deep networks than 0.008, and for two of them we tried 0.002, too, and kept 0.004.
# With 0.008 one shallow network stayed at 8.00 bits: it described all images alike.
# A learning rate of its own for each network could change the figures.)


# %%
def train(model, seed, epochs=settings.epochs, rate=4e-3):
    """A new start with this seed, then so many epochs. Returns the seconds and the loss of each epoch."""
    keras.utils.set_random_seed(seed)
    model.set_weights(ColourVAE(*model.recipe).get_weights())
    for memory in model.optimizer.variables:
        memory.assign(ops.zeros_like(memory))
    falling = keras.callbacks.LearningRateScheduler(lambda epoch: rate * (1 + np.cos(np.pi * epoch / epochs)) / 2)
    started = time.perf_counter()
    history = model.fit(x_train, epochs=epochs, batch_size=64, verbose=0, callbacks=[falling])
    return time.perf_counter() - started, history.history["loss"]


# %%
def three_seeds(name, model, seeds=settings.seeds, **options):
    """Train from each seed, seed 1 last: the pictures show it. Bits of each seed and test image, seconds, losses."""
    model.compile(keras.optimizers.Adam(), steps_per_execution=vh.training.STEPS_PER_EXECUTION)  # as `vh.VAE` does
    bits, seconds, losses = [], [], []
    for seed in reversed(range(1, 1 + seeds)):
        took, loss = train(model, seed, **options)
        bits.append(test_bits(model))
        seconds.append(took)
        losses.append(loss)
        print(f"{name}, seed {seed}: {bits[-1].mean():.3f} bits per dimension, {took:.0f} s")
    return {"bits": np.array(bits), "seconds": min(seconds), "losses": np.array(losses)}


# %% [markdown]
# ### Three likelihoods
#
# Three models:
#
# 1. a normal distribution with one $\sigma$, trained by its density;
# 2. a discretized logistic with one $s$: another shape, and counted;
# 3. a discretized logistic with an $s$ for each number, given by the decoder.
#
# **Predict.** What will save more bits: the first change (shape and counting), or the scale for each number?
#
# The nine trainings take about a minute.

# %%
models = {
    "normal, one σ": ColourVAE(normal, numbers=3),
    "logistic, one s": ColourVAE(logistic, numbers=3),
    "logistic, s for each": ColourVAE(logistic),
}
results = {name: three_seeds(name, model) for name, model in models.items()}

# %% [markdown]
# The first model is measured by its density.
# Is that fair?
# The next cell counts its steps, with the areas of the same normal distributions, and also uses the noise of lesson 07.


# %%
def counted_normal(level, mean, log_scale):
    """-log of the area over each step; the end steps get the tails. In nats per image."""
    sigma = np.exp(log_scale)
    upper = np.where(level == 255, np.inf, (level + 0.5 - mean) / sigma)
    lower = np.where(level == 0, -np.inf, (level - 0.5 - mean) / sigma)
    return per_image(-np.log(norm.cdf(upper) - norm.cdf(lower)))


# %%
one_sigma = models["normal, one σ"]
found = one_sigma(x_test)
mean, log_scale = (np.array(part, "float64") for part in one_sigma.split(found["output"]))
level = np.round(255 * x_test.astype("float64"))
noise = np.random.default_rng(0).uniform(-0.5, 0.5, level.shape)
per_bit = np.prod(data.image_shape) * np.log(2)
ways = {"density": normal(level, mean, log_scale), "with noise": normal(level + noise, mean, log_scale)}
ways["counted"] = counted_normal(level, mean, log_scale)
kl = np.array(vh.gaussian_kl(found["mean"], found["log_var"]))
print(f"σ is {np.exp(log_scale.mean()):.0f} steps; the KL costs {kl.mean() / per_bit:.3f} bits per dimension")
ways = {way: (np.array(nats) + kl) / per_bit for way, nats in ways.items()}
print("normal:", *(f"{way} {bits.mean():.3f}" for way, bits in ways.items()))
print(f"logistic, one s, the same seed: {results['logistic, one s']['bits'][-1].mean():.3f}")

# %% [markdown]
# **What you see.** $\sigma$ is many steps wide, so the density and the noise give nearly the same.
# Counting saves a few hundredths of a bit.
# Why?
# A part of each normal distribution lies below 0 or above 255, where no colour is.
# For the density it is lost; counting gives it to the two end steps.
# So one $\sigma$ of 37 steps leaves nothing to cheat with: the density is 0.05 bits too high, not too low.
# The last line is the logistic model from the same seed.
#
# Now the two changes, with their spread:


# %%
def compare(name, other, of=results):
    """How many bits fewer `name` needs than `other`: mean, paired error over images, and range over the seeds."""
    saved = of[other]["bits"] - of[name]["bits"]  # (seeds, images)
    error = saved.mean(axis=0).std(ddof=1) / np.sqrt(saved.shape[1])
    seeds = saved.mean(axis=1)
    print(
        f"{name} against {other}: {saved.mean():.3f} ± {error:.3f} bits saved; seeds {seeds.min():.3f} to {seeds.max():.3f}"
    )
    return saved.mean()


shape = compare("logistic, one s", "normal, one σ")
scale = compare("logistic, s for each", "logistic, one s")
vh.expect("bits saved by the logistic, counted", shape, at_least=0.05, at_most=0.13)

# %% [markdown]
# **What you see.** First, shape and counting together: the logistic with one $s$ needs 7.19 bits and the normal distribution 7.27, means of three seeds.
# Two things changed there: by the cell above (seed 1), 0.05 of it is the counting.
# The other 0.04 are the shape, and that the logistic was also *trained* by counting.
#
# Second, the scale: with an $s$ for each number it is 7.17, hardly less.
# Perhaps the decoder has not yet learned *where* it can be sure: the training is short.
# The answer: the first change saved more, and more than half of it is the counting.
# But it is with a scale for each number that the steps must be counted, because such a decoder can cheat with a density.
# (`±` is the standard error of the differences, image by image; the range is that of the seeds.
# Where the seeds differ more than `±` says, trust the range.)
#
# ### PNG, each image alone
#
# A **PNG** file stores an image without any loss.
# It guesses each pixel from its neighbours, and writes down how wrong the guess was.
# It has never seen another image.
# Our VAE has seen 2,500.
#
# Both get the same test images, and each image is a file of its own.
# (A VAE becomes a file only with a trick, *bits back*, over many images: lesson 07.)
# A PNG file has at least 57 bytes that say "this is a PNG" and close the parts of the file.
# We give the figure with them and without.
#
# **Predict.** Who needs fewer bits?


# %%
def png_bytes(image):
    """The size of an image as a PNG file. image: (height, width, 3), from 0 to 1."""
    file = io.BytesIO()
    Image.fromarray(np.round(255 * image).astype("uint8")).save(file, "png", optimize=True)
    return len(file.getvalue())


sizes = np.array([png_bytes(image) for image in x_test])
png = 8 * sizes / np.prod(data.image_shape)
png_without = 8 * (sizes - 57) / np.prod(data.image_shape)
print(f"PNG: {png.mean():.2f} bits per dimension, without the 57 bytes {png_without.mean():.2f}")

# %% alt="Dots in bits per dimension, three seeds each: normal with one σ, logistic with one s, logistic with s for each number; beside them a dashed line for PNG further left and a line at 8 bits."
fig, ax = plt.subplots(figsize=(7.5, 2.8))
for row, result in enumerate(results.values()):
    ax.plot(result["bits"].mean(axis=1), [row] * len(result["bits"]), "o", markersize=7)
ax.axvline(png.mean(), linestyle="--", color="black")
ax.text(png.mean() + 0.02, 0.5, "PNG", fontsize=10)
ax.axvline(8, color="grey")
ax.text(7.98, 0.5, "knows nothing", ha="right", fontsize=10)
ax.set(
    xlabel="bits per dimension on test images",
    yticks=range(len(results)),
    yticklabels=results,
    xlim=(5.5, 8.2),
    ylim=(2.6, -0.6),
);
# %% tags=["guard"]
vh.expect("PNG, bits per dimension", png.mean(), at_least=5.8, at_most=5.95)
vh.expect("PNG without its 57 bytes", png_without.mean(), at_least=5.65, at_most=5.8)
apart = abs(ways["density"].mean() - ways["with noise"].mean())
vh.expect("bits of the normal, density and noise", apart, at_most=0.01)
vh.expect(
    "bits saved by counting the normal", ways["density"].mean() - ways["counted"].mean(), at_least=0, at_most=0.15
)
vh.expect("bits saved by a scale for each number", scale, at_least=-0.03, at_most=0.08)
means = {name: result["bits"].mean() for name, result in results.items()}
vh.expect("logistic, s for each: bits", means["logistic, s for each"], at_most=7.6)
vh.expect("logistic, s for each, minus PNG, bits", means["logistic, s for each"] - png.mean(), at_least=0.3)

# %% [markdown]
# **What you see.** Each dot is one seed; some cover each other.
# The answer: PNG needs the fewest bits, and all three VAEs need more.
# Two likely reasons, which this comparison does not separate.
# The decoder gets 64 numbers for an image, and what they do not say is noise to it.
# And our training is short: in sitting B, a block of another kind and twice the epochs bring a network of the same depth, with the same 64 numbers, to 6.73.
# PNG uses the neighbours of each pixel, which are a very good hint.
# (The ELBO is a bound, so the figure of a VAE is an upper limit.
# PNG pays 0.15 bits for its 57 bytes, $57\cdot8/3072$; the VAE's own 209,366 parameters are not counted.)
#
# The published figures for CIFAR-10 are far lower:
#
# | what | bits per dimension | how it was measured |
# |---|---|---|
# | PNG, here | 5.84 | our test images, a file for each |
# | NVAE (Vahdat and Kautz, 2020) | 2.91 | many groups of latents, each drawn with the help of those before; how the bits were estimated, we did not look up |
# | Very Deep VAE (Child, 2021) | 2.87 | four seeds, from 2.84 to 2.90; 39 million parameters, almost a week on two GPUs, ELBO |
#
# (We looked up the 2.91 in the abstract of NVAE, and the row of the Very Deep VAE in the files of its authors.)
# As far as we remember, both have a likelihood of the kind of this section: a weighted sum of several discretized logistics for each number.
# There, green also depends on red, and blue on both; look it up before you cite it.
# What else they have is 20 times the images, many groups of latents, deep networks, and time.
# Of these, deep networks are the subject of sitting B; two such groups come in lesson 10.
#
# ### What the code holds, and what is noise

# %% alt="Five rows of eight small pictures: test images; their blurred means; the scales as grey maps; draws of pixels, which look like coloured noise over the blurred means; soft grey clouds from the prior."
best = models["logistic, s for each"]
images = x_test[:8]
mean, log_scale = (np.array(part) for part in best.split(best(images)["output"]))
scale_map = np.exp(log_scale).mean(axis=-1, keepdims=True).repeat(3, axis=-1)
uniform = np.random.default_rng(0).uniform(1e-6, 1 - 1e-6, mean.shape)
drawn = np.round(mean + np.exp(log_scale) * np.log(uniform / (1 - uniform))).clip(0, 255)  # logistic draws, as steps
prior, _ = best.split(best.decoder(keras.random.normal((8, LATENTS), seed=1)))
rows = [images, mean / 255, (scale_map / 40).clip(0, 1), drawn / 255, np.array(prior) / 255]
vh.plot_images(rows, ["test image", "mean", "scale s", "drawn pixels", "from the prior"]);

# %% [markdown]
# **What you see.** First row, test images.
# Second, the means: soft patches, light and dark in about the right places, with hardly any colour.
# (They come in tiles of 4 × 4 pixels, because the last layer writes whole tiles.)
# Third, the scale $s$ of each place, averaged over the colours, white for 40 steps: where it is dark, the decoder is sure.
# (Where the mean is white, a wide scale need not mean "unsure": what lies above 254½ is all collected in the last step.)
# Fourth, draws from $p(x\mid z)$: each number for itself, so the noise has all colours.
# (To draw from a logistic distribution, draw an area $u$ between 0 and 1, and ask where the sigmoid reaches it: at $\log\frac u{1-u}$.)
# This row, and not the second, is what the model says that images look like.
# Nearly all of its bits are spent on this noise.
# Last, the means for codes from the prior: patches of light and dark, no things.
# Our small VAE has learned where it is bright, and little else.

# %% [markdown] sitting="B"
# ## Sitting B: depth · {{minutes}} min
#
# ### What does a deep network know before it learns?
#
# More layers can compute more.
# And a deep network should do at least what a shallow one does: its other layers could simply pass on what they get.
# But to pass something on unchanged is not easy for a layer that starts with random numbers.
#
# A **residual block** makes it easy.
# It adds what its convolutions $f$ compute to its own input:
#
# $$\text{output}=h+f(h)$$
#
# The "$h+$" is called a **shortcut** (He and others, 2016; with the ReLUs in this place: their second paper of that year).
# Where $f$ gives 0, the block passes $h$ on.
# And the derivative of the output is that of $f$ *plus 1* (for one number): besides the convolutions, gradients have a second way.
#
# A residual block may also *start* at $f=0$: its second convolution begins with zeros.
# These are two changes, and we keep them apart:


# %%
def shortcut(h):
    return h + plain(h)


def shortcut_from_zero(h):
    f = convolution()(layers.ReLU()(h))
    return h + convolution("zeros")(layers.ReLU()(f))


blocks = {"plain": plain, "shortcut": shortcut, "shortcut, from zero": shortcut_from_zero}

# %% [markdown]
# First, no training at all.
# We send 200 test images through 12 blocks with random weights, and look at the 8 × 8 × 16 = 1,024 numbers of each image after each block.
# Do they still tell one image from another?
# A simple measure is the **cosine** of two lists of numbers: their scalar product, divided by both lengths.
# It is 1 for the same direction, and 0 for directions that have nothing in common.
#
# ### Exercise 9.3 · How alike? · 8 min
#
# Return the mean cosine over all pairs of two *different* images.


# %%
def mean_cosine(features):
    """One number. features: (n, height, width, channels), n ≥ 2."""
    ### BEGIN SOLUTION
    rows = np.array(features).reshape(len(features), -1)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T  # (n, n), with 1 on the diagonal
    n = len(rows)
    return (cosines.sum() - n) / (n * (n - 1))
    ### END SOLUTION


vh.check.mean_cosine(mean_cosine)

# %% [markdown]
# **Target:** for `np.eye(4).reshape(4, 2, 2, 1)` it is 0, and for `np.ones((4, 2, 2, 1))` it is 1.
#
# (The squared length of the sum of $n$ unit vectors holds $n$ products of a vector with itself, each 1, and $n(n-1)$ products of two different ones, each a cosine.)
# The lesson goes on with a short form of this: for $n$ unit vectors with the mean $m$, $n^2\lVert m\rVert^2=n+n(n-1)\cdot$ mean cosine.
#
# **Predict.** After 12 blocks of each kind, how alike will the images be?
# And how large will the numbers be: as at the beginning, much smaller, much larger?


# %%
def alike(features):
    rows = np.array(features).reshape(len(features), -1)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    n = len(rows)
    return (n * np.sum(rows.mean(axis=0) ** 2) - 1) / (n - 1)


walks = {}
for name, block in blocks.items():
    for seed in range(1, 1 + settings.seeds):
        keras.utils.set_random_seed(seed)
        h = layers.Conv2D(FILTERS, 4, strides=4, kernel_initializer="he_normal")(2 * x_test[:200] - 1)
        walk = [(alike(h), np.std(h))]
        for _ in range(12):
            h = block(h)
            walk.append((alike(h), np.std(h)))
        walks.setdefault(name, []).append(walk)
walks = {name: np.array(walk) for name, walk in walks.items()}  # (seeds, 13, 2)

# %% alt="Two plots over the number of blocks, 0 to 12, three lines each. Left, the mean cosine: plain rises fast to about 0.85, shortcut rises more slowly to about 0.75, shortcut from zero stays near 0. Right, the size of the numbers on a logarithmic axis: plain falls, shortcut grows, from zero stays."
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for (name, walk), style in zip(walks.items(), ("^--", "s-", "o-")):
    for ax, part in zip(axes, (0, 1)):
        ax.plot(range(13), walk[:, :, part].mean(axis=0), style, label=name)
        ax.fill_between(range(13), walk[:, :, part].min(axis=0), walk[:, :, part].max(axis=0), alpha=0.2)
        ax.set(xlabel="blocks", xticks=[0, 3, 6, 9, 12])
axes[0].set(ylabel="mean cosine of two images", ylim=(-0.05, 1))
axes[1].set(ylabel="standard deviation of the numbers", yscale="log")
axes[1].set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
axes[0].legend();
# %% tags=["guard"]
after = {name: walk[:, 12].mean(axis=0) for name, walk in walks.items()}
vh.expect("cosine after 12 blocks, plain", after["plain"][0], at_least=0.7)
vh.expect("cosine after 12 blocks, shortcut", after["shortcut"][0], at_least=0.5)
vh.expect("cosine after 12 blocks, from zero", after["shortcut, from zero"][0], at_least=-0.1, at_most=0.1)
vh.expect(
    "size after 12 blocks, shortcut / start", after["shortcut"][1] / walks["shortcut"][:, 0, 1].mean(), at_least=8
)

# %% [markdown]
# **What you see.** Lines are means of three seeds, and the bands go from the smallest to the largest.
# The answers: plain, the mean cosine after 12 blocks is 0.88.
# All images look nearly alike to the last block, and the numbers have shrunk to an eighth.
# With the shortcut: 0.77, so they are alike as well, though less; but now the numbers grow, to 25 times their size, because each block adds something.
# With the shortcut from zero: nothing changes, neither the cosine (0.03) nor the size.
#
# Why are they alike?
# A ReLU gives no negative numbers, and lists of positive numbers point in similar directions.
# The convolution after it makes negative numbers again, but with random kernels it keeps the angle between two lists roughly as it was.
# Each block repeats this.
# And the sizes?
# At the border of an 8 × 8 map, a 3 × 3 kernel sees zeros; on average it sees $(22/24)^2=0.84$ of its nine places.
# So each convolution multiplies the variance by about 0.84, and 24 of them the size by $0.84^{12}=0.12$, an eighth.
# A block with a shortcut multiplies the variance by about $1+0.84^2=1.71$, and 12 of them the size by $1.71^6=25$.
#
# So before training the two changes do different things.
# The shortcut alone hardly helps: the images become nearly as alike, and the numbers much larger.
# The start at zero makes a network of 12 blocks behave like a network of none, and training then decides what each block adds.
#
# ### Does it matter after training?
#
# A picture before training proves nothing about training: a network may learn its way out.
# So we train.
# The rivals, all with the last likelihood of sitting A:
#
# - **shallow**: one plain block in each network, with its ReLUs, from sitting A;
# - **deep, plain**: five plain blocks in each network;
# - **deep, shortcut**: the same five blocks, with "$h+$";
# - **deep, from zero**: the same, and the second convolutions start at 0;
# - **shallow, from zero**: one such block, the control for depth.
#
# The three deep ones have the same layers and the same number of parameters, and so have the two shallow ones.
# Each line differs from the one before by one thing.
# All see the same images in the same number of training steps, and there is no warm-up that could be unfinished.
#
# **Predict.** Put the five in order.
# Does depth help?

# %%
results["shallow"] = results["logistic, s for each"]
for name, model in {"shallow": best, "deep": ColourVAE(logistic, blocks=5)}.items():
    of_networks = [layer for part in (model.encoder, model.decoder) for layer in part.layers]
    count = sum(isinstance(layer, (layers.Conv2D, layers.Conv2DTranspose)) for layer in of_networks)
    print(f"{name}: {count} convolutions, {model.encoder.count_params() + model.decoder.count_params():,} parameters")

# %% [markdown]
# **What you see.** Nearly four times as many convolutions, but only 18 % more parameters.
# Most of them stand in the dense layers to and from the code, which both networks have.
#
# The next two cells take about half a minute each, the third one a minute; each prints a line after each seed.

# %%
results["deep, plain"] = three_seeds("deep, plain", ColourVAE(logistic, blocks=5))

# %%
results["deep, shortcut"] = three_seeds("deep, shortcut", ColourVAE(logistic, blocks=5, block=shortcut))

# %%
from_zero = ColourVAE(logistic, blocks=5, block=shortcut_from_zero)
results["deep, from zero"] = three_seeds("deep, from zero", from_zero)
control = ColourVAE(logistic, blocks=1, block=shortcut_from_zero)
results["shallow, from zero"] = three_seeds("shallow, from zero", control)

# %% alt="Left, bits per dimension on training images over six epochs for the five networks. Right, the test bits of three seeds each as dots."
five = ["shallow", "deep, plain", "deep, shortcut", "deep, from zero", "shallow, from zero"]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for row, (name, style) in enumerate(zip(five, ("D:", "^--", "s-.", "o-", "v-"))):
    losses = results[name]["losses"].mean(axis=0) / per_bit
    line = axes[0].plot(range(1, len(losses) + 1), losses, style, label=name)[0]
    bits = results[name]["bits"].mean(axis=1)
    axes[1].plot(bits, [row] * len(bits), style[0], color=line.get_color(), markersize=7)
axes[0].set(xlabel="epoch", ylabel="bits per dimension", title="in training", ylim=(6.9, 8.8))
axes[1].set(
    xlabel="bits per dimension", title="test images, three seeds", yticks=range(5), yticklabels=five, ylim=(4.6, -0.6)
)
axes[0].legend();

# %%
plain_costs = compare("shallow", "deep, plain")
shortcut_saves = compare("deep, shortcut", "deep, plain")
zero_saves = compare("deep, from zero", "deep, shortcut")
from_shallow = compare("deep, from zero", "shallow")
depth_saves = compare("deep, from zero", "shallow, from zero")  # the control
vh.expect("bits that the deep plain network loses to the shallow one", plain_costs, at_least=0.3, at_most=0.9)
vh.expect("bits saved by the start at zero", zero_saves, at_least=0.25, at_most=0.6)
vh.expect("bits saved by depth alone, from zero", depth_saves, at_least=-0.15, at_most=0.0)

# %% tags=["guard"]
vh.expect("deep, plain: bits", results["deep, plain"]["bits"].mean(), at_most=8.1)
vh.expect("bits saved, deep from zero against shallow and plain", from_shallow, at_least=0.08, at_most=0.22)
vh.expect("bits saved by the shortcut alone", shortcut_saves, at_least=0.15, at_most=0.7)
vh.expect("bits saved, deep from zero against deep plain", compare("deep, from zero", "deep, plain"), at_least=0.03)

# %% [markdown]
# **What you see.** The left plot shows the training loss, reconstruction plus KL, means of three seeds: all five still fall at the end.
# The right one shows the test images, a mark for each seed; where two seeds agree, their marks cover each other.
# The first three lines of `compare` are one change each; together they give the fourth, $-0.61+0.34+0.42=0.15$.
# The last one is the control.
#
# - *Depth without help*: the plain deep network, with five times the blocks, needs 0.61 bits more than the shallow one.
#   One of its three seeds learned nothing (8.02 bits); the other two are still 0.47 and 0.49 behind, at this learning rate.
# - *The shortcut* saves 0.34 bits (seeds: 0.17 to 0.67), and *its start at zero* 0.42 more (0.35 to 0.47).
#   With the shortcut alone, the deep network is still behind the shallow one.
# - *All together*: the deep network from zero needs 0.15 bits fewer than the shallow plain one, with each of the three seeds (0.14 to 0.15).
#   Here we could stop, and write: "with shortcuts, depth pays".
# - *The control*: a shallow network with the same block is better still, by 0.05 bits (0.03 to 0.07).
#   So the 0.15 bits came from the block, and depth itself costs a little.
#
# The answer: shallow from zero, deep from zero, shallow, deep with the shortcut, deep and plain.
# "Residual networks are better" was true here for the *block*, at both depths.
# Its start made a third of what it brought the deep network in the seed where the plain one learned nothing, and nearly three quarters in the other two.
#
# ### Equal seconds
#
# A deep network takes longer for each training step.
# So even "equal training steps" gave it more computing.
# What does the *shallow* network from zero reach in the seconds that the deep one took?
# We give it as many more epochs as fit into that time, with a learning rate that falls over all of them.
#
# **Predict.** How far will the deep network be behind now?

# %%
ratio = results["deep, from zero"]["seconds"] / results["shallow, from zero"]["seconds"]
longer = max(1, round(settings.epochs * ratio))
print(f"the deep network takes {ratio:.1f} times as long: {longer} epochs for the shallow one")
results["shallow, equal seconds"] = three_seeds("shallow, equal seconds", control, epochs=longer)
equal_seconds = compare("deep, from zero", "shallow, equal seconds")

# %% tags=["guard"]
vh.expect("seconds, deep / shallow", ratio, at_least=1.2, at_most=5)
vh.expect("bits saved, deep against shallow at equal seconds", equal_seconds, at_least=-0.6, at_most=-0.05)

# %% [markdown]
# **What you see.** The deep network is the same as above; only its rival had more epochs.
# The answer: now it is behind by 0.29 bits, with each of the three seeds (0.29 to 0.30).
# On so few images and in so little time, depth is not the best way to spend a second.
# (The ratio of seconds depends on the machine.
# The likelihood of 3,072 numbers costs both networks the same, so five times the blocks take less than five times the time.)
#
# **Question.** "Depth does not pay", says a friend who reads this.
# Which of our conditions would you change before you believe it for large models?
#
# <details><summary>Open the answer when you have decided</summary>
#
# The number of images and the time: with 2,500 images and ten seconds, a small network is not yet at its limit, so more layers have little to add.
# The published models see 50,000 images for days.
# Also the width, 16 filters, and the one flat layer of 64 latents, through which everything must pass, whatever stands before and behind it.
# What does not depend on the size of the run is the control: one change at a time, equal training steps *and* equal seconds, and the spread.
#
# </details>
#
# ### What about batch normalization?
#
# Most residual networks that *classify* have batch normalization in every block.
# Lesson 04 measured its price in a VAE: the code of an image then moves with its neighbours in the batch.
# Before training, the start at zero keeps the sizes in order without it; after training we did not measure them.
# It is no law: as far as we remember, NVAE has batch normalization, and the Very Deep VAE has none.
# Width, the third way to make a network larger, multiplies the work: twice the filters are four times the multiplications in each convolution between two maps.
# We do not measure it here.
#
# ### Exercise 9.4 · Change it, and explain · 12 min
#
# Here you have no check but your own eyes.
#
# **First.** A friend likes the start at zero, and uses it *without* the shortcut:
#
# ```python
# def plain_from_zero(h):
#     f = convolution()(layers.ReLU()(h))
#     return convolution("zeros")(layers.ReLU()(f))
#
# lost = three_seeds("plain, from zero", ColourVAE(logistic, blocks=1, block=plain_from_zero), seeds=1)
# ```
#
# Before you run it: what does the block give for any image?
# Which weights of the network get a gradient?
#
# <details><summary>Open the answer when you have tried</summary>
#
# The block gives 0 for every image: its second convolution has only zeros.
# So nothing about the image reaches the end, and all images get the same code and the same picture.
# The gradient of the *first* convolution passes through the second, whose kernel is 0: it is 0.
# The gradient of the second one is not 0 by itself, but in both networks what comes after it is a ReLU of exactly 0, whose gradient Keras takes as 0.
# So only these learn: the bias of the decoder's last layer and the weight `common`, which give one logistic for each colour, the same at every pixel;
# and the bias of `log_var`, which the KL pulls to 0.
# In our run the result is 8.05 bits: it knows nothing.
# (One logistic for each colour fits worse than "each step equally likely", which needs 8.)
# With the shortcut the same start does no harm, because the image passes by.
#
# </details>
#
# **Second.** Train a normal distribution with a $\sigma$ for each number: `three_seeds("normal, σ for each", ColourVAE(normal), seeds=1)`.
# It is measured by its density.
# Would you print the result beside the others?
#
# <details><summary>Open the answer when you have tried</summary>
#
# No.
# With a $\sigma$ for each number, the decoder may become very sure of some numbers, and a density rewards that without limit, down to negative bits.
# Such a figure can be compared only if it is counted, as in `counted_normal`, or measured with noise.
# In our short training (one run) it is 7.28, and the scales stay wide, so the figure looks harmless.
# Here the limit of 3 for the scales also protects us; without it, or after a longer training, it need not stay so.
#
# </details>


# %% tags=["guard"]
def plain_from_zero(h):
    f = convolution()(layers.ReLU()(h))
    return convolution("zeros")(layers.ReLU()(f))


lost = three_seeds("plain, from zero", ColourVAE(logistic, blocks=1, block=plain_from_zero), seeds=1)
each = three_seeds("normal, σ for each", ColourVAE(normal), seeds=1)
apart = lost["bits"].mean() - results["shallow"]["bits"].mean()
vh.expect("bits, plain from zero minus shallow", apart, at_least=0.1)
vh.expect("bits, plain from zero", lost["bits"].mean(), at_least=7.8, at_most=8.3)
print(f"normal, σ for each, by its density: {each['bits'].mean():.3f}")

# %% [markdown]
# ## To take away
#
# 1. A colour number is one of 256 steps.
#    A density is nearly the probability of a step where $\sigma$ is many steps wide.
#    A model that may choose narrow scales can cheat, down to negative bits; ours did not yet.
#    So count the areas (discretized logistic) or add noise.
# 2. In our short trainings a logistic shape, counted, saved 0.09 bits, more than half of it by the counting (one seed).
#    A scale for each number saved 0.02 more (0.005 to 0.035).
# 3. Give bits per dimension beside PNG on the same images, each alone, and say how published figures were measured.
#    Our small VAEs need more bits than PNG; deep ones with many groups of latents, trained for days, need half of what PNG needs.
# 4. Before training, plain blocks make all images alike, and shortcuts with random blocks nearly so, with numbers that grow.
#    Shortcuts that start at zero change nothing.
# 5. Compare networks one change at a time, at equal training steps and at equal seconds, with three seeds.
#    In short trainings on 2,500 images, the residual block that starts at zero paid, and depth did not.
#    Without the shallow network with the same block, we would have told it the other way round.
#
# **Where the ideas come from.**
# Learned $\sigma$: O. Rybkin, K. Daniilidis and S. Levine, *Simple and effective VAE training with calibrated decoders*, ICML 2021.
# Discretized logistic: D. Kingma and others, *Improved variational inference with inverse autoregressive flow*, NIPS 2016.
# Its mixtures: T. Salimans and others, *PixelCNN++*, ICLR 2017.
# Noise for the steps: L. Theis, A. van den Oord and M. Bethge, *A note on the evaluation of generative models*, ICLR 2016, section 3.1.
# Shortcuts: K. He and others, *Deep residual learning for image recognition*, CVPR 2016, equation 1,
# and *Identity mappings in deep residual networks*, ECCV 2016.
# The start of the kernels: K. He and others, *Delving deep into rectifiers*, ICCV 2015, section 2.2.
# A start at zero: H. Zhang, Y. Dauphin and T. Ma, *Fixup initialization*, ICLR 2019.
# A. Vahdat and J. Kautz, *NVAE*, NeurIPS 2020.
# R. Child, *Very deep VAEs generalize autoregressive models and can outperform them on images*, ICLR 2021.
#
# **Next:** lesson 10 builds what VAEs have become since 2017: codebooks, two levels of latents, and a diffusion model on the codes.
# Half precision, several devices and several computers are in appendix A1.

# %%
vh.figures_compared()
