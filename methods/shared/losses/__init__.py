"""Losses over all entries or all pairs, in linear memory.

with_gradient
    A loss whose gradient is made together with its value; sums over blocks by autograd.
gram
    Squared errors through Gram matrices.
graph
    Pairs of spots against a graph.
links
    Edges and sampled pairs without one.
self_training
    Soft assignments and their sharpened target.
zinb
    The zero-inflated negative binomial decoder.
"""
