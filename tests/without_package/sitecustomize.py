"""A Python that starts with this folder on its PYTHONPATH has all installed libraries, but not the installed course."""

import os
import sys
from pathlib import Path

asked_for = os.environ["PYTHONPATH"].split(os.pathsep)
sys.meta_path[:] = [finder for finder in sys.meta_path if "vae_helpers" not in getattr(finder, "__module__", "")]
sys.path[:] = [entry for entry in sys.path if entry in asked_for or not (Path(entry) / "vae_helpers").is_dir()]
