"""Train the model that comes with the package, and write its weights: `python -m benchmarks.trained_vae`.

The network and the protocol are those of lesson 04: MNIST, thresholded, the last 5,000 training images kept apart; Adam
with a cosine schedule. The file keeps the weights in half precision; beside it stand the ELBOs before and after that.
"""

import json

import keras
import numpy as np

import vae_helpers as vh
from vae_helpers.trained import WEIGHTS, trained_vae, tutorial_vae

EPOCHS, BATCH, RATE = 8, 64, 3e-3


def main():
    vh.run_settings(seed=0)
    data = vh.load_images("mnist", binarize="threshold", validation=5000)
    if data.name != "mnist":
        raise SystemExit("This needs MNIST: set VAE_HELPERS_DATA, or let Keras download it, with the full profile.")
    vae = tutorial_vae()
    steps = EPOCHS * -(-len(data.x_train) // BATCH)
    vae.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps)))
    vae.fit(data.x_train, epochs=EPOCHS, batch_size=BATCH, validation_data=data.x_valid, verbose=2)
    weights = {f"w{i}": weight.astype("float16") for i, weight in enumerate(vae.get_weights())}
    np.savez_compressed(WEIGHTS, **weights)
    stored = trained_vae()
    stored.compile()
    facts = {"epochs": EPOCHS, "batch": BATCH, "rate": RATE, "images": "MNIST, thresholded, 55,000 to train"}
    for name, model in (("test_elbo", vae), ("test_elbo_stored", stored)):
        model.reseed(0)
        facts[name] = round(-model.evaluate(data.x_test, batch_size=500, verbose=0)[0], 2)
    WEIGHTS.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(facts, f"{WEIGHTS.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
