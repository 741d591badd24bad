"""What a histology image shows, without trained weights.

features
    Colours, textures and nuclei around every spot.
texture
    Stain and texture, pixel by pixel.
spots
    Components of these features, or of features that the user gives.
"""
