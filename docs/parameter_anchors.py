"""Sphinx: an anchor for each parameter of a call, such as ``api.html#train-l2``.

Those of ``fastgd.train`` are index entries, too, with their names in other libraries: who searches
the site for "l2", "batch size" or "learning rate" finds them first.
"""

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.typing import ExtensionMetadata

from fastgd.checks.messages import ELSEWHERE

INDEXED = "train"


class ParameterAnchors(SphinxTransform):
    """Give the parameters in docstrings their anchors."""

    default_priority = 800  # before the index is collected

    def apply(self, **_: object) -> None:
        """Visit each documented function and class."""
        for described in self.document.findall(addnodes.desc):
            if described[0]["ids"] and described["objtype"] in ("function", "class"):
                call = described[0]["ids"][0].removeprefix("fastgd.").replace(".", "-")
                for field in described[1].findall(nodes.field):
                    if field[0].astext() == "Parameters":
                        _anchor(call, field)


def _anchor(call: str, field: nodes.field) -> None:
    for term in list(field.findall(nodes.term)):
        for name in term[0].astext().lstrip("*").split(", "):
            place = f"{call}-{name}"
            term["ids"].append(place)
            if call == INDEXED:
                words = (name, *ELSEWHERE.get(name, "").split())
                entries = dict.fromkeys((*words, *(word.replace("_", " ") for word in words)))
                listed = [("single", entry, place, "main", None) for entry in entries]
                term.insert(0, addnodes.index(entries=listed))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx calls this."""
    app.add_transform(ParameterAnchors)
    return {"parallel_read_safe": True}
