"""Inverse kinematics, action composition and limits; the executor node."""
