"""Scores of every level, and calibrated probabilities."""
