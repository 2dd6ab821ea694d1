"""Facts of the FR3 arm with a LEAP right hand: MJCF and URDF, joint order, limits, frames, kinematics."""
