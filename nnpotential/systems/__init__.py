"""Systems beside the network, each behind the contract."""
