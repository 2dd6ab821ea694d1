"""Episode recording as MCAP bags and the nodes that run episodes."""
