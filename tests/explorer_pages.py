"""What the tests of the explorer share: small models, the data of a page, and two browsers without a network."""

import json
import os
import re
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest

import vae_helpers as vh

HOSTILE = ("<script>alert(1)</script>", "</script>", "<img src=x onerror=alert(2)>", "&lt;b&gt; \"'", "\u2028{{data}}")
NAMES = (*HOSTILE, "a name that is long enough to need a second line on every phone", "6")
GREY, COLOR = (10, 12, 1), (6, 8, 3)  # wider than high: exchanged axes would show
_BETWEEN = Path(__file__).with_name("firefox_for_playwright.py")
BROWSERS = ("chromium", pytest.param("firefox", marks=pytest.mark.long))  # it takes as long again


def small_vae(image_shape, latent_dim, strength=3.0, kind=vh.VAE, **kwargs):
    """An untrained model whose weights are made larger, so that codes and images differ from place to place."""
    keras.utils.set_random_seed(0)
    variational = kind is vh.VAE
    encoder = vh.mlp_encoder(image_shape, latent_dim, (8,), variational=variational)
    vae = kind(encoder, vh.mlp_decoder(image_shape, latent_dim, (8,)), **kwargs)
    mean = encoder.get_layer("mean" if variational else "code")
    mean.kernel.assign(12 * mean.kernel)
    vae.decoder.layers[-2].kernel.assign(strength * vae.decoder.layers[-2].kernel)
    return vae


def images_for(image_shape, n=300):
    return np.random.default_rng(0).random((n, *image_shape), dtype="float32")


def data_of(page):
    """What the page holds, read as a browser would: up to the first </script>."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script', page, re.DOTALL)[1])


def _launch(playwright, name, folder):
    if name == "chromium":
        found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
        path = next(found, playwright.chromium.executable_path)
        if not os.path.exists(path):
            pytest.skip("no browser: install chromium, or run `playwright install chromium`")
        return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
    firefox = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
    if not firefox:
        pytest.skip("no Firefox: install firefox-esr")
    start = folder / "firefox"
    start.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{_BETWEEN}" "$@"\n')
    start.chmod(0o755)
    environment = {**os.environ, "FIREFOX": firefox}
    return playwright.firefox.launch(channel="moz-firefox", executable_path=start, env=environment)


@contextmanager
def open_browser(name, folder):
    """Debian's or Google's Chromium, or the one that Playwright brings; or Firefox. folder: for what it needs."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = _launch(playwright, name, folder)
        yield browser
        browser.close()


@contextmanager
def visits(browser, file):
    """A function that opens a file without a network; afterwards no error, dialog or request may have come up."""
    contexts, trouble = [], []

    def note_request(request):
        if not request.url.startswith(("file:", "data:", "blob:", "about:")):
            trouble.append(request.url)

    def visit(path=file, width=1000, height=700, ready=True, **options):
        viewport = {"width": width, "height": height}
        if browser.browser_type.name == "firefox":
            lacking = set(options) & {"color_scheme", "reduced_motion", "is_mobile"}
            if lacking:
                pytest.skip(f"Firefox cannot be asked for {', '.join(lacking)}; Chromium is")
        context = browser.new_context(viewport=viewport, offline=True, **{"color_scheme": "light"} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10000)
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
        page.on("request", note_request)
        page.goto(path.as_uri())
        if ready:
            page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert trouble == []


def wait_until(page, expression):
    end = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(20)


def position(page):
    return np.array(page.evaluate("explorer.state.position"))


def to_screen(page, point):
    return page.evaluate("point => explorer.toScreen(point)", list(map(float, point)))


def image(page, shape=GREY):
    return np.array(page.evaluate("explorer.pixels()")).reshape(shape) / 255


def find_overlaps(boxes):
    """Pairs of names whose boxes, as Playwright gives them, lie on each other."""
    names = list(boxes)
    for k, name in enumerate(names):
        for other in names[k + 1 :]:
            a, b = boxes[name], boxes[other]
            beside = a["x"] + a["width"] <= b["x"] + 0.5 or b["x"] + b["width"] <= a["x"] + 0.5
            above = a["y"] + a["height"] <= b["y"] + 0.5 or b["y"] + b["height"] <= a["y"] + 0.5
            if not (beside or above):
                yield name, other


CUT = """[...document.querySelectorAll("h1, p:not(.unseen), button, button span, #position span, figcaption, label")]
  .filter((one) => one.clientWidth) // not those that flow within a line
  .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 4)
  .map((one) => one.outerHTML)"""
SIZES = """[...document.querySelectorAll("h1, p, button, figcaption, label")]
  .map((one) => parseFloat(getComputedStyle(one).fontSize))"""
