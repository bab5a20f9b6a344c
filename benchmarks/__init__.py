"""How fast the course is, against the tutorials it replaces and against other libraries. See README.md in this folder.

Each module is one command, `python -m benchmarks.NAME` from the root of the repository. It prints a table, and as its
last line one line of JSON.
"""
