"""Bird recordings in, a small CPU-only classifier out."""
