"""Systems beside the network."""
