"""What accompanies training."""

import keras


class Frames(keras.callbacks.Callback):
    """Keep one picture before training and one after each epoch, for `save_gif`.

    draw: a function of the model that returns an array. The pictures are in `frames`.
    """

    def __init__(self, draw):
        super().__init__()
        self.draw = draw
        self.frames = []

    def on_train_begin(self, logs=None):
        self.frames = [self.draw(self.model)]

    def on_epoch_end(self, epoch, logs=None):
        self.frames.append(self.draw(self.model))
