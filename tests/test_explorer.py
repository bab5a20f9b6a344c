"""The explorer page: its arguments and its text, and what it does in a real browser without a network."""

import base64
import itertools
import json
import os
import re
import shutil
import time
from html.parser import HTMLParser

import imageio.v3 as iio
import keras
import numpy as np
import pytest
from scipy.interpolate import interpn
from sklearn.decomposition import PCA

import vae_helpers as vh
from vae_helpers.explorer import latent_explorer
from vae_helpers.plots import CLASS_COLORS

HOSTILE = ("<script>alert(1)</script>", "</script>", "<img src=x onerror=alert(2)>", "&lt;b&gt; \"'", "\u2028{{data}}")
NAMES = (*HOSTILE, "a name that is long enough to need a second line on every phone", "6")
GREY, COLOR = (10, 12, 1), (6, 8, 3)  # wider than high: exchanged axes would show


def small_vae(image_shape, latent_dim, strength=3.0):
    """An untrained VAE whose weights are made larger, so that codes and images differ from place to place."""
    keras.utils.set_random_seed(0)
    encoder = vh.mlp_encoder(image_shape, latent_dim, (8,))
    vae = vh.VAE(encoder, vh.mlp_decoder(image_shape, latent_dim, (8,)))
    encoder.layers[-2].kernel.assign(12 * encoder.layers[-2].kernel)
    vae.decoder.layers[-2].kernel.assign(strength * vae.decoder.layers[-2].kernel)
    return vae


def images_for(image_shape, n=300):
    return np.random.default_rng(0).random((n, *image_shape), dtype="float32")


@pytest.fixture(scope="module")
def vae():
    return small_vae(GREY, 2)


@pytest.fixture(scope="module")
def explorer(vae):
    """300 dots in seven classes, most of them with hostile names."""
    return latent_explorer(vae, images_for(GREY), np.arange(300) % 7, NAMES, tiles=11)


@pytest.fixture(scope="module")
def large():
    """A page of the usual size: 2000 dots, 28×28 pixels."""
    return latent_explorer(small_vae((28, 28, 1), 2, 1.0), images_for((28, 28, 1), 2100), np.arange(2100) % 10)


@pytest.fixture(scope="module")
def color_vae():
    return small_vae(COLOR, 4)


