"""One point or pair: quench, transition state, band, connection."""
