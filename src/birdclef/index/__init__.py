"""Build one table of recordings and their folds from the tables and folders of all sources."""