def data_of(page):
    """What the page holds, read as a browser would: up to the first </script>."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script', page, re.DOTALL)[1])


def atlas_of(page):
    """The tiles (n, n, height, width, channels) in [0, 1]; the first axis is the second latent, rising."""
    data = data_of(page)
    picture = iio.imread(base64.b64decode(data["atlas"].removeprefix("data:image/png;base64,")), extension=".png")
    height, width, channels = data["shape"]
    n = data["tiles"]
    return picture.reshape(height, n, width, n, channels).transpose(1, 3, 0, 2, 4) / 255


def grid(*axes):
    """All points (u, v) of two axes, (len(second), len(first), 2)."""
    return np.stack(np.meshgrid(*axes), axis=-1)


# The atlas and its error


def test_each_tile_is_the_decoders_image(vae, explorer):
    atlas = atlas_of(explorer.page)
    axis = np.linspace(-explorer.limit, explorer.limit, 11)
    expected = vae.decode(grid(axis, axis).reshape(-1, 2)).reshape(11, 11, *GREY)
    np.testing.assert_allclose(atlas, expected, atol=0.51 / 255)
    assert np.abs(expected[2, 7] - expected[7, 2]).mean() > 0.05  # exchanged axes would show
    assert data_of(explorer.page)["atlasSum"] == round(255 * atlas.sum())


def test_the_worst_error_is_that_of_bilinear_mixing_halfway_between_tiles(vae, explorer):
    axis = np.linspace(-explorer.limit, explorer.limit, 11)
    fine = np.linspace(-explorer.limit, explorer.limit, 21)
    points = grid(fine, fine).reshape(-1, 2)
    mixed = interpn((axis, axis), atlas_of(explorer.page), points[:, ::-1])
    error = np.abs(mixed - vae.decode(points)).mean(axis=(1, 2, 3))
    assert error.max() > 2 / 255  # so coarse a grid is far from the decoder
    assert explorer.worst_error == pytest.approx(error.max(), abs=1 / 255)
    assert data_of(explorer.page)["worstError"] == pytest.approx(explorer.worst_error, abs=1e-5)


def test_more_tiles_are_closer_to_the_decoder(vae, explorer):
    assert latent_explorer(vae, tiles=31).worst_error < explorer.worst_error / 2


def test_the_page_stays_small_enough_for_notebooks(large):
    assert (large.tiles, large.dots) == (41, 2000)
    assert len(large.page) < 700_000


@pytest.mark.parametrize("shape, tiles", [((8, 8, 1), 41), ((32, 32, 3), 21), ((64, 64, 3), 9)])
def test_the_page_stays_small_enough_for_mail(shape, tiles):
    explorer = latent_explorer(small_vae(shape, 2, 1.0), images_for(shape, 20))
    assert explorer.tiles == tiles
    assert len(explorer.page) < 1_500_000


def test_the_png_asks_no_browser_to_correct_its_colours(explorer):
    png = base64.b64decode(data_of(explorer.page)["atlas"].partition(",")[2])
    assert not {b"gAMA", b"cHRM", b"sRGB", b"iCCP"} & {name for name in re.findall(rb"[A-Za-z]{4}", png[:400])}


# The dots and the plane


def test_dots_lie_at_the_means_of_the_codes_with_their_labels(vae, explorer):
    data = data_of(explorer.page)
    codes = np.asarray(vae.encode(images_for(GREY))[0])
    assert sorted(data["labels"]) == sorted(np.arange(300) % 7)
    for dot, label in zip(np.array(data["dots"]).T, data["labels"]):
        assert np.abs(codes[label::7] - dot).max(axis=1).min() < 1e-3  # image k has label k % 7
    assert np.ptp(codes, axis=0).min() > 2
    assert data["names"] == list(NAMES)
    assert data["colors"] == list(CLASS_COLORS)


def test_at_most_so_many_dots_and_the_same_ones_each_time(vae):
    first, second = (latent_explorer(vae, images_for(GREY), tiles=2, dots=17) for _ in range(2))
    assert first.dots == len(data_of(first.page)["dots"][0]) == 17
    assert first.page == second.page


def test_the_plane_reaches_as_far_as_nearly_all_dots(vae):
    far = latent_explorer(vae, images_for(GREY), tiles=2)
    reach = np.abs(np.array(data_of(far.page)["dots"])).max(axis=0)
    assert far.limit == pytest.approx(max(3, np.quantile(reach, 0.99)), abs=0.11) and far.limit > 3
    assert latent_explorer(vae, tiles=2).limit == 3
    assert latent_explorer(vae, images_for(GREY), tiles=2, limit=1.5).limit == 1.5


def test_labels_without_names_name_themselves(vae):
    data = data_of(latent_explorer(vae, images_for(GREY, 3), ["cat", "dog", "cat"], tiles=2).page)
    assert data["names"] == ["cat", "dog"] and sorted(data["labels"]) == [0, 0, 1]


def test_two_of_four_latents_leave_the_others_at_0(color_vae):
    explorer = latent_explorer(color_vae, images_for(COLOR), plane=(3, 1), tiles=3)
    data = data_of(explorer.page)
    z = np.zeros((1, 4))
    z[0, [3, 1]] = explorer.limit, -explorer.limit
    np.testing.assert_allclose(atlas_of(explorer.page)[0, 2], color_vae.decode(z)[0], atol=0.51 / 255)
    codes = np.asarray(color_vae.encode(images_for(COLOR))[0])
    np.testing.assert_allclose(sorted(data["dots"][0]), np.sort(codes[:, 3]), atol=1e-3)
    assert data["axes"] == [["z₄", "z4"], ["z₂", "z2"]]
    assert data["priorCenter"] == [0, 0]


def test_a_principal_plane_passes_through_the_mean_of_the_codes(color_vae):
    explorer = latent_explorer(color_vae, images_for(COLOR), plane="pca", tiles=3)
    data = data_of(explorer.page)
    codes = np.asarray(color_vae.encode(images_for(COLOR))[0])
    pca = PCA(2).fit(codes)
    np.testing.assert_allclose(sorted(data["dots"][1]), np.sort(pca.transform(codes)[:, 1]), atol=2e-3)
    z = pca.inverse_transform([[explorer.limit, 0], [0, explorer.limit]])
    tiles = atlas_of(explorer.page)[[1, 2], [2, 1]]
    np.testing.assert_allclose(tiles, color_vae.decode(z), atol=0.51 / 255)
    np.testing.assert_allclose(data["priorCenter"], pca.transform(np.zeros((1, 4)))[0], atol=1e-3)
    assert [name for name, _ in data["axes"]] == ["PC 1", "PC 2"]


def test_a_collapsed_model_still_has_a_page(make_vae, grey):
    vae = make_vae()
    for weights in vae.encoder.weights:
        weights.assign(0 * weights)
    explorer = latent_explorer(vae, grey, np.arange(37) % 2, plane="pca", tiles=2)
    assert data_of(explorer.page)["ends"] == [[-1.5, 0], [1.5, 0]]


# What is refused

BAD = {
    "not a model": ({"vae": keras.Sequential()}, "vae is a Sequential"),
    "one latent": ({"vae": 1}, "vae has 1 latent.*latent_dim=2"),
    "size of images": ({"images": np.zeros((5, 28, 28, 1))}, r"images has shape .*\(batch, 10, 12, 1\)"),
    "pixels": ({"images": np.full((5, *GREY), 255.0)}, "images has pixels.*255"),
    "NaN pixels": ({"images": np.full((5, *GREY), np.nan)}, "images has pixels.*NaN"),
    "no images": ({"images": np.zeros((0, *GREY)), "labels": []}, "images is empty"),
    "labels alone": ({"images": None}, "labels came without images"),
    "names alone": ({"labels": None}, "class_names came without labels"),
    "more labels": ({"labels": np.zeros(6, int)}, r"labels has shape \(6,\) for 5 images"),
    "one-hot labels": ({"labels": np.zeros((5, 2), int)}, r"labels has shape \(5, 2\)"),
    "label too high": ({"labels": [0, 1, 2, 0, 1]}, "labels go from 0 to 2.*from 0 to 1"),
    "label too low": ({"labels": [0, 1, -1, 0, 1]}, "labels go from -1 to 1"),
    "half labels": ({"labels": [0, 0.5, 1, 0, 1]}, "labels go from .*whole numbers"),
    "plane out of range": ({"plane": (0, 2)}, r"plane is \(0, 2\).*from 0 to 1"),
    "negative plane": ({"plane": (-1, 0)}, r"plane is \(-1, 0\)"),
    "the same twice": ({"plane": (1, 1)}, "plane is .*different"),
    "three latents": ({"plane": (0, 1, 2)}, "plane is"),
    "another plane": ({"plane": "tsne"}, "plane is 'tsne'.*\"pca\""),
    "pca without images": ({"plane": "pca", "images": None, "labels": None, "class_names": None}, "plane is .*images"),
    "limit": ({"limit": float("nan")}, "limit is nan"),
    "tiles": ({"tiles": 1}, "tiles is 1"),
    "dots": ({"dots": 0}, "dots is 0"),
}


@pytest.mark.parametrize("change, message", BAD.values(), ids=BAD)
def test_bad_arguments_are_named_before_any_work(vae, monkeypatch, change, message):
    arguments = {"vae": vae, "images": np.zeros((5, *GREY)), "labels": [0, 1, 0, 1, 0], "class_names": "ab"} | change
    if arguments["vae"] == 1:
        arguments["vae"] = small_vae(GREY, 1)
    for method in ("encode", "decode"):
        monkeypatch.setattr(vh.VAE, method, lambda *_: pytest.fail("the networks ran"))
    with pytest.raises(ValueError, match=message):
        latent_explorer(**arguments)


@pytest.mark.parametrize("network", ["encoder", "decoder"])
def test_a_model_that_gives_nan_is_refused(network):
    vae = small_vae(GREY, 2)
    getattr(vae, network).weights[0].assign(np.nan * getattr(vae, network).weights[0])
    with pytest.raises(ValueError, match=f"vae.{network[:-1].replace('od', 'ode')[:6]}.*not finite"):
        latent_explorer(vae, images_for(GREY, 5), tiles=2)


# The file and the notebook


def test_save_writes_the_page_and_nothing_else(explorer, tmp_path):
    path = tmp_path / "página.html"
    path.write_text("an older page", encoding="utf-8")
    assert explorer.save(str(path)) == path
    assert path.read_bytes() == explorer.page.encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name, message", [("page.htm", "end in .html"), ("no/page.html", "does not exist")])
def test_a_path_that_cannot_be_written_is_refused(explorer, tmp_path, name, message):
    with pytest.raises(ValueError, match=message.replace("end in", "ends in")):
        explorer.save(tmp_path / name)


def test_a_locked_folder_and_a_folder_with_that_name_are_refused(explorer, tmp_path, monkeypatch):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(ValueError, match="must be a file"):
        explorer.save(tmp_path / "page.html")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match="cannot be written"):
        explorer.save(tmp_path / "other.html")


def test_a_failed_save_leaves_the_old_page(explorer, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        explorer.save(path)
    assert [one.read_text(encoding="utf-8") for one in tmp_path.iterdir()] == ["old"]


def test_the_page_needs_nothing_from_elsewhere(explorer):
    assert not re.search(r"https?:|@import|url\(|\bsrc=|\bhref=", explorer.page.replace("src=x", ""))
    (policy,) = re.findall(r'Content-Security-Policy"\s+content="([^"]*)"', explorer.page)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@pytest.fixture(scope="module")
def hostile(vae):
    """A page with a hostile title, and hostile labels that name themselves."""
    return latent_explorer(vae, images_for(GREY, 30), np.resize(HOSTILE, 30), tiles=3, title="".join(HOSTILE))


@pytest.mark.parametrize("page", ["explorer", "hostile"])
def test_names_cannot_end_the_script_that_holds_them(page, request):
    explorer = request.getfixturevalue(page)
    scripts = []

    class Scripts(HTMLParser):
        def handle_starttag(self, tag, attributes):
            scripts.append(tag)

    Scripts().feed(explorer.page)
    assert scripts.count("script") == 2 and "img" not in scripts
    held = explorer.page.split('id="data">')[1].split("</script")[0]
    assert held.isascii() and not set("<>&") & set(held)


def test_the_notebook_shows_the_same_page_in_a_sandbox(explorer):
    tags = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attributes):
            tags.append((tag, dict(attributes)))

    Tags().feed(explorer._repr_html_())
    ((tag, attributes),) = tags
    assert tag == "iframe" and attributes["srcdoc"] == explorer.page
    assert attributes["sandbox"] == "allow-scripts" and attributes["width"] == "100%"
    assert 500 <= int(attributes["height"]) <= 800 and attributes["title"]
    assert len(repr(explorer)) < 200  # a page where it cannot be shown


# In a browser


@pytest.fixture(scope="module")
def browser():
    """Debian's or Google's browser, or else the one that Playwright brings."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
        path = next(found, playwright.chromium.executable_path)
        if not os.path.exists(path):
            pytest.skip("no browser: install chromium, or run `playwright install chromium`")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(explorer, tmp_path_factory):
    return explorer.save(tmp_path_factory.mktemp("explorer") / "page.html")


