"""A small competition of invented species, synthesised from a seed."""
