"""The confusion matrix of 50 flowers that the network has not seen."""

from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

import fastgd
from fastgd import plots

iris = load_iris(as_frame=True)
table = iris.data.assign(species=iris.target_names[iris.target])
train, test = train_test_split(table, test_size=50, random_state=0)
model = fastgd.fit(train, target="species", test_fraction=0)
ax = plots.predictions(test["species"], model.predict(test), name="species")
plots.write(ax.figure, "predictions-classes.png")
