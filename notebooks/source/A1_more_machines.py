# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A1 · More machines
#
# You compute with half the bits, and let several devices share one training step; each time you measure whether it is still the same model.
#
# **Time.** {{time}}
#
# **You will be able to**
#
# - say what the formats float16 and bfloat16 keep of a number, and which sums they spoil;
# - measure whether a model with 16 bits is still the same model, at trained weights and after training;
# - write the loss and the noise of one device, so that many devices together train the model of one;
# - tell from its symptom what is wrong with a training on several machines.
#
# **You need** lessons 02 to 04 (encoder, decoder, reparameterization, reconstruction, KL, gradient).
# This appendix is for those who have a GPU, or several machines.
# No lesson needs it.

# %%
# Where the package of the course is installed, this cell does nothing.
from importlib.util import find_spec

if find_spec("vae_helpers") is None:
    print("This notebook needs the package vae_helpers: open its one-file edition, or run `pip install -r requirements.txt` in the course folder.")

# %%
import vae_helpers as vh  # first, because it starts TensorFlow without a page of messages

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import keras
import matplotlib.pyplot as plt
import ml_dtypes  # comes with Keras: the format bfloat16 for numpy
import numpy as np
import tensorflow as tf
from keras import ops

# %%
cpu = tf.config.list_physical_devices("CPU")[0]  # from now on, it counts as two devices
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.get_logger().setLevel("ERROR")
plt.style.use("vae_helpers.course")
settings = vh.run_settings(seed=1, seeds=3, samples=1600)
data = vh.load_images("mnist", binarize="threshold")

# %% [markdown]
# The results printed here come from a computer without a GPU, so nothing below says how fast a GPU is.
# What can be tested on any computer is whether the *program* is right.
# Test that before you rent a machine by the hour.
# How large the rounding is depends on the processor, so measure it again on yours.
# (Newer GPUs of NVIDIA multiply even float32 with 10 bits of fraction, until you call
# `tf.config.experimental.enable_tensor_float_32_execution(False)`.)
#
# ## Half the bits
#
# Keras computes with **float32**: each number has 32 bits.
# One is the sign, 8 are the exponent (which power of two), 23 are the fraction (where between this power and the next).
# Two formats have 16 bits:
#
# | format | exponent | fraction | largest number | smallest above 0 |
# |---|---|---|---|---|
# | float32 | 8 bits | 23 bits | 3 · 10³⁸ | 10⁻⁴⁵ |
# | float16 | 5 bits | 10 bits | 65,504 | 6 · 10⁻⁸ |
# | bfloat16 | 8 bits | 7 bits | 3 · 10³⁸ | 10⁻⁴⁰ |
#
# So both give up digits, **bfloat16** more of them; float16 also gives up range.
# Numbers of 16 bits need half the memory, and processors with instructions for them multiply them faster.
#
# ### Exercise A1.1 · How far to the next number? · 6 min
#
# Between two powers of two, all numbers of a format have the same distance.
# The fraction divides the way from a power of two to the next one into $2^{\text{bits}}$ parts.
# Write the distance from `x` to the next larger number.
# (The largest power of two that is not above $x$ is $2^{\lfloor\log_2x\rfloor}$; the brackets mean: round down.
# For float16 this rule holds from 0.00006 on; the picture below shows what happens to smaller numbers.)


# %%
def spacing(x, fraction_bits):
    """The distance to the next larger number. x: (n,), above 0; fraction_bits: 23, 10 or 7."""
    ### BEGIN SOLUTION
    power = 2.0 ** np.floor(np.log2(x))
    return power / 2.0**fraction_bits
    ### END SOLUTION


vh.check.spacing(spacing)

# %% [markdown]
# **Target:** `spacing(np.array([1.0, 150.0]), 10)` is `[0.000977, 0.125]`.
#
# The picture shows these distances, as numpy knows them.

# %% alt="Three rising lines on two logarithmic axes, the size of a number from 10⁻⁹ to 10⁶ and the distance to the next one. float32 lies lowest, float16 in the middle, bfloat16 highest, a factor of 8 above float16. float16 is flat to the left of 0.00006 and ends at 65,504. A vertical line marks 150, where the distances are 0.000015, 0.125 and 1."
formats = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
colours = {"float32": "tab:blue", "float16": "tab:orange", "bfloat16": "tab:green", "other noise": "0.4",
           "float16 from 512": "tab:red", "float32, 5 steps less": "tab:blue"}  # fmt: skip
sizes = np.geomspace(1e-9, 1e6, 800)
fig, ax = plt.subplots(figsize=(7.5, 3.8))
for (name, kind), style in zip(formats.items(), ("-", "--", "-.")):
    kept = sizes[sizes < float(ml_dtypes.finfo(kind).max)]
    ax.loglog(kept, np.spacing(kept.astype(kind)).astype("float64"), style, color=colours[name], label=name)
