"""Identity: who a customer is, by password, face, phone and one-time code."""
