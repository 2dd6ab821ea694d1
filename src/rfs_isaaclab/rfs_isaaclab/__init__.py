"""The grasp task in Isaac Lab: robot as USD, scene, environment, engine, bridge node."""
