"""The operator's view: what the robot does, in a browser, and the buttons of a session."""
