"""The tests of understanding: their numbers are right, and the notebook tells right answers from wrong ones."""

import re
import sys
from math import ceil, exp, floor, log, log2, pi, sqrt
from pathlib import Path

import ml_dtypes
import nbformat
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))
import build
import classroom
import quiz
import sheets

ASKED = {one.name: one for page in quiz.test_pages(classroom.TEACHING) for one in quiz.questions(page)}


def kl(mean, log_var):
    return 0.5 * (mean**2 + exp(log_var) - 1 - log_var)


def conv(side, channels, filters, kernel, stride, padding):
    """The side and the parameters of a convolution."""
    output = ceil(side / stride) if padding == "same" else floor((side - kernel) / stride) + 1
    return output, (kernel**2 * channels + 1) * filters


def coins(p, q):
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


def normal(z, mean=0.0, sigma=1.0):
    return exp(-0.5 * ((z - mean) / sigma) ** 2) / (sigma * sqrt(2 * pi))


def ratio(z):
    return (normal(z, -1, 0.5) + normal(z, 1, 0.5)) / 2 / normal(z)


def sigmoid(a):
    return 1 / (1 + exp(-a))


def softplus(a):
    return log(1 + exp(a))


def mean_and_error(numbers):
    return np.mean(numbers), np.std(numbers, ddof=1) / sqrt(len(numbers))


def rounded(number, kind):
    """A number as a format with 16 bits keeps it."""
    return float(np.array(number).astype(kind))


def sum_kept_in(kind, terms=10_000, term=0.2):
    """A sum that is rounded after each term."""
    return float(np.cumsum(np.full(terms, term).astype(kind), dtype=kind)[-1])


def loss_scaling(steps, gradient, scale):
    """The steps taken in float16, and the scale at the end: a step that overflows is left out, and halves the scale."""
    taken = 0
    for _ in range(steps):
        fits = gradient * scale <= float(np.finfo(np.float16).max)
        taken, scale = taken + fits, scale if fits else scale / 2
    return taken, scale


STAMPS = np.zeros(9)
for place in range(4):
    STAMPS[2 * place : 2 * place + 3] += 1
(SIDE_1, MANY_1), (SIDE_2, MANY_2) = conv(64, 3, 24, 5, 2, "valid"), conv(30, 24, 48, 3, 2, "same")
ROWS = np.mean([[-140.1, -141.0, -139.6], [-138.9, -141.4, -139.2]], axis=1)
JOINT = np.array([0.6 * exp(-2), 0.1, 0.3 * exp(-1)])
ANOMALIES, NORMAL = np.array([6, 9, 5])[:, None], np.array([3, 5, 5, 8])
AUROC = np.mean(ANOMALIES > NORMAL) + 0.5 * np.mean(ANOMALIES == NORMAL)
LOG_WEIGHTS = np.array([-90.0, -91, -90, -95])
SEEN = softplus(0) + softplus(2)
NOISY = sqrt(0.8) - 0.5 * sqrt(0.2)
BFLOAT16_CHANGES, OTHER_NOISE = np.array([0.1, 0.3, 0.2, 0.4, 0.0, 0.2]), np.array([3, -1, 0, 1, -3, 0])
ON_DEVICES = [[100, 120, 110], [90, 130], [150]]
ROWS_OF_B = [device * len(own) + place for device, own in enumerate(ON_DEVICES) for place in range(len(own))]
BETA_BINOMIAL = [0.5 * (0.5 + 1) / 2, 2 * 0.5 * 0.5 / 2, 0.5 * (0.5 + 1) / 2]

