"""Images in memory and on disk: reading and writing, formats, colour, tiles."""
