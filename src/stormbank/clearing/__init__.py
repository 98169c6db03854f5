"""Payments that leave the bank: the order to the clearing party, what became of it, and whether both books agree."""
