"""Drawing in the page: the pad by mouse, finger and keys, the cloud and its samples, the bars of the loss."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from explorer_pages import (
    BROWSERS,
    COLOR,
    CUT,
    GREY,
    SIZES,
    data_of,
    find_overlaps,
    images_for,
    open_browser,
    position,
    small_vae,
    to_screen,
    visits,
    wait_until,
)

import vae_helpers as vh
from vae_helpers.explorer import latent_explorer

SCRIPTS = Path(vh.__file__).parent


@pytest.fixture(scope="module")
def vae():
    return small_vae((28, 28, 1), 2, 1.0)


@pytest.fixture(scope="module")
def explorer(vae):
    """The digits, thresholded, with their ten classes."""
    digits = vh.load_images("digits", binarize="threshold")
    return latent_explorer(vae, digits.x_train[:300], digits.y_train[:300], digits.class_names)


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request, tmp_path_factory):
    with open_browser(request.param, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def file(explorer, tmp_path_factory):
    return explorer.save(tmp_path_factory.mktemp("explorer") / "page.html")


@pytest.fixture
def visit(browser, file):
    with visits(browser, file) as visit:
        yield visit


def on_pad(page, x, y):
    """The place on the screen of (x, y), parts of the pad's sides."""
    box = page.locator("#pad").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def draw(page, *places):
    page.mouse.move(*on_pad(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*on_pad(page, *place), steps=3)
    page.mouse.up()


def seen(page):
    image = page.evaluate("explorer.drawing.image && [...explorer.drawing.image]")
    return None if image is None else np.array(image).reshape(28, 28)


def ink(page):
    return page.evaluate("explorer.drawing.paper.ink.reduce((a, b) => a + b, 0)")


# The image that the model sees


def test_a_drawing_is_centred_and_scaled_as_mnist_was(visit):
    page = visit()
    draw(page, (0.1, 0.1), (0.3, 0.35))  # small, and in a corner
    rows, columns = np.nonzero(seen(page))
    assert set(np.unique(seen(page))) == {0, 1}  # as the images that the page was made with
    assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
    assert rows.mean() == pytest.approx(14, abs=1) and columns.mean() == pytest.approx(14, abs=1)
    page.click("#fitted")
    rows, columns = np.nonzero(seen(page))
    assert max(rows.max(), columns.max()) < 14


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_an_image_that_is_moved_and_enlarged_comes_back():
    """A prepared digit, laid on the paper elsewhere and in another size, is prepared again to the same image."""
    y, x = np.mgrid[:28, :28]
    digit = np.exp(-(((x - 14) / 3) ** 2) - ((y - 14) / 6) ** 2)  # its middle is where MNIST has it
    digit[np.abs(y - 13.5) > 10] = 0
    digit[np.abs(x - 13.5) > 10] = 0
    program = (
        (SCRIPTS / "explorer_drawing.js").read_text(encoding="utf-8")
        + """
    const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const paper = emptyPaper(28, 28);
    for (let y = 0; y < 84; y++)
      for (let x = 0; x < 84; x++)
        paper.ink[(y + 50) * paper.width + x + 9] = given[28 * Math.floor(y / 3) + Math.floor(x / 3)];
    console.log(JSON.stringify([...imageFitted(paper, 28, 28)]));
    """
    )
    process = subprocess.run(
        ["node", "-e", program], input=str(digit.ravel().tolist()), capture_output=True, text=True, check=True
    )
    got = np.reshape(json.loads(process.stdout), (28, 28))
    assert np.abs(got - digit).max() < 0.15 and np.abs(got - digit).mean() < 0.01
    assert np.abs(np.roll(got, 1, axis=1) - digit).mean() > 0.015  # a pixel further would show


def test_a_chosen_image_is_seen_as_it_is_and_can_be_rubbed_out(visit, explorer):
    page = visit()
    page.locator("#strip button").nth(7).click()
    data = data_of(explorer.page)
    before = seen(page)
    assert page.get_attribute("#fitted", "aria-pressed") == "false"
    assert (
        page.locator("#strip button").nth(7).get_attribute("aria-label").endswith(data["names"][data["stripLabels"][7]])
    )
    page.click("#rubber")
    draw(page, (0.02, 0.2), (0.98, 0.2), (0.98, 0.3), (0.02, 0.3), (0.02, 0.4), (0.98, 0.4))
    after = seen(page)
    assert after.sum() < before.sum() and (after <= before).all()
    np.testing.assert_array_equal(after[16:], before[16:])
    page.click("#clear")
    assert seen(page) is None and page.is_visible("#invitation")


def test_the_pen_has_a_thickness(visit):
    page = visit()
    inks = []
    for thickness in (1, 3, 6):
        page.evaluate("value => { document.getElementById('pixels').value = value; }", thickness)
        page.click("#clear")
        draw(page, (0.3, 0.5), (0.7, 0.5))
        inks.append(ink(page))
    assert inks[1] > 2 * inks[0] and inks[2] > 1.8 * inks[1]


def test_one_draws_by_keys(visit):
    page = visit()
    page.focus("#pad")
    page.keyboard.press("Shift+ArrowUp")
    assert ink(page) == 0
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowDown")
    assert seen(page) is not None and ink(page) > 500
    page.keyboard.press("r")
    full = ink(page)
    page.keyboard.press("Shift+ArrowUp")
    assert ink(page) < full
    page.keyboard.press("Delete")
    assert seen(page) is None


def test_one_draws_with_a_finger(visit, browser):
    if browser.browser_type.name == "firefox":  # it makes no pointer events of the touches that it is sent
        page = visit(width=360, height=740)
        for kind, y in [("pointerdown", 0.1), ("pointermove", 0.5), ("pointermove", 0.9), ("pointerup", 0.9)]:
            x, y = on_pad(page, 0.5, y)
            event = {"clientX": x, "clientY": y, "isPrimary": True, "pointerType": "touch", "bubbles": True}
            page.evaluate(
                """([kind, event]) => {
                  pad.setPointerCapture = () => {};
                  pad.dispatchEvent(new PointerEvent(kind, event));
                }""",
                [kind, event],
            )
        assert np.ptp(np.nonzero(seen(page))[0]) > 15
        return
    page = visit(width=360, height=740, has_touch=True, is_mobile=True)
    session = page.context.new_cdp_session(page)

    def touch(kind, *places):
        points = [dict(zip("xy", on_pad(page, *place))) for place in places]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.locator("#pad").scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    touch("touchStart", (0.5, 0.1))
    for k in range(1, 9):
        touch("touchMove", (0.5, 0.1 + 0.1 * k))
    touch("touchEnd")
    wait_until(page, "explorer.drawing.image !== null")
    assert np.ptp(np.nonzero(seen(page))[0]) > 15
    assert page.evaluate("scrollY") == scrolled  # the finger drew, and did not scroll


# The cloud


def test_the_point_goes_to_the_mean_of_the_drawing(visit, vae):
    page = visit()
    draw(page, (0.3, 0.2), (0.6, 0.3), (0.4, 0.8))
    mean, log_var = (np.asarray(values)[0] for values in vae.encode(seen(page)[None, ..., None].astype("float32")))
    np.testing.assert_allclose(page.evaluate("explorer.state.code"), mean, atol=0.01)
    limit = page.evaluate("explorer.data.limit")
    np.testing.assert_allclose(position(page), np.clip(mean, -limit, limit), atol=0.01)
    shown = page.inner_text("#sliders").replace("−", "-")
    for k in range(2):
        assert f"σ {np.exp(log_var[k] / 2):.2f}" in shown


def test_the_ellipse_is_that_of_the_cloud_in_any_plane(visit, tmp_path):
    vae = small_vae(GREY, 3)
    page = visit(latent_explorer(vae, images_for(GREY), plane="pca").save(tmp_path / "page.html"))
    page.locator("#strip button").first.click()
    page.evaluate("Object.assign(explorer.drawing.posterior, { logVar: Float32Array.from([0, -1, -3]) })")
    ellipse = page.evaluate("cloudEllipse()")
    directions = np.array(page.evaluate("explorer.data.directions"))
    covariance = directions @ np.diag(np.exp([0, -1, -3])) @ directions.T
    c, s = np.cos(ellipse["angle"]), np.sin(ellipse["angle"])
    turn = np.array([[c, -s], [s, c]])
    np.testing.assert_allclose(turn @ np.diag(np.square(ellipse["axes"])) @ turn.T, covariance, atol=1e-5)


def test_samples_come_from_the_cloud_and_sigma_widens_it(visit):
    page = visit()
    page.locator("#strip button").nth(3).click()
    wait_until(page, "document.querySelectorAll('#samples button').length === 8")
    draws = np.array(page.evaluate("Array.from({ length: 200 }, () => { drawSamples(); return sampleCodes(); })"))
    mean = page.evaluate("[...explorer.drawing.posterior.mean]")
    deviation = np.exp(np.array(page.evaluate("[...explorer.drawing.posterior.logVar]")) / 2)
    np.testing.assert_allclose(draws.mean(axis=(0, 1)), mean, atol=0.15 * deviation.max())
    np.testing.assert_allclose(draws.std(axis=(0, 1)), deviation, rtol=0.1)
    narrow = np.array(page.evaluate("sampleCodes()"))
    page.focus("#sigma")
    page.keyboard.press("End")
    wide = np.array(page.evaluate("sampleCodes()"))
    np.testing.assert_allclose(wide - mean, 4 * (narrow - mean), atol=1e-5)
    page.keyboard.press("Home")
    np.testing.assert_allclose(page.evaluate("sampleCodes()"), np.tile(mean, (8, 1)), atol=1e-6)
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    page.locator("#samples button").nth(2).click()
    np.testing.assert_allclose(page.evaluate("explorer.state.code"), wide[2], atol=1e-5)


def test_sliders_walk_along_one_latent_and_the_others_hold(visit, tmp_path):
    vae = small_vae(GREY, 12)
    explorer = latent_explorer(vae, images_for(GREY), plane=(3, 1))
    page = visit(explorer.save(tmp_path / "page.html"))
    page.locator("#strip button").first.click()
    mean = np.array(page.evaluate("[...explorer.drawing.posterior.mean]"))
    assert page.locator("#sliders input").count() == 1 + 8
    chosen = data_of(explorer.page)["byKl"][0]
    page.focus(f"#z{chosen + 1}")
    page.keyboard.press("Home")
    code = np.array(page.evaluate("explorer.state.code"))
    np.testing.assert_allclose(np.delete(code, chosen), np.delete(mean, chosen), atol=1e-5)
    assert code[chosen] <= -4
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(*to_screen(page, [0.5, -1]))
    moved = np.array(page.evaluate("explorer.state.code"))
    np.testing.assert_allclose(moved[[3, 1]], [0.5, -1], atol=0.05)
    np.testing.assert_allclose(np.delete(moved, [3, 1]), np.delete(code, [3, 1]), atol=1e-5)
    expected = np.asarray(vae.decode(moved[None])).ravel()
    assert np.abs(page.evaluate("explorer.pixels()") - 255 * expected).max() <= 2


# The loss


def test_the_bars_add_up_to_the_loss_of_the_drawing(visit, vae, explorer):
    page = visit()
    assert page.locator(".bar").count() == 0
    draw(page, (0.3, 0.2), (0.6, 0.3), (0.4, 0.8))
    wait_until(page, "document.querySelectorAll('.bar').length === 2")
    x = seen(page)[None, ..., None].astype("float32")
    mean, log_var = vae.encode(x)
    fit = float(vh.bernoulli_nll(x, vae.decoder(np.asarray(mean)))[0])
    kl = float(vh.gaussian_kl(mean, log_var)[0])
    line = page.locator("#bars p").first.inner_text()
    numbers = [float(number) for number in line.split(": ")[1].replace(" nats", "").replace("=", "+").split("+")]
    np.testing.assert_allclose(numbers, [fit + kl, fit, kl], atol=0.2)
    boxes = [page.locator(f".bar .{name}").first.bounding_box() for name in ("fit", "kl", "mark")]
    full = page.locator(".bar").first.bounding_box()["width"]
    assert boxes[0]["width"] / boxes[1]["width"] == pytest.approx(fit / kl, rel=0.1)
    assert boxes[1]["x"] == pytest.approx(boxes[0]["x"] + boxes[0]["width"], abs=1)
    mark = boxes[2]["x"] + 1.5 - boxes[0]["x"]
    assert mark / boxes[0]["width"] == pytest.approx(data_of(explorer.page)["median"]["loss"] / fit, rel=0.05)
    assert full > boxes[0]["width"]
    assert "does not mean “normal”" in page.inner_text("#verdict")
    wait_until(page, "document.getElementById('live').textContent.includes('reconstruction')")


def test_the_surprise_is_where_the_ink_differs(visit):
    page = visit()
    page.locator("#strip button").nth(3).click()
    pixels = np.array(
        page.evaluate(
            """() => [...document.getElementById("surpriseMap").getContext("2d").getImageData(0, 0, 28, 28).data]"""
        )
    ).reshape(28, 28, 4)
    x = seen(page)
    means = np.array(page.evaluate("[...explorer.decode(explorer.state.code)]")).reshape(28, 28)
    cost = -np.log(np.where(x == 1, means, 1 - means))
    assert np.corrcoef(pixels[..., 3].ravel(), np.sqrt(np.clip(cost / 4, 0, 1)).ravel())[0, 1] > 0.99
    strong = pixels[..., 3] > 60
    assert ((pixels[..., 0] > pixels[..., 2]) == (x > means))[strong].all()  # orange where there is more ink


def test_an_autoencoder_has_neither_cloud_nor_kl(visit, tmp_path):
    model = small_vae((28, 28, 1), 2, kind=vh.Autoencoder)
    page = visit(latent_explorer(model, images_for((28, 28, 1), 50)).save(tmp_path / "page.html"))
    draw(page, (0.3, 0.2), (0.6, 0.8))
    assert page.locator(".bar .fit").count() == 1 and page.locator(".kl").count() == 0
    assert "squared error" in page.inner_text("#cost") and "nats" not in page.inner_text("#cost")
    assert not any(page.is_visible(part) for part in ("#cloud", "#sigma", "#surprise"))
    code = np.asarray(model.encode(seen(page)[None, ..., None].astype("float32")))[0]
    np.testing.assert_allclose(page.evaluate("explorer.state.code"), code, atol=0.01)


def test_colour_has_test_images_but_no_pad(visit, tmp_path):
    page = visit(latent_explorer(small_vae(COLOR, 2), images_for(COLOR, 30)).save(tmp_path / "page.html"))
    assert not page.is_visible("#sheet") and not page.is_visible("#pens")
    page.locator("#strip button").nth(2).click()
    assert page.locator(".bar").count() >= 1 and page.is_visible("#surpriseMap")


def test_without_images_one_draws_but_nothing_is_compared(visit, vae, tmp_path):
    page = visit(latent_explorer(vae).save(tmp_path / "page.html"))
    draw(page, (0.3, 0.2), (0.6, 0.8))
    assert not page.is_visible("#strip") and page.locator(".mark").count() == 0
    assert (seen(page) % 1 > 0).sum() > 0  # grey: nothing says that the model saw thresholded images


# The page around them

PARTS = ("h1", "#theme", "#plane", "#sheet", "#pens", "#chosen", "#picture", "#surpriseMap", "#readout", "#cost")
PARTS += ("#cloud", "#sliders", "#walk", "#tools", "#hint", "#legend", "footer")


@pytest.mark.parametrize("width, height", [(360, 740), (390, 844), (700, 900), (900, 680), (1440, 900), (1920, 1080)])
def test_nothing_overlaps_or_is_cut(visit, width, height):
    page = visit(width=width, height=height)
    draw(page, (0.3, 0.2), (0.6, 0.3), (0.4, 0.8))
    wait_until(page, "document.querySelectorAll('.bar').length === 2")
    page.evaluate("scrollTo(0, 0)")
    boxes = {part: page.locator(part).bounding_box() for part in PARTS}
    assert not list(find_overlaps(boxes))
    buttons = [button.bounding_box() for button in page.locator("button:visible").all()]
    for box in (*boxes.values(), *buttons):
        assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5
    for part in ("#plane", "#sheet"):  # the cloud is seen while one draws
        assert boxes[part]["y"] + boxes[part]["height"] <= height, f"{part} is below the screen"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CUT) == []
    assert min(page.evaluate(SIZES)) >= 13


