"""The reference mobile bank: the system under test."""
