"""Scans, and arrays that measuring programs write: one file for each of their formats."""
