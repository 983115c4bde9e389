"""Which files on disk belong together, and what is wrong with them."""
