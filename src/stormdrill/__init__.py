"""The harness: drives, measures and judges a disaster-recovery drill."""
