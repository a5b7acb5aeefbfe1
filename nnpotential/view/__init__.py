"""Pictures of a landscape."""
