"""Measures DurableActors and its peers by turns, and writes one table."""
