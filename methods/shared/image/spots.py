"""Components of what the image shows around every spot; scikit-image loads only where needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from methods.contract import Data
from methods.shared.expression.pca import dense_components

Recolour = Callable[[np.ndarray], np.ndarray]


def image_components(
    data: Data, n_components: int, recolour: Recolour | None = None
) -> tuple[np.ndarray | None, dict[str, Any]]:
    """
    Describe the tissue around every spot, by the user's features where there are any.

    Parameters
    ----------
    data
        With features, with an image, or with neither.
    n_components
        As for `image_feature_components`.
    recolour
        Maps an image, height x width x 3, uint8, before it is looked at.

    Returns
    -------
    spots x components, None where there is nothing to see; and what is to be noted.
    """
    if data.image_features is not None:
        known = np.isfinite(data.image_features).all(axis=1)
        notes = {"image": "features given", "spots_outside_image": int((~known).sum())}
        return image_feature_components(data.image_features, n_components), notes
    if data.image is None:
        return None, {"image": "none"}
    from methods.shared.image.features import as_rgb, histology_features

    image = as_rgb(data.image)
    if recolour is not None:
        image = recolour(image)
    seen = histology_features(image, data.required_coordinates("an image"), data.scale, data.pitch)
    notes = {"image": "used", "spots_outside_image": int((~seen.inside).sum())}
    return image_feature_components(seen.features, n_components), notes


def image_feature_components(features: np.ndarray, n_components: int) -> np.ndarray:
    """
    Standardise features and reduce them to principal components.

    Parameters
    ----------
    features
        spots x d: of `histology_features`, or of any network. A row that is not finite counts as
        the mean: it gets the score 0.
    n_components
        Components to keep; fewer where d or the rank is less.

    Returns
    -------
    spots x components, centred, largest variance first.
    """
    features = np.asarray(features, dtype=np.float64)
    known = np.isfinite(features).all(axis=1)
    if not known.any():
        raise ValueError("features: no row is finite; give at least one")
    mean, deviation = features[known].mean(axis=0), features[known].std(axis=0)
    deviation[deviation < 1e-9 * np.maximum(np.abs(mean), 1.0)] = np.inf
    standard = (features[known] - mean) / deviation
    scores = dense_components(standard, n_components)
    whole = np.zeros((len(features), scores.shape[1]))
    whole[known] = scores
    return whole
