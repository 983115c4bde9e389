"""Commands in the documentation parse, and its links lead somewhere."""

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from options.commands import parse_test, parse_train
from options.strict import StrictParser
from scripts import (
    benchmark,
    compare,
    evaluate,
    make_masked_pairs,
    make_patches,
    make_pmf,
    make_saliency_pairs,
    repeat_training,
)

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((ROOT / "docs").glob("*.md")),
]
PAGES += [ROOT / "datasets" / "README.md", ROOT / "checkpoints" / "README.md"]
SCRIPTS = {
    f"scripts/{module.__name__.split('.')[-1]}.py": module
    for module in (
        *(benchmark, compare, evaluate, make_masked_pairs, make_patches, make_pmf, make_saliency_pairs),
        repeat_training,
    )
}
PLACEHOLDER = re.compile(r"[A-Z]+|…|\[.*\]")


def commands():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        text = text.replace("\\\n", " ")
        found = re.findall(r"^(?:python|bash) +\S+\.(?:py|sh)[^\n]*", text, re.MULTILINE)
        found += re.findall(r"^torchrun [^\n]*?(?= train\.py)( train\.py[^\n]*)", text, re.MULTILINE)
        found += re.findall(r"`((?:python|bash)\s+\S+\.(?:py|sh)[^`]*)`", text)
        for command in found:
            words = shlex.split(" ".join(command.split()), comments=True)
            words = ["python", *words] if words[0] == "train.py" else words
            yield pytest.param(words, id=f"{page.name}: {' '.join(words[1:4])}")


class Understood(Exception):
    """Ends a script as soon as it has parsed its command line."""


@pytest.fixture
def parse_only(monkeypatch):
    """Scripts go no further than the parsing of their command line."""
    parse = StrictParser.parse_strict

    def parse_and_stop(parser, argv):
        parse(parser, argv)
        raise Understood

    def run(script, arguments):
        with monkeypatch.context() as patch, pytest.raises(Understood):
            patch.setattr(StrictParser, "parse_strict", parse_and_stop)
            script.main(arguments)

    return run


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_of_the_documentation_is_understood(words, parse_only):
    _, program, *arguments = words
    assert (ROOT / program).is_file()
    if "--help" in arguments:
        arguments.remove("--help")
    if "--config" in arguments and not PLACEHOLDER.fullmatch(arguments[arguments.index("--config") + 1]):
        path = arguments.index("--config") + 1
        arguments[path] = str(ROOT / arguments[path])
    if program == "train.py":
        parse_train([word.replace("mine", "R2GAN_generator") for word in arguments])
    elif program == "test.py":
        parse_test(arguments)
    elif program in SCRIPTS:
        parse_only(SCRIPTS[program], arguments)
    if program == "scripts/repeat_training.py":
        _, training, *testing = " ".join(arguments).split(" -- ")
        parse_train(training.split())
        parse_test(" ".join(testing).split())


def headings(page):
    """The anchors of a page, as GitHub derives them: lower case, no punctuation, repeated ones numbered."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    seen = Counter()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        yield f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor
        seen[anchor] += 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            found = page.parent / target if target else page
            assert found.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in headings(found), f"{page.name}: {target}#{anchor}"


def test_the_project_speaks_of_itself_alone():
    """No path of a machine and no mention of the development data outside tests."""
    for path in [*PAGES, *ROOT.glob("*.py"), *(ROOT / "scripts").glob("*")]:
        if path.is_file():
            assert not re.search(r"(/work/|/root/|/home/|\.\./shared)", path.read_text(encoding="utf-8")), path