ax.axvline(150, color="0.6", linewidth=1)
ax.annotate("the loss of\none digit: 150 nats", (170, 1e-12), fontsize=9)
ax.set(xlabel="size of a number", ylabel="distance to the next number", title="How fine the formats are")
ax.legend();
# %% [markdown]
# **What you see.** Each line rises in steps, one at each power of two.
# From 0.00006 on, bfloat16 is eight times as coarse as float16.
# Below that, float16 has no more exponents: its distance stays 6 · 10⁻⁸, and what is smaller than half of it becomes 0.
# At 65,504 it ends.
# The loss of one digit is about 150 nats.
# There, the next number of bfloat16 is 1 nat away.
#
# **Predict.** We add up the reconstruction losses of 8 digits (without the KL), pixel by pixel: 6,272 numbers, most of them small.
# What happens to a sum that is kept in 16 bits?
#
# <details><summary>Open the answer when you have decided</summary>
#
# When the sum is large, its next number is far away.
# A term that is smaller than half this distance changes nothing: it is *swallowed*.
# So the sum becomes too small, in bfloat16 early, in float16 later.
#
# </details>

# %% alt="The running sum of the losses of 8 digits over their 6,272 pixels. The line of float32 rises in stretches to 951 nats. The line of float16 follows it a little below and ends at 901. The line of bfloat16 falls behind from the second digit on and ends at 536."
trained = vh.trained_vae()
eight = data.x_test[:8]
trained.reseed(0)
logits = np.array(trained(eight)["logits"])
terms = (np.logaddexp(0, logits) - eight * logits).ravel()  # -log p of each pixel, in nats
sums = {name: np.cumsum(terms.astype(kind), dtype=kind).astype("float32") for name, kind in formats.items()}
fig, ax = plt.subplots(figsize=(7.5, 3.2))
for (name, running), style in zip(sums.items(), ("-", "--", "-.")):
    ax.plot(running, style, color=colours[name], label=f"{name}: {running[-1]:.1f}")
ax.set(xlabel="pixels added", ylabel="sum (nats)", title="A sum that is kept in 16 bits")
ax.legend();
# %% [markdown]
# **What you see.** The answer: float16 loses 5 % of the sum, bfloat16 more than 40 %.
# Small terms are lost, so the loss looks better than it is.
# This is a bad way to add: one number after the other.
# (`np.sum` adds in groups and loses less, and many libraries keep the sum in 32 bits inside; do not rely on it.)
# So a sum is kept in 32 bits, even where its terms have 16.
# The losses of this package do that, whatever the layers compute in.
# In your own code, write `ops.cast(logits, "float32")` before the loss.

# %% tags=["guard"]
vh.expect("sum of 8 digits in float32, nats", sums["float32"][-1], at_least=850, at_most=1050)
vh.expect("share of the sum that float16 keeps", sums["float16"][-1] / sums["float32"][-1], at_least=0.9, at_most=0.99)
vh.expect("share of the sum that bfloat16 keeps", sums["bfloat16"][-1] / sums["float32"][-1], at_least=0.4, at_most=0.7)
vh.expect(
    "distance at 150, bfloat16", float(np.spacing(ml_dtypes.bfloat16(150))), at_least=1, at_most=1, everywhere=True
)

# %% [markdown]
# ### The same weights, 16 bits
#
# With the policy **`mixed_bfloat16`** (or `mixed_float16`) the layers compute with 16 bits.
# The weights stay in float32, because a training step changes them by small amounts, which 16 bits would swallow.
#
# Is a trained model still the same?
# We take the convolutional VAE that comes with the package.
# Its file holds float16 numbers, so for float16 its weights would be exact, and the test too easy.
# So we train it a little more, three times, on different images.
# Each time, three twins with the same weights compute the loss of the same test images *with the same noise*.
# As a control, a fourth row has float32 and other noise.


# %%
def small_part(seed):
    """Other training images for each seed."""
    return data.x_train[seed * settings.samples :][: settings.samples]


def losses(vae, seed, images=data.x_test[:1000]):
    """The loss of each image, with one draw of z. Returns (n,), in nats."""
    vae.reseed(seed)
    parts = []
    for batch in np.array_split(images, 4):
        out = vae(batch)
        parts.append(vh.bernoulli_nll(batch, out["logits"]) + vh.gaussian_kl(out["mean"], out["log_var"]))
    return np.concatenate(parts).astype("float64")


# %%
def in_format(policy, build):
    """What build() makes, its layers computing as the policy says."""
    keras.config.set_dtype_policy(policy)
    model = build()
    keras.config.set_dtype_policy("float32")
    return model


policies = {"float32": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}
twins = {name: in_format(policy, vh.tutorial_vae) for name, policy in policies.items()}  # the same network

