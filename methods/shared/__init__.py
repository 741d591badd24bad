"""Numerics shared by the methods; nothing here knows a label."""
