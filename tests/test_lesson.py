"""The lesson of docs/teaching.md: one network from slide to slide, and every slide has its minute."""

import pathlib
import re

DOCS = pathlib.Path(__file__).parent.parent / "docs"
LESSON = (DOCS / "teaching.md").read_text(encoding="utf-8")
BEFORE, TABLE = LESSON.partition("\n## The lesson")[0], LESSON.partition("\n## The lesson")[2].partition("\n## ")[0]


def test_the_slides_are_of_the_network_that_the_lesson_speaks_of():
    made = re.findall(r"-m tinygrad_vg(?: draw rnn)? --.*", BEFORE)
    assert len(made) == 2 and all("--activation sigmoid" in command for command in made)


def test_every_slide_has_its_minute():
    assert {*re.findall(r"slides/[\w.]+", BEFORE)} <= {*re.findall(r"slides/[\w.]+", TABLE)}
    assert "river of the LSTM" in TABLE