# %% [markdown]
# **Predict.** Which changes the loss of an image most: float16, bfloat16, or other noise?
# Is one of them worth worrying about?
#
# <details><summary>Open the answer when you have decided</summary>
#
# Other noise, by far.
# bfloat16 keeps between two and three digits of each number in a layer, float16 three; both errors are small beside what a draw of $z$ changes.
# But they need not average out: look at the mean with its standard error.
#
# </details>

# %%
start = trained.get_weights()
changes = {name: [] for name in ("float16", "bfloat16", "other noise")}
for seed in range(settings.seeds):
    trained.set_weights(start)
    trained.compile(keras.optimizers.Adam(1e-3))  # with an empty memory
    trained.fit(small_part(seed), batch_size=64, verbose=0)
    for twin in twins.values():
        twin.set_weights(trained.get_weights())
    exact = losses(twins["float32"], seed)
    for name in ("float16", "bfloat16"):
        changes[name].append(losses(twins[name], seed) - exact)
    changes["other noise"].append(losses(twins["float32"], seed + 100) - exact)
    print(f"model {seed}: loss {exact.mean():.1f} nats per image")

# %% alt="Three curves, one for each change: the share of images whose loss changed by less than the value on the logarithmic axis, in nats. float16 lies left, its middle near 0.015; bfloat16 next, its middle near 0.13; other noise far to the right, its middle near 2."
fig, ax = plt.subplots(figsize=(7.5, 3.2))
for (name, change), style in zip(changes.items(), ("--", "-.", "-")):
    sizes_of_change = np.sort(np.abs(np.concatenate(change)))
    ax.semilogx(sizes_of_change, np.linspace(0, 1, len(sizes_of_change)), style, color=colours[name], label=name)
    for one in change:
        print(f"{name:12s} mean change {one.mean():7.3f} ± {one.std() / len(one) ** 0.5:.3f} nats")
ax.set(
    xlim=(1e-4, 100),
    xlabel="change of the loss of an image (nats)",
    ylabel="share with at most\nthis change",
    title="At trained weights",
)
ax.legend()
middle = {name: np.median(np.abs(change)) for name, change in changes.items()}
vh.expect("bfloat16: middle change of an image, nats", middle["bfloat16"], at_least=0.03, at_most=0.3)
vh.expect("other noise / bfloat16, middle changes", middle["other noise"] / middle["bfloat16"], at_least=5)

# %% [markdown]
# **What you see.** Each curve says which share of the losses, three models together, changed by at most so much.
# Where it crosses 0.5 is the typical image.
# The answer: other noise.
# It changes the loss of a typical image by two to three nats, bfloat16 by 0.13, float16 by 0.017.
# (The ± is the standard error over the same 1,000 images.)
# For each of the three models, the mean change of float16 is below 0.01 nats, that of bfloat16 below 0.02.
# One mean of float16 is more than three standard errors from 0: the errors do not always average out.
# It matters in a table that compares models to a hundredth of a nat: evaluate those in float32.
# (Other noise, too, has a mean more than two standard errors from 0, once of three times; that is not rare.)

# %% tags=["guard"]
means = {name: np.abs([one.mean() for one in change]).max() for name, change in changes.items()}
vh.expect("float16: largest mean change, nats", means["float16"], at_most=0.01)
vh.expect("bfloat16: largest mean change, nats", means["bfloat16"], at_most=0.06)
vh.expect("float16: middle change, nats", middle["float16"], at_least=0.005, at_most=0.05)
vh.expect("other noise: middle change, nats", middle["other noise"], at_least=1)

# %% [markdown]
# ### A hundred steps with 16 bits
#
# Errors of single steps could add up.
# So we train: a small VAE with Dense layers, 100 steps of 16 images, from the same start, with the same images and the same noise.
# Then float32 measures all results, so that only the training differs.
# The control is again float32 with other noise.
#
# One thing is special about float16: gradients below 3 · 10⁻⁸ would become 0.
# So Keras multiplies the loss by a large number, 32,768 at the start, and divides the gradients by it afterwards: **loss scaling**.
# If a gradient then goes beyond 65,504, the step is *left out*, and the number is halved.
# `compile` puts a `LossScaleOptimizer` around Adam, without being asked.
# bfloat16 has the range of float32, and needs none of this.
#
# In the next cells, leave `strategy` and `scope` aside: they belong to the section on several devices.


# %%
def small_vae():
    return vh.VAE(vh.mlp_encoder((28, 28, 1), 4, (64,)), vh.mlp_decoder((28, 28, 1), 4, (64,)))


