"""Every test, lessons included, runs on the quick profile, and a figure that is off fails it."""

import os

os.environ["VAE_HELPERS_PROFILE"] = "quick"
os.environ["VAE_HELPERS_STRICT"] = "1"
os.environ["MPLBACKEND"] = "agg"