@pytest.fixture
def visit(browser, file):
    """A function that opens a file without a network; afterwards no error, dialog or request may have come up."""
    contexts, trouble = [], []

    def note_request(request):
        if not request.url.startswith(("file:", "data:", "blob:", "about:")):
            trouble.append(request.url)

    def visit(path=file, width=1000, height=700, ready=True, **options):
        viewport = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, offline=True, **{"color_scheme": "light"} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
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
    end = time.monotonic() + 5
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(20)


def position(page):
    return np.array(page.evaluate("explorer.state.position"))


def to_screen(page, point):
    return page.evaluate("point => explorer.toScreen(point)", list(map(float, point)))


def image(page, shape=GREY):
    return np.array(page.evaluate("explorer.pixels()")).reshape(shape) / 255


def tile_center(explorer, column, row):
    return np.linspace(-explorer.limit, explorer.limit, explorer.tiles)[[column, row]]


def test_the_pointer_at_a_tile_shows_the_decoders_image(visit, vae, explorer):
    page = visit()
    for column, row in [(2, 8), (8, 2), (0, 0), (10, 5)]:
        point = tile_center(explorer, column, row)
        page.mouse.move(*to_screen(page, point))
        assert np.abs(position(page) - point).max() < 0.02 * explorer.limit
        assert np.abs(image(page) - vae.decode(point[None])[0]).mean() < 2 / 255
        text = page.inner_text("#position")
        assert text.split() == [part.replace("-", "−") for k in (0, 1) for part in readout(page, k)]


