"""What watches a training: how far it came, the first step whose pixels or numbers are bad, and a stop by hand."""

import contextlib
import math
import signal
import threading

import keras
from keras import ops

from vae_helpers.losses import check_range


class Mean(keras.metrics.Mean):
    """The mean over an epoch so far, and for how many steps it was finite."""

    def __init__(self, name):
        super().__init__(name=name)
        self.finite_steps = self.add_variable(shape=(), initializer="zeros", name="finite_steps")

    def update_state(self, values, sample_weight=None):
        super().update_state(values, sample_weight)
        self.finite_steps.assign_add(ops.cast(ops.isfinite(self.total), self.finite_steps.dtype))

    def reset_state(self):
        super().reset_state()
        self.finite_steps.assign(0)


class PixelMean(Mean):
    """The mean of the reconstruction, and the range of the pixels so far, and for how many steps it was allowed."""

    def __init__(self, name, pixels):
        super().__init__(name)
        self.pixels = pixels
        self.lowest = self.add_variable(shape=(), initializer="zeros", name="lowest")
        self.highest = self.add_variable(shape=(), initializer="zeros", name="highest")
        self.good_steps = self.add_variable(shape=(), initializer="zeros", name="good_steps")

    def look_at(self, x, target):
        """x, target: images of one step; often the same."""
        low, high = ops.min(target), ops.max(target)
        if x is not None and x is not target and x.shape == target.shape:
            x = ops.cast(x, target.dtype)
            low, high = ops.minimum(low, ops.min(x)), ops.maximum(high, ops.max(x))
        low, high = (ops.cast(value, self.lowest.dtype) for value in (low, high))
        self.lowest.assign(ops.minimum(self.lowest, low))
        self.highest.assign(ops.maximum(self.highest, high))
        # A range that was left once stays left, and NaN stays NaN: the count stops at the first bad step.
        good = ops.logical_and(self.lowest >= self.pixels[0], self.highest <= self.pixels[1])
        finite = ops.isfinite(self.lowest + self.highest)
        self.good_steps.assign_add(ops.cast(ops.logical_and(good, finite), self.good_steps.dtype))

    def reset_state(self):
        super().reset_state()
        for variable in (self.lowest, self.highest, self.good_steps):
            variable.assign(0)


@contextlib.contextmanager
def ask_before_stopping(watch):
    """Let Ctrl-C end a training between two steps, at the next one that `watch` sees; a second one ends it at once.

    As Python does it by itself, a Ctrl-C that falls into a destructor is lost, and one that falls into the tracing of
    a step leaves half of it behind. Outside the main thread, and where somebody else handles Ctrl-C, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return

    def ask(number, frame):
        if watch.stop_asked:
            before(number, frame)
        watch.stop_asked = True

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    watch.stop_if_asked()  # asked after the last step


def iterations(optimizer):
    """The variable that counts the steps. Under mixed_float16 one optimizer holds another, which counts."""
    return getattr(optimizer, "inner_optimizer", optimizer).iterations


def steps_done(model):
    return int(iterations(model.optimizer).numpy())  # int(variable) fails where several devices hold it


class Watch(keras.callbacks.Callback):
    """Ends a training whose numbers go bad, and knows how far one came that is stopped by hand."""

    async_safe = True  # Keras may call it beside the training, instead of waiting between two calls
    stop_asked = False
    _epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._first_step = epoch + 1, steps_done(self.model)

    def place(self):
        if self._epoch is None:
            return "before the first step"
        step = steps_done(self.model) - self._first_step
        return f"in epoch {self._epoch} of {self.params['epochs']}, after {step} of its steps"

    def on_train_batch_begin(self, batch, logs=None):
        self.stop_if_asked()

    def on_train_batch_end(self, batch, logs=None):
        self.stop_if_asked()
        self._look_at_the_pixels()
        if not math.isfinite(logs["loss"]):
            self._look_at_the_terms()
            self._stop("loss", f"in epoch {self._epoch}")  # the terms are finite: it is a regularizer

    def on_test_begin(self, logs=None):  # before Keras resets the metrics
        if self._epoch is not None:
            self._look_at_the_terms()

    def on_test_batch_end(self, batch, logs=None):
        self.stop_if_asked()
        self._look_at_the_pixels(" of the validation" if self._epoch is not None else "")

    def on_epoch_end(self, epoch, logs=None):
        for name in ("loss", "val_loss"):
            if not math.isfinite(logs.get(name, 0.0)):
                self._stop(name, f"at the end of epoch {self._epoch}")

    def on_train_end(self, logs=None):
        if not all(ops.all(ops.isfinite(weight)) for weight in self.model.trainable_weights):
            self._stop("weights", "in the last step")

    def stop_if_asked(self):
        if self.stop_asked:
            raise KeyboardInterrupt

    def _look_at_the_pixels(self, part=""):
        seen = self.model.reconstruction_tracker
        low, high, pixels = float(seen.lowest.numpy()), float(seen.highest.numpy()), seen.pixels
        if pixels[0] <= low and high <= pixels[1] and math.isfinite(low + high):
            return
        where = f" in batch {int(seen.good_steps.numpy()) + 1}" if self.model._replicas == 1 else ""
        epoch = f" of epoch {self._epoch}" if self._epoch is not None else ""
        again = "" if self._epoch is None else " Then build the model again: it was trained on them."
        try:
            check_range(low, high, "the data", pixels, f"{where}{part}{epoch}")
        except ValueError as error:
            raise ValueError(f"{error}{again}") from None

    def _look_at_the_terms(self):
        terms = [metric for metric in self.model.metrics if isinstance(metric, Mean)]
        replicas = self.model._replicas  # each counts the step
        steps = {t.name: int(t.finite_steps.numpy()) // replicas for t in terms if not math.isfinite(float(t.result()))}
        if steps:
            first = min(steps.values())
            names = " and ".join(name for name, step in steps.items() if step == first)
            self._stop(names, f"at step {first + 1} of epoch {self._epoch}")

    def _stop(self, what, where):
        rate = float(ops.multiply(self.model.optimizer.learning_rate, 1.0))  # a plain number on several devices too
        raise FloatingPointError(
            f"{what} became infinite or not a number {where}. Most often the learning rate is too high: it is "
            f"{rate:g}; try {rate / 10:g}. Build the model again first, because its weights are spoiled. Its `history` "
            "has the epochs before."
        )
