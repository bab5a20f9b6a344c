"""The MLP VAE 784-400-20-400-784 in four other hands, each as its library's users write it.

Each function trains on images (n, 784) of 0 and 1, with Adam 1e-3 and the same loss (sums over pixels and latents, the
mean over the batch), and returns the seconds of each epoch and the mean loss of the last one.
"""

import time

import numpy as np

PIXELS, HIDDEN, LATENTS = 784, 400, 20
STEP = 1e-3


def keras_loop(x, batch, epochs):
    """Keras networks, a tf.data pipeline, one tf.function call for each batch."""
    import keras
    import tensorflow as tf
    from keras import layers

    image, code = keras.Input((PIXELS,)), keras.Input((LATENTS,))
    features = layers.Dense(HIDDEN, activation="relu")(image)
    encoder = keras.Model(image, [layers.Dense(LATENTS)(features), layers.Dense(LATENTS)(features)])
    decoder = keras.Model(code, layers.Dense(PIXELS)(layers.Dense(HIDDEN, activation="relu")(code)))
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer = keras.optimizers.Adam(STEP)
    batches = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x)).batch(batch)

    @tf.function
    def train_step(images):
        with tf.GradientTape() as tape:
            mean, log_var = encoder(images)
            z = mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))
            cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=decoder(z))
            kl = -0.5 * tf.reduce_sum(1 + log_var - tf.square(mean) - tf.exp(log_var), axis=1)
            loss = tf.reduce_mean(tf.reduce_sum(cross_entropy, axis=1) + kl)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    seconds = []
    for _ in range(epochs):
        started = time.perf_counter()
        losses = [train_step(images) for images in batches]
        loss = float(np.mean([one.numpy() for one in losses]))
        seconds.append(time.perf_counter() - started)
    return seconds, loss


def torch_loop(x, batch, epochs, threads, loader=False):
    """PyTorch. Batches are cut from one shuffled tensor, or with loader=True collected by its DataLoader."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(threads)

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.mean = nn.Linear(PIXELS, HIDDEN), nn.Linear(HIDDEN, LATENTS)
            self.log_var = nn.Linear(HIDDEN, LATENTS)
            self.back, self.pixels = nn.Linear(LATENTS, HIDDEN), nn.Linear(HIDDEN, PIXELS)

        def forward(self, images):
            features = functional.relu(self.hidden(images))
            mean, log_var = self.mean(features), self.log_var(features)
            z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
            return self.pixels(functional.relu(self.back(z))), mean, log_var

    def loss_of(images, logits, mean, log_var):
        cross_entropy = functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
        return (cross_entropy + kl) / len(images)

    images = torch.from_numpy(x)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), STEP)
    collected = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images), batch, shuffle=True)

    def batches():
        if loader:
            yield from (one for (one,) in collected)
        else:
            yield from (images[rows] for rows in torch.randperm(len(images)).split(batch))

    seconds = []
    for _ in range(epochs):
        started = time.perf_counter()
        losses = []
        for one in batches():
            optimizer.zero_grad()
            loss = loss_of(one, *model(one))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
    return seconds, float(np.mean(losses))


def flax_loop(x, batch, epochs):
    """Flax (linen) on JAX, with optax: one jitted call for each batch."""
    import jax
    import optax
    from flax import linen
    from flax.training.train_state import TrainState
    from jax import numpy as jnp

    class VAE(linen.Module):
        @linen.compact
        def __call__(self, images, key):
            features = linen.relu(linen.Dense(HIDDEN)(images))
            mean, log_var = linen.Dense(LATENTS)(features), linen.Dense(LATENTS)(features)
            z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
            return linen.Dense(PIXELS)(linen.relu(linen.Dense(HIDDEN)(z))), mean, log_var

    @jax.jit
    def train_step(state, images):
        noise = jax.random.fold_in(key, state.step)

        def loss_of(params):
            logits, mean, log_var = state.apply_fn(params, images, noise)
            cross_entropy = optax.sigmoid_binary_cross_entropy(logits, images).sum(axis=1)
            kl = -0.5 * jnp.sum(1 + log_var - mean**2 - jnp.exp(log_var), axis=1)
            return jnp.mean(cross_entropy + kl)

        loss, gradients = jax.value_and_grad(loss_of)(state.params)
        return state.apply_gradients(grads=gradients), loss

    model, key = VAE(), jax.random.key(0)
    params = model.init(key, x[:batch], key)
    state = TrainState.create(apply_fn=model.apply, params=params, tx=optax.adam(STEP))
    rng = np.random.default_rng(0)
    seconds = []
    for _ in range(epochs):
        started = time.perf_counter()
        losses = []
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch):
            state, loss = train_step(state, x[order[start : start + batch]])
            losses.append(loss)
        loss = float(np.mean(jax.device_get(losses)))
        jax.block_until_ready(state)  # JAX returns before it has computed
        seconds.append(time.perf_counter() - started)
    return seconds, loss
