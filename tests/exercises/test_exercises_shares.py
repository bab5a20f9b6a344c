"""How often the checks name a cause, over all tables: run by `pytest -m long -s`, which prints the shares."""

import re

import pytest
from tables import LESSONS, tables

RIGHT, WRONG = tables("RIGHT"), tables("WRONG")
# Beginnings of verdicts that only say where and by how much a result is wrong.
NO_CAUSE = re.compile(
    r"the value |the wrong values are all |\d+ of \d+ values are wrong|some values are as they should be; "
    r"|the result is right for |the parameters do not move as "
    r"|the result has values that are not finite \(NaN or infinity\)(?! where)"
)


def verdict(said, name, function):
    text = said(name, function).removeprefix(f"{name} · ")
    return re.sub(r"^(shape \(6, 3\), as it should be |.{10,60} is right\. .{5,120}?: )", "", text)


@pytest.mark.long
def test_the_shares(said, capsys):
    wrong = [(name, verdict(said, name, row[0])) for name, rows in WRONG.items() for row in rows]
    right = [(name, verdict(said, name, function)) for name, functions in RIGHT.items() for function in functions]
    accepted = [name for name, text in wrong if text.startswith("right: ")]
    without = [name for name, text in wrong if NO_CAUSE.match(text)]
    passed = [name for name, text in right if text.startswith("right: ")]
    with capsys.disabled():
        print(f"\n{len(wrong)} wrong answers in {len(WRONG)} exercises of {len(LESSONS)} lessons: "
              f"{len(wrong) - len(accepted)} rejected, {len(without)} of them without a cause")  # fmt: skip
        print(f"{len(right)} right answers: {len(passed)} accepted")
    assert not accepted
    assert len(passed) == len(right)
    assert len(without) <= len(wrong) / 8
