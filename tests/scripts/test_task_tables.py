"""Every test set with every method, in one command that can be stopped and started again."""

from __future__ import annotations

import pytest

from scripts import task_tables
from tests.images import write_sources
from util.errors import run_command
from util.images.image_io import read_image


@pytest.fixture
def tables(tmp_path):
    write_sources(tmp_path / "data" / "tno25", 3)
    for old, new in (("A", "ir"), ("B", "vi"), ("1", "ir"), ("2", "vi")):
        folder = tmp_path / "data" / "tno25" / old
        if folder.is_dir():
            folder.rename(folder.with_name(new))

    def run(*methods):
        words = ["--data", tmp_path / "data", "--sets", "tno25", "--out", tmp_path / "out", "--workers", 1]
        words += ["--tables", tmp_path / "out" / "tables.md", "--methods", *methods]
        return run_command(task_tables.main, [str(word) for word in words])

    return run


def test_methods_are_ranked_and_what_is_known_is_kept(tables, tmp_path):
    assert tables("average", "laplacian") == 0
    known = (tmp_path / "out" / "measured.jsonl").read_text().splitlines()
    assert len(known) == 6
    assert tables("average", "laplacian", "maximum") == 0
    assert (tmp_path / "out" / "measured.jsonl").read_text().splitlines()[:6] == known
    text = (tmp_path / "out" / "tables.md").read_text()
    assert text.startswith("| mean rank | tno25 |")
    assert "### tno25" in text
    assert "3 scenes; mean rank over 35 metrics." in text, "all but MS_SSIM, for which they are too small"
    rows = [line.split("|")[1].strip() for line in text.splitlines() if "±" in line]
    assert sorted(rows) == ["average", "laplacian", "maximum"]
    assert (tmp_path / "out" / "tno25" / "index.html").is_file()
    assert read_image(tmp_path / "out" / "tno25" / "sheet.png").shape[0] == 3 * 224


def test_a_missing_folder_is_named(tmp_path, capsys):
    assert run_command(task_tables.main, ["--data", str(tmp_path / "none")]) == 2
    assert "none: no such folder" in capsys.readouterr().err
