"""The public names of the package and their docstrings, read from its source: nothing is imported."""

import ast
import re
import textwrap
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "vae_helpers"


def syntax_tree(module):
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def public_names():
    """[(module, its first line, [definitions])], in the order of `vae_helpers/__init__.py`."""
    found = []
    for node in syntax_tree("__init__").body:
        if isinstance(node, ast.ImportFrom) and node.module != "vae_helpers":
            module = node.module.removeprefix("vae_helpers.")
            tree = syntax_tree(module)
            defined = {one.name: one for one in tree.body if isinstance(one, (ast.FunctionDef, ast.ClassDef))}
            found.append(
                (module, ast.get_docstring(tree).partition("\n")[0], [defined[one.name] for one in node.names])
            )
    return found


def as_directive(definition):
    """A function, or a class with its public methods, as a directive of Sphinx's Python domain."""
    if isinstance(definition, ast.FunctionDef):
        return directive("py:function", definition, definition.args, skipped=0)
    members = methods(definition)
    initial = members.pop("__init__", None)
    body = [
        directive("py:method", one, one.args, skipped=1)
        for name, one in members.items()
        if not name.startswith("_") and ast.get_docstring(one) and not is_property(one)
    ]
    head = directive("py:class", definition, initial and initial.args, skipped=1)
    return "\n\n".join([head, *(textwrap.indent(one, "   ") for one in body)])


def methods(definition):
    """{name: method} of a class and of its bases in the package; those of the class itself first."""
    classes = {
        one.name: one
        for path in PACKAGE.glob("*.py")
        for one in syntax_tree(path.stem).body
        if isinstance(one, ast.ClassDef)
    }
    own = {one.name: one for one in definition.body if isinstance(one, ast.FunctionDef)}
    for base in definition.bases:
        if isinstance(base, ast.Name) and base.id in classes:
            own = {**methods(classes[base.id]), **own}
    return own


def is_property(method):
    return any(isinstance(one, ast.Name) and one.id == "property" for one in method.decorator_list)


def directive(kind, definition, arguments, skipped):
    """skipped: how many arguments, such as self, are not shown."""
    signature = ""
    if arguments:
        shown = ast.arguments(
            posonlyargs=arguments.posonlyargs,
            args=arguments.args[skipped:],
            vararg=arguments.vararg,
            kwonlyargs=arguments.kwonlyargs,
            kw_defaults=arguments.kw_defaults,
            kwarg=arguments.kwarg,
            defaults=arguments.defaults,
        )
        signature = ast.unparse(shown)
    body = as_rst((ast.get_docstring(definition) or "").splitlines())
    return f".. {kind}:: {definition.name}({signature})\n\n" + textwrap.indent("\n".join(body), "   ")


def as_rst(lines):
    """A docstring of the course, plain text with `code` in it, as lines of reStructuredText.

    A line `name: …`, with what is indented under it, describes an argument. What is indented under another line
    belongs to it.
    """
    made, field, hanging = [], False, False
    for line in lines:
        found = re.match(r"([a-z]\w*(?:, [a-z]\w*)*): (.*)", line)
        if found:
            made += [""] * (not field) + [f":param {found[1].replace(', ', ',')}: {escape(found[2])}"]
            field = True
        elif line.startswith(" ") and made and made[-1]:
            made.append(("    " if field else "") + escape(line.strip()))
            hanging = not field
        else:
            made += [""] * (field or hanging) + [escape(line)]
            field = hanging = False
    return made


def escape(line):
    """Code between backticks becomes a literal; nothing else has a meaning in reStructuredText."""
    parts = re.split(r"(`[^`]+`)", line)
    plain = [re.sub(r"([\\*|`]|_\b)", r"\\\1", part) for part in parts[::2]]
    literal = [f"`{part}`" for part in parts[1::2]]
    return "".join(text for pair in zip(plain, [*literal, ""]) for text in pair)
