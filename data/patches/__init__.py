"""Training patches of two modalities in an HDF5 file."""
