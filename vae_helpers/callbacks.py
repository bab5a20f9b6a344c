"""Pictures of a model while it trains, for a film."""

import keras

from vae_helpers.watch import steps_done


class Frames(keras.callbacks.Callback):
    """Keep one picture before training and one after each epoch, or after every so many steps, for `save_gif`.

    draw: a function of the model that returns an array. every: training steps between two pictures; None for one
        picture an epoch. The last picture is always that of the trained model. The pictures are in `frames`.
    """

    def __init__(self, draw, every=None):
        super().__init__()
        self.draw = draw
        self.every = every
        self.frames = []

    def _steps(self):
        return steps_done(self.model) - self._first

    def _keep(self):
        self._kept_at = self._steps()
        self.frames.append(self.draw(self.model))

    def on_train_begin(self, logs=None):
        self._first = steps_done(self.model)
        self.frames = []
        self._keep()

    def on_train_batch_end(self, batch, logs=None):
        # Several steps may pass between two calls; a picture is due when they passed a multiple of `every`.
        if self.every and self._steps() // self.every > self._kept_at // self.every:
            self._keep()

    def on_epoch_end(self, epoch, logs=None):
        if not self.every:
            self._keep()

    def on_train_end(self, logs=None):
        if self._kept_at != self._steps():
            self._keep()
