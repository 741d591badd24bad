"""From features or a graph to clusters.

assign
    The heads of methods: features or a graph in, `Result` out.
kmeans
    K-means with restarts.
mclust, mclust_start
    The Gaussian mixture with one shared covariance, and its hierarchical start.
leiden
    Leiden communities, and the resolution that gives a number of them.
spectral
    Normalised cuts.
n_clusters
    Three estimates of the number of clusters.
"""
