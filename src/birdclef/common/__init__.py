"""What every room may use: files, tables, numbers, names; no other room, no torch."""
