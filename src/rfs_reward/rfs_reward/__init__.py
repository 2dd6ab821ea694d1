"""Reward from vision: object tracking, centroid, reward and success."""
