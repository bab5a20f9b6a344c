from IPython.display import Markdown, display

ANSWERS = {}  # filled by the next cell


def same(given, answer):
    """Whether this is the answer: a whole number within 0.01, another one within its last digit, or 1 % below 10."""
    try:
        number = float(answer)
    except ValueError:  # a letter
        return str(given).strip().upper() == answer.upper()
    digits = len(answer.partition(".")[2])
    allowed = max(10.0**-digits, 0.01 * abs(number) if abs(number) < 10 else 0) if digits else 0.01
    try:
        return abs(float(given) - number) <= allowed * (1 + 1e-9)
    except (TypeError, ValueError):
        return False


def check(question, *given):
    """Compare numbers and letters with the answers of a question; when all are right, show why."""
    answers = ANSWERS[question]["answers"]
    wrong = [str(place) for place, pair in enumerate(zip(given, answers), 1) if not same(*pair)]
    if ... in given or len(given) != len(answers):
        print(f"{question}: not yet. Give {len(answers)}, in the order of the question; a letter in quotes.")
    elif wrong:
        print(f"{question}: not right: number {' and '.join(wrong)}. Look again, or run why({question!r}).")
    else:
        print(f"{question}: right")
        why(question)


def why(question):
    """Show the answer of a question, and its reasons."""
    display(Markdown(ANSWERS[question]["why"]))
