"""Made-up sales of shops, and the models of them that tests share."""

from functools import cache

import numpy as np
import pandas as pd

import fastgd
from fastgd.models.row_splits import hold_out

SHORT = {"hidden_size": 3, "iterations": 40}


def shops(counts=(30, 25, 12, 40, 8, 1, 6), seed=0):
    """Sales of shops: the last ones have too few rows to hold some out; one has no variety."""
    draw = np.random.default_rng(seed)
    shop = np.repeat([f"shop {k}" for k in range(len(counts))], counts)
    price, heat = draw.lognormal(size=len(shop)), draw.normal(15, 8, len(shop))
    sales = 3.0 * np.char.str_len(shop) + draw.normal(size=len(shop)) - price + 0.1 * heat
    sales += 10.0 * np.repeat(np.arange(len(counts)), counts)
    sales[shop == f"shop {len(counts) - 1}"] = 7.0
    table = pd.DataFrame({"price": price, "heat": heat, "shop": shop, "sales": sales})
    return table.sample(frac=1, random_state=1).reset_index(drop=True)


YEARS = 24


def panel(seed=0):
    """Sales of three shops, each a random walk with a trend of its own, in any order of rows."""
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"shop": np.repeat(["a", "b", "c"], YEARS), "year": np.tile(np.arange(1990, 2014), 3)}
    )
    table["price"] = draw.normal(size=len(table))
    steps = draw.normal(np.repeat([1.0, 3.0, -1.0], YEARS), 1.0)
    table["sales"] = 50 + pd.Series(steps).groupby(table["shop"]).cumsum() - table["price"]
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


@cache
def fitted(**options):
    return fastgd.fit_groups(shops(), by="shop", target="sales", **SHORT, **options)


def rows_of(models, table, group):
    """The scaled inputs and targets of a group, by hand."""
    mine = table[table[models.keys.names[0]] == group]
    k, fits = models.groups.index(group), models.fits
    prepared = models.preparation.transform({n: mine[n].to_numpy() for n in mine})
    X = (prepared - fits.inputs.mean[k]) / fits.inputs.scale[k]
    encoded = models.target.encode(mine[models.target.name].to_numpy())
    scale = fits.outputs.scale[k]
    return X, (encoded - fits.outputs.mean[k]) / np.where(scale > 0, scale, 1), mine.index


def codes_of(models, table):
    return np.array([models.groups.index(label) for label in table[models.keys.names[0]]])


def held_rows(models, table, shares=(0.2, 0.2), least=10, seed=0):
    """The rows in validation sets, and those in test sets."""
    return hold_out(codes_of(models, table), len(models), shares, least, seed)


def without_test_rows(monkeypatch, table, **given):
    """Models of a table without its test rows, with the same validation rows; and the test rows."""
    models = fastgd.fit_groups(table, **given)
    held, test = held_rows(models, table)
    with monkeypatch.context() as patch:
        parts = held[~test], np.zeros_like(held[~test])
        patch.setattr("fastgd.models.groups.hold_out", lambda *_, **__: parts)
        return models, fastgd.fit_groups(table[~test], **given), test
