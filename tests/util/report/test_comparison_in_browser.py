"""The page of a comparison in a real browser, opened from disk."""

from tests.browser import By, WebDriverWait, headless_chromium, needs_chromium
from tests.images import scene
from tests.util.report.test_comparison_page import NASTY, compared, values, write
from util.images.image_io import write_image


@needs_chromium
def test_a_click_on_a_number_shows_the_images_behind_it(tmp_path):
    sets = [compared(name, values(["A", "B", NASTY], count)) for name, count in (("one", 2), ("two", 15))]
    for path in {path for one in sets for scene_images in one.images for path in scene_images.fused}:
        write_image(tmp_path / path, scene(0, 24, 32))
    write(tmp_path / "index.html", *sets)
    with headless_chromium(tmp_path / "profile", width=1300, height=1000) as browser:

        def find(selector):
            return [one for one in browser.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]

        def texts(selector):
            return [one.text for one in find(selector)]

        browser.get((tmp_path / "index.html").as_uri())
        find('.means[data-set="1"] tr[data-method="1"] td:nth-child(3) a')[0].click()
        assert texts("#chosen") == ["MSE · error · lower is better"]
        assert texts(".card h3") == [f"scene {number}" for number in range(14, 2, -1)]  # where they differ most
        captions = [f"{name} {value}" for name, value in (("A", "1.0000"), ("B", "3.4000"), (NASTY, "5.8000"))]
        assert [text.replace("\n", " ") for text in texts(".card:first-child figcaption")] == [*captions, "source ir"]
        assert texts(".card:first-child .marked figcaption") == [captions[1].replace(" ", "\n")]
        find("#more")[0].click()
        assert (len(find(".card")), find("#more")) == (15, [])
        find(".card:first-child figure:nth-child(2) .shot")[0].click()
        WebDriverWait(browser, 15).until(lambda _: any(texts(".viewer-zoom")))
        assert texts(".viewer-title")[0].startswith("scene 14MSE: A 1.0000")
        browser.switch_to.active_element.send_keys("1")
        assert texts('.viewer button[aria-pressed="true"]') == ["1A"]
        assert browser.get_log("browser") == []


@needs_chromium
def test_long_names_do_not_widen_the_page(tmp_path):
    methods = [f"method{number}_" + "x" * 128 for number in range(2)]
    names = ["set_" + "y" * 130, "other_" + "z" * 130]
    write(tmp_path / "index.html", *(compared(name, values(methods, 12)) for name in names))
    write(tmp_path / "one.html", compared(names[0], values(methods, 12)))
    with headless_chromium(tmp_path / "profile", width=1300, height=1000) as browser:
        for page in ("index.html", "one.html"):
            for width in (1300, 400):
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                browser.get((tmp_path / page).as_uri())
                root = "document.documentElement"
                wide, shown = browser.execute_script(f"return [{root}.scrollWidth, {root}.clientWidth]")
                assert shown > width - 30
                assert wide == shown, f"{page} at {width}"
                headings = browser.find_elements(By.CSS_SELECTOR, ".pairs thead th[title]")
                assert [heading.get_attribute("title") for heading in headings[:2]] == methods
                assert max(heading.size["width"] for heading in headings) < 250
