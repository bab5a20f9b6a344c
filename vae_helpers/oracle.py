"""TensorFlow Probability, which checks our formulas. The course runs without it."""

import importlib

import tensorflow as tf


def tensorflow_probability(left_out=None):
    """Import TensorFlow Probability, somebody else's formulas to compare ours with.

    left_out: what the caller leaves out where the import fails. Then one printed line says so.

    Returns the module, or None if the import fails and `left_out` is given.
    Raises ImportError, with what to install, if the import fails and `left_out` is not given.
    """
    try:
        library = importlib.import_module("tensorflow_probability")
        _ = library.distributions.Normal  # it loads its parts at their first use, and fails only there
        return library
    except Exception as problem:  # a library that a newer TensorFlow has broken can raise anything
        if left_out is None:
            raise ImportError(f"this needs TensorFlow Probability. {_advice(problem)}") from problem
        print(f"left out: {left_out}. {_advice(problem)}")


def _advice(problem):
    if isinstance(problem, ModuleNotFoundError) and problem.name in ("tensorflow_probability", "tf_keras"):
        series = ".".join(tf.__version__.split(".")[:2])  # any other tf-keras would replace TensorFlow
        return f'{problem.name} is not installed: pip install tensorflow-probability "tf-keras=={series}.*"'
    reason = f"{type(problem).__name__}: {problem}".partition("\n")[0]
    return f"It is installed but does not work here ({reason}). The versions in requirements.txt fit together."
