"""Pure functions that make training sources out of a photograph: nothing here reads or writes files."""
