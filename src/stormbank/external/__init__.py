"""Parties outside the bank and outside its sites. They know nothing of it but what they are asked."""
