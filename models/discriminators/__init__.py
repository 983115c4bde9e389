"""Discriminators: networks that judge a picture, pixel by pixel or patch by patch."""