def readout(page, k):
    return ("z₁", "z₂")[k], "=", f"{position(page)[k] + 0.0:.2f}".replace("-0.00", "0.00")


def test_between_tiles_the_page_is_as_far_from_the_decoder_as_it_says(visit, vae, explorer):
    page = visit()
    axis = np.linspace(-explorer.limit, explorer.limit, 11)
    middles = (axis[1:] + axis[:-1]) / 2
    pairs = [(middles, axis), (axis, middles), (middles, middles)]
    points = np.array([point for pair in pairs for point in itertools.product(*pair)])
    shown = page.evaluate(
        "points => points.map((point) => { explorer.moveTo(point); return explorer.pixels(); })", points.tolist()
    )
    errors = np.abs(np.array(shown).reshape(-1, *GREY) / 255 - vae.decode(points)).mean(axis=(1, 2, 3))
    assert max(errors) == pytest.approx(explorer.worst_error, abs=0.1 / 255)
    assert f"at most {100 * explorer.worst_error:.1f}%" in page.inner_text("#note")


def test_colour_and_more_latents(visit, color_vae, tmp_path):
    explorer = latent_explorer(color_vae, images_for(COLOR), plane=(3, 1), tiles=9)
    page = visit(explorer.save(tmp_path / "page.html"))
    point = tile_center(explorer, 1, 6)
    page.evaluate("point => explorer.moveTo(point)", point.tolist())
    z = np.zeros((1, 4))
    z[0, [3, 1]] = point
    assert np.abs(image(page, COLOR) - color_vae.decode(z)[0]).mean() < 1 / 255
    assert "projections" in page.inner_text("#note") and "other 2 latents are 0" in page.inner_text("#note")
    assert "z₄" in page.inner_text("#position")
    assert not page.is_visible("#legend") and not page.is_visible("#nearest") and page.is_visible("#points")


