"""Trains a small teacher and its students, innocent ones among them, and proves or does not prove what each was trained on."""
