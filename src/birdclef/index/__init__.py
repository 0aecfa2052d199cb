"""From each source's table and folders to one table of recordings and their folds."""
