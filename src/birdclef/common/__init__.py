"""Shared helpers for files, tables, numbers and names; they import no other package, no torch."""