def test_every_control_is_reached_by_keyboard(visit):
    page = visit()
    reached = []
    for _ in range(75):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    wanted = [
        "theme",
        "pad",
        "pen",
        "rubber",
        "clear",
        "fitted",
        "pixels",
        "plane",
        "play",
        "sample",
        "sigma",
        "z1",
        "z2",
    ]
    assert [name for name in reached if name in wanted][: len(wanted)] == wanted


def test_a_stroke_costs_less_than_a_frame(visit):
    page = visit()
    times = []
    page.mouse.move(*on_pad(page, 0.2, 0.5))
    page.mouse.down()
    for k in range(30):
        page.mouse.move(*on_pad(page, 0.2 + 0.02 * k, 0.5 + 0.3 * np.sin(k / 3)))
        times.append(page.evaluate("explorer.lastStrokeMs()"))
    page.mouse.up()
    assert np.mean(times) > 0 and np.median(times) < 16


def test_the_page_draws_inside_a_notebook_cell(visit, explorer, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><p>Out[1]:</p>{explorer._repr_html_()}", encoding="utf-8")
    page = visit(path, ready=False)
    frame = page.frames[1]
    frame.wait_for_selector("html[data-ready]")
    corner, box = (
        page.locator("iframe").bounding_box(),
        frame.evaluate("(({ x, y, width, height }) => [x, y, width, height])(byId('pad').getBoundingClientRect())"),
    )
    page.mouse.move(corner["x"] + box[0] + 0.3 * box[2], corner["y"] + box[1] + 0.3 * box[3])
    page.mouse.down()
    page.mouse.move(corner["x"] + box[0] + 0.6 * box[2], corner["y"] + box[1] + 0.6 * box[3], steps=3)
    page.mouse.up()
    assert frame.evaluate("explorer.drawing.image !== null")
