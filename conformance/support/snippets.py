"""The settings that docs/clients.md shows, made to work here: what is printed there is what runs."""

import os
import pathlib
import re

PAGE = pathlib.Path(__file__).parent.parent.parent / "docs" / "clients.md"


def snippet(heading, **names):
    """The first block of code under this heading, with this node's address and key; `names` are replaced as well."""
    section = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    text = re.search(r"\n```\w*\n(.*?)\n```\n", section, re.DOTALL).group(1)
    here = {
        "127.0.0.1:9000": f"127.0.0.1:{os.environ['S3_PORT']}",
        "YOUR_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
        "YOUR_SECRET": os.environ["AWS_SECRET_ACCESS_KEY"],
        **names,
    }
    for name, value in here.items():
        text = text.replace(name, value)
    return text


def run_snippet(heading, **names):
    """Runs a block of Python; returns the names that it defines."""
    namespace = {}
    exec(compile(snippet(heading, **names), f"docs/clients.md: {heading}", "exec"), namespace)
    return namespace
