"""Reinforcement learning over a frozen flow policy in simulation (paper, sections 5.1 and 6.1)."""
