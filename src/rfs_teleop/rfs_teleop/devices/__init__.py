"""Operator's devices, each beside the YAML that configures it. Opened with `devices.opening.open_device`."""
