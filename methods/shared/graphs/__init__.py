"""Who is whose neighbour.

components
    Principal components and the graph of near or similar cells, as PyTorch Geometric takes them.
neighbors
    Nearest spots, nearest cells by Euclidean or cosine distance; ties and pitch.
radius
    Spots closer than a radius.
sections
    Neighbours and votes within the sections of a tissue.
two_views
    Expression, near spots and similar spots, as encoders of two views see them.
weights
    Adjacency matrices: binary, symmetric, normalised, fuzzy.
"""
