"""Web pages that open from disk: of a test, a training and a comparison. Knows no torch."""
