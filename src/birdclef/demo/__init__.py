"""A small invented competition, synthesised from a seed."""
