"""Blindfold: a label-blind benchmark of graph neural clustering."""