def test_without_images_there_are_no_dots_and_no_classes(visit, vae, tmp_path):
    page = visit(latent_explorer(vae, tiles=5, title="<b>1</b>").save(tmp_path / "page.html"))
    assert page.title() == page.inner_text("h1") == "<b>1</b>"  # a title is text too
    assert not any(page.is_visible(part) for part in ("#legend", "#nearest", "#points"))
    page.focus("#plane")
    page.keyboard.press("ArrowUp")
    wait_until(page, "document.getElementById('live').textContent")
    assert "class" not in page.inner_text("#live")


def test_arrow_keys_move_the_point_and_shift_moves_it_further(visit, explorer):
    page = visit()
    page.evaluate("explorer.moveTo([0, 0])")
    page.focus("#plane")
    moves = {"ArrowRight": (1, 0), "ArrowLeft": (-1, 0), "ArrowUp": (0, 1), "ArrowDown": (0, -1)}
    for key, direction in moves.items():
        steps = []
        for prefix in ("", "Shift+"):
            before = position(page)
            page.keyboard.press(prefix + key)
            steps.append((position(page) - before) @ direction)
            assert abs((position(page) - before) @ direction[::-1]) < 1e-9
        assert 0 < steps[0] < 0.1 * explorer.limit and steps[1] > 2 * steps[0]
    for _ in range(40):
        page.keyboard.press("Shift+ArrowRight")
    assert position(page)[0] == explorer.limit
    page.evaluate("explorer.moveTo([NaN, 0])")
    assert position(page)[0] == explorer.limit


def test_a_screen_reader_hears_the_position_but_not_every_step(visit):
    page = visit()
    wait_until(page, "document.getElementById('live').textContent")
    page.evaluate(
        """() => { window.heard = [];
        new MutationObserver(() => heard.push(document.getElementById("live").textContent))
          .observe(document.getElementById("live"), { childList: true }); }"""
    )
    page.evaluate("explorer.moveTo([-0.1, 1])")
    page.focus("#plane")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    wait_until(page, "heard.length && heard.at(-1) === document.getElementById('live').textContent")
    page.wait_for_timeout(700)
    heard = page.evaluate("heard")
    x, y = position(page)
    assert len(heard) <= 4
    assert heard[-1].startswith(f"z1 {x:.2f}, z2 {y:.2f}, nearest class: ")
    assert page.get_attribute("#live", "aria-live") == "polite"


def test_the_nearest_class_is_that_of_the_nearest_dot_shown(visit, explorer):
    page = visit()
    data = data_of(explorer.page)
    dots, labels = np.array(data["dots"]).T, np.array(data["labels"])
    point = np.array([0.3, -0.4])
    page.evaluate("point => explorer.moveTo(point)", point.tolist())
    for _ in range(3):
        nearest = labels[np.linalg.norm(dots - point, axis=1).argmin()]
        assert page.evaluate("explorer.state.nearest") == nearest
        assert page.text_content("#nearest") == f"nearest class: {NAMES[nearest]}"
        page.locator("#legend button").nth(nearest).click()
        dots, labels = dots[labels != nearest], labels[labels != nearest]