# %%
def trainer(policy="float32", strategy=None, scale=None, idle=0):
    """A function that trains a small VAE. scale: where loss scaling begins; idle: so many first steps change nothing."""
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([idle - 1], [0.0, 3e-3]) if idle else 3e-3
    with (strategy or tf.distribute.get_strategy()).scope():
        vae = in_format(policy, small_vae)
        adam = keras.optimizers.Adam(rate)
        vae.compile(keras.optimizers.LossScaleOptimizer(adam, initial_scale=scale) if scale else adam)
        vae.optimizer.build(vae.trainable_variables)
    # what Adam knows before the first step
    fresh = [ops.convert_to_numpy(one) for one in vae.optimizer.variables]

    def train(weights, images, seed):
        vae.set_weights(weights)
        for variable, value in zip(vae.optimizer.variables, fresh):
            variable.assign(value)
        vae.reseed(seed)
        vae.fit(images, batch_size=16, shuffle=False, verbose=0)
        return vae

    return train


# %% [markdown]
# So there are two rows for float16: one as Keras starts it, and one that starts at 512.
# And there is a second control: float32 whose first 5 steps change no weight.
# There a *schedule*, a rule that gives the learning rate of each step, makes it 0, and 0.003 afterwards.
# (It is not quite the same: Adam's averages take in these five gradients; where float16 leaves a step out, they do not.)
# The next cell takes about a minute.

# %%
trainers = {name: trainer(policy) for name, policy in policies.items()}
trainers["float16 from 512"] = trainer("mixed_float16", scale=512)
trainers["float32, 5 steps less"] = trainer(idle=5)
judge, starts, after, seconds = small_vae(), {}, {}, {}
for seed in range(settings.seeds):
    keras.utils.set_random_seed(seed)
    starts[seed] = small_vae().get_weights()
    for row in (*trainers, "other noise"):
        name, noise = ("float32", seed + 100) if row == "other noise" else (row, seed)
        started = time.perf_counter()
        vae = trainers[name](starts[seed], small_part(seed), noise)
        seconds[name] = min(time.perf_counter() - started, seconds.get(name, np.inf))  # the first runs also compile
        judge.set_weights(vae.get_weights())
        after[row, seed] = losses(judge, 0)
        if row.startswith("float16"):
            taken, scale = vae.optimizer.inner_optimizer.iterations, vae.optimizer.dynamic_scale
            print(f"{row}, seed {seed}: {int(taken)} steps taken, scale {float(scale):.0f}")

# %% alt="For each of three seeds, five marks with short error bars: the test loss after 100 steps minus that of float32, in nats. float16: 5.8, 0.7 and 7.0. float32 with 5 steps less: 7.5, 0.2 and 3.7. float16 from 512: 0.1, 0.2 and 3.2. bfloat16: 1.0, 1.1 and 1.8. Other noise: 7.3, 5.2 and −0.4. A grey line marks 0."
fig, ax = plt.subplots(figsize=(7.5, 3.2))
apart = {}
rows = ("float16", "float32, 5 steps less", "float16 from 512", "bfloat16", "other noise")
for shift, (row, mark) in enumerate(zip(rows, "ov^sD")):
    change = np.array([after[row, seed] - after["float32", seed] for seed in range(settings.seeds)])
    apart[row] = change.mean(axis=1)
    error = change.std(axis=1) / change.shape[1] ** 0.5
    ax.errorbar(np.arange(settings.seeds) + 0.12 * (shift - 2), apart[row], error, fmt=mark, color=colours[row], label=row)
    times = f"; {seconds[row] / seconds['float32']:.1f} × the seconds of float32" if row in seconds else ""
    print(f"{row:21s} {np.round(apart[row], 2)} nats{times}")
ax.axhline(0, color="0.6", linewidth=1)
ax.set(xticks=range(settings.seeds), xlabel="seed", ylabel="nats", title="Test loss after 100 steps, minus float32")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1));

# %% [markdown]
# **What you see.** (The bars are standard errors over the same 1,000 images; they are small, and tell nothing about other seeds.)
# float16, as Keras starts it, ends 0.7 to 7 nats behind float32.
# But 5 of its 100 steps are missing: the loss was multiplied by too much, and the steps were left out.
# (Five halvings: from 32,768 to 1,024.)
# When it starts at 512, no step is missing, and in two of the three runs it ends within 0.2 nats of float32; in the third, 3.2 nats are left.
# And float32 with 5 steps less ends 0.2 to 7.5 nats behind.
# On average over the seeds, 5 steps less cost 3.8 nats, and float16 lags by 4.5; seed by seed the two agree only roughly.
# So the steps left out are probably the larger part of the lag.
# (For scale: in the last section such a model has a mean training loss of 249 nats over its first 100 steps, and 180 over the next 100, so a few steps count.)
# bfloat16 ends 1 to 2 nats behind.
#
# Other noise changes the final loss by up to 7 nats, so three seeds do not show that 16 bits are worse.
# All nine differences of the rows with 16 bits lie above 0, but in each seed they share one run of float32, so this decides nothing.
# It is 100 steps of a small model: repeat this with yours.
#
# The seconds are those of this processor.
# float16 took some 20 times as long as float32, and bfloat16 more than twice as long, so here 16 bits save nothing.
# (The row with 5 steps less takes 2.5 times as long, too, and it is float32: so not every factor comes from the bits.)
# (The models are small; why it is so much, we did not look into.)

