"""Many points: what to do next, who does it, and what came of it."""
