"""What makes a result traceable: configuration, identity, run folders and tidy tables."""
