"""The batched grasp task and its engines; the simulator bridge node."""
