"""Point-cloud flow-matching policy, push and reverse, modulation, checkpoints; the policy node."""
