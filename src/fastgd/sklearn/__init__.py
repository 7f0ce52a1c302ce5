"""Estimators, a search and models per group with the face of scikit-learn (extra ``sklearn``)."""
