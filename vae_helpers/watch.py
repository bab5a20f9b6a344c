"""What watches a training: how many steps were done, and the first one at which a number was not finite."""

import math

import keras
from keras import ops


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


def iterations(optimizer):
    """The variable that counts the steps. Under mixed_float16 one optimizer holds another, which counts."""
    return getattr(optimizer, "inner_optimizer", optimizer).iterations


def steps_done(model):
    return int(iterations(model.optimizer).numpy())  # int(variable) fails where several devices hold it


class Watch(keras.callbacks.Callback):
    """Ends a training whose numbers go bad, and knows how far one came that is stopped by hand."""

    async_safe = True  # Keras may call it beside the training, instead of waiting between two calls
    _epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._first_step = epoch + 1, steps_done(self.model)

    def place(self):
        if self._epoch is None:
            return "before the first step"
        step = steps_done(self.model) - self._first_step
        return f"in epoch {self._epoch} of {self.params['epochs']}, after {step} of its steps"

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            self._look_at_the_terms()
            self._stop("loss", f"in epoch {self._epoch}")  # the terms are finite: it is a regularizer

    def on_test_begin(self, logs=None):  # before Keras resets the metrics
        self._look_at_the_terms()

    def on_epoch_end(self, epoch, logs=None):
        for name in ("loss", "val_loss"):
            if not math.isfinite(logs.get(name, 0.0)):
                self._stop(name, f"at the end of epoch {self._epoch}")

    def on_train_end(self, logs=None):
        if not all(ops.all(ops.isfinite(weight)) for weight in self.model.trainable_weights):
            self._stop("weights", "in the last step")

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
