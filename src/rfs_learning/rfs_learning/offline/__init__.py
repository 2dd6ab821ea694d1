"""Offline Residual Flow Steering: what corrected episodes teach a modulation (paper, section 5.2)."""
