"""Discriminators: networks that judge an image, pixel by pixel or patch by patch."""
