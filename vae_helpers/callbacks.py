"""What accompanies training."""

import keras


class Frames(keras.callbacks.Callback):
    """Keep one picture before training, one after every so many steps, and one after each epoch, for `save_gif`.

    draw: a function of the model that returns an array. every: training steps between two pictures; None for
        pictures after whole epochs only. The pictures are in `frames`.
    """

    def __init__(self, draw, every=None):
        super().__init__()
        self.draw = draw
        self.every = every
        self.frames = []
        self._drawn = 0

    def on_train_begin(self, logs=None):
        self.frames = [self.draw(self.model)]

    def on_epoch_begin(self, epoch, logs=None):
        self._drawn = 0

    def on_train_batch_end(self, batch, logs=None):
        # With several steps per execution, `batch` jumps; a picture is due when it passes a multiple of `every`.
        if self.every and (batch + 1) // self.every > self._drawn:
            self._drawn = (batch + 1) // self.every
            self.frames.append(self.draw(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.frames.append(self.draw(self.model))