# %% tags=["guard"]
vh.expect("float16 behind float32, nats, mean", apart["float16"].mean(), at_least=1, at_most=9)
vh.expect("float16 from 512, middle of three, nats", np.median(apart["float16 from 512"]), at_least=-1.5, at_most=2)
vh.expect("float16 from 512: steps left out", settings.samples // 16 - int(taken), at_least=0, at_most=0, everywhere=True)
vh.expect("bfloat16, largest difference, nats", np.abs(apart["bfloat16"]).max(), at_most=4)
vh.expect("other noise, largest difference, nats", np.abs(apart["other noise"]).max(), at_least=3)
vh.expect("float16, seconds / float32", seconds["float16"] / seconds["float32"], at_least=2, look_at="do you have a GPU?")

# %% [markdown]
# ## Several devices
#
# A *device* is a processor that TensorFlow uses: the CPU, or a GPU.
# With **`tf.distribute.MirroredStrategy`** each device has a copy of all weights (TensorFlow calls a copy a *replica*).
# Each batch is divided among the devices.
# Each device computes the gradient for its part, these gradients are *added up*, and all copies take the same step.
# Our CPU counts as two devices since the setup.
#
# When do two devices train the model of one?
# When their sum is the gradient that one device computes for the whole batch.
# Two things can go wrong: how the losses are averaged, and where the noise comes from.
#
# ### Exercise A1.2 · The share of one device · 6 min
#
# What must one device give, so that the shares of all devices add up to the mean loss of the batch?
# It gets the losses of its own images, and the number of images on all devices together.
# The last batch of an epoch is often *ragged*: smaller than the others, so that devices get different numbers of images, perhaps none.
# A device without images gives 0.


# %%
def device_share(losses, global_batch):
    """What one device gives. losses: (n,), of its own images; global_batch: the images of all devices."""
    ### BEGIN SOLUTION
    return ops.sum(losses) / global_batch
    ### END SOLUTION


vh.check.device_share(device_share)

# %% [markdown]
# **Target:** five losses, 1, 2, 3, 4, 5, on two devices:
# `device_share(np.array([1.0, 2.0, 3.0]), 5)` is 1.2, and `device_share(np.array([4.0, 5.0]), 5)` is 1.8.
# Together 3.0, the mean.
# With gradients it is the same, because the gradient of a sum is the sum of the gradients.
#
# ### Exercise A1.3 · The noise of one device · 6 min
#
# A VAE draws noise for each image: $z=\mu+\sigma\varepsilon$.
# Think of one table of noise for the whole batch, one row for each image, in the order of the batch.
# Device 0 has the first images, device 1 the next ones, and so on; `shares` says how many each has.
# Which rows does a device need?


# %%
def own_noise(noise, shares, device):
    """The rows of one device. noise: (images of the batch, latents); shares: images of each device; device: its number, from 0."""
    ### BEGIN SOLUTION
    start = sum(shares[:device])
    return noise[start : start + shares[device]]
    ### END SOLUTION


vh.check.own_noise(own_noise)

# %% [markdown]
# **Target:** with `noise = np.arange(5.0)[:, None]`, the call `own_noise(noise, (3, 2), 1)` is `[[3.0], [4.0]]`.
#
# ### Two devices against one
#
# Now we try right and wrong ways on two devices.
# `gradient` is the training step that you know, without the last line; it runs on each device.
# `strategy.run` starts it there, and `strategy.reduce("SUM", …)` adds up.
# `give` hands the first part to device 0 and the second one to device 1.

# %%
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():  # weights that are made here have a copy on each device
    shared = small_vae()
shared.set_weights(judge.get_weights())


# %%
def gradient(images, noise, share):
    """The gradient of share(losses), as one long vector. images: (n, 28, 28, 1); noise: (n, 4)."""
    with tf.GradientTape() as tape:
        mean, log_var = shared.encoder(images)
        z = mean + ops.exp(0.5 * log_var) * noise
        loss = share(vh.bernoulli_nll(images, shared.decoder(z)) + vh.gaussian_kl(mean, log_var))
    return tf.concat([tf.reshape(one, [-1]) for one in tape.gradient(loss, shared.trainable_variables)], 0)


def on_two_devices(images, noise, share):
    """What both devices give, added up. images, noise: one array for each device."""

    def give(parts):
        return strategy.experimental_distribute_values_from_function(
            lambda device: parts[device.replica_id_in_sync_group]
        )

    each = strategy.run(gradient, args=(give(images), give(noise), share))
    return strategy.reduce("SUM", each, axis=None)


# %% [markdown]
# **Predict.** Device 1 gets the same seed as device 0, so both draw the same noise.
# Is that a mistake, or only another draw?
#
# <details><summary>Open the answer when you have decided</summary>
#
# A mistake, and one that raises no error.
# Each image for itself has good noise.
# But with 16 images, 8 on each device, image 1 and image 9 share it: their errors point the same way more often, and average out less.
# The gradient is right on average, and noisier.
#
# </details>


# %%
def compare(n, ways):
    """Each way's gradient minus that of one device, as a share of its length, for three batches of n images."""
    found = {name: [] for name in ways}
    for seed in range(3):
        x, rng = data.x_test[n * seed :][:n], np.random.default_rng(seed)
        e, other = rng.normal(size=(2, n, 4)).astype("float32")
        one = gradient(x, e, lambda losses: ops.sum(losses) / n)
        for name, way in ways.items():
            found[name].append(float(tf.norm(way(x, e, other) - one) / tf.norm(one)))
    for name, values in found.items():
        print(f"{name:44s}", "  ".join(f"{value:.1g}" if value < 1e-3 else f"{value:.2f}" for value in values))
    return found


# %% [markdown]
# The rows: *own mean* is the mean over a device's own images, *sum / 16* the rule of exercise A1.2.
# *Noise by place* is that of A1.3; with *the same noise*, both devices get the first 8 rows.

# %%
def halves(x):
    first = (len(x) + 1) // 2  # the larger half, where they differ
    return [x[:first], x[first:]]


def share_of_16(losses):
    return ops.sum(losses) / 16


even = compare(16, {
    "own mean, noise by place": lambda x, e, _: on_two_devices(halves(x), halves(e), ops.mean),
    "sum / 16, the same noise on both": lambda x, e, _: on_two_devices(halves(x), [e[:8]] * 2, share_of_16),
    "sum / 16, noise by place": lambda x, e, _: on_two_devices(halves(x), halves(e), share_of_16),
    "one device, other noise (control)": lambda x, e, other: gradient(x, other, share_of_16),
})  # fmt: skip
vh.expect(
    "two devices against one, noise by place", max(even["sum / 16, noise by place"]), at_most=1e-5, everywhere=True
)

# %% [markdown]
# **What you see.** One line for each way, one number for each of three batches.
# With own means, the sum is twice as long as it should be: it is away by its whole length, 1.00.
# With the same noise on both devices, half of the images have other noise than on one device, so the gradient differs.
# With the right share and noise by place, two devices give the gradient of one, up to rounding.
#
# The last line shows that a difference alone proves nothing: one device with other noise differs more.
# So is the same noise on both devices harmless?
# For each of three batches we draw 100 times, and look at the spread of the gradient.

# %%
def spread(images, same):
    """How much the gradient moves over draws of the noise. same: whether both halves of the batch get the same."""
    rng, drawn = np.random.default_rng(0), []
    for _ in range(settings.samples // 16):
        e = rng.normal(size=(16, 4)).astype("float32")
        e[8:] = e[:8] if same else e[8:]
        drawn.append(gradient(images, e, lambda losses: ops.sum(losses) / 16).numpy())
    return np.sqrt(np.var(drawn, axis=0).sum())


spreads = np.array([[spread(data.x_test[start:][:16], same) for start in (0, 16, 32)] for same in (False, True)])
print("own noise for each image:      ", np.round(spreads[0], 1))
print("the same noise on both devices:", np.round(spreads[1], 1))
vh.expect("the same noise / own noise, mean of three", np.mean(spreads[1] / spreads[0]), at_least=1.02, at_most=1.42)

# %% [markdown]
# **What you see.** The answer: it is a mistake.
# The gradient spreads more in each of the three batches, by 16 to 26 %, as if the batch were smaller.
# (Each spread is from 100 draws, so it is uncertain by some percent itself.)
# How much noisier can shared noise make a gradient?
# Let $a$ and $b$ be the errors of the gradients of two images, with the same variance $v$ and the correlation $\rho$:
#
# $$\mathrm{Var}\Big(\frac{a+b}2\Big)=\frac v2\,(1+\rho)$$
#
# Without shared noise $\rho=0$, so sharing makes the spread larger by $\sqrt{1+\rho}$, which is at most $\sqrt2$, for equal images.
#
# Does Keras make this mistake?
# We ask each device for its first two random numbers.

# %%
with strategy.scope():
    generator = keras.random.SeedGenerator(0)
first_two = strategy.run(lambda: keras.random.normal((2,), seed=generator))
for device, numbers_of_device in enumerate(strategy.experimental_local_results(first_two)):
    print(f"device {device}:", ops.convert_to_numpy(numbers_of_device).round(3))

# %% [markdown]
# **What you see.** The same numbers twice: where a random generator is made in the scope of a strategy, all devices get the same noise.
# (We saw it outside of `fit`, and in this version of Keras: print it in yours.)
#
# **How the package does it.**
# Each device of a `vh.VAE` draws the table for *all* devices, from the same seed, and takes its own rows.
# No message between the devices is needed, and a full batch has the noise that one device would draw.

# %% [markdown]
# ### The ragged last batch
#
# 23 images in batches of 16 leave 7 for the last one.
# Which device gets how many, and what do the two rules of averaging give?

# %%
batches = tf.data.Dataset.from_tensor_slices(data.x_test[:23]).batch(16)
for batch in strategy.experimental_distribute_dataset(batches):
    print("images on each device:", [len(part) for part in strategy.experimental_local_results(batch)])
ragged = compare(7, {
    "own mean / 2 devices": lambda x, e, _: on_two_devices(halves(x), halves(e), lambda v: ops.mean(v) / 2),
    "sum / 7": lambda x, e, _: on_two_devices(halves(x), halves(e), lambda v: ops.sum(v) / 7),
})  # fmt: skip
vh.expect("ragged: own mean / 2, smallest difference", min(ragged["own mean / 2 devices"]), at_least=0.02)

# %% [markdown]
# **What you see.** The last batch is divided into 4 and 3.
# With "own mean / 2", each of the three images counts 1/6 and each of the four 1/8, in place of 1/7.
# The gradient is then off, by 11 to 16 % of its length.
# With the sum divided by 7 it is right.
# A `vh.VAE` takes "own mean / 2" in training: to know how many images the others got, the devices would have to ask each other in each step.
# How much does this cost in the model?
# We train it through 99 full batches and a ragged one, on one device and on two.

# %%
fits = tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 10)  # older ones report a wrong loss for two devices
one, two = trainers["float32"], trainer(strategy=strategy)
difference = {"full batches": [], "a ragged batch at the end": []}
for seed in range(settings.seeds if fits else 0):
    for name, images in zip(difference, (small_part(seed), small_part(seed)[:-9])):
        found = []
        for train in (one, two):
            judge.set_weights(train(starts[seed], images, seed).get_weights())
            found.append(losses(judge, 0))
        difference[name].append(np.mean(found[1] - found[0]))
for name, values in difference.items():
    print(f"{name:26s} two devices minus one: {np.round(values, 4)} nats")

# %% [markdown]
# **What you see.** With full batches, two devices and one end within 0.05 nats of each other.
# What differs is rounding, which 100 steps enlarge.
# With a ragged batch at the end they are 0.01 to 0.02 nats apart, on both sides of 0: less than rounding did in one run (0.046).
# So three runs show no cost that could be told from rounding, and other noise changes the loss by up to 7 nats.
# In several epochs, later steps could enlarge it.
# With few batches in an epoch, choose a batch size that divides the number of images.

# %% tags=["guard"]
for name, values in difference.items():
    vh.expect(f"two devices minus one, {name}, nats", np.abs([0, *values]).max(), at_most=0.3)
vh.expect("own means, too long by", np.abs(np.array(even["own mean, noise by place"]) - 1).max(), at_most=1e-3, everywhere=True)
vh.expect("ragged, sum / 7", max(ragged["sum / 7"]), at_most=1e-5, everywhere=True)

# %% [markdown]
# ## Two workers
#
# **`MultiWorkerMirroredStrategy`** does the same with several computers, called *workers*.
# Each runs the same program.
# The variable `TF_CONFIG` in its environment says where all workers are, and which one it is.
# This is the whole program:

# %%
program = """
import sys
import vae_helpers as vh, keras, numpy as np, tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()  # reads TF_CONFIG
keras.utils.set_random_seed(0)
with strategy.scope():
    vae = vh.VAE(vh.mlp_encoder((28, 28, 1), 4, (64,)), vh.mlp_decoder((28, 28, 1), 4, (64,)))
    vae.compile(keras.optimizers.Adam(3e-3))
vae.reseed(0)
loss = vae.fit(np.load(sys.argv[1]), batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
print(strategy.num_replicas_in_sync, "workers, loss after each epoch:", *loss, flush=True)
"""

# %% [markdown]
# The next two cells say how to start it twice on this computer.
# You need not read them; the cell after them does it.
# The workers talk over the address 127.0.0.1, which means "this computer".
# Where a worker does not answer, the other one waits for ever, so there is a limit of time.


# %%
def environments():
    """The environment of each of two workers, with TF_CONFIG and two free ports."""
    free = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    places = [f"127.0.0.1:{one.getsockname()[1]}" for one in free]
    [one.close() for one in free]
    tasks = [{"cluster": {"worker": places}, "task": {"type": "worker", "index": number}} for number in range(2)]
    return [{**os.environ, "TF_CONFIG": json.dumps(task), "CUDA_VISIBLE_DEVICES": "-1"} for task in tasks]


# %%
def run_workers(images, limit=150):
    """The line that each worker prints. Raises TimeoutExpired after `limit` seconds."""
    np.save(path := f"{tempfile.mkdtemp()}/images.npy", images)
    command, how = [sys.executable, "-c", program, path], {"text": True, "stderr": subprocess.STDOUT}
    running = [subprocess.Popen(command, env=own, stdout=subprocess.PIPE, **how) for own in environments()]
    try:
        printed = [one.communicate(timeout=limit)[0] for one in running]
    finally:
        [one.kill() for one in running]
    return [next((line for line in one.splitlines() if "epoch:" in line), one) for one in printed]


# %%
def numbers(line):
    return np.array([float(word) for word in line.partition("epoch:")[2].split()])


keras.utils.set_random_seed(0)
alone = small_vae()
alone.compile(keras.optimizers.Adam(3e-3))
alone.reseed(0)
alone = alone.fit(small_part(0), batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
print("1 device, loss after each epoch:", *np.round(alone, 3))
for line in run_workers(small_part(0)) if fits else []:
    print(line.partition(":")[0] + ":", *np.round(numbers(line), 3))
    vh.expect(
        "worker minus one device, as a share", np.abs(numbers(line) / alone - 1).max(), at_most=1e-3, everywhere=True
    )

# %% [markdown]
# **What you see.** Both workers report the losses of one device.
# (Two workers that train alone, each on all images, would print the same; the words "2 workers" say that they are joined.)
# We do not measure seconds here, since both share one processor.
#
# **On machines of your own.** `tf.distribute.MirroredStrategy()`, without a list, takes all GPUs of one computer.
# For several computers, set `TF_CONFIG` on each of them as `environments` does, with addresses and open ports that the others can reach.
# Leave out `CUDA_VISIBLE_DEVICES`, which hides the GPUs, give each machine the file of images, and start the same program.
#
# ### Exercise A1.4 · Four symptoms · 5 min
#
# Four students report what they see.
# Name the cause, and one measurement that would prove it.
#
# 1. With float16, the first steps change no weight at all, and then it trains.
# 2. I compute everything in bfloat16, my own loss too: all losses are whole numbers.
# 3. With four GPUs and plain gradient descent (weight minus learning rate times gradient), training fails at a learning rate that is fine on one.
# 4. With two GPUs it trains, but the gradient is noisier than on one with the same batch.
#
# <details><summary>Open the answers when you have decided</summary>
#
# 1. Loss scaling begins with too large a number, so steps are left out.
#    Proof: the optimizer's `iterations`, and its `dynamic_scale` before and after.
# 2. From 128 to 256 the numbers of bfloat16 are 1 apart, above that 2 and more.
#    Proof: the loss of the same logits, once as they are and once after `ops.cast(logits, "float32")`; print both.
# 3. Each device takes the mean over its own images, and the sum of four is four times too long.
#    Proof: the length of the summed gradient, against one device.
#    (Adam hides this mistake, because it divides by the size of the gradient.)
# 4. The devices draw the same noise.
#    Proof: print one row of noise on each device.
#
# </details>
#
# None of the four raises an error: only a measurement finds the cause.

# %%
vh.figures_compared()

# %% [markdown]
# ## To take away
#
# 1. Both formats give up digits, bfloat16 more; float16 also gives up range.
#    Sums are kept in float32 in both.
# 2. At trained weights, 16 bits changed the loss of an image far less than another draw of the noise does; for one model, trained on in three ways.
# 3. After 100 steps, float16 was behind, with 5 steps left out; without this, two of three runs ended within 0.2 nats of float32, and one 3.2 behind.
#    bfloat16 ended 1 to 2 nats behind; other noise moved the loss by 0.4 to 7, so three runs of a small model do not tell bfloat16 from float32.
# 4. Many devices train the model of one when each image counts 1 / (images of the batch), and row $n$ of the noise belongs to image $n$, wherever it is.
# 5. No speed of a GPU was measured here; that the program is right can be measured anywhere.
#
# **Where the ideas come from.**
# Half precision, weights in float32 and loss scaling: P. Micikevicius and others, *Mixed precision training*, ICLR 2018, sections 3.1 to 3.3.
# bfloat16: D. Kalamkar and others, *A study of BFLOAT16 for deep learning training*, 2019.
# The mean of each device: P. Goyal and others, *Accurate, large minibatch SGD*, 2017, section 3.
# The strategies: the TensorFlow guide *Distributed training with TensorFlow*.