COUNT_PIXELS = """([low, high]) => {
  const limit = explorer.data.limit, box = document.getElementById("ground").getBoundingClientRect();
  const [left, top] = explorer.toScreen([-limit, limit]), side = explorer.toScreen([limit, 0])[0] - left;
  const inside = document.createElement("canvas");
  inside.width = inside.height = Math.floor(side) - 4;
  const context = inside.getContext("2d");
  context.drawImage(document.getElementById("ground"), box.left - left - 2, box.top - top - 2);
  const pixels = context.getImageData(0, 0, inside.width, inside.height).data;
  let count = 0;
  for (let k = 0; k < pixels.length; k += 4)
    count += low.every((value, c) => value <= pixels[k + c] && pixels[k + c] <= high[c]);
  return count;
}"""


def pixels_like(page, color, tolerance=25):
    """How many pixels of the plane have about this colour (a dot lets a little of the white paper through)."""
    rgb = [0.85 * int(color[k : k + 2], 16) + 0.15 * 255 for k in (1, 3, 5)]
    return page.evaluate(COUNT_PIXELS, [[value - tolerance for value in rgb], [value + tolerance for value in rgb]])


def test_classes_dots_and_the_map_can_be_switched_off(visit):
    page = visit()
    paper = page.evaluate(COUNT_PIXELS, [[255] * 3, [255] * 3])
    page.click("#map")
    assert page.evaluate(COUNT_PIXELS, [[255] * 3, [255] * 3]) > 2 * paper
    before = [pixels_like(page, color) for color in CLASS_COLORS[:3]]
    assert min(before) > 20
    button = page.locator("#legend button").nth(1)
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    after = [pixels_like(page, color) for color in CLASS_COLORS[:3]]
    assert after[1] < 0.02 * before[1] and after[0] > 0.9 * before[0] and after[2] > 0.9 * before[2]
    button.click()
    assert [pixels_like(page, color) for color in CLASS_COLORS[:3]] == before
    page.click("#points")
    assert max(pixels_like(page, color) for color in CLASS_COLORS[:3]) < 0.02 * min(before)
    assert page.get_attribute("#points", "aria-pressed") == page.get_attribute("#map", "aria-pressed") == "false"


def test_black_dots_are_seen_in_the_dark_theme(visit):
    page = visit(color_scheme="dark")
    page.click("#map")
    for k in range(6):  # the seventh class is black
        page.locator("#legend button").nth(k).click()
    light = [[100] * 3, [255] * 3]
    assert page.evaluate(COUNT_PIXELS, light) > 50
    page.locator("#legend button").nth(6).click()
    assert page.evaluate(COUNT_PIXELS, light) == 0


@pytest.mark.parametrize("scheme, at_first, then", [("light", "bright", "dark"), ("dark", "dark", "bright")])
def test_the_theme_follows_the_system_until_it_is_changed(visit, scheme, at_first, then):
    page = visit(color_scheme=scheme)
    paper = "getComputedStyle(document.body).backgroundColor"
    first = page.evaluate(paper)
    assert page.get_attribute("html", "data-theme") == at_first
    page.click("#theme")
    assert page.get_attribute("html", "data-theme") == then
    brightness = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (first, page.evaluate(paper))]
    assert (brightness[0] > 600 > 150 > brightness[1]) == (scheme == "light")


def test_clicks_set_a_and_b_and_the_walk_goes_from_one_to_the_other(visit):
    page = visit()
    ends = np.array([[-1.5, 1.0], [2.0, -0.5]])
    for point in ends:
        page.mouse.click(*to_screen(page, point))
    pins = np.array(page.evaluate("[explorer.state.pins.A, explorer.state.pins.B]"))
    np.testing.assert_allclose(pins, ends, atol=0.05)
    page.mouse.move(*to_screen(page, [0, 2.5]))
    page.evaluate("explorer.state.walkMs = 400")
    page.evaluate(
        """() => { window.seen = [];
        requestAnimationFrame(function look() {
          if (explorer.state.walking) seen.push(explorer.state.position);
          requestAnimationFrame(look);
        }); }"""
    )
    page.click("#play")
    assert page.inner_text("#play") == "Pause"
    wait_until(page, "!explorer.state.walking")
    np.testing.assert_array_equal(position(page), pins[1])
    along = (np.array(page.evaluate("seen"))[1:] - pins[0]) / (pins[1] - pins[0])
    np.testing.assert_allclose(along[:, 0], along[:, 1], atol=1e-9)
    assert (np.diff(along[:, 0]) >= 0).all() and along[:, 0].min() < 0.3 and len(np.unique(along[:, 0])) > 5
    assert page.inner_text("#play") == "Play A to B"


