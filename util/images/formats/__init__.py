"""What image files say about themselves before they are decoded, format by format: size, depth, damage."""
