"""The reference mobile bank: the system under test."""

VERSION = "1"