def test_the_walk_pauses_and_goes_on(visit):
    page = visit()
    page.evaluate("explorer.state.walkMs = 2000")
    page.focus("#plane")
    page.keyboard.press("Space")
    wait_until(page, "explorer.state.progress > 0.05")
    page.mouse.move(*to_screen(page, [0, 0]))  # a mouse that passes does not disturb it
    assert page.evaluate("explorer.state.walking")
    page.click("#play")
    paused = position(page)
    page.wait_for_timeout(100)
    np.testing.assert_array_equal(position(page), paused)
    progress = page.evaluate("explorer.state.progress")
    page.click("#play")
    wait_until(page, f"explorer.state.progress > {progress} + 0.03")
    page.focus("#plane")
    page.keyboard.press("ArrowUp")
    assert not page.evaluate("explorer.state.walking")


def test_a_and_b_can_be_set_by_keys_and_buttons(visit):
    page = visit()
    page.focus("#plane")
    for how, pin in ((lambda: page.keyboard.press("a"), "A"), (lambda: page.keyboard.press("b"), "B")):
        page.keyboard.press("Shift+ArrowUp")
        how()
        assert page.evaluate(f"explorer.state.pins.{pin}") == position(page).tolist()
    for pin in "AB":
        page.evaluate("explorer.moveTo([0.5, -0.5])")
        page.click(f"#set{pin}")
        assert page.evaluate(f"explorer.state.pins.{pin}") == [0.5, -0.5]


def test_readers_who_want_less_motion_get_steps(visit):
    page = visit(reduced_motion="reduce")
    page.evaluate("explorer.state.walkMs = 400")
    page.evaluate(
        """() => { window.seen = new Set();
        requestAnimationFrame(function look() {
          seen.add(explorer.state.position.join());
          requestAnimationFrame(look);
        }); }"""
    )
    page.click("#play")
    wait_until(page, "!explorer.state.walking")
    assert 3 < page.evaluate("seen.size") <= 11
    assert position(page).tolist() == page.evaluate("explorer.state.pins.B")


def test_surprises_come_from_the_prior(visit, explorer):
    page = visit()
    page.click("#surprise")
    first = position(page)
    page.click("#surprise")
    assert (position(page) != first).all()
    draws = np.array(
        page.evaluate(
            """() => Array.from({ length: 1000 }, () => {
            document.getElementById("surprise").click();
            return explorer.state.position;
          })"""
        )
    )
    assert np.abs(draws).max() <= explorer.limit
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.15)
    np.testing.assert_allclose(np.cov(draws.T), np.eye(2), atol=0.2)


def test_a_plane_far_from_the_prior_does_not_hang(visit, explorer):
    page = visit()
    page.evaluate("explorer.data.priorCenter = [50, 0]")
    page.click("#surprise", timeout=3000)
    assert position(page)[0] == explorer.limit


def test_hostile_names_are_shown_as_text(visit):
    page = visit()
    shown = page.locator("#legend button").all_text_contents()
    assert shown == list(NAMES)
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.querySelectorAll('img').length") == 0


def test_a_hostile_title_and_hostile_labels_are_shown_as_text(visit, hostile, tmp_path):
    page = visit(hostile.save(tmp_path / "page.html"))
    assert page.text_content("h1") == page.evaluate("document.title") == "".join(HOSTILE)
    assert page.locator("#legend button").all_text_contents() == sorted(HOSTILE)
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.querySelectorAll('img').length") == 0


PARTS = ("h1", "#theme", "#plane", "#picture", "#readout", "#walk", "#tools", "#hint", "#legend", "footer")


