"""Images and label maps from disk, training pairs made from them, and how they reach the trainer in batches."""