COMPUTED = {
    "entry.1": np.array([[1, 2], [0, 1]]) @ [3, 4],
    "entry.2": (np.zeros((100, 784)) @ np.zeros((2, 784)).T).shape,
    "entry.3": np.zeros((5, 28, 28)).sum(axis=(1, 2)).shape,
    "entry.4": [max((0.5, 0.1), key=log)],
    "entry.5": [log(4), exp(log(4) / 2)],
    "entry.6": [3],
    "entry.7": [1 / (1 + exp(0))],
    "entry.8": [np.mean([1, 3, 3, 5]), np.var([1, 3, 3, 5]), np.std([1, 3, 3, 5])],
    "entry.9": [0.9 * 0.5, 0.9 + 0.5],
    "entry.10": [0.683, 3 * 10 + 1, 3 * 2],
    "01.1": [4 * 32 * 32, 1024 * 50 + 50 + 50 * 3 + 3],
    "02.1": [1 + exp(-1), 0 - exp(0), kl(1, -2) + kl(0, 0)],
    "02.4": ["e", "d", "b", "b"],
    "03.1": [coins(0.2, 0.1), coins(0.2, 0.4)],
    "03.3": [-90 + 97, 97 - 12, -90],
    "03.4": [3072 * 0.0005, 3072 * 0.0005 / 128, 20 / 3072],
    "04.1": [SIDE_1, SIDE_2, (SIDE_2 - 1) * 3 + 4, MANY_1, MANY_2, (4 * 4 * 48 + 1) * 12],
    "04.2": [len(STAMPS), STAMPS.max()],
    "04.3": [ROWS[1] - ROWS[0], "c"],
    "04.4": [60_000 // 1025, conv(32, 1, 32, 3, 1, "same")[1]],
    "04.5": ["d", -(91.2 + 10 * (93.0 - 91.2)), 100 * log(2)],
    "05.1": [1 - 0.9**5],
    "05.2": [ratio(0), ratio(1), log(8), 2.5 - log(8)],
    "05.3": [sqrt(100) / sqrt(2), 0.20 / sqrt(500), (0.20 / 0.004) ** 2],
    "05.4": [0.5 * (v + s - 1 - log(s)) for v, s in ((0.02, 0.98), (0.96, 0.04), (0.005, 0.5))] + [2],
    "05.5": [sqrt(30 / 100)],
    "06.1": [(90 - 82) / (24 - 14), (100 - 90) / (14 - 6), 2],
    "06.2": [(95 - 88) / 10, 2 * 0.02],
    "06.3": [-(10.0 + 196.3), "b"],
    "06.4": ["b", 130.1 - 103.0],
    "06.5": [1.1 / log(4), 0.1 / log(8), 1 - (0.10 / log(8)) / (1.20 / log(4)), log(4) + log(8) - 2.9],
    "07.1": [log2(256 / 2) - 1500 / (3072 * log(2)), 8 + 600 / (3072 * log(2)), 1 / sqrt(2 * pi)],
    "07.2": [LOG_WEIGHTS.mean(), log(np.exp(LOG_WEIGHTS).mean())],
    "07.3": mean_and_error([0.9, -0.2, 0.5, 0.4]),
    "07.4": [-87.9 + 84.8, 0.75 / sqrt(10)],
    "07.5": [log(10), -log(1000) + 40 * log(0.01) + 744 * log(0.99)],
    "08.1": [12.4 - 11.2, 12.4 - 11.2 - 0.5, 0.5 * log(2) + 0.5 * log(4) - 0.70],
    "08.2": JOINT / JOINT.sum(),
    "08.3": [AUROC, 1 - AUROC],
    "08.4": [SEEN, SEEN + softplus(-1) + 1, "a"],
    "08.5": mean_and_error(np.array([71, 64, 69, 73, 66, 70]) - [66, 65, 66, 70, 60, 69]),
    "09.1": [8 - 1200 / (768 * log(2)), 8 - 5000 / (768 * log(2)), 17.2 / 3],
    "09.2": [1 - sigmoid(0.25), sigmoid(0.25) - sigmoid(-0.25), 0.5 * log2(128.5) - 0.25 * log2(256)],
    "09.3": [8 * 2310 / 3072, 8 * (2310 - 57) / 3072, 70_000 * 4 * 8 / (2000 * 3072)],
    "09.4": [sqrt(2**12), 1.1**12],
    "09.5": [6 * 60 / 24, 6.35 - 6.30, 6.29 - 6.30],
    "10.1": [0.5, 2 * (0.5 - 0.8) + 2 * 0.25 * (0.9 - 0.5), -2 * (0.9 - 0.5)],
    "10.2": [2 * log(2), -0.8 * log(0.4) - 0.2 * log(0.1)],
    "10.3": [81.0 + 18.5 + 3, 81.0 + 18.5 + 1.2, 0.5 * (0.25 + 0.5**2 - 1 - log(0.25))],
    "10.4": [NOISY, (NOISY + sqrt(0.2) * 0.3) / sqrt(0.8), 0.5 * (9 / 4 - 1) * (0.5 - 0.3) ** 2],
    "10.5": [BETA_BINOMIAL[1], np.mean(np.log(np.divide(BETA_BINOMIAL, [0.25, 0.5, 0.25])[[0, 0, 1, 2, 2]]))],
    "A1.1": [
        rounded(301.2, ml_dtypes.bfloat16) - rounded(300.4, ml_dtypes.bfloat16),
        sum_kept_in(ml_dtypes.bfloat16),
        sum_kept_in(np.float16),
    ],
    "A1.2": [*mean_and_error(BFLOAT16_CHANGES), OTHER_NOISE.var(ddof=1) / 0.05**2],
    "A1.3": [*loss_scaling(40, 10, 32_768), np.mean([4.2, 3.9, 5.1]) - np.mean([0.3, -0.2, 0.2])],
    "A1.4": [
        sum(map(sum, ON_DEVICES)) / 6,
        np.mean([np.mean(own) for own in ON_DEVICES]),
        (1 / 3) / (1 / 6),
        sum(ROWS_OF_B.count(row) > 1 for row in ROWS_OF_B),
    ],
    "A1.5": ["b", "c", "a", "e", sqrt(64 / 16)],
    "final.1": [20 * 20 * 6, 400 * 100 + 100 + 100 * 5 + 5],
    "final.2": ["b"],
    "final.3": [0.5 + 2 * exp(-1.386 / 2), -1 - 1, kl(0.5, -1.386) + kl(-1, 0)],
    "final.5": ["b"],
    "final.6": [coins(0.5, 0.25), coins(0.25, 0.5)],
    "final.7": [102 + 4.5 - 88, -102 - 1.5],
    "final.8": [64 * 64 * 0.001, 64 * 64 * 0.001 / 32],
    "final.9": [conv(40, 1, 16, 5, 3, "valid")[0], (12 - 1) * 3 + 5, conv(40, 1, 16, 5, 3, "valid")[1]],
    "final.10": ["a"],
    "final.11": [6.2 - 5.7, -150 + 6.2 - 5.7],
    "final.12": [0.08 / 4, 0.08 * log(4)],
    "final.13": [(97 - 85) / (20 - 12), 1],
    "final.14": ["a", "c"],
    "final.15": [8 - 1000 / (784 * log(2)), 1000 - 784 * log(256)],
    "final.16": [(-100 - 103 - 100) / 3, log((2 * exp(-100) + exp(-103)) / 3)],
    "final.17": [(1 + 0.5 * 2 + 3) / 6],
    "final.18": [9.0 - 8.1, 9.0 - 8.1 - 0.6],
    "final.19": [conv(8, 64, 64, 3, 1, "same")[1], conv(8, 128, 128, 3, 1, "same")[1]],
    "final.20": [36 * log(32), 40 + 55],
}


@pytest.fixture(scope="module")
def cells():
    """The cells of the notebook as it is stored."""
    return nbformat.read(classroom.TEACHING / "tests.ipynb", as_version=4).cells


@pytest.fixture
def checks(cells):
    """What the first two cells of code define."""
    names = {}
    for cell in [cell for cell in cells if cell.cell_type == "code"][:2]:
        exec(cell.source, names)
    return names


def test_the_notebook_holds_every_question_and_runs_unanswered(cells, checks, capsys):
    texts = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert [name for name, one in ASKED.items() if f"**{name}** {one.text}" not in texts] == []
    assert [name for name, one in ASKED.items() if (one.fold in texts) == bool(one.answers)] == []
    calls = [cell.source for cell in cells if cell.source.startswith("check(")]
    assert len(calls) == len(COMPUTED)
    for call in calls:
        exec(call, checks)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(calls) and all(": not yet. Give " in line for line in said)


def test_the_final_has_twenty_questions_over_all_lessons_and_its_points_add_up():
    text = (classroom.TEACHING / "final_test.md").read_text("utf-8")
    points = re.findall(r"^\*\*(\d+)\.\*\* \((\d) points\)", text, re.MULTILINE)
    table = re.findall(r"^\| (\d+) \| (\d) \| (\d\d) \| ", text, re.MULTILINE)
    assert [row[:2] for row in table] == points and [int(number) for number, _ in points] == list(range(1, 21))
    total = re.search(r"over the course, (\d+) points", text)[1]
    assert sum(int(each) for _, each in points) == int(total)
    assert {lesson for _, _, lesson in table} >= {source.stem[:2] for source in build.SOURCES} - {"A1"}  # an appendix


@pytest.mark.parametrize("page", quiz.test_pages(classroom.TEACHING), ids=lambda page: page.stem)
def test_a_printed_test_has_each_question_and_room_and_no_answer(page):
    pytest.importorskip("ziamath", reason="ziamath is not in requirements.txt: pip install ziamath")
    printed, asked = sheets.test(page), quiz.questions(page)
    assert printed.count('class="room"') == len(asked) == len(re.findall(r"<p><strong>\d+\.</strong>", printed))
    for hidden in ("<details>", "<em>Give", "What it tests", "For the teacher", "{{", "DRAWN"):
        assert hidden not in printed
    answers = [phrase for one in asked for phrase in re.findall("[A-Za-z ,]{25,}", one.why)]
    assert answers and [phrase for phrase in answers if phrase in printed] == []


def test_a_question_that_asks_for_numbers_says_which():
    for name, one in ASKED.items():
        assert ("*Give:*" in one.text) == bool(one.answers) == (name in COMPUTED), name


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_computed_is_right_and_what_is_not_is_wrong(name, checks, capsys):
    right = list(COMPUTED[name])
    checks["check"](name, *right)
    assert capsys.readouterr().out.startswith(f"{name}: right\n")
    for place, one in enumerate(right):
        wrong = [*right]
        wrong[place] = "x" if isinstance(one, str) else one + 0.03 * abs(one) + 0.1
        checks["check"](name, *wrong)
        assert f"{name}: not right: number {place + 1}." in capsys.readouterr().out
    checks["check"](name, *right, 1)
    assert ": not yet. Give" in capsys.readouterr().out


@pytest.mark.parametrize(
    "given, answer, verdict",
    [
        (1.39, "1.386", True),
        (1.41, "1.386", False),
        (-91.4, "-90.52", False),  # 1 % would let it pass
        (18_432, "18496", False),
        (np.float32(2.0), "2", True),
        (" B", "b", True),
        ("a", "b", False),
        ("one", "1", False),
        (None, "1", False),
    ],
)
def test_a_number_is_compared_as_exactly_as_it_is_stated(given, answer, verdict, checks):
    assert checks["same"](given, answer) is verdict
