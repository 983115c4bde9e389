"""Command-line options: frozen dataclasses, one per component, and the one strict parse that fills them."""
