"""What the live page shows, in a browser, compared with Python."""

import pytest

import fastgd
from fastgd import optimizers
from fastgd.article.page.live import XOR

FIRST = {"hidden": 4, "alpha": 0.5, "seed": 1, "iterations": 60_000}
UNFUSED = ("--js-flags=--no-enable-fma3",)
"""An Intel processor's fused multiply-add, which relaxed SIMD uses, is left out."""

both_modules = pytest.mark.parametrize(
    "browser", [(), UNFUSED], indirect=True, ids=["relaxed", "exact"]
)


def trained(X=XOR[0], y=XOR[1], **settings):
    """The same training in Python."""
    settings = FIRST | settings
    hidden = settings.pop("hidden")
    if "optimizer" in settings:
        settings["optimizer"] = getattr(optimizers, settings["optimizer"])()
    return fastgd.train(X, y, hidden_size=hidden or (), **settings)


def changes_of(run):
    """The rows of direction changes that the page shows: of each layer, and below of its biases."""
    layers = [layer.tolist() for layer in run.direction_changes]
    if len(layers) == 2:  # the weights to the output are a row here
        layers[1] = [[row[0] for row in layers[1]]]
    for layer, biases in zip(layers, run.bias_direction_changes, strict=False):  # if there are any
        layer.append(biases.tolist())
    return [[str(count) for count in row] for layer in layers for row in layer]


class Live:
    """The live parts of an open page."""

    def __init__(self, visit):
        self.page = visit.page

    def __getitem__(self, name):
        return self.page.locator(f"#{name}")

    def value(self, field):
        return self[f"control-{field}"].input_value()

    def type(self, field, text):
        self[f"control-{field}"].fill(str(text))
        self[f"control-{field}"].blur()

    def shows(self, **settings):
        """Wait for the numbers of these settings, all that the page shows of them."""
        run = trained(**settings)
        self.ends_with(repr(float(run.final_error)))
        self["experiment-changes"].locator("td").first.wait_for()  # the first screen comes first
        assert cells(self["experiment-changes"]) == changes_of(run)
        return run

    def ends_with(self, error):
        from playwright.sync_api import expect

        expect(self["experiment-final-error"]).to_have_text(error)
        expect(self["experiment-final-error"]).to_have_attribute("data-finished", "true")

    def says(self, name, sentence):
        from playwright.sync_api import expect

        expect(self[name]).to_have_text(sentence)


def cells(table):
    """The text of a table's cells, without its headings."""
    rows = [row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()]
    return [row for row in rows if row]
