"""The pages in a real browser, opened from disk."""

import math
import struct
import zlib

import pytest

from tests.browser import By, Keys, WebDriverWait, headless_chromium, needs_chromium
from util.report.result_page import ResultRow, write_result_page
from util.report.training_page import TrainingPage

pytestmark = needs_chromium
NASTY = "näher #1 50%? <img src=x onerror=alert(1)> \"quoted\" 'too'"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with headless_chromium(tmp_path_factory.mktemp("profile"), width=1300, height=1000) as driver:
        yield driver


@pytest.fixture
def browser(chromium, tmp_path):  # tmp_path first: its images must still be there while the console is read
    """The browser; at the end of a test its console must be empty."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    yield chromium
    assert chromium.get_log("browser") == []


def wait(browser, script):
    return WebDriverWait(browser, 15).until(lambda driver: driver.execute_script(f"return {script}"))


def texts(browser, selector):
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector) if found.is_displayed()]


def write_png(path, grey, width=32, height=24):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes([grey]) * width) * height)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


@pytest.fixture
def result_page(tmp_path):
    rows = []
    for index, name in enumerate(["pair-10", "pair-9", NASTY]):
        images = {}
        for grey, label in enumerate(["source 1", "source 2", "fused"]):
            images[label] = f"images/{name.replace('/', '')} {label}.png"
            write_png(tmp_path / images[label], 60 * (grey + 1))
        psnr = [31.5, math.inf, math.nan][index]
        rows.append(ResultRow(name, images, {"PSNR": psnr, "MSE": [0.3, 0.1, 0.2][index]}, "32 x 24"))
    directions = {"PSNR": "higher", "MSE": "lower"}
    write_result_page(tmp_path / "index.html", title=NASTY, facts={"a": NASTY}, rows=rows, directions=directions)
    return (tmp_path / "index.html").as_uri()


def test_result_page_shows_texts_as_they_are_and_all_images(browser, result_page):
    browser.get(result_page)
    assert texts(browser, "h1") == [NASTY]
    assert texts(browser, ".card h3") == ["pair-10", "pair-9", NASTY]
    assert len(browser.find_elements(By.CSS_SELECTOR, ".shot img[loading=lazy]")) == 9
    browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    wait(browser, "[...document.images].length === 9 && [...document.images].every(i => i.naturalWidth === 32)")
    assert texts(browser, "td .best") == ["∞", "0.10000"]


def test_result_page_keeps_the_place_of_images_that_are_not_there_yet(browser, result_page):
    browser.get(result_page)
    shape = "[...document.images].map(i => Math.round(100 * i.offsetWidth / i.offsetHeight))"
    assert set(browser.execute_script(f"document.images[0].removeAttribute('src'); return {shape}")) <= {132, 133, 134}


def test_result_page_sorts_values_and_images(browser, result_page):
    browser.get(result_page)
    name, psnr, mse = browser.find_elements(By.CSS_SELECTOR, "thead th")

    def order():
        return [[row.split("\n")[0] for row in texts(browser, f"{where}")] for where in ("tbody th", ".card h3")]

    def expect(names):
        WebDriverWait(browser, 10).until(lambda _: order() == [names, names])

    mse.click()
    expect(["pair-10", NASTY, "pair-9"])
    mse.send_keys(Keys.ENTER)
    expect(["pair-9", NASTY, "pair-10"])
    psnr.click()
    expect(["pair-9", "pair-10", NASTY])
    psnr.click()
    expect(["pair-10", "pair-9", NASTY])  # what is not a number stays last
    name.click()
    name.click()
    expect([NASTY, "pair-9", "pair-10"])


def test_result_page_filters(browser, result_page):
    browser.get(result_page)
    box = browser.find_element(By.ID, "filter")
    box.send_keys("PAIR 9")
    assert texts(browser, ".card h3") == texts(browser, "tbody th") == ["pair-9"]
    assert texts(browser, "#count") == ["1 of 3"]
    box.clear()
    box.send_keys("<img")
    assert texts(browser, ".card h3") == [NASTY]


def test_viewer_flips_zooms_and_closes_by_keys(browser, result_page):
    browser.get(result_page)
    browser.find_element(By.CSS_SELECTOR, "#sample-1 .shot[data-label=fused]").click()
    wait(browser, "document.querySelector('.viewer-zoom').textContent")

    def press(key):
        browser.switch_to.active_element.send_keys(key)
        return browser.execute_script(
            "return ['.viewer-plane img.shown', '.viewer-title span'].map(s => document.querySelector(s))"
            ".map(e => e.alt || e.textContent)"
        )

    def place():
        return browser.execute_script("return document.querySelector('.viewer-plane').style.transform")

    assert press("1") == ["source 1 of pair-9", "pair-9"]
    assert press("2")[0] == "source 2 of pair-9"
    assert press(Keys.ARROW_RIGHT)[0] == "fused of pair-9"
    assert press(Keys.ARROW_RIGHT)[0] == "source 1 of pair-9"
    assert press(Keys.ARROW_LEFT)[0] == "fused of pair-9"
    assert press("9")[0] == "fused of pair-9"
    fitted = place()
    press("+")
    zoomed = place()
    assert zoomed != fitted
    press("1")
    assert place() == zoomed
    pixelated = "getComputedStyle(document.querySelector('.viewer-plane img.shown')).imageRendering"
    assert browser.execute_script(f"return {pixelated}") == "pixelated"
    assert press(Keys.ARROW_DOWN) == [f"source 1 of {NASTY}", NASTY]
    wait(browser, "document.querySelector('.viewer-plane img.shown').naturalWidth === 32")
    assert place() == zoomed
    assert press(Keys.ARROW_UP)[1] == "pair-9"
    press("z")
    assert texts(browser, ".viewer-zoom") == ["100 %"]
    press("0")
    assert place() == fitted
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(browser, "!document.querySelector('dialog').open")
    assert browser.switch_to.active_element.get_attribute("data-label") == "fused"


def test_viewer_blinks_between_the_last_two(browser, result_page):
    browser.get(result_page)
    browser.find_element(By.CSS_SELECTOR, "#sample-0 .shot").click()
    browser.switch_to.active_element.send_keys("2", "3", "b")
    shown = "document.querySelector('.viewer-plane img.shown').alt"
    wait(browser, f"{shown} === 'source 2 of pair-10'")
    wait(browser, f"{shown} === 'fused of pair-10'")


@pytest.fixture
def training(tmp_path):
    page = TrainingPage(tmp_path, NASTY, {"netG": NASTY})
    for step in range(1, 41):
        values = {"G_GAN": 1 / step, "G_L1": 2 / step, "D_real": 0.5, "D_fake": math.nan if step == 7 else 0.6}
        page.add_values("losses", step * 100, 1 + step // 10, {**values, "lr": 2e-4, "samples_per_s": 100.0})
        if step % 10 == 0:
            page.add_values(
                "validation", step * 100, 1 + step // 10, {"PSNR": 20 + step / 10, "PSNR_average": 22.0, "SSIM": 0.9}
            )
            write_png(tmp_path / f"images/#{step} ü.png", step)
            page.add_images(
                step * 100, 1 + step // 10, {"fused": f"images/#{step} ü.png", "<b>": f"images/#{step} ü.png"}
            )
    return page, tmp_path


def test_training_page_shows_everything(browser, training):
    page, folder = training
    browser.get((folder / "index.html").as_uri())
    wait(browser, "document.querySelectorAll('.chart canvas').length === 6")
    assert texts(browser, ".chart h3") == ["G", "D", "PSNR", "SSIM", "Learning rate", "Samples per second"]
    assert texts(browser, "#status") == ["running"]
    assert texts(browser, "h1") == [NASTY]
    assert texts(browser, ".chart-note") == ["⚠ D_fake was not finite once, first at 700 samples"]
    assert "4,000 samples · epoch 5" in texts(browser, ".chart-where")[0]
    inked = "[...document.querySelectorAll('.chart canvas')].every(c => c.getContext('2d')" \
        ".getImageData(0, 0, c.width, c.height).data.some(v => v))"  # fmt: skip
    assert browser.execute_script(f"return {inked}")
    assert texts(browser, "#shots figcaption") == ["fused", "<b>"]
    wait(browser, "[...document.querySelectorAll('#shots img')].every(i => i.naturalWidth === 32)")
    assert texts(browser, "#moment-text") == ["4,000 samples · epoch 5 (4 of 4)"]
    browser.find_element(By.ID, "older").click()
    assert texts(browser, "#moment-text") == ["3,000 samples · epoch 4 (3 of 4)"]
    assert browser.find_element(By.CSS_SELECTOR, "#shots img").get_attribute("src").endswith("/%2330%20%C3%BC.png")
    browser.find_element(By.CSS_SELECTOR, "#shots .shot").click()
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN, "2")
    assert browser.execute_script("return document.querySelector('.viewer-plane img.shown').alt").startswith(
        "<b> of 4,000"
    )
    page.finish("finished <b>")
    browser.refresh()
    wait(browser, "document.querySelector('#status').textContent === 'finished <b>'")


def test_training_page_controls(browser, training):
    _, folder = training
    browser.get((folder / "index.html").as_uri())
    wait(browser, "document.querySelectorAll('.chart canvas').length === 6")
    assert texts(browser, ".chart-series b")[0] != "0.025"
    browser.find_element(By.ID, "smoothing").send_keys(Keys.HOME)
    assert texts(browser, ".chart-series b")[0] == "0.025"
    image = "document.querySelector('#losses canvas').toDataURL()"
    linear = browser.execute_script(f"return {image}")
    browser.find_element(By.ID, "log").click()
    wait(browser, f"{image} !== '{linear}'")
    toggle = browser.find_element(By.CSS_SELECTOR, ".chart-series button")
    toggle.click()
    assert toggle.get_attribute("aria-pressed") == "false"


def test_a_tick_between_sparse_records_names_its_own_epoch(browser, training):
    _, folder = training
    browser.get((folder / "index.html").as_uri())
    chart = "Object.assign(Object.create(charts.Chart.prototype), {table: {xs: [2000, 4000, 8000], epochs: [2, 4, 8]}})"
    ticks = browser.execute_script(f"return [1999, 2000, 5000, 5001, 6000, 8000, 9000].map((at) => {chart}.tick(at))")
    assert ticks == ["1,999", "2,000\nep 2", "5,000\nep 5", "5,001\nep 6", "6,000\nep 6", "8,000\nep 8", "9,000"]


@pytest.mark.parametrize("part", [0.01, 0.3, 0.7, 0.97])
def test_a_torn_last_line_hides_nothing_else(browser, training, part):
    page, folder = training
    records = folder / "records.html"
    before = records.stat().st_size
    page.add_values("losses", 9900, 9, {"G_GAN": 1.0, "G_L1": 1.0})
    with records.open("r+b") as file:
        file.truncate(before + int(part * (records.stat().st_size - before)))
    browser.get((folder / "index.html").as_uri())
    wait(browser, "document.querySelectorAll('.chart canvas').length === 6")
    assert "4,000 samples, epoch 5" in texts(browser, "#progress")[0]
    page.add_values("losses", 5000, 6, {"G_GAN": 1.0, "G_L1": 1.0})
    browser.refresh()
    wait(browser, "document.querySelector('#progress').textContent.includes('5,000 samples, epoch 6')")


def test_no_record_can_run(browser, tmp_path):
    nasty = "</pre><script>parent.document.title='bad'</script><img src=x onerror=alert(1)>\u2028"
    page = TrainingPage(tmp_path, "run", {})
    page.add_values("losses", 1, 1, {nasty: math.inf, "G": 1.0})
    page.finish(nasty)
    browser.get((tmp_path / "index.html").as_uri())
    wait(browser, "document.querySelector('#status').textContent.startsWith('</pre><script>')")
    assert browser.title == "run"
    assert browser.execute_script("return document.querySelectorAll('main img').length") == 0
    assert "∞" in texts(browser, ".chart-series b")


def test_a_missing_record_file_is_said(browser, tmp_path):
    TrainingPage(tmp_path, "run", {})
    (tmp_path / "records.html").unlink()
    browser.get((tmp_path / "index.html").as_uri())
    wait(browser, "!document.querySelector('#problem').hidden")
    assert "should lie beside this page" in texts(browser, "#problem")[0]
    browser.get_log("browser")  # the browser itself may complain about the missing file


def test_hundreds_of_rows_open_quickly(browser, tmp_path):
    write_png(tmp_path / "a.png", 100)
    images = dict.fromkeys(["source 1", "source 2", "fused"], "a.png")
    rows = [ResultRow(f"pair-{i}", images, {f"m{k}": i * k for k in range(12)}, "32 x 24") for i in range(600)]
    write_result_page(tmp_path / "index.html", title="many", facts={}, rows=rows, directions={})
    browser.get((tmp_path / "index.html").as_uri())
    took = browser.execute_script("return performance.getEntriesByType('navigation')[0].domComplete")
    assert took < 10_000
    assert texts(browser, "#count") == ["600 of 600"]
