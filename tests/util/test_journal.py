import json
import math

import pytest

from util.errors import UserError
from util.journal import Journal, finite_or_text, read_journal, refuse_other_settings


def test_a_journal_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "new" / "journal"
    journal = Journal(path, [{"n": 1}])
    journal.append({"text": "a\nb\u2028c", "n": 2})
    assert read_journal(path) == [{"n": 1}, {"text": "a\nb\u2028c", "n": 2}]
    assert all(json.loads(line) for line in path.read_text().splitlines())
    assert read_journal(tmp_path / "none") == []


def test_what_is_no_whole_object_is_left_out(tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(b'head\n{"n": 1}\n\n[1]\n"x"\n{"n": NaN}\n\xff\n' + b"[" * 99999 + b'\n{"n": 2}\n{"n": 3')
    assert read_journal(path) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_line_torn_by_another_does_not_spoil_the_next(tmp_path, cut):
    path = tmp_path / "journal"
    journal = Journal(path, [{"n": 1}, {"n": 2}])
    path.write_bytes(path.read_bytes()[:-cut])
    journal.append({"n": 3})
    assert [entry["n"] for entry in read_journal(path)] == ([1, 2, 3] if cut == 1 else [1, 3]), "1: a break alone"


def test_a_removed_journal_begins_anew_with_its_head(tmp_path):
    path = tmp_path / "journal"
    journal = Journal(path, head="head\n", to_line="".join)
    path.unlink()
    journal.append({"a": 1, "b": 2})
    journal.append({"c": 3})
    assert path.read_text() == "head\nab\nc\n"


def test_a_journal_that_cannot_be_written_is_named(tmp_path):
    journal = Journal(tmp_path / "folder" / "journal")
    (tmp_path / "folder" / "journal").unlink()
    (tmp_path / "folder").rmdir()
    with pytest.raises(UserError, match="journal: cannot be written \\(No such file"):
        journal.append({})


def test_values_survive_json():
    values = {"a": 1.5, "b": math.inf, "c": -math.inf, "d": math.nan}
    text = json.dumps(finite_or_text(values), allow_nan=False)
    assert {name: float(value) for name, value in json.loads(text).items()} == pytest.approx(values, nan_ok=True)


def test_other_settings_are_listed():
    refuse_other_settings("there", {}, "no matter")
    with pytest.raises(UserError, match=r"^there was begun with a None \(now 3\), b 1 \(now 2\): use another$"):
        refuse_other_settings("there", {"b": (1, 2), "a": (None, 3)}, "use another")