@pytest.mark.parametrize("width, height, touch", [(360, 740, True), (800, 680, False), (1600, 900, False)])
def test_nothing_overlaps_or_is_cut(visit, width, height, touch):
    page = visit(width=width, height=height, has_touch=touch, is_mobile=touch, device_scale_factor=2 if touch else 1)
    page.evaluate(  # where the nearest class has the long name
        "(k => explorer.moveTo([explorer.data.dots[0][k], explorer.data.dots[1][k]]))(explorer.data.labels.indexOf(5))"
    )
    assert NAMES[5] in page.text_content("#nearest")
    boxes = {part: page.locator(part).bounding_box() for part in PARTS}
    for (name, a), (other, b) in itertools.combinations(boxes.items(), 2):
        apart = (
            a["x"] + a["width"] <= b["x"] + 0.5
            or b["x"] + b["width"] <= a["x"] + 0.5
            or a["y"] + a["height"] <= b["y"] + 0.5
            or b["y"] + b["height"] <= a["y"] + 0.5
        )
        assert apart, f"{name} and {other} overlap: {a} {b}"
    buttons = [button.bounding_box() for button in page.locator("button").all()]
    for box in (*boxes.values(), *buttons):
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert min(button["height"] for button in buttons) >= 34
    for part in ("#plane", "#picture", "#walk"):
        assert boxes[part]["y"] + boxes[part]["height"] <= height, f"{part} is below the screen"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = page.evaluate(
        """[...document.querySelectorAll("h1, p:not(.unseen), button, button span, #position span")]
        .filter((one) => one.clientWidth) // not those that flow within a line
        .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 4)
        .map((one) => one.outerHTML)"""
    )
    assert cut == []
    sizes = page.evaluate(
        "[...document.querySelectorAll('h1, p, button')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 13


def test_a_finger_moves_the_point_and_a_tap_sets_a(visit):
    page = visit(width=360, height=740, has_touch=True, is_mobile=True)
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        touches = [{"x": x, "y": y} for x, y in (to_screen(page, point) for point in points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    pins = page.evaluate("explorer.state.pins")
    touch("touchStart", (-1, -1))
    for k in range(1, 6):
        touch("touchMove", (-1 + 0.4 * k, -1 + 0.3 * k))
    wait_until(page, "Math.hypot(explorer.state.position[0] - 1, explorer.state.position[1] - 0.5) < 0.05")
    touch("touchEnd")
    assert page.evaluate("explorer.state.pins") == pins  # a drag is not a tap
    assert page.evaluate("scrollY") == 0
    page.touchscreen.tap(*to_screen(page, [-1, 2]))
    wait_until(page, "explorer.state.nextPin === 'B'")
    np.testing.assert_allclose(page.evaluate("explorer.state.pins.A"), [-1, 2], atol=0.05)


def test_every_control_is_reached_by_keyboard(visit):
    page = visit()
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert reached[:15] == ["theme", "plane", "play", "surprise", "setA", "setB", "map", "points", *NAMES]
    plane = page.locator("#plane")
    assert plane.get_attribute("role") == "application" and plane.get_attribute("aria-label")
    assert page.get_attribute("#picture", "role") == "img"


def test_the_page_works_inside_a_notebook_cell(visit, vae, explorer, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><p>Out[1]:</p>{explorer._repr_html_()}", encoding="utf-8")
    page = visit(path, ready=False)
    frame = page.frames[1]
    frame.wait_for_selector("html[data-ready]")
    point = tile_center(explorer, 3, 8)
    corner = page.locator("iframe").bounding_box()
    x, y = to_screen(frame, point)
    page.mouse.move(corner["x"] + x, corner["y"] + y)
    assert np.abs(image(frame) - vae.decode(point[None])[0]).mean() < 2 / 255
    assert "not exact" not in frame.inner_text("#note")
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_browser_that_changes_pixels_is_named(visit, explorer, tmp_path):
    path = tmp_path / "page.html"
    spoilt = 'CanvasRenderingContext2D.prototype.getImageData = (x, y, w, h) => new ImageData(w, h);\n"use strict";'
    path.write_text(explorer.page.replace('"use strict";', spoilt), encoding="utf-8")
    assert "not exact" in visit(path).inner_text("#note")
    path.write_text(explorer.page.replace("base64,iVBOR", "base64,AAAAA"), encoding="utf-8")
    page = visit(path, ready=False)
    wait_until(page, "document.getElementById('note').textContent.includes('could not be read')")


def test_a_pointer_move_costs_less_than_a_frame(visit, large, tmp_path):
    page = visit(large.save(tmp_path / "page.html"), width=1600, height=900)
    points = np.random.default_rng(0).uniform(-2.9, 2.9, (200, 2))
    moves = page.evaluate(
        """points => points.map((point) => {
          const [clientX, clientY] = explorer.toScreen(point);
          const move = new PointerEvent("pointermove", { clientX, clientY, isPrimary: true, pointerType: "mouse" });
          document.getElementById("plane").dispatchEvent(move);
          return [explorer.lastMs(), ...explorer.state.position];
        })""",
        points.tolist(),
    )
    milliseconds, *shown = np.array(moves).T
    np.testing.assert_allclose(np.transpose(shown), points, atol=0.03)  # each time is that of its move
    assert 0 < np.median(milliseconds) < 16
