"""The page of a comparison in a real browser, opened from disk."""

from data.image_io import write_image
from tests.browser import By, WebDriverWait, headless_chromium, needs_chromium
from tests.pictures import scene
from tests.util.report.test_comparison_page import NASTY, compared, values, write


@needs_chromium
def test_a_click_on_a_number_shows_the_pictures_behind_it(tmp_path):
    sets = [compared(name, values(["A", "B", NASTY], count)) for name, count in (("one", 2), ("two", 15))]
    for path in {path for one in sets for scene_pictures in one.pictures for path in scene_pictures.fused}:
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
